"""How the files of a series are read: found once, stated, kept beside the panel, never found again.

`read` takes the first file of a series and says how it read it; given what it said, it reads every
later file of the series the same way, or refuses it.
"""

from __future__ import annotations

import logging
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.series import numbers, tables, times
from unrolled.series.grid import Step
from unrolled.series.numbers import Marks
from unrolled.series.options import Columns, SeriesOptions
from unrolled.series.panel import Grid, Runs, regular, runs_of
from unrolled.series.tables import Files, Table
from unrolled.series.times import SeveralForms, Times
from unrolled.series.timestamps import NUMBER

_A_FEW_SPACES = 3  # bytes; a longer cell is looked into only where a shorter one is among them
T = TypeVar("T")
logger = logging.getLogger(__name__)


class Reading(BaseModel):
    """How the files of a series are read; `data.json` beside its panel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Columns = Field(default_factory=Columns, description="in the file")
    sep: str | None = Field(None, description="between cells; None: no text was read")
    marks: Marks = Field(default_factory=Marks)
    times: Times = Field(default_factory=Times)
    steps: Step | dict[str, Step] = Field(
        default_factory=dict, description="from one row to the next, of all series or by series"
    )
    firsts: str | int | dict[str, str | int] = Field(
        default_factory=dict, description="first time stamp, of all series or by series"
    )
    dropped: dict[str, str] = Field(
        default_factory=dict, description="why a series was left out of the training, by its name"
    )

    def step(self, unique_id: str) -> Step | None:
        """The step of a series; None of one that is not known."""
        return self.steps.get(unique_id) if isinstance(self.steps, dict) else self.steps

    def grid(self, unique_id: str) -> Grid | None:
        """The grid of a series; None of one that is not known."""
        step = self.step(unique_id)
        first = self.firsts.get(unique_id) if isinstance(self.firsts, dict) else self.firsts
        if step is None or first is None:
            return None
        return Grid(step, pd.Timestamp(first) if isinstance(first, str) else first)


def read(
    files: Files, options: SeriesOptions, name: str, known: Reading | None = None
) -> tuple[pd.DataFrame, Reading]:
    """Bring a file, or the parts of a folder, into a panel.

    Args:
        files: bytes by name.
        options: how to read them, where that is not to be found out, and what to fill.
        name: of the data set, and `unique_id` of a file that names no series.
        known: how the series was read before.

    Returns:
        Panel as `panel.regular` gives it, and how the files were read.

    Raises:
        InputError: what cannot be read, or is not as it is `known`; the sentence says which option
            reads it, where one does.
    """
    sep = options.sep if known is None or known.sep is None else known.sep
    marks = _marks(options, known)
    y = None if marks.thousands else (options if known is None else known).columns.y
    table = tables.read(files, sep, options.sheet, options.encoding, y, marks.decimal)
    return of_table(table, options, name, known)


def of_table(
    table: Table, options: SeriesOptions, name: str, known: Reading | None = None
) -> tuple[pd.DataFrame, Reading]:
    """Bring a table into a panel; as `read`."""
    columns = options.columns if known is None else known.columns
    if table.cells.empty:
        raise InputError(f"series '{name}': its file has no rows; expected at least one")
    cells = _filled(table.cells)
    if cells.empty:
        raise InputError(f"series '{name}': nothing stands in the rows of its file")
    if options.wide:
        asked = columns.model_copy(update={"unique_id": None, "y": columns.ds})
        _refuse_absent(cells, asked, name, known)
        cells, columns = _long(cells, columns, name)
    elif known is None:
        columns = _named(cells, columns, table.sep)
    _refuse_absent(cells, columns, name, known)
    ids, runs = _ids(cells, columns, name)
    marks = _marks(options, known)
    try:
        y, marks = numbers.read(
            cells[columns.y], columns.y, marks, table.sep, known=known is not None
        )
    except InputError:
        if options.wide:  # the column and row of the file, not of the long table
            for one in table.cells.columns.drop(columns.ds):
                numbers.read(table.cells[one], one, marks, table.sep, known=known is not None)
        raise
    valued = y.notna()
    ds, found = times.read(
        cells[columns.ds],
        ids,
        columns.ds,
        options.date_format,
        options.dayfirst,
        known.times if known else None,
        valued if valued.any() else None,
        runs,
    )
    if table.decimal and cells[columns.y].dtype == float:
        marks = Marks(decimal=table.decimal)  # the table's own reader has read them
    rows = pd.DataFrame({"unique_id": ids, "ds": ds, "y": y}, copy=False)
    if known is not None:
        rows = _without(rows, known.dropped, name)
    panel, grids = regular(
        rows,
        options.fill,
        options.season,
        known.grid if known else None,
        runs if len(rows) == len(ids) else None,
    )
    if known is not None:
        return panel, known
    firsts = {
        grid: grid.first.isoformat() if isinstance(grid.first, pd.Timestamp) else int(grid.first)
        for grid in set(grids.values())
    }
    reading = Reading(
        columns=options.columns if options.wide else columns,
        sep=table.sep,
        marks=marks,
        times=found,
        steps=_shared({key: grid.step for key, grid in grids.items()}),
        firsts=_shared({key: firsts[grid] for key, grid in grids.items()}),
    )
    _state(panel, max(len(grids), 1), reading, cells, columns, name)
    return panel, reading


def _marks(options: SeriesOptions, known: Reading | None) -> Marks:
    """Of the numbers, as the first file has shown them or the user says."""
    if known and known.marks.decimal:  # else no file has had any
        return known.marks
    return Marks(decimal=options.decimal, thousands=options.thousands)


def _shared(values: dict[str, T]) -> T | dict[str, T]:
    """The one value of all series, or each one's."""
    different = set(values.values())
    return different.pop() if len(different) == 1 else values


