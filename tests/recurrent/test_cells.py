import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from unrolled.recurrent.cells import CELLS as EVERY
from unrolled.recurrent.cells import Cell
from unrolled.recurrent.cells.classic import GRUCell, LSTMCell, RNNCell
from unrolled.recurrent.cells.exponential import CHUNK, MLSTMCell, SLSTMCell
from unrolled.recurrent.cells.minimal import MinGRUCell, MinLSTMCell, positive
from unrolled.recurrent.cells.scan import scan
from unrolled.recurrent.cells.state_space import LRUCell
from unrolled.recurrent.weights import copy_weights, weights

T, B, F, H = 7, 4, 3, 5

# ours, torch's cell, torch's layer
TORCH = {
    "rnn": (
        lambda: RNNCell(F, H),
        lambda: nn.RNNCell(F, H),
        lambda: nn.RNN(F, H),
    ),
    "relu rnn": (
        lambda: RNNCell(F, H, nonlinearity="relu"),
        lambda: nn.RNNCell(F, H, nonlinearity="relu"),
        lambda: nn.RNN(F, H, nonlinearity="relu"),
    ),
    "lstm": (lambda: LSTMCell(F, H), lambda: nn.LSTMCell(F, H), lambda: nn.LSTM(F, H)),
    "gru": (lambda: GRUCell(F, H), lambda: nn.GRUCell(F, H), lambda: nn.GRU(F, H)),
}
CELLS = {
    **{name: partial(cell, F, H) for name, cell in EVERY.items()},
    "relu rnn": lambda: RNNCell(F, H, nonlinearity="relu"),
    "gru, reset before": lambda: GRUCell(F, H, reset_after=False),
    "slstm, exp": lambda: SLSTMCell(F, H, forget_gate="exp"),
    "mlstm, exp, heads": lambda: MLSTMCell(F, 6, forget_gate="exp", cell_heads=3),
    "lru, linear": lambda: LRUCell(F, H, gated=False),
}
every_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)


def leaf(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def random_state(cell, dtype=torch.float64, batch=B):
    """Any state; where scales are carried, one that the cell can have."""
    if not any(state.scales for state in cell.described.states.values()):
        return tuple(leaf(batch, width, dtype=dtype) for width in cell.widths)
    with torch.no_grad():
        _, state = cell.run(leaf(3, batch, F, dtype=dtype), cell.initial_state(batch))
    return tuple(tensor.requires_grad_() for tensor in state)


def gradients(outputs, state, leaves):
    """Of a loss that weighs every output and state differently."""
    loss = sum(
        (x * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)).sum() / (T * B)
        for x in (outputs, *state)
    )
    return torch.autograd.grad(loss, leaves)


@pytest.mark.parametrize("direction", ["from torch", "to torch"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)], ids=str
)
@pytest.mark.parametrize("reference", ["cell", "layer"])
@pytest.mark.parametrize("kind", TORCH)
def test_a_cell_equals_torchs_in_outputs_states_and_all_gradients(
    kind, reference, dtype, tolerance, direction
):
    ours, torch_cell, torch_layer = TORCH[kind]
    cell = ours().to(dtype)
    theirs = (torch_cell if reference == "cell" else torch_layer)().to(dtype)
    copy_weights(*((theirs, cell) if direction == "from torch" else (cell, theirs)))
    x, start = leaf(T, B, F, dtype=dtype), random_state(cell, dtype)

    outputs, state = cell.run(x, start)
    given = start if len(start) == 2 else start[0]
    if reference == "layer":
        given = tuple(s[None] for s in start) if len(start) == 2 else start[0][None]
        expected, end = theirs(x, given)
        end = tuple(s[0] for s in end) if len(start) == 2 else (end[0],)
    else:
        steps = []
        for x_t in x:
            given = theirs(x_t, given)
            steps.append(given[0] if len(start) == 2 else given)
        expected, end = torch.stack(steps), given if len(start) == 2 else (given,)

    found = [outputs, *state, *gradients(outputs, state, (x, *start, *cell.parameters()))]
    wanted = [expected, *end, *gradients(expected, end, (x, *start, *theirs.parameters()))]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("kind", TORCH)
