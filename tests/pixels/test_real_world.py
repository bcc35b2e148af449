"""Real-world value maps: lines and tables, ranges, units, and which of several."""

import numpy as np
import pydicom
import pytest
import xarray as xr
from pydicom.dataset import Dataset

import xdicom
from xdicom.testing import write_enhanced, write_series

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"


def value_map(label="ADC", unit="mm2/s", first=0, last=4095, **values):
    return {
        "LUTLabel": label,
        "LUTExplanation": f"about {label}",
        "MeasurementUnitsCodeSequence": [
            {"CodeValue": unit, "CodingSchemeDesignator": "UCUM", "CodeMeaning": unit}
        ],
        "RealWorldValueFirstValueMapped": first,
        "RealWorldValueLastValueMapped": last,
        **values,
    }


def line(slope, intercept=0.0, **values):
    return value_map(RealWorldValueSlope=slope, RealWorldValueIntercept=intercept, **values)


def write(folder, maps, stored=None, **attributes):
    stored = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) if stored is None else stored
    attributes = {"RealWorldValueMappingSequence": maps, **attributes}
    write_series(folder, {"z": len(stored)}, stored=stored, attributes=attributes)
    return stored


def test_never_by_default(tmp_path):
    stored = write(tmp_path, [line(0.5)])
    da = xdicom.open_series(tmp_path)
    np.testing.assert_array_equal(da, stored)
    assert da.attrs["dicom_scaling"] == "applied"


def test_line_and_unit(tmp_path):
    stored = write(tmp_path, [line(0.1, 7.25)], RescaleSlope=3, RescaleIntercept=9)
    da = xdicom.open_series(tmp_path, scaling="real_world")
    np.testing.assert_array_equal(da, (stored * 0.1 + 7.25).astype(np.float32))
    assert da.dtype == np.float32
    assert da.attrs["units"] == "mm2/s"
    assert da.attrs["dicom_scaling"] == "real_world"


def test_values_outside_of_the_range(tmp_path):
    stored = write(tmp_path, [line(2.0, first=5, last=9)])
    da = xdicom.open_series(tmp_path, scaling="real_world")
    inside = (stored >= 5) & (stored <= 9)
    np.testing.assert_array_equal(da, np.where(inside, stored * 2.0, np.nan))
    np.testing.assert_array_equal(da.isel(y=1, z=0), da.values[0, 1])


def test_a_signed_range(tmp_path):
    stored = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4)
    write(tmp_path, [line(2.0, first=-3, last=4)], stored)
    inside = (stored >= -3) & (stored <= 4)
    da = xdicom.open_series(tmp_path, scaling="real_world")
    np.testing.assert_array_equal(da, np.where(inside, stored * 2.0, np.nan))


def test_a_range_of_floats(tmp_path):
    item = line(2.0, first=None, last=None, DoubleFloatRealWorldValueFirstValueMapped=2.5,
                DoubleFloatRealWorldValueLastValueMapped=6.5)  # fmt: skip
    stored = write(tmp_path, [item])
    inside = (stored >= 3) & (stored <= 6)
    da = xdicom.open_series(tmp_path, scaling="real_world")
    np.testing.assert_array_equal(da, np.where(inside, stored * 2.0, np.nan))


def test_table(tmp_path):
    data = [0.5, -1.25, 8.0, 100.0]
    stored = write(tmp_path, [value_map(first=3, last=6, RealWorldValueLUTData=data)])
    da = xdicom.open_series(tmp_path, scaling="real_world")
    expected = [data[v - 3] if 3 <= v <= 6 else np.nan for v in stored.ravel().tolist()]
    np.testing.assert_array_equal(da.values.ravel(), expected)


class TestSeveral:
    @pytest.fixture
    def folder(self, tmp_path):
        write(tmp_path, [line(1.0), line(10.0, label="T1", unit="ms"), line(100.0, label="K")])
        return tmp_path

    @pytest.mark.parametrize(
        ("rwvm", "slope"), [("T1", 10), ("ms", 10), (0, 1), (2, 100), ("K", 100)]
    )
    def test_chosen_by_label_unit_or_number(self, folder, rwvm, slope):
        da = xdicom.open_series(folder, rwvm=rwvm)
        assert float(da[0, 0, 1]) == slope
        same = xdicom.open_series(folder, rwvm=rwvm, scaling="real_world")
        xr.testing.assert_identical(da, same)

    @pytest.mark.parametrize("rwvm", [None, "mm2/s"])
    def test_not_chosen(self, folder, rwvm):
        with pytest.raises(xdicom.AmbiguousSeriesError, match=r"0: 'ADC'.*1: 'T1' in 'ms'.*rwvm|"
                           r"rwvm=.*0: 'ADC'.*1: 'T1' in 'ms'"):  # fmt: skip
            xdicom.open_series(folder, rwvm=rwvm, scaling="real_world")

    @pytest.mark.parametrize("rwvm", ["R2", 3, -1])
    def test_none_such(self, folder, rwvm):
        with pytest.raises(xdicom.MissingAttributeError, match="2: 'K'"):
            xdicom.open_series(folder, rwvm=rwvm)

    @pytest.mark.parametrize("other", [{"scaling": "stored"}, {"mask_and_scale": False}])
    def test_contradictions(self, folder, other):
        with pytest.raises(ValueError, match="rwvm"):
            xdicom.open_series(folder, rwvm=1, **other)
        with pytest.raises(ValueError, match="rwvm=True"):
            xdicom.open_series(folder, rwvm=True)


