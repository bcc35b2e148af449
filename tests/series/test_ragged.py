"""Frames that fill no grid: what the error says, and the four remedies."""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom.errors import IrregularSpacingWarning, NotHypercubeError
from xdicom.testing import write_series

ECHOES = {"EchoTime": [5, 10, 15], "z": 4}


@pytest.fixture
def torn(tmp_path):
    """Three echoes of four slices, without two frames."""
    write_series(tmp_path, ECHOES, drop=[(1, 2), (2, 0)], shuffle=1)
    return tmp_path


class TestReport:
    def test_says_all_that_is_needed(self, torn, stored):
        with pytest.raises(NotHypercubeError) as caught:
            stored(torn)
        text = str(caught.value)
        assert "the 10 frames do not fill a grid of EchoTime 3 × z 4: 10 of 12 cells" in text
        assert "missing at EchoTime=10, z=16; EchoTime=15, z=10" in text
        assert "attributes that vary: EchoTime, InstanceNumber" in text
        for remedy in ('ragged="fill"', 'ragged="complete"', 'ragged="flat"', "dims=("):
            assert remedy in text

    def test_lists_ten_holes(self, tmp_path, stored):
        drop = [(e, z) for e in range(1, 4) for z in range(4)]
        write_series(tmp_path, {"EchoTime": [1, 2, 3, 4], "z": 12}, drop=drop)
        with pytest.raises(NotHypercubeError, match="and 2 more") as caught:
            stored(tmp_path)
        listed = str(caught.value).split("missing at ")[1].split(". ")[0]
        assert listed.count("EchoTime=") == 10

    def test_duplicates(self, tmp_path, stored):
        # the same position twice, told apart by nothing but a number that means nothing
        write_series(tmp_path, {"repeat": 2, "z": 4}, drop=[(1, 1), (1, 2)], shuffle=2)
        with pytest.raises(NotHypercubeError) as caught:
            stored(tmp_path)
        text = str(caught.value)
        assert "z 4: 4 of 4 cells" in text
        assert "more than one frame at z=10; z=19" in text
        assert "No values tell the frames apart" in text
        for remedy in ("fill", "complete"):
            with pytest.raises(NotHypercubeError, match="No values tell the frames apart"):
                stored(tmp_path, ragged=remedy, fill_value=0)
        assert stored(tmp_path, ragged="flat").shape[0] == 6

    def test_dims_without_labels_by_index(self, tmp_path, stored):
        steps = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]
        write_series(tmp_path, {"time": steps, "z": 3}, drop=[(1, 0)])
        with pytest.raises(NotHypercubeError, match="missing at time=1, z=10"):
            stored(tmp_path)


class TestFill:
    def test_floats_are_nan(self, torn):
        array = xdicom.open_series(torn, ragged="fill")
        assert array.dims == ("EchoTime", "z", "y", "x")
        present = np.ones((3, 4), bool)
        present[1, 2] = present[2, 0] = False
        np.testing.assert_array_equal(array.frame_present, present)
        assert array.frame_present.dims == ("EchoTime", "z")
        np.testing.assert_array_equal(np.isnan(array).all(("y", "x")), ~present)
        np.testing.assert_array_equal(array.frame_id.values < 0, ~present)
        assert "holes are filled" in array.attrs["dicom_dims"]

    def test_integers_need_a_value(self, torn, stored, numbers):
        with pytest.raises(ValueError, match="need a fill_value"):
            stored(torn, ragged="fill")
        array = stored(torn, ragged="fill", fill_value=7)
        assert array.dtype == np.uint16
        assert (array.values[1, 2] == 7).all()
        kept = array.values[array.frame_present.values][:, None]
        assert numbers(array.copy(data=array).isel(EchoTime=0)).tolist() == [0, 1, 2, 3]
        assert kept.shape[0] == 10

    def test_coordinates_of_holes_are_missing(self, torn):
        array = xdicom.open_series(torn, ragged="fill")
        assert array.InstanceNumber.dtype == np.float64
        assert array.InstanceNumber.attrs["dicom_dtype"] == "int64"
        assert np.isnan(array.InstanceNumber.values[1, 2])

    def test_frames_stand_in_their_cells(self, torn, numbers):
        array = xdicom.open_series(torn, ragged="fill", mask_and_scale=False, fill_value=0)
        flat = array.stack(frame=("EchoTime", "z"), create_index=False).transpose("frame", "y", "x")
        kept = flat.isel(frame=np.flatnonzero(array.frame_present.values.ravel()))
        assert numbers(kept).tolist() == [0, 1, 2, 3, 4, 5, 7, 9, 10, 11]

    def test_missing_slices_are_put_in(self, tmp_path, stored, numbers):
        write_series(tmp_path, {"EchoTime": [5, 10], "z": 6}, drop=[{"z": 2}, {"z": 3}], shuffle=1)
        with pytest.warns(IrregularSpacingWarning, match="slices are missing"):
            array = stored(tmp_path)
        assert array.z.values.tolist() == [10, 13, 22, 25]
        assert array.patient_space.attrs["regular"] == "no"
        filled = xdicom.open_series(tmp_path, ragged="fill")
        assert filled.z.values.tolist() == [10, 13, 16, 19, 22, 25]
        assert filled.frame_present.dims == ("EchoTime", "z")
        assert filled.frame_present.values.tolist() == [[True] * 2 + [False] * 2 + [True] * 2] * 2
        assert "regular" not in filled.patient_space.attrs
        assert filled.dicom.spacing == (3.0, 1.5, 1.25)
        assert filled.EchoTime.values.tolist() == [5, 10]

    def test_nothing_is_put_in_unasked(self, tmp_path):
        write_series(tmp_path, {"z": [0, 3, 7, 10]})
        with pytest.warns(IrregularSpacingWarning, match="not evenly spaced"):
            array = xdicom.open_series(tmp_path, ragged="fill")
        assert array.sizes["z"] == 4


