"""What an index lists of its series without loading their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from operator import itemgetter
from typing import Any

from xdicom.headers.entries import SeriesEntry, Summary
from xdicom.headers.index_file import among, as_blob, damage, decoded, from_blob
from xdicom.headers.index_series import described, parts_of
from xdicom.headers.index_twice import states, without
from xdicom.headers.joining import join
from xdicom.headers.table import FrameTable


def entries_in(connection: sqlite3.Connection) -> list[SeriesEntry]:
    """All series, in the order of their first files."""
    found = connection.execute(
        "SELECT id, key, instances, frames, first, identity FROM series"
    ).fetchall()
    tables = _not_described(connection, (f[0] for f in found if f[2] is None))
    parts: dict[int, list[int]] = {}
    for number, series in connection.execute("SELECT id, series FROM parts ORDER BY id"):
        parts.setdefault(series, []).append(number)
    identities = loaded(f[5] for f in found)
    entries: list[tuple[str, SeriesEntry]] = []
    for (series, key, instances, frames, first, _), identity in zip(found, identities, strict=True):
        if series in tables:
            entry, name = described(tables[series])[0], tables[series].files.paths[0]
        else:
            entry = SeriesEntry(from_blob(key), instances, frames, identity)
            name = decoded(first)
        entries.append((name, replace(entry, parts=tuple(parts.get(series, ())))))
    return [entry for _, entry in sorted(entries, key=itemgetter(0))]


def summaries_in(
    connection: sqlite3.Connection, keys: Iterable[str] | None = None
) -> dict[str, Summary]:
    """By key of the series: the distinct texts of each attribute."""
    query = "SELECT id, key, summary FROM series"
    if keys is None:
        found = connection.execute(query).fetchall()
    else:
        found = list(among(connection, f"{query} WHERE key IN", map(as_blob, keys)))
    tables = _not_described(connection, (f[0] for f in found if f[2] is None))
    summaries = loaded(f[2] for f in found)
    return {
        from_blob(key): described(tables[series])[1] if series in tables else summary
        for (series, key, _), summary in zip(found, summaries, strict=True)
    }


def _not_described(connection: sqlite3.Connection, series: Iterable[int]) -> dict[int, FrameTable]:
    """The rows of series of which nothing is said until a scan is finished."""
    dropped = states(connection).dropped
    return {number: without(join(parts_of(connection, number)), dropped) for number in series}


def loaded(texts: Iterable[str | None]) -> list[Any]:
    """Values of JSON, all in one go; None where there is no text."""
    try:
        return list(json.loads(f"[{','.join(text or 'null' for text in texts)}]"))
    except ValueError as error:
        raise damage("what it says of a series is no JSON") from error
