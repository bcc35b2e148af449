"""A modality in, the values that DICOM's modules demand of its images out."""

from __future__ import annotations

from typing import Any

from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    JPEGBaseline8Bit,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from xdicom.testing.codestreams import Frame, photometric
from xdicom.testing.elements import Key

SOP_CLASSES: dict[str, str] = {
    "MR": MRImageStorage,
    "CT": CTImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "OT": SecondaryCaptureImageStorage,
}

COMMON: dict[Key, Any] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
    "InstanceCreationDate": "20240229",
    "StudyDate": "20240229",
    "SeriesDate": "20240229",
    "AcquisitionDate": "20240229",
    "ContentDate": "20240229",
    "StudyTime": "095500",
    "SeriesTime": "095900",
    "AcquisitionTime": "100000",
    "ContentTime": "100100",
    "AccessionNumber": "",
    "Manufacturer": "XDICOM SIMULATION",
    "ManufacturerModelName": "phantom",
    "ReferringPhysicianName": "",
    "StudyDescription": "simulated study",
    "SeriesDescription": "simulated series",
    "PatientName": "Phantom^Simulated",
    "PatientBirthDate": "",
    "PatientSex": "O",
    "StudyID": "1",
    "AcquisitionNumber": 1,
    "PositionReferenceIndicator": "",
    "BurnedInAnnotation": "NO",
    "PatientPosition": "HFS",
    "BodyPartExamined": "HEAD",
}
"""What every simulated file says, whatever its modality."""

CLASSIC: dict[str, dict[Key, Any]] = {
    "MR": {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "ProtocolName": "simulated gradient echo",
        "ScanningSequence": "GR",
        "SequenceVariant": "SP",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": 500,
        "EchoTime": 5,
        "EchoTrainLength": 1,
        "FlipAngle": 30,
        "MagneticFieldStrength": 3,
    },
    "CT": {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "KVP": 120,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "ConvolutionKernel": "SOFT",
    },
    "PT": {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SeriesType": ["WHOLE BODY", "IMAGE"],
        "Units": "BQML",
        "CountsSource": "EMISSION",
        "CorrectedImage": ["DECY", "ATTN"],
        "DecayCorrection": "START",
        "CollimatorType": "NONE",
        "FrameReferenceTime": 0,
        "ActualFrameDuration": 60000,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RadiopharmaceuticalInformationSequence": [
            {
                "RadiopharmaceuticalStartTime": "090000",
                "RadionuclideTotalDose": 3.7e8,
                "RadionuclideHalfLife": 6586.2,
                "RadionuclideCodeSequence": [],
            }
        ],
        "PatientPosition": None,
        "PatientOrientationCodeSequence": [],
        "PatientGantryRelationshipCodeSequence": [],
        "DecayFactor": 1,
    },
    "OT": {
        "ImageType": ["DERIVED", "SECONDARY"],
        "ConversionType": "WSD",
        "PatientOrientation": "",
    },
}
"""What files of a modality say besides: Type 1 and 2 of their IODs and a little more."""

ENHANCED_SOP_CLASSES: dict[str, str] = {
    "MR": EnhancedMRImageStorage,
    "CT": EnhancedCTImageStorage,
}

# Derived, as simulations are: original frames must describe how they were acquired.
_ENHANCED_COMMON: dict[Key, Any] = {
    "ImageType": ["DERIVED", "PRIMARY", "VOLUME", "NONE"],
    "AcquisitionDate": None,
    "AcquisitionTime": None,
    "AcquisitionDateTime": "20240229100000.000000",
    "AcquisitionDuration": 60.0,
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "ContentQualification": "RESEARCH",
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "LossyImageCompression": "00",
    "PresentationLUTShape": "IDENTITY",
}

ENHANCED: dict[str, dict[Key, Any]] = {
    "MR": {
        **_ENHANCED_COMMON,
        "ProtocolName": "simulated gradient echo",
        "ResonantNucleus": "1H",
        "KSpaceFiltering": "NONE",
        "MagneticFieldStrength": 3.0,
        "ApplicableSafetyStandardAgency": "IEC",
        "ApplicableSafetyStandardDescription": "IEC 60601-2-33",
        "ComplexImageComponent": "MAGNITUDE",
        "AcquisitionContrast": "UNKNOWN",
    },
    "CT": {**_ENHANCED_COMMON},
}
"""What enhanced multi-frame files of a modality say at their top level."""


def clock(seconds: float) -> str:
    """Give the time of day so many seconds after ten in the morning, as TM text.

    Examples
    --------
    >>> clock(62.5)
    '100102.500000'
    """
    micros = round(seconds * 1e6) + 36_000_000_000
    whole, fraction = divmod(micros, 1_000_000)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{fraction:06d}"


def image_pixel(frame: Frame, syntax: str, bits_stored: int | None) -> dict[Key, Any]:
    """Describe a frame by the Image Pixel module (PS3.3 C.7.6.3)."""
    samples = 3 if frame.ndim == 3 else 1
    bits = bits_stored or frame.dtype.itemsize * 8
    lossy: dict[Key, Any] = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 10.0,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    described: dict[Key, Any] = {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": photometric(syntax, samples),
        "PlanarConfiguration": 0 if samples == 3 else None,
        "Rows": frame.shape[0],
        "Columns": frame.shape[1],
        "BitsAllocated": frame.dtype.itemsize * 8,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(frame.dtype.kind == "i"),
    }
    return described | (lossy if syntax == JPEGBaseline8Bit else {})
