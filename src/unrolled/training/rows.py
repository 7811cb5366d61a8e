"""A row of the leaderboard: what it forecasts, under its name, and how it is scored."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from unrolled.comparison.leaderboard import COST, NOTE, VALIDATION
from unrolled.comparison.records import Card, Choice, Cost, Kind, Rehearsal
from unrolled.records import finite
from unrolled.recurrent.options import ModelOptions
from unrolled.series import backtest as backtesting
from unrolled.series import metrics, scaling, splits, windows
from unrolled.series.backtest import Cutoffs, Forecast, Forecasts, before_test
from unrolled.series.filling import drawn
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import observed
from unrolled.series.splits import Parts
from unrolled.training.cards import ForecasterCard, ForecasterSpec
from unrolled.training.options import TrainOptions

# torch takes a second to import; only what trains or runs a network pays for it.

Row = tuple[str, Kind, int | None]  # variant, kind, seed


def of_network(
    weights: dict[str, Any],
    card: ForecasterSpec,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> Forecast:
    """A trained network, on the series of `borders` and `scaler`."""
    from unrolled.training import forecasting

    y = drawn(panel, splits.each(borders), series.fill)
    scaled = scaling.apply(panel, borders, scaler, series)
    # A window holds its targets too; past the last row there are none to read.
    padded = np.concatenate([scaled, np.full(series.horizon, np.nan, np.float32)])
    scales = {scale.unique_id: scale for scale in scaling.scales(scaler)}

    def forecast(parts: Parts, cutoffs: Cutoffs) -> Forecasts:
        first = cutoffs + 1 - series.context
        ahead = forecasting.predict(weights, card, padded, first, series)
        own, places = y[parts.first : parts.end], cutoffs - parts.first
        return scaling.invert(ahead, own, places, scales[parts.unique_id], series)

    return forecast


def fit_network(
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    seed: int,
    label: str,
) -> Forecast:
    """Play the whole protocol before a test part: scale, cut into windows, train, validate."""
    from unrolled.training import forecasting

    scaler = scaling.fit(panel, borders, series)
    values = scaling.apply(panel, borders, scaler, series)
    table = windows.table(borders, series)
    weights = forecasting.fit_weights(
        values, observed(panel), table, series, model, training, seed, label
    )
    card = forecasting.spec(series, model, training, seed)
    return of_network(weights, card, panel, borders, scaler, series)


def rehearse_network(
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    variant: str,
    seed: int,
) -> tuple[pd.DataFrame, Rehearsal]:
    """Train one variant with one seed anew for every rehearsal, and score what it forecasts there."""

    def fit(borders: pd.DataFrame) -> Forecast:
        label = f"{variant} seed {seed}, rehearsal"
        return fit_network(panel, borders, series, model, training, seed, label)

    frame = backtesting.rehearse(panel, rehearsals, series, fit)
    row: Row = (variant, "recurrent", seed)
    return _of(frame, row), validation(frame, panel, rehearsals, series, row)


def rehearse_baseline(
    panel: pd.DataFrame, rehearsals: pd.DataFrame, series: SeriesOptions, variant: str
) -> Rehearsal:
    """The score of a baseline; all rehearsals together fit it as often as the test part does."""
    fits = -(-series.statistical_fits // splits.REHEARSALS)

    limit = backtesting.limit_of(series, len(rehearsals))

    def fit(_: pd.DataFrame) -> Forecast:
        return backtesting.of_baseline(variant, panel, series, fits, limit)

    frame = backtesting.rehearse(panel, rehearsals, series, fit)
    found = validation(frame, panel, rehearsals, series, (variant, "baseline", None))
    note = f"rehearsals: {limit.note}" if limit.note else None
    return found.model_copy(update={"note": note})


def validation(
    frame: pd.DataFrame,
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    row: Row,
) -> Rehearsal:
    """The score of a row in the rehearsals."""
    variant, kind, seed = row
    scores = backtesting.score_rehearsals(frame, panel, rehearsals, series)
    return Rehearsal(variant=variant, kind=kind, seed=seed, **scores)


def backtest_network(
    weights: dict[str, Any],
    card: ForecasterCard,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast with one trained network: from every cutoff of the test part, and after the last row."""
    forecast = of_network(weights, card, panel, borders, scaler, series)
    return _forecasts(panel, borders, series, (card.variant, "recurrent", card.seed), forecast)


