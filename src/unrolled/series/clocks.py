"""On which clock time stamps with an offset from UTC make a series regular."""

from __future__ import annotations

import numpy as np
import pandas as pd

from unrolled.series.grid import missing
from unrolled.series.timestamps import offsets


def clock_of(local: pd.Series, offset: pd.Series, ids: pd.Series) -> str:
    """The clock on which the series are regular: that which the rows show, or one for them all.

    Args:
        local: what the rows show, datetime64 (N,).
        offset: from UTC, timedelta64 (N,).
        ids: series of each row (N,).

    Returns:
        `local`, `UTC`, or an offset such as `+01:00`.
    """
    different = offset.unique()
    if len(different) == 1:
        steps = np.diff(np.unique(local.to_numpy()))
        if not len(steps) or steps.min() >= np.timedelta64(1, "D"):
            return "local"
        return _named(pd.Timedelta(different[0]))
    lacking = {"local": missing(local, ids), "UTC": missing(local - offset, ids)}
    # Two rows of the hour that the clocks repeat are no gap, but one of them would be lost.
    rows = pd.DataFrame({"ids": ids, "local": local, "offset": offset})
    if rows.groupby(["ids", "local"])["offset"].nunique().max() > 1:
        return "UTC"
    return min(lacking, key=lambda clock: lacking[clock])


def on_clock(local: pd.Series, offset: pd.Series, clock: str) -> pd.Series:
    """What a clock shows at the times of rows, datetime64 (N,); arguments as for `clock_of`."""
    if clock in ("", "local"):
        return local
    utc = local - offset
    if clock == "UTC":
        return utc
    return utc + offsets(pd.Series([clock])).iloc[0]


def _named(offset: pd.Timedelta) -> str:
    minutes = int(offset.total_seconds() // 60)
    if not minutes:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
