"""Files of an index that share a SOPInstanceUID: which were compared, and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from xdicom.headers.duplicates import Duplicates, resolve
from xdicom.headers.index_file import among, decoded, encoded
from xdicom.headers.index_series import TWICE, replace_problems, undescribe, whole
from xdicom.headers.packing import unpack
from xdicom.headers.table import FrameTable

NORMAL: Final = 0
"""State of a file whose SOPInstanceUID no other file has, or that was not compared with those."""
KEPT: Final = 1
"""Of one that was compared and stays."""
DROPPED: Final = 2
"""Of one that is the same as another one."""
CONFLICT: Final = 3
"""Of one whose SOPInstanceUID stands on other contents too."""


class Member(NamedTuple):
    """A file of several that share a SOPInstanceUID."""

    path: str
    size: int
    mtime_ns: int
    series: int


Groups: TypeAlias = dict[int, list[Member]]
"""Files that share a SOPInstanceUID, by the hash of that."""


def states(connection: sqlite3.Connection, series: Iterable[int] | None = None) -> Duplicates:
    """Which files, of some series or of all, are dropped, and which contradict each other."""
    paths: dict[int, list[str]] = {DROPPED: [], CONFLICT: []}
    query = f"SELECT path, state FROM files WHERE state <> 0 AND state > {KEPT}"
    found: Iterable[tuple[bytes, int]] = connection.execute(query) if series is None else (
        among(connection, f"{query} AND series IN", series)
    )  # fmt: skip
    for path, state in found:
        paths[state].append(decoded(path))
    return Duplicates(frozenset(paths[DROPPED]), frozenset(paths[CONFLICT]))


def resolved(table: FrameTable, duplicates: Duplicates) -> FrameTable:
    """The rows without those of files that are dropped; conflicts among them marked."""
    own = duplicates.conflicts.intersection(table.files.paths) if duplicates.conflicts else ()
    return resolve(table, Duplicates(duplicates.dropped, frozenset(own)))


def without(table: FrameTable, dropped: frozenset[str]) -> FrameTable:
    """The rows without those of files that are dropped."""
    gone = np.array([path in dropped for path in table.files.paths], bool)
    return table.take(np.flatnonzero(~gone[table.file])) if gone.any() else table


def unsettled(connection: sqlite3.Connection) -> Groups:
    """Files that share a SOPInstanceUID, not all of which were compared."""
    found: Groups = {}
    for instance, *member in connection.execute(
        "SELECT instance, path, size, mtime_ns, series FROM files WHERE instance IN "
        "(SELECT instance FROM files WHERE instance IS NOT NULL "
        "GROUP BY instance HAVING count(*) > 1 AND min(state) = 0) ORDER BY path"
    ):
        path, *rest = member
        found.setdefault(instance, []).append(Member(decoded(path), *rest))
    return found


def rows_of(connection: sqlite3.Connection, groups: Groups, root: str, kind: str) -> FrameTable:
    """The rows of the files in groups."""
    members = [member for group in groups.values() for member in group]
    paths = {member.path for member in members}
    tables = []
    query = "SELECT rows FROM parts WHERE series IN"
    for (rows,) in among(connection, query, sorted({member.series for member in members})):
        table = unpack(rows, root, kind)
        wanted = np.array([path in paths for path in table.files.paths], bool)[table.file]
        if wanted.any():
            tables.append(table.take(np.flatnonzero(wanted)))
    return whole(tables, root, kind)


def settle(
    connection: sqlite3.Connection, groups: Groups, compared: Groups, duplicates: Duplicates
) -> Groups:
    """Keep what was found of groups of files.

    Parameters
    ----------
    connection : Connection
        That may write.
    groups : dict
        The groups as they are now.
    compared : dict
        Those that were compared.
    duplicates : Duplicates
        What was found.

    Returns
    -------
    dict
        The groups that are still to be compared.
    """
    settled = {k: group for k, group in groups.items() if compared.get(k) == group}
    series: dict[str, int | None] = {}
    for member in (member for group in settled.values() for member in group):
        state = KEPT
        if member.path in duplicates.dropped:
            state = DROPPED
        elif member.path in duplicates.conflicts:
            state = CONFLICT
        path = encoded(member.path)
        connection.execute("UPDATE files SET state = ? WHERE path = ?", (state, path))
        series[member.path] = None if state == DROPPED else member.series
        if state == DROPPED:
            connection.execute("UPDATE problems SET series = NULL WHERE path = ?", (path,))
        if state != KEPT:
            undescribe(connection, member.series)
    problems = [problem for problem in duplicates.problems if problem.file in series]
    replace_problems(connection, problems, TWICE, series)
    return {k: group for k, group in groups.items() if k not in settled}
