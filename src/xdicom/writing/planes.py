"""Coordinates x, y and z become where each written frame lies (SPEC §6.2, PS3.3 C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import ConformanceError
from xdicom.series.geometry import (
    POSITION_TOLERANCE,
    in_plane_spacing,
    regularity,
    slice_codes,
)
from xdicom.series.regions import region_coordinates
from xdicom.writing.selection import Selection

Floats = npt.NDArray[np.float64]

_ROUNDING: Final = 2e-5
"""mm: what rounding coordinates to 1e-5 mm leaves of equal steps."""
_UNEVEN: Final = 1e-3
"""Of a pixel: steps that differ by more are no spacing."""
_SPACING_CLUSTER: Final = 1e-3
"""PixelSpacing of the frames of one array may differ by so much of itself (SPEC §1.2)."""
_UNKNOWN: Final = "the coordinates cannot be written as a place in the patient"


@dataclass(frozen=True, eq=False)
class Line:
    """Pixels along one in-plane dim, counted in pixels of the source."""

    count: int
    """Pixels."""
    offset: Floats
    """Place of the first, shape (frames,)."""
    step: float
    """From one to the next; negative where flipped."""
    whole: int
    """Pixels of the source."""

    @property
    def changed(self) -> bool:
        """Whether these are not just the pixels of the source."""
        return self.count != self.whole or self.step != 1 or bool(self.offset.any())


@dataclass(frozen=True, eq=False)
class Planes:
    """Where the frames lie, in their order."""

    y: Line
    """Along columns."""
    x: Line
    """Along rows."""
    position: Floats
    """ImagePositionPatient, mm, shape (frames, 3); NaN where the source has none."""
    orientation: Floats
    """ImageOrientationPatient, shape (frames, 6); NaN where the source has none."""
    shifted: npt.NDArray[np.bool_]
    """Whether a frame left its plane, along the normal; shape (frames,)."""
    slice_step: float | None
    """Between slices, mm; NaN where uneven, None where one position tells none."""

    @cached_property
    def layout(self) -> bool:
        """Whether a crop, a flip or a stride changed the pixels of a plane."""
        return self.y.changed or self.x.changed

    @property
    def flipped(self) -> tuple[bool, bool]:
        """Whether y and x run against the source."""
        return self.y.step < 0, self.x.step < 0


def plan_planes(selection: Selection) -> Planes:
    """Find the place of each frame from the coordinates, and from its header where they agree.

    A frame's own position is moved by whole pixels where the coordinates are those of a crop,
    flip or stride, so that nothing is lost to rounding; by the distance they say otherwise.

    Raises
    ------
    ConformanceError
        If x or y is lost or uneven, or says a place that the headers do not let be written.
    """
    table, rows = selection.table, selection.flat
    array = selection.array
    position = table.numbers("ImagePositionPatient", 3).reshape(-1, 3)[rows]
    orientation = table.numbers("ImageOrientationPatient", 6).reshape(-1, 6)[rows]
    has_position = ~np.isnan(position).any(axis=1)
    placed = has_position & ~np.isnan(orientation).any(axis=1)
    kind, cosines = _space(array, bool(placed.any()))
    if kind in ("rectilinear", "sheared") and not placed.all():
        raise ConformanceError(
            f"{_UNKNOWN}: the headers hold no position and orientation, the array does",
            file=table.path(int(rows[np.flatnonzero(~placed)[0]])),
            remedy="Pass source= with the files that the array was made from",
        )
    part = table.take(rows)
    spacing, keyword = in_plane_spacing(part)
    mixed = bool(keyword) and not part.column(keyword).constant
    away = _off_plane(selection, cosines, position, kind)
    drift = max(POSITION_TOLERANCE, 1e-3 * _typical_step(position, cosines))
    lines = []
    for which, dim, size in ((0, "y", "Rows"), (1, "x", "Columns")):
        origin = np.zeros(rows.size)
        if kind == "rectilinear" and cosines is not None:
            origin = position @ cosines[1 - which]
        whole = int(table.numbers(size)[rows[0]])
        region = region_coordinates(part, whole, whole).get(dim) if spacing is None else None
        if region is not None and array.coords[dim].attrs.get("units") == "cm":
            first, second = region.values[:2].tolist()
            origin, pixel = origin + first, second - first
        else:
            pixel = _pixel(array, dim, kind, None if spacing is None else spacing[which])
        lines.append(
            _line(
                array,
                dim,
                whole=whole,
                pixel=pixel,
                origin=origin,
                slack=drift if kind == "rectilinear" else 0.0,
                mixed=mixed,
            )
        )
    y, x = lines
    moved = (y.offset != 0) | (x.offset != 0)
    turned = y.step < 0 or x.step < 0
    changed = y.changed or x.changed
    torn = (moved | turned) & (has_position != placed)
    lost = moved & placed if spacing is None else np.zeros_like(moved)
    distrusted = placed & (kind == "none" and changed)
    if (torn | lost | distrusted).any():
        raise ConformanceError(
            f"{_UNKNOWN}: the source lacks "
            + ("a spacing" if lost.any() else "one orientation and position of the whole plane"),
            file=table.path(int(rows[np.flatnonzero(torn | lost | distrusted)[0]])),
            found=table.strings("ImageType")[rows[0]] if distrusted.any() else None,
            remedy="Write whole planes, as they were opened",
        )
    if placed.any() and spacing is not None:
        row, column = _directions(orientation, cosines)
        step = x.offset[:, None] * spacing[1] * row + y.offset[:, None] * spacing[0] * column
        position = np.where(moved[:, None], position + step, position)
    if cosines is not None and away.any():
        position = position + away[:, None] * np.cross(*cosines)
    orientation = orientation * np.repeat(np.sign([x.step, y.step]), 3)
    between = _slice_step(position, cosines) if kind in ("rectilinear", "sheared") else None
    return Planes(y, x, position, orientation, away != 0, between)


def _space(array: xr.DataArray, placed: bool) -> tuple[str, Floats | None]:
    """The kind of geometry, and the cosines along rows and columns, shape (2, 3)."""
    space = array.coords.get("patient_space")
    attrs = {} if space is None else space.attrs
    if "geometry" not in attrs:
        if placed:
            raise ConformanceError(
                f"{_UNKNOWN}: the coordinate patient_space is gone",
                remedy="Take it from the array that was opened: "
                "da.assign_coords(patient_space=opened.patient_space)",
            )
        return "none", None
    cosines = attrs.get("ImageOrientationPatient")
    if cosines is None:
        return str(attrs["geometry"]), None
    return str(attrs["geometry"]), np.array(cosines, dtype=np.float64).reshape(2, 3)


def _directions(orientation: Floats, cosines: Floats | None) -> tuple[Floats, Floats]:
    """Orthonormal directions along rows and columns: those of x and y, else each frame's own."""
    if cosines is not None:
        return cosines[0], cosines[1]
    row = orientation[:, :3] / np.linalg.norm(orientation[:, :3], axis=1, keepdims=True)
    column = orientation[:, 3:] - (orientation[:, 3:] * row).sum(axis=1, keepdims=True) * row
    return row, column / np.linalg.norm(column, axis=1, keepdims=True)


