"""Paths become listings, everything under a root and nothing else; files become their bytes."""

from __future__ import annotations

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from xdicom.errors import NotDicomError
from xdicom.sources import local
from xdicom.sources.base import FileStat, Range
from xdicom.sources.local import LocalSource
from xdicom.sources.places import list_files


@pytest.fixture
def root(tmp_path):
    for name in ("b.dcm", "a/2.dcm", "a/1.dcm", "a/deep/er/3", ".hidden/4", "A.dcm"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "root" / "empty").mkdir()
    return tmp_path / "root"


ALL = [".hidden/4", "A.dcm", "a/1.dcm", "a/2.dcm", "a/deep/er/3", "b.dcm"]


def paths(listing):
    return [file.path for file in listing.files]


def problems(listing):
    return [(p.kind, p.file, p.excluded) for p in listing.problems]


class TestFolders:
    @pytest.mark.parametrize(
        "kind", [str, Path, lambda path: f"{path}/", lambda path: f"{path}/a/.."]
    )
    def test_all_files_sorted(self, root, kind):
        listing = list_files(kind(root))
        assert paths(listing) == ALL
        assert (listing.root, listing.kind, listing.problems) == (str(root), "folder", ())

    def test_size_and_time(self, root):
        os.utime(root / "b.dcm", ns=(5, 123_456_789_012_345_678))
        file = list_files(root).files[-1]
        assert (file.path, file.size, file.mtime_ns) == ("b.dcm", 5, 123_456_789_012_345_678)

    def test_relative_paths(self, root, monkeypatch):
        monkeypatch.chdir(root.parent)
        assert list_files("root").root == str(root)
        assert paths(list_files(os.curdir)) == [f"root/{path}" for path in ALL]

    def test_home(self, root, monkeypatch):
        monkeypatch.setenv("HOME", str(root.parent))
        assert list_files("~/root").root == str(root)

    def test_empty(self, root):
        assert list_files(root / "empty").files == ()

    def test_what_is_no_regular_file_is_passed_over(self, root):
        os.mkfifo(root / "pipe")
        assert paths(list_files(root)) == ALL

    def test_names_that_are_no_text(self, root):
        name = os.fsdecode(b"\xff\xfe.dcm")
        try:
            (root / name).write_bytes(b"x")
        except OSError:
            pytest.skip("the file system takes text only")
        assert name in paths(list_files(root))


class TestFiles:
    def test_one(self, root):
        listing = list_files(root / "a" / "1.dcm")
        assert (paths(listing), listing.root, listing.kind) == (["1.dcm"], str(root / "a"), "file")

    def test_several(self, root):
        names = ["b.dcm", "a/2.dcm", "a/deep/er/3", "b.dcm"]
        listing = list_files(root / name for name in names)
        assert paths(listing) == ["a/2.dcm", "a/deep/er/3", "b.dcm"]
        assert (listing.root, listing.kind) == (str(root), "list")

    def test_several_in_one_folder(self, root):
        assert list_files([root / "a" / "1.dcm", root / "a" / "2.dcm"]).root == str(root / "a")

    def test_files_and_folders(self, root, tmp_path):
        (root / "a" / "link").symlink_to(tmp_path)
        listing = list_files([root / "a", root / "b.dcm", root / "a" / "1.dcm"])
        assert paths(listing) == ["a/1.dcm", "a/2.dcm", "a/deep/er/3", "b.dcm"]
        assert problems(listing) == [("SkippedLink", "a/link", True)]
        assert (listing.root, listing.kind) == (str(root), "list")

    def test_none(self):
        assert list_files([]).files == ()

    @pytest.mark.parametrize("several", [False, True])
    def test_not_there(self, root, several):
        path = root / "gone.dcm"
        with pytest.raises(FileNotFoundError, match=r"gone\.dcm"):
            list_files([root / "b.dcm", path] if several else path)

    def test_no_regular_file(self, root):
        os.mkfifo(root / "pipe")
        for where in (root / "pipe", [root / "pipe"]):
            with pytest.raises(NotDicomError, match=r"no regular file.*pipe"):
                list_files(where)

    @pytest.mark.parametrize("where", [5, None, [1, 2], b"bytes", object(), [["a"]]])
    def test_no_path(self, where):
        with pytest.raises(TypeError, match="expected a path or an iterable of paths, found"):
            list_files(where)


