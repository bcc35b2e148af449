"""A collection becomes a copy with other file names, UIDs, texts and dates."""

from __future__ import annotations

import datetime
import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom

from peers.collections import files_of, pixel_truth, root

TEXTS = tuple(
    """PatientName PatientID PatientComments StudyDescription SeriesDescription ProtocolName StudyID
    AccessionNumber InstitutionName StationName ImageComments""".split()
)
"""What people and sites write as they like: no rule may read it."""

STANDARD = "1.2.840.10008."
"""UIDs that the standard gives: SOP classes, transfer syntaxes. They say what a file is."""


class Disguise:
    """Replaces UIDs, texts and dates, the same by the same over all files."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.shift = datetime.timedelta(days=int(self.rng.integers(-3000, 3000)))
        self._known: dict[str, str] = {}

    def uid(self, text: str) -> str:
        """Another UID for a UID; the standard's own stay."""
        if not text or text.startswith(STANDARD):
            return text
        return self._known.setdefault(text, f"2.25.{int(self.rng.integers(2**62))}")

    def text(self, text: str) -> str:
        """Another text for a text."""
        letters = self.rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 8)
        return self._known.setdefault(f"text {text}", "".join(letters)) if text else text

    def date(self, text: str) -> str:
        """A date, or the date that a moment begins with, moved by the shift; others as they are."""
        try:
            day = datetime.datetime.strptime(text[:8], "%Y%m%d").date()
        except ValueError:
            return text
        return (day + self.shift).strftime("%Y%m%d") + text[8:]

    def apply(self, dataset: pydicom.Dataset) -> None:
        """Change a data set and all sequences in it in place."""
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    self.apply(item)
            elif element.VR == "UI" and element.value:
                element.value = _each(element.value, self.uid)
            elif element.VR in ("DA", "DT") and element.value:
                element.value = _each(element.value, self.date)
            elif element.keyword in TEXTS:
                element.value = self.text(str(element.value))


def _each(value, function):
    if isinstance(value, (list, pydicom.multival.MultiValue)):
        return [function(str(v)) for v in value]
    return function(str(value))


def shuffled(collection: str, target: Path, seed: int) -> None:
    """Copy the files under random names, into random folders, in random order."""
    rng = np.random.default_rng(seed)
    for path in rng.permutation(files_of(collection)):
        shutil.copyfile(_absolute(str(path)), _place(target, rng))


def disguised(collection: str, target: Path, seed: int) -> Disguise:
    """Copy the files as `shuffled` does, rewritten by a Disguise, which is given back."""
    disguise = Disguise(seed)
    for path in disguise.rng.permutation(files_of(collection)):
        place = _place(target, disguise.rng)
        if pixel_truth(str(path), "rgb") is None:
            shutil.copyfile(_absolute(str(path)), place)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(_absolute(str(path)))
            disguise.apply(dataset)
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(place)
    return disguise


def _absolute(path: str) -> Path:
    base = root()
    assert base is not None
    return base / path


def _place(target: Path, rng: np.random.Generator) -> Path:
    folder = target / f"{int(rng.integers(3))}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{int(rng.integers(2**62)):x}"
