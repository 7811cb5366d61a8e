"""A linear recurrence in complex numbers: the LRU, all steps at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.recurrent.cells.base import Cell, State
from unrolled.recurrent.cells.scan import scan
from unrolled.recurrent.description import Carried, Description, Gate, Own


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
