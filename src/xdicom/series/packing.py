"""The stacks of a series become bytes for an index, and those bytes the same stacks again."""

from __future__ import annotations

import math
import reprlib
import types
import zlib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import numpy as np

from xdicom import errors
from xdicom.errors import CorruptFileError, Problem, XDicomError
from xdicom.headers.arrays import Array, ArrayReader, ArrayWriter, dtype_of
from xdicom.headers.blobs import DamagedBlobError, pack_blob, unpack_blob
from xdicom.headers.table import FrameTable
from xdicom.series.geometry import Geometry
from xdicom.series.grid import Axis, Grid, IntArray, Rejected
from xdicom.series.reports import MOST_CELLS
from xdicom.series.stacks import Stack, taken
from xdicom.series.tiles import MOST_PIXELS, Tiling

# The bytes are one zlib stream: the length of a JSON header, the header, then the numbers of one
# array after the other. In the header a JSON array is a tuple, and an object has one key, which
# says what it is: "array" with the number of an array, "scalar" with that of a numpy scalar,
# "float" with one that JSON cannot write, or the name of a class with its fields.
FORMAT: Final = "xdicom stacks"
VERSION: Final = 2
"""Of the format; bytes of another version are not read."""

_CLASSES: Final[dict[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (
        *(Stack, Grid, Axis, Rejected, Geometry, Tiling, Problem),
        *(k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, XDicomError)),
    )
}
"""By name: all that may be built; their fields are found by themselves."""

_MOST_DIMS: Final = 32
"""Fewer than numpy allows."""
_STEPPED: Final = 8 * MOST_CELLS
"""Bytes for each row of the table that arrays computed by steps may have together."""
_SLACK: Final = 2**20
"""Bytes that short arrays may have beyond, however few rows there are."""


def pack_stacks(stacks: Sequence[Stack]) -> bytes:
    """All that was inferred of a series as bytes; its table is not among them.

    Parameters
    ----------
    stacks : sequence of Stack
        As `split_series` gives them for the table of one series.

    Returns
    -------
    bytes
        For `unpack_stacks`. Tracebacks of errors are left out.

    Raises
    ------
    TypeError
        If a field holds what cannot be packed: only a new kind of field can.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from xdicom.headers.scan import scan_table
    >>> from xdicom.series.stacks import GridOptions, split_series
    >>> table = scan_table(get_testdata_file("CT_small.dcm"))
    >>> data = pack_stacks(split_series(table, np.arange(1), GridOptions()))
    >>> type(data), len(data) < 1000
    (<class 'bytes'>, True)
    """
    writer = _Writer(1 + max((int(s.rows.max(initial=-1)) for s in stacks), default=-1))
    nodes = [writer.node(stack) for stack in stacks]
    header = {"format": FORMAT, "version": VERSION, "arrays": writer.arrays, "stacks": nodes}
    return pack_blob(header, writer.pieces)


def unpack_stacks(data: bytes, table: FrameTable) -> list[Stack]:
    """The stacks that were packed.

    Parameters
    ----------
    data : bytes
        From `pack_stacks`.
    table : FrameTable
        The table of the series that the stacks were split from.

    Returns
    -------
    list of Stack
        Equal to those that were packed in every field.

    Raises
    ------
    CorruptFileError
        If the bytes are damaged, of another version, or belong to other frames. What is allocated
        never exceeds a fixed multiple of the bytes and of the table, whatever the bytes say.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> from xdicom.headers.scan import scan_table
    >>> from xdicom.series.stacks import GridOptions, split_series
    >>> table = scan_table(get_testdata_file("CT_small.dcm"))
    >>> stacks = split_series(table, np.arange(1), GridOptions())
    >>> (stack,) = unpack_stacks(pack_stacks(stacks), table)
    >>> stack.grid.dims, stack.geometry.spacing, stack.table is table
    (('z',), (0.661468, 0.661468), True)
    """
    try:
        header, numbers = unpack_blob(data)
    except DamagedBlobError as error:
        raise _damaged(error) from error
    if not isinstance(header, dict):
        raise _corrupt("the header is no JSON object")
    if header.get("format") != FORMAT:
        raise _corrupt("they are of another format")
    if header.get("version") != VERSION:
        raise _corrupt("they are of another version", VERSION, header.get("version"))
    described, nodes = header.get("arrays"), header.get("stacks")
    if not isinstance(described, list) or not isinstance(nodes, list):
        raise _corrupt("the header lacks arrays or stacks")
    try:
        arrays = _arrays(described, numbers, _STEPPED * len(table) + _SLACK)
    except DamagedBlobError as error:
        raise _damaged(error) from error
    reader = _Reader(arrays, table)
    try:
        stacks = [reader.value(node) for node in nodes]
    except RecursionError as error:
        raise _corrupt("the header is nested too deep") from error
    if not all(isinstance(stack, Stack) for stack in stacks):
        raise _corrupt("the header holds other things than stacks")
    return stacks


