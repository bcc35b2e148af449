"""FrameArray: any selection equals numpy's, and only what is asked for is read."""

import os
import pickle
import resource
from concurrent.futures import ThreadPoolExecutor

import dask.base
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.pixels import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

import xdicom
from xdicom.pixels.array import COUNTER, FrameArray
from xdicom.testing import (
    outer_indexers,
    outer_take,
    series_pixels,
    write_enhanced,
    write_multiframe,
    write_series,
)

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
]


def frame_array(da: xr.DataArray) -> FrameArray:
    data = da.variable._data
    while not isinstance(data, FrameArray):
        data = data.array
    return data


@pytest.fixture(scope="module", params=SYNTAXES, ids=lambda uid: uid.keyword)
def stack(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    write_series(folder, {"EchoTime": [1, 2], "z": 3}, rows=7, columns=5,
                 transfer_syntax=request.param, shuffle=2)  # fmt: skip
    da = xdicom.open_series(folder, mask_and_scale=False)
    return da, series_pixels((2, 3), 7, 5)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_outer_indexing_equals_numpy(stack, data):
    da, expected = stack
    key = data.draw(outer_indexers(da.shape))
    found = da[key].values
    np.testing.assert_array_equal(found, outer_take(expected, key))
    assert found.dtype == expected.dtype


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_pointwise_indexing_equals_numpy(stack, data):
    da, expected = stack
    count = data.draw(st.integers(1, 4))
    places = [
        data.draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count))
        for n in (2, 3, 5)
    ]
    points = [xr.DataArray(p, dims="points") for p in places]
    found = da.isel(EchoTime=points[0], z=points[1], x=points[2])
    np.testing.assert_array_equal(
        found.transpose("points", "y").values, expected[places[0], places[1], :, places[2]]
    )


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(["EchoTime", "z", "y", "x"]), data=st.data())
def test_lazy_transposition_equals_numpy(stack, order, data):
    da, expected = stack
    key = data.draw(outer_indexers(da.shape))
    part = da[key]
    dims = [d for d in order if d in part.dims]
    whole = xr.DataArray(outer_take(expected, key), dims=part.dims)
    np.testing.assert_array_equal(part.transpose(*dims).values, whole.transpose(*dims).values)
    again = da.transpose(*order).isel(z=slice(1, None), x=[2, 0, 2])
    same = (
        xr.DataArray(expected, dims=da.dims).transpose(*order).isel(z=slice(1, None), x=[2, 0, 2])
    )
    np.testing.assert_array_equal(again.values, same.values)


def test_whole_and_computed(stack):
    da, expected = stack
    np.testing.assert_array_equal(da.values, expected)
    np.testing.assert_array_equal(da.max(("y", "x")).values, expected.max((2, 3)))


@pytest.fixture
def counted():
    COUNTER.reset()
    return COUNTER


class TestCounts:
    def test_opening_decodes_nothing(self, tmp_path, counted):
        write_series(tmp_path, {"z": 5}, rows=4, columns=6)
        da = xdicom.open_series(tmp_path)
        repr(da)
        da._repr_html_()
        da.isel(z=2)
        xr.open_datatree(tmp_path, engine="dicom")
        assert (counted.files, counted.frames, counted.bytes) == (0, 0, 0)

    def test_one_frame_of_a_thousand_opens_one_file(self, tmp_path, counted):
        write_series(tmp_path, {"z": 1000}, rows=4, columns=6)
        da = xdicom.open_series(tmp_path, mask_and_scale=False)
        assert da.isel(z=500).values.shape == (4, 6)
        assert (counted.files, counted.frames, counted.bytes) == (1, 1, 48)

    def test_each_frame_once(self, tmp_path, counted):
        write_series(tmp_path, {"EchoTime": [1, 2], "z": 4}, rows=4, columns=6)
        da = xdicom.open_series(tmp_path, mask_and_scale=False)
        found = da.isel(z=[3, 1, 3, 3, 1], EchoTime=[1, 1]).values
        assert (counted.files, counted.frames) == (2, 2)
        np.testing.assert_array_equal(found[0, 0], found[1, 2])
        np.testing.assert_array_equal(found, da.values[np.ix_([1, 1], [3, 1, 3, 3, 1])])

    def test_only_the_rows_asked_for(self, tmp_path, counted):
        write_series(tmp_path, {"z": 3}, rows=20, columns=6)
        da = xdicom.open_series(tmp_path, mask_and_scale=False)
        part = da.isel(z=1, y=slice(5, 8), x=slice(2, 4)).values
        assert counted.bytes == 3 * 6 * 2
        np.testing.assert_array_equal(part, da.values[1, 5:8, 2:4])

    def test_a_file_of_many_frames_is_opened_once_and_read_in_one_piece(self, tmp_path, counted):
        path = write_enhanced(tmp_path / "e.dcm", {"time": 6, "z": 5}, rows=4, columns=6)
        da = xdicom.open_series(path, mask_and_scale=False)
        counted.reset()
        da.isel(time=2).values  # noqa: B018
        assert counted.frames == 5
        assert counted.files <= 4

    def test_no_descriptor_stays_open(self, tmp_path):
        write_series(tmp_path, {"z": 30}, rows=4, columns=6)
        da = xdicom.open_series(tmp_path, mask_and_scale=False)
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: da.isel(z=i % 30).values, range(200)))
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) <= before + 1
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft > 0


