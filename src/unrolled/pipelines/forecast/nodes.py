"""The node of the forecast pipeline."""

from __future__ import annotations

import pandas as pd

from unrolled.errors import InputError
from unrolled.pipelines.deploy.nodes import registry_client
from unrolled.series import panel
from unrolled.series.options import SeriesOptions
from unrolled.serving import registry


def forecast(
    rows: pd.DataFrame, series: SeriesOptions, name: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast the horizon after the last row of every series.

    Returns:
        `unique_id, ds, y_hat`; and `unique_id, ds, cutoff, y_hat`, the cutoff the last row read.

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
    stored = found.assign(cutoff=found["unique_id"].map(cutoffs))
    return found, stored[["unique_id", "ds", "cutoff", "y_hat"]]
