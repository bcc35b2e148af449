"""A total pixel matrix in, a tiled whole-slide file out: full, sparse, or in parts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike
from pydicom.uid import ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage

from xdicom.testing.codestreams import OffsetTable, encode_frames
from xdicom.testing.elements import Key, uid
from xdicom.testing.files import write_object
from xdicom.testing.modules import COMMON, image_pixel

Matrix = np.ndarray[Any, Any]
Place = tuple[int, int, int, int]
"""Optical path, focal plane, row and column of a tile."""

_MULTIPLIERS = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F], np.uint64)


def slide_pixels(
    shape: Sequence[int], dtype: DTypeLike = "uint8", *, samples: int = 1, seed: int = 0
) -> Matrix:
    r"""Make a matrix in which the values around a pixel tell where it is.

    Parameters
    ----------
    shape : sequence of int
        (rows, columns), or (optical paths, focal planes, rows, columns).
    dtype : dtype
        Unsigned integers.
    samples : int
        3 for colour.
    seed : int
        Another seed gives other values.

    Returns
    -------
    ndarray, shape (\*shape,) or (\*shape, 3)

    Examples
    --------
    >>> slide_pixels((1, 2, 30, 40), samples=3).shape
    (1, 2, 30, 40, 3)
    """
    whole = (*shape, *([samples] if samples > 1 else []))
    number = np.arange(int(np.prod(whole)), dtype=np.uint64) + np.uint64(seed * 2**40 + 1)
    for shift, factor in zip((15, 13, 16, 11), _MULTIPLIERS, strict=True):
        number = (number ^ (number >> np.uint64(shift))) * factor
    bits = 8 * np.dtype(dtype).itemsize
    found: Matrix = (number >> np.uint64(64 - bits)).astype(dtype).reshape(whole)
    return found


def write_slide(
    path: str | os.PathLike[str],
    matrix: Any,
    *,
    tile: tuple[int, int] = (16, 24),
    organization: Literal["TILED_FULL", "TILED_SPARSE"] | None = "TILED_FULL",
    optical_paths: Sequence[str] = (),
    descriptions: Sequence[str] = (),
    heights: Sequence[float] = (),
    pixel_spacing: tuple[float, float] = (0.0005, 0.0005),
    orientation: Sequence[float] = (0, -1, 0, -1, 0, 0),
    origin: Sequence[float] = (20.0, 45.0),
    image_type: Sequence[str] = ("DERIVED", "PRIMARY", "VOLUME", "NONE"),
    transfer_syntax: str = ExplicitVRLittleEndian,
    offset_table: OffsetTable = "basic",
    parts: int = 1,
    drop: Iterable[Place] = (),
    shuffle: int | None = None,
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    series_uid: str | None = None,
    study_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
    patient_id: str = "PHANTOM",
) -> list[Path]:
    """Write one level of a whole-slide image, cut into tiles.

    Parameters
    ----------
    path : path
        The file; of several parts, ``-1``, ``-2`` … stand before its suffix.
    matrix : array
        uint8 or uint16 of shape (optical paths, focal planes, rows, columns), or with 3 samples
        behind; or without the first two axes.
    tile : (int, int)
        Rows and columns of a tile. What reaches over the edge of the matrix has the type's
        highest value.
    organization : {"TILED_FULL", "TILED_SPARSE"} or None
        Whether the order of frames tells where they lie, or each of them does; None leaves
        DimensionOrganizationType out.
    optical_paths, descriptions : sequence of str
        OpticalPathIdentifier (``"1"``, ``"2"`` … by default) and OpticalPathDescription of each.
    heights : sequence of float
        Of the focal planes above the glass, µm; 0, 2, 4 … by default.
    pixel_spacing : (float, float)
        Of rows and of columns, mm.
    orientation : six floats
        ImageOrientationSlide.
    origin : two floats
        Place of the matrix's first pixel on the slide, mm.
    image_type : four str
        ImageType, and FrameType.
    transfer_syntax : UID
        As for :func:`write_series`.
    offset_table : {"basic", "none", "extended"}
        How encapsulated frames are found.
    parts : int
        Files of a concatenation.
    drop : iterable of (int, int, int, int)
        Tiles to leave out: optical path, focal plane, row and column of the tile.
    shuffle : int, optional
        Seed of a random order of the frames of a sparse image.
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
    list of Path
        The files.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import slide_pixels, write_slide
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = write_slide(f"{folder}/level.dcm", slide_pixels((40, 50)))
    ...     ds = pydicom.dcmread(path)
    >>> int(ds.NumberOfFrames), ds.TotalPixelMatrixRows, ds.TotalPixelMatrixColumns
    (9, 40, 50)
    """
    whole = np.asarray(matrix)
    if whole.ndim in (2, 3) and (whole.ndim == 2 or whole.shape[-1] == 3):
        whole = whole[None, None]
    if whole.ndim not in (4, 5) or whole.dtype.name not in ("uint8", "uint16"):
        raise ValueError(f"no slide holds {whole.dtype} of shape {whole.shape}")
    paths = list(optical_paths) or [str(i + 1) for i in range(whole.shape[0])]
    planes = list(heights) or [2.0 * i for i in range(whole.shape[1])]
    counts = -(-whole.shape[2] // tile[0]), -(-whole.shape[3] // tile[1])
    places: list[Place] = list(np.ndindex(len(paths), len(planes), *counts))
    left_out = set(drop)
    places = [place for place in places if place not in left_out]
    if shuffle is not None:
        places = [places[i] for i in np.random.default_rng(shuffle).permutation(len(places))]
    series = series_uid or uid("series", seed, series_number)
    name = ("slide", series, seed, instance_number)
    frames = [_tile(whole, place, tile) for place in places]
    bits = whole.dtype.itemsize * 8
    top: dict[Key, Any] = {
        **COMMON,
        **_SLIDE,
        **image_pixel(frames[0], transfer_syntax, None),
        "ImageType": list(image_type),
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": uid("slide", seed),
        "SeriesNumber": series_number,
        "TotalPixelMatrixRows": whole.shape[2],
        "TotalPixelMatrixColumns": whole.shape[3],
        "TotalPixelMatrixFocalPlanes": len(planes),
        "NumberOfOpticalPaths": len(paths),
        "DimensionOrganizationType": organization,
        "ImageOrientationSlide": [float(v) for v in orientation],
        "ImagedVolumeHeight": whole.shape[2] * pixel_spacing[0],
        "ImagedVolumeWidth": whole.shape[3] * pixel_spacing[1],
        "ImagedVolumeDepth": 1.0,
        "TotalPixelMatrixOriginSequence": [
            {
                "XOffsetInSlideCoordinateSystem": float(origin[0]),
                "YOffsetInSlideCoordinateSystem": float(origin[1]),
                "ZOffsetInSlideCoordinateSystem": float(planes[0]),
            }
        ],
        "OpticalPathSequence": [
            _optical_path(identifier, text, colour=whole.ndim == 5)
            for identifier, text in zip(
                paths, [*descriptions, *[None] * len(paths)][: len(paths)], strict=True
            )
        ],
        "SharedFunctionalGroupsSequence": [
            {
                "PixelMeasuresSequence": [
                    {
                        "PixelSpacing": list(pixel_spacing),
                        "SliceThickness": 0.001,
                        "SpacingBetweenSlices": float(np.diff(planes)[0]) / 1000
                        if len(planes) > 1
                        else None,
                    }
                ],
                "WholeSlideMicroscopyImageFrameTypeSequence": [{"FrameType": list(image_type)}],
            }
        ],
    }
    made = []
    target = Path(path)
    ends = np.linspace(0, len(places), parts + 1).round().astype(int).tolist()
    for part, (first, last) in enumerate(pairwise(ends)):
        own: dict[Key, Any] = {
            "SOPInstanceUID": uid("instance", *name, part),
            "InstanceNumber": instance_number + part,
            "NumberOfFrames": last - first,
        }
        if parts > 1:
            own |= {
                "ConcatenationUID": uid("concatenation", *name),
                "ConcatenationFrameOffsetNumber": first,
                "InConcatenationNumber": part + 1,
                "InConcatenationTotalNumber": parts,
                "SOPInstanceUIDOfConcatenationSource": uid("whole", *name),
            }
        if organization != "TILED_FULL":
            turn = np.array(orientation, np.float64).reshape(2, 3)
            own["PerFrameFunctionalGroupsSequence"] = [
                _frame_groups(place, tile, paths, planes, pixel_spacing, turn, origin)
                for place in places[first:last]
            ]
        value, tables = encode_frames(
            frames[first:last], transfer_syntax, bits, offset_table=offset_table
        )
        file = target if parts == 1 else target.with_stem(f"{target.stem}-{part + 1}")
        made.append(
            write_object(file, {**top, **own, **tables}, attributes or {}, value, transfer_syntax)
        )
    return made


def _tile(matrix: Matrix, place: Place, tile: tuple[int, int]) -> Matrix:
    """One tile, the type's highest value beyond the edge of the matrix."""
    path, plane, row, column = place
    y, x = row * tile[0], column * tile[1]
    found = np.full((*tile, *matrix.shape[4:]), np.iinfo(matrix.dtype).max, matrix.dtype)
    inside = matrix[path, plane, y : y + tile[0], x : x + tile[1]]
    found[: inside.shape[0], : inside.shape[1]] = inside
    return found


