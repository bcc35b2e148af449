"""Positions, orientations and spacings of frames become a Geometry (SPEC §5, PS3.3 C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import GeometryError, Problem
from xdicom.headers.table import FrameTable

Floats = npt.NDArray[np.float64]

COSINE_TOLERANCE: Final = 1e-4
POSITION_TOLERANCE: Final = 0.01
"""Positions closer than this, in mm, are one slice."""
SPACING_TOLERANCE: Final = 0.01
"""Relative tolerance of regular slice spacing (highdicom: 1 %)."""
GAP_TOLERANCE: Final = 0.05
DECIMALS: Final = 5
"""Coordinates are rounded to 1e-5 mm, so that two series on one grid align exactly."""

_SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
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
    """``rectilinear``, ``sheared``, ``per_frame`` or ``none``."""
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
    """Position of each slice along the normal, mm, ascending; None without a z axis."""
    z_step_assumed: float | None = None
    """Slice step of a single slice, mm, from SpacingBetweenSlices or SliceThickness."""
    regular: bool = True
    """Whether the slices are evenly spaced."""
    gaps: tuple[int, ...] = ()
    """Slices after which some are missing, where spacing is a multiple of the common one."""
    planes: Floats | None = None
    """ImagePositionPatient of each slice where sheared, mm, shape (slices, 3)."""


def unit_cosines(value: Floats, file: str) -> Floats:
    """ImageOrientationPatient made exactly orthonormal, shape (2, 3).

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
            "ImageOrientationPatient is no pair of orthogonal unit vectors",
            file=file,
            expected=f"unit length and right angle within {COSINE_TOLERANCE}",
            found="\\".join(f"{v:g}" for v in value),
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    return np.stack([row, column / np.linalg.norm(column)])


def orientations(table: FrameTable) -> npt.NDArray[np.int64]:
    """Group of each frame by ImageOrientationPatient, −1 where there is none.

    Cosines within 1e-4 of a group's first member, in the order of their values, are one group.
    """
    column = table.column("ImageOrientationPatient")
    numbers = column.numbers(6)
    codes = np.full(len(table), -1, np.int64)
    present = ~np.isnan(numbers).any(axis=1)
    if not present.any():
        return codes
    distinct, inverse = np.unique(numbers[present], axis=0, return_inverse=True)
    groups: list[Floats] = []
    code = np.empty(len(distinct), np.int64)
    for i, cosines in enumerate(distinct):
        for j, anchor in enumerate(groups):
            if np.abs(cosines - anchor).max() <= COSINE_TOLERANCE:
                code[i] = j
                break
        else:
            code[i] = len(groups)
            groups.append(cosines)
    codes[present] = code[inverse.ravel()]
    return codes


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

    None for Siemens mosaics too, while their tiles are not cut apart: ImagePositionPatient is then
    that of one plane as large as the whole mosaic, where no slice lies (SPEC §2.5).
    """
    if any("MOSAIC" in text.split("\\") for text in table.column("ImageType").texts):
        return None
    position = table.numbers("ImagePositionPatient", 3).reshape(-1, 3)
    orientation = table.numbers("ImageOrientationPatient", 6).reshape(-1, 6)
    if not len(table) or np.isnan(position).any() or np.isnan(orientation).any():
        return None
    distinct = np.unique(orientation, axis=0)
    row, column = unit_cosines(distinct[0], table.path(0))
    return Planes(position, row, column)


def slice_codes(s: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Slice of each frame by its position, and the position of each slice.

    A new slice begins where the distance from the first member exceeds 0.01 mm; slices are never
    chained.
    """
    distinct, inverse = np.unique(s, return_inverse=True)
    anchors: list[float] = []
    codes = np.empty(len(distinct), np.int64)
    for i, value in enumerate(distinct.tolist()):
        if not anchors or value - anchors[-1] > POSITION_TOLERANCE:
            anchors.append(value)
        codes[i] = len(anchors) - 1
    return codes[inverse.ravel()], np.round(np.array(anchors), DECIMALS) + 0.0


def weak_positions(table: FrameTable) -> tuple[str, Floats] | None:
    """Positions of frames without ImagePositionPatient, and the attribute that tells them."""
    for keyword in ("InStackPositionNumber", "SliceLocation"):
        values = table.numbers(keyword)
        if len(values) and not np.isnan(values).any() and np.ptp(values) > 0:
            return keyword, values
    return None


