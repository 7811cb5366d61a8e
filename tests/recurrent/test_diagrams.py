"""Diagrams say what the code computes."""

import pytest
import torch

from unrolled.recurrent.cells import GRUCell, LSTMCell, MinGRUCell, MinLSTMCell, RNNCell
from unrolled.recurrent.diagrams import columns, edges, equations, mermaid

CELLS = [RNNCell, LSTMCell, GRUCell, MinGRUCell, MinLSTMCell]


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_and_state_that_the_code_returns_has_its_equation(cell):
    net = cell(2, 3)
    gates = net.gates(net.project(torch.zeros(1, 2)), net.initial_state(1))
    named = {equation.name.rstrip("'") for equation in equations(cell)}
    assert named == set(gates)


@pytest.mark.parametrize("cell", CELLS)
def test_what_an_equation_reads_is_what_the_gate_depends_on(cell):
    """An edge from h or x to a gate is there exactly where the gradient is not zero."""
    torch.manual_seed(0)
    net = cell(2, 3).double()
    x = torch.randn(1, 2, dtype=torch.float64, requires_grad=True)
    state = tuple(
        torch.randn(1, 3, dtype=torch.float64, requires_grad=True) for _ in net.state_names
    )
    gates = net.gates(net.project(x), state)
    found = equations(cell)
    direct = dict.fromkeys((equation.name for equation in found), frozenset())
    for name in direct:  # through whatever stands between
        reads = {source for source, target in edges(found) if target == name}
        direct[name] = frozenset(
            source
            for read in reads
            for source in (direct[read] if read in direct and read != name else {read})
        )
    for name, sources in direct.items():
        value = gates[name.rstrip("'")].sum()
        inputs = dict(zip(("x", "h", "c"), (x, *state), strict=False))
        gradients = torch.autograd.grad(
            value, list(inputs.values()), retain_graph=True, allow_unused=True
        )
        depends = {
            source
            for source, gradient in zip(inputs, gradients, strict=True)
            if gradient is not None and gradient.abs().sum() > 0
        }
        assert depends == sources, name


def test_the_gru_is_drawn_as_it_is_computed():
    after, before = equations(GRUCell), equations(GRUCell, reset_after=False)
    assert "r ⊙ (U_n h + b_hn)" in str(after[2])
    assert "U_n (r ⊙ h)" in str(before[2])
    assert len(after) == len(before) == 4


def test_columns_put_what_is_read_before_what_reads_it():
    for cell in CELLS:
        found = equations(cell)
        place = {name: depth for depth, names in enumerate(columns(found)) for name in names}
        assert all(place[source] < place[target] for source, target in edges(found))


def test_mermaid_has_a_line_for_every_name_and_arrow():
    found = equations(RNNCell)
    assert mermaid(found).splitlines() == [
        "flowchart LR",
        '    n0(["x"])',
        '    n1(["h"])',
        '    n2["h\' = tanh(W x + U h + b)"]',
        "    n0 --> n2",
        "    n1 --> n2",
    ]
