"""Entries of series become the names of their nodes, in the order in which trees list them."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from xdicom.headers.entries import SeriesEntry
from xdicom.headers.values import number

MOST_LISTED: Final = 40
"""Series that an error lists."""


@dataclass(frozen=True)
class Named:
    """One series and the names of its nodes."""

    entry: SeriesEntry
    """The series."""
    patient: str
    """Name of its patient's node: PatientID."""
    study: str
    """Name of its study's node: date and description."""
    name: str
    """Name of its own node: number and description."""
    base: str
    """The same without the hash that a name has which several series would share."""

    @property
    def path(self) -> str:
        """Path of its node."""
        return f"/{self.patient}/{self.study}/{self.name}"

    @property
    def uid(self) -> str:
        """SeriesInstanceUID, ``unknown`` where it is missing."""
        return self.entry.identity["SeriesInstanceUID"] or "unknown"


def named(entries: Iterable[SeriesEntry]) -> list[Named]:
    """Entries with the names of their nodes, by patient, study, number, time and UID.

    Names that several patients, studies or series would share have a hash behind them.
    """
    ordered = sorted(entries, key=_key)
    names = [_names(entry) for entry in ordered]
    unique = _unique(names, [_uids(entry) for entry in ordered])
    return [
        Named(entry, *parts, base)
        for entry, parts, (_, _, base) in zip(ordered, unique, names, strict=True)
    ]


@lru_cache(maxsize=4096)
def slug(text: str) -> str:
    """A text as a node name: letters, digits, dots and dashes.

    Examples
    --------
    >>> slug("T1 w/ contrast (ax)")
    'T1-w-contrast-ax'
    """
    return re.sub(r"[^\w.]+", "-", text, flags=re.UNICODE).strip("-.")[:64]


def is_wanted(one: Named, series: int | str | None) -> bool:
    """Whether a series is the one of a number, a UID, a node's name or a glob of descriptions."""
    if series is None:
        return True
    identity = one.entry.identity
    text = identity["SeriesNumber"]
    if isinstance(series, (int, np.integer)):
        return number(text) == series
    return series in (one.uid, text, one.name, one.base) or fnmatch.fnmatchcase(
        identity["SeriesDescription"], series
    )


def listing(lines: Sequence[str]) -> str:
    """Lines of a list, the first of them if there are many."""
    more = len(lines) - MOST_LISTED
    return "\n".join([*lines[:MOST_LISTED], *([f"  … {more} more"] if more > 0 else [])])


def how_to_pick(entry: SeriesEntry) -> str:
    """The option that picks a series."""
    text = entry.identity["SeriesNumber"]
    uid = entry.identity["SeriesInstanceUID"]
    return f"series={int(text)}" if text.isdigit() else f'series="{uid}"'


def _key(entry: SeriesEntry) -> tuple[Any, ...]:
    identity = entry.identity
    value = number(identity["SeriesNumber"])
    return (
        identity["PatientID"],
        identity["StudyDate"],
        identity["StudyInstanceUID"],
        np.inf if np.isnan(value) else value,
        identity["SeriesTime"],
        identity["SeriesInstanceUID"] or "unknown",
    )


def _names(entry: SeriesEntry) -> tuple[str, str, str]:
    identity = entry.identity
    patient = slug(identity["PatientID"]) or "no-patient-id"
    study = slug(f"{identity['StudyDate']} {identity['StudyDescription']}") or "study"
    described = slug(identity["SeriesDescription"])
    name = "-".join(part for part in (identity["SeriesNumber"], described) if part)
    return patient, study, name or slug(identity["Modality"]) or "series"


def _uids(entry: SeriesEntry) -> tuple[str, str, str]:
    identity = entry.identity
    uid = identity["SeriesInstanceUID"] or "unknown"
    return identity["PatientID"], identity["StudyInstanceUID"], uid


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def _unique(
    names: list[tuple[str, str, str]], uids: list[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    for level in range(3):
        owners: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for name, uid in zip(names, uids, strict=True):
            owners.setdefault(name[: level + 1], set()).add(uid[: level + 1])
        renamed = []
        for name, uid in zip(names, uids, strict=True):
            parts = list(name)
            if len(owners[name[: level + 1]]) > 1:
                parts[level] = f"{parts[level]}-{_hash(uid[level])}"
            renamed.append((parts[0], parts[1], parts[2]))
        names = renamed
    return names