class TestLinks:
    def test_are_not_followed(self, root, tmp_path):
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "x").write_bytes(b"x")
        links = {
            "to file": root / "b.dcm",
            "to folder": root / "a",
            "loop": root,
            "itself": root / "itself",
            "out": tmp_path / "outside",
            "out to file": tmp_path / "outside" / "x",
            "gone": root / "gone",
            "up": Path(".."),
        }
        for name, target in links.items():
            (root / name).symlink_to(target)
        listing = list_files(root)
        assert paths(listing) == ALL
        excluded = {file: excluded for _, file, excluded in problems(listing)}
        assert excluded == {
            "to file": False,
            "to folder": False,
            "loop": False,
            "itself": True,
            "out": True,
            "out to file": True,
            "gone": True,
            "up": True,
        }

    def test_a_root_that_is_a_link_is(self, root, tmp_path):
        (tmp_path / "link").symlink_to(root)
        listing = list_files(tmp_path / "link")
        assert paths(listing) == ALL
        assert listing.root == str(tmp_path / "link")

    def test_a_root_whose_name_begins_like_another(self, root, tmp_path):
        (tmp_path / "root2").mkdir()
        (root / "sibling").symlink_to(tmp_path / "root2")
        assert problems(list_files(root)) == [("SkippedLink", "sibling", True)]


class TestDenied:
    """Simulated: a test that runs as root may read everything."""

    @pytest.fixture
    def deny(self, monkeypatch):
        def denied(*folders):
            real = os.scandir

            def scandir(path):
                if os.path.basename(os.path.normpath(path)) in folders:
                    raise PermissionError(errno.EACCES, "Permission denied", path)
                return real(path)

            monkeypatch.setattr(os, "scandir", scandir)

        return denied

    def test_a_folder_is_listed_and_the_rest_read(self, root, deny):
        deny("deep")
        listing = list_files(root)
        assert paths(listing) == [path for path in ALL if "deep" not in path]
        assert problems(listing) == [("UnreadableFolder", "a/deep", True)]
        assert listing.problems[0].message == "Permission denied"

    def test_everything(self, root, deny):
        deny("root")
        with pytest.raises(PermissionError, match="root"):
            list_files(root)

    def test_everything_that_holds_files(self, root, deny):
        for name in ("A.dcm", "b.dcm"):
            (root / name).unlink()
        deny("a", ".hidden")
        with pytest.raises(PermissionError):
            list_files(root)

    def test_a_file_that_vanishes(self, root, monkeypatch):
        class Vanished:
            name = "x.dcm"

            def is_symlink(self):
                return False

            is_dir = is_symlink

            def is_file(self):
                return True

            def stat(self):
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")

        real = os.scandir

        class Entries:
            def __init__(self, path):
                self.found = [*real(path), Vanished()] if path == f"{root}/" else list(real(path))

            def __enter__(self):
                return self.found

            def __exit__(self, *error):
                return None

        monkeypatch.setattr(os, "scandir", Entries)
        listing = list_files(root)
        assert paths(listing) == ALL
        assert problems(listing) == [("UnreadableFile", "x.dcm", True)]


@pytest.fixture
def descriptors():
    """The descriptors that are open."""
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        pytest.skip("the system does not list them")
    return lambda: sorted(os.listdir(folder))


@pytest.fixture
def slow_drive(monkeypatch):
    """A network drive that gives at most 7 bytes at once."""
    pread, preadv = os.pread, os.preadv

    def fill(fd, into, position):
        some = [one.cast("B")[:7] for one in into if one.nbytes]
        return preadv(fd, some, position)

    monkeypatch.setattr(os, "pread", lambda fd, n, at: pread(fd, min(n, 7), at))
    monkeypatch.setattr(os, "preadv", fill)


