"""Is a forecaster in service still worth its place? Stored forecasts against what came true.

A forecast is scored once its true value has arrived, beside the seasonal naive forecast from the
same cutoff. `verdict` holds the rule that asks for a new training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.series import splits
from unrolled.series.panel import OBSERVED, observed

NEEDED = ["unique_id", "ds", "cutoff", "y_hat"]


class MonitorOptions(BaseModel):
    """When a forecaster in service is to be trained anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    last: int = Field(
        12, ge=1, description="days that decide, the latest with true values; steps without dates"
    )
    tolerance: float = Field(
        0.0, ge=0, description="how far outside the training range is no alarm, as a share of it"
    )


def match(forecasts: pd.DataFrame, panel: pd.DataFrame, season: int) -> pd.DataFrame:
    """Put the true value and the seasonal naive forecast beside each stored forecast.

    Args:
        forecasts: `unique_id, ds, cutoff, y_hat`; of the same forecast made twice the last counts.
        panel: the series as known today, every row on a regular grid.
        season: steps in a season; 1 compares with persistence.

    Returns:
        Those forecasts whose `ds` has come, with `y` and `seasonal_naive`; without those that lie
        within the first season.

    Raises:
        InputError: a missing column, a series or a cutoff that the panel does not have, no true
            value yet, or none with a season before it.
    """
    absent = [name for name in NEEDED if name not in forecasts]
    if absent:
        raise InputError(
            f"stored forecasts have the columns {', '.join(map(str, forecasts))}, but"
            f" {', '.join(absent)} is missing; expected those that the pipeline forecast writes"
        )
    known = panel.drop(columns=OBSERVED, errors="ignore").assign(
        position=panel.groupby("unique_id").cumcount()
    )
    places = known.set_index(["unique_id", "ds"])["position"]
    stored = forecasts.drop_duplicates(["unique_id", "ds", "cutoff"], keep="last")
    strangers = sorted(set(stored["unique_id"]) - set(panel["unique_id"]))
    if strangers:
        raise InputError(
            f"stored forecasts are of the series '{strangers[0]}', which is not among the"
            f" {panel['unique_id'].nunique()} of the data; monitor the data that were forecast"
        )
    _check_cutoffs(stored, panel)
    known = known.rename(columns={"position": "target"})
    found = stored.merge(known[observed(panel)], on=["unique_id", "ds"])
    if found.empty:
        raise InputError(
            f"none of the {len(stored)} stored forecasts has come true: the first is for"
            f" {stored['ds'].min()}, the last true value is of {panel['ds'].max()}; add the new rows"
            " to the series"
        )
    origin = places.loc[pd.MultiIndex.from_frame(found[["unique_id", "cutoff"]])].to_numpy()
    ahead = found["target"].to_numpy() - origin
    found["before"] = found["target"] - season * -(-ahead // season)
    values = known.rename(columns={"target": "before", "y": "seasonal_naive"})
    compared = found.merge(values.drop(columns="ds"), on=["unique_id", "before"])
    if compared.empty:
        raise InputError(
            f"the {len(found)} stored forecasts that have come true lie within the first season of"
            f" {season} steps, so seasonal naive has no value for them; shorten season"
        )
    return compared[[*NEEDED, "y", "seasonal_naive"]]


def _check_cutoffs(stored: pd.DataFrame, panel: pd.DataFrame) -> None:
    keys = ["unique_id", "ds"]
    asked = stored[["unique_id", "cutoff"]].drop_duplicates().rename(columns={"cutoff": "ds"})
    if asked["ds"].dtype.kind != panel["ds"].dtype.kind:
        raise InputError(
            f"stored forecasts have cutoffs of type {asked['ds'].dtype}, the data times of type"
            f" {panel['ds'].dtype}; monitor the data that were forecast"
        )
    lost = asked.merge(panel[keys], on=keys, how="left", indicator=True)
    lost = lost[lost["_merge"] == "left_only"]
    if len(lost):
        first = lost.iloc[0]
        raise InputError(
            f"stored forecasts of series '{first['unique_id']}' start from {first['ds']}, a time"
            " that the data do not have; monitor the data that were forecast"
        )


def by_day(matched: pd.DataFrame) -> pd.DataFrame:
    """Errors by the day forecast (by step where time is a number), over all series and cutoffs.

    Returns:
        `ds`, `forecasts` (their number), `mae`, `seasonal_naive_mae`, in rising order.
    """
    day = matched["ds"]
    day = day.dt.floor("D") if day.dtype.kind == "M" else day
    errors = pd.DataFrame(
        {
            "ds": day,
            "mae": (matched["y"] - matched["y_hat"]).abs(),
            "seasonal_naive_mae": (matched["y"] - matched["seasonal_naive"]).abs(),
        }
    )
    table = errors.groupby("ds").mean()
    table.insert(0, "forecasts", errors.groupby("ds").size())
    return table.reset_index()


def training_range(panel: pd.DataFrame, borders: pd.DataFrame) -> pd.DataFrame:
    """Least and greatest value of each series before its test part: `unique_id, least, greatest`.

    Args:
        panel: the series as they were when the network was trained.
        borders: how they were split.
    """
    y = panel["y"].to_numpy()
    rows = [
        (parts.unique_id, y[parts.first : parts.validation_end]) for parts in splits.each(borders)
    ]
    return pd.DataFrame(
        [(name, own.min(), own.max()) for name, own in rows],
        columns=["unique_id", "least", "greatest"],
    )


def outside(panel: pd.DataFrame, known: pd.DataFrame, options: MonitorOptions) -> int:
    """How many of the last values of the series lie outside what training saw.

    Args:
        panel: the series as known today; the last `options.last` rows of each are looked at.
        known: as `training_range` gives it.
        options: how many rows, and how far outside is too far.
    """
    recent = panel.groupby("unique_id").tail(options.last).merge(known, on="unique_id")
    slack = options.tolerance * (recent["greatest"] - recent["least"])
    beyond = (recent["y"] < recent["least"] - slack) | (recent["y"] > recent["greatest"] + slack)
    return int(beyond.sum())


def verdict(days: pd.DataFrame, strange: int, options: MonitorOptions) -> dict[str, Any]:
    """Decide whether to train anew: worse than seasonal naive lately, or strange inputs.

    Args:
        days: as `by_day` gives it; the last `options.last` of them count.
        strange: as `outside` gives it.
        options: how many days count.

    Returns:
        `days`, `mae` and `seasonal_naive_mae` over these days (each forecast counts once),
        `outside_range`, `retrain` and a `sentence` that says why.
    """
    recent = days.tail(options.last)
    ours, theirs = (
        float(np.average(recent[name], weights=recent["forecasts"]))
        for name in ("mae", "seasonal_naive_mae")
    )
    compared = f"MAE {ours:.4g} against {theirs:.4g} of seasonal naive over {len(recent)} days"
    strangeness = f"{strange} of the latest values outside the training range"
    reasons = [compared] * (ours > theirs) + [strangeness] * (strange > 0)
    sentence = (
        f"Retrain: {'; '.join(reasons)}."
        if reasons
        else f"Keep: {compared}, no values outside the training range."
    )
    return {
        "days": len(recent),
        "mae": ours,
        "seasonal_naive_mae": theirs,
        "outside_range": strange,
        "retrain": bool(reasons),
        "sentence": sentence,
    }
