"""Time stamps as people write them: which form a column has, and on which clock it is.

A form is one of pandas' `strftime`, with %q for a quarter, or one of `NAMED`. It is found from the
whole column, never from its first row: of the forms that read every stamp the one is taken that puts
every series on a regular grid.

Letters: N stamps, U different ones.
"""

from __future__ import annotations

import datetime
import itertools
import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.series.grid import gaps
from unrolled.series.options import FORMS

ISO, NUMBER, EXCEL, NATIVE = "ISO8601", "number", "excel", "datetime"
NAMED = {
    ISO: "ISO 8601, such as 2024-12-31 or 2024-12-31T23:00:00+01:00",
    NUMBER: "whole numbers, which count steps",
    EXCEL: "days since 1899-12-30, as a spreadsheet counts",
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
    "ns": "nanoseconds since 1970",
    NATIVE: "dates already",
}
_EPOCH = pd.Timestamp(1970, 1, 1)
_EXCEL_EPOCH = pd.Timestamp(1899, 12, 30)  # not 31: a spreadsheet takes 1900 for a leap year
_EXCEL_RANGE = (25_569, 55_152)  # days of 1970 to 2050
_EPOCH_RANGE = (631_152_000, 4_102_444_800)  # seconds of 1990 to 2100
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_OFFSET = r"(:\d\d(?:[.,]\d+)?|[T ]\d\d)\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
_ENDS = _OFFSET.replace("(:", "(?::", 1).replace("(Z", "(?:Z", 1)
_CLOCK = re.compile(r"([T ,]+)?(\d{1,2}):(\d\d)(:\d\d)?([.,]\d+)?(\s*)([AaPp]\.?[Mm]\.?)?$")
_QUARTER = re.compile(r"(\d{4})([-\s/]*)[Qq]([1-4])$|[Qq]([1-4])([-\s/]*)(\d{4})$")
_WEEK = re.compile(r"\d{4}-?[Ww]\d\d(-?[1-7])?$")
_MONTHS = {
    datetime.date(2001, month, 1).strftime(form).lower(): form
    for month in range(1, 13)
    for form in ("%B", "%b")
}
_DAYS = {
    datetime.date(2001, 1, day).strftime(form).lower(): form
    for day in range(1, 8)
    for form in ("%A", "%a")
}


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


class Stamps(NamedTuple):
    """Read stamps (N,): `local` is datetime64 or int64, NaT where one cannot be read."""

    local: pd.Series
    offset: pd.Series | None  # timedelta64; None where there is none


def read(
    ds: pd.Series,
    ids: pd.Series,
    column: str,
    date_format: str | None = None,
    dayfirst: bool | None = None,
    known: Times | None = None,
) -> tuple[pd.Series, Times]:
    """Read a column of time stamps.

    Args:
        ds: text, numbers or times (N,), any order.
        ids: series of each (N,).
        column: its name in the file.
        date_format: its form, where the user says it.
        dayfirst: of 01/02/2015 the day is 1, or 2; None: the grid says.
        known: how the stamps of this series were read before; a file that contradicts it is refused.

    Returns:
        datetime64 without a zone, or int64 (N,); and how they were read.

    Raises:
        InputError: a stamp that no form reads, several forms that all stamps fit, or others than
            were `known`.
    """
    if known is None and date_format is None and _only_steps(ds):
        return ds.astype("int64"), Times(form=NUMBER)
    codes, unique = pd.factorize(ds)
    every = pd.Series(unique)
    text = _as_text(every)
    if known is not None and known.form != NATIVE and text is not None:
        form, first_year = known.form, known.first_year
        stamps = _parse(text, form, first_year)
        _refuse_unread(stamps.local, ds, codes, column, form, said=True)
    elif text is not None:
        forms = [date_format] if date_format else _candidates(text, column, dayfirst)
        readings = {form: _parse(text, form, None) for form in forms}
        form = _choose(readings, ds, codes, ids, column, said=date_format is not None)
        stamps, first_year = readings[form], None
        if "%y" in form:
            stamps, first_year = _in_the_past(stamps)
    else:
        form, first_year, stamps = NATIVE, None, _native(every)
        _refuse_unread(stamps.local, ds, codes, column, form, said=False)
    if known is not None and (known.form == NUMBER) != (stamps.local.dtype.kind == "i"):
        kinds = ["whole numbers", "dates"]
        was = kinds if known.form == NUMBER else kinds[::-1]
        raise InputError(
            f"column {column}: this file has {was[1]}, but the series was trained on {was[0]};"
            " expected the same"
        )
    local = pd.Series(stamps.local.to_numpy()[codes], index=ds.index)
    if stamps.offset is None:
        clock = ""
        if known is not None and known.clock not in ("", "local"):
            raise InputError(
                f"column {column}: the time stamps have no offset from UTC, but those that the series"
                f" was trained on had and are kept on the clock of {known.clock}; expected stamps"
                " such as 2024-12-31T00:00:00+01:00"
            )
        times = local
        clock = known.clock if known is not None else ""
    else:
        offset = pd.Series(stamps.offset.to_numpy()[codes], index=ds.index)
        clock = _clock(local, offset, ids) if known is None else known.clock
        if not clock and (local == local.dt.normalize()).all():
            clock = "local"  # of days it is the clock that matters, not whose
        if not clock:
            raise InputError(
                f"column {column}: the time stamps have an offset from UTC"
                f" ({ds.iloc[0]}), but those that the series was trained on had none; expected"
                " stamps on the same clock, without an offset"
            )
        times = _on_clock(local, offset, clock)
    return times, Times(form=form, first_year=first_year, clock=clock)


