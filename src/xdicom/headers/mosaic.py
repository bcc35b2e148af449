"""The header of a stored frame that holds many slices becomes what each slice has of its own.

Siemens (MOSAIC) and United Imaging (VFRAME) put the slices of a volume side by side in one frame:
neither is in the standard, so what tells the slices stands in private elements (SPEC §2.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.csa import CsaTags, read_csa
from xdicom.headers.toplevel import Private, TopLevel
from xdicom.headers.values import number

TILE: Final = "xdicom_tile"
"""Column: number of a slice in its stored frame, from 1."""
STORED_SIZE: Final = "xdicom_stored_size"
r"""Column: rows and columns of the stored frame that a slice is a part of, ``rows\columns``."""
SLICE_TIME: Final = "xdicom_slice_time"
"""Column: when a slice was acquired, in seconds from the first one of its frame."""
UNCUT: Final = "xdicom_uncut"
"""Column: why a frame that says it holds many slices was not cut."""
NO_COUNT: Final = "nothing says how many slices it holds"
"""The reason that slices have too which were cut apart before, and still say MOSAIC."""

_IMAGES: Final[Private] = (0x0019, 0x0A, "SIEMENS MR HEADER")
_TIMES: Final[Private] = (0x0019, 0x29, "SIEMENS MR HEADER")
_CSA: Final[Private] = (0x0029, 0x10, "SIEMENS CSA HEADER")
_GRID_IMAGES: Final[Private] = (0x0065, 0x50, "Image Private Header")
_GRID_PLACES: Final[Private] = (0x0065, 0x51, "Image Private Header")
_ACQUISITION_MATRIX: Final = 0x00181310
_CSA_TAGS: Final = (
    "NumberOfImagesInMosaic",
    "SliceNormalVector",
    "SpacingBetweenSlices",
    "MosaicRefAcqTimes",
)
_OF_SLICES: Final = {
    0x00200032: "ImagePositionPatient",
    0x00201041: "SliceLocation",
    0x00080022: "AcquisitionDate",
    0x00080032: "AcquisitionTime",
    0x0008002A: "AcquisitionDateTime",
}
"""What the items of UIH's sequence say of each slice."""
_PARALLEL: Final = 0.99
"""Cosine from which on SliceNormalVector is the normal of the rows and columns."""
_MOST: Final = 10_000
"""Slices of one frame; no scanner makes more."""

Leaves = Mapping[str, str]
_Floats = npt.NDArray[np.float64]


class _Whole(Exception):  # noqa: N818  a signal, no error
    """The frame cannot be cut; its text says why."""


@dataclass(frozen=True)
class Tiles:
    """The slices of one stored frame."""

    common: Leaves
    """What all have alike."""
    slices: tuple[Leaves, ...]
    """What each has of its own, in the order of the tiles: along rows, then down."""


@lru_cache(1024)
def is_mosaic(image_type: str) -> bool:
    r"""Whether an ImageType says that a frame holds many slices.

    Examples
    --------
    >>> is_mosaic(r"ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"), is_mosaic(r"ORIGINAL\\PRIMARY\\M\\ND")
    (True, False)
    """
    return _kind(image_type) is not None


def _kind(image_type: str) -> str | None:
    return next((word for word in image_type.split("\\") if word in _KINDS), None)


def tiles_of(leaves: Leaves, image_type: str, top: TopLevel) -> Tiles | str | None:
    """Cut one frame.

    Parameters
    ----------
    leaves : mapping of str to str
        Attributes of the frame, those of its object among them.
    image_type : str
        ImageType, which says whether it is a mosaic, and whose.
    top : TopLevel
        The elements of its object.

    Returns
    -------
    Tiles, str or None
        The slices; or why it cannot be cut; or None for a frame that is no mosaic.
    """
    kind = _kind(image_type)
    if kind is None:
        return None
    try:
        return _KINDS[kind](leaves, top)
    except _Whole as reason:
        return str(reason)


def _siemens(leaves: Leaves, top: TopLevel) -> Tiles:
    """A square of tiles; places and direction by IPP, the CSA header and SpacingBetweenSlices."""
    csa, damaged = _csa(top)
    said = [*top.numbers(_IMAGES, b"US")[:1], *_numbers(csa, "NumberOfImagesInMosaic")[:1]]
    counts = {_count(n) for n in said} - {0}  # 0 stands where there is no mosaic
    if len(counts) > 1:
        raise _Whole(f"its headers disagree on the number of slices: {sorted(counts)}")
    if not counts:
        raise _Whole(NO_COUNT + damaged)
    (count,) = counts
    side = math.isqrt(count - 1) + 1
    common, (rows, columns) = _layout(leaves, side, side)
    whole_rows, whole_columns = _size(leaves)
    acquired = top.numbers(_ACQUISITION_MATRIX, b"US")
    if acquired and max(acquired) > max(rows, columns):
        raise _Whole(
            f"tiles of {rows} × {columns} for {count} slices are smaller than the "
            f"acquisition matrix of {max(acquired):g}"
        )
    row, column = _vectors(leaves, "ImageOrientationPatient", 6).reshape(2, 3)
    between_rows, between_columns = _vectors(leaves, "PixelSpacing", 2)
    # ImagePositionPatient is the corner of a plane as large as the mosaic around the slice's centre
    first = (
        _vectors(leaves, "ImagePositionPatient", 3)
        + row * between_columns * (whole_columns - columns) / 2
        + column * between_rows * (whole_rows - rows) / 2
    )
    normal = np.cross(row, column)
    step = np.zeros(3) if count == 1 else normal * _step(leaves, csa, normal, damaged)
    places = first + np.arange(count)[:, None] * step
    times = _slice_times(top, csa, count)
    slices = tuple(
        {
            TILE: str(i + 1),
            "ImagePositionPatient": "\\".join(repr(round(v, 9)) for v in place),
            "SliceLocation": repr(round(along, 9)),
            **({SLICE_TIME: times[i]} if times else {}),
        }
        for i, (place, along) in enumerate(
            zip(places.tolist(), (places @ normal).tolist(), strict=True)
        )
    )
    return Tiles(common, slices)


