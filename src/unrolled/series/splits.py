"""Cut every series in time order: train, then validation, then test.

>>> import pandas as pd
>>> panel = pd.DataFrame({"unique_id": "a", "ds": range(10), "y": 0.0})
>>> borders(panel, validation=0.2, test=3)[["train", "validation", "test"]].iloc[0].tolist()
[5, 2, 3]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from unrolled.errors import InputError
from unrolled.series.options import SeriesOptions


class Parts(NamedTuple):
    """The rows of one series: where they begin in the panel, and how many each part has."""

    unique_id: str
    first: int
    train: int
    validation: int
    test: int

    @property
    def train_end(self) -> int:
        """Panel row after the last train row."""
        return self.first + self.train

    @property
    def validation_end(self) -> int:
        """Panel row after the last validation row; the test part begins here."""
        return self.train_end + self.validation

    @property
    def end(self) -> int:
        """Panel row after the last row of the series."""
        return self.validation_end + self.test


def each(borders: pd.DataFrame) -> Iterator[Parts]:
    """Go through the series of a table of borders."""
    columns = (borders[name].tolist() for name in Parts._fields)
    return map(Parts, *columns)


def borders(panel: pd.DataFrame, validation: float, test: float) -> pd.DataFrame:
    """Count the rows of each part.

    Args:
        panel: long form, sorted.
        validation: rows for validation; a share of the series below 1, else a number.
        test: rows for test, likewise.

    Returns:
        One row a series: `unique_id`, `first` (its first row in the panel), `train`,
        `validation`, `test` (rows of each part, in this order in time).
    """
    table = panel.groupby("unique_id", sort=False).size().rename("rows").reset_index()
    first = table["rows"].cumsum() - table["rows"]
    sizes = {
        name: (table["rows"] * size).round().astype(int) if size < 1 else int(size)
        for name, size in (("validation", validation), ("test", test))
    }
    result = table.assign(first=first, **sizes)
    result["train"] = result["rows"] - result["validation"] - result["test"]
    return result[list(Parts._fields)]


def check_lengths(table: pd.DataFrame, options: SeriesOptions) -> None:
    """Refuse a series whose parts cannot hold one window each.

    Raises:
        InputError: names the series, its rows and what is needed.
    """
    before = options.warmup + options.span
    reads = f"lookback {options.lookback} + horizon {options.horizon}"
    if options.warmup:
        reads += f" + season {options.warmup}"
    if options.lags:
        reads += f" + lag {max(options.lags)}"
    for series in each(table):
        parts = (
            ("train", series.train, before, reads),
            ("validation", series.validation, options.horizon, f"horizon {options.horizon}"),
            ("test", series.test, options.horizon, f"horizon {options.horizon}"),
        )
        for part, found, needed, why in parts:
            if found < needed:
                raise InputError(
                    f"series '{series.unique_id}': {max(found, 0)} of its"
                    f" {series.end - series.first} rows are for {part}, but {why} needs at least {needed}; shorten lookback or"
                    " horizon, change the split, or drop the series"
                )