def backtest_baseline(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, variant: str
) -> tuple[pd.DataFrame, pd.DataFrame, Cost]:
    """The same with one baseline, fitted on all rows for what comes after them; and its cost."""
    began = time.perf_counter()
    row: Row = (variant, "baseline", None)
    limit = backtesting.limit_of(series, 2 * len(borders))  # the test part, and after the last row
    forecast = backtesting.of_baseline(variant, panel, series, limit=limit)
    frames = _forecasts(panel, borders, series, row, forecast)
    cost = Cost(
        variant=variant,
        kind="baseline",
        parameters=None,
        train_seconds=time.perf_counter() - began,
        note=limit.note or None,
    )
    return *frames, cost


def _forecasts(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, row: Row, forecast: Forecast
) -> tuple[pd.DataFrame, pd.DataFrame]:
    known = backtesting.over_cutoffs(panel, borders, series, forecast)
    return _of(known, row), _of(backtesting.ahead(panel, series, forecast), row)


def _of(frame: pd.DataFrame, row: Row) -> pd.DataFrame:
    """Say in a frame of forecasts whose they are."""
    variant, _, seed = row
    seeds = pd.array([seed if seed is not None else pd.NA] * len(frame), dtype="Int64")
    return frame.assign(variant=variant, seed=seeds)


def median(variant: str, seeds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The median of the seeds' forecasts, row by row, as forecasts of `variant`."""
    first = seeds[0]
    y_hat = np.median([frame["y_hat"].to_numpy(dtype=np.float64) for frame in seeds], axis=0)
    return _of(first.assign(y_hat=y_hat), (variant, "ensemble", None))


def median_cost(variant: str, cards: Sequence[Card]) -> Cost:
    """Parameters and training time of all seeds together."""
    return Cost(
        variant=variant,
        kind="ensemble",
        seeds=len(cards),
        parameters=sum(card.parameters or 0 for card in cards),
        train_seconds=sum(card.train_seconds for card in cards),
    )


def score(
    backtest: pd.DataFrame,
    rehearsal: Rehearsal,
    cost: Cost,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Metrics of one variant and seed over all steps of the test part, beside its rehearsals' and cost."""
    scores = metrics.score(backtest, before_test(panel, borders), series.season)
    own = cost.model_dump(include={"variant", "kind", *COST, "seeds"})
    found = own | finite(scores) | rehearsal.model_dump(include=set(VALIDATION))
    return found | {NOTE: "; ".join(filter(None, [cost.note, rehearsal.note])) or None}


def chosen(choice: Choice, ahead: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What comes after the last row, by the winner and by the champion.

    Returns:
        `unique_id, ds, variant, y_hat`; and of the winner `unique_id, ds, cutoff, y_hat`, the cutoff
        the last row read.
    """
    every = pd.concat(ahead, ignore_index=True)
    rows = {name: choice.rows[name] for name in (choice.winner, choice.champion.variant)}
    frames = []
    for name, row in rows.items():
        own = every[every["variant"] == name]
        if row.kind == "recurrent":  # its best seed, as it would be deployed
            own = own[own["seed"] == row.seeds[0]]
        frames.append(own)
    columns = ["unique_id", "ds", "variant", "y_hat"]
    return (
        pd.concat(frames, ignore_index=True)[columns],
        frames[0].reset_index(drop=True)[["unique_id", "ds", "cutoff", "y_hat"]],
    )
