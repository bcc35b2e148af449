"""HighBit, spare bits and deflated frames: the values that the header says, or an error."""

import struct
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

import xdicom
from xdicom.pixels.array import COUNTER
from xdicom.testing import edit, write_multiframe, write_series

SHAPE = (6, 10)


def values_of(bits, signed, seed=0, count=1):
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits)
    made = np.random.default_rng(seed).integers(low, high, (count, *SHAPE))
    made[:, 0, 0], made[:, -1, -1] = low, high - 1
    return made


def written(folder, values, bits, high_bit, *, signed=False, syntax=ExplicitVRLittleEndian):
    """A stack whose values stand in the bits up to ``high_bit``, others being zero."""
    dtype = np.dtype("i2" if signed else "u2")
    words = (values.astype(np.int64) << (high_bit - bits + 1)) & 0xFFFF
    paths = write_series(
        folder,
        {"z": len(values)},
        rows=SHAPE[0],
        columns=SHAPE[1],
        stored=words.astype("u2").view(dtype),
        dtype=dtype,
        transfer_syntax=syntax,
    )
    for path in paths:
        edit(path, {"BitsStored": bits, "HighBit": high_bit})
    return paths


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("bits", "high_bit"), [(12, 15), (12, 12), (10, 13), (8, 15), (1, 15)])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_bits_are_brought_to_their_place(tmp_path, syntax, bits, high_bit, signed):
    values = values_of(bits, signed, seed=bits, count=3)
    written(tmp_path, values, bits, high_bit, signed=signed, syntax=syntax)
    da = xdicom.open_series(tmp_path, scaling="stored")
    np.testing.assert_array_equal(da.values, values)
    np.testing.assert_array_equal(da[1, 2:5, ::3].values, values[1, 2:5, ::3])
    assert xdicom.open_series(tmp_path).values.max() == values.max()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_bits_below_those_that_are_stored_are_refused(tmp_path, syntax):
    values = values_of(12, False, count=3)
    path = written(tmp_path, values, 12, 11, syntax=syntax)[1]
    edit(path, {"HighBit": 15})  # wrong: its values stand in the lowest bits
    da = xdicom.open_series(tmp_path, scaling="stored")
    np.testing.assert_array_equal(da[[0, 2]].values, values[[0, 2]])
    with pytest.raises(xdicom.UnsupportedPixelLayoutError, match="HighBit 15 of 12 bits") as error:
        da[1].values  # noqa: B018
    assert (error.value.file, error.value.frame) == (str(path), 1)


@pytest.mark.parametrize(
    ("bits", "high_bit", "syntax"),
    [
        (12, 10, ExplicitVRLittleEndian),
        (12, 16, ExplicitVRLittleEndian),
        (16, 14, ExplicitVRLittleEndian),
        (12, 15, JPEG2000Lossless),
        (12, 15, JPEGLSLossless),
    ],
)
def test_what_cannot_be_told_is_refused_at_open(tmp_path, bits, high_bit, syntax):
    for path in write_series(tmp_path, {"z": 2}, rows=8, columns=8, transfer_syntax=syntax):
        edit(path, {"BitsStored": bits, "HighBit": high_bit})
    with pytest.raises(xdicom.UnsupportedPixelLayoutError, match=f"found {high_bit}"):
        xdicom.open_series(tmp_path)


def test_frames_of_a_run_each_have_their_bits(tmp_path):
    values = values_of(12, False, count=4).astype("u2")
    path = write_multiframe(tmp_path / "cine.dcm", values << 4)
    edit(path, {"BitsStored": 12, "HighBit": 15})
    np.testing.assert_array_equal(xdicom.open_series(path, scaling="stored").values, values)


class TestDeflated:
    def test_inflated_once_a_read(self, tmp_path):
        values = values_of(16, False, count=40).astype("u2")
        path = write_multiframe(
            tmp_path / "cine.dcm", values, transfer_syntax=DeflatedExplicitVRLittleEndian
        )
        da = xdicom.open_series(path, scaling="stored")
        COUNTER.reset()
        np.testing.assert_array_equal(da.values, values)
        assert COUNTER.files == 1
        np.testing.assert_array_equal(da[7, 1:3, ::2].values, values[7, 1:3, ::2])

    def test_colour(self, tmp_path):
        values = np.random.default_rng(3).integers(0, 256, (5, 3, 7, 3)).astype("u1")
        path = write_multiframe(
            tmp_path / "a.dcm", values, transfer_syntax=DeflatedExplicitVRLittleEndian
        )
        da = xdicom.open_series(path, scaling="stored")
        np.testing.assert_array_equal(da.values, values)
        np.testing.assert_array_equal(da[3].values, values[3])

    def test_a_broken_stream_is_said(self, tmp_path):
        values = values_of(16, False, count=4).astype("u2")
        path = write_multiframe(
            tmp_path / "cine.dcm", values, transfer_syntax=DeflatedExplicitVRLittleEndian
        )
        da = xdicom.open_series(path)
        data = bytearray(path.read_bytes())
        data[-60:-50] = struct.pack(">10B", *[255] * 10)
        path.write_bytes(data)
        with pytest.raises(xdicom.CorruptFileError):
            da.values  # noqa: B018


