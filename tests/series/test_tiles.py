"""Tiles become their total pixel matrix: dims, places, geometry, levels; or a list, with a word."""

import json
import os
import shutil
import warnings

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from xdicom.errors import (
    AmbiguousSeriesError,
    ConformanceError,
    GeometryError,
    IncompleteConcatenationError,
    InconsistentSeriesError,
    LooseTilesWarning,
    NotHypercubeError,
    ResourceLimitError,
    SkippedSeriesWarning,
    XDicomError,
)
from xdicom.headers.scan import scan_table
from xdicom.series.packing import pack_stacks, unpack_stacks
from xdicom.series.stacks import GridOptions, split_series
from xdicom.testing import edit, slide_pixels, write_pyramid, write_series, write_slide

WHOLE = slide_pixels((2, 3, 21, 33), "uint16")
ONE = WHOLE[0, 0]
TILE = (8, 10)


@pytest.fixture
def seed():
    """UIDs are others in each run: no rule may depend on them."""
    return int.from_bytes(os.urandom(3), "big")


def rename(folder, rng):
    """Give the files of a folder other names, in another order."""
    paths = sorted(folder.iterdir())
    for path, number in zip(paths, rng.permutation(len(paths)), strict=True):
        path.rename(folder / f"x{number}-{rng.integers(10**6)}")


def stored(where, **options):
    return xdicom.open_series(where, mask_and_scale=False, **options)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("organization", ["TILED_FULL", "TILED_SPARSE", None])
def test_a_level_is_its_total_matrix(tmp_path, seed, organization, parts):
    rng = np.random.default_rng(seed)
    shuffle = None if organization == "TILED_FULL" else seed
    write_slide(tmp_path / "a.dcm", WHOLE, tile=TILE, organization=organization, parts=parts,
                seed=seed, shuffle=shuffle)  # fmt: skip
    rename(tmp_path, rng)
    da = stored(tmp_path)
    assert da.dims == ("optical_path", "focal_plane", "y", "x")
    np.testing.assert_array_equal(da, WHOLE)


@pytest.mark.parametrize(
    ("matrix", "dims"),
    [
        (WHOLE, ("optical_path", "focal_plane", "y", "x")),
        (WHOLE[:1], ("focal_plane", "y", "x")),
        (WHOLE[:, :1], ("optical_path", "y", "x")),
        (WHOLE[:1, :1], ("y", "x")),
        (slide_pixels((2, 1, 21, 33), samples=3), ("optical_path", "y", "x", "sample")),
    ],
)
def test_dims_of_length_one_are_left_out(tmp_path, matrix, dims):
    write_slide(tmp_path / "a.dcm", matrix, tile=TILE)
    da = stored(tmp_path)
    assert da.dims == dims
    np.testing.assert_array_equal(da.values, matrix.reshape(da.shape))


def test_dims_of_the_caller(tmp_path):
    write_slide(tmp_path / "a.dcm", WHOLE[:, :1], tile=TILE)
    da = stored(tmp_path, dims=("focal_plane", "optical_path"))
    assert da.dims == ("focal_plane", "optical_path", "y", "x")
    np.testing.assert_array_equal(da, WHOLE[:, :1].swapaxes(0, 1))
    with pytest.raises(NotHypercubeError, match=r"optical_path \(2\), focal_plane \(1\)"):
        stored(tmp_path, dims=("time",))
    with pytest.raises(NotHypercubeError, match="found focal_plane"):
        stored(tmp_path, dims=("focal_plane",))
    flat = stored(tmp_path, dims="flat")
    assert flat.dims == ("instance", "y", "x")
    assert flat.shape == (24, *TILE)
    np.testing.assert_array_equal(flat[13], WHOLE[1, 0, :8, 10:20])
    write_series(tmp_path / "MR", {"z": 2})
    with pytest.raises(XDicomError):
        stored(tmp_path / "MR", dims=("optical_path", "z"))


