"""The sentences say what the numbers say."""

import pandas as pd
import pytest

from unrolled.errors import InputError
from unrolled.gradients.verdicts import verdicts


def rows(remedy: str, solved: dict, diverged: int = 0, before: float = 1e-12, after: float = 1e-12):
    """Two seeds for each task and length; the first `diverged` runs diverge."""
    table = [
        {
            "remedy": remedy,
            "task": task,
            "length": length,
            "seed": seed,
            "solved": seed < count,
            "gradient_before": before,
            "gradient_after": after,
        }
        for (task, length), count in solved.items()
        for seed in range(2)
    ]
    return [row | {"diverged": number < diverged} for number, row in enumerate(table)]


NOTHING = {("adding", 50): 0, ("adding", 200): 0, ("copy", 50): 0, ("copy", 200): 0}
SOME = NOTHING | {("adding", 50): 2, ("adding", 200): 1}


def test_each_remedy_is_judged_by_the_network_without_it():
    table = pd.DataFrame(
        rows("gru", SOME, after=0.2)
        + rows("none", NOTHING)
        + rows("identity_sgd", NOTHING, diverged=3, before=0.7)
        + rows("identity_sgd_clipped", NOTHING, diverged=1, before=0.7, after=1e6)
    )
    found = verdicts(table).set_index("remedy")
    assert found.index.tolist() == ["none", "identity_sgd", "identity_sgd_clipped", "gru"]
    assert found.cures["none"] == "Plain tanh RNN: what the others are compared with."
    assert found.leaves["none"] == (
        "Leaves adding (solved 0, 0 of 2 at T = 50, 200); copy (solved 0, 0 of 2 at T = 50, 200);"
        " vanishing before training (1e-12 at the longest lag);"
        " vanishing after training (1e-12 at the longest lag)."
    )
    assert found.cures["gru"] == (
        "GRU: cures adding (solved 2, 1 of 2 at T = 50, 200, without it solved 0, 0 of 2);"
        " vanishing after training (2e-01 at the longest lag, without it 1e-12)."
    )
    assert found.leaves["gru"] == (
        "Leaves adding (solved 2, 1 of 2 at T = 50, 200); copy (solved 0, 0 of 2 at T = 50, 200);"
        " vanishing before training (1e-12 at the longest lag)."
    )
    assert found.cures["identity_sgd_clipped"] == (
        "IRNN by SGD, clipping by norm: cures divergence (1 of 8 runs, without it 3 of 8 runs)."
    )
    assert found.leaves["identity_sgd"].endswith("; divergence (3 of 8 runs).")
    assert (
        "explosion after training (1e+06 at the longest lag)"
        in (found.leaves["identity_sgd_clipped"])
    )


def test_a_remedy_that_does_nothing_is_said_to_cure_nothing():
    table = pd.DataFrame(rows("none", SOME) + rows("clip_norm", SOME))
    found = verdicts(table).set_index("remedy")
    assert found.cures["clip_norm"] == (
        "Clipping by norm: cures nothing here that Plain tanh RNN suffers from."
    )


def test_a_remedy_that_solves_everything_leaves_nothing():
    table = pd.DataFrame(
        rows("none", NOTHING) + rows("gru", dict.fromkeys(NOTHING, 2), 0, 0.1, 0.1)
    )
    assert verdicts(table).leaves.tolist()[1] == "Leaves nothing unsolved."


def test_without_the_plain_network_there_is_no_verdict():
    with pytest.raises(InputError) as error:
        verdicts(pd.DataFrame(rows("gru", SOME)))
    assert str(error.value) == (
        "remedy 'gru' is compared with 'none', which the table lacks; run it too"
    )
