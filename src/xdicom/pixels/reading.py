"""A frame's span in its file becomes the bytes that are decoded, or its values themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xdicom.errors import CorruptFileError
from xdicom.pixels.counter import COUNTER
from xdicom.pixels.decode import clear_spare_bits, encapsulate_alone, read_bytes
from xdicom.pixels.indexing import outer_keeping, positions
from xdicom.pixels.spans import Frames
from xdicom.sources.base import OpenFile

Array = npt.NDArray[Any]


def frame_bytes(frames: Frames, frame: int, file: OpenFile) -> tuple[bytes, int, int]:
    """The bytes to decode a stored frame from, and where in them it begins.

    Parameters
    ----------
    frames : Frames
        Where the frames lie.
    frame : int
        Number of the frame.
    file : OpenFile
        Its file.

    Returns
    -------
    data : bytes
        Native values, or encapsulated items.
    bit_offset : int
        First bit of the frame in its first byte, for packed bits.
    swap_offset : int
        1 where an 8-bit big-endian OW frame begins in the middle of a swapped pair.

    Raises
    ------
    CorruptFileError
        If the file ends before the span does.
    """
    layout = frames.layouts[frames.layout[frame]]
    data = read_bytes(frames, frame, file)
    COUNTER.bytes += len(data)
    place = int(frames.number[frame]) - 1
    bit_offset = swap_offset = 0
    if layout.encapsulated:
        if frames.bare[frame]:
            data = encapsulate_alone(data)
    elif layout.bits_allocated == 1:
        bit_offset = place * layout.frame_bits % 8
    elif layout.big_endian and layout.dtype.itemsize == 1 and layout.vr == "OW":
        swap_offset = place * layout.frame_bits // 8 % 2
        start = int(frames.offset[frame]) - swap_offset
        length = int(frames.length[frame]) + swap_offset
        data = file.read(length + length % 2, start)
        data += b"\0" * (len(data) % 2)
    return data, bit_offset, swap_offset


def read_into(frames: Frames, frame: int, file: OpenFile, target: Array, skip: int = 0) -> None:
    """Fill an array with bytes of a frame's file.

    Parameters
    ----------
    frames : Frames
        Where the frames lie.
    frame : int
        Number of the frame.
    file : OpenFile
        Its file.
    target : array
        Contiguous.
    skip : int
        Bytes of the frame before those that are read.

    Raises
    ------
    CorruptFileError
        If the file ends before the array is full.
    """
    done = file.read_into(target.data, int(frames.offset[frame]) + skip)
    COUNTER.bytes += target.nbytes
    if done < target.nbytes:
        raise CorruptFileError(
            "the pixel data are cut off",
            file=frames.path(frame),
            frame=int(frames.number[frame]),
            expected=f"{target.nbytes} bytes",
            found=f"{done}",
        )


def clear(frames: Frames, frame: int, values: Array) -> None:
    """Bring a frame's stored bits to their place, as `decode.clear_spare_bits`."""
    layout = frames.layouts[frames.layout[frame]]
    clear_spare_bits(values, layout, frames.path(frame), int(frames.number[frame]))


def read_part(frames: Frames, frame: int, file: OpenFile, inner: tuple[Any, ...]) -> Array:
    """An outer selection of a plain frame; only rows between the first and the last are read.

    Parameters
    ----------
    frames : Frames
        Where the frames lie.
    frame : int
        Number of the frame.
    file : OpenFile
        Its file.
    inner : tuple
        Key of rows, columns, and samples where there are several.

    Returns
    -------
    array
        Ints of the key keep their dim, at length 1.
    """
    layout = frames.layouts[frames.layout[frame]]
    COUNTER.frames += 1
    rows = positions(inner[0], layout.rows)
    if not rows.size:
        rest = zip(inner[1:], layout.shape[1:], strict=True)
        return np.empty((0, *(len(positions(k, n)) for k, n in rest)), layout.dtype)
    low, high = int(rows.min()), int(rows.max()) + 1
    slab = np.empty((high - low, *layout.shape[1:]), layout.dtype)
    read_into(frames, frame, file, slab, low * slab[0].nbytes)
    if layout.spare_bits:
        clear(frames, frame, slab)
    return outer_keeping(slab, (rows - low, *inner[1:]))
