"""Forecasts from the numbers of a fitted baseline: all that is left of it when it is served.

This file goes with the registered model, so it imports numpy alone. Numbers are what JSON holds:
`formula` says which of the functions here they belong to. There are two kinds. A reader forecasts
from the last R values it is given (`rows`), whatever came before. A state lies at the last row that
was fitted; later rows move it on.

Letters: B forecasts at once, R rows read, K horizon steps, N rows, W windows, m season, k nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = dict[str, Any]
FloatArray = npt.NDArray[np.float64]

# Distances or values of neighbours held at once, 8 MB of them.
_AT_ONCE = 1 << 20


def after(numbers: Numbers, y: FloatArray, horizon: int) -> FloatArray:
    """Forecast what comes after rows, by whichever kind.

    Args:
        numbers: of a fitted baseline.
        y: of a reader, its last R rows or more; of a state, the rows (N,) since it was fitted.
        horizon: K.

    Returns:
        Forecast (K,) in the unit of y.
    """
    if "rows" in numbers:
        return forecast(numbers, y[None, -numbers["rows"] :], horizon)[0]
    return ahead(advance(numbers, y), horizon)


def forecast(numbers: Numbers, y: FloatArray, horizon: int) -> FloatArray:
    """Forecast by a reader.

    Args:
        numbers: of a reader.
        y: the last values (B, R), oldest first.
        horizon: K.

    Returns:
        Forecasts (B, K) in the unit of y.

    >>> forecast({"formula": "repeat", "rows": 2}, np.array([[1.0, 2.0]]), 3)
    array([[1., 2., 1.]])
    """
    return _READERS[numbers["formula"]](numbers, y, horizon)


def advance(numbers: Numbers, y: FloatArray) -> Numbers:
    """Move a state on by the rows (N,) that come after those it has seen.

    >>> advance({"formula": "drift", "first": 1.0, "last": 1.0, "seen": 1}, np.array([3.0, 5.0]))
    {'formula': 'drift', 'first': 1.0, 'last': 5.0, 'seen': 3}
    """
    return _STATES[numbers["formula"]][0](numbers, y) if len(y) else numbers


def ahead(numbers: Numbers, horizon: int) -> FloatArray:
    """Forecast the K rows after a state.

    >>> ahead({"formula": "drift", "first": 1.0, "last": 5.0, "seen": 3}, 2)
    array([7., 9.])
    """
    return _STATES[numbers["formula"]][1](numbers, horizon)


# --- readers -------------------------------------------------------------------------------------


def _repeat(numbers: Numbers, y: FloatArray, horizon: int) -> FloatArray:
    """The last R rows, again and again."""
    return y[:, np.arange(horizon) % numbers["rows"]]


def _linear(numbers: Numbers, y: FloatArray, horizon: int) -> FloatArray:
    """A linear map of the window less its last value."""
    last = y[:, -1:]
    mapped: FloatArray = (y - last) @ np.asarray(numbers["weights"]) + numbers["intercept"]
    return last + mapped


def _analogues(numbers: Numbers, y: FloatArray, horizon: int) -> FloatArray:
    """What followed the nearest windows of the past, by a linear map through them."""
    library, rows, unit = np.asarray(numbers["library"]), numbers["rows"], numbers["unit"]
    y = y / unit  # which the library is in
    found = np.empty((len(y), horizon))
    for some, nearest in nearest_windows(library, y, [rows], numbers["nearest"], horizon):
        found[some] = follow(library, y[some], nearest[rows], numbers["penalty"], horizon)
    return unit * found


def nearest_windows(
    library: FloatArray, y: FloatArray, lengths: list[int], nearest: int, horizon: int
) -> Iterator[tuple[slice, dict[int, npt.NDArray[np.int64]]]]:
    """Find the windows whose values are nearest, for several lengths in one pass.

    Args:
        library: the past (N,).
        y: windows asked for (B, R), oldest value first.
        lengths: how many of their last values are compared, rising, at most R.
        nearest: k; fewer where the past holds fewer windows.
        horizon: K rows follow each window in the library.

    Returns:
        Blocks of the B windows and, by length, the last rows (., k) of the nearest ones, the
        nearest first.
    """
    ends = np.arange(lengths[0] - 1, len(library) - horizon)
    # A sum of squares, lag by lag: |a|^2 + |b|^2 - 2 ab has no digits left between near windows.
    size = max(1, _AT_ONCE // max(len(ends), nearest * lengths[-1]))
    for some in (slice(first, first + size) for first in range(0, len(y), size)):
        distances, found, whole = np.zeros((len(y[some]), len(ends))), {}, 0
        for lag in range(lengths[-1]):
            whole = max(0, lag - lengths[0] + 1)  # the first windows are too short for this lag
            past = library[ends[whole:] - lag]
            distances[:, whole:] += (y[some, -1 - lag, None] - past) ** 2
            if lag + 1 in lengths:
                own = distances[:, whole:]
                k = min(nearest, own.shape[1])
                chosen = np.argpartition(own, k - 1, axis=1)[:, :k]
                order = np.take_along_axis(own, chosen, 1).argsort(axis=1, kind="stable")
                found[lag + 1] = ends[whole + np.take_along_axis(chosen, order, 1)]
        yield some, found


def follow(
    library: FloatArray,
    y: FloatArray,
    nearest: npt.NDArray[np.int64],
    penalty: float,
    horizon: int,
) -> FloatArray:
    """Forecast by a linear map through the nearest windows and what followed them.

    Args:
        library: the past (N,).
        y: windows (B, R) to go on from.
        nearest: last rows (B, k) of the nearest windows.
        penalty: of the map, relative to the spread of the windows; where it is large, the mean of
            what followed is left.
        horizon: K.

    Returns:
        Forecasts (B, K).
    """
    k, rows, last = nearest.shape[1], y.shape[1], y[:, -1:]
    x = library[nearest[:, :, None] + np.arange(1 - rows, 1)] - y[:, None]  # (B, k, R)
    after = nearest[:, :, None] + np.arange(1, horizon + 1)
    t = library[after] - library[nearest][:, :, None]  # (B, k, K), from each window's last value
    x_mean, t_mean = x.mean(axis=1, keepdims=True), t.mean(axis=1, keepdims=True)
    x = x - x_mean
    gram = x @ x.transpose(0, 2, 1)  # (B, k, k)
    spread = np.trace(gram, axis1=1, axis2=2)[:, None, None] / k
    gram += np.where(spread > 0, penalty * spread, 1.0) * np.eye(k)
    weights = x.transpose(0, 2, 1) @ np.linalg.solve(gram, t - t_mean)  # (B, R, K)
    result: FloatArray = last + (t_mean - x_mean @ weights)[:, 0]
    return result


# --- states --------------------------------------------------------------------------------------


def _drift_on(numbers: Numbers, y: FloatArray) -> Numbers:
    return numbers | {"last": float(y[-1]), "seen": numbers["seen"] + len(y)}


def _drift_ahead(numbers: Numbers, horizon: int) -> FloatArray:
    """The line through the first and the last row."""
    slope = (numbers["last"] - numbers["first"]) / max(numbers["seen"] - 1, 1)
    result: FloatArray = numbers["last"] + slope * np.arange(1, horizon + 1)
    return result


def _ets_on(numbers: Numbers, y: FloatArray) -> Numbers:
    """Exponential smoothing with additive error and trend, in the form of its parameters."""
    level, trend, season = numbers["level"], numbers["trend"], list(numbers["season"])
    alpha, beta, gamma = numbers["alpha"], numbers["beta"], numbers["gamma"]
    for value in y.tolist():
        before = season.pop(0)
        line = level + numbers["damping"] * trend
        rest = value / before if numbers["multiplicative"] else value - before
        new = alpha * rest + (1 - alpha) * line
        trend = beta * (new - level) + (1 - beta) * numbers["damping"] * trend
        level = new
        rest = value / level if numbers["multiplicative"] else value - level
        season.append(gamma * rest + (1 - gamma) * before)
    return numbers | {"level": level, "trend": trend, "season": season}


def _ets_ahead(numbers: Numbers, horizon: int) -> FloatArray:
    damped = np.cumsum(numbers["damping"] ** np.arange(1, horizon + 1))
    line = numbers["level"] + numbers["trend"] * damped  # (K,)
    season = np.resize(numbers["season"], horizon)
    return line * season if numbers["multiplicative"] else line + season


def _theta_on(numbers: Numbers, y: FloatArray) -> Numbers:
    """Simple exponential smoothing of what is left without the season."""
    level, season = numbers["level"], numbers["season"]
    for row, value in enumerate(y.tolist(), start=numbers["seen"]):
        before = season[row % len(season)]
        rest = value / before if numbers["multiplicative"] else value - before
        level = numbers["alpha"] * rest + (1 - numbers["alpha"]) * level
    return numbers | {"level": level, "seen": numbers["seen"] + len(y)}


def _theta_ahead(numbers: Numbers, horizon: int) -> FloatArray:
    """Level plus half the trend's slope, Hyndman & Billah (2003), eq. 3."""
    seen, alpha, season = numbers["seen"], numbers["alpha"], np.asarray(numbers["season"])
    steps = np.arange(horizon, dtype=np.float64)  # h - 1
    if alpha > 0:
        steps += (1 - (1 - alpha) ** seen) / alpha
    line = numbers["level"] + 0.5 * numbers["slope"] * steps  # (K,)
    after: FloatArray = season[(seen + np.arange(horizon)) % len(season)]
    return line * after if numbers["multiplicative"] else line + after


_READERS: dict[str, Callable[[Numbers, FloatArray, int], FloatArray]] = {
    "repeat": _repeat,
    "linear": _linear,
    "analogues": _analogues,
}
_STATES: dict[
    str,
    tuple[Callable[[Numbers, FloatArray], Numbers], Callable[[Numbers, int], FloatArray]],
] = {
    "drift": (_drift_on, _drift_ahead),
    "ets": (_ets_on, _ets_ahead),
    "theta": (_theta_on, _theta_ahead),
}
