"""Paths of the local disk become a Listing of files with stats, open files, and ranges of bytes."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import Final, Self

from xdicom.errors import NotDicomError, Problem
from xdicom.sources.base import FileStat, Kind, Listing, Range, Where, absolute

_MOST: Final = 2**30
"""Bytes of one request: some systems refuse to read 2 GiB at once, others give less than that."""
_LATEST: Final = 2**63 - 1
"""Nanoseconds since the epoch that tables can hold: a time beyond the year 2262 is taken for it."""
_BLOCK: Final = 64
"""Ranges that a thread reads in one go: handing over a single one costs more than to read it."""


class LocalFile:
    """A file of the local disk that is open for reading.

    Parameters
    ----------
    path : str
        The file.
    """

    __slots__ = ("_fd", "mtime_ns", "size")

    def __init__(self, path: str) -> None:
        self._fd = fd = os.open(path, os.O_RDONLY)
        try:
            found = os.fstat(fd)
        except OSError:
            self.close()
            raise
        self.size = found.st_size
        self.mtime_ns = min(found.st_mtime_ns, _LATEST)

    def read(self, length: int, position: int) -> bytes:
        """So many bytes from a position on, fewer only where the file ends."""
        if length > _MOST:
            return _pieces(self._fd, length, position)
        data = os.pread(self._fd, length, position)
        if len(data) < length and data and position + len(data) < self.size:
            data += _pieces(self._fd, length - len(data), position + len(data))
        return data

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a writable, contiguous buffer; the bytes read, fewer only where the file ends."""
        wanted = buffer.nbytes
        done = os.preadv(self._fd, [buffer], position) if wanted <= _MOST else 0
        if done == wanted:
            return done
        view = buffer.cast("B")
        while done < wanted:
            count = os.preadv(self._fd, [view[done : done + _MOST]], position + done)
            if not count:
                break
            done += count
        return done

    def read_each(self, length: int, positions: Sequence[int]) -> list[bytes]:
        """So many bytes from each of many positions on; a request each, as these cost little."""
        pread, fd = os.pread, self._fd
        return [pread(fd, length, position) for position in positions]

    def close(self) -> None:
        """Release the descriptor; closed again, nothing happens."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalSource:
    """The local disk, and what is mounted there."""

    __slots__ = ()

    def list(self, where: Where) -> Listing:
        """The files under a path, or those that are named; as `places.list_files`."""
        if isinstance(where, (str, os.PathLike)):
            path = absolute(where)
            if os.path.isdir(path):
                return _walk(path)
            return _files(os.path.dirname(path), [path], "file")
        try:
            paths = sorted({absolute(path) for path in where})
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

    def stat(self, path: str) -> FileStat:
        """Size and time of a file now."""
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(errno.ENOENT, "no regular file", path)
        return FileStat(path, found.st_size, min(found.st_mtime_ns, _LATEST))

    def open(self, path: str) -> LocalFile:
        """Open a file."""
        return LocalFile(path)

    def read_many(self, ranges: Iterable[Range], workers: int = 1) -> Iterator[bytes | OSError]:
        """Bytes of many ranges, in their order; the error in place of those that cannot be read."""
        return _one_by_one(ranges) if workers <= 1 else _by_threads(ranges, workers)


def _pieces(fd: int, length: int, position: int) -> bytes:
    """Bytes that come in more than one piece."""
    pieces: list[bytes] = []
    while length and (piece := os.pread(fd, min(length, _MOST), position)):
        pieces.append(piece)
        position += len(piece)
        length -= len(piece)
    return b"".join(pieces)


def _one_by_one(ranges: Iterable[Range]) -> Iterator[bytes | OSError]:
    # scanning spends its time here: no LocalFile is made, and no attribute looked up twice
    open_, pread, close, flags = os.open, os.pread, os.close, os.O_RDONLY
    found: bytes | OSError
    for path, position, length in ranges:
        try:
            fd = open_(path, flags)
            try:
                if length > _MOST:
                    found = _pieces(fd, length, position)
                else:
                    found = pread(fd, length, position)
                    if found and len(found) < length:  # some network drives give less at once
                        found += _pieces(fd, length - len(found), position + len(found))
            finally:
                close(fd)
        except OSError as error:
            found = error.with_traceback(None)  # which would hold on to all ranges
        yield found


def _by_threads(ranges: Iterable[Range], workers: int) -> Iterator[bytes | OSError]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="xdicom-read")
    blocks: deque[Future[list[bytes | OSError]]] = deque()
    try:
        left = iter(ranges)
        while block := list(islice(left, _BLOCK)):
            blocks.append(pool.submit(_block, block))
            if len(blocks) == 2 * workers:
                yield from blocks.popleft().result()
        while blocks:
            yield from blocks.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _block(ranges: Sequence[Range]) -> list[bytes | OSError]:
    return list(_one_by_one(ranges))


def _files(root: str, paths: list[str], kind: Kind) -> Listing:
    files = []
    for path in paths:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise NotDicomError("this is no regular file", file=path)
        mtime = min(found.st_mtime_ns, _LATEST)
        files.append(FileStat(os.path.relpath(path, root), found.st_size, mtime))
    return Listing(root, tuple(files), kind)


def _beneath(root: str, listing: Listing) -> Listing:
    """A listing whose paths are relative to a folder further up."""
    prefix = os.path.relpath(listing.root, root)
    if prefix == os.curdir:
        return listing
    files = [file._replace(path=os.path.join(prefix, file.path)) for file in listing.files]
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
        prefix = os.path.join(folder, "")
        for entry in entries:
            path = prefix + entry.name
            try:
                # the folder's own listing tells links, files and folders apart: only size and time
                # of a file cost a system call
                if entry.is_symlink():
                    problems.append(_skipped_link(root, path))
                elif entry.is_file():
                    status = entry.stat()
                    mtime = min(status.st_mtime_ns, _LATEST)
                    files.append(FileStat(path, status.st_size, mtime))
                elif entry.is_dir():
                    folders.append(path)
            except OSError as error:
                denied = error
                problems.append(_unreadable("UnreadableFile", path, error))
    if denied is not None and not files:
        raise denied
    files.sort(key=attrgetter("path"))
    problems.sort(key=attrgetter("file"))
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
