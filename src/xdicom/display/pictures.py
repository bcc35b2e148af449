"""An array becomes the lazy array of the grey levels or colours that it is shown with."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil, sqrt
from typing import Final

import dask.array
import numpy as np
import numpy.typing as npt
import xarray as xr
from dask.base import tokenize
from xarray.core import indexing

from xdicom.display.painting import ColourBytes, PaintedArray, Painter
from xdicom.display.windowing import SAMPLES, grey_range, is_inverted
from xdicom.errors import HeadersUnavailableError, XDicomError
from xdicom.pixels.spans import layouts_of
from xdicom.pixels.voi import (
    INVERTED,
    REMEDY,
    Views,
    header_views,
    inverted_of,
    palette_views,
    plain_settings,
)
from xdicom.selecting.provenance import Provenance, Source, locate, pixels_of

Floats = npt.NDArray[np.float64]

_RGB: Final = ("R", "G", "B")
_GONE: Final = ("units", "dicom_scaling", "PhotometricInterpretation", "Units")
"""Attributes of an array that are not those of its picture."""
_MODALITY: Final = ("applied", "stored")
"""``dicom_scaling`` of values that a header's window is for, at once or after the rescale."""


def display(
    obj: xr.DataArray | xr.Dataset,
    window: str | tuple[float, float] | None = None,
    *,
    voi: int | str | None = None,
    source: Source | None = None,
) -> xr.DataArray:
    """The grey levels or colours that an array is shown with, as bytes.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or made from such.
    window : {None, "auto"} or (float, float)
        None: what the headers of each frame say. A pair: centre and width in the array's own
        values, exactly linear. ``"auto"``: the percentiles 0.5 and 99.5 of the array's values,
        for which all of its frames are read at once, now.
    voi : int or str, optional
        Which view of the headers, where they give several: VOI LUTs first, then windows, by number
        from 0 or by LUTExplanation or WindowCenterWidthExplanation. The first by default, so a VOI
        LUT goes before a window.
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    xarray.DataArray of uint8
        Dims, coordinates and chunks of the array, and ``sample`` (R, G, B) for colours and
        palettes. Lazy, but for ``"auto"``: frames are read when it is used. What is NaN, and where
        no frame stands, is 0.

    Raises
    ------
    HeadersUnavailableError
        If the headers are needed and cannot be found, or the array mixes frames of different
        windows; an explicit `window` needs none.
    MissingAttributeError
        If the headers have no such view, or an invalid one; or floats have none at all.
    ValueError
        If an option is wrong or makes no sense of such an array.

    Notes
    -----
    PS3.3 C.11.2 has the functions LINEAR, LINEAR_EXACT and SIGMOID and the VOI LUT. They are for
    values of the modality: stored values (``scaling="stored"``) are rescaled first, by slope and
    intercept or Modality LUT. Where the headers have no view, black to white is from the least
    SmallestImagePixelValue to the greatest LargestImagePixelValue of the frames, or, where a frame
    has them not, the range that BitsStored allows. MONOCHROME1 and PresentationLUTShape INVERSE
    turn the scale round, whatever the window; where neither headers nor attributes tell, it stays.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> import xdicom
    >>> da = xdicom.open_series(get_testdata_file("CT_small.dcm"))
    >>> shown = display(da, (40, 400))
    >>> shown.dtype, shown.dims, int(shown.where(da >= 240).min())
    (dtype('uint8'), ('z', 'y', 'x'), 255)
    """
    array = pixels_of(obj)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"real numbers can be shown, not {array.dtype}; take abs() first")
    if isinstance(window, str) and window != "auto":
        raise ValueError(f'window is None, "auto" or (centre, width), not {window!r}')
    if window is not None and voi is not None:
        raise ValueError(
            "voi chooses among the windows of the headers; give it or window, not both"
        )
    if "sample" in array.dims:
        return _colours(array, window, voi, source)
    if window is None:
        provenance, views = _of_headers(array, voi, source)
    else:
        _refuse_palette(array)
        provenance, settings = _by_window(array, window, source)
        views = Views(settings)
    return _painted(array, provenance, views)


def _of_headers(
    array: xr.DataArray, voi: int | str | None, source: Source | None
) -> tuple[Provenance | None, Views]:
    """The frames of an array, and how their headers say that they are shown."""
    kind = array.attrs.get("dicom_scaling", "applied")
    if kind not in _MODALITY:
        raise ValueError(
            f"the headers' windows are for values of the modality, not for scaling={kind!r}; "
            f'give window= a centre and width, or "auto"'
        )
    provenance = _located(array, source)
    table = provenance.table.take(provenance.frames)
    if not len(table):
        return None, Views(plain_settings(1) * 0)
    if set(table.column("PhotometricInterpretation").texts) == {"PALETTE COLOR"}:
        if voi is not None:
            raise ValueError("the colours of a palette have no windows to choose with voi")
        if array.dtype.kind not in "iu":
            raise ValueError(f"a palette gives colours to whole numbers, not {array.dtype}")
        return provenance, palette_views(table)
    return provenance, header_views(table, voi, stored=kind == "stored")


def _located(array: xr.DataArray, source: Source | None) -> Provenance:
    try:
        return locate(array, source)
    except HeadersUnavailableError as error:
        raise HeadersUnavailableError(
            f"the windows of the headers cannot be had: {error.what}",
            file=error.file,
            remedy=f"{REMEDY}, or source= with the folder of the files",
        ) from error


def _refuse_palette(array: xr.DataArray) -> None:
    if array.attrs.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise ValueError("the indices of a palette are no grey values: display() without window")


