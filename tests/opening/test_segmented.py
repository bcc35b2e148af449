"""Segmentations stand on the grid of the series that they segment, where that is in the tree."""

from __future__ import annotations

import shutil

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from xdicom.testing import write_segmentation, write_series

ROWS, COLUMNS, SLICES = 12, 10, 8
OBLIQUE = (0.96, 0.0, -0.28, 0.0, 1.0, 0.0)


def mask(*slices, rows=ROWS, columns=COLUMNS, seed=0):
    found = np.random.default_rng(seed).random((SLICES, rows, columns)) < 0.5
    found[[i for i in range(SLICES) if i not in slices]] = False
    return found


class Study:
    """A folder with a series, and segmentations of it."""

    def __init__(self, folder, **options):
        seed = int(np.random.default_rng().integers(10**6))
        self.folder = folder
        self.options = {"orientation": OBLIQUE, "pixel_spacing": (0.7, 0.661468)} | options
        dims = {"z": self.options.pop("z", SLICES), **self.options.pop("dims", {})}
        self.files = write_series(
            folder / "image", dims, rows=ROWS, columns=COLUMNS, modality="MR", seed=seed,
            shuffle=seed, **self.options,
        )  # fmt: skip
        self.options.pop("attributes", None)

    def segment(self, masks, **options):
        given = {**self.options, "segmented": self.files, "seed": 5, "shuffle": 5, **options}
        return write_segmentation(self.folder / "segmentation.dcm", masks, **given)

    def tree(self, **options):
        found = {}
        for node in xr.open_datatree(self.folder, engine="dicom", **options).subtree:
            if "pixels" in node.ds:
                found[node.ds.attrs["Modality"]] = node.ds.pixels
        return found["MR"], found["SEG"]


@pytest.fixture
def study(tmp_path):
    return lambda **options: Study(tmp_path, **options)


def problems(seg):
    return seg.dicom.problems.kind.tolist()


def assert_same_grid(image, seg):
    for dim in "zyx":
        np.testing.assert_array_equal(seg[dim], image[dim])
    image_space, seg_space = (a.patient_space.attrs for a in (image, seg))
    assert image_space == seg_space


@pytest.mark.parametrize("refer_by", ["series", "instances", "frames"])
def test_on_the_grid_of_what_is_segmented(study, refer_by):
    study = study()
    masks = {1: mask(2, 3), 2: mask(3, 4, 6, seed=1)}
    study.segment(masks, refer_by=refer_by)
    image, seg = study.tree()
    assert_same_grid(image, seg)
    np.testing.assert_array_equal(seg, np.stack([masks[1], masks[2]]))
    assert problems(seg) == []
    inside = image * (seg.sel(SegmentNumber=2) > 0)
    assert inside.shape == image.shape
    np.testing.assert_array_equal(inside, image.values * masks[2])
    np.testing.assert_array_equal(seg.dicom.affine, image.dicom.affine)


def test_a_catalog_too(study):
    study = study()
    study.segment({1: mask(2, 3)})
    tree = xdicom.scan(study.folder).open_datatree()
    sizes = {n.ds.attrs["Modality"]: n.ds.sizes["z"] for n in tree.subtree if "pixels" in n.ds}
    assert sizes == {"MR": SLICES, "SEG": SLICES}


def test_alone_on_its_own(study):
    study = study()
    path = study.segment({1: mask(2, 3)})
    seg = xdicom.open_series(path)
    assert seg.sizes["z"] == 2
    shutil.rmtree(study.folder / "image")
    tree = xr.open_datatree(study.folder, engine="dicom")
    (node,) = [n for n in tree.subtree if "pixels" in n.ds]
    assert node.ds.sizes["z"] == 2
    assert problems(node.ds.pixels) == []


def test_its_own_grid_aligns_too(study):
    study = study()
    study.segment({1: mask(2, 3)})
    image = xdicom.open_series(study.folder / "image")
    seg = xdicom.open_series(study.folder / "segmentation.dcm")
    inside = image * (seg.sel(SegmentNumber=1) > 0)
    np.testing.assert_array_equal(inside, (image.values * mask(2, 3))[2:4])
    whole = seg.reindex(z=image.z, fill_value=0)
    np.testing.assert_array_equal(whole[0], mask(2, 3))


def test_label_maps(study):
    study = study()
    study.segment({7: mask(1, 5)}, kind="labelmap")
    image, seg = study.tree()
    assert_same_grid(image, seg)
    np.testing.assert_array_equal(seg, 7 * mask(1, 5))


def test_positions_within_tolerance_take_the_numbers_of_the_series(study):
    study = study(origin=(1.0, 2.0, 3.0))
    study.segment({1: mask(2, 3)}, origin=(1.004, 2.003, 2.996))
    image, seg = study.tree()
    assert_same_grid(image, seg)


