"""Coordinates and attrs: which there are, their dims, dtypes, units; and what never is one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.testing import write_enhanced, write_series

PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "PatientAge": "054Y",
    "PatientWeight": 61.5,
    "PatientSize": 1.71,
    "AccessionNumber": "ACC-4711",
    "ReferringPhysicianName": "Who^Doctor",
    "OperatorsName": "Tech^Nician",
    "InstitutionName": "Hospital-4711",
    "StationName": "STATION-4711",
    "StudyID": "STUDY-4711",
    "ImageComments": "comment-4711",
    "PatientComments": "comment-4711",
}


def frame_dims(opened):
    return set(opened.pixels.dims) - {"y", "x"}


class TestWhich:
    def test_at_most_sixteen_vary(self, tmp_path, dataset):
        names = """EchoNumbers InversionTime FlipAngle RepetitionTime DiffusionBValue TriggerTime
        FrameReferenceTime AcquisitionNumber KVP SliceThickness MagneticFieldStrength
        ImagingFrequency PixelBandwidth EchoTrainLength NumberOfAverages ExposureTime
        XRayTubeCurrent ActualFrameDuration""".split()
        attributes = dict.fromkeys(names, lambda i: i["z"] + 1)
        write_series(tmp_path, {"z": 4}, attributes=attributes)
        opened = dataset(tmp_path)
        varying = [c for c in opened.coords.values() if set(c.dims) & frame_dims(opened)]
        assert len(varying) == 16
        assert {"z", "frame_id", "InstanceNumber", "EchoNumbers"} <= {c.name for c in varying}
        every = dataset(tmp_path, coords="all")
        assert set(names) <= set(every.coords)

    def test_those_that_are_asked_for_are_there(self, tmp_path, dataset):
        wanted = ["SliceLocation", "PatientPosition", "StudyID", "WindowCenter"]
        attributes = {"WindowCenter": lambda i: [40.0, 400.0 + i["z"]], "WindowWidth": [80, 90]}
        write_series(tmp_path, {"z": 3}, attributes=attributes)
        opened = dataset(tmp_path, coords=wanted)
        assert set(wanted) <= set(opened.coords)
        assert opened.SliceLocation.dims == ("z",)
        assert opened.PatientPosition.dims == ()
        assert opened.PatientPosition.values == "HFS"
        assert opened.WindowCenter.dims == ("z", "WindowCenter_n")
        assert opened.WindowCenter.values[:, 1].tolist() == [400, 401, 402]

    def test_attributes_that_no_frame_has(self, tmp_path, dataset):
        write_series(tmp_path, {"z": 2})
        assert "TriggerTime" not in dataset(tmp_path, coords=["TriggerTime"]).coords

    @pytest.mark.parametrize("coords", ["default", "all"])
    def test_nothing_private_to_the_patient(self, tmp_path, dataset, coords):
        attributes = {**PATIENT, "PatientWeight": lambda i: 60 + i["z"]}
        write_series(tmp_path, {"z": 2}, attributes=attributes, patient_id="MRN-4711")
        opened = dataset(tmp_path, coords=coords)
        assert not set(PATIENT) & set(opened.coords)
        coordinates = {k: (v.values.tolist(), v.attrs) for k, v in opened.coords.items()}
        attrs = {**opened.attrs, **opened.pixels.attrs}
        attrs.pop("dicom_source")  # holds the root, which may have any name
        told = repr((attrs, coordinates))
        for value in ("4711", "Doe", "Who^", "Tech^", "19700101"):
            assert value not in told

    def test_private_to_the_patient_when_named(self, tmp_path, dataset):
        write_series(tmp_path, {"z": 2}, attributes=PATIENT)
        opened = dataset(tmp_path, coords=["PatientWeight", "PatientName"])
        assert opened.PatientWeight.values == 61.5
        assert opened.PatientWeight.attrs["units"] == "kg"
        assert opened.PatientName.values == "Doe^Jane"

    def test_descriptions_are_attrs(self, tmp_path, dataset):
        attributes = {"Units": "BQML", "ProtocolName": lambda i: f"protocol {i['z']}"}
        write_series(tmp_path, {"z": 2}, modality="PT", attributes=attributes)
        opened = dataset(tmp_path)
        for attrs in (opened.attrs, opened.pixels.attrs):
            assert attrs["Modality"] == "PT"
            assert attrs["SeriesNumber"] == 1
            assert attrs["SeriesDescription"] == "simulated series"
            assert attrs["Units"] == "BQML"
            assert attrs["BodyPartExamined"] == "HEAD"
            assert "ProtocolName" not in attrs  # not one
            assert "Manufacturer" in attrs
            assert all(type(v) in (str, int, float, list) for v in attrs.values())

    def test_dicom_dims_is_json(self, tmp_path, dataset):
        write_series(tmp_path, {"time": [0.0, 1.0], "z": 3})
        found = json.loads(dataset(tmp_path).pixels.attrs["dicom_dims"])
        assert found["dims"][0] == {
            "dim": "time",
            "size": 2,
            "family": "time",
            "attributes": ["TemporalPositionIdentifier"],
            "method": "value",
            "confounded": ["acquisition_datetime"],
        }
        assert found["problems"] == []


class TestDims:
    def test_only_those_that_it_depends_on(self, tmp_path, dataset):
        attributes = {
            "NumberOfAverages": lambda i: i["EchoTime"] + 1,
            "ImagingFrequency": lambda i: 123.0 + i["z"],
            "ExposureTime": lambda i: 10 * i["EchoTime"] + i["z"],
            "PixelBandwidth": 200,
        }
        write_series(tmp_path, {"EchoTime": [5, 9], "z": 3}, attributes=attributes, shuffle=1)
        opened = dataset(tmp_path)
        assert opened.NumberOfAverages.dims == ("EchoTime",)
        assert opened.ImagingFrequency.dims == ("z",)
        assert opened.ExposureTime.dims == ("EchoTime", "z")
        assert opened.PixelBandwidth.dims == ()
        assert opened.frame_id.dims == ("EchoTime", "z")
        assert opened.frame_id.dtype == np.int64
        assert len(np.unique(opened.frame_id)) == 6

    def test_a_hole_is_no_value(self, tmp_path, dataset):
        averages = {"NumberOfAverages": lambda i: i["EchoTime"] + 1}
        dims = {"EchoTime": [5, 9], "z": 3}
        write_series(tmp_path, dims, attributes=averages, drop=[(1, 1)])
        opened = dataset(tmp_path, ragged="fill")
        assert opened.NumberOfAverages.dims == ("EchoTime",)

    @pytest.mark.parametrize(
        "texts",
        [[b"4.6 ", b"4.600", b"+4.6", b"0.46e1"], [b"4.6 ", b"4.600001", b"4.599999"]],
        ids=["spelling", "noise"],
    )
    def test_noise_of_labels_makes_no_dim(self, tmp_path, canonical, texts):
        attributes = {
            "EchoTime": lambda i: texts[(i["time"] + i["z"]) % len(texts)],
            "SliceThickness": lambda i: [b"3 ", b"3.0 ", b"3.000 "][(i["time"] + i["z"]) % 3],
        }
        write_series(tmp_path, {"time": [0.0, 1.0], "z": 4}, attributes=attributes, shuffle=1)
        array = canonical(tmp_path, {"time": 2, "z": 4})
        assert array.EchoTime.dims == ()
        assert array.EchoTime.values == pytest.approx(4.6, abs=2e-6)
        assert array.SliceThickness.dims == ()

    def test_vectors(self, tmp_path, dataset):
        names = {
            "ImagePositionPatient": ("lps", ["L", "P", "S"]),
            "ImageOrientationPatient": (
                "cosine",
                ["row_L", "row_P", "row_S", "col_L", "col_P", "col_S"],
            ),
            "PixelSpacing": ("rc", ["row", "column"]),
        }
        write_series(tmp_path, {"z": 3})
        opened = dataset(tmp_path, coords=list(names))
        for keyword, (dim, labels) in names.items():
            assert opened[keyword].dims[-1] == dim
            assert opened[dim].values.tolist() == labels
        assert opened.ImagePositionPatient.dims == ("z", "lps")
        assert opened.ImagePositionPatient.attrs["units"] == "mm"
        assert opened.PixelSpacing.values.tolist() == [1.5, 1.25]

    def test_unequal_numbers_of_values_are_text(self, tmp_path, dataset):
        centres = {"WindowCenter": lambda i: [40.0, 50.0][: 1 + i["z"] % 2]}
        write_series(tmp_path, {"z": 3}, attributes=centres)
        found = dataset(tmp_path, coords=["WindowCenter", "ImageType"])
        assert found.WindowCenter.values.tolist() == ["40.0", "40.0\\50.0", "40.0"]
        assert found.ImageType.values == "ORIGINAL\\PRIMARY\\M\\ND"


class TestValues:
    def test_integers_with_gaps(self, tmp_path, dataset):
        numbers = {
            "AcquisitionNumber": lambda i: None if i["z"] == 1 else 7 + i["z"],
            "EchoTrainLength": lambda i: 3 + i["z"],
            "ReceiveCoilName": lambda i: None if i["z"] == 1 else f"C{i['z']}",
            "AcquisitionTime": lambda i: None if i["z"] == 1 else f"10000{i['z']}",
            "ImagingFrequency": lambda i: None if i["z"] == 1 else 123.5,
        }
        write_series(tmp_path, {"z": 3}, attributes=numbers)
        opened = dataset(tmp_path, coords=["ReceiveCoilName"])
        assert opened.AcquisitionNumber.dtype == np.float64
        assert opened.AcquisitionNumber.attrs == {"dicom_dtype": "int64"}
        np.testing.assert_array_equal(opened.AcquisitionNumber, [7, np.nan, 9])
        assert opened.EchoTrainLength.dtype == np.int64
        assert opened.EchoTrainLength.attrs == {}
        assert opened.ReceiveCoilName.values.tolist() == ["C0", "", "C2"]
        assert np.isnat(opened.AcquisitionTime.values).tolist() == [False, True, False]
        np.testing.assert_array_equal(opened.ImagingFrequency, [123.5, np.nan, 123.5])

    def test_times(self, tmp_path, dataset):
        write_series(tmp_path, {"time": [0.0, 1.25], "z": 2})
        opened = dataset(tmp_path, coords=["AcquisitionDate"])
        assert opened.AcquisitionTime.dtype == "timedelta64[us]"
        assert opened.AcquisitionTime.values[1] == np.timedelta64(36_001_250_000, "us")
        assert opened.acquisition_datetime.dtype == "datetime64[ns]"
        moment = np.datetime64("2024-02-29T10:00:01.250", "ns")
        assert opened.acquisition_datetime.values[1] == moment
        assert opened.AcquisitionDate.dtype == "datetime64[ns]"
        for name in ("AcquisitionTime", "acquisition_datetime", "AcquisitionDate"):
            assert "units" not in opened[name].attrs

    def test_units(self, tmp_path, dataset):
        units = {
            "EchoTime": "ms",
            "RepetitionTime": "ms",
            "FlipAngle": "degree",
            "SliceThickness": "mm",
            "MagneticFieldStrength": "T",
        }
        write_series(tmp_path, {"EchoTime": [5, 9], "z": 2})
        opened = dataset(tmp_path)
        assert {k: opened[k].attrs["units"] for k in units} == units
        assert opened.EchoTime.dims == ("EchoTime",)

    @pytest.mark.parametrize(
        ("offsets", "zone", "attrs", "first"),
        [
            (["", ""], None, {}, "10:00"),
            (["+0100", "+0100"], None, {"utc_offset": "+0100"}, "10:00"),
            (["", ""], "+0200", {"utc_offset": "+0200"}, "10:00"),
            (["+0100", "+0000"], None, {"timezone": "UTC"}, "09:00"),
            (["", "+0000"], "+0100", {"timezone": "UTC"}, "09:00"),
        ],
        ids=str,
    )
    def test_zones(self, tmp_path, dataset, offsets, zone, attrs, first):
        attributes = {
            "AcquisitionDateTime": lambda i: f"202402291{i['t']}00{offsets[i['t']]}",
            "TimezoneOffsetFromUTC": zone,
        }
        write_series(tmp_path, {"t": 2, "z": 2}, attributes=attributes)
        moments = dataset(tmp_path).acquisition_datetime
        assert moments.attrs == attrs
        assert str(moments.values[0])[11:16] == first
        gap = (moments.values[1] - moments.values[0]) / np.timedelta64(1, "h")
        assert gap == (2 if attrs == {"timezone": "UTC"} else 1)

    def test_zones_of_dates_with_times(self, tmp_path, dataset):
        # clocks were put back between two frames
        attributes = {
            "AcquisitionTime": lambda i: ["025959", "020001"][i["t"]],
            "TimezoneOffsetFromUTC": lambda i: ["+0200", "+0100"][i["t"]],
        }
        write_series(tmp_path, {"t": 2, "z": 2}, attributes=attributes)
        opened = dataset(tmp_path)
        assert opened.sizes["time"] == 2
        assert opened.time.values.tolist() == [0, 2]
        assert opened.acquisition_datetime.attrs == {"timezone": "UTC"}

    def test_dates_beyond_nanoseconds(self, tmp_path, dataset):
        # de-identified dates order nothing, but times of day still do
        attributes = {"AcquisitionDate": "10000101", "AcquisitionTime": lambda i: f"10000{i['t']}"}
        write_series(tmp_path, {"t": 3, "z": 2}, attributes=attributes, shuffle=1)
        assert dataset(tmp_path).time.values.tolist() == [0, 1, 2]

    def test_invalid_values_are_missing(self, tmp_path, dataset):
        texts = {"ImagingFrequency": lambda i: b"1,5 " if i["z"] else b"1.5 "}
        write_series(tmp_path, {"z": 3}, attributes=texts)
        np.testing.assert_array_equal(dataset(tmp_path).ImagingFrequency, [1.5, np.nan, np.nan])

    def test_float32_by_its_shortest_text(self, tmp_path, dataset):
        path = write_enhanced(
            tmp_path / "a.dcm",
            {"velocity": [{"VelocityEncodingMinimumValue": v} for v in (4.76, 9.52)], "z": 2},
        )
        found = dataset(path, coords=["VelocityEncodingMinimumValue"])
        assert found.VelocityEncodingMinimumValue.values.tolist() == [4.76, 9.52]
        assert found.VelocityEncodingMinimumValue.attrs["units"] == "cm/s"


def test_scalars_of_series_that_are_combined(tmp_path):
    write_series(tmp_path / "a", {"z": 2}, attributes={"FlipAngle": 5}, series_number=1)
    write_series(tmp_path / "b", {"z": 2}, attributes={"FlipAngle": 9}, series_number=2)
    a, b = (xdicom.open_series(tmp_path / n) for n in "ab")
    joined = xr.concat([a, b], "FlipAngle", coords="different", compat="equals")
    assert joined.FlipAngle.values.tolist() == [5, 9]
    assert "FlipAngle" not in (a - b).coords
    assert (a - b).EchoTime.values == 5
