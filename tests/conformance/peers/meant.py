"""Where we differ from dcm2niix on purpose: why, and a check that it is that and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

from peers.collections import conversion, folder_of, nodes
from peers.niftis import images
from peers.placement import TOLERANCE, affine_error, place, points
from xdicom.errors import GeometryError


@dataclass(frozen=True)
class Meant:
    """One collection whose grid or affine is another than dcm2niix's."""

    reason: str
    """Why ours is right, with the section that says so."""
    check: Callable[[str], None]
    """Fails if the difference is not the one that is meant."""


def _only_array(collection: str) -> xr.DataArray:
    (node,) = nodes(folder_of(collection))
    assert not node.error
    return node.pixels


def check_tilt(collection: str) -> None:
    """Every plane lies where dcm2niix has it but for the distance along its slice axis."""
    array = _only_array(collection)
    (nifti,) = images(conversion(collection))
    placement = place(array, nifti.affine, nifti.shape, ras=True)
    assert placement is not None
    assert placement.error > 1
    assert placement.first_error <= TOLERANCE
    assert placement.slice_error <= TOLERANCE
    # it takes the distance of the planes along the normal for the step from origin to origin
    assert np.isclose(nifti.affine[2, 2], np.diff(array["z"].values)[0], atol=TOLERANCE)
    assert np.allclose(points(array, 0, 0, 1) - points(array, 0, 0, 0), [0, 0, 4.22], atol=1e-4)
    with pytest.raises(GeometryError, match="not evenly spaced"):
        _ = array.dicom.affine
    even = array.isel(z=slice(0, 14))
    assert even["patient_space"].attrs["geometry"] == "sheared"
    assert affine_error(even) <= TOLERANCE


def check_tiles(collection: str, count: int, columns: int, size: int) -> None:
    """Whole mosaics without a place; cut apart, their tiles are dcm2niix's slices by digest."""
    array = _only_array(collection)
    assert array.dims[1:] == ("y", "x")
    assert array["patient_space"].attrs["geometry"] == "none"
    with pytest.raises(GeometryError):
        _ = array.dicom.affine
    volumes = [
        np.stack([
            np.flip(frame[row : row + size, column : column + size], 0).T
            for k in range(count)
            for row, column in [(k // columns * size, k % columns * size)]
        ], axis=2)
        for frame in array.values
    ]  # fmt: skip
    for nifti in images(conversion(collection)):
        assert nifti.volumes in (1, len(volumes))
        wholes = volumes if nifti.volumes == 1 else [np.stack(volumes, axis=3)]
        digests = {
            hashlib.sha256(whole.astype(nifti.dtype).tobytes("F")).hexdigest() for whole in wholes
        }
        assert digests == {nifti.digest}


MEANT: dict[str, Meant] = {
    "ct/ge_tilt_unequal": Meant(
        "gantry tilt and two slice distances: no affine describes the stack. Ours raises and keeps "
        "each plane's ImagePositionPatient (PS3.3 C.7.6.2.1.1, SPEC §5.4); dcm2niix's steps along "
        "the patient's axis by the distance of the planes, and says itself that slices vary",
        check_tilt,
    ),
    "mr4d/uih_dti_rot": Meant(
        "UIH VFRAME: 20 slices in one frame, no ImagePositionPatient (PS3.3 C.7.6.2: no plane); "
        "whole frames without a place until the issue Series cuts them (SPEC §2.5, UIH VFRAME)",
        lambda collection: check_tiles(collection, count=20, columns=5, size=64),
    ),
    "ts/dcm_qa_ts": Meant(
        "Siemens mosaic: 35 slices in one frame, whose ImagePositionPatient is no slice's; whole "
        "frames without a place until the issue Series cuts them (SPEC §2.5, Siemens mosaic)",
        lambda collection: check_tiles(collection, count=35, columns=6, size=64),
    ),
}
"""Grids and affines that differ, by collection. No more than three (issue 1)."""

VALUES: dict[str, str] = {
    "pydicom_1_": "an 8-bit image in big-endian words: dcm2niix leaves pairs of bytes swapped "
    "(PS3.5 7.3); pydicom's values are ours",
    "pydicom_1_a": "colour of 32 bits a sample, which dcm2niix reads as grey; pydicom's values are "
    "ours",
    "pydicom_jls_4_Lv2_": "the JPEG 2000 codestream says unsigned, PixelRepresentation signed: "
    "dcm2niix does not extend the sign (SPEC §7); pydicom's and SimpleITK's values are ours",
}
"""Images of dcm2niix with other voxel values (not another grid), by name. pydicom is the judge."""

_CTIMAGE = (
    "encodings of one instance under one UID, and lossy versions that nothing tells apart: "
    "SPEC §1.4"
)

NO_ARRAY: dict[str, tuple[str, int, str]] = {
    "enhanced/nibabel_philips_mprage_gz": (
        "NotDicomError", 0, "a compressed file is refused, not unpacked unasked: SPEC §7"
    ),
    "enhanced/pydicom_emri": (
        "DuplicateInstanceError", 5, "encodings of one instance under one UID: SPEC §1.4"
    ),
    "mr4d/dcmstack_qt2_incomplete": (
        "NotHypercubeError", 7, "a grid with holes: SPEC §2.3; with ragged=\"fill\" it is compared"
    ),
    "sc/pydicom": (
        "DuplicateInstanceError", 20, "encodings of some instances under one UID each: SPEC §1.4"
    ),
    "ts/cornerstone_ctimage": (
        "DuplicateInstanceError", 13, _CTIMAGE
    ),
    "ts/encaps_ct1": (
        "DuplicateInstanceError", 5, "encodings of one instance under one UID: SPEC §1.4"
    ),
    "ts/mr_small": (
        "DuplicateInstanceError", 8, "encodings of one instance under one UID: SPEC §1.4"
    ),
    "ts/pydicom_jls": (
        "DuplicateInstanceError", 1, "a faulty and a corrected file under one UID: SPEC §1.4"
    ),
}  # fmt: skip
"""By collection: the error that stands for files in place of an array, how many images, and why.

A SOPInstanceUID names one instance (PS3.3 C.12.1.1): several contents under it are no series. Each
of these files opens by its own path."""
