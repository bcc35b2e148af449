"""Stacks become bytes and the same stacks again; damaged bytes are named so, and nothing else."""

from __future__ import annotations

import json
import math
import struct
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xdicom import errors
from xdicom.errors import CorruptFileError, NotHypercubeError, Problem, XDicomError, XDicomWarning
from xdicom.headers.scan import scan_table
from xdicom.headers.store import attribute_column
from xdicom.headers.table import Files, FrameTable
from xdicom.opening.arrays import dataset_of
from xdicom.opening.options import OpenOptions
from xdicom.series.geometry import Geometry
from xdicom.series.grid import Axis, Grid, Rejected
from xdicom.series.packing import VERSION, pack_stacks, unpack_stacks
from xdicom.series.stacks import GridOptions, Stack, split_series
from xdicom.testing import (
    frame_pixels,
    slide_pixels,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_pyramid,
    write_series,
    write_slide,
)

quick = settings(max_examples=150, deadline=None)
SAGITTAL = (0, 1, 0, 0, 0, -1)
NOWHERE = {"ImagePositionPatient": None, "SliceLocation": None}
ONE_SERIES = {"series_uid": "1.2.3", "study_uid": "1.2", "frame_of_reference_uid": "1.1"}


def assert_same(one, other, where="it"):
    """The same types all the way down, and the same values bit by bit."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.tobytes() == other.tobytes(), where
    elif isinstance(one, XDicomError):
        assert one.args == other.args, where
        assert_same(vars(one), vars(other), where)
    elif is_dataclass(one):
        for field in fields(one):
            name = field.name
            assert_same(getattr(one, name), getattr(other, name), f"{where}.{name}")
    elif isinstance(one, Mapping):
        assert_same(list(one), list(other), where)
        for key in one:
            assert_same(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(one, float):
        assert repr(one) == repr(other), where
    else:
        assert one == other, where


def split(where, dims=None, ragged="raise"):
    """The table of a folder of one series, and its stacks."""
    table = scan_table(where)
    named = () if dims is None else dims
    columns = {d: attribute_column(table, d) for d in named if d[0].isupper()}
    options = GridOptions(dims=dims, columns=columns, ragged=ragged)
    return table, split_series(table, np.arange(len(table)), options)


def part(folder, number, dims, **options):
    """A part of one series, with files of its own."""
    write_series(folder, dims, seed=number, name=f"{number}-{{}}.dcm", **ONE_SERIES, **options)


def components_and_echoes(folder):
    echoes = [{"EchoTime": te, "EchoNumbers": i + 1} for i, te in enumerate([4.92, 7.38, 9.84])]
    write_series(folder, {"component": ["M", "P"], "EchoTime": echoes, "z": 5}, shuffle=1)


def instance_number_only(folder):
    write_series(folder, {"time": 10, "z": 15}, shuffle=3, number_by="canonical")


def diffusion_with_repeats(folder):
    steps = [{"DiffusionBValue": 0.0}] * 3 + [
        {"DiffusionBValue": b, "DiffusionGradientOrientation": g}
        for b in (1000.0, 2000.0)
        for g in np.eye(3).tolist()
    ]
    write_series(folder, {"diffusion": steps, "z": 4}, shuffle=5, number_by="canonical")


def diffusion_with_averages(folder):
    averages = [{"AcquisitionNumber": i + 1} for i in range(3)]
    values = [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}]
    write_series(folder, {"time": averages, "diffusion": values, "z": 5}, shuffle=1)


def cine_with_jitter(folder):
    jitter = np.random.default_rng(0).uniform(-4, 4, (25, 4)).round(2)
    attributes = {
        "TriggerTime": lambda i: 30.0 * i["cardiac_phase"] + jitter[i["cardiac_phase"], i["z"]],
        "NominalInterval": 900,
    }
    write_series(folder, {"cardiac_phase": 25, "z": 4}, attributes=attributes, shuffle=7)


def trace_images(folder):
    for number, (kind, b) in enumerate([("M", 0.0), ("M", 1000.0), ("ADC", 1000.0)]):
        attributes = {"ImageType": ["ORIGINAL", "PRIMARY", kind, kind], "DiffusionBValue": b}
        part(folder, number, {"z": 4}, attributes=attributes, shuffle=number)


def ct(folder):
    attributes = {"AcquisitionNumber": lambda i: i["z"] // 2 + 1}
    write_series(folder, {"z": 6}, modality="CT", attributes=attributes, shuffle=2)


def enhanced_field_map(folder):
    frame_type = {"M": ["ORIGINAL", "PRIMARY", "M_FFE", "M"], "F": ["ORIGINAL", "PRIMARY", "B0"]}
    attributes = {
        "ComplexImageComponent": None,
        "FrameType": lambda i: frame_type["MF"[i["component"]]],
        "DimensionIndexValues": lambda i: [1, [2, 5][i["component"]], 3 * i["z"]],
    }
    dims = {"component": ["M", "FIELD_MAP"], "z": 8}
    write_enhanced(folder / "b0.dcm", dims, attributes=attributes, shuffle=4)


def enhanced_with_private_pointers(folder):
    write_enhanced(folder / "a.dcm", {"a": 2, "b": 3, "z": 2}, shuffle=1)


def aborted(folder):
    drop = [{"time": 3, "z": z} for z in (2, 3, 4)]
    write_series(folder, {"time": [0.0, 2.0, 4.0, 6.0], "z": 5}, drop=drop, shuffle=1)


def torn(folder):
    write_series(folder, {"EchoTime": [5, 10, 15], "z": 4}, drop=[(1, 2), (2, 0)], shuffle=1)


def missing_slices(folder):
    drop = [{"z": 2}, {"z": 3}]
    write_series(folder, {"EchoTime": [5, 10], "z": 6}, drop=drop, shuffle=1)


def sheared(folder):
    place = {"ImagePositionPatient": lambda i: [0.0, 0.0, 4.0 * i["z"]]}
    tilt = (1, 0, 0, 0, 0.8, 0.6)
    write_series(folder, {"z": 5}, orientation=tilt, attributes=place, shuffle=1, drop=[{"z": 3}])


def uneven(folder):
    write_series(folder, {"z": [0, 3, 7, 12]}, attributes={"SpacingBetweenSlices": 5.0})


def single_slice(folder):
    write_series(folder, {"EchoTime": [5, 9], "z": 1}, attributes={"SpacingBetweenSlices": 4.5})


def single_frame(folder):
    write_series(folder, {}, attributes={**NOWHERE, "ImageOrientationPatient": None})


def slide(folder):
    write_pyramid(folder, slide_pixels((40, 50)), levels=2, tile=(16, 16), seed=2, shuffle=1)


def sparse_slide(folder):
    write_slide(folder / "a.dcm", slide_pixels((2, 2, 40, 50), "uint16"), tile=(16, 16), shuffle=1,
                organization="TILED_SPARSE", drop=[(1, 1, 2, 2)])  # fmt: skip


def weak_positions(folder):
    attributes = {"ImagePositionPatient": None}
    write_series(folder, {"EchoTime": [5, 9], "z": 4}, shuffle=1, attributes=attributes)


def cine(folder):
    frames = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
    write_multiframe(folder / "a.dcm", frames, frame_time=40)


def colour(folder):
    write_series(folder, {"z": 3}, stored=lambda i: np.full((16, 24, 3), i["z"], np.uint8))


def many_orientations(folder):
    def cosines(i):
        angle = np.pi * i["angle"] / 5
        return [1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))]

    attributes = {
        "ImageOrientationPatient": cosines,
        "ImagePositionPatient": lambda i: [0.0, 0.0, float(i["angle"])],
    }
    write_series(folder, {"angle": 5}, attributes=attributes)


def several(folder):
    """Two orientations, one with wrong cosines, and a report."""
    write_non_image(folder / "report.dcm", series_uid="1.2.3", study_uid="1.2")
    part(folder, 0, {"EchoTime": [5, 9], "z": 3})
    part(folder, 1, {"z": 4}, orientation=SAGITTAL)
    part(folder, 2, {"z": 3}, orientation=(1, 0, 0, 0.01, 1, 0))


def report_only(folder):
    write_non_image(folder / "report.dcm")


def conflict(folder):
    for number in range(2):
        write_series(
            folder,
            {"z": 2},
            name=f"{number}-{{}}.dcm",
            stored=lambda i, n=number: frame_pixels(2 * n + i["z"]),
            rows=16 + number,
        )


def concatenation_without_a_part(folder):
    for number in (0, 2):
        attributes = {
            "ConcatenationUID": "1.2.9",
            "InConcatenationNumber": number + 1,
            "InConcatenationTotalNumber": 3,
            "ConcatenationFrameOffsetNumber": 2 * number,
            "ImagePositionPatient": lambda i, n=number: [0.0, 0.0, 5.0 * (2 * n + i["z"])],
        }
        write_enhanced(
            folder / f"{number}.dcm",
            {"z": 2},
            attributes=attributes,
            stored=lambda i, n=number: frame_pixels(2 * n + i["z"]),
            dimension_index=False,
            seed=number,
            **ONE_SERIES,
        )


def wrong_spacing(folder):
    write_series(folder, {"z": 2}, attributes={"PixelSpacing": [0, 1]})


def attributes_of_all_kinds(folder):
    values = {
        "AcquisitionTime": ["100000", "100001.5"],
        "AcquisitionDate": ["20240229", "20240301"],
        "SequenceName": ["a", "ä"],
        "DiffusionGradientOrientation": [[1, 0, 0], [0, 1, 0.5]],
    }
    attributes = {k: lambda i, v=v: v[i["n"]] for k, v in values.items()}
    attributes["SpecificCharacterSet"] = "ISO_IR 100"
    write_series(folder, {"n": 2, "z": 2}, attributes=attributes)


EXAMPLES = {
    "A": (components_and_echoes, {}),
    "B": (instance_number_only, {}),
    "C": (diffusion_with_repeats, {}),
    "D": (diffusion_with_averages, {}),
    "E": (cine_with_jitter, {}),
    "F": (trace_images, {}),
    "G": (ct, {}),
    "H": (enhanced_field_map, {}),
    "I": (aborted, {}),
    "I complete": (aborted, {"ragged": "complete"}),
    "I fill": (aborted, {"ragged": "fill"}),
    "I flat": (aborted, {"ragged": "flat"}),
    "torn": (torn, {}),
    "torn, filled": (torn, {"ragged": "fill"}),
    "torn, complete": (torn, {"ragged": "complete"}),
    "missing slices": (missing_slices, {}),
    "missing slices, filled": (missing_slices, {"ragged": "fill"}),
    "sheared": (sheared, {}),
    "sheared, filled": (sheared, {"ragged": "fill"}),
    "uneven": (uneven, {}),
    "single slice": (single_slice, {}),
    "single frame": (single_frame, {}),
    "weak positions": (weak_positions, {}),
    "slide": (slide, {}),
    "sparse slide": (sparse_slide, {}),
    "cine": (cine, {}),
    "colour": (colour, {}),
    "private pointers": (enhanced_with_private_pointers, {}),
    "many orientations": (many_orientations, {}),
    "several": (several, {}),
    "report only": (report_only, {}),
    "conflict": (conflict, {}),
    "concatenation": (concatenation_without_a_part, {}),
    "concatenation, filled": (concatenation_without_a_part, {"ragged": "fill"}),
    "wrong spacing": (wrong_spacing, {}),
    "flat": (components_and_echoes, {"dims": ("flat",)}),
    "order of the caller": (components_and_echoes, {"dims": ("z", "EchoTime", "component")}),
    "wrong dims": (components_and_echoes, {"dims": ("z",)}),
    "by time": (attributes_of_all_kinds, {"dims": ("AcquisitionTime", "z")}),
    "by date": (attributes_of_all_kinds, {"dims": ("AcquisitionDate", "z")}),
    "by text": (attributes_of_all_kinds, {"dims": ("z", "SequenceName")}),
    "by vector": (attributes_of_all_kinds, {"dims": ("DiffusionGradientOrientation", "z")}),
    "by whole numbers": (attributes_of_all_kinds, {"dims": ("InstanceNumber",)}),
}
OF_ERRORS = {"I", "torn", "several", "conflict", "concatenation", "wrong spacing", "wrong dims"}


@pytest.fixture(params=EXAMPLES)
def example(request, tmp_path):
    """Table and stacks of a worked example."""
    write, options = EXAMPLES[request.param]
    write(tmp_path)
    table, stacks = split(tmp_path, **options)
    assert any(s.error is not None for s in stacks) == (request.param in OF_ERRORS)
    return table, stacks


def test_round_trip(example):
    table, stacks = example
    data = pack_stacks(stacks)
    found = unpack_stacks(data, table)
    assert_same(stacks, found)
    # a table of all rows keeps what it has converted
    assert all((s.table is table) == (len(s.rows) == len(table)) for s in found)
    assert pack_stacks(found) == data


@pytest.mark.filterwarnings("ignore::xdicom.errors.XDicomWarning")
def test_the_same_dataset(example):
    table, stacks = example
    options = OpenOptions(coords="all", fill_value=0.0)
    for one, other in zip(stacks, unpack_stacks(pack_stacks(stacks), table), strict=True):
        if one.grid is None:
            with pytest.raises(XDicomError) as caught:
                dataset_of(table, one, options)
            with pytest.raises(type(caught.value)) as again:
                dataset_of(table, other, options)
            assert str(again.value) == str(caught.value)
            continue
        first, second = (dataset_of(table, s, options) for s in (one, other))
        assert list(first.variables) == list(second.variables)
        assert first.pixels.encoding == second.pixels.encoding
        xr.testing.assert_identical(first.load(), second.load())
        for name, variable in first.variables.items():
            assert_same(variable.values, second.variables[name].values, name)


def test_two_series_of_one_folder(tmp_path):
    # rows are those of the table of all that was scanned
    for name, echoes in (("a", [1, 2]), ("b", [3, 4, 5])):
        write_series(tmp_path / name, {"EchoTime": echoes, "z": 2}, seed=len(echoes), shuffle=1)
    table = scan_table(tmp_path)
    codes = table.column("SeriesInstanceUID").codes
    for code in (0, 1):
        stacks = split_series(table, np.flatnonzero(codes == code), GridOptions())
        assert_same(stacks, unpack_stacks(pack_stacks(stacks), table))


def bare_table(frames):
    """A table without attributes."""
    zeros = np.zeros(frames, np.int64)
    return FrameTable(
        root="/nowhere",
        files=Files(tuple(f"{n:06}.dcm" for n in range(frames)), zeros, zeros),
        file=np.arange(frames),
        frame_number=zeros + 1,
        frame_id=np.arange(frames) * 7919,
        pixel_offset=zeros,
        pixel_length=zeros,
        columns={},
    )


def stack_of(table, sizes, order=None, **changes):
    """A stack of the rows of a table by hand: a dim of each size, its frames in an order."""
    frames = len(table)
    order = np.arange(frames) if order is None else order
    rows = np.full(math.prod(sizes.values()), -1, np.int64)
    rows[order] = np.arange(frames)
    shape = tuple(sizes.values())
    codes = np.unravel_index(order, shape)
    axes = tuple(
        Axis(dim, "f", (), "value", c, size)
        for c, (dim, size) in zip(codes, sizes.items(), strict=True)
    )
    grid = Grid(axes, rows.reshape(shape), slices=axes[-1].codes)
    return Stack(np.arange(frames), table, replace(grid, **changes), Geometry("none"))


def round_trip(stack):
    data = pack_stacks([stack])
    (found,) = unpack_stacks(data, stack.table)
    assert_same(stack, found)
    return data, found


@pytest.mark.parametrize("order", ["files", "transposed", "shuffled"])
def test_a_hundred_thousand_frames(order):
    times, slices = 2500, 40
    frames = np.arange(times * slices)
    orders = {
        "files": frames,
        "transposed": frames.reshape(times, slices).T.ravel(),
        "shuffled": np.random.default_rng(0).permutation(frames),
    }
    table = bare_table(len(frames))
    stack = stack_of(table, {"time": times, "z": slices}, orders[order])
    taken = {}
    for _ in range(5):
        start = time.process_time()
        data = pack_stacks([stack])
        middle = time.process_time()
        (found,) = unpack_stacks(data, table)
        end = time.process_time()
        taken = {
            "pack": min(taken.get("pack", 9), middle - start),
            "unpack": min(taken.get("unpack", 9), end - middle),
        }
    assert_same(stack, found)
    assert len(data) < (600_000 if order == "shuffled" else 1000)
    assert taken["unpack"] < 0.03
    assert taken["pack"] < 0.06


def test_arrays_are_shared_and_writable_as_they_were():
    stack = stack_of(bare_table(6), {"a": 2, "z": 3}, np.array([4, 2, 0, 5, 1, 3]))
    _, found = round_trip(stack)
    assert found.grid.slices is found.grid.axes[1].codes
    for array in (found.rows, found.grid.rows, found.grid.slices):
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_more_cells_than_rows_allow_are_stored():
    # slices put in between two that lie far apart
    data, _ = round_trip(stack_of(bare_table(2), {"z": 1_000_000}, np.array([0, 999_999])))
    assert len(data) < 20_000
    table = bare_table(2)
    labels = np.arange(1_000_000)
    stack = stack_of(table, {"z": 1_000_000}, np.array([0, 1]))
    axis = replace(stack.grid.axes[0], labels=labels)
    round_trip(replace(stack, grid=replace(stack.grid, axes=(axis,))))


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.unicode_string_dtypes(endianness="?", max_len=9),
    hnp.byte_string_dtypes(max_len=9),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
)


@st.composite
def stepped(draw):
    """Whole numbers that advance evenly, one of them changed now and then."""
    dtype = draw(st.sampled_from(["i1", "u1", "i4", "u4", "i8", "u8"]))
    values = np.array(draw(st.integers(-5, 5)))
    for _ in range(draw(st.integers(0, 3))):
        step, count = draw(st.integers(-40, 40)), draw(st.integers(1, 5))
        values = np.add.outer(values, step * np.arange(count))
    values = values.ravel().astype(dtype)
    if draw(st.booleans()):
        values[draw(st.integers(0, len(values) - 1))] = draw(st.integers(0, 100))
    if draw(st.booleans()):
        values = values + np.array(draw(st.sampled_from([0, 1, 2**62])), np.int64).astype(dtype)
    return values


@quick
@given(
    labels=st.one_of(
        hnp.arrays(DTYPES, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)),
        stepped(),
    ),
    turned=st.booleans(),
)
def test_any_labels(labels, turned):
    if turned:
        labels = labels.T
    frames = labels.shape[0]
    stack = stack_of(bare_table(frames), {"a": frames})
    axis = replace(stack.grid.axes[0], labels=labels)
    round_trip(replace(stack, grid=replace(stack.grid, axes=(axis,))))


TEXTS = st.text(st.characters(), max_size=9)  # lone surrogates too, as file names have them


@quick
@given(
    texts=st.lists(TEXTS, max_size=3).map(tuple),
    numbers=st.tuples(st.floats(), st.floats()),
    gaps=st.lists(st.integers(), max_size=3).map(tuple),
    step=st.none() | st.floats(),
    frame=st.none() | st.integers(),
)
def test_any_values(texts, numbers, gaps, step, frame):
    geometry = Geometry(
        "sheared", spacing=numbers, gaps=gaps, z_step_assumed=step, regular=not gaps
    )
    problems = tuple(Problem(t, t, t, frame, excluded=bool(gaps)) for t in texts)
    rejected = tuple(Rejected(t, t) for t in texts)
    stack = stack_of(bare_table(2), {"z": 2}, notes=texts, rejected=rejected)
    round_trip(replace(stack, geometry=geometry, problems=problems, reasons=texts))


@pytest.mark.parametrize(
    "kind",
    [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, XDicomError)],
    ids=lambda kind: kind.__name__,
)
def test_any_error(kind):
    table = bare_table(2)
    for error in (
        kind("what"),
        kind("what", file="\udcff.dcm", frame=3, expected=("a", 1), found=np.nan, remedy="do"),
        kind("what", expected=np.float32(0.1), found=np.arange(6).reshape(2, 3), frame=0),
    ):
        stack = Stack(np.array([1, 0]), table.take(np.array([1, 0])), None, Geometry("none"))
        data = pack_stacks([replace(stack, error=error)])
        (found,) = unpack_stacks(data, table)
        assert type(found.error) is kind
        assert str(found.error) == str(error)
        assert_same(error, found.error)


@pytest.mark.parametrize(
    "reasons",
    [{"a": 1}, [1], object(), np.array([object()]), np.zeros(2, "i4,f8"), np.ma.zeros(2), b"a"],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_packed(reasons):
    stack = replace(stack_of(bare_table(2), {"z": 2}), reasons=reasons)
    with pytest.raises(TypeError, match="cannot be packed"):
        pack_stacks([stack])


def test_errors_of_others_cannot_be_packed():
    class NotHypercubeError(XDicomError):
        pass

    stack = replace(stack_of(bare_table(2), {"z": 2}), error=NotHypercubeError("a"))
    with pytest.raises(TypeError, match="cannot be packed"):
        pack_stacks([stack])


def test_nothing():
    assert unpack_stacks(pack_stacks([]), bare_table(0)) == []


class TestOtherTables:
    def test_fewer_rows(self):
        data = pack_stacks([stack_of(bare_table(6), {"z": 6})])
        with pytest.raises(CorruptFileError, match=r"fewer rows \[found 5\]"):
            unpack_stacks(data, bare_table(5))

    def test_other_frames(self, tmp_path):
        for name, seed in (("a", 1), ("b", 2)):
            write_series(tmp_path / name, {"z": 4}, seed=seed)
        data = pack_stacks(split(tmp_path / "a")[1])
        with pytest.raises(CorruptFileError, match="other frames"):
            unpack_stacks(data, scan_table(tmp_path / "b"))

    def test_other_order(self):
        table = bare_table(4)
        data = pack_stacks([stack_of(table, {"z": 4})])
        with pytest.raises(CorruptFileError, match="other frames"):
            unpack_stacks(data, table.take(np.array([0, 2, 1, 3])))

    def test_more_rows(self):
        table = bare_table(9)
        stack = stack_of(table.take(np.arange(6)), {"z": 6})
        (found,) = unpack_stacks(pack_stacks([stack]), table)
        assert_same(found, stack)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A table, its stacks (several arrays, an error, a report) and their bytes."""
    folder = tmp_path_factory.mktemp("several")
    several(folder)
    table, stacks = split(folder)
    return table, stacks, pack_stacks(stacks)


