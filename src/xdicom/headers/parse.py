"""The bytes of one file's header become a Head: attributes as raw text, and where the pixels lie."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from xdicom.errors import (
    CorruptFileError,
    NotDicomError,
    ResourceLimitError,
)
from xdicom.headers.elements import (
    ALIASES,
    DIMENSION_INDEX,
    MACROS,
    MODALITY_LUT,
    PER_FRAME_GROUPS,
    SHARED_GROUPS,
    WANTED,
    WANTED_VR,
    keyword_of,
)

FIRST_READ: Final = 16 * 1024
MAX_ELEMENTS: Final = 1_000_000
MAX_ELEMENT_BYTES: Final = 256 * 2**20
MAX_INFLATED_BYTES: Final = 2**30
MAX_DEPTH: Final = 32

_PIXEL: Final = {
    0x7FE00010: "PixelData",
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
}
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG: Final = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN",
                          b"UR", b"UT", b"UV"))  # fmt: skip
_NUMBERS: Final = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FD": "d", "FL": "f",
    "OF": "f", "OD": "d", "OV": "Q", "OL": "I",
}  # fmt: skip
_ENCODED_TEXT: Final = frozenset(("LO", "SH", "PN", "LT", "ST", "UC", "UT"))
# repeated, these make position or pixels ambiguous
_DECISIVE: Final = frozenset(
    """Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames
    BitsAllocated BitsStored HighBit PixelRepresentation RescaleSlope RescaleIntercept
    ImagePositionPatient ImageOrientationPatient PixelSpacing SOPInstanceUID SOPClassUID
    SeriesInstanceUID""".split()
)


@dataclass(frozen=True)
class PixelElement:
    """Where the pixel element's value lies."""

    keyword: str
    """``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``."""
    offset: int
    """Of the value's first byte in the file (in the inflated data set if that is deflated)."""
    length: int
    """Of the value in bytes; −1 where it is undefined (encapsulated)."""
    vr: str
    """Value representation in the file, ``OB`` or ``OW`` …; ``""`` in implicit VR."""


@dataclass(frozen=True)
class DimensionIndex:
    """One item of DimensionIndexSequence (PS3.3 C.7.6.17)."""

    pointer: str
    """Keyword, or tag in hexadecimal, of DimensionIndexPointer."""
    private: bool
    """Whether the pointer is a private tag."""


@dataclass
class Head:
    """What is kept of one file's header."""

    transfer_syntax: str
    """Transfer syntax UID."""
    attributes: dict[str, str]
    """Instance attributes as raw text, the values of one element joined by ``\\``."""
    pixel: PixelElement | None = None
    """Where the pixels lie; None for objects without."""
    shared: dict[str, str] = field(default_factory=dict)
    """Leaves of the shared functional groups."""
    frames: list[dict[str, str]] = field(default_factory=list)
    """Leaves of the per-frame functional groups, one dict a frame."""
    dimensions: tuple[DimensionIndex, ...] = ()
    """The dimension indices that the object declares."""
    modality_lut: bool = False
    """Whether a Modality LUT stands in the header."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Kind and message of what was wrong and tolerated."""


class _Window:
    """A file read through a sliding window, or bytes that are all there."""

    def __init__(self, fd: int, size: int, name: str, data: bytes | None = None) -> None:
        self.fd, self.size, self.name = fd, size, name
        self.base = 0
        self.data = os.pread(fd, FIRST_READ, 0) if data is None else data
        self.count = 0
        self.encodings: list[str] = ["iso8859"]

    def at(self, position: int, length: int) -> int:
        """Index in ``data`` of the byte at a file position, after making sure of ``length``."""
        index = position - self.base
        if index >= 0 and index + length <= len(self.data):
            return index
        if position + length > self.size:
            raise CorruptFileError(
                "the header ends in the middle of an element",
                file=self.name,
                expected=f"{length} bytes at {position}",
                found=f"a file of {self.size} bytes",
                remedy="The file is truncated: copy it again from its source",
            )
        if length > MAX_ELEMENT_BYTES:
            raise ResourceLimitError(
                "an element of the header is too large",
                file=self.name,
                expected=f"at most {MAX_ELEMENT_BYTES} bytes",
                found=f"{length}",
            )
        self.base = position
        self.data = os.pread(self.fd, max(FIRST_READ, length), position)
        if len(self.data) < length:
            raise CorruptFileError("the file shrank while it was read", file=self.name)
        return 0

    def value(self, position: int, length: int) -> bytes:
        index = self.at(position, length)
        return self.data[index : index + length]


