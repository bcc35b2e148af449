"""A table becomes named stacks: one is picked for a Dataset, all of them make a DataTree."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xdicom.errors import AmbiguousSeriesError, NotDicomError, SkippedSeriesWarning, XDicomError
from xdicom.headers.elements import keyword_of, tag_of
from xdicom.headers.match import matches
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.store import attribute_column
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.validate import Leniency
from xdicom.opening.arrays import dataset_of, source_json
from xdicom.opening.options import OpenOptions, Tag
from xdicom.series.attributes import descriptive_attrs
from xdicom.series.families import BY_NAME
from xdicom.series.keys import series_codes
from xdicom.series.stacks import GridOptions, Stack, split_series
from xdicom.sources.local import Where

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """One series of a table, and the arrays that it is."""

    name: str
    """Name of its node: number and description."""
    patient: str
    """Name of its patient's node."""
    study: str
    """Name of its study's node."""
    stacks: tuple[Stack, ...]
    """Its arrays."""

    @property
    def table(self) -> FrameTable:
        """Frames of its first array."""
        return self.stacks[0].table


def scan_for(where: Where, options: OpenOptions, *, tree: bool = False) -> FrameTable:
    """Read the headers under a path, by the options that concern files."""
    table = scan_table(
        where,
        ScanOptions(
            errors=options.errors,
            leniency=Leniency(options.allow_truncated, options.trust),
            limits_excluded=tree,
            progress=options.progress,
        ),
    )
    if not len(table):
        left_out = [p for p in table.problems if p.excluded]
        listed = "; ".join(f"{p.file}: {p.message}" for p in left_out[:5])
        raise NotDicomError(
            "there is no DICOM file here",
            file=table.root,
            found=f"{len(left_out)} other files ({listed})" if left_out else "no file",
        )
    return table


def series_of(table: FrameTable, options: OpenOptions) -> list[Series]:
    """All series of a table that match the options, split into arrays.

    Raises
    ------
    AmbiguousSeriesError
        If ``series=`` matches none; the message lists what there is.
    """
    codes = series_codes(table, options.group_by)  # type: ignore[arg-type]
    mask = _selected(table, options)
    grid_options = _grid_options(table, options)
    found = []
    for code in range(int(codes.max(initial=-1)) + 1):
        rows = np.flatnonzero((codes == code) & mask)
        if not rows.size or not _is_wanted(table, rows, options.series):
            continue
        found.append((rows, _names(table, rows)))
    if not found and (options.series is not None or options.select):
        raise AmbiguousSeriesError(
            f"no series matches series={options.series!r}, select={options.select!r}",
            file=table.root,
            remedy="There are:\n" + _listing(_all_names(table, codes)),
        )
    found.sort(key=lambda item: _series_key(table, item[0]))
    names = _unique([n for _, n in found], [_uids(table, r) for r, _ in found])
    return [
        Series(name, patient, study, tuple(split_series(table, rows, grid_options)))
        for (rows, _), (patient, study, name) in zip(found, names, strict=True)
    ]


def pick(table: FrameTable, options: OpenOptions) -> Stack:
    """The one array that the options select.

    Raises
    ------
    AmbiguousSeriesError
        If several match, listing them and how to pick one; never the first one.
    """
    choices: list[tuple[str, str, Stack]] = []
    for series in series_of(table, options):
        stacks = series.stacks
        single = len(stacks) == 1
        for i, stack in enumerate(stacks):
            name = f"a{i}"
            node = f"/{series.patient}/{series.study}/{series.name}" + (
                "" if single else f"/{name}"
            )
            if (
                options.array is not None
                and options.array != name
                and not (single and options.array == series.name)
            ):
                continue
            if options.group is not None and not node.endswith("/" + options.group.strip("/")):
                continue
            choices.append((node, "" if single else name, stack))
    pixels = [c for c in choices if c[2].has_pixels]
    if len(pixels) == 1:
        return pixels[0][2]
    if not pixels and len(choices) == 1:
        return choices[0][2]
    lines = "\n".join(_choice_line(node, name, stack) for node, name, stack in choices)
    raise AmbiguousSeriesError(
        f"{len(pixels)} arrays match where one is asked for" if pixels else "no array matches",
        file=table.root,
        remedy="Pick one with series= (number, UID or glob of the description), array= or group=, "
        f"or open all with xr.open_datatree:\n{lines}",
    )


