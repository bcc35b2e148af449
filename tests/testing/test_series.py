"""Simulated series, checked with pydicom: files are what they claim to be."""

from __future__ import annotations

import hypothesis
import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import strategies as st
from pydicom.encaps import generate_frames
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from xdicom import testing

NATIVE = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
LOSSLESS = [RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1, HTJ2KLossless]


def pixels(path):
    """Decode the pixels of a file, those of JPEG lossless too, for which pydicom needs GDCM."""
    ds = pydicom.dcmread(path)
    if ds.file_meta.TransferSyntaxUID != JPEGLosslessSV1:
        return ds.pixel_array
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    array = imagecodecs.jpeg8_decode(frame).view(
        f"{'iu'[not ds.PixelRepresentation]}{ds.BitsAllocated // 8}"
    )
    unused = ds.BitsAllocated - ds.BitsStored
    return array << unused >> unused


def numbers(paths):
    return [testing.frame_number(pixels(path)) for path in paths]


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("uint16", None), ("uint16", 12), ("int16", 12), ("uint8", None), ("int32", None)],
)
def test_frame_numbers_are_told_by_any_rows(dtype, bits):
    frames = testing.series_pixels((3, 4), 5, 7, dtype, bits)
    assert frames.shape == (3, 4, 5, 7)
    assert frames.dtype == dtype
    for number, frame in enumerate(frames.reshape(-1, 5, 7)):
        assert testing.frame_number(frame, bits) == number
        assert testing.frame_number(frame[2:4], bits, row=2) == number
        for wrong in (frame.T, frame[::-1], frame[:, ::-1], frame[:, 1:]):
            with pytest.raises(ValueError, match="not those of one simulated frame"):
                testing.frame_number(wrong, bits)


def test_frame_numbers_of_colour():
    frame = testing.frame_pixels(5, dtype="uint8", samples=3)
    assert frame.shape == (16, 24, 3)
    assert testing.frame_number(frame) == 5


@hypothesis.given(geometry=testing.geometries(), z=st.sampled_from([4, [0, 1, 5.5], [3, -2]]))
@hypothesis.settings(max_examples=25, deadline=None)
def test_positions_follow_the_formula(tmp_path_factory, geometry, z):
    paths = testing.write_series(tmp_path_factory.mktemp("s"), {"z": z}, **geometry)
    row, column = np.reshape(geometry["orientation"], (2, 3))
    normal = np.cross(row, column)
    np.testing.assert_allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-12)
    offsets = np.arange(z) * geometry["slice_spacing"] if isinstance(z, int) else z
    for path, offset in zip(paths, offsets, strict=True):
        ds = pydicom.dcmread(path)
        position = np.array(geometry["origin"]) + offset * normal
        np.testing.assert_allclose(ds.ImagePositionPatient, position, atol=1e-9)
        np.testing.assert_allclose(ds.ImageOrientationPatient, geometry["orientation"], atol=1e-12)
        np.testing.assert_allclose(ds.SliceLocation, position @ normal, atol=1e-9)
        assert tuple(ds.PixelSpacing) == geometry["pixel_spacing"]
        assert ds.SpacingBetweenSlices == ds.SliceThickness == geometry["slice_spacing"]


def test_paths_come_in_canonical_order(tmp_path):
    dims = {"EchoTime": [5, 10.5], "time": [0, 2.5, 61], "z": 4}
    paths = testing.write_series(tmp_path, dims)
    assert [path.name for path in paths] == [f"IM{i:05d}.dcm" for i in range(1, 25)]
    for number, (index, path) in enumerate(zip(np.ndindex(2, 3, 4), paths, strict=True)):
        ds = pydicom.dcmread(path)
        assert ds.EchoTime == dims["EchoTime"][index[0]]
        assert ds.TemporalPositionIdentifier == index[1] + 1
        assert ds.AcquisitionTime == ["100000.000000", "100002.500000", "100101.000000"][index[1]]
        assert ds.ImagePositionPatient[2] == 10 + 3 * index[2]
        assert ds.InstanceNumber == number + 1
        assert testing.frame_number(ds.pixel_array) == number
        assert ds.pixel_array.shape == (16, 24)


