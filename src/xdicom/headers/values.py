"""Raw text of one attribute becomes an array: one conversion for each distinct text of a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.clocks import Bools, ahead, clocks, days, moments, zone

Array = npt.NDArray[Any]

FLOATS: Final = frozenset(("DS", "FL", "FD", "OF", "OD"))
INTS: Final = frozenset(("IS", "US", "SS", "UL", "SL", "UV", "SV", "OL", "OV"))
_BINARY: Final = FLOATS - {"DS"}
_NUMERIC: Final = FLOATS | INTS | {"AS"}
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CLOCK: Final = re.compile(r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(\.[0-9]{1,6})?)?)?")
_DATE: Final = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
_MOMENT: Final = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})([0-9]{2,6}(?:\.[0-9]{1,6})?)?)?)?([+-][0-9]{4})?"
)
_AGE: Final = re.compile(r"([0-9]{1,3})([DWMY])")
_AGES: Final = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
# datetime64[ns], the only resolution that comes back from zarr and netCDF as it went in, spans
_FIRST, _BEHIND_LAST = np.datetime64("1678"), np.datetime64("2262")
_LARGEST: Final = 2**63 - 1


def _kept(characters: bytes) -> bytes:
    """Table of translation that keeps some characters and makes all others x, part of no number."""
    return bytes(byte if byte in characters else ord("x") for byte in range(256))


# of these characters float() and int() read just what PS3.5 6.2 calls a DS and an IS, and never
# "nan", "1_0" or digits of other scripts; a binary float may be all that float() reads
_KEPT: Final = {
    "DS": _kept(b"0123456789+-.eE \\"),
    **dict.fromkeys(INTS, _kept(b"0123456789+- \\")),
}


def number(text: str) -> float:
    """Value of a DS or IS text; NaN where it is not one (PS3.5 6.2: "nan" and "inf" are not).

    Examples
    --------
    >>> number(" 1.5e2 "), number("1,5"), number("nan")
    (150.0, nan, nan)
    """
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else np.nan


def _whole(text: str) -> int | None:
    """Value of the text of a whole number, exactly; None where it is none."""
    text = text.strip()
    try:
        return int(text) if text.isascii() and "_" not in text else None
    except ValueError:
        value = number(text)
        return int(value) if value.is_integer() else None


def seconds(text: str) -> float:
    """Seconds since midnight of a TM text ``HHMMSS.FFFFFF``; its missing parts are zero.

    Examples
    --------
    >>> seconds("101530.25"), seconds("10"), seconds("235960"), seconds("25")
    (36930.25, 36000.0, 86400.0, nan)
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{2}:[0-9]{2}(:.*)?", text):  # HH:MM:SS, as before DICOM 3
        text = text.replace(":", "")
    match = _CLOCK.fullmatch(text)
    if match is None:
        return np.nan
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 60:
        return np.nan
    return hour * 3600 + minute * 60 + second + float(match[4] or 0)


def date(text: str) -> str:
    """ISO date of a DA text ``YYYYMMDD`` (or the old ``YYYY.MM.DD``); empty where it is none.

    Examples
    --------
    >>> date("20240229"), date("1993.08.22"), date("20230229")
    ('2024-02-29', '1993-08-22', '')
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return ""
    iso = f"{match[1]}-{match[3]}-{match[4]}"
    try:
        np.datetime64(iso, "D")
    except ValueError:
        return ""
    return iso


def utc_offset(text: str) -> str:
    """Offset ``+HHMM`` at the end of a DT text, empty where there is none or it is no offset.

    Examples
    --------
    >>> utc_offset("20240229101530.25+0130"), utc_offset("20240229")
    ('+0130', '')
    """
    match = _MOMENT.fullmatch(text.strip())
    offset = match[5] or "" if match else ""
    return "" if offset and (int(offset[1:3]) > 14 or int(offset[3:]) > 59) else offset


def date64(text: str) -> np.datetime64:
    """Day of a DA text; NaT where it is none."""
    return np.datetime64(date(text) or "NaT", "s")


def _clock64(text: str) -> np.timedelta64:
    value = seconds(text)
    return np.timedelta64("NaT" if np.isnan(value) else round(value * 1e6), "us")


def moment64(text: str) -> np.datetime64:
    """Local time of a DT text, whose missing parts are their lowest; NaT where it is none."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None or (match[5] and not utc_offset(text)):
        return np.datetime64("NaT", "us")
    day = np.datetime64(date(f"{match[1]}{match[2] or '01'}{match[3] or '01'}") or "NaT", "us")
    return day + _clock64(match[4] or "00")


