"""What is kept of one file's header: the value types between its bytes and the rows."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from xdicom.headers.elements import IMAGE_CLASSES, SPECTROSCOPY
from xdicom.headers.mosaic import Tiles
from xdicom.headers.walk import EXPLICIT_LE, Encoding


@dataclass(frozen=True)
class PixelElement:
    """Where the pixel element's value lies."""

    keyword: str
    """``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``."""
    offset: int
    """Of the value's first byte in the file (in the inflated data set if that is deflated)."""
    length: int
    """Of the value in bytes; −1 where it is undefined (encapsulated)."""
    vr: str
    """Value representation in the file, ``OB`` or ``OW`` …; ``""`` in implicit VR."""
    fragments: int = 0
    """Fragments of encapsulated pixels, without the offset table; where an offset table tells the
    frames, at least so many."""
    items: array[int] | None = field(default=None, compare=False, repr=False)
    """Where the fragments of several frames begin, and where the last ends; None where the frames
    are one or an offset table tells them."""


@dataclass(frozen=True)
class DimensionIndex:
    """One item of DimensionIndexSequence (PS3.3 C.7.6.17)."""

    pointer: str
    """Keyword, or tag in hexadecimal, of DimensionIndexPointer; ``""`` where it is missing."""
    private: bool
    """Whether the pointer is a private tag."""
    organization: str = ""
    """DimensionOrganizationUID: ordinals of others are not to be compared with these."""


@dataclass
class Head:
    """What is kept of one file's header."""

    transfer_syntax: str
    """Transfer syntax UID."""
    attributes: dict[str, str]
    """Instance attributes as raw text, the values of one element joined by ``\\``."""
    size: int = 0
    """Bytes in which the pixel element lies: of the file, or of the inflated data set."""
    pixel: PixelElement | None = None
    """Where the pixels lie; None for objects without."""
    shared: dict[str, str] = field(default_factory=dict)
    """Leaves of the shared functional groups."""
    frames: list[dict[str, str]] = field(default_factory=list)
    """Leaves of the per-frame functional groups, one dict a frame."""
    dimensions: tuple[DimensionIndex, ...] = ()
    """The dimension indices that the object declares."""
    tiles: list[Tiles | None] = field(default_factory=list)
    """The slices that each frame holds, or all frames alike where they have no functional groups;
    None for a frame that is one slice. Empty where no frame holds several."""
    items: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """Raw texts of the items of sequences that describe frames by number, by their keyword."""
    luts: tuple[str, ...] = ()
    """Which tables stand in the header: columns of `LUT_MARKS`."""
    parts: dict[str, str] = field(default_factory=dict)
    """What rows hold of sequences at the top level, under names of ours."""
    segmentation: dict[str, str] = field(default_factory=dict)
    """Of segmentations: their segments, and the series that they refer to, by column."""
    preamble: bool = True
    """Whether the file has a DICOM preamble."""
    encoding: Encoding = EXPLICIT_LE
    """How the elements are encoded."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Kind and message of what was wrong and tolerated."""

    @property
    def is_image(self) -> bool:
        """Whether the object should have pixels, by its SOP class or its Rows."""
        sop_class = self.attributes.get("SOPClassUID")
        if sop_class == SPECTROSCOPY:
            return False
        return sop_class in IMAGE_CLASSES or "Rows" in self.attributes
