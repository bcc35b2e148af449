"""An array becomes files, which open as the same array again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

import xdicom
from xdicom import ConformanceError, CorruptFileError, HeadersUnavailableError, testing
from xdicom.pixels.array import FrameArray
from xdicom.testing import write_series
from xdicom.writing import files

DIMS = {"component": ["M", "P"], "EchoTime": [5, 10.5], "z": 3}


def assert_same(found, expected):
    """Same values, dims and coordinates but for what is new in a derived series."""
    new = {"frame_id", "InstanceNumber"}
    left = found.drop_vars(new, errors="ignore")
    right = expected.drop_vars(new, errors="ignore")
    assert left.dtype == right.dtype
    xr.testing.assert_equal(left, right)


def stored_of(da):
    """Stored integers of each frame of an array, read by pydicom from its source."""
    flat = da.dicom.values("SOPInstanceUID").values.reshape(-1)
    by_uid = {}
    for path in Path(xdicom_root(da)).rglob("*"):
        if path.is_file():
            ds = pydicom.dcmread(path)
            by_uid[ds.SOPInstanceUID] = ds.pixel_array
    return [by_uid[uid] for uid in flat]


def xdicom_root(da):
    return json.loads(da.attrs["dicom_source"])[0]["root"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dtype": "int16"},
        {"bits_stored": 12},
        {"dtype": "int16", "bits_stored": 12, "modality": "CT", "intercept": -1024},
        {"slope": 2.44200244, "intercept": -5000.0},
        {"slope": lambda index: 0.1 * (index["z"] + 1), "modality": "PT"},
        {"dtype": "uint8", "modality": "OT"},
        {"slope": -1.0, "intercept": 65535.0},
        {"dtype": "int32", "modality": "OT"},
        {"transfer_syntax": ImplicitVRLittleEndian},
        {"transfer_syntax": ExplicitVRBigEndian},
        {"transfer_syntax": DeflatedExplicitVRLittleEndian},
        {"transfer_syntax": RLELossless},
        {"transfer_syntax": JPEG2000Lossless, "dtype": "int16", "bits_stored": 12},
    ],
)
@pytest.mark.parametrize("scaling", ["modality", "stored"])
def test_stored_integers_come_back_exactly(opened, write, again, settings, scaling):
    da = opened({"EchoTime": [5, 10], "z": 2}, options={"scaling": scaling}, rows=5, **settings)
    for old, new in zip(stored_of(da), write(da), strict=True):
        assert new.pixel_array.dtype == old.dtype.newbyteorder("=")
        np.testing.assert_array_equal(new.pixel_array, old)
        assert new.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
            assert new[keyword].value == da.dicom[keyword]
    assert_same(again(da, options={"scaling": scaling}), da)


@pytest.mark.parametrize(
    "select",
    [
        lambda da: da.isel(z=1),
        lambda da: da.sel(component="P", EchoTime=10.5),
        lambda da: da.isel(z=[0, 2], component=[1]),
        lambda da: da.dicom.filter(EchoTime=5),
        lambda da: da.isel(component=0, EchoTime=0, z=0),
    ],
)
def test_selections_of_frames(opened, again, select):
    selected = select(opened(DIMS, shuffle=3))
    found = again(selected)
    np.testing.assert_array_equal(found.squeeze(), selected.squeeze())
    for name in ("x", "y", "z"):
        np.testing.assert_allclose(found[name].squeeze(), selected[name].squeeze(), atol=1e-4)


def test_dims_of_the_callers_name(opened, again):
    dims = {"dims": ("SliceLocation", "FlipAngle")}
    da = opened({"FlipAngle": [5, 15], "z": 4}, options=dims)
    part = da.sel(FlipAngle=[15]).isel(SliceLocation=slice(1, 3), y=slice(3, None))
    assert_same(again(part, options=dims), part)
    flat = opened({"z": 4}, options={"dims": "flat"})
    assert again(flat.isel(instance=[2, 0, 1])).sizes["z"] == 3


def test_columns_of_what_is_returned(opened, tmp_path):
    da = opened(DIMS)
    written = da.dicom.to_dicom(tmp_path / "o")
    assert list(written.columns) == ["file", "SOPInstanceUID", "SeriesInstanceUID", "source"]
    assert list(written.index) == list(range(1, 13))
    assert written.index.name == "InstanceNumber"
    assert [os.path.basename(f) for f in written.file] == [f"IM{i:06d}.dcm" for i in range(1, 13)]
    assert list(written.source) == da.dicom.values("SOPInstanceUID").values.reshape(-1).tolist()
    assert [pydicom.dcmread(f).SOPInstanceUID for f in written.file] == list(written.SOPInstanceUID)
    opened_again = xr.open_dataset(list(written.file), engine="dicom")
    np.testing.assert_array_equal(opened_again.pixels, da)


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small.dcm", "693_J2KR.dcm", "MR_small_RLE.dcm"]
)
def test_real_files(name, write, again):
    source = get_testdata_file(name)
    da = xdicom.open_series(source)
    old, new = pydicom.dcmread(source), write(da)[0]
    np.testing.assert_array_equal(new.pixel_array, old.pixel_array)
    assert new.SOPClassUID == old.SOPClassUID
    assert_same(again(da), da)
    part = da.isel(x=slice(40, 10, -3), y=slice(5, None))
    found = again(part)
    np.testing.assert_array_equal(found, part)
    np.testing.assert_allclose(-found.x, part.x, atol=1e-4)
    np.testing.assert_allclose(found.y, part.y, atol=1e-4)


@pytest.mark.parametrize("name", ["SC_rgb.dcm", "SC_rgb_rle_2frame.dcm", "US1_UNCR.dcm",
                                  "SC_rgb_jpeg_dcmtk.dcm"])  # fmt: skip
def test_colour(name, write, again):
    path = get_testdata_file(name)
    da = xdicom.open_series(path)
    if da.sizes.get("instance", da.sizes.get("time", 1)) > 1:
        with pytest.raises(ConformanceError, match="multi-frame"):
            write(da)
        return
    ds = write(da.isel(x=slice(10, None)))[0]
    assert (ds.PhotometricInterpretation, ds.PlanarConfiguration) == ("RGB", 0)
    np.testing.assert_array_equal(ds.pixel_array, da.values.squeeze()[:, 10:])
    assert_same(again(da), da)


def test_colour_as_it_is_stored(write):
    path = get_testdata_file("SC_rgb_jpeg_dcmtk.dcm")
    da = xdicom.open_series(path, color="raw")
    ds = write(da)[0]
    assert ds.PhotometricInterpretation == "YBR_FULL"
    np.testing.assert_array_equal(
        pydicom.pixels.pixel_array(ds.filename, raw=True), da.values.squeeze()
    )
    with pytest.raises(ConformanceError, match="colour"):
        write(da.isel(sample=0))
    with pytest.raises(ConformanceError, match="colour"):
        write(da.isel(sample=[0, 1]))


def test_ultrasound_in_centimetres(tmp_path):
    """Cut and turned, pixels are the source's; its regions, in old rows and columns, are gone."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 2, 3
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 11, 8
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.05, 0.02
    pixels = np.random.default_rng(0).integers(0, 255, (9, 14)).astype(np.uint8)
    (path,) = write_series(tmp_path / "us", {}, rows=9, columns=14, stored=pixels, dtype=np.uint8,
                           attributes={"ImagePositionPatient": None, "PixelSpacing": None,
                                       "ImageOrientationPatient": None, "Modality": "US",
                                       "SliceLocation": None})  # fmt: skip
    ds = pydicom.dcmread(path)
    ds.SequenceOfUltrasoundRegions = [region]
    ds.save_as(path)
    da = xdicom.open_series(path)
    assert da.x.attrs["units"] == da.y.attrs["units"] == "cm"
    np.testing.assert_allclose(da.x, (np.arange(14) - 2) * 0.05)
    (whole,) = da.dicom.to_dicom(tmp_path / "whole").file
    assert pydicom.dcmread(whole).SequenceOfUltrasoundRegions == [region]
    turned = da.isel(y=slice(7, 1, -2), x=slice(3, 12))
    (file,) = turned.dicom.to_dicom(tmp_path / "part").file
    written = pydicom.dcmread(file)
    np.testing.assert_array_equal(written.pixel_array, pixels[7:1:-2, 3:12])
    assert "SequenceOfUltrasoundRegions" not in written


