"""A leaderboard in words: as a table of text, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from unrolled.comparison.champion import MEDIAN

NOTE = "note"  # the column that says what a row's numbers do not


COST = ["parameters", "train_seconds"]
VALIDATION = ["validation_mase", "validation_mae"]
TEXT_METRICS = ["bits_per_char", "nats_per_char", "perplexity", "bits_per_byte"]


def of_series(scores: Iterable[dict[str, Any]], metrics: Iterable[str]) -> pd.DataFrame:
    """One row a variant, ensemble or baseline, means over seeds, best MASE first (MAE where none is).

    Args:
        scores: of each variant and seed, ensemble and baseline.
        metrics: their names, MASE the last.
    """
    *others, _ = metrics
    numbers = [*COST, *metrics, *VALIDATION]
    table = pd.DataFrame(scores).astype(dict.fromkeys(numbers, float))
    by = table.groupby(["variant", "kind"], sort=False)
    board = by[numbers].mean(skipna=False)  # a seed without a score is none of its variant either
    board["parameters"] = board["parameters"].astype("Int64")  # of a baseline: none
    board["seeds"] = by["seeds"].sum()
    board["mase_std"] = by["mase"].std()
    if NOTE in table:
        board[NOTE] = by[NOTE].first()
    order = "mase" if board["mase"].notna().any() else "mae"
    columns = [
        "variant",
        "mase",
        "mase_std",
        "validation_mase",
        *others,
        "kind",
        "seeds",
        *COST,
        *([NOTE] if NOTE in board else []),
    ]
    return ranked(board.reset_index()[columns], order)


def of_texts(scores: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """One row a variant or baseline, means over seeds, fewest bits per character first."""
    by = pd.DataFrame(scores).groupby(["variant", "kind"], sort=False)
    board = by[[*COST, *TEXT_METRICS]].mean(skipna=False)
    board["parameters"] = board["parameters"].astype("Int64")  # of a baseline: none
    board["seeds"] = by.size()
    board["bits_per_char_std"] = by["bits_per_char"].std()
    score, *others = TEXT_METRICS
    columns = ["variant", score, f"{score}_std", *others, "kind", "seeds", *COST]
    return ranked(board.reset_index()[columns], score)


def ranked(board: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Sort a leaderboard, lowest first; a score that is no finite number is none, stands last and is noted.

    Args:
        board: one row a variant; in the column `note`, where there is one, text or NaN.
        metric: that orders it.

    Returns:
        The same rows and columns, with `note` last where a row has one.

    >>> ranked(pd.DataFrame({"variant": ["a", "b"], "mae": [float("inf"), 2.0]}), "mae")
      variant  mae                                           note
    0       b  2.0                                            NaN
    1       a  NaN  mae is no finite number, so it is ranked last
    """
    board = board.copy()
    for name in board.select_dtypes("float"):
        board[name] = board[name].where(np.isfinite(board[name]))
    given = board.pop(NOTE) if NOTE in board else [None] * len(board)
    texts = [note if isinstance(note, str) else "" for note in given]
    last = board[metric].isna()
    if not last.all():
        said = f"{metric} is no finite number, so it is ranked last"
        texts = [
            "; ".join(filter(None, [said, text])) if bad else text
            for bad, text in zip(last, texts, strict=True)
        ]
    if any(texts):
        board[NOTE] = [text or None for text in texts]
    return board.sort_values(metric, kind="stable", ignore_index=True)


def notes(board: pd.DataFrame) -> list[str]:
    """What a leaderboard's rows have noted, a line each."""
    if NOTE not in board:
        return []
    some = board[board[NOTE].notna()]
    return [
        f"Note on {name}: {note}." for name, note in zip(some["variant"], some[NOTE], strict=True)
    ]


def as_text(board: pd.DataFrame, width: int | None = None) -> str:
    """A leaderboard as aligned text: words left, numbers right, four digits each, `-` for none.

    With a `width`, in characters, the last columns are left out where the table would be wider.

    >>> print(as_text(pd.DataFrame({"variant": ["gru", "ridge"], "mase": [0.51234, float("nan")]})))
    variant    mase
    gru      0.5123
    ridge         -
    """
    columns: list[list[str]] = []
    for name in board:
        numbers = pd.api.types.is_numeric_dtype(board[name])
        cells = [str(name), *map(cell, board[name])]
        wide = max(map(len, cells))
        columns.append([text.rjust(wide) if numbers else text.ljust(wide) for text in cells])
        if width is not None and sum(len(column[0]) + 2 for column in columns) - 2 > width:
            columns.pop()
            break
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def cell(value: object) -> str:
    """A value with four digits; `-` for none."""
    if pd.isna(value):  # type: ignore[call-overload]
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def verdict(board: pd.DataFrame) -> str:
    """Whether the best recurrent network beats the best baseline, in a sentence.

    The board is sorted by the metric whose spread over seeds it holds as `{metric}_std`; a lead
    smaller than that spread is none.

    >>> row = {"variant": "gru", "kind": "recurrent", "mase": 0.95, "mase_std": 0.1}
    >>> verdict(pd.DataFrame([row, {"variant": "ridge", "kind": "baseline", "mase": 1.0}]))
    'A draw: gru 0.95 and the baseline ridge 1 differ by less than the spread over seeds, 0.1.'
    """
    metric = next(str(name) for name in board if str(name).endswith("_std")).removesuffix("_std")
    asked = (board["kind"] == "baseline").any()
    rows = board[np.isfinite(board[metric].astype(float))].to_dict("records")
    networks = [row for row in rows if row["kind"] != "baseline"]
    baselines = [row for row in rows if row["kind"] == "baseline"]
    if not networks:
        return f"No network has a finite {metric}, so none beats a baseline."
    network = networks[0]
    if not baselines:
        why = "No baseline was asked for" if not asked else f"No baseline has a finite {metric}"
        return f"Best: {network['variant']}. {why}."
    baseline = baselines[0]
    ours = f"{network['variant']} {cell(network[metric])}"
    theirs = f"the baseline {baseline['variant']} {cell(baseline[metric])}"
    lead = baseline[metric] - network[metric]
    # A median over seeds has no spread of its own; theirs says how far luck goes.
    spreads = {row["variant"]: row[f"{metric}_std"] for row in networks}
    spread = spreads.get(network["variant"].removesuffix(MEDIAN), network[f"{metric}_std"])
    if abs(lead) < spread:
        return (
            f"A draw: {ours} and {theirs} differ by less than the spread over seeds,"
            f" {cell(spread)}."
        )
    if lead > 0:
        return f"{ours} beats every baseline; the best of them is {theirs}."
    return f"No recurrent network beats {theirs}; the best of them is {ours}."
