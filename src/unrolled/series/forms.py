"""What one time stamp may have been written by, and how stamps are read by a form.

A form is one of `strftime`, with %q for a quarter, or one of `NAMED`.

Letters: U different stamps.
"""

from __future__ import annotations

import datetime
import itertools
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.errors import InputError
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
_OFFSET = r"(:\d\d(?:[.,]\d+)?|[T ]\d\d(?:\d\d){0,2})\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
_ENDS = _OFFSET.replace("(:", "(?::", 1).replace("(Z", "(?:Z", 1)
_CLOCK = re.compile(r"([T ,]+)?(\d{1,2}):(\d\d)(:\d\d)?([.,]\d+)?(\s*)([AaPp]\.?\s?[Mm]\.?)?$")
_DAY_WITH_OFFSET = r"^(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d)$"
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_QUARTER = re.compile(
    r"(?i)Q(?:uart[ea][lr])?\s*([1-4])(?!\d)|(?<!\d)([1-4])\.?\s?Q(?:uart[ea][lr])?"
)
_WEEK = re.compile(r"(?i)(?<![a-z])(?:KW|CW|week|wk|w)\s*(\d{1,2})(?!\d)")
_ISO_WEEK = re.compile(r"\d{4}-?[Ww]\d\d-?[1-7]$")
# What pandas cannot read in a form, or only together.
_PARTS = {
    "%Y": r"(?P<year>\d{4})",
    "%G": r"(?P<year>\d{4})",
    "%q": r"(?P<quarter>[1-4])",
    "%V": r"(?P<week>\d{1,2})",
    "%u": r"(?P<day>[1-7])",
}
# Words of a date that say nothing.
_FILLERS = {"m", "年", "月", "日", "of", "de", "th", "st", "nd", "rd"}
_MONTHS = {
    datetime.date(2001, month, 1).strftime(form).lower(): form
    for month in range(1, 13)
    for form in ("%B", "%b")
}
_MONTHS |= {"sept": "%b"}
_DAYS = {
    datetime.date(2001, 1, day).strftime(form).lower(): form
    for day in range(1, 8)
    for form in ("%A", "%a")
}


# What is written in another way than strftime knows, and in that one: hour 24, a.m., Sept.
_LATE = r"(?:^\d{8}|[T ,])24[:.,0]*$"
_HALF = re.compile(r"(?i)\b([ap])\.?\s?m\b\.?")
_MONTH = re.compile(
    r"(?i)(?<![^\W\d_])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:(?<=jan)uary|(?<=feb)ruary|(?<=mar)ch|(?<=apr)il|(?<=jun)e|(?<=jul)y|(?<=aug)ust"
    r"|(?<=sep)t(?:ember)?|(?<=oct)ober|(?<=nov)ember|(?<=dec)ember)?(?![^\W\d_])\.?"
)

