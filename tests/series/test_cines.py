"""Cines, dynamic and gated PET, ultrasound regions, midnight: the times that headers tell."""

import json

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import xdicom
from xdicom.testing import edit, frame_number, write_cine, write_enhanced, write_series

FRAMES = np.random.default_rng(0).integers(0, 255, (5, 6, 8)).astype(np.uint8)


def problems(da):
    return set(da.dicom.problems.kind)


class TestCines:
    @pytest.mark.parametrize("modality", ["US", "XA", "RF"])
    def test_frame_time(self, tmp_path, modality):
        da = xdicom.open_series(
            write_cine(tmp_path / "a.dcm", FRAMES, modality=modality, frame_time=40.0)
        )
        assert da.dims == ("time", "y", "x")
        np.testing.assert_allclose(da.time, np.arange(5) * 0.04)
        assert da.time.attrs["units"] == "s"
        np.testing.assert_array_equal(da.values, FRAMES)
        np.testing.assert_array_equal(da.dicom.values("frame_time"), np.arange(5) * 40.0)

    @pytest.mark.parametrize("first", [0.0, 25.0])
    def test_frame_time_vector(self, tmp_path, first):
        """Its first value is 0 (PS3.3 C.7.6.5.1.2); where it is not, the first frame still is."""
        steps = [first, 10.0, 30.0, 20.0, 40.0]
        da = xdicom.open_series(write_cine(tmp_path / "a.dcm", FRAMES, frame_time_vector=steps))
        np.testing.assert_allclose(da.time, np.cumsum([0.0, 10, 30, 20, 40]) / 1000)
        np.testing.assert_array_equal(da.sel(time=0.04).values, FRAMES[2])

    def test_without_any_time(self, tmp_path):
        da = xdicom.open_series(write_cine(tmp_path / "a.dcm", FRAMES))
        assert da.dims == ("time", "y", "x")
        assert "time" not in da.coords
        np.testing.assert_array_equal(da.values, FRAMES)

    @pytest.mark.parametrize("steps", [[0.0, 10, 20], [0.0, 10, -40, 10, 10], [0.0, 0, 0, 0, 0]])
    def test_vectors_that_tell_no_time(self, tmp_path, steps):
        path = write_cine(tmp_path / "a.dcm", FRAMES, frame_time_vector=[0.0, 1, 1, 1, 1])
        edit(path, {"FrameTimeVector": steps})
        da = xdicom.open_series(path)
        assert da.dims == ("time", "y", "x")
        assert "time" not in da.coords
        assert problems(da) & {"WrongVectorLength", "InvalidVector"}
        np.testing.assert_array_equal(da.values, FRAMES)

    def test_two_cines_of_a_series_are_two_arrays(self, tmp_path):
        uids = {"series_uid": "1.2.3.4", "study_uid": "1.2.3"}
        for seed in (1, 2):
            path = write_cine(
                tmp_path / f"{seed}.dcm", FRAMES[: 2 + seed], frame_time=40, seed=seed
            )
            edit(path, {"SeriesInstanceUID": uids["series_uid"], "StudyInstanceUID": "1.2.3"})
        with pytest.raises(xdicom.AmbiguousSeriesError, match="time 3") as error:
            xdicom.open_series(tmp_path)
        assert "time 4" in str(error.value)


def region(**changes):
    found = Dataset()
    values = {
        "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionLocationMinX0": 1,
        "RegionLocationMinY0": 2, "RegionLocationMaxX1": 6, "RegionLocationMaxY1": 5,
        "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3, "PhysicalDeltaX": 0.1,
        "PhysicalDeltaY": 0.2,
    }  # fmt: skip
    for keyword, value in {**values, **changes}.items():
        setattr(found, keyword, value)
    return found


