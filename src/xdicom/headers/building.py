"""Heads of files, and what templates find in others, are collected column by column."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from xdicom.errors import Problem
from xdicom.headers.elements import PRIVATE_TO_PATIENT, vr_of
from xdicom.headers.gifts import given
from xdicom.headers.head import DimensionIndex, Head
from xdicom.headers.mosaic import TILE
from xdicom.headers.table import (
    MISSING,
    Column,
    Files,
    FrameTable,
    IntArray,
    frame_id,
    tile_numbers,
)
from xdicom.headers.template import Match, Template
from xdicom.headers.tiling import Coded, implied_attributes
from xdicom.headers.values import invalid
from xdicom.headers.vectors import expand
from xdicom.headers.walk import UNDEFINED
from xdicom.sources.base import FileStat

_BLOCK: Final = 512
"""Files of one template whose values are kept raw before they are converted together."""


class _Numbered(dict[str, int]):
    """Texts, numbered as they come."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


class _Growing:
    """One attribute of all rows, as it is collected."""

    __slots__ = ("codes", "rows", "runs", "texts")

    def __init__(self) -> None:
        self.texts = _Numbered()
        self.runs: list[tuple[int, int, int]] = []
        self.rows, self.codes = array("q"), array("i")

    def same(self, start: int, stop: int, text: str) -> None:
        """Give rows that follow each other one text."""
        code = self.texts[text]
        if self.runs:
            first, end, last = self.runs[-1]
            if end == start and last == code:
                self.runs[-1] = (first, stop, code)
                return
        self.runs.append((start, stop, code))

    def each(self, rows: Sequence[int], texts: Sequence[str]) -> None:
        """Give each row a text of its own, over what it had; none where that is empty."""
        if "" in texts:
            pairs = [(row, text) for row, text in zip(rows, texts, strict=True) if text]
            rows, texts = [row for row, _ in pairs], [text for _, text in pairs]
        self.rows.extend(rows)
        if len(set(texts)) == len(texts) and self.texts.keys().isdisjoint(texts):
            codes = range(len(self.texts), len(self.texts) + len(texts))
            self.texts.update(zip(texts, codes, strict=True))  # each is new, as UIDs are
            self.codes.extend(codes)
        else:
            self.codes.extend(map(self.texts.__getitem__, texts))

    def coded(self, start: int, found: Coded) -> None:
        """Give rows that follow each other texts of their own, over what they had."""
        numbers = np.array([self.texts[text] for text in found.texts], np.int32)
        self.rows.extend(range(start, start + len(found.codes)))
        self.codes.frombytes(numbers[found.codes].tobytes())

    def build(self, length: int, vr: str) -> Column:
        """The column of a table of so many rows."""
        codes = np.full(length, MISSING, np.int32)
        for start, stop, code in self.runs:
            codes[start:stop] = code
        codes[np.frombuffer(self.rows, np.int64)] = np.frombuffer(self.codes, np.int32)
        return Column(codes, tuple(self.texts), vr)


class _Block:
    """Files that matched one template, their values still raw."""

    __slots__ = ("files", "matches", "rows")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.files: list[int] = []
        self.matches: list[Match] = []


