"""A table and its layouts become what is known of the stored values before any is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from xdicom.headers.segments import SEGMENTATIONS
from xdicom.headers.table import FrameTable
from xdicom.pixels.spans import IntArray, PixelLayout

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_HALF: Final = 2**15


@dataclass(frozen=True, eq=False)
class StoredValues:
    """What the headers say of the stored values of each frame."""

    table: FrameTable
    """The frames."""
    layouts: tuple[PixelLayout, ...]
    """Their layouts."""
    which: IntArray
    """Index of each frame's layout, shape (frames,)."""

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """That holds the stored values of all frames."""
        found: np.dtype[Any] = np.result_type(*{x.dtype for x in self.layouts})
        return found

    @cached_property
    def signed(self) -> Bools:
        """Whether PixelRepresentation is 1, shape (frames,)."""
        return np.array([x.signed for x in self.layouts])[self.which]

    @cached_property
    def limits(self) -> Floats:
        """The lowest and the highest value that BitsStored and the sign allow, shape (frames, 2).

        Infinite for floats.
        """
        return np.array([_limits(x) for x in self.layouts])[self.which]

    @property
    def palette(self) -> bool:
        """Whether values are indices of a palette."""
        return all(x.photometric == "PALETTE COLOR" and x.samples == 1 for x in self.layouts)

    @property
    def never_scaled(self) -> bool:
        """Whether values are colours, labels or single bits (SPEC §4.2)."""
        if any(
            x.samples > 1 or x.bits_allocated == 1 or x.photometric == "PALETTE COLOR"
            for x in self.layouts
        ):
            return True
        return self.segments and not self.fractional

    @property
    def segments(self) -> bool:
        """Whether values are of a segmentation."""
        return not SEGMENTATIONS.isdisjoint(self.table.column("SOPClassUID").texts)

    @property
    def fractional(self) -> bool:
        """Whether values are fractions of MaximumFractionalValue (PS3.3 C.8.20.2.3)."""
        return self.segments and "FRACTIONAL" in self.table.column("SegmentationType").texts


def _limits(layout: PixelLayout) -> tuple[float, float]:
    if layout.keyword != "PixelData":
        return -np.inf, np.inf
    half = 2.0 ** (layout.bits_stored - 1)
    return (-half, half - 1) if layout.signed else (0.0, 2 * half - 1)


@overload
def in_sign(value: float, signed: bool) -> float: ...
@overload
def in_sign(value: Floats, signed: Bools) -> Floats: ...
def in_sign(value: float | Floats, signed: bool | Bools) -> float | Floats:
    """Values of VR "US or SS" that were read as US, in the sign of the pixels that they stand for.

    Files write them as US whatever the pixels are (PS3.5 Annex A, note on explicit VR; PS3.3
    C.11.1.1 and C.7.5.1.1.2 want the VR that follows PixelRepresentation).

    Examples
    --------
    >>> in_sign(63536.0, True), in_sign(63536.0, False), in_sign(-2000.0, True)
    (-2000.0, 63536.0, -2000.0)
    """
    found = np.where(np.asarray(signed) & (np.asarray(value) >= _HALF), value - 2.0 * _HALF, value)
    return found if found.ndim else float(found)
