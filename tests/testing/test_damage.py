"""Damaged files, seen by pydicom: they are broken as they should be, and nowhere else."""

from __future__ import annotations

import warnings

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from xdicom import testing

NATIVE = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


@pytest.fixture
def file(tmp_path):
    return testing.write_series(tmp_path, {})[0]


@pytest.fixture
def packed(tmp_path):
    return testing.write_enhanced(tmp_path / "enhanced.dcm", {"z": 4}, transfer_syntax=RLELossless)


@pytest.mark.parametrize("syntax", [*NATIVE[:3], RLELossless], ids=lambda uid: uid.keyword)
def test_edit_touches_what_it_is_told_to(tmp_path, syntax):
    key = (0x0019, 0x0C, "SIEMENS MR HEADER", "IS")
    (path,) = testing.write_series(
        tmp_path,
        {},
        transfer_syntax=syntax,
        attributes={key: 5, "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}]},
    )
    before = path.read_bytes()
    assert testing.edit(path, {}).read_bytes() == before
    testing.edit(
        path,
        {
            "EchoTime": 7.5,
            "Rows": None,
            "SOPInstanceUID": "1.2.3.4",
            "FlipAngle": b"oblique",
            "SmallestImagePixelValue": 3,
            "ReferencedImageSequence.0.ReferencedSOPInstanceUID": "1.2.3.4.5",
            "TransferSyntaxUID": "1.2.840.10008.1.2.4.102" if syntax == RLELossless else syntax,
            key: 6,
        },
    )
    ds = pydicom.dcmread(path)
    assert ds.EchoTime == 7.5
    assert "Rows" not in ds
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert ds.get_item("FlipAngle").value == b"oblique "
    assert ds.SmallestImagePixelValue == 3
    assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"
    assert ds.private_block(0x0019, "SIEMENS MR HEADER")[0x0C].value == 6
    assert ds.file_meta.TransferSyntaxUID.is_compressed is (syntax == RLELossless)
    assert ds.PixelData in before


def test_edit_reaches_functional_groups(packed):
    step = "PerFrameFunctionalGroupsSequence.2.PlanePositionSequence.0.ImagePositionPatient"
    ds = pydicom.dcmread(testing.edit(packed, {step: [1, 2, 3]}))
    assert ds.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient == [
        1,
        2,
        3,
    ]
    ds = pydicom.dcmread(testing.edit(packed, {step: None}))
    assert (
        "ImagePositionPatient"
        not in ds.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0]
    )
    assert testing.frame_number(ds.pixel_array[3]) == 3


def test_truncation(file):
    size = file.stat().st_size
    assert testing.truncate(file, bytes_off=100).stat().st_size == size - 100
    assert testing.truncate(file, keep=132).read_bytes()[-4:] == b"DICM"
    for options in ({}, {"keep": 1, "bytes_off": 1}, {"keep": 500}, {"bytes_off": 0}):
        with pytest.raises(ValueError, match=r"cut|either"):
            testing.truncate(file, **options)


def test_bytes_are_inserted_and_overwritten(file):
    before = file.read_bytes()
    assert (
        testing.insert_bytes(file, 200, b"abc").read_bytes() == before[:200] + b"abc" + before[200:]
    )
    assert (
        testing.overwrite_bytes(file, 200, b"xyz").read_bytes()
        == before[:200] + b"xyz" + before[200:]
    )
    with pytest.raises(ValueError, match="do not fit"):
        testing.overwrite_bytes(file, 10**6, b"x")


def test_duplicate_element(file):
    testing.duplicate_element(file, "EchoTime", 99)
    assert file.read_bytes().count(b"\x18\x00\x81\x00DS") == 2
    assert pydicom.dcmread(file).EchoTime == 99
    with pytest.raises(KeyError, match="InversionTime"):
        testing.duplicate_element(file, "InversionTime")


def test_absurd_length(file):
    testing.absurd_length(file, "EchoTime")
    assert "Rows" not in pydicom.dcmread(file)


def test_absurd_length_of_pixels(file):
    span = testing.element_span(file, "PixelData")
    testing.absurd_length(file, "PixelData")
    assert file.read_bytes()[span.value - 4 : span.value] == b"\xf0\xff\xff\xff"


@pytest.mark.parametrize("syntax", NATIVE[:3], ids=lambda uid: uid.keyword)
def test_excess_pixels(tmp_path, syntax):
    (path,) = testing.write_series(tmp_path, {}, transfer_syntax=syntax)
    ds = pydicom.dcmread(testing.excess_pixels(path, 10))
    assert len(ds.PixelData) == 16 * 24 * 2 + 10
    with pytest.raises(ValueError, match="encapsulated"):
        testing.excess_pixels(testing.write_series(tmp_path, {}, transfer_syntax=RLELossless)[0], 2)


