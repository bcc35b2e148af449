"""Simulated and bundled series, or a user's folder, go the whole way: files to arrays and back."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pydicom
import xarray as xr
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import apply_rescale
from pydicom.pixels.utils import pixel_array

import xdicom.accessor  # noqa: F401  so that arrays have .dicom
from xdicom.api.chunks import chunked
from xdicom.demo.report import Abandoned, Report, Step, Unavailable
from xdicom.display.labels import series_name, sizes_text
from xdicom.display.outline import outline
from xdicom.errors import ConformanceError
from xdicom.opening.arrays import VARIABLE
from xdicom.pixels.array import COUNTER
from xdicom.testing import phantom_study

Floats = npt.NDArray[np.floating[Any]]

OUT: Final = "xdicom-demo"
"""Folder of the pictures, by default in the working directory."""
MARK: Final = "xdicom demo"
"""Stands in the pictures' metadata, so that a second run knows its own."""
MOST_BYTES: Final = 2**28
"""Of a larger array only a part is averaged, cached and written."""

_PLANE = ("y", "x", "sample")


def run(folder: Path | None, out: Path) -> int:
    """Run the demonstration.

    Parameters
    ----------
    folder : path or None
        The user's study, which is only read; None for bundled and simulated series.
    out : path
        Where the pictures go.

    Returns
    -------
    int
        0 if each check held, 1 if one did not, 2 if there is nothing to work on.
    """
    report = Report(sys.stdout)
    try:
        _prepare(folder, out)
        with tempfile.TemporaryDirectory(prefix=".scratch-", dir=out) as scratch:
            if folder is None:
                _bundled(report)
                _phantom(report, out, Path(scratch))
                for name in ("CT_small", "MR_small"):
                    _small(report, name, out, Path(scratch))
            else:
                _own(report, folder, out, Path(scratch))
    except _NothingError as error:
        report.line(f"xdicom demo: {error}")
        return 2
    return report.end(out)


class _NothingError(Exception):
    """There is nothing to work on, or nowhere to write to."""


