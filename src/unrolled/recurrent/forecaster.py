"""A recurrent network that reads a window and forecasts every step of the horizon at once.

Axis letters: B batch, T time, F features, H hidden, K horizon steps. Time-major `(T, B, F)`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unrolled.recurrent.options import ModelOptions

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

# Keeps a flat window from being divided by zero; far below the scale of z-scored values.
SMALLEST_STD = 1e-3


class Forecaster(nn.Module):
    """Encoder over the lookback and a direct multi-step head on its last state.

    The head reads the state after the last observation, so every step of the forecast depends on
    it. (Reading the per-step outputs `out[-K:]` instead would hide the last K - 1 observations
    from the first step.) Reading several time steps at once as one segment follows SegRNN (Lin et
    al. 2023, arXiv 2308.11200); the linear highway follows LSTNet (Lai et al. 2018,
    arXiv 1703.07015); window normalisation follows NLinear (Zeng et al. 2023, arXiv 2205.13504)
    and RevIN (Kim et al. 2022).
    """

    def __init__(self, options: ModelOptions, features: int, lookback: int, horizon: int) -> None:
        """Build the layers.

        Args:
            options: what the network is made of.
            features: F, input features a step; the first is the value to forecast.
            lookback: T, steps read.
            horizon: K, steps forecast.

        Raises:
            ValueError: the lookback is no multiple of the segment.
        """
        super().__init__()
        if lookback % options.segment:
            raise ValueError(
                f"lookback {lookback} is no multiple of segment {options.segment};"
                " change one of them"
            )
        self.options = options
        self.layer = LAYERS[options.cell](
            features * options.segment, options.hidden, num_layers=options.layers
        )
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(options.hidden, horizon)
        self.highway = nn.Linear(lookback, horizon) if options.highway else None

    def forward(self, window: Tensor) -> Tensor:
        """Forecast.

        Args:
            window: (T, B, F) float32, scaled values, oldest first.

        Returns:
            (K, B) float32, on the same scale as the window's first feature.
        """
        level, scale = self._moments(window[:, :, 0])  # (B,), (B,)
        x = (window - level[:, None]) / scale[:, None]  # (T, B, F)
        steps, batch, features = x.shape
        segment = self.options.segment
        segments = (
            x.reshape(steps // segment, segment, batch, features)
            .transpose(1, 2)
            .reshape(steps // segment, batch, segment * features)
        )  # (T / segment, B, segment * F)
        outputs, _ = self.layer(segments)  # (T / segment, B, H)
        forecast = self.head(self.dropout(outputs[-1]))  # (B, K)
        if self.highway is not None:
            forecast = forecast + self.highway(x[:, :, 0].T)
        return forecast.T * scale + level  # (K, B)

    def _moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Level and scale of each window (T, B) -> (B,), (B,)."""
        kind = self.options.window_normalisation
        if kind == "none":
            return torch.zeros_like(values[0]), torch.ones_like(values[0])
        if kind == "last":
            return values[-1], torch.ones_like(values[0])
        return values.mean(0), values.std(0, correction=0).clamp_min(SMALLEST_STD)


def parameter_count(model: nn.Module) -> int:
    """Number of trained numbers in the model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
