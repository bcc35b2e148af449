"""Phantoms give back their truth."""

from __future__ import annotations

import itertools

import numpy as np
import pydicom
import pytest

from xdicom import testing


def test_phantom_study(tmp_path):
    study = testing.phantom_study(tmp_path, echo_times=(5, 15), slices=6, size=64)
    assert study.folder == tmp_path
    array = np.stack([pydicom.dcmread(path).pixel_array for path in study.paths]).reshape(
        2, 6, 64, 64
    )
    assert array.max() < 4096
    assert study.t2star.dtype == np.float32
    known = np.isfinite(study.t2star)
    assert 0.2 < known.mean() < 0.6
    assert array[0][~known].mean() < 0.2 * array[0][known].mean()
    with np.errstate(divide="ignore"):
        fitted = 10 / np.log(np.maximum(array[0], 1) / np.maximum(array[1], 1))
    corners = {10: (5, 5), 20: (5, 58), 40: (58, 5), 80: (58, 58)}
    for t2star, (row, column) in corners.items():
        assert (study.t2star[:, row, column] == t2star).all()
        near = fitted[:, row - 1 : row + 2, column - 1 : column + 2]
        assert np.median(near) == pytest.approx(t2star, rel=0.1)
    assert np.median(np.abs(fitted / study.t2star - 1)[known]) < 0.1
    header = pydicom.dcmread(study.paths[-1])
    assert (header.EchoTime, header.EchoNumbers, header.BitsStored) == (15, 2, 12)


def test_flip_angle_series(tmp_path):
    headers = [pydicom.dcmread(path) for path in testing.flip_angle_series(tmp_path)]
    assert len(headers) == 24
    assert {(ds.Columns, ds.Rows) for ds in headers} == {(128, 64)}
    triples = [(ds.FlipAngle, ds.RepetitionTime, ds.SliceLocation) for ds in headers]
    assert triples == list(itertools.product([2, 15, 30], [2.5, 5], [0, 10, 20, 30]))
