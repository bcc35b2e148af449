"""A selection of frames becomes a plan: all that is decided before the first byte is written."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import ConformanceError
from xdicom.headers.table import FrameTable
from xdicom.pixels.scaling import scaling_of
from xdicom.pixels.spans import PixelLayout, layouts_of
from xdicom.selecting.provenance import Source
from xdicom.writing.classes import SopClass, class_of, functional_groups
from xdicom.writing.identity import Series, new_series
from xdicom.writing.planes import Planes, plan_planes
from xdicom.writing.quantise import IDENTITY, Layout
from xdicom.writing.selection import Selection, select_frames
from xdicom.writing.uids import instance_uid

Floats = npt.NDArray[np.float64]

_RGB: Final = frozenset(("RGB", "YBR_RCT", "YBR_ICT"))
_YBR: Final = frozenset(("YBR_FULL", "YBR_FULL_422"))


@dataclass(frozen=True)
class Encoding:
    """One way to store the values; a plan holds those that may serve, the best first."""

    keeps_rescale: bool
    """Whether each file keeps its source's rescale; else slope 1 and intercept 0."""
    layout: Layout | None = None
    """The integers of all files; None: of each file those of its source."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A series to be written."""

    selection: Selection
    """The frames, in the order of their InstanceNumber."""
    planes: Planes
    """Where they lie."""
    series: Series
    """What their files say alike."""
    sources: tuple[PixelLayout, ...]
    """Pixel layout of the source of each frame."""
    slope: Floats
    """Of each frame, from stored values to the array's; shape (frames,)."""
    intercept: Floats
    """Of each frame."""
    photometric: str
    """PhotometricInterpretation of the new files, ``""`` for that of the source."""
    encodings: tuple[Encoding, ...]
    """Ways to store the values, the best first."""
    roots: tuple[str, ...]
    """Folders that hold source files."""
    units: str
    """Units of the values, ``""`` where unknown."""

    def __len__(self) -> int:
        return self.selection.rows.size

    def uid(self, index: int) -> str:
        """SOPInstanceUID of a frame."""
        return instance_uid(self.series.root, index)

    def layout(self, index: int, encoding: Encoding) -> Layout:
        """The integers of a frame's file."""
        if encoding.layout is not None:
            return encoding.layout
        source = self.sources[index]
        return Layout(source.bits_allocated, source.bits_stored, source.signed)

    def rescale(self, index: int, encoding: Encoding) -> tuple[float, float]:
        """Slope and intercept between a frame's values and its file's integers."""
        if not encoding.keeps_rescale:
            return IDENTITY
        return float(self.slope[index]), float(self.intercept[index])


def make_plan(
    obj: xr.DataArray | xr.Dataset,
    *,
    series_number: int | None = None,
    series_description: str | None = None,
    derivation: str | None = None,
    source: Source | None = None,
) -> Plan:
    """Decide everything that can be without computing the values.

    Parameters
    ----------
    obj, series_number, series_description, derivation, source
        Of `xdicom.writing.files.to_dicom`.

    Returns
    -------
    Plan
        Headers are known by the table's columns; no file was opened but to find the table.

    Raises
    ------
    ConformanceError, HeadersUnavailableError
        By `select_frames` and `plan_planes`; and for what the source's SOP class cannot hold.
    """
    if "slide_space" in obj.coords:
        raise ConformanceError(
            "a total pixel matrix, put together of tiles, cannot be written yet",
            expected="single-frame images",
            found=f"the coordinate slide_space, {dict(obj.sizes)}",
            remedy="da.to_zarr keeps it; highdicom makes Secondary Captures and slides of arrays",
        )
    selection = select_frames(obj, source)
    table, rows = selection.table, selection.flat
    sop_class = class_of(table.strings("SOPClassUID")[rows[0]])
    many = np.flatnonzero(np.nan_to_num(table.numbers("NumberOfFrames")[rows], nan=1.0) > 1)
    if many.size:
        raise functional_groups(f"{int(table.numbers('NumberOfFrames')[rows[many[0]]])} frames")
    part = table.take(rows)
    codes, layouts = layouts_of(part)
    sources = tuple(layouts[code] for code in codes)
    planes = plan_planes(selection)
    if (planes.layout or part.tile.any()) and not sop_class.plane:
        raise ConformanceError(
            "crops, flips, strides and slices of mosaics cannot be written for this SOP class",
            found=table.strings("SOPClassUID")[rows[0]],
            remedy="Write whole planes",
        )
    slope, intercept = _rescale(selection, part, layouts)
    photometric = _photometric(selection, layouts)
    changes = (slope != 1).any() or (intercept != 0).any()
    return Plan(
        selection=selection,
        planes=planes,
        series=new_series(selection, series_number, series_description, derivation),
        sources=sources,
        slope=slope,
        intercept=intercept,
        photometric=photometric,
        encodings=_encodings(sop_class, part, layouts, bool(changes)),
        roots=_roots(selection),
        units=str(selection.array.attrs.get("units", "")),
    )


