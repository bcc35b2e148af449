"""An xarray object becomes the table and rows of the frames that it stands on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import HeadersUnavailableError, IndexFileError, XDicomError
from xdicom.headers.index import Index
from xdicom.headers.match import matches
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.table import REGISTRY, FrameTable
from xdicom.opening.arrays import VARIABLE, series_table
from xdicom.sources.base import Where

Source: TypeAlias = Where | FrameTable | xr.DataArray | xr.Dataset
IntArray: TypeAlias = npt.NDArray[np.int64]


_SAME_PLACE: Final = 0.02
"""mm: positions closer than this are of one slice."""


_PARALLEL: Final = 1e-4
"""How far the cosine between normals may be from 1."""


@dataclass(frozen=True, eq=False)
class Provenance:
    """The frames behind an array."""

    table: FrameTable
    """Table that holds them."""
    rows: IntArray
    """Row of each cell, −1 where no frame stands; shape of ``dims``."""
    dims: tuple[str, ...]
    """Dims of the array that the frames vary over."""
    exact: bool = True
    """Whether each cell is one frame; False for all frames that may have contributed."""

    @property
    def frames(self) -> IntArray:
        """Distinct rows, without the holes."""
        return np.unique(self.rows[self.rows >= 0])


def pixels_of(obj: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """The DataArray of an xarray object: itself, or the variable ``pixels`` of a Dataset.

    Raises
    ------
    TypeError
        If a Dataset has no such variable.
    """
    if isinstance(obj, xr.DataArray):
        return obj
    if VARIABLE in obj.data_vars:
        return obj[VARIABLE]
    found = obj.attrs.get("dicom_error")
    raise TypeError("this Dataset has no variable 'pixels'" + (f": {found}" if found else ""))


def tables_of(obj: xr.DataArray | xr.Dataset, source: Source | None = None) -> list[FrameTable]:
    """The tables that ``attrs["dicom_source"]`` names, from the cache or read again.

    Raises
    ------
    HeadersUnavailableError
        If there is no such attribute, the files are gone, or they have changed.
    """
    if source is not None:
        return [_given(source)]
    attrs = obj.attrs
    if "dicom_source" not in attrs and isinstance(obj, xr.Dataset) and VARIABLE in obj:
        attrs = obj[VARIABLE].attrs
    text = attrs.get("dicom_source")
    if text is None:
        raise HeadersUnavailableError(
            "the array does not say where its headers are (attrs['dicom_source'] is gone)",
            remedy="Pass source= with the folder, or with the array that it was made from",
        )
    try:
        return [_table(entry) for entry in json.loads(text)]
    except (ValueError, KeyError, TypeError) as error:
        raise HeadersUnavailableError(
            f"attrs['dicom_source'] cannot be read: {error}", remedy="Pass source="
        ) from error


def locate(obj: xr.DataArray | xr.Dataset, source: Source | None = None) -> Provenance:
    """Find the frames of an array by its coordinate ``frame_id``.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such.
    source : path, FrameTable or array, optional
        Where the headers are; by default ``attrs["dicom_source"]`` says it.

    Returns
    -------
    Provenance
        Where ``frame_id`` was dropped (by a mean, say): the frames of the source that agree with
        the coordinates that are left, not exact.

    Raises
    ------
    HeadersUnavailableError
        If neither leads to the headers.
    """
    array = obj if isinstance(obj, xr.DataArray) or VARIABLE not in obj else obj[VARIABLE]
    tables = tables_of(array, source)
    coordinate = obj.coords.get("frame_id")
    if coordinate is None:
        return Provenance(tables[0], _contributing(obj, tables[0]), (), exact=False)
    ids = np.asarray(coordinate.values)
    valid = np.isfinite(ids) & (ids >= 0) if ids.dtype.kind == "f" else ids >= 0
    best: Provenance | None = None
    for table in tables:
        rows = table.rows_of(ids)
        found = Provenance(table, rows, tuple(str(d) for d in coordinate.dims))
        if (rows[valid] >= 0).all():
            return found
        if best is None or (rows >= 0).sum() > (best.rows >= 0).sum():
            best = found
    missing = 0 if best is None else int((best.rows[valid] < 0).sum())
    raise HeadersUnavailableError(
        f"{missing} of {int(valid.sum())} frames of the array stand in none of its sources",
        remedy="Pass source= with the folder that holds them all",
    )


def _contributing(obj: xr.DataArray | xr.Dataset, table: FrameTable) -> IntArray:
    """Rows whose attributes and place are among the coordinates that survived a reduction."""
    mask = np.ones(len(table), bool)
    for name, coordinate in obj.coords.items():
        column = table.columns.get(str(name))
        if column is None or coordinate.ndim > 1 or not coordinate.size:
            continue
        values = np.atleast_1d(np.asarray(coordinate.values))
        if values.dtype.kind in "fmM" and (values != values).any():
            continue
        mask &= matches(column, list(values))
    space, z = obj.coords.get("patient_space"), obj.coords.get("z")
    cosines = None if space is None else space.attrs.get("ImageOrientationPatient")
    if z is not None and z.size and cosines is not None:
        normal = np.cross(cosines[:3], cosines[3:])
        place = table.numbers("ImagePositionPatient", 3).reshape(-1, 3) @ normal
        wanted = np.atleast_1d(np.asarray(z.values, dtype=np.float64)).ravel()
        near = np.abs(place[:, None] - wanted[None, :]).min(axis=1) <= _SAME_PLACE
        # on a grid of another orientation z says nothing of the planes that contributed
        own = table.numbers("ImageOrientationPatient", 6).reshape(-1, 6)
        near &= np.abs(np.cross(own[:, :3], own[:, 3:]) @ normal) >= 1 - _PARALLEL
        if near.any():  # none: the array was resampled between the slices
            mask &= near
    return np.flatnonzero(mask)


def _given(source: Source) -> FrameTable:
    if isinstance(source, FrameTable):
        return source
    if isinstance(source, (xr.DataArray, xr.Dataset)):
        return tables_of(source)[0]
    return scan_table(source, ScanOptions(errors="ignore"))


def _table(entry: dict[str, Any]) -> FrameTable:
    """The table of one entry of ``dicom_source``, its digest checked."""
    digest = entry["table"]
    found = REGISTRY.find(entry["root"], digest)
    if found is not None:
        return found
    table = _in_index(entry)
    if table is None:
        table = _read_again(entry)
    REGISTRY.remember(table)
    return table


def _in_index(entry: dict[str, Any]) -> FrameTable | None:
    """The table as the index holds it that the array was opened from; None if it does not."""
    if not entry.get("index"):
        return None
    try:
        table = Index.open(entry["index"]).table([entry["series"]])
    except (IndexFileError, OSError, KeyError):
        return None  # the files themselves tell as well
    if table.digest != entry["table"]:
        return None
    return replace(table, root=entry["root"], index=entry["index"])


def _read_again(entry: dict[str, Any]) -> FrameTable:
    """The table as the files give it."""
    root, digest = entry["root"], entry["table"]
    remedy = "Pass source= with the folder where the files are now"
    where: Where = root
    if entry.get("files"):
        where = [os.path.join(root, f) for f in entry["files"]]
    try:
        table = series_table(scan_table(where, ScanOptions(errors="ignore")), entry["series"])
    except (XDicomError, OSError) as error:
        raise HeadersUnavailableError(
            f"the headers cannot be read again: {error}", file=root, remedy=remedy
        ) from error
    if table.digest != digest:
        raise HeadersUnavailableError(
            "the files of this array have changed, or it was opened from a part of this folder",
            file=root,
            expected=f"digest {digest}",
            found=f"digest {table.digest}",
            remedy=remedy,
        )
    return table
