"""Rows that were scanned, in memory or in an index: what a catalog asks of either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from xdicom.errors import CorruptFileError, IndexFileError, Problem
from xdicom.headers.entries import SeriesEntry, Summary, entries_of, series_keys, summaries_of
from xdicom.headers.index import Index
from xdicom.headers.table import FrameTable, IntArray
from xdicom.series.packing import pack_stacks, unpack_stacks
from xdicom.series.stacks import GridOptions, Stack, split_series

Shape = list[dict[str, Any]]
"""Of each array of a series: ``dims`` and ``shape``, or neither where it is none."""


class Rows(Protocol):
    """The rows of a scan."""

    root: str
    """Folder that was scanned."""

    def entries(self) -> list[SeriesEntry]:
        """Its series."""

    def summaries(self, keys: Iterable[str]) -> dict[str, Summary]:
        """The distinct texts of each attribute, by the key of the series."""

    def table(self, keys: Sequence[str] | None = None) -> FrameTable:
        """The rows of some series; of all by default."""

    def problems(self) -> Sequence[Problem]:
        """What was wrong with the files."""

    def problem_counts(self) -> dict[str, int]:
        """How many problems there are with the files of a series, by its key."""

    def stacks(self, key: str, table: FrameTable) -> list[Stack]:
        """The arrays of a series, whose rows are those of a table; found once."""

    def shapes(self) -> dict[str, Shape]:
        """The arrays of the series that were found, by key."""

    def token(self) -> tuple[Any, ...]:
        """What changes when a file does."""


def shape_of(stacks: Sequence[Stack]) -> Shape:
    """Dims and lengths of the arrays that have pixels."""
    found: Shape = []
    for stack in stacks:
        if not stack.has_pixels:
            continue
        if stack.grid is None:
            found.append({})
            continue
        plane = [int(n) for n in stack.table.numbers("Rows")[:1]]
        plane += [int(n) for n in stack.table.numbers("Columns")[:1]]
        dims = [*stack.grid.dims, "y", "x"]
        if (samples := stack.table.strings("SamplesPerPixel")[0]) not in ("", "1"):
            dims, plane = [*dims, "sample"], [*plane, int(samples)]
        found.append({"dims": dims, "shape": [*stack.grid.shape, *plane]})
    return found


class MemoryRows:
    """Rows of a scan without an index.

    Parameters
    ----------
    table : FrameTable
        All rows.
    """

    def __init__(self, table: FrameTable) -> None:
        self.root = table.root
        self._table = table
        codes, keys = series_keys(table)
        order = np.argsort(codes, kind="stable")
        bounds = np.flatnonzero(np.diff(codes[order])) + 1
        self._rows: dict[str, IntArray] = {}
        if keys:
            self._rows = dict(zip(keys, np.split(order, bounds), strict=True))
        self._stacks: dict[str, list[Stack]] = {}
        self._summaries: dict[str, Summary] | None = None

    def entries(self) -> list[SeriesEntry]:
        """Its series."""
        return entries_of(self._table)

    def summaries(self, keys: Iterable[str]) -> dict[str, Summary]:
        """The distinct texts of each attribute."""
        if self._summaries is None:
            self._summaries = summaries_of(self._table)
        return {key: self._summaries[key] for key in keys}

    def table(self, keys: Sequence[str] | None = None) -> FrameTable:
        """The rows of some series."""
        if keys is None or len(keys) == len(self._rows):
            return self._table
        rows = np.concatenate([self._rows[key] for key in keys] or [np.empty(0, np.int64)])
        return self._table.take(np.sort(rows))

    def problems(self) -> Sequence[Problem]:
        """What was wrong with the files."""
        return self._table.problems

    def problem_counts(self) -> dict[str, int]:
        """How many problems there are with the files of a series."""
        if not self._table.problems:
            return {}
        paths, file = self._table.files.paths, self._table.file
        key_of = {paths[file[row]]: key for key, rows in self._rows.items() for row in rows}
        return dict(Counter(key_of[p.file] for p in self.problems() if p.file in key_of))

    def stacks(self, key: str, table: FrameTable) -> list[Stack]:
        """The arrays of a series."""
        found = self._stacks.get(key)
        if found is None:
            found = split_series(table, np.arange(len(table)), GridOptions())
            self._stacks[key] = found
        return found

    def shapes(self) -> dict[str, Shape]:
        """The arrays that were found."""
        return {key: shape_of(stacks) for key, stacks in self._stacks.items()}

    def token(self) -> tuple[Any, ...]:
        """The folder and the digest of all its files."""
        return self.root, self._table.digest


class IndexRows:
    """Rows that an index file holds, each series loaded when it is asked for.

    Parameters
    ----------
    index : Index
        The file.
    """

    def __init__(self, index: Index) -> None:
        self.root = index.root
        self._index = index
        self._entries = index.entries()

    def entries(self) -> list[SeriesEntry]:
        """Its series, as they were when the catalog was made."""
        return self._entries

    def summaries(self, keys: Iterable[str]) -> dict[str, Summary]:
        """The distinct texts of each attribute."""
        keys = list(keys)
        found = self._index.summaries(keys)
        if len(found) < len(set(keys)):
            raise self._changed()
        return found

    def _changed(self) -> IndexFileError:
        return IndexFileError(
            "another scan has changed the index: series of this catalog are gone",
            file=self._index.path,
            remedy="Refresh the catalog",
        )

    def table(self, keys: Sequence[str] | None = None) -> FrameTable:
        """The rows of some series."""
        if keys is None:
            keys = [entry.key for entry in self._entries]
        try:
            table = self._index.table(keys)
        except KeyError as error:
            raise self._changed() from error
        return replace(table, index=self._index.path)

    def problems(self) -> Sequence[Problem]:
        """What was wrong with the files."""
        return self._index.problems()

    def problem_counts(self) -> dict[str, int]:
        """How many problems there are with the files of a series."""
        return self._index.problem_counts()

    def stacks(self, key: str, table: FrameTable) -> list[Stack]:
        """The arrays of a series, kept in the index once they are found."""
        data = self._index.grid(key, table.digest)
        if data is not None:
            # a duplicate elsewhere gives frames other ids, though the files are the same
            with suppress(CorruptFileError):
                return unpack_stacks(data, table)
        found = split_series(table, np.arange(len(table)), GridOptions())
        self._index.keep_grid(key, table.digest, pack_stacks(found), shape_of(found))
        return found

    def shapes(self) -> dict[str, Shape]:
        """The arrays that were found."""
        return self._index.shapes()

    def token(self) -> tuple[Any, ...]:
        """The index and how often it changed."""
        return self._index.token()
