"""Grey windows: percentiles, centre and width, the headers' own, after any scaling."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.display.windowing import as_rgb, grey_range
from xdicom.testing import write_series


def window(folder, window="header", **options):
    array = xdicom.open_series(folder, **options)
    return grey_range([array.values], array, window)


def test_auto_leaves_out_what_is_rare_and_what_is_not_finite():
    values = np.r_[np.full(500, np.nan), np.full(500, np.inf), np.linspace(0, 1, 9_998), 1e6, -1e6]
    low, high = grey_range([values], xr.DataArray(0), None)
    assert (low, high) == pytest.approx((0.005, 0.995), abs=1e-3)
    assert grey_range([values], xr.DataArray(0), "auto") == (low, high)


def test_auto_of_a_few_bright_pixels_shows_them():
    values = np.zeros((100, 100))
    values[0, 0] = 1
    assert grey_range([values], xr.DataArray(0), None) == (0, 1)


def test_percentiles_of_very_much_are_of_a_part():
    values = np.tile(np.arange(1000.0), 5000)
    assert grey_range([values], xr.DataArray(0), None) == pytest.approx((5, 994), abs=3)


def test_header_counts_whole_grey_values(tmp_path):
    write_series(tmp_path, {"z": 3}, attributes={"WindowCenter": 40, "WindowWidth": 400})
    assert window(tmp_path) == (-160, 239)


def test_header_by_the_exact_function(tmp_path):
    attributes = {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"}
    write_series(tmp_path, {"z": 3}, attributes=attributes)
    assert window(tmp_path) == (-160, 240)


def test_header_with_several_windows_takes_the_first(tmp_path):
    attributes = {"WindowCenter": [40, 600], "WindowWidth": [401, 2000]}
    write_series(tmp_path, {"z": 3}, attributes=attributes)
    assert window(tmp_path) == (-160.5, 239.5)


def test_header_that_differs_by_frame_spans_all(tmp_path):
    attributes = {"WindowCenter": lambda i: 100 * (i["z"] + 1), "WindowWidth": 101}
    write_series(tmp_path, {"z": 3}, attributes=attributes)
    assert window(tmp_path) == (49.5, 349.5)


def test_header_is_in_units_of_the_modality(tmp_path):
    attributes = {"WindowCenter": 40, "WindowWidth": 401}
    write_series(tmp_path, {"z": 3}, modality="CT", slope=2, intercept=-1000, attributes=attributes)
    assert window(tmp_path) == (-160.5, 239.5)
    assert window(tmp_path, scaling="stored") == (419.75, 619.75)


def test_header_is_no_window_of_other_scalings(tmp_path):
    attributes = {"WindowCenter": 40, "WindowWidth": 401, "PatientWeight": 70}
    write_series(tmp_path, {"z": 3}, modality="PT", attributes=attributes)
    with pytest.raises(ValueError, match="scaling='suv'"):
        window(tmp_path, scaling="suv")


def test_no_window_in_the_headers_is_an_error(tmp_path):
    write_series(tmp_path, {"z": 3}, attributes={"WindowCenter": None, "WindowWidth": None})
    with pytest.raises(ValueError, match='window="auto"'):
        window(tmp_path)


@pytest.mark.parametrize(
    ("frame", "top"),
    [
        (np.array([[[255, 0, 51]]], np.uint8), [1, 0, 0.2]),
        (np.array([[[65535, 0, 13107]]], np.uint16), [1, 0, 0.2]),
        (np.array([[[255.0, 0, 51]]]), [1, 0, 0.2]),
        (np.array([[[1.0, np.nan, 0.2]]]), [1, 0, 0.2]),
    ],
)
def test_colours_become_fractions(frame, top):
    array = xr.DataArray(frame, dims=("y", "x", "sample"))
    np.testing.assert_allclose(as_rgb(frame, array)[0, 0], top, atol=1e-6)
