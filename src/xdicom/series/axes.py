"""Frames of one stack become axes: dims are found from the attributes that vary (SPEC §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xdicom.series.candidates import Candidate, Candidates
from xdicom.series.codes import Codes, combine, first_rows
from xdicom.series.components import component_labels
from xdicom.series.factorial import (
    covers,
    dense_rank_within,
    full_factorial,
    is_function_of,
    is_settled,
    occupied,
    ordinal_within,
    overlap,
    step_alike,
    tells_apart,
)
from xdicom.series.families import (
    ACQUIRED,
    ALIGNED,
    CLOCKED,
    DIM_ORDER,
    FRAME_TIME,
    INSTANCE_NUMBER,
    LASTING,
    ORDINAL,
    SOFT,
    Family,
)
from xdicom.series.grid import Axis, Rejected


@dataclass(frozen=True)
class Found:
    """What the inference found; the axes need not fill a grid."""

    axes: tuple[Axis, ...]
    """In canonical order; none of length 1 but z."""
    rejected: tuple[Rejected, ...]
    """Candidates that make no axis, and why."""
    notes: tuple[str, ...]
    """How axes were found, where that is worth a word."""


class Split(Exception):  # noqa: N818  a signal to the caller, no error
    """The frames are several arrays, one for each value of an attribute.

    Parameters
    ----------
    axis : Axis
        Its codes tell the arrays apart.
    labels : sequence of str
        Text of each code.
    found : Found
        The axes that they do not fill, for frames that cannot be split.
    """

    def __init__(self, axis: Axis, labels: Sequence[str], found: Found) -> None:
        super().__init__(axis.dim)
        self.attribute, self.codes = ", ".join(axis.attributes), axis.codes
        self.labels, self.found = labels, found


class Inference:
    """One run of the algorithm over the frames of a stack.

    Parameters
    ----------
    candidates : Candidates
        Of the frames.
    axes : sequence of Axis
        Those that are known beforehand: z, where positions are.
    """

    def __init__(self, candidates: Candidates, axes: Sequence[Axis] = ()) -> None:
        self.candidates = candidates
        self.length = len(candidates)
        self.axes: list[Axis] = list(axes)
        self.rejected: dict[str, Rejected] = {}
        self.notes: list[str] = []

    def run(self) -> Found:
        """Find the axes.

        Raises
        ------
        Split
            If the frames are several arrays.
        """
        for family in (*ALIGNED, *SOFT):
            if self.settled:
                break
            if not self.aligned(family):
                return self.found()
        for ranks in (False, True):
            for family in CLOCKED:
                if not self.settled and (ranks or family.name != "last"):
                    self.clocked(family, ranks)
        return self.found()

    def found(self) -> Found:
        """The axes in canonical order."""
        kept = [a for a in self.axes if a.size > 1 or a.dim in LASTING]
        kept.sort(key=lambda a: dim_rank(a.dim))
        used = {name for axis in kept for name in axis.attributes}
        axes = tuple(replace(a, confounded=self._confounded(a, used)) for a in kept)
        rejected = tuple(r for name, r in self.rejected.items() if name not in used)
        return Found(axes, rejected, tuple(self.notes))

    def _confounded(self, axis: Axis, used: set[str]) -> tuple[str, ...]:
        """Attributes that vary along one axis only, and drive none."""
        every = (a for f in (*ALIGNED, *SOFT, *CLOCKED) for a in f.attributes)
        parts = [self.candidates.of(a) for a in every if a.name not in used]
        along = (p.name for p in parts if p.count > 1 and is_function_of(p.codes, [axis]))
        return tuple(dict.fromkeys(along))

    @property
    def settled(self) -> bool:
        """Whether no cell holds more than one frame."""
        return is_settled(self.axes, self.length)

    def aligned(self, family: Family) -> bool:
        """Try a family whose values are the same at each slice.

        Returns
        -------
        bool
            False where its values leave holes, so that no grid can become full any more.
        """
        parts = [p for p in self.candidates.varying(family) if not self._known(p)]
        if not parts:
            return True
        skips = family.refusal == "skip"
        if skips and any(a.dim == family.dim for a in self.axes):
            return True
        axis = aligned_axis(self.candidates, family, parts)
        for tried in (axis, self._repeats(axis), *self._ordinals(family, parts)):
            if tried is not None and full_factorial([*self.axes, tried], self.length):
                self.axes.append(tried)
                if tried.method == "index":
                    self.notes.append(f"{tried.dim} is told by {tried.attributes[0]} only")
                return True
        if skips:
            for part in parts:
                self._reject(part.name, "its values do not fill a grid")
            return True
        z = next((a.codes for a in self.axes if a.dim == "z"), np.zeros(self.length, np.int64))
        self.axes.append(axis)
        if family.refusal == "split" or covers(axis.codes, z):
            raise Split(axis, _labels(axis, parts), self.found())
        return False

    def _torn(self) -> bool:
        """Whether slices lack different volumes, so that any rank in each slice would mix them."""
        flat, _ = occupied(self.axes, self.length)
        for attribute in (a for f in CLOCKED for a in f.attributes if a.whole):
            part = self.candidates.of(attribute)
            if part.count < 2 or not part.complete or self._known(part):
                continue
            if overlap(part.codes, flat):
                self._reject(part.name, "slices lack different values: ranks would mix them")
                return True
        return False

    def _known(self, part: Candidate) -> bool:
        """Whether an attribute is constant or goes along with the axes found so far."""
        if part.count < 2:
            return True
        if not is_function_of(part.codes, self.axes):
            return False
        dims = ", ".join(a.dim for a in self.axes)
        self._reject(part.name, f"goes along with {dims}: a coordinate")
        return True

    def _repeats(self, axis: Axis) -> Axis | None:
        """Diffusion with repeats of one value told apart by the order of their acquisition."""
        if axis.family != "diffusion":
            return None
        value, _ = occupied([*self.axes, axis], self.length)
        ordinal = ordinal_within(value, self.candidates.place)
        joined = combine([axis.codes, ordinal], self.length)
        size = int(joined.max()) + 1
        repeated = replace(axis, codes=joined, size=size, method="value+repeat")
        if not full_factorial([*self.axes, repeated], self.length):
            return None
        follows = np.diff(axis.codes[first_rows(joined, size)]) == 0
        for clock in (ACQUIRED, INSTANCE_NUMBER):
            part = self.candidates.of(clock)
            if part.complete and tells_apart(part.codes, value):
                flat, _ = occupied(self.axes, self.length)
                if step_alike(part, flat, joined, follows):
                    codes = by_first_acquisition(self.candidates, joined)
                    return replace(repeated, codes=codes)
                self._reject(part.name, "slices step differently: repeats would be mixed")
                return None
        return None

    def _ordinals(self, family: Family, parts: list[Candidate]) -> list[Axis]:
        """The dimension indices of a family, which may be right where its values are not."""
        lead = parts[0]
        axes = []
        for name, part in self.candidates.indices:
            if name != family.name:
                continue
            labels = None
            if family.dim == lead.name:
                labels = np.full(part.count, np.inf)
                np.minimum.at(labels, part.codes, lead.values[lead.codes])
            drivers = (part.name, lead.name)
            axes.append(
                Axis(family.dim, family.name, drivers, "index", part.codes, part.count, labels)
            )
        return axes

    def clocked(self, family: Family, ranks: bool) -> None:
        """Try the attributes of a family whose values may differ from slice to slice.

        Parameters
        ----------
        family : Family
            Of `CLOCKED`.
        ranks : bool
            Whether ranks within each slice count, beside values that are the same in all slices.
        """
        if ranks and self._torn():
            return
        parts = [self.candidates.of(a) for a in family.attributes]
        # what the values of its own family do not tell, an ordinal tells as an index
        parts += [c for name, c in self.candidates.indices if family.name in (name, "index")]
        for part in parts:
            dim = self._free_dim(family, part)
            if dim is None or self.settled:
                return
            if self._known(part):
                continue
            if not part.complete:
                self._reject(part.name, "missing in some frames")
                continue
            if (not ranks or family.name == "last") and self._by_value(family, part, dim):
                continue
            if ranks:
                self._by_rank(family, part, dim)

    def _by_value(self, family: Family, part: Candidate, dim: str) -> bool:
        method = "index" if part.name.startswith(ORDINAL) else "value"
        axis = Axis(dim, family.name, (part.name,), method, part.codes, part.count)
        if not full_factorial([*self.axes, axis], self.length):
            self._reject(part.name, "its values do not fill a grid")
            return False
        self.axes.append(labelled(axis, part))
        return True

    def _by_rank(self, family: Family, part: Candidate, dim: str) -> bool:
        flat, _ = occupied(self.axes, self.length)
        rank = dense_rank_within(flat, part.codes)
        size = int(rank.max()) + 1
        axis = Axis(dim, family.name, (part.name,), "rank", rank, size)
        if not full_factorial([*self.axes, axis], self.length):
            self._reject(part.name, "neither values nor ranks in each slice fill a grid")
            return False
        if not step_alike(part, flat, rank, np.ones(size - 1, bool)):
            self._reject(part.name, "slices step differently: ranks would mix times")
            return False
        self.axes.append(labelled(axis, part))
        self.notes.append(f"{dim} is the rank of {part.name} in each slice")
        return True

    def _free_dim(self, family: Family, part: Candidate) -> str | None:
        """Name of the next dim of a family; None where it can have no more."""
        dims = {a.dim for a in self.axes}
        if family.name == "index":
            return part.name
        if family.name == "last" and not any(a.dim == "z" and a.size > 1 for a in self.axes):
            return None if "instance" in dims else "instance"
        names = ("time", "repetition") if family.dim == "time" else (family.dim,)
        return next((name for name in names if name not in dims), None)

    def _reject(self, name: str, reason: str) -> None:
        self.rejected[name] = Rejected(name, reason)


def aligned_axis(candidates: Candidates, family: Family, parts: Sequence[Candidate]) -> Axis:
    """The axis of an aligned family from those of its attributes that vary."""
    names = tuple(p.name for p in parts)
    codes = combine([p.codes for p in parts], len(candidates))
    size = int(codes.max(initial=-1)) + 1
    axis = Axis(family.dim, family.name, names, "value", codes, size)
    if family.name == "component":
        rows = first_rows(codes, size)
        words = [[str(p.values[p.codes[i]]).split("\\") for p in parts] for i in rows]
        labels, order = component_labels([[w for ws in each for w in ws if w] for each in words])
        renumber = np.empty(size, np.int64)
        renumber[order] = np.arange(size)
        return replace(axis, codes=renumber[codes], labels=np.array([labels[i] for i in order]))
    if family.name == "diffusion":
        return replace(axis, codes=by_first_acquisition(candidates, codes))
    if all(a.index for a in family.attributes if a.name in names) and parts:
        axis = replace(axis, method="vector")
        if family.dim != "time":
            # of several attributes of one kind, as of one, only one is there
            lead = parts[0]
            return replace(axis, codes=lead.codes, size=lead.count, labels=lead.values.astype(int))
        clock = candidates.of(FRAME_TIME)
        return labelled(axis, clock) if clock.complete else axis
    if parts and (lead := parts[0]).count == size:
        if family.name == "echo":  # EchoTime, or EchoNumbers where only they vary
            axis = replace(axis, dim=lead.name)
        if axis.dim == lead.name:
            return replace(axis, codes=lead.codes, labels=lead.values)
    return axis


def labelled(axis: Axis, part: Candidate) -> Axis:
    """An axis with the seconds from its first index, if a clock drives it; ordinals label too."""
    if axis.method == "index" and axis.dim == part.name:
        return replace(axis, labels=part.values.astype(np.int64))
    if axis.dim not in ("time", "repetition") or not part.seconds:
        return axis
    earliest = np.full(axis.size, np.inf)
    np.minimum.at(earliest, axis.codes, part.values[part.codes] * part.seconds)
    return replace(axis, labels=np.round(earliest - earliest.min(), 6))


def by_first_acquisition(candidates: Candidates, codes: Codes) -> Codes:
    """Renumber codes by when the first frame of each was acquired."""
    first = np.full(int(codes.max(initial=-1)) + 1, len(codes))
    np.minimum.at(first, codes, candidates.place)
    renumber = np.empty(len(first), np.int64)
    renumber[np.argsort(first)] = np.arange(len(first))
    return renumber[codes]


def _labels(axis: Axis, parts: Sequence[Candidate]) -> list[str]:
    """What each index of an axis is called."""
    if axis.labels is not None:
        return [value_text(label) for label in axis.labels]
    rows = first_rows(axis.codes, axis.size)
    return [", ".join(value_text(p.values[p.codes[i]]) for p in parts) for i in rows]


def value_text(value: object) -> str:
    """A value, or the values of a vector, as short text."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return "\\".join(f"{v:g}" for v in array.ravel())
    return str(value)


def dim_rank(dim: str) -> tuple[int, str]:
    """Where a dim stands in the canonical order."""
    if dim in DIM_ORDER:
        return DIM_ORDER.index(dim) * 2, ""
    return DIM_ORDER.index("time") * 2 - 1, dim
