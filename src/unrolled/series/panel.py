"""Panels: rows in long form `unique_id, ds, y`, every series on a regular grid.

A panel holds one or many series, sorted by series and time, every `y` a finite float64. One series is
a panel of one. Where rows were filled it has a column `observed` too, False in those rows: what was
filled is neither seen before its time nor scored.

Letters: N rows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.errors import InputError
from unrolled.series import grid
from unrolled.series.grid import Step
from unrolled.series.options import Fill

logger = logging.getLogger(__name__)

Codes = npt.NDArray[np.int64]  # (N,), number of each row's series, rising

PANEL_COLUMNS = ["unique_id", "ds", "y"]
OBSERVED = "observed"

# Grid points a row: above, a wrong time stamp is likelier than gaps, and memory runs out.
_SPARSEST = 100


class Runs(NamedTuple):
    """Rows of a series that follow one another: there are mostly far fewer than rows.

    Letters: R runs.
    """

    ids: pd.Series  # str (R,)
    ends: npt.NDArray[np.int64]  # (R,), row after the last of each

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Rows of each (R,)."""
        return np.diff(self.ends, prepend=0)


def runs_of(ids: pd.Series) -> Runs:
    """The runs of a column of names, str (N,).

    >>> runs_of(pd.Series(["a", "a", "b", "a"], dtype="str")).ends
    array([2, 3, 4])
    """
    text = pa.array(ids, type=pa.large_string())
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    runs = pc.run_end_encode(text, run_end_type=pa.int64())
    return Runs(runs.values.to_pandas().astype("str"), runs.run_ends.to_numpy())


class Grid(NamedTuple):
    """The regular times of a series."""

    step: Step
    first: Any  # time stamp, or number


def regular(
    rows: pd.DataFrame,
    fill: Fill,
    season: int,
    known: Callable[[str], Grid | None] | None = None,
    runs: Runs | None = None,
) -> tuple[pd.DataFrame, dict[str, Grid]]:
    """Bring rows into a panel.

    Exact twins are dropped, a series that runs backwards is turned round; rows without a value are
    dropped at the end of a series, where they are the future, and before its first. Each is said.

    Args:
        rows: `unique_id` (str), `ds` (datetime64 without a zone, or int64), `y` (float64, NaN where
            there is none); series may alternate.
        fill: what to do about missing values and gaps; see `Fill`.
        season: steps in a season, for `fill="seasonal"`.
        known: the grid of a series, where it is known.
        runs: of `unique_id`, where they are known.

    Returns:
        The panel; and the grid of each series, where it has 3 rows or its grid is known.

    Raises:
        InputError: a time stamp with two values, rows in no order, times on no regular grid, a gap
            or missing value under `fill="error"`, a series without any value.
    """
    codes, names = _numbered(runs or runs_of(rows["unique_id"]))
    panel = rows
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        panel, codes = rows.iloc[order], codes[order]
    if not (_later(panel) | _border(codes)).all():
        panel, codes = _without_twins(panel, codes)
        panel, codes = _forwards(panel, codes)
    panel, codes = _without_ends(panel, codes)
    panel = panel.reset_index(drop=True)

    grids: dict[str, Grid] = {}
    seen: dict[bytes, tuple[Grid, bool]] = {}
    whole: list[pd.DataFrame] = []
    complete = 0  # rows up to here are on their grid as they stand
    times, stamps = panel["ds"].to_numpy(), pd.Index(panel["ds"])
    begins = (np.flatnonzero(_border(codes)) + 1).tolist()
    for start, end in zip([0, *begins], [*begins, len(panel)], strict=True):
        key = names[codes[start]]
        trained = known(key) if known else None
        if trained is None and end - start < 3:
            continue
        digest = times[start:end].tobytes()  # most series of a panel have the same times
        if trained is None and digest in seen and seen[digest][1]:
            grids[key] = seen[digest][0]
            continue
        own = stamps[start:end]
        step = trained.step if trained else _step(key, own)
        if trained is not None and not grid.joins(own[0], trained.first, step):
            raise InputError(
                f"series '{key}': time stamp {_show(own[0])} is off the grid that the series was"
                f" trained on, in steps of {step} from {_show(trained.first)}; expected rows that go on"
                " from there"
            )
        points = _points(key, own, step, fill)
        grids[key] = Grid(step, own[0])
        seen[digest] = grids[key], len(points) == len(own)
        if len(points) != len(own):
            whole += [panel.iloc[complete:start], _on(points, key, panel.iloc[start:end])]
            complete = end
    if whole:
        panel = pd.concat([*whole, panel.iloc[complete:]], ignore_index=True)
    return _filled(panel, fill, season), grids


