"""Attributes of frames become the slopes, intercepts, dtype and units of what a user sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import MissingAttributeError, UnsupportedOptionError
from xdicom.headers.table import FrameTable
from xdicom.pixels.spans import PixelLayout

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

SCALINGS: Final = ("modality", "stored", "exact", "real_world", "philips_fp", "suv")
AVAILABLE: Final = ("modality", "stored")

_RT_DOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"
_PARAMETRIC_MAP: Final = "1.2.840.10008.5.1.4.1.1.30"
_SEGMENTATIONS: Final = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_EXACT_FLOAT32: Final = 2.0**24


@dataclass(frozen=True, eq=False)
class Scaling:
    """How stored values become the values of the array."""

    kind: str
    """``modality`` or ``stored``."""
    dtype: np.dtype[Any]
    """Of the array."""
    slope: Floats | None = None
    """Of each frame; None where no frame is scaled."""
    intercept: Floats | None = None
    """Of each frame; None where no frame is scaled."""
    units: str = ""
    """Units of the scaled values, where known."""

    @property
    def applied(self) -> bool:
        """Whether values are those of the modality, not the stored ones."""
        return self.kind != "stored"

    def apply(self, stored: Array, frame: int, out: Array) -> None:
        """Write one frame's scaled values into ``out``, rounded once where they are not exact."""
        if self.slope is None or self.intercept is None:
            out[...] = stored
            return
        slope, intercept = float(self.slope[frame]), float(self.intercept[frame])
        if slope == 1.0 and intercept == 0.0:
            out[...] = stored
        elif out.dtype == np.float32 and _is_exact(slope, intercept, stored.dtype):
            np.multiply(stored, np.float32(slope), out=out, dtype=np.float32)
            if intercept:
                np.add(out, np.float32(intercept), out=out)
        else:
            wide = stored.astype(np.float64)
            wide *= slope
            wide += intercept
            out[...] = wide


def _is_exact(slope: float, intercept: float, dtype: np.dtype[Any]) -> bool:
    """Whether integers scale exactly in float32."""
    if dtype.kind not in "iu" or slope != int(slope) or intercept != int(intercept):
        return False
    return abs(slope) * 2.0 ** (8 * dtype.itemsize) + abs(intercept) < _EXACT_FLOAT32


def scaling_of(table: FrameTable, layouts: tuple[PixelLayout, ...], kind: str) -> Scaling:
    """The scaling of an array's frames (SPEC §4.2, PS3.3 C.11.1).

    Parameters
    ----------
    table : FrameTable
        The frames.
    layouts : tuple of PixelLayout
        Their layouts.
    kind : str
        ``modality`` or ``stored``.

    Returns
    -------
    Scaling
        float32 up to 16 bits and float64 above; stored dtype for colour, palette, packed bits and
        segmentations, which are never scaled.

    Raises
    ------
    MissingAttributeError
        If a rescale is 0 or no number, and the values are not asked for as stored.
    UnsupportedOptionError
        For Modality LUTs and real-world maps, which this version does not apply.
    """
    stored = np.result_type(*{x.dtype for x in layouts})
    if kind == "stored" or _never_scaled(table, layouts):
        return Scaling("stored", stored)
    for reason, found in (
        ("a Modality LUT", bool((table.column("xdicom_modality_lut").codes >= 0).any())),
        ("a real-world value map", _PARAMETRIC_MAP in table.column("SOPClassUID").texts),
    ):
        if found:
            raise UnsupportedOptionError(
                f"the values need {reason}, which this version does not apply",
                file=table.path(0),
                remedy='Open with scaling="stored" for the stored values',
            )
    dtype = stored if stored.kind == "f" else np.dtype("f4" if stored.itemsize <= 2 else "f8")
    dose = _RT_DOSE in table.column("SOPClassUID").texts
    slope = _rescale(table, "DoseGridScaling" if dose else "RescaleSlope", 1.0)
    intercept = _rescale(table, "RescaleIntercept", 0.0)
    units = _units(table)
    if (slope == 1.0).all() and (intercept == 0.0).all():
        return Scaling("modality", dtype, units=units)
    return Scaling("modality", dtype, slope, intercept, units)


def _never_scaled(table: FrameTable, layouts: tuple[PixelLayout, ...]) -> bool:
    return any(
        x.samples > 1 or x.bits_allocated == 1 or x.photometric == "PALETTE COLOR" for x in layouts
    ) or any(t in _SEGMENTATIONS for t in table.column("SOPClassUID").texts)


def _rescale(table: FrameTable, keyword: str, default: float) -> Floats:
    column = table.column(keyword)
    values = column.numbers()
    bad = (column.codes >= 0) & ~np.isfinite(values)
    if default == 1.0:
        bad |= values == 0
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise MissingAttributeError(
            f"{keyword} is invalid",
            file=table.path(row),
            frame=int(table.frame_number[row]),
            expected="a number" + (" other than 0" if default == 1.0 else ""),
            found=repr(column.texts[column.codes[row]]),
            remedy='scaling="stored" gives the stored values without it',
        )
    return np.where(np.isnan(values), default, values)


def _units(table: FrameTable) -> str:
    for keyword in ("RescaleType", "Units", "DoseUnits"):
        column = table.column(keyword)
        if len(column.texts) == 1 and column.complete:
            unit = column.texts[0]
            return "" if unit in ("US", "NONE") else unit
    modality = table.column("Modality")
    kinds = {t.split("\\")[0] for t in table.column("ImageType").texts}
    if modality.texts == ("CT",) and kinds == {"ORIGINAL"} and table.column("RescaleSlope").texts:
        return "HU"
    return ""
