"""Arrays of a slide's series get names that say what they are: level0, level1, label, overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xdicom.headers.table import FrameTable

_NAMES: Final = {
    "THUMBNAIL": "thumbnail",
    "OVERVIEW": "overview",
    "LOCALIZER": "localizer",
    "LABEL": "label",
}
"""By ImageType value 3 (PS3.3 C.8.12.4.1.1), in the order of children; any other is a level."""
_SLIDES: Final = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.77.1.6",  # VL Whole Slide Microscopy
        "1.2.840.10008.5.1.4.1.1.77.1.9",  # Confocal Microscopy Tiled Pyramidal
    )
)


@dataclass(frozen=True)
class Part:
    """What an array is among those of its series."""

    name: str = ""
    """For its node; ``""`` for what is no part of a slide."""
    reason: str = ""
    """What it is, in words."""
    rank: int = 0
    """Its place among the children."""


def parts_of(tables: Sequence[FrameTable]) -> list[Part]:
    """What each array of a series is.

    Parameters
    ----------
    tables : sequence of FrameTable
        The frames of each array, in the order of acquisition.

    Returns
    -------
    list of Part
        ``level0`` is the base of the pyramid, the largest. Several arrays of one size (an optical
        path each, say) are ``level0``, ``level0-2`` … What belongs to no slide comes last.
    """
    kinds = [_kind(table) for table in tables]
    sizes = sorted({_size(t) for t, k in zip(tables, kinds, strict=True) if k == "level"})[::-1]
    parts = []
    taken: dict[str, int] = {}
    for table, kind in zip(tables, kinds, strict=True):
        if not kind:
            parts.append(Part(rank=len(sizes) + len(_NAMES)))
            continue
        level = sizes.index(_size(table)) if kind == "level" else -1
        name = kind if level < 0 else f"level{level}"
        taken[name] = taken.get(name, 0) + 1
        number = f"-{taken[name]}" if taken[name] > 1 else ""
        if level < 0:
            rank = len(sizes) + list(_NAMES.values()).index(kind)
            parts.append(Part(name + number, f"{kind} of the slide", rank))
        else:
            parts.append(Part(name + number, _told(level, sizes), level))
    return parts


def _kind(table: FrameTable) -> str:
    """``level``, or what an image beside the pyramid shows; ``""`` for what is none of a slide."""
    classes = set(table.column("SOPClassUID").texts)
    if not classes or not classes <= _SLIDES or not (table.frame_number > 0).all():
        return ""
    words = [text.split("\\") for text in table.column("ImageType").texts]
    flavours = {w[2] for w in words if len(w) > 2}
    return _NAMES.get(flavours.pop(), "level") if len(flavours) == 1 else "level"


def _size(table: FrameTable) -> tuple[int, int]:
    """Columns and rows of the total pixel matrix, 0 where they are unknown."""
    names = ("TotalPixelMatrixColumns", "TotalPixelMatrixRows")
    columns, rows = (table.numbers(name)[0] for name in names)
    return (int(columns), int(rows)) if columns >= 1 and rows >= 1 else (0, 0)


def _told(level: int, sizes: Sequence[tuple[int, int]]) -> str:
    columns, rows = sizes[level]
    factor = sizes[0][0] / max(columns, 1)
    smaller = f", 1/{factor:.4g} of level 0" if level else ""
    return f"level {level} of {len(sizes)}: {rows} × {columns} pixels{smaller}"
