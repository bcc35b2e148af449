"""Archives made to mislead: copies of data sets, borrowed UIDs, odd files among good ones."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from xdicom.headers.table import REGISTRY
from xdicom.testing import edit, write_series

SMALL = {"rows": 16, "columns": 24}


def scanned(where, **options):
    return xdicom.scan(where, progress=False, **options)


def test_a_pixel_element_without_vr_is_no_template(tmp_path):
    """Its length stands where others have a VR."""
    paths = write_series(tmp_path / "d", {"z": 4}, **SMALL)
    data = paths[0].read_bytes()
    at = data.rindex(b"\xe0\x7f\x10\0OW\0\0")
    paths[0].write_bytes(data[:at] + b"\xe0\x7f\x10\0" + data[at + 8 : at + 12] + data[at + 12 :])
    da = scanned(tmp_path / "d").open()
    expected = [pydicom.dcmread(path).pixel_array for path in paths[1:]]
    np.testing.assert_array_equal(da[1:], expected)
    assert da.dicom.problems.empty


def test_a_lookup_table_of_another_file_is_not_used(tmp_path):
    def table():
        item = pydicom.Dataset()
        item.add_new("LUTDescriptor", "US", [4, 0, 16])
        item.ModalityLUTType = "HU"
        item.add_new("LUTData", "OW", np.array([10, 20, 30, 40], "<u2").tobytes())
        return item

    for number, items in enumerate(([[], [table()]], [[table()]] * 2, [[table()]] * 2), 1):
        stored = np.arange(4, dtype="uint16").reshape(2, 2)
        paths = write_series(
            tmp_path / "d" / str(number),
            {"z": 2},
            series_number=number,
            stored=lambda i, s=stored: s,
        )
        for path, found in zip(paths, items, strict=True):
            dataset = pydicom.dcmread(path)
            dataset.ModalityLUTSequence = found
            dataset["ModalityLUTSequence"].is_undefined_length = True
            dataset.save_as(path)
    for number in (2, 3):
        values = scanned(tmp_path / "d").open(series=number).isel(z=0).values
        assert values.ravel().tolist() == [10, 20, 30, 40]


class TestCopies:
    @pytest.fixture
    def copies(self, tmp_path):
        """A data set and a processed copy: the same UIDs, names, sizes and times."""
        for name, value in (("A", 100), ("B", 900)):
            stored = np.full((16, 24), value, "uint16")
            paths = write_series(
                tmp_path / name, {"z": 3}, stored=lambda i, s=stored: s, patient_id=f"PAT{name}"
            )
            for path in paths:
                os.utime(path, ns=(10**18, 10**18))
        return tmp_path / "A", tmp_path / "B"

    def test_have_other_names_of_tasks(self, copies):
        a, b = (
            xr.open_dataset(scanned(where), engine="dicom", chunks={})["pixels"] for where in copies
        )
        assert float((b - a).max()) == 800.0

    def test_keep_their_own_headers(self, copies):
        a, b = (scanned(where).open() for where in copies)
        assert (a.dicom["PatientID"], b.dicom["PatientID"]) == ("PATA", "PATB")


def test_series_without_uid(tmp_path):
    """They are told apart by study and number, whatever another UID looks like."""
    nothing = {"SeriesInstanceUID": None}
    for number in (1, 2):
        write_series(tmp_path / "d" / str(number), {"z": 2}, series_number=number, study_uid="1.2",
                     seed=number, attributes=nothing, patient_id="VICTIM", **SMALL)  # fmt: skip
    others = write_series(tmp_path / "d" / "x", {"z": 3}, series_number=5, seed=9,
                          origin=(-20, -30, 16.0), patient_id="EVIL", **SMALL)  # fmt: skip
    for path in others:
        edit(path, {"SeriesInstanceUID": "1.2|1"})
    for options in ({}, {"index": tmp_path / "i"}):
        catalog = scanned(tmp_path / "d", **options)
        assert len(catalog) == 3
        da = catalog.open(series=1)
        assert da.sizes["z"] == 2
        REGISTRY.clear()
        assert da.dicom["PatientID"] == "VICTIM"


def test_values_that_can_be_read_once(tmp_path):
    for number in range(3):
        write_series(tmp_path / str(number), {"EchoTime": [5.0, 10.0, 15.0], "z": 2}, seed=number,
                     series_number=number, **SMALL)  # fmt: skip
    catalog = scanned(tmp_path)
    wanted = [5.0, 10.0]
    found = catalog.filter(EchoTime=iter(wanted))
    assert found.series["frames"].tolist() == [4, 4, 4]
    same = catalog.filter(EchoTime=wanted)
    wanted.append(15.0)
    assert same.open(series=1).sizes["EchoTime"] == 2


class TestIndexKeepsWhatItHas:
    @pytest.fixture
    def archive(self, tmp_path):
        for number in range(3):
            write_series(tmp_path / "A" / f"s{number}", {"z": 2}, seed=number,
                         series_number=number, **SMALL)  # fmt: skip
        scanned(tmp_path / "A", index=tmp_path / "i")
        return tmp_path

    def refused(self, where, index, match):
        with pytest.raises(xdicom.IndexFileError, match=match):
            scanned(where, index=index)
        assert len(xdicom.Catalog.from_index(index)) == 3

    def test_a_part_of_the_folder(self, archive):
        a = archive / "A"
        self.refused([a / "s0" / "IM00001.dcm", a / "s1" / "IM00001.dcm"], archive / "i", "named")
        self.refused([a / "s0", a / "s1"], archive / "i", "named")
        self.refused(a / "s0", archive / "i", "another folder")

    def test_another_folder_that_shares_a_file(self, archive):
        os.remove(archive / "A" / "s0" / "IM00001.dcm")
        (archive / "C" / "s1").mkdir(parents=True)
        name = "s1/IM00001.dcm"
        shutil.copy2(archive / "A" / name, archive / "C" / name)
        self.refused(archive / "C", archive / "i", "another folder")

    def test_a_folder_that_is_away(self, archive):
        os.rename(archive / "A", archive / "away")
        (archive / "A").mkdir()
        self.refused(archive / "A", archive / "i", "mounted")
        write_series(archive / "other", {"z": 2}, seed=7, **SMALL)
        self.refused(archive / "other", archive / "i", "another folder")

    def test_what_cannot_be_listed_is_not_gone(self, archive, monkeypatch):
        scandir = os.scandir

        def denied(path):
            if os.fspath(path).endswith("s1"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", denied)
            catalog = scanned(archive / "A", index=archive / "i", errors="ignore")
            assert len(catalog) == 3
            assert "UnreadableFolder" in set(catalog.problems["kind"])
        assert scanned(archive / "A", index=archive / "i").counts.known == 6

    def test_an_archive_that_moved(self, archive):
        os.rename(archive / "A", archive / "B")
        catalog = xdicom.Catalog.from_index(archive / "i", root=archive / "B")
        da = catalog.open(series=1)
        da.load()
        REGISTRY.clear()
        assert da.dicom["SeriesNumber"] == 1

    def test_a_kept_grid_whose_frames_turn_out_to_be_duplicates(self, archive):
        scanned(archive / "A", index=archive / "i").open(series=1)
        uid = str(pydicom.dcmread(archive / "A" / "s1" / "IM00001.dcm").SOPInstanceUID)
        edit(archive / "A" / "s2" / "IM00001.dcm", {"SOPInstanceUID": uid})
        catalog = scanned(archive / "A", index=archive / "i")
        with pytest.warns(xdicom.XDicomWarning):
            tree = catalog.open_datatree()
        assert len(tree.leaves) >= 3


def test_names_that_are_no_text(tmp_path):
    for number, name in enumerate((b"\xff.dcm", b"\xfe.dcm")):
        (path,) = write_series(tmp_path / str(number), {}, attributes={"SOPInstanceUID": None})
        (tmp_path / "d").mkdir(exist_ok=True)
        os.rename(path, os.fsencode(tmp_path / "d") + b"/" + name)
    catalog = scanned(tmp_path / "d")
    assert len(catalog.instances) == 2
    assert len(catalog.problems) >= 2


def test_times_of_the_far_future(tmp_path):
    (path,) = write_series(tmp_path / "d", {})
    os.utime(path, ns=(2**62, 2**62))
    assert scanned(tmp_path / "d").open().load().size


def test_scanned_again_from_elsewhere(tmp_path, monkeypatch):
    write_series(tmp_path / "A", {"z": 2})
    monkeypatch.chdir(tmp_path)
    catalog = scanned("A")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(catalog.refresh().instances) == 2


def test_what_a_terminal_must_not_get(tmp_path):
    write_series(tmp_path / "d", {}, attributes={"SeriesDescription": b"a\x1b[31mred" + b"x" * 60})
    text = repr(scanned(tmp_path / "d"))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines()[2:])) < 150


def test_what_was_left_out_is_said(tmp_path):
    paths = write_series(tmp_path / "d", {"z": 2}, **SMALL)
    paths[0].write_bytes(paths[0].read_bytes()[:-10])
    with pytest.warns(xdicom.XDicomWarning):
        catalog = scanned(tmp_path / "d")
    assert "1 file left out" in repr(catalog)


def test_private_attributes_have_their_own_kind(tmp_path):
    write_series(tmp_path / "d", {"z": 3},
                 attributes={(0x0019, 0x0C, "MAKER", "IS"): lambda i: 1000 * i["z"]})  # fmt: skip
    assert scanned(tmp_path / "d")[(0x0019, 0x100C)] == [0, 1000, 2000]
