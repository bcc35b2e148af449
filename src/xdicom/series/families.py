"""The table of axis families: which attributes may span a dim, in which order, and its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from xdicom.headers import vendor


@dataclass(frozen=True)
class Attribute:
    """One attribute that may drive an axis."""

    name: str
    """DICOM keyword, or ``acquisition_datetime``."""
    width: int = 1
    """Values in one element."""
    tolerance: float = 0.0
    """Values that differ by no more are one; 0 means 1e-6 of the value."""
    seconds: float = 0.0
    """Seconds in one unit, for attributes that are clocks; 0 for the others."""
    text: bool = False
    """Compared as text."""
    whole: bool = False
    """Whether all frames of a volume have one value, so that slices have the same or none."""
    index: bool = False
    """Whether it is an index from 1 that frames are numbered by, and labels its dim."""
    rule: str = ""
    """Name of the rule in `candidates` that takes a part of the attribute; ``""``: all of it."""


@dataclass(frozen=True)
class Family:
    """Attributes of one kind, tried together or in order."""

    name: str
    """Family name, lower case; the keyword where the attribute is its own family."""
    dim: str
    """Name of the dim that it makes."""
    attributes: tuple[Attribute, ...]
    """In order of priority."""
    refusal: str = "hole"
    """What an aligned family does where it is not factorial: ``split``, ``hole`` (split only if
    each part covers the same slices), or ``skip`` (nothing; nor where its dim is there already)."""
    partial: bool = False
    """Whether a missing value is a value of its own."""


def _text(name: str, rule: str = "") -> Attribute:
    return Attribute(name, text=True, rule=rule)


def _of(element: vendor.PrivateElement, **how: Any) -> Attribute:
    """The attribute of a private element, of which the vendor's own values are compared."""
    return Attribute(element.name, **how)


def _index(name: str, rule: str = "") -> Attribute:
    return Attribute(name, index=True, rule=rule)


ALIGNED: Final[tuple[Family, ...]] = (
    Family(
        "component",
        "component",
        (_text("ComplexImageComponent"), _text("ImageType", "flavour")),
        refusal="split",
        partial=True,
    ),
    Family(
        "velocity",
        "velocity",
        (
            Attribute("VelocityEncodingDirection", 3, 1e-3),
            Attribute("VelocityEncodingMinimumValue"),
            _of(vendor.PHILIPS_VELOCITY, width=3),
            _of(vendor.SIEMENS_FLOW, text=True),
        ),
        refusal="split",
        partial=True,
    ),
    Family("echo", "EchoTime", (Attribute("EchoTime"), Attribute("EchoNumbers"))),
    Family("inversion", "InversionTime", (Attribute("InversionTime"),)),
    Family("flip_angle", "FlipAngle", (Attribute("FlipAngle"),)),
    Family("repetition_time", "RepetitionTime", (Attribute("RepetitionTime"),)),
    Family(
        "asl",
        "asl",
        (
            _text("ASLContext"),
            Attribute("ASLPulseTrainDuration"),
            Attribute("ASLBolusCutoffDelayTime"),
            _of(vendor.GE_LABEL_DURATION),
        ),
        partial=True,
    ),
    Family(
        "diffusion",
        "diffusion",
        (
            Attribute("DiffusionBValue", tolerance=1.0),
            Attribute("DiffusionGradientOrientation", 3, 1e-3),
            _text("DiffusionDirectionality"),
        ),
        partial=True,
    ),
    # a magnitude and a field map that differ in nothing else; before diffusion it would take the
    # images of b = 0 apart
    Family("component", "component", (_of(vendor.GE_SECOND_COMPONENT, text=True),), refusal="skip"),
    Family(
        "energy",
        "energy",
        (
            Attribute("KVP"),
            _index("EnergyWindowVector"),
            Attribute("MonoenergeticEnergyEquivalent"),
            Attribute("ExposureTime", rule="pair"),
        ),
        refusal="split",
    ),
    Family(
        "coil",
        "coil",
        (_text("ReceiveCoilName"), _of(vendor.SIEMENS_COIL, text=True)),
        refusal="split",
    ),
    # vectors of Nuclear Medicine (PS3.3 C.8.4.8), and what ImageIndex of PET is made of (C.8.9.4)
    Family("detector", "detector", (_index("DetectorVector"),)),
    Family("rotation", "rotation", (_index("RotationVector"),)),
    Family(
        "rr_interval", "rr_interval", (_index("RRIntervalVector"), _index("ImageIndex", "pet_rr"))
    ),
    Family("time_slot", "time_slot", (_index("TimeSlotVector"), _index("ImageIndex", "pet_slot"))),
    Family("angular_view", "angular_view", (_index("AngularViewVector"),)),
    # phases follow each other in time, and need not have equally many frames
    Family("time_slice", "time", (_index("PhaseVector"), _index("TimeSliceVector"))),
)
"""Families that are the same at each slice; all attributes of one that vary count together."""

