"""A name in lower case and a function of frames become an attribute like those of DICOM."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydicom.datadict import tag_for_keyword

from xdicom.headers.store import attribute_column
from xdicom.headers.table import MISSING, Column, FrameTable
from xdicom.series.derived import b_value, b_vector, image_type, signal_type
from xdicom.series.families import DIM_ORDER
from xdicom.series.times import acquisition_datetime, frame_time, slice_time, view_angle

Array = npt.NDArray[Any]
Key = str | int | tuple[int, int]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_VRS: Final = {"f": "FD", "i": "SV", "u": "SV", "b": "US", "U": "UT", "M": "DT", "m": "TM"}
"""VR in which values of each kind are kept."""


class FrameAttributes:
    """What an attribute's function is given: attributes of frames by keyword or tag.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> @xdicom.attribute("echo_time_seconds", units="s")
    ... def echo_time_seconds(frames):
    ...     return frames["EchoTime"] / 1000
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_series(folder, {"EchoTime": [5, 10], "z": 3})
    ...     da = xdicom.open_series(folder)
    ...     print(da.dicom["echo_time_seconds"], da.dicom.filter(echo_time_seconds=0.01).sizes["z"])
    [0.005, 0.01] 3
    """

    def __init__(self, table: FrameTable) -> None:
        self._table = table

    def __len__(self) -> int:
        """Count the frames."""
        return len(self._table)

    def __getitem__(self, key: Key) -> Array:
        """Values, one a frame: shape (frames,), or (frames, n) for n numbers each.

        float64, int64, text, datetime64 or timedelta64 (SPEC §3.1); NaN, NaT or ``""`` where
        missing, and whole numbers are float64 where one is.
        """
        column = attribute_of(self._table, key)
        array = column.values.array
        if array.dtype.kind in "iu" and not column.complete:
            array = array.astype(np.float64)
        nothing: Any = {"U": "", "M": "NaT", "m": "NaT"}.get(array.dtype.kind, np.nan)
        if column.complete:
            whole: Array = array[column.codes]
            return whole
        missing = np.full((1, *array.shape[1:]), nothing, dtype=array.dtype)
        found: Array = np.concatenate([array, missing])[column.codes]
        return found

    def text(self, key: Key) -> npt.NDArray[np.str_]:
        r"""Texts as the files have them, one a frame, ``""`` where missing; values joined by \\."""
        return attribute_of(self._table, key).strings()


_MIDNIGHT: Final = np.timedelta64(0, "s")
_DAY: Final = np.timedelta64(1, "D")

Function = Callable[[FrameAttributes], Any]
OfTable = Callable[[FrameTable], Column | None]
_Given = TypeVar("_Given", bound=Function)

_TABLES: Final[dict[str, OfTable]] = {
    "image_type": image_type,
    "signal_type": signal_type,
    "b_value": b_value,
    "b_vector": b_vector,
    "acquisition_datetime": acquisition_datetime,
    "frame_time": frame_time,
    "slice_time": slice_time,
    "view_angle": view_angle,
}
"""All of them by name; rooms that know more of frames add theirs."""
_OURS: Final[set[str]] = set(_TABLES)
_UNITS: Final[dict[str, str]] = {
    "b_value": "s/mm²",
    "frame_time": "ms",
    "slice_time": "s",
    "view_angle": "degree",
}
_FOUND: WeakKeyDictionary[FrameTable, dict[str, Column]] = WeakKeyDictionary()
"""Of tables that are open: an attribute is asked for by filters, dims and coordinates."""


def attribute(name: str, *, units: str = "") -> Callable[[_Given], _Given]:
    """Make a function an attribute: for filters, values and coordinates, ``select=`` and ``dims=``.

    Parameters
    ----------
    name : str
        In lower case, which keeps it apart from DICOM's keywords: ``"image_type"``.
    units : str
        Of its values.

    Returns
    -------
    decorator
        Gives the function back. It is called with `FrameAttributes` and returns an array with one
        value a frame: numbers, text, datetime64 or timedelta64, shape (frames,), or (frames, n) of
        numbers; NaN, NaT and ``""`` are missing. It must be the same for the same headers.

    Raises
    ------
    ValueError
        If the name is not in lower case, or is one of xdicom's own attributes or dims.

    Examples
    --------
    >>> import xdicom
    >>> @xdicom.attribute("slice_order")
    ... def slice_order(frames):
    ...     return frames["InstanceNumber"] % 2
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r}: names of attributes are in lower case, as image_type")
    if name in _OURS or name in DIM_ORDER or tag_for_keyword(name) is not None:
        raise ValueError(f"{name!r} is taken: an attribute or dim of xdicom")

    def register(function: _Given) -> _Given:
        def of_table(table: FrameTable) -> Column:
            return column_from(function(FrameAttributes(table)), len(table), name)

        _register(name, of_table, units)
        return function

    return register


