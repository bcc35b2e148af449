"""An index holds what a scan finds, reads what changed, survives kills, harms no other file."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from xdicom.errors import IndexFileError, Problem
from xdicom.headers import index_file
from xdicom.headers.duplicates import CONFLICT
from xdicom.headers.entries import entries_of, series_keys, summaries_of
from xdicom.headers.index import Index
from xdicom.headers.scan import Scan, ScanOptions, listed, scan_table
from xdicom.sources.base import FileStat
from xdicom.testing import (
    edit,
    text_file,
    truncate,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)

IGNORING = ScanOptions(errors="ignore", limits_excluded=True, progress=False)
fork = multiprocessing.get_context("fork")


def update(path, folder, most=2**62, pause=0.0):
    """Scan a folder into an index; the paths of the files that were read."""
    listing, errors = listed(folder, "ignore")
    index = Index.open(path, write=True)
    changes = index.begin(listing.root, listing.kind, listing.files)
    scan = Scan(listing, IGNORING, errors)
    for start in range(0, len(changes.new), most) if most < len(changes.new) else [0]:
        for batch in scan.batches(changes.new[start : start + most]):
            index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
        time.sleep(pause)
    index.finish(listing.problems)
    return [file.path for file in changes.new]


def assert_equal(one, other):
    """The same rows and problems, whatever the order of the distinct texts."""
    assert (one.root, one.kind, one.files.paths) == (other.root, other.kind, other.files.paths)
    assert one.digest == other.digest
    assert dict(one.dimensions) == dict(other.dimensions)
    assert Counter(one.problems) == Counter(other.problems)
    for name in ("file", "frame_number", "frame_id", "pixel_offset", "pixel_length"):
        assert getattr(one, name).dtype == np.int64
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for keyword in {*one.columns, *other.columns}:
        a, b = one.column(keyword), other.column(keyword)
        assert a.vr == b.vr
        np.testing.assert_array_equal(a.strings(), b.strings(), keyword)


def in_any_order(summaries):
    return {
        key: {k: Counter(texts) for k, texts in summary.items()}
        for key, summary in summaries.items()
    }


def check(path, folder):
    """The index says in all ways what a scan of the folder says."""
    index, table = Index.open(path), scan_table(folder, IGNORING)
    assert_equal(index.table(), table)
    assert Counter(index.problems()) == Counter(table.problems)
    codes, keys = series_keys(table)
    expected = entries_of(table)
    assert [(e.key, e.instances, e.frames, dict(e.identity)) for e in index.entries()] == [
        (e.key, e.instances, e.frames, dict(e.identity)) for e in expected
    ]
    assert all(len(entry.parts) == 1 for entry in index.entries())
    assert in_any_order(index.summaries()) == in_any_order(summaries_of(table))
    for code, key in enumerate(keys):
        part = table.take(np.flatnonzero(codes == code))
        assert_equal(index.table([key]), part)
    assert_equal(index.table(keys), table)
    assert intact(path)


def intact(path):
    with closing(sqlite3.connect(path)) as connection:
        faults = connection.execute("PRAGMA integrity_check").fetchall()
        files = connection.execute("SELECT count(*), count(DISTINCT path) FROM files").fetchone()
        loose = connection.execute(
            "SELECT count(*) FROM parts WHERE series NOT IN (SELECT id FROM series)"
        ).fetchone()
    return faults == [("ok",)] and files[0] == files[1] and loose == (0,)


@pytest.fixture
def place(tmp_path):
    """Where an index may be, and a folder of two series."""
    write_series(tmp_path / "data" / "s", {"EchoTime": [5.0, 10.0], "z": 3}, modality="MR")
    write_series(tmp_path / "data" / "t", {"z": 2}, modality="CT", seed=1)
    return tmp_path / "an.index", tmp_path / "data"


def touch(path, nanoseconds=10**9):
    """Give a file another time."""
    found = os.stat(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + nanoseconds))


class TestWhatItHolds:
    @pytest.mark.parametrize("most", [1, 2, 1000])
    def test_a_folder_of_all_kinds(self, place, most):
        path, folder = place
        write_enhanced(folder / "e.dcm", {"time": 2, "z": 3}, seed=2)
        write_multiframe(folder / "m.dcm", np.zeros((2, 4, 4), "uint8"))
        write_non_image(folder / "n.dcm")
        text_file(folder / "readme.txt")
        truncate(folder / "s" / "IM00002.dcm", bytes_off=9)
        edit(folder / "s" / "IM00003.dcm", {"InstanceNumber": b"x "})
        (folder / "link").symlink_to(folder / "nowhere")
        for number, study in (("1", "1.5"), ("2", "1.5"), ("1", "1.6"), (None, None)):
            bare = folder / f"bare-{study}-{number}"
            write_series(bare, {"z": 2}, modality="OT", seed=3)
            for file in bare.iterdir():
                values = {"StudyInstanceUID": study, "SeriesNumber": number}
                edit(file, {"SeriesInstanceUID": None, "SOPInstanceUID": None, **values})
        update(path, folder, most)
        check(path, folder)

    def test_bundled_files(self, tmp_path):
        folder = Path(get_testdata_file("CT_small.dcm")).parent
        update(tmp_path / "an.index", folder, 30)
        check(tmp_path / "an.index", folder)

    def test_a_file_and_a_list(self, place):
        path, folder = place
        files = sorted((folder / "s").iterdir())
        update(path, files[0])
        assert Index.open(path).kind == "file"
        check(path, files[0])
        update(path, files[:2])
        assert Index.open(path).kind == "list"
        check(path, files[:2])

    def test_nothing(self, tmp_path):
        (tmp_path / "data").mkdir()
        update(tmp_path / "an.index", tmp_path / "data")
        check(tmp_path / "an.index", tmp_path / "data")
        assert Index.open(tmp_path / "an.index").entries() == []

    def test_an_index_that_is_new(self, tmp_path):
        index = Index.open(tmp_path / "an.index", write=True)
        assert (index.root, index.kind, index.entries()) == ("", "", [])
        assert len(index.table()) == 0

    def test_many_distinct_texts_are_not_listed(self, tmp_path):
        write_series(tmp_path / "data", {"z": 20})
        update(tmp_path / "an.index", tmp_path / "data")
        (summary,) = Index.open(tmp_path / "an.index").summaries().values()
        assert summary["InstanceNumber"] == []
        assert summary["Rows"] == ["16"] or len(summary["Rows"]) == 1

    def test_odd_paths(self, tmp_path):
        folder = tmp_path / os.fsdecode(b"da\xff ta?#%20")
        path = tmp_path / os.fsdecode(b"an \xe9\xff?mode=rw#%41 \xc3\xa9.index")
        names = [b"\xff\xe9", b"a\nb", b"-c", b"d\\e", b"%41", b"\xc3\xa9", b"\xee\x80\x80", b"'\""]
        write_series(folder, {"z": len(names)})
        for file, name in zip(sorted(folder.iterdir()), names, strict=True):
            os.rename(file, folder / os.fsdecode(name))
        text_file(folder / os.fsdecode(b"\xff.txt"))
        update(path, folder, 3)
        check(path, folder)
        assert sorted(os.listdir(tmp_path)) == sorted([folder.name, path.name])
        assert update(path, folder) == []

    def test_an_unknown_series(self, place):
        path, folder = place
        update(path, folder)
        with pytest.raises(KeyError, match="nothing"):
            Index.open(path).table(["nothing"])
        assert Index.open(path).summaries(["nothing"]) == {}

    def test_problems_are_counted_by_series(self, place):
        path, folder = place
        edit(folder / "s" / "IM00003.dcm", {"InstanceNumber": b"x "})
        text_file(folder / "readme.txt")
        update(path, folder)
        (key,) = Index.open(path).table().take(np.array([0])).column("SeriesInstanceUID").texts
        assert Index.open(path).problem_counts() == {key: 1}


class TestChanges:
    def test_only_what_changed_is_read(self, place):
        path, folder = place
        assert len(update(path, folder)) == 8
        assert update(path, folder) == []
        touch(folder / "s" / "IM00002.dcm")
        edit(folder / "t" / "IM00001.dcm", {"PatientID": "somebody"})
        (folder / "s" / "IM00001.dcm").unlink()
        write_series(folder / "u", {"z": 1}, seed=2)
        read = ["s/IM00002.dcm", "t/IM00001.dcm", "u/IM00001.dcm"]
        assert update(path, folder) == read
        check(path, folder)
        assert update(path, folder) == []

    def test_where_nothing_changed_nothing_is_written(self, place):
        path, folder = place
        (folder / "link").symlink_to(folder / "nowhere")
        text_file(folder / "readme.txt")
        update(path, folder)
        before, token = (path.read_bytes(), os.stat(path).st_mtime_ns), Index.open(path).token()
        update(path, folder)
        assert (path.read_bytes(), os.stat(path).st_mtime_ns) == before
        assert Index.open(path).token() == token
        touch(folder / "s" / "IM00002.dcm")
        update(path, folder)
        assert Index.open(path).token() != token

    def test_all_of_a_series_goes(self, place):
        path, folder = place
        update(path, folder)
        shutil.rmtree(folder / "t")
        update(path, folder)
        check(path, folder)

    def test_all_files_go(self, place):
        """As when a disk is not mounted: nothing is forgotten for that."""
        path, folder = place
        update(path, folder)
        away = folder.with_name("away")
        os.rename(folder, away)
        folder.mkdir()
        with pytest.raises(IndexFileError, match="mounted"):
            update(path, folder)
        folder.rmdir()
        os.rename(away, folder)
        assert update(path, folder) == []
        check(path, folder)

    def test_a_file_comes_into_another_series(self, place):
        path, folder = place
        update(path, folder)
        edit(folder / "t" / "IM00001.dcm", {"SeriesInstanceUID": "1.2.3"})
        update(path, folder)
        check(path, folder)
        assert Index.open(path).entries()[1].key == "1.2.3"

    def test_files_become_bad_and_good_again(self, place):
        path, folder = place
        update(path, folder)
        file = folder / "s" / "IM00002.dcm"
        good = file.read_bytes()
        for content in (good[:-9], b"text", good, b"", good):
            file.write_bytes(content)
            touch(file)
            assert update(path, folder) == ["s/IM00002.dcm"]
            check(path, folder)

    def test_files_left_out_are_not_read_again(self, place):
        path, folder = place
        text_file(folder / "readme.txt")
        truncate(folder / "s" / "IM00002.dcm", bytes_off=9)
        assert "readme.txt" in update(path, folder)
        assert update(path, folder) == []
        (folder / "readme.txt").unlink()
        assert update(path, folder) == []
        check(path, folder)

    def test_a_file_that_cannot_be_read_is_asked_for_again(self, place):
        path, folder = place
        unread = [folder / "s" / "IM00001.dcm", folder / "new.dcm"]
        update(path, folder)
        shutil.copy(unread[0], unread[1])
        touch(unread[0])
        listing, errors = listed(folder, "ignore")
        for file in unread:
            os.rename(file, file.with_suffix(".away"))
        index = Index.open(path)
        for _ in range(2):
            changes = index.begin(listing.root, listing.kind, listing.files)
            assert [file.path for file in changes.new] == ["new.dcm", "s/IM00001.dcm"]
            (batch,) = Scan(listing, IGNORING, errors).batches(changes.new)
            index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
            index.finish(listing.problems)
            kinds = [(p.kind, p.file) for p in index.problems()]
            assert set(kinds) == {("UnreadableFile", f.path) for f in changes.new}
            assert "s/IM00001.dcm" not in index.table().files.paths
        for file in unread:
            os.rename(file.with_suffix(".away"), file)
        assert update(path, folder) == ["new.dcm", "s/IM00001.dcm"]
        check(path, folder)

    def test_problems_of_an_unread_file_go_with_it(self, place):
        path, folder = place
        update(path, folder)
        shutil.copy(folder / "s" / "IM00001.dcm", folder / "new.dcm")
        listing, errors = listed(folder, "ignore")
        (folder / "new.dcm").unlink()
        index = Index.open(path)
        changes = index.begin(listing.root, listing.kind, listing.files)
        (batch,) = Scan(listing, IGNORING, errors).batches(changes.new)
        index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
        index.finish(listing.problems)
        assert [p.file for p in index.problems()] == ["new.dcm"]
        update(path, folder)
        check(path, folder)

    def test_problems_of_the_listing_are_those_of_the_last(self, place):
        path, folder = place
        (folder / "link").symlink_to(folder / "nowhere")
        update(path, folder)
        check(path, folder)
        (folder / "link").unlink()
        update(path, folder)
        check(path, folder)

    def test_the_index_itself_does_not_count(self, place):
        _, folder = place
        path = folder / "s" / "an.index"
        assert "s/an.index" not in update(path, folder)
        touch(path)
        assert update(path, folder) == []
        assert Index.open(path).problems() == []


class TestDuplicates:
    """They come and go over scans, and each time the index is what one scan finds."""

    def test_identical_files(self, place):
        path, folder = place
        update(path, folder)
        file = folder / "s" / "IM00002.dcm"
        shutil.copy2(file, folder / "a.dcm")
        shutil.copy2(file, folder / "z.dcm")
        assert update(path, folder, 1) == ["a.dcm", "z.dcm"]
        check(path, folder)
        assert update(path, folder) == []
        file.unlink()
        update(path, folder)
        check(path, folder)
        (folder / "a.dcm").unlink()
        update(path, folder)
        check(path, folder)
        assert Index.open(path).problems() == []

    def test_conflicts(self, place):
        path, folder = place
        one, other = folder / "s" / "IM00002.dcm", folder / "t" / "IM00001.dcm"
        (uid,) = scan_table(one).column("SOPInstanceUID").texts
        before = other.read_bytes()
        edit(other, {"SOPInstanceUID": uid})
        update(path, folder, 1)
        check(path, folder)
        assert (Index.open(path).table().column(CONFLICT).codes >= 0).sum() == 2
        shutil.copy2(other, folder / "u.dcm")
        update(path, folder)
        check(path, folder)
        other.write_bytes(before)
        touch(other)
        update(path, folder)
        check(path, folder)
        one.unlink()
        update(path, folder)
        check(path, folder)
        assert CONFLICT not in Index.open(path).table().columns

    def test_an_object_with_and_without_pixels(self, place):
        path, folder = place
        shutil.copy2(folder / "s" / "IM00001.dcm", folder / "bare.dcm")
        edit(folder / "bare.dcm", {"PixelData": None})
        update(path, folder)
        check(path, folder)
        assert "DuplicateInstance" in {problem.kind for problem in Index.open(path).problems()}

    def test_files_without_uid_are_nobodys_duplicates(self, place):
        path, folder = place
        for name in ("s/IM00001.dcm", "s/IM00002.dcm"):
            edit(folder / name, {"SOPInstanceUID": None})
        update(path, folder)
        check(path, folder)
        assert {problem.kind for problem in Index.open(path).problems()} == {"MissingUID"}

    def test_what_is_known_is_not_compared_again(self, place, monkeypatch):
        path, folder = place
        shutil.copy2(folder / "s" / "IM00002.dcm", folder / "a.dcm")
        update(path, folder)
        compared = []
        real = index_module_find()

        def find(table):
            compared.extend(table.files.paths)
            return real(table)

        monkeypatch.setattr("xdicom.headers.index.find_duplicates", find)
        touch(folder / "t" / "IM00001.dcm")
        update(path, folder)
        Index.open(path).table()
        assert compared == []
        shutil.copy2(folder / "s" / "IM00003.dcm", folder / "b.dcm")
        update(path, folder)
        assert compared == ["b.dcm", "s/IM00003.dcm"]

    def test_a_scan_that_did_not_finish(self, place):
        path, folder = place
        shutil.copy2(folder / "s" / "IM00002.dcm", folder / "a.dcm")
        listing, errors = listed(folder, "ignore")
        index = Index.open(path, write=True)
        changes = index.begin(listing.root, listing.kind, listing.files)
        for start in range(0, len(changes.new), 2):
            scan = Scan(listing, IGNORING, errors)
            (batch,) = scan.batches(changes.new[start : start + 2])
            index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
        assert_equal(Index.open(path).table(), scan_table(folder))
        entries = Index.open(path).entries()
        assert [len(entry.parts) for entry in entries] == [4, 2]
        assert [entry.instances for entry in entries] == [7, 2]
        assert len(Index.open(path).summaries()) == 2
        assert update(path, folder) == []
        check(path, folder)


def index_module_find():
    from xdicom.headers.index import find_duplicates  # noqa: PLC0415

    return find_duplicates


class TestGrids:
    @pytest.fixture
    def known(self, place):
        path, folder = place
        update(path, folder)
        index = Index.open(path)
        key = index.entries()[0].key
        digest = index.table([key]).digest
        index.keep_grid(key, digest, b"data", {"dims": ["z"], "shape": [3]})
        return path, folder, index, key, digest

    def test_kept(self, known):
        _, _, index, key, digest = known
        assert index.grid(key, digest) == b"data"
        assert index.grid(key, "other") is None
        assert index.grid("other", digest) is None
        assert index.shapes() == {key: {"dims": ["z"], "shape": [3]}}
        index.keep_grid(key, digest, b"newer")
        assert index.grid(key, digest) == b"newer"
        assert index.shapes() == {key: None}

    def test_gone_when_the_series_changes(self, known):
        path, folder, index, key, digest = known
        touch(folder / "t" / "IM00001.dcm")
        update(path, folder)
        assert index.shapes()
        touch(folder / "s" / "IM00002.dcm")
        update(path, folder)
        assert index.shapes() == {}
        index.keep_grid(key, digest, b"late", [])  # found before, kept after the change
        assert index.shapes() == {}

    def test_gone_when_a_duplicate_comes_and_goes(self, known):
        path, folder, index, key, digest = known
        shutil.copy2(folder / "s" / "IM00002.dcm", folder / "a.dcm")
        update(path, folder)
        assert index.shapes() == {}
        (folder / "a.dcm").unlink()
        update(path, folder)
        assert index.table([key]).digest == digest

    def test_of_another_version(self, known, monkeypatch):
        _, _, index, key, digest = known
        monkeypatch.setattr("xdicom.headers.index.VERSION", "other")
        assert index.grid(key, digest) is None
        assert index.shapes() == {}

    def test_with_its_series(self, known):
        path, folder, index, key, digest = known
        shutil.rmtree(folder / "s")
        update(path, folder)
        assert index.grid(key, digest) is None

    def test_nothing_is_kept_while_another_writes(self, known, monkeypatch):
        path, _, index, key, digest = known
        monkeypatch.setattr("xdicom.headers.index.PATIENCE", 0.0)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            index.keep_grid(key, digest, b"newer")
            other.execute("ROLLBACK")
        assert index.grid(key, digest) == b"data"


class TestMoved:
    def test_the_folder_was_renamed(self, place):
        path, folder = place
        update(path, folder)
        elsewhere = folder.with_name("elsewhere")
        os.rename(folder, elsewhere)
        assert update(path, elsewhere) == []
        check(path, elsewhere)
        assert os.path.exists(Index.open(path).table().path(0))

    def test_a_copy_of_it(self, place):
        path, folder = place
        update(path, folder)
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        touch(copy / "s" / "IM00002.dcm")
        with pytest.raises(IndexFileError, match="of another folder"):
            update(path, copy)
        check(path, folder)
        for name in ("s", "t"):  # what it was mounted on is still there
            shutil.rmtree(folder / name)
        assert update(path, copy) == ["s/IM00002.dcm"]
        check(path, copy)

    def test_another_name_of_it(self, place):
        path, folder = place
        update(path, folder)
        link = folder.with_name("link")
        link.symlink_to(folder)
        assert update(path, link) == []
        check(path, link)

    def test_another_folder(self, place, tmp_path):
        path, folder = place
        update(path, folder)
        before = path.read_bytes()
        write_series(tmp_path / "other", {"z": 2}, seed=5)
        with pytest.raises(IndexFileError, match="of another folder") as caught:
            update(path, tmp_path / "other")
        assert (caught.value.expected, caught.value.found) == (
            str(folder), str(tmp_path / "other")
        )  # fmt: skip
        assert "another file" in caught.value.remedy
        assert path.read_bytes() == before
        shutil.rmtree(folder)  # it may only be away: nothing of it is in the other one
        with pytest.raises(IndexFileError, match="of another folder"):
            update(path, tmp_path / "other")
        assert path.read_bytes() == before

    def test_an_index_that_cannot_be_written(self, place, monkeypatch):
        path, folder = place
        update(path, folder)
        elsewhere = folder.with_name("elsewhere")
        os.rename(folder, elsewhere)

        def refuse(*_):
            raise IndexFileError("read-only")

        monkeypatch.setattr("xdicom.headers.index.writing", refuse)
        listing, _ = listed(elsewhere, "ignore")
        index = Index.open(path)
        assert index.begin(listing.root, listing.kind, listing.files).new == []
        index.finish(listing.problems)
        for each in (index, pickle.loads(pickle.dumps(index))):
            assert each.root == str(elsewhere)
            assert each.table().root == str(elsewhere)


def snapshot(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


def other_database(path, application=0, version=0):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE files (path)")
        connection.execute(f"PRAGMA application_id = {application}")
        connection.execute(f"PRAGMA user_version = {version}")


OURS = index_file.APPLICATION_ID
FOREIGN = {
    "text": (text_file, "no index of xdicom"),
    "one byte": (lambda path: path.write_bytes(b"S"), "header is cut off"),
    "header cut": (lambda path: path.write_bytes(b"SQLite format 3\0\0\0"), "header is cut off"),
    "dicom": (lambda path: shutil.copy(get_testdata_file("CT_small.dcm"), path), "no index"),
    "another program": (lambda path: other_database(path, 7, 1), "another program"),
    "no program": (other_database, "another program"),
    "newer": (
        lambda path: other_database(path, OURS, index_file.SCHEMA_VERSION + 1),
        "another version",
    ),
    "older": (lambda path: other_database(path, OURS, 0), "another version"),
    "folder": (lambda path: path.mkdir(), "no regular file"),
    "pipe": (os.mkfifo, "no regular file"),
}


class TestForeignFiles:
    """They are named for what they are, and not touched."""

    @pytest.mark.parametrize("name", FOREIGN)
    def test_refused(self, name, tmp_path):
        make, what = FOREIGN[name]
        path = tmp_path / "an.index"
        make(path)
        regular = path.is_file()
        before = (snapshot(tmp_path) if regular else None, os.stat(path).st_mtime_ns)
        for write in (False, True):
            with pytest.raises(IndexFileError, match=what) as caught:
                Index.open(path, write=write)
            assert caught.value.file == str(path)
            assert caught.value.remedy
        with pytest.raises(IndexFileError, match=what):
            Index(str(path)).entries()
        assert (snapshot(tmp_path) if regular else None, os.stat(path).st_mtime_ns) == before
        assert os.listdir(tmp_path) == ["an.index"]

    def test_versions_are_named(self, tmp_path):
        other_database(tmp_path / "an.index", OURS, 99)
        with pytest.raises(IndexFileError) as caught:
            Index.open(tmp_path / "an.index")
        assert caught.value.found == 99
        assert str(index_file.SCHEMA_VERSION) in caught.value.expected
        assert "a scan makes it again" in caught.value.remedy

    def test_sqlite_never_sees_them(self, tmp_path, monkeypatch):
        other_database(tmp_path / "an.index", 7, 1)
        monkeypatch.setattr(sqlite3, "connect", None)
        with pytest.raises(IndexFileError, match="another program"):
            Index.open(tmp_path / "an.index", write=True)

    @pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
    def test_a_truncated_index(self, place, share):
        path, folder = place
        update(path, folder)
        truncate(path, keep=int(share * path.stat().st_size))
        before = snapshot(path.parent.joinpath("data", "s")), path.read_bytes()
        index = Index(str(path))
        for use in (index.entries, index.table, index.problems, lambda: update(path, folder)):
            with pytest.raises(IndexFileError, match="damaged") as caught:
                use()
            assert caught.value.file == str(path)
            assert "Delete the index" in caught.value.remedy
        assert (snapshot(path.parent.joinpath("data", "s")), path.read_bytes()) == before
        assert sorted(os.listdir(path.parent)) == ["an.index", "data"]

    @pytest.mark.parametrize(
        ("table", "column", "value"),
        [
            ("parts", "rows", b"damaged"),
            ("series", "identity", "{"),
            ("series", "summary", "{"),
            ("meta", "value", None),
            ("files", "path", "text"),
        ],
    )
    def test_damaged_values(self, place, table, column, value):
        path, folder = place
        update(path, folder)
        with closing(sqlite3.connect(path)) as connection, connection:
            where = "WHERE name = 'root'" if table == "meta" else "WHERE rowid = 1"
            where = "WHERE size = (SELECT max(size) FROM files)" if table == "files" else where
            changed = f"UPDATE OR REPLACE {table} SET {column} = ? {where}"
            connection.execute(changed, (value,))
        index = Index.open(path)
        with pytest.raises(IndexFileError, match=r"damaged|rows of the index") as caught:
            (index.entries(), index.summaries(), index.table(), update(path, folder))
        assert caught.value.file == str(path)
        assert "Delete the index" in caught.value.remedy

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"an\.index"):
            Index.open(tmp_path / "an.index")
        with pytest.raises(IndexFileError, match="cannot be written"):
            Index.open(tmp_path / "no folder" / "an.index", write=True)
        assert os.listdir(tmp_path) == []

    def test_an_empty_file(self, place):
        path, folder = place
        path.touch()
        index = Index.open(path)
        assert (index.root, index.entries(), index.problems()) == ("", [], [])
        assert path.read_bytes() == b""
        update(path, folder)
        check(path, folder)

    def test_a_full_disk(self, place, monkeypatch):
        path, folder = place
        update(path, folder)
        before = path.read_bytes()
        settings = (*index_file._SETTINGS, "PRAGMA max_page_count = 1")  # those there are stay
        monkeypatch.setattr(index_file, "_SETTINGS", settings)
        index = Index.open(path)
        with pytest.raises(IndexFileError, match="disk is full") as caught:
            index.add(index.table(), [FileStat(f"{i}.txt", i, i) for i in range(5000)])
        assert isinstance(caught.value.__cause__, sqlite3.Error)
        assert path.read_bytes() == before


class TestOneAtATime:
    def test_a_locked_index(self, place, monkeypatch):
        path, folder = place
        update(path, folder)
        touch(folder / "s" / "IM00001.dcm")
        monkeypatch.setattr(index_file, "TIMEOUT", 0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(IndexFileError, match="another process") as caught:
                update(path, folder)
            assert len(Index.open(path).table()) == 8  # that may be read meanwhile
            other.execute("ROLLBACK")
        assert caught.value.file == str(path)
        update(path, folder)
        check(path, folder)

    @pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="nothing lists descriptors")
    def test_no_descriptor_stays_open(self, place):
        path, folder = place
        update(path, folder)
        index = Index.open(path)
        before = len(os.listdir("/proc/self/fd"))
        for use in (index.entries, index.table, index.problems, index.shapes, index.token):
            use()
        update(path, folder)
        with pytest.raises(KeyError):
            index.table(["no series"])
        assert len(os.listdir("/proc/self/fd")) == before

    def test_it_may_be_pickled(self, place):
        path, folder = place
        update(path, folder)
        index = pickle.loads(pickle.dumps(Index.open(path)))
        assert index.path == str(path)
        assert_equal(index.table(), scan_table(folder))

    def test_two_processes_and_readers(self, place):
        path, folder = place
        write_series(folder / "u", {"z": 40}, seed=2)
        shutil.copy2(folder / "s" / "IM00002.dcm", folder / "a.dcm")
        writers = [fork.Process(target=update, args=(path, folder, n, 0.01)) for n in (3, 4)]
        for writer in writers:
            writer.start()
        seen = []
        while any(writer.is_alive() for writer in writers):
            if path.exists():
                index = Index.open(path)
                found = sum(entry.instances for entry in index.entries())
                assert found <= 49
                seen.append(len(index.table()))
                index.summaries()
                index.problems()
        assert [writer.exitcode for writer in writers] == [0, 0]
        assert seen == sorted(seen)
        check(path, folder)

    def test_threads_of_one_process(self, place):
        path, folder = place
        write_series(folder / "u", {"z": 20}, seed=2)
        errors = []

        def run(most):
            try:
                update(path, folder, most)
                Index.open(path).table()
            except Exception as error:  # noqa: BLE001  whatever it is
                errors.append(error)

        threads = [threading.Thread(target=run, args=(n,)) for n in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        check(path, folder)

    def test_a_file_is_not_opened_beside_a_connection(self, place, monkeypatch):
        path, folder = place
        update(path, folder)
        looked = []
        real = open

        def opening(file, *args, **options):
            if file == str(path):
                looked.append(file)
            return real(file, *args, **options)

        monkeypatch.setattr("builtins.open", opening)
        with index_file.writing(str(path)):
            assert len(looked) == 1
            assert Index.open(path).entries()
            assert len(looked) == 1  # to close it would end the lock
        assert Index.open(path).entries()
        assert len(looked) == 3

    def test_files_that_another_added_meanwhile(self, place):
        path, folder = place
        listing, errors = listed(folder, "ignore")
        one, other = Index.open(path, write=True), Index.open(path, write=True)
        changes = [i.begin(listing.root, listing.kind, listing.files) for i in (one, other)]
        assert changes[0] == changes[1]
        for index in (one, other, one):
            (batch,) = Scan(listing, IGNORING, errors).batches(changes[0].new)
            index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
        assert all(len(entry.parts) == 1 for entry in one.entries())
        one.finish(listing.problems)
        other.finish(listing.problems)
        check(path, folder)

    def test_what_another_added_since_is_not_forgotten(self, place):
        path, folder = place
        update(path, folder)
        file = folder / "s" / "IM00001.dcm"
        away = file.with_suffix(".away")
        os.rename(file, folder.parent / away.name)
        listing, _ = listed(folder, "ignore")
        slow = Index.open(path)
        assert slow.begin(listing.root, listing.kind, listing.files).gone == ["s/IM00001.dcm"]
        os.rename(folder.parent / away.name, file)
        touch(file)
        update(path, folder)
        slow.finish(listing.problems)
        check(path, folder)


class TestKilled:
    """A process that is killed at any moment loses what it was adding, and nothing else."""

    def test_a_scan(self, place):
        path, folder = place
        write_series(folder / "u", {"z": 40}, seed=2)
        shutil.copy2(folder / "s" / "IM00002.dcm", folder / "a.dcm")
        text_file(folder / "readme.txt")
        moments = random.Random(0)
        before, known = 0, 0
        for _ in range(8):
            process = fork.Process(target=update, args=(path, folder, 1, 0.002))
            process.start()
            time.sleep(moments.uniform(0.02, 0.2))
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            if path.exists() and path.stat().st_size:
                known = len(Index.open(path).table())  # which takes back what was half done
                assert intact(path)
            assert known >= before
            before = known
        update(path, folder)
        check(path, folder)
        assert update(path, folder) == []

    @pytest.fixture
    def half_done(self, place, tmp_path):
        """An index with the journal of a process that was killed while it wrote."""
        path, folder = place
        update(path, folder)
        copy = tmp_path / "killed" / "an.index"
        copy.parent.mkdir()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA cache_size = 1")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE parts SET rows = zeroblob(100000)")
            connection.execute("UPDATE files SET size = 0")
            for name in ("", "-journal"):
                shutil.copy(f"{path}{name}", f"{copy}{name}")
            connection.execute("ROLLBACK")
        assert os.path.getsize(f"{copy}-journal")
        return copy, folder

    def test_a_reader_takes_it_back(self, half_done):
        path, folder = half_done
        assert_equal(Index.open(path).table(), scan_table(folder))
        assert os.listdir(path.parent) == ["an.index"]
        check(path, folder)

    def test_a_writer_takes_it_back(self, half_done):
        path, folder = half_done
        touch(folder / "s" / "IM00001.dcm")
        assert update(path, folder) == ["s/IM00001.dcm"]
        check(path, folder)


def as_nobody(function, *args):
    """What a function gives in a process without rights, or the error it raises."""
    ours, theirs = fork.Pipe(duplex=False)

    def run():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            theirs.send(function(*args))
        except Exception as error:  # noqa: BLE001  whatever it is
            theirs.send(error)

    process = fork.Process(target=run)
    process.start()
    found = ours.recv()
    process.join()
    return found


class TestReadOnly:
    @pytest.fixture
    def read_only(self):
        """An index and its data in folders that nobody may write."""
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_series(folder / "data", {"z": 3})
            update(folder / "an.index", folder / "data")
            os.chmod(folder, 0o555)
            os.chmod(folder / "an.index", 0o444)
            yield folder / "an.index", folder / "data"
            os.chmod(folder, 0o755)

    def test_it_is_read(self, read_only):
        path, folder = read_only

        def use():
            index = Index.open(path)
            (key,) = [entry.key for entry in index.entries()]
            index.keep_grid(key, "digest", b"data")
            return index.table().digest, index.grid(key, "digest"), update(path, folder)

        assert as_nobody(use) == (scan_table(folder).digest, None, [])

    def test_a_change_cannot_be_written(self, read_only):
        path, folder = read_only
        touch(folder / "IM00001.dcm")
        error = as_nobody(update, path, folder)
        assert isinstance(error, IndexFileError)
        assert "cannot be" in str(error)
        assert error.file == str(path)

    def test_nor_can_a_killed_writers_change_be_taken_back(self, read_only):
        path, _ = read_only
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA cache_size = 1")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE parts SET rows = zeroblob(100000)")
            copies = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-journal")}
            connection.execute("ROLLBACK")
        for name, content in copies.items():
            Path(f"{path}{name}").write_bytes(content)
        error = as_nobody(Index.open(path).entries)
        assert isinstance(error, IndexFileError)
        assert "cannot be written" in str(error)
        assert len(Index.open(path).table()) == 3  # for who may write

    def test_nor_a_new_one_made(self, read_only):
        path, folder = read_only
        error = as_nobody(update, path.with_name("new.index"), folder)
        assert isinstance(error, IndexFileError)
        assert not path.with_name("new.index").exists()

    def test_one_that_may_not_be_read(self, read_only):
        path, _ = read_only
        os.chmod(path, 0)
        error = as_nobody(Index.open, path)
        assert isinstance(error, IndexFileError)
        assert "cannot be read" in str(error)


def test_problems_keep_all_that_they_say(place):
    path, folder = place
    listing, errors = listed(folder, "ignore")
    index = Index.open(path, write=True)
    changes = index.begin(listing.root, listing.kind, listing.files)
    (batch,) = Scan(listing, IGNORING, errors).batches(changes.new)
    odd = Problem("Odd", "\0 é \udcff", "s/IM00001.dcm", 3, excluded=True)
    batch.builder.problems.append(odd)
    index.add(batch.builder.build(listing.root, listing.kind), batch.left_out)
    index.finish([Problem("SkippedLink", "none", "l\udcff")])
    assert index.problems() == [Problem("SkippedLink", "none", "l\udcff"), odd]
