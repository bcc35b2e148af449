"""Bytes of a data set become elements: tag, VR, length and place of each value, within bounds."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from xdicom.errors import CorruptFileError, ResourceLimitError
from xdicom.headers.elements import keyword_of

FIRST_READ: Final = 16 * 1024
MAX_ELEMENTS: Final = 1_000_000
MAX_ELEMENT_BYTES: Final = 256 * 2**20
MAX_DEPTH: Final = 32

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD

LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
"""VRs whose length has four bytes (PS3.5 7.1.2)."""
SHORT_VRS: Final = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"),
        *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
"""VRs whose length has two bytes."""

Read = Callable[[int, int], bytes]
"""Gives so many bytes from a position on, fewer only where the data end."""


class Place(NamedTuple):
    """Where an element stands in a file."""

    start: int
    """Of its tag."""
    value: int
    """Of its value."""
    end: int
    """Of what follows it."""
    tag: int
    """Group and element number."""
    vr: bytes
    """As the file has it; empty where it has none."""
    undefined: bool
    """Whether it is a sequence of undefined length."""
    key: int = 0
    """Under which a row holds it: its tag, or the key of a private element; 0 if none does."""


class Window:
    """A data set of known size, read through a window that moves on as it is walked.

    Parameters
    ----------
    read : callable
        Gives ``length`` bytes from ``position`` on.
    size : int
        Bytes that there are.
    name : str
        The file, for messages.
    data : bytes, optional
        Those of the first bytes that were read already.
    """

    __slots__ = ("base", "count", "data", "name", "read", "size")

    def __init__(self, read: Read, size: int, name: str, data: bytes = b"") -> None:
        self.read, self.size, self.name = read, size, name
        self.base = 0
        missing = min(FIRST_READ, size) - len(data)
        self.data = data + read(missing, len(data)) if missing > 0 else data
        self.count = 0

    def at(self, position: int, length: int) -> int:
        """Index in ``data`` of the byte at a position, after making sure of ``length`` bytes."""
        index = position - self.base
        if index >= 0 and index + length <= len(self.data):
            return index
        if position + length > self.size:
            raise self.cut(position, length)
        if length > MAX_ELEMENT_BYTES:
            raise ResourceLimitError(
                "an element of the header is too large",
                file=self.name,
                expected=f"at most {MAX_ELEMENT_BYTES} bytes",
                found=length,
            )
        self.base = position
        self.data = self.read(min(max(FIRST_READ, length), self.size - position), position)
        if len(self.data) < length:
            raise CorruptFileError("the file shrank while it was read", file=self.name)
        return 0

    def value(self, position: int, length: int) -> bytes:
        """The bytes of a value."""
        index = self.at(position, length)
        return self.data[index : index + length]

    def look(self, length: int, position: int) -> bytes:
        """As ``read``, without a request where the bytes are at hand; the window stays."""
        index = position - self.base
        if index >= 0 and index + length <= len(self.data):
            return self.data[index : index + length]
        return self.read(length, position)

    def cut(self, position: int, length: int) -> CorruptFileError:
        """The error of a header that ends too early."""
        return CorruptFileError(
            "the header ends in the middle of an element",
            file=self.name,
            expected=f"{length} bytes at {position}",
            found=f"{max(self.size - position, 0)}",
            remedy="The file is truncated: copy it again from its source",
        )

    def endless(self) -> ResourceLimitError:
        """The error of a header without end."""
        return ResourceLimitError(
            "the header has too many elements", file=self.name, expected=f"at most {MAX_ELEMENTS}"
        )


class Encoding:
    """How elements are encoded (PS3.5 section 7.1).

    Parameters
    ----------
    implicit : bool
        Implicit VR.
    order : str
        ``<`` or ``>``, as `struct` writes byte order.
    """

    __slots__ = ("implicit", "order", "unpack_implicit", "unpack_length", "unpack_short")

    def __init__(self, implicit: bool, order: str) -> None:
        self.implicit, self.order = implicit, order
        self.unpack_short = struct.Struct(order + "HH2sH").unpack_from
        self.unpack_implicit = struct.Struct(order + "HHL").unpack_from
        self.unpack_length = struct.Struct(order + "L").unpack_from

    def header(self, w: Window, position: int) -> tuple[int, bytes, int, int]:
        """Tag, VR (empty where it is implicit), length and position of the value of an element."""
        # most of the time of a scan is spent here: nothing is called that need not be
        data = w.data
        index = position - w.base
        if index < 0 or index + 12 > len(data):
            index = w.at(position, 12 if position + 12 <= w.size else 8)
            data = w.data
        w.count += 1
        if w.count > MAX_ELEMENTS:
            raise w.endless()
        if not self.implicit:
            group, element, vr, length = self.unpack_short(data, index)
            if vr in SHORT_VRS:
                return group << 16 | element, vr, length, position + 8
            if vr in LONG_VRS:
                if index + 12 > len(data):
                    raise w.cut(position, 12)
                (length,) = self.unpack_length(data, index + 8)
                return group << 16 | element, vr, length, position + 12
            if vr.isalpha() and vr.isupper():  # a VR of no known length: two bytes, as most have
                return group << 16 | element, vr, length, position + 8
        # in explicit VR: delimiters, and writers that slip in elements without VR
        group, element, length = self.unpack_implicit(data, index)
        return group << 16 | element, b"", length, position + 8


EXPLICIT_LE: Final = Encoding(False, "<")
EXPLICIT_BE: Final = Encoding(False, ">")
IMPLICIT_LE: Final = Encoding(True, "<")


class Element:
    """An element of an item: its head, and the way into it where it is a sequence."""

    __slots__ = ("_end", "_limit", "depth", "encoding", "length", "tag", "value", "vr", "window")

    def __init__(
        self,
        window: Window,
        head: tuple[int, bytes, int, int],
        limit: int,
        encoding: Encoding,
        depth: int,
    ) -> None:
        self.window = window
        self.tag, self.vr, self.length, self.value = head
        self.encoding, self.depth, self._limit = encoding, depth, limit
        self._end: int | None = None
        if self.length != UNDEFINED:
            self._end = bounded(window, self.tag, self.value + self.length, limit)

    def raw(self) -> bytes:
        """The bytes of the value, whose length is defined."""
        return self.window.value(self.value, self.length)

    def end(self) -> int:
        """Where the next element begins; what was not read of a sequence is walked over."""
        if self._end is None:
            self._end = _skip_sequence(
                self.window, self.value, self._limit, self._inner(), self.depth + 1
            )
        return self._end

    def _inner(self) -> Encoding:
        # PS3.5 6.2.2: UN of undefined length holds a sequence in implicit VR little endian
        return inner_encoding(self.window, self.vr, self.value, self.encoding)

    def items(self) -> Iterator[Item]:
        """The items of the sequence, which may be left unread."""
        w, encoding, depth = self.window, self._inner(), self.depth + 1
        _check_depth(w, depth)
        position = self.value
        stop = self._limit if self._end is None else self._end
        while position < stop or self.length == UNDEFINED:
            tag, size, value = _item_head(w, position, stop, encoding)
            if tag == SEQUENCE_END:
                position = value
                break
            item = Item(w, value, size, stop, encoding, depth)
            yield item
            position = item.end()
        if self._end is None:
            self._end = position


class Item:
    """One item of a sequence: its elements, once."""

    __slots__ = ("_end", "_limit", "depth", "encoding", "length", "start", "window")

    def __init__(
        self, window: Window, start: int, length: int, limit: int, encoding: Encoding, depth: int
    ) -> None:
        self.window, self.start, self.length = window, start, length
        self.encoding, self.depth, self._limit = encoding, depth, limit
        self._end: int | None = None
        if length != UNDEFINED:
            self._end = bounded(window, ITEM, start + length, limit)

    def __iter__(self) -> Iterator[Element]:
        w, encoding = self.window, self.encoding
        position = self.start
        stop = self._limit if self._end is None else self._end
        while position < stop or self.length == UNDEFINED:
            if position + 8 > stop:
                raise w.cut(position, 8)
            head = encoding.header(w, position)
            if head[0] == ITEM_END:
                position = head[3]
                break
            element = Element(w, head, stop, encoding, self.depth)
            yield element
            position = element.end()
        if self._end is None:
            self._end = position

    def bytes_from_start(self, size: int) -> tuple[bytes, int] | None:
        """Bytes in which the item's content stands, and where in them; None for fewer than size."""
        if self.start + size > self._limit:
            return None
        index = self.window.at(self.start, size)
        return self.window.data, index

    def skip(self, size: int) -> None:
        """Take the item for one of so many bytes, its delimiter included if it has one."""
        self._end = self.start + size

    def end(self) -> int:
        """Where the item ends; what was not read of it is walked over."""
        if self._end is None:
            self._end = _skip_item(self.window, self.start, self._limit, self.encoding, self.depth)
        return self._end


