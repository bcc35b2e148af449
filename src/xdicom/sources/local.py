"""A path, a list of paths or a folder of the local disk becomes a Listing of files with stats."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from xdicom.errors import NotDicomError, Problem

PathLike: TypeAlias = str | os.PathLike[str]
Where: TypeAlias = PathLike | Iterable[PathLike]
Kind: TypeAlias = Literal["folder", "file", "list"]


@dataclass(frozen=True)
class FileStat:
    """A file as it was when it was listed."""

    path: str
    """Relative to the root of the listing."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, nanoseconds since the epoch."""


@dataclass(frozen=True)
class Listing:
    """What was found under a root."""

    root: str
    """Absolute path of the folder that the files' paths are relative to."""
    files: tuple[FileStat, ...]
    """The files, sorted by path."""
    kind: Kind
    """What the caller gave."""
    problems: tuple[Problem, ...] = ()
    """Folders, files and links that could not be looked at, with paths relative to the root."""


def list_files(where: Where) -> Listing:
    """List the files under a path.

    Parameters
    ----------
    where : path or iterable of paths
        A folder (walked to the bottom), a file, or several of both. Links found in a folder are
        not followed, so that no loop and nothing outside it is ever read; a link that is named
        itself is.

    Returns
    -------
    Listing
        Regular files sorted by path, hidden ones included.

    Raises
    ------
    FileNotFoundError
        If a path that was named does not exist.
    PermissionError
        If nothing under the folder may be read.
    NotDicomError
        If a path that was named is neither folder nor regular file.
    TypeError
        If ``where`` is neither a path nor an iterable of paths.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open(os.path.join(folder, "a.dcm"), "wb").close()
    ...     listing = list_files(folder)
    >>> listing.kind, [(file.path, file.size) for file in listing.files]
    ('folder', [('a.dcm', 0)])
    """
    if isinstance(where, (str, os.PathLike)):
        path = _absolute(where)
        if os.path.isdir(path):
            return _walk(path)
        return _files(os.path.dirname(path), [path], "file")
    try:
        paths = sorted({_absolute(path) for path in where})
    except TypeError as error:
        raise TypeError(
            f"expected a path or an iterable of paths, found {type(where).__name__}"
        ) from error
    folders = {path for path in paths if os.path.isdir(path)}
    roots = [path if path in folders else os.path.dirname(path) for path in paths]
    root = os.path.commonpath(roots) if roots else os.getcwd()
    listings = [_files(root, [path for path in paths if path not in folders], "list")]
    listings += [_beneath(root, _walk(folder)) for folder in sorted(folders)]
    files = {file.path: file for listing in listings for file in listing.files}
    problems = tuple(problem for listing in listings for problem in listing.problems)
    return Listing(root, tuple(files[path] for path in sorted(files)), "list", problems)


def _absolute(path: PathLike) -> str:
    return os.path.abspath(os.path.expanduser(os.fspath(path)))


def _files(root: str, paths: list[str], kind: Kind) -> Listing:
    files = []
    for path in paths:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise NotDicomError("this is no regular file", file=path)
        files.append(FileStat(os.path.relpath(path, root), found.st_size, found.st_mtime_ns))
    return Listing(root, tuple(files), kind)


def _beneath(root: str, listing: Listing) -> Listing:
    """A listing whose paths are relative to a folder further up."""
    prefix = os.path.relpath(listing.root, root)
    if prefix == os.curdir:
        return listing
    files = [replace(file, path=os.path.join(prefix, file.path)) for file in listing.files]
    problems = [replace(p, file=os.path.join(prefix, p.file)) for p in listing.problems]
    return Listing(root, tuple(files), listing.kind, tuple(problems))


def _walk(root: str) -> Listing:
    files: list[FileStat] = []
    problems: list[Problem] = []
    folders = [""]
    denied: OSError | None = None
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as found:
                entries = list(found)
        except OSError as error:
            denied = error
            problems.append(_unreadable("UnreadableFolder", folder, error))
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)
            try:
                if entry.is_symlink():
                    problems.append(_skipped_link(root, path))
                elif entry.is_dir():
                    folders.append(path)
                elif entry.is_file():
                    status = entry.stat()
                    files.append(FileStat(path, status.st_size, status.st_mtime_ns))
            except OSError as error:
                denied = error
                problems.append(_unreadable("UnreadableFile", path, error))
    if denied is not None and not files:
        raise denied
    files.sort(key=lambda file: file.path)
    problems.sort(key=lambda problem: problem.file)
    return Listing(root, tuple(files), "folder", tuple(problems))


def _unreadable(kind: str, path: str, error: OSError) -> Problem:
    return Problem(kind, error.strerror or str(error), path or os.curdir, excluded=True)


def _skipped_link(root: str, path: str) -> Problem:
    """What is lost by a link that is not followed: nothing, if it leads to a place in the root."""
    real, top = os.path.realpath(os.path.join(root, path)), os.path.realpath(root)
    if not os.path.exists(real):
        return Problem("SkippedLink", "the link leads to nothing", path, excluded=True)
    if os.path.commonpath([real, top]) == top:
        return Problem("SkippedLink", "links are not followed; its target is read itself", path)
    what = "links are not followed, and this one leads out of the folder: name its target itself"
    return Problem("SkippedLink", what, path, excluded=True)
