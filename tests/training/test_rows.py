"""What a row of the leaderboard forecasts and may see, and what stands beside its scores."""

import functools
import json

import numpy as np
import pandas as pd
import pytest
from tests.panels import one_series, two_series

from unrolled.recurrent.options import ModelOptions
from unrolled.series import backtest, ingest, scaling, splits, windows
from unrolled.series import panel as panels
from unrolled.series.options import SeriesOptions
from unrolled.training import forecasting, rows
from unrolled.training.options import TrainOptions

SERIES = SeriesOptions(season=4, lookback=8, horizon=3, validation=9, test=12)


@pytest.mark.parametrize("huge", [1.797e308, 1e300])
def test_a_score_beyond_all_numbers_is_none(huge):
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = one_series()
    borders = ingest.split(panel, series)
    panel.loc[70, "y"] = huge
    rehearsals = backtest.plan_rehearsals(panel, borders, series)
    panel.loc[60, "y"] = huge
    # Holt-Winters has no season here: what is huge is huge without.
    slow = [("holt_winters", 1)] if huge > 1e308 else []
    for variant, season in (("persistence", 4), ("ridge", 4), *slow):
        series = series.model_copy(update={"season": season})
        found, _, cost = rows.backtest_baseline(panel, borders, series, variant)
        validation = rows.rehearse_baseline(panel, rehearsals, series, variant)
        row = rows.score(found, validation, cost, panel, borders, series)
        json.dumps([row, validation.model_dump()], allow_nan=False)


def test_a_limit_that_is_reached_is_noted_beside_the_scores():
    series = SeriesOptions(
        season=4, lookback=8, horizon=3, validation=12, test=16, statistical_seconds=1e-9
    )
    panel = one_series()
    borders = ingest.split(panel, series)
    found, _, cost = rows.backtest_baseline(panel, borders, series, "theta")
    rehearsals = backtest.plan_rehearsals(panel, borders, series)
    validation = rows.rehearse_baseline(panel, rehearsals, series, "theta")
    row = rows.score(found, validation, cost, panel, borders, series)
    assert row["note"] == (
        "limit of 1e-09 s reached: 2 of 2 series and parts by drift; rehearsals: limit of 1e-09 s"
        " reached: 3 of 3 series and parts by drift"
    )


def rehearse(panel: pd.DataFrame, row: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rehearsal that comes nearest to the test part; what may be seen is alike in all of them."""
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    plan = backtest.plan_rehearsals(panel, borders, SERIES, origins=1)
    model, training = ModelOptions(hidden=3), TrainOptions(epochs=2)

    def fit(borders: pd.DataFrame) -> backtest.Forecast:
        if row == "gru":
            return rows.fit_network(panel, borders, SERIES, model, training, 0, row)
        return backtest.of_baseline(row, panel, SERIES)

    return plan, backtest.rehearse(panel, plan, SERIES, fit)


def panel_for(row: str) -> pd.DataFrame:
    """The shorter series alone where a fit takes long."""
    panel = two_series()
    shorter = panel["unique_id"] == "b"
    return panel[shorter].reset_index(drop=True) if row == "holt_winters" else panel


@functools.cache
def undisturbed(row: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return rehearse(panel_for(row), row)


@pytest.mark.parametrize("row", ["gru", "ridge", "theta"])
def test_the_test_part_changes_nothing_that_is_rehearsed(row):
    spiked = panel_for(row)
    for parts in splits.each(splits.borders(spiked, SERIES.validation, SERIES.test)):
        spiked.loc[parts.validation_end : parts.end - 1, "y"] *= 100
    for one, other in zip(undisturbed(row), rehearse(spiked, row), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("row", ["gru", "ridge", "holt_winters"])
def test_a_rehearsal_is_fitted_on_nothing_that_it_scores(row):
    """The rows after the first origin change no forecast that is made from it."""
    spiked = panel_for(row)
    plan, before = undisturbed(row)
    for parts in splits.each(plan):
        spiked.loc[parts.validation_end : parts.end - 1, "y"] += 40
    first = []
    for frame in (before, rehearse(spiked, row)[1]):
        origin = frame.groupby("unique_id")["cutoff"].transform("min")
        first.append(frame[frame["cutoff"] == origin])
    assert (first[0]["y"] != first[1]["y"]).all()
    np.testing.assert_array_equal(first[0]["y_hat"], first[1]["y_hat"])


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
    card = forecasting.spec(series, model, training, 0)
    known = backtest.over_cutoffs(
        panel, borders, series, rows.of_network(weights, card, panel, borders, scaler, series)
    )
    last = known[known["cutoff"] == known.groupby("unique_id")["cutoff"].transform("max")]
    cut = panel[
        panel["ds"] <= panel.groupby("unique_id")["ds"].transform("max") - series.horizon
    ].reset_index(drop=True)
    whole = splits.borders(cut, 0, 0)
    found = backtest.ahead(cut, series, rows.of_network(weights, card, cut, whole, scaler, series))
    np.testing.assert_allclose(found["y_hat"], last["y_hat"], rtol=1e-6)
    np.testing.assert_array_equal(found["ds"], last["ds"])
    np.testing.assert_array_equal(found["cutoff"], last["cutoff"])
