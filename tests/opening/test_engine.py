"""The xarray engine and open_series: ways in, options, dask, trees."""

import inspect

import dask
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array
from pydicom.uid import RLELossless
from xarray.backends.plugins import guess_engine, list_engines

import xdicom
from xdicom.entrypoint import DicomBackendEntrypoint
from xdicom.opening.options import OPTION_NAMES, OpenOptions
from xdicom.pixels.array import COUNTER
from xdicom.testing import write_multiframe, write_series


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    write_series(folder, {"EchoTime": [5.0, 10.0, 15.0], "z": 8}, rows=6, columns=10, shuffle=4)
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for i, text in enumerate(["T1 axial", "T2 axial"], 1):
        write_series(folder / str(i), {"z": 3}, rows=4, columns=5, seed=i, series_number=i,
                     attributes={"SeriesDescription": text})  # fmt: skip
    return folder


class TestWaysIn:
    def test_folder_list_and_file(self, folder):
        whole = xr.open_dataset(folder, engine="dicom")
        assert whole.pixels.dims == ("EchoTime", "z", "y", "x")
        files = sorted(folder.iterdir())
        listed = xr.open_dataset(files, engine="dicom")
        xr.testing.assert_equal(whole, listed)
        text = xr.open_dataset([str(f) for f in reversed(files)], engine="dicom")
        xr.testing.assert_identical(listed, text)
        one = xr.open_dataset(files[0], engine="dicom")
        assert one.pixels.shape == (1, 6, 10)
        assert xdicom.open_series(folder).identical(whole.pixels)

    def test_guess_by_magic_bytes_only(self, tmp_path):
        path = write_series(tmp_path, {"z": 1}, rows=4, columns=5, name="no-suffix{:d}")[0]
        assert guess_engine(str(path)) == "dicom"
        engine = DicomBackendEntrypoint()
        text = tmp_path / "a.dcm"
        text.write_text("DICM but not where it should be")
        assert not engine.guess_can_open(text)
        assert not engine.guess_can_open(tmp_path)
        assert not engine.guess_can_open(tmp_path / "missing.dcm")
        assert not engine.guess_can_open(object())
        assert xr.open_dataset(path).pixels.shape == (1, 4, 5)

    def test_registered(self):
        assert "dicom" in list_engines()

    def test_the_accessor_comes_with_the_engine(self):
        ds = xr.open_dataset(get_testdata_file("CT_small.dcm"), engine="dicom")
        assert ds.dicom["Modality"] == "CT"

    def test_drop_variables(self, folder):
        ds = xr.open_dataset(folder, engine="dicom", drop_variables=["frame_id", "AcquisitionTime"])
        assert "frame_id" not in ds.coords

    def test_context_manager_and_no_handles(self, folder):
        with xr.open_dataset(folder, engine="dicom") as ds:
            ds.pixels.isel(z=0, EchoTime=0).load()