def test_a_cell_and_torchs_share_state_dicts_and_seeds(kind):
    ours, torch_cell, torch_layer = TORCH[kind]
    torch.manual_seed(3)
    cell = ours()
    torch.manual_seed(3)
    theirs = torch_cell()
    torch.manual_seed(3)
    layer = torch_layer()

    assert cell.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(cell.state_dict()[name], value)
    for a, b in zip(weights(cell)[0].parameters, weights(layer)[0].parameters, strict=True):
        assert torch.equal(a, b)


@every_cell
def test_gradients_equal_finite_differences(make):
    cell = make().double()
    names = [name for name, _ in cell.named_parameters()]

    class Run(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x, *state):
            outputs, end = self.cell.run(x, state)
            return outputs, *end

    def run(x, *rest):
        states = len(cell.state_names)
        parameters = dict(zip([f"cell.{n}" for n in names], rest[states:], strict=True))
        return functional_call(Run(), parameters, (x, *rest[:states]))

    state = random_state(cell, batch=2)
    parameters = tuple(p.detach().clone().requires_grad_() for p in cell.parameters())
    # Along random directions: an element of a Jacobian that is wrong is wrong in them too.
    inputs = (leaf(4, 2, F), *state, *parameters)
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)


@every_cell
def test_a_sequence_equals_its_steps(make):
    cell = make().double()
    x, state = leaf(T, B, F), random_state(cell)

    outputs, end = cell.run(x, state)
    seen = cell.look_inside(x, state)
    for x_t, output in zip(x, outputs, strict=True):
        h, state = cell.step(cell.project(x_t), state)
        torch.testing.assert_close(h, output, atol=1e-12, rtol=1e-12)
    for name, a, b in zip(cell.state_names, state, end, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)
        if b.shape[1] <= H:  # a matrix is not shown
            torch.testing.assert_close(seen[name][-1], b, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(seen["h"], outputs, atol=1e-12, rtol=1e-12)
    shown = {n for n, width in zip(cell.state_names, cell.widths, strict=True) if width <= H}
    assert set(seen) >= {*cell.described.gates, *shown, "h"}


@every_cell
def test_a_step_without_a_state_starts_from_the_first_state(make):
    cell = make()
    x = torch.randn(B, F)
    start = cell.initial_state(B)
    assert torch.equal(cell(x)[0], cell(x, start)[0])
    described = cell.described.states.values()
    assert [float(s.unique()) for s in start] == pytest.approx([s.start for s in described])


@every_cell
def test_padding_leaves_the_state_where_it_was(make):
    cell = make().double()
    x, state = leaf(T, B, F), random_state(cell)
    lengths = torch.tensor([T, 3, 1, 0])
    real = (torch.arange(T)[:, None] < lengths)[:, :, None]
    outputs, end = cell.run(x, state, real)
    for b, length in enumerate(lengths.tolist()):
        alone = tuple(s[b : b + 1] for s in state)
        if length:
            expected, alone = cell.run(x[:length, b : b + 1], alone)
            torch.testing.assert_close(outputs[:length, b], expected[:, 0], atol=1e-12, rtol=0)
        for a, s in zip(alone, end, strict=True):
            torch.testing.assert_close(s[b], a[0], atol=1e-12, rtol=0)


# A second truth in numpy: a loop of the papers' equations.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_rnn(W, U, b_w, b_u, x, h):
    return np.tanh(W @ x + b_w + U @ h + b_u)


def numpy_gru_after(W, U, b_w, b_u, x, h):
    (W_r, W_z, W_n), (U_r, U_z, U_n) = np.split(W, 3), np.split(U, 3)
    (b_r, b_z, b_n), (d_r, d_z, d_n) = np.split(b_w, 3), np.split(b_u, 3)
    r = sigmoid(W_r @ x + b_r + U_r @ h + d_r)
    z = sigmoid(W_z @ x + b_z + U_z @ h + d_z)
    n = np.tanh(W_n @ x + b_n + r * (U_n @ h + d_n))
    return (1 - z) * n + z * h


def numpy_gru_before(W, U, b_w, b_u, x, h):
    (W_r, W_z, W_n), (U_r, U_z, U_n) = np.split(W, 3), np.split(U, 3)
    (b_r, b_z, b_n), (d_r, d_z, d_n) = np.split(b_w, 3), np.split(b_u, 3)
    r = sigmoid(W_r @ x + b_r + U_r @ h + d_r)
    z = sigmoid(W_z @ x + b_z + U_z @ h + d_z)
    n = np.tanh(W_n @ x + b_n + U_n @ (r * h) + d_n)
    return (1 - z) * n + z * h


def numpy_gru_of_chung(W, U, b_w, b_u, x, h):
    """The update gate's other convention: z takes the candidate. Its weights come negated."""
    sign = np.repeat([1, -1, 1], H)
    (W_r, W_z, W_n), (U_r, U_z, U_n) = np.split(W.T * sign, 3, 1), np.split(U.T * sign, 3, 1)
    (b_r, b_z, b_n), (d_r, d_z, d_n) = np.split(b_w * sign, 3), np.split(b_u * sign, 3)
    r = sigmoid(x @ W_r + b_r + h @ U_r + d_r)
    z = sigmoid(x @ W_z + b_z + h @ U_z + d_z)
    n = np.tanh(x @ W_n + b_n + (r * h) @ U_n + d_n)
    return (1 - z) * h + z * n


def numpy_positive(x):
    return x + 0.5 if x >= 0 else sigmoid(x)


def numpy_min_gru(W, b, x, h):
    z, n = np.split(W @ x + b, 2)
    z, n = sigmoid(z), np.vectorize(numpy_positive)(n)
    return (1 - z) * h + z * n


def numpy_min_lstm(W, b, x, h):
    i, f, n = np.split(W @ x + b, 3)
    i, f, n = sigmoid(i), sigmoid(f), np.vectorize(numpy_positive)(n)
    return f / (f + i) * h + i / (f + i) * n


@pytest.mark.parametrize(
    ("kind", "truth"),
    [
        ("rnn", numpy_rnn),
        ("gru", numpy_gru_after),
        ("gru, reset before", numpy_gru_before),
        ("gru, reset before", numpy_gru_of_chung),
        ("min_gru", numpy_min_gru),
        ("min_lstm", numpy_min_lstm),
    ],
)
def test_a_cell_equals_its_equations_in_numpy(kind, truth):
    cell = CELLS[kind]().double()
    parameters = [p.detach().numpy() for p in cell.parameters()]
    x, (h,) = torch.randn(T, B, F, dtype=torch.float64), random_state(cell)
    outputs, _ = cell.run(x, (h,))
    for b in range(B):
        state = h[b].detach().numpy()
        for t in range(T):
            state = truth(*parameters, x[t, b].numpy(), state)
            np.testing.assert_allclose(outputs[t, b].detach().numpy(), state, atol=1e-12)


def numpy_slstm(gates, forget, state):
    """One unit of one sequence, without a stabiliser: c and n as they stand in the paper."""
    (i, f, z, o), (c, n) = gates, state
    i, f = np.exp(i), np.exp(f) if forget == "exp" else sigmoid(f)
    c, n = f * c + i * np.tanh(z), f * n + i
    return sigmoid(o) * c / n, (c, n)


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_slstm_equals_its_equations_in_numpy(forget):
    cell = SLSTMCell(F, H, forget_gate=forget).double()
    W, U, b, d = (p.detach().numpy() for p in cell.parameters())
    x = torch.randn(T, B, F, dtype=torch.float64)
    outputs, (_, _, _, m) = cell.run(x, cell.initial_state(B))
    _, end = cell.run(x, cell.initial_state(B))
    for row in range(B):
        h, state = np.zeros(H), (np.zeros(H), np.zeros(H))
        for t in range(T):
            gates = np.split(W @ x[t, row].numpy() + U @ h + b + d, 4)
            h, state = numpy_slstm(gates, forget, state)
            np.testing.assert_allclose(outputs[t, row].detach(), h, rtol=1e-12, atol=1e-14)
        for found, expected in zip(end[1:3], state, strict=True):  # kept divided by exp(m)
            scale = np.exp(m[row].detach().numpy())
            np.testing.assert_allclose(found[row].detach().numpy() * scale, expected, rtol=1e-12)


@pytest.mark.parametrize("gated", [False, True])
def test_lru_equals_its_equations_in_numpys_complex_numbers(gated):
    cell = LRUCell(F, H, gated=gated, inner_radius=0.5).double()
    p = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    real, imaginary, D = np.split(p["weight_ih"], 3)
    C_real, C_imaginary = np.split(p["weight_hy"], 2, axis=1)
    B_, C = real + 1j * imaginary, C_real - 1j * C_imaginary
    eigenvalues = np.exp(-np.exp(p["log_decay"]) + 1j * np.exp(p["log_angle"]))
    x, start = torch.randn(T, B, F, dtype=torch.float64), random_state(cell)
    outputs, end = cell.run(x, start)
    for row in range(B):
        r, s = (tensor[row].detach().numpy() for tensor in start)
        memory = r + 1j * s
        for t in range(T):
            memory = eigenvalues * memory + np.exp(p["log_scale"]) * (B_ @ x[t, row].numpy())
            y = (C @ memory).real + D @ x[t, row].numpy()
            h = y * sigmoid(p["gate.weight"] @ y + p["gate.bias"]) if gated else y
            np.testing.assert_allclose(outputs[t, row].detach(), h, rtol=1e-12, atol=1e-13)
        for found, expected in zip(end, (memory.real, memory.imag), strict=True):
            np.testing.assert_allclose(found[row].detach(), expected, rtol=1e-12, atol=1e-13)


def test_lru_begins_on_a_ring_and_its_memory_is_of_the_inputs_size():
    cell = LRUCell(1, 4000, inner_radius=0.6, largest_phase=1.0)
    a, e = cell.eigenvalues()
    size, phase = torch.hypot(a, e), torch.atan2(e, a)
    assert 0.6 <= size.min() < 0.61 < 0.99 < size.max() < 1
    assert size.square().mean().item() == pytest.approx((1 + 0.36) / 2, abs=0.01)  # uniform in area
    assert 0 < phase.min() < 0.01 < 0.99 < phase.max() < 1.001
    cell = LRUCell(1, 200, inner_radius=0.6, largest_phase=1.0)
    _, (r, s) = cell.run(torch.randn(3000, 8, 1), cell.initial_state(8))
    assert (r.square() + s.square()).median().sqrt().item() == pytest.approx(1, abs=0.5)


def numpy_mlstm(W, b, forget, heads, x, state):
    """One step of one sequence, head by head, without a stabiliser: as in the paper."""
    width = len(W) - 2 * heads
    q, k, v, o = np.split((W @ x + b)[:width], 4)
    (i, f), h = np.split((W @ x + b)[width:], 2), []
    i, f = np.exp(i), np.exp(f) if forget == "exp" else sigmoid(f)
    for head, part in enumerate(np.split(np.arange(len(q)), heads)):
        C, n = state[head]
        key = k[part] / np.sqrt(len(part))
        C = f[head] * C + i[head] * np.outer(v[part], key)
        n = f[head] * n + i[head] * key
        h.append(C @ q[part] / max(abs(n @ q[part]), 1))
        state[head] = C, n
    return sigmoid(o) * np.concatenate(h), state


@pytest.mark.parametrize("heads", [1, 2, 6])
@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_mlstm_equals_its_equations_in_numpy(forget, heads):
    cell = MLSTMCell(F, 6, forget_gate=forget, cell_heads=heads).double()
    W, b = (p.detach().numpy() for p in cell.parameters())
    x = 3 * torch.randn(T, B, F, dtype=torch.float64)
    outputs, (c, n, m) = cell.run(x, cell.initial_state(B))
    size = 6 // heads
    for row in range(B):
        state = [(np.zeros((size, size)), np.zeros(size)) for _ in range(heads)]
        for t in range(T):
            h, state = numpy_mlstm(W, b, forget, heads, x[t, row].numpy(), state)
            np.testing.assert_allclose(outputs[t, row].detach(), h, rtol=1e-10, atol=1e-13)
        for head, (C, N) in enumerate(state):  # kept divided by exp(m)
            scale = m[row, head].exp().item()
            own = c[row].detach().numpy().reshape(heads, size, size)[head] * scale
            np.testing.assert_allclose(own, C, rtol=1e-10, atol=1e-13)
            own = n[row].detach().numpy().reshape(heads, size)[head] * scale
            np.testing.assert_allclose(own, N, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("steps", [2, CHUNK, CHUNK + 1, 3 * CHUNK - 5])
@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
@pytest.mark.parametrize("scale", [1, 30])
def test_an_mlstm_at_once_equals_its_steps(forget, steps, scale):
    """Over chunks and their borders, gates nearly open and nearly shut, with gradients."""
    cell = MLSTMCell(F, 8, forget_gate=forget, cell_heads=2).double()
    x, start = scale * leaf(steps, B, F), random_state(cell)

    def both(cell, x, start):
        ways = cell.run(x, start), Cell.run(cell, x, start)
        return ([result[0], *result[1]] for result in ways)

    leaves = (*start, *cell.parameters())
    found, exact = both(cell, x, start)
    found += gradients(found[0], found[1:], leaves)
    exact += gradients(exact[0], exact[1:], leaves)
    for a, b in zip(found, exact, strict=True):
        assert (a - b).abs().max() <= 1e-10 * b.abs().max()
    single = both(cell.float(), x.float(), tuple(tensor.float() for tensor in start))
    for at_once, stepwise, b in zip(*single, exact, strict=False):
        assert (
            (at_once - stepwise).abs().max() <= 1e-5 * b.abs().max() or scale > 1 or forget == "exp"
        )
        # Exponentials of sums of hundreds: neither way is exact, but this one no worse.
        worse = (at_once - b).abs().max() / (stepwise - b).abs().max()
        assert worse < 4 or (at_once - b).abs().max() <= 1e-5 * b.abs().max()


@pytest.mark.parametrize("cell", [SLSTMCell, MLSTMCell])
@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_exponential_gates_overflow_nothing(cell, forget):
    """Inputs that open and shut gates by e^1000 leave numbers, and gradients that are numbers."""
    net = cell(F, H, forget_gate=forget)
    x = (1000 * torch.randn(200, B, F)).requires_grad_()
    outputs, state = net.run(x, net.initial_state(B))
    sum(tensor.sum() for tensor in (outputs, *state)).backward()
    assert all(torch.isfinite(t).all() for t in (outputs, *state, x.grad))
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_lstm_equals_its_equations_in_numpy():
    cell = LSTMCell(F, H).double()
    W, U, b, d = (p.detach().numpy() for p in cell.parameters())
    x, (h, c) = leaf(B, F), random_state(cell)
    after_h, after_c = (s.detach().numpy() for s in cell(x, (h, c)))
    for row in range(B):
        total = W @ x[row].detach().numpy() + U @ h[row].detach().numpy() + b + d
        i, f, g, o = np.split(total, 4)
        new = sigmoid(f) * c[row].detach().numpy() + sigmoid(i) * np.tanh(g)
        np.testing.assert_allclose(after_c[row], new, atol=1e-12)
        np.testing.assert_allclose(after_h[row], sigmoid(o) * np.tanh(new), atol=1e-12)


# The parallel scan.


def loop(a, b, h):
    states = []
    for a_t, b_t in zip(a, b, strict=True):
        h = a_t * h + b_t
        states.append(h)
    return torch.stack(states)


@given(steps=st.integers(1, 70), scale=st.sampled_from([0.1, 1.0, 30.0]), seed=st.integers(0, 99))
def test_the_scan_equals_the_loop_with_its_gradients(steps, scale, seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    a = (draw(steps, 2, 3) * scale).sigmoid().requires_grad_()
    b, h = draw(steps, 2, 3).requires_grad_(), draw(2, 3).requires_grad_()
    weight = draw(steps, 2, 3)
    found, expected = scan(a, b, h), loop(a, b, h)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    for left, right in zip(
        torch.autograd.grad((found * weight).sum(), (a, b, h)),
        torch.autograd.grad((expected * weight).sum(), (a, b, h)),
        strict=True,
    ):
        torch.testing.assert_close(left, right, atol=1e-12, rtol=1e-12)


@given(steps=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_scan_of_pairs_is_that_of_complex_numbers_with_its_gradients(steps, seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    a, b, h, weight = (
        draw(steps, 2, 2, 3),
        draw(steps, 2, 2, 3),
        draw(2, 2, 3),
        draw(steps, 2, 2, 3),
    )
    complex_ = [torch.complex(*pair.unbind(-3)) for pair in (a, b, h)]
    expected = torch.view_as_real(loop(*complex_)).movedim(-1, 1)
    found = scan(a, b, h)
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected, atol=1e-13 * scale, rtol=1e-11)
    pairs = [torch.autograd.grad((x * weight).sum(), (a, b, h)) for x in (found, expected)]
    for left, right in zip(*pairs, strict=True):
        torch.testing.assert_close(left, right, atol=1e-12 * right.abs().max().item(), rtol=1e-10)


@pytest.mark.parametrize("pair", [(), (2,)], ids=["reals", "pairs"])
def test_the_scan_has_second_derivatives(pair):
    a, b, h = leaf(5, *pair, 2, 2), leaf(5, *pair, 2, 2), leaf(*pair, 2, 2)
    assert torch.autograd.gradgradcheck(scan, (a, b, h))


def test_the_scan_equals_the_papers_log_space_scan():
    """Feng et al. 2024, algorithm of appendix B, in float64."""
    k, v, h = leaf(20, B, H), leaf(20, B, H), leaf(B, H).exp()
    log_a, log_b = -nn.functional.softplus(k), -nn.functional.softplus(-k) + positive(v).log()
    sums = torch.cat([torch.zeros(1, B, H), log_a.cumsum(0)])
    log_h = sums + torch.logcumsumexp(torch.cat([h.log()[None], log_b]) - sums, dim=0)
    found = scan((-k).sigmoid(), k.sigmoid() * positive(v), h)
    torch.testing.assert_close(found, log_h[1:].exp(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("make", [MinGRUCell, MinLSTMCell])
def test_min_cells_stay_exact_over_a_thousand_steps_of_shut_and_open_gates(make):
    cell = make(F, H)
    x = (40 * torch.randn(1000, B, F)).requires_grad_()
    outputs, _ = cell.run(x, cell.initial_state(B))
    outputs.mean().backward()
    assert torch.isfinite(x.grad).all()
    exact, _ = copy.deepcopy(cell).double().run(x.double(), cell.double().initial_state(B))
    torch.testing.assert_close(outputs.double(), exact, atol=1e-5, rtol=1e-5)


def test_gates_that_are_both_shut_divide_nothing_by_nothing():
    cell = MinLSTMCell(F, H)
    nn.init.constant_(cell.bias_ih, -1e4)
    (h,) = cell(torch.randn(B, F), (torch.ones(B, H),))
    assert torch.isfinite(h).all()


# Handling


@every_cell
def test_a_cell_copies_pickles_and_moves_dtype(make):
    cell = make()
    x = torch.randn(B, F)
    for twin in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(twin(x)[0], cell(x)[0])
    assert cell.to(torch.bfloat16)(x.bfloat16())[0].dtype == torch.bfloat16


def test_weights_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="expected the same cells") as error:
        copy_weights(nn.LSTM(F, H), GRUCell(F, H))
    assert str(error.value) == (
        "weights of [('LSTMCell', 3, 5)] do not fit [('GRUCell', 3, 5)]; expected the same cells"
        " (name, features, hidden), layers and directions on both sides"
    )
