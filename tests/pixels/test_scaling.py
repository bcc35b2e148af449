"""Exact integers, padding, what travels to workers, and that all kinds stay lazy."""

import pickle

import dask.base
import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.pixels.array import COUNTER, FrameArray
from xdicom.testing import write_enhanced, write_series

MAP = [
    {
        "LUTLabel": "a",
        "MeasurementUnitsCodeSequence": [{"CodeValue": "ms"}],
        "RealWorldValueFirstValueMapped": 0,
        "RealWorldValueLastValueMapped": 65535,
        "RealWorldValueSlope": 2.0,
        "RealWorldValueIntercept": 0.0,
    }
]
PET = {
    "PatientWeight": 70,
    (0x2005, 0x0E, "Philips MR Imaging DD 001", "FL"): 0.5,
    "RealWorldValueMappingSequence": [MAP[0], {**MAP[0], "LUTLabel": "b"}],
    "PixelPaddingValue": 1000,
}


def frame_array(da):
    data = da.variable._data
    while not isinstance(data, FrameArray):
        data = data.array
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pet")
    write_series(folder, {"z": 300}, rows=4, columns=5, modality="PT", attributes=PET,
                 slope=lambda i: 1.0 + i["z"])  # fmt: skip
    return folder


KINDS = [
    {"scaling": "modality"},
    {"scaling": "stored"},
    {"scaling": "exact"},
    {"rwvm": "a"},
    {"rwvm": 1},
    {"scaling": "philips_fp"},
    {"scaling": "suv"},
    {"mask_padding": True},
]


@pytest.mark.parametrize("options", KINDS)
def test_lazy_and_small_when_pickled(folder, options):
    COUNTER.reset()
    da = xdicom.open_series(folder, **options)
    assert COUNTER.frames == 0
    array = frame_array(da)
    assert len(pickle.dumps(array)) < 40 * 300
    again = pickle.loads(pickle.dumps(array)).read((slice(7, 9), slice(None), slice(None)))
    np.testing.assert_array_equal(again, da.isel(z=slice(7, 9)))


def test_names_follow_the_options(folder):
    def tokens():
        arrays = [frame_array(xdicom.open_series(folder, **o)) for o in KINDS]
        return [dask.base.tokenize(a) for a in arrays]

    first = tokens()
    assert tokens() == first
    # the two maps are alike but in their labels
    assert len(set(first)) == len(KINDS) - 1


class TestExact:
    @pytest.mark.parametrize(
        ("dtype", "bits", "slope", "intercept", "expected"),
        [
            ("uint16", 12, 1, -1024, "int16"),
            ("uint16", 16, 1, -1024, "int32"),
            ("uint16", 12, 16, 0, "uint16"),
            ("uint16", 12, 17, 0, "uint32"),
            ("uint16", 8, 1, 0, "uint8"),
            ("uint16", 8, 1, -128, "int8"),
            ("uint16", 8, -1, 0, "int16"),
            ("int16", 16, 1, 32768, "uint16"),
            ("int16", 12, 1, 0, "int16"),
            ("int16", 8, 1, 0, "int8"),
            ("uint8", 8, 300, -5, "int32"),
            ("uint32", 32, 1, 0, "uint32"),
            ("uint32", 32, 1, -1, "int64"),
            ("uint32", 32, 5, 0, "int64"),
            ("uint32", 32, 9999999, 0, "int64"),
            ("int32", 32, 2**32, 0, "float64"),
            ("uint16", 12, 0.5, 0, "float32"),
            ("uint16", 12, 1, 0.5, "float32"),
        ],
    )
    def test_smallest_type_that_holds_all(self, tmp_path, dtype, bits, slope, intercept, expected):
        signed = dtype.startswith("int")
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        stored = np.array([[[low, low + 1, 3], [7, high - 1, high]]], dtype)
        write_series(tmp_path, {"z": 1}, stored=stored, bits_stored=bits, slope=slope,
                     intercept=intercept)  # fmt: skip
        da = xdicom.open_series(tmp_path, scaling="exact")
        assert da.dtype == np.dtype(expected)
        assert da.attrs["dicom_scaling"] == "applied"
        values = [int(v) * slope + intercept for v in stored.ravel().tolist()]
        assert da.values.ravel().tolist() == values

    def test_over_all_frames(self, tmp_path):
        write_series(tmp_path, {"z": 3}, stored=np.full((3, 2, 2), 100, np.uint8),
                     slope=lambda i: [1, 2, 3][i["z"]], intercept=-1)  # fmt: skip
        da = xdicom.open_series(tmp_path, scaling="exact")
        assert da.dtype == np.int16
        assert da.values[:, 0, 0].tolist() == [99, 199, 299]

    def test_one_frame_that_is_not_whole(self, tmp_path):
        write_series(tmp_path, {"z": 3}, slope=lambda i: [1, 2, 2.5][i["z"]], intercept=0)
        assert xdicom.open_series(tmp_path, scaling="exact").dtype == np.float32

    def test_written_as_it_was(self, tmp_path):
        write_series(tmp_path / "s", {"z": 2}, modality="CT", slope=1, intercept=-1024,
                     bits_stored=12, stored=np.arange(24, dtype="u2").reshape(2, 3, 4))  # fmt: skip
        da = xdicom.open_series(tmp_path / "s", scaling="exact")
        da.dicom.to_dicom(tmp_path / "o")
        np.testing.assert_array_equal(xdicom.open_series(tmp_path / "o", scaling="exact"), da)


