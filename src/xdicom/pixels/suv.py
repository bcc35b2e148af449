"""Headers of PET become the factors that turn activity into standardised uptake values (SUV)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from xdicom.errors import InconsistentSeriesError, MissingAttributeError
from xdicom.headers.store import attribute_column, headers_of, private_of
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.values import date64, moment64, number, seconds
from xdicom.pixels.philips import private_number
from xdicom.series.custom import column_from, own_attribute
from xdicom.series.times import acquisition_datetime

Floats = npt.NDArray[np.float64]

_DRUG: Final = "RadiopharmaceuticalInformationSequence.0."
_PHILIPS: Final = "Philips PET Private Group"
_TO_SUV: Final = 0x70530000
_TO_ACTIVITY: Final = 0x70530009
_GE: Final = "GEMS_PETD_01"
_GE_SCAN_START: Final = 0x0009000D

_DAY: Final = 86400.0
_EARLY: Final = 3600.0
"""Seconds that a scan may begin before the injection that it follows up."""
_MOST_HALF_LIVES: Final = 20.0


def _weight(series: _Series) -> float:
    return series.number("PatientWeight") * 1000


def _lean(series: _Series) -> float:
    """Lean body mass (Janmahasatian et al. 2005, doi:10.2165/00003088-200544100-00004)."""
    weight, height = series.number("PatientWeight"), series.number("PatientSize")
    sex = series.text("PatientSex").strip().upper()
    if sex not in _LEAN:
        raise series.missing("PatientSex", "F or M", sex)
    constant, slope = _LEAN[sex]
    return 9270.0 * weight / (constant + slope * weight / height**2) * 1000


def _surface(series: _Series) -> float:
    """Body surface (Du Bois & Du Bois 1916, doi:10.1001/archinte.1916.00080130010002)."""
    weight, height = series.number("PatientWeight"), series.number("PatientSize")
    surface: float = 0.007184 * weight**0.425 * (height * 100) ** 0.725 * 1e4
    return surface


_LEAN: Final = {"M": (6680.0, 216.0), "F": (8780.0, 244.0)}
"""By PatientSex: constant and factor of the body-mass index."""


@dataclass(frozen=True)
class _Kind:
    """A kind of SUV: activity is related to the dose per amount of body."""

    body: Callable[[_Series], float]
    """Grams or cm²."""
    units: str
    """Of the values, as UCUM."""
    per: str
    """Of the factor for Bq/mL, as UCUM."""
    own_units: str
    """Units (0054,1001) of files that hold this SUV already."""
    types: tuple[str, ...]
    """SUVType (0054,1006) of these; without, it is body weight."""


KINDS: Final[dict[str, _Kind]] = {
    "bw": _Kind(_weight, "g/mL", "g/Bq", "GML", ("BW", "")),
    "lbm": _Kind(_lean, "g/mL", "g/Bq", "GML", ("LBMJANMA",)),
    "bsa": _Kind(_surface, "cm2/mL", "cm2/Bq", "CM2ML", ("BSA", "")),
}


def suv_factors(table: FrameTable, kind: str = "bw") -> Floats:
    """What each frame's modality values are multiplied with to give SUV.

    Parameters
    ----------
    table : FrameTable
        The frames, best all of their series: the scan's start may be their earliest acquisition.
    kind : {"bw", "lbm", "bsa"}
        By body weight (g/mL), lean body mass (g/mL; Janmahasatian 2005) or body surface (cm²/mL;
        Du Bois 1916).

    Returns
    -------
    numpy.ndarray of float64, shape (frames,)
        Body / dose, with the dose as it was at the start of the scan where the activity is
        corrected to it.

    Raises
    ------
    ValueError
        For another ``kind``.
    MissingAttributeError
        If what is needed is missing, 0, or of a kind that gives no SUV.
    InconsistentSeriesError
        If the attributes of a series contradict each other.

    Notes
    -----
    After the vendor-neutral pseudo-code of QIBA's PET group (``SUV_vendorneutral_pseudocode``,
    qibawiki.rsna.org) and PS3.3 C.8.9.1.1.3 (DecayCorrection), C.8.9.1.1.11 (Units). A time of
    injection without a date is the last one before the scan, or within an hour behind its start.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is none of {', '.join(map(repr, KINDS))}")
    found = np.ones(len(table))
    series = table.column("SeriesInstanceUID").codes
    for code in np.unique(series):
        rows = np.flatnonzero(series == code)
        found[rows] = _Series(table.take(rows)).factors(KINDS[kind])
    return found


