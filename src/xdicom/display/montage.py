"""Frames of an array become a matplotlib figure, right way up and in true aspect."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from io import BytesIO
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from dask.base import compute

from xdicom.display.canvas import GROUND, Canvas, layout_of
from xdicom.display.labels import frame_label, series_name, sides, sizes_text
from xdicom.display.windowing import Window, as_rgb, grey_range, is_inverted
from xdicom.errors import HeadersUnavailableError
from xdicom.selecting.provenance import pixels_of
from xdicom.selecting.values import item

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

Array: TypeAlias = npt.NDArray[Any]
Index: TypeAlias = dict[Hashable, int]

_SIDE_LONGEST: Final = 1024
"""Pixels along a side from which on a tile holds the means of blocks, not all pixels."""


def montage(
    obj: xr.DataArray | xr.Dataset,
    *,
    columns: int | None = None,
    window: Window = None,
    cmap: Any = "gray",
    limit: int = 64,
    title: str | None = None,
    dims: Sequence[Hashable] | None = None,
    labels: bool = True,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw the frames of an array side by side, in one grey scale.

    Row 0 is at the top, x runs to the right, and tiles are as wide and high as they are in mm.
    Letters at the edges of the first tile say which side of the patient is where. Only the frames
    that are shown are read.

    Parameters
    ----------
    obj : DataArray or Dataset
        With dims ``y`` and ``x``; all other dims (but ``sample``) are frame dims.
    columns : int, optional
        Tiles in a row. By default the picture comes near 3 : 2, and the inner dim fills whole rows
        where it can.
    window : {None, "auto", "header"} or (float, float)
        Grey values: the percentiles 0.5 and 99.5 of what is shown (None, ``"auto"``), the headers'
        WindowCenter and WindowWidth, or centre and width.
    cmap : str or matplotlib colour map
        ``"gray"`` turns round for MONOCHROME1, where low values are white; other maps never do.
    limit : int
        Most frames to draw. More are thinned evenly along the longest dims; the title says so.
    title : str, optional
        By default the series' description.
    dims : sequence of str, optional
        Frame dims in the order in which tiles follow each other, the last one fastest. By default
        the array's own.
    labels : bool
        Whether each tile says its place along the frame dims.
    figure : matplotlib Figure or SubFigure, optional
        To draw in, instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so there is nothing to close; a notebook shows it, and ``savefig``
        writes it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the array has no planes of y and x, is empty or complex, or an option is wrong.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> import xdicom
    >>> da = xdicom.open_series(get_testdata_file("CT_small.dcm"))
    >>> figure = montage(da, window=(40, 400))
    >>> figure.axes[0].images[0].get_array().shape
    (128, 128)
    """
    try:
        import matplotlib
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
    except ImportError as error:
        raise ImportError(
            "montage draws with matplotlib, which is not installed; "
            "pip install 'xdicom[display]' brings it"
        ) from error
    array = pixels_of(obj)
    frame_dims = _frame_dims(array, dims)
    if limit < 1 or (columns is not None and columns < 1):
        raise ValueError(f"limit and columns are at least 1, not {limit} and {columns}")
    picks = _thinned([array.sizes[d] for d in frame_dims], limit)
    array = array.transpose(*frame_dims, "y", "x", *(["sample"] if "sample" in array.dims else []))
    shown = array.isel(dict(zip(frame_dims, picks, strict=True)))
    frames = _read(array, picks)
    colour = "sample" in array.dims

    height, width = _extent(shown)
    inner = len(picks[-1]) if picks else 1
    varying = [d for d in frame_dims if array.sizes[d] > 1] or frame_dims
    places = list(product(*(range(len(p)) for p in picks)))
    words: list[list[str]] = []
    if labels and varying:
        indices = [dict(zip(frame_dims, place, strict=True)) for place in places]
        words = [frame_label(shown, {d: i[d] for d in varying}) for i in indices]
    layout = layout_of(len(frames), inner, width / height, columns, words, bar=not colour)
    drawn = _figure_class()(figsize=layout.size, dpi=130) if figure is None else figure
    drawn.set_facecolor(GROUND)
    canvas = Canvas(drawn, layout)

    norm = mapping = None
    if not colour:
        norm = Normalize(*grey_range(frames, shown, window))
        mapping = matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap
        if isinstance(cmap, str) and cmap in ("gray", "grey") and is_inverted(array):
            mapping = mapping.reversed()
        mapping = mapping.with_extremes(bad=GROUND)
    edges = (0, width, height, 0)
    for tile, frame in enumerate(frames):
        axes = canvas.tile(tile)
        picture = as_rgb(frame, array) if colour else frame
        axes.imshow(picture, cmap=mapping, norm=norm, extent=edges, aspect="auto")
        if words:
            canvas.label(axes, words[tile])
        if tile == 0:
            canvas.sides(axes, sides(shown, "x"), sides(shown, "y"))
    count = int(np.prod([array.sizes[d] for d in frame_dims], dtype=np.int64))
    canvas.title(title or series_name(array), _subtitle(array, frame_dims, len(frames), count))
    if norm is not None:
        canvas.bar(ScalarMappable(norm, mapping), _quantity(array))
    return drawn  # type: ignore[return-value]


