"""Files of one SOPInstanceUID: of identical ones one is kept, different ones are marked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from xdicom.errors import DuplicateInstanceError, Problem
from xdicom.headers.elements import vr_of
from xdicom.headers.meta import read_file_meta, window_of
from xdicom.headers.table import Column, FrameTable, IntArray, frame_id
from xdicom.sources.places import source_of

CONFLICT: Final = "xdicom_conflict"
"""Column that marks instances whose SOPInstanceUID stands on different contents."""
_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class Duplicates:
    """What is to be done about files that share a SOPInstanceUID."""

    dropped: frozenset[str] = frozenset()
    """Paths of files that are the same as another one, which is kept."""
    conflicts: frozenset[str] = frozenset()
    """Paths of files whose SOPInstanceUID stands on different contents."""
    problems: tuple[Problem, ...] = ()
    """The same, in words."""


def first_rows(table: FrameTable) -> IntArray:
    """The first row of each file."""
    return np.flatnonzero(np.diff(table.file, prepend=-1)).astype(np.int64)


def find_duplicates(table: FrameTable) -> Duplicates:
    """Compare the files of a table that share a SOPInstanceUID, by the digest of their contents.

    Parameters
    ----------
    table : FrameTable
        Any rows; files without SOPInstanceUID are nobody's duplicates.

    Returns
    -------
    Duplicates
        Of identical files the one with the smallest path is kept (SPEC §1.4).
    """
    uid = table.column("SOPInstanceUID")
    first = first_rows(table)
    codes = uid.codes[first]
    shared = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=1) > 1)
    dropped: set[str] = set()
    conflicts: set[str] = set()
    problems: list[Problem] = []
    for code in shared.tolist():
        files = table.file[first[codes == code]]
        names = sorted(table.files.paths[i] for i in files)
        kept: dict[bytes, str] = {}
        for name in names:
            content = _content_digest(table.root, table.absolute(name))
            if content in kept:
                dropped.add(name)
                what = f"the same as {kept[content]}; left out"
                problems.append(Problem("DuplicateFile", what, name))
            else:
                kept[content] = name
        if len(kept) > 1:
            conflicts.update(kept.values())
            what = f"{uid.texts[code]} stands on different contents: {', '.join(kept.values())}"
            problems.append(Problem("DuplicateInstance", what, names[0]))
    return Duplicates(frozenset(dropped), frozenset(conflicts), tuple(problems))


def resolve(table: FrameTable, duplicates: Duplicates) -> FrameTable:
    """The table without what is there twice, conflicting files marked.

    Raises
    ------
    DuplicateInstanceError
        If two frames have one ``frame_id``, a hash of 53 bits, by chance.
    """
    table = replace(table, problems=table.problems + duplicates.problems)
    if duplicates.conflicts:
        table = _mark(table, _indices(table, duplicates.conflicts))
    if duplicates.dropped:
        kept = np.flatnonzero(~np.isin(table.file, _indices(table, duplicates.dropped)))
        table = replace(table.take(kept), problems=table.problems)
    ids = np.sort(table.frame_id)
    if (ids[1:] == ids[:-1]).any():
        raise DuplicateInstanceError(
            "two frames have the same frame_id, a hash of 53 bits: they cannot be told apart",
            file=table.root,
            remedy="Open them from folders of their own",
        )
    return table


def _indices(table: FrameTable, names: frozenset[str]) -> IntArray:
    found = [i for i, path in enumerate(table.files.paths) if path in names]
    return np.array(found, dtype=np.int64)


def _mark(table: FrameTable, files: IntArray) -> FrameTable:
    """Give the frames of conflicting files ids of their own and a column that says so."""
    marked = np.isin(table.file, files)
    ids = table.frame_id.copy()
    uids = table.column("SOPInstanceUID")
    for row in np.flatnonzero(marked):
        name = table.files.paths[table.file[row]]
        uid = uids.texts[uids.codes[row]]
        ids[row] = frame_id(f"{uid}@{name}", int(table.frame_number[row]), int(table.tile[row]))
    column = Column(np.where(marked, 0, -1).astype(np.int32), ("1",), vr_of(CONFLICT))
    return replace(table, frame_id=ids, columns={**table.columns, CONFLICT: column})


def _content_digest(root: str, path: str) -> bytes:
    """Digest of a file's transfer syntax and of its bytes after the file meta information."""
    with source_of(root).open(path) as file:
        meta = read_file_meta(window_of(file, path))
        digest = hashlib.blake2b(meta.transfer_syntax.encode(), digest_size=16)
        position = meta.start
        while block := file.read(_BLOCK, position):
            digest.update(block)
            position += len(block)
    return digest.digest()
