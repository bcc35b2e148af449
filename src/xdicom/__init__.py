"""DICOM as lazy, labelled arrays."""

from importlib.metadata import version as _version

import xdicom.accessor as _accessor  # noqa: F401  registers .dicom
from xdicom.api import open_series
from xdicom.errors import (
    AmbiguousSeriesError,
    ConformanceError,
    CorruptFileError,
    DuplicateInstanceError,
    FrameDecodeError,
    GeometryError,
    HeadersUnavailableError,
    IncompleteConcatenationError,
    InconsistentSeriesError,
    MissingAttributeError,
    NotDicomError,
    NotHypercubeError,
    PrivacyError,
    ResourceLimitError,
    UnsupportedOptionError,
    UnsupportedPixelLayoutError,
    UnsupportedTransferSyntaxError,
    XDicomError,
    XDicomWarning,
)

__version__ = _version("xdicom")

__all__ = [
    "AmbiguousSeriesError",
    "ConformanceError",
    "CorruptFileError",
    "DuplicateInstanceError",
    "FrameDecodeError",
    "GeometryError",
    "HeadersUnavailableError",
    "IncompleteConcatenationError",
    "InconsistentSeriesError",
    "MissingAttributeError",
    "NotDicomError",
    "NotHypercubeError",
    "PrivacyError",
    "ResourceLimitError",
    "UnsupportedOptionError",
    "UnsupportedPixelLayoutError",
    "UnsupportedTransferSyntaxError",
    "XDicomError",
    "XDicomWarning",
    "open_series",
]
