"""The beginning of a file becomes its transfer syntax and the bytes of its data set."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydicom.config import IGNORE
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from xdicom.errors import CorruptFileError, NotDicomError, ResourceLimitError
from xdicom.headers.walk import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    UNDEFINED,
    Encoding,
    Place,
    Read,
    Window,
    looks_explicit,
)
from xdicom.sources.base import OpenFile
from xdicom.sources.places import source_of

DEFLATED_FRAMES: Final = "1.2.840.10008.1.2.8.1"
"""Each frame deflated, in items (PS3.5 A.4.13)."""
NEWER: Final[dict[str, str]] = {DEFLATED_FRAMES: "Deflated Image Frame Compression"}
"""Encapsulated transfer syntaxes that pydicom's dictionary does not have, and their names."""
MAX_INFLATED_BYTES: Final = 2**30

_PREAMBLE: Final = 132
_PIECE: Final = 64 * 1024
_SYNTAX, _MEDIA = 0x00020010, 0x00020002


@dataclass(frozen=True)
class FileMeta:
    """What stands before the data set (PS3.10 section 7.1)."""

    start: int
    """Where the data set begins."""
    transfer_syntax: str
    """Transfer syntax UID, found from the elements where it is missing."""
    media_class: str
    """MediaStorageSOPClassUID, ``""`` where it is missing."""
    preamble: bool
    """Whether ``DICM`` stands at byte 128."""
    problems: tuple[tuple[str, str], ...]
    """Kind and message of what was missing and tolerated."""


def window_of(file: OpenFile, name: str) -> Window:
    """A window over an open file."""
    return Window(file.read, file.size, name)


def read_file_meta(w: Window, places: list[Place] | None = None) -> FileMeta:
    """Read the file meta information.

    Parameters
    ----------
    w : Window
        Over the file.
    places : list of Place, optional
        Where the place of each element is put.

    Raises
    ------
    NotDicomError
        If neither ``DICM`` at byte 128 nor a plausible first element is there.
    CorruptFileError
        If the file ends within it.
    """
    preamble = w.data[128:_PREAMBLE] == b"DICM"
    if not preamble:
        _check_plausible(w)
    values = {_SYNTAX: "", _MEDIA: ""}
    position = _PREAMBLE if preamble else 0
    while position + 8 <= w.size:
        index = w.at(position, 2)
        if w.data[index : index + 2] != b"\x02\0":
            break
        tag, vr, length, value = EXPLICIT_LE.header(w, position)
        if length == UNDEFINED or value + length > w.size:
            raise w.cut(value, length)
        if places is not None:
            places.append(Place(position, value, value + length, tag, vr, False))
        if tag in values:
            values[tag] = w.value(value, length).decode("latin-1").strip(" \0")
        position = value + length
    problems = []
    if not preamble:
        problems.append(("NoPreamble", "the file has no DICOM preamble; its elements were read"))
    syntax = values[_SYNTAX]
    if not syntax:
        what = "no TransferSyntaxUID; it was found from the elements"
        problems.append(("MissingTransferSyntax", what))
        syntax = _guess_syntax(_first(w, position))
    return FileMeta(position, syntax, values[_MEDIA], preamble, tuple(problems))


def encoding_of(w: Window, start: int, transfer_syntax: str) -> Encoding:
    """How the elements from ``start`` on are encoded; the first of them tells, not only the UID.

    Raises
    ------
    CorruptFileError
        If they are little endian in a big-endian transfer syntax: the pixels cannot be known.
    """
    first = _first(w, start)
    if transfer_syntax == ExplicitVRBigEndian:
        if first[:1] not in (b"\0", b""):
            raise CorruptFileError(
                "the elements are not big endian, as the transfer syntax says", file=w.name
            )
        return EXPLICIT_BE
    if len(first) == 8:
        return EXPLICIT_LE if looks_explicit(first) else IMPLICIT_LE
    return IMPLICIT_LE if transfer_syntax == ImplicitVRLittleEndian else EXPLICIT_LE


@lru_cache(maxsize=256)
def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether pixels stand in items (PS3.5 A.4); of unknown and private syntaxes, False.

    Examples
    --------
    >>> is_encapsulated("1.2.840.10008.1.2.4.90"), is_encapsulated("1.2.840.10008.1.2.1")
    (True, False)
    """
    if transfer_syntax in NEWER:
        return True
    uid = uid_of(transfer_syntax)
    return is_public(transfer_syntax) and uid.is_compressed and not uid.is_deflated


@lru_cache(maxsize=256)
def is_public(transfer_syntax: str) -> bool:
    """Whether a UID is a transfer syntax of the standard; only a vendor knows any other."""
    uid = uid_of(transfer_syntax)
    return transfer_syntax in NEWER or (uid.is_transfer_syntax and not uid.is_private)


@lru_cache(maxsize=256)
def uid_of(text: str) -> UID:
    """A text as pydicom's UID, whose checks take longer than reading a small frame."""
    return UID(text, validation_mode=IGNORE)  # a text that is no UID is answered, not warned of


