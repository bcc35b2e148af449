"""A path or a catalog becomes a lazy DataArray."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import xarray as xr

from xdicom.api.catalog import Catalog
from xdicom.api.chunks import chunked
from xdicom.errors import UnsupportedOptionError
from xdicom.opening.arrays import VARIABLE
from xdicom.opening.options import options_from
from xdicom.opening.trees import open_one
from xdicom.sources.base import Where


def open_series(
    where: Where | Catalog,
    *,
    chunks: Any = None,
    cache: str | None = None,
    drop_variables: str | Iterable[str] | None = None,
    **options: Any,
) -> xr.DataArray:
    """Open one series as a lazy, labelled array.

    Parameters
    ----------
    where : path, iterable of paths or Catalog
        Folder (walked to the bottom), file or files; a DICOMDIR file; what `scan` gave.
    chunks : int, dict, "auto" or None
        None: lazy without dask. ``{}``: dask with one frame a chunk. ``"auto"``: whole frames up
        to dask's ``array.chunk-size``. Coordinates stay in numpy.
    cache : str, optional
        Folder to cache in; declared, and not available in this version.
    drop_variables : str or iterable of str, optional
        Coordinates to leave out.
    **options
        The options of `xdicom.opening.options.OpenOptions`; ``docs/options.md`` lists them.

    Returns
    -------
    xarray.DataArray
        ``pixels``, dims (frame dims…, z, y, x[, sample]); float32 modality values by default.

    Raises
    ------
    AmbiguousSeriesError
        If several arrays match; the message lists them.
    NotHypercubeError
        If the frames do not fill a grid; the message lists holes and remedies.
    XDicomError
        For files that are wrong.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> da = open_series(get_testdata_file("CT_small.dcm"))
    >>> da.dims, da.shape, str(da.dtype), da.attrs["units"]
    (('z', 'y', 'x'), (1, 128, 128), 'float32', 'HU')
    """
    if cache is not None:
        raise UnsupportedOptionError(
            f"cache={cache!r} is declared but not available in this version of xdicom"
        )
    if isinstance(where, Catalog):
        return where.open(chunks=chunks, drop_variables=drop_variables, **options)
    array = open_one(where, options_from(options))[VARIABLE]
    if drop_variables is not None:
        array = array.drop_vars(drop_variables, errors="ignore")
    if chunks is not None:
        array = chunked(array, chunks)
    return array
