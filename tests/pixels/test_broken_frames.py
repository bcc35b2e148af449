"""A codestream that is broken, or contradicts the header, is named and touches no other frame."""

from __future__ import annotations

import logging
import os
import struct
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import xdicom
from xdicom.errors import BrokenFrameWarning
from xdicom.pixels import decode, pool
from xdicom.testing import series_pixels, write_enhanced, write_multiframe, write_series

LOSSLESS = [RLELossless, JPEG2000Lossless, HTJ2KLossless, JPEGLSLossless, JPEGLosslessSV1]
NAMES = [uid.keyword for uid in LOSSLESS]


def with_codestream(path, codestream, **attributes):
    """Put another codestream, and other attributes, into a file of one frame."""
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].is_undefined_length = True
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def codestream_of(path):
    return next(pydicom.encaps.generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


def jpeg_2000(values, **options):
    return imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, **options)


@pytest.fixture(params=LOSSLESS, ids=NAMES)
def path(request, tmp_path):
    return write_series(tmp_path, {}, rows=12, columns=10, transfer_syntax=request.param)[0]


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
def test_another_size(path, keyword):
    dataset = pydicom.dcmread(path)
    with_codestream(path, codestream_of(path), **{keyword: dataset[keyword].value + 3})
    with pytest.raises(xdicom.FrameDecodeError, match=path.name) as caught:
        xdicom.open_series(path).values  # noqa: B018
    if dataset.file_meta.TransferSyntaxUID != RLELossless:
        assert "expected 1" in str(caught.value)
        assert "the codestream disagrees with the header" in str(caught.value)


def test_more_bits_than_allocated(path):
    with_codestream(path, codestream_of(path), BitsAllocated=8, BitsStored=8, HighBit=7)
    with pytest.raises(xdicom.FrameDecodeError, match=r"more bits|segments"):
        xdicom.open_series(path).values  # noqa: B018


def test_colours_where_there_are_none(path):
    with_codestream(path, codestream_of(path), SamplesPerPixel=3, PlanarConfiguration=0,
                    PhotometricInterpretation="RGB")  # fmt: skip
    with pytest.raises(xdicom.FrameDecodeError, match=r"3 samples|segments"):
        xdicom.open_series(path).values  # noqa: B018


@pytest.mark.parametrize("junk", [b"\0\0", b"\0" * 8, b"\xff\xd8", b"\xff\x4f\xff\x51\0", b"PNG "])
def test_no_codestream(path, junk):
    with_codestream(path, junk)
    with pytest.raises(xdicom.FrameDecodeError):
        xdicom.open_series(path).values  # noqa: B018


def test_a_bomb_never_reaches_a_decoder(path, monkeypatch):
    stream = bytearray(codestream_of(path))
    at = {b"\xff\x4f": 8, b"\xff\xd8": stream.find(b"\xff\xf7") + 5}.get(bytes(stream[:2]), 0)
    if stream[:2] == b"\xff\xd8" and b"\xff\xc3" in stream:
        at = stream.find(b"\xff\xc3") + 5
    if stream[:2] == b"\xff\x4f":
        stream[at : at + 8] = struct.pack(">2L", 60000, 60000)
    elif at:
        stream[at : at + 4] = struct.pack(">2H", 60000, 60000)
    else:
        stream[:4] = struct.pack("<L", 15)
    with_codestream(path, bytes(stream))
    array = xdicom.open_series(path)
    monkeypatch.setattr(decode, "plugins_of", lambda _: pytest.fail("a decoder was asked"))
    with pytest.raises(xdicom.FrameDecodeError):
        array.values  # noqa: B018


