"""Values become codes: whole numbers from 0 in the order of the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xdicom.headers.table import Column

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def cluster(values: Floats, tolerance: float) -> tuple[Codes, Floats]:
    """Numbers as codes in ascending order; those within the tolerance of a first one are one.

    Parameters
    ----------
    values : array of float, shape (n,)
        Numbers; NaN is the last.
    tolerance : float
        Absolute; 0 stands for 1e-6 of the first of a cluster.

    Returns
    -------
    codes : array of int, shape (n,)
        Never chained: each number is within the tolerance of the smallest of its cluster.
    anchors : array of float
        That smallest one of each cluster.

    Examples
    --------
    >>> codes, anchors = cluster(np.array([2.0, 1.0, 2.000001, np.nan]), 0.0)
    >>> codes.tolist(), anchors.tolist()
    ([1, 0, 1, 2], [1.0, 2.0, nan])
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    gaps = np.diff(distinct)
    allowed = tolerance or 1e-6 * np.abs(distinct[:-1])
    first = np.append(True, ~(gaps <= allowed))[: len(distinct)]
    # where neighbours are close, a cluster ends as soon as its own first member is too far
    anchor = 0
    for i in np.flatnonzero(~first).tolist():
        anchor = i - 1 if first[i - 1] else anchor
        if distinct[i] - distinct[anchor] > (tolerance or 1e-6 * abs(distinct[anchor])):
            first[i] = True
    codes = (np.cumsum(first) - 1)[inverse.ravel()]
    return codes.astype(np.int64), distinct[first]


def combine(codes: Sequence[npt.NDArray[np.integer[Any]]], length: int) -> Codes:
    """One code for each distinct tuple of codes, in their lexicographic order.

    Examples
    --------
    >>> combine([np.array([3, 0, 3]), np.array([5, 7, 6])], 3).tolist()
    [1, 0, 2]
    """
    joined = np.zeros(length, np.int64)
    for each in codes:
        dense = np.unique(each, return_inverse=True)[1].ravel()
        joined = joined * (int(dense.max(initial=0)) + 1) + dense
        joined = np.unique(joined, return_inverse=True)[1].ravel().astype(np.int64)
    return joined


def first_rows(codes: Codes, count: int) -> Codes:
    """The first row of each code, shape (count,)."""
    found = np.zeros(count, np.int64)
    found[codes[::-1]] = np.arange(len(codes))[::-1]
    return found


def text_codes(column: Column) -> npt.NDArray[np.int64]:
    """Codes of a column's rows in the order of their texts, 0 where there is none."""
    place = np.zeros(len(column.texts) + 1, np.int64)
    place[np.argsort(np.array(column.texts, dtype=object), kind="stable")] = 1 + np.arange(
        len(column.texts)
    )
    return place[column.codes]
