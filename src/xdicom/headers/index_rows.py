"""Rows of tables go into the tables of an index, leave them, and are joined in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from xdicom.headers.duplicates import first_rows
from xdicom.headers.entries import entries_of, series_keys, summaries_of
from xdicom.headers.index_file import among, as_blob, decoded, encoded
from xdicom.headers.index_series import (
    READING,
    TWICE,
    UNREAD,
    describe,
    described,
    insert_part,
    parts_of,
    replace_problems,
    undescribe,
)
from xdicom.headers.index_twice import NORMAL, resolved, states
from xdicom.headers.joining import join, split
from xdicom.headers.packing import pack, unpack
from xdicom.headers.table import FrameTable, IntArray, frame_id
from xdicom.sources.base import FileStat


def add_rows(
    connection: sqlite3.Connection, table: FrameTable, left_out: Sequence[FileStat]
) -> bool:
    """Add the rows of files, in place of those that the index holds of them.

    Parameters
    ----------
    connection : Connection
        That may write.
    table : FrameTable
        As read: duplicates are not resolved.
    left_out : sequence of FileStat
        Files that give no rows.

    Returns
    -------
    bool
        Whether there is anything that was not known.
    """
    files = table.files
    stats = zip(files.paths, files.sizes.tolist(), files.mtimes.tolist(), strict=True)
    read = [FileStat(*stat) for stat in stats]
    known = {
        decoded(path): (size, mtime, series is not None)
        for path, size, mtime, series in among(
            connection,
            "SELECT path, size, mtime_ns, series FROM files WHERE path IN",
            (encoded(stat.path) for stat in (*read, *left_out)),
        )
    }
    # what another process added meanwhile is not added twice
    fresh = [i for i, f in enumerate(read) if known.get(f.path) != (f.size, f.mtime_ns, True)]
    out = [f for f in left_out if known.get(f.path) != (f.size, f.mtime_ns, False)]
    if len(fresh) < len(read):
        table = table.take(np.flatnonzero(np.isin(table.file, fresh)))
    if not fresh and not out and not table.problems:
        return False
    paths = [*(read[i].path for i in fresh), *(f.path for f in out)]
    remove(connection, [path for path in paths if path in known])
    _forget_unread(connection, paths)
    series = _insert_rows(connection, join([table])) if len(table) else {}
    connection.executemany(
        "INSERT INTO files VALUES (?, ?, ?, NULL, NULL, 0)",
        [(encoded(f.path), f.size, f.mtime_ns) for f in out],
    )
    tried = {f.path for f in (*read, *left_out)}
    for origin in (READING, UNREAD):
        problems = [p for p in table.problems if (p.file in tried) == (origin == READING)]
        replace_problems(connection, problems, origin, series)
    return True


def _forget_unread(connection: sqlite3.Connection, paths: Collection[str]) -> None:
    """Forget that files could not be read, which now they were."""
    query = f"SELECT DISTINCT path FROM problems WHERE origin = {UNREAD}"
    unread = {path for (path,) in connection.execute(query)}
    if unread:
        read = [(path,) for path in unread.intersection(map(encoded, paths))]
        query = f"DELETE FROM problems WHERE path = ? AND origin = {UNREAD}"
        connection.executemany(query, read)


def _insert_rows(connection: sqlite3.Connection, table: FrameTable) -> dict[str, int]:
    """Insert the rows, a part for each series; the series of each file."""
    own, names = series_keys(table)
    first = first_rows(table)
    # a file is of one series, that of its first row, whatever its frames say
    of_file = np.zeros(len(table.files.paths), np.int64)
    of_file[table.file[first]] = own[first]
    used, codes = np.unique(of_file[table.file], return_inverse=True)
    codes = codes.ravel().astype(np.int64)
    keys = [as_blob(names[i]) for i in used]
    ids = ids_of(connection, keys)
    entries, summaries = entries_of(table, codes), summaries_of(table)
    parts = [table] if len(keys) == 1 else split(table, codes)
    for key, entry, part in zip(keys, entries, parts, strict=True):
        known = key in ids
        if known:
            undescribe(connection, ids[key])
        else:
            made = connection.execute("INSERT INTO series (key) VALUES (?)", (key,))
            ids[key] = made.lastrowid or 0
        insert_part(connection, ids[key], part)
        if not known:
            describe(connection, ids[key], part, (entry, summaries[entry.key]))
    series = dict(
        zip(
            (table.files.paths[i] for i in table.file[first]),
            (ids[keys[code]] for code in codes[first]),
            strict=True,
        )
    )
    instances = _instances(table, first)
    sizes, mtimes = table.files.sizes.tolist(), table.files.mtimes.tolist()
    connection.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, 0)",
        [
            (encoded(table.files.paths[i]), sizes[i], mtimes[i], number, instance)
            for i, number, instance in zip(
                table.file[first].tolist(), series.values(), instances, strict=True
            )
        ],
    )
    return series


def ids_of(connection: sqlite3.Connection, keys: Iterable[bytes]) -> dict[bytes, int]:
    """The numbers of those series that there are."""
    return dict(among(connection, "SELECT key, id FROM series WHERE key IN", keys))


def _instances(table: FrameTable, first: IntArray) -> list[int | None]:
    """The frame_id that frame 1 of each file's SOPInstanceUID has; None without one."""
    uid = table.column("SOPInstanceUID")
    found: list[int | None] = []
    for row, code in zip(first.tolist(), uid.codes[first].tolist(), strict=True):
        if code < 0:
            found.append(None)
        elif table.frame_number[row] == 1 and not table.tile[row]:
            found.append(int(table.frame_id[row]))
        else:  # an object without pixels, or a slice of a mosaic
            found.append(frame_id(uid.texts[code], 1))
    return found


