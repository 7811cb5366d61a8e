"""Rehearsals and forecasts ahead: what they may see, and that they are asked the same as the test part."""

import functools

import numpy as np
import pandas as pd
import pytest

from unrolled.recurrent.options import ModelOptions
from unrolled.series import metrics, scaling, splits, windows
from unrolled.series import panel as panels
from unrolled.series.options import SeriesOptions
from unrolled.training import backtest, forecasting
from unrolled.training.options import TrainOptions

SERIES = SeriesOptions(season=4, lookback=8, horizon=3, validation=9, test=12)


def two_series() -> pd.DataFrame:
    """One of 80 rows, one of 50, on different scales."""
    frames = []
    for name, rows, scale in (("a", 80, 1.0), ("b", 50, 30.0)):
        time = np.arange(rows)
        noise = np.random.default_rng(rows).normal(0, 1, rows)
        y = scale * (50 + 0.3 * time + 8 * np.sin(2 * np.pi * time / 4 + 0.7) + noise)
        frames.append(pd.DataFrame({"unique_id": name, "ds": time, "y": y}))
    return pd.concat(frames, ignore_index=True)


def fit(panel: pd.DataFrame):
    model, training = ModelOptions(hidden=3), TrainOptions(epochs=2)

    def fitted(borders: pd.DataFrame) -> backtest.Forecast:
        return backtest.fit_network(panel, borders, SERIES, model, training, 0, "gru")

    return fitted


