"""Axes that fill no grid, or that the caller names, become grids: holes and their remedies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np

from xdicom.errors import NotHypercubeError
from xdicom.headers.table import Column, FrameTable
from xdicom.series.axes import Found, Inference, aligned_axis, dim_rank, labelled, value_text
from xdicom.series.candidates import Candidate, Candidates, of_column
from xdicom.series.factorial import is_function_of, is_grid, is_settled
from xdicom.series.families import ALIGNED, BY_NAME, CLOCKED, LASTING, TIME_LIKE, Family
from xdicom.series.grid import Axis, Grid, IntArray, fill
from xdicom.series.reports import MOST_CELLS, NO_VALUES, report, separators

_MOST_AXES: Final = 3
"""Axes beside z that a grid with holes may have."""
_NO_GRID: Final = "a list of frames, because they fill no grid"
_CONTRASTS: Final = frozenset(f.name for f in ALIGNED)
_ORDERED: Final = ("respiratory_phase", "cardiac_phase", "time", "repetition", "index", "last")
"""Families that tell apart what other dims leave, and those before them, after all others."""


def flat_grid(candidates: Candidates, note: str = "a list of frames") -> Grid:
    """All frames in a row, by moment of acquisition, InstanceNumber, UID and frame number."""
    place = candidates.place
    drivers = ("acquisition_datetime", "InstanceNumber")
    axis = Axis("instance", "flat", drivers, "rank", place, len(place))
    return Grid((axis,), fill((axis,), len(place))[0], notes=(note,))


def grid_of(found: Found, candidates: Candidates, z: Axis | None, ragged: str) -> Grid:
    """The grid of the axes that the inference found, or what a remedy makes of the frames.

    Parameters
    ----------
    found : Found
        Axes of the frames.
    candidates, z
        Candidates of the frames, and their slice axis.
    ragged : {"raise", "fill", "complete", "flat"}
        The remedy where they do not fill a grid (SPEC §2.3).

    Returns
    -------
    Grid
        With −1 in holes for ``fill``.

    Raises
    ------
    NotHypercubeError
        For ``raise``, and where a remedy does not help.
    """
    axes = found.axes
    if is_grid(axes, len(candidates)):
        return Grid(axes, fill(axes, len(candidates))[0], found.rejected, found.notes)
    best = axes_with_holes(candidates, [] if z is None else [z])
    if best is None:
        if ragged == "flat":
            return flat_grid(candidates, _NO_GRID)
        raise NotHypercubeError(report(candidates, axes, NO_VALUES))
    return remedied(candidates, best, ragged)


def remedied(candidates: Candidates, axes: Sequence[Axis], ragged: str, cells: int = 0) -> Grid:
    """A grid without duplicates, its holes filled or cut away.

    Parameters
    ----------
    candidates : Candidates
        Of the frames.
    axes : sequence of Axis
        They tell all frames apart.
    ragged : {"raise", "fill", "complete", "flat"}
        The remedy.
    cells : int
        Cells that are not too many, whatever the frames.

    Raises
    ------
    NotHypercubeError
        As `grid_of`.
    """
    length = len(candidates)
    if is_grid(axes, length):
        return Grid(tuple(axes), fill(axes, length)[0])
    if ragged == "flat":
        return flat_grid(candidates, _NO_GRID)
    most = max(MOST_CELLS * length, cells)
    if ragged == "raise" or math.prod(a.size for a in axes) > most:
        raise NotHypercubeError(report(candidates, axes))
    grid = Grid(tuple(axes), fill(axes, length)[0])
    if ragged == "fill":
        return replace(grid, notes=("holes are filled; frame_present tells where",))
    kept = complete(grid)
    if kept is None:
        remedy = 'no dim has a complete part: ragged="fill" or ragged="flat"'
        raise NotHypercubeError(report(candidates, axes, remedy))
    return kept


def axes_with_holes(candidates: Candidates, base: list[Axis]) -> tuple[Axis, ...] | None:
    """The axes by value that tell all frames apart and leave the fewest holes.

    Those that are known beforehand, z say, among them. Of several, those that say most about
    contrast, then the fewest; None if there are none.
    """
    length = len(candidates)
    options = _value_axes(candidates, base)
    best: tuple[tuple[float, int, int], list[Axis]] | None = None
    for count in range(_MOST_AXES + 1):
        for chosen in combinations(options, count):
            total = math.prod(a.size for a in (*base, *chosen))
            contrasts = sum(a.family in _CONTRASTS for a in chosen)
            score = (round(length / total, 9), contrasts, -count)
            if total > MOST_CELLS * length or (best is not None and score <= best[0]):
                continue
            named = _renamed(chosen)
            if named is not None and is_settled([*base, *named], length):
                best = score, [*base, *named]
    if best is None:
        return None
    kept = (a for a in best[1] if a.size > 1 or a.dim in LASTING)
    return tuple(sorted(kept, key=lambda a: dim_rank(a.dim)))


def _value_axes(candidates: Candidates, base: list[Axis]) -> list[Axis]:
    """Every axis that values alone could make, in order of priority."""
    axes: list[Axis] = []
    for family in ALIGNED:
        parts = [p for p in candidates.varying(family) if not is_function_of(p.codes, base)]
        if parts:
            axes.append(aligned_axis(candidates, family, parts))
    seen = {a.codes.tobytes() for a in axes}
    for family in CLOCKED:
        parts = [candidates.of(a) for a in family.attributes] if family.name != "last" else []
        parts += [c for name, c in candidates.indices if name == family.name]
        for part in parts:
            key = part.codes.tobytes()
            # a value of its own for each frame makes a list, no axis
            told = part.complete and part.count < len(candidates) and key not in seen
            if told and not is_function_of(part.codes, base):
                seen.add(key)
                axes.append(_value_axis(family, part))
    return axes


def _value_axis(family: Family, part: Candidate) -> Axis:
    dim, method = (part.name, "index") if family.name == "index" else (family.dim, "value")
    return labelled(Axis(dim, family.name, (part.name,), method, part.codes, part.count), part)


def _renamed(axes: Sequence[Axis]) -> list[Axis] | None:
    """Axes with ``repetition`` for a second ``time``; None if two dims bear one name."""
    named: list[Axis] = []
    for axis in axes:
        if axis.dim == "time" and any(a.dim == "time" for a in named):
            axis = replace(axis, dim="repetition")
        if any(a.dim == axis.dim for a in named):
            return None
        named.append(axis)
    return named


def complete(grid: Grid) -> Grid | None:
    """Keep the complete hyper-planes of one dim; None if no dim has any.

    Of the outermost time-like dim that has some (an aborted last volume), else of the dim along
    which the largest share of the frames stays (SPEC §2.3).
    """
    whole: list[tuple[int, Axis, IntArray]] = []
    for place, axis in enumerate(grid.axes):
        others = tuple(i for i in range(len(grid.axes)) if i != place)
        keep = np.flatnonzero(grid.present.all(axis=others))
        if keep.size:
            whole.append((place, axis, keep))
    if not whole:
        return None
    timed = [w for w in whole if w[1].dim in TIME_LIKE]
    place, axis, keep = timed[0] if timed else max(whole, key=lambda w: w[2].size / w[1].size)
    rows = np.take(grid.rows, keep, axis=place)
    axes = tuple(a.taken(keep) if a is axis else a for a in grid.axes)
    note = f"{grid.present.sum() - rows.size} frames of incomplete parts of {axis.dim} dropped"
    if len(keep) == 1 and axis.dim not in LASTING and axis.family != "caller":
        axes = (*axes[:place], *axes[place + 1 :])
        rows = rows.squeeze(place)
    return replace(grid, axes=axes, rows=rows, notes=(*grid.notes, note))


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
    made: dict[str, Axis] = {}
    others = [dim for dim in dims if dim[0] not in _ORDERED]
    ordered = sorted((d for d in dims if d[0] in _ORDERED), key=lambda d: _ORDERED.index(d[0]))
    for name, column in (*others, *ordered):
        families = BY_NAME.get(name)
        ordinal = candidates.ordinal(name)
        if name == "z":
            made[name] = _slices(z)
        elif name == "instance":
            made[name] = flat_grid(candidates).axes[0]
        elif ordinal is not None:
            made[name] = _value_axis(BY_NAME["index"][0], ordinal)
        elif families is not None:
            varying = (f for f in families if candidates.varying(f))
            family = next(varying, families[0])
            made[name] = _family_axis(candidates, family, list(made.values()), z)
        else:
            made[name] = _attribute_axis(table, name, column)
    axes = [made[name] for name, _ in dims]
    if ragged == "flat" or is_settled(axes, len(table)):
        return remedied(candidates, axes, ragged)
    free = separators(candidates, axes, z)
    remedy = (
        f"Frames of one cell differ in {', '.join(free)}: add one of these to dims"
        if free
        else "No attribute tells the frames of one cell apart"
    )
    raise NotHypercubeError(report(candidates, axes, remedy))


def _slices(z: Axis | None) -> Axis:
    if z is None:
        raise NotHypercubeError(
            "dims asks for z, but the position of the frames is unknown",
            remedy="Name an attribute that tells the slices apart instead",
        )
    return z


def _attribute_axis(table: FrameTable, name: str, column: Column | None) -> Axis:
    """The axis of an attribute, labelled by its values."""
    if column is None or not column.texts:
        raise NotHypercubeError(
            f"{name} has no value in any frame, so it cannot be a dim", file=table.path(0)
        )
    part = of_column(name, column)
    if not part.complete:
        row = int(np.flatnonzero(column.codes < 0)[0]) if not column.complete else 0
        raise NotHypercubeError(
            f"{name} has no value in some frames, so it cannot be a dim",
            file=table.path(row),
            remedy='Select the frames that have one with select=, or use dims="flat"',
        )
    labels = part.values
    dtype = column.values.array.dtype
    if dtype.kind in "mM":
        labels = labels.astype(np.int64).astype(f"{dtype.kind}8[us]").astype(dtype)
    elif labels.ndim == 1 and column.values.integer and dtype.kind == "i":
        labels = labels.astype(np.int64)
    elif labels.ndim > 1:  # a dim's labels are single values
        labels = np.array([value_text(v) for v in labels])
    return Axis(name, "caller", (name,), "value", part.codes, part.count, labels)


def _family_axis(
    candidates: Candidates, family: Family, before: Sequence[Axis], z: Axis | None
) -> Axis:
    """The axis of a family that the caller names, given the other dims."""
    if family.name not in _ORDERED:
        parts = candidates.varying(family)
        return replace(aligned_axis(candidates, family, parts), dim=family.name)
    known = [*before] if z is None or any(a.dim == "z" for a in before) else [*before, z]
    for ranks in (False, True):
        for each in (family, *BY_NAME["last"]):
            probe = Inference(candidates, known)
            probe.clocked(each, ranks)
            if len(probe.axes) > len(known):
                return replace(probe.axes[len(known)], dim=family.name)
    # none fills the grid: the first that tells the frames apart leaves the fewest questions
    parts = [p for a in family.attributes if (p := candidates.of(a)).complete and p.count > 1]
    axes = [_value_axis(family, p) for p in parts]
    axes.append(Axis(family.name, family.name, (), "value", np.zeros(len(candidates), np.int64), 1))
    told = (a for a in axes if is_settled([*known, a], len(candidates)))
    return replace(next(told, axes[0]), dim=family.name)


def with_missing_slices(grid: Grid, missing: IntArray) -> Grid:
    """The grid with empty slices put in along z.

    Parameters
    ----------
    grid : Grid
        With an axis z.
    missing : array of int, shape (slices - 1,)
        How many slices are missing after each but the last.
    """
    place = grid.dims.index("z")
    old = grid.axes[place]
    index = np.arange(old.size) + np.append(0, np.cumsum(missing))
    size = int(index[-1]) + 1
    rows = np.full((*grid.shape[:place], size, *grid.shape[place + 1 :]), -1, np.int64)
    rows[(np.s_[:],) * place + (index,)] = grid.rows
    axes = list(grid.axes)
    axes[place] = replace(old, codes=index[old.codes], size=size, labels=None)
    slices = None if grid.slices is None else index[grid.slices]
    note = f"{size - old.size} missing slices were filled; frame_present tells where"
    return replace(grid, axes=tuple(axes), rows=rows, slices=slices, notes=(*grid.notes, note))
