"""Dates and times of a column in regular form become numbers; `values` defines all other forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]  # datetime64 or timedelta64

_SEPARATOR: Final = ord("\\")
_DOT, _PLUS, _MINUS, _OTHER = 10, 11, 12, 13
_CODES: Final = b"0123456789.+-"
"""Each becomes its place herein: a digit its value, all that is none more than 9."""
_TABLE: Final = bytes(
    byte if byte == _SEPARATOR else _CODES.find(byte) % (_OTHER + 1) for byte in range(256)
)
_CLOCK: Final = 13  # HHMMSS.FFFFFF
_DAY: Final = 8  # YYYYMMDD
_OFFSET: Final = 5  # +HHMM
_CLOCK_LENGTHS: Final = (2, 4, 6, *range(8, _CLOCK + 1))


def days(texts: Sequence[str]) -> tuple[Array, Bools]:
    """Days of DA texts, and which are regular: ``YYYYMMDD`` of a day that exists.

    Parameters
    ----------
    texts : sequence of str
        Without backslashes.

    Returns
    -------
    datetime64[s], shape (texts,)
        Without meaning where not regular.
    bool, shape (texts,)
        Regular or not.

    Examples
    --------
    >>> days(["20240229", "20230229", "1993.08.22"])[1].tolist()
    [True, False, False]
    """
    cells, lengths = _cells(texts, _DAY)
    day, regular = _calendar(_whole(cells[:4]), _whole(cells[4:6]), _whole(cells[6:8]))
    return day.astype("M8[s]"), regular & (lengths == _DAY) & (cells <= 9).all(axis=0)


def clocks(texts: Sequence[str]) -> tuple[Array, Bools]:
    """Times since midnight of TM texts, and which are regular: ``HH[MM[SS[.F]]]``, F of 1 to 6.

    Parameters
    ----------
    texts : sequence of str
        Without backslashes.

    Returns
    -------
    timedelta64[us], shape (texts,)
        Without meaning where not regular.
    bool, shape (texts,)
        Regular or not.

    Examples
    --------
    >>> clocks(["101530.25", "10", "24", "10:15"])[1].tolist()
    [True, True, False, False]
    """
    return _clock(*_cells(texts, _CLOCK))


def moments(texts: Sequence[str]) -> tuple[Array, Ints, Bools]:
    """Local times and zones of DT texts, and which are regular.

    Parameters
    ----------
    texts : sequence of str
        Without backslashes.

    Returns
    -------
    datetime64[us], shape (texts,)
        Local time. Without meaning where not regular, as is the zone.
    int, shape (texts,)
        Zone as of `zone`.
    bool, shape (texts,)
        Whether each is ``YYYY[MM[DD]]`` of a day that exists, with a regular time behind the whole
        day or none, and with an offset from UTC that there may be or none.

    Examples
    --------
    >>> local, zones, regular = moments(["20240229101530.5+0100", "2024", "20240230"])
    >>> local[:2].astype("M8[s]").tolist()
    [datetime.datetime(2024, 2, 29, 10, 15, 30), datetime.datetime(2024, 1, 1, 0, 0)]
    >>> zones.tolist(), regular.tolist()
    ([101, 0, 0], [True, True, False])
    """
    cells, lengths = _cells(texts, _DAY + _CLOCK + _OFFSET)
    zones, regular = _take_offsets(cells, lengths)
    month = np.where(lengths >= 6, _whole(cells[4:6]), 1)
    day = np.where(lengths >= _DAY, _whole(cells[6:8]), 1)
    date, exists = _calendar(_whole(cells[:4]), month, day)
    # no time is midnight, which the zeros behind the end say too
    clock, told = _clock(cells[_DAY:], np.where(lengths <= _DAY, 2, lengths - _DAY))
    regular &= np.isin(lengths, (4, 6)) | (lengths >= _DAY)
    regular &= (cells[:_DAY] <= 9).all(axis=0) & exists & told
    return date.astype("M8[us]") + clock, zones, regular


def zone(offset: str) -> int:
    """Number of an offset ``±HHMM`` from UTC: ±(HHMM + 1), 0 for none.

    One more, so that −0000 is not +0000, and neither is none.

    Examples
    --------
    >>> zone("+0130"), zone("-0000"), zone("")
    (131, -1, 0)
    """
    if not offset:
        return 0
    code = int(offset[1:]) + 1
    return -code if offset[0] == "-" else code


def ahead(zones: Ints) -> Array:
    """Local time minus UTC in zones as of `zone`; NaT without.

    Examples
    --------
    >>> ahead(np.array([131, -1, 0])).tolist()
    [datetime.timedelta(seconds=5400), datetime.timedelta(0), None]
    """
    hours, minutes = np.divmod(np.abs(zones) - 1, 100)
    found: Array = (np.sign(zones) * (hours * 60 + minutes) * 60_000_000).astype("m8[us]")
    found[zones == 0] = np.timedelta64("NaT")
    return found


def _cells(texts: Sequence[str], width: int) -> tuple[Bytes, Ints]:
    """Codes of the characters, shape (width, texts), and lengths of the texts.

    Behind the end of a text are zeros: what it leaves out is the lowest. Of a text that is longer
    than ``width``, which its length tells, the end is cut off.
    """
    # what is not ASCII becomes "?", so _OTHER; each text is followed by a separator
    codes = ("\\".join(texts) + "\\").encode("ascii", "replace").translate(_TABLE)
    characters = np.frombuffer(codes, np.uint8)
    ends = np.flatnonzero(characters == _SEPARATOR)[: len(texts)]
    at = np.append(0, ends[:-1] + 1)[: len(texts)]
    lengths = ends - at
    cells = np.zeros((width, len(texts)), np.uint8)
    for place in range(min(width, int(lengths.max(initial=0)))):
        # reads on behind the end of a text, which the product mends; clip: and of the last one
        characters.take(at, out=cells[place], mode="clip")
        cells[place] *= lengths > place
        at += 1
    return cells, lengths


def _whole(cells: Bytes) -> Ints:
    """The whole number that the digits of each text make."""
    found = np.zeros(cells.shape[1], np.int64)
    for digits in cells:
        found *= 10
        found += digits
    return found


def _clock(cells: Bytes, lengths: Ints) -> tuple[Array, Bools]:
    """Times since midnight of cells that begin with the hour, and which are regular."""
    hour, minute, second = _whole(cells[:2]), _whole(cells[2:4]), _whole(cells[4:6])
    micro = _whole(cells[7:_CLOCK])
    regular = np.isin(lengths, _CLOCK_LENGTHS) & ((lengths <= 6) | (cells[6] == _DOT))
    regular &= (cells[:6] <= 9).all(axis=0) & (cells[7:_CLOCK] <= 9).all(axis=0)
    regular &= (hour <= 23) & (minute <= 59) & (second <= 60)
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    return total.astype("m8[us]"), regular


def _calendar(year: Ints, month: Ints, day: Ints) -> tuple[Array, Bools]:
    """Days as datetime64[D], and which of them exist."""
    months = (year - 1970) * 12 + month - 1
    first, following = (m.astype("M8[M]").astype("M8[D]") for m in (months, months + 1))
    found = first + (day - 1)
    return found, (month >= 1) & (month <= 12) & (day >= 1) & (found < following)


def _take_offsets(cells: Bytes, lengths: Ints) -> tuple[Ints, Bools]:
    """Zones of moments, whose offsets are taken away from cells and lengths, in place.

    An offset that there is not makes its text irregular.
    """
    zones = np.zeros(len(lengths), np.int64)
    regular = np.ones(len(lengths), bool)
    rows = np.flatnonzero((lengths > _OFFSET) & (lengths <= len(cells)))
    signs = cells[lengths[rows] - _OFFSET, rows]
    signed = (signs == _PLUS) | (signs == _MINUS)
    rows, signs = rows[signed], signs[signed]
    places = lengths[rows] - _OFFSET + np.arange(_OFFSET)[:, None]
    digits = cells[places[1:], rows]
    hours, minutes = _whole(digits[:2]), _whole(digits[2:])
    regular[rows] = (digits <= 9).all(axis=0) & (hours <= 14) & (minutes <= 59)
    zones[rows] = np.where(signs == _MINUS, -1, 1) * (hours * 100 + minutes + 1)
    cells[places, rows] = 0
    lengths[rows] -= _OFFSET
    return zones, regular
