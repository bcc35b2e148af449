"""Where voxels lie: coordinates against direct computation, spacing, shear, what is missing."""

from __future__ import annotations

import tempfile
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xdicom
from xdicom.errors import (
    GeometryError,
    IrregularSpacingWarning,
    NotHypercubeError,
    ShearedStackWarning,
    XDicomWarning,
)
from xdicom.headers.scan import scan_table
from xdicom.series.geometry import anatomical, missing_slices, regularity
from xdicom.series.stacks import GridOptions, split_series
from xdicom.testing import geometries, write_enhanced, write_multiframe, write_series

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def positions(dataset):
    """P = x·r + y·c + z·n of all voxels, shape (z, y, x, 3)."""
    cosines = np.array(dataset.patient_space.attrs["ImageOrientationPatient"]).reshape(2, 3)
    row, column = cosines
    x, y, z = (dataset[d].values for d in "xyz")
    place = z[:, None, None, None] * np.cross(row, column)
    return place + y[:, None, None] * column + x[:, None] * row


def direct(plane, spacing, shape):
    """P = IPP + r·Δc·j + c·Δr·i of one plane (PS3.3 C.7.6.2.1.1)."""
    position, cosines = plane
    i, j = np.mgrid[: shape[0], : shape[1]]
    row, column = np.array(cosines).reshape(2, 3)
    return np.array(position) + spacing[1] * j[..., None] * row + spacing[0] * i[..., None] * column


@quick
@given(geometry=geometries(), slices=st.integers(1, 5), enhanced=st.booleans())
def test_places_of_voxels(geometry, slices, enhanced):
    with tempfile.TemporaryDirectory() as folder:
        where = f"{folder}/a.dcm" if enhanced else folder
        write = write_enhanced if enhanced else write_series
        write(where, {"z": slices}, rows=3, columns=4, shuffle=1, **geometry)
        opened = xr.open_dataset(where, engine="dicom", mask_and_scale=False)
        found = positions(opened)
        row, column = np.array(geometry["orientation"]).reshape(2, 3)
        normal = np.cross(row, column)
        for k in range(slices):
            origin = np.array(geometry["origin"]) + k * geometry["slice_spacing"] * normal
            plane = (origin, geometry["orientation"])
            np.testing.assert_allclose(
                found[k], direct(plane, geometry["pixel_spacing"], (3, 4)), atol=3e-5
            )
        assert (np.diff(opened.z) > 0).all()
        for dim in "xyz":
            values = opened[dim].values
            np.testing.assert_array_equal(values, np.round(values, 5))
            assert opened[dim].attrs["units"] == "mm"
        directions = [opened[d].attrs["direction"] for d in "xyz"]
        np.testing.assert_allclose(directions, [row, column, normal], atol=1e-9)
        corner = opened.dicom.affine @ [slices - 1, 2, 3, 1]
        np.testing.assert_allclose(corner[:3], found[-1, 2, 3], atol=1e-4)


@quick
@given(geometry=geometries())
def test_slices_ascend_along_the_normal(geometry):
    with tempfile.TemporaryDirectory() as folder:
        down = [5.5, 3.0, 0.5]
        write_series(folder, {"z": down}, rows=2, columns=2, **geometry)
        array = xdicom.open_series(folder, mask_and_scale=False)
        # the last that was written lies lowest
        assert array.values[:, 0, 0].tolist() == [62, 31, 0]


