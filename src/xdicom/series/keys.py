"""What always sets frames apart: the keys by which rows are series, and series are arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import FrameTable
from xdicom.series.candidates import cluster, combine

Codes = npt.NDArray[np.int64]

_FLAVOURS: Final = frozenset(("LOCALIZER", "OVERVIEW", "LABEL", "THUMBNAIL"))
_COLOUR: Final = {"MONOCHROME1": "mono", "MONOCHROME2": "mono", "PALETTE COLOR": "palette"}
# objects whose instances are never frames of one array (SPEC §1.2)
_ALONE: Final = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
        "1.2.840.10008.5.1.4.1.1.30",  # Parametric Map
        "1.2.840.10008.5.1.4.1.1.77.1.6",  # VL Whole Slide Microscopy
        "1.2.840.10008.5.1.4.1.1.20",  # Nuclear Medicine
    )
)
_HARD: Final = (
    "SOPClassUID",
    "FrameOfReferenceUID",
    "Rows",
    "Columns",
    "SamplesPerPixel",
)


def series_codes(
    table: FrameTable, group_by: Sequence[str] | Callable[[Any], Any] | None = None
) -> Codes:
    """Series of each row: SeriesInstanceUID, or what the caller groups by.

    Rows without SeriesInstanceUID are grouped by StudyInstanceUID and SeriesNumber.
    """
    if callable(group_by):
        keys = ["Modality", "StudyInstanceUID", "SeriesInstanceUID", *table.columns]
        texts = {k: table.strings(k) for k in dict.fromkeys(keys)}
        names = [str(group_by({k: str(v[i]) for k, v in texts.items()})) for i in range(len(table))]
        return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
    if group_by is not None:
        parts = [table.column(k).codes.astype(np.int64) + 1 for k in group_by]
        return combine(parts, len(table))
    uid = table.column("SeriesInstanceUID").codes.astype(np.int64)
    missing = uid < 0
    if not missing.any():
        return np.unique(uid, return_inverse=True)[1].astype(np.int64)
    other = combine(
        [table.column(k).codes.astype(np.int64) + 1 for k in ("StudyInstanceUID", "SeriesNumber")],
        len(table),
    )
    return combine([uid + 1, np.where(missing, other, 0)], len(table))


Key = tuple[str, Codes, Callable[[int], str]]


def hard_keys(table: FrameTable) -> list[Key]:
    """Name, code of each row and label of a row, for every key that always splits."""
    keys: list[Key] = []

    def text_key(name: str, values: npt.NDArray[np.str_]) -> None:
        codes = np.unique(values, return_inverse=True)[1].astype(np.int64)
        keys.append((name, codes, lambda row: str(values[row])))

    text_key("pixels", np.where(table.frame_number > 0, "yes", "no"))
    for keyword in _HARD:
        text_key(keyword, table.strings(keyword))
    colour = table.column("PhotometricInterpretation")
    classes = np.array([*(_COLOUR.get(t, "colour") for t in colour.texts), ""])
    text_key("colour", classes[colour.codes])
    bits = table.strings("BitsAllocated")
    element = table.strings("xdicom_pixel_element")
    text_key("pixel kind", np.where(bits == "1", "bit", element))
    spacing = table.numbers("PixelSpacing", 2).reshape(-1, 2)
    widths = [_cluster_relative(spacing[:, i]) for i in (0, 1)]
    spacing_text = table.strings("PixelSpacing")
    keys.append(("PixelSpacing", combine(widths, len(table)), lambda row: str(spacing_text[row])))
    alone = np.isin(table.strings("SOPClassUID"), list(_ALONE))
    alone |= table.strings("xdicom_cine") != ""
    alone &= table.strings("ConcatenationUID") == ""
    text_key("SOPInstanceUID", np.where(alone, table.strings("SOPInstanceUID"), ""))
    flavour = table.column("ImageType")
    third = [[*t.split("\\"), "", "", ""][2] for t in flavour.texts]
    named = np.array([*(t if t in _FLAVOURS else "" for t in third), ""])
    text_key("ImageType", named[flavour.codes])
    placed = (table.column("ImagePositionPatient").codes >= 0) & (
        table.column("ImageOrientationPatient").codes >= 0
    )
    text_key("position", np.where(placed, "known", "unknown"))
    return keys


def _cluster_relative(values: npt.NDArray[np.float64]) -> Codes:
    """Codes of spacings within 0.1 % of the first of their cluster."""
    if np.isnan(values).all():
        return np.zeros(len(values), np.int64)
    return cluster(np.log(np.maximum(values, 1e-9)), 1e-3)
