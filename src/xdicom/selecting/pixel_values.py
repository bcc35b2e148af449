"""dbdicom's pixel_values: frames of an array by any attributes, as a plain numpy array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import NotHypercubeError
from xdicom.headers.table import Column
from xdicom.selecting.filtering import mask_of
from xdicom.selecting.provenance import Source, locate, pixels_of
from xdicom.selecting.values import Key, column_of
from xdicom.series.candidates import Candidates
from xdicom.series.ragged import forced_grid

Array = npt.NDArray[Any]


def pixel_values(
    obj: xr.DataArray | xr.Dataset,
    dims: Sequence[Key] = ("InstanceNumber",),
    inds: Mapping[Key, Any] | None = None,
    select: Mapping[Key, Any] | None = None,
    slice: Mapping[Key, Any] | None = None,
    coords: Mapping[Key, Any] | None = None,
    return_coords: bool = False,
    *,
    source: Source | None = None,
    **filters: Any,
) -> Array | tuple[Array, dict[str, Array]]:
    r"""Pixel values of the matching frames in the dims that are named (dbdicom's method).

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such; its own values are returned.
    dims : sequence of str or tag
        Attributes that span the frame dims.
    inds : mapping, optional
        Index, indices or slice along some of ``dims``.
    select, slice, coords : mapping, optional
        Attribute → value or values that frames must have (dbdicom's names of three versions).
    return_coords : bool
        Return the values of each dim as well.
    source : path or array, optional
        Where the headers are, if not where the array says.
    **filters
        Attributes by keyword, as for ``select``.

    Returns
    -------
    values : numpy.ndarray of float32, shape (columns, rows, \\*dims)
        Scalars keep their dim at length 1. Nothing found: shape ``(0, 0) + (0,) * len(dims)``.
    coords : dict of numpy.ndarray
        With ``return_coords``: the values along each dim.

    Raises
    ------
    ValueError
        "Indices must be in the dimensions provided.", if ``inds`` names another attribute.
    NotHypercubeError
        If the frames do not fill the dims.
    """
    names = (dims,) if isinstance(dims, str) else tuple(dims)
    if any(key not in names for key in (inds or {})):
        raise ValueError("Indices must be in the dimensions provided.")
    array = pixels_of(obj)
    if not {"y", "x"} <= set(array.dims):
        raise ValueError(f"pixel_values needs whole frames; the array has dims {array.dims}")
    if "sample" in array.dims:
        raise ValueError("pixel_values is for grey images; take one sample first")
    provenance = locate(array, source)
    if not provenance.exact:
        raise NotHypercubeError("the array is no longer one of single frames")
    wanted: dict[Any, Any] = {
        **(select or {}),
        **(slice or {}),
        **(coords or {}),
        **filters,
    }
    mask, _ = mask_of(provenance, wanted)
    cells = np.flatnonzero(mask)
    columns = [(n, column_of(provenance, n)) for n in names]
    if not cells.size:
        empty = np.empty((0, 0) + (0,) * len(names), np.float32)
        return (empty, {str(n): np.empty(0) for n in names}) if return_coords else empty
    rows = provenance.rows.ravel()[cells]
    table = provenance.table.take(rows)
    grid = forced_grid(
        table,
        Candidates(table),
        None,
        [(_name(n), _taken(c, rows)) for n, c in columns],
        "raise",
    )
    index = grid.rows
    labels = {axis.dim: axis.labels for axis in grid.axes}
    for key, chosen in (inds or {}).items():
        axis = names.index(key)
        if isinstance(chosen, (int, np.integer)):
            chosen = [chosen]
        index = index[(np.s_[:],) * axis + (chosen,)]
        found = labels[_name(key)]
        labels[_name(key)] = None if found is None else found[chosen]
    values = _frames(array, provenance.dims, provenance.rows.shape, cells[index.ravel()])
    values = values.reshape(*index.shape, *values.shape[1:])
    out = np.ascontiguousarray(np.moveaxis(values, (-1, -2), (0, 1)), dtype=np.float32)
    if not return_coords:
        return out
    return out, {name: np.asarray(values) for name, values in labels.items()}


def _name(key: Key) -> str:
    return key if isinstance(key, str) else str(key)


def _taken(column: Column, rows: npt.NDArray[np.int64]) -> Column:
    return replace(column.take(rows))


def _frames(
    array: xr.DataArray, dims: tuple[str, ...], shape: tuple[int, ...], cells: Array
) -> Array:
    """Frames of the given flat cells, shape (cells, y, x); only their outer hull is read."""
    ordered = array.transpose(*dims, "y", "x")
    if not dims:
        whole: Array = ordered.values
        return np.broadcast_to(whole, (len(cells), *whole.shape))
    places = np.unravel_index(cells, shape)
    hull = [np.unique(p) for p in places]
    part = ordered.isel(dict(zip(dims, hull, strict=True))).values
    inner = tuple(np.searchsorted(h, p) for h, p in zip(hull, places, strict=True))
    frames: Array = part[inner]
    return frames
