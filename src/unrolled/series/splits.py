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
from unrolled.series.options import SEASONS, SeriesOptions

# One validation block misleads: on sunspots it prefers values as they are, three origins their root.
REHEARSALS = 3


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


def rehearsals(
    borders: pd.DataFrame, options: SeriesOptions, origins: int = REHEARSALS
) -> list[pd.DataFrame]:
    """Play the protocol on what lies before the test part: borders from up to three origins.

    A rehearsal's test part is as long as the series' validation part, and a validation part as long
    lies before it. The last one ends where the test part begins, the one before it a third of a
    validation part earlier, at least a horizon. Where a series is too short for that, validation
    shrinks to one horizon; where even that is too long, the series is left out of the rehearsal.

    Args:
        borders: as `borders` gives them.
        options: lookback, horizon, lags and season.
        origins: rehearsals at most.

    Returns:
        A table like `borders` for each rehearsal, oldest first, none of them empty; an empty list
        where no series is long enough.

    >>> panel = pd.DataFrame({"unique_id": "a", "ds": range(144), "y": 0.0})
    >>> options = SeriesOptions(lookback=12, horizon=12)
    >>> for each in rehearsals(borders(panel, validation=24, test=24), options):
    ...     print(each[["train", "validation", "test"]].iloc[0].tolist())
    [48, 24, 24]
    [60, 24, 24]
    [72, 24, 24]
    """
    least = options.warmup + options.span
    found = []
    for back in reversed(range(origins)):
        scored = borders["validation"]
        end = borders["train"] + scored - back * (scored // REHEARSALS).clip(lower=options.horizon)
        whole = end - 2 * scored >= least
        validation = scored.where(whole, options.horizon)
        table = borders.assign(train=end - validation - scored, validation=validation, test=scored)
        known = table["train"] + validation
        table = table[(table["train"] >= least) & (known >= options.season)].reset_index(drop=True)
        if len(table):
            found.append(table)
    return found


def check_lengths(table: pd.DataFrame, options: SeriesOptions) -> None:
    """Refuse a series whose parts cannot hold one window each.

    Raises:
        InputError: names the series, its rows and what is needed.
    """
    before = options.warmup + options.span
    reads = f"lookback {options.lookback} + horizon {options.horizon}"
    if options.warmup:
        reads += f" + {'two seasons' if options.es else 'season'} {options.warmup}"
    if options.lags:
        reads += f" + lag {max(options.lags)}"
    for series in each(table):
        both = series.train + series.validation
        parts = (
            ("train and validation", both, options.season, f"a season of {options.season}"),
            ("train", series.train, before, reads),
            ("validation", series.validation, options.horizon, f"horizon {options.horizon}"),
            ("test", series.test, options.horizon, f"horizon {options.horizon}"),
            ("train and validation", both, options.rows, f"a forecast over {SEASONS} seasons"),
        )
        for part, found, needed, why in parts:
            if found < needed:
                shorten = "the season" if why.startswith("a season") else "lookback or horizon"
                raise InputError(
                    f"series '{series.unique_id}': {max(found, 0)} of its"
                    f" {series.end - series.first} rows are for {part}, but {why} needs at least"
                    f" {needed}; shorten {shorten}, change the split, or drop the series"
                )
