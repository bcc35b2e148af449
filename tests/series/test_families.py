"""Attributes of each family make their dim: names, labels, order, what goes along with them."""

from __future__ import annotations

import numpy as np
import pytest

import xdicom
from xdicom.errors import NotHypercubeError
from xdicom.testing import write_enhanced, write_series

SIEMENS = {"M": ["M", "ND"], "P": ["P", "ND"]}
PHILIPS = {
    "M": ["M_FFE", "M", "FFE"],
    "P": ["PHASE MAP", "P", "FFE"],
    "R": ["R_FFE", "R", "FFE"],
    "I": ["I_FFE", "I", "FFE"],
}
DIXON = {
    "F": ["DIXON", "FAT"],
    "IP": ["DIXON", "IN_PHASE"],
    "OP": ["DIXON", "OPP_PHASE"],
    "W": ["DIXON", "WATER"],
}


def image_types(values):
    return [{"ImageType": ["ORIGINAL", "PRIMARY", *words]} for words in values]


class TestComponent:
    @pytest.mark.parametrize(
        "words",
        [
            SIEMENS,
            PHILIPS,
            DIXON,
            {"F": ["F", "F"], "IP": ["IP", "IP"], "OP": ["OP", "OP"], "W": ["W", "W"]},
            {"M": ["MAGNITUDE"], "P": ["PHASE"], "R": ["REAL"], "I": ["IMAGINARY"]},
            {"M": ["M_FFE", "M"], "FIELD_MAP": ["FIELD MAP", "B0"]},
            {"M": ["M", "ND"], "ADC": ["ADC", "ND"]},
            {"M": ["M", "DIS2D"], "P": ["P", "DIS3D", "MFSPLIT"]},
        ],
        ids=str,
    )
    def test_words_of_vendors(self, tmp_path, canonical, words):
        write_series(tmp_path, {"component": image_types(words.values()), "z": 3}, shuffle=1)
        array = canonical(tmp_path, {"component": len(words), "z": 3})
        assert array.component.values.tolist() == list(words)

    def test_words_that_mean_the_same_stay_apart(self, tmp_path, canonical):
        words = [["M", "ND", "A"], ["M", "ND", "B"]]
        write_series(tmp_path, {"component": image_types(words), "z": 3})
        assert canonical(tmp_path, {"component": 2, "z": 3}).component.values.tolist() == ["A", "B"]

    def test_nothing_beside_more_is_not_called_magnitude(self, tmp_path, canonical):
        words = [["OTHER"], ["OTHER", "MEAN"]]
        write_series(tmp_path, {"component": image_types(words), "z": 3})
        array = canonical(tmp_path, {"component": 2, "z": 3})
        assert array.component.values.tolist() == ["OTHER", "OTHER\\MEAN"]

    @pytest.mark.parametrize("labels", ["MP", "MPRI", "RI"])
    def test_complex_image_component(self, tmp_path, canonical, labels):
        path = write_enhanced(tmp_path / "a.dcm", {"component": list(labels), "z": 3}, shuffle=1)
        array = canonical(path, {"component": len(labels), "z": 3})
        assert array.component.values.tolist() == list(labels)
        assert array.ComplexImageComponent.dims == ("component",)

    def test_what_is_shown_goes_before_how_it_is_complex(self, tmp_path, stored):
        kinds = [("MAGNITUDE", "M"), ("REAL", "FIELD_MAP")]
        steps = [
            {"ComplexImageComponent": c, "FrameType": ["ORIGINAL", "PRIMARY", word, "NONE"]}
            for c, word in kinds
        ]
        path = write_enhanced(tmp_path / "a.dcm", {"component": steps, "z": 2})
        assert stored(path).component.values.tolist() == ["M", "FIELD_MAP"]

    def test_original_and_derived(self, tmp_path, canonical, methods):
        kinds = ["DERIVED", "ORIGINAL"]
        steps = [{"ImageType": [kind, "PRIMARY", "M", "ND"]} for kind in kinds]
        write_series(tmp_path, {"ImageType": steps, "z": 3}, shuffle=1)
        array = canonical(tmp_path, {"ImageType": 2, "z": 3})
        assert array.ImageType.values.tolist() == ["DERIVED\\PRIMARY", "ORIGINAL\\PRIMARY"]
        assert methods(array)["ImageType"] == ("value", "ImageType")


