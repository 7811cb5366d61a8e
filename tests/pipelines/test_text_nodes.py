"""Nodes of the text job that look inside, on texts of any size."""

import numpy as np
import pandas as pd
import pytest
import torch

from unrolled.pipelines.text import nodes, report
from unrolled.recurrent.language_model import LanguageModel
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import vocabulary
from unrolled.training.options import TextTrainOptions

LINE = 'He said: "To be (or not) to be."\n'


def model_of(size):
    model = LanguageOptions(hidden=4, embedding=3)
    torch.manual_seed(0)
    card = {"model": model.model_dump(), "training": TextTrainOptions().model_dump(), "seed": 0}
    return LanguageModel(model, size).state_dict(), card


@pytest.mark.parametrize("boundaries", [False, True])
@pytest.mark.parametrize("documents", [["ab"], ["ab", "a"], [LINE * 3], [LINE] * 40, [LINE * 90]])
def test_any_held_out_text_is_looked_at_and_drawn(documents, boundaries):
    known = vocabulary.build([LINE, "ab"], boundaries)
    ids, state = vocabulary.encode(documents, known), known.model_dump()
    weights, card = model_of(known.size)
    passage = nodes.look_at_losses(np.ones(len(ids), np.float32), ids, state)
    connected = nodes.measure_connectivity(weights, card, ids, state)
    units, passages = nodes.find_units(weights, card, ids, state)
    came = connected.groupby("asked")["asked_symbol"].first()
    assert came.tolist() == passage["symbol"].tolist()[1 : 1 + len(came)]  # of one passage
    assert (connected["read"] < connected["asked"]).all()
    assert len(connected) == len(came) * (len(came) + 1) / 2
    assert set(passages["feature"]) == set(units["feature"])
    report.plot_losses(passage, "gru", "")
    report.plot_connectivity(connected, "gru", "")
    report.plot_units(units, passages, "gru", "")


def test_samples_are_told_with_what_of_them_is_copied():
    rows = [
        {
            "variant": "gru", "temperature": temperature, "prompt": "床前", "text": "明月\n光",
            "longest_copied_run": "明月", "new_10grams": float("nan"), "form_share": 0.25,
        }
        for temperature in (0.5, 1.0)
    ]  # fmt: skip
    found = report.describe_samples(rows, "tang: poems")
    assert "| 0.5 | 2 | - | 25% |\n| 1 | 2 | - | 25% |" in found
    assert "    [床前]明月\n    光\n\n2 characters of it at most stand in train" in found


def test_the_winner_of_a_text_is_the_network_that_validation_chose_beside_all_rows():
    board = pd.DataFrame(
        {
            "variant": ["kneser_ney_2", "lstm", "gru"],
            "kind": ["baseline", "recurrent", "recurrent"],
            "bits_per_char": [2.0, 2.1, 2.2],
        }
    )
    losses = {("gru", 0): 1.4, ("gru", 1): 1.2, ("lstm", 0): 1.5}
    cards = [{"variant": v, "seed": s, "validation_loss": x} for (v, s), x in losses.items()]
    files = [f"{v}/seed_{s}.{end}" for v, s in losses for end in ("safetensors", "json")]
    digests = dict.fromkeys(["vocabulary.json", *files], "f00")
    found = nodes.winner({"variant": "gru"}, board, digests, "tang", *cards)
    assert (found["variant"], found["kind"], found["seeds"]) == ("gru", "recurrent", [1, 0])
    assert found["validation_score"] == pytest.approx(1.3 / np.log(2))
    assert found["rows"]["kneser_ney_2"] == {
        "kind": "baseline",
        "validation_score": None,
        "seeds": [],
        "score": 2.0,
    }
    assert found["best"] == {"variant": "kneser_ney_2", "score": 2.0}
    assert found["digests"] == digests
