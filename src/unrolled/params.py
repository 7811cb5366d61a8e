"""What `--params` and `--set` say, as nested parameters.

Text is taken as it stands, whatever YAML or OmegaConf would make of `ROMEO:`, `007` or `${x}`; so
the reader has to be told where text stands. All else is what YAML reads from one line: numbers, true
and false, null, lists and mappings in brackets.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Literal

from unrolled.errors import InputError, shown

# What stands at a path of keys: text, text or null, or anything else.
Kind = Literal["text", "optional", "other"]
Kinds = Callable[[tuple[str, ...]], Kind]

_NAME = r"[^\W\d][\w-]*(?:\.[\w-]+)*"
_KEY = re.compile(rf"[,\s]*({_NAME})\s*=")
_NEXT = re.compile(rf",\s*{_NAME}\s*=(?!=)|\Z")  # where a value without brackets ends
_QUOTED = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*""", re.DOTALL)
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")  # Python reads no more digits than some 4,300
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None}
_WORDS |= dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(("false", "no", "off"), False)
_DEEPEST = 20  # no option lies deeper than five


def split(text: str, kinds: Kinds) -> dict[str, Any]:
    """Read the value of `--params`: `key=value` pairs between commas.

    A value goes to the next `,key=`, or to the end of its own quotes or brackets.

    Args:
        text: as it was typed.
        kinds: says what stands at a path; an item of a list lies at a number below it.

    >>> split("name=ROMEO: 1, 2,length=5", lambda path: "text" if path == ("name",) else "other")
    {'name': 'ROMEO: 1, 2', 'length': 5}

    Raises:
        InputError: a part without a key, a key twice, an open bracket, bytes that are no UTF-8.
    """
    check_utf8(text, "--params")
    found: dict[str, Any] = {}
    at = 0
    while text[at:].strip(", \t\r\n"):
        key = _KEY.match(text, at)
        if key is None:
            raise InputError(
                f"--params has {shown(text[at:].lstrip(', '))}; expected key=value, with commas"
                ' between them and lists in brackets: --params "series=sunspots,variants=[gru,lstm]"'
            )
        path = _path(key[1], "--params")
        value, at = _value(text, key.end(), path, kinds)
        found = joined(found, nested(path, value))
    return found


def one(text: str, kinds: Kinds) -> dict[str, Any]:
    """Read the value of `--set`: one `key=value`, where text needs no quotes and has none taken off.

    >>> one("prompt='a', b=c", lambda path: "text")
    {'prompt': "'a', b=c"}

    Raises:
        InputError: no key, an open bracket, bytes that are no UTF-8.
    """
    check_utf8(text, "--set")
    key = re.match(rf"\s*({_NAME})\s*=", text)
    if key is None:
        raise InputError(
            f'--set has {shown(text)}; expected one key=value: --set "prompt=To be, or"'
        )
    path, value = _path(key[1], "--set"), text[key.end() :]
    if kinds(path) != "other" or value.lstrip()[:1] not in ("[", "{"):
        return nested(path, _bare(value, path, kinds))
    found, end = _bracketed(value, 0, path, kinds)
    if value[end:]:
        raise _unread(value, end, "nothing after the bracket that closes")
    return nested(path, found)


def nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A dictionary that holds a value at a path.

    >>> nested(("training", "epochs"), 5)
    {'training': {'epochs': 5}}
    """
    for part in reversed(path):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def joined(one: dict[str, Any], other: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Both dictionaries in one.

    Args:
        one: values.
        other: values.
        where: path to both with a dot at its end, for the error.

    Raises:
        InputError: both give a value.
    """
    result = dict(one)
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = joined(result[key], value, f"{where}{key}.")
        elif key in result:
            raise InputError(
                f"the command line gives '{where}{key}' twice, as {result[key]!r} and as {value!r};"
                " keep one"
            )
        else:
            result[key] = value
    return result


def scalar(text: str) -> object:
    """A value that is no text: a number, true, false or null; another word as it is.

    >>> [scalar(word) for word in ("12", "1e-3", "off", "", "²")]
    [12, 0.001, False, None, '²']
    """
    word = text.strip(", \t\r\n")
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word) and ("." in word or "e" in word.lower()):
        return float(word) if math.isfinite(float(word)) else word
    return word


