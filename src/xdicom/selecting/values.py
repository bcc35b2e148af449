"""Attributes of the frames behind an array, by keyword or tag: values, distinct values, headers."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from pydicom.datadict import keyword_dict
from pydicom.dataset import FileDataset

from xdicom.errors import Problem
from xdicom.headers.store import attribute_column, header_of
from xdicom.headers.table import Column
from xdicom.selecting.provenance import Provenance, Source, locate
from xdicom.series.attributes import VECTOR_DIMS, gather
from xdicom.series.custom import attribute_of, attributes, is_attribute

Key = str | int | tuple[int, int]


def column_of(provenance: Provenance, key: Key) -> Column:
    """The column of an attribute for all rows of the provenance's table.

    Raises
    ------
    KeyError
        For a name that DICOM does not have, naming those that are spelt alike.
    """
    table = provenance.table
    if is_attribute(key):
        return attribute_of(table, key)
    if key == "FrameNumber":  # no element has this keyword: frames of an instance are counted
        numbers, places = np.unique(table.frame_number, return_inverse=True)
        counted: npt.NDArray[np.int32] = places.astype(np.int32)
        return Column(counted, tuple(map(str, numbers)), "IS")
    try:
        if isinstance(key, str) and key in table.columns:
            return table.columns[key]
        # only the files of this array are read for what the table does not hold
        frames = provenance.frames
        part = table.take(frames)
        column = attribute_column(part, key)
        codes = np.full(len(table), -1, np.int32)
        codes[frames] = column.codes
        return Column(codes, column.texts, column.vr)
    except KeyError:
        near = difflib.get_close_matches(str(key), [*keyword_dict, *attributes()], 3, 0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"{key!r} is no DICOM keyword or tag{hint}") from None


def values(
    obj: xr.DataArray | xr.Dataset,
    key: Key,
    *,
    unit: str | None = None,
    source: Source | None = None,
) -> xr.DataArray:
    """The value of an attribute at each frame.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such.
    key : str, int or (int, int)
        Keyword or tag; a dotted path leads into sequences.
    unit : str, optional
        ``"s"`` turns times into float seconds (since midnight for TM).
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    xarray.DataArray
        Over the frame dims: float64, int64, text, datetime64 or timedelta64 (SPEC §3.1); with a
        dim of its own for attributes of several numbers; NaN, NaT or ``""`` where missing.
    """
    provenance = locate(obj, source)
    column = column_of(provenance, key)
    codes = np.where(provenance.rows >= 0, column.codes[provenance.rows], -1)
    found: npt.NDArray[Any] = gather(column, codes)
    if unit is not None:
        if found.dtype.kind not in "mM":
            raise ValueError(f"unit={unit!r} converts times only; {key!r} is {found.dtype}")
        zero = np.datetime64(0, "s") if found.dtype.kind == "M" else np.timedelta64(0, "s")
        found = (found - zero) / np.timedelta64(1, unit)  # type: ignore[call-overload]
    dims = provenance.dims if provenance.exact else ("frame",)
    coords = {}
    if provenance.exact:
        own = obj.coords["frame_id"].coords
        coords = {k: v for k, v in own.items() if set(v.dims) <= set(dims)}
    if found.ndim > len(dims):
        dims = (*dims, VECTOR_DIMS.get(str(key), (f"{key}_n", ()))[0])
    return xr.DataArray(found, dims=dims, coords=coords, name=str(key))


def unique(
    obj: xr.DataArray | xr.Dataset, key: Key, *, source: Source | None = None
) -> npt.NDArray[Any]:
    """The distinct values of an attribute over the frames, sorted, without missing ones.

    Returns
    -------
    numpy.ndarray
        Shape (values,), or (values, n) for attributes of n numbers each.
    """
    provenance = locate(obj, source)
    column = column_of(provenance, key)
    codes = column.codes[provenance.frames]
    used = np.unique(codes[codes >= 0])
    found = gather(column, used)
    return np.unique(found, axis=0) if found.ndim > 1 else np.unique(found)


def item(
    obj: xr.DataArray | xr.Dataset, key: Key | list[Key], *, source: Source | None = None
) -> Any:
    """One value, or the sorted list of distinct ones; None where no frame has the attribute.

    A list of keys gives a list.
    """
    if isinstance(key, list):
        return [item(obj, k, source=source) for k in key]
    return as_item(unique(obj, key, source=source))


def as_item(found: npt.NDArray[Any]) -> Any:
    """Distinct values as one plain value, a list of them, or None."""
    if found.dtype.kind in "mM":
        plain: list[Any] = list(found)
    else:
        plain = found.tolist()
    if not plain:
        return None
    return plain[0] if len(plain) == 1 else plain


def header(
    obj: xr.DataArray | xr.Dataset, *, source: Source | None = None, **indexers: int
) -> FileDataset:
    """The whole header, without pixels, of the one instance that the indexers leave.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such.
    source : path or array, optional
        Where the headers are, if not where the array says.
    **indexers : int
        Position along dims, as for ``isel``.

    Returns
    -------
    pydicom.FileDataset
        Read from the file when asked for.

    Raises
    ------
    ValueError
        If several instances are left, naming the dims to index.
    HeadersUnavailableError
        If the array is no longer one of frames, or the files are gone.
    """
    chosen = obj.isel(indexers) if indexers else obj
    provenance = locate(chosen, source)
    frames = provenance.frames
    files = np.unique(provenance.table.file[frames])
    if not len(files):
        raise ValueError("no frame is left: nothing to read a header of")
    if len(files) > 1:
        open_dims = [d for d in provenance.dims if chosen.sizes[d] > 1] or ["the source"]
        raise ValueError(
            f"{len(files)} instances are left; say which along {', '.join(open_dims)}, "
            f"for example header({'=0, '.join(open_dims)}=0)"
        )
    return header_of(provenance.table, int(frames[0]))


def problems(obj: xr.DataArray | xr.Dataset, *, source: Source | None = None) -> pd.DataFrame:
    """What was wrong with the files: one row a problem.

    Returns
    -------
    pandas.DataFrame
        Columns kind, file, frame, message, excluded.
    """
    array = obj if isinstance(obj, xr.DataArray) or "pixels" not in obj else obj["pixels"]
    own = json.loads(array.attrs.get("dicom_dims", "{}")).get("problems", [])
    found = [Problem(*each) for each in own]
    return problem_frame([*found, *locate(obj, source).table.problems])


def problem_frame(found: Iterable[Any]) -> pd.DataFrame:
    """Problems as a table."""
    names = ("kind", "file", "frame", "message", "excluded")
    # objects: names of files may be no text, which the string type of pandas refuses
    rows = [[getattr(p, n) for n in names] for p in found]
    return pd.DataFrame(rows, columns=list(names), dtype=object).astype({"excluded": bool})
