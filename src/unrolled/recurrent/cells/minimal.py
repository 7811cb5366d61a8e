"""Cells whose gates read the input alone: the minimal GRU and LSTM, all steps at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unrolled.recurrent.cells.base import Cell, State
from unrolled.recurrent.cells.scan import scan
from unrolled.recurrent.description import Description, Gate


class MinCell(Cell):
    """A cell whose gates read the input alone, so that all its steps can run at once.

    Then h' = a ⊙ h + b, where a and b are known for every step before any state is, and `scan`
    finds all states in log2(T) rounds. One step at a time (`step`) gives the same numbers.

    The papers' candidate passes through `positive`, which lets them scan logarithms. We keep it,
    as it is part of the network, but scan the values themselves: logarithms lose digits as their
    sum grows (T = 1,000: 1e-4 against 3e-7 relative in float32), cannot start from a state of
    zero, and took ten times as long on a CPU.
    """

    def coefficients(self, gates: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Give a and b of h' = a ⊙ h + b from what `open_gates` returns."""
        raise NotImplementedError

    def open_gates(self, projected: Tensor) -> dict[str, Tensor]:
        """Gates that read the input alone, of one step (B, G * H) or of all (T, B, G * H)."""
        raise NotImplementedError

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        gates = self.open_gates(projected)
        a, b = self.coefficients(gates)
        return {**gates, "h": torch.addcmul(b, a, state[0])}

    def run(self, x: Tensor, state: State, real: Tensor | None = None) -> tuple[Tensor, State]:
        """Go through a sequence, all steps at once."""
        if len(x) == 1:  # as in streaming: a step needs no scan
            return super().run(x, state, real)
        a, b = self.coefficients(self.open_gates(self.project(x)))  # (T, B, H) each
        if real is not None:
            a, b = a.masked_fill(~real, 1), b.masked_fill(~real, 0)  # the state stands still
        outputs = scan(a, b, state[0])
        return outputs, (outputs[-1],)


class MinGRUCell(MinCell):
    """Minimal GRU (Feng et al. 2024, "Were RNNs all we needed?", arXiv 2410.01201, appendix B).

    z  = σ(W_z x + b_z)              update gate: takes the candidate where it is 1
    n  = positive(W_n x + b_n)       candidate
    h' = (1 - z) ⊙ h + z ⊙ n         hidden state
    """

    described = Description(
        name="min_gru",
        gates={"z": Gate("sigmoid"), "n": Gate("none")},
        write="z",
        recurrent=False,
    )

    def open_gates(self, projected: Tensor) -> dict[str, Tensor]:
        """Update gate z and candidate n."""
        z, n = projected.chunk(2, dim=-1)
        return {"z": z.sigmoid(), "n": positive(n)}

    def coefficients(self, gates: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Keep 1 - z, add z ⊙ n."""
        return 1 - gates["z"], gates["z"] * gates["n"]


class MinLSTMCell(MinCell):
    """Minimal LSTM (Feng et al. 2024, arXiv 2410.01201, appendix B), its gates made to sum to 1.

    i  = σ(W_i x + b_i)              input gate
    f  = σ(W_f x + b_f)              forget gate
    n  = positive(W_n x + b_n)       candidate
    h' = f / (f + i) ⊙ h + i / (f + i) ⊙ n   hidden state

    The gates returned are f / (f + i) and i / (f + i), which are σ(d) and σ(-d) of d = ln f - ln i:
    no division, so nothing overflows where both gates are shut.
    """

    described = Description(
        name="min_lstm",
        gates={"i": Gate("sigmoid"), "f": Gate("sigmoid"), "n": Gate("none")},
        keep="f",
        write="i",
        recurrent=False,
    )

    def open_gates(self, projected: Tensor) -> dict[str, Tensor]:
        """Gates i and f, normalised, and candidate n."""
        i, f, n = projected.chunk(3, dim=-1)
        difference = functional.logsigmoid(f) - functional.logsigmoid(i)
        return {"i": (-difference).sigmoid(), "f": difference.sigmoid(), "n": positive(n)}

    def coefficients(self, gates: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Keep f, add i ⊙ n."""
        return gates["f"], gates["i"] * gates["n"]


def positive(x: Tensor) -> Tensor:
    """Give x + 1/2 where x is at least 0, else σ(x): positive, continuous (arXiv 2410.01201)."""
    return torch.where(x >= 0, x + 0.5, x.sigmoid())
