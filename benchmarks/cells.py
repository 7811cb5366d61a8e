"""What a cell by hand costs beside torch's own layer: `python benchmarks/cells.py`.

One thread, float32, lookback 24, batch 128, hidden 64, one feature: a training step (forward and
backward), the same window without gradients, and one step of one sequence, as in streaming.
Reference is torch's native layer (oneDNN off), for the min cells the one whose place they take.
Medians of repeats in turn, so that whatever else the machine does falls on both sides.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.recurrent.layer import LIBRARY, Recurrent
from unrolled.recurrent.options import LayerOptions

T, B, F, H = 24, 128, 1, 64
# Cells by hand may cost half as much again; the min cells were made to be faster.
BARS = {"rnn": 1.5, "lstm": 1.5, "gru": 1.5, "min_gru": 1.0, "min_lstm": 1.0}
# A single step is Python's overhead, not arithmetic.
STREAMING_BAR = 2.0


def train(layer: nn.Module, x: Tensor) -> None:
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


def measure(repeats: int) -> list[dict[str, Any]]:
    """Time every cell: one row a cell and kind of step, milliseconds."""
    torch.manual_seed(0)
    rows = []
    for cell, bar in BARS.items():
        ours = Recurrent(LayerOptions(cell=cell, hidden=H, manual=True), F)
        name = cell.removeprefix("min_")
        theirs = LIBRARY[name](F, H)
        for step, (run, (steps, batch)) in STEPS.items():
            x = torch.randn(steps, batch, F)
            value, reference = in_turn([ours, theirs], lambda layer: run(layer, x), repeats)  # noqa: B023
            most = bar if batch > 1 else STREAMING_BAR
            rows.append(
                {
                    "case": f"{cell}, {step}",
                    "value": value,
                    "unit": "ms",
                    "reference": reference,
                    "reference_name": f"torch's nn.{name.upper()}, oneDNN off",
                    "ratio": value / reference,
                    "bar": most,
                    "met": value / reference <= most,
                }
            )
    return rows


def in_turn(layers: list[nn.Module], run: Callable[[nn.Module], None], repeats: int) -> list[float]:
    """Median milliseconds of each layer, run one after the other, over and over."""
    times: list[list[float]] = [[] for _ in layers]
    with torch.backends.mkldnn.flags(enabled=False):
        for repeat in range(repeats + 3):
            for layer, found in zip(layers, times, strict=True):
                layer.zero_grad()
                start = time.perf_counter()
                run(layer)
                if repeat >= 3:  # the first fill caches
                    found.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(found) for found in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(repeats=30 if arguments.quick else 300)
    for row in rows:
        print(
            f"{row['case']:36} {row['value']:8.3f} {row['unit']}  {row['reference_name']:28}"
            f" {row['reference']:8.3f}  ratio {row['ratio']:5.2f}"
            f"  bar {row['bar']}: {'met' if row['met'] else 'MISSED'}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