@dataclass(frozen=True)
class _Encoding:
    implicit: bool
    order: str
    """``<`` or ``>``, as struct writes it."""

    def header(self, w: _Window, position: int) -> tuple[int, bytes, int, int]:
        """Tag, VR (empty in implicit VR), length and position of the value of an element."""
        index = w.at(position, 8)
        data = w.data
        w.count += 1
        if w.count > MAX_ELEMENTS:
            raise ResourceLimitError(
                "the header has too many elements", file=w.name, expected=f"≤ {MAX_ELEMENTS}"
            )
        if self.implicit:
            group, element, length = struct.unpack_from(self.order + "HHL", data, index)
            return group << 16 | element, b"", length, position + 8
        group, element, vr, short = struct.unpack_from(self.order + "HH2sH", data, index)
        tag = group << 16 | element
        if vr in _LONG:
            index = w.at(position, 12)
            (length,) = struct.unpack_from(self.order + "L", w.data, index + 8)
            return tag, vr, length, position + 12
        if b"AA" <= vr <= b"ZZ" and vr[1:] >= b"A":
            return tag, vr, short, position + 8
        # delimiters, and writers that slip an implicit element into an explicit data set
        (length,) = struct.unpack_from(self.order + "L", data, index + 4)
        return tag, b"", length, position + 8


_EXPLICIT_LE = _Encoding(False, "<")
_EXPLICIT_BE = _Encoding(False, ">")
_IMPLICIT_LE = _Encoding(True, "<")


def _items(
    w: _Window, position: int, length: int, encoding: _Encoding, depth: int
) -> Iterator[tuple[int, int | None, list[int]]]:
    """Walk a sequence: start and end (None: undefined) of each item, and a cell for its true end.

    The caller of an undefined-length item puts where it ended into the cell before going on. The
    last thing yielded is ``(end of the sequence, -1, [])``.
    """
    if depth > MAX_DEPTH:
        raise CorruptFileError(
            "sequences are nested too deep", file=w.name, expected=f"at most {MAX_DEPTH} levels"
        )
    end = None if length == _UNDEFINED else position + length
    while end is None or position < end:
        tag, _, size, value = encoding.header(w, position)
        if tag == _SEQUENCE_END:
            position = value
            break
        if tag != _ITEM:
            raise CorruptFileError(
                "a sequence holds something else than items",
                file=w.name,
                expected="(FFFE,E000)",
                found=keyword_of(tag),
            )
        cell: list[int] = []
        yield value, None if size == _UNDEFINED else value + size, cell
        position = value + size if size != _UNDEFINED else cell[0]
    yield position if end is None else end, -1, []


def _elements(
    w: _Window, position: int, end: int | None, encoding: _Encoding
) -> Iterator[tuple[int, bytes, int, int, list[int]]]:
    """Walk the elements of an item: tag, VR, length, value position, and a cell for the true end.

    An undefined-length element's caller fills the cell. Ends with tag 0 at the item's end.
    """
    while end is None or position < end:
        tag, vr, length, value = encoding.header(w, position)
        if tag == _ITEM_END:
            position = value
            break
        cell: list[int] = []
        yield tag, vr, length, value, cell
        position = value + length if length != _UNDEFINED else cell[0]
    yield 0, b"", 0, position, []


def _inner(vr: bytes, encoding: _Encoding) -> _Encoding:
    # PS3.5 6.2.2: an undefined-length UN holds a sequence in implicit VR little endian
    return _IMPLICIT_LE if vr == b"UN" else encoding


