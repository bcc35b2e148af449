"""Neither the order of files nor names, UIDs, descriptions and dates change what is opened."""

from __future__ import annotations

import re

import numpy as np
import pytest
from peers.collections import Node, files_of, folder_of, nodes, root
from peers.pixels import digest
from peers.rewriting import disguised, shuffled

from xdicom.errors import NotDicomError

pytestmark = pytest.mark.conformance

TESTED = ("ct", "mr3d", "mr4d", "enhanced")
SAME_ATTRS = ("Modality", "SeriesNumber", "units", "dicom_dims", "dicom_scaling", "dicom_split")


@pytest.fixture
def before(collection):
    return _opened(folder_of(collection))


@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_a_list_of_files(collection, before, seed):
    base = root()
    assert base is not None
    paths = [base / path for path in files_of(collection)]
    given = [paths[i] for i in np.random.default_rng(seed).permutation(len(paths))]
    _assert_same(before, _opened(given), np.timedelta64(0, "D"), same_frames=True)


def test_names_and_folders_of_files(collection, before, tmp_path):
    shuffled(collection, tmp_path, seed=3)
    _assert_same(before, _opened(tmp_path), np.timedelta64(0, "D"), same_frames=True)


@pytest.mark.parametrize("seed", [4, 5])
def test_uids_texts_and_dates(collection, before, tmp_path, seed):
    disguise = disguised(collection, tmp_path, seed)
    shift = np.timedelta64(disguise.shift.days, "D")
    _assert_same(before, _opened(tmp_path), shift, same_frames=False)


def _opened(where):
    """Arrays and errors, in an order of their own: by content."""
    try:
        found = nodes(where, errors="warn", ragged="fill", fill_value=0)
    except NotDicomError:
        return []
    return sorted(found, key=_content)


def _content(node: Node) -> str:
    return _error(node) if node.error else digest(node.pixels.values)


def _error(node: Node) -> str:
    """An error without the names of files and UIDs."""
    return re.sub(r"\[[^]]*\]", "", node.error)


def _assert_same(before, after, shift, *, same_frames):
    assert [_content(n) for n in after] == [_content(n) for n in before]
    for old, new in zip(before, after, strict=True):
        if old.error:
            continue
        assert new.pixels.dims == old.pixels.dims
        assert new.pixels.shape == old.pixels.shape
        for name in SAME_ATTRS:
            assert new.pixels.attrs.get(name) == old.pixels.attrs.get(name), name
        if not same_frames:
            assert _identity(new).isdisjoint(_identity(old))
        assert set(new.dataset.coords) == set(old.dataset.coords)
        for name, coordinate in old.dataset.coords.items():
            other = new.dataset.coords[name]
            assert other.dims == coordinate.dims, name
            assert other.dtype == coordinate.dtype, name
            if name == "frame_id" and not same_frames:
                continue
            wanted = coordinate.values
            if wanted.dtype.kind == "M":
                wanted = wanted + shift
            np.testing.assert_array_equal(other.values, wanted, err_msg=str(name))


def _identity(node):
    """What the disguise must have changed."""
    space = node.dataset["patient_space"].attrs
    names = ("SeriesDescription", "ProtocolName")
    found = {node.dataset.attrs.get(n) for n in names} | {space.get("FrameOfReferenceUID")}
    return (found | set(node.dataset["frame_id"].values.ravel().tolist())) - {None, "", -1}
