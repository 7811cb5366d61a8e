"""The pipelines that `kedro registry list` shows."""

from kedro.pipeline import Pipeline

from unrolled import study
from unrolled.pipelines import forecasting


def register_pipelines() -> dict[str, Pipeline]:
    """Build each pipeline for the variants and seeds of this run's study."""
    series_job = forecasting.create_pipeline(study.current())
    return {"__default__": series_job, "forecasting": series_job}
