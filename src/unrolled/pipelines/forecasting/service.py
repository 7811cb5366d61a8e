"""What `deploy` asks of this job: its row as the files that a server opens, and the proof that they agree."""

from __future__ import annotations

from kedro.pipeline import Node

from unrolled.serving import packages, parity


def steps() -> list[Node]:
    """Nodes without a namespace: the model is logged in a run of its own."""
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
