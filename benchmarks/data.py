"""Series for the benchmarks, made once beside this file (``benchmarks/data/``, not committed)."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from xdicom.headers.table import Column, Files, FrameTable, frame_id
from xdicom.testing import write_enhanced, write_series

FOLDER = Path(__file__).parent / "data"
SERIES, FILES = 50, 200
COPIES = 20
INSTANCES, TIMES, SLICES = 5, 200, 100

_UID = "1.2.826.0.1.3680043.8.498.7"
# groups that are left out of the MR (an overlay) and of the CT (padding, and three of its nine
# private blocks, so that it has hardly more elements than the MR)
_LEFT_OUT = ((0x6000,), (0x0019, 0x0029, 0x0043, 0xFFFC))
_KINDS = ("MR", "CT", "MR, undefined lengths", "MR, large private", "MR, implicit VR")
# what copies of a table must not have in common
_OWN = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")

Numbers = npt.NDArray[Any]


def thousand_slices() -> Path:
    """1000 files of 512 × 512, 12 bits stored of 16."""
    return _made("slices", lambda folder: _simulated(folder, {"z": 1000}, 512))


def compressed_slices(syntax: str) -> Path:
    """200 files of 512 × 512 in a transfer syntax: smooth shapes with noise, 16 bits or 8."""
    baseline = syntax == JPEGBaseline8Bit

    def write(folder: Path) -> None:
        y, x = np.mgrid[:512, :512]
        shape = (np.sin(x / 40) + np.cos(y / 30) + 2) * (60 if baseline else 1000)
        noise = np.random.default_rng(0).normal(0, 1 if baseline else 8, (200, 512, 512))
        stored = np.maximum(shape + noise, 0).astype("uint8" if baseline else "uint16")
        write_series(folder, {"z": 200}, rows=512, columns=512, stored=stored,
                     dtype=stored.dtype, transfer_syntax=syntax)  # fmt: skip

    return _made(f"codec-{UID(syntax).keyword}", write)


def two_thousand_frames() -> Path:
    """2000 files of 256 × 256: 50 times × 40 slices."""
    dims = {"time": [float(t) for t in range(50)], "z": 40}
    return _made("volumes", lambda folder: _simulated(folder, dims, 256))


def fifty_series() -> Path:
    """10 000 files of 128 × 128 with real headers, Siemens MR and GE CT: 50 series of 200."""
    return _made("headers", _write_fifty)


def enhanced_object() -> Path:
    """One enhanced MR object of 2000 frames, eleven functional groups each: 5 echoes, 10 times."""

    def write(folder: Path) -> None:
        header, item = _enhanced({"EchoTime": [2.5, 5.0], "time": [0.0, 40.5], "z": 2}, 64, False)
        echo, time, z = (index.ravel() for index in np.indices((5, 10, 40)))
        columns = _frames(time, z) | {
            "DimensionIndexValues": _index_values(echo + 1, time + 1, z + 1),
            "EffectiveEchoTime": 2.5 + 2.5 * echo,
        }
        _write_enhanced(folder / "enhanced.dcm", header, item, columns)

    return _made("enhanced", write) / "enhanced.dcm"


def two_thousand_in_one() -> Path:
    """One enhanced MR object of 2000 native frames of 256 × 256: 50 times × 40 slices."""

    def write(folder: Path) -> None:
        header, item = _enhanced({"time": [0.0, 40.5], "z": 2}, 256, True)
        time, z = (index.ravel() for index in np.indices((50, 40)))
        columns = _frames(time, z) | {"DimensionIndexValues": _index_values(time + 1, z + 1)}
        _write_enhanced(folder / "native.dcm", header, item, columns)

    return _made("native", write) / "native.dcm"


def rescaled(modality: str) -> Path:
    """400 files of 512 × 512: CT with one rescale, PET with a slope for each slice."""
    pet = modality == "PT"
    base = np.random.default_rng(0).integers(0, 4000, (512, 512)).astype(np.int16)

    def write(folder: Path) -> None:
        write_series(
            folder,
            {"z": 400},
            rows=512,
            columns=512,
            modality="PT" if pet else "CT",
            dtype=np.int16,
            stored=lambda index: np.roll(base, index["z"], axis=0),
            slope=(lambda index: 0.5 + index["z"] / 1000) if pet else 1.0,
            intercept=0.0 if pet else -1024.0,
        )

    return _made(f"rescaled-{modality}", write)


def long_series() -> Path:
    """A series of 100 000 frames of 8 × 8, five enhanced MR objects of 200 times × 100 slices."""

    def write(folder: Path) -> None:
        header, item = _enhanced({"time": [0.0, 40.5], "z": 2}, 8, True)
        for number in range(INSTANCES):
            time, z = (index.ravel() for index in np.indices((TIMES, SLICES)))
            time += number * TIMES
            columns = _frames(time, z) | {"DimensionIndexValues": _index_values(time + 1, z + 1)}
            header.InstanceNumber = number + 1
            header.SOPInstanceUID = f"{_UID}.100.{number + 1}"
            header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
            _write_enhanced(folder / f"{number}.dcm", header, item, columns)

    return _made("long", write)


def thousand_series(table: FrameTable) -> FrameTable:
    """20 copies of the table of `fifty_series`, UIDs and paths their own: 1000 series, no files."""
    uids = table.strings("SOPInstanceUID")
    ids = [
        frame_id(_copied(uid, copy), frame)
        for copy in range(COPIES)
        for uid, frame in zip(uids, table.frame_number.tolist(), strict=True)
    ]
    files = table.files
    count = len(files.paths)
    shift = np.repeat(np.arange(COPIES) * count, len(table))
    return replace(
        table,
        files=Files(
            tuple(f"copy{copy:02}/{path}" for copy in range(COPIES) for path in files.paths),
            np.tile(files.sizes, COPIES),
            np.tile(files.mtimes, COPIES),
        ),
        file=np.tile(table.file, COPIES) + shift,
        frame_number=np.tile(table.frame_number, COPIES),
        frame_id=np.array(ids, dtype=np.int64),
        pixel_offset=np.tile(table.pixel_offset, COPIES),
        pixel_length=np.tile(table.pixel_length, COPIES),
        columns={key: _copies(column, key in _OWN) for key, column in table.columns.items()},
        problems=(),
    )


def _made(name: str, write: Callable[[Path], None]) -> Path:
    folder, done = FOLDER / name, FOLDER / f"{name}.done"  # beside it: a scan reads what is inside
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
        done.touch()
    return folder


def _simulated(folder: Path, dims: dict[str, object], size: int) -> None:
    base = np.random.default_rng(0).integers(0, 4000, (size, size)).astype(np.uint16)

    def stored(index: dict[str, int]) -> np.ndarray:
        return np.roll(base, index["z"] + 3 * index.get("time", 0), axis=0)

    write_series(folder, dims, rows=size, columns=size, bits_stored=12, stored=stored)


def _write_fifty(folder: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 4000, (128, 128)).astype("<u2").tobytes()
    for number in range(SERIES):
        study = number // 5
        ds = _series_header(_KINDS[number % len(_KINDS)], number, random)
        place = folder / f"PAT{study // 2:04}" / f"ST{study:03}" / f"SE{number:03}"
        place.mkdir(parents=True, exist_ok=True)
        for i in range(FILES):
            _stamp(ds, number, i)
            ds.PixelData = np.roll(np.frombuffer(pixels, "<u2"), 128 * i).tobytes()
            ds["PixelData"].VR = "OW"
            ds.save_as(place / f"IM{i:05}.dcm", enforce_file_format=True)


def _series_header(kind: str, number: int, random: np.random.Generator) -> Dataset:
    """The header of a real file with what all files of a series have in common."""
    name = "CT_small.dcm" if kind == "CT" else "examples_overlay.dcm"
    ds = pydicom.dcmread(get_testdata_file(name))  # type: ignore[arg-type]
    for tag in [element.tag for element in ds if element.tag.group in _LEFT_OUT[kind == "CT"]]:
        del ds[tag]
    study = number // 5
    ds.Rows = ds.Columns = 128
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{_UID}.{study}", f"{_UID}.{study}.{number}"
    ds.FrameOfReferenceUID = f"{_UID}.{study}.0"
    ds.PatientID, ds.PatientName = f"PAT{study // 2:04}", f"Doe^J{study // 2}"
    ds.SeriesNumber, ds.SeriesDescription = number + 1, f"{kind} {number + 1}"
    if kind != "CT":
        _as_mr(ds, kind, random)
    implicit = kind == "MR, implicit VR"
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    encoded = io.BytesIO()
    ds.save_as(encoded, implicit_vr=implicit, little_endian=True, enforce_file_format=True)
    encoded.seek(0)
    return pydicom.dcmread(encoded)  # what is not touched is written again as it was read


def _as_mr(ds: Dataset, kind: str, random: np.random.Generator) -> None:
    """The sequences that a scanner writes, and its private blocks small or large."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "MR01", "L", "MR abdomen"
    step = Dataset()
    step.PerformedProcedureStepID = "MR20240229"
    step.ScheduledProtocolCodeSequence = Sequence([code])
    ds.ReferencedPerformedProcedureStepSequence = Sequence([step])
    ds.ProcedureCodeSequence = Sequence([code])
    ds.SpacingBetweenSlices, ds.InversionTime, ds.TemporalPositionIdentifier = "4", "100", 1
    for element in ds:
        if element.VR == "SQ" and kind == "MR, undefined lengths":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    if kind != "MR, large private":
        del ds[0x0029, 0x1110], ds[0x0088, 0x0200]  # 5 kB each: graphics and an icon
        return
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    for offset, vr, value in (
        (0x08, "CS", "IMAGE NUM 4"),
        (0x09, "LO", "20240229"),
        (0x10, "OB", random.bytes(12_000)),
        (0x18, "CS", "MR"),
        (0x19, "LO", "20240229"),
        (0x20, "OB", random.bytes(60_000)),
    ):
        block.add_new(offset, vr, value)


