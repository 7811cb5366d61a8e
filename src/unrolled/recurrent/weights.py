"""The recurrent parameters of any module, ours or torch's: to find, to copy, to initialise."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from unrolled.recurrent.cells import CELLS, Cell


class Weights(NamedTuple):
    """The parameters of one layer and direction, by hand or torch's; None where there are none."""

    cell: type[Cell]
    hidden: int
    rows: dict[str, slice]  # of each gate in the four that follow
    weight_ih: Tensor
    weight_hh: Tensor | None
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    others: tuple[Tensor, ...] = ()  # of this cell alone

    @property
    def parameters(self) -> list[Tensor]:
        """Those that there are."""
        return [*self.common, *self.others]

    @property
    def common(self) -> list[Tensor]:
        """Those that torch's cells have too."""
        four = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return [parameter for parameter in four if parameter is not None]

    @property
    def sizes(self) -> tuple[str, int, int]:
        """Name of the cell, F, H."""
        return self.cell.__name__, self.weight_ih.shape[1], self.hidden


TORCH: dict[type[nn.Module], type[Cell]] = {
    getattr(nn, f"{cell.described.library}{suffix}"): cell
    for cell in CELLS.values()
    for suffix in ("", "Cell")
    if cell.described.library
}
COMMON = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def weights(module: nn.Module) -> list[Weights]:
    """Find the recurrent parameters in any module, layer by layer, forward before backward.

    The tensors are the parameters themselves, not copies.
    """
    found = []
    for part in module.modules():
        if isinstance(part, Cell):
            four = (part.weight_ih, part.weight_hh, part.bias_ih, part.bias_hh)
            others = tuple(p for name, p in part.named_parameters() if name not in COMMON)
            found.append(Weights(type(part), part.hidden, part.gate_rows, *four, others))
        elif type(part) in TORCH:
            kind, hidden = TORCH[type(part)], cast("int", part.hidden_size)
            every = (
                part.all_weights
                if isinstance(part, nn.RNNBase)
                else [[getattr(part, name) for name in COMMON]]
            )
            rows = kind.described.rows(hidden, {})
            found += [Weights(kind, hidden, rows, *four) for four in every]
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
