"""Baselines that repeat: the last value, the last season, the mean change."""

from __future__ import annotations

from dataclasses import replace

from unrolled.series.baselines.base import IntArray, Task, check, read, roll
from unrolled.series.formulas import FloatArray, Numbers


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
    check(y, cutoffs, first=0, why="a first row")
    return read(persistence_fit(y, task), y, cutoffs, task)


def persistence_fit(y: FloatArray, task: Task) -> Numbers:
    """Nothing is fitted: the last row is read."""
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
    check(y, cutoffs, first=task.season - 1, why=f"one season of {task.season} rows")
    return read(seasonal_naive_fit(y, task), y, cutoffs, task)


def seasonal_naive_fit(y: FloatArray, task: Task) -> Numbers:
    """Nothing is fitted: the last season is read."""
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
    check(y, cutoffs, first=0, why="a first row")
    # Which costs nothing, so no limit counts.
    return roll(lambda history: drift_fit(history, task), y, cutoffs, replace(task, limit=None))


def drift_fit(y: FloatArray, task: Task) -> Numbers:
    """The ends of the line through all rows (N,)."""
    return {"formula": "drift", "first": float(y[0]), "last": float(y[-1]), "seen": len(y)}
