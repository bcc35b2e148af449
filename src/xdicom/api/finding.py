"""A selection of a catalog and options become series with their arrays, each loaded in its turn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from tqdm.auto import tqdm

from xdicom.api.rows import Rows
from xdicom.api.selection import Selection, narrowed
from xdicom.errors import AmbiguousSeriesError
from xdicom.opening.naming import Named, how_to_pick, is_wanted
from xdicom.opening.options import OpenOptions, options_from
from xdicom.opening.trees import (
    Series,
    ambiguous,
    grid_options_of,
    is_under,
    no_match,
    series_of,
)
from xdicom.series.stacks import GridOptions, split_series

_OF_FILES: Final = ("allow_truncated", "trust")
"""Options that say how files are read, which a scan has done already."""
_ARRAY: Final = re.compile("a[0-9]+")
"""Names of the arrays of a series that is several."""


def read_options(given: Mapping[str, Any]) -> OpenOptions:
    """Check options for what was scanned already.

    Raises
    ------
    TypeError, ValueError, UnsupportedOptionError
        As `options_from`; a ValueError too for options that say how files are read.
    """
    options = options_from(given)
    check_options(options)
    return options


def check_options(options: OpenOptions) -> None:
    """Refuse options that say how files are read."""
    for name in _OF_FILES:
        if getattr(options, name):
            raise ValueError(
                f"{name}= says how files are read, which a catalog has done: "
                "pass it to xdicom.open_series or xarray.open_dataset with the files' path"
            )


def find(
    rows: Rows, selection: Selection, options: OpenOptions, *, single: bool
) -> Iterable[Series]:
    """The series of a selection that the options name, each loaded when its turn comes.

    Parameters
    ----------
    rows : Rows
        What was scanned.
    selection : Selection
        What filters leave of it.
    options : OpenOptions
        Which series, and how their dims are found.
    single : bool
        Whether one array is asked for.

    Raises
    ------
    AmbiguousSeriesError
        If none matches, or several where one array is asked for.
    """
    check_options(options)
    if not selection.series:
        raise AmbiguousSeriesError(
            "there is nothing to open: the catalog is empty",
            file=rows.root,
            remedy="No series has the attributes it was filtered by" if selection.filters else None,
        )
    chosen = narrowed(rows, selection, options.select) if options.select else selection
    if options.group_by is not None:
        table, mask = chosen.table(rows)
        return series_of(table, replace(options, select=None), mask)
    matching = [one for one in chosen.series if is_wanted(one, options.series)]
    if options.group is not None:
        matching = [one for one in matching if _may_hold(one.path, options.group)]
    if not matching:
        raise no_match([one.entry for one in selection.series], options, rows.root)
    if single and options.array is None and options.group is None:
        images = [one for one in matching if one.entry.frames]
        if len(images) > 1:  # without loading any of them
            numbers = Counter(how_to_pick(one.entry) for one in images)
            lines = [_line(one, numbers[how_to_pick(one.entry)] == 1) for one in images]
            raise ambiguous(len(images), lines, rows.root)
        matching = images or matching
    return _loaded(rows, chosen, matching, options)


def _loaded(
    rows: Rows, selection: Selection, matching: Sequence[Named], options: OpenOptions
) -> Iterator[Series]:
    bar = tqdm(
        matching,
        desc="opening series",
        unit="series",
        delay=1,
        leave=False,
        disable=options.progress is False or len(matching) == 1,
    )
    for one in bar:
        key = one.entry.key
        table = rows.table([key])
        grid_options = grid_options_of(table, options)
        if key in selection.partial or grid_options != GridOptions():
            chosen = np.flatnonzero(selection.mask(key, table))
            stacks = split_series(table, chosen, grid_options)
        else:
            stacks = rows.stacks(key, table)
        yield Series(one, table, tuple(stacks))


def _may_hold(path: str, group: str) -> bool:
    """Whether a series' node may be what ``group=`` names, stand below it, or hold it."""
    stem = "/" + group.strip("/")
    above, _, array = stem.rpartition("/")
    return (
        path.startswith(stem)
        or is_under(path, group)
        or (_ARRAY.fullmatch(array) is not None and (not above or is_under(path, above)))
    )


def _line(one: Named, by_number: bool) -> str:
    """A series in the list of an error, and how it is picked: its number may not be its own."""
    modality, frames = one.entry.identity["Modality"], one.entry.frames
    how = how_to_pick(one.entry) if by_number else f'series="{one.uid}"'
    return f"  {one.path}  {modality} ({frames} frames)  {how}  UID {one.uid}"