def holds_items(element: Element) -> bool:
    """Whether an element is a sequence, by its VR or, where the file gives none, by its value."""
    if element.vr not in (b"", b"UN"):
        return element.vr == b"SQ"
    if element.length == UNDEFINED:
        return True
    if element.length < 8:
        return False
    w = element.window
    group, number, _ = element.encoding.unpack_implicit(w.data, w.at(element.value, 8))
    return bool(group << 16 | number == ITEM)


def inner_encoding(w: Window, vr: bytes, position: int, encoding: Encoding) -> Encoding:
    """Encoding of the items of a sequence whose first item starts at ``position``.

    PS3.5 6.2.2: in an element of VR UN these are implicit VR little endian. Some writers keep
    explicit VR there; the first element tells.
    """
    if vr != b"UN":
        return encoding
    if position + 16 <= w.size and looks_explicit(w.value(position + 8, 8)):
        return EXPLICIT_LE
    return IMPLICIT_LE


def looks_explicit(head: bytes) -> bool:
    """Whether the first bytes of an element hold a VR."""
    return head[4:6] in SHORT_VRS or head[4:6] in LONG_VRS


def end_of_sequence(w: Window, vr: bytes, position: int, encoding: Encoding) -> int:
    """Where an element of undefined length, whose value starts at ``position``, ends."""
    return _skip_sequence(w, position, w.size, inner_encoding(w, vr, position, encoding), 1)


