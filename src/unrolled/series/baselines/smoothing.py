"""Exponential smoothing and the Theta method, fitted by statsmodels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unrolled.series import formulas
from unrolled.series.baselines.base import (
    IntArray,
    Task,
    check,
    check_after_fit,
    many_small_fits,
    roll,
)
from unrolled.series.baselines.naive import drift, drift_fit
from unrolled.series.formulas import FloatArray, Numbers
from unrolled.series.units import spread, unit

if TYPE_CHECKING:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

# Below this statsmodels has no starting values for exponential smoothing; drift takes over.
LEAST_ROWS = 10
# R's ets() has no season above 24: too many states for what they bring.
_LONGEST_ETS_SEASON = 24
# The last rows that exponential smoothing and Theta are fitted to, at most; a season of 24 is 24 states
# more to estimate, and 1,000 rows hold 40 of them.
_FITTED, _FITTED_SEASONAL = 3_000, 1_000
# The spread of the values that statsmodels is given. It starts and stops by absolute steps, so its answer
# depends on the unit: of 1, 10, 30, 100 and 1,000 this one is best or level on airline and M4 hourly.
_SPREAD = 10.0


# --- exponential smoothing -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Form:
    """One member of the ETS family with additive error and trend; `seasonal` None, add or mul."""

    damped: bool
    seasonal: str | None


def holt_winters(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Exponential smoothing with additive error and trend, its form chosen by AICc.

    The trend is damped or not; the season is none, additive, or multiplicative (only where all
    rows are above 0), and considered only where 1 < m <= 24, as in R's ets, with two seasons of
    rows. The form is chosen once, on the rows before `validation_end`. Parameters are estimated
    with the rows up to every `refit_every`-th cutoff; between, the last states are moved on row by
    row. If rows at or below 0 turn up later, additive takes multiplicative's place. With fewer than
    10 rows before `validation_end`, or so few that no form's AICc is defined, the forecast is `drift`.

    The first states are estimated too. That is the slow part, up to 1 s a fit at 24 rows a season and
    700 rows, but Hyndman's heuristic for them cost 24 to 44 % in MAE on three M4 hourly series. So
    longer histories are fitted on their last rows, 3,000 without a season and 1,000 with one.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen, from `validation_end - 1`.
        task: uses `horizon`, `season`, `validation_end` and `refit_every`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if a cutoff lies before the end of validation.

    Source:
        Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing; fpp3, 8.
    """
    check_after_fit(y, cutoffs, task, first=0)
    if task.limit and not task.limit.begin():
        return drift(y, cutoffs, task)
    with _fits_by_statsmodels():
        form = _choose_form(y[: task.validation_end], task.season)
        return roll(lambda history: _ets_fit(history, form, task), y, cutoffs, task)


def holt_winters_fit(y: FloatArray, task: Task) -> Numbers:
    """Choose the form on the rows before `validation_end`, and estimate it on all rows (N,)."""
    with _fits_by_statsmodels():
        return _ets_fit(y, _choose_form(y[: task.validation_end], task.season), task)


def _ets_fit(y: FloatArray, form: _Form | None, task: Task) -> Numbers:
    """Estimate parameters and the states at the last row (N,)."""
    recent = _recent(y, task.season)
    if form is None:
        return drift_fit(y, task)
    if form.seasonal == "mul" and recent.min() <= 0:
        form = replace(form, seasonal="add")
    z, one = _standardised(recent)
    result = _ets(z, form, task.season).fit(disp=False)
    own = dict(zip(result.model.param_names, result.params.tolist(), strict=True))
    alpha, gamma = own["smoothing_level"], own.get("smoothing_seasonal", 0.0)
    level, trend, *season = result.states[-task.season :].T  # and multiplicative ones have no unit
    seasonal = [states * (1.0 if form.seasonal == "mul" else one) for states in season]
    return {
        "formula": "ets",
        "multiplicative": form.seasonal == "mul",
        "alpha": alpha,
        "beta": own["smoothing_trend"] / alpha,  # of the level's change, not of the error
        "gamma": gamma / (1 - alpha),
        "damping": own.get("damping_trend", 1.0),
        "level": float(level[-1] * one),
        "trend": float(trend[-1] * one),
        "season": seasonal[0].tolist() if seasonal else [0.0],
    }


def _choose_form(history: FloatArray, season: int) -> _Form | None:
    """Return the form of the smallest AICc on the history (N,), or None where none is defined."""
    if len(history) < LEAST_ROWS:
        return None
    z, _ = _standardised(_recent(history, season))
    seasonals: list[str | None] = [None]
    if 1 < season <= _LONGEST_ETS_SEASON and len(z) >= 2 * season:
        seasonals += ["add", "mul"] if z.min() > 0 else ["add"]
    criteria: dict[_Form, float] = {}
    for form in (_Form(damped, seasonal) for seasonal in seasonals for damped in (False, True)):
        # levels, slopes, weights, first states and the variance: AICc needs one row more than + 1
        states = 2 + (season if form.seasonal else 0)
        weights = 2 + form.damped + (form.seasonal is not None)
        if len(z) > states + weights + 2:
            criteria[form] = float(_ets(z, form, season).fit(disp=False).aicc)
    finite = {form: value for form, value in criteria.items() if np.isfinite(value)}
    return min(finite, key=lambda form: finite[form]) if finite else None


