"""What a scan found: series to list, filter and open, without reading any header again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdicom.api.chunks import chunked
from xdicom.api.finding import find, read_options
from xdicom.api.page import as_html, as_text
from xdicom.api.rows import IndexRows, MemoryRows, Rows
from xdicom.api.selection import (
    Key,
    Selection,
    distinct_texts,
    everything,
    keyword,
    narrowed,
    selected_again,
)
from xdicom.api.tables import instance_frame, series_frame
from xdicom.api.updating import rows_in_index
from xdicom.headers.index import Index
from xdicom.headers.parquet import read_parquet, write_parquet
from xdicom.headers.reading import Counts
from xdicom.headers.scan import ScanOptions
from xdicom.headers.values import convert
from xdicom.opening.arrays import VARIABLE, dataset_of
from xdicom.opening.options import OpenOptions
from xdicom.opening.trees import groups_of, pick
from xdicom.selecting.values import as_item, problem_frame
from xdicom.sources.base import PathLike, absolute


class Catalog:
    """The series of a scan, to be listed, filtered and opened.

    Iterating gives a catalog for each series.

    Parameters
    ----------
    rows : Rows
        What was scanned.
    selection : Selection, optional
        What filters leave of it; all by default.
    again : callable, optional
        Scans again.
    counts : Counts, optional
        How the files were read.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.api.scanning import scan
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"EchoTime": [5.0, 10.0], "z": 3}, modality="MR")
    ...     catalog = scan(folder)
    ...     short = catalog.filter(Modality="MR", EchoTime=slice(2, 6))
    ...     len(short), catalog["EchoTime"], short.open().sizes["z"]
    (1, [5.0, 10.0], 3)
    """

    def __init__(
        self,
        rows: Rows,
        selection: Selection | None = None,
        *,
        again: Callable[[], tuple[Rows, Counts]] | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._rows, self._again = rows, again
        self._selection = selection or everything(rows)
        self.counts = counts or Counts()
        """How the files were read: by templates, element by element, or known from the index."""

    # What there is

    @property
    def root(self) -> str:
        """Folder that was scanned, absolute."""
        return self._rows.root

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._selection.series)

    def __iter__(self) -> Iterator[Catalog]:
        for one in self._selection.series:
            yield self._with(self._selection.only(one))

    def _with(self, selection: Selection) -> Catalog:
        return Catalog(self._rows, selection, again=self._again, counts=self.counts)

    @property
    def series(self) -> pd.DataFrame:
        """One row a series.

        ``patient``, ``study`` and ``series`` are the names of its nodes in a tree; ``shape`` and
        ``dims`` tuples, as far as they are known: dims once the series was opened (an index keeps
        them), before that the shape is (frames, rows, columns); ``arrays`` how many it is;
        ``problems`` how many there are with its files.
        """
        shapes = self._rows.shapes()
        whole = {key: shape for key, shape in shapes.items() if key not in self._selection.partial}
        return series_frame(self._selection.series, whole, self._rows.problem_counts())

    @property
    def instances(self) -> pd.DataFrame:
        """One row a file: path relative to the root, size, time, frames and all attributes."""
        return instance_frame(self._selection.taken(self._rows))

    @property
    def problems(self) -> pd.DataFrame:
        """What was wrong with files: kind, file, frame, message, excluded.

        Of a part of a scan: with the files of its series.
        """
        problems = self._rows.problems()
        if not self._selection.whole:
            table, _ = self._selection.table(self._rows)
            names = set(table.files.paths)
            problems = [problem for problem in problems if problem.file in names]
        return problem_frame(problems)

    def __getitem__(self, key: Key | list[Key]) -> Any:
        """One value of an attribute, or the sorted list of distinct ones; a list gives a list."""
        if isinstance(key, list):
            return [self[k] for k in key]
        texts, vr = distinct_texts(self._rows, self._selection, key)
        if not texts:
            return None
        values = convert(sorted(texts), vr)
        return as_item(np.unique(values.array[values.valid], axis=0))

    # Narrowing

    def filter(self, attributes: Mapping[Key, Any] | None = None, **by_keyword: Any) -> Catalog:
        """The frames whose attributes have the values wanted, and the series that have such.

        Parameters
        ----------
        attributes : mapping, optional
            Keyword or tag → value, list of values, or ``slice(low, high)`` with both ends
            included; ``*`` and ``?`` in text stand for anything and for one character. As for
            ``.dicom.filter``.
        **by_keyword
            The same by keyword.

        Returns
        -------
        Catalog
            With the same rows behind it; nothing is read but for attributes that no row holds.

        Raises
        ------
        KeyError
            For a name that is no DICOM keyword.
        ValueError
            For a value that an attribute cannot have.
        """
        wanted: dict[Any, Any] = {**(attributes or {}), **by_keyword}
        return self._with(narrowed(self._rows, self._selection, wanted))

    # Opening

    def open(
        self,
        series: int | str | None = None,
        *,
        chunks: Any = None,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> xr.DataArray:
        """Open one series as a lazy, labelled array.

        Parameters
        ----------
        series : int or str, optional
            Number, UID, name of the node or glob of the description; may be left out where there
            is one only.
        chunks : int, dict, "auto" or None
            As for `xdicom.open_series`; coordinates stay in numpy.
        drop_variables : str or iterable of str, optional
            Coordinates to leave out.
        **options
            Those of `xdicom.open_series`.

        Returns
        -------
        xarray.DataArray
            ``pixels``, dims (frame dims…, z, y, x[, sample]).

        Raises
        ------
        AmbiguousSeriesError
            If several arrays match; the message lists them.
        XDicomError
            As `xdicom.open_series`.
        """
        array = self.dataset(read_options({"series": series, **options}))[VARIABLE]
        if drop_variables is not None:
            array = array.drop_vars(drop_variables, errors="ignore")
        return array if chunks is None else chunked(array, chunks)

    def open_datatree(self, *, chunks: Any = None, **options: Any) -> xr.DataTree:
        """Open all series as a tree: patient, study, series.

        Parameters
        ----------
        chunks : int, dict, "auto" or None
            As for `open`.
        **options
            Those of `xdicom.open_series`.

        Returns
        -------
        xarray.DataTree
            Its nodes hold Datasets; making one takes some ms, so filter thousands of series first.
        """
        groups = self.groups(read_options(options))
        if chunks is not None:
            groups = {
                path: ds.assign({VARIABLE: chunked(ds[VARIABLE], chunks)}) if VARIABLE in ds else ds
                for path, ds in groups.items()
            }
        return xr.DataTree.from_dict(groups)

    def dataset(self, options: OpenOptions) -> xr.Dataset:
        """The one array that the options select, as `xarray.open_dataset` gives it."""
        found = find(self._rows, self._selection, options, single=True)
        return dataset_of(*pick(found, options, self.root), options)

    def groups(self, options: OpenOptions) -> dict[str, xr.Dataset]:
        """All arrays that the options select, by the path of their node."""
        found = find(self._rows, self._selection, options, single=False)
        return groups_of(found, options, self.root)

    # Beyond this session

    @classmethod
    def from_index(cls, index: PathLike, root: PathLike | None = None) -> Catalog:
        """What an index holds, without looking whether the files are still the same.

        Reading from a file that changed or is gone raises; `refresh` brings both up to date.

        Parameters
        ----------
        index : path
            File that `scan` made.
        root : path, optional
            Folder of the DICOM files, if it is not where it was.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        IndexFileError
            If it is no index, or of another version.
        """
        found = Index.open(absolute(index))
        if root is not None:
            found.look_in(absolute(root))
        again = None
        if found.kind == "folder":
            options = ScanOptions(errors="warn", limits_excluded=True)
            again = partial(rows_in_index, found.root, found.path, options)
        rows = IndexRows(found)
        known = sum(entry.instances for entry in rows.entries())
        return cls(rows, again=again, counts=Counts(known=known))

    def to_parquet(self, path: PathLike) -> None:
        """Write all rows as a parquet file, for other programs or for `from_parquet`.

        A row a frame: ``path`` (relative to the root), ``size``, ``mtime_ns``, ``frame_number``,
        ``frame_id``, ``pixel_offset``, ``pixel_length``, and each attribute as text under its
        keyword, as the files have it: PatientID, dates and descriptions too.

        Parameters
        ----------
        path : path
            The file, replaced if there is one.

        Raises
        ------
        ImportError
            If pyarrow is not installed (``pip install xdicom[pyarrow]``).
        """
        write_parquet(self._selection.taken(self._rows), path)

    @classmethod
    def from_parquet(cls, path: PathLike, root: PathLike | None = None) -> Catalog:
        """What `to_parquet` wrote, without looking whether the files are still the same.

        Parameters
        ----------
        path : path
            The file.
        root : path, optional
            Folder of the DICOM files, if it is not where it was.

        Raises
        ------
        IndexFileError
            If the file is not one of `to_parquet`.
        ImportError
            If pyarrow is not installed (``pip install xdicom[pyarrow]``).
        """
        return cls(MemoryRows(read_parquet(path, root)))

    def refresh(self) -> Catalog:
        """Scan again, in place: what is new is read, what changed is read again, what is gone left.

        Returns
        -------
        Catalog
            Itself, with the same filters. Arrays that were opened stay as they were; reading from
            a file that changed since raises.
        """
        if self._again is None:
            raise ValueError(
                "this catalog cannot scan again: it was made of a parquet file, or of an index of "
                "files that were named; call xdicom.scan with them"
            )
        self._rows, self.counts = self._again()
        self._selection = selected_again(self._rows, self._selection)
        return self

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        keys = tuple(one.entry.key for one in self._selection.series)
        return ("xdicom.Catalog", self._rows.token(), keys, repr(self._selection.filters))

    def __repr__(self) -> str:
        return as_text(self.root, self.series, self._filter_text(), self._left_out())

    def _repr_html_(self) -> str:
        return as_html(self.root, self.series, self._filter_text(), self._left_out())

    def _left_out(self) -> int:
        """DICOM files that give no rows since something is wrong with them."""
        if not self._selection.whole:
            return 0
        problems = self._rows.problems()
        return len({p.file for p in problems if p.excluded and p.kind != "NotDicom"})

    def _filter_text(self) -> str:
        pairs = [pair for wanted in self._selection.filters for pair in wanted.items()]
        return ", ".join(f"{keyword(key)}={_text(value)}" for key, value in pairs)


def _text(value: Any) -> str:
    """A wanted value as it was meant."""
    if not isinstance(value, slice):
        return repr(value)
    low, high = ("" if end is None else repr(end) for end in (value.start, value.stop))
    return f"{low} … {high}".strip()
