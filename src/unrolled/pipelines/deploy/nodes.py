"""Nodes of the deploy pipeline; the work is done in the serving room."""

from __future__ import annotations

from typing import Any

from unrolled.serving import deployment, registry
from unrolled.serving.packages import Files
from unrolled.training.cards import TrainedRow


def register(
    row: TrainedRow[Any],
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
