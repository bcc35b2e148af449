"""Columns of private elements become public attributes of the rows that lack them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from xdicom.headers.elements import vr_of
from xdicom.headers.table import MISSING, Column
from xdicom.headers.values import as_numbers
from xdicom.headers.vendor import GIFTS, Gift

Codes = npt.NDArray[np.int32]
Vector = npt.NDArray[np.float64]

_ORIENTATION: Final = "ImageOrientationPatient"
_PHASE_ENCODING: Final = "InPlanePhaseEncodingDirection"
_POSITION: Final = "PatientPosition"

_HEAD: Final = 2
"""Index of the patient's axis from feet to head in L, P, S."""
_GE_FLAG: Final = 1e9
"""What GE adds to a b-value for some of its modes."""
_UNIT: Final = 0.03
"""By how much the length of a direction may differ from 1."""


class _UnprovenError(Exception):
    """What a value means is not known for certain; the text says why."""


@dataclass(frozen=True)
class Doubt:
    """Rows whose private elements were not turned into a public attribute."""

    attribute: str
    """Keyword."""
    rows: npt.NDArray[np.int64]
    """Which rows."""
    message: str
    """Why not, and where the raw values are."""


def given(columns: Mapping[str, Column], length: int) -> tuple[dict[str, Column], list[Doubt]]:
    r"""The public attributes that private elements give.

    Parameters
    ----------
    columns : mapping
        By keyword or name of a private element.
    length : int
        Rows.

    Returns
    -------
    columns : dict of Column
        Those that are new or have more values: what a row has of its own stays.
    doubts : list of Doubt
        Where what a private value means is not known for certain.

    Examples
    --------
    >>> zero = np.zeros(1, np.int32)
    >>> b = Column(zero, ("1000000050\\8\\0\\0",), "IS")
    >>> made, _ = given({"g0043_GEMS_PARM_01_39": b}, 1)
    >>> made["DiffusionBValue"].texts
    ('50.0',)
    """
    made: dict[str, Column] = {}
    doubts: list[Doubt] = []
    for gift in GIFTS:
        names = [element.name for element in gift.elements]
        if not all(name in columns for name in names):
            continue
        own = made.get(gift.attribute, columns.get(gift.attribute))
        lacking = np.ones(length, bool) if own is None else own.codes < 0
        for name in names:
            lacking &= columns[name].codes >= 0
        rows = np.flatnonzero(lacking)
        if rows.size:
            column = _of_gift(gift, columns, rows, doubts)
            if column.texts:
                made[gift.attribute] = _filled(own, column, rows, length)
    return made, doubts


def _of_gift(
    gift: Gift, columns: Mapping[str, Column], rows: npt.NDArray[np.int64], doubts: list[Doubt]
) -> Column:
    """The attribute of some rows, from each distinct combination of what it is made from."""
    rule, context = RULES[gift.rule]
    names = [*(element.name for element in gift.elements), *context]
    used = [columns.get(name) for name in names]
    codes = np.stack([_codes(column, rows) for column in used], axis=1)
    distinct, places = np.unique(codes, axis=0, return_inverse=True)
    places = places.ravel()
    texts: dict[str, int] = {}
    found = np.full(len(distinct), MISSING, np.int32)
    doubtful: dict[str, list[int]] = {}
    count = len(gift.elements)
    for i, each in enumerate(distinct.tolist()):
        row = [c.texts[code] if c is not None and code >= 0 else "" for c, code in zip(
            used, each, strict=True)]  # fmt: skip
        try:
            text = rule("\\".join(row[:count]), *row[count:])
        except _UnprovenError as error:
            doubtful.setdefault(str(error), []).append(i)
            continue
        if text:
            found[i] = texts.setdefault(text, len(texts))
    for why, which in doubtful.items():
        message = f"{gift.attribute} is taken as unknown: {why}; raw in {', '.join(names[:count])}"
        doubts.append(Doubt(gift.attribute, rows[np.isin(places, which)], message))
    return Column(found[places], tuple(texts), vr_of(gift.attribute))


def _codes(column: Column | None, rows: npt.NDArray[np.int64]) -> Codes:
    return np.full(len(rows), MISSING, np.int32) if column is None else column.codes[rows]


