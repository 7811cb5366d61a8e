"""Encodings of text, for series and corpora alike."""

from __future__ import annotations

import codecs
from typing import Annotated

from pydantic import AfterValidator

# Python's codecs of source code, host names and tables of one's own turn bytes into text too, but no
# file is written so.
_NO_TEXT = {"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}


def text_encoding(encoding: str) -> str:
    """The name of an encoding, which has to be one of text.

    >>> text_encoding("GB18030")
    'GB18030'

    Raises:
        ValueError: Python knows none of this name, or it is none that a file is written in.
    """
    try:
        "a".encode(encoding)  # not the empty string, for which nothing is looked up
        known = codecs.lookup(encoding).name.replace("_", "-") not in _NO_TEXT
    except (LookupError, ValueError):  # a codec from bytes to bytes; a name that holds NUL
        known = False
    if not known:
        raise ValueError(
            "expected a text encoding that Python knows, such as utf-8, utf-16, cp1252 or gb18030"
        )
    return encoding


Encoding = Annotated[str, AfterValidator(text_encoding)]
