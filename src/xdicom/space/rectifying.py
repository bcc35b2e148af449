"""A sheared or unevenly spaced stack becomes a rectilinear one, by resampling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
import xarray as xr

from xdicom.errors import GeometryError
from xdicom.selecting.provenance import pixels_of
from xdicom.series.geometry import DECIMALS
from xdicom.space.kernels import SUPPORT, float_of
from xdicom.space.lattice import Lattice, lattice_of
from xdicom.space.mapping import like, on_lattice
from xdicom.space.matching import match

Obj = TypeVar("Obj", xr.DataArray, xr.Dataset)

_HALF: Final = 1e-3
"""Of a voxel: an extent that reaches so little further gets no voxel more."""


def rectify(
    obj: Obj, *, step: float | None = None, method: str = "linear", fill_value: float = np.nan
) -> Obj:
    """Resample a sheared stack (gantry tilt), or uneven slices, onto a rectilinear grid.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient.
    step : float, optional
        Distance of the new slices, mm. None keeps the slices where they are, which uneven ones
        cannot be; the smallest distance of theirs loses the least.
    method : {"linear", "nearest", "cubic"}
        As for `xdicom.space.mapping.map_to`.
    fill_value : float
        Where no slice had voxels.

    Returns
    -------
    DataArray or Dataset
        The pixels of the first slice stay where they are, and x and y go on from there as far as
        any slice reaches, so that nothing is cut off; slices start at the first one. What is
        rectilinear, with even slices, comes back as it is. Chunked arrays stay lazy. In a shear
        without `step` values move within their own plane only.

    Raises
    ------
    GeometryError
        If slices are uneven and no `step` says how far apart they shall be.

    Notes
    -----
    Values in a gap of missing slices are interpolated over the gap, if `step` asks for them.

    Examples
    --------
    >>> import tempfile, xdicom, warnings
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"z": [0, 3, 6, 12]})
    ...     with warnings.catch_warnings():
    ...         warnings.simplefilter("ignore")
    ...         uneven = xdicom.open_series(folder).load()
    >>> rectify(uneven, step=3).z.values - 10
    array([ 0.,  3.,  6.,  9., 12.])
    """
    if method not in SUPPORT:
        raise ValueError(f"method {method!r} is none of {', '.join(SUPPORT)}")
    if step is not None and not step > 0:
        raise ValueError(f"step is a distance in mm, not {step}")
    array = pixels_of(obj)
    source = lattice_of(array)
    even = _even_slices(array, source)
    if step is None and not even:
        raise GeometryError(
            "the slices are not evenly spaced, so it must be said how far apart they shall be",
            found=f"distances of {np.abs(np.diff(source.z)).min():g} to "
            f"{np.abs(np.diff(source.z)).max():g} mm",
            remedy="Pass step= in mm",
        )
    straight = not source.drift.any()
    if straight and (step is None or len(source.z) < 2):
        return obj
    target = _straight(source, step)
    grid = _coordinates(array, target)
    dtype = float_of(array.dtype)
    found = match(source, target)
    result = on_lattice(array, source, target, grid, method, fill_value, dtype, found)
    return like(obj, result)


def _even_slices(array: xr.DataArray, source: Lattice) -> bool:
    if array.coords["patient_space"].attrs.get("regular") == "no":
        steps = np.diff(source.z)
        return bool(not steps.size or np.ptp(steps) <= 0.01 * np.abs(steps).min())
    return bool(np.ptp(np.diff(source.z)) <= _tolerance(source)) if len(source.z) > 2 else True


def _tolerance(source: Lattice) -> float:
    return max(0.02, 0.02 * abs(source.steps[0]))


def _straight(source: Lattice, step: float | None) -> Lattice:
    """The grid that covers all planes, along the first one's pixels."""
    z = source.z
    if step is not None and len(z) > 1:
        run = float(z[-1] - z[0])
        count = int(np.floor(abs(run) / step + _HALF)) + 1
        z = z[0] + np.sign(run) * step * np.arange(count)
    axes = []
    for values, size, drift in (
        (source.y, source.steps[1], source.drift[:, 1]),
        (source.x, source.steps[2], source.drift[:, 0]),
    ):
        shifts = (drift - drift[0]) / size
        before = int(np.ceil(-shifts.min() - _HALF))
        after = int(np.ceil(shifts.max() - _HALF))
        # the pixels themselves, and as many more on both sides
        extra_before = values[0] - size * np.arange(before, 0, -1)
        extra_after = values[-1] + size * np.arange(1, after + 1)
        axes.append(drift[0] + np.concatenate([extra_before, values, extra_after]))
    z, y, x = (np.round(axis, DECIMALS) + 0.0 for axis in (z, *axes))
    thick = source.steps[0] if step is None else float(np.sign(source.steps[0]) * step)
    return replace(
        source, z=z, y=y, x=x, origins=z[:, None] * source.normal,
        steps=(thick, *source.steps[1:]), dim=source.dim and "z",
    )  # fmt: skip


def _coordinates(array: xr.DataArray, target: Lattice) -> dict[str, Any]:
    space = array.coords["patient_space"].variable.copy(deep=True)
    for key in ("regular", "shear", "z_step_assumed"):
        space.attrs.pop(key, None)
    space.attrs["geometry"] = "rectilinear"
    space.attrs["z_step"] = abs(round(target.steps[0], DECIMALS))
    found: dict[str, Any] = {"patient_space": space}
    for name, values in (("z", target.z), ("y", target.y), ("x", target.x)):
        found[name] = xr.Variable((name,), values, array.coords[name].attrs)
    return found
