"""One frame, and all frames of 1000 files, once the series is open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from xarray.core.indexing import BasicIndexer

import xdicom
from benchmarks.data import thousand_slices
from benchmarks.measure import Row, race
from xdicom.pixels.array import FrameArray


def run() -> list[Row]:
    """The rows of both benchmarks."""
    folder = thousand_slices()
    return [*one_frame(folder), *all_frames(folder)]


def frame_array(da: object) -> FrameArray:
    """The lazy array under a DataArray."""
    data = da.variable._data  # type: ignore[attr-defined]
    while not isinstance(data, FrameArray):
        data = data.array
    return data


def one_frame(folder: Path) -> list[Row]:
    """A frame by FrameArray and by ``isel``, each beside what it cannot do without."""
    da = xdicom.open_series(folder, mask_and_scale=False)
    array = frame_array(da)
    frames = array.frames
    memory = da.copy(data=np.zeros(da.shape, da.dtype))
    order: Iterator[int] = cycle(range(0, 1000, 7))

    def bare() -> np.ndarray:
        i = next(order)
        out = np.empty((512, 512), np.uint16)
        fd = os.open(frames.path(i), os.O_RDONLY)
        os.preadv(fd, [out.data], int(frames.offset[i]))
        os.close(fd)
        return out

    def single() -> np.ndarray:
        return array[BasicIndexer((next(order), slice(None), slice(None)))]

    def by_isel() -> np.ndarray:
        return da.isel(z=next(order)).values

    def isel_and_bare() -> np.ndarray:
        memory.isel(z=next(order)).values  # noqa: B018
        return bare()

    paths = [frames.path(i) for i in range(1000)]

    def by_pydicom() -> np.ndarray:
        return pydicom.dcmread(paths[next(order)]).pixel_array

    rows = race(
        "one 512 × 512 frame, FrameArray",
        {"xdicom": single, "open + preadv at a known offset": bare, "pydicom": by_pydicom},
        rounds=9,
        number=200,
    )
    rows += race(
        "one 512 × 512 frame, isel(…).values",
        {"xdicom": by_isel, "isel in memory + open + preadv": isel_and_bare},
        rounds=9,
        number=200,
    )
    return rows


def all_frames(folder: Path) -> list[Row]:
    """Stored values of 1000 × 512 × 512 into memory."""
    da = xdicom.open_series(folder, mask_and_scale=False)
    array = frame_array(da)
    paths = [array.frames.path(int(i)) for i in array.index]
    everything = (slice(None),) * 3

    def by_xdicom() -> np.ndarray:
        return array[BasicIndexer(everything)]

    def by_pydicom() -> np.ndarray:
        out = np.empty(da.shape, da.dtype)
        for i, path in enumerate(paths):
            out[i] = pydicom.dcmread(path).pixel_array
        return out

    def by_simpleitk() -> object:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(paths)
        return reader.Execute()

    def from_the_path() -> np.ndarray:
        return xdicom.open_series(folder, mask_and_scale=False).values

    contestants: dict[str, Callable[[], object]] = {
        "xdicom": by_xdicom,
        "xdicom, from the folder's path": from_the_path,
        "pydicom loop": by_pydicom,
        "SimpleITK series reader": by_simpleitk,
    }
    return race("1000 × 512 × 512 into memory, once open", contestants)
