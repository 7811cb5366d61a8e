"""Cells describe themselves: read from the text they say what the classes say."""

import ast
import subprocess
import sys

import pytest
import torch

from unrolled.recurrent.cells import CELLS
from unrolled.recurrent.description import Description, Gate, Own, _read, descriptions
from unrolled.recurrent.options import OWN, LayerOptions

every_cell = pytest.mark.parametrize("name", descriptions())


def test_the_text_of_the_cells_says_what_the_classes_say():
    assert descriptions() == {name: cell.described for name, cell in CELLS.items()}


@every_cell
def test_a_description_names_what_the_cell_has(name):
    described = descriptions()[name]
    cell = CELLS[name](3, 8)
    values = cell.gates(cell.project(torch.randn(2, 3)), cell.initial_state(2))
    assert {*described.gates, *described.states, "h"} <= set(values)
    assert {described.keep, described.write} - {None} <= set(described.gates)
    assert tuple(values[state].shape[1] for state in described.states) == cell.widths
    for gate, rows in cell.gate_rows.items():
        assert values[gate].shape == (2, rows.stop - rows.start)
    assert (cell.weight_hh is None) == (not described.recurrent)
    assert described.library is None or hasattr(torch.nn, described.library)


@every_cell
@pytest.mark.parametrize("second", [False, True])
def test_what_has_bounds_keeps_them(name, second):
    described = descriptions()[name]
    own = {key: one.second for key, one in described.options.items() if one.second is not None}
    given = own if second else {}
    cell = CELLS[name](3, 8, **given).double()
    x = 20 * torch.randn(30, 4, 3).double()
    seen = cell.look_inside(x, cell.initial_state(4))
    for gate in described.gates:
        lowest, highest = {
            "sigmoid": (0, 1),
            "tanh": (-1, 1),
            "log sigmoid": (-torch.inf, 0),
            "none": (-torch.inf, torch.inf),
        }[described.bounds(gate, given)]
        assert seen[gate].min() >= lowest
        assert seen[gate].max() <= highest


def test_an_option_that_several_cells_share_is_one():
    for name, own in OWN.items():
        assert all(c.options[name] == own for c in descriptions().values() if name in c.options)


def test_options_are_known_without_torch():
    code = (
        "import sys; from unrolled.recurrent.options import LayerOptions;"
        "LayerOptions(cell='lstm'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_option_of_a_cell_is_an_option_of_a_layer_with_its_description():
    for name, own in OWN.items():
        found = LayerOptions.model_fields[name]
        assert (found.default, found.description) == (own.default, own.description)


def test_shared_options_stand_in_capitals_above_the_cells_or_in_another_file():
    mine = """
PACE = Own(int, 2, "steps", limits={"ge": 1})

class Mine(Cell):
    described = Description(name="mine", gates={"h": Gate("tanh")}, options={"pace": PACE})
"""
    other = """
class Other(Cell):
    described = Description(name="other", gates={"h": Gate("tanh")}, options={"pace": PACE})
"""
    found = _read(ast.parse(other), ast.parse(mine))
    assert list(found) == ["other", "mine"]
    for name, described in found.items():
        assert described == Description(
            name=name,
            gates={"h": Gate("tanh")},
            options={"pace": Own(int, 2, "steps", limits={"ge": 1})},
        )
