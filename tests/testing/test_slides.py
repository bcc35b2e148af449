"""Simulated slides, checked with pydicom and highdicom."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, RLELossless

from xdicom import testing


def test_values_tell_where_they_are():
    """No two places of a size of a few pixels are alike."""
    matrix = testing.slide_pixels((300, 400), "uint16")
    pairs = matrix[:, :-1].astype(np.uint32) << 16 | matrix[:, 1:]
    assert len(np.unique(pairs)) == pairs.size
    other = testing.slide_pixels((300, 400), "uint16", seed=1)
    assert (matrix != other).mean() > 0.99
    assert testing.slide_pixels((1, 2, 5, 6), samples=3).shape == (1, 2, 5, 6, 3)


def test_tiles_are_in_the_order_of_the_standard(tmp_path):
    """PS3.3 C.7.6.17.3: along rows, down columns, through planes, through optical paths."""
    matrix = testing.slide_pixels((2, 2, 20, 25))
    (path,) = testing.write_slide(tmp_path / "a.dcm", matrix, tile=(16, 16))
    ds = pydicom.dcmread(path)
    frames = ds.pixel_array
    assert ds.NumberOfFrames == len(frames) == 16
    np.testing.assert_array_equal(frames[1][:, :9], matrix[0, 0, :16, 16:])
    np.testing.assert_array_equal(frames[2][:4], matrix[0, 0, 16:, :16])
    np.testing.assert_array_equal(frames[4], matrix[0, 1, :16, :16])
    np.testing.assert_array_equal(frames[8], matrix[1, 0, :16, :16])
    assert (frames[3][4:] == 255).all()  # beyond the edge
    assert "PerFrameFunctionalGroupsSequence" not in ds


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda uid: uid.keyword)
@pytest.mark.parametrize("organization", ["TILED_FULL", "TILED_SPARSE"])
def test_highdicom_puts_the_tiles_together(tmp_path, organization, syntax):
    highdicom = pytest.importorskip("highdicom")
    matrix = testing.slide_pixels((50, 70), samples=3)
    (path,) = testing.write_slide(tmp_path / "a.dcm", matrix, tile=(16, 24), shuffle=1,
                                  organization=organization, transfer_syntax=syntax)  # fmt: skip
    if organization == "TILED_FULL":
        (path,) = testing.write_slide(tmp_path / "a.dcm", matrix, tile=(16, 24))
    found = highdicom.imread(path).get_total_pixel_matrix(apply_icc_profile=False)
    np.testing.assert_array_equal(found, matrix)


def test_parts_and_holes(tmp_path):
    matrix = testing.slide_pixels((40, 50), "uint16")
    paths = testing.write_slide(tmp_path / "a.dcm", matrix, tile=(16, 16), parts=3,
                                organization="TILED_SPARSE", drop=[(0, 0, 0, 1)])  # fmt: skip
    parts = [pydicom.dcmread(path) for path in paths]
    assert [p.InConcatenationNumber for p in parts] == [1, 2, 3]
    assert [p.ConcatenationFrameOffsetNumber for p in parts] == [0, 4, 7]
    assert sum(p.NumberOfFrames for p in parts) == 11
    assert len({p.ConcatenationUID for p in parts}) == 1
    assert len({p.SOPInstanceUID for p in parts}) == 3
    place = parts[0].PerFrameFunctionalGroupsSequence[1].PlanePositionSlideSequence[0]
    assert place.ColumnPositionInTotalImagePixelMatrix == 33
    # ImageOrientationSlide is (0, −1, 0, −1, 0, 0): columns go along −y
    assert float(place.YOffsetInSlideCoordinateSystem) == 45 - 32 * 0.0005


def test_refused_matrices(tmp_path):
    for matrix in (np.zeros((2, 3, 4), "uint8"), np.zeros((4, 4)), np.zeros((4, 4), "int16")):
        with pytest.raises(ValueError, match="no slide holds"):
            testing.write_slide(tmp_path / "a.dcm", matrix)


def test_a_pyramid(tmp_path):
    made = testing.write_pyramid(tmp_path, testing.slide_pixels((64, 80), samples=3), shuffle=5)
    assert {k: v.shape[:2] for k, v in made.items()} == {
        "level0": (64, 80), "level1": (32, 40), "level2": (16, 20),
        "label": (20, 30), "overview": (25, 60),
    }  # fmt: skip
    heads = [pydicom.dcmread(path) for path in sorted(tmp_path.iterdir())]
    assert len({ds.SeriesInstanceUID for ds in heads}) == 1
    sizes = {(ds.ImageType[2], ds.TotalPixelMatrixColumns) for ds in heads}
    assert sizes == {("VOLUME", 80), ("VOLUME", 40), ("VOLUME", 20), ("LABEL", 30),
                     ("OVERVIEW", 60)}  # fmt: skip
