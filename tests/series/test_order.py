"""The order and the names of files, and noise, never change what is opened."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xdicom.errors import XDicomError, XDicomWarning
from xdicom.headers.scan import scan_table
from xdicom.series.stacks import GridOptions, split_series
from xdicom.testing import dims_strategy, frame_number, write_enhanced, write_series

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SMALL = {"rows": 2, "columns": 3}


def opened(folder, **options):
    """Dataset without what names the files; or the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XDicomWarning)
        try:
            found = xr.open_dataset(folder, engine="dicom", mask_and_scale=False, **options).load()
        except XDicomError as error:
            return type(error), str(error).replace(str(folder), "")
    del found.pixels.attrs["dicom_source"]
    return found


def assert_same(one, other):
    if isinstance(one, tuple):
        assert one == other
        return
    xr.testing.assert_identical(one, other)
    for name in one.coords:
        assert one[name].dtype == other[name].dtype


def renamed(source: Path, target: Path, order) -> Path:
    """Copy files under other names."""
    target.mkdir()
    paths = sorted(source.iterdir())
    for number, path in zip(order, paths, strict=True):
        (target / f"{number:04}.dcm").write_bytes(path.read_bytes())
    return target


@quick
@given(dims=dims_strategy(max_size=3), enhanced=st.booleans(), seed=st.integers(0, 99))
def test_dims_come_back(dims, enhanced, seed):
    with tempfile.TemporaryDirectory() as folder:
        where = f"{folder}/a.dcm" if enhanced else folder
        (write_enhanced if enhanced else write_series)(where, dims, shuffle=seed, **SMALL)
        # classic frames that nothing but their place tells apart have one position
        found = opened(where)
        names = [n for n, v in dims.items() if n == "z" or len(v) > 1]
        assert list(found.pixels.dims[:-2]) == [*names, *(["z"] if "z" not in dims else [])]
        planes = found.pixels.values.reshape(-1, 2, 3)
        assert [frame_number(p) for p in planes] == list(range(len(planes)))
        for name in names:
            if name in ("component", "EchoTime", "FlipAngle"):
                assert found[name].values.tolist() == dims[name]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_frames_that_are_lost_are_never_mixed(data):
    """Whatever is missing: an error, or each frame with its own echo, time and slice."""
    sizes = [data.draw(st.integers(1, 3)) for _ in range(3)]
    places = list(np.ndindex(*sizes))
    drop = data.draw(st.lists(st.sampled_from(places), max_size=4, unique=True))
    if len(drop) == len(places):
        return
    keyword = data.draw(st.sampled_from(["TemporalPositionIdentifier", "AcquisitionNumber"]))
    options = data.draw(
        st.sampled_from(
            [
                {},
                {"ragged": "fill", "fill_value": 0},
                {"ragged": "complete"},
                {"dims": ("EchoTime", "time", "z")},
                {"dims": ("time", "EchoTime", "z"), "ragged": "fill", "fill_value": 0},
            ]
        )
    )
    dims = {
        "EchoTime": [4, 8, 12][: sizes[0]],
        "time": [{keyword: t + 1} for t in range(sizes[1])],
        "z": sizes[2],
    }
    with tempfile.TemporaryDirectory() as folder:
        write_series(folder, dims, drop=drop, shuffle=1, number_by="canonical", **SMALL)
        found = opened(folder, **options)
    if isinstance(found, tuple):
        assert issubclass(found[0], XDicomError)
        return
    pixels = found.pixels
    for place in np.ndindex(*pixels.shape[:-2]):
        cell = found.isel(dict(zip(pixels.dims, place, strict=False)))
        if cell.frame_id < 0:
            continue
        echo, time, z = places[frame_number(cell.pixels.values)]
        assert cell.EchoTime == [4, 8, 12][echo]
        assert cell.z == 10 + 3 * z
        assert cell[keyword] == time + 1
        volume = found.isel({d: i for d, i in zip(pixels.dims, place, strict=False) if d != "z"})
        planes = volume.pixels.values.reshape(-1, 2, 3)[volume.frame_id.values.ravel() >= 0]
        echoes, times, _ = zip(*(places[frame_number(p)] for p in planes), strict=True)
        assert len(set(echoes)) == 1 or "EchoTime" not in pixels.dims
        assert len(set(times)) == 1 or "time" not in pixels.dims


