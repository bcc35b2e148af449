"""The folder of real files becomes collections: files, arrays, and what others made of them."""

from __future__ import annotations

import ast
import gzip
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import XDicomWarning

VARIABLE = "XDICOM_TEST_DATA"
CATEGORIES = (
    "ct", "mr3d", "mr4d", "enhanced", "mosaic", "nm", "pet", "xa", "xray", "sc", "ts",
)  # fmt: skip
TRUTH_FOLDER = "_truth"


def root() -> Path | None:
    """The folder of real files, or None where the environment names none."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def collections() -> list[str]:
    """Names of all collections (category/collection) in the categories of these tests."""
    base = root()
    if base is None:
        return []
    return sorted(
        f"{category}/{folder.name}"
        for category in CATEGORIES
        for folder in (base / category).iterdir()
        if folder.is_dir()
    )


def folder_of(collection: str) -> Path:
    """Folder of a collection."""
    base = root()
    assert base is not None
    return base / collection


def files_of(collection: str) -> list[str]:
    """Paths of a collection's files relative to the root, without published conversions."""
    base = folder_of(collection)
    return sorted(
        f"{collection}/{path.relative_to(base).as_posix()}"
        for path in base.rglob("*")
        if path.is_file() and TRUTH_FOLDER not in path.parts
    )


@cache
def _truth(name: str) -> dict[str, Any]:
    base = root()
    assert base is not None
    path = base / "truth" / name
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    found: dict[str, Any] = json.loads(text)
    return found


@dataclass(frozen=True)
class PixelTruth:
    """What pydicom decodes of one file, by default or as it is stored."""

    shape: tuple[int, ...]
    """Of a frame: rows, columns, and samples where there are several."""
    dtype: np.dtype[Any]
    """Of the values."""
    digests: tuple[str, ...]
    """SHA-256 of each frame's little-endian bytes."""
    error: str = ""
    """Why there is none."""


def pixel_truth(path: str, color: str) -> PixelTruth | None:
    """What pydicom decodes of a file with ``color="rgb"`` or ``"raw"``; None for non-images."""
    entry = _truth("pydicom_pixels.json.gz").get(path, {"skipped": "not listed"})
    if "skipped" in entry:
        return None
    found = entry["raw"] if color == "raw" and entry["raw"] != "same" else entry["default"]
    if "error" in found:
        return PixelTruth((), np.dtype("u1"), (), found["error"])
    return PixelTruth(tuple(found["shape"]), np.dtype(found["dtype"]), tuple(found["sha256"]))


def whole_digest(path: str) -> str:
    """SHA-256 of what ``Dataset.pixel_array`` gives where pydicom.pixels fails; else empty."""
    entry = _truth("pydicom_pixels.json.gz")[path].get("pixel_array", {})
    return str(entry.get("sha256", ""))


@dataclass(frozen=True)
class Nifti:
    """One image that dcm2niix wrote: index i, j, k to millimetres R, A, S, rows flipped."""

    name: str
    """File name without its folder and suffix."""
    shape: tuple[int, int, int]
    """Of a volume."""
    volumes: int
    """How many."""
    dtype: np.dtype[Any]
    """Of the voxels; three fields for colour."""
    affine: np.ndarray
    """Shape (4, 4)."""
    digest: str
    """SHA-256 of all voxels in Fortran order."""
    voxels: tuple[tuple[tuple[int, ...], Any], ...]
    """Some voxels: their index and value."""
    sidecar: dict[str, Any]
    """Its BIDS metadata."""
    b_values: tuple[float, ...]
    """Of each volume, s/mm²; empty where it is not diffusion."""
    b_vectors: np.ndarray
    """FSL's, shape (volumes, 3)."""


@dataclass(frozen=True)
class Conversion:
    """What dcm2niix made of a collection."""

    niftis: tuple[Nifti, ...]
    """The images."""
    log: tuple[str, ...]
    """Its warnings and errors."""

    @property
    def disclaims(self) -> bool:
        """Whether it says itself that an affine cannot hold the slices' distances."""
        return any("Interslice distance varies" in line for line in self.log)


