"""DICOM as lazy, labelled arrays."""

from importlib.metadata import version as _version

import xdicom.accessor as _accessor  # noqa: F401  registers .dicom
from xdicom.api import Catalog, open_series, scan
from xdicom.errors import (
    AmbiguousSeriesError,
    ConformanceError,
    CorruptFileError,
    DuplicateInstanceError,
    FrameDecodeError,
    FrameOfReferenceError,
    GeometryError,
    HeadersUnavailableError,
    IncompleteConcatenationError,
    InconsistentSeriesError,
    IndexFileError,
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
from xdicom.pixels.decoders import decoders
from xdicom.selecting.pixel_headers import suv_factor
from xdicom.series.custom import attribute
from xdicom.space.patient import PatientIndex, patient_index

__version__ = _version("xdicom")

__all__ = [
    "AmbiguousSeriesError",
    "Catalog",
    "ConformanceError",
    "CorruptFileError",
    "DuplicateInstanceError",
    "FrameDecodeError",
    "FrameOfReferenceError",
    "GeometryError",
    "HeadersUnavailableError",
    "IncompleteConcatenationError",
    "InconsistentSeriesError",
    "IndexFileError",
    "MissingAttributeError",
    "NotDicomError",
    "NotHypercubeError",
    "PatientIndex",
    "PrivacyError",
    "ResourceLimitError",
    "UnsupportedOptionError",
    "UnsupportedPixelLayoutError",
    "UnsupportedTransferSyntaxError",
    "XDicomError",
    "XDicomWarning",
    "attribute",
    "decoders",
    "open_series",
    "patient_index",
    "scan",
    "suv_factor",
]
