"""Keywords and values in, the encoded bytes of DICOM elements out."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_data_element
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import AMBIGUOUS_VR, EXPLICIT_VR_LENGTH_32, format_number_as_ds

Key = str | tuple[int, int, str, str]
"""A keyword, or (group, low byte of the element, private creator, VR).

An element number of 0x1000 and more names the creator's block too, as its high byte.
"""

PIXEL_DATA = 0x7FE00010
_LOWEST_BLOCK = 0x1000
UNDEFINED = 0xFFFFFFFF


def uid(*entropy: object) -> str:
    """Make a UID that depends on its arguments only.

    All UIDs made here have the same length, as those of one scanner mostly have.

    Parameters
    ----------
    *entropy : object
        Whatever makes it unique; compared by ``repr``.

    Returns
    -------
    str
        A UID below 2.25 (PS3.5 B.2), 43 characters long.

    Examples
    --------
    >>> uid("series", 0) == uid("series", 0), uid("series", 0) == uid("series", 1)
    (True, False)
    """
    digest = hashlib.sha256(repr(entropy).encode()).digest()
    return f"2.25.{10**37 + int.from_bytes(digest, 'big') % (9 * 10**37)}"


def is_keyword(name: str) -> bool:
    """Say whether `name` is a keyword of the standard's data dictionary."""
    return tag_for_keyword(name) is not None


