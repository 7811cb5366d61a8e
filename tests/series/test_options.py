"""Options of a series that cannot be meant are refused in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unrolled.series.options import SeriesOptions


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"validation": 0.5, "test": 0.5},
            "validation 0.5 + test 0.5 leave no rows to train on; expected a sum below 1",
        ),
        ({"validation": 2.5}, "validation is 2.5; expected a share below 1 or whole rows"),
        ({"test": 10.25}, "test is 10.25; expected a share below 1 or whole rows"),
        (
            {"seasonal_difference": True},
            "seasonal_difference needs a season of at least 2; set season",
        ),
        ({"es": True}, "es needs a season of at least 2; set season"),
        (
            {"es": True, "seasonal_difference": True, "season": 12},
            "seasonal_difference and es both take off the season; set one of them",
        ),
        ({"lags": (3, 0)}, "lags are [3, 0]; expected whole numbers from 1"),
    ],
)
def test_options_that_contradict_are_refused(options, sentence):
    with pytest.raises(ValidationError) as refusal:
        SeriesOptions(**options)
    (error,) = refusal.value.errors()
    assert error["msg"] == f"Value error, {sentence}"


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_part_is_a_finite_number_above_zero(part, value):
    with pytest.raises(ValidationError):
        SeriesOptions(**{part: value})


@pytest.mark.parametrize("name", ["season", "horizon", "lookback", "statistical_fits"])
def test_counts_begin_at_one(name):
    with pytest.raises(ValidationError):
        SeriesOptions(**{name: 0})


def test_an_unknown_option_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        SeriesOptions(horizn=3)


@given(
    lags=st.lists(st.integers(1, 50), max_size=4),
    lookback=st.integers(1, 50),
    horizon=st.integers(1, 50),
)
def test_a_window_spans_all_rows_from_its_deepest_lag_to_its_last_target(lags, lookback, horizon):
    options = SeriesOptions(lags=tuple(lags), lookback=lookback, horizon=horizon)
    read = {t - lag for t in range(lookback) for lag in (0, *lags)}
    targets = range(lookback, lookback + horizon)
    assert options.span == max(targets) - min(read) + 1


def test_only_a_season_taken_off_costs_rows_at_the_start():
    plain, difference, smoothed = (
        SeriesOptions(season=12, lookback=5, lags=(2,), **season)
        for season in ({}, {"seasonal_difference": True}, {"es": True})
    )
    assert [options.warmup for options in (plain, difference, smoothed)] == [0, 12, 23]
    assert [options.rows for options in (plain, difference, smoothed)] == [7, 19, 54]


@pytest.mark.parametrize(
    ("transform", "lowest"),
    [("none", ""), ("log", "above 0"), ("boxcox", "above 0"), ("sqrt", "from 0")],
)
def test_a_transform_says_which_values_it_takes(transform, lowest):
    assert SeriesOptions(transform=transform).lowest == lowest
