"""Gradients on states against explicit Jacobians, and the published numbers."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from unrolled.gradients.flow import (
    carried,
    effective_memory,
    flow,
    heat_map,
    labelled,
    probe,
    saturation,
    spectrum,
    state_gradients,
    step_singular_values,
)
from unrolled.recurrent.description import descriptions
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions
from unrolled.recurrent.weights import weights

T, F, H = 12, 3, 5


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rnn_step(u, w, b, c, x, h):
    new = np.tanh(w @ x + b + u @ h + c)
    return new, np.diag(1 - new**2) @ u


def gru_step(u, w, b, c, x, h):
    (u_r, u_z, u_n), (a_r, a_z, a_n) = np.split(u, 3), np.split(w @ x + b, 3)
    h_r, h_z, h_n = np.split(u @ h + c, 3)
    r, z = sigma(a_r + h_r), sigma(a_z + h_z)
    n = np.tanh(a_n + r * h_n)
    candidate = np.diag(1 - n**2) @ (np.diag(r) @ u_n + np.diag(h_n * r * (1 - r)) @ u_r)
    jacobian = np.diag(z) + np.diag((h - n) * z * (1 - z)) @ u_z + np.diag(1 - z) @ candidate
    return (1 - z) * n + z * h, jacobian


def lstm_step(u, w, b, c, x, state):
    """The state is h above cell, its Jacobian likewise."""
    h, cell = np.split(state, 2)
    u_i, u_f, u_g, u_o = np.split(u, 4)
    i, f, g, o = np.split(w @ x + b + u @ h + c, 4)
    i, f, g, o = sigma(i), sigma(f), np.tanh(g), sigma(o)
    new = f * cell + i * g
    out = np.tanh(new)
    c_h = (
        np.diag(cell * f * (1 - f)) @ u_f
        + np.diag(g * i * (1 - i)) @ u_i
        + np.diag(i * (1 - g**2)) @ u_g
    )
    c_c, through = np.diag(f), np.diag(o * (1 - out**2))
    h_h = through @ c_h + np.diag(out * o * (1 - o)) @ u_o
    jacobian = np.block([[h_h, through @ c_c], [c_h, c_c]])
    return np.concatenate([o * out, new]), jacobian


STEPS = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}


@pytest.mark.parametrize("cell", list(STEPS))
@pytest.mark.parametrize("manual", [False, True])
def test_the_gradient_on_h_is_the_explicit_product_of_jacobians(cell, manual):
    layer = Recurrent(LayerOptions(cell=cell, hidden=H, manual=manual), F).double()
    x, v = torch.randn(T, 1, F).double(), torch.randn(H).double()
    found = state_gradients(layer, x, lambda outputs: outputs[-1] @ v)
    (w,) = weights(layer)
    u, w_x, b, c = (p.detach().numpy() for p in (w.weight_hh, w.weight_ih, w.bias_ih, w.bias_hh))
    state = np.zeros(2 * H if cell == "lstm" else H)
    jacobians, states, through = [], [], []
    for t in range(T):
        before = state
        state, jacobian = STEPS[cell](u, w_x, b, c, x[t, 0].numpy(), state)
        jacobians.append(jacobian)
        states.append(state)
        if cell == "lstm":  # c acts on the loss through h of the same step too
            o = sigma(np.split(w_x @ x[t, 0].numpy() + b + u @ before[:H] + c, 4)[3])
            through.append(o * (1 - np.tanh(state[H:]) ** 2))
    gradient = np.zeros_like(state)
    gradient[:H] = v.numpy()
    for t in reversed(range(T)):
        assert np.allclose(found["h"][t, 0].numpy(), gradient[:H], rtol=1e-10, atol=1e-15)
        if cell == "lstm":
            expected = gradient[H:] + through[t] * gradient[:H]
            assert np.allclose(found["c"][t, 0].numpy(), expected, rtol=1e-10, atol=1e-15)
        gradient = jacobians[t].T @ gradient


@pytest.mark.parametrize(
    "options",
    [
        *(LayerOptions(cell=name, hidden=4) for name in descriptions()),
        LayerOptions(cell="min_lstm", hidden=4, layers=2),
        LayerOptions(cell="mlstm", hidden=4, cell_heads=2, layers=2, bidirectional=True),
        LayerOptions(cell="gru", hidden=4, layers=2, residual=True, layer_norm=True),
        LayerOptions(cell="gru", hidden=4, reset_after=False, manual=True),
        LayerOptions(cell="lstm", hidden=4, layers=2, dropout=0.5, learned_state=True),
        LayerOptions(cell="rnn", hidden=4, bidirectional=True, layers=2),
    ],
)
def test_every_variant_gives_a_gradient_for_every_step_and_stays_as_it_was(options):
    layer = Recurrent(options, F)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    x = torch.randn(T, 2, F)
    # Not their plain sum, which layer normalisation holds at 0 whatever the states are.
    found = state_gradients(
        layer, x, lambda outputs: (outputs[-1] * torch.arange(1.0, outputs.shape[-1] + 1)).sum()
    )
    rows = options.layers * options.directions
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: (T, 2, rows * width)
        for cell in options.described
        for name, width in cell.widths(options.hidden, options.model_dump()).items()
        if name in cell.memories
    }
    assert carried(found).flatten(1).norm(dim=1).gt(0).all()
    assert all(layer.state_dict()[name].equal(value) for name, value in before.items())
    assert layer.training


def test_layers_of_different_cells_are_followed_on_the_states_that_each_has():
    options = LayerOptions(cell="mlstm", alternate="slstm", hidden=4, cell_heads=2, layers=3)
    layer = Recurrent(options, F).double()
    x = torch.randn(T, 2, F).double()
    found = state_gradients(layer, x, lambda outputs: outputs[-1].sum())
    assert {name: tensor.shape for name, tensor in found.items()} == {
        "c": (T, 2, 8 + 4 + 8),
        "h": (T, 2, 4),
    }
    assert flow(carried(found)).gradient_norm.gt(0).all()
    assert set(saturation(layer, x).block) == {0, 1, 2}
    assert len(step_singular_values(layer, x, [3])) == 2 * (8 + 4 + 2) + 4 * 4


def test_the_backward_direction_is_told_in_times_order():
    layer = Recurrent(LayerOptions(cell="rnn", hidden=H, bidirectional=True), F)
    found = state_gradients(layer, torch.randn(T, 2, F), lambda outputs: outputs[-1].sum())["h"]
    # It has read one step when it says the last output, and nothing after it counts.
    assert found[-1, :, H:].eq(1).all()
    assert found[:-1, :, H:].eq(0).all()


# Gradient carried back 50 steps, relative to lag 0; from the facts on which the room is built.
KNOWN = [
    ("default", "tanh", 4.3e-12),
    ("normal", "tanh", 0.059),
    ("orthogonal", "tanh", 0.038),
    ("identity", "relu", 0.71),
]


def small_inputs(layer: Recurrent) -> Tensor:
    """As measured there: 0.1 times N(0, 1) for each unit, no biases."""
    (found,) = weights(layer)
    with torch.no_grad():
        torch.nn.init.eye_(found.weight_ih)
        found.bias_ih.zero_()
        found.bias_hh.zero_()
    return 0.1 * torch.randn(101, 16, layer.features, dtype=torch.float64)


@pytest.mark.parametrize(("init", "nonlinearity", "known"), KNOWN)
def test_the_known_gradients_at_lag_50_hold_over_seeds(init, nonlinearity, known):
    options = LayerOptions(cell="rnn", nonlinearity=nonlinearity, init=init, hidden=128)
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        layer = Recurrent(options, 128).double()
        found.append(probe(layer, small_inputs(layer)).gradient_norm[50])
    assert known / 10 < np.exp(np.log(found).mean()) < known * 10


def initial_flow(options: LayerOptions, length: int, seed: int, batch: int = 16) -> pd.DataFrame:
    """Flow through a layer as it is initialised, on small inputs of one feature."""
    torch.manual_seed(seed)
    layer = Recurrent(options, features=1).double()
    return probe(layer, 0.1 * torch.randn(length, batch, 1, dtype=torch.float64))


def test_relu_alone_makes_the_gradient_vanish_faster():
    plain, relu = (
        initial_flow(LayerOptions(cell="rnn", nonlinearity=n, hidden=64), 51, 0).gradient_norm[50]
        for n in ("tanh", "relu")
    )
    assert relu < plain / 1e3


def test_the_forget_bias_opens_the_way_back():
    lags = {
        bias: np.median(
            [
                initial_flow(
                    LayerOptions(cell="lstm", hidden=64, forget_bias=bias), 64, seed, batch=4
                ).gradient_norm[63]
                for seed in range(3)
            ]
        )
        for bias in (0.0, 1.0, 3.0)
    }
    # sigma(1) / sigma(0) to the 63rd is 2e10; in the facts 1.7e-6 / 6e-15 = 3e8, and 0.43 at 3.
    assert 1e7 < lags[1.0] / lags[0.0] < 1e12
    assert lags[3.0] > 0.04


def test_the_effective_memory_is_the_first_lag_below_the_threshold():
    curve = flow(0.5 ** torch.arange(9, -1, -1).double()[:, None, None])
    assert curve.lag.tolist() == list(range(10))
    assert curve.gradient_norm.tolist() == [0.5**k for k in range(10)]
    assert effective_memory(curve) == 7  # 0.5^6 = 0.016, 0.5^7 = 0.008
    assert effective_memory(curve, threshold=1e-9) == 10


def test_a_labelled_flow_has_the_columns_of_the_contract():
    curve = initial_flow(LayerOptions(cell="lstm", hidden=4), 5, 0)
    frame = labelled(curve, variant="lstm", init="default", trained=False, seed=3)
    assert list(frame) == ["variant", "init", "trained", "seed", "lag", "gradient_norm"]
    assert len(frame) == 5
    assert frame.gradient_norm[0] == 1


def test_the_heat_map_holds_the_root_mean_square_of_each_unit():
    gradients = torch.randn(4, 8, 3).double()
    table = heat_map(gradients).set_index(["lag", "unit"]).log10_gradient
    whole = gradients[-1].square().mean().sqrt()
    expected = gradients[1, :, 2].square().mean().sqrt() / whole
    assert table[2, 2] == pytest.approx(float(expected.log10()))
    assert len(table) == 12


def test_the_spectrum_of_orthogonal_weights_lies_on_the_unit_circle():
    layer = Recurrent(LayerOptions(cell="lstm", hidden=8, init="orthogonal"), F)
    table = spectrum(layer)
    assert np.allclose(table.modulus, 1, atol=1e-5)
    assert table.gate.unique().tolist() == ["i", "f", "g", "o"]
    assert len(table) == 4 * 8
    assert spectrum(Recurrent(LayerOptions(cell="min_gru", hidden=4), F)).empty


def test_the_singular_values_of_a_step_are_those_of_its_jacobian():
    layer = Recurrent(LayerOptions(cell="rnn", hidden=H), F).double()
    x = torch.randn(T, 2, F).double()
    (w,) = weights(layer)
    h = layer(x[:5])[1][0][0, 0].detach()
    slopes = 1 - h**2
    expected = torch.linalg.svdvals(slopes[:, None] * w.weight_hh.detach())
    table = step_singular_values(layer, x, [0, 4])
    assert np.allclose(table[table.step == 4].singular_value, expected)
    assert (
        len(step_singular_values(Recurrent(LayerOptions(cell="lstm", hidden=3), F), x.float(), [2]))
        == 6
    )


def test_saturation_counts_closed_and_open_gates():
    layer = Recurrent(LayerOptions(cell="lstm", hidden=4, forget_bias=9.0), F)
    with torch.no_grad():
        weights(layer)[0].bias_ih[:4] = -9  # the input gate
    table = saturation(layer, torch.randn(T, 2, F)).set_index("gate")
    assert table.open["f"] == table.closed["i"] == 1
    assert table.open["i"] == table.closed["f"] == 0


def test_a_tanh_unit_is_saturated_at_both_ends_and_relu_has_none():
    layer = Recurrent(LayerOptions(cell="rnn", hidden=2), F)
    with torch.no_grad():
        weights(layer)[0].bias_ih.copy_(torch.tensor([9.0, -9.0]))
    table = saturation(layer, torch.zeros(T, 1, F))
    assert table[["closed", "open"]].to_numpy().tolist() == [[0.5, 0.5]]
    relu = Recurrent(LayerOptions(cell="rnn", nonlinearity="relu", hidden=2), F)
    assert saturation(relu, torch.zeros(T, 1, F)).empty
    small = Recurrent(LayerOptions(cell="min_gru", hidden=2), F)
    assert saturation(small, torch.zeros(T, 1, F)).gate.tolist() == ["z"]
