"""Elements are found where they are, in every encoding, and nothing runs past what it stands in."""

from __future__ import annotations

import struct

import pytest

import xdicom.headers.walk as walk
from xdicom.errors import CorruptFileError, ResourceLimitError

ROWS = 0x00280010
PRIVATE = 0x00091001
REFERENCES = 0x00081140
SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
}


@pytest.fixture(params=list(SYNTAXES))
def encoding(request):
    return request.getfixturevalue(request.param), SYNTAXES[request.param]


def rows(made, count=7):
    return made.element(ROWS, b"US", struct.pack(made.order + "H", count))


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_what_follows_nested_sequences_is_read(encoding, undefined, depth, head_of, wrap):
    made, syntax = encoding
    inner = made.element(0x00081150, b"UI", b"1.2\0")
    for _ in range(depth):
        inner = made.sequence(REFERENCES, [inner, b"", inner], undefined=undefined)
    head = head_of(wrap(inner + rows(made), syntax))
    assert head.attributes["Rows"] == "7"
    assert not head.problems


@pytest.mark.parametrize("inside", ["implicit", "explicit"])
def test_a_sequence_of_vr_un(inside, explicit, head_of, wrap, request):
    # PS3.5 6.2.2 says implicit; some writers keep explicit VR
    inner = request.getfixturevalue(inside)
    content = inner.element(0x00081150, b"UI", b"1.2\0")
    body = explicit.sequence(PRIVATE, [content], undefined=True, vr=b"UN", inside=inner)
    assert head_of(wrap(body + rows(explicit))).attributes["Rows"] == "7"


def test_a_private_element_of_vr_un(explicit, head_of, wrap):
    body = explicit.element(0x00090010, b"LO", b"MAKER ")
    body += explicit.element(PRIVATE, b"UN", b"any bytes at all")
    assert head_of(wrap(body + rows(explicit))).attributes["Rows"] == "7"


def test_an_element_without_vr_in_an_explicit_data_set(explicit, implicit, head_of, wrap):
    body = implicit.element(PRIVATE, b"", b"12345678")
    assert head_of(wrap(body + rows(explicit))).attributes["Rows"] == "7"


@pytest.mark.parametrize("undefined", [False, True])
def test_an_item_whose_length_reads_like_a_vr(undefined, explicit, head_of, wrap):
    # 0x4C55 is "UL" in little endian
    content = explicit.element(PRIVATE, b"OB", bytes(0x4C55 - 12))
    item = explicit.item(content)
    assert item[4:6] == b"UL"
    value = item + (explicit.tag(0xFFFEE0DD) + bytes(4) if undefined else b"")
    length = 0xFFFFFFFF if undefined else None
    body = explicit.element(0x00089215, b"SQ", value, length)
    assert head_of(wrap(body + rows(explicit))).attributes["Rows"] == "7"


