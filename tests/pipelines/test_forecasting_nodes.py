"""The nodes: forecasts in original units."""

import numpy as np
import pandas as pd
import pytest

from unrolled.comparison.records import Choice, Chosen, Cost, Rehearsal
from unrolled.pipelines.forecasting import nodes
from unrolled.recurrent.options import ModelOptions
from unrolled.series.options import SeriesOptions
from unrolled.training import rows
from unrolled.training.options import TrainOptions


def panel_of(rows: int = 80) -> pd.DataFrame:
    time = np.arange(rows)
    noise = np.random.default_rng(0).normal(0, 1, rows)
    y = 50 + 0.3 * time + 8 * np.sin(2 * np.pi * time / 4 + 0.7) + noise
    return pd.DataFrame({"unique_id": "a", "ds": time, "y": y})


def backtest(panel: pd.DataFrame, series: SeriesOptions, model: tuple) -> pd.DataFrame:
    borders = nodes.split(panel, series)
    scaler = nodes.fit_scaler(panel, borders, series)
    return rows.backtest_network(*model, panel, borders, scaler, series)[0]


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


# --- what decides: two unequal series, numbers by hand ---

HAND = SeriesOptions(lookback=2, horizon=2, validation=3, test=4)


def two_lines() -> pd.DataFrame:
    """`a` climbs by 1 in train, 3 in validation and 5 in test; `b`, shorter, by 10, 20 and 40."""
    steps = {"a": [0] + [1] * 12 + [3] * 3 + [5] * 4, "b": [0] + [10] * 6 + [20] * 3 + [40] * 4}
    frames = [
        pd.DataFrame({"unique_id": name, "ds": range(len(own)), "y": np.cumsum(own) * 1.0})
        for name, own in steps.items()
    ]
    return pd.concat(frames, ignore_index=True)


def persistence() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, Cost]:
    panel = two_lines()
    borders = nodes.split(panel, HAND)
    known, ahead, cost = rows.backtest_baseline(panel, borders, HAND, "persistence")
    return panel, borders, known, ahead, cost


def test_a_baseline_is_asked_at_every_cutoff_of_every_series():
    _panel, borders, known, ahead, _cost = persistence()
    assert borders[["train", "validation", "test"]].to_numpy().tolist() == [[13, 3, 4], [7, 3, 4]]
    found = known[["unique_id", "cutoff", "ds", "step", "y", "y_hat"]].to_numpy().tolist()
    assert found == [
        ["a", 15, 16, 1, 26, 21],
        ["a", 15, 17, 2, 31, 21],
        ["a", 16, 17, 1, 31, 26],
        ["a", 16, 18, 2, 36, 26],
        ["a", 17, 18, 1, 36, 31],
        ["a", 17, 19, 2, 41, 31],
        ["b", 9, 10, 1, 160, 120],
        ["b", 9, 11, 2, 200, 120],
        ["b", 10, 11, 1, 200, 160],
        ["b", 10, 12, 2, 240, 160],
        ["b", 11, 12, 1, 240, 200],
        ["b", 11, 13, 2, 280, 200],
    ]
    ahead = ahead[["unique_id", "cutoff", "ds", "y_hat"]].to_numpy().tolist()
    assert ahead == [["a", 19, 20, 41], ["a", 19, 21, 41], ["b", 13, 14, 280], ["b", 13, 15, 280]]


def test_scores_are_means_over_series_each_by_the_scale_of_its_rows_before_the_test_part():
    """MASE's scales: (12 * 1 + 3 * 3) / 15 = 1.4, and (6 * 10 + 3 * 20) / 9 = 40 / 3."""
    panel, borders, known, _ahead, cost = persistence()
    validation = Rehearsal(
        variant="persistence", kind="baseline", seed=None, validation_mase=0.5, validation_mae=2.0
    )
    row = nodes.score(known, validation, cost, panel, borders, HAND)
    assert row["mae"] == pytest.approx((7.5 + 60) / 2)
    assert row["mase"] == pytest.approx((7.5 / 1.4 + 60 / (40 / 3)) / 2)
    assert row["rmse"] == pytest.approx((62.5**0.5 + 4000**0.5) / 2)
    assert (row["validation_mase"], row["validation_mae"]) == (0.5, 2.0)
    steps = nodes.score_by_step(known, panel, borders, HAND)
    assert steps["mae"].tolist() == pytest.approx([22.5, 45])
    assert steps["mase"].tolist() == pytest.approx([(5 / 1.4 + 3) / 2, (10 / 1.4 + 6) / 2])


