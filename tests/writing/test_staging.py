"""A destination is safe, and files appear together or not at all (SPEC §7, §8)."""

from __future__ import annotations

import errno
import os

import pytest

from xdicom import ConformanceError
from xdicom.writing.staging import Staging, check_free, destination

NAMES = ["IM000001.dcm", "IM000002.dcm", "IM000003.dcm"]


def fill(staging, text="new"):
    for name in NAMES:
        staging.path(name).write_text(text)


def stage(folder, overwrite=False, text="new", then=lambda: None):
    """Write all files; ``then`` happens before they are put in their places."""
    with Staging(folder, overwrite) as staging:
        fill(staging, text)
        then()
        staging.commit(NAMES)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_files_appear_at_the_end(tmp_path):
    folder = tmp_path / "a" / "b"
    with Staging(folder, overwrite=False) as staging:
        fill(staging)
        assert not any((folder / name).exists() for name in NAMES)
        staging.commit(NAMES)
    assert contents(folder) == dict.fromkeys(NAMES, "new")
    assert sorted(os.listdir(folder)) == NAMES
    assert (folder / NAMES[0]).stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


def fail(error):
    raise error("x")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        stage(tmp_path / "a" / "b", then=lambda: fail(error))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_what_was_there(tmp_path):
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(ValueError, match="x"):
        stage(tmp_path, then=lambda: fail(ValueError))
    assert contents(tmp_path) == {"other.txt": "mine"}


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    other = tmp_path / NAMES[1]
    with pytest.raises(ConformanceError, match="exist already"):
        stage(tmp_path, then=lambda: other.write_text("other's"))
    assert contents(tmp_path) == {NAMES[1]: "other's"}


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    stage(tmp_path)
    assert contents(tmp_path) == dict.fromkeys(NAMES, "new")
    with pytest.raises(ConformanceError, match="exist already"):
        stage(tmp_path, text="newer")
    assert contents(tmp_path) == dict.fromkeys(NAMES, "new")


def test_overwriting_is_undone_where_it_fails(tmp_path, monkeypatch):
    for name in NAMES[:2]:
        (tmp_path / name).write_text("old")
    replace = os.replace

    def fails_at_last(a, b):
        if str(b).endswith(NAMES[2]) and "replaced" not in str(a):
            raise OSError(errno.EIO, "disk")
        replace(a, b)

    monkeypatch.setattr(os, "replace", fails_at_last)
    with pytest.raises(OSError, match="disk"):
        stage(tmp_path, overwrite=True)
    assert contents(tmp_path) == dict.fromkeys(NAMES[:2], "old")


def test_a_link_is_replaced_not_followed(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / NAMES[0]).symlink_to(outside)
    with pytest.raises(ConformanceError, match="exist already"):
        check_free(folder, NAMES, overwrite=False)
    check_free(folder, NAMES, overwrite=True)
    with Staging(folder, overwrite=True) as staging:
        fill(staging)
        staging.commit(NAMES)
    assert outside.read_text() == "precious"
    assert not (folder / NAMES[0]).is_symlink()


def test_a_dangling_link_counts_as_there(tmp_path):
    (tmp_path / NAMES[0]).symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConformanceError, match="exist already"):
        check_free(tmp_path, NAMES, overwrite=False)


def test_a_folder_of_that_name_is_never_replaced(tmp_path):
    (tmp_path / NAMES[0]).mkdir()
    with pytest.raises(ConformanceError, match="exist already"):
        check_free(tmp_path, NAMES, overwrite=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConformanceError, match="not a folder"):
        destination(tmp_path / "file", [])


@pytest.mark.parametrize("place", ["s", "s/inner", ".", "s/../s", "link", "link/inner"])
def test_at_in_and_around_the_source(tmp_path, place):
    source = tmp_path / "s"
    source.mkdir()
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(ConformanceError, match="source files"):
        destination(tmp_path / place, [str(source)])
    with pytest.raises(ConformanceError, match="source files"):
        destination(source if place == "." else tmp_path / place, [str(tmp_path / "link")])


@pytest.mark.parametrize("place", ["sibling", "s2", "s/../other"])
def test_beside_the_source(tmp_path, place):
    source = tmp_path / "s"
    source.mkdir()
    found = destination(tmp_path / place, [str(source)])
    assert found.is_absolute()
    assert found.parent == tmp_path.resolve()
