"""A table becomes named stacks: one is picked for a Dataset, all of them make a DataTree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydicom.uid import UID

from xdicom.errors import (
    AmbiguousSeriesError,
    NotDicomError,
    SkippedSeriesWarning,
    XDicomError,
    warn,
)
from xdicom.headers.elements import keyword_of, tag_of
from xdicom.headers.entries import SeriesEntry, entries_of
from xdicom.headers.match import matches
from xdicom.headers.scan import ScanOptions, scan_table
from xdicom.headers.table import Column, FrameTable
from xdicom.headers.validate import Leniency
from xdicom.opening.arrays import dataset_of, source_json
from xdicom.opening.naming import Named, how_to_pick, is_wanted, listing, named
from xdicom.opening.options import OpenOptions, Tag
from xdicom.opening.segmented import SegmentedSeries
from xdicom.series.attributes import descriptive_attrs
from xdicom.series.custom import attribute_of
from xdicom.series.families import BY_NAME, ORDINAL
from xdicom.series.keys import series_codes
from xdicom.series.segments import is_segmentation
from xdicom.series.stacks import GridOptions, Stack, split_series
from xdicom.series.tiles import TILE_DIMS
from xdicom.sources.base import Where

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """One series and the arrays that it is."""

    named: Named
    """The series."""
    source: FrameTable
    """The table that holds its rows."""
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


def series_of(
    table: FrameTable, options: OpenOptions, mask: npt.NDArray[np.bool_] | None = None
) -> list[Series]:
    """All series of a table that match the options, split into arrays.

    Parameters
    ----------
    table : FrameTable
        All that was scanned.
    options : OpenOptions
        Which series, and how their dims are found.
    mask : array of bool, shape (rows,), optional
        Rows that count, besides those that ``select=`` leaves.

    Raises
    ------
    AmbiguousSeriesError
        If ``series=`` matches none; the message lists what there is.
    """
    codes = series_codes(table, options.group_by)  # type: ignore[arg-type]
    wanted = selected(table, options)
    chosen = np.where(wanted if mask is None else wanted & mask, codes, -1)
    distinct, joined = np.unique(chosen, return_inverse=True)
    joined = joined.ravel() - int(distinct[:1].tolist() == [-1])
    order = np.argsort(joined, kind="stable")
    order = order[joined[order] >= 0]
    rows_of = np.split(order, np.flatnonzero(np.diff(joined[order])) + 1) if len(order) else []
    entries = entries_of(table, joined)
    rows = {id(entry): part for entry, part in zip(entries, rows_of, strict=True)}
    found = [one for one in named(entries) if is_wanted(one, options.series)]
    if not found and (options.series is not None or options.select):
        raise no_match(entries_of(table, codes), options, table.root)
    grid_options = grid_options_of(table, options)
    return [
        Series(one, table, tuple(split_series(table, rows[id(one.entry)], grid_options)))
        for one in found
    ]


def no_match(
    entries: Sequence[SeriesEntry], options: OpenOptions, root: str
) -> AmbiguousSeriesError:
    """The error of options that match no series, with what there is."""
    names = {id(n.entry): n for n in named(entries)}
    ordered = [names[id(entry)] for entry in entries]
    lines = [f"  {n.name} ({n.entry.frames} frames, UID {n.uid})" for n in ordered]
    return AmbiguousSeriesError(
        f"no series matches series={options.series!r}, select={options.select!r}",
        file=root,
        remedy="There are:\n" + listing(lines),
    )


def pick(found: Iterable[Series], options: OpenOptions, root: str) -> tuple[FrameTable, Stack]:
    """The one array that the options select, and the table that its rows are of.

    Raises
    ------
    AmbiguousSeriesError
        If several match, listing them and how to pick one; never the first one.
    """
    choices: list[tuple[Series, str, Stack]] = []
    for series in found:
        single = len(series.stacks) == 1
        for i, stack in enumerate(series.stacks):
            name = "" if single else stack.name or f"a{i}"
            node = series.named.path + (f"/{name}" if name else "")
            if options.array is not None and options.array not in (
                (f"a{i}", series.named.name) if single else (name, f"a{i}")
            ):
                continue
            if options.group is not None and not is_under(node, options.group):
                continue
            choices.append((series, name, stack))
    pixels = [c for c in choices if c[2].has_pixels]
    if len(pixels) == 1:
        return pixels[0][0].source, pixels[0][2]
    if not pixels and len(choices) == 1:
        return choices[0][0].source, choices[0][2]
    raise ambiguous(len(pixels), [_choice_line(*choice) for choice in choices], root)


def is_under(node: str, group: str) -> bool:
    """Whether a node's path is what ``group=`` names: the path, or the end of it."""
    return node.endswith("/" + group.strip("/"))


def ambiguous(count: int, lines: Sequence[str], root: str) -> AmbiguousSeriesError:
    """The error of options that match no array, or several."""
    return AmbiguousSeriesError(
        f"{count} arrays match where one is asked for" if count else "no array matches",
        file=root,
        remedy="Pick one with series= (number, UID or glob of the description), array= or group=, "
        f"or open all with xr.open_datatree:\n{listing(lines)}",
    )


