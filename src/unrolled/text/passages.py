"""Which part of a held-out text is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.text import vocabulary
from unrolled.text.vocabulary import Ids, Vocabulary

# Symbols of the test part: a passage with its losses; in its beginning what is connected, after so many
# that were read before.
PASSAGE, CONNECTED, CONTEXT = 600, 80, 500


def with_losses(
    losses: npt.NDArray[np.floating[Any]], test_ids: Ids, own: Vocabulary
) -> pd.DataFrame:
    """The passage that the pictures show, and the loss of each of its characters.

    Returns:
        `symbol, loss` (nats; NaN where nothing is asked for).
    """
    first = connected(test_ids, own).start
    part = slice(first, first + PASSAGE)
    return pd.DataFrame({"symbol": vocabulary.spell(test_ids[part], own), "loss": losses[part]})


def connected(test_ids: Ids, known: Vocabulary) -> slice:
    """Where the passage of the pictures lies in the test part: in one document, at a line's start.

    Without boundaries some text is left before it, for the network to have read.
    """
    if known.bos is not None:
        ends = np.flatnonzero(test_ids == known.bos)[1:]
        return slice(0, min(int(ends[0]) if len(ends) else len(test_ids), CONNECTED))
    first = max(0, min(CONTEXT, len(test_ids) - CONNECTED))
    lines = np.flatnonzero(test_ids[:first] == known.first + known.characters.find("\n")) + 1
    first = int(lines[-1]) if len(lines) and "\n" in known.characters else first
    return slice(first, first + CONNECTED)


def liveliest(feature: npt.NDArray[np.floating[Any]], length: int) -> slice:
    """The stretch of a text in which a feature (N,) varies most; of a count, where it is highest."""
    if len(feature) <= length:
        return slice(0, len(feature))
    view = np.lib.stride_tricks.sliding_window_view(feature, length)
    first = int(view.std(axis=1).argmax())
    return slice(first, first + length)
