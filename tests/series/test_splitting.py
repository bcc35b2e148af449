"""What sets frames of a series apart, and what does not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import (
    GeometryError,
    IncompleteConcatenationError,
    NotHypercubeError,
    SkippedSeriesWarning,
)
from xdicom.headers.scan import scan_table
from xdicom.series.keys import series_codes
from xdicom.testing import (
    edit,
    frame_pixels,
    write_enhanced,
    write_multiframe,
    write_non_image,
    write_series,
)

SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)


@pytest.fixture
def series(tmp_path):
    """Write a further part of one series; each part has frames and files of its own."""
    parts = iter(range(100))

    def write(dims, writer=write_series, **options):
        part = next(parts)
        shared = {"series_uid": "1.2.3", "study_uid": "1.2", "frame_of_reference_uid": "1.1"}
        options = {**shared, "seed": part, **options}
        if writer is write_series:
            return writer(tmp_path, dims, name=f"{part}-{{}}.dcm", **options)
        return writer(tmp_path / f"{part}.dcm", dims, **options)

    write.folder = tmp_path
    return write


class TestHardKeys:
    @pytest.mark.parametrize(
        ("changed", "name"),
        [
            ({"frame_of_reference_uid": "1.9"}, "FrameOfReferenceUID"),
            ({"rows": 18}, "Rows"),
            ({"columns": 18}, "Columns"),
            ({"pixel_spacing": (1.5, 1.26)}, "PixelSpacing"),
            ({"stored": lambda i: np.zeros((16, 24, 3), np.uint8)}, "SamplesPerPixel"),
            ({"attributes": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}}, "ImageType"),
            ({"modality": "CT"}, "SOPClassUID"),
        ],
        ids=["frame of reference", "rows", "columns", "spacing", "samples", "flavour", "class"],
    )
    def test_always_apart(self, series, stacks, changed, name):
        series({"z": 3})
        series({"z": 3}, **changed)
        found = stacks(series.folder)
        assert len(found) == 2
        for stack in found:
            assert stack.grid.shape == (3,)
        assert any(r.startswith(f"{name}=") for stack in found for r in stack.reasons)
        assert found[0].reasons != found[1].reasons

    def test_palettes_and_greys(self, series, stacks):
        series({"z": 3})
        series({"z": 3}, attributes={"PhotometricInterpretation": "PALETTE COLOR"})
        assert [s.reasons for s in stacks(series.folder)] == [("colour=mono",), ("colour=palette",)]

    def test_inverted_greys_are_greys(self, series, stacks):
        attributes = {"PhotometricInterpretation": lambda i: f"MONOCHROME{i['z'] % 2 + 1}"}
        series({"z": 4}, attributes=attributes)
        assert [s.grid.shape for s in stacks(series.folder)] == [(4,)]

    def test_positions_in_part_of_the_frames(self, series, stacks):
        series({"z": 3})
        series({"instance": 2}, attributes={"ImagePositionPatient": None, "SliceLocation": None})
        known, unknown = sorted(stacks(series.folder), key=lambda s: s.reasons)
        assert known.reasons == ("position=known",)
        assert known.grid.dims == ("z",)
        assert unknown.grid.dims == ("instance",)
        assert unknown.geometry.kind == "none"

    @pytest.mark.parametrize("order", [1, -1])
    def test_pixel_spacing_within_a_thousandth(self, tmp_path, stacks, order):
        noise = np.array([1.5, 1.5, 1.501, 1.5014])[::order]
        attributes = {"PixelSpacing": lambda i: [float(noise[i["z"]]), 1.25]}
        write_series(tmp_path, {"z": 4}, attributes=attributes)
        (stack,) = stacks(tmp_path)
        assert stack.geometry.spacing == (1.5, 1.25)

    def test_pixel_spacing_is_never_chained(self, tmp_path, stacks):
        attributes = {"PixelSpacing": lambda i: [1.5 * 1.0008 ** i["z"], 1.25]}
        write_series(tmp_path, {"z": 4}, attributes=attributes)
        assert [len(s.rows) for s in stacks(tmp_path)] == [2, 2]

    def test_bits_do_not_split(self, tmp_path, stacks):
        signed = {"dtype": "int16", "stored": lambda i: frame_pixels(i["z"], dtype="int16")}
        write_series(tmp_path, {"z": 4}, drop=[{"z": 3}])
        write_series(tmp_path, {"z": 4}, drop=[{"z": z} for z in range(3)], name="b{}", **signed)
        (stack,) = stacks(tmp_path)
        assert stack.grid.shape == (4,)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"SeriesTime": lambda i: f"10000{i['z']}"},
            {"ProtocolName": lambda i: f"protocol {i['z']}"},
            {"WindowCenter": lambda i: i["z"], "WindowWidth": 5},
            {"RescaleSlope": lambda i: i["z"] + 1, "RescaleIntercept": 0},
            {"AcquisitionNumber": lambda i: i["z"] // 2},
        ],
        ids=lambda attributes: next(iter(attributes)),
    )
    def test_what_never_splits(self, tmp_path, stacks, attributes):
        write_series(tmp_path, {"z": 4}, attributes=attributes, shuffle=1)
        assert [s.grid.shape for s in stacks(tmp_path)] == [(4,)]

    def test_two_cines_are_two_arrays(self, tmp_path, stacks):
        for i in (1, 2):
            path = tmp_path / f"{i}.dcm"
            write_multiframe(path, np.zeros((4, 8, 8), np.uint8), frame_time=40, instance_number=i)
        found = stacks(tmp_path)
        assert [s.grid.shape for s in found] == [(4,), (4,)]
        assert all("SOPInstanceUID=" in s.reasons[0] for s in found)

    def test_objects_without_pixels_come_last(self, series, stacks):
        write_non_image(series.folder / "sr.dcm", series_uid="1.2.3", study_uid="1.2")
        series({"z": 2})
        image, report = stacks(series.folder)
        assert image.has_pixels
        assert not report.has_pixels
        assert report.grid is None
        assert report.error is None


class TestOrientation:
    def test_three_plane_localizer(self, series, stacks):
        for cosines in ((1, 0, 0, 0, 1, 0), SAGITTAL, CORONAL):
            series({"z": 3}, orientation=cosines)
        found = stacks(series.folder)
        assert [s.grid.shape for s in found] == [(3,)] * 3
        assert all(s.reasons[0].startswith("orientation=") for s in found)
        with pytest.raises(xdicom.AmbiguousSeriesError, match="orientation="):
            xdicom.open_series(series.folder)
        tree = xr.open_datatree(series.folder, engine="dicom")
        assert sorted(node.name for node in tree.leaves) == ["a0", "a1", "a2"]

    def test_three_single_planes_are_three_arrays(self, series, stacks):
        for cosines in ((1, 0, 0, 0, 1, 0), SAGITTAL, CORONAL):
            series({"z": 1}, orientation=cosines)
        assert [s.grid.shape for s in stacks(series.folder)] == [(1,)] * 3

    @pytest.fixture
    def radial(self, tmp_path):
        """Five frames, turned about their row, acquired against the order of their names."""

        def cosines(i):
            angle = np.pi * i["angle"] / 5
            return [1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))]

        attributes = {
            "ImageOrientationPatient": cosines,
            "ImagePositionPatient": lambda i: [0.0, 0.0, float(i["angle"])],
            "AcquisitionTime": lambda i: f"10000{9 - i['angle']}",
        }
        write_series(tmp_path, {"angle": 5}, attributes=attributes)
        return tmp_path

    def test_many_single_planes_are_a_list(self, radial, stored, dataset, numbers):
        array = stored(radial)
        assert array.dims == ("instance", "y", "x")
        assert numbers(array).tolist() == [4, 3, 2, 1, 0]
        opened = dataset(radial)
        assert opened.patient_space.attrs["geometry"] == "per_frame"
        assert opened.ImageOrientationPatient.dims == ("instance", "cosine")
        assert opened.ImagePositionPatient.dims == ("instance", "lps")
        np.testing.assert_allclose(opened.x, 1.25 * np.arange(24), atol=1e-9)
        assert opened.x.attrs["units"] == "mm"
        with pytest.raises(GeometryError):
            _ = array.dicom.affine

    def test_dims_of_the_caller_for_many_planes(self, radial, stored):
        array = stored(radial, dims=("InstanceNumber",))
        assert array.dims == ("InstanceNumber", "y", "x")
        assert array.InstanceNumber.values.tolist() == [1, 2, 3, 4, 5]

    def test_ct_and_its_scout(self, series, stacks):
        series({"z": 5}, modality="CT")
        scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        series({"z": 1}, modality="CT", orientation=CORONAL, attributes={"ImageType": scout})
        shapes = {s.grid.shape: s.reasons for s in stacks(series.folder)}
        assert set(shapes) == {(5,), (1,)}
        assert "ImageType=LOCALIZER" in shapes[1,]

    @pytest.mark.parametrize("step", [9e-5, 1.1e-4])
    def test_cosines_within_the_tolerance(self, tmp_path, stacks, step):
        def cosines(i):
            return [1.0, step * (i["z"] % 2), 0.0, 0.0, 1.0, 0.0]

        write_series(tmp_path, {"z": 6}, attributes={"ImageOrientationPatient": cosines})
        found = stacks(tmp_path)
        assert len(found) == (1 if step < 1e-4 else 2)

    def test_wrong_cosines_are_an_error_of_their_array_only(self, series, stacks):
        series({"z": 3})
        series({"z": 3}, orientation=(1, 0, 0, 0.01, 1, 0))
        good, bad = sorted(stacks(series.folder), key=lambda s: s.error is not None)
        assert good.grid.shape == (3,)
        assert isinstance(bad.error, GeometryError)
        with pytest.warns(SkippedSeriesWarning):
            tree = xr.open_datatree(series.folder, engine="dicom")
        assert sum("dicom_error" in node.attrs for node in tree.leaves) == 1

    def test_orientation_without_position(self, series, stacks):
        nowhere = {"ImagePositionPatient": None, "SliceLocation": None}
        for cosines in ((1, 0, 0, 0, 1, 0), SAGITTAL, CORONAL, (0, 1, 0, 1, 0, 0)):
            series({"z": 1}, orientation=cosines, attributes=nowhere)
        series({"z": 1}, attributes={**nowhere, "ImageOrientationPatient": None})
        (stack,) = stacks(series.folder)
        assert stack.grid.dims == ("instance",)
        assert stack.geometry.kind == "none"


class TestSoftKeys:
    def test_stacks_by_name_and_place(self, tmp_path, canonical):
        # what is told by position needs no dim
        stack = {"StackID": lambda i: str(1 + i["z"] // 3)}
        write_series(tmp_path, {"z": 6}, attributes=stack)
        canonical(tmp_path, {"z": 6})

    def test_two_kernels_over_unequal_ranges(self, series, stacks):
        series({"z": 5}, modality="CT", attributes={"ConvolutionKernel": "B30f"})
        series({"z": 3}, modality="CT", attributes={"ConvolutionKernel": "B70f"})
        found = stacks(series.folder)
        assert {s.reasons: s.grid.shape for s in found} == {
            ("ConvolutionKernel=B30f",): (5,),
            ("ConvolutionKernel=B70f",): (3,),
        }

    def test_noise_of_slice_thickness_never_splits(self, tmp_path, canonical):
        noise = {"SliceThickness": lambda i: 3 + 0.003 * ((i["time"] + i["z"]) % 3)}
        write_series(tmp_path, {"time": 4, "z": 3}, number_by="canonical", attributes=noise)
        canonical(tmp_path, {"time": 4, "z": 3})

    def test_origins_in_plane(self, series, stacks):
        series({"z": 4})
        series({"z": 4}, origin=(30.0, -30.0, 10.0))
        found = stacks(series.folder)
        assert [s.grid.shape for s in found] == [(4,), (4,)]
        assert {s.reasons for s in found} == {
            ("in-plane origin=-20, -30",),
            ("in-plane origin=30, -30",),
        }

    def test_contrasts_that_are_no_product_split(self, series, stacks):
        # two components at the first echo, one at the second
        for te, word in [(5, "M"), (5, "P"), (10, "M")]:
            series(
                {"z": 3}, attributes={"EchoTime": te, "ImageType": ["ORIGINAL", "PRIMARY", word]}
            )
        found = {s.reasons: (s.grid.dims, s.grid.shape) for s in stacks(series.folder)}
        assert found == {
            ("ImageType=M",): (("EchoTime", "z"), (2, 3)),
            ("ImageType=P",): (("z",), (3,)),
        }

    def test_echoes_of_unequal_components(self, series, stacks):
        # component is no word of ImageType here, so that the numeric family must split
        for te, times in [(5, (0, 1, 2)), (10, (0, 1))]:
            for t in times:
                attributes = {"EchoTime": te, "TemporalPositionIdentifier": t + 1}
                series({"z": 3}, attributes=attributes)
        found = {s.reasons: s.grid.shape for s in stacks(series.folder)}
        assert found == {("EchoTime=5",): (3, 3), ("EchoTime=10",): (2, 3)}

    def test_a_failed_split_is_one_error(self, series, stacks):
        for te, times in [(5, (0, 1, 2)), (10, (0, 1))]:
            for t in times:
                attributes = {"EchoTime": te, "TemporalPositionIdentifier": t + 1}
                drop = [{"z": 0}] if (te, t) == (10, 1) else ()
                series({"z": 3}, attributes=attributes, drop=drop)
        (stack,) = stacks(series.folder)
        assert isinstance(stack.error, NotHypercubeError)
        assert "EchoTime 2 × time 3 × z 3: 14 of 18 cells" in str(stack.error)
        (filled,) = stacks(series.folder, ragged="fill")
        assert filled.grid.shape == (2, 3, 3)
        assert (filled.grid.rows < 0).sum() == 4
        (flat,) = stacks(series.folder, ragged="flat")
        assert flat.grid.shape == (14,)

    def test_unequal_values_of_each_frame_are_no_split(self, tmp_path, canonical):
        # a repetition time of its own for each frame, as triggered scans have
        attributes = {
            "RepetitionTime": lambda i: 900 + 7 * i["time"] + 3 * i["z"] % 5,
            "TemporalPositionIdentifier": lambda i: i["time"] + 1,
        }
        write_series(tmp_path, {"time": 4, "z": 5}, shuffle=1, attributes=attributes)
        array = canonical(tmp_path, {"time": 4, "z": 5})
        assert array.RepetitionTime.dims == ("time", "z")


class TestConcatenation:
    @pytest.fixture
    def parts(self, series):
        """An object of six frames in three parts, named against their order."""
        for number in range(3):
            attributes = {
                "ConcatenationUID": "1.2.9",
                "InConcatenationNumber": number + 1,
                "InConcatenationTotalNumber": 3,
                "ConcatenationFrameOffsetNumber": 2 * number,
                "ImagePositionPatient": lambda i, n=number: [0.0, 0.0, 5.0 * (2 * n + i["z"])],
            }
            path = series(
                {"z": 2},
                write_enhanced,
                attributes=attributes,
                stored=lambda i, n=number: frame_pixels(2 * n + i["z"]),
                instance_number=3 - number,
                dimension_index=False,
            )
            path.rename(path.with_name(f"part{9 - number}.dcm"))
        return series.folder

    def test_parts_are_one_array(self, parts, canonical):
        array = canonical(parts, {"z": 6})
        assert array.z.values.tolist() == [0, 5, 10, 15, 20, 25]

    def test_missing_part(self, parts, stored, stacks):
        (parts / "part8.dcm").unlink()
        with pytest.raises(
            IncompleteConcatenationError, match=r"expected parts 1 to 3; found 1, 3"
        ):
            stored(parts)
        (stack,) = stacks(parts)
        assert isinstance(stack.error, IncompleteConcatenationError)

    def test_missing_part_is_filled(self, parts, stored):
        (parts / "part8.dcm").unlink()
        array = xdicom.open_series(parts, ragged="fill")
        assert array.z.values.tolist() == [0, 5, 10, 15, 20, 25]
        assert array.frame_present.values.tolist() == [True, True, False, False, True, True]

    def test_missing_last_part(self, parts, stored):
        (parts / "part7.dcm").unlink()
        with pytest.raises(IncompleteConcatenationError, match="found 1, 2"):
            stored(parts)

    def test_frames_are_numbered_through(self, tmp_path, canonical):
        # nothing but the number in the concatenation tells the frames apart
        for number in range(2):
            attributes = {
                "ConcatenationUID": "1.2.9",
                "InConcatenationNumber": number + 1,
                "InConcatenationTotalNumber": 2,
                "ConcatenationFrameOffsetNumber": 6 * number,
                "FrameAcquisitionDateTime": None,
                "AcquisitionDateTime": None,
                "FrameReferenceDateTime": None,
            }
            write_enhanced(
                tmp_path / f"{9 - number}.dcm",
                {"repeat": 2, "z": 3},
                attributes=attributes,
                stored=lambda i, n=number: frame_pixels(6 * n + 3 * i["repeat"] + i["z"]),
                seed=number,
                series_uid="1.2.3",
                frame_of_reference_uid="1.1",
                dimension_index=False,
            )
        canonical(tmp_path, {"time": 4, "z": 3})


class TestSeries:
    def test_classic_and_enhanced(self, series, stacks):
        series({"z": 4})
        series({"z": 3}, write_enhanced)
        found = stacks(series.folder)
        assert sorted(s.grid.shape for s in found) == [(3,), (4,)]
        assert all(s.reasons[0].startswith("SOPClassUID=") for s in found)

    def test_series_are_never_merged(self, tmp_path):
        write_series(tmp_path / "a", {"z": 2}, series_number=1)
        write_series(tmp_path / "b", {"z": 2}, series_number=2)
        table = scan_table(tmp_path)
        assert sorted(np.bincount(series_codes(table)).tolist()) == [2, 2]

    def test_without_uid_by_study_and_number(self, tmp_path):
        for number in (1, 2):
            for path in write_series(tmp_path / str(number), {"z": 2}, series_number=number):
                edit(path, {"SeriesInstanceUID": None})
        table = scan_table(tmp_path)
        assert sorted(np.bincount(series_codes(table)).tolist()) == [2, 2]

    def test_group_by_keywords(self, tmp_path):
        write_series(tmp_path / "a", {"EchoTime": [5], "z": 3}, series_number=1)
        write_series(tmp_path / "b", {"EchoTime": [9], "z": 3}, series_number=2)
        array = xdicom.open_series(tmp_path, group_by=("StudyInstanceUID",))
        assert array.sizes["EchoTime"] == 2
        # an attribute that the table does not hold is read from the files
        array = xdicom.open_series(
            tmp_path, group_by=("Modality", "StudyInstanceUID", "PatientSex")
        )
        assert array.sizes["EchoTime"] == 2

    def test_group_by_what_is_no_attribute(self, tmp_path):
        write_series(tmp_path, {"z": 3})
        with pytest.raises(KeyError, match="Nonsense"):
            xdicom.open_series(tmp_path, group_by=("Nonsense",))

    def test_group_by_function(self, tmp_path):
        write_series(tmp_path, {"EchoTime": [5, 9], "z": 3})
        table = scan_table(tmp_path)
        codes = series_codes(table, lambda row: float(row["EchoTime"]) > 6)
        assert np.bincount(codes).tolist() == [3, 3]
