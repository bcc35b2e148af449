"""A catalog as text and as HTML: what there is, and its first series."""

from __future__ import annotations

from html import escape

import pandas as pd

MOST_LETTERS = 40
"""Letters of a text that a repr shows."""
MOST_SHOWN = 30
"""Series that a repr shows."""
_SHOWN = ("number", "modality", "description", "instances", "frames", "size", "problems")


def headline(root: str, series: pd.DataFrame, filters: str, left_out: int) -> str:
    """One line of counts."""
    studies = series[["patient", "study"]].drop_duplicates()
    counts = [
        _count(studies["patient"].nunique(), "patient", "patients"),
        _count(len(studies), "study", "studies"),
        _count(len(series), "series", "series"),
        _count(int(series["instances"].sum()), "instance", "instances"),
        _count(int(series["frames"].sum()), "frame", "frames"),
    ]
    if problems := int(series["problems"].sum()):
        counts.append(_count(problems, "problem", "problems"))
    if left_out:
        counts.append(_count(left_out, "file left out", "files left out"))
    return f"<xdicom.Catalog of {root}> {', '.join(counts)}" + (
        f"\nfiltered by {filters}" if filters else ""
    )


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}".replace(",", " ")


def as_text(root: str, series: pd.DataFrame, filters: str, left_out: int) -> str:
    """The headline and a table of the first series, study by study."""
    lines = [headline(root, series, filters, left_out)]
    shown = series.head(MOST_SHOWN)
    if len(shown):
        header, *table = _aligned(_columns(shown))
        lines += ["", "  " + header.rstrip()]
        last = ""
        for place, line in zip(shown["patient"] + " / " + shown["study"], table, strict=True):
            lines += [place] * (place != last) + ["  " + line.rstrip()]
            last = place
    if len(series) > len(shown):
        lines += ["", f"… {len(series) - len(shown)} more series (catalog.series lists all)"]
    return "\n".join(lines)


def as_html(root: str, series: pd.DataFrame, filters: str, left_out: int) -> str:
    """The same as a page's part."""
    first, _, second = headline(root, series, filters, left_out).partition("\n")
    parts = [f"<div><strong>{escape(first)}</strong>"]
    if second:
        parts.append(f"<div>{escape(second)}</div>")
    shown = series.head(MOST_SHOWN)
    if len(shown):
        table = _columns(shown)
        table.insert(0, "patient", shown["patient"])
        table.insert(1, "study", shown["study"])
        parts.append(table.to_html(index=False, border=0, justify="left", escape=True))
    if len(series) > len(shown):
        more = len(series) - len(shown)
        parts.append(f"<div>… {more} more series (<code>catalog.series</code> lists all)</div>")
    return "".join([*parts, "</div>"])


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    """What a repr shows of each series."""
    pairs = zip(_known(rows["shape"]), _known(rows["dims"]), strict=True)
    number = rows["number"].astype(object).where(rows["number"].notna(), "")
    found = rows.assign(
        description=[_plain(text) for text in rows["description"]],
        modality=[_plain(text) for text in rows["modality"]],
        size=[_size(*pair) for pair in pairs],
        number=number,
    )
    kept = [name for name in _SHOWN if name != "problems" or rows["problems"].any()]
    return found[kept].rename(columns={"size": "shape"})


def _plain(text: str) -> str:
    """A text of a file for a line of a terminal: without control characters, and not too long."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return plain if len(plain) <= MOST_LETTERS else plain[: MOST_LETTERS - 1] + "…"


def _aligned(table: pd.DataFrame) -> list[str]:
    """A table as lines: its head, then its rows; text to the left, numbers to the right."""
    columns = []
    for name in map(str, table):
        cells = [str(cell) for cell in table[name]]
        width = max(len(cell) for cell in (name, *cells))
        to_the_right = all(isinstance(cell, int) or cell == "" for cell in table[name])
        pad = str.rjust if to_the_right else str.ljust
        columns.append([pad(cell, width) for cell in (name, *cells)])
    return ["  ".join(cells) for cells in zip(*columns, strict=True)]


def _size(shape: tuple[object, ...] | None, dims: tuple[object, ...] | None) -> str:
    if shape is None:
        return ""
    if dims is None:
        return " × ".join(map(str, shape))
    return ", ".join(f"{dim} {length}" for dim, length in zip(dims, shape, strict=True))


def _known(values: pd.Series) -> list[tuple[object, ...] | None]:
    return [value if isinstance(value, tuple) else None for value in values]
