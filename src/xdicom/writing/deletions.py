"""Elements that a derived image must not keep: tables by the change that makes them untrue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import tag_for_keyword

from xdicom.writing.explicit import value_of

ALWAYS: Final = "always"
LAYOUT: Final = "layout"
"""A crop, flip or stride; a slice of a mosaic."""
FLIP: Final = "flip"
"""A flip of x or y."""
VALUES: Final = "values"
"""Slope and intercept are no longer the source's."""
SIGN: Final = "sign"
"""PixelRepresentation is no longer the source's."""

_PUBLIC: Final[tuple[tuple[str, str], ...]] = (
    # extremes of other pixels; their VR would follow the old PixelRepresentation, too
    (
        ALWAYS,
        """SmallestImagePixelValue LargestImagePixelValue SmallestPixelValueInSeries
        LargestPixelValueInSeries SmallestImagePixelValueInPlane LargestImagePixelValueInPlane
        HistogramSequence""",
    ),
    # pictures, signatures and places of the old pixel data
    (
        ALWAYS,
        """IconImageSequence DigitalSignaturesSequence MACParametersSequence ExtendedOffsetTable
        ExtendedOffsetTableLengths AlternateRepresentationSequence PixelDataProviderURL
        DataSetTrailingPadding LengthToEnd CompressionCode""",
    ),
    # who made or authorised the old instance, and codes of texts that are replaced
    (
        ALWAYS,
        """InstanceCreatorUID SOPInstanceStatus SOPAuthorizationDateTime SOPAuthorizationComment
        AuthorizationEquipmentCertificationNumber SeriesDescriptionCodeSequence
        DerivationCodeSequence""",
    ),
    # given in rows and columns of the old pixels
    (
        LAYOUT,
        """ShutterShape ShutterLeftVerticalEdge ShutterRightVerticalEdge
        ShutterUpperHorizontalEdge ShutterLowerHorizontalEdge CenterOfCircularShutter
        RadiusOfCircularShutter VerticesOfThePolygonalShutter ShutterPresentationValue
        ShutterPresentationColorCIELabValue CollimatorShape CollimatorLeftVerticalEdge
        CollimatorRightVerticalEdge CollimatorUpperHorizontalEdge CollimatorLowerHorizontalEdge
        CenterOfCircularCollimator RadiusOfCircularCollimator VerticesOfThePolygonalCollimator
        FieldOfViewShape FieldOfViewDimensions FieldOfViewOrigin FieldOfViewRotation
        FieldOfViewHorizontalFlip PixelDataAreaOriginRelativeToFOV
        PixelDataAreaRotationAngleRelativeToFOV SequenceOfUltrasoundRegions""",
    ),
    # given in old modality values
    (
        VALUES,
        """WindowCenter WindowWidth WindowCenterWidthExplanation VOILUTFunction VOILUTSequence
        RealWorldValueMappingSequence PixelPaddingValue PixelPaddingRangeLimit""",
    ),
    # their numbers are US or SS by the old PixelRepresentation
    (SIGN, "VOILUTSequence RealWorldValueMappingSequence"),
)

_REPEATING: Final = ((ALWAYS, 0x6000), (ALWAYS, 0x5000))
"""Overlays, and curves, which are retired: groups gg00 to ggFE."""


@dataclass(frozen=True)
class PrivateBlock:
    """Private elements that describe geometry or pixels."""

    change: str
    """What makes them untrue."""
    group: int
    """Group."""
    creator: str
    """Private creator."""
    elements: tuple[int, ...] = ()
    """Low bytes of the elements; none for the whole block."""


PRIVATE: Final[tuple[PrivateBlock, ...]] = (
    PrivateBlock(LAYOUT, 0x0029, "SIEMENS CSA HEADER"),
    # number of images in a mosaic, slice position, times of the mosaic's slices
    PrivateBlock(LAYOUT, 0x0019, "SIEMENS MR HEADER", (0x0A, 0x15, 0x29)),
    # ImageType as a text
    PrivateBlock(LAYOUT, 0x0051, "SIEMENS MR HEADER", (0x16,)),
    # number of images and their positions in a GRID image of UIH
    PrivateBlock(LAYOUT, 0x0065, "Image Private Header", (0x50, 0x51)),
    # centre and corners of the plane, size of the image
    PrivateBlock(LAYOUT, 0x0027, "GEMS_IMAG_01", (*range(0x42, 0x4E), 0x60, 0x61)),
    # a second header, nested, with a position of its own
    PrivateBlock(LAYOUT, 0x2005, "Philips MR Imaging DD 005", (0x0F,)),
    # gradient directions in image axes
    PrivateBlock(FLIP, 0x0065, "Image Private Header", (0x37,)),
    PrivateBlock(FLIP, 0x0019, "GEMS_ACQU_01", (0xBB, 0xBC, 0xBD)),
    # Philips' own scale of the stored values
    PrivateBlock(VALUES, 0x2005, "Philips MR Imaging DD 001", (0x09, 0x0A, 0x0D, 0x0E)),
    PrivateBlock(VALUES, 0x2005, "Philips MR Imaging DD 005", (0x09, 0x0A)),
)


def _tags() -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for change, keywords in _PUBLIC:
        for keyword in keywords.split():
            tag = tag_for_keyword(keyword)
            assert tag is not None, keyword
            found.setdefault(change, []).append(tag)
    return {change: tuple(tags) for change, tags in found.items()}


_TAGS: Final = _tags()


def deleted(elements: Mapping[int, bytes], changes: frozenset[str]) -> set[int]:
    """Tags of a header that changes make untrue.

    Parameters
    ----------
    elements : mapping of int to bytes
        Encoded elements by tag.
    changes : frozenset of str
        ``layout``, ``flip``, ``values``, ``sign``; ``always`` need not be named.
    """
    changes |= {ALWAYS}
    gone = {tag for change in changes for tag in _TAGS.get(change, ()) if tag in elements}
    creators: dict[tuple[int, str], list[int]] = {}
    for tag, encoded in elements.items():
        group, number = tag >> 16, tag & 0xFFFF
        if group % 2 == 0:
            if any(c in changes and base <= group <= base + 0xFE for c, base in _REPEATING):
                gone.add(tag)
        elif 0x10 <= number <= 0xFF:
            creator = value_of(encoded).decode("latin-1").strip(" \0")
            creators.setdefault((group, creator), []).append(number)
    for rule in PRIVATE:
        if rule.change not in changes:
            continue
        for block in creators.get((rule.group, rule.creator), ()):
            first = rule.group << 16 | block << 8
            gone.update(
                tag
                for tag in elements
                if first <= tag <= first | 0xFF
                and (not rule.elements or tag & 0xFF in rule.elements)
            )
    return gone
