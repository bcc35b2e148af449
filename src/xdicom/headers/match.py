"""What a user asks of an attribute becomes a mask of rows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import Column
from xdicom.headers.values import (
    FLOATS,
    INTS,
    date64,
    moment64,
    number,
    numbers_in,
    seconds,
)

_RELATIVE: Final = 1e-6
_LAST_CHARACTER: Final = "\U0010ffff"
_DATE: Final = re.compile(
    r"(\d{4})(?:([-.]?)(\d\d)(?:\2(\d\d)(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d+)?)?)?)?)?)?"
    r"(?:[+-]\d\d:?\d\d|Z)?",
    re.ASCII,
)


_WILDCARDS: Final = {"*": ".*", "?": "."}
_WILD: Final = frozenset(_WILDCARDS)


@dataclass(frozen=True)
class _Interval:
    """Values from ``low`` to ``high``, both included; None for no end."""

    low: Any
    high: Any

    def holds(self, key: Any) -> bool:
        return (self.low is None or self.low <= key) and (self.high is None or key <= self.high)


def matches(column: Column, wanted: Any) -> npt.NDArray[np.bool_]:
    r"""Rows whose value is the one wanted, one of several, or within a range.

    Parameters
    ----------
    column : Column
        The attribute.
    wanted : scalar, list, array, slice or None
        A value; values of which one must hold; ``slice(low, high)`` with both ends included and
        either end None; None for rows without a value. Times are ``"10:00"``, ``"100000"``,
        `datetime.time`, timedelta or seconds since midnight; dates and moments are
        ``"2024-02-29"``, ``"20240229"``, ``"2024-02-29 10:15"``, ``"2024-02"``, `datetime.date`,
        `datetime.datetime` or datetime64, and stand for all that lies in the day, minute or month.
        In text that no row has as it is, ``*`` stands for anything and ``?`` for one character, as
        in a query (PS3.4 C.2.2.2.4). Text of several values (ImageType) matches by all of it
        (``"ORIGINAL\\PRIMARY"``) or by one of its values. Ages are ``"034Y"`` or years.
        Attributes of several numbers (ImagePositionPatient) match by all of them: a vector, or a
        list of vectors.

    Returns
    -------
    array of bool, shape of ``column.codes``
        Rows without a value match None only.

    Raises
    ------
    ValueError
        If a number, time or date is wanted and what is given is none.

    Examples
    --------
    >>> column = Column(np.array([0, 1, -1]), ("15", "30"), "DS")
    >>> matches(column, slice(10, 20)).tolist(), matches(column, [15, 30]).tolist()
    ([True, False, False], [True, True, False])
    """
    if wanted is None:
        return column.codes < 0
    if column.vr in FLOATS | INTS and any("\\" in text for text in column.texts):
        return _vector_matches(column, wanted)
    whole: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    if isinstance(wanted, slice):
        intervals = [_range(wanted, column.vr)]
    else:
        intervals = []
        for value in wanted if _is_several(wanted) else [wanted]:
            known = isinstance(value, str) and value in column.texts
            if known:
                whole.add(value)
            elif isinstance(value, str) and column.vr not in _ORDERED and _WILD & set(value):
                patterns.append(_pattern(value))
            try:
                intervals.append(_interval(value, column.vr))
            except ValueError:
                if not known:
                    raise
    hits = [
        text in whole
        or any(
            pattern.fullmatch(part)
            for pattern in patterns
            for part in (text, *_keys(text, column.vr))
        )
        or any(interval.holds(key) for key in _keys(text, column.vr) for interval in intervals)
        for text in column.texts
    ]
    return np.array([*hits, False], dtype=bool)[column.codes]


def _vector_matches(column: Column, wanted: Any) -> npt.NDArray[np.bool_]:
    """Rows whose numbers are all those of one wanted vector."""
    if isinstance(wanted, str):
        wanted = wanted.split("\\")
    try:
        vectors = np.atleast_2d(np.asarray(wanted, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wanted!r} is no vector of numbers") from error
    width = vectors.shape[1]
    values = column.numbers(width).reshape(*column.codes.shape, width)
    if np.isnan(values[column.codes >= 0]).all() and (column.codes >= 0).any():
        raise ValueError(
            f"the attribute has several numbers, such as {column.texts[0]!r}; "
            f"give them all, not {wanted!r}"
        )
    close = np.abs(values[..., None, :] - vectors) <= 1e-6 * (1 + np.abs(vectors))
    return np.asarray(close.all(axis=-1).any(axis=-1), dtype=bool)


def _pattern(text: str) -> re.Pattern[str]:
    """A text with wildcards as a regular expression."""
    parts = [_WILDCARDS.get(character, re.escape(character)) for character in text]
    return re.compile("".join(parts), re.DOTALL)


def _is_several(wanted: Any) -> bool:
    if isinstance(wanted, (str, bytes)):
        return False
    if hasattr(wanted, "__array__"):
        return np.ndim(wanted) > 0
    return isinstance(wanted, Iterable)


def _range(wanted: slice, vr: str) -> _Interval:
    if wanted.step is not None:
        raise ValueError("a range of values has no step")
    low, high = wanted.start, wanted.stop
    last = None if high is None else _interval(high, vr).high
    if isinstance(last, str):
        last += _LAST_CHARACTER
    return _Interval(None if low is None else _interval(low, vr).low, last)


def _interval(value: Any, vr: str) -> _Interval:
    """The values that a wanted one stands for."""
    if hasattr(value, "__array__"):
        value = np.asarray(value)[()]
        if value.dtype.kind not in "mM":
            value = value.item()
    return _ORDERED.get(vr, _text_interval)(value)


def _text_interval(value: Any) -> _Interval:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return _Interval(text, text)


def _number(value: Any) -> float:
    found = number(value) if isinstance(value, str) else float(value)
    if np.isnan(found):
        raise ValueError(f"{value!r} is no number")
    return found


def _float_interval(value: Any) -> _Interval:
    found = _number(value)
    slack = _RELATIVE * abs(found)
    return _Interval(found - slack, found + slack)


def _int_interval(value: Any) -> _Interval:
    found = value if isinstance(value, int) else _number(value)
    return _Interval(found, found)


def _age_interval(value: Any) -> _Interval:
    ages = numbers_in(value, "AS") if isinstance(value, str) else None
    return _float_interval(ages[0] if ages else value)


def _clock_interval(value: Any) -> _Interval:
    """Microseconds since midnight."""
    if isinstance(value, dt.time):
        found = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    elif isinstance(value, dt.timedelta):
        found = value.total_seconds()
    elif isinstance(value, np.timedelta64):
        found = float(value / np.timedelta64(1, "us")) / 1e6
    elif isinstance(value, str):
        found = seconds(value)
    else:
        found = float(value)
    if np.isnan(found):
        raise ValueError(f"{value!r} is no time; give HH:MM:SS, HHMMSS, or seconds since midnight")
    return _Interval(round(found * 1e6), round(found * 1e6))


def _moment_interval(value: Any) -> _Interval:
    """Microseconds since 1970, from the first to the last of the day, minute … that is given."""
    moment: np.datetime64[Any]
    if isinstance(value, dt.datetime):
        moment = np.datetime64(value.replace(tzinfo=None), "us")
    elif isinstance(value, dt.date):
        moment = np.datetime64(value, "D")
    elif isinstance(value, np.datetime64):
        moment = value.astype("M8[us]")
    else:
        moment = _parsed_moment(str(value))
    if np.isnat(moment):
        raise ValueError(f"{value!r} is no date; give YYYY-MM-DD, YYYYMMDD or YYYY-MM-DD HH:MM:SS")
    first, after = (m.astype("M8[us]").astype(np.int64) for m in (moment, moment + 1))
    return _Interval(int(first), int(after) - 1)


def _parsed_moment(text: str) -> np.datetime64:
    """A date or moment in the unit of what is given of it; an offset is left out (local time)."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return np.datetime64("NaT", "D")
    year, _, month, day, hour, minute, second, fraction = match.groups()
    iso = "-".join(part for part in (year, month, day) if part)
    if hour:
        iso += "T" + ":".join(part for part in (hour, minute, second) if part)
    try:
        return np.datetime64(iso + (fraction or "")[:7])
    except ValueError:
        return np.datetime64("NaT", "D")


_ORDERED: Final = {
    **dict.fromkeys(FLOATS, _float_interval),
    **dict.fromkeys(INTS, _int_interval),
    "AS": _age_interval,
    "TM": _clock_interval,
    "DA": _moment_interval,
    "DT": _moment_interval,
}
"""VRs whose values have an order other than that of their text."""


def _keys(text: str, vr: str) -> list[Any]:
    """The values of an attribute's text, in the form in which they are compared."""
    if vr not in _ORDERED:
        return text.split("\\")
    if vr == "TM":
        found = [seconds(part) for part in text.split("\\")]
        return [round(value * 1e6) for value in found if not np.isnan(value)]
    if vr in ("DA", "DT"):
        read = date64 if vr == "DA" else moment64
        moments = [read(part).astype("M8[us]") for part in text.split("\\")]
        return [int(moment.astype(np.int64)) for moment in moments if not np.isnat(moment)]
    return list(numbers_in(text, vr) or ())
