"""The pipeline that puts a champion into service, or the one before it back."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.deploy import nodes
from unrolled.study import DeployStudy


def create_pipeline(study: DeployStudy) -> Pipeline:
    """Nodes without a namespace: the model is logged in a run of its own."""
    job = study.job
    if study.rollback:
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
            f"{job}.champion_files",
            f"{job}.graph",
            f"{job}.served",
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
            nodes.forecaster_graph,
            [
                "forecasting.champion_files",
                "forecasting.scaler",
                "forecasting.panel",
                "params:forecasting.series",
                "params:allow_worse_than_baseline",
            ],
            ["forecasting.graph", "forecasting.served", "forecasting.request"],
            name="to_onnx",
        ),
        Node(
            nodes.forecaster_parity,
            [
                "forecasting.champion_files",
                "forecasting.graph",
                "forecasting.served",
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
            nodes.step_graph,
            ["text.champion_files", "text.vocabulary", "params:allow_worse_than_baseline"],
            ["text.graph", "text.served", "text.request"],
            name="to_onnx",
        ),
        Node(
            nodes.step_parity,
            ["text.champion_files", "text.graph", "text.served", "text.test_ids"],
            "text.parity",
            name="check_parity",
        ),
    ]