def test_functional_groups_with_an_item_whose_length_reads_like_a_vr(explicit, head_of, wrap):
    padding = explicit.element(PRIVATE, b"OB", bytes(0x4C55 - 12 - 12 - 8 - 8 - 4))
    echo = explicit.element(0x00180050, b"DS", b"2.5 ")
    measures = explicit.sequence(0x00289110, [echo])
    groups = explicit.sequence(0x52009229, [padding + measures])
    assert groups[16:18] == b"UL"
    assert head_of(wrap(groups)).shared == {"SliceThickness": "2.5"}


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_last_element_of_few_bytes(length, explicit, head_of, wrap):
    last = explicit.element(0x00280011, b"US", b"\x05\0" * (length // 2))
    head = head_of(wrap(rows(explicit) + last))
    assert head.attributes.get("Columns") == {0: None, 2: "5", 4: "5\\5"}[length]


@pytest.mark.parametrize("depth", [walk.MAX_DEPTH, walk.MAX_DEPTH + 1, 5000])
def test_depth(encoding, depth, head_of, wrap):
    made, syntax = encoding
    end = struct.pack(made.order + "L", 0)
    opening = made.element(REFERENCES, b"SQ", b"", 0xFFFFFFFF)
    opening += made.tag(0xFFFEE000) + struct.pack(made.order + "L", 0xFFFFFFFF)
    closing = made.tag(0xFFFEE00D) + end + made.tag(0xFFFEE0DD) + end
    data = wrap(opening * depth + closing * depth + rows(made), syntax)
    if depth <= walk.MAX_DEPTH:
        assert head_of(data).attributes["Rows"] == "7"
    else:
        with pytest.raises(CorruptFileError, match=r"nested too deep.*at most 32 levels"):
            head_of(data)


def test_depth_in_functional_groups(explicit, head_of, wrap):
    inner = b""
    for _ in range(walk.MAX_DEPTH):
        inner = explicit.sequence(0x00189114, [inner])
    with pytest.raises(CorruptFileError, match="nested too deep"):
        head_of(wrap(explicit.sequence(0x52009229, [inner])))


def test_elements_without_end(explicit, head_of, wrap, monkeypatch):
    monkeypatch.setattr(walk, "MAX_ELEMENTS", 100)
    few = explicit.element(PRIVATE, b"SH", b"") * 90
    data = wrap(explicit.sequence(REFERENCES, [few], undefined=True) + rows(explicit))
    assert head_of(data).attributes["Rows"] == "7"
    many = explicit.element(PRIVATE, b"SH", b"") * 100
    data = wrap(explicit.sequence(REFERENCES, [many], undefined=True) + rows(explicit))
    with pytest.raises(ResourceLimitError, match=r"too many elements.*at most 100"):
        head_of(data)


def test_the_limit_of_elements_holds_for_each_frame(explicit, head_of, wrap, monkeypatch):
    monkeypatch.setattr(walk, "MAX_ELEMENTS", 100)
    frames = []
    for number in range(20):
        position = explicit.element(0x00200032, b"DS", b"%d\\0\\0  " % number)
        frames.append(explicit.sequence(0x00209113, [position + position * 20]))
    data = wrap(explicit.sequence(0x52009230, frames))
    assert [f["ImagePositionPatient"] for f in head_of(data).frames][-1] == "19\\0\\0"


def test_an_element_too_large_to_be_held(explicit, head_of, wrap, monkeypatch):
    monkeypatch.setattr(walk, "MAX_ELEMENT_BYTES", 100_000)
    large = explicit.element(PRIVATE, b"OB", bytes(200_000))
    # what is not read is stepped over, whatever its size
    assert head_of(wrap(large + rows(explicit))).attributes["Rows"] == "7"
    name = explicit.element(0x0008103E, b"UT", b"x" * 200_000)
    with pytest.raises(ResourceLimitError, match=r"too large.*at most 100000.*found 200000"):
        head_of(wrap(name + rows(explicit)))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("element past the file", "PixelSpacing runs past the end of the file"),
        ("long element past the file", "runs past the end of the file"),
        ("element past its item", "SliceThickness runs past the end of what it stands in"),
        ("item past its sequence", "Item runs past the end of what it stands in"),
        ("sequence past its item", "PixelMeasuresSequence runs past the end of what it stands in"),
        ("no item in a sequence", "something else than items"),
        ("no item in a skipped sequence", "something else than items"),
        ("no end of a sequence", "in the middle of an element"),
        ("no end of an item", "in the middle of an element"),
        ("item at the top", "something that is no element"),
    ],
)
def test_what_runs_past_its_bounds(what, message, explicit, head_of, wrap):
    thickness = explicit.element(0x00180050, b"DS", b"2.5 ")
    long = explicit.element(0x00180050, b"DS", b"2.5 ", 8)
    measures = explicit.sequence(0x00289110, [thickness])
    body = {
        "element past the file": explicit.element(0x00280030, b"DS", b"1\\1 ", 400),
        "long element past the file": explicit.element(PRIVATE, b"OB", b"", 2**31),
        "element past its item": explicit.sequence(
            0x52009229, [explicit.sequence(0x00289110, [long])]
        ),
        "item past its sequence": explicit.element(
            0x52009229, b"SQ", explicit.item(measures), len(measures)
        ),
        "sequence past its item": explicit.sequence(
            0x52009229, [explicit.element(0x00289110, b"SQ", explicit.item(thickness), 100)]
        ),
        "no item in a sequence": explicit.element(0x52009229, b"SQ", measures),
        "no item in a skipped sequence": explicit.element(REFERENCES, b"SQ", measures, 0xFFFFFFFF),
        "no end of a sequence": explicit.element(
            REFERENCES, b"SQ", explicit.item(thickness), 0xFFFFFFFF
        ),
        "no end of an item": explicit.element(
            REFERENCES, b"SQ", explicit.tag(0xFFFEE000) + b"\xff" * 4 + thickness, 0xFFFFFFFF
        ),
        "item at the top": thickness + explicit.item(thickness),
    }[what]
    if "what it stands in" in message:
        body += explicit.element(0x7FE00010, b"OW", bytes(1000))
    with pytest.raises(CorruptFileError, match=message):
        head_of(wrap(body))


def test_far_places_are_read_through_a_small_window(explicit, head_of, wrap, monkeypatch):
    reads = []
    read = walk.Window.at

    def counted(self, position, length):
        before = self.base
        index = read(self, position, length)
        if self.base != before:
            reads.append(len(self.data))
        return index

    monkeypatch.setattr(walk.Window, "at", counted)
    gap = explicit.element(PRIVATE, b"OB", bytes(10_000_000))
    head = head_of(wrap(gap + rows(explicit) + bytes(0)))
    assert head.attributes["Rows"] == "7"
    assert sum(reads) <= 2 * walk.FIRST_READ
