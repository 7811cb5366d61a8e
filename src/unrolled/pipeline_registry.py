"""The pipelines that `kedro registry list` shows."""

from kedro.pipeline import Pipeline

from unrolled import study
from unrolled.pipelines import deploy, forecast, forecasting, text


def register_pipelines() -> dict[str, Pipeline]:
    """Build each pipeline for the variants and seeds of this run's study."""
    now = study.current()
    series_job = forecasting.create_pipeline(now.forecasting)
    text_job = text.create_pipeline(now.text)
    return {
        "__default__": series_job + text_job,
        "forecasting": series_job,
        "text": text_job,
        "deploy": deploy.create_pipeline(now.deploy),
        "forecast": forecast.create_pipeline(),
    }
