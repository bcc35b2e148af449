"""An array's frames become the masks that are laid over them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdicom.errors import HeadersUnavailableError, UnsupportedPixelLayoutError
from xdicom.pixels.overlays import OverlayArray, overlays_of
from xdicom.pixels.spans import layouts_of
from xdicom.selecting.pixel_headers import on_frames
from xdicom.selecting.provenance import Source, locate, pixels_of


def overlays(obj: xr.DataArray | xr.Dataset, *, source: Source | None = None) -> xr.DataArray:
    """The overlays of an array's frames (PS3.3 C.9.2), groups 6000 to 601E and beyond.

    Parameters
    ----------
    obj : DataArray or Dataset
        Opened by xdicom, or cut out of such.
    source : path or array, optional
        Where the headers are, if not where the array says.

    Returns
    -------
    xarray.DataArray of bool
        Dims ``overlay``, then those of the array without ``sample``; its coordinates and chunks.
        ``overlay`` is the group, as ``"6000"``; coordinates on it are ``label``, ``type`` (``G``
        for graphics, ``R`` for a region of interest) and ``description``. Of length 0 where no
        frame has any. Lazy: pixels are read when masks are used that stand in their spare bits.
        False outside of an overlay that is smaller, where a frame has none, and where no frame
        stands; what lies beyond the image is cut off.

    Raises
    ------
    HeadersUnavailableError
        If the array is no longer one of frames, or the files are gone.
    GeometryError
        If its pixels are no longer those of its frames.
    MissingAttributeError, CorruptFileError, UnsupportedPixelLayoutError
        If an overlay is not described, cut off, said to be where no bits are free, or laid over a
        frame that is cut into slices.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> import xdicom
    >>> da = xdicom.open_series(get_testdata_file("examples_overlay.dcm"))
    >>> masks = overlays(da)
    >>> masks.dims, masks.overlay.values.tolist(), int(masks.sum())
    (('overlay', 'z', 'y', 'x'), ['6000'], 222)
    """
    array = pixels_of(obj)
    provenance = locate(array, source)
    if not provenance.exact:
        raise HeadersUnavailableError(
            "the array is no longer one of frames: frame_id is gone",
            remedy="Take the overlays before reducing",
        )
    frames = provenance.frames
    table = provenance.table.take(frames)
    cells = np.where(provenance.rows >= 0, np.searchsorted(frames, provenance.rows), -1)
    found = overlays_of(table)
    layouts = layouts_of(table)[1]
    if found and any(x.tile is not None for x in layouts):
        raise UnsupportedPixelLayoutError(
            "overlays of frames that are cut into slices",
            file=table.path(0),
            expected="frames that are one slice each",
        )
    layout = layouts[0]
    lazy = OverlayArray(table, cells, found, (layout.rows, layout.columns))
    remedy = "Take the overlays of the array as it was opened, then select from them likewise"
    variable = on_frames(array, provenance, lazy, ("overlay",), remedy=remedy)
    coords = {k: c for k, c in array.coords.items() if "sample" not in c.dims}
    coords["overlay"] = xr.DataArray([f"{o.group:04X}" for o in found], dims="overlay").astype(str)
    for name in ("label", "type", "description"):
        texts = np.array([o.names[name] for o in found], dtype=np.str_)
        coords[name] = xr.DataArray(texts, dims="overlay")
    return xr.DataArray(variable, coords=coords, name="overlays")
