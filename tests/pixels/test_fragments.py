"""Frames of encapsulated files: found whatever the tables say, and no other is read."""

import os
import re
import struct
from itertools import accumulate

import numpy as np
import pytest
import xarray as xr
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import xdicom
from xdicom.headers.scan import scan_table
from xdicom.pixels.array import COUNTER
from xdicom.pixels.spans import frames_of
from xdicom.testing import (
    edit,
    element_span,
    frame_pixels,
    overwrite_bytes,
    read_fragments,
    truncate,
    write_fragments,
    write_multiframe,
    write_offsets,
    write_series,
)

CODECS = [JPEG2000Lossless, HTJ2KLossless, JPEGLSLossless, JPEGLosslessSV1, JPEGBaseline8Bit]
MANY = 500


def stack(count):
    return np.stack([frame_pixels(i, dtype="uint8") for i in range(count)])


FRAMES = stack(5)


def opened(path):
    return xdicom.open_series(path, mask_and_scale=False)


def wrong_tables(found):
    """Messages about offset tables in the problems of an array."""
    listed = found.dicom.problems
    return listed[listed["kind"] == "WrongOffsetTable"]["message"].tolist()


@pytest.fixture
def write(tmp_path):
    def written(syntax=RLELossless, table="basic", parts=1, frames=FRAMES, **more):
        return write_multiframe(
            tmp_path / "m.dcm", frames, transfer_syntax=syntax, offset_table=table,
            fragments_per_frame=parts, **more,
        )  # fmt: skip

    return written


@pytest.fixture
def reads(monkeypatch):
    """Position and length of each request to the disk."""
    found = []
    real = os.pread

    def pread(fd, length, position):
        found.append((position, length))
        return real(fd, length, position)

    monkeypatch.setattr(os, "pread", pread)
    return found


def starts_of(items):
    """Offsets of the fragments from the first on."""
    return [0, *accumulate(len(item) + 8 for item in items[1:])]


class TestCounts:
    @pytest.mark.parametrize("table", ["basic", "extended", "none"])
    @pytest.mark.parametrize(
        ("syntax", "parts"), [(RLELossless, 1), (JPEG2000Lossless, 1), (JPEG2000Lossless, 3)]
    )
    def test_one_of_500_frames_is_one_request(self, write, reads, syntax, parts, table):
        frames = stack(MANY)
        path = write(syntax, table, parts, frames)
        found = opened(path)
        items = read_fragments(path)[1:]
        parts = len(items) // MANY  # those of an extended table are whole (PS3.3 C.7.6.3.1.8)
        own = sum(len(item) + 8 for item in items[321 * parts : 322 * parts])
        COUNTER.reset()
        reads.clear()
        np.testing.assert_array_equal(found[321].values, frames[321])
        assert (COUNTER.files, COUNTER.frames, COUNTER.bytes) == (1, 1, own)
        assert [length for _, length in reads] == [own]

    @pytest.mark.parametrize("table", ["basic", "extended"])
    def test_a_scan_follows_a_table_to_the_last_frame(self, write, reads, table):
        path = write(JPEG2000Lossless, table, 3, stack(MANY))
        reads.clear()
        scan_table(path)
        assert len(reads) <= 10

    def test_a_table_is_checked_by_a_small_read_a_frame(self, write, reads):
        path = write(JPEG2000Lossless, "basic", 3, stack(MANY))
        table = scan_table(path)
        reads.clear()
        frames_of(table)
        assert len(reads) <= MANY + 10
        assert sum(length for _, length in reads) <= 8 * MANY + 4 * MANY + 80

    def test_the_lengths_of_an_extended_table_cost_nothing_more(self, write, reads):
        table = scan_table(write(RLELossless, "extended", 1, stack(MANY)))
        reads.clear()
        frames_of(table)
        assert len(reads) <= MANY + 10

    def test_what_the_scan_walked_is_not_walked_again(self, write, reads):
        path = write(RLELossless, "none", 1, stack(MANY))
        reads.clear()
        table = scan_table(path)
        assert len(reads) <= MANY + 10
        assert len(table.items[0]) == MANY + 1
        reads.clear()
        frames_of(table)
        assert reads == []

    def test_end_markers_cost_two_small_reads_at_most(self, write, reads):
        table = scan_table(write(JPEG2000Lossless, "none", 3, stack(MANY)))
        reads.clear()
        frames_of(table)
        assert len(reads) <= 3 * MANY + MANY
        assert sum(length for _, length in reads) <= (3 * 16 + 2) * MANY

    def test_single_frames_need_no_look(self, tmp_path, reads):
        write_series(tmp_path, {"z": 30}, rows=4, columns=6, transfer_syntax=RLELossless)
        table = scan_table(tmp_path)
        assert not table.items
        reads.clear()
        frames_of(table)
        assert reads == []

    def test_from_an_index_the_fragments_are_walked_when_opened(self, write, tmp_path, reads):
        path = write(RLELossless, "none", 1)
        catalog = xdicom.scan(path.parent, index=tmp_path / "index")
        reads.clear()
        catalog = xdicom.scan(path.parent, index=tmp_path / "index")
        assert len(reads) == 0
        np.testing.assert_array_equal(catalog.open(mask_and_scale=False).values, FRAMES)


