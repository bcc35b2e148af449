"""The mask of padding follows its array wherever xarray takes it."""

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.pixels.array import COUNTER
from xdicom.testing import write_series

STORED = np.arange(2 * 3 * 6 * 8, dtype=np.uint16).reshape(2, 3, 6, 8) % 50


@pytest.fixture(scope="module", params=[
    {},
    {"orientation": (0.8, 0.6, 0, -0.6, 0.8, 0)},
    {"attributes": {"PixelSpacing": None}},
], ids=["axial", "oblique", "no spacing"])  # fmt: skip
def da(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("padded")
    options = {**request.param}
    attributes = {"PixelPaddingValue": 30, "PixelPaddingRangeLimit": 34}
    options["attributes"] = {**attributes, **options.get("attributes", {})}
    write_series(folder, {"EchoTime": [1, 2], "z": 3}, stored=STORED, slope=2.5, **options)
    return xdicom.open_series(folder)


@pytest.mark.parametrize(
    "cut",
    [
        lambda a: a,
        lambda a: a.isel(z=1),
        lambda a: a.isel(EchoTime=1, z=[2, 0]),
        lambda a: a.isel(y=slice(1, 5, 2), x=slice(None, None, -1)),
        lambda a: a.isel(y=3),
        lambda a: a.isel(EchoTime=0, z=0, y=2, x=[4, 1]),
        lambda a: a.transpose("x", "z", "EchoTime", "y"),
        lambda a: xr.concat([a.isel(z=[2]), a.isel(z=[0])], "z"),
        lambda a: a.chunk({"z": 1, "y": 3}).isel(x=slice(2, 7)),
        lambda a: a * 3 + 1,
    ],
)
def test_follows_selections(da, cut):
    whole = xr.DataArray((STORED >= 30) & (STORED <= 34), dims=da.dims, coords=da.coords)
    array = cut(da)
    expected = cut(whole).astype(bool) if array.shape != da.shape else None
    COUNTER.reset()
    mask = array.dicom.padding_mask()
    assert COUNTER.frames == 0
    assert (mask.dims, mask.dtype, mask.chunks) == (array.dims, bool, array.chunks)
    if expected is None:
        expected = whole.transpose(*array.dims)
    np.testing.assert_array_equal(mask.values, expected.values)
    xr.testing.assert_equal(mask.coords.to_dataset(), array.coords.to_dataset())


def test_holes_are_no_padding(tmp_path):
    write_series(tmp_path, {"EchoTime": [1, 2], "z": 2}, stored=lambda i: np.full((2, 2), 30, "u2"),
                 attributes={"PixelPaddingValue": 30}, drop=[{"EchoTime": 1, "z": 0}])  # fmt: skip
    mask = xdicom.open_series(tmp_path, ragged="fill").dicom.padding_mask()
    assert mask.values[..., 0, 0].tolist() == [[True, True], [False, True]]


def test_resampled_or_reduced_arrays(da):
    with pytest.raises(xdicom.GeometryError, match="along x"):
        da.coarsen(x=2).mean().dicom.padding_mask()
    with pytest.raises(xdicom.HeadersUnavailableError, match="before reducing"):
        da.mean("z", keep_attrs=True).dicom.padding_mask()
