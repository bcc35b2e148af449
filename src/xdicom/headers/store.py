"""Headers that stay in the files: read whole on demand, checked to be unchanged, never kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue
from tqdm.auto import tqdm

from xdicom.errors import CorruptFileError, HeadersUnavailableError
from xdicom.headers.elements import MACROS, WANTED, keyword_of, tag_of, vr_of
from xdicom.headers.private import PrivateName, is_creator, parsed_name
from xdicom.headers.table import MISSING, Column, FrameTable, check_unchanged
from xdicom.sources.base import FileStat, OpenFile
from xdicom.sources.places import source_of
from xdicom.sources.stream import stream_of

_OF_ROWS: Final = frozenset(WANTED.values())
_NOT_A_VALUE: Final = frozenset(("SQ", "OB", "OW", "OL", "OV", "OF", "OD", "UN"))
IntArray = npt.NDArray[np.int64]
_Found = TypeVar("_Found", FileStat, OpenFile)
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def read_header(path: str, size: int, mtime_ns: int) -> FileDataset:
    """The whole header of a file, without its pixels.

    Parameters
    ----------
    path : str
        The file.
    size, mtime_ns : int
        What it had when it was indexed: bytes, and nanoseconds since the epoch.

    Raises
    ------
    HeadersUnavailableError
        If the file is gone.
    CorruptFileError
        If it changed since it was indexed, or pydicom cannot read it.
    """
    with _available(source_of(path).open, path) as file:
        check_unchanged(path, size, mtime_ns, file)
        return _parsed(file, path)


def _available(look: Callable[[str], _Found], path: str) -> _Found:
    """What looking at a file gives: its stat, or the open file."""
    try:
        return look(path)
    except OSError as error:
        raise HeadersUnavailableError(
            "the file of this header cannot be read",
            file=path,
            remedy="Pass source= with the folder where the files are now",
        ) from error


def _parsed(file: OpenFile, path: str) -> FileDataset:
    try:
        with warnings.catch_warnings(), stream_of(file, path) as stream:
            warnings.simplefilter("ignore")
            return pydicom.dcmread(stream, stop_before_pixels=True, force=True)
    except Exception as error:  # pydicom raises anything
        raise CorruptFileError(f"pydicom cannot read the header: {error}", file=path) from error


@lru_cache(maxsize=16)
def _cached(path: str, size: int, mtime_ns: int) -> FileDataset:
    """A header for reading only: the same one is given again while the file stays the same."""
    return read_header(path, size, mtime_ns)


def header_of(table: FrameTable, row: int) -> FileDataset:
    """The header of the instance that a row belongs to, one that the caller may change.

    Raises
    ------
    HeadersUnavailableError, CorruptFileError
        As `read_header`.
    """
    return read_header(*_place(table, int(table.file[row])))


def _place(table: FrameTable, file: int) -> tuple[str, int, int]:
    path = os.path.join(table.root, table.files.paths[file])
    return path, int(table.files.sizes[file]), int(table.files.mtimes[file])


def headers_of(table: FrameTable) -> Iterator[tuple[FileDataset, IntArray]]:
    """The header of each file of a table, for reading only, with the rows that stand in it.

    Parameters
    ----------
    table : FrameTable
        The rows.

    Yields
    ------
    (pydicom.FileDataset, array of int)
        Without pixels; one that the caller must not change.

    Raises
    ------
    HeadersUnavailableError, CorruptFileError
        As `read_header`.
    """
    for place, rows in _files(table):
        yield _cached(*place), rows


def _files(table: FrameTable) -> Iterator[tuple[tuple[str, int, int], IntArray]]:
    """Path, size and time of each file, checked, with its rows; a bar over those that take long."""
    order = np.argsort(table.file, kind="stable")
    files, starts = np.unique(table.file[order], return_index=True)
    groups = np.split(order, starts[1:])
    bar = tqdm(
        zip(files.tolist(), groups, strict=True),
        desc="reading headers",
        unit="file",
        total=len(files),
        delay=1,
        leave=False,
    )
    for file, rows in bar:
        place = _place(table, file)
        check_unchanged(*place, _available(source_of(place[0]).stat, place[0]))
        yield place, rows


def sequence_of(header: Dataset, frame: int, keyword: str) -> list[Dataset]:
    """The items of a frame's sequence: of its functional groups, the shared ones, or the object's.

    Parameters
    ----------
    header : Dataset
        Of the instance.
    frame : int
        Number of the frame, from 1.
    keyword : str
        Of the sequence: a functional group itself, or one inside a group.

    Returns
    -------
    list of Dataset
        Of the first of the three places that has any; empty where none does.
    """
    tag = tag_of(keyword)
    if tag is None:
        raise KeyError(f"{keyword!r} is no DICOM keyword")
    for groups, place in ((_PER_FRAME, frame - 1), (_SHARED, 0)):
        items = header.get(groups) or ()
        if 0 <= place < len(items):
            own = _get(items[place], tag)
            for found in [*([] if own is None else [own]), *_leaves(items[place], tag)]:
                if found.VR == "SQ" and found.value:
                    return list(found.value)
    top = _get(header, tag)
    return list(top.value) if top is not None and top.VR == "SQ" else []


def private_of(header: Dataset, frame: int, tag: int, creator: str) -> DataElement | None:
    """A frame's private element, found by its creator at any block (PS3.5 7.8.1).

    Parameters
    ----------
    header : Dataset
        Of the instance.
    frame : int
        Number of the frame, from 1.
    tag : int
        Group and low byte of the element: ``0x2005000E`` for (2005,xx0E).
    creator : str
        Private creator of its block.

    Returns
    -------
    DataElement or None
        Of the private sequences in the frame's functional groups, else of the top level.
    """
    items = header.get(_PER_FRAME) or ()
    places = [header]
    if 0 < frame <= len(items):
        group = items[frame - 1]
        nested = [e.value[0] for e in group if e.tag.is_private and e.VR == "SQ" and e.value]
        places = [group, *nested, header]
    for place in places:
        try:
            return place.private_block(tag >> 16, creator)[tag & 0xFF]
        except KeyError:
            continue
    return None


def attribute_column(table: FrameTable, key: str | int | tuple[int, int]) -> Column:
    """The column of any attribute: of the table where it holds it, else read from the files.

    Parameters
    ----------
    table : FrameTable
        The rows.
    key : str, int or (int, int)
        Keyword, tag, name of a private element by its creator (``g0019_SIEMENS_MR_HEADER_0C``),
        or a path into sequences such as
        ``"RadiopharmaceuticalInformationSequence.0.RadionuclideHalfLife"`` (without a number: the
        first item). In enhanced objects a keyword, tag or name is also found in the functional
        groups of the frame, and in those that all frames share.

    Returns
    -------
    Column
        Without texts where no file has the attribute.

    Raises
    ------
    KeyError
        If the key is no DICOM keyword, tag or path.
    HeadersUnavailableError, CorruptFileError
        If a file is gone, has changed or cannot be read.
    """
    if isinstance(key, str) and key in table.columns:
        return table.columns[key]
    path = _path(key)
    last = path[-1][0]
    name = last.text if isinstance(last, PrivateName) else keyword_of(last)
    if len(path) == 1 and name in _OF_ROWS:
        return table.column(name)
    found = _fetch(table, path)
    if not found.texts:  # the dtype of what is missing is that of its VR
        return Column(found.codes, (), vr_of(name))
    return found


_Where = int | PrivateName
"""Which element of a data set: a tag, or a private element at any block."""
_Path = list[tuple[_Where, int]]
"""Elements, each with the number of the item that the path goes on in."""


def _path(key: str | int | tuple[int, int]) -> _Path:
    path: _Path = []
    for name in key.split(".") if isinstance(key, str) else [key]:
        if isinstance(name, str) and name.isdecimal() and path:
            path[-1] = path[-1][0], int(name)
            continue
        where: _Where | None = parsed_name(name) if isinstance(name, str) else None
        if where is None:
            where = tag_of(name)
        if where is None or (isinstance(where, int) and not 0 <= where <= 0xFFFFFFFF):
            raise KeyError(f"{key!r} is no DICOM keyword or tag")
        path.append((where, 0))
    return path


def _fetch(table: FrameTable, path: _Path) -> Column:
    """Read an attribute from the header of each file."""
    texts: dict[str, int] = {}
    codes = np.full(len(table), MISSING, np.int32)
    vr = "UN"
    for place, rows in _files(table):
        elements = _elements(place, path, table.frame_number[rows].tolist())
        for row, element in zip(rows.tolist(), elements, strict=True):
            if element is None or element.is_empty or element.VR in _NOT_A_VALUE:
                continue
            vr = element.VR
            codes[row] = texts.setdefault(_text(element), len(texts))
    return Column(codes, tuple(texts), vr)


def _elements(
    place: tuple[str, int, int], path: _Path, frames: list[int]
) -> list[DataElement | None]:
    """The element at the end of a path, for each of some frames of a file."""
    header = _cached(*place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = _of_instance(header, path)
            if len(path) > 1:
                return [own] * len(frames)
            found = [_of_frame(header, frame, path[0][0]) for frame in frames]
    except Exception as error:  # pydicom converts when asked, and raises anything
        raise CorruptFileError(f"pydicom cannot read the header: {error}", file=place[0]) from error
    return [own if element is None else element for element in found]


def _of_instance(header: Dataset, path: _Path) -> DataElement | None:
    """The element at the end of a path from the top level."""
    for tag, item in path[:-1]:
        found = _get(header, tag)
        if found is None or found.VR != "SQ" or len(found.value) <= item:
            return None
        header = found.value[item]
    return _get(header, path[-1][0])


def _of_frame(header: Dataset, frame: int, where: _Where) -> DataElement | None:
    """The element in a frame's functional groups, or in the shared ones."""
    for groups, item in ((_PER_FRAME, frame - 1), (_SHARED, 0)):
        items = header.get(groups) or ()
        if 0 <= item < len(items):
            found = list(_leaves(items[item], where))
            if isinstance(where, PrivateName) and (own := _get(items[item], where)) is not None:
                found.insert(0, own)
            if found and all(element.value == found[0].value for element in found):
                return found[0]
    return None


