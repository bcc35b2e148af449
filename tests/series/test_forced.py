"""Dims that the caller names: keywords, tags, families, z; what may be wrong with them."""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom.errors import NotHypercubeError
from xdicom.testing import write_enhanced, write_series


@pytest.fixture
def angles(tmp_path):
    """Flip angles by slices."""
    write_series(tmp_path, {"FlipAngle": [2, 15, 30], "z": 4}, shuffle=1)
    return tmp_path


@pytest.mark.parametrize(
    "dims",
    [("FlipAngle", "z"), ("flip_angle", "z"), (0x00181314, "z"), ((0x0018, 0x1314), "z")],
    ids=str,
)
def test_keyword_family_and_tag(angles, stored, numbers, dims):
    array = stored(angles, dims=dims)
    name = "flip_angle" if dims[0] == "flip_angle" else "FlipAngle"
    assert array.dims == (name, "z", "y", "x")
    assert array[name].values.tolist() == [2, 15, 30]
    assert numbers(array).tolist() == np.arange(12).reshape(3, 4).tolist()


def test_order_is_that_of_the_caller(angles, stored, numbers):
    array = stored(angles, dims=("z", "FlipAngle"))
    assert numbers(array).tolist() == np.arange(12).reshape(3, 4).T.tolist()


@pytest.mark.parametrize("dims", [("SliceLocation", "FlipAngle"), ("FlipAngle", "SliceLocation")])
def test_dim_that_goes_with_position(angles, stored, dims):
    array = stored(angles, dims=dims)
    assert array.dims == (*dims, "y", "x")
    assert array.z.dims == ("SliceLocation",)
    assert array.z.values.tolist() == [10, 13, 16, 19]
    np.testing.assert_array_equal(
        array.dicom.affine, stored(angles, dims=("FlipAngle", "z")).dicom.affine
    )


def test_two_dims_of_one_size_that_goes_with_position(tmp_path, stored):
    write_series(tmp_path, {"FlipAngle": [2, 15, 30], "z": 3}, shuffle=1)
    array = stored(tmp_path, dims=("FlipAngle", "SliceLocation"))
    assert array.z.dims == ("SliceLocation",)
    assert array.dicom.spacing == (3.0, 1.5, 1.25)


def test_position_against_the_dim(tmp_path, stored):
    write_series(tmp_path, {"z": 4}, attributes={"SliceLocation": lambda i: -3.0 * i["z"]})
    array = stored(tmp_path, dims=("SliceLocation",))
    assert array.z.values.tolist() == [19, 16, 13, 10]
    assert array.dicom.affine[2, 0] == -3


def test_one_position(tmp_path, stored):
    write_series(tmp_path, {"FlipAngle": [2, 15, 30], "z": 1})
    array = stored(tmp_path, dims=("FlipAngle",))
    assert array.z.dims == ()
    assert array.z.values == 10
    assert array.dicom.spacing == (3.0, 1.5, 1.25)


def test_position_along_two_dims(tmp_path, stored):
    write_series(tmp_path, {"z": 4}, attributes={
        "EchoTime": lambda i: 5 + i["z"] // 2, "FlipAngle": lambda i: 10 + i["z"] % 2
    })  # fmt: skip
    array = stored(tmp_path, dims=("EchoTime", "FlipAngle"))
    assert array.z.values.tolist() == [[10, 13], [16, 19]]


def test_flat(angles, stored, numbers):
    array = stored(angles, dims="flat")
    assert array.dims == ("instance", "y", "x")
    assert array.InstanceNumber.values.tolist() == list(range(1, 13))
    assert stored(angles, dims=("instance",)).dims == ("instance", "y", "x")


def test_dim_of_length_one_stays(angles, stored):
    array = stored(angles, dims=("EchoTime", "FlipAngle", "z", "component"))
    assert array.shape[:4] == (1, 3, 4, 1)
    assert array.EchoTime.values.tolist() == [5]


