"""Bytes become an open file, where what a file holds must be unpacked before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class MemoryFile:
    """An `OpenFile` over bytes.

    Parameters
    ----------
    data : bytes
        All that can be read.
    mtime_ns : int
        Of the file that they come from.

    Examples
    --------
    >>> file = MemoryFile(b"0123456789", 0)
    >>> file.size, file.read(3, 8), file.read_each(2, (0, 4))
    (10, b'89', [b'01', b'45'])
    """

    def __init__(self, data: bytes, mtime_ns: int) -> None:
        self.size = len(data)
        self.mtime_ns = mtime_ns
        self._data = memoryview(data)

    def read(self, length: int, position: int) -> bytes:
        """So many bytes from a position on, fewer only where they end."""
        return bytes(self._data[position : position + length])

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a writable, contiguous buffer; the bytes read, fewer only where they end."""
        target = buffer.cast("B")
        found = self._data[position : position + len(target)]
        target[: len(found)] = found
        return len(found)

    def read_each(self, length: int, positions: Sequence[int]) -> list[bytes]:
        """So many bytes from each of many positions on."""
        return [self.read(length, position) for position in positions]

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
