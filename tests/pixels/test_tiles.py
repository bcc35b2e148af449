"""TiledArray: any selection equals numpy's, and decodes the tiles that it touches, each once."""

import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import dask.base
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

import xdicom
from xdicom.errors import BrokenFrameWarning, FrameDecodeError, ResourceLimitError
from xdicom.pixels import tiles
from xdicom.pixels.array import COUNTER
from xdicom.pixels.tiles import TiledArray
from xdicom.testing import (
    corrupt_fragment,
    outer_indexers,
    outer_take,
    slide_pixels,
    write_slide,
)

WHOLE = slide_pixels((2, 3, 21, 33), "uint16")
COLOUR = slide_pixels((21, 33), samples=3)
HOLES = [(0, 0, 1, 1), (1, 2, 2, 3), (1, 2, 0, 0)]


def tiled_array(da: xr.DataArray) -> TiledArray:
    data = da.variable._data
    while not isinstance(data, TiledArray):
        data = data.array
    return data


def with_holes(matrix, drop, tile, fill):
    found = matrix.copy()
    for path, plane, row, column in drop:
        y, x = row * tile[0], column * tile[1]
        found[path, plane, y : y + tile[0], x : x + tile[1]] = fill
    return found


@pytest.fixture(
    scope="module",
    params=[
        "full",
        "sparse",
        "parts",
        "colour",
        "big endian",
        "implicit",
        "deflated",
        "holes",
        "jpeg 2000",
    ],
)
def slide(request, tmp_path_factory):
    """An array and what it should hold: tiles of 8 × 10 pixels, 3 down and 4 across."""
    folder = tmp_path_factory.mktemp("slide")
    how = {
        "full": {},
        "sparse": {"organization": "TILED_SPARSE", "shuffle": 1},
        "parts": {"parts": 4, "organization": "TILED_SPARSE", "shuffle": 2},
        "colour": {"transfer_syntax": RLELossless},
        "big endian": {"transfer_syntax": ExplicitVRBigEndian},
        "deflated": {"transfer_syntax": DeflatedExplicitVRLittleEndian},
        "implicit": {"transfer_syntax": ImplicitVRLittleEndian, "organization": "TILED_SPARSE"},
        "holes": {"organization": "TILED_SPARSE", "drop": HOLES, "shuffle": 3},
        "jpeg 2000": {"transfer_syntax": JPEG2000Lossless, "parts": 2},
    }[request.param]
    matrix = COLOUR if request.param == "colour" else WHOLE
    write_slide(folder / "a.dcm", matrix, tile=(8, 10), **how)
    opening = {"fill_value": 7} if request.param == "holes" else {}
    da = xdicom.open_series(folder, mask_and_scale=False, **opening)
    if request.param == "holes":
        matrix = with_holes(matrix, HOLES, (8, 10), 7)
    return da, matrix


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_outer_indexing_equals_numpy(slide, data):
    da, expected = slide
    key = data.draw(outer_indexers(da.shape))
    COUNTER.reset()
    found = da[key].values
    taken = outer_take(expected, key)
    np.testing.assert_array_equal(found, taken)
    assert found.dtype == expected.dtype
    places = [np.unique(np.arange(n)[k]) for k, n in zip(key, da.shape, strict=True)]
    y, x = (1, 2) if da.dims[-1] == "sample" else (-2, -1)
    y, x = (da.dims.index("y"), da.dims.index("x"))
    touched = len(np.unique(places[y] // 8)) * len(np.unique(places[x] // 10))
    for i in range(min(y, x)):
        touched *= len(places[i])
    assert COUNTER.frames <= (touched if taken.size else 0)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_pointwise_indexing_equals_numpy(slide, data):
    da, expected = slide
    count = data.draw(st.integers(0, 5))
    points = {
        dim: xr.DataArray(
            np.array(
                data.draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count)), int
            ),
            dims="points",
        )
        for dim, n in da.sizes.items()
        if dim != "sample"
    }
    COUNTER.reset()
    found = da.isel(points).values
    np.testing.assert_array_equal(found, expected[tuple(p.values for p in points.values())])
    assert COUNTER.frames <= count