def _csa(top: TopLevel) -> tuple[CsaTags, str]:
    """What the CSA header says, and a word for the reader where it is damaged."""
    raw = top.raw(_CSA)
    if raw is None:
        return {}, ""
    found = read_csa(raw, _CSA_TAGS)
    return (found, "") if found is not None else ({}, ": the CSA header is damaged")


def _numbers(csa: CsaTags, name: str) -> list[float]:
    """The values of a tag of the CSA header, NaN for texts that are no numbers."""
    return [number(text) for text in csa.get(name, ())]


def _count(value: float) -> int:
    """A number of slices; 0 for what is none."""
    return int(value) if 1 <= value <= _MOST and value == int(value) else 0


def _step(leaves: Leaves, csa: CsaTags, normal: _Floats, damaged: str) -> float:
    """From one slice to the next along the normal, mm, negative where they descend."""
    said = np.array(_numbers(csa, "SliceNormalVector"))
    if said.shape != (3,) or not np.isfinite(said).all() or not said.any():
        raise _Whole("nothing says in which direction its slices follow each other" + damaged)
    cosine = float(said @ normal / np.linalg.norm(said))
    if abs(cosine) < _PARALLEL:
        raise _Whole("the direction of its slices is not normal to ImageOrientationPatient")
    public = number(leaves.get("SpacingBetweenSlices", ""))
    spacing = next((v for v in (public, *_numbers(csa, "SpacingBetweenSlices")) if v > 0), 0.0)
    if not spacing:
        raise _Whole("nothing says how far its slices lie apart: no SpacingBetweenSlices")
    return math.copysign(spacing, cosine)


def _slice_times(top: TopLevel, csa: CsaTags, count: int) -> list[str]:
    """Seconds from the first slice acquired; none where they are unknown."""
    times = np.array(top.numbers(_TIMES, b"FD"))
    if len(times) != count:
        times = np.array(_numbers(csa, "MosaicRefAcqTimes"))
    if len(times) != count or not np.isfinite(times).all():
        return []
    return [repr(round(t, 6)) for t in ((times - times.min()) / 1000).tolist()]


def _uih(leaves: Leaves, top: TopLevel) -> Tiles:
    """Tiles in ⌈√N⌉ columns; a private sequence holds what each slice has of its own."""
    count = _count(next(iter(top.numbers(_GRID_IMAGES, b"DS")), 0.0))
    if not count:
        raise _Whole(NO_COUNT)
    across = math.isqrt(count - 1) + 1
    common, _ = _layout(leaves, -(-count // across), across)
    items = top.items(_GRID_PLACES, _OF_SLICES)
    if len(items) != count:
        raise _Whole(f"its header tells the places of {len(items)} of {count} slices")
    for item in items:
        _vectors(item, "ImagePositionPatient", 3)
    return Tiles(common, tuple({TILE: str(i + 1), **item} for i, item in enumerate(items)))


_KINDS: Final[Mapping[str, Callable[[Leaves, TopLevel], Tiles]]] = {
    "MOSAIC": _siemens,
    "VFRAME": _uih,
}
"""By the word of ImageType: how a frame is cut."""
MARKS: Final = tuple(word.encode() for word in _KINDS)
"""These words as bytes, one of which stands in the ImageType of every mosaic."""


def _size(leaves: Leaves) -> tuple[int, int]:
    """Rows and Columns of the stored frame."""
    found = number(leaves.get("Rows", "")), number(leaves.get("Columns", ""))
    if not all(n >= 1 and n == int(n) for n in found):
        raise _Whole("Rows or Columns is missing")
    return int(found[0]), int(found[1])


def _layout(leaves: Leaves, down: int, across: int) -> tuple[Leaves, tuple[int, int]]:
    """What all tiles share, and their rows and columns."""
    rows, columns = _size(leaves)
    if rows % down or columns % across:
        raise _Whole(f"{rows} × {columns} pixels do not make {down} × {across} tiles")
    tile = rows // down, columns // across
    stored = f"{rows}\\{columns}"
    return {"Rows": str(tile[0]), "Columns": str(tile[1]), STORED_SIZE: stored}, tile


def _vectors(leaves: Leaves, keyword: str, width: int) -> _Floats:
    """The numbers of an attribute that a slice's place needs."""
    texts = leaves.get(keyword, "").split("\\")
    found = np.array([number(text) for text in texts])
    if len(found) != width or np.isnan(found).any():
        raise _Whole(f"{keyword} is missing or invalid")
    return found