def _corrupt(why: str, expected: object = None, found: object = None) -> CorruptFileError:
    return CorruptFileError(
        f"the packed arrays of a series cannot be read: {why}",
        expected=expected,
        found=None if found is None else reprlib.repr(found),
        remedy="Infer them again from the table",
    )


def _damaged(error: DamagedBlobError) -> CorruptFileError:
    return _corrupt(error.why, error.expected, error.found)


@cache
def _parameters(name: str) -> dict[str, Any]:
    """Names of what a class is built from, each with its annotation."""
    kind = _CLASSES[name]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return {field.name: hints[field.name] for field in fields(kind)}
    hints = get_type_hints(vars(kind).get("__init__", XDicomError.__init__))
    return {name: hint for name, hint in hints.items() if name != "return"}


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is what its annotation says, as far as that is known here."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in args)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if args[-1:] == (...,):
            return all(_fits(each, args[0]) for each in value)
        return len(value) == len(args) and all(map(_fits, value, args))
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _holds(value.dtype, *get_args(args[1]))
    if hint is float:
        return isinstance(value, (int, float))
    plain = origin or hint
    return plain is Any or not isinstance(plain, type) or isinstance(value, plain)


def _holds(dtype: np.dtype[Any], scalar: Any = Any) -> bool:
    """Whether a dtype is of the kind of a scalar: arrays are annotated with their widest."""
    if scalar is Any or not isinstance(scalar, type):
        return True
    return dtype.kind == np.dtype(scalar).kind


def _checksum(table: FrameTable) -> int:
    """Tells the frames of a table, in their order, from others."""
    return zlib.crc32(table.frame_id.tobytes())


class _Writer:
    """Turns values into nodes of JSON, and their arrays into descriptions and bytes.

    Parameters
    ----------
    frames : int
        Rows that the table has at least.
    """

    def __init__(self, frames: int) -> None:
        self.arrays: list[dict[str, Any]] = []
        self._arrays = ArrayWriter(_STEPPED * frames + _SLACK // 2, shared=False)
        # with the array itself, so that its id stays its own
        self._known: dict[int, tuple[Array, int]] = {}

    @property
    def pieces(self) -> list[bytes]:
        """The bytes of all arrays."""
        return self._arrays.pieces

    def node(self, value: object) -> Any:
        """A value as JSON."""
        kind: type[Any] = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if isinstance(value, float) and kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, tuple) and kind is tuple:
            return [self.node(each) for each in value]
        if isinstance(value, np.ndarray) and kind is np.ndarray:
            return {"array": self._array(value)}
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value))}
        if isinstance(value, FrameTable):
            return _checksum(value)
        if _CLASSES.get(kind.__name__) is kind:
            names = _parameters(kind.__name__)
            return {kind.__name__: {name: self.node(getattr(value, name)) for name in names}}
        raise TypeError(f"a {kind.__name__} cannot be packed: {value!r:.100}")

    def _array(self, array: Array) -> int:
        """Number of an array among those that are described."""
        known = self._known.get(id(array))
        if known is None:
            self._known[id(array)] = known = array, len(self.arrays)
            self.arrays.append(self._description(array))
        return known[1]

    def _description(self, array: Array) -> dict[str, Any]:
        if array.ndim > _MOST_DIMS:
            raise TypeError(f"an array of {array.ndim} dims cannot be packed")
        described = {"dtype": array.dtype.str, "shape": list(array.shape)}
        how = self._arrays.put(array)
        if isinstance(how, str):
            return {**described, "stored": how}
        return {**described, "start": how[0], "steps": how[1]}


def _arrays(described: list[Any], numbers: memoryview, stepped: int) -> list[Array]:
    """The arrays that are described.

    Parameters
    ----------
    described : list
        As the header holds them.
    numbers : memoryview
        What follows the header.
    stepped : int
        Bytes that all arrays may have beyond those that their numbers account for.
    """
    reader = ArrayReader(numbers, stepped)
    found = []
    for each in described:
        if not isinstance(each, dict):
            raise DamagedBlobError("an array is not described", found=each)
        dtype, shape = dtype_of(each.get("dtype")), _shape(each.get("shape"))
        if 0 in shape:
            # numpy takes the memory of one element, and refuses absurd dims, of empty arrays too
            reader.reserve(math.prod(max(size, 1) for size in shape) * dtype.itemsize)
        how = each["stored"] if "stored" in each else [each.get("start"), each.get("steps")]
        found.append(reader.take(how, dtype, math.prod(shape)).reshape(shape))
    reader.end()
    return found


