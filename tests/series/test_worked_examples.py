"""The worked examples of dims, on generated series whose every frame tells its own place."""

import json
import random
import shutil

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import IrregularSpacingWarning, ShearedStackWarning
from xdicom.testing import frame_number, write_enhanced, write_multiframe, write_series

SIZE = {"rows": 4, "columns": 6}


def opened(folder, dims, **options):
    write_series(folder, dims, shuffle=7, number_by="canonical", **SIZE, **options)
    return xdicom.open_series(folder, mask_and_scale=False)


def numbers(da):
    """Canonical number of the frame in each cell."""
    frames = da.stack(cell=da.dims[:-2]).transpose("cell", "y", "x").values
    return np.array([frame_number(f) for f in frames]).reshape(da.shape[:-2])


def in_order(da):
    return (numbers(da).ravel() == np.arange(da[..., 0, 0].size)).all()


def method(da, dim):
    dims = json.loads(da.attrs["dicom_dims"])["dims"]
    return next(d["method"] for d in dims if d["dim"] == dim)


class TestExamples:
    def test_a_component_echo_position(self, tmp_path):
        da = opened(
            tmp_path,
            {"component": ["M", "P"], "EchoTime": [2.0, 4.0, 6.0], "z": 5},
            attributes={"EchoNumbers": lambda i: i["EchoTime"] + 1},
        )
        assert dict(da.sizes) == {"component": 2, "EchoTime": 3, "z": 5, "y": 4, "x": 6}
        assert da.component.values.tolist() == ["M", "P"]
        assert da.EchoNumbers.dims == ("EchoTime",)
        assert in_order(da)

    def test_b_nothing_but_instance_number(self, tmp_path):
        da = opened(tmp_path, {"time": 10, "z": 15})
        assert da.dims[:2] == ("time", "z")
        assert da.shape[:2] == (10, 15)
        assert method(da, "time") == "rank"
        assert "time" not in da.coords
        assert in_order(da)

    def test_b_with_instance_numbers_in_disorder_is_refused(self, tmp_path):
        write_series(tmp_path, {"time": 4, "z": 5}, shuffle=1, **SIZE)
        with pytest.raises(xdicom.NotHypercubeError, match="InstanceNumber"):
            xdicom.open_series(tmp_path)

    def test_c_diffusion_with_repeats_of_b0(self, tmp_path):
        directions = np.eye(3).tolist()
        weighted = [
            {"DiffusionBValue": b, "DiffusionGradientOrientation": g}
            for b in (500.0, 1000.0)
            for g in directions
        ]
        da = opened(
            tmp_path,
            {"diffusion": [{"DiffusionBValue": 0.0}] * 3 + weighted, "z": 4},
            attributes={"AcquisitionTime": lambda i: f"1000{i['diffusion']:02d}"},
        )
        assert dict(da.sizes) == {"diffusion": 9, "z": 4, "y": 4, "x": 6}
        assert method(da, "diffusion") == "value+repeat"
        assert da.DiffusionBValue.values.tolist() == [0, 0, 0, 500, 500, 500, 1000, 1000, 1000]
        # a DataArray cannot hold a coordinate with a dim of its own: the Dataset does
        gradient = xr.open_dataset(tmp_path, engine="dicom").DiffusionGradientOrientation
        assert gradient.dims == ("diffusion", "lps")
        assert np.isnan(gradient.values[:3]).all()
        np.testing.assert_array_equal(gradient.values[3:6], directions)
        np.testing.assert_array_equal(
            da.dicom.values("DiffusionGradientOrientation").isel(z=0), gradient
        )
        assert in_order(da)

    def test_d_diffusion_and_averages(self, tmp_path):
        da = opened(
            tmp_path,
            {
                "diffusion": [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}],
                "AcquisitionNumber": [1, 2, 3],
                "z": 4,
            },
        )
        assert dict(da.sizes) == {"diffusion": 2, "time": 3, "z": 4, "y": 4, "x": 6}
        assert da.AcquisitionNumber.dims == ("time",)
        assert in_order(da)

    def test_e_cine_with_jittering_trigger_times(self, tmp_path):
        da = opened(
            tmp_path,
            {"phase": [{"HeartRate": 60}] * 25, "z": 6},
            attributes={"TriggerTime": lambda i: 40.0 * i["phase"] + 1.5 * i["z"]},
        )
        assert dict(da.sizes) == {"cardiac_phase": 25, "z": 6, "y": 4, "x": 6}
        assert method(da, "cardiac_phase") == "rank"
        assert da.TriggerTime.dims == ("cardiac_phase", "z")
        assert in_order(da)

    def test_trigger_time_without_gating_is_time(self, tmp_path):
        da = opened(tmp_path, {"TriggerTime": [0.0, 50.0, 100.0], "z": 3})
        assert da.dims[0] == "time"
        np.testing.assert_allclose(da.time, [0, 0.05, 0.1])
        assert da.time.attrs["units"] == "s"

    def test_f_what_is_no_grid_of_components_splits(self, tmp_path):
        trace = {"DiffusionBValue": 1000.0, "ImageType": ["ORIGINAL", "PRIMARY", "M"]}
        write_series(
            tmp_path,
            {
                "part": [
                    {"DiffusionBValue": 0.0, "ImageType": ["ORIGINAL", "PRIMARY", "M"]},
                    trace,
                    {**trace, "ImageType": ["ORIGINAL", "PRIMARY", "ADC"]},
                ],
                "z": 4,
            },
            **SIZE,
        )
        tree = xr.open_datatree(tmp_path, engine="dicom")
        sizes = sorted(dict(n.sizes).get("diffusion", 0) for n in tree.leaves)
        assert sizes == [0, 2]
        assert all("image_flavour" in n.attrs["dicom_split"] for n in tree.leaves)

    def test_g_constant_within_slices_goes_along_with_z(self, tmp_path):
        da = opened(
            tmp_path,
            {"z": 6},
            modality="CT",
            attributes={
                "AcquisitionNumber": lambda i: i["z"] // 2,
                "AcquisitionTime": lambda i: f"1000{i['z']:02d}",
            },
        )
        assert da.dims == ("z", "y", "x")
        assert da.AcquisitionNumber.dims == ("z",)
        assert da.AcquisitionTime.dims == ("z",)

    def test_h_private_dimension_indices(self, tmp_path):
        path = write_enhanced(tmp_path / "e.dcm", {"other": 4, "z": 3}, seed=2, **SIZE)
        da = xdicom.open_series(path, mask_and_scale=False)
        assert da.shape[:2] == (4, 3)
        assert da.dims[0].startswith("DimensionIndex_")
        assert in_order(da)

    @pytest.mark.parametrize(
        ("remedy", "sizes"),
        [("complete", (3, 5)), ("fill", (4, 5)), ("flat", (17,))],
    )
    def test_i_stopped_in_the_last_volume(self, tmp_path, remedy, sizes):
        dims = {"TemporalPositionIdentifier": [1, 2, 3, 4], "z": 5}
        last = [{"TemporalPositionIdentifier": 3, "z": z} for z in (2, 3, 4)]
        write_series(tmp_path, dims, drop=last, shuffle=3, **SIZE)
        with pytest.raises(xdicom.NotHypercubeError) as caught:
            xdicom.open_series(tmp_path)
        for word in ("17 of 20 cells", "time=3, z=16", 'ragged="fill"', "dims=", "InstanceNumber"):
            assert word in str(caught.value)
        da = xdicom.open_series(tmp_path, ragged=remedy)
        assert da.shape[:-2] == sizes
        if remedy == "fill":
            assert da.frame_present.values.sum() == 17
            assert da.isel(time=3, z=slice(2, None)).isnull().all()
            assert (da.frame_id.values[3, 2:] == -1).all()


