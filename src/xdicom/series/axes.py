"""Frames of one stack become a Grid: dims are found from the attributes that vary (SPEC §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from xdicom.errors import NotHypercubeError
from xdicom.headers.table import FrameTable
from xdicom.series.candidates import (
    Candidate,
    Candidates,
    Codes,
    acquisition_seconds,
    combine,
    component_labels,
)
from xdicom.series.families import ALIGNED, CLOCKED, DIM_ORDER, SOFT, Family
from xdicom.series.grid import Axis, Grid, Rejected

IntArray = npt.NDArray[np.int64]


class Split(Exception):  # noqa: N818  a signal to the caller, no error
    """The frames are several arrays, one for each value of an attribute."""

    def __init__(self, attribute: str, codes: Codes, labels: list[str]) -> None:
        super().__init__(attribute)
        self.attribute, self.codes, self.labels = attribute, codes, labels


def cells(axes: Sequence[Axis], length: int) -> tuple[IntArray, int]:
    """Flat cell of each frame, and how many cells there are."""
    flat = np.zeros(length, np.int64)
    total = 1
    for axis in axes:
        flat = flat * axis.size + axis.codes
        total *= axis.size
    return flat, total


def full_factorial(axes: Sequence[Axis], length: int) -> bool:
    """Whether every combination occurs, all equally often."""
    total = 1
    for axis in axes:
        total *= axis.size
        if total > length:
            return False
    flat, total = cells(axes, length)
    counts = np.bincount(flat, minlength=total)
    return bool(counts.min() > 0 and counts.min() == counts.max())


def is_function_of(codes: Codes, axes: Sequence[Axis]) -> bool:
    """Whether all frames of a cell have one code."""
    flat, total = cells(axes, len(codes))
    if total > 4 * len(codes):
        flat = np.unique(flat, return_inverse=True)[1]
        total = int(flat.max()) + 1
    first = np.empty(total, np.int64)
    first[flat] = codes
    return bool((first[flat] == codes).all())


def ordinal_within(flat: IntArray, keys: Sequence[npt.NDArray[np.generic]]) -> IntArray:
    """Place of each frame among those of its cell, in the order of the keys (first key first)."""
    order = np.lexsort((*reversed(keys), flat))
    ordered = flat[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    counts = np.diff(np.r_[starts, len(ordered)])
    place = np.arange(len(ordered)) - np.repeat(starts, counts)
    out = np.empty(len(flat), np.int64)
    out[order] = place
    return out


def dense_rank_within(flat: IntArray, codes: Codes) -> IntArray:
    """Rank of each frame's code among the distinct codes of its cell."""
    order = np.lexsort((codes, flat))
    cell, code = flat[order], codes[order]
    new_cell = np.r_[True, cell[1:] != cell[:-1]]
    new_code = np.r_[True, code[1:] != code[:-1]] | new_cell
    steps = np.cumsum(new_code) - 1
    base = np.maximum.accumulate(np.where(new_cell, steps, 0))
    out = np.empty(len(flat), np.int64)
    out[order] = steps - base
    return out


def parallel(values: npt.NDArray[np.float64], flat: IntArray, rank: IntArray) -> bool:
    """Whether all cells step alike from rank to rank: within half of the median step.

    Three slices at three times, each without another one, rank to a full grid of two times; that
    would mix times without a word.
    """
    order = np.lexsort((rank, flat))
    count = int(rank.max()) + 1
    table = values[order].reshape(-1, count)
    steps = np.diff(table, axis=1)
    median = np.median(steps, axis=0)
    return bool((np.abs(steps - median) <= 0.5 * np.abs(median)).all())


