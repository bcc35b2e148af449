"""Steps that are timed and checked become lines of text, and an exit code."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TextIO

from xdicom.errors import XDicomError, XDicomWarning


class Step:
    """One line of the report while it happens."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.failed: list[str] = []
        self.details: list[str] = []
        self.skipped = False

    def skip(self, why: str) -> None:
        """Say that the step was left out, and why; that is no failure."""
        self.skipped = True
        self.details.append(why)

    def say(self, text: str) -> None:
        """Add to the line what was found."""
        self.what += text

    def check(self, holds: bool, otherwise: str) -> None:
        """Fail the step, and say why, unless something holds."""
        if not holds:
            self.failed.append(otherwise)


class Abandoned(Exception):  # noqa: N818  a signal, no error of its own
    """A step broke off, and what follows needs it."""


class Unavailable(Exception):  # noqa: N818  a signal too
    """What the step would do is not there for these data."""


class Report:
    """Prints a line for each step: whether its checks held, how long it took, what it did."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.steps = self.failures = self.skipped = 0
        self.start = perf_counter()

    def line(self, text: str) -> None:
        """Write a line, at once."""
        self.out.write(f"{text}\n")
        self.out.flush()

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.line(f"\n{text}")

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Time a step; errors of the data and of files fail it."""
        step = Step(what)
        self.steps += 1
        start = perf_counter()
        broken = True
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield step
                broken = False
        except Unavailable as error:
            step.skip(str(error))
        except (XDicomError, OSError, ValueError, RuntimeError, MemoryError) as error:
            step.failed.append(f"{type(error).__name__}: {error}")
        seconds = perf_counter() - start
        mark = "✗" if step.failed else "–" if step.skipped else "✓"
        self.line(f"  {mark} {seconds:6.2f} s  {step.what}")
        notes = [str(w.message) for w in caught if issubclass(w.category, XDicomWarning)]
        for text in (*step.failed, *notes, *step.details):
            self.line(textwrap.indent(text, " " * 14))
        self.failures += bool(step.failed)
        self.skipped += step.skipped and not step.failed
        if broken:
            raise Abandoned(step.what)

    def end(self, out: Path) -> int:
        """Print the last line; gives the exit code."""
        seconds = f"in {perf_counter() - self.start:.1f} s"
        if self.failures:
            self.line(f"\n{self.failures} of {self.steps} steps failed, {seconds}")
            return 1
        held = f"All {self.steps} steps hold"
        if self.skipped:
            held = f"{self.steps - self.skipped} steps hold, {self.skipped} left out"
        self.line(f"\n{held}, {seconds}. Pictures: {out}/")
        return 0
