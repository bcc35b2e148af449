"""Series for the benchmarks, made once beside this file (``benchmarks/data/``, not committed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xdicom.testing import write_series

FOLDER = Path(__file__).parent / "data"


def thousand_slices() -> Path:
    """1000 files of 512 × 512, 12 bits stored of 16."""
    return _made("slices", {"z": 1000}, 512)


def two_thousand_frames() -> Path:
    """2000 files of 256 × 256: 50 times × 40 slices."""
    return _made("volumes", {"time": [float(t) for t in range(50)], "z": 40}, 256)


def _made(name: str, dims: dict[str, object], size: int) -> Path:
    folder = FOLDER / name
    if not (folder / "done").exists():
        base = np.random.default_rng(0).integers(0, 4000, (size, size)).astype(np.uint16)

        def stored(index: dict[str, int]) -> np.ndarray:
            return np.roll(base, index["z"] + 3 * index.get("time", 0), axis=0)

        write_series(folder, dims, rows=size, columns=size, bits_stored=12, stored=stored)
        (folder / "done").touch()
    return folder
