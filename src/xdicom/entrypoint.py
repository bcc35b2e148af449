"""The xarray engine ``dicom``: open_dataset and open_datatree become calls of `opening`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

import xdicom.accessor  # noqa: F401  so that .dicom is there after xr.open_dataset
from xdicom.api.catalog import Catalog
from xdicom.opening.options import OPTION_NAMES, options_from
from xdicom.opening.trees import open_all, open_one
from xdicom.sources.places import source_of


class DicomBackendEntrypoint(BackendEntrypoint):
    """Opens a file, a list of files, a folder or a catalog of DICOM as lazy, labelled arrays."""

    description = "DICOM series as lazy arrays (xdicom)"
    url = "https://github.com/xdicom/xdicom"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        *OPTION_NAMES,
    )
    supports_groups = True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> xr.Dataset:
        """Open the one array under a path or of a catalog; `xdicom.open_series` has the options."""
        checked = options_from(options)
        if isinstance(filename_or_obj, Catalog):
            dataset = filename_or_obj.dataset(checked)
        else:
            dataset = open_one(filename_or_obj, checked)
        return _without(dataset, drop_variables)

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, xr.Dataset]:
        """Open all arrays under a path or of a catalog, by the path of their node."""
        checked = options_from(options)
        if isinstance(filename_or_obj, Catalog):
            groups = filename_or_obj.groups(checked)
        else:
            groups = open_all(filename_or_obj, checked)
        return {path: _without(ds, drop_variables) for path, ds in groups.items()}

    def open_datatree(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """Open all arrays under a path or of a catalog as a tree: patient, study, series."""
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, **options)
        return xr.DataTree.from_dict(groups)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a file begins as DICOM: its magic bytes only, never a scan."""
        try:
            path = os.fspath(filename_or_obj)
            with source_of(path).open(path) as file:  # a folder can be opened, but not read
                return file.read(4, 128) == b"DICM"
        except (TypeError, OSError, ValueError):
            return False


def _without(dataset: xr.Dataset, names: str | Iterable[str] | None) -> xr.Dataset:
    if names is None:
        return dataset
    dropped = [names] if isinstance(names, str) else list(names)
    return dataset.drop_vars(dropped, errors="ignore")