def check_utf8(text: str, said: str) -> None:
    """Refuse what is no text: bytes of another encoding come from the shell as lone surrogates.

    Raises:
        InputError: so it is.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{said} has {text[error.start]!a} at character {error.start + 1},"
            " which is no text; expected UTF-8, so set the terminal to it"
        ) from None


def _path(key: str, said: str) -> tuple[str, ...]:
    parts = tuple(key.split("."))
    if len(parts) > _DEEPEST:
        raise InputError(f"{said} has the key {shown(key)} of {len(parts)} parts; expected a few")
    return parts


def _value(text: str, at: int, path: tuple[str, ...], kinds: Kinds) -> tuple[Any, int]:
    """The value that begins at a place of `--params`, and where it ends."""
    quoted, kind = _QUOTED.match(text, at), kinds(path)
    if quoted and text[quoted.end() : quoted.end() + 1] in ("", ","):
        return _unquoted(quoted[1]), quoted.end()
    if kind == "other" and text[at:].lstrip()[:1] in ("[", "{"):
        value, end = _bracketed(text, at, path, kinds)
        if text[end : end + 1] not in ("", ","):
            raise _unread(text, at, "a comma after the bracket that closes")
        return value, end
    end = at + len(_NEXT.split(text[at:], maxsplit=1)[0])
    return _bare(text[at:end], path, kinds), end


def _bare(text: str, path: tuple[str, ...], kinds: Kinds) -> object:
    """A value without quotes and brackets: text as it stands, where `null` may say that there is none."""
    kind = kinds(path)
    if kind == "other" and kinds((*path, "0")) == "other":  # nor a list of text, of which it is one
        return scalar(text)
    return None if kind == "optional" and text == "null" else text


def _bracketed(text: str, at: int, path: tuple[str, ...], kinds: Kinds) -> tuple[Any, int]:
    """The value at a place inside brackets, or one in brackets itself, and where it ends."""
    at = _space(text, at)
    opening = text[at : at + 1]
    quoted = _QUOTED.match(text, at)
    if quoted:
        return _unquoted(quoted[1]), quoted.end()
    if opening not in ("[", "{"):
        end = _end(text, at)
        return _bare(text[at:end].strip(), path, kinds), end
    if len(path) > _DEEPEST:
        raise _unread(text, at, "a few brackets in one another")
    items: list[Any] = []
    entries: dict[str, Any] = {}
    closing, start = {"[": "]", "{": "}"}[opening], at
    at = _space(text, at + 1)
    while text[at : at + 1] != closing:
        key = str(len(items))
        if opening == "{":
            key, at = _key(text, at)
            if key in entries:
                raise _unread(text, start, f"each key once, but {key!r} stands there twice")
        value, at = _bracketed(text, at, (*path, key), kinds)
        items.append(value)
        entries[key] = value
        if text[at : at + 1] not in (",", closing):
            raise _unread(
                text, start, "every bracket closed, and text with commas or brackets in quotes"
            )
        at = _space(text, at + (text[at] == ","))
    return (items if opening == "[" else entries), _space(text, at + 1)


def _end(text: str, at: int) -> int:
    """Where a value without quotes ends inside brackets: at a comma or a bracket that is not its own."""
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] in "[{") - (text[end] in "]}")
        if depth < 0 or (text[end] == "," and not depth):
            return end
    return len(text)


def _key(text: str, at: int) -> tuple[str, int]:
    """The key of a mapping, and where its value begins."""
    quoted = _QUOTED.match(text, at)
    end = quoted.end() if quoted else text.find(":", at)
    key = _unquoted(quoted[1]) if quoted else text[at:end].strip()
    if end < 0 or text[end : end + 1] != ":" or (not quoted and set(key) & set(",[]{}")):
        raise _unread(text, at, "key: value inside {}")
    return key, end + 1


def _space(text: str, at: int) -> int:
    """The next place that is no space."""
    while text[at : at + 1].isspace():
        at += 1
    return at


def _unquoted(quoted: str) -> str:
    """What stands in single quotes, doubled where they are meant, or in double ones with escapes."""
    if quoted[0] == "'":
        return quoted[1:-1].replace("''", "'")
    try:
        text = str(json.loads(quoted, strict=False))
    except ValueError:
        raise InputError(
            f"--params has {shown(quoted)}; expected escapes in double quotes as JSON has them, such"
            " as \\n, or single quotes"
        ) from None
    check_utf8(text, "--params")
    return text


def _unread(text: str, at: int, expected: str) -> InputError:
    return InputError(f"--params or --set has {shown(text[at:].strip())}; expected {expected}")
