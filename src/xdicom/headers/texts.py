"""The bytes of values become raw text: numbers in their shortest form, several in one text."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from pydicom.charset import convert_encodings, decode_bytes

from xdicom.headers.csa import read_csa
from xdicom.headers.elements import LISTED_VR, WANTED, WANTED_VR, keyword_of
from xdicom.headers.private import PARTS

CHARACTER_SET: Final = 0x00080005
PIXEL_REPRESENTATION: Final = 0x00280103

_CODES: Final = {
    vr: (code, 4 if vr == b"AT" else struct.calcsize(f"={code}"), struct.calcsize(f"={code}"))
    for vr, code in {
        b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"UV": "Q", b"SV": "q", b"FD": "d",
        b"FL": "f", b"OF": "f", b"OD": "d", b"OV": "Q", b"OL": "I", b"AT": "H",
    }.items()
}  # fmt: skip
"""Of binary VRs: the code of `struct`, the bytes of a value, and of a number in it."""
_PLAIN: Final = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI", b"UR"))
"""Text of the default character repertoire (PS3.5 6.1.2)."""
_CODED: Final = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
"""Text that SpecificCharacterSet rules."""
_KNOWN: Final = _PLAIN | _CODED | _CODES.keys()
_DICTIONARY_DECIDES: Final = frozenset((b"UN", b""))
_SEPARATOR: Final = b"\1"
"""Stands in no value of the default repertoire."""
_BLANKS: Final = (" \\", "\0\\", "\\ ", "\\\0")
"""Padding around the values of one element."""
_CSA_B_VALUE: Final = b"B_value\0"
_CSA_LENGTH: Final = 88
"""Bytes from the name of a tag in a CSA header to the length of its first value."""
_DICTIONARY: Final = {tag: vr.encode() for tag, vr in (LISTED_VR | WANTED_VR).items()}
# PS3.5 6.1.2.5.3: these end a code extension in a value
_DELIMITERS: Final = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}


class Texts:
    """Reads values of one data set, whose character set and signedness it learns on the way.

    Parameters
    ----------
    problems : list
        Where values that cannot be read are noted, each kind and message once.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self._problems = problems
        self._character_sets = ["iso8859"]
        self._signed = False

    @classmethod
    def like(cls, character_set: str, signed: bool) -> Texts:
        """A reader of values behind a SpecificCharacterSet and a PixelRepresentation."""
        made = cls([])
        if character_set:
            made._use(character_set)
        made._signed = signed
        return made

    def read(self, tag: int, vr: bytes, raw: bytes, order: str) -> str:
        """A wanted element's value as text, ``""`` where it is empty or not valid.

        Parameters
        ----------
        tag : int
            One of `elements.WANTED` or `elements.LISTED`.
        vr : bytes
            As the file has it; empty in implicit VR.
        raw : bytes
            The value.
        order : str
            Byte order of numbers, ``<`` or ``>``.
        """
        if vr not in _KNOWN:
            if tag in PARTS:
                return _READERS[PARTS[tag]](raw)
            if vr == b"UN":
                order = "<"  # PS3.5 6.2.2
            elif vr:
                if raw.strip(b" \0"):
                    self._invalid(tag, f"stands with VR {vr.decode('latin-1')}")
                return ""
            vr = self._dictionary_vr(tag)
        if vr in _PLAIN or vr in _CODED:
            if vr in _PLAIN or (raw.isascii() and b"\x1b" not in raw):
                text = raw.decode("latin-1")
            else:
                text = self._decoded(raw)
            text = text.strip(" \0")
            if "\\" in text:
                text = "\\".join([part.strip(" \0") for part in text.split("\\")])
        else:
            text = self._numbers(tag, vr, raw, order)
        if tag == CHARACTER_SET:
            self._use(text)
        elif tag == PIXEL_REPRESENTATION:
            self._signed = text == "1"
        return text

    def read_all(
        self, tag: int, vr: bytes, raws: Sequence[bytes], order: str
    ) -> tuple[list[str], list[tuple[int, str, str]]]:
        """The values of one element in many files, as `read` gives each.

        Returns
        -------
        texts : list of str
            One a value.
        problems : list of (int, str, str)
            Index of a value, kind and message of what is wrong with it.
        """
        texts = self._plain_texts(tag, vr, raws)
        if texts is not None:
            return texts, []
        found, problems = [], []
        for index, raw in enumerate(raws):
            self._problems.clear()
            found.append(self.read(tag, vr, raw, order))
            problems += [(index, kind, message) for kind, message in self._problems]
        return found, problems

    def _plain_texts(self, tag: int, vr: bytes, raws: Sequence[bytes]) -> list[str] | None:
        """Values of the default repertoire, decoded in one piece; None where one is another."""
        if vr in _DICTIONARY_DECIDES:
            vr = self._dictionary_vr(tag)
        joined = _SEPARATOR.join(raws)
        if joined.count(_SEPARATOR) != len(raws) - 1:
            return None
        if vr not in _PLAIN and not (vr in _CODED and joined.isascii() and b"\x1b" not in joined):
            return None
        text = joined.decode("latin-1")
        parts = [part.strip(" \0") for part in text.split("\1")]
        if any(blank in text for blank in _BLANKS):
            return ["\\".join([one.strip(" \0") for one in part.split("\\")]) for part in parts]
        return parts

    def _dictionary_vr(self, tag: int) -> bytes:
        vr = _DICTIONARY[tag]
        if vr == b"US or SS":
            return b"SS" if self._signed else b"US"
        return vr

    def _numbers(self, tag: int, vr: bytes, raw: bytes, order: str) -> str:
        code, size, width = _CODES[vr]
        if len(raw) % size:
            self._invalid(tag, f"has {len(raw)} bytes, which {vr.decode()} cannot have")
            return ""
        values = struct.unpack(f"{order}{len(raw) // width}{code}", raw)
        if vr == b"AT":
            pairs = zip(values[::2], values[1::2], strict=True)
            return "\\".join([f"{group:04x}{element:04x}" for group, element in pairs])
        if code == "f":  # 4.76, not 4.760000228881836
            return "\\".join([str(np.float32(value)) for value in values])
        return "\\".join(map(repr, values))

    def _invalid(self, tag: int, what: str) -> None:
        self._note("InvalidValue", f"{WANTED.get(tag) or keyword_of(tag)} {what}; taken as missing")

    def _decoded(self, raw: bytes) -> str:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                text = decode_bytes(raw, self._character_sets, _DELIMITERS)
        except (LookupError, UnicodeError, ValueError) as error:
            self._note("UnknownCharacterSet", str(error))
            return raw.decode("latin-1")
        if caught:
            self._note("UnknownCharacterSet", str(caught[0].message))
        return text

    def _use(self, text: str) -> None:
        """Take SpecificCharacterSet for what follows."""
        character_sets, fault = _character_sets(text)
        self._character_sets = list(character_sets)
        if fault:
            self._note("UnknownCharacterSet", fault)

    def _note(self, kind: str, message: str) -> None:
        if (kind, message) not in self._problems:
            self._problems.append((kind, message))


