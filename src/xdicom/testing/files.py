"""Values or encoded elements, and encoded pixels in, a DICOM file out."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from xdicom.testing.codestreams import is_native
from xdicom.testing.elements import PIXEL_DATA, Encoder, Key, uid

_META = Encoder(implicit=False, little=True, context={})
_IMPLEMENTATION = uid("implementation")


def file_head(syntax: str, sop_class: str, instance: str) -> bytes:
    """Make what stands before the data set: preamble and file meta information.

    Parameters
    ----------
    syntax, sop_class, instance : str
        UIDs of the transfer syntax, the SOP class and the SOP instance.

    Returns
    -------
    bytes
        The head of the file (PS3.10 section 7.1).
    """
    meta = _META.mapping(
        {
            "FileMetaInformationVersion": b"\0\1",
            "MediaStorageSOPClassUID": sop_class,
            "MediaStorageSOPInstanceUID": instance,
            "TransferSyntaxUID": syntax,
            "ImplementationClassUID": _IMPLEMENTATION,
            "ImplementationVersionName": "XDICOM_TESTING",
        }
    )
    length = _META.encode(0x00020000, "UL", sum(map(len, meta.values())))
    return b"".join((b"\0" * 128, b"DICM", length, *meta.values()))


def file_bytes(syntax: str, sop_class: str, instance: str, elements: Iterable[bytes]) -> bytes:
    """Put the head of a file before the elements of its data set.

    Parameters
    ----------
    syntax, sop_class, instance : str
        UIDs of the transfer syntax, the SOP class and the SOP instance.
    elements : iterable of bytes
        Encoded elements, in ascending order of their tags.

    Returns
    -------
    bytes
        The file; the data set deflated where the transfer syntax says so.
    """
    body = b"".join(elements)
    if syntax == DeflatedExplicitVRLittleEndian:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = deflate.compress(body) + deflate.flush()
        body += b"\0" * (len(body) % 2)
    return file_head(syntax, sop_class, instance) + body


def encoding_of(syntax: str) -> tuple[bool, bool]:
    """Say whether a transfer syntax is implicit, and whether it is little endian."""
    return syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian


def write_object(
    path: str | os.PathLike[str],
    values: Mapping[Key, Any],
    attributes: Mapping[Key, Any],
    pixels: bytes | None,
    syntax: str,
) -> Path:
    """Write one object whose pixels are already encoded.

    Parameters
    ----------
    path : path
        The file; its folder is made where it does not exist.
    values : mapping
        Values of the data set by key, None for none.
    attributes : mapping
        What the caller wants otherwise.
    pixels : bytes, optional
        Value of Pixel Data.
    syntax : str
        UID of the transfer syntax.

    Returns
    -------
    Path
        The file.
    """
    top = {**values, **attributes}
    context: dict[Key, Any] = {
        key: top.get(key) for key in ("PixelRepresentation", "BitsAllocated")
    }
    charset = top.get("SpecificCharacterSet") or "ISO_IR 6"
    encoder = Encoder(*encoding_of(syntax), context, charset)
    elements = encoder.mapping(top)
    elements |= encoder.creators()
    if pixels is not None and "PixelData" not in attributes:
        bits = int(values["BitsAllocated"])
        elements[PIXEL_DATA] = encoder.pixels(pixels, bits, encapsulated=not is_native(syntax))
    # a file without these elements still has them in its head, where it must
    sop_class, instance = (
        str(top.get(key) or values[key]) for key in ("SOPClassUID", "SOPInstanceUID")
    )
    made = Path(path)
    made.parent.mkdir(parents=True, exist_ok=True)
    ordered = (elements[tag] for tag in sorted(elements))
    made.write_bytes(file_bytes(syntax, sop_class, instance, ordered))
    return made
