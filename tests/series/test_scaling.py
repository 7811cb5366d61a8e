"""Scaling is fitted on train only, and forecasts come back to original units."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unrolled.errors import InputError
from unrolled.series.options import SeriesOptions
from unrolled.series.scaling import Scale, apply, fit, invert, scales
from unrolled.series.splits import borders, each

TRANSFORMS = ["none", "log", "log1p", "sqrt", "boxcox"]
SEASONS_OFF = [{}, {"seasonal_difference": True}, {"es": True}]


def panel_of(*ys):
    names = np.repeat([f"s{i}" for i in range(len(ys))], [len(y) for y in ys])
    return pd.DataFrame({"unique_id": names, "y": np.concatenate(ys).astype(float)})


def fitted(panel, options):
    parts = borders(panel, options.validation, options.test)
    return parts, fit(panel, parts, options)


def positive(seed, rows=60):
    """A positive series with a trend, a season of 4 and noise."""
    noise = np.random.default_rng(seed).normal(size=rows)
    t = np.arange(rows)
    return np.exp(1 + 0.02 * t + 0.3 * np.sin(np.pi * t / 2) + 0.1 * noise)


# What has to find its own number for a unit meets more of them.
@pytest.mark.parametrize("season", SEASONS_OFF)
@pytest.mark.parametrize(
    ("transform", "unit"),
    [
        *itertools.product(sorted(set(TRANSFORMS) - {"log1p"}), [1e-200, 1e30]),
        *itertools.product(["boxcox"], [3e-12, 7e6]),
    ],
)
def test_scaled_values_are_the_same_in_every_unit(unit, transform, season):
    options = SeriesOptions(transform=transform, season=4, **season)
    panel = panel_of(positive(0))
    parts, scaler = fitted(panel, options)
    other = fit(panel_of(unit * positive(0)), parts, options)
    expected = apply(panel, parts, scaler, options)
    found = apply(panel_of(unit * positive(0)), parts, other, options)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    ahead, at = np.array([[0.1, -0.2, 0.3, 0.0, 0.5]]), np.array([50])
    back = [
        invert(ahead, one * positive(0), at, next(scales(table)), options) / one
        for one, table in ((1.0, scaler), (unit, other))
    ]
    np.testing.assert_allclose(back[1], back[0], rtol=1e-5)


@pytest.mark.parametrize("season", SEASONS_OFF)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_rows_after_train_change_no_statistic(transform, season):
    options = SeriesOptions(transform=transform, season=4, **season)
    y = positive(0)
    later = y.copy()
    later[36:] = later[36:] * 17 + 3  # train has 36 rows
    parts, before = fitted(panel_of(y, positive(1)), options)
    after = fit(panel_of(later, positive(1)), parts, options)
    pd.testing.assert_frame_equal(before, after)
    earlier = y.copy()
    earlier[35] *= 2
    changed = fit(panel_of(earlier, positive(1)), parts, options)
    assert changed["mean"][0] != before["mean"][0]
    assert changed["mean"][1] == before["mean"][1]


def test_train_has_mean_zero_and_deviation_one():
    options = SeriesOptions(transform="log", season=4, seasonal_difference=True)
    panel = panel_of(positive(0), 1e6 * positive(1, rows=80))
    parts, scaler = fitted(panel, options)
    scaled = apply(panel, parts, scaler, options)
    assert scaled.dtype == np.float32
    for series in each(parts):
        assert np.isnan(scaled[series.first : series.first + 4]).all()
        train = scaled[series.first + 4 : series.train_end].astype(np.float64)
        assert abs(train.mean()) < 1e-6
        assert abs(train.std() - 1) < 1e-6
        assert np.isfinite(scaled[series.first + 4 : series.end]).all()


def test_scaled_values_are_those_of_the_definition():
    y = positive(3)
    panel, options = panel_of(y), SeriesOptions(transform="log", season=4, seasonal_difference=True)
    parts, scaler = fitted(panel, options)
    change = np.log(y)[4:] - np.log(y)[:-4]
    expected = (change - change[:32].mean()) / change[:32].std()
    np.testing.assert_allclose(apply(panel, parts, scaler, options)[4:], expected, rtol=1e-5)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 100),
    transform=st.sampled_from(TRANSFORMS),
    season=st.sampled_from([2, 4, 7]),
    season_off=st.sampled_from(SEASONS_OFF),
    horizon=st.integers(1, 20),  # up to ten seasons
    level=st.sampled_from([1e-3, 1.0, 1e6]),
)
def test_the_inverse_of_the_true_future_is_the_truth(
    seed, transform, season, season_off, horizon, level
):
    options = SeriesOptions(transform=transform, season=season, **season_off)
    panel = panel_of(positive(seed + 1, rows=50), level * positive(seed))
    y = panel["y"].to_numpy()
    parts, scaler = fitted(panel, options)
    own, scale = list(each(parts))[1], list(scales(scaler))[1]
    scaled = apply(panel, parts, scaler, options)
    cutoffs = np.arange(own.first + options.warmup, own.end - horizon)
    rows = cutoffs[:, None] + np.arange(1, horizon + 1)
    series = y[own.first : own.end]
    result = invert(scaled[rows], series, cutoffs - own.first, scale, options)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, y[rows], rtol=1e-4)  # scaled values are float32


def test_a_step_beyond_a_season_builds_on_the_forecast_before_it_not_on_the_truth():
    y, scale = np.arange(8.0), Scale("a", np.nan, 0.0, 1.0)
    cutoffs, options = np.array([3]), SeriesOptions(season=2, seasonal_difference=True)
    result = invert(np.array([[10.0, 20.0, 1.0, 2.0, 5.0]]), y, cutoffs, scale, options)
    # The last season is 2, 3: then 2+10, 3+20, and on these 12+1, 23+2, 13+5.
    assert result.tolist() == [[12.0, 23.0, 13.0, 25.0, 18.0]]
    y[4:] = -99
    assert invert(np.zeros((1, 5)), y, cutoffs, scale, options).tolist() == [[2, 3, 2, 3, 2]]


@pytest.mark.parametrize("season", SEASONS_OFF)
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("horizon", [3, 10])  # within a season of 4, and beyond
def test_what_is_read_and_forecast_at_a_cutoff_ignores_all_after_it(transform, season, horizon):
    options = SeriesOptions(transform=transform, season=4, **season)
    y, cutoff = positive(0), 45
    parts, scaler = fitted(panel_of(y), options)
    scale = next(scales(scaler))
    later = y.copy()
    later[cutoff + 1 :] = np.nan
    ahead = np.random.default_rng(1).normal(size=(1, horizon))
    seen = [
        (
            apply(panel_of(values), parts, scaler, options)[: cutoff + 1],
            invert(ahead, values, np.array([cutoff]), scale, options),
        )
        for values in (y, later)
    ]
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    np.testing.assert_array_equal(seen[0][1], seen[1][1])
    assert np.isfinite(seen[0][1]).all()


def smoothed_slowly(x, t, season, rate):
    """The season of row t from rows up to t - season, by the recursion over at most three seasons."""
    phases = [row for row in (t - 3 * season, t - 2 * season, t - season) if row >= season - 1]
    deviations = [x[row] - np.mean(x[row - season + 1 : row + 1]) for row in phases]
    value, weight = 0.0, 0.0
    for deviation in deviations:
        value, weight = deviation + (1 - rate) * value, 1 + (1 - rate) * weight
    return value / weight


def test_the_smoothed_season_is_that_of_the_recursion_row_by_row():
    y = positive(2)
    options = SeriesOptions(transform="log", season=4, es=True)
    panel = panel_of(positive(5), y)
    parts, scaler = fitted(panel, options)
    scaled = apply(panel, parts, scaler, options)[60:]
    scale, x = list(scales(scaler))[1], np.log(y)
    expected = [x[t] - smoothed_slowly(x, t, 4, scale.season_rate) for t in range(7, 60)]
    np.testing.assert_allclose(scaled[7:] * scale.std + scale.mean, expected, rtol=1e-5)
    assert np.isnan(scaled[:7]).all()
    ahead = invert(np.zeros((1, 4)), y, np.array([30]), scale, options)[0]
    season = [smoothed_slowly(x[:31], t, 4, scale.season_rate) for t in range(31, 35)]
    np.testing.assert_allclose(np.log(ahead), scale.mean + np.array(season), rtol=1e-10)


def test_a_trend_with_a_fixed_season_is_smoothed_away_but_for_the_trend():
    t = np.arange(60.0)
    noise = np.random.default_rng(0).normal(0, 1e-6, 60)
    y = 5 + 0.5 * t + np.tile([3.0, -1.0, 0.0, 1.0], 15) + noise
    options = SeriesOptions(season=4, es=True)
    panel = panel_of(y)
    parts, scaler = fitted(panel, options)
    scale = next(scales(scaler))
    left = apply(panel, parts, scaler, options)[7:] * scale.std + scale.mean
    np.testing.assert_allclose(np.diff(left), 0.5, atol=1e-4)


def test_the_rate_is_high_where_the_season_wanders_and_low_where_noise_hides_it():
    random = np.random.default_rng(0)
    walk = random.normal(size=(30, 6)).cumsum(axis=0).ravel()
    fixed = np.tile(random.normal(size=6), 30) + random.normal(size=180)
    options = SeriesOptions(season=6, es=True)
    _, scaler = fitted(panel_of(walk, fixed), options)
    assert scaler["season_rate"][0] > 0.6
    assert scaler["season_rate"][1] < 0.4
    _, scaler = fitted(panel_of(walk), SeriesOptions(season=6, seasonal_difference=True))
    assert scaler["season_rate"].isna().all()


@pytest.mark.parametrize("transform", ["sqrt", "log1p"])
def test_zeros_have_a_root_and_come_back(transform):
    y = positive(0)
    y[[3, 40]] = 0
    options = SeriesOptions(transform=transform)
    panel = panel_of(y)
    parts, scaler = fitted(panel, options)
    scaled, scale = apply(panel, parts, scaler, options), next(scales(scaler))
    result = invert(scaled[None, 36:], y, np.array([35]), scale, options)
    np.testing.assert_allclose(result[0], y[36:], rtol=1e-4, atol=1e-6)
    below = invert(np.array([[-50.0]]), y, np.array([35]), scale, options)
    assert below.tolist() == [[0.0]]


def test_the_root_is_a_root():
    y = positive(4)
    panel, options = panel_of(y), SeriesOptions(transform="sqrt")
    parts, scaler = fitted(panel, options)
    root = np.sqrt(y)
    expected = (root - root[:36].mean()) / root[:36].std()
    np.testing.assert_allclose(apply(panel, parts, scaler, options), expected, atol=1e-5)


def test_boxcox_is_the_most_likely_lambda_where_that_lies_between_0_and_2():
    y = np.random.default_rng(5).gamma(2, size=60)
    _, scaler = fitted(panel_of(y), SeriesOptions(transform="boxcox"))
    best = stats.boxcox_normmax(y[:36], method="mle")
    assert 0 < best < 2
    assert scaler["power"][0] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize(
    "y", [100 - 1 / np.arange(1, 61.0), 1 / np.arange(1, 61.0) ** 3, np.exp(np.arange(60.0))]
)
def test_boxcox_stays_usable_where_the_most_likely_lambda_is_extreme(y):
    _, scaler = fitted(panel_of(y), SeriesOptions(transform="boxcox"))
    assert 0 <= scaler["power"][0] <= 2
    assert np.isfinite(scaler[["mean", "std"]].to_numpy()).all()


def test_a_forecast_below_the_range_of_boxcox_is_zero_not_nan():
    scale, options = Scale("a", 0.5, 0.0, 1.0), SeriesOptions(transform="boxcox")
    result = invert(np.array([[-50.0, -2.0, 0.0]]), np.ones(3), np.array([0]), scale, options)
    np.testing.assert_allclose(result, [[0.0, 0.0, 1.0]], atol=1e-12)


@pytest.mark.parametrize("level", [1e-12, 1.0, 1e12])
def test_a_series_that_varies_is_not_constant_at_any_scale(level):
    _, scaler = fitted(panel_of(level * positive(0)), SeriesOptions())
    assert scaler["std"][0] > 0


def refusal(y, **options):
    with pytest.raises(InputError) as caught:
        fitted(panel_of(positive(0), y), SeriesOptions(**options))
    return str(caught.value)


SCALE = "so there is no scale and nothing to learn; drop the series or change the split"


@pytest.mark.parametrize(
    ("transform", "value"), [("none", 0.0), *itertools.product(TRANSFORMS, [1.0, 3.5])]
)
def test_a_constant_train_part_is_refused(transform, value):
    y = np.r_[np.full(36, value), np.arange(1, 25)]
    assert refusal(y, transform=transform) == (
        f"series 's1': its 36 train rows are constant ({value:g}), {SCALE}"
    )


def test_a_season_that_repeats_exactly_leaves_nothing_to_learn():
    y = 0.1 * np.tile(np.arange(1, 7), 10) + 5
    assert refusal(y, season=6, seasonal_difference=True) == (
        f"series 's1': its 36 train rows are constant after the seasonal difference (0), {SCALE}"
    )


def test_a_smoothed_season_that_repeats_exactly_leaves_nothing_to_learn():
    y = 0.1 * np.tile(np.arange(1, 7), 10) + 5
    assert refusal(y, season=6, es=True).startswith(
        "series 's1': its 36 train rows are constant less their season ("
    )


@pytest.mark.parametrize(
    ("transform", "lowest", "needed"),
    [
        ("log", 0.0, "above 0"),
        ("log", -2.5, "above 0"),
        ("boxcox", -2.5, "above 0"),
        ("sqrt", -2.5, "from 0"),
        ("log1p", -2.5, "from 0"),
    ],
)
def test_a_value_that_a_transform_does_not_take_is_named_wherever_it_stands(
    transform, lowest, needed
):
    y = positive(1)
    y[50], y[55] = 0.0, lowest
    assert refusal(y, transform=transform) == (
        f"series 's1': transform '{transform}' needs values {needed}, but the smallest is"
        f" {lowest:g}; set transform to none"
    )
