"""First weights of recurrent cells and layers, ours and torch's alike.

Each function changes the recurrent parameters that it finds in a module, in place, and returns
nothing. They differ most in the recurrent weights U: a gradient carried back k steps is multiplied
k times by U's transpose and by the activation's slope, so U's size decides whether it vanishes.

H is the number of hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from unrolled.recurrent.weights import Weights, weights


def default(module: nn.Module) -> None:
    """torch's: all that torch's cells have from U(-1 / sqrt(H), 1 / sqrt(H)).

    U's spectral radius is then about 1 / sqrt(3): a tanh network forgets from the first step on.
    """
    for cell in weights(module):
        bound = cell.hidden**-0.5
        for parameter in cell.common:
            nn.init.uniform_(parameter, -bound, bound)


def orthogonal(module: nn.Module) -> None:
    """Each gate's U is orthogonal (Saxe et al. 2014, arXiv 1312.6120); the rest stays.

    Raises:
        ValueError: the cell has no recurrent weights.
    """
    for block in _recurrent_blocks(module):
        nn.init.orthogonal_(block)


def identity(module: nn.Module) -> None:
    """Each gate's U is the identity, biases are 0; the input weights stay.

    With relu this is the IRNN of Le et al. 2015 (arXiv 1504.00941): at first it adds its inputs up.

    Raises:
        ValueError: the cell has no recurrent weights.
    """
    for block in _recurrent_blocks(module):
        nn.init.eye_(block)
    _zero_biases(module)


def normal(module: nn.Module) -> None:
    """Weights from N(0, 1 / H), biases 0: U's spectral radius is about 1."""
    for cell in weights(module):
        _normal(cell, cell.hidden**-0.5)
    _zero_biases(module)


def unscaled_normal(module: nn.Module) -> None:
    """Weights from N(0, 1), biases 0: the mistake of many tutorials, kept to show it.

    U's spectral radius is about sqrt(H): gates saturate, losses start far above chance, and
    gradients explode.
    """
    for cell in weights(module):
        _normal(cell, 1.0)
    _zero_biases(module)


INITS: dict[str, Callable[[nn.Module], None]] = {
    "default": default,
    "orthogonal": orthogonal,
    "identity": identity,
    "normal": normal,
    "unscaled_normal": unscaled_normal,
}


@torch.no_grad()
def forget_bias(
    module: nn.Module, value: float | Literal["chrono"], longest_lag: int | None = None
) -> None:
    """Set the bias of the gate that keeps the state.

    That is the forget gate of (min)LSTM and the update gate of (min)GRU, the last with the sign
    turned since its open gate overwrites. Of torch's two additive biases one gets the value and
    the other 0, so that their sum is the value; setting both would double it.

    Args:
        module: holds cells or layers; changed in place.
        value: the bias; 1 is advised by Jozefowicz et al. 2015. "chrono" (Tallec and Ollivier 2018,
            arXiv 1804.11188, equation 16) draws ln u, u uniform in [1, longest_lag - 1], for each
            unit, so that its memory spans about u steps, and closes the writing gate by as much.
        longest_lag: T_max of chrono, steps.

    Raises:
        ValueError: the cell has no such gate, or chrono has no longest lag.
    """
    for cell in weights(module):
        keep, write = cell.cell.described.keep, cell.cell.described.write
        if keep is None and write is None:
            raise ValueError(
                f"{cell.cell.__name__} has no gate that keeps its state; a forget bias needs a"
                " cell that has one, as an LSTM or a GRU"
            )
        if value == "chrono" and longest_lag is None:
            raise ValueError("forget bias chrono needs longest_lag, the steps to remember; set it")
        rows = cell.rows[keep or write or ""]
        bias = cell.weight_ih.new_empty(rows.stop - rows.start)
        if value == "chrono":
            bias.uniform_(1, (longest_lag or 0) - 1).log_()
        else:
            bias.fill_(value)
        if keep is not None:
            _set_bias(cell, keep, bias)
        if write is not None and (keep is None or value == "chrono"):
            _set_bias(cell, write, -bias)


def _set_bias(cell: Weights, gate: str, value: Tensor) -> None:
    for bias, given in ((cell.bias_ih, value), (cell.bias_hh, 0)):
        if bias is not None:
            bias[cell.rows[gate]] = given


def _normal(cell: Weights, std: float) -> None:
    for weight in (cell.weight_ih, cell.weight_hh):
        if weight is not None:
            nn.init.normal_(weight, std=std)


def _zero_biases(module: nn.Module) -> None:
    for cell in weights(module):
        for bias in (cell.bias_ih, cell.bias_hh):
            if bias is not None:
                nn.init.zeros_(bias)


def _recurrent_blocks(module: nn.Module) -> list[Tensor]:
    """U of each gate (H, H), as views of the parameters."""
    blocks: list[Tensor] = []
    for cell in weights(module):
        if cell.weight_hh is None:
            raise ValueError(
                f"{cell.cell.__name__} has no recurrent weights to initialise; choose default,"
                " normal or unscaled_normal"
            )
        blocks += [cell.weight_hh.detach()[rows] for rows in cell.rows.values()]
    return blocks
