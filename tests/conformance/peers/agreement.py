"""A collection becomes findings: where our arrays and other programs' images agree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from peers.collections import (
    Nifti,
    Node,
    Volume,
    conversion,
    files_of,
    folder_of,
    frame_dims,
    itk_volumes,
    nodes,
    open_file,
    pixel_truth,
)
from peers.meant import VALUES
from peers.niftis import Pair, as_voxels, images, pair, placed_alone, plane_agrees, voxels_agree
from peers.pixels import LEVELS, LOSSY, header
from peers.placement import TOLERANCE, Placement, affine_error, place
from xdicom.errors import GeometryError, NotDicomError, XDicomError

_COMPONENTS = {
    "MAGNITUDE": "M",
    "PHASE": "P",
    "REAL": "R",
    "IMAGINARY": "I",
    "FIELDMAPHZ": "FIELD_MAP",
}
"""dcm2niix's words for our labels of ``component``."""

_DIRECTION = 2e-4
"""Of a unit vector: 0.012 degrees."""

PLACED = ("rectilinear", "sheared")
"""Geometries in which a voxel has a place by x, y and z."""


@dataclass
class Findings:
    """How one collection compares with dcm2niix, or with SimpleITK."""

    found: list[str] = field(default_factory=list)
    """What agrees, in words."""
    images: int = 0
    """Images of the other program that are ours."""
    volumes: int = 0
    """Volumes of theirs that are ours."""
    by_file: int = 0
    """Images that are ours file by file: the files are no series."""
    planes: int = 0
    """Images of frames without a position: their values agree, there is nothing more."""
    worst: float = 0.0
    """Greatest distance of a corner voxel from where the other program has it, mm."""
    differences: list[str] = field(default_factory=list)
    """What does not agree."""


def is_placed(array: xr.DataArray) -> bool:
    """Whether voxels have a place in the patient."""
    return "z" in array.dims and array["patient_space"].attrs["geometry"] in PLACED


def opened(collection: str) -> list[tuple[Node, xr.DataArray | None]]:
    """Arrays of a collection with stored values, and with modality values where there are any.

    A grid with holes is none by default (SPEC §2.3): it is opened with ``ragged="fill"`` then.
    """
    try:
        stored = nodes(folder_of(collection))
    except NotDicomError:
        return []
    ragged = "raise"
    if any(node.error.startswith("NotHypercubeError") for node in stored):
        ragged = "fill"
        stored = nodes(folder_of(collection), ragged=ragged, fill_value=0)
    scaled = {n.path: n for n in nodes(folder_of(collection), mask_and_scale=True, ragged=ragged)}
    both = []
    for node in stored:
        twin = scaled.get(node.path)
        both.append((node, None if twin is None or twin.error else twin.pixels))
    return both


def is_even(array: xr.DataArray) -> bool:
    """Whether the slices' distances are equal, so that an affine can hold them."""
    steps = np.diff(array["z"].values)
    return bool(not steps.size or np.ptp(steps) <= TOLERANCE)


def without_holes(array: xr.DataArray) -> list[xr.DataArray]:
    """The array itself, or its volumes without the slices that are not there."""
    if "frame_present" not in array.coords:
        return [array]
    dims = frame_dims(array)
    return [
        (volume := array.isel(dict(zip(dims, at, strict=True)))).isel(
            z=volume["frame_present"].values
        )
        for at in np.ndindex(*(array.sizes[d] for d in dims))
    ]


@cache
def compare_with_dcm2niix(collection: str) -> Findings:
    """Pair each image that dcm2niix made of a collection with volumes of ours."""
    made = conversion(collection)
    findings = Findings()
    unpaired = images(made)
    for node, scaled in opened(collection):
        if node.error or not is_placed(node.pixels):
            continue
        for array in without_holes(node.pixels):
            by_slice = made.disclaims and not is_even(array)
            unpaired = _pair_array(findings, array, scaled, unpaired, by_slice=by_slice)
    if unpaired:
        unpaired = _pair_files(findings, collection, unpaired)
    if unpaired:
        unpaired = _match_planes(findings, collection, unpaired)
    findings.differences += [
        f"dcm2niix's {nifti.name} is none of ours" for nifti in unpaired if nifti.name not in VALUES
    ]
    return findings


def _pair_array(
    findings: Findings,
    array: xr.DataArray,
    scaled: xr.DataArray | None,
    candidates: Iterable[Nifti],
    *,
    by_slice: bool,
) -> list[Nifti]:
    """Pair images with one array, note what agrees, and give back what has no pair."""
    dims = frame_dims(array)
    free = {tuple(at) for at in np.ndindex(*(array.sizes[d] for d in dims))}
    total = len(free)
    unpaired = []
    for nifti in candidates:
        found = pair(array, nifti, scaled=scaled, by_slice=by_slice)
        if nifti.name in VALUES:
            assert found is None, f"{nifti.name} is listed for other values, but has ours"
            found = placed_alone(array, nifti)
        used = set() if found is None else {tuple(v[d] for d in dims) for v in found.volumes}
        if found is None or not used <= free:
            unpaired.append(nifti)
            continue
        free -= used
        findings.images += 1
        findings.volumes += nifti.volumes
        findings.found.append(in_words(array, found))
        one = found.placement
        worst = max(one.first_error, one.slice_error) if by_slice else one.error
        findings.worst = max(findings.worst, worst)
        findings.differences += sidecar_differences(array, found)
    if 0 < len(free) < total or (free and unpaired):
        findings.differences.append(f"dcm2niix has no image of {dims} {sorted(free)}")
    findings.differences += affine_differences(array)
    return unpaired


