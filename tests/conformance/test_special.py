"""Real segmentations and doses, against highdicom, SimpleITK and pydicom."""

from __future__ import annotations

import warnings

import numpy as np
import pydicom
import pytest
import xarray as xr
from peers.collections import root
from pydicom.pixels import pixel_array

import xdicom
from xdicom.selecting.segments import hex_color

pytestmark = pytest.mark.conformance

SEGMENTATIONS = [
    "highdicom/seg_image_ct_binary.dcm",
    "highdicom/seg_image_ct_binary_fractional.dcm",
    "highdicom/seg_image_ct_binary_overlap.dcm",
    "highdicom/seg_image_ct_binary_single_frame.dcm",
    "pydicom_liver/liver.dcm",
    "dcmqi_24x38x3/seg/label.seg",
]


def opened(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xdicom.errors.IrregularSpacingWarning)
        return xdicom.open_series(path, **options)


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_segmentations_as_highdicom(name):
    hd = pytest.importorskip("highdicom")
    path = root() / "seg" / name
    da = opened(path)
    theirs = hd.seg.segread(path)
    assert da.dims == ("SegmentNumber", "z", "y", "x")
    assert da.SegmentNumber.values.tolist() == list(theirs.segment_numbers)
    ds = pydicom.dcmread(path)
    frames = pixel_array(ds).reshape(-1, ds.Rows, ds.Columns)
    most = float(ds.get("MaximumFractionalValue", 1))
    seen = np.zeros((da.sizes["SegmentNumber"], da.sizes["z"]), bool)
    for frame, group in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
        shared = ds.SharedFunctionalGroupsSequence[0]
        number = next(
            g.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            for g in (group, shared)
            if "SegmentIdentificationSequence" in g
        )
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        normal = np.array(da.z.attrs["direction"])
        plane = da.sel(SegmentNumber=number).sel(z=position @ normal, method="nearest")
        assert abs(float(plane.z) - position @ normal) < 1e-4
        np.testing.assert_array_equal(plane, (frame / most).astype(da.dtype))
        seen[
            list(da.SegmentNumber.values).index(number),
            np.abs(da.z.values - plane.z.item()).argmin(),
        ] = True
    assert not da.values[~seen].any()
    table = da.dicom.segments
    for number in theirs.segment_numbers:
        described = theirs.get_segment_description(number)
        row = table[table.number == number].iloc[0]
        assert row.label == described.segment_label
        assert row.category == described.segmented_property_category.meaning
        assert row.type == described.segmented_property_type.meaning
        assert row.algorithm == described.algorithm_type.value


@pytest.mark.parametrize("name", ["highdicom/seg_image_ct_binary.dcm", "pydicom_liver/liver.dcm"])
def test_volumes_as_highdicom(name):
    hd = pytest.importorskip("highdicom")
    path = root() / "seg" / name
    da = opened(path)
    volume = hd.seg.segread(path).get_volume(combine_segments=False)
    theirs = np.moveaxis(volume.array, -1, 0)
    ours = da.transpose("SegmentNumber", "z", "y", "x").values
    # volumes ascend along -n there
    np.testing.assert_array_equal(ours[:, ::-1], theirs)
    first = da.dicom.affine @ [da.sizes["z"] - 1, 0, 0, 1]
    np.testing.assert_allclose(first[:3], volume.affine[:3, 3], atol=1e-4)


@pytest.mark.parametrize(
    "other", [f"pydicom_liver/liver_{kind}.dcm" for kind in ("expb", "j2k", "rle", "deflate")]
)
def test_encodings_of_a_segmentation(other):
    first, second = (opened(root() / "seg" / n) for n in ("pydicom_liver/liver.dcm", other))
    np.testing.assert_array_equal(first, second)


def test_on_the_grid_of_its_series():
    tree = xr.open_datatree(root() / "seg/dcmqi_24x38x3", engine="dicom")
    found = {n.ds.attrs["Modality"]: n.ds.pixels for n in tree.subtree if "pixels" in n.ds}
    for dim in "zyx":
        np.testing.assert_array_equal(found["CT"][dim], found["SEG"][dim])
    inside = found["CT"] * (found["SEG"].sel(SegmentNumber=1) > 0)
    assert inside.shape == found["CT"].shape
    assert "OtherGrid" not in set(found["SEG"].dicom.problems.kind)


def test_segments_of_slides():
    """Tiles make planes, as tests/conformance/test_slides.py says; or a list."""
    for name in ("seg_image_sm_control_labelmap", "seg_image_sm_dots_tiled_full"):
        path = root() / f"seg/highdicom/{name}.dcm"
        assert len(opened(path).dicom.segments)
        da = opened(path, dims="flat")
        assert da.dims == ("instance", "y", "x")
        np.testing.assert_array_equal(da, pixel_array(path))
        assert len(da.dicom.segments)


def test_doses_as_simpleitk():
    path = root() / "rtdose/pydicom/rtdose.dcm"
    da = opened(path)
    ds = pydicom.dcmread(path)
    np.testing.assert_array_equal(da, pixel_array(ds) * float(ds.DoseGridScaling))
    offsets = np.array(ds.GridFrameOffsetVector, float)
    np.testing.assert_allclose(da.z, float(ds.ImagePositionPatient[2]) + offsets, atol=1e-5)
    assert da.attrs["units"] == ds.DoseUnits
    for name in ("rtdose_expb.dcm", "rtdose_rle.dcm"):
        np.testing.assert_array_equal(opened(path.with_name(name)), da)
    single = opened(path.with_name("rtdose_1frame.dcm"))
    assert single.dims == ("z", "y", "x")
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(path)
    # GDCM leaves DoseGridScaling to the caller
    stored = opened(path, scaling="stored")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), stored)
    np.testing.assert_allclose(image.GetSpacing(), da.dicom.spacing[::-1], atol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), da.dicom.affine[:3, 3], atol=1e-4)


def test_objects_without_pixels():
    with pytest.warns(xdicom.errors.ExcludedFileWarning):  # one is cut off
        tree = xr.open_datatree(root() / "rtdose/pydicom_nonimage", engine="dicom")
    nodes = {n.ds.attrs["Modality"]: n for n in tree.subtree if "frame_id" in n.coords}
    assert set(nodes) == {"RTPLAN", "RTSTRUCT", "SR", "ECG"}
    for modality, node in nodes.items():
        assert "pixels" not in node.ds
        assert node.dicom.header().Modality == modality
        assert node.ds.attrs["dicom_class"].endswith("Storage")


def test_colours_as_highdicom():
    color = pytest.importorskip("highdicom.color")
    for rgb in ((255, 0, 0), (12, 200, 99), (255, 255, 255), (0, 0, 0), (240, 200, 30)):
        cielab = color.CIELabColor.from_rgb(*rgb).value
        ours = [int(hex_color(cielab)[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(np.array(ours) - rgb).max() <= 1