def shifted(offsets, _):
    return [offsets[0], *(o + 2 for o in offsets[1:])]


WRONG = {
    "too few": (lambda o, _: o[:-1], "holds 4 offsets for 5 frames"),
    "too many": (lambda o, n: [*o, n], "holds 6 offsets for 5 frames"),
    "of one": (lambda o, _: o[:1], "holds 1 offsets for 5 frames"),
    "shifted": (shifted, "points at no item for frame 2"),
    "one into the middle": (
        lambda o, _: [*o[:3], o[3] + 10, o[4]],
        "points at no item for frame 4",
    ),
    "out of order": (lambda o, _: [o[0], o[2], o[1], *o[3:]], "does not ascend: .* of frame 3"),
    "duplicated": (lambda o, _: [o[0], o[1], o[1], *o[3:]], "does not ascend: .* of frame 3"),
    "all zero": (lambda o, _: [0] * 5, "does not ascend: 0 of frame 2 after 0"),
    "outside": (lambda o, n: [*o[:-1], n + 9999], "points outside of the pixel data"),
    "at the delimiter": (lambda o, n: [*o[:-1], n], "points outside of the pixel data"),
    "not from the first fragment": (lambda o, _: [x + 8 for x in o], "begins with 8, not with 0"),
}


class TestWrongTables:
    @pytest.mark.parametrize("wrong", WRONG)
    @pytest.mark.parametrize(
        ("syntax", "table", "parts"),
        [
            (RLELossless, "basic", 1),
            (RLELossless, "extended", 1),
            (JPEG2000Lossless, "basic", 3),
            (JPEG2000Lossless, "extended", 1),
        ],
    )
    def test_is_ignored_and_reported(self, write, syntax, table, parts, wrong):
        path = write(syntax, table, parts)
        change, message = WRONG[wrong]
        starts = starts_of(read_fragments(path))
        write_offsets(path, change(starts[:-1:parts], starts[-1]))
        found = opened(path)
        np.testing.assert_array_equal(found.values, FRAMES)
        np.testing.assert_array_equal(found[3].values, FRAMES[3])
        (problem,) = wrong_tables(found)
        assert problem.startswith(f"the {table} offset table ")
        assert problem.endswith("; it was ignored")
        assert found.dicom.problems["file"].tolist() == [path.name]
        assert re.search(message, problem)

    def test_of_no_whole_offsets(self, write):
        path = write()
        table, *fragments = read_fragments(path)
        write_fragments(path, [table + b"\0\0", *fragments])
        found = opened(path)
        np.testing.assert_array_equal(found.values, FRAMES)
        assert "holds 6 offsets for 5 frames" in wrong_tables(found)[0]

    def test_into_a_fragment_that_holds_what_looks_like_an_item(self, write):
        path = write(JPEG2000Lossless)
        _, first, *others = read_fragments(path)
        false = b"\xfe\xff\x00\xe0" + struct.pack("<I", 4) + bytes(4)
        items = [b"", first + false, *others]
        starts = starts_of(items)[:-1]
        starts[1] -= len(false)
        write_offsets(write_fragments(path, items), starts)
        found = opened(path)
        np.testing.assert_array_equal(found.values, FRAMES)
        assert "points into the middle of a fragment for frame 2" in wrong_tables(found)[0]

    def test_a_wrong_basic_table_beside_a_right_extended_one(self, write):
        path = write(JPEG2000Lossless, "extended")
        _, *fragments = read_fragments(path)
        write_fragments(path, [b"\1\2\3\4", *fragments])
        found = opened(path)
        np.testing.assert_array_equal(found.values, FRAMES)
        assert len(wrong_tables(found)) == 1

    def test_in_a_tree(self, write):
        path = write()
        write_offsets(path, [1] * 5)
        tree = xr.open_datatree(path, engine="dicom")
        assert "WrongOffsetTable" in tree.dicom.problems["kind"].tolist()

    def test_and_fragments_that_nobody_can_tell_apart(self, write):
        path = write(RLELossless, "basic", 3)
        write_offsets(path, [2] * 5)
        with pytest.raises(xdicom.FrameDecodeError, match="5 frames; found 15 fragments") as caught:
            opened(path)
        assert caught.value.file == str(path)

    def test_a_right_one_is_no_problem(self, write):
        for table in ("basic", "extended", "none"):
            assert not len(opened(write(RLELossless, table)).dicom.problems)

    @pytest.mark.parametrize(
        ("change", "problems"),
        [
            (lambda n: n, 0),
            (lambda n: [x - 1 for x in n], 0),  # without the byte of padding
            (lambda n: [x + 2 for x in n], 1),
            (lambda n: [x - 2 for x in n], 1),
            (lambda n: n[:-1], 1),
            (lambda n: None, 0),
        ],
    )
    def test_lengths_of_an_extended_table(self, write, change, problems):
        path = write(RLELossless, "extended")
        lengths = change([len(item) for item in read_fragments(path)[1:]])
        packed = None if lengths is None else struct.pack(f"<{len(lengths)}Q", *lengths)
        found = opened(edit(path, {"ExtendedOffsetTableLengths": packed}))
        np.testing.assert_array_equal(found.values, FRAMES)
        assert len(wrong_tables(found)) == problems


