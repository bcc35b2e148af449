"""Positions of frames become what splits a stack, and the axis of its slices."""

from __future__ import annotations

import numpy as np

from xdicom.headers.table import FrameTable
from xdicom.series.codes import Codes, cluster, combine
from xdicom.series.geometry import (
    POSITION_TOLERANCE,
    planes_of,
    slice_codes,
    weak_positions,
)
from xdicom.series.grid import Axis


def in_plane_origins(table: FrameTable) -> list[tuple[Codes, str | None]]:
    """Split frames of one slice whose in-plane origins differ; usually there is nothing to do."""
    planes = planes_of(table)
    everything: list[tuple[Codes, str | None]] = [(np.arange(len(table)), None)]
    if planes is None:
        return everything
    codes, slices = slice_codes(planes.along(planes.normal))
    in_plane = [planes.along(planes.row), planes.along(planes.column)]
    low = np.full((2, len(slices)), np.inf)
    high = -low
    for i, values in enumerate(in_plane):
        np.minimum.at(low[i], codes, values)
        np.maximum.at(high[i], codes, values)
    if (high - low).max() <= POSITION_TOLERANCE:
        return everything
    parts = [cluster(values, POSITION_TOLERANCE) for values in in_plane]
    origin = combine([codes for codes, _ in parts], len(table))
    found: list[tuple[Codes, str | None]] = []
    for i in range(int(origin.max()) + 1):
        members = np.flatnonzero(origin == i)
        place = (anchors[codes[members[0]]] for codes, anchors in parts)
        found.append((members, ", ".join(f"{p:g}" for p in place)))
    return found


def by_detector(table: FrameTable) -> bool:
    """Whether frames are views of several detectors, each with a place of its own, and no slices.

    Each vector of Nuclear Medicine is a dim (SPEC §2.5), so these stay together.
    """
    detector, position = table.column("DetectorVector"), table.column("ImagePositionPatient")
    if not detector.complete or detector.constant or not table.column("SliceVector").constant:
        return False
    return position.complete and not (
        position.constant and table.column("ImageOrientationPatient").constant
    )


def slice_axis(table: FrameTable) -> Axis | None:
    """The axis of the slices' positions; None where they are unknown."""
    planes = planes_of(table)
    if planes is not None:
        keyword, values = "ImagePositionPatient", planes.along(planes.normal)
    else:
        found = weak_positions(table)
        if found is None:
            return None
        keyword, values, _ = found
    codes, positions = slice_codes(values)
    return Axis("z", "position", (keyword,), "position", codes, len(positions), positions)
