"""Each file's b-value and direction are those that dcm2niix has for one of its volumes."""

from __future__ import annotations

import numpy as np
import pytest
from peers.collections import conversion, folder_of

from xdicom.headers.scan import scan_table
from xdicom.headers.table import FrameTable

pytestmark = pytest.mark.conformance

DEGREES = 0.012
"""What directions of six decimals may differ by."""
UNTUNED = "conversion is not tuned for vendor"
"""dcm2niix's warning where it leaves directions in the axes that it finds them in."""


def fsl(table: FrameTable, *, rotated: bool) -> np.ndarray:
    """Directions of a table's frames as dcm2niix writes them: (g·r, −g·c, g·n) (SPEC §2.1)."""
    directions = table.numbers("DiffusionGradientOrientation", 3)
    if not rotated:
        return directions
    row, column = np.split(table.numbers("ImageOrientationPatient", 6), 2, axis=1)
    axes = np.stack([row, -column, np.cross(row, column)], axis=1)
    return np.einsum("fij,fj->fi", axes, directions)


@pytest.mark.parametrize(
    ("name", "directed", "sign"),
    [
        ("enhanced/d2n_philips_enhanced_dti_001", 24, True),
        ("mr4d/d2n_philips_dti", 6, True),
        # the opposite of a gradient is the same axis; dcm2niix writes GE's the other way round
        ("mr4d/ge_dwi_2x7", 12, False),
        ("mr4d/uih_dti_rot", 16, True),
        ("mixed/divest_raw", 2, True),
    ],
)
def test_directions(name, directed, sign):
    made = conversion(name)
    (nifti,) = [n for n in made.niftis if n.b_values]
    table = scan_table(folder_of(name))
    # slices that share a frame share its direction
    files = np.unique(table.file, return_index=True)[1]
    table = table if len(files) == 1 else table.take(files)
    rotated = not any(UNTUNED in line for line in made.log)
    ours, b_values = fsl(table, rotated=rotated), table.numbers("DiffusionBValue")
    used = np.flatnonzero(np.nan_to_num(ours).any(axis=1))
    assert len(used) == directed
    lengths = np.linalg.norm(nifti.b_vectors, axis=1)
    theirs = nifti.b_vectors / np.where(lengths, lengths, 1)[:, None]
    found = set()
    for row in used:
        one = ours[row] / np.linalg.norm(ours[row])
        apart = [np.linalg.norm(theirs - one, axis=1)]
        apart += [] if sign else [np.linalg.norm(theirs + one, axis=1)]
        angles = np.degrees(2 * np.arcsin(np.clip(np.min(apart, axis=0) / 2, 0, 1)))
        best = int(np.argmin(angles))
        assert angles[best] < DEGREES
        assert abs(b_values[row] - nifti.b_values[best]) < 1
        found.add(best)
    assert len(found) == np.count_nonzero(lengths)
