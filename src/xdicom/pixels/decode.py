"""The bytes of one frame become its array of stored values."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from xdicom.errors import (
    CorruptFileError,
    FrameDecodeError,
    UnsupportedTransferSyntaxError,
    XDicomError,
)
from xdicom.headers.meta import inflate, read_file_meta, window_of
from xdicom.pixels.spans import Frames, PixelLayout, fragments
from xdicom.sources.base import OpenFile

Array = npt.NDArray[Any]

_EMPTY_OFFSET_TABLE: Final = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
_PLUGIN: Final = ("xdicom.pixels.imagecodecs_plugin", "decode_frame")
_IMAGECODECS: Final = frozenset(
    (
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEGLossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEGLSNearLossless,
    )
)
"""Transfer syntaxes that imagecodecs decodes where pydicom has no other plug-in."""


@cache
def decoder_of(transfer_syntax: str) -> Decoder:
    """Pydicom's decoder of a transfer syntax, with imagecodecs as its last plug-in for JPEG.

    pydicom's own decoders stay as they are: the plug-in is added to a copy.

    Raises
    ------
    NotImplementedError
        If pydicom knows no such transfer syntax.

    Examples
    --------
    >>> decoder_of("1.2.840.10008.1.2.4.70").is_available
    True
    """
    decoder = copy.deepcopy(get_decoder(transfer_syntax))
    if transfer_syntax in _IMAGECODECS:
        decoder.add_plugin("imagecodecs", _PLUGIN)
    return decoder


def check_decodable(layout: PixelLayout, plugin: str, file: str) -> None:
    """Raise if no installed decoder knows a layout's transfer syntax.

    Raises
    ------
    UnsupportedTransferSyntaxError
        Naming the syntax, and the packages that would decode it where there are any.
    """
    if not layout.encapsulated:
        return
    try:
        decoder = decoder_of(layout.transfer_syntax)
    except NotImplementedError as error:
        raise UnsupportedTransferSyntaxError(
            "no decoder knows this transfer syntax", file=file, found=layout.transfer_syntax
        ) from error
    if plugin and plugin not in decoder.available_plugins:
        raise UnsupportedTransferSyntaxError(
            f"the decoder {plugin!r} is not available for {decoder.UID.name}",
            file=file,
            expected=" or ".join(decoder.available_plugins) or "none is installed",
        )
    if not decoder.is_available:
        needs = "; ".join(decoder.missing_dependencies)
        raise UnsupportedTransferSyntaxError(
            f"no installed package decodes {decoder.UID.name}",
            file=file,
            remedy=f"Install: {needs}",
        )


def clear_spare_bits(values: Array, layout: PixelLayout) -> None:
    """Clear the bits above BitsStored in place, or extend the sign into them (PS3.5 8.1.1)."""
    if layout.signed:
        shift = layout.bits_allocated - layout.bits_stored
        np.left_shift(values, shift, out=values)
        np.right_shift(values, shift, out=values)
    else:
        mask = values.dtype.type((1 << layout.bits_stored) - 1)
        np.bitwise_and(values, mask, out=values)


def read_bytes(frames: Frames, frame: int, file: OpenFile) -> bytes:
    """The bytes of one frame's span, from its open file.

    Raises
    ------
    CorruptFileError
        If the file ends before the span does.
    """
    offset, length = int(frames.offset[frame]), int(frames.length[frame])
    layout = frames.layouts[frames.layout[frame]]
    path = frames.path(frame)
    if layout.deflated:
        start = read_file_meta(window_of(file, path)).start
        whole = inflate(file.read(file.size, 0), start, offset + length, path)
        data = whole[offset : offset + length]
    else:
        if length < 0:
            length = file.size - offset
        data = file.read(length, offset)
    if len(data) < length and not layout.encapsulated:
        raise CorruptFileError(
            "the pixel data are cut off",
            file=path,
            frame=int(frames.number[frame]),
            expected=f"{length} bytes",
            found=f"{len(data)}",
        )
    return data


def decode_frame(
    data: bytes,
    layout: PixelLayout,
    *,
    raw: bool = False,
    plugin: str = "",
    options: dict[str, Any] | None = None,
    bit_offset: int = 0,
    swap_offset: int = 0,
    file: str = "",
    frame: int = 1,
) -> Array:
    """Decode one frame's bytes into stored values.

    Parameters
    ----------
    data : bytes
        The frame's bytes: native values, or encapsulated items.
    layout : PixelLayout
        What they are.
    raw : bool
        Keep YBR colours instead of converting them to RGB.
    plugin : str
        pydicom's ``decoding_plugin``.
    options : dict, optional
        pydicom's further decoding options.
    bit_offset : int
        First bit of the frame in its first byte, for packed bits.
    swap_offset : int
        1 where an 8-bit big-endian OW frame begins in the middle of a swapped pair.
    file, frame
        For messages.

    Returns
    -------
    numpy.ndarray, shape (rows, columns) or (rows, columns, samples)
        Of ``layout.dtype``, planes interleaved.

    Raises
    ------
    FrameDecodeError
        If the decoder fails or gives another shape than the header says.
    CorruptFileError
        If the fragments are cut off.
    """
    if layout.encapsulated:
        return _decode_encapsulated(data, layout, raw, plugin, options or {}, file, frame)
    values = _native_values(data, layout, bit_offset, swap_offset)
    shaped: Array
    if layout.photometric == "YBR_FULL_422" and layout.samples == 3:
        values = _expand_422(values)
    if layout.samples == 1:
        shaped = values.reshape(layout.rows, layout.columns)
    elif layout.planar and layout.photometric != "YBR_FULL_422":
        planes = values.reshape(layout.samples, layout.rows, layout.columns)
        shaped = np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    else:
        shaped = values.reshape(layout.rows, layout.columns, layout.samples)
    if layout.spare_bits and layout.bits_allocated > 1:
        clear_spare_bits(shaped, layout)
    if not raw and layout.photometric in ("YBR_FULL", "YBR_FULL_422") and layout.samples == 3:
        shaped = convert_color_space(shaped, "YBR_FULL", "RGB")
    return shaped


def _native_values(data: bytes, layout: PixelLayout, bit_offset: int, swap_offset: int) -> Array:
    """Values of a native frame in a writable one-dimensional array."""
    count = layout.frame_bits // (8 * layout.dtype.itemsize)
    if layout.keyword == "PixelData" and layout.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[bit_offset : bit_offset + layout.frame_bits].astype(layout.dtype)
    if layout.big_endian and layout.dtype.itemsize == 1 and layout.vr == "OW":
        pairs = np.frombuffer(data, "u2").byteswap().view(layout.dtype)
        return pairs[swap_offset : swap_offset + count].copy()
    stored = np.frombuffer(
        data, layout.dtype.newbyteorder(">" if layout.big_endian else "<"), count=count
    )
    return stored.astype(layout.dtype)


def _expand_422(values: Array) -> Array:
    """Give each pixel its chrominance: Y1 Y2 B R → Y1 B R Y2 B R (PS3.3 C.7.6.3.1.2)."""
    out = np.empty(values.size // 2 * 3, values.dtype)
    out[0::6], out[3::6] = values[0::4], values[1::4]
    out[1::6] = out[4::6] = values[2::4]
    out[2::6] = out[5::6] = values[3::4]
    return out


def _decode_encapsulated(
    data: bytes,
    layout: PixelLayout,
    raw: bool,
    plugin: str,
    options: dict[str, Any],
    file: str,
    frame: int,
) -> Array:
    if not plugin and layout.transfer_syntax == JPEGExtended12Bit and layout.bits_allocated > 8:
        plugin = "imagecodecs"  # Pillow refuses 12 bits, and pydicom logs that as an error
    items = fragments(data, file, frame)
    if not items:
        raise CorruptFileError("the frame has no fragment", file=file, frame=frame)
    settings: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": layout.keyword,
        "number_of_frames": 1,
        "allow_excess_frames": False,
        **options,
    }
    try:
        values, _ = decoder_of(layout.transfer_syntax).as_array(
            data, index=0, raw=raw, decoding_plugin=plugin, **settings
        )
    except XDicomError:
        raise
    except Exception as error:  # decoders raise anything, StopIteration and MemoryError included
        raise FrameDecodeError(
            f"the frame cannot be decoded: {error}", file=file, frame=frame
        ) from error
    if values.shape != layout.shape:
        raise FrameDecodeError(
            "the codestream disagrees with the header",
            file=file,
            frame=frame,
            expected=layout.shape,
            found=values.shape,
        )
    if values.dtype != layout.dtype:
        if not np.can_cast(values.dtype, layout.dtype, "same_kind"):
            raise FrameDecodeError(
                "the decoder gave another dtype than the header says",
                file=file,
                frame=frame,
                expected=layout.dtype,
                found=values.dtype,
            )
        values = values.astype(layout.dtype)
    return values


def encapsulate_alone(data: bytes) -> bytes:
    """The items of one frame as an encapsulated pixel element of its own."""
    return _EMPTY_OFFSET_TABLE + data
