"""Tiles, words and a colour bar are placed on a matplotlib figure by inches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUND: Final = "#0c0e12"
"""Colour behind the tiles, and of NaN."""
INK: Final = "#e2e5ea"
FAINT: Final = "#99a1af"
SIDE: Final = "#ffc168"

_LARGEST: Final = (12.0, 9.0)
"""Inches that the tiles may fill."""
_GAP: Final = 0.03
_TITLE: Final = 0.62
_MARGIN: Final = 0.16
_BAR: Final = 0.95
_NARROWEST: Final = 4.6
"""Inches of figure that a title needs."""
_JOINT: Final = " · "
_WIDE: Final = 0.62
"""Mean width of a letter, in sizes of its type."""
_SHAPE: Final = 1.5
"""Width to height that the grid of tiles comes near."""


@dataclass(frozen=True)
class Layout:
    """Where the tiles stand, in inches from the upper left."""

    columns: int
    rows: int
    tile: tuple[float, float]
    """Width and height of one."""
    size: tuple[float, float]
    """Of the whole figure."""
    points: float
    """Size of the labels' type."""
    lines: int
    """Lines of a label; each part has its own where one line is too short."""
    bar: bool
    """Whether there is a colour bar."""

    @property
    def strip(self) -> float:
        """Height of the labels below the tiles."""
        return self.lines * self.points * 1.3 / 72 + (0.04 if self.lines else 0)

    @property
    def step(self) -> tuple[float, float]:
        """From one tile to the next, to the right and down."""
        return self.tile[0] + _GAP, self.tile[1] + _GAP + self.strip


def layout_of(
    count: int,
    inner: int,
    aspect: float,
    columns: int | None,
    words: list[list[str]],
    *,
    bar: bool,
) -> Layout:
    """Lay out tiles of one aspect, with their words.

    Parameters
    ----------
    count : int
        Tiles.
    inner : int
        Tiles that belong together: the length of the inner dim.
    aspect : float
        Width to height of a tile.
    columns : int, optional
        Tiles in a row.
    words : list of list of str
        The parts of each tile's label, or nothing.
    bar : bool
        Whether there is a colour bar.

    Returns
    -------
    Layout
    """
    if columns is None:
        columns = min(range(1, count + 1), key=lambda c: _cost(c, count, inner, aspect))
    rows = ceil(count / columns)
    largest = 5.0 if count == 1 else 3.2
    width = min(_LARGEST[0] / columns, _LARGEST[1] / rows * aspect, largest * max(aspect, 1))
    points = float(np.clip(width * 72 / 16, 4.5, 8.5))
    fitting = width * 72 / (points * _WIDE)
    together = max((len(_JOINT.join(w)) for w in words), default=0)
    lines = 0 if not words else 1 if together <= fitting * 1.2 else len(words[0])
    longest = together if lines == 1 else max((len(p) for w in words for p in w), default=0)
    points *= min(1.0, fitting / max(longest, 1))
    made = Layout(columns, rows, (width, width / aspect), (0, 0), points, lines, bar)
    across = columns * made.step[0] + 2 * _MARGIN + (_BAR if bar else 0)
    down = rows * made.step[1] + _MARGIN + _TITLE
    return replace(made, size=(max(across, _NARROWEST), down))


def _cost(columns: int, count: int, inner: int, aspect: float) -> float:
    """How far a number of columns is from pleasing: shape, empty places, torn groups."""
    rows = ceil(count / columns)
    shape = abs(log(columns * aspect / rows / _SHAPE))
    empty = rows * columns / count - 1
    torn = 0.5 if 1 < inner < count and inner % columns and columns % inner else 0.0
    return shape + empty + torn


class Canvas:
    """A figure on which tiles and words are placed by inches, scaled to the figure's size."""

    def __init__(self, figure: Any, layout: Layout) -> None:
        self.figure = figure
        self.layout = layout
        size = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
        self.scale = min(size[0] / layout.size[0], size[1] / layout.size[1])
        self.size = size[0] / self.scale, size[1] / self.scale
        taken = layout.columns * layout.step[0] + (_BAR if layout.bar else 0)
        self.left = max(_MARGIN, (self.size[0] - taken) / 2)

    def _axes(self, left: float, top: float, width: float, height: float) -> Axes:
        across, down = self.size
        box = (left / across, 1 - (top + height) / down, width / across, height / down)
        axes: Axes = self.figure.add_axes(box)
        return axes

    def tile(self, number: int) -> Axes:
        """Axes of a tile, without ticks and frame."""
        row, column = divmod(number, self.layout.columns)
        right, down = self.layout.step
        axes = self._axes(self.left + column * right, _TITLE + row * down, *self.layout.tile)
        axes.set_axis_off()
        return axes

    def label(self, axes: Axes, parts: list[str]) -> None:
        """Write the label of a frame below its tile."""
        joint = _JOINT if self.layout.lines == 1 else "\n"
        foot = -0.02 / self.layout.tile[1]
        axes.text(
            0.01,
            foot,
            joint.join(parts),
            transform=axes.transAxes,
            size=self.layout.points * self.scale,
            color=FAINT,
            ha="left",
            va="top",
            linespacing=1.15,
            parse_math=False,
        )

    def sides(self, axes: Axes, across: tuple[str, str], down: tuple[str, str]) -> None:
        """Write the sides of the patient at the edges of a tile."""
        from matplotlib.patheffects import withStroke

        size = float(np.clip(self.layout.tile[0] * 72 / 14, 5, 11)) * self.scale
        shade = withStroke(linewidth=size / 3.5, foreground="black", alpha=0.75)
        for text, at, ha, va in (
            (across[0], (0.02, 0.5), "left", "center"),
            (across[1], (0.98, 0.5), "right", "center"),
            (down[0], (0.5, 0.98), "center", "top"),
            (down[1], (0.5, 0.02), "center", "bottom"),
        ):
            if text:
                axes.text(
                    *at,
                    text,
                    transform=axes.transAxes,
                    size=size,
                    color=SIDE,
                    weight="bold",
                    ha=ha,
                    va=va,
                    path_effects=[shade],
                    parse_math=False,
                )

    def title(self, text: str, below: str) -> None:
        """Write the title and the line below it."""
        across, down = self.size
        room = int((across - self.left) * 72 / 7)
        text = text if len(text) <= room else text[: room - 1] + "…"
        for words, top, size, color in ((text, 0.14, 12, INK), (below, 0.37, 8, FAINT)):
            self.figure.text(
                self.left / across,
                1 - top / down,
                words,
                size=size * self.scale,
                color=color,
                ha="left",
                va="top",
                parse_math=False,
            )

    def bar(self, mappable: Any, label: str) -> None:
        """Draw the colour bar at the right."""
        right, down = self.layout.step
        left = self.left + self.layout.columns * right + 0.12
        whole = self.layout.rows * down - _GAP - self.layout.strip
        tall = min(whole, 4.0)
        axes = self._axes(left, _TITLE + (whole - tall) / 2, 0.11, tall)
        bar = self.figure.colorbar(mappable, cax=axes)
        bar.outline.set_visible(False)
        axes.tick_params(colors=FAINT, labelsize=7 * self.scale, length=2 * self.scale, width=0.5)
        if label:
            bar.set_label(label, color=FAINT, size=7.5 * self.scale)
