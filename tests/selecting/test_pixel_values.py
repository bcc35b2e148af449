"""Each example of dbdicom's reference page of ``Series.pixel_values``."""

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.testing import flip_angle_series, frame_number, write_series

DIMS = ("SliceLocation", "FlipAngle", "RepetitionTime")


@pytest.fixture(scope="module")
def zeros(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flip")
    flip_angle_series(folder)
    return xdicom.open_series(folder)


def test_whole_array(zeros):
    array = zeros.dicom.pixel_values(DIMS)
    assert array.shape == (128, 64, 4, 3, 2)
    assert array.dtype == np.float32
    assert type(array) is np.ndarray


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"FlipAngle": 15}, (128, 64, 4, 1, 2)),
        ({"FlipAngle": 99}, (0, 0, 0, 0, 0)),  # the page's "size 0": a value that no image has
        ({"FlipAngle": np.array([15, 30])}, (128, 64, 4, 2, 2)),
        ({"FlipAngle": [15, 30]}, (128, 64, 4, 2, 2)),
        (
            {"FlipAngle": np.array([15, 30]), "SliceLocation": np.array([10, 20])},
            (128, 64, 2, 2, 2),
        ),
        ({"AcquisitionTime": 0}, (0, 0, 0, 0, 0)),
        ({"select": {"FlipAngle": 15}}, (128, 64, 4, 1, 2)),
        ({"select": {(0x0018, 0x1314): 15}}, (128, 64, 4, 1, 2)),
        ({"slice": {(0x0018, 0x1314): 15}}, (128, 64, 4, 1, 2)),
        ({"coords": {"FlipAngle": np.array([2, 15])}}, (128, 64, 4, 2, 2)),
        ({"inds": {"FlipAngle": 1}}, (128, 64, 4, 1, 2)),
        ({"inds": {"FlipAngle": [0, 2], "SliceLocation": slice(1, 3)}}, (128, 64, 2, 2, 2)),
    ],
)
def test_filters_and_indices(zeros, arguments, shape):
    array = zeros.dicom.pixel_values(DIMS, **arguments)
    assert array.shape == shape
    assert array.dtype == np.float32


def test_indices_must_be_in_the_dims(zeros):
    with pytest.raises(ValueError, match=r"^Indices must be in the dimensions provided\.$"):
        zeros.dicom.pixel_values(DIMS, inds={"AcquisitionTime": 0})


def test_values_are_those_of_the_frames(tmp_path):
    flips, slices = [2, 15, 30], [0.0, 10.0, 20.0]
    write_series(tmp_path, {"FlipAngle": flips, "z": slices}, rows=8, columns=12, shuffle=3)
    da = xdicom.open_series(tmp_path, mask_and_scale=False)
    found, coords = da.dicom.pixel_values(("SliceLocation", "FlipAngle"), return_coords=True)
    assert coords["FlipAngle"].tolist() == flips
    assert len(coords["SliceLocation"]) == 3
    for i in range(3):
        for j in range(3):
            frame = found[:, :, i, j].T.astype(np.uint16)
            assert frame_number(frame) == j * 3 + i
    one = da.dicom.pixel_values(("SliceLocation", "FlipAngle"), inds={"FlipAngle": 1})
    np.testing.assert_array_equal(one[..., 0], found[..., 1])


def test_own_values_after_arithmetic(zeros):
    twice = (zeros * 2 + 1).dicom.pixel_values(DIMS, FlipAngle=30)
    np.testing.assert_array_equal(twice, zeros.dicom.pixel_values(DIMS, FlipAngle=30) * 2 + 1)


def test_default_dim_is_the_instance_number(zeros):
    assert zeros.dicom.pixel_values().shape == (128, 64, 24)


def test_dims_that_do_not_tell_frames_apart(zeros):
    with pytest.raises(xdicom.NotHypercubeError, match="RepetitionTime"):
        zeros.dicom.pixel_values(("SliceLocation", "FlipAngle"))


def test_the_same_by_sel_and_isel(zeros):
    native = zeros.sel(FlipAngle=[15]).isel(z=slice(1, 3))
    old = zeros.dicom.pixel_values(
        ("SliceLocation", "FlipAngle", "RepetitionTime"),
        inds={"SliceLocation": slice(1, 3)},
        FlipAngle=15,
    )
    expected = native.transpose("x", "y", "z", "FlipAngle", "RepetitionTime").values
    np.testing.assert_array_equal(old, expected)
    with pytest.raises(KeyError):
        zeros.sel(FlipAngle=[15, 99])


def test_dims_of_the_public_face(tmp_path):
    flip_angle_series(tmp_path)
    da = xdicom.open_series(tmp_path, dims=DIMS)
    assert da.dims == (*DIMS, "y", "x")
    mean = da.sel(FlipAngle=15).isel(SliceLocation=slice(2, 4)).mean("SliceLocation")
    assert isinstance(mean, xr.DataArray)
    assert mean.dims == ("RepetitionTime", "y", "x")
