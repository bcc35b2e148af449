"""Paths become listings: everything under a root, once, and nothing outside of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from xdicom.errors import NotDicomError
from xdicom.sources.local import list_files


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
