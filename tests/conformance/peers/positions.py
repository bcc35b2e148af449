"""Each frame's place by pydicom's own reading of the headers, functional groups included."""

from __future__ import annotations

import numpy as np
import pydicom

from peers.collections import files_of, pixel_truth
from peers.pixels import header
from xdicom.headers.table import frame_id


def positions_of(collection: str) -> dict[int, np.ndarray]:
    """ImagePositionPatient of each frame of a collection, by its identity, mm."""
    found = {}
    for path in files_of(collection):
        if pixel_truth(path, "rgb") is None:
            continue
        dataset = header(path)
        uid = str(dataset.get("SOPInstanceUID", ""))
        for number in range(1, int(dataset.get("NumberOfFrames", 1) or 1) + 1):
            position = _position(dataset, number)
            if position is not None:
                found[frame_id(uid, number)] = position
    return found


def _position(dataset: pydicom.Dataset, number: int) -> np.ndarray | None:
    """Of one frame: its own functional group, the shared one, or the instance (PS3.3 C.7.6.16)."""
    groups = []
    if "PerFrameFunctionalGroupsSequence" in dataset:
        groups.append(dataset.PerFrameFunctionalGroupsSequence[number - 1])
    if "SharedFunctionalGroupsSequence" in dataset:
        groups.append(dataset.SharedFunctionalGroupsSequence[0])
    for group in groups:
        if group.get("PlanePositionSequence"):
            return np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
    if dataset.get("ImagePositionPatient"):
        return np.array(dataset.ImagePositionPatient, dtype=float)
    return None
