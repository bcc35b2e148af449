"""Volumes in mosaics become the same arrays as volumes in single slices."""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom.errors import GeometryError, UncutMosaicWarning
from xdicom.testing import csa_header, frame_number, write_enhanced, write_mosaics, write_series
from xdicom.testing.mosaics import CSA_IMAGE_HEADER, SIEMENS_IMAGES, SIEMENS_TIMES

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)
VENDORS = pytest.mark.parametrize("vendor", ["Siemens", "UIH"])
NO_PRIVATE = {SIEMENS_IMAGES: None, CSA_IMAGE_HEADER: None}


def as_slices(folder, dims, slices, **settings):
    """The same volumes in files of single slices."""
    positions = settings.get("slice_spacing", 3.0) * np.arange(slices)
    if settings.pop("descending", False):
        positions = -positions
    write_series(folder, {**dims, "z": positions.tolist()}, **settings)
    return xdicom.open_series(folder, scaling="stored")


@pytest.mark.parametrize("orientation", [OBLIQUE, SAGITTAL, CORONAL, (1, 0, 0, 0, 1, 0)])
@pytest.mark.parametrize("descending", [False, True])
@VENDORS
def test_the_array_is_that_of_single_slices(tmp_path, vendor, descending, orientation):
    rng = np.random.default_rng()
    settings = {
        "orientation": orientation,
        "origin": rng.uniform(-90, 90, 3).round(3).tolist(),
        "slice_spacing": round(rng.uniform(1, 6), 2),
        "pixel_spacing": rng.uniform(0.5, 3, 2).round(3).tolist(),
        "seed": int(rng.integers(1 << 30)),
    }
    dims, slices = {"time": [0, 2.5, 5]}, int(rng.integers(2, 12))
    expected = as_slices(tmp_path / "s", dims, slices, descending=descending, **settings)
    write_mosaics(
        tmp_path / "m", dims, slices, vendor=vendor, descending=descending, shuffle=3, **settings
    )
    found = xdicom.open_series(tmp_path / "m", scaling="stored")
    assert found.dims == expected.dims == ("time", "z", "y", "x")
    assert found.dtype == expected.dtype
    for name in ("time", "z", "y", "x"):
        np.testing.assert_allclose(found[name], expected[name], atol=2e-5)
    np.testing.assert_allclose(found.dicom.affine, expected.dicom.affine, atol=2e-5)
    assert (found.values == expected.values).all()
    assert "mosaic" in str(found.dicom.explain())


def test_several_echoes_and_components(tmp_path):
    dims = {"component": ["M", "P"], "EchoTime": [5, 10, 20]}
    kinds = ["M", "P"]
    attributes = {
        "ImageType": lambda i: ["ORIGINAL", "PRIMARY", kinds[i["component"]], "ND", "MOSAIC"]
    }
    write_mosaics(tmp_path, dims, 5, attributes=attributes, shuffle=8)
    da = xdicom.open_series(tmp_path, scaling="stored")
    assert dict(da.sizes) == {"component": 2, "EchoTime": 3, "z": 5, "y": 16, "x": 24}
    numbers = [[[frame_number(f) for f in z] for z in e] for e in da.values]
    assert (np.ravel(numbers) == np.arange(30)).all()


def test_slice_times_are_a_coordinate_and_no_dim(tmp_path):
    """Simultaneous slices have one time; volumes are ordered by their own."""
    times = [0, 200, 100, 0, 200, 100]
    write_mosaics(tmp_path, {"time": [0, 3, 6]}, 6, slice_times=times, descending=True, shuffle=1)
    da = xdicom.open_series(tmp_path)
    assert dict(da.sizes) == {"time": 3, "z": 6, "y": 16, "x": 24}
    assert da.slice_time.dims == ("z",)
    assert da.slice_time.attrs["units"] == "s"
    np.testing.assert_allclose(da.slice_time, np.array(times[::-1]) / 1000)
    # where they differ from volume to volume they depend on both
    shifted = {SIEMENS_TIMES: lambda i: [t + 50 * i["time"] * (t > 0) for t in times]}
    write_mosaics(tmp_path / "b", {"time": [0, 3]}, 6, attributes=shifted, series_number=2)
    da = xdicom.open_series(tmp_path / "b")
    assert da.slice_time.dims == ("time", "z")


