"""A tree of series becomes a few lines of text: one a node, with dims, dtype and what is odd."""

from __future__ import annotations

from collections.abc import Iterator

import xarray as xr

from xdicom.display.labels import sizes_text
from xdicom.opening.arrays import VARIABLE

_LONGEST = 110


def outline(tree: xr.DataTree) -> str:
    """Patients, studies and series of a tree, one line each.

    Parameters
    ----------
    tree : DataTree
        From ``xr.open_datatree(folder, engine="dicom")``.

    Returns
    -------
    str
        Below each other: name, modality, dims, dtype, and a note where an array is unusual or
        missing. Nothing is read.

    Examples
    --------
    >>> lazy = xr.Variable(("z", "y", "x"), [[[0.0]]], {"Modality": "MR"})
    >>> none = xr.Dataset(attrs={"dicom_error": "GeometryError: no cosines"})
    >>> tree = xr.DataTree.from_dict({"/p/s/1-T1": xr.Dataset({"pixels": lazy}), "/p/s/2": none})
    >>> print(outline(tree))
    p
    └─ s
       ├─ 1-T1  MR  z 1 × y 1 × x 1  float64
       └─ 2         no array: GeometryError: no cosines
    """
    rows = []
    if VARIABLE in tree.dataset:
        rows.append(("/", *_described(tree)))
    rows += _rows(tree, "")
    # what is no array has a note in the place of dims and dtype
    widths = [max((len(r[i]) for r in rows if i < 2 or r[3]), default=0) for i in range(4)]
    lines = []
    for row in rows:
        cells = [c.ljust(w) for c, w in zip(row, widths, strict=False) if w]
        known = cells if row[3] else cells[:2]
        lines.append("  ".join([*known, row[4]]).rstrip())
    return "\n".join(lines)


Row = tuple[str, str, str, str, str]


def _rows(node: xr.DataTree, before: str) -> Iterator[Row]:
    children = list(node.children.items())
    for i, (name, child) in enumerate(children):
        last = i == len(children) - 1
        # patients stand at the left edge, without a stem of their own
        at_root = node.parent is None
        stem = "" if at_root else "└─ " if last else "├─ "
        yield (before + stem + name, *_described(child))
        yield from _rows(child, before + ("" if at_root else "   " if last else "│  "))


def _described(node: xr.DataTree) -> tuple[str, str, str, str]:
    """Modality, dims, dtype and note of a node."""
    attrs = node.attrs
    if VARIABLE not in node.data_vars:
        modality = str(attrs.get("Modality", ""))
        if "dicom_error" in attrs:
            return modality, "", "", _short("no array: " + str(attrs["dicom_error"]))
        if "dicom_content" in attrs:
            objects = node.sizes.get("instance", 0)
            number = f"{objects} object" + ("" if objects == 1 else "s")
            return modality, "", "", f"no pixels, headers only: {number}"
        return "", "", "", ""
    pixels = node[VARIABLE]
    modality = str(pixels.attrs.get("Modality", ""))
    return modality, sizes_text(pixels.sizes), str(pixels.dtype), "; ".join(_notes(node))


def _notes(node: xr.DataTree) -> Iterator[str]:
    space = node.coords["patient_space"].attrs if "patient_space" in node.coords else {}
    kind = space.get("geometry")
    if "regular" in space:
        yield "slices not evenly spaced"
    if kind == "sheared":
        yield "gantry tilt"
    if kind == "per_frame":
        yield "each frame has its own orientation"
    if kind == "none":
        yield "no position in the patient"
    if "frame_present" in node.coords:
        yield "holes in the grid"
    if "dicom_split" in node.attrs:
        reasons = str(node.attrs["dicom_split"]).split("; ")
        told = [reason for reason in reasons if "=" not in reason]
        keys = dict.fromkeys(reason.partition("=")[0] for reason in reasons)
        yield "; ".join(told) or "apart by " + ", ".join(keys)


def _short(text: str) -> str:
    """An error's first sentence, without the file."""
    line = " ".join(text.partition(" [")[0].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
