"""Forecasts that a network has to beat, each a function of one series.

Every baseline is called as `forecast(y, cutoffs, task)`: `y` is the series (N,), `cutoffs` are the
positions (C,) of the last row that may be seen, and the result (C, K) holds forecasts of rows
cutoff+1 .. cutoff+K in the unit of y. Whatever is fitted once is fitted on rows before
`task.validation_end`; whatever is fitted again is fitted on rows up to the cutoff.

`fit(y, task)` fits the same baseline on all of y and returns the numbers that forecast after
it, by `formulas`: that is what goes into service. What is chosen (ridge's penalty, the form of
exponential smoothing) is chosen on the rows before `task.validation_end` there too.

A new baseline is these two functions and an entry of `BASELINES`.

Letters: N rows, C cutoffs, K horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from unrolled.series.baselines.base import IntArray, Limit, Task
from unrolled.series.baselines.naive import (
    drift,
    drift_fit,
    persistence,
    persistence_fit,
    seasonal_naive,
    seasonal_naive_fit,
)
from unrolled.series.baselines.regression import analogues, analogues_fit, ridge, ridge_fit
from unrolled.series.baselines.smoothing import (
    LEAST_ROWS,
    holt_winters,
    holt_winters_fit,
    theta,
    theta_fit,
)
from unrolled.series.formulas import FloatArray, Numbers

__all__ = ["BASELINES", "Baseline", "Limit", "Task", "least_rows"]


class Baseline(NamedTuple):
    """How a baseline forecasts, and what is served of it.

    Attributes:
        forecast: of a series (N,) and cutoffs (C,): forecasts (C, K) in the unit of the series.
        fit: the numbers that forecast after all rows (N,), by `formulas`.
        least: rows without which it would be another one, by the rows of a season.
    """

    forecast: Callable[[FloatArray, IntArray, Task], FloatArray]
    fit: Callable[[FloatArray, Task], Numbers]
    # Holt-Winters a drift, a season not its own.
    least: Callable[[int], int] = lambda season: max(LEAST_ROWS, 2 * season)


BASELINES = {
    "persistence": Baseline(persistence, persistence_fit, lambda _: 1),
    "seasonal_naive": Baseline(seasonal_naive, seasonal_naive_fit, lambda season: season),
    "drift": Baseline(drift, drift_fit, lambda _: 2),
    "ridge": Baseline(ridge, ridge_fit),
    "analogues": Baseline(analogues, analogues_fit),
    "holt_winters": Baseline(holt_winters, holt_winters_fit),
    "theta": Baseline(theta, theta_fit),
}


def least_rows(variant: str, season: int) -> int:
    """Rows without which a baseline would be another one; three are needed to know the step of time."""
    return max(3, BASELINES[variant].least(season))
