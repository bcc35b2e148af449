"""Frames in, a multi-frame file without functional groups out; or a file without any image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.pixels.utils import pack_bits
from pydicom.uid import (
    BasicTextSRStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)

from xdicom.testing.codestreams import OffsetTable, encode_frames, is_native
from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.modules import COMMON, image_pixel

FRAME_TIME = 0x00181063
FRAME_TIME_VECTOR = 0x00181065
PAGE_NUMBER_VECTOR = 0x00182001


def write_multiframe(
    path: str | os.PathLike[str],
    frames: Any,
    *,
    frame_time: float | None = None,
    frame_time_vector: Sequence[float] | None = None,
    bits_stored: int | None = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    offset_table: OffsetTable = "basic",
    fragments_per_frame: int = 1,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    series_uid: str | None = None,
    study_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
    patient_id: str = "PHANTOM",
) -> Path:
    """Write a multi-frame Secondary Capture, as of a cine or of scanned pages.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    frames : array
        uint8 or uint16 of shape (frames, rows, columns), uint8 RGB of shape
        (frames, rows, columns, 3), or bool of shape (frames, rows, columns),
        which is packed to single bits. Their type decides the SOP class.
    frame_time : float, optional
        FrameTime, ms from frame to frame.
    frame_time_vector : sequence of float, optional
        FrameTimeVector, ms from the frame before; the first is 0.
    bits_stored : int, optional
        BitsStored, all bits by default.
    transfer_syntax : UID
        As for :func:`write_series`; single bits are native.
    offset_table : {"basic", "none", "extended"}
        How encapsulated frames are found.
    fragments_per_frame : int
        Fragments of each encapsulated frame.
    attributes : mapping, optional
        Values by keyword or private key, for the top level; None removes.
    seed : int
        All UIDs follow from it.
    series_uid, study_uid : str, optional
        UIDs, as for :func:`write_series`.
    series_number, instance_number : int
        SeriesNumber and InstanceNumber.
    patient_id : str
        PatientID.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the frames are of another type or shape, or bits are to be compressed.

    Examples
    --------
    >>> import tempfile, numpy, pydicom
    >>> from xdicom.testing import write_multiframe
    >>> frames = numpy.zeros((5, 16, 24), "uint8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_multiframe(f"{folder}/cine.dcm", frames, frame_time=40)
    ...     ds = pydicom.dcmread(path)
    >>> int(ds.NumberOfFrames), float(ds.FrameTime)
    (5, 40.0)
    """
    array = np.asarray(frames)
    image, value = _image(array, bits_stored, transfer_syntax, offset_table, fragments_per_frame)
    series = series_uid or uid("series", seed, series_number)
    if frame_time_vector is not None:
        increment: dict[Key, Any] = {
            "FrameIncrementPointer": FRAME_TIME_VECTOR,
            "FrameTimeVector": list(frame_time_vector),
        }
    elif frame_time is not None:
        increment = {"FrameIncrementPointer": FRAME_TIME, "FrameTime": frame_time}
    else:
        increment = {
            "FrameIncrementPointer": PAGE_NUMBER_VECTOR,
            "PageNumberVector": list(range(1, len(array) + 1)),
        }
    top: dict[Key, Any] = {
        **COMMON,
        **image,
        **increment,
        "ImageType": ["DERIVED", "SECONDARY"],
        "ConversionType": "WSD",
        "PatientPosition": None,
        "PositionReferenceIndicator": None,
        "PatientOrientation": "",
        "SOPInstanceUID": uid("instance", series, seed, "multi-frame", instance_number),
        "Modality": "OT",
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "SeriesNumber": series_number,
        "InstanceNumber": instance_number,
        "NumberOfFrames": len(array),
    }
    return write_object(path, top, attributes or {}, value, transfer_syntax)


def _image(
    array: np.ndarray[Any, Any],
    bits_stored: int | None,
    syntax: str,
    offset_table: OffsetTable,
    fragments: int,
) -> tuple[dict[Key, Any], bytes]:
    """Describe and encode the frames, by the SOP class of their type."""
    grey = array.ndim == 3
    rgb = array.ndim == 4 and array.shape[-1] == 3
    types = ("bool", "uint8", "uint16") if grey else ("uint8",) if rgb else ()
    if array.size == 0 or array.dtype.name not in types:
        raise ValueError(f"no Secondary Capture holds {array.dtype} of shape {array.shape}")
    if array.dtype == bool:
        if not is_native(syntax):
            raise ValueError("single bits are written in native transfer syntaxes only")
        described = image_pixel(array[0].view(np.uint8), syntax, 1)
        described |= {
            "BitsAllocated": 1,
            "SOPClassUID": MultiFrameSingleBitSecondaryCaptureImageStorage,
        }
        return described, pack_bits(array.astype(np.uint8), pad=True)
    described = image_pixel(array[0], syntax, bits_stored)
    if not grey:
        sop_class = MultiFrameTrueColorSecondaryCaptureImageStorage
    elif array.itemsize == 1:
        sop_class = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    else:
        sop_class = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    bits = bits_stored or array.itemsize * 8
    value, tables = encode_frames(
        array, syntax, bits, offset_table=offset_table, fragments_per_frame=fragments
    )
    described["SOPClassUID"] = sop_class
    if grey:
        described |= {"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}
        described["PresentationLUTShape"] = "IDENTITY"
    return {**described, **tables}, value


def write_non_image(
    path: str | os.PathLike[str],
    *,
    text: str = "Nothing abnormal is simulated.",
    transfer_syntax: str = ExplicitVRLittleEndian,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    series_uid: str | None = None,
    study_uid: str | None = None,
    series_number: int = 2,
    instance_number: int = 1,
    patient_id: str = "PHANTOM",
) -> Path:
    """Write a Basic Text SR: good DICOM, but no image.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    text : str
        The finding that it reports.
    transfer_syntax, attributes, seed, series_uid, study_uid : optional
        As for :func:`write_multiframe`.
    series_number, instance_number, patient_id : optional
        As for :func:`write_multiframe`.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import write_non_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ds = pydicom.dcmread(write_non_image(f"{folder}/report.dcm"))
    >>> ds.SOPClassUID.name, "Rows" in ds
    ('Basic Text SR Storage', False)
    """
    series = series_uid or uid("series", seed, series_number)

    def code(value: str, meaning: str) -> dict[Key, Any]:
        return {"CodeValue": value, "CodingSchemeDesignator": "DCM", "CodeMeaning": meaning}

    top: dict[Key, Any] = {
        **{key: value for key, value in COMMON.items() if key not in _IMAGES_ONLY},
        "SOPClassUID": BasicTextSRStorage,
        "SOPInstanceUID": uid("instance", series, seed, "report", instance_number),
        "Modality": "SR",
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "SeriesNumber": series_number,
        "InstanceNumber": instance_number,
        "ReferencedPerformedProcedureStepSequence": [],
        "PerformedProcedureCodeSequence": [],
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [code("121073", "Impression")],
        "ContentSequence": [
            {
                "RelationshipType": "CONTAINS",
                "ValueType": "TEXT",
                "ConceptNameCodeSequence": [code("121071", "Finding")],
                "TextValue": text,
            }
        ],
    }
    return write_object(path, top, attributes or {}, None, transfer_syntax)


_IMAGES_ONLY = {
    "ImageType",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "BodyPartExamined",
    "BurnedInAnnotation",
    "PatientPosition",
    "PositionReferenceIndicator",
}
"""What of the common values an SR has no place for."""
