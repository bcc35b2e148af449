"""Counts what is read, for tests and profiles."""

from __future__ import annotations

from typing import Final


class Counter:
    """Files opened, frames decoded, bytes read."""

    def __init__(self) -> None:
        self.files = self.frames = self.bytes = 0

    def reset(self) -> None:
        """Start from zero."""
        self.files = self.frames = self.bytes = 0


COUNTER: Final = Counter()
