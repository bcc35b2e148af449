"""A stored frame that holds many slices is as many rows, or one that says why."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from xdicom import scan
from xdicom.errors import DuplicateInstanceError
from xdicom.headers.mosaic import NO_COUNT, SLICE_TIME, STORED_SIZE, UNCUT, is_mosaic
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.table import frame_id
from xdicom.testing import csa_header, write_enhanced, write_mosaics, write_multiframe, write_series
from xdicom.testing.mosaics import (
    CSA_IMAGE_HEADER,
    SIEMENS_IMAGES,
    SIEMENS_TIMES,
    UIH_IMAGES,
    UIH_PLACES,
)

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
]
VENDORS = pytest.mark.parametrize("vendor", ["Siemens", "UIH"])


def positions(table):
    return table.numbers("ImagePositionPatient", 3).reshape(-1, 3)


def reason(folder):
    """Why the one frame in a folder was not cut."""
    table = scan_table(folder)
    assert len(table) == 1
    assert not table.tile.any()
    assert STORED_SIZE not in table.columns
    return str(table.strings(UNCUT)[0])


@pytest.mark.parametrize("slices", [1, 2, 4, 7, 16, 35])
@pytest.mark.parametrize("descending", [False, True])
@VENDORS
def test_each_slice_is_a_row_in_its_place(tmp_path, vendor, slices, descending):
    write_mosaics(
        tmp_path, {}, slices, vendor=vendor, descending=descending, orientation=OBLIQUE,
        origin=(3, -70.25, 41), slice_spacing=3.6,
    )  # fmt: skip
    table = scan_table(tmp_path)
    assert table.tile.tolist() == list(range(1, slices + 1))
    assert table.frame_number.tolist() == [1] * slices
    assert len(set(table.frame_id.tolist())) == slices
    assert table.frame_id[0] == frame_id(table.strings("SOPInstanceUID")[0], 1, 1)
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:]) * (-3.6 if descending else 3.6)
    expected = np.array([3, -70.25, 41]) + np.arange(slices)[:, None] * normal
    np.testing.assert_allclose(positions(table), expected, atol=1e-8)
    assert set(table.strings("Rows")) == {"16"}
    assert set(table.strings("Columns")) == {"24"}
    assert UNCUT not in table.columns
    assert not table.problems


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
@VENDORS
def test_in_every_transfer_syntax(tmp_path, vendor, syntax):
    write_mosaics(tmp_path / "a", {}, 7, vendor=vendor, seed=2)
    write_mosaics(tmp_path / "b", {}, 7, vendor=vendor, seed=2, transfer_syntax=syntax)
    one, other = (scan_table(tmp_path / name) for name in "ab")
    assert other.frame_id.tolist() == one.frame_id.tolist()
    assert positions(other).tolist() == positions(one).tolist()


def test_both_forms_of_the_csa_header_serve(tmp_path):
    for form in (1, 2):
        folder = tmp_path / str(form)
        write_mosaics(folder, {}, 5, form=form, attributes={SIEMENS_IMAGES: None})
    one, other = (scan_table(tmp_path / name) for name in "12")
    assert len(one) == 5
    assert positions(other).tolist() == positions(one).tolist()


@VENDORS
def test_the_block_of_a_private_creator_does_not_matter(tmp_path, vendor):
    (path,) = write_mosaics(tmp_path, {}, 5, vendor=vendor)
    before = positions(scan_table(tmp_path))
    dataset = pydicom.dcmread(path)
    for tag in [e.tag for e in dataset if e.tag.is_private]:
        element = dataset[tag]
        del dataset[tag]
        moved = tag.element + (0x27 if tag.element < 0x100 else 0x2700)
        dataset.add_new((tag.group, moved), element.VR, element.value)
        if tag.element < 0x100:  # the block before it is another vendor's
            dataset.add_new(tag, "LO", "SOMEBODY ELSE")
        else:
            dataset.add_new(tag, "US", 3)
    dataset.save_as(path)
    table = scan_table(tmp_path)
    assert len(table) == 5
    np.testing.assert_allclose(positions(table), before)


def test_a_sequence_of_unknown_vr_is_read(tmp_path):
    """A transfer through implicit VR, or a writer without a dictionary, leaves UN."""
    (path,) = write_mosaics(tmp_path, {}, 3, vendor="UIH", transfer_syntax=ImplicitVRLittleEndian)
    before = positions(scan_table(tmp_path))
    dataset = pydicom.dcmread(path)
    raw = dataset.get_item((0x0065, 0x1051)).value
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    del dataset[0x0065, 0x1051]
    dataset.add_new((0x0065, 0x1051), "UN", raw)
    dataset.save_as(path, implicit_vr=False, little_endian=True)
    assert pydicom.dcmread(path).get_item((0x0065, 0x1051)).VR == "UN"
    np.testing.assert_allclose(positions(scan_table(tmp_path)), before)


@pytest.mark.parametrize("private", [True, False])
def test_slice_times_count_from_the_first_slice(tmp_path, private):
    times = [1500.0, 250, 2000, 750, 1250]
    attributes = {} if private else {SIEMENS_TIMES: None}
    write_mosaics(tmp_path, {}, 5, slice_times=times, attributes=attributes)
    assert scan_table(tmp_path).strings(SLICE_TIME).tolist() == [
        "1.25",
        "0.0",
        "1.75",
        "0.5",
        "1.0",
    ]


def test_slice_times_of_another_number_of_slices_are_none(tmp_path):
    write_mosaics(tmp_path, {}, 5, slice_times=[1, 2, 3])
    table = scan_table(tmp_path)
    assert len(table) == 5
    assert SLICE_TIME not in table.columns


TAGS = {"SliceNormalVector": [0, 0, 1], "NumberOfImagesInMosaic": [5]}


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({SIEMENS_IMAGES: None, CSA_IMAGE_HEADER: None}, NO_COUNT),
        ({SIEMENS_IMAGES: 0, CSA_IMAGE_HEADER: None}, NO_COUNT),
        ({SIEMENS_IMAGES: None, CSA_IMAGE_HEADER: csa_header(TAGS)[:150]}, "header is damaged"),
        ({CSA_IMAGE_HEADER: None}, "in which direction"),
        ({CSA_IMAGE_HEADER: b"SV10\4\3\2\1\xff\xff\xff\xff"}, "header is damaged"),
        ({CSA_IMAGE_HEADER: csa_header({})}, "in which direction"),
        ({CSA_IMAGE_HEADER: csa_header({"SliceNormalVector": [0, 0]})}, "in which direction"),
        ({CSA_IMAGE_HEADER: csa_header({"SliceNormalVector": [0, 0, 0]})}, "in which direction"),
        ({CSA_IMAGE_HEADER: csa_header({"SliceNormalVector": [0, "x", 1]})}, "in which direction"),
        ({CSA_IMAGE_HEADER: csa_header({"SliceNormalVector": [0, 0.6, 0.8]})}, "not normal"),
        ({SIEMENS_IMAGES: 7}, r"disagree .*\[5, 7\]"),
        ({"SpacingBetweenSlices": None}, "how far"),
        ({"SpacingBetweenSlices": 0}, "how far"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient is missing"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "ImageOrientationPatient is missing or invalid"),
        ({"PixelSpacing": None}, "PixelSpacing is missing"),
        ({"AcquisitionMatrix": [0, 64, 64, 0]}, "smaller than the acquisition matrix of 64"),
    ],
)
def test_in_doubt_a_mosaic_stays_whole(tmp_path, attributes, why):
    write_mosaics(tmp_path, {}, 5, attributes=attributes)
    found = reason(tmp_path)
    assert re.search(why, found), found


def test_spacing_of_the_csa_header_serves_where_there_is_no_other(tmp_path):
    tags = {**TAGS, "SpacingBetweenSlices": ["4.5"]}
    attributes = {"SpacingBetweenSlices": None, CSA_IMAGE_HEADER: csa_header(tags)}
    write_mosaics(tmp_path, {}, 5, attributes=attributes)
    np.testing.assert_allclose(np.diff(positions(scan_table(tmp_path))[:, 2]), 4.5)


def test_rows_that_the_tiles_do_not_divide(tmp_path):
    frame = np.zeros((47, 72), "uint16")
    write_mosaics(tmp_path / "good", {}, 5)
    write_series(
        tmp_path / "bad",
        {},
        stored=lambda index: frame,
        attributes={
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
            SIEMENS_IMAGES: 5,
            CSA_IMAGE_HEADER: csa_header(TAGS),
        },
    )
    assert reason(tmp_path / "bad") == "47 × 72 pixels do not make 3 × 3 tiles"


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({UIH_IMAGES: None}, NO_COUNT),
        ({UIH_IMAGES: 5.5}, NO_COUNT),
        ({UIH_IMAGES: 6.0}, "places of 5 of 6 slices"),
        ({UIH_PLACES: None}, "places of 0 of 5 slices"),
        ({UIH_PLACES: [{"SliceLocation": 1.0}] * 5}, "ImagePositionPatient is missing"),
        ({UIH_IMAGES: 7.0, UIH_PLACES: [{"SliceLocation": 1.0}] * 7}, "32 × 72 pixels do not make"),
    ],
)
def test_in_doubt_a_vframe_stays_whole(tmp_path, attributes, why):
    write_mosaics(tmp_path, {}, 5, vendor="UIH", attributes=attributes)
    assert why in reason(tmp_path)


def test_private_elements_alone_make_no_mosaic(tmp_path):
    """ImageType decides; what reads an ordinary image looks for nothing else."""
    write_mosaics(tmp_path, {}, 5, attributes={"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]})
    table = scan_table(tmp_path)
    assert len(table) == 1
    assert UNCUT not in table.columns
    assert not is_mosaic(r"ORIGINAL\PRIMARY\M\NOMOSAIC")


@pytest.mark.parametrize("order", [1, -1])
def test_templates_leave_mosaics_to_the_walk(tmp_path, order):
    """A mosaic whose elements are laid out as those of other images is no match of theirs."""
    kinds = ["MOSAIC", "NORMAL", "OTHER "]
    attributes = {
        "ImageType": lambda i: ["ORIGINAL", "PRIMARY", "M", "ND", kinds[i["instance"] % 3]]
    }
    write_mosaics(tmp_path, {"instance": 12}, 5, attributes=attributes)
    if order < 0:
        for i, path in enumerate(sorted(tmp_path.iterdir(), reverse=True)):
            path.rename(tmp_path / f"{i:03}.dcm")
    forced, walked = (scan_table(tmp_path, ScanOptions(templates=t)) for t in (True, False))
    assert len(forced) == 4 * 5 + 8
    assert forced.frame_id.tolist() == walked.frame_id.tolist()
    assert forced.tile.tolist() == walked.tile.tolist()


def test_frames_of_a_multiframe_object_are_cut_each(tmp_path):
    frames = np.arange(2 * 32 * 48, dtype="uint16").reshape(2, 32, 48)
    attributes = {
        "ImageType": ["DERIVED", "SECONDARY", "M", "MOSAIC"],
        "ImagePositionPatient": [0.0, 0, 0],
        "ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0],
        "PixelSpacing": [1.0, 1],
        "SpacingBetweenSlices": 2.0,
        SIEMENS_IMAGES: 3,
        CSA_IMAGE_HEADER: csa_header({"SliceNormalVector": [0, 0, -1]}),
    }
    write_multiframe(tmp_path / "a.dcm", frames, attributes=attributes)
    table = scan_table(tmp_path)
    assert table.frame_number.tolist() == [1, 1, 1, 2, 2, 2]
    assert table.tile.tolist() == [1, 2, 3, 1, 2, 3]
    assert positions(table).tolist() == [[12, 8, 0], [12, 8, -2], [12, 8, -4]] * 2


@pytest.mark.parametrize("of_frames", [True, False])
def test_frames_of_an_enhanced_object_are_cut(tmp_path, of_frames):
    attributes = {
        SIEMENS_IMAGES: 3,
        CSA_IMAGE_HEADER: csa_header({"SliceNormalVector": [0, 0, 1]}),
        "SpacingBetweenSlices": 2.0,
    }
    kind = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    dims = {"time": [{"TemporalPositionIndex": i + 1} for i in range(2)]}
    if of_frames:
        dims = {"time": [{"FrameType": kind, **entry} for entry in dims["time"]]}
    else:
        attributes["ImageType"] = kind
    write_enhanced(tmp_path / "a.dcm", dims, rows=32, columns=48, attributes=attributes)
    table = scan_table(tmp_path)
    assert table.frame_number.tolist() == [1] * 3 + [2] * 3
    assert len(set(table.frame_id.tolist())) == 6
    np.testing.assert_allclose(
        np.diff(positions(table)[:3, 2]), table.numbers("SpacingBetweenSlices")[0]
    )


def test_duplicates_are_found_and_conflicts_marked(tmp_path):
    (path,) = write_mosaics(tmp_path, {}, 5)
    shutil.copy(path, tmp_path / "copy.dcm")
    table = scan_table(tmp_path)
    assert len(table) == 5
    assert [p.kind for p in table.problems] == ["DuplicateFile"]
    dataset = pydicom.dcmread(tmp_path / "copy.dcm")
    dataset.NumberOfAverages = 3
    del dataset[0x0019, 0x100A], dataset[0x0029, 0x1010]
    dataset.save_as(tmp_path / "copy.dcm")
    table = scan_table(tmp_path)
    assert len(table) == 6
    assert len(set(table.frame_id.tolist())) == 6
    assert [p.kind for p in table.problems] == ["DuplicateInstance"]
    with pytest.raises(DuplicateInstanceError):
        scan(tmp_path).open()


def test_an_index_keeps_the_slices(tmp_path):
    times = [100.0 * i for i in range(7)]
    write_mosaics(tmp_path / "s", {"time": [0, 2, 4]}, 7, shuffle=3, slice_times=times)
    (bad,) = write_mosaics(tmp_path / "t", {}, 7, attributes={CSA_IMAGE_HEADER: None}, seed=5)
    shutil.copy(bad, tmp_path / "s" / "whole.dcm")
    plain = scan(tmp_path / "s")
    first = scan(tmp_path / "s", index=tmp_path / "i.sqlite")
    again = scan(tmp_path / "s", index=tmp_path / "i.sqlite")
    assert again.counts.known == 4
    for one in (first, again):
        assert one.counts.templates == 0
        assert len(one) == len(plain) == 2
        assert one.series["frames"].tolist() == plain.series["frames"].tolist()
        assert sorted(one.series["frames"].tolist()) == [1, 21]


def test_an_index_finds_copies_of_mosaics(tmp_path):
    paths = write_mosaics(tmp_path / "s", {"time": [0, 2]}, 5)
    scan(tmp_path / "s", index=tmp_path / "i.sqlite")
    shutil.copy(paths[0], tmp_path / "s" / "zz.dcm")
    catalog = scan(tmp_path / "s", index=tmp_path / "i.sqlite")
    assert catalog.problems["kind"].tolist() == ["DuplicateFile"]
    assert catalog.series["frames"].tolist() == [10]
