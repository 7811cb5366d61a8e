"""What stands beside a row's scores, and how the numbers of a run are introduced."""

import json

import numpy as np
import pandas as pd
import pytest

from unrolled.series import ingest, splits
from unrolled.series.options import SeriesOptions
from unrolled.training import backtest, rows


def panel_of(rows: int = 80) -> pd.DataFrame:
    time = np.arange(rows)
    noise = np.random.default_rng(0).normal(0, 1, rows)
    y = 50 + 0.3 * time + 8 * np.sin(2 * np.pi * time / 4 + 0.7) + noise
    return pd.DataFrame({"unique_id": "a", "ds": time, "y": y})


@pytest.mark.parametrize("huge", [1.797e308, 1e300])
def test_a_score_beyond_all_numbers_is_none(huge):
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = panel_of()
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
        json.dumps([row, validation], allow_nan=False)


def test_a_limit_that_is_reached_is_noted_beside_the_scores():
    series = SeriesOptions(
        season=4, lookback=8, horizon=3, validation=12, test=16, statistical_seconds=1e-9
    )
    panel = panel_of()
    borders = ingest.split(panel, series)
    found, _, cost = rows.backtest_baseline(panel, borders, series, "theta")
    rehearsals = backtest.plan_rehearsals(panel, borders, series)
    validation = rows.rehearse_baseline(panel, rehearsals, series, "theta")
    row = rows.score(found, validation, cost, panel, borders, series)
    assert row["note"] == (
        "limit of 1e-09 s reached: 2 of 2 series and parts by drift; rehearsals: limit of 1e-09 s"
        " reached: 3 of 3 series and parts by drift"
    )


def test_the_protocol_says_how_many_series_have_no_scale():
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = panel_of()
    flat = panel.assign(unique_id="b", y=7.0)
    two = pd.concat([panel, flat], ignore_index=True)
    borders = splits.borders(two, series.validation, series.test)
    assert backtest.protocol(two, borders, series, "mine", [0]).endswith(
        "; seeds 0; MASE without 1 series that have no scale"
    )


def test_the_protocol_names_data_split_horizon_and_seeds():
    series = SeriesOptions(season=4, lookback=8, horizon=3, validation=12, test=16)
    panel = panel_of()
    borders = ingest.split(panel, series)
    assert backtest.protocol(panel, borders, series, "mine", [0, 1]) == (
        "mine: 80 rows (train 52, validation 12, test 16 from 64); horizon 3, 14 cutoffs; seeds 0, 1"
    )
    two = pd.concat([panel, panel.assign(unique_id="b")], ignore_index=True)
    assert backtest.protocol(two, ingest.split(two, series), series, "mine", [0]) == (
        "mine: 2 series, 160 rows (train 104, validation 24, test 32); horizon 3, 28 cutoffs; seeds 0"
    )
