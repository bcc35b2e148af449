"""to_zarr and open_zarr give back the same Dataset: values, dtypes, missing ones, attrs' types."""

import numpy as np
import pytest
import xarray as xr
from pydicom.data import get_testdata_file

from xdicom.testing import write_enhanced, write_multiframe, write_series

pytestmark = pytest.mark.filterwarnings(
    # zarr's word on text of fixed width: the only kind that comes back with the dtype it had
    "ignore:The data type .FixedLengthUTF32:UserWarning",
    "ignore:.*FixedLengthUTF32.*",
)


def differences(a: xr.Dataset, b: xr.Dataset) -> list[str]:
    """What differs, by the strictest comparison."""
    found = []
    if set(map(str, a.variables)) != set(map(str, b.variables)):
        found.append(f"variables {set(a.variables) ^ set(b.variables)}")
    if set(a.coords) != set(b.coords):
        found.append("coords")
    if set(a.xindexes) != set(b.xindexes):
        found.append("indexes")
    for name in a.variables:
        if name not in b.variables:
            continue
        x, y = a.variables[name], b.variables[name]
        if x.dims != y.dims or x.shape != y.shape:
            found.append(f"{name}: dims")
            continue
        if x.dtype != y.dtype:
            found.append(f"{name}: dtype {x.dtype} {y.dtype}")
        if missing(x) != missing(y):
            found.append(f"{name}: missing")
        nan = x.dtype.kind in "fmM"
        if not np.array_equal(x.values, y.values, equal_nan=nan):
            found.append(f"{name}: values")
        found += [f"{name}: {d}" for d in attr_differences(x.attrs, y.attrs)]
    return found + attr_differences(a.attrs, b.attrs)


def missing(variable: xr.Variable) -> int:
    kind = variable.dtype.kind
    values = variable.values
    if kind == "f":
        return int(np.isnan(values).sum())
    if kind in "mM":
        return int(np.isnat(values).sum())
    return int((values == "").sum()) if kind == "U" else 0


def attr_differences(a: dict, b: dict) -> list[str]:
    return [f"attrs {k}" for k in set(a) ^ set(b)] + [
        f"attrs {key}: {a[key]!r} {b[key]!r}"
        for key in set(a) & set(b)
        if type(a[key]) is not type(b[key]) or a[key] != b[key]
    ]


def classic(folder):
    write_series(
        folder,
        {"component": ["M", "P"], "EchoTime": [1.5, 2.5], "z": 3},
        rows=4,
        columns=5,
        slope=lambda i: 1.0 if i["component"] == 0 else 0.25,
        intercept=0,
        attributes={
            "AcquisitionDate": "20200102",
            "AcquisitionTime": lambda i: f"1000{i['z']:02d}.5",
            "ReceiveCoilName": lambda i: None if i["z"] == 0 else f"coil {i['z']}",
            "NumberOfAverages": lambda i: None if i["z"] == 1 else i["z"],
            "EchoNumbers": lambda i: None if i["z"] == 1 else i["z"],
        },
    )
    return xr.open_dataset(folder, engine="dicom")


def everything(folder):
    classic(folder)
    return xr.open_dataset(folder, engine="dicom", coords="all")


def stored(folder):
    classic(folder)
    return xr.open_dataset(folder, engine="dicom", mask_and_scale=False)


def enhanced(folder):
    folder.mkdir()
    return xr.open_dataset(
        write_enhanced(folder / "e.dcm", {"time": 3, "z": 2}, rows=4, columns=5), engine="dicom"
    )


def colour(folder):
    folder.mkdir()
    frames = np.zeros((2, 4, 5, 3), np.uint8)
    return xr.open_dataset(write_multiframe(folder / "c.dcm", frames), engine="dicom")


def holes(folder):
    write_series(folder, {"EchoTime": [1.0, 2.0], "z": 3}, rows=4, columns=5,
                 drop=[{"EchoTime": 1, "z": 2}])  # fmt: skip
    return xr.open_dataset(folder, engine="dicom", ragged="fill")


def single(folder):
    del folder
    return xr.open_dataset(get_testdata_file("CT_small.dcm"), engine="dicom", coords="all")


@pytest.fixture(params=[classic, everything, stored, enhanced, colour, holes, single],
                ids=lambda f: f.__name__)  # fmt: skip
def dataset(request, tmp_path):
    return request.param(tmp_path / "s")


@pytest.mark.parametrize("chunked", [False, True])
def test_round_trip(dataset, tmp_path, chunked):
    source = dataset.chunk() if chunked else dataset
    source.to_zarr(tmp_path / "a.zarr", consolidated=False)
    again = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert differences(dataset, again) == []
    xr.testing.assert_identical(dataset.load(), again.load())


def test_the_comparison_sees_every_change(dataset):
    """A change of one value of each coordinate, of a dtype, of an attr's type is seen."""
    dataset = dataset.load()
    assert differences(dataset, dataset.copy(deep=True)) == []
    for name in dataset.variables:
        changed = dataset.copy(deep=True)
        values = changed[name].values.copy()
        flat = values.reshape(-1)
        kind = values.dtype.kind
        if kind == "U":
            flat[0] = "" if flat[0] else "x"
        elif kind == "b":
            flat[0] = not flat[0]
        elif kind in "mM":
            flat[0] = np.array("NaT", values.dtype)
        else:
            flat[0] = flat[0] + 1 if flat[0] == flat[0] else 0
        changed[name] = (changed[name].dims, flat.reshape(values.shape), changed[name].attrs)
        assert differences(dataset, changed), name
    renamed = dataset.copy()
    renamed.attrs = {**dataset.attrs, "Modality": 5}
    assert differences(dataset, renamed)
    retyped = dataset.assign_coords(frame_id=dataset.frame_id.astype("f8"))
    assert differences(dataset, retyped)


def test_netcdf_attrs_are_plain(dataset):
    for variable in (dataset, *dataset.variables.values()):
        for key, value in variable.attrs.items():
            assert isinstance(key, str)
            assert isinstance(value, (str, int, float, list)), key
            assert not isinstance(value, bool)
