"""NIfTI, SimpleITK and highdicom images of real series agree with our affine and with the peers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import xarray as xr
from peers.agreement import is_even, is_placed, opened, without_holes
from peers.collections import Nifti, conversion, frame_dims, itk_volumes
from peers.niftis import as_voxels, images
from peers.placement import RAS, TOLERANCE

from xdicom.errors import GeometryError, InconsistentSeriesError

nibabel = pytest.importorskip("nibabel")
pytestmark = [pytest.mark.conformance, pytest.mark.filterwarnings("ignore::xdicom.XDicomWarning")]


def volumes(collection: str) -> list[xr.DataArray]:
    """Arrays with an affine, stored values."""
    placed = [n.pixels for n, _ in opened(collection) if not n.error and is_placed(n.pixels)]
    return [a for pixels in placed for a in without_holes(pixels) if _has_affine(a)]


def _has_affine(array: xr.DataArray) -> bool:
    """Slices are even, and the thickness of a single one is known."""
    try:
        array.dicom.affine  # noqa: B018
    except GeometryError:
        return False
    return is_even(array)


def single(array: xr.DataArray) -> xr.DataArray:
    return array.isel(dict.fromkeys(frame_dims(array), -1))


def test_three_affines_agree(collection, tmp_path):
    for number, array in enumerate(volumes(collection)):
        one = single(array)
        affine = one.dicom.affine
        ends = [np.array([k, i, j, 1.0]) for k in (0, one.sizes["z"] - 1)
                for i in (0, one.sizes["y"] - 1) for j in (0, one.sizes["x"] - 1)]  # fmt: skip
        values = one.transpose("z", "y", "x", ...).values
        made = {}
        bare = one.assign_attrs(dicom_scaling="applied")
        (path,) = bare.dicom.to_nifti(tmp_path / f"{number}.nii")
        image = nibabel.load(path)
        made["nifti"] = (np.diag([-1, -1, 1, 1]) @ image.affine, np.asarray(image.dataobj))
        if one.patient_space.attrs["geometry"] == "rectilinear":
            itk = one.dicom.to_sitk()
            matrix = np.eye(4)
            matrix[:3, :3] = np.reshape(itk.GetDirection(), (3, 3)) * itk.GetSpacing()
            matrix[:3, 3] = itk.GetOrigin()
            made["sitk"] = (matrix, np.moveaxis(values, (0, 1, 2), (2, 1, 0)))
            volume = one.dicom.to_highdicom()
            made["highdicom"] = (volume.affine[:, [2, 1, 0, 3]],
                                 np.moveaxis(volume.array, (0, 1, 2), (2, 1, 0)))  # fmt: skip
        for name, (theirs, voxels) in made.items():
            for end in ends:
                at = np.linalg.inv(theirs) @ affine @ end
                whole = np.rint(at[:3]).astype(int)
                assert np.linalg.norm(theirs[:3, :3] @ (at[:3] - whole)) <= TOLERANCE, name
                found, own = voxels[tuple(whole)], values[tuple(end[:3].astype(int))]
                assert found.tolist() == (tuple(own) if found.dtype.names else own.tolist()), name


def test_niftis_are_those_of_dcm2niix(collection, tmp_path):
    """Affines, voxels by digest, and gradients where the axes are the same."""
    theirs = images(conversion(collection))
    for number, array in enumerate(volumes(collection)):
        try:
            paths = array.dicom.to_nifti(tmp_path / f"{number}.nii")
        except (GeometryError, InconsistentSeriesError):
            continue
        for path in paths:
            ours = nibabel.load(path)
            for nifti in theirs:
                if _same_image(ours, nifti):
                    COMPARED.add((collection, nifti.name))
                    same_axes = np.array_equal(_turned(ours, nifti), [[0, 1], [1, 1], [2, 1]])
                    if nifti.b_values and same_axes:
                        _check_gradients(path, nifti, array)


COMPARED: set[tuple[str, str]] = set()


def _same_image(ours, nifti: Nifti) -> bool:
    """Whether affine and voxels are theirs, once the axes are in their order.

    dcm2niix turns acquisitions in 3D so that they lie as the patient does.
    """
    shape = (*nifti.shape, nifti.volumes) if nifti.volumes > 1 else nifti.shape
    turned = _turned(ours, nifti)
    affine = ours.affine @ nibabel.orientations.inv_ornt_aff(turned, ours.shape[:3])
    if not np.allclose(affine, nifti.affine, atol=TOLERANCE):
        return False
    proxy = ours.dataobj
    colour = ours.get_data_dtype().names is not None
    voxels = np.asarray(proxy) if colour else np.asarray(proxy.get_unscaled())
    voxels = nibabel.orientations.apply_orientation(voxels, turned)
    if voxels.shape != shape:
        return False
    if not colour:
        voxels = as_voxels(voxels, nifti.dtype)
    return hashlib.sha256(voxels.tobytes("F")).hexdigest() == nifti.digest


def _turned(ours, nifti: Nifti) -> np.ndarray:
    """Which of their axes each of ours is, and whether it runs the same way."""
    orientation = nibabel.orientations.io_orientation
    return nibabel.orientations.ornt_transform(orientation(ours.affine), orientation(nifti.affine))


def _check_gradients(path, nifti: Nifti, array: xr.DataArray) -> None:
    bval, bvec = path.with_suffix(".bval"), path.with_suffix(".bvec")
    np.testing.assert_allclose(np.loadtxt(bval, ndmin=1), nifti.b_values, atol=1)
    GRADIENTS.add(nifti.name)
    # a gradient and its opposite are one axis; dcm2niix writes GE's the other way round
    either = array.attrs["Manufacturer"].startswith("GE")
    for ours, theirs in zip(np.loadtxt(bvec).T, nifti.b_vectors, strict=True):
        sign = np.sign(ours @ theirs) if either and theirs.any() else 1
        np.testing.assert_allclose(sign * ours, theirs, atol=2e-3)


GRADIENTS: set[str] = set()


def test_sitk_is_simpleitk(collection):
    """Images of single volumes are those of GDCM's series reader: place, voxels."""
    known = {v.uid: v for v in itk_volumes(collection)}
    if conversion(collection).disclaims:
        return
    for node, scaled in opened(collection):
        if node.error or scaled is None or not is_placed(scaled) or frame_dims(scaled):
            continue
        volume = known.get(str(scaled.dicom["SeriesInstanceUID"]))
        if volume is None or scaled.patient_space.attrs["geometry"] != "rectilinear":
            continue
        if "sample" in scaled.dims or not is_even(scaled):
            continue
        image = scaled.dicom.to_sitk()
        spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
        assert image.GetSize() == volume.shape[:3]
        if not np.allclose(volume.affine[:3, :3] / spacing,
                           np.reshape(image.GetDirection(), (3, 3)), atol=1e-4):  # fmt: skip
            continue  # theirs ascends the other way: tests of geometry compare it
        np.testing.assert_allclose(image.GetOrigin(), volume.affine[:3, 3], atol=TOLERANCE)
        if scaled.sizes["z"] > 1:
            np.testing.assert_allclose(image.GetSpacing(), spacing, atol=TOLERANCE)
        if volume.dtype.kind != "f":
            voxels = np.ascontiguousarray(scaled.transpose("z", "y", "x").values, volume.dtype)
            assert hashlib.sha256(voxels.tobytes()).hexdigest() == volume.digest
        ITK.add(collection)


