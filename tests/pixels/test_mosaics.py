"""A slice of a mosaic reads its part of the stored frame, and the frame once for all its slices."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

import xdicom
from xdicom.errors import BrokenFrameWarning, FrameDecodeError
from xdicom.pixels import array as array_module
from xdicom.pixels import pool
from xdicom.pixels.array import COUNTER
from xdicom.testing import frame_pixels, outer_indexers, outer_take, write_mosaics

NATIVE = [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
COMPRESSED = [RLELossless, JPEG2000Lossless, JPEGLSLossless]
SYNTAXES = pytest.mark.parametrize("syntax", NATIVE + COMPRESSED, ids=lambda uid: uid.keyword)
VENDORS = pytest.mark.parametrize("vendor", ["Siemens", "UIH"])
TIMES, SLICES = [0, 2, 4], 7


def expected(dtype="uint16"):
    numbers = np.arange(len(TIMES) * SLICES)
    frames = np.stack([frame_pixels(n, 16, 24, dtype) for n in numbers.tolist()])
    return frames.reshape(len(TIMES), SLICES, 16, 24)


@pytest.fixture
def opened(tmp_path):
    def make(options=None, **settings):
        write_mosaics(tmp_path / "m", {"time": TIMES}, SLICES, **settings)
        da = xdicom.open_series(tmp_path / "m", **{"scaling": "stored", **(options or {})})
        COUNTER.reset()
        return da

    return make


@SYNTAXES
@VENDORS
def test_each_stored_frame_is_read_once(opened, vendor, syntax):
    da = opened(vendor=vendor, transfer_syntax=syntax)
    assert (da.values == expected()).all()
    assert (COUNTER.frames, COUNTER.files) == (3, 3)
    COUNTER.reset()
    some = da.isel(z=[4, 1], time=[2, 0], y=slice(3, None, 2), x=[5, 0, -1])
    np.testing.assert_array_equal(
        some.values, expected()[[2, 0]][:, [4, 1]][:, :, 3::2][..., [5, 0, -1]]
    )
    assert (COUNTER.frames, COUNTER.files) == (2, 2)


@SYNTAXES
def test_one_slice_reads_one_frame(opened, syntax):
    da = opened(transfer_syntax=syntax)
    assert (da.isel(time=1, z=5).values == expected()[1, 5]).all()
    assert COUNTER.frames == 1


def test_one_native_slice_reads_no_more_than_its_rows(opened):
    da = opened()
    assert (da.isel(time=1, z=5).values == expected()[1, 5]).all()
    assert COUNTER.bytes == 16 * 72 * 2
    COUNTER.reset()
    assert (da.isel(time=1, z=5, y=4).values == expected()[1, 5, 4]).all()
    assert COUNTER.bytes == 72 * 2


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: uid.keyword)
def test_slices_one_after_the_other_decode_a_frame_once(opened, syntax):
    da = opened(transfer_syntax=syntax)
    frames = list(da.dicom.iter_frames())
    assert (np.stack(frames).reshape(expected().shape) == expected()).all()
    assert COUNTER.frames == 3


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=["native", "RLE"])
def test_lazy_indexing_is_that_of_numpy(tmp_path_factory, syntax, data):
    folder = tmp_path_factory.mktemp("m")
    write_mosaics(folder, {"time": TIMES}, SLICES, transfer_syntax=syntax)
    da = xdicom.open_series(folder, scaling="stored")
    key = data.draw(outer_indexers(da.shape))
    np.testing.assert_array_equal(da[key].values, outer_take(expected(), key))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=["native", "RLE"])
def test_threads_cut_no_stored_frame(opened, monkeypatch, syntax):
    monkeypatch.setattr(array_module, "THREADS", 5)
    monkeypatch.setattr(array_module, "_WORTH_DECODING_THREADS", 1)
    monkeypatch.setattr(array_module, "_WORTH_THREADS", 1)
    assert pool.THREADS >= 1
    da = opened(transfer_syntax=syntax)
    assert (da.values == expected()).all()
    assert COUNTER.frames == 3


def test_scaling_and_dtype(opened):
    da = opened({"scaling": "modality"}, attributes={"RescaleSlope": 2, "RescaleIntercept": -5})
    assert da.dtype == np.float32
    assert (da.values == expected() * 2.0 - 5).all()
    assert (da.isel(z=3).values == expected()[:, 3] * 2.0 - 5).all()


def test_colour(opened):
    def stored(index):
        plane = frame_pixels(index["time"] * SLICES + index["z"], 16, 24, "uint8")
        return np.stack([plane, 255 - plane, plane // 2], axis=-1)

    da = opened(stored=stored, dtype="uint8")
    assert da.dims == ("time", "z", "y", "x", "sample")
    assert (da.isel(time=2, z=6).values == stored({"time": 2, "z": 6})).all()
    assert (da.values[1, 2] == stored({"time": 1, "z": 2})).all()


def test_chunks_are_whole_stored_frames(opened):
    da = opened({"chunks": {}})
    assert da.chunks == ((1, 1, 1), (SLICES,), (16,), (24,))
    assert (da.values == expected()).all()
    assert COUNTER.frames == 3


def test_arrays_of_other_slices_have_other_tokens(tmp_path):
    write_mosaics(tmp_path, {}, 4)
    options = {"dims": "flat", "chunks": {}, "scaling": "stored"}
    whole = xdicom.open_series(tmp_path, **options)
    parts = [
        xdicom.open_series(tmp_path, select={"SliceLocation": z}, **options) for z in (10.0, 13.0)
    ]
    assert len({part.data.name for part in (whole, *parts)}) == 3
    for i, part in enumerate(parts):
        assert (part.values[0] == frame_pixels(i, 16, 24)).all()


def test_pickled_arrays_read_the_same(opened):
    da = opened(transfer_syntax=RLELossless)
    _ = da.isel(time=0, z=0).values
    again = pickle.loads(pickle.dumps(da))
    assert (again.values == expected()).all()


@pytest.mark.parametrize("nan", [False, True])
def test_a_broken_frame_breaks_its_slices_and_no_others(tmp_path, nan):
    paths = write_mosaics(tmp_path, {"time": TIMES}, SLICES, transfer_syntax=RLELossless)
    data = bytearray(paths[1].read_bytes())
    at = data.rindex(b"\xfe\xff\x00\xe0") + 8
    data[at : at + 4] = (77).to_bytes(4, "little")  # RLE segments
    paths[1].write_bytes(data)
    da = xdicom.open_series(tmp_path, decode_errors="nan" if nan else "raise")
    assert (da.isel(time=[0, 2]).values == expected()[[0, 2]]).all()
    if not nan:
        with pytest.raises(FrameDecodeError):
            _ = da.isel(time=1, z=2).values
        with pytest.raises(FrameDecodeError):
            _ = da.values
        return
    with pytest.warns(BrokenFrameWarning, match="1 broken"):
        values = da.values
    assert np.isnan(values[1]).all()
    assert (values[[0, 2]] == expected()[[0, 2]]).all()
    with pytest.warns(BrokenFrameWarning, match="1 broken"):
        assert np.isnan(da.isel(time=1, z=2).values).all()


def test_padding_mask(opened):
    da = opened(attributes={"PixelPaddingValue": 100})
    mask = da.dicom.padding_mask()
    assert (mask.values == (expected() == 100)).all()
    assert mask.values.any()
    part = da.isel(time=1, z=2, x=slice(4, 20, 3))
    assert (part.dicom.padding_mask().values == (part.values == 100)).all()
