"""The baselines: numbers of the books, no look ahead, and slow second truths."""

import functools
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.forecasting.theta import ThetaModel

from unrolled.errors import InputError
from unrolled.series import formulas
from unrolled.series.baselines import BASELINES, Limit, Task
from unrolled.series.baselines.base import many_small_fits
from unrolled.series.baselines.naive import drift, persistence, seasonal_naive
from unrolled.series.baselines.regression import (
    _contexts,
    _ridge_lines,
    _targets,
    analogues,
    ridge,
)
from unrolled.series.baselines.smoothing import (
    _choose_form,
    _ets,
    _ets_fit,
    _Form,
    _standardised,
    holt_winters,
    theta,
    theta_fit,
)

DATA = Path(__file__).parents[2] / "data" / "01_raw" / "series"
SHORT = Task(horizon=6, season=4, lookback=8, train_end=40, validation_end=60, refit_every=3)


def read(name):
    path = DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return pd.read_csv(path)["y"].to_numpy(dtype=np.float64)


@pytest.fixture(scope="module")
def airline():
    return read("airline")


@pytest.fixture(scope="module")
def sunspots():
    return read("sunspots")


def seasonal_series(rows=80, seed=0):
    noise = np.random.default_rng(seed).normal(0, 1, rows)
    t = np.arange(rows)
    return 50 + 0.3 * t + 8 * np.sin(2 * np.pi * t / 4 + 0.7) + noise


def errors(baseline, y, cutoffs, task):
    return baseline(y, cutoffs, task) - y[cutoffs[:, None] + np.arange(1, task.horizon + 1)]


# --- all of them ---------------------------------------------------------------------------------


@functools.cache
def forecasts(name, less):
    return BASELINES[name].forecast(seasonal_series() - less, np.arange(59, 63), SHORT)


