"""`xdicom demo` and `xdicom info`: every step holds, the user's folder stays as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.cli import main
from xdicom.demo import journey
from xdicom.demo.journey import decay_time, differences
from xdicom.testing import (
    corrupt_fragment,
    phantom_study,
    text_file,
    truncate,
    write_enhanced,
    write_non_image,
    write_series,
)

STEP = re.compile(r"^  [✓✗–] [ \d]{3}\.\d\d s  (\S.*)$", re.MULTILINE)


def state(folder):
    """All that could change in a folder."""
    return {
        p.relative_to(folder): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None)
        for p in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two patients, a report, text and a truncated file."""
    root = tmp_path_factory.mktemp("study")
    phantom_study(root / "a", echo_times=(5, 10, 20), slices=9, size=48)
    write_series(root / "b", {"time": [0, 2], "z": 3}, patient_id="OTHER", seed=1)
    write_series(
        root / "c",
        {"EchoTime": [1, 2], "z": 3},
        patient_id="OTHER",
        seed=2,
        drop=[{"EchoTime": 1, "z": 1}],
    )
    write_non_image(root / "report.dcm", patient_id="OTHER", seed=1)
    text_file(root / "notes.txt")
    truncate(write_series(root / "d", {"z": 1}, patient_id="OTHER", seed=3)[0], bytes_off=100)
    return root


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command line in an empty folder; gives the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = main([str(a) for a in arguments])
        return code, capsys.readouterr().out

    return command


def test_the_plain_demonstration_holds_and_can_be_repeated(run, tmp_path):
    code, text = run("demo")
    assert code == 0, text
    assert "✗" not in text
    assert "–" not in {line[2:3] for line in text.splitlines()}
    steps = " | ".join(STEP.findall(text))
    for word in (
        "opened as a tree: 3 patients",
        "wrote 80 DICOM files",
        "opened lazily: pixels(EchoTime 2, z 40, y 256, x 256) float32",
        "explained",
        "selected .sel(z=",
        "compared",
        "averaged",
        "fitted T2*",
        "cached in zarr",
        "wrote the selection",
        "opened that again: same pixels, same z, y, x within 1e-4 mm",
        "drew a montage",
    ):
        assert word in steps
    assert steps.count("opened that again") == 3
    assert "no pixels, headers only: 50 objects" in text
    assert "All 31 steps hold" in text.splitlines()[-1]
    made = sorted(p.name for p in tmp_path.rglob("*"))
    pictures = ["CT_small.png", "MR_small.png", "phantom-t2star.png", "phantom.png"]
    assert made == sorted(["xdicom-demo", *pictures])
    assert all(p.stat().st_size > 10_000 for p in tmp_path.rglob("*.png"))


def test_a_folder_is_taken_the_same_way_and_only_read(run, study, tmp_path):
    before = state(study)
    code, text = run("demo", study, "--out", "out")
    assert code == 0, text
    assert "2 patients, 3 studies, 2 arrays, 1 without pixels, 1 refused" in text
    assert "no array: NotHypercubeError" in text
    assert "× CorruptFile: d/" in text
    assert "× NotDicom: notes.txt" in text
    assert "The largest array: /PHANTOM/" in text
    assert "fitted T2* with dask: median" in text
    assert "opened that again: same pixels" in text
    assert state(study) == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "montage-t2star.png",
        "montage.png",
    ]
    # a second run replaces its own pictures
    assert run("demo", study, "--out", "out")[0] == 0


def test_pictures_of_others_are_kept(run, study, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "montage.png").write_bytes(b"mine")
    code, text = run("demo", study, "--out", out)
    assert code == 1
    assert "FileExistsError" in text
    assert (out / "montage.png").read_bytes() == b"mine"
    assert sorted(p.name for p in out.iterdir()) == ["montage-t2star.png", "montage.png"]


@pytest.mark.parametrize("out", [".", "xdicom-demo", "new/deeper"])
def test_nothing_is_written_into_the_folder(run, tmp_path, out):
    write_series(tmp_path, {"z": 2})
    before = state(tmp_path)
    code, text = run("demo", tmp_path, "--out", out)
    assert code == 2
    assert "--out" in text
    assert state(tmp_path) == before


@pytest.mark.parametrize("command", ["demo", "info"])
@pytest.mark.parametrize("content", ["missing", "empty", "text"])
def test_without_dicom_it_says_so(tmp_path, monkeypatch, capsys, command, content):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "folder"
    if content != "missing":
        folder.mkdir()
    if content == "text":
        text_file(folder / "notes.txt")
    assert main([command, str(folder)]) == 2
    printed = capsys.readouterr()
    said = printed.out + printed.err
    assert "does not exist" in said or "no DICOM" in said or "No such file" in said
    assert "Traceback" not in said


