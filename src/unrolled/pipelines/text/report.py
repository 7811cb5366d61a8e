"""Pictures of the text job."""

from __future__ import annotations

import pandas as pd

from unrolled.pipelines.pictures import Pictures, blank, leaderboard_bars, learning_curves


def plot_learning_curves(curves: pd.DataFrame, protocol: str) -> Pictures:
    """Validation and training loss of every variant by chunks trained on."""
    return learning_curves(curves, protocol, "chunks trained on", "nats a character")


def plot_leaderboard(leaderboard: pd.DataFrame, protocol: str) -> Pictures:
    """Bits per character of every row."""
    return leaderboard_bars(leaderboard, protocol, "bits_per_char", "bits per character")


def plot_loss_by_context(
    loss_by_context: pd.DataFrame, leaderboard: pd.DataFrame, protocol: str
) -> Pictures:
    """Loss by how much was read before: a model without memory gains nothing after its order."""
    figure, axes, interactive = blank(
        "Loss by characters read before", protocol, "characters read, at least", "nats a character"
    )
    kinds = leaderboard.set_index("variant")["kind"]
    for index, variant in enumerate(kinds.index):
        own = loss_by_context[loss_by_context["variant"] == variant]
        mean = own.groupby("context")["nats_per_char"].mean()
        recurrent = kinds[variant] == "recurrent"
        axes.plot(mean.index, mean, "o-" if recurrent else "--", color=f"C{index}", label=variant)
        interactive.add_scatter(
            x=mean.index, y=mean, name=variant, line={"dash": "solid" if recurrent else "dash"}
        )
    axes.set_xscale("log")
    interactive.update_xaxes(type="log")
    figure.legend(loc="outside right upper")
    return figure, interactive
