"""An array and a grid become the array's values on that grid, chunk by chunk."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import dask.array as da
import numpy as np
import xarray as xr

from xdicom.errors import FrameOfReferenceError, GeometryError
from xdicom.opening.arrays import VARIABLE
from xdicom.selecting.provenance import pixels_of
from xdicom.space.blocks import at_once, in_blocks
from xdicom.space.kernels import SUPPORT, Array, float_of
from xdicom.space.lattice import Lattice, lattice_of
from xdicom.space.matching import Match, match

Obj = TypeVar("Obj", xr.DataArray, xr.Dataset)

_GRID: Final = ("z", "y", "x", "patient_space")
_PER_SLICE: Final = ("SliceThickness", "SpacingBetweenSlices", "SliceLocation")
"""Scalars that tell of the slices as they were acquired."""


def map_to(
    obj: Obj,
    other: xr.DataArray | xr.Dataset,
    *,
    method: str = "linear",
    fill_value: float = np.nan,
    allow_other_frame_of_reference: bool = False,
) -> Obj:
    """Values at the voxels of another array, wherever its planes lie.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient, evenly spaced; other dims are kept as they are.
    other : DataArray or Dataset
        Whose grid is wanted: rectilinear, or sheared evenly; its slices may be uneven.
    method : {"linear", "nearest", "cubic"}
        Cubic is a B-spline through the values, and needs finite ones; it may overshoot.
    fill_value : float
        For voxels outside of `obj`, that is more than half a voxel beyond its outermost centres.
    allow_other_frame_of_reference : bool
        Take millimetres of one frame of reference for those of the other. Only who has registered
        the two may say so.

    Returns
    -------
    DataArray or Dataset
        Dims (the others…, z, y, x[, sample]) with the coordinates of `other`. Chunked arrays stay
        lazy, and a task reads only the part of `obj` that its own planes lie in; others are
        computed. Floats keep their type, integers of up to 16 bits become float32 and larger ones
        float64; with ``method="nearest"`` and a whole `fill_value` integers stay what they are.
        Where all voxels stand on voxels of `obj` (equal grids, parts, strides, flips, other
        orders of the axes), nothing is interpolated, and equal grids give equal bits.

    Raises
    ------
    FrameOfReferenceError
        If FrameOfReferenceUID differs or is missing (PS3.3 C.7.4.1): positions of different
        frames of reference have nothing to do with each other.
    GeometryError
        If one of the two has no place in the patient, or slices of `obj` are not evenly spaced.

    Notes
    -----
    On a coarser grid each voxel is one point, not a mean: what is finer than that grid aliases.
    Smooth or ``coarsen`` before. A voxel between a value and a NaN is NaN.

    The frames of the result are not those of any file: ``frame_id`` is gone, unless nothing was
    interpolated and planes stayed planes. ``dicom_source`` still leads to the headers of `obj`.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"EchoTime": [5, 10], "z": 4})
    ...     fine = xdicom.open_series(folder).load()
    >>> mapped = map_to(fine, fine.isel(EchoTime=0, z=slice(None, None, 2), x=slice(4, 8)))
    >>> mapped.sizes
    Frozen({'EchoTime': 2, 'z': 2, 'y': 16, 'x': 4})
    """
    if method not in SUPPORT:
        raise ValueError(f"method {method!r} is none of {', '.join(SUPPORT)}")
    array = pixels_of(obj)
    if array.dtype.kind == "b":
        raise TypeError("this array is a mask: use map_mask_to, which keeps it one")
    dtype = float_of(array.dtype)
    if array.dtype.kind in "iu" and method == "nearest" and float(fill_value).is_integer():
        dtype = np.result_type(array.dtype, np.min_scalar_type(int(fill_value)))
    mapped = _mapped(array, other, method, fill_value, dtype, allow_other_frame_of_reference)
    return like(obj, mapped)


def map_mask_to(
    obj: Obj,
    other: xr.DataArray | xr.Dataset,
    *,
    method: str = "nearest",
    allow_other_frame_of_reference: bool = False,
) -> Obj:
    """A mask, or an image of labels, at the voxels of another array.

    Parameters
    ----------
    obj : DataArray or Dataset
        Bool, or integer labels with 0 for none.
    other : DataArray or Dataset
        Whose grid is wanted.
    method : {"nearest", "linear"}
        The value at the nearest voxel; or the label that, interpolated, fills at least half of
        the voxel, 0 where none does.
    allow_other_frame_of_reference : bool
        As for `map_to`.

    Returns
    -------
    DataArray or Dataset
        As `map_to`; the type stays, and what lies outside is False or 0.

    Raises
    ------
    TypeError
        If the values are floats: a threshold must say first what is in the mask.
    FrameOfReferenceError, GeometryError
        As `map_to`.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"z": 4})
    ...     image = xdicom.open_series(folder).load()
    >>> mask = map_mask_to(image > 1, image.isel(z=slice(0, 2)))
    >>> mask.dtype, mask.sizes["z"]
    (dtype('bool'), 2)
    """
    array = pixels_of(obj)
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"a mask is bool or integer labels, not {array.dtype}: compare it first (mask > 0.5), "
            "or use map_to"
        )
    kernels = {"nearest": "nearest", "linear": "labels"}
    if method not in kernels:
        raise ValueError(f"method {method!r} is none of {', '.join(kernels)}")
    none = array.dtype.type(0)
    allowed = allow_other_frame_of_reference
    return like(obj, _mapped(array, other, kernels[method], none, array.dtype, allowed))


def like(obj: Obj, array: xr.DataArray) -> Obj:
    """A result as an object of the kind that was given."""
    if isinstance(obj, xr.DataArray):
        return array
    return array.to_dataset(name=VARIABLE).assign_attrs(obj.attrs)


def _mapped(
    array: xr.DataArray,
    other: xr.DataArray | xr.Dataset,
    method: str,
    fill_value: Any,
    dtype: np.dtype[Any],
    allowed: bool,
) -> xr.DataArray:
    source, target = lattice_of(array), lattice_of(other)
    if not allowed:
        _check_frame_of_reference(source, target)
    grid = _grid_coordinates(other, target)
    found = match(source, target)
    if found is None and not source.even:
        raise GeometryError(
            "the slices are not evenly spaced, or drift unevenly: values between them would be "
            "guessed",
            remedy="Resample them first with .dicom.rectify(step=…)",
        )
    return on_lattice(array, source, target, grid, method, fill_value, dtype, found)


def _check_frame_of_reference(source: Lattice, target: Lattice) -> None:
    own, theirs = source.frame_of_reference, target.frame_of_reference
    if own and own == theirs:
        return
    raise FrameOfReferenceError(
        "the two arrays lie in different frames of reference"
        if own and theirs
        else "FrameOfReferenceUID is missing: it is unknown whether the two arrays share a place",
        expected=f"FrameOfReferenceUID {theirs or own or 'of both'}",
        found=own if own and theirs else f"{own or 'none'} and {theirs or 'none'}",
        remedy="Register them, or pass allow_other_frame_of_reference=True if they are registered",
    )


def _grid_coordinates(other: xr.DataArray | xr.Dataset, target: Lattice) -> dict[str, Any]:
    """The coordinates that say where the target's voxels lie."""
    space = other.coords["patient_space"].variable.copy(deep=True)
    if target.drift.any():
        if not target.even:
            raise GeometryError(
                "the slices of the target drift unevenly, so no grid can be told of the result",
                remedy="Map to target.dicom.rectify() instead",
            )
        space.attrs["shear"] = _shear(target)
    grid = {name: other.coords[name].variable for name in ("z", "y", "x")}
    if target.dim not in (None, "z") and target.dim in other.coords:
        grid[str(target.dim)] = other.coords[target.dim].variable
    return {**grid, "patient_space": space}


