"""Headers become how the values of each frame are shown: window or table, polarity, palette."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from xdicom.errors import MissingAttributeError
from xdicom.headers.store import attribute_column, headers_of, sequence_of
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.values import number
from xdicom.pixels.lookup import LookupTable, read_table
from xdicom.pixels.palette import palettes
from xdicom.pixels.scaling import Scaling, scaling_of
from xdicom.pixels.spans import IntArray, layouts_of
from xdicom.pixels.stored import StoredValues, in_sign

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NOTHING, LINEAR, LINEAR_EXACT, SIGMOID, TABLE, PALETTE = range(6)
"""How a frame is shown; ``NOTHING`` where no frame stands."""
HOW, CENTRE, WIDTH, INVERTED, SLOPE, INTERCEPT, MODALITY = range(7)
"""Places in a frame's settings. CENTRE is the number of the table where one is used."""

_FUNCTIONS: Final = {"": LINEAR, "LINEAR": LINEAR, "LINEAR_EXACT": LINEAR_EXACT, "SIGMOID": SIGMOID}
"""By VOILUTFunction."""
_SMALLEST: Final = {LINEAR: 1.0}
"""The least width of a function; others need more than 0 (PS3.3 C.11.2.1.2.1, C.11.2.1.3)."""
_EXPLANATION: Final = "WindowCenterWidthExplanation"
_MOST_BITS: Final = 16
REMEDY: Final = 'Give window= a centre and width, or "auto"'


@dataclass(frozen=True, eq=False)
class Views:
    """How frames are shown."""

    settings: Floats
    """Of each frame, shape (frames, 7): see `HOW` and what follows."""
    tables: tuple[LookupTable, ...] = ()
    """VOI LUTs of outputs from 0 to 255, or palettes of uint8."""
    modality: tuple[LookupTable, ...] = ()
    """Modality LUTs that come before."""


def plain_settings(frames: int, window: tuple[float, float] | None = None) -> Floats:
    """Settings of frames that are shown by one window, exactly linear."""
    found = np.zeros((frames, 7))
    found[:, SLOPE], found[:, MODALITY] = 1.0, -1.0
    if window is not None:
        found[:, [HOW, CENTRE, WIDTH]] = LINEAR_EXACT, *window
    return found


def inverted_of(table: FrameTable) -> Bools:
    """Whether the lowest value of each frame is white.

    MONOCHROME1 (PS3.3 C.7.6.3.1.2), or PresentationLUTShape INVERSE (C.11.6); both say the same
    thing, so one that has both is turned round once.
    """
    found: Bools = _is(table.column("PhotometricInterpretation"), "MONOCHROME1")
    return found | _is(table.column("PresentationLUTShape"), "INVERSE")


def _is(column: Column, text: str) -> Bools:
    wanted = np.array([t == text for t in column.texts] + [False])
    found: Bools = wanted[column.codes]  # MISSING is −1: the last one
    return found


def palette_views(table: FrameTable) -> Views:
    """How indices of palettes are shown: as their colours, of 8 bits."""
    which, layouts = layouts_of(table)
    found = palettes(StoredValues(table, layouts, which))
    settings = plain_settings(len(table))
    settings[:, HOW], settings[:, CENTRE] = PALETTE, found.which
    return Views(settings, tuple(_bytes(t) for t in found.tables))


def _bytes(table: LookupTable) -> LookupTable:
    """A palette of 8 bits."""
    if table.values.dtype == np.uint8:
        return table
    return LookupTable(table.first, (table.values >> 8).astype(np.uint8))


