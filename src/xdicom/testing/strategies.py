"""Hypothesis strategies: small hypercubes, geometries and outer indexers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

FAMILIES = ("component", "EchoTime", "FlipAngle", "time", "z")
"""Dims that are drawn, outer to inner."""

Indexer = int | slice | np.ndarray[Any, Any]


def _hypothesis() -> Any:
    try:
        return import_module("hypothesis.strategies")
    except ImportError as error:
        raise ImportError("these strategies need hypothesis: pip install hypothesis") from error


def dims_strategy(
    families: Sequence[str] = FAMILIES, *, max_size: int = 4
) -> SearchStrategy[dict[str, Any]]:
    """Draw the dims of a small hypercube for :func:`write_series` or :func:`write_enhanced`.

    Values ascend, components come as M, P, R, I, so that the canonical order of
    the files is that of the array they make.

    Parameters
    ----------
    families : sequence of str
        Of ``component``, ``EchoTime``, ``FlipAngle``, ``time`` and ``z``, outer to
        inner; each may be left out of a draw.
    max_size : int
        Largest size of a dim.

    Returns
    -------
    SearchStrategy
        Of dicts.

    Raises
    ------
    ImportError
        If hypothesis is not installed.
    ValueError
        If another family is asked for.
    """
    st = _hypothesis()
    numbers = {"min_size": 1, "max_size": max_size, "unique": True}
    values: dict[str, Any] = {
        "component": st.lists(st.sampled_from("MPRI"), **numbers).map(
            lambda labels: sorted(labels, key="MPRI".index)
        ),
        "EchoTime": st.lists(st.integers(10, 2000), **numbers).map(
            lambda tenths: [tenth / 10 for tenth in sorted(tenths)]
        ),
        "FlipAngle": st.lists(st.integers(1, 180), **numbers).map(sorted),
        "time": st.lists(st.integers(1, 36_000), **numbers).map(
            lambda tenths: [(tenth - min(tenths)) / 10 for tenth in sorted(tenths)]
        ),
        "z": st.integers(1, max_size),
    }
    if unknown := set(families) - set(values):
        raise ValueError(f"there are {', '.join(values)}, but not {sorted(unknown)}")
    return st.fixed_dictionaries(  # type: ignore[no-any-return]
        {}, optional={family: values[family] for family in families}
    ).map(lambda drawn: {family: drawn[family] for family in families if family in drawn})


def outer_indexers(shape: Sequence[int]) -> SearchStrategy[tuple[Indexer, ...]]:
    """Draw an indexer for each axis: the keys that a lazy array must understand.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array to be indexed.

    Returns
    -------
    SearchStrategy
        Of tuples of whole numbers (negative ones too), slices (of any step, empty
        ones too), integer arrays (with repeats, empty) and boolean arrays.

    Raises
    ------
    ImportError
        If hypothesis is not installed.

    See Also
    --------
    outer_take : what they select, by numpy.
    """
    st = _hypothesis()

    def axis(size: int) -> Any:
        kinds = [
            st.slices(size),
            st.lists(st.booleans(), min_size=size, max_size=size).map(
                lambda mask: np.array(mask, dtype=bool)
            ),
        ]
        if size:
            place = st.integers(-size, size - 1)
            kinds += [
                place,
                st.lists(place, max_size=size + 2).map(lambda at: np.array(at, dtype=np.int64)),
            ]
        return st.one_of(kinds)

    return st.tuples(*map(axis, shape))  # type: ignore[no-any-return]


def outer_take(array: Any, indexers: Sequence[Indexer]) -> np.ndarray[Any, Any]:
    """Index each axis on its own, as xarray does and numpy does not.

    Parameters
    ----------
    array : array
        What is indexed.
    indexers : sequence
        For each axis a whole number, which drops it, a slice or a 1-D array.

    Returns
    -------
    ndarray
        The outer product of the selections.

    Examples
    --------
    >>> import numpy as np
    >>> outer_take(np.arange(12).reshape(3, 4), (np.array([2, 0]), slice(None, None, -2)))
    array([[11,  9],
           [ 3,  1]])
    """
    taken = np.asarray(array)
    for axis in reversed(range(len(indexers))):
        taken = taken[(slice(None),) * axis + (indexers[axis],)]
    return taken


def geometries() -> SearchStrategy[dict[str, Any]]:
    """Draw where a stack lies: any rotation, spacing and origin.

    Returns
    -------
    SearchStrategy
        Of keyword arguments for :func:`write_series` and :func:`write_enhanced`:
        `orientation` (orthonormal within 1e-12), `origin`, `pixel_spacing` and
        `slice_spacing`, mm.

    Raises
    ------
    ImportError
        If hypothesis is not installed.
    """
    st = _hypothesis()

    def orientation(quaternion: tuple[float, ...]) -> tuple[float, ...]:
        w, x, y, z = np.asarray(quaternion) / np.linalg.norm(quaternion)
        row = (w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y))
        column = (2 * (x * y - w * z), w * w - x * x + y * y - z * z, 2 * (y * z + w * x))
        return tuple(float(v) for v in (*row, *column))

    @st.composite  # type: ignore[untyped-decorator]
    def geometry(draw: DrawFn) -> dict[str, Any]:
        part = st.floats(-1, 1, width=32)
        spacing = st.integers(50, 5000).map(lambda hundredths: hundredths / 1000)
        millimetres = st.integers(-500_000, 500_000).map(lambda micrometres: micrometres / 1000)
        turn = draw(st.tuples(part, part, part, part).filter(lambda q: np.linalg.norm(q) > 0.1))
        return {
            "orientation": orientation(turn),
            "origin": tuple(draw(millimetres) for _ in range(3)),
            "pixel_spacing": (draw(spacing), draw(spacing)),
            "slice_spacing": draw(spacing),
        }

    return geometry()  # type: ignore[no-any-return]