class TestMixedTimes:
    def test_each_slice_misses_another_time(self, tmp_path):
        """Ranks would fill a 2 × 3 grid and mix the times without a word."""
        write_series(
            tmp_path,
            {"time": [{}, {}, {}], "z": 3},
            attributes={"TriggerTime": lambda i: 100.0 * i["time"],
                        "InstanceNumber": lambda i: 3 * i["time"] + i["z"]},
            drop=[{"time": k, "z": k} for k in range(3)],
            **SIZE,
        )  # fmt: skip
        with pytest.raises(xdicom.NotHypercubeError):
            xdicom.open_series(tmp_path)

    def test_slice_timing(self, tmp_path):
        da = opened(
            tmp_path,
            {"t": [{}] * 4, "z": 3},
            attributes={"AcquisitionTime": lambda i: f"1000{2 * i['t']:02d}.{i['z']}"},
        )
        assert da.dims[0] == "time"
        assert method(da, "time") == "rank"
        assert da.AcquisitionTime.dims == ("time", "z")
        np.testing.assert_allclose(da.time, [0, 2, 4, 6])
        assert in_order(da)


class TestSplits:
    def merged(self, folder, second, **options):
        first = write_series(folder, {"z": 2}, name="A{:d}.dcm", **SIZE)
        da = xdicom.open_series(first)
        uid, frame = da.dicom[["SeriesInstanceUID", "FrameOfReferenceUID"]]
        options = {**SIZE, "frame_of_reference_uid": frame, **options}
        write_series(folder, second, name="B{:d}.dcm", series_uid=uid, seed=5, **options)
        return xr.open_datatree(folder, engine="dicom").leaves

    @pytest.mark.parametrize(
        "options",
        [
            {"rows": 5},
            {"columns": 7},
            {"pixel_spacing": (1.5, 1.3)},
            {"frame_of_reference_uid": "1.2.3.4"},
            {"modality": "CT"},
            {"dtype": "uint8", "attributes": {"PhotometricInterpretation": "PALETTE COLOR"}},
            {"orientation": (0, 1, 0, 0, 0, 1)},
            {"attributes": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}},
            {"attributes": {"ImagePositionPatient": None}},
        ],
        ids=str,
    )
    def test_hard_keys(self, tmp_path, options):
        leaves = self.merged(tmp_path, {"z": [30.0, 33.0]}, **options)
        assert len(leaves) == 2
        assert any("dicom_split" in n.attrs for n in leaves)

    @pytest.mark.parametrize(
        "options",
        [
            {"pixel_spacing": (1.5005, 1.2504)},
            {"bits_stored": 10},
            {"attributes": {"WindowCenter": 7, "SeriesTime": "110000", "ProtocolName": "x"}},
            {"slope": 2.0, "intercept": 1.0},
        ],
        ids=str,
    )
    def test_what_never_splits(self, tmp_path, options):
        (leaf,) = self.merged(tmp_path, {"z": [6.0, 9.0]}, **options)
        assert leaf.sizes["z"] == 4

    def test_three_plane_localizer(self, tmp_path):
        planes = [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)]
        write_series(tmp_path, {"plane": [{}] * 3},
                     attributes={"ImageOrientationPatient": lambda i: list(planes[i["plane"]])},
                     **SIZE)  # fmt: skip
        leaves = xr.open_datatree(tmp_path, engine="dicom").leaves
        assert len(leaves) == 3
        assert all("orientation=" in n.attrs["dicom_split"] for n in leaves)

    def test_views_around_the_patient_stay_flat(self, tmp_path):
        def cosines(i):
            a = i["view"] * np.pi / 9
            return [np.cos(a), np.sin(a), 0, 0, 0, -1]

        write_series(tmp_path, {"view": [{}] * 9},
                     attributes={"ImageOrientationPatient": cosines}, **SIZE)  # fmt: skip
        da = xr.open_dataset(tmp_path, engine="dicom")
        assert da.pixels.dims == ("instance", "y", "x")
        assert da.patient_space.attrs["geometry"] == "per_frame"
        assert da.ImageOrientationPatient.dims == ("instance", "cosine")
        with pytest.raises(xdicom.GeometryError):
            _ = da.dicom.affine

    def test_one_slice_at_two_in_plane_origins(self, tmp_path):
        write_series(tmp_path, {"side": [{}] * 2, "z": 3},
                     attributes={"ImagePositionPatient":
                                 lambda i: [50.0 * i["side"], 0.0, 3.0 * i["z"]]},
                     **SIZE)  # fmt: skip
        leaves = xr.open_datatree(tmp_path, engine="dicom").leaves
        assert [n.sizes["z"] for n in leaves] == [3, 3]

    def test_multi_frame_objects_without_groups_are_arrays_of_their_own(self, tmp_path):
        frames = np.zeros((3, 4, 6), np.uint8)
        for i in range(2):
            write_multiframe(tmp_path / f"{i}.dcm", frames, seed=i, series_uid="1.2.3")
        leaves = xr.open_datatree(tmp_path, engine="dicom").leaves
        assert [n.sizes["instance"] for n in leaves] == [3, 3]


