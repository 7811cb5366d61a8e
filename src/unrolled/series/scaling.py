"""From raw values to what a network reads, and back; fitted on train only.

In order: transform (none, log, Box-Cox), change against one season before, z-score by the train
part's moments of each series. `invert` goes back from forecasts of a cutoff to original units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special, stats

from unrolled.errors import InputError
from unrolled.series.options import SeriesOptions
from unrolled.series.splits import each
from unrolled.series.windows import sliding

Array = npt.NDArray[np.float64]


class Scale(NamedTuple):
    """How one series is scaled; a row of the scaler's table."""

    unique_id: str
    power: float
    mean: float
    std: float


def scales(scaler: pd.DataFrame) -> Iterator[Scale]:
    """Go through the series of a scaler's table."""
    return map(Scale, *(scaler[name].tolist() for name in Scale._fields))


def fit(panel: pd.DataFrame, borders: pd.DataFrame, options: SeriesOptions) -> pd.DataFrame:
    """Estimate the scaling of each series on its train rows.

    Returns:
        One row a series: `unique_id`, `power` (Box-Cox's lambda; 0 is log, NaN is none), `mean`,
        `std`.

    Raises:
        InputError: a constant train part (scale zero), or a log of values that are not positive.
    """
    rows = []
    y = panel["y"].to_numpy()
    for series in each(borders):
        train = y[series.first : series.train_end]
        whole = y[series.first : series.end]
        power = _power(series.unique_id, train, whole, options.transform)
        values = _transform(train, power)
        level = _difference(values, options.warmup)[options.warmup :]
        std = float(level.std())
        # Against the values, whose rounding is all that remains of a season that repeats exactly.
        if not std > 1e-9 * np.abs(values).max():
            constant = "constant after the seasonal difference" if options.warmup else "constant"
            raise InputError(
                f"series '{series.unique_id}': its {len(train)} train rows are {constant}"
                f" ({level[0] if options.warmup else train[0]:g}), so there is no scale and nothing"
                " to learn; drop the series or change the split"
            )
        rows.append(Scale(series.unique_id, power, float(level.mean()), std))
    return pd.DataFrame(rows, columns=list(Scale._fields))


def _power(key: str, train: Array, whole: Array, transform: str) -> float:
    if transform == "none":
        return float("nan")
    # Positivity is a requirement on the data, not a statistic: looking at all rows leaks nothing.
    if not (whole > 0).all():
        raise InputError(
            f"series '{key}': transform '{transform}' needs values above 0, but the smallest is"
            f" {whole.min():g}; set transform to none"
        )
    return 0.0 if transform == "log" else _boxcox_lambda(train)


def _boxcox_lambda(train: Array) -> float:
    """Most likely lambda in [0, 2]: below 0, forecasts a little above what was seen are infinite.

    R's forecast::BoxCox.lambda has the same upper bound.
    """

    def bounded(loss: Callable[[float], float]) -> optimize.OptimizeResult:
        return optimize.minimize_scalar(loss, bounds=(0.0, 2.0), method="bounded")

    with np.errstate(invalid="ignore", divide="ignore"):  # of a constant part, which `fit` refuses
        return float(stats.boxcox_normmax(train, method="mle", optimizer=bounded))


def _transform(y: Array, power: float) -> Array:
    return y if np.isnan(power) else special.boxcox(y, power)


def _difference(level: Array, season: int) -> Array:
    """Change against one season before; the first season, which has none, is NaN."""
    if season == 0:
        return level
    return np.concatenate([np.full(season, np.nan), level[season:] - level[:-season]])


def apply(
    panel: pd.DataFrame, borders: pd.DataFrame, scaler: pd.DataFrame, options: SeriesOptions
) -> npt.NDArray[np.float32]:
    """Scale every row: float32 (N,), aligned with the panel; NaN where no season precedes."""
    y = panel["y"].to_numpy()
    scaled = np.empty(len(y), dtype=np.float32)
    for series, scale in zip(each(borders), scales(scaler), strict=True):
        rows = slice(series.first, series.end)
        level = _difference(_transform(y[rows], scale.power), options.warmup)
        scaled[rows] = (level - scale.mean) / scale.std
    return scaled


def invert(
    scaled: Array, y: Array, cutoffs: npt.NDArray[np.int64], scale: Scale, season: int
) -> Array:
    """Bring forecasts back to original units.

    Args:
        scaled: forecasts (C, K) on the network's scale.
        y: the series in original units (N,).
        cutoffs: position of the last observed row of each forecast (C,).
        scale: how the series is scaled.
        season: rows of the seasonal difference, 0 where there is none.

    Returns:
        Forecasts (C, K) in original units.
    """
    level = np.asarray(scaled, dtype=np.float64) * scale.std + scale.mean
    if season:
        horizon = level.shape[1]
        blocks = -(-horizon // season)
        padded = np.pad(level, ((0, 0), (0, blocks * season - horizon)))
        # A step beyond one season builds on the forecast one season before it.
        changes = padded.reshape(len(level), blocks, season).cumsum(axis=1)
        last = _transform(sliding_last(y, cutoffs, season), scale.power)
        level = (changes + last[:, None, :]).reshape(len(level), -1)[:, :horizon]
    if np.isnan(scale.power):
        return level
    if scale.power:  # what lies below the transform of 0 has no inverse
        level = np.maximum(level, -1 / scale.power)
    return special.inv_boxcox(level, scale.power)


def sliding_last(values: Array, cutoffs: npt.NDArray[np.int64], count: int) -> Array:
    """The `count` values up to and with each cutoff: (C, count)."""
    return sliding(values, count)[cutoffs - count + 1]
