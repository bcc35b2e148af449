"""Items of the functional groups become leaves: what one frame has of its own, or all share.

The items of an object's frames are laid out alike: equal bytes everywhere but in values of equal
lengths mean an equal structure. So an item is compared with those that were walked before, and
walked itself only where it is like none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from xdicom.headers.elements import GROUP_LEAVES, LUT_MARKS, MACROS, UNASSIGNED
from xdicom.headers.private import Blocks, is_creator
from xdicom.headers.texts import Texts
from xdicom.headers.walk import UNDEFINED, Element, Item, holds_items

_MOST_BYTES: Final = 16 * 1024
"""Of an item that is compared with others."""
_MOST_LAYOUTS: Final = 16
"""Layouts that are kept, the latest used first."""
_MOST_PRIVATE_DEPTH: Final = 2
"""Private sequences in each other that are walked into."""
_MOST_TEXTS: Final = 4096
"""Values of an element whose texts are kept."""


class _Value(NamedTuple):
    """A value in an item, of which nothing but the bytes may differ in items laid out alike."""

    start: int
    """Of its bytes, from the start of the item's content."""
    stop: int
    """Of what follows them."""
    key: int
    """Tag of its element, or the key of a private one."""
    vr: bytes
    """As the file has it."""
    order: str
    """Byte order."""
    keyword: str
    """Under which the leaf is kept; empty if it is not."""


@dataclass(frozen=True, eq=False)
class _Layout:
    """How an item is laid out, and which of its values differ in items like it."""

    length: int
    """In the item's head."""
    data: bytes
    """Its content, with the delimiter if it has one."""
    values: tuple[_Value, ...]
    """All its values, by position."""
    leaves: dict[str, str]
    """What was found in it."""
    varying: frozenset[int]
    """Indices of the values that differ."""
    _texts: dict[_Value, dict[bytes, str]] = field(default_factory=dict)

    @cached_property
    def _runs(self) -> list[tuple[int, bytes]]:
        """Where the bytes stand that are the same in all items, and those bytes."""
        runs, start = [], 0
        for index in sorted(self.varying):
            value = self.values[index]
            runs.append((start, self.data[start : value.start]))
            start = value.stop
        return [*runs, (start, self.data[start:])]

    @cached_property
    def _kept(self) -> list[tuple[int, int, _Value, dict[bytes, str]]]:
        """Start and stop of each value that differs and makes a leaf, and its known texts."""
        kept = [self.values[i] for i in sorted(self.varying) if self.values[i].keyword]
        return [(v.start, v.stop, v, self._texts.setdefault(v, {})) for v in kept]

    @cached_property
    def _constants(self) -> dict[str, str]:
        differing = {value.keyword for _, _, value, _ in self._kept}
        return {k: text for k, text in self.leaves.items() if k not in differing}

    def match(self, item: Item, texts: Texts) -> dict[str, str] | None:
        """The leaves of an item that is laid out so; None for any other."""
        if item.length != self.length:
            return None
        found = item.bytes_from_start(len(self.data))
        if found is None:
            return None
        data, start = found
        for offset, run in self._runs:
            if not data.startswith(run, start + offset):
                return None
        leaves = dict(self._constants)
        for first, stop, value, known in self._kept:
            raw = data[start + first : start + stop]
            text = known.get(raw)
            if text is None:
                if len(known) >= _MOST_TEXTS:
                    known.clear()
                text = known[raw] = texts.read(value.key, value.vr, raw, value.order)
            if text:
                leaves[value.keyword] = text
        item.skip(len(self.data))
        return leaves

    def widened(self, length: int, data: bytes, values: Sequence[_Value]) -> _Layout | None:
        """The layout of another item too; None if that is laid out otherwise."""
        own = self.data
        if length != self.length or len(data) != len(own) or self.values != tuple(values):
            return None
        start = 0
        for value in values:
            if own[start : value.start] != data[start : value.start]:
                return None
            start = value.stop
        if own[start:] != data[start:]:
            return None
        differing = {
            i for i, v in enumerate(values) if own[v.start : v.stop] != data[v.start : v.stop]
        }
        varying = self.varying | differing
        return _Layout(length, own, self.values, self.leaves, varying, self._texts)