CASES = {
    "components": ({"component": ["M", "P"], "EchoTime": [4, 8], "z": 3}, {}),
    "diffusion": (
        {"diffusion": [{"DiffusionBValue": b} for b in (0.0, 0.0, 500.0)], "z": 3},
        {"number_by": "canonical"},
    ),
    "no order": ({"time": 3, "z": 3}, {"number_by": "shuffled"}),
    "torn": ({"EchoTime": [4, 8, 12], "z": 3}, {"drop": [(1, 1)]}),
    "duplicates": ({"repeat": 2, "z": 3}, {"drop": [(1, 1)]}),
    "noise": (
        {"time": [0.0, 1.0], "z": 3},
        {
            "attributes": {
                "EchoTime": lambda i: 5 + 1e-6 * ((i["time"] + 2 * i["z"]) % 5),
                "ImagePositionPatient": lambda i: [
                    0.004 * i["time"], 0.003 * i["time"], 3 * i["z"] + 0.002 * i["time"]
                ],
                "ImageOrientationPatient": lambda i: [1, 2e-5 * i["time"], 0, 0, 1, 1e-5 * i["z"]],
                "PixelSpacing": lambda i: [1.5 + 1e-4 * i["time"], 1.25],
                "SliceThickness": lambda i: 3 + 1e-4 * i["time"],
                "SpacingBetweenSlices": lambda i: 3.5 + 1e-4 * i["time"],
            }
        },
    ),
    "orientations": (
        {"z": 6},
        {
            "attributes": {
                "ImageOrientationPatient": lambda i: [1, 0, 0, 0, i["z"] % 2, 1 - i["z"] % 2]
            }
        },
    ),
    "cine": (
        {"phase": 4, "z": 3},
        {
            "attributes": {
                "TriggerTime": lambda i: 30 * i["phase"] + 5 * (i["phase"] * i["z"] % 3),
                "HeartRate": 60,
            }
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", [{}, {"ragged": "complete"}, {"ragged": "flat"}], ids=str)
def test_order_of_files(tmp_path, case, options):
    dims, more = CASES[case]
    write_series(tmp_path / "a", dims, **{**SMALL, **more})
    count = len(list((tmp_path / "a").iterdir()))
    first = opened(tmp_path / "a", **options)
    for seed in (1, 2, 3):
        order = np.random.default_rng(seed).permutation(count)
        again = renamed(tmp_path / "a", tmp_path / str(seed), order)
        if isinstance(first, tuple) and "Ambiguous" in first[0].__name__:
            assert _splits(again) == _splits(tmp_path / "a")
        else:
            assert_same(first, opened(again, **options))


def _splits(folder):
    """Reasons, shapes and frames of the arrays of a folder, in their order."""
    table = scan_table(folder)
    stacks = split_series(table, np.arange(len(table)), GridOptions())
    return [
        (s.reasons, s.grid and s.table.frame_id[s.grid.rows].tolist(), str(s.error)) for s in stacks
    ]


@quick
@given(seed=st.integers(0, 1000))
def test_noise_makes_no_dim(seed):
    random = np.random.default_rng(seed)
    noise = random.uniform(0, 1, (2, 3, 3))

    def near(value, tolerance):
        return lambda i: float(value + tolerance * noise[i["EchoTime"], i["time"], i["z"]])

    with tempfile.TemporaryDirectory() as folder:
        write_series(
            folder,
            {"EchoTime": [4.6, 9.2], "time": [0.0, 2.0, 4.0], "z": 3},
            shuffle=seed,
            attributes={
                "EchoTime": lambda i: [4.6, 9.2][i["EchoTime"]] * (1 + 0.9e-6 * noise[
                    i["EchoTime"], i["time"], i["z"]]),
                "RepetitionTime": near(500, 4e-4),
                "FlipAngle": near(30, 2e-5),
                "SliceThickness": near(3, 0.009),
                "ImagePositionPatient": lambda i: [0, 0, 3 * i["z"] + 0.009 * noise[
                    i["EchoTime"], i["time"], i["z"]]],
            },
            **SMALL,
        )  # fmt: skip
        found = opened(folder)
        assert found.pixels.dims == ("EchoTime", "time", "z", "y", "x")
        assert found.RepetitionTime.dims == ()
        planes = found.pixels.values.reshape(-1, 2, 3)
        assert [frame_number(p) for p in planes] == list(range(18))