def test_frames_of_different_units(tmp_path):
    write_series(tmp_path, {"z": 2}, attributes={
        "RealWorldValueMappingSequence": lambda i: [line(1.0, unit=["ms", "s"][i["z"]])]
    })  # fmt: skip
    with pytest.raises(xdicom.InconsistentSeriesError, match="ms, s"):
        xdicom.open_series(tmp_path, scaling="real_world")


def test_slope_of_each_instance(tmp_path):
    write_series(tmp_path, {"z": 3}, stored=np.ones((3, 2, 2), np.uint16), attributes={
        "RealWorldValueMappingSequence": lambda i: [line(1.5 + i["z"])]
    })  # fmt: skip
    da = xdicom.open_series(tmp_path, scaling="real_world")
    assert da.values[:, 0, 0].tolist() == [1.5, 2.5, 3.5]


@pytest.mark.parametrize("shared", [True, False])
def test_functional_groups(tmp_path, shared):
    path = write_enhanced(tmp_path / "e.dcm", {"z": 3}, rows=2, columns=2,
                          stored=np.ones((3, 2, 2), np.uint16))  # fmt: skip
    ds = pydicom.dcmread(path)

    def item(slope):
        made = Dataset()
        made.LUTLabel = "a"
        made.RealWorldValueSlope = slope
        made.RealWorldValueIntercept = 0.0
        unit = Dataset()
        unit.CodeValue = "Hz"
        made.MeasurementUnitsCodeSequence = [unit]
        return [made]

    if shared:
        ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = item(4.0)
    else:
        for place, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
            group.RealWorldValueMappingSequence = item(4.0 + place)
    ds.save_as(path)
    da = xdicom.open_series(path, scaling="real_world")
    assert da.values[:, 1, 1].tolist() == ([4, 4, 4] if shared else [4, 5, 6])
    assert da.attrs["units"] == "Hz"


def test_a_parametric_map_by_default(tmp_path):
    stored = np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    write(tmp_path, [line(0.25)], stored, SOPClassUID=PARAMETRIC_MAP)
    for options in ({}, {"scaling": "modality"}):
        da = xdicom.open_series(tmp_path, **options)
        np.testing.assert_array_equal(da, stored * 0.25)
        assert da.attrs["dicom_scaling"] == "real_world"
    np.testing.assert_array_equal(xdicom.open_series(tmp_path, mask_and_scale=False), stored)


def test_a_parametric_map_of_two(tmp_path):
    stored = np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    write(tmp_path, [line(0.25), line(1.0, label="b")], stored, SOPClassUID=PARAMETRIC_MAP)
    with pytest.raises(xdicom.AmbiguousSeriesError, match="rwvm="):
        xdicom.open_series(tmp_path)
    assert float(xdicom.open_series(tmp_path, rwvm="b")[0, 0, 1]) == 1


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (line(0.0), xdicom.MissingAttributeError),
        (line(float("nan")), xdicom.MissingAttributeError),
        (value_map(), xdicom.MissingAttributeError),
        (value_map(first=0, last=5, RealWorldValueLUTData=[1.0]), xdicom.CorruptFileError),
        (
            value_map(first=None, last=5, RealWorldValueLUTData=[1.0, 2.0]),
            xdicom.MissingAttributeError,
        ),
    ],
)
def test_invalid_ones(tmp_path, item, error):
    write(tmp_path, [item])
    with pytest.raises(error):
        xdicom.open_series(tmp_path, scaling="real_world")


def test_none_at_all(tmp_path):
    write_series(tmp_path, {"z": 1})
    with pytest.raises(xdicom.MissingAttributeError, match="no real-world value map"):
        xdicom.open_series(tmp_path, scaling="real_world")


def test_not_written_as_if_of_the_modality(tmp_path):
    write(tmp_path / "s", [line(0.25)])
    da = xdicom.open_series(tmp_path / "s", scaling="real_world")
    with pytest.raises(xdicom.ConformanceError, match="real_world"):
        da.dicom.to_dicom(tmp_path / "o")
