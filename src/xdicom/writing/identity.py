"""A selection and the caller's wishes become what the new series says of itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import Final

import numpy as np

from xdicom.errors import ConformanceError
from xdicom.writing.selection import Selection
from xdicom.writing.uids import series_uid

VERSION: Final = version("xdicom")
_DERIVED: Final = " (derived)"
_LO_LENGTH: Final = 64
_ST_LENGTH: Final = 1024
_IS_LIMIT: Final = 2**31 - 1


@dataclass(frozen=True)
class Series:
    """What all files of the new series say alike."""

    root: uuid.UUID
    """Root of its UIDs."""
    uid: str
    """SeriesInstanceUID."""
    number: int
    """SeriesNumber."""
    description: str
    """SeriesDescription."""
    derivation: str
    """DerivationDescription."""
    now: datetime
    """The one moment at which the series was made, in the time zone of the source."""


def new_series(
    selection: Selection, number: int | None, description: str | None, derivation: str | None
) -> Series:
    """Decide what the new series is called.

    Parameters
    ----------
    selection : Selection
        Its frames; the first one's header names the source.
    number, description, derivation
        What the caller wants, of `xdicom.writing.files.to_dicom`.

    Raises
    ------
    ConformanceError
        For a number or text that its element cannot hold.
    """
    table, row = selection.table, int(selection.flat[0])
    own = table.numbers("SeriesNumber")[row]
    if number is None:
        number = 1 if np.isnan(own) else int(own) * 100 + 1
        number = max(-_IS_LIMIT - 1, min(number, _IS_LIMIT))
    elif isinstance(number, bool) or not -_IS_LIMIT <= int(number) <= _IS_LIMIT:
        raise ConformanceError(
            "series_number is no IS", expected=f"an integer up to {_IS_LIMIT}", found=number
        )
    if description is None:
        name = str(table.strings("SeriesDescription")[row]).replace("\\", " ")
        description = (name[: _LO_LENGTH - len(_DERIVED)] + _DERIVED).strip()
    if derivation is None:
        derivation = f"xdicom {VERSION}"
    _check_text("series_description", description, _LO_LENGTH, "\\\r\n\f\t\0\x1b")
    _check_text("derivation", derivation, _ST_LENGTH, "\0\x1b")
    root = uuid.uuid4()
    zone = _zone(str(table.strings("TimezoneOffsetFromUTC")[row]))
    now = datetime.now(zone)
    return Series(root, series_uid(root), int(number), description, derivation, now)


def _check_text(name: str, text: str, length: int, forbidden: str) -> None:
    if len(text) > length or any(c in forbidden for c in text):
        raise ConformanceError(
            f"{name} is too long or holds characters that DICOM does not allow in it",
            expected=f"at most {length} characters, no backslash or control character",
            found=f"{len(text)} characters: {text[:80]!r}",
        )


def _zone(text: str) -> timezone | None:
    """The zone that dates of the source are in; None where it is not said: that of this machine."""
    if len(text) != 5 or text[0] not in "+-" or not text[1:].isdigit():
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:])
    if minutes >= 24 * 60:
        return None
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
