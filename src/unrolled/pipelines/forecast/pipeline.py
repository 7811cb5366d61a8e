"""The pipeline that forecasts what comes after new rows."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.forecast import nodes
from unrolled.study.job import Study


def create_pipeline(study: Study) -> Pipeline:
    """One node without a namespace: a forecast is no run to compare in MLflow."""
    options = ["params:forecasting.series", "params:forecasting.name"]
    node = (
        Node(
            nodes.forecast_registered,
            ["forecasting.new_rows", "forecasting.reading", *options],
            ["forecasting.forecast", "forecasting.stored_forecast"],
            name="forecast",
        )
        if study.generate.registered
        else Node(
            nodes.forecast,
            [
                "forecasting.new_rows",
                "forecasting.row",
                "forecasting.reading",
                "forecasting.scaler",
                *options,
            ],
            ["forecasting.forecast", "forecasting.stored_forecast"],
            name="forecast",
        )
    )
    return Pipeline([node])
