"""Panels: from the user's rows to long form `unique_id, ds, y`, or a sentence.

A panel holds one or many series, sorted by series and time, every series on a regular grid, every
`y` a finite float64. One series is a panel of one.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.errors import InputError
from unrolled.series.options import Columns, Fill

logger = logging.getLogger(__name__)

PANEL_COLUMNS = ["unique_id", "ds", "y"]

# Grid points a row: above, a wrong time stamp is likelier than gaps, and memory runs out.
_SPARSEST = 100


def tidy(raw: pd.DataFrame, columns: Columns, fill: Fill, season: int, name: str) -> pd.DataFrame:
    """Bring the user's rows into long form.

    Args:
        raw: rows as read from the file.
        columns: names of the columns in `raw`.
        fill: `error` refuses missing values and gaps; `linear` draws a line between neighbours;
            `seasonal` repeats the value one season before (or after, at the start).
        season: steps in a season, for `fill="seasonal"`.
        name: `unique_id` of a file that has no such column.

    Returns:
        Panel of `unique_id` (str), `ds` (datetime64 without a zone, or int64), `y` (float64).

    Raises:
        InputError: a missing column, text for a number, an unreadable or repeated time stamp, an
            infinite value, times on no regular grid, a gap or missing value under `fill="error"`,
            a series without any value.
    """
    panel = _select(raw, columns, name)
    panel["ds"] = _times(panel["ds"], columns.ds)
    panel["y"] = _numbers(panel, columns.y)
    _refuse_duplicates(panel)
    _refuse_unsorted(panel)
    filled = [
        _fill(str(key), _on_grid(str(key), group), fill, season)
        for key, group in panel.groupby("unique_id", sort=False)
    ]
    return pd.concat(filled, ignore_index=True)


def step_of(ds: pd.Series) -> str | int:
    """From one time stamp of a series (on its regular grid) to the next: a frequency, or a number.

    >>> step_of(pd.Series(pd.date_range("2001-01-01", periods=4, freq="MS"))), step_of(pd.Series([3, 5]))
    ('MS', 2)
    """
    if pd.api.types.is_integer_dtype(ds):
        return int(ds.iloc[1] - ds.iloc[0])
    step = _frequency(pd.DatetimeIndex(ds))
    assert step is not None, "a panel lies on a grid"
    return step


def following(ds: pd.Series, count: int) -> npt.NDArray[Any]:
    """Time stamps after the last one of a series on its regular grid.

    >>> following(pd.Series(pd.date_range("2001-01-31", periods=4, freq="ME")), 2).astype("M8[D]")
    array(['2001-05-31', '2001-06-30'], dtype='datetime64[D]')
    >>> following(pd.Series([3, 5, 7]), 2)
    array([ 9, 11])
    """
    step, last = step_of(ds), ds.iloc[-1]
    if isinstance(step, int):
        return (last + step * np.arange(1, count + 1)).astype(ds.to_numpy().dtype)
    return pd.date_range(last, periods=count + 1, freq=step, unit=last.unit).to_numpy()[1:]


def digest(panel: pd.DataFrame) -> str:
    """SHA-256 of a panel's rows in their order, whichever file they came from."""
    rows = pd.util.hash_pandas_object(panel[PANEL_COLUMNS], index=False)
    return hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()


def _select(raw: pd.DataFrame, columns: Columns, name: str) -> pd.DataFrame:
    found = ", ".join(map(str, raw.columns))
    for role, column in (("ds", columns.ds), ("y", columns.y)):
        if column not in raw.columns:
            raise InputError(
                f"series '{name}': column '{column}' for {role} is missing, the file has {found};"
                f" name the right one by series_options.{name}.columns.{role}"
            )
    panel = pd.DataFrame({"ds": raw[columns.ds], "y": raw[columns.y]})
    if columns.unique_id in raw.columns:
        ids = raw[columns.unique_id].astype("string")
        if ids.isna().any():
            raise InputError(
                f"series '{name}': column '{columns.unique_id}' is empty in row"
                f" {int(np.flatnonzero(ids.isna())[0]) + 1}; every row must name its series"
            )
        panel.insert(0, "unique_id", ids.astype("str"))
    elif columns.unique_id not in (None, "unique_id"):
        raise InputError(
            f"series '{name}': column '{columns.unique_id}' for unique_id is missing, the file has"
            f" {found}; name the right one by series_options.{name}.columns.unique_id"
        )
    else:
        panel.insert(0, "unique_id", name)
    unused = [
        str(column)
        for column in raw.columns
        if column not in (columns.unique_id, columns.ds, columns.y)
    ]
    if unused:
        logger.info("series '%s': columns not used: %s", name, ", ".join(unused))
    return panel.reset_index(drop=True)


