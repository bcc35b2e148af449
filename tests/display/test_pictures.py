"""Display values follow the formulas of PS3.3 C.11.2, frame by frame, and stay lazy."""

import pickle

import dask
import numpy as np
import pytest
import xarray as xr
from pydicom.data import get_testdata_file

import xdicom
from xdicom.pixels.array import COUNTER
from xdicom.testing import write_enhanced, write_series

STORED = np.random.default_rng(1).integers(0, 4096, (3, 5, 7)).astype(np.uint16)


def linear(x, c, w):
    """C.11.2.1.2.1, as the pseudo-code there, from 0 to 255."""
    inside = ((x - (c - 0.5)) / (w - 1) + 0.5) * 255 if w > 1 else 0
    return np.where(x <= c - 0.5 - (w - 1) / 2, 0, np.where(x > c - 0.5 + (w - 1) / 2, 255, inside))


def linear_exact(x, c, w):
    """C.11.2.1.3.2."""
    inside = ((x - c) / w + 0.5) * 255
    return np.where(x <= c - w / 2, 0, np.where(x > c + w / 2, 255, inside))


def sigmoid(x, c, w):
    """C.11.2.1.3.1."""
    return 255 / (1 + np.exp(-4 * (x - c) / w))


FUNCTIONS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid, None: linear}


def write(folder, attributes, stored=STORED, **options):
    return write_series(folder, {"z": len(stored)}, stored=stored, attributes=attributes, **options)


def window(centre, width, function=None, **others):
    return {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function, **others}


def lut(descriptor, data, explanation=None):
    item = {"LUTDescriptor": descriptor, "LUTData": data}
    return item | ({"LUTExplanation": explanation} if explanation else {})


@pytest.mark.parametrize("scaling", ["modality", "stored", "exact"])
@pytest.mark.parametrize("chunks", [None, {}, {"z": 2, "y": 3}])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(tmp_path, function, chunks, scaling):
    write(tmp_path, window(500, 1000, function), slope=2, intercept=-1024)
    da = xdicom.open_series(tmp_path, scaling=scaling, chunks=chunks)
    COUNTER.reset()
    shown = da.dicom.display()
    assert COUNTER.frames == 0
    assert (shown.dtype, shown.dims, shown.chunks) == (np.uint8, da.dims, da.chunks)
    expected = np.rint(FUNCTIONS[function](STORED * 2.0 - 1024, 500, 1000))
    np.testing.assert_array_equal(shown, expected)
    COUNTER.reset()
    np.testing.assert_array_equal(shown.isel(z=1, y=[4, 0], x=2), expected[1, [4, 0], 2])
    assert COUNTER.frames == (2 if chunks == {"z": 2, "y": 3} else 1) or chunks
    np.testing.assert_array_equal(da.transpose("x", "z", "y").dicom.display(),
                                  expected.transpose(2, 0, 1))  # fmt: skip
    np.testing.assert_array_equal(da[1].dicom.display(), expected[1])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(shown)), expected)


def test_dask_has_a_task_for_each_chunk(tmp_path):
    write(tmp_path, window(lambda i: 500 + i["z"], 1000))
    da = xdicom.open_series(tmp_path, chunks={})
    (shown,) = dask.optimize(da.dicom.display())
    tasks = [k[0] for k in shown.data.dask if isinstance(k, tuple)]
    assert sum(name.startswith("display") for name in tasks) == 3
    assert len(tasks) == 3 * 3  # and the frame that is read, and what is known of it


@pytest.mark.parametrize("width", [1, 2, 1.5])
def test_narrow_windows(tmp_path, width):
    stored = np.arange(95, 105, dtype=np.uint16).reshape(1, 2, 5)
    write(tmp_path, window(100, width), stored)
    shown = xdicom.open_series(tmp_path).dicom.display()
    np.testing.assert_array_equal(shown, np.rint(linear(stored * 1.0, 100, width)))
    assert set(np.unique(shown)) >= {0, 255}


