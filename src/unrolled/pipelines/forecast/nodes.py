"""Nodes of the forecast pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from unrolled.errors import InputError
from unrolled.pipelines.deploy.nodes import registry_client
from unrolled.series import panel, splits
from unrolled.series.options import SeriesOptions
from unrolled.serving import registry
from unrolled.training import backtest

Frames = tuple[pd.DataFrame, pd.DataFrame]


def forecast(
    rows: pd.DataFrame, row: dict[str, Any], scaler: pd.DataFrame, series: SeriesOptions, name: str
) -> Frames:
    """Forecast the horizon after the last row of every series by a row of the leaderboard.

    Returns:
        `unique_id, ds, variant, y_hat`; and `unique_id, ds, cutoff, y_hat`, the cutoff the last row read.

    Raises:
        InputError: too few rows of a series, or one that was not there in training.
    """
    tidy = panel.tidy(rows, series.columns, series.fill, series.season, name)
    borders = splits.borders(tidy, 0, 0)
    if not row["networks"]:
        from unrolled.series.baselines import least_rows  # statsmodels takes seconds to import

        _refuse_short(borders, row["variant"], least_rows(row["variant"], series.season))
        found = backtest.ahead(tidy, series, backtest.of_baseline(row["variant"], tidy, series))
        return _frames(found, row["variant"])
    known = scaler.set_index("unique_id")
    for parts in splits.each(borders):
        if parts.unique_id not in known.index:
            raise InputError(
                f"series '{parts.unique_id}' was not there when {row['variant']} was trained; expected"
                f" {', '.join(map(str, known.index[:5]))}{' ...' if len(known) > 5 else ''}: run the"
                " forecasting pipeline on the new rows"
            )
    _refuse_short(borders, row["variant"], series.rows)
    own = known.loc[borders["unique_id"]].reset_index()
    frames = [
        backtest.ahead(tidy, series, backtest.of_network(weights, card, tidy, borders, own, series))
        for weights, card in row["networks"]
    ]
    y_hat = np.median([frame["y_hat"].to_numpy() for frame in frames], axis=0)
    return _frames(frames[0].assign(y_hat=y_hat), row["variant"])


def forecast_registered(rows: pd.DataFrame, series: SeriesOptions, name: str) -> Frames:
    """The same by the model in front in MLflow's registry.

    Raises:
        InputError: rows that break the model's signature, or no registered champion.
    """
    from mlflow.exceptions import MlflowException

    tidy = panel.tidy(rows, series.columns, series.fill, series.season, name)
    model = registry.fetch(registry_client(), f"forecasting-{name}")
    try:
        found = pd.DataFrame(model.predict(tidy))
    except MlflowException as error:
        raise InputError(f"series '{name}': {error.message}") from error
    cutoffs = tidy.groupby("unique_id")["ds"].max()
    return _frames(found.assign(cutoff=found["unique_id"].map(cutoffs)), f"forecasting-{name}")


def _refuse_short(borders: pd.DataFrame, variant: str, needed: int) -> None:
    for parts in splits.each(borders):
        if parts.train < needed:
            raise InputError(
                f"series '{parts.unique_id}': {parts.train} rows; {variant} needs the last {needed} or"
                " more"
            )


def _frames(found: pd.DataFrame, variant: str) -> Frames:
    return (
        found.assign(variant=variant)[["unique_id", "ds", "variant", "y_hat"]],
        found[["unique_id", "ds", "cutoff", "y_hat"]],
    )
