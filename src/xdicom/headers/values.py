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
INTS: Final = frozenset(("IS", "US", "SS", "UL", "SL", "UV", "SV"))
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_AGE: Final = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
# datetime64[ns], the only resolution that comes back from zarr and netCDF as it went in, spans
_FIRST_YEAR, _LAST_YEAR = 1678, 2261


def number(text: str) -> float:
    """Value of a DS or IS text; NaN where it is not one (PS3.5 6.2: "nan" and "inf" are not).

    Examples
    --------
    >>> number(" 1.5e2 "), number("1,5"), number("nan")
    (150.0, nan, nan)
    """
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else np.nan


def binary(text: str) -> float:
    """Value of the text of a binary number, for which NaN and infinity are legal."""
    try:
        return float(text)
    except ValueError:
        return np.nan


def seconds(text: str) -> float:
    """Seconds since midnight of a TM text ``HHMMSS.FFFFFF``; its missing parts are zero.

    Examples
    --------
    >>> seconds("101530.25"), seconds("10"), seconds("235960"), seconds("25")
    (36930.25, 36000.0, 86400.0, nan)
    """
    text = text.strip().replace(":", "")
    match = re.fullmatch(r"(\d\d)(\d\d)?(\d\d)?(\.\d{1,6})?", text)
    if match is None or (match[4] and not match[3]):
        return np.nan
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return np.nan
    return hour * 3600 + minute * 60 + second + float(match[4] or 0)


def date(text: str) -> str:
    """ISO date of a DA text ``YYYYMMDD`` (or the old ``YYYY.MM.DD``); empty where it is none."""
    match = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", text.strip())
    return f"{match[1]}-{match[2]}-{match[3]}" if match else ""


def _date64(text: str) -> np.datetime64:
    try:
        return np.datetime64(date(text) or "NaT", "s")
    except ValueError:
        return np.datetime64("NaT", "s")


def _clock64(text: str) -> np.timedelta64:
    value = seconds(text)
    return np.timedelta64("NaT", "us") if np.isnan(value) else np.timedelta64(
        round(value * 1e6), "us"
    )


def _moment64(text: str) -> np.datetime64:
    text = text.strip()
    match = re.fullmatch(r"(\d{4})(\d\d)?(\d\d)?(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?", text)
    if match is None:
        return np.datetime64("NaT", "us")
    day = _date64(f"{match[1]}{match[2] or '01'}{match[3] or '01'}")
    return day.astype("M8[us]") + (_clock64(match[4]) if match[4] else np.timedelta64(0, "us"))


def utc_offset(text: str) -> str:
    """Offset ``+HHMM`` at the end of a DT text, empty where there is none."""
    match = re.fullmatch(r"\d{4,14}(?:\.\d{1,6})?([+-]\d{4})", text.strip())
    return match[1] if match else ""


def _age(text: str) -> float:
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text.strip())
    return int(match[1]) / _AGE[match[2]] if match else np.nan


@dataclass(frozen=True)
class Values:
    """The converted distinct texts of a column."""

    array: Array
    """One value a text: shape (texts,) or (texts, n) for n values each."""
    valid: npt.NDArray[np.bool_]
    """Whether each text could be converted."""
    integer: bool = False
    """Whether the VR is one of whole numbers (an array of them with gaps is float64)."""


_SCALARS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    **{vr: (number, "f8") for vr in ("DS", "IS")},
    **{vr: (binary, "f8") for vr in ("FL", "FD", "OF", "OD", "US", "SS", "UL", "SL", "UV", "SV")},
    "DA": (_date64, "M8[s]"),
    "TM": (_clock64, "m8[us]"),
    "DT": (_moment64, "M8[us]"),
    "AS": (_age, "f8"),
}


def convert(texts: Sequence[str], vr: str) -> Values:
    """Convert the distinct texts of one attribute (PS3.5 table 6.2-1).

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
        are integers, else float64; datetime64[ns] for DA and DT, timedelta64[us] since midnight
        for TM; ``<U`` for all text VRs, for numbers of unequal multiplicity and for dates outside
        the years 1678 to 2261.

    Examples
    --------
    >>> convert(["1.5", "2\\\\3"], "DS").array
    array(['1.5', '2\\\\3'], dtype='<U3')
    >>> convert(["1", "2"], "IS").array, convert(["101530.25"], "TM").array
    (array([1, 2]), array([36930250000], dtype='timedelta64[us]'))
    """
    everything = np.ones(len(texts), bool)
    if vr not in _SCALARS:
        return Values(np.array(list(texts), dtype=np.str_), everything)
    function, dtype = _SCALARS[vr]
    parts = [text.split("\\") for text in texts]
    counts = {len(p) for p in parts}
    if len(counts) > 1 or (counts != {1} and dtype != "f8"):
        return Values(np.array(list(texts), dtype=np.str_), everything)
    array = np.array([[function(p) for p in ps] for ps in parts], dtype=dtype)
    valid = ~(np.isnat(array) if array.dtype.kind in "mM" else np.isnan(array)).any(axis=-1)
    if vr in ("FL", "FD", "OF", "OD"):
        valid = everything
    if array.shape[-1:] == (1,):
        array = array[:, 0]
    if array.dtype.kind == "M":
        years = array[valid].astype("M8[Y]").astype(int) + 1970
        if ((years < _FIRST_YEAR) | (years > _LAST_YEAR)).any():
            return Values(np.array(list(texts), dtype=np.str_), everything)
        array = array.astype("M8[ns]")
    integer = vr in INTS
    if integer and valid.all():
        whole = array.astype("i8")
        if (whole == array).all():
            array = whole
    return Values(array, valid, integer)