def _rescale(
    selection: Selection, part: FrameTable, layouts: tuple[PixelLayout, ...]
) -> tuple[Floats, Floats]:
    """Slope and intercept of each frame: 1 and 0 where the values are the stored ones."""
    count = len(part)
    ones, zeros = np.ones(count), np.zeros(count)
    kind = selection.array.attrs.get("dicom_scaling")
    if kind == "stored":
        return ones, zeros
    if kind not in ("applied", None):
        raise ConformanceError(
            f"values of scaling={kind!r} cannot be written yet",
            remedy='Open with scaling="modality" or "stored"',
        )
    scaling = scaling_of(part, layouts, "modality")
    if scaling.lookup is not None and kind == "applied":
        raise ConformanceError(
            "values that a Modality LUT gave cannot be written yet",
            remedy='Open with scaling="stored"',
        )
    if scaling.slope is None or scaling.intercept is None:
        return ones, zeros
    if kind is None:
        raise ConformanceError(
            "it is unknown whether the values are stored ones or those of the modality: "
            "attrs['dicom_scaling'] is gone",
            remedy='Set it: da.attrs["dicom_scaling"] = "applied" (modality) or "stored"',
        )
    return scaling.slope, scaling.intercept


def _photometric(selection: Selection, layouts: Sequence[PixelLayout]) -> str:
    """PhotometricInterpretation where decoding changed it, after checking that the dims fit."""
    array = selection.array
    for layout in layouts:
        if layout.keyword != "PixelData":
            raise ConformanceError(
                "floats of a Parametric Map cannot be written yet", found=layout.keyword
            )
        if (layout.samples > 1) != ("sample" in array.dims) or (
            layout.samples > 1 and array.sizes["sample"] != layout.samples
        ):
            raise ConformanceError(
                "the array and its source differ in colour samples",
                expected=f"{layout.samples} of each pixel",
                found=f"dims {dict(array.sizes)}",
                remedy="Keep the dim sample whole",
            )
    kinds = {x.photometric for x in layouts if x.samples > 1}
    if not kinds:
        return ""
    labels = array.coords["sample"].values if "sample" in array.coords else ()
    if [str(v) for v in labels] == ["R", "G", "B"] and kinds <= _RGB | _YBR:
        return "RGB"
    if kinds <= _RGB:
        return "RGB"
    if kinds <= _YBR and len(labels) == 3:
        return "YBR_FULL"
    raise ConformanceError(
        "images of this colour model cannot be written",
        expected="RGB or YBR_FULL",
        found=", ".join(sorted(kinds)),
    )


def _encodings(
    sop_class: SopClass, part: FrameTable, layouts: Sequence[PixelLayout], rescaled: bool
) -> tuple[Encoding, ...]:
    """Ways to store the values: as the source does, else in 16 bits, else without its rescale."""
    first = Encoding(keeps_rescale=True)
    fixed = any(x.samples > 1 or x.photometric == "PALETTE COLOR" for x in layouts) or bool(
        (part.column("xdicom_modality_lut").codes >= 0).any()
    )
    wide = max(x.bits_allocated for x in layouts) > 16
    if fixed or wide or not sop_class.bits:
        return (first,)
    signed = sorted({False, *([True] if sop_class.signed else [])})
    if any(x.signed for x in layouts):
        signed.reverse()
    layouts_16 = [Layout(16, 16, s) for s in signed]
    own = {Layout(x.bits_allocated, x.bits_stored, x.signed) for x in layouts}
    kept = [Encoding(True, layout) for layout in layouts_16 if own != {layout}]
    plain = [Encoding(False, layout) for layout in layouts_16] if rescaled else []
    return (first, *kept, *plain)


def _roots(selection: Selection) -> tuple[str, ...]:
    """Folders of source files: those of the table, and those that the array names."""
    table = selection.table
    found = [table.root]
    if table.kind != "folder":
        found = [os.path.dirname(os.path.join(table.root, p)) for p in table.files.paths]
    try:
        entries: Any = json.loads(selection.array.attrs.get("dicom_source", "[]"))
        for entry in entries:
            root, names = entry["root"], entry.get("files")
            inner = [os.path.dirname(os.path.join(root, n)) for n in names] if names else [root]
            found.extend(inner)
    except (ValueError, KeyError, TypeError):
        pass  # the headers were found by source=, which the table's root tells
    return tuple(dict.fromkeys(found))
