"""Columns of a table become candidates for axes: codes in order of value, and the values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import Column, FrameTable
from xdicom.series.codes import Codes, Floats, cluster, combine, first_rows
from xdicom.series.families import (
    ATTRIBUTES,
    NEVER_INDEX,
    ORDINAL,
    POINTERS,
    Attribute,
    Family,
)
from xdicom.series.times import (
    acquisition_place,
    acquisition_seconds,
    frame_numbers,
    instance_time,
    reference_seconds,
)

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Candidate:
    """An attribute as an axis: frames with one code have one value."""

    name: str
    """The attribute."""
    codes: Codes
    """From 0 in order of value, shape (frames,)."""
    values: Array
    """Value of each code, float64 or text, shape (codes,) or (codes, width); a missing one is NaN
    and the last, or the empty text and the first."""
    complete: bool
    """Whether every frame has a value."""
    seconds: float = 0.0
    """Seconds in one unit where it is a clock."""

    @property
    def count(self) -> int:
        """Number of distinct values."""
        return len(self.values)


def of_numbers(name: str, values: Floats, tolerance: float, seconds: float = 0.0) -> Candidate:
    """The candidate of one number, or of one vector, a frame.

    Parameters
    ----------
    name : str
        The attribute.
    values : array of float, shape (frames,) or (frames, width)
        NaN where missing.
    tolerance : float
        As for `cluster`, for each number of a vector.
    seconds : float
        Seconds in one unit where it is a clock.
    """
    complete = not bool(np.isnan(values).any())
    if values.ndim == 1:
        codes, anchors = cluster(values, tolerance)
        return Candidate(name, codes, anchors, complete, seconds)
    parts = [cluster(values[:, i], tolerance) for i in range(values.shape[1])]
    codes = combine([codes for codes, _ in parts], len(values))
    first = first_rows(codes, int(codes.max(initial=-1)) + 1)
    # of vectors the anchors too, so that their values never depend on the order of frames
    anchors = np.stack([anchors[codes[first]] for codes, anchors in parts], axis=1)
    return Candidate(name, codes, anchors, complete, seconds)


def of_texts(name: str, texts: Sequence[str], codes: npt.NDArray[np.integer[Any]]) -> Candidate:
    """The candidate of one text a frame, given as codes into texts, −1 where missing."""
    values, order = np.unique(np.array([*texts, ""], dtype=np.str_), return_inverse=True)
    used, dense = np.unique(order.ravel()[codes], return_inverse=True)
    values = values[used]
    return Candidate(name, dense.ravel().astype(np.int64), values, bool((values != "").all()))


def of_column(name: str, column: Column) -> Candidate:
    """The candidate of any attribute, for dims that the caller names.

    Numbers and times are numbers, within the tolerance of their family if they have one.
    """
    known = ATTRIBUTES.get(name)
    tolerance = known.tolerance if known else 0.0
    array = column.values.array
    if array.dtype.kind in "mM":
        stamps = array.astype(f"{array.dtype.kind}8[us]")
        micros = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64))
        return of_numbers(name, np.append(micros, np.nan)[column.codes], 0.5)
    if array.dtype.kind in "if":
        missing = np.full((1, *array.shape[1:]), np.nan)
        return of_numbers(name, np.concatenate([array, missing])[column.codes], tolerance)
    return of_texts(name, column.texts, column.codes)


class Candidates:
    """The candidates of one stack of frames, each made once."""

    def __init__(self, table: FrameTable) -> None:
        self.table = table
        self._made: dict[Attribute, Candidate] = {}

    def __len__(self) -> int:
        return len(self.table)

    def of(self, attribute: Attribute) -> Candidate:
        """The candidate of a family's attribute."""
        found = self._made.get(attribute)
        if found is None:
            found = self._made[attribute] = self._make(attribute)
        return found

    def varying(self, family: Family) -> list[Candidate]:
        """Candidates of an aligned family that take more than one value."""
        found = [self.of(a) for a in family.attributes]
        return [c for c in found if c.count > 1 and (c.complete or family.partial)]

    def _make(self, attribute: Attribute) -> Candidate:
        column = self.table.column(attribute.name)
        if attribute.text:
            part = _PARTS.get(attribute.rule)
            texts = column.texts if part is None else [part(text) for text in column.texts]
            return of_texts(attribute.name, texts, column.codes)
        rule = _RULES.get(attribute.rule or attribute.name)
        if rule is None and not column.texts:
            nothing = np.zeros(len(self), np.int64), np.full(min(len(self), 1), np.nan)
            return Candidate(attribute.name, *nothing, len(self) == 0, attribute.seconds)
        values = rule(self.table, attribute.name) if rule else column.numbers(attribute.width)
        return of_numbers(attribute.name, values, attribute.tolerance, attribute.seconds)

    @cached_property
    def place(self) -> Codes:
        """Place of each frame in the order of acquisition."""
        return acquisition_place(self.table)

    @cached_property
    def indices(self) -> list[tuple[str, Candidate]]:
        """Ordinals of DimensionIndexValues: the family each resolves to, and its candidate.

        Pointers that no family knows belong to the family ``index`` (SPEC §2.5). Objects that
        declare different indices, or indices of different organizations, or none, have none in
        common (PS3.3 C.7.6.17.2).
        """
        table = self.table
        declared = set(table.dimensions.values())
        if len(declared) != 1 or len(table.dimensions) != len(table.files.paths):
            return []
        (dimensions,) = declared
        ordinals = table.numbers("DimensionIndexValues", len(dimensions))
        found = []
        for i, dimension in enumerate(dimensions):
            if dimension.pointer not in NEVER_INDEX:
                values = ordinals.reshape(len(table), -1)[:, i]
                part = of_numbers(f"{ORDINAL}{i + 1}", values, 0.0)
                if part.complete and part.count > 1:
                    found.append((POINTERS.get(dimension.pointer, "index"), part))
        return found

    def ordinal(self, dim: str) -> Candidate | None:
        """The ordinals of the dimension index that bears a dim's name, if it varies."""
        return next((part for _, part in self.indices if part.name == dim), None)


