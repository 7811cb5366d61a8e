"""A recurrent network that reads a window and forecasts every step of the horizon at once.

Axis letters: B batch, T time, F features, H hidden (outputs of the layer), K horizon steps, Q
numbers a step, N heads. Time-major `(T, B, F)`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled.recurrent.attention import Attention, last_state_attention
from unrolled.recurrent.batch import Batch, Inputs
from unrolled.recurrent.heads import HEADS, Head
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import ModelOptions
from unrolled.recurrent.segments import SegmentDecoder, to_segments

# Keeps a flat window from being divided by zero; far below the scale of z-scored values.
SMALLEST_STD = 1e-3


class Forecaster(nn.Module):
    """Encoder over the lookback and a direct multi-step head on its last state.

    The head reads the state after the last observation, so every step of the forecast depends on
    it. (Reading the per-step outputs `out[-K:]` instead would hide the last K - 1 observations
    from the first step.) Reading several time steps at once as one segment follows SegRNN (Lin et
    al. 2023, arXiv 2308.11200); the linear highway follows LSTNet (Lai et al. 2018,
    arXiv 1703.07015); window normalisation follows NLinear (Zeng et al. 2023, arXiv 2205.13504),
    RevIN (Kim et al. 2022) and ES-RNN (Smyl 2020), whose smoothing rate is learned too.
    """

    def __init__(
        self,
        options: ModelOptions,
        inputs: Inputs,
        lookback: int,
        horizon: int,
        head: Head = HEADS["mse"],
    ) -> None:
        """Build the layers.

        Args:
            options: what the network is made of.
            inputs: features of each kind that are read.
            lookback: T, steps read.
            horizon: K, steps forecast.
            head: what is said of each step.

        Raises:
            ValueError: the decoder goes segment by segment and something is known ahead, which it
                cannot read.
        """
        super().__init__()
        if inputs.future and options.decoder == "segments":
            raise ValueError(
                f"decoder segments reads nothing that is known ahead, but inputs.future is"
                f" {inputs.future}; set decoder to direct"
            )
        self.options, self.inputs = options, inputs
        self.lookback, self.horizon, self.size = lookback, horizon, head.size
        read, width = inputs.width * options.segment, options.outputs
        self.layer = Recurrent(options, read)
        self.dropout = nn.Dropout(options.head_dropout)
        self.attention = (
            Attention(width, options.heads) if options.attention == "scaled_dot_product" else None
        )
        attended = options.attention != "none"
        self.head: nn.Module = (
            SegmentDecoder(read, width, options.segment, horizon, head.size)
            if options.decoder == "segments"
            else nn.Linear(
                (2 * width if attended else width) + inputs.future * horizon, horizon * head.size
            )
        )
        self.highway = nn.Linear(lookback, horizon) if options.highway else None
        smoothed = options.window_normalisation == "smoothed"
        self.level_rate = nn.Parameter(torch.zeros(())) if smoothed else None  # logit of the rate

    def forward(self, batch: Batch) -> Tensor:
        """Forecast.

        Args:
            batch: windows, oldest step first.

        Returns:
            (K, B, Q), on the same scale as the target.
        """
        level, scale = self._moments(batch.target[:, :, 0])  # (B,) or (1,)
        x = self._read(batch, level, scale)  # (T, B, F)
        outputs, state = self.layer(to_segments(x, self.options.segment))  # (T / segment, B, H)
        if isinstance(self.head, SegmentDecoder):
            forecast = self.head(self.layer, state)  # (K, B, Q)
        else:
            last = self.dropout(self._last(outputs))  # (B, H)
            context, _ = self._attend(outputs, last)
            seen = [last] if context is None else [context, last]
            if batch.future is not None:
                seen.append(batch.future.transpose(0, 1).flatten(1))  # (B, K * N)
            steps = self.head(torch.cat(seen, dim=1) if len(seen) > 1 else last)  # (B, K * Q)
            forecast = steps.T.unflatten(0, (self.horizon, self.size)).transpose(1, 2)
        if self.highway is not None:
            forecast = forecast + self.highway(x[:, :, 0].T).T[:, :, None]
        return forecast * scale[:, None] + level[:, None]

    def example(self, batch: int) -> Batch:
        """A batch of so many windows in the shapes and types that the network reads, all zeros."""
        steps, own = (self.lookback, batch), self.inputs
        return Batch(
            torch.zeros(*steps, own.target),
            torch.zeros(*steps, own.past) if own.past else None,
            torch.zeros(*steps, dtype=torch.bool) if own.observed else None,
            torch.zeros(self.horizon, batch, own.future) if own.future else None,
            torch.zeros(batch, own.static) if own.static else None,
        )

    def _read(self, batch: Batch, level: Tensor, scale: Tensor) -> Tensor:
        """All that is read of the lookback, side by side (T, B, F), the target normalised."""
        parts = [(batch.target - level[:, None]) / scale[:, None]]
        if batch.past is not None:
            parts.append(batch.past)
        if batch.observed is not None:
            parts.append(batch.observed[:, :, None].to(batch.target.dtype))
        if batch.static is not None:
            parts.append(batch.static.expand(len(batch.target), -1, -1))
        return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]

    def look_inside(self, batch: Batch) -> dict[str, Tensor]:
        """What happens inside while windows are read.

        Args:
            batch: as for `forward`.

        Returns:
            Every gate and state of the last layer (forward direction), by its letter in the cell's
            equations, (T / segment, B, H); and `attention`, the weights of each output
            (T / segment, B, N), where the network attends.
        """
        level, scale = self._moments(batch.target[:, :, 0])
        x = to_segments(self._read(batch, level, scale), self.options.segment)
        inside = self.layer.look_inside(x)[-self.options.directions]
        outputs, _ = self.layer(x)
        _, weights = self._attend(outputs, self._last(outputs))
        return inside if weights is None else inside | {"attention": weights}

    def _last(self, outputs: Tensor) -> Tensor:
        """What each direction puts out when it has read all: (T, B, H) -> (B, H)."""
        if not self.options.bidirectional:
            return outputs[-1]
        hidden = self.options.hidden
        return torch.cat([outputs[-1, :, :hidden], outputs[0, :, hidden:]], dim=1)

    def _attend(self, outputs: Tensor, last: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Context (B, H) and weights (T, B, N) of the attention, or neither."""
        if self.attention is not None:
            context, weights = self.attention(last[None], outputs)  # (1, B, H), (B, N, 1, T)
            return context[0], weights[:, :, 0].permute(2, 0, 1)
        if self.options.attention == "last_state":
            context, weights = last_state_attention(outputs, last)
            return context, weights[:, :, None]
        return None, None

    def _moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Level and scale of each window (T, B) -> (B,) each, or (1,) where it is one for all."""
        kind = self.options.window_normalisation
        if kind == "none":
            return values.new_zeros(1), values.new_ones(1)
        if kind == "last":
            return values[-1], values.new_ones(1)
        if self.level_rate is not None:
            age = torch.arange(len(values) - 1, -1, -1, dtype=values.dtype)  # (T,)
            weights = self.level_rate.neg().sigmoid() ** age  # (1 - rate) ** age
            return weights @ values / weights.sum(), values.new_ones(1)
        scale = values.std(0, correction=0).clamp_min(SMALLEST_STD)
        return values[-1] if kind == "last_std" else values.mean(0), scale


def parameter_count(model: nn.Module) -> int:
    """Number of trained numbers in the model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
