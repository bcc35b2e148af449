"""Ultrasound regions of a stack become a list, and x and y in cm where one calibrates it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr

from xdicom.headers.elements import vr_of
from xdicom.headers.table import FrameTable
from xdicom.headers.values import as_numbers
from xdicom.series.geometry import DECIMALS

_TWO_DIMENSIONAL, _CENTIMETRES = 1, 3
_UNITS: Final = {
    0: "", 1: "percent", 2: "dB", 3: "cm", 4: "s", 5: "Hz", 6: "dB/s", 7: "cm/s", 8: "cm²",
    9: "cm²/s", 10: "cm³", 11: "cm³/s", 12: "degree",
}  # fmt: skip
"""PhysicalUnitsXDirection and PhysicalUnitsYDirection (PS3.3 C.8.5.5.1.15)."""
_FORMATS: Final = {0: "none", 1: "2D", 2: "M-mode", 3: "spectral", 4: "waveform", 5: "graphics"}
"""RegionSpatialFormat (PS3.3 C.8.5.5.1.1)."""


def regions_json(table: FrameTable) -> str:
    """The regions of ultrasound frames as a JSON list; ``""`` without any, or where they differ.

    Of each region: ``format`` (``2D``, ``M-mode`` …), ``box`` (first and last column and row: x0,
    y0, x1, y1), ``units`` and ``delta`` along x and y, and where the file has them ``reference``,
    the pixel (relative to the box) whose physical values are ``values``.
    """
    regions = _regions(table)
    return json.dumps([_described(region) for region in regions]) if regions else ""


def region_coordinates(table: FrameTable, rows: int, columns: int) -> dict[str, xr.Variable]:
    """Coordinates x and y in cm, where just one region is a two-dimensional image (SPEC §5.5).

    PS3.3 C.8.5.5: pixels count from the region's corner, and from the reference pixel where there
    is one. Traces and spectra beside it are measured otherwise: see `regions_json`.

    Parameters
    ----------
    table : FrameTable
        The stack's frames.
    rows, columns : int
        Size of a frame.

    Returns
    -------
    dict of xarray.Variable
        ``x`` and ``y``, or nothing. They go on beyond the region, whose first and last index is
        the attribute ``region``.
    """
    images = [r for r in _regions(table) if r.get("RegionSpatialFormat") == _TWO_DIMENSIONAL]
    if len(images) != 1:
        return {}
    (region,) = images
    found = {}
    for dim, axis, count in (("y", "Y", rows), ("x", "X", columns)):
        delta = region.get(f"PhysicalDelta{axis}", 0.0)
        corner = region.get(f"RegionLocationMin{axis}0")
        last = region.get(f"RegionLocationMax{axis}1")
        if region.get(f"PhysicalUnits{axis}Direction") != _CENTIMETRES or delta == 0:
            return {}
        if corner is None or last is None:
            return {}
        start = corner + region.get(f"ReferencePixel{axis}0", 0.0)
        value = region.get(f"ReferencePixelPhysicalValue{axis}", 0.0)
        values = np.round((np.arange(count) - start) * delta + value, DECIMALS) + 0.0
        attrs = {"units": "cm", "region": [int(corner), int(last)]}
        found[dim] = xr.Variable((dim,), values, attrs)
    return found


def _regions(table: FrameTable) -> list[dict[str, float]]:
    """Numbers of each region; no region where frames have different ones."""
    column = table.column("xdicom_regions")
    if len(column.texts) != 1 or not column.complete:
        return []
    return [_numbers(region) for region in json.loads(column.texts[0])]


def _numbers(region: Mapping[str, str]) -> dict[str, float]:
    read = {k: float(as_numbers([text], vr_of(k), 1)[0, 0]) for k, text in region.items()}
    return {k: value for k, value in read.items() if np.isfinite(value)}


def _described(region: Mapping[str, float]) -> dict[str, Any]:
    box = [region.get(f"RegionLocation{k}", np.nan) for k in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    found: dict[str, Any] = {
        "format": _FORMATS.get(int(region.get("RegionSpatialFormat", -1)), "unknown"),
        "box": [None if np.isnan(v) else int(v) for v in box],
        "units": [_UNITS.get(int(region.get(f"PhysicalUnits{a}Direction", -1)), "") for a in "XY"],
        "delta": [region.get(f"PhysicalDelta{a}") for a in "XY"],
    }
    for name, keyword, end in (
        ("reference", "ReferencePixel", "0"),
        ("values", "ReferencePixelPhysicalValue", ""),
    ):
        pair = [region.get(f"{keyword}{axis}{end}") for axis in "XY"]
        if None not in pair:
            found[name] = pair
    return found
