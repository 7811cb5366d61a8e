"""The nodes: forecasts in original units."""

import numpy as np
import pandas as pd
import pytest

from unrolled.pipelines.forecasting import nodes
from unrolled.recurrent.options import ModelOptions
from unrolled.series.options import SeriesOptions
from unrolled.training.options import TrainOptions


def panel_of(rows: int = 80) -> pd.DataFrame:
    time = np.arange(rows)
    noise = np.random.default_rng(0).normal(0, 1, rows)
    y = 50 + 0.3 * time + 8 * np.sin(2 * np.pi * time / 4 + 0.7) + noise
    return pd.DataFrame({"unique_id": "a", "ds": time, "y": y})


def backtest(panel: pd.DataFrame, series: SeriesOptions, model: tuple) -> pd.DataFrame:
    borders = nodes.split(panel, series)
    scaler = nodes.fit_scaler(panel, borders, series)
    return nodes.backtest(*model, panel, borders, scaler, series)[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transform": "log"},
        {"transform": "boxcox", "lags": (4,)},
        {"seasonal_difference": True},
        {"transform": "log", "seasonal_difference": True, "horizon": 6},
    ],
    ids=str,
)
def test_changing_the_last_observation_changes_every_step_in_original_units(options):
    series = SeriesOptions(
        **{"season": 4, "lookback": 8, "horizon": 3, "validation": 12, "test": 16} | options
    )
    panel = panel_of()
    borders = nodes.split(panel, series)
    scaler = nodes.fit_scaler(panel, borders, series)
    values, observed = nodes.scale(panel, borders, scaler, series)
    weights, card, _ = nodes.train(
        values,
        observed,
        nodes.window(borders, series),
        series,
        ModelOptions(hidden=4),
        TrainOptions(epochs=1),
        "gru",
        0,
    )
    before = backtest(panel, series, (weights, card))
    cutoff = 70
    changed = panel.copy()
    changed.loc[changed["ds"] == cutoff, "y"] *= 1.1
    after = backtest(changed, series, (weights, card))
    same, moved = (before["cutoff"] < cutoff), (before["cutoff"] == cutoff)
    np.testing.assert_array_equal(before["y_hat"][same], after["y_hat"][same])
    assert (before["y_hat"][moved] != after["y_hat"][moved]).all()
    assert moved.sum() == series.horizon