def _skip(w: _Window, position: int, encoding: _Encoding, depth: int) -> int:
    """End of an undefined-length sequence whose first item starts at ``position``."""
    for start, end, cell in _items(w, position, _UNDEFINED, encoding, depth):
        if end == -1:
            return start
        if end is None:
            for tag, vr, length, value, inner in _elements(w, start, None, encoding):
                if tag == 0:
                    cell.append(value)
                elif length == _UNDEFINED:
                    inner.append(_skip(w, value, _inner(vr, encoding), depth + 1))
    raise AssertionError("a sequence always yields its end")


def _leaves(
    w: _Window, start: int, end: int | None, encoding: _Encoding, depth: int, out: dict[str, str]
) -> int:
    """Put the wanted leaves of a functional-group item into ``out``; where the item ended."""
    for tag, vr, length, value, cell in _elements(w, start, end, encoding):
        if tag == 0:
            return value
        if tag in MACROS:
            inner = _inner(vr, encoding)
            for i, (first, last, item) in enumerate(_items(w, value, length, inner, depth + 1)):
                if last == -1:
                    cell.append(first)
                elif i == 0:
                    item.append(_leaves(w, first, last, inner, depth + 1, out))
                elif last is None:
                    item.append(_leaves(w, first, last, inner, depth + 1, {}))
        elif length == _UNDEFINED:
            cell.append(_skip(w, value, _inner(vr, encoding), depth + 1))
        elif tag in WANTED:
            text = _text(w, tag, vr, w.value(value, length), encoding, out)
            if text:
                out[WANTED[tag]] = text
    raise AssertionError("an item always yields its end")


def _text(
    w: _Window, tag: int, vr: bytes, raw: bytes, encoding: _Encoding, known: dict[str, str]
) -> str:
    """An element's value as text: numbers by their shortest form, several joined by a backslash."""
    name = vr.decode("ascii") if vr and vr != b"UN" else WANTED_VR[tag]
    if name == "US or SS":
        name = "SS" if known.get("PixelRepresentation") == "1" else "US"
    code = _NUMBERS.get(name)
    if code is not None:
        size = struct.calcsize(code)
        if len(raw) % size:
            return ""
        values = struct.unpack(f"{encoding.order}{len(raw) // size}{code}", raw)
        if code == "f":  # 4.76, not 4.760000228881836
            return "\\".join(str(np.float32(v)) for v in values)
        return "\\".join(map(repr, values))
    if name == "AT":
        pairs = struct.unpack(f"{encoding.order}{len(raw) // 4 * 2}H", raw[: len(raw) // 4 * 4])
        return "\\".join(
            f"{g:04x}{e:04x}" for g, e in zip(pairs[::2], pairs[1::2], strict=True)
        )
    if name in _ENCODED_TEXT and not raw.isascii():
        text = decode_bytes(raw, w.encodings, set())
    else:
        text = raw.decode("latin-1")
    text = text.strip(" \0")
    if "\\" in text:
        text = "\\".join(part.strip(" \0") for part in text.split("\\"))
    return text


def _file_meta(w: _Window) -> tuple[int, str, str, list[tuple[str, str]]]:
    """Start of the data set, transfer syntax, media class, problems."""
    problems: list[tuple[str, str]] = []
    magic = w.data[128:132] == b"DICM"
    position = 132 if magic else 0
    if not magic:
        if w.data[:2] == b"\x1f\x8b" or w.data[:4] == b"PK\x03\x04":
            raise NotDicomError("the file is compressed", file=w.name, remedy="Unpack it first")
        group = w.data[:2]
        if len(w.data) < 8 or group not in (b"\x02\0", b"\x08\0", b"\0\x08"):
            raise NotDicomError(
                "this is not a DICOM file", file=w.name, expected="DICM at byte 128"
            )
        problems.append(("NoPreamble", "the file has no DICOM preamble; its elements were read"))
    syntax = media = ""
    while position + 8 <= w.size:
        index = w.at(position, 2)
        if w.data[index : index + 2] != b"\x02\0":
            break
        tag, _, length, value = _EXPLICIT_LE.header(w, position)
        if tag in (0x00020010, 0x00020002):
            text = w.value(value, length).decode("latin-1").strip(" \0")
            if tag == 0x00020010:
                syntax = text
            else:
                media = text
        position = value + length
    if not syntax:
        problems.append(
            ("MissingTransferSyntax", "no TransferSyntaxUID; it was found from the elements")
        )
        index = w.at(position, min(8, max(w.size - position, 0)))
        first = w.data[index : index + 8]
        explicit = len(first) == 8 and b"AA" <= first[4:6] <= b"ZZ"
        if first[:2] == b"\0\x08" and explicit:
            syntax = str(ExplicitVRBigEndian)
        else:
            syntax = str(ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian)
    return position, syntax, media, problems


def inflate(data: bytes, start: int, stop: int | None = None, name: str = "") -> bytes:
    """The bytes of a deflated data set, at most ``stop`` of them.

    Parameters
    ----------
    data : bytes
        The whole file.
    start : int
        Where its data set begins.
    stop : int, optional
        How many inflated bytes are needed; all by default.
    name : str
        The file, for the message.

    Raises
    ------
    ResourceLimitError
        If it inflates to more than ``MAX_INFLATED_BYTES`` (PS3.5 A.5 sets no limit: bombs do).
    CorruptFileError
        If the stream is broken.
    """
    limit = MAX_INFLATED_BYTES + 1 if stop is None else stop
    try:
        out = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], limit)
    except zlib.error as error:
        raise CorruptFileError("the deflated data set is broken", file=name) from error
    if len(out) > MAX_INFLATED_BYTES:
        raise ResourceLimitError(
            "the deflated data set inflates to too much",
            file=name,
            expected=f"at most {MAX_INFLATED_BYTES} bytes",
        )
    return out


