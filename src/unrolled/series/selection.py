"""Which series of a panel can take part: long enough for every part, and with something to learn."""

from __future__ import annotations

import logging

import pandas as pd

from unrolled.errors import InputError
from unrolled.series import scaling, splits
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import observed
from unrolled.series.windows import PARTS

logger = logging.getLogger(__name__)

# A panel of more is not stopped by one series.
_FEW = 10


def select(panel: pd.DataFrame, options: SeriesOptions) -> tuple[pd.DataFrame, dict[str, str]]:
    """Leave out the series of a panel that cannot take part, where the option `short` says so.

    Args:
        panel: long form, sorted.
        options: how it is split, scaled and windowed.

    Returns:
        The panel of the others; and why each of the rest was left out, by its name.

    Raises:
        InputError: no series is left, or one cannot take part and `short` is `error`.
    """
    borders = splits.borders(panel, options.validation, options.test)
    if not _may_go(len(borders), options):
        return panel, {}  # the nodes that split and scale refuse
    reasons = {}
    for row, parts in enumerate(splits.each(borders)):
        why = unusable(panel, borders.iloc[[row]], options)
        if why:
            reasons[parts.unique_id] = why
    kept = without(
        panel,
        reasons,
        options,
        "are left out, too short or constant: data.json says why; short=error refuses them",
    )
    return kept, reasons


def without(
    panel: pd.DataFrame, reasons: dict[str, str], options: SeriesOptions, done: str
) -> pd.DataFrame:
    """The panel without some series, which is said.

    Args:
        panel: long form.
        reasons: why a series is left out, a sentence by its name.
        options: `short` says whether that may be.
        done: what the series are, for the log.

    Raises:
        InputError: no series is left, or none may be left out.
    """
    if not reasons:
        return panel
    count, first = panel["unique_id"].nunique(), next(iter(reasons.values()))
    if not _may_go(count, options):
        raise InputError(first)
    if len(reasons) == count:
        raise InputError(f"none of the {count} series can take part; of the first: {first}")
    shown = ", ".join(list(reasons)[:5]) + (" ..." if len(reasons) > 5 else "")
    logger.warning("%d of %d series (%s) %s", len(reasons), count, shown, done)
    return panel[~panel["unique_id"].isin(list(reasons))].reset_index(drop=True)


def _may_go(series: int, options: SeriesOptions) -> bool:
    """Whether one of so many series may be left out."""
    return (options.short or ("drop" if series > _FEW else "error")) == "drop"


def check(panel: pd.DataFrame, borders: pd.DataFrame, options: SeriesOptions) -> None:
    """Refuse a series whose parts cannot hold one window each, or hold no observation.

    Raises:
        InputError: names the series and what it lacks.
    """
    splits.check_lengths(borders, options)
    seen = observed(panel)
    for parts in splits.each(borders):
        ends = (parts.first, parts.train_end, parts.validation_end, parts.end)
        for part, first, end in zip(PARTS, ends, ends[1:], strict=False):
            if not seen[first:end].any():
                raise InputError(
                    f"series '{parts.unique_id}': all {end - first} rows of its {part} part were"
                    " missing and are filled, so there is nothing to score; change the split, or"
                    " drop the series"
                )


def unusable(panel: pd.DataFrame, borders: pd.DataFrame, options: SeriesOptions) -> str:
    """Why the series of these borders cannot take part; empty where they can."""
    try:
        check(panel, borders, options)
        scaling.fit(panel, borders, options)
    except InputError as error:
        return str(error)
    return ""
