"""A path becomes rows: all headers are read into memory, or what changed into an index."""

from __future__ import annotations

from typing import Final

from xdicom.api.rows import IndexRows, MemoryRows, Rows
from xdicom.headers.index import Index
from xdicom.headers.reading import Counts
from xdicom.headers.scan import Scan, ScanOptions, listed, scan_table, warn_of
from xdicom.sources.base import FileStat, Listing, Where

_BATCH: Final = 5000
"""Files after which what was read is written into the index."""
_SECONDS: Final = 10.0
"""Time after which it is written before that: what a scan that is killed loses at most."""


def rows_in_memory(where: Where, options: ScanOptions) -> tuple[Rows, Counts]:
    """Read the headers of all files under a path."""
    counts = Counts()
    return MemoryRows(scan_table(where, options, counts)), counts


def rows_in_index(where: Where, path: str, options: ScanOptions) -> tuple[Rows, Counts]:
    """Bring an index up to date with the files: read those that are new or changed."""
    listing, errors = listed(where, options.errors)
    index = Index.open(path, write=True)
    unreadable = [p.file for p in listing.problems if p.kind == "UnreadableFolder"]
    changes = index.begin(listing.root, listing.kind, listing.files, unreadable)
    new = [*changes.new, *(_left_out(index, listing) if errors == "raise" else ())]
    run = Scan(listing, options, errors)
    for batch in run.batches(new, _BATCH, _SECONDS):
        if len(batch) or batch.builder.problems:
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
