"""A lattice becomes lazy coordinates L, P and S, and points in mm become voxels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
import xarray as xr
from xarray.core.indexing import (
    CoordinateTransformIndexingAdapter,
    IndexSelResult,
    OuterIndexer,
)
from xarray.indexes import CoordinateTransform, CoordinateTransformIndex

from xdicom.space.lattice import EDGE, Floats, Lattice, lattice_of

Obj = TypeVar("Obj", xr.DataArray, xr.Dataset)

_AXES: Final = ("L", "P", "S")
_LONG: Final = {"L": "towards left", "P": "towards posterior", "S": "towards superior"}
_SAME: Final = 1e-6
"""mm: places of equal lattices differ by no more."""


class PatientTransform(CoordinateTransform):
    """Index along the planes, rows and columns of a lattice ↔ millimetres L, P, S.

    Parameters
    ----------
    lattice : Lattice
        Of planes, rows and columns; of length 1 where one was taken.
    dims : tuple
        Names of the dims of the three; None where one was taken.
    names : tuple of str
        Of the coordinates.
    """

    def __init__(
        self,
        lattice: Lattice,
        dims: tuple[str | None, str | None, str | None],
        names: tuple[Hashable, ...] = _AXES,
    ) -> None:
        sizes = {d: n for d, n in zip(dims, lattice.shape, strict=True) if d is not None}
        super().__init__(names, sizes)
        self.lattice = lattice
        self.axes = dims

    def forward(self, dim_positions: dict[str, Any]) -> dict[Hashable, Any]:
        """Places of voxels."""
        at = [
            np.asarray(dim_positions[d] if d is not None else 0, dtype=np.int64) for d in self.axes
        ]
        points = self.lattice.points(*at)
        return {name: points[..., i] for i, name in enumerate(self.coord_names)}

    def reverse(self, coord_labels: dict[Hashable, Any]) -> dict[str, Any]:
        """Fractional index of points; that they are inside is not asked here."""
        index = self.lattice.locate(self._points(coord_labels))
        return {d: i for d, i in zip(self.axes, index, strict=True) if d is not None}

    def _points(self, labels: Mapping[Hashable, Any]) -> Floats:
        each = (np.asarray(labels[name], dtype=np.float64) for name in self.coord_names)
        return np.stack(np.broadcast_arrays(*each), axis=-1)

    def voxels(
        self, labels: Mapping[Hashable, Any], tolerance: float | None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """The voxel that each point lies in.

        Raises
        ------
        KeyError
            If a point lies in none, or further than `tolerance` mm from its centre.
        """
        points = self._points(labels)
        index = self.lattice.locate(points)
        voxels = []
        lost = np.zeros(points.shape[:-1], bool)
        for place, size in zip(index, self.lattice.shape, strict=True):
            # written so that NaN, which is nowhere, is lost
            lost |= ~((place >= -0.5 - EDGE) & (place <= size - 0.5 + EDGE))
            whole = np.floor(np.where(np.isfinite(place), place, 0.0) + 0.5)
            voxels.append(np.clip(whole, 0, size - 1).astype(np.int64))
        if lost.any():
            raise KeyError(
                f"{int(lost.sum())} of {lost.size} points lie outside of the volume, the first at "
                f"{self._named(points[lost][0])}; it spans {self._extent()}"
            )
        if tolerance is not None:
            away = np.linalg.norm(points - self.lattice.points(*voxels), axis=-1)
            if (away > tolerance).any():
                first = points[away > tolerance][0]
                raise KeyError(
                    f"no voxel's centre within {tolerance:g} mm of {self._named(first)}: "
                    f"the nearest is {float(away.max()):.3g} mm away"
                )
        return {d: v for d, v in zip(self.axes, voxels, strict=True) if d is not None}

    def _named(self, point: Floats) -> str:
        return ", ".join(f"{n} {v:g}" for n, v in zip(self.coord_names, point, strict=True))

    def _extent(self) -> str:
        ends = np.ix_(*([0, n - 1] for n in self.lattice.shape))
        corners = self.lattice.points(*ends).reshape(-1, 3)
        limits = zip(self.coord_names, corners.min(axis=0), corners.max(axis=0), strict=True)
        return ", ".join(f"{name} {low:.1f} to {high:.1f}" for name, low, high in limits)

    def equals(
        self, other: CoordinateTransform, *, exclude: frozenset[Hashable] | None = None
    ) -> bool:
        """Whether the same voxels lie at the same places."""
        if not isinstance(other, PatientTransform) or self.dim_size != other.dim_size:
            return False
        own, theirs = self.lattice, other.lattice
        if own.shape != theirs.shape or own.frame_of_reference != theirs.frame_of_reference:
            return False
        return all(
            np.allclose(getattr(own, name), getattr(theirs, name), rtol=0, atol=_SAME)
            for name in ("row", "column", "origins", "y", "x")
        )


class _Places(CoordinateTransformIndexingAdapter):
    """Values of one coordinate, computed where asked for.

    xarray's own keeps the axes of whole numbers that come from dask, which `chunk` lays around it.
    """

    def _oindex_get(self, indexer: OuterIndexer) -> np.ndarray[Any, Any]:
        found = np.asarray(super()._oindex_get(indexer))
        whole = [n for n, i in enumerate(indexer.tuple) if isinstance(i, (int, np.integer))]
        return found.squeeze(tuple(whole)) if found.ndim == len(indexer.tuple) else found

    def __getitem__(self, indexer: Any) -> np.ndarray[Any, Any]:
        return self._oindex_get(OuterIndexer(indexer.tuple))


class PatientIndex(CoordinateTransformIndex):
    """An xarray index over L, P and S: places of oblique voxels, never held in memory.

    ``.sel(L=…, P=…, S=…)`` in mm gives the voxel that holds the point; one beyond the volume is a
    KeyError. With ``tolerance=`` the voxel's centre must lie within so many mm. Several points
    are given as DataArrays over a dim of their own. Crops, strides and flips by ``isel`` keep the
    index, also where one plane, row or column is taken.
    """

    transform: PatientTransform

    @classmethod
    def of(cls, obj: xr.DataArray | xr.Dataset) -> PatientIndex:
        """The index of an array that has its place in the patient.

        Raises
        ------
        GeometryError
            If it has none.
        """
        lattice = lattice_of(obj)
        return cls(PatientTransform(lattice, (lattice.dim, "y", "x")))

    def create_variables(
        self, variables: Mapping[Any, xr.Variable] | None = None
    ) -> dict[Hashable, xr.Variable]:
        """The coordinates L, P and S, in the order of dims that they had."""
        made: dict[Hashable, xr.Variable] = {}
        for name in self.transform.coord_names:
            old = (variables or {}).get(name)
            dims = self.transform.dims
            if old is not None and set(old.dims) == set(dims):
                dims = tuple(map(str, old.dims))
            attrs = None if old is None else old.attrs
            made[name] = xr.Variable(dims, _Places(self.transform, name, dims), attrs)
        return made

    def isel(self, indexers: Mapping[Any, Any]) -> PatientIndex | None:
        """Keep the index in a part of the volume; None where no lattice is left."""
        transform = self.transform
        parts: list[Any] = []
        axes = list(transform.axes)
        for number, (dim, size) in enumerate(
            zip(transform.axes, transform.lattice.shape, strict=True)
        ):
            indexer = slice(None) if dim is None else indexers.get(dim, slice(None))
            part = _part(indexer, dim, size)
            if part is None:
                return None
            taken, keep = part
            if not keep:
                axes[number] = None
            parts.append(taken)
        if all(d is None for d in axes):
            return None
        lattice = _taken(transform.lattice, parts)
        names = tuple(transform.coord_names)
        return type(self)(PatientTransform(lattice, (axes[0], axes[1], axes[2]), names))

    def sel(
        self, labels: dict[Any, Any], method: str | None = None, tolerance: Any = None
    ) -> IndexSelResult:
        """The voxels that hold the points."""
        if method not in (None, "nearest"):
            raise ValueError(f"method {method!r}: only the voxel that holds a point is selected")
        lacking = [str(n) for n in self.transform.coord_names if n not in labels]
        if lacking:
            raise ValueError(f"a point needs all of L, P and S: {', '.join(lacking)} is missing")
        for label in labels.values():
            if isinstance(label, slice) or (
                not isinstance(label, (xr.DataArray, xr.Variable)) and np.ndim(label)
            ):
                raise TypeError(
                    "points are single numbers, or DataArrays over one dim of points; "
                    "take parts of the volume with isel, or with sel along x, y and z"
                )
        shaped = {n: v for n, v in labels.items() if isinstance(v, (xr.DataArray, xr.Variable))}
        plain = {n: v for n, v in labels.items() if n not in shaped}
        if shaped:
            names = list(shaped)
            each = xr.broadcast(*(_as_array(v) for v in shaped.values()))
            dims = each[0].dims
            every = {**plain, **{n: v.values for n, v in zip(names, each, strict=True)}}
            voxels = self.transform.voxels(every, tolerance)
            return IndexSelResult({d: xr.Variable(dims, v) for d, v in voxels.items()})
        return IndexSelResult(
            {d: int(v) for d, v in self.transform.voxels(plain, tolerance).items()}
        )

    def rename(
        self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]
    ) -> PatientIndex:
        """The index under other names."""
        old = self.transform
        names = tuple(name_dict.get(n, n) for n in old.coord_names)
        axes = [None if d is None else str(dims_dict.get(d, d)) for d in old.axes]
        return type(self)(PatientTransform(old.lattice, (axes[0], axes[1], axes[2]), names))


def _as_array(value: xr.DataArray | xr.Variable) -> xr.DataArray:
    plain = value.variable if isinstance(value, xr.DataArray) else value
    return xr.DataArray(plain)


def _part(indexer: Any, dim: str | None, size: int) -> tuple[Any, bool] | None:
    """What an indexer takes of an axis, and whether its dim stays; None for what is no lattice."""
    if isinstance(indexer, xr.Variable):
        if indexer.dims not in ((), (dim,)):
            return None  # points, one by one
        indexer = indexer.values
    if isinstance(indexer, slice):
        return (indexer, True) if len(range(*indexer.indices(size))) else None
    taken = np.asarray(indexer)
    if taken.ndim == 0:
        return np.array([int(taken)]), False
    steps = np.diff(np.arange(size)[taken])
    one_way = (steps > 0).all() or (steps < 0).all()
    return (taken, True) if len(taken) and one_way else None


def _taken(lattice: Lattice, parts: list[Any]) -> Lattice:
    planes, rows, columns = parts
    part = lattice.take(planes, rows, columns)
    sizes = [
        step if len(now) < 2 else float((now[-1] - now[0]) / (len(now) - 1))
        for now, step in zip((part.z, part.y, part.x), lattice.steps, strict=True)
    ]
    return replace(part, steps=(sizes[0], sizes[1], sizes[2]))


def patient_index(obj: Obj) -> Obj:
    """Give an array lazy coordinates L, P and S: where each voxel lies in the patient, in mm.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient, rectilinear or sheared.

    Returns
    -------
    DataArray or Dataset
        With `PatientIndex` coordinates over (z, y, x), of a few hundred bytes whatever their size.

    Raises
    ------
    GeometryError
        If the array has no place in the patient.

    Notes
    -----
    Columns and rows that are sampled unevenly afterwards, by ``isel`` with a list, are no lattice
    any more: their coordinates are computed, and ``.sel`` by L, P and S ends.

    Zarr and netCDF would write three numbers for each voxel: drop the coordinates before,
    ``da.drop_vars(["L", "P", "S"])``; x, y, z and patient_space hold all that they come from.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> oblique = (0.96, 0.28, 0, -0.168, 0.576, 0.8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"z": 4}, orientation=oblique, origin=(5, -7, 20))
    ...     da = xdicom.patient_index(xdicom.open_series(folder).load())
    >>> voxel = da.isel(z=2, y=3, x=4)
    >>> found = da.sel(L=float(voxel.L), P=float(voxel.P), S=float(voxel.S), tolerance=0.01)
    >>> bool(found == voxel)
    True
    >>> da.sel(L=500, P=0, S=0)
    Traceback (most recent call last):
    KeyError: '1 of 1 points lie outside of the volume, the first at L 500, P 0, S 0; ...'
    """
    index = PatientIndex.of(obj)
    coordinates = xr.Coordinates.from_xindex(index)
    for name in _AXES:
        coordinates[name].attrs.update(units="mm", long_name=_LONG[name])
    return obj.assign_coords(coordinates)
