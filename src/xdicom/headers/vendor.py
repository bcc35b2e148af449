"""The table of private elements that rows hold, and of the public attributes that they give."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class PrivateElement:
    """A vendor's element, found by its creator at any block (PS3.5 7.8.1)."""

    creator: str
    """Private creator of its block."""
    group: int
    """Group number."""
    low: int
    """Low byte of the element number; the high one is the block, which files choose."""
    vr: str
    """Value representation, for implicit VR and for UN; that of `part` if it has one."""
    part: str = ""
    """Name of the reader in `texts` that takes a part of it, and of what rows hold then."""
    unless: tuple[int, str] | None = None
    """Group and creator whose block, where a file has it before, tells the same."""

    @property
    def name(self) -> str:
        """Under which rows hold it: ``g0019_SIEMENS_MR_HEADER_0C`` (SPEC §3.4)."""
        return self.part or private_name(self.group, self.creator, self.low)


@dataclass(frozen=True)
class Gift:
    """A public attribute that private elements give to the rows without one of their own."""

    attribute: str
    """Its keyword."""
    elements: tuple[PrivateElement, ...]
    """Whose values, one behind the other, are its value; a row must have all."""
    rule: str
    """Name of the rule in `gifts` by which they become it."""


def slug(creator: str) -> str:
    """A private creator as a part of a name.

    Examples
    --------
    >>> slug("Philips MR Imaging DD 001")
    'Philips_MR_Imaging_DD_001'
    """
    return re.sub(r"[^0-9A-Za-z]", "_", creator.strip(" \0"))


def private_name(group: int, creator: str, low: int) -> str:
    """Name of a private element: group, creator and low byte; the block is not stable.

    Examples
    --------
    >>> private_name(0x0019, "SIEMENS MR HEADER", 0x0C)
    'g0019_SIEMENS_MR_HEADER_0C'
    """
    return f"g{group:04X}_{slug(creator)}_{low:02X}"


_SIEMENS: Final = "SIEMENS MR HEADER"
_GE_PARAMETERS: Final = "GEMS_PARM_01"
_GE_ACQUISITION: Final = "GEMS_ACQU_01"
_PHILIPS: Final = "Philips Imaging DD 001"
_PHILIPS_MR: Final = "Philips MR Imaging DD 001"
_PHILIPS_5: Final = "Philips MR Imaging DD 005"
_UIH: Final = "Image Private Header"

_E = PrivateElement
SIEMENS_B: Final = _E(_SIEMENS, 0x0019, 0x0C, "IS")
SIEMENS_DIRECTIONALITY: Final = _E(_SIEMENS, 0x0019, 0x0D, "CS")
SIEMENS_DIRECTION: Final = _E(_SIEMENS, 0x0019, 0x0E, "FD")
SIEMENS_COIL: Final = _E(_SIEMENS, 0x0051, 0x0F, "LO")
SIEMENS_FLOW: Final = _E(_SIEMENS, 0x0051, 0x14, "LO")
# old files have no block of their own for diffusion
SIEMENS_CSA: Final = _E(
    "SIEMENS CSA HEADER", 0x0029, 0x10, "DS", "xdicom_csa_diffusion", (0x0019, _SIEMENS)
)
GE_B: Final = _E(_GE_PARAMETERS, 0x0043, 0x39, "IS")
GE_COMPONENT: Final = _E(_GE_PARAMETERS, 0x0043, 0x2F, "SS")
GE_SECOND_COMPONENT: Final = _E(_GE_PARAMETERS, 0x0043, 0x30, "SS")
GE_LABEL_DURATION: Final = _E(_GE_PARAMETERS, 0x0043, 0xA5, "IS")
GE_DIRECTION: Final = tuple(_E(_GE_ACQUISITION, 0x0019, low, "DS") for low in (0xBB, 0xBC, 0xBD))
GE_TIMER: Final = _E("GEMS_RELA_01", 0x0021, 0x5E, "DS")
PHILIPS_B: Final = _E(_PHILIPS, 0x2001, 0x03, "FL")
PHILIPS_PHASE: Final = _E(_PHILIPS, 0x2001, 0x08, "IS")
PHILIPS_VELOCITY: Final = _E(_PHILIPS, 0x2001, 0x1A, "FL")
PHILIPS_COMPONENT: Final = _E(_PHILIPS_MR, 0x2005, 0x11, "CS")
PHILIPS_DIRECTION: Final = tuple(_E(_PHILIPS_MR, 0x2005, low, "FL") for low in (0xB0, 0xB1, 0xB2))
PHILIPS_LABEL: Final = _E(_PHILIPS_5, 0x2005, 0x29, "CS")
UIH_B: Final = _E(_UIH, 0x0065, 0x09, "FD")
UIH_DIRECTION: Final = _E(_UIH, 0x0065, 0x37, "FD")

ELEMENTS: Final[tuple[PrivateElement, ...]] = (
    SIEMENS_B, SIEMENS_DIRECTIONALITY, SIEMENS_DIRECTION, SIEMENS_COIL, SIEMENS_FLOW,
    SIEMENS_CSA,
    GE_B, GE_COMPONENT, GE_SECOND_COMPONENT, GE_LABEL_DURATION, *GE_DIRECTION, GE_TIMER,
    PHILIPS_B, PHILIPS_PHASE, PHILIPS_VELOCITY, PHILIPS_COMPONENT, *PHILIPS_DIRECTION,
    PHILIPS_LABEL, UIH_B, UIH_DIRECTION,
)  # fmt: skip
"""Every private element that a row holds."""

VR_OF: Final[dict[str, str]] = {element.name: element.vr for element in ELEMENTS}
"""Their VR by name."""

GIFTS: Final[tuple[Gift, ...]] = (
    Gift("DiffusionBValue", (SIEMENS_B,), "number"),
    Gift("DiffusionBValue", (GE_B,), "ge_b_value"),
    Gift("DiffusionBValue", (PHILIPS_B,), "number"),
    # the actual one; xx0A is the nominal one
    Gift("DiffusionBValue", (UIH_B,), "number"),
    Gift("DiffusionBValue", (SIEMENS_CSA,), "number"),
    Gift("DiffusionDirectionality", (SIEMENS_DIRECTIONALITY,), "text"),
    Gift("DiffusionGradientOrientation", (SIEMENS_DIRECTION,), "patient_axes"),
    Gift("DiffusionGradientOrientation", (SIEMENS_CSA,), "patient_axes_behind"),
    Gift("DiffusionGradientOrientation", GE_DIRECTION, "ge_axes"),
    Gift("DiffusionGradientOrientation", PHILIPS_DIRECTION, "patient_axes"),
    Gift("DiffusionGradientOrientation", (UIH_DIRECTION,), "image_axes"),
    Gift("ComplexImageComponent", (GE_COMPONENT,), "ge_component"),
    Gift("ComplexImageComponent", (PHILIPS_COMPONENT,), "philips_component"),
    Gift("ASLContext", (PHILIPS_LABEL,), "text"),
)
"""What private elements give (SPEC §2.1); of several that give one attribute, the first."""
