"""The header of a source frame becomes that of the written one: SPEC §6.2's table, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydicom.datadict import tag_for_keyword

from xdicom.headers.mosaic import is_mosaic
from xdicom.writing import deletions, place
from xdicom.writing.classes import class_of, functional_groups
from xdicom.writing.explicit import (
    Elements,
    elements_of,
    encode,
    item,
)
from xdicom.writing.identity import VERSION
from xdicom.writing.output import Maker, Output, Rule


def _image_type(o: Output) -> Any:
    rest = o.texts("ImageType")[2:]
    if deletions.LAYOUT in o.changes:
        rest = [value for value in rest if not is_mosaic(value)]
    return ["DERIVED", class_of(o.texts("SOPClassUID")[0]).examination, *rest]


def _code(value: str, meaning: str) -> bytes:
    return item(
        elements_of(
            [("CodeValue", value), ("CodingSchemeDesignator", "DCM"), ("CodeMeaning", meaning)]
        )
    )


_SOURCE_IMAGE: Final = _code("121322", "Source image for image processing operation")
_PROCESSING: Final = _code("109102", "Processing Equipment")


def _source_images(o: Output) -> Any:
    reference = [
        ("ReferencedSOPClassUID", o.texts("SOPClassUID")[0]),
        ("ReferencedSOPInstanceUID", o.texts("SOPInstanceUID")[0]),
        ("PurposeOfReferenceCodeSequence", [_SOURCE_IMAGE]),
    ]
    return [item(elements_of(reference))]


def _equipment(o: Output) -> Any:
    own = [
        ("Manufacturer", "xdicom"),
        ("ManufacturerModelName", "xdicom"),
        ("SoftwareVersions", VERSION),
        ("ContributionDateTime", f"{o.plan.series.now:%Y%m%d%H%M%S.%f%z}"),
        ("ContributionDescription", o.plan.series.derivation),
        ("PurposeOfReferenceCodeSequence", [_PROCESSING]),
    ]
    earlier = o.value("ContributingEquipmentSequence") or b""
    return [earlier, item(elements_of(own, o.charset))]


# transfer syntaxes that are lossy without doubt, and their methods (PS3.3 C.7.6.1.1.5.1)
_LOSSY_SYNTAXES: Final = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",  # JPEG baseline
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",  # JPEG extended
}


def _lossy(keyword: str, describe: Callable[[Output, str], str]) -> Maker:
    """Once lossy, always lossy, though the new file is not compressed; said if it was not yet."""

    def make(o: Output) -> Any:
        method = _LOSSY_SYNTAXES.get(o.plan.sources[o.index].transfer_syntax, "")
        said = o.texts(keyword) and o.texts(keyword) != ["00"]
        return describe(o, method) if method and not said else Rule.KEEP

    return make


def _ratio(o: Output, method: str) -> str:
    """Bytes of the frame over bytes of the file that held it compressed."""
    del method
    table, source = o.plan.selection.table, o.plan.sources[o.index]
    held = int(table.files.sizes[table.file[o.row]]) - int(table.pixel_offset[o.row])
    bits = source.rows * source.columns * source.samples * source.bits_allocated
    return f"{max(bits / 8 / max(held, 1), 1.0):.2f}"


def _photometric(o: Output) -> Any:
    return o.plan.photometric or Rule.KEEP


def _padding(keyword: str) -> Maker:
    """Padding keeps its number; where the sign changed, in the VR of the new one or not at all."""

    def make(o: Output) -> Any:
        value, changes = o.value(keyword), o.changes
        if value is None or deletions.VALUES in changes:
            return Rule.DELETE
        if deletions.SIGN not in changes:
            return Rule.KEEP
        old = int.from_bytes(value[:2], "little", signed=o.plan.sources[o.index].signed)
        low, high = o.layout.limits
        if len(value) != 2 or not low <= old <= high:
            return Rule.DELETE
        return encode(keyword, old, vr="SS" if o.layout.signed else "US")

    return make


def _plain(value: str) -> Maker:
    """Slope 1 and intercept 0, where the source's rescale no longer holds."""
    return lambda o: Rule.KEEP if o.encoding.keeps_rescale else value


def _rescale_type(o: Output) -> Any:
    """Units of the values as the array says them (PS3.3 C.11.1.1.2), US where it does not."""
    if o.encoding.keeps_rescale:
        return Rule.KEEP
    units = o.plan.units
    return units if units.isascii() and 0 < len(units) <= 64 and "\\" not in units else "US"


