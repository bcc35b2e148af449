"""Simulated and bundled series, or a user's folder, go the whole way: files to arrays and back."""

from __future__ import annotations

import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pydicom
import xarray as xr
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_rescale, pixel_array

import xdicom.accessor  # noqa: F401  so that arrays have .dicom
from xdicom.api import chunked
from xdicom.display.labels import series_name, sizes_text, text_of
from xdicom.display.outline import outline
from xdicom.errors import UnsupportedOptionError, XDicomError, XDicomWarning
from xdicom.opening.arrays import VARIABLE
from xdicom.pixels.array import COUNTER
from xdicom.testing import phantom_study

Floats = npt.NDArray[np.floating[Any]]

OUT: Final = "xdicom-demo"
"""Folder of the pictures, by default in the working directory."""
MARK: Final = "xdicom demo"
"""Stands in the pictures' metadata, so that a second run knows its own."""
MOST_BYTES: Final = 2**28
"""Of a larger array only a part is averaged, cached and written."""

_PLANE = ("y", "x", "sample")


class Step:
    """One line of the report while it happens."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.failed: list[str] = []
        self.details: list[str] = []
        self.skipped = False

    def say(self, text: str) -> None:
        """Add to the line what was found."""
        self.what += text

    def check(self, holds: bool, otherwise: str) -> None:
        """Fail the step, and say why, unless something holds."""
        if not holds:
            self.failed.append(otherwise)


class Abandoned(Exception):  # noqa: N818  a signal: the steps that build on a failed one are left out
    """A step failed, and what follows needs it."""


class Report:
    """Prints a line for each step: whether its checks held, how long it took, what it did."""

    def __init__(self) -> None:
        self.steps = self.failures = 0
        self.start = perf_counter()

    def heading(self, text: str) -> None:
        """Begin a part."""
        print(f"\n{text}")

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Time a step; errors of the data and of files fail it."""
        step = Step(what)
        self.steps += 1
        start = perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield step
        except UnsupportedOptionError as error:
            step.skipped = True
            step.details.append(str(error))
        except (XDicomError, OSError, ValueError, MemoryError) as error:
            step.failed.append(f"{type(error).__name__}: {error}")
        seconds = perf_counter() - start
        mark = "✗" if step.failed else "–" if step.skipped else "✓"
        print(f"  {mark} {seconds:6.2f} s  {step.what}", flush=True)
        notes = [str(w.message) for w in caught if issubclass(w.category, XDicomWarning)]
        for text in (*step.failed, *notes, *step.details):
            print(textwrap.indent(text, " " * 14), flush=True)
        if step.failed:
            self.failures += 1
        if step.failed or step.skipped:
            raise Abandoned(step.what)

    def end(self, out: Path) -> int:
        """Print the last line; gives the exit code."""
        seconds = perf_counter() - self.start
        if self.failures:
            print(f"\n{self.failures} of {self.steps} steps failed, in {seconds:.1f} s")
            return 1
        print(f"\nAll {self.steps} steps hold, in {seconds:.1f} s. Pictures: {out}/")
        return 0