class TestComplete:
    def test_outermost_dim_of_time(self, tmp_path, canonical):
        times = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3, 4)]
        write_series(tmp_path, {"time": times, "EchoTime": [4, 8], "z": 3}, drop=[(3, 1, 2)])
        array = xdicom.open_series(tmp_path, ragged="complete")
        assert dict(array.sizes) == {"EchoTime": 2, "time": 3, "z": 3, "y": 16, "x": 24}

    def test_without_time_the_fewest_frames_are_lost(self, torn, canonical, numbers):
        array = xdicom.open_series(torn, ragged="complete", mask_and_scale=False)
        # two of four slices are complete (a half), one of three echoes (a third)
        assert array.shape[:2] == (3, 2)
        assert array.z.values.tolist() == [13, 19]
        assert numbers(array).tolist() == [[1, 3], [5, 7], [9, 11]]
        assert array.dicom.spacing[0] == 6.0

    def test_dim_that_shrinks_to_one_goes(self, tmp_path, stored):
        drop = [(1, z) for z in (2, 3, 4)]
        write_series(tmp_path, {"time": [0.0, 4.0], "z": 5}, drop=drop)
        array = stored(tmp_path, ragged="complete")
        assert array.dims == ("z", "y", "x")
        assert array.shape[0] == 5

    def test_dropped_frames_leave_no_trace(self, tmp_path, stored):
        echo = {"EchoTrainLength": lambda i: 1 if i["time"] < 2 else 2}
        write_series(tmp_path, {"time": [0.0, 1.0, 2.0], "z": 3}, drop=[(2, 2)], attributes=echo)
        array = stored(tmp_path, ragged="complete")
        assert array.EchoTrainLength.dims == ()

    def test_time_without_a_complete_part(self, tmp_path, stored):
        # each time lacks another slice, but the last slice is complete
        times = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]
        write_series(tmp_path, {"time": times, "z": 4}, drop=[(k, k) for k in range(3)])
        array = stored(tmp_path, ragged="complete")
        assert array.shape[:2] == (3, 1)
        assert array.z.values.tolist() == [19]

    def test_no_dim_has_a_complete_part(self, tmp_path, stored):
        write_series(tmp_path, {"EchoTime": [5, 10, 15], "z": 3}, drop=[(k, k) for k in range(3)])
        with pytest.raises(NotHypercubeError, match="no dim has a complete part"):
            stored(tmp_path, ragged="complete")


class TestFlat:
    def test_order_of_acquisition(self, tmp_path, stored, numbers):
        clock = {"AcquisitionTime": lambda i: f"10000{8 - i['z']}"}
        write_series(tmp_path, ECHOES, drop=[(1, 2)], shuffle=1, attributes=clock)
        array = stored(tmp_path, ragged="flat")
        assert array.dims == ("instance", "y", "x")
        assert "because they fill no grid" in array.attrs["dicom_dims"]
        slices = [n % 4 for n in numbers(array).tolist()]
        assert slices == [3, 3, 3, 2, 2, 1, 1, 1, 0, 0, 0]
        # of frames at one time, the lower InstanceNumber goes first
        assert (np.diff(array.InstanceNumber.values[:3]) > 0).all()

    def test_every_attribute_that_varies_is_a_coordinate(self, tmp_path, stored):
        names = """EchoTrainLength NumberOfAverages ImagingFrequency PixelBandwidth HeartRate
        NominalInterval XRayTubeCurrent ExposureTime Exposure KVP ReconstructionDiameter
        DataCollectionDiameter WindowCenter WindowWidth SmallestImagePixelValue
        LargestImagePixelValue GantryDetectorTilt FrameTime""".split()
        attributes = {k: lambda i: 1 + i["z"] for k in names}
        attributes["PatientWeight"] = lambda i: 70 + i["z"]
        write_series(tmp_path, {"z": 5}, attributes=attributes)
        array = stored(tmp_path, dims="flat")
        assert {k for k in names if array.coords[k].dims == ("instance",)} == set(names)
        assert "PatientWeight" not in array.coords
        assert array.z.dims == ("instance",)
        assert array.SliceLocation.dims == ("instance",)
        # constant ones are as they always are
        assert array.FlipAngle.dims == ()
        assert "StudyTime" not in array.coords

    def test_full_grids_are_no_list(self, tmp_path, canonical):
        write_series(tmp_path, ECHOES)
        for remedy in ("fill", "complete", "flat"):
            array = canonical(tmp_path, {"EchoTime": 3, "z": 4}, ragged=remedy)
            assert "frame_present" not in array.coords


def test_the_intended_grid_is_found(tmp_path, stored):
    # every volume has a time of its own: one dim of 6 would do as well as echoes by times
    volumes = {"AcquisitionTime": lambda i: f"1000{10 + 3 * i['t'] + i['EchoTime']}"}
    times = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]
    write_series(
        tmp_path, {"EchoTime": [4, 8], "t": times, "z": 4}, drop=[(1, 1, 2)], attributes=volumes
    )
    with pytest.raises(NotHypercubeError, match="EchoTime 2 × time 3 × z 4: 23 of 24"):
        stored(tmp_path)
