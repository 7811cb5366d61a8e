"""What a cell by hand costs beside torch's own layer: `python benchmarks/cells.py`.

One thread, float32, lookback 24, batch 128, hidden 64, one feature: a training step (forward and
backward), the same window without gradients, and one step of one sequence, as in streaming.
Reference is torch's native layer (oneDNN off), for the min cells the one whose place they take.
Medians of repeats in turn, so that whatever else the machine does falls on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from _table import Row, main, measure
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions

T, B, F, H = 24, 128, 1, 64
# Cells by hand may cost half as much again; the min cells were made to be faster.
BARS = {"rnn": 1.5, "lstm": 1.5, "gru": 1.5, "min_gru": 1.0, "min_lstm": 1.0}
# A single step is Python's overhead, not arithmetic.
STREAMING_BAR = 2.0


def train(layer: nn.Module, x: Tensor) -> None:
    layer.zero_grad()
    outputs, _ = layer(x)
    outputs.sum().backward()


def infer(layer: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        layer(x)


STEPS: dict[str, tuple[Callable[[nn.Module, Tensor], None], tuple[int, int]]] = {
    "training step": (train, (T, B)),
    "inference of a window": (infer, (T, B)),
    "one step of one sequence": (infer, (1, 1)),
}


def rows(quick: bool) -> list[Row]:
    """Time every cell: one row a cell and kind of step, milliseconds."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    found = []
    with torch.backends.mkldnn.flags(enabled=False):
        for cell, bar in BARS.items():
            ours = Recurrent(LayerOptions(cell=cell, hidden=H, manual=True), F)
            name = cell.removeprefix("min_").upper()
            theirs = getattr(nn, name)(F, H)
            for step, (run, (steps, batch)) in STEPS.items():
                x = torch.randn(steps, batch, F)
                value, reference = measure(
                    partial(run, ours, x), partial(run, theirs, x), repeats=30 if quick else 300
                )
                found.append(
                    Row(
                        f"{cell}, {step}",
                        1e3 * value,
                        "ms",
                        1e3 * reference,
                        f"torch's nn.{name}, oneDNN off",
                        bar=f"ratio <= {bar if batch > 1 else STREAMING_BAR}",
                    )
                )
    return found


if __name__ == "__main__":
    main(rows)
