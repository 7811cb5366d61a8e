"""The nodes: forecasts in original units, and how scores become a leaderboard."""

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


def scores(variant: str, kind: str, mase: float, mae: float = 1.0) -> dict:
    cost = {"parameters": 7 if kind == "recurrent" else None, "train_seconds": 1.0, "seeds": 1}
    cost |= {"validation_mase": mase + 1, "validation_mae": mae}
    return {
        "variant": variant, "kind": kind, "mae": mae, "rmse": 2.0, "smape": 3.0, "mase": mase,
    } | cost  # fmt: skip


def test_the_leaderboard_holds_means_over_seeds_best_first_with_their_spread():
    board = nodes.leaderboard(
        scores("gru", "recurrent", 0.5),
        scores("gru", "recurrent", 0.7),
        scores("ridge", "baseline", 0.55),
    )
    assert board["variant"].tolist() == ["ridge", "gru"]
    assert board["seeds"].tolist() == [1, 2]
    assert board["mase"].tolist() == pytest.approx([0.55, 0.6])
    assert board["mase_std"].iloc[1] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert board["validation_mase"].tolist() == pytest.approx([1.55, 1.6])
    assert board["parameters"].astype(object).tolist() == [pd.NA, 7]


def test_where_no_mase_exists_mae_ranks():
    nan = float("nan")
    board = nodes.leaderboard(
        scores("gru", "recurrent", nan, mae=3.0), scores("ridge", "baseline", nan, mae=2.0)
    )
    assert board["variant"].tolist() == ["ridge", "gru"]


def test_the_protocol_names_data_split_horizon_and_seeds():
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = panel_of()
    borders = nodes.split(panel, series)
    assert nodes.protocol(panel, borders, series, "mine", [0, 1]) == (
        "mine: 80 rows (train 52, validation 12, test 16 from 64); horizon 3, 14 cutoffs; seeds 0, 1"
    )
    two = pd.concat([panel, panel.assign(unique_id="b")], ignore_index=True)
    assert nodes.protocol(two, nodes.split(two, series), series, "mine", [0]) == (
        "mine: 2 series, 160 rows (train 104, validation 24, test 32); horizon 3, 28 cutoffs; seeds 0"
    )