def test_the_largest_frame_may_be_larger_than_the_matrix(tmp_path):
    """The last level of a pyramid: one tile, of which only a corner is image."""
    write_slide(tmp_path / "a.dcm", ONE, tile=(64, 64))
    da = stored(tmp_path)
    assert da.encoding["preferred_chunks"] == {"y": 21, "x": 33}
    np.testing.assert_array_equal(da, ONE)


def test_holes_need_a_value(tmp_path):
    drop = [(0, 0, 1, 1), (1, 2, 2, 3)]
    write_slide(tmp_path / "a.dcm", WHOLE, tile=TILE, organization="TILED_SPARSE", drop=drop,
                shuffle=1)  # fmt: skip
    with pytest.raises(ValueError, match="fill_value"):
        stored(tmp_path)
    expected = WHOLE.astype("f4")
    expected[0, 0, 8:16, 10:20] = expected[1, 2, 16:, 30:] = np.nan
    np.testing.assert_array_equal(xdicom.open_series(tmp_path), expected)
    np.testing.assert_array_equal(
        stored(tmp_path, fill_value=255), np.nan_to_num(expected, nan=255)
    )
    assert "2 places have no tile" in json.loads(stored(tmp_path, fill_value=0).dicom_dims)["notes"]


def test_a_plane_without_any_tile_is_said_to_be_absent(tmp_path):
    drop = [(1, 0, *place) for place in np.ndindex(3, 4)]
    write_slide(tmp_path / "a.dcm", WHOLE[:, :2], tile=TILE, organization="TILED_SPARSE", drop=drop)
    da = xdicom.open_series(tmp_path)
    np.testing.assert_array_equal(da.frame_present, [[True, True], [False, True]])
    assert np.isnan(da[1, 0]).all()
    np.testing.assert_array_equal(da[1, 1], WHOLE[1, 1])


def test_a_missing_part_of_a_concatenation(tmp_path, seed):
    paths = write_slide(tmp_path / "a.dcm", WHOLE[:1, :1], tile=TILE, parts=3, seed=seed)
    paths[1].unlink()
    with pytest.raises(IncompleteConcatenationError, match="parts 1 to 3"):
        stored(tmp_path)
    da = stored(tmp_path, ragged="fill", fill_value=9)
    expected = ONE.copy()
    expected[8:16] = 9  # tiles 5 to 8 of 12, which are one row of tiles
    np.testing.assert_array_equal(da, expected)


def test_concatenations_of_one_series_are_arrays_of_their_own(tmp_path, seed):
    """Equal in all but their matrix: nothing else tells parts of one from those of another."""
    small = ONE[:16, :20]
    for number, matrix in enumerate((ONE, small, ONE[:, :20]), 1):
        write_slide(tmp_path / f"{number}.dcm", matrix, tile=TILE, parts=2, seed=seed,
                    instance_number=10 * number)  # fmt: skip
    rename(tmp_path, np.random.default_rng(seed))
    for name, matrix in (("level0", ONE), ("level1", ONE[:, :20]), ("level2", small)):
        np.testing.assert_array_equal(stored(tmp_path, array=name), matrix)


def positions(path, **changes):
    """Rewrite the place of the second tile."""
    ds = pydicom.dcmread(path)
    item = ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSlideSequence[0]
    for keyword, value in changes.items():
        if value is None:
            del item[keyword]
        else:
            setattr(item, keyword, value)
    ds.save_as(path)


