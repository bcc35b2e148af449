"""Every row of the table of errors that one file alone decides: accepted, noted or refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

import xdicom.headers.validate as validate
from xdicom.errors import (
    CorruptFileError,
    InconsistentSeriesError,
    MissingAttributeError,
    NotDicomError,
    ResourceLimitError,
)
from xdicom.headers.validate import Leniency, count_frames
from xdicom.testing import (
    drop_fragments,
    edit,
    element_span,
    excess_pixels,
    overwrite_bytes,
    remove_preamble,
    truncate,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)

FRAME = 16 * 24 * 2
RLE = "1.2.840.10008.1.2.5"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture
def count(head_of):
    """Frames of a file and the kinds of its problems."""

    def counted(path, **leniency):
        head = head_of(path)
        frames = count_frames(head, str(path), Leniency(**leniency))
        return frames, [kind for kind, _ in head.problems]

    return counted


@pytest.fixture
def path(tmp_path):
    (made,) = write_series(tmp_path, {})
    return made


@pytest.fixture
def cine(tmp_path):
    frames = np.arange(5 * FRAME // 2, dtype="uint16").reshape(5, 16, 24)
    return write_multiframe(tmp_path / "cine.dcm", frames)


def declare(path, length):
    """Let the pixel element claim another length; the file stays."""
    span = element_span(path, "PixelData")
    path.write_bytes(span.with_length(path.read_bytes(), length))
    return path


class TestGoodFiles:
    @pytest.mark.parametrize("modality", ["MR", "CT", "PT", "OT"])
    @pytest.mark.parametrize("syntax", [IMPLICIT, "1.2.840.10008.1.2.2", DEFLATED, RLE])
    def test_single_frames(self, tmp_path, modality, syntax, count):
        (path,) = write_series(tmp_path, {}, modality=modality, transfer_syntax=syntax)
        assert count(path) == (1, [])

    def test_many_frames(self, tmp_path, cine, count):
        assert count(cine) == (5, [])
        assert count(write_enhanced(tmp_path / "e.dcm", {"z": 3})) == (3, [])
        rgb = np.zeros((2, 4, 4, 3), "uint8")
        assert count(write_multiframe(tmp_path / "rgb.dcm", rgb)) == (2, [])

    @pytest.mark.parametrize("frames", [1, 2, 7])
    def test_single_bits_that_fill_no_bytes(self, tmp_path, frames, count):
        bits = np.ones((frames, 3, 5), bool)
        assert count(write_multiframe(tmp_path / "bits.dcm", bits)) == (frames, [])

    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_tiny_frames_whose_padding_is_as_large_as_a_frame(self, tmp_path, size, count):
        pixels = np.zeros((1, 1, size), "uint8")
        assert count(write_multiframe(tmp_path / "tiny.dcm", pixels)) == (1, [])


class TestExcess:
    def test_below_a_frame(self, path, count):
        assert count(excess_pixels(path, FRAME - 2)) == (1, ["ExcessBytes"])

    @pytest.mark.parametrize("excess", [FRAME, FRAME + 2, 3 * FRAME])
    def test_a_frame_or_more(self, path, excess, count):
        excess_pixels(path, excess)
        with pytest.raises(
            InconsistentSeriesError,
            match=rf"more frames.*expected {FRAME} bytes for 1 frames; found {FRAME + excess}",
        ):
            count(path)
        assert count(path, trust="length") == (
            1 + excess // FRAME,
            ["ExcessBytes"] if excess % FRAME else [],
        )

    def test_number_of_frames_is_trusted_where_it_is_given(self, cine, count):
        excess_pixels(cine, FRAME)
        for trust in (None, "length"):
            with pytest.raises(InconsistentSeriesError, match="more frames") as caught:
                count(cine, trust=trust)
            assert caught.value.remedy is None


class TestTruncated:
    @pytest.mark.parametrize("bytes_off", [1, 2, FRAME - 1, FRAME])
    def test_a_single_frame(self, path, bytes_off, count):
        truncate(path, bytes_off=bytes_off)
        for allow_truncated in (False, True):
            with pytest.raises(
                CorruptFileError,
                match=rf"shorter.*expected {FRAME} bytes.*found {FRAME - bytes_off}",
            ):
                count(path, allow_truncated=allow_truncated)

    @pytest.mark.parametrize(("bytes_off", "whole"), [(1, 4), (FRAME, 4), (FRAME + 1, 3)])
    def test_frames_that_are_wholly_there(self, cine, bytes_off, whole, count):
        truncate(cine, bytes_off=bytes_off)
        with pytest.raises(CorruptFileError, match="allow_truncated=True reads the frames"):
            count(cine)
        assert count(cine, allow_truncated=True) == (whole, ["TruncatedPixelData"])

    def test_the_length_that_is_declared(self, cine, count):
        declare(cine, 2 * FRAME)
        with pytest.raises(CorruptFileError, match=f"found {2 * FRAME}"):
            count(cine)
        assert count(cine, allow_truncated=True) == (2, ["TruncatedPixelData"])

    def test_only_padding(self, tmp_path, count):
        path = write_multiframe(tmp_path / "odd.dcm", np.zeros((1, 3, 3), "uint8"))
        assert count(truncate(path, bytes_off=1)) == (1, ["TruncatedPixelData"])

    def test_deflated(self, tmp_path, count):
        (path,) = write_series(tmp_path, {}, transfer_syntax=DEFLATED)
        truncate(path, bytes_off=100)
        with pytest.raises(CorruptFileError, match="shorter than the header says"):
            count(path)

    def test_encapsulated(self, tmp_path, count):
        (path,) = write_series(tmp_path, {}, transfer_syntax=RLE)
        truncate(path, bytes_off=30)
        with pytest.raises(CorruptFileError, match="encapsulated pixel data are cut off"):
            count(path)

    def test_no_pixels_at_all(self, path, count):
        truncate(path, keep=element_span(path, "PixelData").start)
        assert count(path) == (0, ["NoPixelData"])
        truncate(path, keep=element_span(path, "SOPInstanceUID").stop)
        assert count(path) == (0, ["MissingUID", "MissingUID", "NoPixelData"])

    def test_empty_pixel_element(self, path, count):
        declare(truncate(path, bytes_off=FRAME), 0)
        with pytest.raises(CorruptFileError, match="found 0"):
            count(path)


class TestNumberOfFrames:
    @pytest.mark.parametrize("text", [b"0", b"-3", b"1.5", b"many", b"1\\1"])
    def test_invalid(self, path, text, count):
        edit(path, {"NumberOfFrames": text})
        assert count(path) == (1, ["InvalidValue"])

    @pytest.mark.parametrize("text", [b"", b" "])
    def test_empty(self, path, text, count):
        assert count(edit(path, {"NumberOfFrames": text})) == (1, [])

    def test_absent(self, cine, count):
        edit(cine, {"NumberOfFrames": None})
        with pytest.raises(InconsistentSeriesError):
            count(cine)
        assert count(cine, trust="length") == (5, [])

    @pytest.mark.parametrize("frames", [6, 10**9, 10**30])
    def test_more_than_there_are(self, cine, frames, count):
        edit(cine, {"NumberOfFrames": str(frames).encode()})
        with pytest.raises(CorruptFileError, match="shorter than the header says"):
            count(cine)
        assert count(cine, allow_truncated=True)[0] == 5

    @pytest.mark.parametrize("frames", [1, 3])
    def test_against_the_functional_groups(self, tmp_path, frames, count):
        path = write_enhanced(tmp_path / "e.dcm", {"z": 2})
        edit(path, {"NumberOfFrames": frames})
        with pytest.raises(CorruptFileError, match=f"expected {frames} items; found 2"):
            count(path)


class TestMissing:
    @pytest.mark.parametrize(
        "keyword",
        """Rows Columns SamplesPerPixel BitsAllocated BitsStored PixelRepresentation
        PhotometricInterpretation""".split(),
    )
    def test_image_pixel(self, path, keyword, count):
        edit(path, {keyword: None})
        with pytest.raises(MissingAttributeError, match=f"{keyword} is missing.*found nothing"):
            count(path)

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [("Rows", b"\0\0"), ("Columns", b"\1\0\1\0"), ("BitsAllocated", b"\0\0")],
    )
    def test_invalid(self, path, keyword, value, count):
        edit(path, {keyword: value})
        with pytest.raises(MissingAttributeError, match=rf"{keyword} is .*invalid.*integer ≥ 1"):
            count(path)

    def test_of_a_length_that_its_vr_cannot_have(self, tmp_path, count):
        (path,) = write_series(tmp_path, {}, transfer_syntax=IMPLICIT)
        span = element_span(path, "Rows")
        data = span.with_length(path.read_bytes(), 1)
        path.write_bytes(data[: span.value + 1] + data[span.stop :])
        with pytest.raises(MissingAttributeError, match="Rows is missing or invalid"):
            count(path)

    @pytest.mark.parametrize(("syntax", "needed"), [("1.2.840.10008.1.2.1", True), (RLE, False)])
    def test_planar_configuration_of_native_colour(self, tmp_path, syntax, needed, count):
        frames = np.zeros((1, 4, 4, 3), "uint8")
        path = write_multiframe(tmp_path / "rgb.dcm", frames, transfer_syntax=syntax)
        edit(path, {"PlanarConfiguration": None})
        if needed:
            with pytest.raises(MissingAttributeError, match="PlanarConfiguration is missing"):
                count(path)
        else:
            assert count(path) == (1, [])

    def test_high_bit_is_made_up_for(self, path, count):
        assert count(edit(path, {"HighBit": None})) == (1, [])

    @pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
    def test_uids(self, path, keyword, count):
        assert count(edit(path, {keyword: None})) == (1, ["MissingUID"])

    def test_sop_class(self, path, count):
        edit(path, {"SOPClassUID": None})
        with pytest.raises(CorruptFileError, match=r"no SOPClassUID.*cut off"):
            count(path)
        remove_preamble(path)
        with pytest.raises(NotDicomError):
            count(path)

    @pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
    def test_float_pixels_need_no_bits(self, path, keyword, count):
        bits = {"FloatPixelData": 4, "DoubleFloatPixelData": 8}[keyword]
        edit(
            path,
            dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation"))
            | {keyword: bytes(16 * 24 * bits)},
        )
        assert count(path) == (1, [])
        truncate(path, bytes_off=2)
        with pytest.raises(CorruptFileError):
            count(path)


class TestEncapsulated:
    @pytest.fixture
    def rle(self, tmp_path):
        frames = np.arange(5 * 16 * 24, dtype="uint16").astype("uint8").reshape(5, 16, 24)
        return write_multiframe(tmp_path / "rle.dcm", frames, transfer_syntax=RLE)

    def test_fewer_fragments_than_frames(self, rle, count):
        drop_fragments(rle, 1)
        for allow_truncated in (False, True):
            with pytest.raises(
                CorruptFileError, match=r"fewer fragments than frames.*expected at least 5; found 4"
            ):
                count(rle, allow_truncated=allow_truncated)

    @pytest.mark.parametrize("frames", [10**6, 10**9])
    def test_absurd_number_of_frames(self, rle, frames, count):
        edit(rle, {"NumberOfFrames": frames})
        with pytest.raises(CorruptFileError, match="fewer fragments"):
            count(rle)

    @pytest.mark.parametrize(
        "syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.108"]
    )
    def test_video_has_many_frames_in_a_fragment(self, rle, syntax, count):
        edit(rle, {"TransferSyntaxUID": syntax, "NumberOfFrames": 500})
        assert count(rle) == (500, [])

    def test_under_a_native_syntax(self, rle, count):
        edit(rle, {"TransferSyntaxUID": "1.2.840.10008.1.2.1"})
        with pytest.raises(CorruptFileError, match=r"undefined length.*not encapsulated"):
            count(rle)

    def test_native_pixels_under_an_encapsulated_syntax(self, cine, count):
        edit(cine, {"TransferSyntaxUID": RLE})
        with pytest.raises(CorruptFileError, match="something else than items"):
            count(cine)

    @pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.3.46.670589.33.1.4.1", "what"])
    def test_what_only_its_vendor_knows(self, rle, syntax, count):
        # refused when pixels are opened, by the name of the syntax
        assert count(edit(rle, {"TransferSyntaxUID": syntax.encode()})) == (5, [])


class TestLimits:
    def test_a_frame_of_more_than_2_gib(self, path, count):
        edit(path, {"Rows": 65535, "Columns": 32767})
        with pytest.raises(ResourceLimitError, match=r"absurdly large.*found 4294770690"):
            count(path)
        edit(path, {"Rows": 32768, "Columns": 32768})  # 2 GiB are allowed, but are not there
        with pytest.raises(CorruptFileError, match="shorter"):
            count(path)

    def test_too_many_frames(self, cine, count, monkeypatch):
        monkeypatch.setattr(validate, "MAX_FRAMES", 4)
        with pytest.raises(ResourceLimitError, match=r"many frames.*at most 4; found 5"):
            count(cine)


class TestNoImages:
    def test_are_listed_without_pixels(self, tmp_path, count):
        assert count(write_non_image(tmp_path / "sr.dcm")) == (0, [])

    def test_an_image_by_its_rows_alone(self, tmp_path, count):
        path = write_non_image(tmp_path / "sr.dcm", attributes={"Rows": 5})
        assert count(path) == (0, ["NoPixelData"])


def test_errors_name_the_file(path, head_of):
    truncate(path, bytes_off=5)
    with pytest.raises(CorruptFileError) as caught:
        count_frames(head_of(path), "folder/a.dcm", Leniency())
    assert caught.value.file == "folder/a.dcm"
    assert "file folder/a.dcm" in str(caught.value)


def test_pydicom_gives_part_of_a_truncated_file_without_a_word(path, recwarn):
    """Why lengths are checked here."""
    overwrite_bytes(path, 0, b"")
    truncate(path, keep=element_span(path, "Rows").start + 3)
    found = dcmread(path)
    assert "Modality" in found
    assert "Rows" not in found
    assert not len(recwarn)