def _shear(target: Lattice) -> list[float]:
    """The x and y of planes' origins at z = 0, each followed by its change per mm of z."""
    found: list[float] = []
    run = float(target.z[-1] - target.z[0])
    for drift in target.drift.T:
        slope = float(drift[-1] - drift[0]) / run if run else 0.0
        found += [float(drift[0] - slope * target.z[0]), slope]
    return found


def on_lattice(
    array: xr.DataArray,
    source: Lattice,
    target: Lattice,
    grid: dict[str, Any],
    method: str,
    fill_value: Any,
    dtype: np.dtype[Any],
    found: Match | None,
) -> xr.DataArray:
    """The array on a target's lattice, with the coordinates given for it."""
    own = source.dim or "z"
    wide = array if source.dim is not None else array.expand_dims("z")
    others = [d for d in wide.dims if d not in (own, "y", "x")]
    inner = tuple(str(d) for d in (target.dim or "z", "y", "x"))
    clash = set(inner) & set(map(str, others))
    if clash:
        raise GeometryError(
            f"{clash.pop()!r} counts the slices of the target, and is another dim of the array"
        )
    bare = wide.variable.transpose(*others, own, "y", "x")
    keeps_frames = False
    if found is not None and found.within(source.shape):
        values = _picked(bare, found, len(others), inner)
        keeps_frames = found.planes_are_planes
    elif isinstance(bare.data, da.Array):
        data = in_blocks(bare.data, source, target, method, fill_value, dtype, found)
        values = xr.Variable((*others, *inner), data)
    else:
        data = at_once(bare, source, target, method, fill_value, dtype, found)
        values = xr.Variable((*others, *inner), data)
    coords: dict[Any, xr.Variable] = {
        name: c.variable
        for name, c in array.coords.items()
        if not {own, "y", "x"} & set(c.dims) and name not in (*_GRID, own)
    }
    if keeps_frames and found is not None:
        coords.update(_frame_coordinates(array, own, found, inner[0]))
    else:
        coords = {k: v for k, v in coords.items() if k not in (*_PER_SLICE, "frame_id")}
    attrs = dict(array.attrs)
    if target.frame_of_reference:
        attrs["FrameOfReferenceUID"] = target.frame_of_reference
    else:
        attrs.pop("FrameOfReferenceUID", None)
    if target.dim is None:
        grid = {**grid, "z": grid["z"].expand_dims("z")}
    result = xr.DataArray(values, coords={**coords, **grid}, name=array.name, attrs=attrs)
    if target.dim is None:
        result = result.isel(z=0)
    order = [d for d in result.dims if d != "sample"]
    return result.transpose(*order, ...)