def opened(data):
    """Header and numbers of packed stacks."""
    content = zlib.decompress(data)
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def closed(header, numbers):
    text = json.dumps(header).encode()
    return zlib.compress(struct.pack("<Q", len(text)) + text + numbers)


def attempt(data, table):
    """What is unpacked, or None where the bytes are said to be corrupt; no other end."""
    try:
        return unpack_stacks(data, table)
    except CorruptFileError as error:
        text = str(error)
    assert "packed arrays of a series" in text
    assert len(text) < 1000
    return None


@pytest.mark.parametrize("inside", [False, True], ids=["stream", "content"])
@quick
@given(data=st.data())
def test_damaged_bytes(packed, inside, data):
    table, stacks, whole = packed
    whole = zlib.decompress(whole) if inside else whole
    bad = bytearray(whole)
    place = st.integers(0, len(bad))
    for _ in range(data.draw(st.integers(0, 3))):
        start, other = data.draw(place), data.draw(place)
        bad[start : data.draw(st.sampled_from([start, start + 1, other]))] = data.draw(
            st.binary(max_size=3)
        )
    found = attempt(zlib.compress(bad) if inside else bytes(bad), table)
    if found is not None and not inside:
        assert_same(found, stacks)


def places(node, path=()):
    """Ways to all nodes of a header."""
    yield path
    if isinstance(node, (dict, list)):
        for key, each in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(each, (*path, key))


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 9),
        st.integers(),
        st.sampled_from([2**31, 2**62, 2**64, -(2**63), 10**30, "<i8", "|u1", "<U3", "nan"]),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["array", "scalar", "float", "Grid", "Axis", "Problem", "XDicomError"]),
            inner,
            max_size=2,
        ),
    ),
    max_leaves=5,
)


