"""Values become text by their VR, character set and byte order, or a problem says why not."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from xdicom.headers.elements import WANTED
from xdicom.headers.texts import Texts

TAGS = {keyword: tag for tag, keyword in WANTED.items()}


@pytest.fixture(params=["<", ">"])
def order(request):
    return request.param


def read(keyword, vr, raw, order="<"):
    problems = []
    return Texts(problems).read(TAGS[keyword], vr, raw, order), problems


@pytest.mark.parametrize(
    ("vr", "code", "values", "text"),
    [
        (b"US", "H", [65535], "65535"),
        (b"SS", "h", [-2, 3], "-2\\3"),
        (b"UL", "I", [2**32 - 1], "4294967295"),
        (b"SL", "i", [-5], "-5"),
        (b"UV", "Q", [2**64 - 1, 0], "18446744073709551615\\0"),
        (b"SV", "q", [-(2**63)], "-9223372036854775808"),
        (b"FL", "f", [4.76, 1e-30], "4.76\\1e-30"),
        (b"FL", "f", [np.nan, np.inf], "nan\\inf"),
        (b"FD", "d", [0.1, -1e300], "0.1\\-1e+300"),
    ],
)
def test_numbers(vr, code, values, text, order):
    raw = struct.pack(f"{order}{len(values)}{code}", *values)
    assert read("EchoTime", vr, raw, order) == (text, [])


def test_tags(order):
    raw = struct.pack(f"{order}4H", 0x0018, 0x1063, 0x0054, 0x0010)
    assert read("FrameIncrementPointer", b"AT", raw, order) == ("00181063\\00540010", [])


@pytest.mark.parametrize(
    ("keyword", "vr", "length"),
    [
        ("Rows", b"US", 3),
        ("Rows", b"UL", 2),
        ("FlipAngle", b"FD", 4),
        ("Rows", b"", 1),
        ("FrameIncrementPointer", b"AT", 6),
    ],
)
def test_lengths_that_a_vr_cannot_have(keyword, vr, length):
    text, problems = read(keyword, vr, bytes(length))
    assert text == ""
    ((kind, message),) = problems
    assert kind == "InvalidValue"
    assert f"{keyword} has {length} bytes" in message


@pytest.mark.parametrize("vr", [b"OB", b"OW", b"SQ", b"ZZ", b"OV"])
def test_a_vr_that_the_attribute_cannot_have(vr):
    text, problems = read("PatientID", vr, b"some" + b"\1" * 4)
    if vr == b"OV":  # numbers all the same
        assert text == str(int.from_bytes(b"some\1\1\1\1", "little"))
    else:
        assert text == ""
        assert problems[0][0] == "InvalidValue"
        assert vr.decode() in problems[0][1]
    assert read("PatientID", vr, b"") == ("", [])


@pytest.mark.parametrize("vr", [b"", b"UN"])
def test_without_vr_the_dictionary_tells(vr):
    assert read("Rows", vr, b"\0\2")[0] == "512"
    assert read("PatientID", vr, b"P1 ")[0] == "P1"
    assert read("DiffusionBValue", vr, struct.pack("<d", 700))[0] == "700.0"
    assert read("EchoTime", vr, b" 2.50 ")[0] == "2.50"


def test_un_is_little_endian_in_a_big_endian_data_set():
    assert read("Rows", b"UN", b"\0\2", ">")[0] == "512"
    assert read("Rows", b"US", b"\0\2", ">")[0] == "2"


@pytest.mark.parametrize(("signed", "text"), [(0, "64536"), (1, "-1000")])
def test_pixel_representation_decides_us_or_ss(signed, text):
    texts = Texts([])
    texts.read(TAGS["PixelRepresentation"], b"US", bytes((signed, 0)), "<")
    assert texts.read(TAGS["PixelPaddingValue"], b"", struct.pack("<h", -1000), "<") == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"  \0", ""),
        (b" MR \0", "MR"),
        (b"ORIGINAL\\PRIMARY \\ M\0", "ORIGINAL\\PRIMARY\\M"),
        (b"A\\\\B", "A\\\\B"),
        (b"1.5\\", "1.5\\"),
    ],
)
@pytest.mark.parametrize("vr", [b"CS", b"LO"])
def test_padding_is_no_part_of_a_value(raw, text, vr):
    assert read("ImageType", vr, raw) == (text, [])


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("", b"B\xe4r", "Bär"),  # nothing declared: latin-1, as other readers do
        ("ISO_IR 100", b"B\xe4r", "Bär"),
        ("ISO_IR 192", "Bär 熊".encode(), "Bär 熊"),
        ("ISO_IR 144", "Медведь".encode("iso8859_5"), "Медведь"),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田^太郎"),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe8", "김"),
        ("GB18030", "王".encode("gb18030"), "王"),
    ],
)
def test_character_sets(charset, raw, text):
    problems = []
    texts = Texts(problems)
    if charset:
        assert texts.read(TAGS["SpecificCharacterSet"], b"CS", charset.encode(), "<") == charset
    assert texts.read(TAGS["SeriesDescription"], b"LO", raw, "<") == text
    assert not problems


def test_a_backslash_ends_a_code_extension():
    # PS3.5 6.1.2.5.3: the next value begins with the first character set again
    texts = Texts([])
    texts.read(TAGS["SpecificCharacterSet"], b"CS", b"ISO 2022 IR 100\\ISO 2022 IR 144", "<")
    raw = b"\x1b-L\xbc\\\xe4"
    assert (
        texts.read(TAGS["SeriesDescription"], b"LO", raw, "<")
        == "\N{CYRILLIC CAPITAL LETTER EM}\\ä"
    )


@pytest.mark.parametrize("charset", [b"ISO_IR 999", b"nonsense", b"\\ISO 2022 IR 4711 "])
def test_an_unknown_character_set_is_read_as_latin_1(charset):
    problems = []
    texts = Texts(problems)
    texts.read(TAGS["SpecificCharacterSet"], b"CS", charset, "<")
    assert texts.read(TAGS["SeriesDescription"], b"LO", b"B\xe4r", "<") == "Bär"
    assert [kind for kind, _ in problems] == ["UnknownCharacterSet"]
    assert charset.decode().strip() in problems[0][1]


def test_text_that_is_not_of_its_character_set(recwarn):
    problems = []
    texts = Texts(problems)
    texts.read(TAGS["SpecificCharacterSet"], b"CS", b"ISO_IR 192", "<")
    for _ in range(3):
        assert "B" in texts.read(TAGS["PatientID"], b"LO", b"B\xe4r", "<")
    assert [kind for kind, _ in problems] == ["UnknownCharacterSet"]  # once a file
    assert not len(recwarn)
