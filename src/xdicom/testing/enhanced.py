"""Dims in, one enhanced multi-frame DICOM file with functional groups out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian

from xdicom.testing.axes import Axis, Drop, Shorthand, grid, plane_position, read_axes, value_at
from xdicom.testing.codestreams import OffsetTable, encode_frames
from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.groups import GROUPS, nest, path_of, share
from xdicom.testing.modules import COMMON, ENHANCED, ENHANCED_SOP_CLASSES, clock, image_pixel
from xdicom.testing.pixels import Stored, frames_of
from xdicom.testing.series import Scalar

PRIVATE_CREATOR = "XDICOM SIMULATION"
COMPONENTS = {"M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY"}

SHORTHANDS: dict[str, Shorthand] = {
    "component": lambda i, label: {"ComplexImageComponent": COMPONENTS.get(label, label)},
    "time": lambda i, seconds: {
        "TemporalPositionTimeOffset": float(seconds),
        "FrameAcquisitionDateTime": f"20240229{clock(float(seconds))}",
    },
}
"""Families of axes that may be given by plain values: labels, seconds from the first."""

_FRAME: dict[str, dict[Key, Any]] = {
    "MR": {
        "FrameType": ["DERIVED", "PRIMARY", "VOLUME", "NONE"],
        "ComplexImageComponent": "MAGNITUDE",
        "AcquisitionContrast": "UNKNOWN",
        "EffectiveEchoTime": 5.0,
        "RepetitionTime": 500.0,
        "FlipAngle": 30.0,
        "EchoTrainLength": 1,
        "RFEchoTrainLength": 0,
        "GradientEchoTrainLength": 1,
        "OperatingModeSequence": [
            {"OperatingModeType": "STATIC FIELD", "OperatingMode": "IEC_NORMAL"}
        ],
        "SpecificAbsorptionRateSequence": [
            {
                "SpecificAbsorptionRateDefinition": "IEC_WHOLE_BODY",
                "SpecificAbsorptionRateValue": 1.0,
            }
        ],
        "NumberOfAverages": 1.0,
        "RescaleSlope": 1.0,
        "RescaleIntercept": 0.0,
        "RescaleType": "US",
    },
    "CT": {
        "FrameType": ["DERIVED", "PRIMARY", "VOLUME", "NONE"],
        "IrradiationEventUID": uid("irradiation event"),
        "RescaleSlope": 1.0,
        "RescaleIntercept": 0.0,
        "RescaleType": "HU",
    },
}

_EVERY_FRAME: dict[Key, Any] = {
    "FrameAcquisitionNumber": 1,
    "FrameAcquisitionDateTime": "20240229100000.000000",
    "FrameReferenceDateTime": "20240229100000.000000",
    "FrameAcquisitionDuration": 1000.0,
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "FrameLaterality": "U",
    "AnatomicRegionSequence": [
        {"CodeValue": "12738006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Brain"}
    ],
}


def write_enhanced(
    path: str | os.PathLike[str],
    dims: Mapping[str, Any],
    *,
    rows: int = 16,
    columns: int = 24,
    modality: Literal["MR", "CT"] = "MR",
    pixel_spacing: Sequence[float] = (1.5, 1.25),
    slice_spacing: float = 3.0,
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    origin: Sequence[float] = (-20.0, -30.0, 10.0),
    stored: Stored = None,
    dtype: DTypeLike | None = None,
    bits_stored: int | None = None,
    slope: Scalar = None,
    intercept: Scalar = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    offset_table: OffsetTable = "basic",
    fragments_per_frame: int = 1,
    dimension_index: bool = True,
    shared: bool = True,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    shuffle: int | None = None,
    drop: Drop = (),
    series_uid: str | None = None,
    study_uid: str | None = None,
    frame_of_reference_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
    organization: str | None = None,
    patient_id: str = "PHANTOM",
) -> Path:
    """Write one enhanced multi-frame file that holds a whole grid of frames.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    dims : mapping
        As for :func:`write_series`, with the keywords of functional groups (those
        of classic files lead to their successors: EchoTime to EffectiveEchoTime).
        ``time`` writes TemporalPositionIndex, given seconds also
        TemporalPositionTimeOffset and FrameAcquisitionDateTime; ``component``
        labels (M, P, R, I) write ComplexImageComponent. Other counted dims are
        told by DimensionIndexValues only, under a private pointer.
    rows, columns, pixel_spacing, slice_spacing, orientation, origin : optional
        As for :func:`write_series`, mm.
    modality : {"MR", "CT"}
        Enhanced MR or Enhanced CT Image Storage.
    stored, dtype, bits_stored : optional
        As for :func:`write_series`.
    slope, intercept : float or callable of the index, optional
        Pixel Value Transformation, 1 and 0 by default, of each frame where it differs.
    transfer_syntax : UID
        As for :func:`write_series`.
    offset_table : {"basic", "none", "extended"}
        How encapsulated frames are found.
    fragments_per_frame : int
        Fragments of each encapsulated frame.
    dimension_index : bool
        Write the Multi-frame Dimension module and DimensionIndexValues.
    shared : bool
        Put what all frames have in common into the shared functional groups;
        otherwise each frame says everything.
    attributes : mapping, optional
        Values or callables of the index; keywords of functional groups go there,
        others to the top level, where callables make no sense. None removes.
        Private elements given as (group, element, creator, VR) go to the top
        level, those whose value is a callable to the frames' items.
    seed : int
        All UIDs follow from it.
    shuffle : int, optional
        Seed of a random order of the frames in the file.
    drop : sequence of mappings or tuples
        Frames to leave out, as for :func:`write_series`.
    series_uid, study_uid, frame_of_reference_uid : str, optional
        As for :func:`write_series`.
    series_number, instance_number : int
        SeriesNumber and InstanceNumber; instances of other numbers are other
        instances of the same series.
    organization : str, optional
        DimensionOrganizationUID, by default one that follows the series.
    patient_id : str
        PatientID.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If a keyword has no functional group, a transfer syntax no encoder, no
        frame is left, or pixels do not fit.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import write_enhanced
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_enhanced(f"{folder}/a.dcm", {"EchoTime": [5, 10], "z": 4})
    ...     ds = pydicom.dcmread(path)
    >>> int(ds.NumberOfFrames), ds.pixel_array.shape
    (8, (8, 16, 24))
    >>> list(ds.PerFrameFunctionalGroupsSequence[7].FrameContentSequence[0].DimensionIndexValues)
    [1, 2, 4]
    """
    if modality not in ENHANCED_SOP_CLASSES:
        raise ValueError(f"modality {modality!r} is none of {', '.join(ENHANCED_SOP_CLASSES)}")
    axes = read_axes(dims, slice_spacing, SHORTHANDS)
    shape = {axis.name: len(axis.entries) for axis in axes}
    frames = frames_of(stored, shape, rows, columns, dtype, bits_stored)
    places = list(grid(axes, drop))
    if not places:
        raise ValueError("an enhanced file holds at least one frame")
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(len(places))
        places = [places[i] for i in order]
    last = dict(attributes or {})
    in_frames = {k: v for k, v in last.items() if k in GROUPS or callable(v)}
    organization = organization or uid("dimensions", seed, series_number, series_uid, list(shape))
    pointers = _pointers(axes, modality, organization)

    items = []
    for _, index in places:
        values: dict[Key, Any] = {
            **_EVERY_FRAME,
            **_FRAME[modality],
            "ImageOrientationPatient": [float(v) for v in orientation],
            "PixelSpacing": [float(v) for v in pixel_spacing],
            "SliceThickness": float(slice_spacing),
            "SpacingBetweenSlices": float(slice_spacing),
            **_frame_content(axes, index),
        }
        position = plane_position(axes, index, orientation, origin)
        values["ImagePositionPatient"] = position["ImagePositionPatient"]
        rescale = {"RescaleSlope": slope, "RescaleIntercept": intercept}
        values |= {key: value for key, value in rescale.items() if value is not None}
        if not dimension_index:
            del values["DimensionIndexValues"]
        values |= in_frames
        values = {key: value_at(value, index) for key, value in values.items()}
        items.append(nest(_with_directionality(values), modality))
    common, rest = share(items) if shared else ({}, items)

    first = frames(*places[0])
    series = series_uid or uid("series", seed, series_number)
    components = {repr(nested.get("MRImageFrameTypeSequence")) for nested in items}
    top: dict[Key, Any] = {
        **COMMON,
        **ENHANCED[modality],
        **image_pixel(first, transfer_syntax, bits_stored),
        "SOPClassUID": ENHANCED_SOP_CLASSES[modality],
        "SOPInstanceUID": uid("instance", series, seed, "enhanced", instance_number),
        "Modality": modality,
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": frame_of_reference_uid or uid("frame of reference", seed),
        "SeriesNumber": series_number,
        "InstanceNumber": instance_number,
        "NumberOfFrames": len(places),
        "AcquisitionContextSequence": [],
        "SharedFunctionalGroupsSequence": [common],
        "PerFrameFunctionalGroupsSequence": rest,
    }
    if modality == "MR" and len(components) > 1:
        top["ComplexImageComponent"] = "MIXED"
    if dimension_index:
        top["DimensionOrganizationSequence"] = [{"DimensionOrganizationUID": organization}]
        top["DimensionIndexSequence"] = pointers
    at_top = {key: value for key, value in last.items() if key not in in_frames}
    stored_bits = bits_stored or first.dtype.itemsize * 8
    value, tables = encode_frames(
        (frames(*place) for place in places),
        transfer_syntax,
        stored_bits,
        offset_table=offset_table,
        fragments_per_frame=fragments_per_frame,
    )
    return write_object(path, {**top, **tables}, at_top, value, transfer_syntax)


def _frame_content(axes: Sequence[Axis], index: Mapping[str, int]) -> dict[Key, Any]:
    """Give a frame's place in its stack, in time and among the dimension indices."""
    values: dict[Key, Any] = {
        "StackID": "1",
        "InStackPositionNumber": index.get("z", 0) + 1,
    }
    if "time" in index:
        values["TemporalPositionIndex"] = index["time"] + 1
    outer = [index[axis.name] + 1 for axis in axes if axis.positions is None]
    values["DimensionIndexValues"] = [1, *outer, index.get("z", 0) + 1]
    for axis in axes:
        values |= axis.entries[index[axis.name]]
    return values


