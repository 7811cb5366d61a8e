"""What one time stamp may have been written by: forms, likely ones first.

A form is one of `strftime`, with %q for a quarter, or one of `timestamps.NAMED`.

Letters: U different stamps.
"""

from __future__ import annotations

import datetime
import itertools
import re

import numpy as np
import pandas as pd

from unrolled.errors import InputError
from unrolled.series.timestamps import EXCEL, ISO, NUMBER, OFFSET, UNITS, Stamps, parse

_EXCEL_RANGE = (25_569, 55_152)  # days of 1970 to 2050
_EPOCH_RANGE = (631_152_000, 4_102_444_800)  # seconds of 1990 to 2100
_CLOCK = re.compile(r"([T ,]+)?(\d{1,2}):(\d\d)(:\d\d)?([.,]\d+)?(\s*)([AaPp]\.?\s?[Mm]\.?)?$")
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_QUARTER = re.compile(
    r"(?i)Q(?:uart[ea][lr])?\s*([1-4])(?!\d)|(?<!\d)([1-4])\.?\s?Q(?:uart[ea][lr])?"
)
_WEEK = re.compile(r"(?i)(?<![a-z])(?:KW|CW|week|wk|w)\s*(\d{1,2})(?!\d)")
_ISO_WEEK = re.compile(r"\d{4}-?[Ww]\d\d-?[1-7]$")
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

# Dates in digits alone, those first that hardly are anything else.
COMPACT = (
    *((6, "%Y%m"), (8, "%Y%m%d"), (10, "%Y%m%d%H"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")),
    *((6, "%G%V"), (6, "%y%m%d"), (7, "%Y%j")),
)
PLAIN = {form for _, form in COMPACT[:5]}


def only_steps(ds: pd.Series) -> bool:
    """Whether whole numbers are too small to look like anything but steps; for these nothing is tried."""
    if not pd.api.types.is_integer_dtype(ds) or ds.isna().any() or ds.max() >= _EXCEL_RANGE[0]:
        return False
    return not (ds.min() > 100 and (ds % 100).between(1, 12).all())  # which may be months: 2301


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
        for unit, scale in UNITS.items()
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
    stamp = re.sub(OFFSET, r"\1", stamp)
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
