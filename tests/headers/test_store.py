"""Headers are read whole when asked for, if their files are still what they were."""

from __future__ import annotations

import os

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.tag import Tag

import xdicom.headers.store as store
from xdicom.errors import CorruptFileError, HeadersUnavailableError
from xdicom.headers.scan import scan_table
from xdicom.headers.store import attribute_column, header_of, read_header
from xdicom.testing import edit, truncate, write_enhanced, write_multiframe, write_series

MAKER = "XDICOM TEST"


@pytest.fixture
def folder(tmp_path):
    write_series(
        tmp_path,
        {"z": 3},
        attributes={
            "PatientName": "Doe^Jane",
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientComments": "Ünïcode\\with backslash",
            "OtherPatientIDs": ["A", "B"],
            "AcquisitionMatrix": [0, 128, 96, 0],
            "MaximumFrameSize": None,
            "InstitutionName": "",
            "FrameIncrementPointer": 0x00181063,
            "NominalScannedPixelSpacing": None,
            "RadiopharmaceuticalInformationSequence": [
                {"RadionuclideHalfLife": 6586.2, "Radiopharmaceutical": "FDG"},
                {"RadionuclideHalfLife": 1.5},
            ],
            "ScanArc": lambda index: f"{index['z'] + 0.5:g}",
            (0x0019, 0x10, MAKER, "DS"): lambda index: f"{index['z']}.50 ",
            (0x0019, 0x11, MAKER, "FL"): 4.76,
            (0x0019, 0x12, MAKER, "OB"): b"bytes",
            (0x0019, 0x13, MAKER, "AT"): [0x00181063, 0x00540010],
            (0x0019, 0x14, MAKER, "US"): [1, 2],
        },
    )
    return tmp_path


@pytest.fixture
def table(folder):
    return scan_table(folder)


class TestHeaders:
    def test_whole_but_for_the_pixels(self, table):
        for row in range(3):
            header = header_of(table, row)
            expected = dcmread(table.path(row))
            del expected.PixelData
            assert header == expected
            assert header.PatientName == "Doe^Jane"

    def test_changes_stay_the_callers_own(self, table):
        header_of(table, 0).PatientName = "Roe^Jane"
        attribute_column(table, "PatientName")
        assert header_of(table, 0).PatientName == "Doe^Jane"
        assert attribute_column(table, "PatientName").texts == ("Doe^Jane",)

    @pytest.mark.parametrize("how", ["size", "time"])
    def test_of_a_file_that_changed(self, table, how):
        attribute_column(table, "PatientName")  # also where it was read before
        path = table.path(1)
        if how == "size":
            truncate(path, bytes_off=2)
            os.utime(path, ns=(0, int(table.files.mtimes[1])))
        else:
            os.utime(path, ns=(0, int(table.files.mtimes[1]) + 1))
        for read in (
            lambda: header_of(table, 1),
            lambda: attribute_column(table, "PatientName"),
        ):
            with pytest.raises(
                CorruptFileError, match=r"changed since it was indexed.*Open it again"
            ):
                read()
        assert header_of(table, 0).PatientName == "Doe^Jane"

    def test_of_a_file_that_is_gone(self, table):
        os.remove(table.path(1))
        for read in (
            lambda: header_of(table, 1),
            lambda: attribute_column(table, "PatientName"),
        ):
            with pytest.raises(HeadersUnavailableError, match=r"cannot be read.*source="):
                read()

    def test_that_pydicom_cannot_read(self, table, monkeypatch):
        def broken(*args, **options):
            raise RecursionError("too deep")

        monkeypatch.setattr(store.pydicom, "dcmread", broken)
        with pytest.raises(CorruptFileError, match="pydicom cannot read the header: too deep"):
            header_of(table, 0)

    def test_without_warnings(self, folder, recwarn):
        path = edit(folder / "IM00001.dcm", {"PatientBirthDate": b"not a date"})
        stat = os.stat(path)
        read_header(str(path), stat.st_size, stat.st_mtime_ns)
        attribute_column(scan_table(folder), "PatientBirthDate")
        assert not len(recwarn)


