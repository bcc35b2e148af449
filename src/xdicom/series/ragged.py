"""Frames that are no hypercube, and dims that the caller names: holes and their remedies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np

from xdicom.errors import NotHypercubeError
from xdicom.headers.table import Column, FrameTable
from xdicom.series.axes import (
    Inference,
    aligned_axis,
    axis_values,
    cells,
    dense_rank_within,
    dim_rank,
    fill,
    is_function_of,
    report,
    time_keys,
)
from xdicom.series.candidates import Candidate, Candidates, attribute_candidate, combine
from xdicom.series.families import ALIGNED, BY_NAME, CLOCKED, TIME_LIKE, Family
from xdicom.series.grid import Axis, Grid

REMEDIES: Final = ("raise", "fill", "complete", "flat")
_MOST_AXES: Final = 3


def flat_grid(table: FrameTable) -> Grid:
    """All frames in a row, by moment of acquisition, InstanceNumber, UID and frame number."""
    order = np.lexsort(tuple(reversed(time_keys(table))))
    codes = np.empty(len(order), np.int64)
    codes[order] = np.arange(len(order))
    axis = Axis("instance", "last", ("acquisition_datetime", "InstanceNumber"), "rank", codes,
                len(order))  # fmt: skip
    return Grid((axis,), order.astype(np.int64), (), ("a list of frames: no grid was asked for",))


def grid_with_holes(
    table: FrameTable, candidates: Candidates, z: Axis | None, error: NotHypercubeError
) -> Grid:
    """The factorisation by values that has no duplicates and the fewest holes.

    Raises
    ------
    NotHypercubeError
        If no axes by value tell all frames apart: the error that was found first.
    """
    options = _value_axes(table, candidates, z)
    base = [] if z is None else [z]
    best: tuple[float, int, list[Axis]] | None = None
    for count in range(_MOST_AXES + 1):
        for chosen in combinations(options, count):
            axes = [*base, *chosen]
            flat, total = cells(axes, len(table))
            if total > 64 * len(table) or np.bincount(flat, minlength=total).max(initial=0) > 1:
                continue
            filled = len(table) / total
            if best is None or filled > best[0] + 1e-12:
                best = (filled, count, axes)
    if best is None:
        raise error
    ordered = sorted(best[2], key=lambda a: dim_rank(a.dim))
    kept = tuple(a for a in ordered if a.size > 1 or a.dim == "z")
    rows, counts = fill(kept, len(table))
    if (counts == 0).any():
        raise _HolesError(report(table, candidates, kept, counts), Grid(kept, rows))
    return Grid(kept, rows)


class _HolesError(NotHypercubeError):
    """A grid without duplicates but with holes."""

    def __init__(self, what: str, grid: Grid) -> None:
        super().__init__(what)
        self.grid = grid

    def __reduce__(self) -> tuple[type[NotHypercubeError], tuple[str]]:
        return NotHypercubeError, (self.what,)


def _value_axes(table: FrameTable, candidates: Candidates, z: Axis | None) -> list[Axis]:
    base = [] if z is None else [z]
    axes: list[Axis] = []
    for family in ALIGNED:
        parts = [p for p in candidates.varying(family) if not is_function_of(p.codes, base)]
        if parts:
            codes = combine([p.codes for p in parts], len(table))
            axes.append(aligned_axis(table, family, parts, codes))
    seen = {a.codes.tobytes() for a in axes}
    for family in CLOCKED:
        if family.name == "last":
            continue
        for attribute in family.attributes:
            part = candidates.of(attribute)
            if part.count < 2 or not part.complete or is_function_of(part.codes, base):
                continue
            if part.codes.tobytes() not in seen and part.count <= len(table) // 2:
                seen.add(part.codes.tobytes())
                axes.append(_clocked_axis(family, part, axes))
    return axes


def _clocked_axis(family: Family, part: Candidate, axes: Sequence[Axis]) -> Axis:
    labels = None
    if family.dim == "time" and part.seconds:
        values = axis_values(part).astype(np.float64) * part.seconds
        labels = np.round(values - values.min(), 6)
    dim = family.dim
    if dim == "time" and any(a.dim == "time" for a in axes):
        dim = "repetition"
    return Axis(dim, family.name, (part.name,), "value", part.codes, part.count, labels)


def resolve(error: NotHypercubeError, table: FrameTable, candidates: Candidates, z: Axis | None,
            ragged: str) -> Grid:  # fmt: skip
    """Apply a remedy to frames that are no hypercube.

    Parameters
    ----------
    error : NotHypercubeError
        What the inference found.
    table, candidates, z
        The frames, their candidates and their slice axis.
    ragged : {"raise", "fill", "complete", "flat"}
        The remedy (SPEC §2.3).

    Returns
    -------
    Grid
        With −1 in holes for ``fill``.

    Raises
    ------
    NotHypercubeError
        For ``raise``, and where a remedy does not help.
    """
    if ragged == "flat":
        return flat_grid(table)
    try:
        if isinstance(error, _HolesError):
            raise error
        return grid_with_holes(table, candidates, z, error)
    except _HolesError as holes:
        if ragged == "raise":
            raise NotHypercubeError(holes.what) from None
        if ragged == "fill":
            return replace(holes.grid, notes=("holes are filled; frame_present tells where",))
        return complete(holes.grid, holes)


def complete(grid: Grid, error: NotHypercubeError) -> Grid:
    """Drop the incomplete hyper-planes of the dim along which the fewest frames are lost.

    A time-like dim is taken where there is one (an aborted last volume), outermost first.
    """
    dims = list(grid.dims)
    time_like = [d for d in TIME_LIKE if d in dims]
    best: tuple[int, int, np.ndarray] | None = None
    for place, dim in enumerate(dims):
        if time_like and dim != time_like[0]:
            continue
        others = tuple(i for i in range(len(dims)) if i != place)
        keep = np.flatnonzero((grid.rows >= 0).all(axis=others))
        lost = int((grid.rows >= 0).sum()) - keep.size * (grid.rows.size // grid.rows.shape[place])
        if keep.size and (best is None or lost < best[0]):
            best = (lost, place, keep)
    if best is None:
        raise NotHypercubeError(
            error.what, remedy='No dim has a complete part: use ragged="fill" or ragged="flat"'
        )
    lost, place, keep = best
    return take_along(
        grid, place, keep, f"{lost} frames of incomplete parts of {dims[place]} were dropped"
    )


def take_along(grid: Grid, place: int, keep: np.ndarray, note: str) -> Grid:
    """The grid with some indices of one dim."""
    axis = grid.axes[place]
    renumber = np.full(axis.size, -1, np.int64)
    renumber[keep] = np.arange(len(keep))
    labels = None if axis.labels is None else axis.labels[keep]
    axes = list(grid.axes)
    axes[place] = replace(axis, codes=renumber[axis.codes], size=len(keep), labels=labels)
    rows = np.take(grid.rows, keep, axis=place)
    return replace(grid, axes=tuple(axes), rows=rows, notes=(*grid.notes, note))


def forced_grid(
    table: FrameTable,
    candidates: Candidates,
    z: Axis | None,
    dims: Sequence[tuple[str, Column | None]],
    ragged: str,
) -> Grid:
    """The grid of the dims that the caller names, in the caller's order.

    Parameters
    ----------
    table, candidates, z
        The frames, their candidates and their slice axis.
    dims : sequence of (str, Column or None)
        Name of each dim, and the column of the attribute where it is one.
    ragged : {"raise", "fill", "complete", "flat"}
        The remedy for holes.

    Raises
    ------
    NotHypercubeError
        If frames lack an attribute, share a cell, or leave holes that ``ragged`` does not mend.
    """
    axes: list[Axis] = []
    for name, column in dims:
        axes.append(_forced_axis(table, candidates, z, name, column, axes))
    rows, counts = fill(axes, len(table))
    if (counts > 1).any():
        free = _separators(candidates, axes)
        raise NotHypercubeError(
            report(table, candidates, axes, counts),
            remedy=f"Frames of one cell differ in {', '.join(free)}: add one of these to dims"
            if free
            else "No attribute tells the frames of one cell apart",
        )
    grid = Grid(tuple(axes), rows)
    if (counts == 0).any():
        error = _HolesError(report(table, candidates, axes, counts), grid)
        return resolve(error, table, candidates, z, ragged)
    return grid


def _forced_axis(
    table: FrameTable,
    candidates: Candidates,
    z: Axis | None,
    name: str,
    column: Column | None,
    before: Sequence[Axis],
) -> Axis:
    if name == "z":
        if z is None:
            raise NotHypercubeError("dims asks for z, but the frames have no position")
        return z
    if name == "instance":
        return flat_grid(table).axes[0]
    family = BY_NAME.get(name)
    if family is not None:
        return _family_axis(table, candidates, family, before, z)
    assert column is not None
    part = attribute_candidate(table, name, column)
    if not part.complete or not part.codes.size:
        row = int(np.flatnonzero(column.codes < 0)[0]) if (column.codes < 0).any() else 0
        raise NotHypercubeError(
            f"{name} has no value in some frames, so it cannot be a dim", file=table.path(row)
        )
    values = axis_values(part)
    labels = values if values.ndim == 1 else None
    if labels is not None and column.values.array.dtype.kind in "mM":
        stamps = column.values.array
        labels = np.array([stamps[column.codes[np.flatnonzero(part.codes == i)[0]]]
                           for i in range(part.count)])  # fmt: skip
    return Axis(name, "caller", (name,), "value", part.codes, part.count, labels)


def _family_axis(
    table: FrameTable,
    candidates: Candidates,
    family: Family,
    before: Sequence[Axis],
    z: Axis | None,
) -> Axis:
    if family in ALIGNED:
        parts = candidates.varying(family)
        if not parts:
            codes = np.zeros(len(table), np.int64)
            return Axis(family.name, family.name, (), "value", codes, 1)
        codes = combine([p.codes for p in parts], len(table))
        return replace(aligned_axis(table, family, parts, codes), dim=family.name)
    probe = Inference(table, candidates, None)
    probe.axes = [*before] if any(a.dim == "z" for a in before) or z is None else [*before, z]
    for ranks in (False, True):
        for each in (family, BY_NAME["last"]):
            before_count = len(probe.axes)
            probe.clocked(each, ranks)
            if len(probe.axes) > before_count:
                return replace(probe.axes[-1], dim=family.name)
    flat, _ = cells(probe.axes, len(table))
    part = candidates.of(family.attributes[0])
    rank = dense_rank_within(flat, part.codes)
    return Axis(family.name, family.name, (part.name,), "rank", rank, int(rank.max()) + 1)


def _separators(candidates: Candidates, axes: Sequence[Axis]) -> list[str]:
    found = []
    for family in (*ALIGNED, *CLOCKED):
        for attribute in family.attributes:
            part = candidates.of(attribute)
            if part.count > 1 and not is_function_of(part.codes, axes):
                found.append(attribute.name)
    return found
