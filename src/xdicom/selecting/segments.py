"""The array of a segmentation becomes a table of its segments, with the colours to show them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from xdicom.errors import HeadersUnavailableError, MissingAttributeError
from xdicom.headers.segments import SEGMENTS, Segment, segments_from
from xdicom.selecting.provenance import Source, locate
from xdicom.series.segments import DIM

_COLUMNS: Final = (
    "number", "label", "description", "category", "type", "modifier", "region", "algorithm",
    "algorithm_name", "tracking_id", "tracking_uid", "color",
)  # fmt: skip
_TO_XYZ: Final = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""Linear sRGB to XYZ (IEC 61966-2-1)."""
# PS3.3 C.10.7.1.1 means the white of ICC profiles, D50. Whatever writes segmentations (DCMTK,
# dcmqi, dcmjs, dcm4che, highdicom) takes that of sRGB, D65, and only so its colours come back.
_WHITE: Final = _TO_XYZ.sum(axis=1)
_TO_LINEAR: Final = np.linalg.inv(_TO_XYZ)


def segments(obj: xr.DataArray | xr.Dataset, *, source: Source | None = None) -> pd.DataFrame:
    """The segments of a segmentation, label maps too (PS3.3 C.8.20.2).

    Parameters
    ----------
    obj : DataArray or Dataset
        A segmentation, or a part of one.
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    pandas.DataFrame
        A row for each segment along ``SegmentNumber``; of arrays without that dim all that are
        declared. Columns number, label, description, category, type, modifier, region, algorithm,
        algorithm_name, tracking_id, tracking_uid and color (``#rrggbb``, from the recommended
        CIELab value); ``""`` where the file does not say.

    Raises
    ------
    MissingAttributeError
        If the array is no segmentation, or declares no segments.
    HeadersUnavailableError
        If nothing tells which of several segmentations the array is of.

    Examples
    --------
    >>> import tempfile, numpy, xdicom
    >>> from xdicom.testing import write_segmentation
    >>> masks = {1: numpy.ones((3, 8, 8), bool), 2: numpy.zeros((3, 8, 8), bool)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_segmentation(f"{folder}/seg.dcm", masks)
    ...     xdicom.open_series(path).dicom.segments[["number", "label"]].values.tolist()
    [[1, 'segment 1'], [2, 'segment 2']]
    """
    provenance = locate(obj, source)
    column = provenance.table.column(SEGMENTS)
    own = np.unique(column.codes[provenance.frames]) if provenance.frames.size else np.array([-1])
    if not column.texts or (provenance.frames.size and own[0] < 0):
        raise MissingAttributeError(
            "the array has no segments",
            file=provenance.table.root,
            expected="a segmentation with SegmentSequence",
            found=", ".join(provenance.table.column("Modality").texts) or None,
        )
    if own[0] < 0:  # empty frames only, which no file holds
        own = np.arange(len(column.texts))
    if len(own) > 1:
        raise HeadersUnavailableError(
            "nothing tells which segmentation of its series the array is of",
            expected="a frame of one",
            found=f"{len(own)} segmentations",
            remedy="Ask the array for its segments before selecting from it",
        )
    found: Sequence[Segment] = segments_from(column.texts[int(own[0])])
    if DIM in obj.coords:
        wanted = set(np.atleast_1d(obj.coords[DIM].values).tolist())
        found = [segment for segment in found if segment.number in wanted]
    rows = [[_value(segment, name) for name in _COLUMNS] for segment in found]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _value(segment: Segment, name: str) -> Any:
    if name != "color":
        return asdict(segment)[name]
    return hex_color(segment.cielab) if segment.cielab else ""


def hex_color(cielab: Sequence[int]) -> str:
    """A CIELab value of three 16-bit numbers (PS3.3 C.10.7.1.1) as an sRGB colour.

    Parameters
    ----------
    cielab : sequence of three int
        L* from 0 to 100, a* and b* from -128 to 127, each over 0 to 65535.

    Returns
    -------
    str
        ``#rrggbb``; what sRGB cannot show is clipped.

    Examples
    --------
    >>> hex_color((65535, 32896, 32896)), hex_color((0, 32896, 32896))
    ('#ffffff', '#000000')
    """
    light = cielab[0] / 65535 * 100
    a, b = (value / 65535 * 255 - 128 for value in cielab[1:])
    middle = (light + 16) / 116
    f = np.array([middle + a / 500, middle, middle - b / 200])
    linear = _TO_LINEAR @ (np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE)
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(float(value) * 255):02x}" for value in srgb)