@pytest.mark.parametrize("variant", ["ridge", "analogues", "holt_winters", "theta"])
def test_no_baseline_is_fitted_or_chosen_on_the_test_part(variant):
    """From the first cutoff it is as if nothing came after it."""
    season = 1 if variant == "holt_winters" else 4  # with one it takes long, and sees no more
    series = SeriesOptions(season=season, lookback=8, horizon=3, validation=12, test=6)
    panel = panel_of(70)
    borders = nodes.split(panel, series)
    spiked = panel.assign(y=panel["y"].where(panel["ds"] < 64, 1e4 - panel["y"] ** 2))
    first = [
        rows.backtest_baseline(one, borders, series, variant)[0].query("cutoff == 63")["y_hat"]
        for one in (panel, spiked)
    ]
    np.testing.assert_array_equal(*first)


def test_an_ensemble_is_the_median_of_the_seeds():
    frame = pd.DataFrame({"y": [1.0, 2.0], "y_hat": [0.0, 0.0]})
    seeds = [frame.assign(y_hat=y_hat) for y_hat in ([1.0, 9.0], [2.0, 5.0], [7.0, 6.0])]
    found = nodes.median("gru_median", *seeds)
    assert found["y_hat"].tolist() == [2.0, 6.0]
    assert found["seed"].isna().all()


def choice_of(variant: str, seed: int) -> Choice:
    champion = Chosen(variant=variant, seed=seed, validation_score=1, mean_validation_score=1)
    return Choice(metric="mase", rows={}, winner=variant, champion=champion)


def hand_backtest() -> pd.DataFrame:
    """Two seeds of a network that err by 1 and 3, a baseline that errs by 4."""
    errors = {("gru", 0): 1.0, ("gru", 1): 3.0, ("persistence", None): 4.0}
    known = persistence()[2]
    return pd.concat(
        [
            known.assign(
                variant=variant,
                seed=pd.array([seed] * len(known), dtype="Int64"),
                y_hat=known["y"] + error,
            )
            for (variant, seed), error in errors.items()
        ],
        ignore_index=True,
    )


def test_the_champion_stands_beside_the_best_baseline_by_its_own_seed_and_its_means():
    panel, borders, *_ = persistence()
    board = pd.DataFrame(
        {"variant": ["gru", "persistence"], "kind": ["recurrent", "baseline"], "mase": [2.0, 4.0]}
    )
    digests = dict.fromkeys(["gru/seed_1.safetensors", "gru/seed_1.json", "scaler.csv"], "f00")
    choice = choice_of("gru", 1)
    found = nodes.champion(choice, board, hand_backtest(), digests, panel, borders, HAND, "mine")
    assert found.seed_score == pytest.approx(3 * (1 / 1.4 + 3 / 40) / 2)
    assert (found.baseline, found.margin) == ("persistence", 2.0)


@pytest.mark.parametrize(("horizon", "tested"), [(1, True), (2, False)])
def test_horizons_that_share_targets_are_no_evidence_of_their_own(horizon, tested):
    """Of 10 cutoffs 5 share no target where the horizon is 2, fewer than a test takes."""
    series = SeriesOptions(lookback=2, horizon=horizon, validation=3, test=9 + horizon)
    panel = pd.DataFrame({"unique_id": "a", "ds": range(40), "y": np.arange(40.0) ** 1.5})
    borders = nodes.split(panel, series)
    noise = np.random.default_rng(0).normal(0, 1, (2, 10 * horizon))
    known = rows.backtest_baseline(panel, borders, series, "persistence")[0]
    assert known["cutoff"].nunique() == 10
    both = [
        known.assign(
            variant=name, seed=pd.array([0] * len(known), dtype="Int64"), y_hat=known["y"] + own
        )
        for name, own in zip(("gru", "ridge"), noise, strict=True)
    ]
    board = pd.DataFrame(
        {"variant": ["gru", "ridge"], "kind": ["recurrent", "baseline"], "mase": [1.0, 1.1]}
    )
    digests = dict.fromkeys(["gru/seed_0.safetensors", "gru/seed_0.json", "scaler.csv"], "f00")
    choice = choice_of("gru", 0)
    found = nodes.champion(choice, board, pd.concat(both), digests, panel, borders, series, "mine")
    assert (found.p_value is not None) == tested
