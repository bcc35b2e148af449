"""Private elements by their creators: blocks, names, what a scan reads of them, in any encoding."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from xdicom.headers.private import KEYS, Blocks, is_creator, parsed_name
from xdicom.headers.reading import Counts
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.store import attribute_column
from xdicom.headers.vendor import ELEMENTS, VR_OF
from xdicom.testing import vendor_elements, write_enhanced, write_series

B, DIRECTION = "DiffusionBValue", "DiffusionGradientOrientation"
OBLIQUE = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0)
SAID = {
    "siemens": {"b_value": 1000, "direction": (0.6, 0.0, 0.8)},
    "ge": {"b_value": 1000, "direction": (0.6, 0.0, 0.8)},
    "philips": {"b_value": 1000, "direction": (0.6, 0.0, 0.8)},
    "uih": {"b_value": 929.75, "direction": (0.6, 0.0, 0.8)},
}


def seeds(count: int = 3) -> list[int]:
    return np.random.default_rng().integers(0, 10_000, count).tolist()


class TestNames:
    def test_each_element_has_one_name_and_key(self):
        names = [element.name for element in ELEMENTS]
        assert len(set(names)) == len(names) == len(KEYS) == len(VR_OF)

    @pytest.mark.parametrize("element", [e for e in ELEMENTS if not e.part], ids=lambda e: e.name)
    def test_a_name_is_read_back(self, element):
        found = parsed_name(element.name)
        assert found is not None
        assert (found.group, found.low) == (element.group, element.low)
        assert found.block(element.creator)
        assert not found.block(element.creator + " 2")

    @pytest.mark.parametrize("text", ["g0018_X_0C", "g0019_X_0", "0019_X_0C", "Rows", "g0019_0C"])
    def test_other_texts_are_no_names(self, text):
        assert parsed_name(text) is None

    @pytest.mark.parametrize(
        ("tag", "known"),
        [(0x00190010, True), (0x001900FF, True), (0x0019000F, False), (0x00190100, False),
         (0x00180010, False), (0x20010010, True)],
    )  # fmt: skip
    def test_creators(self, tag, known):
        assert is_creator(tag) is known


class TestBlocks:
    def test_any_block(self):
        for block in (0x10, 0x2B, 0xFF):
            blocks = Blocks()
            blocks.reserve(0x00190000 | block, b"SIEMENS MR HEADER\0")
            assert KEYS[blocks[0x0019000C | block << 8]][0] == "g0019_SIEMENS_MR_HEADER_0C"

    def test_other_creators_have_none(self):
        blocks = Blocks()
        blocks.reserve(0x00190010, b"SIEMENS MR HEADER 2")
        blocks.reserve(0x00210010, b"SIEMENS MR HEADER")
        assert not blocks

    def test_a_block_that_tells_the_same_goes_before(self):
        blocks = Blocks()
        blocks.reserve(0x00290010, b"SIEMENS CSA HEADER")
        assert len(blocks) == 1
        blocks = Blocks()
        blocks.reserve(0x00190011, b"SIEMENS MR HEADER")
        before = len(blocks)
        blocks.reserve(0x00290010, b"SIEMENS CSA HEADER")
        assert len(blocks) == before


class TestScan:
    @pytest.mark.parametrize("vr", [None, "UN"])
    @pytest.mark.parametrize(
        "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
    )
    @pytest.mark.parametrize("vendor", list(SAID))
    @pytest.mark.parametrize("templates", [True, False])
    def test_any_encoding_at_any_block(self, tmp_path, vendor, syntax, vr, templates):
        for seed in seeds(2):
            made = vendor_elements(vendor, blocks=seed, vr=vr, orientation=OBLIQUE, **SAID[vendor])
            folder = tmp_path / str(seed)
            write_series(
                folder,
                {"z": 3},
                orientation=OBLIQUE,
                transfer_syntax=syntax,
                attributes={**made, "InPlanePhaseEncodingDirection": "COL"},
                seed=seed,
            )
            table = scan_table(folder, ScanOptions(templates=templates))
            assert table.problems == ()
            assert table.numbers(B).tolist() == [SAID[vendor]["b_value"]] * 3
            np.testing.assert_allclose(
                table.numbers(DIRECTION, 3), [SAID[vendor]["direction"]] * 3, atol=1e-6
            )

    def test_blocks_that_differ_from_file_to_file(self, tmp_path):
        for number, seed in enumerate(seeds(5)):
            made = vendor_elements("siemens", blocks=seed, b_value=100 * number)
            write_series(tmp_path, {"z": 1}, attributes=made, seed=number, name=f"{number}.dcm")
        table = scan_table(tmp_path)
        assert table.numbers(B).tolist() == [0, 100, 200, 300, 400]

    def test_another_creator_at_the_usual_block(self, tmp_path):
        elements = {
            (0x0019, 0x0C, "SOMEBODY ELSE", "IS"): 7,
            **vendor_elements("siemens", b_value=500),
        }
        write_series(tmp_path, {"z": 1}, attributes=elements)
        header = pydicom.dcmread(tmp_path / "IM00001.dcm")
        assert header[0x0019, 0x100C].value == 7
        assert scan_table(tmp_path).numbers(B).tolist() == [500]

    def test_elements_without_a_creator(self, tmp_path):
        (path,) = write_series(tmp_path, {"z": 1}, attributes=vendor_elements("ge", b_value=500))
        header = pydicom.dcmread(path)
        del header[0x0043, 0x0010]
        header.save_as(path)
        table = scan_table(tmp_path)
        assert B not in table.columns
        assert not [name for name in table.columns if name.startswith("g")]

    @pytest.mark.parametrize("vendor", list(SAID))
    def test_templates_serve_them(self, tmp_path, vendor):
        steps = [vendor_elements(vendor, b_value=b, direction=(0, 0, 1)) for b in (0, 500, 1000)]
        folder = tmp_path / "private"
        write_series(folder, {"d": steps, "z": 20}, shuffle=3)
        counts, plain = Counts(), Counts()
        table = scan_table(folder, counts=counts)
        public = [{B: b, DIRECTION: [0.0, 0.0, 1.0]} for b in (0.0, 500.0, 1000.0)]
        write_series(tmp_path / "public", {"d": public, "z": 20}, shuffle=3)
        scan_table(tmp_path / "public", counts=plain)
        assert counts.walked <= plain.walked + 2
        walked = scan_table(folder, ScanOptions(templates=False))
        assert walked.columns.keys() == table.columns.keys()
        for name, column in walked.columns.items():
            assert column.strings().tolist() == table.strings(name).tolist()

    def test_rows_hold_no_more_than_is_found(self, tmp_path):
        write_series(tmp_path, {"z": 2})
        assert not [name for name in scan_table(tmp_path).columns if name.startswith("g00")]


class TestFunctionalGroups:
    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    @pytest.mark.parametrize("shared", [True, False])
    def test_private_sequences_hold_private_elements_only(self, tmp_path, syntax, shared):
        values = [(0, None), (700, (1, 0, 0)), (700, (0, 0, 1))]
        (seed,) = seeds(1)

        def nested(index):
            b, direction = values[index["d"]]
            return [
                {
                    **vendor_elements("philips", blocks=seed, b_value=b, direction=direction),
                    # whole headers are nested here, in which public keywords mean something else
                    "ImagePositionPatient": [9.0, 9.0, 9.0],
                    "DiffusionBValue": 12345.0,
                    "RescaleSlope": 77.0,
                }
            ]

        path = write_enhanced(
            tmp_path / "a.dcm",
            {"d": 3, "z": 2},
            attributes={(0x2005, 0x0F, "Philips MR Imaging DD 005", "SQ"): nested},
            transfer_syntax=syntax,
            shared=shared,
        )
        table = scan_table(path)
        assert table.numbers(B).tolist() == [0, 0, 700, 700, 700, 700]
        assert table.numbers(DIRECTION, 3)[2:].tolist() == [[1, 0, 0]] * 2 + [[0, 0, 1]] * 2
        assert np.isnan(table.numbers(DIRECTION, 3)[:2]).all()
        assert table.numbers("RescaleSlope").tolist() == [1] * 6

    def test_elements_in_the_group_itself(self, tmp_path):
        (seed,) = seeds(1)
        key, _ = vendor_elements("ge", blocks=seed, component=0).popitem()
        path = write_enhanced(
            tmp_path / "a.dcm", {"c": 4, "z": 2}, attributes={key: lambda i: i["c"]}
        )
        table = scan_table(path)
        assert table.strings("g0043_GEMS_PARM_01_2F").tolist() == list("00112233")

    def test_items_are_compared_with_those_before(self, tmp_path):
        """Many frames with private sequences give what a walk of each gives."""
        random = np.random.default_rng(5)
        b_values = random.permutation(200).tolist()
        key = (0x2005, 0x0F, "Philips MR Imaging DD 005", "SQ")
        path = write_enhanced(
            tmp_path / "a.dcm",
            {"d": 200},
            rows=2,
            columns=2,
            attributes={
                key: lambda i: [
                    {**vendor_elements("philips", blocks=4, b_value=float(b_values[i["d"]]))},
                    {**vendor_elements("philips", blocks=4, b_value=-5.0)},
                ]
            },
        )
        assert scan_table(path).numbers(B).tolist() == b_values


class TestByName:
    def test_elements_of_the_table_and_others(self, tmp_path):
        (seed,) = seeds(1)
        made = vendor_elements("siemens", blocks=seed, b_value=50)
        other = {(0x0029, 0x7160, "SIEMENS MEDCOM HEADER2", "LO"): "com"}
        write_series(tmp_path, {"z": 2}, attributes={**made, **other})
        table = scan_table(tmp_path)
        assert table.strings("g0019_SIEMENS_MR_HEADER_0C").tolist() == ["50", "50"]
        assert attribute_column(table, "g0019_SIEMENS_MR_HEADER_0C").texts == ("50",)
        assert attribute_column(table, "g0029_SIEMENS_MEDCOM_HEADER2_60").texts == ("com",)
        assert attribute_column(table, "g0029_SIEMENS_MEDCOM_HEADER2_61").texts == ()
        assert attribute_column(table, "g0029_SIEMENS_MEDCOM_HEADER_60").texts == ()
        # nothing was read of files for what rows hold
        assert attribute_column(table, "g0043_GEMS_PARM_01_39").texts == ()

    def test_in_the_functional_groups(self, tmp_path):
        key = (0x2005, 0x0F, "Philips MR Imaging DD 005", "SQ")
        low = (0x2001, 0x4504, "Philips Imaging DD 001", "CS")
        path = write_enhanced(
            tmp_path / "a.dcm",
            {"d": 2, "z": 2},
            attributes={key: lambda i: [{low: "IO"[i["d"]]}]},
        )
        table = scan_table(path)
        column = attribute_column(table, "g2001_Philips_Imaging_DD_001_04")
        assert column.strings().tolist() == list("IIOO")
