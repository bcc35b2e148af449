"""What a user asks of an attribute becomes a mask of rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import Column
from xdicom.headers.values import date, seconds

_RELATIVE = 1e-6
_CLOCKS = ("TM",)
_CALENDARS = ("DA", "DT")


def matches(column: Column, wanted: Any) -> npt.NDArray[np.bool_]:
    """Rows whose value is the one wanted, one of several, or within a range.

    Parameters
    ----------
    column : Column
        The attribute.
    wanted : scalar, list, array, slice or None
        A value; values of which one must hold; ``slice(low, high)`` with both ends included and
        either end None; None for rows without a value. Times are ``"10:00"``, ``"100000"``,
        `datetime.time`, timedelta or seconds since midnight. Text of several values (ImageType)
        matches by all of it or by one of its values.

    Returns
    -------
    array of bool, shape of ``column.codes``
        Rows without a value match None only.

    Examples
    --------
    >>> column = Column(np.array([0, 1, -1]), ("15", "30"), "DS")
    >>> matches(column, slice(10, 20)).tolist(), matches(column, [15, 30]).tolist()
    ([True, False, False], [True, True, False])
    """
    if wanted is None:
        return column.codes < 0
    if isinstance(wanted, slice):
        if wanted.step is not None:
            raise ValueError("a range of values has no step")
        low, high = (None if v is None else _key(v, column.vr) for v in (wanted.start, wanted.stop))
        hits = [any(_within(k, low, high) for k in _keys(t, column.vr)) for t in column.texts]
    else:
        several = _several(wanted)
        options = [_key(v, column.vr) for v in (wanted if several else [wanted])]
        hits = [_is_one(text, options, column.vr) for text in column.texts]
    return np.array([*hits, False], dtype=bool)[column.codes]


def _several(wanted: Any) -> TypeGuard[Iterable[Any]]:
    return isinstance(wanted, (list, tuple, set, frozenset, range)) or (
        isinstance(wanted, np.ndarray) and wanted.ndim > 0
    )


def _key(value: Any, vr: str) -> float | str:
    """A wanted value in the form in which attributes of a VR are compared."""
    if isinstance(value, np.generic):
        value = value.item() if value.dtype.kind not in "mM" else value
    if vr in _CLOCKS:
        return _clock(value)
    if vr in _CALENDARS:
        return _moment(value)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value).strip()
    if vr not in ("CS", "LO", "SH", "UI", "PN", "LT", "ST", "UT", "AE", "UC", "UR", "AS"):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _clock(value: Any) -> float:
    if isinstance(value, dt.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "us")) / 1e6
    if isinstance(value, (int, float)):
        return float(value)
    found = seconds(str(value))
    if np.isnan(found):
        raise ValueError(f"{value!r} is no time; give HH:MM:SS, HHMMSS, or seconds since midnight")
    return found


def _moment(value: Any) -> str:
    """A date or moment as sortable digits, as much of it as is given."""
    if isinstance(value, np.datetime64):
        value = value.astype("M8[us]").item()
    if isinstance(value, dt.datetime):
        return value.strftime("%Y%m%d%H%M%S")
    if isinstance(value, dt.date):
        return value.strftime("%Y%m%d")
    digits = "".join(c for c in str(value).split("+")[0] if c.isdigit() or c == ".")
    if len(digits) < 4:
        raise ValueError(f"{value!r} is no date; give YYYY-MM-DD or YYYYMMDD")
    return digits


def _keys(text: str, vr: str) -> list[float | str]:
    """The values of an attribute's text, in the form in which they are compared."""
    if vr in _CLOCKS:
        return [seconds(text)]
    if vr in _CALENDARS:
        return [date(text).replace("-", "") or _moment(text) if len(text) >= 4 else text]
    found: list[float | str] = []
    for part in text.split("\\"):
        key = _key(part, vr)
        found.append(key)
    return found


def _within(key: float | str, low: float | str | None, high: float | str | None) -> bool:
    if isinstance(key, float):
        low = float(low) if low is not None else -np.inf
        high = float(high) if high is not None else np.inf
        slack = _RELATIVE * max(abs(key), 1e-30)
        return low - slack <= key <= high + slack
    above = low is None or key[: len(str(low))] >= str(low)
    return above and (high is None or key[: len(str(high))] <= str(high))


def _is_one(text: str, options: list[float | str], vr: str) -> bool:
    keys = _keys(text, vr)
    for option in options:
        if option == text:
            return True
        for key in keys:
            if isinstance(key, float) and isinstance(option, float):
                if abs(key - option) <= _RELATIVE * max(abs(option), 1e-30):
                    return True
            elif vr in _CALENDARS:
                if str(key)[: len(str(option))] == option:
                    return True
            elif key == option or (isinstance(option, float) and str(key) == f"{option:g}"):
                return True
    return False