# Above zero, where a season may be a factor, and around it; both at the least and the largest unit.
@pytest.mark.parametrize(
    ("unit", "less"),
    [(1e-200, 0), (1e-200, 60), (3e-12, 60), (1e200, 0), (1e200, 60)],
)
@pytest.mark.parametrize("name", BASELINES)
def test_a_change_of_unit_changes_the_forecasts_by_as_much(name, unit, less):
    y = seasonal_series() - less
    found = (
        BASELINES[name].forecast(unit * y, np.arange(59, 63), SHORT) / unit
    )  # fitted at the first and last
    np.testing.assert_allclose(found, forecasts(name, less), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("cutoff", [60, 61])
def test_changing_rows_after_a_cutoff_changes_no_forecast_up_to_it(name, cutoff):
    y = seasonal_series() - 60
    changed = y.copy()
    changed[cutoff + 1 :] = 1e3 * np.random.default_rng(1).normal(size=len(y) - cutoff - 1)
    cutoffs = np.arange(59, 63)
    upto = cutoffs <= cutoff
    before = forecasts(name, 60)
    after = BASELINES[name].forecast(changed, cutoffs, SHORT)
    np.testing.assert_array_equal(before[upto], after[upto])
    assert (before[~upto] != after[~upto]).any()


@pytest.mark.parametrize("name", BASELINES)
def test_changing_the_last_observation_changes_the_forecast(name):
    y = seasonal_series() - 60
    changed = y.copy()
    changed[65] += 5
    cutoffs = np.array([65])
    assert (
        BASELINES[name].forecast(y, cutoffs, SHORT)
        != BASELINES[name].forecast(changed, cutoffs, SHORT)
    ).any()


@pytest.mark.parametrize("name", BASELINES)
def test_a_forecast_has_one_row_per_cutoff_and_one_column_per_step(name):
    forecast = BASELINES[name].forecast(seasonal_series(), np.array([60, 63, 79]), SHORT)
    assert forecast.shape == (3, 6)
    assert forecast.dtype == np.float64
    assert np.isfinite(forecast).all()


@pytest.mark.parametrize("name", BASELINES)
def test_a_constant_series_is_forecast_as_that_constant_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forecast = BASELINES[name].forecast(np.full(80, 3.0), np.array([60, 65]), SHORT)
    np.testing.assert_allclose(forecast, 3.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["persistence", "drift", "holt_winters", "theta"])
def test_a_history_of_a_few_rows_still_gets_a_forecast(name):
    task = Task(horizon=2, season=4, lookback=2, train_end=3, validation_end=5)
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert np.isfinite(BASELINES[name].forecast(y, np.array([4, 5, 6]), task)).all()


# --- numbers -------------------------------------------------------------------------------------


def after(numbers, y, horizon):
    """Forecast after the last row of y, of which the numbers of a state have seen the first 60."""
    if "rows" in numbers:
        return formulas.forecast(numbers, y[None, -numbers["rows"] :], horizon)[0]
    return formulas.ahead(formulas.advance(numbers, y[60:]), horizon)


@functools.cache
def fitted(name):
    return BASELINES[name].fit(seasonal_series()[:60], SHORT)


@functools.cache
def fitted_once(name):
    cutoffs = np.arange(59, 79)
    return BASELINES[name].forecast(
        seasonal_series(), cutoffs, replace(SHORT, refit_every=len(cutoffs))
    )


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("rows", [60, 67])
def test_numbers_read_from_json_forecast_what_the_baseline_does(name, rows):
    y = seasonal_series()
    numbers = json.loads(json.dumps(fitted(name)))
    np.testing.assert_allclose(
        after(numbers, y[:rows], 6), fitted_once(name)[rows - 60], rtol=1e-12
    )


@pytest.mark.parametrize("name", BASELINES)
def test_numbers_fitted_on_all_rows_hold_the_last_of_them(name):
    y = seasonal_series()
    changed = y.copy()
    changed[-20:] = y[::-1][:20]
    before, now = (BASELINES[name].fit(rows, SHORT) for rows in (y, changed))
    assert (before == now) is (before["formula"] == "repeat")


@pytest.mark.parametrize("name", ["drift", "holt_winters", "theta"])
@given(pieces=st.lists(st.integers(0, 7), max_size=4))
def test_a_state_moved_on_in_pieces_is_where_it_would_be_in_one(name, pieces):
    y = seasonal_series()
    whole = moved = fitted(name)
    for first, rows in zip(np.cumsum([60, *pieces]), pieces, strict=False):
        moved = formulas.advance(moved, y[first : first + rows])
    assert moved == formulas.advance(whole, y[60 : 60 + sum(pieces)])


# --- persistence, seasonal naive, drift ----------------------------------------------------------


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20),
    st.integers(1, 30),
)
def test_seasonal_naive_with_season_one_is_persistence(values, horizon):
    y = np.array(values)
    task = Task(horizon, season=1, lookback=1, train_end=1, validation_end=1)
    cutoffs = np.arange(len(y))
    np.testing.assert_array_equal(seasonal_naive(y, cutoffs, task), persistence(y, cutoffs, task))


def test_seasonal_naive_repeats_the_last_season_beyond_its_end():
    task = Task(horizon=7, season=3, lookback=1, train_end=1, validation_end=1)
    forecast = seasonal_naive(np.arange(10.0), np.array([5]), task)
    assert forecast.tolist() == [[3, 4, 5, 3, 4, 5, 3]]


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_drift_goes_on_along_a_straight_line(start, slope):
    y = start + slope * np.arange(12.0)
    task = Task(horizon=4, season=1, lookback=1, train_end=1, validation_end=1)
    np.testing.assert_allclose(drift(y, np.array([7]), task)[0], y[8:], atol=1e-9)


# --- ridge ---------------------------------------------------------------------------------------


def test_ridge_weights_solve_the_normal_equations_with_an_unpenalised_intercept():
    y = seasonal_series()
    cutoffs = np.arange(7, 40)
    x, t = _contexts(y, cutoffs, SHORT), _targets(y, cutoffs, SHORT)
    (line,) = _ridge_lines(x, t, np.array([0.3]))
    ones = np.column_stack([x, np.ones(len(x))])
    penalty = 0.3 * len(x) * np.diag([1.0] * 8 + [0.0])
    expected = np.linalg.solve(ones.T @ ones + penalty, ones.T @ t)
    np.testing.assert_allclose(line.weights, expected[:-1], atol=1e-10)
    np.testing.assert_allclose(line.intercept, expected[-1], atol=1e-10)


def test_ridge_finds_a_noiseless_recurrence():
    t = np.arange(120)
    y = np.sin(0.3 * t) + 0.5 * np.sin(0.9 * t)
    task = Task(horizon=5, season=1, lookback=12, train_end=60, validation_end=90)
    cutoffs = np.arange(89, 115)
    assert np.abs(errors(ridge, y, cutoffs, task)).max() < 0.02


