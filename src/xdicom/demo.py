"""Simulated and bundled series, or a user's folder, go the whole way: files to arrays and back."""

from __future__ import annotations

import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pydicom
import xarray as xr
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_rescale, pixel_array

import xdicom.accessor  # noqa: F401  so that arrays have .dicom
from xdicom.api import chunked
from xdicom.display.labels import series_name, sizes_text
from xdicom.display.outline import outline
from xdicom.errors import UnsupportedOptionError, XDicomError, XDicomWarning
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


class Step:
    """One line of the report while it happens."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.failed: list[str] = []
        self.details: list[str] = []
        self.skipped = False

    def say(self, text: str) -> None:
        """Add to the line what was found."""
        self.what += text

    def check(self, holds: bool, otherwise: str) -> None:
        """Fail the step, and say why, unless something holds."""
        if not holds:
            self.failed.append(otherwise)


class Abandoned(Exception):  # noqa: N818  a signal, no error of its own
    """A step broke off, and what follows needs it."""


class Report:
    """Prints a line for each step: whether its checks held, how long it took, what it did."""

    def __init__(self) -> None:
        self.steps = self.failures = 0
        self.start = perf_counter()

    def heading(self, text: str) -> None:
        """Begin a part."""
        print(f"\n{text}")

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Time a step; errors of the data and of files fail it."""
        step = Step(what)
        self.steps += 1
        start = perf_counter()
        broken = True
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield step
                broken = False
        except UnsupportedOptionError as error:
            step.skipped = True
            step.details.append(str(error))
        except (XDicomError, OSError, ValueError, MemoryError) as error:
            step.failed.append(f"{type(error).__name__}: {error}")
        seconds = perf_counter() - start
        mark = "✗" if step.failed else "–" if step.skipped else "✓"
        print(f"  {mark} {seconds:6.2f} s  {step.what}", flush=True)
        notes = [str(w.message) for w in caught if issubclass(w.category, XDicomWarning)]
        for text in (*step.failed, *notes, *step.details):
            print(textwrap.indent(text, " " * 14), flush=True)
        if step.failed:
            self.failures += 1
        if broken:
            raise Abandoned(step.what)

    def end(self, out: Path) -> int:
        """Print the last line; gives the exit code."""
        seconds = perf_counter() - self.start
        if self.failures:
            print(f"\n{self.failures} of {self.steps} steps failed, in {seconds:.1f} s")
            return 1
        print(f"\nAll {self.steps} steps hold, in {seconds:.1f} s. Pictures: {out}/")
        return 0


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
    report = Report()
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
        print(f"xdicom demo: {error}")
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
        patients = len(tree.children)
        studies = sum(len(p.children) for p in tree.children.values())
        arrays = sum(VARIABLE in node.data_vars for node in tree.subtree)
        without = sum("dicom_content" in node.attrs for node in tree.subtree)
        refused = sum("dicom_error" in node.attrs for node in tree.subtree)
        counts = {"patients": patients, "studies": studies, "arrays": arrays}
        counts |= {k: n for k, n in {"without pixels": without, "refused": refused}.items() if n}
        step.say(": " + ", ".join(f"{n} {k}" for k, n in counts.items()))
        step.check(COUNTER.frames == 0, f"{COUNTER.frames} frames were decoded already")
        step.details.append(outline(tree))
        if len(problems := tree.dicom.problems):
            listed = problems.head(10)[["file", "message"]].to_numpy()
            lines = [_cut(f"{file}: {message}") for file, message in listed]
            more = [f"… {len(problems) - 10} more"] if len(problems) > 10 else []
            step.details.append("\n".join(["problems:", *lines, *more]))
    return tree


