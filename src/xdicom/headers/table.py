"""Heads of files become a FrameTable: columns of raw text, one row a frame, found by its digest."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import CorruptFileError, Problem
from xdicom.headers.elements import vr_of
from xdicom.headers.head import DimensionIndex
from xdicom.headers.mosaic import TILE
from xdicom.headers.values import Values, as_numbers, convert
from xdicom.sources.base import FileStat, OpenFile

IntArray = npt.NDArray[np.int64]
MISSING: Final = -1
_Placed = tuple[int, Problem]


@dataclass(frozen=True, eq=False)
class Column:
    """One attribute of all rows: a code a row, into the distinct raw texts."""

    codes: npt.NDArray[np.int32]
    """Index of each row's text, −1 where the attribute is missing or empty."""
    texts: tuple[str, ...]
    """The distinct raw texts."""
    vr: str
    """Value representation."""

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> Column:
        """The same column for some rows, with only the texts that they use."""
        codes = self.codes[rows]
        used = np.zeros(len(self.texts) + 1, bool)
        used[codes] = True  # the last stands for −1
        if used[:-1].all():
            return Column(codes, self.texts, self.vr)
        renumber = np.append(np.cumsum(used[:-1]) - 1, MISSING).astype(np.int32)
        texts = tuple(self.texts[i] for i in np.flatnonzero(used[:-1]))
        return Column(renumber[codes], texts, self.vr)

    @cached_property
    def values(self) -> Values:
        """The distinct texts, converted."""
        return convert(self.texts, self.vr)

    @property
    def complete(self) -> bool:
        """Whether every row has a value."""
        return bool((self.codes >= 0).all())

    @property
    def constant(self) -> bool:
        """Whether all rows have the same text, or all have none."""
        return self.codes.size == 0 or bool((self.codes == self.codes.flat[0]).all())

    def strings(self) -> npt.NDArray[np.str_]:
        """The text of each row, ``""`` where missing."""
        return np.array([*self.texts, ""], dtype=np.str_)[self.codes]

    def numbers(self, width: int = 1) -> npt.NDArray[np.float64]:
        """Each row as ``width`` numbers, NaN where there are none: shape (rows,) or (rows, width).

        Rows whose text does not hold just ``width`` valid numbers count as missing.
        """
        missing = np.full((1, width), np.nan)
        found = np.concatenate([as_numbers(self.texts, self.vr, width), missing])[self.codes]
        return found[..., 0] if width == 1 else found