class TestAttributes:
    @pytest.mark.parametrize(
        ("key", "texts"),
        [
            ("EchoTime", ("5.0",)),
            (0x00180081, ("5.0",)),
            ((0x0018, 0x0081), ("5.0",)),
            ("PatientName", ("Doe^Jane",)),
            (Tag("PatientName"), ("Doe^Jane",)),
            ("OtherPatientIDs", ("A\\B",)),
            ("PatientComments", ("Ünïcode\\with backslash",)),
            ("AcquisitionMatrix", ("0\\128\\96\\0",)),
            ("ScanArc", ("0.5", "1.5", "2.5")),
            ((0x0019, 0x1010), ("0.50", "1.50", "2.50")),
            ((0x0019, 0x1011), ("4.76",)),
            ((0x0019, 0x1013), ("00181063\\00540010",)),
            ((0x0019, 0x1014), ("1\\2",)),
            ("RadiopharmaceuticalInformationSequence.0.RadionuclideHalfLife", ("6586.2",)),
            ("RadiopharmaceuticalInformationSequence.1.RadionuclideHalfLife", ("1.5",)),
            ("RadiopharmaceuticalInformationSequence.RadionuclideHalfLife", ("6586.2",)),
            # what is no value, is empty or is nowhere
            ("RadiopharmaceuticalInformationSequence", ()),
            ("RadiopharmaceuticalInformationSequence.2.RadionuclideHalfLife", ()),
            ("RadiopharmaceuticalInformationSequence.0.RadionuclideTotalDose", ()),
            ("PatientName.0.RadionuclideHalfLife", ()),
            ("InstitutionName", ()),
            ("PatientBirthName", ()),
            ("PixelData", ()),
            ((0x0019, 0x1012), ()),
            ((0x0019, 0x10FF), ()),
            ((0x0021, 0x1010), ()),
        ],
    )
    def test_by_keyword_tag_and_path(self, table, key, texts):
        column = attribute_column(table, key)
        assert column.texts == texts
        assert len(column.codes) == 3
        expected = [0, 1, 2] if len(texts) == 3 else [0 if texts else -1] * 3
        assert column.codes.tolist() == expected

    def test_numbers_keep_their_vr(self, table):
        assert attribute_column(table, (0x0019, 0x1010)).numbers().tolist() == [0.5, 1.5, 2.5]
        assert attribute_column(table, "AcquisitionMatrix").numbers(4).shape == (3, 4)

    @pytest.mark.parametrize(
        "key", ["EchoTyme", "", "0", "0.EchoTime", "EchoTime.", ".EchoTime", "Echo.0.Time"]
    )
    def test_what_is_no_attribute(self, table, key):
        with pytest.raises(KeyError, match="no DICOM keyword or tag"):
            attribute_column(table, key)

    @pytest.mark.parametrize("key", [-1, 2**32, (0x10000, 0)])
    def test_what_is_no_tag(self, table, key):
        with pytest.raises(KeyError, match="no DICOM keyword or tag"):
            attribute_column(table, key)

    def test_some_files_have_it(self, folder):
        edit(folder / "IM00002.dcm", {"PatientName": None})
        column = attribute_column(scan_table(folder), "PatientName")
        assert column.codes.tolist() == [0, -1, 0]

    def test_what_the_table_holds_is_not_read_again(self, table, monkeypatch):
        monkeypatch.setattr(store.pydicom, "dcmread", None)
        assert attribute_column(table, "EchoTime").texts == ("5.0",)
        # the table would hold it, if any file had it
        assert attribute_column(table, "InversionTime").texts == ()
        assert attribute_column(table, 0x00180082).texts == ()

    def test_each_file_is_read_once(self, tmp_path, monkeypatch):
        path = write_multiframe(
            tmp_path / "m.dcm", np.zeros((50, 2, 2), "uint8"), attributes={"PatientName": "A"}
        )
        reads = []
        real = store.pydicom.dcmread
        monkeypatch.setattr(
            store.pydicom, "dcmread", lambda *a, **o: reads.append(a) or real(*a, **o)
        )
        table = scan_table(path)
        assert attribute_column(table, "PatientName").codes.tolist() == [0] * 50
        assert attribute_column(table, "PatientBirthName").codes.tolist() == [-1] * 50
        assert len(reads) == 1

    def test_values_that_pydicom_cannot_convert_are_text(self, folder):
        edit(folder / "IM00001.dcm", {"PatientSize": None})
        edit(folder / "IM00001.dcm", {"ScanArc": b"1,5 "})
        column = attribute_column(scan_table(folder), "ScanArc")
        assert sorted(column.texts) == ["1,5", "1.5", "2.5"]

    def test_rows_in_any_order(self, table):
        part = table.take(np.array([2, 0]))
        column = attribute_column(part, "ScanArc")
        assert [column.texts[c] for c in column.codes] == ["2.5", "0.5"]


class TestFunctionalGroups:
    @pytest.fixture
    def table(self, tmp_path):
        path = write_enhanced(
            tmp_path / "e.dcm",
            {"z": 3},
            attributes={
                "FrameAcquisitionDuration": lambda index: 100.0 * index["z"],
            },
        )
        dataset = dcmread(path)
        for number, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            # one in a public macro, which is another, and one in a private sequence
            macro = item.FrameContentSequence[0]
            macro.FrameComments = f"slice {number}"
            macro.private_block(0x0021, MAKER, create=True).add_new(0x10, "DS", "99")
            nested = Dataset()
            nested.private_block(0x0021, MAKER, create=True).add_new(0x10, "DS", f"{number}.5")
            nested.LargestMonochromePixelValue = 7
            nested.PatientName = "Nested"
            item.private_block(0x0021, MAKER, create=True).add_new(0x11, "SQ", [nested])
        dataset.save_as(path)
        return scan_table(path)

    def test_a_frame_has_its_own_value(self, table):
        column = attribute_column(table, "FrameAcquisitionDuration")
        assert column.numbers().tolist() == [0.0, 100.0, 200.0]
        column = attribute_column(table, "FrameComments")
        assert [column.texts[c] for c in column.codes] == ["slice 0", "slice 1", "slice 2"]

    def test_or_that_which_all_share(self, table):
        column = attribute_column(table, "FrameLaterality")
        assert column.texts == ("U",)
        assert column.codes.tolist() == [0, 0, 0]

    def test_private_ones_stand_in_private_sequences(self, table):
        assert attribute_column(table, (0x0021, 0x1010)).numbers().tolist() == [0.5, 1.5, 2.5]

    def test_public_ones_never_do(self, table):
        assert attribute_column(table, "LargestMonochromePixelValue").texts == ()
        assert attribute_column(table, "PatientName").texts == ("Phantom^Simulated",)

    def test_a_path_leads_from_the_top(self, table):
        key = "PerFrameFunctionalGroupsSequence.1.FrameContentSequence.0.FrameAcquisitionDuration"
        assert attribute_column(table, key).numbers().tolist() == [100.0] * 3
