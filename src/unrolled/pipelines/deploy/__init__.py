"""From a job's champion to the model that answers."""

from unrolled.pipelines.deploy.pipeline import create_pipeline

__all__ = ["create_pipeline"]
