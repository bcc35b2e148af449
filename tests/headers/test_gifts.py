"""What private elements give: public values first, units, axes, and doubt where it is due."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.headers.gifts import RULES, given
from xdicom.headers.scan import scan_table
from xdicom.headers.table import Column
from xdicom.headers.vendor import GIFTS, VR_OF
from xdicom.testing import csa_diffusion_header, vendor_elements, write_series

B, DIRECTION = "DiffusionBValue", "DiffusionGradientOrientation"
G = np.array([0.36, 0.48, 0.8])
AXIAL = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def scanned(folder, attributes, **options):
    write_series(folder, {"z": 2}, attributes=attributes, **options)
    return scan_table(folder)


def test_every_rule_is_used():
    assert {gift.rule for gift in GIFTS} == set(RULES)


@pytest.mark.parametrize(
    ("raw", "b"),
    [("1000\\8\\0\\0", 1000), ("1000000050\\8\\0\\0", 50), ("1000001000", 1000), ("0\\0\\0\\0", 0)],
)
def test_ge_b_values(tmp_path, raw, b):
    elements = vendor_elements("ge", blocks=7, b_value=[int(v) for v in raw.split("\\")])
    assert scanned(tmp_path, elements).numbers(B).tolist() == [b, b]


def test_public_values_go_before_private_ones(tmp_path):
    elements = vendor_elements("siemens", b_value=1000, direction=(0, 0, 1))
    table = scanned(tmp_path, {**elements, B: 700.0, DIRECTION: [1.0, 0.0, 0.0]})
    assert table.numbers(B).tolist() == [700, 700]
    assert table.numbers(DIRECTION, 3).tolist() == [[1, 0, 0]] * 2
    assert table.strings("g0019_SIEMENS_MR_HEADER_0C").tolist() == ["1000", "1000"]


def test_rows_without_a_public_value_are_filled(tmp_path):
    elements = vendor_elements("philips", b_value=1000.0)
    public = {B: lambda i: 300.0 if i["z"] else None}
    table = scanned(tmp_path, {**elements, **public})
    assert sorted(table.numbers(B).tolist()) == [300, 1000]


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips", "uih"])
def test_directions_are_in_the_patient(tmp_path, vendor):
    elements = vendor_elements(vendor, b_value=1000, direction=G, orientation=AXIAL)
    attributes = {**elements, "InPlanePhaseEncodingDirection": "COL"}
    table = scanned(tmp_path, attributes, orientation=AXIAL)
    np.testing.assert_allclose(table.numbers(DIRECTION, 3), [G, G], atol=1e-6)
    assert table.problems == ()


def test_ge_formula(tmp_path):
    """SPEC §2.1: along rows and columns as they are, along the normal the other way round."""
    creator = "GEMS_ACQU_01"
    raw = {0xBB: 0.6, 0xBC: 0.0, 0xBD: 0.8}
    elements = {(0x0019, low, creator, "DS"): value for low, value in raw.items()}
    attributes = {**elements, "InPlanePhaseEncodingDirection": "COL"}
    table = scanned(tmp_path, attributes, orientation=AXIAL)
    np.testing.assert_allclose(table.numbers(DIRECTION, 3)[0], [0.48, 0.36, -0.8], atol=1e-12)


@pytest.mark.parametrize(
    ("changed", "orientation", "why"),
    [
        ({"InPlanePhaseEncodingDirection": "ROW"}, AXIAL, "ROW"),
        ({"InPlanePhaseEncodingDirection": None}, AXIAL, "phase encoding"),
        ({}, CORONAL, "axial"),
        ({"PatientPosition": "FFS"}, AXIAL, "FFS"),
        ({"ImageOrientationPatient": None}, AXIAL, "orientation"),
    ],
)
def test_ge_in_doubt(tmp_path, changed, orientation, why):
    elements = vendor_elements("ge", b_value=1000, direction=G, orientation=orientation)
    attributes = {**elements, "InPlanePhaseEncodingDirection": "COL", **changed}
    table = scanned(tmp_path, attributes, orientation=orientation)
    assert DIRECTION not in table.columns
    assert table.numbers(B).tolist() == [1000, 1000]
    assert len(table.problems) == 2
    assert {p.kind for p in table.problems} == {"UnprovenValue"}
    assert {p.file for p in table.problems} == set(table.files.paths)
    assert why in table.problems[0].message
    assert "g0019_GEMS_ACQU_01_BB" in table.problems[0].message
    assert table.numbers("g0019_GEMS_ACQU_01_BB").any()


def test_ge_scaled_directions(tmp_path):
    """A length below 1 may stand for a smaller b-value, which the header does not say."""
    elements = vendor_elements("ge", b_value=3000, direction=G * np.sqrt(1 / 3))
    attributes = {**elements, "InPlanePhaseEncodingDirection": "COL"}
    table = scanned(tmp_path, attributes)
    assert DIRECTION not in table.columns
    assert "length 0.577" in table.problems[0].message


@pytest.mark.parametrize("vendor", ["ge", "philips", "uih", "siemens"])
def test_zeros_are_no_direction(tmp_path, vendor):
    elements = vendor_elements(vendor, b_value=0, direction=(0, 0, 0))
    table = scanned(tmp_path, elements)  # GE without phase encoding: there is nothing to doubt
    assert DIRECTION not in table.columns
    assert table.numbers(B).tolist() == [0, 0]
    assert table.problems == ()


def test_values_that_are_no_numbers(tmp_path):
    elements = {(0x0019, 0x0C, "SIEMENS MR HEADER", "IS"): b"about 5 "}
    table = scanned(tmp_path, elements)
    assert B not in table.columns
    assert {p.kind for p in table.problems} == {"InvalidValue"}


@pytest.mark.parametrize(
    ("vendor", "raw", "word"),
    [
        *(("ge", i, w) for i, w in enumerate(("MAGNITUDE", "PHASE", "REAL", "IMAGINARY"))),
        *(("philips", w[0], w) for w in ("MAGNITUDE", "PHASE", "REAL", "IMAGINARY")),
        ("ge", 9, ""),
        ("philips", "T1", ""),
    ],
)
def test_components(tmp_path, vendor, raw, word):
    table = scanned(tmp_path, vendor_elements(vendor, blocks=11, component=raw))
    assert table.strings("ComplexImageComponent").tolist() == [word, word]


def test_labels_and_directionality(tmp_path):
    table = scanned(tmp_path / "p", vendor_elements("philips", label="CONTROL"))
    assert table.strings("ASLContext").tolist() == ["CONTROL"] * 2
    table = scanned(tmp_path / "s", vendor_elements("siemens", directionality="ISOTROPIC"))
    assert table.strings("DiffusionDirectionality").tolist() == ["ISOTROPIC"] * 2


class TestCsa:
    CSA = (0x0029, 0x10, "SIEMENS CSA HEADER", "OB")

    def test_files_without_a_block_for_diffusion(self, tmp_path):
        table = scanned(tmp_path, {self.CSA: csa_diffusion_header(2000, (0.6, 0.0, 0.8))})
        assert table.numbers(B).tolist() == [2000, 2000]
        assert table.numbers(DIRECTION, 3).tolist() == [[0.6, 0, 0.8]] * 2

    def test_no_diffusion(self, tmp_path):
        table = scanned(tmp_path, {self.CSA: csa_diffusion_header()})
        assert B not in table.columns

    def test_b_of_zero_has_no_direction(self, tmp_path):
        table = scanned(tmp_path, {self.CSA: csa_diffusion_header(0)})
        assert table.numbers(B).tolist() == [0, 0]
        assert DIRECTION not in table.columns

    def test_the_block_goes_before(self, tmp_path):
        elements = vendor_elements("siemens", blocks=2, b_value=1000)
        table = scanned(tmp_path, {self.CSA: csa_diffusion_header(2000), **elements})
        assert table.numbers(B).tolist() == [1000, 1000]
        assert "xdicom_csa_diffusion" not in table.columns

    def test_damage(self, tmp_path):
        raw = csa_diffusion_header(2000, (0.6, 0.0, 0.8))
        for end in range(0, len(raw), 97):
            (tmp_path / str(end)).mkdir()
            table = scanned(tmp_path / str(end), {self.CSA: raw[:end]})
            assert set(table.strings("xdicom_csa_diffusion").tolist()) <= {"", "2000"}

    def test_templates_serve_them(self, tmp_path):
        steps = [{self.CSA: csa_diffusion_header(b, (0.0, 0.0, 1.0))} for b in (5, 500, 1000)]
        write_series(tmp_path, {"d": steps, "z": 3})
        assert scan_table(tmp_path).numbers(B).tolist() == [5] * 3 + [500] * 3 + [1000] * 3


def test_an_own_column_keeps_its_texts():
    codes = np.array([0, -1, -1], np.int32)
    private = Column(np.array([0, 0, 1], np.int32), ("5", "7"), VR_OF["g0019_SIEMENS_MR_HEADER_0C"])
    columns = {B: Column(codes, ("3.0",), "FD"), "g0019_SIEMENS_MR_HEADER_0C": private}
    made, doubts = given(columns, 3)
    assert made[B].strings().tolist() == ["3.0", "5.0", "7.0"]
    assert not doubts
    assert columns[B].codes is codes
    assert codes.tolist() == [0, -1, -1]
