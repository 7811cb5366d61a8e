"""The gradients job: how gradients vanish and explode, and which remedy works."""

from unrolled.pipelines.gradients.pipeline import create_pipeline

__all__ = ["create_pipeline"]
