"""Good files in, files that are broken in one known way out; all in place."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Literal

from pydicom.uid import DeflatedExplicitVRLittleEndian

from xdicom.testing.elements import PIXEL_DATA
from xdicom.testing.files import file_head
from xdicom.testing.layout import PREAMBLE, UNDEFINED, read_layout

PathLike = str | os.PathLike[str]

ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0" + b"\0" * 4
SEQUENCE_END = b"\xfe\xff\xdd\xe0" + b"\0" * 4


def _write(path: PathLike, data: bytes) -> Path:
    made = Path(path)
    made.write_bytes(data)
    return made


def text_file(path: PathLike, text: str = "This is no DICOM file.\n") -> Path:
    """Write a text file, whatever its name says.

    Parameters
    ----------
    path : path
        The file.
    text : str
        What it says; "" for an empty file.

    Returns
    -------
    Path
        `path`.
    """
    made = Path(path)
    made.parent.mkdir(parents=True, exist_ok=True)
    return _write(made, text.encode())


def truncate(path: PathLike, *, bytes_off: int | None = None, keep: int | None = None) -> Path:
    """Cut a file short.

    Parameters
    ----------
    path : path
        The file.
    bytes_off : int, optional
        How many bytes to cut off its end.
    keep : int, optional
        How many bytes to keep of its beginning; 132 leaves the preamble only.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If not exactly one of the two is given, or nothing would be cut.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.testing import truncate, write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = write_series(folder, {})
    ...     truncate(path, keep=132).stat().st_size
    132
    """
    if (bytes_off is None) == (keep is None):
        raise ValueError("give either bytes_off or keep")
    data = Path(path).read_bytes()
    size = len(data) - bytes_off if bytes_off is not None else int(keep or 0)
    if not 0 <= size < len(data):
        raise ValueError(f"a file of {len(data)} bytes cannot be cut to {size}")
    return _write(path, data[:size])


def insert_bytes(path: PathLike, offset: int, data: bytes) -> Path:
    """Put bytes into a file, before the byte at `offset`; what follows moves on.

    Parameters
    ----------
    path : path
        The file.
    offset : int
        From the beginning; negative from the end, as of a slice.
    data : bytes
        What to put there.

    Returns
    -------
    Path
        `path`.
    """
    whole = Path(path).read_bytes()
    return _write(path, whole[:offset] + data + whole[offset:])


def overwrite_bytes(path: PathLike, offset: int, data: bytes) -> Path:
    """Replace bytes of a file, whose size stays.

    Parameters
    ----------
    path : path
        The file.
    offset : int
        Where the first one goes, from the beginning.
    data : bytes
        What to put there.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If they do not fit into the file.
    """
    whole = Path(path).read_bytes()
    if not 0 <= offset <= len(whole) - len(data):
        raise ValueError(f"{len(data)} bytes at {offset} do not fit into {len(whole)}")
    return _write(path, whole[:offset] + data + whole[offset + len(data) :])


def duplicate_element(path: PathLike, keyword: str, value: object = None) -> Path:
    """Write an element of the top level twice.

    Parameters
    ----------
    path : path
        A DICOM file, not deflated.
    keyword : str
        The element.
    value : object, optional
        Value of the second one, which follows the first; the same by default.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    KeyError
        If the file has no such element.
    """
    layout = read_layout(path)
    span = layout.span(keyword)
    second = layout.data[span.start : span.stop]
    if value is not None:
        second = layout.encoder.encode(*layout.encoder.tag_and_vr(keyword), value)
    return insert_bytes(path, span.stop, second)


def absurd_length(path: PathLike, keyword: str, length: int | None = None) -> Path:
    """Let an element claim to be much longer than the file.

    Parameters
    ----------
    path : path
        A DICOM file, not deflated.
    keyword : str
        The element.
    length : int, optional
        The length to write, by default nearly the largest that its field holds.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    KeyError
        If the file has no such element.
    """
    layout = read_layout(path)
    span = layout.span(keyword)
    largest = 0xFFFE if span.length.endswith("H") else 0xFFFFFFF0
    return _write(path, span.with_length(layout.data, largest if length is None else length))


def excess_pixels(path: PathLike, count: int) -> Path:
    """Lengthen native Pixel Data by `count` bytes, in its length and in the file.

    Parameters
    ----------
    path : path
        A DICOM file with native pixels, not deflated.
    count : int
        How many bytes, even as DICOM's lengths are.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If the pixels are encapsulated.
    """
    layout = read_layout(path)
    span = layout.span("PixelData")
    (length,) = struct.unpack_from(span.length, layout.data, span.value - 4)
    if length == UNDEFINED:
        raise ValueError("encapsulated pixels have no length to be exceeded")
    _write(path, span.with_length(layout.data, length + count))
    return insert_bytes(path, span.value + length, b"\x55" * count)


def nest_sequences(path: PathLike, depth: int) -> Path:
    """Put a sequence into a sequence, `depth` of them, before the pixels.

    Parameters
    ----------
    path : path
        A DICOM file in Explicit VR Little Endian.
    depth : int
        How many sequences; all are Content Sequences of undefined length.

    Returns
    -------
    Path
        `path`.
    """
    span = read_layout(path).span("PixelData")
    opening = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff" + ITEM + b"\xff\xff\xff\xff"
    return insert_bytes(path, span.start, opening * depth + (ITEM_END + SEQUENCE_END) * depth)


def remove_preamble(path: PathLike, *, keep_meta: bool = False) -> Path:
    """Take away the preamble and the file meta information.

    Parameters
    ----------
    path : path
        A DICOM file, not deflated.
    keep_meta : bool
        Take away the preamble and its ``DICM`` only.

    Returns
    -------
    Path
        `path`.
    """
    layout = read_layout(path)
    body = min(span.start for tag, span in layout.spans.items() if tag >> 16 > 2)
    return _write(path, layout.data[PREAMBLE if keep_meta else body :])


def pack_file(path: PathLike, kind: Literal["gzip", "zip"] = "gzip") -> Path:
    """Compress a whole file as archives are, under its old name.

    Parameters
    ----------
    path : path
        Any file.
    kind : {"gzip", "zip"}
        How.

    Returns
    -------
    Path
        `path`.
    """
    made = Path(path)
    data = made.read_bytes()
    if kind == "gzip":
        return _write(made, gzip.compress(data, mtime=0))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(made.name), data)
    return _write(made, buffer.getvalue())


def deflate_bomb(path: PathLike, size: int) -> Path:
    """Make a small deflated file whose Pixel Data inflates to `size` bytes.

    Parameters
    ----------
    path : path
        A DICOM file in Explicit VR Little Endian.
    size : int
        Bytes of zeros, even; they are never held in memory together.

    Returns
    -------
    Path
        `path`.
    """
    layout = read_layout(path)
    header = [
        layout.data[span.start : span.stop]
        for tag, span in layout.spans.items()
        if 0x00030000 <= tag < PIXEL_DATA
    ]
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    pieces = [deflate.compress(b"".join(header))]
    pieces.append(deflate.compress(b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", size)))
    block = bytes(2**20)
    pieces += [deflate.compress(block) for _ in range(size // len(block))]
    pieces.append(deflate.compress(bytes(size % len(block))))
    body = b"".join(pieces) + deflate.flush()
    dataset = layout.dataset
    head = file_head(DeflatedExplicitVRLittleEndian, dataset.SOPClassUID, dataset.SOPInstanceUID)
    return _write(path, head + body)
