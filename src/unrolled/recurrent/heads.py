"""What a network says of each step to forecast, and how that is judged.

Axis letters: B batch, K horizon steps, Q numbers a step.

>>> import torch
>>> head = HEADS["mae"]
>>> head.columns, float(head.loss(torch.zeros(2, 3, 1), torch.ones(2, 3)))
(('y_hat',), 1.0)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Head:
    """A form of forecasts.

    Attributes:
        columns: of the forecast's table, one a number that the network gives for each step (Q).
        judge: mean loss of such numbers (..., Q) against the truth (...).
    """

    columns: tuple[str, ...]
    judge: Callable[[Tensor, Tensor], Tensor]

    @property
    def size(self) -> int:
        """Q, numbers a step."""
        return len(self.columns)

    def loss(self, forecast: Tensor, y: Tensor, seen: Tensor | None = None) -> Tensor:
        """Mean loss, a scalar.

        Args:
            forecast: (K, B, Q).
            y: (K, B), the truth.
            seen: (K, B) bool, which of it was observed; None: all. Others cost nothing.
        """
        if seen is not None:
            forecast, y = forecast[seen], y[seen]
        return self.judge(forecast, y)


def _point(loss: Callable[[Tensor, Tensor], Tensor]) -> Head:
    return Head(("y_hat",), lambda forecast, y: loss(forecast[..., 0], y))


HEADS = {
    "mse": _point(nn.functional.mse_loss),
    "mae": _point(nn.functional.l1_loss),
    "huber": _point(nn.functional.huber_loss),
}
