"""Values on another grid: exact where grids agree, linear functions kept, the same by chunks."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import xdicom

OBLIQUE = (0.96, 0.28, 0.0, -0.168, 0.576, 0.8)
BIG = {"rows": 32, "columns": 36, "origin": (-20, -30, 10)}


def places(da):
    k, i, j = np.meshgrid(*(np.arange(da.sizes[d]) for d in "zyx"), indexing="ij")
    index = np.stack([k, i, j, np.ones_like(k)], axis=-1)
    return (index @ da.dicom.affine.T)[..., :3]


def index_in(source, target):
    """Fractional index (z, y, x) of the target's voxels in the source, from the affines."""
    points = places(target)
    whole = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
    return (whole @ np.linalg.inv(source.dicom.affine).T)[..., :3]


@pytest.fixture
def pair(make):
    source = make({"EchoTime": [5, 10], "z": 16}, **BIG)
    target = make({"z": 9}, spacing=(1.1, 0.9), slice_spacing=2.0, orientation=OBLIQUE,
                  origin=(-10, -20, 20), rows=30, columns=33)  # fmt: skip
    return source, target


def test_linear_functions_are_kept(pair):
    source, target = pair
    mapped = source.dicom.map_to(target)
    assert mapped.dims == ("EchoTime", "z", "y", "x")
    assert mapped.dtype == np.float32
    index = index_in(source, target)
    size = np.array([source.sizes[d] for d in "zyx"])
    hull = ((index >= 0) & (index <= size - 1)).all(axis=-1)
    voxels = ((index >= -0.5) & (index <= size - 0.5)).all(axis=-1)
    assert 1000 < hull.sum() < hull.size  # some lie outside
    for echo in (0, 1):
        np.testing.assert_allclose(
            mapped.values[echo][hull], target.values[hull], rtol=0, atol=1e-3
        )
        # up to half a voxel beyond the outermost centres
        np.testing.assert_array_equal(np.isnan(mapped.values[echo]), ~voxels)


@pytest.mark.parametrize(("method", "order"), [("nearest", 0), ("linear", 1), ("cubic", 3)])
def test_values_are_those_of_scipy(pair, method, order):
    source, target = pair
    source = source.copy(data=np.random.default_rng(1).normal(size=source.shape))
    mapped = source.dicom.map_to(target, method=method, fill_value=-1)
    index = np.moveaxis(index_in(source, target), -1, 0)
    wanted = ndimage.map_coordinates(source.values[1], index, order=order, mode="nearest")
    inside = mapped.values[1] != -1
    assert inside.sum() > 1000
    np.testing.assert_allclose(mapped.values[1][inside], wanted[inside], atol=1e-4)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("limit", ["128MiB", "10kB"])
def test_chunks_give_the_same(pair, method, limit):
    source, target = pair
    whole = source.dicom.map_to(target, method=method)
    with dask.config.set({"array.chunk-size": limit}):
        lazy = source.chunk({"EchoTime": 1, "z": 5}).dicom.map_to(target, method=method)
    assert lazy.chunks[0] == (1, 1)
    assert len(lazy.chunks[1]) == (1 if limit == "128MiB" else 5)
    np.testing.assert_allclose(
        lazy.values, whole.values, rtol=0, atol=1e-4 if method == "cubic" else 0
    )
    xr.testing.assert_identical(lazy.coords.to_dataset(), whole.coords.to_dataset())


def test_a_block_reads_only_its_slab(pair):
    """Of 16 slices, the first four of the target need no more than six."""
    source, _ = pair
    read = []

    def note(block, block_info=None):
        if block_info:
            read.append(block_info[0]["array-location"][1][0])
        return block

    chunked = source.chunk({"EchoTime": 2, "z": 1})
    noted = chunked.copy(data=chunked.data.map_blocks(note, dtype=chunked.dtype))
    target = source.isel(EchoTime=0, z=slice(2, 12)).assign_coords(z=source.z.values[2:12] + 0.7)
    with dask.config.set({"array.chunk-size": "40kB", "scheduler": "sync"}):
        mapped = noted.dicom.map_to(target)
        assert len(mapped.chunks[1]) >= 3
        mapped.isel(z=slice(0, mapped.chunks[1][0])).compute()
    assert sorted(set(read)) == list(range(min(read), max(read) + 1))
    assert len(set(read)) <= mapped.chunks[1][0] + 5