def test_several_times(study):
    study = study(dims={"time": [0, 1, 2]})
    study.segment({1: mask(2, 3)})
    image, seg = study.tree()
    assert image.sizes["time"] == 3
    assert_same_grid(image, seg)
    assert (image * (seg.sel(SegmentNumber=1) > 0)).sizes == image.sizes


def test_a_part_of_the_plane(study):
    study = study(orientation=(1, 0, 0, 0, 1, 0), origin=(-3.17, 0.123455, 4.0))
    part = mask(2, 3, rows=5, columns=4)
    start = (-3.17 + 3 * 0.661468, 0.123455 + 6 * 0.7, 4.0)
    study.segment({1: part}, origin=start)
    image, seg = study.tree()
    np.testing.assert_array_equal(seg.x, image.x[3:7])
    np.testing.assert_array_equal(seg.y, image.y[6:11])
    np.testing.assert_array_equal(seg.z, image.z)
    inside = image * (seg.sel(SegmentNumber=1) > 0)
    np.testing.assert_array_equal(inside, image[:, 6:11, 3:7].values * part)


def test_missing_slices_of_the_series(study):
    positions = [0, 3, 6, 9, 15, 18, 21, 24]
    study = study(z=positions)
    study.segment({1: mask(3, 4)}, positions=positions)
    with pytest.warns(xdicom.errors.IrregularSpacingWarning):
        image, seg = study.tree()
    assert_same_grid(image, seg)
    np.testing.assert_array_equal(seg[0], mask(3, 4))


@pytest.mark.parametrize("slices", [(2, 3, 5), (4,)])
def test_tilted_slices(study, slices):
    """Origins drift in plane from slice to slice, as of a tilted gantry."""
    axial = (1, 0, 0, 0, 1, 0)
    drift = {"ImagePositionPatient": lambda i: [-20.0, -30.0 + i["z"], 10.0 + 3 * i["z"]]}
    study = study(orientation=axial, attributes=drift)
    path = study.segment({1: mask(*slices)})
    ds = pydicom.dcmread(path)
    for group in ds.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0].ImagePositionPatient
        place[1] = -30.0 + (place[2] - 10) / 3
    ds.save_as(path)
    with pytest.warns(xdicom.errors.ShearedStackWarning):
        image, seg = study.tree()
    assert_same_grid(image, seg)
    if len(slices) > 1:
        np.testing.assert_allclose(seg.dicom.affine, image.dicom.affine, atol=1e-9)
    np.testing.assert_array_equal(seg[0], mask(*slices))


def test_slices_that_are_not_tilted(study):
    drift = {"ImagePositionPatient": lambda i: [-20.0, -30.0 + i["z"], 10.0 + 3 * i["z"]]}
    study = study(orientation=(1, 0, 0, 0, 1, 0), attributes=drift)
    study.segment({1: mask(2, 3)})
    with pytest.warns(xdicom.errors.ShearedStackWarning):
        _, seg = study.tree()
    assert seg.sizes["z"] == 2
    assert problems(seg) == ["OtherGrid"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"slice_spacing": 2.0}, "slices lie on those"),
        ({"origin": (-20.0, -30.0, 11.0)}, "slices lie on those|pixels do not lie"),
        ({"origin": (-19.8, -30.0, 10.0)}, "slices lie on those|pixels do not lie"),
        ({"pixel_spacing": (0.7, 0.7)}, "pixels do not lie"),
        ({"orientation": (0.96, 0.0, -0.28, 0.0, -1.0, 0.0)}, "orientation"),
        ({"frame_of_reference_uid": "1.2.3"}, "FrameOfReferenceUID"),
    ],
)
def test_other_grids_are_kept(study, options, why):
    study = study()
    study.segment({1: mask(2, 3, 4)}, **options)
    _, seg = study.tree()
    assert seg.sizes["z"] == 3
    assert problems(seg) == ["OtherGrid"]
    assert seg.dicom.problems.message.str.contains(why).all()
    assert "OtherGrid" in str(seg.dicom.explain())


def test_lists_are_left_alone(study):
    study = study()
    study.segment({1: mask(2, 3)})
    _, seg = study.tree(dims="flat")
    assert seg.dims[0] == "instance"


def test_nodes_keep_their_order(study):
    study = study()
    study.segment({1: mask(2, 3)}, series_number=0)
    paths = [n.path for n in xr.open_datatree(study.folder, engine="dicom").subtree]
    names = [p.rsplit("/", 1)[1][:2] for p in paths[-2:]]
    assert names == ["0-", "1-"]