def open_one(where: Where | FrameTable, options: OpenOptions) -> xr.Dataset:
    """Open the one array under a path that the options select."""
    table = where if isinstance(where, FrameTable) else scan_for(where, options)
    return dataset_of(table, pick(table, options), options)


def groups_of(where: Where | FrameTable, options: OpenOptions) -> dict[str, xr.Dataset]:
    """All arrays under a path as Datasets by the path of their node: patient / study / series.

    A series of one array holds it in its own node; one of several has children ``a0``, ``a1`` …
    What cannot be made an array is a node without ``pixels`` whose ``attrs["dicom_error"]`` says
    why.
    """
    table = where if isinstance(where, FrameTable) else scan_for(where, options, tree=True)
    groups: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs={"dicom_root": table.root})}
    failed: list[str] = []
    for series in series_of(table, options):
        base = f"/{series.patient}/{series.study}/{series.name}"
        first = series.table
        groups.setdefault(f"/{series.patient}", xr.Dataset())
        groups.setdefault(f"/{series.patient}/{series.study}", _study(first))
        if len(series.stacks) > 1:
            groups[base] = xr.Dataset(attrs=descriptive_attrs(first))
        for i, stack in enumerate(series.stacks):
            path = base if len(series.stacks) == 1 else f"{base}/a{i}"
            groups[path] = _node(table, stack, options)
            if "dicom_error" in groups[path].attrs:
                failed.append(path)
    if options.group is not None:
        stem = "/" + options.group.strip("/")
        groups = {p.removeprefix(stem) or "/": d for p, d in groups.items() if p.startswith(stem)}
    if failed and options.errors != "ignore":
        warnings.warn(
            f"{len(failed)} of the tree's nodes are no arrays: {', '.join(failed[:3])}"
            f"{' …' if len(failed) > 3 else ''}; their attrs['dicom_error'] says why",
            SkippedSeriesWarning,
            stacklevel=2,
        )
    return groups


def _node(table: FrameTable, stack: Stack, options: OpenOptions) -> xr.Dataset:
    """The Dataset of a stack; without ``pixels``, but with its headers, if it is no array."""
    attrs = descriptive_attrs(stack.table)
    if stack.reasons:
        attrs["dicom_split"] = "; ".join(stack.reasons)
    if stack.has_pixels:
        try:
            dataset = dataset_of(table, stack, options)
        except (XDicomError, ValueError) as error:
            attrs["dicom_error"] = f"{type(error).__name__}: {error}"
        else:
            return dataset.assign_attrs(attrs)
    else:
        attrs["dicom_content"] = "header only, no pixels"
    attrs["dicom_source"] = source_json(table, stack.table)
    return xr.Dataset(coords={"frame_id": ("instance", stack.table.frame_id)}, attrs=attrs)


def _study(table: FrameTable) -> xr.Dataset:
    attrs = {}
    for keyword in ("StudyDescription", "StudyDate"):
        text = str(table.strings(keyword)[0])
        if text:
            attrs[keyword] = text
    return xr.Dataset(attrs=attrs)


def slug(text: str) -> str:
    """A text as a node name: letters, digits, dots and dashes.

    Examples
    --------
    >>> slug("T1 w/ contrast (ax)")
    'T1-w-contrast-ax'
    """
    return re.sub(r"[^\w.]+", "-", text, flags=re.UNICODE).strip("-.")[:64]


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def _uid(table: FrameTable, rows: Rows) -> str:
    return str(table.strings("SeriesInstanceUID")[rows[0]]) or "unknown"


def _names(table: FrameTable, rows: Rows) -> tuple[str, str, str]:
    first = table.take(rows[:1])

    def text(keyword: str) -> str:
        return str(first.strings(keyword)[0])

    patient = slug(text("PatientID")) or "no-patient-id"
    study = slug(f"{text('StudyDate')} {text('StudyDescription')}") or "study"
    number = text("SeriesNumber")
    name = "-".join(p for p in (number, slug(text("SeriesDescription"))) if p)
    return patient, study, name or slug(text("Modality")) or "series"