def test_equal_grids_change_nothing(make):
    da = make({"EchoTime": [5, 10], "z": 6}, values=False)
    odd = da.copy(data=np.random.default_rng(2).normal(size=da.shape).astype(np.float32))
    odd[0, 0, 0, 0] = np.nan
    xr.testing.assert_identical(odd.dicom.map_to(da), odd)
    whole = da.astype(np.int16)
    assert whole.dicom.map_to(da).dtype == np.int16


def test_lazy_arrays_stay_lazy_on_equal_grids(make, tmp_path):
    make({"z": 5}, values=False)
    lazy = xdicom.open_series(tmp_path / "0")
    part = lazy.dicom.map_to(lazy.isel(z=slice(1, 3), x=slice(None, None, -1)))
    assert part._in_memory is False
    np.testing.assert_array_equal(part.values, lazy.values[1:3, :, ::-1])


def steps(size):
    return st.tuples(st.integers(0, size - 3), st.sampled_from([1, 2, -1, -2])).map(
        lambda t: slice(t[0], None, t[1]) if t[1] > 0 else slice(None, t[0] or None, t[1])
    )


@settings(max_examples=30, deadline=None)
@given(kz=steps(6), ky=steps(8), kx=steps(9), outer=st.booleans())
def test_parts_are_exact(kz, ky, kx, outer):
    """Crops, strides and flips: no value is interpolated, and frames stay frames."""
    whole = simulated((6, 8, 9))
    part = whole.isel(z=kz, y=ky, x=kx)
    if min(part.shape) < 2:
        return
    mapped = whole.dicom.map_to(part)
    np.testing.assert_array_equal(mapped.values, part.values)
    np.testing.assert_array_equal(mapped.frame_id.values, part.frame_id.values)
    if outer and {1, -1} >= {s.step for s in (kz, ky, kx)}:
        back = part.dicom.map_to(whole)
        stands = back.notnull()
        assert int(stands.sum()) == part.size
        assert "frame_id" not in back.coords or part.size == whole.size


def simulated(shape, seed=0):
    z, y, x = shape
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    mm = {"units": "mm"}
    return xr.DataArray(
        values,
        dims=("z", "y", "x"),
        coords={
            "z": ("z", 5 + 2.5 * np.arange(z), mm),
            "y": ("y", -7 + 1.5 * np.arange(y), mm),
            "x": ("x", 3 + 0.75 * np.arange(x), mm),
            "frame_id": ("z", np.arange(z) + 17),
            "patient_space": (
                (),
                0,
                {
                    "geometry": "rectilinear",
                    "FrameOfReferenceUID": "1.2.3",
                    "ImageOrientationPatient": list(OBLIQUE),
                },
            ),
        },
    )


def test_other_orders_of_the_axes_are_exact(make):
    """Sagittal planes cut out of axial ones: rows along P, columns against S."""
    axial = make({"z": 12}, spacing=(2, 1.25), slice_spacing=3, origin=(-20, -30, 10),
                 rows=20, columns=24)  # fmt: skip
    corner = (-20 + 23 * 1.25, -30, 10 + 33)
    sagittal = make({"z": 24}, spacing=(3, 2), slice_spacing=1.25, rows=12, columns=20,
                    orientation=(0, 1, 0, 0, 0, -1), origin=corner)  # fmt: skip
    axial = axial.copy(data=np.random.default_rng(0).normal(size=axial.shape).astype(np.float32))
    mapped = axial.dicom.map_to(sagittal)
    assert mapped.sizes == sagittal.sizes
    # slices of the target go towards −L, its columns towards −S
    np.testing.assert_array_equal(mapped.values, axial.values.transpose(2, 0, 1)[::-1, ::-1])
    assert "frame_id" not in mapped.coords
    np.testing.assert_array_equal(mapped.dicom.map_to(axial).values, axial.values)