def _filled(cells: pd.DataFrame) -> pd.DataFrame:
    """Without the rows in which nothing stands, as spreadsheets leave them."""
    cells = cells.reset_index(drop=True)
    nothing = cells.index
    # Numbers first, which are looked at fastest, and mostly end it.
    for column in sorted(cells, key=lambda name: isinstance(cells[name].dtype, pd.StringDtype)):
        blank = _blank(cells[column].iloc[nothing] if len(nothing) < len(cells) else cells[column])
        if not blank.any():
            return cells
        nothing = nothing[blank.to_numpy(dtype=bool)]
    logger.info("%d rows in which nothing stands are left out", len(nothing))
    return cells.drop(index=nothing)


def _blank(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.StringDtype):
        text = pa.array(column, type=pa.large_string())
        if len(text) and (pc.min(pc.binary_length(text)).as_py() or 0) > _A_FEW_SPACES:
            return pd.Series(data=False, index=column.index)  # the usual case, at once
        return (column == "") | column.str.isspace() | column.isna()
    if column.dtype != object:
        return column.isna()
    return column.isna() | column.map(lambda cell: isinstance(cell, str) and not cell.strip())


def _long(cells: pd.DataFrame, columns: Columns, name: str) -> tuple[pd.DataFrame, Columns]:
    """A table of one column a series as rows of one value each."""
    names = [column for column in cells.columns if column != columns.ds]
    if not names:
        raise InputError(
            f"series '{name}': the wide table has no column beside '{columns.ds}'; expected one a"
            " series"
        )
    ds = columns.ds if columns.ds not in ("unique_id", "y") else "ds"
    long = pd.DataFrame(
        {
            "unique_id": pd.Series(names, dtype="str").repeat(len(cells)).to_numpy(),
            ds: pd.concat([cells[columns.ds]] * len(names), ignore_index=True),
            "y": pd.concat([cells[name] for name in names], ignore_index=True),
        }
    )
    return long, Columns(ds=ds)


def _named(cells: pd.DataFrame, columns: Columns, sep: str | None) -> Columns:
    """Of a file of two columns without our names: which is the time, which the value."""
    own = [column for column in cells.columns if column != columns.unique_id]
    default = Columns()
    asked = {role: getattr(columns, role) for role in ("ds", "y")}
    absent = [role for role, column in asked.items() if column not in own]
    if len(own) != 2 or not absent or any(asked[role] != getattr(default, role) for role in absent):
        return columns
    if len(absent) == 1:
        (other,) = (column for column in own if column not in asked.values())
        return columns.model_copy(update={absent[0]: other})
    are_numbers = [_are_numbers(cells[column], sep) for column in own]
    are_times = [_are_times(cells[column]) for column in own]
    for ds, y in ((0, 1), (1, 0)):
        # One that is clear is enough: what is wrong in the other is then said of it.
        if (are_times[ds] and not are_times[y]) or (
            are_numbers[y] and not are_numbers[ds] and not are_times[y]
        ):
            return columns.model_copy(update={"ds": own[ds], "y": own[y]})
    return columns


def _are_numbers(cells: pd.Series, sep: str | None) -> bool:
    try:
        numbers.read(cells, "", Marks(), sep)
    except InputError:
        return False
    return True


def _are_times(cells: pd.Series) -> bool:
    """Whether cells are dates; plain numbers may be anything."""
    try:
        _, found = times.read(cells, pd.Series("", index=cells.index), "")
    except SeveralForms as error:
        return NUMBER not in error.readings
    except InputError:
        return False
    return found.form != NUMBER


