"""Whatever the bytes are: a head whose values stand in the file, or an error that says why not."""

from __future__ import annotations

import contextlib
import random
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from xdicom.errors import CorruptFileError, NotDicomError, XDicomError
from xdicom.headers.building import TableBuilder
from xdicom.headers.head import Head
from xdicom.headers.validate import Leniency, count_frames
from xdicom.sources.base import FileStat
from xdicom.testing import (
    element_span,
    remove_preamble,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)
from xdicom.testing.layout import read_layout

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
RLE = "1.2.840.10008.1.2.5"
KINDS = [*SYNTAXES, "bare", "enhanced", "encapsulated", "non-image"]
ROUNDS = 4000
SMALL = {"rows": 4, "columns": 4}


def write(folder: Path, kind: str) -> Path:
    if kind == "enhanced":
        return write_enhanced(folder / "e.dcm", {"z": 2}, **SMALL)
    if kind == "encapsulated":
        frames = np.arange(32, dtype="uint8").reshape(2, 4, 4)
        return write_multiframe(folder / "m.dcm", frames, transfer_syntax=RLE)
    if kind == "non-image":
        return write_non_image(folder / "n.dcm")
    values = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientID": "Bär",
        "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2"}, {}],
        (0x0029, 0x10, "MAKER", "OB"): b"some bytes",
    }
    if kind == "big":
        values.pop((0x0029, 0x10, "MAKER", "OB"))
    syntax = SYNTAXES.get(kind, SYNTAXES["explicit"])
    (made,) = write_series(folder / kind, {}, transfer_syntax=syntax, attributes=values, **SMALL)
    return made


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    return {kind: write(folder, kind) for kind in KINDS}


def read(data: bytes, head_of) -> tuple[Head, int]:
    head = head_of(data)
    return head, count_frames(head, "made.dcm", Leniency())


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_at_every_byte(paths, kind, head_of):
    path = paths[kind]
    ends: set[int] = set()
    pixels = path.stat().st_size
    shift = 0
    if kind != "deflated":
        spans = read_layout(path).spans
        ends = {span.stop for span in spans.values()}
        if 0x7FE00010 in spans:
            pixels = spans[0x7FE00010].start
    if kind == "bare":
        shift = path.stat().st_size
        remove_preamble(path)
        shift -= path.stat().st_size
    data = path.read_bytes()
    whole, frames = read(data, head_of)
    assert frames == {"non-image": 0, "enhanced": 2, "encapsulated": 2}.get(kind, 1)
    accepted = 0
    for cut in range(len(data)):
        try:
            head, count = read(data[:cut], head_of)
        except (CorruptFileError, NotDicomError):
            continue
        accepted += 1
        assert head.attributes.items() <= whole.attributes.items()
        assert head.frames in ([], whole.frames)
        assert head.shared in ({}, whole.shared)
        if head.pixel is not None:  # cut after the pixels: in their delimiter, in the padding
            assert kind in ("encapsulated", "deflated")
            assert cut >= len(data) - 8
            assert (count, head.pixel) == (frames, whole.pixel)
            continue
        assert count == 0
        if kind != "deflated":
            assert cut + shift in ends
            assert cut + shift <= pixels
        if kind != "non-image":
            assert "NoPixelData" in [problem for problem, _ in head.problems]
    assert accepted >= 5 or kind == "deflated"


def mutated(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One file with a few faults."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(max(len(made), 1))
        made = made or bytearray(1)
        match rng.randrange(8):
            case 0:
                made[at] = rng.randrange(256)
            case 1:
                made[at] ^= 1 << rng.randrange(8)
            case 2:
                del made[at : at + rng.choice((1, 2, 8, 100))]
            case 3:
                made[at:at] = rng.randbytes(rng.choice((1, 2, 8, 100)))
            case 4:  # a length, perhaps
                value = rng.choice((0, 1, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF))
                made[at : at + 4] = struct.pack(rng.choice("<>") + "L", value)
            case 5:  # a tag that matters
                tags = ((0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD), (0x7FE0, 0x0010))
                tags += ((0x5200, 0x9230), (0x0028, 0x0008), (0x0008, 0x0005), (0, 0))
                made[at : at + 4] = struct.pack("<HH", *rng.choice(tags))
            case 6:  # a part of another file
                other = rng.choice(others)
                start = rng.randrange(len(other))
                made[at : at + rng.choice((0, 10, 1000))] = other[start : start + 200]
            case 7:
                del made[max(at, 1) :]
    return bytes(made)


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_bytes(paths, kind, head_of):
    rng = random.Random(f"{kind} 1")
    others = [path.read_bytes() for path in paths.values()]
    data = paths[kind].read_bytes()
    refused = slowest = 0
    for _ in range(ROUNDS):
        faulty = mutated(data, others, rng)
        start = time.perf_counter()
        try:
            head, frames = read(faulty, head_of)
        except XDicomError:
            refused += 1
        else:
            assert frames <= 8 * len(faulty) or head.size > len(faulty)
            builder = TableBuilder()
            builder.add(FileStat("a.dcm", len(faulty), 0), head, frames)
            table = builder.build("/")
            assert len(table) == max(frames, 1)
        slowest = max(slowest, time.perf_counter() - start)
    assert 0 < refused < ROUNDS
    assert slowest < 10  # seconds: a hang, not a busy machine


def test_memory_stays_near_the_size_of_the_file(paths, head_of):
    rng = random.Random(2)
    kinds = [kind for kind in KINDS if kind != "deflated"]
    others = [paths[kind].read_bytes() for kind in kinds]
    tracemalloc.start()
    try:
        for number in range(200):
            faulty = mutated(others[number % len(kinds)], others, rng)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            with contextlib.suppress(XDicomError):
                read(faulty, head_of)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 20 * len(faulty) + 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [9, 200, 5000])
def test_noise(size, head_of):
    rng = random.Random(3)
    starts = (
        b"",
        b"\x08\0\x05\0CS",
        bytes(128) + b"DICM",
        bytes(128) + b"DICM\x08\0\x16\0UI\x04\0",
    )
    for start in starts:
        for _ in range(100):
            with pytest.raises((CorruptFileError, NotDicomError)):
                read(start + rng.randbytes(size), head_of)


def test_the_mutations_begin_with_good_files(paths, head_of):
    for kind, path in paths.items():
        if kind != "bare":
            assert dcmread(path).SOPClassUID == head_of(path).attributes["SOPClassUID"]
            assert not head_of(path).problems
    assert element_span(paths["explicit"], "PixelData").value
