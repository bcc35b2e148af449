"""Columns of a stack become coordinates over the dims that they depend on, and plain attrs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import Problem
from xdicom.headers.elements import PRIVATE_TO_PATIENT
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.values import utc_offset
from xdicom.series.geometry import DECIMALS, Geometry, anatomical
from xdicom.series.grid import Grid

Array = npt.NDArray[Any]

MOST_COORDINATES: Final = 16

UNITS: Final[dict[str, str]] = {
    **dict.fromkeys(
        """ImagePositionPatient PixelSpacing SliceThickness SpacingBetweenSlices SliceLocation
        GridFrameOffsetVector ImagerPixelSpacing NominalScannedPixelSpacing DataCollectionDiameter
        ReconstructionDiameter""".split(),
        "mm",
    ),
    **dict.fromkeys(
        """EchoTime EffectiveEchoTime RepetitionTime InversionTime TriggerTime FrameTime
        FrameReferenceTime ActualFrameDuration ExposureTime NominalInterval
        NominalCardiacTriggerDelayTime""".split(),
        "ms",
    ),
    **dict.fromkeys("TemporalPositionTimeOffset RadionuclideHalfLife time".split(), "s"),
    "FlipAngle": "degree",
    "GantryDetectorTilt": "degree",
    "DiffusionBValue": "s/mm²",
    "KVP": "kV",
    "XRayTubeCurrent": "mA",
    "MagneticFieldStrength": "T",
    "ImagingFrequency": "MHz",
    "PixelBandwidth": "Hz/px",
    "PatientWeight": "kg",
    "PatientSize": "m",
    "VelocityEncodingMinimumValue": "cm/s",
}
"""Units of attributes (PS3.3, each attribute's description); never of datetimes."""

PHYSICAL: Final[tuple[str, ...]] = tuple(
    """EchoTime RepetitionTime InversionTime FlipAngle DiffusionBValue EchoNumbers
    TemporalPositionIdentifier TriggerTime FrameReferenceTime AcquisitionNumber KVP SliceThickness
    MagneticFieldStrength ImagingFrequency PixelBandwidth EchoTrainLength NumberOfAverages
    ExposureTime XRayTubeCurrent ActualFrameDuration""".split()
)
"""Coordinates by default: scalar where constant, else over the dims they depend on."""

DESCRIPTIVE: Final[tuple[str, ...]] = tuple(
    """Modality Manufacturer ManufacturerModelName SeriesDescription SeriesNumber ProtocolName
    BodyPartExamined FrameOfReferenceUID PhotometricInterpretation""".split()
)
"""Attrs where constant. None of them names a person."""

VECTOR_DIMS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ImagePositionPatient": ("lps", ("L", "P", "S")),
    "DiffusionGradientOrientation": ("lps", ("L", "P", "S")),
    "VelocityEncodingDirection": ("lps", ("L", "P", "S")),
    "ImageOrientationPatient": (
        "cosine",
        ("row_L", "row_P", "row_S", "col_L", "col_P", "col_S"),
    ),
    **dict.fromkeys(
        ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"),
        ("rc", ("row", "column")),
    ),
}
"""Dims, with their labels, of attributes of several values (SPEC §3.3)."""


def reduce_dims(
    codes: npt.NDArray[np.integer[Any]], dims: tuple[str, ...], present: npt.NDArray[np.bool_]
) -> tuple[tuple[str, ...], npt.NDArray[np.integer[Any]]]:
    """Drop the dims along which codes do not vary; cells without a frame do not count.

    Examples
    --------
    >>> codes = np.array([[1, 1], [2, 2]])
    >>> reduce_dims(codes, ("time", "z"), np.ones((2, 2), bool))
    (('time',), array([1, 2]))

    Holes stay −1, for narrow codes too:

    >>> present = np.array([[True, True], [True, False]])
    >>> reduce_dims(np.array([[1, 2], [3, -1]], np.int32), ("time", "z"), present)[1]
    array([[ 1,  2],
           [ 3, -1]])
    """
    kept = list(dims)
    # np.where would wrap the limits silently into narrower codes
    codes = codes.astype(np.int64)
    lowest = np.iinfo(np.int64).min
    high = np.where(present, codes, lowest)
    low = np.where(present, codes, np.iinfo(np.int64).max)
    for dim in dims:
        place = kept.index(dim)
        top, bottom = high.max(axis=place), low.min(axis=place)
        if ((top == bottom) | (top == lowest)).all():
            kept.pop(place)
            high, low = top, bottom
    return tuple(kept), np.where(high == lowest, -1, high)


def gather(column: Column, codes: npt.NDArray[np.integer[Any]]) -> Array:
    """A column's values at codes, −1 missing: NaN, NaT or the empty text."""
    values = column.values
    array = values.array
    if array.dtype.kind == "U":
        texts: Array = np.append(array, "")[codes]
        return texts
    if array.dtype.kind in "iu":
        if (codes >= 0).all():
            whole: Array = array[codes]
            return whole
        array = array.astype(np.float64)
    if array.dtype.kind in "mM":
        missing: Array = np.full((1, *array.shape[1:]), "NaT", dtype=array.dtype)
    else:
        missing = np.full((1, *array.shape[1:]), np.nan)
    filled: Array = np.concatenate([array, missing])[codes]
    return filled


