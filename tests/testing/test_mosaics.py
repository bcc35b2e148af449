"""Simulated mosaics hold their slices where pydicom and the rule of SPEC §2.5 find them."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from xdicom import testing


@pytest.mark.parametrize(
    ("vendor", "slices", "grid"),
    [
        ("Siemens", 5, (3, 3)),
        ("Siemens", 16, (4, 4)),
        ("UIH", 5, (2, 3)),
        ("UIH", 20, (4, 5)),
        ("UIH", 1, (1, 1)),
    ],
)
def test_tiles_follow_along_rows_then_down(tmp_path, vendor, slices, grid):
    paths = testing.write_mosaics(
        tmp_path, {"EchoTime": [5, 10]}, slices, vendor=vendor, rows=8, columns=10
    )
    for number, path in enumerate(paths):
        pixels = pydicom.dcmread(path).pixel_array
        assert pixels.shape == (grid[0] * 8, grid[1] * 10)
        tiles = pixels.reshape(grid[0], 8, grid[1], 10).swapaxes(1, 2).reshape(-1, 8, 10)
        for z in range(slices):
            expected = testing.frame_pixels(number * slices + z, 8, 10)
            assert np.array_equal(tiles[z], expected)
        assert not tiles[slices:].any()


def test_position_is_that_of_a_plane_as_large_as_the_mosaic(tmp_path):
    (path,) = testing.write_mosaics(tmp_path, {}, 4, origin=(0, 0, 5), pixel_spacing=(2, 1))
    ds = pydicom.dcmread(path)
    assert [float(v) for v in ds.ImagePositionPatient] == [-12, -16, 5]
    assert ds[0x0019, 0x100A].value == 4
    assert ds[0x0029, 0x1010].value.startswith(b"SV10")


def test_z_is_no_dim_of_files(tmp_path):
    with pytest.raises(ValueError, match="z is no dim"):
        testing.write_mosaics(tmp_path, {"z": 3}, 4)
