"""A path becomes a Catalog: headers are read once, and kept in an index if one is named."""

from __future__ import annotations

import os
from functools import partial

from xdicom.api.catalog import Catalog
from xdicom.api.updating import rows_in_index, rows_in_memory
from xdicom.headers.scan import ScanOptions
from xdicom.sources.base import PathLike, Where, absolute


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
    if workers is not None and workers < 1:
        raise ValueError(f"workers is how many files are read at once, not {workers!r}")
    options = ScanOptions(
        errors=errors, limits_excluded=errors != "raise", progress=progress, workers=workers
    )
    where = _kept(where)
    if index is None:
        again = partial(rows_in_memory, where, options)
    else:
        again = partial(rows_in_index, where, absolute(index), options)
    rows, counts = again()
    return Catalog(rows, again=again, counts=counts)


def _kept(where: Where) -> Where:
    """Paths that are the same when they are scanned again, whatever the folder is by then."""
    if isinstance(where, (str, os.PathLike)):
        return absolute(where)
    try:
        return [absolute(path) for path in where]
    except TypeError:
        return where  # whoever lists the files says what is wrong