@pytest.mark.parametrize(("centre", "width", "function"), [
    (100, 0.5, None), (100, 0, "LINEAR_EXACT"), (100, -5, "SIGMOID"), (100, 20, "CUBIC"),
])  # fmt: skip
def test_windows_that_are_invalid(tmp_path, centre, width, function):
    write(tmp_path, window(centre, width, function))
    da = xdicom.open_series(tmp_path)
    with pytest.raises(xdicom.MissingAttributeError, match=r"invalid.*window="):
        da.dicom.display()
    assert da.dicom.display((100, 20)).dtype == np.uint8


def test_a_pair_is_in_the_values_of_the_array(tmp_path):
    write(tmp_path, window(5, 10), slope=2, intercept=-1024)
    for scaling, values in (("modality", STORED * 2.0 - 1024), ("stored", STORED * 1.0)):
        shown = xdicom.open_series(tmp_path, scaling=scaling).dicom.display((300, 600))
        np.testing.assert_array_equal(shown, np.rint(linear_exact(values, 300, 600)))


def test_each_frame_its_own_window(tmp_path):
    write(tmp_path, window(lambda i: 1000 + 500 * i["z"], lambda i: [800, 90][i["z"] % 2]))
    da = xdicom.open_series(tmp_path)
    expected = np.rint(
        [linear(f * 1.0, 1000 + 500 * i, [800, 90][i % 2]) for i, f in enumerate(STORED)]
    )
    np.testing.assert_array_equal(da.dicom.display(), expected)
    np.testing.assert_array_equal(da.isel(z=[2, 0]).dicom.display(), expected[[2, 0]])
    np.testing.assert_array_equal(da.chunk({"z": 2}).dicom.display(), expected)
    with pytest.raises(xdicom.HeadersUnavailableError, match="window="):
        da.mean("z", keep_attrs=True).dicom.display()


def test_windows_of_functional_groups(tmp_path):
    write_enhanced(tmp_path / "e.dcm", {"z": 3}, stored=STORED,
                   attributes=window(lambda i: 1000 + 500 * i["z"], 900))  # fmt: skip
    expected = np.rint([linear(f * 1.0, 1000 + 500 * i, 900) for i, f in enumerate(STORED)])
    np.testing.assert_array_equal(xdicom.open_series(tmp_path).dicom.display(), expected)


@pytest.mark.parametrize("voi", [None, 0, 1, "bone", " soft "])
def test_one_of_several_windows(tmp_path, voi):
    write(tmp_path, window([40, 600], [400, 2000], WindowCenterWidthExplanation=["soft", "bone"]))
    c, w = (600, 2000) if voi in (1, "bone") else (40, 400)
    shown = xdicom.open_series(tmp_path).dicom.display(voi=voi)
    np.testing.assert_array_equal(shown, np.rint(linear(STORED * 1.0, c, w)))


@pytest.mark.parametrize("voi", [2, -1, "lung"])
def test_a_view_that_is_not_there_lists_those_that_are(tmp_path, voi):
    write(tmp_path, window([40, 600], [400, 2000], WindowCenterWidthExplanation=["soft", "bone"]))
    with pytest.raises(xdicom.MissingAttributeError, match="voi="):
        xdicom.open_series(tmp_path).dicom.display(voi=voi)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("slope", [1, 2])
def test_voi_luts(tmp_path, bits, slope):
    rng = np.random.default_rng(bits)
    data = rng.integers(0, 2**bits, 300).tolist()
    other = rng.integers(0, 2**16, 65536)
    items = [lut([300, 100, bits], data, "mine"), lut([0, 0, 16], other.tolist(), "wide")]
    write(tmp_path, {**window(40, 400), "VOILUTSequence": items}, slope=slope)
    x = STORED.astype(int) * slope
    for scaling in ("modality", "stored"):
        da = xdicom.open_series(tmp_path, scaling=scaling)
        expected = np.rint(np.array(data)[np.clip(x - 100, 0, 299)] * 255 / (2**bits - 1))
        np.testing.assert_array_equal(da.dicom.display(), expected)
        np.testing.assert_array_equal(da.dicom.display(voi="mine"), expected)
        np.testing.assert_array_equal(da.dicom.display(voi="wide"), np.rint(other[x] / 257))
        np.testing.assert_array_equal(da.dicom.display(voi=2), np.rint(linear(x * 1.0, 40, 400)))
    np.testing.assert_array_equal(da.chunk({"z": 1}).dicom.display(), expected)


