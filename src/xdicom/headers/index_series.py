"""What an index says of a series, the parts that its rows lie in, and problems of files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from xdicom.errors import Problem
from xdicom.headers.building import TableBuilder
from xdicom.headers.entries import SeriesEntry, Summary, entries_of, summaries_of
from xdicom.headers.index_file import as_blob, decoded, encoded, from_blob
from xdicom.headers.joining import join
from xdicom.headers.packing import pack, unpack
from xdicom.headers.table import FrameTable

LISTING: Final = 0
"""Origin of problems that were found when the files were listed."""
READING: Final = 1
"""When they were read."""
UNREAD: Final = 2
"""When they could not be read: it is tried again each time."""
TWICE: Final = 3
"""When those were compared that share a SOPInstanceUID."""

Description: TypeAlias = tuple[SeriesEntry, Summary]
"""What is said of a series."""


def whole(tables: Sequence[FrameTable], root: str, kind: str) -> FrameTable:
    """The tables as one; one without rows if there is none."""
    return join(tables) if tables else TableBuilder().build(root, kind)


def insert_part(connection: sqlite3.Connection, series: int, table: FrameTable) -> None:
    """Insert rows of a series."""
    connection.execute("INSERT INTO parts (series, rows) VALUES (?, ?)", (series, pack(table)))


def undescribe(connection: sqlite3.Connection, series: int) -> None:
    """Say no more of a series, whose rows changed."""
    connection.execute(
        "UPDATE series SET instances = NULL, frames = NULL, first = NULL, identity = NULL, "
        "digest = NULL, summary = NULL WHERE id = ?",
        (series,),
    )


def describe(
    connection: sqlite3.Connection, series: int, table: FrameTable, said: Description
) -> None:
    """Say of a series what its rows are."""
    entry, summary = said
    connection.execute(
        "UPDATE series SET instances = ?, frames = ?, first = ?, identity = ?, digest = ?, "
        "summary = ? WHERE id = ?",
        (
            *(entry.instances, entry.frames, encoded(table.files.paths[0])),
            *(_json(dict(entry.identity)), table.digest, _json(summary), series),
        ),
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def described(table: FrameTable) -> Description:
    """What can be said of the one series whose rows a table has."""
    (entry,) = entries_of(table, np.zeros(len(table), np.int64))
    return entry, summaries_of(table)[entry.key]


def parts_of(connection: sqlite3.Connection, series: int) -> list[FrameTable]:
    """The rows of one series, without root."""
    query = "SELECT rows FROM parts WHERE series = ? ORDER BY id"
    return [unpack(data, "", "") for (data,) in connection.execute(query, (series,))]


def replace_problems(
    connection: sqlite3.Connection,
    problems: Iterable[Problem],
    origin: int,
    series: Mapping[str, int | None],
) -> None:
    """Insert problems, in place of those of the same origin with the same files."""
    rows = [
        (series.get(p.file), encoded(p.file), p.kind, as_blob(p.message), p.frame, p.excluded)
        for p in problems
    ]
    paths = {(row[1],) for row in rows}
    connection.executemany(f"DELETE FROM problems WHERE path = ? AND origin = {origin}", paths)
    connection.executemany(f"INSERT INTO problems VALUES (?, ?, {origin}, ?, ?, ?, ?)", rows)


def problems_of(
    connection: sqlite3.Connection, where: str = "", values: Sequence[Any] = ()
) -> list[Problem]:
    """Problems in the order in which a scan finds them."""
    return [
        Problem(kind, from_blob(message), decoded(path), frame, bool(excluded))
        for kind, message, path, frame, excluded in connection.execute(
            f"SELECT kind, message, path, frame, excluded FROM problems {where} "
            "ORDER BY origin, rowid",
            values,
        )
    ]