ROW, COLUMN = "RowPositionInTotalImagePixelMatrix", "ColumnPositionInTotalImagePixelMatrix"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({COLUMN: 1}, "tiles overlap"),
        ({COLUMN: 12}, "off the grid"),
        ({COLUMN: 10}, "off the grid"),
        ({ROW: 4}, "off the grid"),
        ({COLUMN: 41}, "outside of the total pixel matrix"),
        ({ROW: 0}, "outside of the total pixel matrix"),
        ({COLUMN: None}, f"{COLUMN} is missing"),
    ],
)
def test_tiles_that_make_no_matrix_are_a_list(tmp_path, changes, why):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE, organization="TILED_SPARSE")
    positions(path, **changes)
    with pytest.warns(LooseTilesWarning, match=why):
        da = stored(tmp_path)
    assert da.dims == ("instance", "y", "x")
    np.testing.assert_array_equal(da[1], ONE[:8, 10:20])
    np.testing.assert_array_equal(da[6], ONE[8:16, 20:30])
    assert "LooseTiles" in set(da.dicom.problems["kind"])
    if COLUMN not in changes:
        assert da[COLUMN].values[:4].tolist() == [1, 11, 21, 31]


def test_full_that_is_not_full_is_a_list(tmp_path):
    write_slide(tmp_path / "a.dcm", WHOLE[:1], tile=TILE, drop=[(0, 1, 1, 1)])
    with pytest.warns(LooseTilesWarning, match="means 36 frames.*there are 35"):
        assert stored(tmp_path).shape == (35, *TILE)


def test_full_whose_frames_say_other_places_is_a_list(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE, organization="TILED_SPARSE")
    ds = pydicom.dcmread(path)
    ds.DimensionOrganizationType = "TILED_FULL"
    ds.save_as(path)
    np.testing.assert_array_equal(stored(tmp_path), ONE)  # they agree
    positions(path, **{COLUMN: 21})
    with pytest.warns(LooseTilesWarning, match="contradicts the order of TILED_FULL"):
        assert stored(tmp_path).shape == (12, *TILE)


def test_frames_that_are_cut_off_are_holes(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE)
    path.write_bytes(path.read_bytes()[: -2 * TILE[0] * TILE[1] * 2])
    da = stored(tmp_path, allow_truncated=True, fill_value=5)
    expected = ONE.copy()
    expected[16:, 20:] = 5
    np.testing.assert_array_equal(da, expected)


@pytest.mark.parametrize(
    ("size", "error"), [(2**31, ResourceLimitError), (4_294_967_295, ResourceLimitError)]
)
def test_an_absurd_matrix_allocates_nothing(tmp_path, size, error):
    write_slide(tmp_path / "a.dcm", ONE, tile=TILE, organization="TILED_SPARSE",
                attributes={"TotalPixelMatrixColumns": size})  # fmt: skip
    with pytest.raises(error, match="absurdly large"):
        stored(tmp_path)
    with pytest.warns(SkippedSeriesWarning):
        tree = xr.open_datatree(tmp_path, engine="dicom")
    (failed,) = [n for n in tree.subtree if "dicom_error" in n.attrs]
    assert "absurdly large" in failed.attrs["dicom_error"]
    assert stored(tmp_path, dims="flat").shape == (12, *TILE)


def test_absurd_numbers_of_planes_and_paths(tmp_path):
    write_slide(tmp_path / "a.dcm", ONE, tile=TILE, parts=2,
                attributes={"TotalPixelMatrixFocalPlanes": 2**31})  # fmt: skip
    with pytest.warns(LooseTilesWarning, match="there are 12"):
        assert stored(tmp_path).shape == (12, *TILE)
    (tmp_path / "a-2.dcm").unlink()
    with pytest.warns(LooseTilesWarning, match="fill no grid"):
        assert stored(tmp_path, ragged="fill").shape == (6, *TILE)


def test_parts_that_claim_different_matrices(tmp_path):
    _, second = write_slide(tmp_path / "a.dcm", ONE, tile=TILE, parts=2)
    edit(second, {"TotalPixelMatrixRows": 22})
    with pytest.raises(InconsistentSeriesError, match="differ in TotalPixelMatrixRows"):
        stored(tmp_path)


