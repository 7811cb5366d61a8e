"""Nodes of the text job that look inside, on texts of any size."""

import numpy as np
import pandas as pd
import pytest
import torch

from unrolled.comparison.records import Best, Card, Chosen, Cost, ScoredEntry
from unrolled.pipelines.text import nodes, report
from unrolled.recurrent.language_model import LanguageModel
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import compression, ngrams, vocabulary
from unrolled.text.options import CorpusOptions
from unrolled.training.cards import LanguageSpec
from unrolled.training.options import TextTrainOptions

LINE = 'He said: "To be (or not) to be."\n'


def model_of(size):
    model = LanguageOptions(hidden=4, embedding=3)
    torch.manual_seed(0)
    card = LanguageSpec(model=model, training=TextTrainOptions(), seed=0)
    return LanguageModel(model, size).state_dict(), card


# Of one stream the documents are joined, so that several of them say nothing new there.
@pytest.mark.parametrize(
    ("documents", "boundaries"),
    [
        (["ab"], False),
        (["ab"], True),
        (["ab", "a"], True),
        ([LINE] * 40, True),
        ([LINE * 90], False),
    ],
)
def test_any_held_out_text_is_looked_at_and_drawn(documents, boundaries):
    known = vocabulary.build([LINE, "ab"], boundaries)
    ids = vocabulary.encode(documents, known)
    weights, card = model_of(known.size)
    passage = nodes.look_at_losses(np.ones(len(ids), np.float32), ids, known)
    connected = nodes.measure_connectivity(weights, card, ids, known)
    units, passages = nodes.find_units(weights, card, ids, known)
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
    cost = {"parameters": 3, "train_seconds": 1.0}
    cards = [Card(variant=v, seed=s, validation_loss=x, **cost) for (v, s), x in losses.items()]
    files = [f"{v}/seed_{s}.{end}" for v, s in losses for end in ("safetensors", "json")]
    digests = dict.fromkeys(["vocabulary.json", *files], "f00")
    chosen = Chosen(variant="gru", seed=1, validation_score=1.2, mean_validation_score=1.3)
    found = nodes.winner(chosen, board, digests, "tang", *cards)
    assert (found.variant, found.kind, found.seeds) == ("gru", "recurrent", (1, 0))
    assert found.validation_score == pytest.approx(1.3 / np.log(2))
    assert found.rows["kneser_ney_2"] == ScoredEntry(
        kind="baseline", validation_score=None, seeds=(), score=2.0
    )
    assert found.best == Best(variant="kneser_ney_2", score=2.0)
    assert found.digests == digests


# --- what decides ---

PARTS = {"train": ["abab", "aab"], "validation": ["abc"], "test": ["abd", "ba"]}


def encoded(**parts):
    documents = PARTS | parts
    known = nodes.build_vocabulary(documents, CorpusOptions(boundaries="line"))
    *ids, _ = nodes.encode(documents, known)
    return documents, ids, known


def test_the_vocabulary_is_that_of_train():
    known = encoded()[2]
    assert (known.characters, known.counts) == ("ab", (4, 3))


@pytest.mark.parametrize("variant", ["unigram", "kneser_ney_3", "modified_kneser_ney_6"])
def test_an_n_gram_model_has_read_train_and_validation_and_nothing_of_the_test_part(variant):
    def losses(**parts):
        documents, ids, known = encoded(**parts)
        options = CorpusOptions(boundaries="line")
        return nodes.evaluate_baseline(*ids, documents, known, options, variant)[0]

    plain = losses()
    np.testing.assert_array_equal(losses(test=["abd", "bbbb"])[:5], plain[:5])
    assert not np.allclose(losses(validation=["bbb"])[1:5], plain[1:5])
    _documents, ids, known = encoded()
    order, discounts = ngrams.BASELINES[variant]
    model = ngrams.fit(np.concatenate(ids[:2]), len(known.characters) + 3, order, discounts, 1)
    np.testing.assert_array_equal(ngrams.losses(model, ids[2]), plain)


def test_xz_has_read_train_and_validation_and_is_asked_for_the_test_part():
    documents, ids, known = encoded()
    options = CorpusOptions(boundaries="line")
    losses, _ = nodes.evaluate_baseline(*ids, documents, known, options, "xz")
    expected = compression.xz_nats("abab\naab\nabc\n", "abd\nba\n")
    assert np.nansum(losses) == pytest.approx(expected)


def test_a_score_is_the_loss_of_what_is_asked_for_over_its_number():
    """Seven targets: five characters and the ends of two documents; the starts are none."""
    documents, ids, known = encoded()
    losses = np.where(np.isin(ids[2], 1), np.nan, 2 * np.log(2))
    card = Card(variant="gru", seed=0, validation_loss=1, parameters=3, train_seconds=1)
    found = nodes.score(losses, card, ids[2], documents, known)
    assert found["bits_per_char"] == pytest.approx(2)
    assert found["bits_per_byte"] == pytest.approx(2)
    assert found["perplexity"] == pytest.approx(4)
    blocks = nodes.loss_by_block(losses, card, ids[2], known)
    assert blocks[["nats", "characters"]].to_numpy().tolist() == [
        [pytest.approx(14 * np.log(2)), 7]
    ]


def test_the_loss_by_context_counts_what_was_read_of_the_same_document():
    _documents, ids, known = encoded()
    losses = np.arange(len(ids[2]), dtype=float)  # <bos> a b d <eos> <bos> b a <eos>
    cost = Cost(variant="gru", kind="recurrent", parameters=3, train_seconds=1)
    found = nodes.loss_by_context(losses, cost, ids[2], known)
    assert found[["context", "nats_per_char", "characters"]].to_numpy().tolist() == [
        [1, (1 + 2 + 6 + 7) / 4, 4],
        [3, (3 + 4 + 8) / 3, 3],
    ]
