"""Arrays become digests of their frames, to be held against those that pydicom's values have."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import xarray as xr
from pydicom.encaps import generate_frames
from pydicom.pixels import convert_color_space
from pydicom.uid import ImplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit

from peers.collections import PixelTruth, open_file, pixel_truth, root, whole_digest
from xdicom.errors import NotDicomError, UnsupportedTransferSyntaxError, XDicomError
from xdicom.headers.table import frame_id
from xdicom.pixels.decoders import plugins_of

LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit)
"""PS3.5 8.2.1 takes these from ISO/IEC 10918, which bounds what a decoder computes (ITU-T T.83) and
does not define it bit by bit. The digests were made with libjpeg, most installations have
libjpeg-turbo."""

LEVELS = {"raw": 1, "rgb": 3}
"""Grey levels between two such decoders: one as stored; YBR to RGB has factors up to 1.772."""

REFUSED: dict[str, tuple[type[XDicomError], str]] = {
    "ts/cornerstone_ctimage/CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": (
        UnsupportedTransferSyntaxError,
        "JPEG with spectral selection, retired (PS3.6 A.1); pydicom refuses it too: SPEC §7",
    ),
    "ts/cornerstone_ctimage/"
    "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": (
        UnsupportedTransferSyntaxError,
        "JPEG with full progression, retired (PS3.6 A.1); pydicom refuses it too: SPEC §7",
    ),
}
"""By file: what opening it raises, and why."""

ALSO_READ: dict[str, tuple[str, str]] = {
    "sc/pydicom/OT-PAL-8-face.dcm": (
        "without transfer syntax: implicit VR little endian (PS3.5 10.1), as SPEC §7 accepts",
        "",
    ),
    "sc/pydicom/SC_rgb_jpeg.dcm": (
        "an implicit VR data set behind an explicit VR syntax; the image of SC_rgb_jpeg_dcmd.dcm",
        "sc/pydicom/SC_rgb_jpeg_dcmd.dcm",
    ),
    "ts/cornerstone_ctimage/CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_"
    "1.2.840.10008.1.2.1.99.dcm": (
        "pydicom.pixels does not inflate from a path: PS3.5 A.5; Dataset.pixel_array does",
        "",
    ),
    "ts/deflated/image_dfl.dcm": (
        "pydicom.pixels does not inflate from a path: PS3.5 A.5; Dataset.pixel_array does",
        "",
    ),
    "ts/pydicom_jls/JPEG-lossy.dcm": (
        "libjpeg refuses a marker that libjpeg-turbo skips; the image of JPGExtended.dcm",
        "ts/pydicom_jls/JPGExtended.dcm",
    ),
}
"""By file that pydicom.pixels does not read: why ours is right, and a file with the same image."""


@dataclass
class Outcome:
    """How the frames of a file compare with pydicom's."""

    equal: int = 0
    """Frames with pydicom's digest."""
    lossy: int = 0
    """Frames of lossy JPEG: equal, or within the grey levels that its decoders may differ by."""
    read: int = 0
    """Frames that pydicom.pixels does not read, right by other evidence."""
    refused: int = 0
    """Files that are refused on purpose."""
    others: int = 0
    """Files that are no DICOM images."""
    differences: list[str] = field(default_factory=list)
    """What is wrong."""

    def add(self, other: Outcome) -> None:
        """Count another file in."""
        for name in ("equal", "lossy", "read", "refused", "others"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.differences += other.differences


def digest(values: np.ndarray) -> str:
    """SHA-256 of the little-endian bytes in C order."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def header(path: str) -> pydicom.FileDataset:
    """A file's header by pydicom, faults and all."""
    base = root()
    assert base is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(base / path, stop_before_pixels=True, force=True)


def frames_by_number(dataset: xr.Dataset, uid: str) -> np.ndarray:
    """The frames of an instance opened alone as a list, in the order of their numbers."""
    array = dataset["pixels"]
    values = array.values
    if "instance" not in array.dims:
        return values[None]
    if not uid or len(values) == 1:
        return values
    count = range(1, len(values) + 1)
    known = {frame_id(uid, n): n for n in count} | {frame_id(uid, 1, n): n for n in count}
    numbers = [known[int(i)] for i in array["frame_id"].values]
    return values[np.argsort(numbers)]


def assembled(slices: np.ndarray, head: pydicom.Dataset) -> np.ndarray:
    """The stored frame of a mosaic that was cut into slices, zeros where it holds none."""
    stored = np.zeros((head.Rows, head.Columns), slices.dtype)
    rows, columns = slices.shape[1:]
    for place, one in enumerate(slices):
        down, along = divmod(place, head.Columns // columns)
        stored[down * rows : (down + 1) * rows, along * columns : (along + 1) * columns] = one
    return stored


@cache
def check_file(path: str, color: str, **options: Any) -> Outcome:
    """Hold a file, opened by its path alone, against pydicom's digests."""
    truth = pixel_truth(path, color)
    try:
        # as pydicom: YBR becomes RGB, indices into a palette stay
        kept = None if color == "rgb" else color
        dataset = open_file(path, dims="flat", color=kept, **options)
        head = header(path)
        frames = frames_by_number(dataset, str(head.get("SOPInstanceUID", "")))
        if truth is not None and len(frames) > len(truth.digests) == 1:
            frames = assembled(frames, head)[None]
    except XDicomError as error:
        return _refusal(path, truth, error)
    if truth is None:
        return Outcome(differences=[f"{path}: opens, but is no image to pydicom"])
    if path in REFUSED:
        return Outcome(differences=[f"{path}: was to be refused: {REFUSED[path][1]}"])
    if truth.error:
        return _also_read(path, color, frames)
    found = [
        f"{path} ({color}): {what} {ours}, pydicom has {theirs}"
        for what, ours, theirs in (
            ("dtype", frames.dtype, truth.dtype),
            ("frames", len(frames), len(truth.digests)),
            ("shape", frames.shape[1:], truth.shape[-frames.ndim + 1 :]),
        )
        if ours != theirs
    ]
    if found:
        return Outcome(differences=found)
    wrong = [
        n
        for n, (frame, wanted) in enumerate(zip(frames, truth.digests, strict=True), 1)
        if digest(frame) != wanted
    ]
    if header(path).file_meta.TransferSyntaxUID in LOSSY:
        return _lossy(path, color, frames) if wrong else Outcome(lossy=len(frames))
    if wrong:
        return Outcome(differences=[f"{path} ({color}): frames {wrong} differ from pydicom's"])
    return Outcome(equal=len(frames))


def _refusal(path: str, truth: PixelTruth | None, error: XDicomError) -> Outcome:
    if truth is None and isinstance(error, NotDicomError):
        return Outcome(others=1)
    if path in REFUSED and isinstance(error, REFUSED[path][0]) and truth and truth.error:
        return Outcome(refused=1)
    return Outcome(differences=[f"{path}: {type(error).__name__}: {error}"])


def _also_read(path: str, color: str, frames: np.ndarray) -> Outcome:
    """A file that pydicom.pixels does not read: equal to what other evidence there is."""
    if path not in ALSO_READ:
        return Outcome(differences=[f"{path}: opens, pydicom does not, and no reason is listed"])
    values = frames[0] if len(frames) == 1 else frames
    if digest(values) == whole_digest(path):
        return Outcome(read=len(frames))
    _, twin = ALSO_READ[path]
    if twin:
        off = open_file(twin, color=color)["pixels"].values.astype(int) - values
        if np.abs(off).max() <= LEVELS[color]:
            return Outcome(read=len(frames))
        return Outcome(differences=[f"{path} ({color}): another image than {twin}"])
    base = root()
    assert base is not None
    whole = pydicom.dcmread(base / path, force=True)
    whole.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    if np.array_equal(whole.pixel_array, values) and whole.pixel_array.dtype == values.dtype:
        return Outcome(read=len(frames))
    return Outcome(differences=[f"{path}: differs from Dataset.pixel_array"])


def _lossy(path: str, color: str, frames: np.ndarray) -> Outcome:
    """Compare with what another decoder makes of the same codestreams."""
    base = root()
    assert base is not None
    dataset = pydicom.dcmread(base / path)
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    rgb = dataset.PhotometricInterpretation == "RGB"
    worst = 0
    sources = generate_frames(dataset.PixelData, number_of_frames=count)
    for frame, source in zip(frames, sources, strict=True):
        other = _decoded(source, colour=frame.ndim > 2)
        if frame.ndim > 2 and color == "rgb" and not rgb:
            other = convert_color_space(other, "YBR_FULL", "RGB")
        worst = max(worst, int(np.abs(frame.astype(int) - other.astype(int)).max()))
    if worst > LEVELS[color]:
        return Outcome(differences=[f"{path} ({color}): {worst} grey levels from imagecodecs"])
    return Outcome(lossy=len(frames))


def _decoded(source: bytes, *, colour: bool) -> np.ndarray:
    """A codestream by imagecodecs, colours as they are coded unless Adobe's marker names them."""
    adobe = source.find(b"Adobe", 0, 200)
    named = adobe > 0 and int.from_bytes(source[adobe - 2 : adobe], "big") >= 14
    plain = {"colorspace": "YCBCR", "outcolorspace": "YCBCR"}
    return np.asarray(imagecodecs.jpeg_decode(source, **(plain if colour and not named else {})))


def decoders_of(path: str) -> tuple[str, ...]:
    """Names of the plug-ins that can decode a file here, for ``decoder=``."""
    syntax = header(path).file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    if not syntax.is_compressed or syntax.is_deflated:
        return ()
    try:
        return tuple(plugins_of(syntax))
    except NotImplementedError:
        return ()
