"""Attribute access, filters and headers of arrays, Datasets and trees."""

import datetime as dt
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from pydicom.dataset import Dataset

import xdicom
from xdicom.headers.table import REGISTRY
from xdicom.testing import write_enhanced, write_non_image, write_series


@pytest.fixture
def folder(tmp_path):
    write_series(
        tmp_path / "s",
        {"component": ["M", "P"], "EchoTime": [5.0, 10.0], "z": 3},
        rows=6,
        columns=8,
        attributes={
            "PatientName": "Doe^Jane",
            "AcquisitionTime": lambda index: f"10{index['EchoTime']:02d}30",
            (0x0019, 0x10, "XDICOM TEST", "DS"): "1.5",
        },
        shuffle=1,
    )
    return tmp_path / "s"


@pytest.fixture
def da(folder):
    return xdicom.open_series(folder)


@pytest.mark.parametrize("kind", ["array", "dataset", "tree"])
def test_item(folder, kind):
    obj = {
        "array": lambda: xdicom.open_series(folder),
        "dataset": lambda: xr.open_dataset(folder, engine="dicom"),
        "tree": lambda: xr.open_datatree(folder, engine="dicom"),
    }[kind]()
    assert obj.dicom["Rows"] == 6
    assert obj.dicom[(0x0028, 0x0011)] == 8
    assert obj.dicom["EchoTime"] == [5.0, 10.0]
    assert obj.dicom[["Rows", "EchoTime", "PatientBirthName"]] == [6, [5.0, 10.0], None]
    assert obj.dicom["PatientName"] == "Doe^Jane"
    assert obj.dicom[(0x0019, 0x1010)] == 1.5
    with pytest.raises(KeyError, match="EchoTime"):
        obj.dicom["EchoTyme"]


def test_values_and_unique(da):
    echo = da.dicom.values("EchoTime")
    assert echo.dims == ("component", "EchoTime", "z")
    np.testing.assert_array_equal(echo.isel(z=0, component=0), [5.0, 10.0])
    assert da.dicom.unique("EchoTime").tolist() == [5.0, 10.0]
    times = da.dicom.values("AcquisitionTime")
    assert times.dtype == np.dtype("m8[us]")
    seconds = da.dicom.values("AcquisitionTime", unit="s")
    assert seconds.dtype == np.float64
    assert set(np.unique(seconds)) == {36030.0, 36090.0}
    assert da.dicom.values("ImagePositionPatient").dims[-1] == "lps"
    with pytest.raises(ValueError, match="times only"):
        da.dicom.values("EchoTime", unit="s")


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [
        ({"EchoTime": 5}, (2, 1, 3)),
        ({"EchoTime": [5, 10]}, (2, 2, 3)),
        ({"EchoTime": np.array([10, 99])}, (2, 1, 3)),
        ({"EchoTime": slice(6, None)}, (2, 1, 3)),
        ({"EchoTime": slice(None, 5)}, (2, 1, 3)),
        ({"EchoTime": 99}, (2, 0, 3)),
        ({"ImageType": "P"}, (1, 2, 3)),
        ({"AcquisitionTime": "10:00:30"}, (2, 1, 3)),
        ({"AcquisitionTime": "100130"}, (2, 1, 3)),
        ({"AcquisitionTime": dt.time(10, 1, 30)}, (2, 1, 3)),
        ({"AcquisitionTime": dt.timedelta(hours=10, seconds=30)}, (2, 1, 3)),
        ({"AcquisitionTime": np.timedelta64(36030, "s")}, (2, 1, 3)),
        ({"AcquisitionTime": 36030}, (2, 1, 3)),
        ({"AcquisitionTime": slice("10:00", "10:01")}, (2, 1, 3)),
        ({"PatientName": "Doe^Jane"}, (2, 2, 3)),
        ({"PatientName": "Roe^Jane"}, (0, 2, 3)),
        ({"EchoTime": 10, "ImageType": "M"}, (1, 1, 3)),
        ({(0x0018, 0x0081): 10}, (2, 1, 3)),
    ],
)
def test_filter(da, wanted, shape):
    found = da.dicom.filter(wanted)
    assert found.shape == (*shape, 6, 8)
    assert found.dtype == da.dtype
    assert found.values.shape == found.shape
    keywords = {k: v for k, v in wanted.items() if isinstance(k, str)}
    if len(keywords) == len(wanted):
        xr.testing.assert_identical(da.dicom.filter(**keywords), found)


