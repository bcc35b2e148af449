"""Volumes in, files out whose frames hold many slices: Siemens' mosaics and UIH's VFRAME grids."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from xdicom.testing.elements import Key
from xdicom.testing.pixels import frame_pixels
from xdicom.testing.series import write_series

SIEMENS_IMAGES: Key = (0x0019, 0x0A, "SIEMENS MR HEADER", "US")
"""Number of slices in a mosaic."""
SIEMENS_TIMES: Key = (0x0019, 0x29, "SIEMENS MR HEADER", "FD")
"""When each slice was acquired, ms."""
CSA_IMAGE_HEADER: Key = (0x0029, 0x10, "SIEMENS CSA HEADER", "OB")
"""The image's CSA header."""
UIH_IMAGES: Key = (0x0065, 0x50, "Image Private Header", "DS")
"""Number of slices in a VFRAME."""
UIH_PLACES: Key = (0x0065, 0x51, "Image Private Header", "SQ")
"""An item a slice, with its position."""

_FIRST_FORM_ITEMS = 6
_SYNGO_TYPE = 6


def csa_header(tags: Mapping[str, Sequence[object]], form: Literal[1, 2] = 2) -> bytes:
    """Make a CSA header, as Siemens puts it into (0029,xx10).

    Parameters
    ----------
    tags : mapping of str to sequence
        Values by the name of their tag.
    form : {1, 2}
        The older form, or that which begins with ``SV10``.

    Returns
    -------
    bytes
        The header, in little endian.

    Examples
    --------
    >>> csa_header({"B_value": [1000]})[:4]
    b'SV10'
    """
    parts = [b"SV10\x04\x03\x02\x01" if form == 2 else b"", struct.pack("<II", len(tags), 77)]
    for name, values in tags.items():
        items = max(_FIRST_FORM_ITEMS, len(values))
        head = (name.encode(), len(values), b"FD\0\0", _SYNGO_TYPE, items, 77)
        parts.append(struct.pack("<64si4siii", *head))
        for place in range(items):
            text = f"{values[place]}".encode() + b"\0" if place < len(values) else b""
            if form == 2:
                parts.append(struct.pack("<4i", len(text), len(text), 77, len(text)))
            elif not text:
                # a first number that makes the length negative says that no more items follow
                parts.append(struct.pack("<4i", 0, 0, 77, 0))
                break
            else:
                # lengths are off by the number of items of the first tag
                first = max(_FIRST_FORM_ITEMS, len(next(iter(tags.values()))))
                parts.append(struct.pack("<4i", len(text) + first, first, 77, len(text)))
            parts.append(text + b"\0" * (-len(text) % 4))
    return b"".join(parts)


