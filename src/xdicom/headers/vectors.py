"""Vectors and items that describe frames by number become one value a frame, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.elements import tag_of
from xdicom.headers.values import as_numbers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Items = Mapping[str, Sequence[Mapping[str, str]]]

VECTORS: Final = (
    "EnergyWindowVector", "DetectorVector", "PhaseVector", "RotationVector", "RRIntervalVector",
    "TimeSlotVector", "SliceVector", "AngularViewVector", "TimeSliceVector",
)  # fmt: skip
"""Attributes with one index a frame, from 1, that FrameIncrementPointer lists (PS3.3 C.8.4.8)."""

FRAME_TIME: Final = "xdicom_frame_time"
"""Column of the time from the first frame of the instance, ms."""
VIEW_ANGLE: Final = "xdicom_view_angle"
"""Column of the detector's angle about the patient, degrees."""

NUCLEAR: Final = "1.2.840.10008.5.1.4.1.1.20"
_MOVING: Final = ("AngularViewVector", "RotationVector")
_DECIMALS: Final = 6


@dataclass
class Expanded:
    """What is known of each frame of one instance."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    """By keyword, one text a frame; empty where a frame has none."""
    dropped: set[str] = field(default_factory=set)
    """Attributes of the instance that are no longer true, or wrong."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Kind and message of what was wrong."""


def expand(attributes: Mapping[str, str], items: Items, frames: int) -> Expanded:
    r"""Values of each frame of an instance without functional groups.

    Parameters
    ----------
    attributes : mapping
        Raw texts of the instance by keyword.
    items : mapping
        By keyword of a sequence, its items' raw texts.
    frames : int
        How many there are.

    Returns
    -------
    Expanded
        The vectors of Nuclear Medicine (PS3.3 C.8.4.8); position and orientation by detector and
        slice (C.8.4.11, C.8.4.15), the energy window's name, angles and times by phase; and the
        times of a cine (C.7.6.5).

    Examples
    --------
    >>> cine = {"FrameIncrementPointer": "00181065", "FrameTimeVector": "0\\40\\50"}
    >>> expand(cine, {}, 3).columns
    {'xdicom_frame_time': ['0.0', '40.0', '90.0']}
    >>> spect = {"FrameIncrementPointer": "00540080", "SliceVector": "2\\1"}
    >>> expand(spect, {}, 2).columns
    {'SliceVector': ['2', '1']}
    """
    found = Expanded()
    pointed = set(attributes.get("FrameIncrementPointer", "").lower().split("\\"))
    if frames > 1:
        _cine(found, attributes, pointed, frames)
    nuclear = attributes.get("SOPClassUID") == NUCLEAR
    given = [keyword for keyword in VECTORS if keyword in attributes]
    if not given and not nuclear:
        return found
    listed = [keyword for keyword in VECTORS if _pointer(keyword) in pointed]
    if not listed and frames > 1:
        found.problems.append(
            ("MissingFrameIncrementPointer", "it names no vector; all that there are were used")
        )
    indices: dict[str, Ints] = {}
    for keyword in VECTORS:
        text = attributes.get(keyword, "")
        found.dropped.add(keyword)
        if listed and keyword not in listed:
            continue
        if not text:
            if keyword in listed:
                what = f"FrameIncrementPointer names {keyword}, which is missing"
                found.problems.append(("MissingVector", what))
            continue
        vector = _vector(keyword, text, attributes, frames, found)
        if vector is not None:
            indices[keyword] = vector
            found.columns[keyword] = [str(v) for v in vector.tolist()]
    if nuclear:
        _positions(found, attributes, items, indices, frames)
        _names(found, items, indices)
        _angles(found, items, indices, frames)
        _phases(found, items, indices)
    return found


def _pointer(keyword: str) -> str:
    return f"{tag_of(keyword):08x}"


def _fits(count: int, attributes: Mapping[str, str], frames: int) -> bool:
    """Whether a vector is as long as there are frames, or should be in a truncated file."""
    return count == frames or str(count) == attributes.get("NumberOfFrames", "").strip()