def test_filter_keeps_integers(folder):
    stored = xdicom.open_series(folder, mask_and_scale=False)
    assert stored.dicom.filter(EchoTime=10).dtype == np.uint16


def test_filter_needs_an_outer_product(da):
    uids = da.dicom.values("SOPInstanceUID").values
    wanted = [uids[0, 0, 0], uids[1, 1, 1]]
    with pytest.raises(
        xdicom.NotHypercubeError, match=r'component=0, EchoTime=0, z=1.*keep="mask"'
    ):
        da.dicom.filter(SOPInstanceUID=wanted)
    masked = da.dicom.filter(SOPInstanceUID=wanted, keep="mask")
    assert masked.shape[:3] == (2, 2, 2)
    assert int(masked.notnull().all(("y", "x")).sum()) == 2


def test_select_when_opening_is_the_filter(folder, da):
    opened = xdicom.open_series(folder, select={"EchoTime": 10, "ImageType": "M"})
    assert opened.dims == ("z", "y", "x")
    expected = da.dicom.filter(EchoTime=10, ImageType="M").squeeze(drop=True)
    np.testing.assert_array_equal(opened.values, expected.values)
    with pytest.raises(xdicom.AmbiguousSeriesError, match="There are"):
        xdicom.open_series(folder, select={"EchoTime": 11})


def test_tree_filter_leaves_out_what_does_not_match(tmp_path):
    write_series(tmp_path / "a", {"EchoTime": [5, 10], "z": 2}, rows=4, columns=5, seed=1)
    write_series(tmp_path / "b", {"z": 2}, rows=4, columns=5, modality="CT", seed=2,
                 series_number=2)  # fmt: skip
    tree = xr.open_datatree(tmp_path, engine="dicom")
    assert tree.dicom["Modality"] == ["CT", "MR"]
    kept = tree.dicom.filter(Modality="MR", EchoTime=10)
    leaves = [n for n in kept.subtree if "pixels" in n.data_vars]
    assert [n["pixels"].shape for n in leaves] == [(1, 2, 4, 5)]


