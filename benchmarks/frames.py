"""One frame, and all frames of 1000 files, once the series is open and from the folder's path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import dask
import dask.array
import highdicom
import numpy as np
import pydicom
import SimpleITK
from xarray.core.indexing import BasicIndexer

import xdicom
from benchmarks import one_file
from benchmarks.data import rescaled, thousand_slices
from benchmarks.measure import Row, race
from xdicom.pixels.array import FrameArray


def run() -> list[Row]:
    """The rows of all."""
    folder = thousand_slices()
    return [
        *one_frame(folder), *all_frames(folder), *from_the_path(folder), *scaled("CT"),
        *scaled("PT"), *one_file.run(),
    ]  # fmt: skip


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
    """Stored values of 1000 × 512 × 512 into memory, once the series is open."""
    da = xdicom.open_series(folder, mask_and_scale=False)
    array = frame_array(da)
    paths = [array.frames.path(int(i)) for i in array.index]
    offsets = [int(array.frames.offset[i]) for i in array.index]

    def by_preadv() -> np.ndarray:
        out = np.empty(da.shape, da.dtype)

        def read(i: int) -> None:
            fd = os.open(paths[i], os.O_RDONLY)
            os.preadv(fd, [out[i].data], offsets[i])
            os.close(fd)

        def half(first: int) -> None:
            for i in range(first, len(paths), 2):
                read(i)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(half, (0, 1)))
        return out

    def by_pydicom() -> np.ndarray:
        out = np.empty(da.shape, da.dtype)
        for i, path in enumerate(paths):
            out[i] = pydicom.dcmread(path).pixel_array
        return out

    contestants: dict[str, Callable[[], object]] = {
        "xdicom": lambda: array[BasicIndexer((slice(None),) * 3)],
        "preadv at known offsets, two threads": by_preadv,
        "pydicom loop": by_pydicom,
    }
    return race("1000 × 512 × 512 into memory, once open", contestants)


def from_the_path(folder: Path) -> list[Row]:
    """The same from the folder's path: files found, sorted and read."""
    names = [str(p) for p in folder.iterdir()]

    def by_pydicom() -> np.ndarray:
        found = [pydicom.dcmread(name) for name in names]
        found.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
        return np.stack([ds.pixel_array for ds in found])

    def by_simpleitk() -> object:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
        return reader.Execute()

    def by_delayed() -> np.ndarray:
        read = dask.delayed(lambda name: pydicom.dcmread(name).pixel_array)
        frames = [dask.array.from_delayed(read(n), (512, 512), np.uint16) for n in sorted(names)]
        return dask.array.stack(frames).compute()

    def by_highdicom() -> np.ndarray:
        return highdicom.get_volume_from_series(
            [pydicom.dcmread(name) for name in names],
            apply_real_world_transform=False,
            apply_modality_transform=False,
            apply_voi_transform=False,
        ).array

    contestants: dict[str, Callable[[], object]] = {
        "xdicom": lambda: xdicom.open_series(folder, mask_and_scale=False).values,
        "pydicom loop, sorted": by_pydicom,
        "SimpleITK, listing and reader": by_simpleitk,
        "dask.delayed a frame": by_delayed,
        "highdicom volume": by_highdicom,
    }
    return race("1000 × 512 × 512, from the folder's path", contestants, settle=False, budget=1.0)


def scaled(modality: str) -> list[Row]:
    """Scaled to float32, beside the read of the stored values alone."""
    folder = rescaled(modality)
    stored = xdicom.open_series(folder, scaling="stored")
    floats = xdicom.open_series(folder)
    assert floats.dtype == np.float32
    return race(
        f"400 × 512 × 512 {modality} to float32, once open",
        {
            "xdicom": lambda: floats.copy(deep=False).values,
            "xdicom, stored values": lambda: stored.copy(deep=False).values,
        },
    )
