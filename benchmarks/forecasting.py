"""Networks against baselines on every shipped series, as `kedro run` scores them on the test part.

    python benchmarks/forecasting.py

Runs the forecasting pipeline with five seeds and reads its leaderboards. The network of each series
is the one that the rehearsals put first among networks and medians over their seeds; it stands beside
the best baseline of the test part, which is the hardest choice of one. What is printed on the series
of `make run` is kept for the README.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd

from _table import RESULTS, Row, main
from unrolled import records
from unrolled.comparison.champion import MEDIAN
from unrolled.comparison.leaderboard import as_text, cell, verdict
from unrolled.comparison.records import Winner
from unrolled.comparison.sentences import winner_sentence

PROJECT = Path(__file__).resolve().parents[1]
REPORTS = PROJECT / "data/08_reporting/forecasting"
MODELS = PROJECT / "data/06_models/forecasting"
# What is to be reached, beside being better than the best baseline.
BARS = {"airline": ("mase", "value <= 0.60"), "sunspots": ("mae", "value <= 23.0")}
SERIES = ("sunspots", "airline", "sine", "mackey_glass")
SHOWN = "sunspots"


def leaderboard(series: str, quick: bool) -> pd.DataFrame:
    """Run the pipeline and read what it left."""
    kedro = Path(sys.executable).parent / "kedro"
    arguments = ["--env", "quick"] if quick else []
    seeds = "[0,1]" if quick else "[0,1,2,3,4]"
    subprocess.run(
        [
            kedro,
            "run",
            "--pipelines=forecasting",
            *arguments,
            "--params",
            f"series={series},seeds={seeds}",
        ],
        cwd=PROJECT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return pd.read_csv(REPORTS / series / "leaderboard.csv")


def rows(quick: bool) -> list[Row]:
    """The network of each series against its best baseline."""
    found = []
    for series in SERIES:
        board = leaderboard(series, quick)
        path = MODELS / series / "winner.json"
        winner = records.read(Winner, path.read_bytes(), path)
        protocol = (REPORTS / series / "protocol.txt").read_text()
        text = f"{protocol}\n\n{as_text(board)}\n\n{verdict(board)}\n{winner_sentence(winner)}"
        print(text, flush=True)
        if series == SHOWN and not quick:
            (RESULTS / "leaderboard.txt").write_text(text + "\n", encoding="utf-8")
        is_baseline = board["kind"] == "baseline"
        network = board[~is_baseline].sort_values("validation_mase", kind="stable").iloc[0]
        baseline = board[is_baseline].iloc[0]
        name = str(network["variant"])
        spread = board.set_index("variant")["mase_std"][name.removesuffix(MEDIAN)]
        margin = float(baseline["mase"] - network["mase"])
        case = f"{series}: {name}; margin {cell(margin)}, spread over seeds {cell(float(spread))}"
        measured = [("mase", "ratio <= 1")] + ([BARS[series]] if series in BARS else [])
        found += [
            Row(
                case if metric == "mase" else f"{series}: {name}",
                float(network[metric]),
                metric.upper(),
                float(baseline[metric]),
                str(baseline["variant"]),
                bar=bar,
            )
            for metric, bar in measured
        ]
    return found


if __name__ == "__main__":
    main(rows)
