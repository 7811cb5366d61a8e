"""What goes into service says what would have been better."""

import pytest

from unrolled.comparison.records import ScoredEntry, Winner
from unrolled.serving import deployment
from unrolled.training.cards import TrainedRow


def entry(kind: str, seeds: list[int], validation: float | None, test: float | None) -> ScoredEntry:
    return ScoredEntry(kind=kind, seeds=seeds, validation_score=validation, score=test)


SCORES = {
    "gru": entry("recurrent", [1, 0], 0.52, 0.86),
    "gru_median": entry("ensemble", [1, 0], 0.51, 0.85),
    "ridge": entry("baseline", [], 0.8, 0.67),
    "drift": entry("baseline", [], None, None),
}


def row(name: str, rows: dict[str, ScoredEntry], winner: str, on: str, metric: str) -> TrainedRow:
    found = Winner.model_construct(
        variant=winner, data_set=on, rows=rows, metric=metric, validation_metric=metric
    )
    return TrainedRow(name, rows[name].kind, found, [])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "gru",
            "gru (recurrent, seed 1) on airline, named, not the winner. On validation MASE 0.52:"
            " gru_median 0.51 would have been better. On test MASE 0.86: ridge 0.67 would have been"
            " better.",
        ),
        (
            "gru_median",
            "gru_median (ensemble, seeds 1, 0) on airline, the winner. On validation MASE 0.51: the"
            " lowest. On test MASE 0.85: ridge 0.67 would have been better.",
        ),
        (
            "drift",
            "drift (baseline) on airline, named, not the winner. On validation it has no score. On"
            " test it has no score.",
        ),
    ],
)
def test_a_card_says_what_would_have_been_better(name: str, said: str) -> None:
    assert deployment.describe(row(name, SCORES, "gru_median", "airline", "mase")) == said


def test_a_card_of_a_text_compares_networks_alone_on_validation() -> None:
    rows = {
        "gru": entry("recurrent", [0], 2.1, 2.2),
        "kneser_ney_2": entry("baseline", [], None, 2.0),
    }
    assert deployment.describe(row("gru", rows, "gru", "tang", "bits_per_char")) == (
        "gru (recurrent, seed 0) on tang, the winner. On validation bits per character 2.1: the lowest"
        " of the networks, since baselines have no score there. On test bits per character 2.2:"
        " kneser_ney_2 2 would have been better."
    )


def test_tags_name_the_better_rows_alone() -> None:
    assert deployment.better(row("gru_median", SCORES, "ridge", "airline", "mase")) == {
        "better_on_test": "ridge 0.67"
    }
