"""Vendors' private elements are where their creators say, and hold what was said."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from xdicom import testing
from xdicom.headers.csa import read_csa


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips", "uih"])
def test_blocks_are_random_and_creators_tell_them(tmp_path, vendor):
    found = set()
    for seed in range(5):
        elements = testing.vendor_elements(vendor, blocks=seed, b_value=700, direction=(0, 0, 1))
        (path,) = testing.write_series(tmp_path / str(seed), {"z": 1}, attributes=elements)
        header = pydicom.dcmread(path)
        for group, element, creator, _ in elements:
            block = header.private_block(group, creator)
            assert block[element & 0xFF].tag == (group << 16 | element)
            assert block.block_start >> 8 >= 0x10
            found.add((group, block.block_start))
    assert len(found) > len({group for group, _ in found})


def test_creators_of_one_group_have_blocks_of_their_own():
    for seed in range(200):
        elements = testing.vendor_elements("philips", blocks=seed, component="M", label="LABEL")
        assert len({element >> 8 for _, element, _, _ in elements}) == 2


def test_directions_along_the_axes_of_the_image():
    orientation = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    g = (0.1, 0.2, 0.3)
    (uih,) = testing.vendor_elements("uih", direction=g, orientation=orientation).values()
    ge = testing.vendor_elements("ge", direction=g, orientation=orientation).values()
    normal = np.cross(orientation[:3], orientation[3:])
    np.testing.assert_allclose(uih, [0.2, -0.3, normal @ g])
    np.testing.assert_allclose(list(ge), [0.2, -0.3, -normal @ g])


def test_unknown_values_are_read_by_their_bytes(tmp_path):
    elements = testing.vendor_elements("philips", vr="UN", b_value=1000.5)
    (path,) = testing.write_series(tmp_path, {"z": 1}, attributes=elements)
    element = pydicom.dcmread(path).private_block(0x2001, "Philips Imaging DD 001")[0x03]
    assert element.value in (1000.5, np.float32(1000.5).tobytes())


def test_a_creator_has_one_block_in_a_series(tmp_path):
    steps = [testing.vendor_elements("siemens", blocks=seed, b_value=0) for seed in (1, 2)]
    with pytest.raises(ValueError, match="has a block in group 0019"):
        testing.write_series(tmp_path, {"d": steps, "z": 1})


def test_what_a_vendor_does_not_say():
    with pytest.raises(ValueError, match="siemens does not say 'label', only b_value"):
        testing.vendor_elements("siemens", label="CONTROL")


def test_csa_headers():
    found = read_csa(
        testing.csa_diffusion_header(1000, (0.6, 0.0, 0.8)), ("B_value", "SliceNormalVector")
    )
    assert found == {"B_value": ("1000",), "SliceNormalVector": ("0.0", "0.0", "1.0")}
