"""RealWorldValueMappingSequence becomes slopes, tables, ranges and units of the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from xdicom.errors import (
    AmbiguousSeriesError,
    CorruptFileError,
    InconsistentSeriesError,
    MissingAttributeError,
)
from xdicom.headers.store import headers_of, sequence_of
from xdicom.pixels.lookup import Collected, Lookup, LookupTable
from xdicom.pixels.stored import StoredValues, in_sign

Floats = npt.NDArray[np.float64]

_STORED: Final = 'scaling="stored" gives the stored values without it'
_ENDS: Final = {
    "first": (
        "RealWorldValueFirstValueMapped",
        "DoubleFloatRealWorldValueFirstValueMapped",
    ),
    "last": (
        "RealWorldValueLastValueMapped",
        "DoubleFloatRealWorldValueLastValueMapped",
    ),
}
"""The ends of a map's range: as whole stored values, and as floats."""


@dataclass(frozen=True, eq=False)
class RealWorldValues:
    """The chosen map of each frame."""

    slope: Floats
    """Of each frame, 1 where a table maps it."""
    intercept: Floats
    """Of each frame, 0 where a table maps it."""
    limits: Floats
    """Lowest and highest stored value that is mapped, shape (frames, 2)."""
    lookup: Lookup | None
    """Tables of the frames that have one."""
    units: str
    """CodeValue of MeasurementUnitsCodeSequence."""


@dataclass(frozen=True)
class _Map:
    """One item of the sequence."""

    label: str
    units: str
    explanation: str
    item: Dataset

    def __str__(self) -> str:
        about = f" ({self.explanation})" if self.explanation else ""
        return f"{self.label!r} in {self.units!r}{about}"


def real_world_values(stored: StoredValues, rwvm: str | int | None) -> RealWorldValues:
    """The real-world value map of each frame (PS3.3 C.7.6.16.2.11), of frame or instance.

    Parameters
    ----------
    stored : StoredValues
        The frames.
    rwvm : str, int or None
        Which one: its LUTLabel, the CodeValue of its units, or its number from 0; None: the only
        one.

    Returns
    -------
    RealWorldValues
        For all frames.

    Raises
    ------
    MissingAttributeError
        If a frame has no such map, or a map no valid slope or range.
    AmbiguousSeriesError
        If several maps are meant; the message lists them.
    InconsistentSeriesError
        If frames are mapped to values of different units.
    CorruptFileError
        If a map's table is shorter than its range.
    """
    table = stored.table
    slope, intercept = np.ones(len(table)), np.zeros(len(table))
    limits = np.tile([-np.inf, np.inf], (len(table), 1))
    tables = Collected(len(table))
    units: dict[str, int] = {}
    for header, rows in headers_of(table):
        for row in rows.tolist():
            number = int(table.frame_number[row])
            items = sequence_of(header, number, "RealWorldValueMappingSequence")
            found = _chosen([_map(item) for item in items], rwvm, table.path(row), number)
            units.setdefault(found.units, row)
            low, high = _range(found, bool(stored.signed[row]), stored.dtype.kind == "f")
            limits[row] = low, high
            if "RealWorldValueLUTData" in found.item:
                tables.add(row, _table(found, low, high, table.path(row), number))
            else:
                slope[row], intercept[row] = _line(found, table.path(row), number)
    if len(units) > 1:
        raise InconsistentSeriesError(
            "the frames are mapped to real-world values of different units",
            file=table.path(list(units.values())[1]),
            found=", ".join(units),
            remedy="Choose a map with rwvm=, or frames of one unit with select=",
        )
    return RealWorldValues(slope, intercept, limits, tables.lookup(), next(iter(units), ""))


def _map(item: Dataset) -> _Map:
    codes = item.get("MeasurementUnitsCodeSequence") or [Dataset()]
    texts = [str(codes[0].get(k) or "") for k in ("CodeValue", "LongCodeValue", "URNCodeValue")]
    units = next((t for t in texts if t), "")
    label, explanation = (str(item.get(k) or "").strip() for k in ("LUTLabel", "LUTExplanation"))
    return _Map(label, units.strip(), explanation, item)


def _chosen(maps: Sequence[_Map], rwvm: str | int | None, file: str, frame: int) -> _Map:
    """The only map that is meant."""
    listed = "; ".join(f"{i}: {m}" for i, m in enumerate(maps)) or "none"
    if rwvm is None:
        meant = list(maps)
    elif isinstance(rwvm, int):
        meant = list(maps[rwvm : rwvm + 1]) if rwvm >= 0 else []
    else:
        meant = [m for m in maps if m.label == rwvm] or [m for m in maps if m.units == rwvm]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise AmbiguousSeriesError(
            "the frame has several real-world value maps",
            file=file,
            frame=frame,
            expected="one, chosen with rwvm= by label, unit or number",
            found=listed,
        )
    raise MissingAttributeError(
        "the frame has no real-world value map" + ("" if rwvm is None else f" {rwvm!r}"),
        file=file,
        frame=frame,
        found=listed,
        remedy='scaling="modality" or "stored" needs none',
    )


def _number(item: Dataset, keyword: str) -> float:
    """A number of an item, NaN where it has none."""
    try:
        return float(item[keyword].value)
    except (KeyError, TypeError, ValueError):
        return float("nan")


def _range(found: _Map, signed: bool, floats: bool) -> tuple[float, float]:
    """The stored values that a map is for; infinite where it does not say."""
    ends = []
    for end, (whole, double) in _ENDS.items():
        value, wide = in_sign(_number(found.item, whole), signed), _number(found.item, double)
        if np.isnan(value) or (floats and not np.isnan(wide)):
            value = wide
        nothing = -np.inf if end == "first" else np.inf
        ends.append(nothing if np.isnan(value) else value)
    return ends[0], ends[1]


def _line(found: _Map, file: str, frame: int) -> tuple[float, float]:
    slope = _number(found.item, "RealWorldValueSlope")
    intercept = _number(found.item, "RealWorldValueIntercept")
    for keyword, value in (
        ("RealWorldValueSlope", slope or np.nan),
        ("RealWorldValueIntercept", intercept),
    ):
        if not np.isfinite(value):
            raise MissingAttributeError(
                f"{keyword} is missing or invalid, and there is no RealWorldValueLUTData",
                file=file,
                frame=frame,
                remedy=_STORED,
            )
    return slope, intercept


def _table(found: _Map, low: float, high: float, file: str, frame: int) -> LookupTable:
    data: Any = found.item["RealWorldValueLUTData"].value
    if isinstance(data, bytes):
        values = np.frombuffer(data[: len(data) // 8 * 8], "<f8")
    else:
        values = np.atleast_1d(np.asarray(data, dtype=np.float64))
    if not np.isfinite([low, high]).all() or high < low:
        raise MissingAttributeError(
            "a real-world value table needs the first and the last value that it maps",
            file=file,
            frame=frame,
            found=f"{low:g} to {high:g}",
            remedy=_STORED,
        )
    if values.size < high - low + 1:
        raise CorruptFileError(
            "RealWorldValueLUTData is shorter than the range that it maps",
            file=file,
            frame=frame,
            expected=f"{high - low + 1:g} values",
            found=f"{values.size}",
            remedy=_STORED,
        )
    return LookupTable(int(low), values[: int(high - low) + 1])
