"""Headers: a folder becomes a catalog, an index becomes a catalog and arrays."""

from __future__ import annotations

import cProfile
import os
import pstats
import shutil
from collections.abc import Callable, Iterator
from itertools import count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import dicomsdl
import numpy as np
import pydicom

import xdicom
from benchmarks.data import enhanced_object, fifty_series, long_series, thousand_series
from benchmarks.measure import Row, left_out, race
from benchmarks.memory import weigh
from benchmarks.readers import (
    by_dicomsdl,
    by_gdcm,
    by_pydicom,
    by_xdicom,
    disagreements,
    files_under,
)
from xdicom.headers.index import Index
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.table import REGISTRY, FrameTable
from xdicom.sources.base import FileStat

FILES: Final = 10_000
SHARE: Final = 5
"""pydicom reads the first fifth of each series, and its times are those of a file."""
THREADS: Final = 8
BUDGET: Final = 600.0
"""Seconds for each contestant, so that the slow ones run five rounds too."""
DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")

_OURS: Final = "xdicom"
_PYDICOM: Final = f"pydicom, specific_tags, {FILES // SHARE} of the files"
_DICOMSDL: Final = "dicomsdl"
_GDCM: Final = "GDCM Scanner, texts"
_ALONE: Final = "xdicom, the catalog alone"
_PER: Final = {
    **dict.fromkeys((_OURS, _ALONE, _DICOMSDL, _GDCM), FILES),
    _PYDICOM: FILES // SHARE,
}
_FRAME_VALUES: Final = {
    ("PlanePositionSequence", "ImagePositionPatient"): 3,
    ("TemporalPositionSequence", "TemporalPositionTimeOffset"): 1,
    ("MREchoSequence", "EffectiveEchoTime"): 1,
    ("FrameContentSequence", "DimensionIndexValues"): 4,
}
"""Macro and keyword of what is read of each frame, and of how many numbers it is."""


def run(*words: str) -> list[Row]:
    """The rows that are named, or all; with ``--profile`` none, but where ours spends its time."""
    unknown = set(words) - set(BENCHMARKS) - {"--profile"}
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: no row of headers ({', '.join(BENCHMARKS)})")
    if "--profile" in words:
        profile()
        return []
    return [row for name in words or BENCHMARKS for row in BENCHMARKS[name]()]


def profile() -> None:
    """Print the 25 functions in which a scan of 10 000 files spends most time."""
    folder = str(fifty_series())
    by_xdicom(folder)
    profiler = cProfile.Profile()
    profiler.runcall(by_xdicom, folder, workers=1)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def scan() -> list[Row]:
    """From a folder's path to 40 converted values of every file, files in the page cache."""
    folder = str(fifty_series())
    peers = [by_pydicom(folder, SHARE), by_dicomsdl(folder), by_gdcm(folder)]
    if wrong := disagreements(by_xdicom(folder)[1], peers):
        raise RuntimeError(f"not the same work: {', '.join(wrong)}")
    return race(
        "scan of 10 000 files, 50 series, warm; a file",
        {
            _OURS: lambda: by_xdicom(folder),
            _PYDICOM: lambda: by_pydicom(folder, SHARE),
            _DICOMSDL: lambda: by_dicomsdl(folder),
            _GDCM: lambda: by_gdcm(folder),
        },
        per=_PER,
        before=REGISTRY.clear,
        budget=BUDGET,
    )


def mixed() -> list[Row]:
    """The same of real files, many of them alone in their series, some of them no DICOM."""
    title = "scan of mixed real files, warm; a file"
    folder = os.environ.get("XDICOM_TEST_DATA", "")
    if not os.path.isdir(folder):
        return [left_out(title, "XDICOM_TEST_DATA names no folder")]
    files = len(files_under(folder))
    contestants: dict[str, Callable[[], object]] = {
        _OURS: lambda: by_xdicom(folder, errors="ignore"),
        "pydicom, specific_tags": lambda: by_pydicom(folder),
    }
    per = dict.fromkeys(contestants, files)
    return race(title, contestants, per=per, before=REGISTRY.clear, budget=BUDGET)


def cold() -> list[Row]:
    """The same from the disk, by eight threads."""
    title = f"scan of 10 000 files, cold, {THREADS} threads; a file"
    folder = str(fifty_series())
    try:
        _forget_files()
    except OSError:
        return [left_out(title, f"{DROP_CACHES} cannot be written")]
    return race(
        title,
        {
            _OURS: lambda: by_xdicom(folder, workers=THREADS),
            _PYDICOM: lambda: by_pydicom(folder, SHARE, THREADS),
            _DICOMSDL: lambda: by_dicomsdl(folder, THREADS),
        },
        per=_PER,
        before=_forget_files,
        budget=BUDGET,
        settle=False,  # it would fill the cache
    )


def again() -> list[Row]:
    """A scan of what the index on disk knows already, beside the least that it must do."""
    folder = fifty_series()
    with TemporaryDirectory() as place:
        known = Path(place) / "known.index"
        xdicom.scan(folder, index=known, progress=False)
        fresh = (Path(place) / f"{number}.index" for number in count())
        contestants: dict[str, Callable[[], object]] = {
            _OURS: lambda: xdicom.scan(folder, index=known, progress=False).series,
            "xdicom, first scan, the index written": lambda: (
                xdicom.scan(folder, index=next(fresh), progress=False).series
            ),
            "os.scandir + stat": lambda: _stats(str(folder)),
        }
        return race(
            "second scan of 10 000 files, nothing changed; a file",
            contestants,
            per=dict.fromkeys(contestants, FILES),
            before=REGISTRY.clear,
        )


