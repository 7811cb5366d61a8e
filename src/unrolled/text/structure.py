"""What a reader keeps track of while it reads: quotes, brackets, how far the line has come.

>>> found = features(list('ab "c"'))
>>> found["inside quotes"].tolist()
[0.0, 0.0, 0.0, 1.0, 1.0, 0.0]
>>> found["characters of the line"].tolist()
[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Not the single quotes, which are apostrophes too.
_QUOTES = {"“": "”", "「": "」", "『": "』", "«": "»", "„": "“"}
_STRAIGHT = '"'
_BRACKETS = dict(zip("([{（［｛【〔《〈", ")]}）］｝】〕》〉", strict=True))


def features(symbols: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Follow what a text has opened and how long it has gone on.

    Args:
        symbols: N characters; an empty one begins a document, where all is closed. A blank line
            closes quotes and brackets too, since one that was forgotten would turn all after it.

    Returns:
        By name, (N,), each as it stands after the character was read: 1 `inside quotes` and
        `inside brackets`, else 0; `characters of the line`, and `characters of the clause`, since
        the last punctuation mark.
    """
    rows = []
    quote = bracket = ""  # what closes it
    line = clause = 0
    for before, symbol in zip(["", *symbols], symbols, strict=False):
        if symbol == "" or before == symbol == "\n":
            quote = bracket = ""
        if symbol == quote:
            quote = ""
        elif not quote:
            quote = _QUOTES.get(symbol, _STRAIGHT if symbol == _STRAIGHT else "")
        if symbol == bracket:
            bracket = ""
        elif not bracket:
            bracket = _BRACKETS.get(symbol, "")
        ends = symbol in ("", "\n")
        line = 0 if ends else line + 1
        clause = 0 if ends or unicodedata.category(symbol).startswith("P") else clause + 1
        rows.append((bool(quote), bool(bracket), line, clause))
    names = (
        "inside quotes",
        "inside brackets",
        "characters of the line",
        "characters of the clause",
    )
    table = np.array(rows, np.float32).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))
