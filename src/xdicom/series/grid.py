"""The value types that leave the room: axes, what was tried for them, and the grid of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


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
    codes: IntArray
    """Index on the axis of each frame, shape (frames,)."""
    size: int
    """Length of the axis."""
    labels: npt.NDArray[Any] | None = None
    """Coordinate values of the dim, shape (size,); None where it has none."""
    confounded: tuple[str, ...] = ()
    """Further attributes that vary along this dim only."""

    def taken(self, keep: IntArray) -> Axis:
        """The axis with some of its indices; frames of the others have the code −1."""
        renumber = np.full(self.size, -1, np.int64)
        renumber[keep] = np.arange(len(keep))
        labels = None if self.labels is None else self.labels[keep]
        return replace(self, codes=renumber[self.codes], size=len(keep), labels=labels)


@dataclass(frozen=True, eq=False)
class Grid:
    """Frames as an array: which row of the table stands in which cell."""

    axes: tuple[Axis, ...]
    """Frame dims in order, outer to inner."""
    rows: IntArray
    """Row of the stack's table in each cell, −1 where no frame stands; shape of the frame dims."""
    rejected: tuple[Rejected, ...] = ()
    """Candidates that make no axis, and why."""
    notes: tuple[str, ...] = ()
    """What a reader of ``explain()`` should know."""
    slices: IntArray | None = None
    """Slice of each frame by position, shape (frames,); None where positions are unknown."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the frame dims."""
        return tuple(axis.dim for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the frame dims."""
        return tuple(self.rows.shape)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Where a frame stands; shape of the frame dims."""
        return self.rows >= 0

    @property
    def is_list(self) -> bool:
        """Whether it is no grid but all frames in a row."""
        return self.axes[:1] != () and self.axes[0].family == "flat"

    def axis(self, dim: str) -> Axis | None:
        """The axis of a dim, if there is one."""
        return next((a for a in self.axes if a.dim == dim), None)

    def of_rows(self, kept: IntArray) -> Grid:
        """The same cells, for a table of only these rows, in their order."""
        renumber = np.full(int(self.rows.max(initial=-1)) + 2, -1, np.int64)
        renumber[kept] = np.arange(len(kept))
        axes = tuple(replace(a, codes=a.codes[kept]) for a in self.axes)
        slices = None if self.slices is None else self.slices[kept]
        return replace(self, axes=axes, rows=renumber[self.rows], slices=slices)


def cells(axes: Sequence[Axis], length: int) -> tuple[IntArray, int]:
    """Flat cell of each frame, and how many cells there are."""
    flat = np.zeros(length, np.int64)
    total = 1
    for axis in axes:
        flat = flat * axis.size + axis.codes
        total *= axis.size
    return flat, total


def fill(axes: Sequence[Axis], length: int) -> tuple[IntArray, IntArray]:
    """Row in each cell (−1 where none), and how many frames each cell has."""
    flat, total = cells(axes, length)
    shape = tuple(a.size for a in axes)
    rows = np.full(total, -1, np.int64)
    rows[flat] = np.arange(length)
    return rows.reshape(shape), np.bincount(flat, minlength=total).reshape(shape)
