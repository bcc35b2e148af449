"""Montages: which frames are read, which way up, how wide, how grey, what stands beside them."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pydicom.data import get_testdata_file

import xdicom
from xdicom.display.canvas import layout_of
from xdicom.display.montage import montage
from xdicom.pixels.array import COUNTER
from xdicom.testing import write_series


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two echoes of ten slices, 16 rows of 3 mm by 24 columns of 1 mm."""
    made = tmp_path_factory.mktemp("series")
    write_series(made, {"EchoTime": [4.9, 9.8], "z": 10}, pixel_spacing=(3, 1))
    return made


@pytest.fixture
def series(folder):
    return xdicom.open_series(folder)


def plane(values, **attrs):
    """A DataArray of one frame without any coordinates."""
    return xr.DataArray(np.asarray(values), dims=("y", "x"), attrs=attrs)


def tiles(figure):
    """The axes that hold frames."""
    return [a for a in figure.axes if a.images]


def words(figure):
    """All that is written on a figure."""
    texts = [t.get_text() for t in figure.texts]
    return texts + [t.get_text() for axes in figure.axes for t in axes.texts]


def rendered(figure):
    """The figure as RGB, row 0 at the top."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def seen(figure, tile):
    """What of a rendered figure lies within a tile."""
    picture = rendered(figure)
    box = tiles(figure)[tile].get_position()
    height, width = picture.shape[:2]
    rows = slice(round((1 - box.y1) * height), round((1 - box.y0) * height))
    return picture[rows, round(box.x0 * width) : round(box.x1 * width)]


def inches(figure, tile):
    """Width and height of a tile."""
    box = tiles(figure)[tile].get_position()
    return box.width * figure.get_figwidth(), box.height * figure.get_figheight()


@pytest.mark.parametrize("chunks", [None, "auto", {}, {"z": 4}])
def test_only_frames_that_are_shown_are_decoded(folder, chunks):
    array = xdicom.open_series(folder, chunks=chunks)
    COUNTER.reset()
    figure = array.dicom.montage(limit=6)
    assert COUNTER.frames == len(tiles(figure)) == 6


@pytest.mark.parametrize(
    ("change", "decoded"), [(lambda a: a * 2, 20), (lambda a: a.isel(z=slice(1, 9)), 20)]
)
def test_no_frame_is_decoded_twice_for_what_dask_made(folder, change, decoded):
    array = change(xdicom.open_series(folder, chunks="auto"))
    COUNTER.reset()
    assert len(tiles(montage(array, limit=6))) == 6
    assert COUNTER.frames <= decoded


def test_all_frames_are_read_once(series):
    COUNTER.reset()
    figure = series.dicom.montage()
    assert COUNTER.frames == len(tiles(figure)) == 20
    assert "thinned" not in " ".join(words(figure))


def test_frames_stand_in_order_and_hold_their_values(series):
    figure = montage(series)
    shown = np.stack([np.asarray(a.images[0].get_array()) for a in tiles(figure)])
    np.testing.assert_array_equal(shown, series.values.reshape(20, 16, 24))


def test_thinning_is_even_and_the_title_says_so(series):
    figure = montage(series, limit=8)
    assert any("8 of 20 frames, evenly thinned" in t for t in words(figure))
    shown = np.stack([np.asarray(a.images[0].get_array()) for a in tiles(figure)])
    expected = series.isel(z=[0, 3, 6, 9]).values.reshape(8, 16, 24)
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (3, 3), (19, 18), (20, 20), (64, 20)])
def test_limit_is_never_passed(series, limit, count):
    assert len(tiles(montage(series, limit=limit))) == count


def test_thinning_of_very_many_frames_is_quick():
    frames = xr.DataArray(np.zeros((1, 1, 1)), dims=("time", "y", "x"))
    many = frames.isel(time=np.zeros(100_000, int))
    assert len(tiles(montage(many, limit=9, labels=False))) == 9


def test_row_0_is_at_the_top_and_x_runs_to_the_right():
    values = np.zeros((8, 8))
    values[0, 0] = values[0, -1] = 1
    values[-1, -1] = 0.5
    picture = seen(montage(plane(values), window=(0.5, 1)), 0)[..., 0]
    assert picture[5, 5] > 240
    assert picture[5, -5] > 240
    assert picture[-5, 5] < 20
    assert 100 < picture[-5, -5] < 160


def test_a_flipped_array_is_drawn_flipped_with_its_letters(series):
    figure = montage(series.isel(y=slice(None, None, -1), x=slice(None, None, -1)))
    shown = np.asarray(tiles(figure)[0].images[0].get_array())
    np.testing.assert_array_equal(shown, series.values[0, 0, ::-1, ::-1])
    places = {t.get_text(): t.get_position() for t in tiles(figure)[0].texts}
    assert places["L"][0] < 0.5 < places["R"][0]
    assert places["A"][1] < 0.5 < places["P"][1]


def test_letters_stand_at_the_edges_of_the_first_tile_only(series):
    figure = montage(series)
    places = {t.get_text(): t.get_position() for t in tiles(figure)[0].texts}
    assert places["R"][0] < 0.5 < places["L"][0]
    # axes fractions count from the foot
    assert places["P"][1] < 0.5 < places["A"][1]
    assert not {"R", "L", "A", "P"} & {t.get_text() for t in tiles(figure)[1].texts}


def test_oblique_planes_have_two_letters(tmp_path):
    write_series(tmp_path, {"z": 2}, orientation=(1, 0, 0, 0, 0.8, 0.6))
    found = words(xdicom.open_series(tmp_path).dicom.montage())
    assert {"AI", "PS"} <= set(found)


def test_pixels_that_are_not_square_are_drawn_in_mm(series):
    width, height = inches(montage(series), 0)
    assert width / height == pytest.approx(24 * 1 / (16 * 3))


def test_a_stride_keeps_the_shape(series):
    width, height = inches(montage(series.isel(x=slice(None, None, 2))), 0)
    assert width / height == pytest.approx(24 * 1 / (16 * 3))


def test_without_spacing_the_aspect_ratio_counts(tmp_path):
    gone = dict.fromkeys(("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"))
    write_series(
        tmp_path,
        {"z": 1},
        modality="OT",
        rows=20,
        columns=20,
        attributes={**gone, "PixelAspectRatio": [2, 1]},
    )
    width, height = inches(xdicom.open_series(tmp_path).dicom.montage(), 0)
    assert width / height == pytest.approx(0.5)


def test_without_any_coordinates_pixels_are_square():
    width, height = inches(montage(plane(np.eye(6)[:3])), 0)
    assert width / height == pytest.approx(2)


def test_tiles_do_not_overlap_and_stay_on_the_figure(series):
    figure = montage(series)
    boxes = [a.get_position() for a in figure.axes]
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= 1 and b.y1 <= 1 for b in boxes)
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
            assert apart


def test_labels_name_dims_values_and_units(series):
    found = words(montage(series))
    assert "EchoTime 4.9 ms · z 10 mm" in found or "EchoTime 4.9 ms\nz 10 mm" in found
    assert not any("z 10 mm" in t for t in words(montage(series, labels=False)))


def test_constant_dims_are_left_out_of_labels(series):
    assert "z 10 mm" in words(montage(series.isel(EchoTime=[0])))
    assert "EchoTime 9.8 ms" in words(montage(series.isel(z=0)))


def test_a_single_frame_is_labelled(series):
    figure = montage(series.isel(EchoTime=[1], z=[0]))
    assert any("z 10 mm" in t for t in words(figure))
    assert len(tiles(montage(series.isel(EchoTime=1, z=0)))) == 1


def test_dims_change_the_order_of_tiles(series):
    figure = montage(series, dims=("z", "EchoTime"))
    second = np.asarray(tiles(figure)[1].images[0].get_array())
    np.testing.assert_array_equal(second, series.values[1, 0])


def test_a_transposed_array_gives_the_same_picture(series):
    turned = montage(series.transpose("x", "z", "y", "EchoTime"), dims=("EchoTime", "z"))
    pictures = [
        np.stack([np.asarray(a.images[0].get_array()) for a in tiles(f)])
        for f in (montage(series), turned)
    ]
    np.testing.assert_array_equal(*pictures)


def test_all_tiles_share_one_scale(series):
    figure = montage(series)
    limits = {a.images[0].get_clim() for a in tiles(figure)}
    assert limits == {tuple(np.percentile(series.values, (0.5, 99.5)))}


def test_monochrome1_is_drawn_inverted(tmp_path):
    write_series(tmp_path, {"z": 2}, attributes={"PhotometricInterpretation": "MONOCHROME1"})
    array = xdicom.open_series(tmp_path)
    mapping = tiles(montage(array))[0].images[0].cmap
    assert mapping(0.0)[0] == 1
    assert mapping(1.0)[0] == 0
    # the values are not inverted, and other colours keep their direction
    np.testing.assert_array_equal(
        np.asarray(tiles(montage(array))[0].images[0].get_array()), array.values[0]
    )
    assert tiles(montage(array, cmap="viridis"))[0].images[0].cmap(0.0)[2] > 0.3
    assert tiles(montage(array.drop_attrs()))[0].images[0].cmap(0.0)[0] == 0


def test_colour_is_shown_as_it_is():
    array = xdicom.open_series(get_testdata_file("SC_rgb.dcm"))
    figure = montage(array)
    picture = seen(figure, 0)
    np.testing.assert_allclose(picture[8, 8], array.values.reshape(100, 100, 3)[2, 2], atol=2)
    # no colour bar
    assert len(figure.axes) == 1


def test_raw_ybr_is_shown_in_its_colours():
    file = get_testdata_file("examples_ybr_color.dcm")
    rgb, raw = (xdicom.open_series(file, color=c).isel(time=[3]) for c in ("rgb", "raw"))
    pictures = [np.asarray(tiles(montage(a))[0].images[0].get_array()) for a in (rgb, raw)]
    np.testing.assert_allclose(*pictures, atol=2 / 255)


def test_nan_and_bool_are_drawn():
    values = np.linspace(0, 1, 64).reshape(8, 8)
    values[:4] = np.nan
    picture = seen(montage(plane(values)), 0)
    assert (picture[10] == (0x0C, 0x0E, 0x12)).all()
    assert seen(montage(plane(np.eye(2, dtype=bool))), 0)[5, 5, 0] > 240


def test_a_constant_array_is_drawn():
    assert tiles(montage(plane(np.full((4, 4), 7))))[0].images[0].get_clim() == (6.5, 7.5)
    assert tiles(montage(plane(np.full((4, 4), np.nan))))[0].images[0].get_clim() == (0, 1)


def test_large_frames_are_reduced_to_means():
    values = np.arange(2100 * 8, dtype=np.float32).reshape(2100, 8)
    axes = tiles(montage(plane(values)))[0]
    shown = np.asarray(axes.images[0].get_array())
    assert shown.shape == (700, 2)
    assert shown[0, 0] == values[:3, :3].mean()
    assert axes.images[0].get_extent() == [0, 8, 2100, 0]


def test_lazy_arithmetic_is_drawn(folder):
    array = xdicom.open_series(folder, chunks={})
    shown = tiles(montage((array * 2).mean("EchoTime")))[0].images[0].get_array()
    np.testing.assert_allclose(shown, array.values[:, 0].mean(0) * 2)


def test_a_dataset_is_drawn_by_its_pixels(folder):
    dataset = xr.open_dataset(folder, engine="dicom")
    assert len(tiles(dataset.dicom.montage())) == 20


def test_the_bar_has_the_units():
    figure = xdicom.open_series(get_testdata_file("CT_small.dcm")).dicom.montage(window=(40, 400))
    bar = figure.axes[-1]
    assert bar.get_ylabel() == "HU"
    assert bar.get_ylim() == (-160, 240)
    stored = xdicom.open_series(get_testdata_file("CT_small.dcm"), scaling="stored")
    assert montage(stored).axes[-1].get_ylabel() == "stored values"
    named = plane(np.eye(3), units="ms").rename("T2*")
    assert montage(named).axes[-1].get_ylabel() == "T2* (ms)"


def test_titles_are_no_formulas_and_no_longer_than_the_figure():
    array = plane(np.eye(3), SeriesDescription="costs $5 and $6")
    figure = montage(array)
    assert "costs $5 and $6" in words(figure)
    rendered(figure)
    assert "T1" in words(montage(array, title="T1"))
    assert any(t.endswith("…") for t in words(montage(array, title="long " * 100)))


@pytest.mark.parametrize("columns", [1, 3, 20])
def test_columns_are_kept(series, columns):
    lefts = {round(a.get_position().x0, 6) for a in tiles(montage(series, columns=columns))}
    assert len(lefts) == columns


def test_rows_are_whole_groups_of_the_inner_dim():
    layout = layout_of(64, 32, 1.0, None, [], bar=True)
    assert (layout.columns, layout.rows) == (8, 8)
    assert layout_of(30, 10, 1.0, None, [], bar=True).columns in (5, 10)


def test_pyplot_knows_nothing_of_it(series):
    before = plt.get_fignums()
    montage(series)
    assert plt.get_fignums() == before


def test_notebooks_show_it(series):
    figure = montage(series, limit=2)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_it_is_drawn_on_a_figure_that_is_given(series):
    own = Figure(figsize=(8, 3))
    left, right = own.subfigures(1, 2)
    assert montage(series, figure=left) is left
    montage(series.isel(EchoTime=0), figure=right)
    assert len(tiles(own)) == 30
    rendered(own)
    whole = Figure(figsize=(5, 9))
    width, height = inches(montage(series, figure=whole), 0)
    assert width / height == pytest.approx(24 * 1 / (16 * 3))


def test_without_matplotlib_the_extra_is_named(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"xdicom\[display\]"):
        montage(series)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.isel(x=0), "planes of y and x"),
        (lambda a: a.isel(z=slice(0)), "empty"),
        (lambda a: a * 1j, "real numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(series, change, message):
    with pytest.raises(ValueError, match=message):
        montage(change(series))


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"columns": 0},
        {"dims": ("z",)},
        {"dims": ("z", "time")},
        {"window": "bone"},
        {"window": (40, 0)},
    ],
)
def test_wrong_options_are_refused(series, options):
    with pytest.raises(ValueError, match=r".+"):
        montage(series, **options)
