"""Values of a quantity in, a Parametric Map out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, ParametricMapStorage

from xdicom.testing.codestreams import encode_frames
from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.modules import COMMON, image_pixel

_FLOATS = {"float32": "FloatPixelData", "float64": "DoubleFloatPixelData"}


def real_world_map(
    slope: float = 1.0,
    intercept: float = 0.0,
    *,
    first: float = 0.0,
    last: float = 65535.0,
    units: str = "um2/s",
    label: str = "ADC",
    floats: bool = False,
) -> dict[Key, Any]:
    """Make one item of RealWorldValueMappingSequence (PS3.3 C.7.6.16.2.11).

    Parameters
    ----------
    slope, intercept : float
        Of the line from stored to real-world values.
    first, last : float
        The stored values that it is for.
    units : str
        UCUM code.
    label : str
        LUTLabel.
    floats : bool
        Whether stored values are floats, whose range stands in other elements.
    """
    stem = "DoubleFloatRealWorldValue" if floats else "RealWorldValue"
    ends = [float(first), float(last)] if floats else [int(first), int(last)]
    return {
        f"{stem}FirstValueMapped": ends[0],
        f"{stem}LastValueMapped": ends[1],
        "RealWorldValueSlope": float(slope),
        "RealWorldValueIntercept": float(intercept),
        "LUTLabel": label,
        "LUTExplanation": label,
        "MeasurementUnitsCodeSequence": [
            {"CodeValue": units, "CodingSchemeDesignator": "UCUM", "CodeMeaning": units}
        ],
    }


def write_parametric_map(
    path: str | os.PathLike[str],
    values: Any,
    maps: Sequence[Mapping[Key, Any]] | None = None,
    *,
    pixel_spacing: Sequence[float] = (1.5, 1.25),
    slice_spacing: float = 3.0,
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    origin: Sequence[float] = (-20.0, -30.0, 10.0),
    transfer_syntax: str = ExplicitVRLittleEndian,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    shuffle: int | None = None,
    series_uid: str | None = None,
    study_uid: str | None = None,
    frame_of_reference_uid: str | None = None,
    series_number: int = 500,
    instance_number: int = 1,
    patient_id: str = "PHANTOM",
) -> Path:
    """Write one Parametric Map, a frame for each slice.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    values : array, shape (slices, rows, columns)
        Stored values: float32 and float64 make FloatPixelData and DoubleFloatPixelData, uint8 and
        uint16 PixelData.
    maps : sequence of mapping, optional
        Items of RealWorldValueMappingSequence, as :func:`real_world_map` makes them; one of slope
        1 by default.
    pixel_spacing, slice_spacing, orientation, origin : optional
        As for :func:`write_series`, mm.
    transfer_syntax, attributes, seed, series_uid, study_uid, frame_of_reference_uid : optional
        As for :func:`write_multiframe`.
    shuffle : int, optional
        Seed of a random order of the frames.
    series_number, instance_number, patient_id : optional
        SeriesNumber, InstanceNumber and PatientID.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile, numpy, pydicom
    >>> from xdicom.testing import write_parametric_map
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_parametric_map(f"{folder}/t1.dcm", numpy.ones((3, 8, 8), "float32"))
    ...     ds = pydicom.dcmread(path)
    >>> ds.SOPClassUID.name, len(ds.FloatPixelData)
    ('Parametric Map Storage', 768)
    """
    array = np.asarray(values)
    floats = _FLOATS.get(array.dtype.name)
    normal = np.cross(orientation[:3], orientation[3:])
    order = np.arange(len(array))
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(order)
    organization = uid("dimensions", seed, series_number)
    series = series_uid or uid("series", seed, series_number, "parametric map")
    items: list[dict[Key, Any]] = [
        {
            "FrameContentSequence": [{"DimensionIndexValues": [int(i) + 1]}],
            "PlanePositionSequence": [
                {"ImagePositionPatient": (np.asarray(origin) + i * slice_spacing * normal).tolist()}
            ],
        }
        for i in order
    ]
    usual = real_world_map(first=-1e6, last=1e6, floats=True) if floats else real_world_map()
    shared: dict[Key, Any] = {
        "PixelMeasuresSequence": [
            {
                "PixelSpacing": [float(v) for v in pixel_spacing],
                "SliceThickness": float(slice_spacing),
                "SpacingBetweenSlices": float(slice_spacing),
            }
        ],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": [float(v) for v in orientation]}],
        "RealWorldValueMappingSequence": [dict(each) for each in maps or [usual]],
    }
    top: dict[Key, Any] = {
        **COMMON,
        "SOPClassUID": ParametricMapStorage,
        "SOPInstanceUID": uid("instance", series, seed, instance_number),
        "Modality": "MR",
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": frame_of_reference_uid or uid("frame of reference", seed),
        "SeriesNumber": series_number,
        "InstanceNumber": instance_number,
        "ImageType": ["DERIVED", "PRIMARY", "QUANTITY", "NONE"],
        "ContentLabel": "MAP",
        "ContentDescription": "",
        "ContentCreatorName": "",
        "LossyImageCompression": "00",
        "NumberOfFrames": len(array),
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [
            {
                "DimensionOrganizationUID": organization,
                "DimensionIndexPointer": "ImagePositionPatient",
                "FunctionalGroupPointer": "PlanePositionSequence",
            }
        ],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": items,
    }
    frames = array[order]
    if floats:
        top |= {
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": array.shape[1],
            "Columns": array.shape[2],
            "BitsAllocated": array.dtype.itemsize * 8,
            floats: frames.astype(array.dtype.newbyteorder("<")).tobytes(),
        }
        return write_object(path, top, attributes or {}, None, transfer_syntax)
    value, tables = encode_frames(list(frames), transfer_syntax, array.dtype.itemsize * 8)
    top |= {**image_pixel(frames[0], transfer_syntax, None), **tables}
    return write_object(path, top, attributes or {}, value, transfer_syntax)
