"""An array gets dask chunks of whole frames, or of whole tiles."""

from __future__ import annotations

from typing import Any

import xarray as xr
from dask.array.core import normalize_chunks


def chunked(array: xr.DataArray, chunks: Any) -> xr.DataArray:
    """Wrap the pixels in dask, whole frames to a chunk, and leave the coordinates in numpy."""
    variable = array.variable
    preferred = variable.encoding.get("preferred_chunks", {})
    if chunks == {}:
        chunks = dict(preferred)
    elif chunks == "auto":
        chunks = _automatic(array, preferred)
    elif isinstance(chunks, dict):
        chunks = {**preferred, **chunks}
    return array.copy(data=variable.chunk(chunks).data)


def _automatic(array: xr.DataArray, preferred: dict[Any, int]) -> dict[Any, Any]:
    """Chunks up to dask's size: whole frames, or as many whole tiles as fit."""
    plane = {d: n for d, n in preferred.items() if d in ("y", "x", "sample")}
    whole = {d: n for d, n in plane.items() if n >= array.sizes[d]}
    chunks = {**dict.fromkeys(array.dims, "auto"), **whole}
    if len(whole) == len(plane):
        return chunks
    tiles = normalize_chunks(  # type: ignore[no-untyped-call]
        [preferred.get(d, 1) for d in array.dims], array.shape
    )
    found = normalize_chunks(  # type: ignore[no-untyped-call]
        tuple(chunks.values()), array.shape, dtype=array.dtype, previous_chunks=tiles
    )
    return dict(zip(array.dims, found, strict=True))