def _unique(
    names: list[tuple[str, str, str]], uids: list[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    """Names with a hash behind those that stand for several patients, studies or series."""
    for level in range(3):
        owners: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for name, uid in zip(names, uids, strict=True):
            owners.setdefault(name[: level + 1], set()).add(uid[: level + 1])
        renamed = []
        for name, uid in zip(names, uids, strict=True):
            parts = list(name)
            if len(owners[name[: level + 1]]) > 1:
                parts[level] = f"{parts[level]}-{_hash(uid[level])}"
            renamed.append((parts[0], parts[1], parts[2]))
        names = renamed
    return names


def _uids(table: FrameTable, rows: Rows) -> tuple[str, str, str]:
    first = table.take(rows[:1])
    patient, study = (str(first.strings(k)[0]) for k in ("PatientID", "StudyInstanceUID"))
    return patient, study, _uid(table, rows)


def _series_key(table: FrameTable, rows: Rows) -> tuple[Any, ...]:
    part = table.take(rows[:1])
    number = part.numbers("SeriesNumber")[0]
    return (
        part.strings("PatientID")[0],
        part.strings("StudyDate")[0],
        part.strings("StudyInstanceUID")[0],
        np.inf if np.isnan(number) else number,
        part.strings("SeriesTime")[0],
        _uid(table, rows),
    )


def _is_wanted(table: FrameTable, rows: Rows, series: int | str | None) -> bool:
    if series is None:
        return True
    part = table.take(rows[:1])
    number = part.strings("SeriesNumber")[0]
    if isinstance(series, (int, np.integer)):
        return bool(part.numbers("SeriesNumber")[0] == series)
    return series in (_uid(table, rows), number, _names(table, rows)[2]) or fnmatch.fnmatchcase(
        str(part.strings("SeriesDescription")[0]), series
    )


def _selected(table: FrameTable, options: OpenOptions) -> npt.NDArray[np.bool_]:
    mask = np.ones(len(table), bool)
    for key, wanted in (options.select or {}).items():
        mask &= matches(attribute_column(table, key), wanted)
    return mask


def _grid_options(table: FrameTable, options: OpenOptions) -> GridOptions:
    if options.dims is None:
        return GridOptions(ragged=options.ragged)
    if options.dims == "flat":
        return GridOptions(("flat",), {}, options.ragged)
    names: list[str] = []
    columns: dict[str, Column] = {}
    for dim in options.dims:
        name = dim_name(dim)
        names.append(name)
        if name not in BY_NAME and name not in ("z", "instance", "flat"):
            columns[name] = attribute_column(table, dim)
    if len(set(names)) < len(names):
        raise ValueError(f"dims names one dim twice: {options.dims!r}")
    return GridOptions(tuple(names), columns, options.ragged)


def dim_name(dim: Tag) -> str:
    """Name of a dim that the caller gives by keyword, family name or tag."""
    if isinstance(dim, str):
        return dim
    tag = tag_of(dim)
    assert tag is not None
    name = keyword_of(tag)
    return name if name[0] != "(" else f"g{tag >> 16:04X}_{tag & 0xFFFF:04X}"


def _all_names(table: FrameTable, codes: Rows) -> list[str]:
    names = []
    for code in range(int(codes.max(initial=-1)) + 1):
        rows = np.flatnonzero(codes == code)
        _, _, name = _names(table, rows)
        names.append(f"{name} ({len(rows)} frames, UID {_uid(table, rows)})")
    return names


def _listing(names: Iterable[str]) -> str:
    lines = [f"  {n}" for n in names]
    return "\n".join(lines[:40] + ([f"  … {len(lines) - 40} more"] if len(lines) > 40 else []))


def _choice_line(node: str, array: str, stack: Stack) -> str:
    table = stack.table
    uid = (table.column("SeriesInstanceUID").texts or ("",))[0]
    modality = (table.column("Modality").texts or ("",))[0]
    if stack.grid is not None:
        plane = f"y {table.strings('Rows')[0]}, x {table.strings('Columns')[0]}"
        sizes = zip(stack.grid.dims, stack.grid.shape, strict=True)
        shape = ", ".join([*(f"{d} {n}" for d, n in sizes), plane])
    else:
        shape = "no pixels" if not stack.has_pixels else f"no grid: {stack.error}"[:120]
    number = table.strings("SeriesNumber")[0]
    how = f"series={int(number)}" if str(number).isdigit() else f'series="{uid}"'
    how += f', array="{array}"' if array else ""
    why = f"; apart by {', '.join(stack.reasons)}" if stack.reasons else ""
    return f"  {node}  {modality} ({shape}){why}  {how}  UID {uid}"