def test_shuffled_names_and_numbers_tell_nothing(tmp_path):
    dims = {"EchoTime": [5, 10], "z": 10}
    shuffled = testing.write_series(tmp_path / "a", dims, shuffle=1)
    canonical = testing.write_series(tmp_path / "b", dims, shuffle=1, number_by="canonical")
    assert numbers(shuffled) == numbers(canonical) == list(range(20))
    assert shuffled != sorted(shuffled)
    assert [p.name for p in shuffled] == [p.name for p in canonical]
    instances = [pydicom.dcmread(p).InstanceNumber for p in shuffled]
    assert sorted(instances) == list(range(1, 21)) != instances
    assert np.argsort(instances).tolist() != np.argsort([p.name for p in shuffled]).tolist()
    assert [pydicom.dcmread(p).InstanceNumber for p in canonical] == list(range(1, 21))


def test_a_seed_gives_the_same_bytes_and_another_seed_other_uids(tmp_path):
    dims = {"EchoTime": [5, 10], "z": 3}
    first, again, other = (
        testing.write_series(tmp_path / name, dims, seed=seed, shuffle=2)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]
    uids = {pydicom.dcmread(p).SOPInstanceUID for p in (*first, *other)}
    assert len(uids) == 12
    assert all(uid.is_valid and len(uid) == 43 for uid in uids)


def test_series_of_a_seed_share_study_and_frame_of_reference(tmp_path):
    (one,) = testing.write_series(tmp_path / "a", {}, series_number=1)
    (two,) = testing.write_series(tmp_path / "b", {}, series_number=2)
    enhanced = testing.write_enhanced(tmp_path / "c.dcm", {"z": 2}, series_number=3)
    headers = [pydicom.dcmread(path) for path in (one, two, enhanced)]
    for keyword, count in {
        "StudyInstanceUID": 1,
        "FrameOfReferenceUID": 1,
        "SeriesInstanceUID": 3,
        "SOPInstanceUID": 3,
    }.items():
        assert len({ds[keyword].value for ds in headers}) == count
    (given,) = testing.write_series(
        tmp_path / "d",
        {},
        series_uid="1.2.3",
        study_uid="1.2",
        frame_of_reference_uid="1.4",
        patient_id="P2",
    )
    ds = pydicom.dcmread(given)
    assert (ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID, ds.PatientID) == (
        "1.2.3",
        "1.2",
        "1.4",
        "P2",
    )


@pytest.mark.parametrize(
    ("modality", "sop_class", "slope"),
    [
        ("MR", MRImageStorage, None),
        ("CT", CTImageStorage, 1),
        ("PT", PositronEmissionTomographyImageStorage, 1),
        ("OT", SecondaryCaptureImageStorage, None),
    ],
)
def test_modalities(tmp_path, modality, sop_class, slope):
    (path,) = testing.write_series(tmp_path, {}, modality=modality)
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID == ds.file_meta.MediaStorageSOPClassUID == sop_class
    assert ds.Modality == modality
    assert ds.get("RescaleSlope") == slope
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


def test_dims_of_every_kind(tmp_path):
    paths = testing.write_series(
        tmp_path,
        {
            "component": ["M", "P"],
            "diffusion": [
                {"DiffusionBValue": 0.0},
                {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [0, 0.6, 0.8]},
            ],
            "repeat": 2,
            "cardiac": [{"TriggerTime": lambda index: 10 * index["z"] + 1}],
            "z": [7],
        },
    )
    assert numbers(paths) == list(range(8))
    headers = [pydicom.dcmread(path) for path in paths]
    assert [ds.ImageType[2] for ds in headers] == ["M"] * 4 + ["P"] * 4
    assert [ds.DiffusionBValue for ds in headers] == [0, 0, 1000, 1000] * 2
    assert "DiffusionGradientOrientation" not in headers[0]
    assert headers[2].DiffusionGradientOrientation == [0, 0.6, 0.8]
    assert all(ds.TriggerTime == 1 for ds in headers)
    differing = {e.keyword for e in headers[0] if e != headers[1][e.tag]}
    assert differing == {"SOPInstanceUID", "InstanceNumber", "PixelData"}


