"""The monitoring of a forecaster in service: is it still better than seasonal naive?"""

from unrolled.pipelines.monitor.pipeline import create_pipeline

__all__ = ["create_pipeline"]
