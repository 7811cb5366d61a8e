"""The text job: from raw characters to an honest leaderboard of language models."""

from unrolled.pipelines.text.pipeline import create_pipeline

__all__ = ["create_pipeline"]
