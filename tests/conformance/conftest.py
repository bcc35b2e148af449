"""Each test of a collection runs for all that the folder of real files holds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The tests are no package (--import-mode=importlib), so their helpers are found by this path.
sys.path.insert(0, str(Path(__file__).parent))

from peers.collections import CATEGORIES, VARIABLE, collections, root

REASON = f"{VARIABLE} names no folder of real files"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-conformance",
        action="store_true",
        help="write docs/conformance.md anew instead of comparing with it",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module may name the categories it tests."""
    if "collection" not in metafunc.fixturenames:
        return
    wanted = getattr(metafunc.module, "TESTED", CATEGORIES)
    found = [name for name in collections() if name.split("/")[0] in wanted]
    metafunc.parametrize(
        "collection", found or [pytest.param("", marks=pytest.mark.skip(reason=REASON))]
    )


@pytest.fixture(autouse=True)
def _real_files() -> None:
    if root() is None:
        pytest.skip(REASON)
