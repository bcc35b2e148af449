"""Frames that are tiles of a total pixel matrix become a Tiling (PS3.3 C.7.6.17.3, C.8.12.14)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from xdicom.errors import InconsistentSeriesError, NotHypercubeError, ResourceLimitError
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.tiling import full_order
from xdicom.series.codes import Codes, Floats, cluster, combine
from xdicom.series.grid import Axis, Grid, IntArray
from xdicom.series.reports import MOST_CELLS

_SEGMENTATIONS: Final = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"
_APART: Final = frozenset(("LABEL", "OVERVIEW", "THUMBNAIL", "LOCALIZER"))
"""Single frames that may show more or less than the total matrix (PS3.3 C.7.6.17.3)."""
_SAME_PLANE: Final = 1e-3
"""µm: focal planes closer than this are one."""
MOST_PIXELS: Final = 2**22
"""Rows or columns of a total matrix: a metre of the finest pixels there are."""
TILE_DIMS: Final = ("optical_path", "focal_plane")
"""Frame dims that only tiled images have."""


@dataclass(frozen=True, eq=False)
class Tiling:
    """Where the tiles of an array lie in its total pixel matrix."""

    rows: int
    """Rows of the total matrix."""
    columns: int
    """Columns of the total matrix."""
    tiles: IntArray
    """Row of the stack's table of each tile, in the order of ``cells``."""
    cells: IntArray
    """Place of each tile, ascending: tiles are counted row by row, those of the first cell of the
    grid before those of the second; shape (tiles,)."""
    holes: int = 0
    """How many places have no tile."""


class LooseTilesError(Exception):
    """The tiles make up no matrix: a signal to the caller, which keeps them as a list."""


def is_tiled(table: FrameTable) -> bool:
    """Whether frames are tiles of a larger matrix, or a matrix of one tile.

    A label or an overview whose size is not that of the total matrix is an image of its own.
    """
    if "TotalPixelMatrixRows" not in table.columns:
        return False
    size = [_constant(table, k) for k in ("TotalPixelMatrixRows", "TotalPixelMatrixColumns")]
    if None in size:
        return False
    own = [_constant(table, k) for k in ("Rows", "Columns")]
    if len(table) > 1 or size == own:
        return True
    flavours = {w for t in table.column("ImageType").texts for w in t.split("\\")[2:3]}
    return not flavours & _APART


