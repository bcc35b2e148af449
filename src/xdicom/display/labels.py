"""Coordinates of an array become the words on its pictures: labels, sizes, sides of the patient."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

MINUS = "\N{MINUS SIGN}"


def text_of(value: Any, units: str = "") -> str:
    """A coordinate's value as a reader writes it.

    Examples
    --------
    >>> text_of(np.float64(-12.5), "mm"), text_of(np.timedelta64(36_061_500, "ms"))
    ('−12.5 mm', '10:01:01.5')
    """
    kind = np.asarray(value).dtype.kind
    if kind in "fmM" and pd.isna(value):
        return "unknown"
    if kind == "m":
        milliseconds = round(float(value / np.timedelta64(1, "ms")))
        whole, part = divmod(abs(milliseconds), 60_000)
        hours, minutes = divmod(whole, 60)
        text = f"{hours:02}:{minutes:02}:{part / 1000:06.3f}".rstrip("0").rstrip(".")
        return (MINUS if milliseconds < 0 else "") + text
    if kind == "M":
        return str(np.datetime_as_string(value, unit="s")).replace("T", " ")
    if kind == "f":
        text = f"{float(value):.5g}".replace("-", MINUS)
    else:
        text = str(value).replace("-", MINUS) if kind == "i" else str(value)
    return f"{text} {units}" if units else text


def naming_coordinate(array: xr.DataArray, dim: Hashable) -> xr.DataArray | None:
    """The coordinate that tells the indices of a dim apart: its own, else what made the dim."""
    coords: Mapping[Hashable, xr.DataArray] = array.coords
    if dim in coords:
        return coords[dim]
    try:
        found = json.loads(array.attrs.get("dicom_dims", "{}")).get("dims", [])
        names = [a for d in found if d["dim"] == dim for a in d["attributes"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        names = []
    for name in names:
        if name in coords and coords[name].dims == (dim,):
            return coords[name]
    return None


def frame_label(array: xr.DataArray, index: Mapping[Hashable, int]) -> list[str]:
    """What stands on a frame: name, value and units of each dim, outer dims first.

    Parameters
    ----------
    array : DataArray
        With the dims.
    index : mapping of dim to int
        Of the frame.

    Returns
    -------
    list of str

    Examples
    --------
    >>> echoes = xr.Variable("EchoTime", [4.9, 9.8], {"units": "ms"})
    >>> array = xr.DataArray(
    ...     np.zeros((2, 3)), dims=("EchoTime", "time"), coords={"EchoTime": echoes}
    ... )
    >>> frame_label(array, {"EchoTime": 0, "time": 2})
    ['EchoTime 4.9 ms', 'time 2']
    """
    parts = []
    for dim, place in index.items():
        coordinate = naming_coordinate(array, dim)
        if coordinate is None:
            parts.append(f"{dim} {place}")
        else:
            value = coordinate.values[place]
            parts.append(f"{coordinate.name} {text_of(value, coordinate.attrs.get('units', ''))}")
    return parts


def sizes_text(sizes: Mapping[Hashable, int]) -> str:
    """Dims and their lengths.

    Examples
    --------
    >>> sizes_text({"EchoTime": 2, "z": 40})
    'EchoTime 2 × z 40'
    """
    return " × ".join(f"{dim} {size}" for dim, size in sizes.items())


def series_name(array: xr.DataArray) -> str:
    """What a series is called: its description, else protocol, modality or the array's name."""
    for key in ("SeriesDescription", "ProtocolName", "Modality"):
        if text := str(array.attrs.get(key, "")).strip():
            return text
    return "array" if array.name is None else str(array.name)


def sides(array: xr.DataArray, dim: str) -> tuple[str, str]:
    """Letters of the patient's side where a dim begins and where it ends, empty if unknown.

    Examples
    --------
    >>> x = xr.Variable("x", [3.0, 2.0, 1.0], {"anatomical": "R→L"})
    >>> sides(xr.DataArray(np.zeros(3), dims="x", coords={"x": x}), "x")
    ('L', 'R')
    """
    if dim not in array.coords:
        return "", ""
    low, arrow, high = str(array.coords[dim].attrs.get("anatomical", "")).partition("→")
    if not arrow:
        return "", ""
    positions = np.atleast_1d(array.coords[dim].values)
    return (high, low) if positions[-1] < positions[0] else (low, high)
