"""Coordinates of an array become its affine, spacing and orientation in the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import GeometryError
from xdicom.selecting.values import values as attribute_values

Floats = npt.NDArray[np.float64]

_SPACES = ("patient_space", "slide_space")
_STEP_TOLERANCE = 0.01
_ROUNDING = 2e-5
"""mm: what rounding coordinates to 1e-5 mm leaves of equal steps."""


def _space(obj: xr.DataArray | xr.Dataset) -> dict[str, Any]:
    """Attributes of the coordinate that says in which space the array lies."""
    found = next((obj.coords[name] for name in _SPACES if name in obj.coords), None)
    if found is None:
        raise GeometryError(
            "the array has no coordinate patient_space, so its place in the patient is unknown",
            remedy="Use an array opened by xdicom",
        )
    return dict(found.attrs)


def orientation(obj: xr.DataArray | xr.Dataset) -> Floats:
    """Direction cosines in patient L, P, S (PS3.3 C.7.6.2.1.1); of a slide's image in X, Y, Z.

    Returns
    -------
    numpy.ndarray, shape (2, 3)
        First along a row (growing x), then along a column (growing y); the directions of the
        coordinates, whichever way the array is flipped.

    Raises
    ------
    GeometryError
        If the orientation is unknown or differs from frame to frame.
    """
    space = _space(obj)
    slide = space["geometry"] == "slide"
    cosines = space.get("ImageOrientationSlide" if slide else "ImageOrientationPatient")
    if cosines is None or space["geometry"] not in ("rectilinear", "sheared", "slide"):
        raise GeometryError(
            "the array has no single orientation",
            expected="geometry rectilinear, sheared or slide",
            found=space["geometry"],
            remedy="The orientation is missing, or differs from frame to frame",
        )
    return np.array(cosines, dtype=np.float64).reshape(2, 3)


def slice_dim(obj: xr.DataArray | xr.Dataset) -> str | None:
    """The dim that z lies on: ``z``, or one of the caller's; None where one slice was taken.

    Raises
    ------
    GeometryError
        If the array has no z, or z varies over several dims.
    """
    if "z" not in obj.coords:
        raise GeometryError("the array has no coordinate z")
    dims = obj.coords["z"].dims
    if len(dims) > 1:
        raise GeometryError(
            "z varies over several dims, so no dim counts the slices",
            expected="z over one dim",
            found=f"z over {tuple(map(str, dims))}",
            remedy="Take one label of each but one of them, or open with z among dims=",
        )
    return str(dims[0]) if dims else None


def _step(obj: xr.DataArray | xr.Dataset, dim: str, assumed: float | None) -> float:
    if dim not in obj.coords:
        raise GeometryError(f"the array has no coordinate {dim}")
    coordinate = obj.coords[dim]
    if coordinate.attrs.get("units") != "mm":
        raise GeometryError(
            f"the spacing along {dim} is unknown", found=f"units {coordinate.attrs.get('units')!r}"
        )
    values = np.atleast_1d(np.asarray(coordinate.values, dtype=np.float64))
    if len(values) < 2:
        if assumed is None:
            raise GeometryError(
                f"one position along {dim} tells no spacing",
                remedy="Take the affine before selecting a single one",
            )
        return assumed
    steps = np.diff(values)
    mean = float((values[-1] - values[0]) / (len(values) - 1))
    off = np.abs(steps - mean).max()
    if off > max(_STEP_TOLERANCE * abs(mean), _ROUNDING) or mean == 0:
        raise GeometryError(
            f"positions along {dim} are not evenly spaced",
            expected=f"steps of {mean:g} mm",
            found=f"steps from {steps.min():g} to {steps.max():g} mm",
            remedy="No affine describes them; use the coordinate itself, or resample z with "
            ".dicom.rectify(step=…)",
        )
    return mean


def _steps(obj: xr.DataArray | xr.Dataset) -> tuple[float, float, float]:
    plane = _plane_spacing(obj)
    return slice_step(obj), *plane


def slice_step(obj: xr.DataArray | xr.Dataset) -> float:
    """Step of z in mm, negative where slices descend; that of its stack for a single slice.

    Raises
    ------
    GeometryError
        If it is unknown, or slices are not evenly spaced.
    """
    slice_dim(obj)
    space = _space(obj)
    return _step(obj, "z", space.get("z_step_assumed", space.get("z_step")))


def _plane_spacing(obj: xr.DataArray | xr.Dataset) -> tuple[float, float]:
    return _step(obj, "y", None), _step(obj, "x", None)


def spacing(obj: xr.DataArray | xr.Dataset) -> tuple[float, float, float]:
    """Distance between neighbouring voxels along z, y and x in mm.

    Returns
    -------
    tuple of float
        Positive; in the order z, y, x. A slice selected alone has the spacing of its stack; a
        series of one slice that of SpacingBetweenSlices, else of SliceThickness.

    Raises
    ------
    GeometryError
        If positions are unknown or not evenly spaced.
    """
    dz, dy, dx = _steps(obj)
    return abs(dz), abs(dy), abs(dx)


def affine(obj: xr.DataArray | xr.Dataset) -> Floats:
    """Index to patient: ``affine @ [k, i, j, 1]`` is the place of voxel (z, y, x) in mm, L P S.

    Computed from the coordinates, so it is right after crops, strides and flips. Of a whole-slide
    image it leads to the slide's own X, Y, Z in mm (PS3.3 C.8.12.2), and k is the focal plane.

    Returns
    -------
    numpy.ndarray, shape (4, 4)
        Columns for z, y, x and the first voxel's centre.

    Raises
    ------
    GeometryError
        If positions are unknown, slices are not evenly spaced, or a shear is not linear.
    """
    row, column = orientation(obj)
    normal = np.cross(row, column)
    dz, dy, dx = _steps(obj)
    x0, y0, z0 = (float(np.atleast_1d(obj.coords[d].values)[0]) for d in ("x", "y", "z"))
    found = np.eye(4)
    found[:3, 1] = dy * column
    found[:3, 2] = dx * row
    if _space(obj)["geometry"] == "sheared":
        origins = plane_origins(obj)
        step = (origins[-1] - origins[0]) / max(len(origins) - 1, 1)
        predicted = origins[0] + np.arange(len(origins))[:, None] * step
        off = float(np.abs(origins - predicted).max())
        if len(origins) < 2 or off > max(_STEP_TOLERANCE * abs(dz), _ROUNDING):
            raise GeometryError(
                "the slices do not drift evenly",
                expected="a linear shear",
                found=f"off by {off:g} mm",
            )
        found[:3, 0] = step
        found[:3, 3] = origins[0] + x0 * row + y0 * column
        return found
    found[:3, 0] = dz * normal
    found[:3, 3] = x0 * row + y0 * column + z0 * normal
    return found


def plane_origins(obj: xr.DataArray | xr.Dataset) -> Floats:
    """Where x = y = 0 lies in each slice, mm L P S, shape (slices, 3).

    Raises
    ------
    GeometryError
        If the stack is sheared and what says so was dropped.
    """
    row, column = orientation(obj)
    dim = slice_dim(obj)
    z = np.atleast_1d(np.asarray(obj.coords["z"].values, dtype=np.float64))
    space = _space(obj)
    normal = np.cross(row, column)
    if space["geometry"] != "sheared":
        return np.asarray(z[:, None] * normal)
    if "shear" in space:
        x0, x_drift, y0, y_drift = space["shear"]
        x, y = x0 + x_drift * z, y0 + y_drift * z
        return np.asarray(x[:, None] * row + y[:, None] * column + z[:, None] * normal)
    positions = obj.coords.get("ImagePositionPatient")
    if positions is None and "frame_id" in obj.coords:
        # xarray gives a DataArray no coordinate that has a dim of its own
        positions = attribute_values(obj, "ImagePositionPatient")
    if positions is None or not {"lps", *([dim] if dim else [])} <= set(positions.dims):
        raise GeometryError(
            f"the sheared stack has lost ImagePositionPatient({dim or 'z'}, lps)",
            remedy="Use the array as it was opened, or .dicom.rectify() it first",
        )
    along = [dim, "lps"] if dim else ["lps"]
    # of the frames of a slice, the first that is there
    each = np.asarray(positions.transpose(*along, ...).values, dtype=np.float64)
    each = each.reshape(len(z), 3, -1)
    first = np.isfinite(each).all(axis=1).argmax(axis=1)
    return _without_gaps(each[np.arange(len(z)), :, first], z)


def _without_gaps(origins: Floats, z: Floats) -> Floats:
    """Origins where no frame of a slice tells it: on the line from the first to the last known."""
    known = np.flatnonzero(np.isfinite(origins).all(axis=1))
    if len(known) == len(origins):
        return origins
    if len(known) < 2:
        raise GeometryError(
            "fewer than two slices of the sheared stack have a frame that tells where they begin"
        )
    low, high = known[0], known[-1]
    share = (z - z[low]) / (z[high] - z[low])
    line = origins[low] + share[:, None] * (origins[high] - origins[low])
    return np.where(np.isfinite(origins), origins, line)


def affine_nifti(obj: xr.DataArray | xr.Dataset) -> Floats:
    """The affine of NIfTI: index (x, y, z) to millimetres R A S.

    Returns
    -------
    numpy.ndarray, shape (4, 4)
    """
    if _space(obj)["geometry"] == "slide":
        raise GeometryError(
            "a slide has no place in the patient, which NIfTI's axes R, A, S need",
            remedy=".dicom.affine leads to the slide's own X, Y, Z",
        )
    own = affine(obj)
    swapped = own[:, [2, 1, 0, 3]]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ swapped
