"""An encapsulated pixel element becomes the first byte and the length of each of its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from xdicom.errors import CorruptFileError, FrameDecodeError
from xdicom.headers.encapsulated import (
    ITEM_HEAD,
    basic_offset_table,
    fault_of,
    walk_items,
    whole_numbers,
)
from xdicom.sources.base import OpenFile

IntArray = npt.NDArray[np.int64]

_ITEM_TAG: Final = 0xE000FFFE  # as one little-endian number
_CODESTREAMS: Final = "1.2.840.10008.1.2.4."
"""JPEG, JPEG-LS and JPEG 2000: they end with FFD9 (EOI, EOC)."""
_STARTS: Final = (b"\xff\xd8", b"\xff\x4f")
"""SOI of JPEG and JPEG-LS, SOC of JPEG 2000."""
_END: Final = b"\xff\xd9"
_TAIL: Final = 16
"""Bytes at the end of a fragment in which its end marker is looked for, before zeros of padding."""


@dataclass(frozen=True)
class Encapsulated:
    """What the header tells of an encapsulated pixel element of several frames."""

    path: str
    """The file, for messages."""
    start: int
    """First byte of the value: of the item of the basic offset table."""
    length: int
    """Of the value in bytes; −1 where it is undefined."""
    frames: int
    """NumberOfFrames."""
    transfer_syntax: str
    """Transfer syntax UID."""
    extended: str = ""
    """Text of ExtendedOffsetTable."""
    lengths: str = ""
    """Text of ExtendedOffsetTableLengths."""
    items: IntArray | None = None
    """Where the fragments begin and the last ends, if the scan walked them."""


class FrameSpans(NamedTuple):
    """Where the items of each frame lie."""

    offset: IntArray
    """First byte, that of an item's tag, shape (frames,)."""
    length: IntArray
    """Bytes, shape (frames,)."""
    problems: tuple[str, ...]
    """What is wrong with the offset tables."""


class _Wrong(Exception):  # noqa: N818  of no file: says why a table is ignored
    """An offset table is not to be used."""


def frame_spans(element: Encapsulated, open_file: Callable[[], OpenFile]) -> FrameSpans:
    """Find the items of each frame (PS3.5 A.4).

    By the basic or the extended offset table, if each offset points at an item; else, with one
    fragment a frame, by counting; else by the end markers of JPEG and its successors.

    Parameters
    ----------
    element : Encapsulated
        What the header tells.
    open_file : callable
        Opens the file, which happens only if something must be read of it.

    Raises
    ------
    CorruptFileError
        If there are fewer fragments than frames, or something else than whole items.
    FrameDecodeError
        If it cannot be told which fragments are a frame's.
    """
    search = _Search(element, open_file)
    try:
        return search.spans()
    finally:
        search.close()


