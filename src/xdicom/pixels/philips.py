"""Philips' private scale slopes become the scale slope of each frame."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement

from xdicom.errors import MissingAttributeError
from xdicom.headers.store import headers_of, private_of
from xdicom.headers.table import FrameTable

Floats = npt.NDArray[np.float64]

CREATOR: Final = "Philips MR Imaging DD 001"
_SCALE_SLOPE: Final = 0x2005000E


def private_number(element: DataElement | None) -> float:
    """The number of a private element, also of one whose VR the file does not tell; NaN if none.

    Examples
    --------
    >>> private_number(DataElement(0x2005100E, "UN", bytes([0, 0, 0, 0x3F])))
    0.5
    """
    if element is None:
        return float("nan")
    value = element.value
    if isinstance(value, bytes) and len(value) == 4:
        return float(struct.unpack("<f", value)[0])
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def scale_slopes(table: FrameTable) -> Floats:
    """The scale slope SS, (2005,xx0E), of each frame (Chenevert et al. 2014).

    Floating-point values are (SV·RS + RI) / (RS·SS), comparable between images, where those of the
    modality are stretched anew for each (doi:10.1593/tlo.13844). In enhanced objects SS stands in
    the private sequence (2005,xx0F) of each frame.

    Parameters
    ----------
    table : FrameTable
        The frames.

    Returns
    -------
    numpy.ndarray of float64, shape (frames,)

    Raises
    ------
    MissingAttributeError
        If a frame has none, or 0: other vendors, and files without private elements.
    """
    found = np.full(len(table), np.nan)
    for header, rows in headers_of(table):
        for row in rows.tolist():
            number = int(table.frame_number[row])
            found[row] = private_number(private_of(header, number, _SCALE_SLOPE, CREATOR))
    bad = np.flatnonzero(~np.isfinite(found) | (found == 0))
    if bad.size:
        row = int(bad[0])
        raise MissingAttributeError(
            'scaling="philips_fp" needs the scale slope (2005,xx0E) of Philips MR',
            file=table.path(row),
            frame=int(table.frame_number[row]),
            expected=f"a number other than 0, by private creator {CREATOR!r}",
            found="none" if np.isnan(found[row]) else f"{found[row]:g}",
            remedy='scaling="modality" needs none',
        )
    return found
