"""Vectors of Nuclear Medicine make dims; detectors and slices say where frames lie."""

from __future__ import annotations

import json

import numpy as np
import pytest

import xdicom
from xdicom.testing import write_nuclear

AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]
BACK = [-1, 0, 0, 0, 0, -1]


def problems(array):
    return {kind for kind, *_ in json.loads(array.attrs["dicom_dims"])["problems"]}


def scanned(path):
    return set(xdicom.scan(path).problems.kind)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("kind", "dims", "sizes"),
    [
        ("STATIC", {"energy": 2, "detector": 2}, {"energy": 2, "detector": 2}),
        ("WHOLE BODY", {"energy": 1, "detector": 2}, {"detector": 2}),
        ("DYNAMIC", {"energy": 2, "phase": 2, "time_slice": 3}, {"energy": 2, "time": 6}),
        ("DYNAMIC", {"detector": 2, "phase": 1, "time_slice": 5}, {"detector": 2, "time": 5}),
        (
            "GATED",
            {"energy": 2, "detector": 2, "rr_interval": 2, "time_slot": 3},
            {"energy": 2, "detector": 2, "rr_interval": 2, "time_slot": 3},
        ),
        (
            "TOMO",
            {"detector": 2, "rotation": 2, "angular_view": 4},
            {"detector": 2, "rotation": 2, "angular_view": 4},
        ),
        (
            "GATED TOMO",
            {"detector": 2, "rotation": 1, "rr_interval": 2, "time_slot": 2, "angular_view": 3},
            {"detector": 2, "rr_interval": 2, "time_slot": 2, "angular_view": 3},
        ),
        ("RECON TOMO", {"energy": 2, "slice": 5}, {"energy": 2, "z": 5}),
        (
            "RECON GATED TOMO",
            {"rr_interval": 2, "time_slot": 4, "slice": 3},
            {"rr_interval": 2, "time_slot": 4, "z": 3},
        ),
    ],
)
def test_each_vector_is_a_dim(tmp_path, canonical, methods, kind, dims, sizes, seed):
    attributes = {"SpacingBetweenSlices": 5, "SeriesDescription": f"name {seed}"}
    path = write_nuclear(
        tmp_path / f"{seed}.dcm", dims, kind=kind, shuffle=seed, seed=seed, attributes=attributes
    )
    array = canonical(path, sizes)
    for dim, size in sizes.items():
        if dim not in ("z", "time"):
            assert array[dim].values.tolist() == list(range(1, size + 1))
            assert methods(array)[dim][0] == "vector"


