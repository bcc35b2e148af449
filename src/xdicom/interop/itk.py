"""An array becomes a SimpleITK image."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdicom.interop.volumes import seconds_of, volumes_of


def to_sitk(obj: xr.DataArray | xr.Dataset, *, fourth: str | None = None) -> Any:
    """Make a SimpleITK image, in its place in the patient.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient, and no other dim but `fourth`.
    fourth : str, optional
        Dim that makes the image four-dimensional; its spacing is that of the labels, if even,
        else 1.

    Returns
    -------
    SimpleITK.Image
        Size (x, y, z[, fourth]), mm L, P, S, the values in the array's order and type; colour is a
        vector image; bool becomes uint8. Values are computed.

    Raises
    ------
    ImportError
        Without SimpleITK: ``pip install 'xdicom[sitk]'``.
    ValueError
        If there are further dims.
    GeometryError
        If there is no affine, or it has a shear, which ITK's directions cannot hold.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"z": 4}, rows=16, columns=24)
    ...     image = to_sitk(xdicom.open_series(folder))
    >>> image.GetSize(), image.GetOrigin()
    ((24, 16, 4), (-20.0, -30.0, 10.0))
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise ImportError("SimpleITK images need SimpleITK: pip install 'xdicom[sitk]'") from error
    volumes = volumes_of(obj)
    volumes.refuse_shear("an ITK image")
    further = [d for d in volumes.others if d != fourth]
    if fourth is not None and fourth not in volumes.others:
        raise ValueError(f"fourth={fourth!r} is none of the dims {volumes.others}")
    if further:
        raise ValueError(
            f"an ITK image has no dim {further[0]!r}: take one label of it with isel"
            + ("" if fourth else f", or pass fourth={further[0]!r}")
        )
    values = np.asarray(volumes.array.values)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    image: Any = SimpleITK.GetImageFromArray(
        values.astype(values.dtype.newbyteorder("="), copy=False), isVector=volumes.colour
    )
    directions = volumes.affine[:3, :3] / volumes.spacing
    spacing, origin = list(volumes.spacing[::-1]), list(volumes.affine[:3, 3])
    matrix = directions[:, ::-1]
    if fourth is not None:
        matrix = np.block([[matrix, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]])
        first, step = _labels(volumes.array, fourth)
        spacing, origin = [*spacing, step], [*origin, first]
    image.SetSpacing([float(v) for v in spacing])
    image.SetOrigin([float(v) for v in origin])
    image.SetDirection([float(v) for v in matrix.ravel()])
    return image


def _labels(array: xr.DataArray, dim: str) -> tuple[float, float]:
    """First label and step of a dim of numbers that ascend evenly, else 0 and 1."""
    coordinate = array.coords.get(dim)
    values = seconds_of(array) if dim == "time" else None
    if values is None and coordinate is not None and coordinate.dtype.kind in "iuf":
        values = np.asarray(coordinate.values, dtype=np.float64)
    if values is None or len(values) < 2:
        return 0.0, 1.0
    steps = np.diff(values)
    if not steps.min() > 0 or np.ptp(steps) > 0.01 * steps.mean():
        return 0.0, 1.0
    return float(values[0]), float(steps.mean())
