"""Real files' values equal pydicom's, or what their own headers say, worked out by hand."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pydicom
import pytest
from peers.collections import root
from pydicom.pixels import apply_modality_lut, pixel_array

import xdicom

pytestmark = pytest.mark.conformance


def header(name):
    return pydicom.dcmread(root() / name, stop_before_pixels=True)


@pytest.mark.parametrize(
    "name",
    [
        "xray/lut/mlut_18.dcm",
        "pet/suyash/1.dcm",
        "pet/suyash/2.dcm",
        "ct/ge_tilt_unequal/14.dcm",
        "mr4d/philips_classic_fieldmap/2001_0001.dcm",
    ],
)
def test_modality_values_are_pydicoms(name):
    expected = apply_modality_lut(pixel_array(root() / name), header(name))
    for scaling in ("modality", "exact"):
        found = xdicom.open_series(root() / name, scaling=scaling).values.squeeze()
        np.testing.assert_array_equal(found, expected.astype(found.dtype))


@pytest.mark.parametrize("name", ["pet/suyash/1.dcm", "pet/suyash/2.dcm"])
def test_suv(name):
    ds = header(name)
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    start, injected = (
        datetime.strptime(str(t)[:6], "%H%M%S")
        for t in (ds.SeriesTime, drug.RadiopharmaceuticalStartTime)
    )
    decay = 0.5 ** ((start - injected).total_seconds() / float(drug.RadionuclideHalfLife))
    factor = float(ds.PatientWeight) * 1000 / (float(drug.RadionuclideTotalDose) * decay)
    activity = xdicom.open_series(root() / name)
    # the seconds' fractions are left out here: a half-life is 6586 s
    np.testing.assert_allclose(xdicom.suv_factor(activity), factor, rtol=2e-4)
    suv = xdicom.open_series(root() / name, scaling="suv")
    np.testing.assert_allclose(suv, activity * factor, rtol=2e-4)
    assert suv.attrs["units"] == "g/mL"


def test_philips_classic_and_enhanced_are_the_same():
    """One scan, exported in both ways (dcm_qa_philips_enh)."""
    folders = ("mr4d/philips_classic_fieldmap", "enhanced/philips_fieldmap")
    classic, enhanced = (
        xdicom.open_series(root() / f, scaling="philips_fp", array=None) for f in folders
    )
    assert classic.dims == enhanced.dims
    np.testing.assert_allclose(classic, enhanced.values, rtol=1e-6)
    ds = header("mr4d/philips_classic_fieldmap/2001_0001.dcm")
    one = xdicom.open_series(
        root() / "mr4d/philips_classic_fieldmap/2001_0001.dcm", scaling="philips_fp"
    )
    stored = pixel_array(root() / "mr4d/philips_classic_fieldmap/2001_0001.dcm").astype(float)
    slope = float(ds.RescaleSlope)
    expected = (stored * slope + float(ds.RescaleIntercept)) / (slope * ds[0x2005, 0x100E].value)
    np.testing.assert_allclose(one.values.squeeze(), expected, rtol=1e-6)


def test_real_world_values():
    stored = pixel_array(root() / "enhanced/nema_ct/eCT_Supplemental.dcm")
    da = xdicom.open_series(root() / "enhanced/nema_ct", scaling="real_world")
    assert da.attrs["units"] == "ml/100ml/s"
    same = xdicom.open_series(root() / "enhanced/nema_ct", rwvm="RCBF")
    np.testing.assert_array_equal(same, da)
    assert float(da.min()) == float(stored.min()) - 1024
    assert float(da.max()) == float(stored.max()) - 1024


def test_a_parametric_map_of_floats():
    name = "pmap/float/parametric_map_float.dcm"
    da = xdicom.open_series(root() / name)
    np.testing.assert_array_equal(da.values.squeeze(), pixel_array(root() / name))
    assert (da.attrs["units"], da.attrs["dicom_scaling"]) == ("1", "real_world")


def test_padding_of_ct():
    name = "ct/ge_tilt_unequal/14.dcm"
    padded = pixel_array(root() / name) == header(name).PixelPaddingValue
    assert padded.any()
    da = xdicom.open_series(root() / name, mask_padding=True)
    np.testing.assert_array_equal(np.isnan(da).squeeze(), padded)
    np.testing.assert_array_equal(da.dicom.padding_mask().squeeze(), padded)