def _pointers(axes: Sequence[Axis], modality: str, organization: str) -> list[dict[str, Any]]:
    """Make the Dimension Index Sequence: stack, the outer dims, place in the stack."""

    def pointer(label: str, key: Key) -> dict[str, Any]:
        item = {"DimensionOrganizationUID": organization, "DimensionDescriptionLabel": label}
        if isinstance(key, str):
            group, *_, leaf = path_of(key, modality)
            return {"DimensionIndexPointer": leaf, "FunctionalGroupPointer": group, **item}
        tag = Tag(key[0], 0x1000 | key[1] & 0xFF)
        return {"DimensionIndexPointer": tag, "DimensionIndexPrivateCreator": key[2], **item}

    made = [pointer("StackID", "StackID")]
    for number, axis in enumerate(axes):
        if axis.positions is None:
            keys = [key for entry in axis.entries for key in entry]
            if axis.name == "time":
                keys = ["TemporalPositionIndex"]
            key: Key = keys[0] if keys else (0x0021, number + 1, PRIVATE_CREATOR, "UL")
            made.append(pointer(axis.name, key))
    made.append(pointer("InStackPositionNumber", "InStackPositionNumber"))
    return made


def _with_directionality(values: dict[Key, Any]) -> dict[Key, Any]:
    """Add DiffusionDirectionality, mandatory beside a b-value (PS3.3 C.8.13.5.9)."""
    if values.get("DiffusionBValue") is None or "DiffusionDirectionality" in values:
        return values
    directed = values.get("DiffusionGradientOrientation") is not None
    directionality = "NONE" if not values["DiffusionBValue"] else "ISOTROPIC"
    return {**values, "DiffusionDirectionality": "DIRECTIONAL" if directed else directionality}
