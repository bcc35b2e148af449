"""Objects without pixels are nodes with attributes and headers; none of them is an error."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pydicom import uid

import xdicom
from xdicom.testing import write_non_image, write_series

CLASSES = {
    "SR": uid.ComprehensiveSRStorage,
    "RTSTRUCT": uid.RTStructureSetStorage,
    "RTPLAN": uid.RTPlanStorage,
    "PR": uid.GrayscaleSoftcopyPresentationStateStorage,
    "KO": uid.KeyObjectSelectionDocumentStorage,
    "DOC": uid.EncapsulatedPDFStorage,
    "ECG": uid.TwelveLeadECGWaveformStorage,
    "MR": uid.RawDataStorage,
    "REG": uid.SpatialRegistrationStorage,
    "MRS": uid.MRSpectroscopyStorage,
}
EXTRA = {
    "DOC": {"EncapsulatedDocument": b"%PDF-1.4 " * 5000, "MIMETypeOfEncapsulatedDocument": "pdf"},
    "MRS": {"Rows": 4, "Columns": 4, "NumberOfFrames": 2, "DataPointColumns": 8,
            "SpectroscopyData": np.arange(256, dtype="<f4").tobytes()},
}  # fmt: skip


@pytest.fixture
def tree(tmp_path):
    write_series(tmp_path / "image", {"z": 3}, modality="MR")
    for number, (modality, sop_class) in enumerate(CLASSES.items(), 2):
        for instance in range(1, 2 + number % 3):
            write_non_image(
                tmp_path / f"{modality}{instance}.dcm",
                series_number=number,
                instance_number=instance,
                attributes={
                    "SOPClassUID": sop_class,
                    "Modality": modality[:2] if modality == "MRS" else modality,
                    "SeriesDescription": modality,
                    **EXTRA.get(modality, {}),
                },
            )
    return xr.open_datatree(tmp_path, engine="dicom")


def test_every_object_is_a_node(tree):
    found = {n.ds.attrs["SeriesDescription"]: n for n in tree.subtree if "frame_id" in n.coords}
    for number, (modality, sop_class) in enumerate(CLASSES.items(), 2):
        attrs = found[modality].ds.attrs
        assert "pixels" not in found[modality].ds
        assert "dicom_error" not in attrs
        assert attrs["SOPClassUID"] == sop_class
        assert attrs["dicom_class"] == uid.UID(sop_class).name
        count = 1 + number % 3
        assert found[modality].ds.sizes["instance"] == count
        header = found[modality].dicom.header(instance=count - 1)
        assert header.SOPClassUID == sop_class
        assert found[modality].ds.dicom.values("InstanceNumber").size == count
    assert len(found) == len(CLASSES) + 1
    assert not len(tree.dicom.problems)


def test_one_image_among_them(tree, tmp_path):
    assert xdicom.open_series(tmp_path).sizes["z"] == 3
    assert tree.dicom.header(z=0).Modality == "MR"


def test_opened_alone(tmp_path):
    path = write_non_image(tmp_path / "report.dcm")
    with pytest.raises(xdicom.XDicomError, match="no pixels"):
        xdicom.open_series(path)
    tree = xr.open_datatree(path, engine="dicom")
    assert tree.dicom.header().CompletionFlag == "COMPLETE"
    assert tree.dicom["Modality"] == "SR"
