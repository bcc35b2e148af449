"""Dates, times and zones of frames become moments, and the order in which they were acquired."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from xdicom.errors import Problem
from xdicom.headers.mosaic import SLICE_TIME
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.values import utc_offset
from xdicom.headers.vectors import FRAME_TIME, VIEW_ANGLE
from xdicom.series.codes import Codes, Floats, combine, first_rows, text_codes

_SOURCES = ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "TimezoneOffsetFromUTC")


_MOST_OF_A_DAY: Final = 18 * 3600.0
"""Seconds; no series takes so long."""

_MOMENTS: WeakKeyDictionary[FrameTable, Column | None] = WeakKeyDictionary()
"""Of tables that are open: moments are asked for by axes, order and coordinates."""


def acquisition_datetime(table: FrameTable) -> Column | None:
    """Moment of acquisition of each frame as one column of DT texts; None where none is known.

    AcquisitionDateTime, else AcquisitionDate with AcquisitionTime, so that midnight between two
    frames is passed where the files' dates say so.

    Parameters
    ----------
    table : FrameTable
        Frames.

    Returns
    -------
    Column or None
        Moments without an offset of their own bear TimezoneOffsetFromUTC, where there is one
        (PS3.3 C.12.1.1.8).
    """
    if table not in _MOMENTS:
        _MOMENTS[table] = _moments(table)
    return _MOMENTS[table]


def _moments(table: FrameTable) -> Column | None:
    direct, day, clock, zone = columns = tuple(map(table.column, _SOURCES))
    if not direct.texts and not (day.texts and clock.texts):
        return None
    combined = combine([column.codes for column in columns], len(table))
    rows = first_rows(combined, int(combined.max()) + 1)
    moment, date, time, offset = (_texts(column)[column.codes[rows]] for column in columns)
    both = np.char.add(np.char.replace(date, ".", ""), np.char.replace(time, ":", ""))
    moment = np.where(moment != "", moment, np.where((date != "") & (time != ""), both, ""))
    if zone.texts:
        bare = [text != "" and not utc_offset(text) for text in moment.tolist()]
        moment = np.where(bare, np.char.add(moment, offset), moment)
    texts, codes = np.unique(moment, return_inverse=True)
    missing = int(texts[0] == "")
    if len(texts) == missing:
        return None
    codes = (codes.ravel() - missing)[combined]
    return Column(codes.astype(np.int32), tuple(texts[missing:].tolist()), "DT")


def _texts(column: Column) -> npt.NDArray[np.str_]:
    """The texts of a column, and one for −1."""
    return np.array([*column.texts, ""], dtype=np.str_)


def instance_time(table: FrameTable) -> Column | None:
    """Time of each frame from the first of its multi-frame instance, ms.

    From FrameTimeVector or FrameTime (PS3.3 C.7.6.5), or from the phases of a dynamic Nuclear
    Medicine study (C.8.4.14); None where no frame has one.
    """
    found = table.columns.get(FRAME_TIME)
    return None if found is None else Column(found.codes, found.texts, "FD")


def frame_time(table: FrameTable) -> Column | None:
    """Time of each frame in ms: of a cine from its first frame, else FrameReferenceTime.

    FrameReferenceTime of PET counts from the series' reference time (PS3.3 C.8.9.4). Neither is
    moved to the middle of the frame; ActualFrameDuration tells how long it lasted.
    """
    own = instance_time(table)
    if own is not None:
        return own
    reference = table.column("FrameReferenceTime")
    return reference if reference.texts else None


def slice_time(table: FrameTable) -> Column | None:
    """Time of each slice from the first of its volume, s, where a mosaic tells it."""
    found = table.columns.get(SLICE_TIME)
    return None if found is None else Column(found.codes, found.texts, "DS")


def view_angle(table: FrameTable) -> Column | None:
    """Angle of the detector about the patient in degrees, of each view of a tomography.

    StartAngle, and AngularStep for each view, in RotationDirection (PS3.3 C.8.4.12).
    """
    found = table.columns.get(VIEW_ANGLE)
    return None if found is None else Column(found.codes, found.texts, "FD")


def reference_seconds(table: FrameTable) -> Floats:
    """FrameReferenceDateTime of each frame in seconds since 1970, NaN where unknown."""
    column = table.column("FrameReferenceDateTime")
    if column.values.array.dtype.kind != "M":
        return np.full(len(table), np.nan)
    return _seconds(column)


def midnight_problems(table: FrameTable) -> tuple[Problem, ...]:
    """A problem where times of a series lie most of a day apart and no date tells their order."""
    moments = acquisition_datetime(table)
    if moments is not None and moments.values.array.dtype.kind == "M":
        return ()
    seconds = acquisition_seconds(table)
    seconds = seconds[~np.isnan(seconds)]
    if not len(seconds) or np.ptp(seconds) < _MOST_OF_A_DAY:
        return ()
    what = (
        "AcquisitionTime differs by most of a day and there is no AcquisitionDate: midnight may "
        "lie between the frames, and those after it then stand first"
    )
    return (Problem("MidnightWithoutDate", what),)


def acquisition_seconds(table: FrameTable) -> Floats:
    """Moment of acquisition of each frame in seconds, NaN where it is unknown.

    Parameters
    ----------
    table : FrameTable
        Frames.

    Returns
    -------
    numpy.ndarray, shape (frames,)
        Since 1970, or since midnight where no frame has a date: the two are never mixed.
    """
    moments = acquisition_datetime(table)
    if moments is not None and moments.values.array.dtype.kind == "M":
        return _seconds(moments)
    clock = table.column("AcquisitionTime")
    if clock.values.array.dtype.kind == "m":
        return _seconds(clock)
    return np.full(len(table), np.nan)


def _seconds(column: Column) -> Floats:
    array = column.values.array
    unit = f"{array.dtype.kind}8[us]"
    seconds = array.astype(unit).astype(np.int64) / 1e6
    seconds[np.isnat(array)] = np.nan
    found: Floats = np.append(seconds, np.nan)[column.codes]
    return found


def acquisition_place(table: FrameTable) -> Codes:
    """Place of each frame in the order of acquisition, from 0.

    By moment, InstanceNumber, SOPInstanceUID and FrameNumber (SPEC §2.3): never by file.
    """
    keys = [
        acquisition_seconds(table),
        table.numbers("InstanceNumber"),
        text_codes(table.column("SOPInstanceUID")),
        frame_numbers(table),
    ]
    order = np.lexsort(tuple(reversed(keys)))  # NaN comes last
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def frame_numbers(table: FrameTable) -> Floats:
    """Number of each frame in its instance; in its concatenation, if it is part of one.

    PS3.3 C.7.6.16.2.2.4: ConcatenationFrameOffsetNumber is 0 for the first part.
    """
    offset = np.nan_to_num(table.numbers("ConcatenationFrameOffsetNumber"))
    return np.asarray(table.frame_number + offset, dtype=np.float64)