@dataclass(frozen=True, eq=False)
class Files:
    """The files behind a table, each as it was when its header was read."""

    paths: tuple[str, ...]
    """Relative to the root."""
    sizes: IntArray
    """Bytes, shape (files,)."""
    mtimes: IntArray
    """Nanoseconds since the epoch, shape (files,)."""

    def take(self, index: IntArray) -> Files:
        """Some of the files."""
        return Files(tuple(self.paths[i] for i in index), self.sizes[index], self.mtimes[index])


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Columns of attributes, one row a frame; objects without pixels have one row of frame 0.

    Of a stored frame that holds many slices (Siemens mosaic, UIH VFRAME) each slice is a frame of
    its own, with its own row: its attributes are that slice's, Rows and Columns too.
    """

    root: str
    """Folder that the files' paths are relative to."""
    files: Files
    """The files."""
    file: IntArray
    """Index of each row's file, shape (rows,)."""
    frame_number: IntArray
    """From 1 within the instance, the same for all slices of one mosaic; 0 for an object without
    pixels."""
    frame_id: IntArray
    """53-bit hash of (SOPInstanceUID, frame number, tile), unique in the table (SPEC §0)."""
    pixel_offset: IntArray
    """Of the pixel element's value in the row's file; −1 without pixels."""
    pixel_length: IntArray
    """Of the pixel element's value; −1 where undefined."""
    columns: Mapping[str, Column]
    """Attributes by keyword."""
    dimensions: Mapping[int, tuple[DimensionIndex, ...]] = field(default_factory=dict)
    """By file: the dimension indices that its object declares."""
    items: Mapping[int, IntArray] = field(default_factory=dict)
    """By file, of those whose fragments the scan had to walk to count them, and that have several
    frames: where each begins, and where the last ends. Kept in no index: 8 bytes a fragment."""
    problems: tuple[Problem, ...] = ()
    """What was wrong with the files."""
    kind: str = "folder"
    """``folder``, ``file`` or ``list``: how the files were named."""
    index: str | None = None
    """Index file that holds the rows too."""

    def __len__(self) -> int:
        return len(self.file)

    def __repr__(self) -> str:
        return f"<FrameTable: {len(self)} frames of {len(self.files.paths)} files in {self.root}>"

    @cached_property
    def tile(self) -> IntArray:
        """Number of each row's slice in its stored frame, from 1; 0 for a row that is a frame."""
        return tile_numbers(self.columns.get(TILE), len(self))

    @cached_property
    def digest(self) -> str:
        """Digest of the relative paths, sizes and times of the files (SPEC §0)."""
        h = hashlib.blake2b(digest_size=16)
        for path, size, mtime in zip(
            self.files.paths, self.files.sizes, self.files.mtimes, strict=True
        ):
            h.update(f"{path}\0{size}\0{mtime}\0".encode("utf-8", "surrogateescape"))
        return h.hexdigest()

    def column(self, keyword: str) -> Column:
        """An attribute's column; one without values where no row has it."""
        found = self.columns.get(keyword)
        if found is None:
            return Column(np.full(len(self), MISSING, np.int32), (), vr_of(keyword))
        return found

    def strings(self, keyword: str) -> npt.NDArray[np.str_]:
        """Raw text of each row, ``""`` where missing."""
        return self.column(keyword).strings()

    def numbers(self, keyword: str, width: int = 1) -> npt.NDArray[np.float64]:
        """Numbers of each row, NaN where missing."""
        return self.column(keyword).numbers(width)

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> FrameTable:
        """The table of some rows and of the files that these use.

        Problems of its other files go; those of files that were left out stay.
        """
        rows = np.asarray(rows, dtype=np.int64).ravel()
        used, file = np.unique(self.file[rows], return_inverse=True)
        return FrameTable(
            root=self.root,
            files=self.files.take(used),
            file=file.astype(np.int64),
            frame_number=self.frame_number[rows],
            frame_id=self.frame_id[rows],
            pixel_offset=self.pixel_offset[rows],
            pixel_length=self.pixel_length[rows],
            columns={
                key: column
                for key, whole in self.columns.items()
                if (column := whole.take(rows)).texts
            },
            dimensions={i: d for i, j in enumerate(used) if (d := self.dimensions.get(int(j)))},
            items={
                i: found
                for i, j in enumerate(used if self.items else ())
                if (found := self.items.get(int(j))) is not None
            },
            problems=self._problems_of(used),
            kind=self.kind,
            index=self.index,
        )

    def _problems_of(self, files: IntArray) -> tuple[Problem, ...]:
        """Problems of some files, and those of no file of the table."""
        if not self.problems:
            return ()
        by_file, others = self._problems_by_file
        own = [found for i in files for found in by_file.get(self.files.paths[i], ())]
        return tuple(problem for _, problem in sorted([*others, *own], key=itemgetter(0)))

    @cached_property
    def _problems_by_file(self) -> tuple[dict[str, list[_Placed]], list[_Placed]]:
        """Problems with their place among all: by the file of the table, and of no such file."""
        names = set(self.files.paths)
        by_file: dict[str, list[_Placed]] = {}
        others: list[_Placed] = []
        for placed in enumerate(self.problems):
            file = placed[1].file
            (by_file.setdefault(file, []) if file in names else others).append(placed)
        return by_file, others

    def path(self, row: int) -> str:
        """Absolute path of a row's file."""
        return self.absolute(self.files.paths[self.file[row]])

    def absolute(self, name: str) -> str:
        """Absolute path of a file that is named as in ``files`` or ``problems``."""
        return os.path.join(self.root, name)

    def rows_of(self, frame_ids: npt.NDArray[Any]) -> IntArray:
        """Row of each frame id, −1 where it is none of this table's."""
        order, ids = self._sorted_ids
        wanted = np.asarray(frame_ids)
        if wanted.dtype.kind == "f":  # padding and reindexing turn int64 into float64, exactly
            wanted = np.where(np.isfinite(wanted), wanted, -1)
        wanted = wanted.astype(np.int64)
        if not len(ids):
            return np.full(wanted.shape, MISSING, np.int64)
        at = np.searchsorted(ids, wanted).clip(max=len(ids) - 1)
        return np.where(ids[at] == wanted, order[at], MISSING)

    @cached_property
    def _sorted_ids(self) -> tuple[IntArray, IntArray]:
        order = np.argsort(self.frame_id, kind="stable")
        return order, self.frame_id[order]


