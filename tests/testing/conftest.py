"""What all tests of the generators share."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(autouse=True)
def no_warnings():
    """Nothing in a good file makes pydicom complain."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield
