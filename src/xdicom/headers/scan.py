"""A Listing becomes a FrameTable: files are read, checked, refused or kept, duplicates resolved."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from pydicom import dcmread
from tqdm.auto import tqdm

from xdicom.errors import (
    CorruptFileError,
    DuplicateInstanceError,
    ExcludedFileWarning,
    NotDicomError,
    Problem,
    ResourceLimitError,
    XDicomError,
)
from xdicom.headers.meta import file_meta
from xdicom.headers.parse import Head, parse
from xdicom.headers.table import REGISTRY, FrameTable, TableBuilder, frame_id
from xdicom.headers.validate import DICOMDIR, Leniency, count_frames
from xdicom.sources.local import FileStat, Listing, Where, list_files

CONFLICT: Final = "xdicom_conflict"
"""Column that marks instances whose SOPInstanceUID stands on different contents."""


@dataclass(frozen=True)
class ScanOptions:
    """How files that are wrong are treated."""

    errors: str | None = None
    """``raise``, ``warn`` or ``ignore``; None: ``warn`` for folders, ``raise`` for files."""
    leniency: Leniency = field(default_factory=Leniency)
    """What is allowed of the pixel data."""
    limits_excluded: bool = False
    """Leave files beyond a resource limit out instead of raising (trees and catalogs)."""
    progress: bool | None = None
    """Show a bar from one second on; None and True: yes."""


def scan_table(where: Where, options: ScanOptions | None = None) -> FrameTable:
    """Read the headers of all files under a path into a FrameTable.

    Parameters
    ----------
    where : path or iterable of paths
        Folder, file or files; a DICOMDIR file stands for the files it refers to.
    options : ScanOptions, optional
        What happens to files that are wrong.

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
    listing = list_files(where)
    errors = options.errors or ("warn" if listing.kind == "folder" else "raise")
    directory = _dicomdir(listing)
    if directory is not None:
        listing = _references(directory)
        errors = options.errors or "warn"
    builder = TableBuilder()
    builder.problems.extend(listing.problems)
    unread: list[OSError] = []
    bar = tqdm(
        listing.files,
        desc="reading headers",
        unit="file",
        delay=1,
        leave=False,
        disable=options.progress is False,
    )
    for stat in bar:
        try:
            head, frames = _read(listing.root, stat, options.leniency)
        except NotDicomError as error:
            if listing.kind != "folder" and errors == "raise":
                raise
            _exclude(builder, stat, error)
        except ResourceLimitError as error:
            if not options.limits_excluded:
                raise
            _exclude(builder, stat, error)
        except XDicomError as error:
            if errors == "raise":
                raise
            _exclude(builder, stat, error)
        except OSError as error:
            if errors == "raise":
                raise
            unread.append(error)
            what = error.strerror or str(error)
            builder.problems.append(Problem("UnreadableFile", what, stat.path, excluded=True))
        else:
            if head.attributes.get("MediaStorageSOPClassUID") == DICOMDIR:
                builder.problems.append(Problem("Dicomdir", "a directory, no image", stat.path))
            else:
                builder.add(stat.path, stat.size, stat.mtime_ns, head, frames)
    if unread and len(unread) == len(listing.files):
        raise unread[0]
    table = _resolve_duplicates(builder.build(listing.root, listing.kind))
    REGISTRY.remember(table)
    if errors == "warn":
        _warn(table, listing.kind)
    return table


def _read(root: str, stat: FileStat, leniency: Leniency) -> tuple[Head, int]:
    path = os.path.join(root, stat.path)
    fd = os.open(path, os.O_RDONLY)
    try:
        head = parse(fd, stat.size, path)
    finally:
        os.close(fd)
    if head.attributes.get("MediaStorageSOPClassUID") == DICOMDIR:
        return head, 0
    return head, count_frames(head, path, leniency)


def _exclude(builder: TableBuilder, stat: FileStat, error: XDicomError) -> None:
    message = error.what
    if error.expected is not None:
        message += f" (expected {error.expected}; found {error.found})"
    kind = type(error).__name__.removesuffix("Error")
    builder.problems.append(Problem(kind, message, stat.path, excluded=True))


