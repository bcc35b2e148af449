"""imagecodecs as a pydicom plug-in: the codestream of a JPEG or JPEG-LS frame becomes its bytes."""

from __future__ import annotations

from typing import Final

import imagecodecs
import numpy as np
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import (
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

_NEEDS: Final = ("numpy", "imagecodecs>=2026.1.1")
_LOSSLESS: Final = (JPEGLossless, JPEGLosslessSV1)
_LOSSY: Final = (JPEGBaseline8Bit, JPEGExtended12Bit)
_LS: Final = (JPEGLSLossless, JPEGLSNearLossless)
_ADOBE_LENGTH: Final = 14
"""Bytes of a whole Adobe segment: length, name, version, flags, colour transform."""

DECODER_DEPENDENCIES: Final = dict.fromkeys((*_LOSSLESS, *_LOSSY, *_LS), _NEEDS)
"""By transfer syntax: what must be installed (pydicom's plug-in protocol)."""


def is_available(uid: str) -> bool:
    """Whether frames of a transfer syntax can be decoded here (pydicom's plug-in protocol)."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame (pydicom's plug-in protocol).

    Parameters
    ----------
    src : bytes
        The frame's codestream.
    runner : pydicom.pixels.decoders.base.DecodeRunner
        What the header says; told how the result is laid out.

    Returns
    -------
    bytes
        Little endian, samples interleaved, colours as they are coded: YBR is left as it is, unless
        an Adobe marker says how the codec itself made it of RGB (as pydicom's plug-ins do).
    """
    syntax = runner.transfer_syntax
    if syntax in _LS:
        values = imagecodecs.jpegls_decode(src)
    elif syntax in _LOSSLESS:
        values = imagecodecs.ljpeg_decode(src)
    elif runner.samples_per_pixel == 3 and not _has_adobe_marker(src):
        values = imagecodecs.jpeg_decode(src, colorspace="YCBCR", outcolorspace="YCBCR")
    else:
        values = imagecodecs.jpeg_decode(src)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", values.dtype.itemsize * 8)
    little = values.dtype.newbyteorder("<")
    return np.ascontiguousarray(values, dtype=little).tobytes()


def _has_adobe_marker(src: bytes) -> bool:
    """Whether an Adobe APP14 segment stands before the first scan (ITU-T T.872 6.5.3).

    One that is too short to tell the colour transform is none, for libjpeg as for Pillow.
    """
    position = 2
    while position + 4 <= len(src) and src[position] == 0xFF and src[position + 1] != 0xDA:
        if src[position + 1] == 0xFF:
            position += 1
            continue
        length = int.from_bytes(src[position + 2 : position + 4], "big")
        if src[position + 1] == 0xEE and src[position + 4 : position + 9] == b"Adobe":
            return length >= _ADOBE_LENGTH
        position += 2 + length
    return False