@quick
@given(geometry=geometries(), shear=st.floats(0.02, 2.0), steps=st.integers(2, 5))
def test_sheared_stacks(geometry, shear, steps):
    row, column = np.array(geometry["orientation"]).reshape(2, 3)
    step = geometry["slice_spacing"] * np.cross(row, column) + shear * column
    origins = np.array(geometry["origin"]) + np.arange(steps)[:, None] * step
    allowed = max(0.01, 1e-3 * geometry["slice_spacing"])
    with tempfile.TemporaryDirectory() as folder:
        write_series(
            folder,
            {"z": steps},
            rows=2,
            columns=3,
            shuffle=1,
            attributes={"ImagePositionPatient": lambda i: origins[i["z"]].tolist()},
            **geometry,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", XDicomWarning)
            opened = xr.open_dataset(folder, engine="dicom")
        if opened.patient_space.attrs["geometry"] == "rectilinear":
            assert shear <= allowed * 1.01
            return
        assert opened.ImagePositionPatient.dims == ("z", "lps")
        np.testing.assert_allclose(opened.ImagePositionPatient, origins, atol=1e-9)
        assert opened.x.values[0] == opened.y.values[0] == 0
        np.testing.assert_allclose(
            opened.dicom.affine @ [steps - 1, 0, 0, 1], [*origins[-1], 1], atol=1e-4
        )


class TestSpacing:
    def test_gaps(self, tmp_path):
        write_series(tmp_path, {"z": [0, 3, 6, 12, 21]})
        with pytest.warns(IrregularSpacingWarning, match="slices are missing"):
            array = xdicom.open_series(tmp_path)
        assert array.z.values.tolist() == [10, 13, 16, 22, 31]
        with pytest.raises(GeometryError, match="not evenly spaced"):
            _ = array.dicom.affine

    def test_variable(self, tmp_path):
        write_series(tmp_path, {"z": [0, 3, 7, 12]})
        with pytest.warns(IrregularSpacingWarning, match="not evenly spaced"):
            array = xdicom.open_series(tmp_path)
        assert array.z.values.tolist() == [10, 13, 17, 22]
        with pytest.raises(GeometryError):
            _ = array.dicom.affine
        # the even part of it has one
        assert array.isel(z=slice(2)).dicom.spacing == (3.0, 1.5, 1.25)

    @pytest.mark.parametrize(
        ("z", "regular", "gaps"),
        [
            ([], True, ()),
            ([1], True, ()),
            ([1, 5], True, ()),
            ([0, 3, 6.02, 9], True, ()),
            ([0, 3, 6.04, 9], False, ()),
            ([0, 0.5, 1.009, 1.5], True, ()),
            ([0, 3, 6, 12.1, 15.1], False, (2,)),
            ([0, 3, 6, 12.2, 15.2], False, ()),
            ([0, 3, 9], False, (1,)),
            ([0, 2, 8, 10], False, (1,)),
            ([0, 0.02, 3, 6, 9], False, ()),
        ],
    )
    def test_regularity(self, z, regular, gaps):
        assert regularity(np.array(z, dtype=float)) == (regular, gaps)

    def test_number_of_missing_slices(self):
        assert missing_slices(np.array([0.0, 2, 8, 10, 14])).tolist() == [0, 2, 0, 1]
        assert missing_slices(np.array([0.0, 2, 5])) is None

    def test_noise_within_a_slice(self, tmp_path, canonical):
        # positions within 0.01 mm of the first are one slice, however files are ordered
        noise = np.random.default_rng(0).uniform(0, 0.009, (3, 4))
        noise[0] = 0
        write_series(
            tmp_path,
            {"time": [0.0, 1.0, 2.0], "z": 4},
            shuffle=1,
            attributes={
                "ImagePositionPatient": lambda i: [0, 0, 3 * i["z"] + noise[i["time"], i["z"]]]
            },
        )
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert array.z.values.tolist() == [0, 3, 6, 9]

    def test_slices_are_never_chained(self, tmp_path):
        z = [0, 0.008, 0.016, 3]
        write_series(tmp_path, {"z": z}, attributes={"SpacingBetweenSlices": None})
        with pytest.raises(NotHypercubeError, match="z 3: 3 of 3 cells"):
            xdicom.open_series(tmp_path)

    @pytest.mark.parametrize(
        ("said", "step"),
        [({"SpacingBetweenSlices": 4.5}, 4.5), ({"SpacingBetweenSlices": None}, 3.0)],
        ids=str,
    )
    def test_single_slice(self, tmp_path, said, step):
        write_series(tmp_path, {"EchoTime": [5, 9], "z": 1}, attributes=said)
        array = xdicom.open_series(tmp_path)
        assert array.patient_space.attrs["z_step_assumed"] == step
        assert array.dicom.spacing[0] == step

    def test_single_slice_of_no_thickness(self, tmp_path):
        attributes = {"SpacingBetweenSlices": None, "SliceThickness": None}
        write_series(tmp_path, {"z": 1}, attributes=attributes)
        array = xdicom.open_series(tmp_path)
        assert "z_step_assumed" not in array.patient_space.attrs
        with pytest.raises(GeometryError, match="one position"):
            _ = array.dicom.affine

    def test_contradiction_with_positions(self, tmp_path):
        write_series(tmp_path, {"z": 4}, attributes={"SpacingBetweenSlices": 5.0})
        array = xdicom.open_series(tmp_path)
        assert array.dicom.spacing[0] == 3.0
        problems = array.dicom.problems
        assert problems.kind.tolist() == ["SpacingContradiction"]
        assert "5 mm, positions are 3 mm apart" in problems.message[0]

    @pytest.mark.parametrize("said", [3.0, -3.0, 3.02, None])
    def test_no_contradiction(self, tmp_path, said):
        write_series(tmp_path, {"z": 4}, attributes={"SpacingBetweenSlices": said})
        assert not len(xdicom.open_series(tmp_path).dicom.problems)

    @pytest.mark.parametrize(("rows", "columns"), [(1, 24), (16, 1), (1, 1)])
    def test_no_spacing_of_a_single_row_or_column(self, tmp_path, rows, columns):
        spacing = [0.0 if n == 1 else 1.5 for n in (rows, columns)]
        write_series(tmp_path, {"z": 2}, rows=rows, columns=columns, pixel_spacing=spacing)
        array = xdicom.open_series(tmp_path)
        assert array.y.values.tolist() == (-30 + 1.5 * np.arange(rows)).tolist()
        assert array.shape == (2, rows, columns)

    @pytest.mark.parametrize("spacing", [[0, 1], [1.5, -1.5]])
    def test_spacing_that_is_none(self, tmp_path, stacks, spacing):
        write_series(tmp_path, {"z": 2}, attributes={"PixelSpacing": spacing})
        (stack,) = stacks(tmp_path)
        assert isinstance(stack.error, GeometryError)
        assert "PixelSpacing is not positive" in str(stack.error)

    def test_no_spacing_at_all(self, tmp_path):
        write_series(tmp_path, {"z": 3}, attributes={"PixelSpacing": None})
        array = xdicom.open_series(tmp_path)
        assert array.patient_space.attrs["geometry"] == "none"
        assert array.x.attrs["units"] == array.y.attrs["units"] == "pixel"
        assert array.x.values.tolist() == list(range(24))
        assert array.dims == ("z", "y", "x")
        with pytest.raises(GeometryError):
            _ = array.dicom.affine


class TestShear:
    @pytest.fixture
    def tilted(self, tmp_path):
        """A gantry tilt of 15°: positions advance along S, planes are inclined."""
        angle = np.deg2rad(15)
        write_series(
            tmp_path,
            {"z": 5},
            modality="CT",
            orientation=(1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))),
            attributes={"ImagePositionPatient": lambda i: [0.0, 0.0, 4.0 * i["z"]]},
            shuffle=1,
        )
        return tmp_path

    def test_marked_and_not_resampled(self, tilted, dataset, numbers):
        with pytest.warns(ShearedStackWarning, match="gantry tilt"):
            opened = dataset(tilted, mask_and_scale=False)
        assert opened.patient_space.attrs["geometry"] == "sheared"
        assert numbers(opened.pixels).tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(opened.ImagePositionPatient[:, 2], 4.0 * np.arange(5))
        assert opened.ImagePositionPatient.lps.values.tolist() == ["L", "P", "S"]
        assert opened.ImagePositionPatient.attrs["units"] == "mm"
        np.testing.assert_allclose(opened.dicom.affine[:3, 0], [0, 0, 4], atol=1e-9)

    @pytest.mark.filterwarnings("ignore::xdicom.errors.ShearedStackWarning")
    def test_positions_of_volumes_by_slice_only(self, tmp_path, dataset):
        # "0" and "0.0" are one number
        texts = [b"0\\0\\", b"0.0\\0.00\\"]
        write_series(
            tmp_path,
            {"time": [0.0, 2.0], "z": 3},
            attributes={
                "ImagePositionPatient": lambda i: texts[i["time"]] + f"{4 * i['z']}".encode(),
                "ImageOrientationPatient": [1, 0, 0, 0, 0.8, 0.6],
            },
        )
        opened = dataset(tmp_path)
        assert opened.ImagePositionPatient.dims == ("z", "lps")
        np.testing.assert_allclose(opened.dicom.affine[:3, 0], [0, 0, 4], atol=1e-9)

    @pytest.mark.filterwarnings("ignore::xdicom.errors.ShearedStackWarning")
    def test_uneven_drift_has_no_affine(self, tmp_path, dataset):
        drift = [0.0, 1.0, 5.0]
        origin = {"ImagePositionPatient": lambda i: [drift[i["z"]], 0.0, 3.0 * i["z"]]}
        write_series(tmp_path, {"z": 3}, attributes=origin)
        with pytest.raises(GeometryError, match="drift"):
            _ = dataset(tmp_path).dicom.affine

    @pytest.mark.filterwarnings("ignore::xdicom.errors.XDicomWarning")
    def test_missing_slices_of_a_tilted_stack(self, tmp_path, dataset):
        write_series(
            tmp_path,
            {"z": 5},
            drop=[{"z": 3}],
            attributes={
                "ImagePositionPatient": lambda i: [0.0, 0.0, 4.0 * i["z"]],
                "ImageOrientationPatient": [1, 0, 0, 0, 0.8, 0.6],
            },
        )
        opened = dataset(tmp_path, ragged="fill")
        np.testing.assert_allclose(opened.ImagePositionPatient[:, 2], 4.0 * np.arange(5))
        np.testing.assert_allclose(opened.dicom.affine[:3, 0], [0, 0, 4], atol=1e-9)

    def test_rounded_cosines_are_no_shear(self, tmp_path, dataset):
        # six decimals of the cosines add up over many slices to more than 0.01 mm
        angle = 0.3
        cosines = [1, 0, 0, 0, np.cos(angle), np.sin(angle)]
        normal = np.cross(cosines[:3], cosines[3:])
        rounded = np.round(cosines, 4).tolist()
        write_series(
            tmp_path,
            {"z": 60},
            rows=2,
            columns=2,
            attributes={
                "ImageOrientationPatient": rounded,
                "ImagePositionPatient": lambda i: np.round(5.0 * i["z"] * normal, 6).tolist(),
            },
        )
        assert dataset(tmp_path).patient_space.attrs["geometry"] == "rectilinear"