def header_views(table: FrameTable, voi: int | str | None, *, stored: bool) -> Views:
    """How the headers say that frames are shown (PS3.3 C.11.2, C.7.6.16.2.10).

    Parameters
    ----------
    table : FrameTable
        The frames.
    voi : int, str or None
        Which view of a frame, its VOI LUTs first, then its windows: by number from 0, or by
        LUTExplanation or WindowCenterWidthExplanation. None: the first.
    stored : bool
        Whether values are stored ones, which the rescale or Modality LUT must come before.

    Returns
    -------
    Views
        Frames without any view: the range from the least SmallestImagePixelValue to the greatest
        LargestImagePixelValue of all frames where each has them, else from the lowest to the
        highest value that BitsStored allows; both rescaled.

    Raises
    ------
    MissingAttributeError
        If a frame does not have the view that is asked for, a window is invalid, or a frame of
        floats has none.
    """
    which, layouts = layouts_of(table)
    values = StoredValues(table, layouts, which)
    scaling = scaling_of(table, layouts, "modality", which)
    limits = _limits(values.limits, scaling)
    whole = _whole_range(values, scaling, limits)
    settings = plain_settings(len(table))
    settings[:, INVERTED] = inverted_of(table)
    modality: tuple[LookupTable, ...] = ()
    if stored:
        if scaling.slope is not None and scaling.intercept is not None:
            settings[:, SLOPE], settings[:, INTERCEPT] = scaling.slope, scaling.intercept
        if scaling.lookup is not None:
            settings[:, MODALITY], modality = scaling.lookup.which, scaling.lookup.tables
    luts = _luts(table)
    tables = _Tables(table, limits)
    for rows, windows in _groups(table, luts, isinstance(voi, str)):
        first = int(rows[0])
        items = luts[first].items if first in luts else []
        names = [*(str(i.get("LUTExplanation") or "").strip() for i in items), *windows.names]
        place = _chosen(names, voi, table.path(first), int(table.frame_number[first]))
        if place is None:
            low, high = whole[rows].T
            if not np.isfinite(whole[rows]).all():
                raise MissingAttributeError(
                    "the frame has no window, and floats have no highest value",
                    file=table.path(first),
                    remedy=REMEDY,
                )
            settings[rows, HOW] = LINEAR_EXACT
            settings[rows, CENTRE], settings[rows, WIDTH] = (low + high) / 2, high - low
        elif place < len(items):
            settings[rows, HOW] = TABLE
            settings[rows, CENTRE] = tables.add(first, luts[first], place)
        else:
            how, centre, width = windows.at(
                place - len(items), table.path(first), int(table.frame_number[first])
            )
            settings[rows, HOW], settings[rows, CENTRE], settings[rows, WIDTH] = how, centre, width
    return Views(settings, tuple(tables.found), modality)


def _chosen(names: list[str], voi: int | str | None, file: str, frame: int) -> int | None:
    """Which of a frame's views is meant; None for the full range, where it has none."""
    if voi is None:
        return 0 if names else None
    if isinstance(voi, int):
        found = [voi] if 0 <= voi < len(names) else []
    else:
        found = [i for i, name in enumerate(names) if name == voi.strip()]
    if found:
        return found[0]
    raise MissingAttributeError(
        f"the frame has no VOI LUT or window {voi!r}",
        file=file,
        frame=frame,
        found="; ".join(f"{i}: {n or 'without name'}" for i, n in enumerate(names)) or "none",
        remedy=f"Choose one of those with voi=, by number or name. {REMEDY}",
    )


@dataclass(frozen=True, eq=False)
class _Luts:
    """The VOI LUTs of a frame."""

    number: int
    items: list[Dataset]
    little: bool


def _luts(table: FrameTable) -> dict[int, _Luts]:
    """The VOI LUTs of the frames that have any; frames of the same ones share them."""
    rows = np.flatnonzero(table.column("xdicom_voi_lut").codes >= 0)
    found: dict[int, _Luts] = {}
    if not rows.size:
        return found
    part = table.take(rows)
    count = 0
    for header, places in headers_of(part):
        known: dict[int, _Luts] = {}
        little = header.original_encoding[1] is not False
        for place in places.tolist():
            items = sequence_of(header, int(part.frame_number[place]), "VOILUTSequence")
            if not items:
                continue
            key = id(items[0])
            if key not in known:
                known[key] = _Luts(count, items, little)
                count += 1
            found[int(rows[place])] = known[key]
    return found


