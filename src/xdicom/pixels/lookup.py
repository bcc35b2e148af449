"""ModalityLUTSequence becomes tables of values, and the table of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from xdicom.errors import CorruptFileError, MissingAttributeError, UnsupportedPixelLayoutError
from xdicom.headers.store import headers_of, sequence_of
from xdicom.pixels.stored import StoredValues, in_sign

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

FULL: Final = 65536
"""Entries of a table whose descriptor says 0."""
_WHOLE_BYTE: Final = 8


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Values for consecutive stored values; beyond its ends the value at the end."""

    first: int
    """Stored value of the first entry."""
    values: Array
    """The entries, shape (entries,), or (entries, 3) for colours."""

    def apply(self, stored: Array, out: Array) -> None:
        """Write the entry of each stored value into ``out``.

        Examples
        --------
        >>> out = np.empty(4, np.float32)
        >>> LookupTable(-1, np.array([5, 7, 9])).apply(np.array([-2, -1, 0, 3]), out)
        >>> out.tolist()
        [5.0, 5.0, 7.0, 9.0]
        """
        index = stored.astype(np.intp)
        index -= self.first
        out[...] = self.values.take(index, axis=0, mode="clip")


@dataclass(frozen=True, eq=False)
class Lookup:
    """The tables of some frames."""

    tables: tuple[LookupTable, ...]
    """The distinct tables."""
    which: IntArray
    """Index of each frame's table, −1 for none, shape (frames,)."""
    units: str = ""
    """Of what the tables give, where all frames have the same."""


class Collected:
    """Gathers the tables of frames; equal ones are kept once.

    Parameters
    ----------
    frames : int
        Number of the frames.
    """

    def __init__(self, frames: int) -> None:
        self.which: IntArray = np.full(frames, -1, np.int64)
        self._places: dict[tuple[int, str, bytes], int] = {}
        self._tables: list[LookupTable] = []

    def add(self, frame: int, table: LookupTable) -> None:
        """Note the table of a frame."""
        key = (table.first, table.values.dtype.str, table.values.tobytes())
        place = self._places.setdefault(key, len(self._tables))
        if place == len(self._tables):
            self._tables.append(table)
        self.which[frame] = place

    def lookup(self, units: str = "") -> Lookup | None:
        """What was gathered; None where it is nothing."""
        return Lookup(tuple(self._tables), self.which, units) if self._tables else None


def modality_luts(stored: StoredValues) -> Lookup | None:
    """The Modality LUT of each frame (PS3.3 C.11.1), of the instance or of its functional groups.

    Parameters
    ----------
    stored : StoredValues
        The frames.

    Returns
    -------
    Lookup or None
        ``units`` from ModalityLUTType; None where no frame has one.

    Raises
    ------
    MissingAttributeError
        If LUTDescriptor is missing or invalid.
    CorruptFileError
        If LUTData is shorter than the descriptor says.
    UnsupportedPixelLayoutError
        If the stored values are floats, which index no table.
    """
    table = stored.table
    rows = np.flatnonzero(table.column("xdicom_modality_lut").codes >= 0)
    if not rows.size:
        return None
    if stored.dtype.kind not in "iu":
        raise UnsupportedPixelLayoutError(
            "a Modality LUT for floats", file=table.path(int(rows[0]))
        )
    found = Collected(len(table))
    kinds = set() if rows.size == len(table) else {""}
    part = table.take(rows)
    known: dict[tuple[int, bool], tuple[LookupTable, str]] = {}
    for header, places in headers_of(part):
        known.clear()
        little = header.original_encoding[1] is not False
        for place in places.tolist():
            items = sequence_of(header, int(part.frame_number[place]), "ModalityLUTSequence")
            row = int(rows[place])
            if not items:
                kinds.add("")
                continue
            key = (id(items[0]), bool(stored.signed[row]))
            if key not in known:
                known[key] = _read(items[0], key[1], little, part.path(place))
            lookup, kind = known[key]
            found.add(row, lookup)
            kinds.add(kind)
    units = kinds.pop() if len(kinds) == 1 else ""
    return found.lookup("" if units == "US" else units)


def _read(item: Dataset, signed: bool, little: bool, file: str) -> tuple[LookupTable, str]:
    """The table of one item, and its ModalityLUTType."""
    remedy = 'scaling="stored" gives the stored values without it'
    table, _ = read_table(item, "a Modality LUT", signed, little, file, remedy)
    return table, str(item.get("ModalityLUTType", "")).strip()


def read_table(
    item: Dataset, what: str, signed: bool, little: bool, file: str, remedy: str
) -> tuple[LookupTable, int]:
    """The table of LUTDescriptor and LUTData (PS3.3 C.11.1.1, C.11.2.1.1).

    Parameters
    ----------
    item : Dataset
        Of a Modality LUT or VOI LUT sequence.
    what : str
        What it is, for messages.
    signed : bool
        Whether the values that it maps may be negative.
    little : bool
        Whether the file is little endian.
    file, remedy : str
        For messages.

    Returns
    -------
    (LookupTable, int)
        And the bits of an entry.

    Raises
    ------
    MissingAttributeError
        If LUTDescriptor is missing or invalid.
    CorruptFileError
        If LUTData is shorter than the descriptor says.
    """
    try:
        entries, first, bits = (int(v) for v in item["LUTDescriptor"].value)
        data = item["LUTData"].value
    except (KeyError, TypeError, ValueError) as error:
        raise MissingAttributeError(
            f"{what} without a valid LUTDescriptor and LUTData",
            file=file,
            expected="three numbers, and as many entries as the first says",
            remedy=remedy,
        ) from error
    entries = entries % FULL or FULL
    values = entries_of(data, entries, bits, little)
    if values.size < entries:
        raise CorruptFileError(
            "LUTData is shorter than LUTDescriptor says",
            file=file,
            expected=f"{entries} entries of {bits} bits",
            found=f"{values.size}",
            remedy=remedy,
        )
    return LookupTable(int(in_sign(float(first), signed)), values[:entries]), bits


def entries_of(data: bytes | int | Sequence[int], entries: int, bits: int, little: bool) -> Array:
    """The entries of a table's data, in words or in bytes packed into words (PS3.3 C.11.1.1).

    Its length tells the two apart: entries of 8 bits stand in words in some files.

    Examples
    --------
    >>> entries_of(bytes([1, 2, 3, 4]), 4, 8, True).tolist()
    [1, 2, 3, 4]
    >>> entries_of(bytes([1, 0, 2, 0]), 2, 8, True).tolist()
    [1, 2]
    >>> entries_of([0x0201, 0x0403], 4, 8, True).tolist()
    [1, 2, 3, 4]
    """
    if isinstance(data, bytes):
        even = data + b"\0" * (len(data) % 2)
        words: Array = np.frombuffer(even, "<u2" if little else ">u2").astype("<u2")
    else:
        numbers = [data] if isinstance(data, int) else list(data)
        words = (np.array(numbers, np.int64) & (FULL - 1)).astype("<u2")
    if words.size < entries and bits <= _WHOLE_BYTE:
        return words.view(np.uint8)
    return words.astype(np.uint16)
