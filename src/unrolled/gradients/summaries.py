"""What came of many networks and batches, in few numbers and words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from unrolled.gradients.options import REMEDIES, MatrixOptions


def scores_of(records: list[dict[str, Any]]) -> dict[str, float]:
    """Shares of solved and diverged runs, medians of the rest."""
    table = pd.DataFrame(records)
    shares = table[["solved", "diverged", "clipped"]].mean()
    medians = table[["steps", "loss", "chance", "gradient_before", "gradient_after"]].median()
    return {str(key): float(value) for key, value in pd.concat([shares, medians]).items()}


def followed(flows: pd.DataFrame) -> pd.DataFrame:
    """Of every network the flow on what was written first, its cell's first state."""
    return flows[flows["on"] == flows.groupby("variant")["on"].transform("first")]


def summary(remedies: pd.DataFrame) -> pd.DataFrame:
    """One row a remedy, to be read.

    Returns:
        `remedy`, title; for each task and length how many seeds solved it, and in how many steps
        (median of those that did); `diverged`, runs; `gradient_before` and `gradient_after`, at the
        longest lag, relative to lag 0, median.
    """
    longest = remedies["length"].max()
    rows = []
    for remedy, own in remedies.groupby("remedy", sort=False):
        row: dict[str, Any] = {"remedy": REMEDIES[str(remedy)].title}
        for (task, length), cell in own.groupby(["task", "length"]):
            solved = cell.loc[cell["solved"], "steps"]
            after = f" in {solved.median():.0f}" if len(solved) else ""
            row[f"{task} {length}"] = f"{len(solved)} of {len(cell)}{after}"
        row["diverged"] = f"{int(own['diverged'].sum())} of {len(own)}"
        at_longest = own[own["length"] == longest]
        for when in ("before", "after"):
            row[f"gradient_{when}"] = f"{at_longest[f'gradient_{when}'].median():.0e}"
        rows.append(row)
    return pd.DataFrame(rows)


def protocol(remedies: pd.DataFrame, seeds: list[int], training: MatrixOptions) -> str:
    """Say how the numbers of the matrix were measured, in one line."""
    tasks = remedies.drop_duplicates(["task", "length"]).sort_values(["task", "length"])
    marks = {"adding": " (one mark in each half)"}
    lines = "; ".join(
        f"{task} over {', '.join(map(str, group['length']))} steps{marks.get(str(task), '')}"
        for task, group in tasks.groupby("task")
    )
    return (
        f"{lines}; {training.hidden} units, at most {training.steps}"
        f" steps of {training.batch_size} sequences, step size {training.learning_rate:g};"
        f" seeds {', '.join(map(str, seeds))}"
    )