@pytest.mark.parametrize(
    ("dims", "missing"),
    [
        (("FlipAngle",), "z, SliceLocation"),
        (("z",), "FlipAngle, InstanceNumber"),
        (("EchoTime",), "z, FlipAngle"),
    ],
)
def test_wrong_dims_name_what_separates_the_frames(angles, stored, dims, missing):
    with pytest.raises(NotHypercubeError, match="Frames of one cell differ in") as caught:
        stored(angles, dims=dims)
    assert missing.split(", ")[0] in str(caught.value).split("differ in ")[1]
    assert "more than one frame at" in str(caught.value)


def test_dims_that_leave_holes(angles, stored):
    with pytest.raises(NotHypercubeError, match="12 of 144 cells"):
        stored(
            angles,
            dims=("InstanceNumber", "frame_id") if False else ("InstanceNumber", "FlipAngle", "z"),
        )
    filled = xdicom.open_series(angles, dims=("InstanceNumber", "FlipAngle", "z"), ragged="fill")
    assert filled.shape[:3] == (12, 3, 4)
    assert int(filled.frame_present.sum()) == 12
    flat = stored(angles, dims=("InstanceNumber", "FlipAngle", "z"), ragged="flat")
    assert flat.dims == ("instance", "y", "x")


def test_a_dim_for_all_frames(angles, stored, numbers):
    array = stored(angles, dims=("InstanceNumber",))
    assert array.dims == ("InstanceNumber", "y", "x")
    assert sorted(numbers(array).tolist()) == list(range(12))


def test_flat_serves_for_duplicates_too(angles, stored):
    assert stored(angles, dims=("z",), ragged="flat").dims == ("instance", "y", "x")


def test_absurd_grids_are_refused(tmp_path, stored):
    write_series(tmp_path, {"z": 40}, rows=2, columns=2, attributes={
        "EchoTime": lambda i: 1 + i["z"], "FlipAngle": lambda i: 1 + i["z"]
    })  # fmt: skip
    dims = ("EchoTime", "FlipAngle", "InstanceNumber", "z")
    with pytest.raises(NotHypercubeError, match="40 of 2560000 cells"):
        stored(tmp_path, dims=dims, ragged="fill", fill_value=0)


def test_aborted_series_by_the_dims_of_the_caller(tmp_path, stored, numbers):
    times = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]
    write_series(tmp_path, {"time": times, "z": 4}, drop=[(1, 0)])
    # a rank would put the third time of the first slice into the place of the second
    array = xdicom.open_series(tmp_path, dims=("time", "z"), ragged="fill")
    assert np.argwhere(~array.frame_present.values).tolist() == [[1, 0]]
    array = stored(tmp_path, dims=("time", "z"), ragged="complete")
    assert numbers(array)[:, 0].tolist() == [0, 8]


def test_ranks_within_the_dims_that_are_named_after_them(tmp_path, stored, numbers):
    # slice-timed acquisitions of two echoes
    clock = lambda i: f"1000{10 * i['t'] + i['z'] + 4 * i['EchoTime']:02d}"  # noqa: E731
    write_series(
        tmp_path,
        {"t": 3, "EchoTime": [4, 8], "z": 4},
        shuffle=1,
        attributes={"AcquisitionTime": clock},
    )
    array = stored(tmp_path, dims=("time", "EchoTime", "z"))
    assert numbers(array).ravel().tolist() == list(range(24))


def test_time_and_repetition(tmp_path, stored, numbers):
    acquisitions = [{"AcquisitionNumber": n} for n in (1, 2)]
    volumes = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]
    write_series(tmp_path, {"a": acquisitions, "t": volumes, "z": 2}, shuffle=1)
    array = stored(tmp_path, dims=("repetition", "time", "z"))
    assert numbers(array).ravel().tolist() == list(range(12))


