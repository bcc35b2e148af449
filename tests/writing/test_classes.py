"""Which SOP classes can be written, and as what."""

from __future__ import annotations

import uuid

import pytest
from pydicom import uid

from xdicom import ConformanceError
from xdicom.writing.classes import class_of
from xdicom.writing.uids import instance_uid, series_uid


@pytest.mark.parametrize(
    "sop_class",
    [
        uid.EnhancedMRImageStorage,
        uid.LegacyConvertedEnhancedCTImageStorage,
        uid.SegmentationStorage,
        uid.ParametricMapStorage,
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        uid.VLWholeSlideMicroscopyImageStorage,
        uid.BreastTomosynthesisImageStorage,
        uid.XRay3DAngiographicImageStorage,
    ],
)
def test_functional_groups_come_later(sop_class):
    with pytest.raises(ConformanceError, match="later version"):
        class_of(sop_class)


def test_doses_are_not_written():
    with pytest.raises(ConformanceError, match="RT Dose"):
        class_of(uid.RTDoseStorage)


@pytest.mark.parametrize(
    ("sop_class", "bits", "signed", "plane"),
    [
        (uid.CTImageStorage, (16,), True, True),
        (uid.MRImageStorage, (16,), True, True),
        (uid.PositronEmissionTomographyImageStorage, (16,), True, True),
        (uid.SecondaryCaptureImageStorage, (8, 16), True, True),
        (uid.DigitalXRayImageStorageForPresentation, (8, 16), False, True),
        (uid.UltrasoundImageStorage, (), False, True),
        (uid.RTImageStorage, (), False, False),
        (uid.NuclearMedicineImageStorage, (), False, False),
    ],
)
def test_table(sop_class, bits, signed, plane):
    found = class_of(sop_class)
    assert (found.bits, found.signed, found.plane) == (bits, signed, plane)


def test_uids_are_valid_and_repeatable():
    for _ in range(100):
        series = uuid.uuid4()
        made = [series_uid(series), *(instance_uid(series, i) for i in range(20))]
        assert len(set(made)) == 21
        assert all(uid.UID(one).is_valid and len(one) <= 44 for one in made)
        assert made[1:] == [instance_uid(series, i) for i in range(20)]
