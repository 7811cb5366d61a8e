"""Pictures of the forecasting job: PNG for reports, Plotly for kedro-viz.

Each bears the `protocol` of the run: the data, split, horizon and seeds that its numbers come from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Figures are made without pyplot: no global state, safe in threads.
SIZE = (9.0, 4.5)
Pictures = tuple[Figure, go.Figure]
# Enough lines to compare, few enough to tell apart.
SHOWN = 4


def _pictures(title: str, protocol: str, x: str, y: str) -> tuple[Figure, Axes, go.Figure]:
    figure = Figure(figsize=SIZE, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    axes.set_title(protocol, fontsize="x-small", color="dimgrey")
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    interactive = go.Figure()
    interactive.update_layout(
        title=f"{title}<br><sub>{protocol}</sub>", xaxis_title=x, yaxis_title=y
    )
    return figure, axes, interactive


def plot_learning_curves(curves: pd.DataFrame, protocol: str) -> Pictures:
    """Validation (line) and training loss (dashed) of every variant, mean over seeds."""
    figure, axes, interactive = _pictures(
        "Learning curves (mean over seeds)", protocol, "epoch", "loss on scaled values"
    )
    for index, (variant, frame) in enumerate(curves.groupby("variant", sort=False)):
        for column, style, dash in (
            ("validation_loss", "-", "solid"),
            ("train_loss", "--", "dash"),
        ):
            name = f"{variant} {column.removesuffix('_loss')}"
            # Only as far as all seeds went: the mean of those that are left would jump.
            by_seed = frame.pivot_table(index="epoch", columns="seed", values=column)
            mean = by_seed.dropna().mean(axis=1)
            axes.plot(mean.index, mean, style, color=f"C{index}", label=name)
            interactive.add_scatter(
                x=mean.index, y=mean, name=name, line={"dash": dash}, mode="lines"
            )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:.3g}")
    axes.yaxis.set_minor_formatter("{x:.3g}")
    interactive.update_yaxes(type="log")
    figure.legend(loc="outside right upper")
    return figure, interactive


def _shown(leaderboard: pd.DataFrame) -> list[str]:
    """The best recurrent variants and the best baselines, in the leaderboard's order."""
    best = leaderboard.groupby("kind", sort=False).head(SHOWN // 2)
    return best.sort_index()["variant"].tolist()


def plot_forecast(
    backtest: pd.DataFrame, panel: pd.DataFrame, leaderboard: pd.DataFrame, protocol: str
) -> Pictures:
    """Truth and the forecasts from the first cutoff of the test part, the cutoff marked."""
    series = backtest["unique_id"].iloc[0]
    one = backtest[backtest["unique_id"] == series]
    cutoff = one["cutoff"].min()
    one = one[one["cutoff"] == cutoff]
    truth = panel[panel["unique_id"] == series]
    horizon = int(one["step"].max())
    at = int(np.flatnonzero(truth["ds"] == cutoff)[0])
    truth = truth.iloc[max(0, at - 4 * horizon) : at + horizon + 1]
    figure, axes, interactive = _pictures(
        f"{series}: {horizon} steps from {str(cutoff).removesuffix(' 00:00:00')} (mean over seeds)",
        protocol,
        "ds",
        "y",
    )
    axes.plot(truth["ds"], truth["y"], color="black", label="truth")
    interactive.add_scatter(x=truth["ds"], y=truth["y"], name="truth", line={"color": "black"})
    for index, variant in enumerate(_shown(leaderboard)):
        mean = one[one["variant"] == variant].groupby("ds")["y_hat"].mean()
        axes.plot(mean.index, mean, color=f"C{index}", label=variant)
        interactive.add_scatter(x=mean.index, y=mean, name=variant)
    axes.axvline(cutoff, color="grey", linestyle=":", label="cutoff")
    interactive.add_shape(
        type="line", x0=cutoff, x1=cutoff, y0=0, y1=1, yref="paper", line={"dash": "dot"}
    )
    figure.legend(loc="outside right upper")
    return figure, interactive


def plot_error_by_step(
    error_by_step: pd.DataFrame, leaderboard: pd.DataFrame, protocol: str
) -> Pictures:
    """MAE at each step of the horizon; a flat curve is the mark of a blind forecast head."""
    figure, axes, interactive = _pictures(
        "Error at each step of the horizon, all cutoffs", protocol, "horizon step", "MAE"
    )
    kinds = leaderboard.set_index("variant")["kind"]
    for index, variant in enumerate(kinds.index):
        frame = error_by_step[error_by_step["variant"] == variant]
        recurrent = kinds[variant] == "recurrent"
        axes.plot(
            frame["step"],
            frame["mae"],
            "-" if recurrent else "--",
            color=f"C{index}",
            label=variant,
        )
        interactive.add_scatter(
            x=frame["step"],
            y=frame["mae"],
            name=variant,
            line={"dash": "solid" if recurrent else "dash"},
        )
    figure.legend(loc="outside right upper")
    return figure, interactive


def plot_leaderboard(leaderboard: pd.DataFrame, protocol: str) -> Pictures:
    """MASE of every row, best on top, with the spread over seeds."""
    figure, axes, interactive = _pictures(
        "Leaderboard (bars: mean over seeds, whiskers: their standard deviation)",
        protocol,
        "MASE (lower is better)",
        "",
    )
    board = leaderboard.iloc[::-1]
    colours = np.where(board["kind"] == "recurrent", "tab:blue", "lightgrey")
    spread = board["mase_std"].fillna(0.0)
    axes.barh(board["variant"], board["mase"], xerr=spread, color=colours)
    interactive.add_bar(
        x=board["mase"],
        y=board["variant"],
        orientation="h",
        error_x={"array": spread},
        marker={"color": np.where(board["kind"] == "recurrent", "#1f77b4", "#cccccc")},
    )
    return figure, interactive
