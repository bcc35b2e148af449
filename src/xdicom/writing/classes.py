"""A SOP class becomes what its images may be written as: one table, from PS3.3 A and C.8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID

from xdicom.errors import ConformanceError


@dataclass(frozen=True)
class SopClass:
    """What single-frame images of one SOP class may be."""

    bits: tuple[int, ...] = ()
    """BitsAllocated that pixels may be given which no longer fit the source's; none: only the
    source's own."""
    signed: bool = False
    """Whether PixelRepresentation may become 1."""
    plane: bool = False
    """Whether a crop, a flip or a stride is told in full by the Image Plane and Image Pixel
    modules."""


_GREY: Final = SopClass((16,), signed=True, plane=True)
_SECONDARY: Final = SopClass((8, 16), signed=True, plane=True)
_PROJECTION: Final = SopClass((8, 16), plane=True)
_COLOUR: Final = SopClass(plane=True)
_AS_IT_IS: Final = SopClass()

_TABLE: Final[dict[str, SopClass]] = {
    "1.2.840.10008.5.1.4.1.1.2": _GREY,  # CT: PS3.3 C.8.2.1
    "1.2.840.10008.5.1.4.1.1.4": _GREY,  # MR: C.8.3.1
    "1.2.840.10008.5.1.4.1.1.128": _GREY,  # PET: C.8.9.4
    "1.2.840.10008.5.1.4.1.1.1": _GREY,  # CR: C.8.1.2
    "1.2.840.10008.5.1.4.1.1.7": _SECONDARY,  # Secondary Capture: C.8.6.2
    "1.2.840.10008.5.1.4.1.1.1.1": _PROJECTION,  # DX, for presentation: C.8.11.3
    "1.2.840.10008.5.1.4.1.1.1.1.1": _PROJECTION,  # DX, for processing
    "1.2.840.10008.5.1.4.1.1.1.2": _PROJECTION,  # mammography, for presentation
    "1.2.840.10008.5.1.4.1.1.1.2.1": _PROJECTION,  # mammography, for processing
    "1.2.840.10008.5.1.4.1.1.1.3": _PROJECTION,  # intra-oral, for presentation
    "1.2.840.10008.5.1.4.1.1.1.3.1": _PROJECTION,  # intra-oral, for processing
    "1.2.840.10008.5.1.4.1.1.12.1": _PROJECTION,  # XA: C.8.7.1
    "1.2.840.10008.5.1.4.1.1.12.2": _PROJECTION,  # RF
    "1.2.840.10008.5.1.4.1.1.6.1": _COLOUR,  # ultrasound: C.8.5.6
    "1.2.840.10008.5.1.4.1.1.77.1.1": _COLOUR,  # endoscopy: C.8.12.1
    "1.2.840.10008.5.1.4.1.1.77.1.2": _COLOUR,  # microscopy
    "1.2.840.10008.5.1.4.1.1.77.1.4": _COLOUR,  # photography
}

# names of classes whose frames are described in functional groups, whatever their number
_GROUPED: Final = ("Enhanced", "Legacy Converted", "Segmentation", "Parametric Map", "Whole Slide",
                   "Tomosynthesis", "Tomography Image", "3D")  # fmt: skip


def class_of(uid: str) -> SopClass:
    """What images of a SOP class may be written as.

    Parameters
    ----------
    uid : str
        SOPClassUID of the source.

    Returns
    -------
    SopClass
        For a class that the table does not hold: as it is, whole frames of the source's own bits.

    Raises
    ------
    ConformanceError
        If its frames are described in functional groups, which this version does not write.

    Examples
    --------
    >>> class_of("1.2.840.10008.5.1.4.1.1.2").bits
    (16,)
    >>> class_of("1.2.3")
    SopClass(bits=(), signed=False, plane=False)
    """
    name = UID(uid).name
    if any(word in name for word in _GROUPED):
        raise functional_groups(name)
    return _TABLE.get(uid, _AS_IT_IS)


def functional_groups(found: str) -> ConformanceError:
    """The error for objects that hold many frames in one instance."""
    return ConformanceError(
        "frames of multi-frame and enhanced objects cannot be written yet",
        expected="single-frame images",
        found=found,
        remedy="A later version of xdicom writes them",
    )