def _age(text: str) -> float:
    """Years of an AS text."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return int(match[1]) / _AGES[match[2]]


@dataclass(frozen=True)
class Values:
    """The converted distinct texts of a column."""

    found: Array | Sequence[str]
    """What `array` is, or the texts that it is made of when it is asked for."""
    valid: Bools
    """Whether each text is one of its VR: shape (texts,)."""
    integer: bool = False
    """Whether the VR is one of whole numbers (an array of them with gaps is float64)."""
    utc: bool = False
    """Whether moments with different offsets were turned into UTC."""

    @cached_property
    def array(self) -> Array:
        """One value a text: shape (texts,) or (texts, n) for n values each."""
        if isinstance(self.found, np.ndarray):
            return self.found
        return np.array(list(self.found), dtype=np.str_)


def convert(texts: Sequence[str], vr: str) -> Values:
    r"""Convert the distinct texts of one attribute (PS3.5 table 6.2-1).

    Parameters
    ----------
    texts : sequence of str
        Distinct raw texts; several values in one are separated by a backslash.
    vr : str
        Value representation.

    Returns
    -------
    Values
        float64 for DS, FL, FD and AS (years); int64 for IS and binary integers where all texts
        are valid, else float64; datetime64[ns] for DA and DT, timedelta64[us] since midnight for
        TM; ``<U`` for all text VRs, for several values of unequal number, for times of several
        values, for integers above 2⁶³ − 1 and for dates outside the years 1678 to 2261. Texts that
        are not valid are NaN or NaT.

    Notes
    -----
    Moments are local times if all that have a UTC offset have the same, and else UTC; those
    without offset are then unknown.

    Examples
    --------
    >>> convert(["1.5", "2\\3"], "DS").array
    array(['1.5', '2\\3'], dtype='<U3')
    >>> convert(["1", "2"], "IS").array, convert(["101530.25"], "TM").array
    (array([1, 2]), array([36930250000], dtype='timedelta64[us]'))
    """
    if vr in _NUMERIC:
        return _numbers(texts, vr)
    if vr in _TIMES:
        return _times(texts, vr)
    return Values(texts, np.ones(len(texts), bool))


def invalid(texts: Sequence[str], vr: str) -> list[int]:
    """Indices of the texts that are none of their VR; any text is one of a text VR.

    Examples
    --------
    >>> invalid(["1", "1,5", "x"], "DS"), invalid(["x"], "LO")
    ([1, 2], [])
    """
    if vr not in _NUMERIC and vr not in _TIMES:
        return []
    found: list[int] = np.flatnonzero(~convert(texts, vr).valid).tolist()
    return found


def as_numbers(texts: Sequence[str], vr: str, width: int) -> npt.NDArray[np.float64]:
    r"""Each text as ``width`` numbers, NaN where it does not hold just so many valid ones.

    Examples
    --------
    >>> as_numbers(["1\\2", "3", "4\\x"], "DS", 2).tolist()
    [[1.0, 2.0], [nan, nan], [nan, nan]]
    """
    if vr not in _NUMERIC:
        return np.full((len(texts), width), np.nan)
    rows = _read(texts, vr)
    return _spread(_floats(rows.numbers), rows, rows.valid & (rows.counts == width), width)


def numbers_in(text: str, vr: str) -> Sequence[float] | None:
    r"""The numbers of a text of a numeric VR; None where one of them is not valid.

    Examples
    --------
    >>> numbers_in("1.5\\2", "DS"), numbers_in("3.5", "IS"), numbers_in("036M", "AS")
    ([1.5, 2.0], None, [3.0])
    """
    parts = text.split("\\")
    if vr in INTS:
        wholes = [whole for part in parts if (whole := _whole(part)) is not None]
        return wholes if len(wholes) == len(parts) else None
    if vr in _BINARY or vr == "AS":
        read = _age if vr == "AS" else float  # to which NaN and infinity are legal
        try:
            return [read(part) for part in parts]
        except ValueError:
            return None
    values = [number(part) for part in parts]
    return None if any(value != value for value in values) else values


@dataclass(frozen=True)
class _Rows:
    """The numbers of all texts."""

    numbers: Array
    """Those of one text behind those of another: float64, int64, or, where a whole number is not
    within ±(2⁶³ − 1), object."""
    counts: npt.NDArray[np.int64]
    """How many each text has: shape (texts,)."""
    valid: Bools
    """Whether all of a text are valid: shape (texts,). Else its numbers are 0."""


def _numbers(texts: Sequence[str], vr: str) -> Values:
    rows = _read(texts, vr)
    widths = rows.counts[rows.valid]
    width = int(widths[0]) if widths.size else 1
    if (widths != width).any() or rows.numbers.dtype == object:
        return Values(texts, rows.valid)
    array = _spread(rows.numbers, rows, rows.valid, width)
    return Values(array[:, 0] if width == 1 else array, rows.valid, vr in INTS)


def _read(texts: Sequence[str], vr: str) -> _Rows:
    """Read all texts at once, and one by one those that cannot be read so."""
    parts = _parts(texts, _KEPT.get(vr))
    counts = np.ones(len(texts), np.int64)
    if len(parts) > len(texts):
        counts += np.fromiter(map(str.count, texts, repeat("\\")), np.int64, len(texts))
    valid = np.ones(len(texts), bool)
    read, dtype = _READERS[vr]
    try:
        return _Rows(_held(np.fromiter(map(read, parts), dtype, len(parts))), counts, valid)
    except (ValueError, OverflowError):  # one is no number, or one too large for the dtype
        pass
    numbers, failed = _each(read, parts)
    ends = counts.cumsum()
    rows = np.unique(ends.searchsorted(failed, side="right"))
    places = zip(rows.tolist(), ends[rows].tolist(), counts[rows].tolist(), strict=True)
    for row, end, count in places:
        found = numbers_in(texts[row], vr)
        valid[row] = found is not None
        numbers[end - count : end] = found or [0] * count
    try:
        return _Rows(_held(np.array(numbers, dtype)), counts, valid)
    except OverflowError:
        return _Rows(np.array(numbers, object), counts, valid)


def _parts(texts: Sequence[str], kept: bytes | None) -> Sequence[str | bytes]:
    """The values of all texts, one after another; of a table's characters where there is one."""
    if not texts:
        return ()
    joined = "\\".join(texts)
    if kept is None:
        return joined.split("\\")
    return joined.encode("ascii", "replace").translate(kept).split(b"\\")


