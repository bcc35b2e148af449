"""Simulated enhanced files, checked with pydicom and highdicom."""

from __future__ import annotations

import itertools

import numpy as np
import pydicom
import pytest
from pydicom.pixels import iter_pixels, pixel_array
from pydicom.uid import (
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    JPEG2000Lossless,
    RLELossless,
)

from xdicom import testing


def frame_groups(ds, number):
    """All functional groups of a frame; each is either shared or the frame's own."""
    own = ds.PerFrameFunctionalGroupsSequence[number]
    shared = ds.SharedFunctionalGroupsSequence[0]
    assert not set(own.keys()) & set(shared.keys())
    return {e.keyword: e.value[0] for e in itertools.chain(own, shared) if e.VR == "SQ"}


@pytest.mark.parametrize("shuffle", [None, 3])
@pytest.mark.parametrize("shared", [True, False])
def test_enhanced_frames_say_what_they_are(tmp_path, shuffle, shared):
    dims = {"component": ["M", "P"], "EchoTime": [5, 10], "time": [0, 2.5], "repeat": 2, "z": 3}
    path = testing.write_enhanced(tmp_path / "a" / "b.dcm", dims, shuffle=shuffle, shared=shared)
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID == EnhancedMRImageStorage
    assert ds.ComplexImageComponent == "MIXED"
    assert ds.NumberOfFrames == len(ds.PerFrameFunctionalGroupsSequence) == 48
    assert bool(ds.SharedFunctionalGroupsSequence[0]) is shared
    order = [testing.frame_number(frame) for frame in ds.pixel_array]
    assert sorted(order) == list(range(48))
    assert (order == list(range(48))) is (shuffle is None)
    for place, number in enumerate(order):
        index = np.unravel_index(number, (2, 2, 2, 2, 3))
        groups = frame_groups(ds, place)
        content = groups["FrameContentSequence"]
        assert list(content.DimensionIndexValues) == [1, *(i + 1 for i in index)]
        assert content.InStackPositionNumber == index[4] + 1
        assert content.TemporalPositionIndex == index[2] + 1
        assert groups["TemporalPositionSequence"].TemporalPositionTimeOffset == 2.5 * index[2]
        assert groups["MREchoSequence"].EffectiveEchoTime == dims["EchoTime"][index[1]]
        component = groups["MRImageFrameTypeSequence"].ComplexImageComponent
        assert component == ["MAGNITUDE", "PHASE"][index[0]]
        assert groups["PlanePositionSequence"].ImagePositionPatient == [-20, -30, 10 + 3 * index[4]]
        assert groups["PlaneOrientationSequence"].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
        assert groups["PixelMeasuresSequence"].PixelSpacing == [1.5, 1.25]


def test_dimension_pointers_lead_to_the_values(tmp_path):
    dims = {
        "diffusion": [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 700.0}],
        "time": 2,
        "repeat": 2,
        "z": 2,
    }
    ds = pydicom.dcmread(testing.write_enhanced(tmp_path / "a.dcm", dims))
    labels = [item.DimensionDescriptionLabel for item in ds.DimensionIndexSequence]
    assert labels == ["StackID", "diffusion", "time", "repeat", "InStackPositionNumber"]
    keywords = []
    for item in ds.DimensionIndexSequence:
        if "DimensionIndexPrivateCreator" in item:
            keywords.append(item.DimensionIndexPointer.is_private)
            continue
        group = frame_groups(ds, 0)[pydicom.datadict.keyword_for_tag(item.FunctionalGroupPointer)]
        assert item.DimensionIndexPointer in group
        keywords.append(pydicom.datadict.keyword_for_tag(item.DimensionIndexPointer))
    assert keywords == [
        "StackID",
        "DiffusionBValue",
        "TemporalPositionIndex",
        True,
        "InStackPositionNumber",
    ]
    bare = pydicom.dcmread(testing.write_enhanced(tmp_path / "b.dcm", dims, dimension_index=False))
    assert "DimensionIndexSequence" not in bare
    assert "DimensionIndexValues" not in frame_groups(bare, 0)["FrameContentSequence"]


