"""Rules for the attributes that say where a frame lies (PS3.3 C.7.6.2)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np

from xdicom.writing.output import Maker, Output, Rule


def _moved(o: Output) -> bool:
    planes = o.plan.planes
    return bool(planes.shifted[o.index]) or any(
        line.offset[o.index] != 0 for line in (planes.y, planes.x)
    )


def position(o: Output) -> Any:
    """ImagePositionPatient, where the first pixel is another one."""
    place = o.plan.planes.position[o.index]
    moved = _moved(o) or o.cut
    return place.tolist() if moved and np.isfinite(place).all() else Rule.KEEP


def orientation(o: Output) -> Any:
    """ImageOrientationPatient, where x or y turned round."""
    cosines = o.plan.planes.orientation[o.index]
    turned = any(o.plan.planes.flipped) and np.isfinite(cosines).all()
    return cosines.tolist() if turned else Rule.KEEP


def spacing(keyword: str) -> Maker:
    """A spacing of rows and of columns, wider by the stride."""

    def make(o: Output) -> Any:
        old = o.numbers(keyword)
        steps = abs(o.plan.planes.y.step), abs(o.plan.planes.x.step)
        if len(old) != 2 or steps == (1.0, 1.0):
            return Rule.KEEP
        return [old[0] * steps[0], old[1] * steps[1]]

    return make


def aspect(o: Output) -> Any:
    """Vertical over horizontal size of a pixel, as two integers (PS3.3 C.7.6.3.1.7)."""
    old = o.numbers("PixelAspectRatio")
    y, x = abs(o.plan.planes.y.step), abs(o.plan.planes.x.step)
    if len(old) != 2 or y == x or not all(v > 0 for v in old):
        return Rule.KEEP
    ratio = Fraction(old[0] * y) / Fraction(old[1] * x)
    return [*ratio.limit_denominator(10_000).as_integer_ratio()]


def slice_location(o: Output) -> Any:
    """Along the normal, where that turned, the plane left its place, or many shared one header."""
    planes = o.plan.planes
    reversed_normal = planes.flipped[0] != planes.flipped[1]
    position, cosines = planes.position[o.index], planes.orientation[o.index]
    known = np.isfinite(position).all() and np.isfinite(cosines).all()
    changed = (reversed_normal or planes.shifted[o.index]) and o.texts("SliceLocation")
    if not known or not (changed or o.cut):
        return Rule.KEEP
    return float(np.cross(cosines[:3], cosines[3:]) @ position)


def between_slices(o: Output) -> Any:
    """SpacingBetweenSlices, from the slices that are written; gone where they are uneven."""
    step, old = o.plan.planes.slice_step, o.numbers("SpacingBetweenSlices")
    if step is None or not old:
        return Rule.KEEP
    if np.isnan(step):
        return Rule.DELETE
    return Rule.KEEP if abs(abs(old[0]) - step) <= 1e-3 * step else step


_OPPOSITE: Final = str.maketrans("LRAPHF", "RLPAFH")


def patient_orientation(o: Output) -> Any:
    """Directions of rows and columns by letters, PatientOrientation (PS3.3 C.7.6.1.1.1)."""
    old = o.texts("PatientOrientation")
    flipped = o.plan.planes.flipped
    if len(old) != 2 or not any(flipped):
        return Rule.KEEP
    turns = zip(old, (flipped[1], flipped[0]), strict=True)
    return [text.translate(_OPPOSITE) if turn else text for text, turn in turns]