def test_optical_paths_are_in_the_order_of_their_sequence(tmp_path):
    for organization in ("TILED_FULL", "TILED_SPARSE"):
        write_slide(tmp_path / organization / "a.dcm", WHOLE, tile=TILE, shuffle=None,
                    organization=organization, optical_paths=("TRITC", "DAPI"),
                    descriptions=("red", "blue"))  # fmt: skip
        da = stored(tmp_path / organization)
        assert da.OpticalPathIdentifier.values.tolist() == ["TRITC", "DAPI"]
        assert da.OpticalPathDescription.values.tolist() == ["red", "blue"]
        np.testing.assert_array_equal(da, WHOLE)
    drop = [(0, plane, *place) for plane, *place in np.ndindex(3, 3, 4)]
    write_slide(tmp_path / "one" / "a.dcm", WHOLE, tile=TILE, organization="TILED_SPARSE",
                optical_paths=("TRITC", "DAPI"), drop=drop)  # fmt: skip
    one = stored(tmp_path / "one")
    assert one.OpticalPathIdentifier.item() == "DAPI"
    np.testing.assert_array_equal(one, WHOLE[1])


@pytest.mark.parametrize("organization", ["TILED_FULL", "TILED_SPARSE"])
def test_a_part_may_be_selected_before_the_matrix_is_made(tmp_path, organization):
    write_slide(tmp_path / "a.dcm", WHOLE, tile=TILE, organization=organization,
                optical_paths=("TRITC", "DAPI"))  # fmt: skip
    one = stored(tmp_path, select={"OpticalPathIdentifier": "DAPI"})
    assert one.OpticalPathIdentifier.item() == "DAPI"
    np.testing.assert_array_equal(one, WHOLE[1])
    two = stored(tmp_path, select={"ZOffsetInSlideCoordinateSystem": [0, 4]})
    assert two.ZOffsetInSlideCoordinateSystem.values.tolist() == [0, 4]
    np.testing.assert_array_equal(two, WHOLE[:, [0, 2]])


def test_focal_planes_go_away_from_the_glass(tmp_path):
    heights = (1.0, 2.5, 4.0)
    for organization in ("TILED_FULL", "TILED_SPARSE"):
        write_slide(tmp_path / organization / "a.dcm", WHOLE[:1], tile=TILE, heights=heights,
                    organization=organization)  # fmt: skip
        da = stored(tmp_path / organization)
        assert da.ZOffsetInSlideCoordinateSystem.values.tolist() == list(heights)
        assert da.ZOffsetInSlideCoordinateSystem.attrs["units"] == "um"
        np.testing.assert_allclose(da.z, [-0.001, -0.0025, -0.004], atol=1e-12)
        place = da.dicom.affine @ [2, 0, 0, 1]
        np.testing.assert_allclose(place[:3], [20, 45, 0.004], atol=1e-9)
    # frames in any order of planes
    write_slide(tmp_path / "down" / "a.dcm", WHOLE[:1], tile=TILE, heights=heights[::-1],
                organization="TILED_SPARSE", shuffle=4)  # fmt: skip
    np.testing.assert_array_equal(stored(tmp_path / "down"), WHOLE[0, ::-1])


def test_a_focus_that_follows_the_tissue_makes_no_planes(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE, organization="TILED_SPARSE")
    ds = pydicom.dcmread(path)
    for i, item in enumerate(ds.PerFrameFunctionalGroupsSequence):
        item.PlanePositionSlideSequence[0].ZOffsetInSlideCoordinateSystem = 1.5 * i
    ds.save_as(path)
    da = stored(tmp_path)
    assert da.dims == ("y", "x")
    assert "ZOffsetInSlideCoordinateSystem" not in da.coords
    np.testing.assert_array_equal(da, ONE)


def orthonormal(rng):
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return [float(f"{v:.12f}") for v in (*turn[0], *turn[1])]


