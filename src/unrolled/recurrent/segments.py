"""Segments instead of steps: read several steps at once, forecast several at once.

A window of 720 steps is 30 segments of 24, so the recurrence, and the way back of its gradient, is
24 times shorter. After SegRNN (Lin et al. 2023, arXiv 2308.11200).

Axis letters: B batch, T time, F features, H hidden, K horizon steps, P steps a segment, Q numbers a
step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.recurrent.cells import State


def to_segments(x: Tensor, segment: int) -> Tensor:
    """Join every P steps into one: (T, B, F) -> (ceil(T / P), B, P * F), step by step within.

    Where T is no multiple of P, zeros stand before the first step.

    >>> to_segments(torch.arange(6.0).reshape(6, 1, 1), 3).squeeze(1)
    tensor([[0., 1., 2.],
            [3., 4., 5.]])
    """
    if segment == 1:  # nothing to join, and no copies in an exported graph
        return x
    steps, batch, features = x.shape
    missing = -steps % segment
    x = functional.pad(x, (0, 0, 0, 0, missing, 0))
    parts = x.reshape(-1, segment, batch, features).transpose(1, 2)  # (T / P, B, P, F)
    return parts.flatten(2)


class SegmentDecoder(nn.Module):
    """Forecasts all segments of the horizon at once, each by one step of the recurrence.

    Every segment starts from the encoder's last state and reads an embedding of its own position,
    so no error is fed back from segment to segment, and every step depends on the last observation.
    """

    def __init__(
        self, inputs: int, outputs: int, segment: int, horizon: int, size: int = 1
    ) -> None:
        """Make the embeddings and the head.

        Args:
            inputs: input features of the layer that decodes.
            outputs: width of its outputs.
            segment: P, steps a segment.
            horizon: K, steps to forecast; the last segment is cut where K is no multiple of P.
            size: Q, numbers a step.
        """
        super().__init__()
        self.horizon, self.segment = horizon, segment
        self.positions = nn.Parameter(torch.randn(-(-horizon // segment), inputs))
        self.head = nn.Linear(outputs, segment * size)

    def forward(
        self, layer: Callable[[Tensor, State], tuple[Tensor, State]], state: State
    ) -> Tensor:
        """Forecast.

        Args:
            layer: a `Recurrent` of `inputs` features: the encoder itself, as in SegRNN, or one with
                states of the same shape.
            state: the encoder's last, each (L * D, B, H).

        Returns:
            (K, B, Q).
        """
        segments, batch = len(self.positions), state[0].shape[1]
        # One step of segments * B sequences: (1, K / P * B, inputs).
        x = self.positions[:, None].expand(-1, batch, -1).flatten(0, 1)[None]
        outputs, _ = layer(x, tuple(tensor.repeat(1, segments, 1) for tensor in state))
        steps = self.head(outputs[0]).reshape(segments, batch, self.segment, -1)
        return steps.transpose(1, 2).flatten(0, 1)[: self.horizon]
