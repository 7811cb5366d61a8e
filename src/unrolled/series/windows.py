"""Windows as views: nothing is copied until a batch is gathered by index.

A window covers `max(lags) + lookback + horizon` rows of the scaled values. A table says where the
windows of each part lie (`first` start and `count`, stride 1), one row a series and part, so a
million windows cost a few numbers.

>>> import numpy as np
>>> sliding(np.arange(6.0), span=4)[[0, 2]].tolist()
[[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0]]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.series.options import SeriesOptions

Index = npt.NDArray[np.int64]

PARTS = ("train", "validation", "test")


def table(borders: pd.DataFrame, options: SeriesOptions) -> pd.DataFrame:
    """Say where the windows of each part start.

    All targets of a window lie in its part; its inputs may reach back over the border, never its
    targets (rule 1 of honest science).

    Returns:
        `unique_id, part, first` (position of the first window's first row), `count` (windows).
    """
    edges = borders[["first", *PARTS]].to_numpy().cumsum(axis=1).T  # (4, S), where parts begin, end
    first = np.maximum(edges[:-1] - options.context, edges[0] + options.warmup)  # (3, S)
    count = np.maximum(edges[1:] - options.span - first + 1, 0)
    return pd.DataFrame(
        {
            "unique_id": np.tile(borders["unique_id"].to_numpy(), len(PARTS)),
            "part": np.repeat(PARTS, len(borders)),
            "first": first.ravel(),
            "count": count.ravel(),
        }
    )


def starts(windows: pd.DataFrame, *parts: str) -> Index:
    """First rows of all windows of the parts, int64 (N,), series by series.

    Neighbouring parts count as one: a window whose targets lie on both sides of their border is
    among them, so a network trained on train and validation misses none.
    """
    chosen = windows[windows["part"].isin(parts) & (windows["count"] > 0)]
    by_series = chosen.assign(end=chosen["first"] + chosen["count"]).groupby(
        "unique_id", sort=False
    )
    first = by_series["first"].min().to_numpy()
    count = by_series["end"].max().to_numpy() - first
    # Steps of one, and a jump from each series to the next, summed in place: no second array.
    result = np.ones(count.sum(), dtype=np.int64)
    result[count.cumsum() - count] = first - np.r_[0, (first + count - 1)[:-1]]
    return np.cumsum(result, out=result)


def sliding(values: npt.NDArray[Any], span: int) -> npt.NDArray[Any]:
    """View (..., N - span + 1, span) of values (..., N): row i is the window that starts at i."""
    return np.lib.stride_tricks.sliding_window_view(values, span, axis=-1)
