"""From raw values to what a network reads, and back; fitted on train only.

In order: transform (none, log, root, Box-Cox), less the season (that of a season before, or smoothed
over some), z-score by the train part's moments of each series. `invert` goes back from forecasts of a
cutoff to original units.

The season of a row is made from rows at least one season before it. So scaled rows are the same
whichever cutoff they are seen from, and no forecast within a season reads what lies after its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # whose parts are imported as they are used: few series need any

from unrolled.errors import InputError
from unrolled.series.filling import drawn
from unrolled.series.options import SEASONS, SeriesOptions
from unrolled.series.splits import each
from unrolled.series.transforms import TRANSFORMS
from unrolled.series.units import mean, spread, unit
from unrolled.series.windows import sliding

Array = npt.NDArray[np.float64]


RATES = tuple(np.arange(1, 10) / 10)


class Scale(NamedTuple):
    """How one series is scaled; a row of the scaler's table."""

    unique_id: str
    power: float
    mean: float
    std: float
    season_rate: float = np.nan
    unit: float = 1.0


def scales(scaler: pd.DataFrame) -> Iterator[Scale]:
    """Go through the series of a scaler's table."""
    return map(Scale, *(scaler[name].tolist() for name in Scale._fields))


def fit(panel: pd.DataFrame, borders: pd.DataFrame, options: SeriesOptions) -> pd.DataFrame:
    """Estimate the scaling of each series on its train rows.

    Returns:
        One row a series: `unique_id`, `power` (Box-Cox's lambda; 0 is log, NaN is none), `mean`,
        `std`, `season_rate` (weight of the last season in the smoothed one; NaN without `es`), `unit`
        (of a power above 0, whose transform of far smaller values would be that of 0).

    Raises:
        InputError: a constant train part (scale zero), or a value that the transform does not take.
    """
    rows = []
    y = drawn(panel, each(borders), options.fill)
    for series in each(borders):
        train = y[series.first : series.train_end]
        whole = y[series.first : series.end]
        power = _power(series.unique_id, train, whole, options)
        one = unit(train) if power > 0 else 1.0
        values = _transform(train, power, one, options)
        rate = _season_rate(values, options.season) if options.es else np.nan
        level = _deseasonalised(values, rate, options)[options.warmup :]
        std = spread(level)
        # Against the values, whose rounding is all that remains of a season that repeats exactly.
        if not std > 1e-9 * np.abs(values).max():
            constant = "constant after the seasonal difference" if options.warmup else "constant"
            if options.es:
                constant = "constant less their season"
            raise InputError(
                f"series '{series.unique_id}': its {len(train)} train rows are {constant}"
                f" ({level[0] if options.warmup else train[0]:g}), so there is no scale and nothing"
                " to learn; drop the series or change the split"
            )
        rows.append(Scale(series.unique_id, power, mean(level), std, rate, one))
    return pd.DataFrame(rows, columns=list(Scale._fields))


def _power(key: str, train: Array, whole: Array, options: SeriesOptions) -> float:
    # The range is a requirement on the data, not a statistic: looking at all rows leaks nothing.
    lowest, smallest = options.lowest, whole.min()
    if (lowest == "above 0" and not smallest > 0) or (lowest == "from 0" and not smallest >= 0):
        raise InputError(
            f"series '{key}': transform '{options.transform}' needs values {lowest}, but the smallest"
            f" is {smallest:g}; set transform to none"
        )
    power = TRANSFORMS[options.transform].power
    return _boxcox_lambda(train) if power is None else power


def _boxcox_lambda(train: Array) -> float:
    """Most likely lambda in [0, 2]: below 0, forecasts a little above what was seen are infinite.

    R's forecast::BoxCox.lambda has the same upper bound.
    """

    def bounded(loss: Callable[[float], float]) -> scipy.optimize.OptimizeResult:
        return scipy.optimize.minimize_scalar(loss, bounds=(0.0, 2.0), method="bounded")

    with np.errstate(invalid="ignore", divide="ignore"):  # of a constant part, which `fit` refuses
        return float(
            scipy.stats.boxcox_normmax(train / unit(train), method="mle", optimizer=bounded)
        )


def _transform(y: Array, power: float, unit: float, options: SeriesOptions) -> Array:
    with np.errstate(divide="ignore"):  # the logarithm of 0 on the way to a root
        values: Array = TRANSFORMS[options.transform].forward(np, y / unit, power)
    return values


