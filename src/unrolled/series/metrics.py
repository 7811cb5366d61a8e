"""Errors of forecasts: MAE, RMSE, sMAPE and MASE, per series first, then the mean over series.

sMAPE is the M4 form, `200 |y - y_hat| / (|y| + |y_hat|)`, percent between 0 and 200, and 0 where both
are 0. A series whose scale is 0 or unknown (a constant history, or one no longer than the season) has
no MASE: it is left out of that mean, for every model alike, and where all are the mean is NaN.

NaN in gives NaN out, and so does what is infinite: a missing forecast or target makes the mean over
series NaN too. A number over fewer series than the others would look comparable and not be.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.errors import InputError
from unrolled.series.units import unit

Array = npt.NDArray[np.float64]
_M4_PERCENT = 200.0


class Metric(NamedTuple):
    """A metric: the loss of each forecast, and what the means of one step and series become.

    Attributes:
        loss: of targets and forecasts (N,), given a unit of their errors that is of order one.
        of: means (S,) of these losses, given that unit and MASE's scale of each series (S,).
        scaled: whether series without a scale are left out.
    """

    loss: Callable[[Array, Array, float], Array]
    of: Callable[[Array, float, Array], Array] = lambda mean, one, scale: mean
    scaled: bool = False


def _error(y: Array, y_hat: Array, one: float) -> Array:
    return np.abs(y_hat - y)


def _square(y: Array, y_hat: Array, one: float) -> Array:
    return (_error(y, y_hat, one) / one) ** 2  # the square of what is tiny would be 0


def _percent(y: Array, y_hat: Array, one: float) -> Array:
    error, size = np.abs(y_hat - y), np.abs(y_hat) + np.abs(y)
    return _M4_PERCENT * np.divide(error, size, out=np.zeros_like(error), where=size != 0)


# In the order of a table's columns; MASE, by which it is sorted, the last.
METRICS = {
    "mae": Metric(_error),
    "rmse": Metric(_square, lambda mean, one, scale: one * mean**0.5),
    "smape": Metric(_percent),
    "mase": Metric(_error, lambda mean, one, scale: mean / scale, scaled=True),
}


def score(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> dict[str, float]:
    """Score one model's backtest over all cutoffs and steps.

    Args:
        backtest: one row per series, cutoff and step, with columns `unique_id`, `step`, `y` and
            `y_hat`; `variant` and `seed`, if there, hold one value each.
        history: the rows before the test part, columns `unique_id`, `ds`, `y`; gives MASE's scale,
            the mean absolute seasonal difference.
        season: lag m of the scale, in rows; 1 for none.

    Returns:
        `mae` and `rmse` in the unit of y, `smape` in percent 0 to 200, `mase` without unit.

    Raises:
        InputError: if a column is missing, the backtest is empty or holds several variants or
            seeds, a series has no history, or the season is below 1.

    Source:
        Hyndman & Koehler (2006), Int. J. Forecasting 22:679 (MASE); Makridakis et al. (2020),
        Int. J. Forecasting 36:54 (the M4 sMAPE).
    """
    _check(backtest, history, season)
    means = _mean_over_series(_per_series(backtest.assign(step=0), history, season))
    return {name: float(means[name].iloc[0]) for name in METRICS}


def unscaled(history: pd.DataFrame, season: int) -> int:
    """How many series MASE leaves out, since they have no scale; arguments are those of `score`."""
    return int(_scale(history, season).isna().sum())


def score_by_step(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> pd.DataFrame:
    """Score each step of the horizon apart; arguments and errors are those of `score`.

    Returns:
        One row per step in rising order, columns `step`, `mae`, `rmse`, `smape`, `mase`.
    """
    _check(backtest, history, season)
    return _mean_over_series(_per_series(backtest, history, season)).reset_index()


def score_rows_by_step(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> pd.DataFrame:
    """The same of several variants and seeds, means over seeds: `variant, step, mae, rmse, smape, mase`."""
    frames = [
        score_by_step(frame, history, season).assign(variant=frame["variant"].iloc[0])
        for _, frame in backtest.groupby(["variant", "seed"], dropna=False, sort=False)
    ]
    steps = pd.concat(frames)
    by = steps.groupby(["variant", "step"], sort=False)
    return by[list(METRICS)].mean(skipna=False).reset_index()


def loss_by_cutoff(
    backtest: pd.DataFrame, history: pd.DataFrame, season: int, metric: str
) -> pd.DataFrame:
    """Loss of every variant at every cutoff, for a paired test.

    Args:
        backtest: as for `score`, but of several variants and seeds.
        history: as for `score`.
        season: as for `score`.
        metric: `mase`, or `mae` for absolute errors as they are.

    Returns:
        One row a cutoff in rising order, one column a variant: means over steps, seeds and series.
    """
    losses = backtest.assign(loss=(backtest["y"] - backtest["y_hat"]).abs())
    if metric == "mase":
        losses["loss"] /= losses["unique_id"].map(_scale(history, season))
    return losses.pivot_table(index="cutoff", columns="variant", values="loss", aggfunc="mean")


def _per_series(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> pd.DataFrame:
    """All metrics by `step` and `unique_id` (the index), and MASE's scale."""
    y = backtest["y"].to_numpy(dtype=np.float64)
    y_hat = backtest["y_hat"].to_numpy(dtype=np.float64)
    keys = [backtest[name].to_numpy() for name in ("step", "unique_id")]
    with np.errstate(invalid="ignore", over="ignore"):  # what is beyond all numbers becomes none
        one = unit(np.abs(y_hat - y))
        losses = pd.DataFrame({name: own.loss(y, y_hat, one) for name, own in METRICS.items()})
        # skipping NaN would hide a diverged model
        means = losses.groupby(keys).mean(skipna=False).rename_axis(["step", "unique_id"])
        names = means.index.get_level_values("unique_id")
        scale = np.asarray(_scale(history, season).loc[names], dtype=np.float64)
        table = pd.DataFrame(
            {name: own.of(means[name].to_numpy(), one, scale) for name, own in METRICS.items()},
            index=means.index,
        )
    return table.assign(scale=scale)


