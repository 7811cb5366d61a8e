"""Pictures of the forecasting job."""

from __future__ import annotations

import numpy as np
import pandas as pd

from unrolled.pipelines.pictures import Pictures, blank, leaderboard_bars, learning_curves

# Enough lines to compare, few enough to tell apart.
SHOWN = 4


def plot_learning_curves(curves: pd.DataFrame, protocol: str) -> Pictures:
    """Validation and training loss of every variant by epoch."""
    return learning_curves(curves, protocol, "epoch", "loss on scaled values")


def plot_leaderboard(leaderboard: pd.DataFrame, protocol: str) -> Pictures:
    """MASE of every row."""
    return leaderboard_bars(leaderboard, protocol, "mase", "MASE")


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
    figure, axes, interactive = blank(
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
    figure, axes, interactive = blank(
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