def following(ds: pd.Series, count: int, step: Step | None = None) -> npt.NDArray[Any]:
    """Time stamps after the last one of a series on its regular grid.

    Args:
        ds: time stamps, at least 3 where no step is given.
        count: how many.
        step: of the series, where it is known.

    >>> following(pd.Series(pd.date_range("2001-01-31", periods=4, freq="ME")), 2).astype("M8[D]")
    array(['2001-05-31', '2001-06-30'], dtype='datetime64[D]')
    >>> following(pd.Series([3, 5, 7]), 2)
    array([ 9, 11])
    """
    step, last = step or step_of(ds), ds.iloc[-1]
    if isinstance(step, int):
        return (last + step * np.arange(1, count + 1)).astype(ds.to_numpy().dtype)
    return grid.dates(step, start=last, periods=count + 1, unit=last.unit).to_numpy()[1:]


def step_of(ds: pd.Series) -> Step:
    """From one time stamp of a series (on its regular grid) to the next.

    >>> step_of(pd.Series(pd.date_range("2001-01-01", periods=4, freq="MS"))), step_of(pd.Series([3, 5]))
    ('MS', 2)
    """
    step = grid.step_of(pd.Index(ds))
    assert step is not None, "a panel lies on a grid"
    return step


def observed(panel: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows were in the file, bool (N,)."""
    if OBSERVED not in panel:
        return np.ones(len(panel), dtype=bool)
    return panel[OBSERVED].to_numpy()


def digest(panel: pd.DataFrame) -> str:
    """SHA-256 of a panel's rows in their order, whichever file they came from."""
    rows = pd.util.hash_pandas_object(panel[PANEL_COLUMNS], index=False)
    return hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()


def _numbered(runs: Runs) -> tuple[Codes, list[str]]:
    """The number of each row's series (N,), in the order of their first rows, and their names."""
    codes, names = pd.factorize(runs.ids)
    return np.repeat(codes, runs.lengths), list(map(str, names))


def _later(panel: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether each row but the first is later than the one before it (N - 1,)."""
    ds = panel["ds"].to_numpy()
    later: npt.NDArray[np.bool_] = ds[1:] > ds[:-1]
    return later


def _border(codes: Codes) -> npt.NDArray[np.bool_]:
    """Whether a series begins with each row but the first (N - 1,)."""
    return codes[1:] != codes[:-1]


def _without_twins(panel: pd.DataFrame, codes: Codes) -> tuple[pd.DataFrame, Codes]:
    """One row a time stamp."""
    twins = panel.duplicated(PANEL_COLUMNS).to_numpy()
    if twins.any():
        logger.warning("%d rows stand twice in the file, and count once", int(twins.sum()))
        panel, codes = panel[~twins], codes[~twins]
    repeated = panel[panel.duplicated(["unique_id", "ds"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            f"series '{first['unique_id']}': {len(repeated)} time stamps occur twice with different"
            f" values, the first is {_show(first['ds'])}; keep one row for each unique_id and ds"
            f"{_clocks(repeated['ds'])}"
        )
    return panel, codes


def _forwards(panel: pd.DataFrame, codes: Codes) -> tuple[pd.DataFrame, Codes]:
    """Oldest row first."""
    back = ~_later(panel) & ~_border(codes)
    if not back.any():
        return panel, codes
    if not (back | _border(codes)).all():
        first = panel.iloc[int(np.flatnonzero(back)[0]) + 1]
        raise InputError(
            f"series '{first['unique_id']}': {_show(first['ds'])} stands after a later time stamp;"
            " sort the rows by unique_id and ds, oldest first"
        )
    logger.warning("the newest row stands first in the file: the rows are turned round")
    order = np.lexsort((-np.arange(len(panel)), codes))
    return panel.iloc[order], codes[order]


def _without_ends(panel: pd.DataFrame, codes: Codes) -> tuple[pd.DataFrame, Codes]:
    """From the first value to the last of each series."""
    absent = panel["y"].isna().to_numpy()
    if not absent.any():
        return panel, codes
    place, series = np.arange(len(panel)), int(codes.max()) + 1
    last, first = np.full(series, -1), np.full(series, len(panel))
    np.maximum.at(last, codes[~absent], place[~absent])
    np.minimum.at(first, codes[~absent], place[~absent])
    empty = np.isin(codes, np.flatnonzero(last < 0))
    if empty.any():
        rows = panel[codes == codes[empty][0]]
        raise InputError(
            f"series '{rows['unique_id'].iloc[0]}': all {len(rows)} values are missing; drop the"
            " series"
        )
    after, before = place > last[codes], place < first[codes]
    for found, where in ((after, "end: the forecast begins there"), (before, "start")):
        if found.any():
            logger.warning("%d rows without a value are left out at the %s", found.sum(), where)
    return panel[~(after | before)], codes[~(after | before)]


def _clocks(ds: pd.Series) -> str:
    """What to do about hours that the clocks leave out or repeat, where all these may be such."""
    if ds.dtype.kind != "M":
        return ""
    night = ds.dt.hour.isin([1, 2, 3]) & ds.dt.month.isin([3, 4, 9, 10, 11])
    if len(ds) > 100 or not night.all():
        return ""
    return "; if the clocks were changed then, write each time with its offset from UTC"


def _show(time: object) -> str:
    """A time stamp for a sentence: the date alone where the clock says midnight."""
    stamp = pd.Timestamp(time) if isinstance(time, np.datetime64) else time
    return str(stamp).removesuffix(" 00:00:00")


def _step(key: str, times: pd.Index) -> Step:
    """The step of a series, or why it has none."""
    closest = (times[1:] - times[:-1]).min()
    if grid.sparseness(times) > _SPARSEST:
        raise InputError(
            f"series '{key}': {len(times)} rows from {_show(times[0])} to {_show(times[-1])}, some"
            f" {closest} apart, leave more than {_SPARSEST} gaps a row; {_BLAME}"
        )
    step = grid.step_of(times)
    if step is None:
        steps = pd.Series(times).diff().dropna()
        odd = times[1:][(steps != steps.mode()[0]).to_numpy()][0]
        raise InputError(
            f"series '{key}': time stamps follow no calendar frequency, the usual step is"
            f" {steps.mode()[0]} but another ends at {_show(odd)}; expected hourly, daily,"
            " weekly, monthly on the last day or on one from the 1st to the 28th, or another regular"
            " step; resample the series first"
        )
    return step


_BLAME = (
    "mend the time stamps, say their form by date_format or dayfirst, or resample the series first"
)


def _points(key: str, times: pd.Index, step: Step, fill: Fill) -> pd.Index:
    """The grid of a series, which must have all its times."""
    points = grid.grid(times, step)
    if len(points) == len(times) and points.equals(times):
        return points
    strange = ~times.isin(points)
    if strange.any():
        raise InputError(
            f"series '{key}': time stamp {_show(times[strange][0])} is off the regular grid of its"
            f" series, in steps of {step}; resample the series first"
        )
    missing = len(points) - len(times)
    if missing > len(times) and fill == "error":
        raise InputError(
            f"series '{key}': {missing} of {len(points)} points from {_show(times[0])} to"
            f" {_show(times[-1])} in steps of {step} are missing, more than there are; {_BLAME}"
        )
    return points


def _on(points: pd.Index, key: str, group: pd.DataFrame) -> pd.DataFrame:
    """A series on its grid; times that are absent get a missing value."""
    whole = group.set_index("ds").reindex(points).rename_axis("ds").reset_index()
    return whole.assign(unique_id=key)[PANEL_COLUMNS]


def _filled(panel: pd.DataFrame, fill: Fill, season: int) -> pd.DataFrame:
    """Every gap filled from rows before it, and marked."""
    missing = panel["y"].isna().to_numpy()
    if not missing.any():
        return panel
    if fill == "error":
        absent = panel[missing]
        key = absent["unique_id"].iloc[0]
        own = absent[absent["unique_id"] == key]["ds"]
        raise InputError(
            f"series '{key}': {len(own)} of {int((panel['unique_id'] == key).sum())} values are"
            f" missing, from {_show(own.iloc[0])} to {_show(own.iloc[-1])}; set fill to last, linear"
            f" or seasonal, or mend the file{_clocks(own)}"
        )
    logger.warning(
        "%d of %d rows have no value and are filled (%s); they are not scored",
        missing.sum(),
        len(panel),
        fill,
    )
    groups, y = panel["unique_id"], panel["y"]
    if fill == "seasonal":
        phase = y.groupby(groups).cumcount() % season
        y = y.groupby([groups, phase]).ffill()
    return panel.assign(y=y.groupby(groups).ffill(), **{OBSERVED: ~missing})


class PanelSchema:
    """Validator of the catalog: what every later node relies on."""

    def validate(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Return the panel as it is, or refuse it.

        Raises:
            InputError: other columns than `unique_id, ds, y` and `observed`, values that are not
                finite float64, or rows out of order.
        """
        if list(panel.columns) not in (PANEL_COLUMNS, [*PANEL_COLUMNS, OBSERVED]):
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
