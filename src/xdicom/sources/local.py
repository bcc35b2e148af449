"""A path, a list of paths or a folder of the local disk becomes a Listing of files with stats."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from xdicom.errors import Problem

PathLike: TypeAlias = str | os.PathLike[str]
Where: TypeAlias = PathLike | Iterable[PathLike]


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
    kind: str
    """``folder``, ``file`` or ``list``: what the caller gave."""
    problems: tuple[Problem, ...] = ()
    """Folders and files that could not be looked at."""


def list_files(where: Where) -> Listing:
    """List the files under a path.

    Parameters
    ----------
    where : path or iterable of paths
        A folder (walked to the bottom; links to folders are not followed), a file, or files.

    Returns
    -------
    Listing
        Files sorted by path, hidden ones included.

    Raises
    ------
    FileNotFoundError
        If a path that was named does not exist.
    PermissionError
        If nothing under the folder may be read.
    TypeError
        If ``where`` is neither a path nor an iterable of paths.
    """
    if isinstance(where, (str, os.PathLike)):
        path = os.path.abspath(os.path.expanduser(os.fspath(where)))
        if not os.path.isdir(path):
            return _listing(os.path.dirname(path), [path], "file")
        return _walk(path)
    try:
        paths = [os.path.abspath(os.path.expanduser(os.fspath(p))) for p in where]
    except TypeError as error:
        raise TypeError(
            f"expected a path or an iterable of paths, found {type(where).__name__}"
        ) from error
    if not paths:
        return Listing(os.getcwd(), (), "list")
    folders = {p if os.path.isdir(p) else os.path.dirname(p) for p in paths}
    files: dict[str, None] = {}
    problems: list[Problem] = []
    for path in paths:
        if os.path.isdir(path):
            inner = _walk(path)
            files.update((os.path.join(path, f.path), None) for f in inner.files)
            problems.extend(inner.problems)
        else:
            files[path] = None
    found = _listing(os.path.commonpath(sorted(folders)), list(files), "list")
    return Listing(found.root, found.files, "list", tuple(problems))


def _listing(root: str, paths: list[str], kind: str) -> Listing:
    files = []
    for path in sorted(paths):
        stat = os.stat(path)
        files.append(FileStat(os.path.relpath(path, root), stat.st_size, stat.st_mtime_ns))
    return Listing(root, tuple(files), kind)


def _walk(root: str) -> Listing:
    files: list[FileStat] = []
    problems: list[Problem] = []
    folders = [""]
    denied: OSError | None = None
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(root, folder)))
        except OSError as error:
            denied = error
            problems.append(Problem("UnreadableFolder", str(error.strerror), folder, excluded=True))
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file():
                    stat = entry.stat()
                    files.append(FileStat(path, stat.st_size, stat.st_mtime_ns))
                elif entry.is_symlink():
                    problems.append(
                        Problem("SkippedLink", "links to folders are not followed", path)
                    )
            except OSError as error:
                problems.append(
                    Problem("UnreadableFile", str(error.strerror), path, excluded=True)
                )
    if denied is not None and not files and len(problems) == 1:
        raise denied
    files.sort(key=lambda f: f.path)
    problems.sort(key=lambda p: p.file)
    return Listing(root, tuple(files), "folder", tuple(problems))
