"""Tiled images of others: the total pixel matrix and its place, as highdicom finds them."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import xarray as xr
from peers.collections import files_of, folder_of

from xdicom.pixels.array import COUNTER

pytestmark = pytest.mark.conformance

SLIDES = "wsi/highdicom"
SEGMENTS = ["seg_image_sm_control_labelmap.dcm", "seg_image_sm_dots_tiled_full.dcm"]


def path_of(name):
    return str(folder_of(name.rsplit("/", 1)[0]) / name.rsplit("/", 1)[1])


def opened(path, **options):
    return xr.open_dataset(path, engine="dicom", mask_and_scale=False, **options).pixels


def test_there_are_slides():
    assert len([f for f in files_of(SLIDES) if f.endswith(".dcm")]) >= 5


@pytest.mark.parametrize(
    "name", ["sm_image", "sm_image_control", "sm_image_grayscale", "sm_image_jpegls",
             "sm_image_jpegls_nobot"]
)  # fmt: skip
def test_the_matrix_is_highdicoms(name):
    highdicom = pytest.importorskip("highdicom")
    path = path_of(f"{SLIDES}/{name}.dcm")
    image = highdicom.imread(path)
    expected = image.get_total_pixel_matrix(apply_real_world_transform=False)
    found = opened(path)
    COUNTER.reset()
    np.testing.assert_array_equal(found[8:22, 31:33], expected[8:22, 31:33])
    assert COUNTER.frames == 3
    np.testing.assert_array_equal(found, expected)
    theirs = highdicom.spatial.PixelToReferenceTransformer.for_image(
        pydicom.dcmread(path), for_total_pixel_matrix=True
    ).affine
    ours = found.dicom.affine
    np.testing.assert_allclose(ours[:, [2, 1, 3]], theirs[:, [0, 1, 3]], atol=1e-7)


@pytest.mark.parametrize("name", SEGMENTS)
def test_tiled_segmentations_are_highdicoms(name):
    highdicom = pytest.importorskip("highdicom")
    path = path_of(f"seg/highdicom/{name}")
    segmentation = highdicom.seg.segread(path)
    label_map = "labelmap" in name
    expected = segmentation.get_total_pixel_matrix(combine_segments=label_map)
    found = opened(path)
    if not label_map:
        found = found.transpose("y", "x", "SegmentNumber")
    assert expected.any()
    np.testing.assert_array_equal(found, expected)
