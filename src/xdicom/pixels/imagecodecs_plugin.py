"""imagecodecs as a pydicom plug-in: the codestream of one frame becomes its values."""

from __future__ import annotations

from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from xdicom.pixels.codestream import read_codestream_header

_NEEDS: Final = ("numpy", "imagecodecs>=2026.1.1")
_LOSSLESS: Final = (JPEGLossless, JPEGLosslessSV1)
_LOSSY: Final = (JPEGBaseline8Bit, JPEGExtended12Bit)
_LS: Final = (JPEGLSLossless, JPEGLSNearLossless)
# HTJ2K by OpenJPEG too: htj2k_decode of imagecodecs 2026.3.6, twice as fast, drops the errors of a
# damaged codestream, and lossy 8-bit values wrap around at the ends of their range.
_2000: Final = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)

DECODER_DEPENDENCIES: Final = dict.fromkeys(
    (*_LOSSLESS, *_LOSSY, *_LS, *_2000, RLELossless), _NEEDS
)
"""By transfer syntax: what must be installed (pydicom's plug-in protocol)."""


def is_available(uid: str) -> bool:
    """Whether frames of a transfer syntax can be decoded here (pydicom's plug-in protocol)."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(
    src: bytes, runner: DecodeRunner, out: npt.NDArray[Any] | None = None
) -> bytearray | memoryview:
    """Decode one frame (pydicom's plug-in protocol, which knows no ``out``).

    Parameters
    ----------
    src : bytes
        The frame's codestream.
    runner : pydicom.pixels.decoders.base.DecodeRunner
        What the header says; told how the result is laid out.
    out : array, shape (rows, columns), optional
        Contiguous, of the size of the decoded values; they are decoded into it.

    Returns
    -------
    bytes-like
        Little endian, samples interleaved (RLE: planes), colours as they are coded: YBR is left
        as it is, unless an Adobe marker says how the codec itself made it of RGB, or the codec is
        JPEG 2000 with YBR_ICT or YBR_RCT (as pydicom's plug-ins do).
    """
    syntax = runner.transfer_syntax
    if syntax == RLELossless:
        return _rle(src, runner, out)
    values = _values(src, runner, out)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    if syntax in DECODER_DEPENDENCIES and runner.photometric_interpretation in (
        PhotometricInterpretation.YBR_ICT,
        PhotometricInterpretation.YBR_RCT,
    ):
        runner.set_option("photometric_interpretation", "RGB")
    runner.set_option("bits_allocated", values.dtype.itemsize * 8)
    little = values.dtype.newbyteorder("<")
    return np.ascontiguousarray(values, dtype=little).data.cast("B")


def _values(src: bytes, runner: DecodeRunner, out: npt.NDArray[Any] | None) -> Any:
    syntax = runner.transfer_syntax
    if syntax in _2000:
        return imagecodecs.jpeg2k_decode(src, numthreads=1, out=out)
    if syntax in _LS:
        return imagecodecs.jpegls_decode(src, out=out)
    if syntax in _LOSSLESS:
        if runner.samples_per_pixel == 1:
            return imagecodecs.jpeg8_decode(src, out=out)
        # libjpeg-turbo guesses colours, unless it is told to leave them; ljpeg_decode does not,
        # but ends the process on a codestream without its Huffman tables
        return imagecodecs.jpeg8_decode(src, colorspace="RGB", outcolorspace="RGB", out=out)
    header = read_codestream_header(src, syntax)
    if runner.samples_per_pixel == 3 and not (header and header.adobe):
        return imagecodecs.jpeg_decode(src, colorspace="YCBCR", outcolorspace="YCBCR", out=out)
    return imagecodecs.jpeg_decode(src, out=out)


def rle_bytes(src: bytes, needed: int) -> bytes:
    """One segment of RLE as the bytes that it stands for: packed bits (PS3.5 8.1.1 and G).

    Parameters
    ----------
    src : bytes
        The frame's codestream.
    needed : int
        How many bytes.
    """
    out = bytearray(needed)
    found = imagecodecs.dicomrle_decode(src, np.dtype("u1"), out=out)
    return bytes(found)


def _rle(src: bytes, runner: DecodeRunner, out: npt.NDArray[Any] | None) -> bytearray | memoryview:
    size = runner.bits_allocated // 8
    order = "<" if runner.get_option("rle_segment_order", ">") == ">" else ">"
    pixels = runner.rows * runner.columns * runner.samples_per_pixel
    target = bytearray(pixels * size) if out is None else out.data.cast("B")
    found = imagecodecs.dicomrle_decode(src, np.dtype(f"{order}u{size}"), out=target)
    if len(found) != len(target):
        raise ValueError(f"{len(found)} bytes decoded where {len(target)} were expected")
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 1)
    return target