@pytest.mark.parametrize(
    ("keyword", "values", "labels"),
    [
        ("AcquisitionTime", ["100000", "100001.5"], np.array([36000.0, 36001.5]) * 1e6),
        (
            "AcquisitionDate",
            ["20240229", "20240301"],
            np.array(["2024-02-29", "2024-03-01"], "M8[ns]"),
        ),
        ("InstanceNumber", None, [1, 2]),
        ("SequenceName", ["a", "b"], ["a", "b"]),
        ("DiffusionGradientOrientation", [[1, 0, 0], [0, 1, 0.5]], ["0\\1\\0.5", "1\\0\\0"]),
        ("PatientSex", ["F", "M"], ["F", "M"]),
    ],
)
def test_labels_of_any_attribute(tmp_path, stored, keyword, values, labels):
    attributes = {} if values is None else {keyword: lambda i: values[i["n"]]}
    write_series(tmp_path, {"n": 2, "z": 1}, attributes=attributes)
    array = stored(tmp_path, dims=(keyword, "z"))
    found = array[keyword].values
    if found.dtype.kind == "m":
        found = found / np.timedelta64(1, "us")
    np.testing.assert_array_equal(found, labels)
    assert array[keyword].dims == (keyword,)
    if keyword == "InstanceNumber":
        assert found.dtype == np.int64


def test_noise_of_a_dim_of_the_caller(tmp_path, stored):
    noise = {"DiffusionBValue": lambda i: [0.0, 1000.0][i["d"]] + 0.3 * i["z"]}
    write_series(tmp_path, {"d": 2, "z": 3}, attributes=noise)
    array = stored(tmp_path, dims=("DiffusionBValue", "z"))
    assert array.DiffusionBValue.values.tolist() == [0, 1000]


def test_attribute_that_frames_lack(tmp_path, stored):
    some = {"InversionTime": lambda i: 100 if i["z"] else None}
    write_series(tmp_path, {"z": 3}, attributes=some)
    with pytest.raises(
        NotHypercubeError, match=r"InversionTime has no value in some frames.*file .*\.dcm"
    ):
        stored(tmp_path, dims=("InversionTime", "z"))
    with pytest.raises(NotHypercubeError, match="TriggerTime has no value in any frame"):
        stored(tmp_path, dims=("TriggerTime", "z"))
    with pytest.raises(KeyError, match="NoSuchKeyword"):
        stored(tmp_path, dims=("NoSuchKeyword", "z"))


def test_z_without_positions(tmp_path, stored):
    write_series(tmp_path, {"EchoTime": [4, 8]}, attributes={
        "ImagePositionPatient": None, "SliceLocation": None
    })  # fmt: skip
    with pytest.raises(NotHypercubeError, match="position of the frames is unknown"):
        stored(tmp_path, dims=("EchoTime", "z"))


def test_family_without_values(angles, stored):
    with pytest.raises(NotHypercubeError, match="Frames of one cell differ in FlipAngle"):
        stored(angles, dims=("index", "z"))


def test_one_series_of_several(tmp_path, stored, numbers):
    # columns of the caller's dims are those of the whole folder
    write_series(tmp_path / "b", {"EchoTime": [1, 2], "z": 3}, series_number=1, seed=1)
    write_series(
        tmp_path / "a", {"EchoTime": [3, 4, 5], "z": 2}, series_number=2, seed=2, shuffle=1
    )
    for number, echoes in ((1, [1, 2]), (2, [3, 4, 5])):
        array = stored(tmp_path, series=number, dims=("EchoTime", "z"))
        assert array.EchoTime.values.tolist() == echoes
        assert numbers(array).ravel().tolist() == list(range(6))


def test_enhanced(tmp_path, stored, numbers):
    path = write_enhanced(tmp_path / "a.dcm", {"FlipAngle": [5.0, 9.0], "z": 3}, shuffle=1)
    array = stored(path, dims=("z", "FlipAngle"))
    assert numbers(array).tolist() == [[0, 3], [1, 4], [2, 5]]
