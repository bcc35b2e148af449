"""What a vendor's scanner says of a frame in, its private elements at random blocks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xdicom.testing.elements import Key
from xdicom.testing.mosaics import csa_header

Vendor = Literal["siemens", "ge", "philips", "uih"]
Vector = Sequence[float]

MANUFACTURERS: dict[str, str] = {
    "siemens": "SIEMENS",
    "ge": "GE MEDICAL SYSTEMS",
    "philips": "Philips Medical Systems",
    "uih": "UIH",
}


@dataclass(frozen=True)
class _Element:
    """Where a vendor writes something, and how."""

    group: int
    """Group number."""
    low: int
    """Low byte of the element number."""
    creator: str
    """Private creator."""
    vr: str
    """Value representation."""


_S, _U = "SIEMENS MR HEADER", "Image Private Header"
_G, _GA, _GR = "GEMS_PARM_01", "GEMS_ACQU_01", "GEMS_RELA_01"
_P, _PM, _P5 = "Philips Imaging DD 001", "Philips MR Imaging DD 001", "Philips MR Imaging DD 005"

_ELEMENTS: dict[tuple[str, str], tuple[_Element, ...]] = {
    ("siemens", "b_value"): (_Element(0x0019, 0x0C, _S, "IS"),),
    ("siemens", "directionality"): (_Element(0x0019, 0x0D, _S, "CS"),),
    ("siemens", "direction"): (_Element(0x0019, 0x0E, _S, "FD"),),
    ("siemens", "coil"): (_Element(0x0051, 0x0F, _S, "LO"),),
    ("siemens", "velocity"): (_Element(0x0051, 0x14, _S, "LO"),),
    ("ge", "b_value"): (_Element(0x0043, 0x39, _G, "IS"),),
    ("ge", "direction"): tuple(_Element(0x0019, low, _GA, "DS") for low in (0xBB, 0xBC, 0xBD)),
    ("ge", "component"): (_Element(0x0043, 0x2F, _G, "SS"),),
    ("ge", "second_component"): (_Element(0x0043, 0x30, _G, "SS"),),
    ("ge", "label_duration"): (_Element(0x0043, 0xA5, _G, "IS"),),
    ("ge", "timer"): (_Element(0x0021, 0x5E, _GR, "DS"),),
    ("philips", "b_value"): (_Element(0x2001, 0x03, _P, "FL"),),
    ("philips", "direction"): tuple(_Element(0x2005, low, _PM, "FL") for low in (0xB0, 0xB1, 0xB2)),
    ("philips", "component"): (_Element(0x2005, 0x11, _PM, "CS"),),
    ("philips", "phase"): (_Element(0x2001, 0x08, _P, "IS"),),
    ("philips", "velocity"): (_Element(0x2001, 0x1A, _P, "FL"),),
    ("philips", "label"): (_Element(0x2005, 0x29, _P5, "CS"),),
    ("uih", "b_value"): (_Element(0x0065, 0x09, _U, "FD"),),
    ("uih", "nominal_b_value"): (_Element(0x0065, 0x0A, _U, "FD"),),
    ("uih", "direction"): (_Element(0x0065, 0x37, _U, "FD"),),
}


def vendor_elements(
    vendor: Vendor,
    *,
    blocks: int | None = None,
    vr: str | None = None,
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    **said: Any,
) -> dict[Key, Any]:
    """Make the private elements in which a vendor says something of a frame.

    Parameters
    ----------
    vendor : {"siemens", "ge", "philips", "uih"}
        The vendor.
    blocks : int, optional
        Seed of the blocks that the private creators have; by default the first free ones.
    vr : str, optional
        VR to write instead of the vendor's own: ``UN`` encodes the value as in explicit VR little
        endian.
    orientation : six floats
        ImageOrientationPatient: GE and UIH write directions along the image's axes.
    **said : Any
        What is said: ``b_value`` (s/mm²; of GE also all four numbers), ``direction`` (a unit vector
        in patient L, P, S), ``directionality``, ``coil``, ``component``, ``second_component``,
        ``label``, ``label_duration``, ``phase``, ``velocity``, ``timer``, ``nominal_b_value``; None
        leaves it out.

    Returns
    -------
    dict
        Values by private key, for dims or ``attributes`` of :func:`write_series` and
        :func:`write_enhanced`.

    Raises
    ------
    ValueError
        If the vendor has no element for what is said.

    Examples
    --------
    >>> vendor_elements("siemens", b_value=1000)
    {(25, 12, 'SIEMENS MR HEADER', 'IS'): 1000}
    >>> [hex(key[1]) for key in vendor_elements("siemens", blocks=3, b_value=1000)]
    ['0x270c']
    """
    made: dict[Key, Any] = {}
    for name, value in said.items():
        if (vendor, name) not in _ELEMENTS:
            known = ", ".join(what for who, what in _ELEMENTS if who == vendor)
            raise ValueError(f"{vendor} does not say {name!r}, only {known}")
        if value is not None:
            elements = _ELEMENTS[vendor, name]
            written = _written(vendor, name, value, orientation)
            values = written if len(elements) > 1 else [written]
            for element, one in zip(elements, values, strict=True):
                low = element.low
                if blocks is not None:
                    low |= _block(element, blocks) << 8
                key = element.group, low, element.creator, vr or element.vr
                made[key] = _raw(one, element.vr) if vr == "UN" else one
    return made


def csa_diffusion_header(b_value: float | None = None, direction: Vector | None = None) -> bytes:
    """Make a Siemens CSA image header (0029,xx10) that says something of diffusion.

    Parameters
    ----------
    b_value : float, optional
        s/mm².
    direction : three floats, optional
        Unit vector in patient L, P, S.

    Returns
    -------
    bytes
        In the second form of the format, among other tags.

    Examples
    --------
    >>> plain = csa_diffusion_header()
    >>> csa_diffusion_header(1000)[:4], len(csa_diffusion_header(1000)) > len(plain)
    (b'SV10', True)
    """
    tags = {
        "EchoLinePosition": ["64"],
        "B_value": [] if b_value is None else [f"{b_value:g}"],
        "SliceNormalVector": ["0.0", "0.0", "1.0"],
        "DiffusionGradientDirection": [f"{v:.8f}" for v in direction or ()],
    }
    return csa_header(tags)


def _block(element: _Element, seed: int) -> int:
    """A block of the element's creator, another one than those of other creators of its group."""
    creators = dict.fromkeys(
        one.creator for many in _ELEMENTS.values() for one in many if one.group == element.group
    )
    random = np.random.default_rng([seed, element.group]).permutation(np.arange(0x10, 0x100))
    return int(random[list(creators).index(element.creator)])


def _written(vendor: str, name: str, value: Any, orientation: Sequence[float]) -> Any:
    """A value as the vendor writes it."""
    if name == "direction":
        direction = np.asarray(value, dtype=np.float64)
        if vendor in ("ge", "uih"):
            row, column = np.reshape(np.asarray(orientation, dtype=np.float64), (2, 3))
            axes = np.stack([row, column, np.cross(row, column)])
            direction = axes @ direction * ((1, 1, -1) if vendor == "ge" else 1)
        return direction.tolist()
    if (vendor, name) == ("ge", "b_value") and np.ndim(value) == 0:
        return [int(value), 8, 0, 0]
    return value


def _raw(value: Any, vr: str) -> bytes:
    """A value's bytes in explicit VR little endian."""
    dtype = {"FD": "<f8", "FL": "<f4", "SS": "<i2"}.get(vr)
    if dtype is not None:
        return np.atleast_1d(np.asarray(value, dtype)).tobytes()
    text = "\\".join(str(v) for v in np.atleast_1d(np.asarray(value)).tolist()).encode()
    return text + b" " * (len(text) % 2)
