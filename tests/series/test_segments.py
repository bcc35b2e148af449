"""Frames of segmentations become segments and slices; what has no frame is empty."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import xarray as xr
from pydicom.pixels import pixel_array

import xdicom
from xdicom.errors import MissingAttributeError, NotHypercubeError
from xdicom.headers.scan import scan_table
from xdicom.testing import write_segmentation

ROWS, COLUMNS = 7, 9  # 63 bits: no frame but the first begins with a byte


def random_masks(seed, numbers=(1, 2, 5), slices=6):
    """Masks of which each is empty in some slices, and the last in all."""
    random = np.random.default_rng(seed)
    masks = {}
    for number in numbers:
        mask = random.random((slices, ROWS, COLUMNS)) < 0.4
        mask[random.permutation(slices)[: slices // 2]] = False
        masks[number] = mask
    masks[numbers[-1]] = np.zeros_like(mask)
    for place in range(slices):  # the union is all slices
        masks[numbers[place % (len(numbers) - 1)]][place, 0, place] = True
    return masks


@pytest.fixture
def written(tmp_path):
    def write(masks, **options):
        seed = options.pop("seed", int(np.random.default_rng().integers(10**9)))
        options.setdefault("shuffle", seed)
        return write_segmentation(tmp_path / "some" / f"{seed}.dcm", masks, seed=seed, **options)

    return write


class TestBinary:
    def test_segments_and_slices(self, written):
        masks = random_masks(1)
        da = xdicom.open_series(written(masks))
        assert da.dims == ("SegmentNumber", "z", "y", "x")
        assert da.dtype == np.uint8
        assert da.SegmentNumber.values.tolist() == [1, 2, 5]
        np.testing.assert_array_equal(da.z, 10 + 3.0 * np.arange(6))
        for number, mask in masks.items():
            np.testing.assert_array_equal(da.sel(SegmentNumber=number), mask)

    def test_without_frames_is_empty(self, written):
        masks = random_masks(2)
        da = xdicom.open_series(written(masks))
        present = np.stack([m.any(axis=(1, 2)) for m in masks.values()])
        np.testing.assert_array_equal(da.frame_present, present)
        assert (da.frame_id.values >= 0).sum() == present.sum()
        assert not da.sel(SegmentNumber=5).any()

    def test_one_segment_is_a_dim(self, written):
        masks = {4: np.ones((2, ROWS, COLUMNS), bool)}
        assert xdicom.open_series(written(masks)).sizes["SegmentNumber"] == 1

    def test_slices_are_those_of_all_segments(self, written):
        masks = {n: np.zeros((5, ROWS, COLUMNS), bool) for n in (1, 2)}
        masks[1][1, 2, 3] = masks[2][3, 5, 6] = masks[2][4, 5, 6] = True
        path = written(masks, positions=[0, 2, 4, 6, 10])
        da = xdicom.open_series(path)
        assert da.z.values.tolist() == [12, 16, 20]
        assert da.sum(("y", "x")).values.tolist() == [[1, 0, 0], [0, 1, 1]]

    @pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
    def test_encodings(self, written, syntax):
        masks = random_masks(4)
        da = xdicom.open_series(written(masks, transfer_syntax=syntax))
        np.testing.assert_array_equal(da, np.stack(list(masks.values())))
        assert da.segment_label.values.tolist() == ["segment 1", "segment 2", "segment 5"]

    def test_indexing_reads_what_is_asked_for(self, written):
        masks = random_masks(5)
        da = xdicom.open_series(written(masks))
        whole = np.stack(list(masks.values()))
        np.testing.assert_array_equal(da[::-1, 2:5, ::2, 3], whole[::-1, 2:5, ::2, 3])

    def test_dask(self, written):
        masks = random_masks(6)
        da = xdicom.open_series(written(masks), chunks={})
        np.testing.assert_array_equal(da.compute(), np.stack(list(masks.values())))

    def test_the_catalog_and_its_index(self, written, tmp_path):
        masks = random_masks(7)
        path = written(masks)
        for _ in range(2):  # the second from the index
            da = xdicom.scan(path.parent, index=tmp_path / "index.sqlite").open()
            np.testing.assert_array_equal(da, np.stack(list(masks.values())))
            assert da.dicom.segments.number.tolist() == [1, 2, 5]


class TestFractional:
    @pytest.mark.parametrize("maximum", [255, 100, 1])
    def test_fractions(self, written, maximum):
        stored = np.random.default_rng(maximum).integers(0, maximum + 1, (4, ROWS, COLUMNS))
        path = written({3: stored}, kind="fractional", maximum=maximum)
        da = xdicom.open_series(path)
        assert (da.dtype, da.attrs["dicom_scaling"]) == (np.float32, "applied")
        np.testing.assert_array_equal(da[0], (stored / maximum).astype(np.float32))
        assert da.attrs["SegmentationFractionalType"] == "PROBABILITY"
        raw = xdicom.open_series(path, scaling="stored")
        assert raw.dtype == np.uint8
        np.testing.assert_array_equal(raw[0], stored)

    def test_absent_is_zero(self, written):
        stored = np.zeros((3, ROWS, COLUMNS), int)
        stored[1] = 200
        other = np.zeros_like(stored)
        other[::2] = 7
        da = xdicom.open_series(written({1: stored, 2: other}, kind="fractional"))
        np.testing.assert_array_equal(da, np.float32(np.stack([stored, other]) / 255))

    def test_without_maximum(self, written):
        stored = np.full((1, ROWS, COLUMNS), 9)
        path = written({1: stored}, kind="fractional", maximum=None)
        with pytest.raises(MissingAttributeError, match="MaximumFractionalValue is missing"):
            xdicom.open_series(path)
        assert xdicom.open_series(path, scaling="stored").max() == 9


class TestLabelMap:
    @pytest.mark.parametrize(("numbers", "dtype"), [((1, 2, 5), "u1"), ((1, 300), "u2")])
    def test_labels(self, written, numbers, dtype):
        masks = random_masks(8, numbers)
        da = xdicom.open_series(written(masks, kind="labelmap"))
        labels = np.zeros((6, ROWS, COLUMNS), dtype)
        for number, mask in masks.items():
            labels[mask] = number
        kept = labels.any(axis=(1, 2))
        assert da.dims == ("z", "y", "x")
        assert da.dtype == dtype
        np.testing.assert_array_equal(da, labels[kept])
        assert da.dicom.segments.number.tolist() == list(numbers)


class TestOther:
    def test_slices_of_two_orientations_are_two_arrays(self, tmp_path, written):
        mask = np.ones((4, ROWS, COLUMNS), bool)
        axial, coronal = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1)
        path = written({1: mask, 2: ~mask}, orientation=[axial, axial, coronal, coronal])
        tree = xr.open_datatree(path, engine="dicom")
        found = [n.ds for n in tree.subtree if "pixels" in n.ds]
        assert [tuple(ds.sizes[d] for d in ("SegmentNumber", "z")) for ds in found] == [(2, 2)] * 2
        assert all(ds.pixels.sum() == mask[:2].sum() for ds in found)

    def test_times_are_a_dim(self, tmp_path):
        """Frames of one segment and slice, told apart by their place in time; one is empty."""
        masks = random_masks(13, (1, 2), slices=6)
        masks[2] = ~masks[1]
        masks[2][3] = False
        path = write_segmentation(
            tmp_path / "a.dcm", masks, positions=[0, 3, 6, 0, 3, 6], shuffle=3
        )
        with pytest.raises(NotHypercubeError, match="one segment and one position"):
            xdicom.open_series(path)
        ds = pydicom.dcmread(path)
        pixels = pixel_array(ds)
        for frame, group in zip(pixels, ds.PerFrameFunctionalGroupsSequence, strict=True):
            number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            (place,) = (i for i in range(6) if (masks[number][i] == frame).all())
            group.FrameContentSequence[0].TemporalPositionIndex = place // 3 + 1
        ds.save_as(path)
        da = xdicom.open_series(path)
        assert da.dims == ("SegmentNumber", "time", "z", "y", "x")
        for number, mask in masks.items():
            found = da.sel(SegmentNumber=number)
            np.testing.assert_array_equal(found, mask.reshape(2, 3, ROWS, COLUMNS))

    def test_nothing_tells_them_apart(self, written):
        path = written({1: np.ones((3, ROWS, COLUMNS), bool)}, positions=[0, 0, 3])
        with pytest.raises(NotHypercubeError, match="one segment and one position"):
            xdicom.open_series(path)
        assert xdicom.open_series(path, ragged="flat").sizes["instance"] == 3

    @pytest.mark.filterwarnings("ignore::xdicom.errors.IrregularSpacingWarning")
    def test_segments_that_were_not_selected_are_not_empty(self, written):
        masks = random_masks(14)
        path = written(masks)
        one = xdicom.open_series(path, select={"SegmentNumber": 2})
        assert one.SegmentNumber.values.tolist() == [2]
        np.testing.assert_array_equal(one[0], masks[2][masks[2].any(axis=(1, 2))])
        same = xdicom.scan(path.parent).filter(SegmentNumber=2).open()
        np.testing.assert_array_equal(same, one)

    def test_dims_of_the_caller(self, written):
        masks = random_masks(9, (1, 2))
        da = xdicom.open_series(written(masks), dims=("z", "SegmentNumber"))
        assert da.dims[:2] == ("z", "SegmentNumber")
        np.testing.assert_array_equal(da.sel(SegmentNumber=1), masks[1])
        assert xdicom.open_series(written(masks), dims="flat").dims[0] == "instance"

    def test_two_of_a_series_are_two_arrays(self, tmp_path):
        masks = random_masks(10)
        for number in (1, 2):
            write_segmentation(tmp_path / f"{number}.dcm", masks, instance_number=number)
        tree = xr.open_datatree(tmp_path, engine="dicom")
        assert sum("pixels" in node.ds for node in tree.subtree) == 2

    def test_a_frame_of_no_segment(self, tmp_path):
        path = write_segmentation(tmp_path / "a.dcm", random_masks(11))
        ds = pydicom.dcmread(path)
        del ds.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence
        ds.save_as(path)
        with pytest.raises(MissingAttributeError, match="ReferencedSegmentNumber is missing"):
            xdicom.open_series(path)

    @pytest.mark.parametrize("numbers", [(1,), (1, 2)])
    def test_without_positions_nothing_is_put_together(self, tmp_path, numbers):
        """The frames of one segment may be of other images than those of another."""
        masks = {number: np.zeros((4, ROWS, COLUMNS), bool) for number in numbers}
        for number in numbers:
            masks[number][number : number + 2, number] = True
        path = write_segmentation(tmp_path / "a.dcm", masks)
        ds = pydicom.dcmread(path)
        for group in ds.PerFrameFunctionalGroupsSequence:
            del group.PlanePositionSequence, group.FrameContentSequence
        del ds.DimensionIndexSequence
        ds.save_as(path)
        da = xdicom.open_series(path)
        np.testing.assert_array_equal(da.values.reshape(-1, ROWS, COLUMNS), pixel_array(ds))
        dims = ("SegmentNumber", "instance") if len(numbers) == 1 else ("instance",)
        assert da.dims == (*dims, "y", "x")

    def test_rows_hold_what_is_needed(self, written):
        table = scan_table(written(random_masks(12)))
        assert table.column("xdicom_segments").constant
        assert xdicom.scan(table.root).instances.shape[0] == 1
