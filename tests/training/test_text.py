"""Training and running a language model on streams and documents."""

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError

from unrolled.errors import InputError
from unrolled.recurrent.cells import Cell
from unrolled.recurrent.cells.classic import GRUCell
from unrolled.recurrent.description import descriptions
from unrolled.recurrent.language_model import LanguageModel, select
from unrolled.recurrent.layer import has_bfloat16
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import vocabulary
from unrolled.training import arrays, text, text_streams
from unrolled.training.cards import LanguageSpec
from unrolled.training.loop import best
from unrolled.training.options import TextTrainOptions
from unrolled.training.text import evaluate, fit_language_model, learning_rate, stepper

CELLS = list(descriptions())
POEM = "the woods are lovely, dark and deep, but i have promises to keep.\n"
LINES = [POEM[i : i + 3 + i % 11] for i in range(40)]


def known(documents, boundaries=False):
    words = vocabulary.build(documents, boundaries)
    return vocabulary.encode(documents, words), words


@pytest.mark.parametrize(
    ("characters", "steps", "passes"),
    [(300, 200, 100), (4096, 400, 25), (30_000, 472, 4)],
)
def test_a_small_text_is_read_more_often(monkeypatch, characters, steps, passes):
    plans = []  # what is asked of the training loop, which need not be run for it
    monkeypatch.setattr(text, "fit", lambda net, task, plan, *_: plans.append(plan))
    ids, words = known(["ab" * (characters // 2)], boundaries=False)
    trained(ids, words, epochs=None, batch_size=16, chunk=16)
    (plan,) = plans
    assert (plan.steps, plan.steps / plan.epoch) == (steps, passes)
    assert plan.rate(1) < plan.rate(10) > plan.rate(steps)  # as the schedule has it


def random_model(size, **options):
    """Weights that say something, without training, and their card."""
    model = LanguageOptions(**{"hidden": 8, "embedding": 5, **options})
    torch.manual_seed(3)
    net = LanguageModel(model, size)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    card = LanguageSpec(model=model, training=TextTrainOptions(), seed=0)
    return net.state_dict(), card


def trained(ids, words, seed=0, validation=None, model=None, **training):
    options = TextTrainOptions(**{"epochs": 1, "batch_size": 4, "chunk": 8, **training})
    return fit_language_model(
        ids, validation, words, LanguageOptions(**{"hidden": 8, **(model or {})}), options, seed
    )


@pytest.mark.parametrize("boundaries", [False, True])
@pytest.mark.parametrize("options", [{}, {"tied": True, "hidden": 6, "embedding": 6}])
def test_weights_under_another_vocabulary_say_the_same_of_what_both_know(options, boundaries):
    theirs = vocabulary.build(["abcabx"], boundaries)
    ours = vocabulary.build(["ccccybbbz"], boundaries)
    weights, card = random_model(theirs.size, **options)
    given = text.carried_over(weights, theirs, ours)
    shared = "cb"
    fresh = LanguageModel(card.model, ours.size).state_dict()
    filled = {
        name: torch.where(tensor.isnan(), fresh[name], tensor) for name, tensor in given.items()
    }
    read = ["cbbc"]
    found, expected = (
        text.restored(own, card)(
            torch.from_numpy(vocabulary.encode(read, words).astype(int))[:, None]
        )[0]
        for own, words in ((filled, ours), (weights, theirs))
    )
    of_ours, of_theirs = (
        [*range(words.first), *vocabulary.encode([shared], words).tolist()]
        for words in (ours, theirs)
    )
    torch.testing.assert_close(found[..., of_ours], expected[..., of_theirs])
    for name in {"embedding.weight", "output", "bias"} & set(given):
        new = [i for i, c in enumerate(ours.characters, ours.first) if c in "yz"]
        assert given[name][new].isnan().all()
        kept = [i for i in range(ours.size) if i not in new]
        assert not given[name][kept].isnan().any()


def test_training_goes_on_from_given_weights_and_draws_the_rest_by_its_seed():
    ids, words = known(["abcab" * 20], boundaries=False)
    options = {"epochs": 1e-6, "learning_rate": 1e-30, "weight_decay": 0}  # one step of nothing
    plain, _, _ = trained(ids, words, seed=1, **options)
    start = {name: tensor.clone() + 1 for name, tensor in plain.items()}
    start["embedding.weight"][2] = start["bias"][2] = torch.nan
    training = TextTrainOptions(batch_size=4, chunk=8, **options)
    for _ in range(2):  # and the same again
        weights, _, _ = fit_language_model(
            ids, None, words, LanguageOptions(hidden=8), training, 1, start=start
        )
        for name, tensor in weights.items():
            expected = torch.where(start[name].isnan(), plain[name], start[name])
            torch.testing.assert_close(tensor, expected)


def one_by_one(weights, card, ids, bos, block=None):
    """The slow truth: a loop over symbols, forgetting at <bos> and at blocks of a document."""
    net = text.restored(weights, card)
    losses, state, since = np.full(len(ids), np.nan), None, 0
    for i, (read, asked) in enumerate(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True)):
        since = 0 if read == bos else since
        if read == bos or (block and since % block == 0):
            state = None
        since += 1
        with torch.no_grad():
            logits, state = net.step(torch.tensor([read]), state)
        if asked != bos:
            losses[i + 1] = -logits.log_softmax(1)[0, asked]
    return losses


VARIANTS = yaml.safe_load(
    (Path(__file__).parents[2] / "conf/base/parameters/variants.yml").read_text()
)["variant_options"]
# Those that read backwards, or a window whole, are forecasters alone.
FORECASTERS = {
    "bi_rnn", "bi_lstm", "bi_gru", "attention_gru", "attention_lstm", "segment_gru", "defaults",
}  # fmt: skip


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - FORECASTERS))
@torch.no_grad()
def test_a_whole_prompt_equals_steps_and_chunks_for_every_shipped_variant(variant):
    weights, card = random_model(12, **VARIANTS[variant])
    net, step = text.restored(weights, card), stepper(weights, card)
    ids = torch.randint(12, (9, 3))
    whole, _ = net(ids)
    for chunk in (1, 2, 4):
        parts, state = [], None
        for part in ids.split(chunk):
            logits, state = net(part, state)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)
    state = None
    for symbols, expected in zip(ids, whole, strict=True):
        logits, state = step(symbols, state)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", sorted(FORECASTERS - {"defaults"}))