def test_attributes_come_last(tmp_path):
    creator = "SIEMENS MR HEADER"
    paths = testing.write_series(
        tmp_path,
        {"EchoTime": [5, 10], "z": 2},
        attributes={
            "EchoTime": lambda index: 7 + index["EchoTime"],
            "FlipAngle": None,
            "ImagePositionPatient": lambda index: None if index["z"] else [1, 2, 3],
            "PatientName": "Müller^Jürgen",
            "SeriesDescription": np.str_("T1"),
            "SmallestImagePixelValue": 0,
            "RepetitionTime": 1 / 3,
            "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}],
            "SOPInstanceUID": lambda index: "1.2.3.4",
            "InversionTime": b"1,5",
            (0x0019, 0x0C, creator, "IS"): lambda index: 1000 * index["z"],
            (0x0019, 0x08, creator, "CS"): "IMAGE NUM 4",
            (0x0019, 0x01, "OTHER", "FD"): 1.5,
        },
    )
    ds, last = pydicom.dcmread(paths[0]), pydicom.dcmread(paths[-1])
    assert (ds.EchoTime, last.EchoTime) == (7, 8)
    assert "FlipAngle" not in ds
    assert ds.ImagePositionPatient == [1, 2, 3]
    assert "ImagePositionPatient" not in last
    assert ds.PatientName.family_name == "Müller"
    assert ds["SmallestImagePixelValue"].VR == "US"
    assert ds.get_item("RepetitionTime").value == b"0.33333333333333"
    assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert ds.get_item("InversionTime").value == b"1,5 "
    block = last.private_block(0x0019, creator)
    assert (block[0x0C].value, block[0x08].value) == (1000, "IMAGE NUM 4")
    assert last.private_block(0x0019, "OTHER")[0x01].value == 1.5


@pytest.mark.parametrize(("dtype", "vr"), [("uint16", "US"), ("int16", "SS")])
@pytest.mark.parametrize("syntax", NATIVE)
def test_ambiguous_vrs_follow_the_pixels(tmp_path, dtype, vr, syntax):
    (path,) = testing.write_series(
        tmp_path,
        {},
        dtype=dtype,
        transfer_syntax=syntax,
        attributes={
            "PixelPaddingValue": 7,
            "LargestImagePixelValue": lambda index: 300,
            "ModalityLUTSequence": [
                {"LUTDescriptor": [3, 0, 16], "LUTData": [1, 2, 3], "ModalityLUTType": "US"}
            ],
        },
    )
    ds = pydicom.dcmread(path)
    assert ds.PixelPaddingValue == 7
    assert ds.LargestImagePixelValue == 300
    assert ds["PixelPaddingValue"].VR == ds["LargestImagePixelValue"].VR == vr
    assert ds.ModalityLUTSequence[0].LUTDescriptor == [3, 0, 16]


def test_rescale_of_each_slice(tmp_path):
    paths = testing.write_series(
        tmp_path, {"z": 3}, modality="PT", slope=lambda index: 0.5 + index["z"], intercept=-3
    )
    assert [pydicom.dcmread(path).RescaleSlope for path in paths] == [0.5, 1.5, 2.5]
    assert pydicom.dcmread(paths[0]).RescaleIntercept == -3
    assert [pydicom.dcmread(path).ImageIndex for path in paths] == [1, 2, 3]


def test_dropped_frames_leave_the_others_as_they_are(tmp_path):
    dims = {"time": 3, "z": 4}
    whole = testing.write_series(tmp_path / "a", dims)
    ragged = testing.write_series(
        tmp_path / "b", dims, drop=[{"time": 1, "z": 2}, (0, 3), {"time": 2}]
    )
    kept = [0, 1, 2, 4, 5, 7]
    assert numbers(ragged) == kept
    assert [p.read_bytes() for p in ragged] == [whole[number].read_bytes() for number in kept]
    assert testing.write_series(tmp_path / "c", dims, drop=[{}]) == []


