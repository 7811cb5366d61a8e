"""LSTM or GRU? Cost and error of each cell, at equal hidden size and at equal parameter count.

    python benchmarks/choosing.py --save    # also writes docs/choosing.md

Every cell is trained as the shipped options say, with five seeds, and scored on the test part.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from kedro.config import OmegaConfigLoader

from _table import Row, machine, main
from options import PROJECT, data_of
from unrolled import study
from unrolled.pipelines.forecasting.job import ForecastingStudy
from unrolled.pipelines.jobs import JOBS
from unrolled.recurrent.batch import Batch, Inputs
from unrolled.recurrent.description import descriptions
from unrolled.recurrent.forecaster import Forecaster, parameter_count
from unrolled.recurrent.options import OWN, ModelOptions
from unrolled.recurrent.weights import weights
from unrolled.series import backtest, metrics
from unrolled.series.options import SeriesOptions
from unrolled.training.rows import fit_network

CELLS = list(descriptions())
REFERENCE = "lstm"
PAGE = PROJECT / "docs/choosing.md"
# What another benchmark fills.
EQUAL_TIME = """## In equal time

The newer cells cost more a step. Here each variant trains as long as the LSTM does: `python
benchmarks/equal_time.py` measures seconds an epoch, and gives each as many epochs as fit, its step size falling
over these. MASE is the mean of five seeds on the test part; nats a character are of what no network has read.

<!-- benchmark:equal_time -->
<!-- /benchmark:equal_time -->
"""


def network(options: ModelOptions, series: SeriesOptions) -> Forecaster:
    return Forecaster(options, Inputs(1 + len(series.lags)), series.lookback, series.horizon).eval()


def multiply_adds(net: Forecaster) -> int:
    """Products a step of the series: matrices of weights, each used once a segment."""
    used = sum(
        matrix.numel() for cell in weights(net) for matrix in cell.parameters if matrix.dim() == 2
    )
    return round(used / net.options.segment)


def inference_microseconds(net: Forecaster, series: SeriesOptions) -> float:
    """Median time of one forecast from one window, one thread."""
    window = Batch(torch.randn(series.lookback, 1, 1 + len(series.lags)))
    times = []
    with torch.inference_mode():
        for _ in range(300):
            began = time.perf_counter()
            net(window)
            times.append(time.perf_counter() - began)
    return 1e6 * statistics.median(times)


def equal_parameters(options: ModelOptions, series: SeriesOptions, target: int) -> ModelOptions:
    """The options with the hidden size that comes nearest to so many parameters."""
    parts = [getattr(options, name) for name, own in OWN.items() if own.divides_hidden]
    sizes = (
        options.model_copy(update={"hidden": hidden})
        for hidden in range(1, 400)
        if not any(hidden % part for part in parts)
    )
    return min(sizes, key=lambda o: abs(parameter_count(network(o, series)) - target))


def studies(name: str, quick: bool) -> Iterator[tuple[str, ForecastingStudy]]:
    """The study of all cells at equal hidden size, then at equal parameter count."""
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    seeds = [0] if quick else [0, 1, 2, 3, 4]
    changes: dict[str, Any] = {"series": name, "variants": CELLS, "seeds": seeds}
    parameters = loader["parameters"] | changes
    if quick:
        parameters["training"] |= {"epochs": 10}
    given = study.read(JOBS, parameters, PROJECT).forecasting
    yield "equal hidden size", given
    target = parameter_count(network(given.contenders[REFERENCE].model, given.series))
    yield (
        "equal parameter count",
        given.model_copy(
            update={
                "contenders": {
                    variant: one.model_copy(
                        update={"model": equal_parameters(one.model, given.series, target)}
                    )
                    for variant, one in given.contenders.items()
                }
            }
        ),
    )


def measured(given: ForecastingStudy) -> pd.DataFrame:
    """One row a cell: sizes, cost, error on the test part."""
    by = pd.DataFrame(scores(given)).groupby("variant", sort=False)
    table = by[["train_seconds", "mase", "mae"]].mean()
    table["mase_std"] = by["mase"].std()
    nets = {cell: network(one.model, given.series) for cell, one in given.contenders.items()}
    table.insert(0, "parameters", [parameter_count(nets[cell]) for cell in table.index])
    table.insert(0, "hidden", [nets[cell].options.hidden for cell in table.index])
    table.insert(2, "multiply_adds", [multiply_adds(nets[cell]) for cell in table.index])
    table.insert(
        4, "inference", [inference_microseconds(nets[cell], given.series) for cell in table.index]
    )
    return table


def scores(given: ForecastingStudy) -> Iterator[dict[str, Any]]:
    """Error and training time of every cell and seed."""
    panel, borders = data_of(given)
    history = backtest.before_test(panel, borders)
    for cell, one in given.contenders.items():
        for seed in given.seeds:
            began = time.perf_counter()
            forecast = fit_network(
                panel, borders, given.series, one.model, one.training, seed, f"{cell} seed {seed}"
            )
            seconds = time.perf_counter() - began
            found = backtest.over_cutoffs(panel, borders, given.series, forecast)
            score = metrics.score(found, history, given.series.season)
            yield {"variant": cell, "train_seconds": seconds} | score


def rows(quick: bool) -> list[Row]:
    """MASE of every cell beside the LSTM's; with --save the page is written from the same run."""
    torch.set_num_threads(1)
    found, tables = [], {}
    for name in ("airline",) if quick else ("airline", "sunspots"):
        for title, given in studies(name, quick):
            table = tables[name, title] = measured(given)
            reference = float(table.loc[REFERENCE, "mase"])
            found += [
                Row(f"{name}, {title}: {cell}", float(row["mase"]), "MASE", reference, REFERENCE)
                for cell, row in table.iterrows()
            ]
    if not quick:
        PAGE.write_text(page(tables), encoding="utf-8")
    return found