def _leaves(item: Dataset, where: _Where, depth: int = 0) -> Iterator[DataElement]:
    """The elements in the macros of a functional group.

    Public ones in public macros only, private ones in private ones only: vendors nest whole
    headers there, where a public keyword means something else (SPEC §2.5).
    """
    private = isinstance(where, PrivateName) or bool(where >> 16 & 1)
    for element in item:
        nested = depth == 0 or private or int(element.tag) in MACROS
        if element.VR != "SQ" or element.tag.is_private != private or not nested:
            continue
        for inner in element.value[:1]:
            found = _get(inner, where)
            if found is not None:
                yield found
            yield from _leaves(inner, where, depth + 1)


def _get(header: Dataset, where: _Where) -> DataElement | None:
    """An element of a data set; as text where pydicom cannot convert it."""
    tag = _tag_in(header, where) if isinstance(where, PrivateName) else where
    if tag is None:
        return None
    found: Any
    try:
        found = header.get(tag)
    except Exception:  # noqa: BLE001  pydicom raises anything
        raw: Any = header.get_item(tag)
        if not isinstance(raw, RawDataElement) or not isinstance(raw.value, bytes):
            return None
        return DataElement(tag, "LT", raw.value.decode("latin-1").strip(" \0"), raw.value_tell)
    return found if isinstance(found, DataElement) else None


def _tag_in(header: Dataset, name: PrivateName) -> int | None:
    """The tag that a private element has in a data set; None where there is none."""
    group = name.group << 16
    for tag in sorted(header.keys()):
        if tag & 0xFFFF0000 == group and is_creator(tag):
            found = group | (tag & 0xFF) << 8 | name.low
            if found in header and name.block(str(header[tag].value)):
                return found
    return None


def _text(element: DataElement) -> str:
    """A value as the file writes it, in the form in which tables hold it."""
    value: Any = element.value
    values = value if isinstance(value, (list, MultiValue)) else [value]
    return "\\".join(_one_text(one, element.VR) for one in values)


def _one_text(value: Any, vr: str) -> str:
    original = getattr(value, "original_string", None)  # pydicom keeps the text of DS and IS
    if isinstance(original, str):
        return original.strip(" \0")
    if vr == "FL":  # 4.76, not 4.760000228881836
        return str(np.float32(value))
    if vr == "AT":
        return f"{int(value):08x}"
    return str(value).strip(" \0")