def _warn(table: FrameTable, kind: str) -> None:
    """One warning for all files that were left out; other files than DICOM are usual in folders."""
    usual = "NotDicom" if kind == "folder" else ""
    out = [p for p in table.problems if p.excluded and p.kind != usual]
    if out:
        first = "; ".join(f"{p.file}: {p.message}" for p in out[:3])
        more = f" and {len(out) - 3} more" if len(out) > 3 else ""
        count = f"{len(out)} files" if len(out) > 1 else "one file"
        warnings.warn(
            f"{count} under {table.root} left out: {first}{more}. `.dicom.problems` lists all",
            ExcludedFileWarning,
            stacklevel=2,
        )


def _dicomdir(listing: Listing) -> str | None:
    """Path of a DICOMDIR that was named; None for anything else."""
    if listing.kind != "file":
        return None
    path = os.path.join(listing.root, listing.files[0].path)
    try:
        return path if file_meta(path).media_class == DICOMDIR else None
    except (XDicomError, OSError):
        return None


def _references(path: str) -> Listing:
    """The files that a DICOMDIR refers to (PS3.3 F.3), those inside its own folder.

    Raises
    ------
    CorruptFileError
        If the DICOMDIR cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = dcmread(path).get("DirectoryRecordSequence") or []
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
        elif not os.path.isfile(target):
            what = "the DICOMDIR refers to it, but there is no such file"
            problems.append(Problem("MissingFile", what, listed, excluded=True))
        else:
            status = os.stat(target)
            files[listed] = FileStat(listed, status.st_size, status.st_mtime_ns)
    return Listing(root, tuple(files[name] for name in sorted(files)), "list", tuple(problems))


def _resolve_duplicates(table: FrameTable) -> FrameTable:
    """Keep one of identical files; mark instances whose UID stands on different contents."""
    column = table.column("SOPInstanceUID")
    first_rows = np.flatnonzero(np.diff(table.file, prepend=-1))
    by_uid: dict[int, list[int]] = {}
    for row in first_rows.tolist():
        code = int(column.codes[row])
        if code >= 0:
            by_uid.setdefault(code, []).append(row)
    drop: set[int] = set()
    conflicts: set[int] = set()
    problems: list[Problem] = []
    for code, rows in by_uid.items():
        if len(rows) == 1:
            continue
        kept: dict[bytes, str] = {}
        for row in rows:
            name = table.files.paths[table.file[row]]
            content = _content_digest(table.path(row))
            if content in kept:
                drop.add(int(table.file[row]))
                what = f"the same as {kept[content]}; left out"
                problems.append(Problem("DuplicateFile", what, name))
            else:
                kept[content] = name
        if len(kept) > 1:
            conflicts.update({int(table.file[row]) for row in rows} - drop)
            names = list(kept.values())
            what = f"{column.texts[code]} stands on different contents: {', '.join(names)}"
            problems.append(Problem("DuplicateInstance", what, names[0]))
    table = replace(table, problems=table.problems + tuple(problems))
    if conflicts:
        table = _mark(table, conflicts)
    if drop:
        kept_rows = np.flatnonzero(~np.isin(table.file, list(drop)))
        table = replace(table.take(kept_rows), problems=table.problems)
    if len(np.unique(table.frame_id)) < len(table):
        raise DuplicateInstanceError(
            "two frames have the same frame_id, a hash of 53 bits: they cannot be told apart",
            file=table.root,
            remedy="Open them from folders of their own",
        )
    return table


def _mark(table: FrameTable, files: set[int]) -> FrameTable:
    """Give the frames of conflicting files ids of their own and a column that says so."""
    marked = np.isin(table.file, list(files))
    ids = table.frame_id.copy()
    uids = table.strings("SOPInstanceUID")
    for row in np.flatnonzero(marked):
        name = table.files.paths[table.file[row]]
        ids[row] = frame_id(f"{uids[row]}@{name}", int(table.frame_number[row]))
    column = replace(
        table.column("SOPInstanceUID"), codes=np.where(marked, 0, -1).astype(np.int32), texts=("1",)
    )
    return replace(table, frame_id=ids, columns={**table.columns, CONFLICT: column})


def _content_digest(path: str) -> bytes:
    """Digest of a file's transfer syntax and of its bytes after the file meta information."""
    meta = file_meta(path)
    digest = hashlib.blake2b(meta.transfer_syntax.encode(), digest_size=16)
    with open(path, "rb") as file:
        file.seek(meta.start)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()
