"""Headers that stay in the files: read whole on demand, checked to be unchanged, never kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from tqdm.auto import tqdm

from xdicom.errors import CorruptFileError, HeadersUnavailableError
from xdicom.headers.elements import tag_of
from xdicom.headers.table import MISSING, Column, FrameTable, check_unchanged

_NOT_A_VALUE: Final = frozenset(("SQ", "OB", "OW", "OL", "OV", "OF", "OD", "UN"))


def read_header(path: str, size: int, mtime_ns: int) -> FileDataset:
    """The whole header of a file, without its pixels.

    Raises
    ------
    HeadersUnavailableError
        If the file is gone.
    CorruptFileError
        If it changed since it was indexed.
    """
    try:
        stat = os.stat(path)
    except OSError as error:
        raise HeadersUnavailableError(
            "the file of this header cannot be read", file=path,
            remedy="Pass source= with the folder where the files are now",
        ) from error  # fmt: skip
    check_unchanged(path, size, mtime_ns, stat)
    return _parsed(path, size, mtime_ns)


@lru_cache(maxsize=16)
def _cached(path: str, size: int, mtime_ns: int) -> FileDataset:
    return _parsed(path, size, mtime_ns)


def _parsed(path: str, size: int, mtime_ns: int) -> FileDataset:
    del size, mtime_ns
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except Exception as error:
        raise CorruptFileError(f"pydicom cannot read the header: {error}", file=path) from error


def header_of(table: FrameTable, row: int) -> FileDataset:
    """The header of the instance that a row belongs to."""
    file = int(table.file[row])
    return read_header(
        table.path(row), int(table.files.sizes[file]), int(table.files.mtimes[file])
    )


def attribute_column(table: FrameTable, key: str | int | tuple[int, int]) -> Column:
    """The column of any attribute: of the table where it holds it, else read from the files.

    Parameters
    ----------
    table : FrameTable
        The rows.
    key : str, int or (int, int)
        Keyword, tag, or a path such as ``"RadiopharmaceuticalInformationSequence.0.RadionuclideHalfLife"``.

    Returns
    -------
    Column
        Without texts where no file has the attribute.

    Raises
    ------
    KeyError
        If the key is no DICOM keyword, tag or path.
    """
    if isinstance(key, str) and key in table.columns:
        return table.columns[key]
    path = key.split(".") if isinstance(key, str) else [key]
    tag = tag_of(path[0])
    if tag is None:
        raise KeyError(f"{key!r} is no DICOM keyword or tag")
    if len(path) == 1:
        from_tag = pydicom.datadict.keyword_for_tag(tag)
        if from_tag and from_tag in table.columns:
            return table.columns[from_tag]
    return _fetch(table, lambda ds: _element(ds, path))


def _element(ds: Dataset, path: list[Any]) -> DataElement | None:
    for step in path[:-1]:
        if isinstance(step, str) and step.isdigit():
            continue
        place = path.index(step) + 1
        sequence = ds.get(tag_of(step))
        index = int(path[place]) if place < len(path) and str(path[place]).isdigit() else 0
        if sequence is None or len(sequence.value) <= index:
            return None
        ds = sequence.value[index]
    tag = tag_of(path[-1])
    found = ds.get(tag) if tag is not None else None
    return found if isinstance(found, DataElement) else None


def _fetch(table: FrameTable, pick: Callable[[Dataset], DataElement | None]) -> Column:
    texts: dict[str, int] = {}
    codes = np.full(len(table), MISSING, np.int32)
    vr = "UN"
    files: npt.NDArray[np.int64] = np.unique(table.file)
    for file in tqdm(files, desc="reading headers", unit="file", delay=1, leave=False):
        rows = np.flatnonzero(table.file == file)
        path = table.path(int(rows[0]))
        size, mtime = int(table.files.sizes[file]), int(table.files.mtimes[file])
        try:
            stat = os.stat(path)
        except OSError as error:
            raise HeadersUnavailableError(
                "the file of this header cannot be read", file=path,
                remedy="Pass source= with the folder where the files are now",
            ) from error  # fmt: skip
        check_unchanged(path, size, mtime, stat)
        element = pick(_cached(path, size, mtime))
        if element is None or element.is_empty or element.VR in _NOT_A_VALUE:
            continue
        vr = element.VR
        value = element.value
        parts = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
        text = "\\".join(_written(p) for p in parts)
        codes[rows] = texts.setdefault(text, len(texts))
    return Column(codes, tuple(texts), vr)


def _written(value: Any) -> str:
    """A value as the file writes it: pydicom keeps the text of DS and IS."""
    original = getattr(value, "original_string", None)
    return original if isinstance(original, str) else str(value)
