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
    planes_of,
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
    z, others = own.z, other.z
    if own.kind not in _KINDS or other.kind not in _KINDS or z is None or others is None:
        return f"its geometry is {own.kind}, that of the series {other.kind}"
    if other.kind == "rectilinear" and own.kind != other.kind:
        return "its slices are shifted in plane"
    if _reference(stack) != _reference(target):
        return "it has another FrameOfReferenceUID"
    if not (_parallel(own.row, other.row) and _parallel(own.column, other.column)):
        return "its orientation is another"
    place = _places(z, others)
    if place is None:
        return f"none or not all of its {len(z)} slices lie on those of the series"
    offset = _offset(stack, target)
    if isinstance(offset, str):
        return offset
    if other.planes is not None and not _on_planes(stack, other.planes[place]):
        return "its slices are shifted otherwise"
    uid = target.table.column("SeriesInstanceUID").texts
    note = f"z is that of the segmented series {uid[0] if uid else ''}"
    placed = _spread(grid, place, len(others), note)
    return replace(stack, grid=placed, geometry=replace(other, offset=offset))


def _parallel(own: Floats | None, other: Floats | None) -> bool:
    if own is None or other is None:
        return False
    return bool(np.abs(own - other).max() <= COSINE_TOLERANCE)


def _on_planes(stack: Stack, planes: Floats) -> bool:
    """Whether each frame begins where the plane of its slice does."""
    own, grid = planes_of(stack.table), stack.grid
    if own is None or grid is None or grid.slices is None:
        return False
    off = np.abs(own.position - planes[grid.slices]).max()
    return bool(off <= POSITION_TOLERANCE)


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
    if None in (own.spacing, other.spacing, own.origin, other.origin):
        return "its pixels have no known size"
    found = []
    for keyword, which, axis in (("Rows", 0, 1), ("Columns", 1, 0)):
        count = int(stack.table.numbers(keyword)[0])
        whole = int(target.table.numbers(keyword)[0])
        step, own_step = (g.spacing[which] if g.spacing else 0.0 for g in (other, own))
        off, start = (g.origin[axis] if g.origin else 0.0 for g in (own, other))
        off -= start
        first = round(off / step) if step else 0
        if other.kind == "sheared":  # where each slice begins is compared by itself
            off, first = 0.0, 0 if count == whole else -1
        off -= first * step
        last = off + (own_step - step) * (count - 1)
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
