"""Columns of a table become candidates for axes: codes in order of value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import Column, FrameTable
from xdicom.series.families import (
    BY_NAME,
    COMPONENT_LABELS,
    COMPONENT_ORDER,
    NEVER_INDEX,
    Attribute,
    Family,
)

Codes = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Candidate:
    """An attribute as an axis: frames with one code have one value."""

    name: str
    """The attribute."""
    codes: Codes
    """From 0 in order of value, shape (frames,)."""
    values: Array
    """Each frame's value: float64, or text; shape (frames,) or (frames, width)."""
    complete: bool
    """Whether every frame has a value."""
    seconds: float = 0.0
    """Seconds in one unit where it is a clock."""

    @property
    def count(self) -> int:
        """Number of distinct values."""
        return int(self.codes.max()) + 1 if self.codes.size else 0


def cluster(values: npt.NDArray[np.float64], tolerance: float) -> Codes:
    """Codes of numbers in ascending order; those within the tolerance of an anchor are one.

    NaN has the last code. A tolerance of 0 means 1e-6 of the anchor.

    Examples
    --------
    >>> cluster(np.array([2.0, 1.0, 2.0000001, np.nan]), 0.0).tolist()
    [1, 0, 1, 2]
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    steps = np.zeros(len(distinct), np.int64)
    allowed = tolerance or 1e-6 * np.abs(distinct)
    if np.all(np.diff(distinct) > np.broadcast_to(allowed, distinct.shape)[:-1]):
        return inverse.reshape(values.shape).astype(np.int64)
    anchor = np.nan
    for i, value in enumerate(distinct.tolist()):
        if not value - anchor <= (tolerance or 1e-6 * abs(anchor)):  # true of NaN too
            anchor = value
            steps[i] = 1
    return (np.cumsum(steps) - 1)[inverse].reshape(values.shape)


def combine(codes: list[Codes], length: int) -> Codes:
    """One code for each distinct tuple of codes, in their lexicographic order."""
    if not codes:
        return np.zeros(length, np.int64)
    joined = codes[0]
    for other in codes[1:]:
        size = int(other.max()) + 1 if other.size else 1
        joined = np.unique(joined * size + other, return_inverse=True)[1].astype(np.int64)
    return np.unique(joined, return_inverse=True)[1].astype(np.int64)


class Candidates:
    """The candidates of one stack of frames, each made once."""

    def __init__(self, table: FrameTable) -> None:
        self.table = table
        self._made: dict[str, Candidate] = {}

    def of(self, attribute: Attribute) -> Candidate:
        """The candidate of a family's attribute."""
        found = self._made.get(attribute.name)
        if found is None:
            found = self._made[attribute.name] = self._make(attribute)
        return found

    def varying(self, family: Family) -> list[Candidate]:
        """Candidates of a family that take more than one value."""
        found = [c for a in family.attributes if (c := self.of(a)).count > 1]
        return [c for c in found if c.complete or family.partial]

    def _make(self, attribute: Attribute) -> Candidate:
        derive = _DERIVED.get(attribute.name)
        if derive is not None:
            values: Array = derive(self.table)
        elif attribute.text:
            values = self.table.strings(attribute.name)
        else:
            values = self.table.numbers(attribute.name, attribute.width)
        return candidate(attribute, values)

    def indices(self) -> list[tuple[str, Candidate]]:
        """Ordinals of DimensionIndexValues: the family each resolves to, and its candidate.

        Pointers that no family knows belong to the family ``index`` (SPEC §2.5.2).
        """
        declared = set(self.table.dimensions.values())
        if len(declared) != 1 or len(self.table.dimensions) != len(self.table.files.paths):
            return []
        (dimensions,) = declared
        ordinals = self.table.numbers("DimensionIndexValues", len(dimensions))
        ordinals = ordinals.reshape(len(self.table), len(dimensions))
        families = {a.name: f.name for f in BY_NAME.values() for a in f.attributes}
        families.update({"EffectiveEchoTime": "echo", "InversionTimes": "inversion",
                         "FrameAcquisitionDateTime": "time", "FrameType": "component",
                         "FrameReferenceDateTime": "time"})  # fmt: skip
        found = []
        for i, dimension in enumerate(dimensions):
            if dimension.pointer in NEVER_INDEX:
                continue
            family = families.get(dimension.pointer, "index")
            name = f"DimensionIndex_{i + 1}"
            found.append((family, candidate(Attribute(name), ordinals[:, i])))
        return [(f, c) for f, c in found if c.complete and c.count > 1]


def candidate(attribute: Attribute, values: Array) -> Candidate:
    """Make the candidate of an attribute from each frame's value."""
    if values.dtype.kind == "U":
        codes = np.unique(values, return_inverse=True)[1].astype(np.int64)
        complete = bool((values != "").all())
        if attribute.name == "image_flavour":
            complete = True
        return Candidate(attribute.name, codes, values, complete)
    if values.ndim == 2:
        codes = combine(
            [cluster(values[:, i], attribute.tolerance) for i in range(values.shape[1])],
            len(values),
        )
        complete = not bool(np.isnan(values).any())
    else:
        codes = cluster(values, attribute.tolerance)
        complete = not bool(np.isnan(values).any())
    return Candidate(attribute.name, codes, values, complete, attribute.seconds)


