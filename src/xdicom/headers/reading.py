"""The first bytes of files become rows of a table: by a template where one fits, else by a walk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from xdicom.headers.building import TableBuilder
from xdicom.headers.head import Head, PixelElement
from xdicom.headers.parse import parse, pixel_element
from xdicom.headers.template import MOST_HEADER, Match, Templates
from xdicom.headers.validate import DICOMDIR, Leniency, count_frames
from xdicom.headers.walk import FIRST_READ, Place, Window
from xdicom.sources.base import FileStat, OpenFile, Source

_PAGE: Final = 4096
_PIXEL_HEAD: Final = 1024
"""Bytes read behind a header, for the items in which encapsulated pixels begin."""
_OF_FRAGMENTS: Final = ("NumberOfFrames", "ExtendedOffsetTable")
"""What tells how many of the fragments must be looked at."""


@dataclass
class Counts:
    """How files were read."""

    templates: int = 0
    """By a template."""
    walked: int = 0
    """Element by element."""
    known: int = 0
    """Not at all: an index knew them."""


class HeaderReader:
    """Reads headers one after the other and learns from each for the next.

    Parameters
    ----------
    source : Source
        Where the files are.
    root : str
        What their paths are relative to.
    leniency : Leniency
        What is allowed of the pixel data.
    templates : bool
        Whether to use templates; False walks every header.
    """

    def __init__(
        self, source: Source, root: str, leniency: Leniency, *, templates: bool = True
    ) -> None:
        self._source, self._root, self._leniency = source, root, leniency
        self._templates = Templates() if templates else None
        self._longest = 0
        self.first_read = FIRST_READ
        """Bytes to read of the next files."""
        self.counts = Counts()

    def settle(self) -> None:
        """Read no more of the next files than the longest of the last headers needed."""
        if self._longest:
            self.first_read = _enough_for(self._longest)
            self._longest = 0

    def read(self, stat: FileStat, data: bytes, builder: TableBuilder) -> bool:
        """Add the rows of a file to a table.

        Parameters
        ----------
        stat : FileStat
            The file.
        data : bytes
            Its first bytes.
        builder : TableBuilder
            The table.

        Returns
        -------
        bool
            Whether it was added; False for a DICOMDIR.

        Raises
        ------
        XDicomError
            As `parse` and `count_frames`.
        OSError
            If more of the file is needed and cannot be read.
        """
        match = None
        if self._templates is not None and len(data) >= min(stat.size, self.first_read):
            match = self._templates.find(data)
            if match is not None and self._add_known(stat, match, builder):
                return True
        path = os.path.join(self._root, stat.path)
        rest = _Rest(self._source, path)
        try:
            if self._templates is not None and match is None:
                # the first bytes may have been asked for before more was needed
                missing = min(stat.size, self.first_read) - len(data)
                if missing > 0:
                    data += rest.read(missing, len(data))
                    match = self._templates.find(data)
            w = Window(rest.read, stat.size, path, data)
            if match is not None:
                self._add_match(stat, w, match, builder)
                return True
            places: list[Place] = []
            head = parse(w, places)
        finally:
            rest.close()
        self.counts.walked += 1
        if places:
            self._longest = max(self._longest, places[-1].value)
            self.first_read = max(self.first_read, _enough_for(self._longest))
        if self._templates is not None:
            self._templates.learn(data, places, head)
        if head.attributes.get("MediaStorageSOPClassUID") == DICOMDIR:
            return False
        builder.add(stat, head, count_frames(head, path, self._leniency))
        return True

    def _add_known(self, stat: FileStat, match: Match, builder: TableBuilder) -> bool:
        """Add a file of native pixels that is like one that was validated; False for any other."""
        template, values, offset, length = match
        if template.encapsulated or length > stat.size - offset:
            return False
        known = template.validated(length, values)
        if known is None:
            return False
        if offset > self._longest:
            self._longest = offset
        self.counts.templates += 1
        builder.add_like(stat, match, known)
        return True

    def _add_match(self, stat: FileStat, w: Window, match: Match, builder: TableBuilder) -> None:
        """Add a file that matched a template, validated as far as it is like no other."""
        template, values, offset, length = match
        self._longest = max(self._longest, offset)
        self.counts.templates += 1
        problems: list[tuple[str, str]] = []
        pixel = _pixel(w, match, problems)
        whole = template.encapsulated or length <= stat.size - offset
        extent = pixel.fragments if template.encapsulated else length
        known = template.validated(extent, values) if whole else None
        if known is None:
            head = template.head_of(values)
            of_values = len(head.problems)
            head.size, head.pixel = stat.size, pixel
            frames = count_frames(head, w.name, self._leniency)
            if frames != 1:
                head.problems += problems
                builder.add(stat, head, frames)
                return
            known = tuple(head.problems[of_values:])
            if whole:
                template.remember(extent, values, known)
        builder.add_like(stat, match, (*problems, *known))


def _enough_for(header: int) -> int:
    """Bytes to read of a file for a header of so many, in whole pages."""
    return min(-(-(header + _PIXEL_HEAD) // _PAGE) * _PAGE, MOST_HEADER)


def _pixel(w: Window, match: Match, problems: list[tuple[str, str]]) -> PixelElement:
    """The pixel element of a file that matched."""
    template = match.template
    place = template.places[-1]
    attributes = {}
    if template.encapsulated:
        attributes = {k: template.text_of(k, match.values) for k in _OF_FRAGMENTS}
    head = Head(template.head.transfer_syntax, attributes, problems=problems)
    return pixel_element(w, (place.tag, place.vr, match.length, match.offset), head)


class _Rest:
    """What was not read of a file yet: it is opened when it is asked for."""

    def __init__(self, source: Source, path: str) -> None:
        self._source, self._path = source, path
        self._file: OpenFile | None = None

    def read(self, length: int, position: int) -> bytes:
        """More of the file."""
        if self._file is None:
            self._file = self._source.open(self._path)
        return self._file.read(length, position)

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._file is not None:
            self._file.close()
