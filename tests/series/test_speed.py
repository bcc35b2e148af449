"""What 100 000 frames cost: no loop over frames, neither in splitting nor in coordinates."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest

from xdicom.headers.elements import vr_of
from xdicom.headers.table import Column, Files, FrameTable
from xdicom.series.attributes import frame_coordinates
from xdicom.series.planes import plane_coordinates
from xdicom.series.stacks import GridOptions, split_series

ECHOES, TIMES, SLICES = 2, 1000, 50
FRAMES = ECHOES * TIMES * SLICES


@pytest.fixture(scope="module")
def index():
    """Echo, time and slice of each frame, in no order."""
    order = np.random.default_rng(0).permutation(FRAMES)
    return np.unravel_index(order, (ECHOES, TIMES, SLICES))


def column(keyword, texts, codes):
    return keyword, Column(
        np.broadcast_to(codes, FRAMES).astype(np.int32), tuple(texts), vr_of(keyword)
    )


@pytest.fixture(scope="module")
def table(index):
    """A table of single-frame files, as a scan makes it."""
    echo, moment, z = index
    number = (echo * TIMES + moment) * SLICES + z
    seconds = [f"{10 + t // 3600:02d}{t // 60 % 60:02d}{t % 60:02d}" for t in range(TIMES)]
    every = range(FRAMES)
    constants = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
        "SeriesInstanceUID": "1.2.3",
        "StudyInstanceUID": "1.2",
        "FrameOfReferenceUID": "1.1",
        "Rows": "64",
        "Columns": "64",
        "SamplesPerPixel": "1",
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": "16",
        "xdicom_pixel_element": "PixelData",
        "PixelSpacing": "2\\2",
        "ImageOrientationPatient": "1\\0\\0\\0\\1\\0",
        "ImageType": "ORIGINAL\\PRIMARY\\M\\ND",
        "SliceThickness": "3",
        "SpacingBetweenSlices": "3",
        "FlipAngle": "90",
        "RepetitionTime": "2000",
        "AcquisitionDate": "20240229",
    }
    columns = [column(k, [text], 0) for k, text in constants.items()]
    columns += [
        column("SOPInstanceUID", [f"1.2.3.{n}" for n in every], number),
        column("InstanceNumber", [str(n + 1) for n in every], number),
        column("EchoTime", ["12", "30"], echo),
        column("TemporalPositionIdentifier", [str(n + 1) for n in range(TIMES)], moment),
        column("AcquisitionTime", seconds, moment),
        column("ImagePositionPatient", [f"-64\\-64\\{3 * n}" for n in range(SLICES)], z),
        column("SliceLocation", [str(3 * n) for n in range(SLICES)], z),
    ]
    zeros = np.zeros(FRAMES, np.int64)
    return FrameTable(
        root="/nowhere",
        files=Files(tuple(f"{n:06}.dcm" for n in every), zeros, zeros),
        file=np.arange(FRAMES),
        frame_number=zeros + 1,
        frame_id=np.arange(FRAMES),
        pixel_offset=zeros,
        pixel_length=zeros,
        columns=dict(columns),
    )


def without(table, *keywords):
    kept = {k: c for k, c in table.columns.items() if k not in keywords}
    return FrameTable(
        root=table.root,
        files=table.files,
        file=table.file,
        frame_number=table.frame_number,
        frame_id=table.frame_id,
        pixel_offset=table.pixel_offset,
        pixel_length=table.pixel_length,
        columns=kept,
    )


def seconds_of(action):
    """Time of the processor for the shorter of two runs: other tests may run beside it."""
    taken = []
    for _ in range(2):
        start = time.process_time()
        result = action()
        taken.append(time.process_time() - start)
    return min(taken), result


def grid_and_coordinates(table):
    (stack,) = split_series(table, np.arange(len(table)), GridOptions())
    if stack.error:
        raise stack.error
    coords = frame_coordinates(stack.table, stack.grid, stack.geometry)
    return stack, coords | plane_coordinates(stack.geometry, stack.grid, 64, 64, "1.1")


@pytest.mark.parametrize(
    ("left_out", "dims"),
    [
        ((), ("EchoTime", "time", "z")),
        (("TemporalPositionIdentifier", "AcquisitionTime"), ("EchoTime", "time", "z")),
    ],
    ids=["by value", "by rank"],
)
def test_a_hundred_thousand_frames(table, index, left_out, dims):
    taken, (stack, coords) = seconds_of(partial(grid_and_coordinates, without(table, *left_out)))
    assert stack.grid.dims == dims
    assert stack.grid.shape == (ECHOES, TIMES, SLICES)
    # the frame of each cell, by where the table was made to hold it
    found = tuple(a[stack.grid.rows] for a in index)
    np.testing.assert_array_equal(
        np.ravel_multi_index(found, stack.grid.shape).ravel(), np.arange(FRAMES)
    )
    assert coords["InstanceNumber"].dims == dims
    assert taken < 1.0