def _scale(history: pd.DataFrame, season: int) -> "pd.Series[float]":
    """The mean absolute seasonal difference by series; NaN where it is 0 or there is none."""
    series = history.sort_values(["unique_id", "ds"]).groupby("unique_id", sort=False)["y"]
    scale = series.diff(season).abs().groupby(history["unique_id"]).mean()
    return scale.where(scale > 0)


def _mean_over_series(table: pd.DataFrame) -> pd.DataFrame:
    """Average by step, each series counting once; what is scaled over those with a scale."""
    every, scaled = (
        rows.groupby(level="step")[list(METRICS)].mean(skipna=False)
        for rows in (table, table[table["scale"].notna()])
    )
    means = every.assign(**{name: scaled[name] for name, own in METRICS.items() if own.scaled})
    return means.where(np.isfinite(means))


def _check(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> None:
    """Raise a sentence for what would otherwise give a wrong number without a sound."""
    for name, frame, needed in (
        ("backtest", backtest, {"unique_id", "step", "y", "y_hat"}),
        ("history", history, {"unique_id", "ds", "y"}),
    ):
        absent = sorted(needed - set(frame.columns))
        if absent:
            raise InputError(
                f"{name}: columns are {list(frame.columns)}, but {absent} are needed too; add them"
            )
    if backtest.empty:
        raise InputError("backtest: 0 rows, but a score needs at least 1; check the cutoffs")
    if season < 1:
        raise InputError(f"season is {season}, but 1 (none) is the least; set the season in rows")
    for column in ("variant", "seed"):
        values = backtest[column].unique() if column in backtest else ()
        if len(values) > 1:
            raise InputError(
                f"backtest: column '{column}' holds {len(values)} values, but one score is for "
                "one; group by variant and seed first"
            )
    orphans = sorted(set(backtest["unique_id"]) - set(history["unique_id"]))
    if orphans:
        raise InputError(
            f"history: {len(orphans)} series of the backtest are not in it, the first is "
            f"'{orphans[0]}', but MASE needs the rows of each before the test; add them"
        )
