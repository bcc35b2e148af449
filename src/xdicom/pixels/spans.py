"""A FrameTable becomes Frames: for each frame its file, its byte span and its pixel layout."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless

from xdicom.errors import CorruptFileError, Problem, UnsupportedPixelLayoutError
from xdicom.headers.encapsulated import many_frames_a_fragment
from xdicom.headers.meta import is_encapsulated, is_public
from xdicom.headers.mosaic import STORED_SIZE
from xdicom.headers.table import FrameTable, check_unchanged
from xdicom.headers.values import number
from xdicom.pixels.fragments import Encapsulated, FrameSpans, frame_spans
from xdicom.sources.base import OpenFile
from xdicom.sources.places import source_of

IntArray = npt.NDArray[np.int64]

_ITEM: Final = b"\xfe\xff\x00\xe0"
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0"


@dataclass(frozen=True)
class PixelLayout:
    """How the bytes of a frame make up its pixels (PS3.3 C.7.6.3, PS3.5 section 8)."""

    transfer_syntax: str
    """Transfer syntax UID."""
    keyword: str
    """``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``."""
    vr: str
    """VR of the element: 8-bit values in big-endian OW are swapped in pairs."""
    rows: int
    """Rows of a stored frame."""
    columns: int
    """Columns of a stored frame."""
    samples: int
    """SamplesPerPixel."""
    photometric: str
    """PhotometricInterpretation."""
    planar: int
    """PlanarConfiguration: 1 where colour planes follow each other."""
    bits_allocated: int
    """BitsAllocated."""
    bits_stored: int
    """BitsStored."""
    high_bit: int
    """HighBit."""
    signed: bool
    """PixelRepresentation is 1."""
    tile: tuple[int, int] | None = None
    """Rows and columns of the array's frames, where a stored one holds several side by side."""

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored values, native byte order; packed bits unpack to uint8."""
        if self.keyword != "PixelData":
            return np.dtype("f4" if self.keyword == "FloatPixelData" else "f8")
        size = max(self.bits_allocated // 8, 1)
        return np.dtype(f"{'i' if self.signed else 'u'}{size}")

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of a stored frame: (rows, columns), and the samples where there are several."""
        plane = (self.rows, self.columns)
        return plane if self.samples == 1 else (*plane, self.samples)

    @cached_property
    def plane(self) -> tuple[int, ...]:
        """Shape of the array's frames: that of the stored ones, or of their tiles."""
        return self.shape if self.tile is None else (*self.tile, *self.shape[2:])

    @cached_property
    def encapsulated(self) -> bool:
        """Whether frames are compressed, in items."""
        # what a vendor made is not native either: nothing here can read it
        return is_encapsulated(self.transfer_syntax) or not is_public(self.transfer_syntax)

    @cached_property
    def deflated(self) -> bool:
        """Whether the whole data set is deflated, so that spans count in the inflated one."""
        return self.transfer_syntax == DeflatedExplicitVRLittleEndian

    @cached_property
    def big_endian(self) -> bool:
        """Whether values are big endian."""
        return self.transfer_syntax == ExplicitVRBigEndian

    @cached_property
    def frame_bits(self) -> int:
        """Bits of a native frame."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        bits = self.bits_allocated if self.keyword == "PixelData" else self.dtype.itemsize * 8
        return self.rows * self.columns * samples * bits

    @cached_property
    def plain(self) -> bool:
        """Whether the bytes of a frame are its array, but for bits above BitsStored."""
        return (
            not (self.encapsulated or self.big_endian)
            and (self.keyword != "PixelData" or self.bits_allocated >= 8)
            and (self.samples == 1 or (self.planar == 0 and self.photometric == "RGB"))
        )

    @cached_property
    def spare_bits(self) -> bool:
        """Whether bits above BitsStored must be cleared or sign-extended."""
        return self.keyword == "PixelData" and self.bits_allocated > max(self.bits_stored, 1)

    def check(self, file: str) -> None:
        """Refuse what cannot be read right.

        Raises
        ------
        UnsupportedPixelLayoutError
            For allocations that fill no bytes, impossible bit counts; for a HighBit below
            BitsStored − 1, outside BitsAllocated, or above it in a compressed frame.
        """
        if self.keyword != "PixelData":
            return
        if self.bits_allocated not in (1, 8, 16, 32, 64):
            raise UnsupportedPixelLayoutError(
                "BitsAllocated is not supported",
                file=file,
                expected="1, 8, 16, 32 or 64",
                found=self.bits_allocated,
            )
        if not 1 <= self.bits_stored <= self.bits_allocated:
            raise UnsupportedPixelLayoutError(
                "BitsStored does not fit BitsAllocated",
                file=file,
                expected=f"1 to {self.bits_allocated}",
                found=self.bits_stored,
            )
        # what a codec makes of the bits' place is its own affair; RLE stores bytes as they are
        exact = not self.encapsulated or self.transfer_syntax == RLELossless
        highest = self.bits_allocated - 1 if exact else self.bits_stored - 1
        if not self.bits_stored - 1 <= self.high_bit <= highest:
            raise UnsupportedPixelLayoutError(
                "HighBit is not BitsStored - 1: other bits would be read as pixels",
                file=file,
                expected=self.bits_stored - 1,
                found=self.high_bit,
            )


@dataclass(frozen=True, eq=False)
class Frames:
    """All that a task needs to read frames; small when pickled."""

    root: str
    """Folder that the paths are relative to."""
    paths: tuple[str, ...]
    """Files."""
    sizes: IntArray
    """Bytes of each file when its header was read."""
    mtimes: IntArray
    """Nanoseconds since the epoch."""
    file: IntArray
    """File of each frame, shape (frames,)."""
    number: IntArray
    """Frame number from 1."""
    offset: IntArray
    """First byte of each frame (for packed bits: the byte that holds its first bit)."""
    length: IntArray
    """Bytes of each frame; −1 for all up to the end of the file."""
    bare: npt.NDArray[np.bool_]
    """Whether a frame's span is its items alone, without the offset table before them."""
    layout: IntArray
    """Index of each frame's layout."""
    layouts: tuple[PixelLayout, ...]
    """The layouts that occur."""
    tile: IntArray | None = None
    """Number of each frame's tile in the stored frame, from 0; None where no layout has tiles."""
    _absolute: list[str] = field(default_factory=list, repr=False)

    def path(self, frame: int) -> str:
        """Absolute path of a frame's file."""
        if not self._absolute:
            self._absolute.extend(os.path.join(self.root, p) for p in self.paths)
        found: str = self._absolute[self.file[frame]]
        return found

    def open(self, frame: int) -> OpenFile:
        """Open a frame's file, after checking that it has not changed.

        Raises
        ------
        CorruptFileError
            If size or time of change are not those of the scan, or the file is gone.
        """
        path = self.path(frame)
        try:
            opened = source_of(self.root).open(path)
        except FileNotFoundError as error:
            raise CorruptFileError(
                "the file is gone since it was indexed",
                file=path,
                remedy="Open the folder again; a catalog must be refreshed first",
            ) from error
        file = self.file.item(frame)
        size, mtime_ns = self.sizes.item(file), self.mtimes.item(file)
        if opened.size != size or opened.mtime_ns != mtime_ns:
            opened.close()
            check_unchanged(path, size, mtime_ns, opened)
        return opened


