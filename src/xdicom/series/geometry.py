"""Positions, orientations and spacings of frames become a Geometry (SPEC §5, PS3.3 C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from xdicom.errors import GeometryError, Problem
from xdicom.headers.mosaic import UNCUT
from xdicom.headers.table import FrameTable
from xdicom.headers.values import as_numbers
from xdicom.series.codes import Floats, cluster
from xdicom.series.grid import IntArray
from xdicom.series.mosaics import are_slices
from xdicom.series.offsets import with_offsets

COSINE_TOLERANCE: Final = 1e-4
POSITION_TOLERANCE: Final = 0.01
"""Positions closer than this, in mm, are one slice."""
SPACING_TOLERANCE: Final = 0.01
"""Relative tolerance of regular slice spacing (highdicom: 1 %)."""
GAP_TOLERANCE: Final = 0.05
"""Of the spacing: how far a gap may be from a whole number of slices."""
DRIFT_TOLERANCE: Final = 1e-3
"""Of the spacing: how far origins may drift in plane."""
DECIMALS: Final = 5
"""Coordinates are rounded to 1e-5 mm, so that two series on one grid align exactly."""

_SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_WEAK: Final = ("InStackPositionNumber", "SliceVector", "SliceLocation")
_DIRECTIONS: Final = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True, eq=False)
class Planes:
    """Where each frame of a stack lies."""

    position: Floats
    """ImagePositionPatient, mm LPS, shape (frames, 3); NaN where missing."""
    row: Floats
    """Cosines along a row (growing column index) of the stack, shape (3,)."""
    column: Floats
    """Cosines along a column (growing row index), shape (3,)."""

    @property
    def normal(self) -> Floats:
        """Slice direction n = row × column, shape (3,)."""
        return np.cross(self.row, self.column)

    def along(self, direction: Floats) -> Floats:
        """Each frame's position along a direction in mm, shape (frames,)."""
        return np.asarray(self.position @ direction, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the voxels of an array lie: P = x·row + y·column + z·normal (SPEC §5.2)."""

    kind: str
    """``rectilinear``, ``sheared``, ``per_frame``, ``slide`` or ``none``."""
    row: Floats | None = None
    """Cosines along a row, shape (3,)."""
    column: Floats | None = None
    """Cosines along a column, shape (3,)."""
    spacing: tuple[float, float] | None = None
    """Between rows and between columns, mm; None where unknown."""
    spacing_kind: str = ""
    """The attribute that the spacing comes from."""
    origin: tuple[float, float] | None = None
    """x and y of the first pixel's centre, mm; of the first plane where sheared."""
    z: Floats | None = None
    """Position of each slice along the normal, ascending (of focal planes: in their order); None
    without a z axis."""
    z_step_assumed: float | None = None
    """Slice step of a single slice, mm, from SpacingBetweenSlices or SliceThickness."""
    regular: bool = True
    """Whether the slices are evenly spaced."""
    gaps: tuple[int, ...] = ()
    """Slices after which some are missing, where spacing is a multiple of the common one."""
    planes: Floats | None = None
    """ImagePositionPatient of each slice where sheared, mm, shape (slices, 3)."""
    z_units: str = "mm"
    """Unit of ``z``; ``""`` where slices are only numbered."""
    offset: tuple[int, int] = (0, 0)
    """Row and column of the first pixel, counted from the one whose centre is at ``origin``."""

    @property
    def normal(self) -> Floats | None:
        """Slice direction n = row × column, shape (3,); None where the orientation is unknown."""
        if self.row is None or self.column is None:
            return None
        return np.cross(self.row, self.column)


def unit_cosines(value: Floats, file: str, keyword: str = "ImageOrientationPatient") -> Floats:
    """Cosines along rows and columns made exactly orthonormal, shape (2, 3).

    Raises
    ------
    GeometryError
        If the cosines are off unit length or right angles by more than 1e-4.
    """
    row, column = value[:3], value[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if (
        not np.isfinite(value).all()
        or max(abs(lengths[0] - 1), abs(lengths[1] - 1)) > COSINE_TOLERANCE
        or abs(row @ column) > COSINE_TOLERANCE
    ):
        raise GeometryError(
            f"{keyword} is no pair of orthogonal unit vectors",
            file=file,
            expected=f"unit length and right angle within {COSINE_TOLERANCE}",
            found="\\".join(f"{v:g}" for v in value),
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    return np.stack([row, column / np.linalg.norm(column)])


def _distinct(table: FrameTable, keyword: str, width: int) -> tuple[Floats, IntArray]:
    """The distinct vectors of an attribute in order, and that of each frame, −1 where missing."""
    column = table.column(keyword)
    each = as_numbers(column.texts, column.vr, width)
    valid = ~np.isnan(each).any(axis=1)
    vectors, index = np.unique(each[valid], axis=0, return_inverse=True)
    code = np.full(len(each) + 1, -1, np.int64)
    code[:-1][valid] = index.ravel()
    return vectors, code[column.codes]


def orientations(table: FrameTable) -> IntArray:
    """Group of each frame by ImageOrientationPatient; those without are a group, the last.

    Cosines within 1e-4 of a group's first member, in the order of their values, are one group.
    """
    cosines, codes = _distinct(table, "ImageOrientationPatient", 6)
    groups = np.full(len(cosines) + 1, -1, np.int64)
    count = 0
    for i, first in enumerate(cosines):
        if groups[i] < 0:
            # sorted by their first number, all that can be near follow at once
            stop = np.searchsorted(cosines[:, 0], first[0] + COSINE_TOLERANCE, side="right")
            near = np.abs(cosines[i:stop] - first).max(axis=1) <= COSINE_TOLERANCE
            members = i + np.flatnonzero(near)
            groups[members[groups[members] < 0]] = count
            count += 1
    groups[-1] = count
    return groups[codes]


def check_texts(table: FrameTable) -> None:
    """Refuse position, orientation and spacing whose text is no number.

    Raises
    ------
    GeometryError
        Naming the file and the text; a wrong position would be wrong data without a word.
    """
    for keyword, width in (
        ("ImagePositionPatient", 3),
        ("ImageOrientationPatient", 6),
        ("PixelSpacing", 2),
    ):
        column = table.column(keyword)
        numbers = column.numbers(width)
        bad = (column.codes >= 0) & np.isnan(numbers).any(axis=-1)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise GeometryError(
                f"{keyword} is invalid",
                file=table.path(row),
                frame=int(table.frame_number[row]) or None,
                expected=f"{width} decimal numbers",
                found=repr(column.texts[column.codes[row]]),
                remedy="Correct the file; wrong positions are never guessed",
            )


def planes_of(table: FrameTable) -> Planes | None:
    """The planes of frames of one orientation; None without position or orientation.

    None for mosaics that could not be cut too: ImagePositionPatient is then that of one plane as
    large as the whole mosaic, where no slice lies (SPEC §2.5).
    """
    position = table.numbers("ImagePositionPatient", 3).reshape(-1, 3)
    cosines, codes = _distinct(table, "ImageOrientationPatient", 6)
    if not len(table) or np.isnan(position).any() or (codes < 0).any():
        return None
    row, column = unit_cosines(cosines[0], table.path(int(np.argmax(codes == 0))))
    position = with_offsets(table, position, row, column)
    if np.isnan(position).any():
        return None
    planes = Planes(position, row, column)
    if table.column(UNCUT).texts:
        z = slice_codes(planes.along(planes.normal))[1]
        if not (regularity(z)[0] and are_slices(table, z, SPACING_TOLERANCE)):
            return None
    return planes


def slice_codes(s: Floats) -> tuple[IntArray, Floats]:
    """Slice of each frame by its position, and the position of each slice.

    A new slice begins where the distance from the first member exceeds 0.01 mm; slices are never
    chained.
    """
    codes, first = cluster(s, POSITION_TOLERANCE)
    return codes, np.round(first, DECIMALS) + 0.0


def weak_positions(table: FrameTable) -> tuple[str, Floats, str] | None:
    """Positions of frames without ImagePositionPatient, the attribute that tells them, their unit.

    SliceVector numbers the slices of Nuclear Medicine, whose SpacingBetweenSlices is signed
    (PS3.3 C.8.4.15).
    """
    for keyword in _WEAK:
        values = table.numbers(keyword)
        if len(values) and not np.isnan(values).any() and np.ptp(values) > 0:
            units = "mm" if keyword == "SliceLocation" else ""
            if keyword == "SliceVector":
                step = table.numbers("SpacingBetweenSlices")
                if not np.isnan(step).any() and (step != 0).all():
                    values, units = (values - 1) * step, "mm"
            return keyword, values, units
    return None


def in_plane_spacing(table: FrameTable) -> tuple[tuple[float, float] | None, str]:
    """Distance between rows and between columns in mm, and the attribute it comes from.

    Of spacings within the tolerance of one stack, the one that most frames have.

    Raises
    ------
    GeometryError
        If PixelSpacing is not positive; 0 is right for a single row or column (PS3.3 10.7.1.3).
    """
    for keyword in _SPACINGS:
        spacings, codes = _distinct(table, keyword, 2)
        if len(table) and (codes >= 0).all():
            rows, columns = spacings[np.argmax(np.bincount(codes))].tolist()
            zeros = [d for d, s in (("Rows", rows), ("Columns", columns)) if s == 0]
            if min(rows, columns) >= 0 and all((table.numbers(d) == 1).all() for d in zeros):
                return (rows, columns), keyword
            if keyword == "PixelSpacing":
                raise GeometryError(
                    f"{keyword} is not positive",
                    file=table.path(0),
                    expected="two positive numbers",
                    found=f"{rows:g}\\{columns:g}",
                )
    return None, ""


def regularity(z: Floats) -> tuple[bool, tuple[int, ...]]:
    """Whether slices are evenly spaced, and after which of them whole slices are missing.

    Examples
    --------
    >>> regularity(np.array([0.0, 3, 6])), regularity(np.array([0.0, 3, 9]))
    ((True, ()), (False, (1,)))
    >>> regularity(np.array([0.0, 3, 7]))
    (False, ())
    """
    missing = missing_slices(z)
    regular = missing is not None and not missing.any()
    gaps = () if missing is None else tuple(np.flatnonzero(missing).tolist())
    return regular, gaps


def missing_slices(z: Floats) -> IntArray | None:
    """How many slices are missing after each but the last; None where spacing is variable.

    Steps are equal within max(0.01 mm, 1 % of their median), or else whole multiples of the
    smaller ones, within 5 % of these (SPEC §1.4).
    """
    steps = np.diff(z)
    if len(steps) < 2:
        return np.zeros(len(steps), np.int64)
    median = float(np.median(steps))
    if (np.abs(steps - median) <= max(POSITION_TOLERANCE, SPACING_TOLERANCE * median)).all():
        return np.zeros(len(steps), np.int64)
    low = float(steps.min())
    small = steps[steps - low <= max(POSITION_TOLERANCE, SPACING_TOLERANCE * low)]
    step = float(np.median(small))
    multiple = np.round(steps / step)
    off = np.abs(steps - multiple * step) > GAP_TOLERANCE * step
    if off.any() or 2 * len(small) < len(steps):
        return None
    return multiple.astype(np.int64) - 1


def geometry_of(
    table: FrameTable, codes: IntArray | None = None, z: Floats | None = None
) -> Geometry:
    """The geometry of the frames of an array.

    Parameters
    ----------
    table : FrameTable
        The frames.
    codes : array of int, shape (frames,), optional
        Slice of each frame; None without positions.
    z : array of float, shape (slices,), optional
        Position of each slice, mm.

    Returns
    -------
    Geometry
        ``none`` without position, orientation or spacing in the patient; ``sheared`` where the
        planes' origins drift in plane from slice to slice by more than max(0.01 mm, 0.001 × slice
        step), or over all by a tenth of a pixel.
    """
    spacing, kind = in_plane_spacing(table)
    planes = None if codes is None or z is None else planes_of(table)
    if planes is None or codes is None or z is None or kind != "PixelSpacing":
        # the spacing of a detector is none of the patient (PS3.3 10.7.1.3)
        return Geometry("none", spacing=spacing, spacing_kind=kind, z=z)
    # the first of each slice by position, never by file
    order = np.lexsort((*planes.position.T[::-1], codes))
    origins = planes.position[order[np.searchsorted(codes[order], np.arange(len(z)))]]
    in_plane = origins @ np.stack([planes.row, planes.column], axis=1)
    sheared = _drifts(in_plane, z, min(spacing) if spacing else 0.0)
    regular, gaps = regularity(z)
    x0, y0 = (np.round(in_plane[0], DECIMALS) + 0.0).tolist()
    return Geometry(
        "sheared" if sheared else "rectilinear",
        planes.row,
        planes.column,
        spacing,
        kind,
        (x0, y0),
        z,
        _assumed_step(table) if len(z) == 1 else None,
        regular,
        gaps,
        origins if sheared else None,
    )


def _drifts(in_plane: Floats, z: Floats, pixel: float) -> bool:
    """Whether planes are shifted from slice to slice, or over all by a tenth of a pixel.

    What rounded cosines add up to over many slices is no shear.
    """
    if len(z) < 2:
        return False
    allowed = max(POSITION_TOLERANCE, DRIFT_TOLERANCE * float(np.median(np.diff(z))))
    step = np.abs(np.diff(in_plane, axis=0)).max()
    return bool(step > allowed or np.ptp(in_plane, axis=0).max() > max(allowed, 0.1 * pixel))


def _assumed_step(table: FrameTable) -> float | None:
    """Slice step of a single slice, mm: the smallest that its frames say."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        values = np.abs(table.numbers(keyword))
        if not np.isnan(values).any() and values.min(initial=np.inf) > 0:
            return float(values.min())
    return None


def with_missing(geometry: Geometry, missing: IntArray) -> Geometry:
    """The geometry with as many slices put in evenly after each slice."""
    assert geometry.z is not None
    place = np.arange(len(geometry.z)) + np.append(0, np.cumsum(missing))
    every = np.arange(place[-1] + 1)
    z = np.round(np.interp(every, place, geometry.z), DECIMALS) + 0.0
    planes = geometry.planes
    if planes is not None:
        planes = np.stack([np.interp(every, place, axis) for axis in planes.T], axis=1)
    regular, gaps = regularity(z)
    return replace(geometry, z=z, regular=regular, gaps=gaps, planes=planes)


def contradictions(table: FrameTable, z: Floats | None, weak: str) -> tuple[Problem, ...]:
    """What the geometry attributes say against each other; positions win (SPEC §5.3).

    Parameters
    ----------
    table : FrameTable
        The frames.
    z : array of float or None
        Position of each slice, mm.
    weak : str
        The attribute that stands in for missing positions; ``""`` where they are known.
    """
    if weak:
        return (Problem("WeakPosition", f"slices are ordered by {weak}: there is no position"),)
    said = np.unique(np.abs(table.numbers("SpacingBetweenSlices")))
    if z is None or len(z) < 2 or not said.size or np.isnan(said).any():
        return ()
    step = float(np.diff(z).min())  # the others are as far apart, or slices are missing
    off = said[np.abs(said - step).argmax()]
    if abs(off - step) <= max(POSITION_TOLERANCE, SPACING_TOLERANCE * step):
        return ()
    what = (
        f"SpacingBetweenSlices is {off:g} mm, positions are {step:g} mm apart; "
        "the positions were used"
    )
    return (Problem("SpacingContradiction", what),)


def anatomical(direction: Floats) -> str:
    """Name of a direction in the patient, e.g. ``R→L``; three letters each where it is oblique.

    Examples
    --------
    >>> anatomical(np.array([1.0, 0, 0])), anatomical(np.array([0.0, 0.6, -0.8]))
    ('R→L', 'SA→IP')
    """
    order = np.argsort(-np.abs(direction), kind="stable")
    parts = [i for i in order if abs(direction[i]) > 0.05]
    low = "".join(_DIRECTIONS[i][0 if direction[i] > 0 else 1] for i in parts)
    high = "".join(_DIRECTIONS[i][1 if direction[i] > 0 else 0] for i in parts)
    return f"{low}→{high}"
