"""Two sentences for each remedy, from the numbers of the matrix: what it cures, what it leaves."""

from __future__ import annotations

import pandas as pd

from unrolled.errors import InputError
from unrolled.gradients.health import EXPLODED, VANISHED
from unrolled.gradients.options import REMEDIES
from unrolled.gradients.tasks import TASKS

WHEN = ("before", "after")  # training


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Judge every remedy in a table by the network without it.

    Args:
        table: records of `remedies.run_cell`, one a row.

    Returns:
        `remedy`, `title`, `cures`, `leaves`: a sentence each, in the order of `REMEDIES`.

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
    parts = [
        f"{task} ({_solved(own, task)} at {_lengths(own)}, without it {_solved(base, task)})"
        for task in TASKS
        if _share(own, task) > _share(base, task)
    ]
    parts += [
        f"{_sickness(base, when)} {when} training ({_carried(own, when):.0e} at the longest lag,"
        f" without it {_carried(base, when):.0e})"
        for when in WHEN
        if _sickness(base, when) and VANISHED <= _carried(own, when) <= EXPLODED
    ]
    if own["diverged"].mean() < base["diverged"].mean():
        parts.append(f"divergence ({_diverged(own)}, without it {_diverged(base)})")
    if not parts:
        return f"{title}: cures nothing here that {base_title} suffers from."
    return f"{title}: cures {'; '.join(parts)}."


def _leaves(own: pd.DataFrame) -> str:
    parts = [
        f"{task} ({_solved(own, task)} at {_lengths(own)})"
        for task in TASKS
        if _share(own, task) < 1
    ]
    parts += [
        f"{_sickness(own, when)} {when} training ({_carried(own, when):.0e} at the longest lag)"
        for when in WHEN
        if _sickness(own, when)
    ]
    if own["diverged"].any():
        parts.append(f"divergence ({_diverged(own)})")
    return f"Leaves {'; '.join(parts)}." if parts else "Leaves nothing unsolved."


def _solved(table: pd.DataFrame, task: str) -> str:
    """As "solved 5, 5, 3 of 5", by length."""
    groups = table[table["task"] == task].groupby("length")["solved"]
    return f"solved {', '.join(map(str, groups.sum()))} of {groups.size().max()}"


def _lengths(table: pd.DataFrame) -> str:
    return f"T = {', '.join(map(str, sorted(table['length'].unique())))}"


def _share(table: pd.DataFrame, task: str) -> float:
    """Share of the runs on a task that were solved; NaN, which compares as nothing, without any."""
    return float(table.loc[table["task"] == task, "solved"].mean())


def _carried(table: pd.DataFrame, when: str) -> float:
    """Median gradient at the longest lag, relative to lag 0, before or after training."""
    longest = table["length"] == table["length"].max()
    return float(table.loc[longest, f"gradient_{when}"].median())


def _sickness(table: pd.DataFrame, when: str) -> str:
    """What the gradient suffers from before or after training; nothing where most runs lost it."""
    carried = _carried(table, when)
    return "vanishing" if carried < VANISHED else "explosion" if carried > EXPLODED else ""


def _diverged(table: pd.DataFrame) -> str:
    return f"{int(table['diverged'].sum())} of {len(table)} runs"