def _stamp(ds: Dataset, number: int, i: int) -> None:
    """What differs between the files of a series."""
    z, clock = 28.5 + 4 * i, f"14{i // 60:02}{i % 60:02}.{977 * i % 1000:03}500"
    ds.SOPInstanceUID = f"{ds.SeriesInstanceUID}.{i + 1}"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.InstanceNumber = i + 1
    ds.ImagePositionPatient = ["-159.82565509386", "-175.32202350207", f"{z:.10g}"]
    ds.SliceLocation = f"{z:.10g}"
    ds.AcquisitionTime = ds.ContentTime = clock
    if ds.Modality == "CT":
        ds.InstanceCreationTime = clock[:6]
        ds.XRayTubeCurrent = 170 + 7 * i % 50
        ds[0x0021, 0x1090].value = i
        for place in (0x1041, 0x1044, 0x104A, 0x104D):  # a location and three corners
            ds[0x0027, place].value = float(z)
        return
    ds.add_new("SmallestImagePixelValue", "US", 0)
    ds.add_new("LargestImagePixelValue", "US", 3900 + 13 * i % 100)
    ds.WindowCenter, ds.WindowWidth = str(450 + i % 7), str(790 + 3 * i % 11)
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = f"{_UID}.{number}.9.{i + 1}"
    if (0x0029, 0x1210) in ds:  # the CSA image header, of each file its own
        value = bytearray(ds[0x0029, 0x1210].value)
        value[400:416] = f"{z:016.6f}".encode()
        ds[0x0029, 0x1210].value = bytes(value)


