"""Which elements a row of the frame table holds, and where in a header they may stand."""

from __future__ import annotations

from functools import cache
from typing import Final

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from xdicom.headers.private import KEYS
from xdicom.headers.vendor import VR_OF

# Keywords by the part of the work that needs them. Everything else stays in the file and is read
# on demand.
_WANTED: Final[dict[str, str]] = {
    "identity": """
        SpecificCharacterSet SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID
        FrameOfReferenceUID PatientID StudyID StudyDate StudyTime SeriesDate SeriesTime
        StudyDescription SeriesDescription SeriesNumber AcquisitionNumber InstanceNumber Modality
        Manufacturer ManufacturerModelName ProtocolName BodyPartExamined ConcatenationUID
        ConcatenationFrameOffsetNumber InConcatenationNumber InConcatenationTotalNumber
        TimezoneOffsetFromUTC BurnedInAnnotation LossyImageCompression""",
    "image": """
        SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames
        FrameIncrementPointer Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
        SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue PixelPaddingRangeLimit
        RescaleSlope RescaleIntercept RescaleType WindowCenter WindowWidth VOILUTFunction
        PresentationLUTShape DoseGridScaling DoseUnits DoseType DoseSummationType SegmentationType
        SegmentationFractionalType MaximumFractionalValue Units DecayCorrection ExtendedOffsetTable
        ExtendedOffsetTableLengths""",
    "geometry": """
        ImagePositionPatient ImageOrientationPatient PixelSpacing ImagerPixelSpacing
        NominalScannedPixelSpacing PixelAspectRatio SliceThickness SpacingBetweenSlices
        SliceLocation PatientPosition GantryDetectorTilt GridFrameOffsetVector SliceVector
        StackID InStackPositionNumber""",
    "families": """
        ImageType FrameType ComplexImageComponent SequenceName ScanningSequence SequenceVariant
        ConvolutionKernel ReceiveCoilName EchoTime EffectiveEchoTime EchoNumbers InversionTime
        InversionTimes FlipAngle RepetitionTime VelocityEncodingDirection
        VelocityEncodingMinimumValue DiffusionBValue DiffusionGradientOrientation
        DiffusionDirectionality KVP ReferencedSegmentNumber
        NominalPercentageOfRespiratoryPhase NominalPercentageOfCardiacPhase
        NominalCardiacTriggerDelayTime TriggerTime HeartRate NominalInterval
        CardiacNumberOfImages CardiacSynchronizationTechnique TemporalPositionIdentifier
        TemporalPositionIndex TemporalPositionTimeOffset FrameReferenceTime
        FrameAcquisitionDateTime FrameReferenceDateTime FrameAcquisitionNumber
        AcquisitionDateTime AcquisitionDate AcquisitionTime ContentDate ContentTime ImageIndex
        DimensionIndexValues FrameTime FrameTimeVector NumberOfTemporalPositions
        NumberOfSlices NumberOfTimeSlices NumberOfRRIntervals NumberOfTimeSlots SeriesType
        EnergyWindowVector DetectorVector PhaseVector RotationVector RRIntervalVector
        TimeSlotVector AngularViewVector TimeSliceVector ASLContext ASLPulseTrainDuration
        ASLBolusCutoffDelayTime MonoenergeticEnergyEquivalent""",
    "tiles": """
        TotalPixelMatrixRows TotalPixelMatrixColumns TotalPixelMatrixFocalPlanes
        NumberOfOpticalPaths DimensionOrganizationType ImageOrientationSlide ImagedVolumeWidth
        ImagedVolumeHeight RowPositionInTotalImagePixelMatrix
        ColumnPositionInTotalImagePixelMatrix XOffsetInSlideCoordinateSystem
        YOffsetInSlideCoordinateSystem ZOffsetInSlideCoordinateSystem OpticalPathIdentifier
        OpticalPathDescription""",
    "physics": """
        MagneticFieldStrength ImagingFrequency PixelBandwidth EchoTrainLength NumberOfAverages
        ImagedNucleus MRAcquisitionType ScanOptions InPlanePhaseEncodingDirection ExposureTime
        XRayTubeCurrent Exposure DataCollectionDiameter ReconstructionDiameter
        ActualFrameDuration PatientWeight PatientSize""",
}

WANTED: Final[dict[int, str]] = {
    int(tag): keyword
    for group in _WANTED.values()
    for keyword in group.split()
    if (tag := tag_for_keyword(keyword)) is not None
} | {key: name for key, (name, _) in KEYS.items()}
"""Tag → keyword of every public element that a row holds; key → name of the private ones."""

