"""Entries and rows of a catalog become DataFrames: one row a series, or one an instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from xdicom.api.rows import Shape
from xdicom.headers.duplicates import first_rows
from xdicom.headers.table import FrameTable
from xdicom.headers.values import FLOATS, INTS, number
from xdicom.opening.naming import Named
from xdicom.series.attributes import gather

_TYPED: Final = FLOATS | INTS | {"AS", "DA", "TM", "DT"}
"""VRs whose values are no text."""


def series_frame(
    series: Sequence[Named], shapes: Mapping[str, Shape], problems: Mapping[str, int]
) -> pd.DataFrame:
    """One row a series.

    Parameters
    ----------
    series : sequence of Named
        The series.
    shapes : mapping
        Arrays of those that were opened before, by key.
    problems : mapping
        How many problems there are with the files of each, by key.
    """
    rows = []
    for one in series:
        identity, entry = one.entry.identity, one.entry
        rows.append(
            {
                "patient": one.patient,
                "study": one.study,
                "series": one.name,
                "number": number(identity["SeriesNumber"]),
                "modality": identity["Modality"],
                "description": identity["SeriesDescription"],
                "instances": entry.instances,
                "frames": entry.frames,
                **_shape(one, shapes.get(entry.key)),
                "problems": problems.get(entry.key, 0),
                "uid": identity["SeriesInstanceUID"],
            }
        )
    columns = [
        *("patient", "study", "series", "number", "modality", "description", "instances"),
        *("frames", "shape", "dims", "arrays", "problems", "uid"),
    ]
    found = pd.DataFrame(rows, columns=columns)
    return found.astype({"number": "Int64" if _whole(found["number"]) else "float64",
                         "arrays": "Int64"})  # fmt: skip


def _whole(numbers: pd.Series) -> bool:
    values = numbers.dropna()
    return bool((values == values.round()).all())


def _shape(one: Named, arrays: Shape | None) -> dict[str, Any]:
    """Dims and shape of the one array of a series; else what is known: frames, rows, columns."""
    if arrays is not None and len(arrays) == 1 and arrays[0]:
        return {
            "shape": tuple(arrays[0]["shape"]),
            "dims": tuple(arrays[0]["dims"]),
            "arrays": 1,
        }
    plane = [one.entry.identity[k] for k in ("Rows", "Columns")]
    known = one.entry.frames and all(text.isdigit() for text in plane)
    return {
        "shape": (one.entry.frames, *map(int, plane)) if known else None,
        "dims": None,
        "arrays": pd.NA if arrays is None else len(arrays),
    }


def instance_frame(table: FrameTable) -> pd.DataFrame:
    """One row a file: where it is, and each attribute of its first frame.

    Numbers are numbers, dates and times datetimes and timedeltas; attributes of several values are
    text, the values joined by a backslash.
    """
    first = first_rows(table)
    file = table.file[first]
    frames = np.bincount(table.file[table.frame_number > 0], minlength=len(table.files.paths))
    found: dict[str, Any] = {
        # objects: names of files may be no text, which the string type of pandas refuses
        "path": pd.Series([table.files.paths[i] for i in file.tolist()], dtype=object),
        "size": table.files.sizes[file],
        "modified": table.files.mtimes[file].astype("M8[ns]"),
        "frames": frames[file],
    }
    for keyword, column in table.columns.items():
        if not keyword[0].isupper():
            continue
        codes = column.codes[first]
        if column.vr in _TYPED and column.values.array.ndim == 1:
            found[keyword] = gather(column, codes)
        else:  # the texts themselves, not copies of equal width
            found[keyword] = np.array([*column.texts, ""], dtype=object)[codes]
    return pd.DataFrame(found)
