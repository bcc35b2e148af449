"""Folders, files and DICOMDIRs become tables; what is wrong is left out, listed or raised."""

from __future__ import annotations

import errno
import os
import shutil
import warnings

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet

import xdicom.headers.scan as scan
from xdicom.errors import (
    CorruptFileError,
    DuplicateInstanceError,
    ExcludedFileWarning,
    MissingAttributeError,
    NotDicomError,
    ResourceLimitError,
)
from xdicom.headers.duplicates import CONFLICT
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.table import REGISTRY, frame_id
from xdicom.headers.validate import Leniency
from xdicom.testing import (
    edit,
    element_span,
    nest_sequences,
    overwrite_bytes,
    pack_file,
    text_file,
    truncate,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)


@pytest.fixture
def folder(tmp_path):
    """Four good files."""
    write_series(tmp_path / "study" / "s", {"z": 4})
    return tmp_path / "study"


def names(table):
    return list(table.files.paths)


def problems(table):
    return [(p.kind, p.file, p.excluded) for p in table.problems]


def ignoring(where, **options):
    return scan_table(where, ScanOptions(errors="ignore", **options))


class TestTables:
    def test_a_folder(self, folder):
        table = scan_table(folder)
        assert names(table) == [f"s/IM{i:05d}.dcm" for i in range(1, 5)]
        assert table.root == str(folder)
        assert table.kind == "folder"
        assert table.problems == ()
        assert table.frame_number.tolist() == [1] * 4
        assert table.strings("InstanceNumber").tolist() == list("1234")
        assert len(set(table.frame_id.tolist())) == 4
        assert REGISTRY.find(table.root, table.digest) is table

    def test_order_and_place_do_not_matter(self, folder, tmp_path):
        table = scan_table(folder)
        shutil.copytree(folder, tmp_path / "copy")
        assert scan_table(tmp_path / "copy").digest == table.digest
        assert scan_table(tmp_path / "copy").frame_id.tolist() == table.frame_id.tolist()

    def test_a_file_and_a_list(self, folder):
        paths = sorted((folder / "s").iterdir())
        one = scan_table(paths[2])
        assert (names(one), one.kind, one.root) == (["IM00003.dcm"], "file", str(folder / "s"))
        some = scan_table([paths[3], str(paths[0])])
        assert (names(some), some.kind) == (["IM00001.dcm", "IM00004.dcm"], "list")
        assert names(scan_table([paths[0], paths[0]])) == ["IM00001.dcm"]

    def test_multi_frame_files(self, tmp_path):
        write_enhanced(tmp_path / "e.dcm", {"z": 3})
        write_multiframe(tmp_path / "m.dcm", np.zeros((2, 4, 4), "uint8"))
        write_non_image(tmp_path / "n.dcm")
        table = scan_table(tmp_path)
        assert table.file.tolist() == [0, 0, 0, 1, 1, 2]
        assert table.frame_number.tolist() == [1, 2, 3, 1, 2, 0]
        uid = dcmread(tmp_path / "e.dcm").SOPInstanceUID
        assert table.frame_id[:3].tolist() == [frame_id(uid, i) for i in (1, 2, 3)]
        positions = table.numbers("ImagePositionPatient", 3)
        assert len(np.unique(positions[:3], axis=0)) == 3
        assert np.isnan(positions[3:]).all()
        assert table.strings("xdicom_cine").tolist() == ["", "", "", "1", "1", ""]
        assert (table.pixel_offset >= 0).tolist() == [True] * 5 + [False]

    def test_an_object_without_pixels_keeps_its_own_attributes(self, tmp_path):
        path = write_enhanced(tmp_path / "e.dcm", {"z": 3})
        truncate(path, keep=element_span(path, "PixelData").start)
        table = scan_table(path, ScanOptions(errors="ignore"))
        assert table.frame_number.tolist() == [0]
        assert table.strings("ImagePositionPatient").tolist() == [""]

    def test_an_empty_list_and_an_empty_folder(self, tmp_path):
        assert len(scan_table([])) == 0
        assert len(scan_table(tmp_path)) == 0

    def test_hidden_files_and_other_names(self, folder):
        os.rename(folder / "s" / "IM00001.dcm", folder / ".hidden")
        os.rename(folder / "s" / "IM00002.dcm", folder / "no suffix, Ünïcode.txt")
        assert len(scan_table(folder)) == 4


