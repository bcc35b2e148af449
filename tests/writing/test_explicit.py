"""Headers of all encodings become the same explicit little-endian elements."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from xdicom import testing
from xdicom.writing.explicit import ds_text, element, encode, header_elements, value_of

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"

NESTED = {
    "ReferencedImageSequence": [
        {
            "ReferencedSOPInstanceUID": "1.2.3",
            "PurposeOfReferenceCodeSequence": [{"CodeValue": "1"}, {"CodeMeaning": "two"}],
            "ReferencedFrameNumber": [1, 2],
        },
        {"ReferencedSOPClassUID": "1.2"},
    ],
    "PixelPaddingValue": -5,
    "RedPaletteColorLookupTableDescriptor": [4, 0, 16],
    "ModalityLUTSequence": [{"LUTDescriptor": [4, -7, 16]}],
    "AcquisitionMatrix": [0, 256, 192, 0],
    "FrameIncrementPointer": 0x00181063,
    "DiffusionBValue": 1000.5,
    "RepresentativeFrameNumber": 3,
    (0x0019, 0x0C, "SIEMENS MR HEADER", "IS"): 1000,
}


def as_explicit(elements):
    return pydicom.filereader.read_dataset(
        io.BytesIO(b"".join(elements[tag] for tag in sorted(elements))), False, True
    )


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_encoding_gives_the_same_elements(tmp_path, syntax):
    made = {}
    for one in (ExplicitVRLittleEndian, syntax):
        (path,) = testing.write_series(
            tmp_path / one, {"z": 1}, dtype="int16", transfer_syntax=one, attributes=NESTED
        )
        made[one] = header_elements(pydicom.dcmread(path, stop_before_pixels=True))
    assert made[syntax] == made[ExplicitVRLittleEndian]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_elements_read_back_as_they_were(tmp_path, syntax):
    (path,) = testing.write_series(
        tmp_path, {"z": 1}, dtype="int16", transfer_syntax=syntax, attributes=NESTED
    )
    source = pydicom.dcmread(path, stop_before_pixels=True)
    again = as_explicit(header_elements(pydicom.dcmread(path, stop_before_pixels=True)))
    assert list(again.keys()) == list(source.keys())
    assert again == source


def readable(path):
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        str(ds)
    except Exception:  # noqa: BLE001  whatever pydicom cannot read is no matter here
        return False
    return "SOPClassUID" in ds


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", [p for p in sorted(BUNDLED.glob("*.dcm")) if readable(p)], ids=lambda p: p.name
)
def test_real_headers(path):
    source = pydicom.dcmread(path, stop_before_pixels=True)
    again = as_explicit(header_elements(pydicom.dcmread(path, stop_before_pixels=True)))
    for one in source:
        if one.tag.element == 0 or one.VR == "UN" or one.VR == "SQ":
            continue
        assert one.tag in again, one
        found = again[one.tag]
        if found.VR == "UN":
            continue
        if one.VR in ("OW", "OB") or "or" in one.VR:
            continue
        assert found.value == one.value, one
    for one in source:
        if one.VR == "SQ":
            assert len(again[one.tag].value) == len(one.value)


def test_lengths_and_padding():
    assert element(0x00080018, "UI", b"1.2") == b"\x08\x00\x18\x00UI\x04\x001.2\0"
    assert element(0x00100010, "PN", b"A") == b"\x10\x00\x10\x00PN\x02\x00A "
    assert element(0x7FE00010, "OB", b"\1")[4:] == b"OB\0\0\x02\0\0\0\x01\0"
    long = element(0x00181065, "DS", b"1" * 70_000)  # PS3.5 6.2.2
    assert long[4:6] == b"UN"
    assert value_of(long) == b"1" * 70_000


@pytest.mark.parametrize("value", [1 / 3, -1e-7 / 3, -123456789.123456, 1e300, 0.1 + 0.2, -1e-12])
def test_decimal_strings(value):
    text = ds_text(value)
    assert len(text) <= 16
    assert np.isclose(float(text), value, rtol=1e-9)


def test_text_outside_the_repertoire():
    assert encode("SeriesDescription", "Ä", ["ISO_IR 100"])[8:] == b"\xc4 "
    assert encode("SeriesDescription", "Ä", ["ISO_IR 192"])[8:] == "Ä".encode()


def raw(tag, vr, value, *, length=None, little=True):
    tag = pydicom.tag.BaseTag(tag)
    length = len(value) if length is None else length
    return tag, pydicom.dataelem.RawDataElement(tag, vr, length, value, 0, False, little)


def test_undefined_length_stays_undefined():
    item = b"\xfe\xff\x00\xe0\0\0\0\0"
    ds = pydicom.Dataset(dict([raw(0x00091010, "OB", item, length=0xFFFFFFFF)]))
    encoded = header_elements(ds)[0x00091010]
    assert encoded == b"\x09\0\x10\x10OB\0\0\xff\xff\xff\xff" + item + b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("OW", b"\1\2\3\4", b"\2\1\4\3"),
        ("FL", b"\1\2\3\4", b"\4\3\2\1"),
        ("AT", b"\0\x18\x10\x63", b"\x18\0\x63\x10"),
        ("FD", b"\1\2\3\4\5\6\7\x08", b"\x08\7\6\5\4\3\2\1"),
        ("OB", b"\1\2", b"\1\2"),
        ("LO", b"ab", b"ab"),
        ("US", b"\1", b"\1\0"),  # half a number is left alone
    ],
)
def test_big_endian_numbers_are_turned_round(vr, value, expected):
    ds = pydicom.Dataset(dict([raw(0x00191010, vr, value, little=False)]))
    assert value_of(header_elements(ds)[0x00191010]) == expected


def test_big_endian_bytes_of_unknown_kind_are_left_out():
    ds = pydicom.Dataset(dict([raw(0x00191010, "UN", b"\1\2", little=False)]))
    assert header_elements(ds) == {}
