"""The pipelines that `kedro registry list` shows."""

from kedro.pipeline import Pipeline

from unrolled import study
from unrolled.pipelines import deploy, forecast, forecasting, generate, gradients, monitor, text


def register_pipelines() -> dict[str, Pipeline]:
    """Build each pipeline for the variants and seeds of this run's study."""
    now = study.current()
    series_job = forecasting.create_pipeline(now.forecasting)
    text_job = text.create_pipeline(now.text)
    gradients_job = gradients.create_pipeline(now.gradients)
    return {
        "__default__": series_job + text_job + gradients_job,
        "forecasting": series_job,
        "text": text_job,
        "monitor": monitor.create_pipeline(),
        "gradients": gradients_job,
        "generate": generate.create_pipeline(now.generate),
        "deploy": deploy.create_pipeline(now.deploy),
        "forecast": forecast.create_pipeline(registered=now.generate.registered),
    }
