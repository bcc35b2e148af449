"""A header that was walked becomes a template: headers like it are read by what differs.

What stays the same between two elements that differ is one run of bytes, compared in one step.
Equal bytes from a known element start mean an equal structure: what a template matches is just
what a walk would find. What none matches is walked, and widens the template or makes another.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from xdicom.errors import XDicomError
from xdicom.headers.elements import (
    ALIASES,
    DIMENSION_INDEX,
    LISTED,
    LUT_MARKS,
    MATRIX_ORIGIN,
    OPTICAL_PATHS,
    PER_FRAME_GROUPS,
    SEGMENT_SEQUENCE,
    SHARED_GROUPS,
    WANTED,
    tag_of,
)
from xdicom.headers.head import Head
from xdicom.headers.meta import is_encapsulated
from xdicom.headers.mosaic import MARKS, is_mosaic
from xdicom.headers.private import GROUPS, is_creator
from xdicom.headers.texts import CHARACTER_SET, PIXEL_REPRESENTATION, Texts
from xdicom.headers.validate import DECIDING, NAMING
from xdicom.headers.walk import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    Encoding,
    Place,
    Window,
    end_of_sequence,
)

MOST_HEADER: Final = 256 * 1024
"""Bytes of a header that is compared; a longer one is walked, which skips what is long."""
MOST_TEMPLATES: Final = 32
"""Templates that are kept, the latest used first."""

_MAGIC: Final = 128
_TRANSFER_SYNTAX, _MEDIA_CLASS = 0x00020010, 0x00020002
_CONSTANT: Final = frozenset(
    (
        *(_TRANSFER_SYNTAX, _MEDIA_CLASS, CHARACTER_SET, PIXEL_REPRESENTATION),
        *(*LUT_MARKS, DIMENSION_INDEX, MATRIX_ORIGIN, OPTICAL_PATHS, *LISTED),
        *(tag for pair in ALIASES.items() for k in pair if (tag := tag_of(k)) is not None),
    )
)
"""Elements that rule how others are read: where they differ, it is another template."""
_USUAL: Final = frozenset(
    tag
    for keyword in """FileMetaInformationGroupLength MediaStorageSOPInstanceUID SOPInstanceUID
        InstanceCreationTime AcquisitionTime ContentTime InstanceNumber ImagePositionPatient
        SliceLocation WindowCenter WindowWidth LargestImagePixelValue""".split()
    if (tag := tag_of(keyword)) is not None
)
"""Elements that differ in nearly every series: they are taken to from the first file on."""
_DETECTORS: Final = 0x00540022
_OF_FRAMES: Final = frozenset((SHARED_GROUPS, PER_FRAME_GROUPS, SEGMENT_SEQUENCE, _DETECTORS))

_SHORT: Final = struct.Struct("<H").unpack_from
_LONG: Final = struct.Struct("<L").unpack_from
_SEQUENCE, _UNKNOWN_SEQUENCE = -1, -2
_GROUP_LENGTH: Final = 4
"""Bytes of the value of an element (gggg,0000)."""


class _Step(NamedTuple):
    """A run of bytes that stays the same, and the element behind it that does not."""

    run: bytes
    size: int
    unpack: Callable[[bytes, int], tuple[Any, ...]] | None
    """Of the element's length; None for group lengths and for sequences of undefined length."""
    width: int
    """Bytes of the length; of a group length; ``_SEQUENCE`` or ``_UNKNOWN_SEQUENCE``."""
    wanted: bool
    """Whether a row holds the value."""


class Match(NamedTuple):
    """What a template finds in a file's first bytes."""

    template: Template
    """The one that matched."""
    values: list[bytes]
    """Raw values of the wanted elements that differ, in the order of ``template.keys``."""
    offset: int
    """Of the pixel element's value."""
    length: int
    """As its header gives it: 0xFFFFFFFF where it is undefined."""


