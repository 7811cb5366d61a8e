"""Recurrent cells by hand: one step of each network, beside its equations.

Axis letters: B batch, T time, F features, H hidden, G gates. Time-major `(T, B, F)`.

In the equations x is the input of this step, h (and c) the state before it, h' (and c') the state
after it; W are input weights, U recurrent weights, b biases; σ is the logistic function, ⊙ the
product by elements. Every cell has the parameters of torch's cell under torch's names and in
torch's order of gates, so a `state_dict` fits both:

    weight_ih (G * H, F)    all W, one under the other
    weight_hh (G * H, H)    all U
    bias_ih, bias_hh (G * H,)

torch has two biases that are added to each other. Only the GRU needs both (its U_n h + b_hn stands
inside a product); the others keep the second so that weights and their gradients can be copied
both ways, and add the two before the time loop, where they cost nothing.

A new cell is a module of this package, which is found here, and an entry of `variants.yml`.

All W x of a sequence are one matrix product before the loop, all U h of a step one inside it.

>>> import torch
>>> from unrolled.recurrent.cells.classic import LSTMCell
>>> cell = LSTMCell(features=3, hidden=5)
>>> x = torch.zeros(7, 2, 3)  # (T, B, F)
>>> outputs, (h, c) = cell.run(x, cell.initial_state(batch=2))
>>> outputs.shape, h.shape, list(cell.gates(cell.project(x[0]), (h, c)))
(torch.Size([7, 2, 5]), torch.Size([2, 5]), ['i', 'f', 'g', 'o', 'c', 'h'])
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from unrolled.recurrent.cells.base import CELLS, Cell, State, filled

__all__ = ["CELLS", "Cell", "State", "filled"]

for _found in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_found}")  # whose cells enter themselves in CELLS
