"""Tiled images become coordinates of the slide: y, x and z in mm, optical paths, focal planes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.headers.table import FrameTable
from xdicom.series.codes import Floats, first_rows
from xdicom.series.geometry import Geometry, in_plane_spacing, regularity, unit_cosines
from xdicom.series.grid import Grid
from xdicom.series.tiles import Tiling, depths, numbers_of, optical_paths

DECIMALS: Final = 9
"""Coordinates are rounded to 1e-9 mm: a pixel of a slide is some 1e-4 mm."""
_MICROMETRE: Final = 1e-3
"""In mm: PS3.3 C.8.12.2 gives z offsets in µm, beside x and y offsets in mm."""


def slide_geometry(table: FrameTable, grid: Grid) -> Geometry:
    """Where the total pixel matrix lies on its slide (PS3.3 C.8.12.2 and C.8.12.14.1.2).

    Parameters
    ----------
    table : FrameTable
        Tiles of one array.
    grid : Grid
        Of it.

    Returns
    -------
    Geometry
        ``slide`` with spacing, orientation and origin; ``z`` has, for each focal plane, its place
        along the normal. ``none``, with y and x from 0, where one of these is missing.

    Raises
    ------
    GeometryError
        If ImageOrientationSlide is no pair of orthogonal unit vectors.
    """
    spacing, kind = in_plane_spacing(table)
    if spacing is None:
        spacing, kind = _of_volume(table)
    cosines = table.numbers("ImageOrientationSlide", 6).reshape(-1, 6)
    origin = numbers_of(table, "xdicom_matrix_origin", 2)
    heights, _ = depths(table, grid)
    if np.isnan(cosines).any() or (cosines != cosines[0]).any() or origin is None or not spacing:
        return Geometry("none", spacing=spacing, spacing_kind=kind)
    row, column = unit_cosines(cosines[0], table.path(0), "ImageOrientationSlide")
    axis = grid.axis("focal_plane")
    count = 1 if axis is None else axis.size
    places = np.zeros((count, 3))
    places[:, :2] = origin
    if heights is not None:
        places[:, 2] = heights * _MICROMETRE
    z = np.round(places @ np.cross(row, column), DECIMALS) + 0.0
    x0, y0 = (np.round(places[0] @ np.stack([row, column]).T, DECIMALS) + 0.0).tolist()
    regular, gaps = regularity(np.sort(z))
    return Geometry(
        "slide",
        row,
        column,
        spacing,
        kind,
        (x0, y0),
        z if heights is not None else None,
        _thickness(table) if count == 1 else None,
        regular,
        gaps,
    )


def _of_volume(table: FrameTable) -> tuple[tuple[float, float] | None, str]:
    """Pixel spacing by the size of what was imaged, mm, where nothing else tells it."""
    sizes = []
    for extent, pixels in (
        ("ImagedVolumeHeight", "TotalPixelMatrixRows"),
        ("ImagedVolumeWidth", "TotalPixelMatrixColumns"),
    ):
        sizes.append(table.numbers(extent)[0] / table.numbers(pixels)[0])
    if not np.isfinite(sizes).all() or min(sizes) <= 0:
        return None, ""
    return (float(sizes[0]), float(sizes[1])), "ImagedVolumeWidth"


def _thickness(table: FrameTable) -> float | None:
    values = table.numbers("SliceThickness")
    return float(values[0]) if values[0] > 0 else None


def slide_coordinates(
    table: FrameTable, grid: Grid, geometry: Geometry, tiling: Tiling, frame_of_reference: str
) -> dict[str, xr.Variable]:
    """Coordinates ``y``, ``x``, ``z``, ``slide_space`` and those of optical paths and planes.

    Parameters
    ----------
    table, grid, geometry, tiling
        Of the stack.
    frame_of_reference : str
        FrameOfReferenceUID, ``""`` where there is none.

    Returns
    -------
    dict of xarray.Variable
        ``y`` and ``x`` in mm, of pixel centres: with a slide's geometry, P = x·row + y·column +
        z·normal is the place on the slide, in mm, so that the levels of a pyramid share them.
    """
    found: dict[str, xr.Variable] = {}
    x0, y0 = geometry.origin or (0.0, 0.0)
    for dim, start, count, which, direction in (
        ("y", y0, tiling.rows, 0, geometry.column),
        ("x", x0, tiling.columns, 1, geometry.row),
    ):
        values: npt.NDArray[Any] = np.arange(count, dtype=np.float64)
        attrs: dict[str, Any] = {"units": "pixel"}
        if geometry.spacing is not None:
            values = np.round(start + geometry.spacing[which] * values, DECIMALS) + 0.0
            attrs = {"units": "mm"} | _along(direction)
        found[dim] = xr.Variable((dim,), values, attrs)
    found |= _planes(table, grid, geometry) | _paths(table, grid)
    space: dict[str, Any] = {"geometry": geometry.kind}
    if frame_of_reference:
        space["FrameOfReferenceUID"] = frame_of_reference
    if geometry.row is not None and geometry.column is not None:
        space["ImageOrientationSlide"] = [float(v) for v in (*geometry.row, *geometry.column)]
    if geometry.spacing_kind and geometry.spacing_kind != "PixelSpacing":
        space["spacing_kind"] = geometry.spacing_kind
    if geometry.z_step_assumed is not None:
        space["z_step_assumed"] = geometry.z_step_assumed
    elif geometry.z is not None and len(geometry.z) > 1 and geometry.regular:
        space["z_step"] = round(float(np.median(np.diff(geometry.z))), DECIMALS)
    if geometry.z is not None and depths(table, grid)[1]:
        space["z_assumed"] = "from 0: no ZOffsetInSlideCoordinateSystem"
    if not geometry.regular:
        space["regular"] = "no"
    found["slide_space"] = xr.Variable((), np.int64(0), space)
    return found


def _along(direction: Floats | None) -> dict[str, Any]:
    return {} if direction is None else {"direction": [float(v) for v in direction]}


def _planes(table: FrameTable, grid: Grid, geometry: Geometry) -> dict[str, xr.Variable]:
    """Place of each focal plane: along the normal in mm, and above the glass in µm."""
    dims = () if grid.axis("focal_plane") is None else ("focal_plane",)
    heights, assumed = depths(table, grid)
    found = {}
    for name, values, attrs in (
        ("z", geometry.z, {"units": "mm"} | _along(geometry.normal)),
        ("ZOffsetInSlideCoordinateSystem", None if assumed else heights, {"units": "um"}),
    ):
        if values is not None:
            found[name] = xr.Variable(dims, values if dims else values[0], attrs)
    return found


def _paths(table: FrameTable, grid: Grid) -> dict[str, xr.Variable]:
    """Identifier and description of each optical path."""
    axis = grid.axis("optical_path")
    listed, described = optical_paths(table)
    column = table.column("OpticalPathIdentifier")
    count = 1 if axis is None else axis.size
    names = list(listed)
    if column.complete and column.texts:
        codes = np.zeros(len(table), np.int64) if axis is None else axis.codes
        names = [str(t) for t in column.strings()[first_rows(codes, count)]]
    if len(names) != count:
        return {}
    known = dict(zip(listed, described, strict=True))
    texts = {"OpticalPathIdentifier": names}
    if any(known.get(name) for name in names):
        texts["OpticalPathDescription"] = [known.get(name, "") for name in names]
    dims = () if axis is None else ("optical_path",)
    return {
        keyword: xr.Variable(dims, np.array(values if dims else values[0]))
        for keyword, values in texts.items()
    }
