"""The forecasting job: from a raw series to an honest leaderboard."""

from unrolled.pipelines.forecasting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