def in_items(path, codestreams, syntax):
    """Put codestreams in the place of a native file's pixels."""
    edit(path, {"TransferSyntaxUID": RLELossless})
    ds = pydicom.dcmread(path)
    ds.PixelData = encapsulate(codestreams)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = RLELossless  # one that pydicom writes
    ds.save_as(path)
    return path if syntax == RLELossless else edit(path, {"TransferSyntaxUID": syntax})


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


class TestDeflatedFrames:
    """PS3.5 A.4.13, which pydicom 3.0 does not know."""

    SYNTAX = "1.2.840.10008.1.2.8.1"

    @pytest.fixture
    def frames(self):
        return values_of(12, False, count=5).astype("u2")

    @pytest.fixture
    def path(self, tmp_path, frames):
        path = write_multiframe(tmp_path / "a.dcm", frames, bits_stored=12)
        return in_items(path, [deflated(f.tobytes()) for f in frames], self.SYNTAX)

    def test_values(self, path, frames):
        da = xdicom.open_series(path, scaling="stored")
        np.testing.assert_array_equal(da.values, frames)
        np.testing.assert_array_equal(da[3, 1:4].values, frames[3, 1:4])
        found = xdicom.decoders()[self.SYNTAX]
        assert (found.name, found.decoders) == ("Deflated Image Frame Compression", ("xdicom",))

    def test_colour_and_single_bits(self, tmp_path):
        rng = np.random.default_rng(0)
        colours = rng.integers(0, 256, (2, 5, 7, 3)).astype("u1")
        path = write_multiframe(tmp_path / "c.dcm", colours)
        in_items(path, [deflated(f.tobytes() + b"\0") for f in colours], self.SYNTAX)
        np.testing.assert_array_equal(xdicom.open_series(path).values, colours)
        bits = rng.integers(0, 2, (3, 5, 7)).astype(bool)
        path = write_multiframe(tmp_path / "b.dcm", bits)
        packed = [np.packbits(f.ravel(), bitorder="little").tobytes() for f in bits]
        in_items(path, [deflated(p) for p in packed], self.SYNTAX)
        np.testing.assert_array_equal(xdicom.open_series(path).values, bits)

    @pytest.mark.parametrize("damage", ["cut", "noise", "short", "bomb"])
    def test_a_broken_frame_touches_no_other(self, path, frames, damage):
        good = [deflated(f.tobytes()) for f in frames]
        good[2] = {
            "cut": good[2][: len(good[2]) // 2],
            "noise": b"\xff" * 40,
            "short": deflated(bytes(10)),
            "bomb": deflated(bytes(10**8)),
        }[damage]
        in_items(path, good, self.SYNTAX)
        da = xdicom.open_series(path, scaling="stored")
        np.testing.assert_array_equal(da[[0, 1, 3, 4]].values, frames[[0, 1, 3, 4]])
        with pytest.raises(xdicom.FrameDecodeError, match="frame 3"):
            da[2].values  # noqa: B018


def test_single_bits_by_rle(tmp_path):
    bits = np.random.default_rng(1).integers(0, 2, (3, 40, 50)).astype(bool)
    path = write_multiframe(tmp_path / "a.dcm", bits)
    codestreams = []
    for frame in bits:
        packed = np.packbits(frame.ravel(), bitorder="little").tobytes()
        parts = [packed[i : i + 128] for i in range(0, len(packed), 128)]
        segment = b"".join(bytes([len(part) - 1]) + part for part in parts)
        codestreams.append(struct.pack("<16I", 1, 64, *[0] * 14) + segment)
    in_items(path, codestreams, RLELossless)
    da = xdicom.open_series(path)
    assert da.dtype == np.uint8
    np.testing.assert_array_equal(da.values, bits)
    in_items(path, [codestreams[0], codestreams[1][:100], codestreams[2]], RLELossless)
    da = xdicom.open_series(path)
    np.testing.assert_array_equal(da[[0, 2]].values, bits[[0, 2]])
    with pytest.raises(xdicom.FrameDecodeError):
        da[1].values  # noqa: B018
