"""Attributes that frames must have become an outer selection of an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import NotHypercubeError
from xdicom.headers.match import matches
from xdicom.selecting.provenance import Provenance, Source, locate, pixels_of
from xdicom.selecting.values import Key, column_of

T = TypeVar("T", xr.DataArray, xr.Dataset)


def mask_of(
    provenance: Provenance, attributes: Mapping[Key, Any]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which cells match all attributes, and which hold a frame; shapes of the frame dims."""
    mask = np.ones(provenance.rows.shape, bool)
    for key, wanted in attributes.items():
        mask &= matches(column_of(provenance, key), wanted)[provenance.rows]
    present = provenance.rows >= 0
    return mask & present, present


def filter_frames(
    obj: T,
    attributes: Mapping[Key, Any],
    *,
    keep: str = "outer",
    source: Source | None = None,
) -> T:
    """Select the frames whose attributes have the values wanted.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such.
    attributes : mapping
        Keyword or tag → value, list of values, or ``slice(low, high)`` for a range with both ends
        included. Times as ``"10:00"``, ``"100000"``, `datetime.time`, timedelta or seconds. Text
        of several values (ImageType) matches by one of them.
    keep : {"outer", "mask"}
        ``outer``: matching frames must form an outer product of indices. ``mask``: keep the
        smallest outer product, NaN where a frame does not match.
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    DataArray or Dataset
        Dims are kept, at length 1 or 0 if need be; the dtype too (not by ``mask``).

    Raises
    ------
    NotHypercubeError
        If the matching frames form no outer product, with the ragged cells.
    """
    if keep not in ("outer", "mask"):
        raise ValueError(f'keep is "outer" or "mask", not {keep!r}')
    provenance = locate(obj, source)
    if not provenance.exact:
        raise NotHypercubeError(
            "the array is no longer one of single frames, so frames cannot be filtered",
            remedy="Filter before the reduction",
        )
    mask, present = mask_of(provenance, attributes)
    indexers: dict[Any, npt.NDArray[np.int64]] = {}
    for axis, dim in enumerate(provenance.dims):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        hit = mask.any(axis=others)
        if not hit.all():
            indexers[dim] = np.flatnonzero(hit)
    if not mask.size:
        return obj.isel({})
    if not mask.any():
        return _empty(obj, provenance, attributes)
    inner = mask
    holes = ~present
    for axis, dim in enumerate(provenance.dims):
        if dim in indexers:
            inner = np.take(inner, indexers[dim], axis=axis)
            holes = np.take(holes, indexers[dim], axis=axis)
    chosen = obj.isel(indexers)
    if (inner | holes).all():
        return chosen
    if keep == "mask":
        condition = xr.DataArray(inner, dims=provenance.dims)
        return chosen.where(condition)
    places = np.argwhere(~(inner | holes))[:10]
    listed = "; ".join(
        ", ".join(f"{d}={int(i)}" for d, i in zip(provenance.dims, p, strict=True)) for p in places
    )
    raise NotHypercubeError(
        f"the {int(mask.sum())} matching frames form no outer product over "
        f"{', '.join(provenance.dims)}: no match at {listed}",
        remedy='keep="mask" gives NaN there; or filter by one attribute at a time',
    )


def _empty(obj: T, provenance: Provenance, attributes: Mapping[Key, Any]) -> T:
    """The array with length 0 along the dims that the attributes depend on."""
    dims: set[str] = set()
    for key in attributes:
        codes = column_of(provenance, key).codes[provenance.rows]
        for axis, dim in enumerate(provenance.dims):
            if codes.size and (codes != np.take(codes, [0], axis=axis)).any():
                dims.add(dim)
    if not dims and provenance.dims:
        dims = {provenance.dims[0]}
    if not dims:
        dims = {str(pixels_of(obj).dims[0])}
    return obj.isel(dict.fromkeys(dims, slice(0, 0)))
