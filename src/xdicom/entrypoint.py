"""The xarray engine ``dicom``: open_dataset and open_datatree become calls of `opening`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

import xdicom.accessor  # noqa: F401  so that .dicom is there after xr.open_dataset
from xdicom.opening.options import OPTION_NAMES, options_from
from xdicom.opening.trees import groups_of, open_one


class DicomBackendEntrypoint(BackendEntrypoint):
    """Opens a file, a list of files or a folder of DICOM as lazy, labelled arrays."""

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
        """Open the one array under a path; see `xdicom.open_series` for the options."""
        dataset = open_one(filename_or_obj, options_from(options))
        return _without(dataset, drop_variables)

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, xr.Dataset]:
        """Open all arrays under a path, by the path of their node."""
        groups = groups_of(filename_or_obj, options_from(options))
        return {path: _without(ds, drop_variables) for path, ds in groups.items()}

    def open_datatree(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """Open all arrays under a path as a tree: patient, study, series."""
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, **options)
        return xr.DataTree.from_dict(groups)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a file begins as DICOM: its magic bytes only, never a scan."""
        try:
            path = os.fspath(filename_or_obj)
            if os.path.isdir(path):
                return False
            with open(path, "rb") as file:
                return file.read(132)[128:] == b"DICM"
        except (TypeError, OSError, ValueError):
            return False


def _without(dataset: xr.Dataset, names: str | Iterable[str] | None) -> xr.Dataset:
    if names is None:
        return dataset
    dropped = [names] if isinstance(names, str) else list(names)
    return dataset.drop_vars(dropped, errors="ignore")
