"""A DICOM file in, the places of its top-level elements out; and the file changed there."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from xdicom.testing.elements import Encoder, Key, element, header_length

PREAMBLE = 132
"""Length of the preamble and its ``DICM``."""

UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class ElementSpan:
    """Where an element lies in its file."""

    start: int
    """Offset of its tag."""
    value: int
    """Offset of its value."""
    stop: int
    """Offset of the next element, or the end of the file."""
    length: str
    """How its length is packed just before its value, as for :mod:`struct`."""

    def with_length(self, data: bytes, length: int) -> bytes:
        """Give `data`, the whole file, with another length written for this element."""
        at = self.value - struct.calcsize(self.length)
        return data[:at] + struct.pack(self.length, length) + data[self.value :]


@dataclass(frozen=True)
class Layout:
    """A file and the places of its elements."""

    data: bytes
    """The whole file."""
    spans: dict[int, ElementSpan]
    """By tag, in the order of the file; of duplicates the last."""
    dataset: Dataset
    """The data set as pydicom reads it."""
    encoder: Encoder
    """Encodes elements as they are encoded in the data set."""

    def span(self, keyword: str) -> ElementSpan:
        """Find an element by keyword, KeyError where there is none."""
        tag, _ = self.encoder.tag_and_vr(keyword)
        if tag not in self.spans:
            raise KeyError(f"the file has no {keyword}")
        return self.spans[tag]


def read_layout(path: str | os.PathLike[str]) -> Layout:
    """Find the elements of the top level and of the file meta information.

    Parameters
    ----------
    path : path
        A file with a preamble.

    Returns
    -------
    Layout
        Bytes and places.

    Raises
    ------
    ValueError
        If the file is deflated: then elements have no place in it.
    """
    dataset = dcmread(path)
    if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise ValueError("the elements of a deflated file have no place in it")
    implicit, little = dataset.original_encoding
    data = Path(path).read_bytes()
    starts = []
    for part, plain in ((dataset.file_meta, False), (dataset, bool(implicit))):
        order = ">" if part is dataset and not little else "<"
        for tag in part.keys():  # noqa: SIM118 – a Dataset iterates over elements
            found: Any = part.get_item(tag)
            at = found.value_tell if isinstance(found, RawDataElement) else found.file_tell
            value = int(at or 0)
            vr = str(found.VR)
            head = header_length(plain, vr)
            length = f"{order}I" if plain or head == 12 else f"{order}H"
            starts.append((value - head, value, int(tag), length))
    starts.sort()
    stops = [start for start, *_ in starts[1:]] + [len(data)]
    spans = {
        tag: ElementSpan(start, value, stop, length)
        for (start, value, tag, length), stop in zip(starts, stops, strict=True)
    }
    context: dict[Key, Any] = {
        key: dataset.get(key) for key in ("PixelRepresentation", "BitsAllocated")
    }
    charset = dataset.get("SpecificCharacterSet") or "ISO_IR 6"
    encoder = Encoder(bool(implicit), bool(little), context, charset)
    for number in spans:
        group, block = number >> 16, number & 0xFFFF
        if group % 2 and 0x10 <= block <= 0xFF:
            encoder.reserve(group, block, str(dataset[number].value))
    return Layout(data, spans, dataset, encoder)


def element_span(path: str | os.PathLike[str], keyword: str) -> ElementSpan:
    """Find an element of the top level, or of the file meta information, in its file.

    Parameters
    ----------
    path : path
        A DICOM file, not deflated.
    keyword : str
        The element's keyword.

    Returns
    -------
    ElementSpan
        Offsets in bytes from the beginning of the file.

    Raises
    ------
    KeyError
        If the file has no such element.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.testing import element_span, write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = write_series(folder, {})
    ...     span = element_span(path, "PixelData")
    >>> span.value - span.start, span.stop - span.value
    (12, 768)
    """
    return read_layout(path).span(keyword)


def edit(path: str | os.PathLike[str], attributes: Mapping[Key, Any]) -> Path:
    """Rewrite elements of a file; every other byte stays as it is.

    Parameters
    ----------
    path : path
        A DICOM file, not deflated.
    attributes : mapping
        New values by keyword, by (group, low byte of the element, creator, VR), or
        by a path into sequences, ``"MREchoSequence.0.EffectiveEchoTime"``. None
        removes; `bytes` are written unchecked. A new SOPInstanceUID or SOPClassUID
        goes to the file meta information too, unless that is given.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    KeyError, IndexError
        If a path leads through what is not there.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import edit, write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = write_series(folder, {})
    ...     ds = pydicom.dcmread(edit(path, {"EchoTime": 7.5, "Rows": None}))
    >>> float(ds.EchoTime), "Rows" in ds
    (7.5, False)
    """
    layout = read_layout(path)
    data, spans = layout.data, layout.spans
    pieces = {tag: data[span.start : span.stop] for tag, span in spans.items()}
    values = dict(attributes)
    for keyword in ("SOPInstanceUID", "SOPClassUID"):
        if values.get(keyword) is not None:
            values.setdefault(f"MediaStorage{keyword}", values[keyword])
    meta = Encoder(False, True, {})
    for key, value in values.items():
        if isinstance(key, str) and "." in key:
            head, *steps = key.split(".")
            tag, vr = layout.encoder.tag_and_vr(head)
            _edit_item(layout.dataset[head].value, steps, value)
            pieces[tag] = layout.encoder.encode(tag, vr, layout.dataset[head].value)
            continue
        tag, vr = layout.encoder.tag_and_vr(key)
        if value is None:
            pieces.pop(tag, None)
        else:
            pieces[tag] = (meta if tag >> 16 == 2 else layout.encoder).encode(tag, vr, value)
    pieces |= layout.encoder.creators()
    in_meta = sum(len(piece) for tag, piece in pieces.items() if 0x00020000 < tag < 0x00030000)
    pieces[0x00020000] = meta.encode(0x00020000, "UL", in_meta)
    made = Path(path)
    made.write_bytes(data[:PREAMBLE] + b"".join(pieces[tag] for tag in sorted(pieces)))
    return made


def _edit_item(sequence: Any, steps: list[str], value: Any) -> None:
    """Set or remove the value at the end of a path of item numbers and keywords."""
    item = sequence[int(steps[0])]
    if len(steps) > 2:
        _edit_item(item[steps[1]].value, steps[2:], value)
    elif value is None:
        del item[Tag(steps[1])]
    else:
        tag, vr = Encoder(False, True, {}).tag_and_vr(steps[1])
        item[Tag(tag)] = element(tag, vr, value)
