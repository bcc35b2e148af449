"""CSA headers give what was written into them, and nothing where they are damaged."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.headers.csa import read_csa
from xdicom.testing import csa_header

TAGS = {
    "EchoLinePosition": ["8"],
    "B_value": [],
    "SliceNormalVector": ["0.00000000", "-0.12360148", "0.99233194"],
    "NumberOfImagesInMosaic": ["36"],
    "MosaicRefAcqTimes": [f"{t}.5" for t in range(48)],
}
FORMS = pytest.mark.parametrize("form", [1, 2])


@FORMS
def test_values_are_those_that_were_written(form):
    found = read_csa(csa_header(TAGS, form), [*TAGS, "Missing"])
    assert found == {name: tuple(values) for name, values in TAGS.items() if values}


@FORMS
def test_only_what_is_wanted_is_kept(form):
    assert read_csa(csa_header(TAGS, form), ["B_value", "SliceNormalVector"]) == {
        "SliceNormalVector": tuple(TAGS["SliceNormalVector"])
    }


@FORMS
def test_a_last_tag_without_values(form):
    tags = {"B_value": ["1000"], "MosaicRefAcqTimes": []}
    assert read_csa(csa_header(tags, form), [*tags, "Missing"]) == {"B_value": ("1000",)}


@FORMS
def test_bytes_behind_the_last_tag_do_not_matter(form):
    assert read_csa(csa_header(TAGS, form) + b"\0\0\0\xff", TAGS) == read_csa(
        csa_header(TAGS, form), TAGS
    )


@FORMS
@pytest.mark.parametrize("keep", [0, 3, 9, 15, 16, 60, 100, 150, 200])
def test_a_header_that_is_cut_off_gives_nothing(form, keep):
    assert read_csa(csa_header(TAGS, form)[:keep], ["NumberOfImagesInMosaic"]) is None


def test_what_is_damaged_behind_the_wanted_tags_is_not_read():
    data = csa_header(TAGS)
    assert read_csa(data[:-200], ["NumberOfImagesInMosaic"]) == {"NumberOfImagesInMosaic": ("36",)}
    assert read_csa(data[:-200], ["MosaicRefAcqTimes"]) is None


@pytest.mark.parametrize("count", [-1, -(2**31), 2**31 - 1, 10**6])
@FORMS
def test_counts_are_not_trusted(form, count):
    data = bytearray(csa_header(TAGS, form))
    start = 16 if form == 2 else 8
    struct.pack_into("<i", data, start + 64 + 12, count)  # items of the first tag
    assert not read_csa(bytes(data), TAGS)
    data = bytearray(csa_header(TAGS, form))
    struct.pack_into("<I", data, start - 8, 2**32 - 1)  # tags
    assert read_csa(bytes(data), [*TAGS, "Missing"]) is None


def test_a_length_beyond_the_end_is_damage():
    data = bytearray(csa_header({"B_value": ["1000"], **TAGS}))
    struct.pack_into("<i", data, 16 + 84 + 4, 2**30)
    assert read_csa(bytes(data), ["B_value"]) is None


@FORMS
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_never_raise(form, data):
    made = bytearray(csa_header(TAGS, form))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 20))):
        made[rng.integers(len(made))] = rng.integers(256)
    found = read_csa(bytes(made[: data.draw(st.integers(0, len(made)))]), TAGS)
    assert found is None or set(found) <= set(TAGS)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_never_raise(raw, second):
    found = read_csa(b"SV10" * second + raw, TAGS)
    assert found is None or set(found) <= set(TAGS)