def _phantom(report: Report, out: Path, scratch: Path) -> None:
    report.heading("A simulated head: 2 echoes × 40 slices × 256 × 256")
    with suppress(Abandoned):
        with report.step("wrote") as step:
            study = phantom_study(scratch / "phantom")
            size = sum(p.stat().st_size for p in study.paths)
            step.say(f" {len(study.paths)} DICOM files, {size / 1e6:.1f} MB")
        dataset = _opened(report, study.folder)
        _journey(report, "phantom", dataset, out, scratch, truth=study.t2star)


def _small(report: Report, name: str, out: Path, scratch: Path) -> None:
    report.heading(f"pydicom's {name}.dcm")
    with suppress(Abandoned):
        dataset = _opened(report, Path(str(get_testdata_file(f"{name}.dcm"))))
        _journey(report, name, dataset, out, scratch)


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
        _journey(report, "montage", largest.to_dataset(inherit=False), out, scratch)


def _opened(report: Report, where: Path) -> xr.Dataset:
    COUNTER.reset()
    with report.step("opened lazily") as step:
        dataset = xr.open_dataset(where, engine="dicom")
        array = dataset[VARIABLE]
        sizes = ", ".join(f"{d} {n}" for d, n in array.sizes.items())
        step.say(f": pixels({sizes}) {array.dtype}, {_megabytes(array)}; nothing is decoded yet")
        step.check(COUNTER.frames == 0, f"{COUNTER.frames} frames were decoded already")
    return dataset


def _journey(
    report: Report,
    name: str,
    dataset: xr.Dataset,
    out: Path,
    scratch: Path,
    truth: Floats | None = None,
) -> None:
    """From one opened array to all that is made of it."""
    array = dataset[VARIABLE]
    with report.step("explained the dims") as step:
        step.details.append(str(array.dicom.explain()))
    part = _selected(report, array)
    _same_as_pydicom(report, array)
    whole = _affordable(array)
    _averaged(report, whole)
    if array.sizes.get("EchoTime", 0) > 1:
        with suppress(Abandoned):
            _decay(report, name, whole, out, truth)
    _cached(report, dataset, whole, scratch / f"{name}.zarr")
    with suppress(Abandoned):
        _written(report, _affordable(part), scratch / f"{name}-derived")
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
        part.values  # noqa: B018  reads
        held = int((part["frame_id"] >= 0).sum())
        step.say(f": {sizes_text(part.sizes)}, {COUNTER.frames} frames decoded")
        step.check(COUNTER.frames == held, f"{held} frames had to be decoded")
        step.check(part.sizes[dim] == last + 1 - first, f"{part.sizes[dim]} places along {dim}")
    return array.isel({dim: slice(first, last + 1)})


