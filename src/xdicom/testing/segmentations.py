"""Masks in, a DICOM segmentation out: binary, fractional or a label map."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian

from xdicom.testing.codestreams import encode_frames, is_native
from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.modules import COMMON, image_pixel

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_SEGMENT_POINTER = {
    "DimensionIndexPointer": "ReferencedSegmentNumber",
    "FunctionalGroupPointer": "SegmentIdentificationSequence",
    "DimensionDescriptionLabel": "Segment Number",
}
_POSITION_POINTER = {
    "DimensionIndexPointer": "ImagePositionPatient",
    "FunctionalGroupPointer": "PlanePositionSequence",
    "DimensionDescriptionLabel": "Image Position Patient",
}


def _code(value: str, meaning: str) -> list[dict[Key, Any]]:
    return [{"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}]


def write_segmentation(
    path: str | os.PathLike[str],
    masks: Mapping[int, Any],
    *,
    kind: Literal["binary", "fractional", "labelmap"] = "binary",
    positions: Sequence[float] | None = None,
    pixel_spacing: Sequence[float] = (1.5, 1.25),
    slice_spacing: float = 3.0,
    orientation: Sequence[float] | Sequence[Sequence[float]] = (1, 0, 0, 0, 1, 0),
    origin: Sequence[float] = (-20.0, -30.0, 10.0),
    maximum: int = 255,
    keep_empty: bool = False,
    segments: Mapping[int, Mapping[Key, Any]] | None = None,
    segmented: Sequence[str | os.PathLike[str]] = (),
    refer_by: Literal["series", "instances", "frames"] = "series",
    transfer_syntax: str = ExplicitVRLittleEndian,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    shuffle: int | None = None,
    series_uid: str | None = None,
    study_uid: str | None = None,
    frame_of_reference_uid: str | None = None,
    series_number: int = 300,
    instance_number: int = 1,
    patient_id: str = "PHANTOM",
) -> Path:
    """Write one segmentation; frames in which a segment is empty are left out.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    masks : mapping of int to array
        Shape (slices, rows, columns) by segment number: bool for binary and label maps, whole
        numbers up to `maximum` for fractional ones. Of a label map later segments lie over
        earlier ones.
    kind : {"binary", "fractional", "labelmap"}
        SegmentationType.
    positions : sequence of float, optional
        Of the slices along the normal from `origin`, mm; every `slice_spacing` by default.
    pixel_spacing, slice_spacing, orientation, origin : optional
        As for :func:`write_series`, mm; `orientation` may be one for each slice.
    maximum : int
        MaximumFractionalValue.
    keep_empty : bool
        Write empty frames too.
    segments : mapping of int to mapping, optional
        By number: values of an item of SegmentSequence beside or instead of the usual ones. None
        as a value removes.
    segmented : sequence of path, optional
        Files of the series that is segmented, which is referred to; its patient, study and frame
        of reference are the segmentation's.
    refer_by : {"series", "instances", "frames"}
        Name them in ReferencedSeriesSequence, in SourceImageSequence, or in the functional groups
        of each frame.
    transfer_syntax : UID
        As for :func:`write_series`; binary segmentations are native.
    attributes : mapping, optional
        Values by keyword for the top level; None removes.
    seed : int
        All UIDs follow from it.
    shuffle : int, optional
        Seed of a random order of the frames.
    series_uid, study_uid, frame_of_reference_uid : str, optional
        As for :func:`write_series`.
    series_number, instance_number, patient_id : optional
        SeriesNumber, InstanceNumber and PatientID.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If masks differ in shape, nothing is left to write, or bits are to be compressed.

    Examples
    --------
    >>> import tempfile, numpy, pydicom
    >>> from xdicom.testing import write_segmentation
    >>> masks = {1: numpy.eye(5, dtype=bool)[None].repeat(3, 0)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ds = pydicom.dcmread(write_segmentation(f"{folder}/seg.dcm", masks))
    >>> ds.SegmentationType, int(ds.NumberOfFrames), len(ds.PixelData)
    ('BINARY', 3, 10)
    """
    if kind not in ("binary", "fractional", "labelmap"):
        raise ValueError(f"kind={kind!r} is none of binary, fractional and labelmap")
    arrays = {number: np.asarray(mask) for number, mask in masks.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise ValueError(f"masks have one shape (slices, rows, columns), not {shapes}")
    slices = next(iter(shapes))[0]
    along = [slice_spacing * i for i in range(slices)] if positions is None else list(positions)
    turned = np.broadcast_to(np.asarray(orientation, float), (slices, 6))
    frames = _frames(arrays, kind, keep_empty)
    if not frames:
        raise ValueError("every frame is empty: nothing to write")
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(len(frames))
        frames = [frames[i] for i in order]
    sources = [pydicom.dcmread(file, stop_before_pixels=True) for file in segmented]
    series = series_uid or uid("series", seed, series_number, "segmentation")
    organization = uid("dimensions", series)

    ranks = np.argsort(np.argsort(along))
    items = []
    for number, place, _ in frames:
        cosines = turned[place]
        normal = np.cross(cosines[:3], cosines[3:])
        position = np.asarray(origin, float) + along[place] * normal
        index = [int(ranks[place]) + 1]
        item: dict[Key, Any] = {
            "PlanePositionSequence": [{"ImagePositionPatient": position.tolist()}],
        }
        if number is not None:
            index = [list(arrays).index(number) + 1, *index]
            item["SegmentIdentificationSequence"] = [{"ReferencedSegmentNumber": number}]
        item["FrameContentSequence"] = [{"DimensionIndexValues": index}]
        if (turned != turned[0]).any():
            item["PlaneOrientationSequence"] = [{"ImageOrientationPatient": cosines.tolist()}]
        if sources and refer_by == "frames":
            refers = {"SourceImageSequence": [_reference(sources[0])]}
            item["DerivationImageSequence"] = [refers]
        items.append(item)
    shared: dict[Key, Any] = {
        "PixelMeasuresSequence": [
            {
                "PixelSpacing": [float(v) for v in pixel_spacing],
                "SliceThickness": float(slice_spacing),
                "SpacingBetweenSlices": float(slice_spacing),
            }
        ]
    }
    if (turned == turned[0]).all():
        shared["PlaneOrientationSequence"] = [{"ImageOrientationPatient": turned[0].tolist()}]
    pointers = [_POSITION_POINTER] if kind == "labelmap" else [_SEGMENT_POINTER, _POSITION_POINTER]
    pixels, image = _pixels([frame for _, _, frame in frames], kind, transfer_syntax)
    same: dict[Key, Any] = {
        "PatientID": patient_id,
        "StudyInstanceUID": uid("study", seed),
        "FrameOfReferenceUID": uid("frame of reference", seed),
    }
    if sources:
        same |= {k: sources[0][str(k)].value for k in same if str(k) in sources[0]}
    given = {"StudyInstanceUID": study_uid, "FrameOfReferenceUID": frame_of_reference_uid}
    same |= {key: value for key, value in given.items() if value is not None}
    top: dict[Key, Any] = {
        **COMMON,
        **image,
        **same,
        "SOPClassUID": LABEL_MAP if kind == "labelmap" else SEGMENTATION,
        "SOPInstanceUID": uid("instance", series, seed, instance_number),
        "Modality": "SEG",
        "SeriesInstanceUID": series,
        "SeriesNumber": series_number,
        "InstanceNumber": instance_number,
        "ImageType": ["DERIVED", "PRIMARY"],
        "DeviceSerialNumber": "1",
        "SoftwareVersions": "1",
        "ContentLabel": "SEGMENTATION",
        "ContentDescription": "",
        "ContentCreatorName": "",
        "LossyImageCompression": "00",
        "NumberOfFrames": len(frames),
        "SegmentationType": kind.upper(),
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [
            {"DimensionOrganizationUID": organization, **pointer} for pointer in pointers
        ],
        "SegmentSequence": [_segment(number, (segments or {}).get(number, {})) for number in masks],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": items,
    }
    if kind == "fractional":
        top |= {"SegmentationFractionalType": "PROBABILITY", "MaximumFractionalValue": maximum}
    if sources:
        top |= _references(sources, refer_by)
    return write_object(path, top, attributes or {}, pixels, transfer_syntax)


_Frame = tuple[int | None, int, np.ndarray[Any, Any]]


def _frames(arrays: Mapping[int, Any], kind: str, keep_empty: bool) -> list[_Frame]:
    """Segment number (None in a label map), slice and pixels of each frame."""
    if kind == "labelmap":
        largest = max(arrays)
        dtype = np.uint8 if largest < 256 else np.uint16
        labels = np.zeros(next(iter(arrays.values())).shape, dtype)
        for number, mask in arrays.items():
            labels[mask.astype(bool)] = number
        found: list[_Frame] = [(None, place, frame) for place, frame in enumerate(labels)]
    else:
        found = [
            (number, place, frame.astype(np.uint8))
            for number, mask in arrays.items()
            for place, frame in enumerate(mask)
        ]
    return [one for one in found if keep_empty or one[2].any()]


def _pixels(frames: Sequence[Any], kind: str, syntax: str) -> tuple[bytes, dict[Key, Any]]:
    if kind == "binary":
        if not is_native(syntax):
            raise ValueError("single bits are written in native transfer syntaxes only")
        described = {**image_pixel(frames[0], syntax, 1), "BitsAllocated": 1}
        return pack_bits(np.stack(frames), pad=True), described
    described = image_pixel(frames[0], syntax, None)
    value, tables = encode_frames(frames, syntax, frames[0].dtype.itemsize * 8)
    return value, {**described, **tables}


def _segment(number: int, values: Mapping[Key, Any]) -> dict[Key, Any]:
    usual: dict[Key, Any] = {
        "SegmentNumber": number,
        "SegmentLabel": f"segment {number}",
        "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": _code("85756007", "Tissue"),
        "SegmentedPropertyTypeCodeSequence": _code("10200004", "Liver"),
    }
    return {key: value for key, value in {**usual, **values}.items() if value is not None}


def _reference(source: pydicom.Dataset) -> dict[Key, Any]:
    return {
        "ReferencedSOPClassUID": source.SOPClassUID,
        "ReferencedSOPInstanceUID": source.SOPInstanceUID,
    }


def _references(sources: Sequence[pydicom.Dataset], refer_by: str) -> dict[Key, Any]:
    """What the top level says of the series that is segmented."""
    items = [_reference(source) for source in sources]
    if refer_by == "instances":
        return {"SourceImageSequence": items}
    if refer_by == "frames":
        return {}
    series = {
        "SeriesInstanceUID": sources[0].SeriesInstanceUID,
        "ReferencedInstanceSequence": items,
    }
    return {"ReferencedSeriesSequence": [series]}
