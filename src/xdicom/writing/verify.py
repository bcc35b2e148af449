"""A written file is read again by pydicom and held against the plan (SPEC §6.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from xdicom.errors import ConformanceError
from xdicom.writing.output import Output

Array = npt.NDArray[Any]

_POSITION: Final = 1e-4
"""mm."""


def verify_file(path: Path, output: Output, stored: Array) -> None:
    """Read a file and compare pixels, rescale, UIDs, references and geometry.

    Parameters
    ----------
    path : Path
        The file.
    output : Output
        What it was made from.
    stored : array, shape (rows, columns[, samples])
        Its integers, from which slope and intercept of the plan gave the array's values exactly.

    Raises
    ------
    ConformanceError
        If anything differs: a fault of xdicom or of the disk; nothing is put in its place.
    """
    ds = pydicom.dcmread(path)
    expected: dict[str, Any] = {
        "SOPInstanceUID": output.plan.uid(output.index),
        "SeriesInstanceUID": output.plan.series.uid,
        "StudyInstanceUID": output.texts("StudyInstanceUID")[0],
        "InstanceNumber": output.index + 1,
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": output.layout.allocated,
        "PixelRepresentation": int(output.layout.signed),
    }
    for keyword, value in expected.items():
        _same(path, keyword, value, ds.get(keyword))
    meta = ds.file_meta
    _same(path, "TransferSyntaxUID", ExplicitVRLittleEndian, meta.TransferSyntaxUID)
    _same(path, "MediaStorageSOPInstanceUID", ds.SOPInstanceUID, meta.MediaStorageSOPInstanceUID)
    _same(path, "MediaStorageSOPClassUID", ds.SOPClassUID, meta.MediaStorageSOPClassUID)
    referred = [i.ReferencedSOPInstanceUID for i in ds.SourceImageSequence]
    _same(path, "SourceImageSequence", [_source_uid(output)], referred)
    if output.plan.selection.array.attrs.get("dicom_scaling") != "stored":
        slope, intercept = output.plan.rescale(output.index, output.encoding)
        keyword = "DoseGridScaling" if "DoseGridScaling" in ds else "RescaleSlope"
        _same(path, keyword, slope, float(ds.get(keyword) or 1))
        _same(path, "RescaleIntercept", intercept, float(ds.get("RescaleIntercept") or 0))
    _same(path, "pixels", True, _pixels_equal(ds, stored, output.layout.allocated))
    _check_geometry(path, ds, output)


def _source_uid(output: Output) -> str:
    """SOPInstanceUID of the frame's source by the table, not by the header that was copied."""
    column = output.plan.selection.table.column("SOPInstanceUID")
    return str(column.texts[column.codes[output.row]])


def _pixels_equal(ds: Dataset, stored: Array, allocated: int) -> bool:
    found = np.frombuffer(ds.PixelData, np.uint8 if allocated == 1 else stored.dtype)
    if allocated == 1:
        found = np.unpackbits(found, bitorder="little")
    return bool(np.array_equal(found[: stored.size], stored.reshape(-1)))


def _check_geometry(path: Path, ds: Dataset, output: Output) -> None:
    """First and last pixel lie where the plan says, within 1e-4 mm."""
    planes = output.plan.planes
    position, cosines = planes.position[output.index], planes.orientation[output.index]
    if not (np.isfinite(position).all() and np.isfinite(cosines).all()):
        return
    found = np.array(ds.ImageOrientationPatient, dtype=np.float64)
    spacing = np.array(ds.get("PixelSpacing", [0, 0]), dtype=np.float64)
    old = output.numbers("PixelSpacing") or [0.0, 0.0]
    planned = np.array(old) * [abs(planes.y.step), abs(planes.x.step)]
    for corner in ((0, 0), (planes.y.count - 1, planes.x.count - 1)):
        here = np.array(ds.ImagePositionPatient, dtype=np.float64) + (
            corner[1] * spacing[1] * found[:3] + corner[0] * spacing[0] * found[3:]
        )
        there = position + corner[1] * planned[1] * cosines[:3] + corner[0] * planned[0] * (
            cosines[3:]
        )  # fmt: skip
        away = float(np.abs(here - there).max())
        if away > _POSITION:
            _same(path, "position of a pixel", f"within {_POSITION:g} mm", f"off by {away:g} mm")


def _same(path: Path, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise ConformanceError(
            f"the file that was written differs from the plan in {what}; nothing was kept",
            file=path.name,
            expected=expected,
            found=found,
        )
