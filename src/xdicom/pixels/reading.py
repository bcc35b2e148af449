"""A frame's span in its file becomes the bytes that are decoded."""

from __future__ import annotations

from xdicom.pixels.counter import COUNTER
from xdicom.pixels.decode import encapsulate_alone, read_bytes
from xdicom.pixels.spans import Frames
from xdicom.sources.base import OpenFile


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
