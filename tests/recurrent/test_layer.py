import copy
import io
import itertools
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unrolled.recurrent.description import descriptions
from unrolled.recurrent.layer import Recurrent, VariationalDropout
from unrolled.recurrent.options import LayerOptions
from unrolled.recurrent.weights import copy_weights, weights

T, B, F, H = 9, 4, 3, 6

KINDS = {
    **{name: {"cell": name} for name in descriptions()},
    **{f"manual_{n}": {"cell": n, "manual": True} for n, c in descriptions().items() if c.library},
    "relu_rnn": {"cell": "rnn", "nonlinearity": "relu"},
    "gru_before": {"cell": "gru", "manual": True, "reset_after": False},
}
EXTRAS = {
    "plain": {},
    "deep": {"layers": 3, "dropout": 0.5},
    "everything": {
        "layers": 2,
        "variational_dropout": 0.5,
        "residual": True,
        "layer_norm": True,
        "learned_state": True,
    },
}
BOTH_WAYS = {**EXTRAS, "bidirectional": {"layers": 2, "bidirectional": True}}
MIXED = {
    "xlstm": {"cell": "mlstm", "alternate": "slstm", "layers": 2},
    "lstm_min_gru": {"cell": "lstm", "alternate": "min_gru", "layers": 2},
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_mixture = pytest.mark.parametrize("kind", [*KINDS, *MIXED])


def every_kind_in(extras):
    """Each kind in the richest layers; in the others one of torch's, by hand, by scan and mixed."""
    few = ("gru", "manual_lstm", "min_gru", "xlstm")
    rich = {"everything", "bidirectional"}
    pairs = [(k, e) for k in (*KINDS, *MIXED) for e in extras if k in few or e in rich]
    return pytest.mark.parametrize(("kind", "extra"), pairs)


def build(kind="gru", features=F, **extra):
    options = {"hidden": H, **(KINDS | MIXED)[kind], **extra}
    layer = Recurrent(LayerOptions(**options), features).double()
    for parameter in layer.first_state:
        nn.init.normal_(parameter)
    return layer


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def random_state(layer, batch=B):
    """Any state; where scales are carried, one that the layer can have."""
    if all(
        state.scales is False for cell in layer.options.described for state in cell.states.values()
    ):
        return tuple(leaf(rows, batch, width) for rows, width in layer.state_shapes)
    with torch.no_grad():
        _, state = layer(torch.randn(3, batch, layer.features).double())
    return tuple(tensor.requires_grad_() for tensor in state)


def close(found, expected, tolerance=1e-12):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def loss(outputs, state):
    return sum(
        (x * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)).sum() / (T * B)
        for x in (outputs, *state)
    )


@pytest.mark.parametrize("lengths", [None, torch.tensor([4, T, 0, 1])], ids=["whole", "lengths"])
@pytest.mark.parametrize("extra", BOTH_WAYS)
@pytest.mark.parametrize("kind", ["rnn", "relu_rnn", "lstm", "gru"])
def test_our_cells_equal_torchs_layers_in_outputs_states_and_all_gradients(kind, extra, lengths):
    library = build(kind, **BOTH_WAYS[extra]).eval()
    manual = library.by_hand()
    x, start = leaf(T, B, F), random_state(library)

    found, expected = manual(x, start, lengths), library(x, start, lengths)
    close((found[0], *found[1]), (expected[0], *expected[1]))
    results = [
        torch.autograd.grad(
            loss(*result),
            (x, *start, *(p for w in weights(layer) for p in w.parameters)),
        )
        for layer, result in ((manual, found), (library, expected))
    ]
    close(*results)