class TestPlaces:
    @pytest.mark.parametrize("step", [4.0, -4.0])
    @pytest.mark.parametrize("cosines", [AXIAL, CORONAL])
    def test_spacing_is_signed(self, tmp_path, numbers, dataset, step, cosines):
        detector = {"ImagePositionPatient": [-10, 20, 30], "ImageOrientationPatient": cosines}
        path = write_nuclear(
            tmp_path / "a.dcm",
            {"slice": 5},
            kind="RECON TOMO",
            detectors=[detector],
            shuffle=3,
            attributes={"SpacingBetweenSlices": step},
        )
        ds = dataset(path, mask_and_scale=False)
        array = ds["pixels"]
        normal = np.cross(cosines[:3], cosines[3:])
        first = float(np.dot([-10, 20, 30], normal))
        expected = first + step * np.arange(5)
        np.testing.assert_allclose(array.z, np.sort(expected))
        order = range(5) if step > 0 else range(4, -1, -1)
        assert numbers(array).tolist() == list(order)
        assert ds.patient_space.attrs["geometry"] == "rectilinear"
        # the centre of the first pixel of slice 1 lies where the detector's item says
        voxel = array.dicom.affine @ [list(order).index(0), 0, 0, 1]
        np.testing.assert_allclose(voxel[:3], [-10, 20, 30])

    @pytest.mark.parametrize("step", [2.5, -2.5])
    def test_without_position(self, tmp_path, stored, numbers, step):
        path = write_nuclear(
            tmp_path / "a.dcm", {"slice": 4}, shuffle=1, attributes={"SpacingBetweenSlices": step}
        )
        array = stored(path)
        assert array.dims == ("z", "y", "x")
        np.testing.assert_allclose(array.z, np.sort(step * np.arange(4)))
        assert numbers(array).tolist() == ([0, 1, 2, 3] if step > 0 else [3, 2, 1, 0])
        assert array.z.attrs["units"] == "mm"
        assert array.patient_space.attrs["geometry"] == "none"
        assert "WeakPosition" in problems(array)

    def test_without_spacing(self, tmp_path, stored):
        array = stored(write_nuclear(tmp_path / "a.dcm", {"slice": 3}))
        assert array.z.values.tolist() == [1, 2, 3]
        assert "units" not in array.z.attrs

    @pytest.mark.parametrize("second", [CORONAL, BACK])
    def test_detectors_with_places_of_their_own(self, tmp_path, canonical, dataset, second):
        detectors = [
            {"ImagePositionPatient": [0, -200, 0], "ImageOrientationPatient": CORONAL},
            {"ImagePositionPatient": [0, 200, 0], "ImageOrientationPatient": second},
        ]
        path = write_nuclear(
            tmp_path / "a.dcm", {"energy": 2, "detector": 2}, detectors=detectors, shuffle=5
        )
        array = canonical(path, {"energy": 2, "detector": 2})
        assert array.patient_space.attrs["geometry"] == "per_frame"
        ds = dataset(path)
        assert ds.ImagePositionPatient.dims == ("detector", "lps")
        np.testing.assert_array_equal(ds.ImagePositionPatient[:, 1], [-200, 200])
        if second == BACK:
            np.testing.assert_array_equal(ds.ImageOrientationPatient[1], BACK)

    def test_views_of_a_rotating_detector_have_no_place(self, tmp_path, stored):
        detector = {
            "ImagePositionPatient": [0, 0, 0],
            "ImageOrientationPatient": CORONAL,
            "StartAngle": 10,
        }
        rotation = {"AngularStep": 6, "RotationDirection": "CC", "StartAngle": 0}
        path = write_nuclear(
            tmp_path / "a.dcm",
            {"angular_view": 4},
            kind="TOMO",
            detectors=[detector],
            shuffle=2,
            attributes={"RotationInformationSequence": [rotation]},
        )
        array = stored(path)
        assert array.dims == ("angular_view", "y", "x")
        assert array.view_angle.values.tolist() == [10, 16, 22, 28]
        assert array.view_angle.attrs["units"] == "degree"


def test_phases_make_time(tmp_path, stored, numbers):
    # two phases of unequal length: 3 frames of 1 s, then after 2 s 2 frames of 10 s with pauses
    vectors = {"PhaseVector": [1, 1, 1, 2, 2], "TimeSliceVector": [1, 2, 3, 1, 2]}
    phases = [
        {"NumberOfFramesInPhase": 3, "ActualFrameDuration": 1000, "PhaseDelay": 0},
        {
            "NumberOfFramesInPhase": 2,
            "ActualFrameDuration": 10000,
            "PhaseDelay": 2000,
            "PauseBetweenFrames": 500,
        },
    ]
    order = np.random.default_rng(4).permutation(5)
    path = write_nuclear(
        tmp_path / "a.dcm",
        {"time_slice": 5},
        kind="DYNAMIC",
        attributes={
            "FrameIncrementPointer": [0x00540030, 0x00540100],
            "PhaseInformationSequence": phases,
            **{k: [v[i] for i in order] for k, v in vectors.items()},
        },
    )
    array = stored(path)
    assert array.time.values.tolist() == [0, 1, 2, 5, 15.5]
    assert numbers(array).tolist() == np.argsort(order).tolist()
    assert array.ActualFrameDuration.values.tolist() == [1000, 1000, 1000, 10000, 10000]
    assert array.PhaseVector.values.tolist() == [1, 1, 1, 2, 2]


