"""explain(): what varies and where it went, and other dims that really open."""

import re

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.testing import write_enhanced, write_series

SERIES = {
    "echoes": {"EchoTime": [5.0, 10.0], "z": 3},
    "repeats": {"time": 3, "z": 2},
    "confounded": {
        "pair": [{"EchoTime": e, "EchoNumbers": n} for e, n in ((5, 1), (9, 2))],
        "z": 2,
    },
    "positions": {"TemporalPositionIdentifier": [1, 2, 3], "z": 2},
    "one": {"z": 4},
}


def said(lines):
    """The dims= of the lines that name some."""
    found = [re.fullmatch(r"dims=(\(.*\)|\"flat\")(: .*)?", line) for line in lines]
    assert all(found)
    return [eval(match[1]) for match in found]


@pytest.mark.parametrize("name", SERIES)
def test_each_choice_opens_to_the_same_pixels(tmp_path, name):
    write_series(tmp_path, SERIES[name], shuffle=5)
    da = xdicom.open_series(tmp_path, scaling="stored")
    choices = said(da.dicom.explain().alternatives)
    assert choices[0] == da.dims[:-2]
    assert choices[-1] == "flat"
    for dims in choices[:-1]:
        other = xdicom.open_series(tmp_path, scaling="stored", dims=dims)
        assert other.dims[:-2] == dims
        assert sorted(other.frame_id.values.ravel()) == sorted(da.frame_id.values.ravel())
        if dims == (*da.dims[:-3], "SliceLocation"):
            np.testing.assert_array_equal(other.values, da.values)


def test_confounded_attributes_are_choices(tmp_path):
    write_series(tmp_path, SERIES["confounded"])
    choices = said(xdicom.open_series(tmp_path).dicom.explain().alternatives)
    assert ("EchoNumbers", "z") in choices
    assert ("EchoTime", "SliceLocation") in choices


def test_what_varies_is_told_by_dims(tmp_path):
    write_series(tmp_path, {"EchoTime": [5.0, 10.0], "z": 3})
    told = dict(xdicom.open_series(tmp_path).dicom.explain().varying)
    assert "EchoTime" in told["EchoTime"].split(", ")
    assert {"ImagePositionPatient", "SliceLocation"} <= set(told["z"].split(", "))
    assert "InstanceNumber" in told["EchoTime, z"].split(", ")
    assert not any("UID" in names or "Patient's" in names for names in told.values())


def test_text_and_html_say_the_same(tmp_path):
    write_enhanced(tmp_path / "e.dcm", {"time": 2, "z": 2})
    (tmp_path / "notes.txt").write_text("<not> DICOM")
    explained = xr.open_dataset(tmp_path, engine="dicom").dicom.explain()
    text, html = str(explained), explained._repr_html_()
    for words in ("varies", "to open with other dims", "position along the normal"):
        assert words in text
        assert words in html
    assert "NotDicom: notes.txt" in text
    assert "<not>" not in html
    assert html.count("<ul>") == html.count("</ul>")


def test_after_a_reduction_nothing_is_said_of_frames(tmp_path):
    write_series(tmp_path, {"EchoTime": [5.0, 10.0], "z": 3})
    mean = xdicom.open_series(tmp_path).mean("z", keep_attrs=True)
    assert mean.dicom.explain().varying == ()
    assert "gone" in str(mean.dicom.explain())