def _frame_groups(
    place: Place,
    tile: tuple[int, int],
    paths: Sequence[str],
    planes: Sequence[float],
    spacing: tuple[float, float],
    orientation: Matrix,
    origin: Sequence[float],
) -> dict[str, Any]:
    """What a frame of a sparse image says of its place (PS3.3 C.8.12.6)."""
    path, plane, row, column = place
    y, x = row * tile[0], column * tile[1]
    offset = x * spacing[1] * orientation[0] + y * spacing[0] * orientation[1]
    return {
        "FrameContentSequence": [{"DimensionIndexValues": [path + 1, plane + 1, y + 1, x + 1]}],
        "PlanePositionSlideSequence": [
            {
                "ColumnPositionInTotalImagePixelMatrix": x + 1,
                "RowPositionInTotalImagePixelMatrix": y + 1,
                "XOffsetInSlideCoordinateSystem": float(origin[0] + offset[0]),
                "YOffsetInSlideCoordinateSystem": float(origin[1] + offset[1]),
                "ZOffsetInSlideCoordinateSystem": float(planes[plane]),
            }
        ],
        "OpticalPathIdentificationSequence": [{"OpticalPathIdentifier": paths[path]}],
    }


def _code(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def _optical_path(identifier: str, description: str | None, *, colour: bool) -> dict[str, Any]:
    light = ("111744", "DCM", "Brightfield illumination")
    if not colour:
        light = ("111743", "DCM", "Epifluorescence illumination")
    return {
        "OpticalPathIdentifier": identifier,
        "OpticalPathDescription": description,
        "IlluminationTypeCodeSequence": [_code(*light)],
        "IlluminationWaveLength": None if colour else 488.0,
        "IlluminationColorCodeSequence": [_code("414298005", "SCT", "Full Spectrum")]
        if colour
        else None,
    }


_SLIDE: dict[Key, Any] = {
    "SOPClassUID": VLWholeSlideMicroscopyImageStorage,
    "Modality": "SM",
    "AcquisitionDate": None,
    "AcquisitionTime": None,
    "AcquisitionDateTime": "20240229100000.000000",
    "BodyPartExamined": None,
    "PatientPosition": None,
    "PositionReferenceIndicator": "SLIDE_CORNER",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "VolumetricProperties": "VOLUME",
    "SpecimenLabelInImage": "NO",
    "FocusMethod": "AUTO",
    "ExtendedDepthOfField": "NO",
    "LossyImageCompression": "00",
    "PresentationLUTShape": None,
    "AcquisitionContextSequence": [],
    "ContainerIdentifier": "SLIDE-1",
    "IssuerOfTheContainerIdentifierSequence": [],
    "ContainerTypeCodeSequence": [_code("433466003", "SCT", "Microscope slide")],
    "SpecimenDescriptionSequence": [
        {
            "SpecimenIdentifier": "SPECIMEN-1",
            "SpecimenUID": uid("specimen"),
            "IssuerOfTheSpecimenIdentifierSequence": [],
            "SpecimenPreparationSequence": [],
        }
    ],
    "DimensionOrganizationSequence": [{"DimensionOrganizationUID": uid("tiles")}],
    "DimensionIndexSequence": [
        {
            "DimensionOrganizationUID": uid("tiles"),
            "DimensionIndexPointer": pointer,
            "FunctionalGroupPointer": group,
        }
        for pointer, group in (
            ("OpticalPathIdentifier", "OpticalPathIdentificationSequence"),
            ("ZOffsetInSlideCoordinateSystem", "PlanePositionSlideSequence"),
            ("RowPositionInTotalImagePixelMatrix", "PlanePositionSlideSequence"),
            ("ColumnPositionInTotalImagePixelMatrix", "PlanePositionSlideSequence"),
        )
    ],
}
"""What every simulated slide says: Type 1 and 2 of its modules and a little more."""