def test_ridge_does_not_depend_on_unit_or_level():
    y, cutoffs = seasonal_series(), np.arange(60, 70)
    np.testing.assert_allclose(
        ridge(1000 * y + 77, cutoffs, SHORT), 1000 * ridge(y, cutoffs, SHORT) + 77, rtol=1e-8
    )


def test_ridge_refuses_parts_without_a_window():
    task = Task(horizon=6, season=4, lookback=8, train_end=12, validation_end=60)
    with pytest.raises(InputError) as caught:
        ridge(seasonal_series(), np.array([60]), task)
    assert str(caught.value) == (
        "ridge: 0 train and 43 validation windows, but each needs at least 1 (lookback 8, "
        "horizon 6, train_end 12, validation_end 60); shorten them or move ends"
    )


# --- analogues -----------------------------------------------------------------------------------


def slowly(past, window, k, penalty, horizon):
    """The same forecast window by window, by ridge's normal equations with an intercept."""
    rows = len(window)
    pairs = []
    for end in range(rows - 1, len(past) - horizon):
        own = [past[end - lag] for lag in reversed(range(rows))]
        distance = sum((a - b) ** 2 for a, b in zip(own, window, strict=True))
        pairs.append((distance, own, [past[end + step + 1] - past[end] for step in range(horizon)]))
    nearest = sorted(pairs)[:k]
    x = np.array([own for _, own, _ in nearest]) - window
    t = np.array([after for _, _, after in nearest])
    centred = x - x.mean(axis=0)
    spread = np.sum(centred**2) / k  # none of one neighbour: no map, and no division by it
    shrunk = centred.T @ centred + (penalty * spread or 1.0) * np.eye(rows)
    weights = np.linalg.solve(shrunk, centred.T @ (t - t.mean(axis=0)))
    return window[-1] + t.mean(axis=0) - x.mean(axis=0) @ weights


@pytest.mark.parametrize("penalty", [1e-2, 1.0, 1e6])
@pytest.mark.parametrize("k", [1, 5])
def test_analogues_are_what_a_search_window_by_window_finds(k, penalty):
    y = seasonal_series()
    library = {"formula": "analogues", "library": (y[:60] / 64).tolist(), "unit": 64.0, "rows": 7}
    found = formulas.forecast(
        library | {"nearest": k, "penalty": penalty}, np.stack([y[60:67], y[70:77]]), 6
    )
    for window, forecast in zip((y[60:67], y[70:77]), found, strict=True):
        np.testing.assert_allclose(forecast, slowly(y[:60], window, k, penalty, 6), rtol=1e-6)


def test_analogues_follow_a_chaotic_series_that_no_line_can():
    y = np.empty(500)
    y[0] = 0.3
    for row in range(1, 500):  # the logistic map: white noise to whatever is linear
        y[row] = 3.9 * y[row - 1] * (1 - y[row - 1])
    task = Task(horizon=3, season=1, lookback=4, train_end=300, validation_end=400)
    cutoffs = np.arange(399, 497)
    linear, nearest = (np.abs(errors(b, y, cutoffs, task)).mean() for b in (ridge, analogues))
    assert nearest < 0.01 < 0.2 < linear


def test_analogues_do_not_depend_on_unit_or_level():
    y, cutoffs = seasonal_series(), np.arange(60, 70)
    found = analogues(1000 * y + 77, cutoffs, SHORT)
    np.testing.assert_allclose(found, 1000 * analogues(y, cutoffs, SHORT) + 77, rtol=1e-7)


def test_analogues_refuse_parts_without_a_window():
    task = Task(horizon=6, season=4, lookback=8, train_end=6, validation_end=60)
    with pytest.raises(InputError) as caught:
        analogues(seasonal_series(), np.array([60]), task)
    assert str(caught.value) == (
        "analogues: 0 train and 49 validation windows, but each needs at least 1 (horizon 6,"
        " train_end 6, validation_end 60); shorten the horizon or move ends"
    )


# --- exponential smoothing and theta -------------------------------------------------------------


