"""Overlays lie where their origin says, in the frames that they are for, bit by bit."""

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian

import xdicom
from xdicom.pixels.array import COUNTER
from xdicom.testing import write_multiframe, write_series

RNG = np.random.default_rng(3)
STORED = RNG.integers(0, 4096, (3, 9, 11)).astype(np.uint16)


def add(path, group=0x6000, mask=None, origin=(1, 1), kind="G", **others):
    """Put an overlay into a file."""
    ds = pydicom.dcmread(path)
    rows, columns = mask.shape[-2:] if mask is not None else (ds.Rows, ds.Columns)
    values = {0x0010: ("US", rows), 0x0011: ("US", columns), 0x0040: ("CS", kind),
              0x0050: ("SS", list(origin)), 0x0100: ("US", 1), 0x0102: ("US", 0)}  # fmt: skip
    if mask is not None:
        values[0x3000] = "OW", pack_bits(mask.astype(np.uint8).ravel())
    values |= {int(k[1:], 16): v for k, v in others.items()}
    for element, (vr, value) in values.items():
        if value is not None:
            ds.add_new((group, element), vr, value)
    ds.save_as(path)


def test_several_groups_as_pydicom_unpacks_them(tmp_path):
    paths = write_series(tmp_path, {"z": 3}, stored=STORED)
    masks = RNG.integers(0, 2, (2, 3, 9, 11)).astype(bool)
    for path, one, two in zip(paths, *masks, strict=True):
        add(path, mask=one, x1500=("LO", "LESION"), x0022=("LO", "drawn"))
        add(path, 0x6004, two, kind="R")
    da = xdicom.open_series(tmp_path)
    found = da.dicom.overlays()
    assert found.dims == ("overlay", "z", "y", "x")
    assert found.dtype == bool
    assert found.overlay.values.tolist() == ["6000", "6004"]
    assert found.label.values.tolist() == ["LESION", ""]
    assert found.type.values.tolist() == ["G", "R"]
    assert found.description.values.tolist() == ["drawn", ""]
    np.testing.assert_array_equal(found, masks)
    for z, path in enumerate(paths):
        for n, group in enumerate((0x6000, 0x6004)):
            expected = pydicom.dcmread(path).overlay_array(group)
            np.testing.assert_array_equal(found[n, z], expected)
    np.testing.assert_array_equal(
        found.sel(overlay="6004").isel(z=[2, 0], y=3), masks[1, [2, 0], 3]
    )
    cut = da.isel(z=[2, 1], y=slice(1, 8, 2), x=slice(None, None, -1))
    np.testing.assert_array_equal(cut.dicom.overlays(), masks[:, [2, 1], 1:8:2, ::-1])
    chunked = da.chunk({"z": 1}).dicom.overlays()
    assert chunked.chunks[1:] == da.chunk({"z": 1}).chunks
    np.testing.assert_array_equal(chunked, masks)
    np.testing.assert_array_equal(da.where(found[0]).isnull(), ~masks[0])


@pytest.mark.parametrize("origin", [(1, 1), (3, 2), (0, -1), (-3, 8), (40, 1), (-30, 1)])
@pytest.mark.parametrize("size", [(4, 5), (9, 11), (20, 30)])
def test_origin_and_size(tmp_path, origin, size):
    (path,) = write_series(tmp_path, {"z": 1}, stored=STORED[:1])
    mask = RNG.integers(0, 2, size).astype(bool)
    add(path, mask=mask, origin=origin)
    expected = np.zeros((9, 11), bool)
    for r, c in np.ndindex(mask.shape):
        y, x = origin[0] - 1 + r, origin[1] - 1 + c
        if 0 <= y < 9 and 0 <= x < 11:
            expected[y, x] = mask[r, c]
    np.testing.assert_array_equal(xdicom.open_series(tmp_path).dicom.overlays()[0, 0], expected)


@pytest.mark.parametrize(("count", "origin", "places"), [
    (None, None, [0, 0, 0, 0]),  # on every frame of the image
    (1, 3, [-1, -1, 0, -1]),
    (2, 2, [-1, 0, 1, -1]),
    (2, None, [0, 1, -1, -1]),
])  # fmt: skip
def test_frames_of_overlays(tmp_path, count, origin, places):
    stored = RNG.integers(0, 200, (4, 5, 7)).astype(np.uint8)
    path = tmp_path / "m.dcm"
    write_multiframe(path, stored)
    masks = RNG.integers(0, 2, (count or 1, 5, 7)).astype(bool)
    add(path, mask=masks, x0015=("IS", count), x0051=("US", origin))
    da = xdicom.open_series(path)
    whole = np.concatenate([masks, np.zeros((1, 5, 7), bool)])
    np.testing.assert_array_equal(da.dicom.overlays()[0], whole[places])
    if count:
        np.testing.assert_array_equal(
            pydicom.dcmread(path).overlay_array(0x6000).reshape(masks.shape), masks
        )
    np.testing.assert_array_equal(da[2].dicom.overlays()[0], whole[places][2])


