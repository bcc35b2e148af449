"""A FrameTable becomes a parquet file for other programs to read, and is made from one again."""

from __future__ import annotations

import json
import os
from typing import Any, Final

import numpy as np

from xdicom.errors import IndexFileError, Problem
from xdicom.headers.elements import vr_of
from xdicom.headers.head import DimensionIndex
from xdicom.headers.table import MISSING, Column, Files, FrameTable
from xdicom.sources.base import PathLike, absolute

VERSION: Final = 1
_KEY: Final = b"xdicom"
_OF_FILES: Final = ("path", "size", "mtime_ns")
_OF_ROWS: Final = ("frame_number", "frame_id", "pixel_offset", "pixel_length")


def write_parquet(table: FrameTable, path: PathLike) -> None:
    """Write a table: a row a frame, attributes as text under their keywords, as the files have it.

    Beside the attributes stand ``path`` (relative to the root), ``size`` and ``mtime_ns`` of the
    file, ``frame_number``, ``frame_id``, ``pixel_offset`` and ``pixel_length``. PatientID, dates
    and descriptions are among the attributes.

    Parameters
    ----------
    table : FrameTable
        The rows.
    path : path
        The file, replaced if there is one.

    Raises
    ------
    ImportError
        If pyarrow is not installed (the extra ``pyarrow``).
    """
    pa, parquet = _pyarrow()
    files = table.files
    arrays: dict[str, Any] = {
        "path": pa.DictionaryArray.from_arrays(
            pa.array(table.file.astype(np.int32)), _paths(files.paths, pa)
        ),
        "size": files.sizes[table.file],
        "mtime_ns": files.mtimes[table.file],
        **{name: getattr(table, name) for name in _OF_ROWS},
    }
    for keyword, column in table.columns.items():
        codes = pa.array(column.codes, mask=column.codes < 0)
        texts = pa.array(list(column.texts), pa.string())
        arrays[keyword] = pa.DictionaryArray.from_arrays(codes, texts)
    facts = {
        "version": VERSION,
        "root": table.root,
        "kind": table.kind,
        "problems": [vars(problem) for problem in table.problems],
        "dimensions": [
            [files.paths[file], [vars(index) for index in found]]
            for file, found in table.dimensions.items()
        ],
    }
    made = pa.table(arrays).replace_schema_metadata({_KEY: json.dumps(facts)})
    unfinished = f"{os.fspath(path)}.part"
    parquet.write_table(made, unfinished, compression="zstd")
    os.replace(unfinished, path)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "parquet files need pyarrow, which is not installed; "
            "pip install 'xdicom[pyarrow]' brings it"
        ) from error
    return pyarrow, parquet


def _paths(paths: tuple[str, ...], pa: Any) -> Any:
    """Paths as text; as bytes where one is no text, as a name on the disk may be."""
    try:
        return pa.array(list(paths), pa.string())
    except UnicodeEncodeError:
        return pa.array([path.encode("utf-8", "surrogateescape") for path in paths], pa.binary())


def read_parquet(path: PathLike, root: PathLike | None = None) -> FrameTable:
    """Make the table again that `write_parquet` wrote.

    Parameters
    ----------
    path : path
        The file.
    root : path, optional
        Folder of the DICOM files, if it is not where it was.

    Raises
    ------
    IndexFileError
        If the file is not one of ours, or of another version.
    ImportError
        If pyarrow is not installed (the extra ``pyarrow``).
    """
    pa, parquet = _pyarrow()
    name = os.fspath(path)
    try:
        found = parquet.read_table(name)
        facts = json.loads((found.schema.metadata or {}).get(_KEY, b"null"))
    except (pa.ArrowInvalid, ValueError) as error:
        raise IndexFileError("this is no parquet file", file=name) from error
    if not isinstance(facts, dict) or facts.get("version") != VERSION:
        raise IndexFileError(
            "this parquet file was not written by Catalog.to_parquet, or by another version of it",
            file=name,
            expected=f"xdicom version {VERSION} in its metadata",
            found="none" if facts is None else str(facts)[:60],
        )
    try:
        return _table_of(found, facts, root)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise IndexFileError(f"the parquet file is damaged: {error}", file=name) from error


def _table_of(found: Any, facts: dict[str, Any], root: PathLike | None) -> FrameTable:
    file, paths = _coded(found.column("path"))
    names = tuple(p if isinstance(p, str) else p.decode("utf-8", "surrogateescape") for p in paths)
    _, first = np.unique(file, return_index=True)
    rows = {key: found.column(key).to_numpy().astype(np.int64) for key in _OF_ROWS}
    sizes, mtimes = (found.column(key).to_numpy()[first].astype(np.int64) for key in _OF_FILES[1:])
    columns = {}
    for keyword in found.column_names:
        if keyword not in (*_OF_FILES, *_OF_ROWS):
            codes, texts = _coded(found.column(keyword))
            columns[keyword] = Column(codes.astype(np.int32), tuple(texts), vr_of(keyword))
    place = {p: i for i, p in enumerate(names)}
    return FrameTable(
        root=facts["root"] if root is None else absolute(root),
        files=Files(names, sizes, mtimes),
        file=file,
        columns=columns,
        dimensions={
            place[p]: tuple(DimensionIndex(**index) for index in indices)
            for p, indices in facts["dimensions"]
        },
        problems=tuple(Problem(**problem) for problem in facts["problems"]),
        kind=facts["kind"],
        **rows,
    )


def _coded(column: Any) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[Any]]:
    """Codes of a column's values, −1 where missing, and the values as they first come."""
    array = column.combine_chunks()
    if not hasattr(array, "dictionary"):
        array = array.dictionary_encode()
    codes = array.indices.fill_null(MISSING).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = array.dictionary.to_pylist()
    used, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    missing = int(used.size > 0 and used[0] < 0)
    order = np.argsort(first[missing:])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ranks = np.append(np.full(missing, MISSING), rank)
    return ranks[inverse.ravel()], [texts[i] for i in used[missing:][order]]
