"""Tables become bytes and the same tables again; damaged bytes are named so, and nothing else."""

from __future__ import annotations

import copy
import json
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from xdicom.errors import IndexFileError
from xdicom.headers.arrays import ArrayReader, ArrayWriter
from xdicom.headers.blobs import DamagedBlobError, pack_blob, unpack_blob
from xdicom.headers.head import DimensionIndex
from xdicom.headers.packing import pack, unpack
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.table import Column, Files, FrameTable
from xdicom.testing import write_enhanced, write_non_image, write_series

quick = settings(max_examples=200, deadline=None)
BUDGET = 1 << 20
INT64 = np.dtype("i8")

any_text = st.text(st.characters(), max_size=8)  # with surrogates, NUL, newlines, backslashes
paths = st.binary(min_size=1, max_size=12).filter(lambda b: b"\0" not in b)
wide = st.integers(-(2**63), 2**63 - 1)
near = st.integers(-3, 3)


@st.composite
def tables(draw, most=5):
    """Any table whose rows are in the order of its files."""
    names = draw(st.lists(paths, max_size=most, unique=True))
    names = sorted(name.decode("utf-8", "surrogateescape") for name in names)
    count = len(names)

    def numbers(length):
        of = draw(st.sampled_from([wide, near, st.just(draw(wide))]))
        return np.array(draw(st.lists(of, min_size=length, max_size=length)), np.int64)

    frames = [draw(st.integers(1, 3)) for _ in names]
    file = np.repeat(np.arange(count), frames).astype(np.int64)
    columns = {}
    for keyword in draw(st.lists(st.sampled_from("Rows EchoTime KVP Odd".split()), unique=True)):
        texts = tuple(draw(st.lists(any_text.filter(bool), min_size=1, max_size=4, unique=True)))
        codes = st.integers(-1, len(texts) - 1)
        drawn = draw(st.lists(codes, min_size=len(file), max_size=len(file)))
        vr = draw(st.sampled_from(["DS", "LO"]))
        columns[keyword] = Column(np.array(drawn, np.int32), texts, vr)
    one = st.tuples(st.builds(DimensionIndex, any_text, st.booleans()))
    some = draw(st.dictionaries(st.integers(0, count - 1), one)) if count else {}
    return FrameTable(
        root="/archive",
        files=Files(tuple(names), numbers(count), numbers(count)),
        file=file,
        frame_number=np.concatenate([np.arange(1, n + 1) for n in frames] or [file]),
        frame_id=numbers(len(file)),
        pixel_offset=numbers(len(file)),
        pixel_length=numbers(len(file)),
        columns=columns,
        dimensions=some,
    )