def file_meta(path: str) -> FileMeta:
    """The file meta information of a file."""
    with source_of(path).open(path) as file:
        return read_file_meta(window_of(file, path))


def dataset_start(path: str) -> int:
    """Where the data set of a file begins: after preamble and file meta information."""
    return file_meta(path).start


def _first(w: Window, position: int) -> bytes:
    """The head of the first element, or what there is of it."""
    return w.value(position, min(8, max(w.size - position, 0)))


def _guess_syntax(first: bytes) -> str:
    if first[:2] == b"\0\x08" and looks_explicit(first):
        return ExplicitVRBigEndian
    return ExplicitVRLittleEndian if looks_explicit(first) else ImplicitVRLittleEndian


def _check_plausible(w: Window) -> None:
    """Refuse a file without preamble unless it begins like the elements of one."""
    first = w.data[:8]
    if first[:2] == b"\x1f\x8b" or first[:4] == b"PK\x03\x04":
        raise NotDicomError("the file is compressed", file=w.name, remedy="Unpack it first")
    if len(first) == 8:
        if first[:2] in (b"\x02\0", b"\x08\0", b"\0\x08") and looks_explicit(first):
            return
        if first[:2] == b"\x08\0" and int.from_bytes(first[4:], "little") <= w.size - 8:
            return
    raise NotDicomError("this is not a DICOM file", file=w.name, expected="DICM at byte 128")


class _Inflated:
    """A deflated data set, inflated piece by piece as a window asks for it."""

    def __init__(self, read: Read, start: int, name: str) -> None:
        self._read, self._start, self._name = read, start, name
        self._restart()

    def _restart(self) -> None:
        self._pieces = _inflated_pieces(self._read, self._start, self._name)
        self._base, self._data = 0, bytearray()

    def size(self) -> int:
        """Bytes of the whole data set, at most ``MAX_INFLATED_BYTES``; none of them is kept."""
        return sum(map(len, _inflated_pieces(self._read, self._start, self._name)))

    def read(self, length: int, position: int) -> bytes:
        """The bytes of a range."""
        if position < self._base:
            self._restart()
        while self._base + len(self._data) < position + length:
            piece = next(self._pieces, b"")
            if not piece:
                break
            if self._base + len(self._data) <= position:
                self._base += len(self._data)
                self._data = bytearray(piece)
            else:
                self._data += piece
        begin = position - self._base
        return bytes(self._data[begin : begin + length])


def inflated_window(w: Window, start: int) -> Window:
    """A window over the deflated data set that begins at ``start`` in the file.

    Raises
    ------
    ResourceLimitError
        If it inflates to more than ``MAX_INFLATED_BYTES`` (PS3.5 A.5 sets no limit).
    CorruptFileError
        If the stream is broken.
    """
    data = _Inflated(w.read, start, w.name)
    return Window(data.read, data.size(), w.name)


def _inflated_pieces(read: Read, start: int, name: str) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    position = start
    pending = b""
    while not stream.eof:
        if not pending:
            pending = read(_PIECE, position)
            position += len(pending)
        try:
            piece = stream.decompress(pending, _PIECE)
        except zlib.error as error:
            raise CorruptFileError("the deflated data set is broken", file=name) from error
        total += len(piece)
        if total > MAX_INFLATED_BYTES:
            raise _too_much(name)
        if piece:
            yield piece
        elif not pending:
            return
        pending = stream.unconsumed_tail


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
        If it inflates to more than ``MAX_INFLATED_BYTES`` (PS3.5 A.5 sets no limit).
    CorruptFileError
        If the stream is broken.
    """
    most = MAX_INFLATED_BYTES + 1
    if stop is not None:
        most = max(1, min(stop, most))  # 0 means no limit to zlib
    try:
        found = zlib.decompressobj(-zlib.MAX_WBITS).decompress(memoryview(data)[start:], most)
    except zlib.error as error:
        raise CorruptFileError("the deflated data set is broken", file=name) from error
    if len(found) > MAX_INFLATED_BYTES:
        raise _too_much(name)
    return found


def _too_much(name: str) -> ResourceLimitError:
    return ResourceLimitError(
        "the deflated data set inflates to too much",
        file=name,
        expected=f"at most {MAX_INFLATED_BYTES} bytes",
    )