def test_places_on_the_slide(tmp_path, seed):
    """P = x·row + y·column + z·normal, by hand; a crop and a flip keep each pixel's place."""
    rng = np.random.default_rng(seed)
    cosines, origin = orthonormal(rng), (12.5, 33.25)
    write_slide(tmp_path / "a.dcm", ONE, tile=TILE, orientation=cosines, origin=origin,
                pixel_spacing=(0.0004, 0.0003), heights=[3.0])  # fmt: skip
    da = stored(tmp_path)
    row, column = np.array(cosines).reshape(2, 3)

    def place(i, j):
        return np.array([*origin, 0.003]) + 0.0003 * j * row + 0.0004 * i * column

    for part, i, j in ((da, 0, 0), (da[5:, ::-2], 5, 32), (da[::-1, 7:], 20, 7)):
        np.testing.assert_allclose((part.dicom.affine @ [0, 0, 0, 1])[:3], place(i, j), atol=2e-8)
    last = da.dicom.affine @ [0, 20, 32, 1]
    np.testing.assert_allclose(last[:3], place(20, 32), atol=2e-8)
    np.testing.assert_allclose(da.dicom.spacing, (0.001, 0.0004, 0.0003), rtol=1e-5)
    np.testing.assert_allclose(da.dicom.orientation.ravel(), cosines, atol=1e-9)
    space = da.slide_space.attrs
    assert space["geometry"] == "slide"
    assert space["FrameOfReferenceUID"] == da.attrs["FrameOfReferenceUID"]
    with pytest.raises(GeometryError, match="no place in the patient"):
        da.dicom.affine_nifti  # noqa: B018


def test_highdicom_finds_the_same_places(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE, pixel_spacing=(0.0004, 0.0003),
                          heights=[0])  # fmt: skip
    da = stored(tmp_path)
    theirs = highdicom.spatial.PixelToReferenceTransformer.for_image(
        pydicom.dcmread(path), for_total_pixel_matrix=True
    ).affine  # of (column, row)
    ours = da.dicom.affine
    np.testing.assert_allclose(ours[:, [2, 1, 3]], theirs[:, [0, 1, 3]], atol=1e-9)


def test_without_an_orientation_mm_count_from_the_first_pixel(tmp_path):
    write_slide(tmp_path / "a.dcm", ONE, tile=TILE, attributes={"ImageOrientationSlide": None})
    da = stored(tmp_path)
    np.testing.assert_allclose(da.x, np.arange(33) * 0.0005)
    assert da.x.attrs == {"units": "mm"}
    with pytest.raises(GeometryError, match="no single orientation"):
        da.dicom.affine  # noqa: B018
    write_slide(tmp_path / "a.dcm", ONE, tile=TILE,
                attributes={"ImageOrientationSlide": [1, 0, 0, 1, 0, 0]})  # fmt: skip
    with pytest.raises(GeometryError, match="ImageOrientationSlide is no pair of orthogonal"):
        stored(tmp_path)


def test_spacing_of_the_imaged_volume(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE)
    ds = pydicom.dcmread(path)
    del ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    ds.ImagedVolumeWidth, ds.ImagedVolumeHeight = 33 * 0.002, 21 * 0.003
    ds.save_as(path)
    da = stored(tmp_path)
    np.testing.assert_allclose(np.diff(da.x), 0.002, rtol=1e-4)
    np.testing.assert_allclose(np.diff(da.y), 0.003, rtol=1e-4)
    assert da.slide_space.attrs["spacing_kind"] == "ImagedVolumeWidth"


def test_a_height_that_is_not_told_is_assumed(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE)
    ds = pydicom.dcmread(path)
    del ds.TotalPixelMatrixOriginSequence[0].ZOffsetInSlideCoordinateSystem
    ds.save_as(path)
    da = stored(tmp_path)
    assert da.z.item() == 0
    assert da.slide_space.attrs["z_assumed"].startswith("from 0")
    assert "ZOffsetInSlideCoordinateSystem" not in da.coords