def own_attribute(name: str, *, units: str = "") -> Callable[[OfTable], OfTable]:
    """Make a function from a table to a column one of xdicom's own attributes."""
    _OURS.add(name)

    def register(function: OfTable) -> OfTable:
        _register(name, function, units)
        return function

    return register


def _register(name: str, function: OfTable, units: str) -> None:
    _TABLES[name] = function
    _UNITS[name] = units
    for known in _FOUND.values():
        known.pop(name, None)


def attributes() -> tuple[str, ...]:
    """Names of all attributes that are not DICOM's own, sorted.

    Examples
    --------
    >>> [name for name in attributes() if name.startswith("b_")]
    ['b_value', 'b_vector']
    """
    return tuple(sorted(_TABLES))


def is_attribute(key: object) -> bool:
    """Whether a key names one of them."""
    return isinstance(key, str) and key in _TABLES


def units_of(name: str) -> str:
    """Units of one of them, ``""`` where it has none."""
    return _UNITS.get(name, "")


def attribute_of(table: FrameTable, key: Key) -> Column:
    """The column of any attribute: one of these, of the table, or read from the files.

    Raises
    ------
    KeyError
        If the key is no attribute, DICOM keyword, tag or path.
    HeadersUnavailableError, CorruptFileError
        As `headers.store.attribute_column`.
    """
    if not isinstance(key, str) or key not in _TABLES:
        return attribute_column(table, key)
    known = _FOUND.setdefault(table, {})
    if key not in known:
        found = _TABLES[key](table)
        nothing = np.full(len(table), MISSING, np.int32)
        known[key] = Column(nothing, (), "UT") if found is None else found
    return known[key]


def column_from(values: Any, count: int, name: str) -> Column:
    r"""Values, one a frame, as a column.

    Parameters
    ----------
    values : array_like
        Shape (count,), or (count, n) of numbers.
    count : int
        Frames.
    name : str
        For the message.

    Raises
    ------
    ValueError
        If there is not one value a frame, or they are of no kind that a column holds.

    Examples
    --------
    >>> column = column_from([0.5, np.nan, 0.5], 3, "half")
    >>> column.texts, column.codes.tolist(), column.vr
    (('0.5',), [0, -1, 0], 'FD')
    >>> column_from([[1, 0, 0], [0, 0, 1]], 2, "v").texts
    ('0\\0\\1', '1\\0\\0')
    """
    array = np.asarray(values)
    if array.dtype.kind == "O" and array.ndim == 1:  # of datetime, timedelta, or text and None
        array = pd.Series(array).infer_objects().to_numpy()
    if array.dtype.kind == "O":
        array = np.where(pd.isna(array), "", array).astype(np.str_)
    vr = _VRS.get(array.dtype.kind)
    if array.ndim == 0 or len(array) != count or vr is None or array.ndim > 2 - (vr[0] in "UDT"):
        raise ValueError(
            f"attribute {name!r}: one value for each of {count} frames is needed, "
            f"not {array.dtype} of shape {array.shape}"
        )
    if array.dtype.kind == "m" and ((array < _MIDNIGHT) | (array >= _MIDNIGHT + _DAY)).any():
        raise ValueError(f"attribute {name!r}: times of a day are needed; give seconds as numbers")
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    missing = np.zeros(count, bool)
    if array.dtype.kind in "fmM":
        gone = np.isnan(array) if array.dtype.kind == "f" else np.isnat(array)
        missing = gone.reshape(count, -1).any(axis=1)
    elif array.dtype.kind == "U":
        missing = array == ""
    distinct, codes = np.unique(array, axis=0, return_inverse=True)
    texts = [_text(value) for value in distinct]
    used = np.zeros(len(texts), bool)
    codes = codes.ravel()
    used[codes[~missing]] = True
    places = np.where(used, np.cumsum(used) - 1, MISSING)
    found: npt.NDArray[np.int32] = np.where(missing, MISSING, places[codes]).astype(np.int32)
    return Column(found, tuple(t for t, u in zip(texts, used, strict=True) if u), vr)


def _text(value: Any) -> str:
    """A value as a file would have it."""
    if np.ndim(value):
        return "\\".join(_text(each) for each in value)
    kind = np.asarray(value).dtype.kind
    if kind == "M":
        return "" if np.isnat(value) else re.sub(r"[-T:]", "", str(value.astype("M8[us]")))
    if kind == "m":
        if np.isnat(value):
            return ""
        micros = int(value.astype("m8[us]").astype(np.int64))
        minutes, micros = divmod(micros, 60_000_000)
        return f"{minutes // 60:02}{minutes % 60:02}{micros / 1e6:09.6f}"
    if kind == "f":
        return repr(float(value))
    return str(value)