def _csa_diffusion(raw: bytes) -> str:
    """B-value and direction of a Siemens CSA header; empty where it has no b-value."""
    at = raw.find(_CSA_B_VALUE)
    length = raw[at + _CSA_LENGTH : at + _CSA_LENGTH + 4]
    if at < 0 or (raw.startswith(b"SV10") and not any(length)):
        return ""  # most images are of no diffusion, so their tags need not be read
    found = read_csa(raw, ("B_value", "DiffusionGradientDirection")) or {}
    b_value = found.get("B_value", ())[:1]
    direction = found.get("DiffusionGradientDirection", ())
    return "\\".join((*b_value, *(direction if len(direction) == 3 else ()))) if b_value else ""


_READERS: Final = {"xdicom_csa_diffusion": _csa_diffusion}
"""Readers of a part of a private element's bytes, by what rows hold of it."""


@lru_cache(maxsize=64)
def _character_sets(text: str) -> tuple[tuple[str, ...], str]:
    """Python's names of character sets (PS3.3 C.12.1.1.2), and what is wrong with them."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = convert_encodings(text.split("\\"))
    except (LookupError, ValueError) as error:
        return ("iso8859",), f"{text}: {error}; read as latin-1"
    return tuple(found), f"{text}: {caught[0].message}" if caught else ""
