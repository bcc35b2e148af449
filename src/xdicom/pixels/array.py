"""Frames and a grid of rows become FrameArray: a lazy array that reads what is asked for, once."""

from __future__ import annotations

import hashlib
import pickle
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from xarray.backends import BackendArray
from xarray.core import indexing

from xdicom.errors import CorruptFileError, FrameDecodeError, XDicomError
from xdicom.pixels.counter import COUNTER as COUNTER
from xdicom.pixels.decode import (
    decode_frame,
    open_frames,
    warn_of_broken,
)
from xdicom.pixels.indexing import outer, outer_keeping, positions, transposed
from xdicom.pixels.mosaics import by_stored, in_stored, stored_starts
from xdicom.pixels.pool import THREADS, run
from xdicom.pixels.reading import clear, frame_bytes, read_into, read_part
from xdicom.pixels.scaling import Scaling
from xdicom.pixels.spans import Frames, PixelLayout
from xdicom.sources.base import OpenFile

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

_WORTH_THREADS: Final = 4 * 2**20
"""Bytes of the result from which on several threads pay."""
_WORTH_DECODING_THREADS: Final = 2**16
"""The same, where frames must be decoded first."""


class FrameArray(BackendArray):
    """A lazy array over frames: dims are the grid's frame dims, then y, x and perhaps sample.

    Parameters
    ----------
    frames : Frames
        Where the frames lie.
    index : array of int, shape of the frame dims
        Frame in each cell, −1 where there is none.
    scaling : Scaling
        How stored values become the array's.
    digest : str
        Of the table that the frames come from; names the array's dask tasks.
    fill_value : number, optional
        Stands in cells without a frame.
    raw, plugin, options
        For `decode_frame`.
    broken_to_nan : bool
        A compressed frame that cannot be decoded becomes NaN, with a warning.
    """

    def __init__(
        self,
        frames: Frames,
        index: IntArray,
        scaling: Scaling,
        digest: str,
        *,
        fill_value: float = np.nan,
        raw: bool = False,
        plugin: str = "",
        options: dict[str, Any] | None = None,
        broken_to_nan: bool = False,
    ) -> None:
        self.frames = frames
        self.index = index
        self.scaling = scaling
        self.fill_value = fill_value
        self.raw = raw
        self.plugin = plugin
        self.options = options or {}
        self.broken_to_nan = broken_to_nan
        compressed = any(x.encapsulated for x in frames.layouts)
        self._threshold = _WORTH_DECODING_THREADS if compressed else _WORTH_THREADS
        self.plane = (*frames.layouts[0].plane, *scaling.extra)
        self._everything = (slice(None),) * len(self.plane)
        self.shape = (*index.shape, *self.plane)
        self.dtype = scaling.dtype
        h = hashlib.blake2b(digest.encode(), digest_size=16)
        for part in (index, frames.offset, frames.file, frames.number, frames.tile):
            if part is not None:
                h.update(np.ascontiguousarray(part).tobytes())
        settings = (
            scaling.digest, repr(fill_value), raw, plugin, broken_to_nan,
            sorted(map(str, self.options.items())),
        )  # fmt: skip
        h.update(repr(settings).encode())
        self._token = h.hexdigest()
        self._held: tuple[tuple[int, int], Array] | None = None

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("xdicom.FrameArray", self._token)

    def __sizeof__(self) -> int:
        n = self.index.size
        return 256 + n * 8 * 8 + sum(map(len, self.frames.paths))

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_held": None}
        frames = state.pop("frames")
        names = "\0".join(frames.paths)
        packed = {k: v for k, v in frames.__dict__.items() if k not in ("paths", "_absolute")}
        payload = pickle.dumps((names, packed, state.pop("index"), state.pop("scaling")), 5)
        state["packed"] = zlib.compress(payload, 1)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        names, packed, self.index, self.scaling = pickle.loads(  # noqa: S301  of our own __getstate__
            zlib.decompress(state.pop("packed"))
        )
        self.frames = Frames(paths=tuple(names.split("\0")), **packed)
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"<FrameArray {self.shape} {self.dtype}, {(self.index >= 0).sum()} frames>"

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Array:
        if isinstance(key, indexing.VectorizedIndexer):
            turned = transposed(key, self.read)
            if turned is not None:
                return turned
            found: Array = indexing.explicit_indexing_adapter(
                key, self.shape, indexing.IndexingSupport.OUTER, self.read
            )
            return found
        return self.read(key.tuple)

    def read(self, key: tuple[Any, ...]) -> Array:
        """Read an outer selection: one int, slice or integer array for each dim."""
        depth = self.index.ndim
        rows = outer(self.index, key[:depth])
        inner = key[depth:]
        whole = _all_slices(inner) and inner == self._everything
        if whole and np.ndim(rows) == 0:
            out = np.empty(self.plane, self.dtype)
            self._single(int(rows), None, out)
            return out
        plane = self.plane if whole else tuple(
            len(positions(k, n)) for k, n in zip(inner, self.plane, strict=True)
        )  # fmt: skip
        out = np.empty((*np.shape(rows), *plane), self.dtype)
        flat = np.asarray(rows).reshape(-1)
        target = out.reshape(flat.size, *plane)
        if out.size:
            self._fill(flat, None if whole else inner, target)
        drop = tuple(
            np.ndim(rows) + i for i, k in enumerate(inner) if isinstance(k, (int, np.integer))
        )
        return out.squeeze(drop) if drop else out

    def _single(self, frame: int, inner: tuple[Any, ...] | None, out: Array) -> None:
        if frame < 0:
            out[...] = self.fill_value
            return
        COUNTER.files += 1
        file = open_frames(self.frames, frame, frame)
        broken: list[XDicomError] = []
        try:  # `with` would take a microsecond more of each frame
            self.read_frame(frame, file, inner, out, broken)
        finally:
            file.close()
        if broken:
            warn_of_broken(broken)

    def _fill(self, rows: IntArray, inner: tuple[Any, ...] | None, out: Array) -> None:
        if rows.size == 1:
            self._single(int(rows[0]), inner, out[0])
            return
        out[rows < 0] = self.fill_value
        distinct, first = np.unique(rows, return_index=True)
        keep = distinct >= 0
        distinct, first = distinct[keep], first[keep]
        if not distinct.size:
            return
        order, bounds = self.batches(distinct, out.nbytes)
        distinct, first = distinct[order], first[order]
        jobs = [(distinct[a:b], first[a:b]) for a, b in bounds]
        broken: list[XDicomError] = []

        def read(job: tuple[IntArray, IntArray]) -> None:
            self._file(*job, inner, out, broken)

        run(read, jobs, self.threads(out.nbytes))
        if broken:
            warn_of_broken(broken)
        if len(distinct) < int((rows >= 0).sum()):
            copied = {int(f): int(p) for f, p in zip(distinct, first, strict=True)}
            for place, row in enumerate(rows):
                if row >= 0 and copied[int(row)] != place:
                    out[place] = out[copied[int(row)]]

    def threads(self, nbytes: int) -> int:
        """Threads that pay for a result of so many bytes."""
        return THREADS if nbytes >= self._threshold else 1

    def batches(self, frames: IntArray, nbytes: int) -> tuple[IntArray, list[tuple[int, int]]]:
        """Put frames in the order of their files, and cut them for the threads.

        Parameters
        ----------
        frames : array of int, shape (n,)
            Distinct frames.
        nbytes : int
            Bytes of the result.

        Returns
        -------
        order : array of int, shape (n,)
            Places of the frames, as they are read best.
        bounds : list of (int, int)
            First and last place in ``order`` of what one thread reads of one file.
        """
        order = np.lexsort((self.frames.offset[frames], self.frames.file[frames]))
        edge = np.diff(self.frames.file[frames[order]], prepend=-1) != 0
        threads = self.threads(nbytes)
        if threads > 1:  # a file of many frames is cut, so that each thread gets a part
            cuts = np.arange(0, len(frames), -(-len(frames) // threads))
            if self.frames.tile is not None:  # but no stored frame is: it is decoded once
                stored = stored_starts(self.frames, frames[order])
                cuts = stored[np.searchsorted(stored, cuts, "right") - 1]
            edge[cuts] = True
        starts = np.flatnonzero(edge).tolist()
        return order, list(zip(starts, [*starts, len(frames)][1:], strict=True))

    def _file(
        self,
        frames: IntArray,
        places: IntArray,
        inner: tuple[Any, ...] | None,
        out: Array,
        broken: list[XDicomError],
    ) -> None:
        """Read frames of one file, opened once; consecutive native ones in one piece."""
        if not len(frames):
            return
        COUNTER.files += 1
        with open_frames(self.frames, int(frames[0]), int(frames[-1])) as file:
            if inner is None and len(frames) > 1 and self._run(frames, places, file, out):
                return
            if self.frames.tile is not None:
                for own, at in by_stored(self.frames, frames, places):
                    self._tiles(own, at, file, inner, out, broken)
                return
            for frame, place in zip(frames.tolist(), places.tolist(), strict=True):
                self.read_frame(frame, file, inner, out[place], broken)

    def _tiles(
        self,
        frames: list[int],
        places: list[int],
        file: OpenFile,
        inner: tuple[Any, ...] | None,
        out: Array,
        broken: list[XDicomError],
    ) -> None:
        """Read frames that are slices of one stored frame, which is read once."""
        layout = self.frames.layouts[self.frames.layout[frames[0]]]
        if len(frames) == 1 or layout.tile is None:
            self.read_frame(frames[0], file, inner, out[places[0]], broken)
            return
        try:
            if layout.plain:
                stored = read_part(self.frames, frames[0], file, (slice(None), slice(None)))
            else:
                stored = self._decoded(layout, frames[0], file, None)
        except (FrameDecodeError, CorruptFileError) as error:
            if layout.plain or not self.broken_to_nan:
                raise
            broken.append(error)
            out[places] = np.nan
            return
        for frame, place in zip(frames, places, strict=True):
            part = outer_keeping(stored, self._in_stored(layout, frame, inner))
            self.scaling.apply(part, frame, out[place])

    def _in_stored(
        self, layout: PixelLayout, frame: int, inner: tuple[Any, ...] | None
    ) -> tuple[Any, ...]:
        assert self.frames.tile is not None
        return in_stored(layout, int(self.frames.tile[frame]), inner)

    def _run(self, frames: IntArray, places: IntArray, file: OpenFile, out: Array) -> bool:
        """Read frames that lie side by side, in the file and in the result, with one request."""
        layout = self.frames.layouts[self.frames.layout[frames[0]]]
        if not (
            layout.plain
            and layout.tile is None
            and self.scaling.direct
            and layout.dtype == self.dtype
            and (np.diff(places) == 1).all()
            and (self.frames.layout[frames] == self.frames.layout[frames[0]]).all()
            and (np.diff(self.frames.offset[frames]) == self.frames.length[frames[0]]).all()
        ):
            return False
        target = out[int(places[0]) : int(places[-1]) + 1]
        read_into(self.frames, int(frames[0]), file, target)
        COUNTER.frames += len(frames)
        if layout.spare_bits:
            for frame, plane in zip(frames.tolist(), target, strict=True):
                clear(self.frames, frame, plane)
        return True

    def read_frame(
        self,
        frame: int,
        file: OpenFile,
        inner: tuple[Any, ...] | None,
        out: Array,
        broken: list[XDicomError],
    ) -> None:
        """Read one frame, or the part of it that is asked for, into its place.

        Parameters
        ----------
        frame : int
            Number of the frame.
        file : OpenFile
            Its file.
        inner : tuple, optional
            Outer key of its plane; None for all of it.
        out : array
            Shape of what the key selects; contiguous for all of the plane.
        broken : list of XDicomError
            Where the error of a frame that becomes NaN is put.
        """
        if inner is not None and self.scaling.extra:
            whole = np.empty((*out.shape[:-1], *self.scaling.extra), out.dtype)
            self._stored(frame, file, inner[:-1], whole, broken)
            out[...] = outer_keeping(whole, (slice(None), slice(None), inner[-1]))
        else:
            self._stored(frame, file, inner, out, broken)

    def _stored(
        self,
        frame: int,
        file: OpenFile,
        inner: tuple[Any, ...] | None,
        out: Array,
        broken: list[XDicomError],
    ) -> None:
        """Read stored values of one frame, and write what they stand for."""
        frames = self.frames
        layout = frames.layouts[frames.layout[frame]]
        if layout.tile is not None:
            inner = self._in_stored(layout, frame, inner)
        if layout.plain:
            if inner is None:
                COUNTER.frames += 1
                direct = self.scaling.direct and layout.dtype == out.dtype
                stored = out if direct else np.empty(layout.shape, layout.dtype)
                read_into(frames, frame, file, stored)
                if layout.spare_bits:
                    clear(self.frames, frame, stored)
                if not direct:
                    self.scaling.apply(stored, frame, out)
                return
            stored = read_part(self.frames, frame, file, inner)
        else:
            direct = inner is None and self.scaling.direct and layout.dtype == out.dtype
            try:
                stored = self._decoded(layout, frame, file, out if direct else None)
            except (FrameDecodeError, CorruptFileError) as error:
                if not self.broken_to_nan:
                    raise
                broken.append(error)
                out[...] = np.nan
                return
            if direct and np.may_share_memory(stored, out):
                return
            if inner is not None:
                stored = outer_keeping(stored, inner)
        self.scaling.apply(stored, frame, out)

    def _decoded(self, layout: PixelLayout, frame: int, file: OpenFile, out: Array | None) -> Array:
        """Decode a stored frame; the last one that holds many slices is kept for the next slice."""
        place, held = (int(self.frames.file[frame]), int(self.frames.offset[frame])), self._held
        if held is not None and held[0] == place:
            return held[1]
        data, bit_offset, swap_offset = frame_bytes(self.frames, frame, file)
        COUNTER.frames += 1
        decoded = decode_frame(
            data,
            layout,
            raw=self.raw,
            plugin=self.plugin,
            options=self.options,
            bit_offset=bit_offset,
            swap_offset=swap_offset,
            file=self.frames.path(frame),
            frame=int(self.frames.number[frame]),
            out=out,
        )
        if layout.tile is not None:
            self._held = place, decoded
        return decoded


def _all_slices(key: tuple[Any, ...]) -> bool:
    return all(type(k) is slice for k in key)
