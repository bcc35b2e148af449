"""Columns of a table become attributes that DICOM spreads over several: what an image shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from xdicom.headers.table import MISSING, Column, FrameTable
from xdicom.series.codes import combine, first_rows
from xdicom.series.components import LABELS

_IMAGE_TYPES: Final[dict[str, str]] = {
    "M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY",
}  # fmt: skip
"""Name of each part of complex values, by the component's label."""

_SIGNALS: Final[dict[str, str]] = {
    "W": "WATER", "F": "FAT", "IP": "IN_PHASE", "OP": "OP_PHASE",
}  # fmt: skip
"""Name of each signal of a Dixon series, by the component's label."""

_FIRST_WORD: Final = 2
"""Of ImageType: after ORIGINAL or DERIVED, PRIMARY or SECONDARY (PS3.3 C.7.6.1.1.2)."""
_ZERO: Final = 1.0
"""s/mm²: b-values that differ by no more are one."""


def image_type(table: FrameTable) -> Column | None:
    """MAGNITUDE, PHASE, REAL or IMAGINARY, where ComplexImageComponent or ImageType says so.

    PS3.3 C.8.13.3.1.1; values 3 and later of ImageType, with the words that vendors write.
    """
    return _named(table, _IMAGE_TYPES)


def signal_type(table: FrameTable) -> Column | None:
    """WATER, FAT, IN_PHASE or OP_PHASE, where ImageType says so."""
    return _named(table, _SIGNALS)


def b_value(table: FrameTable) -> Column | None:
    """DiffusionBValue, s/mm²."""
    column = table.column("DiffusionBValue")
    return column if column.texts else None


def b_vector(table: FrameTable) -> Column | None:
    """Direction of the diffusion gradient in patient L, P, S: a unit vector; zeros where b is 0.

    PS3.3 C.8.13.5.9; missing where a direction is not known.
    """
    direction, b = table.column("DiffusionGradientOrientation"), table.column("DiffusionBValue")
    if not b.texts:
        return direction if direction.texts else None
    zero = np.append(np.abs(b.numbers()) <= _ZERO, False)[:-1]
    if not zero.any():
        return direction if direction.texts else None
    nothing = "0\\0\\0"
    texts = direction.texts if nothing in direction.texts else (*direction.texts, nothing)
    codes = np.where(zero, texts.index(nothing), direction.codes).astype(np.int32)
    return Column(codes, texts, "FD")


def _named(table: FrameTable, names: Mapping[str, str]) -> Column | None:
    """The name that the words of each frame's component have, missing where none has one."""
    columns = (table.column("ComplexImageComponent"), table.column("ImageType"))
    combined = combine([column.codes for column in columns], len(table))
    rows = first_rows(combined, int(combined.max(initial=-1)) + 1)
    found: dict[str, int] = {}
    codes = []
    for row in rows.tolist():
        component, kind = (c.texts[c.codes[row]] if c.codes[row] >= 0 else "" for c in columns)
        name = _name([component, *kind.split("\\")[_FIRST_WORD:]], names)
        codes.append(found.setdefault(name, len(found)) if name else MISSING)
    if not found:
        return None
    return Column(np.array(codes, np.int32)[combined], tuple(found), "CS")


def _name(words: Sequence[str], names: Mapping[str, str]) -> str:
    labels = (LABELS.get(word.strip(), "") for word in words)
    return next((names[label] for label in labels if label in names), "")