def _times(ds: pd.Series, column: str) -> pd.Series:
    numbers = pd.api.types.is_any_real_numeric_dtype(ds)
    if numbers:
        parsed = ds.where(ds % 1 == 0)
    elif pd.api.types.is_datetime64_any_dtype(ds):
        parsed = ds
    else:
        parsed = _dates(ds)
    bad = np.flatnonzero(parsed.isna())
    if len(bad):
        found = ds.iloc[bad[:1]].tolist()[0]
        raise InputError(
            f"column {column}: {len(bad)} of {len(ds)} time stamps cannot be read as a date, the"
            f" first is {found!r} in row {bad[0] + 1}; expected dates such as 2024-12-31, all of"
            " one form, or whole numbers"
        )
    return parsed.astype("int64") if numbers else _without_zone(parsed)


def _without_zone(times: pd.Series) -> pd.Series:
    """The clock that the rows show; UTC where their offsets from it differ, so that hours are even."""
    if times.dt.tz is None:
        return times
    local, utc = times.dt.tz_localize(None), times.dt.tz_convert(None)
    offsets = local - utc
    return local if offsets.min() == offsets.max() else utc


def _dates(text: pd.Series) -> pd.Series:
    """Read text as dates, NaT where it is none; in UTC where the offsets from it differ."""
    parsed = _parse(text, format="ISO8601")
    if parsed.isna().any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of mixed forms, which the caller refuses
            parsed = _parse(text)
    return parsed


def _parse(text: pd.Series, **form: Any) -> pd.Series:
    try:
        return pd.to_datetime(text, errors="coerce", **form)
    except ValueError:  # offsets that differ, as where the clocks change
        return pd.to_datetime(text, errors="coerce", utc=True, **form)


def _numbers(panel: pd.DataFrame, column: str) -> pd.Series:
    y = pd.to_numeric(panel["y"], errors="coerce").astype("float64")
    text = np.flatnonzero(y.isna() & panel["y"].notna())
    if len(text):
        raise InputError(
            f"column {column}: {len(text)} values are not numbers, the first is"
            f" {panel['y'].iloc[text[0]]!r} in row {text[0] + 1}; expected numbers"
        )
    infinite = np.flatnonzero(np.isinf(y))
    if len(infinite):
        raise InputError(
            f"column {column}: {len(infinite)} values are infinite, the first in row"
            f" {infinite[0] + 1}; expected finite numbers, mend or remove those rows"
        )
    return y


