"""A folder in, a study of a simulated head or of the textbook's flip angles out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xdicom.testing.elements import Key
from xdicom.testing.series import write_series

Volume = np.ndarray[Any, np.dtype[np.float32]]

FIELD_OF_VIEW = 220.0
"""In-plane size of the phantom study, mm."""
SLICE_STEP = 3.5
"""Spacing of its slices, mm."""
TILT = np.deg2rad(9.0)
"""By how much its slices are tipped about the left-right axis."""

TISSUES = {
    # T2* in ms as at 3 T, signal at TE = 0 relative to grey matter
    "scalp": (22.0, 1.05),
    "bone": (2.0, 0.05),
    "fluid": (160.0, 0.62),
    "grey": (52.0, 1.0),
    "white": (44.0, 0.84),
    "putamen": (31.0, 0.95),
    "pallidum": (17.0, 0.9),
    "eye": (120.0, 0.55),
}
VIALS = (10.0, 20.0, 40.0, 80.0)
"""T2* of the vials in the corners, ms: top left, top right, bottom left, bottom right."""


@dataclass(frozen=True)
class PhantomStudy:
    """What :func:`phantom_study` wrote, and the truth behind it."""

    folder: Path
    """Where the files are."""
    paths: tuple[Path, ...]
    """The files, echo by echo, the slices of each from the feet to the head."""
    t2star: Volume
    """T2* in ms, (slices, rows, columns) float32; NaN in air and bone."""
    echo_times: tuple[float, ...]
    """Echo times, ms."""


def phantom_study(
    folder: str | os.PathLike[str],
    *,
    echo_times: Sequence[float] = (4.9, 9.8),
    slices: int = 40,
    size: int = 256,
    seed: int = 0,
) -> PhantomStudy:
    """Write a T2*-weighted multi-echo study of a simulated head with four vials.

    The head has scalp, skull, folded grey and white matter, fluid, basal ganglia,
    eyes and an air-filled sinus, above which T2* is shortened. Each voxel decays
    with one T2*, ``S = S0 * exp(-TE / T2*)``, under a smooth coil profile and
    Rician noise.

    Parameters
    ----------
    folder : path
        Where the files go.
    echo_times : sequence of float
        Echo times, ms.
    slices : int
        How many slices, 3.5 mm apart.
    size : int
        Rows and columns, over a field of view of 220 mm.
    seed : int
        Of folds, noise and UIDs.

    Returns
    -------
    PhantomStudy
        The files, classic 12-bit MR of one slightly oblique series, and the true T2*.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.testing import phantom_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = phantom_study(folder, slices=4, size=32)
    >>> len(study.paths), study.t2star.shape
    (8, (4, 32, 32))
    """
    rng = np.random.default_rng(seed)
    t2star, density, silent = _head(slices, size, rng)
    shading = density * _coil(slices, size)
    shading *= 3400 / shading.max()
    sigma = 16.0
    stored = np.empty((len(echo_times), slices, size, size), np.uint16)
    for echo, echo_time in enumerate(echo_times):
        signal = shading * np.exp(-np.float32(echo_time) / t2star)
        real = signal + sigma * rng.standard_normal(signal.shape, np.float32)
        imaginary = sigma * rng.standard_normal(signal.shape, np.float32)
        stored[echo] = np.clip(np.rint(np.hypot(real, imaginary)), 0, 4095)

    spacing = FIELD_OF_VIEW / size
    cosine, sine = float(np.cos(TILT)), float(np.sin(TILT))
    attributes: dict[Key, Any] = {
        "SeriesDescription": "T2* multi-echo phantom",
        "ProtocolName": "T2star_ME_GRE",
        "ScanningSequence": "GR",
        "SequenceVariant": ["SP", "OSP"],
        "RepetitionTime": 1200,
        "FlipAngle": 45,
        "NumberOfAverages": 1,
        "ImagingFrequency": 123.2,
        "ImagedNucleus": "1H",
        "PixelBandwidth": 260,
        "WindowCenter": 1400,
        "WindowWidth": 2800,
    }
    # the middle of the middle slice is the origin of the patient's space
    half = (size - 1) / 2 * spacing
    down = -(slices - 1) / 2 * SLICE_STEP
    paths = write_series(
        folder,
        {
            "EchoTime": [{"EchoTime": te, "EchoNumbers": i + 1} for i, te in enumerate(echo_times)],
            "z": slices,
        },
        stored=stored,
        bits_stored=12,
        pixel_spacing=(spacing, spacing),
        slice_spacing=SLICE_STEP,
        orientation=(1, 0, 0, 0, cosine, sine),
        origin=(-half, -half * cosine - down * sine, -half * sine + down * cosine),
        attributes=attributes,
        seed=seed,
    )
    truth = np.where(silent, np.float32(np.nan), t2star)
    return PhantomStudy(Path(folder), tuple(paths), truth, tuple(echo_times))


def _axes(slices: int, size: int) -> tuple[Volume, Volume, Volume]:
    """Give z (up), y (to the back) and x (to the left) in mm from the middle, to broadcast."""
    across = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * (FIELD_OF_VIEW / size)
    up = (np.arange(slices, dtype=np.float32) - (slices - 1) / 2) * SLICE_STEP
    made = up[:, None, None], across[:, None], across
    return made[0].astype(np.float32), made[1].astype(np.float32), made[2].astype(np.float32)


def _coil(slices: int, size: int) -> Volume:
    """Make the smooth profile of a coil array, bright at the rim."""
    z, y, x = _axes(slices, size)
    profile = 0.72 + 0.30 * ((x + 18) ** 2 + (y - 25) ** 2) / 110**2 - 0.12 * (z / 80) ** 2
    return profile.astype(np.float32)


def _folds(slices: int, size: int, rng: np.random.Generator) -> Volume:
    """Make band-limited noise, of folds about 15 mm apart, with standard deviation 1."""
    noise = rng.standard_normal((slices, size, size), np.float32)
    pixel = FIELD_OF_VIEW / size
    squared = (
        (np.fft.fftfreq(slices, SLICE_STEP) ** 2)[:, None, None]
        + (np.fft.fftfreq(size, pixel) ** 2)[:, None]
        + np.fft.rfftfreq(size, pixel) ** 2
    )
    band = np.exp(-(((np.sqrt(squared) - 1 / 15) / 0.018) ** 2)).astype(np.float32)
    folds = np.fft.irfftn(np.fft.rfftn(noise) * band, noise.shape, axes=(0, 1, 2))
    return np.asarray(folds / folds.std(), np.float32)


def _head(slices: int, size: int, rng: np.random.Generator) -> tuple[Volume, Volume, Any]:
    """Give T2* in ms, the signal at TE = 0, and where there is none worth the name."""
    z, y, x = _axes(slices, size)
    side = np.abs(x)
    folds = _folds(slices, size, rng)

    def ball(
        radii: tuple[float, float, float], centre: tuple[float, float, float], tip: float = 0.0
    ) -> Volume:
        """Give the radius, relative to that of an ellipsoid; both sides alike."""
        across, back = side - centre[0], y - centre[1] - tip * (side - centre[0])
        squared = (
            (across / radii[0]) ** 2 + (back / radii[1]) ** 2 + ((z - centre[2]) / radii[2]) ** 2
        )
        return np.sqrt(squared).astype(np.float32)

    # a head is wider behind than in front
    width = 76 + 0.07 * y
    skull = np.sqrt((x / width) ** 2 + (y / 94) ** 2 + ((z + 14) / 97) ** 2).astype(np.float32)
    brain = skull < 0.875
    callosum = np.hypot(y / 46, (z - 8) / 26) < 1
    cerebellum = ball((34, 27, 25), (20, 46, -54))
    folia = np.sin(1.25 * y + 0.5 * z + 0.02 * side**2)
    layers = [
        ("scalp", skull < 1),
        ("bone", skull < 0.945),
        ("fluid", skull < 0.885),
        ("grey", (skull + 0.022 * folds < 0.855) & brain),
        ("white", (skull + 0.085 * folds < 0.745) & (skull < 0.82)),
        # the fissures between the hemispheres and above the temporal lobes
        ("grey", (side + 3 * folds < 8) & (skull < 0.83) & ~callosum),
        ("fluid", (side < 1.6 + 0.8 * folds) & (skull < 0.9) & ~callosum),
        ("grey", ball((9, 29, 15), (45, -8, -2), 0.2) + 0.10 * folds < 1),
        ("fluid", ball((4, 25, 11), (49, -8, -2), 0.2) + 0.15 * folds < 1),
        ("fluid", (folds > 1.25) & (skull < 0.86) & (skull > 0.66)),
        # the ganglia and the ventricles
        ("grey", ball((9, 16, 12), (10, 4, 4)) < 1),
        ("putamen", ball((7, 19, 14), (26, -6, 2), 0.25) < 1),
        ("pallidum", ball((5, 11, 9), (18, -3, 1), 0.25) < 1),
        ("putamen", ball((6, 9, 22), (14, -24, 12), -0.3) < 1),
        ("fluid", ball((6.5, 34, 9), (9, 2, 21), 0.55) < 1),
        ("fluid", ball((7, 17, 11), (24, 32, 9), 0.4) < 1),
        ("fluid", ball((2.5, 14, 10), (0, 4, 2)) < 1),
        ("grey", ball((6, 19, 7), (26, 8, -19), -0.2) + 0.1 * folds < 1),
        ("fluid", ball((3, 15, 6), (32, 14, -19), -0.2) < 1),
        # the brain stem in its cistern, the cerebellum behind it
        ("fluid", ball((20, 17, 24), (0, 8, -48)) + 0.08 * folds < 1),
        ("fluid", (cerebellum < 1.08) & brain),
        ("grey", (cerebellum + 0.03 * folds < 1) & brain),
        ("white", (cerebellum < 0.93) & (folia > 0.35) & brain),
        ("white", cerebellum < 0.5),
        ("white", ball((14, 12, 42), (0, 10, -48)) < 1),
        ("fluid", ball((6, 4, 12), (0, 23, -46)) < 1),
        # the face
        ("scalp", (ball((17, 21, 17), (31, -62, -44)) < 1) & (skull < 1)),
        ("eye", ball((12, 12.5, 12), (31, -66, -44)) < 1),
        ("air", ball((13, 17, 19), (0, -68, -42)) < 1),
    ]
    names = ["air", *TISSUES]
    label = np.zeros(folds.shape, np.int8)
    for tissue, where in layers:
        label[np.broadcast_to(where, label.shape)] = names.index(tissue)
    tissues = np.array([(1.0, 0.0), *TISSUES.values()], np.float32)
    t2star, density = tissues[label, 0], tissues[label, 1]
    # air beside tissue bends the field, which shortens T2* around the sinus
    distance = (x / 30) ** 2 + ((y + 60) / 30) ** 2 + ((z + 26) / 26) ** 2
    t2star /= 1 + (1.6 * np.exp(-distance) + 0.04 * folds).astype(np.float32)
    # partial volume at the borders, in the plane
    for axis in (1, 2):
        density = (np.roll(density, 1, axis) + 2 * density + np.roll(density, -1, axis)) / 4
    for number, value in enumerate(VIALS):
        down, left = divmod(number, 2)
        inside = np.hypot(x - (186 * left - 93), y - (186 * down - 93)) < 9
        t2star[:, inside], density[:, inside] = value, 0.8
    silent = (density < 0.2) | (label == names.index("bone"))
    return t2star, density, silent & (density != np.float32(0.8))


def flip_angle_series(folder: str | os.PathLike[str], *, seed: int = 0) -> list[Path]:
    """Write four slices at three flip angles and two repetition times.

    Slices at 0, 10, 20 and 30 mm (SliceLocation, which is also their position
    along the patient's axis), FlipAngle 2, 15 and 30 degrees, RepetitionTime 2.5
    and 5 ms; 128 columns, 64 rows.

    Parameters
    ----------
    folder : path
        Where the files go.
    seed : int
        All UIDs follow from it.

    Returns
    -------
    list of Path
        24 files; FlipAngle outermost, then RepetitionTime, then the slices.

    Examples
    --------
    >>> import tempfile
    >>> from xdicom.testing import flip_angle_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(flip_angle_series(folder))
    24
    """
    return write_series(
        folder,
        {"FlipAngle": [2, 15, 30], "RepetitionTime": [2.5, 5.0], "z": [0, 10, 20, 30]},
        rows=64,
        columns=128,
        slice_spacing=10,
        pixel_spacing=(1.0, 1.0),
        origin=(0, 0, 0),
        attributes={"SeriesDescription": "flip angles"},
        seed=seed,
    )
