"""Values become the stored integers that stand for them exactly, or the reason why none do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import ConformanceError

Array = npt.NDArray[Any]

IDENTITY: Final = (1.0, 0.0)
"""Slope and intercept of values that are stored as they are."""

_EXACT_FLOAT32: Final = 2.0**24

ROUND_FIRST: Final = (
    'Round them first, as in da.round().astype("int16"), or work on stored integers '
    '(open with scaling="stored"); a later version quantises floats'
)


class NotExactError(Exception):
    """No integer of a layout stands for a value; another encoding may have one."""


@dataclass(frozen=True)
class Layout:
    """The integers of a file (PS3.3 C.7.6.3.1)."""

    allocated: int
    """BitsAllocated."""
    stored: int
    """BitsStored."""
    signed: bool
    """PixelRepresentation is 1."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixel data, little endian; single bits count as bytes."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{max(self.allocated // 8, 1)}")

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer.

        Examples
        --------
        >>> Layout(16, 12, True).limits, Layout(16, 12, False).limits
        ((-2048, 2047), (0, 4095))
        """
        half = 1 << (self.stored - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


def stored_integers(values: Array, slope: float, intercept: float, layout: Layout) -> Array:
    """The integers q with ``slope * q + intercept == values``, in the dtype of the values.

    Parameters
    ----------
    values : array
        Integers, booleans or floats.
    slope, intercept : float
        Of the file that is to be.
    layout : Layout
        Its integers.

    Returns
    -------
    numpy.ndarray, of the shape of the values
        Of ``layout.dtype``, C-contiguous.

    Raises
    ------
    NotExactError
        If there is no such integer, or none that the layout holds.
    ConformanceError
        For values that no DICOM integer stands for: NaN, infinities; or where the values are too
        coarse to tell which integer they were.

    Examples
    --------
    >>> values = np.array([-1000.0, 24.0], "float32")
    >>> stored_integers(values, 1.0, -1024.0, Layout(16, 12, False))
    array([  24, 1048], dtype=uint16)
    """
    if values.dtype == bool:
        values = values.view(np.uint8)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise ConformanceError(
            "the values hold NaN or infinity, which DICOM integers cannot",
            found=f"{int((~np.isfinite(values)).sum())} such pixels in one frame",
            remedy="Replace them first, for example with da.fillna(0)",
        )
    if (slope, intercept) == IDENTITY:
        _check_range(float(low), float(high), layout)
        stored = np.ascontiguousarray(values, layout.dtype)
        if values.dtype.kind == "f" and not np.array_equal(stored, values):
            raise _no_integer(values, stored)
        return stored
    ends = sorted((float(v) - intercept) / slope for v in (low, high))
    _check_range(round(ends[0]), round(ends[1]), layout)
    largest = max(abs(float(low)), abs(float(high)))
    if _shift_is_exact(values.dtype, slope, intercept, largest):
        shift = values.dtype.type(intercept)
        stored = np.ascontiguousarray(values - shift, layout.dtype)
        again = stored.astype(values.dtype)
        again += shift
        if not np.array_equal(again, values):
            raise _no_integer(values, again)
        return stored
    quotient = values.astype(np.float64)
    quotient -= intercept
    quotient /= slope
    np.rint(quotient, out=quotient)
    scaled = quotient * slope
    scaled += intercept
    if not _same(scaled, values):
        narrow = values.astype(np.float32)  # the dtype in which the values were read
        exact = values.dtype == np.float64 and np.array_equal(narrow, values)
        if not (exact and _same(scaled, narrow)):
            raise _no_integer(values, scaled)
        values = narrow
    if values.dtype.kind == "f" and float(np.spacing(values.dtype.type(largest))) >= abs(slope) / 2:
        _check_told_apart(values, quotient, slope, intercept)
    return np.ascontiguousarray(quotient, layout.dtype)


def _shift_is_exact(dtype: np.dtype[Any], slope: float, intercept: float, largest: float) -> bool:
    """Whether integers are scaled by a shift that floats of this dtype do without rounding."""
    return (
        dtype.kind == "f"
        and dtype.itemsize >= 4
        and slope == 1.0
        and intercept == int(intercept)
        and largest + 2 * abs(intercept) < _EXACT_FLOAT32
    )


def _same(again: Array, values: Array) -> bool:
    if values.dtype.kind == "f":
        again = again.astype(values.dtype)
    return np.array_equal(again, values)


def _check_range(low: float, high: float, layout: Layout) -> None:
    smallest, largest = layout.limits
    if low < smallest or high > largest:
        kind = "signed" if layout.signed else "unsigned"
        raise NotExactError(
            f"integers from {low:g} to {high:g} are needed, {layout.stored} {kind} bits hold "
            f"{smallest} to {largest}"
        )


def _no_integer(values: Array, again: Array) -> NotExactError:
    place = np.unravel_index(int(np.argmax(values != again)), values.shape)
    return NotExactError(f"no stored integer stands for {values[place]!s}")


def _check_told_apart(values: Array, stored: Array, slope: float, intercept: float) -> None:
    """Refuse floats so coarse that two integers give the same one (intercept ≫ slope)."""
    for neighbour in (stored - 1, stored + 1):
        if (np.equal((neighbour * slope + intercept).astype(values.dtype), values)).any():
            raise ConformanceError(
                f"{values.dtype} is too coarse to tell which stored integers the values were",
                found=f"slope {slope:g}, intercept {intercept:g}",
                remedy='Open with scaling="stored"',
            )
