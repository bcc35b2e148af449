"""Multi-frame objects by frame: groups, dimension indices, several instances of one series."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.testing import frame_pixels, write_enhanced

PRIVATE = (0x0021, 0x01, "XDICOM SIMULATION", "UL")


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dimension_index", [True, False])
def test_groups_that_frames_share_or_repeat(tmp_path, canonical, shared, dimension_index):
    path = write_enhanced(
        tmp_path / "a.dcm",
        {"EchoTime": [4.76, 9.52], "time": [0.0, 3.0, 6.0], "z": 4},
        shared=shared,
        dimension_index=dimension_index,
        shuffle=1,
    )
    array = canonical(path, {"EchoTime": 2, "time": 3, "z": 4})
    assert array.EchoTime.values.tolist() == [4.76, 9.52]


def test_one_volume_an_instance(tmp_path, canonical, methods):
    # TemporalPositionIndex runs over the instances, as XA10 writes it
    for t in range(3):
        write_enhanced(
            tmp_path / f"{9 - t}.dcm",
            {"z": 4},
            attributes={"TemporalPositionIndex": t + 1},
            stored=lambda i, t=t: frame_pixels(4 * t + i["z"]),
            instance_number=t + 1,
            shuffle=t,
        )
    array = canonical(tmp_path, {"time": 3, "z": 4})
    assert methods(array)["time"] == ("value", "TemporalPositionIndex")


def test_constant_temporal_position_index(tmp_path, canonical, methods):
    # Canon writes 1 throughout
    clock = "20240229100{:03d}"
    path = write_enhanced(
        tmp_path / "a.dcm",
        {"t": 3, "z": 4},
        attributes={
            "TemporalPositionIndex": 1,
            "FrameAcquisitionDateTime": lambda i: clock.format(2 * i["t"]),
        },
        dimension_index=False,
        shuffle=1,
    )
    array = canonical(path, {"time": 3, "z": 4})
    assert methods(array)["time"] == ("value", "acquisition_datetime")
    assert array.time.values.tolist() == [0, 2, 4]


def test_constant_temporal_position_index_beside_right_ordinals(tmp_path, canonical, methods):
    path = write_enhanced(
        tmp_path / "a.dcm",
        {"time": 3, "z": 4},
        attributes={"TemporalPositionIndex": 1},
        shuffle=1,
    )
    assert methods(canonical(path, {"time": 3, "z": 4}))["time"] == ("index", "DimensionIndex_2")


def test_wrong_values_beside_right_ordinals(tmp_path, canonical, methods):
    # TemporalPositionIndex 1, 2, 2, 3 …, seen in one real file
    wrong = {"TemporalPositionIndex": lambda i: max(1, i["time"]) if i["z"] else i["time"] + 1}
    path = write_enhanced(tmp_path / "a.dcm", {"time": 4, "z": 3}, attributes=wrong, shuffle=1)
    assert methods(canonical(path, {"time": 4, "z": 3}))["time"] == ("index", "DimensionIndex_2")


def test_wrong_echo_times_beside_right_ordinals(tmp_path, canonical, methods):
    jitter = {
        "EchoTime": lambda i: [5.5, 10.0][i["EchoTime"]] + 0.01 * ((i["z"] + i["EchoTime"]) % 2)
    }
    dims = {"EchoTime": [5.5, 10.0], "z": 4}
    path = write_enhanced(tmp_path / "a.dcm", dims, attributes=jitter, shuffle=1)
    array = canonical(path, {"EchoTime": 2, "z": 4})
    assert methods(array)["EchoTime"][0] == "index"
    assert array.EchoTime.values.tolist() == [5.5, 10.0]


def test_private_pointer(tmp_path, canonical, methods):
    path = write_enhanced(tmp_path / "a.dcm", {"contrast": 3, "z": 4}, shuffle=1)
    array = canonical(path, {"DimensionIndex_2": 3, "z": 4})
    assert array.DimensionIndex_2.values.tolist() == [1, 2, 3]
    assert array.DimensionIndex_2.dtype == np.int64
    assert methods(array)["DimensionIndex_2"] == ("index", "DimensionIndex_2")


def test_ordinals_that_start_and_step_otherwise(tmp_path, canonical):
    ordinals = {"DimensionIndexValues": lambda i: [1, [2, 7][i["contrast"]], 3 * i["z"]]}
    dims = {"contrast": 2, "z": 3}
    path = write_enhanced(tmp_path / "a.dcm", dims, attributes=ordinals, shuffle=1)
    array = canonical(path, {"DimensionIndex_2": 2, "z": 3})
    assert array.DimensionIndex_2.values.tolist() == [2, 7]


def test_two_private_pointers(tmp_path, canonical):
    path = write_enhanced(tmp_path / "a.dcm", {"a": 2, "b": 3, "z": 2}, shuffle=1)
    canonical(path, {"DimensionIndex_2": 2, "DimensionIndex_3": 3, "z": 2})


def test_stack_positions_never_order_slices(tmp_path, canonical):
    backwards = {
        "InStackPositionNumber": lambda i: 4 - i["z"],
        "DimensionIndexValues": lambda i: [1, 4 - i["z"]],
    }
    path = write_enhanced(tmp_path / "a.dcm", {"z": 4}, attributes=backwards, shuffle=1)
    array = canonical(path, {"z": 4})
    assert array.z.values.tolist() == [10, 13, 16, 19]


def test_ordinals_of_some_instances_only(tmp_path, canonical):
    for t in range(2):
        write_enhanced(
            tmp_path / f"{t}.dcm",
            {"z": 3},
            attributes={"TemporalPositionIndex": t + 1},
            stored=lambda i, t=t: frame_pixels(3 * t + i["z"]),
            instance_number=t + 1,
            dimension_index=bool(t),
        )
    canonical(tmp_path, {"time": 2, "z": 3})


def test_frames_without_positions_are_a_list(tmp_path, stored, numbers):
    path = write_enhanced(
        tmp_path / "a.dcm",
        {"z": 5},
        attributes={"ImagePositionPatient": None, "InStackPositionNumber": None},
        dimension_index=False,
    )
    array = stored(path)
    assert array.dims == ("instance", "y", "x")
    assert numbers(array).tolist() == [0, 1, 2, 3, 4]


def test_slices_by_number_where_positions_are_missing(tmp_path, canonical):
    nowhere = {"ImagePositionPatient": None}
    path = write_enhanced(tmp_path / "a.dcm", {"z": 4}, attributes=nowhere, shuffle=1)
    array = canonical(path, {"z": 4})
    assert array.z.values.tolist() == [1, 2, 3, 4]
    assert "units" not in array.z.attrs
    problems = array.dicom.problems
    assert problems.kind.tolist() == ["WeakPosition"]
    assert "InStackPositionNumber" in problems.message[0]
