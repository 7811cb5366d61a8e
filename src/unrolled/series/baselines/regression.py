"""Baselines that map the last values to the next ones: by one line for all, or by one through neighbours.

Letters: N rows, K horizon, L lookback, W windows, k nearest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from unrolled.errors import InputError
from unrolled.series import formulas
from unrolled.series.baselines.base import IntArray, Task, check_after_fit, many_small_fits, read
from unrolled.series.formulas import FloatArray, Numbers
from unrolled.series.units import unit

_PENALTIES: FloatArray = np.logspace(-4, 4, 17)
# Of the analogues: how many, and the penalties of the map through them; the last leaves their mean.
_NEAREST = (1, 3, 10, 30)
_LOCAL_PENALTIES = (1e-4, 1e-2, 1.0, 1e6)
# The windows that choose among analogues, and the rows they are looked for in, at most.
_QUESTIONS, _LIBRARY = 500, 10_000


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
    check_after_fit(y, cutoffs, task, first=task.lookback - 1)
    import sklearn.linear_model  # noqa: F401  # first, as in `_fits_by_statsmodels`

    with many_small_fits():
        return read(ridge_fit(y[: task.validation_end], task), y, cutoffs, task)


def ridge_fit(y: FloatArray, task: Task) -> Numbers:
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
    check_after_fit(y, cutoffs, task, first=0)
    with many_small_fits():
        return read(analogues_fit(y[: task.validation_end], task), y, cutoffs, task)


def analogues_fit(y: FloatArray, task: Task) -> Numbers:
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
