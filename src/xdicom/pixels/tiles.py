"""Frames that are tiles of larger planes become TiledArray: a read decodes the tiles it touches."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from xarray.backends import BackendArray
from xarray.core import indexing

from xdicom.errors import ResourceLimitError, XDicomError
from xdicom.pixels.array import COUNTER, FrameArray
from xdicom.pixels.decode import open_frames, warn_of_broken
from xdicom.pixels.indexing import dropped, positions, transposed
from xdicom.pixels.pool import run
from xdicom.sources.base import OpenFile

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
Places = slice | IntArray

_UNKNOWN_MEMORY: Final = 2**40
"""Bytes that a result may have where the system does not say how much memory there is."""


class TiledArray(BackendArray):
    """A lazy array over tiles: frame dims, then y and x of the total pixel matrix, and sample.

    Parameters
    ----------
    tiles : FrameArray
        One tile in each place of its only frame dim.
    cells : array of int, shape (tiles,)
        Where each tile lies, ascending and distinct: tiles are counted row by row, those of the
        first cell of the frame dims before those of the second.
    shape : tuple of int
        Lengths of the frame dims, then rows and columns of the total pixel matrix; the last tiles
        of a row or a column may reach over its edge.
    fill_value : number
        Stands where there is no tile.

    Notes
    -----
    A list of the tiles that there are, and no grid of those that there could be: what a header
    claims of the size of the matrix costs nothing.
    """

    def __init__(
        self, tiles: FrameArray, cells: IntArray, shape: tuple[int, ...], fill_value: float
    ) -> None:
        self.tiles = tiles
        self.cells = cells
        self.fill_value = fill_value
        self.shape = (*shape, *tiles.plane[2:])
        self.dtype = tiles.dtype
        self._depth = len(shape) - 2
        self._grid = -(-shape[-2] // tiles.plane[0]), -(-shape[-1] // tiles.plane[1])
        settings = (tiles.__dask_tokenize__(), shape, repr(fill_value))
        h = hashlib.blake2b(repr(settings).encode(), digest_size=16)
        h.update(np.ascontiguousarray(cells).tobytes())
        self._token = h.hexdigest()

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("xdicom.TiledArray", self._token)

    def __sizeof__(self) -> int:
        return self.tiles.__sizeof__() + 8 * len(self.cells)

    def __repr__(self) -> str:
        return f"<TiledArray {self.shape} {self.dtype}, {len(self.cells)} tiles>"

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Array:
        if isinstance(key, indexing.VectorizedIndexer):
            turned = transposed(key, self.read)
            return self.read_points(key.tuple) if turned is None else turned
        return self.read(key.tuple)

    def read(self, key: tuple[Any, ...]) -> Array:
        """Read an outer selection: one int, slice or integer array for each dim.

        Raises
        ------
        ResourceLimitError
            If the result is larger than the memory of this machine.
        """
        places = [positions(k, n) for k, n in zip(key, self.shape, strict=True)]
        out = self._empty(tuple(map(len, places)))
        if out.size:
            self._fill(places, out)
        drop = dropped(key)
        return out.squeeze(drop) if drop else out

    def read_points(self, key: tuple[Any, ...]) -> Array:
        """Read single pixels: integer arrays that are broadcast against each other.

        Raises
        ------
        ResourceLimitError
            If the result is larger than the memory of this machine.
        """
        arrays = [positions(np.asarray(k), n) for k, n in zip(key, self.shape, strict=True)]
        arrays = [a.reshape(np.shape(k)) for a, k in zip(arrays, key, strict=True)]
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        out = self._empty(shape)
        flat = out.reshape(-1)
        each = [a.reshape(-1) for a in np.broadcast_arrays(*arrays)]
        *_, y, x = each[: self._depth + 2]
        rows, columns = self.tiles.plane[:2]
        cells, which = np.unique(
            self._cells(each[: self._depth], y // rows, x // columns), return_inverse=True
        )
        order = np.argsort(which, kind="stable")
        points = np.split(order, np.flatnonzero(np.diff(which[order])) + 1)

        def take(place: int, frame: int, file: OpenFile, broken: list[XDicomError]) -> None:
            whole = np.empty(self.tiles.plane, self.dtype)
            self.tiles.read_frame(frame, file, None, whole, broken)
            own = points[place]
            inside = (y[own] % rows, x[own] % columns, *(a[own] for a in each[self._depth + 2 :]))
            flat[own] = whole[inside]

        self._each_tile(cells, flat, take)
        return out

    def _empty(self, shape: tuple[int, ...]) -> Array:
        size, memory = math.prod(shape) * self.dtype.itemsize, _memory()
        if size > memory:
            raise ResourceLimitError(
                "the part of the total pixel matrix that is asked for does not fit into memory",
                expected=f"at most {memory} bytes",
                found=f"{size} for {' × '.join(map(str, shape))} values",
                remedy='Select a region, take a smaller level, or open with chunks="auto"',
            )
        return np.empty(shape, self.dtype)

    def _cells(self, outer: list[IntArray], row: IntArray, column: IntArray) -> IntArray:
        """Cells of tiles, from places along the frame dims and rows and columns of tiles."""
        cell: IntArray = np.zeros((), np.int64)
        for place, size in zip(outer, self.shape, strict=False):
            cell = cell * size + place
        return (cell * self._grid[0] + row) * self._grid[1] + column

    def _fill(self, places: list[IntArray], out: Array) -> None:
        """Read an outer selection into its array, each tile once."""
        depth = self._depth
        # a cell of the frame dims that is asked for twice is copied
        distinct = [np.unique(p, return_inverse=True) for p in places[:depth]]
        counts = tuple(len(values) for values, _ in distinct)
        plane = out.shape[depth:]
        twice = counts != out.shape[:depth] or any((np.diff(p) < 0).any() for p in places[:depth])
        made = np.empty((*counts, *plane), self.dtype) if twice else out
        target = made.reshape(-1, *plane)
        down = _strips(places[depth], self.tiles.plane[0])
        across = _strips(places[depth + 1], self.tiles.plane[1])
        samples = tuple(_as_slice(p) for p in places[depth + 2 :])
        grid = (len(target), len(down), len(across))
        outer = np.meshgrid(*(values for values, _ in distinct), indexing="ij") if depth else []
        cells = self._cells(
            [o.reshape(-1, 1, 1) for o in outer],
            np.array([s.tile for s in down]).reshape(-1, 1),
            np.array([s.tile for s in across]),
        )

        def take(place: int, frame: int, file: OpenFile, broken: list[XDicomError]) -> None:
            cell, i, j = (int(n) for n in np.unravel_index(place, grid))
            y, x = down[i], across[j]
            inner = (y.inside, x.inside, *samples)
            if isinstance(y.places, slice) and isinstance(x.places, slice):
                view = target[cell, y.places, x.places]
                self.tiles.read_frame(frame, file, inner, view, broken)
                return
            part = np.empty((y.count, x.count, *plane[2:]), self.dtype)
            self.tiles.read_frame(frame, file, inner, part, broken)
            at = np.ix_(_as_array(y.places), _as_array(x.places))
            target[cell][at] = part

        self._each_tile(np.broadcast_to(cells, grid).reshape(-1), target, take)
        if twice:
            out[...] = made[np.ix_(*(inverse for _, inverse in distinct))]

    def _each_tile(
        self,
        cells: IntArray,
        out: Array,
        take: Callable[[int, int, OpenFile, list[XDicomError]], None],
    ) -> None:
        """Call a function with the place of each cell that has a tile, its frame and open file.

        ``out`` is filled first where some have none.
        """
        at = np.searchsorted(self.cells, cells).clip(max=max(len(self.cells) - 1, 0))
        hits = np.flatnonzero(self.cells[at] == cells) if len(self.cells) else at[:0]
        if len(hits) < len(cells):
            out[...] = self.fill_value
        frames = self.tiles.index[at[hits]]
        broken: list[XDicomError] = []
        nbytes = len(hits) * math.prod(self.tiles.plane) * self.dtype.itemsize
        order, bounds = self.tiles.batches(frames, nbytes)

        def read(bound: tuple[int, int]) -> None:
            part = order[slice(*bound)]
            COUNTER.files += 1
            first, last = int(frames[part[0]]), int(frames[part[-1]])
            with open_frames(self.tiles.frames, first, last) as file:
                for place, frame in zip(hits[part].tolist(), frames[part].tolist(), strict=True):
                    take(place, frame, file, broken)

        if len(hits):
            run(read, bounds, self.tiles.threads(nbytes))
        if broken:
            warn_of_broken(broken)


@dataclass(frozen=True, eq=False)
class _Strip:
    """What is asked for of one row, or one column, of tiles."""

    tile: int
    """Which one."""
    inside: Places
    """Positions in the tile."""
    places: Places
    """Positions in the result."""
    count: int
    """How many."""


def _strips(wanted: IntArray, size: int) -> list[_Strip]:
    """Positions along an axis, by the tile of a size that they lie in."""
    tile, inside = np.divmod(wanted, size)
    order = np.argsort(tile, kind="stable")
    edges = np.flatnonzero(np.diff(tile[order])) + 1
    return [
        _Strip(int(tile[own[0]]), _as_slice(inside[own]), _as_slice(own), len(own))
        for own in np.split(order, edges)
    ]


def _as_slice(places: IntArray) -> Places:
    """Evenly growing positions as a slice, with which numpy makes no copy; others as they are."""
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    if step < 1 or (np.diff(places) != step).any():
        return places
    return slice(int(places[0]), int(places[-1]) + 1, step)


def _as_array(places: Places) -> IntArray:
    return (
        np.arange(places.start, places.stop, places.step) if isinstance(places, slice) else places
    )


@cache
def _memory() -> int:
    """Bytes of this machine's memory."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY
