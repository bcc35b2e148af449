"""Jobs and a function become calls in a few threads, bounded for the whole process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final, TypeVar

Job = TypeVar("Job")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


THREADS: Final = min(16, cores())
"""Threads that one read uses at most, the caller's own among them."""
_HELPERS: Final = BoundedSemaphore(max(THREADS - 1, 1))


def run(function: Callable[[Job], None], jobs: Sequence[Job], threads: int = THREADS) -> None:
    """Call a function with each job, in the caller's thread and those that are free.

    However many callers there are (dask's workers, say), all together have no more than
    ``THREADS - 1`` helpers; a caller who finds none works alone, so none waits for another.

    Raises
    ------
    Exception
        The first that a call raises; jobs not yet begun are then left out.
    """
    helpers = 0
    while helpers < min(threads, THREADS, len(jobs)) - 1 and _HELPERS.acquire(blocking=False):
        helpers += 1
    if not helpers:
        for job in jobs:
            function(job)
        return
    waiting = list(reversed(jobs))

    def work() -> None:
        while True:
            try:
                job = waiting.pop()  # atomic
            except IndexError:
                return
            try:
                function(job)
            except BaseException:
                waiting.clear()
                raise

    try:
        with ThreadPoolExecutor(helpers) as pool:
            others = [pool.submit(work) for _ in range(helpers)]
            work()
            for done in others:
                done.result()
    finally:
        _HELPERS.release(helpers)
