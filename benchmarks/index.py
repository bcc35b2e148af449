"""What the benchmarks need of the index, and the public names do not give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xdicom.headers.table import FrameTable


def write_index(path: Path, table: FrameTable) -> None:
    """Write an index of a table whose files need not exist.

    Parameters
    ----------
    path : Path
        The index, which does not exist yet; its folder does.
    table : FrameTable
        As a scan of a folder gives it.
    """
    raise NotImplementedError("benchmarks.index.write_index is still to be written")


def catalog_of(path: Path) -> Any:
    """The Catalog of an index as it stands on disk, its files not looked at.

    Parameters
    ----------
    path : Path
        What `write_index` wrote.
    """
    raise NotImplementedError("benchmarks.index.catalog_of is still to be written")
