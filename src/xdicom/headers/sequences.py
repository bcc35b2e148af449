"""Sequences at the top level of a header become what rows hold of them."""

from __future__ import annotations

import struct
from typing import Final

from xdicom.headers.elements import (
    DIMENSION_INDEX,
    LISTED,
    LUT_MARKS,
    MATRIX_ORIGIN,
    OPTICAL_PATHS,
    PER_FRAME_GROUPS,
    REFERENCED_SERIES,
    SEGMENT_SEQUENCE,
    SHARED_GROUPS,
    keyword_of,
)
from xdicom.headers.groups import GroupReader
from xdicom.headers.head import DimensionIndex, Head
from xdicom.headers.segments import (
    SEGMENTATIONS,
    SEGMENTED,
    SEGMENTS,
    series_referred_to,
    text_of_segments,
)
from xdicom.headers.texts import Texts
from xdicom.headers.walk import UNDEFINED, Element, Item

# sequences of the top level that rows hold something of: under which name, and of which elements
_PARTS: Final[dict[int, dict[str, tuple[int, ...]]]] = {
    MATRIX_ORIGIN: {
        "xdicom_matrix_origin": (0x0040072A, 0x0040073A),
        "xdicom_matrix_depth": (0x0040074A,),
    },
    OPTICAL_PATHS: {
        "xdicom_optical_paths": (0x00480106,),
        "xdicom_optical_path_names": (0x00480107,),
    },
}
_OF_SEGMENTATIONS: Final = {
    REFERENCED_SERIES: (SEGMENTED, series_referred_to),
    SEGMENT_SEQUENCE: (SEGMENTS, text_of_segments),
}
SEQUENCES: Final = frozenset(
    (
        *(SHARED_GROUPS, PER_FRAME_GROUPS, DIMENSION_INDEX, *LUT_MARKS),
        *(*_OF_SEGMENTATIONS, *_PARTS, *LISTED),
    )
)
"""Sequences at the top level that are read."""
_DIMENSION_POINTER: Final = 0x00209165
_ORGANIZATION: Final = 0x00209164


def read_sequence(element: Element, texts: Texts, head: Head) -> None:
    """Read functional groups, dimension indices, listed items, or which LUTs there are.

    Of segmentations their segments, and the series that they refer to.
    """
    if element.tag in LUT_MARKS:
        if any(True for _ in element.items()):
            head.luts += (LUT_MARKS[element.tag],)
    elif element.tag in _OF_SEGMENTATIONS:
        if head.attributes.get("SOPClassUID") in SEGMENTATIONS:
            name, read = _OF_SEGMENTATIONS[element.tag]
            if text := read(element, texts):
                head.segmentation[name] = text
    elif element.tag == DIMENSION_INDEX:
        head.dimensions = tuple(_dimension_index(item) for item in element.items())
    elif element.tag in _PARTS:
        head.parts |= _parts(element, texts)
    elif element.tag in LISTED:
        head.items[keyword_of(element.tag)] = _items(element, texts)
    else:
        groups = GroupReader(texts)
        for item in element.items():
            item.window.count = 0  # the limit holds for each frame: there may be many
            leaves = groups.read(item)
            if element.tag == SHARED_GROUPS:
                head.shared |= leaves
            else:
                head.frames.append(leaves)


def _items(sequence: Element, texts: Texts) -> list[dict[str, str]]:
    """What is kept of each item of a listed sequence, by keyword."""
    wanted = LISTED[sequence.tag]
    return [
        {
            wanted[e.tag]: texts.read(e.tag, e.vr, e.raw(), e.encoding.order)
            for e in item
            if e.tag in wanted and e.length != UNDEFINED
        }
        for item in sequence.items()
    ]


def _parts(sequence: Element, texts: Texts) -> dict[str, str]:
    """What rows hold of a sequence's items, the values of all items joined by backslashes."""
    names = _PARTS[sequence.tag]
    wanted = {tag for tags in names.values() for tag in tags}
    items = []
    for item in sequence.items():
        found = {
            e.tag: texts.read(e.tag, e.vr, e.raw(), e.encoding.order)
            for e in item
            if e.tag in wanted and e.length != UNDEFINED
        }
        # a backslash in a description would look like two
        items.append({tag: text.replace("\\", "/") for tag, text in found.items()})
    joined = {
        name: "\\".join(item.get(tag, "") for item in items for tag in tags)
        for name, tags in names.items()
    }
    return {name: text for name, text in joined.items() if text.strip("\\")}


def _dimension_index(item: Item) -> DimensionIndex:
    pointer, organization = 0, ""
    for element in item:
        if element.tag == _DIMENSION_POINTER and element.length == 4:
            group, number = struct.unpack(element.encoding.order + "HH", element.raw())
            pointer = group << 16 | number
        elif element.tag == _ORGANIZATION and element.length != UNDEFINED:
            organization = element.raw().decode("latin-1").strip(" \0")
    keyword = keyword_of(pointer) if pointer else ""
    return DimensionIndex(keyword, bool(pointer >> 16 & 1), organization)
