"""Which arrays can be written: those of frames, each once, of one series, nothing edited."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom import ConformanceError, HeadersUnavailableError, testing
from xdicom.writing.selection import select_frames

DIMS = {"EchoTime": [5, 10], "z": 3}


def test_dims_are_put_in_canonical_order(opened):
    da = opened(DIMS)
    for order in (("x", "z", "y", "EchoTime"), ("z", "EchoTime", "y", "x")):
        found = select_frames(da.transpose(*order))
        assert found.array.dims == ("EchoTime", "z", "y", "x")
        np.testing.assert_array_equal(found.rows, select_frames(da).rows)


def test_a_dataset_is_its_pixels(opened):
    da = opened(DIMS)
    ds = da.to_dataset().assign(map=da.mean("z"))
    np.testing.assert_array_equal(select_frames(ds).rows, select_frames(da).rows)
    with pytest.raises(TypeError, match="no variable 'pixels'"):
        select_frames(ds[["map"]])


@pytest.mark.parametrize(
    "select",
    [
        lambda da: da.isel(z=[]),
        lambda da: da.isel(x=slice(0, 0)),
        lambda da: da.dicom.filter(EchoTime=99),
    ],
)
def test_nothing_selected(opened, select):
    with pytest.raises(ConformanceError, match="selection is empty"):
        select_frames(select(opened(DIMS)))


def test_holes(tmp_path):
    testing.write_series(tmp_path, DIMS, drop=[{"EchoTime": 1, "z": 2}])
    da = xdicom.open_series(tmp_path, ragged="fill")
    with pytest.raises(ConformanceError, match=r"1 of 6 cells.*without holes"):
        select_frames(da)
    assert select_frames(da.isel(z=slice(2))).flat.size == 4


@pytest.mark.parametrize("make", [lambda da: da.reindex(z=[10.0, 99.0]), lambda da: da.pad(z=1)])
def test_frames_that_xarray_made_up(opened, make):
    with pytest.raises((ConformanceError, HeadersUnavailableError)):
        select_frames(make(opened(DIMS)))


def test_merged_frames(opened):
    da = opened(DIMS)
    with pytest.raises(ConformanceError, match=r"frame_id is gone.*merge frames"):
        select_frames(da.mean("EchoTime"))
    with pytest.raises(HeadersUnavailableError, match="source="):
        select_frames(da.mean("EchoTime").drop_attrs())


@pytest.mark.parametrize("make", [lambda da: da.coarsen(z=2).mean(), lambda da: da.interp(z=[11])])
def test_frames_between_frames(opened, make):
    with pytest.raises(ConformanceError, match="averaged or interpolated"):
        select_frames(make(opened({"z": 4})))


def test_frames_of_another_source(opened):
    da, other = opened(DIMS), opened(DIMS, seed=1)
    with pytest.raises(HeadersUnavailableError, match="6 of 6 frames"):
        select_frames(da, source=other)


def test_source_says_where_headers_are(opened):
    da = opened(DIMS)
    bare = da.drop_attrs(deep=False)
    with pytest.raises(HeadersUnavailableError, match="source="):
        select_frames(bare)
    assert select_frames(bare, source=da).flat.size == 6


def test_a_dim_that_no_attribute_carries(opened):
    da = opened(DIMS)
    grown = da.expand_dims(param=2)
    with pytest.raises(ConformanceError, match=r"along 'param'.*da\.isel\(param=0\)"):
        select_frames(grown)
    both = xr.concat([da, da * 2], dim="param", coords="different", compat="equals")
    with pytest.raises(ConformanceError, match="param"):
        select_frames(both)
    assert select_frames(grown.isel(param=0)).flat.size == 6


def test_a_frame_that_stands_twice(opened):
    da = opened(DIMS)
    with pytest.raises(ConformanceError, match=r"1 frames stand .* several times.*along z"):
        select_frames(da.isel(EchoTime=[0], z=[0, 1, 1]))
    both = xr.concat([da, da], dim="param", coords="all")
    with pytest.raises(ConformanceError, match="several times"):
        select_frames(both)


def test_several_series_or_studies(tmp_path):
    testing.write_series(tmp_path / "a", {"EchoTime": [5], "z": 2}, series_number=1)
    testing.write_series(tmp_path / "b", {"EchoTime": [10], "z": 2}, series_number=2)
    parts = [xdicom.open_series(tmp_path, series=n) for n in (1, 2)]
    both = xr.concat(parts, dim="EchoTime", coords=["frame_id"], compat="override")
    with pytest.raises(HeadersUnavailableError, match="source="):
        select_frames(both)
    with pytest.raises(ConformanceError, match="2 different SeriesInstanceUID"):
        select_frames(both, source=tmp_path)


def test_a_lost_plane(opened):
    da = opened(DIMS)
    kept = select_frames(da.isel(x=5)).array
    assert kept.sizes["x"] == 1
    with pytest.raises(ConformanceError, match="no dim 'y'"):
        select_frames(da.max("y"))
    with pytest.raises(ConformanceError, match="no dim 'x'"):
        select_frames(da.isel(x=5, drop=True))


@pytest.mark.parametrize(
    "edit",
    [
        lambda da: da.assign_coords(EchoTime=[5, 11]),
        lambda da: da.assign_coords(FlipAngle=31.0),
        lambda da: da.assign_coords(InstanceNumber=da.InstanceNumber + 1),
        lambda da: da.assign_coords(ProtocolName="another"),
        lambda da: da.assign_coords(PatientWeight=70.0),
        lambda da: da.assign_coords(AcquisitionTime=da.AcquisitionTime + np.timedelta64(1, "s")),
    ],
)
def test_edited_coordinates_are_not_ignored(opened, edit):
    da = opened(DIMS)
    with pytest.raises(ConformanceError, match="differs from the headers"):
        select_frames(edit(da))


def test_edits_that_are_declared(opened):
    da = opened(DIMS).assign_attrs(dicom_edits=["EchoTime"])
    with pytest.raises(ConformanceError, match="edited attributes"):
        select_frames(da)


def test_coordinates_of_the_headers_and_ones_own_are_no_edits(opened):
    attributes = {
        "DiffusionBValue": 0.3, "PatientAge": "041Y", "ReceiveCoilName": "HEAD",
        "ImagePositionPatient": lambda index: [0, 0, 3 * index["z"]],
    }  # fmt: skip
    da = opened(DIMS, attributes=attributes, options={"coords": ["PatientAge", "ImageType"]})
    da = da.assign_coords(T2=("z", [1, 2, 3]), Mine="x")
    assert select_frames(da).flat.size == 6
    every = opened(DIMS, options={"coords": "all"})
    assert select_frames(every.isel(z=[2, 0])).flat.size == 4


def test_colours_are_put_in_order(opened):
    da = opened({"instance": 2}, modality="OT", dtype="uint8",
                stored=np.arange(2 * 4 * 5 * 3, dtype="uint8").reshape(2, 4, 5, 3))  # fmt: skip
    shuffled = select_frames(da.sel(sample=["B", "R", "G"])).array
    np.testing.assert_array_equal(shuffled, da)