def _refuse_absent(cells: pd.DataFrame, columns: Columns, name: str, known: Reading | None) -> None:
    for role in ("ds", "y", "unique_id"):
        column = getattr(columns, role)
        if column in cells.columns or (role == "unique_id" and column in (None, "unique_id")):
            continue
        found = f"column '{column}' for {role} is missing, the file has {_listed(cells)}"
        if known is not None:
            cut = f", with {known.sep!r} between them" if known.sep else ""
            raise InputError(
                f"series '{name}': {found}; expected the columns of the file that it was trained"
                f" on{cut}"
            )
        beneath = cells.head(20).eq(column).any(axis=1)
        if beneath.any():
            raise InputError(
                f"series '{name}': {found}, and '{column}' stands in row {int(beneath.argmax()) + 1};"
                " take out what stands above the names of the columns"
            )
        raise InputError(
            f"series '{name}': {found}; name the right one by {role}=NAME, in full"
            f" series_options.{name}.columns.{role}"
        )


def _listed(cells: pd.DataFrame) -> str:
    shown = [str(column) for column in cells.columns]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")


def _ids(cells: pd.DataFrame, columns: Columns, name: str) -> tuple[pd.Series, Runs]:
    """Names of the series, as text, and their runs."""
    if columns.unique_id not in cells.columns:
        ids = pd.Series(name, index=cells.index, dtype="str")
        return ids, Runs(ids[:1], np.array([len(ids)]))
    raw = cells[columns.unique_id]
    if pd.api.types.is_float_dtype(raw) and (raw.dropna() % 1 == 0).all():
        raw = raw.astype("Int64")  # 7.0 is 7, as a spreadsheet has it
    if raw.dtype == object:
        raw = raw.map(
            lambda cell: str(int(cell)) if isinstance(cell, float) and cell % 1 == 0 else cell
        )
    ids = raw.astype("str")
    written, ends = runs = runs_of(ids)
    names = written.str.strip()
    empty = (names.isna() | (names == "")).to_numpy(dtype=bool, na_value=True)
    if empty.any():
        row = int(ends[empty.argmax()] - runs.lengths[empty.argmax()]) + 1
        raise InputError(
            f"series '{name}': column '{columns.unique_id}' is empty in row {row}; every row must"
            " name its series"
        )
    if not names.equals(written):
        ids = pd.Series(names.array.repeat(runs.lengths), index=ids.index)
    return ids, Runs(names, ends)


def _without(rows: pd.DataFrame, dropped: dict[str, str], name: str) -> pd.DataFrame:
    """Without the series that were left out of the training."""
    strange = rows["unique_id"].isin(list(dropped))
    if not strange.any():
        return rows
    count = rows.loc[strange, "unique_id"].nunique()
    if strange.all():
        raise InputError(
            f"series '{name}': all {count} series of the file were left out of the training, the"
            f" first is '{rows['unique_id'].iloc[0]}'; run the forecasting pipeline on more rows"
        )
    logger.info("%d series were left out of the training, so they are not forecast", count)
    return rows[~strange]


def _may_be_years(ds: pd.Series) -> bool:
    return ds.dtype.kind == "i" and ds.min() >= 1500 and ds.max() < 2200


def _state(
    panel: pd.DataFrame,
    series: int,
    reading: Reading,
    cells: pd.DataFrame,
    columns: Columns,
    name: str,
) -> None:
    """One line on how the series was read."""
    cut = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
    parts = [f"{len(panel)} rows" + (f" of {series} series" if series > 1 else "")]
    if reading.sep:
        parts.append(f"{cut.get(reading.sep, repr(reading.sep))} between cells")
    if reading.marks.decimal == ",":
        parts.append("a decimal comma")
    if reading.marks.thousands:
        parts.append(f"thousands marked by {reading.marks.thousands!r}")
    steps = reading.steps if not isinstance(reading.steps, dict) else ""
    if isinstance(reading.steps, dict):
        steps = ", ".join(sorted({str(step) for step in reading.steps.values()})) or "nothing"
    count = " (years, or steps)" if _may_be_years(panel["ds"]) else ""
    parts.append(f"{columns.ds} {reading.times.sentence}{count} in steps of {steps}")
    parts.append(f"{columns.y} is forecast")
    used = (columns.unique_id, columns.ds, columns.y)
    unused = [str(column) for column in cells.columns if column not in used]
    if unused:
        parts.append(f"not used: {', '.join(unused)}")
    logger.info("series '%s' is read as %s", name, "; ".join(parts))
