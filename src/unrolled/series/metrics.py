"""Errors of forecasts: MAE, RMSE, sMAPE and MASE, per series first, then the mean over series.

The formulas are those of `utilsforecast.losses`, with two differences:

* sMAPE here is the M4 form, `200 |y - y_hat| / (|y| + |y_hat|)`, percent between 0 and 200.
  utilsforecast returns a fraction between 0 and 1, so its value is multiplied by 200.
* MASE of a series whose scale is 0 or unknown (a constant history, or one no longer than the
  season) is NaN, where a division would give inf.

NaN in gives NaN out: a missing forecast, target or scale makes the mean over series NaN too. A
number over fewer series than the others would look comparable and not be.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from utilsforecast.losses import mae, mase, rmse, smape

from unrolled.errors import InputError

METRICS = ("mae", "rmse", "smape", "mase")
_M4_PERCENT = 200.0


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


def score_by_step(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> pd.DataFrame:
    """Score each step of the horizon apart; arguments and errors are those of `score`.

    Returns:
        One row per step in rising order, columns `step`, `mae`, `rmse`, `smape`, `mase`.
    """
    _check(backtest, history, season)
    return _mean_over_series(_per_series(backtest, history, season)).reset_index()


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
        scale = _inverse_scale(history, backtest["unique_id"].unique(), season)
        losses["loss"] *= losses["unique_id"].map(scale)
    return losses.pivot_table(index="cutoff", columns="variant", values="loss", aggfunc="mean")


def _per_series(backtest: pd.DataFrame, history: pd.DataFrame, season: int) -> pd.DataFrame:
    """Return the four metrics by `step` and `unique_id` (the index)."""
    keys = ["step", "unique_id"]
    # utilsforecast groups by one column besides the series; we hand it the step in that place.
    losses = {
        name: loss(backtest, models=["y_hat"], cutoff_col="step").set_index(keys)["y_hat"]
        for name, loss in (("mae", mae), ("rmse", rmse), ("smape", smape))
    }
    table = pd.DataFrame(losses)
    table["smape"] *= _M4_PERCENT
    names = table.index.get_level_values("unique_id")
    table["mase"] = table["mae"] * _inverse_scale(history, names, season).loc[names].to_numpy()
    # A group's mean skips NaN, which would hide a diverged model.
    missing = backtest[["y", "y_hat"]].isna().any(axis=1)
    table.loc[pd.MultiIndex.from_frame(backtest.loc[missing, keys].drop_duplicates())] = np.nan
    return table


def _inverse_scale(history: pd.DataFrame, names: Iterable[str], season: int) -> "pd.Series[float]":
    """Return 1/scale by series: the MASE of a forecast that is wrong by exactly one."""
    unit = pd.DataFrame({"unique_id": pd.unique(pd.Series(names)), "y": 0.0, "y_hat": 1.0})
    ordered = history.sort_values(["unique_id", "ds"])
    inverse = mase(unit, models=["y_hat"], seasonality=season, train_df=ordered)
    column: pd.Series[float] = inverse.set_index("unique_id")["y_hat"]
    return column.where(np.isfinite(column))


def _mean_over_series(table: pd.DataFrame) -> pd.DataFrame:
    """Average by step, each series counting once; a NaN makes the mean NaN."""
    return table.groupby(level="step")[list(METRICS)].mean(skipna=False)


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