def _picked(bare: xr.Variable, found: Match, outer: int, inner: tuple[str, ...]) -> xr.Variable:
    """Voxels of the source at the places of the target, by plain indexing."""
    names = bare.dims[outer:]
    # a DataArray without coordinates: what is not loaded stays so
    taken = xr.DataArray(bare).isel(
        {d: _as_slice(i) for d, i in zip(names, found.index, strict=True)}
    )
    axes = list(found.axes)
    free = [a for a in range(3) if a not in axes]
    axes = [free.pop(0) if a is None else a for a in axes]
    order = [names[axes.index(a)] for a in range(3)]
    turned = taken.transpose(*bare.dims[:outer], *order)
    return turned.rename(dict(zip(order, inner, strict=True))).variable


def _as_slice(index: Array) -> slice | Array:
    """A slice where the index is one, so that what is lazy stays a view."""
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    if step == 0 or (np.diff(index) != step).any():
        return index
    stop = int(index[-1]) + (1 if step > 0 else -1)
    return slice(int(index[0]), stop if stop >= 0 else None, step)


def _frame_coordinates(
    array: xr.DataArray, own: str, found: Match, dim: str
) -> dict[str, xr.Variable]:
    """Coordinates of the slices that were taken, frame_id among them."""
    taken = {}
    for name, c in array.coords.items():
        if own in c.dims and not {"y", "x"} & set(c.dims) and name not in (*_GRID, own):
            part = c.variable.isel({own: _as_slice(found.index[0])})
            renamed = tuple(dim if d == own else d for d in part.dims)
            taken[str(name)] = xr.Variable(renamed, part.values, part.attrs)
    return taken
