"""Simulated segmentations, doses and parametric maps, checked with pydicom."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array

from xdicom import testing

MASKS = {3: np.eye(7, dtype=bool)[None].repeat(4, 0), 9: np.zeros((4, 7, 7), bool)}
MASKS[9][2, 1, 5] = True


@pytest.mark.parametrize("shuffle", [None, 2])
@pytest.mark.parametrize("keep_empty", [False, True])
def test_frames_of_segments(tmp_path, shuffle, keep_empty):
    path = testing.write_segmentation(
        tmp_path / "a" / "b.dcm", MASKS, shuffle=shuffle, keep_empty=keep_empty
    )
    ds = pydicom.dcmread(path)
    assert (ds.SegmentationType, ds.BitsAllocated) == ("BINARY", 1)
    assert len(ds.PerFrameFunctionalGroupsSequence) == ds.NumberOfFrames == (8 if keep_empty else 5)
    assert [item.SegmentNumber for item in ds.SegmentSequence] == [3, 9]
    found = []
    for frame, group in zip(pixel_array(ds), ds.PerFrameFunctionalGroupsSequence, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        z = float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        place = round((z - 10) / 3)
        index = [[3, 9].index(number) + 1, place + 1]
        assert list(group.FrameContentSequence[0].DimensionIndexValues) == index
        np.testing.assert_array_equal(frame, MASKS[number][place])
        found.append(index)
    assert (found == sorted(found)) is (shuffle is None)
    pointers = [item.DimensionIndexPointer for item in ds.DimensionIndexSequence]
    assert pointers == [0x0062000B, 0x00200032]


def test_what_is_segmented(tmp_path):
    files = testing.write_series(tmp_path, {"z": 4}, seed=3, patient_id="someone")
    first = pydicom.dcmread(files[0])
    path = testing.write_segmentation(tmp_path / "seg.dcm", MASKS, segmented=files)
    ds = pydicom.dcmread(path)
    (series,) = ds.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert len(series.ReferencedInstanceSequence) == 4
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert ds[keyword].value == first[keyword].value


def test_kinds(tmp_path):
    stored = {1: np.arange(49).reshape(1, 7, 7)}
    ds = pydicom.dcmread(
        testing.write_segmentation(tmp_path / "a.dcm", stored, kind="fractional", maximum=48)
    )
    assert (ds.SegmentationType, ds.MaximumFractionalValue) == ("FRACTIONAL", 48)
    np.testing.assert_array_equal(pixel_array(ds), stored[1][0])
    ds = pydicom.dcmread(testing.write_segmentation(tmp_path / "b.dcm", MASKS, kind="labelmap"))
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    assert "SegmentIdentificationSequence" not in ds.PerFrameFunctionalGroupsSequence[0]
    np.testing.assert_array_equal(np.unique(pixel_array(ds)), [0, 3, 9])


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        ({1: MASKS[9] & False}, {}, "nothing to write"),
        ({1: MASKS[3], 2: MASKS[3][:2]}, {}, "one shape"),
        (MASKS, {"kind": "soft"}, "kind='soft'"),
        (MASKS, {"transfer_syntax": "1.2.840.10008.1.2.5"}, "native"),
    ],
)
def test_what_cannot_be_written(tmp_path, masks, options, message):
    with pytest.raises(ValueError, match=message):
        testing.write_segmentation(tmp_path / "a.dcm", masks, **options)
    assert not list(tmp_path.iterdir())


def test_doses(tmp_path):
    planes = np.arange(2 * 5 * 6, dtype="uint32").reshape(2, 5, 6)
    ds = pydicom.dcmread(testing.write_dose(tmp_path / "a.dcm", planes, [0, 4]))
    assert ds.FrameIncrementPointer == 0x3004000C
    np.testing.assert_array_equal(pixel_array(ds), planes)
    ds = pydicom.dcmread(testing.write_dose(tmp_path / "b.dcm", planes[0]))
    assert "NumberOfFrames" not in ds
    assert "PixelData" not in pydicom.dcmread(testing.write_dose(tmp_path / "c.dcm"))


def test_maps(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 5, 6)).astype("float32")
    path = testing.write_parametric_map(tmp_path / "a.dcm", values, shuffle=1)
    ds = pydicom.dcmread(path)
    order = [
        round((float(g.PlanePositionSequence[0].ImagePositionPatient[2]) - 10) / 3)
        for g in ds.PerFrameFunctionalGroupsSequence
    ]
    np.testing.assert_array_equal(pixel_array(ds), values[order])
    (mapped,) = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapped.MeasurementUnitsCodeSequence[0].CodeValue == "um2/s"
