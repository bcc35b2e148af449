"""Every frame's stored values are those that pydicom decodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from peers.collections import cells, files_of, folder_of, nodes, pixel_truth, root
from peers.meant import MOSAICS, NO_ARRAY
from peers.pixels import (
    ALSO_READ,
    LOSSY,
    REFUSED,
    Outcome,
    assembled,
    check_file,
    decoders_of,
    digest,
    header,
)

from xdicom.headers.table import frame_id
from xdicom.pixels.array import COUNTER

_MOST_TILES = 200

pytestmark = pytest.mark.conformance


@pytest.mark.parametrize("color", ["rgb", "raw"])
def test_each_file_alone(collection, color):
    outcome = Outcome()
    for path in files_of(collection):
        outcome.add(check_file(path, color))
    assert outcome.differences == []


def test_imagecodecs_alone(collection):
    """What decodes where pydicom has no plug-in gives what pydicom's plug-ins give."""
    outcome = Outcome()
    for path in files_of(collection):
        if path not in REFUSED and "imagecodecs" in decoders_of(path):
            outcome.add(check_file(path, "raw", decoder="imagecodecs"))
    assert outcome.differences == []


def test_listed_exceptions_exist():
    base = root()
    assert base is not None
    assert [p for p in (*REFUSED, *ALSO_READ) if not (base / p).is_file()] == []


def test_single_frames_in_random_order(collection):
    """Each frame of the opened series, one at a time: found by its identity, read alone."""
    wanted = _frames_of(collection)
    unread = {frame.path for same in wanted.values() for frame in same}
    rng = np.random.default_rng(7)
    wrong = []
    tiles: dict[str, dict[int, np.ndarray]] = {}
    found = nodes(folder_of(collection)) if wanted else []
    for node in found:
        if node.error:
            continue
        places = list(cells(node.pixels))
        uids = node.pixels.dicom.values("SOPInstanceUID")
        for place in (places[i] for i in rng.permutation(len(places))):
            one = node.pixels.isel(place)
            COUNTER.reset()
            values = one.values
            assert COUNTER.frames == 1
            same = wanted.get(int(one["frame_id"]), []) or wanted.get(_path_of(one), [])
            for frame in same:
                if frame.tile:
                    tiles.setdefault(frame.path, {})[frame.tile] = values.astype(frame.dtype)
                    continue
                assert str(uids.isel(place).values) == frame.uid
                unread.discard(frame.path)
                if digest(values.astype(frame.dtype)) != frame.digest and not frame.lossy:
                    wrong.append((frame.path, place))
    for path, slices in tiles.items():
        whole = assembled(np.stack([slices[n] for n in sorted(slices)]), header(path))
        if digest(whole) == pixel_truth(path, "rgb").digests[0]:
            unread.discard(path)
    assert wrong == []
    kind, count, _ = NO_ARRAY.get(collection, ("", 0, ""))
    assert len(unread) == count
    assert not count or any(node.error.startswith(kind) for node in found)


@dataclass(frozen=True)
class _Frame:
    path: str
    uid: str
    dtype: np.dtype
    digest: str
    lossy: bool
    tile: int = 0


def _frames_of(collection):
    """What pydicom says of each frame: by its identity, or by its path if it has no UID."""
    found = {}
    for path in files_of(collection):
        truth = pixel_truth(path, "rgb")
        if truth is None or truth.error:
            continue
        head = header(path)
        uid = str(head.get("SOPInstanceUID", ""))
        lossy = head.file_meta.get("TransferSyntaxUID") in LOSSY
        for n, one in enumerate(truth.digests, 1):
            key = frame_id(uid, n) if uid else path
            found.setdefault(key, []).append(_Frame(path, uid, truth.dtype, one, lossy))
        for n in range(1, _MOST_TILES * (collection in MOSAICS)):
            found[frame_id(uid, 1, n)] = [_Frame(path, uid, truth.dtype, "", lossy, n)]
    return found


def _path_of(frame):
    base = root()
    assert base is not None
    return Path(frame.dicom.header().filename).relative_to(base).as_posix()
