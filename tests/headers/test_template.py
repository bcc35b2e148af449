"""Templates find in a header just what a walk finds in it, or nothing at all."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_files

from xdicom.errors import XDicomError
from xdicom.headers.building import TableBuilder
from xdicom.headers.head import Head
from xdicom.headers.parse import parse
from xdicom.headers.reading import HeaderReader
from xdicom.headers.scan import Scan, ScanOptions, listed
from xdicom.headers.table import FrameTable
from xdicom.headers.template import MOST_HEADER, MOST_TEMPLATES, Templates
from xdicom.headers.validate import Leniency
from xdicom.headers.walk import Place, Window
from xdicom.sources.base import FileStat
from xdicom.testing import write_enhanced, write_multiframe, write_series

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
RLE = "1.2.840.10008.1.2.5"
BUNDLED = sorted(path for p in get_testdata_files() if (path := Path(p)).is_file())


class Memory:
    """Bytes as a source of files."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.opened = files, 0

    def open(self, path: str) -> Memory.File:
        self.opened += 1
        return Memory.File(self.files[path])

    class File:
        def __init__(self, data: bytes) -> None:
            self.data, self.size, self.mtime_ns = data, len(data), 0

        def read(self, length: int, position: int) -> bytes:
            return self.data[position : position + length]

        def close(self) -> None:
            pass


def table_of(datas: list[bytes], *, templates: bool, first: int = 1 << 20):
    """The table of files and the errors of those that are refused, in their order."""
    files = {f"{i:04}": data for i, data in enumerate(datas)}
    source = Memory({f"/{name}": data for name, data in files.items()})
    reader = HeaderReader(source, "/", Leniency(), templates=templates)
    builder = TableBuilder()
    errors = {}
    for name, data in files.items():
        try:
            reader.read(FileStat(name, len(data), 0), data[:first], builder)
        except XDicomError as error:
            errors[name] = str(error)
    return builder.build("/"), errors, reader.counts


