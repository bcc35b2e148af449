"""Dose planes in, an RT Dose out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage

from xdicom.testing.codestreams import encode_frames
from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.modules import COMMON, image_pixel

GRID_FRAME_OFFSET_VECTOR = 0x3004000C


def write_dose(
    path: str | os.PathLike[str],
    planes: Any = None,
    offsets: Sequence[float] | None = None,
    *,
    grid_scaling: float | None = 0.001,
    pixel_spacing: Sequence[float] = (2.5, 2.0),
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    origin: Sequence[float] = (-20.0, -30.0, 10.0),
    transfer_syntax: str = ExplicitVRLittleEndian,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    series_uid: str | None = None,
    study_uid: str | None = None,
    frame_of_reference_uid: str | None = None,
    series_number: int = 400,
    instance_number: int = 1,
    patient_id: str = "PHANTOM",
) -> Path:
    """Write one RT Dose.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    planes : array, optional
        Stored values, uint16, uint32 or int32 of shape (frames, rows, columns); a single plane of
        shape (rows, columns) makes an image without offsets. None: no pixels, but DVHs only.
    offsets : sequence of float, optional
        GridFrameOffsetVector as it is written, mm.
    grid_scaling : float, optional
        DoseGridScaling, Gy of one step.
    pixel_spacing, orientation, origin : optional
        As for :func:`write_series`, mm.
    transfer_syntax, attributes, seed, series_uid, study_uid, frame_of_reference_uid : optional
        As for :func:`write_multiframe`.
    series_number, instance_number, patient_id : optional
        SeriesNumber, InstanceNumber and PatientID.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile, numpy, pydicom
    >>> from xdicom.testing import write_dose
    >>> planes = numpy.ones((3, 8, 8), "uint32")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ds = pydicom.dcmread(write_dose(f"{folder}/dose.dcm", planes, [0, 5, 10]))
    >>> ds.DoseUnits, int(ds.NumberOfFrames), list(ds.GridFrameOffsetVector)
    ('GY', 3, ['0.0', '5.0', '10.0'])
    """
    series = series_uid or uid("series", seed, series_number, "dose")
    top: dict[Key, Any] = {
        **{key: value for key, value in COMMON.items() if key not in _NOT_OF_DOSE},
        "SOPClassUID": RTDoseStorage,
        "SOPInstanceUID": uid("instance", series, seed, instance_number),
        "Modality": "RTDOSE",
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": frame_of_reference_uid or uid("frame of reference", seed),
        "SeriesNumber": series_number,
        "InstanceNumber": instance_number,
        "DoseUnits": "GY",
        "DoseType": "PHYSICAL",
        "DoseSummationType": "PLAN",
    }
    pixels = None
    if planes is None:
        top["DVHSequence"] = [
            {"DVHType": "CUMULATIVE", "DoseUnits": "GY", "DVHData": [0.1, 5.0, 0.1, 2.0]}
        ]
    else:
        array = np.asarray(planes)
        frames = array if array.ndim == 3 else array[None]
        pixels, tables = encode_frames(frames, transfer_syntax, array.dtype.itemsize * 8)
        top |= {
            **image_pixel(frames[0], transfer_syntax, None),
            **tables,
            "ImagePositionPatient": [float(v) for v in origin],
            "ImageOrientationPatient": [float(v) for v in orientation],
            "PixelSpacing": [float(v) for v in pixel_spacing],
            "DoseGridScaling": grid_scaling,
            "NumberOfFrames": len(frames) if array.ndim == 3 else None,
        }
    if offsets is not None:
        top["GridFrameOffsetVector"] = [float(v) for v in offsets]
        top["FrameIncrementPointer"] = GRID_FRAME_OFFSET_VECTOR
    return write_object(path, top, attributes or {}, pixels, transfer_syntax)


_NOT_OF_DOSE = {
    "ImageType",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "BodyPartExamined",
    "BurnedInAnnotation",
    "PatientPosition",
}
"""What of the common values an RT Dose has no place for."""
