"""Arrays and lists of texts become bytes: whole numbers narrow, or as the steps that make them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from xdicom.headers.blobs import DamagedBlobError

Array: TypeAlias = npt.NDArray[Any]
How: TypeAlias = Any
"""How an array is held, as JSON: the dtype in which its numbers are stored; or the number that it
starts with and, inner to outer, the counts and steps by which it goes on; or which of the arrays
before it is the same."""

_DTYPE: Final = re.compile(
    r"[<>|](b1|[iu][1248]|f[248]|[US][1-9]\d{0,7}"
    r"|[mM]8(\[([1-9]\d{0,8})?([YMWDhms]|[munpfa]s)\])?)",
    re.ASCII,
)
"""The dtypes that may occur."""
_NARROW: Final = tuple(
    (np.dtype(f"<{kind}{size}"), limits.min, limits.max)
    for size in (1, 2, 4)
    for kind, limits in (("u", np.iinfo(f"u{size}")), ("i", np.iinfo(f"i{size}")))
)
"""Dtypes that whole numbers may be stored in, with their limits, the narrowest first."""
_FAR: Final = 2**61
"""Numbers beyond are not computed by steps: these would not fit into int64."""
_LONGEST_PREFIX: Final = 255
"""Letters that the texts of a list begin with and that are held once."""
_Taken: TypeAlias = tuple[Array, int, int]
"""An array with its least and its greatest number."""


class ArrayWriter:
    r"""Collects the bytes of arrays and texts.

    Parameters
    ----------
    budget : int
        Bytes that all arrays made by steps may have together: as many are allowed to who reads
        them, whatever the bytes say. Arrays beyond are stored.
    shared : bool
        Hold arrays that are the same once, so that they will be one array, which is read-only.

    Examples
    --------
    >>> writer = ArrayWriter(10_000)
    >>> arrays = np.arange(3), np.array([7, -1, 300]), np.arange(3)
    >>> [writer.put(array) for array in arrays], writer.put_texts(["a1", "a2"])
    ([[0, [[3, 1]]], '<i2', 0], [3, '\x00', 'a'])
    >>> reader = ArrayReader(memoryview(b"".join(writer.pieces)), 10_000)
    >>> [reader.take(how, np.dtype("i8"), 3).tolist() for how in ([0, [[3, 1]]], "<i2", 0)]
    [[0, 1, 2], [7, -1, 300], [0, 1, 2]]
    >>> reader.take_texts([3, "\0", "a"], 2)
    ('a1', 'a2')
    """

    def __init__(self, budget: int, *, shared: bool = True) -> None:
        self.pieces: list[bytes] = []
        """What was collected."""
        self._left, self._shared = budget, shared
        self._known: dict[tuple[str, bytes], int] = {}

    def put(self, array: Array) -> How:
        """Add an array, and give what `ArrayReader.take` must know of it.

        Raises
        ------
        TypeError
            If its dtype is none that can be packed.
        """
        dtype, flat = array.dtype, array.ravel()
        if not _DTYPE.fullmatch(dtype.str):
            raise TypeError(f"an array of {dtype} cannot be packed")
        data = flat.tobytes()
        if self._shared:
            new = len(self._known)
            known = self._known.setdefault((dtype.str, data), new)
            if known < new:
                return known
        how = self._form(flat)
        if not isinstance(how, str):
            self._left -= flat.nbytes
        else:
            self.pieces.append(data if how == dtype.str else flat.astype(how).tobytes())
        return how

    def _form(self, flat: Array) -> How:
        dtype = flat.dtype
        if dtype.kind in "iu" and flat.size:
            low, high = int(flat.min()), int(flat.max())
            if low > -_FAR and high < _FAR and flat.nbytes <= self._left:
                steps = _steps(flat.astype(np.int64, copy=False))
                if steps is not None:
                    return [int(flat[0]), steps]
            for narrow, least, most in _NARROW:
                if narrow.itemsize < dtype.itemsize and least <= low and high <= most:
                    return narrow.str
        return dtype.newbyteorder("<").str

    def put_texts(self, texts: Sequence[str]) -> How:
        """Add texts, and give what `ArrayReader.take_texts` must know of them."""
        joined = "\0".join(texts)
        separator, prefix = "\0", ""
        if joined.count(separator) != max(len(texts) - 1, 0):
            separator = next(c for c in map(chr, range(sys.maxunicode)) if c not in joined)
            joined = separator.join(texts)
        if len(texts) > 1:
            prefix = _common(min(texts), max(texts))
            if prefix:
                # a separator and the prefix stand nowhere but where a text begins
                joined = joined.replace(separator + prefix, separator)[len(prefix) :]
        data = joined.encode("utf-8", "surrogatepass")
        self.pieces.append(data)
        return [len(data), separator, prefix]


def _common(one: str, other: str) -> str:
    """What both begin with."""
    for i, (a, b) in enumerate(zip(one[:_LONGEST_PREFIX], other, strict=False)):
        if a != b:
            return one[:i]
    return one[: min(len(other), _LONGEST_PREFIX)]


class ArrayReader:
    """Gives the arrays and texts that were collected, in the same order.

    Parameters
    ----------
    numbers : memoryview
        All that was collected.
    budget : int
        As it was for the `ArrayWriter`.

    Raises
    ------
    DamagedBlobError
        By each of the methods: what is allocated never exceeds the budget and a fixed multiple
        of the bytes.
    """

    def __init__(self, numbers: memoryview, budget: int) -> None:
        self._numbers, self._place = numbers, 0
        # whole numbers of one byte may become numbers of eight
        self._left = 8 * len(numbers) + budget
        self._taken: list[_Taken] = []

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self._numbers) - self._place

    def _next(self, length: int) -> memoryview:
        start, self._place = self._place, self._place + length
        if self._place > len(self._numbers):
            raise DamagedBlobError("they are cut off", f"{self._place} bytes", len(self._numbers))
        return self._numbers[start : self._place]

    def reserve(self, size: int) -> None:
        """Count bytes that are to be allocated."""
        self._left -= size
        if self._left < 0:
            raise DamagedBlobError(
                "an array is larger than the frames and the bytes allow", found=f"{size} bytes"
            )

    def take(
        self, how: How, dtype: np.dtype[Any], count: int, within: tuple[int, int] | None = None
    ) -> Array:
        """The next array: one that is the same as one before is that one itself, read-only.

        Parameters
        ----------
        how : object
            What `ArrayWriter.put` gave, from the header.
        dtype : dtype
            Of the array.
        count : int
            Of its elements.
        within : (int, int), optional
            Least number that whole numbers may be, and the one that they must stay below.
        """
        if type(how) is int:
            if not 0 <= how < len(self._taken):
                raise DamagedBlobError("there is no such array", found=how)
            found = self._taken[how]
            found[0].flags.writeable = False  # since it belongs to several now
        else:
            self.reserve(count * dtype.itemsize)
            found = self._stored(how, dtype, count) if isinstance(how, str) else (
                _stepped(how, count, dtype)
            )  # fmt: skip
            self._taken.append(found)
        array, low, high = found
        if array.dtype != dtype or array.size != count:
            raise DamagedBlobError("an array is of another dtype or length", (dtype.str, count))
        if within is not None and count and not (within[0] <= low and high < within[1]):
            raise DamagedBlobError("an array leads to nothing", within, (low, high))
        return array

    def _stored(self, how: str, dtype: np.dtype[Any], count: int) -> _Taken:
        stored = _dtype(how)
        if stored != dtype:
            whole = stored.kind + dtype.kind in ("ui", "uu", "ii")
            same = stored == dtype.newbyteorder("<")
            if not same and not (whole and stored.itemsize < dtype.itemsize):
                raise DamagedBlobError(
                    "an array is stored in a dtype that does not fit", dtype.str, how
                )
        flat = np.frombuffer(self._next(count * stored.itemsize), stored)
        if stored.kind in "Ub" and count:
            units = flat.view("<u4" if stored.kind == "U" else "u1")
            if units.max() > (0x10FFFF if stored.kind == "U" else 1):
                raise DamagedBlobError("an array holds what is no value of its dtype", dtype.str)
        if stored.kind not in "ui" or not count:
            return flat.astype(dtype), 0, 0
        return flat.astype(dtype), int(flat.min()), int(flat.max())

    def take_texts(self, how: How, count: int) -> tuple[str, ...]:
        """The next texts.

        Parameters
        ----------
        how : object
            What `ArrayWriter.put_texts` gave, from the header.
        count : int
            How many they are.
        """
        length, separator, prefix = self._text_form(how)
        try:
            text = str(self._next(length), "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise DamagedBlobError(f"texts are no UTF-8 ({error})") from error
        if text.count(separator) != max(count - 1, 0) or (text and not count):
            raise DamagedBlobError("texts are more or fewer", count)
        if prefix:
            text = prefix + text.replace(separator, separator + prefix)
        return tuple(text.split(separator)) if count else ()

    @staticmethod
    def _text_form(how: How) -> tuple[int, str, str]:
        """Bytes, separator and prefix of texts."""
        valid = isinstance(how, list) and [*map(type, how)] == [int, str, str]
        if valid and how[0] >= 0 and len(how[1]) == 1 and how[1] not in how[2]:
            length, separator, prefix = how
            if len(prefix) <= _LONGEST_PREFIX:
                return length, separator, prefix
        raise DamagedBlobError("texts are not described", found=how)

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self._place < len(self._numbers):
            raise DamagedBlobError(
                "bytes follow the arrays", f"{self._place} bytes", len(self._numbers)
            )


def dtype_of(text: object) -> np.dtype[Any]:
    """A dtype by its name in a header.

    Raises
    ------
    DamagedBlobError
        If it is none of those that may occur.
    """
    if not isinstance(text, str):
        raise DamagedBlobError("an array has a dtype that is not allowed", found=text)
    return _dtype(text)


@lru_cache(maxsize=256)
def _dtype(text: str) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(text):
        raise DamagedBlobError("an array has a dtype that is not allowed", found=text)
    return np.dtype(text)


def _steps(flat: npt.NDArray[np.int64]) -> list[list[int]] | None:
    """Counts and steps, inner to outer, of numbers that advance evenly; None if they do not.

    Examples
    --------
    >>> _steps(np.array([0, 1, 2, 0, 1, 2])), _steps(np.array([5, 5, 5])), _steps(np.array([7]))
    ([[3, 1], [2, 0]], [[3, 0]], [])
    >>> _steps(np.array([0, 1, 3]))
    """
    found: list[list[int]] = []
    while flat.size > 1:
        step = int(flat[1]) - int(flat[0])
        uneven = flat[1:] - flat[:-1] != step
        first = int(uneven.argmax())
        if not uneven[first]:
            return [*found, [flat.size, step]]
        count = first + 1
        if flat.size % count:
            return None
        blocks = flat.reshape(-1, count)
        flat = blocks[:, 0]
        if (blocks != flat[:, None] + step * np.arange(count)).any():
            return None
        found.append([count, step])
    return found


def _stepped(how: How, count: int, dtype: np.dtype[Any]) -> _Taken:
    """An array of numbers that advance evenly."""
    start, steps = how if isinstance(how, list) and len(how) == 2 else (None, None)
    if type(start) is not int or not isinstance(steps, list) or dtype.kind not in "iu":
        raise DamagedBlobError("an array is neither stored nor computed by steps", found=how)
    low, high, length = start, start, 1
    for each in steps:
        if not isinstance(each, list) or [*map(type, each)] != [int, int] or each[0] < 2:
            raise DamagedBlobError("an array is neither stored nor computed by steps", found=how)
        number, step = each
        length *= number
        if step < 0:
            low += (number - 1) * step
        else:
            high += (number - 1) * step
    if length != count:
        raise DamagedBlobError("the steps of an array do not give its shape", count, steps)
    lowest, highest = _limits(dtype)
    if low < lowest or high > highest:
        raise DamagedBlobError("the steps of an array leave its dtype", dtype.str)
    if low == high:
        return np.full(count, start, dtype), low, high
    flat = np.full(1, start, np.int64)
    for number, step in reversed(steps):
        flat = (flat[:, None] + step * np.arange(number)).ravel()
    return flat.astype(dtype, copy=False), low, high


@cache
def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and the greatest number that steps may lead to."""
    limits = np.iinfo(dtype)
    return max(int(limits.min), -_FAR), min(int(limits.max), _FAR)
