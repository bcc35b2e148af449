"""Dims in, Nuclear Medicine objects with their vectors and cines of ultrasound and X-ray out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.uid import (
    ExplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    UltrasoundMultiFrameImageStorage,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.modules import COMMON, image_pixel
from xdicom.testing.multiframe import write_multiframe
from xdicom.testing.pixels import frame_pixels

VECTORS: dict[str, tuple[int, str]] = {
    "energy": (0x00540010, "EnergyWindowVector"),
    "detector": (0x00540020, "DetectorVector"),
    "phase": (0x00540030, "PhaseVector"),
    "rotation": (0x00540050, "RotationVector"),
    "rr_interval": (0x00540060, "RRIntervalVector"),
    "time_slot": (0x00540070, "TimeSlotVector"),
    "slice": (0x00540080, "SliceVector"),
    "angular_view": (0x00540090, "AngularViewVector"),
    "time_slice": (0x00540100, "TimeSliceVector"),
}
"""Of each dim that Nuclear Medicine numbers its frames by: tag and keyword of its vector."""

_COUNTS = {
    "energy": "NumberOfEnergyWindows",
    "detector": "NumberOfDetectors",
    "phase": "NumberOfPhases",
    "rotation": "NumberOfRotations",
    "rr_interval": "NumberOfRRIntervals",
    "time_slot": "NumberOfTimeSlots",
    "slice": "NumberOfSlices",
}

CINES = {
    "US": UltrasoundMultiFrameImageStorage,
    "XA": XRayAngiographicImageStorage,
    "RF": XRayRadiofluoroscopicImageStorage,
}
"""SOP class of each modality whose multi-frame files are cines."""


def write_nuclear(
    path: str | os.PathLike[str],
    dims: Mapping[str, int],
    *,
    kind: str = "STATIC",
    rows: int = 8,
    columns: int = 12,
    detectors: Sequence[Mapping[Key, Any]] = (),
    shuffle: int | None = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a Nuclear Medicine object, its frames numbered by vectors.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    dims : mapping
        Length of each dim, outer to inner, by a name of `VECTORS`.
    kind : str
        Value 3 of ImageType: STATIC, WHOLE BODY, DYNAMIC, GATED, TOMO, RECON TOMO …
    rows, columns : int
        Size of the frames; each holds its number in canonical order (:func:`frame_number`).
    detectors : sequence of mappings
        Items of DetectorInformationSequence; one without a place by default.
    shuffle : int, optional
        Seed of a random order of the frames in the file.
    transfer_syntax : UID
        One of the uncompressed ones.
    attributes : mapping, optional
        Values by keyword, for the top level; None removes.
    seed : int
        All UIDs follow from it.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import write_nuclear
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ds = pydicom.dcmread(write_nuclear(f"{folder}/a.dcm", {"energy": 2, "detector": 2}))
    >>> ds.EnergyWindowVector, ds.DetectorVector
    ([1, 1, 2, 2], [1, 2, 1, 2])
    """
    if unknown := set(dims) - set(VECTORS):
        raise ValueError(f"{sorted(unknown)} number no frames; dims are {list(VECTORS)}")
    places = list(itertools.product(*(range(1, size + 1) for size in dims.values())))
    order = np.arange(len(places))
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(order)
    frames = np.stack([frame_pixels(int(number), rows, columns) for number in order])
    vectors: dict[Key, Any] = {
        VECTORS[name][1]: [places[i][axis] for i in order] for axis, name in enumerate(dims)
    }
    series = uid("series", seed, 1)
    top: dict[Key, Any] = {
        **COMMON,
        **image_pixel(frames[0], transfer_syntax, None),
        **vectors,
        **{_COUNTS[name]: size for name, size in dims.items() if name in _COUNTS},
        "FrameIncrementPointer": [VECTORS[name][0] for name in dims],
        "ImageType": ["ORIGINAL", "PRIMARY", kind, "EMISSION"],
        "SOPClassUID": NuclearMedicineImageStorage,
        "SOPInstanceUID": uid("instance", series, seed, "nuclear"),
        "Modality": "NM",
        "PatientID": "PHANTOM",
        "StudyInstanceUID": uid("study", seed),
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": uid("frame of reference", seed),
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "NumberOfFrames": len(frames),
        "PixelSpacing": [4.0, 3.0],
        "DetectorInformationSequence": [dict(d) for d in detectors] or [{"CollimatorType": "PARA"}],
    }
    value = frames.astype("<u2").tobytes()
    return write_object(path, top, attributes or {}, value, transfer_syntax)


def write_cine(
    path: str | os.PathLike[str],
    frames: Any,
    *,
    modality: Literal["US", "XA", "RF"] = "US",
    frame_time: float | None = None,
    frame_time_vector: Sequence[float] | None = None,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a cine of ultrasound or X-ray.

    Parameters
    ----------
    path, frames, frame_time, frame_time_vector, attributes, seed
        As for :func:`write_multiframe`; with neither time, FrameIncrementPointer is missing.
    modality : {"US", "XA", "RF"}
        Decides the SOP class.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile, numpy, pydicom
    >>> from xdicom.testing import write_cine
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ds = pydicom.dcmread(write_cine(f"{folder}/a.dcm", numpy.zeros((3, 8, 8), "uint8")))
    >>> ds.Modality, int(ds.NumberOfFrames)
    ('US', 3)
    """
    own: dict[Key, Any] = {"Modality": modality, "SOPClassUID": CINES[modality]}
    if frame_time is None and frame_time_vector is None:
        own |= {"FrameIncrementPointer": None, "PageNumberVector": None}
    return write_multiframe(
        path,
        frames,
        frame_time=frame_time,
        frame_time_vector=frame_time_vector,
        attributes={**own, **(attributes or {})},
        seed=seed,
    )
