"""Diagrams say what the code computes."""

from __future__ import annotations

import re
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from unrolled.errors import InputError
from unrolled.recurrent.cells import CELLS
from unrolled.recurrent.cells.classic import GRUCell, LSTMCell, RNNCell
from unrolled.recurrent.cells.exponential import MLSTMCell
from unrolled.recurrent.cells.minimal import MinLSTMCell, positive
from unrolled.recurrent.cells.state_space import LRUCell
from unrolled.recurrent.diagrams import Equation, Term, equations, graph, parse

# Each cell in each of its forms, and whether the second equation of a value is its own.
FORMS = {
    **{name: (partial(cell, 2, 3), False) for name, cell in CELLS.items()},
    **{
        f"{name} {option} {own.second}": (partial(cell, 2, 3, **{option: own.second}), True)
        for name, cell in CELLS.items()
        for option, own in cell.described.options.items()
        if own.second is not None
    },
}
every_form = pytest.mark.parametrize(("make", "second"), FORMS.values(), ids=FORMS)

FUNCTIONS = {
    "σ": torch.sigmoid,
    "logσ": functional.logsigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "positive": positive,
    "exp": torch.exp,
    "max": torch.maximum,
    "abs": torch.abs,
}
OPERATORS = {
    "+": torch.add,
    "-": torch.sub,
    "⊙": torch.mul,
    "/": torch.div,
    " ": lambda matrix, value: value @ matrix.t(),
    "⊗": lambda a, b: (a[:, :, None] * b[:, None]).flatten(1),
    "·": lambda a, b: (a.unflatten(1, (-1, b.shape[1])) @ b[:, :, None]).squeeze(2),
}


def value_of(term: Term, known: dict[str, torch.Tensor]) -> torch.Tensor:
    """What an equation says, computed."""
    if not term.of:
        return torch.tensor(float(term.symbol)) if term.symbol.isdigit() else known[term.symbol]
    return (FUNCTIONS | OPERATORS)[term.symbol](*(value_of(one, known) for one in term.of))


def weights_of(cell) -> dict[str, torch.Tensor]:
    """Matrices and biases by their names in the equations."""
    if isinstance(cell, LRUCell):
        real, imaginary = cell.eigenvalues()
        scale = cell.log_scale.exp()[:, None]
        known = {"A": real.diag(), "E": imaginary.diag()}
        known |= dict(zip("PQ", cell.weight_hy.chunk(2, dim=1), strict=True))
        known["Q"] = -known["Q"]
        known |= {"G": cell.gate.weight, "b": cell.gate.bias} if cell.gate else {}
        weights = zip(cell.gate_rows, cell.weight_ih.chunk(3), (scale, scale, 1), strict=True)
        return known | {f"W_{gate}": weight * own for gate, weight, own in weights}
    known = {}
    for gate, rows in cell.gate_rows.items():
        known[f"W_{gate}"], bias = cell.weight_ih[rows], cell.bias_ih[rows]
        known[f"b_i{gate}"] = known[f"b_{gate}"] = bias
        if cell.weight_hh is not None:
            known[f"U_{gate}"] = cell.weight_hh[rows]
            known[f"b_h{gate}"] = cell.bias_hh[rows]
            known[f"b_{gate}"] = bias + cell.bias_hh[rows]
    if isinstance(cell, MLSTMCell):  # one head
        known |= {name: known[name] / cell.hidden**0.5 for name in ("W_k", "b_k")}
    return known | {name: known[f"{name}_h"] for name in "WUb" if f"{name}_h" in known}


@every_form
def test_every_cell_computes_what_its_equations_say(make, second):
    net = make().double()
    x = torch.randn(4, 2, dtype=torch.float64)
    state = tuple(torch.rand(4, width, dtype=torch.float64) for width in net.widths)
    known = weights_of(net) | dict(zip(net.state_names, state, strict=True)) | {"x": x}
    for equation in equations(type(net), second=second):
        known[equation.name] = value_of(parse(equation.right), known)
    if isinstance(net, MinLSTMCell):  # it returns the gates as they enter the last equation
        both = known["f"] + known["i"]
        known |= {"f": known["f"] / both, "i": known["i"] / both}
    for name, value in net.gates(net.project(x), state).items():
        torch.testing.assert_close(value, known.get(f"{name}'", known.get(name)))


