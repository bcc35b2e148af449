"""Our grid and another program's become a permutation, flips, and an error in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

TOLERANCE = 1e-3
"""Millimetres: what two programs may differ by (issue 1)."""

RAS = np.diag([-1.0, -1.0, 1.0])
"""L, P, S to R, A, S."""


@dataclass(frozen=True)
class Placement:
    """How the volume x, y, z of an array lies in another grid."""

    order: tuple[int, int, int]
    """Which of our axes x, y, z each of their axes is."""
    flipped: tuple[bool, bool, bool]
    """Whether each of their axes runs against ours."""
    error: float
    """Greatest distance of a corner voxel from where they have it, mm."""
    first_error: float
    """The same of the corners of their first slice alone."""
    slice_error: float
    """The same where each slice may be moved along their slice axis, as if it stood alone."""

    def applied(self, volume: np.ndarray) -> np.ndarray:
        """A volume (z, y, x[, sample]) in the order of their axes (i, j, k[, sample])."""
        moved = np.moveaxis(volume, (2, 1, 0), (0, 1, 2))
        moved = moved.transpose(*self.order, *range(3, moved.ndim))
        return np.flip(moved, [axis for axis, flip in enumerate(self.flipped) if flip])


def points(array: xr.DataArray, x: int, y: int, z: int) -> np.ndarray:
    """Where a voxel lies by the coordinates alone: P = x·r + y·c + z·n, mm L, P, S (SPEC §5.2)."""
    row, column = array.dicom.orientation
    along = float(array["x"][x]) * row + float(array["y"][y]) * column
    if array["patient_space"].attrs["geometry"] == "sheared":
        positions = array.dicom.values("ImagePositionPatient")
        others = {d: 0 for d in positions.dims if d not in ("z", "lps")}
        return np.asarray(positions.isel(others).isel(z=z).values + along)
    return np.asarray(along + float(array["z"][z]) * np.cross(row, column))


def corners(array: xr.DataArray) -> dict[tuple[int, int, int], np.ndarray]:
    """Index x, y, z of the corner voxels of the first and the last slice, and where they lie."""
    ends = [(0, array.sizes[d] - 1) for d in ("x", "y", "z")]
    return {at: points(array, *at) for at in product(*ends)}


def place(
    array: xr.DataArray, affine: np.ndarray, shape: tuple[int, ...], *, ras: bool
) -> Placement | None:
    """Find how an array lies in another grid; None where it has another shape.

    Parameters
    ----------
    array : DataArray
        With dims z, y, x among others, and geometry.
    affine : array, shape (4, 4)
        Their index to millimetres.
    shape : tuple of int
        Theirs, of a volume.
    ras : bool
        Whether their millimetres are R, A, S instead of L, P, S.
    """
    world = RAS if ras else np.eye(3)
    inverse = np.linalg.inv(affine)
    found = {at: (inverse @ [*(world @ point), 1.0])[:3] for at, point in corners(array).items()}
    sizes = [array.sizes[d] for d in ("x", "y", "z")]
    first = found[0, 0, 0]
    order, flipped = [-1, -1, -1], [False, False, False]
    for axis, size in sorted(enumerate(sizes), key=lambda item: -item[1]):
        last = [0, 0, 0]
        last[axis] = size - 1
        steps = found[tuple(last)] - first
        free = [i for i in range(3) if order[i] < 0]
        theirs = max(free, key=lambda i: abs(steps[i])) if size > 1 else free[0]
        order[theirs] = axis
        flipped[theirs] = bool(size > 1 and steps[theirs] < 0)
    if tuple(sizes[axis] for axis in order) != tuple(shape[:3]):
        return None
    along = order.index(2)
    errors, alone, firsts = [], [], []
    for at, index in found.items():
        wanted = [
            sizes[axis] - 1 - at[axis] if flip else at[axis]
            for axis, flip in zip(order, flipped, strict=True)
        ]
        off = index - wanted
        errors.append(float(np.linalg.norm(affine[:3, :3] @ off)))
        if wanted[along] == 0:
            firsts.append(errors[-1])
        off[along] = 0.0
        alone.append(float(np.linalg.norm(affine[:3, :3] @ off)))
    return Placement(
        (order[0], order[1], order[2]),
        (flipped[0], flipped[1], flipped[2]),
        max(errors),
        max(firsts),
        max(alone),
    )


def affine_error(array: xr.DataArray) -> float:
    """Distance of the corners by ``.dicom.affine`` from those by the coordinates, mm."""
    affine = array.dicom.affine
    return max(
        float(np.linalg.norm((affine @ [z, y, x, 1.0])[:3] - point))
        for (x, y, z), point in corners(array).items()
    )
