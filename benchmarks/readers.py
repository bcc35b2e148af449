"""The same forty values of every header under a folder: by xdicom, and by each of its peers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import dicomsdl
import gdcm
import pandas as pd
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.tag import Tag

import xdicom
from xdicom.headers.values import as_numbers

KEYWORDS: Final = """
    SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyDate SeriesDate AcquisitionDate
    StudyTime SeriesTime AcquisitionTime ContentTime Modality Manufacturer SeriesDescription
    PatientID SliceThickness RepetitionTime EchoTime KVP FlipAngle ProtocolName PatientPosition
    StudyInstanceUID SeriesInstanceUID SeriesNumber AcquisitionNumber InstanceNumber
    ImagePositionPatient ImageOrientationPatient FrameOfReferenceUID SliceLocation
    PhotometricInterpretation Rows Columns PixelSpacing BitsStored PixelRepresentation RescaleSlope
    WindowCenter WindowWidth""".split()
"""What identifies an image, places it, tells its pixels and its contrast."""

_VECTORS: Final = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
_TAGS: Final = [Tag(tag_for_keyword(keyword) or 0) for keyword in KEYWORDS]
_GDCM_TAGS: Final = [gdcm.Tag(tag.group, tag.element) for tag in _TAGS]
_BEFORE_PIXELS: Final = 0x7FDFFFFF

Values = list[list[Any]]


def by_xdicom(folder: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    """The catalog, its series listed, and each attribute of its instances as an array."""
    catalog = xdicom.scan(folder, progress=False, **options)
    values: dict[str, Any] = {"series": catalog.series}
    instances = catalog.instances
    for keyword in KEYWORDS:
        if keyword in _VECTORS and keyword in instances:  # a catalog gives them as text
            codes, texts = pd.factorize(instances[keyword])
            values[keyword] = as_numbers(list(texts), "DS", _VECTORS[keyword])[codes]
        elif keyword in instances:
            values[keyword] = instances[keyword].to_numpy()
    return catalog, values


def catalog_alone(folder: str) -> Any:
    """The catalog, and nothing asked of it."""
    return xdicom.scan(folder, progress=False)


def by_pydicom(folder: str, share: int = 1, threads: int = 1) -> Values:
    """The first files of each folder, the whole of them divided by ``share``, one by one."""
    paths = files_under(folder, share)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if threads == 1:
            return [_pydicom_values(path) for path in paths]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(_pydicom_values, paths))


def by_dicomsdl(folder: str, threads: int = 1) -> Values:
    """Each file opened up to its pixels, its values asked for at once (the fastest form)."""
    paths = files_under(folder)
    if threads == 1:
        return [_dicomsdl_values(path) for path in paths]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(_dicomsdl_values, paths))


def by_gdcm(folder: str) -> Values:
    """GDCM's Scanner over all files; it gives texts, which are not converted."""
    paths = files_under(folder)
    scanner = gdcm.Scanner()
    for tag in _GDCM_TAGS:
        scanner.AddTag(tag)
    if not scanner.Scan(paths):
        raise RuntimeError(f"GDCM cannot scan {folder}")
    return [[scanner.GetValue(path, tag) for tag in _GDCM_TAGS] for path in paths]


def files_under(folder: str, share: int = 1) -> list[str]:
    """Paths of the files, or of the first part of those of each folder."""
    found: list[str] = []
    for place, _, names in os.walk(folder):
        paths = sorted(os.path.join(place, name) for name in names)
        found += paths[: -(-len(paths) // share)]
    return found


def _pydicom_values(path: str) -> list[Any]:
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        return [ds.get(keyword) for keyword in KEYWORDS]
    except Exception:  # noqa: BLE001  pydicom raises anything for files that are wrong
        return []


def _dicomsdl_values(path: str) -> list[Any]:
    return dicomsdl.open(path, _BEFORE_PIXELS).getValues(KEYWORDS)


def disagreements(ours: dict[str, Any], peers: Sequence[Values]) -> list[str]:
    """Numbers on which the contestants differ, so that no ratio is of unequal work."""
    wrong = []
    for keyword in ("InstanceNumber", "SliceLocation", "Rows"):
        place = KEYWORDS.index(keyword)
        expected = sorted(map(float, ours[keyword]))
        for number, values in enumerate(peers):
            found = sorted(float(row[place]) for row in values)
            share = len(expected) // len(found)
            if len(found) * share != len(expected) or (share == 1 and found != expected):
                wrong.append(f"{keyword} of peer {number}")
    return wrong