def _acquired(keyword: str) -> Maker:
    """A time that UIH says of each slice of a frame that holds several."""

    def make(o: Output) -> Any:
        column = o.plan.selection.table.column(keyword)
        code = int(column.codes[o.row])
        return column.texts[code] if o.cut and code >= 0 and not o.texts(keyword) else Rule.KEEP

    return make


def _date(o: Output) -> Any:
    return f"{o.plan.series.now:%Y%m%d}"


def _time(o: Output) -> Any:
    return f"{o.plan.series.now:%H%M%S.%f}"


RULES: Final[tuple[tuple[str, Maker], ...]] = (
    # identity
    ("SOPInstanceUID", lambda o: o.plan.uid(o.index)),
    ("SeriesInstanceUID", lambda o: o.plan.series.uid),
    ("SeriesNumber", lambda o: o.plan.series.number),
    ("SeriesDescription", lambda o: o.plan.series.description),
    ("InstanceNumber", lambda o: o.index + 1),
    # what it was made of, by whom and when
    ("ImageType", _image_type),
    ("DerivationDescription", lambda o: o.plan.series.derivation),
    ("SourceImageSequence", _source_images),
    ("ContributingEquipmentSequence", _equipment),
    *((keyword, _date) for keyword in ("InstanceCreationDate", "SeriesDate", "ContentDate")),
    *((keyword, _time) for keyword in ("InstanceCreationTime", "SeriesTime", "ContentTime")),
    *(
        (keyword, _acquired(keyword))
        for keyword in ("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime")
    ),
    # pixels
    ("Rows", lambda o: o.plan.planes.y.count),
    ("Columns", lambda o: o.plan.planes.x.count),
    ("BitsAllocated", lambda o: o.layout.allocated),
    ("BitsStored", lambda o: o.layout.stored),
    ("HighBit", lambda o: o.layout.stored - 1),
    ("PixelRepresentation", lambda o: int(o.layout.signed)),
    ("PhotometricInterpretation", _photometric),
    ("PlanarConfiguration", lambda o: 0 if o.plan.photometric else Rule.DELETE),
    ("LossyImageCompression", _lossy("LossyImageCompression", lambda o, method: "01")),
    ("LossyImageCompressionRatio", _lossy("LossyImageCompressionRatio", _ratio)),
    (
        "LossyImageCompressionMethod",
        _lossy("LossyImageCompressionMethod", lambda o, method: method),
    ),
    ("PixelPaddingValue", _padding("PixelPaddingValue")),
    ("PixelPaddingRangeLimit", _padding("PixelPaddingRangeLimit")),
    # values
    ("RescaleSlope", _plain("1")),
    ("RescaleIntercept", _plain("0")),
    ("RescaleType", _rescale_type),
    # place
    ("ImagePositionPatient", place.position),
    ("ImageOrientationPatient", place.orientation),
    ("PixelSpacing", place.spacing("PixelSpacing")),
    ("ImagerPixelSpacing", place.spacing("ImagerPixelSpacing")),
    ("NominalScannedPixelSpacing", place.spacing("NominalScannedPixelSpacing")),
    ("PixelAspectRatio", place.aspect),
    ("SliceLocation", place.slice_location),
    ("SpacingBetweenSlices", place.between_slices),
    ("PatientOrientation", place.patient_orientation),
)
"""What becomes of each attribute; all others are copied, or deleted by `xdicom.writing.deletions`.
"""

_TAGGED: Final = tuple((tag_for_keyword(k) or 0, k, make) for k, make in RULES)
_GROUPS: Final = tag_for_keyword("SharedFunctionalGroupsSequence") or 0


def apply_rules(output: Output) -> Elements:
    """Elements of the file to be, by tag, without its pixels.

    Raises
    ------
    ConformanceError
        If the source has functional groups, or its character set cannot write a new text.
    """
    if _GROUPS in output.header:
        raise functional_groups("SharedFunctionalGroupsSequence")
    gone = deletions.deleted(output.header, output.changes)
    elements = {tag: e for tag, e in output.header.items() if tag not in gone}
    for tag, keyword, make in _TAGGED:
        value = make(output)
        if value is Rule.DELETE:
            elements.pop(tag, None)
        elif isinstance(value, bytes):
            elements[tag] = value
        elif value is not Rule.KEEP:
            elements[tag] = encode(keyword, value, output.charset)
    return elements
