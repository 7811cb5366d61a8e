"""Looking inside a network: its cell's structure, and what happens in it while a window is read."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from kedro.pipeline.preview_contract import MermaidPreview
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from unrolled.recurrent.cells import Cell, GRUCell, LSTMCell, MinGRUCell, MinLSTMCell, RNNCell
from unrolled.recurrent.diagrams import Equation, columns, edges, equations, mermaid
from unrolled.recurrent.options import LayerOptions

CELLS: dict[str, type[Cell]] = {
    "rnn": RNNCell,
    "lstm": LSTMCell,
    "gru": GRUCell,
    "min_gru": MinGRUCell,
    "min_lstm": MinLSTMCell,
}


def cell_equations(options: LayerOptions) -> list[Equation]:
    """The equations of the cell that a layer runs over time."""
    return equations(CELLS[options.cell], reset_after=options.reset_after)


def preview_cell(options: LayerOptions) -> MermaidPreview:
    """The cell's structure for kedro-viz."""
    return MermaidPreview(mermaid(cell_equations(options)))


def draw_cell(options: LayerOptions) -> Figure:
    """The cell's structure: inputs left, the new state right, an arrow for all that is read."""
    found = cell_equations(options)
    text = {equation.name: str(equation) for equation in found}
    words = {equation.name: equation.words.split(":")[0] for equation in found}
    places = {
        name: (2.6 * depth, (len(column) - 1) / 2 - row)
        for depth, column in enumerate(columns(found))
        for row, name in enumerate(column)
    }
    tallest = max(map(len, columns(found)))
    figure = Figure(figsize=(3.1 * len(columns(found)), 1.0 + 0.8 * tallest), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(f"{options.cell}: one step")
    boxes = {}
    for name, (x, y) in places.items():
        inner = text.get(name, name) + (f"\n{words[name]}" if words.get(name) else "")
        boxes[name] = axes.text(
            x, y, inner, zorder=3, ha="center", va="center", fontsize=9,
            bbox={"boxstyle": "round,pad=0.5", "fc": "aliceblue" if name in text else "whitesmoke",
                  "ec": "steelblue" if name in text else "grey"},
        )  # fmt: skip
    for source, target in edges(found):
        axes.annotate(
            "", places[target], places[source], zorder=1,
            arrowprops={"arrowstyle": "->", "color": "slategrey", "shrinkA": 4, "shrinkB": 4,
                        "patchA": boxes[source].get_bbox_patch(),
                        "patchB": boxes[target].get_bbox_patch()},
        )  # fmt: skip
    axes.set_xlim(-1.3, 2.6 * (len(columns(found)) - 1) + 1.5)
    axes.set_ylim(-tallest / 2, tallest / 2)
    return figure


def plot_inside(inside: pd.DataFrame, variant: str, protocol: str) -> tuple[Figure, go.Figure]:
    """The window that was read, and every gate, state and attention weight over its steps.

    Args:
        inside: columns `name` (`input`, a gate's or state's letter, `attention`), `unit`, `step`
            (0 is the last observation) and `value`.
        variant: name of the network.
        protocol: what the run was on.

    Returns:
        PNG's figure and Plotly's; heat maps are units by steps, symmetric about 0 for states.
    """
    names = list(dict.fromkeys(inside["name"]))
    height = 1 + 1.6 * len(names)
    figure = Figure(figsize=(9.0, height), layout="constrained")
    figure.suptitle(f"Inside {variant} while it reads one window\n{protocol}", fontsize="small")
    axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
    interactive = make_subplots(len(names), 1, subplot_titles=names)
    title = f"Inside {variant}<br><sub>{protocol}</sub>"
    interactive.update_layout(title=title, height=100 * height, showlegend=False)
    for row, (name, ax) in enumerate(zip(names, axes, strict=True), start=1):
        own = inside[inside["name"] == name]
        table = own.pivot_table(index="unit", columns="step", values="value")
        ax.set_ylabel(name)
        if name in ("input", "attention"):
            ax.plot(table.columns, table.T)
            ax.margins(x=0)
            for line in table.to_numpy():
                interactive.add_scatter(x=table.columns, y=line, row=row, col=1)
            continue
        gate = own["value"].between(0, 1).all()
        lowest, highest = (
            (0.0, 1.0) if gate else (-own["value"].abs().max(), own["value"].abs().max())
        )
        colours = ("viridis", "Viridis") if gate else ("RdBu", "RdBu")
        edge = (table.columns[0] - 0.5, table.columns[-1] + 0.5, len(table) - 0.5, -0.5)
        picture = ax.imshow(
            table, aspect="auto", extent=edge, vmin=lowest, vmax=highest, cmap=colours[0]
        )
        figure.colorbar(picture, ax=ax)
        interactive.add_heatmap(
            z=table, x=table.columns, zmin=lowest, zmax=highest, colorscale=colours[1],
            showscale=False, row=row, col=1,
        )  # fmt: skip
    axes[-1].set_xlabel("steps before the cutoff (heat maps: one line a unit)")
    return figure, interactive
