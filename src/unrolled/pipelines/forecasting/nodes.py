"""Nodes of the forecasting pipeline; the work is done in the rooms below."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.comparison import champion as champions
from unrolled.comparison.champion import crown, measure, metric_of
from unrolled.comparison.leaderboard import of_series
from unrolled.comparison.records import Card, Champion, Choice, Cost, Rehearsal, Winner
from unrolled.recurrent.options import ModelOptions
from unrolled.series import backtest as backtesting
from unrolled.series import ingest as ingests
from unrolled.series import metrics, scaling, windows
from unrolled.series.backtest import before_test
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import digest, observed
from unrolled.series.reading import Reading
from unrolled.series.tables import Files
from unrolled.series.windows import starts
from unrolled.training import rows
from unrolled.training.cards import ForecasterCard, Weights
from unrolled.training.options import TrainOptions

# torch takes a second to import; only the nodes that train or run a network pay for it.

JOB = "forecasting"
Values = npt.NDArray[np.float32]
Observed = npt.NDArray[np.bool_]


def keep(series: SeriesOptions) -> SeriesOptions:
    """The options of the series, for the pipelines that read these results."""
    return series


def ingest(raw: Files, series: SeriesOptions, name: str) -> tuple[pd.DataFrame, Reading]:
    """Bring the user's rows into long form on a regular grid.

    Returns:
        The panel; how its file was read, for every later file of the series.
    """
    return ingests.of_files(raw, series, name)


def generate(series: SeriesOptions, name: str) -> tuple[pd.DataFrame, Reading]:
    """Make the generated series; returns as `ingest`."""
    return ingests.of_generator(series, name)


def split(panel: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Cut every series in time order, and check that each part holds a window."""
    return ingests.split(panel, series)