def open_one(where: Where, options: OpenOptions) -> xr.Dataset:
    """Open the one array under a path that the options select."""
    table = scan_for(where, options)
    return dataset_of(*pick(series_of(table, options), options, table.root), options)


def open_all(where: Where, options: OpenOptions) -> dict[str, xr.Dataset]:
    """Open all arrays under a path, by the path of their node."""
    table = scan_for(where, options, tree=True)
    return groups_of(series_of(table, options), options, table.root)


def groups_of(found: Iterable[Series], options: OpenOptions, root: str) -> dict[str, xr.Dataset]:
    """Arrays as Datasets by the path of their node: patient / study / series.

    A series of one array holds it in its own node; one of several has children ``a0``, ``a1`` …,
    a slide ``level0``, ``level1`` …, ``label``, ``overview``.
    Segmentations are on the grid of the series that they segment, where that is among them and
    their positions agree. What cannot be made an array is a node without ``pixels`` whose
    ``attrs["dicom_error"]`` says why.
    """
    groups: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs={"dicom_root": root})}
    known, waiting = SegmentedSeries(), []
    for series in found:
        base, first = series.named.path, series.table
        patient = f"/{series.named.patient}"
        groups.setdefault(patient, xr.Dataset())
        groups.setdefault(f"{patient}/{series.named.study}", _study(series.named.entry))
        if len(series.stacks) > 1:
            groups[base] = xr.Dataset(attrs=descriptive_attrs(first))
        known.add(series.stacks)
        for i, stack in enumerate(series.stacks):
            path = base if len(series.stacks) == 1 else f"{base}/{stack.name or f'a{i}'}"
            groups[path] = xr.Dataset()
            if is_segmentation(stack.table):  # what it segments may follow
                waiting.append((path, series.source, stack))
            else:
                groups[path] = _node(series.source, stack, options)
    for path, source, stack in waiting:
        groups[path] = _node(source, known.aligned(stack), options)
    failed = [path for path, node in groups.items() if "dicom_error" in node.attrs]
    if options.group is not None:
        stem = "/" + options.group.strip("/")
        groups = {p.removeprefix(stem) or "/": d for p, d in groups.items() if p.startswith(stem)}
    if failed and options.errors != "ignore":
        warn(
            f"{len(failed)} of the tree's nodes are no arrays: {', '.join(failed[:3])}"
            f"{' …' if len(failed) > 3 else ''}; their attrs['dicom_error'] says why",
            SkippedSeriesWarning,
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
        attrs |= _content(stack.table)
    attrs["dicom_source"] = source_json(table, stack.table)
    return xr.Dataset(coords={"frame_id": ("instance", stack.table.frame_id)}, attrs=attrs)


def _content(table: FrameTable) -> dict[str, str]:
    """Attrs that say what objects without pixels are."""
    attrs = {"dicom_content": "header only, no pixels"}
    classes = table.column("SOPClassUID").texts
    if len(classes) == 1:
        attrs |= {"SOPClassUID": classes[0], "dicom_class": UID(classes[0]).name}
    return attrs


def _study(entry: SeriesEntry) -> xr.Dataset:
    texts = {k: entry.identity[k] for k in ("StudyDescription", "StudyDate")}
    return xr.Dataset(attrs={k: text for k, text in texts.items() if text})


def selected(table: FrameTable, options: OpenOptions) -> npt.NDArray[np.bool_]:
    """Which rows have the attributes that ``select=`` asks for."""
    mask = np.ones(len(table), bool)
    for key, wanted in (options.select or {}).items():
        mask &= matches(attribute_of(table, key), wanted)
    return mask


def grid_options_of(table: FrameTable, options: OpenOptions) -> GridOptions:
    """What the options say of the dims, for the rows of a table."""
    if options.dims is None:
        return GridOptions(ragged=options.ragged)
    if options.dims == "flat":
        return GridOptions(("flat",), {}, options.ragged)
    names: list[str] = []
    columns: dict[str, Column] = {}
    for dim in options.dims:
        name = dim_name(dim)
        names.append(name)
        known = (*BY_NAME, "z", "instance", "flat", *TILE_DIMS)
        if name not in known and not name.startswith(ORDINAL):
            columns[name] = attribute_of(table, dim)
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


def _choice_line(series: Series, array: str, stack: Stack) -> str:
    table, entry = stack.table, series.named.entry
    modality = entry.identity["Modality"]
    if stack.grid is not None:
        plane = f"y {table.strings('Rows')[0]}, x {table.strings('Columns')[0]}"
        if stack.tiling is not None:
            plane = f"y {stack.tiling.rows}, x {stack.tiling.columns}"
        sizes = zip(stack.grid.dims, stack.grid.shape, strict=True)
        shape = ", ".join([*(f"{d} {n}" for d, n in sizes), plane])
    else:
        shape = "no pixels" if not stack.has_pixels else f"no grid: {stack.error}"[:120]
    node = series.named.path + (f"/{array}" if array else "")
    how = how_to_pick(entry) + (f', array="{array}"' if array else "")
    why = f"; apart by {', '.join(stack.reasons)}" if stack.reasons else ""
    return f"  {node}  {modality} ({shape}){why}  {how}  UID {series.named.uid}"
