"""A transfer syntax becomes the decoders that can read it here, the first choice first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import UID, AllTransferSyntaxes, MPEGTransferSyntaxes

from xdicom.errors import UnsupportedTransferSyntaxError
from xdicom.headers.meta import DEFLATED_FRAMES, NEWER, is_encapsulated, is_public, uid_of
from xdicom.pixels import imagecodecs_plugin
from xdicom.pixels.spans import PixelLayout

Plugin = Callable[[bytes, DecodeRunner], Any]
"""A codestream and what the header says of it in, bytes-like values out (pydicom's protocol)."""

IMAGECODECS: Final = "imagecodecs"
ENCAPSULATED_UNCOMPRESSED: Final = UID("1.2.840.10008.1.2.1.98")
"""Native values in items (PS3.5 A.4.11); pydicom has no name for it."""
BYTES_IN_ITEMS: Final = (ENCAPSULATED_UNCOMPRESSED, DEFLATED_FRAMES)
"""Syntaxes whose frames are native values, as they are or deflated: no codec is needed."""
_OURS: Final = "xdicom"
_NO_IMAGES: Final = ("1.2.840.10008.1.2.6", "1.2.840.10008.1.2.7")
"""Beginnings of the UIDs of mail, XML, audio and live video."""


ABORTING: Final = frozenset(("gdcm",))
"""Plug-ins that may end the process on a damaged codestream: tried after another only if named."""


@cache
def plugins_of(transfer_syntax: str) -> Mapping[str, Plugin]:
    """The plug-ins that can decode a compressed transfer syntax here, in order of choice.

    imagecodecs stands first, since it releases the interpreter's lock and gives the values that
    pydicom's plug-ins give; these, in pydicom's own order, are what is tried when it fails.

    Raises
    ------
    NotImplementedError
        If neither pydicom nor imagecodecs knows the transfer syntax.

    Examples
    --------
    >>> next(iter(plugins_of("1.2.840.10008.1.2.4.70")))
    'imagecodecs'
    """
    found: dict[str, Plugin] = {}
    if imagecodecs_plugin.is_available(transfer_syntax):
        found[IMAGECODECS] = imagecodecs_plugin.decode_frame
    decoder = get_decoder(transfer_syntax)
    # pydicom names its plug-ins in public, in alphabetic order; only here in its own
    found.update(decoder._available)  # noqa: SLF001
    return found


@dataclass(frozen=True)
class SyntaxDecoders:
    """What decodes one transfer syntax."""

    name: str
    """Name of the syntax."""
    uid: str
    """Its UID."""
    decoders: tuple[str, ...]
    """What decodes it here, the first choice first: names for ``decoder=``."""
    installable: Mapping[str, str]
    """What would decode it if it were installed: by name, the packages that it needs."""


class Decoders(Mapping[str, SyntaxDecoders]):
    """Decoders by the UID of the transfer syntax; printed, a table."""

    def __init__(self, entries: Mapping[str, SyntaxDecoders]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, uid: str) -> SyntaxDecoders:
        return self._entries[uid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        known = [e for e in self.values() if e.decoders or e.installable]
        rows = [("transfer syntax", "UID", "decoders", "if installed")]
        for entry in known:
            more = "; ".join(f"{name} ({needs})" for name, needs in entry.installable.items())
            rows.append((entry.name, entry.uid, ", ".join(entry.decoders) or "none", more or "-"))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            "  ".join((*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]))
            for row in rows
        ]
        none = [e.name for e in self.values() if not (e.decoders or e.installable)]
        return "\n".join([*lines, f"no decoder: {', '.join(none)}"] if none else lines)


def decoders() -> Decoders:
    """What decodes each transfer syntax here, and what would if it were installed.

    Returns
    -------
    Decoders
        By UID, for each syntax of the standard that holds images (PS3.6 A.1).

    Examples
    --------
    >>> import xdicom
    >>> found = xdicom.decoders()["1.2.840.10008.1.2.4.90"]
    >>> found.name, found.decoders[0]
    ('JPEG 2000 Image Compression (Lossless Only)', 'imagecodecs')
    """
    entries: dict[str, SyntaxDecoders] = {}
    for uid in sorted((*AllTransferSyntaxes, *BYTES_IN_ITEMS), key=_numbers):
        if not uid.startswith(_NO_IMAGES):
            entries[str(uid)] = _entry(str(uid))
    return Decoders(entries)