def test_selections_and_transposes_compose(slide):
    da, expected = slide
    if "focal_plane" not in da.dims:
        pytest.skip("one plane")
    one = da.isel(y=slice(2, 20, 3), x=[30, 1, 1, 12]).isel(y=slice(None, None, -1), focal_plane=-1)
    wanted = expected[:, -1, 2:20:3][:, ::-1][:, :, [30, 1, 1, 12]]
    np.testing.assert_array_equal(one.values, wanted)
    turned = da.isel(y=slice(3, 9)).transpose("x", "optical_path", "y", "focal_plane")
    np.testing.assert_array_equal(turned.values, expected[:, :, 3:9].transpose(3, 0, 2, 1))


def test_a_region_decodes_its_tiles_only_and_each_once(tmp_path):
    write_slide(tmp_path / "a.dcm", COLOUR, tile=(8, 10), transfer_syntax=RLELossless)
    da = xdicom.open_series(tmp_path)
    for key, count in (
        ({"y": slice(0, 8), "x": slice(0, 10)}, 1),
        ({"y": slice(7, 9), "x": slice(9, 11)}, 4),
        ({"y": 20, "x": 32}, 1),
        ({"y": [0, 20, 1, 0], "x": [32, 0]}, 4),
        ({}, 12),
        ({"y": slice(3, 3)}, 0),
    ):
        COUNTER.reset()
        da.isel(key).values  # noqa: B018
        assert (COUNTER.frames, COUNTER.files) == (count, min(count, COUNTER.files)), key
    COUNTER.reset()
    at = xr.DataArray([0, 1, 20], dims="p")
    da.isel(y=at, x=xr.DataArray([0, 9, 32], dims="p")).values  # noqa: B018
    assert COUNTER.frames == 2  # one tile for two points


def test_a_native_region_reads_no_more_than_the_rows_it_needs(tmp_path):
    write_slide(tmp_path / "a.dcm", WHOLE[0, 0], tile=(8, 10))
    da = xdicom.open_series(tmp_path, mask_and_scale=False)
    COUNTER.reset()
    found = da.isel(y=slice(2, 4), x=slice(0, 25)).values
    np.testing.assert_array_equal(found, WHOLE[0, 0, 2:4, :25])
    assert COUNTER.bytes == 3 * 2 * 10 * 2  # of each of three tiles two rows


def test_threads_share_the_tiles_of_one_file(tmp_path, monkeypatch):
    matrix = slide_pixels((300, 400), samples=3)
    write_slide(tmp_path / "a.dcm", matrix, tile=(50, 50), transfer_syntax=RLELossless)
    da = xdicom.open_series(tmp_path)
    seen = []
    run = tiles.run
    monkeypatch.setattr(
        tiles, "run", lambda f, jobs, n: (seen.append(len(jobs)), run(f, jobs, n))[1]
    )
    monkeypatch.setattr("xdicom.pixels.array.THREADS", 4)
    np.testing.assert_array_equal(da.values, matrix)
    assert seen == [4]
    with ThreadPoolExecutor(20) as pool:
        regions = [(y, x) for y in range(0, 300, 60) for x in range(0, 400, 70)]
        found = pool.map(lambda r: da[r[0] : r[0] + 90, r[1] : r[1] + 80].values, regions)
        for (y, x), values in zip(regions, found, strict=True):
            np.testing.assert_array_equal(values, matrix[y : y + 90, x : x + 80])


def test_memory_is_that_of_the_region(tmp_path):
    """A few rows of a level far larger than what is read of it."""
    matrix = slide_pixels((2048, 4096), "uint16")
    write_slide(tmp_path / "a.dcm", matrix, tile=(64, 64))
    da = xdicom.open_series(tmp_path, mask_and_scale=False)
    region = da.isel(y=slice(100, 400), x=slice(1000, 1500))
    region.values  # noqa: B018  what is made once
    tracemalloc.start()
    found = region.copy().values
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, matrix[100:400, 1000:1500])
    assert peak < found.nbytes + 500_000 < matrix.nbytes / 10


