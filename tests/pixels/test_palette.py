"""Palettes of any depth, segmented or not, become RGB as the standard and pydicom say."""

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import xdicom
from xdicom.pixels.array import COUNTER
from xdicom.pixels.palette import expand_segments
from xdicom.testing import write_series

COLOURS = ("Red", "Green", "Blue")


def palette(descriptors, data, *, segmented=False):
    found = {"PhotometricInterpretation": "PALETTE COLOR", "RescaleSlope": None,
             "RescaleIntercept": None, "RescaleType": None}  # fmt: skip
    for colour, descriptor, values in zip(COLOURS, descriptors, data, strict=True):
        name = f"{colour}PaletteColorLookupTable"
        found[f"{name}Descriptor"] = descriptor
        found[f"{'Segmented' * segmented}{name}Data"] = values
    return found


@pytest.mark.parametrize("bits", [8, 16])
def test_segments_of_all_opcodes(bits):
    words = bits // 8
    place = 4 * words  # of the linear segment, in bytes
    offset = [place, 0, 0, 0] if bits == 8 else [place, 0]
    data = [0, 2, 3, 9, 1, 3, 0, 0, 1, 50, 2, 2, *offset, 1, 2, 255]
    found = expand_segments(np.array(data, f"u{words}"), bits)
    # the linear one starts from the value that came before, wherever it is used
    assert found.tolist() == [3, 9, 6, 3, 0, 50, 33, 17, 0, 50, 152, 255]
    assert found.dtype == f"u{words}"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([1, 3, 5], "first"),
        ([0, 4, 1, 2], "cut off"),
        ([0, 1, 5, 7, 1, 1], "opcode 7"),
        ([0, 1, 5, 2, 1, 200, 0, 0, 0], "range"),
        ([0, 1, 5, 2, 1, 3, 0, 0, 0], "points to another"),
    ],
)
def test_segments_that_are_wrong(data, why):
    with pytest.raises(xdicom.CorruptFileError, match=why):
        expand_segments(np.array(data, np.uint8), 8, "f.dcm")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian,
                                    ExplicitVRBigEndian])  # fmt: skip
@pytest.mark.parametrize(("bits", "entries", "first"), [(16, 200, 0), (16, 50, 20), (8, 256, 0),
                                                        (16, 256, 0)])  # fmt: skip
def test_colours_are_those_of_the_tables(tmp_path, syntax, bits, entries, first):
    rng = np.random.default_rng(entries + first)
    stored = rng.integers(0, 256, (3, 4, 6)).astype(np.uint8)
    tables = rng.integers(0, 2**bits, (3, entries))
    # bytes stand in words, the first of a pair in the low byte
    data = [np.asarray(t, f"<u{bits // 8}").view("<u2").tolist() for t in tables]
    attributes = palette([[entries % 65536, first, bits]] * 3, data)
    write_series(tmp_path, {"z": 3}, stored=stored, attributes=attributes, transfer_syntax=syntax)
    expected = tables.T[np.clip(stored.astype(int) - first, 0, entries - 1)]
    da = xdicom.open_series(tmp_path, color="rgb")
    assert (da.dims, da.dtype) == (("z", "y", "x", "sample"), np.dtype(f"u{bits // 8}"))
    assert da["sample"].values.tolist() == ["R", "G", "B"]
    np.testing.assert_array_equal(da, expected)
    COUNTER.reset()
    part = da.isel(z=1, y=[3, 0], x=slice(1, 5), sample=2).values
    assert COUNTER.frames == 1
    np.testing.assert_array_equal(part, expected[1][[3, 0], 1:5, 2])
    np.testing.assert_array_equal(da.isel(y=2, x=1), expected[:, 2, 1])
    np.testing.assert_array_equal(xdicom.open_series(tmp_path), stored)  # indices by default
    np.testing.assert_array_equal(xdicom.open_series(tmp_path, color="raw"), stored)
    shown = xdicom.open_series(tmp_path).dicom.display()
    np.testing.assert_array_equal(shown, expected >> bits - 8)
    np.testing.assert_array_equal(da.dicom.display(), shown)


def test_each_instance_its_own_and_segments(tmp_path):
    stored = np.tile(np.arange(4, dtype=np.uint8), (2, 1, 1))

    def data(colour):
        return lambda i: np.array([0, 1, 100 * i["z"] + colour, 1, 3, 900], "<u2").tobytes()

    attributes = palette([[4, 0, 16]] * 3, [data(c) for c in range(3)], segmented=True)
    paths = write_series(tmp_path, {"z": 2}, stored=stored, attributes=attributes)
    da = xdicom.open_series(tmp_path, color="rgb", chunks={})
    for frame, path in zip(da, paths, strict=True):
        header = pydicom.dcmread(path)
        np.testing.assert_array_equal(frame, apply_color_lut(header.pixel_array, header))
    assert da.values[1, 0, 0].tolist() == [100, 101, 102]


def test_descriptors_that_differ(tmp_path):
    """Each colour by its own: pydicom reads all by the red one."""
    stored = np.arange(8, dtype=np.uint8).reshape(1, 2, 4)
    data = [
        np.arange(10, 14, dtype="<u2"),
        np.arange(20, 26, dtype="<u2"),
        np.arange(30, 32, dtype="<u2"),
    ]
    descriptors = [[4, 0, 16], [6, 2, 16], [2, 5, 16]]
    write_series(tmp_path, {"z": 1}, stored=stored,
                 attributes=palette(descriptors, [d.tobytes() for d in data]))  # fmt: skip
    da = xdicom.open_series(tmp_path, color="rgb")
    for channel, (values, (count, first, _)) in enumerate(zip(data, descriptors, strict=True)):
        expected = values[np.clip(stored.astype(int) - first, 0, count - 1)]
        np.testing.assert_array_equal(da[..., channel], expected)


def test_signed_indices(tmp_path):
    stored = np.arange(-3, 3, dtype=np.int16).reshape(1, 2, 3)
    data = [np.arange(4, dtype="<u2").tobytes()] * 3
    first = np.array([4, 65534, 16], "<u2").tobytes()
    write_series(tmp_path, {"z": 1}, stored=stored, attributes=palette([first] * 3, data))
    found = xdicom.open_series(tmp_path, color="rgb").values[0, ..., 0]
    assert found.tolist() == [[0, 0, 1], [2, 3, 3]]


@pytest.mark.parametrize("change", ["RedPaletteColorLookupTableDescriptor",
                                    "BluePaletteColorLookupTableData"])  # fmt: skip
def test_what_is_missing_is_named(tmp_path, change):
    attributes = palette([[4, 0, 16]] * 3, [bytes(8)] * 3) | {change: None}
    write_series(tmp_path, {"z": 1}, stored=np.zeros((1, 2, 2), np.uint8), attributes=attributes)
    with pytest.raises(xdicom.MissingAttributeError, match=change[:8]):
        xdicom.open_series(tmp_path, color="rgb")
    assert xdicom.open_series(tmp_path).shape == (1, 2, 2)


def test_a_palette_that_is_too_short(tmp_path):
    attributes = palette([[40, 0, 16]] * 3, [bytes(8)] * 3)
    write_series(tmp_path, {"z": 1}, stored=np.zeros((1, 2, 2), np.uint8), attributes=attributes)
    with pytest.raises(xdicom.CorruptFileError, match="red is shorter"):
        xdicom.open_series(tmp_path, color="rgb")
