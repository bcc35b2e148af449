"""The worked examples of grids, A to I: files in any order, dims, labels, coordinates, pixels.

Example F is made with public attributes. What example E and H need of private elements (GE and
Philips trigger delays, vendors' components) comes with those.
"""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom.errors import NotHypercubeError
from xdicom.testing import write_enhanced, write_series


@pytest.mark.parametrize("shuffle", [1, 2])
def test_a_components_and_echoes(tmp_path, canonical, methods, shuffle):
    echoes = [{"EchoTime": te, "EchoNumbers": i + 1} for i, te in enumerate([4.92, 7.38, 9.84])]
    dims = {"component": ["M", "P"], "EchoTime": echoes, "z": 5}
    write_series(tmp_path, dims, shuffle=shuffle)
    array = canonical(tmp_path, {"component": 2, "EchoTime": 3, "z": 5})
    assert array.component.values.tolist() == ["M", "P"]
    assert array.EchoTime.values.tolist() == [4.92, 7.38, 9.84]
    assert array.EchoTime.attrs == {"units": "ms"}
    assert array.EchoNumbers.dims == ("EchoTime",)
    assert array.EchoNumbers.values.tolist() == [1, 2, 3]
    assert "ImageType" not in array.coords
    assert methods(array) == {
        "component": ("value", "ImageType"),
        "EchoTime": ("value", "EchoTime", "EchoNumbers"),
        "z": ("position", "ImagePositionPatient"),
    }


def test_b_nothing_but_instance_number(tmp_path, canonical, methods):
    write_series(tmp_path, {"time": 10, "z": 15}, shuffle=3, number_by="canonical")
    array = canonical(tmp_path, {"time": 10, "z": 15})
    assert "time" not in array.coords
    assert array.InstanceNumber.dims == ("time", "z")
    assert methods(array)["time"] == ("rank", "InstanceNumber")
    assert "time is the rank of InstanceNumber" in array.attrs["dicom_dims"]


def test_c_diffusion_with_repeats(tmp_path, canonical, dataset, methods):
    directions = np.eye(3).tolist()
    steps = [{"DiffusionBValue": 0.0}] * 3 + [
        {"DiffusionBValue": b, "DiffusionGradientOrientation": g}
        for b in (1000.0, 2000.0)
        for g in directions
    ]
    write_series(tmp_path, {"diffusion": steps, "z": 4}, shuffle=5, number_by="canonical")
    array = canonical(tmp_path, {"diffusion": 9, "z": 4})
    assert array.DiffusionBValue.dims == ("diffusion",)
    assert array.DiffusionBValue.values.tolist() == [0] * 3 + [1000] * 3 + [2000] * 3
    assert array.DiffusionBValue.attrs["units"] == "s/mm²"
    gradients = dataset(tmp_path).DiffusionGradientOrientation
    assert gradients.dims == ("diffusion", "lps")
    assert np.isnan(gradients.values[:3]).all()
    np.testing.assert_array_equal(gradients.values[3:], directions * 2)
    assert gradients.lps.values.tolist() == ["L", "P", "S"]
    assert "diffusion" not in array.coords
    assert methods(array)["diffusion"][0] == "value+repeat"


def test_d_diffusion_with_averages(tmp_path, stored, numbers, methods):
    averages = [{"AcquisitionNumber": i + 1} for i in range(3)]
    values = [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}]
    write_series(tmp_path, {"time": averages, "diffusion": values, "z": 5}, shuffle=1)
    array = stored(tmp_path)
    assert array.dims == ("diffusion", "time", "z", "y", "x")
    # with InstanceNumbers at random, the first that was acquired is that of the lowest number
    order = np.argsort(array.DiffusionBValue.values)
    expected = np.arange(30).reshape(3, 2, 5).transpose(1, 0, 2)
    np.testing.assert_array_equal(numbers(array)[order], expected)
    assert array.AcquisitionNumber.dims == ("time",)
    assert array.AcquisitionNumber.values.tolist() == [1, 2, 3]
    assert methods(array)["time"] == ("value", "AcquisitionNumber")