class GroupReader:
    """Reads the items of one sequence of functional groups.

    Parameters
    ----------
    texts : Texts
        Reads the values.
    """

    def __init__(self, texts: Texts) -> None:
        self._reader = texts
        self._layouts: list[_Layout] = []
        self._values: list[_Value] = []

    def read(self, item: Item) -> dict[str, str]:
        """Wanted leaves of an item."""
        for place, layout in enumerate(self._layouts):
            leaves = layout.match(item, self._reader)
            if leaves is not None:
                if place:
                    self._layouts.insert(0, self._layouts.pop(place))
                return leaves
        self._values = []
        leaves = self._walk(item)
        self._learn(item, leaves)
        return leaves

    def _learn(self, item: Item, leaves: dict[str, str]) -> None:
        size = item.end() - item.start
        kept = [value.keyword for value in self._values if value.keyword]
        # a keyword that stands twice is told by which of the two is empty
        if size > _MOST_BYTES or len(set(kept)) < len(kept):
            return
        data = item.window.value(item.start, size)
        for place, layout in enumerate(self._layouts):
            wider = layout.widened(item.length, data, self._values)
            if wider is not None:
                del self._layouts[place]
                break
        else:
            wider = _Layout(item.length, data, tuple(self._values), dict(leaves), frozenset())
        self._layouts.insert(0, wider)
        del self._layouts[_MOST_LAYOUTS:]

    def _walk(self, item: Item) -> dict[str, str]:
        proper: dict[str, str] = {}
        unassigned: dict[str, str] = {}
        blocks = Blocks()
        for element in item:
            if element.tag in MACROS:
                into = unassigned if element.tag in UNASSIGNED else proper
                self._read_macro(item, element, into)
            elif element.tag >> 16 & 1:
                self._read_private(item, element, blocks, proper, 0)
            elif element.length != UNDEFINED:
                self._note(item, element, element.tag, "")
        return unassigned | proper

    def _read_macro(self, group: Item, macro: Element, leaves: dict[str, str]) -> None:
        """Put wanted leaves of a macro's first item, and of the macros in it, into ``leaves``."""
        for item in macro.items():
            for inner in item:
                if inner.tag in MACROS:
                    self._read_macro(group, inner, leaves)
                elif inner.tag in LUT_MARKS:
                    leaves[LUT_MARKS[inner.tag]] = "1"
                elif inner.length != UNDEFINED:
                    self._read_leaf(group, inner, inner.tag, leaves)
            break

    def _read_private(
        self, group: Item, element: Element, blocks: Blocks, leaves: dict[str, str], depth: int
    ) -> None:
        """Put wanted private leaves into ``leaves``: of the element, or of its first item.

        In a private sequence private elements only are read: vendors nest whole headers there, in
        which public ones mean something else (SPEC §2.5).
        """
        if is_creator(element.tag) and element.length != UNDEFINED:
            # not noted: items in which creators differ are not laid out alike
            blocks.reserve(element.tag, element.raw())
        elif depth < _MOST_PRIVATE_DEPTH and holds_items(element):
            read = element.value
            for item in element.items():
                own = Blocks()
                for inner in item:
                    if inner.tag >> 16 & 1:
                        self._read_private(group, inner, own, leaves, depth + 1)
                    elif inner.length != UNDEFINED:
                        self._note(group, inner, inner.tag, "")
                read = item.end()
                break
            if element.length != UNDEFINED:  # further items are one value, whatever is in them
                self._note(group, element, element.tag, "", read)
        elif element.length != UNDEFINED:
            self._read_leaf(group, element, blocks.get(element.tag, 0), leaves)

    def _read_leaf(self, group: Item, element: Element, key: int, leaves: dict[str, str]) -> None:
        keyword = GROUP_LEAVES.get(key, "")
        self._note(group, element, key, keyword)
        if keyword:
            text = self._reader.read(key, element.vr, element.raw(), element.encoding.order)
            if text:
                leaves[keyword] = text

    def _note(
        self, group: Item, element: Element, key: int, keyword: str, start: int | None = None
    ) -> None:
        """Note an element's value, or what stands in it from a position on."""
        begin = element.value if start is None else start
        stop = element.value + element.length - group.start
        value = _Value(begin - group.start, stop, key, element.vr, element.encoding.order, keyword)
        self._values.append(value)
