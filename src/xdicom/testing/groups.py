"""Keywords in, the functional groups of an enhanced multi-frame object out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdicom.testing.elements import Key

_CONTENT = "FrameContentSequence"
_TIMING = "MRTimingAndRelatedParametersSequence"
_DIFFUSION = "MRDiffusionSequence"
_DIRECTION = "DiffusionGradientDirectionSequence"
_LABELING = "MRArterialSpinLabelingSequence"
_RESCALE = "PixelValueTransformationSequence"

GROUPS: dict[str, tuple[str, ...]] = {
    # PS3.3 C.7.6.16.2, common to all modalities
    "FrameAcquisitionNumber": (_CONTENT,),
    "FrameReferenceDateTime": (_CONTENT,),
    "FrameAcquisitionDateTime": (_CONTENT,),
    "FrameAcquisitionDuration": (_CONTENT,),
    "FrameLabel": (_CONTENT,),
    "DimensionIndexValues": (_CONTENT,),
    "TemporalPositionIndex": (_CONTENT,),
    "StackID": (_CONTENT,),
    "InStackPositionNumber": (_CONTENT,),
    "TemporalPositionTimeOffset": ("TemporalPositionSequence",),
    "ImagePositionPatient": ("PlanePositionSequence",),
    "ImageOrientationPatient": ("PlaneOrientationSequence",),
    "PixelSpacing": ("PixelMeasuresSequence",),
    "SliceThickness": ("PixelMeasuresSequence",),
    "SpacingBetweenSlices": ("PixelMeasuresSequence",),
    "FrameLaterality": ("FrameAnatomySequence",),
    "AnatomicRegionSequence": ("FrameAnatomySequence",),
    "RescaleSlope": (_RESCALE,),
    "RescaleIntercept": (_RESCALE,),
    "RescaleType": (_RESCALE,),
    "WindowCenter": ("FrameVOILUTSequence",),
    "WindowWidth": ("FrameVOILUTSequence",),
    "NominalPercentageOfCardiacPhase": ("CardiacSynchronizationSequence",),
    "NominalCardiacTriggerDelayTime": ("CardiacSynchronizationSequence",),
    "NominalPercentageOfRespiratoryPhase": ("RespiratorySynchronizationSequence",),
    # PS3.3 C.8.13.5, MR; the keywords of classic files lead to their successors
    "EffectiveEchoTime": ("MREchoSequence",),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "RepetitionTime": (_TIMING,),
    "FlipAngle": (_TIMING,),
    "EchoTrainLength": (_TIMING,),
    "RFEchoTrainLength": (_TIMING,),
    "GradientEchoTrainLength": (_TIMING,),
    "OperatingModeSequence": (_TIMING,),
    "SpecificAbsorptionRateSequence": (_TIMING,),
    "InversionRecovery": ("MRModifierSequence",),
    "InversionTimes": ("MRModifierSequence",),
    "InversionTime": ("MRModifierSequence", "InversionTimes"),
    "DiffusionBValue": (_DIFFUSION,),
    "DiffusionDirectionality": (_DIFFUSION,),
    "DiffusionGradientOrientation": (_DIFFUSION, _DIRECTION, "DiffusionGradientOrientation"),
    "ReceiveCoilName": ("MRReceiveCoilSequence",),
    "ReceiveCoilManufacturerName": ("MRReceiveCoilSequence",),
    "ReceiveCoilType": ("MRReceiveCoilSequence",),
    "QuadratureReceiveCoil": ("MRReceiveCoilSequence",),
    "VelocityEncodingDirection": ("MRVelocityEncodingSequence",),
    "VelocityEncodingMinimumValue": ("MRVelocityEncodingSequence",),
    "VelocityEncodingMaximumValue": ("MRVelocityEncodingSequence",),
    "ASLContext": (_LABELING,),
    "ASLPulseTrainDuration": (_LABELING, "ASLSlabSequence", "ASLPulseTrainDuration"),
    "ASLBolusCutoffDelayTime": (
        _LABELING,
        "ASLBolusCutoffTimingSequence",
        "ASLBolusCutoffDelayTime",
    ),
    "NumberOfAverages": ("MRAveragesSequence",),
    "ComplexImageComponent": ("MRImageFrameTypeSequence",),
    "AcquisitionContrast": ("MRImageFrameTypeSequence",),
    "FrameType": ("{modality}ImageFrameTypeSequence",),
    "PixelPresentation": ("{modality}ImageFrameTypeSequence",),
    "VolumetricProperties": ("{modality}ImageFrameTypeSequence",),
    "VolumeBasedCalculationTechnique": ("{modality}ImageFrameTypeSequence",),
    # PS3.3 C.8.15.3, CT
    "KVP": ("CTXRayDetailsSequence",),
    "MonoenergeticEnergyEquivalent": ("MultienergyCTCharacteristicsSequence",),
    "ConvolutionKernel": ("CTReconstructionSequence",),
    "IrradiationEventUID": ("IrradiationEventIdentificationSequence",),
    "XRayTubeCurrentInmA": ("CTExposureSequence",),
}
"""Path to each keyword: sequences, and the leaf last where it bears another keyword."""


def path_of(key: Key, modality: str) -> tuple[Key, ...]:
    """Give the way from a frame's item to a value, the leaf included.

    Parameters
    ----------
    key : str or tuple
        A keyword, or a private element, which stands in the item itself.
    modality : str
        MR or CT, whose frame types stand in sequences of different names.

    Returns
    -------
    tuple
        Keywords of sequences, then of the leaf.

    Raises
    ------
    ValueError
        If no functional group is known for the keyword.

    Examples
    --------
    >>> path_of("EchoTime", "MR")
    ('MREchoSequence', 'EffectiveEchoTime')
    """
    if isinstance(key, tuple):
        return (key,)
    if key not in GROUPS:
        raise ValueError(f"no functional group is known for {key!r}")
    path = tuple(part.format(modality=modality) for part in GROUPS[key])
    return path if not path[-1].endswith("Sequence") else (*path, key)


def nest(values: Mapping[Key, Any], modality: str) -> dict[Key, Any]:
    """Put a frame's values into the items of its functional groups.

    Parameters
    ----------
    values : mapping
        Values by keyword; None leaves one out.
    modality : str
        MR or CT.

    Returns
    -------
    dict
        One mapping by sequence.

    Examples
    --------
    >>> nest({"EchoTime": 5.0, "FlipAngle": 30.0}, "MR")["MREchoSequence"]
    {'EffectiveEchoTime': 5.0}
    """
    item: dict[Key, Any] = {}
    for key, value in values.items():
        if value is not None:
            *sequences, leaf = path_of(key, modality)
            place = item
            for sequence in sequences:
                place = place.setdefault(sequence, {})
            place[leaf] = value
    return item


def share(items: Sequence[dict[Key, Any]]) -> tuple[dict[Key, Any], list[dict[Key, Any]]]:
    """Split the groups of all frames into those that are everywhere equal and the rest.

    Parameters
    ----------
    items : sequence of dict
        For each frame the groups by sequence.

    Returns
    -------
    shared : dict
        What all frames have in common; never FrameContentSequence (PS3.3
        C.7.6.16.2.2), nor what is no sequence.
    rest : list of dict
        What remains for each frame.
    """
    shared = {
        key: group
        for key, group in items[0].items()
        if key != _CONTENT
        and isinstance(group, dict)
        and all(repr(item.get(key)) == repr(group) for item in items)
    }
    return shared, [{k: v for k, v in item.items() if k not in shared} for item in items]
