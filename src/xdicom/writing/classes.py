"""A SOP class becomes what its images may be written as: one table, from PS3.3 A and C.8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom import uid

from xdicom.errors import ConformanceError
from xdicom.headers.segments import LABEL_MAP


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
    examination: str = "SECONDARY"
    """Value 2 of ImageType of a derived image."""


_GREY: Final = SopClass((16,), signed=True, plane=True)
# C.8.9.4.1.1: value 2 of ImageType is PRIMARY, derived or not
_PET: Final = SopClass((16,), signed=True, plane=True, examination="PRIMARY")
_SECONDARY: Final = SopClass((8, 16), signed=True, plane=True)
_PROJECTION: Final = SopClass((8, 16), plane=True)
_COLOUR: Final = SopClass(plane=True)
_AS_IT_IS: Final = SopClass()

_TABLE: Final[dict[str, SopClass]] = {
    uid.CTImageStorage: _GREY,  # PS3.3 C.8.2.1
    uid.MRImageStorage: _GREY,  # C.8.3.1
    uid.PositronEmissionTomographyImageStorage: _PET,  # C.8.9.4
    uid.ComputedRadiographyImageStorage: _GREY,  # C.8.1.2
    uid.SecondaryCaptureImageStorage: _SECONDARY,  # C.8.6.2
    uid.DigitalXRayImageStorageForPresentation: _PROJECTION,  # C.8.11.3
    uid.DigitalXRayImageStorageForProcessing: _PROJECTION,
    uid.DigitalMammographyXRayImageStorageForPresentation: _PROJECTION,
    uid.DigitalMammographyXRayImageStorageForProcessing: _PROJECTION,
    uid.DigitalIntraOralXRayImageStorageForPresentation: _PROJECTION,
    uid.DigitalIntraOralXRayImageStorageForProcessing: _PROJECTION,
    uid.XRayAngiographicImageStorage: _PROJECTION,  # C.8.7.1
    uid.XRayRadiofluoroscopicImageStorage: _PROJECTION,
    uid.UltrasoundImageStorage: _COLOUR,  # C.8.5.6
    uid.VLEndoscopicImageStorage: _COLOUR,  # C.8.12.1
    uid.VLMicroscopicImageStorage: _COLOUR,
    uid.VLPhotographicImageStorage: _COLOUR,
}

# classes whose values hang on attributes that only a whole object can say
_WHOLE: Final = frozenset((uid.RTDoseStorage,))

# classes whose frames are described in functional groups, whatever their number
_GROUPED: Final[frozenset[str]] = frozenset(
    (
        uid.EnhancedCTImageStorage,
        uid.LegacyConvertedEnhancedCTImageStorage,
        uid.EnhancedMRImageStorage,
        uid.EnhancedMRColorImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
        uid.EnhancedPETImageStorage,
        uid.LegacyConvertedEnhancedPETImageStorage,
        uid.EnhancedXAImageStorage,
        uid.EnhancedXRFImageStorage,
        uid.EnhancedUSVolumeStorage,
        uid.XRay3DAngiographicImageStorage,
        uid.XRay3DCraniofacialImageStorage,
        uid.BreastTomosynthesisImageStorage,
        uid.BreastProjectionXRayImageStorageForPresentation,
        uid.BreastProjectionXRayImageStorageForProcessing,
        uid.OphthalmicTomographyImageStorage,
        uid.IntravascularOpticalCoherenceTomographyImageStorageForPresentation,
        uid.IntravascularOpticalCoherenceTomographyImageStorageForProcessing,
        uid.ParametricMapStorage,
        uid.SegmentationStorage,
        LABEL_MAP,
        uid.VLWholeSlideMicroscopyImageStorage,
    )
)


def class_of(sop_class: str) -> SopClass:
    """What images of a SOP class may be written as.

    Parameters
    ----------
    sop_class : str
        SOPClassUID of the source.

    Returns
    -------
    SopClass
        For a class that the table does not hold: as it is, whole frames of the source's own bits.

    Raises
    ------
    ConformanceError
        If its frames are described in functional groups, or it is an RT Dose, which this version
        does not write.

    Examples
    --------
    >>> class_of("1.2.840.10008.5.1.4.1.1.2").bits
    (16,)
    >>> class_of("1.2.3")
    SopClass(bits=(), signed=False, plane=False, examination='SECONDARY')
    """
    if sop_class in _GROUPED:
        raise functional_groups(uid.UID(sop_class).name)
    if sop_class in _WHOLE:
        raise ConformanceError(
            "objects of this class cannot be written yet",
            expected="an image class",
            found=uid.UID(sop_class).name,
            remedy="Keep the array with to_netcdf or to_zarr",
        )
    return _TABLE.get(sop_class, _AS_IT_IS)


def functional_groups(found: str) -> ConformanceError:
    """The error for objects that hold many frames in one instance."""
    return ConformanceError(
        "frames of multi-frame and enhanced objects cannot be written yet",
        expected="single-frame images",
        found=found,
        remedy="A later version of xdicom writes them",
    )
