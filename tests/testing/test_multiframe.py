"""Simulated multi-frame files without functional groups, and a file without an image."""

from __future__ import annotations

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

from xdicom import testing

NATIVE = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless], ids=lambda uid: uid.keyword)
@pytest.mark.parametrize(
    ("dtype", "shape"), [("uint8", ()), ("uint16", ()), ("uint8", (3,)), ("bool", ())]
)
def test_multiframe(tmp_path, syntax, dtype, shape):
    frames = np.random.default_rng(0).integers(0, 2, (5, 9, 7, *shape)).astype(dtype) * 200
    frames = frames.astype(dtype)
    path = tmp_path / "a" / "cine.dcm"
    if syntax == RLELossless and dtype == "bool":
        with pytest.raises(ValueError, match="native"):
            testing.write_multiframe(path, frames, transfer_syntax=syntax)
        return
    testing.write_multiframe(path, frames, transfer_syntax=syntax, frame_time=40)
    ds = pydicom.dcmread(path)
    assert np.array_equal(ds.pixel_array, frames)
    assert ds.BitsAllocated == {"bool": 1, "uint8": 8, "uint16": 16}[dtype]
    assert ds.FrameTime == 40
    assert ds.FrameIncrementPointer == 0x00181063


def test_multiframe_increments_and_refusals(tmp_path):
    frames = np.zeros((3, 4, 6), np.uint8)
    path = testing.write_multiframe(tmp_path / "a.dcm", frames, frame_time_vector=[0, 10, 20])
    assert pydicom.dcmread(path).FrameTimeVector == [0, 10, 20]
    ds = pydicom.dcmread(
        testing.write_multiframe(path, frames, attributes={"NumberOfFrames": None})
    )
    assert ds[ds.FrameIncrementPointer].keyword == "PageNumberVector"
    assert "NumberOfFrames" not in ds
    for wrong in (frames[0], frames.astype("int16"), np.zeros((3, 4, 6, 3), "uint16"), frames[:0]):
        with pytest.raises(ValueError, match="Secondary Capture"):
            testing.write_multiframe(path, wrong)


def test_non_image(tmp_path):
    ds = pydicom.dcmread(testing.write_non_image(tmp_path / "sr.dcm"))
    assert ds.SOPClassUID.name == "Basic Text SR Storage"
    assert not {"Rows", "PixelData"} & {e.keyword for e in ds}
    assert ds.ContentSequence[0].TextValue
