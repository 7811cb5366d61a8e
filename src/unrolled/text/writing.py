r"""How a prompt is read and a character is chosen, the same wherever a model writes.

This file goes with a registered model, so it imports nothing but numpy.

Letters: B texts side by side, V symbols that can be chosen.

>>> normalised("\uff21e\u0301\r\n", fold_width=True)
'Aé\n'
"""

from __future__ import annotations

import re
import sys
import unicodedata

import numpy as np
import numpy.typing as npt

from unrolled.errors import InputError, shown

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Full-width forms stand at a fixed distance from ASCII; the ideographic space does not.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_SURROGATE = re.compile("[\ud800-\udfff]")
# All of Unicode's control characters (Cc) but tab and newline.
_CONTROL = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A})


def normalised(
    text: str, *, normalise: bool = True, fold_width: bool = False, drop_control: bool = False
) -> str:
    r"""A text as a corpus with these options has it, newlines as `\n`; doing it again changes nothing.

    A prompt is read so too: written another way, a character would be one that no model has seen.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Composed last, since what is dropped or folded can stand between a letter and its mark.
    if drop_control:
        text = text.translate(_CONTROL)
    text = text.lstrip("\ufeff")
    if fold_width:
        text = text.translate(_NARROW)
    return unicodedata.normalize("NFC", text) if normalise else text


def lone_surrogate(text: str) -> str | None:
    r"""The first half of a pair in UTF-16 that stands alone, and so is no character.

    >>> lone_surrogate("caf\udce9")
    'U+DCE9'
    """
    found = _SURROGATE.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def refuse_surrogates(prompt: str) -> None:
    """Refuse a prompt that is not text, as of a terminal in another encoding.

    Raises:
        InputError: it holds a lone surrogate.
    """
    found = lone_surrogate(prompt)
    if found:
        raise InputError(
            f"prompt {shown(prompt)} holds the lone surrogate {found}, which is no character;"
            " expected text in UTF-8"
        )


def unknown_in(prompt: str, characters: str) -> list[str]:
    """Characters of a prompt that a model does not know, sorted."""
    return sorted(set(prompt) - set(characters))


def unknown_sentence(prompt: str, unknown: list[str]) -> str:
    """Name what a model does not know.

    >>> unknown_sentence("x?", ["?", "x"])
    "prompt 'x?': the model does not know '?', 'x'"
    """
    some = ", ".join(map(repr, unknown[:10]))
    more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    return f"prompt {prompt!r}: the model does not know {some}{more}"


def choose(logits: FloatArray, temperature: float, chances: FloatArray) -> IntArray:
    """Draw a symbol for each text, or take the likeliest at temperature 0.

    Args:
        logits: (B, V), float64.
        temperature: logits are divided by it.
        chances: (B, 1), uniform in [0, 1).

    Returns:
        Places among the V (B,).
    """
    if temperature == 0:
        return logits.argmax(1)
    return pick(tempered(logits, temperature), chances)


def tempered(logits: FloatArray, temperature: float) -> FloatArray:
    """Logits (B, V) at a temperature, less the highest: any temperature gives what its limit does."""
    # The highest is 0 and stays so; what overflows is -inf, which is never chosen.
    with np.errstate(over="ignore"):
        below = logits - logits.max(1, keepdims=True)
        return below / max(temperature, sys.float_info.min)


def pick(scores: FloatArray, chances: FloatArray) -> IntArray:
    """Choose by a random number a text: its place among the summed probabilities.

    Several times faster than torch.multinomial, which draws a number for every symbol.

    Args:
        scores: (B, V) logits of which the highest is 0; what is -inf is never chosen.
        chances: (B, 1), uniform in [0, 1).
    """
    up_to = np.exp(scores).cumsum(1)
    # A chance of at most 1 - 2^-53 times the total stays below the total, rounded as it is.
    return (up_to > chances * up_to[:, -1:]).argmax(1)