def _enhanced(dims: dict[str, object], size: int, shared: bool) -> tuple[Dataset, bytes]:
    """Header without frames and the encoded first item of the functional groups of each frame."""
    FOLDER.mkdir(exist_ok=True)
    path = write_enhanced(
        FOLDER / "template.dcm",
        dims,
        rows=size,
        columns=size,
        origin=(-20.0, -30.0, 1000.25),
        shared=shared,
    )
    header = pydicom.dcmread(path)
    path.unlink()
    encoded = DicomBytesIO()
    encoded.is_implicit_VR, encoded.is_little_endian = False, True
    write_dataset(encoded, header.PerFrameFunctionalGroupsSequence[0])
    del header.PerFrameFunctionalGroupsSequence, header.PixelData
    item = encoded.getvalue()
    return header, struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item


def _frames(time: Numbers, z: Numbers) -> dict[str, Numbers]:
    """What the frame at each time and slice says of its own, as encoded."""
    seconds = 40.5 * time
    clocks = (f"{s // 3600:02.0f}{s // 60 % 60:02.0f}{s % 60:09.6f}" for s in seconds)
    return {
        "InStackPositionNumber": (z + 1).astype("<u4"),
        "TemporalPositionIndex": (time + 1).astype("<u4"),
        "TemporalPositionTimeOffset": seconds.astype("<f8"),
        "FrameAcquisitionDateTime": np.array([f"20240229{c} " for c in clocks], "S"),
        "ImagePositionPatient": np.array([rf"-20.0\-30.0\{3 * k:07.2f} " for k in z], "S"),
    }


def _index_values(*indices: Numbers) -> Numbers:
    return np.stack([np.ones_like(indices[0]), *indices], axis=1).astype("<u4")


def _write_enhanced(
    path: Path, header: Dataset, item: bytes, columns: Mapping[str, Numbers]
) -> None:
    """Write an object of as many frames as the columns have rows."""
    count = len(columns["InStackPositionNumber"])
    header.NumberOfFrames = count
    items = np.tile(np.frombuffer(item, np.uint8), (count, 1))
    for keyword, values in columns.items():
        value = np.ascontiguousarray(values).view(np.uint8).reshape(count, -1)
        tag, vr = tag_for_keyword(keyword) or 0, dictionary_VR(keyword).encode()
        head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, value.shape[1])
        at = item.index(head) + len(head)
        items[:, at : at + value.shape[1]] = value
    random = np.random.default_rng(0)
    pixels = random.integers(0, 4000, (count, header.Rows, header.Columns)).astype("<u2")
    encoded = io.BytesIO()
    header.save_as(encoded, enforce_file_format=True)
    for tag, vr, value in ((0x52009230, b"SQ", items), (0x7FE00010, b"OW", pixels)):
        encoded.write(struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr, value.nbytes))
        encoded.write(value.tobytes())
    path.write_bytes(encoded.getvalue())


def _copied(text: str, copy: int) -> str:
    return f"{text}.{copy}"


def _copies(column: Column, own: bool) -> Column:
    """A column over all copies; each with texts of its own if asked for."""
    codes = np.tile(column.codes, COPIES)
    if not own:
        return Column(codes, column.texts, column.vr)
    shift = np.repeat(np.arange(COPIES) * len(column.texts), len(column.codes))
    texts = (_copied(text, copy) for copy in range(COPIES) for text in column.texts)
    return Column(
        np.where(codes < 0, codes, codes + shift).astype(np.int32), tuple(texts), column.vr
    )