def test_nested_sequences(file):
    item = pydicom.dcmread(testing.nest_sequences(file, 40))
    assert testing.frame_number(item.pixel_array) == 0
    for _ in range(40):
        (item,) = item.ContentSequence
    assert len(item) == 0


def test_files_without_a_preamble(tmp_path):
    first, second = testing.write_series(tmp_path, {"z": 2})
    with pytest.raises(pydicom.errors.InvalidDicomError):
        pydicom.dcmread(testing.remove_preamble(first, keep_meta=True))
    ds = pydicom.dcmread(first, force=True)
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert ds.EchoTime == 5
    testing.remove_preamble(second)
    assert second.read_bytes()[:6] == b"\x08\x00\x05\x00CS"


def test_texts_and_archives(tmp_path, file):
    assert testing.text_file(tmp_path / "new" / "a.dcm").read_text().startswith("This is no")
    assert testing.text_file(tmp_path / "b.dcm", "").stat().st_size == 0
    assert testing.pack_file(file).read_bytes()[:2] == b"\x1f\x8b"
    assert testing.pack_file(file, "zip").read_bytes()[:2] == b"PK"


def test_deflate_bomb(file):
    testing.deflate_bomb(file, 20_000_000)
    assert file.stat().st_size < 50_000
    ds = pydicom.dcmread(file)
    assert ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert len(ds.PixelData) == 20_000_000
    with pytest.raises(ValueError, match="deflated"):
        testing.element_span(file, "Rows")


def test_damage_to_encapsulated_pixels(packed):
    testing.shift_offset_table(packed)
    with pytest.raises(ValueError, match=r"(?s)."):
        pixel_array(packed, index=2)
    testing.shift_offset_table(packed, -6)
    assert testing.frame_number(pixel_array(packed, index=2)) == 2
    testing.corrupt_fragment(packed, 1)
    with pytest.raises(RuntimeError), warnings.catch_warnings(action="ignore"):
        pixel_array(packed, index=1)
    testing.drop_fragments(packed, 2)
    assert pydicom.dcmread(packed).PixelData.count(b"\xfe\xff\x00\xe0") == 1 + 2
    with pytest.raises(ValueError, match="2 fragments"):
        testing.drop_fragments(packed, 3)


def test_damage_to_an_extended_offset_table(tmp_path):
    path = testing.write_enhanced(
        tmp_path / "a.dcm", {"z": 3}, transfer_syntax=RLELossless, offset_table="extended"
    )
    before = np.frombuffer(pydicom.dcmread(path).ExtendedOffsetTable, "<u8")
    after = pydicom.dcmread(testing.shift_offset_table(path, 4)).ExtendedOffsetTable
    assert (np.frombuffer(after, "<u8") - before).tolist() == [0, 4, 4]
    bare = testing.write_enhanced(
        tmp_path / "b.dcm", {"z": 3}, transfer_syntax=RLELossless, offset_table="none"
    )
    with pytest.raises(ValueError, match="no second offset"):
        testing.shift_offset_table(bare)


def test_fragments_are_replaced_as_they_are_given(packed):
    table, *fragments = testing.read_fragments(packed)
    assert len(fragments) == 4
    before = packed.read_bytes()
    assert testing.write_fragments(packed, [table, *fragments]).read_bytes() == before
    testing.write_fragments(packed, [b"", b"odd", b""], delimiter=False)
    assert packed.read_bytes().endswith(
        testing.fragments.ITEM + bytes(4) + testing.fragments.ITEM + b"\3\0\0\0odd"
        + testing.fragments.ITEM + bytes(4)
    )  # fmt: skip


@pytest.mark.parametrize("table", ["basic", "extended"])
def test_offsets_are_replaced(tmp_path, table):
    path = testing.write_enhanced(
        tmp_path / "a.dcm", {"z": 3}, transfer_syntax=RLELossless, offset_table=table
    )
    ds = pydicom.dcmread(testing.write_offsets(path, [0, 9]))
    if table == "extended":
        assert np.frombuffer(ds.ExtendedOffsetTable, "<u8").tolist() == [0, 9]
    else:
        assert np.frombuffer(ds.PixelData[8:16], "<u4").tolist() == [0, 9]
    assert len(testing.read_fragments(path)) == 1 + 3


def test_damage_needs_encapsulated_pixels(file):
    for damage in (
        testing.drop_fragments,
        testing.shift_offset_table,
        testing.corrupt_fragment,
        testing.read_fragments,
    ):
        with pytest.raises(ValueError, match="not encapsulated"):
            damage(file)
