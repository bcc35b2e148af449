"""What every place that files are read from can do: list them, open one, read ranges of many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self, TypeAlias

from xdicom.errors import Problem

PathLike: TypeAlias = str | os.PathLike[str]
Where: TypeAlias = PathLike | Iterable[PathLike]
Kind: TypeAlias = Literal["folder", "file", "list"]


def absolute(path: PathLike) -> str:
    """A path of the local disk from its root on, ``~`` expanded."""
    return os.path.abspath(os.path.expanduser(os.fspath(path)))


class FileStat(NamedTuple):
    """A file as it was when it was listed."""

    path: str
    """Relative to the root of the listing."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, nanoseconds since the epoch; where a place has no such times, a
    number made of what changes with the file (an etag)."""


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


class Range(NamedTuple):
    """Bytes of a file."""

    path: str
    """Absolute."""
    position: int
    """Of the first byte."""
    length: int
    """How many; fewer are given only where the file ends."""


class OpenFile(Protocol):
    """A file that is open for reading; may be used by several threads at once."""

    size: int
    """Bytes."""
    mtime_ns: int
    """As in `FileStat`."""

    def read(self, length: int, position: int) -> bytes:
        """So many bytes from a position on, fewer only where the file ends."""

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a writable, contiguous buffer; the bytes read, fewer only where the file ends."""

    def read_each(self, length: int, positions: Sequence[int]) -> list[bytes]:
        """So many bytes from each of many positions on, with as few requests as pay there."""

    def close(self) -> None:
        """Release what is held of the file."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Source(Protocol):
    """A place that files are read from; `sources.places.source_of` finds the one of a path."""

    def list(self, where: Where) -> Listing:
        """The files under a path, or those that are named."""

    def stat(self, path: str) -> FileStat:
        """Size and time of a file now; OSError where it cannot be looked at."""

    def open(self, path: str) -> OpenFile:
        """Open a file; OSError where it cannot be."""

    def read_many(self, ranges: Iterable[Range], workers: int = 1) -> Iterator[bytes | OSError]:
        """Bytes of many ranges, in their order; the error in place of those that cannot be read.

        Parameters
        ----------
        ranges : iterable of Range
            What to read; asked for no further ahead than it is read.
        workers : int
            How many are read at once.
        """