def _skip_sequence(w: Window, position: int, limit: int, encoding: Encoding, depth: int) -> int:
    _check_depth(w, depth)
    while True:
        tag, size, value = _item_head(w, position, limit, encoding)
        if tag == SEQUENCE_END:
            return value
        if size == UNDEFINED:
            position = _skip_item(w, value, limit, encoding, depth)
        else:
            position = bounded(w, tag, value + size, limit)


def _skip_item(w: Window, position: int, limit: int, encoding: Encoding, depth: int) -> int:
    while True:
        if position + 8 > limit:
            raise w.cut(position, 8)
        tag, vr, length, value = encoding.header(w, position)
        if tag == ITEM_END:
            return value
        if length == UNDEFINED:
            inner = inner_encoding(w, vr, value, encoding)
            position = _skip_sequence(w, value, limit, inner, depth + 1)
        else:
            position = bounded(w, tag, value + length, limit)


def _item_head(w: Window, position: int, limit: int, encoding: Encoding) -> tuple[int, int, int]:
    """Tag, length and start of an item, or of the end of its sequence."""
    if position + 8 > limit:
        raise w.cut(position, 8)
    index = w.at(position, 8)
    w.count += 1
    if w.count > MAX_ELEMENTS:
        raise w.endless()
    # items have no VR, even where their length reads like one
    group, element, size = encoding.unpack_implicit(w.data, index)
    tag = group << 16 | element
    if tag not in (ITEM, SEQUENCE_END):
        raise CorruptFileError(
            "a sequence holds something else than items",
            file=w.name,
            expected=keyword_of(ITEM),
            found=keyword_of(tag),
        )
    return tag, size, position + 8


def bounded(w: Window, tag: int, end: int, limit: int) -> int:
    """The end of an element or item, which must not lie behind that of what it stands in."""
    if end > limit:
        raise CorruptFileError(
            f"{keyword_of(tag)} runs past the end of "
            + ("the file" if limit == w.size else "what it stands in"),
            file=w.name,
            expected=f"an end at {limit}",
            found=end,
            remedy="The file is truncated or damaged: copy it again from its source",
        )
    return end


def _check_depth(w: Window, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CorruptFileError(
            "sequences are nested too deep", file=w.name, expected=f"at most {MAX_DEPTH} levels"
        )