def in_words(array: xr.DataArray, found: Pair) -> str:
    """Which part of an array an image is: its place along the dims, and the dims it spans."""
    parts, spanned = [], []
    for dim in frame_dims(array):
        places = [volume[dim] for volume in found.volumes]
        if len(set(places)) > 1:
            in_order = places == sorted(places)
            spanned.append(dim if in_order else f"{dim} {places}")
        elif array.sizes[dim] > 1:
            label = array[dim].values[places[0]] if dim in array.coords else places[0]
            parts.append(f"{dim}={label}")
    return ", ".join(parts + spanned)


def affine_differences(array: xr.DataArray) -> list[str]:
    """Whether ``.dicom.affine`` says what the coordinates say, where it says anything."""
    try:
        error = affine_error(array)
    except GeometryError:
        return []
    return [] if error <= TOLERANCE else [f".dicom.affine is {error:g} mm off the coordinates"]


def sidecar_differences(array: xr.DataArray, found: Pair) -> list[str]:
    """Component, echo time, b-values and directions of a pair, where both know them."""
    differences = []
    nifti = found.nifti
    first = array.isel(found.volumes[0])
    words = {_COMPONENTS[w] for w in nifti.sidecar.get("ImageType", ()) if w in _COMPONENTS}
    label = str(first["component"].values) if "component" in first.coords else ""
    # GE tells a field map from its magnitude by a number only
    if label and words and not label.isdecimal() and words != {label}:
        differences.append(f"{nifti.name}: {label}, dcm2niix {words}")
    theirs = nifti.sidecar.get("EchoTime")
    if theirs is not None and "EchoTime" in first.coords and first["EchoTime"].ndim == 0:
        ours = float(first["EchoTime"])
        if not np.isclose(ours, 1000 * theirs, atol=1e-3):
            differences.append(f"{nifti.name}: EchoTime {ours:g} ms, dcm2niix {1000 * theirs:g}")
    if nifti.b_values:
        ours_b = array.dicom.values("DiffusionBValue").isel(z=0)
        ours_b = np.array([float(ours_b.isel(v)) for v in found.volumes])
        if not np.allclose(ours_b, nifti.b_values, atol=1):
            differences.append(f"{nifti.name}: b {ours_b}, dcm2niix {nifti.b_values}")
        differences += _vector_differences(array, found)
    return differences


def _vector_differences(array: xr.DataArray, found: Pair) -> list[str]:
    """Gradient directions in FSL's convention, rows flipped: (g·r, −g·c, g·n) (SPEC §2.1)."""
    nifti = found.nifti
    if not nifti.b_vectors.any():
        return []
    values = array.dicom.values("DiffusionGradientOrientation").isel(z=0)
    cosines = np.array(array["patient_space"].attrs["ImageOrientationPatient"])
    row, column = cosines[:3], cosines[3:]
    axes = np.stack([row, -column, np.cross(row, column)])
    # a gradient and its opposite are one axis; dcm2niix writes GE's the other way round
    signs = (1, -1) if array.attrs["Manufacturer"].startswith("GE") else (1,)
    differences = []
    for volume, theirs in zip(found.volumes, nifti.b_vectors, strict=True):
        if not theirs.any():
            continue
        ours = values.isel(volume).values
        if not any(np.allclose(sign * axes @ ours, theirs, atol=_DIRECTION) for sign in signs):
            differences.append(f"{nifti.name}: direction {ours} of {volume}, dcm2niix {theirs}")
    return differences


def _pair_files(findings: Findings, collection: str, unpaired: list[Nifti]) -> list[Nifti]:
    """Images whose volumes are files opened alone; each file must lie where an image does."""
    hits = {(i, t): 0 for i, nifti in enumerate(unpaired) for t in range(nifti.volumes)}
    worst = dict.fromkeys(range(len(unpaired)), 0.0)
    for path in files_of(collection):
        stored = _alone(path)
        if stored is None or not is_placed(stored) or frame_dims(stored):
            continue
        scaled = _alone(path, mask_and_scale=True)
        slack = _slack(path, "raw")
        places = [place(stored, n.affine, n.shape, ras=True) for n in unpaired]
        errors = [p.error for p in places if p is not None]
        if errors and min(errors) > TOLERANCE:
            findings.differences.append(f"{path} lies {min(errors):g} mm from dcm2niix's image")
        for i, (nifti, placement) in enumerate(zip(unpaired, places, strict=True)):
            if placement is None or placement.error > TOLERANCE:
                continue
            worst[i] = max(worst[i], placement.error)
            array = scaled if nifti.dtype.kind == "f" else stored
            if array is None:
                continue
            volume = placement.applied(array.values)
            for t in range(nifti.volumes):
                hits[i, t] += _is_volume(volume, nifti, t, slack)
    rest = []
    for i, nifti in enumerate(unpaired):
        if not all(hits[i, t] for t in range(nifti.volumes)):
            rest.append(nifti)
            continue
        findings.by_file += 1
        findings.volumes += nifti.volumes
        findings.worst = max(findings.worst, worst[i])
    return rest