def _inverse(level: Array, power: float, unit: float, options: SeriesOptions) -> Array:
    with np.errstate(divide="ignore", over="ignore"):
        values: Array = TRANSFORMS[options.transform].inverse(np, level, power)
    return values * unit


def _season_rate(level: Array, season: int) -> float:
    """The rate whose smoothed season errs least, one season ahead, over the rows given."""
    deviation = _deviation(level, season)
    errors = [
        np.nanmean(np.abs(deviation - _smoothed(deviation, season, r)[: len(level)])) for r in RATES
    ]
    return RATES[int(np.argmin(errors))]


def _deviation(level: Array, season: int) -> Array:
    """Rows (..., N) less the mean of the season that ends there; NaN where none does.

    A trend adds the same to every row of it, so it stays out of the season's shape.
    """
    means = sliding(level, season).mean(axis=-1)
    return np.concatenate(
        [np.full_like(level[..., : season - 1], np.nan), level[..., season - 1 :] - means], axis=-1
    )


def _smoothed(deviation: Array, season: int, rate: float) -> Array:
    """Season of each row and of the season ahead, (..., N) -> (..., N + season).

    Simple exponential smoothing over the last `SEASONS` rows of the same phase, or as many as there
    are; NaN where there is none.
    """
    rows = deviation.shape[-1] + season
    lagged = np.full((SEASONS, *deviation.shape[:-1], rows), np.nan)
    for place in range(SEASONS):
        lag = (place + 1) * season
        lagged[place, ..., lag:] = deviation[..., : max(rows - lag, 0)]
    weights = (1 - rate) ** np.arange(SEASONS).reshape(-1, *[1] * deviation.ndim)
    known = np.where(np.isnan(lagged), 0, weights)
    with np.errstate(invalid="ignore"):
        return np.nansum(weights * lagged, axis=0) / known.sum(axis=0)


def _season(level: Array, rate: float, options: SeriesOptions) -> Array:
    """What is taken off each row and off the season ahead: (..., N) -> (..., N + season)."""
    if options.es:
        return _smoothed(_deviation(level, options.season), options.season, rate)
    before = np.full_like(level[..., :1], np.nan).repeat(options.season, axis=-1)
    return np.concatenate([before, level], axis=-1)


def _deseasonalised(level: Array, rate: float, options: SeriesOptions) -> Array:
    """Rows less their season; the first `warmup`, which have none, are NaN."""
    return level - _season(level, rate, options)[: len(level)] if options.warmup else level


def apply(
    panel: pd.DataFrame, borders: pd.DataFrame, scaler: pd.DataFrame, options: SeriesOptions
) -> npt.NDArray[np.float32]:
    """Scale every row: float32 (N,), aligned with the panel; NaN where no season precedes."""
    y = drawn(panel, each(borders), options.fill)
    scaled = np.empty(len(y), dtype=np.float32)
    for series, scale in zip(each(borders), scales(scaler), strict=True):
        rows = slice(series.first, series.end)
        values = _transform(y[rows], scale.power, scale.unit, options)
        level = _deseasonalised(values, scale.season_rate, options)
        scaled[rows] = (level - scale.mean) / scale.std
    return scaled


def invert(
    scaled: Array,
    y: Array,
    cutoffs: npt.NDArray[np.int64],
    scale: Scale,
    options: SeriesOptions,
) -> Array:
    """Bring forecasts of one series back to original units.

    Args:
        scaled: forecasts (C, K) on the network's scale.
        y: the series in original units (N,).
        cutoffs: position in it of the last observed row of each forecast (C,).
        scale: how the series is scaled.
        options: transform and season.

    Returns:
        Forecasts (C, K) in original units.
    """
    ahead = np.asarray(scaled, dtype=np.float64) * scale.std + scale.mean
    if options.warmup:
        level = _transform(
            sliding_last(y, cutoffs, options.reach), scale.power, scale.unit, options
        )
        # A step beyond one season builds on the forecasts one season before it.
        for first in range(0, ahead.shape[1], options.season):
            block = ahead[:, first : first + options.season]
            season = _season(level, scale.season_rate, options)[:, level.shape[1] :]
            level = np.concatenate([level, block + season[:, : block.shape[1]]], axis=1)
        ahead = level[:, options.reach :]
    return _inverse(ahead, scale.power, scale.unit, options)


def sliding_last(values: Array, cutoffs: npt.NDArray[np.int64], count: int) -> Array:
    """The `count` values up to and with each cutoff: (C, count); NaN before the first."""
    return sliding(np.concatenate([np.full(count, np.nan), values]), count)[cutoffs + 1]
