"""Callables become a table of medians and ratios, rounds of all of them interleaved."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One contestant of one benchmark."""

    benchmark: str
    """What is measured."""
    name: str
    """Who does it."""
    median: float
    """Seconds or bytes; NaN where the benchmark was left out."""
    best: float
    """As the median."""
    ratio: float
    """Its median over ours: how many times as much it takes."""
    unit: Literal["s", "B"] = "s"
    """Of median and best."""


def race(
    benchmark: str,
    contestants: Mapping[str, Callable[[], object]],
    *,
    ours: str = "xdicom",
    rounds: int = 5,
    number: int = 1,
    per: Mapping[str, int] | None = None,
    before: Callable[[], object] | None = None,
    budget: float = 60.0,
    settle: bool = True,
) -> list[Row]:
    """Time contestants in turn, so that a drift of the machine meets all of them.

    Each timed call follows an untimed one of the same contestant: else the first one after a large
    allocation was freed would pay for getting the memory back.

    Parameters
    ----------
    benchmark : str
        Title.
    contestants : mapping of str to callable
        One call each is a warm-up and is not counted.
    ours : str
        To whom the others are compared.
    rounds : int
        Counted rounds; a contestant that has used up the budget runs three.
    number : int
        Calls in one measurement, for short ones.
    per : mapping of str to int, optional
        Items of each contestant's work, by which its times are divided.
    before : callable, optional
        What is called, untimed, right before each timed call.
    budget : float
        Seconds for each contestant.
    settle : bool
        Make the untimed call.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for function in contestants.values():
        function()
    for i in range(rounds):
        for name, function in contestants.items():
            if i >= 3 and sum(times[name]) > budget:
                continue
            gc.collect()
            if settle:
                function()
            if before is not None:
                before()
            start = time.perf_counter()
            for _ in range(number):
                function()
            times[name].append((time.perf_counter() - start) / number)
    items = per or dict.fromkeys(contestants, 1)
    medians = {name: statistics.median(t) / items[name] for name, t in times.items()}
    best = {name: min(t) / items[name] for name, t in times.items()}
    return [
        Row(benchmark, name, medians[name], best[name], medians[name] / medians[ours])
        for name in contestants
    ]


def left_out(benchmark: str, reason: str) -> Row:
    """The row of a benchmark that cannot be run here."""
    return Row(benchmark, f"left out: {reason}", math.nan, math.nan, math.nan)


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| work | who | median | best | × ours |", "|---|---|---|---|---|"]
    last = ""
    for row in rows:
        title = row.benchmark if row.benchmark != last else ""
        last = row.benchmark
        cells = [title, row.name]
        if math.isnan(row.median):
            cells += ["", "", ""]
        else:
            write = {"s": _time, "B": _size}[row.unit]
            cells += [write(row.median), write(row.best), f"{row.ratio:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _size(size: float) -> str:
    return f"{size:.0f} B" if size < 1e4 else f"{size / 1e3:.1f} kB"


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
