"""What always sets frames apart: the keys by which rows are series, and series are arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from xdicom.errors import IncompleteConcatenationError
from xdicom.headers.table import Column, FrameTable
from xdicom.series.codes import cluster, combine, text_codes
from xdicom.series.custom import attribute_of
from xdicom.series.grid import IntArray

SPACING_TOLERANCE: Final = 1e-3
"""Relative: pixel spacings that differ by less are one."""

_FLAVOURS: Final = frozenset(("LOCALIZER", "OVERVIEW", "LABEL", "THUMBNAIL"))
_COLOUR: Final = {"MONOCHROME1": "mono", "MONOCHROME2": "mono", "PALETTE COLOR": "palette"}
# objects whose instances are never frames of one array
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
_EXACT: Final = ("SOPClassUID", "FrameOfReferenceUID", "Rows", "Columns", "SamplesPerPixel")


def series_codes(
    table: FrameTable, group_by: Sequence[str] | Callable[[Any], Any] | None = None
) -> IntArray:
    """Series of each row: SeriesInstanceUID, or what the caller groups by.

    Rows without SeriesInstanceUID are grouped by StudyInstanceUID and SeriesNumber.

    Parameters
    ----------
    table : FrameTable
        All that was scanned.
    group_by : sequence of keywords, or callable, optional
        Attributes that are the same within a series, or a function of a dict of a row's raw texts
        by keyword.

    Raises
    ------
    KeyError
        If a keyword is none.
    """
    if callable(group_by):
        keys = ["Modality", "StudyInstanceUID", "SeriesInstanceUID"]
        keys += [k for k in table.columns if k[0].isupper()]  # not what is ours
        texts = {k: table.strings(k) for k in dict.fromkeys(keys)}
        names = [str(group_by({k: str(v[i]) for k, v in texts.items()})) for i in range(len(table))]
        return combine([np.unique(np.array(names), return_inverse=True)[1]], len(table))
    if group_by is not None:
        columns = [attribute_of(table, keyword) for keyword in group_by]
        return combine([c.codes for c in columns], len(table))
    uid = table.column("SeriesInstanceUID").codes
    study, number = table.column("StudyInstanceUID"), table.column("SeriesNumber")
    other = combine([study.codes, number.codes], len(table))
    return combine([uid, np.where(uid < 0, other, 0)], len(table))


@dataclass(frozen=True, eq=False)
class Key:
    """One property by which frames are set apart."""

    name: str
    """Keyword, or what the property is."""
    codes: IntArray
    """Its value in each frame, as a code in the order of values; shape (frames,)."""
    label: Callable[[int], str]
    """Text of its value in a frame."""


def hard_keys(table: FrameTable) -> list[Key]:
    """Every property that always sets frames apart, whatever their dims."""
    exact = [_key(keyword, table.column(keyword)) for keyword in _EXACT]
    bits = table.column("BitsAllocated")
    element = table.column("xdicom_pixel_element")
    kind = combine([text_codes(_mapped(bits, _single_bit)), text_codes(element)], len(table))
    return [
        _flag("pixels", table.frame_number > 0, ("no", "yes")),
        *exact,
        _key("colour", _mapped(table.column("PhotometricInterpretation"), _colour_class)),
        Key("pixel kind", kind, lambda row: _text(element, row)),
        _spacing_key(table),
        _alone_key(table),
        _key("ImageType", _mapped(table.column("ImageType"), _flavour)),
        _flag("position", _placed(table), ("unknown", "known")),
    ]


def _text(column: Column, row: int) -> str:
    return column.texts[column.codes[row]] if column.codes[row] >= 0 else ""


def _key(name: str, column: Column) -> Key:
    return Key(name, text_codes(column), lambda row: _text(column, row))


def _flag(name: str, values: Sequence[bool] | np.ndarray, names: tuple[str, str]) -> Key:
    codes = np.asarray(values).astype(np.int64)
    return Key(name, codes, lambda row: names[codes[row]])


def _mapped(column: Column, function: Callable[[str], str]) -> Column:
    """The column of what a function makes of each text."""
    made = [function(text) for text in column.texts]
    known = {text: i for i, text in enumerate(dict.fromkeys(made))}
    codes = np.array([*(known[text] for text in made), -1], dtype=np.int32)[column.codes]
    return Column(codes, tuple(known), column.vr)


def _single_bit(bits: str) -> str:
    return "bit" if bits == "1" else ""


def _colour_class(photometric: str) -> str:
    return _COLOUR.get(photometric, "colour")


def _flavour(image_type: str) -> str:
    """A localizer and its like; ``""`` for all other images."""
    parts = image_type.split("\\")
    return parts[2] if len(parts) > 2 and parts[2] in _FLAVOURS else ""


def _spacing_key(table: FrameTable) -> Key:
    """PixelSpacing, clustered within 0.1 % of the first."""
    column = table.column("PixelSpacing")
    spacing = table.numbers("PixelSpacing", 2).reshape(-1, 2)
    logarithm = np.log(np.maximum(spacing, 1e-9))  # keeps NaN
    codes = combine(
        [cluster(logarithm[:, i], np.log1p(SPACING_TOLERANCE))[0] for i in (0, 1)], len(table)
    )
    return Key("PixelSpacing", codes, lambda row: _text(column, row))


def _alone_key(table: FrameTable) -> Key:
    """SOPInstanceUID of objects that are arrays of their own; of concatenations, ConcatenationUID.

    Tiles of one total pixel matrix are such an object, whatever its class.
    """
    classes = table.column("SOPClassUID")
    alone = np.array([*(text in _ALONE for text in classes.texts), False])[classes.codes]
    for keyword in ("xdicom_cine", "TotalPixelMatrixRows"):
        alone |= table.column(keyword).codes >= 0
    if not alone.any():
        return Key("SOPInstanceUID", np.zeros(len(table), np.int64), lambda row: "")
    uid, whole = table.column("SOPInstanceUID"), table.column("ConcatenationUID")
    single = alone & (whole.codes < 0)
    joined = np.where(alone, text_codes(whole), 0), np.where(single, text_codes(uid), 0)
    codes = combine(joined, len(table))

    def label(row: int) -> str:
        return _text(uid if single[row] else whole, row) if alone[row] else ""

    return Key("SOPInstanceUID", codes, label)


def _placed(table: FrameTable) -> np.ndarray:
    """Whether the place of each frame in the patient is known."""
    columns = (table.column("ImagePositionPatient"), table.column("ImageOrientationPatient"))
    return np.logical_and(*(column.codes >= 0 for column in columns))


def check_concatenations(table: FrameTable) -> None:
    """Refuse concatenations of which a part is missing (PS3.3 C.7.6.16.2.2.4).

    Raises
    ------
    IncompleteConcatenationError
        Naming the parts that there are.
    """
    uids = table.column("ConcatenationUID")
    part = table.numbers("InConcatenationNumber")
    total = table.numbers("InConcatenationTotalNumber")
    for code in range(len(uids.texts)):
        own = np.flatnonzero(uids.codes == code)
        have = np.unique(part[own][~np.isnan(part[own])]).astype(np.int64)
        count = int(np.nanmax([*total[own], *have, 0]))
        if len(have) < count:
            raise IncompleteConcatenationError(
                "a part of the concatenation is missing",
                file=table.path(int(own[0])),
                expected=f"parts 1 to {count}",
                found=", ".join(map(str, have)),
                remedy='Find the missing file, or use ragged="fill"',
            )