class TestOptions:
    def test_declared_to_xarray(self):
        declared = set(DicomBackendEntrypoint.open_dataset_parameters)
        assert {"filename_or_obj", "drop_variables", *OPTION_NAMES} == declared

    @pytest.mark.parametrize("opener", [xdicom.open_series, None])
    def test_unknown_one_names_its_neighbours(self, folder, opener):
        opener = opener or (lambda w, **k: xr.open_dataset(w, engine="dicom", **k))
        with pytest.raises(TypeError, match="did you mean 'ragged'"):
            opener(folder, raged="fill")

    def test_mask_and_scale(self, folder):
        stored = xr.open_dataset(folder, engine="dicom", mask_and_scale=False)
        assert stored.pixels.dtype == np.uint16
        assert xr.open_dataset(folder, engine="dicom", decode_cf=False).pixels.dtype == np.uint16
        with pytest.raises(ValueError, match="mask_and_scale=False"):
            xdicom.open_series(folder, mask_and_scale=False, scaling="modality")

    @pytest.mark.parametrize(
        "later",
        [
            {"archives": True},
            {"cache": "folder"},
        ],
    )
    def test_later_ones_say_so(self, folder, later):
        with pytest.raises(xdicom.UnsupportedOptionError, match="not available in this version"):
            xdicom.open_series(folder, **later)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"ragged": "fil"},
            {"scaling": "hounsfield"},
            {"color": "grey"},
            {"errors": "log"},
            {"trust": "me"},
            {"dims": "time"},
            {"coords": "some"},
            {"dims": ("z", "z")},
        ],
    )
    def test_wrong_values(self, folder, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            xdicom.open_series(folder, **wrong)

    def test_every_option_is_documented_in_its_field(self):
        source = inspect.getsource(OpenOptions)
        for name in OPTION_NAMES:
            after = source.split(f"    {name}:", 1)[1].split("\n", 1)[1].lstrip()
            assert after.startswith(('"""', "mask_and_scale")) or '"""' in after[:120], name

    def test_coords(self, folder):
        default = xdicom.open_series(folder)
        assert "StudyDate" not in default.coords
        named = xdicom.open_series(folder, coords=["StudyDate", "PatientID", "Rows"])
        assert named.PatientID.item() == "PHANTOM"
        assert named.Rows.item() == 6
        everything = xdicom.open_series(folder, coords="all")
        assert "StudyInstanceUID" in everything.coords
        assert "PatientID" not in everything.coords

    def test_decoder(self, tmp_path):
        write_series(tmp_path, {"z": 1}, rows=4, columns=5, transfer_syntax=RLELossless)
        a = xdicom.open_series(tmp_path, decoder="pydicom")
        b = xdicom.open_series(tmp_path, decoder="pylibjpeg")
        np.testing.assert_array_equal(a, b)
        with pytest.raises(xdicom.UnsupportedTransferSyntaxError, match="pylibjpeg"):
            xdicom.open_series(tmp_path, decoder="nonsense")

    def test_raw_colour(self):
        path = get_testdata_file("SC_rgb_dcmtk_+eb+cy+np.dcm")
        raw = xdicom.open_series(path, color="raw")
        np.testing.assert_array_equal(raw.values.squeeze(), pixel_array(path, raw=True))
        rgb = xdicom.open_series(path)
        np.testing.assert_array_equal(rgb.values.squeeze(), pixel_array(path))
        assert rgb.sample.values.tolist() == ["R", "G", "B"]


class TestSeries:
    def test_several_are_listed_with_how_to_pick(self, study):
        with pytest.raises(xdicom.AmbiguousSeriesError) as caught:
            xr.open_dataset(study, engine="dicom")
        text = str(caught.value)
        for word in ("2 arrays", "T1-axial", "T2-axial", "series=1", "z 3, y 4, x 5", "UID "):
            assert word in text

    @pytest.mark.parametrize("how", [2, "2", "T2*", "2-T2-axial", "uid"])
    def test_picked(self, study, how):
        if how == "uid":
            how = xdicom.open_series(study, series=2).dicom["SeriesInstanceUID"]
        da = xdicom.open_series(study, series=how)
        assert da.attrs["SeriesDescription"] == "T2 axial"

    def test_picked_by_group_of_the_tree(self, study):
        tree = xr.open_datatree(study, engine="dicom")
        path = next(n.path for n in tree.leaves if "T2" in n.path)
        ds = xr.open_dataset(study, engine="dicom", group=path)
        assert ds.identical(tree[path].to_dataset(inherit=False))

    def test_none_matches(self, study):
        with pytest.raises(xdicom.AmbiguousSeriesError, match="There are:\n  1-T1-axial"):
            xdicom.open_series(study, series=9)

    def test_array_of_a_split_series(self, tmp_path):
        write_series(tmp_path, {"z": 2}, rows=4, columns=5, name="A{:d}.dcm")
        uid = xdicom.open_series(tmp_path).dicom["SeriesInstanceUID"]
        write_series(
            tmp_path, {"z": 2}, rows=6, columns=5, name="B{:d}.dcm", series_uid=uid, seed=3
        )
        with pytest.raises(xdicom.AmbiguousSeriesError, match=r'array="a1"') as caught:
            xdicom.open_series(tmp_path)
        assert "Rows=6" in str(caught.value)
        assert xdicom.open_series(tmp_path, array="a1").sizes["y"] in (4, 6)
        tree = xr.open_datatree(tmp_path, engine="dicom")
        names = [n.name for n in tree.leaves]
        assert names == ["a0", "a1"]
        assert "Rows=" in tree.leaves[0].attrs["dicom_split"]

    def test_group_by(self, study):
        with pytest.raises(xdicom.AmbiguousSeriesError):
            xdicom.open_series(study)
        da = xdicom.open_series(
            study, group_by=["PatientID"], select={"SeriesDescription": "T1 axial"}
        )
        assert da.sizes["z"] == 3
        by_call = xdicom.open_series(
            study, group_by=lambda row: row["SeriesDescription"], series="T1*"
        )
        assert by_call.sizes["z"] == 3


class TestDask:
    @pytest.mark.parametrize("chunks", ["auto", {}, {"z": 3}, {"EchoTime": -1, "z": 1}])
    @pytest.mark.parametrize("way", ["open_dataset", "open_series"])
    def test_chunks(self, folder, way, chunks):
        expected = xdicom.open_series(folder).load()
        if way == "open_series":
            da = xdicom.open_series(folder, chunks=chunks)
            assert all(c.chunks is None for c in da.coords.values())
        else:
            ds = xr.open_dataset(folder, engine="dicom", chunks=chunks)
            for c in ds.coords.values():  # the one-line repair of the documentation
                c.load()
            da = ds.pixels
        assert da.chunks is not None
        assert da.chunksizes["y"] == (6,)
        assert da.chunksizes["x"] == (10,)
        doubled = xr.map_blocks(lambda block: block * 2, da, template=da)
        np.testing.assert_array_equal(doubled, expected * 2)
        np.testing.assert_array_equal(da.mean("z"), expected.mean("z"))
        assert da.dicom["EchoTime"] == [5.0, 10.0, 15.0]
        assert da.dicom.filter(EchoTime=10).shape == (1, 8, 6, 10)

    def test_one_frame_a_chunk(self, folder):
        da = xdicom.open_series(folder, chunks={})
        assert da.data.chunksize == (1, 1, 6, 10)
        assert da.data.npartitions == 24

    def test_auto_merges_whole_frames(self, folder):
        with dask.config.set({"array.chunk-size": f"{6 * 10 * 4 * 6}B"}):
            for da in (
                xdicom.open_series(folder, chunks="auto"),
                xr.open_dataset(folder, engine="dicom", chunks="auto").pixels,
            ):
                assert da.data.chunksize[2:] == (6, 10)
                assert 4 <= da.data.npartitions <= 12

    def test_tasks_and_files(self, folder):
        da = xdicom.open_series(folder, chunks={"z": 4, "EchoTime": 1})
        assert len(da.data.dask) <= 6 + 2
        COUNTER.reset()
        da.sum().compute(scheduler="synchronous")
        assert (COUNTER.files, COUNTER.frames) == (24, 24)

    def test_accessor_takes_dask_coordinates(self, folder):
        ds = xr.open_dataset(folder, engine="dicom", chunks={"z": 2})
        assert ds.frame_id.chunks is not None
        assert ds.dicom["EchoTime"] == [5.0, 10.0, 15.0]
        assert ds.dicom.affine.shape == (4, 4)
        assert ds.dicom.header(EchoTime=0, z=0).EchoTime == 5
        assert "EchoTime" in str(ds.dicom.explain())

    def test_headers_on_a_worker(self, folder):
        da = xdicom.open_series(folder, chunks={"z": 4})
        with (
            LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            mean = float(da.mean().compute())
            echo = client.submit(
                lambda a: a.dicom.header(EchoTime=2, z=1).EchoTime, da, pure=False
            ).result()
            frames = client.submit(lambda a: a.dicom.filter(EchoTime=5).shape, da).result()
        assert mean == pytest.approx(float(xdicom.open_series(folder).mean()), rel=1e-6)
        assert echo == 15
        assert frames == (1, 8, 6, 10)


class TestTree:
    def test_one_bad_series_never_stops_the_rest(self, tmp_path):
        write_series(tmp_path / "good", {"z": 3}, rows=4, columns=5, seed=1)
        write_series(tmp_path / "bad", {"EchoTime": [1, 2], "z": 3}, rows=4, columns=5, seed=2,
                     series_number=2, drop=[{"EchoTime": 1, "z": 1}])  # fmt: skip
        with pytest.warns(xdicom.errors.SkippedSeriesWarning, match="1 of the tree's nodes"):
            tree = xr.open_datatree(tmp_path, engine="dicom")
        good = [n for n in tree.leaves if "pixels" in n.data_vars]
        bad = [n for n in tree.leaves if "dicom_error" in n.attrs]
        assert len(good) == len(bad) == 1
        assert "NotHypercubeError" in bad[0].attrs["dicom_error"]
        assert "EchoTime=2" in bad[0].attrs["dicom_error"]
        with pytest.raises(xdicom.NotHypercubeError):
            xr.open_dataset(tmp_path / "bad", engine="dicom")
        with pytest.raises(TypeError, match="NotHypercubeError"):
            bad[0].to_dataset().dicom.explain()

    def test_names_are_unique(self, tmp_path):
        for i in range(3):
            write_series(tmp_path / str(i), {"z": 2}, rows=4, columns=5, seed=i)
        tree = xr.open_datatree(tmp_path, engine="dicom")
        assert len([n for n in tree.leaves if "pixels" in n.data_vars]) == 3
        assert all("/" not in str(n.name) for n in tree.leaves)

    def test_cines_of_a_series_are_arrays_of_their_own(self, tmp_path):
        frames = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
        for i in range(2):
            write_multiframe(tmp_path / f"{i}.dcm", frames + i, seed=i, series_uid="1.2.3",
                             study_uid="1.2", instance_number=i + 1)  # fmt: skip
        tree = xr.open_datatree(tmp_path, engine="dicom")
        assert [n.name for n in tree.leaves] == ["a0", "a1"]

    def test_pydicoms_own_dicomdir(self):
        root = get_testdata_file("DICOMDIR")
        with pytest.warns(xdicom.XDicomWarning, match="slices"):
            tree = xr.open_datatree(root, engine="dicom", errors="ignore")
        assert len(tree.children) == 2
        arrays = [n for n in tree.leaves if "pixels" in n.data_vars]
        assert len(arrays) >= 5
        for node in arrays:
            assert node["pixels"].isel(dict.fromkeys(node["pixels"].dims, 0)).values.shape == ()

    def test_zarr_of_a_tree(self, tmp_path):
        for i in range(2):
            write_series(tmp_path / "s" / str(i), {"z": 2}, rows=4, columns=5, seed=i,
                         series_number=i)  # fmt: skip
        tree = xr.open_datatree(tmp_path / "s", engine="dicom")
        tree.to_zarr(tmp_path / "t.zarr", consolidated=False)
        again = xr.open_datatree(tmp_path / "t.zarr", engine="zarr", consolidated=False)
        assert again.identical(tree)
