"""Pictures of the gradients job."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from unrolled.gradients import theory
from unrolled.gradients.options import REMEDIES
from unrolled.pipelines.pictures import Pictures, blank

# Decades. What is below is lost in float32 anyway, and would flatten what is above.
LOWEST = -20.0
HIGHEST = 20.0  # loss relative to chance
LOST = -2.0  # a hundredth: the effective memory


def plot_scalar_products(scalar_products: pd.DataFrame) -> Pictures:
    """Every draw of a single unit, and the line |w|^k that it cannot cross."""
    draws = scalar_products["draw"].nunique()
    title = "One unit: gradient by lag of every draw, and |w|^k (dashed)"
    protocol = f"h' = tanh(w h + x), x from N(0, 0.1²); {draws} draws for each w"
    figure, axes, interactive = blank(title, protocol, "lag, steps", "log10 of the gradient")
    for index, (weight, group) in enumerate(scalar_products.groupby("weight")):
        colour = f"C{index}"
        runs = group.pivot_table(index="lag", columns="draw", values="log10_gradient")
        axes.plot(runs.index, runs, color=colour, alpha=0.25, linewidth=0.8)
        bound = group.drop_duplicates("lag")
        axes.plot(bound["lag"], bound["log10_bound"], "--", color=colour, label=f"w = {weight:g}")
        _band(interactive, runs.index, runs.quantile(0.1, axis=1), runs.quantile(0.9, axis=1))
        interactive.add_scatter(
            x=runs.index, y=runs.median(axis=1), name=f"w = {weight:g}", mode="lines"
        )
        interactive.add_scatter(
            x=bound["lag"], y=bound["log10_bound"], name=f"|{weight:g}|^k", line={"dash": "dash"}
        )
    _floor(axes, interactive)
    figure.legend(loc="outside right upper")
    return figure, interactive


def plot_matrix_products(matrix_products: pd.DataFrame) -> Pictures:
    """Norm of the product of Jacobians, median and middle 80 %, beside its bound."""
    draws = matrix_products["draw"].nunique()
    kinds = list(matrix_products["activation"].unique())
    protocol = f"spectral norm of the product of k Jacobians, {draws} draws for each radius"
    title = "Random networks: median, middle 80 %, and (dashed) the bound gamma * rho^k"
    figure, panels, interactive = _panels(title, protocol, kinds)
    for column, (kind, axes) in enumerate(zip(kinds, panels, strict=True), start=1):
        axes.set(xlabel="lag, steps", ylabel="log10 of the norm" if column == 1 else "")
        own = matrix_products[matrix_products["activation"] == kind]
        table = theory.bands(own, "radius", "log10_norm")
        for index, (radius, band) in enumerate(table.groupby("radius")):
            colour = f"C{index}"
            label = f"rho = {radius:g}" if column == 1 else None
            axes.fill_between(band["lag"], band["low"], band["high"], color=colour, alpha=0.25)
            axes.plot(band["lag"], band["median"], color=colour, label=label)
            axes.plot(band["lag"], band["log10_bound"], "--", color=colour, linewidth=0.8)
            for name, dash in (("median", "solid"), ("log10_bound", "dash")):
                interactive.add_scatter(
                    x=band["lag"], y=band[name], name=f"{kind}, rho = {radius:g}, {name}",
                    line={"dash": dash}, mode="lines", row=1, col=column,
                )  # fmt: skip
        axes.set_ylim(bottom=LOWEST)
    figure.legend(loc="outside right upper")
    return figure, interactive


def plot_flow(flow_by_state: pd.DataFrame, protocol: str) -> Pictures:
    """The gradient of the last step's loss by lag, untrained and trained, median over seeds."""
    names = ["untrained", "trained on adding"]
    title = "How much of the last step's gradient arrives (median over seeds; dashed: the LSTM's c)"
    figure, panels, interactive = _panels(title, protocol, names)
    states = flow_by_state[flow_by_state["on"] != "x"]
    groups = states.groupby(["variant", "init", "on"], sort=False)
    colours = {key: f"C{i}" for i, key in enumerate(dict.fromkeys(k[:2] for k, _ in groups))}
    for column, (trained, axes) in enumerate(zip((False, True), panels, strict=True), start=1):
        axes.set(xlabel="lag, steps", ylabel="log10 of the norm, lag 0 = 0" if column == 1 else "")
        for (variant, init, on), group in groups:
            own = group[group["trained"] == trained]
            with np.errstate(divide="ignore"):
                logs = np.log10(own.groupby("lag")["gradient_norm"].median())
            name = f"{variant}, {init}"
            dashed = on == "c"
            axes.plot(
                logs.index, logs, "--" if dashed else "-", color=colours[variant, init],
                linewidth=1 if dashed else 1.8,
                label=name if column == 1 and not dashed else None,
            )  # fmt: skip
            interactive.add_scatter(
                x=logs.index, y=logs.clip(lower=LOWEST), name=f"{name}, {on}, {names[column - 1]}",
                line={"dash": "dash" if dashed else "solid"}, mode="lines", row=1, col=column,
            )  # fmt: skip
        axes.axhline(LOST, color="grey", linestyle=":")
        axes.set_ylim(bottom=max(LOWEST, axes.get_ylim()[0]))
        interactive.add_hline(y=LOST, line={"dash": "dot", "color": "grey"}, row=1, col=column)
    panels[0].text(0, LOST, " a hundredth: what is remembered", va="bottom", fontsize="x-small")
    figure.legend(loc="outside right upper")
    return figure, interactive


