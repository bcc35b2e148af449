"""GridFrameOffsetVector becomes the position of each frame of an RT Dose."""

from __future__ import annotations

from typing import Final

import numpy as np

from xdicom.errors import GeometryError
from xdicom.headers.table import FrameTable
from xdicom.headers.values import as_numbers
from xdicom.series.codes import Floats

RT_DOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"
_KEYWORD: Final = "GridFrameOffsetVector"
_AXIAL: Final = np.array([1.0, 0, 0, 0, 1, 0])
_COSINE_TOLERANCE: Final = 1e-4
_OFFSET_TOLERANCE: Final = 0.01
"""mm: as for positions, offsets closer than this are one."""


def with_offsets(table: FrameTable, position: Floats, row: Floats, column: Floats) -> Floats:
    """Positions of frames, of RT Dose by the offset of each (PS3.3 C.8.8.3.2).

    Where the first offset is 0, offsets count from ImagePositionPatient along row × column. Where
    it is the z of ImagePositionPatient, and rows and columns run along +x and +y, they are
    positions along z.

    Parameters
    ----------
    table : FrameTable
        The frames.
    position : array of float, shape (frames, 3)
        ImagePositionPatient of each, mm.
    row, column : array of float, shape (3,)
        Cosines along a row and along a column.

    Returns
    -------
    array of float, shape (frames, 3)
        mm; NaN for several frames without any offset.

    Raises
    ------
    GeometryError
        If offsets are no numbers, too few, neither ascending nor descending, or of neither kind.
    """
    classes = table.column("SOPClassUID")
    if RT_DOSE not in classes.texts:
        return position
    dose = classes.codes == classes.texts.index(RT_DOSE)
    vectors = table.column(_KEYWORD)
    found = position.copy()
    multi = dose & (table.numbers("NumberOfFrames") > 1)
    found[multi & (vectors.codes < 0)] = np.nan
    for code, text in enumerate(vectors.texts):
        rows = np.flatnonzero(multi & (vectors.codes == code))
        if not rows.size:
            continue
        offsets = _offsets(text, vectors.vr, table, rows)
        first = position[rows]
        if abs(offsets[0]) <= _OFFSET_TOLERANCE:
            along = offsets - offsets[0]
        elif _is_absolute(offsets[0], first, row, column):
            along = offsets - first[0, 2]
        else:
            raise GeometryError(
                f"{_KEYWORD} begins neither with 0 nor with the z of ImagePositionPatient",
                file=table.path(int(rows[0])),
                expected="0, or of an axial dose " + f"{first[0, 2]:g}",
                found=f"{offsets[0]:g}",
                remedy='dims="flat" opens the frames as a list, without positions',
            )
        steps = along[table.frame_number[rows] - 1]
        found[rows] = first + steps[:, None] * np.cross(row, column)
    return found


def _offsets(text: str, vr: str, table: FrameTable, rows: np.ndarray) -> Floats:
    """The offsets of the frames of an instance, checked."""
    count = text.count("\\") + 1
    offsets = np.asarray(as_numbers((text,), vr, count), np.float64).reshape(-1)
    needed = int(table.numbers("NumberOfFrames")[rows].max())
    steps = np.diff(offsets)
    expected = ""
    if np.isnan(offsets).any():
        expected = "decimal numbers"
    elif len(offsets) != needed:
        expected = f"{needed} offsets, one for each frame"
    elif not ((steps > 0).all() or (steps < 0).all()):
        expected = "offsets that ascend or descend"
    if expected:
        raise GeometryError(
            f"{_KEYWORD} does not tell where the frames lie",
            file=table.path(int(rows[0])),
            expected=expected,
            found=text if len(text) < 80 else f"{text[:77]}… ({count} values)",
            remedy='dims="flat" opens the frames as a list, without positions',
        )
    return offsets


def _is_absolute(first: float, position: Floats, row: Floats, column: Floats) -> bool:
    axial = np.abs(np.concatenate([row, column]) - _AXIAL).max() <= _COSINE_TOLERANCE
    return bool(axial and np.abs(position[:, 2] - first).max() <= _OFFSET_TOLERANCE)
