"""Texts become numbers, dates and times by their VR; what is none is missing (SPEC §3.1, §3.2)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.headers import values as module
from xdicom.headers.values import (
    FLOATS,
    INTS,
    as_numbers,
    convert,
    date,
    date64,
    invalid,
    moment64,
    number,
    numbers_in,
    seconds,
    utc_offset,
)

NAN = float("nan")


def check(texts, vr, expected, dtype, valid=None):
    values = convert(texts, vr)
    assert values.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(values.array, np.array(expected, dtype=dtype))
    assert values.valid.tolist() == ([True] * len(texts) if valid is None else valid)
    return values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1.0),
        (" -1.50 ", -1.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-2.5E-04", -0.00025),
        ("0.1234567890123456789", 0.1234567890123456789),
        ("nan", NAN),
        ("NaN", NAN),
        ("inf", NAN),
        ("-Infinity", NAN),
        ("1,5", NAN),  # decimal comma
        ("1.5 mm", NAN),
        ("0x10", NAN),
        ("1_0", NAN),
        ("--1", NAN),
        ("e5", NAN),
        (".", NAN),
        ("", NAN),
        ("\N{ARABIC-INDIC DIGIT THREE}", NAN),  # which float() would take for 3
        ("²", NAN),
    ],
)
def test_decimal_strings(text, expected):
    np.testing.assert_equal(number(text), expected)
    check([text], "DS", [expected], "f8", [expected == expected])


def test_several_numbers_are_not_one():
    assert np.isnan(number("1.5\\2"))


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_exactly(value):
    assert number(repr(value)) == value


@settings(deadline=None)
@given(st.text(max_size=20))
def test_no_text_raises(text):
    for vr in ("DS", "IS", "FD", "UV", "AS", "DA", "TM", "DT", "LO"):
        values = convert([text, "1"], vr)
        assert len(values.array) == len(values.valid) == 2
        as_numbers([text], vr, 3)
    utc_offset(text)


class TestIntegers:
    def test_whole_numbers(self):
        values = check(["12", " -3 ", "+4", "007"], "IS", [12, -3, 4, 7], "i8")
        assert values.integer

    @pytest.mark.parametrize("text", ["3.0", "3.", "30e-1"])
    def test_written_as_decimals(self, text):
        check([text], "IS", [3], "i8")

    @pytest.mark.parametrize("text", ["3.5", "1,5", "nan", "1A", "", "1_000", "0x3"])
    def test_what_is_none_is_missing_not_rounded(self, text):
        values = check(["3", text], "IS", [3, NAN], "f8", [True, False])
        assert values.integer

    @pytest.mark.parametrize("vr", ["US", "SS", "UL", "SL", "UV", "SV"])
    def test_binary(self, vr):
        check(["1", "2"], vr, [1, 2], "i8")

    @pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63) + 1])
    def test_beyond_float64_they_stay_exact(self, value):
        check([str(value)], "SV" if value < 0 else "UV", [value], "i8")

    def test_beyond_int64_they_are_text(self):
        values = convert(["1", str(2**63)], "UV")
        assert values.array.tolist() == ["1", "9223372036854775808"]
        assert values.valid.all()


class TestFloats:
    def test_nan_and_infinity_are_legal_in_binary(self):
        check(["nan", "inf", "-inf", "0.1"], "FD", [NAN, np.inf, -np.inf, 0.1], "f8")
        check(["4.76"], "FL", [4.76], "f8")

    def test_text_of_another_vr_is_not(self):
        check(["x", "0.1"], "FD", [NAN, 0.1], "f8", [False, True])


class TestSeveralValues:
    def test_of_one_number(self):
        check(["1\\2", "3\\4"], "DS", [[1, 2], [3, 4]], "f8")
        check(["1\\2"], "US", [[1, 2]], "i8")

    def test_of_unequal_numbers(self):
        values = convert(["1", "2\\3"], "DS")
        assert values.array.tolist() == ["1", "2\\3"]
        assert values.valid.all()

    @pytest.mark.parametrize("text", ["1.5\\", "\\1.5", "1.5\\x", "1\\\\2", "\\"])
    def test_one_that_is_none_makes_all_of_them_missing(self, text):
        check(["2.5", text], "DS", [2.5, NAN], "f8", [True, False])
        check(["1\\2\\3", text], "DS", [[1, 2, 3], [NAN] * 3], "f8", [True, False])

    def test_all_of_them_missing(self):
        check(["x\\y"], "DS", [NAN], "f8", [False])

    def test_as_numbers(self):
        found = as_numbers(["1\\2\\3", "1\\2", "1\\2\\x", "4\\5\\6"], "DS", 3)
        np.testing.assert_array_equal(found, [[1, 2, 3], [NAN] * 3, [NAN] * 3, [4, 5, 6]])
        assert np.isnan(as_numbers(["20240229"], "DA", 1)).all()
        np.testing.assert_array_equal(as_numbers(["018M"], "AS", 1), [[1.5]])

    def test_numbers_in(self):
        assert numbers_in("1\\2", "IS") == [1, 2]
        assert numbers_in("1\\2.5", "IS") is None


class TestText:
    @pytest.mark.parametrize("vr", ["CS", "LO", "UI", "PN", "AT", "UN", "OB", "SQ"])
    def test_stays_text(self, vr):
        values = check(["A\\B", "", "long text"], vr, ["A\\B", "", "long text"], "<U9")
        assert not values.integer

    def test_nothing(self):
        for vr in ("DS", "IS", "DA", "TM", "DT", "LO"):
            assert len(convert([], vr).array) == 0


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("101530", 36930.0),
            ("101530.25", 36930.25),
            ("101530.000001", 36930.000001),
            ("1015", 36900.0),  # the earliest of what it may mean
            ("10", 36000.0),
            ("000000", 0.0),
            (" 235959.999999 ", 86399.999999),
            ("235960", 86400.0),  # a leap second, which datetime.time cannot hold
            ("10:15:30", 36930.0),  # as before DICOM 3
            ("10:15", 36900.0),
            ("10:15:30.5", 36930.5),
            ("235961", NAN),
            ("236000", NAN),
            ("240000", NAN),
            ("1", NAN),
            ("101", NAN),
            ("10153", NAN),
            ("1015.5", NAN),
            ("101530.", NAN),
            ("101530.1234567", NAN),
            ("10:1530", NAN),
            ("1:0:1:5", NAN),
            ("101530-110000", NAN),
            ("noon", NAN),
            ("", NAN),
        ],
    )
    def test_clock(self, text, expected):
        np.testing.assert_equal(seconds(text), expected)
        missing = expected != expected
        micro = np.timedelta64("NaT" if missing else round(expected * 1e6), "us")
        check([text], "TM", [micro], "m8[us]", [not missing])

    def test_several_times_are_text(self):
        assert convert(["1015\\1016"], "TM").array.dtype.kind == "U"


class TestDates:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("20240229", "2024-02-29"),
            (" 20240229 ", "2024-02-29"),
            ("1993.08.22", "1993-08-22"),  # as before DICOM 3
            ("19000101", "1900-01-01"),  # a dummy, kept
            ("16780101", "1678-01-01"),
            ("22611231", "2261-12-31"),
        ],
    )
    def test_day(self, text, expected):
        assert date(text) == expected
        assert date64(text) == np.datetime64(expected)
        check([text], "DA", [expected], "M8[ns]")

    @pytest.mark.parametrize(
        "text",
        [
            *("20230229", "20241301", "2024", "202402", "2024-02-29", "1993.0822", "0", "", "x"),
            "20240101-20240131",
        ],
    )
    def test_no_day(self, text):
        assert date(text) == ""
        check(["20240101", text], "DA", ["2024-01-01", "NaT"], "M8[ns]", [True, False])

    @pytest.mark.parametrize("text", ["16770101", "22620101", "00010101", "99991231"])
    def test_years_that_zarr_does_not_give_back_stay_text(self, text):
        values = convert(["20240101", text], "DA")
        assert values.array.tolist() == ["20240101", text]
        assert values.valid.all()


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("20240229101530.123456", "2024-02-29T10:15:30.123456"),
            ("20240229101530", "2024-02-29T10:15:30"),
            ("202402291015", "2024-02-29T10:15"),
            ("2024022910", "2024-02-29T10:00"),
            ("20240229", "2024-02-29"),
            ("202402", "2024-02-01"),
            ("2024", "2024-01-01"),
            ("20240229235960", "2024-03-01"),
            ("20240229101530+0100", "2024-02-29T10:15:30"),
            ("20240229-0530", "2024-02-29"),
            ("20240229101530.5+1400", "2024-02-29T10:15:30.5"),
        ],
    )
    def test_local_time(self, text, expected):
        assert moment64(text) == np.datetime64(expected, "us")
        values = check([text], "DT", [expected], "M8[ns]")
        assert not values.utc

    @pytest.mark.parametrize(
        "text",
        [
            *("20240230", "20240229256060", "2024022", "2024-02-29", "20240229T101530", "", "now"),
            *("20240229101530+9900", "20240229101530+01", "20240229101530+0160"),
        ],
    )
    def test_no_moment(self, text):
        assert np.isnat(moment64(text))
        check([text], "DT", ["NaT"], "M8[ns]", [False])

    def test_one_offset_keeps_local_time(self):
        texts = ["20240229100000+0100", "20240229110000+0100", "20240229120000"]
        values = convert(texts, "DT")
        hours = ["2024-02-29T10", "2024-02-29T11", "2024-02-29T12"]
        check(texts, "DT", hours, "M8[ns]")
        assert not values.utc

    def test_different_offsets_become_utc(self):
        texts = ["20240229100000+0100", "20240229100000-0530", "20240229100000"]
        # without an offset, nobody knows which moment of the others it was
        values = check(
            texts, "DT", ["2024-02-29T09", "2024-02-29T15:30", "NaT"], "M8[ns]", [True, True, False]
        )
        assert values.utc

    @pytest.mark.parametrize(
        ("text", "offset"),
        [
            ("20240229101530+0130", "+0130"),
            ("2024-0500", "-0500"),
            ("20240229101530.25-0000", "-0000"),
            ("20240229101530", ""),
            ("nonsense+0100", ""),
        ],
    )
    def test_utc_offset(self, text, offset):
        assert utc_offset(text) == offset


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(("034Y", 34), ("018M", 1.5), ("052W", 52 / 52.18), ("365D", 365 / 365.25), ("7Y", 7)),
        *(("34", NAN), ("034y", NAN), ("Y", NAN), ("1234Y", NAN), ("", NAN)),
    ],
)
def test_ages(text, years):
    check([text], "AS", [years], "f8", [years == years])


# Columns: what is read all at once is what the functions of single texts define

PLACES = "0123456789+-.eE \\"
"""Characters of DS, and what parts several values."""
VRS = ("DS", "IS", "UV", "FD", "AS", "DA", "TM", "DT", "LO")


def two(most):
    return st.integers(0, most).map("{:02d}".format)


numerals = st.from_regex(r"\A ?[+-]?[0-9]{0,20}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,3})? ?\Z")
fractions = st.just("") | st.text("0123456789", max_size=7).map(lambda digits: "." + digits)
days = st.builds(
    lambda year, month, day, dot: dot.join((f"{year:04d}", month, day)),
    st.integers(1670, 2270) | st.integers(0, 9999),
    two(13),
    two(32),
    st.sampled_from(["", "", "."]),
)
clocks = st.builds(
    lambda parts, between, length, fraction: between.join(parts)[:length] + fraction,
    st.tuples(two(25), two(61), two(61)),
    st.sampled_from(["", "", ":"]),
    st.sampled_from([2, 4, 5, 8, 8, 8]),
    fractions,
)
moments = st.builds(
    lambda day, clock, length, offset: (day + clock)[:length] + offset,
    days,
    clocks,
    st.sampled_from([4, 5, 6, 7, 8, 10, 12, 14, 30, 30, 30]),
    st.just("") | st.builds(lambda *parts: "".join(parts), st.sampled_from("+-"), two(15), two(61)),
)
odd = st.text(PLACES + ",_xnaif:DWMY\t\0\n\xa0é\N{ARABIC-INDIC DIGIT THREE}²\ud800", max_size=28)
special = st.sampled_from(
    [
        *(
            "",
            " ",
            "\\",
            "1\\",
            "\\1",
            "1\\\\2",
            "nan",
            "inf",
            "-Infinity",
            "1_0",
            "1,5",
            "3.0",
            "\t7",
        ),
        *("034Y", "018M\\2W", "1e999", "9" * 320, str(2**63), str(2**63 - 1), str(-(2**63))),
    ]
)
several = st.lists(numerals | st.integers().map(str), min_size=1, max_size=3).map("\\".join)
near = st.one_of(numerals, several, days, clocks, moments, odd, special)
# near one another, for most columns hold texts of one kind
columns = st.one_of(
    *(st.lists(kind, max_size=6) for kind in (numerals, several, days, clocks, moments, near))
)


def defined(texts, vr):
    """Array, validity, integer and utc as single texts define them."""
    if vr in FLOATS | INTS | {"AS"}:
        return defined_numbers(texts, vr)
    if vr in ("DA", "TM", "DT") and not any("\\" in text for text in texts):
        return defined_times(texts, vr)
    return np.array(texts, np.str_), [True] * len(texts), False, False


def defined_numbers(texts, vr):
    rows = [numbers_in(text, vr) for text in texts]
    valid = [row is not None for row in rows]
    found = [row for row in rows if row is not None]
    widths = {len(row) for row in found} or {1}
    if len(widths) > 1 or (vr in INTS and any(abs(v) >= 2**63 for row in found for v in row)):
        return np.array(texts, np.str_), valid, False, False
    (width,) = widths
    dtype = "i8" if vr in INTS and all(valid) else "f8"
    array = np.array([[NAN] * width if row is None else row for row in rows], dtype)
    shape = (len(texts),) if width == 1 else (len(texts), width)
    return array.reshape(shape), valid, vr in INTS, False


def defined_times(texts, vr):
    if vr == "TM":
        clock = [seconds(text) for text in texts]
        micro = ["NaT" if value != value else round(value * 1e6) for value in clock]
        array = np.array([np.timedelta64(value, "us") for value in micro], "m8[us]")
        return array, (~np.isnat(array)).tolist(), False, False
    one = {"DA": date64, "DT": moment64}[vr]
    array = np.array([one(text) for text in texts], "M8[us]")
    offsets = [utc_offset(text) if vr == "DT" else "" for text in texts]
    utc = len({*offsets} - {""}) > 1
    if utc:
        array -= np.array([ahead(offset) for offset in offsets], "m8[us]")
    valid = ~np.isnat(array)
    years = array[valid].astype("M8[Y]").astype(int) + 1970
    kept = ((years >= 1678) & (years <= 2261)).all()
    return array.astype("M8[ns]") if kept else np.array(texts, np.str_), valid.tolist(), False, utc


def ahead(offset):
    if not offset:
        return np.timedelta64("NaT", "us")
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    return np.timedelta64(-minutes if offset[0] == "-" else minutes, "m").astype("m8[us]")


def check_column(texts, vr):
    values = convert(texts, vr)
    array, valid, integer, utc = defined(texts, vr)
    assert values.array.dtype == array.dtype
    np.testing.assert_array_equal(values.array, array, strict=True)
    assert values.valid.dtype == bool
    assert values.valid.tolist() == valid
    # of what stays text it does not matter whether moments differed in their offset
    assert (values.integer, values.utc) == (integer, utc and array.dtype.kind == "M")
    assert invalid(texts, vr) == [i for i, good in enumerate(valid) if not good]


class TestColumns:
    @pytest.mark.parametrize("vr", VRS)
    @settings(deadline=None)
    @given(texts=columns)
    def test_are_read_as_single_texts_are(self, vr, texts):
        check_column(texts, vr)

    @pytest.mark.parametrize("vr", VRS)
    @settings(deadline=None)
    @given(texts=columns, width=st.integers(1, 3))
    def test_as_numbers_too(self, vr, texts, width):
        found = as_numbers(texts, vr, width)
        assert found.dtype == np.float64
        assert found.shape == (len(texts), width)
        for text, row in zip(texts, found, strict=True):
            numbers = numbers_in(text, vr) if vr in FLOATS | INTS | {"AS"} else None
            fits = numbers is not None and len(numbers) == width
            expected = [float(str(number)) for number in numbers] if fits else [NAN] * width
            np.testing.assert_array_equal(row, expected)

    @settings(deadline=None, max_examples=500)
    @given(st.text(PLACES[:-1], max_size=12) | numerals)
    def test_of_the_characters_of_ds_float_reads_just_its_grammar(self, text):
        try:
            value = float(text)
        except ValueError:
            value = NAN
        np.testing.assert_equal(number(text), value)

    @settings(deadline=None, max_examples=500)
    @given(st.text("0123456789+- ", max_size=8))
    def test_and_int_reads_just_that_of_is(self, text):
        try:
            value = int(text)
        except ValueError:
            value = None
        assert numbers_in(text, "IS") == (None if value is None else [value])

    def test_a_list_of_any_length_is_read(self):
        texts = [f"{i / 7}\\{-i}\\{i}e3" for i in range(3000)]
        for bad in ([], ["1\\2\\x"], ["1\\2\\x", "\t1\\2\\3"]):
            check_column([*texts, *bad], "DS")

    def test_whole_numbers_that_no_float_holds_are_infinite(self):
        assert as_numbers(["9" * 320, "1"], "IS", 1).tolist() == [[np.inf], [1.0]]

    def test_large_numbers_beside_what_is_none_do_not_count(self):
        check(["1\\2", f"{2**70}\\x"], "IS", [[1, 2], [NAN, NAN]], "f8", [True, False])


CLEAN = {
    "DS": ["1.5", "-2e3", " 3 "],
    "IS": ["1", "-2", "+3 "],
    "US": ["1\\2", "3\\4"],
    "FD": ["0.1\\nan", "inf\\2"],
    "DA": ["20240229", "19000101"],
    "TM": ["101530.25", "1015", "10", "235960", "101530"],
    "DT": ["20240229101530.123456", "2024", "202402291015-0500", "20240229-0500", "202402"],
}
DIRTY = {
    "DS": ["1,5", "nan", "\xa01", "1\\"],
    "IS": ["3.0", "1_0"],
    "US": ["1\\x"],
    "FD": ["x\\1"],
    "DA": ["1993.08.22", "20230229", "2024"],
    "TM": ["10:15", "noon", "101530."],
    "DT": ["20240230", "20240229101530+9900", "2024022"],
}


@pytest.fixture
def entered(monkeypatch):
    """The texts that are read one by one."""
    texts = []

    def counted(function):
        def call(text, *args):
            texts.append(text)
            return function(text, *args)

        return call

    for name in ("numbers_in", "utc_offset"):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    for vr, function in module._TIMES.items():
        monkeypatch.setitem(module._TIMES, vr, counted(function))
    return texts


class TestOneByOne:
    @pytest.mark.parametrize("vr", CLEAN)
    def test_no_text_of_a_clean_column_is_read(self, vr, entered):
        convert(CLEAN[vr], vr)
        as_numbers(CLEAN[vr], vr, 1)
        assert invalid(CLEAN[vr], vr) == []
        assert entered == []

    @pytest.mark.parametrize("vr", CLEAN)
    def test_only_the_irregular_of_a_dirty_one_are(self, vr, entered):
        first, *rest = CLEAN[vr]
        texts = [first, *DIRTY[vr], *rest]
        convert(texts, vr)
        assert set(entered) == {*DIRTY[vr]}
        check_column(texts, vr)


class TestInvalid:
    def test_indices(self):
        assert invalid(["1", "x", "2", "1\\"], "DS") == [1, 3]
        assert invalid(["20240229", "2024"], "DA") == [1]
        assert invalid([], "DS") == []

    def test_no_text_is_invalid_as_text(self, monkeypatch):
        monkeypatch.setattr(module, "convert", None)  # not even asked
        assert invalid(["x", ""], "LO") == []

    def test_text_becomes_an_array_only_when_asked_for(self):
        texts = ("A", "long text")
        values = convert(texts, "LO")
        assert values.found is texts
        assert values.array is values.array
