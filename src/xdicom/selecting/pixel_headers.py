"""An array's frames become what their headers say of its pixels: padding, SUV factors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.core import indexing

from xdicom.errors import GeometryError, HeadersUnavailableError
from xdicom.headers.table import FrameTable
from xdicom.pixels.array import FrameArray
from xdicom.pixels.overlays import OverlayArray
from xdicom.pixels.scaling import padding_mask_of
from xdicom.pixels.spans import frames_of
from xdicom.pixels.suv import KINDS, suv_factors
from xdicom.selecting.provenance import Provenance, Source, locate, pixels_of
from xdicom.series.regions import region_coordinates

IntArray = npt.NDArray[np.int64]

_OFF_GRID: Final = 0.01
"""Pixels: coordinates further than this from a pixel's centre are of a resampled array."""


def suv_factor(
    obj: xr.DataArray | xr.Dataset, kind: str = "bw", *, source: Source | None = None
) -> xr.DataArray:
    """What PET's modality values (Bq/mL) are multiplied with to give standardised uptake values.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such.
    kind : {"bw", "lbm", "bsa"}
        By body weight (g/mL), lean body mass (g/mL; Janmahasatian et al. 2005) or body surface
        (cm²/mL; Du Bois & Du Bois 1916).
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    xarray.DataArray of float64
        Without dims where it is one number, as in a series it is; else over the frame dims.
        ``units`` are g/Bq or cm2/Bq.

    Raises
    ------
    MissingAttributeError
        If an attribute is missing or 0; the message names it.
    InconsistentSeriesError
        If the attributes of a series contradict each other.

    Notes
    -----
    `xdicom.pixels.suv.suv_factors` has the rules. The scan's start is taken from all frames that
    the array was opened from, not only those that are left in it.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_series(folder, {"z": 2}, modality="PT", attributes={"PatientWeight": 70})
    ...     factor = xdicom.suv_factor(xdicom.open_series(folder))
    >>> dose = 3.7e8 * 2 ** (-59 * 60 / 6586.2)
    >>> bool(abs(factor * dose - 70_000) < 1e-6), factor.attrs["units"]
    (True, 'g/Bq')
    """
    provenance = locate(obj, source)
    table, frames = provenance.table, provenance.frames
    series = table.column("SeriesInstanceUID").codes
    whole = np.flatnonzero(np.isin(series, np.unique(series[frames])))
    factors = np.full(len(table), np.nan)
    factors[whole] = suv_factors(table.take(whole), kind)
    attrs = {"units": KINDS[kind].per}
    used = np.unique(factors[frames])
    if used.size == 1:
        return xr.DataArray(used[0], attrs=attrs, name="suv_factor")
    if not provenance.exact:
        raise HeadersUnavailableError(
            "frames of different SUV factors contributed to the array",
            remedy="Multiply before reducing",
        )
    cells = np.where(provenance.rows >= 0, factors[provenance.rows], np.nan)
    return xr.DataArray(cells, dims=provenance.dims, attrs=attrs, name="suv_factor")


def padding_mask(obj: xr.DataArray | xr.Dataset, *, source: Source | None = None) -> xr.DataArray:
    """Where pixels are padding: PixelPaddingValue up to PixelPaddingRangeLimit (C.7.5.1.1.2).

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or cut out of such; scaled or not, as the mask is of stored values.
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    xarray.DataArray of bool
        Dims, coordinates and chunks of the array; lazy: frames are read when it is used. False
        where no frame stands, and where a file names no padding.

    Raises
    ------
    HeadersUnavailableError
        If the array is no longer one of frames.
    GeometryError
        If its pixels are no longer those of its frames.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_series(folder, {"z": 2}, attributes={"PixelPaddingValue": 1000})
    ...     da = xdicom.open_series(folder)
    ...     mask = da.dicom.padding_mask()
    ...     print(mask.dims, mask.dtype, bool((mask == (da == 1000)).all()))
    ('z', 'y', 'x') bool True
    """
    array = pixels_of(obj)
    if "slide_space" in array.coords:
        raise GeometryError(
            "the array is put together of tiles, each a frame of its own",
            remedy='Take the mask of the list of tiles: open with dims="flat"',
        )
    provenance = locate(array, source)
    if not provenance.exact:
        raise HeadersUnavailableError(
            "the array is no longer one of frames: frame_id is gone",
            remedy="Take the mask before reducing",
        )
    found = on_frames(array, provenance, _mask(provenance))
    return xr.DataArray(found, coords=array.coords, name="padding")


