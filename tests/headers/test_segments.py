"""SegmentSequence as rows hold it."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest

from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.segments import SEGMENTED, SEGMENTS, segments_from
from xdicom.testing import write_segmentation, write_series

MASKS = {number: np.ones((2, 3, 5), bool) for number in (4, 1)}


def segments(path):
    (text,) = scan_table(path).column(SEGMENTS).texts
    return segments_from(text)


def rewritten(path, change):
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)
    return path


def test_by_number(tmp_path):
    found = segments(write_segmentation(tmp_path / "a.dcm", MASKS))
    assert [(s.number, s.label) for s in found] == [(1, "segment 1"), (4, "segment 4")]


@pytest.mark.parametrize("undefined", [False, True])
def test_lengths_of_sequences(tmp_path, undefined):
    def change(ds):
        for keyword in ("SegmentSequence", "ReferencedSeriesSequence"):
            ds[keyword].is_undefined_length = undefined
            for item in ds[keyword].value:
                item.is_undefined_length_sequence_item = undefined

    files = write_series(tmp_path / "image", {"z": 2})
    path = write_segmentation(tmp_path / "a.dcm", MASKS, segmented=files)
    expected = segments(path)
    assert segments(rewritten(path, change)) == expected
    uid = pydicom.dcmread(files[0]).SeriesInstanceUID
    assert scan_table(path).column(SEGMENTED).texts == (uid,)


def test_what_is_wrong(tmp_path):
    def change(ds):
        del ds.SegmentSequence[0].SegmentNumber
        ds.SegmentSequence[1].RecommendedDisplayCIELabValue = [1, 2]
        ds.SegmentSequence[1].SegmentedPropertyTypeCodeSequence = []
        ds.SegmentSequence.append(pydicom.Dataset())

    (found,) = segments(rewritten(write_segmentation(tmp_path / "a.dcm", MASKS), change))
    assert (found.number, found.cielab, found.type) == (1, (), "")


def test_number_that_is_none(tmp_path):
    path = write_segmentation(tmp_path / "a.dcm", {1: MASKS[1]})
    data = path.read_bytes()
    number = b"\x62\x00\x04\x00US\x02\x00\x01\x00"
    assert number in data
    path.write_bytes(data.replace(number, b"\x62\x00\x04\x00LT\x02\x00\x01\x00"))
    assert scan_table(path).column(SEGMENTS).texts == ()


def test_of_other_objects(tmp_path):
    """What other objects refer to is none of what they segment."""
    files = write_series(
        tmp_path, {"z": 2}, attributes={"ReferencedSeriesSequence": [{"SeriesInstanceUID": "1.2"}]}
    )
    table = scan_table(tmp_path)
    assert len(table) == len(files)
    assert SEGMENTED not in table.columns
    assert SEGMENTS not in table.columns


def test_several_files_each_have_their_own(tmp_path):
    for number in (1, 2, 3):
        write_segmentation(tmp_path / f"{number}.dcm", {number: MASKS[1]}, instance_number=number)
    for templates in (True, False):
        table = scan_table(tmp_path, ScanOptions(templates=templates))
        texts = table.column(SEGMENTS).strings()
        assert sorted({json.loads(t)[0]["number"] for t in texts}) == [1, 2, 3]
        own = table.numbers("SegmentNumber")
        assert [json.loads(t)[0]["number"] for t in texts] == own.tolist()