# Dates in digits alone, those first that hardly are anything else.
COMPACT = (
    *((6, "%Y%m"), (8, "%Y%m%d"), (10, "%Y%m%d%H"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")),
    *((6, "%G%V"), (6, "%y%m%d"), (7, "%Y%j")),
)
PLAIN = {form for _, form in COMPACT[:5]}


class Stamps(NamedTuple):
    """Read stamps (N,): `local` is datetime64 or int64, NaT where one cannot be read."""

    local: pd.Series
    offset: pd.Series | None  # timedelta64; None where there is none


def only_steps(ds: pd.Series) -> bool:
    """Whether whole numbers are too small to look like anything but steps; for these nothing is tried."""
    if not pd.api.types.is_integer_dtype(ds) or ds.isna().any() or ds.max() >= _EXCEL_RANGE[0]:
        return False
    return not (ds.min() > 100 and (ds % 100).between(1, 12).all())  # which may be months: 2301


def native(unique: pd.Series) -> Stamps:
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


def readings(text: pd.Series, column: str, dayfirst: bool | None) -> dict[str, Stamps]:
    """What the stamps (U,) are by each form that they may have, likely ones first."""
    if text.str.match(r"\d{4}-\d\d-\d\d").all():  # the commonest form, read once
        iso = parse(text, ISO)
        if iso.local.notna().all():
            return {ISO: iso}
    return {form: parse(text, form) for form in _candidates(text, column, dayfirst)}


def _candidates(text: pd.Series, column: str, dayfirst: bool | None) -> list[str]:
    if not len(text):
        return [ISO]
    if text.str.fullmatch(r"-?\d+").all():
        return _numeric(text.astype("float64"), text)
    if text.str.fullmatch(r"\d{5}([.,]\d+)?").all():
        return [EXCEL]
    if (
        text.str.fullmatch(r"-?\d+(\.\d+)?|-?inf|nan").mean() > 0.5
        and not text.str.fullmatch(r"\d{4}\.(0[1-9]|1[0-2])|(0?[1-9]|1[0-2])\.\d{4}").any()
    ):
        return [NUMBER]
    _refuse_fiscal(text, column)
    if text.str.match(r"\d{4}").all():
        iso = parse(text, ISO).local
        if iso.notna().all():
            return [ISO]
    first = text.iloc[0]
    _refuse_incomplete(text, column)
    found = _forms(first)
    if dayfirst is not None:
        found = [form for form in found if _dayfirst(form) in (None, dayfirst)]
    return found or [ISO]


def looks_like_time(cell: str) -> bool:
    """Whether a cell can be read as a time that is no plain number.

    >>> looks_like_time("Jan-22"), looks_like_time("Sales"), looks_like_time("2024")
    (True, False, False)
    """
    one = pd.Series([cell])
    if not re.search(r"\d", cell) or cell.isdigit():
        return False
    return any(parse(one, form).local.notna().all() for form in (ISO, *_forms(cell)))


def _dayfirst(form: str) -> bool | None:
    """Whether the day stands before the month; None where the two cannot be confused."""
    if "%d" not in form or "%m" not in form or form.startswith("%Y"):
        return None
    return form.index("%d") < form.index("%m")


def _numeric(values: pd.Series, text: pd.Series) -> list[str]:
    """Whole numbers: steps, and what they look like besides."""
    widths = set(text.str.len())
    low, high = values.min(), values.max()
    likely = [
        form
        for width, form in COMPACT
        if widths == {width}
        and (form == "%y%m%d" or text.str.match("1[6-9]|20|21").all())
        and parse(text, form).local.notna().all()
    ]
    units = [
        unit
        for unit, scale in _UNITS.items()
        if low >= _EPOCH_RANGE[0] * scale and high <= _EPOCH_RANGE[1] * scale
    ]
    if units:
        return [*likely, *units]
    if likely:
        return [*likely, NUMBER]
    if widths == {4} and (values % 100).between(1, 12).all() and np.ptp(np.diff(np.sort(values))):
        return ["%y%m", NUMBER]  # 2312, 2401; one after the other they are years, or steps
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
        remedy = "write them into the file"
        if re.fullmatch(r"\d\d[-/.]\d\d", row):
            remedy += f", or say which is which, as in date_format=%m{row[2]}%y"
        raise InputError(
            f"column {column}: {row!r} looks like {found[0]}; expected {found[1]}: {remedy}"
        )


def _refuse_fiscal(text: pd.Series, column: str) -> None:
    """2000-01, 2001-02, 2002-03 are years that end in the next, not months thirteen apart."""
    if len(text) < 3 or not text.str.fullmatch(r"\d{4}[-/]\d\d").all():
        return
    if ((text.str[:4].astype(int) + 1) % 100 == text.str[5:].astype(int)).all():
        raise InputError(
            f"column {column}: {text.iloc[0]!r} and all others look like years that end in the next"
            " one; expected whole years, or dates such as 2024-12-31: write them into the file"
        )


def _forms(stamp: str) -> list[str]:
    """Forms of strftime that one stamp may have been written by."""
    stamp = re.sub(_OFFSET, r"\1", stamp)
    if _ISO_WEEK.fullmatch(stamp):
        divided = "-" if stamp[4] == "-" else ""
        return [f"%G{divided}W%V{divided}%u"]
    for pattern, year_form, form in ((_QUARTER, "%Y", "%q"), (_WEEK, "%G", "%V")):
        part, years = pattern.search(stamp), _YEAR.findall(stamp)
        if part and len(years) == 1 and len(re.findall(r"\d+", stamp)) == 2:
            at = next(group for group in range(1, pattern.groups + 1) if part[group])
            first, last = part.span(at)
            literal = (stamp[:first].replace("%", "%%"), stamp[last:].replace("%", "%%"))
            return [(literal[0] + form + literal[1]).replace(years[0], year_form)]
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
    if any(
        token.isalpha() and word == [token] and token.lower() not in _FILLERS
        for token, word in zip(tokens, words, strict=True)
    ):
        return []
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
    if lower == "may":
        return ["%b", "%B"]
    found = _MONTHS.get(lower) or _DAYS.get(lower)
    return [found or token.replace("%", "%%")]


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


def parse(text: pd.Series, form: str, first_year: int | None = None) -> Stamps:
    """Stamps (U,) in a form, NaT where one is none.

    Args:
        text: as they were written.
        form: of strftime, or a name.
        first_year: two-digit years lie in the hundred years from it on; None: in those in which no
            stamp lies in the future.

    Raises:
        InputError: no form.
    """
    if form == NUMBER:
        numbers = pd.to_numeric(text, errors="coerce").astype("float64")
        small = (numbers % 1 == 0) & (numbers.abs() < 2**53)
        if small.all():
            return Stamps(numbers.astype("int64"), None)
        return Stamps(
            pd.Series(_EPOCH, index=text.index).where(small).astype("datetime64[us]"), None
        )
    if form in _UNITS or form == EXCEL:
        pointed = text.str.replace(",", ".") if form == EXCEL else text
        numbers = pd.to_numeric(pointed, errors="coerce")
        try:
            if form == EXCEL:  # to the second: a day's fraction has no more digits
                seconds = (numbers * 86_400).round()
                found = pd.to_datetime(seconds, unit="s", origin=_EXCEL_EPOCH, errors="coerce")
            else:
                found = pd.to_datetime(numbers, unit=form, errors="coerce")  # type: ignore[call-overload]
        except (ValueError, OverflowError):
            found = pd.Series(pd.NaT, index=text.index)
        found = found.astype("datetime64[us]") if form != "ns" else found
        return Stamps(found.where(found.dt.year.between(1, 9999)), None)
    if form == NATIVE:
        form = ISO
    offset = None
    if form == ISO and text.str.fullmatch(r"\d{4}-\d\d-\d\d(Z|[+-]\d\d:\d\d)").any():
        text = text.str.replace(_DAY_WITH_OFFSET, r"\1T00:00\2", regex=True)
    parts = text.str.extract(_OFFSET)[1] if text.str.contains(_ENDS).any() else None
    if parts is not None:
        offset = offsets(parts)
        text = text.str.replace(_OFFSET, r"\1", regex=True)
    form = form.replace("%z", "").strip() if "%z" in form else form
    text = text.where(text.str.contains(r"\d"))  # "now" is a date to pandas, in any form
    if "%q" in form or "%V" in form:
        text, form = _of_parts(text, form)
    try:
        local = pd.to_datetime(text, format=form, errors="coerce")
        if local.isna().any():
            local = _respelled(text, form, local)
    except (ValueError, re.error) as error:
        raise InputError(
            f"parameter 'date_format' is {form!r}: {' '.join(str(error).split())}; expected a form of"
            f" strftime such as %d/%m/%Y, or one of {', '.join(FORMS)}"
        ) from None
    if local.dtype == object or getattr(local.dtype, "tz", None) is not None:
        local = pd.Series(pd.NaT, index=text.index).astype("datetime64[us]")
    if "%y" in form:
        local = _within(local, first_year) if first_year else _in_the_past(local)
    if offset is not None:
        local = local.where(offset.notna())
    return Stamps(local, offset)


def _respelled(text: pd.Series, form: str, local: pd.Series) -> pd.Series:
    """The stamps (U,) with those that a form would read, were they spelled as strftime has it.

    The hour 24 is midnight of the next day, as ISO 8601 had it until 2019.
    """
    own = text[local.isna() & text.notna()]
    if "%b" in form or "%B" in form:
        own = own.str.replace(_MONTH, r"\1", regex=True)
        form = form.replace("%B", "%b").replace("%b.", "%b")
    if "%p" in form and own.str.contains(r"(?i)[ap][. ]").any():
        own = own.str.replace(_HALF, r"\1m", regex=True)
    late = pd.Series(data=False, index=own.index)
    if form == ISO or "%H" in form:
        late = own.str.contains(_LATE)
        own = own.where(
            ~late, own[late].str.replace(re.compile(r"24(?=[:.,0]*$)"), "00", regex=True)
        )
    if own.equals(text[own.index]):
        return local
    found = pd.to_datetime(own, format=form, errors="coerce")
    if "O" in (found.dtype.kind, local.dtype.kind) or found.isna().all():
        return local
    found = found.where(~late, found + pd.Timedelta(days=1)).reindex(local.index)
    finest = np.result_type(local.to_numpy(), found.to_numpy())
    return local.astype(finest).where(local.notna(), found.astype(finest))


def _of_parts(text: pd.Series, form: str) -> tuple[pd.Series, str]:
    """Quarters as the month that they begin with, weeks as their Monday or a day of theirs."""
    pattern = re.escape(form)
    for part, digits in _PARTS.items():
        pattern = pattern.replace(part, digits)
    found = text.str.extract(f"(?i)^{pattern}$")
    if "quarter" in found:
        month = found["quarter"].map({"1": "01", "2": "04", "3": "07", "4": "10"})
        return found["year"] + "-" + month, "%Y-%m"
    day = found.get("day", "1")
    return found["year"] + "-" + found["week"].str.zfill(2) + "-" + day, "%G-%V-%u"


def offsets(parts: pd.Series) -> pd.Series:
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
    minutes = minutes.where(minutes <= 14 * 60)  # the farthest that there is
    signed = minutes.where(known.str[:1] == "+", -minutes)
    return pd.to_timedelta(signed, unit="min")


def _in_the_past(local: pd.Series) -> pd.Series:
    """Two-digit years in the century in which no date lies in the future."""
    future = local > pd.Timestamp(datetime.datetime.now())
    return local.where(~future, _years(local, np.full(len(local), -100)))


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
