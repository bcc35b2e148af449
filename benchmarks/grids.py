"""A volume of 256³ on an oblique grid of 256³, by map_to and its peers."""

from __future__ import annotations

import numpy as np
import SimpleITK
import xarray as xr
from scipy import ndimage

from benchmarks.measure import Row, race
from xdicom.interop.itk import to_sitk
from xdicom.selecting.position import affine
from xdicom.space.mapping import map_to

SIZE = 256


def volume(angle: float, shift: float) -> xr.DataArray:
    """Random values on a grid that is turned about S, 1 mm a voxel."""
    along = np.arange(float(SIZE))
    values = np.random.default_rng(0).random((SIZE, SIZE, SIZE), dtype=np.float32)
    mm = {"units": "mm"}
    cosines = [np.cos(angle), np.sin(angle), 0.0, -np.sin(angle), np.cos(angle), 0.0]
    space = {
        "geometry": "rectilinear",
        "FrameOfReferenceUID": "1.2.3",
        "ImageOrientationPatient": cosines,
    }
    return xr.DataArray(
        values,
        dims=("z", "y", "x"),
        coords={
            "z": ("z", along + shift, mm),
            "y": ("y", along, mm),
            "x": ("x", along, mm),
            "patient_space": ((), 0, space),
        },
    )


def run() -> list[Row]:
    """Rows of linear interpolation, one thread but for SimpleITK's two."""
    source, target = volume(0, 0), volume(0.2, 0.4)
    matrix = np.linalg.inv(affine(source)) @ affine(target)
    moving, fixed = to_sitk(source), to_sitk(target)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(2)
    chunked = source.chunk({"z": 64})
    return race(
        f"{SIZE}³ onto an oblique grid, linear",
        {
            "xdicom": lambda: map_to(source, target),
            "xdicom, chunks of 64 slices": lambda: map_to(chunked, target).compute(),
            "xdicom, nearest": lambda: map_to(source, target, method="nearest"),
            "scipy.ndimage.affine_transform": lambda: ndimage.affine_transform(
                source.values, matrix, order=1
            ),
            "SimpleITK.Resample, two threads": lambda: SimpleITK.Resample(
                moving, fixed, SimpleITK.Transform(), SimpleITK.sitkLinear
            ),
        },
        rounds=3,
    )
