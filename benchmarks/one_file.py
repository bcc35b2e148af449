"""A file of 2000 native frames: all of them, and single ones in a process made for it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from xarray.core.indexing import BasicIndexer

import xdicom
from benchmarks.data import two_thousand_in_one
from benchmarks.measure import Row, race
from benchmarks.memory import weigh
from xdicom.pixels.array import FrameArray

# xarray imports dask.array itself, with the first variable that is made
_FRESH = """
import sys, time, dask.array, xdicom
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
imported = resident()
da = xdicom.open_series(sys.argv[1], scaling="stored")
times = [time.perf_counter()]
for i in (0, 1):
    da[i, 7].values
    times.append(time.perf_counter())
print(times[1] - times[0], times[2] - times[1], resident() - imported)
"""


def run() -> list[Row]:
    """The rows of all."""
    path = two_thousand_in_one()
    return [*every_frame(path), *memory(path), *fresh(path)]


def lazy(path: str) -> FrameArray:
    """The lazy array of the file's stored values."""
    data = xdicom.open_series(path, scaling="stored").variable._data
    while not isinstance(data, FrameArray):
        data = data.array
    return data


def read_all(path: str) -> np.ndarray:
    """All frames."""
    array = lazy(path)
    return array[BasicIndexer((slice(None),) * array.ndim)]


def empty(shape: list[int]) -> np.ndarray:
    """An array of this shape, every page of it touched."""
    return np.ones(shape, np.uint16)


def every_frame(path: Path) -> list[Row]:
    """All frames once open, beside one ``preadv`` of as many bytes."""
    array = lazy(str(path))
    offset = int(array.frames.offset.min())

    def bare() -> np.ndarray:
        out = np.empty(array.shape, array.dtype)
        fd = os.open(path, os.O_RDONLY)
        os.preadv(fd, [out.data], offset)
        os.close(fd)
        return out

    return race(
        "all of 2000 × 256 × 256 native frames of one file, once open",
        {"xdicom": lambda: array[BasicIndexer((slice(None),) * array.ndim)], "preadv": bare},
        rounds=9,
    )


def memory(path: Path) -> list[Row]:
    """Memory that the read needs at its peak, beside that of its result alone."""
    return weigh(
        "memory of all of 2000 × 256 × 256, open and read",
        {
            "xdicom": ("benchmarks.one_file", "read_all", [str(path)]),
            "the result alone": ("benchmarks.one_file", "empty", [[2000, 256, 256]]),
        },
        {"xdicom": 1, "the result alone": 1},
    )


def fresh(path: Path, rounds: int = 9) -> list[Row]:
    """First and next frame in a fresh process, after the import and the open."""
    found = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", _FRESH, str(path)], capture_output=True, check=True, text=True
        )
        found.append([float(x) for x in done.stdout.split()])
    first, following, grown = zip(*found, strict=True)
    title = "one of 2000 frames in a fresh process, once open"
    base = statistics.median(first)
    return [
        *(
            Row(title, name, statistics.median(t), min(t), statistics.median(t) / base)
            for name, t in (("xdicom, first frame", first), ("xdicom, next frame", following))
        ),
        Row("the same, memory over the imports", "xdicom", statistics.median(grown), min(grown),
            1.0, "B"),
    ]  # fmt: skip
