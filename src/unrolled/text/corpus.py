r"""Corpora: from the bytes of a file to documents, and their split.

A document is a text that a model reads from its start, knowing nothing of what stands before it in
the file. Without boundaries the whole corpus is one.

>>> documents("床前明月光\n\n疑是地上霜\n", "line")
['床前明月光', '疑是地上霜']
"""

from __future__ import annotations

import codecs
import hashlib
import logging
import math
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unrolled.errors import InputError
from unrolled.text.options import Boundaries, CorpusOptions

logger = logging.getLogger(__name__)

# Full-width forms stand at a fixed distance from ASCII; the ideographic space does not.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # those of UTF-32 begin or hold NUL bytes
# One character to read and one to predict.
_LEAST = 2


class Parts(NamedTuple):
    """The documents of each part, in the order of the file."""

    train: list[str]
    validation: list[str]
    test: list[str]


def read(path: str, name: str) -> bytes:
    """Read a file whole.

    Raises:
        InputError: no such file.
    """
    if not Path(path).is_file():
        raise InputError(
            f"corpus '{name}': file '{path}' does not exist; put a .txt file there, or name its"
            f" path by corpus_options.{name}.path"
        )
    return Path(path).read_bytes()


def decode(raw: bytes, options: CorpusOptions, name: str) -> str:
    r"""Turn bytes into text: decoded, newlines as `\n`, normalised.

    Args:
        raw: the file.
        options: encoding, and what to do about undecodable bytes, marks and widths.
        name: the corpus, for the sentences.

    Raises:
        InputError: an empty or binary file, or another encoding.
    """
    if not raw:
        raise InputError(f"corpus '{name}': the file is empty; expected text")
    if not codecs.lookup(options.encoding).name.startswith(("utf-16", "utf-32")):
        _refuse_binary(raw, options.encoding, name)
    try:
        text = raw.decode(options.encoding)
    except UnicodeDecodeError as error:
        text = _drop_undecodable(raw, error, options, name)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if options.normalise:
        text = unicodedata.normalize("NFC", text)
    if options.fold_width:
        text = text.translate(_NARROW)
    if not text.strip():
        raise InputError(f"corpus '{name}': the file holds nothing but white space; expected text")
    return text


def _refuse_binary(raw: bytes, encoding: str, name: str) -> None:
    if raw.startswith(_WIDE_BOMS):
        raise InputError(
            f"corpus '{name}': the file begins like UTF-16, but encoding is {encoding}; set"
            f" corpus_options.{name}.encoding to utf-16"
        )
    at = raw.find(b"\0")
    if at >= 0:
        raise InputError(
            f"corpus '{name}': the file is binary, byte {at} is NUL; expected text in {encoding}"
        )


def _drop_undecodable(
    raw: bytes, error: UnicodeDecodeError, options: CorpusOptions, name: str
) -> str:
    kept = raw.decode(options.encoding, "ignore")
    # Each undecodable byte becomes the four characters \xNN, wherever the decoder resumes.
    count = (len(raw.decode(options.encoding, "backslashreplace")) - len(kept)) // 4
    found = (
        f"corpus '{name}': {count} of {len(raw)} bytes are not {options.encoding}, the first at"
        f" byte offset {error.start}"
    )
    if options.undecodable == "error":
        raise InputError(
            f"{found}; name the file's encoding by corpus_options.{name}.encoding (gb18030 for"
            " many Chinese texts), or set undecodable to drop"
        )
    logger.warning("%s; they are dropped", found)
    return kept


def documents(text: str, boundaries: Boundaries) -> list[str]:
    """Cut a text into its documents; blank ones are none.

    Args:
        text: as `decode` gives it.
        boundaries: `none` keeps the text whole; `line` makes every line a document; `blank_line`
            cuts at lines that are empty or hold white space alone.

    Returns:
        Documents without the newlines that part them.
    """
    if boundaries == "none":
        return [text]
    if boundaries == "line":
        return [line for line in text.split("\n") if line.strip()]
    return [part.strip("\n") for part in _BLANK_LINES.split(text) if part.strip()]


def join(documents: Sequence[str], boundaries: Boundaries) -> str:
    """Join documents into the text that `documents` cuts into them."""
    end = {"none": "", "line": "\n", "blank_line": "\n\n"}[boundaries]
    return "".join(document + end for document in documents)


def split(documents: Sequence[str], options: CorpusOptions, name: str) -> Parts:
    """Split before anything is learnt.

    Without boundaries the text is cut in its order: train, then validation, then test, so that no
    held-out character is read in training. The sizes of validation and test are rounded up.

    With boundaries the part of a document follows from its own text: its SHA-1, as decimal digits
    read from the last one on, is a fraction u in [0, 1), and the document is for test where
    u < test, for validation where u < test + validation, else for train. So repeated documents
    never stand in two parts, the order of the file (often by author) does not matter, and a
    document keeps its part when others come or go. At a test share of 0.1 the test part is where
    the SHA-1 is a multiple of 10.

    Args:
        documents: as the function of this name gives them.
        options: boundaries, and the shares of validation and test.
        name: the corpus, for the sentences.

    Raises:
        InputError: too little text for three parts.
    """
    if options.boundaries == "none":
        return _split_in_order("".join(documents), options, name)
    parts = Parts([], [], [])
    for document in documents:
        place = _fraction(document)
        if place < options.test:
            parts.test.append(document)
        elif place < options.test + options.validation:
            parts.validation.append(document)
        else:
            parts.train.append(document)
    for part, found in parts._asdict().items():
        if not found:
            raise InputError(
                f"corpus '{name}': none of its {len(documents)} documents falls to {part}; add"
                " documents, change the shares of validation and test, or set boundaries to none"
            )
    return parts


def _split_in_order(text: str, options: CorpusOptions, name: str) -> Parts:
    if min(_sizes(len(text), options)) < _LEAST:
        needed = len(text) + 1
        while min(_sizes(needed, options)) < _LEAST:
            needed += 1
        raise InputError(
            f"corpus '{name}': {len(text)} characters cannot be split, validation"
            f" {options.validation:g} and test {options.test:g} need at least {needed}; add text or"
            " change the shares"
        )
    train, validation, _ = _sizes(len(text), options)
    middle = train + validation
    return Parts([text[:train]], [text[train:middle]], [text[middle:]])


def _sizes(characters: int, options: CorpusOptions) -> tuple[int, int, int]:
    """Characters of train, validation and test."""
    # Rounded first: 30 * 0.1 is a little more than 3.
    validation, test = (
        math.ceil(round(characters * share, 6)) for share in (options.validation, options.test)
    )
    return characters - validation - test, validation, test


def _fraction(document: str) -> float:
    number = int.from_bytes(hashlib.sha1(document.encode(), usedforsecurity=False).digest())
    return float("0." + str(number)[::-1])
