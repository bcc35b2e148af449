"""Segmentations that highdicom writes, and ours as highdicom reads them."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from xdicom.testing import write_segmentation, write_series

hd = pytest.importorskip("highdicom")
SLICES, ROWS, COLUMNS = 7, 9, 10
LABELS = {1: "left", 2: "right", 4: "none"}


@pytest.fixture
def volume(tmp_path):
    """A CT in shuffled files, and which slice each of its datasets is."""
    seed = int(np.random.default_rng().integers(10**6))
    files = write_series(
        tmp_path / "ct", {"z": SLICES}, rows=ROWS, columns=COLUMNS, modality="CT", shuffle=seed,
        seed=seed, orientation=(0, 1, 0, 0, 0, -1), pixel_spacing=(0.7, 0.661468),
        frame_of_reference_uid=pydicom.uid.generate_uid(),
        attributes={"SeriesInstanceUID": pydicom.uid.generate_uid()},
    )  # fmt: skip
    return [pydicom.dcmread(file) for file in files]


def masks(overlap):
    random = np.random.default_rng(5)
    found = {number: np.zeros((SLICES, ROWS, COLUMNS), bool) for number in (1, 2, 4)}
    found[1][2:5] = random.random((3, ROWS, COLUMNS)) < 0.5
    found[2][4:6] = random.random((2, ROWS, COLUMNS)) < 0.5
    if not overlap:
        found[2] &= ~found[1]
    return found


def write(path, volume, pixels, kind, **options):
    code = hd.sr.CodedConcept("85756007", "SCT", "Tissue")
    color = hd.color.CIELabColor.from_rgb(255, 128, 0)
    segmentation = hd.seg.Segmentation(
        source_images=volume,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=label,
                segmented_property_category=code,
                segmented_property_type=code,
                algorithm_type="MANUAL",
                display_color=color,
            )
            for number, label in options.pop("labels", LABELS).items()
        ],
        series_instance_uid=hd.UID(),
        series_number=20,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="someone",
        manufacturer_model_name="something",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    segmentation.save_as(path)


def opened(folder):
    tree = xr.open_datatree(folder, engine="dicom")
    found = {n.ds.attrs["Modality"]: n.ds.pixels for n in tree.subtree if "pixels" in n.ds}
    image, seg = found["CT"], found["SEG"]
    for dim in "zyx":
        np.testing.assert_array_equal(image[dim], seg[dim])
    return seg


@pytest.mark.parametrize("omit", [True, False])
def test_binary(tmp_path, volume, omit):
    found = dict(zip((1, 2, 3), masks(True).values(), strict=True))
    pixels = np.stack(list(found.values()), axis=-1).astype(np.uint8)
    labels = {1: "left", 2: "right", 3: "none"}
    path = tmp_path / "seg.dcm"
    write(path, volume, pixels, "BINARY", labels=labels, omit_empty_frames=omit)
    seg = opened(tmp_path)
    assert seg.dims == ("SegmentNumber", "z", "y", "x")
    for number, mask in found.items():
        np.testing.assert_array_equal(seg.sel(SegmentNumber=number), mask)
    assert seg.segment_label.values.tolist() == list(labels.values())
    colors = seg.dicom.segments.color
    assert all(np.abs(int(c[1:3], 16) - 255) <= 1 and c[5:] in ("00", "01") for c in colors)


def test_fractional(tmp_path, volume):
    values = np.random.default_rng(3).random((SLICES, ROWS, COLUMNS))
    values[3:] = 0
    write(tmp_path / "seg.dcm", volume, values, "FRACTIONAL", labels={1: "one"})
    seg = opened(tmp_path)
    np.testing.assert_allclose(seg[0], values, atol=0.5 / 255 + 1e-7)
    assert seg.attrs["SegmentationFractionalType"] == "PROBABILITY"


def test_label_map(tmp_path, volume):
    found = masks(False)
    labels = sum(number * mask.astype(np.uint8) for number, mask in found.items())
    write(tmp_path / "seg.dcm", volume, labels, "LABELMAP")
    seg = opened(tmp_path)
    assert (seg.dims, seg.dtype) == (("z", "y", "x"), np.uint8)
    np.testing.assert_array_equal(seg, labels)
    segments = seg.dicom.segments.set_index("number")
    assert {n: segments.label[n] for n in LABELS} == LABELS


def test_highdicom_reads_ours(tmp_path, volume):
    found = masks(True)
    path = write_segmentation(
        tmp_path / "seg.dcm", {n: m for n, m in found.items() if n != 4},
        orientation=(0, 1, 0, 0, 0, -1), segmented=[ds.filename for ds in volume], shuffle=4,
    )  # fmt: skip
    theirs = hd.seg.segread(path)
    array = theirs.get_volume(combine_segments=False).array
    ours = xdicom.open_series(path)
    np.testing.assert_array_equal(np.moveaxis(array, -1, 0)[:, ::-1], ours)
