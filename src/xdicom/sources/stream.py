"""An OpenFile becomes a seekable, buffered stream, for libraries that read files as such."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from xdicom.sources.base import OpenFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Stream(io.RawIOBase):
    """An open file with a position of its own; whoever opened the file closes it."""

    def __init__(self, file: OpenFile, name: str) -> None:
        self.name = name
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            raise ValueError(f"no position before the first byte: {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = self._file.read_into(memoryview(buffer), self._position)
        self._position += count
        return count

    def readall(self) -> bytes:
        # as one request: the default asks for a few thousand bytes at a time
        data = self._file.read(max(self._file.size - self._position, 0), self._position)
        self._position += len(data)
        return data


def stream_of(file: OpenFile, name: str) -> io.BufferedReader:
    """A stream over an open file, which it leaves open when it is closed itself.

    Parameters
    ----------
    file : OpenFile
        What to read.
    name : str
        Its path, as the stream's ``name``.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.sources.places import source_of
    >>> with tempfile.NamedTemporaryFile() as made:
    ...     _ = made.write(b"0123456789")
    ...     made.flush()
    ...     with source_of(made.name).open(made.name) as file, stream_of(file, "a") as stream:
    ...         stream.seek(-4, 2), stream.read(2), stream.tell(), stream.name
    (6, b'67', 8, 'a')
    """
    return io.BufferedReader(_Stream(file, name))
