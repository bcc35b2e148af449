"""Bad input through the public face: the right error, which says what, where and what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import random
import re
import warnings

import numpy as np
import pytest
import xarray as xr

import xdicom
import xdicom.headers.meta as meta
from xdicom.errors import ExcludedFileWarning, IrregularSpacingWarning, SkippedSeriesWarning
from xdicom.opening.options import OPTION_NAMES
from xdicom.testing import (
    absurd_length,
    deflate_bomb,
    drop_fragments,
    duplicate_element,
    edit,
    element_span,
    excess_pixels,
    nest_sequences,
    overwrite_bytes,
    pack_file,
    remove_preamble,
    shift_offset_table,
    text_file,
    truncate,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)

RLE = "1.2.840.10008.1.2.5"


def dataset(where, **options):
    return xr.open_dataset(where, engine="dicom", **options)


def first_of_tree(where, **options):
    tree = xr.open_datatree(where, engine="dicom", **options)
    return next(node.to_dataset() for node in tree.subtree if "pixels" in node.data_vars)


FACES = {"open_series": xdicom.open_series, "open_dataset": dataset}
ALL_FACES = {**FACES, "open_datatree": first_of_tree}


@pytest.fixture(params=FACES)
def face(request):
    return FACES[request.param]


@pytest.fixture(params=ALL_FACES)
def any_face(request):
    return ALL_FACES[request.param]


@pytest.fixture
def folder(tmp_path):
    """A good series of four slices."""
    write_series(tmp_path / "study", {"z": 4}, rows=6, columns=8)
    return tmp_path / "study"


@pytest.fixture
def path(folder):
    """One file of it, the second slice."""
    return folder / "IM00002.dcm"


def values_of(found):
    return found.values if isinstance(found, xr.DataArray) else found["pixels"].values


def left_out(found):
    """Kinds and files of the problems for which files were left out."""
    listed = found.dicom.problems
    listed = listed[listed["excluded"]]
    return list(zip(listed["kind"], listed["file"], strict=True))


def kinds(found):
    """Kinds of the problems with files, not with the grid that they make."""
    listed = found.dicom.problems
    return listed[listed["file"] != ""]["kind"].tolist()


class TestPlaces:
    def test_nothing_there(self, any_face, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"gone"):
            any_face(tmp_path / "gone")
        with pytest.raises(FileNotFoundError, match=r"gone"):
            any_face(str(tmp_path / "gone" / "a.dcm"))

    def test_one_of_a_list_is_not_there(self, folder):
        with pytest.raises(FileNotFoundError, match=r"gone"):
            xdicom.open_series([folder / "IM00001.dcm", folder / "gone.dcm"])

    def test_an_empty_folder(self, any_face, tmp_path):
        with pytest.raises(xdicom.NotDicomError) as caught:
            any_face(tmp_path)
        assert caught.value.file == str(tmp_path)
        assert "no file" in str(caught.value)

    def test_a_folder_without_dicom(self, any_face, tmp_path):
        for name in ("a.txt", "b.dcm"):
            text_file(tmp_path / name)
        with pytest.raises(xdicom.NotDicomError, match=r"2 other files \(a\.txt: .*b\.dcm: "):
            any_face(tmp_path)

    @pytest.mark.parametrize("where", [5, None, b"bytes", object()])
    def test_no_path(self, where):
        with pytest.raises(TypeError, match="expected a path"):
            xdicom.open_series(where)

    def test_an_empty_list(self):
        with pytest.raises(xdicom.NotDicomError, match="no file"):
            xdicom.open_series([])


FILES = {
    "text": (text_file, "NotDicomError", "not a DICOM file"),
    "empty": (lambda p: text_file(p, ""), "NotDicomError", "the file is empty"),
    "gzip": (pack_file, "NotDicomError", "compressed.*Unpack it first"),
    "zip": (lambda p: pack_file(p, "zip"), "NotDicomError", "compressed.*Unpack it first"),
    "preamble only": (lambda p: truncate(p, keep=132), "CorruptFileError", "no SOPClassUID"),
    "cut in the header": (lambda p: truncate(p, keep=700), "CorruptFileError", "truncated"),
    "cut in the pixels": (
        lambda p: truncate(p, bytes_off=1),
        "CorruptFileError",
        "expected 96 bytes for 1 frames; found 95",
    ),
    "absurd length": (
        lambda p: absurd_length(p, "PatientName"),
        "CorruptFileError",
        "PatientName runs past the end of the file.*copy it again",
    ),
    "deep": (lambda p: nest_sequences(p, 33), "CorruptFileError", "nested.*at most 32 levels"),
    "two Rows": (
        lambda p: duplicate_element(p, "Rows", 7),
        "CorruptFileError",
        "Rows stands twice",
    ),
    "a frame too much": (
        lambda p: excess_pixels(p, 96),
        "InconsistentSeriesError",
        'found 192.*trust="length" takes',
    ),
    "no Columns": (
        lambda p: edit(p, {"Columns": None}),
        "MissingAttributeError",
        "Columns is missing.*expected an integer.*found nothing",
    ),
    "no Photometric": (
        lambda p: edit(p, {"PhotometricInterpretation": None}),
        "MissingAttributeError",
        "PhotometricInterpretation is missing",
    ),
    "a huge frame": (
        lambda p: edit(p, {"Rows": 65535, "Columns": 65535}),
        "ResourceLimitError",
        "one frame is absurdly large.*expected at most 2147483648 bytes; found",
    ),
    "bomb": (
        lambda p: deflate_bomb(p, 20_000_000),
        "ResourceLimitError",
        "inflates to too much.*at most 10000000 bytes",
    ),
}


@pytest.fixture(params=FILES)
def bad(request, path, monkeypatch):
    """A file broken in one way, and the error that says so."""
    monkeypatch.setattr(meta, "MAX_INFLATED_BYTES", 10_000_000)  # 1 GiB takes its time
    damage, error, message = FILES[request.param]
    damage(path)
    return path, getattr(xdicom, error), message


class TestBadFiles:
    def test_named_it_is_an_error(self, face, bad):
        path, error, message = bad
        with pytest.raises(error, match=f"(?s){message}") as caught:
            face(path)
        assert caught.value.file == str(path)
        assert str(path) in str(caught.value)

    def test_among_good_ones_it_loses_none_of_them(self, face, bad, folder):
        path, error, _ = bad
        if error is xdicom.ResourceLimitError:  # always raised
            with pytest.raises(error):
                face(folder)
            return
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = face(folder)
        categories = [w.category for w in caught]
        # text and archives lie in many folders
        expected = [] if error is xdicom.NotDicomError else [ExcludedFileWarning]
        assert [c for c in categories if c is ExcludedFileWarning] == expected
        assert IrregularSpacingWarning in categories  # a slice is missing
        assert found.sizes["z"] == 3
        assert np.isfinite(values_of(found)).all()
        assert left_out(found) == [(error.__name__.removesuffix("Error"), path.name)]

    def test_in_a_tree_it_loses_nothing(self, bad, folder):
        path, _, _ = bad
        write_series(folder / "other", {"z": 2}, seed=1, series_number=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = xr.open_datatree(folder, engine="dicom")
        sizes = sorted(n.sizes["z"] for n in tree.subtree if "pixels" in n.data_vars)
        assert sizes == [2, 3]
        assert path.name in tree.dicom.problems["file"].tolist()

    def test_errors_raise(self, face, bad, folder):
        _, error, message = bad
        if error is xdicom.NotDicomError:
            return  # a folder may hold anything
        with pytest.raises(error, match=f"(?s){message}"):
            face(folder, errors="raise")

    def test_errors_ignore(self, bad, folder):
        path, error, _ = bad
        if error is xdicom.ResourceLimitError:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("error", ExcludedFileWarning)
            warnings.simplefilter("ignore", IrregularSpacingWarning)
            found = xdicom.open_series(folder, errors="ignore")
        assert left_out(found) == [(error.__name__.removesuffix("Error"), path.name)]

    def test_the_error_travels(self, bad):
        path, error, _ = bad
        with pytest.raises(error) as caught:
            xdicom.open_series(path)
        again = pickle.loads(pickle.dumps(caught.value))
        assert str(again) == str(caught.value)
        assert again.file == str(path)


class TestAccepted:
    def test_a_file_without_preamble(self, face, path):
        before = values_of(face(path))
        found = face(remove_preamble(path))
        assert kinds(found) == ["NoPreamble", "MissingTransferSyntax"]
        np.testing.assert_array_equal(values_of(found), before)

    def test_excess_bytes(self, face, path):
        before = values_of(face(path))
        found = face(excess_pixels(path, 10))
        assert kinds(found) == ["ExcessBytes"]
        np.testing.assert_array_equal(values_of(found), before)

    def test_more_frames_than_none_declared(self, path):
        excess_pixels(path, 2 * 96)
        found = xdicom.open_series(path, trust="length", mask_and_scale=False)
        assert found.squeeze().shape == (3, 6, 8)
        assert found.squeeze().values[1:].tobytes() == b"\x55" * 192

    @pytest.mark.parametrize("text", ["0", "x"])
    def test_an_invalid_number_of_frames(self, path, text):
        found = xdicom.open_series(edit(path, {"NumberOfFrames": text.encode()}))
        assert kinds(found) == ["InvalidValue"]
        assert found.sizes["z"] == 1

    def test_frames_that_are_wholly_there(self, tmp_path):
        frames = np.arange(5 * 48, dtype="uint16").reshape(5, 6, 8)
        path = write_multiframe(tmp_path / "cine.dcm", frames, frame_time=40)
        truncate(path, bytes_off=3)
        with pytest.raises(xdicom.CorruptFileError, match="allow_truncated=True reads"):
            xdicom.open_series(path)
        found = xdicom.open_series(path, allow_truncated=True, mask_and_scale=False)
        np.testing.assert_array_equal(found.values, frames[:4])
        assert kinds(found) == ["TruncatedPixelData"]

    def test_an_unknown_character_set(self, path):
        values = {"SpecificCharacterSet": "ISO_IR 999", "SeriesDescription": b"B\xe4r"}
        found = xdicom.open_series(edit(path, values))
        assert found.attrs["SeriesDescription"] == "Bär"
        assert kinds(found) == ["UnknownCharacterSet"]

    def test_an_attribute_that_is_no_number(self, folder, path):
        edit(path, {"EchoTime": b"1,5 "})
        found = xdicom.open_series(folder)
        assert kinds(found) == ["InvalidValue"]
        echo = found.dicom.values("EchoTime").values
        assert np.isnan(echo).tolist() == [False, True, False, False]

    @pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID"])
    def test_missing_uids(self, folder, keyword):
        for each in folder.iterdir():
            edit(each, {keyword: None})
        found = xdicom.open_series(folder)
        assert found.sizes["z"] == 4
        assert len(set(found["frame_id"].values.tolist())) == 4
        assert set(kinds(found)) == {"MissingUID"}


class TestSeveralSeries:
    @pytest.fixture
    def study(self, tmp_path):
        """Three series, one of them of two arrays, and a report."""
        write_series(tmp_path, {"z": 3}, rows=6, columns=8, name="a{}",
                     attributes={"SeriesDescription": "T1 axial"})  # fmt: skip
        write_series(tmp_path, {"z": 2}, rows=6, columns=8, name="b{}", series_number=2,
                     attributes={"SeriesDescription": "T2 [axial]"})  # fmt: skip
        for size, name in ((6, "c{}"), (4, "d{}")):
            write_series(tmp_path, {"z": 2}, rows=size, columns=8, name=name, series_number=3,
                         seed=size, series_uid="1.2.3", study_uid="1.2",
                         frame_of_reference_uid="1.2.4")  # fmt: skip
        write_non_image(tmp_path / "report", series_number=9)
        return tmp_path

    def message(self, face, where, **options):
        with pytest.raises(xdicom.AmbiguousSeriesError) as caught:
            face(where, **options)
        assert caught.value.file == str(where)
        return str(caught.value)

    def test_all_are_listed(self, face, study):
        message = self.message(face, study)
        assert "4 arrays match where one is asked for" in message
        for part in ("T1-axial", "z 3, y 6, x 8", "y 4, x 8", "UID 1.2.3", "MR", "Rows=4", "SR"):
            assert part in message
        assert "xr.open_datatree" in message

    def test_picking_as_the_message_says_works(self, face, study):
        lines = [line for line in self.message(face, study).splitlines() if "  series=" in line]
        assert len(lines) == 5
        shapes = []
        for line in lines:
            if "SR" in line:
                continue
            how = re.search(r'(series=\S+?(?:, array="\w+")?)  UID', line)[1]
            found = face(study, **eval(f"dict({how})"))
            pixels = found if isinstance(found, xr.DataArray) else found["pixels"]
            shape = re.search(r"\((.*?)\)", line)[1]
            assert shape == ", ".join(f"{d} {n}" for d, n in pixels.sizes.items())
            shapes.append(pixels.shape)
        assert sorted(shapes) == [(2, 4, 8), (2, 6, 8), (2, 6, 8), (3, 6, 8)]

    @pytest.mark.parametrize(
        ("series", "z"), [(1, 3), ("1", 3), (2, 2), ("T1*", 3), ("*axial", 3), ("1-T1-axial", 3)]
    )
    def test_ways_to_name_one(self, face, study, series, z):
        found = face(study, series=series)
        assert found.sizes["z"] == z

    def test_several_match(self, face, study):
        assert "2 arrays match" in self.message(face, study, series="T*")
        assert "2 arrays match" in self.message(face, study, series=3)

    @pytest.mark.parametrize("series", [7, "nothing*", "1.2.840.999"])
    def test_none_matches(self, face, study, series):
        message = self.message(face, study, series=series)
        assert "no series matches" in message
        assert "1-T1-axial" in message

    def test_shapes_are_never_mixed(self, study):
        for array, rows in (("a0", 6), ("a1", 4)):
            found = xdicom.open_series(study, series=3, array=array)
            assert found.sizes["y"] in (4, 6)
            assert found.sizes == {"z": 2, "y": found.sizes["y"], "x": 8}, rows
        tree = xr.open_datatree(study, engine="dicom")
        assert sorted(n.sizes["y"] for n in tree.subtree if "pixels" in n.data_vars) == [4, 6, 6, 6]

    def test_only_objects_without_pixels(self, tmp_path, face):
        write_non_image(tmp_path / "sr.dcm")
        with pytest.raises(xdicom.XDicomError, match="no pixels"):
            face(tmp_path)


class TestDuplicates:
    def test_identical_files(self, face, folder, path):
        (folder / "copy.dcm").write_bytes(path.read_bytes())
        found = face(folder)
        assert found.sizes["z"] == 4
        assert kinds(found) == ["DuplicateFile"]

    def test_different_files(self, face, folder, path):
        (folder / "copy.dcm").write_bytes(path.read_bytes())
        edit(folder / "copy.dcm", {"EchoTime": 99.0})
        with pytest.warns(IrregularSpacingWarning):
            assert face(folder, array="a0").sizes["z"] == 3  # the others go on
        with pytest.raises(xdicom.DuplicateInstanceError, match=r"IM00002\.dcm.*copy\.dcm"):
            face(folder, array="a1")
        with pytest.warns(SkippedSeriesWarning), pytest.warns(IrregularSpacingWarning):
            tree = xr.open_datatree(folder, engine="dicom")
        errors = [n.attrs["dicom_error"] for n in tree.subtree if "dicom_error" in n.attrs]
        assert len(errors) == 1
        assert "DuplicateInstanceError" in errors[0]


class TestAfterOpening:
    """What a lazy array finds when it reads."""

    @pytest.fixture(params=[None, {}])
    def opened(self, request, face, folder):
        found = face(folder, chunks=request.param)
        return found if isinstance(found, xr.DataArray) else found["pixels"]

    def test_a_file_of_another_size(self, opened, path):
        truncate(path, bytes_off=2)
        with pytest.raises(
            xdicom.CorruptFileError, match=r"changed since it was indexed.*Open it again"
        ) as caught:
            opened.load()
        assert caught.value.file == str(path)

    def test_a_file_of_another_time(self, opened, path):
        stat = os.stat(path)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
        with pytest.raises(xdicom.CorruptFileError, match="changed since it was indexed"):
            opened.load()

    def test_the_other_files_are_read_all_the_same(self, opened, path):
        before = opened.isel(z=[0, 2, 3]).values
        truncate(path, bytes_off=2)
        np.testing.assert_array_equal(opened.isel(z=[0, 2, 3]).values, before)

    def test_a_file_that_is_gone(self, opened, path):
        path.unlink()
        with pytest.raises((FileNotFoundError, xdicom.CorruptFileError), match=r"IM00002"):
            opened.load()

    def test_a_file_that_may_no_longer_be_read(self, opened, path, monkeypatch):
        real = os.open

        def denied(where, *args, **options):
            if os.fspath(where) == str(path):
                raise PermissionError(errno.EACCES, "Permission denied", where)
            return real(where, *args, **options)

        monkeypatch.setattr(os, "open", denied)
        with pytest.raises(PermissionError, match=r"IM00002"):
            opened.load()

    def test_headers(self, opened, path):
        truncate(path, bytes_off=2)
        with pytest.raises(xdicom.CorruptFileError, match="changed since it was indexed"):
            opened.dicom.header(z=1)
        path.unlink()
        with pytest.raises(xdicom.HeadersUnavailableError, match="source="):
            opened.dicom.header(z=1)
        assert opened.dicom.header(z=0).Rows == 6


class TestEncapsulated:
    @pytest.fixture
    def series(self, tmp_path):
        write_series(tmp_path, {"z": 3}, rows=6, columns=8, transfer_syntax=RLE)
        return tmp_path

    def test_cut_off(self, series):
        truncate(series / "IM00003.dcm", bytes_off=20)
        with pytest.raises(xdicom.CorruptFileError, match="cut off"):
            xdicom.open_series(series / "IM00003.dcm")
        with pytest.warns(ExcludedFileWarning, match=r"IM00003\.dcm.*cut off"):
            found = xdicom.open_series(series)
        assert found.load().sizes["z"] == 2

    def test_fewer_fragments_than_frames(self, tmp_path):
        frames = np.zeros((4, 6, 8), "uint8")
        path = write_multiframe(tmp_path / "m.dcm", frames, transfer_syntax=RLE)
        drop_fragments(path, 1)
        with pytest.raises(xdicom.CorruptFileError, match="expected at least 4; found 3"):
            xdicom.open_series(path)

    @pytest.mark.parametrize("table", ["basic", "extended"])
    def test_a_wrong_offset_table(self, any_face, tmp_path, table):
        frames = np.arange(4 * 48, dtype="uint8").reshape(4, 6, 8)
        path = write_multiframe(tmp_path / "m.dcm", frames, transfer_syntax=RLE, offset_table=table)
        found = any_face(shift_offset_table(path), mask_and_scale=False)
        np.testing.assert_array_equal(values_of(found), frames)
        assert kinds(found) == ["WrongOffsetTable"]
        assert found.dicom.problems["file"].tolist() == ["m.dcm"]
        assert "WrongOffsetTable: m.dcm: " in str(found.dicom.explain())

    def test_fragments_that_cannot_be_told_apart(self, face, tmp_path):
        frames = np.zeros((4, 6, 8), "uint8")
        path = write_multiframe(
            tmp_path / "m.dcm", frames, transfer_syntax=RLE, offset_table="none",
            fragments_per_frame=2,
        )  # fmt: skip
        with pytest.raises(
            xdicom.FrameDecodeError, match=r"no usable offset table.*4 frames; found 8 fragments"
        ) as caught:
            face(path)
        assert caught.value.file == str(path)

    def test_a_syntax_that_nobody_decodes(self, series):
        for path in series.iterdir():
            edit(path, {"TransferSyntaxUID": "1.2.840.10008.1.2.4.102"})
        with pytest.raises(xdicom.UnsupportedTransferSyntaxError, match=r"IM00001|4\.102"):
            xdicom.open_series(series)
        with pytest.warns(SkippedSeriesWarning):
            tree = xr.open_datatree(series, engine="dicom")
        errors = [n.attrs["dicom_error"] for n in tree.subtree if "dicom_error" in n.attrs]
        assert "UnsupportedTransferSyntaxError" in errors[0]

    def test_a_frame_that_cannot_be_decoded(self, series):
        span = element_span(series / "IM00002.dcm", "PixelData")
        overwrite_bytes(series / "IM00002.dcm", span.value + 20, b"\xff" * 30)
        found = xdicom.open_series(series)
        with pytest.raises(xdicom.FrameDecodeError) as caught:
            found.load()
        assert caught.value.file.endswith("IM00002.dcm")
        assert caught.value.frame == 1


class TestGeometry:
    @pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient"])
    def test_missing(self, face, folder, keyword):
        for each in folder.iterdir():
            edit(each, {keyword: None, "SliceLocation": None})
        found = face(folder)
        pixels = found if isinstance(found, xr.DataArray) else found["pixels"]
        assert pixels.shape == (4, 6, 8)
        assert "z" not in pixels.dims
        with pytest.raises(xdicom.GeometryError):
            found.dicom.affine  # noqa: B018

    @pytest.mark.parametrize(
        ("keyword", "text"),
        [
            ("ImagePositionPatient", b"1\\2\\x"),
            ("ImagePositionPatient", b"1\\2"),
            ("ImagePositionPatient", b"1,5\\2\\3"),
            ("ImagePositionPatient", b"nan\\2\\3"),
            ("ImageOrientationPatient", b"1\\0\\0\\0\\1"),
            ("PixelSpacing", b"1.5\\"),
        ],
    )
    def test_invalid_text(self, face, folder, path, keyword, text):
        edit(path, {keyword: text})
        where = path if keyword == "PixelSpacing" else folder
        with pytest.raises(xdicom.GeometryError, match=f"{keyword} is invalid") as caught:
            face(where)
        assert caught.value.file == str(path)
        assert text.decode().replace("\\", "\\\\") in str(caught.value)

    def test_cosines_that_are_none(self, face, folder):
        for each in folder.iterdir():
            edit(each, {"ImageOrientationPatient": ["1", "0", "0", "0.5", "1", "0"]})
        with pytest.raises(xdicom.GeometryError, match="orthogonal"):
            face(folder)


class TestRescale:
    @pytest.mark.parametrize("text", [b"0", b"nan", b"x", b"1,5", b"1\\1"])
    def test_invalid_slope(self, face, folder, path, text):
        for each in folder.iterdir():
            edit(each, {"RescaleSlope": "2", "RescaleIntercept": "1"})
        edit(path, {"RescaleSlope": text})
        with pytest.raises(
            xdicom.MissingAttributeError, match=r'RescaleSlope is invalid.*scaling="stored"'
        ) as caught:
            face(folder)
        assert caught.value.file == str(path)
        assert face(folder, scaling="stored").sizes["z"] == 4
        assert face(folder, mask_and_scale=False).sizes["z"] == 4

    def test_invalid_intercept(self, folder, path):
        edit(path, {"RescaleSlope": "2", "RescaleIntercept": b"none"})
        with pytest.raises(xdicom.MissingAttributeError, match="RescaleIntercept is invalid"):
            xdicom.open_series(folder)

    @pytest.mark.parametrize(
        ("values", "slope", "intercept"),
        [
            ({"RescaleSlope": "2"}, 2, 0),
            ({"RescaleIntercept": "-5"}, 1, -5),
            ({}, 1, 0),
        ],
    )
    def test_missing(self, folder, values, slope, intercept):
        for each in folder.iterdir():
            edit(each, values)
        stored = xdicom.open_series(folder, mask_and_scale=False).values.astype(float)
        np.testing.assert_array_equal(xdicom.open_series(folder).values, stored * slope + intercept)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "near"),
        [
            ("raged", "ragged"),
            ("serie", "series"),
            ("scalling", "scaling"),
            ("allow_truncate", "allow_truncated"),
            ("colour", "color"),
        ],
    )
    def test_unknown_ones_name_their_neighbours(self, any_face, folder, option, near):
        with pytest.raises(TypeError, match=f"'{option}'.*'{near}'"):
            any_face(folder, **{option: 1})

    def test_unlike_any_they_name_all(self, folder):
        with pytest.raises(TypeError) as caught:
            xdicom.open_series(folder, xyzzy=1)
        assert all(name in str(caught.value) for name in OPTION_NAMES)

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("archives", True),
        ],
    )
    def test_values_of_later_versions(self, any_face, folder, option, value):
        with pytest.raises(xdicom.UnsupportedOptionError, match=f"{option}=.*not available"):
            any_face(folder, **{option: value})

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("ragged", "maybe"),
            ("scaling", "half"),
            ("color", "blue"),
            ("decode_errors", "skip"),
            ("errors", "loud"),
            ("trust", "everything"),
            ("dims", "z"),
            ("coords", "some"),
        ],
    )
    def test_values_that_there_are_not(self, any_face, folder, option, value):
        with pytest.raises(ValueError, match=option):
            any_face(folder, **{option: value})

    def test_values_that_contradict_each_other(self, any_face, folder):
        with pytest.raises(ValueError, match="mask_and_scale=False asks for stored values"):
            any_face(folder, mask_and_scale=False, scaling="modality")


class TestUnreadable:
    """Simulated: a test that runs as root may read everything."""

    @pytest.fixture
    def deny(self, monkeypatch):
        def denied(part):
            real = os.open

            def opened(where, *args, **options):
                if part in os.fspath(where):
                    raise PermissionError(errno.EACCES, "Permission denied", where)
                return real(where, *args, **options)

            monkeypatch.setattr(os, "open", opened)

        return denied

    def test_a_file_of_a_folder(self, face, folder, deny):
        deny("IM00002")
        with (
            pytest.warns(ExcludedFileWarning, match=r"IM00002\.dcm: Permission denied"),
            pytest.warns(IrregularSpacingWarning),
        ):
            found = face(folder)
        assert found.sizes["z"] == 3
        assert left_out(found) == [("UnreadableFile", "IM00002.dcm")]

    def test_a_file_that_is_named(self, face, path, deny):
        deny("IM00002")
        with pytest.raises(PermissionError, match="IM00002"):
            face(path)

    def test_all(self, any_face, folder, deny):
        deny("IM0000")
        with pytest.raises(PermissionError, match="IM0000"):
            any_face(folder)


def test_enhanced_objects_whose_groups_are_too_few(tmp_path, face):
    path = write_enhanced(tmp_path / "e.dcm", {"z": 3})
    edit(path, {"NumberOfFrames": 4})
    with pytest.raises(xdicom.CorruptFileError, match="expected 4 items; found 3"):
        face(path)


def test_paths_in_problems_are_relative(tmp_path):
    write_series(tmp_path / "a" / "b", {"z": 3})
    text_file(tmp_path / "a" / "c" / "notes.txt")
    truncate(tmp_path / "a" / "b" / "IM00001.dcm", bytes_off=5)
    with pytest.warns(ExcludedFileWarning):
        found = xdicom.open_series(tmp_path)
    listed = found.dicom.problems
    assert sorted(listed["file"]) == ["a/b/IM00001.dcm", "a/c/notes.txt"]
    assert not listed["message"].str.contains(str(tmp_path)).any()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_bytes_are_errors_are_ours(tmp_path, seed):
    """Opened and read, or refused with a reason: nothing else comes out."""
    rng = random.Random(seed)
    make = (
        lambda p: write_series(p, {}, rows=4, columns=4)[0],
        lambda p: write_series(p, {}, rows=4, columns=4, transfer_syntax=RLE)[0],
        lambda p: write_enhanced(p / "e.dcm", {"z": 2}, rows=4, columns=4),
        lambda p: write_multiframe(p / "m.dcm", np.zeros((2, 4, 4, 3), "uint8")),
    )[seed]
    good = make(tmp_path).read_bytes()
    path = tmp_path / "faulty.dcm"
    opened = 0
    for _ in range(150):
        faulty = bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(132, len(faulty))
            faulty[at] = rng.choice((0, 1, 0x20, 0x5C, 0x7F, 0xFE, 0xFF, rng.randrange(256)))
        path.write_bytes(faulty)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(xdicom.XDicomError):
                xdicom.open_series(path).load()
                opened += 1
    assert 0 < opened < 150
