"""200 compressed frames of 512 × 512 into memory, two threads, by each decoder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import xdicom
from benchmarks.data import compressed_slices
from benchmarks.measure import Row, race
from xdicom.pixels import pool

SYNTAXES = {
    uid.keyword: uid
    for uid in (
        RLELossless, JPEG2000Lossless, HTJ2KLossless, JPEGLSLossless, JPEGLosslessSV1,
        JPEGBaseline8Bit,
    )
}  # fmt: skip
THREADS = 2


def run(*names: str) -> list[Row]:
    """The rows of each syntax, or of those that are named by keyword."""
    wanted = [SYNTAXES[n] for n in names] if names else list(SYNTAXES.values())
    return [row for uid in wanted for row in one_syntax(uid)]


def one_syntax(uid: UID) -> list[Row]:
    """Ours against pydicom with each of its plug-ins, once the series is open."""
    folder = compressed_slices(uid)
    array = xdicom.open_series(folder, scaling="stored")
    paths = sorted(folder.iterdir())

    def by_pydicom(plugin: str) -> Callable[[], object]:
        def read(path: Path) -> np.ndarray:
            return pixel_array(path, index=0, decoding_plugin=plugin)

        def every() -> list[np.ndarray]:
            with ThreadPoolExecutor(THREADS) as threads:
                return list(threads.map(read, paths))

        return every

    def ours() -> object:
        return array.copy(deep=False).values

    contestants: dict[str, Callable[[], object]] = {"xdicom": ours}
    for plugin in get_decoder(uid).available_plugins:
        contestants[f"pydicom, {plugin}"] = by_pydicom(plugin)
    name = UID(uid).keyword
    assert pydicom.dcmread(paths[0]).Rows == 512
    return race(
        f"200 × 512 × 512, {name}, {min(pool.THREADS, THREADS)} threads",
        contestants, rounds=3, settle=False, budget=1.0,
    )  # fmt: skip
