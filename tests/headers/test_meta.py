"""The beginning of a file tells where its data set is and how it is encoded; deflate has a cap."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
import zlib

import pytest
from pydicom import uid as uids

import xdicom.headers.meta as meta
from xdicom.errors import CorruptFileError, NotDicomError, ResourceLimitError
from xdicom.headers.meta import dataset_start, file_meta, inflate, is_encapsulated
from xdicom.testing import deflate_bomb, edit, element_span, remove_preamble, write_series

ROWS = b"\x07\0"


@pytest.fixture
def path(tmp_path):
    (made,) = write_series(tmp_path, {})
    return made


def written(tmp_path, syntax):
    (made,) = write_series(tmp_path, {}, transfer_syntax=syntax)
    return made


@pytest.mark.parametrize(
    "syntax",
    [
        uids.ImplicitVRLittleEndian,
        uids.ExplicitVRLittleEndian,
        uids.ExplicitVRBigEndian,
        uids.DeflatedExplicitVRLittleEndian,
        uids.RLELossless,
    ],
)
def test_good_files_have_no_problem(tmp_path, syntax, head_of):
    path = written(tmp_path, syntax)
    head = head_of(path)
    assert head.transfer_syntax == syntax
    assert head.attributes["Rows"] == "16"
    assert head.preamble
    assert not head.problems
    found = file_meta(path)
    assert (found.transfer_syntax, found.preamble) == (syntax, True)
    assert found.media_class == head.attributes["SOPClassUID"]
    assert found.start == dataset_start(path)


def test_where_the_data_set_begins(path):
    assert dataset_start(path) == element_span(path, "ImplementationVersionName").stop
    assert path.read_bytes()[dataset_start(path) :][:2] == b"\x08\0"


@pytest.mark.parametrize(
    "syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian]
)
@pytest.mark.parametrize("keep_meta", [False, True])
def test_without_preamble(tmp_path, syntax, keep_meta, head_of):
    path = written(tmp_path, syntax)
    expected = head_of(path)
    head = head_of(remove_preamble(path, keep_meta=keep_meta))
    assert not head.preamble
    assert head.transfer_syntax == syntax
    assert {k: v for k, v in expected.attributes.items() if not k.startswith("Media")} == {
        k: v for k, v in head.attributes.items() if not k.startswith("Media")
    }
    kinds = ["NoPreamble"] if keep_meta else ["NoPreamble", "MissingTransferSyntax"]
    assert [kind for kind, _ in head.problems] == kinds
    data = path.read_bytes()
    assert data[head.pixel.offset :] == data[-head.pixel.length :]


@pytest.mark.parametrize(
    "syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian]
)
def test_without_transfer_syntax_the_elements_tell(tmp_path, syntax, head_of):
    path = edit(written(tmp_path, syntax), {"TransferSyntaxUID": None})
    head = head_of(path)
    assert head.transfer_syntax == syntax
    assert head.attributes["Rows"] == "16"
    assert [kind for kind, _ in head.problems] == ["MissingTransferSyntax"]


@pytest.mark.parametrize(
    ("true", "said"),
    [
        (uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian),
        (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian),
    ],
)
def test_elements_that_contradict_the_transfer_syntax(tmp_path, true, said, head_of):
    path = edit(written(tmp_path, true), {"TransferSyntaxUID": said})
    head = head_of(path)
    assert head.transfer_syntax == said
    assert head.attributes["Rows"] == "16"
    assert [kind for kind, _ in head.problems] == ["WrongTransferSyntax"]
    assert said in head.problems[0][1]


def test_a_private_transfer_syntax_contradicts_nothing(tmp_path, head_of):
    path = edit(
        written(tmp_path, uids.ImplicitVRLittleEndian), {"TransferSyntaxUID": "1.2.840.113619.5.2"}
    )
    assert head_of(path).attributes["Rows"] == "16"
    assert not head_of(path).problems


def test_little_endian_elements_under_a_big_endian_uid(path, head_of):
    edit(path, {"TransferSyntaxUID": uids.ExplicitVRBigEndian})
    with pytest.raises(CorruptFileError, match="not big endian"):
        head_of(path)


@pytest.mark.parametrize("cut", [133, 140, 150, 200])
def test_a_file_that_ends_in_its_meta_information(path, cut, head_of):
    data = path.read_bytes()[:cut]
    with pytest.raises(CorruptFileError):
        head_of(data)


def test_meta_information_of_absurd_length(path, head_of):
    data = bytearray(path.read_bytes())
    at = data.index(b"\x02\0\x10\0UI")
    data[at + 6 : at + 8] = b"\xff\xff"
    with pytest.raises(CorruptFileError, match="file is truncated"):
        head_of(bytes(data))


def archive(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a.dcm", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"x", "not a DICOM file"),
        (lambda data: b"This is no DICOM file.\n" * 20, "not a DICOM file"),
        (lambda data: bytes(1000), "not a DICOM file"),
        (lambda data: b"\x08\0" + b"\xff" * 300, "not a DICOM file"),
        (lambda data: b"\x08\0\x05\0" + bytes(3), "not a DICOM file"),
        (lambda data: b"\x08\0\x05\0\x05\0\0\0ABCDE" + b"\xff" * 99, "not a DICOM file"),
        (lambda data: data[:100], "not a DICOM file"),
        (gzip.compress, "compressed.*Unpack it first"),
        (archive, "compressed.*Unpack it first"),
    ],
)
def test_what_is_no_dicom(path, make, message, head_of):
    with pytest.raises(NotDicomError, match=message):
        head_of(make(path.read_bytes()))


@pytest.mark.parametrize("size", [0, 1, 50_000, 3_000_000])
def test_inflate(size):
    data = bytes(range(256)) * (size // 256 + 1)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = b"head" + deflate.compress(data[:size]) + deflate.flush()
    assert inflate(packed, 4) == data[:size]
    assert inflate(packed, 4, 1000) == data[:size][:1000]
    window = meta.inflated_window(
        meta.Window(lambda length, at: packed[at : at + length], len(packed), "p"), 4
    )
    assert window.size == size
    for start, stop in ((0, 10), (size // 2, size), (5, 60), (max(size - 9, 0), size)):
        if start < stop <= size:
            assert window.value(start, stop - start) == data[start:stop]
    with pytest.raises(CorruptFileError, match="deflated data set is broken"):
        inflate(b"\xff" * 100, 0, name="a.dcm")


def test_a_deflated_file_is_inflated_as_far_as_its_header_needs(tmp_path, head_of, monkeypatch):
    path = written(tmp_path, uids.ExplicitVRLittleEndian)
    before = head_of(path)
    deflate_bomb(path, 300_000_000)
    tracemalloc.start()
    try:
        head = head_of(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert head.attributes == before.attributes
    assert head.pixel.length == 300_000_000
    assert head.size == head.pixel.offset + 300_000_000
    assert peak < 5_000_000


def test_a_long_way_through_a_deflated_data_set(explicit, wrap, head_of):
    """Values of any size are put together once, and what is stepped over is not kept."""
    long = explicit.element(0x00091001, b"OB", bytes(30_000_000))
    name = explicit.element(0x0008103E, b"UT", b"x" * 20_000_000)
    plain = wrap(
        name + long + explicit.element(0x00280010, b"US", ROWS), uids.ExplicitVRLittleEndian
    )
    start = plain.index(b"\x08\0\x16\0")
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    head = wrap(b"", uids.DeflatedExplicitVRLittleEndian, sop_class=b"")
    data = head + deflate.compress(plain[start:]) + deflate.flush()
    found = head_of(data)
    assert found.attributes["Rows"] == "7"
    assert len(found.attributes["SeriesDescription"]) == 20_000_000


def test_a_deflate_bomb(tmp_path, head_of, monkeypatch):
    monkeypatch.setattr(meta, "MAX_INFLATED_BYTES", 10_000_000)
    path = deflate_bomb(written(tmp_path, uids.ExplicitVRLittleEndian), 20_000_000)
    assert path.stat().st_size < 50_000
    with pytest.raises(ResourceLimitError, match=r"inflates to too much.*at most 10000000 bytes"):
        head_of(path)
    with pytest.raises(ResourceLimitError, match="inflates to too much"):
        inflate(path.read_bytes(), dataset_start(path), name=str(path))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_a_deflated_file_that_is_cut_off(tmp_path, keep, head_of):
    path = written(tmp_path, uids.DeflatedExplicitVRLittleEndian)
    data, start = path.read_bytes(), dataset_start(path)
    cut = data[: start + int((len(data) - start) * keep)]
    try:
        head = head_of(cut)
    except CorruptFileError:
        return
    assert head.pixel is None or head.pixel.offset + head.pixel.length > head.size


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [
        (uids.JPEG2000Lossless, True),
        (uids.RLELossless, True),
        (uids.MPEG2MPML, True),
        (uids.HTJ2KLossless, True),
        (uids.ExplicitVRLittleEndian, False),
        (uids.ExplicitVRBigEndian, False),
        (uids.DeflatedExplicitVRLittleEndian, False),
        ("1.2.840.113619.5.2", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_is_encapsulated(syntax, expected, recwarn):
    assert is_encapsulated(syntax) is expected
    assert not len(recwarn)