def _vector(
    keyword: str, text: str, attributes: Mapping[str, str], frames: int, found: Expanded
) -> Ints | None:
    """The index of each frame; None, and a problem, where the vector is none."""
    count = text.count("\\") + 1
    if not _fits(count, attributes, frames) or count < frames:
        what = f"{keyword} has {count} values for {frames} frames; it was not used"
        found.problems.append(("WrongVectorLength", what))
        return None
    values = as_numbers([text], "US", count)[0][:frames]
    if np.isnan(values).any() or values.min() < 1:
        what = f"{keyword} holds indices below 1; it was not used"
        found.problems.append(("InvalidVector", what))
        return None
    whole: Ints = values.astype(np.int64)
    return whole


def _cine(found: Expanded, attributes: Mapping[str, str], pointed: set[str], frames: int) -> None:
    """Time of each frame from FrameTimeVector or FrameTime, whichever the pointer names.

    Where it names neither, as it must, the one that there is. CineRate and
    RecommendedDisplayFrameRate say how to play a cine, not when its frames were made (PS3.3
    C.7.6.5): no time comes from them.
    """
    named = [k for k in ("FrameTimeVector", "FrameTime") if _pointer(k) in pointed]
    for keyword in named or ("FrameTimeVector", "FrameTime"):
        text = attributes.get(keyword, "")
        count = text.count("\\") + 1
        if not text:
            continue
        if keyword == "FrameTime":
            step = float(as_numbers([text], "DS", 1)[0, 0])
            times = np.asarray(np.arange(frames) * step, np.float64)
        elif _fits(count, attributes, frames) and count >= frames:
            steps = as_numbers([text], "DS", count)[0][:frames]
            steps[0] = 0.0  # whatever stands there: the first frame is at 0
            step = float(steps.min())
            times = np.cumsum(steps)
        else:
            what = f"{keyword} has {count} values for {frames} frames; the times are unknown"
            found.problems.append(("WrongVectorLength", what))
            return
        if not (np.isfinite(times).all() and step >= 0 and times[-1] > 0):
            if keyword in named:
                what = f"{keyword} does not go forward in time; it was not used"
                found.problems.append(("InvalidVector", what))
            continue
        found.columns[FRAME_TIME] = _texts(times)
        return


def _texts(values: Floats) -> list[str]:
    """One text a value, the missing ones empty."""
    rounded = (np.round(values, _DECIMALS) + 0.0).tolist()
    return ["" if value != value else repr(value) for value in rounded]


def _of_items(items: Sequence[Mapping[str, str]], keyword: str, width: int, vr: str) -> Floats:
    """Numbers of each item, shape (items, width), with NaN for one that there is not at the end."""
    return as_numbers([*(item.get(keyword, "") for item in items), ""], vr, width)


def _item_of(vector: Ints | None, items: Sequence[object], frames: int) -> Ints:
    """Item of each frame from its index; the only one where there is no index; −1 for none."""
    if vector is None:
        return np.full(frames, 0 if len(items) == 1 else -1, np.int64)
    return np.where(vector <= len(items), vector - 1, -1)


def _positions(
    found: Expanded,
    attributes: Mapping[str, str],
    items: Items,
    indices: Mapping[str, Ints],
    frames: int,
) -> None:
    """Position and orientation of each frame from its detector's item and its slice's number.

    PS3.3 C.8.4.15: SpacingBetweenSlices is signed. What a rotating detector's item says holds for
    its first view only, so frames of several views have no place.
    """
    detectors = items.get("DetectorInformationSequence", ())
    item = _item_of(indices.get("DetectorVector"), detectors, frames)
    if "DetectorVector" in indices and (item < 0).any():
        what = "DetectorVector counts beyond DetectorInformationSequence"
        found.problems.append(("InvalidVector", what))
    position = _of_items(detectors, "ImagePositionPatient", 3, "DS")[item]
    cosines = _of_items(detectors, "ImageOrientationPatient", 6, "DS")[item]
    for keyword, of_frames, width in (
        ("ImagePositionPatient", position, 3),
        ("ImageOrientationPatient", cosines, 6),
    ):
        own = as_numbers([attributes.get(keyword, "")], "DS", width)[0]
        of_frames[np.isnan(of_frames).any(axis=1)] = own
        found.dropped.add(keyword)
    if any(k in indices and np.ptp(indices[k]) > 0 for k in _MOVING):
        return
    slices = indices.get("SliceVector")
    if slices is not None and np.ptp(slices) > 0:
        step = as_numbers([attributes.get("SpacingBetweenSlices", "")], "DS", 1)[0, 0]
        normal = np.cross(cosines[:, :3], cosines[:, 3:])
        position = position + ((slices - 1) * step)[:, None] * normal
    known = ~np.isnan(position).any(axis=1) & ~np.isnan(cosines).any(axis=1)
    if known.all():  # all or none: frames are not split by what is known of their detectors
        found.columns["ImagePositionPatient"] = _joined(position)
        found.columns["ImageOrientationPatient"] = _joined(cosines)