def test_a_variant_of_forecasters_is_refused(variant):
    with pytest.raises(ValidationError):
        LanguageOptions(**VARIANTS[variant])


# --- evaluation ---


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("boundaries", [False, True])
@pytest.mark.parametrize("block", [None, 5])
def test_the_loss_is_that_of_a_loop_over_symbols(monkeypatch, cell, boundaries, block):
    monkeypatch.setattr(text, "SCORED_TOGETHER", 8)  # so that ten lines are more than one batch
    ids, words = known(LINES[:10], boundaries)
    weights, card = random_model(words.size, cell=cell, layers=2, learned_state=True)
    found = evaluate(weights, card, ids, words, block)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, one_by_one(weights, card, ids, words.bos, block), atol=1e-5, rtol=1e-5
    )


def test_what_is_not_asked_for_is_not_a_number():
    for boundaries in (False, True):
        ids, words = known(LINES, boundaries)
        losses = evaluate(*random_model(words.size), ids, words)
        np.testing.assert_array_equal(~np.isnan(losses), vocabulary.targets(ids, words))


def test_a_network_that_never_forgets_is_scored_exactly_too():
    ids, words = known([POEM * 4])
    weights, card = random_model(words.size, cell="lstm", forget_bias=None)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        weights[f"layer.blocks.0.rnn.{name}"][8:16] = 50.0  # forget gate open, for ever
    np.testing.assert_allclose(
        evaluate(weights, card, ids, words),
        one_by_one(weights, card, ids, words.bos),
        atol=1e-3,
        rtol=1e-4,
    )


def test_a_text_that_begins_inside_a_document_is_scored_from_there():
    ids, words = known(LINES, True)
    weights, card = random_model(words.size)
    rest = ids[2:]
    np.testing.assert_allclose(
        evaluate(weights, card, rest, words),
        one_by_one(weights, card, rest, words.bos),
        atol=1e-5,
    )


