"""Values and headers become bytes of elements in explicit VR little endian (PS3.5 7.1.2)."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import dictionary_VR, private_dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, TEXT_VR_DELIMS
from pydicom.values import convert_string

from xdicom.errors import ConformanceError

Elements: TypeAlias = dict[int, bytes]
"""Encoded elements by tag."""

_UNDEFINED: Final = 0xFFFFFFFF
_LONG: Final = frozenset(str(vr) for vr in EXPLICIT_VR_LENGTH_32)
_TEXT: Final = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT".split())
_NUL_PADDED: Final = frozenset(("UI", "OB", "UN"))
_FREE_TEXT: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_INTEGERS: Final = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l"}
_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"

# bytes of a number of each VR, whose order a big-endian file turns round (PS3.5 7.3)
_WIDTH: Final = {
    **dict.fromkeys(("US", "SS", "OW", "AT"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("FD", "OD", "SV", "UV", "OV"), 8),
}


def element(tag: int, vr: str, value: bytes) -> bytes:
    r"""One element: its tag, VR and length, and the value padded to an even length.

    A value too long for its VR gets VR UN (PS3.5 6.2.2).

    Examples
    --------
    >>> element(0x00100020, "LO", b"ABC")
    b'\x10\x00 \x00LO\x04\x00ABC '
    """
    if len(value) % 2:
        value += b"\0" if vr in _NUL_PADDED or vr not in _TEXT else b" "
    if vr not in _LONG and len(value) > 0xFFFF:
        vr = "UN"
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in _LONG:
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def item(elements: Elements) -> bytes:
    """A sequence item of defined length."""
    body = b"".join(elements[tag] for tag in sorted(elements))
    return _ITEM + struct.pack("<L", len(body)) + body


def value_of(encoded: bytes) -> bytes:
    """The value of an encoded element, with its padding."""
    return encoded[12:] if encoded[4:6].decode("ascii", "replace") in _LONG else encoded[8:]


def ds_text(number: float) -> str:
    """A number as a decimal string of at most 16 characters (PS3.5 6.2).

    Examples
    --------
    >>> ds_text(0.1 * 3), ds_text(-123.456789012345678), ds_text(-0.0), ds_text(2.0)
    ('0.3', '-123.45678901235', '0', '2')
    """
    number += 0.0
    for digits in range(15, 0, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError(f"{number} has no decimal string of 16 characters")


def encode(keyword: str, value: Any, charset: Sequence[str] = (), vr: str = "") -> bytes:
    """One public element from a plain value.

    Parameters
    ----------
    keyword : str
        Its keyword.
    value : str, int, float, sequence of these, or list of bytes
        A list of encoded items for a sequence.
    charset : sequence of str
        SpecificCharacterSet, for free text.
    vr : str
        Where the dictionary leaves a choice.

    Raises
    ------
    ConformanceError
        For text that the character set cannot write.
    """
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    vr = vr or dictionary_VR(tag)
    if vr == "SQ":
        return element(tag, vr, b"".join(value))
    parts = [value] if isinstance(value, (str, int, float)) else list(value)
    if vr in _INTEGERS:
        return element(tag, vr, b"".join(struct.pack(_INTEGERS[vr], int(p)) for p in parts))
    text = "\\".join(ds_text(p) if isinstance(p, float) else str(p) for p in parts)
    return element(tag, vr, _encoded_text(keyword, text, tuple(charset), vr))


@lru_cache(maxsize=256)
def _encoded_text(keyword: str, text: str, charset: tuple[str, ...], vr: str) -> bytes:
    if text.isascii() or vr not in _FREE_TEXT:
        return text.encode("ascii")
    encodings = convert_encodings(list(charset))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cannot be encoded is found by decoding it again
        encoded = encode_string(text, encodings)
        if decode_bytes(encoded, encodings, TEXT_VR_DELIMS) == text:
            return encoded
    raise ConformanceError(
        f"the text for {keyword} cannot be written in the character set of the source",
        expected=f"characters of {' and '.join(charset) or 'ISO_IR 6 (ASCII)'}",
        found=repr(text),
    )


def header_elements(header: Dataset) -> Elements:
    """All elements of a header, their values byte for byte as they were.

    Implicit VRs are looked up, big-endian numbers turned round and sequences encoded anew;
    nothing is decoded and written again, so that values which break their VR's rules stay too.

    Parameters
    ----------
    header : pydicom.Dataset
        As pydicom read it, without pixels.
    """
    raw: Any = header.get_item("PixelRepresentation")
    signed = raw is not None and raw.value not in (None, b"", b"\0\0", 0)
    return _elements(header, signed)


def _elements(dataset: Dataset, signed: bool) -> Elements:
    found: Elements = {}
    for tag in dataset.keys():  # noqa: SIM118  iterating a Dataset converts its elements
        if tag.group < 8 or tag.element == 0:  # group lengths are retired (PS3.5 7.2)
            continue
        one: Any = dataset.get_item(tag)
        encoded = (
            _raw(dataset, one, signed)
            if isinstance(one, RawDataElement)
            else _converted(one, signed)
        )
        if encoded is not None:
            found[int(tag)] = encoded
    return found


def _raw(dataset: Dataset, one: RawDataElement, signed: bool) -> bytes | None:
    vr = one.VR
    if vr is None or not (len(vr) == 2 and vr.isascii() and vr.isupper()):
        vr = _vr(dataset, one, signed)
    value = one.value or b""
    if vr == "SQ" and (one.is_implicit_VR or not one.is_little_endian):
        return _converted(dataset[one.tag], signed)
    if not one.is_little_endian:
        if vr == "UN":  # numbers or text? their bytes cannot be put in order
            return None
        width = _WIDTH.get(vr, 1)
        if width > 1 and len(value) % width == 0:
            value = np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
    if one.length == _UNDEFINED:
        head = struct.pack("<HH2sHL", one.tag.group, one.tag.element, vr.encode(), 0, _UNDEFINED)
        return head + value + _END
    return element(int(one.tag), vr, value)


def _converted(one: Any, signed: bool) -> bytes:
    """An element that pydicom has converted: sequences, and little else."""
    if one.VR == "SQ":
        items = (item(_elements(inner, signed)) for inner in one.value or ())
        return element(int(one.tag), "SQ", b"".join(items))
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_data_element(buffer, one)
    return buffer.getvalue()


def _vr(dataset: Dataset, one: RawDataElement, signed: bool) -> str:
    """The VR of an element that does not say it."""
    if not one.tag.is_private:
        return _public_vr(int(one.tag), signed)
    if one.tag.is_private_creator:
        return "LO"
    owner: Any = dataset.get_item((one.tag.group, one.tag.element >> 8))
    if owner is None or not isinstance(owner.value, (bytes, str)):
        return "UN"
    creator = owner.value
    if isinstance(creator, bytes):
        creator = str(convert_string(creator, True))
    try:
        vr = str(private_dictionary_VR(one.tag, creator.strip(" \0")))
    except KeyError:
        return "UN"
    return vr if vr in _TEXT or vr in _WIDTH or vr in _NUL_PADDED else "UN"


@lru_cache(maxsize=4096)
def _public_vr(tag: int, signed: bool) -> str:
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if " or " not in vr:
        return vr
    choices = vr.split(" or ")
    if "SS" in choices:
        return "SS" if signed else "US"
    return "OW"


def elements_of(values: Iterable[tuple[str, Any]], charset: Sequence[str] = ()) -> Elements:
    """Encoded elements of keywords and values."""
    encoded: Elements = {}
    for keyword, value in values:
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        encoded[tag] = encode(keyword, value, charset)
    return encoded
