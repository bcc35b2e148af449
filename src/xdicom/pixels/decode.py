"""The bytes of one frame become its array of stored values."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from xdicom.errors import (
    BrokenFrameWarning,
    CorruptFileError,
    FrameDecodeError,
    UnsupportedPixelLayoutError,
    XDicomError,
)
from xdicom.headers.meta import DEFLATED_FRAMES, inflate, read_file_meta, uid_of, window_of
from xdicom.pixels import imagecodecs_plugin
from xdicom.pixels.codestream import CodestreamHeader, check_codestream
from xdicom.pixels.decoders import (
    ABORTING,
    ENCAPSULATED_UNCOMPRESSED,
    Plugin,
    plugins_of,
)
from xdicom.pixels.spans import Frames, PixelLayout, fragments
from xdicom.sources.base import OpenFile
from xdicom.sources.memory import MemoryFile

Array = npt.NDArray[Any]

_EMPTY_OFFSET_TABLE: Final = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
_YBR: Final = ("YBR_FULL", "YBR_FULL_422")
_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")
_COLOUR_NAMES: Final = (b"RGB", b"rgb")
_MOST_NAMED: Final = 10


def clear_spare_bits(values: Array, layout: PixelLayout, file: str = "", frame: int = 1) -> None:
    """Bring the bits that are stored to their place, and clear or sign-extend those above them.

    In place. Bits are stored up to HighBit (PS3.5 8.1.1); where that is above BitsStored - 1, those
    below them must be zero: a HighBit that is merely wrong, with values in the lowest bits, cannot
    be told from values in the high bits otherwise.

    Raises
    ------
    UnsupportedPixelLayoutError
        If bits are set below those that are stored.
    """
    below = layout.high_bit - (layout.bits_stored - 1)
    if below and int(np.bitwise_or.reduce(values, axis=None)) & ((1 << below) - 1):
        raise UnsupportedPixelLayoutError(
            "HighBit is not BitsStored - 1, and bits below those that are stored are set: "
            "either it is wrong, or they are no pixels",
            file=file,
            frame=frame,
            expected=f"the {below} lowest bits 0, or HighBit {layout.bits_stored - 1}",
            found=f"HighBit {layout.high_bit} of {layout.bits_stored} bits stored",
            remedy="Correct HighBit in the file",
        )
    if layout.signed:
        np.left_shift(values, layout.bits_allocated - 1 - layout.high_bit, out=values)
        np.right_shift(values, layout.bits_allocated - layout.bits_stored, out=values)
    else:
        if below:
            np.right_shift(values, below, out=values)
        mask = values.dtype.type((1 << layout.bits_stored) - 1)
        np.bitwise_and(values, mask, out=values)


def open_frames(frames: Frames, first: int, last: int) -> OpenFile:
    """Open the file of some frames, of which ``last`` ends last; inflated, if it is deflated.

    Raises
    ------
    CorruptFileError
        If the file has changed, or its deflated data set is broken.
    ResourceLimitError
        If it inflates to too much.
    """
    opened = frames.open(first)
    if not frames.layouts[frames.layout[first]].deflated:
        return opened
    path = frames.path(first)
    with opened as file:
        start = read_file_meta(window_of(file, path)).start
        stop = int(frames.offset[last] + frames.length[last])
        return MemoryFile(inflate(file.read(file.size, 0), start, stop, path), file.mtime_ns)


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
    options: Mapping[str, Any] | None = None,
    bit_offset: int = 0,
    swap_offset: int = 0,
    file: str = "",
    frame: int = 1,
    out: Array | None = None,
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
        The only one to use, by its name in `plugins_of`; all in turn where it is empty.
    options : mapping, optional
        pydicom's further decoding options, for compressed frames.
    bit_offset : int
        First bit of the frame in its first byte, for packed bits.
    swap_offset : int
        1 where an 8-bit big-endian OW frame begins in the middle of a swapped pair.
    file, frame
        For messages.
    out : array, of the frame's shape and dtype, optional
        Contiguous; values are decoded into it where a decoder can do so.

    Returns
    -------
    numpy.ndarray, shape (rows, columns) or (rows, columns, samples)
        Of ``layout.dtype``, planes interleaved: ``out`` itself, or another array.

    Raises
    ------
    FrameDecodeError
        If the codestream disagrees with the header, or every decoder fails: the first one's
        exception is the cause.
    CorruptFileError
        If the fragments are cut off.
    """
    if layout.encapsulated:
        return _decode_encapsulated(data, layout, raw, plugin, options or {}, file, frame, out)
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
        clear_spare_bits(shaped, layout, file, frame)
    if not raw and layout.photometric in _YBR and layout.samples == 3:
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
    options: Mapping[str, Any],
    file: str,
    frame: int,
    out: Array | None,
) -> Array:
    items = fragments(data, file, frame)[1:]  # the first holds the offset table
    if not items:
        raise CorruptFileError("the frame has no fragment", file=file, frame=frame)
    codestream = b"".join(data[a:b] for a, b in items)
    unpack = _unpacker(layout)
    if unpack is not None:
        native = replace(layout, transfer_syntax=ExplicitVRLittleEndian)
        needed = -(-native.frame_bits // 8)
        try:
            unpacked = unpack(codestream, needed)
        except Exception as error:  # decoders raise all
            raise FrameDecodeError(
                f"the frame cannot be decoded ({error})", file=file, frame=frame
            ) from error
        if not needed <= len(unpacked) <= needed + 1:
            raise FrameDecodeError(
                "the frame has another length than its pixels", file=file, frame=frame,
                expected=f"{needed} bytes", found=f"{len(unpacked)} or more",
            )  # fmt: skip
        return decode_frame(unpacked, native, raw=raw, file=file, frame=frame)
    header = check_codestream(codestream, layout, file, frame)
    if out is not None and not _fits(layout, header, out):
        out = None
    failures: list[tuple[str, Exception]] = []
    for name, decode in plugins_of(layout.transfer_syntax).items():
        if name != plugin if plugin else failures and name in ABORTING:
            continue
        if decode is imagecodecs_plugin.decode_frame and out is not None:
            decode = partial(imagecodecs_plugin.decode_frame, out=out)
        try:
            return _by_plugin(decode, codestream, layout, header, raw, options, file, frame)
        except UnsupportedPixelLayoutError:
            raise  # no decoder is to blame
        except Exception as error:  # noqa: BLE001  StopIteration, MemoryError: decoders raise all
            failures.append((name, error))
    reasons = "; ".join(f"{name}: {str(error) or type(error).__name__}" for name, error in failures)
    raise FrameDecodeError(
        f"the frame cannot be decoded ({reasons or 'no decoder'})", file=file, frame=frame
    ) from (failures[0][1] if failures else None)


def _unpacker(layout: PixelLayout) -> Callable[[bytes, int], bytes] | None:
    """What makes native bytes of a codestream, at most two too many; None where a codec must."""
    if layout.transfer_syntax == RLELossless and layout.bits_allocated == 1:
        return imagecodecs_plugin.rle_bytes
    return _UNPACKERS.get(layout.transfer_syntax)


def _inflated(codestream: bytes, needed: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(codestream, needed + 2)


_UNPACKERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    ENCAPSULATED_UNCOMPRESSED: lambda codestream, needed: codestream[:needed],
    DEFLATED_FRAMES: _inflated,
}


def _fits(layout: PixelLayout, header: CodestreamHeader | None, out: Array) -> bool:
    """Whether a codestream's values have the size of the result's, and come as they are."""
    bits = layout.bits_allocated if header is None else header.precision
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4
    return layout.samples == 1 and size == out.itemsize and out.flags.c_contiguous


def _by_plugin(
    decode: Plugin,
    codestream: bytes,
    layout: PixelLayout,
    header: CodestreamHeader | None,
    raw: bool,
    options: Mapping[str, Any],
    file: str,
    frame: int,
) -> Array:
    """Decode by one plug-in, and correct what it gives as pydicom's ``Decoder.as_array`` does.

    Not by that method itself, which warns, logs each failure as an error and tries its plug-ins
    in another order.
    """
    runner = DecodeRunner(uid_of(layout.transfer_syntax))
    photometric = _photometric(layout, header)
    runner.set_options(
        **{
            "rows": layout.rows,
            "columns": layout.columns,
            "samples_per_pixel": layout.samples,
            "photometric_interpretation": photometric,
            "planar_configuration": layout.planar,
            "bits_allocated": layout.bits_allocated,
            "bits_stored": layout.bits_stored,
            "pixel_representation": int(layout.signed),
            "pixel_keyword": layout.keyword,
            "number_of_frames": 1,
            **options,
        }
    )
    jpeg_2000 = layout.transfer_syntax in JPEG2000TransferSyntaxes
    jpeg_ls = layout.transfer_syntax in JPEGLSTransferSyntaxes
    if header and jpeg_2000:
        runner.set_option("j2k_precision", header.precision)
        runner.set_option("j2k_is_signed", header.signed)
    elif header and jpeg_ls:
        runner.set_option("jls_precision", header.precision)
    decoded = np.frombuffer(decode(codestream, runner), runner.pixel_dtype)
    count = layout.rows * layout.columns * layout.samples
    if decoded.size != count:
        raise ValueError(f"{decoded.size} samples decoded where there should be {count}")
    own = decoded.flags.writeable  # no other's bytes, which a bytes object would be
    values = runner.reshape(decoded.astype(layout.dtype, copy=not own), as_frame=True)
    unused = layout.bits_allocated - layout.bits_stored
    if jpeg_2000 and header:
        wrong_sign = header.signed != layout.signed and photometric in _MONOCHROME
        unused = layout.dtype.itemsize * 8 - header.precision if wrong_sign else 0
    elif jpeg_ls and header:
        unused = layout.dtype.itemsize * 8 - header.precision if layout.signed else 0
    if unused > 0 and layout.bits_allocated > 1 and _corrects(runner, jpeg_2000, jpeg_ls):
        if jpeg_2000 or jpeg_ls:
            np.left_shift(values, unused, out=values)
            np.right_shift(values, unused, out=values)
        else:
            clear_spare_bits(values, layout, file, frame)
    if raw:
        return np.ascontiguousarray(values)
    return np.ascontiguousarray(_coloured(values, runner))


def _corrects(runner: DecodeRunner, jpeg_2000: bool, jpeg_ls: bool) -> bool:
    name = "correct_unused_bits"
    if jpeg_2000 or jpeg_ls:
        name = "apply_j2k_sign_correction" if jpeg_2000 else "apply_jls_sign_correction"
    return bool(runner.get_option(name, True))


def _photometric(layout: PixelLayout, header: CodestreamHeader | None) -> str:
    """The header's PhotometricInterpretation, unless a JPEG codestream names another."""
    if layout.samples != 3 or header is None:
        return layout.photometric
    if header.component_ids in _COLOUR_NAMES:
        return "RGB"
    if header.jfif and "YBR" not in layout.photometric:
        return "YBR_FULL_422" if layout.transfer_syntax == JPEGBaseline8Bit else "YBR_FULL"
    return layout.photometric


def _coloured(values: Array, runner: DecodeRunner) -> Array:
    found = str(runner.photometric_interpretation)
    if runner.get_option("force_ybr", False):
        return convert_color_space(values, "RGB", "YBR_FULL")
    wanted = found in _YBR and runner.samples_per_pixel == 3 and runner.get_option("as_rgb", True)
    if wanted or runner.get_option("force_rgb", False):
        return convert_color_space(values, "YBR_FULL", "RGB")
    return values


def encapsulate_alone(data: bytes) -> bytes:
    """The items of one frame as an encapsulated pixel element of its own."""
    return _EMPTY_OFFSET_TABLE + data


def warn_of_broken(broken: list[XDicomError]) -> None:
    """One warning for all frames of a read that were broken."""
    named = sorted(f"frame {e.frame} of {e.file} ({e.what})" for e in broken)
    more = f"; and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    warnings.warn(
        f"{len(named)} broken, and NaN: {'; '.join(named[:_MOST_NAMED])}{more}",
        BrokenFrameWarning,
        stacklevel=3,
    )
