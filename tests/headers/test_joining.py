"""Tables of one root are joined to what one scan of all their files gives, and split again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.errors import Problem
from xdicom.headers.building import TableBuilder
from xdicom.headers.head import DimensionIndex, Head, PixelElement
from xdicom.headers.joining import join, split
from xdicom.headers.scan import Scan, ScanOptions, listed, scan_table
from xdicom.sources.base import FileStat
from xdicom.testing import text_file, write_enhanced, write_non_image, write_series

quick = settings(max_examples=200, deadline=None)
names = st.binary(min_size=1, max_size=4).filter(lambda b: b"\0" not in b)
attributes = st.dictionaries(
    st.sampled_from(["EchoTime", "KVP", "Rows"]), st.sampled_from(["1", "2", "a\\b", "é\n"])
)


@st.composite
def files(draw):
    """Files of one to three frames with any attributes: stat, head, and how many frames."""
    found = []
    for name in draw(st.lists(names, min_size=1, max_size=8, unique=True)):
        number, frames = len(found), draw(st.integers(1, 3))
        head = Head("1.2.840.10008.1.2.1", {"SOPInstanceUID": f"1.{number}", **draw(attributes)})
        head.pixel = PixelElement("PixelData", 1000 + number, 512 * frames, "OW")
        head.frames = [draw(attributes) for _ in range(frames)]
        if draw(st.booleans()):
            head.dimensions = (DimensionIndex(f"D{number}", False),)
        if draw(st.booleans()):
            head.problems.append(("Odd", f"{number}"))
        path = name.decode("utf-8", "surrogateescape")
        found.append((FileStat(path, draw(st.integers(0, 9)), number), head, frames))
    return found


def built(files):
    builder = TableBuilder()
    for file in files:
        builder.add(*file)
    return builder.build("/archive", "folder")


def assert_equal(one, other):
    """The same rows, whatever the order of the distinct texts."""
    assert (one.root, one.kind, one.files.paths) == (other.root, other.kind, other.files.paths)
    assert one.digest == other.digest
    assert dict(one.dimensions) == dict(other.dimensions)
    assert set(one.problems) == set(other.problems)
    for name in ("file", "frame_number", "frame_id", "pixel_offset", "pixel_length"):
        assert getattr(one, name).dtype == np.int64
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for keyword in {*one.columns, *other.columns}:
        a, b = one.column(keyword), other.column(keyword)
        assert (a.vr, a.codes.dtype) == (b.vr, b.codes.dtype)
        assert len(set(a.texts)) == len(a.texts)
        np.testing.assert_array_equal(a.strings(), b.strings(), keyword)


class TestJoin:
    @quick
    @given(files(), st.data())
    def test_any_shares_of_files(self, files, data):
        whole = built(sorted(files, key=lambda file: file[0].path))
        share = data.draw(st.lists(st.integers(0, 3), min_size=len(files), max_size=len(files)))
        shares = {n: [f for f, m in zip(files, share, strict=True) if m == n] for n in share}
        assert_equal(join([built(each) for each in shares.values()]), whole)

    def test_shares_of_a_scan(self, tmp_path):
        write_series(tmp_path / "s", {"EchoTime": [5.0, 10.0], "z": 4}, modality="MR")
        write_series(tmp_path / "t", {"z": 3}, modality="CT", seed=1)
        write_enhanced(tmp_path / "e.dcm", {"time": 2, "z": 3}, seed=2)
        write_non_image(tmp_path / "n.dcm")
        text_file(tmp_path / "s" / "readme.txt")
        listing, errors = listed(tmp_path, "ignore")
        shares = []
        for start in range(3):
            scan = Scan(listing, ScanOptions(errors="ignore"), errors)
            (batch,) = scan.batches(listing.files[start::3])
            shares.append(batch.builder.build(listing.root, listing.kind))
        assert_equal(join(shares), scan_table(tmp_path, ScanOptions(errors="ignore")))

    @quick
    @given(files())
    def test_one_table(self, files):
        table = built(sorted(files, key=lambda file: file[0].path))
        assert join([table]) is table
        mixed = built(files)
        assert_equal(join([mixed]), table)

    def test_frames_come_in_order(self):
        head = Head("1.2", {"SOPInstanceUID": "1"}, pixel=PixelElement("PixelData", 0, 1, "OW"))
        table = built([(FileStat("a", 1, 1), head, 3)])
        assert_equal(join([table.take(np.array([2, 0, 1]))]), table)

    def test_texts_that_both_have_are_one(self):
        def table(path, text):
            return built([(FileStat(path, 1, 1), Head("1.2", {"KVP": text}), 1)])

        joined = join([table("a", "1"), table("b", "2"), table("c", "1")])
        assert joined.columns["KVP"].texts == ("1", "2")
        assert joined.columns["KVP"].codes.tolist() == [0, 1, 0]

    def test_what_cannot_be_joined(self):
        table = built([(FileStat("a", 1, 1), Head("1.2", {}), 1)])
        for tables in ([], [table, replace(table, root="/other")]):
            with pytest.raises(ValueError, match="one root"):
                join(tables)


class TestSplit:
    @quick
    @given(files(), st.data())
    def test_as_take(self, files, data):
        table = replace(built(files), problems=(Problem("Odd", "any"),))
        drawn = data.draw(st.lists(st.integers(0, 3), min_size=len(table), max_size=len(table)))
        codes = np.unique(drawn, return_inverse=True)[1].astype(np.int64)
        parts = split(table, codes)
        assert len(parts) == codes.max() + 1
        for number, part in enumerate(parts):
            expected = table.take(np.flatnonzero(codes == number))
            assert_equal(part, replace(expected, problems=()))
            for keyword, column in part.columns.items():
                assert column.texts == expected.columns[keyword].texts

    def test_nothing(self):
        table = built([(FileStat("a", 1, 1), Head("1.2", {}), 1)])
        assert split(table.take(np.array([], int)), np.array([], np.int64)) == []
