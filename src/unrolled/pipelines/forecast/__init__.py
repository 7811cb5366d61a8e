"""Forecasts of what comes after the last row, by any row of the leaderboard or the registered model."""

from unrolled.pipelines.forecast.pipeline import create_pipeline

__all__ = ["create_pipeline"]
