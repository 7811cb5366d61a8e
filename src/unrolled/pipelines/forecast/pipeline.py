"""The pipeline that asks the registered champion about new rows."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.forecast import nodes


def create_pipeline() -> Pipeline:
    """One node without a namespace: a forecast is no run to compare in MLflow."""
    return Pipeline(
        [
            Node(
                nodes.forecast,
                [
                    "forecasting.new_rows",
                    "params:forecasting.series",
                    "params:forecasting.name",
                ],
                ["forecasting.forecast", "forecasting.stored_forecast"],
                name="forecast",
            )
        ]
    )