class TestContrast:
    def test_echo_numbers_alone(self, tmp_path, canonical):
        write_series(tmp_path, {"EchoNumbers": [1, 2, 3], "z": 3}, shuffle=1)
        array = canonical(tmp_path, {"EchoNumbers": 3, "z": 3})
        assert array.EchoNumbers.dtype == np.int64
        assert array.EchoNumbers.values.tolist() == [1, 2, 3]
        assert array.EchoTime.dims == ()

    def test_two_echoes_of_one_time(self, tmp_path, stored, numbers):
        echoes = [{"EchoTime": te, "EchoNumbers": n} for te, n in [(5, 1), (5, 2), (9, 3)]]
        write_series(tmp_path, {"EchoTime": echoes, "z": 2}, shuffle=1)
        array = stored(tmp_path)
        assert array.EchoTime.values.tolist() == [5, 5, 9]
        assert array.EchoNumbers.values.tolist() == [1, 2, 3]
        np.testing.assert_array_equal(numbers(array), np.arange(6).reshape(3, 2))

    @pytest.mark.parametrize(
        ("keyword", "values", "units"),
        [
            ("InversionTime", [50, 400, 2000], "ms"),
            ("FlipAngle", [2.5, 10, 30], "degree"),
            ("RepetitionTime", [6.2, 500], "ms"),
            ("SequenceName", ["*fl3d1", "*se2d1"], None),
            ("ConvolutionKernel", ["B30f", "B70f"], None),
            ("SliceThickness", [3.0, 5.0], "mm"),
        ],
    )
    def test_labels(self, tmp_path, canonical, keyword, values, units):
        write_series(tmp_path, {keyword: values, "z": 3}, shuffle=1)
        array = canonical(tmp_path, {keyword: len(values), "z": 3})
        assert array[keyword].values.tolist() == values
        assert array[keyword].attrs.get("units") == units
        assert array.sel({keyword: values[1]}).shape == (3, 16, 24)

    @pytest.mark.parametrize(
        ("dim", "keyword", "values"),
        [
            ("energy", "KVP", [80, 140]),
            ("coil", "ReceiveCoilName", ["HE1", "HE2"]),
            ("velocity", "VelocityEncodingMinimumValue", [50.0, 100.0]),
            ("stack", "StackID", ["1", "2"]),
        ],
    )
    def test_families_by_their_own_name(self, tmp_path, canonical, dim, keyword, values):
        write_series(tmp_path, {dim: [{keyword: v} for v in values], "z": 3}, shuffle=1)
        array = canonical(tmp_path, {dim: 2, "z": 3}, coords=[keyword])
        assert dim not in array.coords
        assert array[keyword].dims == (dim,)
        assert array[keyword].values.tolist() == values

    def test_attributes_that_change_together(self, tmp_path, canonical):
        steps = [{"FlipAngle": a, "RepetitionTime": t} for a, t in [(5, 20), (15, 30), (30, 40)]]
        write_series(tmp_path, {"FlipAngle": steps, "z": 2}, shuffle=1)
        array = canonical(tmp_path, {"FlipAngle": 3, "z": 2})
        assert array.RepetitionTime.dims == ("FlipAngle",)
        assert array.RepetitionTime.values.tolist() == [20, 30, 40]
        assert '"confounded": ["RepetitionTime"' in array.attrs["dicom_dims"]

    def test_effective_echo_time(self, tmp_path, canonical, methods):
        path = write_enhanced(tmp_path / "a.dcm", {"EchoTime": [4.76, 9.52], "z": 3}, shuffle=2)
        array = canonical(path, {"EchoTime": 2, "z": 3}, coords=["EffectiveEchoTime"])
        assert array.EchoTime.values.tolist() == [4.76, 9.52]
        assert methods(array)["EchoTime"] == ("value", "EchoTime")
        path = write_enhanced(tmp_path / "b.dcm", {"z": 3})
        assert xdicom.open_series(path).EchoTime.attrs["alias_of"] == "EffectiveEchoTime"

    def test_values_for_some_frames_only_make_no_dim(self, tmp_path, stored):
        inversion = {"InversionTime": lambda i: None if i["time"] == 0 else 100 * i["time"]}
        write_series(tmp_path, {"time": [0.0, 1.0, 2.0], "z": 2}, attributes=inversion)
        array = stored(tmp_path, coords=["InversionTime"])
        assert array.dims[:2] == ("time", "z")
        assert array.InversionTime.dims == ("time",)
        np.testing.assert_array_equal(array.InversionTime, [np.nan, 100, 200])


