"""Charts drawn by matplotlib, as PNG, and by Plotly, for page and kedro-viz.

Both take a second to import, so `pictures` imports this file as it draws its first picture.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from noto_cjk_sans_otc import FONT_PATH
from plotly.subplots import make_subplots

from unrolled.pipelines.charts import Bars, Chart, Dots, Line, Map

# Not per text: tick labels and legends hold names of variants and data sets as well.
font_manager.fontManager.addfont(FONT_PATH)
rcParams["font.family"] = [*rcParams["font.family"], "Noto Sans CJK SC"]

_STYLES = {"solid": "-", "dash": "--", "dashdot": "-.", "dot": ":"}
_HATCHES = {"solid": ("", ""), "dash": ("///", "/"), "dashdot": ("xxx", "x"), "dot": ("...", ".")}
_SYMBOLS = {"circle": "o", "x": "x", "diamond": "D"}


@singledispatch
def _on(item: Line | Dots | Bars | Map, axes: Axes) -> Any:  # noqa: ANN401
    """Draw an item of a chart by matplotlib; of a map its image is given back."""
    raise NotImplementedError(type(item))


@_on.register
def _on_line(line: Line, axes: Axes) -> None:
    colour, dash, marked = line.look
    axes.plot(
        line.x, line.y, _STYLES[dash], color=colour, linewidth=line.width,
        marker="o" if marked else None, markersize=3, label=line.name or None,
    )  # fmt: skip
    if line.band is not None:
        axes.fill_between(line.x, *line.band, color=colour, alpha=0.2, linewidth=0)


@_on.register
def _on_dots(dots: Dots, axes: Axes) -> None:
    axes.scatter(
        dots.x, dots.y, s=16, c=dots.colour, marker=_SYMBOLS[dots.symbol], alpha=0.8,
        label=dots.name or None,
    )  # fmt: skip


@_on.register
def _on_bars(bars: Bars, axes: Axes) -> None:
    axes.barh(
        list(bars.names), bars.values, xerr=bars.spread, edgecolor="white",
        color=[own.colour for own in bars.looks],
        hatch=[_HATCHES[own.dash][0] for own in bars.looks],
    )  # fmt: skip


@_on.register
def _on_map(matrix: Map, axes: Axes) -> AxesImage:
    values = np.asarray(matrix.z, float)
    image = axes.imshow(
        values, cmap=matrix.colours, vmin=matrix.low, vmax=matrix.high, aspect="auto"
    )
    for (row, column), letter in np.ndenumerate(() if matrix.text is None else matrix.text):
        if letter:
            red, green, blue, _ = image.to_rgba(values[row, column])
            dark = np.isfinite(values[row, column]) and 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
            axes.text(
                column, row, letter, ha="center", va="center_baseline", fontsize=matrix.font,
                color="white" if dark else "black", parse_math=False,
            )  # fmt: skip
    return image


@singledispatch
def _traces(item: Line | Dots | Bars | Map) -> list[Any]:
    """Draw it by Plotly."""
    raise NotImplementedError(type(item))


@_traces.register
def _traces_line(line: Line) -> list[Any]:
    colour, dash, marked = line.look
    edges = []
    if line.band is not None:
        shade = f"rgba({', '.join(f'{255 * part:.0f}' for part in to_rgb(colour))}, 0.2)"
        edges = [
            go.Scatter(
                x=line.x, y=edge, line={"width": 0}, mode="lines", fill=fill, fillcolor=shade,
                hoverinfo="skip",
            )
            for edge, fill in zip(line.band, (None, "tonexty"), strict=True)
        ]  # fmt: skip
    style = {"color": colour, "dash": dash, "width": line.width}
    mode = "lines+markers" if marked else "lines"
    return [*edges, go.Scatter(x=line.x, y=line.y, name=line.name, line=style, mode=mode)]


@_traces.register
def _traces_dots(dots: Dots) -> list[Any]:
    marker = {"color": dots.colour, "symbol": dots.symbol, "opacity": 0.8}
    return [go.Scatter(x=dots.x, y=dots.y, name=dots.name, mode="markers", marker=marker)]


@_traces.register
def _traces_bars(bars: Bars) -> list[Any]:
    marker = {
        "color": [own.colour for own in bars.looks],
        "pattern": {"shape": [_HATCHES[own.dash][1] for own in bars.looks]},
    }
    spread = {"array": bars.spread, "width": 0}  # caps would stand where there is no spread
    return [go.Bar(x=bars.values, y=bars.names, error_x=spread, marker=marker, orientation="h")]


@_traces.register
def _traces_map(matrix: Map) -> list[Any]:
    written = matrix.text is not None
    return [
        go.Heatmap(
            z=np.asarray(matrix.z, float), zmin=matrix.low, zmax=matrix.high, colorscale=matrix.colours,
            text=matrix.text, texttemplate="%{text}" if written else None, showscale=False,
            hovertemplate=("%{text} " if written else "%{x}, %{y}: ") + "%{z:.3g}<extra></extra>",
        )
    ]  # fmt: skip


def draw(
    title: str,
    protocol: str,
    rows: Sequence[Sequence[Chart]],
    size: tuple[float, float],
    heights: Sequence[float] | None,
) -> tuple[Figure, go.Figure]:
    """Draw a grid of charts; see `pictures.draw`."""
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
            image = _on(item, own)
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
            for trace in _traces(item):
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


@lru_cache(maxsize=1)
def glyphs() -> frozenset[str]:
    """Every character of the fonts in use."""
    paths = [
        font_manager.findfont(font_manager.FontProperties(family=[family]))
        for family in rcParams["font.family"]
    ]
    return frozenset(
        chr(code) for path in paths for code in font_manager.get_font(path).get_charmap()
    )