def test_headers_of_a_region(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", WHOLE, tile=TILE, organization="TILED_SPARSE",
                          optical_paths=("A", "B"), shuffle=2)  # fmt: skip
    da = xr.open_dataset(tmp_path, engine="dicom").pixels
    assert da.frame_id.dims == ("optical_path", "focal_plane")
    assert len(np.unique(da.frame_id)) == 6
    region = da.isel(optical_path=1, y=slice(9, 12))
    uid = pydicom.dcmread(path).SOPInstanceUID
    assert region.dicom.header().SOPInstanceUID == uid
    assert region.dicom["SOPInstanceUID"] == uid
    assert set(da.dicom.values("SOPInstanceUID").values.ravel()) == {uid}
    assert da.dicom.values("OpticalPathIdentifier").values[:, 0].tolist() == ["A", "B"]
    # the first tile of each cell, whatever the order of frames
    assert set(da.dicom.values(ROW).values.ravel()) == {1}
    assert ROW not in da.coords
    filtered = da.dicom.filter(OpticalPathIdentifier="B")
    np.testing.assert_array_equal(filtered, WHOLE[1:])


def test_attributes_that_differ_from_tile_to_tile_are_no_coordinates(tmp_path):
    (path,) = write_slide(tmp_path / "a.dcm", ONE, tile=TILE, organization="TILED_SPARSE")
    ds = pydicom.dcmread(path)
    for i, item in enumerate(ds.PerFrameFunctionalGroupsSequence):
        item.FrameContentSequence[0].FrameAcquisitionDateTime = f"2024022910{i:02d}00"
        rescale = pydicom.Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = i + 1, 0
        item.PixelValueTransformationSequence = [rescale]
    ds.save_as(path)
    da = xdicom.open_series(tmp_path)
    assert not {"acquisition_datetime", "RescaleSlope"} & set(da.coords)
    factor = np.arange(1, 13).reshape(3, 4).repeat(8, axis=0).repeat(10, axis=1)[:21, :33]
    np.testing.assert_array_equal(da, ONE * factor.astype("f4"))


def nodes(tree):
    return {n.name: n for n in tree.subtree if "pixels" in n}


@pytest.mark.parametrize("organization", ["TILED_FULL", "TILED_SPARSE"])
def test_a_pyramid_is_a_series_of_named_arrays(tmp_path, seed, organization):
    made = write_pyramid(tmp_path, slide_pixels((90, 130), samples=3), seed=seed, shuffle=seed,
                         tile=(16, 16), organization=organization)  # fmt: skip
    rename(tmp_path, np.random.default_rng(seed))
    found = nodes(xr.open_datatree(tmp_path, engine="dicom"))
    assert list(found) == ["level0", "level1", "level2", "overview", "label"]
    for name, array in made.items():
        np.testing.assert_array_equal(found[name].pixels, array)
    said = {name: node.attrs["dicom_split"].split(";")[0] for name, node in found.items()}
    assert said["level0"] == "level 0 of 3: 90 × 130 pixels"
    assert said["level1"] == "level 1 of 3: 45 × 65 pixels, 1/2 of level 0"
    assert said["label"] == "label of the slide"
    assert "level 1 of 3" in str(found["level1"].to_dataset().dicom.explain())
    # millimetres are the same in all levels
    x = float(found["level2"].x[20])
    for name in ("level0", "level1"):
        level = found[name].to_dataset()
        picked = level.sel(x=x, y=level.y[0], method="nearest")
        np.testing.assert_array_equal(picked.pixels, found["level2"].pixels[0, 20])
    with pytest.raises(AmbiguousSeriesError, match=r'(?s)array="level1".*array="label"') as error:
        xr.open_dataset(tmp_path, engine="dicom")
    assert "y 90, x 130" in str(error.value)
    one = xr.open_dataset(tmp_path, engine="dicom", array="level2")
    np.testing.assert_array_equal(one.pixels, made["level2"])
    by_place = xr.open_dataset(tmp_path, engine="dicom", array="a2")
    assert by_place.identical(one)