def test_theta_equals_statsmodels_where_it_is_fitted():
    y = seasonal_series()
    found = theta(y, np.array([66]), SHORT)[0]
    expected = ThetaModel(y[:67], period=4).fit().forecast(6)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_theta_equals_statsmodels_where_the_season_is_additive():
    y = seasonal_series() - 60
    found = theta(y, np.array([65]), SHORT)[0]
    np.testing.assert_allclose(found, ThetaModel(y[:66], period=4).fit().forecast(6), rtol=1e-9)


@pytest.mark.parametrize("baseline", [theta, holt_winters])
def test_parameters_are_new_at_every_third_cutoff_and_kept_between(baseline):
    y, cutoffs = seasonal_series() - 60, np.arange(60, 65)
    kept = baseline(y, cutoffs, SHORT)
    new = baseline(y, cutoffs, replace(SHORT, refit_every=1))
    refitted = np.array([True, False, False, True, False])
    np.testing.assert_allclose(kept[refitted], new[refitted], rtol=1e-9)
    assert (kept[~refitted] != new[~refitted]).all()
    # the parameters move little from one row to the next
    np.testing.assert_allclose(kept, new, atol=2 * np.std(np.diff(y)) / 5)


@pytest.mark.parametrize("damped", [False, True])
@pytest.mark.parametrize("seasonal", [None, "add", "mul"])
def test_numbers_of_exponential_smoothing_go_on_as_statsmodels_does(damped, seasonal):
    y, form = seasonal_series(), _Form(damped, seasonal)
    with many_small_fits():
        numbers = _ets_fit(y[:60], form, SHORT)
        z, one = _standardised(y[:60])
        fitted = _ets(z, form, 4).fit(disp=False).params
        expected = one * _ets(y[:71] / one, form, 4).smooth(fitted).forecast(6)
    found = formulas.ahead(formulas.advance(numbers, y[60:71]), 6)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize(("season", "rows"), [(1, 3000), (4, 1000)])
def test_of_a_long_history_the_last_rows_are_fitted(season, rows):
    y = np.random.default_rng(0).normal(0, 1, rows + 50).cumsum()
    task, form = replace(SHORT, season=season), _Form(damped=False, seasonal=None)
    with many_small_fits():
        assert _ets_fit(y, form, task) == _ets_fit(y[50:], form, task)
        assert _choose_form(y, season) == _choose_form(y[50:], season)
        assert theta_fit(y, task)["seen"] == 3000 if season == 1 else len(y)


def test_a_flat_end_of_a_series_is_fitted():
    y = np.concatenate([seasonal_series(400), np.full(3000, 7.0)])
    task = replace(SHORT, season=1, train_end=3300, validation_end=3390)
    for baseline in (holt_winters, theta):
        np.testing.assert_allclose(baseline(y, np.array([3395]), task), 7, rtol=1e-3)
        np.testing.assert_allclose(baseline(y, np.array([3399]), task), 7, rtol=1e-6)


@pytest.mark.parametrize("baseline", [holt_winters, theta])
def test_where_the_time_is_over_fits_are_left_out_and_counted(baseline):
    y, cutoffs, task = seasonal_series(), np.arange(59, 69), replace(SHORT, season=1)
    over = Limit(0.0, calls=2)
    np.testing.assert_array_equal(
        baseline(y, cutoffs, replace(task, limit=over)), drift(y, cutoffs, task)
    )
    assert over.note == "limit of 0 s reached: 1 of 1 series and parts by drift"
    part = Limit(1e6, calls=10**12)  # all of the time is long, this call's part of it over at once
    once = baseline(y, cutoffs, replace(task, refit_every=10))
    np.testing.assert_array_equal(baseline(y, cutoffs, replace(task, limit=part)), once)
    assert part.note == "limit of 1e+06 s reached: 3 fits left out"
    enough = Limit(1e6)
    np.testing.assert_array_equal(
        baseline(y, cutoffs, replace(task, limit=enough)), baseline(y, cutoffs, task)
    )
    assert enough.note == ""


def test_no_season_is_taken_from_less_than_two_or_from_one_too_long():
    y = seasonal_series()
    with many_small_fits():
        assert _choose_form(y[:23], 12).seasonal is None
        assert _choose_form(y, 25).seasonal is None
        assert _choose_form(y, 1).seasonal is None
        assert _choose_form(y - 60, 4).seasonal == "add"
        assert _choose_form(y[:9], 4) is None


