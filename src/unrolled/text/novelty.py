"""What of a written text is copied from the text it was learnt from.

A run of characters of the written text has a number, its rank among all runs of its length there.
Runs of the training text get the number of the equal run, or -1. A run of a + b characters is the
pair of its first a and its last b, so the numbers of length 8 follow from those of 4, and those of
10 from 8 and 2: exact, no hash, and few runs of the training text are left after the first steps.

>>> longest_copied_run("the cat sat", training="a cat saw")
' cat sa'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unrolled.text.vocabulary import code_points

IntArray = npt.NDArray[np.int64]


class _Runs(NamedTuple):
    """Numbers of all runs of one length, by where they begin.

    Attributes:
        length: characters of a run.
        written: (N - length + 1,) numbers of the runs of the written text.
        training: (M - length + 1,) those of the training text, -1 for a run that is not written.
    """

    length: int
    written: IntArray
    training: IntArray

    @property
    def copied(self) -> npt.NDArray[np.bool_]:
        """Which runs of the written text stand in the training text too."""
        found = np.zeros(len(self.written) + 1, bool)  # one place more, for -1
        found[self.training] = True
        found[-1] = False
        return found[self.written]


def longest_copied_run(text: str, training: str) -> str:
    """Find the longest run of characters of `text` that stands in `training` too.

    Args:
        text: what was written.
        training: what was learnt from.

    Returns:
        The run, the first in `text` of its length; empty where no character is shared.

    Raises:
        InputError: a lone surrogate.
    """
    powers = [_characters(text, training)] if text else []
    while powers and powers[-1].copied.any():
        powers.append(_joined(powers[-1], powers[-1]))
    if len(powers) < 2:
        return ""
    longest = powers[-2]  # the last power of two that is copied; then what can be added to it
    for power in reversed(powers[:-2]):
        longer = _joined(longest, power)
        if longer.copied.any():
            longest = longer
    first = int(np.argmax(longest.copied))
    return text[first : first + longest.length]


def new_share(text: str, training: str, length: int = 10) -> float:
    """Share of the runs of `length` characters of `text` that are not in `training`.

    Returns:
        From 0 (all copied) to 1; NaN where the text is shorter than `length`.

    Raises:
        InputError: a lone surrogate.
    """
    if len(text) < length:
        return float("nan")
    power = _characters(text, training)
    runs = None
    while length:
        if length % 2:
            runs = power if runs is None else _joined(runs, power)
        length //= 2
        if length:
            power = _joined(power, power)
    assert runs is not None
    return 1 - float(runs.copied.mean())


def form_share(documents: Sequence[str], form: str) -> float:
    r"""Share of documents that keep a form.

    Args:
        documents: texts.
        form: regular expression that a document as a whole should match.

    Returns:
        From 0 to 1; NaN for no documents.

    >>> form_share(["床前明月光，疑是地上霜。", "床前明月光。"], r"\w{5}，\w{5}。")
    0.5
    """
    if not documents:
        return float("nan")
    return sum(re.fullmatch(form, document) is not None for document in documents) / len(documents)


def _characters(text: str, training: str) -> _Runs:
    """Runs of one character."""
    found, written = np.unique(code_points(text).astype(np.int64), return_inverse=True)
    return _Runs(1, written, _find(found, code_points(training).astype(np.int64)))


def _joined(left: _Runs, right: _Runs) -> _Runs:
    """Runs of the two lengths together."""
    size = len(right.written) + 1
    found, written = np.unique(
        _pairs(left.written, right.written, left.length, size), return_inverse=True
    )
    training = _pairs(left.training, right.training, left.length, size)
    return _Runs(left.length + right.length, written, _find(found, training))


def _pairs(left: IntArray, right: IntArray, distance: int, size: int) -> IntArray:
    """Both numbers in one, -1 where either is -1."""
    right = right[distance:]
    left = left[: len(right)]
    return np.where((left >= 0) & (right >= 0), left * size + right, -1)


def _find(found: IntArray, wanted: IntArray) -> IntArray:
    """Places of `wanted` in the sorted `found`, -1 where they are not."""
    result = np.full(len(wanted), -1)
    if len(found):
        at = np.flatnonzero(wanted >= 0)
        place = np.minimum(np.searchsorted(found, wanted[at]), len(found) - 1)
        result[at] = np.where(found[place] == wanted[at], place, -1)
    return result