@dataclass(frozen=True, eq=False)
class Template:
    """A header that was walked, and which of its elements differ in headers like it."""

    data: bytes
    """The file's bytes up to the pixel element's value."""
    places: tuple[Place, ...]
    """Its elements, the pixel element last."""
    head: Head
    """What was found in it."""
    varying: frozenset[int]
    """Indices of the elements that differ."""
    _valid: dict[Any, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @cached_property
    def keys(self) -> tuple[int, ...]:
        """Indices of the elements that differ and that a row holds."""
        return tuple(i for i in sorted(self.varying) if self.places[i].key)

    @cached_property
    def keywords(self) -> tuple[str, ...]:
        """Their keywords."""
        return tuple(WANTED[self.places[i].key] for i in self.keys)

    @cached_property
    def constants(self) -> dict[str, str]:
        """Attributes that all headers like it share."""
        differing = set(self.keywords)
        return {k: v for k, v in self.head.attributes.items() if k not in differing}

    @cached_property
    def texts(self) -> Texts:
        """Reads the values that differ."""
        attributes = self.head.attributes
        signed = attributes.get("PixelRepresentation") == "1"
        return Texts.like(attributes.get("SpecificCharacterSet", ""), signed)

    @cached_property
    def encapsulated(self) -> bool:
        """Whether the pixels stand in items."""
        return is_encapsulated(self.head.transfer_syntax)

    @cached_property
    def _naming(self) -> tuple[int, ...]:
        """Places in ``keys`` of values whose presence decides over a file."""
        return tuple(i for i, keyword in enumerate(self.keywords) if keyword in NAMING)

    @cached_property
    def _deciding(self) -> tuple[int, ...]:
        """Places in ``keys`` of values that decide over its frames."""
        return tuple(i for i, keyword in enumerate(self.keywords) if keyword in DECIDING)

    def validated(self, extent: int, values: list[bytes]) -> tuple[tuple[str, str], ...] | None:
        """Problems of files of one frame that are like one which was validated; None if none is.

        Parameters
        ----------
        extent : int
            Bytes of native pixels that are wholly there, or fragments of encapsulated ones.
        values : list of bytes
            What the template found.
        """
        for i in self._naming:
            if not values[i].strip(b" \0"):
                return None
        if not self._deciding:
            return self._valid.get(extent)
        return self._valid.get((extent, *(values[i] for i in self._deciding)))

    def remember(
        self, extent: int, values: list[bytes], problems: tuple[tuple[str, str], ...]
    ) -> None:
        """Keep the problems of a file of one frame that was validated."""
        if all(values[i].strip(b" \0") for i in self._naming):
            key = (extent, *(values[i] for i in self._deciding)) if self._deciding else extent
            self._valid[key] = problems

    @cached_property
    def _typed(self) -> int | None:
        """Place in ``keys`` of ImageType, where it differs."""
        return self.keywords.index("ImageType") if "ImageType" in self.keywords else None

    @cached_property
    def _steps(self) -> tuple[_Step, ...]:
        return tuple(self._each_step())

    def _each_step(self) -> Iterator[_Step]:
        start = _MAGIC
        for i in sorted(self.varying | {len(self.places) - 1}):
            place = self.places[i]
            unpack = None
            if place.undefined:
                stop = place.value
                width = _UNKNOWN_SEQUENCE if place.vr == b"UN" else _SEQUENCE
            elif is_group_length(place):
                stop, width = place.value, _GROUP_LENGTH
            else:
                width = length_bytes(place)
                stop = place.value - width
                unpack = _SHORT if width == 2 else _LONG
            run = self.data[start:stop]
            yield _Step(run, len(run), unpack, width, i in self.keys)
            start = place.end

    def match(self, data: bytes) -> Match | None:
        """Compare a file's first bytes; None where they differ elsewhere or are too few."""
        position = _MAGIC
        count = 0
        values = []
        try:
            for run, size, unpack, width, wanted in self._steps:
                if not data.startswith(run, position):
                    return None
                position += size
                if unpack is not None:
                    (count,) = unpack(data, position)
                    position += width
                    end = position + count
                elif width > 0:
                    end = position + width
                else:
                    end = self._sequence_end(data, position, width)
                if wanted:
                    values.append(data[position:end])
                position = end
        except (struct.error, XDicomError):
            return None
        # the frame of a mosaic is many rows, by elements that are no values of a template
        if self._typed is not None and any(mark in values[self._typed] for mark in MARKS):
            return None
        return Match(self, values, position - count, count)

    def _sequence_end(self, data: bytes, position: int, width: int) -> int:
        w = Window(_no_more, len(data), "", data)
        vr = b"UN" if width == _UNKNOWN_SEQUENCE else b"SQ"
        return end_of_sequence(w, vr, position, self.head.encoding)

    def text_of(self, keyword: str, values: list[bytes]) -> str:
        """One attribute of a file that matched, ``""`` where it has none."""
        if keyword not in self.keywords:
            return self.constants.get(keyword, "")
        at = self.keywords.index(keyword)
        place = self.places[self.keys[at]]
        (text,), _ = self.texts.read_all(place.key, place.vr, [values[at]], "<")
        return text

    def widened(self, data: bytes, places: list[Place]) -> Template:
        """The template for another header of the same signature too."""
        own = self.data
        differing = {
            i
            for i, (a, b) in enumerate(zip(self.places, places, strict=True))
            if own[a.value : a.end] != data[b.value : b.end]
        }
        return Template(own, self.places, self.head, self.varying | differing)

    def head_of(self, values: list[bytes]) -> Head:
        """The head of a file that matched, as a walk of it would give it, but for its pixels."""
        attributes = dict(self.constants)
        problems: list[tuple[str, str]] = []
        for index, keyword, raw in zip(self.keys, self.keywords, values, strict=True):
            place = self.places[index]
            (text,), faults = self.texts.read_all(place.key, place.vr, [raw], "<")
            problems += [(kind, message) for _, kind, message in faults]
            if text:
                attributes[keyword] = text
        return Head(
            self.head.transfer_syntax,
            attributes,
            dimensions=self.head.dimensions,
            items=self.head.items,
            luts=self.head.luts,
            parts=self.head.parts,
            problems=problems,
        )


def _no_more(length: int, position: int) -> bytes:
    del length, position
    return b""


def is_group_length(place: Place) -> bool:
    """Whether an element holds the length of its group (PS3.5 7.2)."""
    return not place.tag & 0xFFFF and place.end - place.value == _GROUP_LENGTH


def length_bytes(place: Place) -> int:
    """Bytes of the length in the head of an element (PS3.5 7.1.2)."""
    return 2 if place.vr and place.value - place.start == 8 else 4


Signature = tuple[object, ...]


def signature(data: bytes, places: list[Place], encoding: Encoding) -> Signature | None:
    """What headers of one template have in common; None for one that makes none.

    The heads of the elements without their lengths, and the values that rule how others are read.
    """
    parts: list[object] = [encoding.implicit, data[_MAGIC : places[0].start]]
    fixed = _fixed(places, encoding)
    last = 0
    for i, place in enumerate(places):
        if place.tag in _OF_FRAMES or place.tag <= last:
            return None
        last = place.tag
        if i in fixed:
            parts.append(data[place.start : place.end])
        elif place.undefined or is_group_length(place):
            parts.append(data[place.start : place.value])
        else:
            parts.append(data[place.start : place.value - length_bytes(place)])
    return tuple(parts)


def _fixed(places: list[Place], encoding: Encoding) -> frozenset[int]:
    """Indices of the elements that may not differ within a template.

    Those that rule how others are read, private creators among them, and those whose length could
    be taken for a VR: the first of the data set, which tells the encoding, and elements that lack
    a VR where others have one.
    """
    first = next((i for i, place in enumerate(places) if place.tag >> 16 != 2), 0)
    return frozenset(
        i
        for i, place in enumerate(places)
        if place.tag in _CONSTANT
        or (is_creator(place.tag) and place.tag >> 16 in GROUPS)
        or (not place.vr and (encoding is not IMPLICIT_LE or place.tag >> 16 == 2))
        or (not place.vr and i == first and not is_group_length(place))
    )


class Templates:
    """The templates of the headers that were walked last."""

    def __init__(self) -> None:
        self._latest: list[Template] = []
        self._by_signature: dict[Signature, Template] = {}
        self._signatures: dict[Template, Signature] = {}

    def find(self, data: bytes) -> Match | None:
        """What the first template that fits finds in a file's first bytes."""
        for place, template in enumerate(self._latest):
            found = template.match(data)
            if found is not None:
                if place:
                    self._latest.insert(0, self._latest.pop(place))
                return found
        return None

    def learn(self, data: bytes, places: list[Place], head: Head) -> None:
        """Make a template of a header that was walked, or widen one.

        Parameters
        ----------
        data : bytes
            The file's first bytes, the pixel element's head among them.
        places : list of Place
            Its elements, as `parse` puts them.
        head : Head
            What was found, as the walk left it.
        """
        if not _is_fit(head, places, len(data)):
            return
        known = signature(data, places, head.encoding)
        if known is None:
            return
        before = self._by_signature.get(known)
        if before is None:
            usual = frozenset(i for i, place in enumerate(places) if place.tag in _USUAL)
            usual -= _fixed(places, head.encoding)
            template = Template(data[: places[-1].value], tuple(places), head, usual)
        else:
            template = before.widened(data, places)
            self._forget(before)
        self._latest.insert(0, template)
        self._by_signature[known] = template
        self._signatures[template] = known
        if len(self._latest) > MOST_TEMPLATES:
            self._forget(self._latest[-1])

    def _forget(self, template: Template) -> None:
        self._latest.remove(template)
        del self._by_signature[self._signatures.pop(template)]


def _is_fit(head: Head, places: list[Place], length: int) -> bool:
    """Whether a header that was walked may be a template, by what is at hand of its file."""
    return (
        head.pixel is not None
        and head.preamble
        and not head.problems
        and not is_mosaic(head.attributes.get("ImageType", ""))
        and head.encoding in (EXPLICIT_LE, IMPLICIT_LE)
        and bool(places)
        and places[-1].value <= min(length, MOST_HEADER)
        and len(places) - 1 not in _fixed(places, head.encoding)
    )
