"""Frames of a segmentation become a grid of segments and slices, with labels of the segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from xdicom.errors import MissingAttributeError, NotHypercubeError
from xdicom.headers.segments import (
    LABEL_MAP,
    SEGMENTATIONS,
    SEGMENTS,
    Segment,
    segments_from,
)
from xdicom.headers.table import FrameTable
from xdicom.series.axes import Inference, Split
from xdicom.series.candidates import Candidates
from xdicom.series.factorial import is_grid, is_settled
from xdicom.series.grid import Axis, Grid, fill
from xdicom.series.ragged import axes_with_holes, flat_grid, remedied

DIM: Final = "SegmentNumber"
_MOST_CELLS: Final = 4_000_000
"""Cells that a segmentation may have whatever its frames: most of them are empty."""

_LABELS: Final = {
    "segment_label": "label",
    "segment_category": "category",
    "segment_type": "type",
    "segment_tracking_id": "tracking_id",
}
"""Coordinates on SegmentNumber, and what of a segment they hold."""


def is_segmentation(table: FrameTable) -> bool:
    """Whether the frames are of segmentations, so that those that are absent hold nothing."""
    texts = table.column("SOPClassUID").texts
    return bool(texts) and SEGMENTATIONS.issuperset(texts)


def is_label_map(table: FrameTable) -> bool:
    """Whether pixels are the numbers of segments."""
    if "LABELMAP" in table.column("SegmentationType").texts:
        return True
    return LABEL_MAP in table.column("SOPClassUID").texts


def background(table: FrameTable) -> float:
    """The value of what belongs to no segment: of label maps PixelPaddingValue, if they have it."""
    values = np.unique(table.numbers("PixelPaddingValue"))
    return float(values[0]) if is_label_map(table) and np.isfinite(values).all() else 0.0


def segments_of(table: FrameTable) -> tuple[Segment, ...]:
    """The segments that the instances of a table declare, by number."""
    found: dict[int, Segment] = {}
    for text in table.column(SEGMENTS).texts:
        for segment in segments_from(text):
            found.setdefault(segment.number, segment)
    return tuple(found[number] for number in sorted(found))


def segment_axis(table: FrameTable, whole: bool = True) -> Axis | None:
    """The axis of the segments that are declared, whether they have frames or not.

    Of a part of an object those that have any: the others may have some that were left out. None
    for label maps, whose frames are of all segments.

    Parameters
    ----------
    table : FrameTable
        The frames.
    whole : bool
        Whether there are no others.

    Raises
    ------
    MissingAttributeError
        If a frame does not say which of several segments it is of.
    """
    if is_label_map(table):
        return None
    numbers = table.numbers(DIM)
    declared = np.array([segment.number for segment in segments_of(table)], np.float64)
    missing = np.isnan(numbers)
    if missing.any():
        if len(declared) != 1:
            row = int(np.argmax(missing))
            raise MissingAttributeError(
                "ReferencedSegmentNumber is missing",
                file=table.path(row),
                frame=int(table.frame_number[row]),
                expected=f"one of {len(declared)} segments",
                remedy='dims="flat" opens the frames as a list',
            )
        numbers = np.where(missing, declared[0], numbers)
    known = np.unique(np.concatenate([declared, numbers]) if whole else numbers)
    codes = np.searchsorted(known, numbers)
    return Axis(DIM, "segment", (DIM,), "value", codes, len(known), known.astype(np.int64))


def _whole(table: FrameTable, series: FrameTable) -> bool:
    """Whether a series has all frames of the objects that some of its frames are of."""
    uids = series.column("SOPInstanceUID")
    own = set(table.column("SOPInstanceUID").texts)
    of_own = np.array([*(text in own for text in uids.texts), False])[uids.codes]
    _, firsts = np.unique(series.file[of_own], return_index=True)
    counts = series.numbers("NumberOfFrames")[of_own][firsts]
    return bool(np.where(np.isnan(counts), 1, counts).sum() <= of_own.sum())


def segment_grid(candidates: Candidates, z: Axis | None, ragged: str, series: FrameTable) -> Grid:
    """The grid of a segmentation: segments × slices, and what else tells frames apart.

    What has no frame is empty, so holes are no fault (PS3.3 C.8.20.2, SPEC §2.5).

    Parameters
    ----------
    candidates : Candidates
        Of the frames.
    z : Axis or None
        Their slices: all positions at which any segment has a frame.
    ragged : {"raise", "fill", "complete", "flat"}
        A remedy that the caller wants other than empty frames.
    series : FrameTable
        All frames that were chosen of their series, which may be a part of what the files hold.

    Raises
    ------
    NotHypercubeError
        If frames share a segment and a slice, and nothing tells them apart.
    MissingAttributeError
        As `segment_axis`.
    """
    tiled = z is None and not candidates.table.column(DIM).texts
    whole = _whole(candidates.table, series)
    axis = None if tiled else segment_axis(candidates.table, whole)
    base = [a for a in (axis, z) if a is not None]
    length = len(candidates)
    if z is None:  # tiles among others: their places in a slide are no positions
        return _unplaced(candidates, base)
    axes: Sequence[Axis] | None = base
    if not is_settled(base, length):
        axes = axes_with_holes(candidates, base)
    if axes is None:
        if ragged == "flat":
            return flat_grid(candidates)
        raise NotHypercubeError(
            "several frames of a segmentation have one segment and one position, and nothing "
            "tells them apart",
            file=candidates.table.path(0),
            remedy='ragged="flat" opens them as a list',
        )
    if is_grid(axes, length):
        return Grid(tuple(axes), fill(axes, length)[0])
    grid = remedied(candidates, axes, "fill" if ragged == "raise" else ragged, _MOST_CELLS)
    if ragged not in ("raise", "fill"):
        return grid
    empty = int((~grid.present).sum())
    note = f"{empty} frames that the file does not hold are empty; frame_present tells which"
    return replace(grid, notes=(note,))


def _unplaced(candidates: Candidates, base: Sequence[Axis]) -> Grid:
    """The grid of frames without position, which is full or a list: nothing says what is empty."""
    try:
        found = Inference(candidates, base).run()
    except Split:
        return flat_grid(candidates)
    # that frames of two segments come alike does not say that they lie alike
    ranked = any(a.method == "rank" or a.family == "last" for a in found.axes)
    several = any(a.dim == DIM and a.size > 1 for a in found.axes)
    if not is_grid(found.axes, len(candidates)) or (several and ranked):
        return flat_grid(candidates, "a list of frames: their positions are unknown")
    rows = fill(found.axes, len(candidates))[0]
    return Grid(found.axes, rows, found.rejected, found.notes)


def segment_coordinates(table: FrameTable, grid: Grid) -> dict[str, xr.Variable]:
    """Labels of the segments along SegmentNumber; none where a grid has no such dim.

    Parameters
    ----------
    table : FrameTable
        Frames of one segmentation.
    grid : Grid
        Of the same.

    Returns
    -------
    dict of xarray.Variable
        Text by name, each only where a segment has it.
    """
    axis = grid.axis(DIM)
    if axis is None or axis.labels is None or SEGMENTS not in table.columns:
        return {}
    known = {segment.number: segment for segment in segments_of(table)}
    found = {}
    for name, field in _LABELS.items():
        chosen = [known.get(int(number), Segment(0)) for number in axis.labels]
        texts = np.array([getattr(segment, field) for segment in chosen], np.str_)
        if (texts != "").any():
            found[name] = xr.Variable((DIM,), texts)
    return found
