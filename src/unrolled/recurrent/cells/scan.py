"""All states of a linear recurrence at once, by a parallel scan with a gradient of its own.

Axis letters: B batch, T time, H hidden; real and imaginary part are an axis of 2.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


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
