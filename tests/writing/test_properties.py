"""Write → open is the identity, for any crop, flip and stride of any stack."""

from __future__ import annotations

import tempfile

import hypothesis
import numpy as np
from hypothesis import strategies as st

import xdicom
from xdicom import testing


def places(da):
    """Patient position of every voxel, by coordinates: shape (..., 3)."""
    space = np.array(da.patient_space.attrs["ImageOrientationPatient"]).reshape(2, 3)
    normal = np.cross(*space)
    z, y, x = (da[d].values for d in ("z", "y", "x"))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    return x[..., None] * space[0] + y[..., None] * space[1] + z[..., None] * normal


def slices(size):
    return st.slices(size).filter(lambda s: len(range(size)[s]) > 0)


@hypothesis.given(
    geometry=testing.geometries(),
    dims=testing.dims_strategy(("component", "EchoTime"), max_size=2),
    cut=st.tuples(slices(5), slices(6), slices(7)),
    scaling=st.sampled_from(["modality", "stored"]),
    rescale=st.sampled_from([(None, None), (1.0, -1024.0), (0.37, 12.5)]),
)
@hypothesis.settings(max_examples=40, deadline=None)
def test_every_voxel_keeps_its_value_and_place(geometry, dims, cut, scaling, rescale):
    with tempfile.TemporaryDirectory() as folder:
        slope, intercept = rescale
        testing.write_series(
            f"{folder}/s", {**dims, "z": 5}, rows=6, columns=7, slope=slope, intercept=intercept,
            **geometry,
        )  # fmt: skip
        da = xdicom.open_series(f"{folder}/s", scaling=scaling)
        part = da.isel(z=cut[0], y=cut[1], x=cut[2])
        part.dicom.to_dicom(f"{folder}/o")
        again = xdicom.open_series(f"{folder}/o", scaling=scaling)
        assert again.dims == part.dims
        assert again.dtype == part.dtype
        # slices ascend along the normal of the new planes, which may be the old one reversed
        expected = places(part).reshape(-1, 3)
        found = places(again).reshape(-1, 3)
        order, again_order = (np.lexsort(np.round(p, 2).T) for p in (expected, found))
        np.testing.assert_allclose(found[again_order], expected[order], atol=1e-4)
        frames = part.shape[: part.ndim - 3]
        old = part.values.reshape(*frames, -1)[..., order]
        new = again.values.reshape(*frames, -1)[..., again_order]
        np.testing.assert_array_equal(new, old)
