"""How the files of a listing differ from those in an index, and what leaves it therefore."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from xdicom.errors import IndexFileError, Problem
from xdicom.headers.index_file import among, damage, decoded, encoded, meta
from xdicom.headers.index_rows import remove
from xdicom.headers.index_series import LISTING, UNREAD, problems_of
from xdicom.sources.base import FileStat

FEW: Final = 100
"""Known files that are looked for in the folder where they were."""


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


def compare(
    connection: sqlite3.Connection, files: Sequence[FileStat], unreadable: Sequence[str] = ()
) -> Session:
    """Compare the files of a listing with those that are known."""
    found = connection.execute("SELECT path, size, mtime_ns FROM files").fetchall()
    paths = _all_decoded([f[0] for f in found])
    stats = list(zip(paths, (f[1] for f in found), (f[2] for f in found), strict=True))
    if stats == files:
        return Session(files)
    known, listed = set(stats), {f.path for f in files}
    new = [f for f in files if f not in known]
    hidden = tuple(f"{folder}{os.sep}" for folder in unreadable)
    gone = [path for path in paths if path not in listed and not path.startswith(hidden)]
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


def check_same(
    path: str,
    before: tuple[str, str],
    now: tuple[str, str],
    known: Sequence[str],
    session: Session,
) -> None:
    """Refuse to forget an archive for another one, or for a part of it.

    Parameters
    ----------
    path : str
        The index.
    before, now : (str, str)
        Folder and kind (``folder``, ``file`` or ``list``) of the index, and of the listing.
    known : sequence of str
        Some of the files that it knows.
    session : Session
        What the listing has of them.

    Raises
    ------
    IndexFileError
        With what the index is of and what was listed.
    """
    if not known:
        return
    (old, old_kind), (root, kind) = before, now
    what = ""
    if old != root and not (os.path.exists(old) and os.path.samefile(old, root)):
        still_there = any(os.path.exists(os.path.join(old, name)) for name in known)
        if session.elsewhere or still_there:
            what = "the index is of another folder"
    elif old_kind == "folder" != kind:
        what = "the index is of a whole folder, of which files were named now"
    elif not session.files:
        what = "the folder is empty, and the index knows files in it: is it mounted?"
    if what:
        raise IndexFileError(
            what,
            file=path,
            expected=old if old != root else old_kind,
            found=root if old != root else f"{kind} of {len(session.files or ())} files",
            remedy="Name another file for the index of this place, or delete this one",
        )
