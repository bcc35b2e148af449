"""Attributes of frames become how their stored values turn into what a user sees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import MissingAttributeError, UnsupportedOptionError
from xdicom.headers.table import FrameTable
from xdicom.pixels.lookup import Lookup, modality_luts
from xdicom.pixels.padding import padding_limits, within
from xdicom.pixels.philips import scale_slopes
from xdicom.pixels.real_world import real_world_values
from xdicom.pixels.spans import IntArray, PixelLayout, layouts_of
from xdicom.pixels.stored import StoredValues
from xdicom.pixels.suv import KINDS, suv_factors

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

_RT_DOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"
_PARAMETRIC_MAP: Final = "1.2.840.10008.5.1.4.1.1.30"
_EXACT_FLOAT32: Final = 2.0**24
_SAFE_INT64: Final = 2.0**62
"""Below this, ends that were worked out in float64 do fit."""
_INTEGERS: Final = ("u1", "i1", "u2", "i2", "u4", "i4", "i8")
"""Types of exact values, the one to prefer first."""
_NAMES: Final = {"modality": "applied", "exact": "applied"}
"""``dicom_scaling`` of kinds that give values of the modality; others bear their own name."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """How stored values become the values of the array."""

    kind: str
    """A value of the option ``scaling``."""
    dtype: np.dtype[Any]
    """Of the array."""
    slope: Floats | None = None
    """Of each frame; None where no frame is scaled."""
    intercept: Floats | None = None
    """Of each frame; None where no frame is scaled."""
    units: str = ""
    """Units of the scaled values, where known."""
    lookup: Lookup | None = None
    """Tables that stand for slope and intercept of some frames."""
    valid: Floats | None = None
    """Lowest and highest stored value of each frame, shape (frames, 2); others become NaN."""
    padding: Floats | None = None
    """Lowest and highest stored value that becomes NaN, shape (frames, 2); NaN for none."""

    @property
    def applied(self) -> bool:
        """Whether values are other than the stored ones."""
        return self.kind != "stored"

    @property
    def name(self) -> str:
        """What ``attrs["dicom_scaling"]`` says: ``applied`` for values of the modality."""
        return _NAMES.get(self.kind, self.kind)

    @property
    def extra(self) -> tuple[int, ...]:
        """Dims that each stored value becomes: none, but for colours of a palette."""
        return ()

    @cached_property
    def direct(self) -> bool:
        """Whether the values are the stored ones, but for their type."""
        changes = (self.slope, self.lookup, self.valid, self.padding)
        return all(change is None for change in changes)

    @cached_property
    def digest(self) -> str:
        """Of all that decides the values, for the names of dask's tasks."""
        h = hashlib.blake2b(repr((self.kind, str(self.dtype))).encode(), digest_size=16)
        arrays: list[Array | None] = [self.slope, self.intercept, self.valid, self.padding]
        if self.lookup is not None:
            arrays += [self.lookup.which, *(t.values for t in self.lookup.tables)]
            h.update(repr([t.first for t in self.lookup.tables]).encode())
        for place, array in enumerate(arrays):
            if array is not None:
                h.update(f"{place}:".encode() + np.ascontiguousarray(array).tobytes())
        return h.hexdigest()

    def apply(self, stored: Array, frame: int, out: Array) -> None:
        """Write one frame's values into ``out``, rounded once where they are not exact."""
        table = -1 if self.lookup is None else int(self.lookup.which[frame])
        if self.lookup is not None and table >= 0:
            self.lookup.tables[table].apply(stored, out)
        elif self.slope is None or self.intercept is None:
            out[...] = stored
        else:
            _scale(stored, float(self.slope[frame]), float(self.intercept[frame]), out)
        if self.valid is not None:
            low, high = self.valid[frame].tolist()
            if np.isfinite([low, high]).any():
                np.copyto(out, np.nan, where=~within(stored, low, high))
        if self.padding is not None:
            low, high = self.padding[frame].tolist()
            if not np.isnan(low):
                np.copyto(out, np.nan, where=within(stored, low, high))


@dataclass(frozen=True, eq=False)
class PaddingMask(Scaling):
    """Gives, instead of values, whether they are padding."""

    @cached_property
    def direct(self) -> bool:
        """Never: no stored value is the mask."""
        return False

    def apply(self, stored: Array, frame: int, out: Array) -> None:
        """Write into ``out``, of bool, where one frame's values are padding."""
        low, high = (np.nan, np.nan) if self.padding is None else self.padding[frame].tolist()
        out[...] = within(stored, low, high)


