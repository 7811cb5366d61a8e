"""Windows as views: nothing is copied until a batch is gathered by index.

A window covers `max(lags) + lookback + horizon` rows of the scaled values. A table says where the
windows of each part lie (`first` start and `count`, stride 1), one row a series and part, so a
million windows cost a few numbers.

>>> import numpy as np
>>> view = sliding(np.arange(6.0), span=4)
>>> gather(view, np.array([0, 2])).tolist()
[[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0]]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.series.options import SeriesOptions
from unrolled.series.splits import part_rows

Values = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

PARTS = ("train", "validation", "test")


def table(borders: pd.DataFrame, options: SeriesOptions) -> pd.DataFrame:
    """Say where the windows of each part start.

    All targets of a window lie in its part; its inputs may reach back over the border, never its
    targets (rule 1 of honest science).

    Returns:
        `unique_id, part, first` (position of the first window's first row), `count` (windows).
    """
    context = options.span - options.horizon
    rows = []
    for part in PARTS:
        lies = part_rows(borders, part)
        earliest = borders["first"] + options.warmup
        first = np.maximum(lies["begin"] - context, earliest)
        count = np.maximum(lies["end"] - options.span - first + 1, 0)
        rows.append(
            pd.DataFrame(
                {"unique_id": lies["unique_id"], "part": part, "first": first, "count": count}
            )
        )
    return pd.concat(rows, ignore_index=True)


def starts(windows: pd.DataFrame, *parts: str) -> Index:
    """First rows of all windows of the parts, int64 (N,)."""
    chosen = windows[windows["part"].isin(parts)]
    count = chosen["count"].to_numpy()
    return np.repeat(chosen["first"].to_numpy() - (count.cumsum() - count), count) + np.arange(
        count.sum(), dtype=np.int64
    )


def sliding(values: npt.NDArray[Any], span: int) -> npt.NDArray[Any]:
    """View (N - span + 1, span) of values (N,): row i is the window that starts at i."""
    return np.lib.stride_tricks.sliding_window_view(values, span)


def gather(view: npt.NDArray[Any], at: Index) -> npt.NDArray[Any]:
    """Copy the windows that start at `at` (B,) out of the view: (B, span)."""
    return view[at]
