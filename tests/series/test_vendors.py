"""Private elements of vendors drive the axes that public ones would: values, places, names."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import NotHypercubeError
from xdicom.testing import (
    csa_diffusion_header,
    frame_pixels,
    vendor_elements,
    write_enhanced,
    write_series,
)

VENDORS = ("siemens", "ge", "philips", "uih")
OBLIQUE = (0.936, 0.352, 0.0, -0.352, 0.936, 0.0)
B, DIRECTION = "DiffusionBValue", "DiffusionGradientOrientation"


@pytest.fixture
def random():
    """Different in each run: blocks, descriptions, dates and the order of files tell nothing."""
    return np.random.default_rng()


def noise(random):
    day = int(random.integers(1, 28))
    return {
        "SeriesDescription": f"series {random.integers(1e9)}",
        "ProtocolName": f"protocol {random.integers(1e9)}",
        "StudyDate": f"202301{day:02d}",
        "InPlanePhaseEncodingDirection": "COL",
    }


def shells(random, count=4):
    """B-values and directions of a scan: without any, then two shells."""
    steps = [(0, None)]
    for b in (500, 1000):
        for _ in range(count):
            direction = random.normal(size=3)
            steps.append((b, direction / np.linalg.norm(direction)))
    return steps


def written(vendor, steps, seed, **options):
    return [
        vendor_elements(
            vendor,
            blocks=seed,
            b_value=b,
            direction=(0, 0, 0) if g is None else g,
            **options,
        )
        for b, g in steps
    ]


class TestDiffusion:
    @pytest.mark.parametrize("vendor", VENDORS)
    def test_values_and_directions_in_the_patient(self, tmp_path, canonical, random, vendor):
        seed = int(random.integers(10_000))
        steps = shells(random)
        write_series(
            tmp_path,
            {"diffusion": written(vendor, steps, seed, orientation=OBLIQUE), "z": 3},
            orientation=OBLIQUE,
            attributes={
                **noise(random),
                "AcquisitionTime": lambda i: f"10{i['diffusion']:02d}00",
            },
            shuffle=seed,
            seed=seed,
        )
        array = canonical(tmp_path, {"diffusion": 9, "z": 3})
        assert array[B].dims == ("diffusion",)
        assert array[B].values.tolist() == [b for b, _ in steps]
        assert array[B].attrs["units"] == "s/mm²"
        opened = xr.open_dataset(tmp_path, engine="dicom")
        directions = opened[DIRECTION]
        assert directions.dims == ("diffusion", "lps")
        assert directions.lps.values.tolist() == ["L", "P", "S"]
        assert np.isnan(directions.values[0]).all()
        np.testing.assert_allclose(directions[1:], [g for _, g in steps[1:]], atol=1e-6)

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_whole_attribute_access(self, tmp_path, random, vendor):
        seed = int(random.integers(10_000))
        steps = shells(random)
        write_series(
            tmp_path,
            {"diffusion": written(vendor, steps, seed), "z": 2},
            attributes=noise(random),
            shuffle=seed,
        )
        array = xdicom.open_series(tmp_path)
        assert (
            sorted(array.dicom.values(B).isel(z=0).values.tolist()) == [0] + [500] * 4 + [1000] * 4
        )
        assert array.dicom.values(DIRECTION).dims == ("diffusion", "z", "lps")
        assert array.dicom.filter(DiffusionBValue=1000).sizes["diffusion"] == 4
        assert array.sel(diffusion=array[B] == 500).sizes["diffusion"] == 4
        assert array.sel(DiffusionBValue=1000).sizes["diffusion"] == 4
        assert array.dicom[B] == [0, 500, 1000]
        chosen = xdicom.open_series(tmp_path, select={B: slice(400, 600)})
        assert chosen.sizes["diffusion"] == 4
        forced = xdicom.open_series(tmp_path, dims=("z", "diffusion"))
        assert forced.dims[:2] == ("z", "diffusion")
        catalog = xdicom.scan(tmp_path)
        assert catalog[B] == [0, 500, 1000]

    def test_blocks_differ_from_file_to_file(self, tmp_path, random):
        """One series, in four parts whose private blocks stand elsewhere."""
        steps = shells(random, 2)
        for part in range(4):
            write_series(
                tmp_path,
                {"diffusion": written("siemens", steps, 100 + part), "z": 4},
                drop=[{"z": z} for z in range(4) if z != part],
                name=f"{part}-{{:05d}}.dcm",
                seed=5,
            )
        array = xdicom.open_series(tmp_path)
        assert dict(array.sizes) | {"y": 0, "x": 0} == {"diffusion": 5, "z": 4, "y": 0, "x": 0}
        assert sorted(array[B].values.tolist()) == [0, 500, 500, 1000, 1000]

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_repeats_of_b_zero(self, tmp_path, canonical, random, vendor):
        """SPEC §2.4 C."""
        seed = int(random.integers(10_000))
        axes = np.eye(3)
        steps = [(0, None)] * 3 + [(b, g) for b in (1000, 2000) for g in axes]
        write_series(
            tmp_path,
            {"diffusion": written(vendor, steps, seed), "z": 4},
            attributes=noise(random),
            shuffle=seed,
            number_by="canonical",
        )
        array = canonical(tmp_path, {"diffusion": 9, "z": 4})
        assert array[B].values.tolist() == [0] * 3 + [1000] * 3 + [2000] * 3

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_averages(self, tmp_path, random, vendor):
        """SPEC §2.4 D."""
        seed = int(random.integers(10_000))
        steps = written(vendor, [(0, None), (800, (0, 0, 1))], seed)
        write_series(
            tmp_path,
            {"diffusion": steps, "AcquisitionNumber": [1, 2, 3], "z": 3},
            attributes=noise(random),
            shuffle=seed,
        )
        array = xdicom.open_series(tmp_path)
        assert [array.sizes[d] for d in ("diffusion", "time", "z")] == [2, 3, 3]

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_trace_and_adc(self, tmp_path, random, vendor):
        """SPEC §2.4 F: the ADC is another array."""
        seed = int(random.integers(10_000))
        kinds = [("M", 0), ("M", 1000), ("ADC", 1000)]
        steps = [
            {
                "ImageType": ["ORIGINAL", "PRIMARY", kind, kind],
                **vendor_elements(vendor, blocks=seed, b_value=b, direction=(0, 0, 0)),
            }
            for kind, b in kinds
        ]
        write_series(tmp_path, {"d": steps, "z": 3}, attributes=noise(random), shuffle=seed)
        tree = xr.open_datatree(tmp_path, engine="dicom")
        arrays = [node["pixels"] for node in tree.subtree if "pixels" in node]
        assert sorted(a.sizes.get("diffusion", 1) for a in arrays) == [1, 2]

    def test_siemens_directionality(self, tmp_path, canonical, random):
        seed = int(random.integers(10_000))
        said = [
            {"b_value": 0, "directionality": "NONE"},
            {"b_value": 500, "direction": (0, 0, 1), "directionality": "DIRECTIONAL"},
            {"b_value": 500, "directionality": "ISOTROPIC"},
        ]
        steps = [vendor_elements("siemens", blocks=seed, **each) for each in said]
        write_series(tmp_path, {"diffusion": steps, "z": 3}, attributes=noise(random))
        array = canonical(tmp_path, {"diffusion": 3, "z": 3})
        assert array.DiffusionDirectionality.values.tolist() == [
            "NONE", "DIRECTIONAL", "ISOTROPIC",
        ]  # fmt: skip

    def test_old_siemens(self, tmp_path, canonical, random):
        key = (0x0029, 0x10, "SIEMENS CSA HEADER", "OB")
        steps = [
            {key: csa_diffusion_header(b, g)}
            for b, g in ((0, None), (1000, (0, 0, 1)), (1000, (1, 0, 0)))
        ]
        write_series(tmp_path, {"diffusion": steps, "z": 3}, attributes=noise(random))
        array = canonical(tmp_path, {"diffusion": 3, "z": 3})
        assert array[B].values.tolist() == [0, 1000, 1000]

    def test_directions_of_ge_in_doubt(self, tmp_path, random):
        """The b-value stands, the direction does not, and the problem says why and where."""
        steps = written("ge", [(0, None), (1000, (0, 0, 1))], 7)
        write_series(
            tmp_path,
            {"diffusion": steps, "z": 3},
            attributes={**noise(random), "InPlanePhaseEncodingDirection": "ROW"},
        )
        array = xdicom.open_series(tmp_path)
        assert array[B].values.tolist() == [0, 1000]
        assert np.isnan(array.dicom.values(DIRECTION).values.astype(float)).all()
        problems = array.dicom.problems
        assert set(problems.kind) == {"UnprovenValue"}
        assert len(problems) == 3
        assert array.dicom.values("g0019_GEMS_ACQU_01_BD").values[1].tolist() == [-1, -1, -1]

    def test_enhanced_with_private_sequences(self, tmp_path, random):
        seed = int(random.integers(10_000))
        steps = [(0, None), (700, (1, 0, 0)), (700, (0, 1, 0))]
        elements = written("philips", steps, seed)
        key = (0x2005, 0x0F, "Philips MR Imaging DD 005", "SQ")
        path = write_enhanced(
            tmp_path / "a.dcm",
            {"d": 3, "z": 2},
            attributes={key: lambda i: [elements[i["d"]]]},
            shuffle=seed,
            dimension_index=False,
        )
        opened = xr.open_dataset(path, engine="dicom")
        assert opened.sizes["diffusion"] == 3
        order = np.lexsort((np.nan_to_num(opened[DIRECTION].values[:, 0]), opened[B].values))
        assert opened[B].values[order].tolist() == [0, 700, 700]
        assert opened[DIRECTION].values[order][1:].tolist() == [[0, 1, 0], [1, 0, 0]]


class TestComponent:
    @pytest.mark.parametrize(
        ("vendor", "values"), [("ge", (0, 1, 2, 3)), ("philips", ("M", "P", "R", "I"))]
    )
    def test_parts_of_complex_values(self, tmp_path, canonical, random, vendor, values):
        seed = int(random.integers(10_000))
        steps = [vendor_elements(vendor, blocks=seed, component=v) for v in values]
        write_series(tmp_path, {"component": steps, "z": 3}, attributes=noise(random), shuffle=seed)
        array = canonical(tmp_path, {"component": 4, "z": 3})
        assert array.component.values.tolist() == ["M", "P", "R", "I"]
        assert array.sel(component="P").dicom["ComplexImageComponent"] == "PHASE"

    def test_magnitude_and_field_map_of_ge(self, tmp_path, canonical, random):
        steps = [vendor_elements("ge", blocks=3, component=0, second_component=v) for v in (0, 2)]
        write_series(tmp_path, {"component": steps, "z": 3}, attributes=noise(random))
        array = canonical(tmp_path, {"component": 2, "z": 3})
        assert array.component.values.tolist() == ["0", "2"]
        write_series(tmp_path / "b", {"component": steps, "z": 3}, shuffle=4)
        forced = xdicom.open_series(tmp_path / "b", dims=("component", "z"))
        assert forced.dims[:2] == ("component", "z")

    def test_it_does_not_take_b_zero_apart(self, tmp_path, canonical, random):
        steps = [
            vendor_elements("ge", blocks=3, b_value=b, direction=g, second_component=flag)
            for b, g, flag in ((0, (0, 0, 0), 14), (1000, (1, 0, 0), 16), (1000, (0, 0, 1), 16))
        ]
        write_series(
            tmp_path, {"diffusion": steps, "z": 3}, attributes=noise(random), number_by="canonical"
        )
        canonical(tmp_path, {"diffusion": 3, "z": 3})

    def test_it_is_left_alone_where_it_fills_no_grid(self, tmp_path, canonical):
        flag = {
            next(iter(vendor_elements("ge", second_component=0))): lambda i: (
                (i["time"] + i["z"]) % 3
            )
        }
        write_series(tmp_path, {"time": [0.0, 2.0], "z": 3}, attributes=flag)
        canonical(tmp_path, {"time": 2, "z": 3})


class TestOtherFamilies:
    def test_labels_of_philips(self, tmp_path, canonical, random):
        seed = int(random.integers(10_000))
        steps = [vendor_elements("philips", blocks=seed, label=v) for v in ("CONTROL", "LABEL")]
        write_series(
            tmp_path,
            {"asl": steps, "time": [0.0, 4.0, 8.0], "z": 3},
            attributes=noise(random),
            shuffle=seed,
        )
        array = canonical(tmp_path, {"asl": 2, "time": 3, "z": 3})
        assert array.ASLContext.values.tolist() == ["CONTROL", "LABEL"]
        assert array.sel(ASLContext="LABEL").sizes["time"] == 3

    @pytest.mark.parametrize(
        ("keyword", "values"),
        [
            ("ASLContext", ["CONTROL", "LABEL"]),
            ("ASLPulseTrainDuration", [1400, 1800]),
            ("ASLBolusCutoffDelayTime", [700, 900]),
        ],
    )
    def test_labels_of_enhanced_objects(self, tmp_path, canonical, keyword, values):
        path = write_enhanced(
            tmp_path / "a.dcm", {keyword: values, "time": [0.0, 4.0], "z": 3}, shuffle=3
        )
        array = canonical(path, {"asl": 2, "time": 2, "z": 3})
        assert array[keyword].values.tolist() == values

    def test_label_duration_of_ge(self, tmp_path, canonical, random):
        steps = [vendor_elements("ge", blocks=9, label_duration=v) for v in (1450, 2000)]
        write_series(tmp_path, {"asl": steps, "z": 3}, attributes=noise(random), shuffle=1)
        array = canonical(tmp_path, {"asl": 2, "z": 3})
        assert array["g0043_GEMS_PARM_01_A5"].values.tolist() == [1450, 2000]

    @pytest.mark.parametrize(
        ("vendor", "values"),
        [
            ("philips", [[0.0, 0.0, 100.0], [0.0, 100.0, 0.0], [100.0, 0.0, 0.0]]),
            ("siemens", ["v150_ap", "v150_rl", "v150_through"]),
        ],
    )
    def test_velocity(self, tmp_path, canonical, random, vendor, values):
        seed = int(random.integers(10_000))
        steps = [vendor_elements(vendor, blocks=seed, velocity=v) for v in values]
        write_series(
            tmp_path,
            {"component": ["M", "P"], "velocity": steps, "z": 3},
            attributes=noise(random),
            shuffle=seed,
        )
        canonical(tmp_path, {"component": 2, "velocity": 3, "z": 3})

    def test_coils_of_siemens(self, tmp_path, canonical, random):
        seed = int(random.integers(10_000))
        steps = [vendor_elements("siemens", blocks=seed, coil=f"H{i}") for i in range(4)]
        write_series(tmp_path, {"coil": steps, "z": 3}, attributes=noise(random), shuffle=seed)
        array = canonical(tmp_path, {"coil": 4, "z": 3})
        assert array["g0051_SIEMENS_MR_HEADER_0F"].values.tolist() == ["H0", "H1", "H2", "H3"]

    def test_timer_of_ge(self, tmp_path, canonical, methods, random):
        """Slices by turns: the rank of a clock whose unit depends on the release."""
        key = next(iter(vendor_elements("ge", blocks=2, timer=0)))
        write_series(
            tmp_path,
            {"t": 3, "z": 4},
            attributes={**noise(random), key: lambda i: f"{1.5 * i['t'] + 0.3 * (i['z'] % 2):.6f}"},
            shuffle=1,
            number_by="shuffled",
        )
        array = canonical(tmp_path, {"time": 3, "z": 4})
        assert methods(array)["time"] == ("rank", "g0021_GEMS_RELA_01_5E")
        assert "time" not in array.coords

    @pytest.mark.parametrize("gated", [True, False])
    def test_phases_of_philips(self, tmp_path, random, gated):
        steps = [vendor_elements("philips", blocks=2, phase=v) for v in (1, 2, 3)]
        write_series(
            tmp_path,
            {"p": steps, "z": 3},
            attributes={**noise(random), "HeartRate": 60 if gated else None},
            shuffle=1,
            number_by="canonical",
        )
        array = xdicom.open_series(tmp_path)
        assert array.sizes["cardiac_phase" if gated else "time"] == 3

    def test_inversion_times_of_enhanced_objects(self, tmp_path, canonical):
        path = write_enhanced(tmp_path / "a.dcm", {"InversionTimes": [100.0, 900.0], "z": 3})
        array = canonical(path, {"InversionTime": 2, "z": 3})
        assert array.InversionTime.values.tolist() == [100, 900]

    def test_monoenergetic_images(self, tmp_path, canonical):
        path = write_enhanced(
            tmp_path / "a.dcm",
            {"MonoenergeticEnergyEquivalent": [50.0, 70.0, 100.0], "z": 3},
            modality="CT",
        )
        array = canonical(path, {"energy": 3, "z": 3})
        assert array.MonoenergeticEnergyEquivalent.values.tolist() == [50, 70, 100]

    def test_two_exposure_times(self, tmp_path, canonical, random):
        write_series(
            tmp_path,
            {"ExposureTime": [500, 750], "z": 4},
            modality="CT",
            attributes=noise(random),
            shuffle=2,
        )
        array = canonical(tmp_path, {"energy": 2, "z": 4})
        assert array.ExposureTime.values.tolist() == [500, 750]

    def test_exposure_times_of_a_perfusion_scan(self, tmp_path, canonical):
        """More than a pair at each position is time, however the exposure changes."""
        exposure = {"ExposureTime": lambda i: 500 if i["time"] < 2 else 750}
        write_series(
            tmp_path, {"time": [0.0, 1.0, 2.0, 3.0], "z": 3}, modality="CT", attributes=exposure
        )
        canonical(tmp_path, {"time": 4, "z": 3})


class TestDimensionIndices:
    @staticmethod
    def instances(folder, same):
        """Two instances of one volume each, told apart by private ordinals 1 and 2."""
        for t in range(2):
            write_enhanced(
                folder / f"{t}.dcm",
                {"p": 1, "z": 3},
                attributes={"DimensionIndexValues": lambda i, t=t: [1, t + 1, i["z"] + 1]},
                stored=lambda i, t=t: frame_pixels(3 * t + i["z"]),
                series_uid="2.25.77",
                instance_number=t + 1,
                organization=None if same else f"2.25.{100 + t}",
            )

    def test_instances_of_one_organization(self, tmp_path, canonical):
        self.instances(tmp_path, same=True)
        canonical(tmp_path, {"DimensionIndex_2": 2, "z": 3})

    def test_instances_of_two_organizations(self, tmp_path, canonical, methods):
        """PS3.3 C.7.6.17.2: their ordinals are not to be compared."""
        self.instances(tmp_path, same=False)
        array = canonical(tmp_path, {"time": 2, "z": 3})
        assert methods(array)["time"] == ("value", "InstanceNumber")

    def test_named_by_the_caller(self, tmp_path, canonical):
        path = write_enhanced(tmp_path / "a.dcm", {"p": 3, "z": 4}, shuffle=1)
        canonical(path, {"DimensionIndex_2": 3, "z": 4})
        array = canonical(path, {"DimensionIndex_2": 3, "z": 4}, dims=("DimensionIndex_2", "z"))
        assert array.DimensionIndex_2.values.tolist() == [1, 2, 3]

    def test_named_where_there_is_none(self, tmp_path):
        path = write_enhanced(tmp_path / "a.dcm", {"time": 3, "z": 4}, shuffle=1)
        with pytest.raises(NotHypercubeError, match="DimensionIndex_9 has no value"):
            xdicom.open_series(path, dims=("DimensionIndex_9", "z"))
