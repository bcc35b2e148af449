"""What a user needs to know of frames that are no hypercube, as one text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from xdicom.series.axes import value_text
from xdicom.series.candidates import Candidates
from xdicom.series.factorial import is_function_of, occupied
from xdicom.series.families import ALIGNED, CLOCKED, SOFT
from xdicom.series.grid import Axis, IntArray, fill

MOST_LISTED: Final = 10
"""Holes and duplicates that are named one by one."""
MOST_CELLS: Final = 64
"""A grid of more cells than so many times its frames is none, and its holes are not listed."""

REMEDIES: Final = (
    'ragged="fill" (NaN where no frame stands), ragged="complete" (only complete volumes), '
    'ragged="flat" (a list of frames), or dims=(…) to name the dims'
)
NO_VALUES: Final = (
    'No values tell the frames apart, so nothing can be filled: ragged="flat" (a list of frames), '
    "or dims=(…) to name the dims"
)


def report(candidates: Candidates, axes: Sequence[Axis], remedies: str = REMEDIES) -> str:
    """Shape, filled and empty cells, duplicates, attributes that vary, and remedies.

    Parameters
    ----------
    candidates : Candidates
        Of the frames.
    axes : sequence of Axis
        The grid that they do not fill.
    remedies : str
        What can be done.
    """
    length = len(candidates)
    shape = " × ".join(f"{a.dim} {a.size}" for a in axes) or "one cell"
    total = math.prod(a.size for a in axes)
    filled = len(np.unique(occupied(axes, length)[0]))
    lines = [f"the {length} frames do not fill a grid of {shape}: {filled} of {total} cells"]
    if total <= MOST_CELLS * length:
        _, counts = fill(axes, length)
        for name, bad in (("missing", counts == 0), ("more than one frame", counts > 1)):
            if bad.any():
                lines.append(f"{name} at {_places(axes, np.argwhere(bad))}")
    lines.append(f"attributes that vary: {', '.join(varying(candidates)) or 'none'}")
    return ". ".join([*lines, f"Remedies: {remedies}"])


def _places(axes: Sequence[Axis], places: IntArray) -> str:
    """Cells by their coordinates."""
    shown = [
        ", ".join(_label(a, i) for a, i in zip(axes, place, strict=True)) or "the only cell"
        for place in places[:MOST_LISTED].tolist()
    ]
    more = len(places) - len(shown)
    return "; ".join(shown) + (f" and {more} more" if more else "")


def _label(axis: Axis, index: int) -> str:
    return f"{axis.dim}={index if axis.labels is None else value_text(axis.labels[index])}"


def varying(candidates: Candidates) -> list[str]:
    """Every attribute of the families that takes more than one value."""
    found = (a for f in (*ALIGNED, *SOFT, *CLOCKED) for a in f.attributes)
    return list(dict.fromkeys(a.name for a in found if candidates.of(a).count > 1))


def separators(candidates: Candidates, axes: Sequence[Axis], z: Axis | None) -> list[str]:
    """Dims and attributes that differ between frames of one cell."""
    found = ["z"] if z is not None and not is_function_of(z.codes, axes) else []
    attributes = (a for f in (*ALIGNED, *SOFT, *CLOCKED) for a in f.attributes)
    found += [a.name for a in attributes if not is_function_of(candidates.of(a).codes, axes)]
    return list(dict.fromkeys(found))
