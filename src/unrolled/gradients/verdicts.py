"""Two sentences for each remedy, from the numbers of the matrix: what it cures, what it does not."""

from __future__ import annotations

from collections.abc import Hashable
from typing import cast

import pandas as pd

from unrolled.errors import InputError
from unrolled.gradients.health import VANISHED
from unrolled.gradients.remedies import REMEDIES


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Judge every remedy in a table by the network without it.

    Args:
        table: records of `remedies.run_cell`, one a row.

    Returns:
        `remedy`, `title`, `cures`, `leaves`: one sentence each, in the order of `REMEDIES`.

    Raises:
        InputError: the network that a remedy is compared with is not in the table.
    """
    found = set(table["remedy"])
    rows = []
    for name, remedy in REMEDIES.items():
        if name not in found:
            continue
        if remedy.base not in found:
            raise InputError(
                f"remedy {name!r} is compared with {remedy.base!r}, which the table lacks; run it"
                " too"
            )
        own = table[table["remedy"] == name]
        base = table[table["remedy"] == remedy.base]
        rows.append(
            {
                "remedy": name,
                "title": remedy.title,
                "cures": _cures(remedy.title, own, REMEDIES[remedy.base].title, base),
                "leaves": _leaves(own),
            }
        )
    return pd.DataFrame(rows, columns=["remedy", "title", "cures", "leaves"])


def _cures(title: str, own: pd.DataFrame, base_title: str, base: pd.DataFrame) -> str:
    if title == base_title:
        return f"{title}: what the others are compared with."
    without = _solved(base)
    parts = [
        f"{_place(cell)} (solved {int(row['sum'])} of {int(row['size'])}, without"
        f" {int(without['sum'].get(cell, 0))}; median of {row['steps']:.0f} steps)"
        for cell, row in _solved(own).iterrows()
        if row["sum"] > without["sum"].get(cell, 0)
    ]
    if _carried(own) >= VANISHED > _carried(base):
        parts.append(
            f"the vanishing gradient of the first weights ({_carried(own):.0e} at the longest lag,"
            f" without {_carried(base):.0e})"
        )
    if own["diverged"].mean() < base["diverged"].mean():
        parts.append(f"divergence ({_diverged(own)}, without {_diverged(base)})")
    if not parts:
        return f"{title} cures nothing here that {base_title} suffers from."
    return f"{title} cures {'; '.join(parts)}."


def _leaves(own: pd.DataFrame) -> str:
    parts = [
        f"{_place(cell)} (solved {int(row['sum'])} of {int(row['size'])})"
        for cell, row in _solved(own).iterrows()
        if row["sum"] < row["size"]
    ]
    if _carried(own) < VANISHED:
        parts.append(f"a vanishing gradient ({_carried(own):.0e} at the longest lag)")
    if own["diverged"].any():
        parts.append(f"divergence ({_diverged(own)})")
    return f"It leaves {'; '.join(parts)}." if parts else "It leaves nothing unsolved."


def _solved(table: pd.DataFrame) -> pd.DataFrame:
    """Solved runs, runs, and median steps of the solved, by task and length."""
    groups = table.groupby(["task", "length"])["solved"].agg(["sum", "size"])
    return groups.assign(steps=table[table["solved"]].groupby(["task", "length"])["steps"].median())


def _carried(table: pd.DataFrame) -> float:
    """Median gradient at the longest lag before training, relative to lag 0."""
    longest = table["length"] == table["length"].max()
    return float(table.loc[longest, "gradient_before"].median())


def _diverged(table: pd.DataFrame) -> str:
    return f"{int(table['diverged'].sum())} of {len(table)} runs"


def _place(cell: Hashable) -> str:
    task, length = cast("tuple[str, int]", cell)
    return f"{task} at T = {length}"