def on_frames(
    array: xr.DataArray,
    provenance: Provenance,
    lazy: FrameArray | OverlayArray,
    first: tuple[str, ...] = (),
    *,
    remedy: str = "Take the mask of the array as it was opened, then select from it likewise",
) -> xr.Variable:
    """What is known of whole frames, at the pixels and in the chunks of an array.

    Parameters
    ----------
    array : DataArray
        Cut out of frames.
    provenance : Provenance
        Of the array, exact.
    lazy : FrameArray or OverlayArray
        Dims `first`, the frame dims, then y, x and perhaps sample.
    first : tuple of str
        Dims that the array does not have; they stay in front.
    remedy : str
        For the error.

    Returns
    -------
    xarray.Variable
        Without ``sample`` where `lazy` has none.

    Raises
    ------
    GeometryError
        If the array's pixels are no longer those of its frames.
    """
    own = (*first, *provenance.dims)
    sizes = dict(zip(("y", "x", "sample"), lazy.shape[len(own) :], strict=False))
    variable = xr.Variable((*own, *sizes), indexing.LazilyIndexedArray(lazy))
    frame = provenance.table.take(provenance.frames[:1])
    places = {d: _places(array, frame, d, n, remedy) for d, n in sizes.items()}
    variable = variable.isel(places)
    found = variable.transpose(*first, *(d for d in array.dims if d in variable.dims))
    if array.chunks is not None:
        chunks = dict(zip(array.dims, array.chunks, strict=True))
        found = found.chunk({d: c for d, c in chunks.items() if d in found.dims})
    return found


def _mask(provenance: Provenance) -> FrameArray:
    """The mask of whole frames, one in each cell of the array."""
    rows, frames = provenance.rows, provenance.frames
    table = provenance.table.take(frames)
    cells = np.where(rows >= 0, np.searchsorted(frames, rows), -1)
    found = frames_of(table)
    scaling = padding_mask_of(table, found.layouts)
    return FrameArray(found, cells, scaling, table.digest, fill_value=0)


def _places(array: xr.DataArray, table: FrameTable, dim: str, size: int, remedy: str) -> Any:
    """Positions in the frame of the array's pixels along a dim, by their coordinates."""
    if array.sizes.get(dim) == size and dim not in array.coords:
        return slice(None)
    if dim not in array.coords:
        raise _cut(dim, remedy)
    if dim == "sample":
        if array.sizes.get(dim) != size:
            raise _cut(dim, remedy)
        return slice(None)
    values = np.asarray(array.coords[dim].values, dtype=np.float64)
    units = array.coords[dim].attrs.get("units")
    region = region_coordinates(table, size, size).get(dim) if units == "cm" else None
    if units == "pixel":
        start, step = 0.0, 1.0
    elif region is not None:
        start, step = region.values[0], np.diff(region.values[:2])[0]
    else:
        start, step = _grid(array, table, dim, remedy)
    exact = (values - start) / step
    places: IntArray = np.rint(exact).astype(np.int64)
    if (np.abs(exact - places) > _OFF_GRID).any() or ((places < 0) | (places >= size)).any():
        raise _cut(dim, remedy)
    return places if dim in array.dims else int(places)


def _grid(array: xr.DataArray, table: FrameTable, dim: str, remedy: str) -> tuple[float, float]:
    """Coordinate of the first pixel of a frame, and the step, in mm (SPEC §5.2)."""
    space = array.coords["patient_space"].attrs if "patient_space" in array.coords else {}
    axis = 1 if dim == "x" else 0
    spacing = next(
        (
            found
            for keyword in (space.get("spacing_kind", "PixelSpacing"), "PixelSpacing")
            if np.isfinite(found := table.numbers(str(keyword), 2)[0, axis])
        ),
        np.nan,
    )
    cosines = space.get("ImageOrientationPatient")
    start = 0.0
    if space.get("geometry") == "rectilinear" and cosines is not None:
        direction = np.asarray(cosines[:3] if dim == "x" else cosines[3:], dtype=np.float64)
        start = float(table.numbers("ImagePositionPatient", 3)[0] @ direction)
    if not np.isfinite([start, spacing]).all():
        raise _cut(dim, remedy)
    return start, float(spacing)


def _cut(dim: str, remedy: str) -> GeometryError:
    return GeometryError(
        f"the pixels along {dim} cannot be found in the frames",
        remedy=remedy,
    )
