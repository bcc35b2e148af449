"""Dims in, a folder of classic single-frame DICOM files out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike
from pydicom.uid import ExplicitVRLittleEndian

from xdicom.testing.axes import Drop, Shorthand, grid, plane_position, read_axes, value_at
from xdicom.testing.codestreams import Frame, encode_frames, is_native
from xdicom.testing.elements import PIXEL_DATA, Encoder, Key, uid
from xdicom.testing.files import encoding_of, file_bytes
from xdicom.testing.modules import CLASSIC, COMMON, SOP_CLASSES, clock, image_pixel
from xdicom.testing.pixels import Stored, frames_of

Modality = Literal["MR", "CT", "PT", "OT"]
Scalar = float | Callable[[dict[str, int]], float] | None

SHORTHANDS: dict[str, Shorthand] = {
    "component": lambda i, label: {"ImageType": ["ORIGINAL", "PRIMARY", label, "ND"]},
    "time": lambda i, seconds: {
        "TemporalPositionIdentifier": i + 1,
        "AcquisitionTime": clock(float(seconds)),
    },
}
"""Families of axes that may be given by plain values: labels, seconds from the first."""


def write_series(
    folder: str | os.PathLike[str],
    dims: Mapping[str, Any],
    *,
    rows: int = 16,
    columns: int = 24,
    modality: Modality = "MR",
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
    attributes: Mapping[Key, Any] | None = None,
    seed: int = 0,
    shuffle: int | None = None,
    number_by: Literal["canonical", "shuffled"] | None = None,
    name: str = "IM{:05d}.dcm",
    drop: Drop = (),
    series_uid: str | None = None,
    study_uid: str | None = None,
    frame_of_reference_uid: str | None = None,
    series_number: int = 1,
    patient_id: str = "PHANTOM",
) -> list[Path]:
    r"""Write a series of single-frame files, one for each point of a grid.

    Parameters
    ----------
    folder : path
        Where the files go; made where it does not exist.
    dims : mapping
        Frame dims by name, outer to inner, each one of

        * a sequence of values of the keyword of that name, ``{"EchoTime": [5, 10]}``;
        * a sequence of mappings of keywords to values or callables, under any
          name, ``{"diffusion": [{"DiffusionBValue": 0.0}, ...]}``;
        * a count: frames that differ in nothing but InstanceNumber;
        * for ``z`` a count, or positions along the normal in mm, from `origin`;
        * for ``component`` labels (value 3 of ImageType), for ``time`` seconds
          (TemporalPositionIdentifier and AcquisitionTime).
    rows, columns : int
        Size of the frames, unless `stored` says.
    modality : {"MR", "CT", "PT", "OT"}
        Decides the SOP class; OT is Secondary Capture.
    pixel_spacing : (float, float)
        Spacing of rows and of columns, mm.
    slice_spacing : float
        Spacing of slices, mm, where z is a count; also SliceThickness.
    orientation : six floats
        Direction cosines of the rows and of the columns (ImageOrientationPatient).
    origin : three floats
        ImagePositionPatient at position 0 of z, mm.
    stored : callable or array, optional
        Stored values: a function of the index (a dict of dim to number) that
        returns (rows, columns[, 3]), or an array of shape
        (\*dims, rows, columns[, 3]). Default: :func:`frame_pixels` of the frame's
        number.
    dtype : dtype, optional
        Integer type of the stored values, theirs by default, else uint16.
    bits_stored : int, optional
        BitsStored, all bits by default. Higher bits are written as they are.
    slope, intercept : float or callable of the index, optional
        RescaleSlope and RescaleIntercept. None: 1 and 0 for CT and PT, where
        they are mandatory, and absent otherwise.
    transfer_syntax : UID
        One of the implicit, explicit little and big endian and deflated
        syntaxes, RLE, JPEG 2000, HTJ2K, JPEG-LS and JPEG (first-order
        prediction) lossless, or 8-bit JPEG baseline.
    attributes : mapping, optional
        Values, or callables of the index, by keyword, or for private elements by
        (group, low byte of the element, creator, VR). These come last, so None
        removes an element; `bytes` are written unchecked. :func:`vendor_elements`
        makes those of vendors.
    seed : int
        All UIDs follow from it; the same seed gives the same bytes.
    shuffle : int, optional
        Seed of a random order of file names and of InstanceNumber.
    number_by : {"canonical", "shuffled"}, optional
        Whether InstanceNumber follows the grid; default: not if `shuffle` is given.
    name : str
        Format of the file names, given a number from 1.
    drop : sequence of mappings or tuples
        Indices of frames to leave out; a partial mapping leaves out all it matches.
    series_uid, study_uid, frame_of_reference_uid : str, optional
        UIDs, made of `seed` (and `series_number`) by default: series of one seed
        share their study and frame of reference.
    series_number : int
        SeriesNumber.
    patient_id : str
        PatientID.

    Returns
    -------
    list of Path
        The files in canonical order: the last of `dims` changes fastest.

    Raises
    ------
    ValueError
        If a keyword, dim or transfer syntax is unknown, or pixels do not fit.

    Notes
    -----
    Planes stand at ``origin + position * cross(row, column)`` (PS3.3 C.7.6.2);
    SliceLocation is ImagePositionPatient along the normal. Decimal strings have
    at most 16 characters, so positions are exact to about 1e-12 mm.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_series(folder, {"EchoTime": [5, 10], "z": 4})
    ...     last = pydicom.dcmread(paths[-1])
    >>> len(paths), float(last.EchoTime), list(last.ImagePositionPatient)
    (8, 10.0, ['-20.0', '-30.0', '19.0'])
    """
    if modality not in SOP_CLASSES:
        raise ValueError(f"modality {modality!r} is none of {', '.join(SOP_CLASSES)}")
    axes = read_axes(dims, slice_spacing, SHORTHANDS)
    shape = {axis.name: len(axis.entries) for axis in axes}
    frames = frames_of(stored, shape, rows, columns, dtype, bits_stored)
    places = list(grid(axes, drop))
    total = int(np.prod(list(shape.values())))
    series = series_uid or uid("series", seed, series_number)
    if not places:
        return []

    template = frames(*places[0])
    values: dict[Key, Any] = {
        **COMMON,
        **CLASSIC[modality],
        **_geometry(orientation, origin, pixel_spacing, slice_spacing),
        **image_pixel(template, transfer_syntax, bits_stored),
        "SOPClassUID": SOP_CLASSES[modality],
        "Modality": modality,
        "PatientID": patient_id,
        "StudyInstanceUID": study_uid or uid("study", seed),
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": frame_of_reference_uid or uid("frame of reference", seed),
        "SeriesNumber": series_number,
    }
    rescale = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    values |= {key: value for key, value in rescale.items() if value is not None}
    files, numbers = _orders(total, seed, shuffle, number_by)
    writer = _SeriesWriter(values, attributes or {}, transfer_syntax)
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, index in places:
        frame = frames(number, index)
        made: dict[Key, Any] = {
            "SOPInstanceUID": uid("instance", series, seed, number),
            "InstanceNumber": int(numbers[number]),
            **plane_position(axes, index, orientation, origin),
        }
        if modality == "PT":
            made |= {"ImageIndex": number + 1, "NumberOfSlices": shape.get("z", 1)}
        if (frame.shape, frame.dtype) != (template.shape, template.dtype):
            made |= image_pixel(frame, transfer_syntax, bits_stored)
        for axis in axes:
            made |= axis.entries[index[axis.name]]
        path = root / name.format(int(files[number]))
        path.write_bytes(writer.file(index, made, frame, bits_stored))
        paths.append(path)
    return paths


def _orders(
    total: int, seed: int, shuffle: int | None, number_by: str | None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give the numbers in file names and the InstanceNumbers, from 1, in canonical order."""
    random = np.random.default_rng(seed if shuffle is None else shuffle)
    files, numbers = random.permutation(total) + 1, random.permutation(total) + 1
    canonical = np.arange(total) + 1
    if number_by == "canonical" or (number_by is None and shuffle is None):
        numbers = canonical
    return canonical if shuffle is None else files, numbers