def conversion(collection: str) -> Conversion:
    """What dcm2niix made of a collection."""
    entry = _truth("dcm2niix.json").get(collection, {"niftis": [], "log": []})
    niftis = []
    for n in entry["niftis"]:
        volumes = n["shape"][3] if len(n["shape"]) > 3 else 1
        dtype = ast.literal_eval(n["dtype"]) if n["dtype"].startswith("[") else n["dtype"]
        niftis.append(
            Nifti(
                n["name"].removesuffix(".nii"),
                tuple(n["shape"][:3]),
                volumes,
                np.dtype(dtype),
                np.array(n["affine"]),
                n["sha256_F"],
                tuple((tuple(i), tuple(v) if isinstance(v, list) else v) for i, v in n["voxels"]),
                n.get("bids", {}),
                tuple(np.ravel(n.get("bval", []))),
                np.reshape(n.get("bvec", np.empty((3, 0))), (3, -1)).T,
            )
        )
    return Conversion(tuple(niftis), tuple(entry["log"]))


@dataclass(frozen=True)
class Volume:
    """What SimpleITK's series reader made of one series of one folder."""

    uid: str
    """SeriesInstanceUID."""
    shape: tuple[int, ...]
    """x, y, z and perhaps t."""
    affine: np.ndarray
    """Index x, y, z to L, P, S; shape (4, 4)."""
    dtype: np.dtype[Any]
    """Of the values, the rescale applied."""
    digest: str
    """SHA-256 in C order."""
    statistics: tuple[float, ...]
    """Least, greatest and mean value; empty for colour."""


_ITK_TYPES = {
    "8-bit unsigned integer": "u1",
    "vector of 8-bit unsigned integer": "u1",
    "16-bit signed integer": "i2",
    "16-bit unsigned integer": "u2",
    "32-bit signed integer": "i4",
    "64-bit float": "f8",
}


def itk_volumes(collection: str) -> list[Volume]:
    """What SimpleITK made of each series below a collection; without those it failed on."""
    found = []
    for folder, series in _truth("simpleitk.json").items():
        if folder != collection and not folder.startswith(collection + "/"):
            continue
        for uid, entry in series.items():
            if "error" in entry:
                continue
            affine = np.eye(4)
            directions = np.reshape(entry["direction"], (len(entry["size"]), -1))[:3, :3]
            affine[:3, :3] = directions * entry["spacing"][:3]
            affine[:3, 3] = entry["origin"][:3]
            statistics = [entry[k] for k in ("min", "max", "mean") if entry[k] is not None]
            found.append(
                Volume(
                    uid,
                    tuple(entry["size"]),
                    affine,
                    np.dtype(_ITK_TYPES[entry["pixel"]]),
                    entry["sha256_C"],
                    tuple(statistics),
                )
            )
    return found


@dataclass(frozen=True)
class Node:
    """One array of an opened collection, or the error that stands in its place."""

    path: str
    """Path in the tree."""
    dataset: xr.Dataset
    """With ``pixels`` where there is no error."""

    @property
    def error(self) -> str:
        """Why it is no array; empty where it is one."""
        return str(self.dataset.attrs.get("dicom_error", ""))

    @property
    def pixels(self) -> xr.DataArray:
        """The array."""
        return self.dataset["pixels"]


def nodes(where: Any, **options: Any) -> list[Node]:
    """All arrays and errors under a path, opened as a tree; stored values by default."""
    options.setdefault("mask_and_scale", False)
    with quiet():
        tree = xr.open_datatree(where, engine="dicom", **options)
    found = []
    for path, node in tree.subtree_with_keys:
        dataset = node.to_dataset(inherit=False)
        if "pixels" in dataset or "dicom_error" in dataset.attrs:
            found.append(Node(path, dataset))
    return found


def open_file(path: str, **options: Any) -> xr.Dataset:
    """One file of the folder by its own path; stored values by default."""
    base = root()
    assert base is not None
    options.setdefault("mask_and_scale", False)
    with quiet():
        return xr.open_dataset(base / path, engine="dicom", **options)


@contextmanager
def quiet() -> Iterator[None]:
    """Faults of the data are what these tests look at: their warnings are expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XDicomWarning)
        yield


def frame_dims(array: xr.DataArray) -> tuple[str, ...]:
    """Frame dims of an array but z."""
    return tuple(str(d) for d in array.dims if d not in ("z", "y", "x", "sample"))


def cells(array: xr.DataArray) -> Iterator[dict[str, int]]:
    """The index of each frame."""
    dims = [d for d in array.dims if d not in ("y", "x", "sample")]
    for index in np.ndindex(*(array.sizes[d] for d in dims)):
        yield {str(d): int(i) for d, i in zip(dims, index, strict=True)}
