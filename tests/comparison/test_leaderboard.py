"""How scores become a leaderboard, and what it says."""

import numpy as np
import pandas as pd
import pytest

from unrolled.comparison.leaderboard import notes, of_series, verdict
from unrolled.series.metrics import METRICS


def leaderboard(*scores: dict) -> pd.DataFrame:
    return of_series(scores, METRICS)


def scores(variant: str, kind: str, mase: float, mae: float = 1.0) -> dict:
    cost = {"parameters": 7 if kind == "recurrent" else None, "train_seconds": 1.0, "seeds": 1}
    cost |= {"validation_mase": mase + 1, "validation_mae": mae}
    return {
        "variant": variant, "kind": kind, "mae": mae, "rmse": 2.0, "smape": 3.0, "mase": mase,
    } | cost  # fmt: skip


def test_the_leaderboard_holds_means_over_seeds_best_first_with_their_spread():
    board = leaderboard(
        scores("gru", "recurrent", 0.5),
        scores("gru", "recurrent", 0.7),
        scores("ridge", "baseline", 0.55),
    )
    assert board["variant"].tolist() == ["ridge", "gru"]
    assert board["seeds"].tolist() == [1, 2]
    assert board["mase"].tolist() == pytest.approx([0.55, 0.6])
    assert board["mase_std"].iloc[1] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert board["validation_mase"].tolist() == pytest.approx([1.55, 1.6])
    assert board["parameters"].astype(object).tolist() == [pd.NA, 7]


def test_where_no_mase_exists_mae_ranks():
    nan = float("nan")
    board = leaderboard(
        scores("gru", "recurrent", nan, mae=3.0), scores("ridge", "baseline", nan, mae=2.0)
    )
    assert board["variant"].tolist() == ["ridge", "gru"]


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_a_row_without_a_finite_score_stands_last_wins_nothing_and_says_so(wrong):
    board = leaderboard(
        scores("ridge", "baseline", wrong),
        scores("lstm", "recurrent", 0.4),
        scores("lstm", "recurrent", wrong),
        scores("gru", "recurrent", 0.7),
        scores("drift", "baseline", 0.9) | {"note": "limit of 600 s reached: 3 fits left out"},
    )
    assert board["variant"].tolist()[:2] == ["gru", "drift"]
    assert board["mase"].isna().tolist() == [False, False, True, True]
    assert notes(board) == [
        "Note on drift: limit of 600 s reached: 3 fits left out.",
        "Note on ridge: mase is no finite number, so it is ranked last.",
        "Note on lstm: mase is no finite number, so it is ranked last.",
    ]
    assert verdict(board).startswith(
        "gru 0.7 beats every baseline; the best of them is the baseline drift"
    )
    alone = board[board["variant"].isin(["ridge", "gru"])]
    assert verdict(alone) == "Best: gru. No baseline has a finite mase."
    lost = board[board["variant"].isin(["lstm", "drift"])]
    assert verdict(lost) == "No network has a finite mase, so none beats a baseline."


def test_where_all_is_well_the_leaderboard_has_no_note():
    board = leaderboard(scores("gru", "recurrent", 0.5) | {"note": None})
    assert "note" not in board