def plot_inside(
    heat_map: pd.DataFrame,
    spectrum: pd.DataFrame,
    singular_values: pd.DataFrame,
    saturation: pd.DataFrame,
) -> Pictures:
    """Inside one network, untrained above trained: unit by lag, eigenvalues, singular values."""
    variant, init = heat_map["variant"].iloc[0], heat_map["init"].iloc[0]
    figure = Figure(figsize=(12.0, 7.0), layout="constrained")
    figure.suptitle(f"Inside {variant}, init {init}: above untrained, below trained on adding")
    axes = figure.subplots(2, 3, width_ratios=[2.2, 1.0, 1.2])
    columns = ["gradient of every unit (log10)", "eigenvalues of U", "singular values of a step"]
    interactive = make_subplots(
        2, 3, column_widths=[0.5, 0.23, 0.27], subplot_titles=columns * 2, vertical_spacing=0.15
    )
    interactive.update_layout(title=f"Inside {variant}, init {init}", height=700, showlegend=False)
    circle = np.linspace(0, 2 * np.pi, 100)
    for row, trained in enumerate((False, True)):
        heat, eigen, singular, shares = (
            table[table["trained"] == trained] if len(table) else table
            for table in (heat_map, spectrum, singular_values, saturation)
        )
        image = heat.pivot_table(index="unit", columns="lag", values="log10_gradient")
        image = image.clip(lower=LOWEST)
        picture = axes[row, 0].imshow(
            image, aspect="auto", vmin=min(-6.0, float(image.min().min())), vmax=1, cmap="magma"
        )
        figure.colorbar(picture, ax=axes[row, 0])
        axes[row, 0].set(xlabel="lag, steps", ylabel="unit", title=columns[0])
        interactive.add_heatmap(
            z=image, x=image.columns, colorscale="Magma", showscale=False, row=row + 1, col=1
        )
        axes[row, 1].plot(np.cos(circle), np.sin(circle), color="grey", linewidth=0.8)
        interactive.add_scatter(
            x=np.cos(circle), y=np.sin(circle), line={"color": "grey"}, row=row + 1, col=2
        )
        for gate, own in eigen.groupby("gate", sort=False) if len(eigen) else ():
            axes[row, 1].plot(own["real"], own["imaginary"], ".", label=gate)
            interactive.add_scatter(
                x=own["real"], y=own["imaginary"], name=gate, mode="markers", row=row + 1, col=2
            )
        axes[row, 1].set_aspect("equal", "datalim")
        axes[row, 1].set_title(columns[1])
        if len(set(eigen["gate"])) > 1:
            axes[row, 1].legend(fontsize="x-small")
        for step, own in singular.groupby("step") if len(singular) else ():
            axes[row, 2].plot(own["rank"], own["singular_value"], label=f"step {step}")
            interactive.add_scatter(
                x=own["rank"], y=own["singular_value"], name=f"step {step}", row=row + 1, col=3
            )
        axes[row, 2].axhline(1, color="grey", linestyle=":")
        axes[row, 2].set(xlabel="rank", title=columns[2], ylim=(0, None))
        if len(singular):
            axes[row, 2].legend(fontsize="x-small")
        said = ", ".join(
            f"{gate} {share:.0%}"
            for gate, share in (shares["closed"] + shares["open"]).groupby(shares["gate"]).mean().items()
        )  # fmt: skip
        axes[row, 2].text(
            0.98, 0.02, f"saturated gates: {said or 'none has bounds'}", ha="right", va="bottom",
            fontsize="x-small", transform=axes[row, 2].transAxes,
        )  # fmt: skip
    return figure, interactive