def tile_numbers(column: Column | None, rows: int) -> IntArray:
    """The number of each row's slice in its stored frame, from the column `TILE`; 0 for none."""
    if column is None:
        return np.zeros(rows, np.int64)
    numbers = [int(text) if text.isdecimal() else 0 for text in column.texts]
    return np.array([*numbers, 0], np.int64)[column.codes]


def frame_id(sop_instance_uid: str, frame: int, tile: int = 0) -> int:
    """First 53 bits of a hash of instance, frame number and tile: exact in float64.

    Examples
    --------
    >>> 0 <= frame_id("1.2.3", 1) < 2**53
    True
    """
    text = f"{sop_instance_uid}/{frame}/{tile}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 11


class Registry:
    """The tables that are open in this process, the latest used last: a cache, never the truth.

    Parameters
    ----------
    most : int
        Tables that are kept.
    rows : int
        Rows that all kept tables may have together; the latest is kept whatever its size.
    """

    def __init__(self, most: int = 4096, rows: int = 1_000_000) -> None:
        self._most, self._most_rows = most, rows
        self._tables: OrderedDict[tuple[str, str], FrameTable] = OrderedDict()
        self._rows = 0
        self._lock = Lock()  # dask's threads ask for headers at once

    def remember(self, table: FrameTable) -> None:
        """Keep a table, and let the oldest go."""
        key = table.root, table.digest  # copies of one archive have one digest
        with self._lock:
            before = self._tables.pop(key, None)
            self._rows += len(table) - (0 if before is None else len(before))
            self._tables[key] = table
            while len(self._tables) > 1 and (
                len(self._tables) > self._most or self._rows > self._most_rows
            ):
                _, oldest = self._tables.popitem(last=False)
                self._rows -= len(oldest)

    def find(self, root: str, digest: str) -> FrameTable | None:
        """The table of files under a root with a digest, if it is still open."""
        with self._lock:
            table = self._tables.get((root, digest))
            if table is not None:
                self._tables.move_to_end((root, digest))
            return table

    def clear(self) -> None:
        """Forget all (for tests)."""
        with self._lock:
            self._tables.clear()
            self._rows = 0


REGISTRY: Final = Registry()


def check_unchanged(path: str, size: int, mtime_ns: int, found: FileStat | OpenFile) -> None:
    """Raise if a file is no longer what it was when its header was read (SPEC §7).

    Raises
    ------
    CorruptFileError
        If size or time of change differ.
    """
    if found.size != size or found.mtime_ns != mtime_ns:
        raise CorruptFileError(
            "the file changed since it was indexed",
            file=path,
            expected=f"{size} bytes of {mtime_ns} ns",
            found=f"{found.size} bytes of {found.mtime_ns} ns",
            remedy="Open it again; a catalog must be refreshed first",
        )