def _joined(vectors: Floats) -> list[str]:
    distinct, inverse = np.unique(vectors, axis=0, return_inverse=True)
    rounded = (np.round(distinct, _DECIMALS) + 0.0).tolist()
    texts = ["\\".join(map(repr, vector)) for vector in rounded]
    return [texts[i] for i in inverse.ravel().tolist()]


def _names(found: Expanded, items: Items, indices: Mapping[str, Ints]) -> None:
    """Name of each frame's energy window (PS3.3 C.8.4.10)."""
    windows = [
        w.get("EnergyWindowName", "") for w in items.get("EnergyWindowInformationSequence", ())
    ]
    vector = indices.get("EnergyWindowVector")
    if vector is not None and any(windows):
        places = _item_of(vector, windows, len(vector))
        found.columns["EnergyWindowName"] = [[*windows, ""][i] for i in places.tolist()]


_TURNS: Final[dict[str, float]] = {"CW": -1.0, "CC": 1.0}
"""RotationDirection: clockwise decreases the angle (PS3.3 C.8.4.12)."""


def _angles(
    found: Expanded,
    items: Items,
    indices: Mapping[str, Ints],
    frames: int,
) -> None:
    """Angle of each view: StartAngle of the detector, else of the rotation, and whole steps."""
    views = indices.get("AngularViewVector")
    rotations = items.get("RotationInformationSequence", ())
    if views is None or not rotations:
        return
    rotation = _item_of(indices.get("RotationVector"), rotations, frames)
    detectors = items.get("DetectorInformationSequence", ())
    detector = _item_of(indices.get("DetectorVector"), detectors, frames)
    start = _of_items(detectors, "StartAngle", 1, "DS")[detector, 0]
    start = np.where(
        np.isnan(start), _of_items(rotations, "StartAngle", 1, "DS")[rotation, 0], start
    )
    step = _of_items(rotations, "AngularStep", 1, "DS")[rotation, 0]
    turns = np.array(
        [*(_TURNS.get(r.get("RotationDirection", ""), np.nan) for r in rotations), np.nan]
    )
    angle = start + turns[rotation] * step * (views - 1)
    if not np.isnan(angle).any():
        found.columns[VIEW_ANGLE] = _texts(angle)


def _phases(found: Expanded, items: Items, indices: Mapping[str, Ints]) -> None:
    """Time of each frame of a dynamic study from the phases before it (PS3.3 C.8.4.14)."""
    phases = items.get("PhaseInformationSequence", ())
    if not phases or not ("PhaseVector" in indices or "TimeSliceVector" in indices):
        return
    frames = len(next(iter(indices.values())))
    phase = _item_of(indices.get("PhaseVector"), phases, frames)
    duration, pause, delay = (
        _of_items(phases, keyword, 1, "IS")[:, 0]
        for keyword in ("ActualFrameDuration", "PauseBetweenFrames", "PhaseDelay")
    )
    count = _of_items(phases, "NumberOfFramesInPhase", 1, "US")[:, 0]
    step = duration + np.nan_to_num(pause)
    delay = np.nan_to_num(delay)
    begins = np.append(0.0, np.cumsum(delay[:-1] + count[:-1] * step[:-1]))[:-1] + delay[:-1]
    within = indices.get("TimeSliceVector", np.ones(frames, np.int64)) - 1
    times = np.append(begins, np.nan)[phase] + within * step[phase]
    if not np.isnan(times).any():
        found.columns[FRAME_TIME] = _texts(times)
        found.columns["ActualFrameDuration"] = _texts(duration[phase])
        found.dropped.add("ActualFrameDuration")
