"""A Head is held against the standard: how many frames it has, or the error that refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xdicom.errors import (
    CorruptFileError,
    InconsistentSeriesError,
    MissingAttributeError,
    NotDicomError,
    ResourceLimitError,
)
from xdicom.headers.encapsulated import many_frames_a_fragment
from xdicom.headers.head import Head, PixelElement
from xdicom.headers.meta import is_encapsulated, is_public
from xdicom.headers.values import number

MAX_FRAME_BYTES: Final = 2**31
MAX_FRAMES: Final = 1_000_000
DICOMDIR: Final = "1.2.840.10008.1.3.10"

# PS3.3 C.7.6.3, Image Pixel module: Type 1 for PixelData, integers and their lowest value
_REQUIRED: Final = {
    "Rows": 1,
    "Columns": 1,
    "SamplesPerPixel": 1,
    "BitsAllocated": 1,
    "BitsStored": 1,
    "PixelRepresentation": 0,
}
_REQUIRED_FLOAT: Final = {"Rows": 1, "Columns": 1}
NAMING: Final = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
"""Attributes whose presence decides over a file."""
DECIDING: Final = frozenset(
    (*_REQUIRED, "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames")
)
"""Attributes whose values decide over its frames."""
_FLOAT_BITS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


@dataclass(frozen=True)
class Leniency:
    """What the caller allows."""

    allow_truncated: bool = False
    """Use the frames that are wholly there of native pixel data that are cut off."""
    trust: str | None = None
    """``"length"``: without NumberOfFrames, let the length of the pixel data tell it."""


def count_frames(head: Head, name: str, leniency: Leniency) -> int:
    """Frames that can be read of a file; 0 for an object without pixels.

    Parameters
    ----------
    head : Head
        The parsed header; problems are added to it.
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
    NotDicomError
        If there is neither preamble nor SOPClassUID.
    CorruptFileError
        If there is no SOPClassUID, or the pixel data are less than the header says.
    MissingAttributeError
        If an attribute that tells how to read the pixels is missing or no number.
    InconsistentSeriesError
        If the pixel data hold a frame or more beyond what the header says.
    ResourceLimitError
        If one frame is larger than 2 GiB, or there are more than a million.
    """
    attributes = head.attributes
    if "SOPClassUID" not in attributes:
        if not head.preamble:
            raise NotDicomError(
                "this is not a DICOM file", file=name, expected="DICM at byte 128, or a SOPClassUID"
            )
        raise CorruptFileError(
            "the header holds no SOPClassUID",
            file=name,
            remedy="The file is cut off after its beginning, or it is no DICOM data set",
        )
    for uid in NAMING[1:]:
        if uid not in attributes:
            head.problems.append(("MissingUID", f"{uid} is missing; a substitute groups the file"))
    if head.pixel is None:
        if head.is_image:
            what = "the object is an image, but there is no pixel element"
            head.problems.append(("NoPixelData", what))
        return 0
    frames, declared = _declared_frames(head)
    bits = _frame_bits(head, head.pixel, name)
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
    if is_encapsulated(head.transfer_syntax):
        _check_fragments(head, head.pixel, frames, name)
    elif head.pixel.length >= 0:
        frames = _native_frames(head, head.pixel, name, bits, frames, declared, leniency)
    elif is_public(head.transfer_syntax):
        raise CorruptFileError(
            "pixel data of undefined length under a transfer syntax that is not encapsulated",
            file=name,
            found=head.transfer_syntax,
        )
    if frames > MAX_FRAMES:
        raise ResourceLimitError(
            "the file has absurdly many frames",
            file=name,
            expected=f"at most {MAX_FRAMES}",
            found=frames,
        )
    return frames


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


def _frame_bits(head: Head, pixel: PixelElement, name: str) -> int:
    """Bits of one native frame, after checking that the attributes that tell it are there."""
    attributes = head.attributes
    float_bits = _FLOAT_BITS.get(pixel.keyword)
    found: dict[str, int] = {}
    for keyword, lowest in (_REQUIRED if float_bits is None else _REQUIRED_FLOAT).items():
        text = attributes.get(keyword, "")
        value = number(text)
        if not (value >= lowest and value == int(value)):
            raise MissingAttributeError(
                f"{keyword} is missing or invalid",
                file=name,
                expected=f"an integer ≥ {lowest}",
                found=repr(text) if text else "nothing",
            )
        found[keyword] = int(value)
    samples = found.get("SamplesPerPixel", 1)
    if float_bits is None:
        needed = ["PhotometricInterpretation"]
        if samples > 1 and not is_encapsulated(head.transfer_syntax):
            needed.append("PlanarConfiguration")
        for keyword in needed:
            if keyword not in attributes:
                raise MissingAttributeError(
                    f"{keyword} is missing", file=name, expected="a value", found="nothing"
                )
    if attributes.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2  # PS3.3 C.7.6.3.1.2: chrominance at half the columns
    return found["Rows"] * found["Columns"] * samples * (float_bits or found["BitsAllocated"])


def _check_fragments(head: Head, pixel: PixelElement, frames: int, name: str) -> None:
    needed = 1 if many_frames_a_fragment(head.transfer_syntax) else frames
    if pixel.fragments < needed:
        raise CorruptFileError(
            "there are fewer fragments than frames",
            file=name,
            expected=f"at least {needed}",
            found=f"{pixel.fragments}",
        )


def _native_frames(
    head: Head,
    pixel: PixelElement,
    name: str,
    bits: int,
    frames: int,
    declared: bool,
    leniency: Leniency,
) -> int:
    length = pixel.length
    available = min(length, head.size - pixel.offset)
    wanted = -(-bits * frames // 8)
    if not declared and leniency.trust == "length":
        frames = max(available * 8 // bits, frames)
        wanted = -(-bits * frames // 8)
    if available < wanted:
        whole = available * 8 // bits
        if leniency.allow_truncated and whole:
            what = f"{whole} of {frames} frames are wholly there"
            head.problems.append(("TruncatedPixelData", what))
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
    excess = available - wanted - wanted % 2  # values have even lengths
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
    if excess > 0:
        head.problems.append(("ExcessBytes", f"{excess} bytes follow the last frame; ignored"))
    return frames
