"""SUV: by weight, lean mass or surface; what decay it is corrected for; what it needs."""

import math

import numpy as np
import pytest

import xdicom
from xdicom.testing import write_series

DOSE, HALF_LIFE = 3.7e8, 6586.2
DRUG = {
    "RadiopharmaceuticalStartTime": "090000",
    "RadionuclideTotalDose": DOSE,
    "RadionuclideHalfLife": HALF_LIFE,
}
PATIENT = {"PatientWeight": 70, "PatientSize": 1.75, "PatientSex": "F"}


def opened(folder, drug=None, scaling="suv", dims=None, slope=None, private=None, **attributes):
    drug = {k: v for k, v in {**DRUG, **(drug or {})}.items() if v is not None}
    attributes = {
        **PATIENT,
        "RadiopharmaceuticalInformationSequence": [drug],
        **attributes,
        **(private or {}),
    }
    write_series(folder, dims or {"z": 2}, modality="PT", slope=slope, attributes=attributes,
                 stored=lambda i: np.full((2, 3), 1000, np.uint16))  # fmt: skip
    return xdicom.open_series(folder, scaling=scaling)


def suv(activity, seconds, body=70_000.0):
    """By body weight, decayed by hand."""
    return activity * body / (DOSE * math.exp(-math.log(2) * seconds / HALF_LIFE))


def close(da, expected):
    np.testing.assert_allclose(da.values.ravel()[0], expected, rtol=1e-6)


def test_by_weight(tmp_path):
    da = opened(tmp_path, slope=lambda i: 2.0 + i["z"])
    close(da, suv(2000, 59 * 60))  # SeriesTime is 09:59
    close(da.isel(z=1), suv(3000, 59 * 60))
    assert da.attrs["units"] == "g/mL"
    assert da.attrs["dicom_scaling"] == "suv"
    assert da.dtype == np.float32


@pytest.mark.parametrize("sex", ["F", "M"])
def test_factor_by_lean_body_mass(tmp_path, sex):
    da = opened(tmp_path, scaling=None, PatientSex=sex)
    bmi = 70 / 1.75**2
    lean = 9270 * 70 / (6680 + 216 * bmi if sex == "M" else 8780 + 244 * bmi)
    factor = xdicom.suv_factor(da, "lbm")
    np.testing.assert_allclose(factor, suv(1, 59 * 60, lean * 1000), rtol=1e-9)
    close(da * factor, suv(1000, 59 * 60, lean * 1000))
    assert factor.attrs["units"] == "g/Bq"


def test_factor_by_body_surface(tmp_path):
    factor = xdicom.suv_factor(opened(tmp_path, scaling=None), "bsa")
    surface = 0.007184 * 70**0.425 * 175**0.725 * 10_000
    np.testing.assert_allclose(factor, suv(1, 59 * 60, surface), rtol=1e-9)
    assert factor.attrs["units"] == "cm2/Bq"


def test_factor_of_a_part_and_of_a_mean(tmp_path):
    da = opened(tmp_path, scaling=None)
    for part in (da.isel(z=1), da.mean("z", keep_attrs=True), da.isel(y=0)):
        np.testing.assert_allclose(xdicom.suv_factor(part), suv(1, 59 * 60), rtol=1e-9)
    with pytest.raises(ValueError, match="'lbm'"):
        xdicom.suv_factor(da, "ideal")