DIRECTIONS = [[0.6, 0.8, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


class TestDiffusion:
    def test_order_is_that_of_the_first_acquisition(self, tmp_path, canonical, dataset):
        # neither b-values nor directions ascend
        steps = [
            (1000.0, DIRECTIONS[2]),
            (0.0, None),
            (2000.0, DIRECTIONS[0]),
            (1000.0, DIRECTIONS[1]),
        ]
        write_series(
            tmp_path,
            {
                "diffusion": [
                    {"DiffusionBValue": b, "DiffusionGradientOrientation": g} for b, g in steps
                ],
                "z": 3,
            },
            shuffle=1,
            attributes={"AcquisitionTime": lambda i: f"1000{10 + i['diffusion']}.{i['z']}"},
        )
        array = canonical(tmp_path, {"diffusion": 4, "z": 3})
        assert array.DiffusionBValue.values.tolist() == [b for b, _ in steps]
        directions = dataset(tmp_path).DiffusionGradientOrientation
        assert directions.sel(lps="S").values[[0, 2, 3]].tolist() == [1.0, 0.0, 0.0]
        assert np.isnan(directions.values[1]).all()

    def test_b_values_within_one_are_one(self, tmp_path, canonical):
        noise = {"DiffusionBValue": lambda i: [0.0, 1000.0][i["diffusion"]] + 0.4 * (i["z"] % 2)}
        write_series(tmp_path, {"diffusion": 2, "z": 4}, number_by="canonical", attributes=noise)
        array = canonical(tmp_path, {"diffusion": 2, "z": 4})
        assert array.DiffusionBValue.dims == ("diffusion",)
        assert array.DiffusionBValue.values.tolist() == [0.0, 1000.0]

    def test_directions_within_a_thousandth_are_one(self, tmp_path, canonical):
        def direction(i):
            x, y, z = DIRECTIONS[i["diffusion"]]
            return [x, y, z + 4e-4 * i["z"]]

        attributes = {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": direction}
        write_series(
            tmp_path, {"diffusion": 3, "z": 3}, number_by="canonical", attributes=attributes
        )
        canonical(tmp_path, {"diffusion": 3, "z": 3})

    def test_trace_is_another_value_than_its_directions(self, tmp_path, canonical):
        steps = [{"DiffusionBValue": 0.0, "DiffusionDirectionality": "NONE"}]
        steps += [
            {
                "DiffusionBValue": 500.0,
                "DiffusionGradientOrientation": g,
                "DiffusionDirectionality": "DIRECTIONAL",
            }
            for g in DIRECTIONS
        ]
        steps += [{"DiffusionBValue": 500.0, "DiffusionDirectionality": "ISOTROPIC"}]
        path = write_enhanced(tmp_path / "a.dcm", {"diffusion": steps, "z": 3})
        array = canonical(path, {"diffusion": 5, "z": 3})
        assert array.DiffusionDirectionality.values[-1] == "ISOTROPIC"

    @pytest.mark.parametrize("clock", ["AcquisitionTime", "InstanceNumber"])
    def test_repeats_in_order(self, tmp_path, canonical, methods, clock):
        steps = [{"DiffusionBValue": b} for b in (0.0, 0.0, 700.0, 700.0, 700.0)]
        attributes = {}
        if clock == "AcquisitionTime":  # slices by turns, numbers at random
            attributes = {
                "AcquisitionTime": lambda i: f"1000{10 + i['diffusion']}.{7 * i['z'] % 5}"
            }
        write_series(
            tmp_path,
            {"diffusion": steps, "z": 5},
            shuffle=3,
            number_by="canonical" if clock == "InstanceNumber" else "shuffled",
            attributes=attributes,
        )
        array = canonical(tmp_path, {"diffusion": 5, "z": 5})
        assert methods(array)["diffusion"][0] == "value+repeat"

    def test_repeats_are_never_mixed(self, tmp_path, stored):
        # each slice lacks another one of three repeats: two ordinals would mix times
        write_series(
            tmp_path,
            {"diffusion": [{"DiffusionBValue": 0.0}] * 3 + [{"DiffusionBValue": 900.0}], "z": 3},
            drop=[{"diffusion": k, "z": k} for k in range(3)],
            attributes={"AcquisitionTime": lambda i: f"1000{10 * i['diffusion']:02d}"},
        )
        with pytest.raises(NotHypercubeError):
            stored(tmp_path)


class TestTime:
    @pytest.mark.parametrize(
        ("keyword", "values", "seconds"),
        [
            ("TemporalPositionIdentifier", [1, 2, 3], None),
            ("FrameReferenceTime", [1000, 3000, 7000], [0, 2, 6]),
            ("TriggerTime", [0, 500, 1500], [0, 0.5, 1.5]),
            ("AcquisitionTime", ["095959.5", "100000", "100001.25"], [0, 0.5, 1.75]),
            ("AcquisitionDateTime", ["20240229235959", "20240301000001"], [0, 2]),
            ("AcquisitionNumber", [3, 5, 9], None),
        ],
    )
    def test_one_value_a_volume(self, tmp_path, canonical, methods, keyword, values, seconds):
        write_series(tmp_path, {keyword: values, "z": 3}, shuffle=1)
        array = canonical(tmp_path, {"time": len(values), "z": 3})
        driver = keyword if "Acquisition" not in keyword else "acquisition_datetime"
        driver = "AcquisitionNumber" if keyword == "AcquisitionNumber" else driver
        assert methods(array)["time"] == ("value", driver)
        assert array[keyword if keyword in array.coords else driver].dims == ("time",)
        if seconds is None:
            assert "time" not in array.coords
        else:
            assert array.time.values.tolist() == seconds
            assert array.time.attrs == {"units": "s"}
            assert array.time.dtype == np.float64

    def test_midnight(self, tmp_path, canonical):
        steps = [
            {"AcquisitionDate": d, "AcquisitionTime": t}
            for d, t in [("20240229", "235959"), ("20240301", "000001"), ("20240301", "000003")]
        ]
        write_series(tmp_path, {"time": steps, "z": 2}, shuffle=1)
        assert canonical(tmp_path, {"time": 3, "z": 2}).time.values.tolist() == [0, 2, 4]

    def test_offsets_from_utc(self, tmp_path, canonical):
        # 01:00 +0100, 00:30 UTC, 02:00 +0100: ordered as moments, not as texts
        moments = ["20240331010000+0100", "20240331003000+0000", "20240331020000+0100"]
        write_series(tmp_path, {"AcquisitionDateTime": moments, "z": 2}, shuffle=1)
        assert canonical(tmp_path, {"time": 3, "z": 2}).time.values.tolist() == [0, 1800, 3600]

    def test_content_time_orders_nothing(self, tmp_path, canonical, methods):
        backwards = {"ContentTime": lambda i: f"10000{9 - i['time']}"}
        write_series(tmp_path, {"time": 3, "z": 2}, number_by="canonical", attributes=backwards)
        array = canonical(tmp_path, {"time": 3, "z": 2})
        assert methods(array)["time"] == ("rank", "InstanceNumber")

    def test_slices_acquired_one_after_the_other(self, tmp_path, canonical, methods):
        # two volumes of 4 slices in 2 s, slices by turns
        turn = [0, 2, 1, 3]
        attributes = {"AcquisitionTime": lambda i: f"10000{2 * i['time'] + turn[i['z']] / 2:.1f}"}
        write_series(tmp_path, {"time": 3, "z": 4}, shuffle=5, attributes=attributes)
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert methods(array)["time"] == ("rank", "acquisition_datetime")
        assert array.time.values.tolist() == [0, 2, 4]
        assert array.AcquisitionTime.dims == ("time", "z")

    def test_trigger_time_without_gating_is_time(self, tmp_path, canonical, methods):
        attributes = {"TriggerTime": lambda i: 2000 * i["t"] + 10 * i["z"], "HeartRate": 0}
        write_series(tmp_path, {"t": 3, "z": 4}, shuffle=1, attributes=attributes)
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert methods(array)["time"] == ("rank", "TriggerTime")
        assert array.time.values.tolist() == [0, 2, 4]

    @pytest.mark.parametrize(
        "gating",
        [
            {"HeartRate": 61},
            {"NominalInterval": 800},
            {"CardiacNumberOfImages": 20},
            {"CardiacSynchronizationTechnique": "PROSPECTIVE"},
        ],
        ids=str,
    )
    def test_trigger_time_with_gating_is_cardiac_phase(self, tmp_path, canonical, methods, gating):
        steps = [{"TriggerTime": t} for t in (0, 40, 80)]
        write_series(tmp_path, {"cardiac_phase": steps, "z": 2}, shuffle=1, attributes=gating)
        array = canonical(tmp_path, {"cardiac_phase": 3, "z": 2})
        assert methods(array)["cardiac_phase"] == ("value", "TriggerTime")
        assert array.TriggerTime.values.tolist() == [0, 40, 80]

    @pytest.mark.parametrize("technique", ["NONE", ""])
    def test_no_technique_is_no_gating(self, tmp_path, canonical, technique):
        attributes = {"CardiacSynchronizationTechnique": technique}
        write_series(tmp_path, {"TriggerTime": [0, 40], "z": 2}, attributes=attributes)
        canonical(tmp_path, {"time": 2, "z": 2})

    def test_phases_of_breathing_and_heart(self, tmp_path, canonical, methods):
        dims = {
            "NominalPercentageOfRespiratoryPhase": [0.0, 50.0],
            "NominalPercentageOfCardiacPhase": [0.0, 30.0, 60.0],
            "z": 2,
        }
        path = write_enhanced(tmp_path / "a.dcm", dims, shuffle=1)
        array = canonical(path, {"respiratory_phase": 2, "cardiac_phase": 3, "z": 2})
        assert methods(array)["cardiac_phase"][1] == "NominalPercentageOfCardiacPhase"

    def test_one_value_for_ranks_that_hardly_differ(self, tmp_path, canonical):
        attributes = {
            "TriggerTime": lambda i: 50 * i["cardiac_phase"] + 0.1 * i["z"],
            "HeartRate": 60,
        }
        write_series(tmp_path, {"cardiac_phase": 4, "z": 3}, shuffle=1, attributes=attributes)
        array = canonical(tmp_path, {"cardiac_phase": 4, "z": 3})
        assert array.TriggerTime.dims == ("cardiac_phase", "z")
        assert array.trigger_time.dims == ("cardiac_phase",)
        assert array.trigger_time.values.tolist() == [0, 50, 100, 150]
        assert array.trigger_time.attrs == {"units": "ms"}

    def test_acquisitions_of_volumes(self, tmp_path, canonical, methods):
        acquisitions = [{"AcquisitionNumber": n} for n in (1, 2)]
        volumes = [{"TemporalPositionIdentifier": n} for n in range(1, 6)]
        write_series(tmp_path, {"a": acquisitions, "t": volumes, "z": 3}, shuffle=1)
        array = xdicom.open_series(tmp_path)
        assert array.dims[:3] == ("time", "repetition", "z")
        assert array.shape[:3] == (5, 2, 3)
        assert methods(array)["repetition"] == ("value", "AcquisitionNumber")

    def test_times_are_never_mixed(self, tmp_path, stored):
        # three slices at three times, each slice lacks another time: ranks fill 2 × 3
        clock = {"AcquisitionTime": lambda i: f"1000{20 * i['t'] + i['z']:02d}"}
        drop = [{"t": k, "z": k} for k in range(3)]
        write_series(tmp_path, {"t": 3, "z": 3}, drop=drop, attributes=clock)
        with pytest.raises(NotHypercubeError, match="tell the frames apart"):
            stored(tmp_path)
        assert stored(tmp_path, ragged="flat").dims == ("instance", "y", "x")

    def test_passes_over_two_places_by_turns(self, tmp_path, canonical, methods):
        # the table goes to and fro: no two places have an acquisition in common
        shuttle = {"AcquisitionNumber": lambda i: 2 * i["t"] + 1 + i["z"] // 2}
        write_series(tmp_path, {"t": 3, "z": 4}, shuffle=1, attributes=shuttle)
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert methods(array)["time"] == ("rank", "AcquisitionNumber")

    @pytest.mark.parametrize("keyword", ["TemporalPositionIdentifier", "AcquisitionNumber"])
    def test_volumes_that_slices_lack_are_never_mixed(self, tmp_path, stored, keyword):
        # one slice lacks the first volume, the other the last: both step alike, by any number
        volumes = {"t": [{keyword: n} for n in (1, 2, 3)], "z": 2}
        clock = {"AcquisitionTime": lambda i: f"1000{20 * i['t'] + i['z']:02d}"}
        write_series(tmp_path, volumes, drop=[(0, 0), (2, 1)], attributes=clock)
        with pytest.raises(NotHypercubeError, match="time 3 × z 2: 4 of 6 cells"):
            stored(tmp_path)

    def test_arbitrary_numbers_are_no_order(self, tmp_path, stored):
        write_series(tmp_path, {"t": 4, "z": 6}, shuffle=3)
        with pytest.raises(NotHypercubeError):
            stored(tmp_path)

    def test_one_slice_by_instance_number(self, tmp_path, canonical, methods):
        write_series(tmp_path, {"instance": 5, "z": 1}, shuffle=2, number_by="canonical")
        array = canonical(tmp_path, {"instance": 5, "z": 1})
        assert methods(array)["instance"] == ("value", "InstanceNumber")

    def test_pet_image_index(self, tmp_path, canonical, methods):
        frames = {"FrameReferenceTime": None}
        write_series(tmp_path, {"time": 3, "z": 4}, modality="PT", shuffle=1, attributes=frames)
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert methods(array)["time"] == ("rank", "ImageIndex")

    def test_pet_frame_reference_time(self, tmp_path, canonical, methods):
        times = [{"FrameReferenceTime": t} for t in (30000, 90000, 210000)]
        write_series(tmp_path, {"time": times, "z": 4}, modality="PT", shuffle=1)
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert array.time.values.tolist() == [0, 60, 180]
        assert methods(array)["time"] == ("value", "FrameReferenceTime")


class TestOrder:
    def test_canonical_order_of_dims(self, tmp_path, stored):
        dims = {
            "time": [0.0, 5.0],
            "FlipAngle": [10, 20],
            "EchoTime": [4, 8],
            "InversionTime": [100, 300],
            "component": ["M", "P"],
            "z": 2,
        }
        write_series(tmp_path, dims, rows=2, columns=2, shuffle=1)
        array = stored(tmp_path)
        names = ("component", "EchoTime", "InversionTime", "FlipAngle", "time", "z", "y", "x")
        assert array.dims == names

    def test_soft_dims_come_before_time(self, tmp_path, stored):
        write_series(tmp_path, {"time": [0.0, 1.0], "z": 2, "SequenceName": ["a", "b"]})
        assert stored(tmp_path).dims == ("SequenceName", "time", "z", "y", "x")

    def test_no_dim_of_length_one_but_z(self, tmp_path, canonical):
        write_series(tmp_path, {"component": ["M"], "EchoTime": [5], "time": [0.0], "z": 1})
        canonical(tmp_path, {"z": 1})
