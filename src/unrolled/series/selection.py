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
    if (options.short or ("drop" if len(borders) > _FEW else "error")) == "error":
        return panel, {}  # the nodes that split and scale refuse
    reasons = {}
    for row, parts in enumerate(splits.each(borders)):
        why = unusable(panel, borders.iloc[[row]], options)
        if why:
            reasons[parts.unique_id] = why
    if not reasons:
        return panel, {}
    first = next(iter(reasons))
    if len(reasons) == len(borders):
        raise InputError(
            f"none of the {len(borders)} series can take part; of the first: {reasons[first]}"
        )
    shown = ", ".join(list(reasons)[:5]) + (" ..." if len(reasons) > 5 else "")
    logger.warning(
        "%d of %d series are left out, too short or constant (%s): data.json says why;"
        " short=error refuses them",
        len(reasons),
        len(borders),
        shown,
    )
    kept = ~panel["unique_id"].isin(list(reasons)).to_numpy()
    return panel[kept].reset_index(drop=True), reasons


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
