"""Forecasts of what comes after the last row, by the champion in service."""

from unrolled.pipelines.forecast.pipeline import create_pipeline

__all__ = ["create_pipeline"]
