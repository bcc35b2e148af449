"""Codes of axes: whether they fill a grid, depend on each other, or rank alike in each slice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xdicom.series.candidates import Candidate
from xdicom.series.codes import Codes, combine
from xdicom.series.grid import Axis, cells

_SPARSE = 4
"""More cells than so many times the frames are not counted one by one."""


def occupied(axes: Sequence[Axis], length: int) -> tuple[Codes, int]:
    """Number of each frame's cell, and how many there are; empty cells are not counted if sparse.

    The product of axes that do not fill a grid may exceed memory and 64 bits.
    """
    if math.prod(axis.size for axis in axes) <= _SPARSE * length:
        return cells(axes, length)
    joined = combine([axis.codes for axis in axes], length)
    return joined, int(joined.max(initial=-1)) + 1


def full_factorial(axes: Sequence[Axis], length: int) -> bool:
    """Whether every combination occurs, all equally often."""
    if math.prod(axis.size for axis in axes) > length:
        return False
    flat, total = cells(axes, length)
    counts = np.bincount(flat, minlength=total)
    return bool(counts.min() > 0 and counts.min() == counts.max())


def is_grid(axes: Sequence[Axis], length: int) -> bool:
    """Whether every cell holds just one frame."""
    return full_factorial(axes, length) and is_settled(axes, length)


def is_settled(axes: Sequence[Axis], length: int) -> bool:
    """Whether no cell holds more than one frame."""
    flat, total = occupied(axes, length)
    return bool(np.bincount(flat, minlength=total).max(initial=0) <= 1)


def is_function_of(codes: Codes, axes: Sequence[Axis]) -> bool:
    """Whether all frames of a cell have one code."""
    flat, total = occupied(axes, len(codes))
    first = np.empty(total, np.int64)
    first[flat] = codes
    return bool((first[flat] == codes).all())


def covers(part: Codes, whole: Codes) -> bool:
    """Whether every code of a part occurs together with every code of the whole."""
    pairs = combine([part, whole], len(part))
    return bool(pairs.max() + 1 == (part.max() + 1) * (whole.max() + 1))


def tells_apart(part: Codes, flat: Codes) -> bool:
    """Whether all frames of each cell have codes of their own."""
    return bool(combine([flat, part], len(part)).max(initial=-1) + 1 == len(part))


def ordinal_within(flat: Codes, place: Codes) -> Codes:
    """Place of each frame among those of its cell, from 0."""
    order = np.lexsort((place, flat))
    starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    found = np.empty(len(flat), np.int64)
    found[order] = np.arange(len(order)) - np.repeat(starts, counts)
    return found


def dense_rank_within(flat: Codes, codes: Codes) -> Codes:
    """Rank of each frame's code among the distinct codes of its cell, from 0."""
    order = np.lexsort((codes, flat))
    cell, code = flat[order], codes[order]
    new_cell = np.diff(cell, prepend=-1) != 0
    steps = np.cumsum(new_cell | (np.diff(code, prepend=-1) != 0)) - 1
    found = np.empty(len(flat), np.int64)
    found[order] = steps - np.maximum.accumulate(np.where(new_cell, steps, 0))
    return found


def overlap(codes: Codes, flat: Codes) -> bool:
    """Whether cells share some of their codes, but not all of them.

    Two slices at times 1, 3, 5 and two at 2, 4, 6 do not; slices that lack different volumes do.
    """
    rank = dense_rank_within(flat, codes)
    sets = np.full((int(flat.max()) + 1, int(rank.max()) + 1), -1)
    sets[flat, rank] = codes
    equal = np.unique(sets, axis=0, return_inverse=True)[1].ravel()[flat]
    first = np.empty(int(codes.max()) + 1, np.int64)
    first[codes] = equal
    return bool((first[codes] != equal).any())


def step_alike(part: Candidate, flat: Codes, index: Codes, follows: npt.NDArray[np.bool_]) -> bool:
    """Whether all cells step alike from one index to the next: within half of the median step.

    Three slices at three times, each without another one, rank to a full grid of two times; that
    would mix times without a word.

    Parameters
    ----------
    part : Candidate
        What steps: one number a code.
    flat, index : array of int, shape (frames,)
        Cell of each frame, and its index on the axis; each pair occurs.
    follows : array of bool, shape (indices - 1,)
        Whether an index is the next of the one before, so that there is a step between them.
    """
    values = np.empty((int(flat.max()) + 1, len(follows) + 1))
    values[flat, index] = part.values[part.codes]
    steps = np.diff(values, axis=1)[:, follows]
    median = np.median(steps, axis=0)
    return bool((np.abs(steps - median) <= 0.5 * np.abs(median)).all())
