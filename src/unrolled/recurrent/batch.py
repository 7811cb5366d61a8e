"""What a forecaster reads: windows side by side, each kind of input by its name.

Axis letters: B batch, T time (the lookback), K horizon steps, and a letter for the features of each
kind. Time-major.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """How many features of each kind a forecaster reads."""

    target: int = 1
    past: int = 0
    observed: bool = False
    future: int = 0
    static: int = 0

    @property
    def width(self) -> int:
        """Features of one step of the lookback."""
        return self.target + self.past + self.observed + self.static


class Batch(NamedTuple):
    """Windows; what is None is not there.

    Attributes:
        target: (T, B, L) float, scaled: the series to forecast, then its lags. Window normalisation is
            of these alone.
        past: (T, B, P) float, scaled: other series, known up to the cutoff.
        observed: (T, B) bool, False where the target was filled.
        future: (K, B, N) float, scaled: what is known ahead, at the steps to forecast.
        static: (B, S) float: what is the same at every step.
    """

    target: Tensor
    past: Tensor | None = None
    observed: Tensor | None = None
    future: Tensor | None = None
    static: Tensor | None = None
