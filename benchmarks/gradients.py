"""Which remedy lets a network learn over how many steps: the matrix of the gradients job.

    python benchmarks/gradients.py

Runs `make matrix`, or what is left of it, and reads its tables. The summary is kept for the README.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd

from _table import RESULTS, Row, main
from unrolled.comparison.leaderboard import as_text
from unrolled.gradients.options import REMEDIES

PROJECT = Path(__file__).resolve().parents[1]
REPORTS = PROJECT / "data/08_reporting"
# What the literature says, as bars on the seeds that solve adding over the longest lag.
BARS = {"none": "value <= 0", "gru": "value >= 3", "lstm_chrono": "value >= 3"}


def rows(quick: bool) -> list[Row]:
    """Seeds that solve adding at its longest, beside the network without the remedy; divergence."""
    command = (
        [".venv/bin/kedro", "run", "--env", "quick", "--pipelines=gradients"]
        if quick
        else ["make", "matrix"]
    )
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    report = REPORTS / ("gradients" if quick else "gradients_full")
    table = pd.read_csv(report / "remedies.csv")
    if not quick:
        protocol, summary = (report / "protocol.txt"), pd.read_csv(report / "summary.csv")
        text = f"{protocol.read_text()}\n\n{as_text(summary)}\n"
        (RESULTS / "remedies.txt").write_text(text, encoding="utf-8")
    return [*solved(table), *diverged(table)]


def solved(table: pd.DataFrame) -> list[Row]:
    """Seeds that solve adding at the longest length."""
    length = table["length"].max()
    adding = table[(table["task"] == "adding") & (table["length"] == length)]
    seeds = adding.groupby("remedy", sort=False)["solved"].sum()
    unit = f"of {adding['seed'].nunique()} seeds"
    found = []
    for name, count in seeds.items():
        remedy = REMEDIES[str(name)]
        found.append(
            Row(
                f"adding over {length} steps solved: {remedy.title}",
                float(count),
                unit,
                None if remedy.base == name else float(seeds[remedy.base]),
                "" if remedy.base == name else REMEDIES[remedy.base].title,
                bar=BARS.get(str(name), ""),
            )
        )
    return found


def diverged(table: pd.DataFrame) -> list[Row]:
    """Share of all runs of the IRNN that diverge, and what clipping does to it."""
    shares = 100 * table.groupby("remedy")["diverged"].mean()
    found = []
    for name in ("identity", "identity_sgd", "identity_sgd_clipped"):
        if name in shares:
            remedy = REMEDIES[name]
            case = f"runs on both tasks that diverge: {remedy.title}"
            other = float(shares[remedy.base])
            base = REMEDIES[remedy.base].title
            found.append(Row(case, float(shares[name]), "%", other, base))
    return found


if __name__ == "__main__":
    main(rows)
