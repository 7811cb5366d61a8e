import math

import pytest
import torch
from torch import nn

from unrolled.recurrent.description import descriptions
from unrolled.recurrent.initialisation import INITS, forget_bias, identity, orthogonal
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions
from unrolled.recurrent.weights import weights

V, H, T, B = 65, 64, 32, 16
CELLS = descriptions()
by_hand_or_library = pytest.mark.parametrize("manual", [False, True])


def build(cell, **extra):
    return Recurrent(LayerOptions(cell=cell, hidden=H, **extra), V)


def initial_loss(layer, head):
    """Of a language model that has seen nothing, in nats a character."""
    x, y = torch.randint(V, (2, T, B))
    outputs, _ = layer(nn.functional.one_hot(x, V).float())
    return nn.functional.cross_entropy(head(outputs).flatten(0, 1), y.flatten()).item()


POSSIBLE = [
    (cell, init, bias)
    for cell in CELLS
    for init in INITS
    for bias in (None, 1.0, "chrono")
    if init != "unscaled_normal"
    and (CELLS[cell].recurrent or init not in ("orthogonal", "identity"))
    and (CELLS[cell].keep or CELLS[cell].write or bias is None)
]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("cell", "init", "bias"), POSSIBLE)
def test_a_new_network_knows_nothing_and_its_loss_says_so(cell, init, bias, layers):
    longest = 100 if bias == "chrono" else None
    layer = build(cell, init=init, layers=layers, forget_bias=bias, longest_lag=longest)
    assert abs(initial_loss(layer, nn.Linear(H, V)) - math.log(V)) < 0.1


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_unscaled_network_is_sure_of_nonsense(cell):
    layer, head = build(cell, init="unscaled_normal"), nn.Linear(H, V)
    nn.init.normal_(head.weight)
    assert initial_loss(layer, head) > math.log(V) + 2


@by_hand_or_library
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_recurrent_weights_are_set_gate_by_gate_in_every_layer_and_direction(cell, manual):
    options = {"layers": 2, "bidirectional": True, "manual": manual}
    found = {name: weights(build(cell, init=name, **options)) for name in INITS}
    for name, cells in found.items():
        assert len(cells) == 4
        for row in cells:
            for block in row.weight_hh.split(H):
                product = block @ block.T
                if name in ("orthogonal", "identity"):
                    torch.testing.assert_close(product, torch.eye(H), atol=1e-5, rtol=0)
                if name == "identity":
                    assert torch.equal(block, torch.eye(H))
                if name == "normal":
                    assert block.std().item() == pytest.approx(H**-0.5, rel=0.1)
                if name == "unscaled_normal":
                    assert block.std().item() == pytest.approx(1, rel=0.1)
                if name == "default":
                    assert block.abs().max().item() == pytest.approx(H**-0.5, rel=0.01)
            if name not in ("default", "orthogonal"):
                assert not row.bias_ih.any()
                assert not row.bias_hh.any()


def test_a_bare_torch_layer_is_initialised_too():
    layer = nn.GRU(3, 8, num_layers=2)
    orthogonal(layer)
    for row in weights(layer):
        for block in row.weight_hh.split(8):
            torch.testing.assert_close(block @ block.T, torch.eye(8), atol=1e-5, rtol=0)
    outputs, _ = layer(torch.zeros(2, 1, 3))
    assert outputs.shape == (2, 1, 8)


def slices(row, gate):
    part = row.rows[gate]
    return row.bias_ih[part], None if row.bias_hh is None else row.bias_hh[part]


@by_hand_or_library
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize(
    ("cell", "gate", "sign"),
    [("lstm", "f", 1), ("gru", "z", 1), ("min_lstm", "f", 1), ("min_gru", "z", -1)],
)
def test_the_two_biases_of_the_keeping_gate_add_up_to_the_value(cell, gate, sign, value, manual):
    for row in weights(build(cell, layers=2, forget_bias=value, manual=manual)):
        first, second = slices(row, gate)
        assert (first == sign * value).all()
        assert second is None or not second.any()
        others = [name for name in row.cell.described.gates if name != gate]
        assert all(slices(row, name)[0].std() > 0 for name in others)


@pytest.mark.parametrize("cell", ["lstm", "gru", "min_lstm", "min_gru"])
def test_chrono_draws_memory_spans_up_to_the_longest_lag(cell):
    layer = Recurrent(
        LayerOptions(cell=cell, hidden=2000, forget_bias="chrono", longest_lag=100), 1
    )
    (row,) = weights(layer)
    kept = {"lstm": "f", "min_lstm": "f", "gru": "z", "min_gru": "z"}[cell]
    bias = slices(row, kept)[0] * (-1 if cell == "min_gru" else 1)
    spans = bias.exp()
    assert spans.min().item() == pytest.approx(1, abs=0.5)
    assert spans.max().item() == pytest.approx(99, abs=0.5)
    assert spans.mean().item() == pytest.approx(50, abs=3)
    if cell.endswith("lstm"):
        torch.testing.assert_close(slices(row, "i")[0], -bias)


def test_a_forget_bias_of_one_is_worth_a_longer_memory():
    """Share of the first step's gradient on c that is left after 50 steps of no input."""
    shares = {}
    for bias in (0.0, 1.0, 3.0):
        cell = build("lstm", forget_bias=bias, manual=True).blocks[0].directions[0]
        start = tuple(s.requires_grad_() for s in cell.initial_state(1))
        _, (_, c) = cell.run(torch.zeros(50, 1, V), start)
        shares[bias] = torch.autograd.grad(c.sum(), start[1])[0].norm().item()
    assert shares[0.0] < 1e-8 < shares[1.0] < 1e-3 < shares[3.0]


@pytest.mark.parametrize("init", [orthogonal, identity])
def test_a_cell_without_recurrent_weights_is_refused(init):
    with pytest.raises(ValueError, match="MinGRUCell has no recurrent weights to initialise"):
        init(build("min_gru"))


def test_a_cell_without_gates_and_chrono_without_a_lag_are_refused():
    with pytest.raises(ValueError, match="RNNCell has no gate that keeps its state"):
        forget_bias(build("rnn"), 1.0)
    with pytest.raises(ValueError, match="chrono needs longest_lag"):
        forget_bias(build("lstm"), "chrono")
