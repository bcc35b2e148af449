"""A total pixel matrix in, a slide as scanners write it out: levels, a label and an overview."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from xdicom.testing.slides import Matrix, slide_pixels, write_slide


def write_pyramid(
    folder: str | os.PathLike[str],
    matrix: Any,
    *,
    levels: int = 3,
    label: bool = True,
    overview: bool = True,
    shuffle: int | None = None,
    pixel_spacing: tuple[float, float] = (0.0005, 0.0005),
    **options: Any,
) -> dict[str, Matrix]:
    """Write a slide as scanners do: levels each half of the one before, a label and an overview.

    Parameters
    ----------
    folder : path
        Where the files go; made where it does not exist.
    matrix : array
        The largest level, as for :func:`write_slide`.
    levels : int
        How many levels, the first is the matrix.
    label, overview : bool
        Whether to write them.
    shuffle : int, optional
        Seed of a random order of file names and of InstanceNumber.
    pixel_spacing : (float, float)
        Of the largest level, mm.
    **options
        Of :func:`write_slide`, for the levels.

    Returns
    -------
    dict of str to ndarray
        By the name of the node: ``level0`` …, ``label``, ``overview``.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.testing import slide_pixels, write_pyramid
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = write_pyramid(folder, slide_pixels((64, 80)))
    >>> {name: array.shape for name, array in made.items()}["level1"]
    (32, 40)
    """
    whole = np.asarray(matrix)
    first = 0 if whole.ndim in (2, 3) else 2
    made: dict[str, Matrix] = {}
    for level in range(levels):
        step = (slice(None),) * first + (slice(None, None, 2**level),) * 2
        made[f"level{level}"] = whole[step]
    seed = int(options.get("seed", 0))
    beside = {"label": (label, (20, 30), 5), "overview": (overview, (25, 60), 6)}
    for name, (wanted, size, number) in beside.items():
        if wanted:
            made[name] = slide_pixels(size, samples=3, seed=seed + number)
    order = list(range(len(made)))
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(len(made)).tolist()
    for (name, array), number in zip(made.items(), order, strict=True):
        path = Path(folder) / f"{number:03d}.dcm"
        if name.startswith("level"):
            level = int(name.removeprefix("level"))
            spacing = (pixel_spacing[0] * 2**level, pixel_spacing[1] * 2**level)
            kind = ("DERIVED", "PRIMARY", "VOLUME", "RESAMPLED" if level else "NONE")
            own = {**options, "pixel_spacing": spacing, "image_type": kind}
        else:
            kind = ("ORIGINAL", "PRIMARY", name.upper(), "NONE")
            kept = ("seed", "series_uid", "study_uid", "series_number", "patient_id")
            own = {k: options[k] for k in kept if k in options}
            own |= {"tile": array.shape[:2], "pixel_spacing": (0.5, 0.5), "image_type": kind}
            own |= {"organization": None}
        write_slide(path, array, instance_number=10 * number + 1, **own)
    return made
