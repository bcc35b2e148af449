"""``python tests/pixels/fuzz_decoders.py SECONDS [SEED]``: damaged pixel elements are opened.

Each gives an error of ours or an array of the right shape and dtype. The last file tried is kept
as ``last.dcm`` in the folder that is printed first, for when the interpreter does not live on.
"""

from __future__ import annotations

import faulthandler
import itertools
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import xdicom
from xdicom.pixels.decoders import ABORTING
from xdicom.testing import write_multiframe

SYNTAXES = (
    RLELossless, JPEG2000Lossless, HTJ2KLossless, JPEGLSLossless, JPEGLosslessSV1, JPEGBaseline8Bit,
)  # fmt: skip
HANGS = 30
"""Seconds after which one file is a hang."""
MEMORY = 2 * 2**30
"""Bytes of address space beyond what the imports take."""


def damaged(good: bytes, start: int, rng: random.Random) -> bytes:
    """Change, cut, double or swap bytes from ``start`` on."""
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 8))):
        # most often the headers, where there is most to break
        span = min(rng.choice((64, 200, len(data))), len(data) - start)
        at = start + rng.randrange(max(span, 1))
        how = rng.randrange(5)
        if how == 0 and at + 4 < len(data):
            del data[at : at + rng.choice((1, 2, 40))]
        elif how == 1:
            data[at:at] = data[at : at + rng.choice((1, 2, 30))]
        elif at < len(data):
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))
    return bytes(data)


def main(seconds: float, seed: int) -> None:
    """Open damaged files until the time is over, and print how many there were."""
    rng = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    sys.stdout.write(f"{folder}\n")
    sys.stdout.flush()
    _limit_memory()
    pixels = np.random.default_rng(seed).integers(0, 255, (2, 24, 20), dtype=np.uint8)
    goods = []
    for syntax, colour in itertools.product(SYNTAXES, (False, True)):
        frames = np.stack([pixels] * 3, -1) if colour else pixels
        path = write_multiframe(folder / "good.dcm", frames, transfer_syntax=syntax)
        data = path.read_bytes()
        goods.append((data, data.rindex(b"\xe0\x7f\x10\x00"), frames.shape))
    names = {d for x in xdicom.decoders().values() for d in x.decoders}
    # GDCM ends the process on damaged codestreams: the documentation says so
    decoders = ["", *sorted(names - ABORTING)]
    last = folder / "last.dcm"
    count = opened = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        good, start, shape = rng.choice(goods)
        last.write_bytes(damaged(good, start, rng))
        decoder = rng.choice((None, None, *decoders[1:]))
        faulthandler.dump_traceback_later(HANGS, exit=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = xdicom.open_series(last, scaling="stored", dims="flat", decoder=decoder)
                values = found.values
            except xdicom.XDicomError:
                pass
            else:
                opened += 1
                if values.shape != shape or values.dtype != np.uint8:
                    raise AssertionError(f"{values.shape} {values.dtype}: {last}")
        faulthandler.cancel_dump_traceback_later()
        count += 1
    sys.stdout.write(f"{count} files, {opened} opened\n")


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  there is none elsewhere

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


if __name__ == "__main__":
    faulthandler.enable()
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32))
