"""A stack of frames with its grid becomes a Dataset with one lazy variable, ``pixels``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from xarray.core import indexing

from xdicom.errors import (
    IrregularSpacingWarning,
    LooseTilesWarning,
    ShearedStackWarning,
    UncutMosaicWarning,
    XDicomError,
    warn,
)
from xdicom.headers.entries import series_keys
from xdicom.headers.table import REGISTRY, FrameTable
from xdicom.opening.options import OpenOptions, scaling_kind
from xdicom.pixels.array import FrameArray
from xdicom.pixels.decoders import check_decodable, decoder_options_from
from xdicom.pixels.mosaics import read_together
from xdicom.pixels.palette import palette_colours
from xdicom.pixels.scaling import scaling_of
from xdicom.pixels.spans import frames_of
from xdicom.pixels.stored import StoredValues
from xdicom.pixels.tiles import TiledArray
from xdicom.series.attributes import (
    descriptive_attrs,
    dims_json,
    frame_coordinates,
)
from xdicom.series.custom import attribute_of
from xdicom.series.planes import plane_coordinates
from xdicom.series.regions import region_coordinates, regions_json
from xdicom.series.segments import background, is_segmentation, segment_coordinates
from xdicom.series.slides import slide_coordinates
from xdicom.series.stacks import LOOSE_TILES, Stack
from xdicom.series.tiles import of_cells

VARIABLE = "pixels"
_MOST_LISTED = 100


def dataset_of(source: FrameTable, stack: Stack, options: OpenOptions) -> xr.Dataset:
    """Assemble the Dataset of one stack; nothing is decoded.

    Parameters
    ----------
    source : FrameTable
        All that was scanned: the way back to the headers.
    stack : Stack
        With a grid.
    options : OpenOptions
        Scaling, decoder, coordinates.

    Returns
    -------
    xarray.Dataset
        ``pixels`` with dims (frame dims…, y, x) and ``sample`` for colour.

    Raises
    ------
    XDicomError
        The stack's own error, or what its pixels cannot be read for.
    """
    if stack.error is not None:
        raise stack.error
    if stack.grid is None:
        raise XDicomError("these objects have no pixels", file=stack.table.path(0))
    table, grid, geometry = stack.table, stack.grid, stack.geometry
    problems = list(stack.problems)
    frames = frames_of(table, problems)
    for code, layout in enumerate(frames.layouts):
        first = int(np.flatnonzero(frames.layout == code)[0])
        check_decodable(layout, options.decoder or "", table.path(first))
    scaling = scaling_of(
        table,
        frames.layouts,
        scaling_kind(options),
        frames.layout,
        rwvm=options.rwvm,
        mask_padding=options.mask_padding,
    )
    stored = StoredValues(table, frames.layouts, frames.layout)
    if options.color == "rgb" and stored.palette:
        scaling = palette_colours(stored)
    if options.decode_errors == "nan" and scaling.dtype.kind != "f":
        raise ValueError(
            f'decode_errors="nan" needs floats, not {scaling.dtype} (in {table.root}): '
            'open with scaling="modality"'
        )
    decoder_options = decoder_options_from(options.decoder_options or {}, frames.layouts)
    tiling = stack.tiling
    holes = (grid.rows < 0).any() if tiling is None else tiling.holes > 0
    fill_value = _fill_value(options, scaling.dtype, bool(holes), table)
    frame_array = FrameArray(
        frames,
        grid.rows if tiling is None else tiling.tiles,
        scaling,
        table.digest,
        fill_value=fill_value,
        raw=options.color == "raw",
        plugin=options.decoder or "",
        options=decoder_options,
        broken_to_nan=options.decode_errors == "nan",
    )
    array: FrameArray | TiledArray = frame_array
    if tiling is not None:
        shape = (*grid.shape, tiling.rows, tiling.columns)
        array = TiledArray(frame_array, tiling.cells, shape, fill_value)
    dims = (*grid.dims, "y", "x", "sample")[: array.ndim]
    attrs: dict[str, Any] = descriptive_attrs(table)
    if scaling.units and scaling.applied:
        attrs["units"] = scaling.units
    if regions := regions_json(table):
        attrs["ultrasound_regions"] = regions
    attrs["dicom_scaling"] = scaling.name
    attrs["dicom_dims"] = dims_json(grid, problems)
    attrs["dicom_source"] = source_json(source, table)
    variable = xr.Variable(dims, indexing.LazilyIndexedArray(array), attrs)
    plane = tuple(map(min, frame_array.plane, array.shape[len(grid.dims) :]))
    outer = read_together(frames, grid.rows) if tiling is None else (1,) * len(grid.dims)
    variable.encoding["preferred_chunks"] = dict(zip(dims, (*outer, *plane), strict=True))
    if options.coords == "default":
        wanted: list[str] = []
    else:
        wanted = ["all"] if options.coords == "all" else [str(k) for k in options.coords]
    known = dict(table.columns)
    for keyword in wanted:
        if keyword != "all" and keyword not in known:
            known[keyword] = attribute_of(table, keyword)
    if len(known) > len(table.columns):
        table = replace(table, columns=known)
    uids = table.column("FrameOfReferenceUID").texts
    reference = uids[0] if uids else ""
    if tiling is None:
        rows, columns = frame_array.plane[:2]
        coords = frame_coordinates(table, grid, geometry, wanted)
        coords.update(plane_coordinates(geometry, grid, rows, columns, reference))
        if geometry.spacing is None:
            coords.update(region_coordinates(table, rows, columns))
    else:
        coords = frame_coordinates(of_cells(table, grid), grid, geometry, wanted)
        coords.update(slide_coordinates(table, grid, geometry, tiling, reference))
    coords.update(segment_coordinates(table, grid))
    if "sample" in dims:
        names = (
            ["R", "G", "B"]
            if options.color != "raw" and array.shape[-1] == 3
            else [str(i) for i in range(array.shape[-1])]
        )
        coords["sample"] = xr.Variable(("sample",), np.array(names))
    _warn(stack)
    return xr.Dataset({VARIABLE: variable}, coords=coords, attrs=descriptive_attrs(table))


def series_table(source: FrameTable, key: str) -> FrameTable:
    """The rows of one series: what an array's ``dicom_source`` names by its digest."""
    column = source.column("SeriesInstanceUID")
    if column.texts == (key,) and column.complete:
        return source
    if key in column.texts:
        return source.take(np.flatnonzero(column.codes == column.texts.index(key)))
    codes, keys = series_keys(source)
    return source.take(np.flatnonzero(codes == (keys.index(key) if key in keys else -1)))


