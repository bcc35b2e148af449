"""Geometry from x, y and z: where written frames lie."""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom import ConformanceError, testing
from xdicom.errors import IrregularSpacingWarning, ShearedStackWarning, UncutMosaicWarning
from xdicom.writing.planes import plan_planes
from xdicom.writing.selection import select_frames

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
ROW, COLUMN = np.array(OBLIQUE[:3]), np.array(OBLIQUE[3:])
NORMAL = np.cross(ROW, COLUMN)
ORIGIN = np.array([-20.0, -30.0, 10.0])


@pytest.fixture
def oblique(opened):
    return opened({"z": 3}, orientation=OBLIQUE, attributes={"PatientOrientation": ["LP", "RPH"]})


def test_untouched_geometry_keeps_its_text(opened, write):
    odd = {
        "ImagePositionPatient": b"-20.000\\-30.0\\+1.0E1",
        "PixelSpacing": b"1.50\\1.250",
        "ImageOrientationPatient": b"1\\0\\0.0\\0\\1.0\\0",
        "SliceLocation": b"-77",
    }
    ds = write(opened({"z": 1}, attributes=odd))[0]
    for keyword, text in odd.items():
        assert ds.get_item(keyword).value.strip() == text


def test_crop_moves_the_position(oblique, write):
    files = write(oblique.isel(y=slice(3, None), x=slice(5, 9)))
    for k, ds in enumerate(files):
        expected = ORIGIN + 3 * k * NORMAL + 5 * 1.25 * ROW + 3 * 1.5 * COLUMN
        np.testing.assert_allclose(ds.ImagePositionPatient, expected, atol=1e-9)
        assert (ds.Rows, ds.Columns) == (13, 4)
        assert list(ds.PixelSpacing) == [1.5, 1.25]
        np.testing.assert_allclose(ds.ImageOrientationPatient, OBLIQUE)
        assert ds.SliceLocation == pytest.approx(expected @ NORMAL, abs=1e-9)
        assert ds.PatientOrientation == ["LP", "RPH"]


def test_stride_widens_the_spacing(oblique, write):
    ds = write(oblique.isel(y=slice(1, None, 3), x=slice(None, None, 2)))[0]
    assert list(ds.PixelSpacing) == [4.5, 2.5]
    np.testing.assert_allclose(ds.ImagePositionPatient, ORIGIN + 1.5 * COLUMN, atol=1e-9)


def test_flip_turns_the_cosines_and_the_normal(oblique, write):
    ds = write(oblique.isel(x=slice(None, None, -1)))[0]
    np.testing.assert_allclose(ds.ImageOrientationPatient, [*-ROW, *COLUMN])
    position = ORIGIN + 23 * 1.25 * ROW
    np.testing.assert_allclose(ds.ImagePositionPatient, position, atol=1e-9)
    assert ds.SliceLocation == pytest.approx(position @ -NORMAL, abs=1e-9)
    assert ds.PatientOrientation == ["RA", "RPH"]
    both = write(oblique.isel(x=slice(None, None, -1), y=slice(None, None, -1)))[0]
    np.testing.assert_allclose(both.ImageOrientationPatient, [*-ROW, *-COLUMN])
    assert both.PatientOrientation == ["RA", "LAF"]
    assert both.SliceLocation == pytest.approx(ORIGIN @ NORMAL, abs=1e-9)


def test_flip_along_z_only_reorders(oblique, write):
    forward, back = write(oblique), write(oblique[::-1])
    for a, b in zip(forward, reversed(back), strict=True):
        assert a.PixelData == b.PixelData
        assert a.ImagePositionPatient == b.ImagePositionPatient
        assert a.InstanceNumber + b.InstanceNumber == 4


@pytest.mark.parametrize(
    ("select", "between"),
    [
        (slice(None), "3.0"),
        (slice(None, None, 2), "6"),
        (slice(None, None, -3), "9"),
        ([0, 1, 4], None),
        ([3], "3.0"),
    ],
)
def test_spacing_between_slices(opened, write, select, between):
    da = opened({"z": 7}).isel(z=select)
    for ds in write(da):
        found = ds.get_item("SpacingBetweenSlices")
        assert (None if found is None else found.value.decode().strip()) == between
        assert ds.SliceThickness == 3