def layouts_of(table: FrameTable) -> tuple[IntArray, tuple[PixelLayout, ...]]:
    """Layout of each row, and the distinct layouts.

    Raises
    ------
    UnsupportedPixelLayoutError
        By `PixelLayout.check`.
    """
    keywords = (
        "xdicom_transfer_syntax", "xdicom_pixel_element", "xdicom_pixel_vr", "Rows", "Columns",
        "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated",
        "BitsStored", "HighBit", "PixelRepresentation", STORED_SIZE,
    )  # fmt: skip
    columns = [table.column(k) for k in keywords]
    # numbered column by column: to sort all codes of each row takes longer than to scan the files
    inverse = np.zeros(len(table), np.int64)
    for column in columns:
        if not column.constant:
            pairs = inverse * (len(column.texts) + 1) + column.codes + 1
            inverse = np.unique(pairs, return_inverse=True)[1]
    firsts = np.unique(inverse, return_index=True)[1]
    layouts = []
    for first in firsts.tolist():
        tuple_ = [c.codes[first] for c in columns]
        texts = ["" if code < 0 else c.texts[code] for c, code in zip(columns, tuple_, strict=True)]
        syntax, keyword, vr = texts[:3]
        photometric = texts[6]
        whole = [_integer(t, 0) for t in texts]
        plane = whole[3], whole[4]
        size = tuple(int(n) for n in texts[12].split("\\")) if texts[12] else plane
        bits = whole[8] or {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword, 0)
        stored = whole[9] or bits
        layout = PixelLayout(
            transfer_syntax=syntax,
            keyword=keyword,
            vr=vr,
            rows=size[0],
            columns=size[1],
            samples=whole[5] or 1,
            photometric=photometric or "MONOCHROME2",
            planar=whole[7],
            bits_allocated=bits,
            bits_stored=stored,
            high_bit=_integer(texts[10], stored - 1),
            signed=whole[11] == 1,
            tile=plane if texts[12] else None,
        )
        layout.check(table.path(first))
        layouts.append(layout)
    return inverse, tuple(layouts)


