"""Columns of a stack become coordinates over the dims that they depend on, and plain attrs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import Problem
from xdicom.headers.elements import ALIASES, PRIVATE_TO_PATIENT
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.values import utc_offset
from xdicom.series.codes import cluster, combine, first_rows
from xdicom.series.custom import units_of
from xdicom.series.families import ATTRIBUTES
from xdicom.series.geometry import Geometry
from xdicom.series.grid import Grid
from xdicom.series.times import acquisition_datetime, instance_time, slice_time, view_angle
from xdicom.series.units import UNITS

Array = npt.NDArray[Any]

MOST_COORDINATES: Final = 16

PHYSICAL: Final[tuple[str, ...]] = tuple(
    """EchoTime RepetitionTime InversionTime FlipAngle DiffusionBValue EchoNumbers
    TemporalPositionIdentifier TriggerTime FrameReferenceTime AcquisitionNumber KVP SliceThickness
    MagneticFieldStrength ImagingFrequency PixelBandwidth EchoTrainLength NumberOfAverages
    ExposureTime XRayTubeCurrent ActualFrameDuration""".split()
)
"""Coordinates by default: scalar where constant, else over the dims they depend on."""

TIMES: Final = (
    "InstanceNumber",
    "acquisition_datetime",
    "AcquisitionTime",
    "slice_time",
    "frame_time",
    "view_angle",
    "EnergyWindowName",
    "RescaleSlope",
    "RescaleIntercept",
)
"""Coordinates by default, before the physical ones: what orders and scales the frames."""

DESCRIPTIVE: Final[tuple[str, ...]] = tuple(
    """Modality Manufacturer ManufacturerModelName SeriesDescription SeriesNumber ProtocolName
    BodyPartExamined FrameOfReferenceUID PhotometricInterpretation Units SegmentationType
    SegmentationFractionalType DoseType DoseSummationType""".split()
)
"""Attrs where constant. None of them names a person."""

VECTOR_DIMS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ImagePositionPatient": ("lps", ("L", "P", "S")),
    "DiffusionGradientOrientation": ("lps", ("L", "P", "S")),
    "b_vector": ("lps", ("L", "P", "S")),
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


_MADE: Final[dict[str, Callable[[FrameTable], Column | None]]] = {
    "acquisition_datetime": acquisition_datetime,
    "frame_time": instance_time,
    "slice_time": slice_time,
    "view_angle": view_angle,
}
"""Coordinates by default that are no attributes of DICOM."""


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
    codes = codes.astype(np.int64)  # narrower ones would wrap the limits without a word
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    high, low = np.where(present, codes, lowest), np.where(present, codes, highest)
    for dim in dims:
        place = kept.index(dim)
        top, bottom = high.max(axis=place), low.min(axis=place)
        if ((top == bottom) | (top == lowest)).all():
            kept.pop(place)
            high, low = top, bottom
    return tuple(kept), np.where(high == lowest, -1, high)


def gather(column: Column, codes: npt.NDArray[np.integer[Any]]) -> Array:
    """A column's values at codes of its texts, −1 missing: NaN, NaT or the empty text.

    Parameters
    ----------
    column : Column
        Texts and their values.
    codes : array of int
        Any shape.

    Returns
    -------
    numpy.ndarray
        Shape of ``codes``, and one dim more for attributes of several numbers; whole numbers are
        float64 where one is missing (SPEC §3.1).
    """
    return at_codes(column.values.array, codes)


def at_codes(array: Array, codes: npt.NDArray[np.integer[Any]]) -> Array:
    """Values at codes, of the kind's missing value at −1; whole numbers are floats there."""
    if array.dtype.kind in "iu":
        if (codes >= 0).all():
            whole: Array = array[codes]
            return whole
        array = array.astype(np.float64)
    nothing: Any = {"U": "", "M": "NaT", "m": "NaT"}.get(array.dtype.kind, np.nan)
    missing: Array = np.full((1, *array.shape[1:]), nothing, dtype=array.dtype)
    filled: Array = np.concatenate([array, missing])[codes]
    return filled