def in_plane_spacing(table: FrameTable) -> tuple[tuple[float, float] | None, str]:
    """Distance between rows and between columns in mm, and the attribute it comes from."""
    for keyword in _SPACINGS:
        values = table.numbers(keyword, 2).reshape(-1, 2)
        if len(values) and not np.isnan(values).any():
            rows, columns = np.median(np.unique(values, axis=0), axis=0).tolist()
            single = (int(table.numbers("Rows")[0]) == 1, int(table.numbers("Columns")[0]) == 1)
            if (rows > 0 or (rows == 0 and single[0])) and (
                columns > 0 or (columns == 0 and single[1])
            ):
                return (rows, columns), keyword
            raise GeometryError(
                f"{keyword} is not positive",
                file=table.path(0),
                expected="two positive numbers",
                found=f"{rows:g}\\{columns:g}",
            )
    return None, ""


def regularity(z: Floats) -> tuple[bool, tuple[int, ...]]:
    """Whether slices are evenly spaced, and after which of them whole slices are missing."""
    if len(z) < 3:
        return True, ()
    steps = np.diff(z)
    step = float(np.median(steps))
    if (np.abs(steps - step) <= max(POSITION_TOLERANCE, SPACING_TOLERANCE * step)).all():
        return True, ()
    smallest = float(steps.min())
    multiple = np.round(steps / smallest)
    whole = np.abs(steps - multiple * smallest) <= GAP_TOLERANCE * smallest
    return False, tuple(np.flatnonzero(multiple > 1).tolist()) if whole.all() else ()


def geometry_of(
    table: FrameTable, codes: npt.NDArray[np.int64] | None, z: Floats | None
) -> Geometry:
    """The geometry of the frames of an array.

    Parameters
    ----------
    table : FrameTable
        The frames.
    codes : array of int, shape (frames,), or None
        Slice of each frame; None without positions.
    z : array of float, shape (slices,), or None
        Position of each slice, mm.

    Returns
    -------
    Geometry
        ``sheared`` where the planes' origins drift in plane by more than
        max(0.01 mm, 0.001 × slice step).
    """
    spacing, kind = in_plane_spacing(table)
    planes = planes_of(table)
    if planes is None or codes is None or z is None:
        return Geometry("none", spacing=spacing, spacing_kind=kind, z=z)
    x, y = planes.along(planes.row), planes.along(planes.column)
    first = np.full(len(z), -1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    step = float(np.median(np.diff(z))) if len(z) > 1 else 0.0
    drift = _drift(x[first], y[first], max(POSITION_TOLERANCE, 1e-3 * step), spacing)
    sheared = len(z) > 1 and drift
    regular, gaps = regularity(z)
    assumed = None
    if len(z) == 1:
        for keyword in ("SpacingBetweenSlices", "SliceThickness"):
            value = np.abs(table.numbers(keyword))
            if not np.isnan(value).any() and value[0] > 0:
                assumed = float(value[0])
                break
    origin = first[0]
    return Geometry(
        "sheared" if sheared else "rectilinear",
        planes.row,
        planes.column,
        spacing,
        kind,
        (round(float(x[origin]), DECIMALS) + 0.0, round(float(y[origin]), DECIMALS) + 0.0),
        z,
        assumed,
        regular,
        gaps,
        planes.position[first] if sheared else None,
    )


def _drift(x: Floats, y: Floats, allowed: float, spacing: tuple[float, float] | None) -> bool:
    """Whether planes are shifted from slice to slice, or over all by a tenth of a pixel."""
    if len(x) < 2:
        return False
    step = max(float(np.abs(np.diff(x)).max()), float(np.abs(np.diff(y)).max()))
    whole = max(float(np.ptp(x)), float(np.ptp(y)))
    most = allowed if spacing is None else max(allowed, 0.1 * min(spacing))
    return step > allowed or whole > most


def contradictions(table: FrameTable, z: Floats | None, weak: str) -> tuple[Problem, ...]:
    """What the geometry attributes say against each other; positions win (SPEC §5.3)."""
    found = []
    if weak:
        found.append(
            Problem("WeakPosition", f"slices are ordered by {weak}: there is no position", "")
        )
    declared = np.abs(table.numbers("SpacingBetweenSlices"))
    if z is not None and not weak and len(z) > 1 and not np.isnan(declared).any():
        step = float(np.diff(z).min())  # the others are as far apart, or slices are missing
        if abs(declared[0] - step) > max(POSITION_TOLERANCE, SPACING_TOLERANCE * step):
            found.append(
                Problem(
                    "SpacingContradiction",
                    f"SpacingBetweenSlices is {declared[0]:g} mm, positions are {step:g} mm apart; "
                    "the positions were used",
                )
            )
    return tuple(found)


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
