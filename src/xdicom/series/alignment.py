"""A segmentation and the array that it segments become the segmentation on that array's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from xdicom.errors import Problem
from xdicom.series.codes import Floats
from xdicom.series.geometry import (
    COSINE_TOLERANCE,
    POSITION_TOLERANCE,
)
from xdicom.series.grid import Grid, IntArray
from xdicom.series.stacks import Stack

_KINDS: Final = ("rectilinear", "sheared")


def aligned(stack: Stack, targets: Sequence[Stack]) -> Stack:
    """A segmentation on the grid of the first array that its positions agree with.

    Its slices become those of the array, empty where it has no frame, and ``x``, ``y``, ``z`` the
    numbers that the array has. Nothing is resampled.

    Parameters
    ----------
    stack : Stack
        A segmentation.
    targets : sequence of Stack
        The arrays of the series that it segments.

    Returns
    -------
    Stack
        Unchanged but for a problem that says why, where it agrees with none.
    """
    if stack.grid is None or stack.grid.axis("z") is None or not targets:
        return stack
    reasons: dict[str, None] = {}
    for target in targets:
        found = _on_grid(stack, stack.grid, target)
        if isinstance(found, Stack):
            return found
        reasons.setdefault(found)
    what = (
        f"the segmentation keeps a grid of its own, not that of the series it segments: "
        f"{'; '.join(reasons)}"
    )
    return replace(stack, problems=(*stack.problems, Problem("OtherGrid", what)))


def _on_grid(stack: Stack, grid: Grid, target: Stack) -> Stack | str:
    """The segmentation on the grid of one array, or why it does not fit there."""
    own, other = stack.geometry, target.geometry
    if own.kind != other.kind or own.kind not in _KINDS or own.z is None or other.z is None:
        return f"its geometry is {own.kind}, that of the series {other.kind}"
    if _reference(stack) != _reference(target):
        return "it has another FrameOfReferenceUID"
    assert own.row is not None and own.column is not None
    turned = [np.abs(a - b).max() for a, b in ((own.row, other.row), (own.column, other.column))]
    if max(turned) > COSINE_TOLERANCE:
        return "its orientation is another"
    place = _places(own.z, other.z)
    if place is None:
        return f"none or not all of its {len(own.z)} slices lie on those of the series"
    offset = _offset(stack, target)
    if isinstance(offset, str):
        return offset
    planes, others = own.planes, other.planes
    if planes is not None and others is not None:
        if np.abs(planes - others[place]).max() > POSITION_TOLERANCE:
            return "its slices are shifted otherwise"
    uid = target.table.column("SeriesInstanceUID").texts
    note = f"z is that of the segmented series {uid[0] if uid else ''}"
    placed = _spread(grid, place, len(other.z), note)
    return replace(stack, grid=placed, geometry=replace(other, offset=offset))


def _reference(stack: Stack) -> tuple[str, ...]:
    return stack.table.column("FrameOfReferenceUID").texts


def _places(z: Floats, others: Floats) -> IntArray | None:
    """Index of the slice at each position; None where one has no slice within 0.01 mm."""
    place: IntArray = np.abs(others[:, None] - z[None, :]).argmin(axis=0)
    off = np.abs(others[place] - z).max(initial=0)
    if off > POSITION_TOLERANCE or len(set(place.tolist())) < len(place):
        return None
    return place


def _offset(stack: Stack, target: Stack) -> tuple[int, int] | str:
    """Row and column of the first pixel in the array, or why pixels do not lie on the array's."""
    own, other = stack.geometry, target.geometry
    assert own.spacing and other.spacing and own.origin and other.origin
    found = []
    for keyword, which, axis in (("Rows", 0, 1), ("Columns", 1, 0)):
        count = int(stack.table.numbers(keyword)[0])
        whole = int(target.table.numbers(keyword)[0])
        step = other.spacing[which]
        off = own.origin[axis] - other.origin[axis]
        if own.kind == "sheared":  # where each slice begins is compared by itself
            off, step = 0.0, step if count == whole else 0.0
        first = round(off / step) if step else 0
        off -= first * step
        last = off + (own.spacing[which] - step) * (count - 1)
        inside = first >= 0 and first + count <= whole
        if not inside or max(abs(off), abs(last)) > POSITION_TOLERANCE:
            return "its pixels do not lie on those of the series"
        found.append(first)
    return found[0], found[1]


def _spread(grid: Grid, place: IntArray, size: int, note: str) -> Grid:
    """The grid with its slices at some of more slices, empty in all others."""
    axis = grid.dims.index("z")
    rows = np.full((*grid.shape[:axis], size, *grid.shape[axis + 1 :]), -1, np.int64)
    rows[(np.s_[:],) * axis + (place,)] = grid.rows
    axes = list(grid.axes)
    axes[axis] = replace(axes[axis], codes=place[axes[axis].codes], size=size, labels=None)
    slices = None if grid.slices is None else place[grid.slices]
    notes = (*grid.notes, note)
    return replace(grid, axes=tuple(axes), rows=rows, slices=slices, notes=notes)
