"""Mean over 2000 frames on a cluster of two workers."""

from __future__ import annotations

import os

import dask
import dask.array
import numpy as np
import pydicom
from distributed import Client, LocalCluster

import xdicom
from benchmarks.data import two_thousand_frames
from benchmarks.measure import Row, race


def run() -> list[Row]:
    """Chunks of many frames beside a delayed call for each."""
    folder = two_thousand_frames()
    paths = sorted(str(p) for p in folder.glob("*.dcm"))

    def by_xdicom() -> float:
        return float(xdicom.open_series(folder, chunks="auto", mask_and_scale=False).mean())

    opened = xdicom.open_series(folder, chunks="auto", mask_and_scale=False)

    def once_open() -> float:
        return float(opened.mean())

    def by_delayed() -> float:
        read = dask.delayed(_pixels)
        frames = [dask.array.from_delayed(read(p), (256, 256), np.uint16) for p in paths]
        return float(dask.array.stack(frames).mean().compute())

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        Client(cluster),
    ):
        return race(
            "mean of 2000 × 256 × 256, two workers",
            {
                "xdicom": once_open,
                'xdicom, chunks="auto", from the folder\'s path': by_xdicom,
                "dask.delayed a frame": by_delayed,
            },
            rounds=5,
            settle=False,
        )


def _pixels(path: str) -> np.ndarray:
    return pydicom.dcmread(os.fspath(path)).pixel_array