def assert_same(one: FrameTable, other: FrameTable) -> None:
    """Every row, every text, every problem."""
    assert one.files.paths == other.files.paths
    for name in ("file", "frame_number", "frame_id", "pixel_offset", "pixel_length"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    filled = [{k for k, c in t.columns.items() if (c.codes >= 0).any()} for t in (one, other)]
    assert filled[0] == filled[1]
    for keyword in filled[0]:
        assert one.strings(keyword).tolist() == other.strings(keyword).tolist(), keyword
        assert one.column(keyword).vr == other.column(keyword).vr
    assert one.dimensions == other.dimensions
    assert sorted(map(repr, one.problems)) == sorted(map(repr, other.problems))


def check(datas: list[bytes], **options):
    """Tables by templates and by walking are the same; how many files a template matched."""
    forced, refused, counts = table_of(datas, templates=True, **options)
    walked, refused_too, counts_too = table_of(datas, templates=False, **options)
    assert refused == refused_too
    assert_same(forced, walked)
    assert counts_too.templates == 0
    return counts.templates


def changed(data: bytes, rng: random.Random, places: list[Place]) -> bytes:
    """A file whose header differs as those of one series do, or as damage makes it."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.choice(places)
        match rng.randrange(7):
            case 0 | 1:  # another value of the same length
                at = rng.randrange(place.value, max(place.end, place.value + 1))
                if at < len(made):
                    made[at] = rng.choice(b"0123456789. \\\0AZ\xe9")
            case 2:  # a value of another length, with the right length before it
                width = 2 if place.vr and place.value - place.start == 8 else 4
                if not place.undefined and len(made) == len(data):
                    value = rng.choice((b"", b"1 ", b"1234", b"1.5\\2.5 ", b"9" * 40))
                    made[place.value - width : place.end] = (
                        struct.pack("<H" if width == 2 else "<L", len(value)) + value
                    )
            case 3:  # a wrong length
                made[max(place.value - 4, 0) : place.value] = rng.randbytes(4)
            case 4:
                made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
            case 5:
                del made[place.start : place.end]
            case 6:
                del made[rng.randrange(len(made)) :]
        if not made:
            break
    return bytes(made)


def places_of(data: bytes) -> tuple[Head, list[Place]]:
    places: list[Place] = []
    head = parse(Window(lambda n, at: data[at : at + n], len(data), "made.dcm"), places)
    return head, places


@pytest.fixture
def series(tmp_path):
    """Files of one series, and what each has of its own."""

    def made(syntax: str = EXPLICIT, files: int = 12, **attributes) -> list[bytes]:
        values = {
            "PatientID": "one",
            "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2"}, {}],
            (0x0029, 0x10, "MAKER", "OB"): b"some bytes" * 30,
            **attributes,
        }
        paths = write_series(
            tmp_path / "s",
            {"z": files},
            transfer_syntax=syntax,
            attributes=values,
            rows=4,
            columns=4,
        )
        return [path.read_bytes() for path in paths]

    return made


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, RLE])
def test_files_of_a_series_match_after_a_few(series, syntax):
    datas = series(syntax)
    assert check(datas) >= len(datas) - 4
    assert check(datas[::-1]) >= len(datas) - 4


def test_one_step_for_what_stays_the_same(series):
    datas = series()
    templates = Templates()
    for data in datas[:4]:
        head, places = places_of(data)
        templates.learn(data, places, head)
    match = templates.find(datas[-1])
    assert match is not None
    assert len(match.template.places) > 50
    assert len(match.template._steps) < 15
    assert {"SOPInstanceUID", "InstanceNumber"} < set(match.template.keywords)
    assert "PatientID" in match.template.constants


def test_a_template_reads_no_more_than_it_was_given(series):
    datas = series()
    files = {f"/{i}": data for i, data in enumerate(datas)}
    source = Memory(files)
    reader = HeaderReader(source, "/", Leniency())
    builder = TableBuilder()
    for i, data in enumerate(datas):
        reader.read(FileStat(str(i), len(data), 0), data, builder)
    assert source.opened == 0
    assert reader.counts.templates + reader.counts.walked == len(datas)


@pytest.mark.parametrize("first", [0, 1, 131, 132, 140, 200, 500])
def test_a_prefix_that_ends_too_early_is_extended(series, first):
    check(series(), first=first)


def test_a_prefix_that_ends_anywhere(series):
    datas = series(files=5)
    _, places = places_of(datas[0])
    for first in {p.start + d for p in places for d in (0, 3, 8)} | {p.end for p in places}:
        check(datas, first=first)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("SpecificCharacterSet", ["ISO_IR 100", "ISO_IR 192", "ISO_IR 100", "ISO_IR 192"]),
        ("PatientID", ["Bär", "Bar", "B", "Bär"]),
        ("EchoTime", ["1", "x", "", "4.50"]),
        ("NumberOfFrames", [1, 1, 1, 1]),
        ("FlipAngle", [1, 12, 123, 1234]),
        ("ImageType", [["ORIGINAL ", " PRIMARY"], ["A", "B", "C"], ["A"], ["D", "E"]]),
        ("SmallestImagePixelValue", [0, 1, 2, 65535]),
        ("DiffusionBValue", [0.0, 1000.5, 2000.0, 3.0]),
        ("FrameIncrementPointer", [0x00181063] * 4),
    ],
)
def test_what_differs_is_read_as_a_walk_reads_it(tmp_path, keyword, values):
    datas = []
    for i, value in enumerate(values * 3):
        attributes = {"SpecificCharacterSet": "ISO_IR 100", keyword: value}
        if keyword == "EchoTime":
            attributes = {(0x0018, 0x0081): None} if value is None else {"EchoTime": "1"}
        folder = tmp_path / str(i)
        (path,) = write_series(folder, {}, attributes=attributes, rows=2, columns=2)
        data = path.read_bytes()
        if keyword == "EchoTime":
            data = data.replace(
                b"\x18\0\x81\0DS\2\0" + b"1 ", b"\x18\0\x81\0DS\4\0" + value.encode().ljust(4)
            )
        datas.append(data)
    check(datas)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_that_differ(tmp_path, syntax, undefined):
    datas = []
    for i in range(8):
        items = [{"ReferencedSOPInstanceUID": f"1.2.{'3' * j}"} for j in range(i % 4)]
        (path,) = write_series(
            tmp_path / str(i),
            {},
            transfer_syntax=syntax,
            attributes={"ReferencedImageSequence": items},
            rows=2,
            columns=2,
        )
        dataset = pydicom.dcmread(path)
        dataset["ReferencedImageSequence"].is_undefined_length = undefined
        for item in dataset.ReferencedImageSequence:
            item.is_undefined_length_sequence_item = undefined
        dataset.save_as(path)
        datas.append(path.read_bytes())
    assert check(datas) >= 4


def test_layouts_of_several_kinds_in_turn(tmp_path, series):
    kinds = [series(EXPLICIT, 6), series(IMPLICIT, 6), series(RLE, 6)]
    mixed = [data for datas in zip(*kinds, strict=True) for data in datas]
    assert check(mixed) >= len(mixed) - 12


def test_more_kinds_than_are_kept():
    rng = random.Random(5)
    datas = [path.read_bytes() for path in BUNDLED if path.stat().st_size < 100_000]
    assert len(datas) > 2 * MOST_TEMPLATES
    rng.shuffle(datas)
    check(datas + datas)


@pytest.mark.parametrize("path", BUNDLED, ids=[p.name for p in BUNDLED])
def test_bundled_files_by_their_own_template(path):
    data = path.read_bytes()
    try:
        head, places = places_of(data)
    except XDicomError:
        return  # it is no template, and no row
    templates = Templates()
    templates.learn(data, places, head)
    match = templates.find(data)
    if match is not None:
        found = match.template.head_of(match.values)
        assert found.attributes == head.attributes
        assert (match.offset, match.template.head.pixel.keyword) == (
            head.pixel.offset,
            head.pixel.keyword,
        )
    rng = random.Random(path.name)
    if places and len(data) < 200_000:
        check([data, *(changed(data, rng, places) for _ in range(6)), data])


def test_most_bundled_images_make_a_template():
    fit = 0
    images = 0
    for path in BUNDLED:
        data = path.read_bytes()
        try:
            head, places = places_of(data)
        except XDicomError:
            continue
        templates = Templates()
        templates.learn(data, places, head)
        images += head.pixel is not None
        fit += templates.find(data) is not None
    assert fit > 0.6 * images


def test_fuzz(series):
    """Damaged files among good ones: a template matches only what a walk reads alike."""
    rng = random.Random(7)
    originals = [*series(EXPLICIT, 3), *series(IMPLICIT, 3), *series(RLE, 3)]
    places = [places_of(data)[1] for data in originals]
    matched = 0
    for _ in range(150):
        datas = []
        for _ in range(12):
            i = rng.randrange(len(originals))
            datas.append(
                changed(originals[i], rng, places[i]) if rng.random() < 0.5 else originals[i]
            )
        matched += check(datas)
    assert matched > 300


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(range(4)), min_size=2, max_size=8), st.randoms(use_true_random=False)
)
def test_any_order_and_any_value(tmp_path_factory, kinds, rng):
    folder = tmp_path_factory.mktemp("any")
    datas = []
    for i, kind in enumerate(kinds):
        text = "".join(rng.choice("01.\\ Aé") for _ in range(rng.randrange(9)))
        attributes = [
            {"SeriesDescription": text, "SpecificCharacterSet": "ISO_IR 100"},
            {"EchoTime": rng.randrange(100), "SliceLocation": rng.randrange(1000)},
            {"RescaleSlope": 1, "RescaleIntercept": rng.randrange(-9, 9)},
            {"RescaleSlope": 2, "WindowCenter": [rng.randrange(9)] * rng.randrange(1, 3)},
        ][kind]
        (path,) = write_series(folder / str(i), {}, attributes=attributes, rows=2, columns=2)
        datas.append(path.read_bytes())
    check(datas + datas)


def test_headers_of_frames_make_no_template(tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", {"z": 3}, rows=2, columns=2)
    assert check([path.read_bytes()] * 3) == 0


def test_frames_without_headers_of_their_own(tmp_path):
    frames = np.zeros((3, 2, 2), "uint8")
    datas = []
    for i, syntax in enumerate((EXPLICIT, RLE) * 3):
        path = write_multiframe(tmp_path / f"{i}.dcm", frames, transfer_syntax=syntax)
        datas.append(path.read_bytes())
    assert check(datas) >= 2


def test_a_long_header_is_walked(tmp_path):
    datas = []
    for i in range(4):
        values = {(0x0029, 0x10, "MAKER", "OB"): bytes(MOST_HEADER + i)}
        (path,) = write_series(tmp_path / str(i), {}, attributes=values, rows=2, columns=2)
        datas.append(path.read_bytes())
    assert check(datas) == 0


def test_truncated_pixels_of_a_file_that_matches(series):
    datas = series()
    datas[6] = datas[6][:-3]
    datas[7] = datas[7] + b"\0\0"
    assert check(datas) >= 6


@pytest.mark.conformance
def test_real_files_by_templates_and_by_walking(monkeypatch):
    """Whatever is unusual in them is walked too: pydicom reads no header of a scan."""
    monkeypatch.setattr("pydicom.dcmread", None)
    monkeypatch.setattr("xdicom.headers.dicomdir.dcmread", None)
    monkeypatch.setattr("xdicom.headers.store.pydicom", None)
    root = os.environ.get("XDICOM_TEST_DATA")
    if not root:
        pytest.skip("XDICOM_TEST_DATA names no folder of real files")
    tables = []
    for templates in (True, False):
        options = ScanOptions(progress=False, templates=templates, limits_excluded=True)
        listing, errors = listed(root, "ignore")
        scan = Scan(listing, options, errors)
        (batch,) = scan.batches(listing.files)
        tables.append(batch.builder.build(listing.root))
        assert (scan.counts.templates > 300) is templates
        assert scan.counts.templates + scan.counts.walked >= 700
    assert_same(*tables)
