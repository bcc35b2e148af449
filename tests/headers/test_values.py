"""Texts become numbers, dates and times by their VR; what is none is missing (SPEC §3.1, §3.2)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.headers.values import (
    as_numbers,
    convert,
    date,
    date64,
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