def test_enhanced_attributes(tmp_path):
    path = testing.write_enhanced(
        tmp_path / "a.dcm",
        {
            "diffusion": [
                {"DiffusionBValue": 0.0},
                {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [0, 0.6, 0.8]},
            ],
            "z": 2,
        },
        slope=lambda index: 1 + index["z"],
        attributes={
            "FlipAngle": 12.0,
            "FrameLaterality": None,
            "SeriesDescription": "enhanced",
            "KSpaceFiltering": None,
            (0x2005, 0x0E, "Philips MR Imaging DD 001", "FL"): lambda index: 0.5,
        },
        drop=[{"diffusion": 0, "z": 1}],
    )
    ds = pydicom.dcmread(path)
    assert ds.SeriesDescription == "enhanced"
    assert "KSpaceFiltering" not in ds
    assert ds.NumberOfFrames == 3
    first, *_, last = (frame_groups(ds, number) for number in range(3))
    assert first["MRTimingAndRelatedParametersSequence"].FlipAngle == 12
    assert "FrameLaterality" not in first["FrameAnatomySequence"]
    assert first["MRDiffusionSequence"].DiffusionDirectionality == "NONE"
    direction = last["MRDiffusionSequence"].DiffusionGradientDirectionSequence[0]
    assert direction.DiffusionGradientOrientation == [0, 0.6, 0.8]
    assert last["PixelValueTransformationSequence"].RescaleSlope == 2
    private = ds.PerFrameFunctionalGroupsSequence[0].private_block(
        0x2005, "Philips MR Imaging DD 001"
    )
    assert private[0x0E].value == 0.5
    with pytest.raises(ValueError, match="no functional group"):
        testing.write_enhanced(tmp_path / "b.dcm", {"PatientWeight": [1, 2]})
    with pytest.raises(ValueError, match="is none of"):
        testing.write_enhanced(tmp_path / "b.dcm", {"z": 2}, modality="PT")
    with pytest.raises(ValueError, match="at least one frame"):
        testing.write_enhanced(tmp_path / "b.dcm", {"z": 2}, drop=[{}])


@pytest.mark.parametrize("offset_table", ["basic", "none", "extended"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_encapsulated_frames_and_their_tables(tmp_path, syntax, offset_table):
    path = testing.write_enhanced(
        tmp_path / "a.dcm", {"z": 5}, transfer_syntax=syntax, offset_table=offset_table
    )
    ds = pydicom.dcmread(path)
    assert ("ExtendedOffsetTable" in ds) is (offset_table == "extended")
    assert (ds.PixelData[4:8] != bytes(4)) is (offset_table == "basic")
    assert [testing.frame_number(frame) for frame in iter_pixels(path)] == list(range(5))


def test_frames_of_several_fragments(tmp_path):
    path = testing.write_enhanced(
        tmp_path / "a.dcm", {"z": 3}, transfer_syntax=JPEG2000Lossless, fragments_per_frame=2
    )
    assert pydicom.dcmread(path).PixelData.count(b"\xfe\xff\x00\xe0") == 1 + 6
    assert testing.frame_number(pixel_array(path, index=2)) == 2


def test_highdicom_understands_enhanced_files(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    for modality, sop_class in {"MR": EnhancedMRImageStorage, "CT": EnhancedCTImageStorage}.items():
        path = testing.write_enhanced(tmp_path / "a.dcm", {"z": 4}, modality=modality, shuffle=1)
        image = highdicom.imread(path)
        assert image.SOPClassUID == sop_class
        volume = image.get_volume()
        assert [testing.frame_number(frame.astype("uint16")) for frame in volume.array] == [
            3,
            2,
            1,
            0,
        ]
        np.testing.assert_allclose(volume.affine[:3, 3], [-20, -30, 19])