SOFT: Final[tuple[Family, ...]] = (
    Family("ImageType", "ImageType", (_text("ImageType", "origin"),), refusal="split"),
    Family("SequenceName", "SequenceName", (_text("SequenceName"),), refusal="split"),
    Family("ConvolutionKernel", "ConvolutionKernel", (_text("ConvolutionKernel"),), "split"),
    Family("stack", "stack", (_text("StackID"),), refusal="split"),
    # as positions closer than 0.01 mm are one slice, so these are one thickness
    Family("SliceThickness", "SliceThickness", (Attribute("SliceThickness", tolerance=0.01),),
           refusal="split"),
)  # fmt: skip
"""Tried after the aligned families, one at a time: a dim, or a split (SPEC §1.2)."""

ACQUIRED: Final = Attribute("acquisition_datetime", tolerance=1e-6, seconds=1.0)
INSTANCE_NUMBER: Final = Attribute("InstanceNumber")

FRAME_TIME: Final = Attribute("frame_time", seconds=1e-3, rule="cine_time")
"""Time of a frame of a cine, ms from its first."""

_TIME: Final = (
    FRAME_TIME,
    Attribute("FrameNumber", rule="cine_frame"),
    Attribute("TemporalPositionIdentifier", whole=True),
    Attribute("TemporalPositionIndex", whole=True),
    Attribute("TemporalPositionTimeOffset", seconds=1.0),
    Attribute("FrameReferenceTime", seconds=1e-3),
    Attribute("FrameReferenceDateTime", tolerance=1e-6, seconds=1.0, rule="reference_datetime"),
    Attribute("ImageIndex", whole=True, rule="pet_time"),
    Attribute("TriggerTime", seconds=1e-3),
    ACQUIRED,
    Attribute("AcquisitionNumber", whole=True),
    _of(vendor.GE_TIMER),  # in seconds or in tenths of milliseconds, as the release has it
)

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
            Attribute("TriggerTime", rule="gated"),
            _of(vendor.PHILIPS_PHASE, rule="gated"),
        ),
    ),
    Family("time", "time", _TIME),
    Family("index", "DimensionIndex", ()),
    Family(
        "last",
        "time",
        (
            Attribute("ImageIndex"),
            INSTANCE_NUMBER,
            Attribute("FrameNumber", rule="frame"),
        ),
    ),
)
"""Families whose values may differ from slice to slice, so that ranks within a slice may serve."""

_SECOND: Final = replace(CLOCKED[2], name="repetition", dim="repetition")

BY_NAME: Final[dict[str, tuple[Family, ...]]] = {
    name: tuple(found)
    for name, found in groupby(
        sorted((*ALIGNED, *SOFT, *CLOCKED, _SECOND), key=attrgetter("name")), attrgetter("name")
    )
    if name.islower()
}
"""Families by the name that a caller may give as a dim; of several, the first that varies."""

ATTRIBUTES: Final[dict[str, Attribute]] = {
    a.name: a for f in (*CLOCKED, *SOFT, *ALIGNED) for a in f.attributes if not a.rule
}
"""Attributes of all families by keyword, for their tolerances."""

DIM_ORDER: Final[tuple[str, ...]] = (
    "SegmentNumber", "optical_path", "energy", "detector", "coil", "component", "velocity",
    "EchoTime", "EchoNumbers", "InversionTime", "FlipAngle", "RepetitionTime", "asl", "diffusion",
    "respiratory_phase", "cardiac_phase", "rotation", "rr_interval", "time_slot", "angular_view",
    "time", "repetition", "instance", "stack", "focal_plane", "z",
)  # fmt: skip
"""Canonical order of frame dims, outer to inner (SPEC §0); any other dim comes before ``time``."""

LASTING: Final = ("SegmentNumber", "z")
"""Dims that are there at length 1 too."""

TIME_LIKE: Final = ("respiratory_phase", "cardiac_phase", "time", "repetition")
"""Dims along which an aborted acquisition loses its last part, outer to inner."""

ORDINAL: Final = "DimensionIndex_"
"""What the names of dims begin with that only ordinals of DimensionIndexValues tell."""

NEVER_INDEX: Final = frozenset(
    ("StackID", "InStackPositionNumber", "ImagePositionPatient", "ReferencedSegmentNumber")
)
"""Dimension index pointers that say where a frame lies, which its position tells better."""

POINTERS: Final[dict[str, str]] = {
    **{a.name: f.name for f in (*ALIGNED, *CLOCKED) for a in f.attributes},
    "EffectiveEchoTime": "echo",
    "InversionTimes": "inversion",
    "FrameType": "component",
    "FrameAcquisitionDateTime": "time",
}
"""Family of each dimension index pointer that is an attribute of one (SPEC §2.5)."""