class TestOrder:
    @pytest.mark.parametrize("seed", range(3))
    def test_of_files_never_matters(self, tmp_path, seed):
        dims = {"component": ["M", "P"], "EchoTime": [1.0, 2.0], "z": 3}
        paths = write_series(tmp_path / "a", dims, **SIZE)
        names = [f"{i:03d}" for i in range(len(paths))]
        random.Random(seed).shuffle(names)
        (tmp_path / "b").mkdir()
        for path, name in zip(paths, names, strict=True):
            shutil.copy2(path, tmp_path / "b" / name)
        a, b = (xr.open_dataset(tmp_path / n, engine="dicom") for n in "ab")
        del a.pixels.attrs["dicom_source"], b.pixels.attrs["dicom_source"]
        xr.testing.assert_identical(a, b)

    def test_label_noise_makes_no_dim(self, tmp_path):
        texts = [b"4.6", b"4.600", b"4.6000001", b"4.60000001"]
        da = opened(tmp_path, {"z": 4}, attributes={"EchoTime": lambda i: texts[i["z"]]})
        assert da.dims == ("z", "y", "x")
        noisy = opened(
            tmp_path / "n",
            {"echo": [{}, {}], "z": 2},
            attributes={"EchoTime": lambda i: [b"4.6", b"4.600", b"9.2", b"9.2000"][
                2 * i["echo"] + i["z"]]},
        )  # fmt: skip
        assert noisy.EchoTime.values.tolist() == [4.6, 9.2]