DATA = bytes(range(100))


class TestOpenFiles:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(DATA)
        return str(path)

    def read_all(self, path):
        with LocalSource().open(path) as file:
            for position, length in [(0, 100), (0, 0), (3, 20), (90, 10), (95, 20), (100, 5)]:
                expected = DATA[position : position + length]
                assert file.read(length, position) == expected
                for shape in [(length,), (length // 10, 5)]:
                    into = np.full(shape, -1, np.int16 if length % 4 == 0 else np.int8)
                    expected = DATA[position : position + into.nbytes]
                    assert file.read_into(into.data, position) == len(expected)
                    assert into.tobytes()[: len(expected)] == expected
                    assert set(into.tobytes()[len(expected) :]) <= {255}

    def test_ranges(self, path):
        self.read_all(path)

    def test_ranges_that_come_in_pieces(self, path, slow_drive):
        self.read_all(path)

    def test_ranges_too_large_for_one_request(self, path, monkeypatch):
        monkeypatch.setattr(local, "_MOST", 11)
        self.read_all(path)
        (found,) = LocalSource().read_many([Range(path, 3, 90)])
        assert found == DATA[3:93]

    def test_size_and_time(self, path):
        os.utime(path, ns=(5, 123_456_789_012_345_678))
        source = LocalSource()
        with source.open(path) as file:
            assert (file.size, file.mtime_ns) == (100, 123_456_789_012_345_678)
        assert source.stat(path) == FileStat(path, 100, 123_456_789_012_345_678)

    def test_not_there(self, path):
        for look in (LocalSource().open, LocalSource().stat):
            with pytest.raises(FileNotFoundError, match="gone"):
                look(f"{path} gone")

    def test_closing(self, path, descriptors):
        before = descriptors()
        file = LocalSource().open(path)
        other = LocalSource().open(path)
        file.close()
        with LocalSource().open(path) as third:  # gets the number that was released
            file.close()
            with pytest.raises(OSError, match="descriptor"):
                file.read(1, 0)
            assert third.read(3, 1) == DATA[1:4]
        other.close()
        assert descriptors() == before

    def test_that_cannot_be_looked_at_are_closed(self, path, descriptors, monkeypatch):
        def stale(fd):
            raise OSError(errno.ESTALE, "Stale file handle")

        before = descriptors()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fstat", stale)
            with pytest.raises(OSError, match="Stale"):
                LocalSource().open(path)
        assert descriptors() == before

    def test_by_several_threads(self, path):
        with LocalSource().open(path) as file, ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: file.read(3, i % 97), range(500)))
        assert found == [DATA[i % 97 : i % 97 + 3] for i in range(500)]


