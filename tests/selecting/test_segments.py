"""Segments of a segmentation as a table, and their colours."""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom.errors import HeadersUnavailableError, MissingAttributeError
from xdicom.selecting.segments import hex_color
from xdicom.testing import write_segmentation, write_series

MASKS = {number: np.ones((3, 4, 5), bool) for number in (1, 2, 7)}
SEGMENTS = {
    1: {
        "SegmentLabel": "Nierenbecken ü",
        "SegmentDescription": "the first",
        "SegmentAlgorithmType": "AUTOMATIC",
        "SegmentAlgorithmName": "net",
        "TrackingID": "lesion A",
        "TrackingUID": "1.2.3",
        "RecommendedDisplayCIELabValue": [34885, 53485, 50171],
        "AnatomicRegionSequence": [
            {"CodeValue": "1", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Abdomen"}
        ],
    },
    7: {
        "SegmentedPropertyTypeCodeSequence": [
            {
                "CodeValue": "2",
                "CodingSchemeDesignator": "SCT",
                "CodeMeaning": "Kidney",
                "SegmentedPropertyTypeModifierCodeSequence": [
                    {"CodeValue": "3", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Left"}
                ],
            }
        ]
    },
}


@pytest.fixture
def write(tmp_path):
    return lambda **o: write_segmentation(tmp_path / "a.dcm", MASKS, segments=SEGMENTS, **o)


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_table(write, kind, syntax):
    table = xdicom.open_series(write(kind=kind, transfer_syntax=syntax)).dicom.segments
    first, _, last = table.to_dict("records")
    assert first == {
        "number": 1,
        "label": "Nierenbecken ü",
        "description": "the first",
        "category": "Tissue",
        "type": "Liver",
        "modifier": "",
        "region": "Abdomen",
        "algorithm": "AUTOMATIC",
        "algorithm_name": "net",
        "tracking_id": "lesion A",
        "tracking_uid": "1.2.3",
        "color": hex_color((34885, 53485, 50171)),
    }
    assert (last["number"], last["type"], last["modifier"], last["color"]) == (
        *(7, "Kidney", "Left", ""),
    )


def test_labels_are_coordinates(write):
    da = xdicom.open_series(write())
    assert da.segment_label.dims == ("SegmentNumber",)
    assert da.segment_label.values.tolist() == ["Nierenbecken ü", "segment 2", "segment 7"]
    assert da.segment_type.values.tolist() == ["Liver", "Liver", "Kidney"]
    assert da.segment_category.values.tolist() == ["Tissue"] * 3
    assert da.segment_tracking_id.values.tolist() == ["lesion A", "", ""]
    assert da.sel(segment_label="segment 7").SegmentNumber.item() == 7
    assert da.sel(SegmentNumber=1).segment_label.item() == "Nierenbecken ü"


def test_of_a_part(write):
    da = xdicom.open_series(write())
    assert da.sel(SegmentNumber=[7, 1]).dicom.segments.number.tolist() == [1, 7]
    assert da.sel(SegmentNumber=2).dicom.segments.label.tolist() == ["segment 2"]
    assert (da > 0).dicom.segments.shape[0] == 3


def test_of_a_segment_without_frames(tmp_path):
    masks = {1: MASKS[1], 2: np.zeros_like(MASKS[1])}
    write_segmentation(tmp_path / "1.dcm", masks)
    da = xdicom.open_series(tmp_path)
    assert da.sel(SegmentNumber=2).dicom.segments.label.tolist() == ["segment 2"]
    write_segmentation(
        tmp_path / "2.dcm", masks, instance_number=2, segments={2: {"SegmentLabel": "other"}}
    )
    da = xdicom.open_series(tmp_path, array="a1")
    assert da.dicom.segments.label.tolist() == ["segment 1", "other"]
    with pytest.raises(HeadersUnavailableError, match="2 segmentations"):
        _ = da.sel(SegmentNumber=2).dicom.segments


def test_of_an_image(tmp_path):
    write_series(tmp_path, {"z": 2})
    with pytest.raises(MissingAttributeError, match="no segments"):
        _ = xdicom.open_series(tmp_path).dicom.segments


@pytest.mark.parametrize(
    ("rgb", "cielab"),
    [
        # L*, a*, b* under D65 of sRGB's corners and of a grey, by Lindbloom's calculator
        ("#ff0000", (53.2408, 80.0925, 67.2032)),
        ("#00ff00", (87.7347, -86.1827, 83.1793)),
        ("#0000ff", (32.2970, 79.1875, -107.8602)),
        ("#ffff00", (97.1393, -21.5537, 94.4780)),
        ("#808080", (53.5850, 0, 0)),
    ],
)
def test_colours(rgb, cielab):
    light, *ab = cielab
    encoded = [round(light / 100 * 65535), *(round((v + 128) / 255 * 65535) for v in ab)]
    found, expected = (
        np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)])
        for text in (hex_color(encoded), rgb)
    )
    assert np.abs(found - expected).max() <= 1
