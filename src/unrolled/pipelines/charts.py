"""One description of a chart, drawn twice: by matplotlib as PNG, by Plotly for page and kedro-viz.

A picture is a grid of charts, a chart is a list of lines, dots, bars and maps. Each row of a
leaderboard has one colour and line style in all pictures of a run. `drawing` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unrolled.comparison.looks import BLACK, Look

Symbol = Literal["circle", "diamond", "x"]


@dataclass(frozen=True)
class Line:
    """A line, with a band around it where `band` holds its lower and upper edge."""

    x: Any
    y: Any
    name: str = ""  # in the legend; without one it is not there
    look: Look = BLACK
    width: float = 1.8
    band: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Dots:
    """Points, each by itself."""

    x: Any
    y: Any
    name: str = ""
    colour: str = "black"
    symbol: Symbol = "circle"


@dataclass(frozen=True)
class Bars:
    """Lying bars, the first one at the bottom, each with a whisker; hatched where dashed."""

    names: Sequence[str]
    values: Any
    spread: Any
    looks: Sequence[Look]
    name: str = ""


@dataclass(frozen=True)
class Map:
    """A matrix in colours, its first row on top; NaN stays white."""

    z: Any  # (R, C)
    colours: str  # a name that matplotlib and Plotly both know
    low: float
    high: float
    label: str = ""  # of the colour bar; without one there is none
    text: Any = None  # (R, C), written on it
    font: float = 9.0  # points
    name: str = ""

    @property
    def scale(self) -> tuple[str, float, float, str]:
        """What maps with one colour bar have in common."""
        return self.colours, self.low, self.high, self.label


@dataclass(frozen=True)
class Chart:
    """Two axes with a name each, and what is drawn between them."""

    x: str
    y: str
    items: Sequence[Line | Dots | Bars | Map]
    title: str = ""
    log: str = ""  # axes on a logarithmic scale: `x`, `y` or both
    lowest: float | None = None  # y below it is not shown
    equal: bool = False  # one unit of x is as long as one of y
    bare: bool = False  # no axes
    x_names: Sequence[str] | None = None  # of 0, 1, 2 ... on the axis
    y_names: Sequence[str] | None = None  # the first one on top
