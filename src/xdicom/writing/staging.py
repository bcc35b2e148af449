"""A folder becomes a safe place to write to: all files appear at the end, or none does."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from xdicom.errors import ConformanceError

_NO_LINKS: Final = frozenset(
    (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK,
     errno.EXDEV, errno.EINVAL)
)  # fmt: skip
"""What file systems without hard links answer."""


def destination(folder: str | os.PathLike[str], roots: Iterable[str]) -> Path:
    """Resolve a folder and refuse it where source files could be touched.

    Parameters
    ----------
    folder : path
        Need not exist.
    roots : iterable of str
        Folders of source files.

    Returns
    -------
    Path
        Absolute, links resolved.

    Raises
    ------
    ConformanceError
        If it is no folder, or equal to, inside or around one of the roots.
    """
    target = Path(os.path.realpath(os.path.expanduser(os.fspath(folder))))
    if os.path.lexists(target) and not target.is_dir():
        raise ConformanceError("the destination is not a folder", file=target)
    for root in roots:
        source = Path(os.path.realpath(root))
        if target == source or source in target.parents or target in source.parents:
            place = "in" if source in target.parents else "around" if target != source else "at"
            raise ConformanceError(
                f"the destination lies {place} a folder of the source files",
                file=target,
                found=f"source files under {source}",
                remedy="Choose a folder beside it; overwrite=True does not change this",
            )
    return target


def check_free(folder: Path, names: Sequence[str], overwrite: bool) -> None:
    """Refuse names that exist already.

    Raises
    ------
    ConformanceError
        Unless ``overwrite``; for folders of these names even then.
    """
    taken = [name for name in names if os.path.lexists(folder / name)]
    folders = [n for n in taken if (folder / n).is_dir() and not (folder / n).is_symlink()]
    if folders or (taken and not overwrite):
        raise _exists(folder, (folders or taken)[0], len(taken), bool(folders))


def _exists(folder: Path, name: str, count: int, is_folder: bool = False) -> ConformanceError:
    return ConformanceError(
        f"{count} of the files exist already; nothing was written",
        file=folder / name,
        remedy="Choose another folder"
        + ("" if is_folder else ", or overwrite=True to replace them"),
    )


class Staging:
    """Temporary files in a folder, put in their places together; swept away if that fails.

    Parameters
    ----------
    folder : Path
        Destination; made where it does not exist, and removed again if nothing is written.
    overwrite : bool
        Whether files of the same names may be replaced.
    """

    def __init__(self, folder: Path, overwrite: bool) -> None:
        self._folder = folder
        self._overwrite = overwrite
        self._made: list[Path] = []
        self._temporary = folder

    def __enter__(self) -> Self:
        missing = [p for p in (self._folder, *self._folder.parents) if not p.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            self._made.append(path)
        try:
            self._temporary = Path(tempfile.mkdtemp(prefix=".xdicom-", dir=self._folder))
        except OSError:
            self._remove_made()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)
        if kind is not None:
            self._remove_made()

    def _remove_made(self) -> None:
        for path in reversed(self._made):
            if not any(path.iterdir()):
                path.rmdir()

    def path(self, name: str) -> Path:
        """Where a file is written before it is put in its place."""
        return self._temporary / name

    def clear(self) -> None:
        """Remove what was written, to begin again."""
        for path in self._temporary.iterdir():
            path.unlink()

    def commit(self, names: Sequence[str]) -> None:
        """Put all files in their places; if one cannot be, take back those that were.

        Raises
        ------
        ConformanceError
            If a file has appeared meanwhile and must not be replaced.
        OSError
            By the file system.
        """
        placed: list[str] = []
        try:
            for name in names:
                if self._overwrite:
                    self._replace(name)
                else:
                    self._place(name)
                placed.append(name)
        except BaseException:
            for name in placed:
                self._take_back(name)
            raise

    def _place(self, name: str) -> None:
        target = self._folder / name
        try:
            os.link(self.path(name), target)  # unlike a rename it never replaces a file
        except FileExistsError as error:
            raise _exists(self._folder, name, 1) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(target):
                raise _exists(self._folder, name, 1) from error
            os.replace(self.path(name), target)

    def _replace(self, name: str) -> None:
        target, kept = self._folder / name, self._old(name)
        if os.path.lexists(target):
            os.rename(target, kept)
        try:
            os.replace(self.path(name), target)
        except BaseException:
            if os.path.lexists(kept):
                os.replace(kept, target)
            raise

    def _take_back(self, name: str) -> None:
        target, kept = self._folder / name, self._old(name)
        if os.path.lexists(kept):
            os.replace(kept, target)
        else:
            target.unlink(missing_ok=True)

    def _old(self, name: str) -> Path:
        return self._temporary / f"replaced-{name}"
