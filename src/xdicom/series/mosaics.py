"""What is said of frames that hold, or held, many slices, and which are slices after all."""

from __future__ import annotations

import numpy as np

from xdicom.errors import Problem
from xdicom.headers.mosaic import NO_COUNT, UNCUT
from xdicom.headers.table import FrameTable
from xdicom.series.codes import Floats


def are_slices(table: FrameTable, positions: Floats, tolerance: float) -> bool:
    """Whether frames that call themselves mosaics, and do not say of how many slices, are slices.

    What takes mosaics apart may leave ImageType as it was, as Siemens XA does. Mosaics of a series
    lie in one place, or move with the patient; slices lie as far apart as they say.

    Parameters
    ----------
    table : FrameTable
        Frames of one orientation.
    positions : array of float, shape (slices,)
        Their distinct positions along the normal, evenly spaced, mm.
    tolerance : float
        Of the distance, relative.
    """
    uncut = table.column(UNCUT)
    if len(positions) < 2 or not uncut.complete or uncut.texts != (NO_COUNT,):
        return False
    step = float(np.diff(positions).mean())
    said = np.abs(table.numbers("SpacingBetweenSlices"))
    if not np.isnan(said).any():
        return bool((np.abs(said - step) <= tolerance * step).all())
    # a patient moves by less than a slice, and not evenly
    thickness = table.numbers("SliceThickness")
    return len(positions) > 2 and bool((step >= (1 - tolerance) * thickness).all())


def mosaic_notes(table: FrameTable) -> tuple[str, ...]:
    """What a reader of ``explain()`` should know of frames that were cut into slices."""
    cut = table.tile > 0
    if not cut.any():
        return ()
    counts = np.bincount(table.tile[cut])[1:]
    held = f"each stored frame holds {len(counts)} slices, of which each is a frame here"
    return (f"mosaic: {held}; .dicom.header is that of all",)


def mosaic_problems(table: FrameTable, placed: bool) -> tuple[Problem, ...]:
    """Why frames of an array could not be cut into the slices that they hold."""
    uncut = table.column(UNCUT)
    if placed or not uncut.texts:
        return ()
    first = table.files.paths[table.file[int(np.argmax(uncut.codes >= 0))]]
    what = f"the mosaic is kept whole, without a place: {'; '.join(sorted(uncut.texts))}"
    return (Problem("UncutMosaic", what, first),)