class TestCosines:
    @pytest.mark.parametrize(
        "cosines",
        [
            [1.0002, 0, 0, 0, 1, 0],
            [1, 0, 0, 0, 0.9998, 0],
            [1, 0.0002, 0, 0, 1, 0],
            [0, 0, 0, 0, 0, 0],
        ],
        ids=str,
    )
    def test_off_by_more_than_the_tolerance(self, tmp_path, cosines):
        write_series(tmp_path, {"z": 3}, attributes={"ImageOrientationPatient": cosines})
        with pytest.raises(GeometryError, match=r"orthogonal unit vectors.*file .*\.dcm"):
            xdicom.open_series(tmp_path)

    def test_off_by_less_are_made_exact(self, tmp_path):
        write_series(
            tmp_path, {"z": 3}, attributes={"ImageOrientationPatient": [1, 5e-5, 0, 0, 1.00005, 0]}
        )
        row, column = xdicom.open_series(tmp_path).dicom.orientation
        assert abs(np.linalg.norm(row) - 1) < 1e-12
        assert abs(np.linalg.norm(column) - 1) < 1e-12
        assert abs(row @ column) < 1e-12

    @pytest.mark.parametrize(
        ("keyword", "text"),
        [
            ("ImagePositionPatient", b"0\\0\\1,5"),
            ("ImagePositionPatient", b"0\\0"),
            ("ImageOrientationPatient", b"1\\0\\0\\0\\1"),
            ("PixelSpacing", b"1.5"),
            ("PixelSpacing", b"nan\\1"),
        ],
    )
    @pytest.mark.filterwarnings("ignore::xdicom.errors.XDicomWarning")
    def test_texts_that_are_no_numbers(self, tmp_path, stacks, keyword, text):
        write_series(tmp_path, {"z": 3}, attributes={keyword: lambda i: text if i["z"] == 1 else
                     {"ImagePositionPatient": [0, 0, i["z"]], "PixelSpacing": [1, 1],
                      "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}[keyword]})  # fmt: skip
        errors = [s.error for s in stacks(tmp_path) if s.error]
        assert len(errors) == 1
        assert f"{keyword} is invalid" in str(errors[0])


class TestWithoutPlace:
    def test_detector_spacing_is_none_of_the_patient(self, tmp_path):
        attributes = {
            "ImagePositionPatient": None,
            "ImageOrientationPatient": None,
            "SliceLocation": None,
            "PixelSpacing": None,
            "ImagerPixelSpacing": [0.2, 0.1],
        }
        write_series(tmp_path, {}, attributes=attributes)
        array = xdicom.open_series(tmp_path)
        assert array.dims == ("y", "x")
        assert array.patient_space.attrs["spacing_kind"] == "ImagerPixelSpacing"
        assert array.patient_space.attrs["geometry"] == "none"
        np.testing.assert_allclose(array.x, 0.1 * np.arange(24))
        assert array.x.attrs == {"units": "mm"}

    def test_detector_spacing_beside_a_position(self, tmp_path):
        attributes = {"PixelSpacing": None, "ImagerPixelSpacing": [0.2, 0.1]}
        write_series(tmp_path, {"z": 2}, attributes=attributes)
        array = xdicom.open_series(tmp_path)
        assert array.patient_space.attrs["geometry"] == "none"
        with pytest.raises(GeometryError):
            _ = array.dicom.affine

    def test_slice_location_is_a_weak_position(self, tmp_path, canonical):
        attributes = {"ImagePositionPatient": None}
        write_series(tmp_path, {"EchoTime": [5, 9], "z": 4}, shuffle=1, attributes=attributes)
        array = canonical(tmp_path, {"EchoTime": 2, "z": 4})
        assert array.z.values.tolist() == [10, 13, 16, 19]
        assert array.z.attrs == {"units": "mm"}
        assert array.patient_space.attrs["geometry"] == "none"
        problems = array.dicom.problems
        assert problems.kind.tolist() == ["WeakPosition"]
        assert "SliceLocation" in problems.message[0]
        assert "WeakPosition" in str(array.dicom.explain())

    def test_frames_without_any_place_are_a_list(self, tmp_path, stored):
        nowhere = {"ImagePositionPatient": None, "SliceLocation": None}
        # echoes fill no grid: nothing is split, nothing fails
        write_series(tmp_path, {"EchoTime": [5, 9], "n": 3}, drop=[(1, 2)], attributes=nowhere)
        array = stored(tmp_path)
        assert array.dims == ("instance", "y", "x")
        assert array.EchoTime.dims == ("instance",)
        assert "positions are unknown" in array.attrs["dicom_dims"]

    def test_cine(self, tmp_path, stored, numbers):
        frames = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
        array = stored(write_multiframe(tmp_path / "a.dcm", frames, frame_time=40))
        assert array.shape == (4, 6, 5)
        np.testing.assert_array_equal(array, frames)
        assert array.patient_space.attrs["geometry"] == "none"


def test_most_common_spacing_serves(tmp_path):
    # of spacings within one thousandth, whatever the order of files
    spacing = [0.4883, 0.48828, 0.48828, 0.48828]
    for turn in (0, 1, 2):
        folder = tmp_path / str(turn)
        write_series(
            folder,
            {"z": 4},
            attributes={"PixelSpacing": lambda i, t=turn: [spacing[(i["z"] + t) % 4]] * 2},
        )
        table = scan_table(folder)
        (stack,) = split_series(table, np.arange(4), GridOptions())
        assert stack.geometry.spacing == (0.48828, 0.48828)


def test_names_of_directions():
    assert anatomical(np.array([-1.0, 0, 0])) == "L→R"
    assert anatomical(np.array([0.0, 1, 0.04])) == "A→P"
    assert anatomical(np.array([0.6, 0.0, 0.8])) == "IR→SL"


def test_coordinates_of_two_series_on_one_grid(tmp_path):
    # whatever the arithmetic, the labels of one grid are equal bit by bit
    write_series(tmp_path / "a", {"z": [0, 0.1 + 0.2, 0.6]}, series_number=1)
    write_series(tmp_path / "b", {"z": [0, 0.3, 0.1 * 6]}, series_number=2)
    a, b = (xdicom.open_series(tmp_path / n) for n in "ab")
    assert (a + b).shape == a.shape