class TestTravel:
    def test_pickle_holds_its_own_rows_packed(self, tmp_path):
        write_series(tmp_path, {"z": 2000}, rows=2, columns=3)
        da = xdicom.open_series(tmp_path)
        whole = frame_array(da)
        packed = pickle.dumps(whole)
        assert len(packed) < 30 * 2000
        again = pickle.loads(packed)
        np.testing.assert_array_equal(
            again.read((slice(3, 5), slice(None), slice(None))), da.isel(z=slice(3, 5)).values
        )

    def test_names_follow_the_files(self, tmp_path):
        write_series(tmp_path, {"z": 3}, rows=4, columns=6)

        def token(**options):
            return dask.base.tokenize(frame_array(xdicom.open_series(tmp_path, **options)))

        first = token()
        assert token() == first
        assert token(mask_and_scale=False) != first
        name = min(tmp_path.iterdir())
        os.utime(name, ns=(1, 1))
        assert token() != first

    def test_size_is_what_it_weighs(self, tmp_path):
        write_series(tmp_path, {"z": 50}, rows=4, columns=6)
        array = frame_array(xdicom.open_series(tmp_path))
        assert dask.sizeof.sizeof(array) > 50 * 60

    def test_dask_names_are_the_same_twice(self, tmp_path):
        write_series(tmp_path, {"z": 3}, rows=4, columns=6)
        names = [xdicom.open_series(tmp_path, chunks={"z": 2}).data.name for _ in range(2)]
        assert names[0] == names[1]


class TestChangedFiles:
    @pytest.mark.parametrize("how", ["grown", "touched", "gone"])
    @pytest.mark.parametrize("chunks", [None, {"z": 1}])
    def test_never_wrong_pixels(self, tmp_path, how, chunks):
        paths = write_series(tmp_path, {"z": 3}, rows=4, columns=6)
        da = xdicom.open_series(tmp_path, chunks=chunks)
        if how == "grown":
            with open(paths[1], "ab") as file:
                file.write(b"\0\0")
        elif how == "touched":
            os.utime(paths[1], ns=(5, 5))
        else:
            os.unlink(paths[1])
        assert da.isel(z=0).values.shape == (4, 6)
        with pytest.raises(xdicom.CorruptFileError, match=os.path.basename(paths[1])):
            da.isel(z=1).compute()


