"""Strategies draw what their descriptions promise."""

from __future__ import annotations

import sys

import hypothesis
import numpy as np
import pydicom
import pytest
from hypothesis import strategies as st

from xdicom import testing


@hypothesis.given(dims=testing.dims_strategy(max_size=3))
@hypothesis.settings(max_examples=15, deadline=None)
def test_drawn_dims_can_be_written_both_ways(tmp_path_factory, dims):
    folder = tmp_path_factory.mktemp("dims")
    sizes = [v if isinstance(v, int) else len(v) for v in dims.values()]
    paths = testing.write_series(folder, dims, rows=2, columns=3)
    assert [testing.frame_number(pydicom.dcmread(path).pixel_array) for path in paths] == list(
        range(int(np.prod(sizes)))
    )
    ds = pydicom.dcmread(testing.write_enhanced(folder / "e.dcm", dims, rows=2, columns=3))
    assert ds.NumberOfFrames == len(paths)


@hypothesis.given(data=st.data(), shape=st.lists(st.integers(0, 4), min_size=1, max_size=3))
@hypothesis.settings(max_examples=100, deadline=None)
def test_outer_indexers_select_an_outer_product(data, shape):
    key = data.draw(testing.outer_indexers(shape))
    array = np.arange(np.prod(shape)).reshape(shape)
    chosen = [
        np.atleast_1d(np.arange(size)[indexer]) for size, indexer in zip(shape, key, strict=True)
    ]
    dropped = tuple(axis for axis, indexer in enumerate(key) if isinstance(indexer, int))
    expected = array[np.ix_(*chosen)].squeeze(dropped)
    assert np.array_equal(testing.outer_take(array, key), expected)
    assert testing.outer_take(array, key).shape == expected.shape


def test_strategies_say_what_they_need(monkeypatch):
    with pytest.raises(ValueError, match="coil"):
        testing.dims_strategy(["coil"])
    monkeypatch.setitem(sys.modules, "hypothesis.strategies", None)
    for strategy in (
        testing.dims_strategy,
        testing.geometries,
        lambda: testing.outer_indexers([2]),
    ):
        with pytest.raises(ImportError, match="pip install hypothesis"):
            strategy()
