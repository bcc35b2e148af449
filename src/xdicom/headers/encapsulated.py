"""Encapsulated pixel data become the places of their items, and the offsets that a table gives."""

from __future__ import annotations

import struct
from array import array
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from xdicom.errors import CorruptFileError, ResourceLimitError
from xdicom.headers.elements import keyword_of
from xdicom.headers.walk import ITEM, Read

IntArray = npt.NDArray[np.int64]

ITEM_HEAD: Final = 8
"""Bytes before the content of an item: tag and length."""
MAX_FRAGMENTS: Final = 10_000_000

_HEAD: Final = struct.Struct("<4sL").unpack
_ITEM_TAG, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HUGE: Final = 2**62
# MPEG and HEVC video, JPEG 2000 Part 2
_MANY_FRAMES_A_FRAGMENT: Final = tuple(
    f"1.2.840.10008.1.2.4.{end}"
    for end in ("10", "92", "93")  # 100 to 108: video
)


class Items(NamedTuple):
    """Items that follow each other without a gap."""

    bounds: array[int]
    """First byte of each item's tag, and the byte after the last item."""
    delimited: bool
    """Whether a sequence delimiter follows."""


def many_frames_a_fragment(transfer_syntax: str) -> bool:
    """Whether one codestream holds many frames, so that fragments tell nothing about them.

    Examples
    --------
    >>> many_frames_a_fragment("1.2.840.10008.1.2.4.102")
    True
    """
    return transfer_syntax.startswith(_MANY_FRAMES_A_FRAGMENT)


def walk_items(read: Read, position: int, end: int, name: str) -> Items:
    """Find the items from a position on; each must be wholly there.

    PS3.5 A.4: items in little endian, up to a delimiter where the length is undefined.

    Parameters
    ----------
    read : callable
        Gives ``length`` bytes from ``position`` on.
    position : int
        Where the first item begins.
    end : int
        Where the value, or the file, ends.
    name : str
        The file, for messages.

    Raises
    ------
    CorruptFileError
        If there is something else than items, or one is cut off.
    ResourceLimitError
        If there are more than ``MAX_FRAGMENTS``.
    """
    bounds = array("q", (position,))
    while position + ITEM_HEAD <= end:
        tag, length = _HEAD(read(ITEM_HEAD, position).ljust(ITEM_HEAD, b"\0"))
        if tag == _SEQUENCE_END:
            return Items(bounds, True)
        if tag != _ITEM_TAG:
            raise CorruptFileError(
                "encapsulated pixel data hold something else than items",
                file=name,
                expected=keyword_of(ITEM),
                found=tag.hex(" "),
            )
        position += ITEM_HEAD + length
        if position > end:
            raise CorruptFileError(
                "the encapsulated pixel data are cut off",
                file=name,
                expected=f"{length} bytes in item {len(bounds) - 1}",
                found=f"{end - position + length}",
                remedy="The file is truncated: copy it again from its source",
            )
        bounds.append(position)
        if len(bounds) > MAX_FRAGMENTS:
            raise ResourceLimitError(
                "the pixel data have too many fragments",
                file=name,
                expected=f"at most {MAX_FRAGMENTS}",
            )
    return Items(bounds, False)


def basic_offset_table(read: Read, position: int, end: int) -> tuple[IntArray, int]:
    """The offsets of the basic offset table (PS3.5 A.4), and where the first fragment begins.

    Parameters
    ----------
    read : callable
        Gives ``length`` bytes from ``position`` on.
    position : int
        Where the value of the pixel element begins.
    end : int
        Where it, or the file, ends.

    Returns
    -------
    offsets : array of int
        From the first fragment on; what is less than an offset at the table's end counts as one.
    base : int
        Where the first fragment begins; ``position`` where there is no item to begin with.
    """
    none = np.empty(0, np.int64)
    if position + ITEM_HEAD > end:
        return none, position
    tag, length = _HEAD(read(ITEM_HEAD, position).ljust(ITEM_HEAD, b"\0"))
    base = position + ITEM_HEAD + length
    if tag != _ITEM_TAG or base > end:
        return none, position
    if not length:
        return none, base
    # an offset table that is none may be as long as a frame: more is not read than could be one
    raw = read(min(length, 4 * MAX_FRAGMENTS), position + ITEM_HEAD)
    return np.frombuffer(raw + bytes(-len(raw) % 4), "<u4").astype(np.int64), base


def whole_numbers(text: str) -> IntArray:
    r"""The values of an extended offset table (PS3.3 C.7.6.3.1.8) from their text.

    Examples
    --------
    >>> whole_numbers("0\\1032\\2064").tolist(), whole_numbers("").tolist()
    ([0, 1032, 2064], [])
    """
    if not text:
        return np.empty(0, np.int64)
    try:
        found = [min(int(part), _HUGE) for part in text.split("\\")]
    except ValueError:
        return np.empty(0, np.int64)
    return np.array(found, np.int64)


def fault_of(offsets: IntArray, frames: int, room: int) -> str:
    """What is wrong with the offsets of frames, by themselves; ``""`` if nothing is.

    Parameters
    ----------
    offsets : array of int
        From the first fragment on.
    frames : int
        How many there should be.
    room : int
        Bytes from the first fragment to the end of the value.
    """
    if len(offsets) != frames:
        return f"holds {len(offsets)} offsets for {frames} frames"
    if offsets[0] != 0:
        return f"begins with {offsets[0]}, not with 0"
    wrong = np.flatnonzero(np.diff(offsets) < ITEM_HEAD)
    if wrong.size:
        frame = int(wrong[0]) + 2
        return f"does not ascend: {offsets[frame - 1]} of frame {frame} after {offsets[frame - 2]}"
    if offsets[-1] + ITEM_HEAD > room:
        return f"points outside of the pixel data: {offsets[-1]} of {room} bytes"
    return ""


def items_of_last(
    read: Read, position: int, end: int, frames: int, extended: str, name: str
) -> Items | None:
    """The items of the last frame, where an offset table tells where it begins.

    Then there are fragments enough, and the last is not cut off: a scan need not look at each.
    Whether every offset is right is for those to find out who read the frames.

    Parameters
    ----------
    read, position, end, name
        As for `walk_items`, of the whole value.
    frames : int
        NumberOfFrames.
    extended : str
        Text of ExtendedOffsetTable.

    Returns
    -------
    Items or None
        None where no table is well formed, or the last offset leads to no items.
    """
    basic, base = basic_offset_table(read, position, end)
    for offsets in (basic, whole_numbers(extended)):
        if len(offsets) and not fault_of(offsets, frames, end - base):
            try:
                items = walk_items(read, base + int(offsets[-1]), end, name)
            except CorruptFileError:  # whoever walks all of them tells what is wrong
                continue
            if len(items.bounds) > 1:
                return items
    return None