def test_a_palette_goes_along(write, tmp_path):
    path = get_testdata_file("OBXXXX1A.dcm")
    da = xdicom.open_series(path)
    old, new = pydicom.dcmread(path), write(da)[0]
    assert new.PhotometricInterpretation == "PALETTE COLOR"
    np.testing.assert_array_equal(new.pixel_array, old.pixel_array)
    for keyword in ("Descriptor", "Data"):
        for colour in ("Red", "Green", "Blue"):
            key = f"{colour}PaletteColorLookupTable{keyword}"
            assert new[key].value == old[key].value
    with pytest.raises(ConformanceError, match="cannot be written exactly"):
        (da.astype("int16") - 500).dicom.to_dicom(tmp_path / "o")


def test_monochrome1_stays(opened, write):
    da = opened({"z": 1}, attributes={"PhotometricInterpretation": "MONOCHROME1"})
    assert write(da)[0].PhotometricInterpretation == "MONOCHROME1"


# values


@pytest.mark.parametrize(
    ("make", "bits", "signed", "rescale"),
    [
        (lambda da: da.astype("int32"), 12, 0, (1, -1024)),
        (lambda da: da * 2, 16, 1, (1, -1024)),
        (lambda da: (da + 1024) * 2, 16, 0, (1, -1024)),
        (lambda da: da - 3000, 16, 1, (1, -1024)),
        (lambda da: da.where(da > 0, 0), 12, 0, (1, -1024)),
        (lambda da: da > 0, 12, 0, (1, -1024)),
        (lambda da: -da, 12, 0, (1, -1024)),
        (lambda da: da.astype("float64") * 0 + 60000, 16, 0, (1, -1024)),
    ],
)
def test_results_that_are_integers(opened, write, again, make, bits, signed, rescale):
    stored = (np.arange(2 * 64 * 64).reshape(2, 64, 64) % 2049).astype("uint16")
    da = opened({"z": 2}, modality="CT", intercept=-1024, bits_stored=12, stored=stored)
    result = make(da).assign_attrs(da.attrs)
    ds = write(result)[0]
    assert (ds.BitsAllocated, ds.BitsStored, ds.HighBit) == (16, bits, bits - 1)
    assert ds.PixelRepresentation == signed
    assert (ds.RescaleSlope, ds.RescaleIntercept) == rescale
    np.testing.assert_array_equal(again(result), result)


