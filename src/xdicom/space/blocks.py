"""Values on a lattice become values on another: at once, or as a dask array in blocks."""

from __future__ import annotations

from itertools import product
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from dask.utils import parse_bytes

from xdicom.space.kernels import SUPPORT, Array, resampled
from xdicom.space.lattice import Lattice
from xdicom.space.matching import Match


def _box(source: Lattice, target: Lattice, method: str) -> tuple[slice, slice, slice] | None:
    """The part of the source that the target's values depend on; None where that is nothing."""
    corners = np.array(list(product(*((0, size - 1) for size in target.shape))))
    if not target.even:
        k, corner = np.meshgrid(np.arange(target.shape[0]), np.arange(8), indexing="ij")
        corners = np.stack([k.ravel(), *corners[corner.ravel()].T[1:]], axis=1)
    places = source.locate(target.points(*corners.T))
    margin = SUPPORT.get(method, 1) + 1
    found = []
    for axis, place, size in zip(range(3), places, source.shape, strict=True):
        low, high = float(place.min()), float(place.max())
        if axis and not source.even:
            low, high = 0.0, size - 1.0  # between corners planes may lie further out
        if high < -1 or low > size:
            return None
        start = int(np.clip(np.floor(low) - margin, 0, size - 1))
        found.append(slice(start, int(np.clip(np.ceil(high) + margin, start, size - 1)) + 1))
    return found[0], found[1], found[2]


def _values(
    part: Array, source: Lattice, target: Lattice, method: str, fill_value: Any, out: np.dtype[Any]
) -> Array:
    return resampled(np.asarray(part), source, target, method, fill_value, out)


def at_once(
    bare: xr.Variable,
    source: Lattice,
    target: Lattice,
    method: str,
    fill_value: Any,
    dtype: np.dtype[Any],
    found: Match | None,
) -> Array:
    """Values of an array in memory, or still in its files: only the part that is needed is read."""
    method = _exactly(method, found)
    box = _box(source, target, method)
    if box is None:
        return np.full((*bare.shape[:-3], *target.shape), fill_value, dtype)
    part = bare.isel(dict(zip(bare.dims[-3:], box, strict=True)))
    return _values(part.values, source.take(*box), target, method, fill_value, dtype)


def _exactly(method: str, found: Match | None) -> str:
    """Where voxels stand on voxels, the nearest is the value itself."""
    return "nearest" if found is not None else method


def in_blocks(
    values: Any,
    source: Lattice,
    target: Lattice,
    method: str,
    fill_value: Any,
    dtype: np.dtype[Any],
    found: Match | None,
) -> Any:
    """A dask array: planes of the target in blocks of at most dask's ``array.chunk-size``."""
    method = _exactly(method, found)
    outer = values.chunks[:-3]
    plane = int(np.prod(target.shape[1:])) * dtype.itemsize
    largest = plane * int(np.prod([max(c) for c in outer], dtype=np.int64))
    planes = max(1, parse_bytes(dask.config.get("array.chunk-size")) // max(largest, 1))
    blocks = []
    for start in range(0, target.shape[0], planes):
        part = target.take(slice(start, start + planes))
        box = _box(source, part, method)
        chunks = (*outer, *((size,) for size in part.shape))
        if box is None:
            shape = (*values.shape[:-3], *part.shape)
            empty: Any = da.full
            blocks.append(empty(shape, fill_value, dtype=dtype, chunks=chunks))
            continue
        slab = values[(..., *box)].rechunk(dict.fromkeys((-3, -2, -1), -1))
        blocks.append(
            slab.map_blocks(
                _values,
                source=source.take(*box),
                target=part,
                method=method,
                fill_value=fill_value,
                out=dtype,
                dtype=dtype,
                chunks=chunks,
                meta=np.empty((0,) * values.ndim, dtype),
            )
        )
    joined: Any = da.concatenate
    return joined(blocks, axis=-3) if len(blocks) > 1 else blocks[0]
