"""How the files of a listing differ from those in an index, and what leaves it therefore."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xdicom.errors import IndexFileError, Problem
from xdicom.headers.index_file import among, damage, decoded, encoded, meta
from xdicom.headers.index_rows import remove
from xdicom.headers.index_series import LISTING, UNREAD, problems_of
from xdicom.sources.base import FileStat


@dataclass(frozen=True)
class Changes:
    """How a listing differs from what an index holds."""

    new: list[FileStat]
    """Files that are not known, or whose size or time is another."""
    gone: list[str]
    """Paths of files that are known and no longer there."""


@dataclass(frozen=True)
class Session:
    """What the begin of a scan finds, for its end."""

    files: Sequence[FileStat] | None = None
    """All that were listed; None without a listing."""
    changes: Changes = field(default_factory=lambda: Changes([], []))
    """What is to be read and to be forgotten."""
    outdated: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Size and time that were known of files that are gone, or have others now."""

    @property
    def elsewhere(self) -> bool:
        """Whether no file is known at its place."""
        return len(self.changes.new) == len(self.files or ())

    def differs(self, connection: sqlite3.Connection, problems: Sequence[Problem]) -> bool:
        """Whether there is anything to be done at the end.

        Parameters
        ----------
        connection : Connection
            That may read.
        problems : sequence of Problem
            Of the listing.
        """
        before = problems_of(connection, f"WHERE origin = {LISTING}")
        return (
            bool(self.outdated)
            or not meta(connection)["finished"]
            or set(before) != set(problems)
            or bool(self._past_problems(connection))
        )

    def forget(self, connection: sqlite3.Connection) -> None:
        """Remove files that are gone, and what is known of those that changed and cannot be read.

        Those that are no longer known as they were stay: they were added since, perhaps by others.
        """
        query = "SELECT path, size, mtime_ns FROM files WHERE path IN"
        found = {
            decoded(path): stat
            for path, *stat in among(connection, query, map(encoded, self.outdated))
        }
        same = [path for path, stat in found.items() if tuple(stat) == self.outdated[path]]
        remove(connection, same)
        query = f"DELETE FROM problems WHERE path = ? AND origin = {UNREAD}"
        connection.executemany(query, self._past_problems(connection))

    def _past_problems(self, connection: sqlite3.Connection) -> list[tuple[bytes]]:
        """Paths of files that could not be read and are gone."""
        if self.files is None:
            return []
        query = f"SELECT DISTINCT path FROM problems WHERE origin = {UNREAD}"
        found = connection.execute(query).fetchall()
        listed = {f.path for f in self.files} if found else ()
        return [row for row in found if decoded(row[0]) not in listed]


def compare(connection: sqlite3.Connection, files: Sequence[FileStat]) -> Session:
    """Compare the files of a listing with those that are known."""
    found = connection.execute("SELECT path, size, mtime_ns FROM files").fetchall()
    paths = _all_decoded([f[0] for f in found])
    stats = list(zip(paths, (f[1] for f in found), (f[2] for f in found), strict=True))
    if stats == files:
        return Session(files)
    known, listed = set(stats), {f.path for f in files}
    new = [f for f in files if f not in known]
    gone = [path for path in paths if path not in listed]
    away = {*gone, *(f.path for f in new)}
    outdated = {path: (size, mtime) for path, size, mtime in stats if path in away}
    return Session(files, Changes(new, gone), outdated)


def _all_decoded(paths: Sequence[bytes]) -> list[str]:
    """Many paths in one go."""
    try:
        found = decoded(b"\0".join(paths)).split("\0") if paths else []
    except TypeError as error:
        raise damage("a path is none") from error
    if len(found) != len(paths):
        raise damage("a path is none")
    return found


def without_own(files: Iterable[FileStat], path: str, root: str) -> list[FileStat]:
    """The files of a listing but for the index itself and its journal, if it lies in the folder."""
    name = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    own = (name, f"{name}-journal")
    return [f for f in files if f.path not in own]


def check_moved(path: str, before: str, root: str, name: str | None) -> None:
    """Refuse an index of a folder that still is where it was.

    Parameters
    ----------
    path : str
        The index.
    before, root : str
        The folder that it is of, and the one that was listed.
    name : str, optional
        A file of the former folder, where any of them is known in the other one too.

    Raises
    ------
    IndexFileError
        With both folders.
    """
    if not os.path.exists(before) or os.path.samefile(before, root):
        return
    if name is None or os.path.exists(os.path.join(before, name)):
        raise IndexFileError(
            "the index is of another folder",
            file=path,
            expected=before,
            found=root,
            remedy="Name another file for the index of this folder",
        )
