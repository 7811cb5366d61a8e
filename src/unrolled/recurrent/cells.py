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

All W x of a sequence are one matrix product before the loop, all U h of a step one inside it.

>>> cell = LSTMCell(features=3, hidden=5)
>>> x = torch.zeros(7, 2, 3)  # (T, B, F)
>>> outputs, (h, c) = cell.run(x, cell.initial_state(batch=2))
>>> outputs.shape, h.shape, list(cell.gates(cell.project(x[0]), (h, c)))
(torch.Size([7, 2, 5]), torch.Size([2, 5]), ['i', 'f', 'g', 'o', 'c', 'h'])
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.recurrent.description import Carried, Description, Gate, Own

State = tuple[Tensor, ...]

CELLS: dict[str, type[Cell]] = {}  # by name; a class enters itself


class Cell(nn.Module):
    """What all cells share; a cell adds its equations as `gates`, and its description.

    `described` is read from this file's text too (see `description`), so it is a call of
    `Description` with nothing in it but values, and options named in capitals further up.
    """

    described: ClassVar[Description]
    gate_names: ClassVar[tuple[str, ...]]
    state_names: ClassVar[tuple[str, ...]]

    weight_hh: nn.Parameter | None
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    def __init_subclass__(cls) -> None:
        """Enter the cell in the table."""
        super().__init_subclass__()
        if "described" in vars(cls):
            cls.gate_names, cls.state_names = (
                tuple(cls.described.gates),
                tuple(cls.described.states),
            )
            CELLS[cls.described.name] = cls

    def __init__(self, features: int, hidden: int, **own: Any) -> None:
        """Make the parameters, drawn from U(-1 / sqrt(H), 1 / sqrt(H)) in torch's order.

        Args:
            features: F, inputs a step.
            hidden: H, units of the output.
            own: options of this cell.
        """
        super().__init__()
        described = self.described
        if unknown := own.keys() - described.options.keys():
            raise TypeError(f"{described.name} has no {', '.join(unknown)}")
        self.features, self.hidden, self.own = features, hidden, described.own(own)
        self.widths = tuple(described.widths(hidden, own).values())
        self.gate_rows = described.rows(hidden, own)
        rows = max(part.stop for part in self.gate_rows.values())
        self.weight_ih = nn.Parameter(torch.empty(rows, features))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden)) if described.recurrent else None
        self.bias_ih = nn.Parameter(torch.empty(rows)) if described.bias else None
        self.bias_hh = (
            nn.Parameter(torch.empty(rows)) if described.bias and described.recurrent else None
        )
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def project(self, x: Tensor) -> Tensor:
        """W x + b of every step at once: (T, B, F) or (B, F) -> (T, B, G * H) or (B, G * H)."""
        return functional.linear(x, self.weight_ih, self.bias_ih)

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step: every gate, the new state and the output h, by their names in the equations.

        Args:
            projected: W x + b of this step, (B, G * H).
            state: h, or h and c, each (B, H); see `described.states`.
        """
        raise NotImplementedError

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """One step from the projected input (B, G * H) and the state: the output h', the state."""
        values = self.gates(projected, state)
        return values["h"], tuple(values[name] for name in self.state_names)

    def forward(self, x: Tensor, state: State | None = None) -> State:
        """One step from the input (B, F) itself to the state."""
        return self.step(self.project(x), state or self.initial_state(len(x)))[1]

    def run(self, x: Tensor, state: State, real: Tensor | None = None) -> tuple[Tensor, State]:
        """Go through a sequence.

        Args:
            x: (T, B, F).
            state: each (B, H).
            real: bool (T, B, 1), False on padding, where the state stands still; None: all real.

        Returns:
            h' after every step (T, B, H), anything finite on padding; the state after the last.
        """
        outputs = []
        # Autocast makes bfloat16 of the product alone: gates stay of the state's type, as lerp asks.
        inputs = self.project(x).type_as(state[0])
        # unbind, not inputs[t]: the gradient of each index would be a whole sequence of zeros.
        for t, projected in enumerate(inputs.unbind(0)):
            output, after = self.step(projected, state)
            if real is not None:
                after = tuple(torch.where(real[t], a, s) for a, s in zip(after, state, strict=True))
            state = after
            outputs.append(state[0] if self.state_names[0] == "h" else output)
        return torch.stack(outputs), state

    def look_inside(self, x: Tensor, state: State) -> dict[str, Tensor]:
        """Every gate and state over a sequence (T, B, F), by its name: each (T, B, H).

        A state of more numbers than units, as a matrix is, is left out.
        """
        steps = []
        for projected in self.project(x).unbind(0):
            values = self.gates(projected, state)
            state = tuple(values[name] for name in self.state_names)
            steps.append({n: v for n, v in values.items() if v.shape[-1] <= self.hidden})
        return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}

    def initial_state(self, batch: int) -> State:
        """The state before a sequence, each (B, H): mostly zeros."""
        states = zip(self.described.states.values(), self.widths, strict=True)
        return tuple(filled(self.weight_ih, s.start, batch, width) for s, width in states)

    def extra_repr(self) -> str:
        """Say the sizes when printed."""
        return f"features={self.features}, hidden={self.hidden}"