def _is_volume(volume: np.ndarray, nifti: Nifti, t: int, slack: float) -> bool:
    if nifti.volumes > 1 or nifti.dtype.kind == "f" or slack:
        return voxels_agree(volume, nifti, t, slack)
    voxels = as_voxels(volume[:, :, :, None], nifti.dtype)
    return hashlib.sha256(voxels.tobytes("F")).hexdigest() == nifti.digest


def _slack(path: str, color: str) -> float:
    """What the values of lossy JPEG may differ by between decoders, rescaled as they are."""
    head = header(path)
    if head.file_meta.get("TransferSyntaxUID") not in LOSSY:
        return 0.0
    return LEVELS[color] * abs(float(head.get("RescaleSlope", 1)))


def _alone(path: str, **options: Any) -> xr.DataArray | None:
    if pixel_truth(path, "rgb") is None:
        return None
    try:
        return open_file(path, **options)["pixels"]
    except XDicomError:
        return None


def _match_planes(findings: Findings, collection: str, unpaired: list[Nifti]) -> list[Nifti]:
    """Images of frames without a position: each plane has the values of some frame, rows flipped.

    How dcm2niix stacks such frames means nothing: PS3.3 C.7.6.2 is what would place them.
    """
    frames = []
    for path in files_of(collection):
        array = _alone(path, dims="flat")
        if array is not None and not is_placed(array):
            values = array.values if "instance" in array.dims else array.values[None]
            slack = _slack(path, "rgb")
            frames += [(np.flip(v, 0).swapaxes(0, 1)[:, :, None], slack) for v in values]
    rest = []
    for nifti in unpaired:
        single = nifti.shape[2] * nifti.volumes == 1
        fits = [f for f in frames if f[0].shape[:2] == nifti.shape[:2]]
        if all(
            any(
                _is_volume(frame, nifti, 0, slack)
                if single
                else plane_agrees(frame, nifti, k, t, slack)
                for frame, slack in fits
            )
            for k in range(nifti.shape[2])
            for t in range(nifti.volumes)
        ):
            findings.planes += 1
        else:
            rest.append(nifti)
    return rest


@cache
def compare_with_itk(collection: str) -> Findings:
    """Hold single volumes against SimpleITK's series reader, which mis-stacks everything else."""
    findings = Findings()
    volumes = {v.uid: v for v in itk_volumes(collection)}
    for node, scaled in opened(collection):
        if node.error or scaled is None or not is_placed(scaled) or frame_dims(scaled):
            continue
        volume = volumes.get(str(scaled.dicom["SeriesInstanceUID"]))
        if volume is None:
            continue
        if conversion(collection).disclaims:
            findings.found.append("not to be trusted: slices unevenly spaced")
            continue
        findings.differences += _volume_differences(findings, scaled, volume)
    return findings


def _volume_differences(findings: Findings, array: xr.DataArray, volume: Volume) -> list[str]:
    placement = place(array, volume.affine, volume.shape, ras=False)
    if placement is None:
        sizes = [array.sizes[d] for d in ("x", "y", "z")]
        return [f"SimpleITK has {volume.shape} voxels, we have {sizes}"]
    if placement.error > TOLERANCE:
        return [f"SimpleITK's corners are {placement.error:g} mm from ours"]
    findings.worst = max(findings.worst, placement.error)
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    if array.sizes["z"] > 1 and not np.allclose(spacing, array.dicom.spacing[::-1], atol=TOLERANCE):
        return [f"SimpleITK's spacing is {spacing}, ours {array.dicom.spacing[::-1]}"]
    values = _in_itk_order(array.values, placement)
    if volume.dtype.kind == "f":
        ours = [values.min(), values.max(), values.mean(dtype=np.float64)]
        if not np.allclose(ours, volume.statistics, rtol=1e-6, atol=1e-6):
            return [f"SimpleITK's least, greatest and mean: {volume.statistics}, ours {ours}"]
    else:
        whole = np.ascontiguousarray(values, dtype=volume.dtype)
        if not np.array_equal(whole, values) or (
            hashlib.sha256(whole.tobytes()).hexdigest() != volume.digest
        ):
            return ["SimpleITK's voxels are others"]
    findings.images += 1
    findings.volumes += 1
    return []


def _in_itk_order(values: np.ndarray, placement: Placement) -> np.ndarray:
    """A volume (z, y, x[, sample]) in the order of SimpleITK's arrays (k, j, i[, sample])."""
    return np.swapaxes(placement.applied(values), 0, 2)
