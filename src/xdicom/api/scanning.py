"""A path becomes a Catalog: headers are read once, and kept in an index if one is named."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from xdicom.api.catalog import Catalog
from xdicom.api.rows import IndexRows, MemoryRows, Rows

if TYPE_CHECKING:
    from xdicom.headers.index import Index
from xdicom.headers.reading import Counts
from xdicom.headers.scan import Scan, ScanOptions, listed, scan_table, warn_of
from xdicom.sources.base import FileStat, Listing, PathLike, Where

_BATCH: Final = 5000
"""Files after which what was read is written into the index."""
_SECONDS: Final = 10.0
"""Time after which it is written before that: what a scan that is killed loses at most."""


def scan(
    where: Where,
    index: PathLike | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    errors: str = "warn",
) -> Catalog:
    """Read the headers of all files under a path, once.

    Parameters
    ----------
    where : path or iterable of paths
        Folder (walked to the bottom), file or files; a DICOMDIR file.
    index : path, optional
        File that keeps what was read, made where there is none. A later scan reads only files
        that are new or whose size or time changed, and forgets those that are gone; one that was
        stopped goes on where it was. It holds paths relative to the folder, so that both may
        move; nothing is written beside the data unless the index itself is put there. It also
        holds PatientID, dates and descriptions.
    workers : int, optional
        Files read at once. By default one, and eight where reading turns out to be slow: a cold
        disk, a network.
    progress : bool, optional
        False: no progress bar. By default one is shown from one second on.
    errors : {"warn", "raise", "ignore"}
        For files that are wrong. Warn and ignore leave them out, and `Catalog.problems` lists
        them; other files than DICOM in a folder never raise.

    Returns
    -------
    Catalog
        What there is, series by series; nothing of the pixels was read.

    Raises
    ------
    XDicomError
        With ``errors="raise"``, the first file that is refused.
    IndexFileError
        If the index is another file, of another folder, or cannot be written.
    OSError
        If the path is missing, or nothing in it may be read.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> catalog = scan(get_testdata_file("CT_small.dcm"))
    >>> catalog.series[["modality", "instances", "shape"]].values.tolist()
    [['CT', 1, (1, 128, 128)]]
    """
    if errors not in ("warn", "raise", "ignore"):
        raise ValueError(f'errors is "warn", "raise" or "ignore", not {errors!r}')
    options = ScanOptions(errors=errors, limits_excluded=True, progress=progress, workers=workers)
    if index is None:
        again = partial(_in_memory, where, options)
    else:
        again = partial(_indexed, where, os.path.abspath(os.fspath(index)), options)
    rows, counts = again()
    return Catalog(rows, again=again, counts=counts)


def _in_memory(where: Where, options: ScanOptions) -> tuple[Rows, Counts]:
    counts = Counts()
    return MemoryRows(scan_table(where, options, counts)), counts


def _indexed(where: Where, path: str, options: ScanOptions) -> tuple[Rows, Counts]:
    """Bring an index up to date with the files."""
    listing, errors = listed(where, options.errors)
    index = Index.open(path, write=True)
    changes = index.begin(listing.root, listing.kind, listing.files)
    new = [*changes.new, *(_left_out(index, listing) if errors == "raise" else ())]
    run = Scan(listing, options, errors)
    for batch in run.batches(new, _BATCH, _SECONDS):
        if len(batch):
            index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
    index.finish(listing.problems)
    if errors == "warn":
        warn_of(index.problems(), listing.root, listing.kind)
    run.counts.known = len(listing.files) - len(new)
    return IndexRows(index), run.counts


def _left_out(index: Index, listing: Listing) -> list[FileStat]:
    """Files that an earlier scan left out: now their errors are asked for."""
    out = {problem.file for problem in index.problems() if problem.excluded}
    return [stat for stat in listing.files if stat.path in out]
