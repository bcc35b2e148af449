"""The bytes of a Siemens CSA header become the texts of the tags that are wanted.

The format is Siemens' own: a count of tags, and for each its name, its VM and its items, each with
its length and padded to four bytes. Its second form begins with ``SV10``.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

CsaTags = dict[str, tuple[str, ...]]
"""Values of tags by name, without empty ones."""

_SECOND: Final = b"SV10"
_COUNT: Final = struct.Struct("<II")
"""Tags; then 77, which is not checked: anonymisers write other numbers."""
_TAG: Final = struct.Struct("<64si4siii")
"""Name, VM, VR, a type, items; then 77 or 205."""
_ITEM: Final = struct.Struct("<4i")


def read_csa(data: bytes, names: Collection[str]) -> CsaTags | None:
    r"""Read tags of a CSA header.

    Parameters
    ----------
    data : bytes
        The value of (0029,xx10) or (0029,xx20) under the creator "SIEMENS CSA HEADER".
    names : collection of str
        The tags that are wanted.

    Returns
    -------
    dict of tuple of str, or None
        Values by name, those that are wanted and not empty; None where the bytes are damaged
        before the last of the wanted tags, or are none of a CSA header.

    Notes
    -----
    Nothing in it is trusted: each step moves on by what was read, and never past the end.

    Examples
    --------
    >>> read_csa(b"SV10\4\3\2\1" + bytes(8), ("B_value",))
    {}
    >>> read_csa(b"no header", ("B_value",)) is None
    True
    """
    second = data.startswith(_SECOND)
    position = 8 if second else 0
    if position + _COUNT.size > len(data):
        return None
    count, _ = _COUNT.unpack_from(data, position)
    position += _COUNT.size
    found: CsaTags = {}
    missing = set(names)
    first_items: int | None = None
    for _ in range(count):
        if not missing:
            break
        if position + _TAG.size > len(data):
            return None
        raw_name, _, _, _, items, _ = _TAG.unpack_from(data, position)
        position += _TAG.size
        if first_items is None:
            first_items = items
        # of the first form the lengths are off by the number of items of the first tag
        read = _read_items(data, position, items, None if second else first_items)
        if read is None:
            return None
        values, position = read
        name = _text(raw_name)
        if name in missing:
            missing.discard(name)
            if values:
                found[name] = tuple(values)
    return found


def _read_items(
    data: bytes, position: int, items: int, off: int | None
) -> tuple[list[str], int] | None:
    """The texts of a tag's items, and where the next tag begins; None past the end."""
    if items < 0:
        return None
    values = []
    for _ in range(items):
        if position + _ITEM.size > len(data):
            return None
        first, length, *_ = _ITEM.unpack_from(data, position)
        position += _ITEM.size
        if off is not None:
            length = first - off
        if not 0 <= length <= len(data) - position:
            if off is not None:  # so the first form ends a tag that has fewer values than items
                break
            return None
        text = _text(data[position : position + length])
        if text:
            values.append(text)
        position += -(-length // 4) * 4
    return values, position


def _text(raw: bytes) -> str:
    """The text before the first NUL."""
    return raw.partition(b"\0")[0].decode("latin-1").strip()
