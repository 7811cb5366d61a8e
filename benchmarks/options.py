"""Which options to ship for a series, judged before its test part begins.

    python benchmarks/options.py airline
    python benchmarks/options.py sunspots --quick --json options.json

The test part is cut off before anything is fitted. What is left is rehearsed as if the validation
part were the test: the rows before it, as many, choose the epoch, and the whole protocol (scaling,
early stopping, refit, rolling origin) runs as in `kedro run`. A second rehearsal ends half a
validation part earlier, so that no candidate wins by the luck of one split.

No rehearsal scores rows that its early stopping has seen, but each has fewer rows to learn from
than the real run. Early stopping and score on the same rows would have them all, and be a little
optimistic. So is the best of many candidates in any case: `kedro run` scores it on test, once.

Every candidate is one change to the shipped options of conf/base/parameters.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.config import OmegaConfigLoader

from unrolled import study
from unrolled.datasets import SeriesFile
from unrolled.pipelines.forecasting import nodes
from unrolled.series import splits
from unrolled.series.options import SeriesOptions

PROJECT = Path(__file__).resolve().parents[1]
REFERENCE = "ridge"

# As in an entry of series.yml: fields of the series, of its `model`, of its `training`.
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "airline": {
        "shipped": {},
        "lookback 6": {"lookback": 6},
        "lookback 24": {"lookback": 24},
        "no seasonal difference": {"seasonal_difference": False, "lookback": 24},
        "no seasonal difference, lag 12": {"seasonal_difference": False, "lags": [12]},
        "Box-Cox": {"transform": "boxcox"},
        "highway": {"model": {"highway": True}},
        "dropout 0.3": {"model": {"head_dropout": 0.3}},
        "hidden 16": {"model": {"hidden": 16}},
        "windows as they are": {"model": {"window_normalisation": "none"}},
        "windows standardised": {"model": {"window_normalisation": "mean_std"}},
        "loss MAE": {"training": {"loss": "mae"}},
        "no weight decay": {"training": {"weight_decay": 0.0}},
        "100 epochs": {"training": {"epochs": 100}},
        "early stopping": {"training": {"early_stopping": True}},
        "early stopping, no refit": {"training": {"early_stopping": True, "refit": False}},
    },
    "sunspots": {
        "shipped": {},
        "lookback 256": {"lookback": 256},
        "segment 8": {"model": {"segment": 8}},
        "segment 32": {"model": {"segment": 32}},
        "highway": {"model": {"highway": True}},
        "dropout 0.3": {"model": {"head_dropout": 0.3}},
        "hidden 64": {"model": {"hidden": 64}},
        "windows as they are": {"model": {"window_normalisation": "none"}},
        "windows standardised": {"model": {"window_normalisation": "mean_std"}},
        "loss MSE": {"training": {"loss": "mse"}},
        "batches of 32": {"training": {"batch_size": 32}},
        "no weight decay": {"training": {"weight_decay": 0.0}},
        "10 epochs": {"training": {"epochs": 10}},
        "40 epochs": {"training": {"epochs": 40}},
        "early stopping": {"training": {"epochs": 200, "early_stopping": True}},
        "early stopping, no refit": {
            "training": {"epochs": 200, "early_stopping": True, "refit": False}
        },
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
    shipped = study.read(parameters, PROJECT).forecasting
    parts = list(rehearsals(shipped))
    scores = pd.DataFrame(
        row
        for name, change in CANDIDATES[arguments.series].items()
        for row in score_candidate(name, read(parameters, change, arguments.quick), parts)
    )
    reference = pd.DataFrame(score_reference(shipped.series, parts))["mase"].mean()
    print(f"{arguments.series}: MASE, mean over {len(parts)} rehearsals before the test part and")
    print(f"seeds {', '.join(map(str, shipped.seeds))}; {REFERENCE} {reference:.3f}\n")
    print(table(scores).to_string(float_format="{:.3f}".format))
    if arguments.json:
        found = rows(arguments.series, scores, reference)
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def read(parameters: dict[str, Any], change: dict[str, Any], quick: bool) -> study.ForecastingStudy:
    """The study with a candidate's change to the entry of its series."""
    name = parameters["series"]
    shipped = parameters["series_options"][name]
    entry = shipped | change
    for group in ("model", "training"):
        entry[group] = shipped.get(group, {}) | change.get(group, {})
    if quick:
        entry["training"] |= {"epochs": 20}
    entries = parameters["series_options"] | {name: entry}
    return study.read(parameters | {"series_options": entries}, PROJECT).forecasting


def rehearsals(shipped: study.ForecastingStudy) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Panels that end before the test part, with borders: the last rows are scored."""
    series = shipped.series
    if series.generator:
        panel = nodes.generate(series)
    else:
        raw = SeriesFile(filepath=str(PROJECT / shipped.source)).load()
        panel = nodes.ingest(raw, series, shipped.name)
    [parts] = splits.each(nodes.split(panel, series))
    for back in (0, parts.validation // 2):
        cut = panel.iloc[: parts.validation_end - back]
        yield cut, splits.borders(cut, parts.validation, parts.validation)


def score_candidate(
    name: str, candidate: study.ForecastingStudy, parts: list[tuple[pd.DataFrame, pd.DataFrame]]
) -> Iterator[dict[str, Any]]:
    """Scores of every variant, seed and rehearsal."""
    series = candidate.series
    for panel, borders in parts:
        splits.check_lengths(borders, series)
        scaler = nodes.fit_scaler(panel, borders, series)
        values = nodes.scale(panel, borders, scaler, series)
        windows = nodes.window(borders, series)
        for variant, contender in candidate.contenders.items():
            for seed in candidate.seeds:
                weights, card, _ = nodes.train(
                    values, windows, series, contender.model, contender.training, variant, seed
                )
                backtest = nodes.backtest(weights, card, values, panel, borders, scaler, series)
                yield {"candidate": name, **nodes.score(backtest, card, panel, borders, series)}


def score_reference(
    series: SeriesOptions, parts: list[tuple[pd.DataFrame, pd.DataFrame]]
) -> Iterator[dict[str, Any]]:
    """Scores of the baseline that a network has to beat, at the same cutoffs."""
    for panel, borders in parts:
        backtest, card = nodes.backtest_baseline(panel, borders, series, REFERENCE)
        yield nodes.score(backtest, card, panel, borders, series)


def table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a candidate, best mean first: MASE of each variant, means over all of them."""
    by_variant = scores.pivot_table("mase", "candidate", "variant", sort=False)
    means = scores.groupby("candidate", sort=False)[["mase", "mae", "train_seconds"]].mean()
    return by_variant.join(means.rename(columns={"mase": "mean"})).sort_values("mean")


def rows(series: str, scores: pd.DataFrame, reference: float) -> list[dict[str, Any]]:
    """One row a candidate and variant, in the form that all benchmarks share."""
    means = scores.groupby(["candidate", "variant"], sort=False)["mase"].mean()
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