def filled(like: Tensor, value: float, *shape: int) -> Tensor:
    """A value everywhere; zeros as such, which an exported graph need not even hold."""
    return like.new_full(shape, value) if value else like.new_zeros(shape)


class RecurrentCell(Cell):
    """A cell whose gates read h, through U and the second bias."""

    weight_hh: nn.Parameter
    bias_ih: nn.Parameter
    bias_hh: nn.Parameter

    def project(self, x: Tensor) -> Tensor:
        """W x + b of every step at once, with both biases."""
        return functional.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)


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


class LRUCell(Cell):
    """Linear recurrent unit (Orvieto et al. 2023, arXiv 2303.06349), its output gated.

    r' = A r - E s + W_r x     memory's real part
    s' = E r + A s + W_s x     its imaginary part
    y  = P r' - Q s' + W_y x   readout
    h  = y ⊙ σ(G y + b)        hidden state
    h  = y                     hidden state, `gated` false: the unit alone, which is linear

    A complex number is a pair of reals, since exported graphs know no other. A + iE is diagonal,
    λ = exp(-exp(ν) + i exp(θ)), so |λ| < 1 whatever is learned. W_r + iW_s is the paper's γ ⊙ B,
    γ at first sqrt(1 - |λ|²), which keeps r and s of the inputs' size; P + iQ is its C, W_y its D.
    The gate is that of the paper's blocks (GLU, Dauphin et al. 2017, arXiv 1612.08083).
    """

    described = Description(
        name="lru",
        gates={"r": Gate("none"), "s": Gate("none"), "y": Gate("none")},
        states={"r": Carried(), "s": Carried()},
        options={
            "gated": Own(
                bool,
                True,
                "LRU: a gate on its output; false: a linear unit",
                second=False,
                form="without a gate",
            ),
            "inner_radius": Own(
                float,
                0.0,
                "LRU: least |λ| at first; near 1: long memories",
                limits={"ge": 0, "lt": 1},
            ),
            "largest_phase": Own(
                float,
                6.283185307179586,
                "LRU: largest angle of λ at first, radians a step; small: slow waves alone",
                limits={"gt": 0, "le": 6.283185307179586},
            ),
        },
        recurrent=False,
        bias=False,
    )

    def __init__(self, features: int, hidden: int, **own: Any) -> None:
        """Make the parameters, drawn as in the paper: λ uniform on a ring."""
        super().__init__(features, hidden, **own)
        nn.init.normal_(self.weight_ih, std=(2 * features) ** -0.5)
        squared = torch.empty(hidden).uniform_(self.own["inner_radius"] ** 2, 1)  # |λ|²
        angle = torch.empty(hidden).uniform_(0, self.own["largest_phase"])
        # 1 would have no logarithm below, 0 none above.
        squared, angle = squared.clamp(1e-6, 1 - 1e-6), angle.clamp(min=1e-6)
        self.log_decay = nn.Parameter((-0.5 * squared.log()).log())  # ν
        self.log_angle = nn.Parameter(angle.log())  # θ
        self.log_scale = nn.Parameter(0.5 * torch.log1p(-squared))  # ln γ
        self.weight_hy = nn.Parameter(torch.randn(hidden, 2 * hidden) * hidden**-0.5)  # P and -Q
        self.gate = nn.Linear(hidden, hidden) if self.own["gated"] else None

    def project(self, x: Tensor) -> Tensor:
        """W x of every step at once."""
        r, s, y = functional.linear(x, self.weight_ih).chunk(3, dim=-1)
        scale = self.log_scale.exp()
        return torch.cat([scale * r, scale * s, y], dim=-1)

    def eigenvalues(self) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of λ, each (H,)."""
        size, angle = self.log_decay.exp().neg().exp(), self.log_angle.exp()
        return size * angle.cos(), size * angle.sin()

    def read(self, r: Tensor, s: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Readout and output from the memory after a step, or after all, and W_y x."""
        y = y + functional.linear(torch.cat([r, s], dim=-1), self.weight_hy)
        return {"y": y, "h": y if self.gate is None else y * self.gate(y).sigmoid()}

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """One step."""
        (r, s), (a, e) = state, self.eigenvalues()
        x_r, x_s, x_y = projected.chunk(3, dim=-1)
        r, s = a * r - e * s + x_r, e * r + a * s + x_s
        return {"r": r, "s": s, **self.read(r, s, x_y)}

    def run(self, x: Tensor, state: State, real: Tensor | None = None) -> tuple[Tensor, State]:
        """Go through a sequence, all steps at once."""
        if len(x) == 1:  # as in streaming: a step needs no scan
            return super().run(x, state, real)
        x_r, x_s, x_y = self.project(x).type_as(state[0]).chunk(3, dim=-1)
        b = torch.stack([x_r, x_s], dim=1)  # (T, 2, B, H)
        a = torch.stack(self.eigenvalues())[:, None].expand_as(b)
        if real is not None:
            still = torch.tensor([1.0, 0.0]).to(b)[:, None, None]  # times 1: the state stands still
            a, b = torch.where(real[:, None], a, still), b.masked_fill(~real[:, None], 0)
        r, s = scan(a, b, torch.stack(state)).unbind(1)
        return self.read(r, s, x_y)["h"], (r[-1], s[-1])


