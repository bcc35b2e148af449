"""An array becomes its frames, one after the other, the next one read while one is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.selecting.provenance import pixels_of

_PLANE: Final = ("y", "x", "sample")


def iter_frames(
    obj: xr.DataArray | xr.Dataset, indices: Iterable[int] | None = None, *, raw: bool = False
) -> Iterator[npt.NDArray[Any]]:
    """Yield an array's frames one by one, as `pydicom.pixels.iter_pixels` does for a file.

    A thread reads the next frame while the caller uses one, so that no more than two are held.

    Parameters
    ----------
    obj : DataArray or Dataset
        With dims y and x.
    indices : iterable of int, optional
        Which frames, counted over all frame dims, the last one fastest; negative ones from the
        end. All in order without.
    raw : bool
        Colours as they are stored. That is decided when opening, by ``color="raw"``: here it is
        only checked.

    Yields
    ------
    numpy.ndarray, shape (y, x) or (y, x, sample)
        The array's values: scaled, unless opened with ``scaling="stored"``.

    Raises
    ------
    ValueError
        If the array was opened with other colours than ``raw`` asks for.
    IndexError
        If there is no such frame.

    Examples
    --------
    >>> da = xr.DataArray(np.arange(24).reshape(2, 3, 2, 2), dims=("time", "z", "y", "x"))
    >>> [int(frame.max()) for frame in iter_frames(da, [0, -1])]
    [3, 23]
    """
    array = pixels_of(obj)
    missing = {"y", "x"} - set(array.dims)
    if missing:
        raise ValueError(f"there are no frames without the dims {sorted(missing)}")
    if raw and "sample" in array.coords and "R" in array["sample"].values:
        raise ValueError('raw=True: these colours were made RGB; open with color="raw"')
    plane = [d for d in _PLANE if d in array.dims]
    dims = [d for d in array.dims if d not in plane]
    array = array.drop_vars(list(array.coords)).transpose(*dims, *plane)
    shape = tuple(array.sizes[d] for d in dims)
    return _read_ahead(array, dims, shape, indices)


def _read_ahead(
    array: xr.DataArray, dims: list[Any], shape: tuple[int, ...], indices: Iterable[int] | None
) -> Iterator[npt.NDArray[Any]]:
    count = int(np.prod(shape))

    def read(index: int) -> npt.NDArray[Any]:
        if not -count <= index < count:
            raise IndexError(f"frame {index} of {count}")
        place = np.unravel_index(index % count, shape) if shape else ()
        return np.asarray(array.isel(dict(zip(dims, map(int, place), strict=True))).values)

    with ThreadPoolExecutor(1) as pool:
        pending = None
        for index in chain(range(count) if indices is None else indices, (None,)):
            following = None if index is None else pool.submit(read, index)
            if pending is not None:
                yield pending.result()
            pending = following
