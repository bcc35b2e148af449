"""NIfTI, SimpleITK and highdicom place each voxel where ``.dicom.affine`` does."""

import sys
import warnings

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import MissingDirectionWarning, ShearedStackWarning
from xdicom.testing import write_series

nibabel = pytest.importorskip("nibabel")

OBLIQUE = (0.96, 0.28, 0.0, -0.168, 0.576, 0.8)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def make(tmp_path):
    def make(dims, **options):
        options.setdefault("orientation", OBLIQUE)
        write_series(tmp_path / "dicom", dims, number_by="canonical", rows=9, columns=11, shuffle=2,
                     pixel_spacing=(1.5, 0.75), slice_spacing=2.5, origin=(12.5, -33, 101),
                     **options)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShearedStackWarning)
            return xdicom.open_series(tmp_path / "dicom")

    return make


def check_places(values, affine, da):
    """Voxels (i, j, k, …) under an affine to R, A, S are those of the array."""
    own = da.transpose("z", "y", "x", ...).values
    inverse = np.linalg.inv(affine)
    for k, i, j in np.random.default_rng(0).integers(0, own.shape[:3], (40, 3)):
        at = inverse @ LPS_TO_RAS @ da.dicom.affine @ [k, i, j, 1]
        whole = np.rint(at[:3]).astype(int)
        np.testing.assert_allclose(at[:3], whole, atol=1e-3)
        np.testing.assert_array_equal(values[tuple(whole)], own[k, i, j])


FLIPS = [{}, {"x": -1}, {"y": -1, "z": -1}, {"x": -1, "y": -1, "z": -1}]


@pytest.mark.parametrize("flips", FLIPS)
def test_nifti_places(make, tmp_path, flips):
    da = make({"z": 6}).isel({d: slice(None, None, -1) for d in flips})
    (path,) = da.dicom.to_nifti(tmp_path / "a.nii.gz")
    image = nibabel.load(path)
    assert image.get_data_dtype() == np.float32
    assert image.header.get_xyzt_units()[0] == "mm"
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 1
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    check_places(np.asarray(image.dataobj), image.affine, da)
    # rows upside down, as dcm2niix writes, whichever way the array is flipped: FSL's left hand
    assert np.linalg.det(image.affine) < 0
    np.testing.assert_allclose(image.header.get_zooms(), (0.75, 1.5, 2.5), atol=1e-4)


def test_nifti_of_volumes(make, tmp_path):
    da = make({"EchoTime": [4.9, 10], "time": [0, 2.5, 5], "z": 4})
    paths = da.dicom.to_nifti(tmp_path / "head.nii")
    assert [p.name for p in paths] == ["head_EchoTime-4.9.nii", "head_EchoTime-10.nii"]
    for echo, path in enumerate(paths):
        image = nibabel.load(path)
        assert image.shape == (11, 9, 4, 3)
        assert image.header.get_zooms()[3] == 2.5
        assert image.header.get_xyzt_units() == ("mm", "sec")
        for t in range(3):
            check_places(np.asarray(image.dataobj)[..., t], image.affine,
                         da.isel(EchoTime=echo, time=t))  # fmt: skip
    with pytest.raises(FileExistsError):
        da.dicom.to_nifti(tmp_path / "head.nii")
    da.dicom.to_nifti(tmp_path / "head.nii", overwrite=True)
    (whole,) = da.dicom.to_nifti(tmp_path / "whole.nii", split=())
    image = nibabel.load(whole)
    assert image.shape == (11, 9, 4, 2, 3)
    check_places(np.asarray(image.dataobj)[..., 1, 2], image.affine, da.isel(EchoTime=1, time=2))
    each = da.dicom.to_nifti(tmp_path / "each.nii", split=("EchoTime", "time"))
    assert len(each) == 6
    with pytest.raises(ValueError, match="FlipAngle"):
        da.dicom.to_nifti(tmp_path / "b.nii", split=("FlipAngle",))
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_uneven_times_have_no_step(make, tmp_path):
    da = make({"time": [0, 2.5, 7], "z": 4})
    (path,) = da.dicom.to_nifti(tmp_path / "a.nii")
    assert nibabel.load(path).header["pixdim"][4] == 0


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_stored_integers_keep_their_scaling(tmp_path, dtype):
    write_series(tmp_path / "dicom", {"z": 4}, modality="CT", slope=0.5, intercept=-1024,
                 dtype=dtype)  # fmt: skip
    stored = xdicom.open_series(tmp_path / "dicom", scaling="stored")
    (path,) = stored.dicom.to_nifti(tmp_path / "a.nii.gz")
    image = nibabel.load(path)
    assert image.get_data_dtype() == dtype
    assert (image.dataobj.slope, image.dataobj.inter) == (0.5, -1024)
    raw = np.asarray(image.dataobj.get_unscaled())
    check_places(raw, image.affine, stored)
    check_places(image.get_fdata(), image.affine, xdicom.open_series(tmp_path / "dicom"))