def coordinate(name: str, column: Column, grid: Grid) -> xr.Variable | None:
    """A column as a variable over the dims it depends on; None where it has no value at all.

    Parameters
    ----------
    name : str
        Keyword, for units and for the names of value dims.
    column : Column
        Of the stack's table.
    grid : Grid
        Of the same table.
    """
    if not column.texts:
        return None
    present = grid.rows >= 0
    dims, codes = reduce_dims(np.where(present, column.codes[grid.rows], -1), grid.dims, present)
    if not (codes >= 0).any():
        return None
    values = gather(column, codes)
    attrs: dict[str, Any] = {}
    if column.values.integer and values.dtype.kind == "f":
        attrs["dicom_dtype"] = "int64"
    if values.dtype.kind not in "mM" and name in UNITS:
        attrs["units"] = UNITS[name]
    if values.dtype.kind == "M" and column.vr == "DT":
        offsets = {utc_offset(t) for t in column.texts}
        if column.values.utc:
            attrs["timezone"] = "UTC"
        elif len(offsets) == 1 and (offset := offsets.pop()):
            attrs["utc_offset"] = offset
    if values.ndim > len(dims):
        dims = (*dims, VECTOR_DIMS.get(name, (f"{name}_n", ()))[0])
    return xr.Variable(dims, values, attrs)


def acquisition_datetime(table: FrameTable) -> Column | None:
    """AcquisitionDateTime, else AcquisitionDate with AcquisitionTime, as one column of DT texts."""
    direct = table.column("AcquisitionDateTime")
    if direct.texts and direct.complete:
        return direct
    day, clock = table.column("AcquisitionDate"), table.column("AcquisitionTime")
    if not day.texts or not clock.texts:
        return None
    pairs = np.stack([day.codes, clock.codes])
    distinct, codes = np.unique(pairs, axis=1, return_inverse=True)
    texts = []
    for d, c in distinct.T:
        date, time = ("" if i < 0 else x.texts[i] for x, i in ((day, d), (clock, c)))
        texts.append(date.replace(".", "") + time.replace(":", "") if date and time else "")
    unique, inverse = np.unique(np.array(texts, dtype=np.str_), return_inverse=True)
    shift = int(unique[0] == "")
    merged = inverse[codes.ravel()] - shift
    return Column(merged.astype(np.int32), tuple(str(t) for t in unique[shift:]), "DT")


def frame_coordinates(
    table: FrameTable, grid: Grid, geometry: Geometry, wanted: Iterable[str] = ()
) -> dict[str, xr.Variable]:
    """Coordinates over the frame dims: labels, drivers, ids, times and physical attributes.

    Parameters
    ----------
    table : FrameTable
        The stack's frames.
    grid, geometry
        Of the stack.
    wanted : iterable of str
        Further keywords, all of them made coordinates; ``"all"`` for every attribute of the table
        that is not private to the patient.

    Returns
    -------
    dict of xarray.Variable
        At most 16 of the default ones vary.
    """
    found: dict[str, xr.Variable] = {}
    for axis in grid.axes:
        if axis.labels is not None:
            attrs = {"units": UNITS[axis.dim]} if axis.dim in UNITS else {}
            labels = axis.labels
            if labels.dtype.kind == "f" and axis.dim in table.columns:
                column = table.column(axis.dim)
                if column.values.integer and (labels == np.round(labels)).all():
                    labels = labels.astype(np.int64)
            if labels.dtype.kind in "mM":
                attrs = {}
            found[axis.dim] = xr.Variable((axis.dim,), labels, attrs)
    ids = np.where(grid.rows >= 0, table.frame_id[grid.rows], -1)
    found["frame_id"] = xr.Variable(grid.dims, ids)
    if (grid.rows < 0).any():
        found["frame_present"] = xr.Variable(grid.dims, grid.rows >= 0)

    columns: dict[str, Column] = {}
    drivers = [a for axis in grid.axes for a in axis.attributes]
    moments = acquisition_datetime(table)
    if moments is not None:
        columns["acquisition_datetime"] = moments
    varying = ["InstanceNumber", "AcquisitionTime", "RescaleSlope", "RescaleIntercept"]
    if geometry.kind in ("sheared", "per_frame"):
        varying.insert(0, "ImagePositionPatient")
    if geometry.kind == "per_frame":
        varying.insert(0, "ImageOrientationPatient")
    keywords = [*drivers, *varying, *columns, *PHYSICAL]
    extra = list(wanted)
    if "all" in extra:
        extra = [k for k in table.columns if k[0].isupper() and k not in PRIVATE_TO_PATIENT] + [
            k for k in extra if k != "all"
        ]
    # rectilinear positions are x, y and z already
    placed = {*extra, *(varying if geometry.kind in ("sheared", "per_frame") else ())}
    count = 0
    for keyword in dict.fromkeys([*keywords, *extra]):
        if keyword in found or (keyword == "ImagePositionPatient" and keyword not in placed):
            continue
        column = columns.get(keyword) or table.column(keyword)
        variable = coordinate(keyword, column, grid)
        if variable is None:
            continue
        if set(variable.dims) & set(grid.dims):
            count += 1
            if count > MOST_COORDINATES and keyword not in extra:
                continue
        found[keyword] = variable
    for vector, names in dict(VECTOR_DIMS.values()).items():
        if any(vector in v.dims for v in found.values()):
            found[vector] = xr.Variable((vector,), np.array(names))
    return found