@quick
@given(data=st.data())
def test_contradicting_headers(packed, data):
    table, _, whole = packed
    header, numbers = opened(whole)
    ways = sorted(places(header), key=repr)
    for _ in range(data.draw(st.integers(1, 2))):
        way = data.draw(st.sampled_from(ways))
        node = header
        try:
            for key in way[:-1]:
                node = node[key]
            if data.draw(st.booleans()):
                del node[way[-1]]
            else:
                node[way[-1]] = data.draw(JSON)
        except (LookupError, TypeError):  # what was put there before has no such place
            continue
    found = attempt(closed(header, numbers), table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XDicomWarning)
        for stack in found or ():
            assert isinstance(stack, Stack)
            assert isinstance(stack.grid, (Grid, type(None)))


def array(**description):
    """Change the description of the first array, which are the rows of the first stack."""

    def change(header):
        header["arrays"][0] = {"dtype": "<i8", "shape": [6], **description}

    return change


def field(*way, to):
    def change(header):
        node = header["stacks"][0]["Stack"]
        for key in way[:-1]:
            node = node[key]
        node[way[-1]] = to

    return change


def top(**values):
    return lambda header: header.update(values)


GRID = ("grid", "Grid")
AXIS = (*GRID, "axes", 0, "Axis")
STEPS = {"start": 0, "steps": [[6, 1]]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (top(version=9), f"another version [expected {VERSION}; found 9]"),
        (top(format="xdicom table"), "another format"),
        (top(arrays=None), "lacks arrays"),
        (top(stacks={}), "lacks arrays or stacks"),
        (top(stacks=[1]), "other things than stacks"),
        (top(stacks=[{"Problem": {"kind": ""}}]), "Problem has other fields"),
        (array(), "neither stored nor computed"),
        (array(**STEPS, shape=[10**12]), "larger than"),
        (array(start=0, steps=[[10**12, 0]], shape=[10**12]), "larger than"),
        (array(start=0, steps=[[10**9, 0], [10**9, 0]]), "do not give its shape"),
        (array(stored="|u1", shape=[0, 2**62, 2**62]), "larger than"),
        (array(stored="|u1", shape=[10**5]), "cut off"),
        (array(stored="<U1", dtype="<U1", shape=[0] * 40), "no valid shape"),
        (array(**STEPS, shape=[-6]), "no valid shape"),
        (array(**STEPS, shape=[6.0]), "no valid shape"),
        (array(**STEPS, shape=6), "no valid shape"),
        (array(start=0, steps=[[6, 2**61]]), "leave its dtype"),
        (array(start=0, steps=[[6, 60]], dtype="|u1"), "leave its dtype"),
        (array(start=2**70, steps=[[6, 1]]), "leave its dtype"),
        (array(start=0, steps=[[6, 1], [1, 0]]), "neither stored"),
        (array(start=0.0, steps=[[6, 1]]), "neither stored"),
        (array(start=0, steps=[[6, 1]], dtype="<f8"), "neither stored"),
        (array(stored="<i8", dtype="|O"), "dtype that is not allowed"),
        (array(stored="<i8", dtype="|V8"), "dtype that is not allowed"),
        (array(stored="<i8", dtype="i8,i8"), "dtype that is not allowed"),
        (array(stored="<f16", dtype="<f16"), "dtype that is not allowed"),
        (array(stored="<U0", dtype="<U0"), "dtype that is not allowed"),
        (array(stored="<U99999999", dtype="<U99999999", shape=[0]), "larger than"),
        (array(stored="<f8", shape=[0]), "dtype that does not fit"),
        (array(stored="<i8", dtype="<i4", shape=[0]), "dtype that does not fit"),
        (array(stored="|i1", dtype="<u8", shape=[0]), "dtype that does not fit"),
        (lambda h: h["arrays"].append(5), "not described"),
        (lambda h: h["arrays"].extend([{**h["arrays"][0], "shape": [1000, 6], "start": 0,
                                        "steps": [[6000, 1]]}] * 1000), "larger than"),
        (field("error", to={"OSError": {"what": "a"}}), "an object of the header is none"),
        (field("error", to={"Exception": {}}), "an object of the header is none"),
        (field("error", to={"Problem": {
            "kind": "", "message": "", "file": "", "frame": None, "excluded": False
        }}), "Stack.error is of another type"),
        (field("error", to={"XDicomError": {"what": "a"}}), "XDicomError has other fields"),
        (field("error", to={"XDicomError": dict.fromkeys(
            ("what", "file", "frame", "expected", "found", "remedy"), 1
        )}), "XDicomError.what is of another type"),
        (lambda h: h["stacks"].append(h["stacks"][0]), "fewer rows"),
        (array(start=-1, steps=[[6, 1]]), "fewer rows"),
        (field("rows", to=5), "a stack has no rows"),
        (field("rows", to={"array": 99}), "no such array"),
        (field("rows", to={"array": True}), "no such array"),
        (field("rows", to={"scalar": 0}), "a single number"),
        (field("rows", to={"float": "1e5"}), "an object of the header is none"),
        (field("reasons", to=[5]), "Stack.reasons is of another type"),
        (field("reasons", to={"a": 1, "b": 2}), "an object of the header is none"),
        (field("geometry", to=None), "Stack.geometry is of another type"),
        (field("geometry", "Geometry", "spacing", to=[1.0]), "Geometry.spacing is of another type"),
        (field("table", to=0), "other frames"),
        (field(*AXIS, "size", to=3), "a grid contradicts itself"),
        (field(*AXIS, "labels", to={"array": 0}), "a grid contradicts itself"),
        (field(*GRID, "slices", to="a"), "Grid.slices is of another type"),
        (field(*GRID, "axes", to=[]), "a grid contradicts itself"),
        (field(*GRID, "new", to=0), "Grid has other fields [found ['new']]"),
    ],
)  # fmt: skip
def test_what_is_corrupt(change, text):
    table = bare_table(6)
    header, numbers = opened(pack_stacks([stack_of(table, {"a": 2, "z": 3})]))
    change(header)
    bad = closed(header, numbers)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFileError) as caught:
            unpack_stacks(bad, table)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "cut off"),
        (struct.pack("<Q", 2**63), "the header is cut off"),
        (struct.pack("<Q", 3) + b"[1]", "no JSON object"),
        (struct.pack("<Q", 2) + b"\xff\xff", "no JSON"),
        (struct.pack("<Q", 9) + b'{"a":NaN}', "no JSON"),
        (struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000, "no JSON"),
        (struct.pack("<Q", 9999) + b"9" * 9999, "no JSON"),
    ],
)
def test_headers_that_are_none(content, text):
    with pytest.raises(CorruptFileError, match=text):
        unpack_stacks(zlib.compress(content), bare_table(1))