def _scale(stored: Array, slope: float, intercept: float, out: Array) -> None:
    if slope == 1.0 and intercept == 0.0:
        out[...] = stored
    elif out.dtype.kind in "iu":
        # the results fit, so arithmetic that wraps, modulo 2 to the bits, is exact
        np.copyto(out, stored, casting="unsafe")
        out *= np.array(int(slope)).astype(out.dtype)
        out += np.array(int(intercept)).astype(out.dtype)
    elif out.dtype == np.float32 and _is_exact(slope, intercept, stored.dtype):
        if slope == 1.0:
            np.add(stored, np.float32(intercept), out=out, dtype=np.float32)
            return
        np.multiply(stored, np.float32(slope), out=out, dtype=np.float32)
        if intercept:
            np.add(out, np.float32(intercept), out=out)
    elif intercept == 0.0:  # numpy computes in float64 and rounds to out's dtype, in one pass
        np.multiply(stored, slope, out=out, dtype=np.float64, casting="unsafe")
    else:
        wide = np.multiply(stored, slope, dtype=np.float64)
        np.add(wide, intercept, out=out, dtype=np.float64, casting="unsafe")


def _is_exact(slope: float, intercept: float, dtype: np.dtype[Any]) -> bool:
    """Whether integers scale exactly in float32."""
    if dtype.kind not in "iu" or slope != int(slope) or intercept != int(intercept):
        return False
    return abs(slope) * 2.0 ** (8 * dtype.itemsize) + abs(intercept) < _EXACT_FLOAT32


def scaling_of(
    table: FrameTable,
    layouts: tuple[PixelLayout, ...],
    kind: str,
    which: IntArray | None = None,
    *,
    rwvm: str | int | None = None,
    mask_padding: bool = False,
) -> Scaling:
    """The scaling of an array's frames (SPEC §4.2, PS3.3 C.11.1).

    Parameters
    ----------
    table : FrameTable
        The frames.
    layouts : tuple of PixelLayout
        Their layouts.
    kind : str
        ``modality``, ``stored``, ``exact``, ``real_world``, ``philips_fp`` or ``suv``.
    which : array of int, optional
        Layout of each frame; found anew by default.
    rwvm : str or int, optional
        Which real-world value map, by label, unit or number.
    mask_padding : bool
        Whether padding becomes NaN.

    Returns
    -------
    Scaling
        float32 up to 16 bits and float64 above, except ``stored`` and ``exact``; stored dtype for
        colour, palette, packed bits and segmentations, which are never scaled; fractional
        segmentations are divided by MaximumFractionalValue. Values of a Parametric Map are those
        of its real-world value map, unless ``stored``.

    Raises
    ------
    MissingAttributeError
        If what the kind needs is missing or, as a rescale of 0, invalid.
    AmbiguousSeriesError
        If there are several real-world value maps, and ``rwvm`` does not tell which.
    UnsupportedOptionError
        For padding of integers, and for kinds that need floats where values are never scaled.
    """
    if which is None:
        which, layouts = layouts_of(table)
    stored = StoredValues(table, layouts, which)
    if kind == "stored" or stored.never_scaled:
        if kind not in ("stored", "modality", "exact"):
            raise UnsupportedOptionError(
                f"scaling={kind!r} of colours, labels or single bits",
                file=table.path(0),
                remedy='They are what they are: scaling="modality" leaves them so',
            )
        made = Scaling("stored", stored.dtype)
    elif stored.fractional and kind in ("modality", "exact"):
        made = _fractions(stored, kind)
    elif _PARAMETRIC_MAP in table.column("SOPClassUID").texts and kind in ("modality", "exact"):
        made = _real_world(stored, rwvm)
    else:
        made = _MAKERS[kind](stored, rwvm)
    return _without_padding(made, stored, kind) if mask_padding else made


def padding_mask_of(table: FrameTable, layouts: tuple[PixelLayout, ...]) -> PaddingMask:
    """What gives, for each frame, where its stored values are padding."""
    which, _ = layouts_of(table)
    limits = padding_limits(StoredValues(table, layouts, which))
    return PaddingMask("padding", np.dtype(bool), padding=limits)


def _floats(stored: StoredValues) -> np.dtype[Any]:
    if stored.dtype.kind == "f":
        return stored.dtype
    return np.dtype("f4" if stored.dtype.itemsize <= 2 else "f8")


def _linear(table: FrameTable) -> tuple[Floats, Floats]:
    """Slope and intercept of each frame."""
    dose = _RT_DOSE in table.column("SOPClassUID").texts
    if dose:  # PS3.3 C.8.8.3: there is no other, and without it values are no dose
        return _rescale(table, "DoseGridScaling", None), np.zeros(len(table))
    return _rescale(table, "RescaleSlope", 1.0), _rescale(table, "RescaleIntercept", 0.0)


def _needed(slope: Floats, intercept: Floats) -> tuple[Floats | None, Floats | None]:
    """Slopes and intercepts, None where they change nothing."""
    if (slope == 1.0).all() and (intercept == 0.0).all():
        return None, None
    return slope, intercept


def _modality(stored: StoredValues, _: str | int | None) -> Scaling:
    lookup = modality_luts(stored)
    units = _units(stored.table) if lookup is None else lookup.units
    return Scaling("modality", _floats(stored), *_needed(*_linear(stored.table)), units, lookup)


