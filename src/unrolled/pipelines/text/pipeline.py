"""The text pipeline: the story of the characters, top to bottom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kedro.pipeline import Node, Pipeline

from unrolled.comparison import champion
from unrolled.pipelines.inside import draw_cell, preview_cell
from unrolled.pipelines.reporting import reporting
from unrolled.pipelines.text import nodes, report
from unrolled.recurrent.options import LanguageOptions
from unrolled.training import text_start

if TYPE_CHECKING:
    from unrolled.pipelines.text.job import TextStudy
    from unrolled.study.job import Study

SHARED = {"documents", "vocabulary", "train_ids", "validation_ids", "test_ids", "protocol"}
START = ["start", "origin"]  # of networks that go on from others


def create_pipeline(study: Study) -> Pipeline:
    """One namespaced pipeline for each variant and seed and each baseline of the study."""
    own: TextStudy = study.text
    runs = [f"{variant}.seed_{seed}" for variant in own.contenders for seed in own.seeds]
    begin = START if own.init_from else []
    steps = [
        _data(),
        *([_start(list(own.contenders))] if begin else []),
        *(
            _variant(variant, seed, contender.model, begin, first=seed == own.seeds[0])
            for variant, contender in own.contenders.items()
            for seed in own.seeds
        ),
        *(_baseline(name) for name in own.baselines),
        _comparison(runs, list(own.contenders), list(own.baselines), own.seeds[0]),
    ]
    return Pipeline(sum(steps, Pipeline([])), namespace="text")


def _data() -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.ingest, ["raw", "params:corpus", "params:name"], "normalised", name="ingest"
            ),
            Node(
                nodes.split,
                ["normalised", "params:corpus", "params:name"],
                "documents",
                name="split",
            ),
            Node(nodes.keep, ["params:corpus", "documents"], "kept", name="keep"),
            Node(
                nodes.build_vocabulary,
                ["documents", "params:corpus"],
                "vocabulary",
                name="build_vocabulary",
            ),
            Node(
                nodes.encode,
                ["documents", "vocabulary"],
                ["train_ids", "validation_ids", "test_ids", "coverage"],
                name="encode",
            ),
        ]
    )


def _start(variants: list[str]) -> Pipeline:
    models = [f"params:{variant}.model" for variant in variants]
    theirs = ["source", "source_vocabulary", "source_corpus"]
    asked = [*theirs, "vocabulary", "params:corpus", "params:init_from", "params:rows"]
    return Pipeline([Node(text_start.start, [*asked, *models], START, name="start")])


def _variant(
    variant: str, seed: int, model: LanguageOptions, begin: list[str], *, first: bool
) -> Pipeline:
    steps = [
        Node(
            nodes.train,
            [
                "train_ids",
                "validation_ids",
                "vocabulary",
                "params:model",
                "params:training",
                "params:variant",
                "params:seed",
                *begin,
            ],
            ["model", "options", "history"],
            name="train",
            preview_fn=partial(preview_cell, model),
        ),
        Node(
            nodes.evaluate,
            ["model", "options", "test_ids", "vocabulary"],
            "losses",
            name="evaluate",
        ),
        *_scoring("options"),
    ]
    parameters = {
        "params:model": f"params:{variant}.model",
        "params:training": f"params:{variant}.training",
    }
    if first:  # one seed is enough to read and to look at
        steps += [
            Node(
                nodes.write,
                [
                    "model",
                    "options",
                    "documents",
                    "vocabulary",
                    "params:samples",
                    "params:corpus",
                ],
                "samples",
                name="write",
            ),
            Node(draw_cell, "params:model", "cell.png", name="draw_cell"),
            *_looking_inside(),
        ]
        parameters |= {name: name for name in ("params:samples", "params:corpus")}
    inputs = (SHARED if first else SHARED - {"protocol"}) | set(begin)
    return Pipeline(steps, namespace=f"{variant}.seed_{seed}", inputs=inputs, parameters=parameters)


def _looking_inside() -> list[Node]:
    return [
        Node(
            nodes.look_at_losses,
            ["losses", "test_ids", "vocabulary"],
            "passage",
            name="look_at_losses",
        ),
        Node(
            nodes.measure_connectivity,
            ["model", "options", "test_ids", "vocabulary"],
            "connectivity",
            name="measure_connectivity",
        ),
        Node(
            nodes.find_units,
            ["model", "options", "test_ids", "vocabulary"],
            ["units", "unit_passages"],
            name="find_units",
        ),
        Node(
            report.plot_losses,
            ["passage", "params:variant", "protocol"],
            ["losses.png", "losses.plotly"],
            name="plot_losses",
        ),
        Node(
            report.plot_connectivity,
            ["connectivity", "params:variant", "protocol"],
            ["connectivity.png", "connectivity.plotly"],
            name="plot_connectivity",
        ),
        Node(
            report.plot_units,
            ["units", "unit_passages", "params:variant", "protocol"],
            ["units.png", "units.plotly"],
            name="plot_units",
        ),
    ]


def _baseline(name: str) -> Pipeline:
    steps = [
        Node(
            nodes.evaluate_baseline,
            [
                "train_ids",
                "validation_ids",
                "test_ids",
                "documents",
                "vocabulary",
                "params:corpus",
                "params:variant",
            ],
            ["losses", "cost"],
            name="evaluate",
        ),
        *_scoring("cost"),
    ]
    return Pipeline(
        steps, namespace=name, inputs=SHARED - {"protocol"}, parameters={"params:corpus"}
    )


def _scoring(card: str) -> list[Node]:
    return [
        Node(
            nodes.score,
            ["losses", card, "test_ids", "documents", "vocabulary"],
            "metrics",
            name="score",
        ),
        Node(
            nodes.loss_by_context,
            ["losses", card, "test_ids", "vocabulary"],
            "loss_by_context",
            name="loss_by_context",
        ),
        Node(
            nodes.loss_by_block,
            ["losses", card, "test_ids", "vocabulary"],
            "loss_by_block",
            name="loss_by_block",
        ),
    ]


def _comparison(runs: list[str], variants: list[str], baselines: list[str], first: int) -> Pipeline:
    every = [*runs, *baselines]
    plots = [
        Node(
            report.plot_learning_curves,
            ["learning_curves", "protocol", "params:rows"],
            ["learning_curves.png", "learning_curves.plotly"],
            name="plot_learning_curves",
        ),
        Node(
            report.plot_loss_by_context,
            ["loss_by_context", "leaderboard", "protocol", "params:rows"],
            ["loss_by_context.png", "loss_by_context.plotly"],
            name="plot_loss_by_context",
        ),
        Node(
            report.plot_leaderboard,
            ["leaderboard", "protocol", "params:rows"],
            ["leaderboard.png", "leaderboard.plotly"],
            name="plot_leaderboard",
        ),
    ]
    pictures = [output for plot in plots for output in plot.outputs if output.endswith(".png")]
    looked_into = [f"{variant}.seed_{first}" for variant in variants]
    pictures += [
        f"{run}.{name}.png" for run in looked_into for name in ("losses", "connectivity", "units")
    ]
    return Pipeline(
        [
            Node(
                nodes.describe,
                ["raw", "documents", "vocabulary", "params:corpus", "params:name", "params:source"],
                "data",
                name="describe",
            ),
            Node(
                nodes.protocol,
                ["documents", "vocabulary", "params:corpus", "params:name", "params:seeds"],
                "protocol",
                name="protocol",
            ),
            Node(
                nodes.combine,
                [f"{run}.history" for run in runs],
                "learning_curves",
                name="combine_learning_curves",
            ),
            Node(
                nodes.combine,
                [f"{one}.loss_by_context" for one in every],
                "loss_by_context",
                name="combine_loss_by_context",
            ),
            Node(
                nodes.combine,
                [f"{one}.loss_by_block" for one in every],
                "loss_by_block",
                name="combine_loss_by_block",
            ),
            Node(
                nodes.combine_samples,
                [f"{variant}.seed_{first}.samples" for variant in variants],
                "samples",
                name="combine_samples",
            ),
            Node(
                report.describe_samples,
                ["samples", "protocol"],
                "samples_report",
                name="describe_samples",
            ),
            Node(
                nodes.leaderboard,
                [f"{one}.metrics" for one in every],
                "leaderboard",
                name="leaderboard",
            ),
            Node(
                champion.choose_network,
                [f"{run}.options" for run in runs],
                "choice",
                name="choose_champion",
            ),
            Node(
                nodes.champion,
                [
                    "choice",
                    "leaderboard",
                    "loss_by_block",
                    "learning_curves",
                    "digests",
                    "params:name",
                ],
                "champion",
                name="champion",
            ),
            Node(
                nodes.winner,
                [
                    "choice",
                    "leaderboard",
                    "digests",
                    "params:name",
                    *(f"{run}.options" for run in runs),
                ],
                "winner",
                name="winner",
            ),
            *plots,
            *reporting(pictures, [f"{run}.cell.png" for run in looked_into], "samples", "coverage"),
        ]
    )
