"""Forecasts of one row of the leaderboard, network or baseline, by the same code at the same cutoffs.

A `Forecast` is what both come to: given one series and some cutoffs, the horizon after each of them.
`over_cutoffs` asks it for the test part, `rehearse` for parts before it, `ahead` for what nobody knows.

Letters: N rows of the panel, C cutoffs, K steps of the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.series import metrics, splits
from unrolled.series.baselines import BASELINES, Limit, Task
from unrolled.series.filling import drawn
from unrolled.series.grid import Step
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import OBSERVED, following, observed
from unrolled.series.selection import unusable
from unrolled.series.splits import Parts

Cutoffs = npt.NDArray[np.int64]  # (C,), rows of the panel, rising
Forecasts = npt.NDArray[np.float64]  # (C, K), original units
Forecast = Callable[[Parts, Cutoffs], Forecasts]

REHEARSAL_COLUMNS = ["unique_id", "ds", "cutoff", "step", "y", "y_hat", "rehearsal"]


# --- what forecasts -------------------------------------------------------------------------------


def of_baseline(
    variant: str,
    panel: pd.DataFrame,
    series: SeriesOptions,
    fits: int | None = None,
    limit: Limit | None = None,
) -> Forecast:
    """A baseline, fitted on the rows of each series before its test part.

    Args:
        variant: its name.
        panel: long form, sorted.
        series: options.
        fits: of a statistical model at most, over all cutoffs; None: `series.statistical_fits`.
        limit: the time for them; None: as long as they take.
    """

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        y = drawn(panel, [parts], series.fill)[parts.first : parts.end]
        refit_every = math.ceil(len(cutoffs) / (fits or series.statistical_fits))
        task = replace(task_of(parts, series, refit_every), limit=limit)
        return BASELINES[variant].forecast(y, cutoffs - parts.first, task)

    return forecast


def limit_of(series: SeriesOptions, calls: int) -> Limit:
    """The time that a baseline may take for its fits on one part of the data, from now on."""
    return Limit(series.statistical_seconds, max(calls, 1))


def task_of(parts: Parts, series: SeriesOptions, refit_every: int = 1) -> Task:
    """What a baseline is asked on one series."""
    return Task(
        horizon=series.horizon,
        season=series.season,
        lookback=series.lookback,
        train_end=parts.train,
        validation_end=parts.train + parts.validation,
        refit_every=refit_every,
    )


# --- what is asked --------------------------------------------------------------------------------


def over_cutoffs(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, forecast: Forecast
) -> pd.DataFrame:
    """Forecast from every cutoff of the test part, its truth beside it.

    Returns:
        `unique_id, ds, cutoff, step, y, y_hat`, one row a series, cutoff and step whose truth was
        observed.
    """
    y, ds, seen = panel["y"].to_numpy(), panel["ds"].to_numpy(), observed(panel)
    step = np.arange(1, series.horizon + 1)
    frames = []
    for parts in splits.each(borders):
        # The first cutoff is the last row before the test part: all targets lie in the test part.
        cutoffs = np.arange(parts.validation_end - 1, parts.end - series.horizon, dtype=np.int64)
        target = cutoffs[:, None] + step  # (C, K)
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": parts.unique_id,
                    "ds": ds[target].ravel(),
                    "cutoff": np.repeat(ds[cutoffs], series.horizon),
                    "step": np.tile(step, len(cutoffs)),
                    "y": y[target].ravel(),
                    "y_hat": forecast(parts, cutoffs).ravel(),
                }
            )[seen[target].ravel()]
        )
    return pd.concat(frames, ignore_index=True)


def ahead(
    panel: pd.DataFrame,
    series: SeriesOptions,
    forecast: Forecast,
    step_of: Callable[[str], Step | None] | None = None,
) -> pd.DataFrame:
    """Forecast the horizon after the last row of every series; a baseline is fitted on all rows.

    Args:
        panel: long form, sorted.
        series: options.
        forecast: what forecasts.
        step_of: the step of a series, where it is known; else its last rows tell.

    Returns:
        `unique_id, ds, cutoff, y_hat`, K rows a series; the cutoff is its last row.
    """
    frames = []
    for parts in splits.each(splits.borders(panel, series.validation, 0)):
        times = panel["ds"].iloc[parts.first : parts.end]
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": parts.unique_id,
                    "ds": following(
                        times, series.horizon, step_of(parts.unique_id) if step_of else None
                    ),
                    "cutoff": times.iloc[-1],
                    "y_hat": forecast(parts, np.array([parts.end - 1])).ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


# --- rehearsals -----------------------------------------------------------------------------------


def plan_rehearsals(
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    origins: int = splits.REHEARSALS,
) -> pd.DataFrame:
    """Borders of every rehearsal under one another, oldest first, each with its `rehearsal` number.

    A series that cannot be scaled on so few rows (a constant beginning) is left out of it, so that
    every row of the leaderboard is rehearsed on the same series.
    """
    tables = []
    for number, table in enumerate(splits.rehearsals(borders, series, origins)):
        usable = [not unusable(panel, table.iloc[[row]], series) for row in range(len(table))]
        tables.append(table[usable].assign(rehearsal=number))
    empty = borders.iloc[:0].assign(rehearsal=0)
    return pd.concat([empty, *tables], ignore_index=True).astype({"rehearsal": int})


def rehearse(
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    fit: Callable[[pd.DataFrame], Forecast],
) -> pd.DataFrame:
    """Forecast from every cutoff of every rehearsal.

    Args:
        panel: long form, sorted.
        rehearsals: as `plan_rehearsals` gives them.
        series: options.
        fit: makes the forecast of a table of borders, given what lies before its test parts.

    Returns:
        As `over_cutoffs`, with the number of the `rehearsal`; no row where there is none.
    """
    frames = [
        over_cutoffs(panel, table, series, fit(table)).assign(rehearsal=number)
        for number, table in rehearsals.groupby("rehearsal")
    ]
    return (
        pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=REHEARSAL_COLUMNS)
    )


def score_rehearsals(
    rehearsed: pd.DataFrame, panel: pd.DataFrame, rehearsals: pd.DataFrame, series: SeriesOptions
) -> dict[str, float]:
    """Mean over rehearsals: `validation_mase`, `validation_mae` (unit of y); NaN where there is none.

    The scale of MASE comes from the rows before each rehearsal's own test part.
    """
    scores = [
        metrics.score(
            rehearsed[rehearsed["rehearsal"] == number], before_test(panel, table), series.season
        )
        for number, table in rehearsals.groupby("rehearsal")
    ]
    return {
        f"validation_{name}": float(np.mean([score[name] for score in scores]))
        if scores
        else math.nan
        for name in ("mase", "mae")
    }


def before_test(panel: pd.DataFrame, borders: pd.DataFrame) -> pd.DataFrame:
    """All rows before the test part, for MASE's in-sample scale; `y` is NaN where it was filled."""
    seen = panel.assign(y=panel["y"].where(observed(panel))) if OBSERVED in panel else panel
    return pd.concat(
        [seen.iloc[parts.first : parts.validation_end] for parts in splits.each(borders)]
    )


def protocol(
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    name: str,
    seeds: list[int],
) -> str:
    """Say on what data and how the numbers of this run were measured, in one line."""
    many = len(borders)
    parts = next(splits.each(borders))
    cutoffs = sum(each.test - series.horizon + 1 for each in splits.each(borders))
    begin = str(panel["ds"].iloc[parts.validation_end]).removesuffix(" 00:00:00")
    data = f"{name}: {f'{many} series, ' if many > 1 else ''}{len(panel)} rows"
    rows = [int(borders[part].sum()) for part in ("train", "validation", "test")]
    split = f"train {rows[0]}, validation {rows[1]}, test {rows[2]}"
    split += "" if many > 1 else f" from {begin}"
    tried = f"seeds {', '.join(map(str, seeds))}"
    without = metrics.unscaled(before_test(panel, borders), series.season)
    scaled = f"; MASE without {without} series that have no scale" if without else ""
    return f"{data} ({split}); horizon {series.horizon}, {cutoffs} cutoffs; {tried}{scaled}"
