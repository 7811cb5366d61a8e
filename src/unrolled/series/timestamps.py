"""How time stamps are read by a form.

A form is one of `strftime`, with %q for a quarter, or one of `NAMED`.

Letters: U different stamps.
"""

from __future__ import annotations

import datetime
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
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
OFFSET = r"(:\d\d(?:[.,]\d+)?|[T ]\d\d(?:\d\d){0,2})\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
_ENDS = OFFSET.replace("(:", "(?::", 1).replace("(Z", "(?:Z", 1)
_DAY_WITH_OFFSET = r"^(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d)$"
# What pandas cannot read in a form, or only together.
_PARTS = {
    "%Y": r"(?P<year>\d{4})",
    "%G": r"(?P<year>\d{4})",
    "%q": r"(?P<quarter>[1-4])",
    "%V": r"(?P<week>\d{1,2})",
    "%u": r"(?P<day>[1-7])",
}
# What is written in another way than strftime knows, and in that one: hour 24, a.m., Sept.
_LATE = r"(?:^\d{8}|[T ,])24[:.,0]*$"
_HALF = re.compile(r"(?i)\b([ap])\.?\s?m\b\.?")
_MONTH = re.compile(
    r"(?i)(?<![^\W\d_])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:(?<=jan)uary|(?<=feb)ruary|(?<=mar)ch|(?<=apr)il|(?<=jun)e|(?<=jul)y|(?<=aug)ust"
    r"|(?<=sep)t(?:ember)?|(?<=oct)ober|(?<=nov)ember|(?<=dec)ember)?(?![^\W\d_])\.?"
)


class Stamps(NamedTuple):
    """Read stamps (N,): `local` is datetime64 or int64, NaT where one cannot be read."""

    local: pd.Series
    offset: pd.Series | None  # timedelta64; None where there is none


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
    if form in UNITS or form == EXCEL:
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
    parts = text.str.extract(OFFSET)[1] if text.str.contains(_ENDS).any() else None
    if parts is not None:
        offset = offsets(parts)
        text = text.str.replace(OFFSET, r"\1", regex=True)
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