def _filled(own: Column | None, column: Column, rows: npt.NDArray[np.int64], length: int) -> Column:
    """A column with values put into rows that have none."""
    texts = () if own is None else own.texts
    codes = np.full(length, MISSING, np.int32) if own is None else own.codes.copy()
    number = {text: i for i, text in enumerate(dict.fromkeys((*texts, *column.texts)))}
    renumber = np.array([*(number[text] for text in column.texts), MISSING], np.int32)
    codes[rows] = renumber[column.codes]
    return Column(codes, tuple(number), column.vr)


def _as_text(text: str) -> str:
    return text


def _number(text: str) -> str:
    value = _first_number(text)
    return "" if np.isnan(value) else repr(value)


def _first_number(text: str) -> float:
    """The first of several numbers, NaN where it is none."""
    try:
        value = float(text.split("\\")[0])
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _ge_b_value(text: str) -> str:
    value = _first_number(text)
    if np.isnan(value):
        return ""
    return repr(value - _GE_FLAG if value >= _GE_FLAG else value)


def _vector(text: str) -> Vector | None:
    """A direction; None where there is none: zeros, or no three numbers."""
    try:
        found = [float(part) for part in text.split("\\")]
    except ValueError:
        return None
    if len(found) != 3 or not all(map(math.isfinite, found)) or not any(found):
        return None
    return np.array(found)


def _patient_axes(text: str) -> str:
    return "" if _vector(text) is None else text


def _patient_axes_behind(text: str) -> str:
    """The numbers behind the first one."""
    return _patient_axes(text.partition("\\")[2])


def _image_axes(text: str, orientation: str) -> str:
    """UIH: along rows, columns and the normal of the image."""
    direction = _vector(text)
    return "" if direction is None else _rotated(direction, _axes(orientation))


def _ge_axes(text: str, orientation: str, phase_encoding: str, position: str) -> str:
    """GE: along phase encoding, frequency encoding and, the other way round, the normal.

    Proven for axial slices with phase encoding along columns of a head-first, supine patient.
    """
    direction = _vector(text)
    if direction is None:
        return ""
    axes = _axes(orientation)
    if int(np.abs(axes[2]).argmax()) != _HEAD:
        raise _UnprovenError("GE's directions are known for axial slices only")
    if phase_encoding != "COL":
        what = phase_encoding or "unknown"
        raise _UnprovenError(
            f"GE's directions are known for phase encoding along columns only, here it is {what}"
        )
    if position not in ("", "HFS"):
        raise _UnprovenError(f"GE's directions are known for HFS only, here it is {position}")
    length = float(np.linalg.norm(direction))
    if abs(length - 1) > _UNIT:
        raise _UnprovenError(
            f"GE's direction has length {length:.3g}: it may scale the b-value, which is kept"
        )
    return _rotated(direction * (1, 1, -1), axes)


@lru_cache(maxsize=1024)
def _axes(orientation: str) -> npt.NDArray[np.float64]:
    """Directions of rows, columns and normal in the patient, one a row."""
    cosines = as_numbers([orientation], "DS", 6)[0].reshape(2, 3)
    if not np.isfinite(cosines).all():
        raise _UnprovenError("it is given in the image's axes, whose orientation is unknown")
    return np.vstack([cosines, np.cross(*cosines)])


def _rotated(direction: Vector, axes: npt.NDArray[np.float64]) -> str:
    return "\\".join(map(repr, (direction @ axes + 0.0).tolist()))


def _term_of(terms: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: terms.get(text, "")


_TERMS: Final = ("MAGNITUDE", "PHASE", "REAL", "IMAGINARY")
"""Of ComplexImageComponent (PS3.3 C.8.13.3.1.1)."""

RULES: Final[dict[str, tuple[Callable[..., str], Sequence[str]]]] = {
    "text": (_as_text, ()),
    "number": (_number, ()),
    "ge_b_value": (_ge_b_value, ()),
    "patient_axes": (_patient_axes, ()),
    "patient_axes_behind": (_patient_axes_behind, ()),
    "image_axes": (_image_axes, (_ORIENTATION,)),
    "ge_axes": (_ge_axes, (_ORIENTATION, _PHASE_ENCODING, _POSITION)),
    "ge_component": (_term_of(dict(zip("0123", _TERMS, strict=True))), ()),
    "philips_component": (_term_of(dict(zip("MPRI", _TERMS, strict=True))), ()),
}
"""Rules by name: a function of the elements' joined texts and of further attributes of the row,
and the keywords of these."""