def test_without_pixels_it_lists_what_there_is(run, tmp_path):
    write_non_image(tmp_path / "in" / "report.dcm")
    code, text = run("demo", tmp_path / "in")
    assert code == 2
    assert "no pixels, headers only: 1 object" in text
    assert "nothing in" in text.splitlines()[-1]


def test_kinds_that_cannot_be_written_yet_are_left_out(run, tmp_path):
    write_enhanced(tmp_path / "in" / "e.dcm", {"EchoTime": [5, 10], "z": 4})
    code, text = run("demo", tmp_path / "in")
    assert code == 0, text
    assert re.search(r"– .* wrote the selection", text) or "opened that again" in text
    assert "drew a montage" in text


def test_a_frame_that_cannot_be_decoded_fails(run, tmp_path):
    syntax = "1.2.840.10008.1.2.4.90"
    paths = write_series(tmp_path / "in", {"z": 3}, rows=64, columns=64, transfer_syntax=syntax)
    corrupt_fragment(paths[1])
    code, text = run("demo", tmp_path / "in")
    assert code == 1
    assert re.search(r"✗ .* selected", text)
    assert "FrameDecodeError" in text
    assert "failed" in text.splitlines()[-1]
    assert not list(tmp_path.glob("xdicom-demo/.scratch*"))


def test_a_check_that_does_not_hold_fails(run, study, tmp_path, monkeypatch):
    monkeypatch.setattr(journey, "differences", lambda a, b: ["z: other values"])
    code, text = run("demo", study)
    assert code == 1
    assert re.search(r"✗ .* cached in zarr", text)
    assert "z: other values" in text
    # what does not build on it goes on
    assert "drew a montage" in text


def test_large_arrays_are_cut(run, study, monkeypatch):
    monkeypatch.setattr(journey, "MOST_BYTES", 48 * 48 * 4 * 5)
    code, text = run("demo", study)
    assert code == 0, text
    assert re.search(r"averaged over .*: [1-5] frames?,", text)


def test_info_lists_what_a_folder_holds(run, study):
    code, text = run("info", study)
    assert code == 0
    assert "EchoTime 3 × z 9 × y 48 × x 48" in text
    assert "OTHER" in text
    assert "problems: " in text


def test_the_command_line_explains_itself(capsys):
    for arguments, code in ((["--version"], 0), (["--help"], 0), ([], 2), (["demo", "a", "b"], 2)):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == code
    assert xdicom.__version__ in capsys.readouterr().out


def test_a_reader_may_stop_early(study):
    code = "from xdicom.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "info", str(study)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors


def test_decay_time_is_exact_without_noise():
    echo_times = np.array([4.0, 9, 21])
    truth = np.array([[10.0, 50], [200, 30]])
    signal = 1000 * np.exp(-echo_times[:, None, None] / truth)
    array = xr.DataArray(signal, dims=("EchoTime", "y", "x"), coords={"EchoTime": echo_times})
    found = decay_time(array)
    np.testing.assert_allclose(found, truth)
    assert found.attrs["units"] == "ms"
    np.testing.assert_allclose(decay_time(array.chunk()).compute(), truth)


def test_decay_time_has_none_where_there_is_no_signal():
    signal = np.array([[[1000.0, 1, 500]], [[900.0, 1, 600]]])
    array = xr.DataArray(signal, dims=("EchoTime", "y", "x"), coords={"EchoTime": [5.0, 10]})
    assert np.isnan(decay_time(array).values).tolist() == [[False, True, True]]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.assign(pixels=d.pixels + 1),
        lambda d: d.assign(pixels=d.pixels.astype("float64")),
        lambda d: d.assign_coords(z=d.z + 1e-9),
        lambda d: d.drop_vars("InstanceNumber"),
        lambda d: d.assign_coords(more=1),
        lambda d: d.assign(pixels=d.pixels.assign_attrs(Modality="CT")),
        lambda d: d.assign(pixels=d.pixels.assign_attrs(SeriesNumber="1")),
        lambda d: d.transpose(),
    ],
)
def test_differences_are_found(tmp_path: Path, change):
    write_series(tmp_path, {"EchoTime": [5, 10], "z": 3})
    dataset = xr.open_dataset(tmp_path, engine="dicom")
    assert differences(dataset, dataset.copy(deep=True)) == []
    assert differences(dataset, change(dataset))
