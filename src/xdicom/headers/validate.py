"""A Head is held against the standard: how many frames it has, or the error that refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID

from xdicom.errors import (
    CorruptFileError,
    InconsistentSeriesError,
    MissingAttributeError,
    ResourceLimitError,
)
from xdicom.headers.parse import Head
from xdicom.headers.values import number

MAX_FRAME_BYTES: Final = 2**31
DICOMDIR: Final = "1.2.840.10008.1.3.10"

# PS3.3 C.7.6.3, Image Pixel module: Type 1 for PixelData
_REQUIRED: Final = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
_FLOAT_BITS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


@dataclass(frozen=True)
class Leniency:
    """What the caller allows."""

    allow_truncated: bool = False
    """Use the frames that are wholly there of native pixel data that are cut off."""
    trust: str | None = None
    """``"length"``: without NumberOfFrames, let the length of the pixel data tell it."""


def count_frames(head: Head, size: int, name: str, leniency: Leniency) -> int:
    """Frames that can be read of a file; 0 for an object without pixels.

    Parameters
    ----------
    head : Head
        The parsed header; problems are added to it.
    size : int
        The file's size in bytes.
    name : str
        The file's name, for messages.
    leniency : Leniency
        What the caller allows.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    CorruptFileError
        If there is no SOPClassUID, or the pixel data are shorter than the header says.
    MissingAttributeError
        If an attribute that tells how to read the pixels is missing or no number.
    InconsistentSeriesError
        If the pixel data hold a frame or more beyond what the header says.
    ResourceLimitError
        If one frame is larger than 2 GiB.
    """
    attributes = head.attributes
    if "SOPClassUID" not in attributes:
        raise CorruptFileError(
            "the header holds no SOPClassUID",
            file=name,
            remedy="The file is cut off after its beginning, or it is no DICOM data set",
        )
    for uid in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        if uid not in attributes:
            head.problems.append(("MissingUID", f"{uid} is missing; a substitute groups the file"))
    if head.pixel is None:
        if "Rows" in attributes:
            head.problems.append(
                ("NoPixelData", "the header describes an image, but there is no pixel element")
            )
        return 0
    frames, declared = _declared_frames(head)
    bits = _frame_bits(head, name)
    if bits > MAX_FRAME_BYTES * 8:
        raise ResourceLimitError(
            "one frame is absurdly large",
            file=name,
            expected=f"at most {MAX_FRAME_BYTES} bytes",
            found=f"{bits // 8}",
        )
    # PS3.3 C.7.6.16: an item for each frame
    if head.frames and len(head.frames) != frames:
        raise CorruptFileError(
            "the per-frame functional groups do not match NumberOfFrames",
            file=name,
            expected=f"{frames} items",
            found=f"{len(head.frames)}",
        )
    syntax = UID(head.transfer_syntax)
    if syntax.is_transfer_syntax and not syntax.is_private and syntax.is_compressed and (
        not syntax.is_deflated
    ):
        return frames
    if head.pixel.length < 0:
        if syntax.is_private or not syntax.is_transfer_syntax:
            return frames
        raise CorruptFileError(
            "pixel data of undefined length under a transfer syntax that is not encapsulated",
            file=name,
            found=head.transfer_syntax,
        )
    return _native_frames(head, size, name, bits, frames, declared, leniency)


def _declared_frames(head: Head) -> tuple[int, bool]:
    """NumberOfFrames and whether it was there; 1 and a problem where it is no positive number."""
    text = head.attributes.get("NumberOfFrames")
    if text is None:
        return 1, False
    value = number(text)
    if value >= 1 and value == int(value):
        return int(value), True
    head.problems.append(("InvalidValue", f"NumberOfFrames is {text!r}; taken as 1"))
    return 1, False


def _frame_bits(head: Head, name: str) -> int:
    """Bits of one native frame, after checking that the attributes that tell it are there."""
    attributes = head.attributes
    assert head.pixel is not None
    float_bits = _FLOAT_BITS.get(head.pixel.keyword)
    required = _REQUIRED if float_bits is None else ("Rows", "Columns")
    found: dict[str, int] = {}
    for keyword in required:
        text = attributes.get(keyword, "")
        if keyword == "PhotometricInterpretation":
            if not text:
                raise MissingAttributeError(f"{keyword} is missing", file=name)
            continue
        value = number(text.split("\\")[0])
        lowest = 0 if keyword == "PixelRepresentation" else 1
        if not (value >= lowest and value == int(value)):
            raise MissingAttributeError(
                f"{keyword} is missing or invalid",
                file=name,
                expected=f"an integer ≥ {lowest}",
                found=repr(text) if text else "nothing",
            )
        found[keyword] = int(value)
    samples = found.get("SamplesPerPixel", 1)
    if attributes.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2  # PS3.3 C.7.6.3.1.2: chrominance at half the columns
    bits = float_bits or found["BitsAllocated"]
    return found["Rows"] * found["Columns"] * samples * bits


def _native_frames(
    head: Head, size: int, name: str, bits: int, frames: int, declared: bool, leniency: Leniency
) -> int:
    assert head.pixel is not None
    length = head.pixel.length
    # a deflated data set was inflated to be parsed: its pixels lie in no file
    deflated = UID(head.transfer_syntax).is_deflated
    available = length if deflated else min(length, max(size - head.pixel.offset, 0))
    wanted = -(-bits * frames // 8)
    if not declared and leniency.trust == "length" and available >= 2 * wanted:
        return available * 8 // bits
    if available < wanted:
        whole = available * 8 // bits
        if leniency.allow_truncated and whole:
            head.problems.append(
                ("TruncatedPixelData", f"{whole} of {frames} frames are wholly there")
            )
            return whole
        raise CorruptFileError(
            "the pixel data are shorter than the header says",
            file=name,
            expected=f"{wanted} bytes for {frames} frames",
            found=f"{available}",
            remedy="allow_truncated=True reads the frames that are wholly there" if whole else None,
        )
    if available < length:
        head.problems.append(("TruncatedPixelData", "only padding after the last frame is cut off"))
    excess = available - wanted
    if excess * 8 >= bits:
        raise InconsistentSeriesError(
            "the pixel data hold more frames than the header says",
            file=name,
            expected=f"{wanted} bytes for {frames} frames",
            found=f"{available}",
            remedy=None
            if declared
            else 'trust="length" takes the number of frames from the length of the pixel data',
        )
    if excess > wanted % 2:
        head.problems.append(("ExcessBytes", f"{excess} bytes follow the last frame; ignored"))
    return frames
