"""Private creators of a data set tell which of its elements are those of the vendors' table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from xdicom.headers.vendor import ELEMENTS, private_name, slug

_FIRST_KEY: Final = 1 << 32
"""Keys of private elements lie behind all tags."""

KEYS: Final[dict[int, tuple[str, str]]] = {
    _FIRST_KEY + i: (element.name, element.vr) for i, element in enumerate(ELEMENTS)
}
"""By key: name and VR of the private elements that rows hold."""

PARTS: Final[dict[int, str]] = {
    key: element.part for key, element in zip(KEYS, ELEMENTS, strict=True) if element.part
}
"""By key: the part that rows hold of an element, where they do not hold all of it."""

_Creator = tuple[int, bytes]
_BLOCKS: Final[dict[_Creator, list[tuple[int, int, _Creator | None]]]] = {}
"""By group and creator: low byte and key of each element, and the block that goes before it."""
for _key, _element in zip(KEYS, ELEMENTS, strict=True):
    _other = _element.unless
    _before = None if _other is None else (_other[0], _other[1].encode())
    _own = _element.group, _element.creator.encode()
    _BLOCKS.setdefault(_own, []).append((_element.low, _key, _before))

GROUPS: Final[frozenset[int]] = frozenset(group for group, _ in _BLOCKS)
"""Groups of the private elements that rows hold."""

_NAME: Final = re.compile(r"g([0-9A-Fa-f]{3}[13579BDFbdf])_(\w+)_([0-9A-Fa-f]{2})", re.ASCII)


class Blocks(dict[int, int]):
    """Keys of the private elements of one data set that rows hold, by their tags in it.

    Examples
    --------
    >>> blocks = Blocks()
    >>> blocks.reserve(0x0019002B, b"SIEMENS MR HEADER ")
    >>> KEYS[blocks[0x00192B0C]]
    ('g0019_SIEMENS_MR_HEADER_0C', 'IS')
    """

    def __init__(self) -> None:
        super().__init__()
        self._creators: set[_Creator] = set()

    def reserve(self, tag: int, creator: bytes) -> None:
        """Give a creator element's block to its creator (PS3.5 7.8.1)."""
        own = tag >> 16, creator.strip(b" \0")
        self._creators.add(own)
        for low, key, before in _BLOCKS.get(own, ()):
            if before not in self._creators:
                self[tag & 0xFFFF0000 | (tag & 0xFF) << 8 | low] = key


def is_creator(tag: int) -> bool:
    """Whether a tag is that of a private creator (gggg,0010–00FF), gggg odd.

    Examples
    --------
    >>> is_creator(0x00190010), is_creator(0x00191010), is_creator(0x00080010)
    (True, False, False)
    """
    return tag & 0x1FF00 == 0x10000 and tag & 0xFF >= 0x10


@dataclass(frozen=True)
class PrivateName:
    """What a private element is asked for by: group, creator and low byte (SPEC §3.4)."""

    group: int
    """Group number."""
    creator: str
    """The creator's slug."""
    low: int
    """Low byte of the element number."""

    @property
    def text(self) -> str:
        """The name."""
        return private_name(self.group, self.creator, self.low)

    def block(self, creator: str) -> bool:
        """Whether a creator's block holds it."""
        return slug(creator) == self.creator


def parsed_name(text: str) -> PrivateName | None:
    """The private element of a name; None for any other text.

    Examples
    --------
    >>> parsed_name("g0019_SIEMENS_MR_HEADER_0C")
    PrivateName(group=25, creator='SIEMENS_MR_HEADER', low=12)
    >>> parsed_name("EchoTime") is None
    True
    """
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    return PrivateName(int(found[1], 16), found[2], int(found[3], 16))