def indexed() -> list[Row]:
    """One series of 200 rows out of an index of 200 000, to the DataArray."""
    folder = fifty_series()
    table = thousand_series(_table(folder))
    opened, *others = sorted(table.column("SeriesInstanceUID").texts)
    fresh = iter(others)
    files = cycle(sorted({os.path.dirname(path) for path in files_under(str(folder))}))
    with TemporaryDirectory() as place:
        index = Path(place) / "thousand.index"
        _write_index(index, table)
        held = xdicom.Catalog.from_index(index)
        return race(
            "one of 1000 series of 200, from an index, to the DataArray",
            {
                _OURS: lambda: xdicom.Catalog.from_index(index).open(opened),
                "xdicom, grid inferred": lambda: xdicom.Catalog.from_index(index).open(next(fresh)),
                "xdicom, catalog held": lambda: held.open(opened),
                "xdicom, from 200 files": lambda: xdicom.open_series(next(files), progress=False),
                "pydicom, 40 values of 200 files": lambda: by_pydicom(next(files)),
            },
            before=REGISTRY.clear,
            rounds=9,
        )


def memory() -> list[Row]:
    """Bytes a row, of the catalog and the values that `scan` asks for."""
    folder = str(fifty_series())
    readers = "benchmarks.readers"
    return weigh(
        "memory of a scan of 10 000 files; a row",
        {
            _OURS: (readers, "by_xdicom", [folder]),
            _ALONE: (readers, "catalog_alone", [folder]),
            _PYDICOM: (readers, "by_pydicom", [folder, SHARE]),
            _DICOMSDL: (readers, "by_dicomsdl", [folder]),
            _GDCM: (readers, "by_gdcm", [folder]),
        },
        _PER,
    )


def enhanced() -> list[Row]:
    """Position, time, echo time and dimension indices of each frame of an enhanced object."""
    path = str(enhanced_object())

    def ours() -> list[np.ndarray]:
        table = _table(path)
        return [table.numbers(keyword, width) for (_, keyword), width in _FRAME_VALUES.items()]

    def by_pydicom() -> list[list[Any]]:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        groups = header.PerFrameFunctionalGroupsSequence
        return [[group[macro][0][key].value for macro, key in _FRAME_VALUES] for group in groups]

    def by_dicomsdl() -> list[list[Any]]:
        header = dicomsdl.open(path, 0x7FDFFFFF)
        groups = header["PerFrameFunctionalGroupsSequence"]
        return [[group[macro][0][key] for macro, key in _FRAME_VALUES] for group in groups]

    contestants: dict[str, Callable[[], Any]] = {
        _OURS: ours,
        "pydicom": by_pydicom,
        _DICOMSDL: by_dicomsdl,
    }
    expected = [column.tolist() for column in ours()]
    for peer in (by_pydicom(), by_dicomsdl()):
        if [list(column) for column in zip(*peer, strict=True)] != expected:
            raise RuntimeError("not the same work: functional groups")
    per = dict.fromkeys(contestants, len(expected[0]))
    return race("functional groups of 2000 frames, 4 values; a frame", contestants, per=per)


def long() -> list[Row]:
    """A series of 100 000 frames from the index to the DataArray with its coordinates."""
    folder = long_series()
    with TemporaryDirectory() as place:
        without, known = Path(place) / "without", Path(place) / "known"
        without.mkdir()
        xdicom.scan(folder, index=without / "long.index", progress=False)
        shutil.copytree(without, known)
        copies = _copies(without, calls=11)  # one, and two a round
        _open(known)
        return race(
            "series of 100 000 frames to the DataArray",
            {
                _OURS: lambda: _open(known),
                "xdicom, grid inferred": lambda: _open(next(copies)),
            },
            before=REGISTRY.clear,
            budget=BUDGET,
        )


BENCHMARKS: Final[dict[str, Callable[[], list[Row]]]] = {
    "scan": scan,
    "mixed": mixed,
    "cold": cold,
    "again": again,
    "indexed": indexed,
    "memory": memory,
    "enhanced": enhanced,
    "long": long,
}


def _table(where: os.PathLike[str] | str) -> FrameTable:
    return scan_table(where, ScanOptions(progress=False))


def _write_index(path: Path, table: FrameTable) -> None:
    """An index of a table whose files need not exist."""
    files = table.files
    stats = map(FileStat, files.paths, files.sizes.tolist(), files.mtimes.tolist())
    index = Index.open(path, write=True)
    index.begin(table.root, table.kind, stats)
    index.add(table, [])
    index.finish([])


def _open(folder: Path) -> object:
    """The one series of an index."""
    return xdicom.Catalog.from_index(folder / "long.index").open(progress=False)


def _forget_files() -> None:
    """Empty the page cache, and the cache of tables."""
    os.sync()
    DROP_CACHES.write_text("3")
    REGISTRY.clear()


def _stats(folder: str) -> list[os.stat_result]:
    """Size and time of each file, which a scan cannot do without."""
    found: list[os.stat_result] = []
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found.append(entry.stat())
    return found


def _copies(folder: Path, calls: int) -> Iterator[Path]:
    """A copy of an index for each call, since a call may write what it found into it."""
    copies = [folder.with_name(f"{folder.name}{number}") for number in range(calls)]
    for copy in copies:
        shutil.copytree(folder, copy)
    return iter(copies)