def source_json(source: FrameTable, table: FrameTable) -> str:
    """The way from an array back to its headers, as ``attrs["dicom_source"]``.

    One entry a series; its table is kept in the cache of open tables.
    """
    column = table.column("SeriesInstanceUID")
    entries = []
    keys = column.texts if column.complete else series_keys(table)[1]
    for key in keys:
        whole = series_table(source, key)
        REGISTRY.remember(whole)
        entry: dict[str, Any] = {
            "root": source.root,
            "table": whole.digest,
            "index": source.index,
            "series": key,
        }
        if source.kind != "folder" and len(source.files.paths) <= _MOST_LISTED:
            entry["files"] = list(source.files.paths)
        entries.append(entry)
    return json.dumps(entries)


def _fill_value(
    options: OpenOptions, dtype: np.dtype[Any], holes: bool, table: FrameTable
) -> float:
    if not holes:
        return 0 if dtype.kind in "iu" else np.nan
    if options.fill_value is None and is_segmentation(table):
        return background(table)  # what is absent is empty (PS3.3 C.8.20.2)
    if options.fill_value is None and dtype.kind in "iu":
        raise ValueError(
            f"holes of integers ({dtype}) need a fill_value= (in {table.root}); "
            "floats are filled with NaN"
        )
    return np.nan if options.fill_value is None else options.fill_value


def _warn(stack: Stack) -> None:
    geometry = stack.geometry
    description = (stack.table.column("SeriesDescription").texts or ("series",))[0]
    for problem in stack.problems:
        if problem.kind == LOOSE_TILES:
            warn(f"{description}: {problem.message}", LooseTilesWarning)
    if not geometry.regular and geometry.z is not None:
        steps = np.diff(geometry.z)
        kind = "slices are missing" if geometry.gaps else "slices are not evenly spaced"
        warn(
            f"{description}: {kind} (steps of {steps.min():g} to {steps.max():g} mm); "
            "z holds the true positions, .dicom.affine raises",
            IrregularSpacingWarning,
        )
    if geometry.kind == "sheared":
        warn(
            f"{description}: slices are shifted in plane (gantry tilt); "
            "ImagePositionPatient(z) holds their origins, nothing was resampled",
            ShearedStackWarning,
        )
    for problem in stack.problems:
        if problem.kind == "UncutMosaic":
            warn(f"{description}: {problem.file}: {problem.message}", UncutMosaicWarning)