def test_a_voi_lut_of_negative_values(tmp_path):
    """C.11.2.1.1: the first value is signed where the rescale may give negative ones."""
    stored = np.arange(24, dtype=np.uint16).reshape(1, 4, 6)
    first = np.array([10, 65526, 16], "<u2").tobytes()  # −10
    data = np.linspace(0, 65535, 10).round().astype(int)
    write(tmp_path, {"VOILUTSequence": [lut(first, data.tolist())]}, stored, intercept=-12)
    expected = np.rint(data[np.clip(stored.astype(int) - 12 + 10, 0, 9)] / 257)
    np.testing.assert_array_equal(xdicom.open_series(tmp_path).dicom.display(), expected)


def test_each_frame_its_own_voi_lut(tmp_path):
    write(tmp_path, {"VOILUTSequence": lambda i: [lut([2, 0, 8], [0, 60 * (i["z"] + 1)])]})
    shown = xdicom.open_series(tmp_path).dicom.display()
    assert shown.max(("y", "x")).values.tolist() == [60, 120, 180]


@pytest.mark.parametrize("attributes", [
    {"PhotometricInterpretation": "MONOCHROME1"},
    {"PresentationLUTShape": "INVERSE"},
    {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
])  # fmt: skip
def test_inverted(tmp_path, attributes):
    write(tmp_path, {**window(500, 1000), **attributes})
    da = xdicom.open_series(tmp_path)
    np.testing.assert_array_equal(
        da.dicom.display(), np.rint(255 - linear(STORED * 1.0, 500, 1000))
    )
    shown = da.dicom.display((500, 1000))
    np.testing.assert_array_equal(shown, np.rint(255 - linear_exact(STORED * 1.0, 500, 1000)))


def test_without_a_window_the_range_of_the_headers(tmp_path):
    none = window(None, None)
    sizes = {"SmallestImagePixelValue": lambda i: 100 * i["z"] + 50,
             "LargestImagePixelValue": lambda i: 4000 - i["z"]}  # fmt: skip
    write(tmp_path / "a", {**none, **sizes}, slope=2)
    shown = xdicom.open_series(tmp_path / "a").dicom.display()
    np.testing.assert_array_equal(shown, np.rint(linear_exact(STORED * 2.0, 4050, 7900)))
    sizes = {"SmallestImagePixelValue": None, "LargestImagePixelValue": None}
    write(tmp_path / "b", {**none, **sizes}, bits_stored=12)
    shown = xdicom.open_series(tmp_path / "b").dicom.display()
    np.testing.assert_array_equal(shown, np.rint(STORED / 4095 * 255))


def test_auto_reads_all_frames_at_once_and_then_again(tmp_path):
    write(tmp_path, window(1, 2))
    da = xdicom.open_series(tmp_path)
    COUNTER.reset()
    shown = da.dicom.display("auto")
    assert COUNTER.frames == 3
    low, high = np.percentile(STORED, [0.5, 99.5])
    expected = np.rint(linear_exact(STORED * 1.0, (low + high) / 2, high - low))
    np.testing.assert_array_equal(shown, expected)
    np.testing.assert_array_equal(da.chunk({}).dicom.display("auto"), expected)


def test_derived_arrays(tmp_path):
    write(tmp_path, {**window(500, 1000), "PhotometricInterpretation": "MONOCHROME1"})
    da = xdicom.open_series(tmp_path)
    expected = np.rint(255 - linear(STORED * 2.0, 500, 1000))
    np.testing.assert_array_equal((da * 2).assign_attrs(da.attrs).dicom.display(), expected)
    mean = da.mean("z", keep_attrs=True)
    np.testing.assert_array_equal(
        mean.dicom.display(), np.rint(255 - linear(mean.values.astype(float), 500, 1000))
    )
    bare = (da * 2).drop_attrs()
    with pytest.raises(xdicom.HeadersUnavailableError, match="window="):
        bare.dicom.display()
    np.testing.assert_array_equal(bare.dicom.display((100, 50)),
                                  np.rint(linear_exact(STORED * 2.0, 100, 50)))  # fmt: skip
    np.testing.assert_array_equal(bare.dicom.display(source=da), expected)


def test_holes_and_nan_are_black(tmp_path):
    write_series(tmp_path, {"EchoTime": [1, 2], "z": 2}, drop=[{"EchoTime": 1, "z": 0}],
                 attributes={**window(0, 2), "PhotometricInterpretation": "MONOCHROME1"},
                 stored=lambda i: np.zeros((2, 2), np.uint16))  # fmt: skip
    da = xdicom.open_series(tmp_path, ragged="fill")
    for array in (da, da.chunk({"z": 1})):
        # LINEAR: 255 · (0.5 / 1 + 0.5) turned round
        assert array.dicom.display().values[..., 0, 0].tolist() == [[0, 0], [0, 0]]
        grey = array.dicom.display((0, 2)).values[..., 0, 0]
        assert grey.tolist() == [[128, 128], [0, 128]]
    nan = da.where(da.EchoTime == 1).dicom.display((0, 10))
    assert nan.values[1].max() == 0
    assert nan.values[0].min() == 128


def test_other_scalings_need_a_window_of_their_own(tmp_path):
    write_series(
        tmp_path, {"z": 2}, modality="PT", attributes={**window(1, 2), "PatientWeight": 70}
    )
    da = xdicom.open_series(tmp_path, scaling="suv")
    with pytest.raises(ValueError, match=r"scaling='suv'.*window="):
        da.dicom.display()
    assert da.dicom.display((2, 4)).dtype == np.uint8


@pytest.mark.parametrize("chunks", [None, {}])
def test_colours(tmp_path, chunks):
    stored = np.random.default_rng(2).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    write(tmp_path / "rgb", {}, stored)
    da = xdicom.open_series(tmp_path / "rgb", chunks=chunks)
    COUNTER.reset()
    shown = da.dicom.display()
    assert COUNTER.frames == 0
    np.testing.assert_array_equal(shown, stored)
    np.testing.assert_array_equal(shown[1, 2, :, 1], stored[1, 2, :, 1])
    np.testing.assert_array_equal(
        da.transpose("sample", ...).dicom.display(), np.moveaxis(stored, -1, 0)
    )
    with pytest.raises(ValueError, match="no window"):
        da.dicom.display((1, 2))
    wide = (stored.astype(np.uint16) << 8) + 3
    write(tmp_path / "wide", {}, wide)
    da = xdicom.open_series(tmp_path / "wide", chunks=chunks)
    np.testing.assert_array_equal(da.dicom.display(), stored)


def test_stored_ybr_becomes_rgb():
    path = get_testdata_file("examples_ybr_color.dcm")
    raw, rgb = (xdicom.open_series(path, color=c)[:2] for c in ("raw", "rgb"))
    np.testing.assert_array_equal(raw.dicom.display(), rgb)


def test_options_that_make_no_sense(tmp_path):
    write(tmp_path, window(1, 2))
    da = xdicom.open_series(tmp_path)
    for given in ({"window": "header"}, {"window": (1, 2), "voi": 0}, {"window": (1, 0)}):
        with pytest.raises(ValueError, match="window"):
            da.dicom.display(**given)
    with pytest.raises(ValueError, match="complex"):
        (da + 1j).dicom.display()


def test_datasets_and_trees(tmp_path):
    write(tmp_path, window(500, 1000))
    expected = np.rint(linear(STORED * 1.0, 500, 1000))
    ds = xr.open_dataset(tmp_path, engine="dicom")
    np.testing.assert_array_equal(ds.dicom.display(), expected)
    tree = xr.open_datatree(tmp_path, engine="dicom")
    np.testing.assert_array_equal(tree.dicom.display(), expected)
