"""A JSON header and the bytes that it describes become one blob, and come out of it again.

A blob is one zlib stream: the length of the header, the header, then the bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any, Final

_LENGTH: Final = struct.Struct("<Q")


class DamagedBlobError(ValueError):
    """Bytes are not what was packed.

    Parameters
    ----------
    why : str
        What is wrong with them.
    expected, found : object, optional
        What should be there, and what is.
    """

    def __init__(self, why: str, expected: object = None, found: object = None) -> None:
        super().__init__(why)
        self.why, self.expected, self.found = why, expected, found


def pack_blob(header: object, pieces: Iterable[bytes]) -> bytes:
    """A header and the bytes that it describes, compressed.

    Parameters
    ----------
    header : object
        Any JSON.
    pieces : iterable of bytes
        What an `ArrayWriter` collected.

    Examples
    --------
    >>> header, numbers = unpack_blob(pack_blob({"rows": 2}, [b"ab"]))
    >>> header, bytes(numbers)
    ({'rows': 2}, b'ab')
    """
    # as ASCII, so that texts that are no UTF-8 pass too
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("ascii")
    return zlib.compress(b"".join((_LENGTH.pack(len(text)), text, *pieces)), 1)


def unpack_blob(data: bytes) -> tuple[Any, memoryview]:
    """The header and the bytes that follow it.

    Raises
    ------
    DamagedBlobError
        If they are no such.
    """
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data)  # which grows what it is given 1032 times at most
    except zlib.error as error:
        raise DamagedBlobError(f"they cannot be decompressed ({error})") from error
    if not stream.eof or stream.unused_data or len(content) < _LENGTH.size:
        raise DamagedBlobError("they are cut off, or something follows them")
    (length,) = _LENGTH.unpack_from(content)
    start = _LENGTH.size + length
    if start > len(content):
        raise DamagedBlobError("the header is cut off", f"{length} bytes", len(content))
    try:
        header = json.loads(content[_LENGTH.size : start], parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DamagedBlobError(f"the header is no JSON ({error})") from error
    return header, memoryview(content)[start:]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is none")
