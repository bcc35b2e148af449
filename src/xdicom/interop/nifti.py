"""An array becomes NIfTI files, with b-values and directions beside those of diffusion."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.interop.gradients import write_gradients
from xdicom.interop.volumes import seconds_of, stored_scaling, volumes_of

Array = npt.NDArray[Any]

FOURTH: Final = (
    "time",
    "diffusion",
    "asl",
    "repetition",
    "cardiac_phase",
    "respiratory_phase",
    "rr_interval",
    "time_slot",
)
"""Dims that make one file of many volumes, the first of them that is there; each label of any
other gets a file of its own."""

_LPS_TO_RAS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_SUFFIXES: Final = (".nii.gz", ".nii")
_OFFSET: Final = 352
"""Where voxels start: behind 348 bytes of header, and 4 that say that nothing follows it."""
_EVEN: Final = 0.01
"""Relative: steps of time that differ by no more are one."""


def to_nifti(
    obj: xr.DataArray | xr.Dataset,
    path: str | os.PathLike[str],
    *,
    split: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    r"""Write NIfTI-1 files that other programs place where the scanner did.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient. Sheared slices are allowed.
    path : path
        Ends in ``.nii`` or ``.nii.gz``.
    split : sequence of str, optional
        Dims of which each label gets a file of its own, named after it:
        ``head_EchoTime-4.9.nii.gz``. By default all but z and the first of time, diffusion, asl,
        repetition, cardiac_phase, respiratory_phase, rr_interval and time_slot, as dcm2niix does.
        With ``split=()`` one file holds all dims, in the array's order after x, y, z: a fifth and
        further ones are known to few programs.
    overwrite : bool
        Whether files that are there may be replaced.

    Returns
    -------
    list of Path
        The images, in the order of the dims.

    Raises
    ------
    ImportError
        Without nibabel: ``pip install 'xdicom[nifti]'``.
    GeometryError
        If there is no affine: slices are uneven (``.dicom.rectify(step=…)`` makes them even), or
        there is no place in the patient.
    InconsistentSeriesError
        If stored values of one file have different rescale slopes.
    FileExistsError
        If a file is there.

    Notes
    -----
    *Voxels.* Index i runs along x, j **against** y, k along z, as dcm2niix writes: rows stand
    upside down, and the affine says so. It is in mm R, A, S, and is both sform and qform with
    code 1 (scanner); a qform cannot say a shear, so that of sheared slices has code 0.

    *Values* are the array's, in its type: float32 by default. Stored integers
    (``scaling="stored"``) are written as they are, with RescaleSlope and RescaleIntercept as
    scl_slope and scl_inter, so that readers see the same numbers in half the space. Bool becomes
    uint8, RGB the type RGB24.

    *Time.* pixdim[4] is the step of ``time`` in seconds, by its labels or by when each volume was
    acquired, if it is even, else 0.

    *Diffusion.* ``.bval`` and ``.bvec`` stand beside a file whose fourth dim is diffusion.
    Directions are FSL's: in image axes, (g·row, −g·column, g·normal); 0 0 0 where there is
    none and b is at most 50 s/mm². Without those of others only ``.bval`` is written, with a
    warning unless none has one.

    Nothing that names the patient is written; ``descrip`` is empty.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(f"{folder}/dicom", {"EchoTime": [5, 10], "z": 4})
    ...     da = xdicom.open_series(f"{folder}/dicom")
    ...     [p.name for p in to_nifti(da, f"{folder}/head.nii.gz")]
    ['head_EchoTime-5.nii.gz', 'head_EchoTime-10.nii.gz']
    """
    try:
        import nibabel
    except ImportError as error:
        raise ImportError("NIfTI needs nibabel: pip install 'xdicom[nifti]'") from error
    stem, suffix = _stem(path)
    volumes = volumes_of(obj, signs=(1, -1, 1))
    apart, together = _split(volumes.others, split)
    planned = list(_parts(volumes.array, apart, stem, suffix))
    _check_names([p for p, _ in planned], overwrite=overwrite)
    scalings = [stored_scaling(part) for _, part in planned]
    for (target, part), (slope, intercept) in zip(planned, scalings, strict=True):
        voxel = _voxels(part.isel(x=slice(0, 0))).dtype
        make: Any = nibabel.Nifti1Header
        header = make()
        header.set_data_dtype(voxel)
        header.set_data_shape([part.sizes[d] for d in ("x", "y", "z", *together)])
        header.set_sform(_LPS_TO_RAS @ volumes.affine[:, [2, 1, 0, 3]], code=1)
        header.set_qform(header.get_sform(), code=0 if volumes.sheared else 1)
        zooms = [*volumes.spacing[::-1], *(_step(part, d) for d in together)]
        header.set_zooms([float(z) for z in zooms])
        header.set_xyzt_units("mm", "sec" if together[:1] == ["time"] else None)
        header["vox_offset"] = _OFFSET
        header["scl_slope"], header["scl_inter"] = slope, intercept
        with _replacing(target) as temporary, nibabel.openers.Opener(temporary, "wb") as stream:
            stream.write(header.binaryblock.ljust(_OFFSET, b"\0"))
            for volume in _volumes(part, together):
                stream.write(_voxels(volume).tobytes(order="F"))
        if together[:1] == ["diffusion"]:
            write_gradients(obj, part, _stem(target)[0])
    return [p for p, _ in planned]


@contextmanager
def _replacing(target: Path) -> Iterator[str]:
    """A name to write to; the file takes its own when it is whole."""
    temporary = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        yield str(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _volumes(part: xr.DataArray, together: list[str]) -> Iterator[xr.DataArray]:
    """Volumes (x, y, z[, sample]), the first of the dims fastest; only one is in memory."""
    for at in itertools.product(*(range(part.sizes[d]) for d in reversed(together))):
        chosen = dict(zip(reversed(together), at, strict=True))
        yield part.isel(chosen).transpose("x", "y", "z", ...)


def _stem(path: str | os.PathLike[str]) -> tuple[Path, str]:
    name = Path(path).name
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            return Path(path).with_name(name.removesuffix(suffix)), suffix
    raise ValueError(f"a NIfTI file ends in .nii or .nii.gz, not {name!r}")


def _split(others: tuple[str, ...], split: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Dims of which each label is a file, and those that stand in a file together."""
    if split is None:
        fourth = next((d for d in FOURTH if d in others), None)
        return [d for d in others if d != fourth], [d for d in others if d == fourth]
    unknown = [d for d in split if d not in others]
    if unknown:
        raise ValueError(f"split names {unknown[0]!r}, which is none of the dims {others}")
    together = [d for d in others if d not in split]
    if len(together) > 4:
        raise ValueError(f"NIfTI has seven dims at most: split some of {together}")
    return [d for d in others if d in split], together