BAD = {
    "truncated": (lambda path: truncate(path, bytes_off=9), CorruptFileError),
    "no header": (lambda path: truncate(path, keep=140), CorruptFileError),
    "no rows": (lambda path: edit(path, {"Rows": None}), MissingAttributeError),
    "nested": (lambda path: nest_sequences(path, 40), CorruptFileError),
}


class TestOneBadFile:
    """It never loses the good ones."""

    @pytest.fixture(params=BAD)
    def bad(self, request, folder):
        damage, error = BAD[request.param]
        path = folder / "s" / "IM00002.dcm"
        damage(path)
        return path, error

    def test_in_a_folder_it_is_left_out_with_one_warning(self, folder, bad):
        with pytest.warns(ExcludedFileWarning) as caught:
            table = scan_table(folder)
        (warning,) = caught
        message = str(warning.message)
        assert message.startswith(f"one file under {folder} left out: s/IM00002.dcm: ")
        assert "`.dicom.problems` lists all" in message
        assert names(table) == [f"s/IM{i:05d}.dcm" for i in (1, 3, 4)]
        ((kind, file, excluded),) = problems(table)
        assert (kind + "Error", file, excluded) == (bad[1].__name__, "s/IM00002.dcm", True)

    def test_ignored_it_is_listed_all_the_same(self, folder, bad):
        table = ignoring(folder)
        assert len(table) == 3
        assert problems(table)[0][1:] == ("s/IM00002.dcm", True)

    def test_raised(self, folder, bad):
        path, error = bad
        with pytest.raises(error) as caught:
            scan_table(folder, ScanOptions(errors="raise"))
        assert caught.value.file == str(path)

    def test_a_file_that_is_named_raises(self, folder, bad):
        path, error = bad
        others = sorted(path.parent.iterdir())
        for where in (path, str(path), [path], others):
            with pytest.raises(error) as caught:
                scan_table(where)
            assert caught.value.file == str(path)

    def test_a_file_that_is_named_can_be_let_go(self, bad):
        path, error = bad
        with pytest.warns(ExcludedFileWarning):
            table = scan_table(sorted(path.parent.iterdir()), ScanOptions(errors="warn"))
        assert len(table) == 3
        assert len(ignoring(path)) == 0
        assert problems(ignoring(path))[0][0] + "Error" == error.__name__

    def test_the_problem_stays_with_each_part_of_the_table(self, folder, bad):
        part = ignoring(folder).take(np.array([0])).take(np.array([0]))
        assert [p.file for p in part.problems] == ["s/IM00002.dcm"]


def test_many_bad_files_make_one_short_warning(folder):
    for path in sorted((folder / "s").iterdir())[:4]:
        truncate(path, bytes_off=9)
    write_series(folder / "t", {"z": 1}, seed=1)
    with pytest.warns(ExcludedFileWarning, match=r"^4 files .* and 1 more\.") as caught:
        scan_table(folder)
    assert len(caught) == 1


NO_DICOM = {
    "text": text_file,
    "empty": lambda path: text_file(path, ""),
    "gzip": pack_file,
    "zip": lambda path: pack_file(path, "zip"),
    "preamble only": lambda path: path.write_bytes(bytes(128)),
}


class TestFilesThatAreNoDicom:
    @pytest.fixture(params=NO_DICOM)
    def path(self, request, folder):
        path = folder / "s" / "IM00002.dcm"
        NO_DICOM[request.param](path)
        return path

    @pytest.mark.parametrize("errors", [None, "warn", "ignore", "raise"])
    def test_in_a_folder_they_are_usual(self, folder, path, errors):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = scan_table(folder, ScanOptions(errors=errors))
        assert len(table) == 3
        assert problems(table) == [("NotDicom", "s/IM00002.dcm", True)]

    def test_named_they_are_errors(self, path):
        for where in (path, [path]):
            with pytest.raises(NotDicomError) as caught:
                scan_table(where)
            assert caught.value.file == str(path)

    def test_named_and_let_go_they_are_warned_of(self, path):
        with pytest.warns(ExcludedFileWarning, match="one file"):
            scan_table([path], ScanOptions(errors="warn"))