class TestRegions:
    def opened(self, tmp_path, regions):
        path = write_cine(tmp_path / "a.dcm", FRAMES, frame_time=40)
        ds = pydicom.dcmread(path)
        ds.SequenceOfUltrasoundRegions = regions
        ds.save_as(path)
        return xdicom.open_series(path)

    def test_one_image(self, tmp_path):
        da = self.opened(tmp_path, [region()])
        assert (da.x.attrs["units"], da.y.attrs["units"]) == ("cm", "cm")
        np.testing.assert_allclose(da.x, (np.arange(8) - 1) * 0.1)
        np.testing.assert_allclose(da.y, (np.arange(6) - 2) * 0.2)
        assert da.x.attrs["region"] == [1, 6]

    def test_its_pixels_are_found_in_the_frames(self, tmp_path):
        path = write_cine(tmp_path / "a.dcm", FRAMES, frame_time=40)
        ds = pydicom.dcmread(path)
        ds.SequenceOfUltrasoundRegions = [region()]
        ds.add_new("PixelPaddingValue", "US", int(FRAMES[2, 4, 5]))
        ds.save_as(path)
        da = xdicom.open_series(path)
        np.testing.assert_array_equal(da.dicom.padding_mask(), FRAMES[2, 4, 5] == FRAMES)
        part = da.isel(y=slice(5, 1, -1), x=[5, 2])
        mask = FRAMES[:, 5:1:-1][:, :, [5, 2]] == FRAMES[2, 4, 5]
        np.testing.assert_array_equal(part.dicom.padding_mask(), mask)
        assert da.dicom.overlays().sizes["overlay"] == 0

    def test_reference_pixel(self, tmp_path):
        da = self.opened(tmp_path, [region(ReferencePixelX0=2, ReferencePixelPhysicalValueX=0.5)])
        assert float(da.x[1 + 2]) == 0.5

    @pytest.mark.parametrize(
        "regions",
        [
            [region(), region(RegionLocationMinX0=4)],
            [region(PhysicalUnitsXDirection=4)],
            [region(RegionSpatialFormat=3)],
            [region(PhysicalDeltaX=0.0)],
            [],
        ],
    )
    def test_what_is_not_one_image_in_cm(self, tmp_path, regions):
        da = self.opened(tmp_path, regions)
        assert da.x.attrs["units"] == "pixel"

    def test_a_trace_beside_an_image(self, tmp_path):
        da = self.opened(tmp_path, [region(), region(RegionSpatialFormat=3)])
        assert da.x.attrs["units"] == "cm"
        listed = json.loads(da.attrs["ultrasound_regions"])
        assert [each["format"] for each in listed] == ["2D", "spectral"]


class TestPet:
    def pet(self, folder, dims, index, attributes, seed):
        def number(place):
            return {"ImageIndex": index(place)}

        paths = write_series(
            folder, dims, modality="PT", shuffle=seed, attributes=attributes,
            slope=lambda place: 1.0 + place["z"], dtype="uint16",
        )  # fmt: skip
        shape = tuple(v if isinstance(v, int) else len(v) for v in dims.values())
        for path, place in zip(paths, np.ndindex(*shape), strict=True):
            edit(path, number(dict(zip(dims, place, strict=True))))
        return xdicom.open_series(folder, scaling="stored"), shape

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_dynamic(self, tmp_path, seed):
        attributes = {"SeriesType": ["DYNAMIC", "IMAGE"], "NumberOfTimeSlices": 4,
                      "NumberOfSlices": 3, "FrameReferenceTime": None}  # fmt: skip
        da, shape = self.pet(
            tmp_path, {"t": 4, "z": 3}, lambda p: p["t"] * 3 + p["z"] + 1, attributes, seed
        )
        assert da.sizes["time"] == 4
        assert da.sizes["z"] == 3
        numbers = np.array([[frame_number(f) for f in row] for row in da.values])
        assert (np.diff(numbers, axis=0) == 3).all()
        assert shape == (4, 3)

    @pytest.mark.parametrize("seed", [1, 2])
    def test_gated(self, tmp_path, seed):
        attributes = {"SeriesType": ["GATED", "IMAGE"], "NumberOfRRIntervals": 2,
                      "NumberOfTimeSlots": 3, "NumberOfSlices": 2, "FrameReferenceTime": None,
                      "TriggerTime": None}  # fmt: skip

        def index(p):
            return (p["r"] * 3 + p["s"]) * 2 + p["z"] + 1

        da, _ = self.pet(tmp_path, {"r": 2, "s": 3, "z": 2}, index, attributes, seed)
        assert da.sizes == {
            "rr_interval": 2,
            "time_slot": 3,
            "z": 2,
            **{d: da.sizes[d] for d in "yx"},
        }
        numbers = np.array([frame_number(f) for f in da.values.reshape(-1, *da.shape[-2:])])
        assert (np.diff(numbers) == 1).all()

    def test_enhanced(self, tmp_path):
        path = write_enhanced(tmp_path / "e.dcm", {"time": 3, "z": 2})
        edit(path, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.130", "Modality": "PT"})
        da = xdicom.open_series(path)
        assert da.dims == ("time", "z", "y", "x")


class TestMidnight:
    TIMES = ("235950", "235955", "000000", "000005")

    def write(self, folder, dates):
        steps = [
            {"AcquisitionTime": t, "AcquisitionDate": d}
            for t, d in zip(self.TIMES, dates, strict=True)
        ]
        write_series(folder, {"time": steps, "z": 2}, shuffle=3,
                     attributes={"AcquisitionDateTime": None})  # fmt: skip
        return xdicom.open_series(folder, scaling="stored")

    def test_dates_tell_the_order(self, tmp_path):
        da = self.write(tmp_path, ("20240229", "20240229", "20240301", "20240301"))
        numbers = [frame_number(f) for f in da.isel(z=0).values]
        assert (np.diff(numbers) > 0).all()
        assert "MidnightWithoutDate" not in problems(da)
        np.testing.assert_allclose(da.time, [0, 5, 10, 15])

    def test_without_dates_it_is_said(self, tmp_path):
        da = self.write(tmp_path, (None,) * 4)
        assert "MidnightWithoutDate" in problems(da)
