"""A new series and the places of its frames become UIDs (SPEC §6.5, PS3.5 B.2)."""

from __future__ import annotations

import uuid


def series_uid(series: uuid.UUID) -> str:
    """SeriesInstanceUID of a series.

    Parameters
    ----------
    series : uuid.UUID
        Random, or whatever the series is to be known by.

    Returns
    -------
    str
        A UID below 2.25, at most 44 characters.

    Examples
    --------
    >>> series_uid(uuid.UUID(int=7))
    '2.25.7'
    """
    return f"2.25.{series.int}"


def instance_uid(series: uuid.UUID, index: int) -> str:
    """SOPInstanceUID of the instance at a place of a series: the same for the same place.

    Parameters
    ----------
    series : uuid.UUID
        The series.
    index : int
        Place in the canonical order, from 0.

    Examples
    --------
    >>> a, b = uuid.UUID(int=7), uuid.UUID(int=8)
    >>> instance_uid(a, 0) == instance_uid(a, 0)
    True
    >>> len({instance_uid(a, 0), instance_uid(a, 1), instance_uid(b, 0), series_uid(a)})
    4
    """
    return f"2.25.{uuid.uuid5(series, str(index)).int}"
