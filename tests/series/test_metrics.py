"""The metrics against numpy, and the laws that they keep."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from utilsforecast import losses

from unrolled.errors import InputError
from unrolled.series.metrics import METRICS, loss_by_cutoff, score, score_by_step, unscaled

SERIES, CUTOFFS, STEPS, ROWS, SEASON = ("b", "a"), 4, 3, 12, 4


def frames(y, y_hat, history):
    """Long frames from y and y_hat (series, cutoffs, steps) and a history (series, rows)."""
    s, c, k = (i.ravel() for i in np.indices(y.shape))
    names = np.array(SERIES)
    backtest = pd.DataFrame(
        {
            "unique_id": names[s],
            "ds": ROWS + c + k,
            "cutoff": ROWS + c - 1,
            "step": k + 1,
            "y": y.ravel(),
            "y_hat": y_hat.ravel(),
        }
    )
    past = pd.DataFrame(
        {
            "unique_id": np.repeat(names, history.shape[1]),
            "ds": np.tile(np.arange(history.shape[1]), len(SERIES)),
            "y": history.ravel(),
        }
    )
    return backtest, past


def truth(y, y_hat, history):
    """The four metrics from their definitions; arrays as in `frames`."""
    error = y_hat - y
    scale = np.abs(history[:, SEASON:] - history[:, :-SEASON]).mean(axis=1)
    absolute = np.abs(error).mean(axis=(1, 2))
    percent = 200 * np.abs(error) / (np.abs(y) + np.abs(y_hat))
    return {
        "mae": absolute.mean(),
        "rmse": np.sqrt((error**2).mean(axis=(1, 2))).mean(),
        "smape": percent.mean(),
        "mase": (absolute / scale).mean(),
    }


def numbers(*shape):
    # hundredths: no two values differ by a rounding error only
    return arrays(np.int64, shape, elements=st.integers(-10_000, 10_000)).map(lambda a: a / 100)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    shape = (len(SERIES), CUTOFFS, STEPS)
    return rng.normal(5, 3, shape), rng.normal(5, 3, shape), rng.normal(5, 3, (len(SERIES), ROWS))


def test_every_score_equals_its_definition(case):
    expected = truth(*case)
    found = score(*frames(*case), SEASON)
    assert tuple(found) == tuple(METRICS)
    assert found == pytest.approx(expected, rel=1e-12)


def test_every_score_by_step_equals_the_definition_at_that_step(case):
    y, y_hat, history = case
    table = score_by_step(*frames(*case), SEASON)
    assert list(table.columns) == ["step", *METRICS]
    assert table["step"].tolist() == [1, 2, 3]
    for k in range(STEPS):
        expected = truth(y[:, :, k : k + 1], y_hat[:, :, k : k + 1], history)
        assert table.loc[k, list(METRICS)].to_dict() == pytest.approx(expected, rel=1e-12)


def test_every_score_is_that_of_another_library(case):
    backtest, history = frames(*case)
    table = score_by_step(backtest, history, SEASON)
    for row in table.to_dict("records"):
        own = backtest[backtest["step"] == row["step"]].drop(columns="cutoff")
        for name in METRICS:
            scale = (
                {"seasonality": SEASON, "train_df": history.sort_values(["unique_id", "ds"])}
                if name == "mase"
                else {}
            )
            theirs = getattr(losses, name)(own, models=["y_hat"], **scale)["y_hat"].mean()
            # sMAPE there is a share of 1
            assert row[name] == pytest.approx(theirs * (200 if name == "smape" else 1), rel=1e-12)


def test_the_order_of_the_rows_does_not_matter(case):
    backtest, history = frames(*case)
    shuffled = (frame.sample(frac=1, random_state=1) for frame in (backtest, history))
    assert score(*shuffled, SEASON) == pytest.approx(score(backtest, history, SEASON))


def test_smape_is_a_percentage_up_to_200(case):
    y, _, history = case
    y = np.abs(y) + 1
    assert score(*frames(y, -y, history), SEASON)["smape"] == pytest.approx(200)
    assert score(*frames(y, 3 * y, history), SEASON)["smape"] == pytest.approx(100)
    assert score(*frames(0 * y, 0 * y, history), SEASON)["smape"] == 0


def test_each_series_counts_once_however_many_rows_it_has(case):
    backtest, history = frames(*case)
    few = pd.concat([backtest[backtest.unique_id == "a"], backtest[backtest.unique_id == "b"][:1]])
    errors = (few["y_hat"] - few["y"]).abs()
    expected = (errors[few.unique_id == "a"].mean() + errors[few.unique_id == "b"].iloc[0]) / 2
    assert score(few, history, SEASON)["mae"] == pytest.approx(expected)


@settings(max_examples=10)
@given(numbers(2, 2, 2), numbers(2, 2, 2), numbers(2, 9), st.integers(-1000, 1000))
def test_a_shift_of_all_numbers_changes_neither_mae_nor_rmse_nor_mase(y, y_hat, history, shift):
    before = score(*frames(y, y_hat, history), SEASON)
    after = score(*frames(y + shift, y_hat + shift, history + shift), SEASON)
    for name in ("mae", "rmse", "mase"):
        # a scale of 0 may become a rounding error, for which no law holds
        if np.abs(history[:, SEASON:] - history[:, :-SEASON]).mean(axis=1).min() > 0:
            assert after[name] == pytest.approx(before[name], rel=1e-6, abs=1e-6)


@settings(max_examples=10)
@given(numbers(2, 2, 2), numbers(2, 2, 2), numbers(2, 9), st.sampled_from([0.25, 3.0, 1000.0]))
def test_a_change_of_unit_scales_mae_and_rmse_and_leaves_smape_and_mase(y, y_hat, history, unit):
    before = score(*frames(y, y_hat, history), SEASON)
    after = score(*frames(unit * y, unit * y_hat, unit * history), SEASON)
    for name in ("mae", "rmse"):
        assert after[name] == pytest.approx(unit * before[name], rel=1e-9)
    for name in ("smape", "mase"):
        assert after[name] == pytest.approx(before[name], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("forecast", ["wrong", "perfect"])
def test_mase_leaves_a_series_without_a_scale_out_for_every_forecast(case, forecast):
    y, y_hat, history = case
    y_hat = y if forecast == "perfect" else y_hat
    expected = score(*frames(y, y_hat, history), SEASON)
    others = truth(np.delete(y, 1, 0), np.delete(y_hat, 1, 0), np.delete(history, 1, 0))
    history[1] = 5.0
    backtest, past = frames(y, y_hat, history)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(backtest, past, SEASON)
    assert found == pytest.approx(expected | {"mase": others["mase"]}, rel=1e-12)
    assert unscaled(past, SEASON) == 1
    losses = loss_by_cutoff(backtest.assign(cutoff=0, variant="a"), past, SEASON, "mase")
    assert losses["a"].iloc[0] == pytest.approx(found["mase"], rel=1e-12)
    backtest.loc[backtest["unique_id"] == backtest["unique_id"].iloc[0], "y_hat"] = np.nan
    assert np.isnan(score(backtest, past, SEASON)["mase"])


def test_where_no_series_has_a_scale_there_is_no_mase(case):
    y, y_hat, history = case
    backtest, past = frames(y, y_hat, np.full_like(history, 5.0))
    found = score(backtest, past, SEASON)
    assert np.isnan(found["mase"])
    assert np.isfinite([found[name] for name in ("mae", "rmse", "smape")]).all()
    assert score_by_step(backtest, past, SEASON)["mase"].isna().all()
    assert unscaled(past, SEASON) == past["unique_id"].nunique()


def test_a_history_no_longer_than_the_season_gives_nan_for_mase(case):
    backtest, past = frames(*case)
    assert np.isnan(score(backtest, past, ROWS)["mase"])


def test_a_missing_forecast_makes_its_step_nan_and_is_not_skipped(case):
    backtest, past = frames(*case)
    backtest.loc[backtest.index[1], "y_hat"] = np.nan
    assert np.isnan(list(score(backtest, past, SEASON).values())).all()
    table = score_by_step(backtest, past, SEASON).set_index("step")
    assert table.loc[2].isna().all()
    assert table.loc[[1, 3]].notna().all(axis=None)


@pytest.mark.parametrize("wrong", [np.inf, 1e308, -1e308])
def test_errors_beyond_all_numbers_are_none(case, wrong):
    backtest, past = frames(*case)
    backtest.loc[:1, "y_hat"] = wrong
    assert np.isnan(score(backtest, past, SEASON)["mae" if wrong == np.inf else "mase"])


def test_tiny_errors_have_a_root_mean_square(case):
    y, y_hat, history = case
    found = score(*frames(1e-200 * y, 1e-200 * y_hat, 1e-200 * history), SEASON)
    assert found["rmse"] == pytest.approx(1e-200 * truth(*case)["rmse"], rel=1e-9)


def refused(backtest, past, season=SEASON):
    with pytest.raises(InputError) as caught:
        score(backtest, past, season)
    return str(caught.value)


def test_what_cannot_be_scored_is_answered_with_a_sentence(case):
    backtest, past = frames(*case)
    assert refused(backtest.drop(columns="y_hat"), past) == (
        "backtest: columns are ['unique_id', 'ds', 'cutoff', 'step', 'y'], "
        "but ['y_hat'] are needed too; add them"
    )
    assert refused(backtest[:0], past) == (
        "backtest: 0 rows, but a score needs at least 1; check the cutoffs"
    )
    assert refused(backtest, past, 0) == (
        "season is 0, but 1 (none) is the least; set the season in rows"
    )
    assert refused(backtest, past[past.unique_id == "a"]) == (
        "history: 1 series of the backtest are not in it, the first is 'b', "
        "but MASE needs the rows of each before the test; add them"
    )
    seeds = backtest.assign(seed=np.arange(len(backtest)) % 2)
    assert refused(seeds, past) == (
        "backtest: column 'seed' holds 2 values, but one score is for one; "
        "group by variant and seed first"
    )


def test_one_variant_and_one_seed_named_in_columns_are_scored(case):
    backtest, past = frames(*case)
    named = backtest.assign(variant="lstm", seed=3)
    assert score(named, past, SEASON) == score(backtest, past, SEASON)
