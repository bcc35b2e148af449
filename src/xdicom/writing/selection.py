"""An xarray object becomes frames in canonical order, each with its row in the table of headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import ConformanceError
from xdicom.headers.store import attribute_column
from xdicom.headers.table import FrameTable
from xdicom.selecting.provenance import Provenance, Source, locate, pixels_of, tables_of
from xdicom.series.attributes import gather
from xdicom.series.axes import dim_rank

IntArray = npt.NDArray[np.int64]

PLANE_DIMS: Final = ("y", "x", "sample")
_COLOURS: Final = ("R", "G", "B")

# Tolerances of labels, which stand for all values within them (SPEC §2.1)
_TOLERANCES: Final = {"DiffusionBValue": 1.0, "SliceLocation": 0.01}
_RELATIVE: Final = 1e-5
_DIRECTION: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Selection:
    """Frames to be written, in the order of their InstanceNumber."""

    array: xr.DataArray
    """Dims (frame dims in canonical order…, y, x[, sample]); not computed."""
    dims: tuple[str, ...]
    """The frame dims."""
    table: FrameTable
    """Headers of the frames."""
    rows: IntArray
    """Row of the table of each frame, shape of the frame dims."""

    @property
    def flat(self) -> IntArray:
        """Row of each frame, shape (frames,)."""
        return self.rows.reshape(-1)

    def along(self, values: xr.DataArray) -> npt.NDArray[Any]:
        """A coordinate over some frame dims, repeated over the others: shape (frames,)."""
        lacking = {d: self.array.sizes[d] for d in self.dims if d not in values.dims}
        variable = values.variable.set_dims({**lacking, **values.sizes})  # type: ignore[no-untyped-call]
        whole = variable.transpose(*self.dims)
        return np.asarray(whole.values).reshape(-1)


def select_frames(obj: xr.DataArray | xr.Dataset, source: Source | None = None) -> Selection:
    """Find the header of each frame and put the frames in order.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such; of a Dataset, its variable ``pixels``.
    source : path, FrameTable or array, optional
        Where the headers are; by default ``attrs["dicom_source"]`` says it.

    Returns
    -------
    Selection
        Nothing is computed.

    Raises
    ------
    ConformanceError
        If the array is empty, has holes, has lost y or x, has dims or coordinates that no header
        knows, holds a frame twice, or is no longer one of single frames.
    HeadersUnavailableError
        If nothing leads to the headers.
    """
    array = pixels_of(obj)
    if array.size == 0:
        raise ConformanceError(
            "the selection is empty: there is nothing to write", found=f"sizes {dict(array.sizes)}"
        )
    array = _with_plane(array)
    provenance = _provenance(array, source)
    frame_dims = [str(d) for d in array.dims if d not in PLANE_DIMS]
    unknown = [d for d in frame_dims if d not in provenance.dims]
    if unknown:
        raise ConformanceError(
            f"no DICOM attribute tells the frames along {unknown[0]!r} apart",
            found=f"dims {tuple(array.dims)}, frame_id over {provenance.dims}",
            remedy=f"Write one label of it at a time, as in da.isel({unknown[0]}=0)",
        )
    dims = tuple(sorted(frame_dims, key=lambda d: (dim_rank(d), frame_dims.index(d))))
    array = array.transpose(*dims, *(d for d in PLANE_DIMS if d in array.dims))
    rows = np.asarray(provenance.rows).transpose([provenance.dims.index(d) for d in dims])
    selection = Selection(array, dims, provenance.table, rows)
    _check_frames(selection)
    _check_series(selection)
    _check_coordinates(selection)
    return selection


def _provenance(array: xr.DataArray, source: Source | None) -> Provenance:
    """The frames of an array, where it still is one of frames."""
    tables = tables_of(array, source)
    ids = array.coords.get("frame_id")
    known = ids is not None and any((t.rows_of(np.asarray(ids.values)) >= 0).any() for t in tables)
    if known or (ids is not None and source is not None):
        return locate(array, source)
    how = "gone" if ids is None else "that of no frame: it was averaged or interpolated"
    raise ConformanceError(
        f"the array is no longer one of frames: its coordinate frame_id is {how}",
        remedy="This version writes selections of frames; results that merge frames, as a mean "
        "does, come with a later one",
    )


def _with_plane(array: xr.DataArray) -> xr.DataArray:
    """Give y and x their dims back where one position was taken, and colours their order."""
    for dim in ("y", "x"):
        if dim in array.dims:
            continue
        if dim not in array.coords or array.coords[dim].ndim:
            raise ConformanceError(
                f"the array has no dim {dim!r}: frames have rows and columns",
                found=f"dims {tuple(array.dims)}",
            )
        array = array.expand_dims(dim, axis=-1)
    if "sample" in array.dims and "sample" in array.coords:
        labels = [str(v) for v in array.coords["sample"].values]
        if sorted(labels) == sorted(_COLOURS) and tuple(labels) != _COLOURS:
            array = array.isel(sample=[labels.index(c) for c in _COLOURS])
    return array


def _check_frames(selection: Selection) -> None:
    flat = selection.flat
    holes = int((flat < 0).sum())
    if holes:
        raise ConformanceError(
            f"{holes} of {flat.size} cells of the grid hold no frame",
            remedy="Write a selection without holes; ragged='complete' opens one",
        )
    distinct, counts = np.unique(flat, return_counts=True)
    if len(distinct) < flat.size:
        moved = [
            d
            for axis, d in enumerate(selection.dims)
            if any(len(np.unique(v)) < len(v) for v in np.moveaxis(selection.rows, axis, -1)
                   .reshape(-1, selection.rows.shape[axis]))
        ]  # fmt: skip
        raise ConformanceError(
            f"{int((counts > 1).sum())} frames stand in the array several times, and nothing would "
            "tell their files apart",
            found=f"repeats along {', '.join(moved) or 'several dims'}",
            remedy="Select each frame once, and write each variant as a series of its own",
        )


def _check_series(selection: Selection) -> None:
    """One series of one study, all its identifiers there (SPEC §7: writing refuses otherwise)."""
    table, flat = selection.table, selection.flat
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        column = table.column(keyword)
        missing = np.flatnonzero(column.codes[flat] < 0)
        if missing.size:
            raise ConformanceError(
                f"{keyword} is missing: what a derived image comes from must have a name",
                file=table.path(int(flat[missing[0]])),
                remedy=f"Give the source files a {keyword}",
            )
        distinct = np.unique(column.codes[flat])
        if keyword != "SOPInstanceUID" and len(distinct) > 1:
            raise ConformanceError(
                f"the frames have {len(distinct)} different {keyword}",
                found=", ".join(column.texts[c] for c in distinct[:3]),
                remedy="Write the frames of each as a series of its own",
            )


def _check_coordinates(selection: Selection) -> None:
    """Refuse coordinates that were edited: their headers would say something else."""
    array = selection.array
    edits = array.attrs.get("dicom_edits")
    if edits:
        raise ConformanceError(
            "edited attributes cannot be written yet",
            found=f"attrs['dicom_edits'] = {edits!r}",
            remedy="A later version of xdicom writes them",
        )
    part: FrameTable | None = None
    for name, coordinate in array.coords.items():
        keyword = str(name)
        if not keyword[:1].isupper() or set(PLANE_DIMS) & set(map(str, coordinate.dims)):
            continue
        column = selection.table.columns.get(keyword)
        if column is not None:
            codes = column.codes[selection.flat]
        else:
            part = selection.table.take(selection.flat) if part is None else part
            try:
                column = attribute_column(part, keyword)
            except KeyError:
                continue  # no DICOM keyword: the user's own coordinate
            codes = column.codes
        if not column.texts and _is_missing(coordinate):
            continue
        expected = gather(column, codes) if column.texts else np.full(len(codes), np.nan)
        if not _agree(selection, coordinate, expected, keyword):
            raise ConformanceError(
                f"the coordinate {keyword} differs from the headers: edited attributes cannot be "
                "written yet",
                remedy=f"Drop it (da.drop_vars({keyword!r})), and the files keep the source's",
            )


def _is_missing(coordinate: xr.DataArray) -> bool:
    values = np.asarray(coordinate.values)
    return bool((values == "").all() if values.dtype.kind in "UO" else np.all(values != values))


def _agree(
    selection: Selection, coordinate: xr.DataArray, expected: npt.NDArray[Any], keyword: str
) -> bool:
    """Whether a coordinate says of each frame what its header does."""
    inner = [d for d in coordinate.dims if d not in selection.dims]
    if len(inner) != expected.ndim - 1:
        return False
    if inner:
        count = coordinate.sizes[inner[0]]
        if count != expected.shape[1]:
            return False
        parts = [selection.along(coordinate.isel({inner[0]: i})) for i in range(count)]
        own: npt.NDArray[Any] = np.stack(parts, axis=1)
    else:
        own = selection.along(coordinate)
    if own.dtype.kind in "iufb" and expected.dtype.kind in "iuf":
        wide, known = own.astype(np.float64), expected.astype(np.float64)
        slack = _TOLERANCES.get(keyword, _DIRECTION if inner else 0.0)
        return bool(np.isclose(wide, known, _RELATIVE, slack, equal_nan=True).all())
    if own.dtype.kind in "mM" and own.dtype.kind == expected.dtype.kind:
        return bool(((own == expected) | (np.isnat(own) & np.isnat(expected))).all())
    return bool((own.astype(np.str_) == expected.astype(np.str_)).all())