WANTED_VR: Final[dict[int, str]] = {
    tag: KEYS[tag][1] if tag in KEYS else dictionary_VR(tag) for tag in WANTED
}
"""The dictionary's VR of each wanted tag or key, for implicit VR and for UN."""

DECISIVE: Final[frozenset[str]] = frozenset(
    """Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames
    BitsAllocated BitsStored HighBit PixelRepresentation PixelAspectRatio RescaleSlope
    RescaleIntercept ModalityLUTSequence DoseGridScaling ImagePositionPatient
    ImageOrientationPatient PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing
    SpacingBetweenSlices SliceThickness SliceLocation GridFrameOffsetVector SliceVector
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence""".split()
)
"""Elements of geometry and pixels: repeated, they leave either unknown."""

# identity and image pixel: a functional group that held one would make frames of other objects.
# Of a tile's place, what its row and column in the total matrix do not say
_TOP_LEVEL_ONLY: Final = frozenset(
    """SpecificCharacterSet SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID
    FrameOfReferenceUID PatientID StudyID StudyDate StudyTime StudyDescription SeriesNumber
    ConcatenationUID ConcatenationFrameOffsetNumber InConcatenationNumber
    InConcatenationTotalNumber SamplesPerPixel PhotometricInterpretation PlanarConfiguration
    NumberOfFrames Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
    ExtendedOffsetTable ExtendedOffsetTableLengths TotalPixelMatrixRows TotalPixelMatrixColumns
    TotalPixelMatrixFocalPlanes NumberOfOpticalPaths DimensionOrganizationType
    ImageOrientationSlide XOffsetInSlideCoordinateSystem YOffsetInSlideCoordinateSystem
    OpticalPathDescription""".split()
)

GROUP_LEAVES: Final[dict[int, str]] = {
    tag: keyword for tag, keyword in WANTED.items() if keyword not in _TOP_LEVEL_ONLY
}
"""Tag → keyword of the elements that functional groups may give to a frame."""

IMAGE_CLASSES: Final[frozenset[str]] = frozenset(
    uid
    for uid, (name, kind, *_) in UID_dictionary.items()
    if kind == "SOP Class" and "Image Storage" in name
)
"""SOP classes of images, whose instances should have pixels."""

SPECTROSCOPY: Final = "1.2.840.10008.5.1.4.1.1.4.2"
"""The SOP class whose Rows and Columns are those of voxels, not of an image."""
_LISTED: Final[dict[str, str]] = {
    "DetectorInformationSequence": "ImagePositionPatient ImageOrientationPatient StartAngle",
    "EnergyWindowInformationSequence": "EnergyWindowName",
    "PhaseInformationSequence": """
        PhaseDelay PauseBetweenFrames NumberOfFramesInPhase ActualFrameDuration""",
    "RotationInformationSequence": "StartAngle AngularStep RotationDirection",
    "SequenceOfUltrasoundRegions": """
        RegionSpatialFormat RegionDataType RegionLocationMinX0 RegionLocationMinY0
        RegionLocationMaxX1 RegionLocationMaxY1 PhysicalUnitsXDirection PhysicalUnitsYDirection
        ReferencePixelX0 ReferencePixelY0 ReferencePixelPhysicalValueX
        ReferencePixelPhysicalValueY PhysicalDeltaX PhysicalDeltaY""",
}

LISTED: Final[dict[int, dict[int, str]]] = {
    int(tag_for_keyword(sequence) or 0): {
        int(tag_for_keyword(keyword) or 0): keyword for keyword in leaves.split()
    }
    for sequence, leaves in _LISTED.items()
}
"""Sequences whose items frames are described by, and what is read of each item, by tag."""

LISTED_VR: Final[dict[int, str]] = {
    tag: dictionary_VR(tag) for leaves in LISTED.values() for tag in leaves
}
"""The dictionary's VR of each of these tags."""

SHARED_GROUPS: Final = 0x52009229
PER_FRAME_GROUPS: Final = 0x52009230
DIMENSION_INDEX: Final = 0x00209222
MODALITY_LUT: Final = 0x00283000
MATRIX_ORIGIN: Final = 0x00480008
OPTICAL_PATHS: Final = 0x00480105
VOI_LUT: Final = 0x00283010
REFERENCED_SERIES: Final = 0x00081115
SEGMENT_SEQUENCE: Final = 0x00620002

LUT_MARKS: Final[dict[int, str]] = {
    MODALITY_LUT: "xdicom_modality_lut",
    VOI_LUT: "xdicom_voi_lut",
}
"""Tables that rows do not hold, and the column that says whether the header has them."""