def dataset_start(path: str) -> int:
    """Where the data set of a file begins: after preamble and file meta information."""
    with open(path, "rb", buffering=0) as file:
        return _file_meta(_Window(file.fileno(), os.fstat(file.fileno()).st_size, path))[0]


def parse(fd: int, size: int, name: str) -> Head:
    """Read the header of an open file, up to its pixels.

    Parameters
    ----------
    fd : int
        Descriptor of the file.
    size : int
        The file's size in bytes.
    name : str
        The file's name, for messages.

    Returns
    -------
    Head
        What the rows of the frame table are made from.

    Raises
    ------
    NotDicomError, CorruptFileError, ResourceLimitError
        By the rules that are given with each message; nothing is guessed.

    Notes
    -----
    Data element encoding: PS3.5 section 7; file meta information: PS3.10 section 7.1.
    """
    w = _Window(fd, size, name)
    if not size:
        raise NotDicomError("the file is empty", file=name)
    try:
        return _parse(w)
    except (struct.error, RecursionError, MemoryError, UnicodeError) as error:
        raise CorruptFileError(f"the header cannot be read: {error}", file=name) from error


def _parse(w: _Window) -> Head:
    start, syntax, media, problems = _file_meta(w)
    encoding = _EXPLICIT_LE
    if syntax == ImplicitVRLittleEndian:
        encoding = _IMPLICIT_LE
    elif syntax == ExplicitVRBigEndian:
        encoding = _EXPLICIT_BE
    elif syntax == DeflatedExplicitVRLittleEndian:
        data = inflate(os.pread(w.fd, w.size, 0), start, None, w.name)
        w = _Window(-1, len(data), w.name, data)
        start = 0
    if encoding is not _EXPLICIT_BE and start + 8 <= w.size:
        # the element itself tells explicit from implicit VR; some writers contradict their meta
        index = w.at(start, 6)
        vr = w.data[index + 4 : index + 6]
        explicit = vr in _LONG or (vr.isalpha() and vr.isupper())
        actual = _EXPLICIT_LE if explicit else _IMPLICIT_LE
        if actual is not encoding:
            problems.append(("WrongTransferSyntax", f"elements are not encoded as {syntax} says"))
            encoding = actual

    attributes: dict[str, str] = {}
    head = Head(syntax, attributes, problems=problems)
    if media:
        attributes["MediaStorageSOPClassUID"] = media
    seen: set[int] = set()
    last = 0
    position = start
    while position + 8 <= w.size:
        tag, vr, length, value = encoding.header(w, position)
        if tag in _PIXEL:
            undefined = length == _UNDEFINED
            head.pixel = PixelElement(
                _PIXEL[tag], value, -1 if undefined else length, vr.decode("ascii")
            )
            break
        if tag <= last:
            if tag == 0 or tag >> 16 == 0xFFFE:
                if tag == 0 and not any(w.value(position, w.size - position)[:4096]):
                    problems.append(("TrailingBytes", "zero bytes follow the data set"))
                    break
                raise CorruptFileError(
                    "something that is no element stands in the header",
                    file=w.name,
                    found=keyword_of(tag),
                )
            if tag in seen:
                keyword = keyword_of(tag)
                if keyword in _DECISIVE:
                    raise CorruptFileError(
                        f"{keyword} stands twice in the data set",
                        file=w.name,
                        remedy="PS3.5 section 7.1 allows it once; which is right cannot be known",
                    )
                problems.append(("DuplicateElement", f"{keyword} stands twice; the last was used"))
        seen.add(tag)
        last = tag
        inner = _inner(vr, encoding)
        if tag in (SHARED_GROUPS, PER_FRAME_GROUPS, DIMENSION_INDEX):
            position = _wanted_sequence(w, tag, value, length, inner, head)
            continue
        if tag == MODALITY_LUT:
            head.modality_lut = True
        if length == _UNDEFINED:
            position = _skip(w, value, inner, 1)
            continue
        if value + length > w.size:
            raise CorruptFileError(
                f"{keyword_of(tag)} runs past the end of the file",
                file=w.name,
                expected=f"{length} bytes",
                found=f"{w.size - value}",
                remedy="The file is truncated: copy it again from its source",
            )
        if tag in WANTED:
            raw = w.value(value, length)
            text = _text(w, tag, vr, raw, encoding, attributes)
            if text:
                attributes[WANTED[tag]] = text
                if tag == 0x00080005:
                    w.encodings = _encodings(text, problems)
            elif raw.strip(b" \0"):
                problems.append(("InvalidValue", f"{WANTED[tag]} has a length its VR cannot have"))
        position = value + length
    else:
        if position < w.size and any(w.value(position, w.size - position)):
            problems.append(("TrailingBytes", f"{w.size - position} bytes follow the data set"))
    for name, classic in ALIASES.items():
        if name in attributes:
            attributes.setdefault(classic, attributes[name])
    for leaves in (head.shared, *head.frames):
        for name, classic in ALIASES.items():
            if name in leaves:
                leaves.setdefault(classic, leaves[name])
    return head


