"""What the tests of series share: dims, methods and frame numbers of what is opened."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.headers.scan import scan_table
from xdicom.series.keys import series_codes
from xdicom.series.stacks import GridOptions, split_series
from xdicom.testing import frame_number


@pytest.fixture
def stored():
    """Open the one array of a folder with its stored values."""

    def opened(where, **options):
        return xdicom.open_series(where, mask_and_scale=False, **options)

    return opened


@pytest.fixture
def dataset():
    """Open the one array of a folder as a Dataset, which holds coordinates of vectors too."""

    def opened(where, **options):
        return xr.open_dataset(where, engine="dicom", **options)

    return opened


@pytest.fixture
def numbers():
    """Tell the frame in each cell of an array: its place in the order it was written in."""

    def of(array):
        planes = array.values.reshape(-1, *array.shape[-2:])
        found = [frame_number(plane) for plane in planes]
        return np.array(found).reshape(array.shape[:-2])

    return of


@pytest.fixture
def methods():
    """Method, and driving attributes, of each dim."""

    def of(array):
        dims = json.loads(array.attrs["dicom_dims"])["dims"]
        return {d["dim"]: (d["method"], *d["attributes"]) for d in dims}

    return of


@pytest.fixture
def canonical(stored, numbers):
    """Check that an array has these dims, and the frames in the order they were written in."""

    def check(where, sizes, **options):
        array = stored(where, **options)
        assert dict(zip(array.dims[:-2], array.shape[:-2], strict=True)) == sizes
        assert array.dims[-2:] == ("y", "x")
        count = int(np.prod(list(sizes.values())))
        np.testing.assert_array_equal(numbers(array).ravel(), np.arange(count))
        return array

    return check


@pytest.fixture
def stacks():
    """All arrays of a folder, errors among them."""

    def split(where, **options):
        table = scan_table(where)
        codes = series_codes(table)
        return [
            stack
            for code in range(codes.max() + 1)
            for stack in split_series(table, np.flatnonzero(codes == code), GridOptions(**options))
        ]

    return split
