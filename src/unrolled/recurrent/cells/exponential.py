"""Cells with exponential gates: those of xLSTM, of which one has a matrix for its memory."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from unrolled.recurrent.cells.base import Cell, RecurrentCell, State
from unrolled.recurrent.description import Carried, Description, Gate, Own

FORGET_GATE = Own(
    Literal["sigmoid", "exp"],
    "sigmoid",
    "forget gate of slstm and mlstm; exp has no bounds, as their input gates",
    second="exp",
    form="exponential forget gate",
)


class SLSTMCell(RecurrentCell):
    """LSTM with exponential gates (xLSTM's sLSTM, Beck et al. 2024, arXiv 2405.04517).

    i  = W_i x + U_i h + b_i             ln of the input gate, which is an exponential
    f  = logσ(W_f x + U_f h + b_f)       ln of the forget gate
    f  = W_f x + U_f h + b_f             ln of the forget gate, `forget_gate` exp
    z  = tanh(W_z x + U_z h + b_z)       candidate
    o  = σ(W_o x + U_o h + b_o)          output gate
    m' = max(f + m, i)                   stabiliser: c and n are kept divided by its exponential
    a  = exp(f + m - m')                 share kept
    u  = exp(i - m')                     share written
    c' = a ⊙ c + u ⊙ z                   cell state
    n' = a ⊙ n + u                       normaliser, the sum of what was written
    h' = o ⊙ c' / n'                     hidden state

    U is dense: one head of the paper's blocks. Before a sequence m is as good as minus infinity, so
    that the first candidate is written whole and n is 1 or more ever after.
    """

    described = Description(
        name="slstm",
        gates={
            "i": Gate("none"),
            "f": Gate("log sigmoid", second="none"),
            "z": Gate("tanh"),
            "o": Gate("sigmoid"),
        },
        states={
            "h": Carried(),
            "c": Carried(learned=False),
            "n": Carried(learned=False, scales=True),
            "m": Carried(start=-1e30, learned=False, scales=True),
        },
        keep="f",
        write="i",
        options={"forget_gate": FORGET_GATE},
    )

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        h, c, n, m = state
        i, f, z, o = torch.addmm(projected, h, self.weight_hh.t()).chunk(4, dim=1)  # (B, H) each
        if self.own["forget_gate"] == "sigmoid":
            f = functional.logsigmoid(f)
        z, o = z.tanh(), o.sigmoid()
        after = torch.maximum(f + m, i)
        a, u = (f + m - after).exp(), (i - after).exp()
        c = torch.addcmul(a * c, u, z)
        n = torch.addcmul(u, a, n)
        h = o * c / n
        return {"i": i, "f": f, "z": z, "o": o, "m": after, "a": a, "u": u, "c": c, "n": n, "h": h}


CELL_HEADS = Own(
    int,
    1,
    "mlstm: heads, each with a matrix of its own",
    limits={"ge": 1},
    divides_hidden=True,
)
CHUNK = 64  # steps of an mLSTM at once: the work grows with its square, rounds with its inverse


class MLSTMCell(Cell):
    """LSTM with a matrix for its memory (xLSTM's mLSTM, Beck et al. 2024, arXiv 2405.04517).

    q  = W_q x + b_q                   query
    k  = W_k x + b_k                   key, divided by the root of its length
    v  = W_v x + b_v                   value
    o  = σ(W_o x + b_o)                output gate
    i  = W_i x + b_i                   ln of the input gate, which is an exponential
    f  = logσ(W_f x + b_f)             ln of the forget gate
    f  = W_f x + b_f                   ln of the forget gate, `forget_gate` exp
    m' = max(f + m, i)                 stabiliser: c and n are kept divided by its exponential
    a  = exp(f + m - m')               share kept
    u  = exp(i - m')                   share written
    c' = a ⊙ c + u ⊙ (v ⊗ k)           memory, a matrix
    n' = a ⊙ n + u ⊙ k                 normaliser
    y  = c' · q                        what the query finds
    r  = max(abs(n' · q), 1 / exp(m'))   its size, at least that of one key
    h  = o ⊙ y / r                     hidden state

    All of it happens in each of the heads apart, with one i, f and m a head. No gate reads h, so a
    chunk of steps is computed at once: what a query finds of each earlier step in it by products of
    queries and keys, as in attention, and what it finds of all before the chunk in c.
    """

    described = Description(
        name="mlstm",
        gates={
            "q": Gate("none"),
            "k": Gate("none"),
            "v": Gate("none"),
            "o": Gate("sigmoid"),
            "i": Gate("none", size="cell_heads"),
            "f": Gate("log sigmoid", second="none", size="cell_heads"),
        },
        states={
            "c": Carried(("cell_heads", "hidden / cell_heads", "hidden / cell_heads")),
            "n": Carried(scales=True),
            "m": Carried(("cell_heads",), scales=True),
        },
        keep="f",
        write="i",
        options={"forget_gate": FORGET_GATE, "cell_heads": CELL_HEADS},
        recurrent=False,
    )

    def open_gates(self, projected: Tensor) -> tuple[Tensor, ...]:
        """Everything that reads x alone, of one step or of all: q, k, v, o (..., H), i, f (..., N)."""
        heads = self.own["cell_heads"]
        vectors, scalars = projected.split([4 * self.hidden, 2 * heads], dim=-1)
        q, k, v, o = vectors.chunk(4, dim=-1)
        i, f = scalars.chunk(2, dim=-1)
        if self.own["forget_gate"] == "sigmoid":
            f = functional.logsigmoid(f)
        return q, k * (heads / self.hidden) ** 0.5, v, o.sigmoid(), i, f

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        q, k, v, o, i, f = self.open_gates(projected)
        heads = self.own["cell_heads"]
        size = self.hidden // heads
        # With N heads of d units: (B, N, d, 1) and (B, N, 1, d), c (B, N, d, d).
        queries, values = q.unflatten(1, (heads, size, 1)), v.unflatten(1, (heads, size, 1))
        keys = k.unflatten(1, (heads, 1, size))
        c, n = state[0].unflatten(1, (heads, size, size)), state[1].unflatten(1, (heads, 1, size))
        m = torch.maximum(f + state[2], i)  # (B, N)
        a, u = (f + state[2] - m).exp(), (i - m).exp()
        kept, written = a.unflatten(1, (heads, 1, 1)), u.unflatten(1, (heads, 1, 1))
        c = torch.addcmul(kept * c, written * values, keys).flatten(1)
        n = torch.addcmul(kept * n, written, keys).flatten(1)
        y = c.unflatten(1, (heads, size, size)) @ queries  # (B, N, d, 1)
        r = (n.unflatten(1, (heads, 1, size)) @ queries).flatten(1).abs()
        r = torch.maximum(r, _least(m))  # (B, N)
        h = o * (y / r.unflatten(1, (heads, 1, 1))).flatten(1)
        return {
            "q": q,
            "k": k,
            "v": v,
            "o": o,
            "i": i,
            "f": f,
            "m": m,
            "a": a,
            "u": u,
            "c": c,
            "n": n,
            "y": y.flatten(1),
            "r": r,
            "h": h,
        }

    def run(self, x: Tensor, state: State, real: Tensor | None = None) -> tuple[Tensor, State]:
        """Go through a sequence, a chunk of steps at once."""
        if len(x) == 1:  # as in streaming
            return super().run(x, state, real)
        outputs = []
        inputs, device = self.project(x).type_as(state[0]), x.device.type
        halved = torch.is_autocast_enabled(device)
        # What is added to the memory lasts, and so would the digits that half precision cuts off it.
        with torch.autocast(device, enabled=False) if halved else nullcontext():
            for start in range(0, len(x), CHUNK):
                steps = slice(start, start + CHUNK)
                some = None if real is None else real[steps]
                output, state = self._run_at_once(inputs[steps], state, some)
                outputs.append(output)
        return torch.cat(outputs), state

    def _run_at_once(
        self, projected: Tensor, state: State, real: Tensor | None
    ) -> tuple[Tensor, State]:
        """The stabilised parallel form of the paper's appendix, from any state.

        Step t finds of step s what f has left of it: D_ts = f_{s+1} + ... + f_t + i_s, the
        logarithm of its weight. Letters: N heads, d units of a head, S steps that are read.
        """
        (steps, batch, _), heads = projected.shape, self.own["cell_heads"]
        q, k, v, o, i, f = self.open_gates(projected)
        if real is not None:  # nothing is forgotten, nothing written
            f, i = f.masked_fill(~real, 0), i.masked_fill(~real, -torch.inf)
        # (B, N, T, d) and (B, N, T)
        q, k, v = (z.unflatten(2, (heads, -1)).permute(1, 2, 0, 3) for z in (q, k, v))
        i, f = i.permute(1, 2, 0), f.permute(1, 2, 0)
        c, n, m = state
        c, n = c.view(batch, heads, -1, q.shape[3]), n.view(batch, heads, -1, 1)
        past = torch.ones(
            steps, steps, dtype=torch.bool, device=projected.device
        ).tril()  # (T, S): s <= t
        # Summed between s and t, not as a difference of sums from the start, which loses digits.
        between = f[..., None].expand(-1, -1, -1, steps).masked_fill(~past.tril(-1), 0).cumsum(2)
        within = (between + i[:, :, None]).masked_fill(~past, -torch.inf)  # D, (B, N, T, S)
        before = f.cumsum(2) + m[..., None]
        m = torch.maximum(before, within.amax(3))  # (B, N, T)
        kept, weights = (before - m).exp(), (within - m[..., None]).exp()
        scores = weights * (q @ k.transpose(2, 3))
        y = kept[..., None] * (q @ c.transpose(2, 3)) + scores @ v  # (B, N, T, d)
        sizes = kept * (q @ n).squeeze(3) + scores.sum(3)
        h = y / torch.maximum(sizes.abs(), _least(m))[..., None]
        written = weights[:, :, -1, :, None] * k  # (B, N, S, d)
        last = kept[:, :, -1:, None]
        c = last * c + v.transpose(2, 3) @ written
        n = last * n + written.sum(2)[..., None]
        return (
            o * h.permute(2, 0, 1, 3).flatten(2),
            (c.flatten(1), n.flatten(1), m[:, :, -1]),
        )


def _least(m: Tensor) -> Tensor:
    """1 / exp(m), but no further from 1 than e^40: beyond float32 there would be 0 / 0 and 0 * inf."""
    return (-m).clamp(-40.0, 40.0).exp()
