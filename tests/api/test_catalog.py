"""Catalogs list, filter and open what was scanned, in memory and from an index alike."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import shutil
import subprocess
import sys
from functools import partial

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tqdm.auto import tqdm

import xdicom
from xdicom.api.selection import match_summary, texts_of
from xdicom.errors import ExcludedFileWarning
from xdicom.headers.store import read_header
from xdicom.headers.table import REGISTRY
from xdicom.pixels.array import COUNTER
from xdicom.sources.local import LocalSource
from xdicom.testing import truncate, write_enhanced, write_non_image, write_series

SMALL = {"rows": 4, "columns": 5}


def write_archive(folder):
    """Two patients, four series, a report and a text."""
    write_series(folder / "p1" / "t1", {"EchoTime": [2.0, 5.0, 10.0], "z": 4}, seed=1,
                 shuffle=3, patient_id="one",
                 attributes={"SeriesDescription": "T1 axial *fl3d"}, **SMALL)  # fmt: skip
    write_series(folder / "p1" / "t2", {"z": 3}, seed=1, series_number=2, patient_id="one",
                 attributes={"SeriesDescription": "T2 axial", "EchoTime": 80.0,
                             "PatientName": "Doe^J", "StationName": "MR1"}, **SMALL)  # fmt: skip
    write_series(folder / "p2" / "ct", {"z": 5}, seed=2, modality="CT", patient_id="two",
                 attributes={"SeriesDescription": "thorax", "KVP": 120,
                             "StationName": lambda i: f"CT{i['z'] % 2}"}, **SMALL)  # fmt: skip
    write_enhanced(folder / "p2" / "e.dcm", {"time": 2, "z": 3}, seed=3, series_number=7,
                   patient_id="two", attributes={"EffectiveEchoTime": 40.0}, **SMALL)  # fmt: skip
    write_non_image(folder / "p2" / "report.dcm")
    (folder / "notes.txt").write_text("not DICOM")
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(params=["memory", "index"])
def scan(request, tmp_path):
    """Scans a folder, with an index or without."""
    index = tmp_path / "index.sqlite" if request.param == "index" else None
    return lambda where, **options: xdicom.scan(where, index=index, progress=False, **options)


@pytest.fixture
def catalog(scan, archive):
    return scan(archive)


@pytest.fixture
def reads(monkeypatch):
    """Paths that were opened."""
    opened: list[str] = []
    open_, many = LocalSource.open, LocalSource.read_many

    def one(self, path):
        opened.append(path)
        return open_(self, path)

    def several(self, ranges, workers=1):
        def noted():
            for item in ranges:
                opened.append(item.path)
                yield item

        return many(self, list(noted()), workers)

    monkeypatch.setattr(LocalSource, "open", one)
    monkeypatch.setattr(LocalSource, "read_many", several)
    return opened


def plain(obj):
    """Without the index as another way to the headers."""
    if isinstance(obj, xr.DataTree):
        return xr.DataTree.from_dict({n.path: plain(n.to_dataset(False)) for n in obj.subtree})
    obj = obj.copy()
    for attrs in [obj.attrs, *(v.attrs for v in getattr(obj, "data_vars", {}).values())]:
        if "dicom_source" in attrs:
            entries = json.loads(attrs["dicom_source"])
            attrs["dicom_source"] = json.dumps([{**entry, "index": None} for entry in entries])
    return obj


def numbers(catalog):
    return [None if pd.isna(n) else int(n) for n in catalog.series["number"]]


class TestListing:
    def test_one_row_a_series(self, catalog):
        found = catalog.series.set_index("description")
        assert len(catalog) == len(found) == 5
        t1 = found.loc["T1 axial *fl3d"]
        assert (t1["modality"], t1["instances"], t1["frames"]) == ("MR", 12, 12)
        assert (t1["patient"], t1["series"]) == ("one", "1-T1-axial-fl3d")
        assert t1["shape"] == (12, 4, 5)
        assert t1["dims"] is None
        enhanced = catalog.series.query("number == 7").iloc[0]
        assert (enhanced["instances"], enhanced["frames"]) == (1, 6)
        report = catalog.series.query("modality == 'SR'").iloc[0]
        assert (report["instances"], report["frames"], report["shape"]) == (1, 0, None)

    def test_names_are_those_of_the_tree(self, catalog, archive):
        tree = xr.open_datatree(archive, engine="dicom")
        paths = {f"/{p}/{s}/{n}" for p, s, n in catalog.series.iloc[:, :3].itertuples(index=False)}
        assert paths == {g for g in tree.groups if g.count("/") == 3}
        assert plain(catalog.open_datatree()).identical(tree)
        assert plain(xr.open_datatree(catalog, engine="dicom")).identical(tree)

    def test_dims_are_known_once_it_was_opened(self, catalog):
        catalog.open("T1*")
        row = catalog.series.query("modality == 'MR' and number == 1").iloc[0]
        assert row["dims"] == ("EchoTime", "z", "y", "x")
        assert row["shape"] == (3, 4, 4, 5)
        assert row["arrays"] == 1
        assert "EchoTime 3, z 4, y 4, x 5" in repr(catalog)

    def test_one_row_an_instance(self, catalog):
        found = catalog.instances
        assert len(found) == 22
        assert found["frames"].sum() == 26
        ct = found[found["Modality"] == "CT"]
        assert ct["KVP"].tolist() == [120.0] * 5
        assert ct["ImagePositionPatient"].iloc[0].count("\\") == 2
        assert found["AcquisitionTime"].dtype.kind == "m"
        assert {"path", "size", "modified", "SOPInstanceUID"} <= set(found)
        assert all(os.path.exists(os.path.join(catalog.root, p)) for p in found["path"])

    def test_what_was_wrong(self, scan, tmp_path):
        folder = tmp_path / "bad"
        paths = write_series(folder, {"z": 4}, **SMALL)
        truncate(paths[1], bytes_off=10)
        with pytest.warns(ExcludedFileWarning, match="one file"):
            catalog = scan(folder)
        assert catalog.problems["file"].tolist() == [paths[1].name]
        assert catalog.problems["excluded"].tolist() == [True]
        assert catalog.series["instances"].tolist() == [3]
        with pytest.warns(ExcludedFileWarning):
            scan(folder)
        with pytest.raises(xdicom.CorruptFileError):
            scan(folder, errors="raise")
        assert len(scan(folder, errors="ignore")) == 1
        with pytest.raises(ValueError, match="errors"):
            scan(folder, errors="wran")

    def test_problems_are_counted_by_series(self, scan, tmp_path):
        write_series(
            tmp_path / "d" / "a", {"z": 2}, seed=1, attributes={"EchoTime": b"x "}, **SMALL
        )
        write_series(tmp_path / "d" / "b", {"z": 2}, seed=2, series_number=2, **SMALL)
        catalog = scan(tmp_path / "d")
        assert catalog.series.set_index("number")["problems"].to_dict() == {1: 2, 2: 0}

    def test_repr(self, catalog):
        text = repr(catalog)
        assert "2 patients" not in text  # the report has a patient of its own
        assert "5 series, 22 instances, 26 frames" in text
        assert "T1 axial *fl3d" in text
        html = catalog.filter(SeriesDescription="T1*")._repr_html_()
        assert "<table" in html
        assert "T1 axial *fl3d" in html
        assert "filtered by SeriesDescription=" in html

    def test_html_is_escaped(self, scan, tmp_path):
        write_series(tmp_path / "d", {}, attributes={"SeriesDescription": "<b>&"}, **SMALL)
        html = scan(tmp_path / "d")._repr_html_()
        assert "<b>&<" not in html
        assert "&lt;b&gt;&amp;" in html

    def test_many_series_are_not_all_shown(self, scan, tmp_path):
        for i in range(35):
            write_series(tmp_path / "d" / str(i), {}, seed=i, series_number=i, **SMALL)
        assert "5 more series" in repr(scan(tmp_path / "d"))

    def test_an_empty_folder(self, scan, tmp_path):
        (tmp_path / "d").mkdir()
        catalog = scan(tmp_path / "d")
        assert len(catalog) == 0
        assert catalog.series.empty
        assert catalog.instances.empty
        assert "0 series" in repr(catalog)
        assert "0 series" in catalog._repr_html_()
        assert catalog["Modality"] is None
        with pytest.raises(xdicom.AmbiguousSeriesError):
            catalog.open()

    def test_a_file_and_a_list(self, scan, archive):
        paths = sorted((archive / "p1" / "t2").iterdir())
        assert scan(paths[0]).series["instances"].tolist() == [1]
        assert xdicom.scan(paths, progress=False).series["instances"].tolist() == [3]
        with pytest.raises(FileNotFoundError):
            xdicom.scan(archive / "missing")


class TestFilter:
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({"Modality": "MR", "SeriesDescription": "T?*"}, [1, 2]),
            ({"SeriesDescription": "*axial*"}, [1, 2]),
            ({"SeriesDescription": "T1 axial *fl3d"}, [1]),
            ({"SeriesDescription": ["thorax", "T2 axial"]}, [2, 1]),
            ({"EchoTime": slice(2, 5)}, [1]),
            ({"EchoTime": slice(50, None)}, [2]),
            ({"KVP": 120}, [1]),
            ({(0x0018, 0x0060): 120}, [1]),
            ({"PatientID": "two", "Modality": ["CT", "MR"]}, [1, 7]),
            ({"StudyDate": dt.date(1999, 1, 1)}, []),
            ({"InstanceNumber": 5, "Modality": "CT"}, [1]),
        ],
    )
    def test_by_attributes(self, catalog, wanted, expected):
        found = catalog.filter(wanted)
        assert numbers(found) == expected
        assert len(found) == len(expected)

    def test_frames_that_do_not_match_are_gone(self, catalog):
        short = catalog.filter(Modality="MR", EchoTime=slice(2, 5))
        assert short.series["frames"].tolist() == [8]
        da = short.open()
        assert da.sizes == {"EchoTime": 2, "z": 4, "y": 4, "x": 5}
        whole = catalog.open("T1*")
        xr.testing.assert_equal(da, whole.sel(EchoTime=[2.0, 5.0]))
        assert len(short.instances) == 8
        assert short["EchoTime"] == [2.0, 5.0]
        assert numbers(short.filter(EchoTime=5)) == [1]
        assert short.filter(EchoTime=5).series["frames"].tolist() == [4]
        assert len(short.filter(EchoTime=10)) == 0
        assert numbers(catalog) == numbers(catalog.filter())
        assert da.dicom["PatientID"] == "one"
        assert catalog.open_datatree(select={"EchoTime": 2}).equals(
            catalog.filter(EchoTime=2).open_datatree()
        )

    def test_frames_of_one_file(self, catalog):
        found = catalog.filter(SeriesNumber=7, TemporalPositionIndex=1)
        assert found.series[["instances", "frames"]].values.tolist() == [[1, 3]]
        assert found.open().sizes["z"] == 3

    def test_attributes_that_no_row_holds_are_read_from_the_files(self, catalog, reads):
        assert numbers(catalog.filter(PatientName="Doe*")) == [2]
        assert reads
        ct = catalog.filter(StationName="CT0")
        assert ct.series["frames"].tolist() == [3]
        assert ct["StationName"] == "CT0"
        assert catalog["StationName"] == ["CT0", "CT1", "MR1"]

    def test_what_a_summary_tells_needs_no_rows(self, catalog, monkeypatch):
        monkeypatch.setattr(type(catalog._rows), "table", None)
        monkeypatch.setattr(
            type(catalog._rows), "summaries", lambda self, keys: dict.fromkeys(keys, SUMMARY)
        )
        assert len(catalog.filter(Modality="MR", KVP=None)) == 5
        assert len(catalog.filter(Modality="CT", InstanceNumber=3)) == 0
        assert catalog["Modality"] == "MR"

    def test_wrong_names_and_values(self, catalog):
        with pytest.raises(KeyError, match="Modalty"):
            catalog.filter(Modalty="MR")
        with pytest.raises(KeyError, match="Modalty"):
            catalog["Modalty"]
        with pytest.raises(ValueError, match="number"):
            catalog.filter(EchoTime="long")

    def test_values(self, catalog):
        assert catalog["Modality"] == ["CT", "MR", "SR"]
        assert catalog["EchoTime"] == [2.0, 5.0, 10.0, 40.0, 80.0]
        assert catalog["KVP"] == 120.0
        assert catalog["ImageComments"] is None
        assert catalog[["KVP", "PatientID"]][0] == 120.0

    def test_series_by_series(self, catalog):
        assert [one["Modality"] for one in catalog] == catalog.series["modality"].tolist()
        assert [len(one) for one in catalog] == [1] * 5


SUMMARY = {"Modality": ["MR"], "EchoTime": ["5", "10", None], "InstanceNumber": []}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"Modality": "MR"}, True),
        ({"Modality": "CT"}, False),
        ({"EchoTime": 5}, None),
        ({"EchoTime": [5, 10, None]}, None),
        ({"EchoTime": 15}, False),
        ({"InstanceNumber": 5}, None),
        ({"InstanceNumber": 5, "Modality": "CT"}, False),
        ({"KVP": None}, True),
        ({"KVP": 120}, False),
        ({"PatientName": "Doe"}, None),
        ({}, True),
    ],
)
def test_match_summary(wanted, expected):
    if None in wanted.values() or "EchoTime" not in wanted or wanted["EchoTime"] != [5, 10, None]:
        assert match_summary(SUMMARY, wanted) is expected
    assert texts_of(SUMMARY, "InstanceNumber") is None
    assert texts_of(SUMMARY, "KVP") == [None]


class TestOpening:
    def test_as_open_series_does(self, catalog, archive):
        for series in (2, "T2*", "2-T2-axial"):
            da = catalog.open(series)
            assert plain(da).identical(xdicom.open_series(archive, series=series))
            assert da.identical(xdicom.open_series(catalog, series=series))
            assert da.identical(xr.open_dataset(catalog, engine="dicom", series=series)["pixels"])

    def test_a_second_time(self, catalog, archive):
        first = catalog.filter(Modality="MR").open("T1*")
        assert catalog.open("T1*").identical(first)
        assert (
            first.dicom.explain()._repr_html_() == catalog.open("T1*").dicom.explain()._repr_html_()
        )

    def test_options(self, catalog, archive):
        for options in (
            {"dims": ("EchoTime", "z")},
            {"dims": "flat"},
            {"mask_and_scale": False},
            {"coords": ["FlipAngle"]},
            {"select": {"EchoTime": 5}},
            {"ragged": "fill"},
            {"group_by": ["SeriesDescription"]},
            {"group": "1-T1-axial-fl3d"},
            {"drop_variables": "frame_id"},
        ):
            ours = plain(catalog.open("T1*", **options))
            assert ours.identical(xdicom.open_series(archive, series="T1*", **options)), options

    def test_several_match(self, catalog):
        with pytest.raises(xdicom.AmbiguousSeriesError, match="4 arrays match") as caught:
            catalog.open()
        assert "T1-axial-fl3d" in str(caught.value)
        assert "series=2" in str(caught.value)
        with pytest.raises(xdicom.AmbiguousSeriesError, match="no series matches series=99"):
            catalog.open(99)
        with pytest.raises(TypeError, match="series"):
            catalog.open(sereis=1)
        with pytest.raises(ValueError, match="allow_truncated"):
            catalog.open("T1*", allow_truncated=True)
        with pytest.raises(ValueError, match="trust"):
            xr.open_dataset(catalog, engine="dicom", series="T1*", trust="length")

    def test_no_header_is_read_again(self, catalog, reads):
        da = catalog.open("T1*")
        tree = catalog.filter(Modality="MR").open_datatree()
        assert len(tree.leaves) == 3
        assert da.dicom["EchoTime"] == [2.0, 5.0, 10.0]
        assert reads == []
        COUNTER.reset()
        da.isel(EchoTime=0, z=1).load()
        assert (COUNTER.files, COUNTER.frames) == (1, 1)
        da.dicom.header(EchoTime=0, z=0)
        assert len(reads) == 2

    def test_the_tree_is_made_of_what_is_selected(self, catalog, monkeypatch):
        loaded = []
        table = type(catalog._rows).table
        monkeypatch.setattr(
            type(catalog._rows),
            "table",
            lambda self, keys: loaded.extend(keys) or table(self, keys),
        )
        tree = catalog.filter(SeriesDescription="T2*").open_datatree()
        assert len(tree.leaves) == 1
        assert len(loaded) == 1
        assert len(catalog.open_datatree(group="two").leaves) == 2
        assert len(loaded) == 3

    def test_chunks(self, catalog):
        da = catalog.open("T1*", chunks={})
        assert da.chunks[0] == (1, 1, 1)
        assert not dask.is_dask_collection(da["frame_id"].data)
        tree = catalog.filter(Modality="CT").open_datatree(chunks="auto")
        (leaf,) = tree.leaves
        assert dask.is_dask_collection(leaf["pixels"].data)
        assert not dask.is_dask_collection(leaf["frame_id"].data)
        np.testing.assert_array_equal(leaf["pixels"], catalog.open("thorax"))

    def test_pickle(self, catalog):
        again = pickle.loads(pickle.dumps(catalog.filter(Modality="MR")))
        assert numbers(again) == [1, 2, 7]
        assert again.open("T2*").identical(catalog.open("T2*"))


class TestRefresh:
    def test_what_is_new_changed_and_gone(self, scan, tmp_path, reads):
        folder = tmp_path / "d"
        paths = write_series(folder / "a", {"z": 4}, seed=1, **SMALL)
        catalog = scan(folder)
        mine = catalog.filter(Modality="MR")
        assert len(reads) == 4
        reads.clear()
        os.remove(paths[3])
        os.utime(paths[0], (1, 1))
        write_series(folder / "b", {"z": 2}, seed=2, series_number=2, **SMALL)
        assert mine.refresh() is mine
        assert mine.series.set_index("number")["instances"].to_dict() == {1: 3, 2: 2}
        assert mine.series["frames"].sum() == 5
        if mine.counts.known:  # an index
            assert sorted(map(os.path.basename, reads)) == [
                "IM00001.dcm", "IM00001.dcm", "IM00002.dcm"
            ]  # fmt: skip
        assert mine.open(1).sizes["z"] == 3
        assert numbers(catalog) == [1]

    def test_names_of_tasks_change_with_the_files(self, scan, tmp_path):
        (path,) = write_series(tmp_path / "d", {}, **SMALL)
        catalog = scan(tmp_path / "d")

        def name():
            return xr.open_dataset(catalog, engine="dicom", chunks={})["pixels"].data.name

        first = name()
        assert name() == first
        catalog.refresh()
        assert name() == first
        os.utime(path, (1, 1))
        catalog.refresh()
        assert name() != first

    def test_a_file_that_changed_since(self, scan, tmp_path):
        paths = write_series(tmp_path / "d", {"z": 3}, **SMALL)
        da = scan(tmp_path / "d").open()
        write_series(tmp_path / "d", {"z": 3}, seed=9, rows=6, columns=7)
        with pytest.raises(xdicom.CorruptFileError, match="changed since it was indexed"):
            da.isel(z=1).load()
        os.remove(paths[0])
        with pytest.raises(xdicom.CorruptFileError, match="gone"):
            da.isel(z=0).load()
        stat = os.stat(paths[1])
        with pytest.raises(xdicom.CorruptFileError):
            read_header(str(paths[1]), stat.st_size + 1, stat.st_mtime_ns)


class TestIndex:
    def test_a_second_scan_reads_nothing(self, archive, tmp_path, reads):
        index = tmp_path / "an index.sqlite"
        first = xdicom.scan(archive, index=index, progress=False)
        assert first.counts.known == 0
        assert len(reads) == 23
        reads.clear()
        second = xdicom.scan(archive, index=index, progress=False)
        assert reads == []
        assert second.counts.known == 23
        assert second.counts.templates == second.counts.walked == 0
        pd.testing.assert_frame_equal(first.series, second.series)
        assert sorted(os.listdir(tmp_path)) == ["an index.sqlite"]

    def test_nothing_is_written_beside_the_data(self, tmp_path):
        folder = write_archive(tmp_path / "d")
        before = sorted(p.name for p in folder.rglob("*"))
        xdicom.scan(folder, index=tmp_path / "i", progress=False).open("T1*")
        xdicom.scan(folder, progress=False).open("T1*")
        assert sorted(p.name for p in folder.rglob("*")) == before

    def test_an_index_among_the_data_is_no_file_of_them(self, tmp_path):
        folder = write_archive(tmp_path / "d")
        for _ in range(2):
            catalog = xdicom.scan(folder, index=folder / "index.sqlite", progress=False)
            assert len(catalog.instances) == 22
            assert "index.sqlite" not in set(catalog.problems["file"])
        assert catalog.counts.walked == 0

    def test_grids_are_kept(self, archive, tmp_path, monkeypatch):
        index = tmp_path / "i"
        first = xdicom.scan(archive, index=index, progress=False).open("T1*")
        REGISTRY.clear()
        monkeypatch.setattr("xdicom.api.rows.split_series", None)
        again = xdicom.Catalog.from_index(index)
        assert again.open("T1*").identical(first)
        assert again.series.set_index("description").loc["T1 axial *fl3d", "arrays"] == 1

    def test_a_grid_of_files_that_changed_is_not_used(self, tmp_path):
        write_series(tmp_path / "d", {"z": 4}, **SMALL)
        options = {"index": tmp_path / "i", "progress": False}
        assert xdicom.scan(tmp_path / "d", **options).open().sizes["z"] == 4
        write_series(tmp_path / "d", {"z": 6}, **SMALL)
        assert xdicom.scan(tmp_path / "d", **options).open().sizes["z"] == 6

    def test_headers_are_found_in_the_index(self, archive, tmp_path, reads):
        da = xdicom.scan(archive, index=tmp_path / "i", progress=False).open("T1*")
        REGISTRY.clear()
        reads.clear()
        assert da.dicom["EchoTime"] == [2.0, 5.0, 10.0]
        assert reads == []
        REGISTRY.clear()
        os.remove(tmp_path / "i")
        assert da.dicom["EchoTime"] == [2.0, 5.0, 10.0]
        assert reads

    def test_from_index(self, archive, tmp_path, reads):
        index = tmp_path / "i"
        xdicom.scan(archive, index=index, progress=False)
        reads.clear()
        catalog = xdicom.Catalog.from_index(index)
        assert numbers(catalog.filter(Modality="CT")) == [1]
        assert reads == []
        catalog.refresh()
        assert reads == []
        with pytest.raises(FileNotFoundError):
            xdicom.Catalog.from_index(tmp_path / "missing")
        with pytest.raises(xdicom.IndexFileError):
            xdicom.Catalog.from_index(archive / "notes.txt")
        with pytest.raises(xdicom.IndexFileError):
            xdicom.scan(archive, index=archive / "notes.txt")
        assert (archive / "notes.txt").read_text() == "not DICOM"

    def test_in_another_process_at_once(self, archive, tmp_path):
        index = tmp_path / "i"
        code = (
            "import sys, xdicom; c = xdicom.scan(sys.argv[1], index=sys.argv[2], progress=False); "
            "print(len(c), len(c.instances), float(c.open('T2*').sum()))"
        )
        command = [sys.executable, "-c", code, str(archive), str(index)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        said = {process.communicate(timeout=120)[0] for process in running}
        assert len(said) == 1
        assert said.pop().startswith("5 22 ")


class TestParquet:
    def test_there_and_back(self, catalog, tmp_path, reads):
        catalog.to_parquet(tmp_path / "all.parquet")
        reads.clear()
        again = xdicom.Catalog.from_parquet(tmp_path / "all.parquet")
        pd.testing.assert_frame_equal(again.series, catalog.series)
        pd.testing.assert_frame_equal(again.problems, catalog.problems)
        da = again.open("T1*")
        assert len(again.open_datatree().leaves) == 5
        assert reads == []
        assert da.identical(plain(catalog.open("T1*")))
        with pytest.raises(ValueError, match="scan again"):
            again.refresh()

    def test_other_programs_read_it(self, catalog, tmp_path):
        catalog.filter(Modality="CT").to_parquet(tmp_path / "ct.parquet")
        frame = pd.read_parquet(tmp_path / "ct.parquet")
        assert len(frame) == 5
        assert set(frame["Modality"]) == {"CT"}
        assert sorted(os.listdir(tmp_path)) in (["ct.parquet"], ["ct.parquet", "index.sqlite"])

    def test_an_archive_that_moved(self, tmp_path):
        write_series(tmp_path / "a", {"z": 3}, **SMALL)
        xdicom.scan(tmp_path / "a", progress=False).to_parquet(tmp_path / "p")
        os.rename(tmp_path / "a", tmp_path / "b")
        moved = xdicom.Catalog.from_parquet(tmp_path / "p", root=tmp_path / "b")
        assert moved.open().load().sizes["z"] == 3

    def test_names_that_are_no_text(self, tmp_path):
        (path,) = write_series(tmp_path / "d", {}, **SMALL)
        os.rename(path, os.fsencode(tmp_path / "d") + b"/\xff.dcm")
        xdicom.scan(tmp_path / "d", progress=False).to_parquet(tmp_path / "p")
        assert xdicom.Catalog.from_parquet(tmp_path / "p").open().load().size == 20

    def test_other_files(self, tmp_path):
        (tmp_path / "text").write_text("not parquet")
        pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other")
        for name in ("text", "other"):
            with pytest.raises(xdicom.IndexFileError):
                xdicom.Catalog.from_parquet(tmp_path / name)


class TestProgress:
    def test_a_bar_counts_files_series_and_problems(self, archive, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr("xdicom.headers.scan.DELAY", 0)
        monkeypatch.setattr("xdicom.headers.scan.tqdm", partial(tqdm, mininterval=0))
        truncate(write_series(tmp_path / "d", {"z": 2}, **SMALL)[0], bytes_off=4)
        with pytest.warns(ExcludedFileWarning):
            xdicom.scan(tmp_path / "d")
        said = capsys.readouterr().err
        assert "reading headers" in said
        assert "series=1" in said
        assert "problems=1" in said
        xdicom.scan(archive, progress=False)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("workers", [1, 3, None])
def test_workers(archive, workers):
    catalog = xdicom.scan(archive, workers=workers, progress=False)
    assert len(catalog.instances) == 22


def test_an_index_does_not_change_hands(tmp_path):
    """A copy of an archive is another one; an archive that moved is the same."""
    write_series(tmp_path / "a", {"z": 3}, **SMALL)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    index = tmp_path / "i"
    xdicom.scan(tmp_path / "a", index=index, progress=False)
    with pytest.raises(xdicom.IndexFileError, match="another folder"):
        xdicom.scan(tmp_path / "copy", index=index, progress=False)
    os.rename(tmp_path / "a", tmp_path / "b")
    moved = xdicom.scan(tmp_path / "b", index=index, progress=False)
    assert moved.counts.known == 3
    assert moved.open().load().sizes["z"] == 3
    os.symlink(tmp_path / "b", tmp_path / "link")
    assert xdicom.scan(tmp_path / "link", index=index, progress=False).counts.known == 3


class TestParts:
    def test_one_series_of_many_stays_one(self, catalog, tmp_path):
        (t2,) = [one for one in catalog if one["SeriesDescription"] == "T2 axial"]
        assert len(t2.instances) == 3
        assert t2.open(group_by=["SeriesDescription"]).sizes["z"] == 3
        t2.to_parquet(tmp_path / "p")
        assert len(xdicom.Catalog.from_parquet(tmp_path / "p")) == 1
        assert len(t2.refresh()) == 1
        assert t2.problems.empty

    def test_an_index_that_another_scan_changed(self, tmp_path):
        folder = write_archive(tmp_path / "d")
        options = {"index": tmp_path / "i", "progress": False}
        old = xdicom.scan(folder, **options)
        shutil.rmtree(folder / "p1" / "t2")
        xdicom.scan(folder, **options)
        assert len(old) == 5
        for use in (
            lambda: old.open("T2*"),
            lambda: old["StationName"],
            lambda: old.instances,
            lambda: old.filter(Modality="MR"),
        ):
            with pytest.raises(xdicom.IndexFileError, match="Refresh"):
                use()
        assert len(old.refresh()) == 4

    def test_a_series_that_is_no_array_keeps_its_size(self, scan, tmp_path):
        write_series(tmp_path / "d", {"EchoTime": [1.0, 2.0], "z": 3},
                     drop=[{"EchoTime": 1, "z": 1}], **SMALL)  # fmt: skip
        catalog = scan(tmp_path / "d")
        with pytest.raises(xdicom.NotHypercubeError):
            catalog.open()
        assert catalog.series["shape"].tolist() == [(5, 4, 5)]
        assert catalog.series["arrays"].tolist() == [1]

    def test_messages(self, catalog, tmp_path):
        with pytest.raises(xdicom.AmbiguousSeriesError, match="catalog is empty"):
            catalog.filter(Modality="XX").open()
        with pytest.raises(KeyError, match="did you mean 'Modality'"):
            catalog.filter(modality="MR")
        with pytest.raises(KeyError, match="iterate"):
            catalog[0]
        with pytest.raises(ValueError, match="workers"):
            xdicom.scan(tmp_path, workers=0)

    def test_warnings_point_at_the_caller(self, scan, tmp_path):
        truncate(write_series(tmp_path / "d", {"z": 2}, **SMALL)[0], bytes_off=4)
        with pytest.warns(ExcludedFileWarning) as caught:
            scan(tmp_path / "d")
        assert caught[0].filename == __file__
