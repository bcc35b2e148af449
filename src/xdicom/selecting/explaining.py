"""How the dims of an array were found, as text and as HTML."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from xdicom.errors import HeadersUnavailableError
from xdicom.selecting.provenance import locate, pixels_of
from xdicom.selecting.varying import Varying, varying
from xdicom.series.families import ATTRIBUTES

_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Explanation:
    """What `explain` says: a table of dims, what was refused and why, and problems."""

    title: str
    """The series and its shape."""
    dims: tuple[tuple[str, str, str, str, str], ...]
    """Of each dim: name, length, family, attributes, method."""
    rejected: tuple[tuple[str, str], ...]
    """Attributes that were tried for a dim, and why they make none."""
    varying: tuple[tuple[str, str], ...]
    """Along which dims attributes vary: the dims, the attributes."""
    alternatives: tuple[str, ...]
    """``dims=`` of these dims, and of others that would do as well."""
    notes: tuple[str, ...]
    """Geometry, rank axes, remedies that were applied."""
    problems: tuple[str, ...]
    """Problems of the files."""

    def __str__(self) -> str:
        head = ("dim", "length", "family", "attributes", "found by")
        widths = [max(len(row[i]) for row in (head, *self.dims)) for i in range(5)]
        lines = [self.title, ""]
        for row in (head, *self.dims):
            cells = zip(row, widths, strict=True)
            lines.append("  " + "  ".join(c.ljust(w) for c, w in cells).rstrip())
        for name, rows in self._lists():
            if rows:
                lines += ["", f"{name}:", *(f"  {r}" for r in rows)]
        return "\n".join(lines)

    def _lists(self) -> tuple[tuple[str, list[str]], ...]:
        return (
            ("tried, and no dim", [f"{a}: {why}" for a, why in self.rejected]),
            ("varies", [f"along {dims}: {names}" for dims, names in self.varying]),
            ("to open with other dims", list(self.alternatives)),
            ("notes", list(self.notes)),
            ("problems", list(self.problems)),
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str = "td") -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        parts = [f"<p><b>{html.escape(self.title)}</b></p><table>"]
        parts.append(row(("dim", "length", "family", "attributes", "found by"), "th"))
        parts += [row(d) for d in self.dims]
        parts.append("</table>")
        for name, rows in self._lists():
            if rows:
                listed = "".join(f"<li>{html.escape(r)}</li>" for r in rows)
                parts.append(f"<p>{name}</p><ul>{listed}</ul>")
        return "".join(parts)


class Explanations(dict[str, Explanation]):
    """Explanations by the path of their node, printed one after the other."""

    def __str__(self) -> str:
        return "\n\n".join(f"{path}\n{text}" for path, text in self.items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(
            f"<h4>{html.escape(path)}</h4>{text._repr_html_()}" for path, text in self.items()
        )


_METHODS = {
    "value": "value",
    "value+repeat": "value, and order of repeats",
    "rank": "rank within each slice",
    "index": "dimension index",
    "position": "position along the normal",
    "tiles": "place of the tiles",
}


def explain(obj: xr.DataArray | xr.Dataset) -> Explanation:
    """How the dims of an array were found: family, attribute, method, and what was refused.

    Returns
    -------
    Explanation
        Prints as text, shows as a table in notebooks.
    """
    array = pixels_of(obj)
    found: dict[str, Any] = json.loads(array.attrs.get("dicom_dims", '{"dims": []}'))
    name = array.attrs.get("SeriesDescription") or array.attrs.get("Modality") or "array"
    sizes = ", ".join(f"{d} {n}" for d, n in array.sizes.items())
    dims = tuple(
        (
            d["dim"],
            str(array.sizes.get(d["dim"], "gone")),
            d["family"],
            ", ".join(d["attributes"]) or "none",
            _METHODS.get(d["method"], d["method"]),
        )
        for d in found["dims"]
    )
    notes = list(found.get("notes", []))
    for space in (array.coords.get(s) for s in ("patient_space", "slide_space")):
        if space is None:
            continue
        kind = space.attrs["geometry"]
        notes.append(f"geometry: {kind}" + (", slices not evenly spaced" if "regular" in space.attrs
                                            else ""))  # fmt: skip
    if "dicom_split" in obj.attrs:
        notes.append(f"one of several arrays of its series: {obj.attrs['dicom_split']}")
    listed = [
        ": ".join((kind, *file, message)) for kind, message, *file in found.get("problems", [])
    ]
    differing: tuple[Varying, ...] = ()
    try:
        provenance = locate(obj)
        own = provenance.table.problems
        listed += [f"{p.kind}: {p.file}: {p.message}" for p in own[:_MOST_PROBLEMS]]
        if len(own) > _MOST_PROBLEMS:
            listed.append(f"and {len(own) - _MOST_PROBLEMS} more in .dicom.problems")
        if provenance.exact:
            differing = varying(provenance)
    except HeadersUnavailableError as error:
        listed.append(str(error))
    rejected = {r["attribute"]: r["reason"] for r in found.get("rejected", [])}
    return Explanation(
        f"{name} ({sizes})",
        dims,
        tuple(rejected.items()),
        _by_dims(differing),
        _alternatives(found["dims"], differing),
        tuple(notes),
        tuple(listed),
    )


def _by_dims(differing: Sequence[Varying]) -> tuple[tuple[str, str], ...]:
    names: dict[str, list[str]] = {}
    for each in differing:
        names.setdefault(", ".join(each.dims), []).append(each.attribute)
    return tuple((dims, ", ".join(found)) for dims, found in sorted(names.items()))


def _alternatives(axes: Sequence[dict[str, Any]], differing: Sequence[Varying]) -> tuple[str, ...]:
    """``dims=`` as found, with an attribute in place of each dim that it varies along, flat."""
    dims = tuple(axis["dim"] for axis in axes)
    ranked = any(axis["method"] == "rank" for axis in axes)
    lines = [f"dims={dims!r}: as they are"] if dims else []
    for place, dim in enumerate(dims):
        if ranked and dim == "z":
            continue  # within whose slices the ranks are taken
        for each in differing:
            serves = each.attribute in ATTRIBUTES or each.attribute == "SliceLocation"
            if serves and each.dims == (dim,) and each.distinct and each.attribute != dim:
                other = (*dims[:place], each.attribute, *dims[place + 1 :])
                lines.append(f"dims={other!r}")
    return (*lines, 'dims="flat": a list of frames')