def test_no_document_sees_another():
    ids, words = known(LINES, True)
    weights, card = random_model(words.size)
    turned = vocabulary.encode(LINES[::-1], words)
    parts = [
        np.split(evaluate(weights, card, stream, words), np.flatnonzero(stream == words.bos)[1:])
        for stream in (ids, turned)
    ]
    for one, other in zip(parts[0], parts[1][::-1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_uniform_model_needs_log2_of_the_vocabulary_bits():
    ids, words = known([POEM])
    weights, card = random_model(words.size)
    weights = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    losses = evaluate(weights, card, ids, words)[1:]
    np.testing.assert_allclose(losses / math.log(2), math.log2(words.size), rtol=1e-6)


def test_two_symbols_are_enough_to_train_and_to_score():
    ids, words = known(["ab"])
    weights, history, _ = trained(ids, words, validation=ids)
    assert best(history).validation_loss < math.log(words.size) + 1
    assert (
        np.isnan(
            evaluate(weights, random_model(words.size, hidden=8, embedding=64)[1], ids, words)
        ).sum()
        == 1
    )


# --- training ---


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_training_in_bfloat16_learns_as_much_and_keeps_float32_weights(cell):
    ids, words = known(LINES, boundaries=True)
    options = {"model": {"cell": cell, "layers": 2}, "epochs": 5, "learning_rate": 0.02}
    half, whole = (
        trained(ids, words, **options, precision=precision) for precision in ("bfloat16", "float32")
    )
    assert {tensor.dtype for tensor in half[0].values()} == {torch.float32}
    assert half[1][-1].train_loss == pytest.approx(whole[1][-1].train_loss, rel=0.05)
    assert (half[1][-1].train_loss != whole[1][-1].train_loss) == has_bfloat16(torch.nn.Linear)


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - FORECASTERS))
def test_every_shipped_variant_trains_in_bfloat16(variant):
    ids, words = known([POEM])  # two steps
    model = {**VARIANTS[variant], "learned_state": True}
    _, history, _ = trained(ids, words, model=model, precision="bfloat16")
    assert math.isfinite(history[-1].train_loss)


def test_a_layer_that_this_processor_has_not_in_bfloat16_is_told_of_once(caplog):
    ids, words = known([POEM])
    has_bfloat16.cache_clear()
    for seed in (0, 1):
        trained(ids, words, seed, model={"cell": "lstm"}, precision="bfloat16")
    missing = [kind for kind in (torch.nn.Linear, torch.nn.LSTM) if not has_bfloat16(kind)]
    told = "torch has no {} in bfloat16 for this processor: it computes in float32"
    assert caplog.messages == [told.format(kind.__name__) for kind in missing]


WITHOUT_AVX512 = """
import torch
from unrolled.recurrent.layer import Recurrent, has_bfloat16
from unrolled.recurrent.options import LayerOptions
for cell in ("rnn", "lstm", "gru"):
    layer = Recurrent(LayerOptions(cell=cell, hidden=32), 32)
    x = torch.ones(8, 32, 32)
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.nn.Linear)):
        layer(x)[0].float().sum().backward()
"""


@pytest.mark.slow
def test_no_layer_needs_bfloat16_of_the_processor():
    older = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}  # read when oneDNN is loaded
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_AVX512],
        env=older | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "torch has no LSTM in bfloat16" in done.stderr


@pytest.mark.slow
def test_memory_longer_than_a_chunk_is_learnt_because_the_state_is_carried(monkeypatch):
    # Each mark comes again as a capital after four dots: chunks of three never hold both.
    rng = np.random.default_rng(0)
    marks = rng.choice(list("ab"), 600)
    ids, words = known(["".join(m + "." * 4 + m.upper() for m in marks)])
    options = {"epochs": 10, "chunk": 3, "learning_rate": 0.02, "batch_size": 8}
    upper = [words.first + words.characters.index(c) for c in "AB"]

    def loss(history_of):
        weights, _, _ = history_of
        card = LanguageSpec(model=LanguageOptions(hidden=16), training=TextTrainOptions(), seed=0)
        losses = evaluate(weights, card, ids, words)
        return losses[np.isin(ids, upper)].mean()

    carried = loss(trained(ids, words, model={"hidden": 16}, **options))
    following = text.ChunkTask._next

    def forgetful(task):
        streams, at, steps = following(task)
        return (
            text_streams.Streams(streams.first + at, np.full(len(streams.first), steps)),
            0,
            steps,
        )

    monkeypatch.setattr(text.ChunkTask, "_next", forgetful)
    forgotten = loss(trained(ids, words, model={"hidden": 16}, **options))
    assert carried < 0.2
    assert forgotten > 0.5


def test_a_chunk_is_read_from_the_state_in_which_the_one_before_it_ended():
    ids, words = known([POEM])
    net = LanguageModel(LanguageOptions(hidden=8), words.size)
    task = text.ChunkTask(
        net, ids, None, words.bos, TextTrainOptions(batch_size=1, chunk=8), half=False
    )
    whole, _ = net(torch.from_numpy(ids[:-1].astype(int))[:, None])
    asked = torch.from_numpy(ids[1:].astype(int))
    expected = torch.nn.functional.cross_entropy(whole[:, 0], asked, reduction="none")
    chunks = expected.split(8)
    for chunk in (*chunks, chunks[0]):  # and the text from its beginning
        torch.testing.assert_close(task.loss()[0], chunk.mean())