class TestManyRanges:
    @pytest.fixture
    def ranges(self, tmp_path):
        for i in range(20):
            (tmp_path / f"{i:02}").write_bytes(b"%04d" % i * 10)
        return [Range(str(tmp_path / f"{i % 20:02}"), i % 45, i % 13) for i in range(1000)]

    def expected(self, ranges):
        return [
            (os.path.basename(path).zfill(4).encode() * 10)[position : position + length]
            for path, position, length in ranges
        ]

    @pytest.fixture
    def opened(self, monkeypatch):
        """Paths in the order in which they are opened, and the thread that does."""
        opened = []
        real = os.open

        def counted(path, flags):
            opened.append((path, threading.current_thread().name))
            return real(path, flags)

        monkeypatch.setattr(os, "open", counted)
        return opened

    @pytest.mark.parametrize("workers", [0, 1, 2, 3, 7, 100])
    @pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
    def test_in_order(self, ranges, workers, count, descriptors):
        before = descriptors()
        found = list(LocalSource().read_many(ranges[:count], workers))
        assert found == self.expected(ranges[:count])
        assert descriptors() == before
        assert not self.reading()

    @pytest.mark.parametrize("workers", [1, 2])
    def test_that_come_in_pieces(self, ranges, workers, slow_drive):
        assert list(LocalSource().read_many(ranges, workers)) == self.expected(ranges)

    @pytest.mark.parametrize("workers", [1, 3])
    def test_errors_stand_in_their_place(self, tmp_path, ranges, workers, descriptors):
        expected = self.expected(ranges)
        before = descriptors()
        wrong = {
            0: (Range(str(tmp_path / "gone"), 0, 4), FileNotFoundError),
            500: (Range(str(tmp_path), 0, 4), IsADirectoryError),
            501: (Range(ranges[0].path, -1, 4), OSError),
            999: (Range(str(tmp_path / "gone"), 0, 4), FileNotFoundError),
        }
        for i, (one, _) in wrong.items():
            ranges[i] = one
        found = list(LocalSource().read_many(ranges, workers))
        assert {i for i, one in enumerate(found) if isinstance(one, OSError)} == set(wrong)
        for i, (_, kind) in wrong.items():
            assert isinstance(found[i], kind)
            assert found[i].__traceback__ is None
            expected[i] = found[i]
        assert found == expected
        assert descriptors() == before

    def test_one_worker_reads_as_it_is_asked(self, ranges, opened):
        found = LocalSource().read_many(ranges)
        assert not opened
        for i in range(3):
            next(found)
            assert opened == [
                (one.path, threading.current_thread().name) for one in ranges[: i + 1]
            ]

    def test_several_read_at_once(self, ranges, monkeypatch):
        meeting = threading.Barrier(3)
        real = os.pread
        met = set()

        def read(*where):
            thread = threading.get_ident()
            if thread not in met:
                met.add(thread)
                meeting.wait(timeout=30)
            return real(*where)

        monkeypatch.setattr(os, "pread", read)
        assert list(LocalSource().read_many(ranges, 3)) == self.expected(ranges)
        assert len(met) == 3

    @pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 256)])
    def test_are_asked_for_no_further_ahead(self, ranges, workers, ahead):
        asked = []
        given = (asked.append(one) or one for one in ranges)
        found = LocalSource().read_many(given, workers)
        assert not asked
        assert next(found) == self.expected(ranges)[0]
        assert len(asked) == ahead
        assert list(found) == self.expected(ranges)[1:]

    @pytest.mark.parametrize("workers", [2, 3])
    def test_few_are_read_ahead(self, ranges, opened, workers):
        found = LocalSource().read_many(ranges, workers)
        ahead = 2 * workers * 64
        for i in range(200):
            next(found)
            if i in (0, 63, 64, 199):
                time.sleep(0.1)
                assert i < len(opened) <= i // 64 * 64 + ahead
        found.close()

    @pytest.mark.parametrize("workers", [1, 4])
    @pytest.mark.parametrize("read", [0, 1, 100])
    @pytest.mark.parametrize("how", ["closed", "forgotten", "error"])
    def test_stopping_early(self, ranges, opened, workers, read, how, descriptors):
        before = descriptors()
        found = LocalSource().read_many(ranges, workers)
        for _ in range(read):
            next(found)
        if how == "closed":
            found.close()
        elif how == "forgotten":
            del found
        else:
            with pytest.raises(KeyError):
                found.throw(KeyError("of the caller"))
        assert not self.reading()
        assert descriptors() == before
        count = len(opened)
        assert count < len(ranges)
        time.sleep(0.02)
        assert len(opened) == count

    def test_other_errors_are_raised(self, ranges):
        ranges[300] = Range("a\0b", 0, 1)
        for workers in (1, 3):
            with pytest.raises(ValueError, match="null"):
                list(LocalSource().read_many(ranges, workers))
            assert not self.reading()

    def reading(self):
        return [t.name for t in threading.enumerate() if t.name.startswith("xdicom-read")]
