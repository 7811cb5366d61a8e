"""The gradients pipeline: theory, networks looked into, remedies, top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kedro.pipeline import Node, Pipeline

from unrolled.gradients import summaries
from unrolled.pipelines.gradients import nodes, report
from unrolled.pipelines.reporting import gradients_report, report_of

if TYPE_CHECKING:
    from unrolled.pipelines.gradients.job import GradientsStudy
    from unrolled.study.job import Study

SHARED = {"params:seeds": "params:seeds", "params:training": "params:training"}


def create_pipeline(study: Study) -> Pipeline:
    """One namespaced pipeline for each network looked at and each batch of the matrix."""
    own: GradientsStudy = study.gradients
    networks = [
        f"networks.{variant}.{init}" for variant, inits in own.networks.items() for init in inits
    ]
    batches = [
        f"matrix.{remedy}.{task}.length_{length}"
        for remedy in own.remedies
        for task in own.tasks
        for length in own.lengths
    ]
    steps = [
        _theory(),
        *map(_network, networks),
        _flow(networks),
        *map(_batch, batches),
        _verdict(batches),
        _report(networks, batches),
    ]
    return Pipeline(sum(steps, Pipeline([])), namespace="gradients")


def _theory() -> Pipeline:
    return Pipeline(
        [
            Node(nodes.scalar_products, "params:theory", "scalar_products", name="scalar_products"),
            Node(nodes.matrix_products, "params:theory", "matrix_products", name="matrix_products"),
            Node(
                report.plot_scalar_products,
                "scalar_products",
                ["scalar_products.png", "scalar_products.plotly"],
                name="plot_scalar_products",
            ),
            Node(
                report.plot_matrix_products,
                "matrix_products",
                ["matrix_products.png", "matrix_products.plotly"],
                name="plot_matrix_products",
            ),
        ]
    )


def _network(namespace: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.train_network,
                [
                    "params:layer",
                    "params:variant",
                    "params:length",
                    "params:seeds",
                    "params:training",
                ],
                ["model", "options", "flow", "metrics"],
                name="train_network",
            ),
            Node(
                nodes.look_inside,
                ["model", "options"],
                ["heat_map", "spectrum", "singular_values", "saturation"],
                name="look_inside",
            ),
            Node(
                report.plot_inside,
                ["heat_map", "spectrum", "singular_values", "saturation"],
                ["inside.png", "inside.plotly"],
                name="plot_inside",
            ),
        ],
        namespace=namespace,
        parameters=SHARED | {"params:length": "params:length"},
    )


def _flow(networks: list[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.combine_flows,
                [f"{network}.flow" for network in networks],
                ["flow", "flow_by_state"],
                name="combine_flows",
            ),
            Node(nodes.effective_memory, "flow", "effective_memory", name="effective_memory"),
            Node(
                nodes.combine,
                [f"{network}.saturation" for network in networks],
                "saturation",
                name="combine_saturation",
            ),
            Node(
                report.plot_flow,
                ["flow_by_state", "protocol"],
                ["flow.png", "flow.plotly"],
                name="plot_flow",
            ),
        ]
    )


def _batch(namespace: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.train_batch,
                [
                    "params:remedy",
                    "params:task",
                    "params:length",
                    "params:seeds",
                    "params:training",
                ],
                ["records", "metrics"],
                name="train_batch",
            )
        ],
        namespace=namespace,
        parameters=SHARED,
    )


def _verdict(batches: list[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.combine,
                [f"{batch}.records" for batch in batches],
                "remedies",
                name="combine_remedies",
            ),
            Node(
                summaries.protocol,
                ["remedies", "params:seeds", "params:training"],
                "protocol",
                name="protocol",
            ),
            Node(nodes.judge, "remedies", "verdicts", name="judge"),
            Node(summaries.summary, "remedies", "summary", name="summary"),
            Node(
                report.plot_remedies,
                ["remedies", "protocol"],
                ["remedies.png", "remedies.plotly"],
                name="plot_remedies",
            ),
            Node(
                report.plot_losses,
                ["remedies", "protocol"],
                ["losses.png", "losses.plotly"],
                name="plot_losses",
            ),
        ]
    )


def _report(networks: list[str], batches: list[str]) -> Pipeline:
    facts = ["summary", "verdicts", "effective_memory", "saturation", "protocol", "environment"]
    facts += ["parameters", *(f"{one}.metrics" for one in [*networks, *batches])]
    plots = ["flow.png", "remedies.png", "losses.png", "scalar_products.png", "matrix_products.png"]
    insides = [f"{network}.inside.png" for network in networks]
    return Pipeline(report_of(gradients_report, facts, [*plots, *insides]))
