"""Items that are laid out like one before give just the leaves that a walk of them gives."""

from __future__ import annotations

import random

import pytest
from pydicom import dcmread

from xdicom.errors import XDicomError
from xdicom.headers import groups
from xdicom.headers.parse import parse
from xdicom.headers.walk import Window
from xdicom.testing import write_enhanced

SMALL = {"rows": 2, "columns": 2}
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def frames_of(data: bytes):
    """Leaves of the frames, and problems; or the error."""
    try:
        head = parse(Window(lambda n, at: data[at : at + n], len(data), "made.dcm"))
    except XDicomError as error:
        return str(error)
    return head.frames, head.shared, head.problems


@pytest.fixture
def walked(monkeypatch):
    """Parses with every item walked."""

    def read(data: bytes):
        with monkeypatch.context() as patch:
            patch.setattr(groups._Layout, "match", lambda self, item, texts: None)
            return frames_of(data)

    return read


@pytest.fixture
def walks(monkeypatch):
    """Counts items that are walked."""
    counted = []
    walk = groups.GroupReader._walk
    monkeypatch.setattr(
        groups.GroupReader, "_walk", lambda self, item: counted.append(1) or walk(self, item)
    )
    return counted


def written(folder, syntax=EXPLICIT, undefined=False, **attributes):
    path = write_enhanced(
        folder / "e.dcm",
        {"EffectiveEchoTime": [5.0, 10.5, 115.25], "z": 12},
        transfer_syntax=syntax,
        attributes=attributes,
        **SMALL,
    )
    if undefined:
        dataset = dcmread(path)
        mark(dataset)
        dataset.save_as(path)
    return path.read_bytes()


def mark(dataset):
    """Give all sequences and items an undefined length."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                mark(item)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("undefined", [False, True])
def test_frames_laid_out_alike_are_not_walked(tmp_path, syntax, undefined, walked, walks):
    data = written(tmp_path, syntax, undefined)
    frames, shared, problems = frames_of(data)
    assert len(frames) == 36
    assert len(walks) < 18
    assert (frames, shared, problems) == walked(data)
    assert len({leaves["ImagePositionPatient"] for leaves in frames}) == 12
    assert not problems


def test_layouts_that_alternate(tmp_path, walked, walks):
    def thickness(index):
        return None if index["z"] % 3 == 0 else 2.5

    data = written(tmp_path, SliceThickness=thickness)
    found = frames_of(data)
    assert found == walked(data)
    assert sum("SliceThickness" in leaves for leaves in found[0]) in (24, 36)


def test_values_of_other_lengths(tmp_path, walked):
    data = written(tmp_path, FlipAngle=lambda index: 15.0 + index["z"])
    assert frames_of(data) == walked(data)


def test_more_layouts_than_are_kept(tmp_path, walked, monkeypatch):
    monkeypatch.setattr(groups, "_MOST_LAYOUTS", 2)
    monkeypatch.setattr(groups, "_MOST_TEXTS", 3)
    data = written(tmp_path, FlipAngle=lambda index: 10.0 ** (index["z"] % 5))
    assert frames_of(data) == walked(data)


def test_damaged_frames(tmp_path, walked):
    """A difference anywhere is seen: the same leaves, or the same error."""
    rng = random.Random(3)
    originals = [written(tmp_path, s, u) for s in (EXPLICIT, IMPLICIT) for u in (False, True)]
    differing = 0
    for number in range(400):
        data = bytearray(originals[number % 4])
        start = data.index(b"\x00\x52\x30\x92")
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(start, len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    data[at] ^= 1 << rng.randrange(8)
                case 2:
                    del data[at : at + rng.choice((1, 2, 8))]
                case 3:
                    data[at:at] = rng.randbytes(rng.choice((1, 2, 8)))
        found = frames_of(bytes(data))
        assert found == walked(bytes(data)), number
        differing += isinstance(found, str)
    assert 40 < differing < 390