def _encodings(text: str, problems: list[tuple[str, str]]) -> list[str]:
    """Python's names of the character sets of SpecificCharacterSet (PS3.3 C.12.1.1.2)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = convert_encodings(text.split("\\"))
    if caught:
        problems.append(("UnknownCharacterSet", f"{text}: {caught[0].message}"))
    return found


def _wanted_sequence(
    w: _Window, tag: int, value: int, length: int, encoding: _Encoding, head: Head
) -> int:
    """Read functional groups or the dimension indices; where the sequence ends."""
    dimensions: list[DimensionIndex] = []
    for start, end, cell in _items(w, value, length, encoding, 1):
        if end == -1:
            head.dimensions += tuple(dimensions)
            return start
        if tag == DIMENSION_INDEX:
            pointer = 0
            for child, vr, size, at, inner in _elements(w, start, end, encoding):
                if child == 0:
                    cell.append(at)
                elif size == _UNDEFINED:
                    inner.append(_skip(w, at, _inner(vr, encoding), 2))
                elif child == 0x00209165:
                    group, element = struct.unpack(encoding.order + "HH", w.value(at, size)[:4])
                    pointer = group << 16 | element
            dimensions.append(DimensionIndex(keyword_of(pointer), bool(pointer >> 16 & 1)))
        else:
            leaves: dict[str, str] = head.shared if tag == SHARED_GROUPS else {}
            cell.append(_leaves(w, start, end, encoding, 1, leaves))
            if tag == PER_FRAME_GROUPS:
                head.frames.append(leaves)
    raise AssertionError("a sequence always yields its end")
