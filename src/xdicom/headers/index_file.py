"""The SQLite file of an index: checked before it is opened, and open no longer than it is used."""

from __future__ import annotations

import os
import sqlite3
import stat
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

from xdicom.errors import IndexFileError

APPLICATION_ID: Final = int.from_bytes(b"xDcm", "big")
"""By which an SQLite file says whose it is."""
SCHEMA_VERSION: Final = 2
"""Of the tables and of what they hold; an index of another version is not opened."""
TIMEOUT: Final = 30.0
"""Seconds that another process's turn is waited for."""

_SCHEMA: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    # series: NULL for files that were read and give no rows; instance: the frame_id that frame 1
    # of its SOPInstanceUID has, NULL without one; state: as in `index_rows`
    """CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, series INTEGER,
        instance INTEGER, state INTEGER) WITHOUT ROWID""",
    "CREATE INDEX files_twice ON files (series, state) WHERE state <> 0",
    # what follows its key is NULL while it must be found anew from the rows
    """CREATE TABLE series (id INTEGER PRIMARY KEY, key BLOB UNIQUE, instances INTEGER,
        frames INTEGER, first BLOB, identity TEXT, digest TEXT, summary TEXT)""",
    # rows of one series that were added together; one a series once a scan is finished
    "CREATE TABLE parts (id INTEGER PRIMARY KEY, series INTEGER, rows BLOB)",
    "CREATE INDEX parts_series ON parts (series)",
    # series: NULL for problems of files that give no rows; origin: as in `index_rows`
    """CREATE TABLE problems (series INTEGER, path BLOB, origin INTEGER, kind TEXT, message BLOB,
        frame INTEGER, excluded INTEGER)""",
    "CREATE INDEX problems_path ON problems (path)",
    "CREATE INDEX problems_series ON problems (series)",
    "CREATE INDEX problems_origin ON problems (origin)",
    """CREATE TABLE grids (key BLOB PRIMARY KEY, digest TEXT, version TEXT, shape TEXT,
        data BLOB)""",
)
_SETTINGS: Final = (
    "PRAGMA page_size = 8192",
    # A rollback journal, no write-ahead log: that needs memory shared by all processes, which
    # network drives have not, and files beside the index to be only read, which a read-only
    # folder refuses.
    "PRAGMA journal_mode = DELETE",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA temp_store = MEMORY",
)
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
"""Bytes that every SQLite file begins with, unless it is empty."""
_DELETE: Final = "Delete the index: a scan makes it again"
_ANOTHER: Final = "Name another file for the index"
_FAULTS: Final[Mapping[int, tuple[str, str]]] = {
    sqlite3.SQLITE_BUSY: ("another process uses the index", "Try again when it is done"),
    sqlite3.SQLITE_FULL: ("the disk is full", "Make room, or name a file on another disk"),
    sqlite3.SQLITE_READONLY: ("the index cannot be written", _ANOTHER),
    sqlite3.SQLITE_CANTOPEN: ("the index cannot be opened", _ANOTHER),
    sqlite3.SQLITE_PERM: ("the index cannot be opened", _ANOTHER),
    sqlite3.SQLITE_IOERR: ("the index cannot be read or written", _ANOTHER),
}
"""By SQLite's primary result code: what is wrong, and the remedy; anything else is damage."""

_MOST: Final = 500
"""Values of one query; SQLite may allow no more than 999."""

_OPEN: Final[Counter[tuple[int, int]]] = Counter()
"""Connections of this process to each file, by device and inode."""
_LOCK: Final = Lock()


def encoded(path: str) -> bytes:
    """A path as the index holds it."""
    return path.encode("utf-8", "surrogateescape")


def decoded(path: bytes) -> str:
    """The path that was encoded."""
    _check_bytes(path)
    return path.decode("utf-8", "surrogateescape")


def as_blob(text: str) -> bytes:
    """A text that may be no UTF-8, as the index holds it."""
    return text.encode("utf-8", "surrogatepass")


def from_blob(data: bytes) -> str:
    """The text."""
    _check_bytes(data)
    return data.decode("utf-8", "surrogatepass")


def _check_bytes(value: object) -> None:
    if not isinstance(value, bytes):
        raise damage("there is no text where one should be")


def damage(why: str, path: str | None = None) -> IndexFileError:
    """An error for an index that is not as it was written."""
    return IndexFileError(f"the index is damaged: {why}", file=path, remedy=_DELETE)


def check_file(path: str) -> None:
    """Make sure that a file is an index of this version, or empty; it is only read.

    Raises
    ------
    FileNotFoundError
        If there is none.
    IndexFileError
        If it is anything else.
    """
    with _LOCK:
        _checked(path)


def _checked(path: str) -> tuple[int, int]:
    """Device and inode of a file that is an index, or empty."""
    try:
        found = os.stat(path)
        key = found.st_dev, found.st_ino
        # To close a file ends all locks that the process has on it (POSIX), those of another
        # thread's connection too: so it is only looked at while there is none.
        if _OPEN[key]:
            return key
        if not stat.S_ISREG(found.st_mode):
            raise IndexFileError("the index is no regular file", file=path, remedy=_ANOTHER)
        with open(path, "rb") as file:
            head = file.read(_HEADER)
            # while the journal is there the header may be of another time than the rest
            size = None if os.path.exists(f"{path}-journal") else os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise
    except OSError as error:
        what = f"the index cannot be read: {error.strerror or error}"
        raise IndexFileError(what, file=path, remedy=_ANOTHER) from error
    if head:
        _check_header(path, head, size)
    return key


