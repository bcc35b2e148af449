"""Tables of one root become one table, as one scan of all their files gives it, and one several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.head import DimensionIndex
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
    columns = [table.columns.get(keyword) for table in tables]
    found = [column for column in columns if column is not None]
    codes = np.concatenate(
        [
            np.full(len(table), MISSING, np.int32) if column is None else column.codes
            for table, column in zip(tables, columns, strict=True)
        ]
    )
    texts, vr = found[0].texts, found[0].vr
    if all(column.texts == texts for column in found):
        return Column(codes, texts, vr)
    lengths = [0 if column is None else len(column.texts) for column in columns]
    starts = np.cumsum([0, *lengths[:-1]], dtype=np.int32)
    each = list(chain.from_iterable(column.texts for column in found))
    texts = tuple(dict.fromkeys(each))
    places = codes + np.repeat(starts, [len(table) for table in tables])
    if len(texts) < len(each):
        number = dict(zip(texts, count()))
        places = np.array([number[text] for text in each], np.int32)[places]
    return Column(np.where(codes < 0, np.int32(MISSING), places), texts, vr)


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


def split(table: FrameTable, codes: IntArray) -> list[FrameTable]:
    """The table of the rows of each code, without problems.

    Parameters
    ----------
    table : FrameTable
        Any.
    codes : array of int, shape (rows,)
        0, 1 … without gaps.

    Returns
    -------
    list of FrameTable
        As `FrameTable.take` gives each; faster where there are many.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from xdicom.headers.scan import scan_table
    >>> paths = [get_testdata_file(name) for name in ("CT_small.dcm", "MR_small.dcm")]
    >>> [part.files.paths for part in split(scan_table(paths), np.array([1, 0]))]
    [('MR_small.dcm',), ('CT_small.dcm',)]
    """
    order = np.argsort(codes, kind="stable")
    of_row = codes[order]
    number = int(of_row[-1]) + 1 if len(of_row) else 0
    bounds = np.searchsorted(of_row, np.arange(number + 1)).tolist()
    columns: list[dict[str, Column]] = [{} for _ in range(number)]
    for keyword, column in table.columns.items():
        for found, part in zip(columns, _parted(column, order, of_row, bounds), strict=True):
            if part.texts:
                found[keyword] = part
    parts = []
    for own, (start, stop) in zip(columns, pairwise(bounds), strict=True):
        rows = order[start:stop]
        used, file = np.unique(table.file[rows], return_inverse=True)
        of_rows: dict[str, Any] = {name: getattr(table, name)[rows] for name in _OF_ROWS}
        parts.append(
            replace(
                table,
                files=table.files.take(used),
                file=file.astype(np.int64),
                columns=own,
                dimensions=_taken(table, used.tolist()),
                problems=(),
                **of_rows,
            )
        )
    return parts


def _taken(table: FrameTable, files: Sequence[int]) -> dict[int, tuple[DimensionIndex, ...]]:
    """The dimension indices of some files."""
    if not table.dimensions:
        return {}
    return {i: found for i, j in enumerate(files) if (found := table.dimensions.get(j))}


def _parted(
    column: Column, order: IntArray, of_row: IntArray, bounds: Sequence[int]
) -> Iterator[Column]:
    """A column for the rows of each code, with only the texts that they use."""
    pieces = list(pairwise(bounds))
    codes = column.codes[order]
    if len(column.texts) == 1 and (codes == 0).all():
        yield from (Column(codes[a:b], column.texts, column.vr) for a, b in pieces)
        return
    width = len(column.texts) + 1
    pairs = of_row * width + codes + 1
    places = np.arange(len(pairs), dtype=np.int32)
    if not (pairs[1:] > pairs[:-1]).all():
        pairs, inverse = np.unique(pairs, return_inverse=True)
        places = inverse.ravel().astype(np.int32)
    which = (pairs % width).tolist()
    starts = np.searchsorted(pairs // width, np.arange(len(pieces) + 1)).tolist()
    for (a, b), (first, last) in zip(pieces, pairwise(starts), strict=True):
        first += not which[first]  # the rows without a text
        texts = tuple([column.texts[i - 1] for i in which[first:last]])
        yield Column(np.maximum(places[a:b] - first, MISSING), texts, column.vr)