def _frame_dims(array: xr.DataArray, dims: Sequence[Hashable] | None) -> list[Hashable]:
    if not {"y", "x"} <= set(array.dims):
        raise ValueError(
            f"montage draws planes of y and x, not {sizes_text(array.sizes)}"
            " (da.plot draws other planes and curves)"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"montage draws real numbers, not {array.dtype}; take abs() or angle first"
        )
    if "sample" in array.dims and array.sizes["sample"] != 3:
        raise ValueError(
            f"a colour image has 3 samples, not {array.sizes['sample']}; take one first"
        )
    if not array.size:
        raise ValueError(f"nothing to draw: the array is empty ({sizes_text(array.sizes)})")
    own = [d for d in array.dims if d not in ("y", "x", "sample")]
    if dims is None:
        return own
    if sorted(map(str, dims)) != sorted(map(str, own)):
        raise ValueError(f"dims lists all frame dims: {tuple(own)}, not {tuple(dims)}")
    return list(dims)


def _thinned(sizes: Sequence[int], limit: int) -> list[Array]:
    """Indices along each dim, evenly spread, whose outer product has at most `limit` cells."""
    most = 1
    for candidate in range(1, min(limit, max(sizes, default=1)) + 1):
        if np.prod([min(n, candidate) for n in sizes], dtype=np.int64) > limit:
            break
        most = candidate
    counts = [min(n, most) for n in sizes]
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        others = int(np.prod(counts, dtype=np.int64)) // counts[i]
        counts[i] = min(sizes[i], limit // others)
    picks = []
    for n, count in zip(sizes, counts, strict=True):
        even = np.linspace(0, n - 1, count) if count > 1 else np.array([(n - 1) // 2])
        picks.append(np.round(even).astype(np.int64))
    return picks


def _read(array: xr.DataArray, picks: Sequence[Array]) -> list[Array]:
    """The frames, each (y, x[, sample]); large ones are reduced as they come."""
    frame_dims = array.dims[: len(picks)]
    plane = array.shape[len(picks) :]
    step = ceil(max(plane[:2]) / _SIDE_LONGEST)
    if step == 1 and array.chunks is None:
        shown = array.isel(dict(zip(frame_dims, picks, strict=True)))
        return list(shown.values.reshape(-1, *plane))
    indices = [dict(zip(frame_dims, place, strict=True)) for place in product(*picks)]
    if array.chunks is not None and not _is_as_opened(array):
        # together, so that no chunk is computed twice
        single = compute(*(array.isel(i).data for i in indices))  # type: ignore[no-untyped-call]
        return [_reduced(np.asarray(frame), step) for frame in single]
    return [_reduced(array.isel(i).values, step) for i in indices]


def _is_as_opened(array: xr.DataArray) -> bool:
    """Whether a dask array is nothing but chunks to be read: single frames of them then can be."""
    layers = getattr(array.data.dask, "layers", {})
    return sum(not str(name).startswith("original-") for name in layers) == 1


def _reduced(frame: Array, step: int) -> Array:
    """Means of blocks of step × step pixels; the rest at the end is cut off."""
    if step == 1:
        return frame
    rows, columns = (max(1, n // step) for n in frame.shape[:2])
    cut = frame[: rows * step, : columns * step].astype(np.float32)
    blocks = cut.reshape(rows, -1, columns, cut.shape[1] // columns, *frame.shape[2:])
    means: Array = blocks.mean(axis=(1, 3))
    return means.astype(frame.dtype) if frame.dtype.kind == "u" and frame.ndim == 3 else means


def _extent(array: xr.DataArray) -> tuple[float, float]:
    """Height and width of a frame, from edge to edge, in mm or in pixels."""
    steps = [_step(array, dim) for dim in ("y", "x")]
    if steps == [None, None]:
        steps = list(_aspect(array))
    known = [s for s in steps if s is not None]
    rows, columns = (s if s is not None else known[0] for s in steps)
    return rows * array.sizes["y"], columns * array.sizes["x"]


def _step(array: xr.DataArray, dim: str) -> float | None:
    """Mean distance of neighbours in mm, None where it is unknown."""
    if dim not in array.coords or array.coords[dim].attrs.get("units") not in ("mm", "cm"):
        return None
    positions = np.asarray(array.coords[dim].values, dtype=np.float64)
    if len(positions) < 2:
        return None
    step = abs(float(positions[-1] - positions[0])) / (len(positions) - 1)
    return step or None


def _aspect(array: xr.DataArray) -> tuple[float, float]:
    """Height and width of a pixel where its size is unknown: PixelAspectRatio, else a square."""
    first = array.isel({d: 0 for d in array.dims if d not in ("y", "x", "sample")})
    try:
        found = item(first, "PixelAspectRatio")
        vertical, horizontal = (float(v) for v in np.ravel(found))
    except (HeadersUnavailableError, TypeError, ValueError):
        return 1.0, 1.0
    return (vertical, horizontal) if vertical > 0 and horizontal > 0 else (1.0, 1.0)


def _subtitle(array: xr.DataArray, frame_dims: Sequence[Hashable], shown: int, count: int) -> str:
    sizes = {d: array.sizes[d] for d in frame_dims if array.sizes[d] > 1}
    text = sizes_text({**sizes, "y": array.sizes["y"], "x": array.sizes["x"]})
    return text + (f"  ·  {shown} of {count} frames, evenly thinned" if shown < count else "")


def _quantity(array: xr.DataArray) -> str:
    name = "" if array.name in (None, "pixels") else str(array.name)
    units = array.attrs.get("units", "")
    if not units and not name and array.attrs.get("dicom_scaling") == "stored":
        return "stored values"
    return f"{name} ({units})" if name and units else name or units


@cache
def _figure_class() -> type[Figure]:
    """A Figure that notebooks show although pyplot does not know it."""
    from matplotlib.figure import Figure

    class Montage(Figure):
        """A matplotlib figure with a picture of itself for notebooks."""

        def _repr_png_(self) -> bytes:
            file = BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    return Montage
