"""Palettes in headers become tables of RGB, and the table of each frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from xdicom.errors import CorruptFileError, MissingAttributeError
from xdicom.headers.store import headers_of
from xdicom.pixels.lookup import FULL, Collected, Lookup, LookupTable, entries_of
from xdicom.pixels.scaling import Scaling
from xdicom.pixels.stored import StoredValues, in_sign

Array = npt.NDArray[Any]

_COLOURS: Final = ("Red", "Green", "Blue")
_REMEDY: Final = "Open without color= for the indices"
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_BYTE: Final = 257
"""What makes a byte fill a word: 255 becomes 65535."""


@dataclass(frozen=True, eq=False)
class PaletteColours(Scaling):
    """Gives, instead of indices, the colours that they stand for."""

    @property
    def extra(self) -> tuple[int, ...]:
        """Three samples."""
        return (3,)

    @cached_property
    def direct(self) -> bool:
        """Never: no index is a colour."""
        return False

    def apply(self, stored: Array, frame: int, out: Array) -> None:
        """Write one frame's colours into ``out``, whose last dim is R, G, B."""
        assert self.lookup is not None
        table = self.lookup.tables[int(self.lookup.which[frame])]
        table.apply(stored, out)
        if out.dtype.itemsize > table.values.dtype.itemsize:
            out *= out.dtype.type(_BYTE)


def palette_colours(stored: StoredValues) -> PaletteColours:
    """What makes RGB of a palette's indices: uint8, or uint16 where a palette has 16 bits.

    Raises
    ------
    MissingAttributeError, CorruptFileError
        As `palettes`.
    """
    lookup = palettes(stored)
    dtype = np.result_type(*(t.values.dtype for t in lookup.tables))
    return PaletteColours("stored", dtype, lookup=lookup)


def palettes(stored: StoredValues) -> Lookup:
    """The palette of each frame, of RGB (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9).

    Parameters
    ----------
    stored : StoredValues
        The frames, of PhotometricInterpretation ``PALETTE COLOR``.

    Returns
    -------
    Lookup
        Its tables have shape (entries, 3), of uint8 or uint16. Where descriptors of red, green and
        blue differ, each is read by its own, and the table spans them all.

    Raises
    ------
    MissingAttributeError
        If a descriptor or its data are missing or invalid.
    CorruptFileError
        If data are shorter than their descriptor says, or their segments are wrong.
    """
    found = Collected(len(stored.table))
    for header, rows in headers_of(stored.table):
        file = stored.table.path(int(rows[0]))
        little = header.original_encoding[1] is not False
        table = _palette(header, bool(stored.signed[rows[0]]), little, file)
        for row in rows.tolist():
            found.add(row, table)
    lookup = found.lookup()
    assert lookup is not None
    return lookup


def _palette(header: Dataset, signed: bool, little: bool, file: str) -> LookupTable:
    tables = [_channel(header, colour, signed, little, file) for colour in _COLOURS]
    low = min(t.first for t in tables)
    high = max(t.first + len(t.values) for t in tables)
    if high - low > 2 * FULL:
        raise MissingAttributeError(
            "the palettes of red, green and blue have nothing in common", file=file, remedy=_REMEDY
        )
    wide = np.result_type(*(t.values.dtype for t in tables))
    colours = np.empty((high - low, len(_COLOURS)), wide)
    for place, table in enumerate(tables):
        table.apply(np.arange(low, high), colours[:, place])
        if wide.itemsize > table.values.dtype.itemsize:
            colours[:, place] *= wide.type(_BYTE)
    return LookupTable(low, colours)