def test_stored_values_of_the_caller(tmp_path):
    array = np.random.default_rng(0).integers(-2000, 2000, (2, 3, 5, 7), dtype=np.int16)
    paths = testing.write_series(tmp_path / "a", {"EchoTime": [1, 2], "z": 3}, stored=array)
    assert np.array_equal(np.stack([pixels(path) for path in paths]), array.reshape(6, 5, 7))
    paths = testing.write_series(
        tmp_path / "b", {"z": 3}, stored=lambda index: array[1, index["z"]], dtype="int32"
    )
    assert np.array_equal(np.stack([pixels(path) for path in paths]), array[1])
    mixed = testing.write_series(
        tmp_path / "c", {"z": 3}, stored=lambda index: np.ones((4 + index["z"], 6), np.uint8)
    )
    assert [pixels(path).shape for path in mixed] == [(4, 6), (5, 6), (6, 6)]


@pytest.mark.parametrize(
    ("dims", "options", "message"),
    [
        ({"echo": [1, 2]}, {}, "no keyword"),
        ({"EchoTime": []}, {}, "no values"),
        ({"z": 2}, {"attributes": {"NoSuchThing": 1}}, "no keyword"),
        ({"z": 2}, {"transfer_syntax": "1.2.840.10008.1.2.4.102"}, "no encoder"),
        ({"z": 2}, {"modality": "XX"}, "is none of"),
        ({"z": 2}, {"stored": np.zeros((3, 4, 5), "uint8")}, "shape"),
        ({"z": 2}, {"stored": np.zeros((2, 4, 5))}, "integers"),
        ({"z": 2}, {"stored": np.full((2, 4, 5), 300), "dtype": "uint8"}, "do not fit"),
        ({"z": 2}, {"stored": np.zeros((2, 4, 5), int)}, "say the dtype"),
        ({"z": 2}, {"drop": [{"time": 0}]}, "drop names"),
        ({"z": 2}, {"transfer_syntax": JPEGBaseline8Bit}, "uint8 only"),
        ({"z": 2}, {"transfer_syntax": HTJ2KLossless, "bits_stored": 12}, "HTJ2K"),
        ({"z": 2}, {"origin": (0, 0)}, "origin 3"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, dims, options, message):
    with pytest.raises(ValueError, match=message):
        testing.write_series(tmp_path, dims, **options)


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS, ids=lambda uid: uid.keyword)
@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("uint16", 16), ("int16", 16), ("uint16", 12), ("int16", 12), ("uint8", 8)],
)
def test_transfer_syntaxes_round_trip(tmp_path, syntax, dtype, bits):
    if syntax == HTJ2KLossless and bits == 12:
        bits = 16  # its encoder codes all bits allocated
    paths = testing.write_series(
        tmp_path, {"z": 2}, transfer_syntax=syntax, dtype=dtype, bits_stored=bits
    )
    for number, path in enumerate(paths):
        ds = pydicom.dcmread(path)
        assert ds.file_meta.TransferSyntaxUID == syntax
        assert (ds.BitsStored, ds.HighBit, ds.PixelRepresentation) == (
            bits,
            bits - 1,
            dtype == "int16",
        )
        assert np.array_equal(
            pixels(path), testing.frame_pixels(number, dtype=dtype, bits_stored=bits)
        )


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS, ids=lambda uid: uid.keyword)
def test_colour_round_trips(tmp_path, syntax):
    stored = testing.series_pixels((2,), dtype="uint8", samples=3)
    paths = testing.write_series(
        tmp_path, {"z": 2}, stored=stored, modality="OT", transfer_syntax=syntax
    )
    assert np.array_equal(np.stack([pixels(path) for path in paths]), stored)


@pytest.mark.parametrize("samples", [1, 3])
def test_jpeg_baseline_is_near(tmp_path, samples):
    ramp = np.add.outer(np.arange(16), np.arange(24)).astype(np.uint8) * 3
    frame = ramp if samples == 1 else np.stack([ramp, 255 - ramp, ramp // 2], axis=-1)
    (path,) = testing.write_series(
        tmp_path, {}, stored=lambda index: frame, transfer_syntax=JPEGBaseline8Bit
    )
    ds = pydicom.dcmread(path)
    assert ds.LossyImageCompression == "01"
    assert ds.PhotometricInterpretation == ("MONOCHROME2" if samples == 1 else "YBR_FULL_422")
    assert np.abs(ds.pixel_array.astype(int) - frame).max() < 12
