"""What the tests of writing share: a series that is opened, and one that is written and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
import xarray as xr

import xdicom
from xdicom import testing

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
"""Cosines of a plane that is oblique to all axes."""


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., xr.DataArray]:
    """Write a simulated series and open it; options of opening go in ``options``."""
    made = iter(range(100))

    def make(dims: Any = None, options: Any = None, **settings: Any) -> xr.DataArray:
        folder = tmp_path / f"source{next(made)}"
        testing.write_series(folder, {"z": 3} if dims is None else dims, **settings)
        return xdicom.open_series(folder, **(options or {}))

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[pydicom.FileDataset]]:
    """Write an array and read the files with pydicom, in the order of their names."""
    made = iter(range(100))

    def make(obj: Any, **options: Any) -> list[pydicom.FileDataset]:
        written = obj.dicom.to_dicom(tmp_path / f"written{next(made)}", **options)
        return [pydicom.dcmread(path) for path in written.file]

    return make


@pytest.fixture
def again(tmp_path: Path) -> Callable[..., xr.DataArray]:
    """Write an array and open what was written."""
    made = iter(range(100))

    def make(obj: Any, options: Any = None, **settings: Any) -> xr.DataArray:
        folder = tmp_path / f"again{next(made)}"
        obj.dicom.to_dicom(folder, **settings)
        return xdicom.open_series(folder, **(options or {}))

    return make