@own_attribute("suv_factor", units=KINDS["bw"].per)
def _suv_factor(table: FrameTable) -> Column | None:
    """The factor by body weight of each frame of PET; missing for other modalities."""
    column = table.column("Modality")
    pet = np.append([text == "PT" for text in column.texts], False)[column.codes].astype(bool)
    if not pet.any():
        return None
    factors = np.full(len(table), np.nan)
    factors[pet] = suv_factors(table.take(np.flatnonzero(pet)))
    return column_from(factors, len(table), "suv_factor")


@dataclass(frozen=True, eq=False)
class _Series:
    """The frames of one series."""

    table: FrameTable

    @cached_property
    def _one(self) -> FrameTable:
        """A frame that stands for all where an attribute is the series'."""
        return self.table.take(np.array([0]))

    def text(self, keyword: str) -> str:
        """The series' only text of an attribute, ``""`` where it is missing.

        Raises
        ------
        InconsistentSeriesError
            If frames differ.
        """
        known = keyword in self.table.columns
        texts = attribute_column(self.table if known else self._one, keyword).texts
        if len(texts) > 1:
            raise InconsistentSeriesError(
                f"frames of one series differ in {keyword}",
                file=self.table.path(0),
                found=f"{len(texts)} values",
            )
        return texts[0] if texts else ""

    def number(self, keyword: str) -> float:
        """A number above 0 that must be there."""
        value = number(self.text(keyword) or "nan")
        if not (np.isfinite(value) and value > 0):
            raise self.missing(keyword, "a number above 0", None if np.isnan(value) else value)
        return value

    def missing(self, keyword: str, expected: str, found: object = None) -> MissingAttributeError:
        """The error for an attribute that is missing or does not do."""
        name = keyword.removeprefix(_DRUG)
        return MissingAttributeError(
            f"SUV needs {name}" + (f" of {_DRUG.split('.')[0]}" if name != keyword else ""),
            file=self.table.path(0),
            expected=expected,
            found="none" if found in (None, "") else found,
            remedy='scaling="modality" gives the activity without it',
        )

    def factors(self, kind: _Kind) -> float | Floats:
        """What the modality values of the frames are multiplied with."""
        units = self.text("Units").strip()
        if units == kind.own_units:
            self._check_type(kind)
            return 1.0
        if units == "CNTS":
            return self._of_counts(kind)
        if units != "BQML":
            raise self.missing("Units", f"BQML, CNTS or {kind.own_units}", units)
        return kind.body(self) / self._dose()

    def _check_type(self, kind: _Kind) -> None:
        own = self.text("SUVType").strip()
        if own not in kind.types:
            raise self.missing("SUVType", " or ".join(filter(None, kind.types)), own)

    def _of_counts(self, kind: _Kind) -> Floats:
        """Of counts: Philips writes what turns them into SUV, or into activity."""
        direct, activity = (np.full(len(self.table), np.nan) for _ in range(2))
        for header, rows in headers_of(self.table):
            for row in rows.tolist():
                frame = int(self.table.frame_number[row])
                for into, tag in ((direct, _TO_SUV), (activity, _TO_ACTIVITY)):
                    value = private_number(private_of(header, frame, tag, _PHILIPS))
                    into[row] = value if np.isfinite(value) and value > 0 else np.nan
        if not np.isnan(direct).any():
            ratio = 1.0 if kind.body is _weight else kind.body(self) / _weight(self)
            return np.asarray(direct * ratio)
        if np.isnan(activity).any():
            expected = f"BQML, or the factor (7053,xx00) of {_PHILIPS!r} for CNTS"
            raise self.missing("Units", expected, "CNTS")
        return np.asarray(activity * kind.body(self) / self._dose())

    def _dose(self) -> float:
        """Dose in Bq at the moment that the activity is corrected to."""
        corrected = set(self.text("CorrectedImage").split("\\")) - {""}
        correction = self.text("DecayCorrection").strip()
        for needed in ("ATTN", "DECY"):
            if corrected and needed not in corrected:
                raise self.missing("CorrectedImage", f"{needed} among them", sorted(corrected))
        if correction not in ("START", "ADMIN"):
            raise self.missing("DecayCorrection", "START or ADMIN", correction)
        dose = self.number(f"{_DRUG}RadionuclideTotalDose")
        if correction == "ADMIN":
            return dose
        half_life = self.number(f"{_DRUG}RadionuclideHalfLife")
        return float(dose * 2 ** (-self._decay_time(half_life) / half_life))

    def _decay_time(self, half_life: float) -> float:
        """Seconds from the injection to the start of the scan."""
        start, dated = self._scan_start(half_life)
        moment = self.text(f"{_DRUG}RadiopharmaceuticalStartDateTime")
        injection = moment64(moment) if moment else np.datetime64("NaT")
        clock = seconds(self.text(f"{_DRUG}RadiopharmaceuticalStartTime") or "x")
        if dated and not np.isnat(injection):
            found = float((start - injection) / np.timedelta64(1, "us")) / 1e6
            if not -_EARLY <= found <= _MOST_HALF_LIVES * half_life:
                raise InconsistentSeriesError(
                    "the injection does not precede the scan by a plausible time",
                    file=self.table.path(0),
                    expected=f"at most {_MOST_HALF_LIVES:g} half-lives of {half_life:g} s",
                    found=f"{found:g} s",
                )
            return found
        if np.isnan(clock) and not np.isnat(injection):
            clock = _time_of_day(injection)
        if np.isnan(clock):
            raise self.missing(f"{_DRUG}RadiopharmaceuticalStartTime", "a time")
        if half_life > _DAY:
            keyword = f"{_DRUG}RadiopharmaceuticalStartDateTime"
            raise self.missing(keyword, "a date, since the half-life is longer than a day")
        return (_time_of_day(start) - clock + _EARLY) % _DAY - _EARLY

    def _scan_start(self, half_life: float) -> tuple[Any, bool]:
        """Start of the scan, and whether its date is known.

        SeriesDate and SeriesTime unless frames were acquired before: then these are of a later
        reconstruction, and the scan began with GE's own start, or, where frames tell when within
        them the mean activity was measured, so long before it, or with the earliest frame.
        """
        day, clock = date64(self._earliest("SeriesDate")), seconds(self._earliest("SeriesTime"))
        acquired = acquisition_datetime(self.table)
        if acquired is None or np.isnat(day):  # dates were removed: times of one day
            times = [seconds(t) for t in self.table.column("AcquisitionTime").texts]
            first = min((t for t in times if not np.isnan(t)), default=np.nan)
            if np.isnan(first):
                raise self.missing("AcquisitionTime", "a time")
            if np.isnan(clock) or clock > first:
                clock = first
            return np.datetime64(0, "us") + np.timedelta64(round(clock * 1e6), "us"), False
        moments = np.array([moment64(t) for t in acquired.texts])[acquired.codes]
        moments = np.where(acquired.codes >= 0, moments, np.datetime64("NaT"))
        if np.isnat(moments).all():
            raise self.missing("AcquisitionTime", "a time")
        earliest = np.nanmin(moments)
        if not np.isnan(clock):
            series = day + np.timedelta64(round(clock * 1e6), "us")
            if series <= earliest:
                return series, True
        for header, _ in headers_of(self._one):
            own = private_of(header, 1, _GE_SCAN_START, _GE)
            start = moment64(str(own.value)) if own is not None else np.datetime64("NaT")
            if not np.isnat(start):
                return start, True
        mid = self.table.numbers("FrameReferenceTime") / 1000
        duration = self.table.numbers("ActualFrameDuration") / 1000
        if ((mid > 0) & (duration > 0) & ~np.isnat(moments)).all():
            decay = np.log(2) / half_life
            mean = np.log(decay * duration / -np.expm1(-decay * duration)) / decay
            starts = moments + ((mean - mid) * 1e6).round().astype("m8[us]")
            return starts.min(), True
        return earliest, True

    def _earliest(self, keyword: str) -> str:
        return min(self.table.column(keyword).texts, default="")


def _time_of_day(moment: Any) -> float:
    """Seconds since midnight.

    Examples
    --------
    >>> _time_of_day(np.datetime64("2024-02-29T00:01:30.5"))
    90.5
    """
    day = moment.astype("M8[D]").astype("M8[us]")
    return float((moment.astype("M8[us]") - day) / np.timedelta64(1, "us")) / 1e6