def test_a_document_is_learnt_from_a_fresh_state():
    ids, words = known(["abcab", "cbabb", "bbcca"], True)
    net = LanguageModel(LanguageOptions(hidden=8), words.size)
    task = text.ChunkTask(
        net, ids, None, words.bos, TextTrainOptions(batch_size=1, chunk=8), half=False
    )
    found = torch.stack([task.loss()[0] for _ in range(3)])  # in any order
    streams = torch.from_numpy(ids.astype(int)).view(3, -1).T  # (T, B)
    logits, _ = net(streams[:-1])
    expected = torch.nn.functional.cross_entropy(
        logits.movedim(2, 1), streams[1:], reduction="none"
    ).mean(dim=0)
    torch.testing.assert_close(found.sort().values, expected.sort().values)


@pytest.mark.parametrize("boundaries", [False, True])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(boundaries):
    ids, words = known(LINES, boundaries)
    model = {"weight_drop": 0.2, "output_dropout": 0.2, "embedding_dropout": 0.2}
    first, second, other = (trained(ids, words, seed, ids, model) for seed in (0, 0, 1))
    assert all(tensor.equal(second[0][name]) for name, tensor in first[0].items())
    assert first[1] == second[1]
    assert any(not tensor.equal(other[0][name]) for name, tensor in first[0].items())


# How a text is cut is the same for every cell, so one cell learns from a stream too.
@pytest.mark.parametrize(
    ("cell", "boundaries"), [*((cell, True) for cell in CELLS), ("gru", False)]
)
def test_every_cell_learns(cell, boundaries):
    ids, words = known([POEM] * 4, boundaries)
    _, history, _ = trained(
        ids, words, validation=ids, model={"cell": cell}, epochs=10, learning_rate=0.05
    )
    assert history[-1].validation_loss < 0.7 * history[0].validation_loss


def test_ids_are_read_from_a_memory_map_that_nobody_may_write(tmp_path):
    ids, words = known(LINES)
    np.save(tmp_path / "ids.npy", ids)
    mapped = np.load(tmp_path / "ids.npy", mmap_mode="r")
    first, second = trained(ids, words), trained(mapped, words)
    assert all(tensor.equal(second[0][name]) for name, tensor in first[0].items())


def test_the_best_weights_are_kept():
    ids, words = known(LINES)
    held_out = vocabulary.encode(["zzzz" + POEM[::-1]], words)
    weights, history, _ = trained(
        ids, words, validation=held_out, epochs=12, learning_rate=0.05, schedule="constant"
    )
    assert best(history).step < history[-1].step
    card = LanguageSpec(model=LanguageOptions(hidden=8), training=TextTrainOptions(), seed=0)
    score = np.nanmean(evaluate(weights, card, held_out, words), dtype=np.float64)
    assert score == pytest.approx(best(history).validation_loss, abs=1e-6)


def test_without_validation_the_last_weights_are_kept():
    ids, words = known(LINES)
    weights, history, _ = trained(ids, words, epochs=3)
    assert math.isnan(history[-1].validation_loss)
    assert best(history) == history[-1]
    loss = trained(ids, words, epochs=3, validation=ids)[1][-1].validation_loss
    card = LanguageSpec(model=LanguageOptions(hidden=8), training=TextTrainOptions(), seed=0)
    assert np.nanmean(evaluate(weights, card, ids, words)) == pytest.approx(loss, abs=1e-6)


def test_a_broken_number_of_epochs_is_trained_and_logged():
    ids, words = known([POEM * 10])
    _, history, _ = trained(ids, words, epochs=2.5, evaluations=5)
    assert [row.epoch for row in history] == pytest.approx([0.5, 1, 1.5, 2, 2.5], abs=0.06)
    assert all(0 <= row.clipped <= 1 for row in history)
    assert {row.clipped for row in trained(ids, words, clip_norm=1e-6)[1]} == {1.0}