def test_e_cine_with_jitter(tmp_path, canonical, methods):
    jitter = np.random.default_rng(0).uniform(-4, 4, (25, 4)).round(2)
    write_series(
        tmp_path,
        {"cardiac_phase": 25, "z": 4},
        attributes={
            "TriggerTime": lambda i: 30.0 * i["cardiac_phase"] + jitter[i["cardiac_phase"], i["z"]],
            "NominalInterval": 900,
        },
        shuffle=7,
    )
    array = canonical(tmp_path, {"cardiac_phase": 25, "z": 4})
    assert array.TriggerTime.dims == ("cardiac_phase", "z")
    assert array.TriggerTime.attrs["units"] == "ms"
    expected = 30.0 * np.arange(25)[:, None] + jitter
    np.testing.assert_allclose(array.TriggerTime.values, expected, atol=1e-9)
    assert "cardiac_phase" not in array.coords
    assert "trigger_time" not in array.coords
    assert methods(array)["cardiac_phase"] == ("rank", "TriggerTime")


def test_f_trace_images_are_split_off(tmp_path, numbers):
    kinds = {
        "M": ["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"],
        "ADC": ["DERIVED", "PRIMARY", "ADC", "ADC", "UNSPECIFIED"],
    }
    for number, (kind, b) in enumerate([("M", 0.0), ("M", 1000.0), ("ADC", 1000.0)]):
        write_series(
            tmp_path,
            {"z": 4},
            seed=number,
            series_uid="1.2.3",
            study_uid="1.2",
            frame_of_reference_uid="1.1",
            attributes={"ImageType": kinds[kind], "DiffusionBValue": b},
            name=f"{number}-{{}}.dcm",
            shuffle=number,
        )
    names = {xdicom.open_series(tmp_path, array=a).dims: a for a in ("a0", "a1")}
    assert set(names) == {("diffusion", "z", "y", "x"), ("z", "y", "x")}
    trace = xdicom.open_series(
        tmp_path, array=names["diffusion", "z", "y", "x"], coords=["ImageType"]
    )
    assert trace.shape[:2] == (2, 4)
    assert sorted(trace.DiffusionBValue.values.tolist()) == [0, 1000]
    assert "M_SE" in str(trace.ImageType.values)
    adc = xdicom.open_series(tmp_path, array=names["z", "y", "x"], mask_and_scale=False)
    assert numbers(adc).tolist() == [0, 1, 2, 3]
    assert adc.DiffusionBValue.dims == ()


def test_g_ct_with_attributes_of_its_slices(tmp_path, canonical, methods):
    write_series(
        tmp_path,
        {"z": 6},
        modality="CT",
        attributes={
            "AcquisitionNumber": lambda i: i["z"] // 2 + 1,
            "AcquisitionTime": lambda i: f"10000{i['z']}",
        },
        shuffle=2,
    )
    array = canonical(tmp_path, {"z": 6})
    assert array.AcquisitionNumber.dims == ("z",)
    assert array.AcquisitionNumber.values.tolist() == [1, 1, 2, 2, 3, 3]
    assert array.AcquisitionTime.dims == ("z",)
    assert list(methods(array)) == ["z"]


def test_h_enhanced_field_map_with_private_pointers(tmp_path, canonical):
    # the ordinals are neither from 1 nor by 1, and their pointer is private
    path = write_enhanced(
        tmp_path / "b0.dcm",
        {"component": ["M", "FIELD_MAP"], "z": 8},
        slope=lambda i: [1.0, 0.25][i["component"]],
        attributes={
            "ComplexImageComponent": None,
            "FrameType": lambda i: [
                ["ORIGINAL", "PRIMARY", "M_FFE", "M"],
                ["ORIGINAL", "PRIMARY", "B0 MAP", "B0"],
            ][i["component"]],
            "DimensionIndexValues": lambda i: [1, [2, 5][i["component"]], 3 * i["z"]],
        },
        shuffle=4,
    )
    array = canonical(path, {"component": 2, "z": 8})
    assert array.component.values.tolist() == ["M", "FIELD_MAP"]
    assert array.RescaleSlope.dims == ("component",)
    assert array.RescaleSlope.values.tolist() == [1.0, 0.25]


@pytest.fixture
def aborted(tmp_path):
    """Three volumes, and two slices of a fourth."""
    drop = [{"time": 3, "z": z} for z in (2, 3, 4)]
    write_series(tmp_path, {"time": [0.0, 2.0, 4.0, 6.0], "z": 5}, drop=drop, shuffle=1)
    return tmp_path


def test_i_aborted_series_is_an_error(aborted, stored):
    with pytest.raises(NotHypercubeError, match="time 4 × z 5: 17 of 20 cells"):
        stored(aborted)


def test_i_complete_volumes_of_an_aborted_series(aborted, canonical):
    array = canonical(aborted, {"time": 3, "z": 5}, ragged="complete")
    assert "2 frames of incomplete parts of time dropped" in array.attrs["dicom_dims"]
