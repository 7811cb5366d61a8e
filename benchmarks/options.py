"""Which options to ship for a series, judged before its test part begins.

    python benchmarks/options.py airline
    python benchmarks/options.py sunspots --quick --json options.json

Every candidate plays the rehearsals that `kedro run` plays to choose its winner: the whole protocol
(scaling, early stopping, refit, rolling origin) from origins that end before the test part, which is
cut off before anything is fitted. A candidate that reads too many rows for the oldest origin is not
ranked: its mean would be one over other years.

The best of many candidates is a little optimistic: `kedro run` scores it on test, once.

Every candidate is one change to the shipped options of conf/base/parameters; `before` is what was
shipped until these rehearsals.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.config import OmegaConfigLoader

from unrolled import study
from unrolled.datasets import SeriesFile
from unrolled.pipelines.forecasting.job import ForecastingStudy
from unrolled.pipelines.jobs import JOBS
from unrolled.series import backtest, ingest, splits
from unrolled.series.options import SeriesOptions
from unrolled.training.rows import fit_network

PROJECT = Path(__file__).resolve().parents[1]
REFERENCE = "ridge"
# More than a run plays. The parts that three of them score overlap by two thirds on sunspots; on
# airline all three end in the slump of 1958, and the fourth is the last that its rows allow.
ORIGINS = {"sunspots": 6, "airline": 4}

# As in an entry of series.yml: fields of the series, of its `model`, of its `training`.
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "airline": {
        "shipped": {},
        "before": {
            "lookback": 12,
            "es": False,
            "seasonal_difference": True,
            "model": {"window_normalisation": "last"},
            "training": {"epochs": 200, "batch_size": 32, "learning_rate": 0.005},
        },
        "less the season before": {"es": False, "seasonal_difference": True, "lookback": 12},
        "less the season before, 60 epochs": {
            "es": False,
            "seasonal_difference": True,
            "lookback": 12,
            "training": {"epochs": 60},
        },
        "with its season": {"es": False, "lookback": 24, "model": {"highway": True}},
        "lookback 4": {"lookback": 4},
        "lookback 6": {"lookback": 6},
        "lookback 12": {"lookback": 12},
        "less the last value": {"model": {"window_normalisation": "last"}},
        "windows as they are": {"model": {"window_normalisation": "none"}},
        "divided by their spread": {"model": {"window_normalisation": "last_std"}},
        "15 epochs": {"training": {"epochs": 15}},
        "60 epochs": {"training": {"epochs": 60}},
        "root": {"transform": "sqrt"},
        "highway": {"model": {"highway": True}},
        "hidden 64": {"model": {"hidden": 64}},
        "augmentation 0.3": {"training": {"augmentation": 0.3}},
        "averaging 0.95": {"training": {"averaging": 0.95}},
        "early stopping": {"training": {"early_stopping": True, "patience": 10}},
    },
    "sunspots": {
        "shipped": {},
        "before": {"transform": "none", "model": {"window_normalisation": "last"}},
        "less the last value": {"model": {"window_normalisation": "last"}},
        "windows as they are": {"model": {"window_normalisation": "none"}},
        "divided by their spread": {"model": {"window_normalisation": "last_std"}},
        "log1p": {"transform": "log1p"},
        "highway": {"model": {"highway": True}},
        "hidden 64": {"model": {"hidden": 64}},
        "segment 32": {"model": {"segment": 32}},
        "10 epochs": {"training": {"epochs": 10}},
        "augmentation 0.3": {"training": {"augmentation": 0.3}},
        "averaging 0.99": {"training": {"averaging": 0.99}},
        "early stopping": {"training": {"epochs": 60, "early_stopping": True, "patience": 10}},
    },
    "sine": {
        "shipped": {},
        "before": {
            "model": {"highway": False},
            "training": {"epochs": 200, "early_stopping": True, "refit": False},
        },
        "early stopping": {"training": {"epochs": 200, "early_stopping": True, "refit": False}},
        "no highway": {"model": {"highway": False}},
        "windows as they are": {"model": {"window_normalisation": "none"}},
        "batches of 16": {"training": {"batch_size": 16, "learning_rate": 0.01}},
        "averaging 0.9": {"training": {"averaging": 0.9}},
    },
    "mackey_glass": {
        "shipped": {},
        "before": {"training": {"refit": False}},
        "averaging 0.99": {"training": {"averaging": 0.99}},
        "hidden 64": {"model": {"hidden": 64}},
        "highway": {"model": {"highway": True}},
        "less the last value": {"model": {"window_normalisation": "last"}},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", choices=sorted(CANDIDATES))
    parser.add_argument("--quick", action="store_true", help="one seed, at most 20 epochs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file")
    arguments = parser.parse_args()

    warnings.filterwarnings("ignore", message="(?s).*register_new_resolver")  # Kedro's own call
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    parameters = loader["parameters"] | {"series": arguments.series}
    if arguments.quick:
        parameters["seeds"] = parameters["seeds"][:1]
    shipped = study.read(JOBS, parameters, PROJECT).forecasting
    origins = ORIGINS.get(arguments.series, splits.REHEARSALS)
    where = (*before_test(shipped), origins)
    scores = pd.DataFrame(
        row
        for name, change in CANDIDATES[arguments.series].items()
        for row in score_candidate(name, read(parameters, change, arguments.quick), *where)
    )
    reference = score_reference(shipped.series, *where)
    print(
        f"{arguments.series}: MASE, mean over {scores['rehearsal'].nunique()} rehearsals before the"
    )
    print(
        f"test part and seeds {', '.join(map(str, shipped.seeds))}; {REFERENCE} {reference:.3f}\n"
    )
    print(table(scores).to_string(float_format="{:.3f}".format))
    if arguments.json:
        found = rows(arguments.series, scores, reference)
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def read(parameters: dict[str, Any], change: dict[str, Any], quick: bool) -> ForecastingStudy:
    """The study with a candidate's change to the entry of its series."""
    name = parameters["series"]
    shipped = parameters["series_options"][name]
    entry = shipped | change
    for group in ("model", "training"):
        entry[group] = shipped.get(group, {}) | change.get(group, {})
    if quick:
        entry["training"] |= {"epochs": 20}
    entries = parameters["series_options"] | {name: entry}
    return study.read(JOBS, parameters | {"series_options": entries}, PROJECT).forecasting


