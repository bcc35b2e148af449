"""Affine, spacing and orientation hold after crops, strides, flips and transposition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xdicom
from xdicom.errors import ShearedStackWarning
from xdicom.testing import write_series

OBLIQUE = (0.96, 0.28, 0.0, -0.168, 0.576, 0.8)


def place(row, column, origin, spacing, step, k, i, j):
    """PS3.3 C.7.6.2.1.1, from the attributes as they were written."""
    row, column = np.array(row), np.array(column)
    normal = np.cross(row, column)
    return np.array(origin) + j * spacing[1] * row + i * spacing[0] * column + k * step * normal


@pytest.fixture(scope="module")
def oblique(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oblique")
    write_series(
        folder,
        {"EchoTime": [5, 10], "z": 7},
        rows=9,
        columns=11,
        orientation=OBLIQUE,
        origin=(12.5, -33.0, 101.25),
        pixel_spacing=(1.5, 0.75),
        slice_spacing=2.5,
        shuffle=5,
    )
    return xdicom.open_series(folder)


def slices(length):
    return st.tuples(
        st.integers(0, length - 2), st.integers(2, length), st.sampled_from([1, 2, -1, -2])
    ).map(lambda t: slice(t[0], None, t[2]) if t[2] > 0 else slice(None, None, t[2]))


@settings(max_examples=50, deadline=None)
@given(kz=slices(7), ky=slices(9), kx=slices(11))
def test_affine_of_any_selection(oblique, kz, ky, kx):
    part = oblique.isel(z=kz, y=ky, x=kx)
    if min(part.sizes[d] for d in "zyx") < 2:
        return
    affine = part.dicom.affine
    ks, is_, js = (np.arange(n)[s] for n, s in ((7, kz), (9, ky), (11, kx)))
    for a in (0, len(ks) - 1):
        for b in (0, len(is_) - 1):
            for c in (0, len(js) - 1):
                expected = place(OBLIQUE[:3], OBLIQUE[3:], (12.5, -33.0, 101.25), (1.5, 0.75), 2.5,
                                 ks[a], is_[b], js[c])  # fmt: skip
                np.testing.assert_allclose((affine @ [a, b, c, 1])[:3], expected, atol=1e-4)
    steps = (2.5 * kz.step if kz.step else 2.5, 1.5, 0.75)
    assert part.dicom.spacing[0] == pytest.approx(abs(steps[0]), abs=1e-4)


def test_transposed_array_has_the_same_affine(oblique):
    turned = oblique.transpose("x", "z", "EchoTime", "y")
    np.testing.assert_array_equal(turned.dicom.affine, oblique.dicom.affine)


def test_nifti_affine(oblique):
    ras = np.diag([-1, -1, 1, 1])
    for k, i, j in ((0, 0, 0), (3, 2, 1), (6, 8, 10)):
        lps = oblique.dicom.affine @ [k, i, j, 1]
        np.testing.assert_allclose(oblique.dicom.affine_nifti @ [j, i, k, 1], ras @ lps, atol=1e-9)


def test_orientation(oblique):
    np.testing.assert_allclose(oblique.dicom.orientation.ravel(), OBLIQUE, atol=1e-6)


def test_single_slice_uses_the_assumed_step(tmp_path):
    write_series(tmp_path, {"z": 1}, rows=4, columns=5, attributes={"SliceThickness": 4.5,
                 "SpacingBetweenSlices": None})  # fmt: skip
    da = xdicom.open_series(tmp_path)
    assert da.patient_space.attrs["z_step_assumed"] == 4.5
    assert da.dicom.spacing == (4.5, 1.5, 1.25)


def test_a_slice_selected_alone_keeps_the_spacing_of_its_stack(oblique):
    for part in (oblique.isel(z=[2]), oblique.isel(z=2)):
        assert part.dicom.spacing == pytest.approx((2.5, 1.5, 0.75), abs=1e-4)
        np.testing.assert_allclose(
            part.dicom.affine @ [1, 0, 0, 1], oblique.dicom.affine @ [3, 0, 0, 1], atol=1e-4
        )


@pytest.mark.parametrize("change", ["drop", "uneven"])
def test_refusals(oblique, change):
    part = {
        "drop": lambda: oblique.drop_vars("patient_space"),
        "uneven": lambda: oblique.isel(z=[0, 1, 4]),
    }[change]()
    with pytest.raises(xdicom.GeometryError):
        _ = part.dicom.affine


def test_z_over_two_dims_has_no_affine(tmp_path):
    """z follows EchoTime and FlipAngle: four positions on a 2 × 2 grid of the caller's dims."""
    write_series(
        tmp_path,
        {"z": 4},
        attributes={
            "EchoTime": lambda at: [5.0, 10.0][at["z"] // 2],
            "FlipAngle": lambda at: [10.0, 20.0][at["z"] % 2],
        },
    )
    da = xdicom.open_series(tmp_path, dims=("EchoTime", "FlipAngle"))
    assert da.z.dims == ("EchoTime", "FlipAngle")
    for read in ("affine", "spacing", "affine_nifti"):
        with pytest.raises(xdicom.GeometryError, match="several dims"):
            getattr(da.dicom, read)
    row = da.isel(EchoTime=1)
    np.testing.assert_allclose(row.dicom.affine[:3, 3], (-20, -30, 16), atol=1e-4)


def test_sheared_slices_on_a_dim_of_the_caller(tmp_path):
    write_series(
        tmp_path,
        {"z": 5},
        attributes={
            "ImagePositionPatient": lambda at: [-20.0, -30.0 + 0.9 * at["z"], 10 + 3.0 * at["z"]]
        },
    )
    with pytest.warns(ShearedStackWarning):
        plain = xdicom.open_series(tmp_path)
    with pytest.warns(ShearedStackWarning):
        own = xdicom.open_series(tmp_path, dims=("SliceLocation",))
    assert own.dims == ("SliceLocation", "y", "x")
    np.testing.assert_array_equal(own.dicom.affine, plain.dicom.affine)
    np.testing.assert_allclose(own.dicom.affine[:3, 0], (0, 0.9, 3), atol=1e-6)
    part = own.isel(SliceLocation=slice(None, 1, -1))
    np.testing.assert_allclose(part.dicom.affine[:3, 0], (0, -0.9, -3), atol=1e-6)
