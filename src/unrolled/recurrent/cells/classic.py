"""Cells that torch has too: Elman's network, the LSTM and the GRU."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from unrolled.recurrent.cells.base import RecurrentCell, State
from unrolled.recurrent.description import Carried, Description, Gate, Own


class RNNCell(RecurrentCell):
    """Elman's network (Elman 1990, "Finding structure in time").

    h' = tanh(W x + U h + b)    hidden state
    h' = relu(W x + U h + b)    hidden state, `nonlinearity` relu: max(0, ·)
    """

    described = Description(
        name="rnn",
        gates={"h": Gate("tanh", second="none")},
        options={
            "nonlinearity": Own(
                Literal["tanh", "relu"], "tanh", "of the rnn cell", library=True, second="relu"
            )
        },
        library="RNN",
    )

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        (h,) = state
        activation = {"tanh": torch.tanh, "relu": torch.relu}[self.own["nonlinearity"]]
        return {"h": activation(torch.addmm(projected, h, self.weight_hh.t()))}


class LSTMCell(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    i  = σ(W_i x + U_i h + b_i)       input gate
    f  = σ(W_f x + U_f h + b_f)       forget gate: keeps the cell where it is 1
    g  = tanh(W_g x + U_g h + b_g)    candidate
    o  = σ(W_o x + U_o h + b_o)       output gate
    c' = f ⊙ c + i ⊙ g                cell state
    h' = o ⊙ tanh(c')                 hidden state
    """

    described = Description(
        name="lstm",
        gates={"i": Gate("sigmoid"), "f": Gate("sigmoid"), "g": Gate("tanh"), "o": Gate("sigmoid")},
        states={"h": Carried(), "c": Carried()},
        keep="f",
        write="i",
        library="LSTM",
    )

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        h, c = state
        i, f, g, o = torch.addmm(projected, h, self.weight_hh.t()).chunk(4, dim=1)  # (B, H) each
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = torch.addcmul(f * c, i, g)
        h = o * c.tanh()
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


class GRUCell(RecurrentCell):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), in two forms.

    r  = σ(W_r x + U_r h + b_r)                    reset gate
    z  = σ(W_z x + U_z h + b_z)                    update gate
    n  = tanh(W_n x + b_in + r ⊙ (U_n h + b_hn))   candidate, `reset_after` (torch, cuDNN)
    n  = tanh(W_n x + b_in + U_n (r ⊙ h) + b_hn)   candidate, reset before the product (Cho 2014)
    h' = (1 - z) ⊙ n + z ⊙ h                       hidden state

    Resetting after the product lets all U h be one product. The update gate has two conventions:
    here, as in Cho 2014, torch, cuDNN and Keras, z = 1 keeps the old state; in Chung et al. 2014
    (arXiv 1412.3555), as in minGRU, z = 1 takes the candidate. Since 1 - σ(a) = σ(-a), negating
    W_z, U_z and b_z turns one into the other.
    """

    described = Description(
        name="gru",
        gates={"r": Gate("sigmoid"), "z": Gate("sigmoid"), "n": Gate("tanh")},
        keep="z",
        options={
            "reset_after": Own(
                bool,
                True,
                "GRU: reset after the matrix product (torch); false: before (Cho 2014)",
                second=False,
                form="reset before the product",
            )
        },
        library="GRU",
    )

    def project(self, x: Tensor) -> Tensor:
        """W x + b_i of every step at once; b_h is added to U h, since b_hn belongs there."""
        return functional.linear(x, self.weight_ih, self.bias_ih)

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        (h,) = state
        weight, bias = self.weight_hh, self.bias_hh
        x_r, x_z, x_n = projected.chunk(3, dim=1)  # (B, H) each
        if self.own["reset_after"]:
            h_r, h_z, h_n = functional.linear(h, weight, bias).chunk(3, dim=1)
            r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
            n = torch.addcmul(x_n, r, h_n).tanh()
        else:
            gates = 2 * self.hidden
            h_r, h_z = functional.linear(h, weight[:gates], bias[:gates]).chunk(2, dim=1)
            r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
            n = (x_n + functional.linear(r * h, weight[gates:], bias[gates:])).tanh()
        return {"r": r, "z": z, "n": n, "h": torch.lerp(n, h, z)}
