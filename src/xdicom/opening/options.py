"""The options of open_dataset, open_datatree and open_series: one table, checked in one place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from xdicom.errors import UnsupportedOptionError

Tag = str | int | tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """How a series is opened (the table is in ``docs/options.md``)."""

    series: int | str | None = None
    """Which series: its number, UID, or a glob of its description."""
    array: str | None = None
    """Which array of a series that is several: ``"a0"``, ``"a1"`` …"""
    group: str | None = None
    """Path of a node of the tree."""
    select: Mapping[Any, Any] | None = None
    """Attributes that frames must have, before the grid is made."""
    dims: tuple[Tag, ...] | str | None = None
    """Frame dims: keywords, tags, family names, ``z``; ``"flat"`` for a list of frames."""
    ragged: str = "raise"
    """For frames that are no hypercube: ``raise``, ``fill``, ``complete`` or ``flat``."""
    fill_value: float | None = None
    """For ``ragged="fill"`` of integers."""
    group_by: Iterable[str] | Callable[[Any], Any] | None = None
    """What makes a series instead of SeriesInstanceUID."""
    mask_and_scale: bool | None = True
    """False: stored values."""
    scaling: str | None = None
    """What values are: ``modality``, ``stored``, ``exact``, ``real_world``, ``philips_fp`` or
    ``suv``."""
    rwvm: str | int | None = None
    """Which real-world value map: its label, the code of its unit, or its number from 0."""
    mask_padding: bool = False
    """Pixel padding becomes NaN."""
    color: str | None = None
    """None: YBR becomes RGB, a palette's indices stay; ``rgb``: these too; ``raw``: as stored."""
    decoder: str | None = None
    """Name of the plug-in that decodes (pydicom's ``decoding_plugin``)."""
    decoder_options: Mapping[str, Any] | None = None
    """pydicom's decoding options, for compressed frames."""
    decode_errors: str = "raise"
    """For compressed frames that are broken: ``raise``, or ``nan`` in an array of floats."""
    coords: str | Iterable[str] = "default"
    """``default``, ``all`` or keywords: which attributes become coordinates."""
    errors: str | None = None
    """For files that are wrong: ``raise``, ``warn`` or ``ignore``; by default ``warn`` for folders
    and ``raise`` for files."""
    allow_truncated: bool = False
    """Use the frames that are wholly there of cut-off pixel data."""
    trust: str | None = None
    """``length``: without NumberOfFrames the length of the pixel data tells it."""
    archives: bool = False
    """Look into zip and gzip files."""
    progress: bool | None = field(default=None)
    """Progress bar from one second on; False for none."""


_CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "ragged": ("raise", "fill", "complete", "flat"),
    "scaling": (None, "modality", "stored", "exact", "real_world", "philips_fp", "suv"),
    "color": (None, "rgb", "raw"),
    "decode_errors": ("raise", "nan"),
    "errors": (None, "raise", "warn", "ignore"),
    "trust": (None, "length"),
}

# declared, and refused until the version that brings them
_LATER: Final[dict[str, Callable[[Any], bool]]] = {
    "archives": bool,
}

OPTION_NAMES: Final = tuple(f.name for f in fields(OpenOptions))


def options_from(given: Mapping[str, Any]) -> OpenOptions:
    """Check keyword arguments and make them OpenOptions.

    Raises
    ------
    TypeError
        For an unknown option, naming those that are spelt alike.
    ValueError
        For a value that the option cannot have.
    UnsupportedOptionError
        For a value that this version does not yet serve.

    Examples
    --------
    >>> options_from({"raged": "fill"})
    Traceback (most recent call last):
    TypeError: unknown option 'raged'; did you mean 'ragged'?
    """
    for name in given:
        if name not in OPTION_NAMES:
            near = difflib.get_close_matches(name, OPTION_NAMES, 3, 0.5)
            hint = " or ".join(map(repr, near))
            raise TypeError(
                f"unknown option {name!r}; "
                + (f"did you mean {hint}?" if near else f"options are {', '.join(OPTION_NAMES)}")
            )
    options = OpenOptions(**given)
    for name, choices in _CHOICES.items():
        value = getattr(options, name)
        if value not in choices:
            raise ValueError(f"{name}={value!r} is none of {', '.join(repr(c) for c in choices)}")
    for name, later in _LATER.items():
        value = getattr(options, name)
        if later(value):
            raise UnsupportedOptionError(
                f"{name}={value!r} is declared but not available in this version of xdicom"
            )
    if options.mask_and_scale is False and options.scaling not in (None, "stored"):
        raise ValueError(
            f"mask_and_scale=False asks for stored values, scaling={options.scaling!r} does not"
        )
    if options.rwvm is not None:
        _check_rwvm(options)
    if isinstance(options.series, bool) or not isinstance(options.series, (int, str, type(None))):
        raise ValueError(f"series={options.series!r} is no number, UID or glob of the description")
    if isinstance(options.dims, str) and options.dims != "flat":
        raise ValueError(f'dims is a tuple of names or "flat", not {options.dims!r}')
    if isinstance(options.coords, str) and options.coords not in ("default", "all"):
        raise ValueError(f'coords is "default", "all" or a list, not {options.coords!r}')
    return options


def _check_rwvm(options: OpenOptions) -> None:
    if isinstance(options.rwvm, bool) or not isinstance(options.rwvm, (int, str)):
        raise ValueError(f"rwvm={options.rwvm!r} is no label, unit or number of a map")
    if options.mask_and_scale is False or options.scaling not in (None, "real_world"):
        other = "mask_and_scale=False" if options.scaling is None else f"{options.scaling!r}"
        raise ValueError(f"rwvm= chooses among real-world value maps, not for scaling {other}")


def scaling_kind(options: OpenOptions) -> str:
    """The scaling that is asked for, by either of its two options."""
    if options.scaling is not None:
        return options.scaling
    if options.rwvm is not None:
        return "real_world"
    return "stored" if options.mask_and_scale is False else "modality"
