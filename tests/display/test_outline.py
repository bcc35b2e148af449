"""Outlines of trees: one line a node, whatever the node holds."""

from __future__ import annotations

import warnings

import xarray as xr
from pydicom.data import get_testdata_file

from xdicom.display.outline import outline
from xdicom.pixels.array import COUNTER
from xdicom.testing import write_non_image, write_series


def lines_of(folder, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = xr.open_datatree(folder, engine="dicom", **options)
    COUNTER.reset()
    lines = outline(tree).splitlines()
    assert COUNTER.frames == 0
    return lines


def test_each_node_has_a_line(tmp_path):
    write_series(tmp_path / "a", {"EchoTime": [5, 10], "z": 3}, patient_id="A")
    write_series(
        tmp_path / "b",
        {"EchoTime": [5, 10], "z": [0, 1, 2.5]},
        patient_id="B",
        drop=[{"EchoTime": 0, "z": 0}],
        seed=1,
    )
    write_series(tmp_path / "c", {"z": [0, 1, 2.5]}, patient_id="B", seed=1, series_number=2)
    lines = lines_of(tmp_path)
    assert [line.split()[0] for line in lines if not line.startswith((" ", "└", "├"))] == ["A", "B"]
    text = "\n".join(lines)
    assert "EchoTime 2 × z 3 × y 16 × x 24" in text
    assert "float32" in text
    assert "no array: NotHypercubeError" in text
    assert "slices not evenly spaced" in text
    assert len(lines) == 7
    assert max(map(len, lines)) < 220


def test_objects_without_pixels_read_well(tmp_path):
    write_non_image(tmp_path / "report.dcm")
    assert any(line.endswith("no pixels, headers only: 1 object") for line in lines_of(tmp_path))


def test_split_series_say_what_by():
    lines = lines_of(get_testdata_file("DICOMDIR"))
    assert sum("apart by orientation" in line for line in lines) == 8
    assert any("each frame has its own orientation" in line for line in lines)


def test_a_tree_of_one_array(tmp_path):
    write_series(tmp_path, {"z": 2}, patient_id="A")
    tree = xr.open_datatree(tmp_path, engine="dicom")
    group = next(node.path for node in tree.subtree if "pixels" in node.data_vars)
    assert lines_of(tmp_path, group=group) == ["/  MR  z 2 × y 16 × x 24  float32"]