def test_a_loss_that_explodes_stops_with_a_sentence():
    ids, words = known([POEM * 20])
    with pytest.raises(InputError) as error:
        fit_language_model(
            ids,
            None,
            words,
            LanguageOptions(cell="rnn", nonlinearity="relu", hidden=32),
            TextTrainOptions(learning_rate=50, warmup=0, clip_norm=1e9, batch_size=4),
            0,
            "relu seed 0",
        )
    message = str(error.value)
    assert message.startswith("relu seed 0: the training loss is ")
    assert "in step 2, but was" in message
    assert message.endswith(
        "lower training.learning_rate (now 50) or training.clip_norm (now 1e+09)"
    )


def test_the_step_size_rises_then_falls_by_half_a_cosine():
    options = TextTrainOptions(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(options, step, 100) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.001
    constant = TextTrainOptions(learning_rate=1.0, warmup=0, schedule="constant")
    assert {learning_rate(constant, step, 9) for step in range(1, 10)} == {1.0}


def test_on_a_plateau_the_step_size_is_halved():
    ids, words = known([POEM * 2])
    held_out = vocabulary.encode(["zzzz" + POEM[::-1]], words)
    _, history, _ = trained(
        ids, words, validation=held_out, epochs=20, learning_rate=0.05, schedule="plateau", warmup=0
    )
    lowest, rate = math.inf, 0.05
    for row in history:
        assert row.learning_rate == rate
        if row.validation_loss >= lowest:
            rate /= 2
        lowest = min(lowest, row.validation_loss)
    assert rate < 0.05


# --- writing ---


@pytest.mark.parametrize(
    ("cell", "extra"),
    [
        ("gru", {}),
        ("gru", {"layers": 2, "embedding": 8, "residual": True}),
        *itertools.product(
            CELLS,
            [
                {"layers": 3, "tied": True},
                {"layers": 2, "residual": True, "layer_norm": True, "learned_state": True},
                {"layers": 3, "alternate": "lstm"},
            ],
        ),
    ],
)
def test_the_step_for_writing_gives_the_models_own_numbers(cell, extra):
    weights, card = random_model(12, cell=cell, **extra)
    net, step = text.restored(weights, card), stepper(weights, card)
    double = text.restored(weights, card).double()
    ours = theirs = exact = None
    for ids in torch.randint(12, (4, 4)):
        found, ours = step(ids, ours)
        with torch.no_grad():
            expected, theirs = net.step(ids, theirs)
            truth, exact = double.step(ids, exact)
        # Where torch itself is off, as at a division by almost nothing, numpy may be as much.
        off = 4 * (expected - truth).abs().max().item()
        torch.testing.assert_close(found, expected, atol=1e-5 + off, rtol=1e-5)
        torch.testing.assert_close(ours, theirs, atol=1e-5 + off, rtol=1e-5)
        rows = torch.tensor([1, 1, 0, 3])
        ours, theirs, exact = (select(one, rows) for one in (ours, theirs, exact))


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_of_ours_needs_torch_to_write(cell, caplog):
    with caplog.at_level("DEBUG", text.__name__):
        stepper(*random_model(12, cell=cell, layers=2, layer_norm=True))
    assert caplog.messages == []


def test_a_cell_that_numpy_does_not_know_is_written_by_torch(monkeypatch, caplog):
    weights, card = random_model(12, cell="gru", manual=True)
    for missing in ("sigmoid", torch.lerp):
        with monkeypatch.context() as patch, caplog.at_level("DEBUG", text.__name__):
            patch.delitem(arrays.NUMPY, missing)
            step = stepper(weights, card)
        ids = torch.tensor([3, 5])
        found, state = step(ids, None)
        expected, end = text.restored(weights, card).step(ids)
        assert found.equal(expected)
        assert state[0].equal(end[0])
        assert not found.requires_grad
    assert caplog.messages[0] == "written by torch: GRUCell.step calls sigmoid"


def test_a_cell_that_asks_for_values_is_written_by_torch(monkeypatch, caplog):
    def asks(self, projected, state):
        return Cell.step(self, projected if projected.sum() > 0 else projected + 0, state)

    monkeypatch.setattr(GRUCell, "step", asks)
    weights, card = random_model(12, cell="gru")
    with caplog.at_level("DEBUG", text.__name__):
        step = stepper(weights, card)
    found, _ = step(torch.tensor([3, 5]), None)
    assert found.shape == (2, 12)
    assert caplog.messages[0].startswith("written by torch: GRUCell.step cannot be recorded: ")


def test_the_step_leaves_the_weights_alone():
    weights, card = random_model(12)
    before = {name: tensor.clone() for name, tensor in weights.items()}
    step = stepper(weights, card)
    step(torch.tensor([1]), None)
    assert all(tensor.equal(before[name]) for name, tensor in weights.items())
