"""The series of a tree become, for each segmentation among them, the arrays that it segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from xdicom.errors import XDicomError
from xdicom.headers.segments import SEGMENTED
from xdicom.headers.store import headers_of, sequence_of
from xdicom.headers.table import FrameTable
from xdicom.series.alignment import aligned
from xdicom.series.segments import is_segmentation
from xdicom.series.stacks import Stack

_SERIES, _INSTANCE = "SeriesInstanceUID", "SOPInstanceUID"


class SegmentedSeries:
    """Collects the arrays of a tree, and puts segmentations on the grid of what they segment."""

    def __init__(self) -> None:
        self._by_series: dict[str, list[Stack]] = {}

    def add(self, stacks: Iterable[Stack]) -> None:
        """Add the arrays of a series; segmentations are none that others are put on."""
        for stack in stacks:
            uids = stack.table.column(_SERIES).texts
            if stack.grid is not None and len(uids) == 1 and not is_segmentation(stack.table):
                self._by_series.setdefault(uids[0], []).append(stack)

    def aligned(self, stack: Stack) -> Stack:
        """A segmentation on the grid of what it segments, if that is among what was added.

        What it segments is said by ReferencedSeriesSequence, else by the instances that its frames
        were derived from (PS3.3 C.12.2, C.7.6.16.2.6).
        """
        if stack.grid is None or not is_segmentation(stack.table) or not self._by_series:
            return stack
        return aligned(stack, _targets(stack.table, self._by_series))


def _targets(table: FrameTable, by_series: Mapping[str, Sequence[Stack]]) -> list[Stack]:
    said = [uid for text in table.column(SEGMENTED).texts for uid in text.split("\\")]
    if said:
        return [stack for uid in dict.fromkeys(said) for stack in by_series.get(uid, ())]
    instances = _source_instances(table)
    return [
        stack
        for stacks in (by_series.values() if instances else ())
        for stack in stacks
        if not instances.isdisjoint(stack.table.column(_INSTANCE).texts)
    ]


def _source_instances(table: FrameTable) -> set[str]:
    """UIDs of the instances that the first frame was derived from, none if it does not say."""
    try:
        header, rows = next(headers_of(table))
    except XDicomError:
        return set()  # the header is not needed for anything else here
    frame = int(table.frame_number[rows[0]])
    items = sequence_of(header, frame, "SourceImageSequence")
    return {str(item.get("ReferencedSOPInstanceUID", "")) for item in items} - {""}
