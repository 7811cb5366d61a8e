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
from typing import NamedTuple

from unrolled.errors import InputError
from unrolled.text.options import Boundaries, CorpusOptions
from unrolled.text.writing import lone_surrogate, normalised

logger = logging.getLogger(__name__)

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_WIDE = ("utf-16", "utf-32")
# Byte order marks; that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
# Chinese and Japanese without a space or a line; as bytes these hold control characters, so text in
# another encoding is not taken for them.
_STOPS = "\u3000\u3001\u3002\uff0c"  # ideographic space, comma and full stop, full-width comma
_RARE = re.compile(rb"[\0-\x02\x0c]")  # one of which each of them and all ASCII holds
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_WITHOUT_MARK = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
# One character to read and one to predict.
_LEAST = 2


class Parts(NamedTuple):
    """The documents of each part, in the order of the file."""

    train: list[str]
    validation: list[str]
    test: list[str]


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
    _refuse_another(raw, options, name)
    try:
        text = raw.decode(options.encoding)
    except UnicodeDecodeError as error:
        text = _drop_undecodable(raw, error, options, name)
    text = _without_surrogates(text, options, name)
    _refuse_nul("character", text.find("\0"), options, name)
    text = normalised(text, **options.reading)
    if not text.strip():
        raise InputError(f"corpus '{name}': the file holds nothing but white space; expected text")
    return text


def _refuse_another(raw: bytes, options: CorpusOptions, name: str) -> None:
    """Refuse a file whose bytes say that it is in another encoding of Unicode, or no text."""
    codec = codecs.lookup(options.encoding).name
    marked = next((encoding for mark, encoding in _MARKS.items() if raw.startswith(mark)), None)
    if marked is not None and not codec.startswith(marked):
        raise InputError(
            f"corpus '{name}': the file begins like {marked.upper()}, but encoding is"
            f" {options.encoding}; set corpus_options.{name}.encoding to {marked}"
        )
    wide = codec.startswith(_WIDE)
    if wide or _RARE.search(raw):
        found = _wide(raw)
        if found is not None and _familiar(raw, found) > (_familiar(raw, codec) if wide else 0):
            raise InputError(
                f"corpus '{name}': the file is {found.upper()}, but encoding is"
                f" {options.encoding}; set corpus_options.{name}.encoding to {found}"
            )
    if not wide:
        _refuse_nul("byte", raw.find(b"\0"), options, name)


def _refuse_nul(unit: str, at: int, options: CorpusOptions, name: str) -> None:
    if at >= 0 and not options.drop_control:
        raise InputError(
            f"corpus '{name}': the file is binary, {unit} {at} is NUL; expected text in"
            f" {options.encoding}; if it is, corpus_options.{name}.drop_control=true leaves NUL out"
        )


def _wide(raw: bytes) -> str | None:
    """The one of UTF-16 and UTF-32 in which a file is text, by familiar characters; None for neither."""
    rest = raw.replace(b"\0", b"")
    # Text with some NULs, which as pairs of bytes would be Chinese. In Cyrillic every other byte is
    # a control character.
    if (
        raw.count(0) * 4 < len(raw)
        and _is_utf8(rest)
        and len(_CONTROL.findall(rest)) * 4 <= len(rest)
    ):
        return None
    found = max(_WITHOUT_MARK, key=lambda encoding: _familiar(raw, encoding))
    return found if _familiar(raw, found) > 0 else None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeError:
        return False
    return True


def _familiar(raw: bytes, encoding: str) -> int:
    """Count ASCII, and stops of Chinese, in a file; 0 where it is no text in this encoding."""
    try:
        text = raw.decode(encoding)
    except UnicodeError:
        return 0
    # Control characters, private and unassigned ones.
    odd = any(unicodedata.category(c) in {"Cc", "Cn", "Co"} for c in set(text) - set("\t\n\r"))
    if odd or not re.search(rf"[\s{_STOPS}]", text):
        return 0
    return len(text.encode("ascii", "ignore")) + sum(map(text.count, _STOPS))


def _without_surrogates(text: str, options: CorpusOptions, name: str) -> str:
    found = lone_surrogate(text)
    if found is None:
        return text
    what = f"corpus '{name}': in {options.encoding} the file holds the lone surrogate {found}"
    if options.undecodable == "error":
        raise InputError(
            f"{what}, which is no character; name the file's encoding by"
            f" corpus_options.{name}.encoding, or set undecodable to drop"
        )
    logger.warning("%s; all such are dropped", what)
    return text.encode("utf-8", "ignore").decode("utf-8")


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
        hint = _wide(raw) or (
            "gb18030 or utf-16-le for many Chinese texts, cp1252 for many Western ones"
        )
        raise InputError(
            f"{found}; name the file's encoding by corpus_options.{name}.encoding ({hint}), or set"
            " undecodable to drop"
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


def protocol(
    documents: dict[str, list[str]],
    symbols: int,
    options: CorpusOptions,
    name: str,
    seeds: list[int],
) -> str:
    """Say on what data and how the numbers of this run were measured, in one line."""
    sizes = {part: sum(map(len, texts)) for part, texts in documents.items()}
    parts = ", ".join(f"{part} {size:,}" for part, size in sizes.items())
    by = "in order" if options.boundaries == "none" else "by document"
    tried = f"seeds {', '.join(map(str, seeds))}"
    return (
        f"{name}: {sum(sizes.values()):,} characters ({parts}, split {by}), {symbols:,} symbols;"
        f" whole test part, state carried; {tried}"
    )