def test_stored_integers_of_several_slopes_are_refused(tmp_path):
    write_series(tmp_path / "dicom", {"z": 4}, modality="PT", slope=lambda at: 1.0 + at["z"])
    stored = xdicom.open_series(tmp_path / "dicom", scaling="stored")
    with pytest.raises(xdicom.InconsistentSeriesError, match="RescaleSlope"):
        stored.dicom.to_nifti(tmp_path / "a.nii")
    assert not (tmp_path / "a.nii").exists()
    xdicom.open_series(tmp_path / "dicom").dicom.to_nifti(tmp_path / "a.nii")


def test_each_file_has_its_own_slope(tmp_path):
    """As of magnitude and phase of one series."""
    write_series(tmp_path / "dicom", {"component": ["M", "P"], "z": 4}, intercept=-3,
                 slope=lambda at: [2.0, 0.25][at["component"]])  # fmt: skip
    stored = xdicom.open_series(tmp_path / "dicom", scaling="stored")
    paths = stored.dicom.to_nifti(tmp_path / "a.nii")
    assert [nibabel.load(p).dataobj.slope for p in paths] == [2.0, 0.25]
    scaled = xdicom.open_series(tmp_path / "dicom")
    for number, path in enumerate(paths):
        image = nibabel.load(path)
        check_places(image.get_fdata(), image.affine, scaled.isel(component=number))


def test_other_types(make, tmp_path):
    da = make({"z": 4}).load()
    for number, (values, wanted) in enumerate(
        ((da > 100, "uint8"), (da.astype("f8"), "float64"), (da.astype("i4"), "int32"),
         (da.astype(">f4"), "float32"), (da.astype("i8"), "int64"))
    ):  # fmt: skip
        (path,) = values.dicom.to_nifti(tmp_path / f"{number}.nii")
        image = nibabel.load(path)
        assert image.get_data_dtype() == wanted
        check_places(np.asarray(image.dataobj), image.affine, values)


def test_colour(make, tmp_path):
    da = make({"z": 4}).load().astype("u1")
    rgb = xr.concat([da, da + 1, da + 2], "sample").transpose(..., "sample")
    (path,) = rgb.dicom.to_nifti(tmp_path / "a.nii")
    found = np.asarray(nibabel.load(path).dataobj)
    assert found.dtype.names == ("R", "G", "B")
    for name, part in zip("RGB", (da, da + 1, da + 2), strict=True):
        check_places(found[name], nibabel.load(path).affine, part)
    with pytest.raises(ValueError, match="uint8"):
        rgb.astype("f4").dicom.to_nifti(tmp_path / "b.nii")


def test_one_slice(make, tmp_path):
    da = make({"z": 6}).isel(z=3)
    (path,) = da.dicom.to_nifti(tmp_path / "a.nii")
    image = nibabel.load(path)
    assert image.shape == (11, 9, 1)
    check_places(np.asarray(image.dataobj), image.affine, da.expand_dims("z"))


def test_uneven_slices_are_refused(make, tmp_path):
    da = make({"z": 6}).isel(z=[0, 1, 4])
    for write in (lambda: da.dicom.to_nifti(tmp_path / "a.nii"), da.dicom.to_sitk,
                  da.dicom.to_highdicom):  # fmt: skip
        with pytest.raises(xdicom.GeometryError, match="rectify"):
            write()
    assert not (tmp_path / "a.nii").exists()
    with pytest.raises(ValueError, match="nii"):
        da.dicom.to_nifti(tmp_path / "a.img")


def test_sheared_slices(make, tmp_path):
    row, column = np.array(OBLIQUE).reshape(2, 3)
    da = make({"z": 5}, attributes={"ImagePositionPatient": lambda at: (
        np.array([12.5, -33, 101]) + at["z"] * (2.5 * np.cross(row, column) + 0.8 * column)
    ).tolist()})  # fmt: skip
    (path,) = da.dicom.to_nifti(tmp_path / "a.nii")
    image = nibabel.load(path)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 0)
    check_places(np.asarray(image.dataobj), image.affine, da)
    for make_image in (da.dicom.to_sitk, da.dicom.to_highdicom):
        with pytest.raises(xdicom.GeometryError, match="rectify"):
            make_image()
    assert da.dicom.rectify().dicom.to_sitk().GetSize()[2] == 5


def diffusion(b_values, directions):
    return {
        "diffusion": [
            {"DiffusionBValue": float(b), "DiffusionGradientOrientation": d}
            for b, d in zip(b_values, directions, strict=True)
        ],
        "z": 4,
    }


