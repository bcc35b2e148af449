"""Rows of a table become entries: what a list of series shows, one entry a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import Column, FrameTable, IntArray

IDENTITY: Final = tuple(
    """PatientID StudyInstanceUID StudyDate StudyDescription SeriesInstanceUID SeriesNumber
    SeriesDescription SeriesTime Modality Manufacturer ProtocolName BodyPartExamined Rows
    Columns""".split()
)
"""Keywords that name a series and say what it is."""
MOST_TEXTS: Final = 16
"""Distinct texts of an attribute that a summary of a series lists."""
_PLANE: Final = ("Rows", "Columns")

Summary = dict[str, list[str | None]]
"""Keyword → distinct texts of an attribute, None where some row has none; an empty list where
there are too many to be listed."""


@dataclass(frozen=True)
class SeriesEntry:
    """One series in a list of them."""

    key: str
    """What tells it from all others: SeriesInstanceUID, or what stands for it."""
    instances: int
    """Files."""
    frames: int
    """Frames with pixels."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Texts of `IDENTITY` in its first row, ``""`` where missing; those of the plane only where
    all rows have them."""
    parts: tuple[int, ...] = ()
    """Where an index holds its rows."""


def series_keys(table: FrameTable) -> tuple[IntArray, list[str]]:
    """Series of each row as a code, in the order of their first rows, and the key of each code.

    Rows without SeriesInstanceUID are grouped by StudyInstanceUID and SeriesNumber.
    """
    uid, study, number = map(
        table.column, ("SeriesInstanceUID", "StudyInstanceUID", "SeriesNumber")
    )
    texts: list[str] = list(uid.texts)
    codes = uid.codes.astype(np.int64)
    bare = np.flatnonzero(codes < 0)
    if bare.size:
        pairs = np.stack([study.codes[bare], number.codes[bare]], axis=1)
        distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
        codes[bare] = len(texts) + inverse.ravel()
        # no UID begins with NUL, which is stripped from values
        texts += [f"\0{_text(study, a)}|{_text(number, b)}" for a, b in distinct.tolist()]
    used, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse.ravel()].astype(np.int64), [texts[i] for i in used[order]]


def _text(column: Column, code: int) -> str:
    return column.texts[code] if code >= 0 else ""


def entries_of(table: FrameTable, codes: IntArray | None = None) -> list[SeriesEntry]:
    """The series of a table, in the order of their codes.

    Parameters
    ----------
    table : FrameTable
        Any rows.
    codes : array of int, shape (rows,), optional
        Series of each row: 0, 1 … without gaps, −1 for rows that do not count; by default those of
        `series_keys`.
    """
    own, keys = series_keys(table)
    codes = own if codes is None else codes
    rows = np.flatnonzero(codes >= 0)
    codes = codes[rows]
    _, first = np.unique(codes, return_index=True)
    count = len(first)
    frames = np.bincount(codes[table.frame_number[rows] > 0], minlength=count)
    pairs = np.unique(np.stack([codes, table.file[rows]], axis=1), axis=0)
    instances = np.bincount(pairs[:, 0], minlength=count)
    columns = {k: table.column(k) for k in IDENTITY}
    values = {k: column.codes[rows] for k, column in columns.items()}
    same = {k: _constant(values[k], codes, first) for k in _PLANE}
    return [
        SeriesEntry(
            keys[own[rows[row]]],
            int(instances[i]),
            int(frames[i]),
            {
                k: _text(c, int(values[k][row])) if k not in same or same[k][i] else ""
                for k, c in columns.items()
            },
        )
        for i, row in enumerate(first.tolist())
    ]


def _constant(
    values: npt.NDArray[np.int32], codes: IntArray, first: IntArray
) -> npt.NDArray[np.bool_]:
    """Whether all rows of each series have one value."""
    differs = values != values[first][codes]
    same: npt.NDArray[np.bool_] = np.bincount(codes[differs], minlength=len(first)) == 0
    return same


def summaries_of(table: FrameTable) -> dict[str, Summary]:
    """The distinct texts of each attribute of each series, by the key of the series.

    Attributes that no row of a series has are left out; of those with too many texts none is
    listed.
    """
    codes, keys = series_keys(table)
    found: dict[str, Summary] = {key: {} for key in keys}
    for keyword, column in table.columns.items():
        width = len(column.texts) + 1
        pairs = np.unique(codes * width + column.codes + 1)
        series, texts = np.divmod(pairs, width)
        bounds = np.searchsorted(series, np.arange(len(keys) + 1)).tolist()
        listed = texts.tolist()
        for key, start, stop in zip(keys, bounds, bounds[1:], strict=False):
            own = listed[start:stop]
            if own != [0]:
                own = own if len(own) <= MOST_TEXTS else []
                found[key][keyword] = [column.texts[i - 1] if i else None for i in own]
    return found
