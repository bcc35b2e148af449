"""Legacy Converted Enhanced objects open as the classic series that they were made of."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

import xdicom
from xdicom.testing import write_series

legacy = pytest.importorskip("highdicom.legacy")

CLASSES = {
    "MR": legacy.LegacyConvertedEnhancedMRImage,
    "CT": legacy.LegacyConvertedEnhancedCTImage,
    "PT": legacy.LegacyConvertedEnhancedPETImage,
}
DIMS = [
    ("MR", {"z": 5}, {}),
    ("CT", {"z": 5}, {"intercept": -1024}),
    ("PT", {"z": 5}, {"slope": lambda index: 1.5 + index["z"]}),
    ("MR", {"EchoTime": [5, 10], "z": 4}, {}),
    ("MR", {"time": [0, 10, 20], "z": 4}, {}),
    ("MR", {"FlipAngle": [5, 10], "EchoTime": [3.0, 4.0], "z": 3}, {}),
    ("MR", {"InversionTime": [50, 100], "z": 3}, {}),
    ("MR", {"component": ["M", "P"], "z": 3}, {}),
]


@pytest.mark.parametrize(("modality", "dims", "options"), DIMS)
def test_same_as_the_classic_series(tmp_path, modality, dims, options):
    seed = int(np.random.default_rng().integers(10**6))
    files = write_series(
        tmp_path / "classic", dims, modality=modality, seed=seed, shuffle=seed,
        frame_of_reference_uid=pydicom.uid.generate_uid(), **options,
    )  # fmt: skip
    converted = CLASSES[modality](
        [pydicom.dcmread(file) for file in np.random.default_rng(seed).permutation(files)],
        series_instance_uid=pydicom.uid.generate_uid(),
        series_number=9,
        sop_instance_uid=pydicom.uid.generate_uid(),
        instance_number=1,
    )
    converted.save_as(tmp_path / "converted.dcm")
    classic = xdicom.open_series(tmp_path / "classic")
    enhanced = xdicom.open_series(tmp_path / "converted.dcm")
    assert enhanced.dims == classic.dims
    assert enhanced.dtype == classic.dtype
    np.testing.assert_array_equal(enhanced, classic)
    for dim in classic.dims:
        np.testing.assert_array_equal(enhanced[dim], classic[dim])
    np.testing.assert_array_equal(enhanced.dicom.affine, classic.dicom.affine)
    assert enhanced.attrs.get("units") == classic.attrs.get("units")
    assert enhanced.attrs["Modality"] == modality
