"""Units of attributes."""

from __future__ import annotations

from typing import Final

UNITS: Final[dict[str, str]] = {
    **dict.fromkeys(
        """ImagePositionPatient PixelSpacing SliceThickness SpacingBetweenSlices SliceLocation
        GridFrameOffsetVector ImagerPixelSpacing NominalScannedPixelSpacing DataCollectionDiameter
        ReconstructionDiameter""".split(),
        "mm",
    ),
    **dict.fromkeys(
        """EchoTime EffectiveEchoTime RepetitionTime InversionTime TriggerTime FrameTime
        FrameReferenceTime ActualFrameDuration ExposureTime NominalInterval
        NominalCardiacTriggerDelayTime""".split(),
        "ms",
    ),
    **dict.fromkeys(
        "TemporalPositionTimeOffset RadionuclideHalfLife time repetition slice_time".split(), "s"
    ),
    "FlipAngle": "degree",
    "GantryDetectorTilt": "degree",
    "DiffusionBValue": "s/mm²",
    "KVP": "kV",
    "XRayTubeCurrent": "mA",
    "MagneticFieldStrength": "T",
    "ImagingFrequency": "MHz",
    "PixelBandwidth": "Hz/px",
    "PatientWeight": "kg",
    "PatientSize": "m",
    "VelocityEncodingMinimumValue": "cm/s",
}
"""Units of attributes (PS3.3, each attribute's description); never of datetimes."""