def _only_steps(ds: pd.Series) -> bool:
    """Whether whole numbers are too small to look like anything but steps; for these nothing is tried."""
    return bool(
        pd.api.types.is_integer_dtype(ds) and ds.notna().all() and ds.max() < _EXCEL_RANGE[0]
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
    return unique.astype("str").str.strip()


def _native(unique: pd.Series) -> Stamps:
    """Times that a file holds as such, with a zone or without, and periods, which begin somewhere."""
    if isinstance(unique.dtype, pd.PeriodDtype):
        return Stamps(unique.dt.to_timestamp(), None)
    try:
        times = pd.to_datetime(unique, errors="coerce")
    except ValueError:  # offsets that differ, as where the clocks change
        offsets = unique.map(lambda one: one.utcoffset())
        utc = pd.to_datetime(unique, utc=True).dt.tz_localize(None)
        return Stamps(utc + offsets, offsets)
    if times.dt.tz is None:
        return Stamps(times, None)
    local = times.dt.tz_localize(None)
    return Stamps(local, local - times.dt.tz_convert("UTC").dt.tz_localize(None))


# --- forms ----------------------------------------------------------------------------------------


def _candidates(text: pd.Series, column: str, dayfirst: bool | None) -> list[str]:
    """Forms that the stamps (U,) may have, likely ones first."""
    if not len(text):
        return [ISO]
    if text.str.fullmatch(r"-?\d+").all():
        return _numeric(text.astype("float64"), text)
    if text.str.fullmatch(r"\d{5}(\.\d+)?").all():
        return [EXCEL]
    if (
        text.str.fullmatch(r"-?\d+(\.\d+)?|-?inf|nan").mean() > 0.5
        and not text.str.fullmatch(r"\d{4}\.(0[1-9]|1[0-2])").any()
    ):
        return [NUMBER]
    if text.str.match(r"\d{4}").all():
        iso = _parse(text, ISO, None).local
        if iso.notna().all():
            return [ISO]
    first = text.iloc[0]
    _refuse_incomplete(text, column)
    found = _forms(first)
    if dayfirst is not None:
        found = [form for form in found if _dayfirst(form) in (None, dayfirst)]
    return found or [ISO]


def _dayfirst(form: str) -> bool | None:
    """Whether the day stands before the month; None where the two cannot be confused."""
    if "%d" not in form or "%m" not in form or form.startswith("%Y"):
        return None
    return form.index("%d") < form.index("%m")


def _numeric(values: pd.Series, text: pd.Series) -> list[str]:
    """Whole numbers: steps, and what they look like besides."""
    widths = set(text.str.len())
    low, high = values.min(), values.max()
    for width, form in ((6, "%Y%m"), (8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")):
        likely = widths == {width} and text.str.match("1[6-9]|20|21").all()
        if likely and _parse(text, form, None).local.notna().all():
            return [form, NUMBER]
    for unit, scale in _UNITS.items():
        if low >= _EPOCH_RANGE[0] * scale and high <= _EPOCH_RANGE[1] * scale:
            return [unit]
    if low >= _EXCEL_RANGE[0] and high <= _EXCEL_RANGE[1]:
        return [NUMBER, EXCEL]
    return [NUMBER]


def _refuse_incomplete(text: pd.Series, column: str) -> None:
    """Stamps that leave out what no form can add."""
    found, row = None, text.iloc[0]
    if text.str.fullmatch(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(\s*[AaPp][Mm])?").all():
        found = "a time of day without its date", "dates too"
    elif text.str.fullmatch(r"\d{1,2}[-/.]\d{1,2}").all():
        found = "a month and a year of two digits or fewer", "whole years, such as 2001-01"
    elif text.str.fullmatch(r"(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*").all():
        found = "a month without its year", "years too, such as 2001-01"
    if found:
        raise InputError(
            f"column {column}: {row!r} looks like {found[0]}; expected {found[1]}: write them into"
            " the file"
        )


def _forms(stamp: str) -> list[str]:
    """Forms of strftime that one stamp may have been written by."""
    stamp = re.sub(_OFFSET, r"\1", stamp)
    if quarter := _QUARTER.fullmatch(stamp):
        year, between, _, _, other, _ = quarter.groups()
        q = stamp[stamp.upper().index("Q")]
        return [f"%Y{between}{q}%q" if year else f"{q}%q{other}%Y"]
    if week := _WEEK.fullmatch(stamp):
        divided = "-" if stamp[4] == "-" else ""
        day = f"{'-' if week[1].startswith('-') else ''}%u" if week[1] else ""
        return [f"%G{divided}{stamp[len('2015') + len(divided)]}%V{day}"]
    clock = _CLOCK.search(stamp)
    time = ""
    if clock:
        stamp = stamp[: clock.start()]
        lead, _, _, seconds, fraction, space, half = clock.groups()
        time = f"{lead or ''}{'%I' if half else '%H'}:%M{':%S' if seconds else ''}"
        time += f"{fraction[0]}%f" if fraction else ""
        time += f"{space}%p" if half else space or ""
    tokens = re.findall(r"\d+|[^\W\d_]+|[\W_]+", stamp)
    words = [_word(token) for token in tokens]
    numbers = [len(token) for token in tokens if token.isdigit()]
    named = any("%b" in word or "%B" in word for word in words)
    found = []
    for roles in _roles(numbers, named=named):
        order = iter(roles)
        options = [
            [next(order)] if token.isdigit() else word
            for token, word in zip(tokens, words, strict=True)
        ]
        found += ["".join(parts) + time for parts in itertools.product(*options)]
    return found


def _word(token: str) -> list[str]:
    """What a part of a stamp that is no number may stand for."""
    lower = token.lower()
    forms = [*{_MONTHS.get(lower, ""), "%b" if lower == "may" else ""} - {""}]
    forms += [form for day, form in _DAYS.items() if day == lower]
    return forms or [token.replace("%", "%%")]


def _roles(widths: list[int], *, named: bool) -> list[tuple[str, ...]]:
    """What the numbers of a stamp may be, by their digits; `named`: the month is a word."""
    years = [("%Y" if width == 4 else "%y" if width == 2 else "") for width in widths]
    orders: list[tuple[str, ...]] = []
    if named and len(widths) == 1:
        orders = [(years[0],)]
    elif named and len(widths) == 2:
        orders = [("%d", years[1]), (years[0], "%d")]
    elif not named and len(widths) == 2 and 4 in widths:
        orders = [("%Y", "%m"), ("%m", "%Y")]
    elif not named and len(widths) == 3:
        orders = [("%d", "%m", years[2]), ("%m", "%d", years[2]), (years[0], "%m", "%d")]
    fitting = [
        order
        for order in orders
        if all(
            role == year or width <= 2
            for role, width, year in zip(order, widths, years, strict=True)
        )
        and all(order)
    ]
    return [order for order in fitting if "%Y" in order] or fitting


# --- reading --------------------------------------------------------------------------------------


def _parse(text: pd.Series, form: str, first_year: int | None) -> Stamps:
    """Stamps (U,) in a form; NaT where one is none."""
    if form == NUMBER:
        numbers = pd.to_numeric(text, errors="coerce").astype("float64")
        small = (numbers % 1 == 0) & (numbers.abs() < 2**53)
        if small.all():
            return Stamps(numbers.astype("int64"), None)
        return Stamps(
            pd.Series(_EPOCH, index=text.index).where(small).astype("datetime64[us]"), None
        )
    if form in _UNITS or form == EXCEL:
        numbers = pd.to_numeric(text, errors="coerce")
        try:
            if form == EXCEL:  # to the second: a day's fraction has no more digits
                seconds = (numbers * 86_400).round()
                found = pd.to_datetime(seconds, unit="s", origin=_EXCEL_EPOCH, errors="coerce")
            else:
                found = pd.to_datetime(numbers, unit=form, errors="coerce")  # type: ignore[call-overload]
        except (ValueError, OverflowError):
            found = pd.Series(pd.NaT, index=text.index)
        return Stamps(found.astype("datetime64[us]") if form != "ns" else found, None)
    if form == NATIVE:
        form = ISO
    offset = None
    parts = text.str.extract(_OFFSET)[1] if text.str.contains(_ENDS).any() else None
    if parts is not None:
        offset = _offsets(parts)
        text = text.str.replace(_OFFSET, r"\1", regex=True)
    form = form.replace("%z", "").strip() if "%z" in form else form
    text = text.where(text.str.contains(r"\d"))  # "now" is a date to pandas, in any form
    if "%q" in form:
        text, form = _of_quarters(text, form)
    if "%V" in form and "%u" not in form:
        text, form = text + "-1", form + "-%u"
    try:
        local = pd.to_datetime(text, format=form, errors="coerce")
    except ValueError as error:
        raise InputError(
            f"parameter 'date_format' is {form!r}: {' '.join(str(error).split())}; expected a form of"
            f" strftime such as %d/%m/%Y, or one of {', '.join(FORMS)}"
        ) from None
    if local.dtype == object or getattr(local.dtype, "tz", None) is not None:
        local = pd.Series(pd.NaT, index=text.index).astype("datetime64[us]")
    if first_year is not None:
        local = _within(local, first_year)
    if offset is not None:
        local = local.where(offset.notna())
    return Stamps(local, offset)


def _of_quarters(text: pd.Series, form: str) -> tuple[pd.Series, str]:
    """Quarters as the month that they begin with."""
    pattern = re.escape(form).replace("%Y", r"(?P<year>\d{4})").replace("%q", r"(?P<q>[1-4])")
    parts = text.str.extract(f"(?i)^{pattern}$")
    month = parts["q"].map({"1": "01", "2": "04", "3": "07", "4": "10"})
    return parts["year"] + "-" + month, "%Y-%m"


def _offsets(parts: pd.Series) -> pd.Series:
    """`+01:00`, `Z` as times (U,)."""
    known = (
        parts.fillna("")
        .str.replace(":", "")
        .replace({"Z": "+0000", "UTC": "+0000", "GMT": "+0000"})
    )
    known = known.where(known.str.len() != 3, known + "00")
    minutes = 60 * pd.to_numeric(known.str[1:3], errors="coerce") + pd.to_numeric(
        known.str[3:5], errors="coerce"
    )
    signed = minutes.where(known.str[:1] == "+", -minutes)
    return pd.to_timedelta(signed, unit="min")


def _in_the_past(stamps: Stamps) -> tuple[Stamps, int | None]:
    """Two-digit years in the century in which no date lies in the future."""
    local = stamps.local
    now = pd.Timestamp(datetime.datetime.now())
    future = local > now
    if future.any():
        local = local.where(~future, _years(local, np.full(len(local), -100)))
    first = local.min()
    return Stamps(local, stamps.offset), None if pd.isna(first) else int(first.year)


def _within(local: pd.Series, first_year: int) -> pd.Series:
    """Two-digit years in the hundred years from `first_year` on."""
    years = local.dt.year.fillna(first_year).to_numpy(dtype=np.int64)
    wanted = first_year + (years - first_year) % 100
    return _years(local, wanted - years)


def _years(local: pd.Series, shift: npt.NDArray[np.int64]) -> pd.Series:
    """The same day and hour so many years later, NaT where there is none."""
    result = local.copy()
    for years in np.unique(shift[shift != 0]):
        own = shift == years
        result[own] = local[own] + pd.DateOffset(years=int(years))
    return result


# --- choices --------------------------------------------------------------------------------------


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
    missing = {
        form: _missing(pd.Series(readings[form].local.to_numpy()[codes]), ids) for form in different
    }
    for most in (0, len(ds)):
        regular = [form for form in different if missing[form] <= most]
        if len(regular) == 1 or (regular and regular[0] in ("%Y%m", "%Y%m%d")):
            return regular[0]
        if regular:
            break
    shown = [
        f"{NAMED.get(form, form)} ({_show(readings[form].local.min())} to {_show(readings[form].local.max())})"
        for form in different
    ]
    raise InputError(
        f"column {column}: {ds.iloc[:1].tolist()[0]!r} and all other time stamps may be read as"
        f" {' or as '.join(shown)}, and the rows do not tell which; say it by the option date_format,"
        f" as in date_format={different[0]}"
    )


def _show(time: object) -> str:
    return str(time).removesuffix(" 00:00:00")


def _missing(times: pd.Series, ids: pd.Series) -> float:
    """Grid points that the series lack, all together."""
    total, seen = 0.0, {}
    for _, own in times.groupby(ids.to_numpy(), sort=False):
        ordered = np.unique(own.to_numpy())
        key = ordered.tobytes()
        if key not in seen:
            seen[key] = gaps(pd.Index(ordered))
        total += seen[key]
    return total


def _refuse_unread(
    unique: pd.Series, ds: pd.Series, codes: npt.NDArray[Any], column: str, form: str, *, said: bool
) -> None:
    read = np.append(unique.notna().to_numpy(), [False])[codes]
    bad = np.flatnonzero(~read)
    if not len(bad):
        return
    found = ds.iloc[bad[:1]].tolist()[0]
    if said:
        expected = f"of the form {form}, in which this series is read"
    elif form in (ISO, NATIVE, NUMBER):
        expected = "such as 2024-12-31, all of one form, or whole numbers; date_format says another"
    else:
        expected = f"of the form {form}, which the others have"
    raise InputError(
        f"column {column}: {len(bad)} of {len(ds)} time stamps cannot be read as a date, the first is"
        f" {found!r} in row {bad[0] + 1}; expected dates {expected}"
    )


def _clock(local: pd.Series, offset: pd.Series, ids: pd.Series) -> str:
    """The clock on which the series are regular: that which the rows show, or one of them all."""
    offsets = offset.unique()
    if len(offsets) == 1:
        steps = np.diff(np.unique(local.to_numpy()))
        if not len(steps) or steps.min() >= np.timedelta64(1, "D"):
            return "local"
        return _named(pd.Timedelta(offsets[0]))
    missing = {"local": _missing(local, ids), "UTC": _missing(local - offset, ids)}
    # Twins in the hour that the clocks repeat are no gap, but rows that would be lost.
    if (
        pd.DataFrame({"ids": ids, "local": local, "offset": offset})
        .groupby(["ids", "local"])["offset"]
        .nunique()
        .max()
        > 1
    ):
        return "UTC"
    return min(missing, key=lambda clock: missing[clock])


def _named(offset: pd.Timedelta) -> str:
    minutes = int(offset.total_seconds() // 60)
    if not minutes:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _on_clock(local: pd.Series, offset: pd.Series, clock: str) -> pd.Series:
    if clock == "local":
        return local
    utc = local - offset
    if clock == "UTC":
        return utc
    return utc + _offsets(pd.Series([clock])).iloc[0]