def _by_value(name: str, column: Column) -> tuple[Array, npt.NDArray[np.int64]]:
    """Distinct values of a column, and the value of each of its texts, −1 where it is invalid.

    "4.6" and "4.600" are one; of attributes that make axes, so are values within its tolerance.
    """
    array = column.values.array
    known = ATTRIBUTES.get(name)
    if known and array.dtype.kind == "f" and len(array):
        columns = array.reshape(len(array), -1).T
        codes = combine([cluster(each, known.tolerance)[0] for each in columns], len(array))
        # of each the lowest, so that the order of files never matters
        order = np.lexsort(columns[::-1])
        values = array[order[first_rows(codes[order], int(codes.max()) + 1)]]
    else:
        values, codes = np.unique(array, axis=0, return_inverse=True)
    if array.dtype.kind in "fmM":
        missing = np.isnan(array) if array.dtype.kind == "f" else np.isnat(array)
        codes = np.where(missing.reshape(len(array), -1).any(axis=1), -1, codes.ravel())
    return values, codes.ravel().astype(np.int64)


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
    array, by_text = _by_value(name, column)
    codes = np.append(by_text, -1)[column.codes]
    dims, codes = reduce_dims(np.where(grid.present, codes[grid.rows], -1), grid.dims, grid.present)
    if not (codes >= 0).any():
        return None
    values = at_codes(array, codes)
    attrs: dict[str, Any] = {}
    if column.values.integer and values.dtype.kind == "f":
        attrs["dicom_dtype"] = "int64"
    units = UNITS.get(name) or units_of(name)
    if values.dtype.kind not in "mM" and units:
        attrs["units"] = units
    if values.dtype.kind == "M" and column.vr == "DT":
        offsets = {utc_offset(text) for text in column.texts}
        if column.values.utc:
            attrs["timezone"] = "UTC"
        elif len(offsets) == 1 and (offset := offsets.pop()):
            attrs["utc_offset"] = offset
    if values.ndim > len(dims):
        dims = (*dims, VECTOR_DIMS.get(name, (f"{name}_n", ()))[0])
    return xr.Variable(dims, values, attrs)


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
        At most 16 of the default ones vary, z among them; those of a list of frames all do.
    """
    found = _labels(table, grid)
    found["frame_id"] = xr.Variable(
        grid.dims, np.where(grid.present, table.frame_id[grid.rows], -1)
    )
    if not grid.present.all():
        found["frame_present"] = xr.Variable(grid.dims, grid.present)
    columns = dict(table.columns)
    for name, made in _MADE.items():
        own = made(table)
        if own is not None:
            columns[name] = own
    # positions are x, y and z already, the words of ImageType the labels of component
    told = {"ImagePositionPatient", "ImageType"}
    drivers = [a for axis in grid.axes for a in axis.attributes if a not in told]
    if geometry.kind == "per_frame":
        drivers += ["ImagePositionPatient", "ImageOrientationPatient"]
    public = [k for k in table.columns if k[0].isupper() and k not in PRIVATE_TO_PATIENT]
    chosen = dict.fromkeys(k for w in wanted for k in (public if w == "all" else [w]))
    # of a list, all that varies; UIDs say nothing that frame_id does not
    varying = [k for k in public if not columns[k].constant and columns[k].vr != "UI"]
    if not grid.is_list:
        varying = []
    placed = {*found} if geometry.z is None else {*found, "z"}
    left = MOST_COORDINATES - len(placed)
    for keyword in dict.fromkeys([*drivers, *TIMES, *PHYSICAL, *chosen, *varying]):
        variable = None
        if keyword in columns and keyword not in found:
            variable = coordinate(keyword, columns[keyword], grid)
        if variable is None or (keyword in grid.dims and variable.dims != (keyword,)):
            continue
        if set(variable.dims) & set(grid.dims):
            left -= 1
            if left < 0 and keyword not in chosen and not grid.is_list:
                continue
        original = next((k for k, v in ALIASES.items() if v == keyword and k in columns), None)
        if original is not None:
            variable.attrs["alias_of"] = original
        found[keyword] = variable
    found.update(_means(grid, found))
    return found | vector_labels(found)


def _labels(table: FrameTable, grid: Grid) -> dict[str, xr.Variable]:
    """Coordinates of the dims themselves."""
    found = {}
    for axis in grid.axes:
        labels = axis.labels
        if labels is not None:
            attrs = {}
            if labels.dtype.kind == "f" and table.column(axis.dim).values.integer:
                labels = labels.astype(np.int64)
            if labels.dtype.kind in "if" and axis.dim in UNITS:
                attrs["units"] = UNITS[axis.dim]
            found[axis.dim] = xr.Variable((axis.dim,), labels, attrs)
    return found


def _means(grid: Grid, found: dict[str, xr.Variable]) -> dict[str, xr.Variable]:
    """One value for each rank, where slices differ by no more than 1 % of the smallest step.

    Named in lower case: ``trigger_time(cardiac_phase)`` beside ``TriggerTime(cardiac_phase, z)``.
    """
    made = {}
    for axis in grid.axes:
        name = axis.attributes[0] if axis.attributes else ""
        variable = found.get(name)
        if axis.method != "rank" or axis.labels is not None or variable is None:
            continue
        if variable.dtype.kind not in "if" or axis.dim not in variable.dims or variable.ndim < 2:
            continue
        others = [d for d in variable.dims if d != axis.dim]
        low, high = variable.min(others), variable.max(others)
        if axis.size > 1 and (high - low).max() <= 0.01 * np.abs(np.diff(low.values)).min():
            made[snake_case(name)] = xr.Variable((axis.dim,), low.values, variable.attrs)
    return made


def snake_case(keyword: str) -> str:
    """A keyword in the lower case of names that are ours.

    Examples
    --------
    >>> snake_case("TriggerTime")
    'trigger_time'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", keyword).lower()


def vector_labels(found: dict[str, xr.Variable]) -> dict[str, xr.Variable]:
    """Coordinates of the dims of attributes of several values."""
    used = {dim for variable in found.values() for dim in variable.dims}
    names = dict(VECTOR_DIMS.values())
    return {d: xr.Variable((d,), np.array(n)) for d, n in names.items() if d in used}


def descriptive_attrs(table: FrameTable) -> dict[str, Any]:
    """Attrs that describe a series and name nobody: text and integers, absent where unknown."""
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
            "confounded": list(a.confounded),
        }
        for a in grid.axes
    ]
    rejected = [{"attribute": r.attribute, "reason": r.reason} for r in grid.rejected]
    wrong = [[p.kind, p.message, *([p.file] if p.file else [])] for p in problems]
    found = {"dims": axes, "rejected": rejected, "notes": list(grid.notes), "problems": wrong}
    return json.dumps(found)
