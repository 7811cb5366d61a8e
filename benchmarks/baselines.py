"""What the statistical baselines cost on long series, and what fitting to their last rows does to them.

    python benchmarks/baselines.py

Hours with a season of 24, a weekly one that none of them knows, a random walk and noise, generated:
a year and four and a half, with the default options. Timed is all that a run asks of a baseline: the test
part, the rehearsals and what comes after the last row. Then the error of Holt-Winters on three thousand
of these hours, fitted to the last 1,000 and to all rows.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from _table import Row, main
from unrolled.series import backtest, metrics, splits
from unrolled.series.baselines import smoothing
from unrolled.series.options import SeriesOptions
from unrolled.training import rows as of_row

SERIES = SeriesOptions(season=24, horizon=24, lookback=48)
# Rows, and the seconds that each baseline may take.
BARS = {8_760: 60, 40_000: 180}
ACCURACY = 3_000


def hours(rows: int) -> pd.DataFrame:
    """A panel of one generated series."""
    chance, t = np.random.default_rng(0), np.arange(rows)
    season = 20 * np.sin(2 * np.pi * t / 24) + 8 * np.sin(2 * np.pi * t / 168)
    y = season + chance.normal(0, 0.3, rows).cumsum() + chance.normal(0, 3, rows)
    ds = pd.date_range("2020-01-01", periods=rows, freq="h")
    return pd.DataFrame({"unique_id": "hours", "ds": ds, "y": y - y.min() + 20})


def seconds(panel: pd.DataFrame, variant: str) -> float:
    """Time of all that a run asks of a baseline."""
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    rehearsals = backtest.plan_rehearsals(panel, borders, SERIES)
    began = time.perf_counter()
    of_row.backtest_baseline(panel, borders, SERIES, variant)
    of_row.rehearse_baseline(panel, rehearsals, SERIES, variant)
    return time.perf_counter() - began


def mase(panel: pd.DataFrame, variant: str) -> float:
    """Its error on the test part."""
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    forecast = backtest.of_baseline(variant, panel, SERIES)
    frame = backtest.over_cutoffs(panel, borders, SERIES, forecast)
    return metrics.score(frame, backtest.before_test(panel, borders), SERIES.season)["mase"]


def rows(quick: bool) -> list[Row]:
    """One row a baseline and length; and one of the error."""
    found = []
    for count in list(BARS)[: 1 if quick else None]:
        panel = hours(count)
        for variant in ("holt_winters", "theta", "ridge", "analogues"):
            bar = f"value <= {BARS[count]}"
            found.append(Row(f"{variant}, {count:,} hours", seconds(panel, variant), "s", bar=bar))
    if not quick:
        panel = hours(ACCURACY)
        last, kept = mase(panel, "holt_winters"), smoothing._FITTED_SEASONAL
        smoothing._FITTED_SEASONAL = ACCURACY
        whole = mase(panel, "holt_winters")
        smoothing._FITTED_SEASONAL = kept
        case = f"holt_winters, {ACCURACY:,} hours, fitted to the last {kept:,}"
        found.append(Row(case, last, "MASE", whole, "fitted to all", bar="ratio <= 1.02"))
    return found


if __name__ == "__main__":
    main(rows)
