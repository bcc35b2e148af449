"""An array becomes a highdicom Volume."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xarray as xr
from pydicom.datadict import tag_for_keyword

from xdicom.interop.volumes import volumes_of

_PLAIN: Final = {"i": int, "u": int, "f": float, "b": int}


def to_highdicom(obj: xr.DataArray | xr.Dataset) -> Any:
    """Make a `highdicom.Volume`, in its place in the patient.

    Parameters
    ----------
    obj : DataArray or Dataset
        With z, y and x in the patient.

    Returns
    -------
    highdicom.Volume
        Of the array's values, shape (slices, rows, columns, *others[, sample]). Slices descend
        along the normal, as highdicom's own are ordered (right-handed in slice, row, column); its
        affine says so, and each voxel lies where it does by ``.dicom.affine``. Other dims are
        channels: by their attribute where the dim is one (EchoTime), else by our name.

    Raises
    ------
    ImportError
        Without highdicom: ``pip install 'xdicom[highdicom]'``.
    GeometryError
        If there is no affine, or it has a shear.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> from xdicom.testing import write_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_series(folder, {"EchoTime": [5, 10], "z": 4})
    ...     volume = to_highdicom(xdicom.open_series(folder))
    >>> volume.shape, volume.handedness.name
    ((4, 16, 24, 2), 'RIGHT_HANDED')
    """
    try:
        import highdicom
        from highdicom.volume import RGB_COLOR_CHANNEL_DESCRIPTOR, ChannelDescriptor
    except ImportError as error:
        raise ImportError(
            "highdicom volumes need highdicom: pip install 'xdicom[highdicom]'"
        ) from error
    volumes = volumes_of(obj, signs=(-1, 1, 1))
    volumes.refuse_shear("a highdicom volume")
    array = volumes.array.transpose("z", "y", "x", *volumes.others, ...)
    channels: dict[Any, Any] = {}
    for dim in volumes.others:
        labels = _plain_labels(array, dim)
        keyword = tag_for_keyword(dim) is not None
        descriptor = ChannelDescriptor(dim) if keyword else None
        if descriptor is None or not all(isinstance(v, descriptor.value_type) for v in labels):
            name = f"{dim} (label)" if keyword else dim
            descriptor = ChannelDescriptor(name, is_custom=True, value_type=type(labels[0]))
        channels[descriptor] = labels
    if volumes.colour:
        channels[RGB_COLOR_CHANNEL_DESCRIPTOR] = ["R", "G", "B"]
    space = array.coords["patient_space"].attrs
    return highdicom.Volume(
        np.asarray(array.values),
        volumes.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=space.get("FrameOfReferenceUID"),
        channels=channels,
    )


def _plain_labels(array: xr.DataArray, dim: str) -> list[Any]:
    """Labels of a dim as int, float or str; numbers from 0 where it has none."""
    if dim not in array.coords:
        return list(range(array.sizes[dim]))
    values = array.coords[dim].values
    make = _PLAIN.get(values.dtype.kind, str)
    return [make(v) for v in values]
