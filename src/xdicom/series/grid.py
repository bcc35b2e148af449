"""The value types that leave the room: axes, what was tried for them, and the grid of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Rejected:
    """A candidate that was tried for an axis and refused, or found to go along with one."""

    attribute: str
    """Keyword."""
    reason: str
    """Why it makes no axis."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One frame dim of a grid."""

    dim: str
    """Name of the dim."""
    family: str
    """Family that it belongs to, ``caller`` where the caller named it."""
    attributes: tuple[str, ...]
    """Attributes that drive it."""
    method: str
    """``value``, ``value+repeat``, ``rank``, ``index`` or ``position``."""
    codes: npt.NDArray[np.int64]
    """Index on the axis of each frame, shape (frames,)."""
    size: int
    """Length of the axis."""
    labels: npt.NDArray[Any] | None = None
    """Coordinate values of the dim, shape (size,); None where it has none."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Frames as an array: which row of the table stands in which cell."""

    axes: tuple[Axis, ...]
    """Frame dims in order, outer to inner."""
    rows: npt.NDArray[np.int64]
    """Row of the stack's table in each cell, −1 where no frame stands; shape of the frame dims."""
    rejected: tuple[Rejected, ...] = ()
    """Candidates that make no axis, and why."""
    notes: tuple[str, ...] = field(default=())
    """What a reader of ``explain()`` should know."""
    slices: npt.NDArray[np.int64] | None = None
    """Slice of each frame by position, shape (frames,); None where positions are unknown."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the frame dims."""
        return tuple(axis.dim for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the frame dims."""
        return tuple(self.rows.shape)

    def axis(self, dim: str) -> Axis | None:
        """The axis of a dim, if there is one."""
        return next((a for a in self.axes if a.dim == dim), None)
