"""A general compressor as a baseline that knows nothing of language."""

from __future__ import annotations

import lzma
import math


def xz_nats(train: str, held_out: str) -> float:
    """Cost of the held-out text to xz that has seen the train part.

    The length of both compressed together less that of train alone, in UTF-8. Its dictionary of
    64 MiB holds the whole train part of most corpora.

    Returns:
        Nats in all, for `metrics.scores`.
    """
    size = len(_compress(train + held_out)) - len(_compress(train))
    return size * 8 * math.log(2)


def _compress(text: str) -> bytes:
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
