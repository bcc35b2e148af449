"""Callables become a table of medians and ratios, rounds of all of them interleaved."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One contestant of one benchmark."""

    benchmark: str
    """What is measured."""
    name: str
    """Who does it."""
    median: float
    """Seconds."""
    best: float
    """Seconds."""
    ratio: float
    """Its median over ours: how many times as long it takes."""


def race(
    benchmark: str,
    contestants: Mapping[str, Callable[[], object]],
    *,
    ours: str = "xdicom",
    rounds: int = 5,
    number: int = 1,
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
            start = time.perf_counter()
            for _ in range(number):
                function()
            times[name].append((time.perf_counter() - start) / number)
    medians = {name: statistics.median(t) for name, t in times.items()}
    return [
        Row(benchmark, name, medians[name], min(times[name]), medians[name] / medians[ours])
        for name in contestants
    ]


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| work | who | median | best | × ours |", "|---|---|---|---|---|"]
    last = ""
    for row in rows:
        title = row.benchmark if row.benchmark != last else ""
        last = row.benchmark
        lines.append(
            f"| {title} | {row.name} | {_time(row.median)} | {_time(row.best)} | {row.ratio:.2f} |"
        )
    return "\n".join(lines)


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
