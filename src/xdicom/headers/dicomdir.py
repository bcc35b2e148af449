"""A DICOMDIR becomes a Listing of the files that it refers to."""

from __future__ import annotations

import os
import warnings

from pydicom import dcmread

from xdicom.errors import CorruptFileError, Problem, XDicomError
from xdicom.headers.meta import file_meta
from xdicom.headers.validate import DICOMDIR
from xdicom.sources.base import FileStat, Listing
from xdicom.sources.places import source_of
from xdicom.sources.stream import stream_of


def directory_of(listing: Listing) -> str | None:
    """Path of a DICOMDIR that was named; None for anything else."""
    if listing.kind != "file":
        return None
    path = os.path.join(listing.root, listing.files[0].path)
    try:
        return path if file_meta(path).media_class == DICOMDIR else None
    except (XDicomError, OSError):
        return None


def references(path: str) -> Listing:
    """The files that a DICOMDIR refers to (PS3.3 F.3), those inside its own folder.

    Raises
    ------
    CorruptFileError
        If the DICOMDIR cannot be read.
    """
    source = source_of(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with source.open(path) as file:
                records = dcmread(stream_of(file, path)).get("DirectoryRecordSequence") or []
            names = [record.get("ReferencedFileID") for record in records]
    except Exception as error:  # pydicom raises anything
        raise CorruptFileError(f"the DICOMDIR cannot be read: {error}", file=path) from error
    root = os.path.dirname(path)
    inside = os.path.realpath(root)
    files: dict[str, FileStat] = {}
    problems: list[Problem] = []
    for name in names:
        parts = [name] if isinstance(name, str) else [str(part) for part in name or ()]
        if not any(parts) or any("\0" in part for part in parts):
            continue
        target = os.path.realpath(os.path.join(root, *parts))
        listed = os.path.relpath(target, inside)
        if os.path.commonpath([inside, target]) != inside:
            what = "the DICOMDIR refers to a file outside of its folder"
            problems.append(Problem("OutsideFile", what, "/".join(parts), excluded=True))
        else:
            try:
                files[listed] = source.stat(target)._replace(path=listed)
            except OSError:
                what = "the DICOMDIR refers to it, but there is no such file"
                problems.append(Problem("MissingFile", what, listed, excluded=True))
    return Listing(root, tuple(files[name] for name in sorted(files)), "list", tuple(problems))
