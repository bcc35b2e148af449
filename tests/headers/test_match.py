"""What a user asks of an attribute, in all the spellings that there are, picks the right rows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdicom.headers.match import matches
from xdicom.headers.table import Column


def column(vr, *texts):
    """A row for each text, and a last one without a value."""
    return Column(np.array([*range(len(texts)), -1], np.int32), texts, vr)


def hits(found):
    return np.flatnonzero(found).tolist()


class TestNumbers:
    ECHO = column("DS", "5", "10.0", "1e1", "15", "4.76")

    @pytest.mark.parametrize(
        ("wanted", "rows"),
        [
            (10, [1, 2]),
            (10.0, [1, 2]),
            ("10", [1, 2]),
            ("10.0", [1, 2]),
            (" 10 ", [1, 2]),
            (np.float32(4.76), [4]),  # which is not 4.76 in float64
            (np.int16(5), [0]),
            (np.array(5), [0]),
            (xr.DataArray(5.0), [0]),
            (10.000001, [1, 2]),
            (10.0001, []),
            ([5, 15, 99], [0, 3]),
            ((5, 15), [0, 3]),
            ({5, 15}, [0, 3]),
            (range(4, 6), [0]),
            ({5: "a", 15: "b"}.keys(), [0, 3]),
            ((v for v in (5, 15)), [0, 3]),
            (np.array([5, 15]), [0, 3]),
            (xr.DataArray([5, 15]), [0, 3]),
            (pd.Index([5, 15]), [0, 3]),
            ([], []),
            (slice(5, 10), [0, 1, 2]),  # both ends included
            (slice(None, 5), [0, 4]),
            (slice(10.5, None), [3]),
            (slice(None, None), [0, 1, 2, 3, 4]),
            (slice("5", "10"), [0, 1, 2]),
            (slice(10, 5), []),
            (None, [5]),
            (True, []),
        ],
    )
    def test_wanted(self, wanted, rows):
        assert hits(matches(self.ECHO, wanted)) == rows

    @pytest.mark.parametrize("wanted", ["ten", "1,5", float("nan"), ["5", "x"], slice("a", "b")])
    def test_what_is_no_number(self, wanted):
        with pytest.raises(ValueError, match="no number"):
            matches(self.ECHO, wanted)

    def test_a_range_with_a_step(self):
        with pytest.raises(ValueError, match="no step"):
            matches(self.ECHO, slice(1, 10, 2))

    def test_integers_are_compared_exactly(self):
        numbers = column("IS", "2000000", "2000001", str(2**53), str(2**53 + 1))
        assert hits(matches(numbers, 2000001)) == [1]
        assert hits(matches(numbers, 2**53 + 1)) == [3]
        assert hits(matches(numbers, slice(2000001, 2000001))) == [1]
        assert hits(matches(numbers, "2000001")) == [1]

    def test_texts_that_are_none_match_nothing_but_themselves(self):
        numbers = column("DS", "5", "1,5")
        assert hits(matches(numbers, slice(None, None))) == [0]
        assert hits(matches(numbers, "1,5")) == [1]

    def test_vectors_match_as_a_whole(self):
        spacing = column("DS", "0.5\\0.7", "0.5\\0.5", "1\\2")
        assert hits(matches(spacing, [0.5, 0.7])) == [0]
        assert hits(matches(spacing, "0.5\\0.7")) == [0]
        assert hits(matches(spacing, [[0.5, 0.5], [1, 2]])) == [1, 2]
        for part in (0.5, slice(1.5, 3), [1, 2, 3]):
            with pytest.raises(ValueError, match=r"give them all|no vector"):
                matches(spacing, part)

    def test_negative_numbers(self):
        places = column("DS", "-10", "-9.999999", "10")
        assert hits(matches(places, slice(-10, 0))) == [0, 1]
        assert hits(matches(places, -10)) == [0, 1]  # within 1e-6

    def test_ages(self):
        ages = column("AS", "034Y", "018M", "002Y")
        assert hits(matches(ages, "034Y")) == [0]
        assert hits(matches(ages, 34)) == [0]
        assert hits(matches(ages, slice(1, 2))) == [1, 2]
        assert hits(matches(ages, slice("012M", "024M"))) == [1, 2]
        with pytest.raises(ValueError, match="no number"):
            matches(ages, "old")


class TestTimes:
    CLOCK = column("TM", "100000", "100000.5", "1005", "10:30:00", "235960", "broken")

    @pytest.mark.parametrize(
        "wanted",
        [
            "10:00",
            "10:00:00",
            "100000",
            "100000.0",
            "1000",
            "10",
            " 100000 ",
            dt.time(10),
            dt.timedelta(hours=10),
            np.timedelta64(10, "h"),
            np.timedelta64(36_000_000_000_000, "ns"),
            pd.Timedelta("10h"),
            36000,
            36000.0,
            np.float64(36000),
            np.array(np.timedelta64(10, "h")),
        ],
    )
    def test_spellings(self, wanted):
        assert hits(matches(self.CLOCK, wanted)) == [0]
        assert hits(matches(self.CLOCK, [wanted])) == [0]

    @pytest.mark.parametrize(
        ("wanted", "rows"),
        [
            (slice("10:00", "10:05"), [0, 1, 2]),
            (slice(dt.time(10, 0, 0, 1), dt.time(10, 30)), [1, 2, 3]),
            (slice("10:00:00.6", None), [2, 3, 4]),
            (slice(None, 36000.5), [0, 1]),
            (["10:00", "10:30"], [0, 3]),
            (np.array([36000, 36300], "timedelta64[s]"), [0, 2]),
            (86400, [4]),
            ("broken", [5]),
            (None, [6]),
        ],
    )
    def test_ranges_and_lists(self, wanted, rows):
        assert hits(matches(self.CLOCK, wanted)) == rows

    def test_milliseconds_apart_are_apart(self):
        # 1e-6 of the seconds since midnight would be 36 ms
        clock = column("TM", "100000.000", "100000.010", "100000.010001")
        assert hits(matches(clock, "100000.010")) == [1]
        assert hits(matches(clock, slice("100000.005", "100000.010"))) == [1]

    @pytest.mark.parametrize("wanted", ["noon", "25:00", "", np.timedelta64("NaT")])
    def test_no_time(self, wanted):
        with pytest.raises(ValueError, match="no time; give HH:MM:SS"):
            matches(self.CLOCK, wanted)


class TestDates:
    DAYS = column("DA", "20240228", "20240229", "2024.03.01", "20230229", "10000101")

    @pytest.mark.parametrize(
        "wanted",
        [
            "20240229",
            "2024-02-29",
            "2024.02.29",
            dt.date(2024, 2, 29),
            dt.datetime(2024, 2, 29),
            np.datetime64("2024-02-29"),
            np.datetime64("2024-02-29T00:00:00.000000000"),
            pd.Timestamp("2024-02-29"),
            np.array("2024-02-29", "datetime64[ns]"),
        ],
    )
    def test_spellings(self, wanted):
        assert hits(matches(self.DAYS, wanted)) == [1]
        assert hits(matches(self.DAYS, [wanted])) == [1]

    @pytest.mark.parametrize(
        ("wanted", "rows"),
        [
            ("2024", [0, 1, 2]),
            (2024, [0, 1, 2]),
            ("2024-02", [0, 1]),
            ("202402", [0, 1]),
            (slice("2024-02-29", None), [1, 2]),
            (slice("2024-02", "2024-02"), [0, 1]),
            (slice(None, dt.date(2024, 2, 28)), [0, 4]),
            (["20240228", "20240301"], [0, 2]),
            (np.array(["2024-02-28", "2024-03-01"], "M8[ns]"), [0, 2]),
            ("1000", [4]),
            ("20230229", [3]),  # no day, but the text that stands there
            (None, [5]),
        ],
    )
    def test_ranges_and_parts(self, wanted, rows):
        assert hits(matches(self.DAYS, wanted)) == rows

    @pytest.mark.parametrize(
        "wanted", ["yesterday", "2024-13-01", "29.02.2024", np.datetime64("NaT")]
    )
    def test_no_date(self, wanted):
        with pytest.raises(ValueError, match="no date; give YYYY-MM-DD"):
            matches(self.DAYS, wanted)


class TestMoments:
    MOMENTS = column(
        "DT", "20240229101530.5", "20240229101530", "202402291016", "20240229-0500", "20240301"
    )

    @pytest.mark.parametrize(
        ("wanted", "rows"),
        [
            ("2024-02-29", [0, 1, 2, 3]),
            (dt.date(2024, 2, 29), [0, 1, 2, 3]),
            ("2024-02-29 10:15", [0, 1]),
            ("2024-02-29T10:15:30", [0, 1]),
            ("20240229101530", [0, 1]),  # a text that stands there, and all of that second
            ("20240229101530.5", [0]),
            ("2024-02-29T10:15:30.5", [0]),
            ("2024-02-29T10:15:30.5Z", [0]),
            ("2024-02-29T10:15:30.5+01:00", [0]),
            (dt.datetime(2024, 2, 29, 10, 15, 30), [1]),
            (np.datetime64("2024-02-29T10:15:30.500000000"), [0]),
            (slice("2024-02-29 10:15:30.1", "2024-02-29 10"), [0, 2]),
            (slice("2024-02-29 10:16", None), [2, 4]),
            ("2024", [0, 1, 2, 3, 4]),
        ],
    )
    def test_wanted(self, wanted, rows):
        assert hits(matches(self.MOMENTS, wanted)) == rows


class TestText:
    IMAGES = column(
        "CS", "ORIGINAL\\PRIMARY\\M\\ND", "DERIVED\\PRIMARY\\P", "ORIGINAL\\PRIMARY\\M", "M"
    )

    @pytest.mark.parametrize(
        ("wanted", "rows"),
        [
            ("M", [0, 2, 3]),
            ("PRIMARY", [0, 1, 2]),
            ("ORIGINAL\\PRIMARY\\M", [2]),
            (["P", "ND"], [0, 1]),
            ("m", []),
            ("PRIM", []),
            ("", []),
            (slice("ORIGINAL", "P"), [0, 1, 2]),
            (None, [4]),
        ],
    )
    def test_by_one_of_its_values(self, wanted, rows):
        assert hits(matches(self.IMAGES, wanted)) == rows

    def test_ranges_of_text(self):
        names = column("LO", "Ada", "Bea", "Beate", "Cleo")
        assert hits(matches(names, slice("B", None))) == [1, 2, 3]
        assert hits(matches(names, slice("B", "B"))) == [1, 2]
        assert hits(matches(names, slice(None, "Bea"))) == [0, 1, 2]

    @pytest.mark.parametrize(("wanted", "rows"), [(3, [0]), (3.0, [0]), (1234567, [1]), ("3", [0])])
    def test_numbers_for_text(self, wanted, rows):
        assert hits(matches(column("SH", "3", "1234567", "03"), wanted)) == rows

    def test_an_attribute_that_no_row_has(self):
        missing = column("UN")
        assert hits(matches(missing, "x")) == []
        assert hits(matches(missing, None)) == [0]


def test_the_shape_is_that_of_the_codes():
    grid = Column(np.array([[0, 1], [1, -1]], np.int32), ("5", "6"), "DS")
    assert matches(grid, 6).tolist() == [[False, True], [True, False]]
