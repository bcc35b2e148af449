"""A Listing becomes a FrameTable: files are read, checked, refused or kept, duplicates resolved."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydicom import dcmread
from tqdm.auto import tqdm

from xdicom.errors import (
    ExcludedFileWarning,
    NotDicomError,
    Problem,
    ResourceLimitError,
    XDicomError,
)
from xdicom.headers.parse import Head, dataset_start, parse
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
    leniency: Leniency = Leniency()
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
        If ``errors="raise"``: the first file that is refused. Resource limits always raise.

    Warns
    -----
    ExcludedFileWarning
        Once, if ``errors="warn"`` and DICOM files were left out.
    """
    options = options or ScanOptions()
    listing = list_files(where)
    builder = TableBuilder()
    builder.problems.extend(listing.problems)
    errors = options.errors or ("warn" if listing.kind == "folder" else "raise")
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
            continue
        except ResourceLimitError as error:
            if not options.limits_excluded:
                raise
            _exclude(builder, stat, error)
            continue
        except (XDicomError, OSError) as error:
            if errors == "raise":
                raise
            _exclude(builder, stat, error)
            continue
        if head.attributes.get("MediaStorageSOPClassUID") == DICOMDIR:
            if listing.kind == "file":
                return scan_table(_references(os.path.join(listing.root, stat.path)), options)
            builder.problems.append(Problem("Dicomdir", "a directory, no image", stat.path))
            continue
        builder.add(stat.path, stat.size, stat.mtime_ns, head, frames)
    table = _resolve_duplicates(builder.build(listing.root, listing.kind))
    REGISTRY.remember(table)
    if errors == "warn":
        _warn(table)
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
    return head, count_frames(head, stat.size, path, leniency)


def _exclude(builder: TableBuilder, stat: FileStat, error: Exception) -> None:
    kind = type(error).__name__.removesuffix("Error")
    message = error.what if isinstance(error, XDicomError) else str(error)
    if isinstance(error, XDicomError) and error.expected is not None:
        message += f" (expected {error.expected}; found {error.found})"
    builder.problems.append(Problem(kind, message, stat.path, excluded=True))


def _warn(table: FrameTable) -> None:
    """One warning for all DICOM files that were left out; files that are no DICOM do not count."""
    out = [p for p in table.problems if p.excluded and p.kind != "NotDicom"]
    if out:
        first = "; ".join(f"{p.file}: {p.message}" for p in out[:3])
        more = f" and {len(out) - 3} more" if len(out) > 3 else ""
        warnings.warn(
            f"{len(out)} files under {table.root} were left out: {first}{more}. "
            "`.dicom.problems` lists them",
            ExcludedFileWarning,
            stacklevel=2,
        )


def _references(path: str) -> list[str]:
    """Files that a DICOMDIR refers to (PS3.3 F.3), those inside its own folder."""
    root = os.path.realpath(os.path.dirname(path))
    found = []
    for record in dcmread(path).get("DirectoryRecordSequence", []):
        parts = record.get("ReferencedFileID")
        if parts:
            parts = [parts] if isinstance(parts, str) else list(parts)
            target = os.path.realpath(os.path.join(root, *parts))
            if os.path.commonpath([root, target]) == root and os.path.isfile(target):
                found.append(target)
    return found


def _resolve_duplicates(table: FrameTable) -> FrameTable:
    """Keep one of identical files; mark instances whose UID stands on different contents."""
    column = table.column("SOPInstanceUID")
    first_rows = np.flatnonzero(np.r_[True, np.diff(table.file) != 0]) if len(table) else []
    by_uid: dict[int, list[int]] = {}
    for row in first_rows:
        code = int(column.codes[row])
        if code >= 0:
            by_uid.setdefault(code, []).append(int(row))
    drop: set[int] = set()
    conflicts: set[int] = set()
    problems: list[Problem] = []
    for code, rows in by_uid.items():
        if len(rows) == 1:
            continue
        uid = column.texts[code]
        kept: dict[bytes, str] = {}
        for row in rows:
            name = table.files.paths[table.file[row]]
            content = _content_digest(table.path(row))
            if content in kept:
                drop.add(int(table.file[row]))
                message = f"the same as {kept[content]}; left out"
                problems.append(Problem("DuplicateFile", message, name))
            else:
                kept[content] = name
        if len(kept) > 1:
            conflicts.update(
                int(table.file[r]) for r in rows if int(table.file[r]) not in drop
            )
            names = ", ".join(kept.values())
            problems.append(
                Problem("DuplicateInstance", f"{uid} stands on different contents: {names}",
                        next(iter(kept.values())))
            )  # fmt: skip
    if not problems:
        return table
    table = replace(table, problems=table.problems + tuple(problems))
    if conflicts:
        table = _mark(table, conflicts)
    if drop:
        kept_rows = np.flatnonzero(~np.isin(table.file, list(drop)))
        table = replace(table.take(kept_rows), problems=table.problems)
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
    """Digest of a file's bytes after its file meta information."""
    start = dataset_start(path)
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        file.seek(start)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()
