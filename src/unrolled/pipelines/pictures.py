"""What the pictures of all jobs share: PNG for reports, Plotly for kedro-viz.

Each bears the `protocol` of the run: the data, split and seeds that its numbers come from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from kedro_datasets.matplotlib import MatplotlibDataset
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Figures are made without pyplot: no global state, safe in threads.
SIZE = (9.0, 4.5)
Pictures = tuple[Figure, go.Figure]


def blank(title: str, protocol: str, x: str, y: str) -> tuple[Figure, Axes, go.Figure]:
    """An empty picture of each kind, with title, protocol and labels."""
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


def learning_curves(curves: pd.DataFrame, protocol: str, x: str, y: str) -> Pictures:
    """Validation (line) and training loss (dashed) of every variant, mean over seeds."""
    figure, axes, interactive = blank("Learning curves (mean over seeds)", protocol, x, y)
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


def leaderboard_bars(leaderboard: pd.DataFrame, protocol: str, metric: str, label: str) -> Pictures:
    """A metric of every row, best on top, with the spread over seeds."""
    figure, axes, interactive = blank(
        "Leaderboard (bars: mean over seeds, whiskers: their standard deviation)",
        protocol,
        f"{label} (lower is better)",
        "",
    )
    board = leaderboard.iloc[::-1]
    colours = np.where(board["kind"] == "recurrent", "tab:blue", "lightgrey")
    spread = board[f"{metric}_std"].fillna(0.0)
    axes.barh(board["variant"], board[metric], xerr=spread, color=colours)
    interactive.add_bar(
        x=board[metric],
        y=board["variant"],
        orientation="h",
        error_x={"array": spread},
        marker={"color": np.where(board["kind"] == "recurrent", "#1f77b4", "#cccccc")},
    )
    return figure, interactive


class Picture(NamedTuple):
    """A drawn picture: the name of its file, without ending, and its bytes."""

    name: str
    png: bytes


class PictureFile(MatplotlibDataset):
    """A picture that is saved as a figure and loaded as it lies in its PNG file."""

    def load(self) -> Picture:
        """Read the file whole."""
        path = self._get_load_path()
        with self._fs.open(str(path), "rb") as file:
            return Picture(path.stem, file.read())
