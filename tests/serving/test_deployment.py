"""What goes into service says what would have been better."""

import pytest

from unrolled.serving import deployment


def winner() -> dict:
    return {
        "variant": "gru_median",
        "data_set": "airline",
        "metric": "mase",
        "validation_metric": "mase",
        "rows": {
            "gru": {"kind": "recurrent", "seeds": [1, 0], "validation_score": 0.52, "score": 0.86},
            "gru_median": {
                "kind": "ensemble",
                "seeds": [1, 0],
                "validation_score": 0.51,
                "score": 0.85,
            },
            "ridge": {"kind": "baseline", "seeds": [], "validation_score": 0.8, "score": 0.67},
            "drift": {"kind": "baseline", "seeds": [], "validation_score": None, "score": None},
        },
    }


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
    found = winner()
    row = {"variant": name, "kind": found["rows"][name]["kind"], "winner": found}
    assert deployment.describe(row) == said


def test_a_card_of_a_text_compares_networks_alone_on_validation() -> None:
    rows = {
        "gru": {"kind": "recurrent", "seeds": [0], "validation_score": 2.1, "score": 2.2},
        "kneser_ney_2": {"kind": "baseline", "seeds": [], "validation_score": None, "score": 2.0},
    }
    metrics = dict.fromkeys(("metric", "validation_metric"), "bits_per_char")
    found = {"variant": "gru", "data_set": "tang", "rows": rows, **metrics}
    assert deployment.describe({"variant": "gru", "kind": "recurrent", "winner": found}) == (
        "gru (recurrent, seed 0) on tang, the winner. On validation bits per character 2.1: the lowest"
        " of the networks, since baselines have no score there. On test bits per character 2.2:"
        " kneser_ney_2 2 would have been better."
    )


def test_tags_name_the_better_rows_alone() -> None:
    assert deployment.better({"variant": "gru_median", "winner": winner()}) == {
        "better_on_test": "ridge 0.67"
    }