def rehearse(
    panel: pd.DataFrame, fitter, origins: int = splits.REHEARSALS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    plan = backtest.plan_rehearsals(panel, borders, SERIES, origins)
    return plan, backtest.rehearse(panel, plan, SERIES, fitter)


def rehearse_last(row: str, panel: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rehearsal that comes nearest to the test part; what may be seen is alike in all of them."""
    return rehearse(panel, fit(panel) if row == "gru" else baseline(row, panel), origins=1)


def panel_for(row: str) -> pd.DataFrame:
    """The shorter series alone where a fit takes long."""
    panel = two_series()
    shorter = panel["unique_id"] == "b"
    return panel[shorter].reset_index(drop=True) if row == "holt_winters" else panel


@functools.cache
def undisturbed(row: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return rehearse_last(row, panel_for(row))


def baseline(name: str, panel: pd.DataFrame):
    return lambda _: backtest.of_baseline(name, panel, SERIES)


@pytest.mark.parametrize("row", ["gru", "ridge", "theta"])
def test_the_test_part_changes_nothing_that_is_rehearsed(row):
    spiked = two_series()
    for parts in splits.each(splits.borders(spiked, SERIES.validation, SERIES.test)):
        spiked.loc[parts.validation_end : parts.end - 1, "y"] *= 100
    for one, other in zip(undisturbed(row), rehearse_last(row, spiked), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("row", ["gru", "ridge", "holt_winters"])
def test_a_rehearsal_is_fitted_on_nothing_that_it_scores(row):
    """The rows after the first origin change no forecast that is made from it."""
    spiked = panel_for(row)
    plan, before = undisturbed(row)
    for parts in splits.each(plan):
        spiked.loc[parts.validation_end : parts.end - 1, "y"] += 40
    first = []
    for frame in (before, rehearse_last(row, spiked)[1]):
        origin = frame.groupby("unique_id")["cutoff"].transform("min")
        first.append(frame[frame["cutoff"] == origin])
    assert (first[0]["y"] != first[1]["y"]).all()
    np.testing.assert_array_equal(first[0]["y_hat"], first[1]["y_hat"])


def test_rehearsals_are_scored_by_the_scale_before_them_and_averaged():
    panel = two_series()
    plan, frame = rehearse(panel, baseline("seasonal_naive", panel))
    expected = []
    for number, table in plan.groupby("rehearsal"):
        by_series = []
        for parts in splits.each(table):
            y = panel["y"].to_numpy()[parts.first : parts.validation_end]
            own = frame[(frame["rehearsal"] == number) & (frame["unique_id"] == parts.unique_id)]
            scale = np.abs(y[4:] - y[:-4]).mean()
            by_series.append(np.abs(own["y"] - own["y_hat"]).mean() / scale)
        expected.append(np.mean(by_series))
    found = backtest.score_rehearsals(frame, panel, plan, SERIES)
    assert len(expected) == splits.REHEARSALS
    assert found["validation_mase"] == pytest.approx(np.mean(expected))


def test_a_constant_beginning_is_left_out_of_the_rehearsals_and_none_at_all_scores_none():
    panel = two_series()
    panel.loc[(panel["unique_id"] == "a") & (panel["ds"] < 45), "y"] = 7.0
    plan, _ = rehearse(panel, baseline("drift", panel))
    assert plan.loc[plan["unique_id"] == "a", "train"].tolist() == [47, 50]
    none = plan.iloc[:0]
    frame = backtest.rehearse(panel, none, SERIES, baseline("drift", panel))
    scores = backtest.score_rehearsals(frame, panel, none, SERIES)
    assert np.isnan(list(scores.values())).all()


@pytest.mark.parametrize("options", [{}, {"transform": "log", "seasonal_difference": True}])
def test_ahead_of_the_last_row_a_network_forecasts_as_if_later_rows_were_there(options):
    """Cut off the end of the panel: `ahead` gives what the backtest gave from that cutoff."""
    series = SERIES.model_copy(update=options)
    panel = two_series()
    borders = splits.borders(panel, series.validation, series.test)
    scaler = scaling.fit(panel, borders, series)
    values = scaling.apply(panel, borders, scaler, series)
    model, training = ModelOptions(hidden=3), TrainOptions(epochs=1)
    weights, _, _ = forecasting.fit_forecaster(
        values,
        panels.observed(panel),
        windows.table(borders, series),
        series,
        model,
        training,
        0,
        "gru",
    )
    card = forecasting.card(series, model, training, 0)
    known = backtest.over_cutoffs(
        panel, borders, series, backtest.of_network(weights, card, panel, borders, scaler, series)
    )
    last = known[known["cutoff"] == known.groupby("unique_id")["cutoff"].transform("max")]
    cut = panel[
        panel["ds"] <= panel.groupby("unique_id")["ds"].transform("max") - series.horizon
    ].reset_index(drop=True)
    whole = splits.borders(cut, 0, 0)
    found = backtest.ahead(
        cut, series, backtest.of_network(weights, card, cut, whole, scaler, series)
    )
    np.testing.assert_allclose(found["y_hat"], last["y_hat"], rtol=1e-6)
    np.testing.assert_array_equal(found["ds"], last["ds"])
    np.testing.assert_array_equal(found["cutoff"], last["cutoff"])


def test_ahead_of_the_last_row_a_baseline_is_fitted_on_all_rows():
    panel = two_series()
    found = backtest.ahead(panel, SERIES, backtest.of_baseline("seasonal_naive", panel, SERIES))
    for name, own in panel.groupby("unique_id"):
        expected = own["y"].to_numpy()[-4:-1]
        np.testing.assert_array_equal(found.loc[found["unique_id"] == name, "y_hat"], expected)
    changed = panel.copy()
    changed.loc[changed.groupby("unique_id").tail(2).index, "y"] *= 2
    ridge = [
        backtest.ahead(one, SERIES, backtest.of_baseline("ridge", one, SERIES))["y_hat"]
        for one in (panel, changed)
    ]
    assert (ridge[0] != ridge[1]).all()


def gappy(fill: str) -> tuple[pd.DataFrame, SeriesOptions]:
    """A random walk of which every third value is missing, filled so."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random(120) < 0.35, np.nan, rng.normal(size=120).cumsum())
    y[[0, -1]] = 0.0, 1.0
    series = SeriesOptions(lookback=6, horizon=4, season=3, validation=30, test=30, fill=fill)
    rows = pd.DataFrame({"unique_id": "a", "ds": range(120), "y": y})
    return panels.regular(rows, series.fill, series.season)[0], series


@pytest.mark.parametrize("fill", ["last", "seasonal", "linear"])
@pytest.mark.parametrize("baseline", ["persistence", "seasonal_naive", "ridge"])
def test_no_forecast_knows_a_gap_before_it_closes_and_no_filled_row_is_scored(fill, baseline):
    """What is observed after a cutoff changes nothing that is forecast from there."""
    panel, series = gappy(fill)
    borders = splits.borders(panel, series.validation, series.test)
    scored = backtest.over_cutoffs(
        panel, borders, series, backtest.of_baseline(baseline, panel, series)
    )
    seen = panel.set_index("ds")["observed"]
    assert seen[scored["ds"]].all()
    assert len(scored) < 4 * scored["cutoff"].nunique()
    cutoff = 100
    later = panel["ds"] > cutoff
    other = panel.assign(y=panel["y"].where(~later, panel["y"] + 5))
    again = backtest.over_cutoffs(
        other, borders, series, backtest.of_baseline(baseline, other, series)
    )
    same = scored["cutoff"] <= cutoff
    np.testing.assert_array_equal(scored["y_hat"][same], again["y_hat"][same])


def test_a_rehearsal_draws_lines_inside_its_own_train_part():
    """A gap that closes after a rehearsal's cutoff is a line in the study, not in the rehearsal."""
    panel, series = gappy("linear")
    borders = splits.borders(panel, series.validation, series.test)
    rehearsals = backtest.plan_rehearsals(panel, borders, series)

    def persistence(_: pd.DataFrame) -> backtest.Forecast:
        return backtest.of_baseline("persistence", panel, series)

    found = backtest.rehearse(panel, rehearsals, series, persistence)
    observed = panel["y"].where(panel["observed"]).ffill()
    known = observed.set_axis(panel["ds"])[found["cutoff"]].to_numpy()
    np.testing.assert_array_equal(found["y_hat"], known)
    assert panel.set_index("ds")["observed"][found["ds"]].all()


def test_filled_rows_are_no_history_for_the_scale():
    """A gap filled by the last value has no change in it, which would make the scale smaller."""
    rows = pd.DataFrame({"unique_id": "a", "ds": range(20), "y": np.arange(20.0)})
    rows.loc[[3, 4, 5, 6], "y"] = np.nan
    panel, _ = panels.regular(rows, "last", 1)
    borders = splits.borders(panel, 3, 4)
    history = backtest.before_test(panel, borders)
    assert len(history) == 16
    assert history["y"].isna().tolist() == panel["observed"].eq(False).tolist()[:16]
    frame = pd.DataFrame({"unique_id": "a", "step": [1], "y": [0.0], "y_hat": [2.0]})
    assert metrics.score(frame, history, 1)["mase"] == 2.0  # every change that was seen is 1
