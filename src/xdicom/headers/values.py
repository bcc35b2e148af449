"""Raw text of one attribute becomes an array: one conversion for each distinct text of a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

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
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
_LARGEST: Final = 2**63 - 1


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


def _offset64(text: str) -> np.timedelta64:
    """Local time minus UTC of a DT text with an offset; NaT without."""
    offset = utc_offset(text)
    if not offset:
        return np.timedelta64("NaT", "us")
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    return np.timedelta64((-minutes if offset[0] == "-" else minutes) * 60_000_000, "us")


def _age(text: str) -> float:
    match = _AGE.fullmatch(text.strip())
    return int(match[1]) / _AGES[match[2]] if match else np.nan


@dataclass(frozen=True)
class Values:
    """The converted distinct texts of a column."""

    array: Array
    """One value a text: shape (texts,) or (texts, n) for n values each."""
    valid: npt.NDArray[np.bool_]
    """Whether each text is one of its VR: shape (texts,)."""
    integer: bool = False
    """Whether the VR is one of whole numbers (an array of them with gaps is float64)."""
    utc: bool = False
    """Whether moments with different offsets were turned into UTC."""


_TIME: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "DA": (date64, "M8[s]"),
    "TM": (_clock64, "m8[us]"),
    "DT": (moment64, "M8[us]"),
}


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
    if vr in _TIME:
        return _times(texts, vr)
    return Values(_as_text(texts), np.ones(len(texts), bool))


def as_numbers(texts: Sequence[str], vr: str, width: int) -> npt.NDArray[np.float64]:
    r"""Each text as ``width`` numbers, NaN where it does not hold just so many valid ones.

    Examples
    --------
    >>> as_numbers(["1\\2", "3", "4\\x"], "DS", 2).tolist()
    [[1.0, 2.0], [nan, nan], [nan, nan]]
    """
    found = np.full((len(texts), width), np.nan)
    if vr not in _NUMERIC:
        return found
    for row, text in enumerate(texts):
        values = numbers_in(text, vr)
        if values is not None and len(values) == width:
            found[row] = values
    return found


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
    if vr in _BINARY:  # for these NaN and infinity are legal
        try:
            return [float(part) for part in parts]
        except ValueError:
            return None
    values = [_age(part) if vr == "AS" else number(part) for part in parts]
    return None if any(value != value for value in values) else values


def _numbers(texts: Sequence[str], vr: str) -> Values:
    rows = [numbers_in(text, vr) for text in texts]
    valid = np.array([row is not None for row in rows], dtype=bool)
    widths = {len(row) for row in rows if row is not None} or {1}
    integer = vr in INTS
    if len(widths) > 1:
        return Values(_as_text(texts), valid)
    if integer and any(abs(value) > _LARGEST for row in rows if row for value in row):
        return Values(_as_text(texts), valid)
    (width,) = widths
    missing = [np.nan] * width
    whole = integer and bool(valid.all())
    array = np.array(
        [missing if row is None else row for row in rows], dtype=np.int64 if whole else np.float64
    ).reshape(len(texts), width)
    return Values(array[:, 0] if width == 1 else array, valid, integer)


def _times(texts: Sequence[str], vr: str) -> Values:
    if any("\\" in text for text in texts):
        return Values(_as_text(texts), np.ones(len(texts), bool))
    function, dtype = _TIME[vr]
    array = np.array([function(text) for text in texts], dtype=dtype)
    moments = texts if vr == "DT" else ()
    utc = len({offset for text in moments if (offset := utc_offset(text))}) > 1
    if utc:
        array = array - np.array([_offset64(text) for text in texts], dtype="m8[us]")
    valid = ~np.isnat(array)
    if array.dtype.kind == "M":
        years = array[valid].astype("M8[Y]").astype(np.int64) + 1970
        if ((years < _FIRST_YEAR) | (years > _LAST_YEAR)).any():
            return Values(_as_text(texts), valid)
        array = array.astype("M8[ns]")
    return Values(array, valid, utc=utc)


def _as_text(texts: Sequence[str]) -> Array:
    return np.array(list(texts), dtype=np.str_)