def test_spacing_between_slices_is_not_added(opened, write):
    ds = write(opened({"z": 4}, attributes={"SpacingBetweenSlices": None})[::2])[0]
    assert "SpacingBetweenSlices" not in ds


def test_other_spacings_and_the_aspect_ratio(opened, write):
    da = opened(
        {"instance": 1},
        modality="OT",
        attributes={
            "ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None,
            "ImagerPixelSpacing": [0.2, 0.1], "PixelAspectRatio": [2, 1],
        },
    )  # fmt: skip
    ds = write(da.isel(y=slice(None, None, 3), x=slice(1, None, 2)))[0]
    assert list(ds.ImagerPixelSpacing) == [0.6, 0.2]
    assert list(ds.PixelAspectRatio) == [3, 1]
    kept = write(da.isel(y=slice(None, None, 2), x=slice(1, None, 2)))[0]
    assert list(kept.PixelAspectRatio) == [2, 1]


def test_coordinates_between_pixels(oblique, write):
    """Values at half-pixel places, as `coarsen` makes them."""
    coarse = oblique.coarsen(x=2, y=4).construct(x=("x", "i"), y=("y", "j")).isel(i=0, j=0)
    coarse = coarse.assign_coords(
        x=oblique.x.coarsen(x=2).mean(), y=oblique.y.coarsen(y=4).mean()
    ).drop_vars(["i", "j"], errors="ignore")
    ds = write(coarse)[0]
    assert list(ds.PixelSpacing) == [6, 2.5]
    expected = ORIGIN + 0.5 * 1.25 * ROW + 1.5 * 1.5 * COLUMN
    np.testing.assert_allclose(ds.ImagePositionPatient, expected, atol=1e-4)


def test_a_stack_that_was_moved(oblique, write):
    ds = write(oblique.assign_coords(z=oblique.z + 7.5, x=oblique.x - 2.5))[1]
    expected = ORIGIN + (3 + 7.5) * NORMAL - 2.5 * ROW
    np.testing.assert_allclose(ds.ImagePositionPatient, expected, atol=1e-4)
    assert ds.SliceLocation == pytest.approx(expected @ NORMAL, abs=1e-4)


@pytest.mark.parametrize("dim", ["x", "y"])
def test_uneven_and_lost_coordinates(opened, write, dim):
    da = opened({"z": 1})
    with pytest.raises(ConformanceError, match=f"{dim} is not evenly spaced"):
        write(da.isel({dim: [0, 1, 3]}))
    with pytest.raises(ConformanceError, match=f"{dim} is not evenly spaced"):
        write(da.isel({dim: [0, 0]}))
    with pytest.raises(ConformanceError, match=f"coordinate {dim} is gone"):
        write(da.drop_vars(dim))
    with pytest.raises(ConformanceError, match="patient_space is gone"):
        write(da.drop_vars("patient_space"))
    nan = da[dim].copy(data=np.full(da.sizes[dim], np.nan))
    with pytest.raises(ConformanceError, match="evenly spaced"):
        write(da.assign_coords({dim: nan}))


def test_one_pixel_is_a_plane(oblique, write):
    ds = write(oblique.isel(x=4, y=[2]))[0]
    assert (ds.Rows, ds.Columns, list(ds.PixelSpacing)) == (1, 1, [1.5, 1.25])
    expected = ORIGIN + 5 * ROW + 3 * COLUMN
    np.testing.assert_allclose(ds.ImagePositionPatient, expected, atol=1e-9)


def tilted(index):
    return [-20.0, -30.0 + 0.5 * index["z"], 10.0 + 3.0 * index["z"]]


