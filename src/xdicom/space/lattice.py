"""Coordinates of an array become a Lattice: where its voxels lie, and which voxel lies where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import GeometryError
from xdicom.selecting.position import orientation, plane_origins, slice_dim, slice_step
from xdicom.series.geometry import POSITION_TOLERANCE

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]

_ROUNDING: Final = 2e-5
"""mm: what rounding coordinates to 1e-5 mm leaves of equal steps."""
EDGE: Final = 1e-4
"""Voxels: what rounding may add to the half voxel around the outermost centres."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Parallel planes of voxels in the patient: P = origin of the plane + y·column + x·row."""

    row: Floats
    """Cosines along x in L, P, S, shape (3,)."""
    column: Floats
    """Cosines along y, shape (3,)."""
    z: Floats
    """Place of each plane along the normal, mm, shape (planes,)."""
    y: Floats
    """mm, shape (rows,)."""
    x: Floats
    """mm, shape (columns,)."""
    origins: Floats
    """Where x = y = 0 lies in each plane, mm L P S, shape (planes, 3)."""
    steps: tuple[float, float, float]
    """Size of a voxel along z, y and x, mm, for axes of one voxel; never 0."""
    dim: str | None
    """The dim that counts the planes; None where one plane was taken."""
    frame_of_reference: str
    """FrameOfReferenceUID, ``""`` where unknown."""

    @cached_property
    def normal(self) -> Floats:
        """Direction of z, shape (3,)."""
        return np.cross(self.row, self.column)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows, columns."""
        return len(self.z), len(self.y), len(self.x)

    @cached_property
    def drift(self) -> Floats:
        """The x and y of each plane's origin, (planes, 2); zero where nothing is sheared."""
        found = self.origins @ np.stack([self.row, self.column], axis=1)
        return np.asarray(np.where(np.abs(found) < 1e-9, 0.0, found))

    @cached_property
    def even(self) -> bool:
        """Whether an affine describes the planes: equal steps, and a shear that is linear."""
        return _is_even(self.z, 1) and all(_is_even(d, 0) for d in self.drift.T)

    def take(self, planes: slice, rows: slice = np.s_[:], columns: slice = np.s_[:]) -> Lattice:
        """A part of it."""
        return replace(
            self,
            z=self.z[planes],
            origins=self.origins[planes],
            y=self.y[rows],
            x=self.x[columns],
            steps=self.steps,
        )

    def points(self, k: Any, i: Any, j: Any) -> Floats:
        """Where voxels lie: whole indices (broadcast) to mm L P S, shape (…, 3)."""
        k, i, j = np.broadcast_arrays(k, i, j)
        found = self.origins[k] + self.y[i][..., None] * self.column
        return np.asarray(found + self.x[j][..., None] * self.row)

    def locate(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Fractional index (plane, row, column) of points of shape (…, 3) in mm L P S."""
        return self.index(points @ self.normal, points @ self.column, points @ self.row)

    def index(self, z: Floats, y: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Fractional index of points by their distances along normal, column and row, mm."""
        k = _fraction(self.z, z, self.steps[0])
        if self.drift.any():
            planes = np.arange(len(self.z))
            x = x - np.interp(k, planes, self.drift[:, 0])
            y = y - np.interp(k, planes, self.drift[:, 1])
        return k, _fraction(self.y, y, self.steps[1]), _fraction(self.x, x, self.steps[2])

    def axes_in(self, other: Lattice) -> tuple[Floats, Floats]:
        """Its axes and its planes in another's directions: what ``index`` of the other needs.

        Returns
        -------
        origins : shape (planes, 3)
            Distances of the planes' origins along the other's normal, column and row.
        directions : shape (2, 3)
            What one mm along y and along x adds to them.
        """
        basis = np.stack([other.normal, other.column, other.row], axis=1)
        return self.origins @ basis, np.stack([self.column, self.row]) @ basis


def _is_even(values: Floats, least: int) -> bool:
    if len(values) < 2 + least:
        return True
    line = np.linspace(values[0], values[-1], len(values))
    return bool(np.abs(values - line).max() <= _ROUNDING)


def _fraction(values: Floats, at: Floats, step: float) -> Floats:
    """Fractional index of places along an axis; beyond its ends by the outermost steps."""
    if len(values) < 2:
        return np.asarray((at - values[0]) / step)
    if _is_even(values, 1):
        return np.asarray((at - values[0]) * ((len(values) - 1) / (values[-1] - values[0])))
    sign = 1.0 if values[-1] > values[0] else -1.0
    known = sign * values
    ends = [2 * known[0] - known[1]], [2 * known[-1] - known[-2]]
    # one step beyond the ends is far enough to be outside, wherever the point lies
    wide = np.concatenate([ends[0], known, ends[1]])
    return np.asarray(np.interp(sign * at, wide, np.arange(-1.0, len(values) + 1)))


def inside(index: tuple[Floats, Floats, Floats], shape: tuple[int, int, int]) -> Any:
    """Whether points lie in a voxel: up to half a voxel beyond the outermost centres."""
    found: Any = True
    for axis, size in zip(index, shape, strict=True):
        found = found & (axis >= -0.5 - EDGE) & (axis <= size - 0.5 + EDGE)
    return found


def lattice_of(obj: xr.DataArray | xr.Dataset) -> Lattice:
    """The lattice of an array from its coordinates; slices may be unevenly spaced.

    Raises
    ------
    GeometryError
        If the array has no single orientation, x or y is lost or uneven, planes stand twice, or
        the thickness of a single slice is unknown.
    """
    row, column = orientation(obj)
    dim = slice_dim(obj)
    values: dict[str, Floats] = {}
    steps = []
    for name in ("z", "y", "x"):
        coordinate = obj.coords.get(name)
        if coordinate is None or (name != "z" and coordinate.dims != (name,)):
            raise GeometryError(f"the array has no coordinate {name} along a dim {name}")
        if coordinate.attrs.get("units", "mm") != "mm":
            raise GeometryError(
                f"the spacing along {name} is unknown", found=f"units {coordinate.attrs['units']!r}"
            )
        along = np.atleast_1d(np.asarray(coordinate.values, dtype=np.float64))
        if not along.size:
            raise GeometryError(f"the array is empty along {name}")
        differences = np.diff(along)
        if not np.isfinite(along).all() or (differences * np.sign(differences[:1]) <= 0).any():
            raise GeometryError(
                f"{name} does not go one way: positions repeat, turn back, or are unknown",
                remedy=f"Sort the array along {name}, and keep one of each position",
            )
        values[name] = along
        steps.append(_size(obj, name, along))
    space = obj.coords["patient_space"].attrs
    return Lattice(
        row,
        column,
        values["z"],
        values["y"],
        values["x"],
        plane_origins(obj),
        (steps[0], steps[1], steps[2]),
        dim,
        str(space.get("FrameOfReferenceUID", "")),
    )


def _size(obj: xr.DataArray | xr.Dataset, name: str, along: Floats) -> float:
    """Size of a voxel along an axis, mm."""
    if len(along) > 1:
        mean = float((along[-1] - along[0]) / (len(along) - 1))
        if name != "z" and np.abs(np.diff(along) - mean).max() > POSITION_TOLERANCE * abs(mean):
            raise GeometryError(
                f"positions along {name} are not evenly spaced",
                expected=f"steps of {mean:g} mm",
                found=f"{np.diff(along).min():g} to {np.diff(along).max():g} mm",
            )
        return mean
    if name == "z":
        return slice_step(obj)
    raise GeometryError(
        f"one position along {name} tells no spacing",
        remedy=f"Keep at least two along {name}",
    )