def test_a_multiplicative_season_turns_additive_when_rows_at_or_below_zero_turn_up():
    t = np.arange(80)
    y = (10 + t) * (1 + 0.4 * np.sin(np.pi * t / 2)) + np.random.default_rng(0).normal(0, 0.1, 80)
    with many_small_fits():
        assert _choose_form(y[:60], 4).seasonal == "mul"
    y[64] = -1.0
    assert np.isfinite(holt_winters(y, np.array([62, 66]), SHORT)).all()


# --- published numbers ---------------------------------------------------------------------------


def test_airline_last_two_years_give_the_numbers_noted_with_the_data(airline):
    task = Task(horizon=24, season=12, lookback=24, train_end=84, validation_end=120)
    cutoffs = np.array([119])
    scale = np.abs(airline[12:120] - airline[:108]).mean()
    naive, seasonal = (errors(b, airline, cutoffs, task) for b in (persistence, seasonal_naive))
    assert np.sqrt((naive**2).mean()) == pytest.approx(137.33, abs=0.005)
    assert np.sqrt((seasonal**2).mean()) == pytest.approx(76.99, abs=0.005)
    assert np.abs(seasonal).mean() / scale == pytest.approx(2.494, abs=0.0005)


def test_airline_gets_an_undamped_multiplicative_season_that_beats_seasonal_naive(airline):
    task = Task(horizon=24, season=12, lookback=24, train_end=84, validation_end=120)
    error = errors(holt_winters, airline, np.array([119]), task)
    with many_small_fits():
        form = _choose_form(airline[:120], 12)
    assert (form.damped, form.seasonal) == (False, "mul")
    # 32.49 with statsmodels' older ExponentialSmoothing; here 33.33
    assert np.sqrt((error**2).mean()) == pytest.approx(32.49, abs=1.5)


def test_sunspots_at_483_origins_give_the_numbers_of_the_plain_computation(sunspots):
    task = Task(horizon=36, season=128, lookback=125, train_end=2002, validation_end=2302)
    cutoffs = np.arange(2301, 2301 + 483)
    assert cutoffs[-1] + 36 == len(sunspots) - 1
    found = {
        b.__name__: np.abs(errors(b, sunspots, cutoffs, task)).mean()
        for b in (persistence, seasonal_naive, ridge)
    }
    assert found["persistence"] == pytest.approx(43.1, abs=0.05)
    assert found["seasonal_naive"] == pytest.approx(31.8, abs=0.06)
    # 24.3 with another choice of the penalty
    assert found["ridge"] == pytest.approx(24.3, abs=0.4)


# --- sentences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cutoffs", "sentence"),
    [
        (
            "persistence",
            [],
            "cutoffs: 0 positions, but a forecast needs at least 1; check the task",
        ),
        ("drift", [5, 80], "cutoffs: the last is 80, but the series ends at row 79; end earlier"),
        (
            "theta",
            [9, 8],
            "cutoffs: they do not rise, but each must be later; sort them, drop twins",
        ),
        (
            "seasonal_naive",
            [2],
            "cutoffs: the first is 2, but one season of 4 rows needs at least 3; "
            "start later or shorten what is needed",
        ),
        (
            "ridge",
            [58],
            "cutoffs: the first is 58, but a fit on the rows before 60 needs at least 59; "
            "start later or shorten what is needed",
        ),
        (
            "holt_winters",
            [58],
            "cutoffs: the first is 58, but a fit on the rows before 60 needs at least 59; "
            "start later or shorten what is needed",
        ),
    ],
)
def test_cutoffs_that_cannot_be_forecast_from_are_answered_with_a_sentence(name, cutoffs, sentence):
    with pytest.raises(InputError) as caught:
        BASELINES[name].forecast(seasonal_series(), np.array(cutoffs, dtype=np.int64), SHORT)
    assert str(caught.value) == sentence


def test_a_task_out_of_range_is_answered_with_a_sentence():
    with pytest.raises(InputError, match="task: horizon is 0, but 1 is the least; raise horizon"):
        Task(horizon=0, season=1, lookback=1, train_end=1, validation_end=1)
    with pytest.raises(InputError, match="task: validation_end is 4, but train_end is 5 and comes"):
        Task(horizon=1, season=1, lookback=1, train_end=5, validation_end=4)