class TestTimes:
    @pytest.mark.parametrize(
        ("attributes", "drug", "seconds"),
        [
            # the series is of a later reconstruction: the earliest frame
            ({"SeriesTime": "120000"}, {}, 3600),
            # or when its mean was measured, taken back to the reference
            (
                {"SeriesTime": "120000", "FrameReferenceTime": 30000,
                 "ActualFrameDuration": 60000},
                {},
                3600 - math.log(2) / HALF_LIFE * 60**2 / 24,
            ),
            # GE's own start
            (
                {"SeriesTime": "120000",
                 "private": {(0x0009, 0x0D, "GEMS_PETD_01", "DT"): "20240229095000.00"}},
                {},
                50 * 60,
            ),
            # with a date
            ({}, {"RadiopharmaceuticalStartDateTime": "20240229085500"}, 64 * 60),
            ({}, {"RadiopharmaceuticalStartDateTime": "20240228235900"}, 10 * 3600),
            # past midnight
            ({"SeriesTime": "001000", "AcquisitionTime": "001500"},
             {"RadiopharmaceuticalStartTime": "233000"}, 40 * 60),
            # a dynamic scan begins before the injection
            ({}, {"RadiopharmaceuticalStartTime": "095930"}, -30),
            # dates were taken away
            ({"SeriesDate": None, "AcquisitionDate": None}, {}, 59 * 60),
            ({"SeriesDate": None, "SeriesTime": None}, {}, 3600),
            # corrected to the injection itself
            ({"DecayCorrection": "ADMIN"}, {"RadiopharmaceuticalStartTime": None}, 0),
        ],
    )  # fmt: skip
    def test_decay(self, tmp_path, attributes, drug, seconds):
        close(opened(tmp_path, drug, **attributes), suv(1000, seconds))

    def test_the_earliest_of_all_frames(self, tmp_path):
        da = opened(tmp_path, dims={"time": [0, 600], "z": 2}, SeriesTime="110000",
                    FrameReferenceTime=0)  # fmt: skip
        close(da.isel(time=1), suv(1000, 3600))

    def test_an_implausible_injection(self, tmp_path):
        with pytest.raises(xdicom.InconsistentSeriesError, match="plausible"):
            opened(tmp_path, {"RadiopharmaceuticalStartDateTime": "20200101090000"})

    def test_a_long_life_needs_a_date(self, tmp_path):
        with pytest.raises(xdicom.MissingAttributeError, match="StartDateTime"):
            opened(tmp_path, {"RadionuclideHalfLife": 282276})


class TestMissing:
    @pytest.mark.parametrize("name", ["RadionuclideTotalDose", "RadionuclideHalfLife",
                                      "RadiopharmaceuticalStartTime"])  # fmt: skip
    def test_of_the_drug(self, tmp_path, name):
        with pytest.raises(xdicom.MissingAttributeError, match=name):
            opened(tmp_path / "a", {name: None})
        if name != "RadiopharmaceuticalStartTime":
            with pytest.raises(xdicom.MissingAttributeError, match=name):
                opened(tmp_path / "b", {name: 0})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PatientWeight", None), ("PatientWeight", 0), ("Units", None), ("Units", "PROPCNTS"),
            ("DecayCorrection", "NONE"), ("DecayCorrection", None), ("CorrectedImage", ["DECY"]),
            ("RadiopharmaceuticalInformationSequence", None),
        ],
    )  # fmt: skip
    def test_others(self, tmp_path, name, value):
        told = "RadionuclideTotalDose" if name.startswith("Radio") else name
        with pytest.raises(xdicom.MissingAttributeError, match=told):
            opened(tmp_path, **{name: value})

    @pytest.mark.parametrize(("kind", "name", "value"), [
        ("lbm", "PatientSize", 0), ("lbm", "PatientSex", "O"), ("bsa", "PatientSize", None),
    ])  # fmt: skip
    def test_for_other_kinds(self, tmp_path, kind, name, value):
        da = opened(tmp_path, scaling=None, **{name: value})
        assert float(xdicom.suv_factor(da)) > 0
        with pytest.raises(xdicom.MissingAttributeError, match=name):
            xdicom.suv_factor(da, kind)

    def test_of_other_modalities(self, tmp_path):
        write_series(tmp_path, {"z": 1}, modality="CT")
        with pytest.raises(xdicom.MissingAttributeError, match="Units"):
            xdicom.open_series(tmp_path, scaling="suv")


class TestOtherUnits:
    @pytest.mark.parametrize("kind", [None, "BW"])
    def test_suv_already(self, tmp_path, kind):
        da = opened(tmp_path, slope=0.01, Units="GML", SUVType=kind)
        close(da, 10)

    def test_suv_of_another_kind(self, tmp_path):
        da = opened(tmp_path / "a", scaling=None, Units="GML", SUVType="LBMJANMA")
        with pytest.raises(xdicom.MissingAttributeError, match="SUVType"):
            xdicom.open_series(tmp_path / "a", scaling="suv")
        assert float(xdicom.suv_factor(da, "lbm")) == 1

    def test_philips_counts(self, tmp_path):
        creator = "Philips PET Private Group"
        direct = {(0x7053, 0x00, creator, "DS"): "0.002"}
        close(opened(tmp_path / "b", Units="CNTS", private=direct), 2.0)
        activity = {(0x7053, 0x09, creator, "DS"): "3.5"}
        close(opened(tmp_path / "c", Units="CNTS", private=activity), suv(3500, 59 * 60))
        with pytest.raises(xdicom.MissingAttributeError, match=r"\(7053,xx00\).*found CNTS"):
            opened(tmp_path / "d", Units="CNTS")
