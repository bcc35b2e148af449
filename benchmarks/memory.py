"""What a call holds and needs: growth of the resident memory of a process made for it.

``python -m benchmarks.memory MODULE FUNCTION ARGUMENTS`` is that process, its arguments in JSON.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Row

Call = tuple[str, str, list[Any]]
"""Module, function and its arguments."""


def weigh(
    benchmark: str, contestants: Mapping[str, Call], per: Mapping[str, int], *, rounds: int = 5
) -> list[Row]:
    """Bytes that each call keeps, and needs at its peak, beyond what its imports take.

    Parameters
    ----------
    benchmark : str
        Title.
    contestants : mapping of str to Call
        The first is the one to compare with.
    per : mapping of str to int
        Items of each contestant's work, by which its bytes are divided.
    rounds : int
        Processes for each, in turn.
    """
    grown: dict[str, dict[str, list[float]]] = {
        what: {name: [] for name in contestants} for what in ("kept", "peak")
    }
    for _ in range(rounds):
        for name, call in contestants.items():
            for what, size in _in_child(call).items():
                grown[what][name].append(size / per[name])
    rows = []
    for what, sizes in grown.items():
        medians = {name: statistics.median(found) for name, found in sizes.items()}
        ours = next(iter(medians.values()))
        rows += [
            Row(f"{benchmark}, {what}", name, median, min(sizes[name]), median / ours, "B")
            for name, median in medians.items()
        ]
    return rows


def _in_child(call: Call) -> dict[str, int]:
    module, name, arguments = call
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", module, name, json.dumps(arguments)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Call the function and print how the memory grew."""
    module, name, arguments = sys.argv[1:]
    function = getattr(importlib.import_module(module), name)
    before = _settled()
    # getrusage's peak would be no less than that of the process that started this one
    Path("/proc/self/clear_refs").write_text("5")
    result = function(*json.loads(arguments))
    peak = _status("VmHWM")
    kept = _settled()
    print(json.dumps({"kept": kept - before, "peak": peak - before}))
    del result  # held until it was weighed


def _settled() -> int:
    """Resident bytes after everything that is free was given back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status("VmRSS")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main()
