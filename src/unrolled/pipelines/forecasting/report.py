"""Pictures of the forecasting job."""

from __future__ import annotations

import numpy as np
import pandas as pd

from unrolled.comparison.looks import Look, Rows, look
from unrolled.pipelines.charts import Chart, Line
from unrolled.pipelines.pictures import Pictures, draw, leaderboard_bars, learning_curves
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import observed
from unrolled.series.reading import Reading

# Enough lines to compare, few enough to tell apart.
SHOWN = 4
HISTORY = 4  # horizons shown before a forecast


def plot_learning_curves(curves: pd.DataFrame, protocol: str, rows: Rows) -> Pictures:
    """Validation and training loss of every variant by epoch."""
    return learning_curves(curves, protocol, rows, "epoch", "loss on scaled values")


def plot_leaderboard(leaderboard: pd.DataFrame, protocol: str, rows: Rows) -> Pictures:
    """MASE of every row."""
    return leaderboard_bars(leaderboard, protocol, rows, "mase", "MASE")


def plot_forecast(
    backtest: pd.DataFrame,
    panel: pd.DataFrame,
    leaderboard: pd.DataFrame,
    protocol: str,
    series: SeriesOptions,
    reading: Reading,
    rows: Rows,
) -> Pictures:
    """Truth and the forecasts of the best rows from the first cutoff of the test part."""
    name = backtest["unique_id"].iloc[0]
    one = backtest[backtest["unique_id"] == name]
    cutoff = one["cutoff"].min()
    best = leaderboard.groupby(leaderboard["kind"] == "baseline", sort=False).head(SHOWN // 2)
    shown = one[(one["cutoff"] == cutoff) & one["variant"].isin(best["variant"])]
    mean = shown.groupby(["variant", "ds"], sort=False)["y_hat"].mean().reset_index()
    title = f"{name}: {series.horizon} steps from {_date(cutoff)} (mean over seeds)"
    return _ahead(title, mean, panel, protocol, series, reading, rows, name, cutoff)


def plot_ahead(
    forecast: pd.DataFrame,
    stored: pd.DataFrame,
    panel: pd.DataFrame,
    protocol: str,
    series: SeriesOptions,
    reading: Reading,
    rows: Rows,
) -> Pictures:
    """The end of the first series, and what comes after its last row by each variant.

    Args:
        forecast: `unique_id, ds, variant, y_hat`.
        stored: `unique_id, ds, cutoff, y_hat` of the winner.
        panel: `unique_id, ds, y`, all rows that are known.
        protocol: what the run was on.
        series: its horizon, and the unit of its value.
        reading: how its file was read, and so the names of its columns.
        rows: names of the leaderboard's rows.
    """
    name = forecast["unique_id"].iloc[0]
    cutoff = stored["cutoff"].iloc[0]
    own = forecast[forecast["unique_id"] == name].astype({"ds": panel["ds"].dtype})  # CSV has none
    title = f"{name}: forecast of {series.horizon} steps after {_date(cutoff)}"
    return _ahead(title, own, panel, protocol, series, reading, rows, name, cutoff)


def _ahead(
    title: str,
    forecasts: pd.DataFrame,
    panel: pd.DataFrame,
    protocol: str,
    series: SeriesOptions,
    reading: Reading,
    rows: Rows,
    name: str,
    cutoff: object,
) -> Pictures:
    """One series around a cutoff, with a line for each variant of `forecasts`."""
    truth = panel[panel["unique_id"] == name]
    at = int(np.flatnonzero(truth["ds"] == cutoff)[0])
    truth = truth.iloc[max(0, at - HISTORY * series.horizon) : at + series.horizon + 1]
    truth = truth[observed(truth)]  # what was filled is no observation
    y = pd.concat([truth["y"], forecasts["y_hat"]])
    lines = [
        Line(truth["ds"], truth["y"], "observed"),
        *(
            Line(own["ds"], own["y_hat"], str(variant), look(str(variant), rows))
            for variant, own in forecasts.groupby("variant", sort=False)
        ),
        Line([cutoff, cutoff], [y.min(), y.max()], "cutoff", Look("grey", "dot"), 1.2),
    ]
    return draw(title, protocol, [Chart(_time(reading), _value(series, reading), lines)])


def plot_error_by_step(
    error_by_step: pd.DataFrame,
    leaderboard: pd.DataFrame,
    protocol: str,
    series: SeriesOptions,
    reading: Reading,
    rows: Rows,
) -> Pictures:
    """MAE at each step of the horizon; a flat curve is the mark of a blind forecast head."""
    by_variant = dict(list(error_by_step.groupby("variant")))
    lines = [
        Line(by_variant[name]["step"], by_variant[name]["mae"], name, look(name, rows))
        for name in leaderboard["variant"]
    ]
    chart = Chart("steps after the cutoff", f"MAE, {_value(series, reading)}", lines)
    return draw("Error at each step of the horizon, all cutoffs", protocol, [chart])


def _value(series: SeriesOptions, reading: Reading) -> str:
    """Name and unit of the value that is forecast; a column called `y` has no name."""
    y = reading.columns.y
    return ", ".join(filter(None, ["" if y == "y" else y, series.unit])) or "value"


def _time(reading: Reading) -> str:
    ds: str = reading.columns.ds
    return "time" if ds == "ds" else ds


def _date(time: object) -> str:
    return str(time).removesuffix(" 00:00:00")
