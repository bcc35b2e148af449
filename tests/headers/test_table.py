"""Columns and tables: rows are taken, ids found again, digests made, open tables remembered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.errors import CorruptFileError, Problem
from xdicom.headers.building import TableBuilder
from xdicom.headers.head import DimensionIndex, Head, PixelElement
from xdicom.headers.table import (
    MISSING,
    Column,
    Registry,
    check_unchanged,
    frame_id,
)
from xdicom.sources.base import FileStat
from xdicom.sources.places import source_of


def column(codes, *texts, vr="DS"):
    return Column(np.array(codes, np.int32), texts, vr)


class TestColumns:
    ECHO = column([0, 2, 1, -1, 0], "5", "x", "10")

    def test_each_row(self):
        assert self.ECHO.strings().tolist() == ["5", "10", "x", "", "5"]
        np.testing.assert_array_equal(self.ECHO.numbers(), [5, 10, np.nan, np.nan, 5])
        assert self.ECHO.numbers(2).shape == (5, 2)
        assert np.isnan(self.ECHO.numbers(2)).all()
        assert self.ECHO.values.valid.tolist() == [True, False, True]

    def test_several_numbers(self):
        points = column([0, 1, -1], "1\\2\\3", "4\\5", vr="DS").numbers(3)
        np.testing.assert_array_equal(points[0], [1, 2, 3])
        assert np.isnan(points[1:]).all()

    def test_without_any_value(self):
        nothing = column([-1, -1])
        assert nothing.strings().tolist() == ["", ""]
        assert np.isnan(nothing.numbers()).all()
        assert nothing.constant
        assert not nothing.complete

    @pytest.mark.parametrize(
        ("codes", "constant", "complete"),
        [([0, 0], True, True), ([0, 1], False, True), ([0, -1], False, False), ([], True, True)],
    )
    def test_constant_and_complete(self, codes, constant, complete):
        found = column(codes, "1", "2")
        assert (found.constant, found.complete) == (constant, complete)

    @settings(deadline=None)
    @given(st.data())
    def test_take_keeps_each_rows_text(self, data):
        texts = [str(i) for i in range(data.draw(st.integers(0, 5)))]
        codes = data.draw(st.lists(st.integers(-1, len(texts) - 1), min_size=1, max_size=10))
        whole = column(codes, *texts)
        rows = data.draw(st.lists(st.integers(0, len(codes) - 1), max_size=10))
        part = whole.take(np.array(rows, np.int64))
        assert part.strings().tolist() == [whole.strings()[row] for row in rows]
        assert part.codes.dtype == np.int32
        used = {codes[row] for row in rows} - {-1}
        assert part.texts == tuple(texts[i] for i in sorted(used))

    def test_take_in_a_grid(self):
        part = self.ECHO.take(np.array([[0, 1], [3, 4]]))
        assert part.strings().tolist() == [["5", "10"], ["", "5"]]


def head(uid, frames=1, shared=None, **attributes):
    made = Head("1.2.840.10008.1.2.1", {"SOPInstanceUID": uid, **attributes}, shared=shared or {})
    if frames:
        made.pixel = PixelElement("PixelData", 1000, 512 * frames, "OW")
    return made


@pytest.fixture
def table():
    """Two single frames, an enhanced object of three, and an object without pixels."""
    builder = TableBuilder()
    builder.add(FileStat("a", 10, 1), head("1.1", EchoTime="5", Modality="MR"), 1)
    builder.add(FileStat("b", 20, 2), head("1.2", Modality="MR", Bad="1"), 1)
    enhanced = head("1.3", 3, {"EchoTime": "6", "FlipAngle": "30"}, EchoTime="7", Rows="4")
    enhanced.frames = [{"EchoTime": "8"}, {}, {"FlipAngle": "40", "KVP": "80"}]
    enhanced.dimensions = (DimensionIndex("StackID", False),)
    enhanced.problems.append(("Odd", "something"))
    builder.add(FileStat("c", 30, 3), enhanced, 3)
    builder.add(FileStat("d", 40, 4), head("1.4", 0, Modality="SR"), 0)
    builder.problems.append(Problem("Corrupt", "gone", "e", excluded=True))
    return builder.build("/archive", "folder")


class TestTables:
    def test_rows(self, table):
        assert len(table) == 6
        assert table.file.tolist() == [0, 1, 2, 2, 2, 3]
        assert table.frame_number.tolist() == [1, 1, 1, 2, 3, 0]
        assert table.pixel_offset.tolist() == [1000] * 5 + [-1]
        assert table.pixel_length.tolist() == [512, 512, 1536, 1536, 1536, 0]
        assert table.path(3) == "/archive/c"
        assert repr(table) == "<FrameTable: 6 frames of 4 files in /archive>"

    def test_a_frames_value_goes_before_the_shared_and_the_instances(self, table):
        assert table.strings("EchoTime").tolist() == ["5", "", "8", "6", "6", ""]
        assert table.strings("FlipAngle").tolist() == ["", "", "30", "30", "40", ""]
        assert table.strings("KVP").tolist() == ["", "", "", "", "80", ""]
        assert table.strings("Rows").tolist() == ["", "", "4", "4", "4", ""]
        assert table.strings("xdicom_pixel_element").tolist() == ["PixelData"] * 5 + [""]
        assert table.strings("Nothing").tolist() == [""] * 6

    def test_take(self, table):
        part = table.take(np.array([4, 0]))
        assert part.files.paths == ("a", "c")
        assert part.file.tolist() == [1, 0]
        assert part.strings("FlipAngle").tolist() == ["40", ""]
        assert part.frame_id.tolist() == table.frame_id[[4, 0]].tolist()
        assert "Bad" not in part.columns
        assert part.dimensions == {1: (DimensionIndex("StackID", False),)}
        assert [p.file for p in part.problems] == ["c", "e"]
        assert [p.file for p in table.take(np.array([0])).problems] == ["e"]
        assert len(table.take(np.array([], int))) == 0

    def test_rows_of_ids(self, table):
        ids = table.frame_id
        assert table.rows_of(ids[::-1]).tolist() == [5, 4, 3, 2, 1, 0]
        assert table.rows_of(np.array([[ids[3], 12345], [-1, ids[0]]])).tolist() == [
            [3, MISSING],
            [MISSING, 0],
        ]
        floats = np.array([float(ids[2]), np.nan, np.inf, -1.0, float(ids[2]) + 2])
        assert table.rows_of(floats).tolist() == [2] + [MISSING] * 4
        assert table.take(np.array([], int)).rows_of(ids).tolist() == [MISSING] * 6

    def test_digest(self, table):
        assert table.digest == replace(table, root="/elsewhere").digest
        assert table.take(np.arange(6)).digest == table.digest
        assert table.take(np.arange(5)).digest != table.digest
        changed = replace(table.files, mtimes=table.files.mtimes + 1)
        assert replace(table, files=changed).digest != table.digest

    def test_without_uid_the_file_stands_for_it(self):
        builder = TableBuilder()
        for path, size in (("a", 1), ("a", 2), ("b", 1)):
            builder.add(FileStat(path, size, 0), Head("1.2", {}), 0)
        assert len(set(builder.build("/").frame_id.tolist())) == 3


def test_ids_are_exact_in_float64_and_do_not_change():
    assert frame_id("1.2.840.1", 1) == 3952815923444823
    ids = [frame_id("1.2", frame, tile) for frame in range(50) for tile in range(50)]
    assert len(set(ids)) == 2500
    assert all(0 <= i < 2**53 and int(float(i)) == i for i in ids)


class TestRegistry:
    @pytest.fixture
    def tables(self, table):
        """Tables of six rows, each with a digest of its own."""
        times = [replace(table.files, mtimes=table.files.mtimes + n) for n in range(5)]
        return [replace(table, files=files) for files in times]

    def test_tables_are_found_by_digest(self, tables):
        registry = Registry()
        assert registry.find(tables[0].root, tables[0].digest) is None
        registry.remember(tables[0])
        assert registry.find(tables[0].root, tables[0].digest) is tables[0]
        again = replace(tables[0])
        registry.remember(again)
        assert registry.find(again.root, again.digest) is again
        registry.clear()
        assert registry.find(again.root, again.digest) is None

    @pytest.mark.parametrize("limits", [{"most": 2}, {"rows": 12}, {"rows": 17}])
    def test_the_one_used_longest_ago_goes(self, tables, limits):
        registry = Registry(**limits)
        registry.remember(tables[0])
        registry.remember(tables[1])
        registry.remember(tables[1])
        registry.find(tables[0].root, tables[0].digest)
        registry.remember(tables[2])
        kept = [registry.find(table.root, table.digest) is table for table in tables[:3]]
        assert kept == [True, False, True]

    def test_the_latest_is_kept_whatever_its_size(self, tables):
        registry = Registry(rows=1)
        for table in tables:
            registry.remember(table)
            assert registry.find(table.root, table.digest) is table
        assert registry.find(tables[0].root, tables[0].digest) is None


@pytest.mark.parametrize(("size", "time"), [(1, 0), (0, 1), (1, 1)])
def test_a_file_that_changed(tmp_path, size, time):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"abc")
    stat = source_of(str(path)).stat(str(path))
    check_unchanged(str(path), 3, stat.mtime_ns, stat)
    with pytest.raises(CorruptFileError, match=r"changed since it was indexed.*expected.*Open it"):
        check_unchanged(str(path), 3 + size, stat.mtime_ns - time, stat)