def write_mosaics(
    folder: str | os.PathLike[str],
    dims: Mapping[str, Any],
    slices: int,
    *,
    vendor: Literal["Siemens", "UIH"] = "Siemens",
    rows: int = 16,
    columns: int = 24,
    descending: bool = False,
    pixel_spacing: Sequence[float] = (1.5, 1.25),
    slice_spacing: float = 3.0,
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    origin: Sequence[float] = (-20.0, -30.0, 10.0),
    stored: Callable[[dict[str, int]], Any] | None = None,
    dtype: DTypeLike = "uint16",
    slice_times: Sequence[float] | None = None,
    form: Literal[1, 2] = 2,
    attributes: Mapping[Key, Any] | None = None,
    **settings: Any,
) -> list[Path]:
    r"""Write a series of MR files, each a stored frame that holds all slices of a volume.

    Parameters
    ----------
    folder : path
        Where the files go; made where it does not exist.
    dims : mapping
        Frame dims without z, as for :func:`write_series`; one file for each point.
    slices : int
        Slices of a volume.
    vendor : {"Siemens", "UIH"}
        A square of tiles, placed by ImagePositionPatient, SpacingBetweenSlices and the CSA header;
        or ⌈√slices⌉ columns of tiles, each placed by an item of a private sequence.
    rows, columns : int
        Size of a slice.
    descending : bool
        Whether the slices follow each other against the normal.
    pixel_spacing : (float, float)
        Spacing of rows and of columns, mm.
    slice_spacing : float
        Distance of the slices, mm.
    orientation : six floats
        Direction cosines of the rows and of the columns (ImageOrientationPatient).
    origin : three floats
        Position of the first pixel of the first slice, mm.
    stored : callable, optional
        Stored values: a function of the index, z among it, that returns (rows, columns[, 3]).
        Default: :func:`frame_pixels` of the slice's number, the first file's slices first.
    dtype : dtype
        Integer type of the stored values.
    slice_times : sequence of float, optional
        Siemens: when each slice was acquired, ms.
    form : {1, 2}
        Siemens: form of the CSA header.
    attributes : mapping, optional
        As for :func:`write_series`; these come last.
    **settings
        Further ones of :func:`write_series`.

    Returns
    -------
    list of Path
        The files in canonical order.

    Raises
    ------
    ValueError
        If z is among the dims.

    Examples
    --------
    >>> import tempfile, pydicom
    >>> from xdicom.testing import write_mosaics
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_mosaics(folder, {"time": [0, 2]}, 7)
    ...     first = pydicom.dcmread(paths[0])
    >>> len(paths), first.Rows, first.Columns
    (2, 48, 72)
    """
    if "z" in dims:
        raise ValueError("z is no dim here: all slices of a volume stand in one file")
    lengths = {k: v if isinstance(v, int) else len(v) for k, v in dims.items()}
    across = math.isqrt(slices - 1) + 1
    down = across if vendor == "Siemens" else -(-slices // across)

    def whole(index: dict[str, int]) -> Any:
        place = tuple(index[k] for k in lengths)
        number = int(np.ravel_multi_index(place, tuple(lengths.values()))) if lengths else 0
        tiles = [
            frame_pixels(number * slices + z, rows, columns, dtype)
            if stored is None
            else np.asarray(stored({**index, "z": z}))
            for z in range(slices)
        ]
        made = np.zeros((down * rows, across * columns, *tiles[0].shape[2:]), tiles[0].dtype)
        for z, tile in enumerate(tiles):
            top, left = z // across * rows, z % across * columns
            made[top : top + rows, left : left + columns] = tile
        return made

    row, column = np.reshape(np.asarray(orientation, float), (2, 3))
    step = np.cross(row, column) * slice_spacing * (-1 if descending else 1)
    if vendor == "Siemens":
        own = _siemens(slices, row, column, -1 if descending else 1, slice_times, form)
    else:
        own = _uih(np.asarray(origin, float) + np.arange(slices)[:, None] * step)
    return write_series(
        folder,
        dims,
        pixel_spacing=pixel_spacing,
        slice_spacing=slice_spacing,
        orientation=orientation,
        origin=(
            np.asarray(origin, float)
            - row * pixel_spacing[1] * (across - 1) * columns / 2
            - column * pixel_spacing[0] * (down - 1) * rows / 2
        ).tolist(),
        stored=whole,
        attributes={**own, **(attributes or {})},
        **settings,
    )


def _siemens(
    slices: int,
    row: np.ndarray[Any, Any],
    column: np.ndarray[Any, Any],
    sign: int,
    times: Sequence[float] | None,
    form: Literal[1, 2],
) -> dict[Key, Any]:
    normal = np.cross(row, column) * sign
    tags: dict[str, Sequence[object]] = {
        "EchoLinePosition": [8],
        "NumberOfImagesInMosaic": [slices],
        "SliceNormalVector": [f"{v:.8f}" for v in normal],
        "MosaicRefAcqTimes": [f"{t:.8f}" for t in times or ()],
    }
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
        "Manufacturer": "SIEMENS",
        SIEMENS_IMAGES: slices,
        CSA_IMAGE_HEADER: csa_header(tags, form),
        **({SIEMENS_TIMES: list(times)} if times else {}),
    }


def _uih(places: np.ndarray[Any, Any]) -> dict[Key, Any]:
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "VFRAME"],
        "Manufacturer": "UIH",
        "ImagePositionPatient": None,
        "SliceLocation": None,
        UIH_IMAGES: float(len(places)),
        UIH_PLACES: [{"ImagePositionPatient": place} for place in places.tolist()],
    }
