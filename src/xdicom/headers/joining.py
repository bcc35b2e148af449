"""Tables of one root become one table, as one scan of all their files gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import MISSING, Column, Files, FrameTable, IntArray

_OF_ROWS: Final = ("frame_number", "frame_id", "pixel_offset", "pixel_length")
"""Arrays of `FrameTable`, but for the files of its rows."""


def join(tables: Sequence[FrameTable]) -> FrameTable:
    """One table of the rows of all, files in the order of their paths.

    Parameters
    ----------
    tables : sequence of FrameTable
        At least one; of one root, and no file in two of them.

    Returns
    -------
    FrameTable
        Root and kind are those of the first. A single table whose files and frames are in order
        is given back itself.

    Raises
    ------
    ValueError
        If there is no table, or they have several roots.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from xdicom.headers.scan import scan_table
    >>> paths = [get_testdata_file(name) for name in ("CT_small.dcm", "MR_small.dcm")]
    >>> whole = scan_table(paths)
    >>> joined = join([whole.take(np.array([1])), whole.take(np.array([0]))])
    >>> joined.files.paths, joined.strings("Modality").tolist(), joined.digest == whole.digest
    (('CT_small.dcm', 'MR_small.dcm'), ['CT', 'MR'], True)
    """
    if len({table.root for table in tables}) != 1:
        raise ValueError("tables of one root are joined, and at least one")
    return _in_order(_concatenated(tables) if len(tables) > 1 else tables[0])


def _concatenated(tables: Sequence[FrameTable]) -> FrameTable:
    """The tables one after the other."""
    starts = np.cumsum([0, *(len(table.files.paths) for table in tables)]).tolist()
    keywords = dict.fromkeys(chain.from_iterable(table.columns for table in tables))
    of_rows: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables]) for name in _OF_ROWS
    }
    return replace(
        tables[0],
        files=Files(
            tuple(chain.from_iterable(table.files.paths for table in tables)),
            np.concatenate([table.files.sizes for table in tables]),
            np.concatenate([table.files.mtimes for table in tables]),
        ),
        file=np.concatenate(
            [table.file + start for table, start in zip(tables, starts, strict=False)]
        ),
        columns={keyword: _merged(tables, keyword) for keyword in keywords},
        dimensions={
            start + file: each
            for table, start in zip(tables, starts, strict=False)
            for file, each in table.dimensions.items()
        },
        problems=tuple(chain.from_iterable(table.problems for table in tables)),
        **of_rows,
    )


def _merged(tables: Sequence[FrameTable], keyword: str) -> Column:
    """One column over the distinct texts of all."""
    found = [table.columns.get(keyword) for table in tables]
    columns = [column for column in found if column is not None]
    texts = columns[0].texts
    if any(column.texts != texts for column in columns):
        texts = tuple(dict.fromkeys(chain.from_iterable(column.texts for column in columns)))
    number: dict[str, int] = {}
    start = 0
    codes: list[npt.NDArray[np.int32]] = []
    disjoint = len(texts) == sum(len(column.texts) for column in columns)
    for table, column in zip(tables, found, strict=True):
        if column is None:
            codes.append(np.full(len(table), MISSING, np.int32))
        elif column.texts == texts[: len(column.texts)]:
            codes.append(column.codes)
        elif disjoint:
            codes.append(np.where(column.codes < 0, MISSING, column.codes + np.int32(start)))
        else:
            number = number or dict(zip(texts, count()))
            places = [*map(number.__getitem__, column.texts), MISSING]
            codes.append(np.array(places, np.int32)[column.codes])
        start += 0 if column is None else len(column.texts)
    return Column(np.concatenate(codes), texts, columns[0].vr)


def _in_order(table: FrameTable) -> FrameTable:
    """The same table, files sorted by path and rows by file and frame."""
    paths = table.files.paths
    order = sorted(range(len(paths)), key=paths.__getitem__)
    files: IntArray = np.array(order, np.int64)
    place = np.empty_like(files)
    place[files] = np.arange(len(files))
    file = place[table.file]
    rows = np.lexsort((table.frame_number, file))
    moved = not _is_sorted(order)
    if moved:
        table = replace(
            table,
            files=table.files.take(files),
            file=file,
            dimensions={int(place[i]): each for i, each in table.dimensions.items()},
        )
    if not _is_sorted(rows):
        table = replace(
            table,
            columns={
                keyword: Column(column.codes[rows], column.texts, column.vr)
                for keyword, column in table.columns.items()
            },
            **{name: getattr(table, name)[rows] for name in ("file", *_OF_ROWS)},
        )
    return table


def _is_sorted(order: npt.NDArray[np.integer[Any]] | Sequence[int]) -> bool:
    return bool(np.array_equal(order, np.arange(len(order))))