class TestGeometry:
    def test_sheared_stack(self, tmp_path):
        write_series(tmp_path, {"z": 4}, modality="CT",
                     attributes={"ImagePositionPatient":
                                 lambda i: [-5.0, 2.0 + 0.8 * i["z"], 3.0 * i["z"]]},
                     **SIZE)  # fmt: skip
        with pytest.warns(ShearedStackWarning):
            ds = xr.open_dataset(tmp_path, engine="dicom")
        assert ds.patient_space.attrs["geometry"] == "sheared"
        assert ds.ImagePositionPatient.dims == ("z", "lps")
        assert float(ds.y[0]) == float(ds.x[0]) == 0
        np.testing.assert_array_equal(ds.pixels.dicom.affine, ds.dicom.affine)
        for k, i, j in ((0, 0, 0), (3, 2, 5)):
            place = (ds.dicom.affine @ [k, i, j, 1])[:3]
            expected = [-5 + 1.25 * j, 2 + 0.8 * k + 1.5 * i, 3.0 * k]
            np.testing.assert_allclose(place, expected, atol=1e-4)

    def test_missing_and_variable_slices(self, tmp_path):
        for name, places, text in (
            ("gap", [0.0, 3.0, 6.0, 12.0], "missing"),
            ("gap2", [0.0, 3.0, 9.0], "missing"),
            ("uneven", [0.0, 3.0, 6.0, 10.0], "evenly"),
        ):
            write_series(tmp_path / name, {"z": places}, **SIZE)
            with pytest.warns(IrregularSpacingWarning, match=text):
                da = xdicom.open_series(tmp_path / name)
            np.testing.assert_allclose(np.diff(da.z), np.diff(places))
            with pytest.raises(xdicom.GeometryError, match="evenly"):
                _ = da.dicom.affine

    def test_rounded_cosines_are_no_shear(self, tmp_path):
        write_series(tmp_path, {"z": 60}, orientation=(1, 0, 0, 0, 0.99995, 0.01),
                     attributes={"ImagePositionPatient": lambda i: [0, -0.03 * i["z"],
                                                                    2.99985 * i["z"]]},
                     **SIZE)  # fmt: skip
        da = xdicom.open_series(tmp_path)
        assert da.patient_space.attrs["geometry"] == "rectilinear"

    def test_positions_win_over_spacing_between_slices(self, tmp_path):
        write_series(tmp_path, {"z": 3}, attributes={"SpacingBetweenSlices": 7.0}, **SIZE)
        da = xdicom.open_series(tmp_path)
        assert da.dicom.spacing[0] == pytest.approx(3.0)
        assert "SpacingContradiction" in da.dicom.problems["kind"].tolist()
        assert "SpacingContradiction" in str(da.dicom.explain())

    def test_slice_location_alone_is_weak(self, tmp_path):
        write_series(tmp_path, {"z": 3}, attributes={"ImagePositionPatient": None}, **SIZE)
        da = xdicom.open_series(tmp_path)
        assert da.dims == ("z", "y", "x")
        assert "WeakPosition" in da.dicom.problems["kind"].tolist()
        with pytest.raises(xdicom.GeometryError):
            _ = da.dicom.affine

    def test_detector_spacing_is_no_patient_spacing(self, tmp_path):
        write_series(
            tmp_path,
            {},
            attributes={
                "PixelSpacing": None,
                "ImagePositionPatient": None,
                "ImageOrientationPatient": None,
                "ImagerPixelSpacing": [0.2, 0.1],
            },
            **SIZE,
        )
        da = xdicom.open_series(tmp_path)
        assert da.dims == ("y", "x")
        assert da.patient_space.attrs["spacing_kind"] == "ImagerPixelSpacing"
        assert da.patient_space.attrs["geometry"] == "none"
        with pytest.raises(xdicom.GeometryError):
            _ = da.dicom.affine


