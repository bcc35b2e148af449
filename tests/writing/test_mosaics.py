"""Slices of a mosaic are written as single images, which no longer say that they are one."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

import xdicom
from xdicom.errors import ConformanceError
from xdicom.testing import write_mosaics
from xdicom.testing.mosaics import UIH_PLACES

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
VENDORS = pytest.mark.parametrize("vendor", ["Siemens", "UIH"])


@pytest.mark.parametrize("syntax", [None, RLELossless])
@pytest.mark.parametrize("descending", [False, True])
@VENDORS
def test_slices_are_images_of_their_own(tmp_path, again, vendor, descending, syntax):
    settings = {"transfer_syntax": syntax} if syntax else {}
    write_mosaics(
        tmp_path / "m", {"EchoTime": [5, 10]}, 7, vendor=vendor, orientation=OBLIQUE,
        descending=descending, slice_spacing=3.3, **settings,
    )  # fmt: skip
    da = xdicom.open_series(tmp_path / "m")
    found = again(da)
    assert found.dims == da.dims
    assert (found.values == da.values).all()
    for name in ("EchoTime", "z", "y", "x"):
        np.testing.assert_allclose(found[name], da[name], atol=1e-4)


@VENDORS
def test_what_describes_the_mosaic_goes(tmp_path, write, vendor):
    write_mosaics(tmp_path / "m", {}, 7, vendor=vendor, slice_times=[1.0] * 7)
    da = xdicom.open_series(tmp_path / "m")
    files = write(da)
    assert len(files) == 7
    assert len({ds.SOPInstanceUID for ds in files}) == 7
    for z, ds in enumerate(files):
        assert (ds.Rows, ds.Columns, ds.InstanceNumber) == (16, 24, z + 1)
        assert list(ds.ImageType) == [
            "DERIVED", "SECONDARY", "M", *(["ND"] if vendor == "Siemens" else [])
        ]  # fmt: skip
        np.testing.assert_allclose(ds.ImagePositionPatient, [-20, -30, 10 + 3 * z])
        assert ds.SliceLocation == 10 + 3 * z
        for tag in (0x0019100A, 0x00191029, 0x00291010, 0x00651050, 0x00651051):
            assert tag not in ds


def test_a_crop_of_a_slice(tmp_path, write):
    write_mosaics(tmp_path / "m", {}, 4)
    (ds,) = write(xdicom.open_series(tmp_path / "m").isel(z=[2], x=slice(5, None, 2), y=slice(4)))
    np.testing.assert_allclose(ds.ImagePositionPatient, [-20 + 5 * 1.25, -30, 16])
    np.testing.assert_allclose(ds.PixelSpacing, [1.5, 2.5])


def test_times_that_uih_says_of_each_slice(tmp_path, write):
    places = [
        {
            "ImagePositionPatient": [-20.0, -30, 10 + 3 * z],
            "AcquisitionDate": "20240229",
            "AcquisitionTime": f"10000{z}.5",
            "AcquisitionDateTime": f"2024022910000{z}.5",
        }
        for z in range(4)
    ]
    bare = dict.fromkeys(["AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"])
    write_mosaics(tmp_path / "m", {}, 4, vendor="UIH", attributes={UIH_PLACES: places, **bare})
    for z, ds in enumerate(write(xdicom.open_series(tmp_path / "m"))):
        assert ds.AcquisitionTime == f"10000{z}.5"
        assert ds.AcquisitionDateTime == f"2024022910000{z}.5"
        assert ds.AcquisitionDate == "20240229"


def test_a_class_that_holds_no_slices_is_refused(tmp_path):
    uid = pydicom.uid.EncapsulatedPDFStorage
    write_mosaics(tmp_path / "m", {}, 4, attributes={"SOPClassUID": uid})
    with pytest.raises(ConformanceError, match="slices of mosaics"):
        xdicom.open_series(tmp_path / "m").dicom.to_dicom(tmp_path / "w")
