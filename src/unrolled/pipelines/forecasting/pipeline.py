"""The forecasting pipeline: the story of the data, top to bottom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kedro.pipeline import Node, Pipeline

from unrolled.pipelines import champion
from unrolled.pipelines.forecasting import nodes, report
from unrolled.pipelines.inside import draw_cell, plot_inside, preview_cell
from unrolled.pipelines.reporting import reporting
from unrolled.recurrent.options import ModelOptions

if TYPE_CHECKING:
    from unrolled.study import ForecastingStudy

SHARED = {"panel", "borders", "scaler", "values", "windows"}
OPTIONS = {"params:series"}


def create_pipeline(study: ForecastingStudy) -> Pipeline:
    """One namespaced pipeline for each variant and seed and each baseline of the study."""
    runs = [f"{variant}.seed_{seed}" for variant in study.contenders for seed in study.seeds]
    steps = [
        _data(generated=bool(study.series.generator)),
        *(
            _variant(variant, seed, contender.model, inside=seed == study.seeds[0])
            for variant, contender in study.contenders.items()
            for seed in study.seeds
        ),
        *(_baseline(name) for name in study.baselines),
        _comparison(runs, list(study.baselines)),
    ]
    return Pipeline(sum(steps, Pipeline([])), namespace="forecasting")


def _data(*, generated: bool) -> Pipeline:
    first = (
        Node(nodes.generate, "params:series", "panel", name="generate")
        if generated
        else Node(nodes.ingest, ["raw", "params:series", "params:name"], "panel", name="ingest")
    )
    return Pipeline(
        [
            first,
            Node(nodes.split, ["panel", "params:series"], "borders", name="split"),
            Node(
                nodes.fit_scaler,
                ["panel", "borders", "params:series"],
                "scaler",
                name="fit_scaler",
            ),
            Node(
                nodes.scale,
                ["panel", "borders", "scaler", "params:series"],
                "values",
                name="scale",
            ),
            Node(nodes.window, ["borders", "params:series"], "windows", name="window"),
        ]
    )


def _variant(variant: str, seed: int, model: ModelOptions, *, inside: bool) -> Pipeline:
    steps = [
        Node(
            nodes.train,
            [
                "values",
                "windows",
                "params:series",
                "params:model",
                "params:training",
                "params:variant",
                "params:seed",
            ],
            ["model", "options", "history"],
            name="train",
            preview_fn=partial(preview_cell, model),
        ),
        Node(
            nodes.backtest,
            [
                "model",
                "options",
                "values",
                "panel",
                "borders",
                "scaler",
                "params:series",
            ],
            "backtest",
            name="backtest",
        ),
        Node(
            nodes.score,
            ["backtest", "options", "panel", "borders", "params:series"],
            "metrics",
            name="score",
        ),
    ]
    if inside:  # one seed is enough to look at
        steps += [
            Node(
                nodes.look_inside,
                ["model", "options", "values", "windows", "params:series"],
                "inside",
                name="look_inside",
            ),
            Node(
                plot_inside,
                ["inside", "params:variant", "protocol"],
                ["inside.png", "inside.plotly"],
                name="plot_inside",
            ),
            Node(draw_cell, "params:model", "cell.png", name="draw_cell"),
        ]
    return Pipeline(
        steps,
        namespace=f"{variant}.seed_{seed}",
        inputs=SHARED | {"protocol"} if inside else SHARED,
        parameters={
            "params:series": "params:series",
            "params:model": f"params:{variant}.model",
            "params:training": f"params:{variant}.training",
        },
    )


def _baseline(name: str) -> Pipeline:
    steps = [
        Node(
            nodes.backtest_baseline,
            ["panel", "borders", "params:series", "params:variant"],
            ["backtest", "cost"],
            name="backtest",
        ),
        Node(
            nodes.score,
            ["backtest", "cost", "panel", "borders", "params:series"],
            "metrics",
            name="score",
        ),
    ]
    return Pipeline(steps, namespace=name, inputs={"panel", "borders"}, parameters=OPTIONS)


def _comparison(runs: list[str], baselines: list[str]) -> Pipeline:
    every = [*runs, *baselines]
    plots = [
        Node(
            report.plot_learning_curves,
            ["learning_curves", "protocol"],
            ["learning_curves.png", "learning_curves.plotly"],
            name="plot_learning_curves",
        ),
        Node(
            report.plot_forecast,
            ["backtest", "panel", "leaderboard", "protocol"],
            ["forecast.png", "forecast.plotly"],
            name="plot_forecast",
        ),
        Node(
            report.plot_error_by_step,
            ["error_by_step", "leaderboard", "protocol"],
            ["error_by_step.png", "error_by_step.plotly"],
            name="plot_error_by_step",
        ),
        Node(
            report.plot_leaderboard,
            ["leaderboard", "protocol"],
            ["leaderboard.png", "leaderboard.plotly"],
            name="plot_leaderboard",
        ),
    ]
    pictures = [output for plot in plots for output in plot.outputs if output.endswith(".png")]
    return Pipeline(
        [
            Node(
                nodes.describe,
                ["panel", "borders", "params:series", "params:name", "params:source"],
                "data",
                name="describe",
            ),
            Node(
                nodes.protocol,
                ["panel", "borders", "params:series", "params:name", "params:seeds"],
                "protocol",
                name="protocol",
            ),
            Node(
                nodes.combine,
                [f"{one}.backtest" for one in every],
                "backtest",
                name="combine_backtests",
            ),
            Node(
                nodes.combine,
                [f"{run}.history" for run in runs],
                "learning_curves",
                name="combine_learning_curves",
            ),
            Node(
                nodes.score_by_step,
                ["backtest", "panel", "borders", "params:series"],
                "error_by_step",
                name="score_by_step",
            ),
            Node(
                nodes.leaderboard,
                [f"{one}.metrics" for one in every],
                "leaderboard",
                name="leaderboard",
            ),
            Node(
                champion.choose,
                [f"{run}.options" for run in runs],
                "choice",
                name="choose_champion",
            ),
            Node(
                nodes.champion,
                [
                    "choice",
                    "leaderboard",
                    "backtest",
                    "digests",
                    "panel",
                    "borders",
                    "params:series",
                    "params:name",
                ],
                "champion",
                name="champion",
            ),
            *plots,
            *reporting(pictures),
        ]
    )
