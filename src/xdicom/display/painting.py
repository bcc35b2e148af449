"""Values and the settings of their frames become grey levels or colours of 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydicom.pixels.processing import convert_color_space
from xarray.backends import BackendArray
from xarray.core import indexing

from xdicom.pixels.lookup import LookupTable
from xdicom.pixels.voi import (
    CENTRE,
    HOW,
    INTERCEPT,
    INVERTED,
    LINEAR,
    LINEAR_EXACT,
    MODALITY,
    NOTHING,
    PALETTE,
    SIGMOID,
    SLOPE,
    TABLE,
    WIDTH,
)

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

_WHITE: Final = 255.0
_FULL_WORD: Final = 65535.0


def _linear(x: Floats, centre: float, width: float) -> Floats:
    """PS3.3 C.11.2.1.2.1."""
    if width == 1:  # a threshold: the formula would divide by 0
        return np.where(x <= centre - 0.5, 0.0, _WHITE)
    return ((x - (centre - 0.5)) / (width - 1) + 0.5) * _WHITE


def _linear_exact(x: Floats, centre: float, width: float) -> Floats:
    """PS3.3 C.11.2.1.3.2."""
    if width == 0:  # the range of frames that can have one value only
        return np.full_like(x, _WHITE / 2)
    return ((x - centre) / width + 0.5) * _WHITE


def _sigmoid(x: Floats, centre: float, width: float) -> Floats:
    """PS3.3 C.11.2.1.3.1."""
    with np.errstate(over="ignore"):
        return _WHITE / (1.0 + np.exp(-4.0 * (x - centre) / width))


FUNCTIONS: Final[dict[int, Callable[[Floats, float, float], Floats]]] = {
    LINEAR: _linear,
    LINEAR_EXACT: _linear_exact,
    SIGMOID: _sigmoid,
}
"""Grey levels from 0 to 255 by a window; what lies beyond is clipped afterwards."""


@dataclass(frozen=True, eq=False)
class Painter:
    """Paints values by the settings of their frames."""

    tables: tuple[LookupTable, ...] = ()
    """VOI LUTs or palettes."""
    modality: tuple[LookupTable, ...] = ()
    """Modality LUTs."""
    colours: bool = False
    """Whether the result has a further dim of R, G and B."""

    def __call__(self, values: Array, settings: Floats) -> Bytes:
        """Paint.

        Parameters
        ----------
        values : numpy.ndarray
            The array's values.
        settings : numpy.ndarray, one dim more than `values`
            `xdicom.pixels.voi.Views.settings`, of length 1 along dims that they do not vary over.

        Returns
        -------
        numpy.ndarray of uint8
            Shape of `values`, with 3 more where they become colours.
        """
        out = np.zeros(values.shape + (3,) * self.colours, np.uint8)
        missing = values.ndim + 1 - settings.ndim  # xarray adds no dims at the front
        settings = settings.reshape((1,) * missing + settings.shape)
        flat = settings.reshape(-1, settings.shape[-1])
        if not out.size:
            return out
        if len(flat) == 1 and values.ndim <= 2:
            self._paint(values, flat[0], out)
            return out
        # one frame after the other, so that memory is that of the result
        lengths = settings.shape[:-1]
        for place in product(*(range(n) for n in lengths)):
            cell = tuple(
                i if n > 1 or total == 1 else slice(None)
                for i, n, total in zip(place, lengths, values.shape, strict=True)
            )
            self._paint(values[cell], settings[place], out[cell])
        return out

    def _paint(self, values: Array, own: Floats, out: Bytes) -> None:
        how = int(own[HOW])
        if how == NOTHING:
            return
        if how == PALETTE:
            self.tables[int(own[CENTRE])].apply(values, out)
            return
        x = values.astype(np.float64)
        holes = np.isnan(x) if values.dtype.kind == "f" else None
        if holes is not None and holes.any():
            x[holes] = 0.0
        if own[MODALITY] >= 0:
            self.modality[int(own[MODALITY])].apply(np.rint(x), x)
        else:
            x = x * own[SLOPE] + own[INTERCEPT]
        if how == TABLE:
            table = self.tables[int(own[CENTRE])]
            last = table.first + len(table.values) - 1
            table.apply(np.rint(np.clip(x, table.first, last)), x)
        else:
            x = FUNCTIONS[how](x, float(own[CENTRE]), float(own[WIDTH]))
        np.clip(x, 0.0, _WHITE, out=x)
        if own[INVERTED]:
            np.subtract(_WHITE, x, out=x)
        np.rint(x, out=x)
        if holes is not None:
            x[holes] = 0.0
        out[...] = x


@dataclass(frozen=True)
class ColourBytes:
    """Makes colours those of 8 bits, and YBR RGB."""

    top: float
    """The value of full colour."""
    ybr: bool
    """Whether they are YBR_FULL."""

    def __call__(self, values: Array) -> Bytes:
        """Convert.

        Parameters
        ----------
        values : numpy.ndarray, shape (..., 3)

        Returns
        -------
        numpy.ndarray of uint8, of the same shape
        """
        if values.dtype == np.uint8 and self.top == _WHITE:
            found = values
        elif values.dtype == np.uint16 and self.top == _FULL_WORD:
            found = (values >> 8).astype(np.uint8)  # 0xFF00 is white in many palettes
        else:
            known = np.nan_to_num(values.astype(np.float64), nan=0.0)
            found = np.rint(np.clip(known * (_WHITE / self.top), 0, _WHITE)).astype(np.uint8)
        return convert_color_space(found, "YBR_FULL", "RGB") if self.ybr and found.size else found


class PaintedArray(BackendArray):
    """A lazy array of what a function makes of the values of another one.

    Parameters
    ----------
    source : xarray.Variable
        The values; it may be lazy itself.
    paint : callable
        Values, and their part of `settings` if there are any, to what is shown.
    settings : numpy.ndarray, optional
        One dim more than `source`; of length 1 along dims that they do not vary over.
    extra : tuple of int
        Dims that are added.
    """

    def __init__(
        self,
        source: xr.Variable,
        paint: Callable[..., Array],
        settings: Floats | None = None,
        extra: tuple[int, ...] = (),
    ) -> None:
        self.source, self.paint, self.settings, self.extra = source, paint, settings, extra
        self.shape = (*source.shape, *extra)
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Array:
        found: Array = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.read
        )
        return found

    def read(self, key: tuple[Any, ...]) -> Array:
        """Read an outer selection: one int, slice or integer array for each dim."""
        depth = self.source.ndim
        whole = self.settings is None  # a colour is made of all of its samples
        own = key[: depth - 1] if whole else key[:depth]
        kept = tuple(slice(k, k + 1) if _single(k) else k for k in own)
        part = self.source[(*kept, *[slice(None)] * (depth - len(kept)))]
        values = np.asarray(part.values)
        if self.settings is None:
            found = self.paint(values)
        else:
            settings = self.settings
            for axis, k in enumerate(kept):
                if settings.shape[axis] > 1:
                    settings = settings[(slice(None),) * axis + (k,)]
            found = self.paint(values, settings)
        found = found[(*(0 if _single(k) else slice(None) for k in own), ...)]
        rest = key[len(own) :]
        return found[(..., *rest)] if rest else found


def _single(key: Any) -> bool:
    return isinstance(key, (int, np.integer))