def plot_remedies(remedies: pd.DataFrame, protocol: str) -> Pictures:
    """The matrix: share of seeds that solve each task, and the gradient at its longest lag."""
    order = _order(remedies)
    titles = [REMEDIES[name].title for name in order]

    def matrix(value: str, how: Literal["mean", "median", "sum"]) -> pd.DataFrame:
        table = remedies.pivot_table(
            index="remedy", columns=["task", "length"], values=value, aggfunc=how
        )
        return table.reindex(order)

    share, count, diverged = (
        matrix("solved", "mean"),
        matrix("solved", "sum"),
        matrix("diverged", "sum"),
    )
    gradient = matrix("gradient_after", "median").clip(lower=10**LOWEST).map(np.log10)
    seeds = remedies["seed"].nunique()
    labels = _columns(remedies)
    names = [f"solved, of {seeds} seeds (red: diverged)", "log10 of the gradient at lag T, trained"]
    title = "What each remedy cures"
    height = 1.8 + 0.36 * len(titles)
    figure, panels, interactive = _panels(title, protocol, names, height=height, width=12.0)
    # Light greens alone: numbers are written on them.
    looks: list[tuple[pd.DataFrame, str, float, float]] = [
        (share, "Greens", 0.0, 1.4),
        (gradient, "magma", -12.0, 1.0),
    ]
    for column, (axes, (table, colours, lowest, highest)) in enumerate(
        zip(panels, looks, strict=True), start=1
    ):
        picture = axes.imshow(table, aspect="auto", cmap=colours, vmin=lowest, vmax=highest)
        axes.grid(visible=False)
        axes.set_xticks(range(len(labels)), labels, fontsize="x-small")
        axes.set_yticks(range(len(titles)), titles, fontsize="small")
        if column == 2:
            figure.colorbar(picture, ax=axes)
        interactive.add_heatmap(
            z=table, x=[label.replace("\n", "<br>") for label in labels], y=titles,
            colorscale=colours, zmin=lowest, zmax=highest, showscale=column == 2,
            text=count if column == 1 else None,
            texttemplate="%{text}" if column == 1 else None, row=1, col=column,
        )  # fmt: skip
    for table, shift, colour in ((count, 0.0, "black"), (diverged, 0.3, "red")):
        for (row, at), number in np.ndenumerate(table.to_numpy()):
            if number or colour == "black":
                panels[0].text(
                    at + shift, row, f"{number:.0f}", color=colour, ha="center", va="center",
                    fontsize="small",
                )  # fmt: skip
    interactive.update_yaxes(autorange="reversed")
    return figure, interactive


