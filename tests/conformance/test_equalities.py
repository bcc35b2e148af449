"""The same images in other encodings open to equal arrays."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from peers.collections import files_of, folder_of, nodes, open_file, pixel_truth, quiet
from peers.pixels import header
from pydicom.uid import (
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from xdicom.errors import DuplicateInstanceError, XDicomError

pytestmark = pytest.mark.conformance

LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000)

PAIRS = [
    ("mr4d/philips_classic_fieldmap", "enhanced/philips_fieldmap", 212),
    ("enhanced/agfa_vs_siemens_agfa", "enhanced/agfa_vs_siemens_siemens", 100),
    ("mr3d/d2n_compressed", "mr3d/d2n_compressed_j2k", 4),
    ("mr3d/d2n_compressed", "mr3d/d2n_compressed_jpeg", 4),
    ("mr3d/d2n_compressed", "mr3d/d2n_compressed_jpegls", 4),
    ("mr3d/d2n_compressed", "mr3d/d2n_compressed_rle", 4),
]
"""The same frames in two forms, and how many."""

THEIR_OWN = {
    "frame_id",  # of the instance's own UID
    "InstanceNumber",  # one for each file
    "PixelBandwidth",  # Philips rounds it in classic files: 1008 and 1008.0645
}

ENCODINGS = ["ts/dcm_qa_ts", "ts/cornerstone_ctimage", "ts/mr_small", "ts/encaps_ct1",
             "enhanced/pydicom_emri"]  # fmt: skip
"""Files of one image in several transfer syntaxes."""


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize(("one", "other", "frames"), PAIRS)
def test_collections_are_equal(one, other, frames, scale):
    (first,) = nodes(folder_of(one), mask_and_scale=scale)
    (second,) = nodes(folder_of(other), mask_and_scale=scale)
    assert first.dataset["frame_id"].size == frames
    _assert_equal(first.dataset, second.dataset)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings_are_equal(name, scale):
    images = {}
    for path in files_of(name):
        head = header(path)
        if head.file_meta.TransferSyntaxUID in LOSSY or pixel_truth(path, "rgb") is None:
            continue
        try:
            images[path] = open_file(path, mask_and_scale=scale)
        except XDicomError:
            assert pixel_truth(path, "rgb").error
    first, *others = images.values()
    assert len(others) >= 4
    for other in others:
        _assert_equal(first, other)


@pytest.mark.parametrize("name", ["ts/mr_small", "ts/encaps_ct1", "enhanced/pydicom_emri"])
def test_encodings_under_one_uid_are_no_series(name):
    with quiet(), pytest.raises(DuplicateInstanceError):
        xr.open_dataset(folder_of(name), engine="dicom")


def _assert_equal(one: xr.Dataset, other: xr.Dataset) -> None:
    a, b = one["pixels"], other["pixels"]
    assert a.dims == b.dims
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a.values, b.values)
    shared = (set(one.coords) & set(other.coords)) - THEIR_OWN
    assert {*a.dims, "z", "y", "x", "EchoTime", "RepetitionTime"} & set(one.coords) <= shared
    for name in shared:
        assert one[name].dims == other[name].dims, name
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)
    space, theirs = one["patient_space"].attrs, other["patient_space"].attrs
    for key in ("geometry", "ImageOrientationPatient", "z_step_assumed"):
        assert space.get(key) == theirs.get(key)