def test_a_rescale_that_does_not_fit_is_replaced(opened, write, again):
    da = opened({"z": 2}, slope=0.1, intercept=0.05, modality="PT")
    result = da.round()
    files = write(result)
    assert {(ds.RescaleSlope, ds.RescaleIntercept) for ds in files} == {(1, 0)}
    np.testing.assert_array_equal(again(result), result)
    signed = result - 200
    assert {ds.PixelRepresentation for ds in write(signed)} == {1}
    np.testing.assert_array_equal(again(signed), signed)


def test_all_files_are_encoded_alike(opened, write):
    """What only the last frame needs is done to all, since programs look at the first file."""
    da = opened({"z": 4}, bits_stored=12)
    files = write(da - xr.DataArray([0, 0, 0, 5000], dims="z"))
    assert {(ds.BitsStored, ds.PixelRepresentation) for ds in files} == {(16, 1)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda da: da / 3, r"no stored integer stands for .*round\(\).*scaling=.stored"),
        (lambda da: da * 1e5, "integers from 0 to .* are needed"),
        (lambda da: da.where(da > 3), "NaN or infinity.*fillna"),
        (lambda da: da.astype("complex64"), "dtype"),
        (lambda da: da / 0, "NaN or infinity"),
    ],
)
def test_values_that_cannot_be_written(opened, tmp_path, make, message):
    da = opened({"z": 2})
    with np.errstate(all="ignore"), pytest.raises(ConformanceError, match=message):
        make(da).assign_attrs(da.attrs).dicom.to_dicom(tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_unsigned_classes_refuse_negative_values(tmp_path):
    testing.write_series(
        tmp_path / "s", {"instance": 1}, modality="OT",
        attributes={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "Modality": "DX"},
    )  # fmt: skip
    da = xdicom.open_series(tmp_path / "s")
    with pytest.raises(ConformanceError, match="unsigned"):
        (da - 500).dicom.to_dicom(tmp_path / "o")


def test_values_of_unknown_scaling(opened, write):
    da = opened({"z": 1}, intercept=-1024, modality="CT")
    del da.attrs["dicom_scaling"]
    with pytest.raises(ConformanceError, match=r"dicom_scaling"):
        write(da)
    same = opened({"z": 1}, modality="CT")
    del same.attrs["dicom_scaling"]
    assert len(write(same)) == 1


def test_stored_values_keep_the_sources_rescale(opened, write):
    da = opened({"z": 1}, slope=2.5, intercept=-4, options={"scaling": "stored"})
    ds = write(da // 2)[0]
    assert (ds.RescaleSlope, ds.RescaleIntercept) == (2.5, -4)
    np.testing.assert_array_equal(ds.pixel_array, da.values[0] // 2)


# other classes and later versions


def test_multi_frame_objects_come_later(tmp_path):
    testing.write_enhanced(tmp_path / "e" / "e.dcm", {"z": 3})
    testing.write_multiframe(tmp_path / "m" / "m.dcm", np.zeros((3, 4, 5), "uint8"), frame_time=40)
    for name in ("e", "m"):
        da = xdicom.open_series(tmp_path / name)
        with pytest.raises(ConformanceError, match=r"multi-frame and enhanced.*later version"):
            da.dicom.to_dicom(tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_an_unknown_class_is_written_as_it_is(opened, write):
    da = opened({"z": 1}, modality="OT", attributes={"SOPClassUID": "1.2.3.4"})
    assert write(da)[0].SOPClassUID == "1.2.3.4"
    with pytest.raises(ConformanceError, match=r"crops.*1\.2\.3\.4"):
        write(da.isel(x=slice(3)))
    with pytest.raises(ConformanceError, match="cannot be written exactly"):
        write(da - 500)


# backends


@pytest.mark.parametrize("chunks", [{}, "auto", {"z": -1, "EchoTime": 1}, {"y": 5, "z": 2}])
def test_dask(opened, again, chunks):
    da = opened({"EchoTime": [5, 10], "z": 5})
    folder = xdicom_root(da)
    lazy = xdicom.open_series(folder, chunks=chunks)
    assert_same(again(lazy), da)
    by_engine = xr.open_dataset(folder, engine="dicom", chunks=chunks)
    assert_same(again(by_engine), da)
    np.testing.assert_array_equal(again(by_engine.pixels[:, ::-2] + 1), da[:, ::2] + 1)


def test_zarr(opened, again, tmp_path):
    da = opened({"EchoTime": [5, 10], "z": 3}, modality="CT", intercept=-1024.0)
    da.to_dataset(name="pixels").to_zarr(tmp_path / "cache.zarr", consolidated=False)
    cached = xr.open_zarr(tmp_path / "cache.zarr", consolidated=False)
    assert_same(again(cached.isel(z=slice(1, None))), da.isel(z=slice(1, None)))


def test_never_all_at_once(opened, tmp_path, monkeypatch):
    da = opened({"EchoTime": [5, 10], "z": 8})
    monkeypatch.setattr(files, "_BLOCK", 3 * 16 * 24 * 4)
    sizes = []
    read = FrameArray.read

    def watched(self, key):
        found = read(self, key)
        sizes.append(found.size)
        return found

    monkeypatch.setattr(FrameArray, "read", watched)
    da.dicom.to_dicom(tmp_path / "o")
    assert max(sizes) <= 3 * 16 * 24
    assert sum(sizes) == da.size


def test_blocks_are_whole_chunks():
    array = xr.DataArray(np.zeros((4, 6, 2, 2), "f4"), dims=("time", "z", "y", "x"))
    whole = list(files._blocks(array, ("time", "z")))
    assert whole == [(slice(0, 4), slice(0, 6))]
    chunked = array.chunk({"time": 2, "z": 3})
    frames = files._BLOCK
    try:
        files._BLOCK = 5 * 16
        regions = list(files._blocks(chunked, ("time", "z")))
    finally:
        files._BLOCK = frames
    assert regions == [
        (slice(a, a + 2), slice(b, b + 3)) for a in (0, 2) for b in (0, 3)
    ]  # fmt: skip
    assert list(files._blocks(array[0, 0], ())) == [()]


# safety


def test_files_that_exist_are_not_replaced(opened, tmp_path):
    da = opened({"z": 2})
    first = da.dicom.to_dicom(tmp_path / "o")
    before = [Path(f).read_bytes() for f in first.file]
    with pytest.raises(ConformanceError, match=r"2 of the files exist already.*overwrite=True"):
        da.dicom.to_dicom(tmp_path / "o")
    with pytest.raises(ConformanceError, match="exist already"):
        da.isel(z=[1]).dicom.to_dicom(tmp_path / "o")
    assert [Path(f).read_bytes() for f in first.file] == before
    second = da.dicom.to_dicom(tmp_path / "o", overwrite=True)
    assert [pydicom.dcmread(f).SOPInstanceUID for f in first.file] == list(second.SOPInstanceUID)
    assert sorted(os.listdir(tmp_path / "o")) == ["IM000001.dcm", "IM000002.dcm"]


@pytest.mark.parametrize("place", [".", "inner", ".."])
@pytest.mark.parametrize("how", ["folder", "file", "list", "source"])
def test_source_folders_are_safe(opened, tmp_path, place, how):
    da = opened({"z": 2})
    folder = Path(xdicom_root(da))
    paths = sorted(folder.iterdir())
    if how == "file":
        da = xdicom.open_series(paths[0])
    elif how == "list":
        da = xdicom.open_series(paths)
    elif how == "source":
        da = da.assign_attrs(dicom_source="[]")
    source = folder if how == "source" else None
    before = {p: p.read_bytes() for p in paths}
    with pytest.raises(ConformanceError, match="source files"):
        da.dicom.to_dicom(folder / place, overwrite=True, source=source)
    assert {p: p.read_bytes() for p in sorted(folder.iterdir())} == before


def test_a_source_that_changed_meanwhile(opened, tmp_path):
    da = opened({"z": 3})
    loaded = da.compute()
    last = max(Path(xdicom_root(da)).iterdir())
    data = last.read_bytes()
    last.write_bytes(data + b"\0\0")
    with pytest.raises(CorruptFileError, match="changed"):
        loaded.dicom.to_dicom(tmp_path / "o")
    assert not (tmp_path / "o").exists()
    last.unlink()
    with pytest.raises(HeadersUnavailableError):
        loaded.dicom.to_dicom(tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_verification_finds_what_went_wrong(opened, tmp_path, monkeypatch):
    da = opened({"z": 2})
    whole = files.file_bytes

    def wrong(elements, stored, allocated):
        return whole(elements, stored + (stored == stored.max()).astype(stored.dtype), allocated)

    monkeypatch.setattr(files, "file_bytes", wrong)
    with pytest.raises(ConformanceError, match="differs from the plan in pixels"):
        da.dicom.to_dicom(tmp_path / "o")
    assert not (tmp_path / "o").exists()
    assert len(da.dicom.to_dicom(tmp_path / "o", verify=False)) == 2


@pytest.mark.parametrize(
    ("tag", "message"), [(0x00200032, "position of a pixel"), (0x00080018, "SOPInstanceUID")]
)
def test_verification_looks_at_places_and_uids(opened, tmp_path, monkeypatch, tag, message):
    da = opened({"z": 2})
    rules = files.apply_rules

    def wrong(output):
        elements = rules(output)
        value = elements[tag]
        digit = b"1" if not value.rstrip(b" \0").endswith(b"1") else b"2"
        end = len(value.rstrip(b" \0")) - (3 if tag == 0x00200032 else 1)
        elements[tag] = value[:end] + digit + value[end + 1 :]
        return elements

    monkeypatch.setattr(files, "apply_rules", wrong)
    with pytest.raises(ConformanceError, match=message):
        da.dicom.to_dicom(tmp_path / "o")


def test_twice_derived(opened, tmp_path):
    da = opened({"z": 2}, series_number=3)
    da.dicom.to_dicom(tmp_path / "a")
    once = xdicom.open_series(tmp_path / "a")
    written = once.dicom.to_dicom(tmp_path / "b")
    ds = pydicom.dcmread(written.file[1])
    assert ds.SeriesNumber == 30101
    assert len(ds.ContributingEquipmentSequence) == 2
    assert len(ds.SourceImageSequence) == 1
    assert_same(xdicom.open_series(tmp_path / "b"), da)
