"""Regular dates and times are read all at once, and all others are told (SPEC §3.2)."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.headers.clocks import ahead, clocks, days, moments, zone
from xdicom.headers.values import date64, moment64, utc_offset


class TestDays:
    def test_regular(self):
        texts = ["20240229", "00010101", "99991231", "19000228"]
        found, regular = days(texts)
        assert regular.all()
        assert found.dtype == "M8[s]"
        np.testing.assert_array_equal(found, [date64(text) for text in texts])

    @pytest.mark.parametrize(
        "text",
        [
            *("20230229", "19000229", "20240001", "20241301", "20240100", "20240132", "20240431"),
            *(
                "",
                "2024",
                "2024010",
                "202401011",
                "20240101 ",
                "20240101\0",
                "2024.1.1",
                "2024-1-1",
            ),
            *("\N{ARABIC-INDIC DIGIT THREE}0240101", "é" * 8, "\ud800" * 8),
        ],
    )
    def test_others(self, text):
        for texts in ([text], ["20240101", text], [text, "20240101"]):
            assert days(texts)[1].tolist() == [other != text for other in texts]

    def test_every_day_of_four_centuries(self):
        expected = np.arange("1800-01-01", "2200-01-01", dtype="M8[D]")
        found, regular = days([str(day).replace("-", "") for day in expected])
        assert regular.all()
        np.testing.assert_array_equal(found, expected)


class TestClocks:
    @pytest.mark.parametrize(
        ("text", "microseconds"),
        [
            ("00", 0),
            ("23", 23 * 3_600_000_000),
            ("1015", 36_900_000_000),
            ("101530", 36_930_000_000),
            ("235960", 86_400_000_000),
            *(("000000." + "123456"[:n], int("123456"[:n].ljust(6, "0"))) for n in range(1, 7)),
        ],
    )
    def test_regular(self, text, microseconds):
        for texts in ([text], ["101530.123456", text], [text, "10"]):
            found, regular = clocks(texts)
            assert regular.all()
            assert found.dtype == "m8[us]"
            assert found[texts.index(text)] == np.timedelta64(microseconds, "us")

    @pytest.mark.parametrize(
        "text",
        [
            *("", "1", "101", "10153", "101530.", "1015.5", "101530.1234567", "101530.12345 "),
            *(
                "24",
                "1060",
                "101561",
                "1015301",
                "10:15",
                " 10",
                "10 ",
                "10\0",
                "+1",
                "1e",
                "101530.+1",
            ),
            *("101530.12345678901234567890", "10153012", "²0"),
        ],
    )
    def test_others(self, text):
        for texts in ([text], ["101530.123456", text], [text, "10"]):
            assert clocks(texts)[1].tolist() == [other != text for other in texts]


class TestMoments:
    @pytest.mark.parametrize(
        "text",
        [
            *("2024", "202402", "20240229", "2024022910", "202402291015", "20240229101530"),
            *("20240229101530.1", "20240229101530.123456", "20240229235960"),
        ],
    )
    @pytest.mark.parametrize("offset", ["", "+0000", "-0000", "+1400", "-0530", "+1459"])
    def test_regular(self, text, offset):
        for texts in ([text + offset], ["20240229101530.123456+0100", text + offset, "2024"]):
            found, zones, regular = moments(texts)
            assert regular.all()
            assert found.dtype == "M8[us]"
            np.testing.assert_array_equal(found, [moment64(text) for text in texts])
            assert zones.tolist() == [zone(utc_offset(text)) for text in texts]

    @pytest.mark.parametrize(
        "text",
        [
            *("", "202", "20240", "2024022", "202402291", "20240229101", "2024022910153"),
            *("20240230", "20241301", "2024022924", "20240229101530.", "20240229101530.1234567"),
            *(
                "20240229+1500",
                "20240229+0160",
                "20240229+010",
                "20240229+01000",
                "+0100",
                "2+0100",
            ),
            *(
                "20240229+0100+0100",
                "20240229 ",
                "20240229T10",
                "20240229101530.123456+01000",
                "x" * 40,
            ),
        ],
    )
    def test_others(self, text):
        for texts in ([text], ["2024", text], [text, "20240229101530.123456+0100"]):
            assert moments(texts)[2].tolist() == [other != text for other in texts]


def test_zones():
    offsets = ["", "+0000", "-0000", "+0001", "-0001", "+1459", "-1459"]
    zones = [zone(offset) for offset in offsets]
    assert len(set(zones)) == len(zones)
    minutes = [None, 0, 0, 1, -1, 899, -899]
    expected = [np.timedelta64("NaT" if m is None else m, "m") for m in minutes]
    np.testing.assert_array_equal(ahead(np.array(zones)), np.array(expected, "m8[us]"))


def test_no_text_at_all():
    for found in (*days([]), *clocks([]), *moments([])):
        assert found.shape == (0,)
