"""Nodes of the forecast pipeline; the work is done in the serving room."""

from __future__ import annotations

import pandas as pd

from unrolled.series import reading
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import Reading
from unrolled.series.tables import Files
from unrolled.serving import new_rows, registry
from unrolled.serving.new_rows import Frames
from unrolled.training.cards import ForecasterCard, TrainedRow


def forecast(
    rows: Files,
    row: TrainedRow[ForecasterCard],
    known: Reading,
    scaler: pd.DataFrame,
    series: SeriesOptions,
    name: str,
) -> Frames:
    """Forecast the horizon after the last row of every series by a row of the leaderboard.

    Returns:
        `unique_id, ds, variant, y_hat`; and `unique_id, ds, cutoff, y_hat`, the cutoff the last row read.

    Raises:
        InputError: too few rows of a series, or one that was not there in training.
    """
    panel, _ = reading.read(rows, series, name, known)
    return new_rows.by_row(panel, row, known, scaler, series)


def forecast_registered(rows: Files, known: Reading, series: SeriesOptions, name: str) -> Frames:
    """The same by the model in front in MLflow's registry.

    Raises:
        InputError: rows that break the model's signature, or no registered champion.
    """
    panel, _ = reading.read(rows, series, name, known)
    return new_rows.by_champion(registry.connect(), panel, name)