class TableBuilder:
    """Collects heads of files into a FrameTable."""

    def __init__(self) -> None:
        self._columns: dict[str, _Growing] = {}
        self._blocks: dict[Template, _Block] = {}
        self._stats: list[FileStat] = []
        self._rows = 0
        self._rows_of_files: list[tuple[IntArray, IntArray, IntArray, IntArray, IntArray]] = []
        self._dimensions: dict[int, tuple[DimensionIndex, ...]] = {}
        self._items: dict[int, IntArray] = {}
        self.problems: list[Problem] = []

    def __len__(self) -> int:
        """Files that were added."""
        return len(self._stats)

    def distinct(self, keyword: str) -> int:
        """How many texts an attribute was found to have so far."""
        found = self._columns.get(keyword)
        own = 0 if found is None else len(found.texts)
        return max(own, len({t.constants.get(keyword) for t in self._blocks}))

    def _column(self, keyword: str) -> _Growing:
        found = self._columns.get(keyword)
        if found is None:
            found = self._columns[keyword] = _Growing()
        return found

    def add(self, stat: FileStat, head: Head, frames: int) -> None:
        """Add the rows of one file: ``frames`` of them, or one of frame 0 without pixels."""
        number, start = len(self._stats), self._rows
        self._stats.append(stat)
        self.problems.extend(Problem(kind, text, stat.path) for kind, text in head.problems)
        of_rows, frame_of_row = head.frames[:frames], np.arange(max(frames, 1))
        if head.tiles and frames:
            of_rows, frame_of_row = _cut(head, frames)
        count = len(frame_of_row)
        attributes = {**head.attributes, **_own_attributes(head, frames), **head.shared}
        expanded = None
        if frames and not head.frames and not head.tiles:
            expanded = expand(head.attributes, head.items, frames)
        for keyword, text in attributes.items():
            if expanded is None or keyword not in expanded.dropped:
                self._column(keyword).same(start, start + count, text)
        if expanded is not None:
            for keyword, texts in expanded.columns.items():
                self._column(keyword).each(range(start, start + count), texts)
            self.problems.extend(Problem(kind, t, stat.path) for kind, t in expanded.problems)
        if frames:
            for keyword, coded in implied_attributes(attributes, frames).items():
                self._column(keyword).coded(start, coded)
        self._add_frames(of_rows, start)
        if head.dimensions:
            self._dimensions[number] = head.dimensions
        if frames > 1 and head.pixel is not None and head.pixel.items is not None:
            self._items[number] = np.array(head.pixel.items, np.int64)
        rows = np.arange(start, start + count)
        first, offset, length = 0, -1, 0
        if head.pixel is not None:
            first, offset, length = 1, head.pixel.offset, head.pixel.length
        same = (np.full(count, value, np.int64) for value in (number, offset, length))
        files, offsets, lengths = same
        self._rows_of_files.append((rows, files, frame_of_row + first, offsets, lengths))
        self._rows += count

    def _add_frames(self, frames: Sequence[Mapping[str, str]], start: int) -> None:
        """Add what each frame has of its own, which goes before what the instance has."""
        keywords = dict.fromkeys(keyword for leaves in frames for keyword in leaves)
        rows = range(start, start + len(frames))
        for keyword in keywords:
            self._column(keyword).each(rows, [leaves.get(keyword, "") for leaves in frames])

    def add_like(
        self, stat: FileStat, match: Match, problems: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Add the row of a file of one frame that matched a template.

        Parameters
        ----------
        stat : FileStat
            The file.
        match : Match
            What the template found; its values are converted later, many at once.
        problems : sequence of (str, str)
            Kind and message of what is wrong with the file, but for its values.
        """
        template = match.template
        block = self._blocks.get(template)
        if block is None:
            block = self._blocks[template] = _Block()
        number = len(self._stats)
        block.rows.append(self._rows)
        block.files.append(number)
        block.matches.append(match)
        self._stats.append(stat)
        self._rows += 1
        if problems:
            self.problems.extend(Problem(kind, text, stat.path) for kind, text in problems)
        if template.head.dimensions:
            self._dimensions[number] = template.head.dimensions
        if len(block.rows) >= _BLOCK:
            self._convert(template, self._blocks.pop(template))

    def _convert(self, template: Template, block: _Block) -> None:
        """Turn the raw values of a block into texts, a column at a time."""
        rows = block.rows
        together = rows[-1] - rows[0] + 1 == len(rows)
        constants = {**template.constants, **_own_attributes(template.head, 1)}
        for keyword, text in constants.items():
            if together:
                self._column(keyword).same(rows[0], rows[-1] + 1, text)
            else:
                self._column(keyword).each(rows, [text] * len(rows))
        self._rows_of_files.append(
            (
                np.array(rows, np.int64),
                np.array(block.files, np.int64),
                np.ones(len(rows), np.int64),
                np.array([match.offset for match in block.matches], np.int64),
                np.array([match.length for match in block.matches], np.int64),
            )
        )
        columns = zip(*(match.values for match in block.matches), strict=True)
        for index, keyword, raws in zip(template.keys, template.keywords, columns, strict=False):
            place = template.places[index]
            distinct = dict.fromkeys(raws)
            texts, faults = template.texts.read_all(place.key, place.vr, list(distinct), "<")
            if len(distinct) < len(raws):
                known = dict(zip(distinct, texts, strict=True))
                texts = [known[raw] for raw in raws]
            self._column(keyword).each(rows, texts)
            if faults:
                self._note_faults(block, raws, list(distinct), faults)

    def _note_faults(
        self,
        block: _Block,
        raws: Sequence[bytes],
        distinct: Sequence[bytes],
        faults: Iterable[tuple[int, str, str]],
    ) -> None:
        for index, kind, message in faults:
            for file, raw in zip(block.files, raws, strict=True):
                if raw == distinct[index]:
                    self.problems.append(Problem(kind, message, self._stats[file].path))

    def build(self, root: str, kind: str = "folder") -> FrameTable:
        """The table of all that was added."""
        while self._blocks:
            self._convert(*self._blocks.popitem())
        length = self._rows
        columns = {k: grown.build(length, vr_of(k)) for k, grown in self._columns.items()}
        file, frame, offsets, lengths = self._scattered()
        tile = tile_numbers(columns.get(TILE), length)
        lengths[lengths == UNDEFINED] = -1
        for keyword, column in columns.items():
            self._note_invalid(keyword, column, file)
        columns |= self._given(columns, file)
        files = Files(
            tuple(stat.path for stat in self._stats),
            np.array([stat.size for stat in self._stats], np.int64),
            np.array([stat.mtime_ns for stat in self._stats], np.int64),
        )
        return FrameTable(
            root=root,
            files=files,
            file=file,
            frame_number=frame,
            frame_id=self._frame_ids(columns.get("SOPInstanceUID"), file, frame, tile),
            pixel_offset=offsets,
            pixel_length=lengths,
            columns=columns,
            dimensions=self._dimensions,
            items=self._items,
            problems=tuple(self.problems),
            kind=kind,
        )

    def _given(self, columns: Mapping[str, Column], file: IntArray) -> dict[str, Column]:
        """What private elements give, with a problem where what they mean is not known."""
        found, doubts = given(columns, self._rows)
        for doubt in doubts:
            for place in np.unique(file[doubt.rows]):
                path = self._stats[place].path
                self.problems.append(Problem("UnprovenValue", doubt.message, path))
        return found

    def _scattered(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """File, frame number, offset and length of each row."""
        found = [np.empty(self._rows, np.int64) for _ in range(4)]
        for rows, *values in self._rows_of_files:
            for array_, value in zip(found, values, strict=True):
                array_[rows] = value
        return found[0], found[1], found[2], found[3]

    def _frame_ids(
        self, uids: Column | None, file: IntArray, frame: IntArray, tile: IntArray
    ) -> IntArray:
        texts, codes = ((), [MISSING] * len(file)) if uids is None else (
            uids.texts, uids.codes.tolist()
        )  # fmt: skip
        found = []
        rows = zip(codes, frame.tolist(), tile.tolist(), file.tolist(), strict=True)
        for code, number, part, place in rows:
            if code < 0:
                stat = self._stats[place]
                uid = f"file:{stat.path}:{stat.size}:{stat.mtime_ns}"
            else:
                uid = texts[code]
            found.append(frame_id(uid, number, part))
        return np.array(found, np.int64)

    def _note_invalid(self, keyword: str, column: Column, file: IntArray) -> None:
        """Note the texts of a column that are no values of its VR; NumberOfFrames was before."""
        if keyword == "NumberOfFrames":
            return
        for code in invalid(column.texts, column.vr):
            # values that may tell who the patient is are not repeated (SPEC §8)
            private = keyword in PRIVATE_TO_PATIENT
            text = "invalid" if private else repr(column.texts[code])
            what = f"{keyword} is {text}, which is no {column.vr}; taken as missing"
            for place in np.unique(file[column.codes == code]):
                self.problems.append(Problem("InvalidValue", what, self._stats[place].path))


def _cut(head: Head, frames: int) -> tuple[list[dict[str, str]], IntArray]:
    """What each slice of frames that hold several has of its own, and the frame of each, from 0."""
    of_rows: list[dict[str, str]] = []
    frame_of_row: list[int] = []
    for frame in range(frames):
        own = head.frames[frame] if head.frames else {}
        tiles = head.tiles[frame] if head.frames else head.tiles[0]
        slices = ({},) if tiles is None else tiles.slices
        common = own if tiles is None else {**own, **tiles.common}
        of_rows += [{**common, **leaves} for leaves in slices]
        frame_of_row += [frame] * len(slices)
    return of_rows, np.array(frame_of_row, np.int64)


def _own_attributes(head: Head, frames: int) -> dict[str, str]:
    """What a row holds beside the attributes of the header."""
    found = {"xdicom_transfer_syntax": head.transfer_syntax, **head.parts}
    if head.pixel is not None:
        found["xdicom_pixel_element"] = head.pixel.keyword
        found["xdicom_pixel_vr"] = head.pixel.vr
        if frames > 1 and not head.frames:
            found["xdicom_cine"] = "1"
    if regions := head.items.get("SequenceOfUltrasoundRegions"):
        found["xdicom_regions"] = json.dumps(regions, separators=(",", ":"))
    if head.luts:
        found |= dict.fromkeys(head.luts, "1")
    return found | head.segmentation if head.segmentation else found
