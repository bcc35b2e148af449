"""Real files are shown as pydicom's functions say, wherever these follow the standard."""

from __future__ import annotations

import os
import warnings
from functools import cache

import numpy as np
import pydicom
import pytest
from peers.collections import root
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

import xdicom

pytestmark = pytest.mark.conformance

_MOST = 4
"""Files of a folder that are compared: their headers are alike."""


@cache
def single_frames() -> tuple[str, ...]:
    """Files of one grey frame with a window or a VOI LUT."""
    bundled = os.path.dirname(get_testdata_file("CT_small.dcm"))
    found: list[str] = []
    for place in (root(), bundled):
        for folder, _, names in os.walk(place):
            taken = 0
            for name in sorted(names):
                path = os.path.join(folder, name)
                if taken < _MOST and _is_grey(path):
                    found.append(path)
                    taken += 1
    return tuple(found)


def _is_grey(path: str) -> bool:
    try:
        ds = pydicom.dcmread(path)
    except (pydicom.errors.InvalidDicomError, EOFError, OSError):
        return False
    return (
        str(ds.get("PhotometricInterpretation")).startswith("MONOCHROME")
        and "PixelData" in ds
        and bool(ds.get("WindowCenter") is not None or ds.get("VOILUTSequence"))
        and int(ds.get("NumberOfFrames") or 1) == 1
    )


def _expected(header, stored):
    """pydicom's windowed values, from 0 to 255: its own span is that of the stored values."""
    values = apply_voi_lut(apply_modality_lut(stored, header), header).astype(np.float64)
    if header.get("VOILUTSequence"):
        return values / (2 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1) * 255
    half = 2 ** (header.BitsStored - 1)
    ends = np.array([-half, half - 1] if header.PixelRepresentation else [0, 2 * half - 1], float)
    if header.get("ModalityLUTSequence"):
        ends = np.array([0, 2 ** header.ModalityLUTSequence[0].LUTDescriptor[2] - 1], float)
    elif "RescaleSlope" in header and "RescaleIntercept" in header:
        ends = ends * float(header.RescaleSlope) + float(header.RescaleIntercept)
    return (values - ends[0]) / (ends[1] - ends[0]) * 255


def test_windows_and_voi_luts_are_pydicoms():
    compared = 0
    for path in single_frames():
        try:
            da = xdicom.open_series(path, errors="ignore")
        except xdicom.XDicomError:  # broken on purpose: other tests say how
            continue
        if da.sizes.get("z", 1) > 1:  # a mosaic, of which pydicom sees the whole
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path)
            # pydicom alone decodes no lossless JPEG; others hold these values against its digests
            stored = xdicom.open_series(path, errors="ignore", scaling="stored")
            expected = _expected(header, stored.values.squeeze())
        shown = da.dicom.display().values.squeeze().astype(np.float64)
        inverse = (header.PhotometricInterpretation, header.get("PresentationLUTShape"))
        if "MONOCHROME1" in inverse or "INVERSE" in inverse:
            expected = 255 - expected
        # half a grey level of rounding, and float32 where the rescale is no whole number
        assert np.abs(shown - expected).max() <= 0.5 + 1e-3, path
        compared += 1
    assert compared == 124


@pytest.mark.parametrize("name", ["us/pydicom/examples_palette.dcm",
                                  "us/aloka16/gdcm-US-ALOKA-16_big.dcm"])  # fmt: skip
def test_palettes_are_pydicoms(name):
    path = root() / name
    expected = apply_color_lut(pixel_array(path), pydicom.dcmread(path))
    found = xdicom.open_series(path, color="rgb")
    np.testing.assert_array_equal(found.values.squeeze(), expected)
    shown = xdicom.open_series(path).dicom.display()
    np.testing.assert_array_equal(shown.values.squeeze(), expected >> 8)


def test_a_big_endian_palette_is_that_of_the_little_endian_file():
    """pydicom 3.0.2 reads a palette's words in the machine's order, whatever the file's."""
    big, little = (xdicom.open_series(p, color="rgb") for p in (
        root() / "us/rle_palette/OBXXXX1A_expb_2frame.dcm",
        get_testdata_file("OBXXXX1A_2frame.dcm"),
    ))  # fmt: skip
    np.testing.assert_array_equal(big.values, little.values)
    header = pydicom.dcmread(get_testdata_file("OBXXXX1A_2frame.dcm"))
    np.testing.assert_array_equal(little.values, apply_color_lut(header.pixel_array, header))


def test_overlays_are_pydicoms():
    path = root() / "xray/overlay/MR-SIEMENS-DICOM-WithOverlays.dcm"
    expected = pydicom.dcmread(path).overlay_array(0x6000)
    found = xdicom.open_series(path).dicom.overlays()
    assert found.overlay.values.tolist() == ["6000"]
    np.testing.assert_array_equal(found.values.squeeze(), expected)
    assert found.values.any()
