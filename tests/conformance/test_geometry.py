"""Every affine and grid agrees with dcm2niix, and with SimpleITK where that is to be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from peers.agreement import compare_with_dcm2niix, compare_with_itk, is_placed, opened
from peers.collections import cells, collections, conversion
from peers.meant import MEANT, MOSAICS, VALUES
from peers.placement import TOLERANCE, points
from peers.positions import positions_of

pytestmark = pytest.mark.conformance


def test_agrees_with_dcm2niix(collection):
    if collection in MEANT:
        MEANT[collection].check(collection)
        return
    found = compare_with_dcm2niix(collection)
    assert found.differences == []
    assert found.worst <= TOLERANCE


def test_agrees_with_itk(collection):
    assert compare_with_itk(collection).differences == []


def test_each_frame_lies_where_its_header_says(collection):
    """By pydicom's reading; 0.01 mm is what may count as one slice (SPEC §2.1)."""
    wanted = positions_of(collection)
    for node, _ in opened(collection):
        if node.error or not is_placed(node.pixels):
            continue
        array = node.pixels
        for place in cells(array):
            number = int(array["frame_id"].isel(place))
            if number < 0:
                continue
            if collection in MOSAICS:  # whose slices dcm2niix places
                assert number not in wanted
                continue
            off = points(array, 0, 0, place["z"]) - wanted[number]
            assert np.linalg.norm(off) <= 0.01, place


def test_holes_hold_nothing(collection):
    """Where ``ragged="fill"`` puts no frame, no attribute has a value (SPEC §2.3)."""
    for node, scaled in opened(collection):
        if node.error or "frame_present" not in node.pixels.coords:
            continue
        holes = ~node.pixels["frame_present"]
        assert bool((node.pixels["frame_id"] == -1).where(holes, other=True).all())
        assert scaled is None or bool(np.isnan(scaled).all(("y", "x")).where(holes, True).all())
        for name, coordinate in node.pixels.coords.items():
            if coordinate.dims == holes.dims and name not in ("frame_id", "frame_present"):
                assert bool(coordinate.isnull().where(holes, other=True).all()), name


def test_meant_differences_are_few():
    assert len(MEANT) <= 3
    assert set(MEANT) <= set(collections())


def test_listed_values_exist():
    """A name that no image has any more would hide a difference."""
    names = {n.name for c in collections() for n in conversion(c).niftis}
    assert set(VALUES) <= names
