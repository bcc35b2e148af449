"""Simulated and bundled series, or a user's folder, go the whole way: files to arrays and back."""

from xdicom.demo.journey import OUT, run

__all__ = ["OUT", "run"]
