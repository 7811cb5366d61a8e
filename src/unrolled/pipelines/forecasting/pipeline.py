"""The forecasting pipeline: the story of the data, top to bottom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kedro.pipeline import Node, Pipeline

from unrolled.comparison import champion
from unrolled.pipelines.forecasting import nodes, report
from unrolled.pipelines.inside import draw_cell, plot_inside, preview_cell
from unrolled.pipelines.reporting import reporting
from unrolled.recurrent.options import ModelOptions
from unrolled.training import rows

if TYPE_CHECKING:
    from unrolled.pipelines.forecasting.job import ForecastingStudy
    from unrolled.study.job import Study

SHARED = {"panel", "borders", "rehearsals", "scaler", "values", "observed", "windows"}
OPTIONS = {"params:series"}


def create_pipeline(study: Study) -> Pipeline:
    """One namespaced pipeline for each variant and seed and each baseline of the study."""
    own: ForecastingStudy = study.forecasting
    seeds = [f"seed_{seed}" for seed in own.seeds]
    runs = [f"{variant}.{seed}" for variant in own.contenders for seed in seeds]
    steps = [
        _data(generated=bool(own.series.generator)),
        *(
            _variant(variant, seed, contender.model, inside=seed == own.seeds[0])
            for variant, contender in own.contenders.items()
            for seed in own.seeds
        ),
        *(_ensemble(name, seeds) for name in own.ensembles),
        *(_baseline(name) for name in own.baselines),
        _comparison(
            runs,
            [*own.ensembles, *own.baselines],
            [f"{variant}.{seeds[0]}" for variant in own.contenders],
        ),
    ]
    return Pipeline(sum(steps, Pipeline([])), namespace="forecasting")


def _data(*, generated: bool) -> Pipeline:
    first = (
        Node(
            nodes.generate, ["params:series", "params:name"], ["panel", "reading"], name="generate"
        )
        if generated
        else Node(
            nodes.ingest,
            ["raw", "params:series", "params:name"],
            ["panel", "reading"],
            name="ingest",
        )
    )
    return Pipeline(
        [
            Node(nodes.keep, "params:series", "kept", name="keep"),
            first,
            Node(nodes.split, ["panel", "params:series"], "borders", name="split"),
            Node(
                nodes.plan_rehearsals,
                ["panel", "borders", "params:series"],
                "rehearsals",
                name="plan_rehearsals",
            ),
            Node(
                nodes.fit_scaler,
                ["panel", "borders", "params:series"],
                "scaler",
                name="fit_scaler",
            ),
            Node(
                nodes.scale,
                ["panel", "borders", "scaler", "params:series"],
                ["values", "observed"],
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
                "observed",
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
            rows.rehearse_network,
            [
                "panel",
                "rehearsals",
                "params:series",
                "params:model",
                "params:training",
                "params:variant",
                "params:seed",
            ],
            ["rehearsed", "validation"],
            name="rehearse",
        ),
        Node(
            rows.backtest_network,
            ["model", "options", "panel", "borders", "scaler", "params:series"],
            ["backtest", "ahead"],
            name="backtest",
        ),
        _score("options"),
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
                ["inside", "params:variant", "params:model", "protocol"],
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
            rows.rehearse_baseline,
            ["panel", "rehearsals", "params:series", "params:variant"],
            "validation",
            name="rehearse",
        ),
        Node(
            rows.backtest_baseline,
            ["panel", "borders", "params:series", "params:variant"],
            ["backtest", "ahead", "cost"],
            name="backtest",
        ),
        _score("cost"),
    ]
    return Pipeline(
        steps, namespace=name, inputs={"panel", "borders", "rehearsals"}, parameters=OPTIONS
    )


def _ensemble(name: str, seeds: list[str]) -> Pipeline:
    """The median of a variant's seeds."""
    frames = ("rehearsed", "backtest", "ahead")
    variant = name.removesuffix(champion.MEDIAN)

    def of(kind: str) -> list[str]:
        return ["params:variant", *(f"{variant}.{seed}.{kind}" for seed in seeds)]

    steps = [
        *(Node(nodes.median, of(frame), frame, name=f"median_{frame}") for frame in frames),
        Node(nodes.median_cost, of("options"), "cost", name="cost"),
        Node(
            nodes.validate,
            ["rehearsed", "panel", "rehearsals", "params:series", "params:variant"],
            "validation",
            name="validate",
        ),
        _score("cost"),
    ]
    shared = {name for kind in (*frames, "options") for name in of(kind)[1:]}
    return Pipeline(
        steps,
        namespace=name,
        inputs={"panel", "borders", "rehearsals"} | shared,
        parameters=OPTIONS,
    )


def _score(card: str) -> Node:
    found = ["backtest", "validation", card, "panel", "borders", "params:series"]
    return Node(nodes.score, found, "metrics", name="score")


def _comparison(runs: list[str], others: list[str], looked_into: list[str]) -> Pipeline:
    every = [*runs, *others]
    plots = [
        Node(
            report.plot_ahead,
            [
                "forecast",
                "stored_forecast",
                "panel",
                "protocol",
                "params:series",
                "reading",
                "params:rows",
            ],
            ["ahead.png", "ahead.plotly"],
            name="plot_ahead",
        ),
        Node(
            report.plot_learning_curves,
            ["learning_curves", "protocol", "params:rows"],
            ["learning_curves.png", "learning_curves.plotly"],
            name="plot_learning_curves",
        ),
        Node(
            report.plot_forecast,
            [
                "backtest",
                "panel",
                "leaderboard",
                "protocol",
                "params:series",
                "reading",
                "params:rows",
            ],
            ["forecast.png", "forecast.plotly"],
            name="plot_forecast",
        ),
        Node(
            report.plot_error_by_step,
            ["error_by_step", "leaderboard", "protocol", "params:series", "reading", "params:rows"],
            ["error_by_step.png", "error_by_step.plotly"],
            name="plot_error_by_step",
        ),
        Node(
            report.plot_leaderboard,
            ["leaderboard", "protocol", "params:rows"],
            ["leaderboard.png", "leaderboard.plotly"],
            name="plot_leaderboard",
        ),
    ]
    pictures = [output for plot in plots for output in plot.outputs if output.endswith(".png")]
    pictures += [f"{run}.inside.png" for run in looked_into]
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
                nodes.choose,
                [*(f"{one}.validation" for one in every), *(f"{run}.options" for run in runs)],
                "choice",
                name="choose",
            ),
            Node(
                nodes.forecast,
                ["choice", *(f"{one}.ahead" for one in every)],
                ["forecast", "stored_forecast"],
                name="forecast",
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
            Node(
                nodes.winner,
                ["choice", "leaderboard", "digests", "params:name"],
                "winner",
                name="winner",
            ),
            *plots,
            *reporting(pictures, [f"{run}.cell.png" for run in looked_into]),
        ]
    )
