"""L, P and S of oblique voxels: found again after crops, flips and strides, never a wrong voxel."""

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xdicom
from xdicom.testing import write_series

OBLIQUE = (0.96, 0.28, 0.0, -0.168, 0.576, 0.8)


@pytest.fixture(scope="module")
def oblique(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oblique")
    write_series(folder, {"EchoTime": [5, 10], "z": 7}, rows=9, columns=11, orientation=OBLIQUE,
                 origin=(12.5, -33, 101.25), shuffle=4)  # fmt: skip
    return xdicom.patient_index(xdicom.open_series(folder).load())


def place(da, k, i, j):
    return dict(zip("LPS", (da.dicom.affine @ [k, i, j, 1])[:3], strict=True))


def parts(size):
    return st.tuples(st.integers(0, size - 3), st.sampled_from([1, 2, -1, -2])).map(
        lambda t: slice(t[0], None, t[1]) if t[1] > 0 else slice(None, t[0] or None, t[1])
    )


@settings(max_examples=40, deadline=None)
@given(kz=parts(7), ky=parts(9), kx=parts(11), data=st.data())
def test_points_find_their_voxels(oblique, kz, ky, kx, data):
    part = oblique.isel(z=kz, y=ky, x=kx)
    if min(part.sizes[d] for d in "zyx") < 2:
        return
    k, i, j = (data.draw(st.integers(0, part.sizes[d] - 1)) for d in "zyx")
    point = place(part, k, i, j)
    voxel = part.isel(z=k, y=i, x=j)
    for name in "LPS":
        assert float(voxel[name]) == pytest.approx(point[name], abs=1e-4)
    found = part.sel(**point, tolerance=0.01)
    np.testing.assert_array_equal(found.values, voxel.values)
    # within its voxel, but not within the tolerance
    moved = {**point, "S": point["S"] + 0.3}
    np.testing.assert_array_equal(part.sel(**moved).values, voxel.values)
    with pytest.raises(KeyError, match=r"0\.1 mm"):
        part.sel(**moved, tolerance=0.1)


@pytest.mark.parametrize("at", [(-0.6, 4, 5), (6.6, 4, 5), (3, -0.6, 5), (3, 8.6, 5), (3, 4, -0.6),
                                (3, 4, 10.6), (-400, 0, 0)])  # fmt: skip
def test_outside_is_no_voxel(oblique, at):
    with pytest.raises(KeyError, match="outside"):
        oblique.sel(**place(oblique, *at))


def test_nan_is_nowhere(oblique):
    with pytest.raises(KeyError, match="outside"):
        oblique.sel(L=np.nan, P=0, S=0)


def test_one_plane_keeps_the_index(oblique):
    plane = oblique.isel(z=3)
    assert plane.L.dims == ("y", "x")
    assert "L" in plane.xindexes
    np.testing.assert_array_equal(
        plane.sel(**place(oblique, 3, 2, 7)).values, oblique.values[:, 3, 2, 7]
    )
    with pytest.raises(KeyError):
        plane.sel(**place(oblique, 4, 2, 7))
    assert plane.isel(y=1, x=2).L.shape == ()


def test_several_points(oblique):
    where = {d: xr.DataArray(v, dims="point") for d, v in
             {"z": [0, 3, 6], "y": [1, 5, 8], "x": [2, 2, 10]}.items()}  # fmt: skip
    points = oblique.isel(where)
    assert points.L.dims == ("point",)
    found = oblique.sel(L=points.L, P=points.P, S=points.S)
    np.testing.assert_array_equal(found.values, points.values)
    with pytest.raises(KeyError, match="1 of 3"):
        oblique.sel(L=points.L + xr.DataArray([0, 0, 500.0], dims="point"), P=points.P, S=points.S)


def test_what_cannot_be_asked(oblique):
    with pytest.raises(ValueError, match="S is missing"):
        oblique.sel(L=1, P=2)
    with pytest.raises(TypeError, match="isel"):
        oblique.sel(L=slice(0, 1), P=2, S=3)
    with pytest.raises(TypeError, match="points"):
        oblique.sel(L=[1, 2], P=[2, 3], S=[3, 4])
    with pytest.raises(ValueError, match="ffill"):
        oblique.sel(L=1, P=2, S=3, method="ffill")


def test_it_is_small_and_lazy():
    """A volume of 2.5 GB: nothing is computed, and next to nothing is shipped."""
    mm = {"units": "mm"}
    da = xr.DataArray(
        np.broadcast_to(np.float32(0), (640, 1000, 1000)),
        dims=("z", "y", "x"),
        coords={
            **{d: (d, np.arange(float(n)), mm) for d, n in (("z", 640), ("y", 1000), ("x", 1000))},
            "patient_space": ((), 0, {"geometry": "rectilinear",
                                      "ImageOrientationPatient": list(OBLIQUE)}),
        },
    )  # fmt: skip
    placed = xdicom.patient_index(da)
    part = placed.isel(z=slice(None, None, -2), y=slice(5, None), x=slice(0, 1000, 3))
    assert len(pickle.dumps(part.coords["L"].variable)) < 60_000
    np.testing.assert_allclose(
        [part.L[3, 4, 5], part.P[3, 4, 5], part.S[3, 4, 5]],
        (part.dicom.affine @ [3, 4, 5, 1])[:3], atol=1e-6,
    )  # fmt: skip


def test_it_goes_with_the_array(oblique):
    for other in (oblique * 2, oblique.where(oblique > 5), oblique.mean("EchoTime"),
                  oblique.sel(EchoTime=5), oblique.chunk({"z": 1}), oblique.copy(deep=True),
                  oblique.transpose("x", "z", "EchoTime", "y"), oblique + oblique,
                  oblique.sel(z=slice(*oblique.z.values[[1, 4]]))):  # fmt: skip
        assert "L" in other.xindexes
        at = dict.fromkeys("zyx", 2)
        assert float(other.L.isel(at)) == pytest.approx(place(other, 2, 2, 2)["L"], abs=1e-4)
    assert "L" not in oblique.mean("z").coords
    joined = xr.concat([oblique, oblique], "time")
    assert "L" in joined.xindexes


def test_written_without_it(oblique, tmp_path):
    bare = oblique.drop_vars(["L", "P", "S"])
    assert "L" not in bare.coords
    assert set(bare.coords) | {"L", "P", "S"} == set(oblique.coords)


def test_sheared_slices(make):
    da = xdicom.PatientIndex.of(make({"z": 6}, tilt=0.9, origin=(-20, -30, 10)))
    assert da.transform.lattice.drift.any()