def _plain(value: Any, vr: str) -> Any:
    """Give numpy values as Python's and decimal strings of at most 16 characters."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(one, vr) for one in value]
    if vr == "DS" and isinstance(value, float):
        text = repr(value)
        return text if len(text) <= 16 else format_number_as_ds(value)
    if vr == "SQ" and isinstance(value, Mapping):
        return dataset(value)
    return value


def element(tag: int, vr: str, value: Any) -> DataElement | RawDataElement:
    """Make one element; bytes for a VR of text or numbers are taken as they are.

    Parameters
    ----------
    tag : int
        The tag.
    vr : str
        The value representation.
    value : Any
        A value of that VR; numpy arrays, lists of dicts for sequences, and
        `bytes`, which go into the file unchecked, for values that are wrong.

    Returns
    -------
    DataElement or RawDataElement
        An element that pydicom can write.
    """
    if isinstance(value, bytes):
        value += b"" if len(value) % 2 == 0 else b"\0" if vr in ("UI", "OB", "UN") else b" "
        vr = "OW" if vr.endswith("or OW") else vr
        return RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True, True)
    value = _plain(value, vr)
    if vr == "US or OW":  # words given as numbers: a lookup table's data
        vr = "US"
    if vr == "SQ" and isinstance(value, Dataset):
        value = [value]
    return DataElement(tag, vr, value)


def dataset(values: Mapping[Key, Any]) -> Dataset:
    """Make a pydicom Dataset of keywords and values, sequences as lists of mappings.

    Parameters
    ----------
    values : mapping
        Values by keyword or private key; None leaves one out.

    Returns
    -------
    Dataset
        The data set.

    Examples
    --------
    >>> item = dataset({"MREchoSequence": [{"EffectiveEchoTime": 5.0}]})
    >>> item.MREchoSequence[0].EffectiveEchoTime
    5.0
    """
    made = Dataset()
    for key, value in values.items():
        if value is not None and isinstance(key, str):
            tag = Tag(key)
            made[tag] = element(tag, dictionary_VR(tag), value)
        elif value is not None and isinstance(key, tuple):
            group, low, creator, vr = key
            if low >= _LOWEST_BLOCK:
                made[Tag(group, low >> 8)] = element(Tag(group, low >> 8), "LO", creator)
                tag = Tag(group, low)
            else:
                tag = made.private_block(group, creator, create=True).get_tag(low & 0xFF)
            made[tag] = element(tag, vr, value)
    return made


class Encoder:
    """Encodes elements in one of DICOM's three forms.

    Parameters
    ----------
    implicit : bool
        Implicit VR.
    little : bool
        Little endian.
    context : mapping
        Values that decide the VR of others: PixelRepresentation, BitsAllocated.
    charset : str or list of str
        The value of SpecificCharacterSet.
    """

    def __init__(
        self,
        implicit: bool,
        little: bool,
        context: Mapping[Key, Any],
        charset: str | list[str] = "ISO_IR 192",
    ) -> None:
        self.implicit = implicit
        self.little = little
        self._context = dict(context)
        self._charset = charset
        self._blocks: dict[tuple[int, str], int] = {}

    def tag_and_vr(self, key: Key) -> tuple[int, str]:
        """Resolve a key; a private creator gets the next free block of its group.

        Raises
        ------
        ValueError
            If the keyword is not in the data dictionary.
        """
        if isinstance(key, str):
            tag = tag_for_keyword(key)
            if tag is None:
                raise ValueError(f"{key!r} is no keyword of the DICOM data dictionary")
            return tag, dictionary_VR(tag)
        group, low, creator, vr = key
        if low >= _LOWEST_BLOCK:
            if self._blocks.setdefault((group, creator), low >> 8) != low >> 8:
                raise ValueError(f"{creator!r} has a block in group {group:04X} already")
        elif (group, creator) not in self._blocks:
            taken = (block for (other, _), block in self._blocks.items() if other == group)
            self._blocks[group, creator] = max(taken, default=0x0F) + 1
        return group << 16 | self._blocks[group, creator] << 8 | low & 0xFF, vr

    def reserve(self, group: int, block: int, creator: str) -> None:
        """Note that a private creator has a block already."""
        self._blocks[group, creator] = block

    def creators(self) -> dict[int, bytes]:
        """Give the private creator elements of the blocks in use, by tag."""
        return {
            group << 16 | block: self.encode(group << 16 | block, "LO", creator)
            for (group, creator), block in self._blocks.items()
        }

    def encode(self, tag: int, vr: str, value: Any) -> bytes:
        """Encode one element, header and value; words of OW may be given as numbers."""
        words = vr == "OW" and isinstance(value, (list, np.ndarray))
        if words:
            value = np.asarray(value, "<u2" if self.little else ">u2").tobytes()
        made = element(tag, vr, value)
        if vr == "SQ" or vr in AMBIGUOUS_VR:
            context = dataset(self._context)
            context[made.tag] = made
            made = correct_ambiguous_vr(context, self.little).get_item(made.tag)
        if vr == "OW" and not self.little and isinstance(value, bytes) and not words:
            raise ValueError("give words as numbers for big endian, bytes have no order")
        buffer = DicomBytesIO()
        buffer.is_implicit_VR = self.implicit
        buffer.is_little_endian = self.little
        write_data_element(buffer, made, self._charset)
        return buffer.getvalue()

    def mapping(self, values: Mapping[Key, Any]) -> dict[int, bytes]:
        """Encode values by key; None leaves an element out."""
        encoded = {}
        for key, value in values.items():
            if value is not None:
                tag, vr = self.tag_and_vr(key)
                encoded[tag] = self.encode(tag, vr, value)
        return encoded

    def pixels(self, value: bytes, bits_allocated: int, *, encapsulated: bool) -> bytes:
        """Encode the Pixel Data element; `value` is without the delimiter of its sequence."""
        # PS3.5 A.1, A.2 and A.4
        vr = "OB" if encapsulated or (bits_allocated <= 8 and not self.implicit) else "OW"
        order = "<" if self.little else ">"
        head = struct.pack(f"{order}HH", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF)
        length = UNDEFINED if encapsulated else len(value) + len(value) % 2
        if self.implicit:
            head += struct.pack(f"{order}I", length)
        else:
            head += vr.encode() + struct.pack(f"{order}HI", 0, length)
        # a sequence delimitation item closes encapsulated frames (PS3.5 A.4)
        tail = b"\xfe\xff\xdd\xe0\0\0\0\0" if encapsulated else b"\0" * (len(value) % 2)
        return b"".join((head, value, tail))


def header_length(implicit: bool, vr: str) -> int:
    """Give the number of bytes of an element before its value."""
    return 8 if implicit or vr not in EXPLICIT_VR_LENGTH_32 else 12
