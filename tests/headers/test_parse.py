"""Heads hold what pydicom reads, of every real file that there is; and what it does not tell."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import data_store
import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from xdicom.errors import CorruptFileError, XDicomError
from xdicom.headers.elements import ALIASES, GROUP_LEAVES, MACROS, UNASSIGNED, WANTED, keyword_of
from xdicom.headers.private import KEYS
from xdicom.headers.vendor import ELEMENTS
from xdicom.headers.walk import Encoding
from xdicom.testing import (
    absurd_length,
    drop_fragments,
    duplicate_element,
    element_span,
    insert_bytes,
    truncate,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)

PACKAGES = {
    "pydicom": Path(pydicom.__file__).parent / "data",
    "pydicom-data": Path(data_store.__file__).parent,
}
NO_DICOM = {".py", ".pyc", ".json", ".txt", ".md", ".csv", ".gz", ".npy", ".dump", ".icc"}

REFUSED = {
    "rtplan_truncated.dcm": "cut within a sequence: pydicom gives a part of it without a word",
    "no_meta.dcm": "four bytes of a group 8 element and no more: no SOPClassUID, no pixels",
}
"""Files that pydicom reads and `parse` refuses, by name."""

ONLY_OURS = {
    "emri_small_jpeg_2k_lossless_too_short.dcm": "pydicom drops the whole data set, since no "
    "delimiter ends its pixel data; its header and all its items are there",
}
"""Files whose header pydicom does not read, by name."""

TWICE = {"winter.dcm": "SOPInstanceUID stands twice, with one value"}
"""Files with an element that stands twice, by name."""


def files(root: Path) -> list[Path]:
    found = (path for path in root.rglob("*") if path.suffix not in NO_DICOM)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("README"))


BUNDLED = [
    pytest.param(path, id=f"{name}/{path.relative_to(root)}")
    for name, root in PACKAGES.items()
    for path in files(root)
]


def reference(path: Path) -> Dataset | None:
    """The header as pydicom reads it; None for no DICOM."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, defer_size=10_000_000)
        except pydicom.errors.InvalidDicomError:
            found = pydicom.dcmread(path, force=True, defer_size=10_000_000)
            return found if "SOPClassUID" in found else None


def value_differs(text: str, element: DataElement) -> bool:
    """Whether a text is another value than pydicom's: numbers compared as such."""
    value = element.value
    values = value if isinstance(value, (list, MultiValue)) else [value]
    if element.VR == "AT":
        values = [f"{int(v):08x}" for v in values]
    texts = text.split("\\")
    if len(texts) != len(values):
        return True
    if element.VR in ("FL", "OF"):
        same = [np.float32(t) == np.float32(v) for t, v in zip(texts, values, strict=True)]
    elif element.VR in ("FD", "US", "SS", "UL", "SL", "UV", "SV"):
        same = [type(v)(t) == v for t, v in zip(texts, values, strict=True)]
    elif element.VR in ("DS", "IS"):
        written = [str(getattr(v, "original_string", v)).strip(" \0") for v in values]
        same = [t == w for t, w in zip(texts, written, strict=True)]
        numbers = [(t, v) for t, v in zip(texts, values, strict=True) if not isinstance(v, str)]
        same += [float(t) == float(v) for t, v in numbers]
    else:
        same = [t == str(v).strip(" \0") for t, v in zip(texts, values, strict=True)]
    return not all(same)


def leaf_differences(where: str, ours: dict[str, str], found: dict[str, DataElement]) -> list[str]:
    """Differences of attributes, by keyword; our aliases apart, which stand beside their source."""
    differences = []
    for keyword in sorted(ours.keys() | found.keys()):
        element = found.get(keyword)
        if element is None or element.is_empty:
            source = [name for name, classic in ALIASES.items() if classic == keyword]
            if keyword in ours and not any(ours.get(s) == ours[keyword] for s in source):
                differences.append(f"{where}{keyword}: only ours, {ours[keyword]!r}")
        elif keyword not in ours:
            if str(element.value).strip(" \0"):
                differences.append(f"{where}{keyword}: only pydicom's, {element.value!r}")
        elif value_differs(ours[keyword], element):
            differences.append(f"{where}{keyword}: {ours[keyword]!r} against {element.value!r}")
    return differences


