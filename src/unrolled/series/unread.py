"""What a time stamp that no form reads looks like, and what to do about it.

Kinds that are rare, or that may mean several things, get a sentence rather than code that guesses.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Months in German, French, Spanish, Italian, Portuguese and Dutch, where they differ from English.
_FOREIGN = (
    r"j[aä]nner|januar|februar|märz?|mrz|mai|juni|juli|okt(?:ober)?|dez(?:ember)?"
    r"|janv(?:ier)?|févr?(?:ier)?|fevr?(?:ier)?|mars|avr(?:il)?|juin|juil(?:let)?|ao[uû]t|septembre|octobre"
    r"|novembre|d[eé]c(?:embre)|déc|ene(?:ro)?|febrero|marzo|abr(?:il)?|mayo|junio|julio|ago(?:sto)?"
    r"|sept?iembre|octubre|noviembre|dic(?:iembre|embre)?|gen(?:naio)?|febbraio|aprile|mag(?:gio)?|giu(?:gno)?"
    r"|lug(?:lio)?|set(?:tembre|embro)?|ott(?:obre)?|janeiro|fev(?:ereiro)?|março|maio|junho|julho|out(?:ubro)?"
    r"|novembro|dezembro|januari|februari|maart|mrt|mei|augustus"
)
_ZONES = r"CES?T|ME[SZ]Z|MEZ|WES?T|EES?T|BST|IST|MSK|[ECMP][SD]T|AK[SD]T|HST|JST|KST|AE[SD]T|AWST|NZ[SD]T"
_NO_TIMES = {"NaT", "nan", "<NA>", "inf", "-inf", "True", "False", "None"}  # as cells without text
_CENTURY = r"(?:1[5-9]|20|21)\d\d"


class _Kind(NamedTuple):
    pattern: str
    looks: str  # {}: what the pattern has found
    cure: str


_OFFSET = "write each time with its offset from UTC alone, such as 2024-12-31T23:00:00+01:00"
_KINDS = (
    _Kind(
        rf"^(?:{_CENTURY})\s?[-/]\s?({_CENTURY})$|^\s*(FY\W?\d+(?:[-/]\d+)?)",
        "looks like a financial year",
        "write whole years, or the day that each begins with, such as 2024-07-01",
    ),
    _Kind(
        rf"({_CENTURY}.*){_CENTURY}|(?<![:\d])\d\d?:\d\d\s*(?:[-–/]|to|bis)(?:.*[^\d:])?\d\d?:\d\d",
        "looks like the beginning and the end of a span",
        "keep one of the two in the column, the same in every row",
    ),
    _Kind(
        r"\d\s*(\[[A-Za-z_]+(?:/[A-Za-z_]+)*\])$",
        "ends in the name of a time zone, '{}'",
        "take the name out of the file; an offset before it says all",
    ),
    _Kind(
        rf"(?<![A-Za-z])({_ZONES}|[A-Z][a-z]+/[A-Z][A-Za-z_]+)(?![A-Za-z])",
        "has the name of a time zone, '{}'",
        _OFFSET + ", or take the name out where the clocks are never changed",
    ),
    _Kind(r"((?:UTC|GMT)\s?[+-]\d\d?(?::?\d\d)?)", "has an offset written as '{}'", _OFFSET),
    _Kind(
        r"(?i)^\W*([HS][12]\W*\d{2,4}|\d{4}\W*[HS][12]|[12]H\W*\d{2,4})$",
        "looks like half a year",
        "write the month that each begins with, such as 2024-01 and 2024-07",
    ),
    _Kind(
        r"(?i)^\W*(Q[1-4]\W*\d\d|[1-4]Q\W*\d\d)$",
        "looks like a quarter of a year of two digits",
        "write whole years, such as Q1 2024",
    ),
    _Kind(
        r"(?i)^\W*(T[1-4]\W*\d{2,4}|\d{4}\W*T[1-4])$",
        "looks like a part of a year",
        "write quarters as Q1 2024, other parts by the month that each begins with, such as 2024-05",
    ),
    _Kind(
        rf"(?i)(?<![a-z])({_FOREIGN})(?![a-zà-ÿ])",
        "has the month '{}', but names of months are read in English",
        "write numbers, such as 2024-12-31",
    ),
    _Kind(
        rf"^({_CENTURY}[.,]\d+)$",
        "looks like a year and a fraction of it",
        "write dates, such as 2024-07-01, or count the rows in whole numbers",
    ),
    _Kind(
        r"^(-?\d+[.,]\d+)$",
        "looks like a number with a fraction",
        "write dates, such as 2024-12-31, or count the steps in whole numbers",
    ),
    _Kind(
        r"(?i)\d\D+\d+\D+\d+[T ,]+\d\d?\s?[ap]\.?\s?m\.?$",
        "looks like a day and an hour without its minutes",
        "write 11:00 PM, or say the form, such as date_format='%m/%d/%Y %I %p'",
    ),
    _Kind(
        r"\d\D+\d+\D+\d+[T ,]+\d\d?\s?(?:[hH]|Uhr)?$",
        "looks like a day and an hour without its minutes",
        "write 23:00, or say the form, such as date_format='%d.%m.%Y %H'",
    ),
)


def looks(stamp: str) -> str | None:
    """What a stamp looks like, and the cure; None where it looks like nothing known.

    >>> looks("2015-03-01 00:00 CET")[:41]
    "it has the name of a time zone, 'CET': wr"
    >>> looks("Total")
    'it has no digit: take the row out where it is of sums or a note, else write a date'
    """
    if not re.search(r"\d", stamp) and re.search(r"\w\w", stamp) and stamp not in _NO_TIMES:
        return "it has no digit: take the row out where it is of sums or a note, else write a date"
    for pattern, what, cure in _KINDS:
        found = re.search(pattern, stamp)
        if found:
            part = next((group for group in found.groups() if group), "")
            return f"it {what.format(part)}: {cure}"
    return None
