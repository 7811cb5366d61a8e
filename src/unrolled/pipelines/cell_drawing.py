"""The structure of a cell drawn from its equations, and what happens in it while a window is read.

It takes torch, matplotlib and Plotly, so `inside` imports this file as it draws its first picture.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch
from matplotlib.textpath import TextPath
from plotly.subplots import make_subplots

import unrolled.pipelines.drawing  # noqa: F401  # with it come the fonts
from unrolled.pipelines.cell_layout import TEXT, layout
from unrolled.recurrent.cells import CELLS
from unrolled.recurrent.diagrams import Equation, equations
from unrolled.recurrent.options import LayerOptions, ModelOptions

rcParams["svg.hashsalt"] = "unrolled"  # the same bytes every time
# From the colour-blind-safe set of Okabe and Ito (2008).
STATES, INPUT = ("#0072b2", "#d55e00", "#cc79a7"), "#009e73"
INK, LAYER, POINTWISE = "#333333", "#fde8b8", "#d9ecf7"


def cell_equations(options: LayerOptions) -> list[Equation]:
    """The equations of the cell that the last layer runs over time."""
    cell = CELLS[options.cells[-1]]
    return equations(cell, second=cell.described.is_second(options.model_dump()))


def draw_cell(options: LayerOptions) -> Figure:
    """One step of the cell: states from left to right, layers below, what is read at the bottom."""
    described, own = CELLS[options.cells[-1]].described, options.model_dump()
    forms = [
        one.form for one in described.options.values() if described.is_second(own) and one.form
    ]
    title = ", ".join([f"One step of {described.name}", *forms])
    return draw_equations(cell_equations(options), title)


def draw_equations(found: list[Equation], title: str) -> Figure:
    """One step of a cell, by its equations."""
    diagram = layout(found, title, text_width)
    figure = Figure(figsize=(diagram.width / 72, diagram.height / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, diagram.width), ylim=(0, diagram.height))
    axes.set_axis_off()
    colours = dict(zip(diagram.states, STATES, strict=False)) | dict.fromkeys(diagram.inputs, INPUT)
    for piece in diagram.pieces:
        (x, y), (x2, y2) = piece.begin, piece.end
        level, colour = y == y2, colours.get(piece.state, INK)
        width = 2.0 if level and piece.state in diagram.states else 1.3
        axes.plot([x, x2], [y, y2], color=colour, linewidth=width, zorder=2 + level)
        for other in diagram.pieces:  # what goes up passes below what goes along
            (begin, row), (end, _) = other.begin, other.end
            if not level and begin < x < end and y < row < y2:
                axes.plot(
                    [x, x], [row - 3, row + 3], color="white", linewidth=3,
                    solid_capstyle="butt", zorder=2.5,
                )  # fmt: skip
    for wire in diagram.wires:
        (x, y), (x2, y2) = wire.points[-2:]
        way = (np.sign(x2 - x), np.sign(y2 - y))
        if not wire.through:
            tip = {(1, 0): ">", (0, 1): "^", (0, -1): "v"}[way]
            axes.plot(
                x2 - 2.5 * way[0], y2 - 2.5 * way[1], tip, markersize=5, markeredgewidth=0,
                color=colours.get(wire.state, INK), zorder=4,
            )  # fmt: skip
    for x, y in diagram.dots:
        axes.plot(x, y, "o", markersize=4.5, markeredgewidth=0, color=INK, zorder=4)
    for box in diagram.boxes:
        layer, (width, height) = box.value.weights, (box.width, box.height)
        corner, colour = (3.0, LAYER) if layer else (height / 2, POINTWISE)
        axes.add_patch(
            Ellipse((box.x, box.y), width, height, fc=colour, ec=INK, lw=0.8, zorder=5)
            if width == height and not layer
            else FancyBboxPatch(
                (box.x - width / 2, box.y - height / 2), width, height,
                f"round,pad=0,rounding_size={corner}", fc=colour, ec=INK, lw=0.8, zorder=5,
            )
        )  # fmt: skip
        symbol = "×" if box.value.symbol == "⊙" else box.value.symbol
        axes.text(
            box.x, box.y, _formula(symbol), ha="center", va="center_baseline", size=TEXT, zorder=6
        )
    for label in diagram.labels:
        text = _formula(label.text) if label.formula else label.text
        axes.text(label.x, label.y, text, size=label.size, zorder=6)
    return figure


def _formula(text: str) -> str:
    r"""A part of an equation in matplotlib's notation.

    >>> _formula("+ U_n h + b_hn)")
    '${}+ U_{n}\\, h + b_{hn})$'
    """
    text = re.sub(r"_(\w+)", r"_{\1}", text)
    text = re.sub(r"(?<![\w{])([^\W\d_]{2,})", r"\\mathrm{\1}", text)
    for sign, name in (("⊙", r"\odot"), ("⊗", r"\otimes"), ("·", r"\cdot")):
        text = text.replace(sign, name)
    text = text.replace(" / ", r"\,/\,")
    text = re.sub(r"(?<=[\w}]) (?=[\w(])", r"\\, ", text)  # a matrix and its factor
    return f"${{}}{text}$" if text else ""


@cache
def text_width(text: str, size: float, formula: bool) -> float:
    """Of a text in points."""
    if not text:
        return 0.0
    drawn = TextPath((0, 0), _formula(text) if formula else text, size=size)
    return float(drawn.get_extents().x1)


def plot_inside(
    inside: pd.DataFrame, variant: str, options: ModelOptions, protocol: str
) -> tuple[Figure, go.Figure]:
    """The window that was read, and every gate, state and attention weight over its steps.

    See `inside.plot_inside`.
    """
    names = list(dict.fromkeys(inside["name"]))
    titles = {"input": "input, scaled", "attention": "attention, one line a head"}
    for equation in cell_equations(options):
        letter = equation.name.rstrip("'")
        titles[letter] = f"{letter}, {equation.title}"
    width, height = 9.0, 1 + 1.8 * len(names)
    figure = Figure(figsize=(width, height))
    # Margins in inches: a layout that measures every label takes longer than all else.
    grid = figure.add_gridspec(
        len(names), 2, width_ratios=(60, 1), wspace=0.03, hspace=0.35, left=0.7 / width,
        right=1 - 0.6 / width, bottom=0.5 / height, top=1 - 0.8 / height,
    )  # fmt: skip
    figure.suptitle(
        f"Inside {variant} while it reads one window\n{protocol}",
        fontsize="small",
        y=1 - 0.1 / height,
    )
    axes = [figure.add_subplot(grid[row, 0]) for row in range(len(names))]
    interactive = make_subplots(len(names), 1, subplot_titles=[titles[name] for name in names])
    title = f"Inside {variant}<br><sub>{protocol}</sub>"
    interactive.update_layout(title=title, height=100 * height, showlegend=False)
    for row, (name, ax) in enumerate(zip(names, axes, strict=True), start=1):
        own = inside[inside["name"] == name]
        table = own.pivot_table(index="unit", columns="step", values="value")
        ax.set_title(titles[name], loc="left", fontsize="medium")
        if name in ("input", "attention"):
            ax.plot(table.columns, table.T)
            ax.set_xlim(table.columns[0] - 0.5, table.columns[-1] + 0.5)  # as the heat maps below
            for line in table.to_numpy():
                interactive.add_scatter(x=table.columns, y=line, row=row, col=1)
            continue
        ax.set_ylabel("unit")
        gate = own["value"].between(0, 1).all()
        lowest, highest = (
            (0.0, 1.0) if gate else (-own["value"].abs().max(), own["value"].abs().max())
        )
        colours = ("viridis", "Viridis") if gate else ("RdBu", "RdBu")
        edge = (table.columns[0] - 0.5, table.columns[-1] + 0.5, len(table) - 0.5, -0.5)
        picture = ax.imshow(
            table, aspect="auto", extent=edge, vmin=lowest, vmax=highest, cmap=colours[0]
        )
        figure.colorbar(picture, cax=figure.add_subplot(grid[row - 1, 1]))
        interactive.add_heatmap(
            z=table, x=table.columns, zmin=lowest, zmax=highest, colorscale=colours[1],
            showscale=False, row=row, col=1,
        )  # fmt: skip
    axes[-1].set_xlabel("steps before the cutoff")
    interactive.update_xaxes(title_text="steps before the cutoff", row=len(names), col=1)
    return figure, interactive
