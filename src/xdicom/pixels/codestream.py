"""The first bytes of a codestream become what it says of its image, held against the header."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from xdicom.errors import FrameDecodeError
from xdicom.pixels.spans import PixelLayout

_JP2: Final = b"\x00\x00\x00\x0cjP  "
_SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""Second bytes of the markers that begin a frame: SOF0 to SOF15 (ITU-T T.81 B.1.1.3), SOF55."""
_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
"""Second bytes of markers without a length."""
_RLE_HEADER: Final = 64
_MAX_SEGMENTS: Final = 15


@dataclass(frozen=True)
class CodestreamHeader:
    """What a codestream says of its image."""

    rows: int
    """Rows."""
    columns: int
    """Columns."""
    components: int
    """Samples of a pixel."""
    precision: int
    """Bits of a sample."""
    signed: bool | None = None
    """Whether samples are signed; JPEG and JPEG-LS do not say."""
    component_ids: bytes = b""
    """Identifiers of JPEG's components: ``RGB`` names the colours."""
    jfif: bool = False
    """Whether a JFIF segment says that colours are YBR."""
    adobe: bool = False
    """Whether an Adobe segment says how the codec itself changed colours.

    One that is too short to tell is none, for libjpeg as for Pillow (ITU-T T.872 6.5.3).
    """


def read_codestream_header(codestream: bytes, transfer_syntax: str) -> CodestreamHeader | None:
    """Read the SIZ, SOF or SOF55 segment (ITU-T T.800 A.5.1, T.81 B.2.2, T.87 C.2.2).

    Parameters
    ----------
    codestream : bytes
        Of one frame.
    transfer_syntax : str
        UID.

    Returns
    -------
    CodestreamHeader, optional
        None where the bytes begin otherwise or end too early, and for a syntax without such a
        segment.

    Examples
    --------
    >>> sof = bytes.fromhex("ffd8 fff7 000b 0c 0200 0100 01 01 11 00")
    >>> found = read_codestream_header(sof, "1.2.840.10008.1.2.4.80")
    >>> found.rows, found.columns, found.components, found.precision
    (512, 256, 1, 12)
    """
    try:
        if transfer_syntax in JPEG2000TransferSyntaxes:
            return _siz(codestream)
        if transfer_syntax in JPEGTransferSyntaxes or transfer_syntax in JPEGLSTransferSyntaxes:
            return _sof(codestream)
    except (struct.error, IndexError):
        pass  # too short
    return None


def _siz(data: bytes) -> CodestreamHeader | None:
    start = 0
    if data.startswith(_JP2):  # a file around the codestream, which PS3.5 A.4.4 forbids
        start = 12
        while data[start + 4 : start + 8] != b"jp2c":
            (length,) = struct.unpack_from(">L", data, start)
            if length < 8:
                return None
            start += length
        start += 8
    if data[start : start + 4] != b"\xff\x4f\xff\x51":
        return None
    right, low, left, top = struct.unpack_from(">4L", data, start + 8)
    (count,) = struct.unpack_from(">H", data, start + 40)
    parts = data[start + 42 : start + 42 + 3 * count]
    if not count or len(parts) < 3 * count or set(parts[1::3] + parts[2::3]) != {1}:
        return None  # DICOM has no subsampled components here
    depth = max(part & 0x7F for part in parts[::3]) + 1
    return CodestreamHeader(low - top, right - left, count, depth, bool(parts[0] & 0x80))


def _sof(data: bytes) -> CodestreamHeader | None:
    if data[:2] != b"\xff\xd8":
        return None
    position = 2
    jfif = adobe = False
    while True:
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + length]
        if length < 2 or marker == 0xDA:
            return None
        if marker in _SOF:
            precision, rows, columns, count = struct.unpack_from(">BHHB", body)
            return CodestreamHeader(
                rows, columns, count, precision, None, body[6 : 6 + 3 * count : 3], jfif, adobe
            )
        jfif |= 0xE0 <= marker <= 0xEF and body.startswith(b"JFIF")
        adobe |= marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12
        position += 2 + length


def check_codestream(
    codestream: bytes, layout: PixelLayout, file: str, frame: int
) -> CodestreamHeader | None:
    """Refuse a codestream whose image is not the header's, before a decoder sees it.

    Fewer or more bits than BitsStored are no fault as long as BitsAllocated holds them: many
    writers code all 16 bits of 12. Neither is another sign in JPEG 2000, which is corrected.

    Returns
    -------
    CodestreamHeader, optional
        None for a syntax that has none.

    Raises
    ------
    FrameDecodeError
        If size, components or precision disagree, or no header can be read.
    """
    syntax = layout.transfer_syntax
    if syntax == RLELossless:
        _check_segments(codestream, layout, file, frame)
        return None
    if not (
        syntax in JPEG2000TransferSyntaxes
        or syntax in JPEGTransferSyntaxes
        or syntax in JPEGLSTransferSyntaxes
    ):
        return None
    header = read_codestream_header(codestream, syntax)
    if header is None:
        raise FrameDecodeError(
            "the frame does not begin with the codestream of its transfer syntax",
            file=file,
            frame=frame,
            found=codestream[:8].hex() or "nothing",
        )
    wanted = (layout.rows, layout.columns, layout.samples)
    found = (header.rows, header.columns, header.components)
    if wanted != found:
        raise FrameDecodeError(
            "the codestream disagrees with the header",
            file=file,
            frame=frame,
            expected="{} rows, {} columns, {} samples".format(*wanted),
            found="{}, {}, {}".format(*found),
        )
    if not 1 <= header.precision <= max(layout.bits_allocated, 8):
        raise FrameDecodeError(
            "the codestream has more bits than the header allots",
            file=file,
            frame=frame,
            expected=f"at most {layout.bits_allocated}",
            found=header.precision,
        )
    return header


def _check_segments(data: bytes, layout: PixelLayout, file: str, frame: int) -> None:
    """One segment for each byte of each sample, each within the frame (PS3.5 G.5)."""
    expected = layout.samples * max(layout.bits_allocated // 8, 1)
    count = int.from_bytes(data[:4], "little") if len(data) >= _RLE_HEADER else -1
    offsets = struct.unpack_from(f"<{count}L", data, 4) if 0 <= count <= _MAX_SEGMENTS else ()
    if count != expected or expected > _MAX_SEGMENTS:
        raise FrameDecodeError(
            "the RLE segments are not those of the header's samples",
            file=file,
            frame=frame,
            expected=f"{expected} segments",
            found="no RLE header" if count < 0 else count,
        )
    bounds = (*offsets, len(data))
    if offsets[0] < _RLE_HEADER or any(a >= b for a, b in pairwise(bounds)):
        raise FrameDecodeError(
            "the RLE segments lie outside the frame or one in another",
            file=file,
            frame=frame,
            expected=f"rising offsets from 64, below {len(data)}",
            found=list(offsets),
        )