def test_names_of_energy_windows(tmp_path, stored):
    windows = [{"EnergyWindowName": "photopeak"}, {"EnergyWindowName": "scatter"}]
    path = write_nuclear(
        tmp_path / "a.dcm",
        {"energy": 2, "slice": 3},
        shuffle=1,
        attributes={"EnergyWindowInformationSequence": windows},
    )
    array = stored(path)
    assert array.EnergyWindowName.dims == ("energy",)
    assert array.EnergyWindowName.values.tolist() == ["photopeak", "scatter"]
    assert array.sel(energy=2).sizes["z"] == 3


class TestFaults:
    @pytest.mark.parametrize(
        ("vector", "kind"),
        [
            ([1, 2, 3], "WrongVectorLength"),
            ([1, 2, 3, 4, 5], "WrongVectorLength"),
            ([0, 1, 2, 3], "InvalidVector"),
        ],
    )
    def test_a_wrong_vector_is_not_used(self, tmp_path, canonical, vector, kind):
        attributes = {"SliceVector": vector, "SpacingBetweenSlices": 2}
        path = write_nuclear(tmp_path / "a.dcm", {"slice": 4}, attributes=attributes)
        canonical(path, {"instance": 4})
        assert kind in scanned(path)

    def test_a_pointer_to_nothing(self, tmp_path, canonical):
        path = write_nuclear(
            tmp_path / "a.dcm", {"energy": 2, "slice": 2}, attributes={"EnergyWindowVector": None}
        )
        assert "MissingVector" in scanned(path)

    def test_without_pointer_all_vectors_count(self, tmp_path, canonical):
        path = write_nuclear(
            tmp_path / "a.dcm",
            {"energy": 2, "slice": 3},
            shuffle=1,
            attributes={"FrameIncrementPointer": None},
        )
        canonical(path, {"energy": 2, "z": 3})
        assert "MissingFrameIncrementPointer" in scanned(path)

    def test_a_vector_that_is_not_named_does_not_count(self, tmp_path, canonical):
        path = write_nuclear(
            tmp_path / "a.dcm",
            {"slice": 4},
            attributes={"EnergyWindowVector": [1, 2, 1, 2]},
        )
        canonical(path, {"z": 4})

    def test_a_constant_vector_is_no_dim(self, tmp_path, canonical):
        path = write_nuclear(tmp_path / "a.dcm", {"energy": 1, "detector": 1, "slice": 3})
        canonical(path, {"z": 3})

    def test_detectors_beyond_the_items(self, tmp_path, canonical):
        path = write_nuclear(tmp_path / "a.dcm", {"detector": 3}, detectors=[{"StartAngle": 0}] * 2)
        canonical(path, {"detector": 3})
        assert "InvalidVector" in scanned(path)


def test_instances_are_arrays_of_their_own(tmp_path, stacks):
    for i in range(2):
        write_nuclear(
            tmp_path / f"{i}.dcm",
            {"slice": 3},
            attributes={"SOPInstanceUID": f"1.2.{i + 1}", "SpacingBetweenSlices": 2},
            seed=7,
        )
    assert [s.grid.shape for s in stacks(tmp_path)] == [(3,), (3,)]


def test_many_frames(tmp_path, canonical):
    path = write_nuclear(
        tmp_path / "a.dcm",
        {"energy": 2, "time_slot": 16, "slice": 60},
        rows=2,
        columns=2,
        shuffle=1,
        attributes={"SpacingBetweenSlices": 2},
        detectors=[{"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": AXIAL}],
    )
    canonical(path, {"energy": 2, "time_slot": 16, "z": 60})


def test_an_index_keeps_what_frames_have(tmp_path, canonical):
    path = write_nuclear(
        tmp_path / "data" / "a.dcm",
        {"energy": 2, "slice": 3},
        attributes={"SpacingBetweenSlices": 2},
    )
    index = tmp_path / "index.sqlite"
    fresh = xdicom.scan(path.parent, index=index).open(mask_and_scale=False)
    again = xdicom.scan(path.parent, index=index).open(mask_and_scale=False)
    assert fresh.dims == again.dims == ("energy", "z", "y", "x")
    np.testing.assert_array_equal(fresh, again)
