"""How much of the loss's gradient reaches each earlier step, and why.

Axis letters: B batch, T time, F features, H hidden, L layers, D directions. Lag k of a sequence is
step T - 1 - k: lag 0 is the last. Gradients are those of a loss on the last step alone; a loss on
every step would hide the decay behind its own local terms.

Long lags need float64 (`layer.double()`): float32 ends at 1e-45, which a tanh network reaches
within 200 steps.

>>> from unrolled.recurrent.options import LayerOptions
>>> _ = torch.manual_seed(0)
>>> layer = Recurrent(LayerOptions(cell="rnn", hidden=64), features=1).double()
>>> x = 0.1 * torch.randn(101, 8, 1, dtype=torch.float64)
>>> curve = flow(state_gradients(layer, x, lambda outputs: outputs[-1].sum())["h"])
>>> effective_memory(curve), f"{curve.gradient_norm[50]:.0e}"
(10, '5e-11')
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from unrolled.recurrent.cells import Cell, State
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.weights import weights

CLOSED, OPEN = 0.05, 0.95


def state_gradients(
    layer: Recurrent, x: Tensor, loss: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Gradient of a loss on the state after every step.

    torch's layers hide their states, so a copy with cells by hand is run, without dropout.

    Args:
        layer: unchanged.
        x: (T, B, F), of the layer's dtype.
        loss: maps the outputs (T, B, H * D) to a scalar; to see the decay, from the last step alone.

    Returns:
        dL/dh, and of the LSTM dL/dc, each (T, B, L * D * H) in time's order; what c does to the loss
        through h of the same step counts for c. The first state of the first layer's cell comes
        first: see `carried`.
    """
    copy = layer.by_hand().eval()
    cells = [cell for cell in copy.modules() if isinstance(cell, Cell)]
    traces = [_keep_states(cell) for cell in cells]
    value = loss(copy(x)[0])
    states = [tensor for trace in traces for state in trace for tensor in state]
    gradients = iter(torch.autograd.grad(value, states, materialize_grads=True))
    found: dict[str, list[Tensor]] = {}
    for number, (cell, trace) in enumerate(zip(cells, traces, strict=True)):
        steps = [[next(gradients) for _ in state] for state in trace]
        for name, own in zip(cell.state_names, zip(*steps, strict=True), strict=True):
            if name not in cell.described.memories:
                continue
            part = torch.stack(own)  # (T, B, H)
            backward = layer.options.bidirectional and number % 2
            found.setdefault(name, []).append(part.flip(0) if backward else part)
    return {name: torch.cat(parts, dim=2) for name, parts in found.items()}


def carried(gradients: dict[str, Tensor]) -> Tensor:
    """Of `state_gradients` those on the state that is followed, a cell's first: h, or its memory."""
    return next(iter(gradients.values()))


def flow(gradients: Tensor) -> pd.DataFrame:
    """Norm of the gradient by lag.

    Args:
        gradients: (T, B, units), as `state_gradients` gives them.

    Returns:
        `lag` from 0 to T - 1 and `gradient_norm`, the L2 norm over batch and units relative to that
        of lag 0.
    """
    norms = torch.linalg.vector_norm(gradients, dim=(1, 2)).flip(0)
    return pd.DataFrame(
        {"lag": np.arange(len(norms)), "gradient_norm": (norms / norms[0]).double().numpy()}
    )


def labelled(
    curve: pd.DataFrame, *, variant: str, init: str, trained: bool, seed: int
) -> pd.DataFrame:
    """Say of which network a flow is.

    Returns:
        `variant, init, trained, seed`, then the columns of `curve`.
    """
    frame = curve.assign(variant=variant, init=init, trained=trained, seed=seed)
    return frame[["variant", "init", "trained", "seed", *curve.columns]]


def probe(layer: Recurrent, x: Tensor) -> pd.DataFrame:
    """Flow of a loss without a task: the last output, projected on a direction drawn at random.

    Args:
        layer: unchanged.
        x: (T, B, F).

    Returns:
        As `flow`, of the state that `carried` names.
    """
    direction = torch.randn(x.shape[1], layer.options.outputs).to(x)  # (B, H * D)
    gradients = state_gradients(layer, x, lambda outputs: (outputs[-1] * direction).sum())
    return flow(carried(gradients))


def effective_memory(curve: pd.DataFrame, threshold: float = 0.01) -> int:
    """Steps that the gradient goes back before it is lost.

    Args:
        curve: `lag` and `gradient_norm`, of one network.
        threshold: the share of the norm at lag 0 below which it is lost.

    Returns:
        The first lag below the threshold; T, which is no lag, where there is none.
    """
    lost = curve.loc[curve["gradient_norm"] < threshold, "lag"]
    return int(lost.min()) if len(lost) else len(curve)