ITK: set[str] = set()


def test_enough_was_compared():
    """What never matches would pass every test above."""
    assert len(COMPARED) >= 40
    assert len(GRADIENTS) >= 3
    assert len(ITK) >= 15


def test_a_tilted_stack_rectified_is_that_of_dcm2niix():
    """The same extent as ``_Tilt_Eq``, and values as far as two interpolations may agree."""
    (array,) = [scaled for node, scaled in opened("ct/ge_tilt_unequal") if not node.error]
    (theirs,) = [n for n in conversion("ct/ge_tilt_unequal").niftis if n.name.endswith("Tilt_Eq_1")]
    step = float(np.linalg.norm(theirs.affine[:3, 2]))
    flat = array.load().dicom.rectify(step=step)
    assert abs(flat.sizes["y"] - theirs.shape[1]) <= 2
    assert abs(flat.sizes["z"] - theirs.shape[2]) <= 1
    inverse = np.linalg.inv(flat.dicom.affine)
    off = []
    for index, value in theirs.voxels:
        lps = RAS @ (theirs.affine @ [*index[:3], 1])[:3]
        k, i, j = (inverse @ [*lps, 1])[:3]
        ours = flat.interp(
            z=flat.z[0] + k * step, y=flat.y[0] + i * (flat.y[1] - flat.y[0]),
            x=flat.x[0] + j * (flat.x[1] - flat.x[0]),
        )  # fmt: skip
        if np.isfinite(ours):
            off.append(abs(float(ours) - value))
    assert len(off) >= 30
    assert np.median(off) <= 10
