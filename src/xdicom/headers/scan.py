"""A Listing becomes a FrameTable: files are read, checked, refused or kept, duplicates resolved."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tqdm.auto import tqdm

from xdicom.errors import (
    ExcludedFileWarning,
    NotDicomError,
    Problem,
    ResourceLimitError,
    XDicomError,
    warn,
)
from xdicom.headers.building import TableBuilder
from xdicom.headers.dicomdir import directory_of, references
from xdicom.headers.duplicates import find_duplicates, resolve
from xdicom.headers.reading import Counts, HeaderReader
from xdicom.headers.table import REGISTRY, FrameTable
from xdicom.headers.validate import Leniency
from xdicom.sources.base import FileStat, Listing, Range, Where
from xdicom.sources.places import list_files, source_of

_BLOCK: Final = 32
"""Files whose first bytes are asked for together, by one thread."""
_BLOCK_OF_WORKERS: Final = 1024
SLOW_READ: Final = 100e-6
"""Seconds a file from which on several are read at once: the disk is cold, or far away."""
WORKERS: Final = 8
"""How many are then read at once."""
DELAY: Final = 1.0
"""Seconds after which a bar is shown."""
_NO_LIMIT: Final = 2**62


@dataclass(frozen=True)
class ScanOptions:
    """How files are read, and how those that are wrong are treated."""

    errors: str | None = None
    """``raise``, ``warn`` or ``ignore``; None: ``warn`` for folders, ``raise`` for files."""
    leniency: Leniency = field(default_factory=Leniency)
    """What is allowed of the pixel data."""
    limits_excluded: bool = False
    """Leave files beyond a resource limit out instead of raising (trees and catalogs)."""
    progress: bool | None = None
    """Show a bar from one second on; None and True: yes."""
    workers: int | None = None
    """Files read at once; None: one, and eight where reading turns out to be slow."""
    templates: bool = True
    """Whether headers are compared with those read before; False: each is walked."""


@dataclass
class Batch:
    """What was read since the batch before."""

    builder: TableBuilder = field(default_factory=TableBuilder)
    """The rows."""
    left_out: list[FileStat] = field(default_factory=list)
    """Files that were read and give no rows: other files than DICOM, and what is wrong."""

    def __len__(self) -> int:
        return len(self.builder) + len(self.left_out)


def scan_table(
    where: Where, options: ScanOptions | None = None, counts: Counts | None = None
) -> FrameTable:
    """Read the headers of all files under a path into a FrameTable.

    Parameters
    ----------
    where : path or iterable of paths
        Folder, file or files; a DICOMDIR file stands for the files it refers to.
    options : ScanOptions, optional
        What happens to files that are wrong.
    counts : Counts, optional
        Counts how files are read.

    Returns
    -------
    FrameTable
        One row a frame; the table's ``problems`` name what was left out and what was odd.

    Raises
    ------
    XDicomError
        If ``errors="raise"``: the first file that is refused, but for files in a folder that are
        no DICOM. Resource limits always raise.
    OSError
        If a file that was named, or everything in a folder, cannot be read.

    Warns
    -----
    ExcludedFileWarning
        Once, if ``errors="warn"`` and DICOM files were left out.
    """
    options = options or ScanOptions()
    listing, errors = listed(where, options.errors)
    scan = Scan(listing, options, errors, counts)
    (batch,) = scan.batches(listing.files) if listing.files else (Batch(),)
    batch.builder.problems[:0] = listing.problems
    table = batch.builder.build(listing.root, listing.kind)
    table = resolve(table, find_duplicates(table))
    REGISTRY.remember(table)
    if errors == "warn":
        warn_of(table.problems, table.root, listing.kind)
    return table


def listed(where: Where, given: str | None) -> tuple[Listing, str]:
    """The files under a path, or those that a DICOMDIR refers to, and what wrong ones cause."""
    listing = list_files(where)
    errors = given or ("warn" if listing.kind == "folder" else "raise")
    directory = directory_of(listing)
    if directory is not None:
        return references(directory), given or "warn"
    return listing, errors


class Scan:
    """One run over the headers of files.

    Parameters
    ----------
    listing : Listing
        Where the files are.
    options : ScanOptions
        How they are read.
    errors : str
        ``raise``, ``warn`` or ``ignore``.
    counts : Counts, optional
        Counts how files are read.
    """

    def __init__(
        self,
        listing: Listing,
        options: ScanOptions,
        errors: str,
        counts: Counts | None = None,
    ) -> None:
        self._listing, self._options, self._errors = listing, options, errors
        self._source = source_of(listing.root)
        self._reader = HeaderReader(
            self._source, listing.root, options.leniency, templates=options.templates
        )
        self._reader.counts = Counts() if counts is None else counts
        self._workers = options.workers
        self._unread: list[OSError] = []

    @property
    def counts(self) -> Counts:
        """How the files were read so far."""
        return self._reader.counts

    def batches(
        self, files: Sequence[FileStat], most: int = _NO_LIMIT, seconds: float = float("inf")
    ) -> Iterator[Batch]:
        """Read the headers of files.

        Parameters
        ----------
        files : sequence of FileStat
            Some of the listing.
        most : int
            Files after which a batch ends.
        seconds : float
            Time after which it ends before that.

        Yields
        ------
        Batch
            What was read; the last may be empty.

        Raises
        ------
        XDicomError, OSError
            As `scan_table`.
        """
        batch, begun, series = Batch(), time.monotonic(), 0
        bar = tqdm(
            total=len(files),
            desc="reading headers",
            unit="file",
            delay=DELAY,
            leave=False,
            disable=self._options.progress is False,
        )
        with bar:
            start = 0
            while start < len(files):
                block = files[start : start + (_BLOCK if self._single else _BLOCK_OF_WORKERS)]
                start += len(block)
                self._read_block(block, batch)
                bar.set_postfix(self._progress(batch, series), refresh=False)
                bar.update(len(block))
                if len(batch) >= most or time.monotonic() - begun > seconds:
                    series += batch.builder.distinct("SeriesInstanceUID")
                    yield batch
                    batch, begun = Batch(), time.monotonic()
        if self._unread and len(self._unread) == len(self._listing.files):
            raise self._unread[0]
        yield batch

    @property
    def _single(self) -> bool:
        return (self._workers or 1) == 1

    def _progress(self, batch: Batch, series: int) -> dict[str, Any]:
        found = {"series": series + batch.builder.distinct("SeriesInstanceUID")}
        if batch.builder.problems:
            found["problems"] = len(batch.builder.problems)
        return found

    def _read_block(self, block: Sequence[FileStat], batch: Batch) -> None:
        root, reader = self._listing.root + os.sep, self._reader
        # made one by one: how much is read of a file follows from the files before
        ranges = (Range(root + f.path, 0, min(f.size, reader.first_read)) for f in block)
        begun = time.perf_counter()
        if self._single:
            found: Iterable[bytes | OSError] = list(self._source.read_many(ranges))
            spent = time.perf_counter() - begun
            if self._workers is None and spent > SLOW_READ * len(block) and len(block) == _BLOCK:
                self._workers = WORKERS
        else:
            found = self._source.read_many(ranges, self._workers or 1)
        read, builder = reader.read, batch.builder
        for stat, data in zip(block, found, strict=True):
            try:
                if isinstance(data, OSError):
                    raise data
                if not read(stat, data, builder):
                    problem = Problem("Dicomdir", "a directory, no image", stat.path)
                    self._leave_out(stat, problem, batch)
            except (XDicomError, OSError) as error:
                self._fail(stat, error, batch)
        reader.settle()

    def _fail(self, stat: FileStat, error: XDicomError | OSError, batch: Batch) -> None:
        """Raise what a file is refused for, or leave the file out."""
        raising = self._errors == "raise"
        if isinstance(error, NotDicomError):
            raising &= self._listing.kind != "folder"
        elif isinstance(error, ResourceLimitError):
            raising = not self._options.limits_excluded
        if raising:
            raise error
        if isinstance(error, XDicomError):
            self._leave_out(stat, _exclusion(stat, error), batch)
        else:  # it may be read another time, so it is not known as one to leave out
            self._unread.append(error)
            what = error.strerror or str(error)
            batch.builder.problems.append(Problem("UnreadableFile", what, stat.path, excluded=True))

    @staticmethod
    def _leave_out(stat: FileStat, problem: Problem, batch: Batch) -> None:
        batch.left_out.append(stat)
        batch.builder.problems.append(problem)


def _exclusion(stat: FileStat, error: XDicomError) -> Problem:
    message = error.what
    if error.expected is not None:
        found = "" if error.found is None else f"; found {error.found}"
        message += f" (expected {error.expected}{found})"
    kind = type(error).__name__.removesuffix("Error")
    return Problem(kind, message, stat.path, excluded=True)


def warn_of(problems: Sequence[Problem], root: str, kind: str) -> None:
    """One warning for all files that were left out; other files than DICOM are usual in folders."""
    usual = "NotDicom" if kind == "folder" else ""
    out = [p for p in problems if p.excluded and p.kind != usual]
    if out:
        first = "; ".join(f"{p.file}: {p.message}" for p in out[:3])
        more = f" and {len(out) - 3} more" if len(out) > 3 else ""
        count = f"{len(out)} files" if len(out) > 1 else "one file"
        warn(
            f"{count} under {root} left out: {first}{more}. `.dicom.problems` lists all (of "
            "a catalog: `.problems`)",
            ExcludedFileWarning,
        )
