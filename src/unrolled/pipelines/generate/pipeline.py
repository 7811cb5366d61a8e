"""The pipeline that writes, character by character, to the terminal and into a file."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.generate import nodes
from unrolled.study.job import Study


def create_pipeline(study: Study) -> Pipeline:
    """One node without a namespace: what is written is no run to compare in MLflow."""
    asked = ["params:prompt", "params:length", "params:generate", "params:corpus"]
    if study.generate.registered:
        node = Node(nodes.generate_registered, asked, "generate.text", name="generate")
    else:
        node = Node(
            nodes.generate,
            [
                "generate.models",
                "text.vocabulary",
                "text.train_ids",
                "text.validation_ids",
                "params:text.corpus",
                *asked,
            ],
            "generate.text",
            name="generate",
        )
    return Pipeline([node])