class TestLimits:
    @pytest.fixture
    def large(self, folder):
        return edit(folder / "s" / "IM00002.dcm", {"Rows": 65535, "Columns": 65535})

    @pytest.mark.parametrize("errors", [None, "warn", "ignore", "raise"])
    def test_always_raise(self, folder, large, errors):
        with pytest.raises(ResourceLimitError, match="IM00002"):
            scan_table(folder, ScanOptions(errors=errors))

    def test_but_in_trees(self, folder, large):
        table = ignoring(folder, limits_excluded=True)
        assert problems(table) == [("ResourceLimit", "s/IM00002.dcm", True)]


def test_leniency_is_passed_on(tmp_path):
    path = write_multiframe(tmp_path / "m.dcm", np.zeros((3, 4, 4), "uint8"))
    truncate(path, bytes_off=5)
    table = scan_table(path, ScanOptions(leniency=Leniency(allow_truncated=True)))
    assert len(table) == 2
    assert problems(table) == [("TruncatedPixelData", "m.dcm", False)]


class TestInvalidValues:
    def test_are_missing_and_listed(self, folder):
        edit(folder / "s" / "IM00002.dcm", {"EchoTime": b"1,5 ", "AcquisitionTime": b"2560"})
        edit(folder / "s" / "IM00003.dcm", {"EchoTime": b"1,5 "})
        table = scan_table(folder)
        assert problems(table) == [
            ("InvalidValue", "s/IM00002.dcm", False),
            ("InvalidValue", "s/IM00002.dcm", False),
            ("InvalidValue", "s/IM00003.dcm", False),
        ]
        messages = [p.message for p in table.problems]
        assert "AcquisitionTime is '2560', which is no TM; taken as missing" in messages
        assert messages.count("EchoTime is '1,5', which is no DS; taken as missing") == 2
        assert np.isnan(table.numbers("EchoTime")).tolist() == [False, True, True, False]

    def test_values_that_may_tell_who_it_is_are_not_repeated(self, folder):
        edit(folder / "s" / "IM00002.dcm", {"PatientWeight": b"70 kg secret"})
        (problem,) = scan_table(folder).problems
        assert problem.message == "PatientWeight is invalid, which is no DS; taken as missing"


class TestDuplicates:
    def test_identical_files_are_one(self, folder):
        (folder / "a").mkdir()
        shutil.copy(folder / "s" / "IM00003.dcm", folder / "a" / "copy")
        shutil.copy(folder / "s" / "IM00003.dcm", folder / "z.dcm")
        table = scan_table(folder)
        assert names(table) == ["a/copy", *(f"s/IM{i:05d}.dcm" for i in (1, 2, 4))]
        assert problems(table) == [
            ("DuplicateFile", "s/IM00003.dcm", False),
            ("DuplicateFile", "z.dcm", False),
        ]
        assert {p.message for p in table.problems} == {"the same as a/copy; left out"}
        assert CONFLICT not in table.columns
        assert len(table.take(np.array([0])).problems) == 2

    def test_the_file_meta_information_does_not_count(self, folder):
        path = folder / "s" / "IM00003.dcm"
        shutil.copy(path, folder / "z.dcm")
        edit(folder / "z.dcm", {"ImplementationVersionName": "ANOTHER"})
        overwrite_bytes(folder / "z.dcm", 0, b"preamble")
        assert len(scan_table(folder)) == 4

    def test_different_files_of_one_uid_are_marked(self, folder):
        path = folder / "s" / "IM00003.dcm"
        shutil.copy(path, folder / "z.dcm")
        edit(folder / "z.dcm", {"EchoTime": 99.0})
        table = scan_table(folder)
        assert len(table) == 5
        assert table.strings(CONFLICT).tolist() == ["", "", "1", "", "1"]
        ((kind, file, excluded),) = problems(table)
        assert (kind, file, excluded) == ("DuplicateInstance", "s/IM00003.dcm", False)
        uid = dcmread(path).SOPInstanceUID
        assert table.problems[0].message == (
            f"{uid} stands on different contents: s/IM00003.dcm, z.dcm"
        )
        # so that each can be told from the other, and from the frame that is neither
        assert len(set(table.frame_id.tolist())) == 5
        assert frame_id(uid, 1) not in table.frame_id

    def test_equal_bytes_under_another_transfer_syntax(self, folder):
        path = folder / "s" / "IM00003.dcm"
        shutil.copy(path, folder / "z.dcm")
        edit(folder / "z.dcm", {"TransferSyntaxUID": "1.2.840.113619.5.2"})
        assert (scan_table(folder).strings(CONFLICT) == "1").sum() == 2

    def test_both_at_once(self, folder):
        path = folder / "s" / "IM00003.dcm"
        for name in ("x.dcm", "y.dcm", "z.dcm"):
            shutil.copy(path, folder / name)
        for name in ("y.dcm", "z.dcm"):
            edit(folder / name, {"EchoTime": 99.0})
        table = scan_table(folder)
        assert names(table)[2:] == ["s/IM00003.dcm", "s/IM00004.dcm", "y.dcm"]
        assert table.strings(CONFLICT).tolist() == ["", "", "1", "", "1"]
        assert sorted(p.kind for p in table.problems) == [
            "DuplicateFile", "DuplicateFile", "DuplicateInstance"
        ]  # fmt: skip

    def test_files_without_uid_are_themselves(self, folder):
        for path in sorted((folder / "s").iterdir()):
            edit(path, {"SOPInstanceUID": None})
        table = scan_table(folder)
        assert len(set(table.frame_id.tolist())) == 4
        assert {p.kind for p in table.problems} == {"MissingUID"}

    def test_ids_are_checked_to_be_unique(self, folder, monkeypatch):
        monkeypatch.setattr("xdicom.headers.building.frame_id", lambda *_: 7)
        with pytest.raises(DuplicateInstanceError, match="same frame_id"):
            scan_table(folder)