def plane_coordinates(
    geometry: Geometry, grid: Grid, rows: int, columns: int, frame_of_reference: str
) -> dict[str, xr.Variable]:
    """Coordinates ``x``, ``y``, ``z`` and ``patient_space`` (SPEC §5.2).

    Parameters
    ----------
    geometry, grid
        Of the stack.
    rows, columns : int
        Size of a frame.
    frame_of_reference : str
        FrameOfReferenceUID, ``""`` where there is none.
    """
    found: dict[str, xr.Variable] = {}
    x0, y0 = geometry.origin or (0.0, 0.0)
    if geometry.kind != "rectilinear":
        x0 = y0 = 0.0
    for dim, start, count, which, direction in (
        ("y", y0, rows, 0, geometry.column),
        ("x", x0, columns, 1, geometry.row),
    ):
        attrs: dict[str, Any] = {"units": "pixel"}
        values: Array = np.arange(count, dtype=np.float64)
        if geometry.spacing is not None:
            values = np.round(start + geometry.spacing[which] * values, DECIMALS) + 0.0
            attrs = {"units": "mm"}
            if direction is not None:
                attrs["direction"] = [float(v) for v in direction]
                attrs["anatomical"] = anatomical(direction)
        found[dim] = xr.Variable((dim,), values, attrs)
    if geometry.z is not None:
        attrs = {"units": "mm"}
        if geometry.row is not None and geometry.column is not None:
            normal = np.cross(geometry.row, geometry.column)
            attrs["direction"] = [float(v) for v in normal]
            attrs["anatomical"] = anatomical(normal)
        if grid.axis("z") is not None:
            found["z"] = xr.Variable(("z",), geometry.z, attrs)
        elif grid.slices is not None:
            found["z"] = xr.Variable(*_positions(grid, grid.slices, geometry.z), attrs)
    space: dict[str, Any] = {"geometry": geometry.kind}
    if frame_of_reference:
        space["FrameOfReferenceUID"] = frame_of_reference
    if geometry.row is not None and geometry.column is not None:
        space["ImageOrientationPatient"] = [float(v) for v in (*geometry.row, *geometry.column)]
    if geometry.spacing_kind and geometry.spacing_kind != "PixelSpacing":
        space["spacing_kind"] = geometry.spacing_kind
    if geometry.z_step_assumed is not None:
        space["z_step_assumed"] = geometry.z_step_assumed
    if not geometry.regular:
        space["regular"] = "no"
    found["patient_space"] = xr.Variable((), np.int64(0), space)
    return found


def _positions(
    grid: Grid, slices: npt.NDArray[np.int64], z: npt.NDArray[np.float64]
) -> tuple[tuple[str, ...], Array]:
    """Positions along the dims that the caller named: those that they depend on."""
    present = grid.rows >= 0
    dims, codes = reduce_dims(np.where(present, slices[grid.rows], -1), grid.dims, present)
    return dims, np.append(z, np.nan)[codes]


def descriptive_attrs(table: FrameTable) -> dict[str, Any]:
    """Attrs that describe a series and name nobody: plain text and integers."""
    attrs: dict[str, Any] = {}
    for keyword in DESCRIPTIVE:
        column = table.column(keyword)
        if len(column.texts) == 1 and column.complete:
            if column.vr == "IS" and column.values.valid.all():
                attrs[keyword] = int(column.values.array[0])
            else:
                attrs[keyword] = column.texts[0]
    return attrs


def dims_json(grid: Grid, problems: Iterable[Problem] = ()) -> str:
    """How each dim was found, and what was wrong, as JSON for ``attrs["dicom_dims"]``."""
    axes = [
        {
            "dim": a.dim,
            "size": a.size,
            "family": a.family,
            "attributes": list(a.attributes),
            "method": a.method,
        }
        for a in grid.axes
    ]
    rejected = [{"attribute": r.attribute, "reason": r.reason} for r in grid.rejected]
    wrong = [[p.kind, p.message] for p in problems]
    found = {"dims": axes, "rejected": rejected, "notes": list(grid.notes), "problems": wrong}
    return json.dumps(found)
