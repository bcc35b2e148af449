"""Two lattices become index arrays, where voxels of one stand right on voxels of the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from xdicom.series.geometry import POSITION_TOLERANCE
from xdicom.space.lattice import Indices, Lattice

_VOXELS: Final = 0.01
"""Of a voxel: lattices that differ by no more are the same."""


@dataclass(frozen=True, eq=False)
class Match:
    """How the voxels of a target are voxels of a source."""

    axes: tuple[int | None, int | None, int | None]
    """For planes, rows, columns of the source: which axis of the target counts them; None if none
    does, since they stay the same."""
    index: tuple[Indices, Indices, Indices]
    """Along each axis of the source, the voxel at each index of that axis of the target (or one);
    beyond the source where there is none."""

    def within(self, shape: tuple[int, int, int]) -> bool:
        """Whether all of the target lies in the source."""
        return all(
            bool(((axis >= 0) & (axis < size)).all())
            for axis, size in zip(self.index, shape, strict=True)
        )

    @property
    def planes_are_planes(self) -> bool:
        """Whether each plane of the target is one of the source, or cut of one."""
        k, i, j = self.axes
        return k in (0, None) and i in (1, None) and j in (2, None)


def match(source: Lattice, target: Lattice) -> Match | None:
    """Find whether all voxels of the target stand on voxels of the source, or beyond its edge.

    Positions may differ by 0.01 mm, and by 1 % of a voxel: so far apart is one slice (SPEC §2.1).
    """
    if not source.even:
        return _match_uneven(source, target)
    slack = [min(_VOXELS, POSITION_TOLERANCE / abs(step)) for step in source.steps]
    lines = []
    for line, size in enumerate(target.shape):
        at: list[Any] = [0, 0, 0]
        at[line] = np.arange(size)
        lines.append(np.stack(source.locate(target.points(*at)), axis=1))
    start = lines[0][0]
    axes: list[int | None] = []
    index = []
    for own in range(3):
        moving = [a for a in range(3) if np.ptp(lines[a][:, own]) > 0.5]
        if len(moving) > 1:
            return None
        axis = moving[0] if moving else None
        along = lines[axis][:, own] if axis is not None else start[own : own + 1]
        whole = np.rint(along)
        if np.abs(along - whole).max() > slack[own]:
            return None
        axes.append(axis)
        index.append(whole.astype(np.int64))
    found = Match((axes[0], axes[1], axes[2]), (index[0], index[1], index[2]))
    return found if _holds_at_corners(source, target, found, slack) else None


def _holds_at_corners(source: Lattice, target: Lattice, found: Match, slack: list[float]) -> bool:
    corners = np.array(list(product(*((0, size - 1) for size in target.shape))))
    places = source.locate(target.points(*corners.T))
    for own, (counter, index) in enumerate(zip(found.axes, found.index, strict=True)):
        wanted = index[0] if counter is None else index[corners[:, counter]]
        if np.abs(places[own] - wanted).max() > slack[own]:
            return False
    return True


def _match_uneven(source: Lattice, target: Lattice) -> Match | None:
    """Of slices without an affine: the same planes, in any order, with whole pixels in them."""
    turned = np.abs(np.stack([source.row, source.column]) @ np.stack([target.row, target.column]).T)
    if not np.allclose(turned, np.eye(2), atol=1e-4):
        return None
    away = np.linalg.norm(source.origins[None] - target.origins[:, None], axis=2)
    plane = away.argmin(axis=1)
    if away[np.arange(len(plane)), plane].max() > POSITION_TOLERANCE:
        return None
    index = [plane.astype(np.int64)]
    for own, theirs, size, direction, turned_by in (
        (source.y, target.y, source.steps[1], source.column, target.column),
        (source.x, target.x, source.steps[2], source.row, target.row),
    ):
        place = (theirs * np.sign(direction @ turned_by) - own[0]) / size
        whole = np.rint(place)
        if np.abs(place - whole).max() > min(_VOXELS, POSITION_TOLERANCE / abs(size)):
            return None
        index.append(whole.astype(np.int64))
    return Match((0, 1, 2), (index[0], index[1], index[2]))
