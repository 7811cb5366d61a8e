"""Is a training sick? Cheap measures once an epoch, and a sentence where gradient is lost.

`watch` costs a few passes by hand over the batch it is given, so the loops of training call it once
in some hundred steps.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from unrolled.gradients.flow import probe, saturation
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions
from unrolled.training.loop import Watch, parameters

logger = logging.getLogger(__name__)

# Of the gradient's norm at lag 0. What is below float32's precision is lost when it is added up.
VANISHED, EXPLODED = 1e-7, 1e3


def warning(curve: pd.DataFrame, options: LayerOptions) -> str | None:
    """Say in one sentence what is wrong with a flow, and what to try.

    Args:
        curve: `lag` and `gradient_norm` relative to lag 0, of one network (`flow.probe`).
        options: its layer.

    Returns:
        The sentence, or None where nothing is wrong.
    """
    norms, steps = curve["gradient_norm"], len(curve)
    if not np.isfinite(norms).all():
        lag = curve.loc[~np.isfinite(norms), "lag"].min()
        return (
            f"gradient norm is no number at lag {lag} of {steps}: nothing is learned; try a lower"
            " learning rate"
        )
    lost = curve.loc[norms < VANISHED, "lag"]
    if len(lost):
        return (
            f"gradient norm fell below {VANISHED:.0e} at lag {lost.min()} of {steps}: the first"
            f" {steps - lost.min()} steps are not learned from; try {_longer(options, steps)}"
        )
    if norms.max() > EXPLODED:
        lag = curve["lag"].iloc[int(norms.argmax())]
        return (
            f"gradient norm grew {norms.max():.0e} times by lag {lag} of"
            f" {steps}: the first steps drown the last; try {_calmer(options)}"
        )
    return None


def watch(curves: list[pd.DataFrame]) -> Watch:
    """What the loops of training call now and then.

    Args:
        curves: gets the flow through the network's layer at each call; `warning` reads the last.

    Returns:
        A function of the network, a few of its inputs and its `parameters` before the last step. It
        gives `update_ratio`, the norm of the last update relative to that of the parameters, about
        1e-3 in a healthy training; `saturated_share` of the values of the gates, NaN where none has
        bounds; `gradient_at_lag`, the norm of the gradient on the first state relative to the last.
    """

    def look(model: nn.Module, x: Any, before: Tensor) -> dict[str, float]:  # noqa: ANN401
        layer = cast("Recurrent", model.layer)
        inputs = _inputs(model, layer, x)
        with torch.random.fork_rng(), torch.enable_grad():  # looking changes no training
            curve = probe(layer, inputs)
        curves.append(curve)
        gates = saturation(layer, inputs)
        return {
            "update_ratio": float((parameters(model) - before).norm() / before.norm()),
            "saturated_share": float((gates["closed"] + gates["open"]).mean()),
            "gradient_at_lag": float(curve["gradient_norm"].iloc[-1]),
        }

    return look


def warn(label: str, curves: list[pd.DataFrame], options: LayerOptions) -> None:
    """Log the warning of a training, where there is one.

    Args:
        label: names the network.
        curves: what `watch` left.
        options: of the network's layer.
    """
    sentence = warning(curves[-1], options)
    if sentence:
        logger.warning("%s: %s", label, sentence)


@torch.no_grad()
def _inputs(model: nn.Module, layer: Recurrent, x: Any) -> Tensor:  # noqa: ANN401
    """What the layer inside a network reads, (T, B, F), when the network reads x."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    model(x)
    hook.remove()
    return seen[0]


def _longer(options: LayerOptions, steps: int) -> str:
    """What lengthens the memory of a layer."""
    if not all(cell.keep or cell.write for cell in options.described):
        if options.init == "orthogonal" or not all(cell.recurrent for cell in options.described):
            return "cell gru, or cell lstm with forget_bias 1"
        return "cell gru, cell lstm with forget_bias 1, or init orthogonal"
    if options.init == "unscaled_normal":
        return "init default or orthogonal"
    if options.forget_bias == "chrono":
        return "a shorter sequence"
    chrono = f"forget_bias chrono with longest_lag {steps}"
    return chrono if options.forget_bias else f"forget_bias 1, or {chrono}"


def _calmer(options: LayerOptions) -> str:
    """What keeps the gradient of a layer from growing."""
    return "init default" if options.init == "orthogonal" else "init orthogonal or default"