def group_leaves(item: Dataset) -> dict[str, DataElement]:
    """Wanted leaves of a functional group: of the macros, and of the macros in their first item."""
    proper: dict[str, DataElement] = {}
    unassigned: dict[str, DataElement] = {}

    def walk_private(inner: Dataset, depth: int) -> None:
        proper.update(private_leaves(inner))
        for element in inner if depth else ():
            if element.tag.is_private and element.VR == "SQ" and element.value:
                walk_private(element.value[0], depth - 1)

    def walk(macro: DataElement, into: dict[str, DataElement]) -> None:
        for element in macro.value[0] if macro.value else ():
            if element.tag in MACROS:
                walk(element, into)
            elif element.tag in GROUP_LEAVES and not element.is_empty:
                into[element.keyword] = element

    walk_private(item, 2)
    for element in item:
        if element.tag in MACROS:
            walk(element, unassigned if element.tag in UNASSIGNED else proper)
    return unassigned | proper


def private_leaves(dataset: Dataset) -> dict[str, DataElement]:
    """The vendors' elements that rows hold, as pydicom finds them by their creators."""
    found = {}
    for element in ELEMENTS:
        try:
            one = dataset.private_block(element.group, element.creator)[element.low]
        except KeyError:
            continue
        if not element.part and not one.is_empty:
            found[element.name] = one
    return found


