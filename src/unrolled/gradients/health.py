"""Is a training sick? Cheap measures once an epoch, and a sentence where gradient is lost.

`measures` costs one pass by hand over the batch it is given. With eight sequences that is 3 % of 70
training steps of a small layer of torch's, and of fewer of a larger one; where an epoch is shorter,
measure every few epochs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor, nn

from unrolled.gradients.flow import saturation
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions

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


def measures(
    norms: Sequence[float],
    clip_norm: float,
    before: Tensor,
    after: Tensor,
    layer: Recurrent,
    x: Tensor,
) -> dict[str, float]:
    """What to log once an epoch.

    Args:
        norms: the gradient's norm before clipping, of each step of the epoch.
        clip_norm: the largest norm let through.
        before: `parameters` before the epoch's last step.
        after: `parameters` after it.
        layer: the recurrent layer.
        x: a few of its inputs, (T, B, F).

    Returns:
        `clipped_share` of the steps; `update_ratio`, the norm of the last update relative to that
        of the parameters, about 1e-3 in a healthy training; `saturated_share` of the values of the
        gates, NaN where none has bounds.
    """
    gates = saturation(layer, x)
    return {
        "clipped_share": float((np.asarray(norms) > clip_norm).mean()),
        "update_ratio": float((after - before).norm() / before.norm()),
        "saturated_share": float((gates["closed"] + gates["open"]).mean()),
    }


def parameters(model: nn.Module) -> Tensor:
    """Copy all parameters into one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def _longer(options: LayerOptions, steps: int) -> str:
    """What lengthens the memory of a layer."""
    if options.cell == "rnn":
        if options.init == "orthogonal":
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
