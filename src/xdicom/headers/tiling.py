"""What TILED_FULL implies of each frame becomes attributes, as other tiled images say them.

PS3.3 C.7.6.17.3: the order of the frames stands for their functional groups, which may be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from xdicom.headers.values import number

IntArray = npt.NDArray[np.int64]

_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
_MICROMETRES: Final = 1000.0
"""In a millimetre, the unit of SpacingBetweenSlices; z offsets on slides are in µm."""


class Order(NamedTuple):
    """Where frames lie that follow each other as in TILED_FULL; arrays of shape (frames,)."""

    outer: IntArray
    """Optical path, or segment, in the order of their sequence."""
    plane: IntArray
    """Focal plane, from the glass upwards."""
    row: IntArray
    """Row of tiles."""
    column: IntArray
    """Column of tiles."""


def full_order(frames: IntArray, grid: tuple[int, int], planes: int) -> Order:
    """Places of frames that are numbered from 0 over all parts of a concatenation.

    Parameters
    ----------
    frames : array of int, shape (frames,)
        Numbers of the frames.
    grid : (int, int)
        Tiles down and across.
    planes : int
        Focal planes.

    Examples
    --------
    >>> order = full_order(np.arange(24), (2, 3), 2)
    >>> [int(part[17]) for part in order]
    [1, 0, 1, 2]
    """
    rest, tile = np.divmod(frames, grid[0] * grid[1])
    row, column = np.divmod(tile, grid[1])
    outer, plane = np.divmod(rest, planes)
    return Order(outer, plane, row, column)


class Coded(NamedTuple):
    """An attribute of the frames of one file."""

    codes: IntArray
    """Index of each frame's text."""
    texts: tuple[str, ...]
    """The texts."""


def implied_attributes(attributes: Mapping[str, str], frames: int) -> dict[str, Coded]:
    """What the order of an instance's frames says of each of them; nothing where there is doubt.

    Parameters
    ----------
    attributes : mapping
        Of the instance, with those of its shared functional groups.
    frames : int
        How many it has.

    Returns
    -------
    dict of str to Coded
        Row and column in the total pixel matrix, from 1; optical path or segment; height above
        the glass in µm, where the origin of the matrix has one.

    Examples
    --------
    >>> size = {"Rows": "8", "Columns": "8", "TotalPixelMatrixRows": "8"}
    >>> full = {"DimensionOrganizationType": "TILED_FULL", "TotalPixelMatrixColumns": "20"}
    >>> found = implied_attributes({**size, **full}, 3)
    >>> found["ColumnPositionInTotalImagePixelMatrix"].texts
    ('1', '9', '17')
    """
    if attributes.get("DimensionOrganizationType") != "TILED_FULL":
        return {}
    tile = [_whole(attributes, k, 0) for k in ("Rows", "Columns")]
    names = ("TotalPixelMatrixRows", "TotalPixelMatrixColumns")
    counts = [-(-_whole(attributes, k, 0) // max(t, 1)) for k, t in zip(names, tile, strict=True)]
    planes = _whole(attributes, "TotalPixelMatrixFocalPlanes", 1)
    if min(*tile, *counts, planes) < 1:
        return {}
    first = _whole(attributes, "ConcatenationFrameOffsetNumber", 0)
    order = full_order(np.arange(first, first + frames), (counts[0], counts[1]), planes)
    paths = attributes.get("xdicom_optical_paths", "").split("\\")
    segments = attributes.get("SOPClassUID") == _SEGMENTATION
    if order.outer[-1] >= len(paths) and not segments:
        return {}
    found = {
        "RowPositionInTotalImagePixelMatrix": _coded(order.row, lambda i: str(i * tile[0] + 1)),
        "ColumnPositionInTotalImagePixelMatrix": _coded(
            order.column, lambda i: str(i * tile[1] + 1)
        ),
    }
    if segments:
        numbers = _coded(order.outer, lambda i: str(i + 1))
        found |= {"ReferencedSegmentNumber": numbers, "SegmentNumber": numbers}
    elif all(paths):
        found["OpticalPathIdentifier"] = _coded(order.outer, paths.__getitem__)
    base = number(attributes.get("xdicom_matrix_depth", ""))
    step = number(attributes.get("SpacingBetweenSlices", "")) if planes > 1 else 0.0
    if not np.isnan([base, step]).any():
        found["ZOffsetInSlideCoordinateSystem"] = _coded(
            order.plane, lambda i: f"{base + _MICROMETRES * step * i:.10g}"
        )
    return found


def _whole(attributes: Mapping[str, str], keyword: str, default: int) -> int:
    """A whole number, the default where it is missing, −1 where it is none."""
    text = attributes.get(keyword)
    value = float(default) if text is None else number(text)
    return int(value) if value.is_integer() else -1


def _coded(values: IntArray, text: Callable[[int], str]) -> Coded:
    """Whole numbers as codes of the texts that a function makes of them."""
    distinct, codes = np.unique(values, return_inverse=True)
    return Coded(codes.ravel(), tuple(map(text, distinct.tolist())))