def differences(head, dataset: Dataset) -> list[str]:
    """All that a head says otherwise than pydicom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        top = {
            keyword: dataset[tag]
            for tag, keyword in WANTED.items()
            if tag not in KEYS and tag in dataset
        }
        top |= private_leaves(dataset)
        ours = {
            k: v
            for k, v in head.attributes.items()
            if k not in ("MediaStorageSOPClassUID", "xdicom_csa_diffusion")
        }
        found = leaf_differences("", ours, top)
        shared = dataset.get("SharedFunctionalGroupsSequence") or []
        expected = group_leaves(shared[0]) if len(shared) else {}
        found += leaf_differences("shared ", head.shared, expected)
        frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
        if len(frames) != len(head.frames):
            found.append(f"{len(head.frames)} groups against {len(frames)}")
        for number, (leaves, item) in enumerate(zip(head.frames, frames, strict=False), 1):
            found += leaf_differences(f"frame {number} ", leaves, group_leaves(item))
        indices = [
            keyword_of(int(item.DimensionIndexPointer))
            for item in dataset.get("DimensionIndexSequence") or []
        ]
    if [index.pointer for index in head.dimensions] != indices:
        found.append(f"dimensions {head.dimensions} against {indices}")
    for kind in ("Modality", "VOI"):
        if (f"xdicom_{kind.lower()}_lut" in head.luts) != bool(dataset.get(f"{kind}LUTSequence")):
            found.append(f"{kind} LUT: {head.luts}")
    return found + pixel_differences(head, dataset)


def pixel_differences(head, dataset: Dataset) -> list[str]:
    keywords = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    keyword = next((k for k in keywords if k in dataset), None)
    if keyword is None or head.pixel is None:
        return [] if keyword is None and head.pixel is None else [f"{keyword}, {head.pixel}"]
    element = dataset.get_item(Tag(keyword))
    length = -1 if element.length == 0xFFFFFFFF else element.length
    # pydicom gives an implicit element the choice that its dictionary leaves
    vr = "" if not element.VR or " or " in element.VR else element.VR
    expected = (keyword, element.value_tell, length, vr)
    ours = (head.pixel.keyword, head.pixel.offset, head.pixel.length, head.pixel.vr)
    return [] if ours == expected else [f"pixels {ours} against {expected}"]


def check(path: Path, head_of) -> list[str]:
    """What `parse` says otherwise than pydicom of one file; the differences meant are left out."""
    dataset = reference(path)
    try:
        head = head_of(path)
    except XDicomError as error:
        if dataset is None or path.name in REFUSED:
            return []
        return [f"refused: {error}"]
    if path.name in REFUSED:
        return ["is no longer refused"]
    if dataset is None:
        return ["no DICOM to pydicom, but read"]
    if path.name in ONLY_OURS:
        return [] if len(head.attributes) > 20 else ["is no longer read"]
    found = differences(head, dataset)
    if path.name in TWICE and not any(kind == "DuplicateElement" for kind, _ in head.problems):
        found.append("the element that stands twice is not noted")
    return found


@pytest.mark.parametrize("path", BUNDLED)
def test_bundled_files_are_read_as_pydicom_reads_them(path, head_of):
    assert check(path, head_of) == []


def test_bundled_files_are_there():
    # an empty list would pass every test above
    names = {param.values[0].name for param in BUNDLED}
    assert len(BUNDLED) > 200
    assert names > {*REFUSED, *ONLY_OURS, *TWICE} - {"no_meta.dcm"}


@pytest.mark.conformance
def test_real_files_are_read_as_pydicom_reads_them(head_of):
    root = os.environ.get("XDICOM_TEST_DATA")
    if not root:
        pytest.skip("XDICOM_TEST_DATA names no folder of real files")
    paths = files(Path(root))
    assert len(paths) > 500
    found = {str(path): check(path, head_of) for path in paths}
    assert {path: what for path, what in found.items() if what} == {}


# What heads hold, with files made for it


@pytest.fixture
def path(tmp_path):
    (made,) = write_series(tmp_path, {})
    return made


SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_each_encoding_gives_the_same_head(tmp_path, syntax, head_of):
    values = {
        "FlipAngle": 12.5,
        "PixelPaddingValue": -7,
        "PatientID": "Bär",
        "SpecificCharacterSet": "ISO_IR 192",
        "FrameIncrementPointer": 0x00181063,
        "DiffusionGradientOrientation": [0.6, 0.0, -0.8],
        "RadiopharmaceuticalInformationSequence": [{"RadionuclideHalfLife": 6586.2}],
        (0x0019, 0x10, "MAKER", "FD"): 3.25,
    }
    stored = np.zeros((4, 4), "int16")
    (path,) = write_series(
        tmp_path, {}, attributes=values, transfer_syntax=syntax, stored=lambda index: stored
    )
    head = head_of(path)
    expected = {
        "FlipAngle": "12.5",
        "PixelPaddingValue": "-7",
        "PixelRepresentation": "1",
        "PatientID": "Bär",
        "FrameIncrementPointer": "00181063",
        "DiffusionGradientOrientation": "0.6\\0.0\\-0.8",
        "Rows": "4",
    }
    assert {k: v for k, v in head.attributes.items() if k in expected} == expected
    assert differences(head, pydicom.dcmread(path, defer_size=10_000_000)) == []
    assert not head.problems


def test_functional_groups_that_repeat_and_change(tmp_path, head_of):
    path = write_enhanced(
        tmp_path / "e.dcm",
        {"EffectiveEchoTime": [5.0, 10.0], "z": 6},
        attributes={"FlipAngle": lambda index: 10.0 * (1 + index["z"] // 3)},
    )
    head = head_of(path)
    assert len(head.frames) == 12
    echoes = [float(leaves["EffectiveEchoTime"]) for leaves in head.frames]
    assert echoes == [5.0] * 6 + [10.0] * 6
    assert [leaves["EchoTime"] for leaves in head.frames] == [
        leaves["EffectiveEchoTime"] for leaves in head.frames
    ]
    assert [float(leaves["FlipAngle"]) for leaves in head.frames] == [10, 10, 10, 20, 20, 20] * 2
    assert len({leaves["ImagePositionPatient"] for leaves in head.frames}) == 6
    assert head.shared["PixelSpacing"] == "1.5\\1.25"
    assert differences(head, pydicom.dcmread(path)) == []


@pytest.mark.parametrize("undefined", [False, True])
def test_macros_are_compared_with_those_of_the_frame_before(
    undefined, explicit, implicit, head_of, wrap
):
    """Equal bytes are not read again; a difference in any place is."""
    for made, syntax in ((explicit, "1.2.840.10008.1.2.1"), (implicit, "1.2.840.10008.1.2")):
        frames = []
        for echo, last in ((5, 1), (5, 1), (5, 2), (15, 2), (5, 1), (5, 1)):
            times = made.element(0x00189082, b"FD", struct.pack("<d", echo))
            private = made.sequence(0x00211001, [made.element(0x00211002, b"DS", b"%d " % last)])
            nested = made.sequence(0x00189114, [times + private], undefined=undefined)
            content = made.element(0x00209157, b"UL", struct.pack("<L", last))
            order = made.sequence(0x00209111, [content], undefined=undefined)
            skipped = made.sequence(0x00211001, [times], undefined=undefined)
            frames.append(nested + order + skipped)
        head = head_of(wrap(made.sequence(0x52009230, frames, undefined=undefined), syntax))
        assert [f["EffectiveEchoTime"] for f in head.frames] == [
            f"{echo}.0" for echo in (5, 5, 5, 15, 5, 5)
        ]
        assert [f["DimensionIndexValues"] for f in head.frames] == list("112211")


def test_what_repeats_is_walked_once(tmp_path, head_of, monkeypatch):
    """2000 frames take a fraction of a second: elements are counted, not time."""
    path = write_enhanced(
        tmp_path / "e.dcm", {"time": 100, "z": 2}, rows=2, columns=2, shared=False
    )
    calls = []
    header = Encoding.header
    monkeypatch.setattr(Encoding, "header", lambda *args: calls.append(args[2]) or header(*args))
    head = head_of(path)
    assert len(head.frames) == 200
    item = dcmread(path).PerFrameFunctionalGroupsSequence[0]
    elements = sum(1 for _ in item.iterall())
    changing = sum(1 for _ in item.FrameContentSequence[0]) + len(item.PlanePositionSequence[0])
    assert elements > 15
    # the macros' own heads, and what is in those that change
    assert len(calls) < 200 * (len(item) + changing + 1) + 300


def test_a_macro_of_vr_un_is_little_endian(big, implicit, head_of, wrap):
    # PS3.5 6.2.2, whatever the transfer syntax
    times = implicit.element(0x00189082, b"", struct.pack("<d", 5.0))
    macro = big.sequence(0x00189114, [times], undefined=True, vr=b"UN", inside=implicit)
    head = head_of(wrap(big.sequence(0x52009229, [macro]), "1.2.840.10008.1.2.2"))
    assert head.shared == {"EffectiveEchoTime": "5.0", "EchoTime": "5.0"}


def test_only_the_macros_of_functional_groups_are_read(explicit, head_of, wrap):
    echo = explicit.element(0x00180081, b"DS", b"5 ")
    other = explicit.element(0x00180081, b"DS", b"7 ")
    uid = explicit.element(0x00080018, b"UI", b"9.9\0")
    rows = explicit.element(0x00280010, b"US", b"\1\0")
    groups = b"".join(
        (
            other,  # no macro
            explicit.sequence(0x00081140, [other]),  # no macro either
            explicit.sequence(0x00189114, [echo + uid + rows, other]),  # only the first item
            explicit.sequence(0x2005140F, [other]),  # private, with a whole header in it
            explicit.sequence(0x00209170, [other + explicit.element(0x00180050, b"DS", b"3 ")]),
        )
    )
    head = head_of(wrap(explicit.sequence(0x52009229, [groups])))
    # what converters found no place for gives way to a macro's value; identity is the instance's
    assert head.shared == {"EchoTime": "5", "SliceThickness": "3"}


def test_dimension_indices(explicit, head_of, wrap):
    def pointer(group, number):
        return explicit.element(0x00209165, b"AT", struct.pack("<HH", group, number))

    items = [pointer(0x0020, 0x9057), pointer(0x2005, 0x1001), b""]
    head = head_of(wrap(explicit.sequence(0x00209222, items)))
    assert [(d.pointer, d.private) for d in head.dimensions] == [
        ("InStackPositionNumber", False),
        ("(2005,1001)", True),
        ("", False),
    ]


@pytest.mark.parametrize(
    ("tag", "mark"), [(0x00283000, "xdicom_modality_lut"), (0x00283010, "xdicom_voi_lut")]
)
@pytest.mark.parametrize("items", [0, 1])
def test_luts_are_noted(tag, mark, items, explicit, head_of, wrap):
    body = explicit.sequence(tag, [explicit.element(0x00283003, b"LO", b"LUT ")] * items)
    assert head_of(wrap(body)).luts == (mark,) * items


@pytest.mark.parametrize("keyword", ["Rows", "PixelSpacing", "ImagePositionPatient", "HighBit"])
def test_a_decisive_element_that_stands_twice(path, keyword, head_of):
    duplicate_element(path, keyword)
    with pytest.raises(CorruptFileError, match=f"{keyword} stands twice.*correct the file"):
        head_of(path)


def test_functional_groups_that_stand_twice(tmp_path, head_of):
    path = write_enhanced(tmp_path / "e.dcm", {"z": 2})
    duplicate_element(path, "PerFrameFunctionalGroupsSequence")
    with pytest.raises(CorruptFileError, match="PerFrameFunctionalGroupsSequence stands twice"):
        head_of(path)


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"])
def test_a_uid_that_stands_twice(path, keyword, head_of):
    before = head_of(path).attributes
    duplicate_element(path, keyword)
    head = head_of(path)
    assert head.attributes == before
    assert head.problems == [("DuplicateElement", f"{keyword} stands twice; the last was used")]
    duplicate_element(path, keyword, "1.2.3")
    with pytest.raises(CorruptFileError, match=f"{keyword} stands twice"):
        head_of(path)


@pytest.mark.parametrize(("second", "found"), [("9", "9"), ("", None)])
def test_another_element_that_stands_twice(path, second, found, head_of):
    duplicate_element(path, "FlipAngle", second)
    head = head_of(path)
    assert head.attributes.get("FlipAngle") == found
    assert head.problems == [("DuplicateElement", "FlipAngle stands twice; the last was used")]


def test_elements_out_of_order_are_read(explicit, head_of, wrap):
    body = explicit.element(0x00280010, b"US", b"\7\0")
    body += explicit.element(0x00180050, b"DS", b"2 ") + explicit.element(
        0x00280011, b"US", b"\6\0"
    )
    head = head_of(wrap(body))
    found = [head.attributes[k] for k in ("Rows", "SliceThickness", "Columns")]
    assert found == ["7", "2", "6"]


@pytest.mark.parametrize("zeros", [1, 7, 8, 1000])
def test_zeros_after_an_object_without_pixels(tmp_path, zeros, head_of):
    path = write_non_image(tmp_path / "sr.dcm")
    head = head_of(path.read_bytes() + bytes(zeros))
    assert [kind for kind, _ in head.problems] == ["TrailingBytes"]
    assert head.attributes["Modality"] == "SR"


@pytest.mark.parametrize("tail", [b"x", b"\0\0\0\0\0\0\0\0\1", b"\x40\0\x30", b"\xff" * 30])
def test_other_bytes_after_an_object_without_pixels(tmp_path, tail, head_of):
    path = write_non_image(tmp_path / "sr.dcm")
    with pytest.raises(CorruptFileError):
        head_of(path.read_bytes() + tail)


def test_zeros_where_the_pixels_of_an_image_should_be(path, head_of):
    data = path.read_bytes()
    start = element_span(path, "PixelData").start
    with pytest.raises(CorruptFileError, match="something that is no element"):
        head_of(data[:start] + bytes(500))


@pytest.mark.parametrize(
    ("syntax", "fragments", "table", "counted"),
    [
        ("1.2.840.10008.1.2.5", 1, "basic", 5),  # RLE has one fragment a frame (PS3.5 A.4.2)
        ("1.2.840.10008.1.2.5", 1, "none", 5),
        ("1.2.840.10008.1.2.5", 1, "extended", 5),
        ("1.2.840.10008.1.2.4.90", 1, "basic", 5),
        ("1.2.840.10008.1.2.4.90", 3, "basic", 7),  # one of each frame, and all of the last
        ("1.2.840.10008.1.2.4.90", 3, "none", 15),
    ],
)
def test_fragments_are_counted(tmp_path, syntax, fragments, table, counted, head_of):
    path = write_multiframe(
        tmp_path / "m.dcm",
        np.arange(5 * 16 * 24, dtype="uint16").astype("uint8").reshape(5, 16, 24),
        transfer_syntax=syntax,
        offset_table=table,
        fragments_per_frame=fragments,
    )
    found = head_of(path).pixel
    assert found.fragments == counted
    assert (found.items is None) == (table != "none")
    drop_fragments(path, 2)
    assert head_of(path).pixel.fragments == counted - 2


def test_encapsulated_pixels_without_delimiter(tmp_path, head_of):
    frames = np.zeros((2, 16, 24), "uint8")
    path = write_multiframe(tmp_path / "m.dcm", frames, transfer_syntax="1.2.840.10008.1.2.5")
    head = head_of(truncate(path, bytes_off=8))
    assert head.pixel.fragments == 2
    assert [kind for kind, _ in head.problems] == ["MissingDelimiter"]


def test_encapsulated_pixels_that_are_no_items(tmp_path, head_of):
    frames = np.zeros((2, 16, 24), "uint8")
    path = write_multiframe(tmp_path / "m.dcm", frames, transfer_syntax="1.2.840.10008.1.2.5")
    insert_bytes(path, -8, b"\xfe\xff\x00\xe1\0\0\0\0")
    with pytest.raises(CorruptFileError, match=r"something else than items.*expected Item"):
        head_of(path)


@pytest.mark.parametrize("keyword", ["PatientID", "PixelSpacing", "StudyInstanceUID", "Rows"])
@pytest.mark.parametrize("syntax", list(SYNTAXES)[:3])
def test_absurd_lengths(tmp_path, keyword, syntax, head_of):
    (path,) = write_series(tmp_path, {}, transfer_syntax=SYNTAXES[syntax])
    absurd_length(path, keyword)
    with pytest.raises(CorruptFileError, match=f"{keyword} runs past the end of the file"):
        head_of(path)