class TestPadding:
    @pytest.mark.parametrize(
        ("dtype", "value", "limit", "low", "high"),
        [
            ("uint16", 5, None, 5, 5),
            ("uint16", 5, 9, 5, 9),
            ("uint16", 9, 5, 5, 9),
            ("int16", -8, None, -8, -8),
            ("int16", -8, -5, -8, -5),
            ("int16", np.array([65530], "<u2").tobytes(), None, -6, -6),
        ],
    )
    def test_becomes_nan(self, tmp_path, dtype, value, limit, low, high):
        stored = np.arange(-12 if dtype == "int16" else 0, 12).astype(dtype).reshape(1, -1, 4)
        attributes = {"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit}
        write_series(tmp_path, {"z": 1}, stored=stored, slope=0.5, intercept=1,
                     attributes=attributes)  # fmt: skip
        padded = (stored >= low) & (stored <= high)
        assert padded.any()
        da = xdicom.open_series(tmp_path, mask_padding=True)
        np.testing.assert_array_equal(da, np.where(padded, np.nan, stored * 0.5 + 1))
        np.testing.assert_array_equal(da.isel(y=[1, 2], x=3), da.values[:, [1, 2], 3])
        np.testing.assert_array_equal(xdicom.open_series(tmp_path), stored * 0.5 + 1)
        np.testing.assert_array_equal(da.dicom.padding_mask(), padded)

    def test_frames_of_different_padding(self, tmp_path):
        path = write_enhanced(tmp_path / "e.dcm", {"z": 2}, rows=2, columns=2,
                              stored=np.full((2, 2, 2), 7, np.uint16),
                              attributes={"PixelPaddingValue": 7})  # fmt: skip
        assert np.isnan(xdicom.open_series(path, mask_padding=True)).all()
        write_series(tmp_path / "s", {"z": 2}, stored=np.full((2, 2, 2), 7, np.uint16),
                     attributes={"PixelPaddingValue": lambda i: 7 + i["z"]})  # fmt: skip
        da = xdicom.open_series(tmp_path / "s", mask_padding=True)
        assert np.isnan(da.isel(z=0)).all()
        assert (da.isel(z=1) == 7).all()

    @pytest.mark.parametrize("scaling", ["stored", "exact"])
    def test_integers_cannot_hold_it(self, folder, scaling):
        with pytest.raises(xdicom.UnsupportedOptionError, match=r"uint16 cannot hold.*padding_mask|"
                           r"u?int\d+ cannot hold.*padding_mask"):  # fmt: skip
            xdicom.open_series(folder, scaling=scaling, mask_padding=True)

    def test_without_padding(self, tmp_path):
        write_series(tmp_path, {"z": 2})
        da = xdicom.open_series(tmp_path, mask_padding=True)
        xr.testing.assert_identical(da, xdicom.open_series(tmp_path))
        assert not da.dicom.padding_mask().any()


@pytest.mark.parametrize("scaling", ["real_world", "philips_fp", "suv"])
def test_colours_have_no_such_values(tmp_path, scaling):
    write_series(tmp_path, {"z": 1}, modality="OT", stored=np.zeros((1, 2, 2, 3), np.uint8))
    with pytest.raises(xdicom.UnsupportedOptionError, match="colours"):
        xdicom.open_series(tmp_path, scaling=scaling)
    assert xdicom.open_series(tmp_path, scaling="exact").dtype == np.uint8