def test_sheared_stacks_keep_each_planes_origin(opened, write):
    with pytest.warns(ShearedStackWarning):
        da = opened({"z": 4}, attributes={"ImagePositionPatient": tilted})
    for k, ds in enumerate(write(da.isel(x=slice(2, None), y=slice(3, None)))):
        expected = [-20 + 2.5, -30 + 0.5 * k + 4.5, 10 + 3 * k]
        np.testing.assert_allclose(ds.ImagePositionPatient, expected, atol=1e-9)
    with pytest.raises(ConformanceError, match="z is not that of the headers"):
        write(da.assign_coords(z=da.z + 1))


def test_irregular_stacks(opened, write):
    with pytest.warns(IrregularSpacingWarning):
        da = opened({"z": [0, 1, 5, 6]})
    files = write(da)
    assert [ds.ImagePositionPatient[2] for ds in files] == [10, 11, 15, 16]
    assert "SpacingBetweenSlices" not in files[0]


def radial(index):
    angle = np.pi * index["instance"] / 6
    return [np.cos(angle), np.sin(angle), 0, 0, 0, -1]


def test_planes_of_their_own_orientation(opened, write):
    da = opened({"instance": 5}, attributes={"ImageOrientationPatient": radial})
    assert da.patient_space.attrs["geometry"] == "per_frame"
    for i, ds in enumerate(write(da.isel(x=slice(None, None, -1), y=slice(4, None)))):
        cosines = np.array(radial({"instance": i}))
        position = ORIGIN + 23 * 1.25 * cosines[:3] + 4 * 1.5 * cosines[3:]
        np.testing.assert_allclose(ds.ImagePositionPatient, position, atol=1e-9)
        expected = [*-cosines[:3], *cosines[3:]]
        np.testing.assert_allclose(ds.ImageOrientationPatient, expected, atol=1e-9)


def test_a_position_without_orientation_cannot_be_moved(opened, write):
    da = opened({"instance": 1}, attributes={"ImageOrientationPatient": None})
    assert write(da)[0].ImagePositionPatient == [-20, -30, 10]
    for changed in (da.isel(x=slice(1, None)), da.isel(y=slice(None, None, -1))):
        with pytest.raises(ConformanceError, match="source lacks"):
            write(changed)


def test_a_mosaic_that_is_whole_cannot_be_cropped(opened, write):
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}
    with pytest.warns(UncutMosaicWarning):  # nothing says how many slices it holds
        da = opened({"z": 1}, attributes=kind)
    assert write(da)[0].ImageType[-1] == "MOSAIC"
    with pytest.raises(ConformanceError, match=r"source lacks .*MOSAIC"):
        write(da.isel(x=slice(4)))


def test_small_drifts_and_spacings_of_one_array(tmp_path, write):
    """Frames that differ within the tolerances of a stack keep their own text."""
    testing.write_series(
        tmp_path / "s",
        {"z": 3},
        attributes={
            "ImagePositionPatient": lambda i: [-20 + 0.004 * i["z"], -30, 10 + 3.001 * i["z"]],
            "PixelSpacing": lambda i: [1.5, 1.25 * (1 + 4e-4 * i["z"])],
        },
    )
    da = xdicom.open_series(tmp_path / "s")
    planes = plan_planes(select_frames(da))
    assert not planes.layout
    for i, ds in enumerate(write(da)):
        assert ds.PixelSpacing[1] == pytest.approx(1.25 * (1 + 4e-4 * i))
        assert ds.ImagePositionPatient[0] == -20 + 0.004 * i


def test_cosines_that_are_not_quite_orthogonal(opened, again):
    """A crop lies where x and y say, though the header's cosines are off within the tolerance."""
    bent = [1, 0, 0, 5e-5, 1, 0]
    da = opened({"z": 2}, rows=200, columns=200, attributes={"ImageOrientationPatient": bent})
    cropped = da.isel(y=slice(150, None), x=slice(7, None))
    found = again(cropped)
    for dim in ("x", "y", "z"):
        np.testing.assert_allclose(found[dim], cropped[dim], atol=1e-4)