def tiled_grid(table: FrameTable, dims: Sequence[str] | None = None) -> tuple[Grid, Tiling]:
    """The grid of segments, optical paths and focal planes, and the tiles of each of its cells.

    Parameters
    ----------
    table : FrameTable
        Frames of one instance, or of one concatenation.
    dims : sequence of str, optional
        Names of the frame dims, in the caller's order; those of length 1 may be among them.

    Returns
    -------
    grid : Grid
        ``rows`` holds, in each cell, the first tile of it.
    tiling : Tiling
        All the tiles.

    Raises
    ------
    LooseTilesError
        If they overlap or lie off the grid of tiles, or if it is not told where they lie.
    ResourceLimitError
        If the matrix that the header claims is absurd.
    InconsistentSeriesError
        If parts of a concatenation claim different matrices.
    NotHypercubeError
        If the caller's dims are not those of the tiles.

    Notes
    -----
    With DimensionOrganizationType TILED_FULL frames go along rows of tiles first, then down,
    then through focal planes away from the glass, then through optical paths (or segments) in the
    order of their sequence, over all parts of a concatenation (PS3.3 C.7.6.17.3). Else each
    frame says its own place, counted from 1 (C.8.12.6.1).
    """
    size, tile = _sizes(table)
    counts = -(-size[0] // tile[0]), -(-size[1] // tile[1])
    axes, row, column = _implicit(table, counts) or _explicit(table, size, tile)
    axes = _ordered(axes, dims, table.path(0))
    notes = [f"tiles of {tile[0]} × {tile[1]} pixels: {counts[0]} down, {counts[1]} across"]
    if math.prod(axis.size for axis in axes) > MOST_CELLS * len(table):
        raise LooseTilesError("segments, optical paths and focal planes fill no grid")
    cell = np.zeros(len(table), np.int64)
    for axis in axes:
        cell = cell * axis.size + axis.codes
    place = (cell * counts[0] + row) * counts[1] + column
    order = np.argsort(place, kind="stable")
    cells = place[order]
    if (np.diff(cells) == 0).any():
        raise LooseTilesError("tiles overlap")
    cell = cell[order]
    firsts = np.flatnonzero(np.diff(cell, prepend=-1))
    shape = tuple(axis.size for axis in axes)
    rows = np.full(math.prod(shape), -1, np.int64)
    rows[cell[firsts]] = order[firsts]
    holes = math.prod(shape) * counts[0] * counts[1] - len(table)
    if holes:
        notes.append(f"{holes} places have no tile")
    tiling = Tiling(size[0], size[1], order, cells, holes)
    return Grid(tuple(axes), rows.reshape(shape), notes=tuple(notes)), tiling


def of_cells(table: FrameTable, grid: Grid) -> FrameTable:
    """The table with only the attributes that all tiles of a cell have in common.

    What differs from tile to tile is no coordinate of the cell: its first tile would speak for
    all of them.
    """
    cell = np.zeros(len(table), np.int64)
    for axis in grid.axes:
        cell = cell * axis.size + axis.codes
    first = grid.rows.reshape(-1)[cell]
    kept = {
        name: column
        for name, column in table.columns.items()
        if column.constant or (column.codes == column.codes[first]).all()
    }
    return table if len(kept) == len(table.columns) else replace(table, columns=kept)


def depths(table: FrameTable, grid: Grid) -> tuple[Floats | None, bool]:
    """Height of each focal plane above the glass in µm, and whether it is only assumed.

    Returns
    -------
    heights : array of float, shape (planes,), or None
        None where several planes have no known distance, or one plane follows the tissue.
    assumed : bool
        Whether no header says how high the first plane is: then that is 0.
    """
    axis = grid.axis("focal_plane")
    count = 1 if axis is None else axis.size
    codes = np.zeros(len(table), np.int64) if axis is None else axis.codes
    own = table.numbers("ZOffsetInSlideCoordinateSystem")
    if not np.isnan(own).any():
        found = np.full(count, np.inf)
        np.minimum.at(found, codes, own)
        one = np.isfinite(found).all() and (own - found[codes] <= _SAME_PLANE).all()
        return (found, False) if one else (None, False)
    start = numbers_of(table, "xdicom_matrix_depth", 1)
    base = 0.0 if start is None else float(start[0])
    step = table.numbers("SpacingBetweenSlices")
    if count > 1 and (np.isnan(step).any() or step.min() != step.max() or step.min() <= 0):
        return None, True
    distance = 1000.0 * float(step[0]) if count > 1 else 0.0
    return base + distance * np.arange(count, dtype=np.float64), start is None


def numbers_of(table: FrameTable, name: str, width: int) -> Floats | None:
    """Numbers that all rows have in common of a column of ours, which has no VR; None for none."""
    column = table.column(name)
    found = Column(column.codes, column.texts, "DS").numbers(width).reshape(-1, width)
    if not len(found) or np.isnan(found).any() or (found != found[0]).any():
        return None
    first: Floats = found[0]
    return first


def optical_paths(table: FrameTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Identifiers of all optical paths in the order of their sequence, and their descriptions."""
    names = [
        t[0].split("\\") if (t := table.column(k).texts) else []
        for k in ("xdicom_optical_paths", "xdicom_optical_path_names")
    ]
    identifiers, descriptions = names
    descriptions += [""] * (len(identifiers) - len(descriptions))
    return tuple(identifiers), tuple(descriptions)


def _constant(table: FrameTable, keyword: str) -> int | None:
    """A positive whole number that all rows have in common, or the first's; None for none."""
    values = table.numbers(keyword)
    return int(values[0]) if len(values) and (values >= 1).all() else None


def _sizes(table: FrameTable) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of the matrix, and of a tile."""
    found = []
    for keyword in ("TotalPixelMatrixRows", "TotalPixelMatrixColumns", "Rows", "Columns"):
        values = table.numbers(keyword)
        if (values != values[0]).any():
            raise InconsistentSeriesError(
                f"parts of a concatenation differ in {keyword}",
                file=table.path(int(np.argmax(values != values[0]))),
                expected=f"{values[0]:g}",
                found=f"{values[values != values[0]][0]:g}",
                remedy='dims="flat" gives the tiles as a list',
            )
        found.append(int(values[0]))
    if max(found[:2]) > MOST_PIXELS:
        raise ResourceLimitError(
            "the total pixel matrix is absurdly large",
            file=table.path(0),
            expected=f"at most {MOST_PIXELS} rows and columns",
            found=f"{found[0]} × {found[1]}",
            remedy='dims="flat" gives the tiles as a list',
        )
    return (found[0], found[1]), (found[2], found[3])


_Placed = tuple[list[Axis], IntArray, IntArray]
"""Axes of the frame dims, and row and column of each frame among the tiles."""


def _implicit(table: FrameTable, counts: tuple[int, int]) -> _Placed | None:
    """Places by the order of TILED_FULL, or of one frame that is the matrix; None for others."""
    full = set(table.column("DimensionOrganizationType").texts) == {"TILED_FULL"}
    told = table.column("RowPositionInTotalImagePixelMatrix").codes >= 0
    alone = counts == (1, 1) and len(table) == 1 and not told.any()
    if not (full or alone):
        return None
    tiles = counts[0] * counts[1]
    planes = _constant(table, "TotalPixelMatrixFocalPlanes") or 1
    segments = _is_segments(table)
    number = table.frame_number - 1
    offset = table.numbers("ConcatenationFrameOffsetNumber")
    if not np.isnan(offset).any():
        number = number + offset.astype(np.int64)
    declared = _declared(table)
    if segments and _LABEL_MAP not in table.column("SOPClassUID").texts:
        outer = -(-(declared or int(number.max()) + 1) // (tiles * planes))
    else:
        outer = len(optical_paths(table)[0]) or _constant(table, "NumberOfOpticalPaths") or 1
    if declared not in (None, tiles * planes * outer):
        raise LooseTilesError(
            f"TILED_FULL means {tiles * planes * outer} frames ({tiles} tiles, {planes} focal "
            f"planes, {outer} {'segments' if segments else 'optical paths'}), but there are "
            f"{declared}"
        )
    if (number >= tiles * planes * outer).any():
        raise LooseTilesError("frames are numbered beyond those of TILED_FULL")
    path, plane, row, column = full_order(number, counts, planes)
    axes = [_axis("focal_plane", plane, planes)]
    if segments:
        axes.insert(0, _axis("SegmentNumber", path, outer, np.arange(1, outer + 1)))
    else:
        axes.insert(0, _axis("optical_path", path, outer))
    if told.any():
        _check_told(table, row, column)
    if declared is not None:  # what was not selected is no hole
        axes = [_used(axis) for axis in axes]
    return axes, row, column


def _used(axis: Axis) -> Axis:
    """An axis without the indices that no frame has."""
    used = np.unique(axis.codes)
    return axis if len(used) == axis.size else axis.taken(used)


def _declared(table: FrameTable) -> int | None:
    """Frames that the instances declare; None where parts of their concatenation are missing."""
    first = np.unique(table.file, return_index=True)[1]
    parts = table.numbers("InConcatenationTotalNumber")[first]
    if (parts > len(first)).any():
        return None
    return int(np.nan_to_num(table.numbers("NumberOfFrames")[first], nan=1.0).sum())


def _is_segments(table: FrameTable) -> bool:
    return any(t in _SEGMENTATIONS for t in table.column("SOPClassUID").texts)


def _check_told(table: FrameTable, row: IntArray, column: IntArray) -> None:
    """Refuse places that contradict the order of TILED_FULL: either may be wrong."""
    for name, which, size in (
        ("RowPositionInTotalImagePixelMatrix", row, "Rows"),
        ("ColumnPositionInTotalImagePixelMatrix", column, "Columns"),
    ):
        told = table.numbers(name)
        expected = which * table.numbers(size) + 1
        if (~np.isnan(told) & (told != expected)).any():
            raise LooseTilesError(f"{name} contradicts the order of TILED_FULL")


def _explicit(table: FrameTable, size: tuple[int, int], tile: tuple[int, int]) -> _Placed:
    """Places that each frame tells."""
    places = []
    for name, pixels, step in (
        ("RowPositionInTotalImagePixelMatrix", size[0], tile[0]),
        ("ColumnPositionInTotalImagePixelMatrix", size[1], tile[1]),
    ):
        start = table.numbers(name) - 1
        if np.isnan(start).any():
            raise LooseTilesError(f"{name} is missing, and DimensionOrganizationType is not FULL")
        if ((start < 0) | (start >= pixels)).any():
            raise LooseTilesError("tiles lie outside of the total pixel matrix")
        if (start % step != 0).any():
            raise LooseTilesError("tiles lie off the grid of tiles")
        places.append((start // step).astype(np.int64))
    axes = [*_segments(table), _paths(table)]
    planes = _planes(table)
    if planes.size > 1:
        apart = combine([*places, *(a.codes for a in axes)], len(table))
        if len(np.unique(apart)) == len(table):
            # the focus follows the tissue: one plane, whose height is none of its coordinates
            planes = _axis("focal_plane", np.zeros(len(table), np.int64), 1)
    return [*axes, planes], places[0], places[1]


def _segments(table: FrameTable) -> list[Axis]:
    number = table.numbers("SegmentNumber")
    if np.isnan(number).any():
        return []
    values, codes = np.unique(number, return_inverse=True)
    return [_axis("SegmentNumber", codes.ravel(), len(values), values.astype(np.int64))]


def _paths(table: FrameTable) -> Axis:
    """Optical paths, in the order of their sequence; what it does not list comes after."""
    column = table.column("OpticalPathIdentifier")
    if not column.texts:
        return _axis("optical_path", np.zeros(len(table), np.int64), 1)
    if not column.complete:
        raise LooseTilesError("OpticalPathIdentifier is missing in some frames")
    listed = {name: i for i, name in enumerate(optical_paths(table)[0])}
    ranks = [(listed.get(text, len(listed)), text) for text in column.texts]
    places = sorted(range(len(ranks)), key=ranks.__getitem__)
    renumber = np.empty(len(places), np.int64)
    renumber[places] = np.arange(len(places))
    return _axis("optical_path", renumber[column.codes], len(places))


def _planes(table: FrameTable) -> Axis:
    height = table.numbers("ZOffsetInSlideCoordinateSystem")
    if np.isnan(height).all():
        return _axis("focal_plane", np.zeros(len(table), np.int64), 1)
    if np.isnan(height).any():
        raise LooseTilesError("ZOffsetInSlideCoordinateSystem is missing in some frames")
    codes, heights = cluster(height, _SAME_PLANE)
    return _axis("focal_plane", codes, len(heights))


_DRIVERS: Final = {
    "SegmentNumber": ("segment", "SegmentNumber"),
    "optical_path": ("optical_path", "OpticalPathIdentifier"),
    "focal_plane": ("focal_plane", "ZOffsetInSlideCoordinateSystem"),
}
"""Family and attribute of each dim."""


def _axis(dim: str, codes: Codes, size: int, labels: IntArray | None = None) -> Axis:
    family, attribute = _DRIVERS[dim]
    return Axis(dim, family, (attribute,), "tiles", codes.astype(np.int64), size, labels)


def _ordered(axes: Sequence[Axis], dims: Sequence[str] | None, file: str) -> list[Axis]:
    """Axes in the caller's order; without one, those that are longer than 1."""
    longer = [axis for axis in axes if axis.size > 1]
    if dims is None:
        return longer
    known = {axis.dim: axis for axis in axes}
    if set(dims) - set(known) or {axis.dim for axis in longer} - set(dims):
        raise NotHypercubeError(
            "the dims do not tell all tiles apart, or tell what tiles do not have",
            file=file,
            expected=", ".join(f"{axis.dim} ({axis.size})" for axis in axes),
            found=", ".join(dims),
            remedy='Tiles make up y and x; dims="flat" gives them as a list',
        )
    return [known[dim] for dim in dims]