class TestWithoutTable:
    @pytest.mark.parametrize("syntax", CODECS, ids=lambda uid: uid.keyword)
    @pytest.mark.parametrize("parts", [1, 2, 4])
    def test_by_end_markers(self, write, syntax, parts):
        expected = opened(write(syntax, "basic")).values
        found = opened(write(syntax, "none", parts))
        np.testing.assert_array_equal(found.values, expected)
        np.testing.assert_array_equal(found[3].values, expected[3])

    def cut(self, fragments, sizes):
        """Each fragment cut after so many bytes."""
        return [part for f in fragments for part in np.split(np.frombuffer(f, "u1"), sizes)]

    @pytest.mark.parametrize("syntax", CODECS, ids=lambda uid: uid.keyword)
    @pytest.mark.parametrize("sizes", [[33], [7, 7, 40], [0, 2, 3, 5]])
    def test_odd_and_empty_fragments(self, write, syntax, sizes):
        path = write(syntax, "none")
        expected = opened(path).values
        parts = self.cut(read_fragments(path)[1:], sizes)
        write_fragments(path, [b"", *(part.tobytes() for part in parts)])
        np.testing.assert_array_equal(opened(path).values, expected)

    @pytest.mark.parametrize("places", [[0], [3], [5], [0, 2, 5]])
    def test_empty_fragments_hold_no_frame(self, write, places):
        path = write(RLELossless, "none")
        _, *fragments = read_fragments(path)
        for place in reversed(places):
            fragments.insert(place, b"")
        write_fragments(path, [b"", *fragments])
        np.testing.assert_array_equal(opened(path).values, FRAMES)

    def test_fewer_fragments_that_hold_anything(self, write):
        path = write(RLELossless, "none")
        _, *fragments = read_fragments(path)
        write_fragments(path, [b"", *fragments[:4], b"", b""])
        with pytest.raises(
            xdicom.CorruptFileError, match="at least 5; found 6, 2 of which are empty"
        ):
            opened(path)

    def test_of_odd_length(self, write):
        path = write(RLELossless, "none")
        _, *fragments = read_fragments(path)
        write_fragments(path, [b"", *(f + b"\0" * (1 - len(f) % 2) for f in fragments)])
        np.testing.assert_array_equal(opened(path).values, FRAMES)

    def test_an_end_marker_in_the_middle_of_a_frame(self, write):
        """A fragment ends just behind a thumbnail's end marker: no frame ends there."""
        path = write(JPEGBaseline8Bit, "none")
        expected = opened(path).values
        fragments = []
        for stream in read_fragments(path)[1:]:
            segment = b"\xff\xe1" + struct.pack(">H", 6) + b"ab\xff\xd9"
            fragments += [stream[:2] + segment, stream[2:]]
        write_fragments(path, [b"", *fragments])
        np.testing.assert_array_equal(opened(path).values, expected)

    @pytest.mark.parametrize("padding", [0, 1, 2, 12])
    def test_padding_after_the_end_marker(self, write, padding):
        path = write(JPEG2000Lossless, "none")
        parts = self.cut(read_fragments(path)[1:], [50])
        ends = (part.tobytes() for part in parts)
        write_fragments(
            path, [b"", *(e + bytes(padding) if i % 2 else e for i, e in enumerate(ends))]
        )
        np.testing.assert_array_equal(opened(path).values, FRAMES)

    @pytest.mark.parametrize("delimiter", [True, False])
    @pytest.mark.parametrize("table", ["basic", "none"])
    def test_missing_delimiter(self, write, table, delimiter):
        path = write(JPEG2000Lossless, table, 2)
        found = opened(write_fragments(path, read_fragments(path), delimiter=delimiter))
        np.testing.assert_array_equal(found.values, FRAMES)
        kinds = found.dicom.problems["kind"].tolist()
        assert kinds == ([] if delimiter else ["MissingDelimiter"])

    @pytest.mark.parametrize("table", ["basic", "none"])
    def test_defined_length(self, write, table):
        path = write(JPEG2000Lossless, table, 2)
        span = element_span(path, "PixelData")
        write_fragments(path, read_fragments(path), delimiter=False)
        length = struct.pack("<I", path.stat().st_size - span.value)
        found = opened(overwrite_bytes(path, span.value - 4, length))
        np.testing.assert_array_equal(found.values, FRAMES)
        assert not len(found.dicom.problems)