class TestHeader:
    def test_of_one_frame(self, da):
        header = da.dicom.header(component=0, EchoTime=1, z=2)
        assert isinstance(header, Dataset)
        assert header.EchoTime == 10
        assert "PixelData" not in header
        uid = da.dicom.values("SOPInstanceUID")[0, 1, 2].item()
        assert header.SOPInstanceUID == uid

    def test_after_arithmetic_selection_and_padding(self, da):
        changed = (da.where(da > 0) * 2 + 1).isel(z=slice(1, None)).pad(EchoTime=(1, 0))
        assert changed.frame_id.dtype.kind == "f"
        header = changed.dicom.header(component=1, EchoTime=2, z=0)
        assert header.EchoTime == 10
        assert header.SOPInstanceUID == da.dicom.values("SOPInstanceUID")[1, 1, 1].item()

    def test_says_along_what_to_choose(self, da):
        with pytest.raises(ValueError, match=r"12 instances.*component, EchoTime, z"):
            da.dicom.header()

    def test_all_frames_of_one_instance(self, tmp_path):
        path = write_enhanced(tmp_path / "e.dcm", {"EchoTime": [1, 2], "z": 3}, rows=4, columns=6)
        da = xdicom.open_series(path)
        assert da.dicom.header().NumberOfFrames == 6
        assert sorted(da.dicom.values("FrameNumber").values.ravel()) == [1, 2, 3, 4, 5, 6]

    def test_when_the_table_was_forgotten(self, da):
        REGISTRY.clear()
        assert da.dicom.header(component=0, EchoTime=0, z=0).EchoTime == 5

    def test_in_another_process_after_zarr(self, da, tmp_path):
        da.to_dataset().to_zarr(tmp_path / "c.zarr", consolidated=False)
        code = (
            "import xarray as xr, xdicom; "
            f"ds = xr.open_zarr({str(tmp_path / 'c.zarr')!r}, consolidated=False); "
            "print(ds.pixels.dicom.header(component=1, EchoTime=1, z=0).EchoTime, "
            "ds.dicom['Rows'], ds.pixels.dicom.filter(EchoTime=10).shape)"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.split("\n")[0] == "10.0 6 (2, 1, 3, 6, 8)"

    def test_files_gone(self, da, folder):
        REGISTRY.clear()
        for name in os.listdir(folder):
            os.unlink(folder / name)
        with pytest.raises(xdicom.HeadersUnavailableError, match="source="):
            da.dicom.header(component=0, EchoTime=0, z=0)

    def test_files_changed(self, da, folder):
        write_series(folder, {"z": 1}, rows=6, columns=8, name="new{:02d}.dcm", seed=0,
                     series_uid=da.dicom["SeriesInstanceUID"])  # fmt: skip
        REGISTRY.clear()
        with pytest.raises(xdicom.HeadersUnavailableError, match="digest"):
            da.dicom.header(component=0, EchoTime=0, z=0)

    def test_source_overrides(self, da, folder, tmp_path):
        moved = tmp_path / "moved"
        os.rename(folder, moved)
        REGISTRY.clear()
        with pytest.raises(xdicom.HeadersUnavailableError, match="source="):
            da.dicom.header(component=0, EchoTime=0, z=0)
        found = da.dicom.header(component=0, EchoTime=0, z=0, source=moved)
        assert found.EchoTime == 5

    def test_of_an_array_that_lost_its_attrs(self, da):
        bare = da.copy()
        bare.attrs = {}
        with pytest.raises(xdicom.HeadersUnavailableError, match="source="):
            bare.dicom["PatientName"]
        assert bare.dicom.header(component=0, EchoTime=0, z=0, source=da).EchoTime == 5

    def test_of_a_list_of_files(self, folder):
        files = sorted(folder.iterdir())
        da = xdicom.open_series(files)
        REGISTRY.clear()
        assert da.dicom["Rows"] == 6


def test_concatenated_series_find_their_headers(tmp_path):
    for i in (1, 2):
        write_series(tmp_path / str(i), {"z": 2}, rows=4, columns=5, seed=i,
                     attributes={"FlipAngle": i})  # fmt: skip
    a, b = (xdicom.open_series(tmp_path / str(i)) for i in (1, 2))
    both = xr.concat([a, b], "series", coords="different", compat="equals")
    with pytest.raises(xdicom.HeadersUnavailableError, match="2 of 4 frames"):
        both.dicom.values("FlipAngle")
    found = both.dicom.values("FlipAngle", source=tmp_path)
    assert found.values.tolist() == [[1, 1], [2, 2]]


def test_explain_and_problems(folder):
    (folder / "notes.txt").write_text("not an image")
    da = xdicom.open_series(folder)
    text = str(da.dicom.explain())
    for word in ("component", "EchoTime", "position along the normal", "rectilinear", "notes.txt"):
        assert word in text
    assert "<table>" in da.dicom.explain()._repr_html_()
    problems = da.dicom.problems
    assert problems.loc[0, "kind"] == "NotDicom"
    assert problems.loc[0, "file"] == "notes.txt"


def test_objects_without_pixels_in_a_tree(tmp_path):
    write_series(tmp_path / "a", {"z": 2}, rows=4, columns=5)
    write_non_image(tmp_path / "report.dcm")
    tree = xr.open_datatree(tmp_path, engine="dicom")
    nodes = {p: n for p, n in tree.subtree_with_keys if "frame_id" in n.coords}
    without = [n for n in nodes.values() if "pixels" not in n.data_vars]
    assert len(without) == 1
    assert "no pixels" in without[0].attrs["dicom_content"]
    assert without[0].to_dataset().dicom.header().Modality == "SR"
    assert sorted(tree.dicom["Modality"]) == ["MR", "SR"]


def test_a_node_of_a_tree_is_as_good_as_its_array(folder, da, tmp_path):
    write_series(folder.parent / "t", {"z": 2}, rows=4, columns=5, seed=7, series_number=9)
    tree = xr.open_datatree(folder.parent, engine="dicom")
    path = next(n.path for n in tree.leaves if n.sizes.get("EchoTime") == 2)
    node = tree[path]
    np.testing.assert_array_equal(node.dicom.affine, da.dicom.affine)
    assert node.dicom.spacing == da.dicom.spacing
    np.testing.assert_array_equal(node.dicom.orientation, da.dicom.orientation)
    assert node.dicom.header(component=0, EchoTime=1, z=0).EchoTime == 10
    assert node.dicom.pixel_values(("SliceLocation",), ImageType="M", EchoTime=5).shape == (8, 6, 3)
    assert "EchoTime" in str(node.dicom.explain())
    with pytest.raises(ValueError, match="holds 2 arrays"):
        _ = tree.dicom.affine


def test_a_node_that_is_no_array_still_has_headers(tmp_path):
    write_series(tmp_path, {"EchoTime": [1, 2], "z": 3}, rows=4, columns=5,
                 drop=[{"EchoTime": 1, "z": 1}])  # fmt: skip
    (tmp_path / "junk.txt").write_text("x")
    with pytest.warns(xdicom.XDicomWarning):
        tree = xr.open_datatree(tmp_path, engine="dicom")
    assert tree.dicom["EchoTime"] == [1.0, 2.0]
    assert tree.dicom.problems["file"].tolist() == ["junk.txt"]
    assert tree.leaves[0].to_dataset().dicom.unique("EchoTime").tolist() == [1.0, 2.0]


def test_attributes_after_a_reduction_are_those_of_the_frames_that_agree(da):
    mean = da.sel(EchoTime=5).mean("z")
    assert mean.dicom["EchoTime"] == 5.0
    assert da.isel(z=0).max("EchoTime").dicom["SliceLocation"] == da.dicom["SliceLocation"][0]
    assert da.isel(component=0, EchoTime=1, z=[1]).mean("z").dicom["EchoTime"] == 10.0


def test_vectors_match_as_a_whole(da, folder):
    second = da.dicom.unique("ImagePositionPatient")[1]
    assert da.dicom.filter(ImagePositionPatient=second).shape[:3] == (2, 2, 1)
    assert da.dicom.filter(ImagePositionPatient=list(second)).shape[:3] == (2, 2, 1)
    assert da.dicom.filter(ImagePositionPatient=[list(second), [0, 0, 0]]).sizes["z"] == 1
    assert da.dicom.filter(PixelSpacing=[1.5, 99]).size == 0
    with pytest.raises(ValueError, match="give them all"):
        da.dicom.filter(PixelSpacing=1.5)
    opened = xdicom.open_series(folder, select={"ImagePositionPatient": list(second)})
    assert opened.sizes["z"] == 1


def test_filters_of_nothing_give_nothing(da):
    nothing = da.dicom.filter(EchoTime=99)
    assert nothing.dicom.filter(FlipAngle=30).size == 0
    assert da.isel(z=slice(0, 0)).dicom.filter(EchoTime=5).size == 0


def test_missing_values_have_the_dtype_of_their_vr(da):
    assert da.dicom.values("ContrastBolusVolume").dtype == np.float64
    assert da.dicom.values("ContrastBolusStartTime").dtype == np.dtype("m8[us]")
    assert da.dicom.values("ContrastBolusStartTime", unit="s").isnull().all()
