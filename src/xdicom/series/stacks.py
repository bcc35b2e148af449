"""Rows of a table are split into the arrays that they are, each with its grid or its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import (
    DuplicateInstanceError,
    IncompleteConcatenationError,
    NotHypercubeError,
    Problem,
    XDicomError,
)
from xdicom.headers.scan import CONFLICT
from xdicom.headers.table import Column, FrameTable
from xdicom.series.axes import Inference, Split, varying_attributes
from xdicom.series.candidates import Candidates, acquisition_seconds, cluster, combine
from xdicom.series.geometry import (
    POSITION_TOLERANCE,
    Geometry,
    check_texts,
    contradictions,
    geometry_of,
    orientations,
    planes_of,
    slice_codes,
    weak_positions,
)
from xdicom.series.grid import Axis, Grid
from xdicom.series.keys import hard_keys
from xdicom.series.ragged import flat_grid, forced_grid, resolve

Codes = npt.NDArray[np.int64]

MOST_SPLITS: Final = 3


@dataclass(frozen=True)
class GridOptions:
    """What the caller says of the dims."""

    dims: tuple[str, ...] | None = None
    """Names of the frame dims; ``("flat",)`` for a list of frames; None: found."""
    columns: Mapping[str, Column] = field(default_factory=dict)
    """By name: columns of the attributes that are dims, of the whole table."""
    ragged: str = "raise"
    """Remedy for frames that are no hypercube."""


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
        In the order of first acquisition, UID and key; header values only, never file names.
    """
    stacks: list[Stack] = []
    conflicts = table.column(CONFLICT).codes[rows] >= 0
    if conflicts.any():
        stacks.append(_conflict(table, rows[conflicts]))
        rows = rows[~conflicts]
    whole = table.take(rows)
    keys = hard_keys(whole)
    joined = combine([codes for _, codes, _ in keys], len(whole))
    for group in range(int(joined.max(initial=-1)) + 1):
        chosen = np.flatnonzero(joined == group)
        reasons = tuple(
            f"{name}={label(int(chosen[0]))}"
            for name, codes, label in keys
            if (codes != codes[0]).any() and label(int(chosen[0]))
        )
        parts = _geometric(whole, chosen, reasons, options)
        stacks.extend(replace(part, rows=rows[part.rows]) for part in parts)
    return sorted(stacks, key=_order)


def _conflict(table: FrameTable, rows: Codes) -> Stack:
    """The instances of a series whose SOPInstanceUID stands on different contents."""
    part = table.take(rows)
    uids = part.column("SOPInstanceUID").texts
    error = DuplicateInstanceError(
        "one SOPInstanceUID stands on different contents",
        file=", ".join(part.files.paths[:10]) + (" …" if len(part.files.paths) > 10 else ""),
        found=f"{uids[0]}" + (f" and {len(uids) - 1} more" if len(uids) > 1 else ""),
        remedy="Open one of the files by its path, or give them different UIDs",
    )
    reasons = ("SOPInstanceUID is not unique",)
    return Stack(rows, part, None, Geometry("none"), reasons, error)


def _geometric(
    table: FrameTable, rows: Codes, reasons: tuple[str, ...], options: GridOptions
) -> list[Stack]:
    """Split rows of one hard key by orientation and in-plane origin, and infer each."""
    part = table.take(rows)
    if not (part.frame_number > 0).all():
        return [Stack(rows, part, None, Geometry("none"), reasons)]
    try:
        check_texts(part)
        _check_concatenations(part, options.ragged)
    except XDicomError as error:
        return [Stack(rows, part, None, Geometry("none"), reasons, error)]
    groups = orientations(part)
    count = int(groups.max(initial=-1)) + 1
    if count >= 4 and np.bincount(groups).max() == 1:
        return [Stack(rows, part, flat_grid(part), Geometry("per_frame"), reasons)]
    stacks = []
    for group in range(max(count, 1)):
        chosen = np.flatnonzero(groups == group) if count else np.arange(len(part))
        named = reasons
        if count > 1:
            named = (*reasons, f"orientation={part.strings('ImageOrientationPatient')[chosen[0]]}")
        for members, origin in _origins(part.take(chosen)):
            inner = rows[chosen[members]]
            why = named if origin is None else (*named, f"in-plane origin={origin}")
            stacks.extend(_infer(table, inner, why, options, 0))
    return stacks


def _check_concatenations(table: FrameTable, ragged: str) -> None:
    uids = table.strings("ConcatenationUID")
    if ragged == "fill" or not (uids != "").any():
        return
    part, total = (
        table.numbers("InConcatenationNumber"),
        table.numbers("InConcatenationTotalNumber"),
    )
    for uid in np.unique(uids[uids != ""]):
        own = uids == uid
        have = {int(p) for p in part[own] if p == p}
        wanted = {int(t) for t in total[own] if t == t}
        missing = sorted(set(range(1, max(wanted | have, default=0) + 1)) - have)
        if missing:
            raise IncompleteConcatenationError(
                "a part of the concatenation is missing",
                file=table.path(int(np.flatnonzero(own)[0])),
                expected=f"parts 1 to {max(wanted | have)}",
                found=", ".join(map(str, sorted(have))),
                remedy='Find the missing file, or use ragged="fill"',
            )