def fit_scaler(panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Estimate transform and scale on train rows only."""
    return scaling.fit(panel, borders, series)


def scale(
    panel: pd.DataFrame, borders: pd.DataFrame, scaler: pd.DataFrame, series: SeriesOptions
) -> tuple[Values, Observed]:
    """Scale every row, aligned with the panel; and which rows were observed."""
    return scaling.apply(panel, borders, scaler, series), observed(panel)


def window(borders: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Say where the windows of each part start."""
    return windows.table(borders, series)


def train(
    values: Values,
    observed: Observed,
    windows: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    variant: str,
    seed: int,
) -> tuple[Weights, ForecasterCard, pd.DataFrame]:
    """Fit one variant with one seed.

    Returns:
        Its weights, its options and cost, its learning curve.
    """
    from unrolled.gradients import health
    from unrolled.training import forecasting

    began, label = time.perf_counter(), f"{variant} seed {seed}"
    curves: list[pd.DataFrame] = []
    weights, history, parameters = forecasting.fit_forecaster(
        np.array(values),
        observed,
        windows,
        series,
        model,
        training,
        seed,
        label,
        health.watch(curves),
    )
    if model.attention == "none":  # which is a way past the recurrence
        health.warn(label, curves, model)
    kept = forecasting.kept(history, training)
    card = ForecasterCard(
        **dict(forecasting.spec(series, model, training, seed)),
        variant=variant,
        parameters=parameters,
        epoch=round(kept.epoch),
        validation_loss=kept.validation_loss,
        train_seconds=time.perf_counter() - began,
    )
    curve = pd.DataFrame([asdict(row) for row in history]).drop(columns="step")
    curve = curve.astype({"epoch": int}).assign(variant=variant, seed=seed)
    return weights, card, curve


def plan_rehearsals(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions
) -> pd.DataFrame:
    """Say where the rehearsals before the test part begin and end."""
    return backtesting.plan_rehearsals(panel, borders, series)


def look_inside(
    weights: Weights,
    card: ForecasterCard,
    values: Values,
    windows: pd.DataFrame,
    series: SeriesOptions,
) -> pd.DataFrame:
    """Gates, states and attention while the window before the first cutoff of the test is read."""
    from unrolled.training import forecasting

    first = int(starts(windows, "test")[0])
    return forecasting.look_inside(weights, card, np.array(values), first, series)


def median(variant: str, *seeds: pd.DataFrame) -> pd.DataFrame:
    """The median of the seeds' forecasts, row by row, as forecasts of `variant`."""
    return rows.median(variant, seeds)


def median_cost(variant: str, *cards: ForecasterCard) -> Cost:
    """Parameters and training time of all seeds together."""
    return rows.median_cost(variant, cards)


def validate(
    rehearsed: pd.DataFrame,
    panel: pd.DataFrame,
    rehearsals: pd.DataFrame,
    series: SeriesOptions,
    variant: str,
) -> Rehearsal:
    """Score an ensemble's rehearsals."""
    return rows.validation(rehearsed, panel, rehearsals, series, (variant, "ensemble", None))


def score(
    backtest: pd.DataFrame,
    validation: Rehearsal,
    cost: Cost,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Metrics of one variant and seed over all steps of the test part, beside its rehearsals' and cost."""
    return rows.score(backtest, validation, cost, panel, borders, series)


def describe(
    panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions, name: str, source: str
) -> dict[str, Any]:
    """Say what the data are: where from, which rows, under which licence, with their SHA-256."""
    return {
        "name": name,
        "source": source or f"generated: {series.generator}",
        "licence": series.licence or ("none needed" if series.generator else None),
        "sha256": digest(panel),
        "unit": "rows",
        **{part: int(borders[part].sum()) for part in ("train", "validation", "test")},
        "columns": {column: str(kind) for column, kind in panel.dtypes.items()},
        "series": len(borders),
        "first": str(panel["ds"].min()).removesuffix(" 00:00:00"),
        "last": str(panel["ds"].max()).removesuffix(" 00:00:00"),
    }


def choose(*found: Rehearsal | Card) -> Choice:
    """Choose winner and champion by the rehearsals of all rows, and where there are none by the cards."""
    return champions.choose(
        [one for one in found if isinstance(one, Rehearsal)],
        [one for one in found if isinstance(one, Card)],
    )


def protocol(
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    name: str,
    seeds: list[int],
) -> str:
    """Say on what data and how the numbers of this run were measured, in one line."""
    return backtesting.protocol(panel, borders, series, name, seeds)


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all variants and seeds under one another."""
    return pd.concat(frames, ignore_index=True)


def score_by_step(
    backtest: pd.DataFrame, panel: pd.DataFrame, borders: pd.DataFrame, series: SeriesOptions
) -> pd.DataFrame:
    """Metrics per horizon step, means over seeds: `variant, step, mae, rmse, smape, mase`."""
    return metrics.score_rows_by_step(backtest, before_test(panel, borders), series.season)


def leaderboard(*scores: dict[str, Any]) -> pd.DataFrame:
    """One row a variant, ensemble or baseline, means over seeds, best MASE first (MAE where none is)."""
    return of_series(scores, metrics.METRICS)


def forecast(choice: Choice, *ahead: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What comes after the last row, by the winner and by the champion.

    Returns:
        `unique_id, ds, variant, y_hat`; and of the winner `unique_id, ds, cutoff, y_hat`, the cutoff
        the last row read.
    """
    return rows.chosen(choice, ahead)


def champion(
    choice: Choice,
    leaderboard: pd.DataFrame,
    backtest: pd.DataFrame,
    digests: dict[str, str],
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    series: SeriesOptions,
    name: str,
) -> Champion:
    """Set the network that the rehearsals chose beside the best baseline, cutoff by cutoff."""
    chosen = choice.champion
    history, metric = before_test(panel, borders), metric_of(leaderboard)
    own = backtest[(backtest["variant"] == chosen.variant) & (backtest["seed"] == chosen.seed)]
    seed_score = metrics.score(own, history, series.season)[metric]
    losses = metrics.loss_by_cutoff(backtest, history, series.season, metric)
    return crown(
        chosen, leaderboard, seed_score, losses, series.horizon, digests, "scaler.csv", JOB, name
    )


def winner(choice: Choice, leaderboard: pd.DataFrame, digests: dict[str, str], name: str) -> Winner:
    """Set the row that the rehearsals chose, of any kind, beside the best one of the test part."""
    return measure(choice, leaderboard, digests, "scaler.csv", JOB, name)
