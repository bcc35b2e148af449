"""Rows of a table are split into the arrays that they are, each with its grid or its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from xdicom.errors import DuplicateInstanceError, NotHypercubeError, Problem, XDicomError
from xdicom.headers.duplicates import CONFLICT
from xdicom.headers.table import Column, FrameTable
from xdicom.series.axes import Inference, Split
from xdicom.series.candidates import Candidates
from xdicom.series.codes import Codes, combine
from xdicom.series.geometry import (
    Geometry,
    check_texts,
    contradictions,
    geometry_of,
    in_plane_spacing,
    missing_slices,
    orientations,
    weak_positions,
    with_missing,
)
from xdicom.series.grid import Axis, Grid
from xdicom.series.keys import check_concatenations, hard_keys
from xdicom.series.levels import parts_of
from xdicom.series.mosaics import mosaic_notes, mosaic_problems
from xdicom.series.placing import by_detector, in_plane_origins, slice_axis
from xdicom.series.ragged import flat_grid, forced_grid, grid_of, with_missing_slices
from xdicom.series.reports import MOST_LISTED
from xdicom.series.segments import is_segmentation, segment_grid
from xdicom.series.slides import slide_geometry
from xdicom.series.tiles import LooseTilesError, Tiling, is_tiled, tiled_grid
from xdicom.series.times import acquisition_seconds, midnight_problems

MOST_SPLITS: Final = 3
"""How often the frames of one orientation are split by attributes, one after the other."""
LOOSE_TILES: Final = "LooseTiles"
"""Kind of the problem that tiles make up no matrix."""
MOST_ORIENTATIONS: Final = 3
"""Single frames of more orientations than these are a list (SPEC §1.3)."""


@dataclass(frozen=True)
class GridOptions:
    """What the caller says of the dims."""

    dims: tuple[str, ...] | None = None
    """Names of the frame dims; ``("flat",)`` for a list of frames; None: found."""
    columns: Mapping[str, Column] = field(default_factory=dict)
    """By name: columns of the attributes that are dims, of the whole table."""
    ragged: str = "raise"
    """Remedy for frames that are no hypercube."""

    def taken(self, rows: Codes) -> GridOptions:
        """The same for a table of only these rows."""
        return replace(self, columns={k: c.take(rows) for k, c in self.columns.items()})


@dataclass(frozen=True, eq=False)
class Stack:
    """One array to be: its frames, its grid and geometry, or the error that there is instead."""

    rows: Codes
    """Rows of the table that it was split from, shape (frames,)."""
    table: FrameTable
    """Those rows; the grid counts in them."""
    grid: Grid | None
    """The grid; None where there is an error or there are no pixels."""
    geometry: Geometry
    """Where the voxels lie."""
    reasons: tuple[str, ...] = ()
    """What sets it apart from the other arrays of its series."""
    error: XDicomError | None = None
    """Why it is no array."""
    problems: tuple[Problem, ...] = ()
    """What its attributes contradict each other in."""
    tiling: Tiling | None = None
    """Where its frames lie, if they are tiles of larger planes."""
    name: str = ""
    """What it is among the arrays of its series; ``""`` for those that are only counted."""

    @property
    def has_pixels(self) -> bool:
        """Whether its frames have pixels."""
        return bool((self.table.frame_number > 0).all())


def split_series(table: FrameTable, rows: Codes, options: GridOptions) -> list[Stack]:
    """Split the rows of one series into stacks and find the grid of each (SPEC §1.1).

    Parameters
    ----------
    table : FrameTable
        All that was scanned.
    rows : array of int, shape (frames,)
        The rows of one series.
    options : GridOptions
        What the caller says of the dims.

    Returns
    -------
    list of Stack
        In the order of first acquisition, InstanceNumber and key; header values only, never file
        names. Those without pixels come last.
    """
    stacks: list[Stack] = []
    conflicts = table.column(CONFLICT).codes[rows] >= 0
    if conflicts.any():
        stacks.append(_conflict(table, rows[conflicts]))
        rows = rows[~conflicts]
    whole = taken(table, rows)
    keys = hard_keys(whole)
    joined = combine([key.codes for key in keys], len(whole))
    splitter = _Splitter(whole, options if whole is table else options.taken(rows))
    for group in range(int(joined.max(initial=-1)) + 1):
        chosen = np.flatnonzero(joined == group)
        reasons = tuple(
            f"{key.name}={label}"
            for key in keys
            if (key.codes != key.codes[0]).any() and (label := key.label(int(chosen[0])))
        )
        parts = splitter.geometric(chosen, reasons)
        stacks.extend(replace(part, rows=rows[part.rows]) for part in parts)
    return _named(sorted(stacks, key=_order)) if len(stacks) > 1 else stacks


def _named(stacks: list[Stack]) -> list[Stack]:
    """The arrays of a slide with their names, and in the order of these; others as they are."""
    parts = parts_of([stack.table for stack in stacks])
    if not any(part.name for part in parts):
        return stacks
    order = sorted(range(len(parts)), key=lambda i: parts[i].rank)
    reasons = [tuple(filter(None, (p.reason,))) for p in parts]
    return [
        replace(stacks[i], name=parts[i].name, reasons=(*reasons[i], *stacks[i].reasons))
        for i in order
    ]


def _conflict(table: FrameTable, rows: Codes) -> Stack:
    """The instances of a series whose SOPInstanceUID stands on different contents."""
    part = table.take(rows)
    paths = part.files.paths
    uids = sorted(part.column("SOPInstanceUID").texts)
    error = DuplicateInstanceError(
        "one SOPInstanceUID stands on different contents",
        file=", ".join(paths[:MOST_LISTED]) + (" …" if len(paths) > MOST_LISTED else ""),
        found=uids[0] + (f" and {len(uids) - 1} more" if len(uids) > 1 else ""),
        remedy="Open one of the files by its path, or give them different UIDs",
    )
    reasons = ("SOPInstanceUID is not unique",)
    return Stack(rows, part, None, Geometry("none"), reasons, error)


def taken(table: FrameTable, rows: Codes) -> FrameTable:
    """Some rows of a table; the table itself, with all that it has converted, for all of them."""
    if len(rows) == len(table) and (rows == np.arange(len(table))).all():
        return table
    return table.take(rows)


class _Splitter:
    """Splits rows of one series, which are those of its table."""

    def __init__(self, table: FrameTable, options: GridOptions) -> None:
        self.table = table
        self.options = options

    def geometric(self, rows: Codes, reasons: tuple[str, ...]) -> list[Stack]:
        """Split rows of one hard key by orientation and in-plane origin, and infer each."""
        part = taken(self.table, rows)
        if not (part.frame_number > 0).all():
            return [Stack(rows, part, None, Geometry("none"), reasons)]
        try:
            check_texts(part)
            if self.options.ragged != "fill":
                check_concatenations(part)
            if self.options.dims != ("flat",) and is_tiled(part):
                return [self._tiled(rows, part, reasons)]
            if by_detector(part):
                return self._infer(rows, reasons, 0, self.options.ragged, turned=True)
            groups = orientations(part)
            count = int(groups.max()) + 1
            if count > MOST_ORIENTATIONS and np.bincount(groups).max() == 1:
                return [self._list(rows, part, reasons)]
        except XDicomError as error:
            return [Stack(rows, part, None, Geometry("none"), reasons, error)]
        stacks: list[Stack] = []
        for group in range(count):
            chosen = np.flatnonzero(groups == group)
            why = reasons
            if count > 1:
                cosines = part.strings("ImageOrientationPatient")[chosen[0]]
                why = (*reasons, f"orientation={cosines or 'unknown'}")
            stacks.extend(self._oriented(rows[chosen], why))
        return stacks

    def _tiled(self, rows: Codes, part: FrameTable, reasons: tuple[str, ...]) -> Stack:
        """Tiles of one total pixel matrix; a list of them where it cannot be put together."""
        try:
            grid, tiling = tiled_grid(part, self.options.dims)
        except LooseTilesError as error:
            what = f"{error}: the tiles are kept as a list"
            grid = flat_grid(Candidates(part), f"a list of tiles: {error}")
            problems = (Problem(LOOSE_TILES, what, part.files.paths[part.file[0]]),)
            spacing, kind = in_plane_spacing(part)
            geometry = Geometry("none", spacing=spacing, spacing_kind=kind)
            return Stack(rows, part, grid, geometry, reasons, problems=problems)
        return Stack(rows, part, grid, slide_geometry(part, grid), reasons, tiling=tiling)

    def _oriented(self, rows: Codes, reasons: tuple[str, ...]) -> list[Stack]:
        """Split rows of one orientation by in-plane origin, and infer each."""
        part = taken(self.table, rows)
        try:
            origins = in_plane_origins(part)
        except XDicomError as error:
            if self.options.dims != ("flat",):
                return [Stack(rows, part, None, Geometry("none"), reasons, error)]
            grid = flat_grid(Candidates(part), f"a list of frames: {error.what}")
            return [Stack(rows, part, grid, Geometry("none"), reasons)]
        stacks: list[Stack] = []
        for members, origin in origins:
            why = reasons if origin is None else (*reasons, f"in-plane origin={origin}")
            stacks.extend(self._infer(rows[members], why, 0, self.options.ragged))
        return stacks

    def _list(self, rows: Codes, part: FrameTable, reasons: tuple[str, ...]) -> Stack:
        """Single frames of many orientations, each in its own place."""
        candidates = Candidates(part)
        spacing, keyword = in_plane_spacing(part)
        kind = "per_frame" if part.column("ImagePositionPatient").complete else "none"
        geometry = Geometry(kind, spacing=spacing, spacing_kind=keyword)
        if self.options.dims in (None, ("flat",)):
            grid = flat_grid(candidates, "a list of frames: each has an orientation of its own")
        else:
            grid = self._forced(rows, candidates, None)
        return Stack(rows, part, grid, geometry, reasons)

    def _forced(self, rows: Codes, candidates: Candidates, z: Axis | None) -> Grid:
        dims = self.options.dims or ()
        columns = self.options.columns
        named = [(d, columns[d].take(rows) if d in columns else None) for d in dims]
        ragged = self.options.ragged
        if ragged == "raise" and is_segmentation(candidates.table):
            ragged = "fill"
        return forced_grid(candidates.table, candidates, z, named, ragged)

    def _infer(
        self,
        rows: Codes,
        reasons: tuple[str, ...],
        depth: int,
        ragged: str,
        turned: bool = False,
    ) -> list[Stack]:
        """The array of rows of one origin, or the arrays that they split into.

        Frames that are turned against each other have no common slice direction.
        """
        part = taken(self.table, rows)
        candidates = Candidates(part)
        try:
            z = None if turned else slice_axis(part)
            if self.options.dims == ("flat",):
                grid = flat_grid(candidates)
            elif self.options.dims is not None:
                grid = self._forced(rows, candidates, z)
            elif is_segmentation(part):
                grid = segment_grid(candidates, z, ragged, self.table)
            else:
                try:
                    grid = _inferred(candidates, z, ragged)
                except Split as split:
                    stacks = self._split(rows, reasons, split, depth)
                    if stacks:
                        return stacks
                    grid = grid_of(split.found, candidates, z, ragged)
            problems = midnight_problems(part)
            stack = Stack(rows, part, grid, Geometry("none"), reasons, problems=problems)
            if turned:
                spacing, keyword = in_plane_spacing(part)
                geometry = Geometry("per_frame", spacing=spacing, spacing_kind=keyword)
                return [replace(stack, geometry=geometry)]
            return [_placed(stack, z, ragged)]
        except XDicomError as error:
            return [Stack(rows, part, None, Geometry("none"), reasons, error)]

    def _split(
        self, rows: Codes, reasons: tuple[str, ...], split: Split, depth: int
    ) -> list[Stack]:
        """The arrays that frames split into, one for each value; none if one is no array."""
        stacks: list[Stack] = []
        for code in range(int(split.codes.max()) + 1 if depth < MOST_SPLITS else 0):
            members = np.flatnonzero(split.codes == code)
            why = (*reasons, f"{split.attribute}={split.labels[code]}")
            stacks.extend(self._infer(rows[members], why, depth + 1, "raise"))
            if any(stack.error for stack in stacks):
                return []
        return stacks


def _inferred(candidates: Candidates, z: Axis | None, ragged: str) -> Grid:
    """The grid that the attributes make; frames without position that make none are a list.

    Raises
    ------
    Split
        If the frames are several arrays.
    NotHypercubeError
        If they are no grid.
    """
    if z is not None:
        return grid_of(Inference(candidates, [z]).run(), candidates, z, ragged)
    try:
        return grid_of(Inference(candidates).run(), candidates, None, "raise")
    except (Split, NotHypercubeError):
        return flat_grid(candidates, "a list of frames: their positions are unknown")


def _placed(stack: Stack, z: Axis | None, ragged: str) -> Stack:
    """The stack with its geometry, without the frames that its grid left out."""
    rows, part, grid = stack.rows, stack.table, stack.grid
    assert grid is not None
    kept = np.unique(grid.rows[grid.present])
    if len(kept) < len(part):
        rows, part, grid = rows[kept], part.take(kept), grid.of_rows(kept)
        z = slice_axis(part)
    grid = replace(grid, notes=(*grid.notes, *mosaic_notes(part)))
    whole = mosaic_problems(part, z is not None)
    if z is None:
        geometry = geometry_of(part)
        return replace(
            stack,
            rows=rows,
            table=part,
            grid=grid,
            geometry=geometry,
            problems=(*stack.problems, *whole),
        )
    weak = "" if z.attributes == ("ImagePositionPatient",) else z.attributes[0]
    geometry = geometry_of(part, z.codes, z.labels)
    if weak:
        found = weak_positions(part)
        geometry = replace(geometry, z=z.labels, z_units=found[2] if found else "")
    problems = (*stack.problems, *contradictions(part, geometry.z, weak), *whole)
    grid = replace(grid, slices=z.codes)
    if ragged == "fill" and geometry.z is not None and grid.axis("z") is not None:
        missing = missing_slices(geometry.z)
        if missing is not None and missing.any():
            grid, geometry = with_missing_slices(grid, missing), with_missing(geometry, missing)
    return replace(stack, rows=rows, table=part, grid=grid, geometry=geometry, problems=problems)


def _order(stack: Stack) -> tuple[Any, ...]:
    """By first acquisition, InstanceNumber, key and UID; those without pixels last."""
    first = np.append(acquisition_seconds(stack.table), np.inf)
    number = np.append(stack.table.numbers("InstanceNumber"), np.inf)
    uids = min(stack.table.column("SOPInstanceUID").texts, default="")
    return (
        not stack.has_pixels,
        float(np.nanmin(first)),
        float(np.nanmin(number)),
        stack.reasons,
        uids,
    )
