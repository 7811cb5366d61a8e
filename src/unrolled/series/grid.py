"""Regular grids of time: the step of a series, and what is absent from it.

A step is a calendar frequency (`MS`, `D`, `15min`, pandas' names) or, where time is a number, a number.
Months that are stamped on another day than their first, as the 15th, are days after it: `MS+14D`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

Step = str | int
_OF_MONTHS = ("MS", "QS", "YS")
_EVERY_MONTH = 28  # has this day


def step_of(times: pd.Index) -> Step | None:
    """The step of a series that may have gaps; None where no calendar has its times.

    Args:
        times: rising, without twins, at least 3: datetime64 without a zone, or int64.

    >>> step_of(pd.date_range("2001-01-01", periods=9, freq="MS").delete([4]))
    'MS'
    >>> step_of(pd.Index([3, 5, 9, 11]))
    2
    """
    if isinstance(times, pd.DatetimeIndex):
        return _frequency(times) or _frequency_despite_gaps(times) or _months_from(times)
    steps = np.diff(times.to_numpy())
    return int(np.bincount(steps).argmax()) if steps.max() < 1_000_000 else int(steps.min())


def grid(times: pd.Index, step: Step) -> pd.Index:
    """All points from the first time to the last."""
    if isinstance(step, int):
        return pd.Index(np.arange(times[0], times[-1] + 1, step), dtype=times.dtype)
    assert isinstance(times, pd.DatetimeIndex)
    return dates(step, start=times[0], end=times[-1], unit=times.unit)


def dates(step: str, **bounds: Any) -> pd.DatetimeIndex:
    """`pd.date_range` in a step, of two of the bounds `start`, `end` and `periods`.

    >>> dates("MS+14D", start=pd.Timestamp("2001-01-15"), periods=3).strftime("%m-%d").tolist()
    ['01-15', '02-15', '03-15']
    """
    step, _, days = step.partition("+")
    after = pd.Timedelta(days or 0).as_unit("s")  # else far years would not bear nanoseconds
    for bound in {"start", "end"} & set(bounds):
        bounds[bound] -= after
    return pd.date_range(freq=step, **bounds) + after


def joins(time: Any, origin: Any, step: Step) -> bool:  # noqa: ANN401
    """Whether a time lies on the grid that another one begins, in either direction.

    >>> joins(205, 0, 10), joins(pd.Timestamp(2024, 2, 1), pd.Timestamp(2023, 1, 1), "MS")
    (False, True)
    """
    if isinstance(step, int):
        return bool((time - origin) % step == 0)
    first, last = min(time, origin), max(time, origin)
    offset = pd.tseries.frequencies.to_offset(step.partition("+")[0])
    if isinstance(offset, pd.offsets.Tick):
        return (last - first) % pd.Timedelta(offset) == pd.Timedelta(0)
    points = dates(step, start=first, end=last)
    return bool(len(points) and points[0] == first and points[-1] == last)


def sparseness(times: pd.Index) -> float:
    """Points that a grid of the smallest step would have, for each that is there."""
    closest = (times[1:] - times[:-1]).min()
    return float((times[-1] - times[0]) / closest / len(times))


def gaps(times: pd.Index) -> float:
    """How many points of its grid a series lacks; infinite where it lies on none.

    Args:
        times: as for `step_of`; fewer than 3 lie on any grid.

    >>> gaps(pd.Index([1, 2, 4, 5])), gaps(pd.DatetimeIndex(["2001-01-01", "2001-01-03", "2001-02-07"]))
    (1.0, inf)
    """
    if len(times) < 3:
        return 0.0
    if sparseness(times) > 100:  # and a grid of it would take the memory
        return np.inf
    step = step_of(times)
    whole = None if step is None else grid(times, step)
    if whole is None or not times.isin(whole).all():
        return np.inf
    return float(len(whole) - len(times))


def missing(times: pd.Series, ids: pd.Series) -> float:
    """Grid points that the series lack, all together."""
    total, seen = 0.0, {}
    for _, own in times.groupby(ids.to_numpy(), sort=False):
        ordered = np.unique(own.to_numpy())
        key = ordered.tobytes()
        if key not in seen:
            seen[key] = gaps(pd.Index(ordered))
        total += seen[key]
    return total


def _frequency(times: pd.DatetimeIndex) -> str | None:
    # pandas 4 will return an offset; its name is what both give.
    with pd.option_context("future.infer_freq_returns_offset", True):
        offset: Any = pd.infer_freq(times)
    return None if offset is None else offset.freqstr


def _frequency_despite_gaps(times: pd.DatetimeIndex) -> str | None:
    """The frequency of the longest stretch without a gap, where all other times fit its grid."""
    tried: set[str] = set()
    for length in (12, 6, 3):
        # A thousand stretches are enough: a series of a million rows shall not take minutes.
        stride = max(length // 2, len(times) // 1000)
        for start in range(0, max(1, len(times) - length + 1), stride):
            part = times[start : start + length]
            frequency = _frequency(part) if len(part) >= 3 else None
            if frequency is None or frequency in tried:
                continue
            tried.add(frequency)
            if times.isin(pd.date_range(times[0], times[-1], freq=frequency)).all():
                return frequency
    return None


def _months_from(times: pd.DatetimeIndex) -> str | None:
    """The step of months, quarters or years that are all stamped on the same day of a month."""
    day = times[0].day
    if not 1 < day <= _EVERY_MONTH or not (times.day == day).all():
        return None
    firsts = times - pd.Timedelta(days=day - 1)
    step = _frequency(firsts) or _frequency_despite_gaps(firsts)
    of_months = step is not None and step.lstrip("0123456789").startswith(_OF_MONTHS)
    return f"{step}+{day - 1}D" if of_months else None
