"""What the tests of the headers share: bytes and files made into heads, elements made by hand."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from xdicom.headers.head import Head
from xdicom.headers.parse import parse
from xdicom.headers.walk import Window

LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
UNDEFINED = 0xFFFFFFFF
SECONDARY_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7\0"


def _head_of(source: bytes | str | os.PathLike[str]) -> Head:
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    name = "made.dcm" if isinstance(source, bytes) else os.fspath(source)
    return parse(Window(lambda length, at: data[at : at + length], len(data), name))


@pytest.fixture(scope="session")
def head_of() -> Callable[[bytes | Path], Head]:
    """Parse a file, or bytes as if they were one."""
    return _head_of


class Bytes:
    """Elements of one encoding, made by hand."""

    def __init__(self, implicit: bool = False, order: str = "<") -> None:
        self.implicit, self.order = implicit, order

    def tag(self, tag: int) -> bytes:
        return struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)

    def element(self, tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
        """One element; ``length`` where it is to claim another one than its value has."""
        length = len(value) if length is None else length
        if self.implicit:
            return self.tag(tag) + struct.pack(f"{self.order}L", length) + value
        if vr in LONG:
            return self.tag(tag) + vr + struct.pack(f"{self.order}HL", 0, length) + value
        return self.tag(tag) + vr + struct.pack(f"{self.order}H", length) + value

    def item(self, content: bytes, *, undefined: bool = False) -> bytes:
        head = self.tag(0xFFFEE000)
        if undefined:
            end = self.tag(0xFFFEE00D) + struct.pack(f"{self.order}L", 0)
            return head + struct.pack(f"{self.order}L", UNDEFINED) + content + end
        return head + struct.pack(f"{self.order}L", len(content)) + content

    def sequence(
        self,
        tag: int,
        items: Sequence[bytes],
        *,
        undefined: bool = False,
        vr: bytes = b"SQ",
        inside: Bytes | None = None,
    ) -> bytes:
        """A sequence of items of content; ``inside`` encodes the items where it differs."""
        inside = inside or self
        content = b"".join(inside.item(item, undefined=undefined) for item in items)
        if undefined:
            content += inside.tag(0xFFFEE0DD) + struct.pack(f"{inside.order}L", 0)
        return self.element(tag, vr, content, UNDEFINED if undefined else None)


@pytest.fixture(scope="session")
def explicit() -> Bytes:
    """Explicit VR little endian."""
    return Bytes()


@pytest.fixture(scope="session")
def implicit() -> Bytes:
    """Implicit VR little endian."""
    return Bytes(implicit=True)


@pytest.fixture(scope="session")
def big() -> Bytes:
    """Explicit VR big endian."""
    return Bytes(order=">")


@pytest.fixture(scope="session")
def wrap() -> Callable[..., bytes]:
    """A file of a transfer syntax around a data set; SOPClassUID comes first."""

    def made(
        body: bytes, syntax: str = "1.2.840.10008.1.2.1", *, sop_class: bytes = SECONDARY_CAPTURE
    ) -> bytes:
        encoding = Bytes(syntax == "1.2.840.10008.1.2", ">" if syntax.endswith(".2.2") else "<")
        if sop_class:
            body = encoding.element(0x00080016, b"UI", sop_class) + body
        uid = syntax.encode() + b"\0" * (len(syntax) % 2)
        meta = Bytes().element(0x00020010, b"UI", uid)
        length = Bytes().element(0x00020000, b"UL", struct.pack("<L", len(meta)))
        return b"\0" * 128 + b"DICM" + length + meta + body

    return made
