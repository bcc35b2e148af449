"""Values become the integers that stand for them exactly, or none."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from xdicom import ConformanceError
from xdicom.writing.quantise import Layout, NotExactError, stored_integers

U16, S16, U12 = Layout(16, 16, False), Layout(16, 16, True), Layout(16, 12, False)
SCALES = st.sampled_from(
    [(1.0, 0.0), (1.0, -1024.0), (2.0, 5.0), (0.1, 0.0), (2.44200244, -5000.0), (3.7e-4, 0.0),
     (-1.0, 4095.0), (-0.25, 7.5), (1.0, 0.5), (17.25, -1e4)]
)  # fmt: skip


def read(stored, slope, intercept, dtype):
    """Scale as the standard says, rounded once."""
    return (stored.astype(np.float64) * slope + intercept).astype(dtype)


@hypothesis.given(scale=SCALES, layout=st.sampled_from([U16, S16, U12]), data=st.data())
def test_integers_come_back_from_what_was_read_of_them(scale, layout, data):
    low, high = layout.limits
    integers = st.lists(st.integers(low, high), min_size=1, max_size=20)
    stored = np.array(data.draw(integers), layout.dtype)
    for dtype in ("float32", "float64"):
        values = read(stored, *scale, dtype)
        again = stored_integers(values, *scale, layout)
        np.testing.assert_array_equal(again, stored)
        assert again.dtype == layout.dtype
        assert again.dtype.byteorder in "=<|"
        assert again.flags.c_contiguous
    wide = read(stored, *scale, "float32").astype("float64")  # read as float32, then converted
    np.testing.assert_array_equal(stored_integers(wide, *scale, layout), stored)


@hypothesis.given(values=st.lists(st.integers(-40_000, 70_000), min_size=1), scale=SCALES)
def test_integers_are_exact_or_refused(values, scale):
    for dtype in (np.int32, np.int64, np.float32, np.float64):
        array = np.array(values, dtype)
        for layout in (U16, S16, U12):
            try:
                stored = stored_integers(array, *scale, layout)
            except (NotExactError, ConformanceError):
                continue
            np.testing.assert_array_equal(read(stored, *scale, array.dtype), array)


@hypothesis.given(
    values=st.lists(st.floats(-1e5, 1e5, width=32, allow_nan=False), min_size=1), scale=SCALES
)
def test_floats_are_exact_or_refused(values, scale):
    array = np.array(values, "float32")
    for layout in (U16, S16):
        try:
            stored = stored_integers(array, *scale, layout)
        except (NotExactError, ConformanceError):
            continue
        np.testing.assert_array_equal(read(stored, *scale, "float32"), array)


@pytest.mark.parametrize(
    ("value", "scale"),
    [(0.5, (1.0, 0.0)), (1e-9, (1.0, -1024.0)), (0.3, (0.5, 0.0)), (1, (2.0, 0.0))],
)
def test_what_no_integer_stands_for(value, scale):
    with pytest.raises(NotExactError, match="no stored integer"):
        stored_integers(np.array([value, 2.0], "float32"), *scale, S16)


@pytest.mark.parametrize("value", [-1, 4096, 2**40, -(2**40)])
def test_what_the_layout_does_not_hold(value):
    for dtype in (np.int64, np.float64):
        for scale in ((1.0, 0.0), (1.0, 0.25)):
            shifted = np.array([value], dtype) + (scale[1] if dtype is np.float64 else 0)
            with pytest.raises(NotExactError):
                stored_integers(shifted, *scale, U12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scale", [(1.0, 0.0), (1.0, -5.0), (0.1, 0.0)])
def test_nan_and_infinity_are_refused(bad, scale):
    values = np.array([[1, bad, bad]], "float32")
    with pytest.raises(ConformanceError, match=r"NaN or infinity.*2 such pixels.*fillna"):
        stored_integers(values, *scale, S16)


def test_floats_too_coarse_to_tell_integers_apart():
    stored = np.array([1000, 1001, 1002], "uint16")
    values = read(stored, 1e-4, 1e4, "float32")
    assert len(np.unique(values)) < 3
    with pytest.raises(ConformanceError, match=r"too coarse.*scaling=.stored"):
        stored_integers(values, 1e-4, 1e4, U16)
    fine = read(stored, 1e-4, 1e4, "float64")
    np.testing.assert_array_equal(stored_integers(fine, 1e-4, 1e4, U16), stored)


@pytest.mark.parametrize("dtype", ["bool", "int8", ">i2", ">f4", "float16", "uint64"])
def test_dtypes(dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    for array in (values, np.asfortranarray(values), values[:, ::-1]):
        stored = stored_integers(array, 1.0, 0.0, U16)
        np.testing.assert_array_equal(stored, array)
        assert stored.tobytes() == array.astype("<u2").tobytes()
