"""Overlays in headers and in spare bits of pixels become a lazy array of masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from xarray.backends import BackendArray
from xarray.core import indexing

from xdicom.errors import CorruptFileError, MissingAttributeError, UnsupportedPixelLayoutError
from xdicom.headers.store import headers_of
from xdicom.headers.table import FrameTable
from xdicom.pixels.array import FrameArray
from xdicom.pixels.scaling import Scaling
from xdicom.pixels.spans import IntArray, frames_of

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

_GROUPS: Final = range(0x6000, 0x6100, 2)
_ROWS, _COLUMNS, _FRAMES, _DESCRIPTION, _TYPE = 0x0010, 0x0011, 0x0015, 0x0022, 0x0040
_ORIGIN, _FIRST_FRAME, _BITS, _BIT, _LABEL, _DATA = 0x0050, 0x0051, 0x0100, 0x0102, 0x1500, 0x3000
_NAMES: Final = {"label": _LABEL, "type": _TYPE, "description": _DESCRIPTION}
"""What is told of an overlay, and by which element of its group."""


@dataclass(frozen=True)
class Plane:
    """One frame of an overlay."""

    bits: bytes
    """OverlayData of all its frames."""
    start: int
    """The first bit."""
    rows: int
    """OverlayRows."""
    columns: int
    """OverlayColumns."""
    row: int
    """Row of the image that the first one lies on, from 0; it may lie outside."""
    column: int
    """The same of columns."""

    def draw(self, out: Bools) -> None:
        """Set what of it lies on the image (PS3.3 C.9.2)."""
        first = self.start // 8
        count = self.rows * self.columns
        data = np.frombuffer(self.bits, np.uint8)[first : (self.start + count + 7) // 8]
        bits = np.unpackbits(data, bitorder="little")[self.start - 8 * first :][:count]
        mask = bits.reshape(self.rows, self.columns).astype(bool)
        (top, upper), (left, right) = (
            (max(0, -place), min(size, total - place))
            for place, size, total in (
                (self.row, self.rows, out.shape[0]),
                (self.column, self.columns, out.shape[1]),
            )
        )
        if top < upper and left < right:
            y, x = self.row, self.column
            out[y + top : y + upper, x + left : x + right] |= mask[top:upper, left:right]


@dataclass(frozen=True, eq=False)
class SpareBits(Scaling):
    """Gives, instead of values, one of the bits that they leave free."""

    bits: IntArray | None = None
    """Of each frame, from 0; −1 for none."""

    @cached_property
    def direct(self) -> bool:
        """Never: no stored value is the mask."""
        return False

    @cached_property
    def digest(self) -> str:
        """With the bits."""
        bits = b"" if self.bits is None else self.bits.tobytes()
        return f"overlay {bits.hex()}"

    def apply(self, stored: Array, frame: int, out: Array) -> None:
        """Write into ``out``, of bool, where the bit is set."""
        bit = -1 if self.bits is None else int(self.bits[frame])
        if bit < 0:
            out[...] = False
        else:
            out[...] = (stored >> stored.dtype.type(bit)) & stored.dtype.type(1)


@dataclass(frozen=True, eq=False)
class Overlay:
    """The overlays of one group."""

    group: int
    """0x6000, 0x6002 …"""
    names: dict[str, str]
    """Label, type (G for graphics, R for a region) and description; ``""`` where frames differ."""
    planes: dict[int, Plane]
    """By frame."""
    bits: IntArray
    """Bit of the pixels that holds it in each frame, −1 for none."""


def overlays_of(table: FrameTable) -> list[Overlay]:
    """The overlays of some frames, from their headers (PS3.3 C.9.2).

    Raises
    ------
    MissingAttributeError
        If the size or place of an overlay is missing or invalid.
    CorruptFileError
        If OverlayData are shorter than the overlay.
    """
    planes: dict[int, dict[int, Plane]] = {}
    bits: dict[int, IntArray] = {}
    names: dict[int, dict[str, set[str]]] = {}
    for header, rows in headers_of(table):
        file = table.path(int(rows[0]))
        for group in _GROUPS:
            if (group, _ROWS) not in header and (group, _DATA) not in header:
                continue
            own = planes.setdefault(group, {})
            bit = bits.setdefault(group, np.full(len(table), -1, np.int64))
            numbers = {int(table.frame_number[r]): int(r) for r in rows}
            if (group, _DATA) in header:
                for number, plane in _planes(header, group, max(numbers), file):
                    if number in numbers:
                        own[numbers[number]] = plane
            else:
                bit[rows] = _number(header, group, _BIT, None, file)
            for name, element in _NAMES.items():
                text = str(_value(header, group, element) or "").strip()
                names.setdefault(group, {}).setdefault(name, set()).add(text)
    return [
        Overlay(
            group,
            {name: next(iter(t)) if len(t) == 1 else "" for name, t in names[group].items()},
            planes[group],
            bits[group],
        )
        for group in sorted(planes)
    ]


def _planes(header: Dataset, group: int, last: int, file: str) -> Iterator[tuple[int, Plane]]:
    """Number of each frame that has a mask, and the mask."""
    rows, columns = (_number(header, group, e, None, file) for e in (_ROWS, _COLUMNS))
    count = max(1, _number(header, group, _FRAMES, 1, file))
    first = _number(header, group, _FIRST_FRAME, 1, file)
    origin = _value(header, group, _ORIGIN)
    try:
        row, column = (int(v) for v in ((1, 1) if origin is None else origin))
    except (TypeError, ValueError) as error:
        raise _invalid(group, _ORIGIN, origin, file) from error
    data: Any = _value(header, group, _DATA)
    data = data if isinstance(data, bytes) else b""
    size = rows * columns
    if min(rows, columns) < 1 or len(data) * 8 < size * count:
        raise CorruptFileError(
            f"the overlay in group {group:04X} is shorter than its size says",
            file=file,
            expected=f"{count} × {rows} × {columns} bits",
            found=f"{len(data)} bytes",
        )
    if all(_value(header, group, e) is None for e in (_FRAMES, _FIRST_FRAME)):
        # not of the Multi-frame Overlay Module (C.9.3): it lies on all frames of the image
        for number in range(1, last + 1):
            yield number, Plane(data, 0, rows, columns, row - 1, column - 1)
        return
    for place in range(count):
        yield first + place, Plane(data, place * size, rows, columns, row - 1, column - 1)


def _value(header: Dataset, group: int, element: int) -> Any:
    found: Any = header.get((group, element))
    return None if found is None or found.is_empty else found.value


def _number(header: Dataset, group: int, element: int, default: int | None, file: str) -> int:
    value = _value(header, group, element)
    if value is None and default is not None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise _invalid(group, element, value, file) from error


def _invalid(group: int, element: int, value: object, file: str) -> MissingAttributeError:
    return MissingAttributeError(
        f"({group:04X},{element:04X}) of an overlay is missing or invalid", file=file, found=value
    )


class OverlayArray(BackendArray):
    """A lazy array of masks: overlay, frame dims, y, x.

    Parameters
    ----------
    table : FrameTable
        The frames.
    cells : array of int
        Frame in each cell, −1 where there is none.
    overlays : list of Overlay
        Of the same frames.
    plane : (int, int)
        Rows and columns of a frame.
    """

    def __init__(
        self, table: FrameTable, cells: IntArray, overlays: list[Overlay], plane: tuple[int, int]
    ) -> None:
        self.cells, self.overlays, self.plane = cells, overlays, plane
        self.shape = (len(overlays), *cells.shape, *plane)
        self.dtype = np.dtype(bool)
        self._embedded = [_embedded(table, cells, o) for o in overlays]

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Array:
        found: Array = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.read
        )
        return found

    def read(self, key: tuple[Any, ...]) -> Array:
        """Read an outer selection: one int, slice or integer array for each dim."""
        chosen, inner = key[0], key[1:]
        which = np.arange(len(self.overlays))[chosen]
        masks = [self._mask(int(n), inner) for n in np.atleast_1d(which)]
        if np.ndim(which) == 0:
            return masks[0]
        return np.stack(masks) if masks else np.zeros((0, *self._outer(inner).shape), bool)

    def _outer(self, key: tuple[Any, ...]) -> Bools:
        """An empty mask of the selected shape."""
        empty: Any = np.broadcast_to(np.zeros((), bool), self.shape[1:])
        return np.array(_take(empty, key))

    def _mask(self, number: int, key: tuple[Any, ...]) -> Bools:
        overlay, embedded = self.overlays[number], self._embedded[number]
        found: Bools = self._outer(key) if embedded is None else np.asarray(embedded.read(key))
        depth = self.cells.ndim
        cells = np.asarray(_take(self.cells, key[:depth]))
        flat = found.reshape(cells.size, *found.shape[cells.ndim :])
        whole = np.empty(self.plane, bool)
        for place, frame in enumerate(cells.reshape(-1).tolist()):
            if frame in overlay.planes:
                whole[...] = False
                overlay.planes[frame].draw(whole)
                flat[place] |= _take(whole, key[depth:])
        return flat.reshape(found.shape)


def _take(array: Array, key: tuple[Any, ...]) -> Array:
    """Outer indexing; ints drop their dim."""
    for axis in reversed(range(len(key))):
        array = array[(slice(None),) * axis + (key[axis],)]
    return array


def _embedded(table: FrameTable, cells: IntArray, overlay: Overlay) -> FrameArray | None:
    """What reads the bit of the pixels; None where no frame has it there."""
    if (overlay.bits < 0).all():
        return None
    frames = frames_of(table)
    for code, layout in enumerate(frames.layouts):
        rows = np.flatnonzero((frames.layout == code) & (overlay.bits >= 0))
        used = overlay.bits[rows]
        if not rows.size:
            continue
        if layout.encapsulated or layout.samples > 1 or layout.keyword != "PixelData":
            raise UnsupportedPixelLayoutError(
                f"the overlay in group {overlay.group:04X} is said to be in bits of the pixels",
                file=table.path(int(rows[0])),
                expected="native pixels of one sample (PS3.5 8.1.2)",
                found=layout.transfer_syntax,
            )
        below = layout.high_bit - layout.bits_stored + 1
        if ((used >= layout.bits_allocated) | ((used >= below) & (used <= layout.high_bit))).any():
            raise UnsupportedPixelLayoutError(
                f"the overlay in group {overlay.group:04X} is said to be in a bit of the values",
                file=table.path(int(rows[0])),
                expected=f"OverlayBitPosition below {layout.bits_allocated}, "
                f"but not {below} to {layout.high_bit}",
                found=int(used[0]),
            )
    layouts = tuple(
        replace(x, bits_stored=x.bits_allocated, high_bit=x.bits_allocated - 1, signed=False)
        for x in frames.layouts
    )
    bits = SpareBits("overlay", np.dtype(bool), bits=overlay.bits)
    return FrameArray(replace(frames, layouts=layouts), cells, bits, table.digest, fill_value=0)
