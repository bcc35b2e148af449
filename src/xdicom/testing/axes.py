"""Dims as a test writes them in, axes with the DICOM values of each index out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xdicom.testing.elements import Key, is_keyword

Index = Mapping[str, int]
"""Where a frame stands: a whole number from 0 for each dim."""

Drop = Sequence[Mapping[str, int] | tuple[int, ...]]
Shorthand = Callable[[int, Any], Mapping[Key, Any]]


@dataclass(frozen=True)
class Axis:
    """One dim of a simulated series."""

    name: str
    """Name of the dim."""
    entries: tuple[Mapping[Key, Any], ...]
    """For each index the values, or callables, by keyword; empty for z."""
    positions: tuple[float, ...] | None = None
    """For z: the offset of each index along the normal, in mm."""


def read_axes(
    dims: Mapping[str, Any], slice_spacing: float, shorthands: Mapping[str, Shorthand]
) -> list[Axis]:
    """Read dims, outer to inner.

    Parameters
    ----------
    dims : mapping
        By name: a count, or a sequence of values of the keyword of that name, of
        mappings of keywords, or of what a shorthand understands.
    slice_spacing : float
        Step of z in mm where only its count is given.
    shorthands : mapping
        For names that are no keywords: (index, value) → values by keyword.

    Returns
    -------
    list of Axis
        One for each dim.

    Raises
    ------
    ValueError
        If a dim is empty, or if plain values have no keyword to go to.
    """
    axes = []
    for name, given in dims.items():
        counted = isinstance(given, (int, np.integer))
        values = list(range(int(given))) if counted else list(given)
        if not values:
            raise ValueError(f"the dim {name!r} has no values")
        if name == "z":
            positions = [slice_spacing * v if counted else float(v) for v in values]
            axes.append(Axis(name, ({},) * len(values), tuple(positions)))
        else:
            entries = (_entry(name, i, v, counted, shorthands) for i, v in enumerate(values))
            axes.append(Axis(name, tuple(entries)))
    return axes


def _entry(
    name: str, i: int, value: Any, counted: bool, shorthands: Mapping[str, Shorthand]
) -> Mapping[Key, Any]:
    if isinstance(value, Mapping):
        return value
    if counted:
        return {}
    if name in shorthands:
        return shorthands[name](i, value)
    if is_keyword(name):
        return {name: value}
    raise ValueError(f"{name!r} is no keyword: give a mapping of keywords for each index")


def grid(axes: Sequence[Axis], drop: Drop = ()) -> Iterator[tuple[int, dict[str, int]]]:
    """Walk the frames of a grid in canonical order, the last dim fastest.

    Parameters
    ----------
    axes : sequence of Axis
        The dims, outer to inner.
    drop : sequence of mappings or tuples
        Frames to leave out; a mapping that names some dims only leaves out all
        frames that match it.

    Yields
    ------
    number : int
        Place in the whole grid, dropped frames counted.
    index : dict
        Index of each dim.

    Raises
    ------
    ValueError
        If an entry of `drop` names no dim.

    Examples
    --------
    >>> axes = read_axes({"EchoTime": [5, 10], "z": 2}, 3.0, {})
    >>> [number for number, index in grid(axes, drop=[{"EchoTime": 1, "z": 0}])]
    [0, 1, 3]
    """
    names = [axis.name for axis in axes]
    left_out = [d if isinstance(d, Mapping) else dict(zip(names, d, strict=True)) for d in drop]
    for entry in left_out:
        if unknown := set(entry) - set(names):
            raise ValueError(f"drop names {sorted(unknown)}; the dims are {names}")
    every = itertools.product(*(range(len(axis.entries)) for axis in axes))
    for number, place in enumerate(every):
        index = dict(zip(names, place, strict=True))
        if not any(all(index[k] == v for k, v in entry.items()) for entry in left_out):
            yield number, index


def value_at(value: Any, index: Index) -> Any:
    """Evaluate what may be a value or a callable of the frame's index."""
    return value(index) if callable(value) else value


def plane_position(
    axes: Sequence[Axis], index: Index, orientation: Sequence[float], origin: Sequence[float]
) -> dict[Key, Any]:
    """Give ImagePositionPatient and SliceLocation of a frame.

    Parameters
    ----------
    axes : sequence of Axis
        The dims; z, if it is among them, moves the plane along the normal.
    index : mapping
        The frame's index.
    orientation, origin : sequences of float
        Cosines of rows and columns; the position of z = 0, mm.

    Returns
    -------
    dict
        The values by keyword, mm.
    """
    offset = next((a.positions[index["z"]] for a in axes if a.positions is not None), 0.0)
    normal = np.cross(orientation[:3], orientation[3:])
    position = np.asarray(origin, float) + offset * normal
    location = float(np.round(position @ normal, 10))
    return {"ImagePositionPatient": position.tolist(), "SliceLocation": location}