def test_numbers_that_are_left_over(packed):
    table, _, whole = packed
    header, numbers = opened(whole)
    with pytest.raises(CorruptFileError, match="bytes follow the arrays"):
        unpack_stacks(closed(header, numbers + b"\0"), table)
    with pytest.raises(CorruptFileError, match="something follows"):
        unpack_stacks(whole + b"\0", table)


def test_nested_headers(packed):
    table, _, whole = packed
    header, numbers = opened(whole)
    for _ in range(700):
        header["stacks"][0]["Stack"]["reasons"] = [header["stacks"][0]["Stack"]["reasons"]]
    assert attempt(closed(header, numbers), table) is None


@pytest.mark.parametrize(
    ("dtype", "numbers"), [("<U1", struct.pack("<I", 0x110000)), ("|b1", b"\2")]
)
def test_numbers_that_are_no_values(packed, dtype, numbers):
    table, _, whole = packed
    header, others = opened(whole)
    header["arrays"].append({"dtype": dtype, "shape": [1], "stored": dtype})
    with pytest.raises(CorruptFileError, match="no value of its dtype"):
        unpack_stacks(closed(header, others + numbers), table)


def test_classes_of_errors_are_those_of_the_module(packed):
    table, stacks, whole = packed
    bad = next(s for s in stacks if s.error is not None)
    header, numbers = opened(whole)
    (node,) = [n for n in header["stacks"] if n["Stack"]["error"] is not None]
    ((name, content),) = node["Stack"]["error"].items()
    assert name == type(bad.error).__name__
    node["Stack"]["error"] = {"NotHypercubeError": content}
    found = next(s for s in unpack_stacks(closed(header, numbers), table) if s.error is not None)
    assert isinstance(found.error, NotHypercubeError)