def _prepare(folder: Path | None, out: Path) -> None:
    if folder is not None:
        if not folder.exists():
            raise _NothingError(f"{folder} does not exist")
        root = (folder if folder.is_dir() else folder.parent).resolve()
        if root in (out.resolve(), *out.resolve().parents):
            raise _NothingError(
                f"the pictures would go to {out}, inside of {root}, which is only read; "
                "choose another place with --out DIR"
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _NothingError(f"the pictures cannot go to {out}: {error}") from error


def _bundled(report: Report) -> None:
    """The studies that pydicom brings along, as a tree."""
    report.heading("pydicom's bundled studies, with a DICOMDIR")
    with suppress(Abandoned):
        found = get_testdata_file("DICOMDIR")
        _tree(report, Path(str(found)).parent)


def _tree(report: Report, folder: Path) -> xr.DataTree:
    COUNTER.reset()
    with report.step("opened as a tree") as step:
        tree: xr.DataTree = xr.open_datatree(folder, engine="dicom")
        nodes = list(tree.subtree)
        counts = [
            _count(len(tree.children), "patient"),
            _count(sum(len(p.children) for p in tree.children.values()), "study", "studies"),
            _count(sum(VARIABLE in node.data_vars for node in nodes), "array"),
        ]
        for key, what in (("dicom_content", "without pixels"), ("dicom_error", "refused")):
            if number := sum(key in node.attrs for node in nodes):
                counts.append(f"{number} {what}")
        step.say(": " + ", ".join(counts))
        step.check(COUNTER.frames == 0, f"{COUNTER.frames} frames were decoded already")
        step.details.append(outline(tree))
        step.details += _problem_lines(tree)
    return tree


def _problem_lines(tree: xr.DataTree) -> list[str]:
    """The problems of the files by kind, an example of each."""
    lines = []
    for kind, group in tree.dicom.problems.groupby("kind", sort=True):
        first = group.iloc[0]
        lines.append(_cut(f"{len(group)} × {kind}: {first['file']}: {first['message']}"))
    return ["problems, with the first file of each kind:", *lines] if lines else []


def _phantom(report: Report, out: Path, scratch: Path) -> None:
    report.heading("A simulated head: 2 echoes × 40 slices × 256 × 256")
    with suppress(Abandoned):
        with report.step("wrote") as step:
            study = phantom_study(scratch / "phantom")
            size = sum(p.stat().st_size for p in study.paths)
            step.say(f" {_count(len(study.paths), 'DICOM file')}, {_bytes(size)}")
        dataset = _opened(report, study.folder)
        _journey(report, _Subject("phantom", dataset, study.t2star), out, scratch)


def _small(report: Report, name: str, out: Path, scratch: Path) -> None:
    report.heading(f"pydicom's {name}.dcm")
    with suppress(Abandoned):
        dataset = _opened(report, Path(str(get_testdata_file(f"{name}.dcm"))))
        _journey(report, _Subject(name, dataset), out, scratch)


def _own(report: Report, folder: Path, out: Path, scratch: Path) -> None:
    report.heading(str(folder))
    try:
        tree = _tree(report, folder)
    except Abandoned:
        raise _NothingError(f"{folder} could not be opened") from None
    nodes = [n for n in tree.subtree if VARIABLE in n.data_vars and n[VARIABLE].size]
    if not nodes:
        raise _NothingError(f"nothing in {folder} has pixels that make an array")
    largest = max(nodes, key=lambda n: n[VARIABLE].nbytes)
    report.heading(f"The largest array: {largest.path}")
    with suppress(Abandoned):
        subject = _Subject("montage", largest.to_dataset(inherit=False), own=True)
        _journey(report, subject, out, scratch)


def _opened(report: Report, where: Path) -> xr.Dataset:
    COUNTER.reset()
    with report.step("opened lazily") as step:
        dataset = xr.open_dataset(where, engine="dicom")
        array = dataset[VARIABLE]
        sizes = ", ".join(f"{d} {n}" for d, n in array.sizes.items())
        step.say(f": pixels({sizes}) {array.dtype}, {_bytes(array.nbytes)}; nothing is decoded yet")
        step.check(COUNTER.frames == 0, f"{COUNTER.frames} frames were decoded already")
    return dataset


@dataclass(frozen=True)
class _Subject:
    """An opened array that is taken the whole way."""

    name: str
    """Of its pictures."""
    dataset: xr.Dataset
    truth: Floats | None = None
    """T2* in ms, where it is known."""
    own: bool = False
    """The user's: may be of a kind that cannot be written yet."""


def _journey(report: Report, subject: _Subject, out: Path, scratch: Path) -> None:
    """From one opened array to all that is made of it."""
    name, array = subject.name, subject.dataset[VARIABLE]
    with report.step("explained the dims") as step:
        # the problems of all files stand below the tree
        step.details.append(str(replace(array.dicom.explain(), problems=())))
    part = _selected(report, array)
    _same_as_pydicom(report, array)
    whole = _affordable(array)
    _averaged(report, whole)
    if array.sizes.get("EchoTime", 0) > 1:
        with suppress(Abandoned):
            _decay(report, subject, whole, out)
    _cached(report, subject.dataset, whole, scratch / f"{name}.zarr")
    with suppress(Abandoned):
        _written(report, _affordable(part), scratch / f"{name}-derived", must=not subject.own)
    with report.step("drew a montage") as step:
        _save(array.dicom.montage(), out / f"{name}.png", step)


def _selected(report: Report, array: xr.DataArray) -> xr.DataArray:
    """The middle third of the longest frame dim, by its labels where it has any."""
    frame_dims = [d for d in array.dims if d not in _PLANE and array.sizes[d] > 1]
    dim = max(frame_dims, key=lambda d: array.sizes[d], default="y")
    size = array.sizes[dim]
    first, last = size // 3, max(size // 3, size - size // 3 - 1)
    labels = array.indexes.get(dim)
    with report.step("selected ") as step:
        if labels is not None and labels.dtype.kind == "f" and labels.is_monotonic_increasing:
            part = array.sel({dim: slice(labels[first], labels[last])})
            step.say(f".sel({dim}=slice({labels[first]:g}, {labels[last]:g}))")
        else:
            part = array.isel({dim: slice(first, last + 1)})
            step.say(f".isel({dim}=slice({first}, {last + 1}))")
        COUNTER.reset()
        part.load()
        held = int((part["frame_id"] >= 0).sum())
        step.say(f": {sizes_text(part.sizes)}, {_count(COUNTER.frames, 'frame')} decoded")
        step.check(COUNTER.frames == held, f"{held} frames had to be decoded")
        step.check(part.sizes[dim] == last + 1 - first, f"{part.sizes[dim]} places along {dim}")
    return array.isel({dim: slice(first, last + 1)})


def _same_as_pydicom(report: Report, array: xr.DataArray) -> None:
    """A frame from the middle, against pydicom's own reading of its file."""
    frame = array.isel({d: array.sizes[d] // 2 for d in array.dims if d not in _PLANE})
    with suppress(Abandoned), report.step("compared the frame in the middle with pydicom") as step:
        header = frame.dicom.header()
        grey = str(header.get("PhotometricInterpretation", "")).startswith("MONOCHROME")
        both = ("RescaleSlope" in header) == ("RescaleIntercept" in header)
        if header.get("NumberOfFrames", 1) != 1 or not grey or not both:
            raise Unavailable("it is no grey image in a file of its own")
        file = pydicom.dcmread(str(header.filename))
        try:
            theirs = apply_rescale(pixel_array(file), file)
        except (RuntimeError, NotImplementedError, AttributeError) as error:
            raise Unavailable(f"pydicom: {error}") from error
        step.say(": same values")
        same = np.allclose(frame.values, theirs, rtol=1e-6, atol=1e-6)
        step.check(same, f"values differ from pydicom's in {header.filename}")


def _affordable(array: xr.DataArray) -> xr.DataArray:
    """As much of an array as a demonstration should read and write."""
    while array.nbytes > MOST_BYTES:
        dims = [d for d in array.dims if d not in _PLANE]
        dim = max(dims, key=lambda d: array.sizes[d], default=None)
        if dim is None or array.sizes[dim] < 2:
            break
        array = array.isel({dim: slice(0, max(1, array.sizes[dim] * MOST_BYTES // array.nbytes))})
    return array


def _averaged(report: Report, array: xr.DataArray) -> None:
    dims = [d for d in array.dims if d not in _PLANE and array.sizes[d] > 1] or ["y", "x"]
    with report.step(f"averaged over {' and '.join(map(str, dims))}") as step:
        lazy = chunked(array, "auto")
        mean = lazy.mean(dims, dtype=np.float64).compute()
        expected = np.nanmean(array.values, axis=array.get_axis_num(dims), dtype=np.float64)
        chunks = _count(lazy.data.npartitions, "chunk")
        step.say(f": {_count(array['frame_id'].size, 'frame')}, with dask in {chunks}")
        step.check(np.allclose(mean, expected, equal_nan=True), "numpy's mean is another one")


def decay_time(array: xr.DataArray) -> xr.DataArray:
    """T2* of each voxel: the straight line through the logarithm of the signal over EchoTime.

    Parameters
    ----------
    array : DataArray
        Magnitudes, dims EchoTime (ms), y, x and others.

    Returns
    -------
    DataArray
        ms; NaN where there is no signal, or none that decays.
    """
    echo_time = array["EchoTime"].astype(np.float64)
    middle = array.isel({d: n // 2 for d, n in array.sizes.items() if d not in _PLANE})
    ground = 0.04 * float(middle.quantile(0.99))
    log: xr.DataArray = xr.apply_ufunc(np.log, array.where(array > ground), dask="allowed")
    weight = echo_time - echo_time.mean()
    rate = -(log * weight).sum("EchoTime", skipna=False) / (weight**2).sum()
    time = 1 / rate.where((rate > 1e-3) & (rate < 2))
    kept = {k: array.attrs[k] for k in ("SeriesDescription", "Modality") if k in array.attrs}
    named: xr.DataArray = time.rename("T2*").assign_attrs(kept, units="ms")
    return named


def _decay(report: Report, subject: _Subject, array: xr.DataArray, out: Path) -> None:
    truth = subject.truth
    if "component" in array.dims and "M" in array["component"]:
        array = array.sel(component="M")
    with report.step("fitted T2* with dask") as step:
        times = decay_time(chunked(array, "auto")).compute()
        if not times.notnull().any():
            raise Unavailable("there is no signal that falls with EchoTime")
        step.say(f": median {float(times.median()):.1f} ms")
        if truth is not None:
            error = (times.values / truth - 1)[np.isfinite(truth)]
            fitted = np.isfinite(error).mean()
            whole, voxel = np.nanmedian(error), np.nanmedian(np.abs(error))
            step.say(f", {abs(whole):.1%} off the truth, {voxel:.0%} in a single voxel")
            step.check(bool(abs(whole) < 0.02), "more than 2 % off")
            step.check(bool(voxel < 0.15), "more than 15 % off in single voxels")
            step.check(bool(fitted > 0.95), f"only {fitted:.0%} of the tissue has a value")
    with report.step("drew the T2* map") as step:
        high = float(times.quantile(0.9))
        figure = times.dicom.montage(
            cmap="inferno",
            window=(high / 2, high),
            limit=40,
            title=f"{series_name(array)}: T2*",
        )
        _save(figure, out / f"{subject.name}-t2star.png", step)


def _cached(report: Report, dataset: xr.Dataset, part: xr.DataArray, store: Path) -> None:
    with report.step("cached in zarr") as step:
        whole = dataset.isel({d: slice(0, n) for d, n in part.sizes.items()})
        whole.assign({VARIABLE: chunked(part, "auto")}).to_zarr(store)
        back = xr.open_zarr(store)
        size = sum(f.stat().st_size for f in store.rglob("*") if f.is_file())
        step.say(f", {_bytes(size)}, and opened again: identical")
        step.failed += differences(whole, back)


def differences(a: xr.Dataset, b: xr.Dataset) -> list[str]:
    """What differs between two Datasets: names, dims, dtypes, values, attrs and their types."""
    found = [f"{name} is in one of them" for name in {*a.variables} ^ {*b.variables}]
    for name in {*a.variables} & {*b.variables}:
        x, y = a.variables[name], b.variables[name]
        equal_nan = x.dtype.kind in "fcmM"
        if (x.dims, x.dtype) != (y.dims, y.dtype):
            found.append(f"{name}: {x.dims} {x.dtype} became {y.dims} {y.dtype}")
        elif not np.array_equal(x.values, y.values, equal_nan=equal_nan):
            found.append(f"{name}: other values")
        elif repr(dict(sorted(x.attrs.items()))) != repr(dict(sorted(y.attrs.items()))):
            found.append(f"{name}: other attrs")
    return found


def _written(report: Report, part: xr.DataArray, folder: Path, *, must: bool) -> None:
    """Write an array, open it again and compare; not all kinds of images *must* be writable."""
    with report.step("wrote the selection as a new series") as step:
        try:
            part.dicom.to_dicom(folder, series_description="xdicom demo", progress=False)
        except ConformanceError as error:
            if must:
                raise
            raise Unavailable(str(error)) from error
        files = sum(f.is_file() for f in folder.rglob("*"))
        step.say(f": {_count(files, 'DICOM file')}")
    with report.step("opened that again") as step:
        back = xr.open_dataset(folder, engine="dicom")[VARIABLE]
        wanted = part.squeeze([d for d in part.dims if d not in back.dims and part.sizes[d] == 1])
        if set(wanted.dims) != set(back.dims):
            raise ValueError(f"dims {wanted.dims} came back as {back.dims}")
        wanted = wanted.transpose(*back.dims)
        same = np.array_equal(wanted.values, back.values, equal_nan=wanted.dtype.kind == "f")
        step.check(same, "other pixels")
        step.say(": same pixels")
        coords = [c for d, c in wanted.coords.items() if d in ("x", "y", "z")]
        places = [str(c.name) for c in coords if c.attrs.get("units") == "mm"]
        for dim in places:
            there = back.coords[dim].values if dim in back.coords else np.nan
            off = np.abs(wanted.coords[dim].values - there).max()
            step.check(bool(off < 1e-4), f"positions along {dim} are {off:g} mm off")
        if places:
            ours, theirs = (
                a["patient_space"].attrs.get("ImageOrientationPatient", []) for a in (wanted, back)
            )
            step.check(np.allclose(ours, theirs, rtol=0, atol=1e-6), "another orientation")
            step.say(f", same {', '.join(places)} within 1e-4 mm")


def _save(figure: Any, path: Path, step: Step) -> None:
    """Write a picture, over nothing but one of ours."""
    if path.exists():
        with path.open("rb") as file:
            if MARK.encode() not in file.read(4096):
                raise FileExistsError(f"{path} is not from here; choose another --out DIR")
    figure.savefig(path, metadata={"Software": MARK})
    step.say(f": {path}")


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def _cut(text: str) -> str:
    return text if len(text) <= 140 else text[:139] + "…"
