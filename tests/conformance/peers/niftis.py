"""Our arrays and dcm2niix's images become pairs: which volume of ours each of its volumes is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import xarray as xr

from peers.collections import Conversion, Nifti, frame_dims
from peers.placement import TOLERANCE, Placement, place

EXTRA = ("_Eq_1", "_Tilt_Eq_1", "_ROI1")
"""What dcm2niix writes beside the images themselves: slices interpolated to an even distance, a
tilt corrected, an overlay. Resampling must be asked for (SPEC §5.4), overlays are no pixels
(SPEC §4.1)."""


_FLOAT32 = 1e-6
"""Of the greatest value: what the order of a product and a sum may change in float32."""


@dataclass(frozen=True)
class Pair:
    """One image of dcm2niix and the volumes of an array that it holds."""

    nifti: Nifti
    """The image."""
    volumes: tuple[dict[str, int], ...]
    """Index along our frame dims of each of its volumes."""
    placement: Placement
    """How a volume lies in it."""
    exact: bool
    """Whether all its voxels are ours by digest, not only those that are listed."""


def images(conversion: Conversion) -> list[Nifti]:
    """The images that are the frames themselves."""
    return [n for n in conversion.niftis if not n.name.endswith(EXTRA)]


def pair(
    array: xr.DataArray,
    nifti: Nifti,
    *,
    scaled: xr.DataArray | None = None,
    by_slice: bool = False,
) -> Pair | None:
    """Find a dcm2niix image in an array; None where grid, position or values are others.

    Parameters
    ----------
    array : DataArray
        Stored values; dims z, y, x among others.
    nifti : Nifti
        The image.
    scaled : DataArray, optional
        The same array with the modality transform, which dcm2niix applies where it differs between
        slices: the image is float then.
    by_slice : bool
        Whether the image's affine holds for its first slice only, and in the plane for the others.
    """
    placement = place(array, nifti.affine, nifti.shape, ras=True)
    if placement is None:
        return None
    error = placement.error
    if by_slice:
        error = max(placement.first_error, placement.slice_error)
    if error > TOLERANCE:
        return None
    whole = nifti.dtype.kind != "f"
    if not whole and scaled is None:
        return None
    dims = frame_dims(array)
    values = (
        (array if whole or scaled is None else scaled).transpose(*dims, "z", "y", "x", ...).values
    )
    for volumes in _orders(array, nifti, placement, values):
        if not whole:
            return Pair(nifti, tuple(volumes), placement, exact=False)
        stack = np.stack([placement.applied(_at(values, dims, v)) for v in volumes], axis=3)
        voxels = as_voxels(stack, nifti.dtype)
        if hashlib.sha256(voxels.tobytes("F")).hexdigest() == nifti.digest:
            return Pair(nifti, tuple(volumes), placement, exact=True)
    return None


def placed_alone(array: xr.DataArray, nifti: Nifti) -> Pair | None:
    """An image of one volume that lies where a volume of ours does, whatever its values."""
    placement = place(array, nifti.affine, nifti.shape, ras=True)
    if placement is None or placement.error > TOLERANCE or nifti.volumes > 1 or frame_dims(array):
        return None
    return Pair(nifti, ({},), placement, exact=False)


def _at(values: np.ndarray, dims: Sequence[str], volume: dict[str, int]) -> np.ndarray:
    found: np.ndarray = values[tuple(volume[d] for d in dims)]
    return found


def _orders(
    array: xr.DataArray, nifti: Nifti, placement: Placement, values: np.ndarray
) -> Iterator[list[dict[str, int]]]:
    """Ways in which volumes of ours may make up the image: along our dims, or by their voxels."""
    dims = frame_dims(array)
    sizes = {d: array.sizes[d] for d in dims}
    for count in range(len(dims) + 1):
        for free in permutations(dims, count):
            if np.prod([sizes[d] for d in free], dtype=int) != nifti.volumes:
                continue
            fixed = [d for d in dims if d not in free]
            for at in product(*(range(sizes[d]) for d in fixed)):
                base = dict(zip(fixed, at, strict=True))
                volumes = [
                    {d: (base | dict(zip(free, index, strict=True)))[d] for d in dims}
                    for index in np.ndindex(*(sizes[d] for d in free))
                ]
                if all(
                    voxels_agree(placement.applied(_at(values, dims, v)), nifti, t)
                    for t, v in enumerate(volumes)
                ):
                    yield volumes
    every = [dict(zip(dims, at, strict=True)) for at in np.ndindex(*sizes.values())]
    chosen = []
    for t in range(nifti.volumes):
        fits = [v for v in every if voxels_agree(placement.applied(_at(values, dims, v)), nifti, t)]
        if len(fits) != 1:
            return
        chosen.append({d: int(i) for d, i in fits[0].items()})
    yield chosen


def voxels_agree(volume: np.ndarray, nifti: Nifti, t: int, slack: float = 0.0) -> bool:
    """Whether a volume (i, j, k[, sample]) has the listed values of the image's volume t."""
    return _agree(volume, nifti, [(i, v) for i, v in nifti.voxels if _volume_of(i) == t], slack)


def plane_agrees(plane: np.ndarray, nifti: Nifti, k: int, t: int, slack: float = 0.0) -> bool:
    """Whether a plane (i, j, 1[, sample]) has the listed values of plane k of volume t."""
    listed = [((*i[:2], 0), v) for i, v in nifti.voxels if i[2] == k and _volume_of(i) == t]
    return _agree(plane, nifti, listed, slack)


def _volume_of(index: tuple[int, ...]) -> int:
    return index[3] if len(index) > 3 else 0


def _agree(
    volume: np.ndarray,
    nifti: Nifti,
    listed: Sequence[tuple[tuple[int, ...], object]],
    slack: float,
) -> bool:
    """Integers must be equal; a modality transform may have been rounded in another order."""
    if not listed:
        return True
    ours = np.array([volume[index[:3]] for index, _ in listed])
    theirs = np.array([value for _, value in listed])
    if nifti.dtype.kind == "f":
        slack += _FLOAT32 * float(np.abs(theirs).max())
    return bool(ours.shape == theirs.shape and (np.abs(ours.astype(float) - theirs) <= slack).all())


def as_voxels(stack: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Volumes (i, j, k, t) or (i, j, k, t, sample) in the dtype of a NIfTI."""
    if dtype.names is None:
        return stack.astype(dtype)
    return np.ascontiguousarray(stack, dtype="u1").view(dtype)[..., 0]
