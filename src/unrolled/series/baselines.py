"""Forecasts that a network has to beat, each a function of one series.

Every baseline is called as `baseline(y, cutoffs, task)`: `y` is the series (N,), `cutoffs` are the
positions (C,) of the last row that may be seen, and the result (C, K) holds forecasts of rows
cutoff+1 .. cutoff+K in the unit of y. Whatever is fitted once is fitted on rows before
`task.validation_end`; whatever is fitted again is fitted on rows up to the cutoff.

`FITS[name](y, task)` fits the same baseline on all of y and returns the numbers that forecast after
it, by `formulas`: that is what goes into service. What is chosen (ridge's penalty, the form of
exponential smoothing) is chosen on the rows before `task.validation_end` there too.

Letters: N rows, C cutoffs, K horizon, L lookback, W windows, m season, k nearest.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from unrolled.errors import InputError
from unrolled.series import formulas
from unrolled.series.formulas import FloatArray, Numbers
from unrolled.series.units import spread, unit

if TYPE_CHECKING:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

IntArray = npt.NDArray[np.int64]

# Below this statsmodels has no starting values for exponential smoothing; drift takes over.
_LEAST_ROWS = 10
# R's ets() has no season above 24: too many states for what they bring.
_LONGEST_ETS_SEASON = 24
# The last rows that exponential smoothing and Theta are fitted to, at most; a season of 24 is 24 states
# more to estimate, and 1,000 rows hold 40 of them.
_FITTED, _FITTED_SEASONAL = 3_000, 1_000
# The spread of the values that statsmodels is given. It starts and stops by absolute steps, so its answer
# depends on the unit: of 1, 10, 30, 100 and 1,000 this one is best or level on airline and M4 hourly.
_SPREAD = 10.0
_PENALTIES: FloatArray = np.logspace(-4, 4, 17)
# Of the analogues: how many, and the penalties of the map through them; the last leaves their mean.
_NEAREST = (1, 3, 10, 30)
_LOCAL_PENALTIES = (1e-4, 1e-2, 1.0, 1e6)
# The windows that choose among analogues, and the rows they are looked for in, at most.
_QUESTIONS, _LIBRARY = 500, 10_000


@dataclass
class Limit:
    """The time that a statistical baseline may take for its fits, and what it left out for want of it.

    Every call has an equal part of it. When that is over, the call goes on with its last fit; a call
    that begins after the end has none, and its forecasts are drift's. Where there is time enough,
    nothing here depends on the clock.

    Attributes:
        seconds: for all calls together.
        calls: that share them, one a series and set of cutoffs.
        begun: calls so far.
        skipped: fits left out.
        drifts: calls without a fit.
    """

    seconds: float
    calls: int = 1
    begun: int = 0
    skipped: int = 0
    drifts: int = 0
    _start: float = field(default_factory=time.monotonic)

    def begin(self) -> bool:
        """Begin a call; False where all the time is over."""
        self.begun += 1
        over = time.monotonic() > self._start + self.seconds
        self.drifts += over
        return not over

    def skip(self) -> bool:
        """Whether a fit is to be left out, since the part of this call is over."""
        part = self.seconds * min(1.0, self.begun / self.calls)
        over = time.monotonic() > self._start + part
        self.skipped += over
        return over

    @property
    def note(self) -> str:
        """What was left out, in words; empty where nothing was."""
        left = [f"{self.skipped} fits left out"] * (self.skipped > 0)
        left += [f"{self.drifts} of {self.begun} series and parts by drift"] * (self.drifts > 0)
        return f"limit of {self.seconds:g} s reached: {', '.join(left)}" if left else ""


@dataclass(frozen=True)
class Task:
    """What to forecast, and which rows may be used for fitting; all units are rows.

    Attributes:
        horizon: steps K of each forecast.
        season: rows m of one season; 1 for none.
        lookback: rows L of the window that `ridge` sees, or more where another choice is better.
        train_end: rows [0, train_end) are the train part.
        validation_end: rows [train_end, validation_end) are for validation; the test follows.
        refit_every: cutoffs from one estimation of a statistical model to the next.
        limit: the time for these estimations; None: as long as they take.
    """

    horizon: int
    season: int
    lookback: int
    train_end: int
    validation_end: int
    refit_every: int = 1
    limit: Limit | None = None

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            InputError: if a number is below 1, or the train part does not end before validation.
        """
        for name in ("horizon", "season", "lookback", "train_end", "refit_every"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"task: {name} is {getattr(self, name)}, but 1 is the least; raise {name}"
                )
        if self.validation_end < self.train_end:
            raise InputError(
                f"task: validation_end is {self.validation_end}, but train_end is "
                f"{self.train_end} and comes first; swap or move them"
            )


