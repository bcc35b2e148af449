"""An array becomes volumes whose axes run one way, with the affine that all formats agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import GeometryError, InconsistentSeriesError
from xdicom.selecting.position import affine, orientation, slice_dim
from xdicom.selecting.provenance import pixels_of

Floats = npt.NDArray[np.float64]

_SHEAR = 1e-4
"""Cosine between axes: above it a grid is sheared."""


@dataclass(frozen=True, eq=False)
class Volumes:
    """An array in patient space."""

    array: xr.DataArray
    """Dims (others…, z, y, x[, sample]); not computed."""
    affine: Floats
    """Index (z, y, x) to mm L, P, S; shape (4, 4)."""

    @property
    def others(self) -> tuple[str, ...]:
        """Dims beside z, y, x and sample."""
        return tuple(str(d) for d in self.array.dims if d not in ("z", "y", "x", "sample"))

    @property
    def colour(self) -> bool:
        """Whether voxels have several samples."""
        return "sample" in self.array.dims

    @property
    def spacing(self) -> Floats:
        """Of z, y and x, mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def sheared(self) -> bool:
        """Whether slices are shifted against each other."""
        axes = self.affine[:3, :3] / self.spacing
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR)

    def refuse_shear(self, what: str) -> None:
        """Raise for what has no shear.

        Raises
        ------
        GeometryError
            Naming `rectify`.
        """
        if self.sheared:
            raise GeometryError(
                f"the slices are sheared (gantry tilt), and {what} has right angles only",
                remedy="Resample with .dicom.rectify() first",
            )


def volumes_of(
    obj: xr.DataArray | xr.Dataset, *, signs: tuple[int, int, int] | None = None
) -> Volumes:
    """Put the dims in order, and turn the axes the way that is wanted.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient.
    signs : three of 1 and −1, optional
        Whether z, y and x are to ascend or descend along normal, column and row. None: as they
        are.

    Raises
    ------
    GeometryError
        If there is no affine.
    """
    array = pixels_of(obj)
    orientation(array)  # the plainer message where there is no place in the patient at all
    dim = slice_dim(array)
    if dim is None:
        array = array.expand_dims("z")
    elif dim != "z":
        array = array.swap_dims({dim: "z"})
    missing = {"y", "x"} - set(array.dims)
    if missing:
        raise GeometryError(
            f"the array has no dim {missing.pop()!r}: a volume has rows and columns",
            found=f"dims {tuple(array.dims)}",
        )
    for name, sign in zip(("z", "y", "x"), signs or (), strict=signs is not None):
        values = np.asarray(array.coords[name].values)
        if len(values) > 1 and (values[-1] - values[0]) * sign < 0:
            array = array.isel({name: slice(None, None, -1)})
    if array.size == 0:
        raise GeometryError("the selection is empty", found=f"sizes {dict(array.sizes)}")
    own = affine(array)
    for axis, (name, sign) in enumerate(zip(("z", "y", "x"), signs or (), strict=False)):
        if array.sizes[name] == 1 and sign < 0:
            own[:3, axis] *= -1  # one plane lies as well either way
    others = [d for d in array.dims if d not in ("z", "y", "x", "sample")]
    return Volumes(array.transpose(*others, "z", "y", "x", ...), own)


def seconds_of(array: xr.DataArray) -> Floats | None:
    """Seconds of each volume along time: its labels, else when its first frame was acquired."""
    labels = array.coords.get("time")
    if labels is not None and labels.attrs.get("units") == "s" and labels.dtype.kind in "iuf":
        return np.asarray(labels.values, dtype=np.float64)
    moments = array.coords.get("acquisition_datetime")
    if moments is None or "time" not in moments.dims or moments.dtype.kind != "M":
        return None
    first = moments.min([d for d in moments.dims if d != "time"]).values
    if np.isnat(first).any():
        return None
    return np.asarray((first - first[0]) / np.timedelta64(1, "s"), dtype=np.float64)


def stored_scaling(obj: xr.DataArray | xr.Dataset) -> tuple[float, float]:
    """Slope and intercept that stored values still need, (1, 0) for all others.

    Raises
    ------
    InconsistentSeriesError
        If they differ between frames, which one number in a header cannot say.
    """
    array = pixels_of(obj)
    if array.attrs.get("dicom_scaling") != "stored":
        return 1.0, 0.0
    found = []
    for name, otherwise in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0)):
        values: Any = array.coords[name].values if name in array.coords else otherwise
        distinct = np.unique(np.asarray(values, dtype=np.float64))
        if len(distinct) != 1 or not np.isfinite(distinct).all():
            raise InconsistentSeriesError(
                f"{name} differs between frames, and the file has one for all",
                found=f"{len(distinct)} values from {distinct.min():g} to {distinct.max():g}",
                remedy='Open with scaling="modality" (the default), which applies them',
            )
        found.append(float(distinct[0]))
    return found[0], found[1]