class _Search:
    def __init__(self, element: Encapsulated, open_file: Callable[[], OpenFile]) -> None:
        self._element, self._open = element, open_file
        self._sizes = np.empty(0, np.int64)

    @cached_property
    def _file(self) -> OpenFile:
        return self._open()

    def close(self) -> None:
        """Close the file, if it was opened."""
        if "_file" in self.__dict__:
            self._file.close()

    @cached_property
    def _end(self) -> int:
        start, length = self._element.start, self._element.length
        return self._file.size if length < 0 else min(start + length, self._file.size)

    def spans(self) -> FrameSpans:
        problems = []
        for name, offsets, lengths in self._tables():
            try:
                offset, length = self._by_table(offsets)
            except _Wrong as why:
                problems.append(f"the {name} offset table {why}; it was ignored")
                continue
            if lengths is not None and not self._agree(offset, lengths):
                what = "the lengths of the extended offset table are not those of the fragments"
                problems.append(f"{what}; they were ignored")
            return FrameSpans(offset, length, tuple(problems))
        first, last = self._by_fragments()
        bounds = self._bounds
        offset = bounds[first]
        return FrameSpans(offset, bounds[last + 1] - offset, tuple(problems))

    def _tables(self) -> Iterator[tuple[str, IntArray, IntArray | None]]:
        """Offset tables that are not empty: name, offsets and, where there are any, lengths."""
        element = self._element
        if not self._empty_basic:
            yield "basic", self._basic[0], None
        if element.extended:
            lengths = whole_numbers(element.lengths) if element.lengths else None
            yield "extended", whole_numbers(element.extended), lengths

    @property
    def _empty_basic(self) -> bool:
        """Whether the basic offset table is empty; what the scan walked tells it."""
        return self._base == self._element.start + ITEM_HEAD

    @cached_property
    def _base(self) -> int:
        """Where the first fragment begins."""
        items = self._element.items
        return self._basic[1] if items is None else int(items[0])

    @cached_property
    def _basic(self) -> tuple[IntArray, int]:
        return basic_offset_table(self._file.read, self._element.start, self._end)

    @cached_property
    def _bounds(self) -> IntArray:
        """Where the fragments begin, and where the last ends."""
        if self._element.items is not None:
            return self._element.items
        walked = walk_items(self._file.read, self._base, self._end, self._element.path)
        return np.array(walked.bounds, np.int64)

    def _by_table(self, offsets: IntArray) -> tuple[IntArray, IntArray]:
        """First byte and length of each frame by offsets that all point at items."""
        element = self._element
        known = element.items
        end = self._end if known is None else int(known[-1])
        fault = fault_of(offsets, element.frames, end - self._base)
        if fault:
            raise _Wrong(fault)
        starts = offsets + self._base
        if known is None:
            end = self._check_heads(starts)
        else:
            self._check_items(np.isin(starts, known[:-1]))
        return starts, np.append(starts[1:], end) - starts

    def _check_heads(self, starts: IntArray) -> int:
        """Check by one small read a frame that items are there; the end of the last frame."""
        raw = b"".join(self._file.read_each(ITEM_HEAD, starts.tolist()))
        # the table was checked to leave room for each head: fewer bytes are a file that shrank
        heads = np.frombuffer(raw.ljust(ITEM_HEAD * len(starts), b"\0"), "<u4").astype(np.int64)
        self._check_items(heads[0::2] == _ITEM_TAG)
        self._sizes = sizes = heads[1::2]
        over = np.flatnonzero(starts[:-1] + ITEM_HEAD + sizes[:-1] > starts[1:])
        if over.size:
            raise _Wrong(f"points into the middle of a fragment for frame {over[0] + 2}")
        try:
            last = walk_items(self._file.read, int(starts[-1]), self._end, self._element.path)
        except CorruptFileError as error:
            raise _Wrong("leads to a last frame whose fragments are not whole") from error
        return last.bounds[-1]

    def _check_items(self, found: npt.NDArray[np.bool_]) -> None:
        if not found.all():
            raise _Wrong(f"points at no item for frame {np.flatnonzero(~found)[0] + 1}")

    def _agree(self, starts: IntArray, lengths: IntArray) -> bool:
        """Whether lengths are those of the fragments, with or without a byte of padding."""
        known = self._element.items
        if len(lengths) != len(starts):
            return False
        if known is None:
            sizes = self._sizes
        else:
            sizes = known[np.searchsorted(known, starts) + 1] - starts - ITEM_HEAD
        padding = sizes - lengths
        return bool(((padding == 0) | (padding == 1)).all())

    def _by_fragments(self) -> tuple[IntArray, IntArray]:
        """First and last fragment of each frame."""
        element, bounds = self._element, self._bounds
        frames, count = element.frames, len(bounds) - 1
        if count == frames:
            return np.arange(count), np.arange(count)
        filled = np.flatnonzero(np.diff(bounds) > ITEM_HEAD)
        if len(filled) < frames:
            empty = f", {count - len(filled)} of which are empty" if len(filled) < count else ""
            raise CorruptFileError(
                "there are fewer fragments than frames",
                file=element.path,
                expected=f"at least {frames}",
                found=f"{count}{empty}",
            )
        if len(filled) == frames:
            return filled, filled
        found = f"{count} fragments"
        if element.transfer_syntax.startswith(_CODESTREAMS):
            last = filled[self._are_ends(filled)]
            if len(last) == frames and last[-1] == filled[-1]:
                return np.append(0, last[:-1] + 1), last
            found += f", {len(last)} of which end a codestream"
        raise FrameDecodeError(
            "the fragments cannot be told apart by frame: no usable offset table",
            file=element.path,
            expected=f"{frames} frames",
            found=found,
        )

    def _are_ends(self, filled: IntArray) -> npt.NDArray[np.bool_]:
        """Which of the fragments that are not empty end a frame, by the markers of its codestream.

        One ends with FFD9, and the next begins a codestream: no frame is cut where a fragment of
        it happens to end with these bytes.
        """
        bounds = self._bounds
        starts, stops = bounds[filled] + ITEM_HEAD, bounds[filled + 1]
        tails = self._file.read_each(_TAIL, (stops - _TAIL).tolist())
        sizes = (stops - starts).tolist()
        ends = np.array(
            [
                tail[-min(size, _TAIL) :].rstrip(b"\0").endswith(_END)
                for tail, size in zip(tails, sizes, strict=True)
            ]
        )
        nexts = np.flatnonzero(ends[:-1]) + 1
        heads = self._file.read_each(len(_STARTS[0]), starts[nexts].tolist())
        ends[nexts - 1] = [head in _STARTS for head in heads]
        return ends