def _channel(header: Dataset, colour: str, signed: bool, little: bool, file: str) -> LookupTable:
    keyword = f"{colour}PaletteColorLookupTable"
    plain, segmented = f"{keyword}Data", f"Segmented{keyword}Data"
    try:
        entries, first, bits = (int(v) for v in header[f"{keyword}Descriptor"].value)
        data = header[plain if plain in header else segmented].value
        if bits not in (8, 16):
            raise ValueError(bits)
    except (KeyError, TypeError, ValueError) as error:
        raise MissingAttributeError(
            f"the palette has no valid {keyword}Descriptor and data",
            file=file,
            expected="three numbers, the last one 8 or 16",
            remedy=_REMEDY,
        ) from error
    entries = entries % FULL or FULL
    if plain in header:
        values = entries_of(data, entries, 8 if _bytes(data) < 2 * entries else bits, little)
    else:
        values = expand_segments(_units(data, bits, little), bits, file)
    if values.size < entries:
        raise CorruptFileError(
            f"the palette of {colour.lower()} is shorter than its descriptor says",
            file=file,
            expected=f"{entries} entries",
            found=f"{values.size}",
            remedy=_REMEDY,
        )
    values = values[:entries].astype("u1" if bits == 8 or values.dtype == np.uint8 else "u2")
    return LookupTable(int(in_sign(float(first), signed)), values)


def _bytes(data: Any) -> int:
    return len(data) if isinstance(data, bytes) else 2 * np.size(data)


def _units(data: Any, bits: int, little: bool) -> Array:
    """The numbers that segments are made of: bytes or words."""
    if not isinstance(data, bytes):
        data = np.atleast_1d(np.asarray(data, np.int64)).astype("<u2").tobytes()
        little = True
    if bits == 8:
        return np.frombuffer(data, np.uint8)
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2").astype(np.uint16)


def expand_segments(units: Array, bits: int, file: str = "") -> Array:
    """The entries that the segments of a segmented palette stand for (PS3.3 C.7.9.2).

    Parameters
    ----------
    units : array of uint8 or uint16
        The data: opcodes, lengths and values.
    bits : int
        8 or 16, as the descriptor says.
    file : str
        For messages.

    Returns
    -------
    numpy.ndarray of uint8 or uint16

    Raises
    ------
    CorruptFileError
        If a segment is cut off, of no known kind, or points to nowhere.

    Examples
    --------
    Two values, then four on the way to 10, then again the first segment (at byte 0):

    >>> data = np.array([0, 2, 1, 2, 1, 4, 10, 2, 1, 0, 0, 0, 0], np.uint8)
    >>> expand_segments(data, 8).tolist()
    [1, 2, 4, 6, 8, 10, 1, 2]
    """
    numbers, found = units.tolist(), [0] * 0
    width, place = bits // 8, 0
    try:
        while place + 1 < len(numbers):
            opcode, length = numbers[place], numbers[place + 1]
            if opcode == _INDIRECT:
                count = 4 // width
                parts = numbers[place + 2 : place + 2 + count]
                offset = sum(part << bits * i for i, part in enumerate(parts))
                if len(parts) < count or offset % width:
                    raise ValueError(f"an offset of {offset} bytes")
                target = offset // width
                for _ in range(length):
                    if numbers[target] == _INDIRECT:
                        raise ValueError("an indirect segment that points to another one")
                    target = _segment(numbers, target, found)
                place += 2 + count
            elif opcode == 0 and length == 0 and place + 2 >= len(numbers):
                break  # the byte that makes the length even
            else:
                place = _segment(numbers, place, found)
            if len(found) > 2 * FULL:
                raise ValueError(f"more than {FULL} entries")
    except (ValueError, IndexError) as error:
        raise CorruptFileError(
            f"a segment of the palette is wrong: {error}", file=file, remedy=_REMEDY
        ) from error
    return np.array(found, units.dtype)


def _segment(numbers: list[int], place: int, found: list[int]) -> int:
    """Expand a discrete or linear segment onto the entries found; where the next one starts."""
    opcode, length = numbers[place], numbers[place + 1]
    if opcode == _DISCRETE:
        end = place + 2 + length
        if end > len(numbers):
            raise ValueError("it is cut off")
        found += numbers[place + 2 : end]
        return end
    if opcode != _LINEAR:
        raise ValueError(f"opcode {opcode}")
    if not found:
        raise ValueError("a linear segment cannot be the first")
    start, last = found[-1], numbers[place + 2]
    steps = np.linspace(start, last, length + 1)[1:]
    found += np.rint(steps).astype(int).tolist()
    return place + 3