def page(tables: dict[tuple[str, str], pd.DataFrame]) -> str:
    """docs/choosing.md."""
    at = machine()
    lines = [
        "# LSTM or GRU?",
        "",
        "Measured on this code, not remembered: each cell is trained by the shipped options with",
        "seeds 0 to 4 and scored from every cutoff of the test part. MASE is the mean over seeds ±",
        "their standard deviation; multiply-adds are a step of the series; inference is one",
        "forecast from one window. `python benchmarks/choosing.py --save` writes this page.",
        "",
        f"{at['processor']}, {at['cores']} cores, one thread, torch {at['torch']}.",
    ]
    for (name, title), table in tables.items():
        head = "| cell | hidden | parameters | multiply-adds | train s | inference µs | MASE |"
        lines += [
            "",
            f"## {name}, {title}",
            "",
            head,
            "| --- | --: | --: | --: | --: | --: | --: |",
        ]
        for cell, row in table.sort_values("mase").iterrows():
            lines.append(
                f"| `{cell}` | {row['hidden']:.0f} | {row['parameters']:,.0f} |"
                f" {row['multiply_adds']:,.0f} | {row['train_seconds']:.2f} |"
                f" {row['inference']:.0f} | {row['mase']:.3f} ± {row['mase_std']:.3f} |"
            )
        lines += ["", sentence(table)]
    return "\n".join([*lines, "", EQUAL_TIME])


def sentence(table: pd.DataFrame) -> str:
    """Whether LSTM and GRU differ by more than their spread, and what the GRU saves."""
    lstm, gru = table.loc["lstm"], table.loc["gru"]
    gap, spread = gru["mase"] - lstm["mase"], max(gru["mase_std"], lstm["mase_std"])
    better = "LSTM" if gap > 0 else "GRU"
    verdict = (
        f"{better} is better by {abs(gap):.3f}, more than the larger spread {spread:.3f}"
        if abs(gap) > spread
        else f"LSTM and GRU are a draw: they differ by {abs(gap):.3f}, the larger spread is"
        f" {spread:.3f}"
    )
    fewer = 1 - gru["multiply_adds"] / lstm["multiply_adds"]
    return f"{verdict}. The GRU takes {fewer:+.0%} fewer multiply-adds than the LSTM.".replace(
        "+", ""
    )


if __name__ == "__main__":
    main(rows)
