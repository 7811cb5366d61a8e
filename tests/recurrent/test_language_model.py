import pytest
import torch
from pydantic import ValidationError

from unrolled.recurrent.language_model import LanguageModel, select
from unrolled.recurrent.options import LanguageOptions

T, B, V = 7, 3, 11
KINDS = {
    "rnn": {"cell": "rnn"},
    "relu_rnn": {"cell": "rnn", "nonlinearity": "relu"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "manual_rnn": {"cell": "rnn", "manual": True},
    "manual_lstm": {"cell": "lstm", "manual": True},
    "manual_gru": {"cell": "gru", "manual": True},
    "gru_before": {"cell": "gru", "manual": True, "reset_after": False},
    "min_gru": {"cell": "min_gru"},
    "min_lstm": {"cell": "min_lstm"},
}
EXTRAS = {
    "plain": {},
    "tied": {"tied": True},
    "tied_between": {"tied": True, "embedding": 4},
    "deep": {"layers": 3, "dropout": 0.5, "output_dropout": 0.5, "embedding_dropout": 0.5},
    "everything": {
        "layers": 2,
        "variational_dropout": 0.5,
        "residual": True,
        "layer_norm": True,
        "learned_state": True,
        "forget_bias": 1.0,
    },
}
every_variant = pytest.mark.parametrize(
    ("kind", "extra"), [(kind, extra) for kind in KINDS for extra in EXTRAS]
)


def build(kind="gru", extra="plain", **more):
    own = {"hidden": 6, "embedding": 6, **KINDS[kind], **EXTRAS[extra], **more}
    if own["cell"] == "rnn":
        own.pop("forget_bias", None)
    model = LanguageModel(LanguageOptions(**own), V)
    for parameter in model.layer.first_state:
        torch.nn.init.normal_(parameter)
    return model.eval()


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@every_variant
@torch.no_grad()
def test_a_whole_prompt_equals_step_by_step_and_any_chunking(kind, extra):
    model, ids = build(kind, extra), torch.randint(V, (T, B))
    whole, end = model(ids)
    assert whole.shape == (T, B, V)
    for chunk in range(1, T):
        parts, state = [], None
        for part in ids.split(chunk):
            logits, state = model(part, state)
            parts.append(logits)
        close(torch.cat(parts), whole)
        close(state, end)
    state = None
    for t in range(T):
        logits, state = model.step(ids[t], state)
        close(logits, whole[t])


@every_variant
@torch.no_grad()
def test_no_logits_depend_on_what_comes_after(kind, extra):
    model, ids = build(kind, extra), torch.randint(V, (T, B))
    changed = ids.clone()
    changed[4:] = (changed[4:] + 1) % V
    before, after = model(ids)[0], model(changed)[0]
    assert torch.equal(before[:4], after[:4])
    assert (before[4] != after[4]).any(dim=1).all()


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_shorter_text_is_read_as_alone_and_its_state_stands_still(kind):
    model, ids = build(kind, layers=2), torch.randint(V, (T, B))
    logits, state = model(ids, lengths=torch.tensor([T, 3, 0]))
    alone, end = model(ids[:3, 1:2])
    close(logits[:3, 1:2], alone)
    close(select(state, torch.tensor([1])), end)
    close(select(state, torch.tensor([2])), model.layer.initial_state(1))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("min")])
@torch.no_grad()
def test_weight_drop_changes_training_alone_and_leaves_the_weights(kind):
    model, ids = build(kind, layers=2, weight_drop=0.5), torch.randint(V, (T, B))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plain = build(kind, layers=2)
    plain.load_state_dict(weights)
    expected = plain(ids)[0]
    model.train()
    first, second = model(ids)[0], model(ids)[0]
    assert not torch.allclose(first, second)
    assert torch.equal(model.eval()(ids)[0], expected)
    assert all(tensor.equal(weights[name]) for name, tensor in model.state_dict().items())


def test_weight_drop_passes_gradients_to_the_kept_recurrent_weights():
    model = build("gru", weight_drop=0.5).train()
    model(torch.randint(V, (T, B)))[0].square().sum().backward()
    gradient = model.layer.blocks[0].rnn.weight_hh_l0.grad
    assert 0.3 < (gradient == 0).double().mean() < 0.7


def test_embedding_dropout_reads_whole_symbols_as_zeros_and_scales_the_rest():
    model = build(embedding_dropout=0.5).train()
    vectors = (model.embed(torch.arange(V)) / model.embedding.weight).detach()
    assert {round(float(x), 4) for x in vectors.flatten()} == {0.0, 2.0}
    assert (vectors == vectors[:, :1]).all()


@pytest.mark.parametrize("share", ["output_dropout", "embedding_dropout", "weight_drop"])
@torch.no_grad()
def test_no_dropout_acts_outside_training(share):
    model, ids = build(**{share: 0.5}), torch.randint(V, (T, B))
    assert torch.equal(model(ids)[0], model(ids)[0])
    model.train()
    assert not torch.equal(model(ids)[0], model(ids)[0])


def test_tied_weights_are_one_tensor_that_reads_and_writes():
    tied, apart = build(tied=True), build()
    assert len(apart.state_dict()) == len(tied.state_dict()) + 1
    tied(torch.zeros(1, 1, dtype=torch.int64))[0].sum().backward()
    assert (tied.embedding.weight.grad != 0).any(dim=1).all()  # written; only row 0 is read


def test_a_model_that_knows_nothing_says_every_symbol_alike():
    model = LanguageModel(LanguageOptions(), 65)
    ids = torch.randint(65, (50, 20))
    logits = model(ids)[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1].flatten(0, 1), ids[1:].flatten())
    assert abs(float(loss) - torch.tensor(65.0).log()) < 0.1


def test_bidirectional_is_refused():
    with pytest.raises(ValidationError) as error:
        LanguageOptions(bidirectional=True)
    assert "a loss stands on every step; set bidirectional to false" in str(error.value)


@pytest.mark.parametrize("cell", ["min_gru", "min_lstm"])
def test_weight_drop_is_refused_where_there_are_no_recurrent_weights(cell):
    with pytest.raises(ValidationError) as error:
        LanguageOptions(cell=cell, weight_drop=0.2)
    assert f"cell {cell} has none; set weight_drop to 0" in str(error.value)
