"""Words on pictures: values with units, dims by what made them, sides of the patient."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from xdicom.display.labels import frame_label, series_name, sides, text_of


@pytest.mark.parametrize(
    ("value", "units", "text"),
    [
        (np.float64(4.9), "ms", "4.9 ms"),
        (np.float64(-0.5), "mm", "−0.5 mm"),
        (np.float64(12.0), "", "12"),
        (np.int64(-3), "", "−3"),
        (np.str_("M"), "", "M"),
        (np.timedelta64(3_600_000_000, "us"), "", "01:00:00"),
        (np.timedelta64(-1500, "ms"), "", "−00:00:01.5"),
        (np.datetime64("2020-01-02T03:04:05.6"), "", "2020-01-02 03:04:05"),
        (np.timedelta64("NaT"), "", "unknown"),
        (np.datetime64("NaT"), "", "unknown"),
        (np.float64("nan"), "ms", "unknown"),
    ],
)
def test_values_as_a_reader_writes_them(value, units, text):
    assert text_of(value, units) == text


def test_a_dim_without_labels_is_told_by_what_made_it():
    made = {"dims": [{"dim": "diffusion", "attributes": ["g", "DiffusionBValue"]}]}
    array = xr.DataArray(
        np.zeros((2, 1, 1)),
        dims=("diffusion", "y", "x"),
        coords={"DiffusionBValue": ("diffusion", [0.0, 1000.0], {"units": "s/mm²"})},
        attrs={"dicom_dims": json.dumps(made)},
    )
    assert frame_label(array, {"diffusion": 1}) == ["DiffusionBValue 1000 s/mm²"]
    assert frame_label(array.drop_attrs(deep=False), {"diffusion": 1}) == ["diffusion 1"]
    assert frame_label(array.assign_attrs(dicom_dims="?"), {"diffusion": 1}) == ["diffusion 1"]


def test_sides_follow_the_direction_of_the_coordinate():
    x = xr.Variable("x", [0.0, 1.0], {"anatomical": "AI→PS"})
    array = xr.DataArray(np.zeros((1, 2)), dims=("y", "x"), coords={"x": x})
    assert sides(array, "x") == ("AI", "PS")
    assert sides(array.isel(x=slice(None, None, -1)), "x") == ("PS", "AI")
    assert sides(array, "y") == ("", "")


def test_a_series_has_some_name():
    array = xr.DataArray(0, attrs={"SeriesDescription": " ", "Modality": "MR"})
    assert series_name(array) == "MR"
    assert series_name(xr.DataArray(0, name="pixels")) == "pixels"
    assert series_name(xr.DataArray(0)) == "array"