Fit = Callable[[FloatArray, Task], Numbers]
Baseline = Callable[[FloatArray, IntArray, Task], FloatArray]


def persistence(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Repeat the last value.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen.
        task: uses `horizon`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if a cutoff is outside the series or they do not rise.

    Source:
        Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed. (fpp3), 5.2.
    """
    _check(y, cutoffs, first=0, why="a first row")
    return _read(_persistence_fit(y, task), y, cutoffs, task)


def _persistence_fit(y: FloatArray, task: Task) -> Numbers:
    return {"formula": "repeat", "rows": 1}


def seasonal_naive(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Repeat the last season, again and again where the horizon is longer.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen, from `season - 1`.
        task: uses `horizon` and `season`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if the history at a cutoff is shorter than a season.

    Source:
        fpp3, 5.2.
    """
    _check(y, cutoffs, first=task.season - 1, why=f"one season of {task.season} rows")
    return _read(_seasonal_naive_fit(y, task), y, cutoffs, task)


def _seasonal_naive_fit(y: FloatArray, task: Task) -> Numbers:
    return {"formula": "repeat", "rows": task.season}


def drift(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Go on along the line from the first row to the last one seen.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen; the slope at cutoff 0 is 0.
        task: uses `horizon`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if a cutoff is outside the series or they do not rise.

    Source:
        fpp3, 5.2.
    """
    _check(y, cutoffs, first=0, why="a first row")
    # Which costs nothing, so no limit counts.
    return _roll(lambda history: _drift_fit(history, task), y, cutoffs, replace(task, limit=None))


def _drift_fit(y: FloatArray, task: Task) -> Numbers:
    return {"formula": "drift", "first": float(y[0]), "last": float(y[-1]), "seen": len(y)}


# --- ridge ---------------------------------------------------------------------------------------


class _Line(NamedTuple):
    """A linear map from contexts to targets: context @ weights + intercept."""

    weights: FloatArray  # (L, K)
    intercept: FloatArray  # (K,)


def ridge(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Linear regression with an L2 penalty from the last L values to all K steps at once.

    The window's last value is subtracted from context and targets, and both are divided by the
    standard deviation of the train part's differences, so that a penalty means the same at every
    scale. The penalty is per window, one of 17 from 1e-4 to 1e4, and L is the task's lookback, a
    season or two: a baseline must not suffer from what suits a network. The pair is the best on
    windows whose targets lie in the validation part (their context may begin before it); the
    weights are then fitted again on train and validation together. No target lies at or after
    `validation_end`.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen, from `validation_end - 1` and
            from `lookback - 1`.
        task: uses `horizon`, `lookback`, `season`, `train_end` and `validation_end`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if a cutoff lies before the end of validation (its future would be in the fit)
            or if a part holds no whole window.

    Source:
        Hoerl & Kennard (1970), Technometrics 12:55; the subtracted last value is NLinear's, Zeng
        et al. (2023), Are Transformers Effective for Time Series Forecasting?
    """
    _check_after_fit(y, cutoffs, task, first=task.lookback - 1)
    import sklearn.linear_model  # noqa: F401  # first, as in `_fits_by_statsmodels`

    with _many_small_fits():
        return _read(_ridge_fit(y[: task.validation_end], task), y, cutoffs, task)


def _ridge_fit(y: FloatArray, task: Task) -> Numbers:
    """Choose lookback and penalty on validation, then fit on all rows (N,)."""
    one = unit(y)
    scale = float(np.std(np.diff(y[: task.train_end] / one))) * one or one
    z = y / scale
    tried = [
        (error, penalty, own)
        for own in (replace(task, lookback=lookback) for lookback in _lookbacks(task))
        for error, penalty in _ridge_errors(z, own)
    ]
    _, penalty, best = min(tried, key=lambda one: one[0])
    every = np.arange(best.lookback - 1, len(y) - task.horizon)
    (line,) = _ridge_lines(_contexts(z, every, best), _targets(z, every, best), np.array([penalty]))
    intercept = line.intercept * scale
    return {
        "formula": "linear",
        "rows": best.lookback,
        "weights": line.weights.tolist(),
        "intercept": intercept.tolist(),
    }


def _lookbacks(task: Task) -> list[int]:
    """The task's lookback, a season and two, where the train part holds a window of them."""
    seasons = {task.season, 2 * task.season} if task.season > 1 else set()
    return sorted(
        {task.lookback} | {rows for rows in seasons if rows <= task.train_end - task.horizon}
    )


def _ridge_errors(z: FloatArray, task: Task) -> list[tuple[float, float]]:
    """Mean squared error on validation of a fit on train, for each penalty: (error, penalty)."""
    train = np.arange(task.lookback - 1, task.train_end - task.horizon)
    first = max(task.lookback, task.train_end) - 1
    validation = np.arange(first, task.validation_end - task.horizon)
    if not train.size or not validation.size:
        raise InputError(
            f"ridge: {train.size} train and {validation.size} validation windows, but each needs "
            f"at least 1 (lookback {task.lookback}, horizon {task.horizon}, train_end "
            f"{task.train_end}, validation_end {task.validation_end}); shorten them or move ends"
        )
    contexts, targets = _contexts(z, validation, task), _targets(z, validation, task)
    lines = _ridge_lines(_contexts(z, train, task), _targets(z, train, task), _PENALTIES)
    errors = [float(np.mean((_apply(line, contexts) - targets) ** 2)) for line in lines]
    return list(zip(errors, _PENALTIES.tolist(), strict=True))


def _contexts(z: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Return windows (W, L) that end at the cutoffs, less their last value."""
    windows: FloatArray = z[cutoffs[:, None] + np.arange(1 - task.lookback, 1)]
    return windows - z[cutoffs][:, None]


def _targets(z: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Return the K rows after each cutoff, less the value at the cutoff, (W, K)."""
    futures: FloatArray = z[cutoffs[:, None] + np.arange(1, task.horizon + 1)]
    return futures - z[cutoffs][:, None]


def _ridge_lines(x: FloatArray, t: FloatArray, penalties: FloatArray) -> list[_Line]:
    """Fit contexts x (W, L) to targets t (W, K) with each penalty, which is per window."""
    from sklearn.linear_model import Ridge  # here, since it takes a second

    fits = [Ridge(alpha=penalty * len(x)).fit(x, t) for penalty in penalties]
    return [_Line(one.coef_.T, one.intercept_) for one in fits]


def _apply(line: _Line, x: FloatArray) -> FloatArray:
    """Map contexts (W, L) to (W, K)."""
    mapped: FloatArray = x @ line.weights + line.intercept
    return mapped


# --- analogues -----------------------------------------------------------------------------------


def analogues(y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Go on as the series did after the k windows of its past that are nearest to the last L values.

    A linear map with an L2 penalty is fitted through those k windows and what followed each, less
    its last value; where the penalty is large, the mean of what followed is left. L (powers of two
    and ridge's lookbacks), k and penalty are the best on windows whose targets lie in the validation
    part, with the train part as the past; then the past is train and validation together.

    Args:
        y: series (N,).
        cutoffs: rising positions (C,) of the last row seen, from `validation_end - 1`.
        task: uses `horizon`, `lookback`, `season`, `train_end` and `validation_end`.

    Returns:
        Forecasts (C, K) in the unit of y.

    Raises:
        InputError: if a cutoff lies before the end of validation, or a part holds no whole window.

    Source:
        Lorenz (1969), J. Atmos. Sci. 26:636; the map is that of Farmer & Sidorowich (1987), Phys.
        Rev. Lett. 59:845.
    """
    _check_after_fit(y, cutoffs, task, first=0)
    with _many_small_fits():
        return _read(_analogues_fit(y[: task.validation_end], task), y, cutoffs, task)


def _analogues_fit(y: FloatArray, task: Task) -> Numbers:
    """Choose L, k and penalty on validation; the past is then all rows (N,), or the last of them."""
    one = unit(y)  # the square of what is tiny would be 0
    y = y / one
    past = y[max(0, task.train_end - _LIBRARY) : task.train_end]
    longest = len(past) - task.horizon
    powers = {1 << power for power in range(10) if 1 << power <= max(_lookbacks(task))}
    lengths = sorted(rows for rows in powers | set(_lookbacks(task)) if rows <= longest)
    ends = np.arange(task.train_end - 1, task.validation_end - task.horizon)
    if not lengths or not len(ends):
        raise InputError(
            f"analogues: {max(longest, 0)} train and {len(ends)} validation windows, but each needs"
            f" at least 1 (horizon {task.horizon}, train_end {task.train_end}, validation_end"
            f" {task.validation_end}); shorten the horizon or move ends"
        )
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, _QUESTIONS).astype(int))]
    asked = sliding_window_view(y, lengths[-1])[ends - lengths[-1] + 1]
    truth = y[ends[:, None] + np.arange(1, task.horizon + 1)]
    errors: dict[tuple[int, int, float], float] = {}
    blocks = formulas.nearest_windows(past, asked, lengths, max(_NEAREST), task.horizon)
    for some, nearest in blocks:
        for rows, near in nearest.items():
            for k in _NEAREST:
                for penalty in _LOCAL_PENALTIES:
                    own = near[:, :k]
                    found = formulas.follow(past, asked[some, -rows:], own, penalty, task.horizon)
                    error = float(((found - truth[some]) ** 2).sum())
                    errors[rows, k, penalty] = errors.get((rows, k, penalty), 0.0) + error
    rows, k, penalty = min(errors, key=lambda one: errors[one])
    return {
        "formula": "analogues",
        "rows": rows,
        "nearest": k,
        "penalty": penalty,
        "library": y[-_LIBRARY:].tolist(),
        "unit": one,
    }


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
    _check_after_fit(y, cutoffs, task, first=0)
    if task.limit and not task.limit.begin():
        return drift(y, cutoffs, task)
    with _fits_by_statsmodels():
        form = _choose_form(y[: task.validation_end], task.season)
        return _roll(lambda history: _ets_fit(history, form, task), y, cutoffs, task)


def _holt_winters_fit(y: FloatArray, task: Task) -> Numbers:
    """Choose the form on the rows before `validation_end`, and estimate it on all rows (N,)."""
    with _fits_by_statsmodels():
        return _ets_fit(y, _choose_form(y[: task.validation_end], task.season), task)


def _ets_fit(y: FloatArray, form: _Form | None, task: Task) -> Numbers:
    """Estimate parameters and the states at the last row (N,)."""
    recent = _recent(y, task.season)
    if form is None:
        return _drift_fit(y, task)
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
    if len(history) < _LEAST_ROWS:
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
    _check(y, cutoffs, first=0, why="a first row")
    if task.limit and not task.limit.begin():
        return drift(y, cutoffs, task)
    with _fits_by_statsmodels():
        return _roll(lambda history: _theta_fit(history, task), y, cutoffs, task)


def _theta_fit(y: FloatArray, task: Task) -> Numbers:
    """Estimate weight, slope and season on all rows (N,) or the last of them, and the level at the last."""
    if len(y) < _LEAST_ROWS:
        return _drift_fit(y, task)
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


# --- shared --------------------------------------------------------------------------------------


def _read(numbers: Numbers, y: FloatArray, cutoffs: IntArray, task: Task) -> FloatArray:
    """Forecast (C, K) by a reader from the rows up to each cutoff."""
    rows = numbers["rows"]
    return formulas.forecast(
        numbers, sliding_window_view(y, rows)[cutoffs - rows + 1], task.horizon
    )


def _roll(
    fit: Callable[[FloatArray], Numbers], y: FloatArray, cutoffs: IntArray, task: Task
) -> FloatArray:
    """Forecast (C, K) by a state fitted at every `refit_every`-th cutoff and moved on between.

    A multiplicative season that meets a row at or below 0 is fitted anew. Where the task's time is
    over, the other fits are left out.
    """
    forecasts = np.empty((len(cutoffs), task.horizon))
    numbers: Numbers = {}
    for i, cutoff in enumerate(cutoffs):
        new = y[cutoffs[i - 1] + 1 : cutoff + 1] if i else y
        needed = i == 0 or (numbers.get("multiplicative") and new.min() <= 0)
        due = i % task.refit_every == 0
        if needed or (due and not (task.limit and task.limit.skip())):
            numbers = fit(y[: cutoff + 1])
        else:
            numbers = formulas.advance(numbers, new)
        forecasts[i] = formulas.ahead(numbers, task.horizon)
    return forecasts


@contextmanager
def _many_small_fits() -> Iterator[None]:
    """Hush optimisers and hold the linear algebra to one thread.

    At hundreds of origins a warning that stops nothing buries the others, and threads wait for
    each other longer than they compute: a fit of 80 rows took 0.35 s with them, 0.05 s without, and
    ridge on sunspots twenty times as long on busy cores.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _fits_by_statsmodels() -> Iterator[None]:
    """The same where statsmodels fits, whose import takes a second: who does not fit by it need not wait.

    It is imported before all else here, since it brings warnings that are always shown, and a linear
    algebra of its own.
    """
    import statsmodels.tsa.exponential_smoothing.ets
    import statsmodels.tsa.forecasting.theta  # noqa: F401

    with _many_small_fits():
        yield


def _check(y: FloatArray, cutoffs: IntArray, first: int, why: str) -> None:
    """Raise unless the cutoffs rise strictly within [first, N)."""
    if not len(cutoffs):
        raise InputError("cutoffs: 0 positions, but a forecast needs at least 1; check the task")
    if cutoffs[0] < first:
        raise InputError(
            f"cutoffs: the first is {cutoffs[0]}, but {why} needs at least {first}; "
            "start later or shorten what is needed"
        )
    if cutoffs[-1] >= len(y):
        raise InputError(
            f"cutoffs: the last is {cutoffs[-1]}, but the series ends at row {len(y) - 1}; "
            "end earlier"
        )
    # A later cutoff's parameters must never serve an earlier one.
    if np.any(np.diff(cutoffs) <= 0):
        raise InputError("cutoffs: they do not rise, but each must be later; sort them, drop twins")


def _check_after_fit(y: FloatArray, cutoffs: IntArray, task: Task, first: int) -> None:
    """Raise unless all cutoffs lie after the rows that a model was fitted or chosen on."""
    end = task.validation_end - 1
    _check(y, cutoffs, max(first, end), f"a fit on the rows before {task.validation_end}")


def least_rows(variant: str, season: int) -> int:
    """Rows without which a baseline would be another one: Holt-Winters a drift, a season not its own.

    Three are needed to know the step of time.
    """
    own = {"persistence": 1, "drift": 2, "seasonal_naive": season}
    return max(3, own.get(variant, max(_LEAST_ROWS, 2 * season)))


BASELINES: dict[str, Baseline] = {
    "persistence": persistence,
    "seasonal_naive": seasonal_naive,
    "drift": drift,
    "ridge": ridge,
    "analogues": analogues,
    "holt_winters": holt_winters,
    "theta": theta,
}
FITS: dict[str, Fit] = {
    "persistence": _persistence_fit,
    "seasonal_naive": _seasonal_naive_fit,
    "drift": _drift_fit,
    "ridge": _ridge_fit,
    "analogues": _analogues_fit,
    "holt_winters": _holt_winters_fit,
    "theta": _theta_fit,
}
