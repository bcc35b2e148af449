"""Where the slices of a stored frame that holds many lie in it, and which are read together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from xdicom.pixels.indexing import positions
from xdicom.pixels.spans import Frames, PixelLayout

IntArray = npt.NDArray[np.int64]


def in_stored(layout: PixelLayout, tile: int, inner: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """A selection of a tile, or all of it, as one of the stored frame.

    Parameters
    ----------
    layout : PixelLayout
        With tiles, which are counted along rows, then down.
    tile : int
        Number of the tile, from 0.
    inner : tuple, optional
        Outer key of the tile's dims.

    Examples
    --------
    >>> from dataclasses import replace
    >>> layout = PixelLayout("", "PixelData", "OW", 8, 9, 1, "MONOCHROME2", 0, 16, 16, 15, False)
    >>> layout = replace(layout, tile=(4, 3))
    >>> in_stored(layout, 4, None)
    (slice(4, 8, None), slice(3, 6, None))
    >>> in_stored(layout, 4, (slice(None, None, 2), -1))
    (array([4, 6]), array([5]))
    """
    assert layout.tile is not None
    down, along = divmod(tile, layout.columns // layout.tile[1])
    starts = down * layout.tile[0], along * layout.tile[1]
    if inner is None:
        return tuple(slice(a, a + n) for a, n in zip(starts, layout.tile, strict=True))
    moved = (
        start + positions(key, length)
        for start, key, length in zip(starts, inner, layout.tile, strict=False)
    )
    return (*moved, *inner[2:])


def stored_starts(frames: Frames, some: IntArray) -> IntArray:
    """Places in ``some``, sorted by file and offset, where another stored frame begins."""
    files = np.diff(frames.file[some], prepend=-1) != 0
    return np.flatnonzero(files | (np.diff(frames.offset[some], prepend=-1) != 0))


def by_stored(
    frames: Frames, some: IntArray, places: IntArray
) -> Iterator[tuple[list[int], list[int]]]:
    """Frames of one file, sorted by offset, and their places, by the stored frame they are of."""
    edges = stored_starts(frames, some)[1:]
    for own, at in zip(np.split(some, edges), np.split(places, edges), strict=True):
        yield own.tolist(), at.tolist()


def read_together(frames: Frames, index: IntArray) -> tuple[int, ...]:
    """Length along each frame dim of what is read at once: 1, or all slices of a stored frame.

    Parameters
    ----------
    frames : Frames
        Where the frames lie.
    index : array of int, shape of the frame dims
        Frame in each cell, −1 where there is none.
    """
    if frames.tile is None or not index.size:
        return (1,) * index.ndim
    pairs = np.stack([frames.file, frames.offset])
    stored = np.unique(pairs, axis=1, return_inverse=True)[1].ravel()
    cells = np.append(stored, -1)[index]
    return tuple(
        n if (cells == np.take(cells, [0], axis=axis)).all() else 1
        for axis, n in enumerate(index.shape)
    )