@pytest.mark.parametrize("error", [MemoryError, RecursionError, StopIteration, ValueError])
def test_whatever_a_decoder_raises(path, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(decode, "plugins_of", lambda _: {"one": fails, "other": fails})
    with pytest.raises(xdicom.FrameDecodeError, match=f"one: {error.__name__}; other") as caught:
        xdicom.open_series(path).values  # noqa: B018
    assert isinstance(caught.value.__cause__, error)


def test_the_next_decoder_is_tried(path, monkeypatch, caplog):
    right = dict(decode.plugins_of(pydicom.dcmread(path).file_meta.TransferSyntaxUID))

    def spoils(_, runner):
        runner.set_option("bits_allocated", 64)
        raise OSError

    monkeypatch.setattr(decode, "plugins_of", lambda _: {"first": spoils, **right})
    caplog.set_level(logging.DEBUG)
    found = xdicom.open_series(path, scaling="stored").values
    np.testing.assert_array_equal(found.reshape(12, 10), series_pixels((1,), 12, 10)[0])
    assert caplog.records == []


def test_sign_of_jpeg_2000(tmp_path):
    values = np.arange(-60, 60, dtype="int16").reshape(12, 10)
    (path,) = write_series(tmp_path, {}, rows=12, columns=10, dtype="int16",
                           transfer_syntax=JPEG2000Lossless)  # fmt: skip
    unsigned = (values & 0xFFF).astype("uint16")
    with_codestream(path, jpeg_2000(unsigned, bitspersample=12), BitsStored=12, HighBit=11)
    found = xdicom.open_series(path, scaling="stored")
    np.testing.assert_array_equal(found.values.reshape(12, 10), values)
    kept = xdicom.open_series(
        path, scaling="stored", decoder_options={"apply_j2k_sign_correction": False}
    )
    np.testing.assert_array_equal(kept.values.reshape(12, 10), unsigned)


def test_warnings_of_pydicom_do_not_leak(tmp_path, caplog):
    """pydicom warns of colours named in the codestream that are not the header's."""
    rgb = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    path = write_multiframe(tmp_path / "c.dcm", rgb[None], transfer_syntax=JPEGBaseline8Bit)
    with_codestream(path, imagecodecs.jpeg8_encode(rgb), PhotometricInterpretation="RGB")
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = xdicom.open_series(path).values
    assert [r for r in caplog.records if "codestream" in r.getMessage()] == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = pydicom.dcmread(path).pixel_array
    assert np.abs(found.astype(int).reshape(wanted.shape) - wanted).max() <= 3


def test_native_values_in_items(tmp_path):
    (path,) = write_series(tmp_path, {}, rows=12, columns=10)
    pixels = pydicom.dcmread(path).PixelData
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1.98")
    dataset.PixelData = encapsulate([pixels])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)
    found = xdicom.open_series(path, scaling="stored").values
    np.testing.assert_array_equal(found.reshape(12, 10), series_pixels((1,), 12, 10)[0])


class TestToNaN:
    @pytest.fixture
    def folder(self, tmp_path):
        paths = write_series(tmp_path, {"z": 5}, rows=12, columns=10,
                             transfer_syntax=JPEG2000Lossless)  # fmt: skip
        for place in (1, 3):
            with_codestream(paths[place], codestream_of(paths[place])[:90])
        return tmp_path

    def test_raised_by_default(self, folder):
        array = xdicom.open_series(folder)
        with pytest.raises(xdicom.FrameDecodeError):
            array.values  # noqa: B018
        assert np.isfinite(array.isel(z=0).values).all()

    @pytest.mark.parametrize("chunks", [None, {"z": -1}])
    def test_broken_frames_are_nan_and_no_other(self, folder, chunks):
        array = xdicom.open_series(folder, decode_errors="nan", chunks=chunks)
        with pytest.warns(BrokenFrameWarning, match=r"2 broken.*IM00002.*IM00004") as caught:
            found = array.values
        assert len(caught) == 1
        assert np.isnan(found).all((1, 2)).tolist() == [False, True, False, True, False]
        assert np.isnan(found).any((1, 2)).tolist() == [False, True, False, True, False]
        np.testing.assert_array_equal(found[::2], series_pixels((5,), 12, 10)[::2])
        with pytest.warns(BrokenFrameWarning, match="1 broken"):
            assert np.isnan(array.isel(z=1, y=slice(2)).values).all()

    def test_integers_cannot(self, folder):
        with pytest.raises(ValueError, match='open with scaling="modality"'):
            xdicom.open_series(folder, scaling="stored", decode_errors="nan")

    def test_a_file_that_changed_is_no_broken_frame(self, folder):
        array = xdicom.open_series(folder, decode_errors="nan")
        os.utime(min(folder.iterdir()), ns=(1, 1))
        with pytest.raises(xdicom.CorruptFileError):
            array.isel(z=0).values  # noqa: B018


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [{"rows": 4}, {"view_only": True}, {"what": 1}, {"force_rgb": True, "force_ybr": True}],
    )
    def test_refused(self, tmp_path, options):
        write_series(tmp_path, {}, transfer_syntax=RLELossless)
        with pytest.raises(ValueError, match="decoder_options"):
            xdicom.open_series(tmp_path, decoder_options=options)

    def test_nothing_that_does_nothing(self, tmp_path):
        write_series(tmp_path, {})
        with pytest.raises(ValueError, match="none of these is"):
            xdicom.open_series(tmp_path, decoder_options={"as_rgb": False})

    def test_order_of_rle_segments(self, tmp_path):
        write_series(tmp_path, {}, rows=4, columns=6, transfer_syntax=RLELossless)
        right = xdicom.open_series(tmp_path, scaling="stored").values
        for options in (
            {"decoder_options": {"rle_segment_order": "<"}},
            {"decoder": "pydicom", "decoder_options": {"rle_segment_order": "<"}},
            {"decoder": "pylibjpeg", "decoder_options": {"byteorder": ">"}},
        ):
            found = xdicom.open_series(tmp_path, scaling="stored", **options).values
            np.testing.assert_array_equal(found, right.byteswap())


def test_lossless_colour_without_its_huffman_table(tmp_path):
    """A decoder that was in use once ended the process here."""
    pixels = np.random.default_rng(0).integers(0, 255, (2, 24, 20, 3), dtype=np.uint8)
    path = write_multiframe(tmp_path / "a.dcm", pixels, transfer_syntax=JPEGLosslessSV1)
    np.testing.assert_array_equal(xdicom.open_series(path).values, pixels)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\xff\xc4", b"\x01\xc4", 1))
    da = xdicom.open_series(path)
    np.testing.assert_array_equal(da[1].values, pixels[1])
    with pytest.raises(xdicom.FrameDecodeError, match="frame 1"):
        da[0].values  # noqa: B018


class TestThreads:
    @pytest.fixture(params=["one file", "many files"])
    def array(self, request, tmp_path):
        options = {"rows": 64, "columns": 64, "transfer_syntax": JPEGLSLossless}
        if request.param == "one file":
            path = write_enhanced(tmp_path / "e.dcm", {"time": 5, "z": 4}, **options)
        else:
            path = tmp_path
            write_series(path, {"TemporalPositionIdentifier": [1, 2, 3, 4, 5], "z": 4}, **options)
        return xdicom.open_series(path, scaling="stored"), series_pixels((5, 4), 64, 64)

    def test_more_than_one_decodes(self, array, monkeypatch):
        monkeypatch.setattr(pool, "THREADS", 2)
        monkeypatch.setattr("xdicom.pixels.array.THREADS", 2)
        seen, plugins = set(), decode.plugins_of(JPEGLSLossless)
        both = threading.Barrier(2, timeout=20)

        def first(source, runner):
            if threading.get_ident() not in seen:
                seen.add(threading.get_ident())
                both.wait()
            return plugins["imagecodecs"](source, runner)

        monkeypatch.setattr(decode, "plugins_of", lambda _: {"imagecodecs": first})
        lazy, wanted = array
        np.testing.assert_array_equal(lazy.values, wanted)
        assert len(seen) == 2

    def test_many_readers_at_once(self, array):
        lazy, wanted = array
        before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
        most = [0]

        def read(i):
            found = lazy.isel({lazy.dims[0]: i % 5}).values
            most[0] = max(most[0], threading.active_count())
            return np.array_equal(found, wanted[i % 5])

        with ThreadPoolExecutor(200) as many:
            assert all(many.map(read, range(400)))
        assert most[0] <= 200 + pool.THREADS + 10
        if sys.platform == "linux":
            assert len(os.listdir("/proc/self/fd")) <= before

    def test_the_first_error_ends_it(self):
        done = []

        def job(i):
            if i == 3:
                raise ValueError(i)
            done.append(i)

        with pytest.raises(ValueError, match="3"):
            pool.run(job, list(range(10_000)), 2)
        assert len(done) < 10_000
        pool.run(done.append, [-1, -2], 2)
        assert {-1, -2} <= set(done)


class TestIterating:
    def test_in_order(self, tmp_path):
        write_series(tmp_path, {"EchoTime": [1, 2], "z": 3}, rows=4, columns=6, shuffle=1)
        da = xdicom.open_series(tmp_path, scaling="stored")
        wanted = series_pixels((2, 3), 4, 6).reshape(6, 4, 6)
        np.testing.assert_array_equal(list(da.dicom.iter_frames()), wanted)
        np.testing.assert_array_equal(list(da.dicom.iter_frames([4, 0, -1])), wanted[[4, 0, 5]])
        np.testing.assert_array_equal(list(da[1, 1].dicom.iter_frames()), wanted[4:5])
        with pytest.raises(IndexError, match="frame 6 of 6"):
            list(da.dicom.iter_frames([6]))
        frames = da.transpose("z", "y", "x", "EchoTime").dicom.iter_frames()
        np.testing.assert_array_equal(next(frames), wanted[0])
        frames.close()

    def test_colours(self, tmp_path):
        rgb = np.random.default_rng(0).integers(0, 255, (3, 5, 7, 3), dtype=np.uint8)
        path = write_multiframe(tmp_path / "c.dcm", rgb, transfer_syntax=RLELossless)
        da = xdicom.open_series(path)
        np.testing.assert_array_equal(list(da.dicom.iter_frames()), rgb)
        with pytest.raises(ValueError, match='color="raw"'):
            da.dicom.iter_frames(raw=True)
        stored = xdicom.open_series(path, color="raw")
        np.testing.assert_array_equal(list(stored.dicom.iter_frames(raw=True)), rgb)
