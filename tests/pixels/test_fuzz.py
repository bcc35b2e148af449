"""Damaged pixel elements never crash, hang or fill the memory: the decoders run in a child."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 20


def test_damaged_pixel_elements():
    script = Path(__file__).with_name("fuzz_decoders.py")
    done = subprocess.run(
        [sys.executable, str(script), str(SECONDS), "1"],
        capture_output=True, text=True, timeout=SECONDS * 10, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    files, opened = (int(part.split()[0]) for part in done.stdout.splitlines()[-1].split(","))
    assert files > 50
    assert 0 < opened < files