def test_gradients(make, tmp_path):
    """FSL's convention, from its definition: image axes, x against the hand of the affine."""
    directions = [[1.0, 0, 0], [0, 0.6, 0.8], [0.48, -0.6, 0.64]]
    da = make(diffusion([1000, 1000, 2000], directions))
    (path,) = da.dicom.to_nifti(tmp_path / "dwi.nii.gz")
    assert (tmp_path / "dwi.bval").read_text() == "1000 1000 2000\n"
    written = np.loadtxt(tmp_path / "dwi.bvec")
    assert written.shape == (3, 3)
    affine = nibabel.load(path).affine[:3, :3]
    axes = affine / np.linalg.norm(affine, axis=0)
    if np.linalg.det(affine) > 0:
        axes[:, 0] *= -1
    for volume, direction in enumerate(directions):
        ras = np.diag([-1, -1, 1]) @ direction
        np.testing.assert_allclose(written[:, volume], axes.T @ ras, atol=1e-5)


def test_gradients_of_volumes_without_direction(make, tmp_path):
    da = make(diffusion([1.25, 1000, 1000], [None, [1.0, 0, 0], [0, 1.0, 0]]))
    da.dicom.to_nifti(tmp_path / "a.nii")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "a.bvec")[:, 0], 0)


def test_missing_directions_are_told(make, tmp_path):
    da = make(diffusion([0, 1000, 1000], [None, None, [0, 1.0, 0]]))
    with pytest.warns(MissingDirectionWarning, match="1 volumes"):
        da.dicom.to_nifti(tmp_path / "a.nii")
    assert (tmp_path / "a.bval").exists()
    assert not (tmp_path / "a.bvec").exists()


@pytest.mark.parametrize("flips", FLIPS)
def test_sitk(make, flips):
    SimpleITK = pytest.importorskip("SimpleITK")
    da = make({"z": 6}).isel({d: slice(None, None, -1) for d in flips})
    image = da.dicom.to_sitk()
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), da.values)
    for k, i, j in ((0, 0, 0), (5, 8, 10), (3, 1, 7)):
        place = image.TransformIndexToPhysicalPoint((j, i, k))
        np.testing.assert_allclose(place, (da.dicom.affine @ [k, i, j, 1])[:3], atol=1e-3)


def test_sitk_of_four_dims_and_colour(make):
    SimpleITK = pytest.importorskip("SimpleITK")
    da = make({"time": [0, 2.5, 5], "z": 4}).load()
    with pytest.raises(ValueError, match="fourth="):
        da.dicom.to_sitk()
    image = da.dicom.to_sitk(fourth="time")
    assert image.GetSize() == (11, 9, 4, 3)
    assert image.GetSpacing()[3] == 2.5
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), da.values)
    one = da.isel(time=0)
    colour = xr.concat([one, one, one], "sample").transpose(..., "sample").astype("u1")
    assert colour.dicom.to_sitk().GetNumberOfComponentsPerPixel() == 3
    assert (one > 5).dicom.to_sitk().GetPixelID() == SimpleITK.sitkUInt8


def test_highdicom(make):
    pytest.importorskip("highdicom")
    da = make({"EchoTime": [5, 10], "component": ["M", "P"], "z": 6}).load()
    volume = da.dicom.to_highdicom()
    assert volume.handedness.name == "RIGHT_HANDED"
    assert volume.frame_of_reference_uid == da.attrs["FrameOfReferenceUID"]
    assert volume.channel_shape == (2, 2)
    for k, i, j in ((0, 0, 0), (5, 8, 10), (3, 1, 7)):
        at = np.linalg.inv(volume.affine) @ da.dicom.affine @ [k, i, j, 1]
        whole = tuple(np.rint(at[:3]).astype(int))
        np.testing.assert_allclose(at[:3], whole, atol=1e-3)
        own = da.transpose("z", "y", "x", "component", "EchoTime").values[k, i, j]
        np.testing.assert_array_equal(volume.array[whole], own)


@pytest.mark.parametrize(
    ("name", "extra"), [("nibabel", "nifti"), ("SimpleITK", "sitk"), ("highdicom", "highdicom")]
)
def test_what_is_not_installed_is_named(make, tmp_path, monkeypatch, name, extra):
    da = make({"z": 4})
    monkeypatch.setitem(sys.modules, name, None)
    calls = {
        "nibabel": lambda: da.dicom.to_nifti(tmp_path / "a.nii"),
        "SimpleITK": da.dicom.to_sitk,
        "highdicom": da.dicom.to_highdicom,
    }
    with pytest.raises(ImportError, match=rf"xdicom\[{extra}\]"):
        calls[name]()