def _parts(
    array: xr.DataArray, apart: list[str], stem: Path, suffix: str
) -> Iterator[tuple[Path, xr.DataArray]]:
    """The part that each file holds, and its path."""
    for at in itertools.product(*(range(array.sizes[d]) for d in apart)):
        words = [f"_{d}-{_label(array, d, i)}" for d, i in zip(apart, at, strict=True)]
        part = array.isel(dict(zip(apart, at, strict=True)))
        yield stem.with_name(stem.name + "".join(words) + suffix), part


def _label(array: xr.DataArray, dim: str, index: int) -> str:
    """A label as part of a file's name; its number where it has none."""
    if dim not in array.coords:
        return str(index)
    value = array.coords[dim].values[index]
    text = f"{value:g}" if isinstance(value, np.floating) else str(value)
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-.") or str(index)


def _check_names(paths: list[Path], *, overwrite: bool) -> None:
    if len(set(paths)) < len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        raise ValueError(f"several labels would be written to {twice.name}; select one at a time")
    there = [p for p in paths if p.exists()]
    if there and not overwrite:
        raise FileExistsError(f"{there[0]} is there; pass overwrite=True to replace it")


def _voxels(ordered: xr.DataArray) -> Array:
    """Values in a type that NIfTI has."""
    values = np.asarray(ordered.values)
    if "sample" in ordered.dims:
        if values.dtype != np.uint8 or values.shape[-1] != 3:
            raise ValueError(
                f"NIfTI holds colour as three samples of uint8, not {values.shape[-1]} of "
                f"{values.dtype}"
            )
        fields = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
        rgb: Array = np.ascontiguousarray(values).view(fields)[..., 0]
        return rgb
    kinds = {"?": np.uint8, "e": np.float32, "g": np.float64}
    wanted = np.dtype(kinds.get(values.dtype.char, values.dtype)).newbyteorder("<")
    return values.astype(wanted, copy=False)


def _step(part: xr.DataArray, dim: str) -> float:
    """Step of time in seconds where it is even, else 0; 1 along what has no step."""
    if dim != "time":
        return 1.0
    seconds = seconds_of(part)
    if seconds is None or len(seconds) < 2:
        return 0.0
    steps = np.diff(seconds)
    mean = float(steps.mean())
    even = mean > 0 and float(np.abs(steps - mean).max()) <= _EVEN * mean
    return mean if even else 0.0