@every_form
def test_every_gate_and_state_that_the_code_returns_has_its_equation_and_name(make, second):
    net = make()
    gates = net.gates(net.project(torch.zeros(1, 2)), net.initial_state(1))
    found = equations(type(net), second=second)
    assert {equation.name.rstrip("'") for equation in found} == set(gates)
    assert all(equation.title for equation in found)


@every_form
def test_the_graph_reads_what_the_state_depends_on(make, second):
    """A way from an input to a value is there exactly where the gradient is not zero."""
    torch.manual_seed(0)
    net = make().double()
    size = {"dtype": torch.float64, "requires_grad": True}
    # Of many sequences, since a maximum depends on one of its arguments in each.
    x, *state = (torch.rand(99, width, **size) for width in (2, *net.widths))
    x = 9 * x
    gates = net.gates(net.project(x), tuple(state))
    inputs = dict(zip(("x", *net.state_names), (x, *state), strict=True))
    values = graph(equations(type(net), second=second))

    def needed(value):
        return {value.name} if not value.reads else set().union(*map(needed, value.reads))

    for name, gate in gates.items():
        gradients = torch.autograd.grad(
            gate.sum(), list(inputs.values()), retain_graph=True, allow_unused=True
        )
        depends = {
            source
            for source, gradient in zip(inputs, gradients, strict=True)
            if gradient is not None and gradient.abs().sum() > 0
        }
        assert depends == needed(values.get(f"{name}'", values.get(name))), name


def test_the_gru_and_the_plain_cell_are_read_as_they_are_computed():
    after, before = equations(GRUCell), equations(GRUCell, second=True)
    assert "r ⊙ (U_n h + b_hn)" in str(after[2])
    assert "U_n (r ⊙ h)" in str(before[2])
    assert len(after) == len(before) == 4
    assert [str(one) for one in equations(RNNCell, second=True)] == ["h' = relu(W x + U h + b)"]


def test_a_layer_reads_through_matrices_and_a_point_by_point_function_does_not():
    values = graph(equations(LSTMCell))
    assert (values["i"].symbol, values["i"].weights) == ("σ", True)
    out, squashed = values["h'"].reads
    assert out is values["o"]
    assert (squashed.symbol, squashed.weights) == ("tanh", False)
    assert squashed.reads == (values["c'"],)


NAMES = st.sampled_from(["x", "h", "c'", "z", "W_z x", "U (r ⊙ h)", "b_z"])
TERMS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-⊙/"), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(["σ", "tanh"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
    ),
    max_leaves=8,
)


@given(TERMS)
def test_a_term_is_written_as_it_is_read(text):
    term = parse(text)
    assert parse(str(term)) == term


@pytest.mark.parametrize("cell", CELLS.values())
def test_the_equations_of_every_cell_are_written_as_they_stand(cell):
    for second in (False, True):
        for equation in equations(cell, second=second):
            assert str(parse(equation.right)) == equation.right


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ("f ⊙", "equation 'f ⊙': found its end, but expected a value; the form is"),
        ("σ(x", "equation 'σ(x': found its end, but expected ); the form is"),
        ("σ x", "equation 'σ x': found x, but expected (; the form is"),
        ("x h", "equation 'x h': 'h' is left over; expected its end"),
    ],
)
def test_another_form_is_refused_with_what_was_found(right, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse(right)


def test_a_state_that_is_read_before_it_is_made_is_refused():
    with pytest.raises(InputError, match=r"c' is read before an equation gives it"):
        graph([Equation("h'", "tanh(c')", ""), Equation("c'", "c + x", "")])
