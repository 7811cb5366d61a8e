"""A series as all else takes it: its rows on a regular grid, how they were read, where they are cut."""

from __future__ import annotations

import pandas as pd

from unrolled.series import reading, splits
from unrolled.series.generators import GENERATORS
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import Reading
from unrolled.series.selection import check, select
from unrolled.series.tables import Files, Table


def of_files(raw: Files, series: SeriesOptions, name: str) -> tuple[pd.DataFrame, Reading]:
    """Bring the user's rows into long form on a regular grid."""
    return _selected(*reading.read(raw, series, name), series)


def of_generator(series: SeriesOptions, name: str) -> tuple[pd.DataFrame, Reading]:
    """Make the generated series; returns as `of_files`."""
    table = Table(GENERATORS[str(series.generator)](), None)
    return _selected(*reading.of_table(table, series, name), series)


def _selected(
    panel: pd.DataFrame, reading: Reading, series: SeriesOptions
) -> tuple[pd.DataFrame, Reading]:
    panel, dropped = select(panel, series)
    return panel, reading.model_copy(update={"dropped": dropped})


def split(panel: pd.DataFrame, series: SeriesOptions) -> pd.DataFrame:
    """Cut every series in time order, and check that each part holds a window."""
    table = splits.borders(panel, series.validation, series.test)
    check(panel, table, series)
    return table
