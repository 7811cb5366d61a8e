"""New rows, forecast by a row of the leaderboard or by the model in front in MLflow's registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from unrolled.errors import InputError
from unrolled.series import backtest, splits
from unrolled.series.baselines import least_rows
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import PANEL_COLUMNS
from unrolled.series.reading import Reading
from unrolled.series.selection import without
from unrolled.serving import registry
from unrolled.serving.forecaster import MAX_ROWS
from unrolled.training.cards import ForecasterCard, TrainedRow
from unrolled.training.rows import of_network

if TYPE_CHECKING:
    from mlflow import MlflowClient

Frames = tuple[pd.DataFrame, pd.DataFrame]


def by_row(
    panel: pd.DataFrame,
    row: TrainedRow[ForecasterCard],
    how: Reading,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> Frames:
    """Forecast the horizon after the last row of every series by a row of the leaderboard.

    Returns:
        `unique_id, ds, variant, y_hat`; and `unique_id, ds, cutoff, y_hat`, the cutoff the last row read.

    Raises:
        InputError: too few rows of a series, or one that was not there in training.
    """
    variant = row.variant
    if not row.networks:
        panel = _long_enough(panel, variant, least_rows(variant, series.season), series)
        baseline = backtest.of_baseline(variant, panel, series)
        return _frames(backtest.ahead(panel, series, baseline, how.step), variant)
    trained = scaler.set_index("unique_id")
    strangers = {
        unique_id: f"series '{unique_id}' was not there when {variant} was trained; expected"
        f" {', '.join(map(str, trained.index[:5]))}{' ...' if len(trained) > 5 else ''}: run the"
        " forecasting pipeline on the new rows"
        for unique_id in panel["unique_id"].unique()
        if unique_id not in trained.index
    }
    panel = without(panel, strangers, series, "were not there in training and are not forecast")
    panel = _long_enough(panel, variant, series.rows, series)
    borders = splits.borders(panel, 0, 0)
    own = trained.loc[borders["unique_id"]].reset_index()
    frames = [
        backtest.ahead(
            panel,
            series,
            of_network(weights, card, panel, borders, own, series),
            how.step,
        )
        for weights, card in row.networks
    ]
    y_hat = np.median([frame["y_hat"].to_numpy() for frame in frames], axis=0)
    return _frames(frames[0].assign(y_hat=y_hat), variant)


def by_champion(client: MlflowClient, panel: pd.DataFrame, name: str) -> Frames:
    """The same by the model in front in MLflow's registry.

    Raises:
        InputError: rows that break the model's signature, or no registered champion.
    """
    from mlflow.exceptions import MlflowException

    model = registry.fetch(client, f"forecasting-{name}", f"series={name}")
    try:
        answers = [model.predict(some) for some in _requests(panel[PANEL_COLUMNS])]
        found = pd.concat(map(pd.DataFrame, answers), ignore_index=True)
    except MlflowException as error:
        raise InputError(f"series '{name}': {error.message}") from error
    cutoffs = panel.groupby("unique_id")["ds"].max()
    return _frames(found.assign(cutoff=found["unique_id"].map(cutoffs)), f"forecasting-{name}")


def _requests(panel: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The last rows of every series, of as many series at once as a server takes."""
    tails = panel.groupby("unique_id", sort=False).tail(MAX_ROWS)
    series = tails["unique_id"].ne(tails["unique_id"].shift()).cumsum() - 1
    at_once = MAX_ROWS // int(series.value_counts().max())
    for _, some in tails.groupby(series // at_once):
        yield some


def _long_enough(
    panel: pd.DataFrame, variant: str, needed: int, series: SeriesOptions
) -> pd.DataFrame:
    """Without the series that have too few rows to be forecast from, where the option `short` allows."""
    short = {
        parts.unique_id: f"series '{parts.unique_id}': {parts.train} rows; {variant} needs the last"
        f" {needed} or more"
        for parts in splits.each(splits.borders(panel, 0, 0))
        if parts.train < needed
    }
    return without(panel, short, series, f"have fewer than {needed} rows and are not forecast")


def _frames(found: pd.DataFrame, variant: str) -> Frames:
    return (
        found.assign(variant=variant)[["unique_id", "ds", "variant", "y_hat"]],
        found[["unique_id", "ds", "cutoff", "y_hat"]],
    )
