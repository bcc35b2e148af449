"""The geometry of a stack becomes the coordinates x, y and z, and what says how to read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.series.attributes import at_codes, reduce_dims, vector_labels
from xdicom.series.geometry import DECIMALS, Geometry, anatomical
from xdicom.series.grid import Grid

Array = npt.NDArray[Any]


def plane_coordinates(
    geometry: Geometry, grid: Grid, rows: int, columns: int, frame_of_reference: str
) -> dict[str, xr.Variable]:
    """Coordinates ``x``, ``y``, ``z`` and ``patient_space`` (SPEC §5.2).

    Parameters
    ----------
    geometry, grid
        Of the stack.
    rows, columns : int
        Size of a frame.
    frame_of_reference : str
        FrameOfReferenceUID, ``""`` where there is none.

    Returns
    -------
    dict of xarray.Variable
        With ``ImagePositionPatient`` of each slice where the stack is sheared.
    """
    found: dict[str, xr.Variable] = {}
    x0, y0 = geometry.origin if geometry.kind == "rectilinear" and geometry.origin else (0.0, 0.0)
    for dim, start, count, which, direction in (
        ("y", y0, rows, 0, geometry.column),
        ("x", x0, columns, 1, geometry.row),
    ):
        attrs: dict[str, Any] = {"units": "pixel"}
        values: Array = geometry.offset[which] + np.arange(count, dtype=np.float64)
        if geometry.spacing is not None:
            values = np.round(start + geometry.spacing[which] * values, DECIMALS) + 0.0
            attrs = {"units": "mm", **_towards(direction)}
        found[dim] = xr.Variable((dim,), values, attrs)
    index = _slice_index(grid)
    if geometry.z is not None and index is not None:
        attrs = {"units": geometry.z_units} if geometry.z_units else {}
        attrs |= _towards(geometry.normal)
        found["z"] = xr.Variable(index.dims, at_codes(geometry.z, index.values), attrs)
        if geometry.planes is not None:
            origins = at_codes(geometry.planes, index.values)
            found["ImagePositionPatient"] = xr.Variable(
                (*index.dims, "lps"), origins, {"units": "mm"}
            )
            found |= vector_labels(found)
    space: dict[str, Any] = {"geometry": geometry.kind}
    if frame_of_reference:
        space["FrameOfReferenceUID"] = frame_of_reference
    if geometry.row is not None and geometry.column is not None:
        space["ImageOrientationPatient"] = [float(v) for v in (*geometry.row, *geometry.column)]
    if geometry.spacing_kind and geometry.spacing_kind != "PixelSpacing":
        space["spacing_kind"] = geometry.spacing_kind
    if geometry.z_step_assumed is not None:
        space["z_step_assumed"] = geometry.z_step_assumed
    elif geometry.z is not None and len(geometry.z) > 1 and geometry.regular:
        # for the affine of a slice that is selected alone
        space["z_step"] = round(float(np.median(np.diff(geometry.z))), DECIMALS)
    if not geometry.regular:
        space["regular"] = "no"
    found["patient_space"] = xr.Variable((), np.int64(0), space)
    return found


def _towards(direction: npt.NDArray[np.float64] | None) -> dict[str, Any]:
    if direction is None:
        return {}
    return {"direction": [float(v) for v in direction], "anatomical": anatomical(direction)}


def _slice_index(grid: Grid) -> xr.Variable | None:
    """The slice in each cell: along ``z``, or along the dims of the caller that it depends on."""
    axis = grid.axis("z")
    if axis is not None:
        return xr.Variable(("z",), np.arange(axis.size))
    if grid.slices is None:
        return None
    codes = np.where(grid.present, grid.slices[grid.rows], -1)
    return xr.Variable(*reduce_dims(codes, grid.dims, grid.present))