# Functional-group macros of PS3.3 C.7.6.16.2 and of the MR, CT, PET and XA multi-frame modules,
# with the sequences nested in them that hold a family's attribute. Keywords are read from these
# only: vendors nest whole headers in private sequences, where they mean something else.
_MACROS: Final = """
    PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence FrameContentSequence
    FrameVOILUTSequence PixelValueTransformationSequence CardiacSynchronizationSequence
    RespiratorySynchronizationSequence TemporalPositionSequence SegmentIdentificationSequence
    MRImageFrameTypeSequence MRTimingAndRelatedParametersSequence MREchoSequence MRModifierSequence
    MRImagingModifierSequence MRReceiveCoilSequence MRAveragesSequence MRDiffusionSequence
    DiffusionGradientDirectionSequence MRVelocityEncodingSequence MRArterialSpinLabelingSequence
    ASLSlabSequence ASLBolusCutoffTimingSequence MultienergyCTCharacteristicsSequence
    CTImageFrameTypeSequence CTXRayDetailsSequence CTReconstructionSequence CTExposureSequence
    CTPixelPaddingValueSequence PETFrameTypeSequence PETFrameAcquisitionSequence
    FramePixelDataPropertiesSequence
    XAXRFFrameCharacteristicsSequence PlanePositionSlideSequence
    OpticalPathIdentificationSequence WholeSlideMicroscopyImageFrameTypeSequence
    UnassignedSharedConvertedAttributesSequence
    UnassignedPerFrameConvertedAttributesSequence"""

MACROS: Final[frozenset[int]] = frozenset(
    int(tag) for keyword in _MACROS.split() if (tag := tag_for_keyword(keyword)) is not None
)
"""Sequences that are walked into inside the functional groups."""

UNASSIGNED: Final[frozenset[int]] = frozenset(
    int(tag)
    for keyword in (
        "UnassignedSharedConvertedAttributesSequence",
        "UnassignedPerFrameConvertedAttributesSequence",
    )
    if (tag := tag_for_keyword(keyword)) is not None
)
"""Those of them that hold what had no place elsewhere: any other macro's value goes before."""

ALIASES: Final[dict[str, str]] = {
    "EffectiveEchoTime": "EchoTime",
    "InversionTimes": "InversionTime",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "FrameType": "ImageType",
    "ReferencedSegmentNumber": "SegmentNumber",
}
"""Functional-group attributes and the classic keyword under which rows hold them too."""

# PS3.15 Annex E: attributes that name or describe a person, or are free text. Never in attrs, nor
# in coordinates unless named one by one.
PRIVATE_TO_PATIENT: Final[frozenset[str]] = frozenset(
    """PatientName PatientID PatientBirthDate PatientSex PatientAge OtherPatientIDs
    OtherPatientNames PatientAddress PatientComments PatientTelephoneNumbers EthnicGroup Occupation
    AdditionalPatientHistory AccessionNumber ReferringPhysicianName PerformingPhysicianName
    OperatorsName NameOfPhysiciansReadingStudy PhysiciansOfRecord RequestingPhysician
    InstitutionName InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber
    StudyID ImageComments StudyComments PatientWeight PatientSize MilitaryRank
    IssuerOfPatientID PatientBirthTime PatientMotherBirthName RequestingService
    ScheduledPerformingPhysicianName ResponsiblePerson ReferringPhysicianAddress""".split()
)


@cache
def tag_of(key: str | tuple[int, int] | int) -> int | None:
    """Tag of a keyword, of a ``(group, element)`` pair or of a tag number; None for no DICOM tag.

    Examples
    --------
    >>> hex(tag_of("Rows")), hex(tag_of((0x0028, 0x0010)))
    ('0x280010', '0x280010')
    >>> tag_of("rows") is None
    True
    """
    if isinstance(key, tuple):
        return (key[0] << 16) | key[1]
    if isinstance(key, int):
        return key
    tag = tag_for_keyword(key) if key else None  # some entries of the dictionary have no keyword
    return None if tag is None else int(tag)


@cache
def keyword_of(tag: int) -> str:
    """Keyword of a public tag, or the hexadecimal form ``"(gggg,eeee)"`` where there is none."""
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def vr_of(keyword: str) -> str:
    """The VR of a keyword (the first of two, ``US`` of "US or SS"), ``UN`` if it is not known.

    Of a private element by name: that of the vendors' table.
    """
    if keyword in VR_OF:
        return VR_OF[keyword]
    tag = tag_of(keyword)
    if tag is None or not dictionary_has_tag(tag):
        return "UN"
    return dictionary_VR(tag).split()[0]
