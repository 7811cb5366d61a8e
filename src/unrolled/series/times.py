"""Time stamps as people write them: which form a column has, and on which clock it is.

The form is found from the whole column, never from its first row: of the forms that read every stamp
the one is taken that puts every series on a regular grid.

Letters: N stamps, U different ones.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.series import date_formats, timestamps, unread
from unrolled.series.clocks import clock_of, on_clock
from unrolled.series.grid import missing
from unrolled.series.panel import Runs
from unrolled.series.timestamps import ISO, NAMED, NATIVE, NUMBER, Stamps


class SeveralForms(InputError):
    """Stamps that several forms read, and the rows do not tell by which they were written."""

    def __init__(self, sentence: str, readings: list[str]) -> None:
        """Keep the forms beside the sentence."""
        super().__init__(sentence)
        self.readings = readings


class Times(BaseModel):
    """How the time stamps of a series are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: str = Field(NATIVE, description="of strftime, or a name of `NAMED`")
    first_year: int | None = Field(
        None, description="two-digit years lie in the hundred years from it on"
    )
    clock: str = Field(
        "",
        description="of stamps with an offset from UTC: `local` drops it, `UTC` or `+01:00` is the"
        " clock that all are brought to; empty: they have none",
    )

    @property
    def sentence(self) -> str:
        """The form in words."""
        form = {NATIVE: "as dates", NUMBER: "as whole numbers"}.get(self.form, f"as {self.form}")
        return form + (f" on the {self.clock} clock" if self.clock else "")


def read(
    ds: pd.Series,
    ids: pd.Series,
    column: str,
    date_format: str | None = None,
    dayfirst: bool | None = None,
    known: Times | None = None,
    valued: pd.Series | None = None,
    runs: Runs | None = None,
) -> tuple[pd.Series, Times]:
    """Read a column of time stamps.

    Args:
        ds: text, numbers or times (N,), any order.
        ids: series of each (N,).
        column: its name in the file.
        date_format: its form, where the user says it.
        dayfirst: of 01/02/2015 the day is 1, or 2; None: the grid says.
        known: how the stamps of this series were read before; a file that contradicts it is refused.
        valued: whether a row has a value; two-digit years of those that have none may be to come.
        runs: of the series.

    Returns:
        datetime64 without a zone, or int64 (N,); and how they were read.

    Raises:
        InputError: a stamp that no form reads, several forms that all stamps fit, or others than
            were `known`.
    """
    if known is None and date_format is None and date_formats.only_steps(ds):
        return ds.astype("int64"), Times(form=NUMBER)
    if runs is not None and _alike(ds, runs):
        # What the series of a panel share is read once; a refusal counts the rows of all.
        count, own = len(runs.ends), slice(int(runs.ends[0]))
        some = None if valued is None else pd.Series(valued.to_numpy().reshape(count, -1).any(0))
        with suppress(InputError):
            once, found = read(ds[own], ids[own], column, date_format, dayfirst, known, some)
            return pd.Series(np.tile(once.to_numpy(), count), index=ds.index, copy=False), found
    codes, unique = pd.factorize(ds)
    every = pd.Series(unique)
    text = _as_text(every)
    if known is not None and known.form != NATIVE and text is not None:
        form, first_year = known.form, known.first_year
        stamps = timestamps.parse(text, form, first_year)
        _refuse_unread(stamps.local, ds, codes, column, form, said=True)
    elif text is not None:
        readings = (
            {date_format: timestamps.parse(text, date_format)}
            if date_format
            else date_formats.readings(text, column, dayfirst)
        )
        form = _choose(readings, ds, codes, ids, column, said=date_format is not None)
        stamps = readings[form]
        first_year = None
        if "%y" in form:
            past = (
                np.isin(np.arange(len(unique)), codes[valued])
                if valued is not None
                else slice(None)
            )
            first_year = int(stamps.local[past].min().year)
            stamps = timestamps.parse(text, form, first_year)
    else:
        form, first_year, stamps = NATIVE, None, timestamps.native(every)
        _refuse_unread(stamps.local, ds, codes, column, form, said=False)
    if known is not None and (known.form == NUMBER) != (stamps.local.dtype.kind == "i"):
        kinds = ["whole numbers", "dates"]
        was = kinds if known.form == NUMBER else kinds[::-1]
        raise InputError(
            f"column {column}: this file has {was[1]}, but the series was trained on {was[0]};"
            " expected the same"
        )
    local = pd.Series(stamps.local.to_numpy()[codes], index=ds.index, copy=False)
    if stamps.offset is None:
        _refuse_naive(column, known)
        return local, Times(form=form, first_year=first_year)
    offset = pd.Series(stamps.offset.to_numpy()[codes], index=ds.index, copy=False)
    clock = known.clock if known is not None else clock_of(local, offset, ids)
    if known is not None and not clock:
        _refuse_zoned(ds, local, column)
    return on_clock(local, offset, clock), Times(form=form, first_year=first_year, clock=clock)


