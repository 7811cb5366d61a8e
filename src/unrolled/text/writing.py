"""The choice of a character, the same wherever a model writes.

This file goes with a registered model, so it imports numpy alone.

Letters: B texts side by side, V symbols that can be chosen.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def choose(logits: FloatArray, temperature: float, chances: FloatArray) -> IntArray:
    """Draw a symbol for each text, or take the likeliest at temperature 0.

    Args:
        logits: (B, V), float64.
        temperature: logits are divided by it.
        chances: (B, 1), uniform in [0, 1).

    Returns:
        Places among the V (B,).
    """
    if temperature == 0:
        return logits.argmax(1)
    return pick(tempered(logits, temperature), chances)


def tempered(logits: FloatArray, temperature: float) -> FloatArray:
    """Logits (B, V) at a temperature, less the highest: any temperature gives what its limit does."""
    # The highest is 0 and stays so; what overflows is -inf, which is never chosen.
    with np.errstate(over="ignore"):
        below = logits - logits.max(1, keepdims=True)
        return below / max(temperature, sys.float_info.min)


def pick(scores: FloatArray, chances: FloatArray) -> IntArray:
    """Choose by a random number a text: its place among the summed probabilities.

    Several times faster than torch.multinomial, which draws a number for every symbol.

    Args:
        scores: (B, V) logits of which the highest is 0; what is -inf is never chosen.
        chances: (B, 1), uniform in [0, 1).
    """
    up_to = np.exp(scores).cumsum(1)
    # A chance of at most 1 - 2^-53 times the total stays below the total, rounded as it is.
    return (up_to > chances * up_to[:, -1:]).argmax(1)
