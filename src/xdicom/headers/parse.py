"""The bytes of one file's header become a Head: attributes as raw text, and the pixels' place."""

from __future__ import annotations

from typing import Final

from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from xdicom.errors import CorruptFileError, NotDicomError
from xdicom.headers.elements import (
    ALIASES,
    DECISIVE,
    WANTED,
    keyword_of,
)
from xdicom.headers.encapsulated import (
    Items,
    items_of_last,
    many_frames_a_fragment,
    walk_items,
)
from xdicom.headers.head import Head, PixelElement
from xdicom.headers.meta import (
    encoding_of,
    inflated_window,
    is_encapsulated,
    is_public,
    read_file_meta,
)
from xdicom.headers.mosaic import UNCUT, Tiles, is_mosaic, tiles_of
from xdicom.headers.private import Blocks, is_creator
from xdicom.headers.sequences import SEQUENCES, read_sequence
from xdicom.headers.texts import Texts
from xdicom.headers.toplevel import TopLevel
from xdicom.headers.walk import (
    IMPLICIT_LE,
    UNDEFINED,
    Element,
    Encoding,
    Place,
    Window,
    bounded,
    end_of_sequence,
)

_PIXEL: Final = {
    0x7FE00010: "PixelData",
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
}
_DELIMITERS: Final = 0xFFFE0000
_PRIVATE: Final = 0x00010000
"""The bit of an odd group."""
_TAIL: Final = 4096
"""Bytes behind the last element that are looked at."""


def parse(w: Window, places: list[Place] | None = None) -> Head:
    """Read the header of a file, element by element, up to its pixels.

    Parameters
    ----------
    w : Window
        Over the file.
    places : list of Place, optional
        Where the place of each element at the top level is put, those of the file meta information
        first and the pixel element's last; nothing of a deflated data set.

    Returns
    -------
    Head
        What the rows of the frame table are made from.

    Raises
    ------
    NotDicomError
        If the file is empty, compressed as a whole, or does not begin like DICOM.
    CorruptFileError
        If an element, an item or a fragment does not end where it should.
    ResourceLimitError
        If the header is endless, or inflates to more than is sane.

    Notes
    -----
    Data element encoding: PS3.5 section 7; file meta information: PS3.10 section 7.1.
    """
    name = w.name
    if not w.size:
        raise NotDicomError("the file is empty", file=name)
    meta = read_file_meta(w, places)
    start = meta.start
    own: list[Place] = [] if places is None else places
    if meta.transfer_syntax == DeflatedExplicitVRLittleEndian:
        w, start = inflated_window(w, start), 0
        own.clear()
        own = []
    head = Head(
        meta.transfer_syntax, {}, w.size, preamble=meta.preamble, problems=list(meta.problems)
    )
    encoding = head.encoding = encoding_of(w, start, meta.transfer_syntax)
    implicit = meta.transfer_syntax == ImplicitVRLittleEndian
    if (encoding is IMPLICIT_LE) != implicit and is_public(meta.transfer_syntax):
        what = f"elements are not encoded as {meta.transfer_syntax} says"
        head.problems.append(("WrongTransferSyntax", what))
    if meta.media_class:
        head.attributes["MediaStorageSOPClassUID"] = meta.media_class
    try:
        _read_elements(w, start, encoding, head, own)
    except CorruptFileError as error:
        if meta.preamble or "SOPClassUID" in head.attributes:
            raise
        raise NotDicomError(
            "this is not a DICOM file", file=name, expected="DICM at byte 128", found="none"
        ) from error
    for leaves in (head.attributes, head.shared, *head.frames):
        for keyword, classic in ALIASES.items():
            if keyword in leaves:
                leaves.setdefault(classic, leaves[keyword])
    _cut(head, TopLevel(w, own, encoding))
    return head


def _cut(head: Head, top: TopLevel) -> None:
    """Note the slices that frames hold, or why they cannot be cut apart."""
    own = head.frames or [head.attributes]
    whole = head.attributes | head.shared if head.frames or head.shared else head.attributes
    kind, of_object = (leaves.get("ImageType", "") for leaves in (whole, head.attributes))
    types = [leaves.get("ImageType", kind) for leaves in own]
    if head.pixel is None or not any(map(is_mosaic, {*types, of_object})):
        return
    for leaves, image_type in zip(own, types, strict=True):
        found = tiles_of(whole | leaves, image_type, top)
        if isinstance(found, str):
            leaves[UNCUT] = found
        elif found is None:  # the type of a frame goes before its object's, but may say less
            found = tiles_of(whole | leaves, of_object, top)
        head.tiles.append(found if isinstance(found, Tiles) else None)


