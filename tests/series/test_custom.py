"""Attributes in lower case: xdicom's own and a user's, wherever a keyword may stand."""

import datetime as dt

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.series import custom
from xdicom.testing import write_series


@pytest.fixture
def mine():
    """Attributes that the test makes are gone after it."""
    before = dict(custom._TABLES)
    yield xdicom.attribute
    custom._TABLES.clear()
    custom._TABLES.update(before)


@pytest.fixture
def phases(tmp_path):
    """Magnitude and phase of two echoes, as Siemens writes them."""
    kinds = [{"ImageType": ["ORIGINAL", "PRIMARY", kind, "ND"]} for kind in "MP"]
    write_series(tmp_path, {"component": kinds, "EchoTime": [5, 10], "z": 3}, shuffle=4)
    return tmp_path


class TestOurs:
    def test_filter_as_the_page_of_dbdicom_does(self, phases):
        da = xdicom.open_series(phases)
        phase = da.dicom.filter(image_type="PHASE")
        np.testing.assert_array_equal(phase.values, da.sel(component=["P"]).values)
        assert da.dicom["image_type"] == ["MAGNITUDE", "PHASE"]
        assert phase.dicom["image_type"] == "PHASE"
        assert da.dicom.filter(image_type="REAL").sizes["component"] == 0

    def test_select_before_the_grid(self, phases):
        da = xdicom.open_series(phases, select={"image_type": "PHASE"})
        assert da.dims == ("EchoTime", "z", "y", "x")
        catalog = xdicom.scan(phases)
        found = catalog.filter(image_type="PHASE").open()
        xr.testing.assert_equal(found.drop_vars("frame_id"), da.drop_vars("frame_id"))
        assert catalog["image_type"] == ["MAGNITUDE", "PHASE"]
        assert len(catalog.filter(image_type="IMAGINARY")) == 0

    def test_dims_and_coords(self, phases):
        da = xdicom.open_series(phases, dims=("image_type", "EchoTime", "z"), coords=["image_type"])
        assert da.image_type.values.tolist() == ["MAGNITUDE", "PHASE"]
        wanted = xdicom.open_series(phases).sel(component="P").values
        np.testing.assert_array_equal(da.sel(image_type="PHASE").values, wanted)
        flat = xdicom.open_series(phases, dims="flat", coords=["image_type"])
        assert flat.image_type.dims == ("instance",)

    @pytest.mark.parametrize(
        ("attributes", "image_type", "signal_type"),
        [
            ({"ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]}, "MAGNITUDE", None),
            ({"ImageType": ["DERIVED", "PRIMARY", "PHASE MAP"]}, "PHASE", None),
            ({"ComplexImageComponent": "REAL", "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"]},
             "REAL", None),
            ({"ImageType": ["DERIVED", "PRIMARY", "M", "DIXON", "WATER"]}, "MAGNITUDE", "WATER"),
            ({"ImageType": ["DERIVED", "PRIMARY", "M", "OPP_PHASE"]}, "MAGNITUDE", "OP_PHASE"),
            ({"ImageType": ["ORIGINAL", "PRIMARY"]}, None, None),
        ],
    )  # fmt: skip
    def test_words_of_vendors(self, tmp_path, attributes, image_type, signal_type):
        write_series(tmp_path, {"z": 2}, attributes=attributes)
        da = xdicom.open_series(tmp_path)
        assert da.dicom[["image_type", "signal_type"]] == [image_type, signal_type]

    def test_diffusion(self, tmp_path):
        steps = [
            {"DiffusionBValue": 0.0},
            {"DiffusionBValue": 700.0, "DiffusionGradientOrientation": [0.6, 0.0, 0.8]},
            {"DiffusionBValue": 700.0, "DiffusionGradientOrientation": [0.0, 1.0, 0.0]},
        ]
        write_series(tmp_path, {"diffusion": steps, "z": 2}, shuffle=1)
        da = xdicom.open_series(tmp_path, coords=["b_vector"])
        assert da.dicom["b_value"] == [0.0, 700.0]
        vectors = da.dicom.values("b_vector")
        assert vectors.dims == ("diffusion", "z", "lps")
        wanted = [[0, 0, 0], [0.6, 0, 0.8], [0, 1, 0]]
        found = vectors.isel(z=1).values
        np.testing.assert_array_equal(found[np.lexsort(found.T)], np.array(wanted)[[0, 2, 1]])
        ds = xdicom.open_series(tmp_path).dicom.filter(b_value=slice(500, 900))
        assert ds.sizes["diffusion"] == 2

    def test_suv_factor(self, tmp_path):
        write_series(tmp_path / "pet", {"z": 2}, modality="PT", attributes={"PatientWeight": 70})
        write_series(tmp_path / "mr", {"z": 2}, series_number=2)
        da = xdicom.open_series(tmp_path / "pet")
        assert da.dicom["suv_factor"] == pytest.approx(float(xdicom.suv_factor(da)))
        assert xdicom.open_series(tmp_path / "mr").dicom["suv_factor"] is None
        assert len(xdicom.scan(tmp_path).filter(suv_factor=slice(0, None))) == 1

    def test_suv_factor_says_what_is_missing(self, tmp_path):
        write_series(tmp_path, {"z": 2}, modality="PT", attributes={"PatientWeight": None})
        with pytest.raises(xdicom.MissingAttributeError, match="PatientWeight"):
            xdicom.open_series(tmp_path).dicom["suv_factor"]


class TestOnesOwn:
    def test_numbers_text_vectors_and_times(self, mine, tmp_path):
        write_series(tmp_path, {"EchoTime": [5, 10], "z": 3}, shuffle=2)

        @mine("long_echo", units="ms")
        def long_echo(frames):
            return np.where(frames["EchoTime"] > 7, frames["EchoTime"], np.nan)

        @mine("half")
        def half(frames):
            return np.where(frames["ImagePositionPatient"][:, 2] > 11, "upper", "")

        @mine("corner")
        def corner(frames):
            return frames["ImagePositionPatient"][:, :2]

        @mine("at")
        def at(frames):
            return np.datetime64("2024-02-29T23:59:59.5") + np.zeros(len(frames), "m8[s]")

        @mine("clock")
        def clock(frames):
            return [dt.timedelta(hours=1)] * len(frames)

        da = xdicom.open_series(tmp_path, coords=["long_echo", "half"])
        assert da.dicom["long_echo"] == 10.0
        assert da.long_echo.attrs["units"] == "ms"
        np.testing.assert_array_equal(da.long_echo.values, [np.nan, 10.0])
        assert da.half.values.tolist() == ["", "upper", "upper"]
        assert da.dicom.filter(half="upper").sizes["z"] == 2
        assert da.dicom.values("corner").shape == (2, 3, 2)
        assert da.dicom["clock"] == np.timedelta64(1, "h")
        assert da.dicom.filter(clock="01:00").sizes["z"] == 3
        assert da.dicom["at"] == np.datetime64("2024-02-29T23:59:59.5")

    def test_a_cell_run_again(self, mine, tmp_path):
        write_series(tmp_path, {"EchoTime": [5, 10], "z": 1})
        da = xdicom.open_series(tmp_path)
        for factor in (2, 3):

            @mine("scaled")
            def scaled(frames, factor=factor):
                return frames["EchoTime"] * factor

            assert da.dicom["scaled"] == [5.0 * factor, 10.0 * factor]

    @pytest.mark.parametrize("name", ["Half", "b value", "time", "z", "image_type", "suv_factor"])
    def test_names_that_are_taken_or_no_names(self, mine, name):
        with pytest.raises(ValueError, match=name):
            mine(name)

    @pytest.mark.parametrize("wrong", [1.0, [1.0], [[["a"]]], [1j, 1j]])
    def test_not_one_value_a_frame(self, mine, tmp_path, wrong):
        write_series(tmp_path, {"z": 2})
        mine("wrong")(lambda _: wrong)
        with pytest.raises(ValueError, match="'wrong': one value for each of 2 frames"):
            xdicom.open_series(tmp_path).dicom["wrong"]

    def test_a_misspelt_one_is_named(self, tmp_path):
        write_series(tmp_path, {"z": 2})
        with pytest.raises(KeyError, match="image_type"):
            xdicom.open_series(tmp_path).dicom["imagetype"]
