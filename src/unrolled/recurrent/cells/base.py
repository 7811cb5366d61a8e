"""What all cells share: their parameters, the loop over time, the table of all by name."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.recurrent.description import Description

State = tuple[Tensor, ...]

CELLS: dict[str, type[Cell]] = {}  # by name; a class enters itself


class Cell(nn.Module):
    """What all cells share; a cell adds its equations as `gates`, and its description.

    `described` is read from its file's text too (see `description`), so it is a call of
    `Description` with nothing in it but values, and options named in capitals further up.
    """

    described: ClassVar[Description]
    state_names: ClassVar[tuple[str, ...]]

    weight_hh: nn.Parameter | None
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    def __init_subclass__(cls) -> None:
        """Enter the cell in the table."""
        super().__init_subclass__()
        if "described" in vars(cls):
            cls.state_names = tuple(cls.described.states)
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
