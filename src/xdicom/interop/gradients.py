"""b-values and directions of an array become FSL's text files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import HeadersUnavailableError, MissingDirectionWarning, warn
from xdicom.selecting.position import orientation
from xdicom.selecting.values import values as attribute_values

Floats = npt.NDArray[np.float64]

_DIRECTION: Final = "DiffusionGradientOrientation"
_WEAK: Final = 50.0
"""s/mm²: up to here a volume needs no direction; scanners write b=1.25 for 0, imaging gradients."""
_UNIT: Final = 0.05
"""How far the length of a direction may be from 1."""


def write_gradients(obj: xr.DataArray | xr.Dataset, part: xr.DataArray, stem: Path) -> None:
    """Write ``stem.bval`` and ``stem.bvec`` for the volumes along diffusion, where both are known.

    Parameters
    ----------
    obj : DataArray or Dataset
        What the directions are found in: a Dataset's coordinates, or the headers.
    part : DataArray
        The volumes of the file.
    stem : path
        Without suffix.
    """
    b_values = part.coords.get("DiffusionBValue")
    if b_values is None or b_values.dims not in (("diffusion",), ()):
        return
    along = np.broadcast_to(np.asarray(b_values.values, np.float64), part.sizes["diffusion"])
    if np.isnan(along).any():
        return
    stem.with_name(stem.name + ".bval").write_text(" ".join(f"{b:g}" for b in along) + "\n")
    vectors = in_image_axes(part, _directions(obj, part))
    lacking = np.isnan(vectors).any(axis=1) & (along > _WEAK)
    if lacking.any():
        if not lacking[along > _WEAK].all():
            warn(
                f"{int(lacking.sum())} volumes of {stem.name} with b > {_WEAK:g} have no "
                "direction, so no .bvec was written",
                MissingDirectionWarning,
            )
        return
    rows = np.nan_to_num(vectors).T
    text = "\n".join(" ".join(f"{v:.6g}" for v in row) for row in rows)
    stem.with_name(stem.name + ".bvec").write_text(text + "\n")


def in_image_axes(part: xr.DataArray, directions: Floats) -> Floats:
    """Directions L, P, S along x, against y, and along z: FSL's for rows that are upside down.

    FSL's convention negates x where the affine keeps the hand, R, A, S; that of such an image does
    not (SPEC §2.1), so nothing is negated here.

    Parameters
    ----------
    part : DataArray
        With the orientation.
    directions : array, shape (volumes, 3)
        Unit vectors in L, P, S; NaN where there is none.
    """
    row, column = orientation(part)
    return np.asarray(directions @ np.stack([row, -column, np.cross(row, column)], axis=1) + 0.0)


def _directions(obj: xr.DataArray | xr.Dataset, part: xr.DataArray) -> Floats:
    """Direction of each volume, shape (volumes, 3); NaN where it is missing or zero."""
    count = part.sizes["diffusion"]
    found = obj.coords.get(_DIRECTION)
    if found is None:
        try:
            found = attribute_values(part, _DIRECTION)
        except HeadersUnavailableError:
            return np.full((count, 3), np.nan)
    if "lps" not in found.dims or "diffusion" not in found.dims:
        return np.full((count, 3), np.nan)
    each = np.asarray(found.transpose("diffusion", "lps", ...).values, dtype=np.float64)
    each = each.reshape(count, 3, -1)
    first = each[:, :, 0]
    if np.nanmax(np.abs(each - first[:, :, None]), initial=0) > 1e-3:
        return np.full((count, 3), np.nan)  # of one volume, slices say different ones
    length = np.linalg.norm(first, axis=1, keepdims=True)
    return np.where(np.abs(length - 1) <= _UNIT, first / np.where(length > 0, length, 1), np.nan)
