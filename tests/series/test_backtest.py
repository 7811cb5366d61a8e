"""Rehearsals and forecasts ahead are asked the same as the test part; how a run's numbers are introduced."""

import numpy as np
import pandas as pd
import pytest
from tests.panels import one_series, two_series

from unrolled.series import backtest, ingest, metrics, splits
from unrolled.series import panel as panels
from unrolled.series.options import SeriesOptions

SERIES = SeriesOptions(season=4, lookback=8, horizon=3, validation=9, test=12)


def rehearse(
    panel: pd.DataFrame, fitter, origins: int = splits.REHEARSALS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    plan = backtest.plan_rehearsals(panel, borders, SERIES, origins)
    return plan, backtest.rehearse(panel, plan, SERIES, fitter)


def baseline(name: str, panel: pd.DataFrame):
    return lambda _: backtest.of_baseline(name, panel, SERIES)


def test_the_first_cutoff_is_the_row_before_the_test_part_and_the_last_leaves_a_horizon():
    panel = two_series()
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    persistence = backtest.of_baseline("persistence", panel, SERIES)
    found = backtest.over_cutoffs(panel, borders, SERIES, persistence)
    for name, own in found.groupby("unique_id"):
        rows = {"a": 80, "b": 50}[name]
        assert own["cutoff"].unique().tolist() == list(range(rows - 12 - 1, rows - 3))
        assert (own["ds"] == own["cutoff"] + own["step"]).all()


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


def test_the_protocol_says_how_many_series_have_no_scale():
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = one_series()
    flat = panel.assign(unique_id="b", y=7.0)
    two = pd.concat([panel, flat], ignore_index=True)
    borders = splits.borders(two, series.validation, series.test)
    assert backtest.protocol(two, borders, series, "mine", [0]).endswith(
        "; seeds 0; MASE without 1 series that have no scale"
    )


def test_the_protocol_names_data_split_horizon_and_seeds():
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = one_series()
    borders = ingest.split(panel, series)
    assert backtest.protocol(panel, borders, series, "mine", [0, 1]) == (
        "mine: 80 rows (train 52, validation 12, test 16 from 64); horizon 3, 14 cutoffs; seeds 0, 1"
    )
    two = pd.concat([panel, panel.assign(unique_id="b")], ignore_index=True)
    assert backtest.protocol(two, ingest.split(two, series), series, "mine", [0]) == (
        "mine: 2 series, 160 rows (train 104, validation 24, test 32); horizon 3, 28 cutoffs; seeds 0"
    )