def test_what_no_memory_holds_is_refused_when_it_is_read(tmp_path, monkeypatch):
    """One tile, and a matrix of 16 million million pixels: opening takes next to nothing."""
    size = {"TotalPixelMatrixRows": 4_000_000, "TotalPixelMatrixColumns": 4_000_000}
    write_slide(tmp_path / "a.dcm", WHOLE[0, 0, :8, :10], tile=(8, 10), attributes=size,
                organization="TILED_SPARSE")  # fmt: skip
    da = xdicom.open_series(tmp_path)
    assert da.shape == (4_000_000, 4_000_000)
    np.testing.assert_array_equal(da[:8, :10], WHOLE[0, 0, :8, :10])
    assert np.isnan(da[-1, -3:]).all()
    with pytest.raises(ResourceLimitError, match=r"does not fit into memory.*4000000"):
        da.values  # noqa: B018
    at = xr.DataArray(np.zeros(1000, int), dims="p")
    monkeypatch.setattr(tiles, "_memory", lambda: 3999)
    with pytest.raises(ResourceLimitError, match="found 4000 "):
        da.isel(y=at, x=at).values  # noqa: B018


def test_names_of_tasks_tell_slides_apart(tmp_path):
    def token(name, **how):
        write_slide(tmp_path / name / "a.dcm", how.pop("matrix", WHOLE), tile=(8, 10), **how)
        opened = xdicom.open_series(tmp_path / name, fill_value=how.pop("fill", None))
        return tiled_array(opened)

    one = token("one")
    again = xdicom.open_series(tmp_path / "one")
    assert dask.base.tokenize(one) == dask.base.tokenize(tiled_array(again))
    others = [one, token("two", organization="TILED_SPARSE"),
              token("three", organization="TILED_SPARSE", shuffle=1),
              token("four", organization="TILED_SPARSE", drop=HOLES)]  # fmt: skip
    assert len({dask.base.tokenize(x) for x in others}) == 4
    back = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(back.read((1, 2, slice(None), slice(None))), WHOLE[1, 2])
    assert dask.base.tokenize(back) == dask.base.tokenize(one)


def test_a_broken_tile_leaves_its_neighbours(tmp_path):
    (path,) = write_slide(
        tmp_path / "a.dcm", WHOLE[0, 0], tile=(8, 10), transfer_syntax=RLELossless
    )
    corrupt_fragment(path, 5)
    da = xdicom.open_series(tmp_path)
    np.testing.assert_array_equal(da[:8], WHOLE[0, 0, :8])
    with pytest.raises(FrameDecodeError, match="frame 6"):
        da.values  # noqa: B018
    with pytest.warns(BrokenFrameWarning):
        found = xdicom.open_series(tmp_path, decode_errors="nan").values
    expected = WHOLE[0, 0].astype("f4")
    expected[8:16, 10:20] = np.nan
    np.testing.assert_array_equal(found, expected)


def test_colours_are_rgb_and_never_scaled(tmp_path):
    y, x = np.mgrid[:50, :70]
    smooth = np.stack([y * 3, x * 2, 100 + y + x], axis=-1).astype(np.uint8)
    write_slide(
        tmp_path / "a.dcm",
        smooth,
        tile=(32, 32),
        transfer_syntax=JPEGBaseline8Bit,
        attributes={"RescaleSlope": 2, "RescaleIntercept": 5},
    )
    da = xdicom.open_series(tmp_path)
    assert da.attrs["PhotometricInterpretation"] == "YBR_FULL_422"
    assert da.sample.values.tolist() == ["R", "G", "B"]
    assert da.dtype == np.uint8
    assert np.abs(da.values[:30, :30].astype(int) - smooth[:30, :30]).mean() < 4
    red = da.sel(sample="R").isel(y=slice(0, 20), x=slice(0, 20))
    np.testing.assert_array_equal(red.values, da.values[:20, :20, 0])


def test_fluorescence_is_floats_of_the_modality(tmp_path):
    write_slide(tmp_path / "a.dcm", WHOLE[0, 0], tile=(8, 10),
                transfer_syntax=ExplicitVRLittleEndian)  # fmt: skip
    da = xdicom.open_series(tmp_path)
    assert da.dtype == np.float32
    np.testing.assert_array_equal(da, WHOLE[0, 0])
    assert xdicom.open_series(tmp_path, mask_and_scale=False).dtype == np.uint16