def data_of(shipped: ForecastingStudy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The panel and its borders."""
    series = shipped.series
    if series.generator:
        panel, _ = ingest.of_generator(series, shipped.name)
    else:
        raw = SeriesFile(filepath=str(PROJECT / shipped.source)).load()
        panel, _ = ingest.of_files(raw, series, shipped.name)
    return panel, ingest.split(panel, series)


def before_test(shipped: ForecastingStudy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The panel without its test part, and the borders of all of it."""
    panel, borders = data_of(shipped)
    return backtest.before_test(panel, borders), borders


def score_candidate(
    name: str,
    candidate: ForecastingStudy,
    panel: pd.DataFrame,
    borders: pd.DataFrame,
    origins: int,
) -> Iterator[dict[str, Any]]:
    """Scores of every variant, seed and rehearsal."""
    series = candidate.series
    rehearsals = backtest.plan_rehearsals(panel, borders, series, origins)
    for variant, contender in candidate.contenders.items():
        for seed in candidate.seeds:
            fit = partial(
                fit_network,
                panel,
                series=series,
                model=contender.model,
                training=contender.training,
                seed=seed,
                label=f"{name}, {variant} seed {seed}",
            )
            rehearsed = backtest.rehearse(panel, rehearsals, series, fit)
            for number, table in rehearsals.groupby("rehearsal"):
                score = backtest.score_rehearsals(rehearsed, panel, table, series)
                yield {"candidate": name, "variant": variant, "rehearsal": number, **score}


def score_reference(
    series: SeriesOptions, panel: pd.DataFrame, borders: pd.DataFrame, origins: int
) -> float:
    """Mean score of the baseline that a network has to beat, at the same cutoffs."""
    rehearsals = backtest.plan_rehearsals(panel, borders, series, origins)
    forecast = backtest.of_baseline(REFERENCE, panel, series)
    rehearsed = backtest.rehearse(panel, rehearsals, series, lambda _: forecast)
    return backtest.score_rehearsals(rehearsed, panel, rehearsals, series)["validation_mase"]


def table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a candidate, best mean first: MASE of each variant, of each rehearsal, of all."""
    by = [
        scores.pivot_table("validation_mase", "candidate", column, sort=False)
        for column in ("variant", "rehearsal")
    ]
    mean = scores.groupby("candidate", sort=False)["validation_mase"].mean().rename("mean")
    ranked = mean.where(by[1].notna().all(axis=1))
    return pd.concat([*by, ranked], axis=1).sort_values("mean", kind="stable")


def rows(series: str, scores: pd.DataFrame, reference: float) -> list[dict[str, Any]]:
    """One row a candidate and variant, in the form that all benchmarks share."""
    means = scores.groupby(["candidate", "variant"], sort=False)["validation_mase"].mean()
    return [
        {
            "case": f"{series}: {candidate}, {variant}",
            "value": value,
            "unit": "MASE",
            "reference": reference,
            "reference_name": REFERENCE,
            "ratio": value / reference,
            "bar": None,
            "met": None,
        }
        for (candidate, variant), value in means.items()
    ]


if __name__ == "__main__":
    main()