def test_the_result_lies_on_the_target(pair):
    source, target = pair
    mapped = source.dicom.map_to(target)
    np.testing.assert_array_equal(mapped.dicom.affine, target.dicom.affine)
    assert mapped.patient_space.attrs == target.patient_space.attrs
    assert "frame_id" not in mapped.coords
    assert "SliceThickness" not in mapped.coords
    assert mapped.attrs["dicom_source"] == source.attrs["dicom_source"]
    assert mapped.dicom["SeriesInstanceUID"] == source.dicom["SeriesInstanceUID"]
    # the whole source may have contributed, whatever z says on planes of another orientation
    assert len(mapped.dicom.values("InstanceNumber")) == 32


def test_interpolated_frames_are_not_written_as_if_they_were_measured(pair, tmp_path):
    source, target = pair
    with pytest.raises(xdicom.ConformanceError, match="frame_id"):
        source.dicom.map_to(target).dicom.to_dicom(tmp_path / "out")


def test_taken_frames_are_written(make, tmp_path):
    da = make({"z": 6}, values=False)
    target = da.isel(z=slice(1, 5), y=slice(2, 10))
    da.dicom.map_to(target).dicom.to_dicom(tmp_path / "out")
    again = xdicom.open_series(tmp_path / "out")
    np.testing.assert_array_equal(again.values, target.values)
    np.testing.assert_allclose(again.dicom.affine, target.dicom.affine, atol=1e-4)


def test_a_sheared_target(make):
    source = make({"z": 16}, **BIG)
    target = make({"z": 8}, tilt=0.9, rows=20, columns=20, origin=(-10, -20, 15))
    mapped = source.dicom.map_to(target)
    np.testing.assert_allclose(mapped.values, target.values, atol=1e-3)
    np.testing.assert_allclose(mapped.dicom.affine, target.dicom.affine, atol=1e-4)
    part = mapped.isel(z=slice(6, 1, -2), y=slice(3, None))
    np.testing.assert_allclose(
        part.dicom.affine, target.isel(z=slice(6, 1, -2), y=slice(3, None)).dicom.affine, atol=1e-4
    )


def test_a_sheared_source(make):
    source = make({"z": 16}, tilt=0.9, **BIG)
    target = make({"z": 8}, rows=15, columns=20, slice_spacing=2, origin=(-10, -8, 15))
    mapped = source.dicom.map_to(target)
    assert not bool(mapped.isnull().any())
    np.testing.assert_allclose(mapped.values, target.values, atol=1e-3)


def test_one_slice_and_colour(make):
    da = make({"z": 6})
    one = da.isel(z=3)
    mapped = da.dicom.map_to(one)
    assert mapped.dims == ("y", "x")
    np.testing.assert_array_equal(mapped.values, one.values)
    back = one.dicom.map_to(da)
    assert back.isnull().all(("y", "x")).values.tolist() == [True] * 3 + [False] + [True] * 2
    colour = xr.concat([da, da * 2, da * 3], "sample").transpose(..., "sample")
    shifted = da.assign_coords(x=da.x + 0.3)
    mapped = colour.dicom.map_to(shifted)
    assert mapped.dims == ("z", "y", "x", "sample")
    np.testing.assert_allclose(
        mapped.isel(sample=2).values, 3 * da.dicom.map_to(shifted).values, rtol=1e-6
    )


def test_integers(make):
    da = make({"z": 6}).astype(np.int16)
    away = da.assign_coords(x=da.x + 0.4)
    assert da.dicom.map_to(away).dtype == np.float32
    assert da.astype(np.int32).dicom.map_to(away).dtype == np.float64
    kept = da.dicom.map_to(away, method="nearest", fill_value=-1)
    assert kept.dtype == np.int16
    np.testing.assert_array_equal(kept.values[..., :-1], da.values[..., :-1])