class TestRefused:
    @pytest.mark.parametrize("table", ["basic", "none"])
    def test_more_frames_than_declared(self, write, table):
        path = edit(write(JPEG2000Lossless, table), {"NumberOfFrames": 3})
        message = "3 frames; found 5 fragments, 5 of which end a codestream"
        with pytest.raises(xdicom.FrameDecodeError, match=message):
            opened(path)

    def test_more_fragments_of_a_codec_without_end(self, write):
        path = edit(write(RLELossless, "none"), {"NumberOfFrames": 3})
        with pytest.raises(xdicom.FrameDecodeError, match="3 frames; found 5 fragments"):
            opened(path)

    def test_something_behind_the_last_frame(self, write):
        path = write(JPEG2000Lossless, "none", 2)
        items = read_fragments(path)
        with pytest.raises(xdicom.FrameDecodeError, match="found 11 fragments"):
            opened(write_fragments(path, [*items, b"\1\2\3\4"]))

    def test_with_a_table_it_is_the_last_frames(self, write):
        """A decoder stops at the end of the codestream, and the other frames are safe."""
        path = write(JPEG2000Lossless, "basic", 2)
        found = opened(write_fragments(path, [*read_fragments(path), b"\1\2\3\4"]))
        np.testing.assert_array_equal(found[:4].values, FRAMES[:4])

    def test_fewer_fragments_than_frames(self, write):
        path = write(RLELossless, "none")
        write_fragments(path, read_fragments(path)[:-1])
        with pytest.raises(xdicom.CorruptFileError, match="expected at least 5; found 4"):
            opened(path)

    @pytest.mark.parametrize("table", ["basic", "extended", "none"])
    @pytest.mark.parametrize("bytes_off", [9, 30, 900])
    def test_cut_off(self, write, table, bytes_off):
        path = truncate(write(RLELossless, table), bytes_off=bytes_off)
        with pytest.raises(xdicom.CorruptFileError, match=r"cut off|fewer"):
            opened(path)

    def test_video_is_named(self, write):
        path = write(RLELossless, "none")
        write_fragments(path, read_fragments(path)[:2])
        edit(path, {"TransferSyntaxUID": "1.2.840.10008.1.2.4.102"})
        with pytest.raises(xdicom.UnsupportedTransferSyntaxError, match=r"MPEG|4\.102"):
            opened(path)


def test_one_frame_in_many_fragments(tmp_path):
    path = write_multiframe(
        tmp_path / "one.dcm", FRAMES[:1], transfer_syntax=JPEG2000Lossless, fragments_per_frame=7
    )
    np.testing.assert_array_equal(opened(path).squeeze().values, FRAMES[0])


def test_items_follow_their_files(tmp_path):
    for number in (1, 2, 3):
        write_multiframe(tmp_path / f"{number}.dcm", FRAMES[: number + 1], instance_number=number,
                         transfer_syntax=RLELossless, offset_table="none")  # fmt: skip
    table = scan_table(tmp_path)
    assert [len(table.items[i]) for i in range(3)] == [3, 4, 5]
    part = table.take(np.flatnonzero(table.file == 2))
    np.testing.assert_array_equal(part.items[0], table.items[2])
    assert len(frames_of(part).offset) == 4