def _pixel(array: xr.DataArray, dim: str, kind: str, spacing: float | None) -> float | None:
    """Size of a source pixel in mm where the coordinate is in mm, None where it counts pixels."""
    if dim not in array.coords:
        raise ConformanceError(
            f"{_UNKNOWN}: the coordinate {dim} is gone",
            remedy=f"Take it from the array that was opened: da.assign_coords({dim}=opened.{dim})",
        )
    units = array.coords[dim].attrs.get("units")
    if units is None and kind in ("rectilinear", "sheared"):
        units = "pixel" if spacing is None else "mm"
    if units == "pixel":
        return None
    if units != "mm" or spacing is None:
        raise ConformanceError(
            f"{_UNKNOWN}: it is unknown how {dim} counts the pixels of the source",
            expected="units mm, and a spacing in the headers; or units pixel",
            found=f"units {units!r}, spacing {spacing}",
            remedy=f"Take it from the array that was opened: da.assign_coords({dim}=opened.{dim})",
        )
    return spacing or 1.0


def _line(
    array: xr.DataArray,
    dim: str,
    *,
    whole: int,
    pixel: float | None,
    origin: Floats,
    slack: float,
    mixed: bool,
) -> Line:
    values = np.asarray(array.coords[dim].values, dtype=np.float64)
    size = pixel or 1.0
    if pixel is None:
        origin = np.zeros_like(origin)
    n = len(values)
    step = (values[-1] - values[0]) / (n - 1) / size if n > 1 else 1.0
    even = values[0] + np.arange(n) * step * size
    worst = float(np.abs(values - even).max())
    wide = abs(size)
    if not (np.isfinite(values).all() and step != 0) or worst > max(_ROUNDING, _UNEVEN * wide):
        raise ConformanceError(
            f"{_UNKNOWN}: {dim} is not evenly spaced",
            expected="one step from pixel to pixel",
            found=f"off by {worst:g} mm" if np.isfinite(worst) else "NaN",
            remedy=f"Interpolate onto even positions along {dim}",
        )
    loose = _SPACING_CLUSTER * abs(step) if mixed else (_ROUNDING + 1e-9) / wide / max(n - 1, 1)
    if round(step) and abs(step - round(step)) <= loose:
        step = float(round(step))
    offset = (values[0] - origin) / size
    near = np.rint(offset)
    offset = np.where(np.abs(offset - near) * wide <= slack + _ROUNDING, near, offset) + 0.0
    return Line(n, offset, step, whole)


def _typical_step(position: Floats, cosines: Floats | None) -> float:
    if cosines is None or np.isnan(position).any():
        return 0.0
    slices = slice_codes(position @ np.cross(*cosines))[1]
    return float(np.median(np.diff(slices))) if len(slices) > 1 else 0.0


def _off_plane(selection: Selection, cosines: Floats | None, position: Floats, kind: str) -> Floats:
    """How far z lies from each frame's own plane along the normal, mm; 0 within the tolerance."""
    none = np.zeros(len(position))
    if cosines is None or kind not in ("rectilinear", "sheared"):
        return none
    z = selection.array.coords.get("z")
    if z is None or not set(map(str, z.dims)) <= set(selection.dims):
        return none
    away = selection.along(z).astype(np.float64) - position @ np.cross(*cosines)
    away = np.where(np.abs(away) <= POSITION_TOLERANCE + _ROUNDING, 0.0, away)
    if not np.isfinite(away).all() or (kind == "sheared" and away.any()):
        raise ConformanceError(
            f"{_UNKNOWN}: z is not that of the headers, and the slices are sheared or z is NaN",
            remedy="Keep the coordinate z of the array that was opened",
        )
    return away


def _slice_step(position: Floats, cosines: Floats | None) -> float | None:
    """Distance between slices along the normal; NaN where it varies, None for one slice."""
    if cosines is None or np.isnan(position).any():
        return None
    slices = slice_codes(position @ np.cross(*cosines))[1]
    if len(slices) < 2:
        return None
    regular, _ = regularity(slices)
    return float(np.median(np.diff(slices))) if regular else float("nan")