class TestUnreadable:
    """Simulated: a test that runs as root may read everything."""

    @pytest.fixture
    def deny(self, monkeypatch):
        def denied(*parts, opens=True, lists=False):
            def wrap(call):
                def checked(path, *args, **options):
                    if any(part in os.fspath(path) for part in parts):
                        raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
                    return call(path, *args, **options)

                return checked

            if opens:
                monkeypatch.setattr(os, "open", wrap(os.open))
            if lists:
                monkeypatch.setattr(os, "scandir", wrap(os.scandir))

        return denied

    def test_a_file(self, folder, deny):
        deny("IM00002")
        with pytest.warns(ExcludedFileWarning, match=r"s/IM00002\.dcm: Permission denied"):
            table = scan_table(folder)
        assert len(table) == 3
        assert problems(table) == [("UnreadableFile", "s/IM00002.dcm", True)]
        with pytest.raises(PermissionError):
            scan_table(folder, ScanOptions(errors="raise"))
        with pytest.raises(PermissionError):
            scan_table(folder / "s" / "IM00002.dcm")

    def test_a_folder(self, folder, deny):
        write_series(folder / "closed", {"z": 2}, seed=1)
        deny("closed", opens=False, lists=True)
        with pytest.warns(ExcludedFileWarning, match="closed: Permission denied"):
            table = scan_table(folder)
        assert len(table) == 4
        assert problems(table) == [("UnreadableFolder", "closed", True)]

    @pytest.mark.parametrize("lists", [False, True])
    def test_everything(self, folder, deny, lists):
        deny("study", lists=lists)
        for errors in (None, "ignore"):
            with pytest.raises(PermissionError):
                scan_table(folder, ScanOptions(errors=errors))

    def test_a_file_that_vanishes(self, folder, monkeypatch):
        real = scan.list_files

        def listed(where):
            found = real(where)
            (folder / "s" / "IM00002.dcm").unlink(missing_ok=True)
            return found

        monkeypatch.setattr(scan, "list_files", listed)
        with pytest.warns(ExcludedFileWarning, match="No such file"):
            assert len(scan_table(folder)) == 3

    @pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"])
    @pytest.mark.parametrize("part", ["header", "pixels"])
    def test_a_file_that_shrinks_meanwhile(self, folder, monkeypatch, syntax, part):
        write_series(folder / "s", {"z": 4}, transfer_syntax=syntax, rows=200, columns=200)
        path = folder / "s" / "IM00002.dcm"
        keep = 300 if part == "header" else element_span(path, "PixelData").value + 4
        real = scan.list_files

        def listed(where):
            found = real(where)
            truncate(path, keep=keep)
            return found

        monkeypatch.setattr(scan, "list_files", listed)
        if (part, syntax[-1]) == ("pixels", "1"):
            # its size is that of the listing: found out when it is read
            assert len(scan_table(folder)) == 4
            return
        with pytest.warns(ExcludedFileWarning, match=r"IM00002\.dcm"):
            assert len(scan_table(folder)) == 3