def _geometry(
    orientation: Sequence[float],
    origin: Sequence[float],
    pixel_spacing: Sequence[float],
    slice_spacing: float,
) -> dict[Key, Any]:
    if len(orientation) != 6 or len(origin) != 3 or len(pixel_spacing) != 2:
        raise ValueError("orientation has 6 numbers, origin 3 and pixel_spacing 2")
    return {
        "ImageOrientationPatient": [float(v) for v in orientation],
        "PixelSpacing": [float(v) for v in pixel_spacing],
        "SliceThickness": float(slice_spacing),
        "SpacingBetweenSlices": float(slice_spacing),
    }


class _SeriesWriter:
    """Encodes what all files share once, and for each file only what differs."""

    def __init__(
        self, values: Mapping[Key, Any], attributes: Mapping[Key, Any], syntax: str
    ) -> None:
        self._syntax = syntax
        self._native = is_native(syntax)
        self._sop_class = str(values["SOPClassUID"])
        # what the caller says comes last: constants are never overruled by a frame's values
        self._fixed = {key for key, value in attributes.items() if not callable(value)}
        last = {key: value for key, value in attributes.items() if callable(value)}
        merged = {**values, **attributes}
        self._last = last
        self._first = {k: v for k, v in merged.items() if callable(v) and k not in last}
        self._shared = {k: v for k, v in merged.items() if not callable(v) and v is not None}
        charset = self._shared.get("SpecificCharacterSet", "ISO_IR 6")
        context: dict[Key, Any] = {
            key: self._shared.get(key) for key in ("PixelRepresentation", "BitsAllocated")
        }
        self._encoder = Encoder(*encoding_of(syntax), context, charset)
        self._elements = self._encoder.mapping(self._shared)

    def file(
        self, index: dict[str, int], made: Mapping[Key, Any], frame: Frame, bits: int | None
    ) -> bytes:
        """Encode the file of one frame from the values that are its own."""
        own = {key: value for key, value in made.items() if key not in self._fixed}
        own = {k: value_at(v, index) for k, v in (self._first | own | self._last).items()}
        elements = dict(self._elements)
        for key in own:
            elements.pop(self._encoder.tag_and_vr(key)[0], None)
        elements |= self._encoder.mapping(own)
        elements |= self._encoder.creators()
        if PIXEL_DATA not in elements and not ("PixelData" in self._fixed or "PixelData" in own):
            size = frame.dtype.itemsize * 8
            value, _ = encode_frames([frame], self._syntax, bits or size)
            elements[PIXEL_DATA] = self._encoder.pixels(value, size, encapsulated=not self._native)
        known = {**self._shared, **made, **own}
        return file_bytes(
            self._syntax,
            str(known.get("SOPClassUID") or self._sop_class),
            str(known.get("SOPInstanceUID") or made["SOPInstanceUID"]),
            (elements[tag] for tag in sorted(elements)),
        )