def positive(x: Tensor) -> Tensor:
    """Give x + 1/2 where x is at least 0, else σ(x): positive, continuous (arXiv 2410.01201)."""
    return torch.where(x >= 0, x + 0.5, x.sigmoid())


def scan(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """All states of h_t = a_t ⊙ h_{t-1} + b_t at once.

    Args:
        a: (T, B, H); of complex numbers real and imaginary part (T, 2, B, H), and so below.
        b: (T, B, H).
        h: the state before the first step, (B, H).

    Returns:
        (T, B, H).
    """
    return cast("Tensor", _Scan.apply(a, b, h))  # type: ignore[no-untyped-call]


class _Scan(torch.autograd.Function):
    """The gradient of a linear recurrence is one too, backwards in time: another scan.

    g_t = dL/dh_t + a_{t+1} ⊙ g_{t+1};    dL/da_t = g_t ⊙ h_{t-1};    dL/db_t = g_t

    Of complex numbers with a and h conjugate, g = dL/dr + i dL/ds of h = r + is.
    So no round of the scan has to be kept for the gradient.
    """

    @staticmethod
    def forward(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
        first = _plus_times(b[:1], a[:1], h[None])  # the given state, taken into the first step
        return _all_states(a, torch.cat([first, b[1:]]))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ANN401
        a, _, h = inputs
        ctx.save_for_backward(a, h, output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
        a, h, states = ctx.saved_tensors
        reverse = torch.cat([torch.zeros_like(a[:1]), _conjugate(a[1:]).flip(0)])
        g = scan(reverse, gradients[0].flip(0), torch.zeros_like(h)).flip(0)
        before = _conjugate(torch.cat([h[None], states[:-1]]))
        return _times(g, before), g, _times(_conjugate(a[:1]), g[:1])[0]


def _all_states(a: Tensor, b: Tensor) -> Tensor:
    """States from zero by odd-even reduction (Blelloch 1990): O(T) work, O(log T) rounds."""
    steps = len(b)
    if steps == 1:
        return b
    even, odd = slice(0, steps - 1, 2), slice(1, None, 2)
    # Two steps in a row are one: a_2 (a_1 h + b_1) + b_2.
    at_odd = _all_states(_times(a[even], a[odd]), _plus_times(b[odd], a[odd], b[even]))
    states = torch.empty_like(b)
    states[0] = b[0]
    states[odd] = at_odd
    states[2::2] = _plus_times(b[2::2], a[2::2], at_odd[: (steps - 1) // 2])
    return states


def _times(a: Tensor, b: Tensor) -> Tensor:
    """Product of reals (T, B, H) or of complex numbers as pairs (T, 2, B, H)."""
    if a.dim() == 3:
        return a * b
    (a_r, a_s), (b_r, b_s) = a.unbind(1), b.unbind(1)
    return torch.stack([a_r * b_r - a_s * b_s, a_r * b_s + a_s * b_r], dim=1)


def _plus_times(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Sum of x and a ⊙ b."""
    return torch.addcmul(x, a, b) if a.dim() == 3 else x + _times(a, b)


def _conjugate(a: Tensor) -> Tensor:
    return a if a.dim() == 3 else torch.stack([a[:, 0], -a[:, 1]], dim=1)