def attribute_candidate(table: FrameTable, name: str, column: Column) -> Candidate:
    """Candidate of any attribute, for axes that the caller names."""
    del table
    array = column.values.array
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    if array.dtype.kind == "M":
        array = array.astype("M8[us]").astype(np.int64) / 1e6
    elif array.dtype.kind == "m":
        array = array.astype("m8[us]").astype(np.int64) / 1e6
    if array.dtype.kind == "f":
        missing = np.full((1, *array.shape[1:]), np.nan)
        return candidate(Attribute(name), np.concatenate([array, missing])[column.codes])
    return candidate(Attribute(name, text=True), column.strings())


def acquisition_seconds(table: FrameTable) -> npt.NDArray[np.float64]:
    """Moment of acquisition of each frame in seconds: AcquisitionDateTime, else date and time.

    Counted from an arbitrary day, NaN where there is neither; times without a date count from
    midnight.
    """
    found = _moments(table.column("AcquisitionDateTime"))
    clock = _moments(table.column("AcquisitionTime"))
    day = _moments(table.column("AcquisitionDate"))
    both = np.where(np.isnan(day), 0.0, day) + clock
    if not np.isnan(found).any():
        return found
    if np.isnan(found).all():
        return both
    return np.where(np.isnan(found), both, found)


def _moments(column: Column) -> npt.NDArray[np.float64]:
    array = column.values.array
    if array.dtype.kind == "M":
        numbers = array.astype("M8[us]").astype(np.int64) / 1e6
        numbers[np.isnat(array)] = np.nan
    elif array.dtype.kind == "m":
        numbers = array.astype("m8[us]").astype(np.int64) / 1e6
        numbers[np.isnat(array)] = np.nan
    else:
        numbers = np.full(len(array), np.nan)
    return np.append(numbers, np.nan)[column.codes]


def _flavour(table: FrameTable) -> npt.NDArray[np.str_]:
    """ImageType from its third value on."""
    column = table.column("ImageType")
    texts = tuple("\\".join(text.split("\\")[2:]) for text in column.texts)
    return np.array([*texts, ""], dtype=np.str_)[column.codes]


def _gated_trigger_time(table: FrameTable) -> npt.NDArray[np.float64]:
    """TriggerTime where the acquisition was gated: fMRI carries it without any gating."""
    gated = np.zeros(len(table), bool)
    for keyword in ("HeartRate", "NominalInterval", "CardiacNumberOfImages"):
        gated |= table.numbers(keyword) > 0
    technique = table.strings("CardiacSynchronizationTechnique")
    gated |= (technique != "") & (technique != "NONE")
    return np.where(gated, table.numbers("TriggerTime"), np.nan)


_DERIVED: Final[dict[str, Callable[[FrameTable], Array]]] = {
    "image_flavour": _flavour,
    "gated_trigger_time": _gated_trigger_time,
    "acquisition_datetime": acquisition_seconds,
    "FrameNumber": lambda table: table.frame_number.astype(np.float64),
}


def component_labels(parts: list[Candidate], codes: Codes) -> tuple[list[str], Codes]:
    """Labels of a component axis and its codes in the order M, P, R, I, then alphabetical.

    Parameters
    ----------
    parts : list of Candidate
        The varying attributes that make the axis.
    codes : array of int, shape (frames,)
        Their combined codes.

    Returns
    -------
    labels : list of str
        One for each code: a short name where the words are known and tell the codes apart, else
        the words that differ, joined by a backslash.
    codes : array of int, shape (frames,)
        Renumbered to the order of the labels.
    """
    count = int(codes.max()) + 1
    first = np.array([np.flatnonzero(codes == i)[0] for i in range(count)])
    words = [[w for p in parts for w in str(p.values[i]).split("\\") if w] for i in first]
    common = set.intersection(*map(set, words))
    labels = [_label(w, common) for w in words]
    if len(set(labels)) < count:
        labels = ["\\".join(dict.fromkeys(x for x in w if x not in common)) or "M" for w in words]
    if len(set(labels)) < count:
        labels = ["\\".join(w) for w in words]
    rank = {label: i for i, label in enumerate(COMPONENT_ORDER)}
    order = sorted(range(count), key=lambda i: (rank.get(labels[i], len(rank)), labels[i]))
    renumber = np.empty(count, np.int64)
    renumber[order] = np.arange(count)
    return [labels[i] for i in order], renumber[codes]


def _label(words: list[str], common: set[str]) -> str:
    """Of words that are known, one that says what is shown goes before M, P, R and I.

    A Philips field map is REAL by ComplexImageComponent and FIELD_MAP by FrameType.
    """
    known = [COMPONENT_LABELS[w] for w in words if w not in common and w in COMPONENT_LABELS]
    if known:
        return min(known, key=lambda label: label in COMPONENT_ORDER)
    return "\\".join(dict.fromkeys(w for w in words if w not in common))