def _refuse_duplicates(panel: pd.DataFrame) -> None:
    repeated = panel[panel.duplicated(["unique_id", "ds"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            f"series '{first['unique_id']}': {len(repeated)} time stamps occur twice, the first is"
            f" {_show(first['ds'])}; keep one row for each unique_id and ds"
        )


def _refuse_unsorted(panel: pd.DataFrame) -> None:
    back = panel.groupby("unique_id", sort=False)["ds"].shift() > panel["ds"]
    if back.any():
        first = panel[back].iloc[0]
        raise InputError(
            f"series '{first['unique_id']}': {_show(first['ds'])} stands after a later time stamp;"
            " sort the rows by unique_id and ds, oldest first"
        )


def _show(time: object) -> str:
    """A time stamp for a sentence: the date alone where the clock says midnight."""
    if isinstance(time, np.datetime64 | pd.Timestamp):
        stamp = pd.Timestamp(time)
        return str(stamp.date()) if stamp == stamp.normalize() else str(stamp)
    return str(time)


def _on_grid(key: str, group: pd.DataFrame) -> pd.DataFrame:
    """Put a series on its regular grid; times that are absent get a missing value."""
    times = pd.Index(group["ds"])
    if len(times) < 3:
        return group
    closest = (times[1:] - times[:-1]).min()
    if (times[-1] - times[0]) / closest > _SPARSEST * len(times):
        raise InputError(
            f"series '{key}': {len(times)} rows from {_show(times[0])} to {_show(times[-1])}, some"
            f" {closest} apart, leave more than {_SPARSEST} gaps a row; mend the time stamps or"
            " resample the series first"
        )
    if isinstance(times, pd.DatetimeIndex):
        frequency = _frequency(times) or _frequency_despite_gaps(times)
        if frequency is None:
            steps = pd.Series(times).diff().dropna()
            odd = times[1:][(steps != steps.mode()[0]).to_numpy()][0]
            raise InputError(
                f"series '{key}': time stamps follow no calendar frequency, the usual step is"
                f" {steps.mode()[0]} but another ends at {_show(odd)}; expected hourly, daily,"
                " weekly, monthly on the first or last day, or another regular step; resample"
                " the series first"
            )
        grid: pd.Index = pd.date_range(times[0], times[-1], freq=frequency, unit=times.unit)
    else:
        steps = np.diff(times.to_numpy())
        step = int(np.bincount(steps).argmax()) if steps.max() < 1_000_000 else int(steps.min())
        grid = pd.Index(np.arange(times[0], times[-1] + 1, step), dtype=times.dtype)
    if not times.isin(grid).all():
        odd = times[~times.isin(grid)][0]
        raise InputError(
            f"series '{key}': time stamp {_show(odd)} is off the regular grid of its series;"
            " resample the series first"
        )
    whole = group.set_index("ds").reindex(grid).rename_axis("ds").reset_index()
    return whole.assign(unique_id=key)[PANEL_COLUMNS]


def _frequency(times: pd.DatetimeIndex) -> str | None:
    # pandas 4 will return an offset; its name is what both give.
    with pd.option_context("future.infer_freq_returns_offset", True):
        offset: Any = pd.infer_freq(times)
    return None if offset is None else offset.freqstr


def _frequency_despite_gaps(times: pd.DatetimeIndex) -> str | None:
    """The frequency of the longest stretch without a gap, where all other times fit its grid."""
    tried: set[str] = set()
    for length in (12, 6, 3):
        # A thousand stretches are enough: a series of a million rows shall not take minutes.
        stride = max(length // 2, len(times) // 1000)
        for start in range(0, max(1, len(times) - length + 1), stride):
            part = times[start : start + length]
            frequency = _frequency(part) if len(part) >= 3 else None
            if frequency is None or frequency in tried:
                continue
            tried.add(frequency)
            if times.isin(pd.date_range(times[0], times[-1], freq=frequency)).all():
                return frequency
    return None


def _fill(key: str, group: pd.DataFrame, fill: Fill, season: int) -> pd.DataFrame:
    missing = group["y"].isna().to_numpy()
    if not missing.any():
        return group
    if missing.all():
        raise InputError(f"series '{key}': all {len(group)} values are missing; drop the series")
    if fill == "error":
        times = group["ds"][missing]
        raise InputError(
            f"series '{key}': {int(missing.sum())} of {len(group)} values are missing, from"
            f" {_show(times.iloc[0])} to {_show(times.iloc[-1])}; set fill to linear or seasonal,"
            " or mend the file"
        )
    y = group["y"]
    if fill == "seasonal":
        by_phase = y.groupby(np.arange(len(y)) % season)
        y = by_phase.ffill().fillna(by_phase.bfill())
    return group.assign(y=y.interpolate(limit_direction="both"))


class PanelSchema:
    """Validator of the catalog: what every later node relies on."""

    def validate(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Return the panel as it is, or refuse it.

        Raises:
            InputError: other columns than `unique_id, ds, y`, values that are not finite float64,
                or rows out of order.
        """
        if list(panel.columns) != PANEL_COLUMNS:
            raise InputError(
                f"panel has columns {list(panel.columns)}; expected {PANEL_COLUMNS}; run the"
                " forecasting pipeline from the raw file"
            )
        if panel["y"].dtype != np.float64 or not np.isfinite(panel["y"]).all():
            raise InputError("panel column y holds missing or infinite values; expected numbers")
        times = panel.groupby("unique_id", sort=False)["ds"]
        begins = panel["unique_id"] != panel["unique_id"].shift()
        if begins.sum() > len(times) or (times.shift() >= panel["ds"]).any():
            raise InputError(
                "panel rows are not sorted; expected each series in one block, oldest row first"
            )
        return panel