def assert_same(one, other):
    """All fields but the problems, and all dtypes."""
    assert (one.root, one.kind, one.files.paths) == (other.root, other.kind, other.files.paths)
    assert one.digest == other.digest
    assert dict(one.dimensions) == dict(other.dimensions)
    assert list(one.columns) == list(other.columns)
    pairs = [(one.files.sizes, other.files.sizes), (one.files.mtimes, other.files.mtimes)]
    rows = ("file", "frame_number", "frame_id", "pixel_offset", "pixel_length")
    pairs += [(getattr(one, name), getattr(other, name)) for name in rows]
    for keyword, column in one.columns.items():
        again = other.columns[keyword]
        assert (column.texts, column.vr) == (again.texts, again.vr), keyword
        assert again.codes.dtype == np.int32
        pairs.append((column.codes, again.codes))
    for a, b in pairs:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def again(table):
    return unpack(pack(table), table.root, table.kind)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A table of a series, of an enhanced object and of one without pixels."""
    folder = tmp_path_factory.mktemp("series")
    write_series(folder / "s", {"EchoTime": [5.0, 10.0], "z": 4}, modality="MR")
    write_enhanced(folder / "e.dcm", {"time": 2, "z": 3})
    write_non_image(folder / "n.dcm")
    return scan_table(folder)


class TestAgain:
    @quick
    @given(tables())
    def test_any_table(self, table):
        assert_same(table, again(table))

    def test_a_series(self, series):
        assert_same(series, again(series))
        assert again(series).dimensions

    def test_real_files(self):
        names = ("CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "rtplan.dcm")
        paths = [get_testdata_file(name) for name in names]
        table = scan_table(paths, ScanOptions(errors="ignore"))
        assert_same(replace(table, problems=()), again(table))

    def test_problems_are_not_packed(self, series):
        assert pack(series) == pack(replace(series, problems=("any",)))

    def test_an_empty_table(self, series):
        assert_same(series.take(np.array([], int)), again(series.take(np.array([], int))))

    @pytest.mark.parametrize("used", ["\0", "\0\1", "".join(map(chr, range(300)))])
    def test_a_separator_is_found_that_stands_nowhere(self, used):
        writer = ArrayWriter(BUDGET)
        texts = (used, "b" + used, "")
        how = writer.put_texts(texts)
        assert ArrayReader(memoryview(writer.pieces[0]), BUDGET).take_texts(how, 3) == texts

    def test_what_texts_have_in_common_is_held_once(self):
        writer = ArrayWriter(BUDGET)
        folder = "a/very/long/folder/"
        texts = tuple(f"{folder}{i:05d}" for i in range(100))
        length, separator, prefix = how = writer.put_texts(texts)
        assert prefix == folder + "000"
        assert length == len(separator.join(texts)) - 100 * len(prefix)
        assert ArrayReader(memoryview(writer.pieces[0]), BUDGET).take_texts(how, 100) == texts


def held(array):
    """How an array is held, and its bytes."""
    writer = ArrayWriter(BUDGET)
    how = writer.put(array)
    return how, b"".join(writer.pieces)


class TestArrays:
    @pytest.mark.parametrize(
        ("numbers", "how"),
        [
            ([5, 5, 5], [5, [[3, 0]]]),
            ([0, 1, 2, 3], [0, [[4, 1]]]),
            ([9, 6, 3], [9, [[3, -3]]]),
            ([1, 2, 1, 2], [1, [[2, 1], [2, 0]]]),
            ([7], [7, []]),
            ([0, 1, 255], "|u1"),
            ([-1, 1, 127], "|i1"),
            ([-1, 1, 128], "<i2"),
            ([0, 1, 65535], "<u2"),
            ([0, 3, 2**32], "<i8"),
            ([2**62, 2**62], "<i8"),
            ([], "<i8"),
        ],
    )
    def test_whole_numbers_are_narrow_or_steps(self, numbers, how):
        array = np.array(numbers, np.int64)
        found, data = held(array)
        assert found == how
        assert len(data) == (np.dtype(how).itemsize * len(array) if isinstance(how, str) else 0)
        taken = ArrayReader(memoryview(data), BUDGET).take(found, INT64, len(array))
        assert taken.dtype == array.dtype
        np.testing.assert_array_equal(taken, array)

    @quick
    @given(st.lists(st.one_of(wide, near), max_size=20))
    def test_any_numbers(self, numbers):
        array = np.array(numbers, np.int64)
        how, data = held(array)
        reader = ArrayReader(memoryview(data), BUDGET)
        np.testing.assert_array_equal(reader.take(how, INT64, len(array)), array)
        reader.end()

    @pytest.mark.parametrize("dtype", [">f8", "<f4", "|b1", "<U3", "|S2", "<M8[ns]", ">i4"])
    def test_other_dtypes(self, dtype):
        array = np.array([3, 1, 0, 1]).astype("i8").astype(dtype)
        how, data = held(array)
        taken = ArrayReader(memoryview(data), BUDGET).take(how, array.dtype, 4)
        assert taken.dtype == array.dtype
        np.testing.assert_array_equal(taken, array)

    def test_objects_are_refused(self):
        with pytest.raises(TypeError, match="cannot be packed"):
            ArrayWriter(BUDGET).put(np.array([None]))

    def test_the_same_array_is_held_once_and_read_only(self):
        writer = ArrayWriter(BUDGET)
        numbers = np.array([3, 1, 4])
        others = (numbers.astype("i4"), numbers.copy())
        hows = [writer.put(array) for array in (numbers, *others, numbers.astype("i4"))]
        assert hows == ["|u1", "|u1", 0, 1]
        reader = ArrayReader(memoryview(b"".join(writer.pieces)), BUDGET)
        first, other, last, again = (
            reader.take(how, np.dtype(dtype), 3)
            for how, dtype in zip(hows, ("i8", "i4", "i8", "i4"), strict=True)
        )
        assert first is last
        assert other is again
        assert not first.flags.writeable

    def test_or_not(self):
        writer = ArrayWriter(BUDGET, shared=False)
        assert [writer.put(np.array([3, 1, 4])) for _ in range(2)] == ["|u1", "|u1"]

    def test_steps_beyond_the_budget_are_stored(self):
        writer = ArrayWriter(100)
        assert writer.put(np.arange(12)) == [0, [[12, 1]]]
        assert writer.put(np.arange(1, 13)) == "|u1"

    @pytest.mark.parametrize(
        ("how", "count", "why"),
        [
            ([0, [[10**9, 1]]], 10**9, "larger than"),
            ([0, [[2, 1]]], 3, "do not give its shape"),
            ([0, [[3, 2**61]]], 3, "leave its dtype"),
            ([0, [[1, 1]]], 1, "neither stored nor"),
            ([0, [["2", 1]]], 2, "neither stored nor"),
            ([0.5, []], 1, "neither stored nor"),
            ({}, 1, "neither stored nor"),
            (True, 1, "neither stored nor"),
            ("<i8", 3, "cut off"),
            ("<f8", 1, "does not fit"),
            ("|O", 1, "not allowed"),
            ("<U99999999999", 1, "not allowed"),
            (0, 1, "no such array"),
            (-1, 1, "no such array"),
        ],
    )
    def test_what_is_no_array(self, how, count, why):
        reader = ArrayReader(memoryview(bytes(16)), BUDGET)
        with pytest.raises(DamagedBlobError, match=why):
            reader.take(how, INT64, count)

    @pytest.mark.parametrize(
        ("how", "count", "why"),
        [
            ([3, "\0", ""], 2, "more or fewer"),
            ([3, "\0", ""], 0, "more or fewer"),
            ([3, "b", "b"], 1, "not described"),
            ([3, "", ""], 1, "not described"),
            ([-1, "b", ""], 1, "not described"),
            ([True, "b", ""], 1, "not described"),
            ([9, "b", ""], 1, "cut off"),
            ([4, "b", ""], 1, "no UTF-8"),
            ([3, "b", "p" * 256], 1, "not described"),
            (None, 1, "not described"),
        ],
    )
    def test_what_are_no_texts(self, how, count, why):
        reader = ArrayReader(memoryview(b"aaa\xff"), BUDGET)
        with pytest.raises(DamagedBlobError, match=why):
            reader.take_texts(how, count)


def nodes(value, path=()):
    """Paths to all values in JSON."""
    yield path
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from nodes(inner, (*path, key))


def with_node(value, path, new):
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = with_node(value[path[0]], path[1:], new)
    return value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 1, -1, 2**40, "<i8", "|u1", "\0"]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)  # fmt: skip


class TestDamage:
    """Only IndexFileError, and no more memory than the bytes account for."""

    @pytest.fixture
    def data(self, series):
        return pack(series)

    def test_cut_anywhere(self, data):
        for length in range(0, len(data), 7):
            with pytest.raises(IndexFileError, match="rows of the index cannot be read"):
                unpack(data[:length], "/", "folder")

    def test_any_byte_changed(self, data):
        for place in range(0, len(data), 5):
            broken = bytearray(data)
            broken[place] ^= 0x41
            with pytest.raises(IndexFileError, match="cannot be read"):
                unpack(bytes(broken), "/", "folder")

    def test_something_follows(self, data):
        with pytest.raises(IndexFileError, match="something follows"):
            unpack(data + b"x", "/", "folder")
        header, numbers = unpack_blob(data)
        with pytest.raises(IndexFileError, match="bytes follow"):
            unpack(pack_blob(header, [bytes(numbers), b"x"]), "/", "folder")

    @pytest.mark.parametrize(
        "content", [b"", b"short", b"\xff" * 8, bytes(8), b"\2" + bytes(7) + b"[}", b"1" * 100]
    )
    def test_other_contents(self, content):
        with pytest.raises(IndexFileError, match="cannot be read"):
            unpack(zlib.compress(content), "/", "folder")

    @pytest.mark.parametrize(
        "header", ["null", "[]", "{}", '"text"', "[" * 100_000, '{"rows": NaN}', '{"rows": 1}']
    )
    def test_other_headers(self, header):
        text = header.encode()
        content = len(text).to_bytes(8, "little") + text
        with pytest.raises(IndexFileError, match="cannot be read"):
            unpack(zlib.compress(content), "/", "folder")

    @pytest.mark.parametrize("rows", [-1, 10**12, 2**70, True, "3", 1.0, None])
    def test_counts_that_the_bytes_do_not_allow(self, data, rows):
        header, numbers = unpack_blob(data)
        for key, value in (("rows", rows), ("paths", [rows, header["paths"][1]])):
            broken = pack_blob({**header, key: value}, [bytes(numbers)])
            with pytest.raises(IndexFileError, match="a count is none"):
                unpack(broken, "/", "folder")

    @settings(max_examples=300, deadline=None)
    @given(draws=st.data())
    def test_any_value_of_the_header_changed(self, draws, series):
        header, numbers = unpack_blob(pack(series))
        path = draws.draw(st.sampled_from(list(nodes(header))))
        self.check(with_node(header, path, draws.draw(json_values)), bytes(numbers))

    @settings(max_examples=300, deadline=None)
    @given(draws=st.data())
    def test_any_number_changed(self, draws, series):
        header, numbers = unpack_blob(pack(series))
        changed = bytearray(numbers)
        for place in draws.draw(st.lists(st.integers(0, len(changed) - 1), max_size=3)):
            changed[place] = draws.draw(st.integers(0, 255))
        self.check(header, bytes(changed))

    @staticmethod
    def check(header, numbers):
        """It is refused, or a table whose every index leads somewhere."""
        blob = pack_blob(header, [numbers])
        table = None
        tracemalloc.start()
        try:
            with suppress(IndexFileError):
                table = unpack(blob, "/", "folder")
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 50 * (len(json.dumps(header)) + len(numbers)) + (4 << 20)
        if table is None:
            return
        for column in table.columns.values():
            assert len(column.strings()) == len(table)
        assert len([table.path(row) for row in range(len(table))]) == len(table)
        assert len(table.files.sizes) == len(table.files.mtimes) == len(table.files.paths)
