"""Series whose values are a function of the place in the patient."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import IrregularSpacingWarning, ShearedStackWarning
from xdicom.testing import write_series

OBLIQUE = (0.96, 0.28, 0.0, -0.168, 0.576, 0.8)


def truth(points):
    """A linear function of L, P, S: linear interpolation finds it exactly."""
    return 500 + 2.0 * points[..., 0] - 3.0 * points[..., 1] + 1.5 * points[..., 2]


def places(da: xr.DataArray) -> np.ndarray:
    """Where each voxel (z, y, x) lies, from the affine alone."""
    k, i, j = np.meshgrid(*(np.arange(da.sizes[d]) for d in "zyx"), indexing="ij")
    index = np.stack([k, i, j, np.ones_like(k)], axis=-1)
    return (index @ da.dicom.affine.T)[..., :3]


def with_truth(da: xr.DataArray) -> xr.DataArray:
    """The array with the function's values in all its volumes."""
    wanted = xr.DataArray(truth(places(da)).astype(np.float32), dims=("z", "y", "x"))
    ordered = da.transpose(..., "z", "y", "x")
    return ordered.copy(data=np.broadcast_to(wanted.values, ordered.shape).copy())


@pytest.fixture
def make(tmp_path):
    """Write and open a series with the function's values."""
    count = iter(range(100))

    def make(dims, *, spacing=(1.5, 1.25), tilt=0.0, values=True, **options):
        folder = tmp_path / str(next(count))
        if tilt:
            row, column = np.array(options.get("orientation", (1, 0, 0, 0, 1, 0))).reshape(2, 3)
            step = options.get("slice_spacing", 3.0)
            drift = np.array(options["origin"])
            options["attributes"] = {
                "ImagePositionPatient": lambda at: (
                    drift + at["z"] * (step * np.cross(row, column) + tilt * column)
                ).tolist(),
                **options.get("attributes", {}),
            }
        write_series(folder, dims, pixel_spacing=spacing, shuffle=3, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IrregularSpacingWarning)
            warnings.simplefilter("ignore", ShearedStackWarning)
            da = xdicom.open_series(folder).load()
        return with_truth(da) if values else da

    return make
