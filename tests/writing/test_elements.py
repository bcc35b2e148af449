"""SPEC §6.2's table: what becomes of each attribute of a source, row by row."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

import xdicom
from xdicom import ConformanceError, testing
from xdicom.errors import UncutMosaicWarning
from xdicom.writing.deletions import deleted
from xdicom.writing.explicit import element

DOSE_CODE = {"CodeValue": "1", "CodingSchemeDesignator": "99X", "CodeMeaning": "x"}


def header(da, **at):
    return da.dicom.header(**(at or {d: 0 for d in da.dims if d not in ("y", "x", "sample")}))


def test_patient_study_and_frame_of_reference_are_copied(opened, write):
    da = opened(
        {"EchoTime": [5, 10], "z": 2}, attributes={"PatientWeight": 70.5, "PatientAge": "041Y"}
    )
    old, new = header(da), write(da)[0]
    changed = {
        "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "ImageType",
        "InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime", "ContentDate",
        "ContentTime", "DerivationDescription", "SourceImageSequence", "PixelData",
        "ContributingEquipmentSequence",
    }  # fmt: skip
    assert {e.keyword for e in new if old.get(e.keyword) != e.value} <= changed
    assert {e.keyword for e in old if e.keyword not in new} == set()
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientWeight"):
        assert old[keyword].value == new[keyword].value


def test_uids_are_new_unique_and_those_of_the_file_meta(opened, write):
    da = opened({"EchoTime": [5, 10], "z": 3})
    files, other = write(da), write(da)
    uids = [ds.SOPInstanceUID for ds in files]
    old = set(da.dicom.unique("SOPInstanceUID"))
    assert len({*uids, *old, *(ds.SOPInstanceUID for ds in other)}) == 18
    assert len({ds.SeriesInstanceUID for ds in files}) == 1
    assert files[0].SeriesInstanceUID not in (
        da.dicom["SeriesInstanceUID"], other[0].SeriesInstanceUID,
    )  # fmt: skip
    for ds in files:
        assert re.fullmatch(r"2\.25\.(0|[1-9]\d{0,38})", ds.SOPInstanceUID)
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert ds.file_meta.MediaStorageSOPClassUID == ds.SOPClassUID
        assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        start = ds.file_meta.FileMetaInformationGroupLength
        assert start == sum(len(pydicom_element(e)) for e in ds.file_meta if e.tag.element)


def pydicom_element(one):
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    pydicom.filewriter.write_data_element(buffer, one)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("source", "given", "expected"),
    [
        (7, None, 701),
        (0, None, 1),
        (-3, None, -299),
        (2**31 - 1, None, 2**31 - 1),
        (7, 12, 12),
    ],
)
def test_series_number(opened, write, source, given, expected):
    da = opened({"z": 1}, series_number=source)
    assert write(da, series_number=given)[0].SeriesNumber == expected


def test_series_number_of_a_source_without_one(opened, write):
    assert write(opened({"z": 1}, attributes={"SeriesNumber": None}))[0].SeriesNumber == 1


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, True])
def test_series_number_must_be_an_is(opened, write, number):
    with pytest.raises(ConformanceError, match="series_number"):
        write(opened({"z": 1}), series_number=number)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("t1 mprage", "t1 mprage (derived)"),
        ("x" * 64, "x" * 54 + " (derived)"),
        ("é" * 60, "é" * 54 + " (derived)"),
        (None, "(derived)"),
    ],
)
def test_series_description(opened, write, source, expected):
    ds = write(opened({"z": 1}, attributes={"SeriesDescription": source}))[0]
    assert ds.SeriesDescription == expected
    assert len(ds.SeriesDescription) <= 64


def test_series_description_and_derivation_of_the_caller(opened, write):
    ds = write(opened({"z": 1}), series_description="T2* für …", derivation="cut\r\nthen kept")[0]
    assert ds.SeriesDescription == "T2* für …"
    assert ds.DerivationDescription == "cut\r\nthen kept"
    equipment = ds.ContributingEquipmentSequence[0]
    assert equipment.ContributionDescription == "cut\r\nthen kept"


@pytest.mark.parametrize(
    "texts",
    [
        {"series_description": "a" * 65},
        {"series_description": "a\\b"},
        {"series_description": "a\nb"},
        {"derivation": "a" * 1025},
    ],
)
def test_texts_that_dicom_does_not_allow(opened, write, texts):
    with pytest.raises(ConformanceError, match="too long or holds characters"):
        write(opened({"z": 1}), **texts)


def test_texts_in_the_character_set_of_the_source(opened, write, tmp_path):
    da = opened({"z": 1}, attributes={"SpecificCharacterSet": "ISO_IR 100"})
    ds = write(da, series_description="Größe")[0]
    assert (ds.SpecificCharacterSet, ds.SeriesDescription) == ("ISO_IR 100", "Größe")
    with pytest.raises(ConformanceError, match=r"character set of the source.*ISO_IR 100"):
        da.dicom.to_dicom(tmp_path / "o", series_description="Ωμ漢")
    assert not (tmp_path / "o").exists()


def test_japanese_names_stay_byte_for_byte(tmp_path, write):
    name = "\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B".encode("ascii")
    testing.write_series(
        tmp_path / "s",
        {"z": 1},
        attributes={"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": name},
    )
    ds = write(xdicom.open_series(tmp_path / "s"))[0]
    assert ds.get_item("PatientName").value.rstrip() == name
    assert str(ds.PatientName).startswith("山田")


def test_instance_numbers_follow_the_canonical_order(opened, write):
    da = opened({"EchoTime": [5, 10], "z": 3}, shuffle=4)
    files = write(da.transpose("x", "z", "y", "EchoTime"))
    assert [ds.InstanceNumber for ds in files] == list(range(1, 7))
    assert [(ds.EchoTime, ds.ImagePositionPatient[2]) for ds in files] == [
        (echo, z) for echo in (5, 10) for z in (10, 13, 16)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (["ORIGINAL", "PRIMARY", "M", "ND"], ["DERIVED", "SECONDARY", "M", "ND"]),
        (["DERIVED", "PRIMARY"], ["DERIVED", "SECONDARY"]),
        (None, ["DERIVED", "SECONDARY"]),
    ],
)
def test_image_type(opened, write, source, expected):
    ds = write(opened({"z": 1}, attributes={"ImageType": source}))[0]
    assert list(ds.ImageType) == expected


def test_image_type_of_pet(opened, write):
    """PS3.3 C.8.9.4.1.1 knows no SECONDARY."""
    assert list(write(opened({"z": 1}, modality="PT"))[0].ImageType) == ["DERIVED", "PRIMARY"]


def test_mosaic_leaves_image_type_where_the_layout_changes(opened, write):
    with pytest.warns(UncutMosaicWarning):
        da = opened(
            {"instance": 1},
            modality="OT",
            attributes={
                "ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
                "ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None,
            },
        )  # fmt: skip
    assert write(da)[0].ImageType[2:] == ["M", "MOSAIC"]
    assert write(da.isel(x=slice(4)))[0].ImageType[2:] == ["M"]


def test_derivation_default_and_codes(opened, write):
    da = opened({"z": 1}, attributes={"DerivationCodeSequence": [DOSE_CODE]})
    ds = write(da)[0]
    assert ds.DerivationDescription == f"xdicom {xdicom.__version__}"
    assert "DerivationCodeSequence" not in ds


def test_source_images_are_the_frames_written(opened, write):
    da = opened({"z": 4})
    for ds, uid in zip(
        write(da[::-2]), da.dicom.values("SOPInstanceUID").values[::-2], strict=True
    ):
        (source,) = ds.SourceImageSequence
        (purpose,) = source.PurposeOfReferenceCodeSequence
        assert source.ReferencedSOPInstanceUID == uid
        assert source.ReferencedSOPClassUID == ds.SOPClassUID
        assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("121322", "DCM")


@pytest.mark.parametrize("zone", [None, "+0930"])
def test_dates_are_one_moment_in_the_zone_of_the_source(opened, write, zone):
    offset = None if zone is None else timezone(timedelta(hours=9, minutes=30))
    before = datetime.now(offset)
    files = write(opened({"z": 3}, attributes={"TimezoneOffsetFromUTC": zone}))
    stamps = {
        (ds[f"{kind}Date"].value + ds[f"{kind}Time"].value)
        for ds in files
        for kind in ("InstanceCreation", "Series", "Content")
    }
    (stamp,) = stamps
    written = datetime.strptime(stamp, "%Y%m%d%H%M%S.%f").replace(tzinfo=offset)
    assert before <= written <= datetime.now(offset)
    contributed = files[0].ContributingEquipmentSequence[0].ContributionDateTime
    assert contributed == stamp + (zone or "")
    assert files[0].AcquisitionDate == "20240229"
    assert files[0].StudyTime == "095500"


def test_contributing_equipment_is_appended(opened, write):
    earlier = {"Manufacturer": "EARLIER", "PurposeOfReferenceCodeSequence": [DOSE_CODE]}
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian):
        da = opened(
            {"z": 1},
            transfer_syntax=syntax,
            attributes={"ContributingEquipmentSequence": [earlier]},
        )
        first, own = write(da)[0].ContributingEquipmentSequence
        assert first.Manufacturer == "EARLIER"
        assert first.PurposeOfReferenceCodeSequence[0].CodeMeaning == "x"
        purpose = own.PurposeOfReferenceCodeSequence[0]
        assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("109102", "DCM")
        assert own.SoftwareVersions == xdicom.__version__


def test_lossy_stays_lossy(opened, write):
    da = opened(
        {"z": 1},
        attributes={
            "LossyImageCompression": "01",
            "LossyImageCompressionRatio": [10.5, 2],
            "LossyImageCompressionMethod": ["ISO_10918_1", "ISO_15444_1"],
        },
    )
    ds = write(da)[0]
    assert ds.LossyImageCompression == "01"
    assert list(ds.LossyImageCompressionRatio) == [10.5, 2]
    assert list(ds.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_15444_1"]


def test_lossy_syntax_is_told_though_the_source_did_not(opened, write):
    hidden = dict.fromkeys(
        ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
    )
    da = opened(
        {"z": 1}, modality="OT", dtype="uint8", rows=64, columns=64, attributes=hidden,
        transfer_syntax=JPEGBaseline8Bit,
    )  # fmt: skip
    ds = write(da)[0]
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert ds.LossyImageCompressionRatio >= 1
    lossless = opened({"z": 1}, transfer_syntax=JPEG2000Lossless)
    assert "LossyImageCompression" not in write(lossless)[0]


def test_smallest_and_largest_values_go(opened, write):
    extremes = {
        "SmallestImagePixelValue": 1, "LargestImagePixelValue": 9,
        "SmallestPixelValueInSeries": 1, "LargestPixelValueInSeries": 9,
    }  # fmt: skip
    ds = write(opened({"z": 1}, attributes=extremes))[0]
    assert not any(keyword in ds for keyword in extremes)


WINDOW = {"WindowCenter": [40, 80], "WindowWidth": [400, 100]}


def test_window_is_kept_while_rescale_is(opened, write):
    da = opened({"z": 1}, modality="CT", intercept=-1024, attributes=WINDOW)
    for kept in (da, da + 1, da.astype("int16")):
        assert list(write(kept)[0].WindowCenter) == [40, 80]


def test_window_goes_with_the_rescale_it_was_for(opened, write):
    da = opened(
        {"z": 1},
        slope=2.5,
        intercept=-7.5,
        attributes={**WINDOW, "PixelPaddingValue": 3, "RescaleType": "HU"},
    )
    kept = write(da)[0]
    assert (kept.RescaleSlope, kept.RescaleIntercept, kept.PixelPaddingValue) == (2.5, -7.5, 3)
    new = write(da.round())[0]
    assert (new.RescaleSlope, new.RescaleIntercept, new.RescaleType) == (1, 0, "HU")
    for keyword in ("WindowCenter", "WindowWidth", "PixelPaddingValue"):
        assert keyword not in new
    named = da.round().assign_attrs(units="ms")
    assert write(named)[0].RescaleType == "ms"
    nameless = da.round().assign_attrs(units="µ" * 3)
    assert write(nameless)[0].RescaleType == "US"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_padding_value_takes_the_vr_of_the_new_sign(opened, write, syntax):
    negative = opened(
        {"z": 1}, dtype="int16", bits_stored=12, transfer_syntax=syntax,
        attributes={"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990},
    )  # fmt: skip
    kept = write(negative)[0]
    assert (kept["PixelPaddingValue"].VR, kept.PixelPaddingValue) == ("SS", -2000)
    wider = write(negative * 8)[0]  # 16 bits, still signed
    assert (wider.BitsStored, wider.PixelPaddingValue) == (16, -2000)
    unsigned = write((negative + 40000).astype("uint16"))[0]
    assert unsigned.PixelRepresentation == 0
    assert "PixelPaddingValue" not in unsigned
    assert "PixelPaddingRangeLimit" not in unsigned

    positive = opened(
        {"z": 1}, bits_stored=12, transfer_syntax=syntax, attributes={"PixelPaddingValue": 17}
    )
    signed = write(positive - 5000)[0]
    assert signed.PixelRepresentation == 1
    assert (signed["PixelPaddingValue"].VR, signed.PixelPaddingValue) == ("SS", 17)
    large = opened(
        {"z": 1}, stored=np.full((1, 4, 4), 5, "uint16"), attributes={"PixelPaddingValue": 65535}
    )
    assert "PixelPaddingValue" not in write(large - 50)[0]


def test_lookup_tables_of_another_sign_go(opened, write):
    tables = {
        "VOILUTSequence": [{"LUTDescriptor": [2, 0, 16], "LUTData": [0, 1]}],
        "RealWorldValueMappingSequence": [
            {"RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 9}
        ],
    }
    da = opened({"z": 1}, bits_stored=12, attributes=tables)
    kept = write(da)[0]
    assert list(kept.VOILUTSequence[0].LUTDescriptor) == [2, 0, 16]
    assert "RealWorldValueMappingSequence" in kept
    signed = write(da - 5000)[0]
    assert "VOILUTSequence" not in signed
    assert "RealWorldValueMappingSequence" not in signed


def test_what_belongs_to_the_old_pixels_goes(opened, write):
    item = {"CodeValue": "1"}
    da = opened(
        {"z": 1},
        attributes={
            "IconImageSequence": [{"Rows": 1}],
            "DigitalSignaturesSequence": [item],
            "MACParametersSequence": [item],
            "ExtendedOffsetTable": b"\0" * 8,
            "AlternateRepresentationSequence": [item],
            "InstanceCreatorUID": "1.2.3",
            "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}],
            "BurnedInAnnotation": "YES",
        },
    )
    ds = write(da)[0]
    for keyword in (
        "IconImageSequence", "DigitalSignaturesSequence", "MACParametersSequence",
        "ExtendedOffsetTable", "AlternateRepresentationSequence", "InstanceCreatorUID",
    ):  # fmt: skip
        assert keyword not in ds
    assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert ds.BurnedInAnnotation == "YES"


def test_overlays_and_curves_go():
    tags = (0x60000010, 0x60FE3000, 0x50001000, 0x00280010, 0x61000010, 0x00090010)
    elements = {tag: element(tag, "LO", b"x") for tag in tags}
    assert deleted(elements, frozenset()) == {0x60000010, 0x60FE3000, 0x50001000}


PRIVATE = {
    (0x0029, 0x10, "SIEMENS CSA HEADER", "OB"): b"SV10",
    (0x0019, 0x0A, "SIEMENS MR HEADER", "US"): 4,
    (0x0019, 0x0C, "SIEMENS MR HEADER", "IS"): 1000,
    (0x0065, 0x37, "Image Private Header", "FD"): [1.0, 0.0, 0.0],
    (0x0065, 0x09, "Image Private Header", "FD"): 1000.0,
    (0x2005, 0x0E, "Philips MR Imaging DD 001", "FL"): 0.5,
    (0x0043, 0x39, "GEMS_PARM_01", "IS"): [1000, 8, 0, 0],
}


def private(ds):
    found = set()
    for group, low, creator, _ in PRIVATE:
        try:
            block = ds.private_block(group, creator)
        except KeyError:
            continue
        if low in block:
            found.add((group, low))
    return found


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_private_elements_stay_unless_what_they_describe_changed(opened, write, syntax):
    da = opened({"z": 1}, slope=2.5, attributes=PRIVATE, transfer_syntax=syntax)
    everything = {(group, low) for group, low, *_ in PRIVATE}
    assert private(write(da)[0]) == everything
    assert private(write(da.isel(x=slice(5)))[0]) == everything - {(0x29, 0x10), (0x19, 0x0A)}
    flipped = {(0x29, 0x10), (0x19, 0x0A), (0x65, 0x37)}
    assert private(write(da.isel(x=slice(None, None, -1)))[0]) == everything - flipped
    assert private(write(da.round())[0]) == everything - {(0x2005, 0x0E)}


def test_elements_in_pixels_of_the_old_plane_go_with_it(opened, write):
    da = opened(
        {"z": 1},
        attributes={"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3},
    )
    assert "ShutterShape" in write(da)[0]
    cropped = write(da.isel(y=slice(2, 9)))[0]
    assert "ShutterShape" not in cropped
    assert "ShutterLeftVerticalEdge" not in cropped


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_source_without_identity_is_refused(opened, write, keyword):
    da = opened({"z": 2}, attributes={keyword: None})
    with pytest.raises(ConformanceError, match=f"{keyword} is missing"):
        write(da)


def test_values_that_break_their_vr_stay_as_they_are(opened, write):
    odd = {"PatientWeight": b"70,5", "EchoTrainLength": b"1.5", "StudyDate": b"31.12.1999"}
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian):
        ds = write(opened({"z": 1}, attributes=odd, transfer_syntax=syntax))[0]
        for keyword, value in odd.items():
            assert ds.get_item(keyword).value.strip() == value
