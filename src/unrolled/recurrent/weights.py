"""The recurrent parameters of any module, ours or torch's: to find, to copy, to initialise."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from unrolled.recurrent.cells import Cell, GRUCell, LSTMCell, RNNCell


class Weights(NamedTuple):
    """The parameters of one layer and direction, by hand or torch's; None where there are none."""

    cell: type[Cell]
    weight_ih: Tensor
    weight_hh: Tensor | None
    bias_ih: Tensor
    bias_hh: Tensor | None

    @property
    def parameters(self) -> list[Tensor]:
        """Those that there are."""
        return [parameter for parameter in self[1:] if parameter is not None]

    @property
    def sizes(self) -> tuple[str, int, int]:
        """Name of the cell, F, H."""
        return self.cell.__name__, self.weight_ih.shape[1], self.hidden

    @property
    def hidden(self) -> int:
        """H."""
        return len(self.bias_ih) // len(self.cell.gate_names)


TORCH: dict[type[nn.Module], type[Cell]] = {
    nn.RNN: RNNCell,
    nn.LSTM: LSTMCell,
    nn.GRU: GRUCell,
    nn.RNNCell: RNNCell,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
}


def weights(module: nn.Module) -> list[Weights]:
    """Find the recurrent parameters in any module, layer by layer, forward before backward.

    The tensors are the parameters themselves, not copies.
    """
    found = []
    for part in module.modules():
        if isinstance(part, nn.RNNBase):
            found += [Weights(TORCH[type(part)], *four) for four in part.all_weights]
        elif isinstance(part, Cell | nn.RNNCellBase):
            kind = type(part) if isinstance(part, Cell) else TORCH[type(part)]
            found.append(Weights(kind, part.weight_ih, part.weight_hh, part.bias_ih, part.bias_hh))
    return found


@torch.no_grad()
def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy the recurrent parameters, from ours to torch's, back, or between equals.

    Args:
        source: cells or layers, ours or torch's, or a module that holds them.
        target: the same cells in the same order; changed in place.

    Raises:
        ValueError: the two do not hold the same cells of the same sizes.
    """
    ours, theirs = weights(source), weights(target)
    if [cell.sizes for cell in ours] != [cell.sizes for cell in theirs]:
        raise ValueError(
            f"weights of {[cell.sizes for cell in ours]} do not fit"
            f" {[cell.sizes for cell in theirs]}; expected the same cells (name, features, hidden),"
            " layers and directions on both sides"
        )
    for from_, to in zip(ours, theirs, strict=True):
        for value, parameter in zip(from_.parameters, to.parameters, strict=True):
            parameter.copy_(value)
