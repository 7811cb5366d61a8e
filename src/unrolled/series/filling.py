"""What stands in a gap: only what was known before it, but on a line inside a train part.

A filled row is read like any other, and never scored: it is no observation.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.series.options import Fill
from unrolled.series.panel import OBSERVED
from unrolled.series.splits import Parts


def drawn(panel: pd.DataFrame, parts: Iterable[Parts], fill: Fill) -> npt.NDArray[np.float64]:
    """Values as they may be seen by what is trained on the train parts, float64 (N,).

    A panel's gaps are filled from rows before them. With `linear` those inside a train part lie on a
    line instead, which reads the value after them: after every cutoff that such a gap comes before,
    it is known.

    Args:
        panel: long form, sorted, gaps filled.
        parts: the series and how each is split.
        fill: how gaps are filled.
    """
    y: npt.NDArray[np.float64] = panel["y"].to_numpy()
    if fill != "linear" or OBSERVED not in panel:
        return y
    y, seen = y.copy(), panel[OBSERVED].to_numpy()
    for own in parts:
        known = own.first + np.flatnonzero(seen[own.first : own.train_end])
        if len(known):
            between = slice(known[0], known[-1] + 1)
            y[between] = np.interp(np.arange(known[0], known[-1] + 1), known, y[known])
    return y