@pytest.mark.parametrize("extra", [{}, {"layers": 2}, {"layers": 2, "bidirectional": True}])
@pytest.mark.parametrize(("kind", "make"), [("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)])
@pytest.mark.parametrize("manual", [False, True])
def test_a_layer_takes_the_weights_and_states_of_a_bare_torch_layer(kind, make, extra, manual):
    theirs = make(
        F, H, extra.get("layers", 1), bidirectional=extra.get("bidirectional", False)
    ).double()
    layer = build(kind, manual=manual, **extra)
    copy_weights(theirs, layer)
    x, start = leaf(T, B, F), random_state(layer)
    expected, end = theirs(x, start if kind == "lstm" else start[0])
    outputs, state = layer(x, start)
    close((outputs, *state), (expected, *(end if kind == "lstm" else (end,))))


@pytest.mark.parametrize("extra", BOTH_WAYS.values(), ids=BOTH_WAYS)
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_the_same_seed_draws_the_same_weights_by_hand_and_by_library(kind, extra):
    drawn = []
    for manual in (False, True):
        torch.manual_seed(1)
        drawn.append(Recurrent(LayerOptions(cell=kind, hidden=H, manual=manual, **extra), F))
    for ours, theirs in zip(*map(weights, drawn), strict=True):
        close(ours.parameters, theirs.parameters, 0)


@every_kind_in(EXTRAS)
@settings(max_examples=5)
@given(data=st.data())
def test_any_chunking_with_the_state_carried_changes_nothing(kind, extra, data):
    torch.manual_seed(0)
    layer = build(kind, **EXTRAS[extra]).eval()
    steps = data.draw(st.integers(1, 12))
    cuts = data.draw(st.sets(st.integers(1, steps - 1))) if steps > 1 else set()
    given = data.draw(st.booleans())
    x, start = torch.randn(steps, 2, F).double(), random_state(layer, 2) if given else None

    whole, end = layer(x, start)
    parts, state = [], start
    for first, last in itertools.pairwise([0, *sorted(cuts), steps]):
        part, state = layer(x[first:last], state)
        parts.append(part)
    close((torch.cat(parts), *state), (whole, *end))
    # Cut before every step: one step at a time.
    state = start
    for x_t, output in zip(x, whole, strict=True):
        one, state = layer(x_t[None], state)
        close((one[0],), (output,))
    close(state, end)


@every_kind_in(BOTH_WAYS)
@settings(max_examples=4)
@given(data=st.data())
def test_padding_changes_nothing(kind, extra, data):
    torch.manual_seed(0)
    layer = build(kind, **BOTH_WAYS[extra]).eval()
    lengths = data.draw(st.lists(st.integers(0, T), min_size=1, max_size=4))
    filler = data.draw(st.sampled_from([0.0, 1e3, float("nan"), float("inf")]))
    batch = len(lengths)
    sequences = [leaf(length, 1, F) for length in lengths]
    x = torch.full((T, batch, F), filler, dtype=torch.float64)
    for b, sequence in enumerate(sequences):
        x[: lengths[b], b] = sequence[:, 0]
    start = random_state(layer, batch)

    outputs, end = layer(x, start, torch.tensor(lengths))
    loss(outputs, end).backward()
    for b, (length, sequence) in enumerate(zip(lengths, sequences, strict=True)):
        alone = tuple(s[:, b : b + 1] for s in start)
        assert (outputs[length:, b] == 0).all()
        if length:
            expected, alone = layer(sequence, alone)
            close((outputs[:length, b],), (expected[:, 0],))
            assert torch.isfinite(sequence.grad).all()
        close((s[:, b : b + 1] for s in end), alone)
    for cell in weights(layer):
        assert all(torch.isfinite(parameter.grad).all() for parameter in cell.parameters)


@every_mixture
def test_lengths_of_everything_are_no_lengths(kind):
    layer = build(kind, layers=2, bidirectional=True)
    x = leaf(T, B, F)
    (outputs, state), (expected, end) = layer(x), layer(x, lengths=torch.full((B,), T))
    close((outputs, *state), (expected, *end))


@every_kind
def test_the_backward_direction_is_the_forward_one_on_reversed_time(kind):
    layer = build(kind, bidirectional=True)
    forward = build(kind)
    first, second = weights(layer)
    x, start = leaf(T, B, F), random_state(layer)
    outputs, end = layer(x, start)
    for direction, (source, time) in enumerate([(first, x), (second, x.flip(0))]):
        with torch.no_grad():
            for from_, to in zip(source.parameters, weights(forward)[0].parameters, strict=True):
                to.copy_(from_)
        rows = slice(direction, direction + 1)
        expected, state = forward(time, tuple(s[rows] for s in start))
        expected = expected.flip(0) if direction else expected
        close((outputs[:, :, direction * H : (direction + 1) * H],), (expected,))
        close((s[rows] for s in end), state)


@pytest.mark.parametrize("kind", ["gru", "manual_gru"])
def test_residual_and_normalisation_wrap_each_layer_where_sizes_match(kind):
    deep = build(kind, layers=2, residual=True, layer_norm=True)
    for norm in deep.norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = leaf(T, B, F)
    lower, _ = deep.blocks[0](x, (torch.zeros(1, B, H).double(),), None)
    lower = deep.norms[0](lower)  # F is not H, so nothing is added
    upper, _ = deep.blocks[1](lower, (torch.zeros(1, B, H).double(),), None)
    outputs, _ = deep(x)
    close((outputs,), (deep.norms[1](upper + lower),))

    wide = build(kind, features=H, residual=True)
    bare = build(kind, features=H)
    copy_weights(wide, bare)
    x = leaf(T, B, H)
    close((wide(x)[0],), (bare(x)[0] + x,))


@every_mixture
def test_changing_the_last_observation_leaves_the_earlier_outputs_alone(kind):
    layer = build(kind, layers=2).eval()
    x = torch.randn(T, B, F).double()
    other = x.clone()
    other[-1] += 1
    (a, _), (b, _) = layer(x), layer(other)
    close((a[:-1],), (b[:-1],), 0)
    assert (a[-1] != b[-1]).any(dim=1).all()


@every_mixture
@pytest.mark.parametrize("share", ["dropout", "variational_dropout"])
def test_dropout_lies_between_layers_and_only_in_training(kind, share):
    layer = build(kind, layers=2, **{share: 0.5})
    bare = build(kind, layers=2)
    copy_weights(layer, bare)
    x = leaf(T, B, F)
    close((layer.eval()(x)[0],), (bare(x)[0],))
    trained = layer.train()(x)
    assert not torch.allclose(trained[0], bare(x)[0])
    # The lower layer's own state has passed no dropout.
    states, rows = (trained[1], bare(x)[1]), layer.block_rows
    lower = [layer.apart([tensor.split(rows) for tensor in state])[0] for state in states]
    close(*([tensor[0] for tensor in state] for state in lower))


def test_variational_dropout_drops_the_same_units_at_every_step():
    dropout = VariationalDropout(0.4)
    x = torch.ones(50, 30, 40)
    dropped = dropout(x)
    assert (dropped == dropped[:1]).all()
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)
    assert not (dropped[0, 0] == dropped[0]).all()
    assert torch.equal(dropout.eval()(x), x)


@every_mixture
def test_a_learned_state_is_where_a_sequence_starts_and_is_trained(kind):
    layer = build(kind, learned_state=True)
    x = leaf(T, B, F)
    learned = layer.initial_state(B)
    outputs, state = layer(x)
    close((outputs, *state), (layer(x, learned)[0], *layer(x, learned)[1]), 0)
    loss(outputs, state).backward()
    assert all((p.grad != 0).any() for p in layer.first_state)
    bare = build(kind)
    copy_weights(layer, bare)
    close((layer(x, bare.initial_state(B))[0],), (bare(x)[0],), 0)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("kind", "gates"),
    [("rnn", 1), ("lstm", 4), ("gru", 3), ("manual_lstm", 4), ("gru_before", 3)],
)
def test_parameter_counts_follow_the_formula(kind, gates, layers, bidirectional):
    directions = 2 if bidirectional else 1
    layer = build(
        kind, layers=layers, bidirectional=bidirectional, layer_norm=True, learned_state=True
    )
    cells = sum(
        directions * gates * H * ((F if number == 0 else H * directions) + H + 2)
        for number in range(layers)
    )
    norms = layers * 2 * H * directions
    states = layers * directions * H * (2 if "lstm" in kind else 1)
    assert sum(p.numel() for p in layer.parameters()) == cells + norms + states


@pytest.mark.parametrize(("kind", "gates"), [("min_gru", 2), ("min_lstm", 3)])
def test_min_cells_have_no_recurrent_parameters(kind, gates):
    assert sum(p.numel() for p in build(kind).parameters()) == gates * H * (F + 1)


@every_mixture
def test_looking_inside_gives_every_gate_of_every_layer_in_times_order(kind):
    layer = build(kind, layers=2, bidirectional=True, layer_norm=True, learned_state=True)
    x = torch.randn(T, B, F).double()
    before = torch.get_rng_state()
    seen = layer.look_inside(x)
    assert torch.equal(torch.get_rng_state(), before)
    outputs, state = layer(x)
    assert len(seen) == 4
    normalised = layer.norms[-1](torch.cat([seen[2]["h"], seen[3]["h"]], dim=2))
    close((normalised,), (outputs,))
    blocks = layer.apart([tensor.split(2) for tensor in state])
    for row, values in enumerate(seen):
        last = 0 if row % 2 else -1
        cell = weights(layer)[row].cell.described
        for name, part in zip(cell.states, blocks[row // 2], strict=True):
            if part.shape[2] <= H:  # a matrix is not shown
                close((values[name][last],), (part[row % 2],))
        assert all(v.shape[:2] == (T, B) and v.shape[2] <= H for v in values.values())


# Handling


@every_kind_in(BOTH_WAYS)
def test_a_layer_copies_pickles_saves_and_moves_dtype(kind, extra):
    layer = build(kind, **BOTH_WAYS[extra]).eval()
    x = torch.randn(T, B, F).double()
    expected, _ = layer(x)
    fresh = build(kind, **BOTH_WAYS[extra]).eval()
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), fresh):
        assert torch.equal(twin(x)[0], expected)
    outputs, state = layer.float()(x.float())
    assert outputs.dtype == state[0].dtype == torch.float32
    torch.testing.assert_close(outputs.double(), expected, atol=1e-4, rtol=1e-4)


# torch's own layers: flattened weights, which export takes for forgotten buffers.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The tensor attributes")
@every_kind_in(BOTH_WAYS)
def test_a_layer_exports_for_any_batch(kind, extra):
    layer = build(kind, **BOTH_WAYS[extra]).eval()
    x, start = torch.randn(4, B, F).double(), random_state(layer)
    batch = {1: torch.export.Dim("batch")}
    shapes = {"x": batch, "state": (batch,) * len(start)}
    program = torch.export.export(layer, (x, start), dynamic_shapes=shapes)
    other, begin = torch.randn(4, B + 3, F).double(), random_state(layer, B + 3)
    outputs, state = program.module()(other, begin)
    expected, end = layer(other, begin)
    close((outputs, *state), (expected, *end))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            (torch.zeros(T, B, F + 1),),
            "x is (9, 4, 4); expected (T, B, F) with T at least 1 and F 3",
        ),
        ((torch.zeros(0, B, F),), "x is (0, 4, 3); expected (T, B, F) with T at least 1 and F 3"),
        ((torch.zeros(B, F),), "x is (4, 3); expected (T, B, F) with T at least 1 and F 3"),
        (
            (torch.zeros(T, B, F), (torch.zeros(1, B, H), torch.zeros(1, B, H))),
            "state is [(1, 4, 6), (1, 4, 6)]; expected [(1, 4, 6)] (L * D, B, H)",
        ),
        (
            (torch.zeros(T, B, F), None, torch.zeros(T)),
            "lengths are (9,); expected one a sequence: (4,)",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["gru", "manual_gru"])
def test_wrong_shapes_are_refused_with_a_sentence(kind, arguments, sentence):
    with pytest.raises(ValueError, match="expected") as error:
        build(kind)(*arguments)
    assert str(error.value) == sentence


def test_a_residual_around_nothing_is_refused():
    with pytest.raises(ValueError, match="residual") as error:
        build(residual=True)
    assert str(error.value) == (
        "residual finds no layer to go around: layers is 1 and the 3 features are not as many as"
        " the 6 outputs; set layers to 2 or more"
    )
