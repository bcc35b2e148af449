"""An xarray object becomes a folder of DICOM files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from pydicom.uid import ExplicitVRLittleEndian
from tqdm.auto import tqdm

from xdicom.errors import ConformanceError
from xdicom.headers.store import header_of
from xdicom.selecting.provenance import Source
from xdicom.writing.elements import apply_rules
from xdicom.writing.explicit import Elements, element, elements_of, header_elements, value_of
from xdicom.writing.identity import VERSION
from xdicom.writing.output import Output
from xdicom.writing.plan import Encoding, Plan, make_plan
from xdicom.writing.quantise import ROUND_FIRST, NotExactError, stored_integers
from xdicom.writing.staging import Staging, check_free, destination
from xdicom.writing.verify import verify_file

Array = npt.NDArray[Any]

_BLOCK: Final = 64 * 2**20
"""Bytes of values computed at a time, unless one chunk holds more."""
_IMPLEMENTATION: Final = "2.25.286914806117246420957374870321847521041"
_PIXEL_DATA: Final = 0x7FE00010


def to_dicom(
    obj: xr.DataArray | xr.Dataset,
    folder: str | os.PathLike[str],
    *,
    series_number: int | None = None,
    series_description: str | None = None,
    derivation: str | None = None,
    source: Source | None = None,
    overwrite: bool = False,
    verify: bool = True,
    progress: bool | None = None,
) -> pd.DataFrame:
    r"""Write an array as a new DICOM series, one file a frame.

    Everything that can be is decided and checked first; files are then written under temporary
    names, read again, and put in their places together at the end. If anything fails, nothing is
    left behind.

    Parameters
    ----------
    obj : DataArray or Dataset
        Frames opened by xdicom, or a selection of them: any subset of frames, crops, strides and
        flips along x, y and z, dims in any order; also results of arithmetic that keep the frames
        and whose values stored integers can hold exactly. Of a Dataset, its variable ``pixels``.
    folder : path
        Destination; made where it does not exist. Not at, in or around a folder of source files.
    series_number : int, optional
        SeriesNumber; default: the source's × 100 + 1.
    series_description : str, optional
        SeriesDescription, at most 64 characters; default: the source's + " (derived)".
    derivation : str, optional
        DerivationDescription; default: "xdicom" and its version.
    source : path, FrameTable or array, optional
        Where the headers are, if not where the array says.
    overwrite : bool
        Replace files of the same names.
    verify : bool
        Read each file again with pydicom and compare it with what was to be written.
    progress : bool, optional
        False: no progress bar, which otherwise shows from one second on.

    Returns
    -------
    pandas.DataFrame
        One row a file, in the order of InstanceNumber, which is its index; columns ``file`` (its
        path), ``SOPInstanceUID``, ``SeriesInstanceUID`` and ``source`` (SOPInstanceUID of the
        frame it was made from). ``xr.open_dataset(list(written.file), engine="dicom")`` opens it.

    Raises
    ------
    ConformanceError
        If it cannot be written as conformant DICOM: empty, holes, NaN, values that no stored
        integer stands for, dims without an attribute, files that exist.
    HeadersUnavailableError
        If nothing leads to the headers of the frames.

    Notes
    -----
    The attributes follow a table (``xdicom.writing.elements.RULES``): patient, study and frame of
    reference are copied, UIDs are new, geometry comes from x, y and z. Each block of about 64 MB,
    or each dask chunk if that is larger, is computed on its own; ``docs/writing.md`` says more.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from pydicom.data import get_testdata_file
    >>> da = xdicom.open_series(get_testdata_file("CT_small.dcm"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = to_dicom(da.isel(x=slice(None, None, -2)), folder)
    ...     again = xdicom.open_series(folder)
    >>> [os.path.basename(path) for path in written.file]
    ['IM000001.dcm']
    >>> again.sizes["x"], again.attrs["SeriesDescription"]
    (64, '(derived)')
    """
    plan = make_plan(
        obj,
        series_number=series_number,
        series_description=series_description,
        derivation=derivation,
        source=source,
    )
    target = destination(folder, plan.roots)
    names = [f"IM{number:06d}.dcm" for number in range(1, len(plan) + 1)]
    check_free(target, names, overwrite)
    with Staging(target, overwrite) as staging:
        _write_first_exact(plan, staging, names, verify, progress)
        staging.commit(names)
    table = plan.selection.table
    return pd.DataFrame(
        {
            "file": [str(target / name) for name in names],
            "SOPInstanceUID": [plan.uid(i) for i in range(len(plan))],
            "SeriesInstanceUID": plan.series.uid,
            "source": table.strings("SOPInstanceUID")[plan.selection.flat],
        },
        index=pd.RangeIndex(1, len(plan) + 1, name="InstanceNumber"),
    )


def _write_first_exact(
    plan: Plan, staging: Staging, names: Sequence[str], verify: bool, progress: bool | None
) -> None:
    """Write all frames in the first encoding that holds every value exactly."""
    reasons = []
    for encoding in plan.encodings:
        try:
            _write_frames(plan, encoding, staging, names, verify, progress)
            return
        except NotExactError as error:
            reasons.append(str(error))
            staging.clear()
    raise ConformanceError(
        f"the values cannot be written exactly: {reasons[-1]}",
        found=f"{plan.selection.array.dtype} values",
        remedy=ROUND_FIRST,
    )


def _write_frames(
    plan: Plan,
    encoding: Encoding,
    staging: Staging,
    names: Sequence[str],
    verify: bool,
    progress: bool | None,
) -> None:
    shape = plan.selection.rows.shape
    number = np.arange(len(plan)).reshape(shape)
    with tqdm(
        total=len(plan),
        desc="writing",
        unit="file",
        delay=1,
        leave=False,
        disable=progress is False,
    ) as bar:
        for region in _blocks(plan.selection.array, plan.selection.dims):
            places = number[region].reshape(-1)
            part = plan.selection.array[region]
            values = np.asarray(part.values).reshape(-1, *part.shape[len(shape) :])
            for index, frame in zip(places.tolist(), values, strict=True):
                _write_frame(plan, encoding, index, frame, staging.path(names[index]), verify)
                bar.update()


def _write_frame(
    plan: Plan, encoding: Encoding, index: int, values: Array, path: Path, verify: bool
) -> None:
    slope, intercept = plan.rescale(index, encoding)
    if values.dtype.kind not in "biuf":
        raise ConformanceError("values of this dtype cannot be written", found=values.dtype)
    stored = stored_integers(values, slope, intercept, plan.layout(index, encoding))
    header = header_elements(header_of(plan.selection.table, int(plan.selection.flat[index])))
    output = Output(plan, encoding, index, header)
    body = file_bytes(apply_rules(output), stored, output.layout.allocated)
    with open(path, "xb") as file:
        file.write(body)
    if verify:
        verify_file(path, output, stored)


def file_bytes(elements: Elements, stored: Array, allocated: int) -> bytes:
    """A file of elements and pixels in explicit VR little endian (PS3.10 7.1).

    Parameters
    ----------
    elements : mapping of int to bytes
        The data set without its pixels.
    stored : array, shape (rows, columns[, samples])
        Stored integers, little endian; 0 and 1 where ``allocated`` is 1.
    allocated : int
        BitsAllocated.
    """
    if allocated == 1:
        stored = np.packbits(stored.reshape(-1), bitorder="little")
    uids = (value_of(elements[tag]).decode("ascii").rstrip("\0 ") for tag in (0x80016, 0x80018))
    meta = elements_of(
        [
            ("MediaStorageSOPClassUID", next(uids)),
            ("MediaStorageSOPInstanceUID", next(uids)),
            ("TransferSyntaxUID", str(ExplicitVRLittleEndian)),
            ("ImplementationClassUID", _IMPLEMENTATION),
            ("ImplementationVersionName", f"XDICOM_{VERSION}"[:16]),
        ]
    )
    meta[0x00020001] = element(0x00020001, "OB", b"\0\1")
    body = b"".join(meta[tag] for tag in sorted(meta))
    length = element(0x00020000, "UL", len(body).to_bytes(4, "little"))
    pixels = element(_PIXEL_DATA, "OB" if allocated <= 8 else "OW", stored.tobytes())
    ordered = (elements[tag] for tag in sorted(elements) if tag < _PIXEL_DATA)
    return b"".join((b"\0" * 128, b"DICM", length, body, *ordered, pixels))


def _blocks(array: xr.DataArray, dims: Sequence[str]) -> Iterator[tuple[slice, ...]]:
    """Parts of the frame dims that are computed together: whole dask chunks, about 64 MB."""
    chunks = array.variable.chunksizes  # coordinates may be cut otherwise
    plane = int(np.prod([array.sizes[d] for d in array.dims if d not in dims]))
    frames = max(_BLOCK // max(plane * array.dtype.itemsize, 1), 1)
    parts: list[list[slice]] = []
    for dim in reversed(dims):
        sizes = chunks.get(dim) or (1,) * array.sizes[dim]
        joined = _joined(sizes, frames)
        parts.append(joined)
        frames = max(frames // max(s.stop - s.start for s in joined), 1)
    return product(*reversed(parts))


def _joined(sizes: Sequence[int], most: int) -> list[slice]:
    """Neighbouring chunks as slices of at most so many frames, or one chunk where it has more.

    Examples
    --------
    >>> _joined((2, 2, 2, 5, 1), 4)
    [slice(0, 4, None), slice(4, 6, None), slice(6, 11, None), slice(11, 12, None)]
    """
    found: list[slice] = []
    start = stop = 0
    for size in sizes:
        if stop > start and stop + size - start > most:
            found.append(slice(start, stop))
            start = stop
        stop += size
    found.append(slice(start, stop))
    return found