def _read_elements(
    w: Window, position: int, encoding: Encoding, head: Head, places: list[Place]
) -> None:
    """Read the elements of the data set, up to the pixels or the end."""
    texts = Texts(head.problems)
    attributes, size, header = head.attributes, w.size, encoding.header
    seen: set[int] = set()
    blocks = Blocks()
    last = 0
    while position + 8 <= size:
        start = position
        found = tag, vr, length, value = header(w, position)
        if tag in _PIXEL:
            head.pixel = pixel_element(w, found, head)
            places.append(Place(start, value, value, tag, vr, False))
            return
        if tag <= last or tag >= _DELIMITERS:
            if tag == 0 or tag >= _DELIMITERS:
                break
            if tag in seen:
                _check_duplicate(Element(w, found, size, encoding, 0), texts, head)
        seen.add(tag)
        last = tag
        key = 0
        if tag in SEQUENCES:
            element = Element(w, found, size, encoding, 0)
            read_sequence(element, texts, head)
            position = element.end()
        elif length == UNDEFINED:
            position = end_of_sequence(w, vr, value, encoding)
        else:
            position = value + length
            if position > size:
                bounded(w, tag, position, size)
            if tag in WANTED:
                key = tag
            elif tag & _PRIVATE:
                key = blocks.get(tag, 0)
                if is_creator(tag):
                    blocks.reserve(tag, w.value(value, length))
            if key:
                text = texts.read(key, vr, w.value(value, length), encoding.order)
                if text:
                    attributes[WANTED[key]] = text
        places.append(Place(start, value, position, tag, vr, length == UNDEFINED, key))
    _check_tail(w, position, head)


def _check_duplicate(element: Element, texts: Texts, head: Head) -> None:
    """Note an element that stands twice; refuse it where which is right cannot be known."""
    keyword = keyword_of(element.tag)
    before = head.attributes.pop(keyword, None)
    differs = (
        element.tag in WANTED
        and keyword.endswith("UID")
        and element.length != UNDEFINED
        and before != texts.read(element.tag, element.vr, element.raw(), element.encoding.order)
    )
    if keyword in DECISIVE or differs:
        raise CorruptFileError(
            f"{keyword} stands twice in the data set",
            file=element.window.name,
            expected="each element once (PS3.5 section 7.1)",
            remedy="Which of the two is right cannot be known: correct the file",
        )
    head.problems.append(("DuplicateElement", f"{keyword} stands twice; the last was used"))


def _check_tail(w: Window, position: int, head: Head) -> None:
    """Tolerate zeros behind the elements of an object that needs no pixels, and nothing else."""
    tail = w.value(position, min(w.size - position, _TAIL))
    if not tail:
        return
    if any(tail) or head.is_image:
        raise CorruptFileError(
            "something that is no element stands in the header",
            file=w.name,
            expected="an element or the end of the file",
            found=f"{w.size - position} bytes, {tail[:8].hex(' ')}",
            remedy="The file is truncated or damaged: copy it again from its source",
        )
    head.problems.append(("TrailingBytes", "zero bytes follow the data set"))


def pixel_element(w: Window, found: tuple[int, bytes, int, int], head: Head) -> PixelElement:
    """The pixel element from its tag, VR, length and place; its fragments are counted.

    Where an offset table tells the frames, no more of them than those of the last.

    Raises
    ------
    CorruptFileError
        If encapsulated pixels hold something else than whole fragments.
    """
    tag, vr, length, value = found
    undefined = length == UNDEFINED
    fragments, items = 0, None
    if is_encapsulated(head.transfer_syntax):
        end = w.size if undefined else min(value + length, w.size)
        fragments, found_items = _fragments(w, value, end, head)
        if undefined and not found_items.delimited:
            what = "no delimiter ends the encapsulated pixel data, but all items are wholly there"
            head.problems.append(("MissingDelimiter", what))
        if fragments > 1 and len(found_items.bounds) == fragments + 2:
            items = found_items.bounds[1:]  # without the offset table
    return PixelElement(
        _PIXEL[tag], value, -1 if undefined else length, vr.decode("ascii"), fragments, items
    )


def _fragments(w: Window, position: int, end: int, head: Head) -> tuple[int, Items]:
    """Fragments, without the offset table, and the items that were looked at."""
    text = head.attributes.get("NumberOfFrames", "")
    frames = int(text) if text.isdecimal() else 1
    if frames > 1 and not many_frames_a_fragment(head.transfer_syntax):
        extended = head.attributes.get("ExtendedOffsetTable", "")
        last = items_of_last(w.look, position, end, frames, extended, w.name)
        if last is not None:
            return frames - 1 + len(last.bounds) - 1, last
    items = walk_items(w.look, position, end, w.name)
    return max(len(items.bounds) - 2, 0), items