def _integer(text: str, default: int) -> int:
    value = number(text.split("\\")[0])
    return default if np.isnan(value) else int(value)


def frames_of(table: FrameTable, problems: list[Problem] | None = None) -> Frames:
    """Find the byte span of each frame of a table (PS3.5 section 8 and A.4).

    Native frames lie one after the other; several encapsulated ones in a file are found by
    `fragments.frame_spans`.

    Parameters
    ----------
    table : FrameTable
        The rows.
    problems : list of Problem, optional
        Where offset tables that are wrong are noted.

    Raises
    ------
    CorruptFileError
        If there are fewer fragments than frames.
    FrameDecodeError
        If fragments cannot be told apart by frame.
    """
    layout, layouts = layouts_of(table)
    bits = np.array([x.frame_bits for x in layouts], np.int64)[layout]
    boxed = np.array([x.encapsulated for x in layouts])[layout]
    place = table.frame_number - 1
    first_bit = place * bits
    offset = table.pixel_offset + first_bit // 8
    length = -(-(first_bit + bits) // 8) - first_bit // 8
    offset[boxed], length[boxed] = table.pixel_offset[boxed], table.pixel_length[boxed]
    bare = np.zeros(len(table), bool)
    # in video there are no frames to be found: that nobody decodes it is said later
    parted = np.array(
        [x.encapsulated and not many_frames_a_fragment(x.transfer_syntax) for x in layouts]
    )
    rows = np.flatnonzero(parted[layout] & (_declared(table) > 1))
    rows = rows[np.argsort(table.file[rows], kind="stable")]
    firsts = np.flatnonzero(np.diff(table.file[rows], prepend=-1))
    for own in np.split(rows, firsts[1:]) if rows.size else ():
        spans = _encapsulated_spans(table, int(own[0]), problems)
        offset[own], length[own] = spans.offset[place[own]], spans.length[place[own]]
        bare[own] = True
    return Frames(
        table.root,
        table.files.paths,
        table.files.sizes,
        table.files.mtimes,
        table.file,
        table.frame_number,
        offset,
        length,
        bare,
        layout,
        layouts,
        table.tile - 1 if any(x.tile for x in layouts) else None,
    )


def _declared(table: FrameTable) -> IntArray:
    """NumberOfFrames of each row, 1 where it is missing or none."""
    column = table.column("NumberOfFrames")
    counts = [max(_integer(text, 1), 1) for text in column.texts]
    return np.array([*counts, 1], np.int64)[column.codes]  # the last stands for −1


def _encapsulated_spans(table: FrameTable, row: int, problems: list[Problem] | None) -> FrameSpans:
    """The spans of all frames of a row's file."""
    path = table.path(row)

    def text(keyword: str) -> str:
        column = table.column(keyword)
        code = column.codes[row]
        return column.texts[code] if code >= 0 else ""

    element = Encapsulated(
        path=path,
        start=int(table.pixel_offset[row]),
        length=int(table.pixel_length[row]),
        frames=max(_integer(text("NumberOfFrames"), 1), 1),
        transfer_syntax=text("xdicom_transfer_syntax"),
        extended=text("ExtendedOffsetTable"),
        lengths=text("ExtendedOffsetTableLengths"),
        items=table.items.get(int(table.file[row])),
    )
    spans = frame_spans(element, lambda: source_of(table.root).open(path))
    if problems is not None:
        name = table.files.paths[table.file[row]]
        problems += [Problem("WrongOffsetTable", what, name) for what in spans.problems]
    return spans


def fragments(data: bytes, file: str, frame: int) -> list[tuple[int, int]]:
    """Start and end of the contents of each item in a frame's bytes, checked.

    Raises
    ------
    CorruptFileError
        If an item is cut off or no item at all.
    """
    position = 0
    found: list[tuple[int, int]] = []
    while position + 8 <= len(data):
        tag = data[position : position + 4]
        if tag == _SEQUENCE_END:
            break
        (count,) = struct.unpack_from("<L", data, position + 4)
        if tag != _ITEM or position + 8 + count > len(data):
            raise CorruptFileError(
                "the frame's fragments are cut off or no items",
                file=file,
                frame=frame,
                expected=f"{count} bytes" if tag == _ITEM else "(FFFE,E000)",
                found=f"{len(data) - position - 8} bytes" if tag == _ITEM else tag.hex(),
            )
        found.append((position + 8, position + 8 + count))
        position += 8 + count
    return found
