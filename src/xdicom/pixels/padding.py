"""PixelPaddingValue and its kin become the range of stored values that are padding."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.store import attribute_column
from xdicom.headers.table import FrameTable
from xdicom.pixels.stored import StoredValues, in_sign

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_KEYWORDS: Final = {
    "PixelData": ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    "FloatPixelData": ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    "DoubleFloatPixelData": ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}
"""Padding by the element that holds the pixels: the value, and the other end of its range."""
_WRAP: Final = 2.0**16


def padding_limits(stored: StoredValues) -> Floats:
    """Lowest and highest stored value that is padding (PS3.3 C.7.5.1.1.2).

    Parameters
    ----------
    stored : StoredValues
        The frames.

    Returns
    -------
    numpy.ndarray of float64, shape (frames, 2)
        NaN where a frame has no padding; both the same where there is no range.
    """
    table = stored.table
    found = np.full((len(table), 2), np.nan)
    for code, layout in enumerate(stored.layouts):
        rows = np.flatnonzero(stored.which == code)
        keywords = _KEYWORDS.get(layout.keyword, _KEYWORDS["PixelData"])
        part = table.take(rows)
        value, limit = (_numbers(part, k) for k in keywords)
        if layout.keyword == "PixelData":
            value, limit = (_as_stored(v, stored.signed[rows]) for v in (value, limit))
        limit = np.where(np.isnan(limit), value, limit)
        found[rows] = np.stack([np.minimum(value, limit), np.maximum(value, limit)], axis=1)
    return found


def _numbers(table: FrameTable, keyword: str) -> Floats:
    return attribute_column(table, keyword).numbers()


def _as_stored(value: Floats, signed: Bools) -> Floats:
    """Whole values in the sign of the pixels: both VRs stand for the same bits."""
    value = in_sign(value, signed)
    return np.where(~signed & (value < 0), value + _WRAP, value)


def within(values: Array, low: float, high: float) -> Bools:
    """Which values lie in a range, its ends included; none where the range is NaN.

    Examples
    --------
    >>> within(np.array([0, 1, 2, 3], np.uint8), 1.0, 2.0).tolist()
    [False, True, True, False]
    """
    if np.isnan(low) or np.isnan(high):
        return np.zeros(values.shape, bool)
    if values.dtype.kind not in "iu":
        return np.asarray((values >= low) & (values <= high))
    # as whole numbers they are compared without floats in between
    info = np.iinfo(values.dtype)
    first, last = int(np.ceil(max(low, info.min))), int(np.floor(min(high, info.max)))
    return np.asarray((values >= first) & (values <= last))