def _check_header(path: str, head: bytes, size: int | None) -> None:
    found = head[: len(_MAGIC)]
    if found != _MAGIC[: len(found)]:
        raise IndexFileError(
            "the file is no index of xdicom, and no SQLite file at all",
            file=path,
            expected=_MAGIC,
            found=found,
            remedy=_ANOTHER,
        )
    if len(head) < _HEADER:
        raise damage("its header is cut off", path)
    _check_owner(path, int.from_bytes(head[68:72], "big"), int.from_bytes(head[60:64], "big"))
    page, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    if size is not None and size < page * pages:
        raise IndexFileError(
            "the index is damaged: it is cut off",
            file=path,
            expected=f"{page * pages} bytes",
            found=size,
            remedy=_DELETE,
        )


def _check_owner(path: str, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise IndexFileError(
            "the file is an SQLite file of another program, no index of xdicom",
            file=path,
            expected=f"application_id {APPLICATION_ID}",
            found=application,
            remedy=_ANOTHER,
        )
    if version != SCHEMA_VERSION:
        raise IndexFileError(
            "the index was written by another version of xdicom",
            file=path,
            expected=f"schema version {SCHEMA_VERSION}",
            found=version,
            remedy=f"{_DELETE}. Or name another file",
        )


def create(path: str) -> None:
    """Make an index where there is none, or an empty file.

    Raises
    ------
    IndexFileError
        If it cannot be written.
    """
    try:
        with _LOCK:  # nobody in this process has a file open that does not exist
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except FileExistsError:
        pass
    except OSError as error:
        what = f"the index cannot be written: {error.strerror or error}"
        raise IndexFileError(what, file=path, remedy=_ANOTHER) from error
    with writing(path):
        pass


@contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection]:
    """A connection that sees the index as it is now, and leaves it as it is.

    Raises
    ------
    FileNotFoundError
        If there is none.
    IndexFileError
        If it is none of ours, damaged, or used by another process for too long.
    """
    with faults(path), ExitStack() as stack:
        connection = stack.enter_context(_connected(path, "ro", TIMEOUT))
        try:
            filled = _begin(connection, "BEGIN", path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            # who wrote last was killed: only a connection that may write can take it back
            stack.close()
            with _connected(path, "rw", TIMEOUT) as writer:
                _begin(writer, "BEGIN", path)
            connection = stack.enter_context(_connected(path, "ro", TIMEOUT))
            filled = _begin(connection, "BEGIN", path)
        if not filled:
            connection = stack.enter_context(closing(sqlite3.connect(":memory:")))
            _make(connection)
        yield connection


@contextmanager
def writing(path: str, timeout: float | None = None) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are kept together, or, after an exception, not at all.

    Parameters
    ----------
    path : str
        The index; an empty file becomes one.
    timeout : float, optional
        Seconds that others' turn is waited for.

    Raises
    ------
    FileNotFoundError, IndexFileError
        As `reading`; also if it cannot be written.
    """
    timeout = TIMEOUT if timeout is None else timeout
    with faults(path), _connected(path, "rw", timeout) as connection:
        for setting in _SETTINGS:
            connection.execute(setting)
        if not _begin(connection, "BEGIN IMMEDIATE", path):
            _make(connection)
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _begin(connection: sqlite3.Connection, how: str, path: str) -> bool:
    """Begin a transaction; whether there is anything in the file, which then is checked."""
    connection.execute(how)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    owner = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    if not tables and owner == [0, 0]:
        return False
    _check_owner(path, *owner)
    return True


def _make(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for statement in _SCHEMA:
        connection.execute(statement)
    new = {"root": b"", "kind": "", "id": uuid.uuid4().hex, "changes": 0, "finished": 1}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", new.items())


@contextmanager
def _connected(path: str, mode: str, timeout: float) -> Iterator[sqlite3.Connection]:
    with _LOCK:
        key = _checked(path)
        _OPEN[key] += 1
    try:
        uri = f"{Path(path).as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, timeout, uri=True, isolation_level=None)
        with closing(connection):
            yield connection
    finally:
        with _LOCK:
            _OPEN[key] -= 1
            if not _OPEN[key]:
                del _OPEN[key]


@contextmanager
def faults(path: str) -> Iterator[None]:
    """What goes wrong with an index, as `IndexFileError` with its path and what helps."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        what, remedy = _FAULTS.get(code, ("the index is damaged", _DELETE))
        raise IndexFileError(f"{what} ({error})", file=path, remedy=remedy) from error
    except IndexFileError as error:
        if error.file is not None:
            raise
        raise IndexFileError(
            error.what, file=path, expected=error.expected, found=error.found, remedy=_DELETE
        ) from error


def meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the index says of itself.

    Raises
    ------
    IndexFileError
        If it does not.
    """
    found = dict(connection.execute("SELECT name, value FROM meta"))
    kinds = {"root": bytes, "kind": str, "id": str, "changes": int, "finished": int}
    if any(not isinstance(found.get(name), kind) for name, kind in kinds.items()):
        raise damage("it does not say what it is of")
    return found


def among(
    connection: sqlite3.Connection, query: str, values: Iterable[Any]
) -> Iterator[tuple[Any, ...]]:
    """Rows of a query that ends in ``IN``, for any number of values."""
    wanted = list(values)
    for start in range(0, len(wanted), _MOST):
        some = wanted[start : start + _MOST]
        yield from connection.execute(f"{query} ({','.join('?' * len(some))})", some)
