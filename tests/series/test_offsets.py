"""Frames of RT Dose lie where GridFrameOffsetVector says (PS3.3 C.8.8.3.2)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import GeometryError, MissingAttributeError
from xdicom.testing import write_dose

OBLIQUE = (0.8, 0.6, 0, 0, 0, -1)
ORIGIN = (-20.0, -30.0, 10.0)


def planes(count, dtype="uint32", seed=0):
    info = np.iinfo(dtype)
    random = np.random.default_rng(seed)
    return random.integers(info.min, info.max, (count, 5, 6), dtype, endpoint=True)


@pytest.fixture
def write(tmp_path):
    return lambda *args, **options: write_dose(tmp_path / "dose.dcm", *args, **options)


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), OBLIQUE])
@pytest.mark.parametrize("offsets", [[0, 2.5, 5, 7.5], [0, -2.5, -5, -7.5]])
def test_relative(write, orientation, offsets):
    stored = planes(4)
    da = xdicom.open_series(write(stored, offsets, orientation=orientation, grid_scaling=1e-8))
    order = np.argsort(offsets)
    normal = np.cross(orientation[:3], orientation[3:])
    assert da.dims == ("z", "y", "x")
    np.testing.assert_allclose(da.z, ORIGIN @ normal + np.array(offsets)[order], atol=1e-5)
    np.testing.assert_array_equal(da, stored[order] * 1e-8)
    np.testing.assert_allclose(da.dicom.affine[:3, 0], 2.5 * normal, atol=1e-9)


@pytest.mark.parametrize("offsets", [[10, 13, 16], [10, 7, 4], [10, 11, 30]])
@pytest.mark.filterwarnings("ignore::xdicom.errors.IrregularSpacingWarning")
def test_absolute(write, offsets):
    stored = planes(3)
    da = xdicom.open_series(write(stored, offsets), scaling="stored")
    np.testing.assert_array_equal(da.z, sorted(offsets))
    np.testing.assert_array_equal(da, stored[np.argsort(offsets)])


def test_both_ways_are_one_at_zero(write):
    da = xdicom.open_series(write(planes(3), [0, 3, 6], origin=(1, 2, 0)))
    assert da.z.values.tolist() == [0, 3, 6]


@pytest.mark.parametrize(
    ("offsets", "options"),
    [
        ([0, 3, 3], {}),
        ([0, 3, 1], {}),
        ([0, 3], {}),
        ([0, 3, 6, 9], {}),
        ([5, 8, 11], {}),
        ([10, 13, 16], {"orientation": OBLIQUE}),
        ([10, 13, 16], {"orientation": (1, 0, 0, 0, -1, 0)}),
    ],
)
def test_offsets_that_tell_nothing(write, offsets, options):
    stored = planes(3)
    path = write(stored, offsets, **options)
    with pytest.raises(GeometryError, match="GridFrameOffsetVector"):
        xdicom.open_series(path)
    da = xdicom.open_series(path, dims="flat", scaling="stored")
    assert da.dims == ("instance", "y", "x")
    assert da.patient_space.attrs["geometry"] == "none"
    np.testing.assert_array_equal(da, stored)


def test_no_offsets_are_no_positions(write):
    stored = planes(3)
    da = xdicom.open_series(write(stored), scaling="stored")
    assert da.dims == ("instance", "y", "x")
    assert "z" not in da.coords
    np.testing.assert_array_equal(da, stored)


def test_a_single_plane(write):
    stored = planes(1)[0]
    da = xdicom.open_series(write(stored), scaling="stored")
    assert da.z.values.tolist() == [10]
    np.testing.assert_array_equal(da[0], stored)


def test_planes_are_arrays_of_their_own(tmp_path):
    for number in (1, 2):
        origin = (-20.0, -30.0, 10.0 * number)
        write_dose(tmp_path / f"{number}.dcm", planes(1)[0], origin=origin, instance_number=number)
    tree = xr.open_datatree(tmp_path, engine="dicom")
    found = [node.ds.z.item() for node in tree.subtree if "pixels" in node.ds]
    assert found == [10, 20]


@pytest.mark.parametrize(
    ("dtype", "expected"), [("uint16", "f4"), ("uint32", "f8"), ("int32", "f8"), ("int16", "f4")]
)
def test_values(write, dtype, expected):
    stored = planes(3, dtype)
    da = xdicom.open_series(write(stored, [0, 3, 6], grid_scaling=2.5e-5))
    assert da.dtype == expected
    np.testing.assert_array_equal(da, (stored * 2.5e-5).astype(expected))
    assert da.attrs["units"] == "GY"
    assert (da.attrs["DoseType"], da.attrs["DoseSummationType"]) == ("PHYSICAL", "PLAN")


def test_without_scaling(write):
    path = write(planes(3), [0, 3, 6], grid_scaling=None)
    with pytest.raises(MissingAttributeError, match="DoseGridScaling is missing"):
        xdicom.open_series(path)
    assert xdicom.open_series(path, scaling="stored").dtype == np.uint32


def test_dose_of_histograms_only(write):
    path = write()
    (node,) = [n for n in xr.open_datatree(path, engine="dicom").subtree if "frame_id" in n.coords]
    assert "pixels" not in node.ds
    assert "dicom_error" not in node.ds.attrs
    assert node.dicom.header().DVHSequence[0].DVHType == "CUMULATIVE"
