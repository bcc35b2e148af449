"""Keys of xarray become positions along each dim, and outer selections of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray.core import indexing

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]


def positions(key: Any, length: int) -> IntArray:
    """Positions that an int, a slice or an array of ints or bools selects.

    Examples
    --------
    >>> positions(-1, 4).tolist(), positions(slice(None, None, -2), 4).tolist()
    ([3], [3, 1])
    """
    if isinstance(key, slice):
        return np.arange(*key.indices(length))
    found = np.atleast_1d(np.asarray(key))
    if found.dtype == bool:
        return np.flatnonzero(found)
    return np.where(found < 0, found + length, found).astype(np.int64)


def outer(array: IntArray, key: tuple[Any, ...]) -> IntArray:
    """Outer indexing; ints drop their dim."""
    for axis in reversed(range(len(key))):
        array = array[(slice(None),) * axis + (key[axis],)]
    return array


def outer_keeping(array: Array, key: tuple[Any, ...]) -> Array:
    """Outer indexing in which ints keep their dim, at length 1."""
    for axis in reversed(range(len(key))):
        part = key[axis]
        if isinstance(part, (int, np.integer)):
            part = [part]
        array = array[(slice(None),) * axis + (part,)]
    return array


def dropped(key: tuple[Any, ...]) -> tuple[int, ...]:
    """Axes that ints of a key drop."""
    return tuple(i for i, k in enumerate(key) if isinstance(k, (int, np.integer)))


def transposed(
    key: indexing.VectorizedIndexer, read: Callable[[tuple[Any, ...]], Array]
) -> Array | None:
    """Read what a lazy ``transpose`` asks for: indices that each run along an axis of its own.

    Parameters
    ----------
    key : VectorizedIndexer
        Of xarray.
    read : callable
        Reads an outer selection.

    Returns
    -------
    array or None
        None for true pointwise indexing.
    """
    arrays = [np.asarray(k) for k in key.tuple]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    axes = [[i for i, n in enumerate(a.shape) if n > 1] for a in arrays]
    used = [x[0] for x in axes if len(x) == 1]
    if any(len(x) > 1 for x in axes) or len(set(used)) < len(used) or 0 in shape:
        return None
    found = read(tuple(a.reshape(-1) for a in arrays))
    kept = found.squeeze(tuple(i for i, x in enumerate(axes) if not x))
    return kept.transpose(np.argsort(used)).reshape(shape)