class TestDicomdir:
    @pytest.fixture
    def root(self, tmp_path):
        """A DICOMDIR of two series, and a file that it does not refer to."""
        made = FileSet()
        for seed in (1, 2):
            for path in write_series(
                tmp_path / "raw", {"z": 3}, seed=seed, series_number=seed, name=f"{seed}-{{}}.dcm",
                attributes={"StudyID": "1", "AccessionNumber": "1"},
            ):  # fmt: skip
                made.add(path)
        made.write(tmp_path / "disc")
        write_series(tmp_path / "disc", {"z": 1}, seed=3)
        return tmp_path / "disc"

    def test_as_a_path_it_stands_for_its_files(self, root):
        table = scan_table(root / "DICOMDIR")
        assert len(table) == 6
        assert table.root == str(root)
        assert table.problems == ()
        assert names(table) == sorted(names(table))

    def test_in_a_folder_it_is_no_image(self, root):
        table = scan_table(root)
        assert len(table) == 7
        assert problems(table) == [("Dicomdir", "DICOMDIR", False)]

    def test_its_files_are_like_a_folders(self, root):
        first = root / scan_table(root / "DICOMDIR").files.paths[0]
        truncate(first, bytes_off=9)
        with pytest.warns(ExcludedFileWarning, match="one file"):
            assert len(scan_table(root / "DICOMDIR")) == 5
        with pytest.raises(CorruptFileError):
            scan_table(root / "DICOMDIR", ScanOptions(errors="raise"))

    def test_files_that_are_not_there_are_listed(self, root):
        gone = scan_table(root / "DICOMDIR").files.paths[0]
        (root / gone).unlink()
        with pytest.warns(ExcludedFileWarning, match="no such file"):
            table = scan_table(root / "DICOMDIR")
        assert problems(table) == [("MissingFile", gone, True)]

    @pytest.mark.parametrize("parts", [["..", "raw", "1-1.dcm"], ["/", "etc", "passwd"]])
    def test_it_leads_nowhere_else(self, root, parts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such names are not valid
            dataset = dcmread(root / "DICOMDIR")
            records = [r for r in dataset.DirectoryRecordSequence if "ReferencedFileID" in r]
            records[0].ReferencedFileID = parts
            dataset.save_as(root / "DICOMDIR")
        with pytest.warns(ExcludedFileWarning, match="outside of its folder"):
            table = scan_table(root / "DICOMDIR")
        assert len(table) == 5
        assert [p.kind for p in table.problems] == ["OutsideFile"]

    def test_not_even_by_a_link(self, root, tmp_path):
        gone = scan_table(root / "DICOMDIR").files.paths[0]
        shutil.move(root / gone, tmp_path / "elsewhere.dcm")
        (root / gone).symlink_to(tmp_path / "elsewhere.dcm")
        table = ignoring(root / "DICOMDIR")
        assert len(table) == 5
        assert [p.kind for p in table.problems] == ["OutsideFile"]

    def test_a_broken_one(self, root):
        truncate(root / "DICOMDIR", bytes_off=5)
        try:
            table = ignoring(root / "DICOMDIR")
        except CorruptFileError:
            return
        assert len(table) <= 6

    def test_bundled(self):
        table = scan_table(get_testdata_file("DICOMDIR"))
        assert len(table) == 31
        assert table.problems == ()
        assert len(set(table.strings("SeriesInstanceUID"))) > 5


def test_links_are_not_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    write_series(outside, {"z": 2}, seed=5)
    (folder / "loop").symlink_to(folder)
    (folder / "again").symlink_to(folder / "s" / "IM00001.dcm")
    (folder / "away").symlink_to(outside)
    (folder / "file").symlink_to(next(outside.iterdir()))
    (folder / "nothing").symlink_to(folder / "gone")
    with pytest.warns(ExcludedFileWarning, match=r"3 files .*out of the folder"):
        table = scan_table(folder)
    assert len(table) == 4
    assert problems(table) == [
        ("SkippedLink", "again", False),
        ("SkippedLink", "away", True),
        ("SkippedLink", "file", True),
        ("SkippedLink", "loop", False),
        ("SkippedLink", "nothing", True),
    ]
    # a link that is named is what it leads to
    assert len(scan_table(folder / "away")) == 2
    assert len(scan_table(folder / "file")) == 1


def test_progress_can_be_turned_off(folder, capsys):
    scan_table(folder, ScanOptions(progress=False))
    assert capsys.readouterr().err == ""