def test_frames_of_reference(make):
    da = make({"z": 4})
    other = da.copy(deep=True)
    other.patient_space.attrs["FrameOfReferenceUID"] = "1.2.3"
    with pytest.raises(xdicom.FrameOfReferenceError, match="different"):
        da.dicom.map_to(other)
    mapped = da.dicom.map_to(other, allow_other_frame_of_reference=True)
    np.testing.assert_array_equal(mapped.values, da.values)
    assert mapped.attrs["FrameOfReferenceUID"] == "1.2.3"
    del other.patient_space.attrs["FrameOfReferenceUID"]
    for one, two in ((da, other), (other, da), (other, other)):
        with pytest.raises(xdicom.FrameOfReferenceError, match="missing"):
            one.dicom.map_to(two)


def test_refusals(make):
    da = make({"z": 5})
    uneven = da.isel(z=[0, 1, 4])
    with pytest.raises(xdicom.GeometryError, match="rectify"):
        uneven.dicom.map_to(da)
    # an uneven target is no guess; neither are the planes themselves
    np.testing.assert_array_equal(da.dicom.map_to(uneven).values, uneven.values)
    np.testing.assert_array_equal(uneven.dicom.map_to(uneven).values, uneven.values)
    with pytest.raises(ValueError, match="lanczos"):
        da.dicom.map_to(da, method="lanczos")
    with pytest.raises(TypeError, match="map_mask_to"):
        (da > 3).dicom.map_to(da)
    with pytest.raises(TypeError, match="compare it first"):
        da.dicom.map_mask_to(da)
    with pytest.raises(ValueError, match="finite"):
        da.where(da > 0, np.nan).where(da.x > 0).dicom.map_to(
            da.assign_coords(x=da.x + 0.1), method="cubic"
        )
    with pytest.raises(xdicom.GeometryError):
        da.dicom.map_to(da.drop_vars("patient_space"))


def test_masks(pair):
    source, target = pair
    volume = source.isel(EchoTime=0)
    mask = volume > 560
    wanted = target > 560
    for method in ("nearest", "linear"):
        mapped = mask.dicom.map_mask_to(target, method=method)
        assert mapped.dtype == bool
        inside = volume.dicom.map_to(target).notnull()
        assert not bool(mapped.where(~inside, other=False).any())
        agree = float((mapped == wanted).where(inside).mean())
        assert agree > (0.97 if method == "nearest" else 0.98)
        chunked = mask.chunk({"z": 4}).dicom.map_mask_to(target, method=method)
        np.testing.assert_array_equal(chunked.values, mapped.values)


def test_labels_by_half_a_voxel(make):
    da = make({"z": 4}, values=False)
    labels = xr.zeros_like(da, dtype=np.uint8)
    labels[:, :, 4:8], labels[:, :, 8:12] = 3, 7
    shift = labels.assign_coords(x=labels.x + 0.25 * 1.25)
    for method in ("nearest", "linear"):
        mapped = labels.dicom.map_mask_to(shift, method=method)
        assert mapped.dtype == np.uint8
        # a quarter of a voxel moves no border
        np.testing.assert_array_equal(mapped.values, labels.values)
    np.testing.assert_array_equal(labels.dicom.map_mask_to(da).values, labels.values)


def test_slices_on_a_dim_of_the_caller(make, tmp_path):
    make({"z": 6}, values=False)
    plain = xdicom.open_series(tmp_path / "0").load()
    own = xdicom.open_series(tmp_path / "0", dims=("SliceLocation",)).load()
    assert own.dims == ("SliceLocation", "y", "x")
    mapped = own.dicom.map_to(plain)
    assert mapped.dims == ("z", "y", "x")
    np.testing.assert_array_equal(mapped.values, plain.values)
    back = plain.dicom.map_to(own)
    assert back.dims == own.dims
    np.testing.assert_array_equal(back.SliceLocation.values, own.SliceLocation.values)


def test_a_dataset_gives_a_dataset(make):
    da = make({"z": 4})
    mapped = da.to_dataset(name="pixels").dicom.map_to(da)
    np.testing.assert_array_equal(mapped["pixels"].values, da.values)
