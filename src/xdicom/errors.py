"""Every exception and warning of xdicom, named for the data's fault."""

from __future__ import annotations

import inspect
import os
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

_INSIDE: Final = frozenset(("xdicom", "xarray"))
"""Packages between a user's line and what it warns of."""


class XDicomError(Exception):
    """Base of all errors of xdicom.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    file : path, optional
        The file it was found in.
    frame : int, optional
        The frame of that file, counted from 1 as DICOM does.
    expected, found : str, optional
        What the standard or the caller expects, and what is there.
    remedy : str, optional
        What the user can do.

    Examples
    --------
    >>> print(XDicomError("pixel data is short", file="a.dcm", expected="512 bytes", found="500"))
    pixel data is short [file a.dcm; expected 512 bytes; found 500]
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | os.PathLike[str] | None = None,
        frame: int | None = None,
        expected: object = None,
        found: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.file = None if file is None else os.fspath(file)
        self.frame = frame
        self.expected = expected
        self.found = found
        self.remedy = remedy
        where = [
            f"{name} {value}"
            for name, value in (
                ("file", self.file),
                ("frame", frame),
                ("expected", expected),
                ("found", found),
            )
            if value is not None
        ]
        message = what + (f" [{'; '.join(where)}]" if where else "")
        super().__init__(message + (f". {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        # errors travel from dask workers: keep the keyword arguments through pickle
        again = partial(
            type(self),
            file=self.file,
            frame=self.frame,
            expected=self.expected,
            found=self.found,
            remedy=self.remedy,
        )
        return again, (self.what,)


class NotDicomError(XDicomError):
    """The bytes are not a DICOM file."""


class CorruptFileError(XDicomError):
    """A DICOM file that is truncated, contradicts itself or changed since its header was read."""


class MissingAttributeError(XDicomError):
    """An attribute without which the data cannot be understood is missing or invalid."""


class InconsistentSeriesError(XDicomError):
    """Attributes of one series contradict each other."""


class AmbiguousSeriesError(XDicomError):
    """Several arrays match where one was asked for; the message lists them."""


class NotHypercubeError(XDicomError):
    """The frames do not fill a grid; the message lists holes, duplicates and remedies."""


class DuplicateInstanceError(XDicomError):
    """One SOPInstanceUID stands on different contents."""


class IncompleteConcatenationError(XDicomError):
    """A part of a concatenation is missing."""


class GeometryError(XDicomError):
    """Positions, orientation or spacing are missing, contradictory or not what was asked for."""


class FrameOfReferenceError(GeometryError):
    """Two arrays lie in different frames of reference, or it is unknown whether they do."""


class UnsupportedTransferSyntaxError(XDicomError):
    """No decoder for the transfer syntax."""


class UnsupportedPixelLayoutError(XDicomError):
    """Pixels are laid out in a way that cannot be read right."""


class FrameDecodeError(XDicomError):
    """One frame could not be decoded."""


class ResourceLimitError(XDicomError):
    """The file asks for more memory or steps than is sane."""


class IndexFileError(XDicomError):
    """The index is not one of ours, of another version, damaged, or used by another process."""


class HeadersUnavailableError(XDicomError):
    """The headers behind an array cannot be found; ``source=`` says where they are."""


class ConformanceError(XDicomError):
    """What was to be written is not conformant DICOM."""


class PrivacyError(XDicomError):
    """Personal data would leave where they must not."""


class UnsupportedOptionError(XDicomError, ValueError):
    """An option, or a value of it, that is declared but does not work in this version."""


class XDicomWarning(UserWarning):
    """Base of all warnings of xdicom."""


class BrokenFrameWarning(XDicomWarning):
    """Frames could not be decoded and are NaN, as ``decode_errors="nan"`` asks."""


class ExcludedFileWarning(XDicomWarning):
    """Files in the folder were left out; ``.dicom.problems`` lists them."""


class IrregularSpacingWarning(XDicomWarning):
    """Slices are missing or not evenly spaced; the true positions are kept."""


class LooseTilesWarning(XDicomWarning):
    """Tiles overlap, lie off their grid or do not tell their place; they are kept as a list."""


class MissingDirectionWarning(XDicomWarning):
    """Diffusion-weighted volumes lack their gradient direction, so none were written."""


class ShearedStackWarning(XDicomWarning):
    """Slices are shifted against each other in plane (gantry tilt); nothing was resampled."""


class SkippedSeriesWarning(XDicomWarning):
    """A series of the tree could not be made an array; its node says why."""


class UncutMosaicWarning(XDicomWarning):
    """A frame holds many slices, and what tells them apart is missing: it is kept whole."""


def warn(message: str, category: type[XDicomWarning]) -> None:
    """Warn of the line outside of this package that led here."""
    level, frame = 0, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level + 1)


@dataclass(frozen=True)
class Problem:
    """Something wrong with the data that did not stop the reading."""

    kind: str
    """Short CamelCase name of the fault, e.g. ``InvalidValue``."""
    message: str
    """What is wrong and what was done about it."""
    file: str = ""
    """Path of the file, relative to the root of the table."""
    frame: int | None = None
    """Frame number from 1, where it concerns one frame."""
    excluded: bool = False
    """Whether the file was left out because of it."""