def _origins(table: FrameTable) -> list[tuple[Codes, str | None]]:
    """Split frames of one slice whose in-plane origins differ; usually there are none."""
    everything = np.arange(len(table))
    planes = planes_of(table)
    if planes is None:
        return [(everything, None)]
    codes, _ = slice_codes(planes.along(planes.normal))
    x, y = planes.along(planes.row), planes.along(planes.column)
    spread = np.zeros(int(codes.max()) + 1)
    for values in (x, y):
        low = np.full(len(spread), np.inf)
        high = np.full(len(spread), -np.inf)
        np.minimum.at(low, codes, values)
        np.maximum.at(high, codes, values)
        spread = np.maximum(spread, high - low)
    if spread.max() <= POSITION_TOLERANCE:
        return [(everything, None)]
    origin = combine([cluster(v, POSITION_TOLERANCE) for v in (x, y)], len(table))
    parts: list[tuple[Codes, str | None]] = []
    for i in range(int(origin.max()) + 1):
        members = np.flatnonzero(origin == i)
        parts.append((members, f"{x[members[0]]:g}, {y[members[0]]:g}"))
    return parts


def _infer(
    table: FrameTable, rows: Codes, reasons: tuple[str, ...], options: GridOptions, depth: int
) -> list[Stack]:
    part = table.take(rows)
    candidates = Candidates(part)
    try:
        z = _slices(part).axis
        if options.dims == ("flat",):
            grid = flat_grid(part)
        elif options.dims is not None:
            named = options.columns
            columns = [(d, named[d].take(rows) if d in named else None) for d in options.dims]
            grid = forced_grid(part, candidates, z, columns, options.ragged)
        else:
            grid = _inferred(part, candidates, z, options.ragged)
        return [_finished(rows, part, grid, reasons)]
    except Split as split:
        parts = []
        if depth < MOST_SPLITS:
            for code in range(int(split.codes.max()) + 1):
                members = np.flatnonzero(split.codes == code)
                label = split.labels[code] if split.labels else str(code)
                why = (*reasons, f"{split.attribute}={label}")
                parts.extend(_infer(table, rows[members], why, options, depth + 1))
        if parts and not any(p.error for p in parts):
            return parts
        failed = next((p.error for p in parts if p.error), None)
        if not isinstance(failed, NotHypercubeError):
            failed = _too_deep(part, split)
        try:
            grid = resolve(failed, part, candidates, z, options.ragged)
            return [_finished(rows, part, grid, reasons)]
        except XDicomError as error:
            return [Stack(rows, part, None, Geometry("none"), reasons, error)]
    except XDicomError as error:
        return [Stack(rows, part, None, Geometry("none"), reasons, error)]


def _finished(rows: Codes, part: FrameTable, grid: Grid, reasons: tuple[str, ...]) -> Stack:
    """The stack of a grid, without the frames that a remedy dropped."""
    used = np.unique(grid.rows[grid.rows >= 0])
    if len(used) < len(part):
        renumber = np.full(len(part), -1, np.int64)
        renumber[used] = np.arange(len(used))
        axes = tuple(replace(a, codes=a.codes[used]) for a in grid.axes)
        inner = np.where(grid.rows >= 0, renumber[grid.rows], -1)
        grid = replace(grid, axes=axes, rows=inner)
        rows, part = rows[used], part.take(used)
    slices = _slices(part)
    geometry = geometry_of(part, slices.codes, slices.positions)
    problems = contradictions(part, slices.positions, slices.weak)
    if slices.weak:
        geometry = replace(geometry, kind="none")
    return Stack(
        rows, part, replace(grid, slices=slices.codes), geometry, reasons, problems=problems
    )


def _too_deep(table: FrameTable, split: Split) -> NotHypercubeError:
    return NotHypercubeError(
        f"the {len(table)} frames differ in too many attributes, {split.attribute} among them",
        remedy='Name the dims with dims=(…), or use ragged="flat"',
    )


def _inferred(part: FrameTable, candidates: Candidates, z: Axis | None, ragged: str) -> Grid:
    try:
        return Inference(part, candidates, z).run()
    except NotHypercubeError as error:
        if z is None and not candidates_differ(candidates):
            # frames without position that nothing tells apart are a list, not a faulty grid
            return flat_grid(part)
        return resolve(error, part, candidates, z, ragged)


def candidates_differ(candidates: Candidates) -> bool:
    """Whether any attribute of the families varies between the frames."""
    return bool(varying_attributes(candidates))


@dataclass(frozen=True, eq=False)
class _Slices:
    axis: Axis | None = None
    codes: Codes | None = None
    positions: npt.NDArray[np.float64] | None = None
    weak: str = ""
    """The attribute that stands in for a missing ImagePositionPatient."""


def _slices(table: FrameTable) -> _Slices:
    """The z axis: from positions, else from what the vendor numbers slices by, else none."""
    planes = planes_of(table)
    if planes is not None:
        keyword, weak = "ImagePositionPatient", ""
        values = planes.along(planes.normal)
    else:
        found = weak_positions(table)
        if found is None:
            return _Slices()
        keyword, values = found
        weak = keyword
    codes, positions = slice_codes(values)
    axis = Axis("z", "position", (keyword,), "position", codes, len(positions), positions)
    return _Slices(axis, codes, positions, weak)


def _order(stack: Stack) -> tuple[Any, ...]:
    moments = acquisition_seconds(stack.table)
    first = np.nanmin(moments) if not np.isnan(moments).all() else np.inf
    number = stack.table.numbers("InstanceNumber")
    lowest = np.nanmin(number) if not np.isnan(number).all() else np.inf
    return (not stack.has_pixels, float(first), float(lowest), stack.reasons)