def heat_map(gradients: Tensor) -> pd.DataFrame:
    """Gradient of every unit at every lag.

    Args:
        gradients: (T, B, units).

    Returns:
        `unit`, `lag`, and `log10_gradient`, the logarithm of the root mean square over the batch
        relative to that of all units at lag 0.
    """
    squares = gradients.square().mean(1).flip(0)  # (T, units)
    logs = squares.log10() / 2 - squares[0].mean().log10() / 2
    steps, units = logs.shape
    return pd.DataFrame(
        {
            "unit": np.tile(np.arange(units), steps),
            "lag": np.repeat(np.arange(steps), units),
            "log10_gradient": logs.flatten().double().numpy(),
        }
    )


def spectrum(layer: Recurrent) -> pd.DataFrame:
    """Eigenvalues of the recurrent weights U of every gate.

    Returns:
        `block` (layer and direction, in the state's order), `gate`, `real`, `imaginary`, `modulus`;
        no rows for cells without recurrent weights.
    """
    frames = []
    for number, found in enumerate(weights(layer)):
        if found.weight_hh is None:
            continue
        for gate, rows in found.rows.items():
            values = torch.linalg.eigvals(found.weight_hh.detach()[rows].double()).numpy()
            frames.append(
                pd.DataFrame(
                    {
                        "block": number,
                        "gate": gate,
                        "real": values.real,
                        "imaginary": values.imag,
                        "modulus": np.abs(values),
                    }
                )
            )
    columns = ["block", "gate", "real", "imaginary", "modulus"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def step_singular_values(layer: Recurrent, x: Tensor, steps: list[int]) -> pd.DataFrame:
    """Singular values of the Jacobian of one step, from the whole state to the whole state.

    Above 1 a direction of the gradient grows on its way through the step, below 1 it shrinks.

    Args:
        layer: in one direction.
        x: (T, B, F); the first sequence is read.
        steps: the steps, from 0, to look at.

    Returns:
        `step`, `rank` from 0, `singular_value`, largest first.
    """
    copy = layer.by_hand().eval()
    sequence = x[:, :1]
    frames = []
    for step in steps:
        with torch.no_grad():
            state = copy.initial_state(1) if step == 0 else copy(sequence[:step])[1]

        def after(flat: Tensor, step: int = step, state: State = state) -> Tensor:
            parts = flat.split([tensor.numel() for tensor in state])
            start = tuple(part.view_as(like) for part, like in zip(parts, state, strict=True))
            return _flat(copy(sequence[step : step + 1], start)[1])

        jacobian = torch.autograd.functional.jacobian(after, _flat(state))
        values = torch.linalg.svdvals(jacobian).double().numpy()
        frames.append(
            pd.DataFrame({"step": step, "rank": np.arange(len(values)), "singular_value": values})
        )
    columns = ["step", "rank", "singular_value"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _flat(state: State) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in state])


# What each kind of activation makes a share between closed, 0, and open, 1.
SHARES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda value: value,
    "tanh": lambda value: (1 + value) / 2,
    "log sigmoid": Tensor.exp,
}


@torch.no_grad()
def saturation(layer: Recurrent, x: Tensor) -> pd.DataFrame:
    """Share of gate values where the gate hardly moves, so that little gradient passes through it.

    Args:
        layer: unchanged.
        x: (T, B, F).

    Returns:
        `block` (layer and direction, in the state's order), `gate`, `closed` and `open`: shares of
        the values below 0.05 and above 0.95. What comes from a tanh, y, is counted as (1 + y) / 2,
        which is a logistic function; what has no bounds, as relu, has no row.
    """
    rows, own = [], layer.options.model_dump()
    seen = zip(weights(layer), layer.look_inside(x), strict=True)
    for number, (found, values) in enumerate(seen):
        for gate in found.rows:
            bounds = found.cell.described.bounds(gate, own)
            if bounds == "none":
                continue
            share = SHARES[bounds](values[gate])
            rows.append(
                {
                    "block": number,
                    "gate": gate,
                    "closed": float((share < CLOSED).double().mean()),
                    "open": float((share > OPEN).double().mean()),
                }
            )
    return pd.DataFrame(rows, columns=["block", "gate", "closed", "open"])


def _keep_states(cell: Cell) -> list[State]:
    """Change a cell so that it keeps every state it makes, in the list returned."""
    states: list[State] = []
    step = cell.step

    def keep(projected: Tensor, state: State) -> tuple[Tensor, State]:
        output, after = step(projected, state)
        states.append(after)
        return output, after

    cell.step = keep  # type: ignore[method-assign]
    cell.run = partial(Cell.run, cell)  # type: ignore[method-assign]  # step by step, no scan
    return states