def _shape(sizes: object) -> tuple[int, ...]:
    if isinstance(sizes, list) and len(sizes) <= _MOST_DIMS:
        shape = tuple(n for n in sizes if type(n) is int and n >= 0)
        if len(shape) == len(sizes):
            return shape
    raise DamagedBlobError("an array has no valid shape", found=sizes)


class _Reader:
    """Turns nodes of JSON into the values that they were.

    Parameters
    ----------
    arrays : sequence of array
        That nodes name by their numbers.
    table : FrameTable
        That the rows of stacks count in.
    """

    def __init__(self, arrays: Sequence[Array], table: FrameTable) -> None:
        self._all = arrays
        self._table = table
        self._left = len(table)

    def value(self, node: Any) -> Any:
        """The value of a node."""
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        if isinstance(node, list):
            return tuple(self.value(each) for each in node)
        if len(node) != 1:
            raise _corrupt("an object of the header is none", found=node)
        ((tag, content),) = node.items()
        if tag in ("array", "scalar"):
            if type(content) is not int or not 0 <= content < len(self._all):
                raise _corrupt("there is no such array", found=content)
            found = self._all[content]
            if tag == "scalar" and found.ndim:
                raise _corrupt("an array stands for a single number", found=found.shape)
            return found if tag == "array" else found[()]
        if tag == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        kind = _CLASSES.get(tag)
        if kind is None or not isinstance(content, dict):
            raise _corrupt("an object of the header is none", found=node)
        return self._built(kind, content)

    def _built(self, kind: type[Any], content: dict[str, Any]) -> Any:
        """An object of a class from its fields."""
        parameters = _parameters(kind.__name__)
        if content.keys() != parameters.keys():
            others = sorted(content.keys() ^ parameters.keys())
            raise _corrupt(f"{kind.__name__} has other fields", found=others)
        values = {name: self.value(each) for name, each in content.items()}
        if kind is Stack:
            values["table"] = self._rows(values["rows"], values["table"])
        for name, value in values.items():
            if not _fits(value, parameters[name]):
                raise _corrupt(f"{kind.__name__}.{name} is of another type", found=value)
        if kind is Stack and values["grid"] is not None:
            _check(values["grid"], len(values["rows"]))
            if values["tiling"] is not None:
                _check_tiling(values["tiling"], len(values["rows"]))
        try:
            return kind(**values)
        except (TypeError, ValueError) as error:
            raise _corrupt(f"{kind.__name__} cannot be built ({error})") from error

    def _rows(self, rows: object, checksum: object) -> FrameTable:
        """The rows of the table, if they are what they were."""
        if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype.kind != "i":
            raise _corrupt("a stack has no rows", found=rows)
        self._left -= len(rows)  # no row stands in two stacks
        if self._left < 0 or not _within(rows, 0, len(self._table)):
            raise _corrupt("the table has fewer rows", found=len(self._table))
        part = taken(self._table, rows)
        if type(checksum) is not int or _checksum(part) != checksum:
            raise _corrupt("they belong to other frames than those of the table")
        return part


def _within(array: IntArray, start: int, stop: int) -> bool:
    return not array.size or bool(array.min() >= start and array.max() < stop)


def _check(grid: Grid, frames: int) -> None:
    """Refuse a grid whose arrays contradict each other."""
    shape = tuple(axis.size for axis in grid.axes)
    places = [axis.codes for axis in grid.axes] + ([] if grid.slices is None else [grid.slices])
    labels = [(a.labels, a.size) for a in grid.axes if a.labels is not None]
    valid = (
        shape == grid.rows.shape
        and all(place.shape == (frames,) for place in places)
        and all(label.shape[:1] == (size,) for label, size in labels)
        and all(_within(axis.codes, 0, axis.size) for axis in grid.axes)
        and _within(grid.rows, -1, frames)
    )
    if not valid:
        raise _corrupt("a grid contradicts itself", shape, grid.rows.shape)


def _check_tiling(tiling: Tiling, frames: int) -> None:
    """Refuse tiles of other frames, or out of order."""
    tiles, cells = tiling.tiles, tiling.cells
    valid = (
        tiles.shape == cells.shape == (frames,)
        and _within(tiles, 0, frames)
        and _within(cells, 0, np.iinfo(np.int64).max)
        and 0 < min(tiling.rows, tiling.columns) <= max(tiling.rows, tiling.columns) <= MOST_PIXELS
        and bool((np.diff(cells) > 0).all())
    )
    if not valid:
        raise _corrupt("the tiles contradict themselves", frames, tiles.shape)
