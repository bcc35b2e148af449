"""The index of an archive: what headers say, kept in one file, read again only where it changed."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

from xdicom.errors import IndexFileError, Problem
from xdicom.headers.duplicates import Duplicates, find_duplicates
from xdicom.headers.entries import SeriesEntry, Summary
from xdicom.headers.index_entries import entries_in, loaded, summaries_in
from xdicom.headers.index_file import (
    among,
    as_blob,
    check_file,
    create,
    decoded,
    encoded,
    faults,
    from_blob,
    meta,
    reading,
    writing,
)
from xdicom.headers.index_rows import add_rows, compact, ids_of
from xdicom.headers.index_series import LISTING, problems_of, replace_problems, whole
from xdicom.headers.index_session import (
    FEW,
    Changes,
    Session,
    check_same,
    compare,
    without_own,
)
from xdicom.headers.index_twice import Groups, resolved, rows_of, settle, states, unsettled
from xdicom.headers.packing import unpack
from xdicom.headers.table import FrameTable
from xdicom.sources.base import FileStat, PathLike

VERSION: Final = version("xdicom")
"""Of whoever infers the grids that an index keeps."""
PATIENCE: Final = 1.0
"""Seconds that others' turn is waited for to keep a grid, which can be found again."""


class Index:
    """An index file, opened for each operation and closed after it.

    What is read while a scan is not finished is as good as what was added until then: `table`
    resolves duplicates by itself, and only `entries` and `summaries` count those not found yet.

    Parameters
    ----------
    path : str
        Absolute path of the file; `Index.open` looks at it first.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.headers.scan import Scan, ScanOptions, listed
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(os.path.join(folder, "data"), {"z": 3}, modality="MR")
    ...     listing, errors = listed(os.path.join(folder, "data"), None)
    ...     index = Index.open(os.path.join(folder, "an.index"), write=True)
    ...     changes = index.begin(listing.root, listing.kind, listing.files)
    ...     for batch in Scan(listing, ScanOptions(), errors).batches(changes.new):
    ...         index.add(batch.builder.build(listing.root), batch.left_out)
    ...     index.finish(listing.problems)
    ...     again = Index.open(index.path)
    ...     [entry.frames for entry in again.entries()], len(again.table())
    ([3], 3)
    """

    def __init__(self, path: str) -> None:
        self.path = path
        """Absolute path of the file."""
        self._moved: tuple[str, str] | None = None
        self._session = Session()
        self._left_out: tuple[tuple[str, int], list[Problem]] = ("", 0), []

    @classmethod
    def open(cls, path: PathLike, *, write: bool = False) -> Index:
        """An index file, or a new one.

        Parameters
        ----------
        path : path
            The file.
        write : bool
            Make it if it is missing.

        Raises
        ------
        FileNotFoundError
            If it is missing, and not to be made.
        IndexFileError
            If it is a file of another kind or version, which is not touched, or cannot be made.
        """
        path = os.path.abspath(os.fspath(path))
        try:
            check_file(path)
            empty = not os.path.getsize(path)
        except FileNotFoundError:
            empty = True
            if not write:
                what = "there is no such index"
                raise FileNotFoundError(errno.ENOENT, what, path) from None
        if empty and write:
            create(path)
        return cls(path)

    def __repr__(self) -> str:
        return f"<Index {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,), {"_moved": self._moved}

    @property
    def root(self) -> str:
        """Absolute path of the folder that was scanned; ``""`` while the index is new."""
        with reading(self.path) as connection:
            return self._where(connection)[0]

    @property
    def kind(self) -> str:
        """``folder``, ``file`` or ``list``: how the files were named."""
        with reading(self.path) as connection:
            return self._where(connection)[1]

    def token(self) -> tuple[Any, ...]:
        """What changes when a file does: the index, and how often it changed."""
        with reading(self.path) as connection:
            said = meta(connection)
            return self.path, said["id"], said["changes"], *self._where(connection)

    def look_in(self, root: str) -> None:
        """Take the files for those under another folder, for this object and its copies."""
        self._moved = root, self.kind

    def _where(self, connection: sqlite3.Connection) -> tuple[str, str]:
        if self._moved is not None:
            return self._moved
        said = meta(connection)
        return decoded(said["root"]), said["kind"]

    # Bringing it up to date

    def begin(
        self,
        root: str,
        kind: str,
        listing_files: Iterable[FileStat],
        unreadable: Sequence[str] = (),
    ) -> Changes:
        """Compare the files of a listing with those that are known.

        Nothing is deleted yet: files that changed leave when they are added again, those that are
        gone leave in `finish`, so that a scan that ends at any moment leaves an index as good as
        before it.

        Parameters
        ----------
        root : str
            Absolute path of the folder that was listed. It may be another one than before if that
            is gone, or has lost its files and any of them is known in this one: the archive was
            moved, or mounted elsewhere.
        kind : str
            ``folder``, ``file`` or ``list``.
        listing_files : iterable of FileStat
            All files there are. The index itself does not count.
        unreadable : sequence of str
            Folders that could not be listed: what is known in them is not taken for gone.

        Raises
        ------
        IndexFileError
            If the index is of another folder, or of a folder where files were named now, or if
            nothing of what it knows is there.
        """
        files = without_own(listing_files, self.path, root)
        with reading(self.path) as connection:
            session = compare(connection, files, unreadable)
            before = self._where(connection)
            query = f"SELECT path FROM files LIMIT {FEW}"
            known = [decoded(path) for (path,) in connection.execute(query)]
        check_same(self.path, before, (root, kind), known, session)
        if before != (root, kind):
            self._move(root, kind, new=not before[0])
        self._session = session
        return session.changes

    def _move(self, root: str, kind: str, *, new: bool) -> None:
        try:
            with writing(self.path) as connection:
                values = {"root": encoded(root), "kind": kind}
                query = "UPDATE meta SET value = ? WHERE name = ?"
                connection.executemany(query, [(value, name) for name, value in values.items()])
                _note_change(connection)
        except IndexFileError:
            if new:
                raise
            self._moved = root, kind  # a read-only index of an archive that moved serves as well
        else:
            self._moved = None

    def add(self, table: FrameTable, left_out: Sequence[FileStat]) -> None:
        """Keep what was just read, in place of what is known of the same files.

        Parameters
        ----------
        table : FrameTable
            Rows and problems, as read: duplicates are not resolved. Files that another process
            added meanwhile, as large and as old as these, are not added twice.
        left_out : sequence of FileStat
            Files that were read and give no rows, since they are no DICOM or something is wrong.

        Raises
        ------
        IndexFileError
            If it cannot be written; then the index is as it was.
        """
        with writing(self.path) as connection:
            if add_rows(connection, table, left_out):
                _note_change(connection, finished=False)

    def finish(self, problems_of_listing: Sequence[Problem]) -> None:
        """Forget files that are gone, join what was added in parts, compare duplicates.

        Where nothing changed nothing is written.

        Parameters
        ----------
        problems_of_listing : sequence of Problem
            In place of those of the listing before.

        Raises
        ------
        IndexFileError
            If it cannot be written.
        OSError
            If files that share a SOPInstanceUID cannot be read to be compared.
        """
        with reading(self.path) as connection:
            if not self._session.differs(connection, problems_of_listing):
                return
        compared: Groups = {}
        duplicates = Duplicates()
        while True:
            with writing(self.path) as connection:
                self._session.forget(connection)
                connection.execute(f"DELETE FROM problems WHERE origin = {LISTING}")
                replace_problems(connection, problems_of_listing, LISTING, {})
                groups = unsettled(connection)
                compared = settle(connection, groups, compared, duplicates)
                if not compared:
                    compact(connection)
                _note_change(connection, finished=not compared)
                table = rows_of(connection, compared, *self._where(connection))
            if not compared:
                self._session = Session()
                return
            # contents are read while no lock is held: that may take long
            duplicates = find_duplicates(table)

    # What there is

    def entries(self) -> list[SeriesEntry]:
        """All series, in the order of their first files, without loading their rows."""
        with reading(self.path) as connection:
            return entries_in(connection)

    def summaries(self, keys: Iterable[str] | None = None) -> dict[str, Summary]:
        """By key of the series: the distinct texts of each attribute, as `entries.summaries_of`."""
        with reading(self.path) as connection:
            return summaries_in(connection, keys)

    def table(self, keys: Iterable[str] | None = None) -> FrameTable:
        """The rows of some series, or of all, as a scan of their files gives them.

        Parameters
        ----------
        keys : iterable of str, optional
            Of the series; all by default.

        Returns
        -------
        FrameTable
            Duplicates resolved; with the problems of its files and of those left out.

        Raises
        ------
        KeyError
            If there is no such series.
        OSError
            If the scan was not finished, and files that share a SOPInstanceUID cannot be read.
        """
        with reading(self.path) as connection:
            root, kind = self._where(connection)
            if keys is None:
                ids = None
                parts = connection.execute("SELECT rows FROM parts ORDER BY id").fetchall()
                problems = problems_of(connection)
            else:
                ids = self._ids(connection, keys)
                query = "SELECT rows FROM parts WHERE series IN"
                parts = list(among(connection, query, ids))
                problems = list(self._of_no_series(connection))
                for number in ids:
                    problems += problems_of(connection, "WHERE series = ?", (number,))
            known = states(connection, ids)
            twice: Groups = {}
            if not meta(connection)["finished"]:
                twice = unsettled(connection)
            shared = rows_of(connection, twice, root, kind)
        with faults(self.path):
            table = whole([unpack(data, root, kind) for (data,) in parts], root, kind)
        if len(shared):
            found = find_duplicates(shared)
            of_others = set(shared.files.paths).difference(table.files.paths, found.dropped)
            problems += [p for p in found.problems if p.file not in of_others]
            known = Duplicates(known.dropped | found.dropped, known.conflicts | found.conflicts)
        return resolved(replace(table, problems=tuple(problems)), known)

    def _of_no_series(self, connection: sqlite3.Connection) -> list[Problem]:
        """Problems of files that give no rows, of which there may be many: read once."""
        said = meta(connection)
        now = said["id"], said["changes"]
        if self._left_out[0] != now:
            self._left_out = now, problems_of(connection, "WHERE series IS NULL")
        return self._left_out[1]

    @staticmethod
    def _ids(connection: sqlite3.Connection, keys: Iterable[str]) -> list[int]:
        wanted = {as_blob(key): key for key in keys}
        ids = ids_of(connection, wanted)
        for blob, key in wanted.items():
            if blob not in ids:
                raise KeyError(key)
        return list(ids.values())

    def problems(self) -> list[Problem]:
        """What was wrong with the files."""
        with reading(self.path) as connection:
            return problems_of(connection)

    def problem_counts(self) -> dict[str, int]:
        """How many problems there are with the files of a series, by its key."""
        with reading(self.path) as connection:
            found = connection.execute(
                "SELECT key, count(*) FROM problems JOIN series ON series = id GROUP BY id"
            ).fetchall()
        return {from_blob(key): count for key, count in found}

    # What was inferred

    def grid(self, key: str, digest: str) -> bytes | None:
        """What was kept for a series, if its rows and this version of xdicom are still the same.

        Parameters
        ----------
        key : str
            Of the series.
        digest : str
            Of its table.
        """
        with reading(self.path) as connection:
            found = connection.execute(
                "SELECT data FROM grids WHERE key = ? AND digest = ? AND version = ?",
                (as_blob(key), digest, VERSION),
            ).fetchone()
        return None if found is None else found[0]

    def keep_grid(self, key: str, digest: str, data: bytes, shape: Any = None) -> None:
        """Keep what was inferred for a series; nothing happens if the index cannot be written.

        Parameters
        ----------
        key, digest : str
            As for `grid`.
        data : bytes
            What `grid` gives back.
        shape : object, optional
            Any JSON, which `shapes` gives back.
        """
        values = (as_blob(key), digest, VERSION, json.dumps(shape), data)
        with (
            suppress(IndexFileError, FileNotFoundError),
            writing(self.path, PATIENCE) as connection,
        ):
            connection.execute("INSERT OR REPLACE INTO grids VALUES (?, ?, ?, ?, ?)", values)

    def shapes(self) -> dict[str, Any]:
        """What was kept beside the grids that are still right, by key of the series."""
        query = "SELECT key, shape FROM grids JOIN series USING (key, digest) WHERE version = ?"
        with reading(self.path) as connection:
            found = connection.execute(query, (VERSION,)).fetchall()
            shapes = loaded(text for _, text in found)
        return {from_blob(key): shape for (key, _), shape in zip(found, shapes, strict=True)}


def _note_change(connection: sqlite3.Connection, *, finished: bool | None = None) -> None:
    connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'changes'")
    if finished is not None:
        query = "UPDATE meta SET value = ? WHERE name = 'finished'"
        connection.execute(query, (int(finished),))