class _Tables:
    """Gathers VOI LUTs, equal ones once, with outputs from 0 to 255."""

    def __init__(self, table: FrameTable, limits: Floats) -> None:
        self.found: list[LookupTable] = []
        self._table, self._limits = table, limits
        self._places: dict[tuple[int, bytes], int] = {}

    def add(self, row: int, luts: _Luts, place: int) -> int:
        """The number of a frame's table."""
        # its first value is signed where what comes before may be negative (C.11.2.1.1)
        signed = bool(self._limits[row, 0] < 0)
        file = self._table.path(row)
        read, bits = read_table(luts.items[place], "a VOI LUT", signed, luts.little, file, REMEDY)
        if not 1 <= bits <= _MOST_BITS:
            raise MissingAttributeError(
                "a VOI LUT of impossible depth",
                file=file,
                expected="8, or 10 to 16 bits",
                found=bits,
                remedy=REMEDY,
            )
        shown = np.clip(read.values * (255.0 / (2**bits - 1)), 0, 255)
        made = LookupTable(read.first, shown)
        key = (made.first, made.values.tobytes())
        found = self._places.setdefault(key, len(self.found))
        if found == len(self.found):
            self.found.append(made)
        return found


def _limits(stored: Floats, scaling: Scaling) -> Floats:
    """Values of the modality for the ends of ranges of stored ones, shape (frames, 2)."""
    found = stored.copy()
    if scaling.slope is not None and scaling.intercept is not None:
        found = found * scaling.slope[:, None] + scaling.intercept[:, None]
    if scaling.lookup is not None:
        ends = np.array([[t.values.min(), t.values.max()] for t in scaling.lookup.tables])
        which = scaling.lookup.which
        found = np.where(which[:, None] >= 0, ends[which], found)
    found.sort(axis=1)
    return found


def _whole_range(values: StoredValues, scaling: Scaling, limits: Floats) -> Floats:
    """What goes from black to white in frames without a view."""
    ends = [
        in_sign(values.table.column(keyword).numbers(), values.signed)
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue")
    ]
    named = np.stack(ends, axis=1)
    if not (named[:, 0] < named[:, 1]).all() or values.dtype.kind not in "iu":
        return limits
    found = _limits(named, scaling)
    return np.tile([found[:, 0].min(), found[:, 1].max()], (len(found), 1))


@dataclass(frozen=True)
class _Windows:
    """The windows of some frames, as the headers write them."""

    centres: Sequence[str]
    widths: Sequence[str]
    function: str
    explanations: Sequence[str]

    @property
    def names(self) -> list[str]:
        """The explanation of each."""
        count = min(len(self.centres), len(self.widths))
        found = [*self.explanations, *[""] * count]
        return [name.strip() for name in found[:count]]

    def at(self, place: int, file: str, frame: int) -> tuple[int, float, float]:
        """Function, centre and width of one, checked."""
        how = _FUNCTIONS.get(self.function.strip().upper(), NOTHING)
        centre, width = number(self.centres[place]), number(self.widths[place])
        least = _SMALLEST.get(how, 0.0)
        if how != NOTHING and np.isfinite([centre, width]).all() and width >= least and width > 0:
            return how, centre, width
        raise MissingAttributeError(
            "WindowCenter, WindowWidth or VOILUTFunction is invalid",
            file=file,
            frame=frame,
            expected=f"a width of at least {least:g}" if least else "a width above 0",
            found=f"{self.centres[place]}, {self.widths[place]}, {self.function or 'LINEAR'}",
            remedy=REMEDY,
        )


def _groups(
    table: FrameTable, luts: dict[int, _Luts], named: bool
) -> Iterator[tuple[IntArray, _Windows]]:
    """Frames of the same views: their rows, and their windows."""
    columns = [table.column(k) for k in ("WindowCenter", "WindowWidth", "VOILUTFunction")]
    # names are in no row of the table: the files are read for them only where one is asked for
    columns.append(
        attribute_column(table, _EXPLANATION)
        if named and columns[0].texts
        else table.column(_EXPLANATION)
    )
    own = np.array([luts[i].number if i in luts else -1 for i in range(len(table))])
    codes = np.stack([*(c.codes for c in columns), own], axis=1)
    _, inverse, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    for rows in np.split(order, np.cumsum(counts)[:-1]):
        codes_here = [int(c.codes[rows[0]]) for c in columns]
        texts = [c.texts[n] if n >= 0 else "" for c, n in zip(columns, codes_here, strict=True)]
        centres, widths, function, names = (t.split("\\") if t else [] for t in texts)
        yield rows, _Windows(centres, widths, "".join(function), names)
