"""The pipeline that writes, character by character, to the terminal and into a file."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.generate import nodes


def create_pipeline() -> Pipeline:
    """One node without a namespace: what is written is no run to compare in MLflow."""
    return Pipeline(
        [
            Node(
                nodes.generate,
                [
                    "generate.models",
                    "text.vocabulary",
                    "params:prompt",
                    "params:length",
                    "params:generate",
                    "params:corpus",
                ],
                "generate.text",
                name="generate",
            )
        ]
    )