def test_in_spare_bits_of_the_pixels(tmp_path):
    masks = RNG.integers(0, 2, (2, 3, 9, 11)).astype(bool)
    words = STORED | masks[0].astype(np.uint16) << 12 | masks[1].astype(np.uint16) << 15
    paths = write_series(tmp_path, {"z": 3}, stored=STORED, bits_stored=12)
    for path, frame in zip(paths, words, strict=True):
        ds = pydicom.dcmread(path)
        ds.PixelData = frame.tobytes()
        ds.save_as(path)
        for group, bit in ((0x6000, 12), (0x6002, 15)):
            add(path, group, x0100=("US", 16), x0102=("US", bit))
    da = xdicom.open_series(tmp_path)
    COUNTER.reset()
    found = da.dicom.overlays()
    assert COUNTER.frames == 0
    np.testing.assert_array_equal(found, masks)
    COUNTER.reset()
    np.testing.assert_array_equal(found[1, 2, 3:5, [4, 0]], masks[1, 2, 3:5, [4, 0]].T)
    assert COUNTER.frames == 1
    np.testing.assert_array_equal(da, STORED)


def test_in_bits_below_those_of_the_pixels(tmp_path):
    mask = RNG.integers(0, 2, (9, 11)).astype(bool)
    (path,) = write_series(tmp_path, {"z": 1}, stored=STORED[:1], bits_stored=12)
    ds = pydicom.dcmread(path)
    ds.HighBit = 14
    ds.PixelData = (STORED[0] << 3 | mask.astype(np.uint16) << 1).tobytes()
    ds.save_as(path)
    add(path, x0100=("US", 16), x0102=("US", 1))
    da = xdicom.open_series(tmp_path)
    np.testing.assert_array_equal(da.dicom.overlays()[0, 0], mask)
    with pytest.raises(xdicom.UnsupportedPixelLayoutError, match="below those that are stored"):
        da.load()  # nothing in a row tells that these bits are an overlay


def test_bits_that_hold_pixels_are_refused(tmp_path):
    (path,) = write_series(tmp_path, {"z": 1}, stored=STORED[:1])
    add(path, x0100=("US", 16), x0102=("US", 12))
    with pytest.raises(xdicom.UnsupportedPixelLayoutError, match="OverlayBitPosition"):
        xdicom.open_series(tmp_path).dicom.overlays()


def test_none_is_an_array_of_none(tmp_path):
    write_series(tmp_path, {"z": 3}, stored=STORED)
    found = xdicom.open_series(tmp_path).dicom.overlays()
    assert (found.shape, found.dims, found.values.shape) == (
        (0, 3, 9, 11), ("overlay", "z", "y", "x"), (0, 3, 9, 11),
    )  # fmt: skip
    assert not found.any("overlay").any()


def test_frames_without_are_false(tmp_path):
    paths = write_series(tmp_path, {"z": 3}, stored=STORED)
    add(paths[1], mask=np.ones((9, 11), bool))
    found = xdicom.open_series(tmp_path).dicom.overlays()
    assert found.any(("overlay", "y", "x")).values.sum() == 1


def test_what_is_wrong_is_named(tmp_path):
    (path,) = write_series(tmp_path, {"z": 1}, stored=STORED[:1])
    add(path, mask=np.ones((9, 11), bool), x0010=("US", 90))
    with pytest.raises(xdicom.CorruptFileError, match=r"group 6000.*90"):
        xdicom.open_series(tmp_path).dicom.overlays()
    ds = pydicom.dcmread(path)
    del ds[0x6000, 0x0010]
    ds.save_as(path)
    with pytest.raises(xdicom.MissingAttributeError, match="6000,0010"):
        xdicom.open_series(tmp_path).dicom.overlays()


def test_arrays_that_are_no_frames(tmp_path):
    write_series(tmp_path, {"z": 3}, stored=STORED)
    da = xdicom.open_series(tmp_path)
    with pytest.raises(xdicom.HeadersUnavailableError, match="before reducing"):
        da.mean("z", keep_attrs=True).dicom.overlays()
    with pytest.raises(xdicom.GeometryError, match="Take the overlays"):
        da.coarsen(x=2, boundary="trim").mean().dicom.overlays()


def test_pydicoms_file():
    path = get_testdata_file("examples_overlay.dcm")
    found = xdicom.open_series(path).dicom.overlays()
    expected = pydicom.dcmread(path).overlay_array(0x6000)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(found.squeeze(), expected)
