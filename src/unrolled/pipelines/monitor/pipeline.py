"""The monitor pipeline: stored forecasts, true values, a verdict."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.monitor import nodes
from unrolled.study.job import Study

TRAINED = {f"forecasting.{name}" for name in ("raw", "reading", "panel", "borders")}


def create_pipeline(study: Study) -> Pipeline:
    """Score the forecasts of the series of this run."""
    steps = [
        Node(
            nodes.ingest,
            [
                "forecasting.raw",
                "forecasting.reading",
                "params:forecasting.series",
                "params:forecasting.name",
            ],
            "observed",
            name="ingest",
        ),
        Node(
            nodes.match,
            ["forecasts", "observed", "params:forecasting.series"],
            "matched",
            name="match",
        ),
        Node(nodes.score, "matched", "scores", name="score"),
        Node(
            nodes.decide,
            ["scores", "observed", "forecasting.panel", "forecasting.borders", "params:options"],
            "verdict",
            name="decide",
        ),
    ]
    return Pipeline(
        steps,
        namespace="monitor",
        inputs=TRAINED,
        parameters={"params:forecasting.series", "params:forecasting.name"},
    )
