"""A frame's number in, integers that give the number away at every pixel out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from xdicom.testing.codestreams import Frame

Stored = Callable[[dict[str, int]], Any] | np.ndarray[Any, Any] | None
Frames = Callable[[int, dict[str, int]], Frame]

STEP = 31
"""Difference of one pixel in neighbouring frames; odd, so that it has an inverse mod 2ⁿ."""


def frame_pixels(
    number: int,
    rows: int = 16,
    columns: int = 24,
    dtype: DTypeLike = "uint16",
    bits_stored: int | None = None,
    samples: int = 1,
) -> Frame:
    """Make the stored values of one frame, unlike those of any other frame.

    Values are ``(31 * number + column + columns * row) mod 2**bits_stored``, less
    half the range where `dtype` is signed, so that a transposed, flipped or
    exchanged frame never passes for the right one.

    Parameters
    ----------
    number : int
        The frame's place in the canonical order of its series, from 0.
    rows, columns : int
        Size of the frame.
    dtype : dtype
        Integer type.
    bits_stored : int, optional
        Bits that count, all of `dtype` by default. Frame numbers repeat after
        ``2**bits_stored``.
    samples : int
        1, or 3 for colour, whose second and third sample are one and two
        thirds of the range further.

    Returns
    -------
    ndarray, shape (rows, columns) or (rows, columns, samples)
        Stored values.

    Examples
    --------
    >>> frame_pixels(2, rows=2, columns=3)
    array([[62, 63, 64],
           [65, 66, 67]], dtype=uint16)
    """
    made = np.dtype(dtype)
    modulus = 2 ** (bits_stored or made.itemsize * 8)
    values = np.arange(rows * columns, dtype=np.int64).reshape(rows, columns) + STEP * number
    if samples > 1:
        values = values[..., None] + np.arange(samples) * (modulus // samples)
    values %= modulus
    return (values - (modulus // 2 if made.kind == "i" else 0)).astype(made)


def frame_number(pixels: Any, bits_stored: int | None = None, *, row: int = 0) -> int:
    """Tell which frame these pixels of :func:`frame_pixels` are.

    Parameters
    ----------
    pixels : array, shape (rows, columns) or (rows, columns, samples)
        Stored values of whole rows.
    bits_stored : int, optional
        As it was given to :func:`frame_pixels`.
    row : int
        The first row's number in the whole frame.

    Returns
    -------
    int
        The number, modulo ``2**bits_stored``.

    Raises
    ------
    ValueError
        If the pixels are not, all of them, those of one frame the right way up.

    Examples
    --------
    >>> frame_number(frame_pixels(1234))
    1234
    """
    values = np.asarray(pixels)
    bits = bits_stored or values.dtype.itemsize * 8
    modulus = 2**bits
    half = modulus // 2 if values.dtype.kind == "i" else 0
    first = int(values.reshape(values.shape[0], values.shape[1], -1)[0, 0, 0]) + half
    number = (first - row * values.shape[1]) * pow(STEP, -1, modulus) % modulus
    samples = 1 if values.ndim == 2 else values.shape[2]
    whole = frame_pixels(
        number, row + values.shape[0], values.shape[1], values.dtype, bits, samples
    )
    if not np.array_equal(whole[row:], values):
        raise ValueError("the pixels are not those of one simulated frame")
    return int(number)


def series_pixels(
    shape: Sequence[int],
    rows: int = 16,
    columns: int = 24,
    dtype: DTypeLike = "uint16",
    bits_stored: int | None = None,
    samples: int = 1,
) -> Frame:
    """Make the stored values that :func:`write_series` writes by default.

    Parameters
    ----------
    shape : sequence of int
        Sizes of the frame dims, outer to inner.
    rows, columns, dtype, bits_stored, samples
        As for :func:`frame_pixels`.

    Returns
    -------
    ndarray, shape (*shape, rows, columns) or (*shape, rows, columns, samples)
        Stored values, frames numbered in C order.

    Examples
    --------
    >>> series_pixels((2, 4)).shape
    (2, 4, 16, 24)
    """
    frames = [
        frame_pixels(number, rows, columns, dtype, bits_stored, samples)
        for number in range(int(np.prod(shape)))
    ]
    return np.stack(frames).reshape(*shape, *frames[0].shape)


def frames_of(
    stored: Stored,
    shape: Mapping[str, int],
    rows: int,
    columns: int,
    dtype: DTypeLike | None,
    bits_stored: int | None,
) -> Frames:
    """Turn what a caller gives as pixels into a function of a frame's number and index.

    Parameters
    ----------
    stored : callable, array or None
        A function of the index, all frames in one array, or None for
        :func:`frame_pixels`.
    shape : mapping
        Sizes of the dims, outer to inner.
    rows, columns, dtype, bits_stored
        Of the frames made where `stored` is None; `dtype` also of those given.

    Returns
    -------
    callable
        (number, index) → integers, (rows, columns) or (rows, columns, 3).

    Raises
    ------
    ValueError
        If an array has other dims than these, or values are no integers or do
        not fit `dtype`.
    """
    if stored is None:
        made = np.dtype(dtype or "uint16")
        _check_integers(made)
        return lambda number, index: frame_pixels(number, rows, columns, made, bits_stored)
    if callable(stored):
        function = stored
        return lambda number, index: _as_integers(function(index), dtype)
    sizes = tuple(shape.values())
    array = np.asarray(stored)
    if array.shape[: len(sizes)] != sizes or array.ndim - len(sizes) not in (2, 3):
        raise ValueError(f"stored has shape {array.shape}, the dims are {dict(shape)}")
    array = _as_integers(array, dtype)
    frames = array.reshape(-1, *array.shape[len(sizes) :])
    return lambda number, index: frames[number]


def _check_integers(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "iu" or dtype.itemsize > 4:
        raise ValueError(f"stored values are integers of at most 32 bits, not {dtype}")


def _as_integers(values: Any, dtype: DTypeLike | None) -> Frame:
    array = np.asarray(values)
    made = array.dtype if dtype is None else np.dtype(dtype)
    if dtype is None and made == np.int64:
        raise ValueError("say the dtype: int64 is NumPy's default and none of DICOM's")
    _check_integers(made)
    cast = array.astype(made, copy=False)
    if cast is not array and not np.array_equal(cast, array):
        raise ValueError(f"stored values do not fit {made}")
    return cast
