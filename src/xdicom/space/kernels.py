"""Values on one lattice become values at the voxels of another: numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from xdicom.space.lattice import Floats, Lattice, inside

Array: TypeAlias = npt.NDArray[Any]
Index: TypeAlias = tuple[Floats, Floats, Floats]
Kernel: TypeAlias = Callable[[Array, Index, Array], None]
"""Takes values (volumes, planes, rows, columns) and an index, and fills (volumes, points)."""

SUPPORT: Final = {"nearest": 1, "linear": 1, "cubic": 16}
"""Voxels around a point that its value depends on; of a cubic spline's tail 1e-9 is left out."""
_PAD: Final = 12


def plane_index(source: Lattice, target: Lattice, plane: int) -> Index:
    """Index in the source of all voxels of a plane of the target, each shape (rows, columns)."""
    origins, directions = target.axes_in(source)
    down = target.y[:, None, None] * directions[0]
    along = target.x[None, :, None] * directions[1]
    place = origins[plane] + down + along
    return source.index(place[..., 0], place[..., 1], place[..., 2])


def resampled(
    values: Array,
    source: Lattice,
    target: Lattice,
    method: str,
    fill_value: Any,
    dtype: np.dtype[Any],
) -> Array:
    """Values at the voxels of the target.

    Parameters
    ----------
    values : array, shape (…, planes, rows, columns) of the source
        Numbers; labels for method ``"labels"``.
    source, target : Lattice
        Where voxels lie.
    method : str
        ``"nearest"``, ``"linear"``, ``"cubic"`` or ``"labels"`` (linear fractions of each label).
    fill_value : number
        Of voxels outside of the source.
    dtype : numpy.dtype
        Of the result.

    Returns
    -------
    numpy.ndarray, shape (…, planes, rows, columns) of the target
    """
    outer = values.shape[:-3]
    volumes = values.reshape(-1, *values.shape[-3:])
    found = np.full((len(volumes), *target.shape), fill_value, dtype)
    sampler = _SAMPLERS[method](volumes)
    for plane in range(target.shape[0]):
        index = plane_index(source, target, plane)
        within = inside(index, source.shape)
        if not within.any():
            continue
        whole = bool(within.all())
        at = np.stack([axis.ravel() if whole else axis[within] for axis in index])
        for number in range(len(volumes)):
            sampled = sampler(number, at)
            if whole:
                found[number, plane] = sampled.reshape(target.shape[1:])
            else:
                found[number, plane][within] = sampled
    return found.reshape(*outer, *target.shape)


def _nearest(volumes: Array) -> Callable[[int, Floats], Array]:
    shape = volumes.shape[1:]

    def sample(number: int, at: Floats) -> Array:
        k, i, j = (
            np.clip(np.floor(axis + 0.5), 0, size - 1).astype(np.intp)
            for axis, size in zip(at, shape, strict=True)
        )
        found: Array = volumes[number, k, i, j]
        return found

    return sample


def _linear(volumes: Array) -> Callable[[int, Floats], Array]:
    ndimage = _ndimage()
    volumes = _plain(volumes)

    def sample(number: int, at: Floats) -> Array:
        # up to half a voxel outside of the outermost centres counts as in the voxel
        found: Array = ndimage.map_coordinates(
            volumes[number], at, order=1, mode="nearest", output=volumes.dtype
        )
        return found

    return sample


def _cubic(volumes: Array) -> Callable[[int, Floats], Array]:
    ndimage = _ndimage()
    volumes = _plain(volumes)
    if not np.isfinite(volumes).all():
        raise ValueError(
            'method="cubic" needs finite values: a NaN would spread along whole lines; '
            'fill them first, or use method="linear"'
        )
    padded = np.pad(volumes, ((0, 0), *((_PAD, _PAD),) * 3), mode="edge")
    splines = [ndimage.spline_filter(v, 3, mode="mirror", output=_double(v)) for v in padded]

    def sample(number: int, at: Floats) -> Array:
        found: Array = ndimage.map_coordinates(
            splines[number], at + _PAD, order=3, mode="nearest", prefilter=False,
            output=volumes.dtype,
        )  # fmt: skip
        return found

    return sample


def _labels(volumes: Array) -> Callable[[int, Floats], Array]:
    """Of the labels around a point, the one that fills at least half of it; 0 where none does."""
    ndimage = _ndimage()
    present = [np.unique(volume) for volume in volumes]

    def sample(number: int, at: Floats) -> Array:
        found: Array = np.zeros(at.shape[1], volumes.dtype)
        for label in present[number][::-1]:
            share = (volumes[number] == label).astype(np.float32)
            fraction = ndimage.map_coordinates(share, at, order=1, mode="nearest")
            # of two equal halves the smaller label, but never 0, takes the voxel
            if label:
                found[fraction >= 0.5 - 1e-6] = label
        return found

    return sample


_SAMPLERS: Final[dict[str, Callable[[Array], Callable[[int, Floats], Array]]]] = {
    "nearest": _nearest,
    "linear": _linear,
    "cubic": _cubic,
    "labels": _labels,
}


def _ndimage() -> Any:
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError(
            "interpolation needs scipy: pip install 'xdicom[space]'; method=\"nearest\" does not"
        ) from error
    return ndimage


def _double(values: Array) -> Any:
    return np.complex128 if values.dtype.kind == "c" else np.float64


def _plain(values: Array) -> Array:
    """Floats that scipy takes: float32, float64 or complex, in native byte order."""
    return np.ascontiguousarray(values, dtype=float_of(values.dtype))


def float_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The float type that holds all values of a type of up to 16 bits, else float64.

    Examples
    --------
    >>> float_of(np.dtype("int16")), float_of(np.dtype("int32"))
    (dtype('float32'), dtype('float64'))
    """
    if dtype.kind == "c":
        return np.dtype(np.complex64 if dtype.itemsize <= 8 else np.complex128)
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)