def _same_as_pydicom(report: Report, array: xr.DataArray) -> None:
    """A frame from the middle, against pydicom's own reading of its file."""
    frame = array.isel({d: array.sizes[d] // 2 for d in array.dims if d not in _PLANE})
    with suppress(Abandoned), report.step("compared with pydicom") as step:
        header = frame.dicom.header()
        comparable = str(header.get("PhotometricInterpretation", "")).startswith("MONOCHROME")
        both = ("RescaleSlope" in header) == ("RescaleIntercept" in header)
        if header.get("NumberOfFrames", 1) != 1 or not comparable or not both:
            step.say(": left out, not a grey image in a file of its own")
            return
        file = pydicom.dcmread(str(header.filename))
        theirs = apply_rescale(pixel_array(file), file)
        step.say(": the frame in the middle has the same values")
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
    dims = [d for d in array.dims if d not in _PLANE] or ["y"]
    with report.step(f"averaged over {', '.join(map(str, dims))}") as step:
        lazy = chunked(array, "auto")
        mean = lazy.mean(dims, dtype=np.float64).compute()
        expected = np.nanmean(array.values, axis=array.get_axis_num(dims), dtype=np.float64)
        step.say(f" of {_megabytes(array)}, with dask in {lazy.data.npartitions} chunks")
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
    log = np.log(array.where(array > ground))
    weight = echo_time - echo_time.mean()
    rate = -(log * weight).sum("EchoTime", skipna=False) / (weight**2).sum()
    time = (1 / rate).where((rate > 1e-3) & (rate < 2))
    kept = {k: array.attrs[k] for k in ("SeriesDescription", "Modality") if k in array.attrs}
    return time.rename("T2*").assign_attrs(kept, units="ms")


def _decay(report: Report, name: str, array: xr.DataArray, out: Path, truth: Floats | None) -> None:
    if "component" in array.dims and "M" in array["component"]:
        array = array.sel(component="M")
    with report.step("fitted T2* with dask") as step:
        times = decay_time(chunked(array, "auto")).compute()
        step.say(f": median {float(times.median()):.1f} ms")
        if truth is not None:
            error = np.abs(times.values / truth - 1)[np.isfinite(truth)]
            fitted, off = np.isfinite(error).mean(), np.nanmedian(error)
            step.say(f", off the truth by {off:.1%} (median over tissue)")
            step.check(off < 0.05, "more than 5 % off")
            step.check(fitted > 0.95, f"only {fitted:.0%} of the tissue has a value")
    with report.step("drew the T2* map") as step:
        high = float(times.quantile(0.9))
        figure = times.dicom.montage(
            cmap="inferno",
            window=(high / 2, high),
            limit=40,
            title=f"{series_name(array)}: T2*",
        )
        _save(figure, out / f"{name}-t2star.png", step)


def _cached(report: Report, dataset: xr.Dataset, part: xr.DataArray, store: Path) -> None:
    with report.step("cached in zarr") as step:
        whole = dataset.isel({d: slice(0, n) for d, n in part.sizes.items()})
        whole.assign({VARIABLE: chunked(part, "auto")}).to_zarr(store)
        back = xr.open_zarr(store)
        size = sum(f.stat().st_size for f in store.rglob("*") if f.is_file())
        step.say(f", {size / 1e6:.1f} MB, and opened again: identical")
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


def _written(report: Report, part: xr.DataArray, folder: Path) -> None:
    with report.step("wrote the selection as a new series") as step:
        part.dicom.to_dicom(folder, series_description="xdicom demo")
        files = [f for f in folder.rglob("*") if f.is_file()]
        step.say(f": {len(files)} DICOM files")
    with report.step("opened that again") as step:
        back = xr.open_dataset(folder, engine="dicom")[VARIABLE]
        step.say(": same pixels, same places")
        wanted = part.squeeze([d for d in part.dims if d not in back.dims and part.sizes[d] == 1])
        if set(wanted.dims) != set(back.dims):
            raise ValueError(f"dims {wanted.dims} came back as {back.dims}")
        wanted = wanted.transpose(*back.dims)
        same = np.array_equal(wanted.values, back.values, equal_nan=wanted.dtype.kind == "f")
        step.check(same, "other pixels")
        for dim in ("x", "y", "z"):
            if dim in wanted.coords:
                close = dim in back.coords and np.allclose(wanted[dim], back[dim], 0, 1e-4)
                step.check(bool(close), f"other positions along {dim}")
        if "patient_space" in wanted.coords:
            cosines = [
                a["patient_space"].attrs.get("ImageOrientationPatient", []) for a in (wanted, back)
            ]
            step.check(np.allclose(*cosines, 0, 1e-6), "another orientation")


def _save(figure: Any, path: Path, step: Step) -> None:
    """Write a picture, over nothing but one of ours."""
    if path.exists():
        with path.open("rb") as file:
            if MARK.encode() not in file.read(4096):
                raise FileExistsError(f"{path} is not from here; choose another --out DIR")
    figure.savefig(path, metadata={"Software": MARK})
    step.say(f": {path}")


def _megabytes(array: xr.DataArray) -> str:
    return f"{array.nbytes / 1e6:.1f} MB"


def _cut(text: str) -> str:
    return text if len(text) <= 140 else text[:139] + "…"