class Inference:
    """One run of the algorithm over the frames of a stack."""

    def __init__(self, table: FrameTable, candidates: Candidates, z: Axis | None) -> None:
        self.table = table
        self.length = len(table)
        self.candidates = candidates
        self.axes: list[Axis] = [] if z is None else [z]
        self.rejected: list[Rejected] = []
        self.notes: list[str] = []
        self.indices = candidates.indices()

    @property
    def settled(self) -> bool:
        """Whether no cell holds more than one frame."""
        flat, total = cells(self.axes, self.length)
        return bool(np.bincount(flat, minlength=total).max(initial=0) <= 1)

    def reject(self, name: str, reason: str) -> None:
        """Keep why a candidate makes no axis."""
        self.rejected.append(Rejected(name, reason))

    def run(self) -> Grid:
        """Find the dims, or raise `Split` or `NotHypercubeError`."""
        for family in ALIGNED:
            if self.settled:
                break
            self._aligned(family)
        for attribute in SOFT:
            if self.settled:
                break
            self._soft(self.candidates.of(attribute))
        for ranks in (False, True):
            for family in CLOCKED:
                if self.settled:
                    break
                if family.name != "last" or ranks:
                    self.clocked(family, ranks)
        return self.grid()

    def grid(self) -> Grid:
        """Put the frames into the cells of the axes that were found."""
        axes = tuple(sorted(self.axes, key=lambda a: dim_rank(a.dim)))
        axes = tuple(a for a in axes if a.size > 1 or a.dim == "z")
        rows, counts = fill(axes, self.length)
        if (counts != 1).any():
            raise NotHypercubeError(report(self.table, self.candidates, axes, counts))
        return Grid(axes, rows, tuple(self.rejected), tuple(self.notes))

    def _aligned(self, family: Family) -> None:
        parts = self.candidates.varying(family)
        parts = [p for p in parts if not self._known(p)]
        if not parts:
            return
        codes = combine([p.codes for p in parts], self.length)
        axis = aligned_axis(self.table, family, parts, codes)
        if full_factorial([*self.axes, axis], self.length):
            self.axes.append(axis)
            return
        if family.name == "diffusion":
            flat, _ = cells([*self.axes, axis], self.length)
            repeated = repeat_axis(self.table, axis, ordinal_within(flat, time_keys(self.table)))
            if full_factorial([*self.axes, repeated], self.length):
                self.axes.append(repeated)
                return
        if family.refusal == "split" or self._covers(axis):
            raise Split(
                ", ".join(p.name for p in parts),
                axis.codes,
                [str(x) for x in ([] if axis.labels is None else axis.labels)],
            )
        self.axes.append(axis)
        self.notes.append(f"{axis.dim} does not fill the grid: a value axis with holes")

    def _known(self, part: Candidate) -> bool:
        if is_function_of(part.codes, self.axes):
            dims = ", ".join(a.dim for a in self.axes) or "nothing"
            self.reject(part.name, f"goes along with {dims}: a coordinate")
            return True
        return False

    def _covers(self, axis: Axis) -> bool:
        """Whether every value of an axis occurs at all the cells found so far."""
        flat, total = cells(self.axes, self.length)
        present = np.zeros((axis.size, total), bool)
        present[axis.codes, flat] = True
        return bool(present.all())

    def _soft(self, part: Candidate) -> None:
        if part.count < 2 or not part.complete or self._known(part):
            return
        axis = Axis(part.name, "soft", (part.name,), "value", part.codes, part.count,
                    axis_values(part))  # fmt: skip
        if full_factorial([*self.axes, axis], self.length):
            self.axes.append(axis)
            return
        raise Split(part.name, part.codes, [str(v) for v in axis_values(part)])

    def clocked(self, family: Family, ranks: bool) -> None:
        """Add an axis of a family whose values, or ranks within a slice, fill a grid."""
        parts = [self.candidates.of(a) for a in family.attributes]
        parts += [c for f, c in self.indices if f == family.name]
        for part in parts:
            if part.count < 2:
                continue
            if not part.complete:
                if not ranks:
                    self.reject(part.name, "missing in some frames")
                continue
            if is_function_of(part.codes, self.axes):
                if not ranks:
                    self._known(part)
                continue
            method = "index" if part.name.startswith("DimensionIndex_") else "value"
            if not ranks or family.name == "last":
                axis = self._named(family, part, part.codes, method)
                if full_factorial([*self.axes, axis], self.length):
                    self.axes.append(self._labelled(axis, part))
                    return
                if not ranks:
                    self.reject(part.name, "its values do not fill a grid")
            if ranks:
                flat, _ = cells(self.axes, self.length)
                rank = dense_rank_within(flat, part.codes)
                axis = self._named(family, part, rank, "rank")
                if full_factorial([*self.axes, axis], self.length):
                    flat, _ = cells(self.axes, self.length)
                    if parallel(part.values.astype(np.float64), flat, rank):
                        self.axes.append(self._labelled(axis, part))
                        self.notes.append(f"{axis.dim} is the rank of {part.name} in each slice")
                        return
                    self.reject(part.name, "slices step differently: ranks would mix times")

    def _named(self, family: Family, part: Candidate, codes: Codes, method: str) -> Axis:
        dim = family.dim
        if family.name == "index":
            dim = part.name
        if family.name == "last":
            z = next((a for a in self.axes if a.dim == "z"), None)
            dim = "time" if z is not None and z.size > 1 else "instance"
        if dim == "time" and any(a.dim == "time" for a in self.axes):
            dim = "repetition"
        size = int(codes.max()) + 1
        return Axis(dim, family.name, (part.name,), method, codes, size)

    def _labelled(self, axis: Axis, part: Candidate) -> Axis:
        if axis.dim in ("time", "repetition"):
            if not part.seconds:
                return axis
            seconds = part.values * part.seconds
            earliest = np.full(axis.size, np.inf)
            np.minimum.at(earliest, axis.codes, seconds)
            return replace(axis, labels=np.round(earliest - earliest.min(), 6))
        return axis