class TestScaling:
    def test_default_is_modality_float32(self, tmp_path):
        write_series(tmp_path, {"z": 4}, rows=4, columns=6, modality="CT",
                     slope=lambda i: 1 + i["z"], intercept=-1024)  # fmt: skip
        da = xdicom.open_series(tmp_path)
        stored = xdicom.open_series(tmp_path, mask_and_scale=False)
        assert da.dtype == np.float32
        assert stored.dtype == np.uint16
        assert da.attrs["dicom_scaling"] == "applied"
        assert stored.attrs["dicom_scaling"] == "stored"
        slopes = np.arange(1, 5)[:, None, None]
        np.testing.assert_array_equal(da.values, stored.values * slopes - 1024.0)
        assert da.RescaleSlope.dims == ("z",)

    def test_rounded_once(self, tmp_path):
        write_series(tmp_path, {"z": 2}, rows=4, columns=6, slope=0.1, intercept=0.7)
        da = xdicom.open_series(tmp_path)
        stored = xdicom.open_series(tmp_path, scaling="stored").values
        np.testing.assert_array_equal(da.values, (stored * 0.1 + 0.7).astype(np.float32))

    def test_32_bit_becomes_float64(self, tmp_path):
        write_series(tmp_path, {"z": 2}, rows=4, columns=6, dtype="uint32")
        assert xdicom.open_series(tmp_path).dtype == np.float64

    def test_lone_intercept(self, tmp_path):
        write_series(tmp_path, {"z": 2}, rows=4, columns=6,
                     attributes={"RescaleIntercept": 5, "RescaleSlope": None})  # fmt: skip
        da = xdicom.open_series(tmp_path)
        np.testing.assert_array_equal(da, xdicom.open_series(tmp_path, scaling="stored") + 5.0)

    @pytest.mark.parametrize("slope", [b"0", b"abc", b"nan"])
    def test_invalid_slope_always_raises(self, tmp_path, slope):
        write_series(tmp_path, {"z": 2}, rows=4, columns=6,
                     attributes={"RescaleSlope": slope, "RescaleIntercept": 0})  # fmt: skip
        with pytest.raises(xdicom.MissingAttributeError, match="RescaleSlope"):
            xdicom.open_series(tmp_path, errors="ignore")
        assert xdicom.open_series(tmp_path, scaling="stored").dtype == np.uint16

    def test_mixed_depth_promotes(self, tmp_path):
        write_series(tmp_path, {"z": [0.0, 3.0]}, rows=4, columns=6, dtype="uint8")
        write_series(tmp_path, {"z": [6.0, 9.0]}, rows=4, columns=6, dtype="int16",
                     name="B{:03d}.dcm",
                     series_uid=xdicom.open_series(tmp_path).dicom["SeriesInstanceUID"],
                     frame_of_reference_uid=xdicom.open_series(tmp_path).dicom[
                         "FrameOfReferenceUID"], seed=9)  # fmt: skip
        da = xdicom.open_series(tmp_path, scaling="stored")
        assert da.shape == (4, 4, 6)
        assert da.dtype == np.int16

    @pytest.mark.parametrize("bits", [8, 12, 16])
    @pytest.mark.parametrize("dtype", ["uint16", "int16"])
    def test_spare_bits_are_cleared_or_extended(self, tmp_path, bits, dtype):
        write_series(tmp_path, {"z": 2}, rows=4, columns=6, dtype=dtype, bits_stored=bits)
        path = min(tmp_path.iterdir())
        data = bytearray(path.read_bytes())
        if bits < 16:
            data[-1] ^= 0x80 if bits > 8 else 0xF0
        path.write_bytes(bytes(data))
        da = xdicom.open_series(tmp_path, scaling="stored")
        for file in tmp_path.iterdir():
            one = xdicom.open_series(file, scaling="stored")
            np.testing.assert_array_equal(one.values[0], pixel_array(file))
        assert da.dtype == np.dtype(dtype)


class TestLayouts:
    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
    @pytest.mark.parametrize("count", [1, 4])
    def test_multi_frame_colour(self, tmp_path, syntax, count):
        rng = np.random.default_rng(0)
        frames = rng.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
        path = write_multiframe(tmp_path / "c.dcm", frames, transfer_syntax=syntax)
        da = xdicom.open_series(path)
        assert da.dims[-1] == "sample"
        assert da.sample.values.tolist() == ["R", "G", "B"]
        assert da.dtype == np.uint8
        np.testing.assert_array_equal(da.values.reshape(frames.shape), frames)

    @pytest.mark.parametrize("table", ["basic", "none", "extended"])
    @pytest.mark.parametrize("parts", [1, 3])
    def test_encapsulated_frames_by_any_table(self, tmp_path, table, parts):
        path = write_enhanced(tmp_path / "e.dcm", {"time": 3, "z": 4}, rows=6, columns=8,
                              transfer_syntax=RLELossless, offset_table=table,
                              fragments_per_frame=parts)  # fmt: skip
        if parts > 1 and table == "none":
            with pytest.raises(xdicom.FrameDecodeError, match="12 frames; found 36 fragments"):
                xdicom.open_series(path)
            return
        da = xdicom.open_series(path, mask_and_scale=False)
        np.testing.assert_array_equal(da.values, series_pixels((3, 4), 6, 8))
        COUNTER.reset()
        da.isel(time=1, z=2).values  # noqa: B018
        assert COUNTER.frames == 1
        assert COUNTER.bytes < 400

    def test_packed_bits_that_fill_no_bytes(self, tmp_path):
        rng = np.random.default_rng(1)
        frames = rng.integers(0, 2, (5, 3, 7)).astype(bool)
        path = write_multiframe(tmp_path / "b.dcm", frames)
        da = xdicom.open_series(path)
        assert da.dtype == np.uint8
        np.testing.assert_array_equal(da.values, frames)
        np.testing.assert_array_equal(da.isel(instance=3, y=1).values, frames[3, 1])


def test_a_selection_of_holes_only(tmp_path):
    drop = [{"EchoTime": 1, "z": z} for z in (1, 2)]
    write_series(tmp_path, {"EchoTime": [1, 2], "z": 4}, rows=7, columns=5, drop=drop)
    da = xdicom.open_series(tmp_path, ragged="fill")
    COUNTER.reset()
    assert np.isnan(da[1, 1:3].values).all()
    assert COUNTER.files == 0
