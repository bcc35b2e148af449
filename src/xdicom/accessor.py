"""``.dicom`` on DataArray, Dataset and DataTree: each method calls a documented function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from pydicom.dataset import FileDataset

from xdicom.display.montage import montage
from xdicom.display.pictures import display
from xdicom.interop.highdicom import to_highdicom
from xdicom.interop.itk import to_sitk
from xdicom.interop.nifti import to_nifti
from xdicom.opening.arrays import VARIABLE
from xdicom.selecting import position, values
from xdicom.selecting.explaining import Explanation, Explanations, explain
from xdicom.selecting.filtering import filter_frames
from xdicom.selecting.iterating import iter_frames
from xdicom.selecting.overlays import overlays
from xdicom.selecting.pixel_headers import padding_mask
from xdicom.selecting.pixel_values import pixel_values
from xdicom.selecting.provenance import Source
from xdicom.selecting.segments import segments
from xdicom.selecting.values import Key
from xdicom.space.mapping import map_mask_to, map_to
from xdicom.space.rectifying import rectify
from xdicom.writing.files import to_dicom

Attributes = Mapping[Key, Any]


class _ArrayAccessor:
    """What DataArray and Dataset share; it keeps nothing, since accessors are made anew."""

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def filter(
        self,
        attributes: Attributes | None = None,
        *,
        keep: str = "outer",
        source: Source | None = None,
        **by_keyword: Any,
    ) -> Any:
        """Frames whose attributes have the values wanted (`filter_frames`)."""
        wanted: dict[Any, Any] = {**(attributes or {}), **by_keyword}
        return filter_frames(self._obj, wanted, keep=keep, source=source)

    def values(
        self, key: Key, *, unit: str | None = None, source: Source | None = None
    ) -> xr.DataArray:
        """An attribute's value at each frame (`xdicom.selecting.values.values`)."""
        return values.values(self._obj, key, unit=unit, source=source)

    def unique(self, key: Key, *, source: Source | None = None) -> npt.NDArray[Any]:
        """An attribute's distinct values, sorted (`xdicom.selecting.values.unique`)."""
        return values.unique(self._obj, key, source=source)

    def __getitem__(self, key: Key | list[Key]) -> Any:
        """One value, or the sorted list of distinct ones; a list of keys gives a list."""
        return values.item(self._obj, key)

    def header(self, *, source: Source | None = None, **indexers: int) -> FileDataset:
        """The whole header of one frame's instance (`xdicom.selecting.values.header`)."""
        return values.header(self._obj, source=source, **indexers)

    def explain(self) -> Explanation:
        """How the dims were found (`xdicom.selecting.explaining.explain`)."""
        return explain(self._obj)

    @property
    def problems(self) -> pd.DataFrame:
        """What was wrong with the files: kind, file, frame, message, excluded."""
        return values.problems(self._obj)

    @property
    def segments(self) -> pd.DataFrame:
        """The segments of a segmentation: a row each (`xdicom.selecting.segments.segments`)."""
        return segments(self._obj)

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Index (z, y, x) → patient L, P, S in mm, 4 × 4 (`xdicom.selecting.position.affine`)."""
        return position.affine(self._obj)

    @property
    def affine_nifti(self) -> npt.NDArray[np.float64]:
        """Index (x, y, z) → R, A, S in mm, 4 × 4."""
        return position.affine_nifti(self._obj)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxels along z, y, x in mm."""
        return position.spacing(self._obj)

    @property
    def orientation(self) -> npt.NDArray[np.float64]:
        """Cosines along rows and along columns in patient L, P, S, shape (2, 3)."""
        return position.orientation(self._obj)

    def rectify(self, **options: Any) -> Any:
        """Sheared or uneven slices on a rectilinear grid (`xdicom.space.rectifying.rectify`)."""
        return rectify(self._obj, **options)

    def map_to(self, other: Any, **options: Any) -> Any:
        """Values at the voxels of another array (`xdicom.space.mapping.map_to`)."""
        return map_to(self._obj, other, **options)

    def map_mask_to(self, other: Any, **options: Any) -> Any:
        """A mask at the voxels of another array (`xdicom.space.mapping.map_mask_to`)."""
        return map_mask_to(self._obj, other, **options)

    def to_nifti(self, path: Any, **options: Any) -> list[Path]:
        """Write NIfTI files (`xdicom.interop.nifti.to_nifti`)."""
        return to_nifti(self._obj, path, **options)

    def to_sitk(self, **options: Any) -> Any:
        """A SimpleITK image (`xdicom.interop.itk.to_sitk`)."""
        return to_sitk(self._obj, **options)

    def to_highdicom(self) -> Any:
        """A highdicom Volume (`xdicom.interop.highdicom.to_highdicom`)."""
        return to_highdicom(self._obj)

    def padding_mask(self, *, source: Source | None = None) -> xr.DataArray:
        """Where pixels are padding, lazily (`xdicom.selecting.pixel_headers.padding_mask`)."""
        return padding_mask(self._obj, source=source)

    def overlays(self, *, source: Source | None = None) -> xr.DataArray:
        """Masks that are laid over the frames (`xdicom.selecting.overlays.overlays`)."""
        return overlays(self._obj, source=source)

    def display(self, window: Any = None, **options: Any) -> xr.DataArray:
        """Grey levels or colours as bytes, lazily (`xdicom.display.pictures.display`)."""
        return display(self._obj, window, **options)

    def montage(self, **options: Any) -> Any:
        """All frames as a matplotlib figure (`xdicom.display.montage.montage`)."""
        return montage(self._obj, **options)

    def iter_frames(
        self, indices: Iterable[int] | None = None, *, raw: bool = False
    ) -> Iterator[npt.NDArray[Any]]:
        """Frames one by one, as pydicom's ``iter_pixels`` (`iter_frames`)."""
        return iter_frames(self._obj, indices, raw=raw)

    def pixel_values(self, *args: Any, **options: Any) -> Any:
        """Pixels as dbdicom gives them: numpy float32 (column, row, *dims) (`pixel_values`)."""
        return pixel_values(self._obj, *args, **options)

    def to_dicom(self, folder: Any, **options: Any) -> Any:
        """Write as a new series, one file a frame (`xdicom.writing.files.to_dicom`)."""
        return to_dicom(self._obj, folder, **options)