def _numbers(uid: str) -> list[int]:
    return [int(part) for part in uid.split(".")]


def _entry(uid: str) -> SyntaxDecoders:
    name = NEWER.get(uid) or uid_of(uid).name
    if not is_public(uid):
        return SyntaxDecoders(name, uid, (), {})
    if not is_encapsulated(uid) or uid in BYTES_IN_ITEMS:
        return SyntaxDecoders(name, uid, (_OURS,), {})
    try:
        available = tuple(plugins_of(uid))
        missing = get_decoder(uid)._unavailable  # noqa: SLF001  public only as sentences
    except NotImplementedError:
        return SyntaxDecoders(name, uid, (), {})
    return SyntaxDecoders(
        name, uid, available, {k: " and ".join(v) or "nothing" for k, v in missing.items()}
    )


def check_decodable(layout: PixelLayout, plugin: str, file: str) -> None:
    """Raise if no installed decoder knows a layout's transfer syntax.

    Raises
    ------
    UnsupportedTransferSyntaxError
        Naming the syntax, and the packages that would decode it where there are any.
    """
    uid = layout.transfer_syntax
    if not layout.encapsulated or uid in BYTES_IN_ITEMS:
        return
    entry = _entry(uid)
    if plugin and plugin not in entry.decoders:
        needs = entry.installable.get(plugin)
        raise UnsupportedTransferSyntaxError(
            f"the decoder {plugin!r} is not available for {entry.name}",
            file=file,
            expected=" or ".join(entry.decoders) or "none is installed",
            remedy=f"Install {needs}" if needs else None,
        )
    if entry.decoders:
        return
    if entry.installable:
        needs = ", or ".join(f"{n} (decoder {k!r})" for k, n in entry.installable.items())
        raise UnsupportedTransferSyntaxError(
            f"no installed package decodes {entry.name}", file=file, remedy=f"Install {needs}"
        )
    name = "" if entry.name == uid else f", {entry.name}"
    raise UnsupportedTransferSyntaxError(
        f"no decoder knows this transfer syntax{name}",
        file=file,
        found=uid,
        remedy=_remedy(uid, entry.name),
    )


def _remedy(uid: str, name: str) -> str | None:
    if uid in MPEGTransferSyntaxes:
        return "It is video: ffmpeg reads what PyAV or `dcmdump +W` takes out of the file"
    if uid.startswith("1.2.840.10008.1.2.4.") and "JPIP" in name:
        return "The pixels are on the server that PixelDataProviderURL names"
    if uid.startswith(("1.2.840.10008.1.2.4.5", "1.2.840.10008.1.2.4.6")):
        return "DCMTK's dcmdjpeg decompresses most of the retired kinds of JPEG"
    return None


OPTIONS: Final = {
    "apply_j2k_sign_correction", "apply_jls_sign_correction", "as_rgb", "byteorder",
    "correct_unused_bits", "force_rgb", "force_ybr", "rle_segment_order",
}  # fmt: skip
"""Decoding options of pydicom that have a meaning for one compressed frame."""


def decoder_options_from(
    given: Mapping[str, Any], layouts: tuple[PixelLayout, ...]
) -> dict[str, Any]:
    """Check pydicom's decoding options.

    Raises
    ------
    ValueError
        For what is no option of a compressed frame (where its bytes lie and what the header says
        of them is not for the caller to say), for two that contradict each other, and for any
        option of frames that are not compressed: it would do nothing.

    Examples
    --------
    >>> decoder_options_from({"view_only": True}, ())
    Traceback (most recent call last):
    ValueError: decoder_options: 'view_only' is none of apply_j2k_sign_correction, ...
    """
    for name in given:
        if name not in OPTIONS:
            raise ValueError(f"decoder_options: {name!r} is none of {', '.join(sorted(OPTIONS))}")
    if given.get("force_rgb") and given.get("force_ybr"):
        raise ValueError("decoder_options: force_rgb and force_ybr contradict each other")
    if given and layouts and not any(x.encapsulated for x in layouts):
        raise ValueError(
            f"decoder_options={dict(given)!r} are for compressed frames, and none of these is"
        )
    return dict(given)
