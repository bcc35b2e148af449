"""Modality LUTs of any depth, first value and sign equal a table looked up by hand."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import xdicom
from xdicom.testing import write_enhanced, write_series


def lut(descriptor, data, kind="HU"):
    return {
        "ModalityLUTSequence": [
            {"LUTDescriptor": descriptor, "ModalityLUTType": kind, "LUTData": data}
        ],
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "RescaleType": None,
    }


def write(folder, stored, attributes, **options):
    write_series(folder, {"z": len(stored)}, stored=stored, attributes=attributes, **options)


def by_hand(stored, first, data):
    """PS3.3 C.11.1.1, one value at a time."""
    flat = [data[min(max(int(v) - first, 0), len(data) - 1)] for v in stored.ravel()]
    return np.array(flat).reshape(stored.shape)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian,
                                    ExplicitVRBigEndian])  # fmt: skip
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize(("dtype", "first"), [("uint16", 0), ("uint16", 100), ("int16", -150)])
def test_depths_and_first_values(tmp_path, syntax, bits, dtype, first):
    rng = np.random.default_rng(bits)
    data = rng.integers(0, 2**bits, 200).tolist()
    low, high = (0, 400) if dtype == "uint16" else (-300, 300)
    stored = rng.integers(low, high, (2, 5, 7)).astype(dtype)
    write(tmp_path, stored, lut([200, first, bits], data), transfer_syntax=syntax)
    da = xdicom.open_series(tmp_path)
    assert da.dtype == np.float32
    assert da.attrs["units"] == "HU"
    assert da.attrs["dicom_scaling"] == "applied"
    np.testing.assert_array_equal(da, by_hand(stored, first, data))
    cut = da.isel(z=1, y=slice(1, 4), x=[5, 0])
    np.testing.assert_array_equal(cut, by_hand(stored, first, data)[1, 1:4][:, [5, 0]])
    np.testing.assert_array_equal(xdicom.open_series(tmp_path, scaling="stored"), stored)


def test_a_first_value_written_unsigned_for_signed_pixels(tmp_path):
    stored = np.arange(-5, 5, dtype=np.int16).reshape(1, 2, 5)
    data = list(range(1000, 1010))
    write(tmp_path, stored, lut(np.array([10, 65531, 16], "<u2").tobytes(), data))
    np.testing.assert_array_equal(xdicom.open_series(tmp_path), stored + 1005.0)


def test_bytes_packed_into_words(tmp_path):
    stored = np.arange(10, dtype=np.uint8).reshape(1, 2, 5)
    data = list(range(11, 21))
    words = np.array(data, np.uint8).view("<u2").tolist()
    write(tmp_path, stored, lut([10, 0, 8], words))
    np.testing.assert_array_equal(xdicom.open_series(tmp_path), stored + 11.0)


def test_0_entries_are_65536(tmp_path):
    stored = np.array([[[0, 1, 65535]]], np.uint16)
    data = np.arange(65536)[::-1].tolist()
    write(tmp_path, stored, lut([0, 0, 16], data, "US"))
    da = xdicom.open_series(tmp_path)
    assert da.values.tolist() == [[[65535, 65534, 0]]]
    assert "units" not in da.attrs


def test_each_instance_its_own(tmp_path):
    stored = np.ones((3, 2, 2), np.uint16)
    write(tmp_path, stored, {
        "ModalityLUTSequence": lambda i: [
            {"LUTDescriptor": [2, 0, 16], "ModalityLUTType": "OD", "LUTData": [0, 7 + i["z"]]}
        ] if i["z"] else None,
        "RescaleSlope": lambda i: None if i["z"] else 3,
    })  # fmt: skip
    da = xdicom.open_series(tmp_path)
    assert da.values[:, 0, 0].tolist() == [3, 8, 9]
    assert "units" not in da.attrs  # one frame has another


def test_each_frame_its_own(tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", {"z": 3}, rows=2, columns=2, shared=False,
                          stored=np.ones((3, 2, 2), np.uint16))  # fmt: skip
    ds = pydicom.dcmread(path)
    for place, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        item.LUTDescriptor = [2, 0, 16]
        item.ModalityLUTType = "Z_EFF"
        item["LUTData"] = pydicom.DataElement("LUTData", "US", [0, 50 + place])
        transformation = group.PixelValueTransformationSequence[0]
        transformation.clear()
        transformation.ModalityLUTSequence = [item]
    ds.save_as(path)
    da = xdicom.open_series(path)
    assert da.values[:, 0, 0].tolist() == [50, 51, 52]
    assert da.attrs["units"] == "Z_EFF"


def test_equal_tables_are_kept_once(tmp_path):
    write(tmp_path, np.ones((20, 2, 2), np.uint16), lut([4096, 0, 16], list(range(4096))))
    whole = xdicom.open_series(tmp_path).variable._data.array
    while not hasattr(whole, "scaling"):
        whole = whole.array
    assert len(whole.scaling.lookup.tables) == 1


def test_exact_values_of_a_table(tmp_path):
    write(tmp_path, np.ones((1, 2, 2), np.uint16), lut([3, 0, 16], [0, 255, 9]))
    da = xdicom.open_series(tmp_path, scaling="exact")
    assert da.dtype == np.uint8
    assert (da == 255).all()


@pytest.mark.parametrize(
    ("descriptor", "data", "error"),
    [
        ([10, 0, 16], [1, 2, 3], xdicom.CorruptFileError),
        ([10, 0], [1, 2, 3], xdicom.MissingAttributeError),
        ([10, 0, 16], None, xdicom.MissingAttributeError),
    ],
)
def test_invalid_ones(tmp_path, descriptor, data, error):
    write(tmp_path, np.ones((1, 2, 2), np.uint16), lut(descriptor, data))
    with pytest.raises(error, match="LUTD"):
        xdicom.open_series(tmp_path)
    assert xdicom.open_series(tmp_path, scaling="stored").dtype == np.uint16


def test_values_of_a_table_are_not_written_as_if_stored(tmp_path):
    write(tmp_path / "s", np.ones((1, 2, 2), np.uint16), lut([3, 0, 16], [0, 255, 9]))
    with pytest.raises(xdicom.ConformanceError, match="Modality LUT"):
        xdicom.open_series(tmp_path / "s").dicom.to_dicom(tmp_path / "o")
