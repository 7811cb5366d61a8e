"""The pipeline that puts a row of the leaderboard into service, or the model before it back."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.deploy import nodes
from unrolled.study.job import Study, job_named


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
    serve = job_named(study.jobs, job).serve
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
    return Pipeline([*(serve() if serve is not None else []), register])
