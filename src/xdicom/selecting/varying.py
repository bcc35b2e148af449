"""The frames of an array become a list of what differs between them, and along which dims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.headers.elements import PRIVATE_TO_PATIENT
from xdicom.selecting.provenance import Provenance
from xdicom.series.attributes import reduce_dims


@dataclass(frozen=True)
class Varying:
    """An attribute that differs between frames."""

    attribute: str
    """Keyword."""
    dims: tuple[str, ...]
    """Dims that it depends on, outer to inner."""
    distinct: bool
    """Whether no two places along these dims have the same value."""


def varying(provenance: Provenance) -> tuple[Varying, ...]:
    """Attributes of the table that differ between an array's frames, by name.

    UIDs are left out, which always differ, and what is private to the patient.

    Parameters
    ----------
    provenance : Provenance
        One frame a cell.
    """
    rows, dims = provenance.rows, provenance.dims
    present = rows >= 0
    found = []
    for name, column in sorted(provenance.table.columns.items()):
        if not name[0].isupper() or name in PRIVATE_TO_PATIENT or column.vr == "UI":
            continue
        codes = np.where(present, column.codes[rows], -1)
        if present.any() and (codes[present] != codes[present][0]).any():
            own, values = reduce_dims(codes, dims, present)
            distinct = len(np.unique(values)) == values.size and bool((values >= 0).all())
            found.append(Varying(name, own, distinct))
    return tuple(found)