def _each(read: Callable[[Any], float], parts: Sequence[Any]) -> tuple[list[float], list[int]]:
    """What is read of each part, 0 where nothing is, and the indices of these."""
    numbers: list[float] = []
    failed = []
    for i, part in enumerate(parts):
        try:
            numbers.append(read(part))
        except ValueError:
            numbers.append(0)
            failed.append(i)
    return numbers, failed


def _held(numbers: Array) -> Array:
    """The same; raises where a whole number is below those that we let int64 hold."""
    if numbers.dtype.kind == "i" and (numbers < -_LARGEST).any():
        raise OverflowError
    return numbers


def _floats(numbers: Array) -> npt.NDArray[np.float64]:
    if numbers.dtype == object:  # float() raises beyond the largest float64 unless it is given text
        return np.array([float(str(value)) for value in numbers])
    return numbers.astype(np.float64, copy=False)


def _spread(numbers: Array, rows: _Rows, wanted: Bools, width: int) -> Array:
    """The texts that are wanted, of ``width`` numbers each, as rows of an array; NaN elsewhere."""
    if wanted.all():
        return numbers.reshape(-1, width)
    found = np.full((len(wanted), width), np.nan)
    found[wanted] = numbers[np.repeat(wanted, rows.counts)].reshape(-1, width)
    return found


def _times(texts: Sequence[str], vr: str) -> Values:
    if "\\" in "".join(texts):
        return Values(texts, np.ones(len(texts), bool))
    zones = np.zeros(len(texts), np.int64)
    array: Array
    if vr == "DA":
        array, regular = days(texts)
    elif vr == "TM":
        array, regular = clocks(texts)
    else:
        array, zones, regular = moments(texts)
    for row in np.flatnonzero(~regular).tolist():
        array[row] = _TIMES[vr](texts[row])
        if vr == "DT":
            zones[row] = zone(utc_offset(texts[row]))
    utc = len(np.unique(zones[zones != 0])) > 1
    if utc:
        array = array - ahead(zones)
    valid = ~np.isnat(array)
    if array.dtype.kind == "M":
        known = array[valid]
        if not ((known >= _FIRST) & (known < _BEHIND_LAST)).all():
            return Values(texts, valid)
        array = array.astype("M8[ns]")
    return Values(array, valid, utc=utc)


_TIMES: Final[dict[str, Callable[[str], Any]]] = {
    "DA": date64,
    "TM": _clock64,
    "DT": moment64,
}
_READERS: Final[dict[str, tuple[Callable[[Any], float], type[np.generic]]]] = {
    "AS": (_age, np.float64),
    **dict.fromkeys(FLOATS, (float, np.float64)),
    **dict.fromkeys(INTS, (int, np.int64)),
}
