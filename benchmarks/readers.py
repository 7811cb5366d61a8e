"""From a file to a panel: rows per second beside pandas' own reader, which only parses.

Ours finds out how the file is written, reads times and ids, and checks that every series is on its grid.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from _table import Row, main, measure
from unrolled.datasets import SeriesFile
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import read


def panel_of(series: int, points: int) -> pd.DataFrame:
    """Hours of so many series."""
    hours = pd.date_range("2020-01-01", periods=points, freq="h")
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"store_{i:04d}" for i in range(series)], points),
            "ds": np.tile(hours, series),
            "y": np.random.default_rng(0).normal(100, 20, series * points).round(3),
        }
    )


def rows(quick: bool) -> list[Row]:
    """Time every kind of file."""
    logging.disable(logging.INFO)
    series, points = (1_000, 100) if quick else (1_000, 1_000)
    panel, count = panel_of(series, points), series * points
    with tempfile.TemporaryDirectory() as folder:
        plain, european, typed = (Path(folder) / f"it{i}" for i in range(3))
        plain, european = plain.with_suffix(".csv"), european.with_suffix(".csv")
        typed = typed.with_suffix(".parquet")
        panel.to_csv(plain, index=False)
        panel.to_csv(european, index=False, sep=";", decimal=",", date_format="%d.%m.%Y %H:%M")
        panel.to_parquet(typed)

        def ours(path: Path) -> object:
            return read(SeriesFile(filepath=str(path)).load(), SeriesOptions(), "it")

        cases = [
            (".csv", plain, lambda: pd.read_csv(plain), "pandas.read_csv"),
            (
                ".csv with semicolons, decimal commas and dates such as 31.12.2020 23:00",
                european,
                lambda: pd.read_csv(european, sep=";", decimal=","),
                "pandas.read_csv, told of semicolons and commas",
            ),
            (".parquet", typed, lambda: pd.read_parquet(typed), "pandas.read_parquet"),
        ]
        found = []
        for what, path, theirs, name in cases:
            seconds = measure(lambda path=path: ours(path), theirs, repeats=25)
            found.append(
                Row(
                    case=f"{count:,} rows of {series:,} series, {what}",
                    value=count / seconds[0],
                    unit="rows/s",
                    reference=count / seconds[1],
                    reference_name=name,
                    bar="" if path is typed else "ratio >= 0.5",
                )
            )
    return found


if __name__ == "__main__":
    main(rows)