def _alike(ds: pd.Series, runs: Runs) -> bool:
    """Whether there are several runs, and every one has the stamps of the first."""
    count = len(runs.ends)
    if count < 2 or (runs.lengths != runs.lengths[0]).any() or ds.dtype == object:
        return False
    if not isinstance(ds.dtype, pd.StringDtype):
        stamps = ds.array.asi8 if ds.dtype.kind == "M" else ds.to_numpy()
        blocks = stamps.reshape(count, -1)
        return bool((blocks == blocks[0]).all())
    text = pa.array(ds, type=pa.large_string())
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    if text.null_count or text.offset:
        return False
    _, offsets, raw = text.buffers()
    starts = np.frombuffer(offsets, np.int64, len(text) + 1)
    widths = np.diff(starts).reshape(count, -1)
    if not (widths == widths[0]).all():
        return False
    size = int(widths[0].sum())
    raw, first = raw.slice(int(starts[0])), raw.slice(int(starts[0]), size)
    return all(raw.slice(at * size, size).equals(first) for at in range(1, count))


def _refuse_naive(column: str, known: Times | None) -> None:
    if known is not None and known.clock not in ("", "local"):
        raise InputError(
            f"column {column}: the time stamps have no offset from UTC, but those that the series"
            f" was trained on had and are kept on the clock of {known.clock}; expected stamps"
            " such as 2024-12-31T00:00:00+01:00"
        )


def _refuse_zoned(ds: pd.Series, local: pd.Series, column: str) -> None:
    """Of hours it matters whose they are; days that begin at midnight are those of the clock that shows it."""
    if not (local == local.dt.normalize()).all():
        raise InputError(
            f"column {column}: the time stamps have an offset from UTC"
            f" ({ds.iloc[0]}), but those that the series was trained on had none; expected"
            " stamps on the same clock, without an offset"
        )


def _as_text(unique: pd.Series) -> pd.Series | None:
    """Different stamps as text, numbers too; None where they are times already."""
    if pd.api.types.is_datetime64_any_dtype(unique) or isinstance(unique.dtype, pd.PeriodDtype):
        return None
    if pd.api.types.is_bool_dtype(unique):
        return unique.astype("str")
    if pd.api.types.is_numeric_dtype(unique):
        text = unique.astype("str")
        return text.str.removesuffix(".0") if pd.api.types.is_float_dtype(unique) else text
    if pd.api.types.infer_dtype(unique, skipna=True) in ("date", "datetime", "datetime64"):
        return None
    text = unique.astype("str").str.strip()
    # Whole numbers as pandas writes them where one was missing.
    return text.str.removesuffix(".0") if text.str.fullmatch(r"-?\d+\.0").all() else text


def _choose(
    readings: dict[str, Stamps],
    ds: pd.Series,
    codes: npt.NDArray[Any],
    ids: pd.Series,
    column: str,
    *,
    said: bool,
) -> str:
    """The form that reads all stamps, and where several do, makes the series regular."""
    whole = [form for form, stamps in readings.items() if stamps.local.notna().all()]
    if not whole or (codes < 0).any():
        best = max(readings, key=lambda form: int(readings[form].local.notna().sum()))
        _refuse_unread(readings[best].local, ds, codes, column, best, said=said)
    different: list[str] = []
    for form in whole:
        if not any(readings[form].local.equals(readings[one].local) for one in different):
            different.append(form)
    if len(different) == 1:
        return different[0]
    lacking = {
        form: missing(pd.Series(readings[form].local.to_numpy()[codes]), ids) for form in different
    }
    for most in (0, len(ds)):
        regular = [form for form in different if lacking[form] <= most]
        if len(regular) == 1 or (regular and regular[0] in date_formats.PLAIN):
            return regular[0]
        if regular:
            break
    shown = [
        f"{NAMED.get(form, form)} ({_show(readings[form].local.min())} to {_show(readings[form].local.max())})"
        for form in different
    ]
    raise SeveralForms(
        f"column {column}: {ds.iloc[:1].tolist()[0]!r} and all other time stamps may be read as"
        f" {' or as '.join(shown)}, and the rows do not tell which; say it by the option date_format,"
        f" as in date_format={different[0]}",
        different,
    )


def _show(time: object) -> str:
    return str(time).removesuffix(" 00:00:00")


def _refuse_unread(
    unique: pd.Series, ds: pd.Series, codes: npt.NDArray[Any], column: str, form: str, *, said: bool
) -> None:
    read = np.append(unique.notna().to_numpy(), [False])[codes]
    bad = np.flatnonzero(~read)
    if not len(bad):
        return
    found = ds.iloc[bad[:1]].tolist()[0]
    like = None if said else unread.looks(str(found))
    if said:
        remedy = f"expected dates of the form {form}, in which this series is read"
    elif like:
        remedy = like
    elif form in (ISO, NATIVE, NUMBER):
        remedy = (
            "expected dates such as 2024-12-31, all of one form, or whole numbers; date_format says"
            " another"
        )
    else:
        remedy = f"expected dates of the form {form}, which the others have"
    raise InputError(
        f"column {column}: {len(bad)} of {len(ds)} time stamps cannot be read as a date, the first is"
        f" {found!r} in row {bad[0] + 1}; {remedy}"
    )
