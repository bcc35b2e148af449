"""Parametric Maps: values of their real-world value map, by slices."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import AmbiguousSeriesError, ConformanceError
from xdicom.testing import real_world_map, write_parametric_map

SHAPE = (4, 6, 5)


@pytest.fixture
def write(tmp_path):
    return lambda *args, **o: write_parametric_map(
        tmp_path / "map.dcm", *args, shuffle=7, orientation=(0, 1, 0, 0, 0, -1), **o
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_floats(write, dtype, syntax):
    values = np.random.default_rng(1).normal(size=SHAPE).astype(dtype)
    da = xdicom.open_series(write(values, transfer_syntax=syntax))
    assert da.dims == ("z", "y", "x")
    assert da.dtype == dtype
    np.testing.assert_array_equal(da, values)
    assert (da.attrs["units"], da.attrs["dicom_scaling"]) == ("um2/s", "real_world")
    np.testing.assert_allclose(np.diff(da.z), 3)


@pytest.mark.parametrize(("dtype", "expected"), [("uint8", "f4"), ("uint16", "f4")])
def test_integers(write, dtype, expected):
    stored = np.random.default_rng(2).integers(0, 256, SHAPE).astype(dtype)
    path = write(stored, [real_world_map(0.25, -3, units="ms")])
    da = xdicom.open_series(path)
    assert (da.dtype, da.attrs["units"]) == (expected, "ms")
    np.testing.assert_array_equal(da, stored * 0.25 - 3)
    np.testing.assert_array_equal(xdicom.open_series(path, scaling="stored"), stored)


def test_several_maps(write):
    stored = np.random.default_rng(3).integers(0, 256, SHAPE).astype("uint16")
    maps = [real_world_map(2, label="T1", units="ms"), real_world_map(0.5, label="R1", units="Hz")]
    path = write(stored, maps)
    with pytest.raises(AmbiguousSeriesError, match="rwvm="):
        xdicom.open_series(path)
    for choice, slope, units in (("T1", 2, "ms"), ("Hz", 0.5, "Hz"), (1, 0.5, "Hz")):
        da = xdicom.open_series(path, rwvm=choice)
        np.testing.assert_array_equal(da, stored * slope)
        assert da.attrs["units"] == units


def test_two_of_a_series_are_two_arrays(tmp_path):
    for number in (1, 2):
        values = np.full(SHAPE, number, "float32")
        write_parametric_map(tmp_path / f"{number}.dcm", values, instance_number=number)
    tree = xr.open_datatree(tmp_path, engine="dicom")
    found = [float(node.ds.pixels.mean()) for node in tree.subtree if "pixels" in node.ds]
    assert found == [1, 2]


def test_not_written(write, tmp_path):
    da = xdicom.open_series(write(np.ones(SHAPE, "float32")))
    with pytest.raises(ConformanceError):
        da.dicom.to_dicom(tmp_path / "out")
    assert not (tmp_path / "out").exists()
