"""The pipeline that puts a row of the leaderboard into service, or the model before it back."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.deploy import nodes
from unrolled.serving import packages, parity
from unrolled.study.job import Study


def create_pipeline(study: Study) -> Pipeline:
    """Nodes without a namespace: the model is logged in a run of its own."""
    job = study.deploy.job
    if study.deploy.rollback:
        node = Node(
            nodes.roll_back,
            ["params:job", f"params:{job}.name"],
            f"{job}.deployed",
            name="roll_back",
        )
        return Pipeline([node])
    steps = _forecasting() if job == "forecasting" else _text()
    register = Node(
        nodes.register,
        [
            f"{job}.row",
            f"{job}.service",
            f"{job}.parity",
            f"{job}.request",
            "params:job",
            f"params:{job}.name",
        ],
        f"{job}.deployed",
        name="register",
    )
    return Pipeline([*steps, register])


def _forecasting() -> list[Node]:
    return [
        Node(
            packages.of_forecaster,
            [
                "forecasting.row",
                "forecasting.scaler",
                "forecasting.panel",
                "forecasting.reading",
                "params:forecasting.series",
            ],
            ["forecasting.service", "forecasting.request"],
            name="package",
        ),
        Node(
            parity.of_forecaster,
            [
                "forecasting.row",
                "forecasting.service",
                "forecasting.panel",
                "forecasting.borders",
                "forecasting.scaler",
                "params:forecasting.series",
            ],
            "forecasting.parity",
            name="check_parity",
        ),
    ]


def _text() -> list[Node]:
    return [
        Node(
            packages.of_writer,
            ["text.row", "text.vocabulary", "params:text.corpus"],
            ["text.service", "text.request"],
            name="package",
        ),
        Node(
            parity.of_writer,
            ["text.row", "text.service", "text.test_ids"],
            "text.parity",
            name="check_parity",
        ),
    ]
