"""Philips' floating-point values: (SV·RS + RI) / (RS·SS), SS by its private creator."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

import xdicom
from xdicom.testing import write_enhanced, write_series

CREATOR = "Philips MR Imaging DD 001"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_each_file_by_creator(tmp_path, syntax):
    slope = np.array([1.5, 2.5])
    scale = np.array([0.25, 0.0625])
    stored = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    write_series(tmp_path, {"z": 2}, stored=stored, slope=lambda i: slope[i["z"]], intercept=-3,
                 transfer_syntax=syntax,
                 attributes={(0x2005, 0x0E, "SOMETHING ELSE", "FL"): 99.0,
                             (0x2005, 0x0E, CREATOR, "FL"): lambda i: scale[i["z"]]})  # fmt: skip
    da = xdicom.open_series(tmp_path, scaling="philips_fp")
    s, k = slope[:, None, None], scale[:, None, None]
    np.testing.assert_allclose(da, (stored * s - 3) / (s * k), rtol=1e-6)
    assert da.dtype == np.float32
    assert da.attrs["dicom_scaling"] == "philips_fp"
    assert "units" not in da.attrs


def test_frames_of_enhanced_objects(tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", {"z": 3}, rows=2, columns=2, slope=2.0,
                          stored=np.full((3, 2, 2), 6, np.uint16))  # fmt: skip
    ds = pydicom.dcmread(path)
    for place, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        inner = Dataset()
        inner.private_block(0x2005, CREATOR, create=True).add_new(0x0E, "FL", 2.0**-place)
        outer = group.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        outer.add_new(0x0F, "SQ", [inner])
    ds.save_as(path)
    da = xdicom.open_series(path, scaling="philips_fp")
    assert da.values[:, 0, 0].tolist() == [6, 12, 24]


@pytest.mark.parametrize("attributes", [
    {},
    {(0x2005, 0x0E, "SOMETHING ELSE", "FL"): 1.0},
    {(0x2005, 0x0E, CREATOR, "FL"): 0.0},
])  # fmt: skip
def test_refused_without(tmp_path, attributes):
    write_series(tmp_path, {"z": 1}, attributes=attributes)
    with pytest.raises(xdicom.MissingAttributeError, match=r"\(2005,xx0E\)"):
        xdicom.open_series(tmp_path, scaling="philips_fp")