def _gated(table: FrameTable, name: str) -> Floats:
    """Trigger times and phases where the acquisition was gated: fMRI has them without any."""
    gated = np.zeros(len(table), bool)
    for keyword in ("HeartRate", "NominalInterval", "CardiacNumberOfImages"):
        gated |= table.numbers(keyword) > 0
    technique = table.column("CardiacSynchronizationTechnique")
    gated |= np.array([*(t != "NONE" for t in technique.texts), False])[technique.codes]
    return np.where(gated, table.numbers(name), np.nan)


_Rule = Callable[[FrameTable, str], Floats]


def _pair(table: FrameTable, name: str) -> Floats:
    """An attribute of two values, of which each position has one frame each; else missing."""
    values = table.numbers(name)
    codes = cluster(values, 0.0)[0]
    position = table.column("ImagePositionPatient")
    pairs = len(np.unique(np.stack([codes, position.codes], axis=1), axis=0))
    paired = pairs == len(table) == 2 * len(position.texts) and codes.max(initial=0) == 1
    return values if paired and position.complete else np.full(len(table), np.nan)


_CINES: Final = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame
        "1.2.840.10008.5.1.4.1.1.3",  # the same, retired
        "1.2.840.10008.5.1.4.1.1.12.1",  # X-Ray Angiographic
        "1.2.840.10008.5.1.4.1.1.12.2",  # X-Ray Radiofluoroscopic
        "1.2.840.10008.5.1.4.1.1.77.1.1.1",  # Video Endoscopic
        "1.2.840.10008.5.1.4.1.1.77.1.2.1",  # Video Microscopic
        "1.2.840.10008.5.1.4.1.1.77.1.4.1",  # Video Photographic
    )
)
"""Objects whose frames follow each other in time, whether or not it is known when."""


def _cine_time(table: FrameTable, _: str) -> Floats:
    column = instance_time(table)
    return np.full(len(table), np.nan) if column is None else column.numbers()


def _cine_frame(table: FrameTable, _: str) -> Floats:
    """Number of each frame of a cine, NaN for all other objects."""
    classes = table.column("SOPClassUID")
    cine = np.array([*(uid in _CINES for uid in classes.texts), False])[classes.codes]
    cine &= table.column("xdicom_cine").codes >= 0
    return np.where(cine, frame_numbers(table), np.nan)


def _pet_index(table: FrameTable, kind: str, counts: tuple[str, ...]) -> list[Floats] | None:
    """ImageIndex of PET taken apart: the slice last, before it one number for each count.

    PS3.3 C.8.9.4.1.9: ((rr − 1) · slots + (slot − 1)) · NumberOfSlices + slice when gated, and
    (time − 1) · NumberOfSlices + slice when dynamic. None where an index is not of these.
    """
    series = table.column("SeriesType")
    if not series.texts or not all(text.split("\\")[0] == kind for text in series.texts):
        return None
    index = table.numbers("ImageIndex")
    sizes = [table.numbers(keyword) for keyword in (*counts, "NumberOfSlices")]
    ranges = [np.ptp(size) if len(size) else np.nan for size in sizes]
    if not series.complete or np.isnan(index).any() or np.isnan(ranges).any() or any(ranges):
        return None
    rest, total = index - 1, float(np.prod([size[0] for size in sizes]))
    if rest.min() < 0 or rest.max() >= total or len(np.unique(index)) < len(index):
        return None
    found = []
    for size in reversed(sizes):
        found.append(rest % size + 1)
        rest = rest // size
    return found[::-1]


def _pet_part(kind: str, counts: tuple[str, ...], place: int) -> _Rule:
    def part(table: FrameTable, _: str) -> Floats:
        found = _pet_index(table, kind, counts)
        return np.full(len(table), np.nan) if found is None else found[place]

    return part


_GATES: Final = ("NumberOfRRIntervals", "NumberOfTimeSlots")

_RULES: Final[dict[str, _Rule]] = {
    "gated": _gated,
    "pair": _pair,
    "acquisition_datetime": lambda table, _: acquisition_seconds(table),
    "frame": lambda table, _: frame_numbers(table),
    "cine_time": _cine_time,
    "cine_frame": _cine_frame,
    "reference_datetime": lambda table, _: reference_seconds(table),
    "pet_time": _pet_part("DYNAMIC", ("NumberOfTimeSlices",), 0),
    "pet_rr": _pet_part("GATED", _GATES, 0),
    "pet_slot": _pet_part("GATED", _GATES, 1),
}
"""How numbers are made that are not simply an attribute's values."""

_PARTS: Final[dict[str, Callable[[str], str]]] = {
    # PS3.3 C.7.6.1.1.2: ORIGINAL or DERIVED, PRIMARY or SECONDARY; then what kind of image
    "origin": lambda text: "\\".join(text.split("\\")[:2]),
    "flavour": lambda text: "\\".join(text.split("\\")[2:]),
}
"""The part of a text that counts."""