def _fractions(stored: StoredValues, kind: str) -> Scaling:
    most = _rescale(stored.table, "MaximumFractionalValue", None)
    return Scaling(kind, _floats(stored), 1 / most, np.zeros(len(most)))


def _exact(stored: StoredValues, rwvm: str | int | None) -> Scaling:
    made = _modality(stored, rwvm)
    slope, intercept, lookup = made.slope, made.intercept, made.lookup
    if slope is None or intercept is None:
        slope, intercept = np.ones(len(stored.table)), np.zeros(len(stored.table))
    ends = stored.limits * slope[:, None] + intercept[:, None]
    if lookup is not None:
        spans = np.array([[t.values.min(), t.values.max()] for t in lookup.tables], np.float64)
        ends = np.where(lookup.which[:, None] >= 0, spans[lookup.which], ends)
    whole = (slope == np.rint(slope)) & (intercept == np.rint(intercept))
    whole |= False if lookup is None else lookup.which >= 0
    low, high = float(ends.min()), float(ends.max())
    if not whole.all() or not max(abs(low), abs(high)) < _SAFE_INT64:
        return replace(made, kind="exact")
    for name in _INTEGERS:
        info = np.iinfo(name)
        if info.min <= low and high <= info.max:
            return replace(made, kind="exact", dtype=np.dtype(name))
    return replace(made, kind="exact")


def _real_world(stored: StoredValues, rwvm: str | int | None) -> Scaling:
    found = real_world_values(stored, rwvm)
    low, high = found.limits.T
    limits = np.stack(  # what no stored value exceeds needs no comparison
        [
            np.where(low <= stored.limits[:, 0], -np.inf, low),
            np.where(high >= stored.limits[:, 1], np.inf, high),
        ],
        axis=1,
    )
    return Scaling(
        "real_world",
        _floats(stored),
        *_needed(found.slope, found.intercept),
        found.units,
        found.lookup,
        limits if np.isfinite(limits).any() else None,
    )


def _philips(stored: StoredValues, _: str | int | None) -> Scaling:
    scale = scale_slopes(stored.table)
    slope, intercept = _linear(stored.table)
    # what the modality's values are divided by is RS·SS
    return Scaling("philips_fp", _floats(stored), *_needed(1 / scale, intercept / (slope * scale)))


def _suv(stored: StoredValues, _: str | int | None) -> Scaling:
    factor = suv_factors(stored.table)
    slope, intercept = _linear(stored.table)
    scaled = _needed(slope * factor, intercept * factor)
    return Scaling("suv", _floats(stored), *scaled, KINDS["bw"].units)


_MAKERS: Final[dict[str, Callable[[StoredValues, str | int | None], Scaling]]] = {
    "modality": _modality,
    "exact": _exact,
    "real_world": _real_world,
    "philips_fp": _philips,
    "suv": _suv,
}
"""By the option ``scaling``."""


def _without_padding(made: Scaling, stored: StoredValues, kind: str) -> Scaling:
    """The same scaling, with NaN for padding."""
    limits = padding_limits(stored)
    found = not np.isnan(limits).all()
    asked = kind in ("stored", "exact")
    if made.dtype.kind != "f" and (found or asked):
        raise UnsupportedOptionError(
            f"mask_padding=True makes NaN of padding, which {made.dtype} cannot hold",
            file=stored.table.path(0),
            remedy='Open with scaling="modality", or use .dicom.padding_mask()',
        )
    return replace(made, padding=limits) if found and made.dtype.kind == "f" else made


def _rescale(table: FrameTable, keyword: str, default: float | None) -> Floats:
    """A factor or an offset (whose default is 0) of each frame; without default all need one."""
    column = table.column(keyword)
    values = column.numbers()
    bad = ~np.isfinite(values)
    if default is not None:
        bad &= column.codes >= 0
    if default != 0.0:
        bad |= values == 0
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        missing = column.codes[row] < 0
        raise MissingAttributeError(
            f"{keyword} is " + ("missing" if missing else "invalid"),
            file=table.path(row),
            frame=int(table.frame_number[row]),
            expected="a number" + (" other than 0" if default != 0.0 else ""),
            found="nothing" if missing else repr(column.texts[column.codes[row]]),
            remedy='scaling="stored" gives the stored values without it',
        )
    return values if default is None else np.where(np.isnan(values), default, values)


def _units(table: FrameTable) -> str:
    said = False
    for keyword in ("RescaleType", "Units", "DoseUnits"):
        column = table.column(keyword)
        if len(column.texts) == 1 and column.complete:
            said = True
            if column.texts[0] not in ("US", "NONE"):  # which leave it to the next to say
                return column.texts[0]
    if said:
        return ""
    modality = table.column("Modality")
    kinds = {t.split("\\")[0] for t in table.column("ImageType").texts}
    if modality.texts == ("CT",) and kinds == {"ORIGINAL"} and table.column("RescaleSlope").texts:
        return "HU"
    return ""
