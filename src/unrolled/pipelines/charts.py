"""One description of a chart, drawn twice: by matplotlib as PNG, by Plotly for page and kedro-viz.

A picture is a grid of charts, a chart is a list of lines, dots, bars and maps. Each row of a
leaderboard has one colour and line style in all pictures of a run. Chinese, Japanese and Korean show
in all of them, by a font that comes with a package: where matplotlib's own font has no glyph, it is
taken from there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go
from matplotlib import color_sequences, font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from noto_cjk_sans_otc import FONT_PATH
from plotly.subplots import make_subplots

from unrolled.comparison.champion import MEDIAN

# Figures are made without pyplot: no global state, safe in threads.
SIZE = (9.0, 4.5)  # inches
Pictures = tuple[Figure, go.Figure]
Rows = Mapping[str, Sequence[str]]  # names of the leaderboard's rows by kind, in the study's order

# Not per text: tick labels and legends hold names of variants and data sets as well.
font_manager.fontManager.addfont(FONT_PATH)
rcParams["font.family"] = [*rcParams["font.family"], "Noto Sans CJK SC"]

# Ten colours that colour-blind readers tell apart, none of them too light for white paper: Petroff
# (2021), "Accessible color sequences for data visualization", arXiv:2107.02270.
COLOURS = [to_hex(colour) for colour in color_sequences["petroff10"]]

Dash = Literal["solid", "dash", "dashdot", "dot"]
Symbol = Literal["circle", "diamond", "x"]
_STYLES = {"solid": "-", "dash": "--", "dashdot": "-.", "dot": ":"}
_HATCHES = {"solid": ("", ""), "dash": ("///", "/"), "dashdot": ("xxx", "x"), "dot": ("...", ".")}
_SYMBOLS = {"circle": "o", "x": "x", "diamond": "D"}


class Look(NamedTuple):
    """How a line is drawn."""

    colour: str = "black"
    dash: Dash = "solid"
    marked: bool = False


BLACK = Look()


def look(name: str, rows: Rows) -> Look:
    """The look of a row of the leaderboard, the same in every picture of a run.

    A network's line is solid, a baseline's dashed; an ensemble has the colour of its variant. Where
    there are more rows than colours, the second ten are marked with dots.

    Args:
        name: of the row.
        rows: names by kind, `recurrent` and `baseline`, in the study's order.

    >>> rows = {"recurrent": ["gru", "bi_gru"], "baseline": ["ridge"]}
    >>> [look(name, rows).dash for name in ("gru", "gru_median", "ridge")]
    ['solid', 'dashdot', 'dash']
    >>> look("bi_gru_median", rows).colour == look("bi_gru", rows).colour == COLOURS[1]
    True
    """
    order = [row for names in rows.values() for row in names]
    own = name if name in order else name.removesuffix(MEDIAN)
    dash: Dash = (
        "dashdot" if own != name else "dash" if own in rows.get("baseline", ()) else "solid"
    )
    at = order.index(own)
    return Look(COLOURS[at % len(COLOURS)], dash, marked=at >= len(COLOURS))


@dataclass(frozen=True)
class Line:
    """A line, with a band around it where `band` holds its lower and upper edge."""

    x: Any
    y: Any
    name: str = ""  # in the legend; without one it is not there
    look: Look = BLACK
    width: float = 1.8
    band: tuple[Any, Any] | None = None

    def on(self, axes: Axes) -> None:
        """Draw it by matplotlib."""
        colour, dash, marked = self.look
        axes.plot(
            self.x, self.y, _STYLES[dash], color=colour, linewidth=self.width,
            marker="o" if marked else None, markersize=3, label=self.name or None,
        )  # fmt: skip
        if self.band is not None:
            axes.fill_between(self.x, *self.band, color=colour, alpha=0.2, linewidth=0)

    def traces(self) -> list[Any]:
        """Draw it by Plotly."""
        colour, dash, marked = self.look
        edges = []
        if self.band is not None:
            shade = f"rgba({', '.join(f'{255 * part:.0f}' for part in to_rgb(colour))}, 0.2)"
            edges = [
                go.Scatter(
                    x=self.x, y=edge, line={"width": 0}, mode="lines", fill=fill, fillcolor=shade,
                    hoverinfo="skip",
                )
                for edge, fill in zip(self.band, (None, "tonexty"), strict=True)
            ]  # fmt: skip
        line = {"color": colour, "dash": dash, "width": self.width}
        mode = "lines+markers" if marked else "lines"
        return [*edges, go.Scatter(x=self.x, y=self.y, name=self.name, line=line, mode=mode)]


@dataclass(frozen=True)
class Dots:
    """Points, each by itself."""

    x: Any
    y: Any
    name: str = ""
    colour: str = "black"
    symbol: Symbol = "circle"

    def on(self, axes: Axes) -> None:
        """Draw them by matplotlib."""
        axes.scatter(
            self.x, self.y, s=16, c=self.colour, marker=_SYMBOLS[self.symbol], alpha=0.8,
            label=self.name or None,
        )  # fmt: skip

    def traces(self) -> list[Any]:
        """Draw them by Plotly."""
        marker = {"color": self.colour, "symbol": self.symbol, "opacity": 0.8}
        return [go.Scatter(x=self.x, y=self.y, name=self.name, mode="markers", marker=marker)]


@dataclass(frozen=True)
class Bars:
    """Lying bars, the first one at the bottom, each with a whisker; hatched where dashed."""

    names: Sequence[str]
    values: Any
    spread: Any
    looks: Sequence[Look]
    name: str = ""

    def on(self, axes: Axes) -> None:
        """Draw them by matplotlib."""
        axes.barh(
            list(self.names), self.values, xerr=self.spread, edgecolor="white",
            color=[own.colour for own in self.looks],
            hatch=[_HATCHES[own.dash][0] for own in self.looks],
        )  # fmt: skip

    def traces(self) -> list[Any]:
        """Draw them by Plotly."""
        marker = {
            "color": [own.colour for own in self.looks],
            "pattern": {"shape": [_HATCHES[own.dash][1] for own in self.looks]},
        }
        spread = {"array": self.spread, "width": 0}  # caps would stand where there is no spread
        return [go.Bar(x=self.values, y=self.names, error_x=spread, marker=marker, orientation="h")]


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

    def on(self, axes: Axes) -> AxesImage:
        """Draw it by matplotlib."""
        values = np.asarray(self.z, float)
        image = axes.imshow(values, cmap=self.colours, vmin=self.low, vmax=self.high, aspect="auto")
        for (row, column), letter in np.ndenumerate(() if self.text is None else self.text):
            if letter:
                red, green, blue, _ = image.to_rgba(values[row, column])
                dark = (
                    np.isfinite(values[row, column]) and 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
                )
                axes.text(
                    column, row, letter, ha="center", va="center_baseline", fontsize=self.font,
                    color="white" if dark else "black", parse_math=False,
                )  # fmt: skip
        return image

    def traces(self) -> list[Any]:
        """Draw it by Plotly."""
        written = self.text is not None
        return [
            go.Heatmap(
                z=np.asarray(self.z, float), zmin=self.low, zmax=self.high, colorscale=self.colours,
                text=self.text, texttemplate="%{text}" if written else None, showscale=False,
                hovertemplate=("%{text} " if written else "%{x}, %{y}: ") + "%{z:.3g}<extra></extra>",
            )
        ]  # fmt: skip


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


def draw(
    title: str,
    protocol: str,
    *rows: Sequence[Chart],
    size: tuple[float, float] = SIZE,
    heights: Sequence[float] | None = None,
) -> Pictures:
    """Draw a grid of charts.

    In the PNG they stand in rows, the charts of a single row on one scale from bottom to top; in the
    interactive picture under one another, column after column, so that narrow screens hold them.

    Args:
        title: what is to be seen.
        protocol: the data, split and seeds that the numbers come from.
        rows: as many charts in each.
        size: of the PNG, inches.
        heights: of the rows, relative to each other.
    """
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(textwrap.fill(title, int(10 * size[0])))
    said = textwrap.wrap(protocol, int(15 * size[0]))  # about as many letters to an inch
    figure.supxlabel("\n".join(said), fontsize="x-small", color="dimgrey")
    axes = figure.subplots(
        len(rows), len(rows[0]), squeeze=False, sharey=len(rows) == 1, height_ratios=heights
    )
    charts = [chart for column in zip(*rows, strict=True) for chart in column]
    for chart, own in zip(charts, axes.T.flat, strict=True):
        _dress(chart, own)
        if len(rows) == 1:
            own.label_outer(remove_inner_ticks=False)
    bars: dict[tuple[str, float, float, str], tuple[AxesImage, list[Axes]]] = {}
    names: dict[str, Any] = {}
    for chart, own in zip(charts, axes.T.flat, strict=True):
        for item in chart.items:
            image = item.on(own)
            if isinstance(item, Map) and item.label:
                bars.setdefault(item.scale, (image, []))[1].append(own)
        if chart.lowest is not None:
            own.set_ylim(bottom=max(chart.lowest, own.get_ylim()[0]))
        _number(own, chart.log)
        handles, labels = own.get_legend_handles_labels()
        names |= dict(zip(labels, handles, strict=True))
    for (*_, label), (image, beside) in bars.items():
        figure.colorbar(image, ax=beside, label=label, aspect=30)
    if names:
        figure.legend(names.values(), names.keys(), loc="outside right center", fontsize="small")
    return figure, _interactive(title, protocol, charts, size[1] / len(rows), heights)


def _dress(chart: Chart, axes: Axes) -> None:
    axes.set_title(chart.title, fontsize="small")
    axes.set(xlabel=chart.x, ylabel=chart.y)
    if chart.bare:
        axes.set_axis_off()
    elif not any(isinstance(item, Map) for item in chart.items):
        axes.grid(alpha=0.3)
    for name in chart.log:
        axes.set(**{f"{name}scale": "log"})
    for axis, names in ((axes.xaxis, chart.x_names), (axes.yaxis, chart.y_names)):
        if names is not None:
            axis.set_ticks(range(len(names)), names, fontsize="x-small", parse_math=False)
    if chart.y_names is not None:
        axes.set_ylim(len(chart.y_names) - 0.5, -0.5)
    if chart.equal:
        axes.set_aspect("equal", "datalim")


def _number(axes: Axes, log: str) -> None:
    """Write plain numbers on logarithmic axes, as many as there is room for."""
    for name in log:
        axis = getattr(axes, f"{name}axis")
        low, high = axis.get_view_interval()
        if high < 10 * low:  # no power of ten may lie between
            axis.set_major_locator(MaxNLocator(5))
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_minor_locator(LogLocator(subs=(2, 5)))
            axis.set_minor_formatter("{x:.3g}")
        axis.set_major_formatter("{x:.3g}")


def _interactive(
    title: str,
    protocol: str,
    charts: Sequence[Chart],
    height: float,
    heights: Sequence[float] | None,
) -> go.Figure:
    """The charts under one another; `height` of each in inches."""
    total = 90 * height * len(charts)  # pixels
    figure = make_subplots(
        len(charts), 1, row_heights=heights, vertical_spacing=min(90, total / len(charts) / 2) / total,
        subplot_titles=["<br>".join(textwrap.wrap(chart.title, 36)) for chart in charts],
    )  # fmt: skip
    figure.update_annotations(font_size=13)
    named, barred = set(), set()
    widest = 0  # pixels: letters, and names of columns, want room
    for row, chart in enumerate(charts, start=1):
        place = {"row": row, "col": 1}
        figure.update_xaxes(title=chart.x, type="log" if "x" in chart.log else None, **place)
        figure.update_yaxes(title=chart.y, type="log" if "y" in chart.log else None, **place)
        if chart.bare:
            figure.update_xaxes(visible=False, **place)
            figure.update_yaxes(visible=False, **place)
        if chart.lowest is not None:
            figure.update_yaxes(autorangeoptions_clipmin=chart.lowest, **place)
        for update, names in (
            (figure.update_xaxes, chart.x_names),
            (figure.update_yaxes, chart.y_names),
        ):
            if names is not None:
                texts = [name.replace("\n", "<br>") for name in names]
                update(tickvals=list(range(len(names))), ticktext=texts, **place)
        if chart.y_names is not None:
            figure.update_yaxes(autorange="reversed", **place)
        if chart.equal:
            figure.update_yaxes(scaleanchor="x" if row == 1 else f"x{row}", **place)
        for item in chart.items:
            for trace in item.traces():
                if not isinstance(item, Map):
                    trace.update(
                        legendgroup=item.name,
                        showlegend=bool(trace.name) and item.name not in named,
                    )
                figure.add_trace(trace, **place)
            named.add(item.name)
            if isinstance(item, Map):
                figure.update_yaxes(autorange="reversed", **place)
                written = [
                    *(chart.x_names or ()),
                    *np.ravel(() if item.text is None else item.text),
                ]
                widest = max(widest, max(map(_width, written), default=0) * np.shape(item.z)[1])
                if item.label and item.scale not in barred:
                    barred.add(item.scale)
                    low, high = figure.layout["yaxis" if row == 1 else f"yaxis{row}"].domain
                    figure.data[-1].update(
                        showscale=True,
                        colorbar={"title": {"text": item.label, "side": "right"}, "thickness": 12,
                                  "y": (low + high) / 2, "len": high - low},
                    )  # fmt: skip
    lines = "<br>".join(textwrap.wrap(protocol, 110))
    figure.update_layout(
        title=f"{title}<br><sub>{lines}</sub>", template="plotly_white", height=total + 120,
        meta={"narrowest": widest},
    )  # fmt: skip
    return figure


def _width(word: str) -> float:
    """Pixels that a word takes, about; those of Chinese, Japanese and Korean are wide."""
    return 4 + sum(10 if letter >= "\u2e80" else 6 for letter in word)
