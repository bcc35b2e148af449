"""Every decoder that is listed gives what pydicom gives, for every file that there is."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import get_decoder, iter_pixels
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
)

import xdicom
from xdicom.pixels import decoders
from xdicom.testing import write_series

LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit)
ALONE = (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
"""Syntaxes that pydicom may have no decoder for, with what the tests install."""
NOT_OPENED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "the codestream disagrees with the header",
    "RG1_J2KI.dcm": "PixelSpacing is not positive",
    "RG1_J2KR.dcm": "PixelSpacing is not positive",
}
"""What xdicom refuses, and why: the first has a damaged width."""
THEIR_FAULTS = {
    ("GDCMJ2K_TextGBR.dcm", "pillow"): "broken data stream",
    ("JPEG-lossy.dcm", "gdcm"): "12-bit precision",
    ("JPEG-lossy.dcm", "pillow"): "12-bit precision",
    ("JPGExtended.dcm", "gdcm"): "12-bit precision",
    ("JPGExtended.dcm", "pillow"): "12-bit precision",
}
"""What a plug-in of pydicom refuses, and why."""


def compressed_files() -> list[Path]:
    """pydicom's own files whose pixels are compressed, each name once."""
    found: dict[str, Path] = {}
    # not by pydicom.data, which downloads what is not there
    folders = [Path(pydicom.__file__).parent / "data" / "test_files"]
    more = find_spec("data_store")
    if more is not None and more.origin is not None:
        folders.append(Path(more.origin).parent / "data")
    for path in (p for folder in folders for p in sorted(folder.glob("*.dcm"))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                dataset = pydicom.dcmread(path, stop_before_pixels=True)
            except pydicom.errors.InvalidDicomError:
                continue
        syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", UID(""))
        if syntax.is_transfer_syntax and syntax.is_encapsulated and "Rows" in dataset:
            found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def theirs(path: Path) -> list[np.ndarray] | None:
    """What pydicom makes of a file by the first of its plug-ins that can, in its own order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
        for plugin in get_decoder(syntax).available_plugins:
            try:
                return list(iter_pixels(path, raw=True, decoding_plugin=plugin))
            except Exception:  # noqa: BLE001, S112  it raises what its plug-ins raise
                continue
    return None


def ours(path: Path, **options: object) -> np.ndarray:
    array = xdicom.open_series(path, dims="flat", scaling="stored", color="raw", **options)
    return array.values if "instance" in array.dims else array.values[None]


def test_every_file_by_every_decoder():
    pairs = lossy = alone = 0
    refused, wrong = set(), []
    for path in compressed_files():
        if path.name in NOT_OPENED:
            with pytest.raises(xdicom.XDicomError, match=NOT_OPENED[path.name]):
                ours(path)
            continue
        syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
        wanted = theirs(path)
        # GDCM is no requirement, and may end the process
        for decoder in sorted({*xdicom.decoders()[syntax].decoders} - {"gdcm"}):
            try:
                found = ours(path, decoder=decoder)
            except xdicom.FrameDecodeError as error:
                refused.add((path.name, decoder))
                assert THEIR_FAULTS[path.name, decoder] in str(error)  # noqa: PT017
                continue
            pairs += 1
            if wanted is None:
                # 12 bits of lossy JPEG, lossless JPEG without GDCM, a wrong syntax: their values
                # are compared with digests in tests/conformance
                assert syntax in ALONE or path.name == "SC_rgb_jpeg.dcm"
                alone += 1
                continue
            off = max(
                int(np.abs(a.astype(np.int64) - b).max())
                for a, b in zip(found, wanted, strict=True)
            )
            lossy += syntax in LOSSY
            if off > (syntax in LOSSY):
                wrong.append((path.name, decoder, off))
    assert wrong == []
    assert refused <= set(THEIR_FAULTS)
    assert (pairs, lossy) == (134, 28)
    assert alone >= 4  # with GDCM installed; 5 without


class TestListing:
    def test_every_syntax_of_pydicom_can_be_decoded(self):
        found = xdicom.decoders()
        for uid in AllTransferSyntaxes:
            try:
                get_decoder(uid)
            except NotImplementedError:
                continue
            assert found[uid].decoders

    def test_imagecodecs_is_the_first_choice(self):
        first = {uid for uid, x in xdicom.decoders().items() if x.decoders[:1] == ("imagecodecs",)}
        compressed = {uid for uid, x in xdicom.decoders().items()
                      if x.decoders and x.decoders != ("xdicom",)}  # fmt: skip
        assert compressed == first

    def test_printed_as_a_table(self):
        lines = repr(xdicom.decoders()).splitlines()
        assert lines[0].split("  ")[0] == "transfer syntax"
        assert any(line.startswith("RLE Lossless") and "pylibjpeg" in line for line in lines)
        assert lines[-1].startswith("no decoder: ")
        assert "HEVC" in lines[-1]


def rewritten(path: Path, syntax: str) -> Path:
    """The same file under another transfer syntax."""
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(path, enforce_file_format=True)
    return path


class TestUndecodable:
    @pytest.fixture
    def path(self, tmp_path):
        return write_series(tmp_path, {}, rows=4, columns=6, transfer_syntax=RLELossless)[0]

    @pytest.mark.parametrize(
        "uid", [u for u in AllTransferSyntaxes if u.startswith("1.2.840.10008.1.2.4.")]
    )
    def test_named_when_opened(self, path, uid):
        rewritten(path, uid)
        if xdicom.decoders()[uid].decoders:
            assert xdicom.open_series(path).shape[-2:] == (4, 6)
            return
        with pytest.raises(xdicom.UnsupportedTransferSyntaxError) as caught:
            xdicom.open_series(path)
        assert UID(uid).name in str(caught.value)
        if "MPEG" in UID(uid).name or "HEVC" in UID(uid).name:
            assert "video" in str(caught.value)

    def test_the_package_that_would_is_named(self, path, monkeypatch):
        rewritten(path, JPEGBaseline8Bit)
        lone = decoders.SyntaxDecoders("JPEG", JPEGBaseline8Bit, (), {"pillow": "pillow>=10.0"})
        monkeypatch.setattr(decoders, "_entry", lambda uid: lone)
        with pytest.raises(
            xdicom.UnsupportedTransferSyntaxError, match=r"no installed.*pillow>=10\.0"
        ):
            xdicom.open_series(path)

    def test_a_decoder_that_is_not_there(self, path):
        with pytest.raises(
            xdicom.UnsupportedTransferSyntaxError, match="imagecodecs or pylibjpeg or pydicom"
        ):
            xdicom.open_series(path, decoder="gdcm")
