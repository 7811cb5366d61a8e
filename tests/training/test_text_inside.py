"""Looking inside: connectivity against finite differences, states against steps, known followers."""

import numpy as np
import pytest
import torch

from unrolled.recurrent.description import descriptions
from unrolled.recurrent.language_model import LanguageModel
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import passages, vocabulary
from unrolled.text.structure import features
from unrolled.training import text, text_inside
from unrolled.training.cards import LanguageSpec
from unrolled.training.options import TextTrainOptions

LINE = 'He said: "To be (or not) to be."\n'
CELLS = list(descriptions())
LINES = ["to be or not to be", "that is", "the question (whether 'tis)"]


def random_model(size, **options):
    model = LanguageOptions(**{"hidden": 6, "embedding": 4, **options})
    torch.manual_seed(3)
    net = LanguageModel(model, size)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    card = LanguageSpec(model=model, training=TextTrainOptions(), seed=0)
    return net.state_dict(), card


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("before", [0, 5])
def test_connectivity_is_the_norm_of_finite_differences(cell, before):
    known = vocabulary.build(LINES, boundaries=False)
    ids = vocabulary.encode(LINES, known)[: before + 7]
    weights, card = random_model(known.size, cell=cell, layers=2, layer_norm=True)
    found = text_inside.connectivity(weights, card, ids[before:], ids[:before])
    net = text.restored(weights, card).double()
    symbols = torch.from_numpy(ids.astype(np.int64))
    with torch.no_grad():
        x = net.embed(symbols[:-1, None])  # (T, 1, E)

        def logits(x):
            return net.decode(net.layer(x)[0])[torch.arange(len(x)), 0, symbols[1:]]

        slopes = np.zeros((len(x), len(x), x.shape[2]))
        for read in range(len(x)):
            for unit in range(x.shape[2]):
                moved = torch.zeros_like(x)
                moved[read, 0, unit] = 1e-5
                slopes[:, read, unit] = (logits(x + moved) - logits(x - moved)) / 2e-5
    expected = np.linalg.norm(slopes, axis=2)[before:, before:]
    assert np.isnan(found[~np.tri(len(found), dtype=bool)]).all()
    rows = np.tri(len(found), dtype=bool)
    np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("boundaries", [False, True])
def test_states_are_those_of_reading_symbol_by_symbol(cell, boundaries):
    known = vocabulary.build(LINES, boundaries)
    ids = vocabulary.encode(LINES, known)
    weights, card = random_model(known.size, cell=cell, layers=2)
    found = text_inside.states(weights, card, ids, known)
    described = descriptions()[cell]
    carried = described.widths(6, {})
    names = [name for name in described.memories if carried[name] == 6]
    every = dict.fromkeys(["h", *names])
    assert list(found) == [f"layer {layer} {name}" for layer in (1, 2) for name in every]
    net, state = text.restored(weights, card), None
    for place, symbol in enumerate(ids.tolist()):
        with torch.no_grad():
            _, state = net.step(torch.tensor([symbol]), None if symbol == known.bos else state)
        for name, part in zip(carried, state, strict=True):
            for layer in (1, 2) if name in names else ():
                np.testing.assert_allclose(
                    found[f"layer {layer} {name}"][place], part[layer - 1, 0], atol=1e-5
                )


def test_a_unit_that_follows_a_feature_is_found_and_judged_where_it_was_not_chosen():
    rng = np.random.default_rng(0)
    text_read = list("to be (or not) to be\n" * 40)
    followed = features(text_read)
    noise = rng.normal(size=(len(text_read), 50)).astype(np.float32)
    units = noise.copy()
    units[:, 7] = -followed["inside brackets"] + 0.1 * noise[:, 7]
    rows = text_inside.followers({"layer 1 h": units}, followed, most=2)
    best = rows[0]
    assert (best["feature"], best["state"], best["unit"]) == ("inside brackets", "layer 1 h", 7)
    assert best["correlation"] == pytest.approx(
        np.corrcoef(units[420:, 7], followed["inside brackets"][420:])[0, 1], abs=1e-4
    )
    assert not any(row["feature"] == "inside quotes" for row in rows)  # there are none
    by_chance = [row for row in rows if row["feature"] == "characters of the line"]
    assert len(by_chance) == 2
    assert all(abs(row["correlation_chosen"]) < 0.3 for row in by_chance)


def test_a_text_of_one_symbol_has_no_followers():
    rows = text_inside.followers({"layer 1 h": np.ones((1, 3), np.float32)}, features(["a"]), 3)
    assert rows == []


def test_a_passage_begins_with_a_line_and_stays_in_one_document():
    known = vocabulary.build([LINE], boundaries=False)
    ids = vocabulary.encode([LINE * 90], known)
    assert passages.with_losses(np.ones(len(ids)), ids, known)["symbol"][0] == "H"
    known = vocabulary.build([LINE], boundaries=True)
    ids = vocabulary.encode(["To be", LINE], known)
    connected = text_inside.connected_passage(*random_model(known.size), ids, known)
    assert "".join(connected.groupby("asked")["asked_symbol"].first()) == "To be\n"


def test_quotes_and_brackets_are_among_what_units_are_sought_for():
    known = vocabulary.build([LINE], boundaries=True)
    ids = vocabulary.encode([LINE] * 40, known)
    units, found = text_inside.find_units(*random_model(known.size), ids, known)
    assert set(units["feature"]) == {
        "inside quotes", "inside brackets", "characters of the line", "characters of the clause",
    }  # fmt: skip
    assert (units.groupby("feature").size() == text_inside.UNITS).all()
    assert found.groupby("feature").size().tolist() == [passages.PASSAGE // 2] * 4
