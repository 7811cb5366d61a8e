"""Does the unit matter? `python benchmarks/units.py`: the airline series from 1e-12 to 1e12 times itself.

All baselines, and small networks of every transform: values as they are, their logarithm less the
season, as airline is shipped, their root and Box-Cox's power. Printed is the MASE of each row in each
unit; the table says how far it differs at most from that in the file's own unit, which has to be less than
four digits show. (`log1p` depends on the unit by its nature.)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from _table import Row, main
from unrolled.comparison.leaderboard import as_text
from unrolled.recurrent.options import ModelOptions
from unrolled.series import backtest, metrics, splits
from unrolled.series.backtest import Forecast
from unrolled.series.baselines import BASELINES
from unrolled.series.options import SeriesOptions
from unrolled.training.options import TrainOptions
from unrolled.training.rows import fit_network

FILE = Path(__file__).parents[1] / "data/01_raw/series/airline.csv"
UNITS = (1.0, 1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9, 1e12)
QUICK_UNITS = (1.0, 1e-12, 1e12)
SERIES = SeriesOptions(season=12, horizon=12, lookback=12, validation=24, test=24)
TRAINING = TrainOptions(epochs=5, early_stopping=False, loss="mse")
TRANSFORMS: dict[str, dict[str, object]] = {
    "none": {},
    "log": {"transform": "log", "es": True},
    "sqrt": {"transform": "sqrt", "seasonal_difference": True},
    "boxcox": {"transform": "boxcox"},
}
DIGITS = 5e-5  # half of the fourth digit, relatively


def panel_in(unit: float) -> pd.DataFrame:
    """The airline series, each value `unit` times as large."""
    raw = pd.read_csv(FILE)
    y = raw["y"].to_numpy(dtype=float) * unit
    return pd.DataFrame({"unique_id": "airline", "ds": pd.to_datetime(raw["ds"]), "y": y})


def forecasts(panel: pd.DataFrame, borders: pd.DataFrame) -> Iterator[tuple[str, Forecast]]:
    """Every row of the leaderboard."""
    for cell in ("rnn", "lstm", "gru"):
        model = ModelOptions(cell=cell, hidden=8)  # type: ignore[arg-type]
        for transform, options in TRANSFORMS.items():
            series = SeriesOptions.model_validate(SERIES.model_dump() | options)
            yield (
                f"{cell}, {transform}",
                fit_network(panel, borders, series, model, TRAINING, 0, cell),
            )
    for baseline in BASELINES:
        yield baseline, backtest.of_baseline(baseline, panel, SERIES)


def scores(unit: float) -> dict[str, float]:
    """MASE of every row in a unit."""
    panel = panel_in(unit)
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    history = backtest.before_test(panel, borders)
    found = {}
    for name, forecast in forecasts(panel, borders):
        frame = backtest.over_cutoffs(panel, borders, SERIES, forecast)
        found[name] = metrics.score(frame, history, SERIES.season)["mase"]
    return found


def rows(quick: bool) -> list[Row]:
    """How far each row's MASE differs between units, relatively."""
    table = pd.DataFrame({f"{unit:g}": scores(unit) for unit in (QUICK_UNITS if quick else UNITS)})
    print(as_text(table.rename_axis("row").reset_index()))
    apart = table.sub(table["1"], axis=0).abs().max(axis=1) / table["1"]
    agree = "all rows agree" if (apart <= DIGITS).all() else "not all rows agree"
    print(f"\nTo four digits {agree}.\n")
    bar = f"value <= {DIGITS:g}"
    return [
        Row(f"{name}: MASE, largest relative difference", float(value), "", bar=bar)
        for name, value in apart.items()
    ]


if __name__ == "__main__":
    main(rows)
