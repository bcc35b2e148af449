"""The table of axis families: which attributes may span a dim, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Attribute:
    """One attribute that may drive an axis."""

    name: str
    """DICOM keyword, or a lower-case name that `candidates` derives."""
    width: int = 1
    """Values in one element."""
    tolerance: float = 0.0
    """Values that differ by no more are one; 0 means 1e-6 of the value."""
    seconds: float = 0.0
    """Seconds in one unit, for attributes that are clocks; 0 for the others."""
    text: bool = False
    """Compared as text."""


@dataclass(frozen=True)
class Family:
    """Attributes of one kind, tried together or in order."""

    name: str
    """Family name, lower case."""
    dim: str
    """Name of the dim that it makes."""
    attributes: tuple[Attribute, ...]
    """In order of priority."""
    refusal: str = "hole"
    """What an aligned family does where it is not factorial: ``split``, or ``hole`` (split only if
    each part covers the same slices)."""
    partial: bool = False
    """Whether a missing value is a value of its own."""


_TEXT: Final = {"text": True}

ALIGNED: Final[tuple[Family, ...]] = (
    Family(
        "component",
        "component",
        (Attribute("ComplexImageComponent", **_TEXT), Attribute("image_flavour", **_TEXT)),
        refusal="split",
        partial=True,
    ),
    Family(
        "velocity",
        "velocity",
        (
            Attribute("VelocityEncodingDirection", 3, 1e-3),
            Attribute("VelocityEncodingMinimumValue"),
        ),
        refusal="split",
        partial=True,
    ),
    Family("echo", "EchoTime", (Attribute("EchoTime"), Attribute("EchoNumbers"))),
    Family("inversion", "InversionTime", (Attribute("InversionTime"),)),
    Family("flip_angle", "FlipAngle", (Attribute("FlipAngle"),)),
    Family("repetition_time", "RepetitionTime", (Attribute("RepetitionTime"),)),
    Family(
        "diffusion",
        "diffusion",
        (
            Attribute("DiffusionBValue", tolerance=1.0),
            Attribute("DiffusionGradientOrientation", 3, 1e-3),
            Attribute("DiffusionDirectionality", **_TEXT),
        ),
        partial=True,
    ),
    Family("energy", "energy", (Attribute("KVP"),), refusal="split"),
    Family("coil", "coil", (Attribute("ReceiveCoilName", **_TEXT),), refusal="split"),
)
"""Families that are the same at each slice; all attributes of one that vary count together."""

SOFT: Final[tuple[Attribute, ...]] = (
    Attribute("SequenceName", **_TEXT),
    Attribute("ConvolutionKernel", **_TEXT),
    Attribute("StackID", **_TEXT),
    Attribute("SliceThickness"),
)
"""Tried one at a time after the aligned families: a dim of this name, or a split."""

CLOCKED: Final[tuple[Family, ...]] = (
    Family(
        "respiratory_phase",
        "respiratory_phase",
        (Attribute("NominalPercentageOfRespiratoryPhase"),),
    ),
    Family(
        "cardiac_phase",
        "cardiac_phase",
        (
            Attribute("NominalPercentageOfCardiacPhase"),
            Attribute("NominalCardiacTriggerDelayTime"),
            Attribute("gated_trigger_time"),
        ),
    ),
    Family(
        "time",
        "time",
        (
            Attribute("TemporalPositionIdentifier"),
            Attribute("TemporalPositionIndex"),
            Attribute("TemporalPositionTimeOffset", seconds=1.0),
            Attribute("FrameReferenceTime", seconds=1e-3),
            Attribute("TriggerTime", seconds=1e-3),
            Attribute("acquisition_datetime", tolerance=1e-6, seconds=1.0),
            Attribute("AcquisitionNumber"),
        ),
    ),
    Family("index", "DimensionIndex", ()),
    Family(
        "last",
        "time",
        (Attribute("ImageIndex"), Attribute("InstanceNumber"), Attribute("FrameNumber")),
    ),
)
"""Families whose values may differ from slice to slice, so that ranks within a slice may serve."""

BY_NAME: Final[dict[str, Family]] = {f.name: f for f in (*ALIGNED, *CLOCKED)}

DIM_ORDER: Final[tuple[str, ...]] = (
    "SegmentNumber", "optical_path", "energy", "detector", "coil", "component", "velocity",
    "EchoTime", "EchoNumbers", "InversionTime", "FlipAngle", "RepetitionTime", "asl", "diffusion",
    "respiratory_phase", "cardiac_phase", "rotation", "rr_interval", "time_slot", "angular_view",
    "time", "repetition", "instance", "stack", "focal_plane", "z",
)  # fmt: skip
"""Canonical order of frame dims, outer to inner (SPEC §0); any other dim comes before ``time``."""

TIME_LIKE: Final = ("repetition", "time", "cardiac_phase", "respiratory_phase", "diffusion")
"""Dims along which an aborted acquisition loses its last part."""

# PS3.3 C.8.13.3.1.1 (ComplexImageComponent) and the third and later values of ImageType and
# FrameType, with the words that vendors write for them
COMPONENT_LABELS: Final[dict[str, str]] = {
    "M": "M", "MAGNITUDE": "M", "M_FFE": "M", "M_SE": "M", "M_IR": "M", "M_PCA": "M",
    "P": "P", "PHASE": "P", "PHASE MAP": "P", "PHASE_MAP": "P", "P_FFE": "P", "P_SE": "P",
    "P_IR": "P", "VELOCITY MAP": "P", "VELOCITY_MAP": "P",
    "R": "R", "REAL": "R", "R_FFE": "R", "R_SE": "R", "R_IR": "R",
    "I": "I", "IMAGINARY": "I", "I_FFE": "I", "I_SE": "I", "I_IR": "I",
    "W": "W", "WATER": "W", "F": "F", "FAT": "F",
    "IP": "IP", "IN_PHASE": "IP", "OP": "OP", "OUT_PHASE": "OP", "OPP_PHASE": "OP",
    "FIELD_MAP": "FIELD_MAP", "FIELD MAP": "FIELD_MAP", "B0 MAP": "FIELD_MAP", "B0": "FIELD_MAP",
}  # fmt: skip
COMPONENT_ORDER: Final = ("M", "P", "R", "I")

NEVER_INDEX: Final = frozenset(
    ("StackID", "InStackPositionNumber", "ImagePositionPatient", "ReferencedSegmentNumber")
)
"""Dimension index pointers that say where a frame lies, which its position tells better."""