def aligned_axis(table: FrameTable, family: Family, parts: list[Candidate], codes: Codes) -> Axis:
    """The axis of an aligned family from those of its attributes that vary."""
    names = tuple(p.name for p in parts)
    size = int(codes.max()) + 1
    if family.name == "component":
        labels, codes = component_labels(parts, codes)
        return Axis(family.dim, family.name, names, "value", codes, size, np.array(labels))
    if family.name == "diffusion":
        codes = by_first_acquisition(table, codes)
        return Axis(family.dim, family.name, names, "value", codes, size)
    if len(parts) == 1 or family.name in ("echo", "energy"):
        lead = parts[0]
        if lead.count == size and lead.values.ndim == 1:
            dim = family.dim
            if family.name == "echo":
                dim = lead.name
            return Axis(dim, family.name, names, "value", lead.codes, size, axis_values(lead))
    return Axis(family.dim, family.name, names, "value", codes, size)


def axis_values(part: Candidate) -> npt.NDArray[np.generic]:
    """The value that each code of a candidate stands for."""
    first = np.zeros(part.count, np.int64)
    first[part.codes[::-1]] = np.arange(len(part.codes))[::-1]
    values: npt.NDArray[np.generic] = part.values[first]
    if values.dtype.kind == "f" and values.ndim == 1:
        # the anchor of each cluster is its smallest member
        smallest = np.full(part.count, np.inf)
        np.minimum.at(smallest, part.codes, np.where(np.isnan(part.values), np.inf, part.values))
        values = np.where(np.isinf(smallest), np.nan, smallest)
    return values


def time_keys(table: FrameTable) -> tuple[npt.NDArray[np.generic], ...]:
    """Keys that order frames by acquisition: moment, InstanceNumber, UID, FrameNumber."""
    return (
        np.nan_to_num(acquisition_seconds(table), nan=np.inf),
        np.nan_to_num(table.numbers("InstanceNumber"), nan=np.inf),
        table.strings("SOPInstanceUID"),
        table.frame_number,
    )


def by_first_acquisition(table: FrameTable, codes: Codes) -> Codes:
    """Renumber codes by when the first frame of each was acquired."""
    order = np.lexsort(tuple(reversed(time_keys(table))))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first = np.full(int(codes.max()) + 1, len(order))
    np.minimum.at(first, codes, place)
    renumber = np.empty(len(first), np.int64)
    renumber[np.argsort(first)] = np.arange(len(first))
    return renumber[codes]


def repeat_axis(table: FrameTable, axis: Axis, ordinal: IntArray) -> Axis:
    """Tell repeats of one value apart by the order in which they were acquired."""
    joined = combine([axis.codes, ordinal], len(ordinal))
    codes = by_first_acquisition(table, joined)
    return replace(axis, codes=codes, size=int(codes.max()) + 1, method="value+repeat", labels=None)


def dim_rank(dim: str) -> tuple[int, str]:
    """Where a dim stands in the canonical order."""
    if dim in DIM_ORDER:
        return DIM_ORDER.index(dim) * 2, ""
    return DIM_ORDER.index("time") * 2 - 1, dim


def fill(axes: Sequence[Axis], length: int) -> tuple[IntArray, IntArray]:
    """Row in each cell (−1 where none), and how many frames each cell has."""
    flat, total = cells(axes, length)
    shape = tuple(a.size for a in axes)
    rows = np.full(total, -1, np.int64)
    rows[flat] = np.arange(length)
    return rows.reshape(shape), np.bincount(flat, minlength=total).reshape(shape)


def varying_attributes(candidates: Candidates) -> list[str]:
    """Every attribute of the families that takes more than one value."""
    names = {a.name: a for f in (*ALIGNED, *CLOCKED) for a in f.attributes}
    names.update({a.name: a for a in SOFT})
    return [n for n, a in names.items() if candidates.of(a).count > 1]


REMEDIES = (
    'ragged="fill" (NaN where no frame stands), ragged="complete" (only complete volumes), '
    'ragged="flat" (a list of frames), or dims=(…) to name the dims'
)


def report(
    table: FrameTable, candidates: Candidates, axes: Sequence[Axis], counts: IntArray
) -> str:
    """What a user needs to know of frames that are no hypercube."""
    total = counts.size
    filled = int((counts > 0).sum())
    shape = " × ".join(f"{a.dim} {a.size}" for a in axes) or "one cell"
    lines = [f"the {len(table)} frames do not fill a grid of {shape}: {filled} of {total} cells"]
    for name, bad in (("missing", counts == 0), ("more than one frame", counts > 1)):
        places = np.argwhere(bad)
        if not len(places):
            continue
        shown = "; ".join(
            ", ".join(f"{a.dim}={_label(a, int(i))}" for a, i in zip(axes, place, strict=True))
            or "the only cell"
            for place in places[:10]
        )
        more = f" and {len(places) - 10} more" if len(places) > 10 else ""
        lines.append(f"{name} at {shown}{more}")
    varying = [n for n in varying_attributes(candidates) if n != "image_flavour"]
    lines.append(f"attributes that vary: {', '.join(varying) or 'none'}")
    lines.append(f"Remedies: {REMEDIES}")
    return ". ".join(lines)


def _label(axis: Axis, index: int) -> str:
    if axis.labels is None:
        return str(index)
    value = axis.labels[index]
    return f"{value:g}" if isinstance(value, float) else str(value)