@xr.register_dataarray_accessor("dicom")  # type: ignore[no-untyped-call]
class DataArrayAccessor(_ArrayAccessor):
    """``da.dicom``."""


@xr.register_dataset_accessor("dicom")  # type: ignore[no-untyped-call]
class DatasetAccessor(_ArrayAccessor):
    """``ds.dicom``: of the variable ``pixels`` and its coordinates."""


@xr.register_datatree_accessor("dicom")  # type: ignore[no-untyped-call]
class DataTreeAccessor:
    """``tree.dicom``: over all nodes that have frames."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def _nodes(self) -> Iterator[tuple[str, xr.Dataset]]:
        for path, node in self._tree.subtree_with_keys:
            dataset = node.to_dataset(inherit=False)
            if "frame_id" in dataset.coords:
                yield path, dataset

    def filter(
        self, attributes: Attributes | None = None, *, keep: str = "outer", **by_keyword: Any
    ) -> xr.DataTree:
        """The tree of what matches in each node; nodes without a match are left out."""
        wanted: dict[Any, Any] = {**(attributes or {}), **by_keyword}
        kept = {}
        for path, dataset in self._nodes():
            if VARIABLE not in dataset:
                continue
            found = filter_frames(dataset, wanted, keep=keep)
            if found[VARIABLE].size:
                kept[path] = found
        return xr.DataTree.from_dict(kept, name=self._tree.name)

    def values(self, key: Key) -> dict[str, xr.DataArray]:
        """An attribute's value at each frame, by the path of the node."""
        return {path: values.values(ds, key) for path, ds in self._nodes()}

    def unique(self, key: Key) -> npt.NDArray[Any]:
        """An attribute's distinct values over all nodes, sorted."""
        found = [u for _, ds in self._nodes() if (u := values.unique(ds, key)).size]
        if not found:
            return np.empty(0)
        if len({u.dtype.kind for u in found}) > 1:
            found = [u.astype(np.str_) for u in found]
        return np.unique(np.concatenate(found), axis=0)

    def __getitem__(self, key: Key | list[Key]) -> Any:
        """One value, or the sorted list of distinct ones; a list of keys gives a list."""
        if isinstance(key, list):
            return [self[k] for k in key]
        return values.as_item(self.unique(key))

    def explain(self) -> Explanations:
        """How the dims of each array were found, by the path of its node."""
        return Explanations({p: explain(ds) for p, ds in self._nodes() if VARIABLE in ds})

    @property
    def problems(self) -> pd.DataFrame:
        """What was wrong with the files of all nodes."""
        frames = [values.problems(ds) for _, ds in self._nodes()]
        if not frames:
            return values.problem_frame([])
        return pd.concat(frames).drop_duplicates().reset_index(drop=True)

    def _one(self, *, pixels: bool = True) -> DatasetAccessor:
        """The only array at or below this node, for what makes no sense of several.

        Without ``pixels``: where there is none, the only node with headers.
        """
        nodes = list(self._nodes())
        found = [(p, ds) for p, ds in nodes if VARIABLE in ds]
        if not found and not pixels:
            found = nodes
        if len(found) != 1:
            paths = ", ".join(p for p, _ in found[:10]) or "none"
            raise ValueError(
                f"this node holds {len(found)} arrays ({paths}); index the tree with one of them"
            )
        return DatasetAccessor(found[0][1])

    def header(self, *, source: Source | None = None, **indexers: int) -> FileDataset:
        """The header of one frame of the node's only array, or of one object without pixels."""
        return self._one(pixels=False).header(source=source, **indexers)

    @property
    def segments(self) -> pd.DataFrame:
        """The segments of the node's only array."""
        return self._one().segments

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """The affine of the node's only array."""
        return self._one().affine

    @property
    def affine_nifti(self) -> npt.NDArray[np.float64]:
        """The NIfTI affine of the node's only array."""
        return self._one().affine_nifti

    @property
    def spacing(self) -> tuple[float, float, float]:
        """The voxel distances of the node's only array."""
        return self._one().spacing

    @property
    def orientation(self) -> npt.NDArray[np.float64]:
        """The cosines of the node's only array."""
        return self._one().orientation

    def padding_mask(self, *, source: Source | None = None) -> xr.DataArray:
        """The padding of the node's only array."""
        return self._one().padding_mask(source=source)

    def overlays(self, *, source: Source | None = None) -> xr.DataArray:
        """The overlays of the node's only array."""
        return self._one().overlays(source=source)

    def display(self, window: Any = None, **options: Any) -> xr.DataArray:
        """Grey levels or colours of the node's only array."""
        return self._one().display(window, **options)

    def montage(self, **options: Any) -> Any:
        """The frames of the node's only array as a figure."""
        return self._one().montage(**options)

    def pixel_values(self, *args: Any, **options: Any) -> Any:
        """The pixel values of the node's only array as dbdicom gives them."""
        return self._one().pixel_values(*args, **options)

    def to_dicom(self, folder: Any, **options: Any) -> Any:
        """Write the node's only array as a new series."""
        return self._one().to_dicom(folder, **options)