def plot_losses(remedies: pd.DataFrame, protocol: str) -> Pictures:
    """The last loss of every run beside chance (dashed) and half of it (dotted): solved."""
    order = _order(remedies)
    titles = [REMEDIES[name].title for name in order]
    labels = _columns(remedies)
    groups = remedies.sort_values(["task", "length"]).groupby(["task", "length"])
    height = 1.8 + 0.3 * len(titles)
    figure, panels, interactive = _panels(
        "Loss at the end, every seed",
        protocol,
        labels,
        height=height,
        width=3.0 + 2.2 * len(labels),
    )
    for column, ((_, group), axes) in enumerate(zip(groups, panels, strict=True), start=1):
        # A loss above, or no number, is drawn at the right edge.
        loss = (group["loss"] / group["chance"]).clip(upper=HIGHEST).fillna(HIGHEST)
        row = group["remedy"].map(order.index)
        colours = np.select([group["diverged"], group["solved"]], ["red", "green"], "steelblue")
        axes.scatter(loss, row, c=list(colours), s=14, alpha=0.7)
        axes.set_xscale("log")
        axes.set_yticks(range(len(titles)), titles, fontsize="small")
        axes.set(xlabel="loss / chance", ylim=(len(titles) - 0.5, -0.5))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        interactive.add_scatter(
            x=loss, y=[titles[i] for i in row], mode="markers", marker={"color": list(colours)},
            showlegend=False, row=1, col=column,
        )  # fmt: skip
        for line, matplotlib_style, plotly_style in ((1, "--", "dash"), (0.5, ":", "dot")):
            axes.axvline(line, color="black", linestyle=matplotlib_style, linewidth=0.9)
            interactive.add_vline(
                x=line, line={"dash": plotly_style, "width": 1}, row=1, col=column
            )
    interactive.update_xaxes(type="log")
    interactive.update_yaxes(autorange="reversed")
    return figure, interactive


def _order(remedies: pd.DataFrame) -> list[str]:
    found = set(remedies["remedy"])
    return [name for name in REMEDIES if name in found]


def _columns(remedies: pd.DataFrame) -> list[str]:
    """Task, length and chance of each column of the matrix."""
    cells = remedies.drop_duplicates(["task", "length"]).sort_values(["task", "length"])
    return [
        f"{task}\nT = {length}\nchance {chance:.3g}"
        for task, length, chance in zip(
            cells["task"], cells["length"], cells["chance"], strict=True
        )
    ]


def _panels(
    title: str, protocol: str, names: list[str], height: float = 4.5, width: float = 9.0
) -> tuple[Figure, list[Axes], go.Figure]:
    """An empty picture of several panels side by side, on one scale from bottom to top."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{title}\n{protocol}", fontsize="small")
    panels = list(figure.subplots(1, len(names), sharey=True, squeeze=False)[0])
    interactive = make_subplots(
        1,
        len(names),
        subplot_titles=[name.replace("\n", " ") for name in names],
        shared_yaxes=True,
    )
    interactive.update_layout(title=f"{title}<br><sub>{protocol}</sub>", height=100 * height)
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name, fontsize="small")
        axes.grid(alpha=0.3)
    return figure, panels, interactive


def _band(interactive: go.Figure, x: pd.Index, low: pd.Series, high: pd.Series) -> None:
    for y, fill in ((low, None), (high, "tonexty")):
        interactive.add_scatter(
            x=x, y=y, fill=fill, line={"width": 0}, mode="lines", showlegend=False,
            fillcolor="rgba(120, 120, 120, 0.2)",
        )  # fmt: skip


def _floor(axes: Axes, interactive: go.Figure) -> None:
    axes.set_ylim(bottom=max(LOWEST, axes.get_ylim()[0]))
    interactive.update_yaxes(range=list(axes.get_ylim()))
