"""An array gets dask chunks of whole frames."""

from __future__ import annotations

from typing import Any

import xarray as xr


def chunked(array: xr.DataArray, chunks: Any) -> xr.DataArray:
    """Wrap the pixels in dask, whole frames to a chunk, and leave the coordinates in numpy."""
    variable = array.variable
    preferred = variable.encoding.get("preferred_chunks", {})
    if chunks == {}:
        chunks = dict(preferred)
    elif chunks == "auto":
        sizes = dict.fromkeys(array.dims, "auto")
        whole = {d: n for d, n in preferred.items() if d in ("y", "x", "sample")}
        chunks = {**sizes, **whole}
    elif isinstance(chunks, dict):
        chunks = {**preferred, **chunks}
    return array.copy(data=variable.chunk(chunks).data)