def remove(connection: sqlite3.Connection, paths: Collection[str]) -> None:
    """Remove files with their rows, and what was wrong with them."""
    found = list(
        among(
            connection,
            "SELECT path, series, instance, state FROM files WHERE path IN",
            map(encoded, paths),
        )
    )
    gone = {decoded(path) for path, *_ in found}
    for series in sorted({series for _, series, _, _ in found if series is not None}):
        _remove_rows(connection, series, gone)
    names = [(path,) for path, *_ in found]
    connection.executemany("DELETE FROM files WHERE path = ?", names)
    query = f"DELETE FROM problems WHERE path = ? AND origin IN ({READING}, {TWICE})"
    connection.executemany(query, names)
    # the files that they were compared with are no longer what was found then
    compared = {instance for _, _, instance, state in found if state != NORMAL}
    query = "SELECT path, series FROM files WHERE state <> 0 AND instance IN"
    for path, series in list(among(connection, query, compared)):
        connection.execute("UPDATE files SET state = 0 WHERE path = ?", (path,))
        connection.execute(f"DELETE FROM problems WHERE path = ? AND origin = {TWICE}", (path,))
        connection.execute("UPDATE problems SET series = ? WHERE path = ?", (series, path))
        undescribe(connection, series)


def _remove_rows(connection: sqlite3.Connection, series: int, gone: Collection[str]) -> None:
    left = 0
    query = "SELECT id, rows FROM parts WHERE series = ?"
    for number, rows in connection.execute(query, (series,)).fetchall():
        table = unpack(rows, "", "")
        stays = np.array([path not in gone for path in table.files.paths], bool)
        if not stays.any():
            connection.execute("DELETE FROM parts WHERE id = ?", (number,))
            continue
        left += 1
        if not stays.all():
            rows = pack(table.take(np.flatnonzero(stays[table.file])))
            connection.execute("UPDATE parts SET rows = ? WHERE id = ?", (rows, number))
    undescribe(connection, series)
    if not left:
        of_series = "(SELECT key FROM series WHERE id = ?)"
        connection.execute(f"DELETE FROM grids WHERE key = {of_series}", (series,))
        connection.execute("DELETE FROM series WHERE id = ?", (series,))


def compact(connection: sqlite3.Connection) -> None:
    """Join the parts of each series into one, and say of each what is in it."""
    missing = connection.execute("SELECT id FROM series WHERE instances IS NULL").fetchall()
    known = states(connection)
    for (series,) in missing:
        parts = parts_of(connection, series)
        table = join(parts)
        if len(parts) > 1:
            connection.execute("DELETE FROM parts WHERE series = ?", (series,))
            insert_part(connection, series, table)
        table = resolved(table, known)
        describe(connection, series, table, described(table))
        connection.execute(
            "DELETE FROM grids WHERE digest <> ? AND key = (SELECT key FROM series WHERE id = ?)",
            (table.digest, series),
        )
