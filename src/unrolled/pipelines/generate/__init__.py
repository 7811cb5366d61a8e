"""Writing: the best language model of a corpus goes on from a prompt."""

from unrolled.pipelines.generate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
