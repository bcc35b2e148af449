"""A root becomes the source that reads what lies under it; a new kind of place is a row here."""

from __future__ import annotations

from typing import Final

from xdicom.sources.base import Listing, Source, Where
from xdicom.sources.local import LocalSource

LOCAL: Final[Source] = LocalSource()


def source_of(root: str) -> Source:
    """The source that reads under a root.

    Parameters
    ----------
    root : str
        Of a Listing or FrameTable, or any path.
    """
    del root  # all places are local until another file stands beside `local`
    return LOCAL


def list_files(where: Where) -> Listing:
    """List the files under a path, by the source that reads there.

    Parameters
    ----------
    where : path or iterable of paths
        A folder (walked to the bottom), a file, or several of both. Links found in a folder are
        not followed, so that no loop and nothing outside it is ever read; a link that is named
        itself is.

    Returns
    -------
    Listing
        Regular files sorted by path, hidden ones included.

    Raises
    ------
    FileNotFoundError
        If a path that was named does not exist.
    PermissionError
        If nothing under the folder may be read.
    NotDicomError
        If a path that was named is neither folder nor regular file.
    TypeError
        If ``where`` is neither a path nor an iterable of paths.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open(os.path.join(folder, "a.dcm"), "wb").close()
    ...     listing = list_files(folder)
    >>> listing.kind, [(file.path, file.size) for file in listing.files]
    ('folder', [('a.dcm', 0)])
    """
    # several paths have no single root; all of them are local, as is everything yet
    return LOCAL.list(where)
