"""Good files with encapsulated pixels in, files with other fragments or offsets out; in place."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from xdicom.testing.damage import ITEM, SEQUENCE_END, PathLike, overwrite_bytes
from xdicom.testing.layout import edit, read_layout


def _rewrite(path: PathLike, data: bytes) -> Path:
    made = Path(path)
    made.write_bytes(data)
    return made


def _items(data: bytes, start: int) -> list[tuple[int, int]]:
    """Find the items of encapsulated pixels: offset of each tag and of its end."""
    items = []
    while data[start : start + 4] == ITEM:
        stop = start + 8 + struct.unpack_from("<I", data, start + 4)[0]
        items.append((start, stop))
        start = stop
    if len(items) < 2:
        raise ValueError("the pixels are not encapsulated")
    return items


def read_fragments(path: PathLike) -> list[bytes]:
    """Read the contents of the items of encapsulated pixels.

    Parameters
    ----------
    path : path
        A DICOM file with encapsulated pixels.

    Returns
    -------
    list of bytes
        The basic offset table, and the fragments.

    Raises
    ------
    ValueError
        If the pixels are not encapsulated.
    """
    layout = read_layout(path)
    items = _items(layout.data, layout.span("PixelData").value)
    return [layout.data[start + 8 : stop] for start, stop in items]


def write_fragments(path: PathLike, items: Sequence[bytes], *, delimiter: bool = True) -> Path:
    """Replace the items of encapsulated pixels, as they are given: nothing is padded or checked.

    Parameters
    ----------
    path : path
        A DICOM file with encapsulated pixels.
    items : sequence of bytes
        The basic offset table, and the fragments.
    delimiter : bool
        Whether a delimiter ends them.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If the pixels are not encapsulated.

    Examples
    --------
    >>> import tempfile, numpy
    >>> from xdicom.testing import read_fragments, write_fragments, write_multiframe
    >>> frames = numpy.zeros((2, 4, 6), "uint8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_multiframe(f"{folder}/a", frames, transfer_syntax="1.2.840.10008.1.2.5")
    ...     table, first, second = read_fragments(path)
    ...     len(read_fragments(write_fragments(path, [b"", first, b"", second])))
    4
    """
    layout = read_layout(path)
    old = _items(layout.data, layout.span("PixelData").value)
    new = b"".join(ITEM + struct.pack("<I", len(item)) + item for item in items)
    end = SEQUENCE_END if delimiter else b""
    return _rewrite(path, layout.data[: old[0][0]] + new + end)


def write_offsets(path: PathLike, offsets: Sequence[int]) -> Path:
    """Replace the offset table of encapsulated pixels; the fragments stay.

    Parameters
    ----------
    path : path
        A DICOM file with encapsulated pixels.
    offsets : sequence of int
        For the extended offset table where there is one, else for the basic one; none empties it.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If the pixels are not encapsulated.
    """
    if "ExtendedOffsetTable" in read_layout(path).dataset:
        return edit(path, {"ExtendedOffsetTable": struct.pack(f"<{len(offsets)}Q", *offsets)})
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    return write_fragments(path, [table, *read_fragments(path)[1:]])


def drop_fragments(path: PathLike, count: int = 1) -> Path:
    """Take away the last fragments of encapsulated pixels; the header stays.

    Parameters
    ----------
    path : path
        A DICOM file with encapsulated pixels.
    count : int
        How many.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If the pixels are not encapsulated or have fewer fragments.
    """
    layout = read_layout(path)
    items = _items(layout.data, layout.span("PixelData").value)
    if not 0 < count < len(items):
        raise ValueError(f"there are {len(items) - 1} fragments, not {count}")
    return _rewrite(path, layout.data[: items[-count][0]] + layout.data[items[-1][1] :])


def shift_offset_table(path: PathLike, by: int = 6) -> Path:
    """Move all offsets of an offset table but the first.

    Parameters
    ----------
    path : path
        A DICOM file with encapsulated pixels, whose basic or extended offset table
        is filled.
    by : int
        Bytes to move them by.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If neither table has a second offset.
    """
    layout = read_layout(path)
    start, stop = _items(layout.data, layout.span("PixelData").value)[0]
    start, form = start + 8, "I"
    if "ExtendedOffsetTable" in layout.dataset:
        span = layout.span("ExtendedOffsetTable")
        start, stop, form = span.value, span.stop, "Q"
    count = (stop - start) // struct.calcsize(form)
    if count < 2:
        raise ValueError("there is no second offset to move")
    first, *rest = struct.unpack_from(f"<{count}{form}", layout.data, start)
    moved = struct.pack(f"<{count}{form}", first, *(offset + by for offset in rest))
    return overwrite_bytes(path, start, moved)


def corrupt_fragment(path: PathLike, number: int = 0) -> Path:
    """Overwrite a fragment of encapsulated pixels with zeros, which no decoder takes.

    Parameters
    ----------
    path : path
        A DICOM file with encapsulated pixels.
    number : int
        Which one, from 0; a frame where frames have one fragment each.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If the pixels are not encapsulated.
    """
    layout = read_layout(path)
    start, stop = _items(layout.data, layout.span("PixelData").value)[1 + number]
    return overwrite_bytes(path, start + 8, bytes(stop - start - 8))
