"""A FrameTable becomes bytes for an index, and those bytes the same table again."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from xdicom.errors import IndexFileError
from xdicom.headers.arrays import ArrayReader, ArrayWriter, How
from xdicom.headers.blobs import DamagedBlobError, pack_blob, unpack_blob
from xdicom.headers.head import DimensionIndex
from xdicom.headers.table import MISSING, Column, Files, FrameTable, IntArray

_OF_FILES: Final = ("sizes", "mtimes")
"""Fields of `Files` that are whole numbers."""
_OF_ROWS: Final = ("file", "frame_number", "pixel_offset", "pixel_length")
"""Fields of `FrameTable` that are whole numbers, but for the frame ids."""
_STEPPED: Final = 512
"""Bytes for each row that arrays computed by steps may have together."""
_SLACK: Final = 2**20
"""Bytes that they may have beyond, however few rows there are."""
_INT64: Final = np.dtype(np.int64)
_CODES: Final = np.dtype(np.int32)
_IDS: Final = np.dtype("<i8")

_Dimensions = Mapping[int, tuple[DimensionIndex, ...]]


def pack(table: FrameTable) -> bytes:
    """A table as bytes; its root, its kind and its problems are not among them.

    Parameters
    ----------
    table : FrameTable
        Any.

    Returns
    -------
    bytes
        For `unpack`.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from xdicom.headers.scan import scan_table
    >>> table = scan_table(get_testdata_file("CT_small.dcm"))
    >>> again = unpack(pack(table), table.root, table.kind)
    >>> again, again.digest == table.digest, again.strings("Modality").tolist()
    (<FrameTable: 1 frames of 1 files in ...>, True, ['CT'])
    """
    files = table.files
    writer = ArrayWriter(_STEPPED * len(table) + _SLACK)
    # always stored: so many bytes there are at least of a table of so many rows
    writer.pieces.append(table.frame_id.astype(_IDS, copy=False).tobytes())
    distinct, codes = _distinct(table.dimensions, len(files.paths))
    header = {
        "rows": len(table),
        "paths": [len(files.paths), writer.put_texts(files.paths)],
        "files": [writer.put(getattr(files, name)) for name in _OF_FILES],
        "frames": [writer.put(getattr(table, name)) for name in _OF_ROWS],
        "dimensions": [[[d.pointer, d.private, d.organization] for d in each] for each in distinct],
        "dimensions of files": writer.put(codes),
        "columns": [
            [
                *(keyword, column.vr, writer.put(column.codes)),
                *(len(column.texts), writer.put_texts(column.texts)),
            ]
            for keyword, column in table.columns.items()
        ],
    }
    return pack_blob(header, writer.pieces)


def unpack(data: bytes, root: str, kind: str) -> FrameTable:
    """The table that was packed, without problems.

    Parameters
    ----------
    data : bytes
        From `pack`.
    root, kind : str
        Of the table.

    Raises
    ------
    IndexFileError
        If the bytes are damaged. What is allocated never exceeds a fixed multiple of what they
        are decompressed to.
    """
    try:
        return _table(*unpack_blob(data), root, kind)
    except DamagedBlobError as error:
        raise IndexFileError(
            f"rows of the index cannot be read: {error.why}",
            expected=error.expected,
            found=None if error.found is None else reprlib.repr(error.found),
        ) from error
    except (LookupError, TypeError, ValueError) as error:  # by a header of another form
        raise IndexFileError(
            f"rows of the index cannot be read: their header is none ({error!r:.200})"
        ) from error


def _distinct(
    dimensions: _Dimensions, files: int
) -> tuple[list[tuple[DimensionIndex, ...]], IntArray]:
    """The distinct dimension indices, and which of them each file has; −1 for none."""
    once = {id(each): each for each in dimensions.values()}  # most files share one object
    places = {each: i for i, each in enumerate(dict.fromkeys(once.values()))}
    known = {key: places[each] for key, each in once.items()}
    codes = np.full(files, MISSING, np.int64)
    for file, each in dimensions.items():
        codes[file] = known[id(each)]
    return list(places), codes


def _table(header: Any, numbers: memoryview, root: str, kind: str) -> FrameTable:
    rows = _count(header["rows"], len(numbers) // _IDS.itemsize)
    reader = ArrayReader(numbers[rows * _IDS.itemsize :], _STEPPED * rows + _SLACK)
    files, paths = header["paths"]
    files = _count(files, len(numbers) + 1)
    names = reader.take_texts(paths, files)
    sizes, mtimes = (reader.take(how, _INT64, files) for how in _form(header, "files", _OF_FILES))
    of_rows: dict[str, Any] = {
        name: reader.take(how, _INT64, rows, (0, files) if name == "file" else None)
        for name, how in zip(_OF_ROWS, _form(header, "frames", _OF_ROWS), strict=True)
    }
    distinct = [_dimension_indices(each) for each in header["dimensions"]]
    codes = reader.take(header["dimensions of files"], _INT64, files, (MISSING, len(distinct)))
    columns = dict(_column(each, reader, rows) for each in header["columns"])
    reader.end()
    return FrameTable(
        root=root,
        files=Files(names, sizes, mtimes),
        frame_id=np.frombuffer(numbers, _IDS, rows).astype(_INT64),
        columns=columns,
        dimensions={i: distinct[codes[i]] for i in np.flatnonzero(codes >= 0).tolist()},
        kind=kind,
        **of_rows,
    )


def _form(header: Any, name: str, fields: tuple[str, ...]) -> list[How]:
    found: list[How] = header[name]
    if len(found) != len(fields):
        raise DamagedBlobError(f"{name} has other fields", ", ".join(fields), found)
    return found


def _count(number: object, most: int) -> int:
    if type(number) is not int or not 0 <= number <= most:
        raise DamagedBlobError("a count is none that the bytes allow", f"at most {most}", number)
    return number


def _dimension_indices(described: Any) -> tuple[DimensionIndex, ...]:
    for pointer, private, organization in described:
        if not (isinstance(pointer, str) and isinstance(private, bool)) or not isinstance(
            organization, str
        ):
            raise DamagedBlobError("dimension indices are none", found=described)
    return tuple(DimensionIndex(*each) for each in described)


def _column(described: Any, reader: ArrayReader, rows: int) -> tuple[str, Column]:
    keyword, vr, how, count, texts = described
    if not isinstance(keyword, str) or not isinstance(vr, str):
        raise DamagedBlobError("a column has no keyword", found=keyword)
    count = _count(count, reader.left + 1)
    codes = reader.take(how, _CODES, rows, (MISSING, count))
    return keyword, Column(codes, reader.take_texts(texts, count), vr)