def test_arrays_of_one_size_are_told_apart(tmp_path, seed):
    """An instance for each optical path."""
    for number in (1, 2):
        write_slide(tmp_path / f"{number}.dcm", WHOLE[number - 1, 0], tile=TILE, seed=seed,
                    optical_paths=(f"path {number}",), instance_number=number)  # fmt: skip
    found = nodes(xr.open_datatree(tmp_path, engine="dicom"))
    assert list(found) == ["level0", "level0-2"]
    for number, node in enumerate(found.values(), 1):
        assert node.OpticalPathIdentifier.item() == f"path {number}"
        np.testing.assert_array_equal(node.pixels, WHOLE[number - 1, 0])


def test_a_label_may_be_of_another_size_than_the_matrix_it_names(tmp_path):
    label = slide_pixels((20, 30), samples=3)
    write_slide(tmp_path / "a.dcm", label, tile=(20, 30), organization=None,
                image_type=("ORIGINAL", "PRIMARY", "LABEL", "NONE"),
                attributes={"TotalPixelMatrixRows": 5000,
                            "TotalPixelMatrixColumns": 7000})  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        da = stored(tmp_path)
    np.testing.assert_array_equal(da, label)
    with pytest.raises(GeometryError):
        da.dicom.affine  # noqa: B018  its place is not told


def test_series_that_are_no_slides_keep_their_names(tmp_path):
    write_series(tmp_path, {"z": 2}, series_uid="1.2.3", rows=8)
    write_series(tmp_path / "b", {"z": 2}, series_uid="1.2.3", rows=10, seed=3, study_uid=None,
                 attributes={"PatientID": "PHANTOM"})  # fmt: skip
    tree = xr.open_datatree(tmp_path, engine="dicom")
    assert list(nodes(tree)) == ["a0", "a1"]


def test_stacks_come_back_from_an_index(tmp_path, seed):
    write_pyramid(tmp_path, slide_pixels((50, 70)), levels=2, seed=seed)
    table = scan_table(tmp_path)
    stacks = split_series(table, np.arange(len(table)), GridOptions())
    back = unpack_stacks(pack_stacks(stacks), table)
    assert [s.name for s in back] == ["level0", "level1", "overview", "label"]
    for one, other in zip(stacks, back, strict=True):
        np.testing.assert_array_equal(one.tiling.cells, other.tiling.cells)
        np.testing.assert_array_equal(one.tiling.tiles, other.tiling.tiles)
        assert (one.tiling.rows, one.tiling.columns) == (other.tiling.rows, other.tiling.columns)
    index = tmp_path.parent / f"{tmp_path.name}.sqlite"
    for _ in range(2):
        catalog = xdicom.scan(tmp_path, index=index)
        found = catalog.open(array="level1", mask_and_scale=False)
        np.testing.assert_array_equal(found, slide_pixels((50, 70))[::2, ::2])
    shutil.rmtree(tmp_path / "none", ignore_errors=True)


def test_padding_is_found_tile_by_tile(tmp_path):
    write_slide(tmp_path / "a.dcm", ONE, tile=TILE, attributes={"PixelPaddingValue": 65535})
    with pytest.raises(GeometryError, match="put together of tiles"):
        stored(tmp_path).dicom.padding_mask()
    mask = stored(tmp_path, dims="flat").dicom.padding_mask()
    assert mask.shape == (12, *TILE)
    assert mask[-1, 5:].all()  # beyond the last row


def test_a_slide_is_not_written(tmp_path):
    write_slide(tmp_path / "in" / "a.dcm", ONE, tile=TILE)
    da = stored(tmp_path / "in")
    with pytest.raises(ConformanceError, match="put together of tiles"):
        da.dicom.to_dicom(tmp_path / "out")
    assert not (tmp_path / "out").exists()
