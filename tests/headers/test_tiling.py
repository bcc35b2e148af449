"""What TILED_FULL implies is written into the rows as TILED_SPARSE says it."""

import numpy as np
import pydicom
import pytest

import xdicom
from xdicom.headers.scan import scan_table
from xdicom.headers.tiling import full_order, implied_attributes
from xdicom.testing import slide_pixels, write_slide

WHOLE = slide_pixels((2, 3, 21, 33), "uint16")
KEYWORDS = (
    "RowPositionInTotalImagePixelMatrix",
    "ColumnPositionInTotalImagePixelMatrix",
    "OpticalPathIdentifier",
    "ZOffsetInSlideCoordinateSystem",
)


def told(folder, **how):
    """Each frame's own place, by instance and frame number."""
    write_slide(folder / "a.dcm", WHOLE, tile=(8, 10), optical_paths=("B", "A"),
                heights=(0.5, 2.0, 3.5), **how)  # fmt: skip
    table = scan_table(folder)
    columns = [table.numbers(k) for k in KEYWORDS[:2]] + [table.strings(KEYWORDS[2])]
    columns.append(table.numbers(KEYWORDS[3]))
    order = np.lexsort((table.frame_number, table.strings("SOPInstanceUID")))
    return [column[order].tolist() for column in columns]


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_full_says_what_sparse_says(tmp_path, parts):
    full = told(tmp_path / "full", parts=parts)
    assert full == told(tmp_path / "sparse", parts=parts, organization="TILED_SPARSE")
    table = scan_table(tmp_path / "full")
    for keyword in KEYWORDS:  # no text that no row has
        column = table.column(keyword)
        assert set(range(len(column.texts))) == set(column.codes.tolist())


def test_attributes_of_tiles_are_found(tmp_path):
    write_slide(tmp_path / "a.dcm", WHOLE, tile=(8, 10), optical_paths=("B", "A"))
    da = xdicom.open_series(tmp_path, mask_and_scale=False)
    assert da.dicom.values("OpticalPathIdentifier").values[:, 0].tolist() == ["B", "A"]
    np.testing.assert_array_equal(da.dicom.filter(OpticalPathIdentifier="A"), WHOLE[1:])
    flat = xdicom.open_series(tmp_path, dims="flat", mask_and_scale=False)
    tile = flat.isel(instance=(flat.OpticalPathIdentifier == "A").values).isel(instance=13)
    row, column = (int(tile[k]) - 1 for k in KEYWORDS[:2])
    np.testing.assert_array_equal(tile[:8, :3], WHOLE[1, 1, row : row + 8, column : column + 3])


def test_what_a_frame_says_itself_goes_first(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", WHOLE, tile=(8, 10), organization="TILED_SPARSE")
    ds = pydicom.dcmread(path)
    ds.DimensionOrganizationType = "TILED_FULL"
    place = ds.PerFrameFunctionalGroupsSequence[5].PlanePositionSlideSequence[0]
    place.ColumnPositionInTotalImagePixelMatrix = 31
    ds.save_as(path)
    assert scan_table(tmp_path).numbers(KEYWORDS[1])[:7].tolist() == [1, 11, 21, 31, 1, 31, 21]


SIZES = {"DimensionOrganizationType": "TILED_FULL", "Rows": "8", "Columns": "8",
         "TotalPixelMatrixRows": "9", "TotalPixelMatrixColumns": "20"}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"DimensionOrganizationType": "TILED_SPARSE"},
        {"Rows": "0"},
        {"Columns": "x"},
        {"TotalPixelMatrixRows": ""},
        {"TotalPixelMatrixColumns": "1.5"},
        {"TotalPixelMatrixFocalPlanes": "0"},
        {"ConcatenationFrameOffsetNumber": "4294967295"},
    ],
)
def test_in_doubt_nothing_is_implied(changes):
    assert len(implied_attributes(SIZES, 6)) == 2
    assert implied_attributes(SIZES | changes, 6) == {}


def test_more_frames_than_there_are_optical_paths():
    paths = {"xdicom_optical_paths": "a\\b"}
    assert implied_attributes(SIZES | paths, 12)["OpticalPathIdentifier"].texts == ("a", "b")
    assert implied_attributes(SIZES | paths, 13) == {}
    planes = {"TotalPixelMatrixFocalPlanes": str(2**31)}
    assert "ZOffsetInSlideCoordinateSystem" not in implied_attributes(SIZES | planes, 12)


def test_order_is_that_of_the_standard():
    order = full_order(np.arange(2 * 3 * 4 * 5), (4, 5), 3)
    expected = np.array(list(np.ndindex(2, 3, 4, 5))).T
    np.testing.assert_array_equal(np.stack(order), expected)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1",
                                    "1.2.840.10008.1.2.2"])  # fmt: skip
def test_rows_hold_the_origin_and_the_optical_paths(tmp_path, syntax):
    write_slide(tmp_path / "a.dcm", WHOLE, optical_paths=("B", "A"), descriptions=("x\\y", "ä"),
                heights=(0.5, 2.0, 3.5), transfer_syntax=syntax, origin=(1.5, -2))  # fmt: skip
    table = scan_table(tmp_path)
    found = {k: c.texts for k, c in table.columns.items() if k.startswith("xdicom_")}
    assert found["xdicom_matrix_origin"] == ("1.5\\-2.0",)
    assert found["xdicom_matrix_depth"] == ("0.5",)
    assert found["xdicom_optical_paths"] == ("B\\A",)
    assert found["xdicom_optical_path_names"] == ("x/y\\ä",)
    paths = tmp_path / "none" / "a.dcm"
    nothing = {"OpticalPathSequence": [], "TotalPixelMatrixOriginSequence": None}
    write_slide(paths, WHOLE[:1, :1], attributes=nothing)
    columns = scan_table(paths.parent).columns
    assert not {"xdicom_optical_paths", "xdicom_matrix_origin"} & set(columns)
