"""Attributes that frames must have become a selection: series, and which of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.datadict import keyword_dict

from xdicom.api.rows import Rows
from xdicom.headers.elements import WANTED, keyword_of, tag_of, vr_of
from xdicom.headers.entries import SeriesEntry, Summary
from xdicom.headers.match import matches
from xdicom.headers.private import parsed_name
from xdicom.headers.table import Column, FrameTable
from xdicom.opening.naming import Named, named
from xdicom.series.custom import attribute_of, is_attribute

Key = str | int | tuple[int, int]
Mask = npt.NDArray[np.bool_]

_FIRST_TAG: Final = 0x00020000
_READ: Final = frozenset(WANTED.values())
"""Attributes that every scan reads: one that a summary lacks has no value."""


def everything(rows: Rows) -> Selection:
    """All series of a scan."""
    return Selection(tuple(named(rows.entries())))


@dataclass(frozen=True)
class Selection:
    """What filters leave of a scan."""

    series: tuple[Named, ...]
    """The series, counted without the frames that were left out, under the names that they have
    among all."""
    filters: tuple[Mapping[Key, Any], ...] = ()
    """Attributes that frames must have."""
    partial: frozenset[str] = frozenset()
    """Keys of series of which some frames were left out."""
    keys: frozenset[str] | None = None
    """Keys of the series that were picked before they were filtered; None for all."""

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self.keys is None and not self.filters

    def only(self, one: Named) -> Selection:
        """The selection of one of its series."""
        return replace(self, series=(one,), keys=frozenset((one.entry.key,)))

    def mask(self, key: str, table: FrameTable) -> Mask:
        """Rows of a series that the filters leave."""
        return mask_of(table, self.filters if key in self.partial else ())

    def table(self, rows: Rows) -> tuple[FrameTable, Mask]:
        """One table of all series, and the rows of it that the filters leave."""
        table = rows.table(None if self.whole else [one.entry.key for one in self.series])
        return table, mask_of(table, self.filters if self.partial else ())

    def taken(self, rows: Rows) -> FrameTable:
        """One table of what the filters leave of all series."""
        table, mask = self.table(rows)
        return table if mask.all() else table.take(np.flatnonzero(mask))


def narrowed(rows: Rows, before: Selection, wanted: Mapping[Key, Any]) -> Selection:
    """What attributes that frames must have leave of a selection.

    Rows are loaded only of series whose summary does not tell.

    Raises
    ------
    KeyError
        For a name that is no DICOM keyword.
    ValueError
        For a value that an attribute cannot have.
    """
    wanted = {key: _kept(value) for key, value in wanted.items() if keyword(key)}
    filters = (*before.filters, wanted)
    series: list[Named] = []
    partial: set[str] = set()
    for one, summary in _summaries(rows, before):
        key = one.entry.key
        matching = None if key in before.partial else match_summary(summary, wanted)
        if matching is None:
            table = rows.table([key])
            mask = mask_of(table, filters)
            matching = bool(mask.any())
            if matching and not mask.all():
                partial.add(key)
                one = replace(one, entry=_counted(one.entry, table, mask))
        if matching:
            series.append(one)
    return Selection(tuple(series), filters, frozenset(partial), before.keys)


def _kept(value: Any) -> Any:
    """A wanted value that stays what it is: several values as a tuple, whatever holds them."""
    if hasattr(value, "__array__"):
        return np.array(value)[()]
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return tuple(value)
    return value


def selected_again(rows: Rows, before: Selection) -> Selection:
    """The same selection of other rows."""
    found = everything(rows)
    if before.keys is not None:
        series = tuple(one for one in found.series if one.entry.key in before.keys)
        found = replace(found, series=series, keys=before.keys)
    for wanted in before.filters:
        found = narrowed(rows, found, wanted)
    return found


def distinct_texts(rows: Rows, selection: Selection, key: Key) -> tuple[set[str], str]:
    """All texts of an attribute in a selection, and their VR."""
    found: set[str] = set()
    vr = vr_of(keyword(key))
    for one, summary in _summaries(rows, selection):
        known = None if one.entry.key in selection.partial else texts_of(summary, key)
        if known is None:
            table = rows.table([one.entry.key])
            column = attribute_of(table, key)
            vr = column.vr if column.texts else vr
            used = np.unique(column.codes[selection.mask(one.entry.key, table)])
            known = [column.texts[code] for code in used.tolist() if code >= 0]
        found.update(text for text in known if text is not None)
    return found, vr


def _summaries(rows: Rows, selection: Selection) -> Iterator[tuple[Named, Summary]]:
    found = rows.summaries([one.entry.key for one in selection.series])
    for one in selection.series:
        yield one, found[one.entry.key]


def keyword(key: Key) -> str:
    """Keyword of an attribute, or its path into sequences.

    Raises
    ------
    KeyError
        If it is no DICOM keyword, tag or path.
    """
    if isinstance(key, str) and ("." in key or is_attribute(key) or parsed_name(key)):
        return key
    if isinstance(key, int) and key < _FIRST_TAG:
        raise KeyError(f"{key} is no DICOM tag; iterate over a catalog for its series")
    tag = tag_of(key)
    if tag is None:
        near = get_close_matches(str(key).lower(), _lower_keywords(), 3, 0.7)
        hint = " or ".join(repr(_lower_keywords()[name]) for name in near)
        raise KeyError(f"{key!r} is no DICOM keyword" + (f"; did you mean {hint}?" if hint else ""))
    return keyword_of(tag)


@cache
def _lower_keywords() -> dict[str, str]:
    return {name.lower(): name for name in keyword_dict}


def texts_of(summary: Summary, key: Key) -> list[str | None] | None:
    """Distinct texts of an attribute in a series; None where the summary does not tell."""
    name = keyword(key)
    if name in summary:
        return summary[name] or None
    return [None] if name in _READ else None


def match_summary(summary: Summary, wanted: Mapping[Key, Any]) -> bool | None:
    """Whether all rows of a series match (True), none (False), or perhaps some (None)."""
    certain = True
    for key, value in wanted.items():
        texts = texts_of(summary, key)
        if texts is None:
            certain = False
            continue
        known = tuple(text for text in texts if text is not None)
        codes = [*range(len(known)), *([-1] if None in texts else [])]
        hits = matches(Column(np.array(codes, np.int32), known, vr_of(keyword(key))), value)
        if not hits.any():
            return False
        certain &= bool(hits.all())
    return True if certain else None


def mask_of(table: FrameTable, filters: Iterable[Mapping[Key, Any]]) -> npt.NDArray[np.bool_]:
    """Rows of a table that have all attributes wanted."""
    mask = np.ones(len(table), bool)
    for wanted in filters:
        for key, value in wanted.items():
            mask &= matches(attribute_of(table, key), value)
    return mask


def _counted(entry: SeriesEntry, table: FrameTable, mask: npt.NDArray[np.bool_]) -> SeriesEntry:
    """The entry of a series with some of its rows."""
    return replace(
        entry,
        instances=len(np.unique(table.file[mask])),
        frames=int((table.frame_number[mask] > 0).sum()),
    )
