"""Nodes of the monitor pipeline; the work is done in `unrolled.series.monitoring`."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from unrolled.series import monitoring, reading
from unrolled.series.monitoring import MonitorOptions
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import Reading
from unrolled.series.tables import Files

logger = logging.getLogger(__name__)


def ingest(raw: Files, known: Reading, series: SeriesOptions, name: str) -> pd.DataFrame:
    """Read the series as it stands now, as it was read for training."""
    return reading.read(raw, series, name, known)[0]


def match(forecasts: pd.DataFrame, observed: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Put true values and the seasonal naive forecast beside each stored forecast."""
    return monitoring.match(forecasts, observed, series.season)


def score(matched: pd.DataFrame) -> pd.DataFrame:
    """Errors by day."""
    return monitoring.by_day(matched)


def decide(
    scores: pd.DataFrame,
    observed: pd.DataFrame,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    options: MonitorOptions,
) -> dict[str, Any]:
    """Say whether to train anew, and why."""
    known = monitoring.training_range(panel, borders)
    found = monitoring.verdict(scores, monitoring.outside(observed, known, options), options)
    logger.log(logging.WARNING if found["retrain"] else logging.INFO, found["sentence"])
    return found
