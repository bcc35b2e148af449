"""Arrays of slides behave as arrays do: chunks of tiles, dask, zarr, selection in millimetres."""

import dask
import numpy as np
import pytest
import xarray as xr
from pydicom.uid import RLELossless

import xdicom
from xdicom.pixels.array import COUNTER
from xdicom.testing import slide_pixels, write_pyramid, write_slide

COLOUR = slide_pixels((200, 300), samples=3)
TILE = (32, 64)
DOWN, ACROSS = (32,) * 6 + (8,), (64,) * 4 + (44,)

pytestmark = pytest.mark.filterwarnings("ignore:.*FixedLengthUTF32.*")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("slide")
    write_slide(made / "a.dcm", COLOUR, tile=TILE, transfer_syntax=RLELossless)
    return made


def test_a_chunk_is_a_tile(folder):
    for opened in (
        xdicom.open_series(folder, chunks={}),
        xr.open_dataset(folder, engine="dicom", chunks={}).pixels,
    ):
        assert opened.chunks == (DOWN, ACROSS, (3,))
        COUNTER.reset()
        np.testing.assert_array_equal(opened.compute(), COLOUR)
        assert COUNTER.frames == len(DOWN) * len(ACROSS)


@pytest.mark.parametrize("size", [32 * 64 * 3, 40_000, 10**6])
def test_automatic_chunks_are_whole_tiles(folder, size):
    with dask.config.set({"array.chunk-size": size}):
        for opened in (
            xdicom.open_series(folder, chunks="auto"),
            xr.open_dataset(folder, engine="dicom", chunks="auto").pixels,
        ):
            y, x, sample = opened.chunks
            assert sample == (3,)
            assert all(n % TILE[0] == 0 for n in y[:-1])
            assert all(n % TILE[1] == 0 for n in x[:-1])
            assert y[0] * x[0] * 3 <= max(size, 32 * 64 * 3)
            COUNTER.reset()
            np.testing.assert_array_equal(opened.compute(), COLOUR)
            assert COUNTER.frames == len(DOWN) * len(ACROSS)
    assert xdicom.open_series(folder, chunks="auto").chunks == ((200,), (300,), (3,))


def test_chunks_of_the_caller(folder):
    opened = xdicom.open_series(folder, chunks={"x": 128})
    assert opened.chunks == (DOWN, (128, 128, 44), (3,))


def test_a_mean_reads_each_tile_once(folder):
    level = xdicom.open_series(folder, chunks={})
    COUNTER.reset()
    found = level.mean(("y", "x")).compute()
    np.testing.assert_allclose(found, COLOUR.mean((0, 1)))
    assert COUNTER.frames == len(DOWN) * len(ACROSS)


def test_selection_in_millimetres(folder):
    da = xdicom.open_series(folder)
    x, y = float(da.x[70]), float(da.y[10])
    COUNTER.reset()
    one = da.sel(x=x + 0.0002, y=y - 0.0001, method="nearest")
    np.testing.assert_array_equal(one, COLOUR[10, 70])
    assert COUNTER.frames == 1
    region = da.sel(x=slice(x, x + 0.005), y=slice(y, y + 0.0101))
    np.testing.assert_array_equal(region, COLOUR[10:31, 70:81])
    assert COUNTER.frames == 2


def test_zarr_keeps_a_region(folder, tmp_path):
    ds = xr.open_dataset(folder, engine="dicom", chunks={})
    region = ds.isel(y=slice(32, 96), x=slice(64, 192))
    region.to_zarr(tmp_path / "region.zarr")
    back = xr.open_zarr(tmp_path / "region.zarr")
    np.testing.assert_array_equal(back.pixels, COLOUR[32:96, 64:192])
    np.testing.assert_array_equal(back.x, region.x)
    assert back.slide_space.attrs == region.slide_space.attrs
    np.testing.assert_allclose(back.pixels.dicom.affine, region.pixels.dicom.affine)
    assert back.dicom.header().TotalPixelMatrixColumns == 300


def test_levels_of_several_planes_in_chunks(tmp_path):
    matrix = slide_pixels((2, 3, 50, 70), "uint16")
    write_slide(tmp_path / "a.dcm", matrix, tile=(16, 16), organization="TILED_SPARSE", shuffle=1)
    da = xdicom.open_series(tmp_path, chunks={})
    assert da.chunks == ((1, 1), (1, 1, 1), (16, 16, 16, 2), (16,) * 4 + (6,))
    np.testing.assert_array_equal(da.max("focal_plane").compute(), matrix.max(1))


def test_frames_of_a_tree_of_levels(tmp_path):
    """Everything a user does with a tree works with one of slides."""
    write_pyramid(tmp_path, COLOUR, tile=(64, 64))
    tree = xr.open_datatree(tmp_path, engine="dicom")
    assert tree.dicom["SeriesNumber"] == 1
    assert len(tree.dicom["SOPInstanceUID"]) == 5
    level = next(n for n in tree.subtree if n.name == "level1")
    assert level.dicom.header().NumberOfFrames == 6
    np.testing.assert_array_equal(level.dicom.affine @ [0, 0, 0, 1], [20, 45, 0, 1])
    shown = list(level.to_dataset().dicom.iter_frames())
    assert len(shown) == 1
    np.testing.assert_array_equal(shown[0], COLOUR[::2, ::2])
