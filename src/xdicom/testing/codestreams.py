"""Frames of integers in, the value of Pixel Data in one of the transfer syntaxes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Literal

import numpy as np
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders.base import JPEGLSLosslessEncoder, RLELosslessEncoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from xdicom.testing.elements import Key

OffsetTable = Literal["basic", "none", "extended"]
Frame = np.ndarray[Any, Any]
Codestream = Callable[[Frame, int], bytes]

NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


def _imagecodecs() -> Any:
    try:
        return import_module("imagecodecs")
    except ImportError as error:
        raise ImportError("imagecodecs encodes this transfer syntax: install it") from error


def _unsigned(frame: Frame, bits: int) -> Frame:
    """Take the bits stored as an unsigned number, as JPEG and JPEG-LS know no other."""
    unsigned: Frame = frame.view(f"u{frame.itemsize}")
    mask: Frame = np.array(2**bits - 1, dtype=unsigned.dtype)
    return unsigned & mask


def _rle(frame: Frame, bits: int) -> bytes:
    return RLELosslessEncoder.encode(
        np.ascontiguousarray(frame).tobytes(),
        # named, since the encoder of another package, where that is installed, would come first
        encoding_plugin="pylibjpeg",
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=3 if frame.ndim == 3 else 1,
        bits_allocated=frame.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(frame.dtype.kind == "i"),
        photometric_interpretation="RGB" if frame.ndim == 3 else "MONOCHROME2",
        number_of_frames=1,
        planar_configuration=0,
    )


def _jpeg_2000(frame: Frame, bits: int) -> bytes:
    return bytes(
        _imagecodecs().jpeg2k_encode(
            frame, level=0, codecformat="j2k", reversible=True, bitspersample=bits
        )
    )


def _htj2k(frame: Frame, bits: int) -> bytes:
    if bits != frame.itemsize * 8:
        raise ValueError("the HTJ2K encoder at hand needs bits_stored == bits allocated")
    return bytes(_imagecodecs().htj2k_encode(frame, reversible=True))


def _jpeg_ls(frame: Frame, bits: int) -> bytes:
    frame = _unsigned(frame, bits)
    if bits == frame.itemsize * 8:
        return bytes(_imagecodecs().jpegls_encode(frame))
    # imagecodecs always codes the whole 16 bits, and a decoder then distrusts the header
    try:
        return JPEGLSLosslessEncoder.encode(
            frame,
            rows=frame.shape[0],
            columns=frame.shape[1],
            samples_per_pixel=3 if frame.ndim == 3 else 1,
            bits_allocated=frame.itemsize * 8,
            bits_stored=bits,
            pixel_representation=0,
            photometric_interpretation="RGB" if frame.ndim == 3 else "MONOCHROME2",
            number_of_frames=1,
            planar_configuration=0,
        )
    except RuntimeError as error:
        raise ImportError("pyjpegls encodes JPEG-LS of fewer bits: install it") from error


def _jpeg_lossless(frame: Frame, bits: int) -> bytes:
    return bytes(
        _imagecodecs().jpeg8_encode(
            _unsigned(frame, bits), lossless=True, predictor=1, bitspersample=bits
        )
    )


def _jpeg_baseline(frame: Frame, bits: int) -> bytes:
    if frame.dtype != np.uint8 or bits != 8:
        raise ValueError(f"JPEG baseline codes uint8 only, not {bits} bits of {frame.dtype}")
    colour = {"subsampling": "422"} if frame.ndim == 3 else {}
    return bytes(_imagecodecs().jpeg8_encode(frame, level=90, **colour))


CODESTREAMS: dict[UID, tuple[Codestream, str]] = {
    RLELossless: (_rle, "RGB"),
    JPEG2000Lossless: (_jpeg_2000, "YBR_RCT"),
    HTJ2KLossless: (_htj2k, "YBR_RCT"),
    JPEGLSLossless: (_jpeg_ls, "RGB"),
    JPEGLosslessSV1: (_jpeg_lossless, "RGB"),
    JPEGBaseline8Bit: (_jpeg_baseline, "YBR_FULL_422"),
}
"""By transfer syntax: the encoder of a frame, and what it makes of RGB."""


def is_native(syntax: str) -> bool:
    """Say whether a transfer syntax holds plain numbers.

    Raises
    ------
    ValueError
        If there is no encoder for the transfer syntax.
    """
    if syntax in NATIVE:
        return True
    if syntax in CODESTREAMS:
        return False
    names = ", ".join(UID(one).keyword for one in (*NATIVE, *CODESTREAMS))
    raise ValueError(f"no encoder for the transfer syntax {UID(syntax).name}; there are {names}")


def photometric(syntax: str, samples: int) -> str:
    """Give the Photometric Interpretation of grey or RGB frames in a transfer syntax."""
    if samples == 1:
        return "MONOCHROME2"
    return CODESTREAMS[UID(syntax)][1] if syntax in CODESTREAMS else "RGB"


def encode_frames(
    frames: Iterable[Frame],
    syntax: str,
    bits_stored: int,
    *,
    offset_table: OffsetTable = "basic",
    fragments_per_frame: int = 1,
) -> tuple[bytes, dict[Key, bytes]]:
    """Encode frames as the value of Pixel Data.

    Parameters
    ----------
    frames : iterable of arrays
        Integers, (rows, columns) or (rows, columns, 3).
    syntax : str
        UID of the transfer syntax.
    bits_stored : int
        How many bits of each number count.
    offset_table : {"basic", "none", "extended"}
        Where the offsets of encapsulated frames are written (PS3.5 A.4).
    fragments_per_frame : int
        Into how many fragments each encapsulated frame is cut.

    Returns
    -------
    value : bytes
        Value of the element, with items but without the sequence delimiter.
    table : dict
        Extended offset table elements by keyword, empty unless asked for.
    """
    if is_native(syntax):
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        ordered = (frame.astype(frame.dtype.newbyteorder(order), copy=False) for frame in frames)
        return b"".join(frame.tobytes() for frame in ordered), {}
    code = CODESTREAMS[UID(syntax)][0]
    streams = [code(np.ascontiguousarray(frame), bits_stored) for frame in frames]
    if offset_table == "extended":
        value, offsets, lengths = encapsulate_extended(streams)
        return value, {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}
    has_bot = offset_table == "basic"
    return encapsulate(streams, fragments_per_frame=fragments_per_frame, has_bot=has_bot), {}
