"""Shown frames become the range of grey values, or the colours, that they are drawn with."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydicom.pixels.processing import convert_color_space

from xdicom.selecting.values import values

Array: TypeAlias = npt.NDArray[Any]
Window: TypeAlias = str | tuple[float, float] | None

PERCENTILES: Final = (0.5, 99.5)
"""What ``"auto"`` leaves below black and above white."""
SAMPLES: Final = 2_000_000
"""Pixels from which on percentiles are taken of a part, evenly spread."""


def grey_range(frames: list[Array], array: xr.DataArray, window: Window) -> tuple[float, float]:
    """Values that are drawn black and white.

    Parameters
    ----------
    frames : list of numpy.ndarray
        The shown frames.
    array : DataArray
        What they were taken from, with its ``frame_id``: leads to the headers.
    window : {None, "auto", "header"} or (float, float)
        ``"auto"`` and None: the percentiles 0.5 and 99.5 of the shown frames. A pair: centre and
        width. ``"header"``: WindowCenter and WindowWidth (PS3.3 C.11.2.1.2), the first where an
        instance has several, the widest span where frames differ.

    Returns
    -------
    (float, float)
        The lower one is always less than the upper.

    Raises
    ------
    ValueError
        If the window is none of these, or the headers have none.

    Examples
    --------
    >>> grey_range([np.array([[0, 50], [100, 150]])], xr.DataArray(0), (40, 400))
    (-160.0, 240.0)
    """
    if window is None or (isinstance(window, str) and window == "auto"):
        return _spread(*_percentiles(frames))
    if isinstance(window, str):
        if window != "header":
            raise ValueError(f'window is "auto", "header" or (centre, width), not {window!r}')
        return _spread(*_header_range(array))
    centre, width = (float(v) for v in window)
    if not width > 0:
        raise ValueError(f"the width of a window is more than 0, not {width:g}")
    return centre - width / 2, centre + width / 2


def _spread(low: float, high: float) -> tuple[float, float]:
    """A range of at least some width: a constant image is drawn in the middle grey."""
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _percentiles(frames: list[Array]) -> tuple[float, float]:
    total = sum(f.size for f in frames)
    step = max(1, total // SAMPLES)
    sample = np.concatenate([f.reshape(-1)[::step] for f in frames]).astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    low, high = np.percentile(sample, PERCENTILES)
    if low == high:
        # a few bright pixels on a ground of one value, such as a segmentation
        low, high = sample.min(), sample.max()
    return float(low), float(high)


def _numbers(array: xr.DataArray, keyword: str) -> xr.DataArray | None:
    """An attribute at each frame, the first value where there are several."""
    found = values(array, keyword)
    if found.dtype.kind not in "if":
        return None
    extra = [d for d in found.dims if d not in array.dims]
    return found.isel(dict.fromkeys(extra, 0)).astype(np.float64)


def _header_range(array: xr.DataArray) -> tuple[float, float]:
    kind = array.attrs.get("dicom_scaling", "applied")
    if kind not in ("applied", "stored"):
        raise ValueError(
            f"the headers' window is for values of the modality, not for scaling={kind!r}; "
            'use window="auto"'
        )
    centre, width = _numbers(array, "WindowCenter"), _numbers(array, "WindowWidth")
    if centre is None or width is None or not np.isfinite(centre + width).any():
        raise ValueError('no WindowCenter and WindowWidth in the headers; use window="auto"')
    # the default function counts whole grey values: C.11.2.1.2.1
    linear = ~values(array, "VOILUTFunction").isin(["LINEAR_EXACT", "SIGMOID"])
    low = centre - width / 2
    high = centre + width / 2 - (linear & (width > 1)).astype(np.float64)
    if array.attrs.get("dicom_scaling") == "stored":
        slope, intercept = _numbers(array, "RescaleSlope"), _numbers(array, "RescaleIntercept")
        if intercept is not None:
            low, high = low - intercept.fillna(0), high - intercept.fillna(0)
        if slope is not None:
            slope = slope.where(slope != 0).fillna(1)
            low, high = low / slope, high / slope
    return float(low.min()), float(high.max())


def is_inverted(array: xr.DataArray) -> bool:
    """Whether low values are meant to be white: MONOCHROME1 (PS3.3 C.7.6.3.1.2)."""
    return bool(array.attrs.get("PhotometricInterpretation") == "MONOCHROME1")


def as_rgb(frame: Array, array: xr.DataArray) -> Array:
    """A colour frame as float RGB from 0 to 1.

    Parameters
    ----------
    frame : numpy.ndarray, shape (rows, columns, 3)
        Unsigned integers over their whole range, or floats from 0 to 1 or 255.
    array : DataArray
        What it was taken from; says whether it holds stored YBR (``color="raw"``).

    Returns
    -------
    numpy.ndarray of float32, shape (rows, columns, 3)
    """
    photometric = str(array.attrs.get("PhotometricInterpretation", ""))
    named = list(array.coords["sample"].values) if "sample" in array.coords else []
    if photometric.startswith("YBR_FULL") and named != ["R", "G", "B"]:
        frame = convert_color_space(frame.astype(np.uint8), "YBR_FULL", "RGB")
    highest = float(np.nanmax(frame, initial=0))
    if frame.dtype.kind == "u":
        top = float(np.iinfo(frame.dtype).max)
    else:
        top = 1.0 if highest <= 1 else 255.0 if highest <= 255 else 65535.0
    scaled: Array = np.clip(np.nan_to_num(frame.astype(np.float32) / top), 0, 1)
    return scaled