def _by_window(
    array: xr.DataArray, window: str | tuple[float, float], source: Source | None
) -> tuple[Provenance | None, Floats]:
    """The settings of one window; the headers tell no more than which way the scale goes."""
    if isinstance(window, str):
        step = ceil(sqrt(max(1.0, array.size / SAMPLES)))
        sparse = array.isel({d: slice(None, None, step) for d in ("y", "x") if d in array.dims})
        low, high = grey_range([np.asarray(sparse.values)], array, window)
    else:
        low, high = grey_range([], array, window)
    centre = (low + high) / 2, high - low
    try:
        provenance = locate(array, source)
    except XDicomError:
        settings = plain_settings(1, centre)
        settings[:, INVERTED] = is_inverted(array)
        return None, settings
    table = provenance.table.take(provenance.frames)
    settings = plain_settings(len(table), centre)
    settings[:, INVERTED] = inverted_of(table)
    return provenance, settings


def _painted(array: xr.DataArray, provenance: Provenance | None, views: Views) -> xr.DataArray:
    """The array painted by the settings of its frames, lazily or chunk by chunk."""
    palette = any(t.values.ndim > 1 for t in views.tables)
    painter = Painter(views.tables, views.modality, palette)
    settings = _in_cells(provenance, views.settings)
    missing = [d for d in array.dims if d not in settings.dims]
    laid = settings.expand_dims(missing).transpose(*array.dims, "setting").values
    extra = (3,) * palette
    dims = (*array.dims, *(["sample"] if palette else []))
    if array.chunks is None:
        return _labelled(_lazily(PaintedArray(array.variable, painter, laid, extra), dims), array)
    sizes = zip(array.chunks, laid.shape, strict=False)
    chunks = (*(c if n > 1 else 1 for c, n in sizes), -1)
    own = dask.array.from_array(laid, chunks=chunks)  # type: ignore[no-untyped-call]
    axes = tuple(range(array.ndim))
    painted = dask.array.blockwise(  # type: ignore[no-untyped-call]
        painter,
        (*axes, array.ndim) if palette else axes,
        *(array.data, axes),
        *(own, (*axes, array.ndim + 1)),
        new_axes={array.ndim: 3} if palette else {},
        concatenate=True,
        name=f"display-{tokenize(array.data.name, laid, painter)}",
        dtype=np.uint8,
        meta=np.empty((0,) * len(dims), np.uint8),
    )
    return _labelled(xr.Variable(dims, painted), array)


def _in_cells(provenance: Provenance | None, settings: Floats) -> xr.DataArray:
    """Settings over the dims that they vary over, and ``setting``."""
    same = len(settings) and (settings == settings[:1]).all()
    holes = provenance is not None and bool((provenance.rows < 0).any())
    if provenance is None or (same and not holes):
        return xr.DataArray(settings[0], dims=("setting",))
    if not provenance.exact:
        raise HeadersUnavailableError(
            "frames of different windows or polarity contributed to the array",
            remedy=f"{REMEDY}, or show before reducing",
        )
    frames, rows = provenance.frames, provenance.rows
    whole = np.concatenate([settings, np.zeros((1, settings.shape[1]))])
    cells = np.where(rows >= 0, np.searchsorted(frames, rows), len(frames))
    return xr.DataArray(whole[cells], dims=(*provenance.dims, "setting"))


def _colours(
    array: xr.DataArray,
    window: object,
    voi: int | str | None,
    source: Source | None,
) -> xr.DataArray:
    """Colours as RGB of 8 bits."""
    if window is not None or voi is not None:
        raise ValueError("colours have no window: display() without options shows them")
    if array.sizes["sample"] != len(_RGB):
        raise ValueError(f"a colour has 3 samples, not {array.sizes['sample']}; take one first")
    named = list(array.coords["sample"].values) if "sample" in array.coords else []
    photometric = str(array.attrs.get("PhotometricInterpretation", ""))
    ybr = photometric.startswith("YBR_FULL") and named != list(_RGB)
    paint = ColourBytes(_top(array, source), ybr)
    ordered = array.variable.transpose(..., "sample")
    if array.chunks is None:
        found = _lazily(PaintedArray(ordered, paint), ordered.dims)
    else:
        found = xr.apply_ufunc(
            paint,
            ordered.chunk({"sample": -1}),
            input_core_dims=[["sample"]],
            output_core_dims=[["sample"]],
            dask="parallelized",
            output_dtypes=[np.uint8],
        )
    return _labelled(found, array).transpose(*array.dims)


def _top(array: xr.DataArray, source: Source | None) -> float:
    """The value of full colour: of BitsStored where the headers tell it, else of the dtype."""
    if array.attrs.get("PhotometricInterpretation") != "PALETTE COLOR":
        try:
            provenance = locate(array, source)
        except XDicomError:
            pass
        else:
            _, layouts = layouts_of(provenance.table.take(provenance.frames))
            if layouts:
                return 2.0 ** max(x.bits_stored for x in layouts) - 1
    return float(np.iinfo(array.dtype).max) if array.dtype.kind == "u" else 255.0


def _lazily(array: PaintedArray, dims: tuple[Hashable, ...]) -> xr.Variable:
    return xr.Variable(dims, indexing.LazilyIndexedArray(array))


def _labelled(found: xr.Variable, array: xr.DataArray) -> xr.DataArray:
    """With the array's coordinates, what still holds of its attributes, names of the samples."""
    kept = {k: v for k, v in array.attrs.items() if k not in _GONE}
    made = xr.DataArray(found, coords=array.coords, name=array.name, attrs=kept)
    return made.assign_coords(sample=list(_RGB)) if "sample" in made.dims else made