def _ets(z: FloatArray, form: _Form, season: int) -> ETSModel:
    """Build statsmodels' model of this form on standardised values (N,)."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # see `_fits_by_statsmodels`

    return ETSModel(
        z,
        error="add",
        trend="add",
        damped_trend=form.damped,
        seasonal=form.seasonal,
        seasonal_periods=season if form.seasonal else None,
        initialization_method="estimated",
    )


def _recent(y: FloatArray, season: int) -> FloatArray:
    """The last rows of y (N,), as many as are fitted to."""
    seasonal = 1 < season <= _LONGEST_ETS_SEASON
    return y[-(_FITTED_SEASONAL if seasonal else _FITTED) :]


def _standardised(y: FloatArray) -> tuple[FloatArray, float]:
    """Values (N,) of a spread of ten, and the unit that they are in.

    Rounded, so that they are the same numbers whatever the unit of y: the optimiser would make more of
    their last bits than they mean.
    """
    one = max(spread(y), 1e-9 * float(np.abs(y).max())) / _SPREAD or 1.0
    return np.round(y / one, 10), one


# --- theta ---------------------------------------------------------------------------------------


def theta(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Return the Theta method's forecast: simple exponential smoothing plus half a linear trend.

    statsmodels' `ThetaModel` tests for the season (m > 1 and two seasons of rows), removes it and
    estimates weight and slope at every `refit_every`-th cutoff; between, the last estimates smooth
    the history up to the cutoff by the closed form (483 cutoffs over 2,300 rows take 42 s with
    a fit at each, 1.3 s with one in 36, for 0.1 % in MAE). Fewer than 10 rows get `drift`; of more
    than 3,000 (or four seasons) the last are fitted.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen.
        task: uses `horizon`, `season` and `refit_every`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if a cutoff is outside the series or they do not rise.

    Source:
        Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16:521; the closed form is from
        Hyndman & Billah (2003), Int. J. Forecasting 19:287.
    """
    check(y, cutoffs, first=0, why="a first row")
    if task.limit and not task.limit.begin():
        return drift(y, cutoffs, task)
    with _fits_by_statsmodels():
        return roll(lambda history: theta_fit(history, task), y, cutoffs, task)


def theta_fit(y: FloatArray, task: Task) -> Numbers:
    """Estimate weight, slope and season on all rows (N,) or the last of them, and the level at the last."""
    if len(y) < LEAST_ROWS:
        return drift_fit(y, task)
    from statsmodels.tsa.forecasting.theta import ThetaModel  # see `_fits_by_statsmodels`

    y = y[-max(_FITTED, 4 * task.season) :]
    one = unit(y)
    y = y / one
    seasonal = task.season > 1 and len(y) >= 2 * task.season
    with _fits_by_statsmodels():
        model = ThetaModel(y, period=task.season if seasonal else None, deseasonalize=seasonal)
        result = model.fit()
        # The next m seasonal values, turned so that entry 0 belongs to row 0.
        after = result.forecast_components(steps=task.season)["seasonal"]
    season = np.roll(after.to_numpy(dtype=np.float64), len(y) % task.season)
    multiplicative = model.method.startswith("mul")
    pattern = np.resize(season, len(y))
    rest = y / pattern if multiplicative else y - pattern
    # Not statsmodels' slope, which is half the level where the rest is constant: add_trend then
    # leaves out the intercept (0.15).
    time = np.arange(len(rest)) - (len(rest) - 1) / 2
    first = {
        "formula": "theta",
        "multiplicative": multiplicative,
        "alpha": float(result.params["alpha"]),
        "slope": float(time @ (rest - rest[0]) / (time @ time)),
        "season": season.tolist(),
        "level": float(rest[0]),  # where smoothing starts
        "seen": 0,
    }
    last = formulas.advance(first, y)
    scaled = {key: last[key] * one for key in ("slope", "level")}
    return last | scaled | ({} if multiplicative else {"season": (season * one).tolist()})


# --- both ----------------------------------------------------------------------------------------


@contextmanager
def _fits_by_statsmodels() -> Iterator[None]:
    """The same where statsmodels fits, whose import takes a second: who does not fit by it need not wait.

    It is imported before all else here, since it brings warnings that are always shown, and a linear
    algebra of its own.
    """
    import statsmodels.tsa.exponential_smoothing.ets
    import statsmodels.tsa.forecasting.theta  # noqa: F401

    with many_small_fits():
        yield