class TestForcedDims:
    @pytest.fixture
    def folder(self, tmp_path):
        write_series(tmp_path, {"FlipAngle": [5.0, 10.0], "z": 4}, shuffle=2, **SIZE)
        return tmp_path

    @pytest.mark.parametrize(
        "dims",
        [
            ("FlipAngle", "SliceLocation"),
            ("SliceLocation", "FlipAngle"),
            ((0x0018, 0x1314), "z"),
            ("z", "flip_angle"),
            ("InstanceNumber",),
        ],
        ids=str,
    )
    def test_bear_their_names(self, folder, dims):
        da = xdicom.open_series(folder, dims=dims)
        names = tuple("FlipAngle" if isinstance(d, tuple) else d for d in dims)
        assert da.dims[:-2] == names
        if "SliceLocation" in names:
            assert da.z.dims == ("SliceLocation",)
            assert da.dicom.affine[2, 0] == pytest.approx(3.0)

    def test_name_what_would_tell_frames_apart(self, folder):
        with pytest.raises(xdicom.NotHypercubeError, match="FlipAngle"):
            xdicom.open_series(folder, dims=("z",))

    def test_attribute_that_is_not_there(self, folder):
        with pytest.raises(xdicom.NotHypercubeError, match="InversionTime has no value"):
            xdicom.open_series(folder, dims=("InversionTime", "z"))
        with pytest.raises(KeyError):
            xdicom.open_series(folder, dims=("NoSuchKeyword", "z"))
