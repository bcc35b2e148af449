"""The elements at the top level of a header that was walked, found by tag or private creator."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from xdicom.errors import CorruptFileError
from xdicom.headers.texts import Texts
from xdicom.headers.values import number
from xdicom.headers.walk import UNDEFINED, Element, Encoding, Place, Window

_CODES: Final = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d"}
"""Of binary VRs: the code of `struct`."""
_UNKNOWN: Final = (b"", b"UN")

Private = tuple[int, int, str]
"""Group, low byte of the element number, and creator of a private element."""


class TopLevel:
    """Elements of a data set, of which nothing is read until it is asked for.

    Parameters
    ----------
    w : Window
        Over the data set.
    places : sequence of Place
        Where its elements stand.
    encoding : Encoding
        How they are encoded.
    """

    def __init__(self, w: Window, places: Sequence[Place], encoding: Encoding) -> None:
        self._w, self._places, self._encoding = w, places, encoding
        self._blocks: dict[tuple[int, str], list[int]] = {}
        self._known: set[int] = set()

    def raw(self, key: Private) -> bytes | None:
        """Value of a private element, whatever the block of its creator (PS3.5 7.8.1).

        None where it is missing, empty, or a sequence of undefined length.
        """
        place = self._private(*key)
        return None if place is None or place.undefined else self._raw(place) or None

    def numbers(self, key: int | Private, vr: bytes) -> list[float]:
        """Numbers of an element, NaN for texts that are none; empty where it is missing.

        Parameters
        ----------
        key : int or (int, int, str)
            Tag of a public element; group, low byte and creator of a private one.
        vr : bytes
            Value representation where the file has none, or UN.
        """
        place = self._public(key) if isinstance(key, int) else self._private(*key)
        return [] if place is None or place.undefined else self._numbers(place, vr)

    def items(self, key: Private, wanted: Mapping[int, str]) -> list[dict[str, str]]:
        """What the items of a private sequence say: texts of some public elements, by keyword.

        Items that run past the end of what they stand in end the list: the walk, which only
        steps over a sequence of known length, has not looked at them.
        """
        place = self._private(*key)
        if place is None:
            return []
        length = UNDEFINED if place.undefined else place.end - place.value
        head = (place.tag, place.vr, length, place.value)
        texts = Texts([])
        found: list[dict[str, str]] = []
        try:
            for item in Element(self._w, head, place.end, self._encoding, 0).items():
                leaves = {}
                for element in item:
                    if element.tag in wanted and element.length != UNDEFINED:
                        raw, order = element.raw(), element.encoding.order
                        text = texts.read(element.tag, element.vr, raw, order)
                        if text:
                            leaves[wanted[element.tag]] = text
                found.append(leaves)
        except CorruptFileError:
            return found
        return found

    def _public(self, tag: int) -> Place | None:
        return next((place for place in self._places if place.tag == tag), None)

    def _private(self, group: int, low: int, creator: str) -> Place | None:
        for block in self._blocks_of(group).get((group, creator), ()):
            place = self._public(group << 16 | block << 8 | low)
            if place is not None:
                return place
        return None

    def _blocks_of(self, group: int) -> Mapping[tuple[int, str], list[int]]:
        if group not in self._known:
            self._known.add(group)
            for place in self._places:
                block = place.tag & 0xFFFF
                if place.tag >> 16 == group and 0x10 <= block <= 0xFF and not place.undefined:
                    name = self._raw(place).decode("latin-1").strip(" \0")
                    self._blocks.setdefault((group, name), []).append(block)
        return self._blocks

    def _raw(self, place: Place) -> bytes:
        return self._w.value(place.value, place.end - place.value)

    def _numbers(self, place: Place, vr: bytes) -> list[float]:
        raw = self._raw(place)
        order = "<" if place.vr == b"UN" else self._encoding.order  # PS3.5 6.2.2
        code = _CODES.get(vr if place.vr in _UNKNOWN else place.vr)
        if code is not None:
            count = len(raw) // struct.calcsize(f"={code}")
            return [*map(float, struct.unpack_from(f"{order}{count}{code}", raw))]
        return [number(text) for text in raw.decode("latin-1").strip(" \0").split("\\")]
