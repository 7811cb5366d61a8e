"""Nodes of the deploy pipeline; the work is done in the serving room."""

from __future__ import annotations

from typing import Any

import pandas as pd

from unrolled.series.options import SeriesOptions
from unrolled.serving import deployment, packages, registry
from unrolled.serving import parity as parities
from unrolled.serving.packages import Files
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Ids


def package_forecaster(
    row: dict[str, Any],
    scaler: pd.DataFrame,
    panel: pd.DataFrame,
    reading: dict[str, Any],
    series: SeriesOptions,
) -> tuple[Files, dict[str, Any]]:
    """Make of a row what its server opens: networks as a graph, a baseline as numbers of all rows.

    Returns:
        The files; a request that the server can be asked with.
    """
    return packages.of_forecaster(row, scaler, panel, reading, series)


def forecaster_parity(
    row: dict[str, Any],
    files: Files,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> dict[str, Any]:
    """Forecast from every cutoff of the test part as the leaderboard did and as the server does.

    Numbers are compared as they are before the test part: those of all rows have seen it.
    """
    return parities.of_forecaster(row, files, panel, borders, scaler, series)


def package_writer(
    row: dict[str, Any], known: dict[str, Any], read: CorpusOptions
) -> tuple[Files, dict[str, Any]]:
    """Export one step of a language model; returns as `package_forecaster` does."""
    return packages.of_writer(row, known, read)


def writer_parity(row: dict[str, Any], files: Files, test_ids: Ids) -> dict[str, Any]:
    """Read the whole test part one symbol at a time by torch and by the graph."""
    return parities.of_writer(row, files, test_ids)


def register(
    row: dict[str, Any],
    files: Files,
    parity: dict[str, Any],
    request: dict[str, Any],
    job: str,
    name: str,
) -> dict[str, Any]:
    """Register the files as an MLflow model and put it in front.

    Returns:
        `model` (its registered name), `version`, `uri`, `variant`, `kind` and `description`.
    """
    return deployment.register(registry.connect(), row, files, parity, request, job, name)


def roll_back(job: str, name: str) -> dict[str, Any]:
    """Put the version before the champion in front again."""
    return deployment.roll_back(registry.connect(), job, name)
