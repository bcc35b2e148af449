"""Sheared and uneven stacks on a rectilinear grid: an analytic phantom says what stands there."""

import numpy as np
import pytest
import xarray as xr

import xdicom

OBLIQUE = (0.96, 0.28, 0.0, -0.168, 0.576, 0.8)


def truth(points):
    return 500 + 2.0 * points[..., 0] - 3.0 * points[..., 1] + 1.5 * points[..., 2]


def places(da):
    k, i, j = np.meshgrid(*(np.arange(da.sizes[d]) for d in "zyx"), indexing="ij")
    index = np.stack([k, i, j, np.ones_like(k)], axis=-1)
    return (index @ da.dicom.affine.T)[..., :3]


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE])
@pytest.mark.parametrize("tilt", [0.9, -1.3])
def test_a_sheared_phantom(make, orientation, tilt):
    da = make({"EchoTime": [5, 10], "z": 9}, tilt=tilt, orientation=orientation,
              origin=(-20, -30, 10), rows=20, columns=16)  # fmt: skip
    assert da.patient_space.attrs["geometry"] == "sheared"
    flat = da.dicom.rectify()
    assert flat.patient_space.attrs["geometry"] == "rectilinear"
    assert flat.sizes["z"] == 9
    assert flat.sizes["y"] == 20 + int(np.ceil(8 * abs(tilt) / 1.5))  # nothing is cut off
    assert flat.sizes["x"] == 16
    inside = flat.notnull().values
    assert inside.all(axis=(1, 2, 3))[0] == False  # noqa: E712  planes leave some of it empty
    assert inside.sum() >= 2 * 9 * 19 * 16
    # beyond the outermost centres the edge is repeated
    off = np.abs(flat.values - truth(places(flat)))
    rows = inside.any(axis=3).sum(axis=2)
    assert (rows <= 21).all()
    assert np.nanmedian(off) < 1e-3
    assert np.nanmax(off) <= 3 * 0.75 + 1e-3
    lazy = da.chunk({"z": 2, "EchoTime": 1}).dicom.rectify()
    np.testing.assert_array_equal(lazy.values, flat.values)
    # the first slice's pixels stay where they are
    np.testing.assert_allclose(
        places(da)[0, 0, 0] @ np.array(orientation[:3]), flat.x.values[0], atol=1e-4
    )


def test_uneven_slices_need_a_step(make):
    da = make({"z": 9}, values=False)
    even = da.copy(data=truth(places(da)).astype(np.float32))
    torn = even.isel(z=[0, 1, 2, 4, 5, 8])
    with pytest.raises(xdicom.GeometryError, match="step="):
        torn.dicom.rectify()
    again = torn.dicom.rectify(step=3.0)
    xr.testing.assert_allclose(again.drop_vars("patient_space"),
                               even.drop_vars([v for v in even.coords if v not in again.coords]
                                              + ["patient_space"]))  # fmt: skip
    fine = torn.dicom.rectify(step=1.0)
    assert fine.sizes["z"] == 25
    np.testing.assert_allclose(fine.values, truth(places(fine)), atol=1e-3)
    down = torn.isel(z=slice(None, None, -1)).dicom.rectify(step=3.0)
    np.testing.assert_allclose(down.values, again.values[::-1], atol=1e-3)


def test_what_is_straight_comes_back(make):
    da = make({"z": 5})
    assert da.dicom.rectify() is da
    with pytest.raises(ValueError, match="distance"):
        da.dicom.rectify(step=0)


def test_a_flipped_shear(make):
    da = make({"z": 6}, tilt=0.9, origin=(-20, -30, 10))
    flat = da.dicom.rectify()
    other = da.isel(z=slice(None, None, -1), y=slice(None, None, -1)).dicom.rectify()
    z, y = flat.z.values, other.y.values
    # the same planes; pixels of another first slice, so on its lattice
    np.testing.assert_allclose(np.sort(other.z.values), z)
    assert (np.diff(y) < 0).all()
    off = np.abs(other.values - truth(places(other)))
    assert np.nanmedian(off) < 1e-3