@VENDORS
def test_the_caller_may_name_the_dims(tmp_path, vendor):
    write_mosaics(tmp_path, {"FlipAngle": [5, 15]}, 4, vendor=vendor)
    if vendor == "Siemens":
        da = xdicom.open_series(tmp_path, dims=("FlipAngle", "SliceLocation"))
        assert dict(da.sizes) == {"FlipAngle": 2, "SliceLocation": 4, "y": 16, "x": 24}
        np.testing.assert_allclose(da.SliceLocation, [10, 13, 16, 19])
    flat = xdicom.open_series(tmp_path, dims="flat")
    assert dict(flat.sizes) == {"instance": 8, "y": 16, "x": 24}


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        (NO_PRIVATE, "how many slices"),
        ({CSA_IMAGE_HEADER: csa_header({"B_value": [1]})[:90]}, "header is damaged"),
    ],
)
def test_what_cannot_be_cut_is_flat_and_warns(tmp_path, attributes, why):
    write_mosaics(tmp_path, {"time": [0, 2]}, 5, attributes=attributes)
    with pytest.warns(UncutMosaicWarning, match=why):
        da = xdicom.open_series(tmp_path)
    assert dict(da.sizes) == {"time": 2, "y": 48, "x": 72}
    assert da.patient_space.attrs["geometry"] == "none"
    with pytest.raises(GeometryError):
        _ = da.dicom.affine
    assert why in str(da.dicom.explain())


def test_moved_mosaics_without_a_count_are_no_slices(tmp_path):
    """Prospective motion correction moves each volume a little."""
    positions = [[-20.0, -30, 10], [-20.0, -30, 10.4], [-20.0, -30, 10.1], [-20.0, -30, 10.9]]
    attributes = {**NO_PRIVATE, "ImagePositionPatient": lambda i: positions[i["time"]]}
    write_mosaics(tmp_path, {"time": [0, 2, 4, 6]}, 5, attributes=attributes)
    with pytest.warns(UncutMosaicWarning):
        da = xdicom.open_series(tmp_path)
    assert dict(da.sizes) == {"time": 4, "y": 48, "x": 72}


@pytest.mark.parametrize("spacing", [True, False])
def test_slices_that_still_say_mosaic_are_slices(tmp_path, recwarn, spacing):
    """Siemens XA takes mosaics apart and leaves ImageType as it was."""
    attributes = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}
    if not spacing:
        attributes["SpacingBetweenSlices"] = None
    write_series(tmp_path, {"time": [0, 2], "z": 5}, attributes=attributes, shuffle=5)
    da = xdicom.open_series(tmp_path)
    assert dict(da.sizes) == {"time": 2, "z": 5, "y": 16, "x": 24}
    assert da.patient_space.attrs["geometry"] == "rectilinear"
    assert not [w for w in recwarn if issubclass(w.category, UncutMosaicWarning)]


def test_frames_of_an_enhanced_object_that_still_says_mosaic(tmp_path, recwarn):
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}
    write_enhanced(tmp_path / "a.dcm", {"time": [0, 2], "z": 5}, attributes=kind)
    da = xdicom.open_series(tmp_path)
    assert dict(da.sizes) == {"time": 2, "z": 5, "y": 16, "x": 24}
    assert not [w for w in recwarn if issubclass(w.category, UncutMosaicWarning)]


def test_mosaics_beside_single_slices_of_one_size(tmp_path):
    """Frames that were cut and frames that are whole make one array where they make a grid."""
    common = {"series_uid": "1.2.3.4", "study_uid": "1.2.3", "frame_of_reference_uid": "1.2.3.9"}
    write_mosaics(tmp_path / "a", {}, 4, seed=1, **common)
    phase = {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}
    write_series(tmp_path / "b", {"z": 4}, attributes=phase, seed=2, **common)
    da = xdicom.open_series(tmp_path, scaling="stored")
    assert dict(da.sizes) == {"component": 2, "z": 4, "y": 16, "x": 24}
    for volumes in (da.values, [da.isel(component=i).values for i in range(2)]):
        assert [[frame_number(f) for f in frames] for frames in volumes] == [[0, 1, 2, 3]] * 2


def test_uncut_mosaics_are_apart_from_those_that_were_cut(tmp_path):
    common = {"series_uid": "1.2.3.4", "study_uid": "1.2.3", "frame_of_reference_uid": "1.2.3.9"}
    write_mosaics(tmp_path / "a", {"time": [0, 2]}, 5, seed=1, **common)
    write_mosaics(tmp_path / "b", {}, 5, attributes=NO_PRIVATE, seed=2, **common)
    with pytest.warns(UncutMosaicWarning):
        sizes = [dict(xdicom.open_series(tmp_path, array=f"a{i}").sizes) for i in range(2)]
    assert {"time": 2, "z": 5, "y": 16, "x": 24} in sizes
    assert sizes[0] != sizes[1]
